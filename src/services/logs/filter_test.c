#include "services/logs/filter.h"

#include "base/test.h"
#include "services/logs/fold.h"
#include "services/logs/line.h"

#define NOW (INT64_C(1795243931) * NANOS_PER_SECOND)

/* The entry of a line of JSON, with a service and a run. */
static bool matches(const char *line, const char *service, const char *json) {
    Filter *filter;
    FilterError error;
    if (filter_parse(span_of(line), NOW, &filter, &error) < 0)
        fail_msg("%s: column %zu: %s", line, error.column, error.reason);
    Arena arena = {0};
    RtLogEntry entry = {.service_name = span_of(service),
                        .instance = SPAN("calc-0-7"),
                        .run = 7,
                        .stream = RT_LOG_STREAM_STDERR};
    line_parse(span_of(json), NOW - 60 * NANOS_PER_SECOND, NULL, &arena, &entry);
    bool yes = filter_matches(filter, &entry, 8);
    /* What is told at a glance is never the contrary. */
    FilterGlance glance = {
        .service = entry.service_name,
        .instance = entry.instance,
        .time = entry.timestamp * NANOS_PER_MILLI + entry.nanoseconds,
        .run = entry.run,
        .last_run = 8,
        .level = entry.level,
        .stream = entry.stream,
        .raw = span_of(json),
    };
    FilterGuess guess = filter_glance(filter, &glance);
    if (guess == (yes ? FILTER_NO : FILTER_YES))
        fail_msg("'%s' at a glance is wrong of '%s'", line, json);
    glance.raw = (Span){NULL, 0};
    guess = filter_glance(filter, &glance);
    if (guess == (yes ? FILTER_NO : FILTER_YES))
        fail_msg("'%s' without the bytes is wrong of '%s'", line, json);
    filter_free(filter);
    arena_done(&arena);
    return yes;
}

static const char ENTRY[] =
    "{\"level\":\"error\",\"msg\":\"GET /api/users Timeout \\\"x\\\" 5 tries, "
    "Gr\xc3\xbc\xc3\x9f"
    "e\",\"http\":{\"status\":503},\"user\":\"Bob\",\"a.b\":1.50,\"request_id\":\"req-9\"}";
static const char *const YES[] = {
    "",
    "  ",
    "timeout",
    "TIMEOUT",
    "\"timeout \\\"X\\\"\"",
    "service:calc",
    "service:CALC",
    "service:c*",
    "service:x,calc",
    "level:error",
    "level>=warn",
    "level>warn",
    "level<=fatal",
    "@http.status:503",
    "@http.status>=500",
    "@http.status<504",
    "@user:bob",
    "@user:B*",
    "@a.b:1.5",
    "@user",
    "@user:*",
    "@user:/^B/",
    "@http",
    "/T[a-z]+t/",
    "/timeout/i",
    "/api\\/users/",
    "/api/users",
    "corr:req-9",
    "run:7",
    "run:-2",
    "run>=7",
    "run<8",
    "stream:stderr",
    "stream:stdout,stderr",
    "instance:calc-0-7",
    "instance:calc-*",
    "since:2m",
    "until:30s",
    "time>2026-11-21",
    "-other",
    "NOT other",
    "-service:x",
    "timeout level:error",
    "timeout AND level:error",
    "nothing OR timeout",
    "(nothing OR timeout) level:error",
    "-(qq OR nothing2 zzz)",
    ("gr\xc3\x9c\xc3\x9f"
     "e"),
    "http://x OR timeout",
    "\"\"",
    "@missing:1 OR -@missing",
};
static const char *const NO[] = {
    "tomeout",
    "service:cal",
    "level:warn",
    "level<error",
    "@http.status:500",
    "@user:bo",
    "@missing",
    "/TIMEOUT/",
    "corr:req-",
    "run:8",
    "run:-1",
    "stream:stdout",
    "since:30s",
    "until:2m",
    "-timeout",
    "timeout nothing",
    "timeout -level:error",
    "-(timeout)",
    "@user:\"B*\"",
    "instance:calc",
};

static void test_what_matches(void **state) {
    for (size_t i = 0; i < sizeof YES / sizeof *YES; i++)
        if (!matches(YES[i], "calc", ENTRY))
            fail_msg("'%s' does not match", YES[i]);
    for (size_t i = 0; i < sizeof NO / sizeof *NO; i++)
        if (matches(NO[i], "calc", ENTRY))
            fail_msg("'%s' matches", NO[i]);
}

static void test_mistakes_have_columns(void **state) {
    static const struct {
        const char *line;
        size_t column;
    } CASES[] = {
        {"a servce:x", 3},
        {"level:loud", 7},
        {"level>=", 8},
        {"a \"open", 3},
        {"(a OR b", 1},
        {"a) b", 2},
        {"a OR", 5},
        {"()", 2},
        {"/[/ x", 1},
        {"\xc3\xa9\xc3\xa9 /(/", 4},
        {"@:1", 1},
        {"service>=x", 8},
        {"run:first", 5},
        {"since:whenever", 7},
        {"stream:x", 8},
        {"NOT", 1},
        {"a AND", 3},
        {"/endless path", 1},
        {"level:info,loud", 12},
        {"@a~b", 3},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Filter *filter;
        FilterError error;
        if (filter_parse(span_of(CASES[i].line), NOW, &filter, &error) == 0)
            fail_msg("'%s' is taken", CASES[i].line);
        if (error.column != CASES[i].column)
            fail_msg("'%s': column %zu: %s", CASES[i].line, error.column, error.reason);
    }
}

static void test_bounds(void **state) {
    Buf line = {0};
    Filter *filter;
    FilterError error;
    for (int i = 0; i < 100; i++)
        buf_add_literal(&line, "-(");
    assert_true(filter_parse(buf_span(&line), NOW, &filter, &error) < 0);
    buf_clear(&line);
    for (int i = 0; i < 300; i++)
        buf_add_literal(&line, "a ");
    assert_true(filter_parse(buf_span(&line), NOW, &filter, &error) < 0);
    buf_clear(&line);
    for (int i = 0; i < 5000; i++)
        buf_add_char(&line, 'a');
    assert_true(filter_parse(buf_span(&line), NOW, &filter, &error) < 0);
    assert_true(filter_parse(SPAN("\xff"), NOW, &filter, &error) < 0);
    buf_done(&line);
}

static void test_folded_search(void **state) {
    TestRandom random = test_random();
    char text[100], needle[8];
    for (int round = 0; round < 20000; round++) {
        size_t len = test_random_below(&random, sizeof text), want = test_random_below(&random, 7);
        for (size_t i = 0; i < len; i++)
            text[i] = "aAbB"[test_random_below(&random, 4)];
        for (size_t i = 0; i < want; i++)
            needle[i] = "ab"[test_random_below(&random, 2)];
        bool found = false;
        for (size_t at = 0; at + want <= len && !found; at++)
            found = fold_equal(span(text + at, want), span(needle, want));
        assert_int_equal(fold_contains(span(text, len), span(needle, want)), found);
    }
    assert_true(fold_glob(SPAN("calc-server"), SPAN("*-s*r")));
    assert_false(fold_glob(SPAN("calc-server"), SPAN("*-s*x")));
    assert_true(fold_glob(SPAN(""), SPAN("**")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_matches),
        cmocka_unit_test(test_mistakes_have_columns),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_folded_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
