#include "services/orchestrator/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/memory.h"
#include "schema/codec.h"
#include "services/orchestrator/history_internal.h"

/* Numbers left out after a restart: more than can have been told and not stored. */
#define NUMBERS_SKIPPED 1024

void history_event_key(uint64_t number, Buf *out) {
    buf_printf(out, HISTORY_EVENTS_PREFIX "%016" PRIx64, UINT64_MAX - number);
}

static void run_key(Span service, int64_t run, Buf *out) {
    buf_printf(out, HISTORY_RUNS_PREFIX "%.*s/%016" PRIx64, SPAN_ARGS(service),
               UINT64_MAX - (uint64_t)run);
}

const RecentEvent *history_recent(const History *history, int64_t number) {
    /* They are in order of their numbers, with no more than one gap, where the runtime restarted. */
    size_t low = 0, high = history->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const RecentEvent *event = &history->recent[(history->first + middle) % HISTORY_RECENT];
        if (event->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < history->count ? &history->recent[(history->first + low) % HISTORY_RECENT] : NULL;
}

static void recent_done(RecentEvent *event) {
    blob_unref(event->encoded);
    free(event->service);
}

/* Takes the encoded event over. */
static void keep_recent(History *history, const RtServiceEvent *event, Blob *encoded) {
    if (history->count == HISTORY_RECENT) {
        recent_done(&history->recent[history->first]);
        history->first = (history->first + 1) % HISTORY_RECENT;
        history->count--;
    }
    char *service = xcalloc(1, event->service.len + 1);
    memcpy(service, event->service.ptr ? event->service.ptr : "", event->service.len);
    history->recent[(history->first + history->count++) % HISTORY_RECENT] = (RecentEvent){
        .number = event->revision->number,
        .type = event->type,
        .service = service,
        .encoded = encoded,
    };
}

void history_add_event(History *history, RtServiceEvent *event) {
    history->revision.number++;
    event->revision = &history->revision;
    if (!event->timestamp)
        event->timestamp = world_wall(history->world) / NANOS_PER_MILLI;
    Buf key = {0};
    history_event_key((uint64_t)history->revision.number, &key);
    journal_put(history->journal, buf_span(&key), &RtServiceEvent_type, event);
    if (history->revision.number > HISTORY_EVENTS) {
        buf_clear(&key);
        history_event_key((uint64_t)history->revision.number - HISTORY_EVENTS, &key);
        journal_delete(history->journal, buf_span(&key));
    }
    buf_done(&key);
    Arena arena = {0};
    Span bytes;
    if (schema_encode(&RtServiceEvent_type, event, 0, &arena, &bytes) == 0)
        keep_recent(history, event, blob_copy(bytes));
    arena_done(&arena);
    history_watchers_wake(history);
}

void history_put_run(History *history, const RtServiceRun *run) {
    Buf key = {0};
    run_key(run->service_name, run->run, &key);
    journal_put(history->journal, buf_span(&key), &RtServiceRun_type, run);
    if (run->run > HISTORY_RUNS && !run->stopped_at_ms) {
        buf_clear(&key);
        run_key(run->service_name, run->run - HISTORY_RUNS, &key);
        journal_delete(history->journal, buf_span(&key));
    }
    buf_done(&key);
}

/* ---- beginning and end ---- */

static void on_loaded(void *owner, const StoreResult *result) {
    History *history = owner;
    const StoreOpResult *found = result->count ? &result->results[0] : NULL;
    Arena arena = {0};
    /* Newest first; those of this life, if any, came behind. */
    for (size_t i = found ? found->count : 0; i-- > 0;) {
        void *event;
        Span value = found->entries[i].value;
        if (schema_decode(&RtServiceEvent_type, value, NULL, &arena, &event, NULL) < 0 ||
            !((RtServiceEvent *)event)->revision)
            continue;
        keep_recent(history, event, blob_copy(value));
        history->revision.number = ((RtServiceEvent *)event)->revision->number;
    }
    arena_done(&arena);
    if (history->count)
        history->revision.number += NUMBERS_SKIPPED;
    history->loaded(history->loaded_owner, result->error);
}

static void on_nothing(Task *task) {
    History *history = CONTAINER(task, History, nothing);
    history->loaded(history->loaded_owner, 0);
}

void history_load(History *history, void (*done)(void *owner, int error), void *owner) {
    history->loaded = done;
    history->loaded_owner = owner;
    if (!history->store) {
        world_defer(history->world, &history->nothing);
        return;
    }
    StoreOp op = {
        .kind = STORE_GET,
        .range = {.how = STORE_PREFIX, .key = SPAN(HISTORY_EVENTS_PREFIX)},
        .limit = HISTORY_RECENT,
    };
    StoreTxn txn = {.then = &op, .then_count = 1};
    int error = store_commit(history->store, &txn, on_loaded, history);
    if (error < 0)
        world_defer(history->world, &history->nothing);
}

History *history_new(World *world, Store *store, Journal *journal, uint64_t epoch) {
    History *history = xcalloc(1, sizeof *history);
    history->world = world;
    history->store = store;
    history->journal = journal;
    history->revision.epoch = (int64_t)((store ? store_epoch(store) : epoch) & INT64_MAX);
    history->nothing.run = on_nothing;
    list_init(&history->watchers);
    return history;
}

void history_free(History *history) {
    if (!history)
        return;
    if (history->store)
        store_forget(history->store, history);
    world_undefer(&history->nothing);
    for (size_t i = 0; i < history->count; i++)
        recent_done(&history->recent[(history->first + i) % HISTORY_RECENT]);
    free(history);
}
