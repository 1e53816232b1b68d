/* The whole, on a simulated disk and in a simulated world: from rings and calls to queries. */
#include "services/logs/logs.h"

#include <errno.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/test.h"
#include "os/simulated_disk.h"
#include "os/simulation.h"
#include "schema/codec.h"
#include "services/logs/logs_internal.h"

/* A world with a disk and logs on it. */
typedef struct Bed {
    Simulation *simulation;
    World *world;
    SimulatedDisk *disk;
    Logs *logs;
} Bed;

static void open_logs(Bed *bed) {
    Buf report = {0};
    LogsOptions options = {
        .files = simulated_disk_files(bed->disk), .folder = "/data", .stepped = true};
    int r = logs_open(bed->world, &options, &bed->logs, &report);
    if (r < 0)
        fail_msg("%d: %.*s", r, SPAN_ARGS(buf_span(&report)));
    buf_done(&report);
}

static Bed bed_new(uint64_t seed) {
    Bed bed = {0};
    SimulationOptions options = {.seed = seed};
    bed.simulation = simulation_new(&options);
    bed.world = simulation_world(bed.simulation);
    bed.disk = simulated_disk_new(seed);
    files_folder(simulated_disk_files(bed.disk), "/data");
    open_logs(&bed);
    return bed;
}

static void bed_done(Bed *bed) {
    if (bed->logs)
        logs_close(bed->logs);
    world_free(bed->world);
    simulation_free(bed->simulation);
    simulated_disk_free(bed->disk);
}

static void run_for(Bed *bed, Nanos time) {
    simulation_run(bed->simulation, world_now(bed->world) + time);
}

/* ---- reading what is there ---- */

typedef struct Found {
    ARRAY(RtLogEntry) entries;
    Arena arena;
    bool over;
} Found;

static void on_found(LogReader *reader, LogReaderReply *reply) {
    Found *found = reader->owner;
    Unpack in = unpack_begin(buf_span(&reply->messages));
    while (in.at < in.end) {
        void *entry;
        Span bytes = arena_copy(&found->arena, unpack_text(&in));
        assert_int_equal(
            schema_decode(&RtLogEntry_type, bytes, NULL, &found->arena, &entry, NULL), 0);
        *array_push(&found->entries) = *(RtLogEntry *)entry;
    }
    found->over = reply->last;
    assert_int_equal(reply->error, STATUS_OK);
    logs_reader_credit(reader, reply);
}

static Found find(Bed *bed, const char *line) {
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

static void found_done(Found *found) {
    array_done(&found->entries);
    arena_done(&found->arena);
}

static void assert_messages(Bed *bed, const char *line, const char *const *messages) {
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

static void write_one(Bed *bed, const char *service, RtLogLevel level, const char *message,
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

static void test_write_and_query(void **state) {
    Bed bed = bed_new(1);
    write_one(&bed, "calc", RT_LOG_LEVEL_INFO, "Calling Add(2,3)", "req-123");
    write_one(&bed, "broker", RT_LOG_LEVEL_INFO, "Lookup CalculatorService", "req-123");
    write_one(&bed, "calc", RT_LOG_LEVEL_ERROR, "Timeout after 5s", NULL);
    ASSERT_MESSAGES(&bed, "", "Calling Add(2,3)", "Lookup CalculatorService", "Timeout after 5s");
    ASSERT_MESSAGES(&bed, "corr:req-123", "Calling Add(2,3)", "Lookup CalculatorService");
    ASSERT_MESSAGES(&bed, "service:calc timeout", "Timeout after 5s");
    ASSERT_MESSAGES(&bed, "level>=warn", "Timeout after 5s");
    ASSERT_MESSAGES(&bed, "/Add\\(\\d/ OR service:broker", "Calling Add(2,3)",
                    "Lookup CalculatorService");
    bed_done(&bed);
}

static void test_restart_keeps_entries(void **state) {
    Bed bed = bed_new(2);
    write_one(&bed, "calc", RT_LOG_LEVEL_INFO, "one", NULL);
    write_one(&bed, "calc", RT_LOG_LEVEL_INFO, "two", NULL);
    run_for(&bed, NANOS_PER_SECOND);
    logs_close(bed.logs);
    open_logs(&bed);
    write_one(&bed, "calc", RT_LOG_LEVEL_INFO, "three", NULL);
    Found found = find(&bed, "");
    assert_int_equal(found.entries.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(found.entries.items[i].sequence, i + 1);
    found_done(&found);
    bed_done(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_query),
        cmocka_unit_test(test_restart_keeps_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
