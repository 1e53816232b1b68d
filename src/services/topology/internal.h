/* What the files of the topology share and nobody else sees.
 *
 *     topology.c   the whole: limits, listeners, names, health
 *     instance.c   instances: registration, beats, expiry, processes
 *     graph.c      nodes and edges: how they come, change and go
 *     activity.c   reported calls become figures of edges and nodes
 *     message.c    how all this looks in messages
 *     view.c       what queries ask for, and what watchers are told
 *     snapshot.c   the graph in one answer
 *     query.c      answers to single questions
 *     topology_rpc.c, topology_component.c   what binds it to calls and to the runtime */
#pragma once

#include "base/array.h"
#include "base/map.h"
#include "core/watch.h"
#include "services/topology/topology.h"
#include "services/topology/traffic.h"

/* Kinds of watched items. */
enum { KIND_NODE = 1, KIND_EDGE, KIND_INSTANCE };

#define STATES 6 /* of RtConnectionState */

#define BROKER_NODE SPAN("broker")

/* Memory for what is nice to have: series of calls (7 kB each) and of processor and memory (5 kB),
 * single requests, names that lookups have resolved. */
#define CALL_SERIES_MAX    8192
#define USAGE_SERIES_MAX   4096
#define RECENT_MAX         65536
#define RECENT_OF_EDGE_MAX 100
#define ALIASES_MAX        10000

typedef struct Node Node;

/* One registered instance, or a process that has not registered. */
typedef struct Instance {
    WatchItem watch;
    Link of_node;
    Node *node;
    Timer timer; /* at its next change of state; later beats do not move it */
    /* On the loop's clock (topology_now). */
    Nanos last_beat, registered;
    Nanos last_activity;                     /* 0 = none yet */
    Nanos until;                             /* how long the dead are shown */
    int64_t registered_wall, last_beat_wall; /* ms */
    char *words;                             /* texts: see Words */
    RtServiceMetrics *metrics;               /* of the last beat that had any; NULL */
    char *health_message;                    /* NULL: none */
    char id[36];
    int32_t interval_ms;
    uint8_t stale_after, dead_after;
    uint8_t state, type, language, health;
    bool own_interval, own_dead_after; /* it has asked for them itself */
    bool again;           /* it is asked to register again, since its interval is another one */
    bool registered_once; /* it has an id */
    bool process;         /* its process is one of ours, and runs */
    bool ended;           /* its process has ended */
} Instance;

/* What an instance says of itself, packed: uint16 lengths, then the bytes. */
typedef enum Word {
    WORD_INSTANCE_ID,
    WORD_ADDRESS,
    WORD_HOST,
    WORD_VERSION,
    WORD_METADATA, /* an encoded ServiceMetadata */
    WORDS,
} Word;

/* What the instances of a node use together. */
enum { SUM_CPU, SUM_MEMORY, SUM_THREADS, SUM_FILES, SUM_IN_FLIGHT, SUM_LOAD, SUMS };
typedef struct Sum {
    double value;
    uint32_t count; /* instances that say it */
} Sum;

typedef struct Usage {
    float cpu, memory; /* NaN: not known */
} Usage;

/* Namespace and labels that are configured for a service. */
typedef struct NodeWords {
    Arena arena; /* where they lie */
    Span namespace;
    RtTopologyNodeLabelsEntry *labels;
    uint32_t label_count;
} NodeWords;

/* A service. */
struct Node {
    WatchItem watch;
    Topology *topology;
    Link instances; /* Instance.of_node, the newest last */
    Link out, in;   /* Edge.of_source, Edge.of_target */
    Link of_called; /* in Topology.called while calls to it are in its window */
    uint64_t serial;
    uint32_t states[STATES]; /* instances in each */
    uint32_t instance_count, out_count, active_edges, usable;
    Nanos called; /* when a call to it was last completed; 0 = never */
    Timer timer;  /* every second while calls of edges that are gone are in its windows */
    int64_t last_beat_wall, first_seen, changed_at;
    Traffic *incoming, *outgoing; /* NULL: no calls yet */
    Series *usage;
    Sum *sums;            /* by SUM_…; NULL: nobody says anything */
    char *health_message; /* NULL: none */
    NodeWords *words;     /* from the configuration; NULL: none */
    uint8_t state, health;
    bool health_known; /* health has judged; otherwise what instances say counts */
    bool managed, builtin;
    uint32_t mark; /* of searches through the graph: Topology.mark */
    size_t name_len;
    char name[];
};

typedef struct Method {
    Traffic traffic;
    size_t name_len;
    char name[];
} Method;

typedef struct Recent {
    Link of_edge, of_all;
    struct Edge *edge;
    int64_t timestamp, latency_us;
    const Method *method; /* NULL: not said */
    bool success;
    char id[36];
    uint16_t correlation_len, error_len;
    char text[]; /* correlation id, error */
} Recent;

typedef struct EdgeName {
    uint64_t source, target, kind; /* serials of the nodes */
} EdgeName;

typedef struct Edge {
    WatchItem watch;
    Link of_source, of_target;
    Node *source, *target;
    EdgeName name; /* its key */
    Timer timer;   /* every second while calls flow, then when it becomes IDLE */
    Nanos last;    /* completed call; 0 = none */
    int64_t last_wall, first_seen;
    Traffic *traffic;
    ARRAY(Method *) methods;
    const Method *last_method;
    Link recent; /* the newest last */
    uint32_t recent_count;
    uint32_t in_flight;
    char correlation[65], protocol[17];
    uint8_t state, dependency;
    bool configured; /* a dependency that the configuration names */
} Edge;

/* A name that lookups have resolved. */
typedef struct Alias {
    size_t name_len, target_len;
    char text[]; /* name, then the service that it stands for */
} Alias;

typedef struct Listening {
    const TopologyListener *listener;
    void *owner;
} Listening;

struct Topology {
    World *world;
    Watch *watch;
    Map nodes;           /* Node by name */
    Map instances;       /* Instance by service_id */
    Map by_instance_id;  /* Instance by instance id, of those that have one */
    Map edges;           /* Edge by EdgeName */
    Map aliases;         /* Alias by name */
    bool ending;         /* all is being freed */
    size_t words_held;   /* bytes of Instance.words, of all */
    uint64_t serial;     /* of the last node */
    uint64_t generation; /* grows when nodes or edges come or go */
    uint32_t mark;
    char prefix[9]; /* of the ids of this runtime */
    SeriesPool calls, usages;
    Link called; /* nodes that calls have reached of late */
    Link recent; /* all, the oldest first */
    size_t recent_count;
    Listening listening[8];
    size_t listener_count;
    /* What is configured for a service; NULL: nothing. */
    void (*settings)(void *owner, Span service_name, TopologySettings *ret);
    void *settings_owner;
};

typedef struct TopologyOptions {
    RpcServer *server;               /* whose calls watch */
    uint64_t epoch;                  /* of revisions; 0 = drawn from the World */
    const WatchTransport *transport; /* for tests; NULL = calls */
    void (*settings)(void *owner, Span service_name, TopologySettings *ret);
    void *settings_owner;
} TopologyOptions;

/* ---- topology.c ---- */

Topology *topology_new(World *world, const TopologyOptions *options);
void topology_free(Topology *topology);

/* The loop's clock without the time in which it was held up. */
Nanos topology_now(const Topology *topology);
uint32_t topology_second(const Topology *topology);
int64_t topology_wall_ms(const Topology *topology);
void topology_arm(Topology *topology, Timer *timer, Nanos at);

/* Why a name or text is not accepted; NULL when it is. */
const char *name_fault(Span name);
/* Replaces a text that is kept; empty is NULL. */
void keep_text(char **kept, Span text, size_t most);

TopologySettings settings_of(const Topology *topology, Span service_name);

/* What is configured for services has changed. */
void topology_configure(Topology *topology);

/* ---- instance.c ---- */

Status topology_register(Topology *topology, const RtRegisterServiceRequest *request,
                         Span peer_host, Arena *arena, RtServiceHandle *ret);
/* Whether it was known. */
bool topology_unregister(Topology *topology, Span service_id);
typedef enum BeatAnswer {
    BEAT_UNKNOWN,
    BEAT_TAKEN,
    BEAT_OUTDATED, /* taken, but its interval is another one now, of which it does not know */
} BeatAnswer;
BeatAnswer topology_beat(Topology *topology, const RtHeartbeatRequest *beat);
/* What is configured for its service has changed. */
void instance_configure(Topology *topology, Instance *instance, const TopologySettings *settings);

Instance *instance_find(const Topology *topology, Span id);
Span instance_word(const Instance *instance, Word word);
Span instance_id(const Instance *instance); /* service_id; empty when it has none */
/* A completed call of it, or to it. */
void instance_active(Topology *topology, Instance *instance);
void instance_judged(Topology *topology, Instance *instance, RtHealthState health, Span message);
void instance_describe(const Instance *instance, TopologyInstance *ret);
void instance_remove(Topology *topology, Instance *instance, TopologyEnd end);

/* ---- graph.c ---- */

Node *node_find(const Topology *topology, Span name);
/* NULL when there are too many. */
Node *node_need(Topology *topology, Span name);
Span node_name(const Node *node);
/* Its instances have changed: finds its state. Removes it when nothing is left of it. */
void node_refresh(Topology *topology, Node *node);
static inline void node_figures(Topology *topology, Node *node) {
    watch_figures(topology->watch, &node->watch);
}
/* The number of its ACTIVE edges, which its only instance has too, or that of its instances. */
void connections_changed(Topology *topology, Node *node);
bool node_is_called(const Topology *topology, const Node *node);
/* Its last instance has gone. */
void node_left(Topology *topology, Node *node);
/* A node that nothing but its name was known of goes with its last edge. */
void node_unneeded(Topology *topology, Node *node);
void node_free(Topology *topology, Node *node);

Edge *edge_find(const Topology *topology, const Node *source, const Node *target, RtEdgeKind kind);
/* NULL when there are too many, of this source or in all. */
Edge *edge_need(Topology *topology, Node *source, Node *target, RtEdgeKind kind);
/* A call over it was completed. */
void edge_active(Topology *topology, Edge *edge);

/* NULL when there is no such edge: they are too many, or the name is none. */
Edge *node_depend(Topology *topology, Node *node, Span target, RtDependencyKind kind);
/* Those that are configured for it. */
void node_depend_as_configured(Topology *topology, Node *node);
/* What is configured for it has changed. */
void node_configure(Topology *topology, Node *node);

/* The service that is meant by a name in a call: one of that name, or what lookups of it found. */
Node *node_called(Topology *topology, Span name);

/* ---- activity.c ---- */

/* Takes reported calls over. False when it does not; `why` says so and what to do. */
bool topology_activity(Topology *topology, const RtActivityEvent *event, Buf *why);

/* Whether calls are in its windows; gives back what they took where there are none. */
bool node_flows(Topology *topology, Node *node);
/* Nothing was called for long: gives back what only busy edges need. */
void edge_rest(Topology *topology, Edge *edge);
void edge_forget_calls(Topology *topology, Edge *edge);

/* ---- message.c: how things look. Made in an arena; texts point into the topology. ---- */

void node_write(const Topology *topology, const Node *node, Arena *arena, RtTopologyNode *ret);
void edge_write(const Topology *topology, const Edge *edge, Arena *arena, RtTopologyEdge *ret);
void instance_write(const Instance *instance, Arena *arena, RtTopologyInstance *ret);
RtTrafficSummary *traffic_write(const Topology *topology, const Traffic *traffic, Arena *arena);

/* The instance that registered last; NULL when none has. */
const Instance *node_newest(const Node *node);
Span node_namespace(const Node *node);
Span instance_identity(const Instance *instance);

/* ---- view.c: what is asked for, and what a watcher is told ---- */

extern const WatchOps TOPOLOGY_WATCH;

/* A query, made ready to be asked often. */
typedef struct GraphFilter GraphFilter;
/* INVALID_ARGUMENT when the query is not one. */
Status graph_filter_new(Topology *topology, const RtTopologyQuery *query, Arena *arena,
                        GraphFilter **ret);
void graph_filter_free(GraphFilter *filter);
WatchMatch graph_filter_node(const GraphFilter *filter, const Node *node);
WatchMatch graph_filter_edge(const GraphFilter *filter, const Edge *edge);
WatchMatch graph_filter_instance(const GraphFilter *filter, const Instance *instance);

/* ---- snapshot.c ---- */

typedef struct Snapshot Snapshot;
/* Takes the filter over. */
Snapshot *snapshot_new(Topology *topology, GraphFilter *filter);
void snapshot_free(Snapshot *snapshot);
/* Goes on for about `most` nodes, edges and instances. True when all of it is there. */
bool snapshot_step(Snapshot *snapshot, size_t most);
/* The encoded TopologySnapshot, once; valid until snapshot_free. */
Span snapshot_encode(Snapshot *snapshot);

/* ---- query.c ---- */

Status topology_edge(Topology *topology, const RtGetTopologyEdgeRequest *request, Arena *arena,
                     RtGetTopologyEdgeResponse *ret);
Status topology_series(Topology *topology, const RtGetTopologySeriesRequest *request, Arena *arena,
                       RtGetTopologySeriesResponse *ret);

/* ---- topology_rpc.c ---- */

/* TopologyService, for rpc_server_add; state is the Topology. */
extern const MethodHandler TOPOLOGY_METHODS[];
