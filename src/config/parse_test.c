#include "base/test.h"
#include "config/parse.h"

static void durations(void **state) {
    static const struct {
        const char *text, *back;
        Nanos value;
    } GOOD[] = {
        {"0", "0s", 0},
        {"10s", "10s", 10 * NANOS_PER_SECOND},
        {"1m30s", "1m30s", 90 * NANOS_PER_SECOND},
        {"500ms", "500ms", 500 * NANOS_PER_MILLI},
        {"1.5h", "1h30m", 5400 * NANOS_PER_SECOND},
        {"0.5s", "500ms", 500 * NANOS_PER_MILLI},
        {"2us", "2us", 2000},
        {"2µs", "2us", 2000},
        {"90s", "1m30s", 90 * NANOS_PER_SECOND},
        {"7d", "7d", 7 * 86400 * NANOS_PER_SECOND},
        {"1d2h3m4s5ms6us7ns", "1d2h3m4s5ms6us7ns",
         (((26 * 60 + 3) * 60 + 4) * NANOS_PER_SECOND) + 5006007},
    };
    static const char *const BAD[] = {"",       "10", "s",   "10 s", "-1s", "1s1s",     "1s1m",
                                      "1.2.3s", "1x", "s10", "1e3s", "1s ", "99999999d"};
    char text[DURATION_MAX];
    Nanos value;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        if (!parse_duration(span_of(GOOD[i].text), &value) || value != GOOD[i].value)
            fail_msg("%s", GOOD[i].text);
        assert_span(span(text, format_duration(text, value)), GOOD[i].back);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (parse_duration(span_of(BAD[i]), &value))
            fail_msg("accepted: '%s'", BAD[i]);
}

static void sizes(void **state) {
    static const struct {
        const char *text, *back;
        int64_t value;
    } GOOD[] = {
        {"512", "512", 512},
        {"64KiB", "64KiB", 65536},
        {"64K", "64KiB", 65536},
        {"1.5GiB", "1536MiB", INT64_C(1536) << 20},
        {"2G", "2GiB", INT64_C(2) << 30},
        {"10MB", "10000000", 10000000},
        {"10 MB", "10000000", 10000000},
        {"0", "0", 0},
    };
    static const char *const BAD[] = {"", "MiB", "-1", "10 bananas", "1 2", "99999999TiB"};
    char text[SIZE_TEXT_MAX];
    int64_t value;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        if (!parse_size(span_of(GOOD[i].text), &value) || value != GOOD[i].value)
            fail_msg("%s", GOOD[i].text);
        assert_span(span(text, format_size(text, value)), GOOD[i].back);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (parse_size(span_of(BAD[i]), &value))
            fail_msg("accepted: '%s'", BAD[i]);
}

static void signals(void **state) {
    char text[16];
    int32_t number;
    assert_true(parse_signal(SPAN("SIGTERM"), &number) && number == 15);
    assert_true(parse_signal(SPAN("INT"), &number) && number == 2);
    assert_true(parse_signal(SPAN("9"), &number) && number == 9);
    assert_span(span(text, format_signal(text, 1)), "SIGHUP");
    assert_false(parse_signal(SPAN("TREM"), &number));
    assert_false(parse_signal(SPAN("0"), &number));
    assert_false(parse_signal(SPAN("SIG"), &number));
    assert_false(parse_signal(SPAN(""), &number));
}

static ConfigCron cron(const char *text) {
    ConfigCron cron;
    const char *wrong = parse_cron(span_of(text), &cron);
    if (wrong)
        fail_msg("%s: %s", text, wrong);
    return cron;
}

static void schedules(void **state) {
    ConfigCron every = cron("* * * * *");
    assert_true(every.minutes == (UINT64_C(1) << 60) - 1 && every.hours == (1u << 24) - 1);
    assert_true(every.days == 0xFFFFFFFEu && every.months == 0x1FFE && every.weekdays == 0x7F);
    assert_true(every.any_day && every.any_weekday);
    ConfigCron night = cron("30 3 * * mon-fri");
    assert_true(night.minutes == UINT64_C(1) << 30 && night.hours == 1u << 3);
    assert_true(night.weekdays == 0x3E && night.any_day && !night.any_weekday);
    assert_true(cron("*/15 0 1,15 JAN-mar/2 *").minutes ==
                (1 | UINT64_C(1) << 15 | UINT64_C(1) << 30 | UINT64_C(1) << 45));
    assert_true(cron("0 0 1,15 JAN-mar/2 *").months == (1 << 1 | 1 << 3));
    assert_true(cron("0 0 * * 7").weekdays == 1 && cron("0 0 * * 5-7").weekdays == 0x61);
    assert_true(cron("10/20 * * * *").minutes ==
                (UINT64_C(1) << 10 | UINT64_C(1) << 30 | UINT64_C(1) << 50));
    assert_true(cron("@daily").hours == 1 && cron("  5  4  *  *  *  ").hours == 1u << 4);
    static const char *const BAD[] = {
        "",           "* * * *",   "* * * * * *",  "60 * * * *", "1- * * * *", "/5 * * * *",
        "1/ * * * *", "a * * * *", "1,,2 * * * *", "* * 0 * *",  "@never",     "*5 * * * *"};
    ConfigCron unused;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (!parse_cron(span_of(BAD[i]), &unused))
            fail_msg("accepted: '%s'", BAD[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(signals),
        cmocka_unit_test(schedules),
    };
    return cmocka_run_group_tests_name("config/parse", tests, NULL, NULL);
}
