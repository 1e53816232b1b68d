#include "services/orchestrator/debounce.h"

#include "base/test.h"

/* '+' and '-' are probes; the verdict after each is 'n', 'h' or 'u'. */
static void check(uint32_t success, uint32_t failure, const char *probes, const char *verdicts) {
    Debounce debounce = {.success_threshold = success, .failure_threshold = failure};
    for (size_t i = 0; probes[i]; i++) {
        Verdict before = debounce.verdict;
        bool changed = debounce_probe(&debounce, probes[i] == '+');
        assert_int_equal(changed, before != debounce.verdict);
        assert_int_equal("nhu"[debounce.verdict], verdicts[i]);
    }
}

static void thresholds_count_in_a_row(void **state) {
    check(1, 3, "+---+", "hhhuh");
    check(1, 3, "+--+--+--", "hhhhhhhhh");
    check(2, 2, "+-++--+-++", "nnnhhuuuuh");
}

static void never_unhealthy_while_starting(void **state) {
    check(1, 1, "-----+-", "nnnnnhu");
    check(3, 1, "-++-+++-", "nnnnnnhu");
}

static void long_runs_do_not_overflow(void **state) {
    Debounce debounce = {1, 1, UINT32_MAX, 0, VERDICT_HEALTHY};
    debounce.successes = 1;
    for (int i = 0; i < 10; i++)
        assert_false(debounce_probe(&debounce, true));
    assert_int_equal(debounce.successes, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_count_in_a_row),
        cmocka_unit_test(never_unhealthy_while_starting),
        cmocka_unit_test(long_runs_do_not_overflow),
    };
    return cmocka_run_group_tests_name("debounce", tests, NULL, NULL);
}
