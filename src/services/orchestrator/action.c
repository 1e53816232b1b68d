#include "services/orchestrator/action.h"

#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"

/* ---- asking ---- */

static bool is_member(const ActionMember *member, const Instance *instance) {
    return !instance->surplus && (member->only < 0 || member->only == instance->replica);
}

static bool is_builtin(const Service *service) {
    return service->config->kind == RT_SERVICE_KIND_BUILTIN;
}

/* A task runs once: it is done until it is stopped, or asked for anew. */
static bool is_done(const Instance *instance) {
    return instance->service->config->kind == RT_SERVICE_KIND_TASK && instance->wanted &&
           instance->state == RT_SERVICE_STATE_COMPLETED;
}

void service_ask_anew(Service *service) {
    for (size_t i = 0; i < service->instances.count; i++)
        if (is_done(service->instances.items[i]))
            service->instances.items[i]->wanted = false;
}

static void ask_start(Action *action, ActionMember *member) {
    Service *service = member->service;
    if (is_builtin(service) || service->removed || member->revoked)
        return;
    service->stopped_by_user = false;
    service->wanted = true;
    if (service->config->kind == RT_SERVICE_KIND_SCHEDULED) {
        schedule_arm(service);
        return;
    }
    service->orchestrator->plan.nodes.items[service->index].joined = true;
    for (size_t i = 0; i < service->instances.count; i++)
        if (is_member(member, service->instances.items[i]) && !is_done(service->instances.items[i]))
            instance_want(service->instances.items[i], action->actor, "asked for");
}

/* Who restarts it, and has stopped it already, does not start it any more. */
static void revoke_restarts(const Action *by, const Service *service) {
    LIST_EACH (&by->orchestrator->actions, link) {
        Action *action = CONTAINER(link, Action, link);
        for (size_t i = 0; action != by && i < action->members.count; i++)
            if (action->members.items[i].service == service)
                action->members.items[i].revoked = true;
    }
}

static void ask_stop(Action *action, ActionMember *member) {
    Service *service = member->service;
    if (member->only < 0 && !action->stopping) {
        service->wanted = false;
        service->stopped_by_user = true;
        schedule_disarm(service);
        revoke_restarts(action, service);
    }
    for (size_t i = 0; i < service->instances.count; i++)
        if (is_member(member, service->instances.items[i]))
            instance_unwant(service->instances.items[i], action->actor,
                            action->stopping ? "stopped to be started again" : "asked to stop",
                            action->forced);
    service_changed(service);
}

static void ask(Action *action) {
    bool stop = action->kind == ACTION_STOP || action->stopping;
    for (size_t i = 0; i < action->members.count; i++) {
        ActionMember *member = &action->members.items[i];
        member->done = false;
        if (member->service && stop)
            ask_stop(action, member);
        else if (member->service)
            ask_start(action, member);
    }
    orchestrator_touch(action->orchestrator);
}

/* ---- has it come true? ---- */

static bool is_stopped(const ActionMember *member) {
    const Service *service = member->service;
    for (size_t i = 0; service && i < service->instances.count; i++) {
        const Instance *instance = service->instances.items[i];
        /* Somebody else may want it again by now: then it will not stop for us. */
        bool revoked = instance->wanted && instance->state != RT_SERVICE_STATE_STOPPING;
        if (is_member(member, instance) && !instance_is_over(instance->state) && !revoked)
            return false;
    }
    return true;
}

/* A scheduled service is started when its schedule is armed. What waits for something unhealthy
 * goes on to wait, but nobody waits for that. */
static bool is_started(const ActionMember *member) {
    const Service *service = member->service;
    if (!service || service->removed || is_builtin(service) ||
        service->config->kind == RT_SERVICE_KIND_SCHEDULED)
        return true;
    bool stuck = service->orchestrator->plan.nodes.items[service->index].stuck;
    for (size_t i = 0; i < service->instances.count; i++) {
        const Instance *instance = service->instances.items[i];
        bool task = service->config->kind == RT_SERVICE_KIND_TASK;
        if (instance->surplus)
            return false; /* one too many, that is on its way out */
        if (!is_member(member, instance))
            continue;
        if (stuck && instance_waits(instance->state))
            continue;
        if (instance_is_due(instance) || !instance_is_settled(instance->state) ||
            (task && !instance_is_over(instance->state)))
            return false;
        if (instance->state == RT_SERVICE_STATE_FAILED && instance->telling)
            return false; /* its last words are on their way */
    }
    return true;
}

/* The worst of its instances, with what it says. */
static const Instance *worst_of(const ActionMember *member) {
    const Instance *worst = NULL;
    for (size_t i = 0; member->service && i < member->service->instances.count; i++) {
        const Instance *instance = member->service->instances.items[i];
        if (is_member(member, instance) &&
            (!worst || instance_distance(instance->state) > instance_distance(worst->state)))
            worst = instance;
    }
    return worst;
}

static Span why_not(Action *action, const Instance *instance) {
    Buf text = {.arena = &action->arena};
    switch (instance->state) {
    case RT_SERVICE_STATE_SKIPPED:
        return arena_copy(&action->arena, buf_span(&instance->reason));
    case RT_SERVICE_STATE_STOPPED:
        return SPAN("it was stopped meanwhile");
    case RT_SERVICE_STATE_WAITING:
        buf_add_literal(&text, "it waits still, for ");
        instance_waits_for(instance, &text);
        return buf_span(&text);
    default:
        return arena_copy(&action->arena, buf_span(&instance->error));
    }
}

static void note_result(Action *action, ActionMember *member) {
    const Service *service = member->service;
    RtServiceStartResult *result = &member->result;
    const Instance *worst = worst_of(member);
    result->name = span_of(member->name);
    result->duration_ms =
        member->already
            ? 0
            : (world_now(action->orchestrator->world) - action->begun) / NANOS_PER_MILLI;
    if (!service) {
        result->error = SPAN("it is gone from the configuration");
        return;
    }
    bool armed = is_builtin(service) || service->config->kind == RT_SERVICE_KIND_SCHEDULED;
    result->state = (int32_t)(worst && !armed ? worst->state : service_state(service));
    result->success = armed || !worst || instance_is_good(worst->state);
    if (!worst)
        return;
    result->attempts = member->already ? 0 : (int32_t)worst->attempts;
    if (result->success)
        return;
    result->error = why_not(action, worst);
    for (size_t i = 0; i < service->last_output.count; i++)
        *(Span *)schema_append(&result->last_output, &action->arena) =
            arena_copy(&action->arena, span_of(service->last_output.items[i]));
}

/* When it counts as stable, after it came up and fell; 0: it did not fall. */
static Nanos stable_at(const Instance *instance) {
    return instance->backoff.pauses && instance->ready_now
               ? instance->ready_now + service_backoff(instance->service->config).stable
               : 0;
}

/* Who came up and fell while others were waited for is waited for until it is stable, or has failed
 * for good; unless it is tried without end. */
static bool stands(Action *action, const ActionMember *member) {
    const Service *service = member->service;
    Nanos now = world_now(action->orchestrator->world);
    bool stuck = service && service->orchestrator->plan.nodes.items[service->index].stuck;
    for (size_t i = 0; service && i < service->instances.count; i++) {
        const Instance *instance = service->instances.items[i];
        bool falls = instance->backoff.pauses && service->config->max_retries;
        bool waits = stuck && instance_waits(instance->state);
        Nanos stable = stable_at(instance);
        if (!is_member(member, instance) || !falls || waits)
            continue;
        if (stable > now)
            wheel_arm(world_wheel(action->orchestrator->world), &action->look, stable);
        if (stable > now || instance->telling || !instance_is_settled(instance->state))
            return false;
    }
    return true;
}

static bool look_again(Action *action) {
    for (size_t i = 0; i < action->members.count; i++)
        if (!stands(action, &action->members.items[i]))
            return false;
    for (size_t i = 0; i < action->members.count; i++) {
        ActionMember *member = &action->members.items[i];
        const Instance *worst = worst_of(member);
        RtServiceState state = worst ? worst->state : RT_SERVICE_STATE_UNSPECIFIED;
        if (member->result.success &&
            (state == RT_SERVICE_STATE_FAILED || state == RT_SERVICE_STATE_BACKING_OFF ||
             state == RT_SERVICE_STATE_UNHEALTHY))
            note_result(action, member);
    }
    return true;
}

static void on_look(Timer *timer) {
    orchestrator_touch(CONTAINER(timer, Action, look)->orchestrator);
}

static bool look(Action *action) {
    bool stop = action->kind == ACTION_STOP || action->stopping, all = true;
    for (size_t i = 0; i < action->members.count; i++) {
        ActionMember *member = &action->members.items[i];
        if (member->done)
            continue;
        member->done = stop ? is_stopped(member) : is_started(member);
        all &= member->done;
        if (!member->done)
            continue;
        if (stop && !member->already && action->kind == ACTION_STOP)
            action->stopped[action->stopped_count++] = (uint32_t)i;
        else if (!stop)
            note_result(action, member);
    }
    return all && (stop || look_again(action));
}

static void action_free(Action *action) {
    list_remove(&action->link);
    wheel_cancel(world_wheel(action->orchestrator->world), &action->look);
    array_done(&action->members);
    arena_done(&action->arena);
    free(action);
}

void actions_settle(Orchestrator *orchestrator) {
    LIST_EACH (&orchestrator->actions, link) {
        Action *action = CONTAINER(link, Action, link);
        if (!look(action))
            continue;
        if (action->stopping) {
            action->stopping = false;
            ask(action);
            continue;
        }
        list_remove(&action->link);
        action->done(action->owner, action);
        action_free(action);
    }
}

bool action_succeeded(const Action *action) {
    for (size_t i = 0; i < action->members.count; i++)
        if (action->kind != ACTION_STOP && !action->members.items[i].result.success)
            return false;
    return true;
}

/* ---- beginning and end ---- */

static bool runs_already(const ActionMember *member) {
    const Service *service = member->service;
    for (size_t i = 0; i < service->instances.count; i++) {
        const Instance *instance = service->instances.items[i];
        if (is_member(member, instance) && !is_done(instance) &&
            (!instance->wanted || !instance_is_up(instance->state)))
            return false;
    }
    return true;
}

static bool rests_already(const ActionMember *member) {
    const Service *service = member->service;
    for (size_t i = 0; i < service->instances.count; i++)
        if (is_member(member, service->instances.items[i]) &&
            !instance_is_over(service->instances.items[i]->state))
            return false;
    return true;
}

static void add_member(Action *action, Service *service, int64_t only) {
    ActionMember *member = array_push(&action->members);
    *member = (ActionMember){
        .service = service,
        .name = arena_text(&action->arena, service->config->name),
        .only = only,
    };
    member->already = action->kind == ACTION_STOP    ? rests_already(member)
                      : action->kind == ACTION_START ? runs_already(member)
                                                     : false;
}

Action *action_begin(Orchestrator *orchestrator, ActionKind kind, const bool *selected,
                     int64_t only, bool forced, Span actor,
                     void (*done)(void *owner, const Action *action), void *owner) {
    Action *action = xcalloc(1, sizeof *action);
    action->orchestrator = orchestrator;
    action->kind = kind;
    action->stopping = kind == ACTION_RESTART;
    action->forced = forced;
    action->begun = world_now(orchestrator->world);
    action->actor = arena_copy(&action->arena, actor);
    action->look.fire = on_look;
    action->done = done;
    action->owner = owner;
    for (size_t i = 0; i < orchestrator->services.count; i++)
        if (selected[i] && !orchestrator->services.items[i]->removed)
            add_member(action, orchestrator->services.items[i], only);
    action->stopped =
        arena_alloc(&action->arena, (action->members.count + 1) * sizeof *action->stopped);
    list_push_back(&orchestrator->actions, &action->link);
    ask(action);
    return action;
}

void actions_forget(Orchestrator *orchestrator, const Service *service) {
    LIST_EACH (&orchestrator->actions, link) {
        Action *action = CONTAINER(link, Action, link);
        for (size_t i = 0; i < action->members.count; i++)
            if (action->members.items[i].service == service)
                action->members.items[i].service = NULL;
    }
}

void actions_drop(Orchestrator *orchestrator) {
    LIST_EACH (&orchestrator->actions, link)
        action_free(CONTAINER(link, Action, link));
}
