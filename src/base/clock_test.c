#include "base/clock.h"

#include <time.h>

#include "base/test.h"

static void agrees_with_the_c_library(void **state) {
    (void)state;
    TestRandom random = test_random();
    uint64_t range = (uint64_t)(RFC3339_SECONDS_MAX - RFC3339_SECONDS_MIN) + 1;
    for (int round = 0; round < 100000; round++) {
        int64_t seconds = RFC3339_SECONDS_MIN + (int64_t)test_random_below(&random, range), back;
        int32_t nanos = (int32_t)test_random_below(&random, 1000000000), back_nanos;
        time_t time = (time_t)seconds;
        struct tm utc;
        gmtime_r(&time, &utc);
        char wanted[80], out[RFC3339_MAX];
        snprintf(wanted, sizeof wanted, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", utc.tm_year + 1900,
                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)nanos);
        size_t len = format_rfc3339(out, seconds, nanos, 9);
        assert_true(len <= RFC3339_MAX);
        assert_span(span(out, len), wanted);
        assert_true(parse_rfc3339(span(out, len), &back, &back_nanos));
        assert_int_equal(back, seconds);
        assert_int_equal(back_nanos, nanos);
    }
}

static void fraction_digits(void **state) {
    (void)state;
    static const struct {
        int32_t nanos;
        int digits;
        const char *text;
    } cases[] = {
        {0, -1, "1970-01-01T00:00:00Z"},
        {10000000, -1, "1970-01-01T00:00:00.010Z"},
        {10000, -1, "1970-01-01T00:00:00.000010Z"},
        {10, -1, "1970-01-01T00:00:00.000000010Z"},
        {999999999, 0, "1970-01-01T00:00:00Z"},
        {999999999, 3, "1970-01-01T00:00:00.999Z"},
        {999999999, 6, "1970-01-01T00:00:00.999999Z"},
        {0, 9, "1970-01-01T00:00:00.000000000Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[RFC3339_MAX];
        size_t len = format_rfc3339(out, 0, cases[i].nanos, cases[i].digits);
        assert_span(span(out, len), cases[i].text);
    }
}

static void reads_offsets_and_fractions(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"1970-01-01T00:00:00+00:00", 0, 0},
        {"1970-01-01T00:00:00-00:00", 0, 0},
        {"1970-01-01T01:30:00.5+01:30", 0, 500000000},
        {"1969-12-31T18:30:00.123456789-05:30", 0, 123456789},
        {"2000-02-29T12:00:00Z", 951825600, 0},
        {"2024-02-29T23:59:59.000000001Z", 1709251199, 1},
        {"0001-01-01T00:00:00Z", RFC3339_SECONDS_MIN, 0},
        {"0001-01-01T23:59:00+23:59", RFC3339_SECONDS_MIN, 0},
        {"9999-12-31T23:59:59.999999999Z", RFC3339_SECONDS_MAX, 999999999},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t seconds;
        int32_t nanos;
        if (!parse_rfc3339(span_of(cases[i].text), &seconds, &nanos))
            fail_msg("%s", cases[i].text);
        assert_int_equal(seconds, cases[i].seconds);
        assert_int_equal(nanos, cases[i].nanos);
    }
}

static void refuses_the_rest(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "1970",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01 00:00:00Z",
        "1970-01-01t00:00:00Z",
        "1970-01-01T00:00:00z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00,5Z",
        "1970-01-01T00:00:00.0123456789Z",
        "1970-01-01T00:00:00Z ",
        "1970-01-01T00:00:00ZZ",
        "1970-01-01T00:00:00+1:00",
        "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+00:60",
        "1970-01-01T00:00:00+00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "1970-13-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
        "-001-01-01T00:00:00Z",
        "+970-01-01T00:00:00Z",
    };
    int64_t seconds = 5;
    int32_t nanos = 5;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (parse_rfc3339(span_of(bad[i]), &seconds, &nanos))
            fail_msg("'%s' is taken for a time", bad[i]);
    const Span good = SPAN("1970-01-01T00:00:00.5+00:00");
    for (size_t len = 0; len < good.len; len++)
        assert_false(parse_rfc3339(span(good.ptr, len), &seconds, &nanos));
    assert_int_equal(seconds, 5);
    assert_int_equal(nanos, 5);
}

static void leap_days_of_all_years(void **state) {
    (void)state;
    for (int year = 1; year <= 9999; year++) {
        char text[40];
        int64_t seconds;
        int32_t nanos;
        snprintf(text, sizeof text, "%04d-02-29T00:00:00Z", year);
        struct tm day = {.tm_year = year - 1900, .tm_mon = 1, .tm_mday = 29};
        int64_t wanted = timegm(&day); /* the first of March where there is no such day */
        assert_int_equal(parse_rfc3339(span_of(text), &seconds, &nanos), day.tm_mon == 1);
        assert_true(day.tm_mon != 1 || seconds == wanted);
    }
}

static void monotonic_time_does_not_step_back(void **state) {
    (void)state;
    Nanos before = clock_monotonic();
    for (int i = 0; i < 1000; i++) {
        Nanos now = clock_monotonic();
        assert_true(now >= before);
        before = now;
    }
}

static void wall_time_is_the_systems(void **state) {
    (void)state;
    Nanos before = (Nanos)time(NULL) * NANOS_PER_SECOND;
    Nanos wall = clock_wall();
    /* time() may lag by the length of a clock tick. */
    assert_true(wall >= before - NANOS_PER_SECOND);
    assert_true(wall <= ((Nanos)time(NULL) + 2) * NANOS_PER_SECOND);
}

static void milliseconds_stay_within(void **state) {
    assert_int_equal(nanos_of_millis(-5), -5 * NANOS_PER_MILLI);
    assert_true(nanos_of_millis(INT64_MAX) == INT64_MAX);
    assert_true(nanos_of_millis(INT64_MIN) == INT64_MIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(fraction_digits),
        cmocka_unit_test(reads_offsets_and_fractions),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(leap_days_of_all_years),
        cmocka_unit_test(monotonic_time_does_not_step_back),
        cmocka_unit_test(milliseconds_stay_within),
        cmocka_unit_test(wall_time_is_the_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
