#include "services/orchestrator/orchestrator.h"

#include <errno.h>
#include <signal.h>

#include "os/simulated_disk.h"
#include "services/orchestrator/kit.h"

#define SECOND NANOS_PER_SECOND

/* ---- programs ---- */

static const SimulatedStep CRASH[] = {
    {SIMULATED_WAIT, .time = 100 * NANOS_PER_MILLI},
    {SIMULATED_EXIT, .number = 3},
};
static const SimulatedStep LATE_CRASH[] = {
    {SIMULATED_WAIT, .time = 20 * SECOND},
    {SIMULATED_EXIT, .number = 4},
};
static const SimulatedStep WORK[] = {
    {SIMULATED_WAIT, .time = SECOND},
    {SIMULATED_EXIT, .number = 0},
};
static const SimulatedStep DAEMON[] = {
    {SIMULATED_SPAWN, .number = 1},
    {SIMULATED_WAIT, .time = 100 * NANOS_PER_MILLI},
    {SIMULATED_EXIT, .number = 0},
};
static const SimulatedStep NOTIFIES[] = {
    {SIMULATED_WAIT, .time = 2 * SECOND},
    {SIMULATED_NOTIFY, .text = {"READY=1\nSTATUS=up", 17}},
};
static const SimulatedStep BEATS[] = {
    {SIMULATED_NOTIFY, .text = {"READY=1", 7}},     {SIMULATED_WAIT, .time = SECOND},
    {SIMULATED_NOTIFY, .text = {"WATCHDOG=1", 10}}, {SIMULATED_WAIT, .time = SECOND},
    {SIMULATED_NOTIFY, .text = {"WATCHDOG=1", 10}},
};
static const SimulatedStep LIVELY[] = {
    {SIMULATED_NOTIFY, .text = {"READY=1\nWATCHDOG=1", 18}},
    {SIMULATED_WAIT, .time = SECOND},
    {.what = SIMULATED_REPEAT},
};

static const SimulatedStep TALKER[] = {
    {SIMULATED_PRINT, .text = {"out\n", 4}},
    {SIMULATED_ERROR, .text = {"error\n", 6}},
};

static const SimulatedProgram PROGRAMS[] = {
    {.name = {"server", 6}},
    {.name = {"slow", 4}, .ending = SECOND},
    {.name = {"stubborn", 8}, .ignores = true},
    {.name = {"crasher", 7}, .steps = CRASH, .step_count = 2},
    {.name = {"later", 5}, .steps = LATE_CRASH, .step_count = 2},
    {.name = {"talker", 6}, .steps = TALKER, .step_count = 2},
    {.name = {"worker", 6}, .steps = WORK, .step_count = 2},
    {.name = {"daemon", 6}, .steps = DAEMON, .step_count = 3},
    {.name = {"notifies", 8}, .steps = NOTIFIES, .step_count = 2},
    {.name = {"beats", 5}, .steps = BEATS, .step_count = 5},
    {.name = {"lively", 6}, .steps = LIVELY, .step_count = 3},
    {.name = {"missing", 7}, .start_error = -ENOENT},
};

static void begin(Kit *kit, const char *yaml) {
    kit_init(kit, yaml, 1);
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof *PROGRAMS; i++)
        simulated_host_add(kit->host, &PROGRAMS[i]);
}

/* ---- output ---- */

/* What a process has left behind may write until the last of it is taken: the capture that took it
 * may be gone by then. */
static void output_after_the_end(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [talker]}\n");
    SimulatedDisk *disk = simulated_disk_new(1);
    Buf report = {0};
    kit_end(&kit);
    files_folder(simulated_disk_files(disk), "/data");
    LogsOptions options = {.files = simulated_disk_files(disk), .folder = "/data", .stepped = true};
    assert_int_equal(logs_open(kit.world, &options, &kit.logs, &report), 0);
    kit_begin(&kit);
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, SECOND);
    Life *life = kit_instance(&kit, "app")->life;
    assert_non_null(life->captures[PROCESS_STDOUT]);
    simulated_process_end(kit.host, span_of(life->child.id), 1, 0);
    life->exited = true;
    life_leave(life);
    for (int i = 0; i < PROCESS_STREAMS; i++) {
        assert_null(life->captures[i]);
        life->child.ops->output(&life->child, NULL, (ProcessStream)i);
    }
    kit_run(&kit, SECOND);
    assert_true(kit_instance(&kit, "app")->service->last_output.count == 2);
    kit_end(&kit);
    logs_close(kit.logs);
    kit.logs = NULL;
    kit_begin(&kit);
    kit_done(&kit);
    simulated_disk_free(disk);
    buf_done(&report);
}

/* ---- starting ---- */

static void dependencies_start_first(void **state) {
    Kit kit;
    begin(&kit, "services:\n"
                "  app: {command: [server], depends_on: [db]}\n"
                "  db: {command: [notifies], type: notify}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, SECOND);
    assert_state(&kit, "app", "waiting");
    assert_state(&kit, "db", "starting");
    assert_false(kit.done);
    kit_run(&kit, 2 * SECOND);
    assert_state(&kit, "db", "running");
    assert_state(&kit, "app", "running");
    assert_true(kit.done && kit.good);
    kit_ask(&kit, ACTION_STOP, NULL);
    kit_run(&kit, SECOND);
    assert_true(kit.done);
    assert_span(buf_span(&kit.stopped), "app\ndb\n");
    kit_done(&kit);
}

static void what_needs_a_failure_is_skipped(void **state) {
    Kit kit;
    begin(&kit, "services:\n"
                "  db: {command: [missing]}\n"
                "  app: {command: [server], depends_on: [db]}\n"
                "  other: {command: [server]}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, SECOND);
    assert_true(kit.done && !kit.good);
    assert_state(&kit, "db", "failed");
    assert_state(&kit, "app", "skipped");
    assert_state(&kit, "other", "running");
    assert_span(buf_span(&kit.failed),
                "db: cannot be started: the program missing: No such file or directory\n"
                "app: it needs db, which has failed\n");
    kit_done(&kit);
}

static void nobody_waits_for_what_does_not_answer(void **state) {
    Kit kit;
    begin(&kit, "services:\n"
                "  db: {external: true, health_check: {type: tcp, port: 5433, start_limit: 5s}}\n"
                "  app: {command: [server], depends_on: [db], start_order: 1}\n"
                "  page: {command: [server], depends_on: [app], start_order: 2}\n"
                "  other: {command: [server], start_order: 3}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, 4 * SECOND);
    assert_false(kit.done);
    assert_state(&kit, "db", "starting");
    kit_run(&kit, 2 * SECOND);
    assert_true(kit.done && !kit.good);
    assert_state(&kit, "db", "unhealthy");
    assert_state(&kit, "app", "waiting"); /* db may come up yet */
    assert_state(&kit, "page", "waiting");
    assert_state(&kit, "other", "running");
    Span failed = buf_span(&kit.failed);
    assert_true(span_starts(failed, SPAN("db: does not answer: ")));
    assert_non_null(memmem(failed.ptr, failed.len, "app: it waits still, for db\n", 28));
    assert_non_null(memmem(failed.ptr, failed.len, "page: it waits still, for app\n", 30));
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, SECOND);
    assert_true(kit.done && !kit.good);
    kit_done(&kit);
}

/* ---- crashing ---- */

static void three_attempts_and_no_more(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [crasher], type: notify}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, 120 * SECOND);
    assert_true(kit.done && !kit.good);
    assert_state(&kit, "app", "failed");
    assert_int_equal(orchestrator_find(kit.orchestrator, SPAN("app"))->runs, 3);
    assert_span(buf_span(&kit.failed), "app: exited with code 3 after 100 ms; tried 3 times\n");
    kit_done(&kit);
}

static void what_was_stable_is_restarted_for_ever(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [later]}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, 600 * SECOND);
    const Service *service = orchestrator_find(kit.orchestrator, SPAN("app"));
    assert_true(service->runs > 20);
    assert_int_equal(service->restarts, service->runs - 1);
    assert_state(&kit, "app", "running");
    kit_done(&kit);
}

static void tasks_complete(void **state) {
    Kit kit;
    begin(&kit, "services:\n"
                "  migrate: {command: [worker], task: true}\n"
                "  app: {command: [server], depends_on: {migrate: {condition: completed}}}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, 500 * NANOS_PER_MILLI);
    assert_state(&kit, "app", "waiting");
    kit_run(&kit, SECOND);
    assert_state(&kit, "migrate", "completed");
    assert_state(&kit, "app", "running");
    assert_true(kit.done && kit.good);
    kit_done(&kit);
}

static void an_armed_schedule_is_ready(void **state) {
    Kit kit;
    begin(&kit, "services:\n"
                "  job: {command: [crasher], schedule: {interval: 1h}, restart: never}\n"
                "  app: {command: [server], depends_on: [job]}\n"
                "  sum: {command: [server], depends_on: {job: {condition: completed}}}\n");
    kit_ask(&kit, ACTION_START, "app");
    kit_run(&kit, SECOND);
    assert_state(&kit, "app", "skipped"); /* nobody has asked for its job */
    kit_ask(&kit, ACTION_START, "job");
    kit_run(&kit, SECOND);
    assert_true(kit.done && kit.good);
    assert_state(&kit, "job", "stopped");
    kit_ask(&kit, ACTION_START, "app");
    kit_run(&kit, SECOND);
    assert_true(kit.done && kit.good);
    kit_ask(&kit, ACTION_START, "sum");
    kit_run(&kit, 2 * 3600 * SECOND);
    assert_state(&kit, "job", "failed");
    assert_state(&kit, "app", "running");
    assert_state(&kit, "sum", "waiting"); /* until a run has ended well */
    kit_done(&kit);
}

/* ---- ending ---- */

static void who_does_not_end_is_killed(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [stubborn], stop: {timeout: 5s}}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, SECOND);
    kit_ask(&kit, ACTION_STOP, NULL);
    kit_run(&kit, 4 * SECOND);
    assert_false(kit.done);
    assert_state(&kit, "app", "stopping");
    kit_run(&kit, 2 * SECOND);
    assert_true(kit.done);
    assert_state(&kit, "app", "stopped");
    kit_done(&kit);
}

static void what_is_left_behind_is_ended(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [daemon], restart: never}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, 20 * SECOND);
    size_t at = 0;
    assert_null(process_next(kit.host, &at));
    kit_done(&kit);
}

static void stopping_breaks_a_pause_off(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [crasher], max_retries: 0}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, 30 * SECOND);
    kit_ask(&kit, ACTION_STOP, NULL);
    kit_run(&kit, SECOND);
    assert_true(kit.done);
    int64_t runs = orchestrator_find(kit.orchestrator, SPAN("app"))->runs;
    kit_run(&kit, 600 * SECOND);
    assert_int_equal(orchestrator_find(kit.orchestrator, SPAN("app"))->runs, runs);
    assert_state(&kit, "app", "stopped");
    kit_done(&kit);
}

static void restarting_takes_dependants_along(void **state) {
    Kit kit;
    begin(&kit, "services:\n"
                "  db: {command: [slow]}\n"
                "  app: {command: [slow], depends_on: [db]}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, SECOND);
    kit_ask(&kit, ACTION_RESTART, NULL);
    kit_run(&kit, 1500 * NANOS_PER_MILLI);
    assert_state(&kit, "app", "stopped");
    assert_state(&kit, "db", "stopping");
    kit_run(&kit, SECOND);
    assert_true(kit.done && kit.good);
    assert_state(&kit, "app", "running");
    assert_int_equal(kit_instance(&kit, "app")->run, 2);
    assert_int_equal(kit_instance(&kit, "app")->restarts, 0);
    kit_done(&kit);
}

static void a_silent_watchdog_restarts(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [beats], type: notify, watchdog: 3s}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, 4 * SECOND);
    assert_state(&kit, "app", "running");
    assert_int_equal(kit_instance(&kit, "app")->run, 1);
    kit_run(&kit, 6 * SECOND);
    assert_true(kit_instance(&kit, "app")->run >= 2);
    kit_done(&kit);
}

/* ---- over a restart of the runtime ---- */

/* Somebody sets it, or it is put right after a night of sleep. */
static void nobody_minds_a_clock_that_jumps(void **state) {
    static const Nanos JUMPS[] = {-24 * 3600 * SECOND, 48 * 3600 * SECOND, -3600 * SECOND};
    Kit kit;
    begin(&kit, "services:\n"
                "  app: {command: [lively], type: notify, watchdog: 3s, health_check: {type: exec, "
                "command: [worker], interval: 2s}}\n"
                "  slow: {command: [crasher], restart: {initial: 2s, max: 2s}, max_retries: 0}\n"
                "  job: {command: [worker], schedule: {interval: 10s}}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, 15 * SECOND);
    assert_state(&kit, "app", "healthy");
    for (size_t i = 0; i < sizeof JUMPS / sizeof *JUMPS; i++) {
        int64_t slow = kit_instance(&kit, "slow")->run, job = kit_instance(&kit, "job")->run;
        simulation_set_clock(kit.world, JUMPS[i]);
        kit_run(&kit, 120 * SECOND);
        assert_state(&kit, "app", "healthy");
        assert_int_equal(kit_instance(&kit, "app")->run, 1);
        slow = kit_instance(&kit, "slow")->run - slow;
        assert_true(slow > 40 && slow < 70);
        job = kit_instance(&kit, "job")->run - job;
        assert_true(job >= 6 && job <= 13); /* it is noticed within a minute, and not made up for */
    }
    kit_done(&kit);
}

static void services_outlive_the_runtime(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [server]}\n  job: {command: [later]}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, SECOND);
    int64_t pid = kit_instance(&kit, "app")->life->identity.pid;
    kit_end(&kit);
    kit_run(&kit, 30 * SECOND); /* in which job ends */
    kit_begin(&kit);
    kit_run(&kit, 100 * NANOS_PER_MILLI);
    assert_state(&kit, "app", "running");
    assert_int_equal(kit_instance(&kit, "app")->life->identity.pid, pid);
    assert_int_equal(kit_instance(&kit, "job")->ending.code, 4);
    kit_run(&kit, 10 * SECOND);
    assert_state(&kit, "job", "running");
    assert_int_equal(kit_instance(&kit, "job")->run, 2);
    kit_done(&kit);
}

static void adopted_services_say_so(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [server]}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, SECOND);
    kit_end(&kit);
    simulated_host_replace(kit.host);
    kit_begin(&kit);
    kit_run(&kit, SECOND);
    assert_state(&kit, "app", "running");
    assert_true(kit_instance(&kit, "app")->life->adopted);
    kit_done(&kit);
}

/* ---- events ---- */

static void tells_what_happens(void **state) {
    Kit kit;
    begin(&kit, "services:\n  app: {command: [server]}\n");
    kit_ask(&kit, ACTION_START, NULL);
    kit_run(&kit, SECOND);
    simulated_process_end(kit.host, SPAN("app-1.1"), 1, 0);
    kit_run(&kit, 100 * NANOS_PER_MILLI);
    Span topics = buf_span(&kit.topics);
    assert_non_null(memmem(topics.ptr, topics.len, "process.started\n", 16));
    assert_non_null(memmem(topics.ptr, topics.len, "process.stopped\n", 16));
    assert_non_null(memmem(topics.ptr, topics.len, "supervisor.state.app\n", 21));
    assert_state(&kit, "app", "backing off");
    kit_done(&kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_after_the_end),
        cmocka_unit_test(dependencies_start_first),
        cmocka_unit_test(what_needs_a_failure_is_skipped),
        cmocka_unit_test(nobody_waits_for_what_does_not_answer),
        cmocka_unit_test(three_attempts_and_no_more),
        cmocka_unit_test(what_was_stable_is_restarted_for_ever),
        cmocka_unit_test(tasks_complete),
        cmocka_unit_test(an_armed_schedule_is_ready),
        cmocka_unit_test(who_does_not_end_is_killed),
        cmocka_unit_test(what_is_left_behind_is_ended),
        cmocka_unit_test(stopping_breaks_a_pause_off),
        cmocka_unit_test(restarting_takes_dependants_along),
        cmocka_unit_test(a_silent_watchdog_restarts),
        cmocka_unit_test(nobody_minds_a_clock_that_jumps),
        cmocka_unit_test(services_outlive_the_runtime),
        cmocka_unit_test(adopted_services_say_so),
        cmocka_unit_test(tells_what_happens),
    };
    return cmocka_run_group_tests_name("orchestrator", tests, NULL, NULL);
}
