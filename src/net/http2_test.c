/* HTTP/2 frame by frame: what attacks a peer can try, and that memory stays bounded and other
 * connections are served meanwhile. */
#include <nghttp2/nghttp2.h>

#include "net/http_kit.h"

/* ---- frames by hand ---- */

static void frame(Buf *out, uint8_t type, uint8_t flags, uint32_t stream, Span payload) {
    char head[9] = {(char)(payload.len >> 16),
                    (char)(payload.len >> 8),
                    (char)payload.len,
                    (char)type,
                    (char)flags,
                    (char)(stream >> 24),
                    (char)(stream >> 16),
                    (char)(stream >> 8),
                    (char)stream};
    buf_add(out, span(head, 9));
    buf_add(out, payload);
}

static void number(Buf *out, uint8_t type, uint32_t stream, uint32_t value) {
    char bytes[4] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8), (char)value};
    frame(out, type, 0, stream, span(bytes, 4));
}

static void preface(Buf *out) {
    buf_add_literal(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    frame(out, NGHTTP2_SETTINGS, 0, 0, SPAN(""));
}

/* :method POST, :scheme http, :path as given, :authority "a": HPACK without its dynamic table. */
static void request(Buf *out, uint32_t stream, const char *path, uint8_t flags) {
    Buf block = {0};
    buf_add_literal(&block, "\x83\x86\x01\x01"
                            "a\x04");
    buf_add_char(&block, (char)strlen(path));
    buf_add(&block, span_of(path));
    frame(out, NGHTTP2_HEADERS, flags, stream, buf_span(&block));
    buf_done(&block);
}

#define END_HEADERS NGHTTP2_FLAG_END_HEADERS
#define END_STREAM  NGHTTP2_FLAG_END_STREAM

/* Walks the frames that came; gives the next one of that type. */
static bool find(const Raw *raw, uint8_t type, size_t *at, Span *ret_payload,
                 uint32_t *ret_stream) {
    while (*at + 9 <= raw->got.len) {
        const uint8_t *head = (const uint8_t *)raw->got.ptr + *at;
        size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (*at + 9 + length > raw->got.len)
            return false;
        *at += 9 + length;
        if (head[3] != type)
            continue;
        *ret_payload = span(head + 9, length);
        *ret_stream = (uint32_t)(head[5] & 0x7F) << 24 | (uint32_t)head[6] << 16 |
                      (uint32_t)head[7] << 8 | head[8];
        return true;
    }
    return false;
}

static uint32_t number_at(Span payload, size_t at) {
    const uint8_t *bytes = (const uint8_t *)payload.ptr + at;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The error code of the last GOAWAY; -1 when there is none. */
static int64_t goaway(const Raw *raw) {
    size_t at = 0;
    Span payload = {0};
    uint32_t stream = 0;
    int64_t code = -1;
    while (find(raw, NGHTTP2_GOAWAY, &at, &payload, &stream))
        code = number_at(payload, 4);
    return code;
}

static size_t count(const Raw *raw, uint8_t type) {
    size_t at = 0, found = 0;
    Span payload = {0};
    uint32_t stream = 0;
    while (find(raw, type, &at, &payload, &stream))
        found++;
    return found;
}

/* ---- attacks ---- */

typedef struct Attack {
    const char *name;
    void (*add)(Buf *out, uint32_t i); /* one round of it */
    uint32_t rounds;
    int64_t code; /* of the GOAWAY */
} Attack;

static void rapid_reset(Buf *out, uint32_t i) {
    request(out, 2 * i + 1, "/silent", END_HEADERS);
    number(out, NGHTTP2_RST_STREAM, 2 * i + 1, NGHTTP2_CANCEL);
}

/* The same by making the server reset: a window that overflows. */
static void made_you_reset(Buf *out, uint32_t i) {
    request(out, 2 * i + 1, "/silent", END_HEADERS);
    number(out, NGHTTP2_WINDOW_UPDATE, 2 * i + 1, INT32_MAX);
}

static void settings_flood(Buf *out, uint32_t i) {
    frame(out, NGHTTP2_SETTINGS, 0, 0, SPAN("\0\3\0\0\0\144"));
}

static void ping_flood(Buf *out, uint32_t i) {
    frame(out, NGHTTP2_PING, 0, 0, SPAN("12345678"));
}

static void empty_data(Buf *out, uint32_t i) {
    if (i == 0)
        request(out, 1, "/echo", END_HEADERS);
    frame(out, NGHTTP2_DATA, 0, 1, SPAN(""));
}

static void empty_continuations(Buf *out, uint32_t i) {
    if (i == 0)
        request(out, 1, "/echo", 0);
    frame(out, NGHTTP2_CONTINUATION, 0, 1, SPAN(""));
}

static void continuations(Buf *out, uint32_t i) {
    static const char headers[] = "\x40\x01x\x7f\x64"; /* x: 227 bytes to come */
    char block[2000];
    if (i == 0)
        request(out, 1, "/echo", 0);
    memset(block, 'y', sizeof block);
    for (size_t at = 0; at + 240 < sizeof block; at += 232)
        memcpy(block + at, headers, 5);
    frame(out, NGHTTP2_CONTINUATION, 0, 1, span(block, 232 * 8));
}

static void priorities(Buf *out, uint32_t i) {
    frame(out, NGHTTP2_PRIORITY, 0, 2 * i + 1, span("\0\0\0\0\20", 5));
}

static void unknown_frames(Buf *out, uint32_t i) {
    frame(out, 0xF0, 0, 0, SPAN("x"));
}

static void tiny_windows(Buf *out, uint32_t i) {
    number(out, NGHTTP2_WINDOW_UPDATE, 0, 1);
}

/* One large header in the dynamic table, then references to it of a byte each. */
static void hpack_bomb(Buf *out, uint32_t i) {
    Buf block = {0};
    buf_add_literal(&block, "\x83\x86\x84\x01\x01"
                            "a\x40\x01x\x7f\xa1\x1e"); /* literal, indexed: value of 4000 bytes */
    memset(buf_reserve(&block, 4000), 'y', 4000);
    block.len += 4000;
    memset(buf_reserve(&block, 8000), 0xBE, 8000); /* entry 62, 8000 times: 32 MB */
    block.len += 8000;
    frame(out, NGHTTP2_HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, buf_span(&block));
    buf_done(&block);
}

static const Attack ATTACKS[] = {
    {"rapid reset", rapid_reset, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"made you reset", made_you_reset, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"SETTINGS", settings_flood, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"PING", ping_flood, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"empty DATA", empty_data, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"empty CONTINUATION", empty_continuations, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"CONTINUATION", continuations, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"PRIORITY", priorities, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"unknown frames", unknown_frames, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"tiny WINDOW_UPDATE", tiny_windows, 5000, NGHTTP2_ENHANCE_YOUR_CALM},
    {"HPACK bomb", hpack_bomb, 1, NGHTTP2_ENHANCE_YOUR_CALM},
};

/* Each attack ends its connection, while another one is served. */
static void test_attacks(void **state) {
    for (size_t i = 0; i < sizeof ATTACKS / sizeof *ATTACKS; i++) {
        const Attack *attack = &ATTACKS[i];
        Kit kit;
        Raw raw, other;
        Buf bytes = {0};
        kit_init(&kit, true, NULL);
        raw_open(&raw, &kit);
        raw_open(&other, &kit);
        preface(&bytes);
        for (uint32_t round = 0; round < attack->rounds; round++)
            attack->add(&bytes, round);
        raw_send(&raw, buf_span(&bytes));
        raw_send(&other, SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        kit_run(&kit, NANOS_PER_SECOND);
        if (!raw_is_over(&raw) || (goaway(&raw) != attack->code && goaway(&raw) != -1))
            fail_msg("%s: over %d, GOAWAY %ld", attack->name, raw_is_over(&raw), goaway(&raw));
        assert_true(raw_contains(&other, "early"));
        assert_true(http_server_stats(kit.server).refused >= 1);
        assert_true(kit.served < 1000);
        raw_done(&raw);
        raw_done(&other);
        kit_run(&kit, 5 * NANOS_PER_SECOND);
        assert_int_equal(kit.open, 0);
        buf_done(&bytes);
        kit_done(&kit);
    }
}

/* Resets of what was answered, and PINGs beside data, are what busy clients do. */
static void test_busy_client(void **state) {
    Kit kit;
    Raw raw;
    Buf bytes = {0};
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    preface(&bytes);
    for (uint32_t i = 0; i < 5000; i++) {
        request(&bytes, 2 * i + 1, "/early", END_HEADERS);
        frame(&bytes, NGHTTP2_PING, 0, 0, SPAN("12345678"));
        raw_send(&raw, buf_span(&bytes));
        buf_clear(&bytes);
        kit_run(&kit, NANOS_PER_MILLI);
        number(&bytes, NGHTTP2_RST_STREAM, 2 * i + 1, NGHTTP2_CANCEL);
    }
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(goaway(&raw), -1);
    assert_int_equal(kit.served, 5000);
    raw_done(&raw);
    buf_done(&bytes);
    kit_done(&kit);
}

/* A few of each are nothing to be excited about. */
static void test_no_attacks(void **state) {
    Kit kit;
    Raw raw;
    Buf bytes = {0};
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    preface(&bytes);
    for (uint32_t i = 0; i < 20; i++) {
        rapid_reset(&bytes, i);
        settings_flood(&bytes, i);
        ping_flood(&bytes, i);
        unknown_frames(&bytes, i);
        tiny_windows(&bytes, i);
    }
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_false(raw_is_over(&raw));
    assert_int_equal(goaway(&raw), -1);
    assert_int_equal(count(&raw, NGHTTP2_PING), 20);
    assert_int_equal(kit.served, 20);
    raw_done(&raw);
    buf_done(&bytes);
    kit_done(&kit);
}

/* ---- limits ---- */

static void test_streams_limit(void **state) {
    HttpLimits limits = HTTP_LIMITS;
    limits.streams = 10;
    Kit kit;
    Raw raw;
    Buf bytes = {0};
    kit_init(&kit, true, &limits);
    raw_open(&raw, &kit);
    preface(&bytes);
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    buf_clear(&bytes);
    for (uint32_t i = 0; i < 15; i++)
        request(&bytes, 2 * i + 1, "/silent", END_HEADERS | END_STREAM);
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(kit.open, 10);
    size_t at = 0, refused = 0;
    Span payload = {0};
    uint32_t stream = 0;
    while (find(&raw, NGHTTP2_RST_STREAM, &at, &payload, &stream))
        refused += number_at(payload, 0) == NGHTTP2_REFUSED_STREAM;
    assert_int_equal(refused, 5);
    /* Who has acknowledged the limit knows it. */
    buf_clear(&bytes);
    frame(&bytes, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, SPAN(""));
    request(&bytes, 31, "/silent", END_HEADERS | END_STREAM);
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(goaway(&raw), NGHTTP2_PROTOCOL_ERROR);
    assert_int_equal(kit.open, 0);
    raw_done(&raw);
    buf_done(&bytes);
    kit_done(&kit);
}

/* Bytes beyond the window that was given. */
static void test_window_exceeded(void **state) {
    HttpLimits limits = HTTP_LIMITS;
    limits.window = 65535;
    Kit kit;
    Raw raw;
    Buf bytes = {0};
    char *data = calloc(1, 16384);
    kit_init(&kit, true, &limits);
    raw_open(&raw, &kit);
    preface(&bytes);
    request(&bytes, 1, "/hold", END_HEADERS);
    for (int i = 0; i < 10; i++)
        frame(&bytes, NGHTTP2_DATA, 0, 1, span(data, 16384));
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(kit.open, 0);
    assert_in_range(kit.held_bytes, 0, 65535 + 16384); /* nghttp2 hands the last piece out */
    raw_done(&raw);
    buf_done(&bytes);
    free(data);
    kit_done(&kit);
}

/* Takes no output: queues stay where they are, and a flood of PINGs on top ends it. */
static void test_no_reader(void **state) {
    Kit kit;
    Raw raw;
    Buf bytes = {0};
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    stream_read_stop(raw.stream);
    preface(&bytes);
    for (uint32_t i = 0; i < 100; i++)
        request(&bytes, 2 * i + 1, "/count/1000000", END_HEADERS | END_STREAM);
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(kit.open, 100);
    assert_true(http_server_stats(kit.server).bytes_out < 1 << 20);
    raw_done(&raw);
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(kit.open, 0);
    buf_done(&bytes);
    kit_done(&kit);
}

/* Looks every turn at how much has been written since. */
typedef struct Turns {
    Timer timer;
    Kit *kit;
    int left;
    uint64_t written, most;
} Turns;

static void on_turn(Timer *timer) {
    Turns *turns = CONTAINER(timer, Turns, timer);
    uint64_t written = http_server_stats(turns->kit->server).bytes_out;
    if (written - turns->written > turns->most)
        turns->most = written - turns->written;
    turns->written = written;
    if (turns->left-- > 0)
        wheel_arm(world_wheel(turns->kit->world), timer, world_now(turns->kit->world));
}

static void on_watched_request(void *owner, HttpExchange *exchange) {
    Turns *turns = owner;
    kit_request(turns->kit, exchange);
    wheel_arm(world_wheel(turns->kit->world), &turns->timer, world_now(turns->kit->world));
}

/* A connection that could write much in one turn shares the turn with others. */
static void test_share_of_a_turn(void **state) {
    static const SimulationOptions options = {.seed = 7, .window = (size_t)64 << 20};
    Kit kit = {.limits = HTTP_LIMITS};
    Raw raw;
    Buf bytes = {0};
    kit.simulation = simulation_new(&options);
    kit.world = simulation_world(kit.simulation);
    Turns turns = {.timer = {.fire = on_turn}, .kit = &kit, .left = 1000};
    kit.server = http_server_new(kit.world, &kit.limits, on_watched_request, &turns);
    raw_open(&raw, &kit);
    preface(&bytes);
    frame(&bytes, NGHTTP2_SETTINGS, 0, 0, SPAN("\0\4\x7f\xff\xff\xff")); /* INITIAL_WINDOW_SIZE */
    frame(&bytes, NGHTTP2_WINDOW_UPDATE, 0, 0, SPAN("\x7f\xff\0\0"));
    request(&bytes, 1, "/count/8000000", END_HEADERS | END_STREAM);
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_true(turns.written > 8000000);
    assert_in_range(turns.most, 1, (64 + 32) << 10);
    wheel_cancel(world_wheel(kit.world), &turns.timer);
    raw_done(&raw);
    buf_done(&bytes);
    kit_done(&kit);
}

static void test_slow_preface(void **state) {
    Kit kit;
    Raw raw;
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    raw_send(&raw, SPAN("PRI * HTTP/2.0\r\n"));
    kit_run(&kit, HTTP_LIMITS.handshake - NANOS_PER_SECOND);
    assert_false(raw_is_over(&raw));
    kit_run(&kit, 2 * NANOS_PER_SECOND);
    assert_true(raw_is_over(&raw));
    raw_done(&raw);
    kit_done(&kit);
}

static void test_no_settings(void **state) {
    Kit kit;
    Raw raw;
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    raw_send(&raw, SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    kit_run(&kit, HTTP_LIMITS.handshake + NANOS_PER_SECOND);
    assert_true(raw_is_over(&raw));
    raw_done(&raw);
    kit_done(&kit);
}

/* A header block whose end never comes. */
static void test_slow_headers(void **state) {
    Kit kit;
    Raw raw;
    Buf bytes = {0};
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    preface(&bytes);
    request(&bytes, 1, "/echo", 0);
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, HTTP_LIMITS.header - NANOS_PER_SECOND);
    assert_false(raw_is_over(&raw));
    kit_run(&kit, 3 * NANOS_PER_SECOND);
    assert_true(raw_is_over(&raw));
    assert_int_equal(kit.served, 0);
    raw_done(&raw);
    buf_done(&bytes);
    kit_done(&kit);
}

/* ---- the way it goes ---- */

/* The first GOAWAY refuses nothing; a request sent before it arrives is still served. */
static void test_two_step_goaway(void **state) {
    Kit kit;
    Raw raw;
    Buf bytes = {0};
    Span payload = {0};
    uint32_t stream = 0;
    size_t at = 0;
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    preface(&bytes);
    request(&bytes, 1, "/silent", END_HEADERS | END_STREAM);
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    http_server_drain(kit.server, 60 * NANOS_PER_SECOND, NULL, NULL);
    buf_clear(&bytes);
    request(&bytes, 3, "/early", END_HEADERS | END_STREAM);
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, 3 * NANOS_PER_SECOND);
    assert_int_equal(kit.served, 2);
    assert_true(find(&raw, NGHTTP2_GOAWAY, &at, &payload, &stream));
    assert_int_equal(number_at(payload, 0), INT32_MAX);
    assert_true(find(&raw, NGHTTP2_GOAWAY, &at, &payload, &stream));
    assert_int_equal(number_at(payload, 0), 3);
    assert_int_equal(number_at(payload, 4), NGHTTP2_NO_ERROR);
    raw_done(&raw);
    buf_done(&bytes);
    kit_done(&kit);
}

/* A complete response to an unfinished request is followed by RST_STREAM(NO_ERROR). */
static void test_early_response(void **state) {
    Kit kit;
    Raw raw;
    Buf bytes = {0};
    Span payload = {0};
    uint32_t stream = 0;
    size_t at = 0;
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    preface(&bytes);
    request(&bytes, 1, "/early", END_HEADERS);
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_true(find(&raw, NGHTTP2_DATA, &at, &payload, &stream));
    assert_span(payload, "early");
    assert_true(find(&raw, NGHTTP2_RST_STREAM, &at, &payload, &stream));
    assert_int_equal(number_at(payload, 0), NGHTTP2_NO_ERROR);
    assert_int_equal(kit.last_reason, HTTP_OK);
    /* What was on its way is no error. */
    buf_clear(&bytes);
    frame(&bytes, NGHTTP2_DATA, END_STREAM, 1, SPAN("late"));
    raw_send(&raw, buf_span(&bytes));
    kit_run(&kit, NANOS_PER_SECOND);
    assert_int_equal(goaway(&raw), -1);
    raw_done(&raw);
    buf_done(&bytes);
    kit_done(&kit);
}

/* The connection's window comes back in full, whether bodies are released or their exchanges
 * end before. */
static void test_window_accounting(void **state) {
    Kit kit;
    Raw raw;
    Buf bytes = {0};
    Span payload = {0};
    uint32_t stream = 0;
    size_t at = 0;
    char *data = calloc(1, 16384);
    uint64_t sent = 0, given = 0;
    kit_init(&kit, true, NULL);
    raw_open(&raw, &kit);
    preface(&bytes);
    for (uint32_t i = 0; i < 200; i++) {
        request(&bytes, 2 * i + 1, i % 3 ? "/early" : "/hold", END_HEADERS);
        frame(&bytes, NGHTTP2_DATA, 0, 2 * i + 1, span(data, 16384));
        number(&bytes, NGHTTP2_RST_STREAM, 2 * i + 1, NGHTTP2_CANCEL);
        sent += 16384;
        raw_send(&raw, buf_span(&bytes));
        buf_clear(&bytes);
        kit_run(&kit, NANOS_PER_SECOND / 20);
    }
    kit_run(&kit, NANOS_PER_SECOND);
    while (find(&raw, NGHTTP2_WINDOW_UPDATE, &at, &payload, &stream))
        given += stream == 0 ? number_at(payload, 0) : 0;
    uint64_t window = 4 * (uint64_t)HTTP_LIMITS.window;
    given -= window - 65535; /* the first one opens it */
    assert_int_equal(goaway(&raw), -1);
    assert_true(given <= sent && sent - given <= window / 2);
    raw_done(&raw);
    buf_done(&bytes);
    free(data);
    kit_done(&kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks),           cmocka_unit_test(test_no_attacks),
        cmocka_unit_test(test_busy_client),       cmocka_unit_test(test_streams_limit),
        cmocka_unit_test(test_window_exceeded),   cmocka_unit_test(test_no_reader),
        cmocka_unit_test(test_share_of_a_turn),   cmocka_unit_test(test_slow_preface),
        cmocka_unit_test(test_no_settings),       cmocka_unit_test(test_slow_headers),
        cmocka_unit_test(test_two_step_goaway),   cmocka_unit_test(test_early_response),
        cmocka_unit_test(test_window_accounting),
    };
    return cmocka_run_group_tests_name("http2", tests, NULL, NULL);
}
