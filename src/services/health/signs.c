/* Where signs of health come from: the topology, and the orchestrator's events on the bus; and whom
 * changes are told to. */
#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "config/config.h"
#include "runtime/v1/service.pb.h"
#include "schema/codec.h"
#include "services/health/binding.h"
#include "services/health/verdict.h"

#define QUEUE 65536 /* events of the bus that may wait */

int64_t health_now(const HealthBinding *binding) {
    return world_wall(binding->world) / NANOS_PER_MILLI;
}

int64_t health_steady(const HealthBinding *binding) {
    return (world_now(binding->world) - world_wheel(binding->world)->postponed) / NANOS_PER_MILLI;
}

static void tell_soon(HealthBinding *binding) {
    world_defer(binding->world, &binding->tell);
}

/* ---- signs of life ---- */

static HealthSubject subject_of(const TopologyInstance *instance) {
    return (HealthSubject){instance->service_name, instance->service_id, instance->instance_id};
}

static void set_liveness(HealthBinding *binding, const TopologyInstance *instance) {
    HealthSubject subject = subject_of(instance);
    char message[96] = "";
    int32_t missed = instance->state == RT_CONNECTION_STATE_STALE  ? instance->stale_after
                     : instance->state == RT_CONNECTION_STATE_DEAD ? instance->dead_after
                                                                   : 0;
    if (missed)
        snprintf(message, sizeof message, "no heartbeat for %g s",
                 (double)instance->interval_ms * missed / 1000);
    health_sign(binding->monitor, &subject, RT_HEALTH_SOURCE_LIVENESS,
                health_of_liveness(instance->state), span_of(message), health_now(binding));
    tell_soon(binding);
}

static void on_registered(void *owner, const TopologyInstance *instance) {
    HealthBinding *binding = owner;
    set_liveness(binding, instance);
    Beats *beats = health_beats_of(binding->monitor, instance->service_id);
    if (beats)
        beats_begin(beats, instance->interval_ms, instance->dead_after, health_steady(binding));
}

static void on_beat(void *owner, const TopologyInstance *instance, const RtHeartbeatRequest *beat) {
    HealthBinding *binding = owner;
    int64_t now = health_now(binding);
    double latency = beat->has_round_trip_us ? (double)beat->round_trip_us / 1000 : -1;
    Beats *beats = health_beats_of(binding->monitor, instance->service_id);
    if (beats)
        beats_came(beats, latency, health_steady(binding), now);
    if (!beat->health)
        return;
    HealthSubject subject = subject_of(instance);
    health_sign(binding->monitor, &subject, RT_HEALTH_SOURCE_REPORT,
                (RtHealthState)beat->health->state, beat->health->message, now);
    tell_soon(binding);
}

static void on_state(void *owner, const TopologyInstance *instance, RtConnectionState before) {
    HealthBinding *binding = owner;
    (void)before;
    /* That its process has exited says more than that it has no heartbeat, and comes by itself. */
    bool exited = instance->state == RT_CONNECTION_STATE_DEAD && !instance->process &&
                  health_is_managed(binding->monitor, instance->service_name);
    if (!exited)
        set_liveness(binding, instance);
}

static void on_gone(void *owner, const TopologyInstance *instance, TopologyEnd end) {
    HealthBinding *binding = owner;
    (void)end;
    Span id = instance->service_id.len ? instance->service_id : instance->instance_id;
    health_instance_gone(binding->monitor, id, health_now(binding));
    tell_soon(binding);
}

static const TopologyListener LISTENER = {
    .registered = on_registered,
    .beat = on_beat,
    .state = on_state,
    .gone = on_gone,
};

/* ---- the orchestrator's events ---- */

static const RtServiceEvent *read_event(HealthBinding *binding, const Event *event) {
    void *decoded;
    arena_reset(&binding->scratch);
    if (!event->payload || schema_decode(&RtServiceEvent_type, blob_span(event->payload), NULL,
                                         &binding->scratch, &decoded, NULL) < 0)
        return NULL;
    tell_soon(binding);
    return decoded;
}

static void on_missed(void *owner, uint64_t count, uint64_t first, uint64_t last) {
    (void)owner, (void)first, (void)last;
    log_warn("health has missed events of services", log_int("count", (int64_t)count));
}

static void on_process_started(void *owner, const Event *event) {
    HealthBinding *binding = owner;
    const RtServiceEvent *what = read_event(binding, event);
    if (what)
        health_process_started(binding->monitor, what->service, what->instance_id,
                               health_now(binding));
}

static void on_process_stopped(void *owner, const Event *event) {
    HealthBinding *binding = owner;
    const RtServiceEvent *what = read_event(binding, event);
    if (what)
        health_process_ended(binding->monitor, what->service, what->instance_id,
                             (RtServiceState)what->state, what->next_start_ms != 0, what->message,
                             health_now(binding));
}

/* Whether an instance in this state has a process. */
static bool runs(RtServiceState state) {
    switch (state) {
    case RT_SERVICE_STATE_STARTING:
    case RT_SERVICE_STATE_RUNNING:
    case RT_SERVICE_STATE_HEALTHY:
    case RT_SERVICE_STATE_UNHEALTHY:
    case RT_SERVICE_STATE_STOPPING:
    case RT_SERVICE_STATE_ADOPTED:
        return true;
    default:
        return false;
    }
}

static void on_process_state(void *owner, const Event *event) {
    HealthBinding *binding = owner;
    const RtServiceEvent *what = read_event(binding, event);
    if (!what || !what->service.len)
        return;
    RtServiceState state = (RtServiceState)what->state;
    RtHealthState health = health_of_process(state);
    health_managed(binding->monitor, what->service, health, what->message, health_now(binding));
    if (!what->instance_id.len || !runs(state))
        return;
    HealthSubject subject = {what->service, {0}, what->instance_id};
    Span words = health == RT_HEALTH_STATE_HEALTHY ? (Span){0} : what->message;
    health_sign(binding->monitor, &subject, RT_HEALTH_SOURCE_PROCESS, health, words,
                health_now(binding));
}

static void on_probe(void *owner, const Event *event) {
    HealthBinding *binding = owner;
    const RtServiceEvent *what = read_event(binding, event);
    if (!what || !what->service.len)
        return;
    HealthSubject subject = {what->service, {0}, what->instance_id};
    bool healthy = what->type == RT_SERVICE_EVENT_TYPE_HEALTHY;
    if (healthy || what->type == RT_SERVICE_EVENT_TYPE_UNHEALTHY)
        health_sign(binding->monitor, &subject, RT_HEALTH_SOURCE_PROBE,
                    healthy ? RT_HEALTH_STATE_HEALTHY : RT_HEALTH_STATE_UNHEALTHY,
                    healthy ? (Span){0} : what->message, health_now(binding));
}

/* A single one, which need not change anything. */
static void on_probed(void *owner, const Event *event) {
    HealthBinding *binding = owner;
    const RtServiceEvent *what = read_event(binding, event);
    Beats *beats = what ? health_beats_of(binding->monitor, what->instance_id) : NULL;
    double latency = what && what->has_probe_us ? (double)what->probe_us / 1000 : -1;
    if (beats)
        beats_probed(beats, what->type == RT_SERVICE_EVENT_TYPE_HEALTHY, latency,
                     health_steady(binding), health_now(binding));
}

static const EventHandler STARTED = {on_process_started, on_missed};
static const EventHandler STOPPED = {on_process_stopped, on_missed};
static const EventHandler STATE = {on_process_state, on_missed};
static const EventHandler PROBE = {on_probe, on_missed};
static const EventHandler PROBED = {on_probed, on_missed};

/* ---- rules ---- */

/* Those of its configuration, else the usual ones. */
static HealthRules rules_of(const HealthBinding *binding, Span service_name) {
    const Config *config = binding->infrastructure->in_force->config;
    const ServiceConfig *service = config ? config_service(config, service_name) : NULL;
    if (!service)
        return HEALTH_RULES;
    const ConfigHealthRules *rules = &service->health;
    return (HealthRules){
        .p95_ms = rules->enabled ? (double)rules->latency / NANOS_PER_MILLI : 0,
        .error_rate = rules->enabled ? rules->error_rate : 0,
        .hold_ms = rules->window / NANOS_PER_MILLI,
        .least_calls = rules->minimum_calls,
    };
}

static void judge(HealthBinding *binding, Span service_name, const TopologyTraffic *from) {
    HealthTraffic traffic = {
        .seconds = from->seconds,
        .rps = from->rps,
        .error_rate = from->error_rate,
        .p95_ms = from->p95_ms,
    };
    HealthRules rules = rules_of(binding, service_name);
    health_judge_traffic(binding->monitor, service_name, &rules, &traffic, health_steady(binding),
                         health_now(binding));
}

static void on_called(void *owner, Span service_name) {
    HealthBinding *binding = owner;
    TopologyTraffic traffic;
    if (topology_traffic(binding->topology, service_name, &traffic))
        judge(binding, service_name, &traffic);
}

/* Those that nobody calls any more heal. */
static void judge_the_quiet(HealthBinding *binding) {
    TopologyTraffic traffic, none = {.p95_ms = -1};
    LIST_EACH (&binding->monitor->judged, link) {
        Span name = health_service_name(CONTAINER(link, HealthService, judged));
        if (!topology_traffic(binding->topology, name, &traffic))
            judge(binding, name, &none);
    }
}

static void on_second(Timer *timer) {
    HealthBinding *binding = CONTAINER(timer, HealthBinding, second);
    topology_each_called(binding->topology, on_called, binding);
    judge_the_quiet(binding);
    tell_soon(binding);
    wheel_arm(world_wheel(binding->world), timer, world_now(binding->world) + NANOS_PER_SECOND);
}

/* ---- telling ---- */

static HealthServing serving_of(const HealthService *service) {
    if (service->is_gone)
        return HEALTH_SERVICE_UNKNOWN;
    if (service->state == RT_HEALTH_STATE_HEALTHY || service->state == RT_HEALTH_STATE_DEGRADED)
        return HEALTH_SERVING;
    return service->state == RT_HEALTH_STATE_HEALTH_UNKNOWN ? HEALTH_SERVING_UNKNOWN
                                                            : HEALTH_NOT_SERVING;
}

static void publish(HealthBinding *binding, const HealthService *service,
                    const RtHealthStatus *status) {
    RtHealthEvent event = {
        .status = (RtHealthStatus *)status,
        .previous_state = service->before,
        .removed = service->is_gone,
    };
    size_t size = schema_size(&RtHealthEvent_type, &event);
    Blob *payload = blob_new(size);
    schema_encode_into(&RtHealthEvent_type, &event, payload->bytes, payload->bytes + size);
    Buf topic = {.arena = &binding->scratch};
    buf_printf(&topic, "service.health.%.*s", SPAN_ARGS(status->service_name));
    /* A name that cannot be a topic has nobody who waits for it. */
    event_bus_publish(binding->bus, buf_span(&topic), payload);
    blob_unref(payload);
}

static void tell_watchers(HealthBinding *binding, HealthService *service) {
    if (service->is_gone)
        watch_remove(binding->watch, &service->watch);
    else if (watch_has(&service->watch))
        watch_changed(binding->watch, &service->watch);
    else
        watch_add(binding->watch, &service->watch, 0);
}

static void tell(Task *task) {
    HealthBinding *binding = CONTAINER(task, HealthBinding, tell);
    for (HealthService *service; (service = health_next_change(binding->monitor));) {
        arena_reset(&binding->scratch);
        RtHealthStatus status = health_status(service, true, &binding->scratch);
        health_told(service);
        topology_set_health(binding->topology, &status);
        publish(binding, service, &status);
        tell_watchers(binding, service);
        health_set(binding->infrastructure->serving, status.service_name, serving_of(service));
    }
}

/* ---- all of it ---- */

static void subscribe(HealthBinding *binding, int at, Span pattern, const EventHandler *handler) {
    int result = event_bus_subscribe(binding->bus, pattern, QUEUE, handler, binding,
                                     &binding->subscriptions[at]);
    assert(result == 0);
    (void)result;
}

void health_signs_start(HealthBinding *binding) {
    binding->tell.run = tell;
    binding->second.fire = on_second;
    topology_listen(binding->topology, &LISTENER, binding);
    subscribe(binding, 0, SPAN("process.started"), &STARTED);
    subscribe(binding, 1, SPAN("process.stopped"), &STOPPED);
    subscribe(binding, 2, SPAN("supervisor.state.**"), &STATE);
    subscribe(binding, 3, SPAN("supervisor.health.**"), &PROBE);
    subscribe(binding, 4, SPAN("supervisor.probe.**"), &PROBED);
    on_second(&binding->second);
}

void health_signs_stop(HealthBinding *binding) {
    wheel_cancel(world_wheel(binding->world), &binding->second);
    world_undefer(&binding->tell);
    for (size_t i = 0; i < sizeof binding->subscriptions / sizeof *binding->subscriptions; i++) {
        if (binding->subscriptions[i])
            event_bus_unsubscribe(binding->subscriptions[i]);
        binding->subscriptions[i] = NULL;
    }
}
