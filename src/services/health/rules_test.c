#include "services/health/rules.h"

#include "base/test.h"

typedef struct Bench {
    HealthRules rules;
    RuleState state;
    Buf message;
    int64_t now;
} Bench;

/* So many seconds of this traffic; whether `broken` changed meanwhile. */
static bool pass(Bench *bench, int seconds, HealthTraffic traffic) {
    bool changed = false;
    traffic.seconds = 10;
    for (int i = 0; i < seconds; i++)
        changed |= rules_judge(&bench->rules, &bench->state, &traffic, bench->now += 1000,
                               &bench->message);
    return changed;
}

static const HealthTraffic FINE = {.rps = 100, .p95_ms = 20};
static const HealthTraffic SLOW = {.rps = 100, .p95_ms = 812};
static const HealthTraffic BAD = {.rps = 100, .p95_ms = 20, .error_rate = 0.25};

static void test_breaks_and_heals(void **state) {
    Bench bench = {.rules = HEALTH_RULES, .now = 1000};
    assert_false(pass(&bench, 20, FINE));
    assert_false(pass(&bench, 10, SLOW));
    assert_true(pass(&bench, 1, SLOW));
    assert_true(bench.state.broken);
    assert_span(buf_span(&bench.message), "p95 812 ms over 500 ms for 10 s");
    assert_false(pass(&bench, 10, FINE));
    assert_true(pass(&bench, 1, FINE));
    assert_false(bench.state.broken);
    assert_true(pass(&bench, 11, BAD));
    assert_span(buf_span(&bench.message), "25.0 % of calls failed, over 5.0 % for 10 s");
    buf_done(&bench.message);
}

static void test_needs_a_hold(void **state) {
    Bench bench = {.rules = HEALTH_RULES, .now = 1000};
    for (int i = 0; i < 20; i++) {
        assert_false(pass(&bench, 9, SLOW));
        assert_false(pass(&bench, 1, FINE));
    }
    bench.now = 500; /* the clock jumps back: begin anew */
    assert_false(pass(&bench, 10, SLOW));
    assert_true(pass(&bench, 1, SLOW));
    buf_done(&bench.message);
}

static void test_few_calls_prove_nothing(void **state) {
    Bench bench = {.rules = HEALTH_RULES, .now = 1000};
    assert_false(pass(&bench, 60, (HealthTraffic){.rps = 1.9, .p95_ms = 3000, .error_rate = 1}));
    assert_true(pass(&bench, 11, SLOW));
    assert_true(pass(&bench, 11, (HealthTraffic){0})); /* no traffic heals */
    buf_done(&bench.message);
}

static void test_off(void **state) {
    Bench bench = {.rules = {.hold_ms = 1000}, .now = 1000};
    assert_false(pass(&bench, 60, (HealthTraffic){.rps = 9, .p95_ms = 3000, .error_rate = 1}));
    buf_done(&bench.message);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breaks_and_heals),
        cmocka_unit_test(test_needs_a_hold),
        cmocka_unit_test(test_few_calls_prove_nothing),
        cmocka_unit_test(test_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
