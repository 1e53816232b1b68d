/* Who reads the logs: what is found beside a flood, followers, callers that are slow, the end. */
#include <unistd.h>

#include "services/logs/logs_kit.h"

/* ---- a quiet service beside one that floods ---- */

static size_t loaded_blocks(const Bed *bed) {
    const LogStore *store = bed->logs->actor.store;
    size_t loaded = 0;
    for (size_t i = 0; i < store->sealed_blocks.count; i++)
        loaded += store->sealed_blocks.items[i].loaded != NULL;
    return loaded;
}

/* What it said last is not pushed out, and is found without looking at what the other has said. */
static void test_quiet_service(void **state) {
    Bed bed = bed_new(9);
    char text[4000];
    Span message = span(memset(text, 'x', sizeof text), sizeof text);
    write_one(&bed, "quiet", RT_LOG_LEVEL_INFO, "first", NULL);
    write_one(&bed, "Quiet", RT_LOG_LEVEL_INFO, "second", NULL);
    for (size_t i = 0; i < 2500; i++) {
        logs_write(bed.logs, &(RtLogEntry){.service_name = SPAN("noisy"), .message = message});
        if (i % 100 == 0)
            run_for(&bed, 10 * NANOS_PER_MILLI);
    }
    run_for(&bed, NANOS_PER_SECOND);
    assert_true(log_store_usage(bed.logs->actor.store).blocks >= 4);
    ASSERT_MESSAGES(&bed, "service:quiet", "first", "second");
    assert_int_equal(loaded_blocks(&bed), 1);
    ASSERT_MESSAGES(&bed, "service:absent OR instance:absent-1", NULL);
    assert_int_equal(loaded_blocks(&bed), 1);
    ASSERT_MESSAGES(&bed, "service:quie*", "first", "second");
    assert_true(loaded_blocks(&bed) > 1);
    bed_done(&bed);
}

/* ---- followers ---- */

typedef struct Follow {
    Found found;
    ARRAY(LogReaderReply *) replies;
} Follow;

static void on_follow(LogReader *reader, LogReaderReply *reply) {
    Follow *follow = reader->owner;
    *array_push(&follow->replies) = reply;
}

/* The latest of what is asked for, however far back they lie; then what comes. */
static void test_replay(void **state) {
    Bed bed = bed_new(8);
    write_one(&bed, "rare", RT_LOG_LEVEL_INFO, "first", NULL);
    write_one(&bed, "rare", RT_LOG_LEVEL_INFO, "second", NULL);
    write_one(&bed, "rare", RT_LOG_LEVEL_INFO, "third", NULL);
    for (size_t i = 0; i < READER_BEHIND + 1000; i++) {
        logs_write(bed.logs, &(RtLogEntry){.service_name = SPAN("flood"), .message = SPAN("y")});
        if (i % 500 == 499)
            run_for(&bed, 10 * NANOS_PER_MILLI);
    }
    LogSearcher *searcher = log_searcher_new(parse(&bed, SPAN("service:rare")));
    searcher->follows = true;
    searcher->replay = 2;
    Found found = {0};
    assert_true(logs_reader_start(bed.logs, &searcher->reader, on_found, &found));
    run_for(&bed, NANOS_PER_SECOND);
    write_one(&bed, "rare", RT_LOG_LEVEL_INFO, "fourth", NULL);
    run_for(&bed, NANOS_PER_SECOND);
    assert_int_equal(found.entries.count, 3);
    assert_span(found.entries.items[0].message, "second");
    assert_span(found.entries.items[1].message, "third");
    assert_span(found.entries.items[2].message, "fourth");
    logs_reader_leave(&searcher->reader);
    run_for(&bed, NANOS_PER_MILLI);
    found_done(&found);
    bed_done(&bed);
}

/* One that never reads gets what its credit is for, holds nobody up, and is told later what it has
 * missed. */
static void test_follower_that_never_reads(void **state) {
    Bed bed = bed_new(7);
    Follow follow = {0};
    LogSearcher *searcher = log_searcher_new(parse(&bed, SPAN("")));
    searcher->follows = true;
    assert_true(logs_reader_start(bed.logs, &searcher->reader, on_follow, &follow));
    run_for(&bed, NANOS_PER_MILLI);
    Buf text = {0};
    for (size_t i = 0; i < 1000; i++)
        buf_add_char(&text, 'x');
    size_t count = READER_BEHIND + 5000;
    for (size_t i = 0; i < count; i++) {
        RtLogEntry entry = {.service_name = SPAN("flood"),
                            .message = i < 3000 ? buf_span(&text) : SPAN("y")};
        logs_write(bed.logs, &entry);
        if (i % 500 == 499)
            run_for(&bed, 10 * NANOS_PER_MILLI);
    }
    run_for(&bed, NANOS_PER_SECOND);
    assert_int_equal(follow.replies.count, READER_CREDIT);
    assert_int_equal(logs_dropped(bed.logs), 0);
    assert_messages(&bed, "service:other", (const char *const[]){NULL});
    /* Now it reads. */
    int64_t got = 0, missed = 0;
    searcher->reader.owner = &follow;
    for (size_t i = 0; i < follow.replies.count; i++) {
        Unpack in = unpack_begin(buf_span(&follow.replies.items[i]->messages));
        while (in.at < in.end) {
            void *decoded;
            arena_reset(&follow.found.arena);
            assert_int_equal(schema_decode(&RtLogEntry_type, unpack_text(&in), NULL,
                                           &follow.found.arena, &decoded, NULL),
                             0);
            const RtLogEntry *entry = decoded;
            if (entry->sequence)
                got++;
            else
                missed += (int64_t)entry->attributes->fields.items[0].value->number_value;
        }
        logs_reader_credit(&searcher->reader, follow.replies.items[i]);
        run_for(&bed, 10 * NANOS_PER_MILLI);
    }
    assert_true(missed > 0);
    assert_int_equal(got + missed, count);
    logs_reader_leave(&searcher->reader);
    run_for(&bed, NANOS_PER_MILLI);
    array_done(&follow.replies);
    arena_done(&follow.found.arena);
    buf_done(&text);
    bed_done(&bed);
}

/* ---- callers that are slow ---- */

#define SLOW_ADDRESS "10.0.0.1:80"
#define SLOW_ENTRIES 2000

typedef struct Caller {
    Stream *stream;
    size_t got;
    bool closed;
} Caller;

static void on_caller_read(void *owner, Span bytes) {
    ((Caller *)owner)->got += bytes.len;
}

static void on_caller_closed(void *owner, int error) {
    ((Caller *)owner)->closed = true;
}

/* Asks for all entries, and does not read what comes. */
static void ask_for_all(World *world, Caller *caller) {
    static const StreamHandler HANDLER = {.read = on_caller_read, .closed = on_caller_closed};
    static const char REQUEST[] =
        "POST /runtime.v1.LoggerService/QueryLogs HTTP/1.1\r\nhost: localhost\r\n"
        "content-type: application/connect+json\r\n"
        "content-length: 17\r\n\r\n\0\0\0\0\014{\"limit\":-1}";
    Address address;
    assert_true(address_parse(SPAN(SLOW_ADDRESS), &address));
    assert_int_equal(stream_connect(world, &address, &HANDLER, caller, &caller->stream), 0);
    stream_write(caller->stream, span(REQUEST, sizeof REQUEST - 1));
}

/* Who reads late gets everything; who never does holds nobody up, not even the end. */
static void test_slow_callers(void **state) {
    Bed bed = bed_new(8);
    RpcServerOptions options = {.http = HTTP_LIMITS};
    RpcServer *server = rpc_server_new(bed.world, &options);
    World *world = simulation_world(bed.simulation);
    Address address, bound;
    Caller late = {0}, never = {0};
    char reason[100], text[2000];
    assert_int_equal(rpc_server_add(server, logs_rpc(bed.logs), reason, sizeof reason), 0);
    assert_true(address_parse(SPAN(SLOW_ADDRESS), &address));
    assert_int_equal(http_server_listen(rpc_server_http(server), &address, NULL, &bound), 0);
    Span message = span(memset(text, 'x', sizeof text), sizeof text);
    for (size_t i = 0; i < SLOW_ENTRIES; i++) {
        logs_write(bed.logs, &(RtLogEntry){.service_name = SPAN("calc"), .message = message});
        run_for(&bed, NANOS_PER_MILLI);
    }
    ask_for_all(world, &late);
    ask_for_all(world, &never);
    run_for(&bed, NANOS_PER_SECOND);
    assert_int_equal(late.got, 0);
    stream_read_start(late.stream);
    run_for(&bed, 10 * NANOS_PER_SECOND);
    assert_true(late.got > SLOW_ENTRIES * sizeof text);
    logs_end_calls(bed.logs);
    run_for(&bed, NANOS_PER_MILLI);
    logs_close(bed.logs);
    bed.logs = NULL;
    rpc_server_free(server);
    world_free(world);
    assert_true(late.closed && never.closed);
    bed_done(&bed);
}

/* ---- with its thread, on the machine's disk ---- */

static void on_real(LogReader *reader, LogReaderReply *reply) {
    Found *found = reader->owner;
    Unpack in = unpack_begin(buf_span(&reply->messages));
    while (in.at < in.end && !in.failed) {
        unpack_text(&in);
        array_push(&found->entries);
    }
    found->over = reply->last;
    if (reply->last)
        world_stop(reader->logs->world);
    logs_reader_credit(reader, reply);
}

static void test_with_a_thread(void **state) {
    char folder[] = "/tmp/muster-logs-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    World *world = world_new();
    Logs *logs;
    Buf report = {0};
    LogsOptions options = {.folder = folder};
    for (size_t round = 1; round <= 2; round++) {
        assert_int_equal(logs_open(world, &options, &logs, &report), 0);
        for (size_t i = 0; i < 5000; i++)
            logs_write(logs, &(RtLogEntry){.service_name = SPAN("calc"), .message = SPAN("hello")});
        logs_write_now(logs);
        Filter *filter;
        FilterError error;
        assert_int_equal(filter_parse(SPAN("hello"), 0, &filter, &error), 0);
        LogSearcher *searcher = log_searcher_new(filter);
        Found found = {0};
        assert_true(logs_reader_start(logs, &searcher->reader, on_real, &found));
        while (!found.over)
            world_run(world);
        assert_int_equal(found.entries.count, 5000 * round);
        found_done(&found);
        logs_close(logs);
    }
    world_free(world);
    buf_done(&report);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void kept_free(LogReaderReply *kept) {
    if (kept)
        buf_done(&kept->messages);
    free(kept);
}

static void on_kept(LogReader *reader, LogReaderReply *reply) {
    LogReaderReply **kept = reader->owner;
    kept_free(*kept); /* several come at once */
    *kept = reply;
    world_stop(reader->logs->world);
}

static void on_no_tail(void *owner, const RtLogEntry *entries, size_t count) {
    fail_msg("told after the end");
}

/* The end comes while replies are on their way: to a query, to one who has not given credit, and
 * to one who asked for the last lines. Nothing of it is told any more, nor is it left. */
static void test_end_with_queries_under_way(void **state) {
    char folder[] = "/tmp/muster-logs-XXXXXX", command[64];
    assert_non_null(mkdtemp(folder));
    World *world = world_new();
    Logs *logs;
    Buf report = {0};
    LogsOptions options = {.folder = folder};
    assert_int_equal(logs_open(world, &options, &logs, &report), 0);
    for (size_t i = 0; i < 20000; i++)
        logs_write(logs, &(RtLogEntry){.service_name = SPAN("calc"),
                                       .instance = SPAN("calc-1"),
                                       .message = SPAN("hello, everybody")});
    logs_write_now(logs);
    LogReaderReply *kept[8] = {NULL};
    for (size_t i = 0; i < 8; i++) {
        Filter *filter;
        FilterError error;
        assert_int_equal(filter_parse(SPAN("hello"), 0, &filter, &error), 0);
        assert_true(logs_reader_start(logs, &log_searcher_new(filter)->reader, on_kept, &kept[i]));
        if (i == 0)
            world_run(world); /* for the last time */
        logs_tail(logs, SPAN("calc-1"), 10, on_no_tail, NULL);
    }
    assert_non_null(kept[0]);
    logs_close(logs);
    for (size_t i = 0; i < 8; i++)
        kept_free(kept[i]);
    world_free(world);
    buf_done(&report);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet_service),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_follower_that_never_reads),
        cmocka_unit_test(test_slow_callers),
        cmocka_unit_test(test_with_a_thread),
        cmocka_unit_test(test_end_with_queries_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
