#include "services/orchestrator/calls.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/nearest.h"

#define LISTED 8 /* names in a message, where none is near */

bool call_has_project(Call *call) {
    if (orchestrator_of_call(call)->config)
        return true;
    call_fail(call, STATUS_FAILED_PRECONDITION,
              "this runtime runs no project: start it with muster up in a folder that has a "
              "muster.yaml, or with muster serve --file FILE");
    return false;
}

bool call_may_see_secrets(Call *call) {
    /* The policy notes only which tokens were used up, which asking again does not. */
    AccessPolicy *policy = (AccessPolicy *)(uintptr_t)orchestrator_of_call(call)->options.access;
    return !policy || access_scope(policy, call) == SCHEMA_SCOPE_CONTROL;
}

bool call_may_start(Call *call) {
    if (!orchestrator_of_call(call)->closing)
        return true;
    call_fail(call, STATUS_UNAVAILABLE,
              "the runtime is stopping: start it again with muster up, once it has ended");
    return false;
}

static void list_names(const Orchestrator *orchestrator, Buf *out) {
    for (size_t i = 0; i < orchestrator->services.count && i < LISTED; i++)
        buf_printf(out, "%s%s", i ? ", " : "", orchestrator->services.items[i]->name);
    if (orchestrator->services.count > LISTED)
        buf_printf(out, " and %zu more", orchestrator->services.count - LISTED);
}

Service *call_find_service(Call *call, Span name) {
    Orchestrator *orchestrator = orchestrator_of_call(call);
    if (!call_has_project(call))
        return NULL;
    Service *service = orchestrator_find(orchestrator, name);
    if (service && !service->removed)
        return service;
    Nearest nearest = nearest_to(name);
    for (size_t i = 0; i < orchestrator->services.count; i++)
        nearest_consider(&nearest, span_of(orchestrator->services.items[i]->name));
    Buf names = {0};
    list_names(orchestrator, &names);
    if (nearest.best.len)
        call_fail(call, STATUS_NOT_FOUND, "there is no service '%.*s': did you mean '%.*s'?",
                  SPAN_ARGS(name), SPAN_ARGS(nearest.best));
    else
        call_fail(call, STATUS_NOT_FOUND, "there is no service '%.*s': there are %.*s",
                  SPAN_ARGS(name), SPAN_ARGS(buf_span(&names)));
    buf_done(&names);
    return NULL;
}

bool call_find_instance(Call *call, const Service *service, Span instance_id,
                        int64_t *ret_replica) {
    Buf names = {0};
    *ret_replica = -1;
    for (size_t i = 0; instance_id.len && i < service->instances.count; i++) {
        const Instance *instance = service->instances.items[i];
        if (span_equal(buf_span(&instance->last_id), instance_id))
            *ret_replica = (int64_t)i;
        buf_printf(&names, "%s%.*s", i ? ", " : "", SPAN_ARGS(buf_span(&instance->last_id)));
    }
    bool found = !instance_id.len || *ret_replica >= 0;
    if (!found)
        call_fail(call, STATUS_NOT_FOUND, "%s has no instance '%.*s': it has %.*s", service->name,
                  SPAN_ARGS(instance_id), SPAN_ARGS(buf_span(&names)));
    buf_done(&names);
    return found;
}

Instance *call_one_instance(Call *call, const Service *service, Span instance_id) {
    int64_t replica;
    if (!call_find_instance(call, service, instance_id, &replica))
        return NULL;
    if (replica < 0 && service->instances.count != 1) {
        call_fail(call, STATUS_INVALID_ARGUMENT,
                  "%s has %zu instances: say which one in instance_id", service->name,
                  service->instances.count);
        return NULL;
    }
    return service->instances.items[replica < 0 ? 0 : replica];
}

/* ---- actions ---- */

Span call_actor(Call *call) {
    Span agent = call_metadata(call, SPAN("user-agent"));
    if (span_starts(agent, SPAN("muster/")))
        return SPAN("cli");
    return span_starts(agent, SPAN("Mozilla/")) ? SPAN("page") : SPAN("api");
}

typedef struct Pending {
    RpcServer *server;
    CallRef call;
    CallAnswer *answer;
} Pending;

static void on_done(void *owner, const Action *action) {
    Pending *pending = owner;
    Call *call = call_find(pending->server, pending->call);
    if (call)
        pending->answer(call, action);
    free(pending);
}

void call_act(Call *call, ActionKind kind, bool *selected, int64_t only, bool forced,
              CallAnswer *answer) {
    Orchestrator *orchestrator = orchestrator_of_call(call);
    Pending *pending = xmalloc(sizeof *pending);
    *pending = (Pending){orchestrator->options.server, call_ref(call), answer};
    action_begin(orchestrator, kind, selected, only, forced, call_actor(call), on_done, pending);
    free(selected);
}

bool *call_select(const Orchestrator *orchestrator) {
    return xcalloc(orchestrator->services.count + 1, sizeof(bool));
}

void select_running_dependants(const Orchestrator *orchestrator, const Service *service,
                               bool *selected) {
    plan_add_dependants(&orchestrator->plan, true, selected);
    for (size_t i = 0; i < orchestrator->services.count; i++)
        if (i != service->index && !orchestrator->plan.nodes.items[i].present)
            selected[i] = false;
}
