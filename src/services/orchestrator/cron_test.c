#include "services/orchestrator/cron.h"

#include "base/test.h"
#include "config/parse.h"

static int64_t at(const char *text) {
    int64_t seconds;
    int32_t nanos;
    assert_true(parse_rfc3339(span_of(text), &seconds, &nanos));
    return seconds;
}

static int32_t utc(int64_t when) {
    return 0;
}

/* Berlin in 2026: +2 h from 29 March 01:00 UTC to 25 October 01:00 UTC. */
static int32_t berlin(int64_t when) {
    return when >= at("2026-03-29T01:00:00Z") && when < at("2026-10-25T01:00:00Z") ? 7200 : 3600;
}

static void check_next(const char *cron, const char *after, const char *want, CronZone *zone) {
    ConfigCron parsed;
    const char *reason = parse_cron(span_of(cron), &parsed);
    if (reason)
        fail_msg("%s: %s", cron, reason);
    int64_t next;
    assert_true(cron_next(&parsed, at(after), zone, &next));
    char text[RFC3339_MAX];
    size_t len = format_rfc3339(text, next, 0, 0);
    if (!span_equal(span(text, len), span_of(want)))
        fail_msg("%s after %s: got %.*s, want %s", cron, after, (int)len, text, want);
}

static void finds_the_next_time(void **state) {
    const char *now = "2026-11-21T10:20:30Z"; /* a Saturday */
    check_next("* * * * *", now, "2026-11-21T10:21:00Z", utc);
    check_next("*/15 * * * *", now, "2026-11-21T10:30:00Z", utc);
    check_next("20 10 * * *", now, "2026-11-22T10:20:00Z", utc);
    check_next("0 0 1 * *", now, "2026-12-01T00:00:00Z", utc);
    check_next("30 4 1,15 * fri", now, "2026-11-27T04:30:00Z", utc);
    check_next("0 9-17/4 * * mon-fri", now, "2026-11-23T09:00:00Z", utc);
    check_next("0 0 29 2 *", now, "2028-02-29T00:00:00Z", utc);
    check_next("5/20 * * * *", now, "2026-11-21T10:25:00Z", utc);
    check_next("0 12 * JAN,mar sun", now, "2027-01-03T12:00:00Z", utc);
    check_next("0 12 * * 7", now, "2026-11-22T12:00:00Z", utc);
    check_next("@daily", now, "2026-11-22T00:00:00Z", utc);
    check_next("@hourly", now, "2026-11-21T11:00:00Z", utc);
    check_next("@weekly", now, "2026-11-22T00:00:00Z", utc);
    check_next("@yearly", now, "2027-01-01T00:00:00Z", utc);
    check_next("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z", utc);
    check_next("0 0 * * *", now, "2026-11-21T23:00:00Z", berlin);
}

static void clocks_put_forward_lose_nothing(void **state) {
    check_next("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z", berlin);
    check_next("30 2 * * *", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z", berlin);
    check_next("0 * * * *", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", berlin);
    check_next("0 * * * *", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z", berlin);
    check_next("*/15 * * * *", "2026-03-29T00:45:00Z", "2026-03-29T01:00:00Z", berlin);
}

static void clocks_put_back_do_nothing_twice(void **state) {
    check_next("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z", berlin);
    check_next("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", berlin);
    check_next("30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", berlin);
    check_next("30 * * * *", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z", berlin);
    check_next("0 3 * * *", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", berlin);
}

static void a_year_of_each_has_as_many_as_days(void **state) {
    ConfigCron cron;
    assert_null(parse_cron(SPAN("30 2 * * *"), &cron));
    int64_t when = at("2025-12-31T23:00:00Z"), end = at("2026-12-31T23:00:00Z"), next;
    int count = 0;
    while (cron_next(&cron, when, berlin, &next) && next <= end) {
        assert_true(next > when);
        when = next;
        count++;
    }
    assert_int_equal(count, 365);
    assert_null(parse_cron(SPAN("*/30 * * * *"), &cron));
    for (when = at("2025-12-31T23:00:00Z"), count = 0; cron_next(&cron, when, berlin, &next);
         when = next, count++) {
        if (next > end)
            break;
        assert_int_equal(next - when, 1800);
    }
    assert_int_equal(count, 365 * 48);
}

static void knows_that_never_is_never(void **state) {
    ConfigCron cron;
    int64_t next;
    assert_null(parse_cron(SPAN("0 0 30 2 *"), &cron));
    assert_false(cron_next(&cron, at("2026-11-21T10:20:30Z"), utc, &next));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_next_time),
        cmocka_unit_test(clocks_put_forward_lose_nothing),
        cmocka_unit_test(clocks_put_back_do_nothing_twice),
        cmocka_unit_test(a_year_of_each_has_as_many_as_days),
        cmocka_unit_test(knows_that_never_is_never),
    };
    return cmocka_run_group_tests_name("cron", tests, NULL, NULL);
}
