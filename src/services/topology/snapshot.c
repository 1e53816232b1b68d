/* The graph in one answer, put together piece by piece: an encoded TopologySnapshot. Nodes are found
 * again by name in each piece, since meanwhile they come and go. */
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "schema/wire.h"
#include "services/topology/internal.h"

struct Snapshot {
    Topology *topology;
    GraphFilter *filter;
    Arena arena; /* of the names */
    Arena scratch;
    ARRAY(Span) names; /* of nodes, ascending */
    size_t next;
    Buf nodes, edges, instances;
    RtTopologySnapshot head; /* what is left */
    RtRevision revision;
};

static int compare_names(const void *a, const void *b) {
    return span_compare(*(const Span *)a, *(const Span *)b);
}

/* By target and kind: they have one source. */
static int compare_edges(const void *a, const void *b) {
    const Edge *x = *(Edge *const *)a, *y = *(Edge *const *)b;
    int order = span_compare(node_name(x->target), node_name(y->target));
    return order ? order : (x->name.kind > y->name.kind) - (x->name.kind < y->name.kind);
}

static int compare_instances(const void *a, const void *b) {
    return span_compare(instance_identity(*(Instance *const *)a),
                        instance_identity(*(Instance *const *)b));
}

Snapshot *snapshot_new(Topology *topology, GraphFilter *filter) {
    Snapshot *snapshot = xcalloc(1, sizeof *snapshot);
    snapshot->topology = topology;
    snapshot->filter = filter;
    snapshot->revision.epoch = (int64_t)watch_epoch(topology->watch);
    snapshot->revision.number = (int64_t)watch_number(topology->watch);
    snapshot->head.revision = &snapshot->revision;
    snapshot->head.timestamp = topology_wall_ms(topology);
    size_t at = 0;
    for (const Node *node; (node = map_next(&topology->nodes, &at));)
        if (graph_filter_node(filter, node) == WATCH_IN)
            *array_push(&snapshot->names) = arena_copy(&snapshot->arena, node_name(node));
    if (snapshot->names.count)
        qsort(snapshot->names.items, snapshot->names.count, sizeof(Span), compare_names);
    return snapshot;
}

void snapshot_free(Snapshot *snapshot) {
    if (!snapshot)
        return;
    graph_filter_free(snapshot->filter);
    array_done(&snapshot->names);
    arena_done(&snapshot->arena);
    arena_done(&snapshot->scratch);
    buf_done(&snapshot->nodes);
    buf_done(&snapshot->edges);
    buf_done(&snapshot->instances);
    free(snapshot);
}

/* Appends a message as an element of a repeated field. */
static void put(Snapshot *snapshot, Buf *out, uint32_t number, const SchemaMessage *type,
                const void *message) {
    Span encoded = {0};
    schema_encode(type, message, 0, &snapshot->scratch, &encoded);
    buf_reserve(out, 2 * WIRE_VARINT_MAX);
    out->len += wire_put_varint(out->ptr + out->len, number << 3 | WIRE_BYTES);
    out->len += wire_put_varint(out->ptr + out->len, encoded.len);
    buf_add(out, encoded);
    arena_reset(&snapshot->scratch);
}

static size_t put_edges(Snapshot *snapshot, const Node *node) {
    ARRAY(const Edge *) edges = {0};
    LIST_EACH (&node->out, link) {
        const Edge *edge = CONTAINER(link, Edge, of_source);
        if (graph_filter_edge(snapshot->filter, edge) == WATCH_IN)
            *array_push(&edges) = edge;
    }
    if (edges.count)
        qsort(edges.items, edges.count, sizeof *edges.items, compare_edges);
    for (size_t i = 0; i < edges.count; i++) {
        RtTopologyEdge message;
        edge_write(snapshot->topology, edges.items[i], &snapshot->scratch, &message);
        put(snapshot, &snapshot->edges, RtTopologySnapshot_edges_number, &RtTopologyEdge_type,
            &message);
    }
    size_t count = edges.count;
    array_done(&edges);
    return count;
}

static size_t put_instances(Snapshot *snapshot, const Node *node) {
    ARRAY(const Instance *) instances = {0};
    LIST_EACH (&node->instances, link) {
        const Instance *instance = CONTAINER(link, Instance, of_node);
        if (graph_filter_instance(snapshot->filter, instance) == WATCH_IN)
            *array_push(&instances) = instance;
    }
    if (instances.count)
        qsort(instances.items, instances.count, sizeof *instances.items, compare_instances);
    for (size_t i = 0; i < instances.count; i++) {
        RtTopologyInstance message;
        instance_write(instances.items[i], &snapshot->scratch, &message);
        put(snapshot, &snapshot->instances, RtTopologySnapshot_instances_number,
            &RtTopologyInstance_type, &message);
    }
    size_t count = instances.count;
    array_done(&instances);
    return count;
}

bool snapshot_step(Snapshot *snapshot, size_t most) {
    for (size_t told = 0; snapshot->next < snapshot->names.count && told < most;) {
        const Node *node = node_find(snapshot->topology, snapshot->names.items[snapshot->next++]);
        if (!node || graph_filter_node(snapshot->filter, node) != WATCH_IN)
            continue;
        RtTopologyNode message;
        node_write(snapshot->topology, node, &snapshot->scratch, &message);
        put(snapshot, &snapshot->nodes, RtTopologySnapshot_nodes_number, &RtTopologyNode_type,
            &message);
        told += 1 + put_edges(snapshot, node) + put_instances(snapshot, node);
    }
    return snapshot->next == snapshot->names.count;
}

Span snapshot_encode(Snapshot *snapshot) {
    Span head = {0};
    schema_encode(&RtTopologySnapshot_type, &snapshot->head, 0, &snapshot->arena, &head);
    buf_add(&snapshot->nodes, buf_span(&snapshot->edges));
    buf_add(&snapshot->nodes, buf_span(&snapshot->instances));
    buf_add(&snapshot->nodes, head);
    return buf_span(&snapshot->nodes);
}
