/* Writes the data that every codec is measured with, from a fixed seed: data FILE
 *
 * 256 heartbeats, 256 log entries, and one topology of 1,000 nodes and 4,000 edges, of the sizes
 * and variety that a busy runtime sees. All fields with presence are set, to something other than
 * their default. The form of the file: codec_workload.h. */
#include "base/buf.h"
#include "codec_workload.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/topology.pb.h"
#include "schema/codec.h"

enum { HEARTBEATS = 256, ENTRIES = 256, NODES = 1000, EDGES = 4000 };

static const int64_t NOW = INT64_C(1795230000000);

typedef struct Maker {
    Arena arena;
    uint64_t seed;
    Buf file;
} Maker;

static uint64_t below(Maker *maker, uint64_t bound) {
    return seeded(&maker->seed) % bound;
}

/* A number with two decimals, 0.01 to `most`. */
static double decimal(Maker *maker, double most) {
    return (double)(1 + below(maker, (uint64_t)(most * 100))) / 100;
}

__attribute__((format(printf, 2, 3))) static Span text(Maker *maker, const char *format, ...) {
    Buf buf = {.arena = &maker->arena};
    va_list args;
    va_start(args, format);
    buf_vprintf(&buf, format, args);
    va_end(args);
    return buf_span(&buf);
}

static Span uuid(Maker *maker) {
    uint64_t high = seeded(&maker->seed), low = seeded(&maker->seed);
    return text(maker, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32),
                (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff),
                (unsigned)(low >> 48 | 0x8000), (unsigned long long)(low & 0xffffffffffff));
}

static Span pick(Maker *maker, const char *const *words, size_t count) {
    return span_of(words[below(maker, count)]);
}
#define PICK(maker, ...)                                                                           \
    pick(maker, (const char *const[]){__VA_ARGS__},                                                \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static Span service_name(Maker *maker, uint64_t number) {
    static const char *const kinds[] = {"server", "client", "worker", "gateway"};
    return text(maker, "calculator-%s-%03u", kinds[number % 4], (unsigned)number);
}

#define NEW(maker, Type) ((Type *)schema_new(&Type##_type, &(maker)->arena))

static RtServiceMetrics *metrics(Maker *maker) {
    RtServiceMetrics *m = NEW(maker, RtServiceMetrics);
    m->has_cpu_percent = m->has_memory_bytes = m->has_threads = true;
    m->has_open_files = m->has_in_flight = m->has_load = true;
    m->cpu_percent = decimal(maker, 200);
    m->memory_bytes = (int64_t)(1 + below(maker, 1 << 30));
    m->threads = (int32_t)(1 + below(maker, 64));
    m->open_files = (int32_t)(3 + below(maker, 500));
    m->in_flight = (int32_t)(1 + below(maker, 100));
    m->load = decimal(maker, 1);
    return m;
}

static RtLatencySummary *latency(Maker *maker) {
    RtLatencySummary *l = NEW(maker, RtLatencySummary);
    l->p50_ms = decimal(maker, 5);
    l->p95_ms = l->p50_ms * 3;
    l->p99_ms = l->p50_ms * 7;
    return l;
}

static RtTrafficSummary *traffic(Maker *maker) {
    RtTrafficSummary *t = NEW(maker, RtTrafficSummary);
    t->total_rps = decimal(maker, 5000);
    t->error_rate = decimal(maker, 1) / 100;
    t->latency = latency(maker);
    t->request_count = (int64_t)below(maker, 1 << 30);
    t->error_count = (int64_t)below(maker, 1 << 12);
    return t;
}

static void *heartbeat(Maker *maker) {
    RtHeartbeatRequest *beat = NEW(maker, RtHeartbeatRequest);
    beat->service_id = uuid(maker);
    beat->sequence = (int64_t)(1 + below(maker, 1 << 20));
    beat->metrics = metrics(maker);
    beat->health = NEW(maker, RtApplicationHealth);
    beat->health->state = RT_HEALTH_STATE_HEALTHY;
    beat->health->has_message = beat->health->has_error_count = true;
    beat->health->message = SPAN("ready");
    beat->health->error_count = (int32_t)(1 + below(maker, 10));
    beat->has_round_trip_us = true;
    beat->round_trip_us = (int64_t)(50 + below(maker, 5000));
    return beat;
}

static void add_attribute(Maker *maker, PbStruct *attributes, Span key, double number,
                          Span string) {
    PbStructFieldsEntry *entry = schema_append(&attributes->fields, &maker->arena);
    entry->key = key;
    entry->value = NEW(maker, PbValue);
    if (string.len) {
        entry->value->which_kind = PbValue_string_value_number;
        entry->value->string_value = string;
    } else {
        entry->value->which_kind = PbValue_number_value_number;
        entry->value->number_value = number;
    }
}

static void *log_entry(Maker *maker) {
    RtLogEntry *entry = NEW(maker, RtLogEntry);
    entry->service_name = service_name(maker, below(maker, NODES));
    entry->level = (int32_t)(1 + below(maker, 4));
    entry->message =
        text(maker, "%s /calculator.v1.Calculator/%s in %.2f ms from 10.0.%u.%u",
             below(maker, 10) ? "answered" : "refused",
             PICK(maker, "Add", "Subtract", "Multiply", "Divide").ptr, decimal(maker, 50),
             (unsigned)below(maker, 256), (unsigned)below(maker, 256));
    entry->timestamp = NOW + (int64_t)below(maker, 100000);
    entry->correlation_id = uuid(maker);
    entry->nanoseconds = (int32_t)(1 + below(maker, 999999));
    entry->sequence = (int64_t)(1 + below(maker, 1 << 30));
    entry->stream = RT_LOG_STREAM_STRUCTURED;
    entry->instance = text(maker, "calculator-%u", (unsigned)below(maker, 100));
    entry->run = (int64_t)(1 + below(maker, 20));
    for (int i = 0; i < 2; i++) {
        RtLogEntryMetadataEntry *pair = schema_append(&entry->metadata, &maker->arena);
        pair->key = i ? SPAN("region") : SPAN("thread");
        pair->value = i ? PICK(maker, "eu-west", "us-east", "ap-south")
                        : text(maker, "worker-%u", (unsigned)below(maker, 16));
    }
    entry->attributes = NEW(maker, PbStruct);
    add_attribute(maker, entry->attributes, SPAN("user"), 0,
                  text(maker, "u%u", (unsigned)below(maker, 100000)));
    add_attribute(maker, entry->attributes, SPAN("status"), (double)(200 + below(maker, 300)),
                  (Span){0});
    add_attribute(maker, entry->attributes, SPAN("elapsed_ms"), decimal(maker, 50), (Span){0});
    return entry;
}

static void fill_node(Maker *maker, RtTopologyNode *node, uint64_t number) {
    node->service_name = service_name(maker, number);
    node->state = (int32_t)(1 + below(maker, 5));
    node->language = (int32_t)(1 + below(maker, 12));
    node->last_heartbeat = NOW - (int64_t)below(maker, 5000);
    node->health = (int32_t)(1 + below(maker, 4));
    node->active_connections = (int32_t)(1 + below(maker, 20));
    node->service_type = (int32_t)(1 + below(maker, 2));
    node->version = text(maker, "1.%u.%u", (unsigned)below(maker, 20), (unsigned)below(maker, 20));
    node->namespace_ = PICK(maker, "shop", "billing", "search", "platform");
    for (int i = 0; i < 2; i++) {
        RtTopologyNodeLabelsEntry *label = schema_append(&node->labels, &maker->arena);
        label->key = i ? SPAN("team") : SPAN("environment");
        label->value =
            i ? PICK(maker, "red", "green", "blue") : PICK(maker, "dev", "staging", "prod");
    }
    node->instance_count = (int32_t)(1 + below(maker, 8));
    node->usable_count = node->instance_count;
    node->managed = true;
    node->incoming = traffic(maker);
    node->outgoing = traffic(maker);
    node->metrics = metrics(maker);
    node->first_seen_ms = NOW - (int64_t)below(maker, 1 << 30);
    node->changed_at_ms = NOW - (int64_t)below(maker, 1 << 20);
}

static void fill_edge(Maker *maker, RtTopologyEdge *edge) {
    edge->source = service_name(maker, below(maker, NODES));
    edge->target = service_name(maker, below(maker, NODES));
    edge->total_rps = decimal(maker, 2000);
    edge->state = (int32_t)(2 + below(maker, 2));
    edge->kind = (int32_t)(1 + below(maker, 3));
    edge->error_rate = decimal(maker, 1) / 100;
    edge->latency = latency(maker);
    edge->request_count = (int64_t)(1 + below(maker, 1 << 30));
    edge->error_count = (int64_t)(1 + below(maker, 1 << 12));
    edge->protocol = PICK(maker, "grpc", "http", "connect");
    edge->last_activity = NOW - (int64_t)below(maker, 10000);
    edge->last_correlation_id = uuid(maker);
    edge->last_method = PICK(maker, "Add", "Subtract", "Multiply", "Divide");
    edge->first_seen_ms = NOW - (int64_t)below(maker, 1 << 30);
    edge->in_flight = (int32_t)(1 + below(maker, 30));
}

static void *snapshot(Maker *maker) {
    RtTopologySnapshot *snapshot = NEW(maker, RtTopologySnapshot);
    for (uint64_t i = 0; i < NODES; i++)
        fill_node(maker, schema_append(&snapshot->nodes, &maker->arena), i);
    for (int i = 0; i < EDGES; i++)
        fill_edge(maker, schema_append(&snapshot->edges, &maker->arena));
    snapshot->revision = NEW(maker, RtRevision);
    snapshot->revision->epoch = 7;
    snapshot->revision->number = 123456;
    snapshot->timestamp = NOW;
    return snapshot;
}

static void add_number(Maker *maker, size_t number) {
    uint32_t bits = (uint32_t)number;
    buf_add(&maker->file, span(&bits, sizeof bits));
}

static void add_section(Maker *maker, const SchemaMessage *type, void *make(Maker *), int count) {
    add_number(maker, (size_t)count);
    for (int i = 0; i < count; i++) {
        Span bytes;
        if (schema_encode(type, make(maker), 0, &maker->arena, &bytes) < 0)
            abort();
        add_number(maker, bytes.len);
        buf_add(&maker->file, bytes);
    }
}

int main(int argc, char **argv) {
    Maker maker = {.seed = 1};
    add_section(&maker, &RtHeartbeatRequest_type, heartbeat, HEARTBEATS);
    add_section(&maker, &RtLogEntry_type, log_entry, ENTRIES);
    add_section(&maker, &RtTopologySnapshot_type, snapshot, 1);
    FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;
    if (!file || fwrite(maker.file.ptr, 1, maker.file.len, file) != maker.file.len ||
        fclose(file)) {
        perror("data");
        return 1;
    }
    buf_done(&maker.file);
    arena_done(&maker.arena);
}
