/* Our client and our server, in both versions of HTTP, with TLS and without, in a simulated world
 * that splits and delays every byte, and over real sockets. */
#include "net/http_internal.h"
#include "net/http_kit.h"
#include "net/tls_kit.h"

/* Whether pair_init uses TLS; its certificate is made once. */
static bool with_tls;
static TlsIdentity identity;

typedef struct Pair {
    Kit kit;
    TlsContext *server_tls, *client_tls;
    HttpClient *client;
    int ready, gone, error;
} Pair;

static void on_ready(void *owner) {
    Pair *pair = owner;
    pair->ready++;
}

static void on_gone(void *owner, int error) {
    Pair *pair = owner;
    pair->gone++;
    pair->error = error;
}

static void make_contexts(Pair *pair) {
    TlsOptions server = {.cert_pem = buf_span(&identity.cert_pem),
                         .key_pem = buf_span(&identity.key_pem)};
    TlsOptions client = {.ca_pem = buf_span(&identity.cert_pem)};
    char reason[200];
    assert_int_equal(tls_context_new(true, &server, &pair->server_tls, reason, sizeof reason), 0);
    assert_int_equal(tls_context_new(false, &client, &pair->client_tls, reason, sizeof reason), 0);
}

static void pair_init(Pair *pair, HttpVersionWish version, const HttpLimits *limits) {
    *pair = (Pair){0};
    kit_init(&pair->kit, true, limits);
    if (with_tls)
        make_contexts(pair);
    Stream *ends[2];
    assert_int_equal(stream_pair(pair->kit.world, ends), 0);
    HttpClientOptions options = {
        .version = version, .ready = on_ready, .gone = on_gone, .owner = pair};
    options.limits = pair->kit.limits;
    options.tls = pair->client_tls;
    options.server_name = SPAN("localhost");
    http_server_serve(pair->kit.server, ends[1], pair->server_tls);
    pair->client = http_client_on(pair->kit.world, ends[0], &options);
    kit_run(&pair->kit, 100 * NANOS_PER_MILLI);
    assert_int_equal(pair->ready, 1);
}

static void pair_done(Pair *pair) {
    if (pair->client)
        http_client_close(pair->client, true);
    kit_run(&pair->kit, 10 * NANOS_PER_SECOND);
    assert_int_equal(pair->kit.open, 0);
    assert_int_equal(http_server_stats(pair->kit.server).exchanges_open, 0);
    kit_done(&pair->kit);
    tls_context_unref(pair->server_tls);
    tls_context_unref(pair->client_tls);
}

static void fill(char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 31 + i / 251);
}

/* ---- scenarios, each in both versions ---- */

static void echo(HttpVersionWish version, size_t size, size_t piece) {
    Pair pair;
    Ask ask = {0};
    char *bytes = malloc(size + 1), wanted[24];
    fill(bytes, size);
    pair_init(&pair, version, NULL);
    ask_start(&ask, pair.client, "POST", "/echo", false);
    for (size_t at = 0; at < size; at += piece)
        http_write(ask.exchange, span(bytes + at, size - at < piece ? size - at : piece));
    http_finish(ask.exchange, HEADERS({SPAN("x-sent"), SPAN("all")}));
    kit_run(&pair.kit, 3600 * NANOS_PER_SECOND / 60);
    assert_int_equal(ask.status, 200);
    assert_string_equal(ask.text, "POST");
    assert_int_equal(ask.body.len, size);
    assert_memory_equal(ask.body.ptr ? ask.body.ptr : "", bytes, size);
    assert_true(ask.ended);
    snprintf(wanted, sizeof wanted, "%zu", size);
    assert_string_equal(ask.trailer, wanted);
    assert_int_equal(ask.closed, 1);
    assert_int_equal(ask.reason, HTTP_OK);
    assert_int_equal(pair.kit.last_reason, HTTP_OK);
    pair_done(&pair);
    ask_done(&ask);
    free(bytes);
}

static void scenario_echo(HttpVersionWish version) {
    static const size_t sizes[] = {0, 1, 100, 16384, 65535, 65536, 300000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        echo(version, sizes[i], 1000);
        echo(version, sizes[i], 1 << 20);
    }
}

static void scenario_get(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    for (int i = 0; i < 20; i++) {
        ask_start(&ask, pair.client, "GET", i % 2 ? "/" : "/count/70000", true);
        kit_run(&pair.kit, NANOS_PER_SECOND);
        assert_int_equal(ask.closed, 1);
        assert_int_equal(ask.reason, HTTP_OK);
        assert_int_equal(ask.body.len, i % 2 ? 5 : 70000);
        ask_done(&ask);
        ask = (Ask){0};
        assert_true(http_client_room(pair.client) > 0);
    }
    assert_int_equal(http_server_stats(pair.kit.server).connections_total, 1);
    pair_done(&pair);
}

static void scenario_head(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    for (int i = 0; i < 2; i++) {
        ask_start(&ask, pair.client, "HEAD", "/count/1000", true);
        kit_run(&pair.kit, NANOS_PER_SECOND);
        assert_int_equal(ask.status, 200);
        assert_int_equal(ask.body.len, 0);
        assert_int_equal(ask.reason, HTTP_OK);
        ask = (Ask){0};
    }
    pair_done(&pair);
}

/* The response is complete while the request is not: it arrives all the same. */
static void scenario_early(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    ask_start(&ask, pair.client, "POST", "/early", false);
    http_write(ask.exchange, SPAN("begin"));
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.status, 200);
    assert_span(buf_span(&ask.body), "early");
    assert_true(ask.ended);
    assert_int_equal(pair.kit.last_reason, HTTP_OK);
    if (!ask.closed)
        http_reset(ask.exchange, HTTP_CANCEL);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.closed, 1);
    ask_done(&ask);
    pair_done(&pair);
}

static void scenario_cancel(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    ask_start(&ask, pair.client, "POST", "/silent", true);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(pair.kit.open, 1);
    http_reset(ask.exchange, HTTP_CANCEL);
    assert_int_equal(ask.closed, 0);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.closed, 1);
    assert_int_equal(ask.reason, HTTP_LOCAL);
    assert_int_equal(pair.kit.open, 0);
    assert_int_equal(pair.kit.last_reason, version == HTTP_TWO ? HTTP_CANCEL : HTTP_LOST);
    pair_done(&pair);
}

/* Cancelled in the same turn, before anything has left. */
static void scenario_cancel_at_once(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    ask_start(&ask, pair.client, "POST", "/silent", false);
    http_write(ask.exchange, SPAN("x"));
    http_reset(ask.exchange, HTTP_CANCEL);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.closed, 1);
    assert_int_equal(ask.reason, HTTP_LOCAL);
    pair_done(&pair);
}

static void scenario_reset(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    ask_start(&ask, pair.client, "POST", "/drop", true);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.closed, 1);
    assert_int_equal(ask.status, 0);
    assert_int_equal(ask.reason, version == HTTP_TWO ? HTTP_ENHANCE_YOUR_CALM : HTTP_LOST);
    assert_int_equal(pair.kit.last_reason, HTTP_LOCAL);
    pair_done(&pair);
}

/* A server that takes nothing holds the client back after about a window. */
static void scenario_slow_server(HttpVersionWish version) {
    HttpLimits limits = HTTP_LIMITS;
    limits.window = 64 << 10;
    Pair pair;
    Ask ask = {0};
    char *bytes = calloc(1, 1 << 20);
    pair_init(&pair, version, &limits);
    ask_start(&ask, pair.client, "POST", "/hold", false);
    http_write(ask.exchange, span(bytes, 1 << 20));
    kit_run(&pair.kit, 10 * NANOS_PER_SECOND);
    assert_non_null(pair.kit.held);
    assert_in_range(pair.kit.held_bytes, 60 << 10, 140 << 10);
    assert_true(http_pending(ask.exchange) > 500 << 10);
    assert_int_equal(ask.writables, 0);
    while (pair.kit.held_bytes && !ask.writables) {
        http_release(pair.kit.held, pair.kit.held_bytes);
        pair.kit.held_bytes = 0;
        kit_run(&pair.kit, NANOS_PER_SECOND);
    }
    assert_int_equal(ask.writables, 1);
    http_reset(ask.exchange, HTTP_CANCEL);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    if (pair.kit.held) /* HTTP/1 does not read meanwhile, and so has not noticed */
        http_release(pair.kit.held, pair.kit.held_bytes);
    pair_done(&pair);
    free(bytes);
}

/* A client that takes nothing holds the server's output back. */
static void scenario_slow_client(HttpVersionWish version) {
    HttpLimits limits = HTTP_LIMITS;
    limits.window = 64 << 10;
    Pair pair;
    Ask ask = {.hold = true};
    pair_init(&pair, version, &limits);
    ask_start(&ask, pair.client, "GET", "/count/1000000", true);
    kit_run(&pair.kit, 10 * NANOS_PER_SECOND);
    assert_in_range(ask.body.len, 60 << 10, 140 << 10);
    while (ask.exchange && ask.owed) {
        http_release(ask.exchange, ask.owed);
        ask.owed = 0;
        kit_run(&pair.kit, NANOS_PER_SECOND);
    }
    assert_int_equal(ask.body.len, 1000000);
    assert_int_equal(ask.closed, 1);
    ask_done(&ask);
    pair_done(&pair);
}

/* Who holds the most goes when all together hold too much; others do not notice. */
static void scenario_memory(HttpVersionWish version) {
    HttpLimits limits = HTTP_LIMITS;
    limits.window = 64 << 10;
    limits.memory = 2 << 20;
    Pair pair;
    Ask small = {.hold = true}, large = {.hold = true}, later = {0};
    Stream *ends[2];
    pair_init(&pair, version, &limits);
    assert_int_equal(stream_pair(pair.kit.world, ends), 0);
    http_server_serve(pair.kit.server, ends[1], NULL);
    HttpClient *greedy = http_client_on(pair.kit.world, ends[0],
                                        &(HttpClientOptions){.version = version, .limits = limits});
    kit_run(&pair.kit, NANOS_PER_SECOND);
    ask_start(&small, pair.client, "GET", "/count/1000000", true);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_in_range(http_server_stats(pair.kit.server).memory, 800000, 1100000);
    ask_start(&large, greedy, "GET", "/count/1900000", true);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(large.closed, 1);
    assert_int_not_equal(large.reason, HTTP_OK);
    assert_int_equal(small.closed, 0);
    assert_int_equal(http_server_stats(pair.kit.server).refused, 1);
    while (small.exchange && small.owed) {
        http_release(small.exchange, small.owed);
        small.owed = 0;
        kit_run(&pair.kit, NANOS_PER_SECOND);
    }
    assert_int_equal(small.body.len, 1000000);
    ask_start(&later, pair.client, "POST", "/early", true);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(later.reason, HTTP_OK);
    assert_int_equal(http_server_stats(pair.kit.server).memory, 0);
    http_client_close(greedy, true);
    ask_done(&small);
    ask_done(&large);
    ask_done(&later);
    pair_done(&pair);
}

/* What is shared counts once among those who wait for it, and each gives back what it took. */
static void test_shares(void **state) {
    HttpQueue queues[4] = {0};
    Blob *blob = blob_new(12000);
    size_t held = 0;
    for (int i = 0; i < 4; i++) {
        http_queue_add(&queues[i], SPAN("own"));
        http_queue_add_blob(&queues[i], blob, blob_span(blob));
        held += queues[i].held;
    }
    assert_int_equal(held, 12000 + 6000 + 4000 + 3000 + 4 * 3);
    blob_unref(blob);
    http_queue_drop(&queues[0], 2);
    assert_int_equal(queues[0].held, 12001);
    http_queue_drop(&queues[0], 1 + 11999);
    assert_int_equal(queues[0].held, 12000);
    for (int i = 0; i < 4; i++) {
        http_queue_drop(&queues[i], queues[i].size);
        assert_int_equal(queues[i].held, 0);
        http_queue_done(&queues[i]);
    }
}

static void on_drained(void *owner) {
    Kit *kit = owner;
    kit->drained = true;
}

static void scenario_drain(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    ask_start(&ask, pair.client, "POST", "/echo", false);
    http_write(ask.exchange, SPAN("one"));
    kit_run(&pair.kit, NANOS_PER_SECOND);
    http_server_drain(pair.kit.server, 60 * NANOS_PER_SECOND, on_drained, &pair.kit);
    kit_run(&pair.kit, 3 * NANOS_PER_SECOND);
    assert_false(pair.kit.drained);
    assert_int_equal(http_client_room(pair.client), 0);
    http_write(ask.exchange, SPAN("two"));
    http_finish(ask.exchange, NO_HEADERS);
    kit_run(&pair.kit, 3 * NANOS_PER_SECOND);
    assert_int_equal(ask.reason, HTTP_OK);
    assert_span(buf_span(&ask.body), "onetwo");
    assert_int_equal(pair.gone, 1);
    assert_int_equal(pair.error, 0);
    kit_run(&pair.kit, 5 * NANOS_PER_SECOND);
    assert_true(pair.kit.drained);
    ask_done(&ask);
    pair_done(&pair);
}

static void scenario_drain_cuts(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    ask_start(&ask, pair.client, "POST", "/silent", true);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    http_server_drain(pair.kit.server, 5 * NANOS_PER_SECOND, on_drained, &pair.kit);
    kit_run(&pair.kit, 4 * NANOS_PER_SECOND);
    assert_int_equal(ask.closed, 0);
    kit_run(&pair.kit, 2 * NANOS_PER_SECOND);
    assert_int_equal(ask.closed, 1);
    assert_int_equal(ask.reason, HTTP_LOST);
    assert_true(pair.kit.drained);
    pair_done(&pair);
}

/* Who connects meanwhile waits. */
static void scenario_hold(HttpVersionWish version) {
    Pair pair;
    pair_init(&pair, version, NULL);
    World *world = pair.kit.world;
    Address address;
    Stream *stream;
    http_server_hold(pair.kit.server, true);
    assert_true(address_parse(SPAN("127.0.0.1:1"), &address));
    assert_int_equal(http_server_listen(pair.kit.server, &address, NULL, NULL), 0);
    assert_int_equal(stream_connect(world, &address, NULL, NULL, &stream), 0);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(http_server_stats(pair.kit.server).connections_total, 1);
    http_server_hold(pair.kit.server, false);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(http_server_stats(pair.kit.server).connections_total, 2);
    stream_close(stream, 0);
    pair_done(&pair);
}

static void scenario_client_closes(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    ask_start(&ask, pair.client, "GET", "/count/100000", true);
    http_client_close(pair.client, false);
    pair.client = NULL;
    kit_run(&pair.kit, 5 * NANOS_PER_SECOND);
    assert_int_equal(ask.reason, HTTP_OK);
    assert_int_equal(ask.body.len, 100000);
    assert_int_equal(http_server_stats(pair.kit.server).connections_open, 0);
    ask_done(&ask);
    pair_done(&pair);
}

static void scenario_idle(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    ask_start(&ask, pair.client, "GET", "/", true);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    ask_done(&ask);
    kit_run(&pair.kit, HTTP_LIMITS.idle - 2 * NANOS_PER_SECOND);
    assert_int_equal(pair.gone, 0);
    kit_run(&pair.kit, 10 * NANOS_PER_SECOND);
    assert_int_equal(pair.gone, 1);
    assert_int_equal(http_server_stats(pair.kit.server).connections_open, 0);
    pair_done(&pair);
}

/* A body of declared length that falls silent. */
static void scenario_silent_body(HttpVersionWish version) {
    Pair pair;
    Ask ask = {0};
    pair_init(&pair, version, NULL);
    ask.exchange =
        http_client_request(pair.client, SPAN("POST"), SPAN("/silent"), SPAN("test:1"),
                            HEADERS({SPAN("content-length"), SPAN("10")}), false, &ASK, &ask);
    http_write(ask.exchange, SPAN("12345"));
    kit_run(&pair.kit, HTTP_LIMITS.body - NANOS_PER_SECOND);
    assert_int_equal(pair.kit.open, 1);
    kit_run(&pair.kit, 2 * NANOS_PER_SECOND);
    assert_int_equal(pair.kit.open, 0);
    assert_int_equal(pair.kit.last_reason, HTTP_TIMEOUT);
    assert_int_equal(ask.closed, 1);
    pair_done(&pair);
}

/* More response headers than the client allows; more request headers than the server does. */
static void scenario_header_limit(HttpVersionWish version) {
    HttpLimits limits = HTTP_LIMITS;
    limits.header_bytes = 4096;
    Pair pair;
    Ask ask = {0};
    char *large = calloc(1, 6000);
    memset(large, 'y', 5999);
    pair_init(&pair, version, &limits);
    ask.exchange =
        http_client_request(pair.client, SPAN("GET"), SPAN("/"), SPAN("test:1"),
                            HEADERS({SPAN("x-large"), span_of(large)}), true, &ASK, &ask);
    kit_run(&pair.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.status, 431);
    assert_int_equal(pair.kit.served, 0);
    assert_int_equal(http_server_stats(pair.kit.server).refused, 1);
    ask_done(&ask);
    pair_done(&pair);
    free(large);
}

typedef void Scenario(HttpVersionWish version);

static const struct {
    const char *name;
    Scenario *run;
} SCENARIOS[] = {
    {"echo", scenario_echo},
    {"get", scenario_get},
    {"head", scenario_head},
    {"early", scenario_early},
    {"cancel", scenario_cancel},
    {"cancel at once", scenario_cancel_at_once},
    {"reset", scenario_reset},
    {"slow server", scenario_slow_server},
    {"slow client", scenario_slow_client},
    {"drain", scenario_drain},
    {"drain cuts", scenario_drain_cuts},
    {"hold", scenario_hold},
    {"client closes", scenario_client_closes},
    {"idle", scenario_idle},
    {"silent body", scenario_silent_body},
    {"memory", scenario_memory},
    {"header limit", scenario_header_limit},
};
#define SCENARIO_COUNT (sizeof SCENARIOS / sizeof *SCENARIOS)

/* How a scenario runs. */
enum { ONE, TWO, ONE_TLS, TWO_TLS, WAYS };
static const char *const WAY_NAMES[WAYS] = {"HTTP/1", "HTTP/2", "HTTP/1 and TLS", "HTTP/2 and TLS"};

static void run_scenario(void **state) {
    size_t index = (size_t)(uintptr_t)*state, way = index % WAYS;
    with_tls = way == ONE_TLS || way == TWO_TLS;
    SCENARIOS[index / WAYS].run(way == TWO || way == TWO_TLS ? HTTP_TWO : HTTP_ONE);
}

int main(void) {
    struct CMUnitTest tests[WAYS * SCENARIO_COUNT + 1];
    char names[WAYS * SCENARIO_COUNT][64];
    identity = tls_identity(NULL, "localhost", "DNS:localhost");
    for (size_t i = 0; i < WAYS * SCENARIO_COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%s over %s", SCENARIOS[i / WAYS].name,
                 WAY_NAMES[i % WAYS]);
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = run_scenario, .initial_state = (void *)(uintptr_t)i};
    }
    tests[WAYS * SCENARIO_COUNT] = (struct CMUnitTest)cmocka_unit_test(test_shares);
    int failed = cmocka_run_group_tests_name("http", tests, NULL, NULL);
    tls_identity_done(&identity);
    return failed;
}
