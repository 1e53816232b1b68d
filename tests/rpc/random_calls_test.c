/* Thousands of random calls of every kind between our client and our server, over a network that
 * splits, delays and cuts bytes. All is decided by a seed that is printed
 * (TEST_SEED=… repeats it). What must hold: every call ends exactly once; undisturbed calls end as
 * the request said; the same seed gives the same trace; the windows that were there at the
 * beginning are there at the end. That nothing leaks, AddressSanitizer tells. */
#include "base/array.h"
#include "client_kit.h"
#include "rpc/envelope.h"

#define SERVER     "10.0.0.1:50051"
#define SEEDS      3
#define CALLS      500
#define SECOND     NANOS_PER_SECOND
#define HELD_CALLS 6 /* so many stream windows are more than a connection's */

static const ChannelOptions WIRES[] = {
    {.protocol = RPC_GRPC},
    {.protocol = RPC_GRPC, .json = true, .compression = RPC_GZIP},
    {.protocol = RPC_GRPC_WEB, .http = HTTP_ONE, .compression = RPC_SNAPPY},
    {.protocol = RPC_GRPC_WEB, .http = HTTP_TWO},
    {.protocol = RPC_CONNECT, .http = HTTP_ONE},
    {.protocol = RPC_CONNECT, .http = HTTP_TWO, .compression = RPC_ZSTD},
    {.protocol = RPC_CONNECT, .json = true, .use_get = true},
};
#define WIRE_COUNT (sizeof WIRES / sizeof *WIRES)

typedef struct Held {
    CallRef call;
    size_t credit;
} Held;

/* A server whose RawStream takes messages and holds their credit. */
typedef struct HoldingServer {
    EchoState state; /* first: the other methods' */
    World *world;
    RpcServer *rpc;
    RpcService service;
    MethodHandler handlers[EchoCalls_NeedsControl + 1];
    ARRAY(Held) held;
    uint64_t held_bytes;
} HoldingServer;

typedef struct RandomCall {
    Ask ask;
    int method;
    size_t wire;
    StatusCode expected;
    bool disturbed; /* a deadline or a cancel may have come first */
    bool sending;   /* the stream is still open on our side */
} RandomCall;

typedef struct Run {
    Simulation *simulation;
    HoldingServer server;
    World *world;
    Channel *channels[WIRE_COUNT];
    RandomCall *calls;
    size_t begun;
    char *payload;
} Run;

#define PAYLOAD_MAX 40000

/* ---- the server ---- */

static void on_held(Call *call, const void *message) {
    HoldingServer *server = call_service(call);
    server->held_bytes += ENVELOPE_HEAD + ((const Span *)message)->len;
    Held held = {call_ref(call), call_hold_credit(call)};
    *array_push(&server->held) = held;
}

static void server_init(HoldingServer *server, Simulation *simulation) {
    Address wanted, bound;
    char reason[100];
    RpcServerOptions options = {.http = HTTP_LIMITS, .compress = true, .compress_above = 100};
    server->world = simulation_world(simulation);
    server->rpc = rpc_server_new(server->world, &options);
    server->state.server = server->rpc;
    server->state.size_max = UINT32_MAX;
    memcpy(server->handlers, ECHO_CALLS, sizeof server->handlers);
    server->handlers[EchoCalls_RawStream] = (MethodHandler){.message = on_held};
    server->service = (RpcService){&EchoCalls_service, server->handlers, server};
    assert_int_equal(rpc_server_add(server->rpc, &server->service, reason, sizeof reason), 0);
    assert_true(address_parse(SPAN(SERVER), &wanted));
    assert_int_equal(http_server_listen(rpc_server_http(server->rpc), &wanted, NULL, &bound), 0);
}

static void server_release(HoldingServer *server) {
    for (size_t i = 0; i < server->held.count; i++) {
        Call *call = call_find(server->rpc, server->held.items[i].call);
        if (call)
            call_give_credit(call, server->held.items[i].credit);
    }
    array_done(&server->held);
    server->held = (__typeof__(server->held)){0};
    server->held_bytes = 0;
}

/* ---- one run ---- */

static uint64_t choose(Run *run, uint64_t bound) {
    return simulation_choose(run->simulation, bound);
}

static void run_for(Run *run, Nanos time) {
    simulation_run(run->simulation, world_now(run->world) + time);
}

typedef enum Weather { FINE, SPLITTING, CUTTING } Weather;

static void run_init(Run *run, uint64_t seed, Weather weather) {
    Address address;
    *run = (Run){0};
    run->simulation = simulation_new(&(SimulationOptions){
        .seed = seed,
        .delay_max = (Nanos)(seed % 5) * NANOS_PER_MILLI,
        .piece_max = weather == FINE ? 0 : 1 + (uint32_t)(seed * 7919 % 5000),
        .cut_per_million = weather == CUTTING ? 2000 : 0,
    });
    server_init(&run->server, run->simulation);
    run->world = simulation_world(run->simulation);
    address_parse(SPAN(SERVER), &address);
    for (size_t i = 0; i < WIRE_COUNT; i++)
        run->channels[i] = channel_new(run->world, &address, 1, &WIRES[i]);
    run->calls = xcalloc(CALLS, sizeof *run->calls);
    run->payload = xcalloc(1, PAYLOAD_MAX);
    world_random(run->world, run->payload, PAYLOAD_MAX);
}

static void run_done(Run *run) {
    for (size_t i = 0; i < WIRE_COUNT; i++)
        channel_free(run->channels[i]);
    run_for(run, 20 * SECOND);
    assert_int_equal(run->server.state.stats.open, 0);
    assert_int_equal(http_server_stats(rpc_server_http(run->server.rpc)).exchanges_open, 0);
    rpc_server_free(run->server.rpc);
    server_release(&run->server);
    simulation_free(run->simulation);
    free(run->calls);
    free(run->payload);
}

static void send_random(Run *run, RandomCall *call) {
    static const EchoFailure FAILURE = {.code = STATUS_ABORTED, .message = SPAN("as told")};
    size_t size = choose(run, 4) ? choose(run, 300) : choose(run, PAYLOAD_MAX);
    bool fails = choose(run, 6) == 0;
    EchoRequest request = {
        .text = SPAN("random"),
        .payload = span(run->payload, size),
        .count = (uint32_t)choose(run, 20),
        .delay_ms = choose(run, 3) ? 0 : (uint32_t)choose(run, 50),
        .failure = fails ? (EchoFailure *)&FAILURE : NULL,
    };
    /* A stream fails by its last request, but Bidi by any. */
    if (call->method != EchoCalls_Bidi || call->expected == STATUS_OK)
        call->expected = fails ? STATUS_ABORTED : STATUS_OK;
    client_send(call->ask.call, &request);
}

static void begin_random(Run *run) {
    static const int METHODS[] = {EchoCalls_Unary, EchoCalls_Get, EchoCalls_ServerStream,
                                  EchoCalls_ClientStream, EchoCalls_Bidi};
    RandomCall *call = &run->calls[run->begun++];
    ClientCallOptions options = {.wait_for_ready = choose(run, 2)};
    if (choose(run, 4) == 0)
        options.timeout = 1 + (Nanos)choose(run, 100 * NANOS_PER_MILLI);
    call->method = METHODS[choose(run, 5)];
    call->disturbed = options.timeout != 0;
    if (choose(run, 5) == 0) {
        call->ask.cancel_after = 1 + (uint32_t)choose(run, 5);
        call->disturbed = true;
    }
    call->sending = EchoCalls_service.methods[call->method].client_streaming;
    call->wire = choose(run, WIRE_COUNT);
    ask_begin(&call->ask, run->world, run->channels[call->wire], call->method, &options);
    if (!call->sending)
        send_random(run, call);
}

/* Something happens to a call that is under way. */
static void prod_random(Run *run) {
    RandomCall *call = &run->calls[choose(run, run->begun)];
    if (call->ask.closed)
        return;
    uint64_t what = choose(run, 10);
    if (what == 0) {
        call->disturbed = true;
        client_cancel(call->ask.call);
    } else if (call->sending && what < 8) {
        send_random(run, call);
    } else if (call->sending) {
        call->sending = false;
        client_half_close(call->ask.call);
    }
}

static void run_calls(Run *run) {
    while (run->begun < CALLS) {
        begin_random(run);
        for (uint64_t i = choose(run, 6); i > 0; i--)
            prod_random(run);
        run_for(run, (Nanos)choose(run, 10 * NANOS_PER_MILLI));
    }
    for (size_t i = 0; i < CALLS; i++)
        if (run->calls[i].sending && !run->calls[i].ask.closed)
            client_half_close(run->calls[i].ask.call);
    run_for(run, 300 * SECOND);
}

/* A digest of how all calls ended, and when. */
static uint64_t check_calls(const Run *run, bool cuts) {
    uint64_t digest = 14695981039346656037u;
    for (size_t i = 0; i < CALLS; i++) {
        const RandomCall *call = &run->calls[i];
        if (call->ask.closed != 1)
            fail_msg("call %zu ended %d times", i, call->ask.closed);
        if (!cuts && !call->disturbed && call->ask.code != call->expected)
            fail_msg("call %zu of method %d on wire %zu ended with %s, not %s: %s", i, call->method,
                     call->wire, status_name(call->ask.code), status_name(call->expected),
                     call->ask.message);
        uint64_t facts[] = {call->ask.code, (uint64_t)call->ask.messages, call->ask.bytes,
                            (uint64_t)call->ask.ended};
        for (size_t f = 0; f < 4; f++)
            digest = (digest ^ facts[f]) * 1099511628211u;
    }
    return digest;
}

/* How many bytes the first channel's connection takes while the server gives nothing back: the
 * window as the client sees it. HTTP/2 announces freed credit once it is half the window, so
 * anything from a half to the whole is whole; what calls have lost for good would show below. */
static uint64_t measure_window(Run *run) {
    Ask asks[HELD_CALLS] = {0};
    for (int i = 0; i < HELD_CALLS; i++) {
        ask_begin(&asks[i], run->world, run->channels[0], EchoCalls_RawStream, NULL);
        for (int m = 0; m < 6000; m++)
            client_send(asks[i].call, &(EchoRequest){.payload = span(run->payload, 50)});
    }
    run_for(run, 30 * SECOND);
    uint64_t bytes = run->server.held_bytes;
    for (int i = 0; i < HELD_CALLS; i++) {
        assert_int_equal(asks[i].closed, 0);
        client_cancel(asks[i].call);
    }
    run_for(run, 5 * SECOND);
    server_release(&run->server);
    run_for(run, 5 * SECOND);
    return bytes;
}

/* Much more than a connection's window, from the server to us, in every protocol. */
static void check_flood(Run *run) {
    for (size_t i = 0; i < WIRE_COUNT; i++) {
        Ask ask = {0};
        ask_begin(&ask, run->world, run->channels[i], EchoCalls_Flood, NULL);
        client_send(ask.call, &(EchoRequest){.count = 40, .size = 50000});
        run_for(run, 120 * SECOND);
        assert_int_equal(ask.closed, 1);
        assert_int_equal(ask.code, STATUS_OK);
        assert_int_equal(ask.bytes, 2000000);
    }
}

static uint64_t whole_run(uint64_t seed, Weather weather, uint64_t *ret_trace) {
    Run run;
    run_init(&run, seed, weather);
    uint64_t window = weather == FINE ? measure_window(&run) : 0;
    run_calls(&run);
    uint64_t digest = check_calls(&run, weather == CUTTING);
    if (weather == FINE) {
        uint64_t half = 4 * HTTP_LIMITS.window / 2, slack = half / 20;
        assert_in_range(window, half - slack, 2 * half + slack);
        assert_in_range(measure_window(&run), half - slack, 2 * half + slack);
    }
    if (weather != CUTTING)
        check_flood(&run);
    *ret_trace = simulation_trace(run.simulation);
    run_done(&run);
    return digest;
}

static void test_random_calls(void **state) {
    Weather weather = *(Weather *)*state;
    TestRandom random = test_random();
    for (int i = 0; i < SEEDS; i++) {
        uint64_t seed = i ? test_random_bits(&random) : random.state, traces[2];
        printf("# seed %llu\n", (unsigned long long)seed);
        uint64_t digest = whole_run(seed, weather, &traces[0]);
        assert_int_equal(whole_run(seed, weather, &traces[1]), digest);
        assert_int_equal(traces[0], traces[1]);
    }
}

int main(void) {
    static Weather weathers[] = {FINE, SPLITTING, CUTTING};
    const struct CMUnitTest tests[] = {
        {"whole writes, and windows are whole afterwards", test_random_calls, NULL, NULL,
         &weathers[0]},
        {"bytes that are split and delayed", test_random_calls, NULL, NULL, &weathers[1]},
        {"connections that are cut", test_random_calls, NULL, NULL, &weathers[2]},
    };
    return cmocka_run_group_tests_name("random calls", tests, NULL, NULL);
}
