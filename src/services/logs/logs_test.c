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
        assert_int_equal(schema_decode(&RtLogEntry_type, bytes, NULL, &found->arena, &entry, NULL),
                         0);
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

/* ---- output ---- */

/* A process as the keeper sees it: it fills a ring. */
typedef struct Printer {
    RingWriter writer;
    int descriptor;
    LogSource source;
    LogCapture *capture;
    bool drained;
} Printer;

static Printer printer_new(const char *instance, int64_t run, size_t room) {
    Printer printer = {.source = {.service = SPAN("calc"),
                                  .instance = span_of(instance),
                                  .run = run,
                                  .stream = RT_LOG_STREAM_STDOUT}};
    assert_int_equal(ring_create_anonymous(room, &printer.writer, &printer.descriptor), 0);
    return printer;
}

static void printer_done(Printer *printer) {
    ring_unmap(&printer->writer);
    close(printer->descriptor);
}

static void capture(Bed *bed, Printer *printer) {
    RingReader *reader;
    assert_int_equal(ring_reader_new(printer->descriptor, -1, &reader), 0);
    assert_int_equal(logs_capture(bed->logs, &printer->source, reader, &printer->capture), 0);
}

static void on_drained(void *owner) {
    *(bool *)owner = true;
}

static void end_capture(Bed *bed, Printer *printer) {
    logs_capture_end(printer->capture, on_drained, &printer->drained);
    run_for(bed, NANOS_PER_SECOND);
    assert_true(printer->drained);
}

/* As many bytes as the ring takes; how many. */
static size_t print_some(Printer *printer, Span text) {
    struct iovec pieces[2];
    size_t room = ring_room(&printer->writer, text.len, pieces), at = 0;
    if (!room)
        return 0;
    ring_expect(&printer->writer, pieces, room);
    for (size_t i = 0; i < 2 && at < room; i++) {
        size_t part = pieces[i].iov_len < room - at ? pieces[i].iov_len : room - at;
        memcpy(pieces[i].iov_base, text.ptr + at, part);
        at += part;
    }
    ring_append(&printer->writer, room);
    return room;
}

static void print(Bed *bed, Printer *printer, const char *text) {
    Span rest = span_of(text);
    while (rest.len) {
        rest = span_skip(rest, print_some(printer, rest));
        logs_capture_ready(printer->capture);
        run_for(bed, 10 * NANOS_PER_MILLI);
    }
}

static void test_output_becomes_entries(void **state) {
    Bed bed = bed_new(3);
    Printer printer = printer_new("calc-1", 4, 65536);
    capture(&bed, &printer);
    print(&bed, &printer, "starting\n{\"level\":\"warn\",\"msg\":\"low disk\",\"free\":7}\n");
    print(&bed, &printer, "Traceback (most recent call last):\n  File \"x.py\", line 1\n");
    print(&bed, &printer, "ValueError: bad\nunfinished");
    run_for(&bed, NANOS_PER_SECOND);
    ASSERT_MESSAGES(&bed, "service:calc", "starting", "low disk",
                    "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: bad");
    ASSERT_MESSAGES(&bed, "@free<10 run:4 run:-1 stream:stdout instance:calc-1", "low disk");
    ASSERT_MESSAGES(&bed, "level:error",
                    "Traceback (most recent call last):\n  File \"x.py\", line "
                    "1\nValueError: bad");
    end_capture(&bed, &printer);
    ASSERT_MESSAGES(&bed, "unfinished", "unfinished");
    assert_int_equal(printer.writer.header->tail, printer.writer.header->head);
    printer_done(&printer);
    bed_done(&bed);
}

/* ---- lines to wait for, the last lines ---- */

static void on_matched(void *owner, Span line) {
    buf_add(owner, line);
    buf_add_char(owner, '|');
}

static void on_tail_done(void *owner, const RtLogEntry *entries, size_t count) {
    for (size_t i = 0; i < count; i++)
        on_matched(owner, entries[i].message);
}

static void test_watch_and_tail(void **state) {
    Bed bed = bed_new(4);
    Printer printer = printer_new("calc-1", 1, 65536);
    LogWatch *early, *late, *never;
    Buf seen = {0}, lines = {0}, reason = {0};
    Span instance = SPAN("calc-1");
    capture(&bed, &printer);
    assert_int_equal(
        logs_watch(bed.logs, instance, SPAN("^ready on \\d+$"), on_matched, &seen, &early, &reason),
        0);
    assert_int_equal(
        logs_watch(bed.logs, SPAN("calc-2"), SPAN("ready"), on_matched, &seen, &never, &reason), 0);
    assert_int_equal(
        logs_watch(bed.logs, instance, SPAN("(ready"), on_matched, &seen, &late, &reason), -EINVAL);
    print(&bed, &printer, "not ready\nready on 80\nready on 81\n");
    run_for(&bed, NANOS_PER_SECOND);
    assert_span(buf_span(&seen), "ready on 80|");
    assert_int_equal(logs_watch(bed.logs, instance, SPAN("not"), on_matched, &seen, &late, &reason),
                     0);
    run_for(&bed, NANOS_PER_SECOND);
    assert_span(buf_span(&seen), "ready on 80|not ready|");
    logs_unwatch(never);
    logs_tail(bed.logs, instance, 2, on_tail_done, &lines);
    run_for(&bed, NANOS_PER_SECOND);
    assert_span(buf_span(&lines), "ready on 80|ready on 81|");
    end_capture(&bed, &printer);
    printer_done(&printer);
    buf_done(&seen);
    buf_done(&lines);
    buf_done(&reason);
    bed_done(&bed);
}

/* ---- kills ---- */

/* Every so often the program dies, at any operation on the disk: another one opens what is left,
 * and is handed the same ring. In the end each line is there once, in its order. */
static void kill_and_go_on(uint64_t seed, size_t lines) {
    Bed bed = bed_new(seed);
    TestRandom random = {seed};
    Printer printer = printer_new("calc-1", 1, RING_MIN);
    Buf text = {0};
    for (size_t i = 0; i < lines; i++)
        buf_printf(&text, "line %zu of %s\n", i, test_random_below(&random, 9) ? "few" : "many");
    capture(&bed, &printer);
    Span rest = buf_span(&text);
    while (rest.len || printer.writer.header->tail != printer.writer.header->head) {
        if (test_random_below(&random, 20) == 0)
            simulated_disk_kill_after(bed.disk, test_random_below(&random, 30));
        size_t piece = test_random_below(&random, 2000);
        rest = span_skip(rest,
                         print_some(&printer, span(rest.ptr, piece < rest.len ? piece : rest.len)));
        logs_capture_ready(printer.capture);
        run_for(&bed, (Nanos)test_random_below(&random, 150) * NANOS_PER_MILLI);
        if (!simulated_disk_is_dead(bed.disk))
            continue;
        logs_close(bed.logs);
        simulated_disk_crash(bed.disk, false);
        open_logs(&bed);
        capture(&bed, &printer);
    }
    simulated_disk_kill_after(bed.disk, UINT64_MAX);
    end_capture(&bed, &printer);
    Found found = find(&bed, "service:calc");
    assert_int_equal(found.entries.count, lines);
    Span expected = buf_span(&text);
    for (size_t i = 0; i < found.entries.count; i++) {
        Span line = found.entries.items[i].message;
        if (!span_starts(expected, line))
            fail_msg("seed %llu: entry %zu is '%.*s'", (unsigned long long)seed, i,
                     SPAN_ARGS(line));
        expected = span_skip(expected, line.len + 1);
        if (i)
            assert_true(found.entries.items[i].sequence > found.entries.items[i - 1].sequence);
    }
    found_done(&found);
    printer_done(&printer);
    buf_done(&text);
    bed_done(&bed);
}

static void test_kills(void **state) {
    TestRandom random = test_random();
    for (unsigned i = 0; i < 20; i++)
        kill_and_go_on(test_random_bits(&random), 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_query),
        cmocka_unit_test(test_restart_keeps_entries),
        cmocka_unit_test(test_output_becomes_entries),
        cmocka_unit_test(test_watch_and_tail),
        cmocka_unit_test(test_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
