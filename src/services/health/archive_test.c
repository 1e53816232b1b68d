#include "services/health/archive.h"

#include "base/test.h"
#include "os/simulation.h"

#define HEALTHY  RT_HEALTH_STATE_HEALTHY
#define DEGRADED RT_HEALTH_STATE_DEGRADED

typedef struct Bench {
    char folder[64], path[96];
    Simulation *simulation;
    World *world;
    Store *store;
    HealthMonitor *monitor;
    Archive *archive;
    int loaded, stopped;
    Arena arena;
} Bench;

static void on_loaded(void *owner, int error) {
    Bench *bench = owner;
    assert_int_equal(error, 0);
    bench->loaded++;
}

static void on_stopped(void *owner) {
    ((Bench *)owner)->stopped++;
}

static void pass(Bench *bench, Nanos by) {
    simulation_run(bench->simulation, world_now(bench->world) + by);
}

static int64_t wall(const Bench *bench) {
    return world_wall(bench->world) / NANOS_PER_MILLI;
}

static void begin(Bench *bench) {
    StoreOptions options = {.path = bench->path, .stepped = true};
    Buf report = {0};
    assert_int_equal(store_open(bench->world, &options, &bench->store, &report), 0);
    buf_done(&report);
    bench->monitor = health_monitor_new(1);
    bench->archive = archive_new(bench->world, bench->store, bench->monitor);
    bench->loaded = 0;
    archive_start(bench->archive, on_loaded, bench);
    pass(bench, NANOS_PER_MILLI);
    assert_int_equal(bench->loaded, 1);
}

/* As a kill does: nothing is written any more. */
static void cut(Bench *bench) {
    archive_free(bench->archive);
    health_monitor_free(bench->monitor);
    store_close(bench->store);
}

static int setup(void **state) {
    Bench *bench = calloc(1, sizeof *bench);
    strcpy(bench->folder, "/tmp/muster-health-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->path, sizeof bench->path, "%s/store.db", bench->folder);
    bench->simulation = simulation_new(&(SimulationOptions){.seed = 1});
    bench->world = simulation_world(bench->simulation);
    begin(bench);
    *state = bench;
    return 0;
}

static int teardown(void **state) {
    Bench *bench = *state;
    cut(bench);
    simulation_free(bench->simulation);
    arena_done(&bench->arena);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", bench->folder);
    assert_int_equal(system(command), 0);
    free(bench);
    return 0;
}

static void sign(Bench *bench, const char *service, RtHealthState state, const char *message) {
    HealthSubject subject = {.service_name = span_of(service), .id = span_of(service)};
    health_sign(bench->monitor, &subject, RT_HEALTH_SOURCE_REPORT, state, span_of(message),
                wall(bench));
}

static RtHealthHistory history(Bench *bench, const char *service, int64_t from) {
    RtHealthHistory found = {0};
    const HealthService *one = health_find_service(bench->monitor, span_of(service));
    assert_non_null(one);
    int64_t now = wall(bench);
    timeline_summaries(&one->timeline, RT_HEALTH_RESOLUTION_DAY, from, now + 1, now, &bench->arena,
                       &found);
    timeline_incidents(&one->timeline, span_of(service), from, now + 1, &bench->arena, &found);
    return found;
}

static void test_survives_a_kill(void **state) {
    Bench *bench = *state;
    int64_t begun = wall(bench);
    sign(bench, "calc", HEALTHY, "");
    pass(bench, 20 * NANOS_PER_SECOND);
    sign(bench, "calc", DEGRADED, "slow");
    pass(bench, 15 * NANOS_PER_SECOND);
    cut(bench);
    pass(bench, 5 * NANOS_PER_SECOND);
    begin(bench);
    sign(bench, "calc", HEALTHY, "");
    RtHealthHistory found = history(bench, "calc", begun);
    assert_int_equal(found.summaries.count, 1);
    const RtHealthSummary *day = found.summaries.items;
    assert_in_range(day->healthy_ms, 19900, 20100);
    assert_in_range(day->degraded_ms, 5000, 15100); /* up to the last mark */
    assert_in_range(day->unknown_ms, 4900, 15100);
    assert_int_equal(found.incidents.count, 1);
    assert_span(found.incidents.items[0].message, "slow");
    assert_true(found.incidents.items[0].end_time > 0);
}

static void test_a_good_end_loses_nothing(void **state) {
    Bench *bench = *state;
    char name[16];
    int64_t begun = wall(bench);
    for (int i = 0; i < 250; i++) { /* more than a transaction holds */
        snprintf(name, sizeof name, "s%d", i);
        sign(bench, name, HEALTHY, "");
    }
    pass(bench, 3 * NANOS_PER_SECOND);
    archive_stop(bench->archive, on_stopped, bench);
    pass(bench, NANOS_PER_MILLI);
    assert_int_equal(bench->stopped, 1);
    cut(bench);
    begin(bench);
    assert_int_equal(bench->monitor->services.count, 250);
    for (int i = 0; i < 250; i++) {
        snprintf(name, sizeof name, "s%d", i);
        assert_in_range(history(bench, name, begun).summaries.items[0].healthy_ms, 2900, 3100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_survives_a_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_good_end_loses_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
