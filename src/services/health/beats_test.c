#include "services/health/beats.h"

#include "base/test.h"

#define T0 INT64_C(1767225600000)

static RtHeartbeatStatistics figures(const Beats *beats, int64_t at) {
    RtHeartbeatStatistics statistics = {0};
    double sum = 0;
    int64_t measured = 0;
    beats_add(beats, at, &statistics, &sum, &measured);
    beats_finish(&statistics, sum, measured, at - beats->first);
    return statistics;
}

static void test_regular(void **state) {
    Beats beats = {0};
    beats_begin(&beats, 5000, 3, T0);
    for (int i = 0; i < 10; i++)
        beats_came(&beats, i == 0 ? -1 : i, T0 + i * 5000, T0 + i * 5000);
    RtHeartbeatStatistics now = figures(&beats, T0 + 9 * 5000 + 4000);
    assert_int_equal(now.beats_expected, 10);
    assert_int_equal(now.beats_received, 10);
    assert_int_equal(now.beats_missed, 0);
    assert_true(now.latency_min_ms == 1 && now.latency_max_ms == 9 && now.latency_avg_ms == 5);
    assert_true(now.alive);
    assert_true(now.uptime_percent == 100);
    assert_int_equal(now.last_heartbeat, T0 + 45000);
}

static void test_missed(void **state) {
    Beats beats = {0};
    beats_begin(&beats, 5000, 3, T0);
    beats_came(&beats, -1, T0, T0);
    RtHeartbeatStatistics now = figures(&beats, T0 + 12000);
    assert_int_equal(now.consecutive_failures, 1);
    assert_true(now.alive);
    assert_false(now.has_latency_avg_ms);
    now = figures(&beats, T0 + 20000);
    assert_int_equal(now.consecutive_failures, 3);
    assert_int_equal(now.beats_missed, 3);
    assert_false(now.alive);
    assert_int_equal(now.uptime_ms, 15000);
    beats_came(&beats, -1, T0 + 20000, T0 + 20000);
    now = figures(&beats, T0 + 20000);
    assert_int_equal(now.consecutive_failures, 0);
    assert_int_equal(now.beats_missed, 3);
    assert_int_equal(now.beats_expected, 5);
    assert_true(now.alive);
    assert_true(now.uptime_percent == 75);
}

static void test_probes(void **state) {
    Beats beats = {0};
    beats_probed(&beats, true, 3, T0, T0);
    beats_probed(&beats, false, -1, T0 + 1000, T0 + 1000);
    beats_probed(&beats, false, -1, T0 + 2000, T0 + 2000);
    RtHeartbeatStatistics now = figures(&beats, T0 + 2000);
    assert_int_equal(now.beats_expected, 3);
    assert_int_equal(now.consecutive_failures, 2);
    assert_false(now.alive);
    beats_came(&beats, 5, T0 + 3000, T0 + 3000); /* which says nothing of probes */
    assert_int_equal(figures(&beats, T0 + 3000).consecutive_failures, 2);
    beats_probed(&beats, true, 5, T0 + 3000, T0 + 3000);
    assert_int_equal(figures(&beats, T0 + 3000).consecutive_failures, 0);
}

/* The figures of a service are those of its instances together. */
static void test_together(void **state) {
    Beats one = {0}, two = {0};
    beats_begin(&one, 5000, 3, T0);
    beats_begin(&two, 5000, 3, T0);
    beats_came(&one, 2, T0, T0);
    beats_came(&two, 4, T0, T0);
    beats_came(&two, 6, T0 + 5000, T0 + 5000);
    RtHeartbeatStatistics both = {0};
    double sum = 0;
    int64_t measured = 0;
    beats_add(&one, T0 + 9000, &both, &sum, &measured);
    beats_add(&two, T0 + 9000, &both, &sum, &measured);
    beats_finish(&both, sum, measured, 9000);
    assert_int_equal(both.beats_received, 3);
    assert_int_equal(both.beats_missed, 1);
    assert_true(both.latency_avg_ms == 4);
    assert_true(both.latency_min_ms == 2 && both.latency_max_ms == 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regular),
        cmocka_unit_test(test_missed),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
