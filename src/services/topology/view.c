/* What queries ask for, and what watchers are told. */
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "services/topology/internal.h"

#define NAMES_MAX   10000
#define VALUES_MAX  1000
#define DEPTH_MAX   100
#define INTERVAL_MS 1000

typedef ARRAY(uint64_t) Serials;

struct GraphFilter {
    Arena arena; /* where the lists lie */
    Topology *topology;
    Span *names, *namespaces; /* ascending; NULL: all */
    uint32_t name_count, namespace_count;
    int32_t depth;
    uint32_t languages, states, kinds; /* bits; 0: all */
    bool instances;
    /* With a depth: the nodes that are near enough, ascending, as of a generation. */
    Serials near;
    uint64_t generation;
};

static int compare_spans(const void *a, const void *b) {
    return span_compare(*(const Span *)a, *(const Span *)b);
}

static int compare_serials(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool among(const Span *sorted, uint32_t count, Span name) {
    return bsearch(&name, sorted, count, sizeof name, compare_spans) != NULL;
}

static Span *sorted_copy(Arena *arena, const Span *items, uint32_t count) {
    if (!count)
        return NULL;
    Span *sorted = arena_alloc(arena, count * sizeof *sorted);
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = arena_copy(arena, items[i]);
    qsort(sorted, count, sizeof *sorted, compare_spans);
    return sorted;
}

static bool bits_of(const int32_t *values, uint32_t count, uint32_t *ret) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] < 0 || values[i] > 31)
            return false;
        bits |= 1u << values[i];
    }
    *ret = bits;
    return true;
}

/* ---- nearness ---- */

/* All nodes at most `depth` edges away from the named ones, whichever way the edges point. */
static void find_near(const GraphFilter *filter, Serials *ret) {
    Topology *topology = filter->topology;
    ARRAY(Node *) found = {0};
    topology->mark++;
    for (uint32_t i = 0; i < filter->name_count; i++) {
        Node *node = node_find(topology, filter->names[i]);
        if (!node || node->mark == topology->mark)
            continue;
        node->mark = topology->mark;
        *array_push(&found) = node;
    }
    size_t from = 0;
    for (int32_t depth = 0; depth < filter->depth && from < found.count; depth++) {
        for (size_t end = found.count; from < end; from++) {
            Link *heads[2] = {&found.items[from]->out, &found.items[from]->in};
            for (int side = 0; side < 2; side++)
                LIST_EACH (heads[side], link) {
                    Node *next = side == 0 ? CONTAINER(link, Edge, of_source)->target
                                           : CONTAINER(link, Edge, of_target)->source;
                    if (next->mark == topology->mark)
                        continue;
                    next->mark = topology->mark;
                    *array_push(&found) = next;
                }
        }
    }
    for (size_t i = 0; i < found.count; i++)
        *array_push(ret) = found.items[i]->serial;
    array_done(&found);
    if (ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, compare_serials);
}

/* Whether other nodes are near now than were before. */
static bool graph_filter_moved(void *owner, void *at) {
    GraphFilter *filter = at;
    uint64_t generation = filter->topology->generation;
    if (!filter->depth || filter->generation == generation)
        return false;
    Serials near = {0};
    find_near(filter, &near);
    bool same = near.count == filter->near.count &&
                (!near.count ||
                 memcmp(near.items, filter->near.items, near.count * sizeof *near.items) == 0);
    array_done(&filter->near);
    filter->near = near;
    filter->generation = generation;
    return !same;
}

/* ---- filters ---- */

static Status too_many(Arena *arena, const char *field, int most) {
    return status_make(arena, STATUS_INVALID_ARGUMENT, "%s has more than %d entries", field, most);
}

Status graph_filter_new(Topology *topology, const RtTopologyQuery *query, Arena *arena,
                        GraphFilter **ret) {
    if (query->service_names.count > NAMES_MAX)
        return too_many(arena, "service_names", NAMES_MAX);
    if (query->namespaces.count > VALUES_MAX)
        return too_many(arena, "namespaces", VALUES_MAX);
    if (query->depth < 0 || query->depth > DEPTH_MAX)
        return status_make(arena, STATUS_INVALID_ARGUMENT, "depth is not between 0 and %d",
                           DEPTH_MAX);
    uint32_t languages, states, kinds;
    if (!bits_of(query->languages.items, query->languages.count, &languages) ||
        !bits_of(query->states.items, query->states.count, &states) ||
        !bits_of(query->edge_kinds.items, query->edge_kinds.count, &kinds))
        return status_make(arena, STATUS_INVALID_ARGUMENT,
                           "languages, states or edge_kinds has a value that is not known");
    GraphFilter *filter = xcalloc(1, sizeof *filter);
    filter->topology = topology;
    filter->names =
        sorted_copy(&filter->arena, query->service_names.items, query->service_names.count);
    filter->name_count = query->service_names.count;
    filter->namespaces =
        sorted_copy(&filter->arena, query->namespaces.items, query->namespaces.count);
    filter->namespace_count = query->namespaces.count;
    filter->depth = filter->name_count ? query->depth : 0;
    filter->languages = languages;
    filter->states = states;
    /* EDGE_KIND_UNSPECIFIED means all. */
    filter->kinds = kinds & 1 ? 0 : kinds;
    filter->instances = query->include_instances;
    graph_filter_moved(NULL, filter);
    *ret = filter;
    return status_ok();
}

void graph_filter_free(GraphFilter *filter) {
    array_done(&filter->near);
    arena_done(&filter->arena);
    free(filter);
}

static bool graph_filter_names(const GraphFilter *filter, const Node *node) {
    if (filter->depth)
        return filter->near.count && bsearch(&node->serial, filter->near.items, filter->near.count,
                                             sizeof node->serial, compare_serials) != NULL;
    return !filter->names || among(filter->names, filter->name_count, node_name(node));
}

static bool has_bit(uint32_t bits, uint64_t value) {
    return !bits || (value < 32 && bits >> value & 1);
}

WatchMatch graph_filter_node(const GraphFilter *filter, const Node *node) {
    if (!graph_filter_names(filter, node))
        return WATCH_NEVER;
    if (!has_bit(filter->states, node->state))
        return WATCH_OUT;
    if (filter->namespaces &&
        !among(filter->namespaces, filter->namespace_count, node_namespace(node)))
        return WATCH_OUT;
    if (filter->languages) {
        const Instance *newest = node_newest(node);
        if (!has_bit(filter->languages, newest ? newest->language : 0))
            return WATCH_OUT;
    }
    return WATCH_IN;
}

static WatchMatch both(WatchMatch a, WatchMatch b) {
    return a < b ? a : b;
}

WatchMatch graph_filter_edge(const GraphFilter *filter, const Edge *edge) {
    if (!has_bit(filter->kinds, edge->name.kind))
        return WATCH_NEVER;
    return both(graph_filter_node(filter, edge->source), graph_filter_node(filter, edge->target));
}

WatchMatch graph_filter_instance(const GraphFilter *filter, const Instance *instance) {
    return filter->instances ? graph_filter_node(filter, instance->node) : WATCH_NEVER;
}

/* ---- what watchers are told ---- */

static const Node *node_of(const WatchItem *item) {
    return CONTAINER(item, Node, watch);
}

static const Edge *edge_of(const WatchItem *item) {
    return CONTAINER(item, Edge, watch);
}

static const Instance *instance_of(const WatchItem *item) {
    return CONTAINER(item, Instance, watch);
}

static WatchMatch match(void *owner, const void *filter, const WatchItem *item) {
    switch (item->kind) {
    case KIND_NODE:
        return graph_filter_node(filter, node_of(item));
    case KIND_EDGE:
        return graph_filter_edge(filter, edge_of(item));
    default:
        return graph_filter_instance(filter, instance_of(item));
    }
}

/* Of an edge: source NUL target NUL kind. */
static Span key(void *owner, const WatchItem *item, char scratch[WATCH_KEY_MAX]) {
    if (item->kind == KIND_NODE)
        return node_name(node_of(item));
    if (item->kind == KIND_INSTANCE)
        return instance_identity(instance_of(item));
    const Edge *edge = edge_of(item);
    Span source = node_name(edge->source), target = node_name(edge->target);
    char *at = scratch;
    memcpy(at, source.ptr, source.len);
    at += source.len;
    *at++ = '\0';
    memcpy(at, target.ptr, target.len);
    at += target.len;
    *at++ = '\0';
    *at++ = (char)edge->name.kind;
    return span(scratch, (size_t)(at - scratch));
}

static RtTopologyEdgeKey edge_key_of(Span key) {
    size_t source = strlen(key.ptr);
    return (RtTopologyEdgeKey){
        .source = span(key.ptr, source),
        .target = span(key.ptr + source + 1, key.len - source - 3),
        .kind = key.ptr[key.len - 1],
    };
}

/* A node that comes into what is asked for brings its edges and instances, which have not changed
 * themselves. */
static void add_around(const Topology *topology, const GraphFilter *filter, const Node *node,
                       RtTopologyUpdate *update, Arena *arena) {
    LIST_EACH (&node->out, link) {
        const Edge *edge = CONTAINER(link, Edge, of_source);
        if (graph_filter_edge(filter, edge) == WATCH_IN)
            edge_write(topology, edge, arena, schema_append(&update->edges, arena));
    }
    LIST_EACH (&node->in, link) {
        const Edge *edge = CONTAINER(link, Edge, of_target);
        if (edge->source != node && graph_filter_edge(filter, edge) == WATCH_IN)
            edge_write(topology, edge, arena, schema_append(&update->edges, arena));
    }
    LIST_EACH (&node->instances, link) {
        const Instance *instance = CONTAINER(link, Instance, of_node);
        if (graph_filter_instance(filter, instance) == WATCH_IN)
            instance_write(instance, arena, schema_append(&update->instances, arena));
    }
}

static bool is_choosy(const GraphFilter *filter) {
    return filter->states || filter->namespaces || filter->languages;
}

static void add(void *owner, const void *at, const WatchItem *item, const WatchMoment *moment,
                void *into, Arena *arena) {
    const Topology *topology = owner;
    const GraphFilter *filter = at;
    RtTopologyUpdate *update = into;
    if (item->kind == KIND_EDGE) {
        edge_write(topology, edge_of(item), arena, schema_append(&update->edges, arena));
    } else if (item->kind == KIND_INSTANCE) {
        instance_write(instance_of(item), arena, schema_append(&update->instances, arena));
    } else {
        node_write(topology, node_of(item), arena, schema_append(&update->nodes, arena));
        if (is_choosy(filter) && !moment->figures && item->stated > moment->since)
            add_around(topology, filter, node_of(item), update, arena);
    }
}

static void gone(void *owner, const void *filter, uint8_t kind, Span key, void *into,
                 Arena *arena) {
    RtTopologyUpdate *update = into;
    if (kind == KIND_EDGE)
        *schema_append(&update->removed_edges, arena) = edge_key_of(key);
    else if (kind == KIND_NODE)
        *schema_append(&update->removed_nodes, arena) = key;
    else
        *schema_append(&update->removed_instances, arena) = key;
}

static bool asked_for(void *owner, const void *at, uint8_t kind, Span key) {
    const GraphFilter *filter = at;
    if (kind == KIND_INSTANCE)
        return filter->instances;
    bool all = !filter->names || filter->depth;
    if (kind == KIND_NODE)
        return all || among(filter->names, filter->name_count, key);
    RtTopologyEdgeKey edge = edge_key_of(key);
    return has_bit(filter->kinds, (uint64_t)edge.kind) &&
           (all || (among(filter->names, filter->name_count, edge.source) &&
                    among(filter->names, filter->name_count, edge.target)));
}

static void seal(void *owner, const void *filter, const WatchMoment *moment, void *into,
                 Arena *arena) {
    RtTopologyUpdate *update = into;
    RtRevision *revision = arena_zalloc(arena, sizeof *revision);
    revision->epoch = (int64_t)moment->epoch;
    revision->number = (int64_t)moment->number;
    update->revision = revision;
    update->timestamp = moment->wall / NANOS_PER_MILLI;
    update->reset = moment->reset;
    update->more = moment->more;
}

static void ops_filter_free(void *owner, void *filter) {
    graph_filter_free(filter);
}

const WatchOps TOPOLOGY_WATCH = {
    .update = &RtTopologyUpdate_type,
    .piece = 128,
    .match = match,
    .key = key,
    .add = add,
    .gone = gone,
    .seal = seal,
    .asked_for = asked_for,
    .moved = graph_filter_moved,
    .filter_free = ops_filter_free,
};
