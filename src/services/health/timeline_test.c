#include "services/health/timeline.h"

#include "base/test.h"

#define T0     INT64_C(1767225600000) /* midnight */
#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define UNKNOWN   RT_HEALTH_STATE_HEALTH_UNKNOWN
#define STARTING  RT_HEALTH_STATE_STARTING
#define HEALTHY   RT_HEALTH_STATE_HEALTHY
#define DEGRADED  RT_HEALTH_STATE_DEGRADED
#define UNHEALTHY RT_HEALTH_STATE_UNHEALTHY

static const Cause NONE = {0};

static RtHealthHistory read_history(const Timeline *timeline, RtHealthResolution resolution,
                                    int64_t from, int64_t to, int64_t now, Arena *arena) {
    RtHealthHistory history = {0};
    timeline_summaries(timeline, resolution, from, to, now, arena, &history);
    timeline_incidents(timeline, SPAN("calc"), from, to, arena, &history);
    return history;
}

static int64_t whole(const RtHealthSummary *s) {
    return s->healthy_ms + s->degraded_ms + s->unhealthy_ms + s->starting_ms + s->unknown_ms;
}

static void test_minutes(void **state) {
    Timeline timeline = {0};
    Arena arena = {0};
    timeline_set(&timeline, T0 + 10000, STARTING, &NONE);
    timeline_set(&timeline, T0 + 15000, HEALTHY, &NONE);
    timeline_set(&timeline, T0 + 3 * MINUTE + 30000, DEGRADED, &NONE);
    RtHealthHistory history = read_history(&timeline, RT_HEALTH_RESOLUTION_MINUTE, T0 - MINUTE,
                                           T0 + HOUR, T0 + 4 * MINUTE + 1000, &arena);
    assert_int_equal(history.summaries.count, 6);
    const RtHealthSummary *s = history.summaries.items;
    assert_int_equal(s[0].unknown_ms, MINUTE);
    assert_int_equal(s[1].unknown_ms, 10000);
    assert_int_equal(s[1].starting_ms, 5000);
    assert_int_equal(s[1].healthy_ms, 45000);
    assert_int_equal(s[1].worst_state, STARTING);
    assert_int_equal(s[2].healthy_ms, MINUTE);
    assert_int_equal(s[3].healthy_ms, MINUTE);
    assert_int_equal(s[4].healthy_ms, 30000);
    assert_int_equal(s[4].degraded_ms, 30000);
    assert_int_equal(s[4].worst_state, DEGRADED);
    assert_int_equal(s[5].degraded_ms, 1000);
    assert_int_equal(whole(&s[5]), 1000); /* less what lies in the future */
    assert_true(history.uptime_percent > 97 && history.uptime_percent < 98);
    timeline_done(&timeline);
    arena_done(&arena);
}

static void test_hours_and_days(void **state) {
    Timeline timeline = {0};
    Arena arena = {0};
    timeline_set(&timeline, T0, HEALTHY, &NONE);
    timeline_set(&timeline, T0 + DAY + HOUR, UNHEALTHY, &NONE);
    timeline_restarted(&timeline, T0 + DAY + HOUR + 1000);
    timeline_set(&timeline, T0 + DAY + HOUR + 2000, HEALTHY, &NONE);
    int64_t now = T0 + 3 * DAY;
    RtHealthHistory days = read_history(&timeline, RT_HEALTH_RESOLUTION_DAY, T0, now, now, &arena);
    assert_int_equal(days.summaries.count, 3);
    assert_int_equal(days.summaries.items[0].healthy_ms, DAY);
    assert_int_equal(days.summaries.items[1].unhealthy_ms, 2000);
    assert_int_equal(days.summaries.items[1].healthy_ms, DAY - 2000);
    assert_int_equal(days.summaries.items[1].restarts, 1);
    assert_int_equal(days.summaries.items[2].healthy_ms, DAY);
    RtHealthHistory hours = read_history(&timeline, RT_HEALTH_RESOLUTION_HOUR, T0 + DAY,
                                         T0 + DAY + 3 * HOUR, now, &arena);
    assert_int_equal(hours.summaries.count, 3);
    assert_int_equal(hours.summaries.items[1].unhealthy_ms, 2000);
    assert_int_equal(hours.summaries.items[2].healthy_ms, HOUR);
    timeline_done(&timeline);
    arena_done(&arena);
}

static void test_incidents(void **state) {
    Timeline timeline = {0};
    Arena arena = {0};
    timeline_set(&timeline, T0, HEALTHY, &NONE);
    timeline_set(&timeline, T0 + 1000, DEGRADED,
                 &(Cause){RT_HEALTH_SOURCE_RULE, SPAN("p95 812 ms over 500 ms"), SPAN("id")});
    timeline_set(&timeline, T0 + 2000, UNHEALTHY,
                 &(Cause){RT_HEALTH_SOURCE_PROCESS, SPAN("x"), {0}});
    timeline_set(&timeline, T0 + 3000, HEALTHY, &NONE);
    timeline_set(&timeline, T0 + 9000, UNHEALTHY,
                 &(Cause){RT_HEALTH_SOURCE_PROCESS, SPAN("exited"), {0}});
    RtHealthHistory history =
        read_history(&timeline, RT_HEALTH_RESOLUTION_MINUTE, T0, T0 + HOUR, T0 + 10000, &arena);
    assert_int_equal(history.incidents.count, 2);
    const RtHealthIncident *first = history.incidents.items, *second = first + 1;
    assert_int_equal(first->start_time, T0 + 1000);
    assert_int_equal(first->end_time, T0 + 3000);
    assert_int_equal(first->worst_state, UNHEALTHY);
    assert_int_equal(first->source, RT_HEALTH_SOURCE_RULE);
    assert_span(first->message, "p95 812 ms over 500 ms");
    assert_span(first->service_id, "id");
    assert_int_equal(second->end_time, 0);
    history = read_history(&timeline, RT_HEALTH_RESOLUTION_MINUTE, T0 + 4000, T0 + 5000, T0 + 10000,
                           &arena);
    assert_int_equal(history.incidents.count, 0);
    timeline_done(&timeline);
    arena_done(&arena);
}

/* What was stored and read back answers as the original does. */
static void test_survives(void **state) {
    Timeline timeline = {0}, again = {0};
    Arena arena = {0};
    TestRandom random = test_random();
    int64_t at = T0;
    for (int i = 0; i < 300; i++) {
        at += (int64_t)test_random_below(&random, 3 * (uint64_t)MINUTE);
        timeline_set(&timeline, at, (RtHealthState)test_random_below(&random, HEALTH_STATES),
                     &NONE);
    }
    for (RtHealthResolution r = 1; r < RESOLUTIONS; r++)
        for (size_t i = 0; i < timeline.slots[r].count; i++) {
            RtHealthSummary stored = slot_summary(&timeline.slots[r].items[i]);
            timeline_load_slot(&again, r, &stored);
        }
    for (size_t i = 0; i < timeline.incidents.count; i++) {
        RtHealthIncident stored = incident_message(&timeline.incidents.items[i], SPAN("calc"));
        timeline_load_incident(&again, &stored);
    }
    assert_int_equal(timeline_last(&again), timeline_last(&timeline));
    for (RtHealthResolution r = 1; r < RESOLUTIONS; r++) {
        RtHealthHistory one = read_history(&timeline, r, T0, at, at, &arena);
        RtHealthHistory two = read_history(&again, r, T0, at, at, &arena);
        assert_int_equal(one.summaries.count, two.summaries.count);
        for (size_t i = 0; i < one.summaries.count; i++)
            assert_memory_equal(&one.summaries.items[i], &two.summaries.items[i],
                                sizeof *one.summaries.items);
        assert_int_equal(one.incidents.count, two.incidents.count);
    }
    timeline_done(&timeline);
    timeline_done(&again);
    arena_done(&arena);
}

/* Whatever happens, every slot that is over adds up to its length. */
static void test_adds_up(void **state) {
    Timeline timeline = {0};
    Arena arena = {0};
    TestRandom random = test_random();
    int64_t at = T0, now = T0;
    for (int i = 0; i < 2000; i++) {
        at += (int64_t)test_random_below(&random, 5 * (uint64_t)MINUTE) - MINUTE; /* it may jump */
        now = at > now ? at : now;
        timeline_set(&timeline, at, (RtHealthState)test_random_below(&random, HEALTH_STATES),
                     &NONE);
    }
    for (RtHealthResolution r = 1; r < RESOLUTIONS; r++) {
        RtHealthHistory history = read_history(&timeline, r, now - DAY, now, now, &arena);
        for (size_t i = 0; i + 1 < history.summaries.count; i++)
            assert_int_equal(whole(&history.summaries.items[i]), resolution_length(r));
    }
    timeline_done(&timeline);
    arena_done(&arena);
}

static void test_old_is_dropped(void **state) {
    Timeline timeline = {0};
    Arena arena = {0};
    timeline_set(&timeline, T0, HEALTHY, &NONE);
    timeline_set(&timeline, T0 + HOUR, DEGRADED, &NONE);
    int64_t now = T0 + 2 * DAY;
    assert_int_equal(timeline_outdated(&timeline, RT_HEALTH_RESOLUTION_MINUTE, now), 1);
    timeline_drop(&timeline, RT_HEALTH_RESOLUTION_MINUTE, 1);
    assert_int_equal(timeline_outdated(&timeline, RT_HEALTH_RESOLUTION_MINUTE, now), 0);
    assert_int_equal(timeline_outdated(&timeline, RT_HEALTH_RESOLUTION_HOUR, now), 0);
    RtHealthHistory history =
        read_history(&timeline, RT_HEALTH_RESOLUTION_MINUTE, 0, now, now, &arena);
    assert_int_equal(history.summaries.count, 1440);
    assert_int_equal(history.summaries.items[0].degraded_ms, MINUTE);
    for (int i = 0; i < 2 * INCIDENTS_MAX; i++) {
        timeline_set(&timeline, now + 2 * i, HEALTHY, &NONE);
        timeline_set(&timeline, now + 2 * i + 1, DEGRADED, &NONE);
    }
    size_t outdated = timeline_outdated_incidents(&timeline, now);
    assert_int_equal(timeline.incidents.count - outdated, INCIDENTS_MAX);
    timeline_drop_incidents(&timeline, outdated);
    assert_int_equal(timeline_outdated_incidents(&timeline, now), 0);
    timeline_done(&timeline);
    arena_done(&arena);
}

static void test_resolution(void **state) {
    int64_t now = T0 + 100 * DAY;
    assert_int_equal(resolution_for(now - HOUR, now, now), RT_HEALTH_RESOLUTION_MINUTE);
    assert_int_equal(resolution_for(now - DAY, now, now), RT_HEALTH_RESOLUTION_HOUR);
    assert_int_equal(resolution_for(now - 40 * DAY, now - 39 * DAY, now), RT_HEALTH_RESOLUTION_DAY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minutes),    cmocka_unit_test(test_hours_and_days),
        cmocka_unit_test(test_incidents),  cmocka_unit_test(test_survives),
        cmocka_unit_test(test_adds_up),    cmocka_unit_test(test_old_is_dropped),
        cmocka_unit_test(test_resolution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
