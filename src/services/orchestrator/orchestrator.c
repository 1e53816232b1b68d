#include "services/orchestrator/orchestrator.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "services/orchestrator/action.h"
#include "services/orchestrator/helper.h"
#include "services/orchestrator/reconfigure.h"
#include "services/orchestrator/watching.h"

/* ---- processes ---- */

static Span child_key(const void *item) {
    return span_of(((const Child *)item)->id);
}

void orchestrator_add_child(Orchestrator *orchestrator, Child *child) {
    map_put(&orchestrator->children, child);
}

void orchestrator_remove_child(Orchestrator *orchestrator, Child *child) {
    if (map_get(&orchestrator->children, span_of(child->id)) == child)
        map_remove(&orchestrator->children, span_of(child->id));
}

static void on_started(void *owner, const ProcessInfo *info) {
    Orchestrator *orchestrator = owner;
    Child *child = map_get(&orchestrator->children, info->id);
    if (child)
        child->ops->started(child, info);
}

/* What nobody knows is a helper of the runtime's life before. */
static void on_exited(void *owner, const ProcessInfo *info) {
    Orchestrator *orchestrator = owner;
    Child *child = map_get(&orchestrator->children, info->id);
    if (child)
        child->ops->exited(child, info);
    else
        process_release(orchestrator->host, info->id);
}

static void on_output(void *owner, const ProcessInfo *info, ProcessStream stream) {
    Orchestrator *orchestrator = owner;
    Child *child = map_get(&orchestrator->children, info->id);
    if (child && child->ops->output)
        child->ops->output(child, info, stream);
}

static void on_notified(void *owner, const ProcessInfo *info) {
    Orchestrator *orchestrator = owner;
    Child *child = map_get(&orchestrator->children, info->id);
    if (child && child->ops->notified)
        child->ops->notified(child, info);
}

static void on_host(void *owner, bool there, Span reason) {
    (void)owner;
    if (there)
        log_info("the keeper is there", log_text("how", reason));
    else
        log_warn("the keeper is gone", log_text("how", reason));
}

static const ProcessHandler PROCESSES = {
    .started = on_started,
    .exited = on_exited,
    .output = on_output,
    .notified = on_notified,
    .host = on_host,
};

/* ---- beginning and end ---- */

static Span service_key(const void *item) {
    return span_of(((const Service *)item)->name);
}

void orchestrator_add_service(Orchestrator *orchestrator, const ServiceConfig *config,
                              size_t place) {
    Service *service = service_new(orchestrator, config);
    service->place = place;
    *array_push(&orchestrator->services) = service;
    map_put(&orchestrator->by_name, service);
    watch_add(orchestrator->watch, &service->item, WATCHED_SERVICE);
}

static void add_services(Orchestrator *orchestrator) {
    const Config *config = orchestrator->config;
    for (size_t i = 0; config && i < config->services.count; i++)
        orchestrator_add_service(orchestrator, &config->services.items[i], i);
    services_sort(orchestrator);
    files_watch(orchestrator);
    orchestrator_hide_secrets(orchestrator);
}

Orchestrator *orchestrator_new(const OrchestratorOptions *options) {
    Orchestrator *orchestrator = xcalloc(1, sizeof *orchestrator);
    World *world = options->world;
    uint64_t seed;
    world_random(world, &seed, sizeof seed);
    orchestrator->options = *options;
    if (!orchestrator->options.machine)
        orchestrator->options.machine = &MACHINE;
    orchestrator->world = world;
    orchestrator->host = options->processes;
    orchestrator->logs = options->logs;
    orchestrator->config = options->config ? config_ref(options->config) : NULL;
    orchestrator->salt = (uint32_t)seed;
    orchestrator->started_at = orchestrator->configured_at = world_wall(world);
    map_init(&orchestrator->by_name, service_key, seed);
    map_init(&orchestrator->children, child_key, seed);
    list_init(&orchestrator->actions);
    list_init(&orchestrator->lives);
    list_init(&orchestrator->helpers);
    list_init(&orchestrator->lines);
    orchestrator->journal = journal_new(world, options->store);
    orchestrator->history =
        history_new(world, options->store, orchestrator->journal, options->epoch);
    orchestrator->watch = watching_new(orchestrator);
    settle_init(orchestrator);
    registrations_begin(orchestrator);
    add_services(orchestrator);
    if (orchestrator->host)
        process_handle(orchestrator->host, &PROCESSES, orchestrator);
    return orchestrator;
}

void orchestrator_free(Orchestrator *orchestrator) {
    if (!orchestrator)
        return;
    if (orchestrator->host)
        process_handle(orchestrator->host, NULL, NULL);
    if (orchestrator->options.store)
        store_forget(orchestrator->options.store, orchestrator);
    actions_drop(orchestrator);
    resources_stop(orchestrator);
    registrations_end(orchestrator);
    folder_watch_free(orchestrator->folders);
    lines_drop(orchestrator);
    for (size_t i = 0; i < orchestrator->services.count; i++)
        service_put(orchestrator->services.items[i]);
    lives_abandon(orchestrator);
    watch_free(orchestrator->watch); /* while its items are there */
    for (size_t i = 0; i < orchestrator->services.count; i++)
        service_free(orchestrator->services.items[i]);
    helpers_free(orchestrator);
    world_undefer(&orchestrator->settle);
    history_free(orchestrator->history);
    lives_release(orchestrator);
    array_done(&orchestrator->ended);
    journal_free(orchestrator->journal);
    plan_done(&orchestrator->plan);
    array_done(&orchestrator->services);
    map_done(&orchestrator->by_name);
    map_done(&orchestrator->children);
    config_unref(orchestrator->config);
    free(orchestrator);
}

/* ---- stopping it all ---- */

typedef struct StopAll {
    OrchestratorDone *done;
    void *owner;
} StopAll;

static void on_stopped(void *owner, const Action *action) {
    StopAll *stop = owner;
    action->orchestrator->stopping = false;
    stop->done(stop->owner);
    free(stop);
}

void orchestrator_stop_all(Orchestrator *orchestrator, bool force, OrchestratorDone *done,
                           void *owner) {
    StopAll *stop = xmalloc(sizeof *stop);
    *stop = (StopAll){done, owner};
    bool *all = xcalloc(orchestrator->services.count + 1, sizeof *all);
    memset(all, true, orchestrator->services.count);
    orchestrator->stopping = orchestrator->closing = true;
    orchestrator_event(orchestrator, (Span){0}, RT_SERVICE_EVENT_TYPE_RUNTIME_STOPPING,
                       "all services are stopped");
    action_begin(orchestrator, ACTION_STOP, all, -1, force, SPAN("runtime"), on_stopped, stop);
    free(all);
}
