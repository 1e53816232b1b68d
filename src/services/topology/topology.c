#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "services/topology/internal.h"

Nanos topology_now(const Topology *topology) {
    return world_now(topology->world) - world_wheel(topology->world)->postponed;
}

uint32_t topology_second(const Topology *topology) {
    return (uint32_t)(topology_now(topology) / NANOS_PER_SECOND);
}

int64_t topology_wall_ms(const Topology *topology) {
    return world_wall(topology->world) / NANOS_PER_MILLI;
}

void topology_arm(Topology *topology, Timer *timer, Nanos at) {
    Wheel *wheel = world_wheel(topology->world);
    wheel_arm(wheel, timer, at + wheel->postponed);
}

const char *name_fault(Span name) {
    if (!name.len)
        return "is empty";
    if (name.len > TOPOLOGY_NAME_MAX)
        return "is longer than 128 bytes";
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return "has control characters";
    return NULL;
}

/* Whole characters only. */
void keep_text(char **kept, Span text, size_t most) {
    free(*kept);
    *kept = NULL;
    if (!text.len)
        return;
    size_t len = utf8_valid_length(span(text.ptr, text.len < most ? text.len : most));
    *kept = xmalloc(len + 1);
    memcpy(*kept, text.ptr, len);
    (*kept)[len] = '\0';
}

TopologySettings settings_of(const Topology *topology, Span service_name) {
    TopologySettings settings = {0};
    if (topology->settings)
        topology->settings(topology->settings_owner, service_name, &settings);
    return settings;
}

void topology_configure(Topology *topology) {
    Arena arena = {0};
    ARRAY(Span) names = {0}; /* of nodes, which come and go with dependencies */
    size_t at = 0;
    for (const Node *node; (node = map_next(&topology->nodes, &at));)
        *array_push(&names) = arena_copy(&arena, node_name(node));
    for (size_t i = 0; i < names.count; i++) {
        Node *node = node_find(topology, names.items[i]);
        if (node)
            node_configure(topology, node);
    }
    array_done(&names);
    arena_done(&arena);
}

/* ---- the whole ---- */

static Span node_key(const void *item) {
    return node_name(item);
}

static Span instance_key(const void *item) {
    return instance_id(item);
}

static Span process_key(const void *item) {
    return instance_word(item, WORD_INSTANCE_ID);
}

static Span edge_key(const void *item) {
    return span(&((const Edge *)item)->name, sizeof(EdgeName));
}

static Span alias_key(const void *item) {
    const Alias *alias = item;
    return span(alias->text, alias->name_len);
}

Topology *topology_new(World *world, const TopologyOptions *options) {
    Topology *topology = xcalloc(1, sizeof *topology);
    uint64_t random[2];
    world_random(world, random, sizeof random);
    topology->world = world;
    topology->settings = options->settings;
    topology->settings_owner = options->settings_owner;
    topology->watch = watch_new(world, &TOPOLOGY_WATCH, topology,
                                &(WatchOptions){.server = options->server,
                                                .transport = options->transport,
                                                .epoch = options->epoch});
    map_init(&topology->nodes, node_key, random[0]);
    map_init(&topology->instances, instance_key, random[0]);
    map_init(&topology->by_instance_id, process_key, random[0]);
    map_init(&topology->edges, edge_key, random[0]);
    map_init(&topology->aliases, alias_key, random[0]);
    snprintf(topology->prefix, sizeof topology->prefix, "%08x", (unsigned)random[1]);
    series_pool_init(&topology->calls, CALL_SERIES_MAX, sizeof(CallPoint), 0);
    series_pool_init(&topology->usages, USAGE_SERIES_MAX, sizeof(Usage), 0xff);
    list_init(&topology->called);
    list_init(&topology->recent);
    return topology;
}

void topology_free(Topology *topology) {
    if (!topology)
        return;
    topology->listener_count = 0;
    topology->ending = true; /* no node goes by itself */
    size_t at = 0;
    for (Node *node; (node = map_next(&topology->nodes, &at));)
        node_free(topology, node);
    at = 0;
    for (Alias *alias; (alias = map_next(&topology->aliases, &at));)
        free(alias);
    map_done(&topology->nodes);
    map_done(&topology->instances);
    map_done(&topology->by_instance_id);
    map_done(&topology->edges);
    map_done(&topology->aliases);
    series_pool_done(&topology->calls);
    series_pool_done(&topology->usages);
    watch_free(topology->watch);
    free(topology);
}

void topology_listen(Topology *topology, const TopologyListener *listener, void *owner) {
    assert(topology->listener_count < sizeof topology->listening / sizeof *topology->listening);
    topology->listening[topology->listener_count++] = (Listening){listener, owner};
}

/* ---- what others ask ---- */

bool topology_find(const Topology *topology, Span id, TopologyInstance *ret) {
    const Instance *instance = instance_find(topology, id);
    if (instance)
        instance_describe(instance, ret);
    return instance != NULL;
}

static TopologyTraffic traffic_of(const TrafficFigures *figures) {
    return (TopologyTraffic){
        .rps = figures->rps,
        .error_rate = figures->error_rate,
        .p50_ms = figures->measured ? figures->p50_ms : -1,
        .p95_ms = figures->measured ? figures->p95_ms : -1,
        .p99_ms = figures->measured ? figures->p99_ms : -1,
        .seconds = figures->seconds,
    };
}

bool topology_traffic(const Topology *topology, Span service_name, TopologyTraffic *ret) {
    const Node *node = node_find(topology, service_name);
    if (!node || !node->incoming || !traffic_flows(node->incoming, topology_second(topology)))
        return false;
    TrafficFigures figures = traffic_figures(node->incoming, topology_second(topology));
    *ret = traffic_of(&figures);
    return true;
}

void topology_each_called(const Topology *topology, void (*called)(void *owner, Span service_name),
                          void *owner) {
    LIST_EACH (&topology->called, link) {
        const Node *node = CONTAINER(link, Node, of_called);
        if (traffic_flows(node->incoming, topology_second(topology)))
            called(owner, node_name(node));
    }
}

/* ---- what others know ---- */

static void node_health(Topology *topology, Node *node, RtHealthState health, Span message) {
    bool same = node->health_known && node->health == health &&
                span_equal(span_of(node->health_message), message);
    if (same)
        return;
    node->health_known = true;
    if (node->health != health)
        node->changed_at = topology_wall_ms(topology);
    node->health = health;
    keep_text(&node->health_message, message, TOPOLOGY_TEXT_MAX);
    watch_changed(topology->watch, &node->watch);
}

void topology_set_health(Topology *topology, const RtHealthStatus *status) {
    for (uint32_t i = 0; i < status->instances.count; i++) {
        const RtHealthStatus *of = &status->instances.items[i];
        Instance *instance = instance_find(topology, of->service_id);
        if (instance)
            instance_judged(topology, instance, of->state, of->message);
    }
    Node *node = node_find(topology, status->service_name);
    if (node)
        node_health(topology, node, status->state, status->message);
}

void topology_set_usable(Topology *topology, Span service_name, uint32_t count) {
    Node *node = node_find(topology, service_name);
    if (!node || node->usable == count)
        return;
    node->usable = count;
    watch_changed(topology->watch, &node->watch);
}
