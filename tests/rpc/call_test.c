/* Calls on an RPC server in a simulated world, by clients that write HTTP by hand. */
#include <errno.h>

#include "base/test.h"
#include "echo_services.h"
#include "net/http_kit.h"
#include "rpc/envelope.h"
#include "schema/codec.h"

#define SECOND NANOS_PER_SECOND

/* ---- the server: handlers that note what they hear ---- */

typedef struct TestWorld {
    Kit kit;
    RpcServer *server;
    RpcService service;
    int opened, messages, half_closed, closed, writable;
    StatusCode code;  /* of the last `closed` */
    CallRef ref;      /* of the last call */
    size_t raw_bytes; /* of the last raw message */
    size_t held;      /* bytes of credit */
    int reports;
    bool keep;   /* the credit of messages is held */
    bool hold;   /* unary calls are not answered */
    bool twice;  /* unary calls are answered twice */
    bool silent; /* client streams end without an answer */
    int pour;    /* messages of 10,000 bytes sent at once */
} TestWorld;

static TestWorld *of(const Call *call) {
    return call_service(call);
}

static void opened(Call *call) {
    of(call)->opened++;
    of(call)->ref = call_ref(call);
}

static void reply(Call *call, const char *text) {
    call_reply(call, &(EchoResponse){.text = span_of(text)});
}

static void on_unary(Call *call, const void *message) {
    TestWorld *world = of(call);
    const EchoRequest *request = message;
    world->messages++;
    world->ref = call_ref(call);
    if (world->hold)
        return;
    if (world->twice)
        call_send(call, &(EchoResponse){.text = SPAN("first")});
    call_reply(call, &(EchoResponse){.text = request->text});
}

static void on_stream_message(Call *call, const void *message) {
    TestWorld *world = of(call);
    world->messages++;
    if (world->keep)
        world->held += call_hold_credit(call);
}

static void on_half_closed(Call *call) {
    TestWorld *world = of(call);
    world->half_closed++;
    if (world->silent)
        call_finish(call, status_ok());
    else
        reply(call, "all");
}

static void on_raw(Call *call, const void *message) {
    of(call)->messages++;
    of(call)->raw_bytes = ((const Span *)message)->len;
}

static void on_flood(Call *call, const void *message) {
    TestWorld *world = of(call);
    static const char payload[10000];
    EchoResponse response = {.payload = span(payload, sizeof payload)};
    world->ref = call_ref(call);
    world->messages++;
    for (int i = 0; i < world->pour; i++)
        call_send(call, &response);
}

static void on_writable(Call *call) {
    of(call)->writable++;
}

static void on_watch(Call *call, const void *message) {
    of(call)->ref = call_ref(call);
    of(call)->messages++;
}

static void closed(Call *call, StatusCode code) {
    of(call)->closed++;
    of(call)->code = code;
}

static const MethodHandler HANDLERS[] = {
    [EchoCalls_Unary] = {.message = on_unary, .closed = closed},
    [EchoCalls_Get] = {.message = on_unary, .closed = closed},
    [EchoCalls_ServerStream] = {.message = on_watch, .closed = closed},
    [EchoCalls_ClientStream] = {.opened = opened,
                                .message = on_stream_message,
                                .half_closed = on_half_closed,
                                .closed = closed},
    [EchoCalls_Bidi] = {0},
    [EchoCalls_RawStream] = {.opened = opened,
                             .message = on_raw,
                             .half_closed = on_half_closed,
                             .closed = closed},
    [EchoCalls_Flood] = {.message = on_flood, .writable = on_writable, .closed = closed},
    [EchoCalls_NeedsControl] = {0},
};

static void on_report(void *owner, const CallReport *report) {
    ((TestWorld *)owner)->reports++;
}

static void begin(TestWorld *world, RpcServerOptions options) {
    SimulationOptions simulation = {.seed = 3, .delay_min = 1000, .delay_max = 100000};
    char reason[128];
    *world = (TestWorld){.service = {&EchoCalls_service, HANDLERS, world}};
    world->kit.simulation = simulation_new(&simulation);
    world->kit.world = simulation_world(world->kit.simulation);
    world->server = rpc_server_new(world->kit.world, &options);
    world->kit.server = rpc_server_http(world->server);
    rpc_server_on_report(world->server, on_report, world);
    assert_int_equal(rpc_server_add(world->server, &world->service, reason, sizeof reason), 0);
    assert_int_equal(rpc_server_add(world->server, &world->service, reason, sizeof reason),
                     -EEXIST);
}

static void end(TestWorld *world) {
    rpc_server_free(world->server);
    world_free(world->kit.world);
    simulation_free(world->kit.simulation);
}

/* ---- clients ---- */

/* Sends the head of a request with these lines; its body is chunked. */
static void ask(Raw *raw, TestWorld *world, const char *method, const char *type,
                const char *lines) {
    Buf head = {0};
    raw_open(raw, &world->kit);
    buf_printf(&head,
               "POST /echo.v1.Calls/%s HTTP/1.1\r\nhost: localhost\r\ncontent-type: %s\r\n"
               "transfer-encoding: chunked\r\n%s\r\n",
               method, type, lines);
    raw_send(raw, buf_span(&head));
    buf_done(&head);
}

static void chunk(Raw *raw, Span bytes) {
    Buf out = {0};
    buf_printf(&out, "%zx\r\n", bytes.len);
    buf_add(&out, bytes);
    buf_add_literal(&out, "\r\n");
    raw_send(raw, buf_span(&out));
    buf_done(&out);
}

static void envelope_chunk(Raw *raw, Span message) {
    Buf out = {0};
    envelope_write_head(buf_reserve(&out, ENVELOPE_HEAD), 0, (uint32_t)message.len);
    out.len = ENVELOPE_HEAD;
    buf_add(&out, message);
    chunk(raw, buf_span(&out));
    buf_done(&out);
}

static void last_chunk(Raw *raw) {
    raw_send(raw, SPAN("0\r\n\r\n"));
}

static void run(TestWorld *world) {
    kit_run(&world->kit, SECOND / 10);
}

static void expect(const Raw *raw, const char *part) {
    if (!raw_contains(raw, part))
        fail_msg("no '%s' in: %.*s", part, (int)raw->got.len, raw->got.ptr);
}

#define JSON        "application/json"
#define STREAM      "application/connect+proto"
#define STREAM_JSON "application/connect+json"

/* ---- tests ---- */

static void test_unary(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){0});
    ask(&raw, &world, "Unary", JSON, "");
    chunk(&raw, SPAN("{\"text\":"));
    run(&world);
    assert_int_equal(world.messages, 0);
    chunk(&raw, SPAN("\"hello\"}"));
    last_chunk(&raw);
    run(&world);
    expect(&raw, "{\"text\":\"hello\"}");
    assert_int_equal(world.messages, 1);
    assert_int_equal(world.closed, 1);
    assert_int_equal(world.code, STATUS_OK);
    assert_int_equal(world.reports, 1);
    raw_done(&raw);
    end(&world);
}

static void test_answer_later(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){0});
    world.hold = true;
    ask(&raw, &world, "Unary", JSON, "");
    chunk(&raw, SPAN("{}"));
    last_chunk(&raw);
    run(&world);
    Call *call = call_find(world.server, world.ref);
    assert_non_null(call);
    reply(call, "late");
    assert_null(call_find(world.server, world.ref));
    reply(call, "later"); /* nothing more can be sent */
    run(&world);
    expect(&raw, "{\"text\":\"late\"}");
    assert_int_equal(world.closed, 1);
    raw_done(&raw);
    end(&world);
}

static void test_find_after_the_client_left(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){0});
    world.hold = true;
    ask(&raw, &world, "Unary", JSON, "");
    chunk(&raw, SPAN("{}"));
    last_chunk(&raw);
    run(&world);
    CallRef gone = world.ref;
    raw_done(&raw);
    run(&world);
    assert_null(call_find(world.server, gone));
    assert_int_equal(world.closed, 1);
    assert_int_equal(world.code, STATUS_CANCELLED);
    /* The place is used again, the name is not. */
    ask(&raw, &world, "Unary", JSON, "");
    chunk(&raw, SPAN("{}"));
    last_chunk(&raw);
    run(&world);
    assert_int_equal(world.ref.index, gone.index);
    assert_null(call_find(world.server, gone));
    assert_non_null(call_find(world.server, world.ref));
    assert_null(call_find(world.server, (CallRef){999, 0}));
    raw_done(&raw);
    end(&world);
}

static void test_deadline(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){0});
    world.hold = true;
    ask(&raw, &world, "Unary", JSON, "connect-timeout-ms: 5000\r\n");
    chunk(&raw, SPAN("{}"));
    last_chunk(&raw);
    kit_run(&world.kit, 4900 * NANOS_PER_MILLI);
    assert_int_equal(world.closed, 0);
    assert_non_null(call_find(world.server, world.ref));
    kit_run(&world.kit, 200 * NANOS_PER_MILLI);
    assert_int_equal(world.closed, 1);
    assert_int_equal(world.code, STATUS_DEADLINE_EXCEEDED);
    assert_null(call_find(world.server, world.ref));
    expect(&raw, "HTTP/1.1 504 ");
    expect(&raw, "\"deadline_exceeded\"");
    raw_done(&raw);
    end(&world);
}

static void test_a_deadline_of_nothing(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){0});
    ask(&raw, &world, "Unary", JSON, "connect-timeout-ms: 0\r\n");
    chunk(&raw, SPAN("{}"));
    last_chunk(&raw);
    run(&world);
    expect(&raw, "\"deadline_exceeded\"");
    assert_int_equal(world.messages + world.closed, 0);
    raw_done(&raw);
    end(&world);
}

/* A call that takes one message gets none, or two; one that gives one gives two, or none. */
static void test_cardinality(void **state) {
    static const struct {
        const char *type;
        int messages;
        bool twice;
        const char *code;
    } CASES[] = {
        {"application/grpc-web+proto", 0, false, "grpc-status: 12"},
        {"application/grpc-web+proto", 1, false, "grpc-status: 0"},
        {"application/grpc-web+proto", 2, false, "grpc-status: 12"},
        {"application/grpc-web+proto", 1, true, "grpc-status: 13"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        TestWorld world;
        Raw raw;
        begin(&world, (RpcServerOptions){0});
        world.twice = CASES[i].twice;
        ask(&raw, &world, "Unary", CASES[i].type, "");
        for (int n = 0; n < CASES[i].messages; n++)
            envelope_chunk(&raw, (Span){0});
        last_chunk(&raw);
        run(&world);
        expect(&raw, CASES[i].code);
        assert_int_equal(world.messages, CASES[i].messages == 1);
        raw_done(&raw);
        end(&world);
    }
}

static void test_no_answer(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){0});
    world.silent = true;
    ask(&raw, &world, "ClientStream", STREAM, "");
    last_chunk(&raw);
    run(&world);
    assert_int_equal(world.opened, 1);
    assert_int_equal(world.half_closed, 1);
    expect(&raw, "\"code\":\"internal\"");
    raw_done(&raw);
    end(&world);
}

static void test_raw_gets_binary(void **state) {
    static const struct {
        const char *type, *message;
    } CASES[] = {{STREAM, "\n\2hi"}, {STREAM_JSON, "{\"text\":\"hi\"}"}};
    for (size_t i = 0; i < 2; i++) {
        TestWorld world;
        Raw raw;
        begin(&world, (RpcServerOptions){0});
        ask(&raw, &world, "RawStream", CASES[i].type, "");
        envelope_chunk(&raw, span_of(CASES[i].message));
        last_chunk(&raw);
        run(&world);
        assert_int_equal(world.raw_bytes, 4);
        expect(&raw, "all");
        raw_done(&raw);
        end(&world);
    }
}

/* Who holds credit keeps the window closed: the sender is not let on. */
static void test_held_credit(void **state) {
    TestWorld world;
    Raw raw;
    HttpLimits limits = HTTP_LIMITS;
    limits.window = 65535;
    begin(&world, (RpcServerOptions){.http = limits});
    world.keep = true;
    char large[30000];
    EchoRequest request = {.payload = span(memset(large, 'x', sizeof large), sizeof large)};
    Arena arena = {0};
    Span encoded;
    schema_encode(&EchoRequest_type, &request, 0, &arena, &encoded);
    ask(&raw, &world, "ClientStream", STREAM, "");
    for (int i = 0; i < 12; i++)
        envelope_chunk(&raw, encoded);
    run(&world);
    int held = world.messages;
    assert_true(held > 0 && held < 12);
    assert_true(stream_pending(raw.stream) > 0);
    assert_int_equal(world.held, (size_t)held * encoded.len);
    world.keep = false;
    call_give_credit(call_find(world.server, world.ref), world.held);
    run(&world);
    assert_int_equal(world.messages, 12);
    last_chunk(&raw);
    run(&world);
    expect(&raw, "all");
    raw_done(&raw);
    arena_done(&arena);
    end(&world);
}

static void test_held_beyond_the_call(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){0});
    world.keep = true;
    ask(&raw, &world, "ClientStream", STREAM, "");
    envelope_chunk(&raw, SPAN("\n\2hi"));
    last_chunk(&raw);
    run(&world);
    raw_done(&raw);
    run(&world);
    assert_int_equal(world.closed, 1);
    assert_int_equal(world.held, 4);
    end(&world);
}

/* One frame for many: each form is encoded when somebody needs it, and the message is the frame's
 * own. */
static void test_shared_frame(void **state) {
    static const struct {
        const char *type, *lines, *wanted;
    } FORMS[] = {
        {STREAM, "", "shared text"},
        {STREAM_JSON, "", "{\"text\":\"shared text shared text"},
        {"application/grpc-web+proto", "", "shared text"},
        {"application/grpc-web-text+proto", "", "GHNoYXJlZCB0ZXh0IHNoYXJlZCB0ZXh0IA"},
        {"application/grpc-web+json", "", "{\"text\":\"shared text shared text"},
        {STREAM, "connect-accept-encoding: gzip\r\n", "\x1f\x8b"},
        {STREAM_JSON, "connect-accept-encoding: gzip\r\n", "\x1f\x8b"},
    };
    enum { COUNT = sizeof FORMS / sizeof *FORMS };
    TestWorld world;
    Raw raw[3 * COUNT];
    CallRef refs[3 * COUNT];
    begin(&world, (RpcServerOptions){.compress = true, .compress_above = 1});
    for (int i = 0; i < 3 * COUNT; i++) {
        const char *type = FORMS[i % COUNT].type;
        ask(&raw[i], &world, "ServerStream", type, FORMS[i % COUNT].lines);
        if (strstr(type, "text")) {
            chunk(&raw[i], SPAN("AAAAAAA="));
        } else {
            envelope_chunk(&raw[i], strstr(type, "json") ? SPAN("{}") : (Span){0});
        }
        last_chunk(&raw[i]);
        run(&world);
        refs[i] = world.ref;
        assert_non_null(call_find(world.server, refs[i]));
    }
    char text[] = "shared text shared text ";
    EchoResponse response = {.text = span(text, sizeof text - 1)};
    RpcFrame *frame = rpc_frame_new(world.server, &EchoResponse_type, &response);
    memset(text, '!', sizeof text - 1);
    for (int i = 0; i < 3 * COUNT; i++) {
        Call *call = call_find(world.server, refs[i]);
        assert_int_equal(call_send_frame(call, frame), 0);
        assert_int_equal(call_send_frame(call, rpc_frame_ref(frame)), 0);
        rpc_frame_unref(frame);
    }
    rpc_frame_unref(frame); /* what is still to be sent outlives it */
    for (int i = 0; i < 3 * COUNT; i++)
        call_finish(call_find(world.server, refs[i]), status_ok());
    run(&world);
    for (int i = 0; i < 3 * COUNT; i++) {
        const char *wanted = FORMS[i % COUNT].wanted;
        const char *first = memmem(raw[i].got.ptr, raw[i].got.len, wanted, strlen(wanted));
        assert_non_null(first);
        size_t left = raw[i].got.len - (size_t)(first + 1 - raw[i].got.ptr);
        assert_non_null(memmem(first + 1, left, wanted, strlen(wanted)));
        /* The same form is the same bytes. */
        assert_true(span_equal(buf_span(&raw[i].got), buf_span(&raw[i % COUNT].got)));
    }
    for (int i = 0; i < 3 * COUNT; i++)
        raw_done(&raw[i]);
    end(&world);
}

static void test_slow_client(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){.queue_limit = 1 << 20});
    world.pour = 50;
    ask(&raw, &world, "Flood", STREAM, "");
    run(&world);
    stream_read_stop(raw.stream);
    envelope_chunk(&raw, (Span){0});
    last_chunk(&raw);
    run(&world);
    Call *call = call_find(world.server, world.ref);
    assert_non_null(call);
    assert_true(call_pending(call) > HTTP_LOW);
    EchoResponse small = {.text = SPAN("x")};
    assert_int_equal(call_send(call, &small), -EAGAIN);
    assert_int_equal(world.writable, 0);
    stream_read_start(raw.stream);
    kit_run(&world.kit, SECOND);
    assert_int_equal(world.writable, 1);
    assert_true(call_pending(call) <= HTTP_LOW);
    assert_int_equal(call_send(call, &small), 0);
    call_finish(call, status_ok());
    run(&world);
    assert_int_equal(world.code, STATUS_OK);
    assert_true(raw.got.len > 500000);
    raw_done(&raw);
    end(&world);
}

static void test_greedy_sender(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){.queue_limit = 1 << 20});
    world.pour = 1000; /* 10 MB */
    ask(&raw, &world, "Flood", STREAM, "");
    run(&world);
    stream_read_stop(raw.stream);
    envelope_chunk(&raw, (Span){0});
    last_chunk(&raw);
    run(&world);
    assert_int_equal(world.closed, 1);
    assert_int_equal(world.code, STATUS_RESOURCE_EXHAUSTED);
    assert_null(call_find(world.server, world.ref));
    raw_done(&raw);
    end(&world);
}

static void test_sizes(void **state) {
    TestWorld world;
    Raw raw;
    begin(&world, (RpcServerOptions){.receive_limit = 1000, .send_limit = 5000});
    ask(&raw, &world, "ClientStream", STREAM, "");
    envelope_chunk(&raw, (Span){0});
    chunk(&raw, SPAN("\0\0\0\x03\xe9")); /* 1001 bytes to come */
    run(&world);
    expect(&raw, "\"resource_exhausted\"");
    assert_int_equal(world.messages, 1);
    assert_int_equal(world.half_closed, 0);
    raw_done(&raw);
    world.pour = 1;
    ask(&raw, &world, "Flood", STREAM, "");
    envelope_chunk(&raw, (Span){0});
    last_chunk(&raw);
    run(&world);
    expect(&raw, "\"resource_exhausted\"");
    expect(&raw, "larger than the limit of 5000");
    raw_done(&raw);
    end(&world);
}

static void test_malformed_bodies(void **state) {
    static const struct {
        const char *type;
        Span body;
        const char *wanted;
    } CASES[] = {
        {STREAM, SPAN("\0\0\0\0\5\n\2hi"), "\"invalid_argument\""},     /* cut short */
        {STREAM, SPAN("\0\0\0"), "\"invalid_argument\""},               /* in its head */
        {STREAM, SPAN("\4\0\0\0\0"), "\"invalid_argument\""},           /* unknown flag */
        {STREAM, SPAN("\1\0\0\0\0"), "\"internal\""},                   /* compressed by what? */
        {STREAM, SPAN("\0\0\0\0\1\xff"), "\"invalid_argument\""},       /* no message */
        {"application/grpc-web-text", SPAN("AAA"), "grpc-status: 13"},  /* no whole group */
        {"application/grpc-web-text", SPAN("A*AA"), "grpc-status: 13"}, /* no base64 */
        {"application/grpc-web-text", SPAN("A===AAAA"), "grpc-status: 13"},
        {"application/grpc-web+proto", SPAN("\x80\0\0\0\0"), "grpc-status: 13"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        TestWorld world;
        Raw raw;
        begin(&world, (RpcServerOptions){0});
        ask(&raw, &world, "ClientStream", CASES[i].type, "");
        chunk(&raw, CASES[i].body);
        last_chunk(&raw);
        run(&world);
        if (!raw_contains(&raw, CASES[i].wanted) &&
            !(strstr(CASES[i].type, "text") && raw_contains(&raw, "cnBjLXN0YXR1czogMTMN")))
            fail_msg("case %zu: %.*s", i, (int)raw.got.len, raw.got.ptr);
        assert_int_equal(world.half_closed, 0);
        raw_done(&raw);
        end(&world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_answer_later),
        cmocka_unit_test(test_find_after_the_client_left),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_a_deadline_of_nothing),
        cmocka_unit_test(test_cardinality),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_raw_gets_binary),
        cmocka_unit_test(test_held_credit),
        cmocka_unit_test(test_held_beyond_the_call),
        cmocka_unit_test(test_shared_frame),
        cmocka_unit_test(test_slow_client),
        cmocka_unit_test(test_greedy_sender),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_malformed_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
