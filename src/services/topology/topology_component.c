#include "services/topology/topology_component.h"

#include <stdlib.h>

#include "base/memory.h"
#include "config/config.h"
#include "core/event_bus.h"
#include "rpc/server.h"
#include "runtime/v1/orchestrator.pb.h"
#include "schema/codec.h"
#include "services/topology/internal.h"

#define CONTEXT_KEY "topology"
#define EVENTS_MAX  100000 /* of processes that wait to be heard of */

typedef struct TopologyBinding {
    Topology *topology;
    RpcService service;
    EventBus *bus;
    const ConfigInForce *in_force;
    Subscription *processes, *applied;
    Arena scratch; /* what settings point to */
} TopologyBinding;

static TopologyBinding *binding_of(const Context *context) {
    return context_get(context, CONTEXT_KEY);
}

Topology *topology_of(Context *context) {
    return binding_of(context)->topology;
}

/* ---- configuration ---- */

static void settings(void *owner, Span service_name, TopologySettings *ret) {
    TopologyBinding *binding = owner;
    const Config *config = binding->in_force->config;
    const ServiceConfig *service = config ? config_service(config, service_name) : NULL;
    if (!service)
        return;
    Arena *arena = &binding->scratch;
    arena_reset(arena);
    Span *names = arena_alloc(arena, service->labels.count * sizeof *names);
    Span *values = arena_alloc(arena, service->labels.count * sizeof *values);
    for (size_t i = 0; i < service->labels.count; i++) {
        names[i] = service->labels.items[i].name;
        values[i] = service->labels.items[i].value;
    }
    Span *services = arena_alloc(arena, service->dependencies.count * sizeof *services);
    int32_t *kinds = arena_alloc(arena, service->dependencies.count * sizeof *kinds);
    for (size_t i = 0; i < service->dependencies.count; i++) {
        services[i] = service->dependencies.items[i].service;
        kinds[i] = service->dependencies.items[i].kind;
    }
    *ret = (TopologySettings){
        .interval_ms = (int32_t)(service->topology.heartbeat_interval / NANOS_PER_MILLI),
        .stale_after = service->topology.stale_after,
        .dead_after = service->topology.dead_after,
        .namespace = service->namespace,
        .label_names = names,
        .label_values = values,
        .label_count = service->labels.count,
        .dependencies = services,
        .dependency_kinds = kinds,
        .dependency_count = service->dependencies.count,
        .managed =
            service->kind != RT_SERVICE_KIND_EXTERNAL && service->kind != RT_SERVICE_KIND_BUILTIN,
    };
}

/* ---- events ---- */

/* process.started, process.stopped: a ServiceEvent. */
static void on_process(void *owner, const Event *event) {
    TopologyBinding *binding = owner;
    Arena arena = {0};
    void *decoded;
    if (event->payload && schema_decode(&RtServiceEvent_type, blob_span(event->payload), NULL,
                                        &arena, &decoded, NULL) == 0) {
        const RtServiceEvent *said = decoded;
        if (span_equal(event->topic, SPAN("process.started")))
            topology_process_started(binding->topology, said->service, said->instance_id);
        else
            topology_process_stopped(binding->topology, said->service, said->instance_id,
                                     said->next_start_ms * NANOS_PER_MILLI);
    }
    arena_done(&arena);
}

static const EventHandler PROCESSES = {.event = on_process};

static void on_applied(void *owner, const Event *event) {
    topology_configure(((TopologyBinding *)owner)->topology);
}

static const EventHandler APPLIED = {.event = on_applied};

static void publish(TopologyBinding *binding, Span topic, const TopologyInstance *instance) {
    Arena arena = {0};
    Span encoded;
    RtTopologyInstance message = {
        .service_id = instance->service_id.len ? instance->service_id : instance->instance_id,
        .service_name = instance->service_name,
        .state = instance->state,
        .language = instance->language,
        .last_heartbeat = instance->last_heartbeat_ms,
        .service_type = instance->type,
        .version = instance->version,
        .address = instance->address,
        .host = instance->host,
        .instance_id = instance->instance_id,
        .registered_at_ms = instance->registered_at_ms,
        .heartbeat_interval_ms = instance->interval_ms,
        .timeout_multiplier = instance->dead_after,
    };
    if (schema_encode(&RtTopologyInstance_type, &message, 0, &arena, &encoded) == 0) {
        Blob *blob = blob_copy(encoded);
        event_bus_publish(binding->bus, topic, blob);
        blob_unref(blob);
    }
    arena_done(&arena);
}

static void on_registered(void *owner, const TopologyInstance *instance) {
    publish(owner, SPAN("topology.instance.registered"), instance);
}

static void on_gone(void *owner, const TopologyInstance *instance, TopologyEnd end) {
    publish(owner, SPAN("topology.instance.removed"), instance);
}

static const TopologyListener LISTENER = {.registered = on_registered, .gone = on_gone};

/* ---- the component ---- */

static void unload(Context *context) {
    TopologyBinding *binding = binding_of(context);
    topology_free(binding->topology);
    arena_done(&binding->scratch);
    free(binding);
}

static int load(Context *context, Buf *reason) {
    const Infrastructure *infrastructure = infrastructure_of(context);
    TopologyBinding *binding = xcalloc(1, sizeof *binding);
    char why[256];
    binding->bus = infrastructure->bus;
    binding->in_force = infrastructure->in_force;
    binding->topology = topology_new(infrastructure->world, &(TopologyOptions){
                                                                .server = infrastructure->server,
                                                                .epoch = infrastructure->epoch,
                                                                .settings = settings,
                                                                .settings_owner = binding,
                                                            });
    topology_listen(binding->topology, &LISTENER, binding);
    binding->service =
        (RpcService){&RtTopologyService_service, TOPOLOGY_METHODS, binding->topology};
    int result = rpc_server_add(infrastructure->server, &binding->service, why, sizeof why);
    if (result < 0) {
        buf_printf(reason, "%s", why);
        topology_free(binding->topology);
        free(binding);
        return result;
    }
    context_put(context, CONTEXT_KEY, binding);
    return 0;
}

static void start(Context *context, ComponentStep *step) {
    TopologyBinding *binding = binding_of(context);
    event_bus_subscribe(binding->bus, SPAN("process.{started,stopped}"), EVENTS_MAX, &PROCESSES,
                        binding, &binding->processes);
    event_bus_subscribe(binding->bus, SPAN("configuration.applied"), 1, &APPLIED, binding,
                        &binding->applied);
    component_done(step);
}

static void stop(Context *context, ComponentStep *step) {
    TopologyBinding *binding = binding_of(context);
    event_bus_unsubscribe(binding->processes);
    event_bus_unsubscribe(binding->applied);
    component_done(step);
}

const Component TOPOLOGY_COMPONENT = {
    .name = "topology",
    .description = "who is alive, and who talks to whom",
    .load = load,
    .start = start,
    .stop = stop,
    .unload = unload,
};
