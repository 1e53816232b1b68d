/* What the broker hears of its providers, and whom it tells of its offers. */
#include <assert.h>

#include "base/log.h"
#include "runtime/v1/service.pb.h"
#include "schema/codec.h"
#include "services/broker/service.h"

#define QUEUE 65536 /* events of the bus that may wait */

bool broker_find_provider(const BrokerBinding *binding, Span service_id, BrokerProvider *ret) {
    TopologyInstance instance;
    if (!topology_find(binding->topology, service_id, &instance) ||
        instance.state == RT_CONNECTION_STATE_DEAD || !span_equal(instance.service_id, service_id))
        return false;
    *ret = (BrokerProvider){
        .service_id = instance.service_id,
        .service_name = instance.service_name,
        .instance_id = instance.instance_id,
        .host = instance.host,
        .health = health_monitor_instance(binding->health, service_id),
    };
    return true;
}

double broker_provider_load(void *owner, Span service_id) {
    const BrokerBinding *binding = owner;
    return topology_load(binding->topology, service_id);
}

/* ---- what comes in ---- */

static void on_state(void *owner, const TopologyInstance *instance, RtConnectionState before) {
    BrokerBinding *binding = owner;
    (void)before;
    if (instance->state == RT_CONNECTION_STATE_DEAD && !binding->stopped)
        broker_provider_gone(binding->broker, instance->service_id);
}

static void on_gone(void *owner, const TopologyInstance *instance, TopologyEnd end) {
    BrokerBinding *binding = owner;
    (void)end;
    if (!binding->stopped)
        broker_provider_gone(binding->broker, instance->service_id);
}

static const TopologyListener LISTENER = {.state = on_state, .gone = on_gone};

static const void *read_event(BrokerBinding *binding, const Event *event,
                              const SchemaMessage *type) {
    void *decoded;
    arena_reset(&binding->scratch);
    if (!event->payload ||
        schema_decode(type, blob_span(event->payload), NULL, &binding->scratch, &decoded, NULL) < 0)
        return NULL;
    return decoded;
}

static void on_process_stopped(void *owner, const Event *event) {
    BrokerBinding *binding = owner;
    const RtServiceEvent *what = read_event(binding, event, &RtServiceEvent_type);
    if (what)
        broker_process_ended(binding->broker, what->instance_id);
}

static void on_process_state(void *owner, const Event *event) {
    BrokerBinding *binding = owner;
    const RtServiceEvent *what = read_event(binding, event, &RtServiceEvent_type);
    if (what && what->state == RT_SERVICE_STATE_STOPPING)
        broker_process_stopping(binding->broker, what->instance_id);
}

static void on_health(void *owner, const Event *event) {
    BrokerBinding *binding = owner;
    const RtHealthEvent *what = read_event(binding, event, &RtHealthEvent_type);
    for (uint32_t i = 0; what && what->status && i < what->status->instances.count; i++) {
        const RtHealthStatus *one = &what->status->instances.items[i];
        broker_provider_health(binding->broker, one->service_id, (RtHealthState)one->state);
    }
}

static void on_missed(void *owner, uint64_t count, uint64_t first, uint64_t last) {
    (void)owner, (void)first, (void)last;
    log_warn("the broker has missed events of services", log_int("count", (int64_t)count));
}

static const EventHandler STOPPED = {on_process_stopped, on_missed};
static const EventHandler STATE = {on_process_state, on_missed};
static const EventHandler HEALTH = {on_health, on_missed};

/* ---- what goes out ---- */

static const char *const TOPICS[] = {
    [BROKER_REGISTERED] = "broker.instance.registered",
    [BROKER_CHANGED] = "broker.instance.changed",
    [BROKER_REMOVED] = "broker.instance.removed",
};

void broker_tell(void *owner, BrokerChange change, const RtBrokerInstance *offer) {
    BrokerBinding *binding = owner;
    size_t size = schema_size(&RtBrokerInstance_type, offer);
    Blob *payload = blob_new(size);
    schema_encode_into(&RtBrokerInstance_type, offer, payload->bytes, payload->bytes + size);
    event_bus_publish(binding->bus, span_of(TOPICS[change]), payload);
    blob_unref(payload);
    broker_watches_changed(binding->watches, offer->name);
    if (!offer->service_name.len)
        return;
    broker_watches_changed(binding->watches, offer->service_name);
    topology_set_usable(binding->topology, offer->service_name,
                        (uint32_t)broker_usable_providers(binding->broker, offer->service_name));
}

/* ---- all of it ---- */

static void subscribe(BrokerBinding *binding, int at, Span pattern, const EventHandler *handler) {
    int result = event_bus_subscribe(binding->bus, pattern, QUEUE, handler, binding,
                                     &binding->subscriptions[at]);
    assert(result == 0);
    (void)result;
}

void broker_signs_start(BrokerBinding *binding) {
    topology_listen(binding->topology, &LISTENER, binding);
    subscribe(binding, 0, SPAN("process.stopped"), &STOPPED);
    subscribe(binding, 1, SPAN("supervisor.state.**"), &STATE);
    subscribe(binding, 2, SPAN("service.health.**"), &HEALTH);
}

void broker_signs_stop(BrokerBinding *binding) {
    binding->stopped = true;
    for (size_t i = 0; i < sizeof binding->subscriptions / sizeof *binding->subscriptions; i++)
        if (binding->subscriptions[i])
            event_bus_unsubscribe(binding->subscriptions[i]);
}
