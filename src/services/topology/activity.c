/* Reported calls become figures of edges, methods and nodes. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "services/topology/internal.h"

/* What single requests are kept with at the most. */
#define CORRELATION_MAX 64
#define ERROR_MAX       256

static bool refuse(Buf *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool refuse(Buf *why, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_clear(why);
    buf_vprintf(why, format, args);
    va_end(args);
    return false;
}

/* ---- what an event says ---- */

static bool histogram_is_valid(const RtLatencyHistogram *histogram) {
    int32_t last = -1;
    int64_t total = 0;
    if (histogram->buckets.count != histogram->counts.count ||
        histogram->buckets.count > LATENCY_BUCKETS)
        return false;
    for (uint32_t i = 0; i < histogram->buckets.count; i++) {
        int32_t bucket = histogram->buckets.items[i];
        int64_t count = histogram->counts.items[i];
        if (bucket <= last || bucket >= LATENCY_BUCKETS || count < 1 ||
            count > TOPOLOGY_BATCH_MAX - total)
            return false;
        last = bucket;
        total += count;
    }
    return true;
}

/* The one bucket of a batch whose calls all took as long. */
typedef struct OneLatency {
    int32_t bucket;
    int64_t count;
} OneLatency;

static int64_t latency_of(const RtActivityEvent *event) {
    if (event->latency_us > 0)
        return event->latency_us;
    return event->has_latency_ms && event->latency_ms > 0 ? (int64_t)event->latency_ms * 1000 : 0;
}

static bool is_measured(const RtActivityEvent *event) {
    return event->latency_us > 0 || (event->has_latency_ms && event->latency_ms >= 0);
}

static CallBatch batch_of(const RtActivityEvent *event, OneLatency *one) {
    uint32_t count = event->has_batch_size ? (uint32_t)event->batch_size : 1;
    uint32_t errors = event->error_count > 0 ? (uint32_t)event->error_count : 0;
    bool failed = event->type == RT_ACTIVITY_TYPE_ACTIVITY_ERROR;
    if (event->has_success ? !event->success : failed)
        errors = count;
    CallBatch batch = {.count = count, .errors = errors < count ? errors : count};
    const RtLatencyHistogram *histogram = event->latency_histogram;
    if (histogram && histogram->buckets.count) {
        batch.buckets = histogram->buckets.items;
        batch.counts = histogram->counts.items;
        batch.bucket_count = histogram->buckets.count;
    } else if (is_measured(event)) {
        *one = (OneLatency){(int32_t)latency_bucket(latency_of(event)), count};
        batch.buckets = &one->bucket;
        batch.counts = &one->count;
        batch.bucket_count = 1;
    }
    return batch;
}

static bool check(const RtActivityEvent *event, Buf *why) {
    if (name_fault(event->target_service))
        return refuse(why, "target_service %s", name_fault(event->target_service));
    if (event->method.len > TOPOLOGY_TEXT_MAX)
        return refuse(why, "method is longer than %d bytes", TOPOLOGY_TEXT_MAX);
    if (event->has_batch_size && (event->batch_size < 1 || event->batch_size > TOPOLOGY_BATCH_MAX))
        return refuse(why, "batch_size is not between 1 and %d: send several events",
                      TOPOLOGY_BATCH_MAX);
    if (event->latency_histogram && !histogram_is_valid(event->latency_histogram))
        return refuse(why,
                      "latency_histogram is not one: ascending buckets below %d, as many "
                      "counts, none below 1, at most %d calls",
                      LATENCY_BUCKETS, TOPOLOGY_BATCH_MAX);
    if (event->type < RT_ACTIVITY_TYPE_REQUEST_SENT ||
        event->type > RT_ACTIVITY_TYPE_ACTIVITY_ERROR)
        return refuse(why, "type %d is not known", event->type);
    return true;
}

/* ---- methods and single requests ---- */

/* NULL when there are too many. */
static Method *method_need(Edge *edge, Span name) {
    for (size_t i = 0; i < edge->methods.count; i++) {
        Method *method = edge->methods.items[i];
        if (span_equal(span(method->name, method->name_len), name))
            return method;
    }
    if (edge->methods.count >= TOPOLOGY_METHODS_MAX)
        return NULL;
    Method *method = xcalloc(1, sizeof *method + name.len);
    method->name_len = name.len;
    memcpy(method->name, name.ptr, name.len);
    *array_push(&edge->methods) = method;
    return method;
}

static void recent_free(Topology *topology, Recent *recent) {
    list_remove(&recent->of_edge);
    list_remove(&recent->of_all);
    recent->edge->recent_count--;
    topology->recent_count--;
    free(recent);
}

static Span cut(Span text, size_t most) {
    return span(text.ptr, utf8_valid_length(span(text.ptr, text.len < most ? text.len : most)));
}

static void recent_add(Topology *topology, Edge *edge, const Method *method,
                       const RtActivityEvent *event, const CallBatch *batch) {
    Span correlation = cut(event->correlation_id, CORRELATION_MAX);
    Span error = cut(event->error_message, ERROR_MAX);
    if (edge->recent_count == RECENT_OF_EDGE_MAX)
        recent_free(topology, CONTAINER(edge->recent.next, Recent, of_edge));
    else if (topology->recent_count == RECENT_MAX)
        recent_free(topology, CONTAINER(topology->recent.next, Recent, of_all));
    Recent *recent = xcalloc(1, sizeof *recent + correlation.len + error.len);
    recent->edge = edge;
    recent->timestamp = event->has_timestamp_ms ? event->timestamp_ms : topology_wall_ms(topology);
    recent->latency_us = latency_of(event);
    recent->method = method;
    recent->success = batch->errors == 0;
    memcpy(recent->id, event->service_id.ptr, sizeof recent->id);
    recent->correlation_len = (uint16_t)correlation.len;
    recent->error_len = (uint16_t)error.len;
    if (correlation.len)
        memcpy(recent->text, correlation.ptr, correlation.len);
    if (error.len)
        memcpy(recent->text + correlation.len, error.ptr, error.len);
    list_push_back(&edge->recent, &recent->of_edge);
    list_push_back(&topology->recent, &recent->of_all);
    edge->recent_count++;
    topology->recent_count++;
}

static bool traffic_flows_or_rests(Topology *topology, Traffic *traffic) {
    uint32_t second = topology_second(topology);
    if (!traffic || traffic_flows(traffic, second))
        return traffic != NULL;
    traffic_settle(traffic, &topology->calls, second);
    traffic_rest(traffic);
    return false;
}

bool node_flows(Topology *topology, Node *node) {
    bool in = traffic_flows_or_rests(topology, node->incoming);
    if (!in)
        list_remove(&node->of_called);
    bool out = traffic_flows_or_rests(topology, node->outgoing);
    return in || out;
}

void edge_rest(Topology *topology, Edge *edge) {
    traffic_flows_or_rests(topology, edge->traffic);
    node_flows(topology, edge->source);
    node_flows(topology, edge->target);
    for (size_t i = 0; i < edge->methods.count; i++)
        traffic_rest(&edge->methods.items[i]->traffic);
}

void edge_forget_calls(Topology *topology, Edge *edge) {
    while (!list_empty(&edge->recent))
        recent_free(topology, CONTAINER(edge->recent.next, Recent, of_edge));
    for (size_t i = 0; i < edge->methods.count; i++) {
        traffic_done(&edge->methods.items[i]->traffic, NULL);
        free(edge->methods.items[i]);
    }
    array_done(&edge->methods);
}

/* ---- taking over ---- */

static void record(Topology *topology, Traffic **traffic, bool series, const CallBatch *batch) {
    if (!*traffic)
        *traffic = xcalloc(1, sizeof **traffic);
    traffic_record(*traffic, series ? &topology->calls : NULL, topology_second(topology), batch);
}

static void keep_short(char *kept, size_t room, Span text) {
    Span fits = cut(text, room - 1);
    memcpy(kept, fits.ptr, fits.len);
    kept[fits.len] = '\0';
}

static void completed(Topology *topology, Edge *edge, Instance *caller, Method *method,
                      const RtActivityEvent *event) {
    OneLatency one;
    CallBatch batch = batch_of(event, &one);
    uint32_t second = topology_second(topology);
    record(topology, &edge->traffic, true, &batch);
    record(topology, &edge->source->outgoing, false, &batch);
    record(topology, &edge->target->incoming, true, &batch);
    if (method)
        traffic_record(&method->traffic, NULL, second, &batch);
    edge->in_flight -= edge->in_flight < batch.count ? edge->in_flight : batch.count;
    edge->last_method = method;
    if (event->correlation_id.len)
        keep_short(edge->correlation, sizeof edge->correlation, event->correlation_id);
    if (event->protocol.len || !edge->protocol[0])
        keep_short(edge->protocol, sizeof edge->protocol,
                   event->protocol.len ? event->protocol : SPAN("grpc"));
    if (batch.count == 1 || event->correlation_id.len)
        recent_add(topology, edge, method, event, &batch);
    if (list_empty(&edge->target->of_called))
        list_push_back(&topology->called, &edge->target->of_called);
    edge_active(topology, edge);
    instance_active(topology, caller);
    /* Of several instances it is not known which one answered. */
    Node *target = edge->target;
    if (target->instance_count == 1) {
        Instance *callee = CONTAINER(target->instances.next, Instance, of_node);
        if (callee->registered_once && !callee->ended)
            instance_active(topology, callee);
    }
}

bool topology_activity(Topology *topology, const RtActivityEvent *event, Buf *why) {
    if (!check(event, why))
        return false;
    Instance *caller = map_get(&topology->instances, event->service_id);
    if (!caller || caller->ended)
        return refuse(why, "service_id \"%.*s\" is not registered: call RegisterService again",
                      (int)cut(event->service_id, 64).len, event->service_id.ptr);
    Node *target = node_called(topology, event->target_service);
    Edge *edge = target ? edge_need(topology, caller->node, target, RT_EDGE_KIND_CALL) : NULL;
    if (!edge) {
        if (target)
            node_unneeded(topology, target);
        return refuse(why,
                      "more than %d distinct targets of %.*s: report names of services, not of "
                      "single hosts or requests",
                      TOPOLOGY_TARGETS_MAX, SPAN_ARGS(node_name(caller->node)));
    }
    Method *method = event->method.len ? method_need(edge, event->method) : NULL;
    if (event->method.len && !method)
        return refuse(why,
                      "more than %d distinct methods of %.*s: report names of methods, without "
                      "ids or parameters",
                      TOPOLOGY_METHODS_MAX, SPAN_ARGS(node_name(target)));
    if (event->type == RT_ACTIVITY_TYPE_REQUEST_SENT) {
        uint32_t count = event->has_batch_size ? (uint32_t)event->batch_size : 1;
        edge->in_flight =
            edge->in_flight > UINT32_MAX / 4 ? edge->in_flight : edge->in_flight + count;
        watch_figures(topology->watch, &edge->watch);
    } else {
        completed(topology, edge, caller, method, event);
    }
    return true;
}
