/* Lines as programs of many makes print them. */
#include "services/logs/line.h"

#include "base/test.h"
#include "schema/json.h"
#include "services/logs/clean.h"
#include "services/logs/lines.h"

#define ARRIVAL (INT64_C(1795243931) * NANOS_PER_SECOND)

typedef struct Case {
    const char *raw;
    RtLogLevel level;
    const char *message; /* NULL: like raw */
    const char *id;
    int64_t timestamp;      /* 0: of arrival */
    const char *attributes; /* as JSON; NULL: none */
} Case;

#define TRACE RT_LOG_LEVEL_TRACE
#define DEBUG RT_LOG_LEVEL_DEBUG
#define INFO  RT_LOG_LEVEL_INFO
#define WARN  RT_LOG_LEVEL_WARN
#define ERROR RT_LOG_LEVEL_ERROR
#define FATAL RT_LOG_LEVEL_FATAL

static const Case CASES[] = {
    /* JSON: pino, bunyan, zap, logrus, slog, winston, serilog, ECS, Google, structlog, GELF */
    {"{\"level\":30,\"time\":1700000000123,\"pid\":7,\"hostname\":\"h\",\"msg\":\"up\"}", INFO,
     "up", NULL, 1700000000123, "{\"pid\":7,\"hostname\":\"h\"}"},
    {"{\"name\":\"a\",\"level\":50,\"msg\":\"boom\",\"v\":0}", ERROR, "boom", NULL, 0,
     "{\"name\":\"a\",\"v\":0}"},
    {"{\"level\":\"warn\",\"ts\":1700000000.5,\"caller\":\"a.go:1\",\"msg\":\"slow\"}", WARN,
     "slow", NULL, 1700000000500, "{\"caller\":\"a.go:1\"}"},
    {"{\"level\":\"fatal\",\"msg\":\"bye\",\"time\":\"2023-11-14T22:13:20Z\"}", FATAL, "bye", NULL,
     1700000000000, NULL},
    {"{\"time\":\"2023-11-14T22:13:20.25+01:00\",\"level\":\"INFO\",\"msg\":\"m\",\"a\":{\"b\":1}}",
     INFO, "m", NULL, 1699996400250, "{\"a\":{\"b\":1}}"},
    {"{\"message\":\"w\",\"level\":\"debug\",\"requestId\":\"r-7\"}", DEBUG, "w", "r-7", 0, NULL},
    {"{\"@t\":\"2023-11-14T22:13:20Z\",\"@mt\":\"Hi {x}\",\"@l\":\"Warning\",\"x\":2}", WARN,
     "Hi {x}", NULL, 1700000000000, "{\"x\":2}"},
    {"{\"@timestamp\":\"2023-11-14T22:13:20Z\",\"log.level\":\"ERROR\",\"message\":\"e\",\"trace."
     "id\":"
     "\"t1\"}",
     ERROR, "e", "t1", 1700000000000, NULL},
    {"{\"severity\":\"CRITICAL\",\"message\":\"c\"}", FATAL, "c", NULL, 0, NULL},
    {"{\"event\":\"logged in\",\"level\":\"info\",\"user\":\"bob\"}", INFO, "logged in", NULL, 0,
     "{\"user\":\"bob\"}"},
    {"{\"version\":\"1.1\",\"short_message\":\"g\",\"level\":3}", ERROR, "g", NULL, 0,
     "{\"version\":\"1.1\"}"},
    {"{\"msg\":\"a\\nb\",\"correlation_id\":\"c-1\"}", INFO, "a\nb", "c-1", 0, NULL},
    {"{\"no\":\"message\"}", INFO, NULL, NULL, 0, "{\"no\":\"message\"}"},
    {"{broken", INFO, NULL, NULL, 0, NULL},
    {"{\"a\":1,\"a\":2}", INFO, NULL, NULL, 0, NULL},
    /* logfmt */
    {"level=info msg=\"it is \\\"up\\\"\" port=80 tls=true", INFO, "it is \"up\"", NULL, 0,
     "{\"port\":80,\"tls\":true}"},
    {"time=2023-11-14T22:13:20Z level=ERROR msg=failed trace_id=abc err=\"no route\"", ERROR,
     "failed", "abc", 1700000000000, "{\"err\":\"no route\"}"},
    {"a=b and words", INFO, NULL, NULL, 0, NULL},
    /* plain */
    {"listening on 8080", INFO, NULL, NULL, 0, NULL},
    {"E1114 22:13:20.123456    7 main.go:9] no", ERROR, NULL, NULL, 0, NULL},
    {"<3>out of paper", ERROR, "out of paper", NULL, 0, NULL},
    {"<134>hello", INFO, "hello", NULL, 0, NULL},
    {"2023-11-14 22:13:20,123 WARNING root: low", WARN, NULL, NULL, 0, NULL},
    {"2023-11-14T22:13:20.5Z  DEBUG my::crate: x", DEBUG, NULL, NULL, 1700000000500, NULL},
    {"WARNING:root:careful", WARN, NULL, NULL, 0, NULL},
    {"[2023-11-14 22:13:20] [error] worker died", ERROR, NULL, NULL, 0, NULL},
    {"2023/11/14 22:13:20 [warn] 7#7: *1 upstream", WARN, NULL, NULL, 0, NULL},
    {"npm ERR! code 1", ERROR, NULL, NULL, 0, NULL},
    {"error: linking failed", ERROR, NULL, NULL, 0, NULL},
    {"error[E0308]: mismatched types", ERROR, NULL, NULL, 0, NULL},
    {"warning: unused variable", WARN, NULL, NULL, 0, NULL},
    {"TypeError: x is not a function", ERROR, NULL, NULL, 0, NULL},
    {"java.lang.IllegalStateException: no", ERROR, NULL, NULL, 0, NULL},
    {"panic: runtime error: index out of range", FATAL, NULL, NULL, 0, NULL},
    {"thread 'main' panicked at src/main.rs:2:5:", FATAL, NULL, NULL, 0, NULL},
    {"Traceback (most recent call last):", ERROR, NULL, NULL, 0, NULL},
    {"[I 2023-11-14 22:13:20.123 app] started", INFO, NULL, NULL, 0, NULL},
    {"D/Tag: details", DEBUG, NULL, NULL, 0, NULL},
    {"22:13:20.123 [main] TRACE c.a.B - deep", TRACE, NULL, NULL, 0, NULL},
    {"there was no error at all", INFO, NULL, NULL, 0, NULL},
    {"the info desk is open", INFO, NULL, NULL, 0, NULL},
    {"req-123 Calling Add(2,3)", INFO, NULL, "req-123", 0, NULL},
    {"done request_id=77-a in 3ms", INFO, NULL, "77-a", 0, NULL},
    {"X-Correlation-Id: abc.def, ok", INFO, NULL, "abc.def", 0, NULL},
    /* what only a terminal understands */
    {"\x1b[32mINFO\x1b[0m  green", INFO, "INFO  green", NULL, 0, NULL},
    {"\x1b]0;title\x07text\x1b(B", INFO, "text", NULL, 0, NULL},
    {"10%\r50%\r100%", INFO, "100%", NULL, 0, NULL},
    {"a\bbc", INFO, "bc", NULL, 0, NULL},
    {"caf\xc3\xa9 \xff!", INFO, "caf\xc3\xa9 \xef\xbf\xbd!", NULL, 0, NULL},
    {"", INFO, NULL, NULL, 0, NULL},
};

static void test_lines_of_many_makes(void **state) {
    Arena arena = {0};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const Case *one = &CASES[i];
        RtLogEntry entry = {0};
        line_parse(span_of(one->raw), ARRIVAL, NULL, &arena, &entry);
        if (entry.level != (int32_t)one->level)
            fail_msg("'%s' has level %d", one->raw, entry.level);
        assert_span(entry.message, one->message ? one->message : one->raw);
        assert_span(entry.correlation_id, one->id ? one->id : "");
        int64_t wanted = one->timestamp ? one->timestamp : ARRIVAL / NANOS_PER_MILLI;
        if (entry.timestamp != wanted)
            fail_msg("'%s' has time %lld", one->raw, (long long)entry.timestamp);
        Buf json = {0};
        if (entry.attributes)
            assert_int_equal(
                schema_json_encode(&PbStruct_type, entry.attributes, NULL, &json, NULL), 0);
        assert_span(buf_span(&json), one->attributes ? one->attributes : "");
        buf_done(&json);
        arena_reset(&arena);
    }
    arena_done(&arena);
}

static void test_secrets(void **state) {
    Arena arena = {0};
    Mask *mask;
    Buf reason = {0};
    Span values[] = {SPAN("hunter2"), SPAN("hunter22"), SPAN("abc"), SPAN("a.b*c")};
    Span patterns[] = {SPAN("Bearer [A-Za-z0-9]+")};
    assert_int_equal(mask_new(values, 4, patterns, 1, &mask, &reason), 0);
    RtLogEntry entry = {0};
    line_parse(SPAN("{\"msg\":\"pw hunter22 hunter2 abc a.b*c aXbbc\",\"h\":\"Bearer x9\"}"),
               ARRIVAL, mask, &arena, &entry);
    assert_span(entry.message, "pw ******** ******* abc ***** aXbbc");
    assert_span(entry.attributes->fields.items[0].value->string_value, "*********");
    mask_free(mask);
    Span bad[] = {SPAN("(")};
    assert_true(mask_new(NULL, 0, bad, 1, &mask, &reason) < 0);
    assert_true(reason.len > 0);
    buf_done(&reason);
    arena_done(&arena);
}

static void test_long_lines_are_cut(void **state) {
    Arena arena = {0};
    Buf line = {0};
    for (size_t i = 0; i < LINE_MESSAGE_MAX / 2 + 10; i++)
        buf_add_literal(&line, "\xc3\xa9");
    RtLogEntry entry = {0};
    line_parse(buf_span(&line), ARRIVAL, NULL, &arena, &entry);
    assert_true(entry.message.len <= LINE_MESSAGE_MAX);
    assert_span(span(span_end(entry.message) - 4, 4), CLEAN_CUT_MARK);
    buf_done(&line);
    arena_done(&arena);
}

/* ---- lines that belong together: entries are divided by "|" ---- */

static void assert_entries(const char *const *entries) {
    Buf text = {0};
    for (size_t i = 0; entries[i]; i++)
        buf_printf(&text, "%s\n", entries[i]);
    /* In pieces of every size. */
    for (size_t piece = 1; piece < text.len + 2; piece += 1 + piece / 3) {
        Lines lines = {0};
        Arena arena = {0};
        LinesEntry entry;
        size_t begin = 0, end = 0, found = 0;
        while (end < text.len || begin < end) {
            bool all = end + piece >= text.len;
            end = all ? text.len : end + piece;
            while (lines_next(&lines, span(text.ptr + begin, end - begin),
                              all ? LINES_ENDED : LINES_COMING, &arena, &entry)) {
                if (!entries[found])
                    fail_msg("'%.*s' too much", SPAN_ARGS(entry.text));
                assert_span(entry.text, entries[found]);
                found++;
                begin += entry.size;
            }
            if (all)
                break;
        }
        if (entries[found])
            fail_msg("'%s' is missing", entries[found]);
        arena_done(&arena);
    }
    buf_done(&text);
}
#define ASSERT_ENTRIES(...) assert_entries((const char *const[]){__VA_ARGS__, NULL})

static void test_traces_stay_together(void **state) {
    ASSERT_ENTRIES("one", "", "two", "three");
    ASSERT_ENTRIES("ERROR it failed\nTraceback (most recent call last):\n  File \"a\", line 1\n    "
                   "f()\nValueError: bad\n\nDuring handling of the above exception, another "
                   "exception occurred:\n\nTraceback (most recent call last):\n  File \"b\"\n"
                   "KeyError: 'x'",
                   "next");
    ASSERT_ENTRIES("Traceback (most recent call last):\n  File \"a\", line 1\nValueError: bad", "",
                   "after");
    ASSERT_ENTRIES(
        "Exception in thread \"main\" java.lang.RuntimeException: a\n\tat x.Y.z(Y.java:1)\n"
        "Caused by: java.io.IOException: b\n\t... 3 more",
        "next");
    ASSERT_ENTRIES("/app/x.js:3\n    throw new TypeError('no')\n    ^\n\nTypeError: no\n    at f "
                   "(/app/x.js:3:9)",
                   "", "Node.js v20.1.0");
    ASSERT_ENTRIES("panic: oh no\n\ngoroutine 1 [running]:\nmain.f(0x1)\n\t/app/main.go:3 +0x1d\n"
                   "created by main.main in goroutine 1\n\t/app/main.go:9\nexit status 2",
                   "next line");
    ASSERT_ENTRIES(
        "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nnote: run with "
        "`RUST_BACKTRACE=1` environment variable to display a backtrace",
        "next");
    ASSERT_ENTRIES("{\n  \"a\": 1\n}", "{\"b\":2}", "  indented below nothing of it");
    ASSERT_ENTRIES("PHP Fatal error:  x in /a.php:3\nStack trace:\n#0 {main}\n  thrown in /a.php",
                   "y");
}

static void test_cut_lines(void **state) {
    Buf text = {0};
    for (size_t i = 0; i < LINES_BYTES_MAX * 2 + 5; i++)
        buf_add_char(&text, 'x');
    buf_add_literal(&text, "\n  next\n");
    Lines lines = {0};
    Arena arena = {0};
    LinesEntry entry;
    Span rest = buf_span(&text);
    static const struct {
        size_t size;
        bool cut, remains;
    } WANTED[] = {{LINES_BYTES_MAX, true, false},
                  {LINES_BYTES_MAX, true, true},
                  {6, false, true},
                  {7, false, false}};
    for (size_t i = 0; i < 4; i++) {
        assert_true(lines_next(&lines, rest, LINES_ENDED, &arena, &entry));
        assert_int_equal(entry.size, WANTED[i].size);
        assert_int_equal(entry.cut, WANTED[i].cut);
        assert_int_equal(entry.remains, WANTED[i].remains);
        rest = span_skip(rest, entry.size);
    }
    assert_false(lines_next(&lines, rest, LINES_ENDED, &arena, &entry));
    arena_done(&arena);
    buf_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_of_many_makes), cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_long_lines_are_cut),  cmocka_unit_test(test_traces_stay_together),
        cmocka_unit_test(test_cut_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
