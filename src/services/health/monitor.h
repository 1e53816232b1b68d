/* The monitor: signs of health come in, by instance and by service; states come out. Pure: instants
 * are arguments, in Unix milliseconds, and what changed is told to whom the options name. */
#pragma once

#include "base/blob.h"
#include "base/map.h"
#include "core/watch.h"
#include "services/health/beats.h"
#include "services/health/health.h"
#include "services/health/rules.h"
#include "services/health/timeline.h"

/* What peers may fill it with. A service beyond it is not watched over, an instance not counted. */
#define HEALTH_SERVICES_MAX  100000
#define HEALTH_GONE_MAX      4096 /* services that are gone and kept for their history */
#define HEALTH_INSTANCES_MAX 2000000
#define HEALTH_NAME_MAX      256
#define HEALTH_MESSAGE_MAX   1024        /* longer messages are cut off */
#define HEALTH_METADATA_MAX  64          /* entries of a report … */
#define HEALTH_METADATA_SIZE (16 * 1024) /* … and bytes of them together; others are left out */

/* By RtHealthSource; 0 is not used. */
#define HEALTH_SOURCES 6

/* What a source says in words. */
typedef struct HealthNote {
    struct HealthNote *next;
    RtHealthSource source;
    size_t len;
    char text[];
} HealthNote;

typedef struct HealthSigns {
    uint8_t of[HEALTH_SOURCES]; /* RtHealthState by RtHealthSource */
    uint8_t state, source;      /* the worst, and whose it is */
    HealthNote *notes;
    int64_t since; /* that it is so */
} HealthSigns;

typedef struct HealthInstance {
    struct HealthService *service;
    struct HealthInstance *next, **link; /* of the service */
    HealthSigns signs;
    Span id;          /* its service_id or, until it registers, its instance id */
    Span instance_id; /* may be empty */
    Blob *metadata;   /* of its last report, as an encoded HealthStatus; NULL: none */
    bool ended;       /* its process has */
    bool told;        /* its state stands in what was told last */
    Beats *beats;     /* NULL: none was due yet */
} HealthInstance;

typedef struct HealthService {
    WatchItem watch;       /* of who tells of changes; there while it is not gone */
    Link changed;          /* in HealthMonitor.changed while it waits to be told of */
    Link gone;             /* in HealthMonitor.gone while only its history is left */
    Link judged;           /* in HealthMonitor.judged while a rule is broken, or passed */
    Link unsaved;          /* in HealthMonitor.unsaved while its timeline is not stored as it is */
    HealthSigns signs;     /* about the service as a whole … */
    HealthTally tally;     /* … and of its instances */
    uint8_t state, source; /* what they make together */
    uint8_t process;       /* what its process is, for as long as it has no instance */
    uint8_t told, before;  /* the state that was told last, and the one before that */
    bool is_gone, restart_due;
    bool managed; /* the orchestrator knows it, so it is there without instances, too */
    int64_t since;
    HealthInstance *instances;
    size_t count;
    Blob *metadata;
    RuleState rules;
    Timeline timeline;
    int64_t first_seen, away_since, away; /* 0: it is not away */
    size_t name_len;
    char name[];
} HealthService;

struct HealthMonitor {
    Map services;  /* HealthService by name */
    Map instances; /* HealthInstance by id */
    Map processes; /* HealthInstance by instance_id, of those that have one */
    Link changed;  /* services to be told of */
    Link gone;     /* services that are gone, the longest first */
    size_t gone_count;
    Link unsaved;
    Link judged;
};

HealthMonitor *health_monitor_new(uint64_t seed);
void health_monitor_free(HealthMonitor *monitor);

/* Whom a sign is about. */
typedef struct HealthSubject {
    Span service_name;
    Span id;          /* service_id; empty: not registered, or the service as a whole … */
    Span instance_id; /* … which it is when this is empty, too */
} HealthSubject;

/* What a source finds, until it finds something else; HEALTH_UNKNOWN takes its sign back. Unknown
 * services and instances come to be. -ENOSPC when there are too many. */
int health_sign(HealthMonitor *monitor, const HealthSubject *subject, RtHealthSource source,
                RtHealthState state, Span message, int64_t at);

/* The service's own report, about an instance or itself: 0, or -ENOENT when it is not known. */
int health_report(HealthMonitor *monitor, const RtHealthStatus *report, int64_t at);

/* The orchestrator knows this service, and what it says of it as a whole. */
void health_managed(HealthMonitor *monitor, Span service_name, RtHealthState state, Span message,
                    int64_t at);

/* A process came to run: it takes the place of one of the service that has ended. */
void health_process_started(HealthMonitor *monitor, Span service_name, Span instance_id,
                            int64_t at);

/* A process ended. It stays, in that state, until it is replaced where a restart is due; else it
 * goes, unless it failed. */
void health_process_ended(HealthMonitor *monitor, Span service_name, Span instance_id,
                          RtServiceState state, bool restart_due, Span message, int64_t at);

/* Whether the orchestrator knows this service, and tells when its processes end. */
bool health_is_managed(const HealthMonitor *monitor, Span service_name);

/* An instance unregistered, or was dead for long enough. */
void health_instance_gone(HealthMonitor *monitor, Span id, int64_t at);

/* What the rules make of the traffic of a service; to be asked about once a second, and also
 * without traffic for those in HealthMonitor.judged. `steady` as in beats.h. */
void health_judge_traffic(HealthMonitor *monitor, Span service_name, const HealthRules *rules,
                          const HealthTraffic *traffic, int64_t steady, int64_t at);

/* Services that have changed, or are gone, since this was asked last; NULL when there are no more.
 * health_status with `changed_only` then gives what is new, and health_told ends it. */
HealthService *health_next_change(HealthMonitor *monitor);
void health_told(HealthService *service);

/* The beats of an instance, by its service_id or instance id: NULL when it is not known. */
Beats *health_beats_of(HealthMonitor *monitor, Span id);

/* The figures on beats of one instance, and of all of a service together. `steady` as in beats.h. */
RtHeartbeatStatistics health_instance_beats(const HealthInstance *instance, int64_t steady);
RtHeartbeatStatistics health_service_beats(const HealthService *service, int64_t steady,
                                           int64_t at);

/* The service of that name with nothing but its history, made when it is not there; NULL when
 * there are too many. */
HealthService *health_history_of(HealthMonitor *monitor, Span name);
HealthService *health_find_service(const HealthMonitor *monitor, Span name);
Span health_service_name(const HealthService *service);

/* Its present status. `changed_only`: of the instances only those not told of yet. */
RtHealthStatus health_status(const HealthService *service, bool changed_only, Arena *arena);
RtHealthStatus health_instance_status(const HealthInstance *instance, Arena *arena);

/* Milliseconds since it was first seen, and of these those in which nothing of it could be used. */
void health_uptime(const HealthService *service, int64_t at, int64_t *ret_known, int64_t *ret_up);
