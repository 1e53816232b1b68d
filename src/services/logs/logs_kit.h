/* What tests of the logs share: logs on a simulated disk in a simulated world, and what is found in
 * them. */
#pragma once

#include "base/memory.h"
#include "base/test.h"
#include "os/simulated_disk.h"
#include "os/simulation.h"
#include "schema/codec.h"
#include "services/logs/log_store_internal.h"
#include "services/logs/logs_internal.h"

/* A world with a disk and logs on it. */
typedef struct Bed {
    Simulation *simulation;
    World *world;
    SimulatedDisk *disk;
    Logs *logs;
    bool hides; /* from those who follow bytes */
} Bed;

static inline void open_logs(Bed *bed) {
    Buf report = {0};
    LogsOptions options = {
        .files = simulated_disk_files(bed->disk), .folder = "/data", .stepped = true};
    int r = logs_open(bed->world, &options, &bed->logs, &report);
    if (r < 0)
        fail_msg("%d: %.*s", r, SPAN_ARGS(buf_span(&report)));
    buf_done(&report);
}

static inline Bed bed_new(uint64_t seed) {
    Bed bed = {0};
    SimulationOptions options = {.seed = seed};
    bed.simulation = simulation_new(&options);
    bed.world = simulation_world(bed.simulation);
    bed.disk = simulated_disk_new(seed);
    files_folder(simulated_disk_files(bed.disk), "/data");
    open_logs(&bed);
    return bed;
}

static inline void bed_done(Bed *bed) {
    if (bed->logs)
        logs_close(bed->logs);
    world_free(bed->world);
    simulation_free(bed->simulation);
    simulated_disk_free(bed->disk);
}

static inline void run_for(Bed *bed, Nanos time) {
    simulation_run(bed->simulation, world_now(bed->world) + time);
}

/* ---- reading what is there ---- */

typedef struct Found {
    ARRAY(RtLogEntry) entries;
    Arena arena;
    bool over;
} Found;

static inline void on_found(LogReader *reader, LogReaderReply *reply) {
    Found *found = reader->owner;
    Unpack in = unpack_begin(buf_span(&reply->messages));
    while (in.at < in.end) {
        void *entry;
        Span bytes = arena_copy(&found->arena, unpack_text(&in));
        assert_int_equal(schema_decode(&RtLogEntry_type, bytes, NULL, &found->arena, &entry, NULL),
                         0);
        *array_push(&found->entries) = *(RtLogEntry *)entry;
    }
    found->over = reply->last;
    assert_int_equal(reply->error, STATUS_OK);
    logs_reader_credit(reader, reply);
}

static inline Found find(Bed *bed, const char *line) {
    Filter *filter;
    FilterError error;
    if (filter_parse(span_of(line), world_wall(bed->world), &filter, &error) < 0)
        fail_msg("%s: column %zu: %s", line, error.column, error.reason);
    LogSearcher *searcher = log_searcher_new(filter);
    Found found = {0};
    assert_true(logs_reader_start(bed->logs, &searcher->reader, on_found, &found));
    while (!found.over)
        run_for(bed, NANOS_PER_MILLI);
    logs_reader_leave(&searcher->reader);
    run_for(bed, NANOS_PER_MILLI);
    return found;
}

static inline void found_done(Found *found) {
    array_done(&found->entries);
    arena_done(&found->arena);
}

static inline void assert_messages(Bed *bed, const char *line, const char *const *messages) {
    Found found = find(bed, line);
    size_t i = 0;
    for (; messages[i] && i < found.entries.count; i++)
        assert_span(found.entries.items[i].message, messages[i]);
    if (messages[i])
        fail_msg("'%s' found %zu entries, and not '%s'", line, found.entries.count, messages[i]);
    if (i < found.entries.count)
        fail_msg("'%s' found '%.*s', too", line, SPAN_ARGS(found.entries.items[i].message));
    found_done(&found);
}
#define ASSERT_MESSAGES(bed, line, ...)                                                            \
    assert_messages(bed, line, (const char *const[]){__VA_ARGS__, NULL})

/* ---- entries of the runtime's own ---- */

static inline void write_one(Bed *bed, const char *service, RtLogLevel level, const char *message,
                             const char *id) {
    RtLogEntry entry = {
        .service_name = span_of(service),
        .level = (int32_t)level,
        .message = span_of(message),
        .correlation_id = span_of(id),
    };
    logs_write(bed->logs, &entry);
    run_for(bed, NANOS_PER_MILLI);
}

static inline Filter *parse(Bed *bed, Span line) {
    Filter *filter;
    FilterError error;
    if (filter_parse(line, world_wall(bed->world), &filter, &error) < 0)
        fail_msg("%.*s: column %zu: %s", SPAN_ARGS(line), error.column, error.reason);
    return filter;
}
