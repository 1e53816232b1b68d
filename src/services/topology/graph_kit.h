/* For tests: the graph as somebody knows it who is told updates of it. */
#pragma once

#include "base/map.h"
#include "base/memory.h"
#include "base/test.h"
#include "runtime/v1/topology.pb.h"
#include "schema/codec.h"
#include "schema/json.h"

/* What is known, by kind and identity. */
typedef enum KnownKind { KNOWN_NODE, KNOWN_EDGE, KNOWN_INSTANCE } KnownKind;

typedef struct Known {
    KnownKind kind;
    Arena arena; /* of the message */
    void *message;
    size_t key_len;
    char key[300];
} Known;

/* Zeroes: nothing was heard yet. */
typedef struct KnownGraph {
    Map known;
    int resets;
    size_t largest; /* items in one update */
} KnownGraph;

static inline Span known_key(const void *item) {
    const Known *known = item;
    return span(known->key, known->key_len);
}

static inline const SchemaMessage *known_type(KnownKind kind) {
    return kind == KNOWN_NODE   ? &RtTopologyNode_type
           : kind == KNOWN_EDGE ? &RtTopologyEdge_type
                                : &RtTopologyInstance_type;
}

static inline size_t known_name(char *out, KnownKind kind, Span a, Span b, int third) {
    return (size_t)sprintf(out, "%d|%.*s|%.*s|%d", kind, SPAN_ARGS(a), SPAN_ARGS(b), third);
}

static inline void graph_drop(KnownGraph *graph, Known *known) {
    map_remove(&graph->known, known_key(known));
    arena_done(&known->arena);
    free(known);
}

static inline void graph_forget(KnownGraph *graph, KnownKind kind, Span a, Span b, int third) {
    char key[300];
    Known *known = map_get(&graph->known, span(key, known_name(key, kind, a, b, third)));
    if (known)
        graph_drop(graph, known);
}

static inline void graph_learn(KnownGraph *graph, KnownKind kind, Span a, Span b, int third,
                               const void *message) {
    graph_forget(graph, kind, a, b, third);
    Known *known = xcalloc(1, sizeof *known);
    known->kind = kind;
    known->key_len = known_name(known->key, kind, a, b, third);
    known->message = schema_copy(known_type(kind), message, &known->arena);
    map_put(&graph->known, known);
}

static inline void graph_clear(KnownGraph *graph) {
    size_t at = 0;
    for (Known *known; (known = map_next(&graph->known, &at));)
        graph_drop(graph, known);
}

static inline void graph_done(KnownGraph *graph) {
    if (!graph->known.key)
        return;
    graph_clear(graph);
    map_done(&graph->known);
    *graph = (KnownGraph){0};
}

/* A node takes all that belongs to it along. */
static inline void graph_forget_node(KnownGraph *graph, Span name) {
    graph_forget(graph, KNOWN_NODE, name, SPAN(""), 0);
    size_t at = 0;
    for (Known *known; (known = map_next(&graph->known, &at));) {
        const RtTopologyEdge *edge = known->message;
        const RtTopologyInstance *instance = known->message;
        bool of_node =
            known->kind == KNOWN_EDGE
                ? span_equal(edge->source, name) || span_equal(edge->target, name)
                : known->kind == KNOWN_INSTANCE && span_equal(instance->service_name, name);
        if (of_node)
            graph_drop(graph, known);
    }
}

static inline void graph_hear(KnownGraph *graph, const RtTopologyUpdate *update) {
    size_t size = update->nodes.count + update->edges.count + update->instances.count +
                  update->removed_nodes.count + update->removed_edges.count +
                  update->removed_instances.count;
    graph->largest = size > graph->largest ? size : graph->largest;
    graph->resets += update->reset;
    if (!graph->known.key)
        map_init(&graph->known, known_key, 1);
    if (update->reset)
        graph_clear(graph);
    for (uint32_t i = 0; i < update->removed_nodes.count; i++)
        graph_forget_node(graph, update->removed_nodes.items[i]);
    for (uint32_t i = 0; i < update->removed_edges.count; i++) {
        const RtTopologyEdgeKey *key = &update->removed_edges.items[i];
        graph_forget(graph, KNOWN_EDGE, key->source, key->target, key->kind);
    }
    for (uint32_t i = 0; i < update->removed_instances.count; i++)
        graph_forget(graph, KNOWN_INSTANCE, update->removed_instances.items[i], SPAN(""), 0);
    for (uint32_t i = 0; i < update->nodes.count; i++)
        graph_learn(graph, KNOWN_NODE, update->nodes.items[i].service_name, SPAN(""), 0,
                    &update->nodes.items[i]);
    for (uint32_t i = 0; i < update->edges.count; i++)
        graph_learn(graph, KNOWN_EDGE, update->edges.items[i].source, update->edges.items[i].target,
                    update->edges.items[i].kind, &update->edges.items[i]);
    for (uint32_t i = 0; i < update->instances.count; i++)
        graph_learn(graph, KNOWN_INSTANCE, update->instances.items[i].service_id, SPAN(""), 0,
                    &update->instances.items[i]);
}

static inline void graph_expect(const KnownGraph *graph, KnownKind kind, Span a, Span b, int third,
                                const void *message) {
    char key[300];
    const Known *known = map_get(&graph->known, span(key, known_name(key, kind, a, b, third)));
    if (!known)
        fail_msg("%s is not known", key);
    if (!schema_equal(known_type(kind), known->message, message)) {
        Buf is = {0}, ought = {0};
        schema_json_encode(known_type(kind), known->message, NULL, &is, NULL);
        schema_json_encode(known_type(kind), message, NULL, &ought, NULL);
        fail_msg("%s is known as %s, and is %s", key, buf_cstr(&is), buf_cstr(&ought));
    }
}

/* What is known is what the snapshot says, no more and no less. */
static inline void graph_check(const KnownGraph *graph, const RtTopologySnapshot *now) {
    for (uint32_t i = 0; i < now->nodes.count; i++)
        graph_expect(graph, KNOWN_NODE, now->nodes.items[i].service_name, SPAN(""), 0,
                     &now->nodes.items[i]);
    for (uint32_t i = 0; i < now->edges.count; i++)
        graph_expect(graph, KNOWN_EDGE, now->edges.items[i].source, now->edges.items[i].target,
                     now->edges.items[i].kind, &now->edges.items[i]);
    for (uint32_t i = 0; i < now->instances.count; i++)
        graph_expect(graph, KNOWN_INSTANCE, now->instances.items[i].service_id, SPAN(""), 0,
                     &now->instances.items[i]);
    assert_int_equal(graph->known.count,
                     now->nodes.count + now->edges.count + now->instances.count);
}
