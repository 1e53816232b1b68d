#include "services/orchestrator/reconfigure.h"

#include <stdlib.h>

#include "services/orchestrator/calls.h"
#include "services/orchestrator/watching.h"

void orchestrator_hide_secrets(Orchestrator *orchestrator) {
    const Config *config = orchestrator->config;
    ARRAY(Span) patterns = {0};
    Buf reason = {0};
    if (!orchestrator->logs || !config)
        return;
    for (size_t s = 0; s < config->services.count; s++)
        for (size_t i = 0; i < config->services.items[s].logs.mask.count; i++)
            *array_push(&patterns) = config->services.items[s].logs.mask.items[i];
    if (logs_hide(orchestrator->logs, config->secrets.items, config->secrets.count, patterns.items,
                  patterns.count, &reason) < 0)
        orchestrator_event(orchestrator, (Span){0}, RT_SERVICE_EVENT_TYPE_CONFIGURATION_REFUSED,
                           "logs.mask: %.*s", SPAN_ARGS(buf_span(&reason)));
    buf_done(&reason);
    array_done(&patterns);
}

/* ---- services of the new configuration ---- */

/* Ports that were given stay with their names; the names are the configuration's. */
static void rename_ports(Instance *instance, const ServiceConfig *config) {
    size_t kept = 0;
    for (size_t i = 0; i < instance->ports.count; i++)
        for (size_t c = 0; c < config->ports.count; c++)
            if (span_equal(config->ports.items[c].name, instance->ports.items[i].name)) {
                instance->ports.items[kept++] =
                    (NamedPort){config->ports.items[c].name, instance->ports.items[i].port};
                break;
            }
    instance->ports.count = kept;
}

static void take_config(Service *service, const ServiceConfig *config, size_t place) {
    bool differs = service->config->hash != config->hash;
    bool same_run = service->config->run_hash == config->run_hash;
    for (size_t i = 0; i < service->instances.count; i++)
        rename_ports(service->instances.items[i], config);
    service_set_config(service, config);
    service->place = place;
    for (size_t i = 0; differs && same_run && i < service->instances.count; i++) {
        Instance *instance = service->instances.items[i];
        if (!instance->checker.active)
            continue;
        checker_stop(instance);
        if (instance->ready_now)
            checker_resume(instance);
        else
            checker_start(instance);
    }
    service_set_replicas(service, (uint32_t)config->replicas, SPAN("configuration"));
    if (config->kind == RT_SERVICE_KIND_SCHEDULED && service->wanted && differs) {
        schedule_disarm(service);
        schedule_arm(service);
    }
    service_changed(service);
}

static void take_services(Orchestrator *orchestrator) {
    const Config *config = orchestrator->config;
    for (size_t i = 0; i < config->services.count; i++) {
        const ServiceConfig *wanted = &config->services.items[i];
        Service *service = orchestrator_find(orchestrator, wanted->name);
        if (service && (service->config->kind == RT_SERVICE_KIND_BUILTIN) ==
                           (wanted->kind == RT_SERVICE_KIND_BUILTIN)) {
            service->removed = false;
            take_config(service, wanted, i);
            continue;
        }
        if (service)
            continue; /* it becomes another thing altogether: with the next start */
        orchestrator_add_service(orchestrator, wanted, i);
    }
}

static bool is_change(const Service *service, int32_t type, const RtServiceChange *changes,
                      size_t count) {
    for (size_t i = 0; i < count; i++)
        if (changes[i].type == type && span_equal(changes[i].service_name, span_of(service->name)))
            return true;
    return false;
}

static bool runs_anything(const Orchestrator *orchestrator) {
    for (size_t s = 0; s < orchestrator->services.count; s++)
        if (orchestrator->services.items[s]->wanted)
            return true;
    return false;
}

void orchestrator_apply(Orchestrator *orchestrator, const Config *config,
                        const RtServiceChange *changes, size_t change_count, Span actor,
                        void (*done)(void *owner, const Action *action), void *owner) {
    bool running = runs_anything(orchestrator);
    config_unref(orchestrator->config);
    orchestrator->config = config_ref(config);
    if (orchestrator->options.in_force)
        config_enforce(orchestrator->options.in_force, config);
    orchestrator->configured_at = world_wall(orchestrator->world);
    take_services(orchestrator);
    services_sort(orchestrator);
    files_watch(orchestrator);
    orchestrator_hide_secrets(orchestrator);
    bool *selected = call_select(orchestrator);
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        bool gone = is_change(service, RT_SERVICE_CHANGE_TYPE_REMOVED, changes, change_count);
        bool added = is_change(service, RT_SERVICE_CHANGE_TYPE_ADDED, changes, change_count);
        bool restarted =
            is_change(service, RT_SERVICE_CHANGE_TYPE_RESTARTED, changes, change_count);
        selected[s] = gone || (restarted && service->wanted) ||
                      (added && running && !service->config->disabled);
    }
    orchestrator_event(orchestrator, (Span){0}, RT_SERVICE_EVENT_TYPE_CONFIGURATION_APPLIED,
                       "configuration %lld is in force: %zu services differ",
                       (long long)config->number, change_count);
    action_begin(orchestrator, ACTION_RESTART, selected, -1, false, actor, done, owner);
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        service->removed |=
            is_change(service, RT_SERVICE_CHANGE_TYPE_REMOVED, changes, change_count);
        if (service->removed)
            schedule_disarm(service);
    }
    watch_changed(orchestrator->watch, &orchestrator->item);
    free(selected);
}
