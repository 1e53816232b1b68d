#include "services/orchestrator/instance_state.h"

#include "base/test.h"

static RtServiceState run(RtServiceState state, const InstanceEvent *events, size_t count) {
    InstanceAction action;
    for (size_t i = 0; i < count; i++) {
        state = instance_step(state, events[i], &action);
        assert_int_not_equal(state, RT_SERVICE_STATE_UNSPECIFIED);
    }
    return state;
}
#define RUN(from, ...)                                                                             \
    run(RT_SERVICE_STATE_##from, (InstanceEvent[]){__VA_ARGS__},                                   \
        sizeof((InstanceEvent[]){__VA_ARGS__}) / sizeof(InstanceEvent))

static void lives_as_people_expect(void **state) {
    assert_int_equal(
        RUN(STOPPED, INSTANCE_WANTED, INSTANCE_HELD, INSTANCE_CLEARED, INSTANCE_PASSED),
        RT_SERVICE_STATE_HEALTHY);
    assert_int_equal(RUN(HEALTHY, INSTANCE_AILS, INSTANCE_PASSED), RT_SERVICE_STATE_HEALTHY);
    assert_int_equal(RUN(UNHEALTHY, INSTANCE_RENEW, INSTANCE_ENDED_RETRY, INSTANCE_DUE,
                         INSTANCE_CLEARED, INSTANCE_RUNS),
                     RT_SERVICE_STATE_RUNNING);
    assert_int_equal(RUN(STOPPED, INSTANCE_WANTED, INSTANCE_CLEARED, INSTANCE_ENDED_WELL),
                     RT_SERVICE_STATE_COMPLETED);
    assert_int_equal(RUN(STARTING, INSTANCE_ENDED_FAILED, INSTANCE_WANTED, INSTANCE_BARRED),
                     RT_SERVICE_STATE_SKIPPED);
    assert_int_equal(
        RUN(STARTING, INSTANCE_FOUND, INSTANCE_PASSED, INSTANCE_UNWANTED, INSTANCE_GONE),
        RT_SERVICE_STATE_STOPPED);
}

static void a_start_that_is_not_wanted_any_more_spawns_nothing(void **state) {
    InstanceAction action;
    for (RtServiceState from = RT_SERVICE_STATE_PENDING; from < INSTANCE_STATES; from++) {
        if (instance_is_up(from))
            continue;
        RtServiceState next = instance_step(from, INSTANCE_UNWANTED, &action);
        if (next)
            assert_true(instance_is_over(next) && action == INSTANCE_NO_ACTION);
    }
}

static bool has_exit_events_only_when_up(RtServiceState from, InstanceEvent event) {
    bool exit = event == INSTANCE_GONE || event == INSTANCE_ENDED_WELL ||
                event == INSTANCE_ENDED_RETRY || event == INSTANCE_ENDED_FAILED;
    return !exit || instance_is_up(from);
}

/* What must hold of every entry. */
static void check_step(RtServiceState from, InstanceEvent event, RtServiceState next,
                       InstanceAction action) {
    assert_true(has_exit_events_only_when_up(from, event));
    /* A process begins in STARTING alone, and only where there was none. */
    if (action == INSTANCE_SPAWN)
        assert_true(!instance_is_up(from) && next == RT_SERVICE_STATE_STARTING);
    if (!instance_is_up(from) && instance_is_up(next))
        assert_true(action == INSTANCE_SPAWN || event == INSTANCE_FOUND);
    /* Only its end, or the finding that it never began, takes the process away. */
    if (instance_is_up(from) && !instance_is_up(next))
        assert_true(event >= INSTANCE_GONE || event == INSTANCE_REFUSED);
    if (action == INSTANCE_END)
        assert_true(instance_is_up(from) && next == RT_SERVICE_STATE_STOPPING);
    if (next == RT_SERVICE_STATE_BACKING_OFF)
        assert_int_equal(action, INSTANCE_PAUSE);
    if (next == RT_SERVICE_STATE_PENDING)
        assert_int_equal(action, INSTANCE_WEIGH);
    if (next == RT_SERVICE_STATE_UNHEALTHY)
        assert_int_equal(event, INSTANCE_AILS);
    if (next == RT_SERVICE_STATE_HEALTHY)
        assert_int_equal(event, INSTANCE_PASSED);
}

static void invariants_hold_of_any_sequence(void **state) {
    TestRandom random = test_random();
    RtServiceState at = RT_SERVICE_STATE_STOPPED;
    uint32_t seen[INSTANCE_STATES] = {0};
    int processes = 0;
    for (int i = 0; i < 1000000; i++) {
        InstanceEvent event = (InstanceEvent)test_random_below(&random, INSTANCE_EVENTS);
        InstanceAction action;
        RtServiceState next = instance_step(at, event, &action);
        if (!next)
            continue;
        check_step(at, event, next, action);
        processes += action == INSTANCE_SPAWN || (event == INSTANCE_FOUND && !instance_is_up(at));
        processes -= instance_is_up(at) && !instance_is_up(next);
        assert_int_equal(processes, instance_is_up(next));
        at = next;
        seen[at]++;
    }
    for (RtServiceState s = RT_SERVICE_STATE_PENDING; s < INSTANCE_STATES; s++)
        assert_true(seen[s] > 0);
}

/* From everywhere it can be stopped, and started again after that. */
static void no_state_is_a_trap(void **state) {
    static const InstanceEvent STOP[] = {INSTANCE_UNWANTED, INSTANCE_GONE};
    static const InstanceEvent START[] = {INSTANCE_WANTED, INSTANCE_CLEARED, INSTANCE_PASSED};
    for (RtServiceState from = RT_SERVICE_STATE_PENDING; from < INSTANCE_STATES; from++) {
        InstanceAction action;
        RtServiceState at = from;
        for (int i = 0; i < 2; i++) {
            RtServiceState next = instance_step(at, STOP[i], &action);
            at = next ? next : at;
        }
        assert_true(instance_is_over(at));
        for (int i = 0; i < 3; i++) {
            at = instance_step(at, START[i], &action);
            assert_int_not_equal(at, RT_SERVICE_STATE_UNSPECIFIED);
        }
        assert_int_equal(at, RT_SERVICE_STATE_HEALTHY);
    }
}

static void says_what_it_stands_for(void **state) {
    assert_int_equal(instance_health(RT_SERVICE_STATE_WAITING), RT_HEALTH_STATE_STARTING);
    assert_int_equal(instance_health(RT_SERVICE_STATE_BACKING_OFF), RT_HEALTH_STATE_UNHEALTHY);
    assert_int_equal(instance_health(RT_SERVICE_STATE_STOPPED), RT_HEALTH_STATE_HEALTH_UNKNOWN);
    assert_string_equal(instance_state_name(RT_SERVICE_STATE_BACKING_OFF), "backing off");
    for (RtServiceState a = RT_SERVICE_STATE_PENDING; a < INSTANCE_STATES; a++) {
        assert_false(instance_is_up(a) && instance_is_over(a));
        assert_true(!instance_is_good(a) || instance_is_settled(a));
        assert_true(instance_distance(a) > 0);
    }
    assert_true(instance_distance(RT_SERVICE_STATE_FAILED) >
                instance_distance(RT_SERVICE_STATE_STARTING));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_as_people_expect),
        cmocka_unit_test(a_start_that_is_not_wanted_any_more_spawns_nothing),
        cmocka_unit_test(invariants_hold_of_any_sequence),
        cmocka_unit_test(no_state_is_a_trap),
        cmocka_unit_test(says_what_it_stands_for),
    };
    return cmocka_run_group_tests_name("instance_state", tests, NULL, NULL);
}
