#include "services/orchestrator/backoff.h"

#include "base/test.h"

#define SECOND NANOS_PER_SECOND
#define MIDDLE (UINT64_C(1) << 63) /* no jitter */

static const BackoffPolicy POLICY = {
    .initial = SECOND, .max = 90 * SECOND, .factor = 2, .stable = 5 * SECOND, .max_retries = 3};

static void pauses_grow_up_to_the_longest(void **state) {
    BackoffPolicy policy = POLICY;
    policy.max_retries = 0;
    Backoff backoff = {0};
    static const int64_t WANT[] = {1, 2, 4, 8, 16, 32, 64, 90, 90, 90};
    for (size_t i = 0; i < sizeof WANT / sizeof *WANT; i++) {
        Nanos pause;
        backoff_spawned(&backoff);
        assert_true(backoff_failed(&backoff, &policy, 0, MIDDLE, &pause));
        assert_int_equal(pause, WANT[i] * SECOND);
    }
}

static void three_attempts_to_start(void **state) {
    Backoff backoff = {0};
    Nanos pause;
    int spawns = 0;
    do {
        backoff_spawned(&backoff);
        spawns++;
    } while (backoff_failed(&backoff, &POLICY, 0, MIDDLE, &pause));
    assert_int_equal(spawns, 3);
}

static void then_three_restarts(void **state) {
    Backoff backoff = {0};
    Nanos pause;
    int spawns = 0;
    do {
        backoff_spawned(&backoff);
        backoff_ready(&backoff);
        spawns++;
    } while (backoff_failed(&backoff, &POLICY, SECOND, MIDDLE, &pause));
    assert_int_equal(spawns, 4);
}

static void a_restart_that_does_not_get_ready_counts_too(void **state) {
    Backoff backoff = {0};
    Nanos pause;
    backoff_spawned(&backoff);
    backoff_ready(&backoff);
    int restarts = 0;
    while (backoff_failed(&backoff, &POLICY, 0, MIDDLE, &pause)) {
        backoff_spawned(&backoff);
        restarts++;
    }
    assert_int_equal(restarts, 3);
}

static void stability_forgets_everything(void **state) {
    Backoff backoff = {0};
    Nanos pause;
    for (int i = 0; i < 100; i++) {
        backoff_spawned(&backoff);
        backoff_ready(&backoff);
        Nanos up = i % 3 == 2 ? 5 * SECOND : SECOND;
        assert_true(backoff_failed(&backoff, &POLICY, up, MIDDLE, &pause));
        assert_int_equal(pause, (i % 3 == 2   ? 1
                                 : i % 3 == 0 ? (i ? 2 : 1)
                                              : (i > 2 ? 4 : 2)) *
                                    SECOND);
    }
}

static void jitter_stays_within_its_share(void **state) {
    TestRandom random = test_random();
    BackoffPolicy policy = POLICY;
    policy.jitter = 0.1;
    policy.max_retries = 0;
    Nanos least = INT64_MAX, most = 0;
    for (int i = 0; i < 10000; i++) {
        Backoff backoff = {0};
        Nanos pause;
        backoff_failed(&backoff, &policy, 0, test_random_bits(&random), &pause);
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
    }
    assert_true(least >= SECOND * 9 / 10 && least < SECOND * 92 / 100);
    assert_true(most <= SECOND * 11 / 10 && most > SECOND * 108 / 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_grow_up_to_the_longest),
        cmocka_unit_test(three_attempts_to_start),
        cmocka_unit_test(then_three_restarts),
        cmocka_unit_test(a_restart_that_does_not_get_ready_counts_too),
        cmocka_unit_test(stability_forgets_everything),
        cmocka_unit_test(jitter_stays_within_its_share),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
