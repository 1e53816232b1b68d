/* What happens to an instance, and what follows from it. */
#include "services/orchestrator/internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

static void on_due(Timer *timer) {
    Instance *instance = CONTAINER(timer, Instance, pause_timer);
    instance->next_start = 0;
    instance_happens(instance, INSTANCE_DUE);
}

/* ---- states that come and go ---- */

static Wheel *wheel_of(const Instance *instance) {
    return world_wheel(instance->service->orchestrator->world);
}

static Nanos now_of(const Instance *instance) {
    return world_now(instance->service->orchestrator->world);
}

static Nanos wall_of(const Instance *instance) {
    return world_wall(instance->service->orchestrator->world);
}

/* It is ready for the first time in this life. */
static void become_ready(Instance *instance) {
    instance->ready_now = now_of(instance);
    instance->ready_wall = wall_of(instance);
    instance->was_ready = true;
    backoff_ready(&instance->backoff);
    if (!instance->life)
        return;
    instance->life->record.ready_at_ms = instance->ready_wall / NANOS_PER_MILLI;
    life_put_record(instance->life);
}

static void say_healthy(Instance *instance) {
    buf_clear(&instance->error);
    Span why = buf_span(&instance->health_message);
    instance_event(instance, RT_SERVICE_EVENT_TYPE_HEALTHY, "healthy%s%.*s", why.len ? ": " : "",
                   SPAN_ARGS(why));
}

static void say_backing_off(Instance *instance) {
    if (!instance->pause)
        return;
    Buf pause = {0};
    put_duration(&pause, instance->pause);
    instance_event(instance, RT_SERVICE_EVENT_TYPE_BACKING_OFF, "next attempt in %.*s: %.*s",
                   SPAN_ARGS(buf_span(&pause)), SPAN_ARGS(buf_span(&instance->error)));
    buf_done(&pause);
}

static void say_waiting(Instance *instance) {
    Buf names = {0};
    instance_waits_for(instance, &names);
    instance_event(instance, RT_SERVICE_EVENT_TYPE_WAITING, "waits for %.*s",
                   SPAN_ARGS(buf_span(&names)));
    buf_done(&names);
}

/* The state is a new one: what goes with each. */
static void entered(Instance *instance, RtServiceState before) {
    bool was_up = instance_is_up(before), is_up = instance_is_up(instance->state);
    wheel_cancel(wheel_of(instance), &instance->clear_timer);
    if (instance->state != RT_SERVICE_STATE_STARTING)
        wheel_cancel(wheel_of(instance), &instance->limit_timer);
    if (instance->state == RT_SERVICE_STATE_ADOPTED)
        instance_arm_limit(instance);
    if (before == RT_SERVICE_STATE_BACKING_OFF) {
        wheel_cancel(wheel_of(instance), &instance->pause_timer);
        instance->next_start = 0;
    }
    if (instance->state == RT_SERVICE_STATE_STOPPING || (was_up && !is_up))
        checker_stop(instance);
    if (was_up && !is_up) {
        instance->ready_now = 0;
        instance->renewing = instance->forced = false;
    }
    switch (instance->state) {
    case RT_SERVICE_STATE_RUNNING:
        become_ready(instance);
        buf_clear(&instance->error);
        break;
    case RT_SERVICE_STATE_HEALTHY:
        if (!instance->ready_now)
            become_ready(instance);
        say_healthy(instance);
        break;
    case RT_SERVICE_STATE_UNHEALTHY:
        instance_event(instance, RT_SERVICE_EVENT_TYPE_UNHEALTHY, "unhealthy: %.*s",
                       SPAN_ARGS(buf_span(&instance->health_message)));
        break;
    case RT_SERVICE_STATE_WAITING:
        say_waiting(instance);
        break;
    case RT_SERVICE_STATE_BACKING_OFF:
        say_backing_off(instance);
        break;
    case RT_SERVICE_STATE_STOPPED:
        instance_event(instance, RT_SERVICE_EVENT_TYPE_STOPPED, "stopped");
        break;
    case RT_SERVICE_STATE_COMPLETED:
        instance_event(instance, RT_SERVICE_EVENT_TYPE_COMPLETED, "completed");
        break;
    case RT_SERVICE_STATE_FAILED:
        instance_event(instance, RT_SERVICE_EVENT_TYPE_FAILED, "%.*s",
                       SPAN_ARGS(buf_span(&instance->error)));
        break;
    case RT_SERVICE_STATE_SKIPPED:
        instance_event(instance, RT_SERVICE_EVENT_TYPE_SKIPPED, "%.*s",
                       SPAN_ARGS(buf_span(&instance->reason)));
        break;
    default:
        break;
    }
    service_changed(instance->service);
}

static void begin_pause(Instance *instance) {
    Nanos pause = instance->pause;
    instance->next_start = pause ? wall_of(instance) + pause : 0;
    wheel_arm(wheel_of(instance), &instance->pause_timer, now_of(instance) + pause);
}

void instance_happens(Instance *instance, InstanceEvent event) {
    RtServiceState before = instance->state;
    InstanceAction action;
    RtServiceState next = instance_step(before, event, &action);
    if (next == RT_SERVICE_STATE_UNSPECIFIED)
        return;
    instance->state = next;
    if (next == RT_SERVICE_STATE_BACKING_OFF)
        begin_pause(instance);
    if (next != before)
        entered(instance, before);
    switch (action) {
    case INSTANCE_SPAWN:
        launch(instance);
        break;
    case INSTANCE_CHECK:
        checker_start(instance);
        break;
    case INSTANCE_END:
        ending_begin(instance);
        break;
    default:
        break;
    }
    orchestrator_touch(instance->service->orchestrator);
}

/* ---- what brings them about ---- */

void instance_explain(Instance *instance, Span actor, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_clear(&instance->reason);
    buf_vprintf(&instance->reason, format, args);
    va_end(args);
    if (actor.ptr != instance->actor.ptr) {
        buf_clear(&instance->actor);
        buf_add(&instance->actor, actor);
    }
}

void instance_fault(Instance *instance, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_clear(&instance->error);
    buf_vprintf(&instance->error, format, args);
    va_end(args);
}

void instance_want(Instance *instance, Span actor, const char *why) {
    instance->wanted = true;
    instance->impatient = false;
    if (instance_is_up(instance->state) && instance->state != RT_SERVICE_STATE_STOPPING)
        return;
    instance->backoff = (Backoff){0};
    instance->attempts = 0;
    buf_clear(&instance->error);
    instance_explain(instance, actor, "%s", why);
    instance_happens(instance, INSTANCE_WANTED);
}

void instance_unwant(Instance *instance, Span actor, const char *why, bool forced) {
    instance->wanted = false;
    instance->forced |= forced;
    if (!instance_is_over(instance->state))
        instance_explain(instance, actor, "%s", why);
    if (instance->state == RT_SERVICE_STATE_STOPPING) {
        instance->renewing = false;
        if (forced)
            ending_force(instance);
    }
    orchestrator_touch(instance->service->orchestrator);
}

bool instance_is_due(const Instance *instance) {
    return instance->wanted && (instance->state == RT_SERVICE_STATE_STOPPED ||
                                instance->state == RT_SERVICE_STATE_STOPPING);
}

void instance_set_health(Instance *instance, Span message) {
    buf_clear(&instance->health_message);
    buf_add(&instance->health_message, message);
}

void instance_renew(Instance *instance, Span actor, const char *why) {
    if (!instance_is_up(instance->state) || instance->state == RT_SERVICE_STATE_STOPPING)
        return;
    instance_explain(instance, actor, "%s", why);
    instance->renewing = true;
    instance_fault(instance, "%s", why);
    instance_happens(instance, INSTANCE_RENEW);
}

/* ---- its process ---- */

/* It counts from when the process says that it is ready, where it is to say so. */
static void arm_watchdog(Instance *instance) {
    Nanos silence = instance->service->config->watchdog;
    bool mute =
        instance->service->config->readiness == CONFIG_READY_NOTIFY && !instance->said_ready;
    if (silence && !mute && instance->life && !instance->life->foreign)
        wheel_arm(wheel_of(instance), &instance->watchdog_timer, now_of(instance) + silence);
}

/* With notify, it is checked once it has said that it is ready. */
static void get_ready(Instance *instance) {
    bool mute = instance->service->config->readiness == CONFIG_READY_NOTIFY && instance->life &&
                !instance->said_ready;
    if (!mute)
        checker_start(instance);
}

void instance_running(Instance *instance) {
    resources_begin(instance->service->orchestrator);
    if (instance->state == RT_SERVICE_STATE_STOPPING) {
        ending_begin(instance); /* it was asked to end before it had begun */
        return;
    }
    arm_watchdog(instance);
    get_ready(instance);
    service_changed(instance->service);
}

void instance_notified(Instance *instance, const ProcessNotice *notice) {
    bool up = instance_is_up(instance->state) && instance->state != RT_SERVICE_STATE_STOPPING;
    if (notice->ready && !instance->said_ready) {
        instance->said_ready = true;
        if (up) {
            arm_watchdog(instance);
            get_ready(instance);
        }
    }
    if (notice->status.len) {
        instance_set_health(instance, notice->status);
        service_figures(instance->service);
    }
    if (notice->watchdogs != instance->watchdogs) {
        instance->watchdogs = notice->watchdogs;
        if (up)
            arm_watchdog(instance);
    }
    if (up && notice->watchdog_trigger)
        instance_renew(instance, SPAN("watchdog"), "it asked its watchdog to end it");
}

static void on_watchdog(Timer *timer) {
    Instance *instance = CONTAINER(timer, Instance, watchdog_timer);
    char why[96];
    snprintf(why, sizeof why, "its watchdog has heard nothing for %.3g s",
             (double)instance->service->config->watchdog / (double)NANOS_PER_SECOND);
    instance_renew(instance, SPAN("watchdog"), why);
}

/* Whether it is tried again, decided by how it ended; sets `again` and `pause`. */
static void decide(Instance *instance, bool well) {
    const ServiceConfig *config = instance->service->config;
    uint64_t random;
    world_random(instance->service->orchestrator->world, &random, sizeof random);
    Nanos up = instance->ready_now ? now_of(instance) - instance->ready_now : 0;
    instance->pause = 0;
    if (instance->was_ready)
        instance->attempts = 0;
    if (!instance->wanted) {
        instance->again = false;
    } else if (!instance->renewing && !service_restarts(config, well)) {
        instance->again = false;
    } else {
        BackoffPolicy policy = service_backoff(config);
        instance->again = backoff_failed(&instance->backoff, &policy, up, random, &instance->pause);
        char often[24] = "once";
        if (policy.max_retries != 1)
            snprintf(often, sizeof often, "%u times", policy.max_retries);
        if (!instance->again)
            buf_printf(&instance->error,
                       instance->backoff.ready ? "; restarted %s without becoming stable"
                                               : "; tried %s",
                       often);
    }
}

static void describe_ending(const Ending *ending, Nanos lived, Buf *out) {
    if (!ending->known)
        buf_add_literal(out, "ended, nobody knows how");
    else if (ending->signal)
        buf_printf(out, "ended by signal %d (%s)", ending->signal, strsignal(ending->signal));
    else
        buf_printf(out, "exited with code %d", ending->code);
    buf_add_literal(out, " after ");
    put_duration(out, lived);
}

/* A service that goes into the background by itself cannot be watched there. */
static bool has_left_others(const Instance *instance, Buf *how) {
    ProcessMember member;
    if (instance->service->config->kind != RT_SERVICE_KIND_PROCESS || !instance->life ||
        !life_members(instance->life, &member, 1))
        return false;
    buf_printf(how,
               " and left others behind (pid %lld, %s), which are ended: let it run in the "
               "foreground",
               (long long)member.identity.pid, member.name);
    return true;
}

void instance_exited(Instance *instance, const Ending *ending, Nanos lived) {
    /* What it left behind may live for a moment more, and means nothing. */
    checker_stop(instance);
    wheel_cancel(wheel_of(instance), &instance->limit_timer);
    wheel_cancel(wheel_of(instance), &instance->watchdog_timer);
    instance->has_ending = true;
    instance->ending = *ending;
    instance->stopped_wall = wall_of(instance);
    bool well = ending->known && service_is_success(instance->service->config, ending->code);
    bool asked = instance->state == RT_SERVICE_STATE_STOPPING;
    Buf how = {0};
    describe_ending(ending, lived, &how);
    if (!asked) {
        well &= !has_left_others(instance, &how);
        instance_explain(instance, SPAN("runtime"), "%.*s", SPAN_ARGS(buf_span(&how)));
        if (!well || service_restarts(instance->service->config, true))
            instance_fault(instance, "%.*s", SPAN_ARGS(buf_span(&how)));
    }
    decide(instance, well);
    /* What is to run for ever, and is not tried again, has failed, however it ended. */
    instance->ended_well = well && !service_restarts(instance->service->config, true);
    if (instance->again)
        instance->next_start = instance->stopped_wall + instance->pause;
    instance_event_exited(instance, buf_span(&how));
    buf_done(&how);
    ending_look(instance);
}

/* There never was a process, or there is no use in trying again. */
void instance_not_started(Instance *instance, bool worth_another_try) {
    bool asked = instance->state == RT_SERVICE_STATE_STOPPING;
    instance->ended_well = false;
    if (instance->life) {
        RtServiceRun *record = &instance->life->record;
        record->stopped_at_ms = wall_of(instance) / NANOS_PER_MILLI;
        record->stop_reason = arena_copy(&instance->life->arena, buf_span(&instance->error));
        life_put_record(instance->life);
    }
    if (!asked)
        instance_explain(instance, SPAN("runtime"), "%.*s", SPAN_ARGS(buf_span(&instance->error)));
    if (asked || worth_another_try) {
        decide(instance, false);
        instance_gone(instance);
        return;
    }
    if (instance->life)
        life_leave(instance->life);
    instance_happens(instance, INSTANCE_REFUSED);
}

void instance_gone(Instance *instance) {
    wheel_cancel(wheel_of(instance), &instance->end_timer);
    wheel_cancel(wheel_of(instance), &instance->watchdog_timer);
    instance->end_begun = 0;
    instance->end_told = instance->killed = false;
    if (instance->life)
        life_leave(instance->life);
    if (!instance->wanted && instance->state != RT_SERVICE_STATE_STOPPING) {
        instance_happens(instance, INSTANCE_UNWANTED);
        return;
    }
    bool counted = instance->again && instance->was_ready;
    if (instance->state == RT_SERVICE_STATE_STOPPING && !instance->renewing)
        instance_happens(instance, INSTANCE_GONE);
    else if (instance->again)
        instance_happens(instance, INSTANCE_ENDED_RETRY);
    else if (instance->ended_well && instance->state != RT_SERVICE_STATE_STOPPING)
        instance_happens(instance, INSTANCE_ENDED_WELL);
    else
        instance_happens(instance, INSTANCE_ENDED_FAILED);
    if (counted && instance->state == RT_SERVICE_STATE_BACKING_OFF) {
        instance->restarts++;
        instance->service->restarts++;
    }
}

/* ---- beginning and end ---- */

static void on_limit(Timer *timer) {
    Instance *instance = CONTAINER(timer, Instance, limit_timer);
    if (instance->state == RT_SERVICE_STATE_WAITING) {
        instance->impatient = true;
        orchestrator_touch(instance->service->orchestrator);
        return;
    }
    if (instance->service->config->kind == RT_SERVICE_KIND_EXTERNAL) {
        instance_fault(instance, "does not answer: %.*s",
                       SPAN_ARGS(buf_span(&instance->health_message)));
        instance_happens(instance, INSTANCE_AILS);
        return;
    }
    if (instance->state == RT_SERVICE_STATE_ADOPTED)
        instance_happens(instance, INSTANCE_AILS);
    char why[400];
    Span message = buf_span(&instance->health_message);
    snprintf(why, sizeof why, "not ready within %.3g s%s%.*s",
             (double)service_start_limit(instance->service->config) / (double)NANOS_PER_SECOND,
             message.len ? ": " : "", SPAN_ARGS(message));
    instance_renew(instance, SPAN("start timeout"), why);
}

void instance_arm_limit(Instance *instance) {
    const ServiceConfig *config = instance->service->config;
    if (config->kind != RT_SERVICE_KIND_TASK && config->kind != RT_SERVICE_KIND_SCHEDULED)
        wheel_arm(wheel_of(instance), &instance->limit_timer,
                  now_of(instance) + service_start_limit(config));
}

Instance *instance_new(Service *service, uint32_t replica) {
    Instance *instance = xcalloc(1, sizeof *instance);
    instance->service = service;
    instance->replica = replica;
    instance->state = RT_SERVICE_STATE_STOPPED;
    instance->pause_timer.fire = on_due;
    instance->limit_timer.fire = on_limit;
    instance->watchdog_timer.fire = on_watchdog;
    ports_init(instance);
    ending_init(instance);
    checker_init(instance);
    return instance;
}

void instance_free(Instance *instance) {
    Wheel *wheel = wheel_of(instance);
    wheel_cancel(wheel, &instance->pause_timer);
    wheel_cancel(wheel, &instance->limit_timer);
    wheel_cancel(wheel, &instance->end_timer);
    wheel_cancel(wheel, &instance->watchdog_timer);
    wheel_cancel(wheel, &instance->clear_timer);
    checker_stop(instance);
    if (instance->life)
        life_leave(instance->life);
    array_done(&instance->ports);
    buf_done(&instance->service_id);
    buf_done(&instance->last_id);
    buf_done(&instance->error);
    buf_done(&instance->health_message);
    buf_done(&instance->reason);
    buf_done(&instance->actor);
    free(instance);
}
