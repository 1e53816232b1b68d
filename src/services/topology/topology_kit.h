/* What tests of the topology share: a runtime's worth of it in a simulated world, and watchers that
 * keep the graph that they are told. */
#pragma once

#include <errno.h>

#include "base/memory.h"
#include "base/test.h"
#include "os/simulation.h"
#include "schema/json.h"
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

/* What it knows, by kind and identity. */
typedef struct Known {
    uint8_t kind;
    Arena arena; /* of the message */
    void *message;
    size_t key_len;
    char key[300];
} Known;

typedef struct Viewer {
    Watcher *watcher;
    Map known;
    uint64_t epoch, number;
    bool more, slow;
    int frames, resets;
    size_t largest; /* items in one update */
} Viewer;

static Span known_key(const void *item) {
    const Known *known = item;
    return span(known->key, known->key_len);
}

static const SchemaMessage *known_type(uint8_t kind) {
    return kind == KIND_NODE   ? &RtTopologyNode_type
           : kind == KIND_EDGE ? &RtTopologyEdge_type
                               : &RtTopologyInstance_type;
}

static size_t known_name(char *out, uint8_t kind, Span a, Span b, int third) {
    return (size_t)sprintf(out, "%d|%.*s|%.*s|%d", kind, SPAN_ARGS(a), SPAN_ARGS(b), third);
}

static void known_free(Known *known) {
    arena_done(&known->arena);
    free(known);
}

static void viewer_forget(Viewer *viewer, uint8_t kind, Span a, Span b, int third) {
    char key[300];
    Known *known = map_remove(&viewer->known, span(key, known_name(key, kind, a, b, third)));
    if (known)
        known_free(known);
}

static void viewer_learn(Viewer *viewer, uint8_t kind, Span a, Span b, int third,
                         const void *message) {
    viewer_forget(viewer, kind, a, b, third);
    Known *known = xcalloc(1, sizeof *known);
    known->kind = kind;
    known->key_len = known_name(known->key, kind, a, b, third);
    known->message = schema_copy(known_type(kind), message, &known->arena);
    map_put(&viewer->known, known);
}

static void viewer_clear(Viewer *viewer) {
    size_t at = 0;
    for (Known *known; (known = map_next(&viewer->known, &at));) {
        map_remove(&viewer->known, known_key(known));
        known_free(known);
    }
}

/* A node takes all that belongs to it along. */
static void viewer_forget_node(Viewer *viewer, Span name) {
    viewer_forget(viewer, KIND_NODE, name, SPAN(""), 0);
    size_t at = 0;
    for (Known *known; (known = map_next(&viewer->known, &at));) {
        const RtTopologyEdge *edge = known->message;
        const RtTopologyInstance *instance = known->message;
        bool of_node = known->kind == KIND_EDGE
                           ? span_equal(edge->source, name) || span_equal(edge->target, name)
                       : known->kind == KIND_INSTANCE ? span_equal(instance->service_name, name)
                                                      : false;
        if (!of_node)
            continue;
        map_remove(&viewer->known, known_key(known));
        known_free(known);
    }
}

static void viewer_hear(Viewer *viewer, const RtTopologyUpdate *update) {
    if (update->reset)
        viewer_clear(viewer);
    for (uint32_t i = 0; i < update->removed_nodes.count; i++)
        viewer_forget_node(viewer, update->removed_nodes.items[i]);
    for (uint32_t i = 0; i < update->removed_edges.count; i++) {
        const RtTopologyEdgeKey *key = &update->removed_edges.items[i];
        viewer_forget(viewer, KIND_EDGE, key->source, key->target, key->kind);
    }
    for (uint32_t i = 0; i < update->removed_instances.count; i++)
        viewer_forget(viewer, KIND_INSTANCE, update->removed_instances.items[i], SPAN(""), 0);
    for (uint32_t i = 0; i < update->nodes.count; i++)
        viewer_learn(viewer, KIND_NODE, update->nodes.items[i].service_name, SPAN(""), 0,
                     &update->nodes.items[i]);
    for (uint32_t i = 0; i < update->edges.count; i++)
        viewer_learn(viewer, KIND_EDGE, update->edges.items[i].source,
                     update->edges.items[i].target, update->edges.items[i].kind,
                     &update->edges.items[i]);
    for (uint32_t i = 0; i < update->instances.count; i++)
        viewer_learn(viewer, KIND_INSTANCE, update->instances.items[i].service_id, SPAN(""), 0,
                     &update->instances.items[i]);
}

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
    size_t size = update->nodes.count + update->edges.count + update->instances.count +
                  update->removed_nodes.count + update->removed_edges.count +
                  update->removed_instances.count;
    viewer->largest = size > viewer->largest ? size : viewer->largest;
    viewer->frames++;
    viewer->resets += update->reset;
    viewer->more = update->more;
    viewer->epoch = (uint64_t)update->revision->epoch;
    viewer->number = (uint64_t)update->revision->number;
    viewer_hear(viewer, update);
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
    if (!viewer->known.key)
        map_init(&viewer->known, known_key, 1);
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
    viewer_clear(viewer);
    map_done(&viewer->known);
}

static inline void viewer_expect(const Viewer *viewer, uint8_t kind, Span a, Span b, int third,
                                 const void *message, size_t *matched) {
    char key[300];
    const Known *known = map_get(&viewer->known, span(key, known_name(key, kind, a, b, third)));
    if (!known)
        fail_msg("%s is not known", key);
    if (!schema_equal(known_type(kind), known->message, message)) {
        Buf is = {0}, ought = {0};
        schema_json_encode(known_type(kind), known->message, NULL, &is, NULL);
        schema_json_encode(known_type(kind), message, NULL, &ought, NULL);
        fail_msg("%s is known as %s, and is %s", key, buf_cstr(&is), buf_cstr(&ought));
    }
    ++*matched;
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
    size_t matched = 0;
    const RtTopologySnapshot *now = kit_snapshot(kit, query, &arena);
    for (uint32_t i = 0; i < now->nodes.count; i++)
        viewer_expect(viewer, KIND_NODE, now->nodes.items[i].service_name, SPAN(""), 0,
                      &now->nodes.items[i], &matched);
    for (uint32_t i = 0; i < now->edges.count; i++)
        viewer_expect(viewer, KIND_EDGE, now->edges.items[i].source, now->edges.items[i].target,
                      now->edges.items[i].kind, &now->edges.items[i], &matched);
    for (uint32_t i = 0; i < now->instances.count; i++)
        viewer_expect(viewer, KIND_INSTANCE, now->instances.items[i].service_id, SPAN(""), 0,
                      &now->instances.items[i], &matched);
    assert_int_equal(viewer->known.count, matched);
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
    return topology_beat(kit->topology, &(RtHeartbeatRequest){.service_id = span_of(service->id)});
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
