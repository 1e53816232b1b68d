/* The topology: which instances of which services live, and who calls whom, now.
 *
 * Instances register, give signs of life by beats, and report their calls. Instances of one name
 * are a node; calls, lookups and declared dependencies are edges between nodes. Nothing of it is
 * stored: after a restart of the runtime, services register again.
 *
 * Each instance expires at its own deadline, by the loop's wheel: STALE after `stale_after`
 * intervals without a beat, DEAD after `dead_after`, IDLE after IDLE_AFTER without a call. Time in
 * which the loop was held up counts for nobody (os/world.h). A beat costs no wheel operation.
 *
 * All calls come from the World's thread. Spans given to listeners and getters are valid until the
 * topology changes. */
#pragma once

#include "base/status.h"
#include "os/world.h"
#include "runtime/v1/topology.pb.h"

typedef struct Topology Topology;
typedef struct Context Context;
typedef struct RpcServer RpcServer;
typedef struct Call Call;

/* The topology of this runtime; see core/context.h. */
Topology *topology_of(Context *context);

/* ---- what is configured ---- */

#define TOPOLOGY_INTERVAL_MS    5000
#define TOPOLOGY_STALE_AFTER    2
#define TOPOLOGY_DEAD_AFTER     3
#define TOPOLOGY_IDLE_AFTER     (30 * NANOS_PER_SECOND)
#define TOPOLOGY_LINGER         (15 * NANOS_PER_SECOND) /* of the dead, where no restart is due */
#define TOPOLOGY_INTERVAL_MIN   100                     /* ms that an instance may ask for */
#define TOPOLOGY_INTERVAL_MAX   (60 * 60 * 1000)
#define TOPOLOGY_MULTIPLIER_MAX 100

/* What peers may fill it with; beyond it they get RESOURCE_EXHAUSTED, or INVALID_ARGUMENT where a
 * single text is too long. */
#define TOPOLOGY_NAME_MAX      128
#define TOPOLOGY_TEXT_MAX      1024 /* of any other text */
#define TOPOLOGY_LABELS_MAX    64
#define TOPOLOGY_GAUGES_MAX    32
#define TOPOLOGY_INSTANCES_MAX 2000000
#define TOPOLOGY_WORDS_MAX     ((size_t)512 << 20) /* bytes that all instances say of themselves */
#define TOPOLOGY_NODES_MAX     1000000
#define TOPOLOGY_EDGES_MAX     500000
#define TOPOLOGY_TARGETS_MAX   1000    /* distinct edges from one service */
#define TOPOLOGY_METHODS_MAX   128     /* distinct methods of one edge */
#define TOPOLOGY_BATCH_MAX     1000000 /* calls that one activity event stands for */

/* What is configured for one service; zeroes are the defaults. */
typedef struct TopologySettings {
    int32_t interval_ms, stale_after, dead_after;
    Span namespace;
    const Span *label_names, *label_values;
    size_t label_count;
    const Span *dependencies;        /* names of services … */
    const int32_t *dependency_kinds; /* … and RtDependencyKind of each */
    size_t dependency_count;
    bool managed; /* Muster starts and stops it */
} TopologySettings;

/* ---- who listens ---- */

/* An instance as others see it. */
typedef struct TopologyInstance {
    Span service_id; /* empty: a process that has not registered */
    Span service_name;
    Span instance_id; /* may be empty */
    Span address, host, version;
    RtConnectionState state;
    RtServiceType type;
    RtServiceLanguage language;
    int32_t interval_ms, stale_after, dead_after;
    int64_t registered_at_ms;
    int64_t last_heartbeat_ms; /* Unix time; 0 = none yet */
    double load;               /* 0 idle and up, as its beats say; negative = they never did */
    bool process;              /* its process is one of ours, and runs */
} TopologyInstance;

typedef enum TopologyEnd {
    TOPOLOGY_UNREGISTERED, /* it said so */
    TOPOLOGY_EXPIRED,      /* its beats have ceased, or the dead lay long enough */
    TOPOLOGY_REPLACED,     /* another life of the same process took its place */
} TopologyEnd;

/* Told at once, from inside the call or timer that brings it about; they read, and change nothing
 * of the topology. NULL members are left out. */
typedef struct TopologyListener {
    /* It is new, or has registered again with other words. */
    void (*registered)(void *owner, const TopologyInstance *instance);
    /* A beat of a known instance came. Its state may have been STALE before. */
    void (*beat)(void *owner, const TopologyInstance *instance, const RtHeartbeatRequest *beat);
    /* Its signs of life have changed. DEAD comes here first, and `gone` follows when it is removed:
     * at once, or later. */
    void (*state)(void *owner, const TopologyInstance *instance, RtConnectionState before);
    void (*gone)(void *owner, const TopologyInstance *instance, TopologyEnd end);
} TopologyListener;

/* The listener lives as long as the topology; in the order of adding. At most 8. */
void topology_listen(Topology *topology, const TopologyListener *listener, void *owner);

/* By service_id, or by instance id. False when it is not known. */
bool topology_find(const Topology *topology, Span id, TopologyInstance *ret);

/* The `load` of an instance alone, for who asks often; negative where it is not known. */
double topology_load(const Topology *topology, Span service_id);

/* The calls of the last ten seconds that a service answered. */
typedef struct TopologyTraffic {
    double rps, error_rate;
    double p50_ms, p95_ms, p99_ms; /* negative: not measured */
    double seconds;                /* how long the window is by now */
} TopologyTraffic;

/* False when no call to it was reported within the window. */
bool topology_traffic(const Topology *topology, Span service_name, TopologyTraffic *ret);

/* Calls back with the name of every service that was called within the last ten seconds. */
void topology_each_called(const Topology *topology, void (*called)(void *owner, Span service_name),
                          void *owner);

/* ---- what other parts know ---- */

/* A lookup of `broker_name` by `client` (empty: it did not say who it is) has found servers of these
 * names: discovery edges client → broker → server, and an idle edge client → server. From then on
 * the broker name stands for the service of that name where calls are reported. */
void topology_note_lookup(Topology *topology, Span client_service_id, Span broker_name,
                          const Span *server_names, size_t count);

/* A process of ours runs, or has ended; `due` (Unix time, 0 = never) is when it starts again. */
void topology_process_started(Topology *topology, Span service_name, Span instance_id);
void topology_process_stopped(Topology *topology, Span service_name, Span instance_id, Nanos due);

/* How services and their instances are, as health judges. */
void topology_set_health(Topology *topology, const RtHealthStatus *status);

/* How many instances of a service lookups would return. */
void topology_set_usable(Topology *topology, Span service_name, uint32_t count);
