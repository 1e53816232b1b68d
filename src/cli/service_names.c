#include "cli/service_names.h"

#include <string.h>

#include "base/nearest.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/orchestrator.pb.h"
#include "runtime/v1/topology.pb.h"

typedef struct Lookup {
    Arena *arena; /* of the nearest name, which outlives the answer it came in */
    Span name;
    Nearest nearest;
    bool found;
} Lookup;

static void consider(Lookup *lookup, Span name) {
    lookup->found |= span_equal(lookup->name, name);
    nearest_consider(&lookup->nearest, name);
    if (lookup->nearest.best.ptr == name.ptr)
        lookup->nearest.best = arena_copy(lookup->arena, name);
}

static void on_status(void *owner, const void *message) {
    const RtOrchestratorStatus *status = message;
    for (size_t i = 0; i < status->services.count; i++)
        consider(owner, status->services.items[i].name);
}

static void on_topology(void *owner, const void *message) {
    const RtTopologySnapshot *topology = message;
    for (size_t i = 0; i < topology->nodes.count; i++)
        consider(owner, topology->nodes.items[i].service_name);
}

static void on_entry(void *owner, const void *message) {
    (void)message;
    ((Lookup *)owner)->found = true;
}

static void on_events(void *owner, const void *message) {
    ((Lookup *)owner)->found |= ((const RtListEventsResponse *)message)->events.count > 0;
}

static int check(Remote *remote, Lookup *lookup) {
    RtLogQuery log = {.limit = 1, .order = RT_LOG_ORDER_NEWEST_FIRST};
    log.service_names.items = &lookup->name;
    log.service_names.count = 1;
    RtListEventsRequest events = {.service_name = lookup->name, .limit = 1};
    const struct {
        const SchemaMethod *method;
        const void *request;
        void (*response)(void *owner, const void *message);
    } places[] = {
        {&RtOrchestratorService_service.methods[RtOrchestratorService_GetOrchestratorStatus],
         &(RtEmpty){0}, on_status},
        {&RtTopologyService_service.methods[RtTopologyService_GetTopology], &(RtTopologyQuery){0},
         on_topology},
        {&RtLoggerService_service.methods[RtLoggerService_QueryLogs], &log, on_entry},
        {&RtOrchestratorService_service.methods[RtOrchestratorService_ListEvents], &events,
         on_events},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places && !lookup->found; i++) {
        int failed =
            remote_ask(remote, places[i].method, places[i].request, places[i].response, lookup);
        if (failed)
            return failed;
    }
    return 0;
}

int service_names_check(Remote *remote, const Span *names, size_t count, const char *advice) {
    for (size_t i = 0; i < count; i++) {
        if (memchr(names[i].ptr, '*', names[i].len))
            continue;
        Lookup lookup = {
            .arena = &remote->peer.arena, .name = names[i], .nearest = nearest_to(names[i])};
        int failed = check(remote, &lookup);
        if (failed)
            return failed;
        if (lookup.found)
            continue;
        if (lookup.nearest.best.len)
            return cli_fail(EXIT_ABSENT, "no such service: %.*s: did you mean %.*s?",
                            SPAN_ARGS(names[i]), SPAN_ARGS(lookup.nearest.best));
        return cli_fail(EXIT_ABSENT, "no such service: %.*s: %s", SPAN_ARGS(names[i]), advice);
    }
    return 0;
}
