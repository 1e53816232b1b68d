/* After a restart of the runtime: what was noted of services, and the processes that the keeper
 * holds, become services again. Nothing is restarted for it.
 *
 *     orchestrator/services/NAME      runtime.v1.ServiceStatus, some of it: see service_put */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "schema/codec.h"
#include "services/orchestrator/status.h"

#define PREFIX "orchestrator/services/"

/* As a number of replicas: none. 0 is as many as the configuration says. */
#define NO_REPLICAS (-1)

static void service_key(Span name, Buf *out) {
    buf_add_literal(out, PREFIX);
    buf_add(out, name);
}

/* ---- noting ---- */

/* The project ends, not only the runtime: what counts from its start, or holds until its end,
 * begins anew with the next. */
static bool is_ended(const Service *service) {
    return service->orchestrator->closing;
}

static void note_instance(const Instance *instance, RtServiceStatus *noted, Arena *arena) {
    RtServiceInstance *shown = schema_append(&noted->instances, arena);
    instance_fill(instance, shown, arena);
    if (is_ended(instance->service))
        shown->restarts = 0;
    shown->cpu_percent = 0;
    shown->memory_bytes = 0;
    if (!shown->stopped_at_ms && !instance->life)
        shown->stopped_at_ms = instance->stopped_wall / NANOS_PER_MILLI;
}

void service_put(Service *service) {
    Arena arena = {0};
    RtServiceStatus noted = {
        .name = service->config->name,
        .state = (int32_t)service_state(service),
        .restarts = is_ended(service) ? 0 : (int32_t)service->restarts,
        .stopped_by_user = service->stopped_by_user,
        .next_start_ms = service->next_run / NANOS_PER_MILLI,
    };
    if ((int32_t)service->replicas != service->config->replicas && !is_ended(service))
        noted.replicas = service->replicas ? (int32_t)service->replicas : NO_REPLICAS;
    for (size_t i = 0; i < service->instances.count; i++)
        note_instance(service->instances.items[i], &noted, &arena);
    for (size_t i = 0; i < service->last_output.count; i++)
        *(Span *)schema_append(&noted.last_output, &arena) = span_of(service->last_output.items[i]);
    Buf key = {.arena = &arena};
    service_key(service->config->name, &key);
    journal_put(service->orchestrator->journal, buf_span(&key), &RtServiceStatus_type, &noted);
    arena_done(&arena);
}

void service_forget(Service *service) {
    Buf key = {0};
    service_key(span_of(service->name), &key);
    journal_delete(service->orchestrator->journal, buf_span(&key));
    buf_done(&key);
}

/* ---- what was noted ---- */

static void set_text(Buf *buf, Span text) {
    buf_clear(buf);
    buf_add(buf, text);
}

static void read_instance(Instance *instance, const RtServiceInstance *noted) {
    instance->noted = (RtServiceState)noted->state;
    instance->run = noted->run;
    instance->restarts = (uint32_t)noted->restarts;
    instance->started_wall = noted->started_at_ms * NANOS_PER_MILLI;
    instance->ready_wall = noted->ready_at_ms * NANOS_PER_MILLI;
    instance->stopped_wall = noted->stopped_at_ms * NANOS_PER_MILLI;
    instance->checked_wall = noted->last_health_check * NANOS_PER_MILLI;
    instance->has_ending = noted->has_exit_code || noted->has_exit_signal;
    instance->ending = (Ending){
        .known = instance->has_ending,
        .code = noted->has_exit_code ? noted->exit_code : -1,
        .signal = noted->exit_signal,
    };
    if (noted->run)
        set_text(&instance->last_id, noted->instance_id);
    set_text(&instance->error, noted->last_error);
    set_text(&instance->health_message, noted->health_message);
    set_text(&instance->service_id, noted->service_id);
    if (noted->run > instance->service->runs)
        instance->service->runs = noted->run;
}

static void read_service(Orchestrator *orchestrator, const RtServiceStatus *noted) {
    Service *service = orchestrator_find(orchestrator, noted->name);
    if (!service || service->config->kind == RT_SERVICE_KIND_BUILTIN)
        return;
    service->restarts = (uint32_t)noted->restarts;
    service->stopped_by_user = noted->stopped_by_user;
    if (noted->replicas)
        service_set_replicas(service, noted->replicas > 0 ? (uint32_t)noted->replicas : 0,
                             (Span){0});
    for (uint32_t i = 0; i < noted->instances.count; i++) {
        Instance *instance = service_instance(service, (uint32_t)noted->instances.items[i].replica);
        if (instance)
            read_instance(instance, &noted->instances.items[i]);
    }
    for (uint32_t i = 0; i < noted->last_output.count; i++)
        *array_push(&service->last_output) =
            strndup(noted->last_output.items[i].ptr, noted->last_output.items[i].len);
    service->noted_next_run = noted->next_start_ms * NANOS_PER_MILLI;
}

/* ---- processes that are there ---- */

static Instance *instance_of_label(Orchestrator *orchestrator, const LaunchLabel *label) {
    Service *service = orchestrator_find(orchestrator, label->service);
    if (!service || service->config->kind == RT_SERVICE_KIND_BUILTIN)
        return NULL;
    if (label->replica >= service->instances.count && label->replica < 1000)
        service_set_replicas(service, label->replica + 1, (Span){0});
    return service_instance(service, label->replica);
}

static bool ran(RtServiceState noted) {
    return noted == RT_SERVICE_STATE_HEALTHY || noted == RT_SERVICE_STATE_RUNNING ||
           noted == RT_SERVICE_STATE_UNHEALTHY;
}

/* Where it stood before, if that is known, without another word; else it is looked at anew. */
static void resume(Instance *instance, const ProcessInfo *info) {
    World *world = instance->service->orchestrator->world;
    bool has_check = instance->service->config->health_check.type != CONFIG_CHECK_NONE;
    instance->wanted = true;
    instance->service->wanted = true;
    instance->started_wall = info->started_at;
    instance->state = RT_SERVICE_STATE_STARTING;
    if (instance->noted_run == instance->run && ran(instance->noted)) {
        instance->state = has_check ? RT_SERVICE_STATE_HEALTHY : RT_SERVICE_STATE_RUNNING;
        Nanos up = world_wall(world) - instance->ready_wall;
        instance->ready_now = world_now(world) - (up > 0 ? up : 0);
        instance->was_ready = instance->backoff.ready = true;
        checker_resume(instance);
    } else if (info->adopted) {
        instance->state = RT_SERVICE_STATE_STOPPED;
        instance_event(instance, RT_SERVICE_EVENT_TYPE_ADOPTED,
                       "pid %lld runs still, without the keeper that started it: taken over; its "
                       "exit code will not be known",
                       (long long)info->identity.pid);
        instance_happens(instance, INSTANCE_FOUND);
    } else {
        instance_arm_limit(instance);
        instance_running(instance);
    }
    instance->shown = instance->state;
    if (instance->noted == RT_SERVICE_STATE_STOPPING)
        instance_unwant(instance, SPAN("runtime"), "asked to stop before the runtime restarted",
                        false);
}

/* A process whose service is not in the configuration any more. */
static void end_stray(Orchestrator *orchestrator, const ProcessInfo *info) {
    if (info->state == PROCESS_RUNNING || info->state == PROCESS_STARTING)
        process_signal(orchestrator->host, info->id, SIGTERM, PROCESS_TREE, NULL, NULL);
    else
        process_release(orchestrator->host, info->id);
}

/* It has ended, and that is noted: then, or of another life of its instance, which came later. */
static bool is_past(const Service *service, const LaunchLabel *label, const ProcessInfo *info) {
    const Instance *instance = service_instance(service, label->replica);
    bool was_up = instance && instance_is_up(instance->noted);
    return info->state == PROCESS_EXITED &&
           (!instance || instance->life || label->run < instance->run ||
            (label->run == instance->run && !was_up));
}

static void take(Orchestrator *orchestrator, const ProcessInfo *info, bool all_lost) {
    LaunchLabel label;
    bool known = launch_read_label(info->label, &label);
    Service *service = known ? orchestrator_find(orchestrator, label.service) : NULL;
    if (service && (all_lost || is_past(service, &label, info))) {
        life_take_rest(service, label.replica, label.run, info);
        return;
    }
    uint32_t replicas = service ? service->replicas : 0;
    Instance *instance = service ? instance_of_label(orchestrator, &label) : NULL;
    if (!instance || instance->life) {
        end_stray(orchestrator, info);
        return;
    }
    instance->noted_run = instance->run;
    Buf service_id = {0};
    if (instance->run == label.run)
        buf_add(&service_id, buf_span(&instance->service_id));
    Life *life = life_restore(instance, label.run, info);
    buf_add(&instance->service_id, buf_span(&service_id));
    buf_done(&service_id);
    life->run_hash = label.run_hash;
    launch_read_ports(label.ports, life);
    ports_remember(instance);
    life->record.started_at_ms = info->started_at / NANOS_PER_MILLI;
    life_adopt(life, info);
    orchestrator->resumed += info->state != PROCESS_EXITED;
    resume(instance, info);
    if (info->state == PROCESS_EXITED)
        life_ended(life, info);
    if (label.replica >= replicas) /* it was to go when the runtime ended */
        service_set_replicas(instance->service, replicas, SPAN("runtime"));
}

/* Services ran, and none of their processes is left, nor the keeper that held them: the machine has
 * restarted, say. Then the project begins anew, with its tasks. */
static bool is_all_lost(Orchestrator *orchestrator) {
    size_t at = 0;
    if (!orchestrator->host)
        return false;
    for (const ProcessInfo *info; (info = process_next(orchestrator->host, &at));)
        if (info->state != PROCESS_EXITED || !info->adopted)
            return false;
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        const Service *service = orchestrator->services.items[s];
        for (size_t i = 0; i < service->instances.count; i++)
            if (ran(service->instances.items[i]->noted))
                return true;
    }
    return false;
}

/* What was on its way when the runtime ended, and has no process, goes on. */
static void go_on(Service *service, bool all_lost) {
    for (size_t i = 0; i < service->instances.count; i++) {
        Instance *instance = service->instances.items[i];
        RtServiceState noted = instance->noted;
        if (instance->life || noted == RT_SERVICE_STATE_UNSPECIFIED)
            continue;
        bool anew = all_lost && noted == RT_SERVICE_STATE_COMPLETED && !service->stopped_by_user &&
                    service->config->kind == RT_SERVICE_KIND_TASK;
        service->wanted |= noted != RT_SERVICE_STATE_STOPPED;
        if (!anew && (noted == RT_SERVICE_STATE_COMPLETED || noted == RT_SERVICE_STATE_FAILED ||
                      noted == RT_SERVICE_STATE_SKIPPED)) {
            instance->state = instance->shown = noted;
            instance->wanted = !service->stopped_by_user;
        } else if (noted != RT_SERVICE_STATE_STOPPED && noted != RT_SERVICE_STATE_STOPPING) {
            instance_want(instance, SPAN("runtime"), "the runtime has restarted");
        }
    }
    if (service->config->kind == RT_SERVICE_KIND_SCHEDULED && service->noted_next_run) {
        service->wanted = true;
        schedule_resume(service, service->noted_next_run);
    }
}

/* Their names are noted first: who is taken may be released at once, which changes the list. */
static void take_all(Orchestrator *orchestrator, bool all_lost) {
    ARRAY(Span) ids = {0};
    Arena arena = {0};
    size_t at = 0;
    for (const ProcessInfo *info; (info = process_next(orchestrator->host, &at));)
        *array_push(&ids) = arena_copy(&arena, info->id);
    for (int ended = 0; ended < 2; ended++) /* who lives has its place before who has left it */
        for (size_t i = 0; i < ids.count; i++) {
            const ProcessInfo *info = process_find(orchestrator->host, ids.items[i]);
            if (info && (info->state == PROCESS_EXITED) == (ended != 0))
                take(orchestrator, info, all_lost);
        }
    array_done(&ids);
    arena_done(&arena);
}

static void restore(Orchestrator *orchestrator) {
    bool all_lost = is_all_lost(orchestrator);
    if (orchestrator->host)
        take_all(orchestrator, all_lost);
    for (size_t s = 0; s < orchestrator->services.count; s++)
        go_on(orchestrator->services.items[s], all_lost);
    orchestrator->knows = true;
    if (orchestrator->config)
        orchestrator_event(orchestrator, (Span){0}, RT_SERVICE_EVENT_TYPE_RUNTIME_STARTED,
                           "the runtime has started; %u processes have gone on without it",
                           orchestrator->resumed);
    orchestrator_touch(orchestrator);
}

static void on_read(void *owner, const StoreResult *result) {
    Orchestrator *orchestrator = owner;
    const StoreOpResult *found = result->count ? &result->results[0] : NULL;
    Arena arena = {0};
    for (size_t i = 0; found && i < found->count; i++) {
        void *noted;
        if (schema_decode(&RtServiceStatus_type, found->entries[i].value, NULL, &arena, &noted,
                          NULL) == 0)
            read_service(orchestrator, noted);
    }
    arena_done(&arena);
    restore(orchestrator);
    orchestrator->restored(orchestrator->restored_owner, result->error);
}

static void on_history(void *owner, int error) {
    Orchestrator *orchestrator = owner;
    StoreOp op = {.kind = STORE_GET, .range = {.how = STORE_PREFIX, .key = SPAN(PREFIX)}};
    StoreTxn txn = {.then = &op, .then_count = 1};
    (void)error; /* what it cannot tell is only missed by those who look back */
    if (orchestrator->options.store)
        error = store_commit(orchestrator->options.store, &txn, on_read, orchestrator);
    if (!orchestrator->options.store || error < 0) {
        restore(orchestrator);
        orchestrator->restored(orchestrator->restored_owner, error);
    }
}

void orchestrator_restore(Orchestrator *orchestrator, void (*done)(void *owner, int error),
                          void *owner) {
    orchestrator->restored = done;
    orchestrator->restored_owner = owner;
    history_load(orchestrator->history, on_history, orchestrator);
}
