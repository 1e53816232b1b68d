/* Our HTTP client against peers written by hand and over real sockets; and the server's listeners. */
#include <errno.h>
#include <unistd.h>

#include "net/http_kit.h"

typedef struct Owner {
    int ready, gone, error;
    World *stop; /* at `ready` and `gone` */
} Owner;

static void on_ready(void *user) {
    Owner *owner = user;
    owner->ready++;
    if (owner->stop)
        world_stop(owner->stop);
}

static void on_gone(void *user, int error) {
    Owner *owner = user;
    owner->gone++;
    owner->error = error;
    if (owner->stop)
        world_stop(owner->stop);
}

static HttpClientOptions options_for(Owner *owner, HttpVersionWish version) {
    return (HttpClientOptions){
        .version = version, .ready = on_ready, .gone = on_gone, .owner = owner};
}

/* A client of ours and the raw other end. */
typedef struct Fixture {
    Kit kit;
    Raw raw;
    Owner owner;
    HttpClient *client;
} Fixture;

static void fixture_init(Fixture *f, HttpVersionWish version, Nanos keepalive) {
    Stream *pair[2];
    *f = (Fixture){0};
    kit_init(&f->kit, true, NULL);
    assert_int_equal(stream_pair(f->kit.world, pair), 0);
    f->raw.stream = pair[0];
    stream_handle(pair[0], &RAW, &f->raw);
    stream_read_start(pair[0]);
    HttpClientOptions options = options_for(&f->owner, version);
    options.keepalive = keepalive;
    options.keepalive_timeout = 5 * NANOS_PER_SECOND;
    f->client = http_client_on(f->kit.world, pair[1], &options);
    if (version == HTTP_TWO)
        raw_send(&f->raw, span("\0\0\0\4\0\0\0\0\0", 9));
    kit_run(&f->kit, NANOS_PER_SECOND);
}

static void fixture_done(Fixture *f) {
    raw_done(&f->raw);
    http_client_close(f->client, true);
    kit_run(&f->kit, NANOS_PER_SECOND);
    kit_done(&f->kit);
}

/* Requests above the GOAWAY's last stream were not processed, and are told so. */
static void test_goaway(void **state) {
    Fixture f;
    Ask asks[2] = {0};
    fixture_init(&f, HTTP_TWO, 0);
    ask_start(&asks[0], f.client, "GET", "/", true);
    ask_start(&asks[1], f.client, "GET", "/", true);
    kit_run(&f.kit, NANOS_PER_SECOND);
    raw_send(&f.raw, span("\0\0\x08\7\0\0\0\0\0\0\0\0\1\0\0\0\0", 17));
    kit_run(&f.kit, NANOS_PER_SECOND);
    assert_int_equal(asks[0].closed, 0);
    assert_int_equal(asks[1].closed, 1);
    assert_int_equal(asks[1].reason, HTTP_UNSENT);
    assert_int_equal(f.owner.gone, 1);
    assert_int_equal(http_client_room(f.client), 0);
    assert_null(http_client_request(f.client, SPAN("GET"), SPAN("/"), SPAN("a"), NO_HEADERS, true,
                                    &ASK, &asks[1]));
    raw_send(&f.raw, span("\0\0\1\1\5\0\0\0\1\x88", 10)); /* 200 for the first */
    kit_run(&f.kit, NANOS_PER_SECOND);
    assert_int_equal(asks[0].status, 200);
    assert_int_equal(asks[0].reason, HTTP_OK);
    fixture_done(&f);
}

static void test_refused_stream(void **state) {
    Fixture f;
    Ask ask = {0};
    fixture_init(&f, HTTP_TWO, 0);
    ask_start(&ask, f.client, "GET", "/", true);
    kit_run(&f.kit, NANOS_PER_SECOND);
    raw_send(&f.raw, span("\0\0\4\3\0\0\0\0\1\0\0\0\7", 13));
    kit_run(&f.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.reason, HTTP_UNSENT);
    fixture_done(&f);
}

/* What never left can be asked again; what did may have been processed. */
static void test_lost(void **state) {
    for (int version = HTTP_ONE; version <= HTTP_TWO; version++) {
        for (int left = 0; left < 2; left++) {
            Fixture f;
            Ask ask = {0};
            fixture_init(&f, version, 0);
            ask_start(&ask, f.client, "GET", "/", true);
            if (left) {
                kit_run(&f.kit, NANOS_PER_SECOND);
                simulation_cut(f.kit.simulation, NULL);
                kit_run(&f.kit, NANOS_PER_SECOND);
                assert_int_equal(f.owner.gone, 1);
                assert_true(f.owner.error < 0);
            }
            fixture_done(&f);
            assert_int_equal(ask.closed, 1);
            assert_int_equal(ask.reason, left ? HTTP_LOST : HTTP_UNSENT);
        }
    }
}

static void test_interim_responses(void **state) {
    Fixture f;
    Ask ask = {0};
    fixture_init(&f, HTTP_ONE, 0);
    ask_start(&ask, f.client, "GET", "/", true);
    kit_run(&f.kit, NANOS_PER_SECOND);
    assert_true(raw_contains(&f.raw, "GET / HTTP/1.1\r\nhost: test:1\r\nx-one: 1\r\n"));
    raw_send(&f.raw, SPAN("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    kit_run(&f.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.status, 200);
    assert_span(buf_span(&ask.body), "hi");
    assert_int_equal(ask.reason, HTTP_OK);
    assert_int_equal(http_client_room(f.client), 1);
    ask_done(&ask);
    fixture_done(&f);
}

/* A body without a length goes on until the end of the connection. */
static void test_body_until_end(void **state) {
    Fixture f;
    Ask ask = {0};
    fixture_init(&f, HTTP_ONE, 0);
    ask_start(&ask, f.client, "GET", "/", true);
    kit_run(&f.kit, NANOS_PER_SECOND);
    raw_send(&f.raw, SPAN("HTTP/1.1 200 OK\r\n\r\nall of it"));
    kit_run(&f.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.closed, 0);
    stream_finish(f.raw.stream);
    kit_run(&f.kit, NANOS_PER_SECOND);
    assert_span(buf_span(&ask.body), "all of it");
    assert_int_equal(ask.reason, HTTP_OK);
    assert_int_equal(f.owner.gone, 1);
    ask_done(&ask);
    fixture_done(&f);
}

static void test_truncated_body(void **state) {
    Fixture f;
    Ask ask = {0};
    fixture_init(&f, HTTP_ONE, 0);
    ask_start(&ask, f.client, "GET", "/", true);
    raw_send(&f.raw, SPAN("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nless"));
    kit_run(&f.kit, NANOS_PER_SECOND);
    stream_finish(f.raw.stream);
    kit_run(&f.kit, NANOS_PER_SECOND);
    assert_int_equal(ask.closed, 1);
    assert_int_equal(ask.reason, HTTP_LOST);
    assert_false(ask.ended);
    ask_done(&ask);
    fixture_done(&f);
}

/* A silent connection is asked whether it lives; no answer, no connection. */
static void test_keepalive(void **state) {
    Fixture f;
    Ask ask = {0};
    fixture_init(&f, HTTP_TWO, 10 * NANOS_PER_SECOND);
    ask_start(&ask, f.client, "GET", "/", true);
    size_t before = f.raw.got.len;
    kit_run(&f.kit, 13 * NANOS_PER_SECOND);
    assert_true(f.raw.got.len >= before + 17);
    assert_int_equal(f.owner.gone, 0);
    /* An answer, and silence again. */
    char ack[17] = "\0\0\x08\6\1\0\0\0\0alive\0\0\0";
    raw_send(&f.raw, span(ack, 17));
    kit_run(&f.kit, 10 * NANOS_PER_SECOND);
    assert_int_equal(f.owner.gone, 0);
    kit_run(&f.kit, 10 * NANOS_PER_SECOND);
    assert_int_equal(f.owner.gone, 1);
    assert_int_equal(f.owner.error, -ETIMEDOUT);
    assert_int_equal(ask.reason, HTTP_LOST);
    fixture_done(&f);
}

/* ---- connecting ---- */

static void test_connect_refused(void **state) {
    Owner owner = {0};
    Address address;
    World *world = world_new();
    owner.stop = world;
    assert_true(address_parse(SPAN("127.0.0.1:1"), &address));
    HttpClientOptions options = options_for(&owner, HTTP_TWO);
    HttpClient *client = http_client_connect(world, &address, &options);
    assert_int_equal(http_client_room(client), 0);
    world_run(world);
    assert_int_equal(owner.gone, 1);
    assert_int_equal(owner.error, -ECONNREFUSED);
    assert_int_equal(owner.ready, 0);
    http_client_close(client, true);
    world_free(world);
}

/* Real sockets: as many requests at a time as there is room for. */
static void real_calls(const char *where, HttpVersionWish version) {
    Kit kit;
    Owner owner = {0};
    Address address, bound;
    enum { COUNT = 40 };
    Ask asks[COUNT] = {0};
    char *bytes = calloc(1, COUNT * 9973);
    int waiting = 0;
    kit_init(&kit, false, NULL);
    assert_true(address_parse(span_of(where), &address));
    assert_int_equal(http_server_listen(kit.server, &address, NULL, &bound), 0);
    HttpClientOptions options = options_for(&owner, version);
    HttpClient *clients[2] = {http_client_connect(kit.world, &bound, &options),
                              http_client_connect(kit.world, &bound, &options)};
    owner.stop = kit.world;
    while (owner.ready < 2)
        world_run(kit.world);
    for (int done = 0; done < COUNT; world_run(kit.world)) {
        for (int i = 0; i < 2; i++) {
            while (done < COUNT && http_client_room(clients[i])) {
                Ask *ask = &asks[done];
                ask->waiting = &waiting;
                ask->world = kit.world;
                ask_start(ask, clients[i], "POST", "/echo", false);
                http_write(ask->exchange, span(bytes, (size_t)done * 9973));
                http_finish(ask->exchange, NO_HEADERS);
                waiting++;
                done++;
            }
        }
    }
    while (waiting > 0)
        world_run(kit.world);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(asks[i].reason, HTTP_OK);
        assert_int_equal(asks[i].body.len, i * 9973);
        ask_done(&asks[i]);
    }
    http_client_close(clients[0], false);
    http_client_close(clients[1], true);
    free(bytes);
    kit_done(&kit);
}

static void test_loopback(void **state) {
    char path[] = "/tmp/muster-http-XXXXXX", where[64];
    assert_non_null(mkdtemp(path));
    snprintf(where, sizeof where, "unix:%s/socket", path);
    for (int version = HTTP_ONE; version <= HTTP_TWO; version++) {
        real_calls("127.0.0.1:0", version);
        real_calls(where, version);
    }
    rmdir(path);
}

/* More connections than the limit wait in the backlog until one of the others ends. */
static void test_connection_limit(void **state) {
    HttpLimits limits = HTTP_LIMITS;
    limits.connections = 2;
    Kit kit;
    Owner owner = {0};
    Address address, bound;
    HttpClient *clients[3];
    Ask asks[3] = {0};
    kit_init(&kit, true, &limits);
    assert_true(address_parse(SPAN("127.0.0.1:0"), &address));
    assert_int_equal(http_server_listen(kit.server, &address, NULL, &bound), 0);
    HttpClientOptions options = options_for(&owner, HTTP_ONE);
    for (int i = 0; i < 3; i++)
        clients[i] = http_client_connect(kit.world, &bound, &options);
    kit_run(&kit, NANOS_PER_SECOND);
    for (int i = 0; i < 3; i++)
        if (http_client_room(clients[i]))
            ask_start(&asks[i], clients[i], "GET", "/", true);
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(http_server_stats(kit.server).connections_open, 2);
    assert_int_equal(kit.served, 2);
    http_client_close(clients[0], true);
    kit_run(&kit, NANOS_PER_SECOND);
    if (!asks[2].status && http_client_room(clients[2]))
        ask_start(&asks[2], clients[2], "GET", "/", true);
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(kit.served, 3);
    for (int i = 1; i < 3; i++)
        http_client_close(clients[i], true);
    for (int i = 0; i < 3; i++)
        ask_done(&asks[i]);
    kit_run(&kit, NANOS_PER_SECOND);
    kit_done(&kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goaway),         cmocka_unit_test(test_refused_stream),
        cmocka_unit_test(test_lost),           cmocka_unit_test(test_interim_responses),
        cmocka_unit_test(test_body_until_end), cmocka_unit_test(test_truncated_body),
        cmocka_unit_test(test_keepalive),      cmocka_unit_test(test_connect_refused),
        cmocka_unit_test(test_loopback),       cmocka_unit_test(test_connection_limit),
    };
    return cmocka_run_group_tests_name("http_client", tests, NULL, NULL);
}
