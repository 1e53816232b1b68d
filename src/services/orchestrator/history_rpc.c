/* WatchEvents, ListEvents and ListRuns. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/memory.h"
#include "base/text.h"
#include "schema/codec.h"
#include "services/orchestrator/history_internal.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000
#define SCAN_PIECE   500 /* entries looked at in one go of the store */

/* ---- watching ---- */

/* Lives in the arena of its call. */
typedef struct Watcher {
    Link link;
    Call *call;
    History *history;
    const RtWatchEventsRequest *request;
    int64_t next; /* number of the first event not looked at */
    bool gap;     /* events before `next` are missing */
    bool blocked; /* the client is slow */
} Watcher;

static bool is_wanted_type(int32_t type, const int32_t *types, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (types[i] == type)
            return true;
    return count == 0;
}

static bool is_wanted_service(Span service, const Span *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (span_equal(names[i], service))
            return true;
    return count == 0;
}

static bool matches(const RtWatchEventsRequest *request, const RecentEvent *event) {
    return is_wanted_type(event->type, (const int32_t *)request->types.items,
                          request->types.count) &&
           is_wanted_service(span_of(event->service), request->service_names.items,
                             request->service_names.count);
}

static void send_event(Watcher *watcher, const RecentEvent *event) {
    Arena arena = {0};
    void *decoded;
    if (schema_decode(&RtServiceEvent_type, blob_span(event->encoded), NULL, &arena, &decoded,
                      NULL) == 0) {
        RtWatchEventsResponse response = {.event = decoded, .gap = watcher->gap};
        watcher->gap = false;
        watcher->blocked = call_send(watcher->call, &response) < 0;
    }
    arena_done(&arena);
}

static void go_on(Watcher *watcher) {
    const History *history = watcher->history;
    const RecentEvent *event;
    while (!watcher->blocked && (event = history_recent(history, watcher->next))) {
        bool oldest = event == &history->recent[history->first];
        watcher->gap |= oldest && event->number > watcher->next && watcher->next > 0;
        watcher->next = event->number + 1;
        if (matches(watcher->request, event))
            send_event(watcher, event);
    }
}

void history_watchers_wake(History *history) {
    LIST_EACH (&history->watchers, link)
        go_on(CONTAINER(link, Watcher, link));
}

/* The number of the event that is `replay` matching ones back. */
static int64_t replay_from(const History *history, const RtWatchEventsRequest *request) {
    int64_t from = history->revision.number + 1;
    int32_t left = request->replay < HISTORY_RECENT ? request->replay : HISTORY_RECENT;
    for (size_t i = history->count; i-- > 0 && left > 0;) {
        const RecentEvent *event = &history->recent[(history->first + i) % HISTORY_RECENT];
        if (!matches(request, event))
            continue;
        from = event->number;
        left--;
    }
    return from;
}

void history_watch_events(History *history, Call *call, const RtWatchEventsRequest *request) {
    Watcher *watcher = arena_zalloc(call_arena(call), sizeof *watcher);
    watcher->call = call;
    watcher->history = history;
    watcher->request = schema_copy(&RtWatchEventsRequest_type, request, call_arena(call));
    const RtRevision *after = request->resume_after;
    if (after && after->epoch == history->revision.epoch) {
        watcher->next = after->number + 1;
    } else {
        watcher->next = replay_from(history, request);
        watcher->gap = after != NULL;
    }
    call_set_user(call, watcher);
    list_push_back(&history->watchers, &watcher->link);
    call_send_headers(call);
    go_on(watcher);
}

void history_watch_writable(Call *call) {
    Watcher *watcher = call_user(call);
    watcher->blocked = false;
    go_on(watcher);
}

void history_watch_closed(Call *call) {
    Watcher *watcher = call_user(call);
    if (watcher)
        list_remove(&watcher->link);
}

/* ---- looking back ---- */

/* A search through entries of the store, piece by piece; frees itself. */
typedef struct Scan {
    History *history;
    RpcServer *server;
    CallRef call;
    Arena arena; /* of what was found */
    size_t limit;
    Buf from;                          /* the key to go on from */
    Buf end;                           /* the first key beyond */
    const RtListEventsRequest *events; /* in the arena; NULL: runs are looked for */
    RtListEventsResponse found_events;
    RtListRunsResponse found_runs;
} Scan;

static void scan_free(Scan *scan) {
    arena_done(&scan->arena);
    buf_done(&scan->from);
    buf_done(&scan->end);
    free(scan);
}

static bool event_matches(const RtListEventsRequest *request, const RtServiceEvent *event) {
    return (!request->service_name.len || span_equal(request->service_name, event->service)) &&
           is_wanted_type(event->type, (const int32_t *)request->types.items,
                          request->types.count) &&
           event->timestamp >= request->start_time &&
           (!request->end_time || event->timestamp < request->end_time);
}

/* Takes one entry; false when the page is full before it. */
static bool take_event(Scan *scan, const StoreEntry *entry) {
    void *event;
    if (schema_decode(&RtServiceEvent_type, entry->value, &(SchemaDecode){.copy_input = true},
                      &scan->arena, &event, NULL) < 0 ||
        !event_matches(scan->events, event))
        return true;
    if (scan->found_events.events.count == scan->limit)
        return false;
    *(RtServiceEvent *)schema_append(&scan->found_events.events, &scan->arena) =
        *(RtServiceEvent *)event;
    return true;
}

static void take_run(Scan *scan, const StoreEntry *entry) {
    void *run;
    if (schema_decode(&RtServiceRun_type, entry->value, &(SchemaDecode){.copy_input = true},
                      &scan->arena, &run, NULL) == 0)
        *(RtServiceRun *)schema_append(&scan->found_runs.runs, &scan->arena) = *(RtServiceRun *)run;
}

static void scan_on(Scan *scan);

/* Cursors are the last digits of the key to go on from. */
static void reply_events(Scan *scan, Call *call, Span next) {
    scan->found_events.next_cursor = span_skip(next, sizeof HISTORY_EVENTS_PREFIX - 1);
    call_reply(call, &scan->found_events);
}

static int later_first(const void *a, const void *b) {
    const RtServiceRun *left = a, *right = b;
    if (left->started_at_ms != right->started_at_ms)
        return left->started_at_ms < right->started_at_ms ? 1 : -1;
    int order = span_compare(left->service_name, right->service_name);
    return order ? order : (left->run < right->run) - (left->run > right->run);
}

/* All runs that are kept were read, a bounded number; the page is cut out of them. */
static void reply_runs(Scan *scan, Call *call) {
    RtListRunsResponse *found = &scan->found_runs;
    uint64_t skip = 0;
    parse_u64(buf_span(&scan->end), &skip);
    qsort(found->runs.items, found->runs.count, sizeof *found->runs.items, later_first);
    size_t from = skip < found->runs.count ? (size_t)skip : found->runs.count;
    size_t left = found->runs.count - from;
    found->runs.items += from;
    found->runs.count = (uint32_t)(left < scan->limit ? left : scan->limit);
    if (left > scan->limit) {
        char digits[20];
        size_t len = format_u64(digits, from + scan->limit);
        found->next_cursor = arena_copy(&scan->arena, span(digits, len));
    }
    call_reply(call, found);
}

static void on_scanned(void *owner, const StoreResult *result) {
    Scan *scan = owner;
    Call *call = call_find(scan->server, scan->call);
    if (!call || result->error) {
        if (call)
            call_fail(call, STATUS_UNAVAILABLE, "the history cannot be read: %s",
                      strerror(-result->error));
        scan_free(scan);
        return;
    }
    const StoreOpResult *found = &result->results[0];
    if (!scan->events) {
        for (size_t i = 0; i < found->count; i++)
            take_run(scan, &found->entries[i]);
        reply_runs(scan, call);
        scan_free(scan);
        return;
    }
    for (size_t i = 0; i < found->count; i++)
        if (!take_event(scan, &found->entries[i])) {
            reply_events(scan, call, found->entries[i].key);
            scan_free(scan);
            return;
        }
    if (!found->more) {
        reply_events(scan, call, (Span){0});
        scan_free(scan);
        return;
    }
    buf_clear(&scan->from);
    buf_add(&scan->from, found->entries[found->count - 1].key);
    buf_add_char(&scan->from, 0);
    scan_on(scan);
}

/* The next piece. Events lie between two keys, runs under a prefix. */
static void scan_on(Scan *scan) {
    StoreOp op = {.kind = STORE_GET};
    if (scan->events) {
        op.range = (StoreRange){STORE_UNTIL, buf_span(&scan->from), buf_span(&scan->end)};
        op.limit = SCAN_PIECE;
    } else {
        op.range = (StoreRange){.how = STORE_PREFIX, .key = buf_span(&scan->from)};
    }
    StoreTxn txn = {.then = &op, .then_count = 1};
    int error = store_commit(scan->history->store, &txn, on_scanned, scan);
    Call *call = call_find(scan->server, scan->call);
    if (error == 0)
        return;
    if (call)
        call_fail(call, STATUS_UNAVAILABLE, "the history cannot be read: %s", strerror(-error));
    scan_free(scan);
}

static Scan *scan_new(History *history, RpcServer *server, Call *call, int32_t limit) {
    Scan *scan = xcalloc(1, sizeof *scan);
    scan->history = history;
    scan->server = server;
    scan->call = call_ref(call);
    scan->limit = limit ? (size_t)limit : LIST_DEFAULT;
    return scan;
}

static bool check_limit(Call *call, int32_t limit) {
    if (limit >= 0 && limit <= LIST_MAX)
        return true;
    call_fail(call, STATUS_INVALID_ARGUMENT, "limit is %d: it is 0 to %d", limit, LIST_MAX);
    return false;
}

static bool is_cursor(Span cursor) {
    for (size_t i = 0; i < cursor.len; i++)
        if (!strchr("0123456789abcdef", cursor.ptr[i]) || !cursor.ptr[i])
            return false;
    return cursor.len <= 16;
}

static bool check_list(History *history, Call *call, int32_t limit, Span cursor) {
    if (!check_limit(call, limit))
        return false;
    if (!is_cursor(cursor)) {
        call_fail(call, STATUS_INVALID_ARGUMENT,
                  "cursor is not one: take next_cursor of the page before");
        return false;
    }
    if (!history->store) {
        call_fail(call, STATUS_FAILED_PRECONDITION, "this runtime keeps no history");
        return false;
    }
    return true;
}

void history_list_events(History *history, RpcServer *server, Call *call,
                         const RtListEventsRequest *request) {
    if (!check_list(history, call, request->limit, request->cursor))
        return;
    Scan *scan = scan_new(history, server, call, request->limit);
    scan->events = schema_copy(&RtListEventsRequest_type, request, &scan->arena);
    buf_add_literal(&scan->from, HISTORY_EVENTS_PREFIX);
    buf_add(&scan->from, request->cursor);
    buf_add_literal(&scan->end, HISTORY_EVENTS_PREFIX "g");
    scan_on(scan);
}

void history_list_runs(History *history, RpcServer *server, Call *call,
                       const RtListRunsRequest *request) {
    if (!check_list(history, call, request->limit, request->cursor))
        return;
    Scan *scan = scan_new(history, server, call, request->limit);
    buf_add_literal(&scan->from, HISTORY_RUNS_PREFIX);
    if (request->service_name.len) {
        buf_add(&scan->from, request->service_name);
        buf_add_char(&scan->from, '/');
    }
    buf_add(&scan->end, request->cursor);
    scan_on(scan);
}
