/* Which registration with the topology belongs to which instance: heard of by the bus. */
#include "runtime/v1/topology.pb.h"
#include "schema/codec.h"
#include "services/orchestrator/internal.h"

#define CAPACITY 1000

static void on_registered(void *owner, const Event *event) {
    Orchestrator *orchestrator = owner;
    Arena arena = {0};
    void *decoded;
    if (event->payload && schema_decode(&RtTopologyInstance_type, blob_span(event->payload), NULL,
                                        &arena, &decoded, NULL) == 0) {
        const RtTopologyInstance *node = decoded;
        const Child *child = map_get(&orchestrator->children, node->instance_id);
        Instance *instance = child ? life_instance_of(child) : NULL;
        if (instance) {
            buf_clear(&instance->service_id);
            buf_add(&instance->service_id, node->service_id);
            service_changed(instance->service);
        }
    }
    arena_done(&arena);
}

static const EventHandler HANDLER = {.event = on_registered};

void registrations_begin(Orchestrator *orchestrator) {
    event_bus_subscribe(orchestrator->options.bus, SPAN("topology.instance.registered"), CAPACITY,
                        &HANDLER, orchestrator, &orchestrator->registrations);
}

void registrations_end(Orchestrator *orchestrator) {
    if (orchestrator->registrations)
        event_bus_unsubscribe(orchestrator->registrations);
}
