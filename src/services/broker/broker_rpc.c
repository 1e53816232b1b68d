/* BrokerService: the broker's calls. */
#include <stdio.h>

#include "services/broker/service.h"

static void reply_or_fail(Call *call, Status status, const void *response) {
    if (status.code == STATUS_OK)
        call_reply(call, response);
    else
        call_finish(call, status);
}

/* ---- offers ---- */

static void register_instance(Call *call, const void *message) {
    const RtRegisterInstanceRequest *request = message;
    BrokerBinding *binding = call_service(call);
    Nanos now = world_now(binding->world), wall = world_wall(binding->world);
    BrokerProvider provider;
    bool provided = request->service_id.len > 0;
    if (provided && !broker_find_provider(binding, request->service_id, &provider)) {
        call_fail(call, STATUS_NOT_FOUND,
                  "service_id: there is no instance '%.*s', or not any more: register with "
                  "TopologyService.RegisterService first",
                  SPAN_ARGS(request->service_id));
        return;
    }
    RtRegisterInstanceResponse response;
    Status status = broker_register(binding->broker, request, provided ? &provider : NULL, now,
                                    wall, call_arena(call), &response);
    reply_or_fail(call, status, &response);
}

static void renew_instance(Call *call, const void *message) {
    BrokerBinding *binding = call_service(call);
    RtRenewInstanceResponse response;
    Status status = broker_renew(binding->broker, message, world_now(binding->world),
                                 world_wall(binding->world), call_arena(call), &response);
    reply_or_fail(call, status, &response);
}

static void deregister_instance(Call *call, const void *message) {
    const RtDeregisterInstanceRequest *request = message;
    BrokerBinding *binding = call_service(call);
    RtDeregisterInstanceResponse response = {
        .existed = broker_deregister(binding->broker, request->registration_id)};
    call_reply(call, &response);
}

static void list_instances(Call *call, const void *message) {
    BrokerBinding *binding = call_service(call);
    RtListInstancesResponse response;
    broker_list(binding->broker, message, call_arena(call), &response);
    call_reply(call, &response);
}

/* ---- lookups ---- */

/* The entry that the specification shows: "[broker] req-123 Lookup CalculatorService". */
static void log_lookup(const BrokerBinding *binding, const RtLookupServiceRequest *request,
                       Span correlation, Status status, uint32_t found) {
    char text[BROKER_NAME_MAX + 64];
    Span name = request->name;
    int cut = name.len < BROKER_NAME_MAX ? (int)name.len : BROKER_NAME_MAX;
    int len = snprintf(text, sizeof text, "Lookup %.*s%s", cut, name.ptr,
                       status.code != STATUS_OK ? ": nobody has offered it"
                       : !found                 ? ": nobody is usable"
                                                : "");
    logs_write(binding->logs, &(RtLogEntry){
                                  .service_name = SPAN("broker"),
                                  .level = status.code == STATUS_OK && found ? RT_LOG_LEVEL_INFO
                                                                             : RT_LOG_LEVEL_WARN,
                                  .message = span(text, (size_t)len),
                                  .correlation_id = correlation,
                                  .stream = RT_LOG_STREAM_STRUCTURED,
                              });
}

/* The caller's machine, for the policy that prefers it. */
static Span host_of(BrokerBinding *binding, Call *call, const RtLookupServiceRequest *request) {
    BrokerProvider caller;
    if (request->host.len)
        return request->host;
    if (request->service_id.len && broker_find_provider(binding, request->service_id, &caller))
        return caller.host;
    return call_peer(call)->address;
}

/* The path of discovery: to those that were found. */
static void note_lookup(BrokerBinding *binding, const RtLookupServiceRequest *request,
                        const RtLookupServiceResponse *response, Arena *arena) {
    Span *names = arena_alloc(arena, (response->instances.count + 1) * sizeof *names);
    size_t count = 0;
    for (uint32_t i = 0; i < response->instances.count; i++) {
        Span name = response->instances.items[i].service_name;
        if (name.len && (!count || !span_equal(names[count - 1], name)))
            names[count++] = name;
    }
    topology_note_lookup(binding->topology, request->service_id, request->name, names, count);
}

static void lookup_service(Call *call, const void *message) {
    const RtLookupServiceRequest *request = message;
    BrokerBinding *binding = call_service(call);
    Span correlation =
        request->correlation_id.len ? request->correlation_id : call_correlation(call);
    RtLookupServiceResponse response = {0};
    Span host = request->policy == RT_BALANCING_POLICY_ROUND_ROBIN || request->sticky_key.len
                    ? (Span){0}
                    : host_of(binding, call, request);
    Status status = broker_lookup(binding->broker, request, host, call_arena(call), &response);
    if (correlation.len)
        log_lookup(binding, request, correlation, status, response.instances.count);
    if (request->service_id.len && status.code == STATUS_OK)
        note_lookup(binding, request, &response, call_arena(call));
    reply_or_fail(call, status, &response);
}

static void watch_service(Call *call, const void *message) {
    BrokerBinding *binding = call_service(call);
    broker_watch_serve(binding->watches, call, message);
}

static const MethodHandler HANDLERS[] = {
    [RtBrokerService_RegisterInstance] = {.message = register_instance},
    [RtBrokerService_RenewInstance] = {.message = renew_instance},
    [RtBrokerService_DeregisterInstance] = {.message = deregister_instance},
    [RtBrokerService_ListInstances] = {.message = list_instances},
    [RtBrokerService_LookupService] = {.message = lookup_service},
    [RtBrokerService_WatchService] = {.message = watch_service,
                                      .writable = broker_watch_writable,
                                      .closed = broker_watch_closed},
};

void broker_rpc_init(BrokerBinding *binding) {
    binding->rpc = (RpcService){&RtBrokerService_service, HANDLERS, binding};
}
