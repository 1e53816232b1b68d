/* What tests of the topology share: a runtime's worth of it in a simulated world, and watchers that
 * keep the graph that they are told. */
#pragma once

#include <errno.h>

#include "base/memory.h"
#include "base/test.h"
#include "os/simulation.h"
#include "services/topology/graph_kit.h"
#include "services/topology/internal.h"

typedef struct Kit {
    Simulation *simulation;
    World *world;
    Topology *topology;
    Arena arena; /* of answers */
} Kit;

/* ---- watchers ---- */

typedef struct KitFrame {
    int references;
    Arena arena;
    RtTopologyUpdate *update;
} KitFrame;

typedef struct Viewer {
    Watcher *watcher;
    KnownGraph graph;
    uint64_t epoch, number;
    bool more, slow;
    int frames;
} Viewer;

static void *kit_frame_new(const WatchOptions *options, const SchemaMessage *type,
                           const void *update) {
    KitFrame *frame = xcalloc(1, sizeof *frame);
    frame->update = schema_copy(type, update, &frame->arena);
    return frame;
}

static void kit_frame_unref(void *at) {
    arena_done(&((KitFrame *)at)->arena);
    free(at);
}

static int kit_frame_send(void *target, void *at) {
    Viewer *viewer = target;
    const RtTopologyUpdate *update = ((KitFrame *)at)->update;
    viewer->frames++;
    viewer->more = update->more;
    viewer->epoch = (uint64_t)update->revision->epoch;
    viewer->number = (uint64_t)update->revision->number;
    graph_hear(&viewer->graph, update);
    return viewer->slow ? -EAGAIN : 0;
}

static const WatchTransport KIT_TRANSPORT = {kit_frame_new, kit_frame_unref, kit_frame_send};

static void kit_init(Kit *kit, uint64_t seed) {
    *kit = (Kit){.simulation = simulation_new(&(SimulationOptions){.seed = seed})};
    kit->world = simulation_world(kit->simulation);
    kit->topology = topology_new(kit->world, &(TopologyOptions){.transport = &KIT_TRANSPORT});
}

static void kit_done(Kit *kit) {
    topology_free(kit->topology);
    arena_done(&kit->arena);
    simulation_free(kit->simulation);
}

static void kit_alarm(Timer *timer) {
}

/* Time passes even where nothing happens. */
static inline void kit_pass(Kit *kit, Nanos time) {
    Nanos until = world_now(kit->world) + time;
    Timer alarm = {.fire = kit_alarm};
    wheel_arm(world_wheel(kit->world), &alarm, until);
    simulation_run(kit->simulation, until);
    wheel_cancel(world_wheel(kit->world), &alarm);
}

/* As if the process had been stopped for that long. */
static inline void kit_stand_still(Kit *kit, Nanos time) {
    wheel_postpone(world_wheel(kit->world), time);
    kit_pass(kit, time);
}

static inline void viewer_watch(Kit *kit, Viewer *viewer, const RtTopologyQuery *query) {
    GraphFilter *filter;
    Span key;
    Status status = graph_filter_new(kit->topology, query, &kit->arena, &filter);
    assert_int_equal(status.code, STATUS_OK);
    schema_encode(&RtTopologyQuery_type, query, 0, &kit->arena, &key);
    viewer->slow = false;
    WatchRequest request = {.key = key,
                            .filter = filter,
                            .interval = NANOS_PER_SECOND,
                            .epoch = viewer->epoch,
                            .number = viewer->more || query->depth ? 0 : viewer->number};
    viewer->watcher = watcher_new(kit->topology->watch, viewer, &request);
}

static inline void viewer_leave(Viewer *viewer) {
    if (viewer->watcher)
        watcher_free(viewer->watcher);
    viewer->watcher = NULL;
}

static inline void viewer_done(Viewer *viewer) {
    viewer_leave(viewer);
    graph_done(&viewer->graph);
}

/* What GetTopology answers, put together in small steps. */
static inline const RtTopologySnapshot *kit_snapshot(Kit *kit, const RtTopologyQuery *query,
                                                     Arena *arena) {
    GraphFilter *filter;
    void *decoded;
    assert_int_equal(graph_filter_new(kit->topology, query, arena, &filter).code, STATUS_OK);
    Snapshot *snapshot = snapshot_new(kit->topology, filter);
    while (!snapshot_step(snapshot, 3)) {
    }
    SchemaDecode options = {.copy_input = true};
    assert_int_equal(schema_decode(&RtTopologySnapshot_type, snapshot_encode(snapshot), &options,
                                   arena, &decoded, NULL),
                     0);
    snapshot_free(snapshot);
    const RtTopologySnapshot *answer = decoded;
    for (uint32_t i = 1; i < answer->nodes.count; i++)
        assert_true(span_compare(answer->nodes.items[i - 1].service_name,
                                 answer->nodes.items[i].service_name) < 0);
    for (uint32_t i = 1; i < answer->edges.count; i++) {
        const RtTopologyEdge *a = &answer->edges.items[i - 1], *b = &answer->edges.items[i];
        int order = span_compare(a->source, b->source);
        order = order ? order : span_compare(a->target, b->target);
        assert_true(order < 0 || (order == 0 && a->kind < b->kind));
    }
    return answer;
}

/* What it knows is what a snapshot says now. */
static inline void viewer_check(Kit *kit, const Viewer *viewer, const RtTopologyQuery *query) {
    Arena arena = {0};
    graph_check(&viewer->graph, kit_snapshot(kit, query, &arena));
    arena_done(&arena);
}

/* ---- services ---- */

typedef struct KitService {
    char id[37];
    const char *name;
    const char *instance_id;
    int32_t interval_ms, multiplier;
    RtServiceType type;
} KitService;

static inline StatusCode kit_register(Kit *kit, KitService *service) {
    RtServiceHandle handle;
    RtRegisterServiceRequest request = {
        .service_name = span_of(service->name),
        .instance_id = span_of(service->instance_id),
        .heartbeat_interval_ms = service->interval_ms,
        .has_heartbeat_interval_ms = service->interval_ms != 0,
        .timeout_multiplier = service->multiplier,
        .has_timeout_multiplier = service->multiplier != 0,
        .service_type = service->type,
        .language = RT_SERVICE_LANGUAGE_C,
    };
    Status status =
        topology_register(kit->topology, &request, SPAN("127.0.0.1"), &kit->arena, &handle);
    if (status.code == STATUS_OK) {
        memcpy(service->id, handle.service_id.ptr, 36);
        service->id[36] = '\0';
    }
    return status.code;
}

static inline bool kit_beat(Kit *kit, const KitService *service) {
    return topology_beat(kit->topology,
                         &(RtHeartbeatRequest){.service_id = span_of(service->id)}) == BEAT_TAKEN;
}

static inline bool kit_call(Kit *kit, const KitService *from, const char *to, int64_t latency_us) {
    Buf why = {.arena = &kit->arena};
    return topology_activity(kit->topology,
                             &(RtActivityEvent){.service_id = span_of(from->id),
                                                .target_service = span_of(to),
                                                .type = RT_ACTIVITY_TYPE_RESPONSE_RECEIVED,
                                                .latency_us = latency_us,
                                                .method = SPAN("Add")},
                             &why);
}

/* -1: not known. */
static inline int kit_node_state(const Kit *kit, const char *name) {
    const Node *node = node_find(kit->topology, span_of(name));
    return node ? node->state : -1;
}

static inline int kit_edge_state(const Kit *kit, const char *source, const char *target,
                                 RtEdgeKind kind) {
    const Node *from = node_find(kit->topology, span_of(source));
    const Node *to = node_find(kit->topology, span_of(target));
    const Edge *edge = from && to ? edge_find(kit->topology, from, to, kind) : NULL;
    return edge ? edge->state : -1;
}
