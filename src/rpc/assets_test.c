#include "base/test.h"
#include "net/http_kit.h"
#include "rpc/server.h"

static const RpcAsset ASSETS[] = {
    {.path = "/index.html",
     .type = "text/html",
     .etag = "\"one\"",
     .plain = SPAN("<html>"),
     .policy = "default-src 'self'",
     .gzip = SPAN("GZIP"),
     .br = SPAN("BR")},
    {.path = "/a.js",
     .type = "text/javascript",
     .etag = "\"two\"",
     .plain = SPAN("js"),
     .immutable = true},
    {.path = "/empty.css", .type = "text/css", .etag = "\"three\""},
};

/* The whole answer to a request for these lines. */
static const char *ask(const char *lines, bool fallback) {
    static char text[4096];
    Kit kit = {0};
    SimulationOptions options = {.seed = 1};
    kit.simulation = simulation_new(&options);
    kit.world = simulation_world(kit.simulation);
    RpcServer *server = rpc_server_new(kit.world, &(RpcServerOptions){0});
    rpc_server_assets(server, ASSETS, 3, fallback ? &ASSETS[0] : NULL);
    Raw raw;
    kit.server = rpc_server_http(server);
    raw_open(&raw, &kit);
    raw_send(&raw, span_of(lines));
    raw_send(&raw, SPAN("host: localhost\r\nconnection: close\r\n\r\n"));
    kit_run(&kit, NANOS_PER_SECOND);
    snprintf(text, sizeof text, "%.*s", (int)raw.got.len, raw.got.ptr);
    raw_done(&raw);
    rpc_server_free(server);
    world_free(kit.world);
    simulation_free(kit.simulation);
    return text;
}

static void expect(const char *text, const char *part) {
    if (!text || !strstr(text, part))
        fail_msg("no '%s' in:\n%s", part, text ? text : "nothing");
}

static bool has_body(const char *text, const char *body) {
    const char *end = strstr(text, "\r\n\r\n");
    assert_non_null(end);
    return strcmp(end + 4, body) == 0;
}

static void test_found(void **state) {
    const char *text = ask("GET /index.html?x=1 HTTP/1.1\r\n", false);
    expect(text, "HTTP/1.1 200 ");
    expect(text, "content-type: text/html\r\n");
    expect(text, "etag: \"one\"\r\n");
    expect(text, "cache-control: no-cache\r\n");
    expect(text, "vary: accept-encoding\r\n");
    expect(text, "content-security-policy: default-src 'self'\r\n");
    expect(text, "content-length: 6\r\n");
    expect(text, "x-content-type-options: nosniff\r\n");
    assert_true(has_body(text, "<html>"));
    expect(ask("GET /a.js HTTP/1.1\r\n", false), "max-age=31536000, immutable\r\n");
    assert_true(has_body(ask("GET /empty.css HTTP/1.1\r\n", false), ""));
}

static void test_head(void **state) {
    const char *text = ask("HEAD /index.html HTTP/1.1\r\n", false);
    expect(text, "HTTP/1.1 200 ");
    expect(text, "content-length: 6\r\n");
    assert_true(has_body(text, ""));
}

static void test_codings(void **state) {
    static const struct {
        const char *accept, *body;
    } CASES[] = {
        {"gzip, deflate, br", "BR"}, {"gzip", "GZIP"},       {"GZIP", "GZIP"},
        {"br;q=0, gzip", "GZIP"},    {"gzip;q=0", "<html>"}, {"gzip; q=0.0", "<html>"},
        {"gzip;q=0.5", "GZIP"},      {"x-brotli", "<html>"}, {"identity", "<html>"},
        {"zebra", "<html>"},         {"br;q=0.001", "BR"},   {"", "<html>"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char lines[128];
        snprintf(lines, sizeof lines, "GET /index.html HTTP/1.1\r\naccept-encoding: %s\r\n",
                 CASES[i].accept);
        if (!has_body(ask(lines, false), CASES[i].body))
            fail_msg("accept-encoding '%s' does not bring %s", CASES[i].accept, CASES[i].body);
    }
    expect(ask("GET /index.html HTTP/1.1\r\naccept-encoding: br\r\n", false),
           "content-encoding: br\r\n");
}

static void test_known(void **state) {
    static const struct {
        const char *tags;
        bool known;
    } CASES[] = {
        {"\"one\"", true},  {"W/\"one\"", true}, {"\"x\", \"one\"", true},
        {"*", true},        {"\"on\"", false},   {"one", false},
        {"\"two\"", false}, {"\"xone\"", false}, {"\"x\",W/\"one\"", true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char lines[128];
        snprintf(lines, sizeof lines, "GET /index.html HTTP/1.1\r\nif-none-match: %s\r\n",
                 CASES[i].tags);
        const char *text = ask(lines, false);
        if ((strncmp(text, "HTTP/1.1 304 ", 13) == 0) != CASES[i].known)
            fail_msg("if-none-match: %s: %s", CASES[i].tags, text);
        if (CASES[i].known)
            assert_true(has_body(text, ""));
    }
}

static void test_fallback(void **state) {
    static const char *const PAGE[] = {"/", "/services/a", "/apis", "/v1beta", "/docsy"};
    static const char *const NONE[] = {"/no.js", "/a/no.css", "/api",
                                       "/api/x", "/v1/x",     "/metrics",
                                       "/docs",  "/v1?a=/b",  "/heartbeat-dashboard"};
    for (size_t i = 0; i < sizeof PAGE / sizeof *PAGE; i++) {
        char line[64];
        snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", PAGE[i]);
        expect(ask(line, true), "<html>");
        expect(ask(line, false), "HTTP/1.1 404 ");
    }
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        char line[64];
        snprintf(line, sizeof line, "GET %s HTTP/1.1\r\n", NONE[i]);
        expect(ask(line, true), "HTTP/1.1 404 ");
    }
    expect(ask("POST / HTTP/1.1\r\ncontent-length: 0\r\n", true), "HTTP/1.1 404 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),    cmocka_unit_test(test_head),
        cmocka_unit_test(test_codings),  cmocka_unit_test(test_known),
        cmocka_unit_test(test_fallback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
