#include "services/health/monitor.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"

/* ---- keys ---- */

Span health_service_name(const HealthService *service) {
    return span(service->name, service->name_len);
}
static Span service_key(const void *item) {
    return health_service_name(item);
}
static Span instance_key(const void *item) {
    return ((const HealthInstance *)item)->id;
}
static Span process_key(const void *item) {
    return ((const HealthInstance *)item)->instance_id;
}

static Span copy_span(Span text) {
    if (!text.len)
        return (Span){0};
    return span(memcpy(xmalloc(text.len), text.ptr, text.len), text.len);
}

/* ---- signs ---- */

static void drop_note(HealthSigns *signs, RtHealthSource source) {
    HealthNote **link = &signs->notes;
    while (*link && (*link)->source != source)
        link = &(*link)->next;
    HealthNote *note = *link;
    if (!note)
        return;
    *link = note->next;
    free(note);
}

static void set_note(HealthSigns *signs, RtHealthSource source, Span text) {
    drop_note(signs, source);
    if (!text.len)
        return;
    size_t len = text.len < HEALTH_MESSAGE_MAX ? text.len : HEALTH_MESSAGE_MAX;
    while (len < text.len && len > 0 && (text.ptr[len] & 0xc0) == 0x80)
        len--; /* not inside a character */
    HealthNote *note = xmalloc(sizeof *note + len);
    *note = (HealthNote){.next = signs->notes, .source = source, .len = len};
    memcpy(note->text, text.ptr, len);
    signs->notes = note;
}

static Span note_of(const HealthSigns *signs, RtHealthSource source) {
    for (const HealthNote *note = signs->notes; note; note = note->next)
        if (note->source == source)
            return span(note->text, note->len);
    return (Span){0};
}

static void signs_done(HealthSigns *signs) {
    for (int source = 1; source < HEALTH_SOURCES; source++)
        drop_note(signs, (RtHealthSource)source);
}

/* Whom to believe among those who find the same. */
static const RtHealthSource ORDER[] = {
    RT_HEALTH_SOURCE_PROBE,    RT_HEALTH_SOURCE_REPORT,  RT_HEALTH_SOURCE_RULE,
    RT_HEALTH_SOURCE_LIVENESS, RT_HEALTH_SOURCE_PROCESS,
};

/* Finds the worst. True when the state, its source or its words are not what they were. */
static bool signs_decide(HealthSigns *signs, int64_t at) {
    uint8_t state = RT_HEALTH_STATE_HEALTH_UNKNOWN, source = RT_HEALTH_SOURCE_UNSPECIFIED;
    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++) {
        uint8_t sign = signs->of[ORDER[i]];
        if (sign != state && health_worse((RtHealthState)sign, (RtHealthState)state) == sign) {
            state = sign;
            source = (uint8_t)ORDER[i];
        }
    }
    bool changed = state != signs->state;
    if (changed)
        signs->since = at;
    changed |= source != signs->source;
    signs->state = state;
    signs->source = source;
    return changed;
}

/* Sets one; true when that changes what they say together. */
static bool signs_set(HealthSigns *signs, RtHealthSource source, RtHealthState state, Span message,
                      int64_t at) {
    bool words = !span_equal(note_of(signs, source), message);
    if (words)
        set_note(signs, source, message);
    signs->of[source] = (uint8_t)state;
    return signs_decide(signs, at) || (words && signs->source == source);
}

/* ---- services ---- */

HealthMonitor *health_monitor_new(uint64_t seed) {
    HealthMonitor *monitor = xcalloc(1, sizeof *monitor);
    map_init(&monitor->services, service_key, seed);
    map_init(&monitor->instances, instance_key, seed);
    map_init(&monitor->processes, process_key, seed);
    list_init(&monitor->changed);
    list_init(&monitor->gone);
    list_init(&monitor->unsaved);
    list_init(&monitor->judged);
    return monitor;
}

static void service_free(HealthService *service) {
    signs_done(&service->signs);
    blob_unref(service->metadata);
    timeline_done(&service->timeline);
    free(service);
}

static void instance_free(HealthInstance *instance) {
    signs_done(&instance->signs);
    blob_unref(instance->metadata);
    free(instance->beats);
    free((char *)instance->id.ptr);
    free((char *)instance->instance_id.ptr);
    free(instance);
}

void health_monitor_free(HealthMonitor *monitor) {
    if (!monitor)
        return;
    size_t at = 0;
    for (HealthInstance *instance; (instance = map_next(&monitor->instances, &at));)
        instance_free(instance);
    at = 0;
    for (HealthService *service; (service = map_next(&monitor->services, &at));)
        service_free(service);
    map_done(&monitor->instances);
    map_done(&monitor->processes);
    map_done(&monitor->services);
    free(monitor);
}

HealthService *health_find_service(const HealthMonitor *monitor, Span name) {
    return map_get(&monitor->services, name);
}

static void mark_changed(HealthMonitor *monitor, HealthService *service) {
    if (list_empty(&service->changed))
        list_push_back(&monitor->changed, &service->changed);
}

static void mark_unsaved(HealthMonitor *monitor, HealthService *service) {
    if (list_empty(&service->unsaved))
        list_push_back(&monitor->unsaved, &service->unsaved);
}

static void forget(HealthMonitor *monitor, HealthService *service) {
    map_remove(&monitor->services, health_service_name(service));
    list_remove(&service->changed);
    list_remove(&service->gone);
    list_remove(&service->unsaved);
    list_remove(&service->judged);
    monitor->gone_count--;
    service_free(service);
}

HealthService *health_history_of(HealthMonitor *monitor, Span name) {
    HealthService *service = map_get(&monitor->services, name);
    if (service || !name.len || name.len > HEALTH_NAME_MAX ||
        monitor->services.count >= HEALTH_SERVICES_MAX)
        return service;
    service = xcalloc(1, sizeof *service + name.len);
    service->name_len = name.len;
    memcpy(service->name, name.ptr, name.len);
    list_init(&service->changed);
    list_init(&service->unsaved);
    list_init(&service->judged);
    service->is_gone = true;
    list_push_back(&monitor->gone, &service->gone);
    monitor->gone_count++;
    map_put(&monitor->services, service);
    return service;
}

static HealthService *service_at(HealthMonitor *monitor, Span name, int64_t at) {
    HealthService *service = health_history_of(monitor, name);
    if (!service || !service->is_gone)
        return service;
    list_remove(&service->gone);
    monitor->gone_count--;
    service->is_gone = false;
    service->first_seen = service->since = at;
    service->away_since = service->away = 0;
    mark_changed(monitor, service);
    return service;
}

/* Only its history is left. */
static void service_goes(HealthMonitor *monitor, HealthService *service) {
    service->is_gone = true;
    list_push_back(&monitor->gone, &service->gone);
    mark_changed(monitor, service);
    HealthService *oldest = CONTAINER(monitor->gone.next, HealthService, gone);
    if (++monitor->gone_count > HEALTH_GONE_MAX && !watch_has(&oldest->watch))
        forget(monitor, oldest);
}

/* The instance that the service's state comes from. */
static const HealthInstance *worst_instance(const HealthService *service) {
    const HealthInstance *worst = NULL;
    for (const HealthInstance *instance = service->instances; instance; instance = instance->next)
        if (!worst || health_worse((RtHealthState)worst->signs.state,
                                   (RtHealthState)instance->signs.state) != worst->signs.state)
            worst = instance;
    return worst;
}

/* What decided the state of a service: signs of its own, an instance, or its process. */
typedef struct Decision {
    RtHealthSource source;
    Span message;
    const HealthInstance *instance;
} Decision;

static Decision decision_of(const HealthService *service) {
    const HealthSigns *own = &service->signs;
    const HealthInstance *worst = worst_instance(service);
    if (own->state == service->state && own->source)
        return (Decision){own->source, note_of(own, (RtHealthSource)own->source), NULL};
    if (!worst)
        return (Decision){RT_HEALTH_SOURCE_PROCESS, note_of(own, RT_HEALTH_SOURCE_PROCESS), NULL};
    const HealthSigns *signs = &worst->signs;
    return (Decision){signs->source, note_of(signs, (RtHealthSource)signs->source), worst};
}

static RtHealthState state_of(const HealthService *service) {
    RtHealthState running =
        service->count ? health_of_service(&service->tally) : (RtHealthState)service->process;
    /* What does not run is not asked how it is; but what is only probed has no process. */
    if (running == RT_HEALTH_STATE_HEALTH_UNKNOWN && (service->count || service->managed))
        return service->signs.of[RT_HEALTH_SOURCE_PROBE];
    return health_worse(running, (RtHealthState)service->signs.state);
}

/* Time in which nothing of it could be used. */
static void note_away(HealthService *service, RtHealthState state, int64_t at) {
    bool was_up = service->state && health_is_usable((RtHealthState)service->state);
    bool is_up = state && health_is_usable(state);
    if (was_up && !is_up) {
        service->away_since = at;
    } else if (!was_up && is_up && service->away_since) {
        service->away += at > service->away_since ? at - service->away_since : 0;
        service->away_since = 0;
    }
}

static void service_decide(HealthMonitor *monitor, HealthService *service, int64_t at) {
    RtHealthState state = state_of(service);
    if (state == service->state)
        return;
    note_away(service, state, at);
    service->state = (uint8_t)state;
    service->since = at;
    Decision by = decision_of(service);
    Cause cause = {by.source, by.message, by.instance ? by.instance->id : (Span){0}};
    timeline_set(&service->timeline, at, state, &cause);
    mark_unsaved(monitor, service);
    mark_changed(monitor, service);
}

void health_uptime(const HealthService *service, int64_t at, int64_t *ret_known, int64_t *ret_up) {
    int64_t known = at > service->first_seen ? at - service->first_seen : 0;
    int64_t away = service->away;
    if (service->away_since && at > service->away_since)
        away += at - service->away_since;
    *ret_known = known;
    *ret_up = known > away ? known - away : 0;
}

/* ---- instances ---- */

static HealthInstance *instance_new(HealthMonitor *monitor, HealthService *service,
                                    const HealthSubject *subject) {
    if (monitor->instances.count >= HEALTH_INSTANCES_MAX)
        return NULL;
    HealthInstance *instance = xcalloc(1, sizeof *instance);
    instance->service = service;
    instance->id = copy_span(subject->id.len ? subject->id : subject->instance_id);
    instance->instance_id = copy_span(subject->instance_id);
    instance->link = &service->instances;
    instance->next = service->instances;
    if (instance->next)
        instance->next->link = &instance->next;
    service->instances = instance;
    service->count++;
    service->tally.of[RT_HEALTH_STATE_HEALTH_UNKNOWN]++;
    map_put(&monitor->instances, instance);
    if (instance->instance_id.len)
        map_put(&monitor->processes, instance);
    return instance;
}

/* A process that was known by its instance id has registered. */
static void rename_instance(HealthMonitor *monitor, HealthInstance *instance, Span id) {
    map_remove(&monitor->instances, instance->id);
    free((char *)instance->id.ptr);
    instance->id = copy_span(id);
    map_put(&monitor->instances, instance);
}

static HealthInstance *find_instance(HealthMonitor *monitor, const HealthSubject *subject) {
    HealthInstance *instance = NULL;
    if (subject->id.len)
        instance = map_get(&monitor->instances, subject->id);
    if (!instance && subject->instance_id.len)
        instance = map_get(&monitor->processes, subject->instance_id);
    if (instance && subject->id.len && !span_equal(instance->id, subject->id))
        rename_instance(monitor, instance, subject->id);
    return instance;
}

/* After its signs have changed. */
static void instance_decided(HealthMonitor *monitor, HealthInstance *instance, uint8_t before,
                             int64_t at) {
    HealthService *service = instance->service;
    service->tally.of[before]--;
    service->tally.of[instance->signs.state]++;
    /* An instance that is new and well is no news by itself. */
    if (before != RT_HEALTH_STATE_HEALTH_UNKNOWN ||
        instance->signs.state != RT_HEALTH_STATE_HEALTHY) {
        instance->told = false;
        mark_changed(monitor, service);
    }
    service_decide(monitor, service, at);
}

static void instance_remove(HealthMonitor *monitor, HealthInstance *instance, int64_t at) {
    HealthService *service = instance->service;
    /* Who was told of it must hear that it is gone. */
    if (instance->told || instance->signs.state != RT_HEALTH_STATE_HEALTHY)
        mark_changed(monitor, service);
    service->tally.of[instance->signs.state]--;
    service->count--;
    *instance->link = instance->next;
    if (instance->next)
        instance->next->link = instance->link;
    map_remove(&monitor->instances, instance->id);
    if (instance->instance_id.len &&
        map_get(&monitor->processes, instance->instance_id) == instance)
        map_remove(&monitor->processes, instance->instance_id);
    instance_free(instance);
    service_decide(monitor, service, at);
    if (!service->count && !service->managed)
        service_goes(monitor, service);
}

int health_sign(HealthMonitor *monitor, const HealthSubject *subject, RtHealthSource source,
                RtHealthState state, Span message, int64_t at) {
    HealthInstance *instance = find_instance(monitor, subject);
    HealthService *service =
        instance ? instance->service : service_at(monitor, subject->service_name, at);
    if (!service)
        return -ENOSPC;
    if (!instance && !subject->id.len && !subject->instance_id.len) {
        if (signs_set(&service->signs, source, state, message, at))
            mark_changed(monitor, service);
        service_decide(monitor, service, at);
        return 0;
    }
    if (!instance)
        instance = instance_new(monitor, service, subject);
    if (!instance)
        return -ENOSPC;
    uint8_t before = instance->signs.state;
    if (signs_set(&instance->signs, source, state, message, at))
        instance_decided(monitor, instance, before, at);
    return 0;
}

static void keep_metadata(Blob **kept, const RtHealthStatus *report) {
    blob_unref(*kept);
    *kept = NULL;
    RtHealthStatus only = {.metadata = report->metadata};
    if (only.metadata.count > HEALTH_METADATA_MAX)
        only.metadata.count = HEALTH_METADATA_MAX;
    size_t size;
    while ((size = schema_size(&RtHealthStatus_type, &only)) > HEALTH_METADATA_SIZE)
        only.metadata.count--;
    if (!size)
        return;
    *kept = blob_new(size);
    schema_encode_into(&RtHealthStatus_type, &only, (*kept)->bytes, (*kept)->bytes + size);
}

int health_report(HealthMonitor *monitor, const RtHealthStatus *report, int64_t at) {
    HealthInstance *instance = map_get(&monitor->instances, report->service_id);
    HealthService *service = instance ? instance->service : NULL;
    if (!report->service_id.len)
        service = map_get(&monitor->services, report->service_name);
    if (!service || service->is_gone ||
        (report->service_name.len &&
         !span_equal(report->service_name, health_service_name(service))))
        return -ENOENT;
    keep_metadata(instance ? &instance->metadata : &service->metadata, report);
    HealthSubject subject = {.service_name = health_service_name(service),
                             .id = report->service_id};
    return health_sign(monitor, &subject, RT_HEALTH_SOURCE_REPORT, (RtHealthState)report->state,
                       report->message, at);
}

/* ---- processes ---- */

/* Takes one out whose process has ended; false when there is none. */
static bool drop_ended(HealthMonitor *monitor, HealthService *service, int64_t at) {
    for (HealthInstance *instance = service->instances; instance; instance = instance->next)
        if (instance->ended) {
            instance_remove(monitor, instance, at);
            return true;
        }
    return false;
}

void health_managed(HealthMonitor *monitor, Span service_name, RtHealthState state, Span message,
                    int64_t at) {
    HealthService *service = service_at(monitor, service_name, at);
    if (!service)
        return;
    service->managed = true;
    service->process = (uint8_t)state;
    set_note(&service->signs, RT_HEALTH_SOURCE_PROCESS, message);
    while (state == RT_HEALTH_STATE_HEALTH_UNKNOWN && drop_ended(monitor, service, at))
        ;
    service_decide(monitor, service, at);
}

void health_process_started(HealthMonitor *monitor, Span service_name, Span instance_id,
                            int64_t at) {
    HealthSubject subject = {.service_name = service_name, .instance_id = instance_id};
    HealthService *service = service_at(monitor, service_name, at);
    if (!service)
        return;
    if (service->restart_due) {
        timeline_restarted(&service->timeline, at);
        mark_unsaved(monitor, service);
    }
    service->restart_due = false;
    service->managed = true;
    health_sign(monitor, &subject, RT_HEALTH_SOURCE_PROCESS, RT_HEALTH_STATE_STARTING, SPAN(""),
                at);
    drop_ended(monitor, service, at);
}

void health_process_ended(HealthMonitor *monitor, Span service_name, Span instance_id,
                          RtServiceState state, bool restart_due, Span message, int64_t at) {
    HealthSubject subject = {.service_name = service_name, .instance_id = instance_id};
    HealthInstance *instance = find_instance(monitor, &subject);
    if (!instance)
        return;
    instance->service->restart_due |= restart_due;
    if (!restart_due && state != RT_SERVICE_STATE_FAILED) {
        instance_remove(monitor, instance, at);
        return;
    }
    uint8_t before = instance->signs.state;
    instance->ended = true;
    signs_done(&instance->signs);
    memset(instance->signs.of, 0, sizeof instance->signs.of);
    signs_set(&instance->signs, RT_HEALTH_SOURCE_PROCESS, RT_HEALTH_STATE_UNHEALTHY, message, at);
    instance_decided(monitor, instance, before, at);
}

bool health_is_managed(const HealthMonitor *monitor, Span service_name) {
    const HealthService *service = map_get(&monitor->services, service_name);
    return service && service->managed;
}

void health_instance_gone(HealthMonitor *monitor, Span id, int64_t at) {
    HealthInstance *instance = map_get(&monitor->instances, id);
    if (instance && !instance->ended)
        instance_remove(monitor, instance, at);
}

void health_judge_traffic(HealthMonitor *monitor, Span service_name, const HealthRules *rules,
                          const HealthTraffic *traffic, int64_t steady, int64_t at) {
    HealthService *service = map_get(&monitor->services, service_name);
    Buf message = {0};
    if (!service)
        return;
    if (rules_judge(rules, &service->rules, traffic, steady, &message)) {
        HealthSubject subject = {.service_name = service_name};
        health_sign(monitor, &subject, RT_HEALTH_SOURCE_RULE,
                    service->rules.broken ? RT_HEALTH_STATE_DEGRADED
                                          : RT_HEALTH_STATE_HEALTH_UNKNOWN,
                    buf_span(&message), at);
    }
    buf_done(&message);
    if (!service->rules.broken && !service->rules.passed)
        list_remove(&service->judged);
    else if (list_empty(&service->judged))
        list_push_back(&monitor->judged, &service->judged);
}

/* ---- what came of it ---- */

HealthService *health_next_change(HealthMonitor *monitor) {
    Link *link = list_pop_front(&monitor->changed);
    if (!link)
        return NULL;
    HealthService *service = CONTAINER(link, HealthService, changed);
    service->before = service->told;
    service->told = service->state;
    return service;
}

void health_told(HealthService *service) {
    for (HealthInstance *instance = service->instances; instance; instance = instance->next)
        instance->told = true;
}

/* ---- beats ---- */

Beats *health_beats_of(HealthMonitor *monitor, Span id) {
    HealthInstance *instance = map_get(&monitor->instances, id);
    if (!instance)
        instance = map_get(&monitor->processes, id);
    if (instance && !instance->beats)
        instance->beats = xcalloc(1, sizeof *instance->beats);
    return instance ? instance->beats : NULL;
}

RtHeartbeatStatistics health_instance_beats(const HealthInstance *instance, int64_t steady) {
    RtHeartbeatStatistics figures = {.service_name = health_service_name(instance->service),
                                     .service_id = instance->id,
                                     .health = instance->signs.state};
    double sum = 0;
    int64_t measured = 0;
    if (instance->beats) {
        beats_add(instance->beats, steady, &figures, &sum, &measured);
        beats_finish(&figures, sum, measured, steady - instance->beats->first);
    }
    return figures;
}

RtHeartbeatStatistics health_service_beats(const HealthService *service, int64_t steady,
                                           int64_t at) {
    RtHeartbeatStatistics figures = {.service_name = health_service_name(service),
                                     .health = service->state};
    double sum = 0;
    int64_t measured = 0, known;
    for (const HealthInstance *instance = service->instances; instance; instance = instance->next)
        if (instance->beats)
            beats_add(instance->beats, steady, &figures, &sum, &measured);
    health_uptime(service, at, &known, &figures.uptime_ms);
    beats_finish(&figures, sum, measured, known);
    return figures;
}

/* ---- messages ---- */

static void add_metadata(RtHealthStatus *status, const Blob *kept, Arena *arena) {
    void *decoded;
    if (kept &&
        schema_decode(&RtHealthStatus_type, blob_span(kept), NULL, arena, &decoded, NULL) == 0)
        status->metadata = ((RtHealthStatus *)decoded)->metadata;
}

RtHealthStatus health_instance_status(const HealthInstance *instance, Arena *arena) {
    RtHealthStatus status = {
        .service_name = health_service_name(instance->service),
        .service_id = instance->id,
        .state = instance->signs.state,
        .source = instance->signs.source,
        .message = note_of(&instance->signs, (RtHealthSource)instance->signs.source),
        .timestamp = instance->signs.since,
        .since_ms = instance->signs.since,
    };
    add_metadata(&status, instance->metadata, arena);
    return status;
}

RtHealthStatus health_status(const HealthService *service, bool changed_only, Arena *arena) {
    Decision by = decision_of(service);
    RtHealthStatus status = {
        .service_name = health_service_name(service),
        .state = service->state,
        .source = (int32_t)by.source,
        .message = by.message,
        .timestamp = service->since,
        .since_ms = service->since,
    };
    add_metadata(&status, service->metadata, arena);
    for (HealthInstance *instance = service->instances; instance; instance = instance->next)
        if (!changed_only || !instance->told)
            *schema_append(&status.instances, arena) = health_instance_status(instance, arena);
    return status;
}

RtHealthState health_monitor_instance(const HealthMonitor *monitor, Span id) {
    const HealthInstance *instance = map_get(&monitor->instances, id);
    return instance ? (RtHealthState)instance->signs.state : RT_HEALTH_STATE_HEALTH_UNKNOWN;
}

RtHealthState health_monitor_service(const HealthMonitor *monitor, Span service_name) {
    const HealthService *service = map_get(&monitor->services, service_name);
    return service ? (RtHealthState)service->state : RT_HEALTH_STATE_HEALTH_UNKNOWN;
}
