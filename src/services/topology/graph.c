/* Nodes and edges: how they come, change and go. */
#include <stdlib.h>

#include "base/memory.h"
#include "services/topology/internal.h"

/* ---- nodes ---- */

Span node_name(const Node *node) {
    return span(node->name, node->name_len);
}

Node *node_find(const Topology *topology, Span name) {
    return map_get(&topology->nodes, name);
}

static NodeWords *words_new(const TopologySettings *settings) {
    if (!settings->namespace.len && !settings->label_count)
        return NULL;
    NodeWords *words = xcalloc(1, sizeof *words);
    words->namespace = arena_copy(&words->arena, settings->namespace);
    words->label_count = (uint32_t)settings->label_count;
    words->labels = arena_zalloc(&words->arena, settings->label_count * sizeof *words->labels);
    for (size_t i = 0; i < settings->label_count; i++) {
        words->labels[i].key = arena_copy(&words->arena, settings->label_names[i]);
        words->labels[i].value = arena_copy(&words->arena, settings->label_values[i]);
    }
    return words;
}

static void words_free(NodeWords *words) {
    if (words)
        arena_done(&words->arena);
    free(words);
}

static void on_node_timer(Timer *timer) {
    Node *node = CONTAINER(timer, Node, timer);
    node_figures(node->topology, node);
    if (node_flows(node->topology, node))
        topology_arm(node->topology, timer, topology_now(node->topology) + NANOS_PER_SECOND);
}

/* An edge of it goes, and with it what has its figures fall. */
static void node_falls(Topology *topology, Node *node) {
    if (!topology->ending && !timer_is_armed(&node->timer) && node_flows(topology, node))
        topology_arm(topology, &node->timer, topology_now(topology) + NANOS_PER_SECOND);
}

Node *node_need(Topology *topology, Span name) {
    Node *node = node_find(topology, name);
    if (node || topology->nodes.count >= TOPOLOGY_NODES_MAX)
        return node;
    node = xcalloc(1, sizeof *node + name.len);
    memcpy(node->name, name.ptr, name.len);
    node->name_len = name.len;
    node->topology = topology;
    node->serial = ++topology->serial;
    node->timer.fire = on_node_timer;
    node->first_seen = node->changed_at = topology_wall_ms(topology);
    list_init(&node->instances);
    list_init(&node->out);
    list_init(&node->in);
    list_init(&node->of_called);
    TopologySettings settings = settings_of(topology, name);
    node->words = words_new(&settings);
    node->managed = settings.managed;
    map_put(&topology->nodes, node);
    watch_add(topology->watch, &node->watch, KIND_NODE);
    topology->generation++;
    return node;
}

bool node_is_called(const Topology *topology, const Node *node) {
    return node->called && topology_now(topology) - node->called < TOPOLOGY_IDLE_AFTER;
}

/* The liveliest of its instances. One that is called lives, whichever instance it is that does the
 * work. A process that has not registered is livelier than one that has ended. */
static RtConnectionState state_of(const Topology *topology, const Node *node) {
    static const RtConnectionState LIVELIEST[] = {
        RT_CONNECTION_STATE_ACTIVE,
        RT_CONNECTION_STATE_IDLE,
        RT_CONNECTION_STATE_REGISTERED,
        RT_CONNECTION_STATE_STALE,
        RT_CONNECTION_STATE_CONNECTION_UNKNOWN,
        RT_CONNECTION_STATE_DEAD,
    };
    bool called = node_is_called(topology, node);
    if (node->builtin && !node->instance_count)
        return called ? RT_CONNECTION_STATE_ACTIVE : RT_CONNECTION_STATE_IDLE;
    bool alive =
        node->states[RT_CONNECTION_STATE_IDLE] || node->states[RT_CONNECTION_STATE_REGISTERED];
    if (called && alive)
        return RT_CONNECTION_STATE_ACTIVE;
    for (size_t i = 0; i < sizeof LIVELIEST / sizeof *LIVELIEST; i++)
        if (node->states[LIVELIEST[i]])
            return LIVELIEST[i];
    return RT_CONNECTION_STATE_CONNECTION_UNKNOWN;
}

void node_refresh(Topology *topology, Node *node) {
    RtConnectionState state = state_of(topology, node);
    if (node->state == state || topology->ending)
        return;
    node->state = (uint8_t)state;
    node->changed_at = topology_wall_ms(topology);
    watch_changed(topology->watch, &node->watch);
}

static void edge_free(Topology *topology, Edge *edge);

static void traffic_free(Topology *topology, Traffic *traffic) {
    if (traffic)
        traffic_done(traffic, &topology->calls);
    free(traffic);
}

void node_free(Topology *topology, Node *node) {
    map_remove(&topology->nodes, node_name(node));
    watch_remove(topology->watch, &node->watch);
    LIST_EACH (&node->instances, link)
        instance_remove(topology, CONTAINER(link, Instance, of_node), TOPOLOGY_UNREGISTERED);
    while (!list_empty(&node->out))
        edge_free(topology, CONTAINER(node->out.next, Edge, of_source));
    while (!list_empty(&node->in))
        edge_free(topology, CONTAINER(node->in.next, Edge, of_target));
    wheel_cancel(world_wheel(topology->world), &node->timer);
    list_remove(&node->of_called);
    traffic_free(topology, node->incoming);
    traffic_free(topology, node->outgoing);
    series_return(&topology->usages, &node->usage);
    free(node->sums);
    free(node->health_message);
    words_free(node->words);
    free(node);
    topology->generation++;
}

void node_unneeded(Topology *topology, Node *node) {
    if (!topology->ending && !node->instance_count && list_empty(&node->in) &&
        list_empty(&node->out))
        node_free(topology, node);
}

/* Without instances it goes, with all its edges; others' dependencies on it stay. */
void node_left(Topology *topology, Node *node) {
    if (topology->ending)
        return;
    if (node->instance_count) {
        watch_changed(topology->watch, &node->watch);
        connections_changed(topology, node);
        node_refresh(topology, node);
        return;
    }
    node->called = 0;
    node->health = RT_HEALTH_STATE_HEALTH_UNKNOWN;
    keep_text(&node->health_message, (Span){0}, 0);
    LIST_EACH (&node->in, link) {
        Edge *edge = CONTAINER(link, Edge, of_target);
        Node *source = edge->source;
        if (edge->name.kind == RT_EDGE_KIND_DEPENDENCY || source == node)
            continue;
        edge_free(topology, edge);
        if (source->builtin)
            node_unneeded(topology, source);
    }
    while (!list_empty(&node->out)) {
        Edge *edge = CONTAINER(node->out.next, Edge, of_source);
        Node *target = edge->target;
        edge_free(topology, edge);
        if (target != node)
            node_unneeded(topology, target);
    }
    watch_changed(topology->watch, &node->watch);
    node_refresh(topology, node);
    node_unneeded(topology, node);
}

/* ---- edges ---- */

static EdgeName edge_name(const Node *source, const Node *target, RtEdgeKind kind) {
    return (EdgeName){source->serial, target->serial, (uint64_t)kind};
}

Edge *edge_find(const Topology *topology, const Node *source, const Node *target, RtEdgeKind kind) {
    EdgeName name = edge_name(source, target, kind);
    return map_get(&topology->edges, span(&name, sizeof name));
}

void connections_changed(Topology *topology, Node *node) {
    if (topology->ending)
        return;
    node_figures(topology, node);
    Instance *first = CONTAINER(node->instances.next, Instance, of_node);
    if (node->instance_count && node->instance_count <= 2 && watch_has(&first->watch))
        watch_figures(topology->watch, &first->watch);
}

/* It became ACTIVE, or ceased to be. */
static void count_active(Topology *topology, Edge *edge, int change) {
    if (edge->name.kind != RT_EDGE_KIND_CALL)
        return;
    edge->source->active_edges += (uint32_t)change;
    edge->target->active_edges += (uint32_t)change;
    connections_changed(topology, edge->source);
    connections_changed(topology, edge->target);
}

/* Every second while its calls are in the window, so that rates fall; then it becomes IDLE. */
static void on_edge_timer(Timer *timer) {
    Edge *edge = CONTAINER(timer, Edge, timer);
    Topology *topology = edge->source->topology;
    Nanos now = topology_now(topology), idle = edge->last + TOPOLOGY_IDLE_AFTER;
    watch_figures(topology->watch, &edge->watch);
    node_figures(topology, edge->source);
    node_figures(topology, edge->target);
    if (edge->traffic && traffic_flows(edge->traffic, topology_second(topology))) {
        topology_arm(topology, &edge->timer, now + NANOS_PER_SECOND);
    } else if (now < idle) {
        topology_arm(topology, &edge->timer, idle);
    } else {
        edge->state = RT_CONNECTION_STATE_IDLE;
        count_active(topology, edge, -1);
        edge_rest(topology, edge);
        watch_changed(topology->watch, &edge->watch);
        node_refresh(topology, edge->source);
        node_refresh(topology, edge->target);
    }
}

static bool has_room(const Topology *topology, const Node *source) {
    return topology->edges.count < TOPOLOGY_EDGES_MAX &&
           (source->builtin || source->out_count < TOPOLOGY_TARGETS_MAX);
}

Edge *edge_need(Topology *topology, Node *source, Node *target, RtEdgeKind kind) {
    Edge *edge = edge_find(topology, source, target, kind);
    if (edge || !has_room(topology, source))
        return edge;
    edge = xcalloc(1, sizeof *edge);
    edge->source = source;
    edge->target = target;
    edge->name = edge_name(source, target, kind);
    edge->state = RT_CONNECTION_STATE_IDLE;
    edge->first_seen = topology_wall_ms(topology);
    edge->timer.fire = on_edge_timer;
    list_init(&edge->recent);
    list_push_back(&source->out, &edge->of_source);
    list_push_back(&target->in, &edge->of_target);
    source->out_count++;
    map_put(&topology->edges, edge);
    watch_add(topology->watch, &edge->watch, KIND_EDGE);
    topology->generation++;
    return edge;
}

void edge_active(Topology *topology, Edge *edge) {
    edge->last = topology_now(topology);
    edge->last_wall = topology_wall_ms(topology);
    if (edge->name.kind == RT_EDGE_KIND_CALL || edge->target->builtin)
        edge->target->called = edge->last;
    if (edge->state == RT_CONNECTION_STATE_ACTIVE) {
        watch_figures(topology->watch, &edge->watch);
    } else {
        edge->state = RT_CONNECTION_STATE_ACTIVE;
        count_active(topology, edge, 1);
        watch_changed(topology->watch, &edge->watch);
    }
    if (!timer_is_armed(&edge->timer) ||
        timer_deadline(world_wheel(topology->world), &edge->timer) >
            world_now(topology->world) + NANOS_PER_SECOND)
        topology_arm(topology, &edge->timer, edge->last + NANOS_PER_SECOND);
    node_figures(topology, edge->source);
    node_figures(topology, edge->target);
    node_refresh(topology, edge->target);
}

static void edge_free(Topology *topology, Edge *edge) {
    if (edge->state == RT_CONNECTION_STATE_ACTIVE)
        count_active(topology, edge, -1);
    node_falls(topology, edge->source);
    node_falls(topology, edge->target);
    edge->source->out_count--;
    wheel_cancel(world_wheel(topology->world), &edge->timer);
    watch_remove(topology->watch, &edge->watch);
    map_remove(&topology->edges, span(&edge->name, sizeof edge->name));
    list_remove(&edge->of_source);
    list_remove(&edge->of_target);
    edge_forget_calls(topology, edge);
    traffic_free(topology, edge->traffic);
    free(edge);
    topology->generation++;
}

Edge *node_depend(Topology *topology, Node *node, Span target, RtDependencyKind kind) {
    if (name_fault(target) || span_equal(target, node_name(node)))
        return NULL;
    Node *on = node_need(topology, target);
    Edge *edge = on ? edge_need(topology, node, on, RT_EDGE_KIND_DEPENDENCY) : NULL;
    if (edge && edge->dependency != kind) {
        edge->dependency = (uint8_t)kind;
        watch_changed(topology->watch, &edge->watch);
    } else if (on && !edge) {
        node_unneeded(topology, on);
    }
    return edge;
}

void node_depend_as_configured(Topology *topology, Node *node) {
    TopologySettings settings = settings_of(topology, node_name(node));
    size_t count = settings.dependency_count;
    Arena arena = {0}; /* new nodes ask for settings of their own */
    Span *targets = arena_alloc(&arena, (count + 1) * sizeof *targets);
    int32_t *kinds = arena_alloc(&arena, (count + 1) * sizeof *kinds);
    for (size_t i = 0; i < count; i++) {
        targets[i] = arena_copy(&arena, settings.dependencies[i]);
        kinds[i] = settings.dependency_kinds[i];
    }
    for (size_t i = 0; i < count; i++) {
        Edge *edge = node_depend(topology, node, targets[i], (RtDependencyKind)kinds[i]);
        if (edge)
            edge->configured = true;
    }
    arena_done(&arena);
}

/* Dependencies that the configuration does not name any more. */
static void drop_dependencies(Topology *topology, Node *node, const TopologySettings *settings) {
    LIST_EACH (&node->out, link) {
        Edge *edge = CONTAINER(link, Edge, of_source);
        bool named = !edge->configured;
        for (size_t i = 0; i < settings->dependency_count; i++)
            named |= span_equal(settings->dependencies[i], node_name(edge->target));
        if (named)
            continue;
        Node *target = edge->target;
        edge_free(topology, edge);
        node_unneeded(topology, target);
    }
}

void node_configure(Topology *topology, Node *node) {
    TopologySettings settings = settings_of(topology, node_name(node));
    words_free(node->words);
    node->words = words_new(&settings);
    node->managed |= settings.managed;
    LIST_EACH (&node->instances, link)
        instance_configure(topology, CONTAINER(link, Instance, of_node), &settings);
    watch_changed(topology->watch, &node->watch);
    drop_dependencies(topology, node, &settings);
    node_depend_as_configured(topology, node);
}

/* ---- lookups ---- */

static void alias_put(Topology *topology, Span name, Span target) {
    Alias *known = map_get(&topology->aliases, name);
    if (known && span_equal(span(known->text + known->name_len, known->target_len), target))
        return;
    if (!known && topology->aliases.count >= ALIASES_MAX)
        return;
    Alias *alias = xcalloc(1, sizeof *alias + name.len + target.len);
    alias->name_len = name.len;
    alias->target_len = target.len;
    memcpy(alias->text, name.ptr, name.len);
    memcpy(alias->text + name.len, target.ptr, target.len);
    free(map_put(&topology->aliases, alias));
}

Node *node_called(Topology *topology, Span name) {
    Node *node = node_find(topology, name);
    const Alias *alias = map_get(&topology->aliases, name);
    if (alias && (!node || !node->instance_count)) {
        Node *meant = node_find(topology, span(alias->text + alias->name_len, alias->target_len));
        if (meant)
            return meant;
    }
    return node ? node : node_need(topology, name);
}

static Node *broker_node(Topology *topology) {
    Node *node = node_need(topology, BROKER_NODE);
    if (node && !node->instance_count && !node->builtin) {
        node->builtin = true;
        node->state = RT_CONNECTION_STATE_IDLE;
        watch_changed(topology->watch, &node->watch);
    }
    return node;
}

/* An edge of the path that a lookup takes. */
static void discovery_edge(Topology *topology, Node *source, Node *target) {
    Edge *edge = edge_need(topology, source, target, RT_EDGE_KIND_DISCOVERY);
    if (edge)
        edge_active(topology, edge);
}

void topology_note_lookup(Topology *topology, Span client_service_id, Span broker_name,
                          const Span *server_names, size_t count) {
    Instance *client = instance_find(topology, client_service_id);
    Node *broker = broker_node(topology);
    if (!broker)
        return;
    if (client && client->node != broker)
        discovery_edge(topology, client->node, broker);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 && !name_fault(broker_name))
            alias_put(topology, broker_name, server_names[i]);
        Node *server = node_find(topology, server_names[i]);
        if (!server || server == broker)
            continue;
        discovery_edge(topology, broker, server);
        if (client && client->node != server)
            edge_need(topology, client->node, server, RT_EDGE_KIND_CALL);
    }
    node_unneeded(topology, broker);
}
