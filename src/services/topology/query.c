/* Answers to single questions. */
#include <math.h>
#include <stdlib.h>

#include "schema/codec.h"
#include "services/topology/internal.h"

#define REQUESTS_DEFAULT 20

#define sort(array, compare)                                                                       \
    do {                                                                                           \
        if ((array)->count)                                                                        \
            qsort((array)->items, (array)->count, sizeof *(array)->items, compare);                \
    } while (0)

/* ---- one edge ---- */

static Status no_edge(Arena *arena, Span source, Span target) {
    return status_make(arena, STATUS_NOT_FOUND,
                       "there is no edge from \"%.*s\" to \"%.*s\"; GetTopology lists those that "
                       "there are",
                       SPAN_ARGS(source), SPAN_ARGS(target));
}

/* That of calls, or else any. */
static Edge *edge_between(const Topology *topology, Span source, Span target) {
    static const RtEdgeKind KINDS[] = {RT_EDGE_KIND_CALL, RT_EDGE_KIND_DISCOVERY,
                                       RT_EDGE_KIND_DEPENDENCY};
    const Node *from = node_find(topology, source), *to = node_find(topology, target);
    Edge *edge = NULL;
    for (size_t i = 0; from && to && !edge && i < sizeof KINDS / sizeof *KINDS; i++)
        edge = edge_find(topology, from, to, KINDS[i]);
    return edge;
}

static int compare_methods(const void *a, const void *b) {
    const RtMethodTraffic *x = a, *y = b;
    double difference = y->traffic->total_rps - x->traffic->total_rps;
    if (difference != 0)
        return difference > 0 ? 1 : -1;
    return span_compare(x->method, y->method);
}

static RtRecentRequest recent_message(const Recent *recent) {
    return (RtRecentRequest){
        .timestamp = recent->timestamp,
        .method = recent->method ? span(recent->method->name, recent->method->name_len) : (Span){0},
        .correlation_id = span(recent->text, recent->correlation_len),
        .latency_us = recent->latency_us,
        .success = recent->success,
        .error_message = span(recent->text + recent->correlation_len, recent->error_len),
        .service_id = span(recent->id, sizeof recent->id),
    };
}

Status topology_edge(Topology *topology, const RtGetTopologyEdgeRequest *request, Arena *arena,
                     RtGetTopologyEdgeResponse *ret) {
    if (request->request_limit < 0 || request->request_limit > RECENT_OF_EDGE_MAX)
        return status_make(arena, STATUS_INVALID_ARGUMENT, "request_limit is not between 0 and %d",
                           RECENT_OF_EDGE_MAX);
    const Edge *edge = edge_between(topology, request->source, request->target);
    if (!edge)
        return no_edge(arena, request->source, request->target);
    *ret = (RtGetTopologyEdgeResponse){0};
    ret->edge = arena_alloc(arena, sizeof *ret->edge);
    edge_write(topology, edge, arena, ret->edge);
    for (size_t i = 0; i < edge->methods.count; i++) {
        const Method *method = edge->methods.items[i];
        *schema_append(&ret->methods, arena) = (RtMethodTraffic){
            .method = span(method->name, method->name_len),
            .traffic = traffic_write(topology, &method->traffic, arena),
        };
    }
    sort(&ret->methods, compare_methods);
    int32_t left = request->request_limit ? request->request_limit : REQUESTS_DEFAULT;
    for (Link *link = edge->recent.prev; link != &edge->recent && left > 0;
         link = link->prev, left--)
        *schema_append(&ret->requests, arena) = recent_message(CONTAINER(link, Recent, of_edge));
    return status_ok();
}

/* ---- series ---- */

static double percentile(const CallPoint *point, int which) {
    return point && point->count && point->percentile[which] != UINT16_MAX
               ? latency_of_bucket_ms(point->percentile[which])
               : NAN;
}

static void add_calls(const Topology *topology, const Series *series, uint32_t second, Arena *arena,
                      RtGetTopologySeriesResponse *ret) {
    const CallPoint *point = series_point(&topology->calls, series, second);
    uint32_t count = point ? point->count : 0;
    *schema_append(&ret->rps, arena) = count;
    *schema_append(&ret->error_rate, arena) = count ? (double)point->errors / UINT16_MAX : NAN;
    *schema_append(&ret->p50_ms, arena) = percentile(point, 0);
    *schema_append(&ret->p95_ms, arena) = percentile(point, 1);
    *schema_append(&ret->p99_ms, arena) = percentile(point, 2);
}

static void add_usage(const Topology *topology, const Series *series, uint32_t second, Arena *arena,
                      RtGetTopologySeriesResponse *ret) {
    const Usage *usage = series_point(&topology->usages, series, second);
    *schema_append(&ret->cpu_percent, arena) = usage ? (double)usage->cpu : NAN;
    *schema_append(&ret->memory_bytes, arena) = usage ? (double)usage->memory : NAN;
}

/* When the second that runs began, in Unix milliseconds. */
static int64_t second_began(const Topology *topology) {
    return topology_wall_ms(topology) - topology_now(topology) % NANOS_PER_SECOND / NANOS_PER_MILLI;
}

/* How many seconds to show before the one that runs: ten minutes, or all since it came to be, or
 * those that begin after what is asked for, whichever is least. */
static uint32_t seconds_back(const Topology *topology, int64_t first_seen, int64_t start_time) {
    uint32_t now = topology_second(topology);
    int64_t began = second_began(topology), most = now < SERIES_LENGTH ? now : SERIES_LENGTH;
    int64_t back = (began - first_seen + 999) / 1000;
    if (start_time >= first_seen)
        back = (began - start_time - 1) / 1000;
    return back < 0 ? 0 : (uint32_t)(back < most ? back : most);
}

Status topology_series(Topology *topology, const RtGetTopologySeriesRequest *request, Arena *arena,
                       RtGetTopologySeriesResponse *ret) {
    Node *node = NULL;
    Edge *edge = NULL;
    if (request->service_name.len) {
        node = node_find(topology, request->service_name);
        if (!node)
            return status_make(arena, STATUS_NOT_FOUND,
                               "there is no node \"%.*s\"; GetTopology lists those that there are",
                               SPAN_ARGS(request->service_name));
    } else {
        edge = edge_between(topology, request->source, request->target);
        if (!edge)
            return no_edge(arena, request->source, request->target);
    }
    Traffic *traffic = node ? node->incoming : edge->traffic;
    uint32_t now = topology_second(topology);
    uint32_t back =
        seconds_back(topology, node ? node->first_seen : edge->first_seen, request->start_time);
    if (traffic)
        traffic_settle(traffic, &topology->calls, now);
    *ret = (RtGetTopologySeriesResponse){
        .start_time = second_began(topology) - (int64_t)back * 1000,
        .step_ms = 1000,
    };
    for (uint32_t second = now - back; second < now; second++) {
        add_calls(topology, traffic ? traffic->series : NULL, second, arena, ret);
        if (node)
            add_usage(topology, node->usage, second, arena, ret);
    }
    return status_ok();
}
