/* HealthService: the monitor's calls. */
#include <stdlib.h>

#include "base/text.h"
#include "schema/codec.h"
#include "services/health/binding.h"

/* ---- reports ---- */

static void report_opened(Call *call) {
    call_set_user(call, arena_zalloc(call_arena(call), sizeof(RtHealthAck)));
}

static void report(Call *call, const void *message) {
    const RtHealthStatus *status = message;
    HealthBinding *binding = call_service(call);
    RtHealthAck *ack = call_user(call);
    int64_t now = health_now(binding);
    int64_t at = status->timestamp > 0 && status->timestamp < now ? status->timestamp : now;
    Buf why = {.arena = call_arena(call)};
    if (status->state <= RT_HEALTH_STATE_HEALTH_UNKNOWN ||
        status->state > RT_HEALTH_STATE_UNHEALTHY)
        buf_printf(&why, "state: %d: write STARTING, HEALTHY, DEGRADED or UNHEALTHY",
                   status->state);
    else if (health_report(binding->monitor, status, at) < 0)
        buf_printf(&why,
                   "service_name '%.*s', service_id '%.*s': no such service or instance: register "
                   "with TopologyService.RegisterService first",
                   SPAN_ARGS(status->service_name), SPAN_ARGS(status->service_id));
    if (why.len) {
        ack->rejected++;
        ack->message = buf_span(&why);
    } else {
        ack->accepted++;
        world_defer(binding->world, &binding->tell);
    }
}

static void report_ended(Call *call) {
    call_reply(call, call_user(call));
}

/* ---- the present ---- */

static HealthService *find(Call *call, Span name) {
    HealthBinding *binding = call_service(call);
    HealthService *service = health_find_service(binding->monitor, name);
    if (!service || service->is_gone) {
        call_fail(call, STATUS_NOT_FOUND,
                  "no service '%.*s' is known: see HealthService.ListHealth for those that are",
                  SPAN_ARGS(name));
        return NULL;
    }
    return service;
}

static void check(Call *call, const void *message) {
    const RtServiceKey *key = message;
    const HealthService *service = find(call, key->service_name);
    if (!service)
        return;
    RtHealthStatus status = health_status(service, false, call_arena(call));
    call_reply(call, &status);
}

static int by_name(const void *a, const void *b) {
    return span_compare(health_service_name(*(HealthService *const *)a),
                        health_service_name(*(HealthService *const *)b));
}

typedef struct Services {
    HealthService **items;
    size_t count;
} Services;

/* All services by name, those that are gone only where their history counts. */
static Services sorted_services(const HealthBinding *binding, bool gone, Arena *arena) {
    const Map *map = &binding->monitor->services;
    Services found = {.items = arena_alloc(arena, (map->count + 1) * sizeof *found.items)};
    size_t at = 0;
    for (HealthService *service; (service = map_next(map, &at));)
        if (gone || !service->is_gone)
            found.items[found.count++] = service;
    qsort(found.items, found.count, sizeof *found.items, by_name);
    return found;
}

static bool is_wanted(const RtListHealthRequest *request, const HealthService *service) {
    for (size_t i = 0; i < request->service_names.count; i++)
        if (span_equal(request->service_names.items[i], health_service_name(service)))
            return true;
    return !request->service_names.count;
}

static void list(Call *call, const void *message) {
    const RtListHealthRequest *request = message;
    HealthBinding *binding = call_service(call);
    Arena *arena = call_arena(call);
    RtListHealthResponse response = {.revision = schema_new(&RtRevision_type, arena)};
    Services all = sorted_services(binding, false, arena);
    for (size_t i = 0; i < all.count; i++)
        if (is_wanted(request, all.items[i]))
            *schema_append(&response.statuses, arena) = health_status(all.items[i], false, arena);
    response.revision->epoch = (int64_t)watch_epoch(binding->watch);
    response.revision->number = (int64_t)watch_number(binding->watch);
    call_reply(call, &response);
}

/* ---- the past ---- */

static void add_history(RtGetHealthHistoryResponse *response, const HealthService *service,
                        const RtGetHealthHistoryRequest *asked, int64_t now, Arena *arena) {
    RtHealthHistory *history = schema_append(&response->histories, arena);
    history->service_name = health_service_name(service);
    timeline_summaries(&service->timeline, (RtHealthResolution)response->resolution,
                       asked->start_time, asked->end_time, now, arena, history);
    timeline_incidents(&service->timeline, history->service_name, asked->start_time,
                       asked->end_time, arena, history);
}

/* What was left out of the request becomes what it stands for. */
static bool complete(Call *call, RtGetHealthHistoryRequest *asked, int64_t now) {
    RtHealthResolution resolution = (RtHealthResolution)asked->resolution;
    if (resolution < 0 || resolution >= RESOLUTIONS) {
        call_fail(call, STATUS_INVALID_ARGUMENT,
                  "resolution: %d: write MINUTE, HOUR or DAY, or leave it out", asked->resolution);
        return false;
    }
    if (!asked->end_time)
        asked->end_time = now;
    if (!asked->start_time)
        asked->start_time =
            now - resolution_kept(resolution ? resolution : RT_HEALTH_RESOLUTION_DAY);
    if (asked->start_time >= asked->end_time) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "start_time is not before end_time");
        return false;
    }
    if (!resolution)
        asked->resolution = (int32_t)resolution_for(asked->start_time, asked->end_time, now);
    return true;
}

static void history(Call *call, const void *message) {
    HealthBinding *binding = call_service(call);
    RtGetHealthHistoryRequest asked = *(const RtGetHealthHistoryRequest *)message;
    int64_t now = health_now(binding);
    Arena *arena = call_arena(call);
    if (!complete(call, &asked, now))
        return;
    RtGetHealthHistoryResponse response = {.resolution = asked.resolution};
    const HealthService *one = health_find_service(binding->monitor, asked.service_name);
    if (asked.service_name.len && !one) {
        call_fail(call, STATUS_NOT_FOUND, "no service '%.*s' was ever seen",
                  SPAN_ARGS(asked.service_name));
        return;
    }
    if (one) {
        add_history(&response, one, &asked, now, arena);
    } else {
        Services all = sorted_services(binding, true, arena);
        for (size_t i = 0; i < all.count; i++)
            add_history(&response, all.items[i], &asked, now, arena);
    }
    call_reply(call, &response);
}

/* ---- heartbeats ---- */

static void add_beats(RtListHeartbeatsResponse *response, const HealthService *service,
                      bool instances, const HealthBinding *binding, Arena *arena) {
    int64_t now = health_now(binding), steady = health_steady(binding);
    *schema_append(&response->statistics, arena) = health_service_beats(service, steady, now);
    const HealthInstance *instance = instances ? service->instances : NULL;
    for (; instance; instance = instance->next)
        *schema_append(&response->statistics, arena) = health_instance_beats(instance, steady);
}

static void list_heartbeats(Call *call, const void *message) {
    const RtListHeartbeatsRequest *request = message;
    HealthBinding *binding = call_service(call);
    Arena *arena = call_arena(call);
    RtListHeartbeatsResponse response = {0};
    if (request->service_name.len) {
        const HealthService *service = find(call, request->service_name);
        if (!service)
            return;
        add_beats(&response, service, request->include_instances, binding, arena);
    } else {
        Services all = sorted_services(binding, false, arena);
        for (size_t i = 0; i < all.count; i++)
            add_beats(&response, all.items[i], request->include_instances, binding, arena);
    }
    call_reply(call, &response);
}

/* ---- watching ---- */

static HealthService *watched(const WatchItem *item) {
    return CONTAINER(item, HealthService, watch);
}

static WatchMatch watch_match(void *owner, const void *filter, const WatchItem *item) {
    (void)owner, (void)filter, (void)item;
    return WATCH_IN;
}

static Span watch_key(void *owner, const WatchItem *item, char scratch[WATCH_KEY_MAX]) {
    (void)owner, (void)scratch;
    return health_service_name(watched(item));
}

static void watch_add_event(void *owner, const void *filter, const WatchItem *item,
                            const WatchMoment *moment, void *update, Arena *arena) {
    (void)owner, (void)filter;
    RtHealthEvent *event = update;
    const HealthService *service = watched(item);
    event->status = arena_alloc(arena, sizeof *event->status);
    *event->status = health_status(service, false, arena);
    event->initial = moment->snapshot;
    event->previous_state = moment->snapshot ? service->state : service->before;
}

static void watch_gone(void *owner, const void *filter, uint8_t kind, Span key, void *update,
                       Arena *arena) {
    (void)owner, (void)filter, (void)kind;
    RtHealthEvent *event = update;
    event->status = schema_new(&RtHealthStatus_type, arena);
    event->status->service_name = key;
    event->removed = true;
}

static void watch_seal(void *owner, const void *filter, const WatchMoment *moment, void *update,
                       Arena *arena) {
    (void)owner, (void)filter;
    RtHealthEvent *event = update;
    event->revision = schema_new(&RtRevision_type, arena);
    event->revision->epoch = (int64_t)moment->epoch;
    event->revision->number = (int64_t)moment->number;
}

static const WatchOps WATCH_OPS = {
    .update = &RtHealthEvent_type,
    .piece = 1,
    .match = watch_match,
    .key = watch_key,
    .add = watch_add_event,
    .gone = watch_gone,
    .seal = watch_seal,
};

/* "EPOCH-NUMBER", as browsers send it back. False when it is something else. */
static bool parse_event_id(Span text, WatchRequest *request) {
    const char *dash = text.len ? memchr(text.ptr, '-', text.len) : NULL;
    return dash && parse_u64(span(text.ptr, (size_t)(dash - text.ptr)), &request->epoch) &&
           parse_u64(span_skip(text, (size_t)(dash - text.ptr) + 1), &request->number);
}

static void watch(Call *call, const void *message) {
    (void)message;
    HealthBinding *binding = call_service(call);
    WatchRequest request = {.interval = NANOS_PER_MILLI};
    Span last = call_metadata(call, SPAN("last-event-id"));
    if (last.len && !parse_event_id(last, &request)) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "last-event-id: '%.*s': write EPOCH-NUMBER",
                  SPAN_ARGS(last));
        return;
    }
    watch_serve(binding->watch, call, &request);
}

static const MethodHandler HANDLERS[] = {
    [RtHealthService_ReportHealth] = {.opened = report_opened,
                                      .message = report,
                                      .half_closed = report_ended},
    [RtHealthService_CheckHealth] = {.message = check},
    [RtHealthService_WatchHealth] = {.message = watch,
                                     .writable = watch_call_writable,
                                     .closed = watch_call_closed},
    [RtHealthService_ListHealth] = {.message = list},
    [RtHealthService_GetHealthHistory] = {.message = history},
    [RtHealthService_ListHeartbeats] = {.message = list_heartbeats},
};

void health_rpc_init(HealthBinding *binding) {
    binding->rpc = (RpcService){&RtHealthService_service, HANDLERS, binding};
    binding->watch = watch_new(binding->world, &WATCH_OPS, binding,
                               &(WatchOptions){.server = binding->infrastructure->server});
}
