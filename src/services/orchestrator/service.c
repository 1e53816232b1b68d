/* A service: an entry of the configuration with its instances. */
#include <stdlib.h>

#include "base/memory.h"
#include "services/orchestrator/action.h"

#define START_LIMIT (30 * NANOS_PER_SECOND)

/* ---- what the configuration says ---- */

Nanos service_start_limit(const ServiceConfig *config) {
    return config->health_check.start_limit ? config->health_check.start_limit : START_LIMIT;
}

BackoffPolicy service_backoff(const ServiceConfig *config) {
    return (BackoffPolicy){
        .initial = config->restart.initial,
        .max = config->restart.max,
        .factor = config->restart.factor,
        .jitter = config->restart.jitter,
        .stable = config->restart.stable,
        .max_retries = (uint32_t)config->max_retries,
    };
}

bool service_is_success(const ServiceConfig *config, int code) {
    for (size_t i = 0; i < config->success_exit_codes.count; i++)
        if (config->success_exit_codes.items[i] == code)
            return true;
    return false;
}

bool service_restarts(const ServiceConfig *config, bool ended_well) {
    switch (config->restart.policy) {
    case CONFIG_RESTART_NEVER:
        return false;
    case CONFIG_RESTART_ALWAYS:
        return !ended_well || config->kind == RT_SERVICE_KIND_PROCESS;
    default:
        return !ended_well;
    }
}

uint16_t service_port(const Service *service, const Instance *instance, Span name) {
    uint16_t port = instance && instance->life ? life_port(instance->life, name) : 0;
    const ServiceConfig *config = service->config;
    for (size_t i = 0; !port && i < config->ports.count; i++)
        if (!name.len || span_equal(config->ports.items[i].name, name))
            port = config->ports.items[i].number;
    return port;
}

/* ---- how it stands ---- */

RtServiceState service_state(const Service *service) {
    if (service->config->kind == RT_SERVICE_KIND_BUILTIN)
        return RT_SERVICE_STATE_RUNNING;
    RtServiceState worst = RT_SERVICE_STATE_STOPPED;
    bool any = false;
    for (size_t i = 0; i < service->instances.count; i++) {
        const Instance *instance = service->instances.items[i];
        if (instance->surplus && instance_is_over(instance->state))
            continue;
        if (!any || instance_distance(instance->state) > instance_distance(worst))
            worst = instance->state;
        any = true;
    }
    return worst;
}

/* HEALTHY when all instances are, UNHEALTHY when none is usable, otherwise DEGRADED, or STARTING
 * where the rest is only starting. */
RtHealthState service_health(const Service *service) {
    if (service->config->kind == RT_SERVICE_KIND_BUILTIN)
        return RT_HEALTH_STATE_HEALTHY;
    size_t of[5] = {0}, known = 0;
    for (size_t i = 0; i < service->instances.count; i++) {
        RtHealthState health = instance_health(service->instances.items[i]->state);
        of[health]++;
        known += health != RT_HEALTH_STATE_HEALTH_UNKNOWN;
    }
    if (!known)
        return RT_HEALTH_STATE_HEALTH_UNKNOWN;
    if (of[RT_HEALTH_STATE_HEALTHY] == known)
        return RT_HEALTH_STATE_HEALTHY;
    if (of[RT_HEALTH_STATE_UNHEALTHY] && of[RT_HEALTH_STATE_HEALTHY])
        return RT_HEALTH_STATE_DEGRADED;
    return of[RT_HEALTH_STATE_UNHEALTHY] ? RT_HEALTH_STATE_UNHEALTHY : RT_HEALTH_STATE_STARTING;
}

Instance *service_instance(const Service *service, uint32_t replica) {
    return replica < service->instances.count ? service->instances.items[replica] : NULL;
}

void service_changed(Service *service) {
    service->stated = true;
    orchestrator_touch(service->orchestrator);
}

void service_figures(Service *service) {
    if (watch_has(&service->item))
        watch_figures(service->orchestrator->watch, &service->item);
}

void service_set_last_output(Service *service, const RtLogEntry *entries, size_t count) {
    service_clear_last_output(service);
    for (size_t i = 0; i < count; i++) {
        Span line = entries[i].message;
        char *copy = xcalloc(1, line.len + 1);
        memcpy(copy, line.ptr ? line.ptr : "", line.len);
        *array_push(&service->last_output) = copy;
    }
    service_changed(service);
}

void service_clear_last_output(Service *service) {
    for (size_t i = 0; i < service->last_output.count; i++)
        free(service->last_output.items[i]);
    service->last_output.count = 0;
}

/* ---- replicas ---- */

void service_set_replicas(Service *service, uint32_t replicas, Span actor) {
    service->replicas = replicas;
    for (size_t i = 0; i < service->instances.count; i++) {
        Instance *instance = service->instances.items[i];
        instance->surplus = i >= replicas;
        if (instance->surplus)
            instance_unwant(instance, actor, "there are to be fewer instances", false);
    }
    while (service->instances.count < replicas) {
        uint32_t replica = (uint32_t)service->instances.count;
        *array_push(&service->instances) = instance_new(service, replica);
    }
    service_changed(service);
}

/* ---- beginning and end ---- */

void service_set_config(Service *service, const ServiceConfig *config) {
    const Config *whole = config_ref(service->orchestrator->config);
    config_unref(service->whole);
    service->whole = whole;
    service->config = config;
}

Service *service_new(Orchestrator *orchestrator, const ServiceConfig *config) {
    Service *service = xcalloc(1, sizeof *service);
    service->orchestrator = orchestrator;
    service_set_config(service, config);
    service->name = xcalloc(1, config->name.len + 1);
    memcpy(service->name, config->name.ptr, config->name.len);
    schedule_init(service);
    files_init(service);
    if (config->kind != RT_SERVICE_KIND_BUILTIN)
        service_set_replicas(service, (uint32_t)(config->replicas > 0 ? config->replicas : 1),
                             (Span){0});
    return service;
}

void service_free(Service *service) {
    actions_forget(service->orchestrator, service);
    wheel_cancel(world_wheel(service->orchestrator->world), &service->schedule);
    for (size_t i = 0; i < service->instances.count; i++)
        instance_free(service->instances.items[i]);
    files_forget(service);
    service_clear_last_output(service);
    array_done(&service->instances);
    array_done(&service->last_output);
    config_unref(service->whole);
    free(service->name);
    free(service);
}

/* ---- all of them ---- */

Service *orchestrator_find(const Orchestrator *orchestrator, Span name) {
    return map_get(&orchestrator->by_name, name);
}

/* The plan has a node for each service, in the same order, with what it depends on. */
static void make_plan(Orchestrator *orchestrator) {
    Plan plan = {0};
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        const ServiceConfig *config = service->config;
        service->index = (uint32_t)s;
        *array_push(&plan.nodes) = (PlanNode){.order = config->start_order};
    }
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        const ServiceConfig *config = orchestrator->services.items[s]->config;
        for (size_t i = 0; i < config->dependencies.count; i++) {
            const ConfigDependency *dependency = &config->dependencies.items[i];
            const Service *target = orchestrator_find(orchestrator, dependency->service);
            if (target)
                *array_push(&plan.nodes.items[s].edges) = (PlanEdge){
                    .to = target->index,
                    .kind = (RtDependencyKind)dependency->kind,
                    .condition = (RtDependencyCondition)dependency->condition,
                };
        }
    }
    plan_done(&orchestrator->plan);
    orchestrator->plan = plan;
    lines_again(orchestrator);
}

static int by_order(const void *a, const void *b) {
    const Service *left = *(Service *const *)a, *right = *(Service *const *)b;
    int32_t first = left->config->start_order, second = right->config->start_order;
    if (first != second)
        return first < second ? -1 : 1;
    return (left->place > right->place) - (left->place < right->place);
}

void services_sort(Orchestrator *orchestrator) {
    if (orchestrator->services.count)
        qsort(orchestrator->services.items, orchestrator->services.count,
              sizeof *orchestrator->services.items, by_order);
    make_plan(orchestrator);
}

static bool is_over(const Service *service) {
    for (size_t i = 0; i < service->instances.count; i++)
        if (!instance_is_over(service->instances.items[i]->state))
            return false;
    return true;
}

void services_drop_removed(Orchestrator *orchestrator) {
    size_t kept = 0, count = orchestrator->services.count;
    for (size_t i = 0; i < count; i++) {
        Service *service = orchestrator->services.items[i];
        if (!service->removed || !is_over(service)) {
            orchestrator->services.items[kept++] = service;
            continue;
        }
        map_remove(&orchestrator->by_name, span_of(service->name));
        watch_remove(orchestrator->watch, &service->item);
        service_forget(service);
        service_free(service);
    }
    orchestrator->services.count = kept;
    if (kept == count)
        return;
    make_plan(orchestrator);
    orchestrator_touch(orchestrator); /* whose facts are to be gathered anew */
}

void services_tell(Orchestrator *orchestrator) {
    bool any = false;
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        for (size_t i = 0; i < service->instances.count; i++) {
            Instance *instance = service->instances.items[i];
            if (instance->shown != instance->state)
                instance_publish_state(instance);
            instance->shown = instance->state;
        }
        if (!service->stated)
            continue;
        service->stated = false;
        any = true;
        watch_changed(orchestrator->watch, &service->item);
        service_put(service);
    }
    if (any)
        watch_changed(orchestrator->watch, &orchestrator->item);
}
