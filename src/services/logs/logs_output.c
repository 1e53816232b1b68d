/* Output of processes, as the loop sees it: captures, lines to wait for, the end of a run. */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "services/logs/logs_internal.h"

/* ---- captures ---- */

void logs_capture_free(LogCapture *capture) {
    list_remove(&capture->place);
    ring_reader_free(capture->ring);
    buf_done(&capture->names);
    free(capture);
}

static void on_drained(Logs *logs, LogReply *reply) {
    LogCapture *capture = CONTAINER(reply, LogCapture, drained);
    void (*drained)(void *) = logs->closing ? NULL : capture->on_drained;
    void *owner = capture->owner;
    logs_capture_free(capture);
    if (drained)
        drained(owner);
}

static Span keep_name(LogCapture *capture, Span name) {
    buf_add(&capture->names, name);
    return span(capture->names.ptr + capture->names.len - name.len, name.len);
}

int logs_capture(Logs *logs, const LogSource *source, RingReader *reader,
                 LogCapture **ret_capture) {
    if (source->stream != RT_LOG_STREAM_STDOUT && source->stream != RT_LOG_STREAM_STDERR &&
        source->stream != RT_LOG_STREAM_TERMINAL)
        return -EINVAL;
    if (source->service.len + 32 > SEGMENT_NAME_MAX)
        return -EMSGSIZE;
    LogCapture *capture = xcalloc(1, sizeof *capture);
    capture->logs = logs;
    capture->source = *source;
    buf_reserve(&capture->names, source->service.len + source->instance.len + 1);
    capture->source.service = keep_name(capture, source->service);
    capture->source.instance = keep_name(capture, source->instance);
    capture->ring = reader;
    capture->drained.deliver = on_drained;
    list_init(&capture->link);
    list_push_back(&logs->captures, &capture->place);
    logs_send(logs, &capture->task, log_capture_run);
    *ret_capture = capture;
    return 0;
}

void logs_capture_ready(LogCapture *capture) {
    if (!atomic_exchange(&capture->rung, true))
        logs_send(capture->logs, &capture->ready, log_capture_ready_run);
}

void logs_capture_end(LogCapture *capture, void (*drained)(void *owner), void *owner) {
    capture->on_drained = drained;
    capture->owner = owner;
    logs_send(capture->logs, &capture->end, log_capture_end_run);
}

/* ---- entries that a reader brings ---- */

/* Tells of each entry in a reply; false from `each` ends it. */
static void each_entry(const LogReaderReply *reply, Arena *arena,
                       bool (*each)(void *owner, const RtLogEntry *entry), void *owner) {
    Unpack in = unpack_begin(buf_span(&reply->messages));
    while (in.at < in.end && !in.failed) {
        void *entry;
        if (schema_decode(&RtLogEntry_type, unpack_text(&in), NULL, arena, &entry, NULL) == 0 &&
            !each(owner, entry))
            return;
    }
}

static FilterNode *add_instance(Filter *filter, Span instance) {
    FilterNode *node = filter_add(filter, filter->root, FILTER_INSTANCE);
    node->text = arena_copy(&filter->arena, instance);
    return node;
}

/* Standard output and error, and the terminal. */
static void add_output(Filter *filter) {
    static const RtLogStream STREAMS[] = {RT_LOG_STREAM_STDOUT, RT_LOG_STREAM_STDERR,
                                          RT_LOG_STREAM_TERMINAL};
    FilterNode *any = filter_add(filter, filter->root, FILTER_OR);
    for (size_t i = 0; i < sizeof STREAMS / sizeof *STREAMS; i++)
        filter_add(filter, any, FILTER_STREAM)->number = STREAMS[i];
}

/* ---- lines to wait for ---- */

struct LogWatch {
    LogReader *reader;
    Regex *regex; /* our own, to find the line */
    void (*matched)(void *owner, Span line);
    void *owner;
    bool found;
    Buf line;
};

static void watch_free(LogWatch *watch) {
    logs_reader_leave(watch->reader);
    regex_free(watch->regex);
    buf_done(&watch->line);
    free(watch);
}

/* The line of the entry that has the match. */
static bool on_line(void *owner, const RtLogEntry *entry) {
    LogWatch *watch = owner;
    size_t begin, end;
    if (!entry->sequence || !regex_find(watch->regex, entry->message, 0, &begin, &end))
        return true;
    while (begin > 0 && entry->message.ptr[begin - 1] != '\n')
        begin--;
    while (end < entry->message.len && entry->message.ptr[end] != '\n')
        end++;
    buf_add(&watch->line, span(entry->message.ptr + begin, end - begin));
    watch->found = true;
    return false;
}

static void on_watch(LogReader *reader, LogReaderReply *reply) {
    LogWatch *watch = reader->owner;
    Arena arena = {0};
    each_entry(reply, &arena, on_line, watch);
    arena_done(&arena);
    logs_reader_credit(reader, reply);
    if (!watch->found)
        return;
    void (*matched)(void *, Span) = watch->matched;
    void *owner = watch->owner;
    Buf line = watch->line;
    watch->line = (Buf){0};
    watch_free(watch);
    matched(owner, buf_span(&line));
    buf_done(&line);
}

int logs_watch(Logs *logs, Span instance, Span pattern, void (*matched)(void *owner, Span line),
               void *owner, LogWatch **ret_watch, Buf *reason) {
    Filter *filter = filter_new();
    Buf lines = {0};
    buf_add_literal(&lines, "(?m:");
    buf_add(&lines, pattern);
    buf_add_char(&lines, ')');
    Regex *regex, *ours;
    int r = filter_regex(filter, buf_span(&lines), false, &regex, reason);
    if (r == 0)
        r = regex_new(buf_span(&lines), false, false, &ours, reason);
    buf_done(&lines);
    if (r < 0) {
        filter_free(filter);
        return r;
    }
    add_instance(filter, instance);
    add_output(filter);
    filter_add(filter, filter->root, FILTER_REGEX)->regex = regex;
    LogSearcher *searcher = log_searcher_new(filter);
    searcher->follows = true;
    searcher->search.at = 1;
    LogWatch *watch = xcalloc(1, sizeof *watch);
    *watch =
        (LogWatch){.reader = &searcher->reader, .regex = ours, .matched = matched, .owner = owner};
    if (!logs_reader_start(logs, &searcher->reader, on_watch, watch)) {
        regex_free(ours);
        free(watch);
        return -EBUSY;
    }
    *ret_watch = watch;
    return 0;
}

void logs_unwatch(LogWatch *watch) {
    watch_free(watch);
}

/* ---- the last lines ---- */

#define TAIL_BYTES (64 * 1024)

typedef struct Tail {
    Arena arena;
    ARRAY(RtLogEntry) entries; /* newest first */
    size_t bytes;
    LogTailDone *done;
    void *owner;
} Tail;

static bool on_tail_entry(void *owner, const RtLogEntry *entry) {
    Tail *tail = owner;
    tail->bytes += entry->message.len;
    if (tail->bytes > TAIL_BYTES && tail->entries.count)
        return false;
    *array_push(&tail->entries) = *(RtLogEntry *)schema_copy(&RtLogEntry_type, entry, &tail->arena);
    return true;
}

static void tail_free(void *owner) {
    Tail *tail = owner;
    array_done(&tail->entries);
    arena_done(&tail->arena);
    free(tail);
}

static void tail_finish(Tail *tail) {
    for (size_t i = 0, n = tail->entries.count; i < n / 2; i++) {
        RtLogEntry swap = tail->entries.items[i];
        tail->entries.items[i] = tail->entries.items[n - 1 - i];
        tail->entries.items[n - 1 - i] = swap;
    }
    tail->done(tail->owner, tail->entries.items, tail->entries.count);
    tail_free(tail);
}

static void on_tail(LogReader *reader, LogReaderReply *reply) {
    Tail *tail = reader->owner;
    Arena arena = {0};
    bool last = reply->last;
    each_entry(reply, &arena, on_tail_entry, tail);
    arena_done(&arena);
    logs_reader_credit(reader, reply);
    if (!last)
        return;
    logs_reader_leave(reader);
    tail_finish(tail);
}

void logs_tail(Logs *logs, Span instance, uint32_t count, LogTailDone *done, void *owner) {
    Filter *filter = filter_new();
    add_instance(filter, instance);
    add_output(filter);
    LogSearcher *searcher = log_searcher_new(filter);
    searcher->search.backwards = true;
    searcher->search.at = INT64_MAX;
    searcher->search.left = count;
    Tail *tail = xcalloc(1, sizeof *tail);
    tail->done = done;
    tail->owner = owner;
    searcher->reader.abandon = tail_free;
    if (!logs_reader_start(logs, &searcher->reader, on_tail, tail))
        tail_finish(tail);
}
