/* Who may go on: at the end of each turn in which something happened, dependencies, barriers and
 * actions are looked at for all, until nothing moves any more. */
#include <stdlib.h>

#include "base/memory.h"
#include "services/orchestrator/internal.h"

/* ---- facts for the plan ---- */

/* Then it is ready, whatever became of its last run. */
static bool is_armed(const Service *service) {
    return service->config->kind == RT_SERVICE_KIND_SCHEDULED && service->wanted;
}

static bool is_settled(const Service *service, const Instance *instance) {
    if (service->config->kind == RT_SERVICE_KIND_TASK && instance->wanted)
        return instance_is_over(instance->state) && !instance_is_due(instance);
    return instance_is_settled(instance->state) && !instance_is_due(instance);
}

static void refresh(Service *service) {
    PlanNode *node = &service->orchestrator->plan.nodes.items[service->index];
    bool builtin = service->config->kind == RT_SERVICE_KIND_BUILTIN;
    node->started = node->healthy = node->completed = node->settled = true;
    node->hopeless = !builtin;
    node->present = node->leaving = node->ails = node->waits = false;
    size_t counted = 0;
    for (size_t i = 0; i < service->instances.count; i++) {
        const Instance *instance = service->instances.items[i];
        bool up = instance_is_up(instance->state);
        node->present |= up;
        node->leaving |= up && !instance->wanted;
        if (instance->surplus)
            continue;
        counted++;
        bool done = instance->state == RT_SERVICE_STATE_COMPLETED;
        bool runs = up && instance->state != RT_SERVICE_STATE_STOPPING;
        node->started &= done || (runs && (!instance->life || instance->life->running));
        node->healthy &= instance_is_good(instance->state);
        node->completed &= done;
        node->settled &= is_settled(service, instance);
        node->ails |= instance->state == RT_SERVICE_STATE_UNHEALTHY;
        node->waits |= instance->wanted && instance_waits(instance->state);
        bool coming =
            instance->wanted && (instance_is_due(instance) || !instance_is_over(instance->state));
        node->hopeless &= !runs && !done && !coming;
    }
    if (!counted && !builtin)
        node->started = node->healthy = node->completed = false;
    if (is_armed(service)) {
        node->started = node->healthy = node->settled = true;
        node->hopeless = false;
    }
}

/* ---- starting ---- */

static void bar(Instance *instance, uint32_t because) {
    const Orchestrator *orchestrator = instance->service->orchestrator;
    const Service *other = orchestrator->services.items[because];
    RtServiceState state = service_state(other);
    Buf actor = {0};
    buf_printf(&actor, "dependency %.*s", SPAN_ARGS(other->config->name));
    if (other->config->disabled && !other->wanted)
        instance_explain(instance, buf_span(&actor),
                         "it needs %.*s, which is disabled: start that by name first",
                         SPAN_ARGS(other->config->name));
    else
        instance_explain(instance, buf_span(&actor), "it needs %.*s, which %s %s",
                         SPAN_ARGS(other->config->name),
                         state == RT_SERVICE_STATE_FAILED ? "has" : "is",
                         instance_state_name(state));
    buf_done(&actor);
    instance_happens(instance, INSTANCE_BARRED);
}

static void weigh(Instance *instance, int32_t barrier) {
    const Service *service = instance->service;
    const Plan *plan = &service->orchestrator->plan;
    uint32_t because = 0;
    PlanGate gate = plan_may_start(plan, service->index, barrier, !instance->impatient, &because);
    if (gate == PLAN_OPEN) {
        instance_happens(instance, INSTANCE_CLEARED);
    } else if (gate == PLAN_BARRED) {
        bar(instance, because);
    } else if (instance->state == RT_SERVICE_STATE_PENDING) {
        World *world = service->orchestrator->world;
        instance_happens(instance, INSTANCE_HELD);
        wheel_arm(world_wheel(world), &instance->limit_timer,
                  world_now(world) + service_start_limit(service->config));
    }
}

static void settle_starts(Orchestrator *orchestrator) {
    int32_t barrier = plan_start_barrier(&orchestrator->plan);
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        for (size_t i = 0; i < service->instances.count; i++) {
            Instance *instance = service->instances.items[i];
            if (instance->wanted && instance->state == RT_SERVICE_STATE_STOPPED)
                instance_happens(instance, INSTANCE_WANTED);
            if (instance->wanted && instance_waits(instance->state))
                weigh(instance, barrier);
        }
    }
}

/* ---- stopping ---- */

static void settle_stop(Instance *instance, bool held) {
    if (instance->wanted || instance_is_over(instance->state) ||
        instance->state == RT_SERVICE_STATE_STOPPING)
        return;
    if (!held || instance->forced || !instance_is_up(instance->state))
        instance_happens(instance, INSTANCE_UNWANTED);
}

static void settle_stops(Orchestrator *orchestrator) {
    bool *held = xcalloc(orchestrator->services.count + 1, sizeof *held);
    plan_hold_stops(&orchestrator->plan, held);
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        for (size_t i = 0; i < service->instances.count; i++)
            settle_stop(service->instances.items[i], held[s]);
    }
    free(held);
}

/* Replicas that are too many, and have ended. */
static void drop_surplus(Service *service) {
    while (service->instances.count) {
        Instance *last = service->instances.items[service->instances.count - 1];
        if (!last->surplus || !instance_is_over(last->state))
            return;
        service->instances.count--;
        instance_free(last);
        service_changed(service);
    }
}

/* ---- all of it ---- */

static void settle(Task *task) {
    Orchestrator *orchestrator = CONTAINER(task, Orchestrator, settle);
    if (!orchestrator->knows)
        return; /* how things stood before the runtime restarted; else that would be overwritten */
    for (size_t s = 0; s < orchestrator->services.count; s++)
        refresh(orchestrator->services.items[s]);
    plan_find_stuck(&orchestrator->plan);
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        PlanNode *node = &orchestrator->plan.nodes.items[s];
        node->joined &= !node->settled && !node->stuck;
    }
    settle_stops(orchestrator);
    settle_starts(orchestrator);
    for (size_t s = 0; s < orchestrator->services.count; s++)
        drop_surplus(orchestrator->services.items[s]);
    actions_settle(orchestrator);
    services_drop_removed(orchestrator);
    services_tell(orchestrator);
    lives_release(orchestrator);
}

void orchestrator_touch(Orchestrator *orchestrator) {
    world_defer(orchestrator->world, &orchestrator->settle);
}

void settle_init(Orchestrator *orchestrator) {
    orchestrator->settle.run = settle;
}
