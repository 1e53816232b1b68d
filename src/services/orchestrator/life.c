/* One process of an instance, from its start until all that it wrote is taken. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "services/orchestrator/internal.h"

#define TAIL_LINES   20
#define FOREIGN_LOOK (500 * NANOS_PER_MILLI)

static const char *const STREAM_NAMES[] = {"stdout", "stderr", "terminal"};
static const RtLogStream STREAMS[PROCESS_STREAMS] = {
    [PROCESS_STDOUT] = RT_LOG_STREAM_STDOUT,
    [PROCESS_STDERR] = RT_LOG_STREAM_STDERR,
    [PROCESS_TERMINAL] = RT_LOG_STREAM_TERMINAL,
};

static Life *life_of(Child *child) {
    return CONTAINER(child, Life, child);
}

/* ---- its record ---- */

void life_put_record(Life *life) {
    history_put_run(life->orchestrator->history, &life->record);
}

static void set_record(Life *life, const Instance *instance) {
    Orchestrator *orchestrator = life->orchestrator;
    life->record = (RtServiceRun){
        .service_name = span_of(life->service),
        .run = life->run,
        .instance_id = span_of(life->child.id),
        .started_at_ms = world_wall(orchestrator->world) / NANOS_PER_MILLI,
        .start_reason = arena_copy(&life->arena, buf_span(&instance->reason)),
        .configuration_revision = orchestrator->config ? orchestrator->config->number : 0,
    };
}

/* ---- its end, piece by piece ---- */

static void release(void *owner, Span id) {
    Orchestrator *orchestrator = owner;
    process_release(orchestrator->host, id);
}

/* How they ended is noted by now: the keeper is to forget it once that is on the disk. */
void lives_release(Orchestrator *orchestrator) {
    for (size_t i = 0; i < orchestrator->ended.count; i++) {
        journal_after(orchestrator->journal, release, orchestrator,
                      span_of(orchestrator->ended.items[i]));
        free(orchestrator->ended.items[i]);
    }
    orchestrator->ended.count = 0;
}

static void life_free(Life *life) {
    if (life->spawned && life->orchestrator->closing) { /* nobody is to find it any more */
        process_release(life->orchestrator->host, span_of(life->child.id));
    } else if (life->spawned) {
        *array_push(&life->orchestrator->ended) = strdup(life->child.id);
        orchestrator_touch(life->orchestrator);
    }
    orchestrator_remove_child(life->orchestrator, &life->child);
    list_remove(&life->link);
    array_done(&life->ports);
    arena_done(&life->arena);
    free(life->service);
    free(life);
}

/* The orchestrator is gone, and somebody still held on to the life. */
static bool free_abandoned(Life *life) {
    if (life->orchestrator)
        return false;
    if (life->draining == 0) {
        array_done(&life->ports);
        arena_done(&life->arena);
        free(life->service);
        free(life);
    }
    return true;
}

static void on_tail(void *owner, const RtLogEntry *entries, size_t count) {
    Life *life = owner;
    if (free_abandoned(life))
        return;
    Service *service = orchestrator_find(life->orchestrator, span_of(life->service));
    Instance *instance = service ? service_instance(service, life->replica) : NULL;
    if (instance && instance->run == life->run) {
        instance->telling = false;
        service_set_last_output(service, entries, count);
        orchestrator_touch(life->orchestrator);
    }
    life_free(life);
}

static void drained(Life *life) {
    if (life->wants_tail)
        logs_tail(life->orchestrator->logs, span_of(life->child.id), TAIL_LINES, on_tail, life);
    else
        life_free(life);
}

static void on_drained(void *owner) {
    Life *life = owner;
    life->draining--;
    if (!free_abandoned(life) && life->draining == 0)
        drained(life);
}

void life_leave(Life *life) {
    Instance *instance = life->instance;
    if (instance) {
        lines_end(instance);
        instance->life = NULL;
        life->wants_tail =
            life->orchestrator->logs && life->running && !life->foreign && !instance->ended_well;
        instance->telling = life->wants_tail;
    }
    life->instance = NULL;
    wheel_cancel(world_wheel(life->orchestrator->world), &life->foreign_timer);
    if (!life->exited && !life->foreign && life->spawned)
        return; /* its place is gone, it is not: its exit will come */
    for (int i = 0; i < PROCESS_STREAMS; i++)
        life->draining += life->captures[i] != NULL;
    if (!life->draining) {
        drained(life);
        return;
    }
    for (int i = 0; i < PROCESS_STREAMS; i++) {
        LogCapture *ended = life->captures[i];
        life->captures[i] = NULL; /* output that is told of now is taken as well */
        if (ended)
            logs_capture_end(ended, on_drained, life);
    }
}

/* ---- what is heard of it ---- */

static void capture(Life *life, const ProcessInfo *info) {
    Orchestrator *orchestrator = life->orchestrator;
    for (int i = 0; orchestrator->logs && i < PROCESS_STREAMS; i++) {
        RingReader *ring;
        if (!info->streams[i] || life->captures[i])
            continue;
        int error = process_output(orchestrator->host, info->id, (ProcessStream)i, &ring);
        LogSource source = {
            .service = span_of(life->service),
            .instance = info->id,
            .replica = life->replica,
            .run = life->run,
            .stream = STREAMS[i],
        };
        if (error == 0)
            error = logs_capture(orchestrator->logs, &source, ring, &life->captures[i]);
        if (error < 0)
            orchestrator_event(orchestrator, span_of(life->service),
                               RT_SERVICE_EVENT_TYPE_OUTPUT_LOST, "%s cannot be read: %s",
                               STREAM_NAMES[i], strerror(-error));
    }
}

static bool is_worth_another_try(const ProcessInfo *info) {
    switch (info->failed_step) {
    case PROCESS_STEP_SPEC:
    case PROCESS_STEP_CWD:
        return false;
    case PROCESS_STEP_EXEC:
        return info->error == -EAGAIN || info->error == -ENOMEM || info->error == -ETXTBSY;
    default:
        return true;
    }
}

static Span failed_thing(const ServiceConfig *config, ProcessStep step) {
    if (step == PROCESS_STEP_CWD)
        return config->working_dir;
    bool program = step == PROCESS_STEP_EXEC && config->command.argv.count;
    return program ? config->command.argv.items[0].text : (Span){0};
}

static void on_failed(Life *life, const ProcessInfo *info) {
    Instance *instance = life->instance;
    life->spawned = false;
    if (instance) {
        bool again = is_worth_another_try(info);
        Span what = failed_thing(instance->service->config, info->failed_step);
        instance_fault(instance, "cannot be started: %s%s%.*s: %s",
                       process_step_text(info->failed_step), what.len ? " " : "", SPAN_ARGS(what),
                       strerror(-info->error));
        instance_not_started(instance, again);
        return;
    }
    life_free(life);
}

void life_adopt(Life *life, const ProcessInfo *info) {
    life->running = true;
    life->adopted = info->adopted;
    life->identity = info->identity;
    life->record.pid = (int32_t)info->identity.pid;
    capture(life, info);
    if (life->instance)
        lines_begin(life->instance);
}

static void on_started(Child *child, const ProcessInfo *info) {
    Life *life = life_of(child);
    Instance *instance = life->instance;
    if (info->state == PROCESS_FAILED) {
        on_failed(life, info);
        return;
    }
    life_adopt(life, info);
    life->record.started_at_ms = info->started_at / NANOS_PER_MILLI;
    life_put_record(life);
    if (!instance) {
        life_signal(life, SIGKILL, PROCESS_TREE);
        return;
    }
    instance->started_wall = info->started_at;
    instance_event(instance, RT_SERVICE_EVENT_TYPE_STARTED, "started (pid %lld): %.*s",
                   (long long)info->identity.pid, SPAN_ARGS(buf_span(&instance->reason)));
    instance_running(instance);
}

static void close_record(Life *life, const Ending *ending, const Instance *instance) {
    RtServiceRun *record = &life->record;
    record->stopped_at_ms = world_wall(life->orchestrator->world) / NANOS_PER_MILLI;
    record->has_exit_code = ending->known && !ending->signal;
    record->exit_code = record->has_exit_code ? ending->code : 0;
    record->has_exit_signal = ending->known && ending->signal;
    record->exit_signal = ending->signal;
    if (instance && instance->state == RT_SERVICE_STATE_STOPPING)
        record->stop_reason = arena_copy(&life->arena, buf_span(&instance->reason));
    else if (instance)
        record->stop_reason = arena_copy(&life->arena, buf_span(&instance->error));
    life_put_record(life);
}

void life_ended(Life *life, const ProcessInfo *info) {
    Instance *instance = life->instance;
    const ProcessExit *how = &info->exit;
    life->exited = true;
    life->ending = (Ending){how->known, how->signal ? -1 : how->code, how->signal};
    life->record.cpu_time_ms = (how->user + how->system) / NANOS_PER_MILLI;
    life->record.peak_memory_bytes = (int64_t)how->peak_memory_bytes;
    if (instance)
        life->lived = how->at > info->started_at ? how->at - info->started_at : 0;
    close_record(life, &life->ending, instance);
    if (instance)
        ending_settle(instance);
    else
        life_leave(life);
}

static void on_exited(Child *child, const ProcessInfo *info) {
    life_ended(life_of(child), info);
}

static void on_output(Child *child, const ProcessInfo *info, ProcessStream stream) {
    (void)info;
    LogCapture *found = life_of(child)->captures[stream];
    if (found)
        logs_capture_ready(found);
}

static void on_notified(Child *child, const ProcessInfo *info) {
    Life *life = life_of(child);
    if (life->instance)
        instance_notified(life->instance, &info->notice);
}

static const ChildOps OPS = {on_started, on_exited, on_output, on_notified};

Instance *life_instance_of(const Child *child) {
    return child->ops == &OPS ? CONTAINER(child, Life, child)->instance : NULL;
}

/* ---- what was not started by us ---- */

static void on_foreign_look(Timer *timer) {
    Life *life = CONTAINER(timer, Life, foreign_timer);
    Orchestrator *orchestrator = life->orchestrator;
    if (orchestrator->options.machine->lives(&life->identity)) {
        wheel_arm(world_wheel(orchestrator->world), timer,
                  world_now(orchestrator->world) + FOREIGN_LOOK);
        return;
    }
    life->exited = true;
    life->ending = (Ending){.code = -1};
    close_record(life, &life->ending, life->instance);
    instance_exited(life->instance, &life->ending, 0);
}

void life_found(Life *life, const ProcessIdentity *identity) {
    life->foreign = life->adopted = life->running = true;
    life->identity = *identity;
    life->record.pid = (int32_t)identity->pid;
    life_put_record(life);
    life->foreign_timer.fire = on_foreign_look;
    wheel_arm(world_wheel(life->orchestrator->world), &life->foreign_timer,
              world_now(life->orchestrator->world) + FOREIGN_LOOK);
}

/* ---- dealing with it ---- */

void life_signal(Life *life, int signal, ProcessScope scope) {
    Orchestrator *orchestrator = life->orchestrator;
    if (life->foreign)
        orchestrator->options.machine->signal(&life->identity, signal);
    else if (life->spawned)
        process_signal(orchestrator->host, span_of(life->child.id), signal, scope, NULL, NULL);
}

size_t life_members(Life *life, ProcessMember *out, size_t room) {
    Orchestrator *orchestrator = life->orchestrator;
    if (!life->foreign)
        return life->spawned
                   ? process_members(orchestrator->host, span_of(life->child.id), out, room)
                   : 0;
    if (!orchestrator->options.machine->lives(&life->identity))
        return 0;
    *out = (ProcessMember){.identity = life->identity, .state = 'R'};
    snprintf(out->name, sizeof out->name, "the process that was taken over");
    return 1;
}

uint16_t life_port(const Life *life, Span name) {
    for (size_t i = 0; i < life->ports.count; i++)
        if (!name.len || span_equal(life->ports.items[i].name, name))
            return life->ports.items[i].port;
    return 0;
}

/* ---- beginning ---- */

static Life *life_make(Service *service, uint32_t replica, int64_t run, Span id) {
    Life *life = xcalloc(1, sizeof *life);
    Span name = service->config->name;
    life->child.ops = &OPS;
    memcpy(life->child.id, id.ptr, id.len);
    life->orchestrator = service->orchestrator;
    life->service = xcalloc(1, name.len + 1);
    memcpy(life->service, name.ptr, name.len);
    life->replica = replica;
    life->run = run;
    list_push_back(&service->orchestrator->lives, &life->link);
    orchestrator_add_child(service->orchestrator, &life->child);
    return life;
}

static Life *life_new_as(Instance *instance, int64_t run, Span id) {
    Life *life = life_make(instance->service, instance->replica, run, id);
    life->instance = instance;
    instance->life = life;
    instance->run = run;
    instance->ended_well = instance->was_ready = false;
    instance->has_ending = false;
    buf_clear(&instance->service_id);
    buf_clear(&instance->last_id);
    buf_add(&instance->last_id, id);
    set_record(life, instance);
    return life;
}

Life *life_new(Instance *instance) {
    Service *service = instance->service;
    int64_t run = ++service->runs;
    char id[PROCESS_ID_MAX + 1];
    Span name = service->config->name;
    int len = snprintf(id, sizeof id, "%.*s-%u.%lld", (int)(name.len < 90 ? name.len : 90),
                       name.ptr, instance->replica + 1, (long long)run);
    for (int i = 0; i < len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", id[i]))
            id[i] = '_';
    if (id[0] == '.')
        id[0] = '_';
    return life_new_as(instance, run, span(id, (size_t)len));
}

Life *life_restore(Instance *instance, int64_t run, const ProcessInfo *info) {
    Life *life = life_new_as(instance, run, info->id);
    if (run > instance->service->runs)
        instance->service->runs = run;
    life->spawned = true;
    return life;
}

void life_take_rest(Service *service, uint32_t replica, int64_t run, const ProcessInfo *info) {
    Life *life = life_make(service, replica, run, info->id);
    life->spawned = life->running = life->exited = true;
    if (run > service->runs)
        service->runs = run;
    capture(life, info);
    life_leave(life);
}

void lives_abandon(Orchestrator *orchestrator) {
    LIST_EACH (&orchestrator->lives, link) {
        Life *life = CONTAINER(link, Life, link);
        list_remove(link);
        wheel_cancel(world_wheel(orchestrator->world), &life->foreign_timer);
        if (life->instance)
            life->instance->life = NULL;
        bool held = life->draining || (life->wants_tail && !life->instance);
        life->orchestrator = NULL;
        if (!held)
            free_abandoned(life);
    }
}
