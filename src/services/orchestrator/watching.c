#include "services/orchestrator/watching.h"

#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "services/orchestrator/status.h"

#define INTERVAL_DEFAULT 1000
#define INTERVAL_LEAST   100
#define NAMES_MAX        1000
#define PIECE            200 /* services in one update */

/* Names of services; none means all. Lives in its own arena. */
typedef struct Filter {
    Arena arena;
    Span *names;
    size_t count;
} Filter;

static bool asks_for(const Filter *filter, Span name) {
    for (size_t i = 0; i < filter->count; i++)
        if (span_equal(filter->names[i], name))
            return true;
    return filter->count == 0;
}

static const Service *service_of(const WatchItem *item) {
    return CONTAINER(item, Service, item);
}

static WatchMatch match(void *owner, const void *filter, const WatchItem *item) {
    (void)owner;
    if (item->kind == WATCHED_ORCHESTRATOR)
        return WATCH_IN;
    return asks_for(filter, span_of(service_of(item)->name)) ? WATCH_IN : WATCH_NEVER;
}

static Span key_of(void *owner, const WatchItem *item, char scratch[WATCH_KEY_MAX]) {
    (void)owner;
    (void)scratch;
    return item->kind == WATCHED_ORCHESTRATOR ? SPAN("") : span_of(service_of(item)->name);
}

static void add(void *owner, const void *filter, const WatchItem *item, const WatchMoment *moment,
                void *update, Arena *arena) {
    (void)filter;
    (void)moment;
    RtWatchServicesResponse *response = update;
    if (item->kind == WATCHED_ORCHESTRATOR) {
        response->orchestrator = schema_new(&RtOrchestratorStatus_type, arena);
        orchestrator_fill(owner, response->orchestrator, arena);
        return;
    }
    service_fill(service_of(item), schema_append(&response->services, arena), arena);
}

static void gone(void *owner, const void *filter, uint8_t kind, Span key, void *update,
                 Arena *arena) {
    (void)owner;
    (void)filter;
    (void)kind;
    RtWatchServicesResponse *response = update;
    *(Span *)schema_append(&response->removed_services, arena) = key;
}

static bool asked_for(void *owner, const void *filter, uint8_t kind, Span key) {
    (void)owner;
    (void)kind;
    return asks_for(filter, key);
}

static void seal(void *owner, const void *filter, const WatchMoment *moment, void *update,
                 Arena *arena) {
    (void)owner;
    (void)filter;
    RtWatchServicesResponse *response = update;
    response->revision = schema_new(&RtRevision_type, arena);
    response->revision->epoch = (int64_t)moment->epoch;
    response->revision->number = (int64_t)moment->number;
    response->reset = moment->reset;
    response->more = moment->more;
}

static void filter_free(void *owner, void *filter) {
    (void)owner;
    Filter *old = filter;
    arena_done(&old->arena);
    free(old);
}

static const WatchOps OPS = {
    .update = &RtWatchServicesResponse_type,
    .piece = PIECE,
    .match = match,
    .key = key_of,
    .add = add,
    .gone = gone,
    .seal = seal,
    .asked_for = asked_for,
    .filter_free = filter_free,
};

Watch *watching_new(Orchestrator *orchestrator) {
    WatchOptions options = {.server = orchestrator->options.server};
    Watch *watch = watch_new(orchestrator->world, &OPS, orchestrator, &options);
    watch_add(watch, &orchestrator->item, WATCHED_ORCHESTRATOR);
    return watch;
}

static int by_bytes(const void *a, const void *b) {
    return span_compare(*(const Span *)a, *(const Span *)b);
}

void watching_serve(Orchestrator *orchestrator, Call *call, const RtWatchServicesRequest *request) {
    int32_t interval = request->has_min_interval_ms ? request->min_interval_ms : INTERVAL_DEFAULT;
    if (interval < INTERVAL_LEAST) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "min_interval_ms is %d: at least %d", interval,
                  INTERVAL_LEAST);
        return;
    }
    if (request->service_names.count > NAMES_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "more than %d service_names", NAMES_MAX);
        return;
    }
    Filter *filter = xcalloc(1, sizeof *filter);
    Buf key = {.arena = &filter->arena};
    filter->count = request->service_names.count;
    filter->names = arena_alloc(&filter->arena, (filter->count + 1) * sizeof(Span));
    for (size_t i = 0; i < filter->count; i++)
        filter->names[i] = arena_copy(&filter->arena, request->service_names.items[i]);
    qsort(filter->names, filter->count, sizeof(Span), by_bytes);
    buf_printf(&key, "%d", interval);
    for (size_t i = 0; i < filter->count; i++) {
        buf_add_char(&key, 0);
        buf_add(&key, filter->names[i]);
    }
    Blob *copy = blob_copy(buf_span(&key));
    WatchRequest wanted = {
        .key = blob_span(copy),
        .filter = filter,
        .interval = interval * NANOS_PER_MILLI,
    };
    if (request->resume_after) {
        wanted.epoch = (uint64_t)request->resume_after->epoch;
        wanted.number = (uint64_t)request->resume_after->number;
    }
    watch_serve(orchestrator->watch, call, &wanted);
    blob_unref(copy);
    resources_watched(orchestrator);
}
