#include "services/health/monitor.h"

#include <errno.h>

#include "base/test.h"

#define UNKNOWN   RT_HEALTH_STATE_HEALTH_UNKNOWN
#define STARTING  RT_HEALTH_STATE_STARTING
#define HEALTHY   RT_HEALTH_STATE_HEALTHY
#define DEGRADED  RT_HEALTH_STATE_DEGRADED
#define UNHEALTHY RT_HEALTH_STATE_UNHEALTHY

#define CALC SPAN("calculator-server")

typedef struct Bench {
    HealthMonitor *monitor;
    Arena arena;
    int64_t now;
} Bench;

static int setup(void **state) {
    Bench *bench = calloc(1, sizeof *bench);
    bench->monitor = health_monitor_new(7);
    bench->now = INT64_C(1767225600000);
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    Bench *bench = *state;
    health_monitor_free(bench->monitor);
    arena_done(&bench->arena);
    free(bench);
    return 0;
}

static void sign(Bench *bench, const char *id, const char *process, RtHealthSource source,
                 RtHealthState state, const char *message) {
    HealthSubject subject = {CALC, span_of(id), span_of(process)};
    bench->now += 1000;
    assert_int_equal(
        health_sign(bench->monitor, &subject, source, state, span_of(message), bench->now), 0);
}

static RtHealthState service(Bench *bench) {
    return health_monitor_service(bench->monitor, CALC);
}

static RtHealthStatus status(Bench *bench) {
    return health_status(health_find_service(bench->monitor, CALC), false, &bench->arena);
}

/* How many services are to be told of. */
static size_t told(Bench *bench) {
    size_t count = 0;
    for (HealthService *one; (one = health_next_change(bench->monitor)); count++)
        health_told(one);
    return count;
}

/* Start, ready, crash, restart: the demo's first feature. */
static void test_lifecycle(void **state) {
    Bench *bench = *state;
    health_process_started(bench->monitor, CALC, SPAN("p1"), bench->now);
    assert_int_equal(service(bench), STARTING);
    sign(bench, NULL, "p1", RT_HEALTH_SOURCE_PROCESS, HEALTHY, "");
    assert_int_equal(service(bench), HEALTHY);
    sign(bench, "id1", "p1", RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    assert_int_equal(status(bench).instances.count, 1);
    assert_span(status(bench).instances.items[0].service_id, "id1");
    health_process_ended(bench->monitor, CALC, SPAN("p1"), RT_SERVICE_STATE_BACKING_OFF, true,
                         SPAN("exited with code 1"), bench->now += 1000);
    assert_int_equal(service(bench), UNHEALTHY);
    assert_span(status(bench).message, "exited with code 1");
    assert_int_equal(status(bench).source, RT_HEALTH_SOURCE_PROCESS);
    health_instance_gone(bench->monitor, SPAN("id1"), bench->now); /* it stays, red */
    assert_int_equal(service(bench), UNHEALTHY);
    health_process_started(bench->monitor, CALC, SPAN("p2"), bench->now += 1000);
    assert_int_equal(service(bench), STARTING);
    assert_int_equal(status(bench).instances.count, 1);
    sign(bench, NULL, "p2", RT_HEALTH_SOURCE_PROCESS, HEALTHY, "");
    assert_int_equal(service(bench), HEALTHY);
    RtHealthHistory history = {0};
    timeline_summaries(&health_find_service(bench->monitor, CALC)->timeline,
                       RT_HEALTH_RESOLUTION_MINUTE, bench->now, bench->now + 1, bench->now,
                       &bench->arena, &history);
    assert_int_equal(history.summaries.items[0].restarts, 1);
    assert_int_equal(history.summaries.items[0].unhealthy_ms, 1000);
}

static void test_worst_decides(void **state) {
    Bench *bench = *state;
    sign(bench, "id1", "p1", RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    sign(bench, "id1", NULL, RT_HEALTH_SOURCE_REPORT, DEGRADED, "DB slow");
    assert_int_equal(health_monitor_instance(bench->monitor, SPAN("id1")), DEGRADED);
    assert_span(status(bench).message, "DB slow");
    sign(bench, NULL, "p1", RT_HEALTH_SOURCE_PROBE, UNHEALTHY, "GET /health: 500");
    assert_int_equal(service(bench), UNHEALTHY);
    assert_int_equal(status(bench).source, RT_HEALTH_SOURCE_PROBE);
    sign(bench, NULL, "p1", RT_HEALTH_SOURCE_PROBE, HEALTHY, "");
    assert_int_equal(service(bench), DEGRADED);
    sign(bench, "id1", NULL, RT_HEALTH_SOURCE_REPORT, UNKNOWN, ""); /* takes it back */
    assert_int_equal(service(bench), HEALTHY);
    assert_int_equal(status(bench).message.len, 0);
}

static void test_replicas(void **state) {
    Bench *bench = *state;
    sign(bench, "a", NULL, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    sign(bench, "b", NULL, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    assert_int_equal(told(bench), 1);
    sign(bench, "c", NULL, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    assert_int_equal(told(bench), 0); /* one more that is well is no news */
    sign(bench, "b", NULL, RT_HEALTH_SOURCE_LIVENESS, UNHEALTHY, "no heartbeat for 15 s");
    assert_int_equal(service(bench), DEGRADED);
    HealthService *one = health_next_change(bench->monitor);
    RtHealthStatus event = health_status(one, true, &bench->arena);
    assert_int_equal(one->before, HEALTHY);
    assert_int_equal(event.instances.count, 2); /* b, and c of which nobody was told */
    assert_span(event.message, "no heartbeat for 15 s");
    health_instance_gone(bench->monitor, SPAN("b"), bench->now);
    assert_int_equal(service(bench), HEALTHY);
}

static void test_comes_and_goes(void **state) {
    Bench *bench = *state;
    sign(bench, "a", NULL, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    told(bench);
    health_instance_gone(bench->monitor, SPAN("a"), bench->now += 1000);
    HealthService *one = health_next_change(bench->monitor);
    assert_true(one->is_gone);
    assert_int_equal(service(bench), UNKNOWN);
    RtHealthStatus report = {.service_name = CALC, .state = HEALTHY};
    assert_int_equal(health_report(bench->monitor, &report, bench->now), -ENOENT);
    sign(bench, "b", NULL, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    assert_false(one->is_gone);
    assert_int_equal(told(bench), 1);
    health_managed(bench->monitor, CALC, STARTING, SPAN(""), bench->now);
    health_instance_gone(bench->monitor, SPAN("b"), bench->now);
    assert_false(one->is_gone); /* the orchestrator knows it */
    assert_int_equal(service(bench), STARTING);
    health_managed(bench->monitor, CALC, UNKNOWN, SPAN(""), bench->now);
    assert_int_equal(service(bench), UNKNOWN);
}

static void test_reports(void **state) {
    Bench *bench = *state;
    sign(bench, "a", NULL, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    RtHealthStatusMetadataEntry entry = {.key = SPAN("queue"), .value = SPAN("812")};
    RtHealthStatus report = {.service_id = SPAN("a"), .state = DEGRADED, .message = SPAN("slow")};
    report.metadata.items = &entry;
    report.metadata.count = 1;
    assert_int_equal(health_report(bench->monitor, &report, bench->now), 0);
    assert_int_equal(service(bench), DEGRADED);
    RtHealthStatus now = status(bench);
    assert_span(now.instances.items[0].metadata.items[0].value, "812");
    static char much[HEALTH_METADATA_SIZE];
    RtHealthStatusMetadataEntry entries[] = {entry, {.value = span(much, sizeof much)}, entry};
    report.metadata.items = entries;
    report.metadata.count = 3;
    assert_int_equal(health_report(bench->monitor, &report, bench->now), 0);
    assert_int_equal(status(bench).instances.items[0].metadata.count, 1);
    report.service_name = SPAN("somebody else");
    assert_int_equal(health_report(bench->monitor, &report, bench->now), -ENOENT);
    report = (RtHealthStatus){.service_name = CALC, .state = UNHEALTHY, .message = SPAN("all")};
    assert_int_equal(health_report(bench->monitor, &report, bench->now), 0);
    assert_int_equal(service(bench), UNHEALTHY);
    assert_span(status(bench).message, "all");
    report = (RtHealthStatus){.service_id = SPAN("nobody"), .state = HEALTHY};
    assert_int_equal(health_report(bench->monitor, &report, bench->now), -ENOENT);
}

static void judge_second(Bench *bench, const HealthRules *rules, const HealthTraffic *traffic) {
    bench->now += 1000;
    health_judge_traffic(bench->monitor, CALC, rules, traffic, bench->now, bench->now);
}

static void test_rules(void **state) {
    Bench *bench = *state;
    HealthRules rules = HEALTH_RULES;
    HealthTraffic slow = {.seconds = 10, .rps = 100, .p95_ms = 900}, fine = {0};
    sign(bench, "a", NULL, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    for (int i = 0; i < 12; i++)
        judge_second(bench, &rules, &slow);
    assert_int_equal(service(bench), DEGRADED);
    assert_int_equal(status(bench).source, RT_HEALTH_SOURCE_RULE);
    assert_span(status(bench).message, "p95 900 ms over 500 ms for 10 s");
    for (int i = 0; i < 12; i++)
        judge_second(bench, &rules, &fine);
    assert_int_equal(service(bench), HEALTHY);
}

static void test_uptime(void **state) {
    Bench *bench = *state;
    int64_t known, up;
    sign(bench, "a", NULL, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    sign(bench, "a", NULL, RT_HEALTH_SOURCE_LIVENESS, UNHEALTHY, "");
    sign(bench, "a", NULL, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, "");
    bench->now += 2000;
    health_uptime(health_find_service(bench->monitor, CALC), bench->now, &known, &up);
    assert_int_equal(known, 4000);
    assert_int_equal(up, 3000);
}

static void test_bounds(void **state) {
    Bench *bench = *state;
    char name[HEALTH_NAME_MAX + 2], text[HEALTH_MESSAGE_MAX + 10];
    for (int i = 0; i < HEALTH_GONE_MAX + 100; i++) {
        snprintf(name, sizeof name, "client-%d", i);
        HealthSubject subject = {span_of(name), span_of(name), {0}};
        health_sign(bench->monitor, &subject, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, SPAN(""), 1);
        health_instance_gone(bench->monitor, span_of(name), 2);
    }
    assert_int_equal(bench->monitor->services.count, HEALTH_GONE_MAX);
    memset(name, 'x', sizeof name);
    HealthSubject subject = {span(name, sizeof name), SPAN("x"), {0}};
    assert_int_equal(
        health_sign(bench->monitor, &subject, RT_HEALTH_SOURCE_LIVENESS, HEALTHY, SPAN(""), 1),
        -ENOSPC);
    memset(text, 'x', sizeof text);
    memcpy(text + HEALTH_MESSAGE_MAX - 1, "ü", 2); /* is not cut in two */
    subject = (HealthSubject){CALC, SPAN("a"), {0}};
    health_sign(bench->monitor, &subject, RT_HEALTH_SOURCE_REPORT, DEGRADED,
                span(text, sizeof text), 3);
    assert_int_equal(status(bench).message.len, HEALTH_MESSAGE_MAX - 1);
}

/* Whatever comes, the tally is that of the instances. */
static void test_random_signs(void **state) {
    Bench *bench = *state;
    TestRandom random = test_random();
    for (int step = 0; step < 20000; step++) {
        char id[] = {'i', (char)('0' + test_random_below(&random, 9)), 0};
        char process[] = {'p', id[1], 0};
        int64_t at = bench->now += 100;
        switch (test_random_below(&random, 8)) {
        case 0:
            health_instance_gone(bench->monitor, span_of(id), at);
            break;
        case 1:
            health_process_started(bench->monitor, CALC, span_of(process), at);
            break;
        case 2:
            health_process_ended(bench->monitor, CALC, span_of(process),
                                 RT_SERVICE_STATE_BACKING_OFF, test_random_below(&random, 2),
                                 SPAN("it ended"), at);
            break;
        case 3:
            told(bench);
            break;
        default:
            sign(bench, id, process, (RtHealthSource)(1 + test_random_below(&random, 5)),
                 (RtHealthState)test_random_below(&random, 5), "why not");
        }
        const HealthService *one = health_find_service(bench->monitor, CALC);
        HealthTally tally = {0};
        for (const HealthInstance *each = one ? one->instances : NULL; each; each = each->next)
            tally.of[each->signs.state]++;
        if (one)
            assert_memory_equal(&tally, &one->tally, sizeof tally);
        if (one && one->count && health_of_service(&tally) != UNKNOWN)
            assert_int_equal(one->state, health_of_service(&tally));
    }
}

/* Its end is told also where the service stays what it was. */
static void test_one_of_two_goes(void **state) {
    Bench *bench = *state;
    sign(bench, "one", NULL, RT_HEALTH_SOURCE_LIVENESS, DEGRADED, "late");
    sign(bench, "two", NULL, RT_HEALTH_SOURCE_LIVENESS, DEGRADED, "late");
    assert_int_equal(told(bench), 1);
    health_instance_gone(bench->monitor, SPAN("one"), bench->now);
    assert_int_equal(service(bench), DEGRADED);
    assert_int_equal(told(bench), 1);
    assert_int_equal(status(bench).instances.count, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lifecycle),      TEST(test_worst_decides),   TEST(test_replicas),
        TEST(test_comes_and_goes), TEST(test_reports),         TEST(test_rules),
        TEST(test_uptime),         TEST(test_one_of_two_goes), TEST(test_bounds),
        TEST(test_random_signs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
