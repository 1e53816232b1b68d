/* TLS between our two ends in a simulated world that splits and delays every byte. */
#include <errno.h>
#include <unistd.h>

#include "net/http_kit.h"
#include "net/tls_kit.h"

static const Span PROTOCOLS[] = {SPAN("h2"), SPAN("http/1.1")};

/* One end, noting what it is told. */
typedef struct End {
    Stream *stream;
    Buf got;
    int connected, ended, closed, error;
    char reason[200]; /* tls_error at `closed` */
    bool echo, stop_at_read;
} End;

static void on_connected(void *owner) {
    End *end = owner;
    end->connected++;
}

static void on_read(void *owner, Span bytes) {
    End *end = owner;
    buf_add(&end->got, bytes);
    if (end->echo)
        stream_write(end->stream, bytes);
    if (end->stop_at_read)
        stream_read_stop(end->stream);
}

static void on_end(void *owner) {
    End *end = owner;
    end->ended++;
    if (end->echo)
        stream_finish(end->stream);
}

static void on_closed(void *owner, int error) {
    End *end = owner;
    end->closed++;
    end->error = error;
    snprintf(end->reason, sizeof end->reason, "%.*s", SPAN_ARGS(tls_error(end->stream)));
    end->stream = NULL;
}

static const StreamHandler HANDLER = {
    .connected = on_connected, .read = on_read, .end = on_end, .closed = on_closed};

typedef struct Fixture {
    TlsIdentity authority, other, server, client;
    TlsContext *server_context, *client_context;
    Simulation *simulation;
    World *world;
    End ends[2]; /* server, client */
} Fixture;

static TlsContext *context(bool server, const TlsOptions *options) {
    TlsContext *made;
    char reason[200];
    if (tls_context_new(server, options, &made, reason, sizeof reason) < 0)
        fail_msg("%s", reason);
    return made;
}

static TlsOptions server_options(const Fixture *f) {
    return (TlsOptions){.cert_pem = buf_span(&f->server.cert_pem),
                        .key_pem = buf_span(&f->server.key_pem)};
}

static TlsOptions client_options(const Fixture *f) {
    return (TlsOptions){.ca_pem = buf_span(&f->authority.cert_pem)};
}

static void fixture_init(Fixture *f) {
    static const SimulationOptions options = {
        .seed = 3, .delay_min = 1000, .delay_max = NANOS_PER_MILLI, .piece_max = 3000};
    *f = (Fixture){0};
    f->authority = tls_identity(NULL, "Test authority", NULL);
    f->other = tls_identity(NULL, "Other authority", NULL);
    f->server = tls_identity(&f->authority, "server", "DNS:localhost,IP:127.0.0.1");
    f->client = tls_identity(&f->authority, "client one", NULL);
    f->simulation = simulation_new(&options);
    f->world = simulation_world(f->simulation);
}

static void fixture_done(Fixture *f) {
    tls_context_unref(f->server_context);
    tls_context_unref(f->client_context);
    world_free(f->world);
    simulation_free(f->simulation);
    tls_identity_done(&f->authority);
    tls_identity_done(&f->other);
    tls_identity_done(&f->server);
    tls_identity_done(&f->client);
    buf_done(&f->ends[0].got);
    buf_done(&f->ends[1].got);
}

static void run(Fixture *f) {
    simulation_run(f->simulation, world_now(f->world) + 10 * NANOS_PER_SECOND);
}

static void handle(End *end, Stream *stream) {
    buf_done(&end->got);
    *end = (End){.stream = stream};
    stream_handle(stream, &HANDLER, end);
    stream_read_start(stream);
}

/* Shakes hands; the options' contexts replace those there are. */
static void shake(Fixture *f, const TlsOptions *server, const TlsOptions *client,
                  const char *name) {
    Stream *pair[2];
    tls_context_unref(f->server_context);
    tls_context_unref(f->client_context);
    f->server_context = context(true, server);
    f->client_context = context(false, client);
    assert_int_equal(stream_pair(f->world, pair), 0);
    handle(&f->ends[0], tls_server(f->server_context, pair[0], PROTOCOLS, 2));
    handle(&f->ends[1], tls_client(f->client_context, pair[1], span_of(name), PROTOCOLS, 2));
    run(f);
}

static void leave(Fixture *f) {
    for (int i = 0; i < 2; i++)
        if (f->ends[i].stream)
            stream_close(f->ends[i].stream, 0);
    run(f);
    assert_int_equal(f->ends[0].closed, 1);
    assert_int_equal(f->ends[1].closed, 1);
}

static void test_transfer(void **state) {
    Fixture f;
    fixture_init(&f);
    TlsOptions server = server_options(&f), client = client_options(&f);
    shake(&f, &server, &client, "localhost");
    assert_int_equal(f.ends[0].connected, 1);
    assert_int_equal(f.ends[1].connected, 1);
    assert_span(tls_alpn(f.ends[0].stream), "h2");
    assert_span(tls_alpn(f.ends[1].stream), "h2");
    assert_span(tls_peer_subject(f.ends[1].stream), "CN=server");
    assert_int_equal(tls_peer_subject(f.ends[0].stream).len, 0);
    assert_int_equal(stream_detach(f.ends[0].stream), -ENOTSUP);
    char *bytes = malloc(1 << 20);
    for (size_t i = 0; i < 1 << 20; i++)
        bytes[i] = (char)(i ^ i >> 8);
    f.ends[0].echo = true;
    for (size_t at = 0; at < 1 << 20; at += 50000)
        stream_write(f.ends[1].stream,
                     span(bytes + at, (1 << 20) - at < 50000 ? (1 << 20) - at : 50000));
    stream_finish(f.ends[1].stream);
    run(&f);
    assert_int_equal(f.ends[1].got.len, 1 << 20);
    assert_memory_equal(f.ends[1].got.ptr, bytes, 1 << 20);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f.ends[i].ended, 1);
        assert_int_equal(f.ends[i].closed, 1);
        assert_int_equal(f.ends[i].error, 0);
    }
    free(bytes);
    fixture_done(&f);
}

/* Who does not read holds the writer back, and gets everything later. */
static void test_back_pressure(void **state) {
    Fixture f;
    fixture_init(&f);
    TlsOptions server = server_options(&f), client = client_options(&f);
    shake(&f, &server, &client, "localhost");
    char *bytes = calloc(1, 1 << 20);
    f.ends[0].stop_at_read = true;
    stream_write(f.ends[1].stream, span(bytes, 1 << 20));
    run(&f);
    assert_in_range(f.ends[0].got.len, 1, 16384);
    assert_true(stream_pending(f.ends[1].stream) > 900 << 10);
    for (int i = 0; i < 200; i++) {
        stream_read_start(f.ends[0].stream);
        run(&f);
    }
    assert_int_equal(f.ends[0].got.len, 1 << 20);
    assert_int_equal(stream_pending(f.ends[1].stream), 0);
    leave(&f);
    free(bytes);
    fixture_done(&f);
}

/* The server must be who it is asked for, and vouched for. */
static void test_verification(void **state) {
    Fixture f;
    fixture_init(&f);
    TlsOptions server = server_options(&f), client = client_options(&f);
    TlsOptions stranger = {.ca_pem = buf_span(&f.other.cert_pem)};
    TlsOptions careless = {.ca_pem = buf_span(&f.other.cert_pem), .insecure = true};
    shake(&f, &server, &client, "127.0.0.1");
    assert_int_equal(f.ends[1].connected, 1);
    leave(&f);
    shake(&f, &server, &client, "example.com");
    assert_int_equal(f.ends[1].connected, 0);
    assert_int_equal(f.ends[1].error, -EPROTO);
    assert_non_null(strstr(f.ends[1].reason, "ostname mismatch"));
    assert_int_equal(f.ends[0].error, -EPROTO);
    assert_int_equal(f.ends[0].connected, 0);
    shake(&f, &server, &client, "127.0.0.2");
    assert_int_equal(f.ends[1].error, -EPROTO);
    shake(&f, &server, &stranger, "localhost");
    assert_int_equal(f.ends[1].error, -EPROTO);
    assert_non_null(strstr(f.ends[1].reason, "local issuer"));
    shake(&f, &server, &careless, "localhost");
    assert_int_equal(f.ends[1].connected, 1);
    assert_int_equal(tls_peer_subject(f.ends[1].stream).len, 0);
    leave(&f);
    fixture_done(&f);
}

static void test_client_certificate(void **state) {
    Fixture f;
    fixture_init(&f);
    TlsOptions server = server_options(&f), client = client_options(&f);
    server.ca_pem = buf_span(&f.authority.cert_pem);
    shake(&f, &server, &client, "localhost"); /* welcome, not needed */
    assert_int_equal(f.ends[0].connected, 1);
    assert_int_equal(tls_peer_subject(f.ends[0].stream).len, 0);
    leave(&f);
    server.require_client_cert = true;
    shake(&f, &server, &client, "localhost");
    assert_int_equal(f.ends[0].connected, 0);
    assert_int_equal(f.ends[0].error, -EPROTO);
    assert_int_equal(f.ends[1].closed, 1);
    client.cert_pem = buf_span(&f.client.cert_pem);
    client.key_pem = buf_span(&f.client.key_pem);
    shake(&f, &server, &client, "localhost");
    assert_int_equal(f.ends[0].connected, 1);
    assert_span(tls_peer_subject(f.ends[0].stream), "CN=client one");
    leave(&f);
    server.ca_pem = buf_span(&f.other.cert_pem); /* not by this authority */
    shake(&f, &server, &client, "localhost");
    assert_int_equal(f.ends[0].connected, 0);
    assert_int_equal(f.ends[0].error, -EPROTO);
    fixture_done(&f);
}

static void write_file(const char *path, const Buf *content) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fwrite(content->ptr, 1, content->len, file);
    fclose(file);
}

/* A reload takes effect for new connections; one that fails changes nothing. */
static void test_reload(void **state) {
    Fixture f;
    char cert[] = "/tmp/muster-cert-XXXXXX", key[] = "/tmp/muster-key-XXXXXX", reason[200];
    fixture_init(&f);
    TlsIdentity next = tls_identity(&f.authority, "server two", "DNS:localhost");
    close(mkstemp(cert));
    close(mkstemp(key));
    write_file(cert, &f.server.cert_pem);
    write_file(key, &f.server.key_pem);
    TlsOptions server = {.cert_file = cert, .key_file = key}, client = client_options(&f);
    shake(&f, &server, &client, "localhost");
    assert_span(tls_peer_subject(f.ends[1].stream), "CN=server");
    TlsContext *live = tls_context_ref(f.server_context);
    write_file(cert, &next.cert_pem); /* the key is still the old one */
    assert_int_equal(tls_context_reload(live, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, key));
    write_file(key, &next.key_pem);
    assert_int_equal(tls_context_reload(live, reason, sizeof reason), 0);
    leave(&f);
    Stream *pair[2];
    stream_pair(f.world, pair);
    handle(&f.ends[0], tls_server(live, pair[0], PROTOCOLS, 2));
    handle(&f.ends[1], tls_client(f.client_context, pair[1], SPAN("localhost"), PROTOCOLS, 2));
    run(&f);
    assert_span(tls_peer_subject(f.ends[1].stream), "CN=server two");
    leave(&f);
    tls_context_unref(live);
    tls_identity_done(&next);
    unlink(cert);
    unlink(key);
    fixture_done(&f);
}

static void test_bad_options(void **state) {
    Fixture f;
    TlsContext *made;
    char reason[200];
    fixture_init(&f);
    TlsOptions none = {0}, missing = {.cert_file = "/nowhere/cert.pem", .key_file = "/nowhere/key"};
    TlsOptions nonsense = {.cert_pem = SPAN("hello"), .key_pem = SPAN("hello")};
    TlsOptions authority = {.ca_pem = SPAN("hello")};
    assert_int_equal(tls_context_new(true, &none, &made, reason, sizeof reason), -EINVAL);
    assert_int_equal(tls_context_new(true, &missing, &made, reason, sizeof reason), -EINVAL);
    assert_non_null(strstr(reason, "/nowhere/cert.pem"));
    assert_non_null(strstr(reason, "o such file"));
    assert_int_equal(tls_context_new(true, &nonsense, &made, reason, sizeof reason), -EINVAL);
    assert_int_equal(tls_context_new(false, &authority, &made, reason, sizeof reason), -EINVAL);
    fixture_done(&f);
}

/* A peer that does not speak TLS, and one that leaves in the middle. */
static void test_garbage(void **state) {
    Fixture f;
    fixture_init(&f);
    TlsOptions server = server_options(&f);
    f.server_context = context(true, &server);
    for (int i = 0; i < 2; i++) {
        Stream *pair[2];
        Raw raw;
        stream_pair(f.world, pair);
        raw = (Raw){.stream = pair[1]};
        stream_handle(pair[1], &RAW, &raw);
        stream_read_start(pair[1]);
        handle(&f.ends[0], tls_server(f.server_context, pair[0], PROTOCOLS, 2));
        raw_send(&raw, i ? SPAN("\x16\x03\x01") : SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        if (i)
            stream_finish(raw.stream);
        run(&f);
        assert_int_equal(f.ends[0].closed, 1);
        assert_int_equal(f.ends[0].error, -EPROTO);
        assert_true(strlen(f.ends[0].reason) > 0);
        raw_done(&raw);
    }
    fixture_done(&f);
}

/* An end without close_notify may be an attacker's. */
static void test_truncation(void **state) {
    Fixture f;
    fixture_init(&f);
    TlsOptions server = server_options(&f), client = client_options(&f);
    shake(&f, &server, &client, "localhost");
    stream_write(f.ends[0].stream, SPAN("half"));
    run(&f);
    simulation_cut(f.simulation, NULL);
    run(&f);
    assert_span(buf_span(&f.ends[1].got), "half");
    assert_int_equal(f.ends[1].ended, 0);
    assert_true(f.ends[1].error < 0);
    fixture_done(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer),     cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_verification), cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_reload),       cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_garbage),      cmocka_unit_test(test_truncation),
    };
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
