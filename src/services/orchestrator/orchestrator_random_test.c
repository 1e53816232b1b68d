/* The orchestrator under random orders and mishaps, each run decided by its seed: services that
 * crash, hang, ignore signals and leave others behind; people who start, stop and restart them;
 * clocks that jump; runtimes and keepers that die. */
#include <errno.h>
#include <signal.h>

#include "base/log.h"
#include "services/orchestrator/kit.h"

#define SECOND NANOS_PER_SECOND
#define DAY    (24 * 3600 * SECOND)
#define ROUNDS 60
#define STEPS  60

static const char PROJECT[] =
    "services:\n"
    "  db: {command: [server], restart: {initial: 100ms, max: 2s}}\n"
    "  cache: {command: [flaky], start_order: 1, restart: {initial: 100ms, max: 2s}}\n"
    "  migrate: {command: [worker], task: true, start_order: 1, depends_on: [db]}\n"
    "  api:\n"
    "    command: [notifies]\n"
    "    type: notify\n"
    "    replicas: 3\n"
    "    start_order: 2\n"
    "    depends_on: {db: healthy, migrate: completed, cache: {kind: soft}}\n"
    "    restart: {initial: 100ms, max: 2s}\n"
    "  web: {command: [slow], start_order: 3, depends_on: [api], stop: {timeout: 2s}}\n"
    "  stubborn: {command: [stubborn], stop: {timeout: 3s}}\n"
    "  daemon: {command: [daemon], restart: {policy: always, initial: 100ms, max: 1s}}\n"
    "  silent: {command: [silent], type: notify, health_check: {type: log_line, pattern: up, "
    "start_limit: 2s}}\n";

static const SimulatedStep FLAKY[] = {
    {SIMULATED_WAIT, .time = 3 * SECOND},
    {SIMULATED_DIE, .number = SIGSEGV},
};
static const SimulatedStep WORK[] = {
    {SIMULATED_WAIT, .time = 300 * NANOS_PER_MILLI},
    {SIMULATED_EXIT, .number = 0},
};
static const SimulatedStep NOTIFIES[] = {
    {SIMULATED_SPAWN, .number = 1},
    {SIMULATED_WAIT, .time = 500 * NANOS_PER_MILLI},
    {SIMULATED_NOTIFY, .text = {"READY=1", 7}},
};
static const SimulatedStep DAEMON[] = {
    {SIMULATED_SPAWN, .number = 1},
    {SIMULATED_SPAWN, .number = 0},
    {SIMULATED_WAIT, .time = 200 * NANOS_PER_MILLI},
    {SIMULATED_EXIT, .number = 0},
};
static const SimulatedProgram PROGRAMS[] = {
    {.name = {"server", 6}},
    {.name = {"slow", 4}, .ending = SECOND},
    {.name = {"stubborn", 8}, .ignores = true},
    {.name = {"flaky", 5}, .steps = FLAKY, .step_count = 2},
    {.name = {"worker", 6}, .steps = WORK, .step_count = 2},
    {.name = {"notifies", 8}, .steps = NOTIFIES, .step_count = 3},
    {.name = {"daemon", 6}, .steps = DAEMON, .step_count = 4},
    {.name = {"silent", 6}},
};

static const char *const NAMES[] = {"db",  "cache",    "migrate", "api",
                                    "web", "stubborn", "daemon",  "silent"};

/* ---- what must always hold ---- */

static bool is_same_place(Span a, Span b) {
    LaunchLabel left, right;
    return launch_read_label(a, &left) && launch_read_label(b, &right) &&
           span_equal(left.service, right.service) && left.replica == right.replica;
}

static void check_one_process_for_each_place(const Kit *kit) {
    const ProcessInfo *seen[64];
    size_t count = 0, at = 0;
    for (const ProcessInfo *info; (info = process_next(kit->host, &at)) && count < 64;)
        if (info->state == PROCESS_RUNNING || info->state == PROCESS_STARTING)
            seen[count++] = info;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (is_same_place(seen[i]->label, seen[j]->label))
                fail_msg("%.*s and %.*s live at the same time", SPAN_ARGS(seen[j]->id),
                         SPAN_ARGS(seen[i]->id));
}

static void check_instance(const Instance *instance) {
    const Life *life = instance->life;
    bool up = instance_is_up(instance->state);
    assert_true(up || !life);
    assert_true(!life || life->instance == instance);
    if (instance->state == RT_SERVICE_STATE_BACKING_OFF)
        assert_true(timer_is_armed(&instance->pause_timer));
    if (instance->state == RT_SERVICE_STATE_STOPPING && life && life->running)
        assert_true(timer_is_armed(&instance->end_timer));
    if (instance->state == RT_SERVICE_STATE_WAITING || instance->state == RT_SERVICE_STATE_PENDING)
        assert_true(instance->wanted);
    if (instance->state == RT_SERVICE_STATE_STOPPED && !instance->service->removed)
        assert_false(instance->wanted);
}

static void check(const Kit *kit) {
    const Orchestrator *orchestrator = kit->orchestrator;
    check_one_process_for_each_place(kit);
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        const Service *service = orchestrator->services.items[s];
        assert_int_equal(service->instances.count, service->replicas);
        for (size_t i = 0; i < service->instances.count; i++)
            check_instance(service->instances.items[i]);
    }
}

/* Three at a time without becoming stable, with pauses of 100 ms at least. */
static void check_runs(const Kit *kit, Nanos began) {
    Nanos time = world_now(kit->world) - began;
    for (size_t s = 0; s < kit->orchestrator->services.count; s++) {
        const Service *service = kit->orchestrator->services.items[s];
        assert_true(service->runs <=
                    (int64_t)(service->replicas * (4 * STEPS + time / (90 * NANOS_PER_MILLI))));
    }
}

/* ---- what may happen ---- */

static void kill_one(Kit *kit) {
    const ProcessInfo *chosen = NULL;
    size_t at = 0, count = 0;
    for (const ProcessInfo *info; (info = process_next(kit->host, &at));)
        if (info->state == PROCESS_RUNNING && simulation_choose(kit->simulation, ++count) == 0)
            chosen = info;
    if (chosen)
        simulated_process_end(kit->host, chosen->id, 1,
                              simulation_choose(kit->simulation, 2) ? SIGKILL : 0);
}

/* As by SIGSTOP. */
static void hold(Kit *kit, Nanos time) {
    simulation_hold(kit->world, time);
    kit_run(kit, time + NANOS_PER_MILLI);
}

static void happen(Kit *kit) {
    const char *name = NAMES[simulation_choose(kit->simulation, 8)];
    uint64_t what = simulation_choose(kit->simulation, 14);
    if (getenv("TEST_TRACE"))
        print_message("# %.3f s: %llu %s\n", (double)world_now(kit->world) / (double)SECOND,
                      (unsigned long long)what, name);
    switch (what) {
    case 0:
        kit_ask(kit, ACTION_START, NULL);
        break;
    case 1:
        kit_ask(kit, ACTION_STOP, NULL);
        break;
    case 2:
    case 3:
        kit_ask(kit, ACTION_START, name);
        break;
    case 4:
        kit_ask(kit, ACTION_STOP, name);
        break;
    case 5:
        kit_ask(kit, ACTION_RESTART, name);
        break;
    case 6:
    case 7:
    case 8:
        kill_one(kit);
        break;
    case 9:
        kit_end(kit);
        kit_run(kit, (Nanos)simulation_choose(kit->simulation, 5 * SECOND));
        kit_begin(kit);
        break;
    case 10:
        simulated_host_replace(kit->host);
        break;
    case 11:
        simulation_set_clock(kit->world,
                             (Nanos)simulation_choose(kit->simulation, 20 * DAY) - 10 * DAY);
        break;
    case 12:
        hold(kit, (Nanos)simulation_choose(kit->simulation, 20 * SECOND));
        break;
    default:
        simulated_host_disk_full(kit->host, simulation_choose(kit->simulation, 2));
        break;
    }
}

static uint64_t play(uint64_t seed) {
    Kit kit;
    kit_init(&kit, PROJECT, seed);
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof *PROGRAMS; i++)
        simulated_host_add(kit.host, &PROGRAMS[i]);
    Nanos began = world_now(kit.world);
    kit_ask(&kit, ACTION_START, NULL);
    for (int i = 0; i < STEPS; i++) {
        kit_run(&kit, (Nanos)simulation_choose(kit.simulation, 2 * SECOND));
        check(&kit);
        happen(&kit);
    }
    simulated_host_disk_full(kit.host, false);
    check_runs(&kit, began);
    kit_ask(&kit, ACTION_STOP, NULL);
    kit_run(&kit, 30 * SECOND);
    check(&kit);
    assert_true(kit.done);
    size_t at = 0;
    const ProcessInfo *left = process_next(kit.host, &at);
    if (left)
        fail_msg("%.*s is left, in state %d", SPAN_ARGS(left->id), left->state);
    uint64_t trace = simulation_trace(kit.simulation) ^ (uint64_t)kit.topics.len;
    kit_done(&kit);
    return trace;
}

static void holds_whatever_happens(void **state) {
    TestRandom random = test_random();
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t seed = test_random_bits(&random);
        print_message("# seed %llu\n", (unsigned long long)seed);
        play(seed);
    }
}

static void a_seed_decides_everything(void **state) {
    assert_int_equal(play(7), play(7));
}

int main(void) {
    log_setup(2, LOG_HUMAN, LOG_FATAL); /* keepers come and go */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_whatever_happens),
        cmocka_unit_test(a_seed_decides_everything),
    };
    return cmocka_run_group_tests_name("orchestrator_random", tests, NULL, NULL);
}
