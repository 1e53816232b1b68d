#include "base/test.h"
#include "rpc/internal.h"

static bool host_allowed(RpcServer *server, const char *host, int64_t uid) {
    HttpRequest request = {.authority = span_of(host)};
    HttpPeer peer = {.uid = uid};
    return host_is_allowed(server, &request, &peer);
}

static void test_hosts(void **state) {
    static const char *const GOOD[] = {
        "localhost", "LocalHost:1", "a.localhost", "127.0.0.1", "127.0.0.1:50051", "10.0.0.1:1",
        "[::1]",     "[::1]:65535", "[fe80::1]:2", "my.name",   "MY.name:8080",
    };
    static const char *const BAD[] = {
        "",
        "evil.example",
        "my.name.evil",
        "evil.my.name",
        "localhost.evil",
        "evillocalhost",
        ".localhost",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "127.0.0.1:80@evil.example",
        "localhost:80@evil.example",
        "user@localhost",
        "localhost:",
        "localhost:x",
        "localhost:65536",
        "localhost:-1",
        "localhost:1:1",
        "[::1",
        "::1",
        "::1]",
        "[]",
        "[::1]x",
        "[::1]x:1",
        "[::1]:",
        "[127.0.0.1]",
        "[localhost]",
        "[::1%lo]",
        "127.1",
        "0x7f000001",
        "2130706433",
        "localhost ",
        "localhost\t:1",
        ":80",
        "*",
    };
    const Span allowed = SPAN("My.Name");
    RpcServer server = {.options = {.allowed_hosts = &allowed, .allowed_host_count = 1}};
    /* Twice, since the last one allowed is remembered. */
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
            bool first = host_allowed(&server, GOOD[i], -1);
            bool again = host_allowed(&server, GOOD[i], -1); /* known from the first time */
            if (!first || !again)
                fail_msg("'%s' was refused", GOOD[i]);
        }
        for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
            if (host_allowed(&server, BAD[i], -1))
                fail_msg("'%s' was allowed", BAD[i]);
    }
    assert_true(host_allowed(&server, "evil.example", 1000)); /* no browser has a unix socket */
    buf_done(&server.known_host);
}

static void test_any_host(void **state) {
    const Span any = SPAN("*");
    RpcServer server = {.options = {.allowed_hosts = &any, .allowed_host_count = 1}};
    assert_true(host_allowed(&server, "whatever.example:1", -1));
    buf_done(&server.known_host);
}

static bool origin_allowed(const char *scheme, const char *host, const char *origin) {
    const Span allowed[] = {SPAN("https://app.example"), SPAN("http://dev.example:3000")};
    RpcServer server = {.options = {.allowed_origins = allowed, .allowed_origin_count = 2}};
    HttpRequest request = {.scheme = span_of(scheme), .authority = span_of(host)};
    return origin_is_allowed(&server, &request, span_of(origin));
}

static void test_origins(void **state) {
    assert_true(origin_allowed("http", "localhost:1", "http://localhost:1"));
    assert_true(origin_allowed("http", "LOCALHOST:1", "http://localhost:1"));
    assert_true(origin_allowed("https", "[::1]:1", "https://[::1]:1"));
    assert_true(origin_allowed("http", "localhost:1", "https://app.example"));
    assert_true(origin_allowed("http", "localhost:1", "http://dev.example:3000"));
    static const char *const BAD[] = {
        "null",
        "http://localhost",
        "http://localhost:2",
        "https://localhost:1",
        "http://localhost:1.evil.example",
        "http://localhost:1/",
        "http://evil.example",
        "http://evil.example/localhost:1",
        "http://a@localhost:1",
        "http//localhost:1",
        "http:",
        "http://",
        "localhost:1",
        "https://app.example.evil",
        "https://app.example:443",
        "http://app.example",
        "http://dev.example:30001",
        "*",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (origin_allowed("http", "localhost:1", BAD[i]))
            fail_msg("'%s' was allowed", BAD[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_any_host),
        cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
