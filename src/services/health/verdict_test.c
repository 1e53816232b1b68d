#include "services/health/verdict.h"

#include "base/test.h"

static void test_process(void **state) {
    assert_int_equal(health_of_process(RT_SERVICE_STATE_STARTING), RT_HEALTH_STATE_STARTING);
    assert_int_equal(health_of_process(RT_SERVICE_STATE_RUNNING), RT_HEALTH_STATE_HEALTHY);
    assert_int_equal(health_of_process(RT_SERVICE_STATE_BACKING_OFF), RT_HEALTH_STATE_UNHEALTHY);
    assert_int_equal(health_of_process(RT_SERVICE_STATE_COMPLETED), RT_HEALTH_STATE_HEALTHY);
    assert_int_equal(health_of_process(RT_SERVICE_STATE_STOPPED), RT_HEALTH_STATE_HEALTH_UNKNOWN);
    assert_int_equal(health_of_process(99), RT_HEALTH_STATE_HEALTH_UNKNOWN);
}

static void test_liveness(void **state) {
    assert_int_equal(health_of_liveness(RT_CONNECTION_STATE_REGISTERED), RT_HEALTH_STATE_HEALTHY);
    assert_int_equal(health_of_liveness(RT_CONNECTION_STATE_STALE), RT_HEALTH_STATE_DEGRADED);
    assert_int_equal(health_of_liveness(RT_CONNECTION_STATE_DEAD), RT_HEALTH_STATE_UNHEALTHY);
}

static void test_order(void **state) {
    static const RtHealthState ORDER[] = {
        RT_HEALTH_STATE_HEALTH_UNKNOWN, RT_HEALTH_STATE_HEALTHY,   RT_HEALTH_STATE_STARTING,
        RT_HEALTH_STATE_DEGRADED,       RT_HEALTH_STATE_UNHEALTHY,
    };
    for (size_t i = 0; i < HEALTH_STATES; i++)
        for (size_t j = 0; j < HEALTH_STATES; j++)
            assert_int_equal(health_worse(ORDER[i], ORDER[j]), ORDER[i > j ? i : j]);
}

static RtHealthState of_service(uint32_t starting, uint32_t healthy, uint32_t degraded,
                                uint32_t unhealthy) {
    HealthTally tally = {{0, starting, healthy, degraded, unhealthy}};
    return health_of_service(&tally);
}

static void test_service(void **state) {
    assert_int_equal(of_service(0, 0, 0, 0), RT_HEALTH_STATE_HEALTH_UNKNOWN);
    assert_int_equal(of_service(0, 2, 0, 0), RT_HEALTH_STATE_HEALTHY);
    assert_int_equal(of_service(1, 2, 0, 0), RT_HEALTH_STATE_HEALTHY);
    assert_int_equal(of_service(0, 2, 1, 0), RT_HEALTH_STATE_DEGRADED);
    assert_int_equal(of_service(0, 2, 0, 1), RT_HEALTH_STATE_DEGRADED);
    assert_int_equal(of_service(1, 0, 0, 1), RT_HEALTH_STATE_STARTING);
    assert_int_equal(of_service(0, 0, 0, 1), RT_HEALTH_STATE_UNHEALTHY);
}

static void test_usable(void **state) {
    assert_true(health_is_usable(RT_HEALTH_STATE_HEALTH_UNKNOWN));
    assert_true(health_is_usable(RT_HEALTH_STATE_DEGRADED));
    assert_false(health_is_usable(RT_HEALTH_STATE_STARTING));
    assert_false(health_is_usable(RT_HEALTH_STATE_UNHEALTHY));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process), cmocka_unit_test(test_liveness),
        cmocka_unit_test(test_order),   cmocka_unit_test(test_service),
        cmocka_unit_test(test_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
