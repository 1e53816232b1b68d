/* Searches on behalf of readers: queries, subscriptions, and what counts. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "services/logs/log_actor.h"

static LogSearcher *searcher_of(LogReader *reader) {
    return CONTAINER(reader, LogSearcher, reader);
}

void log_reader_mask(LogReader *reader, const Mask *mask) {
    if (reader->step == log_searcher_step)
        searcher_of(reader)->search.mask = mask;
    else
        log_follower_mask(reader, mask);
}

static bool give(void *owner, const RowSource *source, const Row *row, const RtLogEntry *entry) {
    LogSearcher *searcher = owner;
    log_reader_add(&searcher->reader, &RtLogEntry_type, entry);
    return searcher->reader.messages.len < READER_BATCH;
}

/* Where the replay begins, as far back as has been looked. */
static bool look_back(void *owner, const RowSource *source, const Row *row,
                      const RtLogEntry *entry) {
    LogSearcher *searcher = owner;
    searcher->first = searcher->search.at + 1;
    return true;
}

/* What a follower has missed is told in its stream, as an entry without a sequence. */
static void tell_missed(LogActor *actor, LogSearcher *searcher) {
    char text[120];
    int len = snprintf(text, sizeof text,
                       "%lld entries were passed over here: they came faster than they were read",
                       (long long)searcher->missed);
    RtLogEntry entry = {
        .service_name = SPAN("muster"),
        .level = RT_LOG_LEVEL_WARN,
        .message = span(text, (size_t)len),
        .timestamp = actor->wall / NANOS_PER_MILLI,
        .stream = RT_LOG_STREAM_STRUCTURED,
    };
    PbValue number = {.number_value = (double)searcher->missed,
                      .which_kind = PbValue_number_value_number};
    PbStructFieldsEntry field = {.key = SPAN("missed"), .value = &number};
    PbStruct attributes = {.fields = {&field, 1, 1}};
    entry.attributes = &attributes;
    log_reader_add(&searcher->reader, &RtLogEntry_type, &entry);
    searcher->missed = 0;
}

/* The beginning of the latest entries is found: from there to those to come. */
static void turn_forwards(LogSearcher *searcher) {
    Search *search = &searcher->search;
    search->backwards = search->glance = false;
    search->at = searcher->first;
    search->left = INT64_MAX;
    search->found = give;
    searcher->replay = 0;
}

/* A follower that lags too much, or for whom entries were dropped, skips them. What is replayed may
 * lie far back. */
static void catch_up(LogActor *actor, LogSearcher *searcher) {
    Search *search = &searcher->search;
    int64_t next = log_store_next_sequence(actor->store);
    int64_t first = log_store_first_sequence(actor->store);
    bool replays = search->at < searcher->replayed;
    if (!replays && next - search->at > READER_BEHIND && next - READER_BEHIND / 2 > first)
        first = next - READER_BEHIND / 2;
    if (search->at < first && search->at > 0) {
        searcher->missed += first - search->at;
        search->at = first;
    }
    if (searcher->missed)
        tell_missed(actor, searcher);
}

static int follow(LogActor *actor, LogSearcher *searcher) {
    if (!searcher->replay)
        catch_up(actor, searcher);
    int r = search_step(&searcher->search, actor->store, READER_SLICE);
    if (r == 0 && searcher->replay) {
        turn_forwards(searcher);
        return 1;
    }
    if (!searcher->replay)
        log_reader_send(actor, &searcher->reader, false, STATUS_OK, NULL);
    return r;
}

static void begin(LogActor *actor, LogSearcher *searcher) {
    Search *search = &searcher->search;
    searcher->begun = true;
    int64_t next = log_store_next_sequence(actor->store);
    if (searcher->follows && (search->at == 0 || search->at > next))
        search->at = next;
    if (searcher->replay) {
        searcher->first = searcher->replayed = next;
        search->backwards = search->glance = true;
        search->at = next - 1;
        search->left = searcher->replay;
        search->found = look_back;
    }
    if (searcher->count)
        log_count_begin(actor, searcher);
}

int log_searcher_step(LogActor *actor, LogReader *reader) {
    LogSearcher *searcher = searcher_of(reader);
    if (!searcher->begun)
        begin(actor, searcher);
    int r;
    if (searcher->follows) {
        r = follow(actor, searcher);
    } else {
        r = search_step(&searcher->search, actor->store, READER_SLICE);
        if (r > 0 && reader->messages.len >= READER_BATCH / 4)
            log_reader_send(actor, reader, false, STATUS_OK, NULL);
    }
    if (r < 0) {
        log_reader_send(actor, reader, true, STATUS_DATA_LOSS, "the logs cannot be read");
        return 0;
    }
    if (r == 0 && !searcher->follows) {
        if (searcher->count)
            log_count_finish(actor, searcher);
        log_reader_send(actor, reader, true, STATUS_OK, NULL);
    }
    return r;
}

static void searcher_free(LogReader *reader) {
    LogSearcher *searcher = searcher_of(reader);
    search_done(&searcher->search);
    log_count_free(searcher->count);
    buf_done(&reader->messages);
    arena_done(&searcher->arena);
    free(searcher);
}

LogSearcher *log_searcher_new(Filter *filter) {
    LogSearcher *searcher = xcalloc(1, sizeof *searcher);
    searcher->reader.step = log_searcher_step;
    searcher->reader.free = searcher_free;
    searcher->search =
        (Search){.filter = filter, .left = INT64_MAX, .found = give, .owner = searcher};
    return searcher;
}
