#include "base/log.h"

#include <time.h>
#include <unistd.h>

#include "base/test.h"
#include "base/text.h"

/* 2026-11-21T12:34:56.789012345Z */
#define INSTANT INT64_C(1795264496789012345)

#define FORMAT(out, form, level, message, ...)                                                     \
    log_format(out, form, INSTANT, level, message, (LogField[]){__VA_ARGS__},                      \
               sizeof((LogField[]){__VA_ARGS__}) / sizeof(LogField))

static int in_utc(void **state) {
    (void)state;
    setenv("TZ", "UTC0", 1);
    tzset();
    return 0;
}

static void for_people(void **state) {
    (void)state;
    Buf out = {0};
    FORMAT(&out, LOG_HUMAN, LOG_INFO, "it is \"up\"", log_text("address", SPAN("127.0.0.1:80")),
           log_text("words", SPAN("two words")), log_text("none", (Span){0}),
           log_text("quote", SPAN("a\"b\\c")), log_int("count", -3), log_double("share", 0.25),
           log_bool("done", true));
    assert_span(
        buf_span(&out),
        "12:34:56.789 INFO  it is \"up\" address=127.0.0.1:80 words=\"two words\" none=\"\" "
        "quote=\"a\\\"b\\\\c\" count=-3 share=0.25 done=true\n");
    buf_clear(&out);
    FORMAT(&out, LOG_HUMAN, LOG_ERROR, "two\nlines\033[0m", log_text("raw", SPAN("\033[31m")),
           log_text("bad", SPAN("\xff")), log_text("tab", SPAN("a\tb")));
    assert_span(buf_span(&out), "12:34:56.789 ERROR two\\nlines\\u001b[0m raw=\"\\u001b[31m\" "
                                "bad=\"\xef\xbf\xbd\" tab=\"a\\tb\"\n");
    buf_done(&out);
}

static void in_colour(void **state) {
    (void)state;
    Buf out = {0};
    FORMAT(&out, LOG_HUMAN_COLOUR, LOG_WARN, "late", log_int("by", 5));
    assert_span(buf_span(&out), "\033[2m12:34:56.789\033[0m \033[33mWARN \033[0m late "
                                "\033[2mby=\033[0m5\n");
    buf_done(&out);
}

static void for_machines(void **state) {
    (void)state;
    Buf out = {0};
    FORMAT(&out, LOG_JSON, LOG_DEBUG, "a \"b\" \\ c\n", log_text("text", SPAN("\xc3\xa9\t\x01")),
           log_int("int", INT64_MIN), log_double("double", 1e21), log_bool("bool", false),
           log_double("nan", __builtin_nan("")), log_double("more", __builtin_inf()),
           log_double("less", -__builtin_inf()), log_text("bad", SPAN("a\xc3(\xed\xa0\x80")));
    assert_span(buf_span(&out),
                "{\"time\":\"2026-11-21T12:34:56.789012Z\",\"level\":\"debug\","
                "\"message\":\"a \\\"b\\\" \\\\ c\\n\",\"text\":\"\xc3\xa9\\t\\u0001\","
                "\"int\":-9223372036854775808,\"double\":1e+21,\"bool\":false,\"nan\":\"NaN\","
                "\"more\":\"Infinity\",\"less\":\"-Infinity\","
                "\"bad\":\"a\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}\n");
    buf_done(&out);
}

/* One line of UTF-8 without control characters, in which all quotes are closed. */
static void check_line(Span line, bool json) {
    assert_true(utf8_valid(line));
    assert_int_equal(line.ptr[line.len - 1], '\n');
    bool quoted = false;
    for (size_t i = 0; i + 1 < line.len; i++) {
        assert_true((unsigned char)line.ptr[i] >= 0x20 && line.ptr[i] != 0x7f);
        if (quoted && line.ptr[i] == '\\') {
            i++;
            assert_non_null(strchr("\"\\ntru", line.ptr[i]));
        } else if (line.ptr[i] == '"') {
            quoted = !quoted;
        }
    }
    assert_false(quoted);
    assert_true(!json || line.ptr[line.len - 2] == '}');
}

static void any_bytes_make_one_valid_line(void **state) {
    (void)state;
    TestRandom random = test_random();
    Buf out = {0};
    for (int round = 0; round < 20000; round++) {
        char bytes[40], message[40];
        size_t len = test_random_below(&random, sizeof bytes);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char)test_random_bits(&random);
            message[i] = (char)(bytes[i] == '"' || bytes[i] == 0 ? 'x' : bytes[i]);
        }
        message[len] = '\0';
        for (LogForm form = LOG_HUMAN; form <= LOG_JSON; form += 2) {
            buf_clear(&out);
            FORMAT(&out, form, LOG_INFO, message, log_text("bytes", span(bytes, len)));
            check_line(buf_span(&out), form == LOG_JSON);
        }
    }
    buf_done(&out);
}

static void writes_at_once_what_is_enabled(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, 0), 0);
    log_setup(ends[1], LOG_JSON, LOG_WARN);
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_enabled(LOG_WARN));
    assert_true(log_enabled(LOG_FATAL));
    int evaluated = 0;
    log_info("hidden", log_int("evaluated", evaluated++));
    log_warn("bare");
    log_error("shown", log_int("evaluated", evaluated++), log_bool("yes", true));
    assert_int_equal(evaluated, 1);
    char read_back[1000];
    ssize_t len = read(ends[0], read_back, sizeof read_back);
    assert_true(len > 0);
    read_back[len] = '\0';
    assert_null(strstr(read_back, "hidden"));
    assert_non_null(strstr(read_back, "\"level\":\"warn\",\"message\":\"bare\"}\n{"));
    assert_non_null(strstr(read_back, "\"message\":\"shown\",\"evaluated\":0,\"yes\":true}\n"));
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_people),
        cmocka_unit_test(in_colour),
        cmocka_unit_test(for_machines),
        cmocka_unit_test(any_bytes_make_one_valid_line),
        cmocka_unit_test(writes_at_once_what_is_enabled),
    };
    return cmocka_run_group_tests(tests, in_utc, NULL);
}
