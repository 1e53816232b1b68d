/* The RPC client against our own server, in simulated time: every kind of call in every protocol,
 * and what happens when the network or the server fails. */
#include "client_kit.h"

#define SERVER     "10.0.0.1:50051"
#define ENDPOINTS  3
#define SECOND     NANOS_PER_SECOND
#define BINARY_TAG "\x01\xff\x80"

typedef struct Wire {
    const char *name;
    ChannelOptions options;
} Wire;

static const Wire WIRES[] = {
    {"gRPC", {.protocol = RPC_GRPC}},
    {"gRPC, JSON, gzip", {.protocol = RPC_GRPC, .json = true, .compression = RPC_GZIP}},
    {"gRPC-Web over HTTP/1.1", {.protocol = RPC_GRPC_WEB, .http = HTTP_ONE}},
    {"gRPC-Web over HTTP/2", {.protocol = RPC_GRPC_WEB, .http = HTTP_TWO, .compression = RPC_BR}},
    {"Connect over HTTP/1.1", {.protocol = RPC_CONNECT, .http = HTTP_ONE}},
    {"Connect over HTTP/2", {.protocol = RPC_CONNECT, .http = HTTP_TWO}},
    {"Connect, JSON, zstd", {.protocol = RPC_CONNECT, .json = true, .compression = RPC_ZSTD}},
    {"Connect, GET", {.protocol = RPC_CONNECT, .http = HTTP_TWO, .use_get = true}},
};
#define WIRE_COUNT (sizeof WIRES / sizeof *WIRES)

typedef struct Net {
    Simulation *simulation;
    KitServer server;
    World *world; /* the client's */
    Channel *channel;
} Net;

static void net_open(Net *net, const ChannelOptions *options) {
    SimulationOptions simulated = {.seed = 11,
                                   .delay_min = 10 * NANOS_PER_MICRO,
                                   .delay_max = NANOS_PER_MILLI,
                                   .piece_max = 700};
    Address address;
    net->simulation = simulation_new(&simulated);
    net->world = simulation_world(net->simulation);
    assert_true(address_parse(SPAN(SERVER), &address));
    net->channel = channel_new(net->world, &address, 1, options);
}

static void net_init(Net *net, const ChannelOptions *options) {
    net_open(net, options);
    kit_serve(&net->server, net->simulation, SERVER);
}

static void net_run(Net *net, Nanos time) {
    simulation_run(net->simulation, world_now(net->world) + time);
}

static void net_done(Net *net) {
    channel_free(net->channel);
    net_run(net, 10 * SECOND);
    assert_int_equal(net->server.state.stats.open, 0);
    kit_stop(&net->server);
    simulation_free(net->simulation);
}

/* A whole call with one request. */
static Ask net_ask(Net *net, int method, const EchoRequest *request,
                   const ClientCallOptions *options) {
    Ask ask = {0};
    ask_begin(&ask, net->world, net->channel, method, options);
    client_send(ask.call, request);
    client_half_close(ask.call);
    net_run(net, 30 * SECOND);
    assert_int_equal(ask.closed, 1);
    return ask;
}

/* ---- calls that go well, and those that the handler fails ---- */

static void test_unary(void **state) {
    const Wire *wire = *state;
    Net net;
    net_init(&net, &wire->options);
    HttpHeader metadata[] = {{SPAN("x-echo-bin"), SPAN(BINARY_TAG)},
                             {SPAN("x-trailer"), SPAN("at the end")}};
    for (int method = EchoCalls_Unary; method <= EchoCalls_Get; method++) {
        Ask ask = net_ask(&net, method, &(EchoRequest){.text = SPAN("hé"), .payload = SPAN("1234")},
                          &(ClientCallOptions){.metadata = {metadata, 2}});
        assert_int_equal(ask.code, STATUS_OK);
        assert_int_equal(ask.headers, 1);
        assert_int_equal(ask.messages, 1);
        assert_string_equal(ask.text, "hé");
        assert_int_equal(ask.bytes, 4);
        assert_string_equal(ask.echoed, BINARY_TAG);
        assert_string_equal(ask.trailer, "at the end");
    }
    net_done(&net);
}

static void test_failure(void **state) {
    const Wire *wire = *state;
    static Span FIELDS[] = {SPAN("payload")};
    Net net;
    net_init(&net, &wire->options);
    EchoFailure failure = {.code = STATUS_FAILED_PRECONDITION, .message = SPAN("50 % – not now")};
    failure.fields.items = FIELDS;
    failure.fields.count = 1;
    HttpHeader metadata[] = {{SPAN("x-trailer"), SPAN("why")}};
    for (int method = EchoCalls_Unary; method <= EchoCalls_ServerStream; method++) {
        Ask ask = net_ask(&net, method, &(EchoRequest){.failure = &failure},
                          &(ClientCallOptions){.metadata = {metadata, 1}});
        assert_int_equal(ask.code, STATUS_FAILED_PRECONDITION);
        assert_string_equal(ask.message, "50 % – not now");
        assert_string_equal(ask.detail, "payload");
        assert_string_equal(ask.trailer, "why");
        assert_int_equal(ask.messages, 0);
    }
    assert_int_equal(net_ask(&net, EchoCalls_Missing, &(EchoRequest){0}, NULL).code,
                     STATUS_UNIMPLEMENTED);
    net_done(&net);
}

static void test_server_stream(void **state) {
    const Wire *wire = *state;
    Net net;
    net_init(&net, &wire->options);
    Ask ask = net_ask(&net, EchoCalls_ServerStream,
                      &(EchoRequest){.count = 50, .size = 3000, .delay_ms = 1}, NULL);
    assert_int_equal(ask.code, STATUS_OK);
    assert_int_equal(ask.messages, 50);
    assert_int_equal(ask.bytes, 150000);
    ask = net_ask(&net, EchoCalls_ServerStream, &(EchoRequest){0}, NULL);
    assert_int_equal(ask.code, STATUS_OK);
    assert_int_equal(ask.messages, 0);
    net_done(&net);
}

static void test_client_stream(void **state) {
    const Wire *wire = *state;
    Net net;
    Ask ask = {0};
    char *payload = xcalloc(1, 20000);
    bool slow = false;
    net_init(&net, &wire->options);
    ask_begin(&ask, net.world, net.channel, EchoCalls_ClientStream, NULL);
    for (int i = 0; i < 40; i++)
        slow |= client_send(ask.call, &(EchoRequest){.payload = span(payload, 20000)}) < 0;
    net_run(&net, SECOND);
    assert_int_equal(ask.closed, 0);
    assert_int_equal(ask.writables, slow);
    client_half_close(ask.call);
    net_run(&net, SECOND);
    assert_int_equal(ask.closed, 1);
    assert_int_equal(ask.code, STATUS_OK);
    assert_int_equal(ask.counted, 40);
    free(payload);
    net_done(&net);
}

static void test_bidi(void **state) {
    const Wire *wire = *state;
    bool full_duplex = wire->options.http == HTTP_TWO || wire->options.protocol == RPC_GRPC;
    Net net;
    Ask ask = {0};
    net_init(&net, &wire->options);
    ask_begin(&ask, net.world, net.channel, EchoCalls_Bidi, NULL);
    for (int i = 1; i <= 10; i++) {
        client_send(ask.call, &(EchoRequest){.text = SPAN("x")});
        net_run(&net, SECOND);
        if (full_duplex)
            assert_int_equal(ask.messages, i);
    }
    client_half_close(ask.call);
    net_run(&net, SECOND);
    assert_int_equal(ask.closed, 1);
    assert_int_equal(ask.code, STATUS_OK);
    assert_int_equal(ask.messages, 11);
    net_done(&net);
}

/* ---- calls that are given up ---- */

static void test_deadline(void **state) {
    const Wire *wire = *state;
    Net net;
    net_init(&net, &wire->options);
    Nanos begun = world_now(net.world);
    Ask ask = net_ask(&net, EchoCalls_Unary, &(EchoRequest){.delay_ms = 5000},
                      &(ClientCallOptions){.timeout = SECOND});
    assert_int_equal(ask.code, STATUS_DEADLINE_EXCEEDED);
    assert_in_range(ask.ended - begun, SECOND, SECOND + 2 * NANOS_PER_MILLI);
    assert_int_equal(net.server.state.stats.open, 0);
    /* The channel is as good as before. */
    assert_int_equal(net_ask(&net, EchoCalls_Unary, &(EchoRequest){0}, NULL).code, STATUS_OK);
    net_done(&net);
}

static void test_cancel(void **state) {
    const Wire *wire = *state;
    Net net;
    Ask ask = {.cancel_after = 3};
    net_init(&net, &wire->options);
    ask_begin(&ask, net.world, net.channel, EchoCalls_ServerStream, NULL);
    client_send(ask.call, &(EchoRequest){.count = 100000, .delay_ms = 10});
    net_run(&net, SECOND);
    assert_int_equal(ask.closed, 1);
    assert_int_equal(ask.code, STATUS_CANCELLED);
    assert_int_equal(ask.messages, 3);
    assert_int_equal(net.server.state.stats.open, 0);
    assert_int_equal(net.server.state.stats.cancelled, 1);
    ask = (Ask){0};
    ask_begin(&ask, net.world, net.channel, EchoCalls_Unary, NULL);
    client_cancel(ask.call);
    client_cancel(ask.call);
    client_send(ask.call, &(EchoRequest){0});
    net_run(&net, SECOND);
    assert_int_equal(ask.closed, 1);
    net_done(&net);
}

static void test_channel_freed(void **state) {
    const Wire *wire = *state;
    Net net;
    Ask running = {0}, waiting = {0};
    net_init(&net, &wire->options);
    ask_begin(&running, net.world, net.channel, EchoCalls_Bidi, NULL);
    net_run(&net, SECOND);
    ask_begin(&waiting, net.world, net.channel, EchoCalls_Unary, NULL);
    client_send(waiting.call, &(EchoRequest){0});
    channel_free(net.channel);
    net.channel = NULL;
    net_run(&net, SECOND);
    assert_int_equal(running.closed + waiting.closed, 2);
    assert_int_equal(running.code, STATUS_CANCELLED);
    net_done(&net);
}

static void test_limit(void **state) {
    const Wire *wire = *state;
    ChannelOptions options = wire->options;
    options.receive_limit = 1000;
    Net net;
    net_init(&net, &options);
    Ask ask = net_ask(&net, EchoCalls_Unary, &(EchoRequest){.size = 2000}, NULL);
    assert_int_equal(ask.code, STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(ask.messages, 0);
    ask = net_ask(&net, EchoCalls_ServerStream, &(EchoRequest){.count = 2, .size = 2000}, NULL);
    assert_int_equal(ask.code, STATUS_RESOURCE_EXHAUSTED);
    net_done(&net);
}

static void test_bad_metadata(void **state) {
    const Wire *wire = *state;
    static const HttpHeader BAD[] = {{SPAN("x-a"), SPAN("one\r\nx-b: two")},
                                     {SPAN("X-Upper"), SPAN("")},
                                     {SPAN("grpc-timeout"), SPAN("1S")},
                                     {SPAN("content-type"), SPAN("text/plain")}};
    Net net;
    net_init(&net, &wire->options);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_int_equal(net_ask(&net, EchoCalls_Unary, &(EchoRequest){0},
                                 &(ClientCallOptions){.metadata = {&BAD[i], 1}})
                             .code,
                         STATUS_INVALID_ARGUMENT);
    assert_int_equal(net.server.state.stats.begun, 0);
    net_done(&net);
}

/* ---- connections ---- */

static void test_refused(void **state) {
    const Wire *wire = *state;
    Net net;
    net_open(&net, &wire->options);
    Ask ask = net_ask(&net, EchoCalls_Unary, &(EchoRequest){0}, NULL);
    assert_int_equal(ask.code, STATUS_UNAVAILABLE);
    assert_string_equal(ask.message, "cannot connect to " SERVER ": Connection refused");
    /* Who can wait is served once there is a server. */
    Ask patient = {0}, hurried = {0};
    ask_begin(&patient, net.world, net.channel, EchoCalls_Unary,
              &(ClientCallOptions){.wait_for_ready = true});
    client_send(patient.call, &(EchoRequest){0});
    ask_begin(&hurried, net.world, net.channel, EchoCalls_Unary,
              &(ClientCallOptions){.wait_for_ready = true, .timeout = 5 * SECOND});
    client_send(hurried.call, &(EchoRequest){0});
    net_run(&net, 30 * SECOND);
    assert_int_equal(patient.closed, 0);
    assert_int_equal(hurried.closed, 1);
    assert_int_equal(hurried.code, STATUS_DEADLINE_EXCEEDED);
    kit_serve(&net.server, net.simulation, SERVER);
    net_run(&net, 15 * SECOND);
    assert_int_equal(patient.closed, 1);
    assert_int_equal(patient.code, STATUS_OK);
    net_done(&net);
}

static void test_restart(void **state) {
    const Wire *wire = *state;
    Net net;
    Ask cut = {0};
    net_init(&net, &wire->options);
    assert_int_equal(net_ask(&net, EchoCalls_Unary, &(EchoRequest){0}, NULL).code, STATUS_OK);
    ask_begin(&cut, net.world, net.channel, EchoCalls_Unary, NULL);
    client_send(cut.call, &(EchoRequest){.delay_ms = 60000});
    net_run(&net, SECOND);
    kit_stop(&net.server);
    net_run(&net, SECOND);
    /* It may have been done: that is for the caller to decide. */
    assert_int_equal(cut.closed, 1);
    assert_int_equal(cut.code, STATUS_UNAVAILABLE);
    kit_serve(&net.server, net.simulation, SERVER);
    assert_int_equal(net_ask(&net, EchoCalls_Unary, &(EchoRequest){0}, NULL).code, STATUS_OK);
    net_done(&net);
}

/* A method without side effects is simply called again; another is not. */
static void test_cut(void **state) {
    const Wire *wire = *state;
    Address address;
    assert_true(address_parse(SPAN(SERVER), &address));
    for (int method = EchoCalls_Unary; method <= EchoCalls_Get; method++) {
        Net net;
        Ask ask = {0};
        net_init(&net, &wire->options);
        ask_begin(&ask, net.world, net.channel, method, NULL);
        client_send(ask.call, &(EchoRequest){.delay_ms = 1000});
        net_run(&net, SECOND / 2);
        assert_int_equal(simulation_cut(net.simulation, &address), 1);
        net_run(&net, 5 * SECOND);
        assert_int_equal(ask.closed, 1);
        assert_int_equal(ask.code, method == EchoCalls_Get ? STATUS_OK : STATUS_UNAVAILABLE);
        assert_int_equal(net.server.state.stats.begun, method == EchoCalls_Get ? 2 : 1);
        net_done(&net);
    }
}

static void ignore(void *owner) {
}

/* A server that drains ends what it has begun; new calls find its successor. */
static void test_drain(void **state) {
    const Wire *wire = *state;
    Net net;
    Ask before = {0};
    net_init(&net, &wire->options);
    ask_begin(&before, net.world, net.channel, EchoCalls_Unary, NULL);
    client_send(before.call, &(EchoRequest){.delay_ms = 2000});
    net_run(&net, SECOND);
    http_server_drain(rpc_server_http(net.server.rpc), 10 * SECOND, ignore, NULL);
    net_run(&net, SECOND / 2);
    Ask after = {0};
    ask_begin(&after, net.world, net.channel, EchoCalls_Unary,
              &(ClientCallOptions){.wait_for_ready = true});
    client_send(after.call, &(EchoRequest){0});
    net_run(&net, 10 * SECOND);
    assert_int_equal(before.closed, 1);
    assert_int_equal(before.code, STATUS_OK);
    assert_int_equal(after.closed, 0);
    kit_stop(&net.server);
    kit_serve(&net.server, net.simulation, SERVER);
    net_run(&net, 15 * SECOND);
    assert_int_equal(after.code, STATUS_OK);
    assert_int_equal(after.closed, 1);
    net_done(&net);
}

/* Calls go round all addresses that answer, and come back to one that has been away. */
static void test_round_robin(void **state) {
    const Wire *wire = *state;
    static const char *const NAMES[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};
    Address addresses[ENDPOINTS];
    KitServer servers[ENDPOINTS];
    Simulation *simulation = simulation_new(&(SimulationOptions){.seed = 3});
    World *world = simulation_world(simulation);
    for (int i = 0; i < ENDPOINTS; i++) {
        address_parse(span_of(NAMES[i]), &addresses[i]);
        kit_serve(&servers[i], simulation, NAMES[i]);
    }
    Channel *channel = channel_new(world, addresses, ENDPOINTS, &wire->options);
    for (int round = 0; round < 3; round++) {
        if (round == 1)
            kit_stop(&servers[1]);
        if (round == 2)
            kit_serve(&servers[1], simulation, NAMES[1]);
        simulation_run(simulation, world_now(world) + 20 * SECOND);
        for (int i = 0; i < ENDPOINTS; i++)
            servers[i].state.stats.begun = 0;
        /* One more, so that what has come back is connected when counting begins. */
        for (int call = -1; call < 60; call++) {
            Ask ask = {0};
            if (call == 0)
                for (int i = 0; i < ENDPOINTS; i++)
                    servers[i].state.stats.begun = 0;
            ask_begin(&ask, world, channel, EchoCalls_Unary, NULL);
            client_send(ask.call, &(EchoRequest){0});
            simulation_run(simulation, world_now(world) + SECOND);
            assert_int_equal(ask.closed, 1);
            assert_int_equal(ask.code, STATUS_OK);
        }
        for (int i = 0; i < ENDPOINTS; i++)
            assert_int_equal(servers[i].state.stats.begun, round != 1 ? 20 : i == 1 ? 0 : 30);
    }
    channel_free(channel);
    for (int i = 0; i < ENDPOINTS; i++)
        kit_stop(&servers[i]);
    simulation_free(simulation);
}

/* HTTP/1.1 opens as many connections as calls need, up to its limit; HTTP/2 needs one. */
static void test_pool(void **state) {
    const Wire *wire = *state;
    Net net;
    Ask asks[20] = {0};
    ChannelOptions options = wire->options;
    bool one = options.protocol == RPC_GRPC || options.http == HTTP_TWO;
    options.connections = one ? 0 : 4;
    net_init(&net, &options);
    for (int i = 0; i < 20; i++) {
        ask_begin(&asks[i], net.world, net.channel, EchoCalls_Unary, NULL);
        client_send(asks[i].call, &(EchoRequest){.delay_ms = 100});
    }
    net_run(&net, 5 * SECOND);
    for (int i = 0; i < 20; i++)
        assert_int_equal(asks[i].code + 100 * asks[i].closed, 100 + STATUS_OK);
    HttpServerStats stats = http_server_stats(rpc_server_http(net.server.rpc));
    assert_int_equal(stats.connections_total, one ? 1 : 4);
    net_done(&net);
}

static const struct {
    const char *name;
    CMUnitTestFunction run;
} TESTS[] = {
    {"unary", test_unary},
    {"failure", test_failure},
    {"server stream", test_server_stream},
    {"client stream", test_client_stream},
    {"bidi", test_bidi},
    {"deadline", test_deadline},
    {"cancel", test_cancel},
    {"channel freed", test_channel_freed},
    {"limit", test_limit},
    {"bad metadata", test_bad_metadata},
    {"refused", test_refused},
    {"restart", test_restart},
    {"cut", test_cut},
    {"drain", test_drain},
    {"round robin", test_round_robin},
    {"pool", test_pool},
};
#define TEST_COUNT (sizeof TESTS / sizeof *TESTS)

int main(void) {
    struct CMUnitTest tests[TEST_COUNT * WIRE_COUNT];
    char names[TEST_COUNT * WIRE_COUNT][64];
    for (size_t i = 0; i < TEST_COUNT * WIRE_COUNT; i++) {
        const Wire *wire = &WIRES[i % WIRE_COUNT];
        snprintf(names[i], sizeof names[i], "%s: %s", TESTS[i / WIRE_COUNT].name, wire->name);
        tests[i] = (struct CMUnitTest){.name = names[i],
                                       .test_func = TESTS[i / WIRE_COUNT].run,
                                       .initial_state = (void *)wire};
    }
    return cmocka_run_group_tests_name("rpc client", tests, NULL, NULL);
}
