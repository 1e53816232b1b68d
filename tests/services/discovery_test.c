/* Single things that broker, topology and health do together, in a simulated world. */
#include "discovery_run.h"
#include "services/health/health.h"
#include "services/topology/topology.h"

static int load_nothing(Context *context, Buf *reason) {
    return 0;
}

static const Component NOBODY = {.name = "nobody", .load = load_nothing};

static void begin(Run *run) {
    *run = (Run){.random = {1}, .calm = true};
    run->simulation = simulation_new(&(SimulationOptions){.seed = 1, .delay_max = NANOS_PER_MILLI});
    runtime_init(&run->runtime, run->simulation, 1);
    runtime_begin(&run->runtime, &NOBODY, run);
    site_init(run, &run->sites[0]);
    site_init(run, &run->watchers[0]);
}

static void end(Run *run) {
    for (int i = 0; i < SERVICES; i++)
        if (run->services[i].site)
            wheel_cancel(world_wheel(run->sites[0].world), &run->services[i].timer);
    site_done(&run->sites[0]);
    site_done(&run->watchers[0]);
    run_for(run, SECOND);
    runtime_end(&run->runtime, false);
    simulation_free(run->simulation);
    runtime_done(&run->runtime);
}

static Service *serve(Run *run, int number, int32_t asks_ms) {
    Service *service = &run->services[number];
    service_init(run, service, 0, number);
    service->lives_now = true;
    service->health = RT_HEALTH_STATE_HEALTHY;
    service->asks_ms = asks_ms;
    snprintf(service->instance_id, sizeof service->instance_id, "%d", number);
    register_service(service);
    run_for(run, SECOND);
    assert_true(service->id[0]);
    return service;
}

static const RtHeartbeatStatistics *beats_of(Run *run, const char *name, Answer *answer) {
    RtListHeartbeatsRequest request = {.service_name = span_of(name)};
    const RtListHeartbeatsResponse *all =
        ask_now(run, &RtHealthService_service, RtHealthService_ListHeartbeats, &request, answer);
    assert_int_equal(all->statistics.count, 1);
    return &all->statistics.items[0];
}

/* Neither the runtime's pauses nor its clock are the service's fault. */
static void beats_are_not_missed_by_who_is_away(void **state) {
    Run run;
    Answer answer;
    begin(&run);
    serve(&run, 1, 3000);
    World *world = runtime_world(&run.runtime);
    run_for(&run, 60 * SECOND);
    simulation_set_clock(world, 3600 * SECOND);
    run_for(&run, 60 * SECOND);
    simulation_hold(world, 25 * SECOND);
    run_for(&run, 60 * SECOND);
    simulation_set_clock(world, -7200 * SECOND);
    run_for(&run, 60 * SECOND);
    const RtHeartbeatStatistics *beats = beats_of(&run, run.services[1].name, &answer);
    assert_int_equal(beats->beats_missed, 0);
    assert_in_range(beats->beats_received, 78, 80);
    assert_true(beats->alive);
    assert_int_equal(beats->consecutive_failures, 0);
    int64_t age = world_wall(world) / NANOS_PER_MILLI - beats->last_heartbeat;
    assert_in_range(age, 0, 3000);
    arena_done(&answer.arena);
    end(&run);
}

/* Each of them counts, whatever it finds, beside the beats. */
static void probes_are_counted(void **state) {
    Run run;
    Answer answer;
    begin(&run);
    Service *service = serve(&run, 2, 3000);
    for (int i = 0; i < 10; i++) {
        RtServiceEvent event = event_of(service, RT_SERVICE_STATE_HEALTHY);
        char topic[40];
        event.type =
            i % 5 == 4 ? RT_SERVICE_EVENT_TYPE_HEALTH_CHECK_FAILED : RT_SERVICE_EVENT_TYPE_HEALTHY;
        event.has_probe_us = true;
        event.probe_us = 1000 * (i + 1);
        snprintf(topic, sizeof topic, "supervisor.probe.%s", service->name);
        runtime_hears(&run.runtime, topic, &event);
        run_for(&run, 3 * SECOND);
    }
    const RtHeartbeatStatistics *beats = beats_of(&run, service->name, &answer);
    assert_int_equal(beats->beats_missed, 2);
    assert_int_equal(beats->beats_received, 8 + 10);
    assert_int_equal(beats->consecutive_failures, 1);
    assert_true(beats->latency_min_ms == 1 && beats->latency_max_ms == 9);
    arena_done(&answer.arena);
    end(&run);
}

/* ---- configuration ---- */

static bool no_variable(void *owner, Span name, Span *ret) {
    return false;
}

static int no_file(void *owner, const char *path, Buf *out) {
    return -2; /* ENOENT */
}

static void apply(Run *run, const char *yaml) {
    static const ConfigWorld WORLD = {NULL, no_file, no_variable};
    RtConfigurationFile file = {.path = SPAN("/project/muster.yaml"), .text = span_of(yaml)};
    ConfigOptions options = {.world = &WORLD, .files = &file, .file_count = 1, .number = 1};
    ConfigReport report = {0};
    const Config *config = NULL;
    assert_int_equal(config_read(&options, &config, &report), 0);
    config_report_done(&report);
    config_enforce(&run->runtime.in_force, config);
    config_unref(config);
    runtime_hears(&run->runtime, "configuration.applied",
                  &(RtServiceEvent){.type = RT_SERVICE_EVENT_TYPE_CONFIGURATION_APPLIED});
}

static TopologyInstance found(Run *run, const Service *service) {
    TopologyInstance instance;
    assert_true(topology_find(topology_of(run->runtime.context), span_of(service->id), &instance));
    return instance;
}

static bool depends(Run *run, const char *source, const char *target) {
    Answer answer;
    const RtTopologySnapshot *graph =
        ask_now(run, &RtTopologyService_service, RtTopologyService_GetTopology,
                &(RtTopologyQuery){0}, &answer);
    bool there = false;
    for (uint32_t i = 0; i < graph->edges.count; i++)
        there |= graph->edges.items[i].kind == RT_EDGE_KIND_DEPENDENCY &&
                 span_equal(graph->edges.items[i].source, span_of(source)) &&
                 span_equal(graph->edges.items[i].target, span_of(target));
    arena_done(&answer.arena);
    return there;
}

/* Timings, labels and dependencies follow the configuration; who beats as it was told is not STALE
 * meanwhile, and what a service asked for itself stays. */
static void a_new_configuration_takes_effect(void **state) {
    Run run;
    begin(&run);
    Service *as_told = serve(&run, 0, 0), *own = serve(&run, 2, 4000);
    assert_int_equal(found(&run, as_told).interval_ms, 5000);
    run_for(&run, 10 * SECOND);
    apply(&run, "services:\n"
                "  s0:\n"
                "    command: [\"true\"]\n"
                "    depends_on: [s7, s8]\n"
                "    topology: {heartbeat_interval: 1s, stale_after: 4, dead_after: 6}\n"
                "  s1:\n"
                "    command: [\"true\"]\n"
                "    topology: {heartbeat_interval: 1s, stale_after: 4, dead_after: 6}\n"
                "  s7: {command: [\"true\"], depends_on: [s9]}\n"
                "  s8: {command: [\"true\"]}\n"
                "  s9: {command: [\"true\"]}\n");
    for (int i = 0; i < 60; i++) {
        run_for(&run, SECOND / 4);
        assert_int_not_equal(found(&run, as_told).state, RT_CONNECTION_STATE_STALE);
    }
    TopologyInstance instance = found(&run, as_told);
    assert_int_equal(instance.interval_ms, 1000);
    assert_int_equal(instance.stale_after, 4);
    assert_int_equal(instance.dead_after, 6);
    assert_int_equal(as_told->interval_ms, 1000);
    instance = found(&run, own);
    assert_int_equal(instance.interval_ms, 4000);
    assert_int_equal(instance.dead_after, 6);
    assert_true(depends(&run, "s0", "s7") && depends(&run, "s0", "s8"));
    assert_false(depends(&run, "s0", "s9"));

    apply(&run, "services:\n"
                "  s0:\n"
                "    command: [\"true\"]\n"
                "    depends_on: [s8]\n"
                "  s8: {command: [\"true\"]}\n");
    run_for(&run, 10 * SECOND);
    assert_int_equal(found(&run, as_told).interval_ms, 5000);
    assert_true(depends(&run, "s0", "s8"));
    assert_false(depends(&run, "s0", "s7"));
    end(&run);
    config_enforce(&run.runtime.in_force, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beats_are_not_missed_by_who_is_away),
        cmocka_unit_test(probes_are_counted),
        cmocka_unit_test(a_new_configuration_takes_effect),
    };
    return cmocka_run_group_tests_name("discovery", tests, NULL, NULL);
}
