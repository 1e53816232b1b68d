/* HTTP/1 byte by byte: what requests are understood, answered and refused, and what the answers
 * look like on the wire. */
#include "net/http_kit.h"

#define REQUEST_END "Host: a\r\n\r\n"

typedef struct Case {
    const char *name, *sent;
    enum {
        CLOSES,
        STAYS,
        SILENT,
        REFUSED
    } after;               /* SILENT: without an answer; REFUSED: 400 or 501 */
    const char *wanted[4]; /* pieces of the answer, in order */
} Case;

static const Case CASES[] = {
    {"get",
     "GET / HTTP/1.1\r\n" REQUEST_END,
     STAYS,
     {"HTTP/1.1 200 OK\r\n", "content-type: text/plain\r\n", "content-length: 5\r\n", "\r\nearly"}},
    {"leading empty line", "\r\nGET / HTTP/1.1\r\n" REQUEST_END, STAYS, {"HTTP/1.1 200 OK\r\n"}},
    {"absolute target", "GET http://b/echo HTTP/1.1\r\n" REQUEST_END, STAYS, {"x-method: GET"}},
    {"absolute without path", "GET http://b HTTP/1.1\r\n" REQUEST_END, STAYS, {"early"}},
    {"options of all", "OPTIONS * HTTP/1.1\r\n" REQUEST_END, STAYS, {"early"}},
    {"head", "HEAD /count/10 HTTP/1.1\r\n" REQUEST_END, STAYS, {"HTTP/1.1 200 OK\r\n\r\n"}},
    {"1.0 closes",
     "GET / HTTP/1.0\r\n\r\n",
     CLOSES,
     {"HTTP/1.1 200 OK", "connection: close\r\n", "early"}},
    {"1.0 keep-alive",
     "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     STAYS,
     {"connection: keep-alive\r\n", "early"}},
    {"close is honoured",
     "GET / HTTP/1.1\r\nConnection: close\r\n" REQUEST_END,
     CLOSES,
     {"connection: close\r\n", "early"}},
    {"upgrade is not",
     "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
     "HTTP2-Settings: AAMAAABkAAQAAP__\r\n" REQUEST_END,
     STAYS,
     {"HTTP/1.1 200 OK", "early"}},
    {"body of a length",
     "POST /echo HTTP/1.1\r\nContent-Length: 3\r\n" REQUEST_END "abc",
     STAYS,
     {"HTTP/1.1 200 OK", "x-bytes: 3"}},
    {"chunked body",
     "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" REQUEST_END
     "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sent: yes\r\n\r\n",
     STAYS,
     {"transfer-encoding: chunked", "\r\nx-bytes: 7\r\n", "x-sent: yes\r\n\r\n"}},
    {"two in one go",
     "GET / HTTP/1.1\r\n" REQUEST_END "POST /echo HTTP/1.1\r\nContent-Length: 2\r\n" REQUEST_END
     "hi",
     STAYS,
     {"early", "HTTP/1.1 200 OK", "x-bytes: 2"}},
    {"expect",
     "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" REQUEST_END "hi",
     STAYS,
     {"HTTP/1.1 200 OK", "x-bytes: 2"}},
    {"expect, and wait",
     "POST /hold HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" REQUEST_END,
     STAYS,
     {"HTTP/1.1 100 Continue\r\n\r\n"}},
    {"answered before its body",
     "POST /early HTTP/1.1\r\nContent-Length: 9\r\n" REQUEST_END,
     CLOSES,
     {"connection: close\r\n", "early"}},

    /* What two readers could understand in two ways (request smuggling). */
    {"length and chunked",
     "POST /echo HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" REQUEST_END
     "0\r\n\r\n",
     CLOSES,
     {"HTTP/1.1 400 Bad Request\r\n"}},
    {"chunked and length",
     "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n" REQUEST_END
     "0\r\n\r\n",
     CLOSES,
     {"HTTP/1.1 400 Bad Request\r\n"}},
    {"two lengths",
     "POST /echo HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n" REQUEST_END "abc",
     CLOSES,
     {"HTTP/1.1 400 Bad Request\r\n"}},
    {"twice the same length",
     "POST /echo HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n" REQUEST_END "abc",
     CLOSES,
     {"HTTP/1.1 400 Bad Request\r\n"}},
    {"length with a sign",
     "POST /echo HTTP/1.1\r\nContent-Length: +3\r\n" REQUEST_END "abc",
     CLOSES,
     {"HTTP/1.1 400 "}},
    {"length of letters",
     "POST /echo HTTP/1.1\r\nContent-Length: 0x3\r\n" REQUEST_END "abc",
     CLOSES,
     {"HTTP/1.1 400 "}},
    {"length too large",
     "POST /echo HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" REQUEST_END "abc",
     CLOSES,
     {"HTTP/1.1 400 "}},
    {"coding not known",
     "POST /echo HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" REQUEST_END "0\r\n\r\n",
     REFUSED,
     {"connection: close"}},
    {"chunked not last",
     "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n" REQUEST_END "0\r\n\r\n",
     REFUSED,
     {"connection: close"}},
    {"coding with tricks",
     "POST /echo HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n" REQUEST_END "0\r\n\r\n",
     REFUSED,
     {"connection: close"}},
    {"chunked twice",
     "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
     "chunked\r\n" REQUEST_END "0\r\n\r\n",
     REFUSED,
     {"connection: close"}},
    {"chunked 1.0",
     "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" REQUEST_END "0\r\n\r\n",
     REFUSED,
     {"connection: close"}},
    {"chunk size of letters",
     "POST /silent HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" REQUEST_END "xyz\r\n",
     CLOSES,
     {"HTTP/1.1 400 "}},
    {"chunk size ended by LF alone",
     "POST /silent HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" REQUEST_END "3\nabc\r\n0\r\n\r\n",
     REFUSED,
     {"connection: close"}},
    {"no host", "GET / HTTP/1.1\r\n\r\n", CLOSES, {"HTTP/1.1 400 "}},
    {"two hosts", "GET / HTTP/1.1\r\nHost: b\r\n" REQUEST_END, CLOSES, {"HTTP/1.1 400 "}},
    {"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", CLOSES, {"HTTP/1.1 400 "}},
    {"folded header", "GET / HTTP/1.1\r\nX-A: b\r\n c\r\n" REQUEST_END, CLOSES, {"HTTP/1.1 400 "}},
    {"space before colon", "GET / HTTP/1.1\r\nX-A : b\r\n" REQUEST_END, CLOSES, {"HTTP/1.1 400 "}},
    {"bare CR", "GET / HTTP/1.1\r\nX-A: b\rX-C: d\r\n" REQUEST_END, CLOSES, {"HTTP/1.1 400 "}},
    {"NUL in a value", NULL, CLOSES, {"HTTP/1.1 400 "}},

    {"connect", "CONNECT a:1 HTTP/1.1\r\n" REQUEST_END, CLOSES, {"HTTP/1.1 501 "}},
    {"target that is none", "GET a HTTP/1.1\r\n" REQUEST_END, CLOSES, {"HTTP/1.1 400 "}},
    {"version 2 without its preface", "GET / HTTP/2.0\r\n" REQUEST_END, CLOSES, {"HTTP/1.1 505 "}},
    {"version 9", "GET / HTTP/9.9\r\n" REQUEST_END, CLOSES, {"HTTP/1.1 505 "}},
    {"method not known", "FETCH / HTTP/1.1\r\n" REQUEST_END, CLOSES, {"HTTP/1.1 400 "}},
    {"not HTTP", "HELLO WORLD\r\n", SILENT, {NULL}},
    {"binary", "\x16\x03\x01\x02", SILENT, {NULL}},
    {"AMQP", "AMQP\x01", SILENT, {NULL}},
};

static Span sent_of(const Case *c) {
    static const char nul[] = "GET / HTTP/1.1\r\nX-A: b\0c\r\n" REQUEST_END;
    return c->sent ? span_of(c->sent) : span(nul, sizeof nul - 1);
}

static void check(const Case *c, const Raw *raw) {
    const char *at = raw->got.ptr, *end = at + raw->got.len;
    for (size_t i = 0; i < 4 && c->wanted[i]; i++) {
        at = at ? memmem(at, (size_t)(end - at), c->wanted[i], strlen(c->wanted[i])) : NULL;
        if (!at)
            fail_msg("%s: no '%s' in '%.*s'", c->name, c->wanted[i],
                     SPAN_ARGS(buf_span(&raw->got)));
        at += strlen(c->wanted[i]);
    }
    if (c->after == REFUSED && !raw_contains(raw, "HTTP/1.1 400 ") &&
        !raw_contains(raw, "HTTP/1.1 501 "))
        fail_msg("%s: '%.*s'", c->name, SPAN_ARGS(buf_span(&raw->got)));
    if (raw_is_over(raw) == (c->after == STAYS) || (c->after == SILENT && raw->got.len))
        fail_msg("%s: %s after '%.*s'", c->name, raw_is_over(raw) ? "closed" : "stays",
                 SPAN_ARGS(buf_span(&raw->got)));
}

/* Each case in one piece, and byte by byte. */
static void test_requests(void **state) {
    Kit kit;
    Raw raw;
    kit_init(&kit, true, NULL);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Span sent = sent_of(&CASES[i]);
        raw_open(&raw, &kit);
        raw_send(&raw, sent);
        kit_run(&kit, NANOS_PER_SECOND);
        check(&CASES[i], &raw);
        raw_done(&raw);
        if (CASES[i].sent && strstr(CASES[i].sent, "Expect"))
            continue; /* depends on what comes when */
        raw_open(&raw, &kit);
        for (size_t at = 0; at < sent.len; at++) {
            raw_send(&raw, span(sent.ptr + at, 1));
            kit_run(&kit, 3 * NANOS_PER_MILLI);
        }
        kit_run(&kit, NANOS_PER_SECOND);
        check(&CASES[i], &raw);
        raw_done(&raw);
    }
    kit_run(&kit, 10 * NANOS_PER_SECOND);
    kit_done(&kit);
}

/* Requests sent ahead are answered in their order; the many wait in bounded memory. */
static void test_pipelining(void **state) {
    Kit kit;
    Raw raw;
    Buf sent = {0};
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    for (int i = 0; i < 500; i++)
        buf_printf(&sent, "GET /count/%d HTTP/1.1\r\n" REQUEST_END, i);
    raw_send(&raw, buf_span(&sent));
    kit_run(&kit, 10 * NANOS_PER_SECOND);
    assert_int_equal(kit.served, 500);
    const char *at = raw.got.ptr;
    for (int i = 0; i < 500; i++) {
        char wanted[40];
        size_t len = (size_t)snprintf(wanted, sizeof wanted, "content-length: %d\r\n", i);
        at = memmem(at, (size_t)(raw.got.ptr + raw.got.len - at), wanted, len);
        assert_non_null(at);
    }
    raw_done(&raw);
    buf_done(&sent);
    kit_done(&kit);
}

static void test_pipelining_waits(void **state) {
    Kit kit;
    Raw raw;
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    raw_send(&raw, SPAN("GET /silent HTTP/1.1\r\n" REQUEST_END "GET / HTTP/1.1\r\n" REQUEST_END));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(kit.served, 1);
    Buf more = {0};
    memset(buf_reserve(&more, 10 << 20), 'x', 10 << 20);
    more.len = 10 << 20;
    raw_send(&raw, buf_span(&more));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_true(stream_pending(raw.stream) > 9 << 20);
    raw_done(&raw);
    buf_done(&more);
    kit_done(&kit);
}

typedef struct Limit {
    const char *begin, *filler, *wanted;
    size_t fillers;
} Limit;

static void test_limits(void **state) {
    static const Limit limits[] = {
        {"GET /", "aaaaaaaaaa", "HTTP/1.1 414 ", 1000},
        {"GET / HTTP/1.1\r\nHost: a\r\nX-", "aaaaaaaaaa", "HTTP/1.1 431 ", 1000},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: ", "aaaaaaaaaa", "HTTP/1.1 431 ", 1000},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: ", "          ", "HTTP/1.1 431 ", 2000},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "a: b\r\n", "HTTP/1.1 431 ", 3000},
    };
    Kit kit;
    Raw raw;
    HttpLimits given = HTTP_LIMITS;
    given.header_bytes = 4096;
    kit_init(&kit, true, &given);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        Buf sent = {0};
        buf_add(&sent, span_of(limits[i].begin));
        for (size_t n = 0; n < limits[i].fillers; n++)
            buf_add(&sent, span_of(limits[i].filler));
        raw_open(&raw, &kit);
        raw_send(&raw, buf_span(&sent));
        kit_run(&kit, NANOS_PER_SECOND);
        if (!raw_contains(&raw, limits[i].wanted) || !raw_is_over(&raw))
            fail_msg("limit %zu: '%.*s'", i, SPAN_ARGS(buf_span(&raw.got)));
        raw_done(&raw);
        buf_done(&sent);
    }
    assert_int_equal(kit.served, 0);
    assert_int_equal(http_server_stats(kit.server).refused, sizeof limits / sizeof *limits);
    kit_done(&kit);
}

/* Many small headers that end well within the bytes, but are too many. */
static void test_header_count(void **state) {
    Kit kit;
    Raw raw;
    Buf sent = {0};
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    buf_add_literal(&sent, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (uint32_t i = 0; i < HTTP_LIMITS.header_count; i++)
        buf_add_literal(&sent, "a: b\r\n");
    buf_add_literal(&sent, "\r\n");
    raw_send(&raw, buf_span(&sent));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_true(raw_contains(&raw, "HTTP/1.1 431 "));
    assert_int_equal(kit.served, 0);
    raw_done(&raw);
    buf_done(&sent);
    kit_done(&kit);
}

/* A client that sends a byte every second: the time counts from the first. */
static void test_slow_loris(void **state) {
    Kit kit;
    Raw raw;
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    raw_send(&raw, SPAN("GET / HTTP/1.1\r\nX-A: "));
    for (int i = 0; i < 14; i++) {
        kit_run(&kit, NANOS_PER_SECOND);
        raw_send(&raw, SPAN("x"));
        assert_false(raw_is_over(&raw));
    }
    kit_run(&kit, 2 * NANOS_PER_SECOND);
    assert_true(raw_contains(&raw, "HTTP/1.1 408 "));
    assert_true(raw_is_over(&raw));
    raw_done(&raw);
    kit_done(&kit);
}

static void test_silent_connection(void **state) {
    Kit kit;
    Raw raw;
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    kit_run(&kit, HTTP_LIMITS.handshake - NANOS_PER_SECOND);
    assert_false(raw_is_over(&raw));
    kit_run(&kit, 2 * NANOS_PER_SECOND);
    assert_true(raw_is_over(&raw));
    assert_int_equal(http_server_stats(kit.server).connections_open, 0);
    raw_done(&raw);
    kit_done(&kit);
}

/* A client that sends its request and closes its side still gets the answer. */
static void test_half_closed(void **state) {
    Kit kit;
    Raw raw;
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    raw_send(&raw, SPAN("GET /count/100000 HTTP/1.1\r\n" REQUEST_END));
    stream_finish(raw.stream);
    kit_run(&kit, NANOS_PER_SECOND);
    assert_true(raw_contains(&raw, "content-length: 100000\r\n"));
    assert_true(raw.got.len > 100000);
    assert_true(raw_is_over(&raw));
    raw_done(&raw);
    kit_done(&kit);
}

static bool on_foreign(void *owner, Stream *stream, Span first) {
    Raw *raw = owner;
    if (!span_starts(first, SPAN("AMQP")))
        return false;
    buf_add(&raw->got, first);
    raw->stream = stream;
    stream_handle(stream, &RAW, raw);
    return true;
}

static void test_foreign(void **state) {
    Kit kit;
    Raw raw, taken = {0};
    kit_init(&kit, true, NULL);
    http_server_on_foreign(kit.server, on_foreign, &taken);
    raw_open(&raw, &kit);
    raw_send(&raw, span("AMQP\0\0\11\1", 8));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(taken.got.len, 8);
    assert_int_equal(http_server_stats(kit.server).connections_open, 0);
    raw_send(&taken, SPAN("answer"));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_span(buf_span(&raw.got), "answer");
    raw_done(&raw);
    raw_done(&taken);
    kit_done(&kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),          cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_pipelining_waits),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_header_count),      cmocka_unit_test(test_slow_loris),
        cmocka_unit_test(test_silent_connection), cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_foreign),
    };
    return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}
