/* How nodes, edges and instances look in messages. */
#include "schema/codec.h"
#include "schema/wire.h"
#include "services/topology/internal.h"

const Instance *node_newest(const Node *node) {
    for (Link *link = node->instances.prev; link != &node->instances; link = link->prev)
        if (CONTAINER(link, Instance, of_node)->registered_once)
            return CONTAINER(link, Instance, of_node);
    return NULL;
}

Span node_namespace(const Node *node) {
    const Instance *newest = node_newest(node);
    Span said = {0};
    if (newest) {
        WireField field;
        for (WireReader reader = wire_reader(instance_word(newest, WORD_METADATA));
             wire_next(&reader, &field);)
            if (field.number == RtServiceMetadata_namespace_number && field.type == WIRE_BYTES)
                said = field.bytes;
    }
    return said.len || !node->words ? said : node->words->namespace;
}

Span instance_identity(const Instance *instance) {
    return instance->registered_once ? instance_id(instance)
                                     : instance_word(instance, WORD_INSTANCE_ID);
}

static RtLatencySummary *latency_write(const TrafficFigures *figures, Arena *arena) {
    if (!figures->measured)
        return NULL;
    RtLatencySummary *latency = arena_zalloc(arena, sizeof *latency);
    latency->p50_ms = figures->p50_ms;
    latency->p95_ms = figures->p95_ms;
    latency->p99_ms = figures->p99_ms;
    return latency;
}

RtTrafficSummary *traffic_write(const Topology *topology, const Traffic *traffic, Arena *arena) {
    if (!traffic)
        return NULL;
    TrafficFigures figures = traffic_figures(traffic, topology_second(topology));
    RtTrafficSummary *summary = arena_zalloc(arena, sizeof *summary);
    summary->total_rps = figures.rps;
    summary->error_rate = figures.error_rate;
    summary->latency = latency_write(&figures, arena);
    summary->request_count = (int64_t)traffic->count;
    summary->error_count = (int64_t)traffic->errors;
    return summary;
}

static RtServiceMetrics *sums_write(const Sum sums[SUMS], Arena *arena) {
    RtServiceMetrics *metrics = arena_zalloc(arena, sizeof *metrics);
    metrics->has_cpu_percent = sums[SUM_CPU].count;
    metrics->cpu_percent = sums[SUM_CPU].value;
    metrics->has_memory_bytes = sums[SUM_MEMORY].count;
    metrics->memory_bytes = (int64_t)sums[SUM_MEMORY].value;
    metrics->has_threads = sums[SUM_THREADS].count;
    metrics->threads = (int32_t)sums[SUM_THREADS].value;
    metrics->has_open_files = sums[SUM_FILES].count;
    metrics->open_files = (int32_t)sums[SUM_FILES].value;
    metrics->has_in_flight = sums[SUM_IN_FLIGHT].count;
    metrics->in_flight = (int32_t)sums[SUM_IN_FLIGHT].value;
    metrics->has_load = sums[SUM_LOAD].count;
    if (metrics->has_load)
        metrics->load = sums[SUM_LOAD].value / sums[SUM_LOAD].count;
    return metrics;
}

static RtServiceMetadata *metadata_of(const Instance *instance, Arena *arena) {
    Span encoded = instance_word(instance, WORD_METADATA);
    void *metadata = NULL;
    if (encoded.len)
        schema_decode(&RtServiceMetadata_type, encoded, NULL, arena, &metadata, NULL);
    return metadata;
}

/* Labels of the configuration, then those that the newest instance brings itself. */
static void labels_write(const Node *node, const Instance *newest, Arena *arena,
                         RtTopologyNode *ret) {
    const RtServiceMetadata *metadata = newest ? metadata_of(newest, arena) : NULL;
    uint32_t said = metadata ? metadata->labels.count : 0;
    uint32_t configured = node->words ? node->words->label_count : 0;
    if (!said && !configured)
        return;
    ret->labels.items = arena_alloc(arena, (said + configured) * sizeof *ret->labels.items);
    for (uint32_t i = 0; i < configured; i++) {
        const RtTopologyNodeLabelsEntry *label = &node->words->labels[i];
        bool replaced = false;
        for (uint32_t j = 0; j < said && !replaced; j++)
            replaced = span_equal(metadata->labels.items[j].key, label->key);
        if (!replaced)
            ret->labels.items[ret->labels.count++] = *label;
    }
    for (uint32_t i = 0; i < said; i++)
        ret->labels.items[ret->labels.count++] = (RtTopologyNodeLabelsEntry){
            .key = metadata->labels.items[i].key, .value = metadata->labels.items[i].value};
}

void node_write(const Topology *topology, const Node *node, Arena *arena, RtTopologyNode *ret) {
    const Instance *newest = node_newest(node);
    *ret = (RtTopologyNode){
        .service_name = node_name(node),
        .state = node->state,
        .last_heartbeat = node->last_beat_wall,
        .health = node->health,
        .active_connections = (int32_t)node->active_edges,
        .service_type = RT_SERVICE_TYPE_SERVER,
        .health_message = span_of(node->health_message),
        .namespace_ = node_namespace(node),
        .instance_count = (int32_t)node->instance_count,
        .usable_count = (int32_t)node->usable,
        .managed = node->managed,
        .incoming = traffic_write(topology, node->incoming, arena),
        .outgoing = traffic_write(topology, node->outgoing, arena),
        .metrics = node->sums ? sums_write(node->sums, arena) : NULL,
        .first_seen_ms = node->first_seen,
        .changed_at_ms = node->changed_at,
        .builtin = node->builtin,
    };
    if (newest) {
        ret->service_type = newest->type;
        ret->language = newest->language;
        ret->version = instance_word(newest, WORD_VERSION);
    }
    if (node->builtin && !node->instance_count) { /* this runtime, which is well if it says so */
        ret->health = RT_HEALTH_STATE_HEALTHY;
        ret->language = RT_SERVICE_LANGUAGE_C;
    }
    labels_write(node, newest, arena, ret);
}

/* What is declared about the target's absence. */
static RtDependencyKind dependency_of(const Topology *topology, const Edge *edge) {
    const Edge *declared =
        edge->name.kind == RT_EDGE_KIND_CALL
            ? edge_find(topology, edge->source, edge->target, RT_EDGE_KIND_DEPENDENCY)
            : edge;
    return declared ? declared->dependency : RT_DEPENDENCY_KIND_UNSPECIFIED;
}

void edge_write(const Topology *topology, const Edge *edge, Arena *arena, RtTopologyEdge *ret) {
    *ret = (RtTopologyEdge){
        .source = node_name(edge->source),
        .target = node_name(edge->target),
        .state = edge->state,
        .kind = (int32_t)edge->name.kind,
        .protocol = span_of(edge->protocol),
        .last_activity = edge->last_wall,
        .last_correlation_id = span_of(edge->correlation),
        .dependency_kind = dependency_of(topology, edge),
        .first_seen_ms = edge->first_seen,
        .in_flight = (int32_t)(edge->in_flight < INT32_MAX ? edge->in_flight : INT32_MAX),
    };
    if (edge->last_method)
        ret->last_method = span(edge->last_method->name, edge->last_method->name_len);
    if (!edge->traffic)
        return;
    TrafficFigures figures = traffic_figures(edge->traffic, topology_second(topology));
    ret->total_rps = figures.rps;
    ret->error_rate = figures.error_rate;
    ret->latency = latency_write(&figures, arena);
    ret->request_count = (int64_t)edge->traffic->count;
    ret->error_count = (int64_t)edge->traffic->errors;
}

void instance_write(const Instance *instance, Arena *arena, RtTopologyInstance *ret) {
    *ret = (RtTopologyInstance){
        .service_id = instance_identity(instance),
        .service_name = node_name(instance->node),
        .state = instance->state,
        .language = instance->language,
        .last_heartbeat = instance->last_beat_wall,
        .health = instance->health,
        .service_type = instance->type,
        .version = instance_word(instance, WORD_VERSION),
        .address = instance_word(instance, WORD_ADDRESS),
        .host = instance_word(instance, WORD_HOST),
        .metadata = metadata_of(instance, arena),
        .instance_id = instance_word(instance, WORD_INSTANCE_ID),
        .registered_at_ms = instance->registered_wall,
        .metrics = instance->metrics,
        .health_message = span_of(instance->health_message),
    };
    /* Which of several instances calls go through is not told apart. */
    if (instance->node->instance_count == 1)
        ret->active_connections = (int32_t)instance->node->active_edges;
    if (instance->registered_once) {
        ret->heartbeat_interval_ms = instance->interval_ms;
        ret->timeout_multiplier = instance->dead_after;
    }
}
