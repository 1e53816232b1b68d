/* OrchestratorService: starting, stopping, looking. */
#include <stdlib.h>

#include "config/parse.h"
#include "schema/codec.h"
#include "services/orchestrator/calls.h"
#include "services/orchestrator/status.h"
#include "services/orchestrator/watching.h"

#define REPLICAS_MAX 1000

/* ---- starting ---- */

static void add_results(const Action *action, RtStartAllResponse *response, Arena *arena) {
    for (size_t i = 0; i < action->members.count; i++)
        *(RtServiceStartResult *)schema_append(&response->results, arena) =
            action->members.items[i].result;
    response->success = action_succeeded(action);
}

static void answer_start_all(Call *call, const Action *action) {
    RtStartAllResponse response = {0};
    Arena arena = {0};
    add_results(action, &response, &arena);
    call_reply(call, &response);
    arena_done(&arena);
}

/* What is disabled, and nobody has asked for, says so. */
static void skip_disabled(Orchestrator *orchestrator) {
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        for (size_t i = 0; service->config->disabled && i < service->instances.count; i++) {
            Instance *instance = service->instances.items[i];
            if (instance->state != RT_SERVICE_STATE_STOPPED)
                continue;
            instance_explain(instance, SPAN("configuration"),
                             "disabled: it is started when somebody asks for it by name");
            instance_happens(instance, INSTANCE_BARRED);
        }
    }
}

static void start_all(Call *call, const void *message) {
    const RtStartAllRequest *request = message;
    Orchestrator *orchestrator = orchestrator_of_call(call);
    bool *selected = call_select(orchestrator);
    bool fine = call_may_start(call) && call_has_project(call);
    for (uint32_t i = 0; fine && i < request->service_names.count; i++) {
        const Service *service = call_find_service(call, request->service_names.items[i]);
        fine = service != NULL;
        if (service)
            selected[service->index] = true;
    }
    if (!fine) {
        free(selected);
        return;
    }
    for (size_t i = 0; i < orchestrator->services.count; i++)
        if (selected[i])
            service_ask_anew(orchestrator->services.items[i]);
    if (request->service_names.count) {
        plan_add_dependencies(&orchestrator->plan, selected);
    } else {
        for (size_t i = 0; i < orchestrator->services.count; i++)
            selected[i] = !orchestrator->services.items[i]->config->disabled;
        skip_disabled(orchestrator);
    }
    call_act(call, request->force ? ACTION_RESTART : ACTION_START, selected, -1, false,
             answer_start_all);
}

static void answer_start(Call *call, const Action *action) {
    RtStartAllResponse results = {0};
    Arena arena = {0};
    add_results(action, &results, &arena);
    RtStartServiceResponse response = {.success = results.success};
    memcpy(&response.results, &results.results, sizeof response.results);
    call_reply(call, &response);
    arena_done(&arena);
}

static void start_service(Call *call, const void *message) {
    const RtStartServiceRequest *request = message;
    Orchestrator *orchestrator = orchestrator_of_call(call);
    Service *service = call_may_start(call) ? call_find_service(call, request->service_name) : NULL;
    if (!service)
        return;
    service_ask_anew(service);
    bool *selected = call_select(orchestrator);
    selected[service->index] = true;
    if (!request->without_dependencies)
        plan_add_dependencies(&orchestrator->plan, selected);
    call_act(call, ACTION_START, selected, -1, false, answer_start);
}

/* The first that did not come up, in a status; else nothing. */
static void answer_restart(Call *call, const Action *action) {
    for (size_t i = 0; i < action->members.count; i++) {
        const RtServiceStartResult *result = &action->members.items[i].result;
        if (!result->success) {
            call_fail(call, STATUS_FAILED_PRECONDITION, "%.*s was not started again: %.*s",
                      SPAN_ARGS(result->name), SPAN_ARGS(result->error));
            return;
        }
    }
    call_reply(call, &(RtEmpty){0});
}

static void restart_service(Call *call, const void *message) {
    const RtServiceRequest *request = message;
    Orchestrator *orchestrator = orchestrator_of_call(call);
    Service *service = call_may_start(call) ? call_find_service(call, request->service_name) : NULL;
    int64_t only;
    if (!service || !call_find_instance(call, service, request->instance_id, &only))
        return;
    if (service->config->kind == RT_SERVICE_KIND_BUILTIN) {
        call_fail(call, STATUS_FAILED_PRECONDITION,
                  "%s is a part of the runtime: restart that instead", service->name);
        return;
    }
    bool *selected = call_select(orchestrator);
    selected[service->index] = true;
    if (request->with_dependants)
        select_running_dependants(orchestrator, service, selected);
    service_event(service, RT_SERVICE_EVENT_TYPE_RESTARTING, call_actor(call), "is restarted%s",
                  request->with_dependants ? ", with those that depend on it" : "");
    call_act(call, ACTION_RESTART, selected, only, false, answer_restart);
}

/* ---- stopping ---- */

static void answer_stop_all(Call *call, const Action *action) {
    action->orchestrator->stopping = false;
    call_reply(call, &(RtEmpty){0});
}

static void stop_all(Call *call, const void *message) {
    (void)message;
    Orchestrator *orchestrator = orchestrator_of_call(call);
    bool *selected = call_select(orchestrator);
    memset(selected, true, orchestrator->services.count);
    orchestrator->stopping = true;
    call_act(call, ACTION_STOP, selected, -1, false, answer_stop_all);
}

static void answer_stop(Call *call, const Action *action) {
    RtStopServiceResponse response = {0};
    Arena arena = {0};
    for (size_t i = 0; i < action->stopped_count; i++)
        *(Span *)schema_append(&response.stopped, &arena) =
            span_of(action->members.items[action->stopped[i]].name);
    call_reply(call, &response);
    arena_done(&arena);
}

/* Dependencies that only those use which are stopped anyway. */
static void add_unneeded_dependencies(Orchestrator *orchestrator, const Service *service,
                                      bool *selected) {
    size_t count = orchestrator->services.count;
    bool *needed = call_select(orchestrator);
    needed[service->index] = true;
    plan_add_dependencies(&orchestrator->plan, needed);
    for (size_t i = 0; i < count; i++)
        selected[i] |= needed[i];
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            const PlanNode *node = &orchestrator->plan.nodes.items[i];
            for (size_t e = 0; !selected[i] && node->present && e < node->edges.count; e++) {
                uint32_t to = node->edges.items[e].to;
                if (to == service->index || !selected[to] ||
                    node->edges.items[e].kind == RT_DEPENDENCY_KIND_OPTIONAL)
                    continue;
                /* Somebody who stays needs it; so it stays, with what it needs itself. */
                selected[to] = false;
                more = true;
            }
        }
    }
    free(needed);
}

static void stop_service(Call *call, const void *message) {
    const RtStopServiceRequest *request = message;
    Orchestrator *orchestrator = orchestrator_of_call(call);
    Service *service = call_find_service(call, request->service_name);
    int64_t only;
    if (!service || !call_find_instance(call, service, request->instance_id, &only))
        return;
    bool *selected = call_select(orchestrator);
    selected[service->index] = true;
    if (request->with_dependants)
        plan_add_dependants(&orchestrator->plan, true, selected);
    if (request->with_dependencies)
        add_unneeded_dependencies(orchestrator, service, selected);
    call_act(call, ACTION_STOP, selected, only, request->force, answer_stop);
}

/* ---- instances ---- */

static void answer_scale(Call *call, const Action *action) {
    const Service *service = action->members.items[0].service;
    const RtServiceStartResult *result = &action->members.items[0].result;
    Arena arena = {0};
    RtScaleResponse response = {.service = schema_new(&RtServiceStatus_type, &arena)};
    if (!service || (service->replicas && !result->success)) {
        call_fail(call, STATUS_FAILED_PRECONDITION, "not all instances came up: %.*s",
                  SPAN_ARGS(result->error));
    } else {
        service_fill(service, response.service, &arena);
        call_reply(call, &response);
    }
    arena_done(&arena);
}

static bool can_scale(Call *call, const Service *service, int32_t replicas) {
    const ServiceConfig *config = service->config;
    if (replicas < 0 || replicas > REPLICAS_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "replicas is %d: it is 0 to %d", replicas,
                  REPLICAS_MAX);
        return false;
    }
    if (config->kind == RT_SERVICE_KIND_EXTERNAL || config->kind == RT_SERVICE_KIND_BUILTIN) {
        call_fail(call, STATUS_FAILED_PRECONDITION, "%s is not started by the orchestrator",
                  service->name);
        return false;
    }
    for (size_t i = 0; replicas > 1 && i < config->ports.count; i++) {
        const ConfigPort *port = &config->ports.items[i];
        if (!port->number || port->per_replica)
            continue;
        call_fail(call, STATUS_FAILED_PRECONDITION,
                  "%s listens on port %u, which only one instance can have: give it a port of 0, "
                  "or per_replica: true, to run several",
                  service->name, port->number);
        return false;
    }
    return true;
}

static void scale(Call *call, const void *message) {
    const RtScaleRequest *request = message;
    Service *service = call_may_start(call) ? call_find_service(call, request->service_name) : NULL;
    if (!service || !can_scale(call, service, request->replicas))
        return;
    service_event(service, RT_SERVICE_EVENT_TYPE_SCALED, call_actor(call),
                  "from %u to %d instances", service->replicas, request->replicas);
    service_set_replicas(service, (uint32_t)request->replicas, call_actor(call));
    bool *selected = call_select(service->orchestrator);
    selected[service->index] = true;
    call_act(call, ACTION_START, selected, -1, false, answer_scale);
}

/* Counts the answers of several instances. */
typedef struct Delivery {
    RpcServer *server;
    CallRef call;
    uint32_t waiting;
    int32_t delivered;
} Delivery;

static void delivery_look(Delivery *delivery) {
    if (delivery->waiting)
        return;
    Call *call = call_find(delivery->server, delivery->call);
    if (call && delivery->delivered)
        call_reply(call, &(RtSignalResponse){.delivered = delivery->delivered});
    else if (call)
        call_fail(call, STATUS_FAILED_PRECONDITION, "no process of it runs");
    free(delivery);
}

static void on_delivered(void *owner, int result) {
    Delivery *delivery = owner;
    delivery->waiting--;
    delivery->delivered += result > 0 ? result : 0;
    delivery_look(delivery);
}

static void deliver(Delivery *delivery, Instance *instance, int signal, bool whole_tree) {
    Orchestrator *orchestrator = instance->service->orchestrator;
    Life *life = instance->life;
    if (!life || !life->running || (life->exited && !whole_tree))
        return;
    if (life->foreign) {
        delivery->delivered += orchestrator->options.machine->signal(&life->identity, signal) == 0;
        return;
    }
    if (process_signal(orchestrator->host, span_of(life->child.id), signal,
                       whole_tree ? PROCESS_TREE : PROCESS_SELF, on_delivered, delivery) == 0)
        delivery->waiting++;
}

static void signal_service(Call *call, const void *message) {
    const RtSignalRequest *request = message;
    Service *service = call_find_service(call, request->service_name);
    int64_t only;
    int32_t number;
    if (!service || !call_find_instance(call, service, request->instance_id, &only))
        return;
    if (!parse_signal(request->signal, &number)) {
        call_fail(call, STATUS_INVALID_ARGUMENT,
                  "'%.*s' is not a signal: write it as HUP, SIGHUP or 1",
                  SPAN_ARGS(request->signal));
        return;
    }
    Delivery *delivery = calloc(1, sizeof *delivery);
    *delivery = (Delivery){service->orchestrator->options.server, call_ref(call), 1, 0};
    for (size_t i = 0; i < service->instances.count; i++)
        if (only < 0 || only == (int64_t)i)
            deliver(delivery, service->instances.items[i], number, request->whole_tree);
    service_event(service, RT_SERVICE_EVENT_TYPE_SIGNALLED, call_actor(call), "was sent %.*s",
                  SPAN_ARGS(request->signal));
    delivery->waiting--;
    delivery_look(delivery);
}

/* ---- looking ---- */

static RtRevision revision_of(const Orchestrator *orchestrator) {
    return (RtRevision){
        .epoch = (int64_t)watch_epoch(orchestrator->watch),
        .number = (int64_t)watch_number(orchestrator->watch),
    };
}

static void get_status(Call *call, const void *message) {
    (void)message;
    Orchestrator *orchestrator = orchestrator_of_call(call);
    RtOrchestratorStatus status;
    RtRevision revision = revision_of(orchestrator);
    Arena arena = {0};
    resources_asked(orchestrator);
    orchestrator_fill(orchestrator, &status, &arena);
    status.revision = &revision;
    for (size_t i = 0; i < orchestrator->services.count; i++)
        service_fill(orchestrator->services.items[i], schema_append(&status.services, &arena),
                     &arena);
    call_reply(call, &status);
    arena_done(&arena);
}

static void get_service(Call *call, const void *message) {
    const RtGetServiceRequest *request = message;
    Orchestrator *orchestrator = orchestrator_of_call(call);
    const Service *service = call_find_service(call, request->service_name);
    if (!service)
        return;
    RtServiceStatus status;
    RtRevision revision = revision_of(orchestrator);
    Arena arena = {0};
    resources_asked(orchestrator);
    service_fill(service, &status, &arena);
    call_reply(call, &(RtGetServiceResponse){.service = &status, .revision = &revision});
    arena_done(&arena);
}

static void watch_services(Call *call, const void *message) {
    watching_serve(orchestrator_of_call(call), call, message);
}

static void watch_events(Call *call, const void *message) {
    history_watch_events(orchestrator_of_call(call)->history, call, message);
}

static void watch_events_closed(Call *call, StatusCode code) {
    (void)code;
    history_watch_closed(call);
}

static void list_events(Call *call, const void *message) {
    Orchestrator *orchestrator = orchestrator_of_call(call);
    history_list_events(orchestrator->history, orchestrator->options.server, call, message);
}

static void list_runs(Call *call, const void *message) {
    Orchestrator *orchestrator = orchestrator_of_call(call);
    history_list_runs(orchestrator->history, orchestrator->options.server, call, message);
}

static const MethodHandler HANDLERS[] = {
    [RtOrchestratorService_StartAllServices] = {.message = start_all},
    [RtOrchestratorService_StopAllServices] = {.message = stop_all},
    [RtOrchestratorService_RestartService] = {.message = restart_service},
    [RtOrchestratorService_GetOrchestratorStatus] = {.message = get_status},
    [RtOrchestratorService_GetService] = {.message = get_service},
    [RtOrchestratorService_WatchServices] = {.message = watch_services,
                                             .writable = watch_call_writable,
                                             .closed = watch_call_closed},
    [RtOrchestratorService_StartService] = {.message = start_service},
    [RtOrchestratorService_StopService] = {.message = stop_service},
    [RtOrchestratorService_Scale] = {.message = scale},
    [RtOrchestratorService_Signal] = {.message = signal_service},
    [RtOrchestratorService_RunCommand] = {.message = call_run_command,
                                          .writable = call_run_command_writable,
                                          .closed = call_run_command_closed},
    [RtOrchestratorService_WatchEvents] = {.message = watch_events,
                                           .writable = history_watch_writable,
                                           .closed = watch_events_closed},
    [RtOrchestratorService_ListEvents] = {.message = list_events},
    [RtOrchestratorService_ListRuns] = {.message = list_runs},
    [RtOrchestratorService_GetConfiguration] = {.message = call_get_configuration},
    [RtOrchestratorService_CheckConfiguration] = {.message = call_check_configuration},
    [RtOrchestratorService_ApplyConfiguration] = {.message = call_apply_configuration},
    [RtOrchestratorService_AttachOutput] = {.message = call_attach_output,
                                            .writable = logs_output_writable,
                                            .closed = logs_output_closed},
    [RtOrchestratorService_SendInput] = {.message = call_send_input},
    [RtOrchestratorService_ResizeTerminal] = {.message = call_resize_terminal},
};

const RpcService *orchestrator_rpc(Orchestrator *orchestrator) {
    orchestrator->rpc = (RpcService){&RtOrchestratorService_service, HANDLERS, orchestrator};
    return &orchestrator->rpc;
}
