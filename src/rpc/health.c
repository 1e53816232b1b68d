#include "rpc/health.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/map.h"
#include "base/memory.h"
#include "grpc/health/v1/health.pb.h"
#include "rpc/internal.h"

/* Watches of names that nobody serves are kept too, so their number has a bound. */
#define WATCHES_MAX 10000

typedef struct Entry {
    char *name;
    HealthServing serving;
    ARRAY(CallRef) watchers;
} Entry;

struct HealthStatuses {
    RpcServer *server;
    RpcService service;
    Map entries; /* Entry by name */
    size_t watches;
};

static Span entry_name(const void *item) {
    return span_of(((const Entry *)item)->name);
}

static Entry *entry_at(HealthStatuses *health, Span name) {
    Entry *entry = map_get(&health->entries, name);
    if (entry)
        return entry;
    entry = xcalloc(1, sizeof *entry);
    entry->name = xmalloc(name.len + 1);
    memcpy(entry->name, name.len ? name.ptr : "", name.len);
    entry->name[name.len] = 0;
    entry->serving = HEALTH_SERVICE_UNKNOWN;
    map_put(&health->entries, entry);
    return entry;
}

static void entry_free(Entry *entry) {
    free(entry->name);
    array_done(&entry->watchers);
    free(entry);
}

static void forget_if_idle(HealthStatuses *health, Entry *entry) {
    if (entry->watchers.count || entry->serving != HEALTH_SERVICE_UNKNOWN)
        return;
    map_remove(&health->entries, span_of(entry->name));
    entry_free(entry);
}

static void send_status(Call *call, HealthServing serving) {
    call_send(call, &(HealthHealthCheckResponse){.status = (int32_t)serving});
}

static void check(Call *call, const void *message) {
    const HealthHealthCheckRequest *request = message;
    HealthStatuses *health = call_service(call);
    const Entry *entry = map_get(&health->entries, request->service);
    if (!entry || entry->serving == HEALTH_SERVICE_UNKNOWN) {
        call_fail(call, STATUS_NOT_FOUND, "there is no service '%.*s'",
                  SPAN_ARGS(request->service));
        return;
    }
    send_status(call, entry->serving);
    call_finish(call, status_ok());
}

static void list(Call *call, const void *message) {
    (void)message;
    HealthStatuses *health = call_service(call);
    Arena *arena = call_arena(call);
    HealthHealthListResponse response = {0};
    size_t at = 0;
    for (const Entry *entry; (entry = map_next(&health->entries, &at));) {
        if (entry->serving == HEALTH_SERVICE_UNKNOWN)
            continue;
        HealthHealthListResponseStatusesEntry *pair = schema_append(&response.statuses, arena);
        pair->key = span_of(entry->name);
        pair->value = schema_new(&HealthHealthCheckResponse_type, arena);
        pair->value->status = (int32_t)entry->serving;
    }
    call_reply(call, &response);
}

static void watch(Call *call, const void *message) {
    const HealthHealthCheckRequest *request = message;
    HealthStatuses *health = call_service(call);
    if (health->watches == WATCHES_MAX) {
        call_fail(call, STATUS_RESOURCE_EXHAUSTED, "%d watches are open already", WATCHES_MAX);
        return;
    }
    Entry *entry = entry_at(health, request->service);
    *array_push(&entry->watchers) = call_ref(call);
    call_set_user(call, entry);
    health->watches++;
    send_status(call, entry->serving);
}

static void watch_closed(Call *call, StatusCode code) {
    (void)code;
    HealthStatuses *health = call_service(call);
    Entry *entry = call_user(call);
    CallRef ref = call_ref(call);
    if (!entry)
        return;
    health->watches--;
    for (size_t i = 0; i < entry->watchers.count; i++)
        if (entry->watchers.items[i].index == ref.index &&
            entry->watchers.items[i].generation == ref.generation)
            entry->watchers.items[i] = entry->watchers.items[--entry->watchers.count];
    forget_if_idle(health, entry);
}

static const MethodHandler HANDLERS[] = {
    [HealthHealth_Check] = {.message = check},
    [HealthHealth_List] = {.message = list},
    [HealthHealth_Watch] = {.message = watch, .closed = watch_closed},
};

HealthStatuses *health_new(RpcServer *server) {
    HealthStatuses *health = xcalloc(1, sizeof *health);
    health->server = server;
    health->service = (RpcService){&HealthHealth_service, HANDLERS, health};
    uint64_t seed;
    world_random(server->world, &seed, sizeof seed);
    map_init(&health->entries, entry_name, seed);
    char reason[128];
    if (rpc_server_add(server, &health->service, reason, sizeof reason) < 0)
        abort(); /* it has no REST rules, and nobody else has its name */
    health_set(health, SPAN(""), HEALTH_SERVING);
    for (size_t i = 0; i < server->services.count; i++)
        health_set(health, span_of(server->services.items[i]->schema->full_name), HEALTH_SERVING);
    return health;
}

void health_free(HealthStatuses *health) {
    if (!health)
        return;
    size_t at = 0;
    for (Entry *entry; (entry = map_next(&health->entries, &at));)
        entry_free(entry);
    map_done(&health->entries);
    free(health);
}

void health_set(HealthStatuses *health, Span service, HealthServing serving) {
    Entry *entry = entry_at(health, service);
    if (entry->serving == serving) {
        forget_if_idle(health, entry);
        return;
    }
    entry->serving = serving;
    for (size_t i = 0; i < entry->watchers.count; i++) {
        Call *call = call_find(health->server, entry->watchers.items[i]);
        if (call)
            send_status(call, serving);
    }
    forget_if_idle(health, entry);
}
