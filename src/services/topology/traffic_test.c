#include "services/topology/traffic.h"

#include <math.h>

#include "base/test.h"

static void buckets_are_those_of_the_contract(void **state) {
    assert_int_equal(latency_bucket(0), 0);
    assert_int_equal(latency_bucket(15), 15);
    assert_int_equal(latency_bucket(16), 16);
    assert_int_equal(latency_bucket(31), 31);
    assert_int_equal(latency_bucket(32), 32);
    assert_int_equal(latency_bucket(33), 32);
    assert_int_equal(latency_bucket(INT64_C(1) << 36), 528); /* sixteen more reach to 2^37 */
    assert_int_equal(latency_bucket(INT64_MAX), LATENCY_BUCKETS - 1);
    assert_int_equal(latency_bucket(-5), 0);
    for (int64_t us = 16; us < INT64_C(1) << 36; us += us / 5 + 1) {
        double middle = latency_of_bucket_ms(latency_bucket(us)) * 1000;
        assert_true(fabs(middle - (double)us) <= (double)us / 16);
    }
}

static CallBatch batch(uint32_t count, uint32_t errors, const int32_t *bucket,
                       const int64_t *counts) {
    return (CallBatch){count, errors, bucket, counts, bucket ? 1 : 0};
}

static void a_window_of_ten_seconds(void **state) {
    Traffic traffic = {0};
    int32_t bucket = (int32_t)latency_bucket(10000);
    int64_t count = 20;
    CallBatch calls = batch(20, 5, &bucket, &count);
    for (uint32_t second = 100; second < 120; second++)
        traffic_record(&traffic, NULL, second, &calls);
    TrafficFigures figures = traffic_figures(&traffic, 119);
    assert_int_equal(figures.count, 200);
    assert_true(figures.rps == 20 && figures.error_rate == 0.25 && figures.measured);
    assert_true(fabs(figures.p50_ms - 10) < 0.4 && figures.p50_ms == figures.p99_ms);
    figures = traffic_figures(&traffic, 124);
    assert_int_equal(figures.count, 100);
    assert_true(traffic_flows(&traffic, 128));
    assert_false(traffic_flows(&traffic, 129));
    assert_int_equal(traffic.count, 400);
    assert_int_equal(traffic.errors, 100);
    traffic_done(&traffic, NULL);
}

static void percentiles_are_apart(void **state) {
    Traffic traffic = {0};
    int32_t buckets[3] = {(int32_t)latency_bucket(1000), (int32_t)latency_bucket(100000),
                          (int32_t)latency_bucket(1000000)};
    int64_t counts[3] = {90, 8, 2};
    CallBatch calls = {100, 0, buckets, counts, 3};
    traffic_record(&traffic, NULL, 7, &calls);
    TrafficFigures figures = traffic_figures(&traffic, 7);
    assert_true(fabs(figures.p50_ms - 1) < 0.05);
    assert_true(fabs(figures.p95_ms - 100) < 4);
    assert_true(fabs(figures.p99_ms - 1000) < 40);
    assert_true(figures.rps == 100); /* of the one second that there is */
    traffic_done(&traffic, NULL);
}

static void calls_without_latency_are_not_measured(void **state) {
    Traffic traffic = {0};
    CallBatch calls = batch(3, 0, NULL, NULL);
    traffic_record(&traffic, NULL, 0, &calls);
    assert_false(traffic_figures(&traffic, 0).measured);
    assert_int_equal(traffic_figures(&traffic, 0).count, 3);
    traffic_done(&traffic, NULL);
}

static void a_series_of_ten_minutes(void **state) {
    SeriesPool pool;
    Traffic traffic = {0};
    series_pool_init(&pool, 4, sizeof(CallPoint), 0);
    for (uint32_t second = 1; second <= 1000; second++) {
        CallBatch calls = batch(second, 0, NULL, NULL);
        if (second % 3)
            traffic_record(&traffic, &pool, second, &calls);
    }
    traffic_settle(&traffic, &pool, 1001);
    assert_null(series_point(&pool, traffic.series, 400));
    for (uint32_t second = 401; second <= 1000; second++) {
        const CallPoint *point = series_point(&pool, traffic.series, second);
        assert_int_equal(point->count, second % 3 ? second : 0);
    }
    CallBatch late = batch(1, 1, NULL, NULL); /* after a long silence */
    traffic_record(&traffic, &pool, 5000, &late);
    traffic_settle(&traffic, &pool, 5001);
    assert_int_equal(((const CallPoint *)series_point(&pool, traffic.series, 5000))->errors,
                     UINT16_MAX);
    assert_int_equal(((const CallPoint *)series_point(&pool, traffic.series, 4999))->count, 0);
    assert_null(series_point(&pool, traffic.series, 4400));
    traffic_done(&traffic, &pool);
    series_pool_done(&pool);
}

/* Not taken from who uses them: nobody would have more than a few points. */
static void series_are_lent_to_the_busiest(void **state) {
    SeriesPool pool;
    Traffic traffics[5] = {0};
    series_pool_init(&pool, 3, sizeof(CallPoint), 0);
    for (uint32_t i = 0; i < 5; i++) {
        CallBatch calls = batch(1, 0, NULL, NULL);
        traffic_record(&traffics[i], &pool, i, &calls);
        traffic_settle(&traffics[i], &pool, i + 1);
    }
    assert_int_equal(pool.count, 3);
    assert_non_null(traffics[0].series);
    assert_null(traffics[3].series);
    for (uint32_t i = 3; i < 5; i++) {
        CallBatch calls = batch(1, 0, NULL, NULL);
        traffic_record(&traffics[i], &pool, i + SERIES_REST, &calls);
        traffic_settle(&traffics[i], &pool, i + SERIES_REST + 1);
    }
    assert_int_equal(pool.count, 3);
    assert_null(traffics[0].series);
    assert_null(traffics[1].series);
    assert_non_null(traffics[2].series);
    assert_non_null(traffics[4].series);
    for (uint32_t i = 0; i < 5; i++)
        traffic_done(&traffics[i], &pool);
    assert_int_equal(pool.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_those_of_the_contract),
        cmocka_unit_test(a_window_of_ten_seconds),
        cmocka_unit_test(percentiles_are_apart),
        cmocka_unit_test(calls_without_latency_are_not_measured),
        cmocka_unit_test(a_series_of_ten_minutes),
        cmocka_unit_test(series_are_lent_to_the_busiest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
