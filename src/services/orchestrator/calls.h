/* What the calls of OrchestratorService share. */
#pragma once

#include "runtime/v1/orchestrator.pb.h"
#include "services/orchestrator/action.h"

static inline Orchestrator *orchestrator_of_call(Call *call) {
    return call_service(call);
}

/* The service of that name; NULL, and the call has failed with NOT_FOUND and the nearest name. */
Service *call_find_service(Call *call, Span name);

/* Which replica an instance id names: -1 (all) for an empty one; false, and the call has failed,
 * when the service has no such instance. */
bool call_find_instance(Call *call, const Service *service, Span instance_id, int64_t *ret_replica);

/* The one instance that is meant; NULL, and the call has failed. An empty id will do where there is
 * only one. */
Instance *call_one_instance(Call *call, const Service *service, Span instance_id);

/* All of the above fail when the runtime runs no project, with what to do about it. */
bool call_has_project(Call *call);

/* Whether its caller has the control scope, and so may see what is hidden from those who look. */
bool call_may_see_secrets(Call *call);

/* False, and the call has failed with UNAVAILABLE, once the runtime has begun to stop: what is
 * started then would be left behind, or hold the end up. */
bool call_may_start(Call *call);

/* Begins an action that answers the call: `answer` is called with it when it has come true, unless
 * the call is over by then. `selected` as in action_begin; freed. */
typedef void CallAnswer(Call *call, const Action *action);
void call_act(Call *call, ActionKind kind, bool *selected, int64_t only, bool forced,
              CallAnswer *answer);

/* One entry for each service, all false. */
bool *call_select(const Orchestrator *orchestrator);

/* Adds those that depend on a service, of which only it is selected, and run. */
void select_running_dependants(const Orchestrator *orchestrator, const Service *service,
                               bool *selected);

/* Who acts, for events: "cli", "page" or "api", by what the call says of itself. Constant. */
Span call_actor(Call *call);

/* ---- configuration_rpc.c, output_rpc.c ---- */

void call_get_configuration(Call *call, const void *message);
void call_check_configuration(Call *call, const void *message);
void call_apply_configuration(Call *call, const void *message);

void call_attach_output(Call *call, const void *message);
void call_send_input(Call *call, const void *message);
void call_resize_terminal(Call *call, const void *message);

void call_run_command(Call *call, const void *message);
void call_run_command_writable(Call *call);
void call_run_command_closed(Call *call, StatusCode code);
