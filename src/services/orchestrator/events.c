/* Telling what happened: to the history, and to the rest of the runtime by the bus. */
#include <stdio.h>
#include <stdlib.h>

#include "schema/codec.h"
#include "services/orchestrator/internal.h"
#include "services/orchestrator/probe/probe.h"

void put_duration(Buf *out, Nanos duration) {
    int64_t ms = duration / NANOS_PER_MILLI, seconds = duration / NANOS_PER_SECOND;
    if (ms < 1000)
        buf_printf(out, "%lld ms", (long long)ms);
    else if (seconds < 60)
        buf_printf(out, "%.3g s", (double)ms / 1000);
    else if (seconds < 3600)
        buf_printf(out, "%lld min %lld s", (long long)seconds / 60, (long long)seconds % 60);
    else
        buf_printf(out, "%lld h %lld min", (long long)seconds / 3600, (long long)seconds / 60 % 60);
}

static void publish(Orchestrator *orchestrator, const char *prefix, Span name,
                    const RtServiceEvent *event) {
    Arena arena = {0};
    Span bytes;
    Buf topic = {.arena = &arena};
    buf_add(&topic, span_of(prefix));
    buf_add(&topic, name);
    if (schema_encode(&RtServiceEvent_type, event, 0, &arena, &bytes) == 0) {
        Blob *payload = blob_copy(bytes);
        event_bus_publish(orchestrator->options.bus, buf_span(&topic), payload);
        blob_unref(payload);
    }
    arena_done(&arena);
}

static bool is_about_health(int32_t type) {
    return type == RT_SERVICE_EVENT_TYPE_HEALTHY || type == RT_SERVICE_EVENT_TYPE_UNHEALTHY ||
           type == RT_SERVICE_EVENT_TYPE_HEALTH_CHECK_FAILED;
}

static void tell(Orchestrator *orchestrator, RtServiceEvent *event) {
    history_add_event(orchestrator->history, event);
    if (is_about_health(event->type))
        publish(orchestrator, "supervisor.health.", event->service, event);
    if (event->type == RT_SERVICE_EVENT_TYPE_STARTED ||
        event->type == RT_SERVICE_EVENT_TYPE_ADOPTED)
        publish(orchestrator, "process.started", (Span){0}, event);
    if (event->type == RT_SERVICE_EVENT_TYPE_EXITED)
        publish(orchestrator, "process.stopped", (Span){0}, event);
    if (event->type == RT_SERVICE_EVENT_TYPE_CONFIGURATION_APPLIED)
        publish(orchestrator, "configuration.applied", (Span){0}, event);
}

static RtServiceEvent event_of(const Instance *instance, RtServiceEventType type, Span message) {
    return (RtServiceEvent){
        .type = (int32_t)type,
        .service = instance->service->config->name,
        .message = message,
        .instance_id = buf_span(&instance->last_id),
        .run = instance->run,
        .state = (int32_t)instance->state,
        .health = (int32_t)instance_health(instance->state),
        .actor = is_about_health(type) ? SPAN("health check") : buf_span(&instance->actor),
        .attempt = (int32_t)instance->attempts,
        .next_start_ms = instance->next_start / NANOS_PER_MILLI,
    };
}

void instance_event(Instance *instance, RtServiceEventType type, const char *format, ...) {
    Buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    RtServiceEvent event = event_of(instance, type, buf_span(&text));
    Arena arena = {0};
    if (type == RT_SERVICE_EVENT_TYPE_WAITING)
        instance_list_waits(instance, (SpanList *)&event.waiting_for, &arena);
    tell(instance->service->orchestrator, &event);
    arena_done(&arena);
    buf_done(&text);
}

void instance_event_exited(Instance *instance, Span how) {
    const Ending *ending = &instance->ending;
    Buf text = {0};
    buf_add(&text, how);
    if (instance->again && instance->pause) {
        buf_add_literal(&text, "; next attempt in ");
        put_duration(&text, instance->pause);
    }
    RtServiceEvent event = event_of(instance, RT_SERVICE_EVENT_TYPE_EXITED, buf_span(&text));
    event.has_exit_code = ending->known && !ending->signal;
    event.exit_code = event.has_exit_code ? ending->code : 0;
    event.has_exit_signal = ending->known && ending->signal;
    event.exit_signal = ending->signal;
    tell(instance->service->orchestrator, &event);
    buf_done(&text);
}

void service_event(Service *service, RtServiceEventType type, Span actor, const char *format, ...) {
    Buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    RtServiceEvent event = {
        .type = (int32_t)type,
        .service = service->config->name,
        .message = buf_span(&text),
        .state = (int32_t)service_state(service),
        .health = (int32_t)service_health(service),
        .actor = actor,
        .next_start_ms = service->next_run / NANOS_PER_MILLI,
    };
    tell(service->orchestrator, &event);
    buf_done(&text);
}

void orchestrator_event(Orchestrator *orchestrator, Span service, RtServiceEventType type,
                        const char *format, ...) {
    Buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    RtServiceEvent event = {
        .type = (int32_t)type,
        .service = service,
        .message = buf_span(&text),
    };
    tell(orchestrator, &event);
    buf_done(&text);
}

/* Every single probe: too many for the history, which has what they have led to. */
void instance_publish_probe(const Instance *instance, const ProbeResult *result) {
    RtServiceEventType type =
        result->passed ? RT_SERVICE_EVENT_TYPE_HEALTHY : RT_SERVICE_EVENT_TYPE_HEALTH_CHECK_FAILED;
    RtServiceEvent event = event_of(instance, type, result->message);
    event.has_probe_us = true;
    event.probe_us = result->latency / NANOS_PER_MICRO;
    publish(instance->service->orchestrator, "supervisor.probe.", event.service, &event);
}

/* A state by itself: no matter for the history, which has what led to it. */
void instance_publish_state(Instance *instance) {
    static const RtServiceEventType TYPES[INSTANCE_STATES] = {
        [RT_SERVICE_STATE_WAITING] = RT_SERVICE_EVENT_TYPE_WAITING,
        [RT_SERVICE_STATE_RUNNING] = RT_SERVICE_EVENT_TYPE_STARTED,
        [RT_SERVICE_STATE_HEALTHY] = RT_SERVICE_EVENT_TYPE_HEALTHY,
        [RT_SERVICE_STATE_UNHEALTHY] = RT_SERVICE_EVENT_TYPE_UNHEALTHY,
        [RT_SERVICE_STATE_BACKING_OFF] = RT_SERVICE_EVENT_TYPE_BACKING_OFF,
        [RT_SERVICE_STATE_STOPPING] = RT_SERVICE_EVENT_TYPE_STOPPING,
        [RT_SERVICE_STATE_STOPPED] = RT_SERVICE_EVENT_TYPE_STOPPED,
        [RT_SERVICE_STATE_COMPLETED] = RT_SERVICE_EVENT_TYPE_COMPLETED,
        [RT_SERVICE_STATE_FAILED] = RT_SERVICE_EVENT_TYPE_FAILED,
        [RT_SERVICE_STATE_SKIPPED] = RT_SERVICE_EVENT_TYPE_SKIPPED,
        [RT_SERVICE_STATE_ADOPTED] = RT_SERVICE_EVENT_TYPE_ADOPTED,
    };
    Span why = instance->error.len                             ? buf_span(&instance->error)
               : instance->state == RT_SERVICE_STATE_COMPLETED ? SPAN("completed")
                                                               : buf_span(&instance->reason);
    RtServiceEvent event = event_of(instance, TYPES[instance->state], why);
    event.timestamp = world_wall(instance->service->orchestrator->world) / NANOS_PER_MILLI;
    publish(instance->service->orchestrator, "supervisor.state.", instance->service->config->name,
            &event);
}
