/* The whole, on a simulated disk and in a simulated world: from rings and calls to queries. */
#include "services/logs/logs.h"

#include <errno.h>
#include <unistd.h>

#include "services/logs/logs_kit.h"

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

/* What the disk does not take stays in the ring, and is stored once it does. */
static void test_a_disk_that_is_full_for_a_while(void **state) {
    Bed bed = bed_new(12);
    Printer printer = printer_new("calc-1", 4, 65536);
    capture(&bed, &printer);
    print(&bed, &printer, "before\n");
    run_for(&bed, NANOS_PER_SECOND);
    simulated_disk_fail(bed.disk, 1000000, 0);
    print(&bed, &printer, "meanwhile\n");
    run_for(&bed, 10 * NANOS_PER_SECOND);
    assert_true(bed.logs->failing);
    assert_true(printer.writer.header->tail < printer.writer.header->head);
    simulated_disk_fail(bed.disk, 0, 0);
    run_for(&bed, NANOS_PER_SECOND);
    assert_false(bed.logs->failing);
    ASSERT_MESSAGES(&bed, "service:calc", "before", "meanwhile");
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
        kill_and_go_on(test_random_bits(&random), 3000);
}

/* ---- bytes as they were written ---- */

/* What a follower gets, one after the other: "INSTANCE@OFFSET:DATA|", '*' before what is replayed. */
static void on_bytes(LogReader *reader, LogReaderReply *reply) {
    Buf *out = reader->owner;
    Arena arena = {0};
    Unpack in = unpack_begin(buf_span(&reply->messages));
    while (in.at < in.end) {
        void *decoded;
        assert_int_equal(schema_decode(&RtAttachOutputResponse_type, unpack_text(&in), NULL, &arena,
                                       &decoded, NULL),
                         0);
        const RtAttachOutputResponse *message = decoded;
        buf_printf(out, "%s%.*s@%lld:%.*s|", message->replayed ? "*" : "",
                   SPAN_ARGS(message->instance_id), (long long)message->offset,
                   SPAN_ARGS(message->data));
    }
    if (reply->last)
        buf_add_literal(out, "end");
    arena_done(&arena);
    logs_reader_credit(reader, reply);
}

static LogReader *follow_bytes(Bed *bed, const RtAttachOutputRequest *request, Buf *out) {
    LogReader *reader = log_follower_new(request, bed->hides);
    buf_clear(out);
    assert_true(logs_reader_start(bed->logs, reader, on_bytes, out));
    run_for(bed, NANOS_PER_SECOND);
    return reader;
}

static void leave(Bed *bed, LogReader *reader) {
    logs_reader_leave(reader);
    run_for(bed, NANOS_PER_MILLI);
}

static void test_bytes_over_lives(void **state) {
    Bed bed = bed_new(5);
    Printer first = printer_new("calc-0-1", 1, 65536), second = printer_new("calc-0-2", 2, 65536);
    Buf live = {0}, once = {0};
    RtAttachOutputRequest request = {.service_name = SPAN("calc")};
    LogReader *follower = follow_bytes(&bed, &request, &live);
    capture(&bed, &first);
    print(&bed, &first, "\x1b[1mone\r\n");
    print(&bed, &first, "prompt> ");
    assert_span(buf_span(&live), "calc-0-1@0:\x1b[1mone\r\n|calc-0-1@9:prompt> |");
    end_capture(&bed, &first);
    capture(&bed, &second);
    print(&bed, &second, "two\n");
    assert_span(buf_span(&live),
                "calc-0-1@0:\x1b[1mone\r\n|calc-0-1@9:prompt> |calc-0-2@17:two\n|");
    leave(&bed, follower);
    logs_close(bed.logs);
    open_logs(&bed);
    capture(&bed, &second);
    request.once = request.has_replay_bytes = true;
    request.replay_bytes = 6;
    follower = follow_bytes(&bed, &request, &once);
    assert_span(buf_span(&once), "*calc-0-1@15:> |*calc-0-2@17:two\n|end");
    leave(&bed, follower);
    request.has_offset = true;
    request.offset = 18;
    follower = follow_bytes(&bed, &request, &once);
    assert_span(buf_span(&once), "*calc-0-2@18:wo\n|end");
    leave(&bed, follower);
    end_capture(&bed, &second);
    printer_done(&first);
    printer_done(&second);
    buf_done(&live);
    buf_done(&once);
    bed_done(&bed);
}

/* Who may not see secrets does not see them in the bytes either, nor the rest of one that came in
 * two pieces. */
static void test_bytes_hidden(void **state) {
    Bed bed = bed_new(9);
    Printer printer = printer_new("calc-0-1", 1, 65536);
    Buf live = {0}, reason = {0};
    RtAttachOutputRequest request = {.service_name = SPAN("calc")};
    Span secrets[] = {SPAN("hunter2"), SPAN("correct horse")};
    assert_int_equal(logs_hide(bed.logs, secrets, 2, NULL, 0, &reason), 0);
    bed.hides = true;
    LogReader *follower = follow_bytes(&bed, &request, &live);
    capture(&bed, &printer);
    print(&bed, &printer, "login hunter2\n");
    print(&bed, &printer, "correct");
    print(&bed, &printer, " horse, not hunter");
    assert_span(buf_span(&live), "calc-0-1@0:login *******\n|calc-0-1@14:correct|"
                                 "calc-0-1@21:******, not hunter|");
    leave(&bed, follower);
    bed.hides = false;
    request.once = true;
    follower = follow_bytes(&bed, &request, &live);
    assert_non_null(memmem(live.ptr, live.len, "hunter2", 7));
    leave(&bed, follower);
    end_capture(&bed, &printer);
    printer_done(&printer);
    buf_done(&live);
    bed_done(&bed);
}

/* ---- queries against a naive model ---- */

/* Random entries, many enough for blocks of their own; random filters; kills in between. A query
 * finds exactly those that match one by one, in their order, forwards and backwards. */

#define MODEL_ENTRIES 26000 /* more than two blocks */

static const char *const WORDS[] = {"timeout",
                                    "Retry",
                                    "connection",
                                    "refused",
                                    "order",
                                    "user",
                                    "deadlock",
                                    "x",
                                    "GET",
                                    ("\xc3\xbc"
                                     "ber")};

static void random_message(TestRandom *random, size_t n, Buf *out) {
    buf_clear(out);
    size_t words = 1 + test_random_below(random, 12);
    buf_printf(out, "%0250d ", 0);
    for (size_t i = 0; i < words; i++) {
        switch (test_random_below(random, 6)) {
        case 0:
            buf_printf(out, "id=%08llx-%04llx ",
                       (unsigned long long)test_random_below(random, 5000) * 77777,
                       (unsigned long long)test_random_below(random, 65536));
            break;
        case 1:
            buf_printf(out, "%llu ms ", (unsigned long long)test_random_below(random, 1000000));
            break;
        default:
            /* Most words keep to a stretch of the log, so that an index has something to tell. */
            buf_printf(out, "%s ", WORDS[(n / 3000 + test_random_below(random, 3)) % 10]);
        }
    }
}

static void random_filter(TestRandom *random, const RtLogEntry *some, Buf *out, int depth) {
    size_t from = some->message.len ? test_random_below(random, some->message.len) : 0;
    size_t len = test_random_below(random, 20);
    Span part = span_skip(some->message, from);
    part.len = part.len < len ? part.len : len;
    while (part.len && (part.ptr[0] & 0xc0) == 0x80)
        part = span_skip(part, 1);
    while (part.len && (unsigned char)part.ptr[part.len - 1] >= 0x80)
        part.len--;
    switch (test_random_below(random, depth ? 10 : 7)) {
    case 0:
        buf_printf(out, "\"%.*s\"", SPAN_ARGS(part));
        return;
    case 1:
        buf_printf(out, "\"%s\"", WORDS[test_random_below(random, 10)]);
        return;
    case 2:
        buf_printf(out, "service:service-%llu", (unsigned long long)test_random_below(random, 6));
        return;
    case 3:
        buf_printf(
            out, "level>=%s",
            (const char *const[]){"info", "warn", "error", "fatal"}[test_random_below(random, 4)]);
        return;
    case 4:
        buf_printf(out, "corr:%.*s",
                   SPAN_ARGS(some->correlation_id.len ? some->correlation_id : SPAN("none")));
        return;
    case 5:
        buf_printf(out, "time%s%lld",
                   test_random_below(random, 2) ? "<" : ">=", (long long)some->timestamp);
        return;
    case 6: {
        const char *one = WORDS[test_random_below(random, 10)];
        const char *other = WORDS[test_random_below(random, 10)];
        static const char *const FORMS[] = {"/%s.*%s/", "/%s|%s/", "/(%.3s|%s)[a-z]/", "/%s/i",
                                            "/(%s [a-z]+)+|%.5s/"};
        buf_printf(out, FORMS[test_random_below(random, 5)], one, other);
        return;
    }
    case 7:
        buf_add_char(out, '-');
        break;
    default:
        break;
    }
    buf_add_char(out, '(');
    random_filter(random, some, out, depth - 1);
    buf_printf(out, "%s", test_random_below(random, 2) ? " OR " : " ");
    random_filter(random, some, out, depth - 1);
    buf_add_char(out, ')');
}

typedef struct Model {
    ARRAY(RtLogEntry *) entries;
    Arena arena;
} Model;

static void check_query(Bed *bed, const Model *model, Span line, bool backwards) {
    Filter *filter = parse(bed, line), *naive = parse(bed, line);
    LogSearcher *searcher = log_searcher_new(filter);
    searcher->search.backwards = backwards;
    searcher->search.at = backwards ? INT64_MAX : 0;
    Found found = {0};
    assert_true(logs_reader_start(bed->logs, &searcher->reader, on_found, &found));
    while (!found.over)
        run_for(bed, NANOS_PER_MILLI);
    logs_reader_leave(&searcher->reader);
    run_for(bed, NANOS_PER_MILLI);
    size_t next = 0;
    for (size_t i = 0; i < model->entries.count; i++) {
        size_t n = backwards ? model->entries.count - 1 - i : i;
        const RtLogEntry *entry = model->entries.items[n];
        if (!filter_matches(naive, entry, 0))
            continue;
        if (next == found.entries.count ||
            !span_equal(found.entries.items[next].message, entry->message))
            fail_msg("'%.*s' leaves out '%.*s' (match %zu of %zu)", SPAN_ARGS(line),
                     SPAN_ARGS(entry->message), next, found.entries.count);
        next++;
    }
    if (next != found.entries.count)
        fail_msg("'%.*s' finds %zu too much", SPAN_ARGS(line), found.entries.count - next);
    filter_free(naive);
    found_done(&found);
}

static void test_queries_against_model(void **state) {
    TestRandom random = test_random();
    Bed bed = bed_new(test_random_bits(&random));
    Model model = {0};
    Buf text = {0}, line = {0};
    for (size_t n = 0; n < MODEL_ENTRIES; n++) {
        char service[32], id[32];
        snprintf(service, sizeof service, "service-%llu",
                 (unsigned long long)test_random_below(&random, 5));
        snprintf(id, sizeof id, "req-%zu", n / 7);
        random_message(&random, n, &text);
        RtLogEntry entry = {
            .service_name = span_of(service),
            .level =
                (int32_t)(test_random_below(&random, 40) ? 2 : 2 + test_random_below(&random, 4)),
            .message = buf_span(&text),
            .correlation_id = span_of(test_random_below(&random, 3) ? id : ""),
            .timestamp = 1767225600000 + (int64_t)n * 10 - (int64_t)test_random_below(&random, 500),
            .stream = RT_LOG_STREAM_STRUCTURED,
        };
        *array_push(&model.entries) = schema_copy(&RtLogEntry_type, &entry, &model.arena);
        logs_write(bed.logs, &entry);
        if (n % 100 == 99)
            run_for(&bed, 10 * NANOS_PER_MILLI);
        if (n % 6000 == 5999) { /* the program is killed once all that was is on the disk */
            run_for(&bed, NANOS_PER_SECOND);
            simulated_disk_kill_after(bed.disk, 0);
            logs_close(bed.logs);
            simulated_disk_crash(bed.disk, n % 2);
            simulated_disk_kill_after(bed.disk, UINT64_MAX);
            open_logs(&bed);
        }
    }
    run_for(&bed, NANOS_PER_SECOND);
    assert_true(log_store_usage(bed.logs->actor.store).blocks >= 2);
    for (int i = 0; i < 100; i++) {
        buf_clear(&line);
        random_filter(&random, model.entries.items[test_random_below(&random, MODEL_ENTRIES)],
                      &line, 2);
        check_query(&bed, &model, buf_span(&line), i % 2);
    }
    buf_done(&text);
    buf_done(&line);
    array_done(&model.entries);
    arena_done(&model.arena);
    bed_done(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_query),
        cmocka_unit_test(test_restart_keeps_entries),
        cmocka_unit_test(test_output_becomes_entries),
        cmocka_unit_test(test_a_disk_that_is_full_for_a_while),
        cmocka_unit_test(test_watch_and_tail),
        cmocka_unit_test(test_bytes_over_lives),
        cmocka_unit_test(test_bytes_hidden),
        cmocka_unit_test(test_kills),
        cmocka_unit_test(test_queries_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
