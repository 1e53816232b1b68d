#include "os/simulated_process.h"

#include <errno.h>
#include <signal.h>

#include "base/buf.h"
#include "base/test.h"
#include "os/simulation.h"

/* What the handlers were told, a line each. */
typedef struct Bench {
    Simulation *simulation;
    World *world;
    ProcessHost *host;
    Buf told;
    bool release; /* what has exited */
} Bench;

static void on_started(void *owner, const ProcessInfo *info) {
    Bench *bench = owner;
    if (info->state == PROCESS_FAILED)
        buf_printf(&bench->told, "%.*s failed: %s %d\n", SPAN_ARGS(info->id),
                   process_step_text(info->failed_step), info->error);
    else
        buf_printf(&bench->told, "%.*s started\n", SPAN_ARGS(info->id));
}

static void on_exited(void *owner, const ProcessInfo *info) {
    Bench *bench = owner;
    buf_printf(&bench->told, "%.*s exited: %d %d%s\n", SPAN_ARGS(info->id), info->exit.code,
               info->exit.signal, info->exit.known ? "" : " unknown");
    if (bench->release)
        assert_int_equal(process_release(bench->host, info->id), 0);
}

static void on_output(void *owner, const ProcessInfo *info, ProcessStream stream) {
    Bench *bench = owner;
    buf_printf(&bench->told, "%.*s output %d\n", SPAN_ARGS(info->id), stream);
}

static void on_notified(void *owner, const ProcessInfo *info) {
    Bench *bench = owner;
    buf_printf(&bench->told, "%.*s ready %d: %.*s\n", SPAN_ARGS(info->id), info->notice.ready,
               SPAN_ARGS(info->notice.status));
}

static void on_host(void *owner, bool there, Span reason) {
    Bench *bench = owner;
    buf_printf(&bench->told, "host %d\n", there);
}

static const ProcessHandler HANDLER = {on_started, on_exited, on_output, on_notified, on_host};

static const SimulatedStep SERVER[] = {
    {SIMULATED_WAIT, .time = NANOS_PER_SECOND},
    {SIMULATED_NOTIFY, .text = {"READY=1\nSTATUS=up", 17}},
    {SIMULATED_SPAWN, .number = 0},
    {SIMULATED_SPAWN, .number = 1},
};
static const SimulatedStep CRASHER[] = {
    {SIMULATED_PRINT, .text = {"oh no", 5}},
    {SIMULATED_WAIT, .time = NANOS_PER_SECOND},
    {SIMULATED_EXIT, .number = 3},
};
static const SimulatedProgram PROGRAMS[] = {
    {.name = {"server", 6}, .steps = SERVER, .step_count = 4, .ending = NANOS_PER_SECOND},
    {.name = {"crasher", 7}, .steps = CRASHER, .step_count = 3},
    {.name = {"stubborn", 8}, .ignores = true},
    {.name = {"locked", 6}, .start_error = -EACCES},
};

static int set_up(void **state) {
    static Bench bench;
    bench = (Bench){0};
    SimulationOptions options = {.seed = 1, .delay_max = NANOS_PER_MILLI};
    bench.simulation = simulation_new(&options);
    bench.world = simulation_world(bench.simulation);
    bench.host = simulated_host_new(bench.world);
    for (size_t i = 0; i < sizeof PROGRAMS / sizeof *PROGRAMS; i++)
        simulated_host_add(bench.host, &PROGRAMS[i]);
    process_handle(bench.host, &HANDLER, &bench);
    *state = &bench;
    return 0;
}

static int tear_down(void **state) {
    Bench *bench = *state;
    process_host_free(bench->host);
    simulation_free(bench->simulation);
    buf_done(&bench->told);
    return 0;
}

static int start(Bench *bench, const char *id, const char *program) {
    Span argv = span_of(program);
    ProcessSpec spec = {.id = span_of(id), .argv = &argv, .argv_count = 1, .cwd = SPAN("/")};
    return process_start(bench->host, &spec);
}

static void run_for(Bench *bench, Nanos time) {
    simulation_run(bench->simulation, world_now(bench->world) + time);
}

static void test_lives(void **state) {
    Bench *bench = *state;
    assert_int_equal(start(bench, "a", "crasher"), 0);
    assert_int_equal(start(bench, "a", "crasher"), -EEXIST);
    assert_span(buf_span(&bench->told), "");
    run_for(bench, 10 * NANOS_PER_MILLI);
    assert_span(buf_span(&bench->told), "a started\n");
    assert_int_equal(process_release(bench->host, SPAN("a")), -EBUSY);
    RingReader *reader;
    assert_int_equal(process_output(bench->host, SPAN("a"), PROCESS_STDOUT, &reader), 0);
    assert_span(ring_peek(reader, 0), "oh no");
    assert_int_equal(ring_peek(reader, 5).len, 0);
    bench->release = true;
    run_for(bench, 2 * NANOS_PER_SECOND);
    assert_span(buf_span(&bench->told), "a started\na output 0\na exited: 3 0\n");
    assert_null(process_find(bench->host, SPAN("a")));
    ring_reader_free(reader);
}

static void test_fails(void **state) {
    Bench *bench = *state;
    assert_int_equal(start(bench, "a", "nobody"), 0);
    run_for(bench, NANOS_PER_SECOND);
    assert_int_equal(start(bench, "b", "locked"), 0);
    run_for(bench, NANOS_PER_SECOND);
    simulated_host_disk_full(bench->host, true);
    assert_int_equal(start(bench, "c", "server"), 0);
    run_for(bench, NANOS_PER_SECOND);
    assert_span(buf_span(&bench->told), "a failed: the program -2\n"
                                        "b failed: the program -13\n"
                                        "c failed: the files for its output -28\n");
    size_t at = 0;
    assert_null(process_next(bench->host, &at));
    assert_int_equal(start(bench, ".a", "server"), -EINVAL);
    assert_int_equal(start(bench, "a/b", "server"), -EINVAL);
    assert_int_equal(start(bench, "", "server"), -EINVAL);
}

static void on_signalled(void *owner, int result) {
    *(int *)owner = result;
}

static void test_signals(void **state) {
    Bench *bench = *state;
    int result = 0;
    start(bench, "a", "server");
    run_for(bench, 2 * NANOS_PER_SECOND);
    assert_int_equal(process_members(bench->host, SPAN("a"), NULL, 0), 3);
    process_signal(bench->host, SPAN("a"), SIGTERM, PROCESS_GROUP, on_signalled, &result);
    run_for(bench, 100 * NANOS_PER_MILLI);
    assert_int_equal(result, 2);
    run_for(bench, 2 * NANOS_PER_SECOND);
    assert_int_equal(process_members(bench->host, SPAN("a"), NULL, 0), 1);
    process_signal(bench->host, SPAN("a"), SIGKILL, PROCESS_TREE, on_signalled, &result);
    run_for(bench, NANOS_PER_SECOND);
    assert_int_equal(result, 1);
    assert_int_equal(process_members(bench->host, SPAN("a"), NULL, 0), 0);
    process_signal(bench->host, SPAN("a"), SIGKILL, PROCESS_TREE, on_signalled, &result);
    run_for(bench, NANOS_PER_SECOND);
    assert_int_equal(result, -ESRCH);
    assert_span(buf_span(&bench->told), "a started\na ready 1: up\na exited: 0 0\n");
}

static void test_stubborn(void **state) {
    Bench *bench = *state;
    start(bench, "a", "stubborn");
    run_for(bench, NANOS_PER_SECOND);
    process_signal(bench->host, SPAN("a"), SIGTERM, PROCESS_TREE, NULL, NULL);
    run_for(bench, NANOS_PER_SECOND);
    process_signal(bench->host, SPAN("a"), SIGKILL, PROCESS_TREE, NULL, NULL);
    run_for(bench, NANOS_PER_SECOND);
    assert_span(buf_span(&bench->told), "a started\na exited: -1 9\n");
}

/* A new user of the host finds what is there; a replaced keeper knows no exit codes. */
static void test_outlives_its_user(void **state) {
    Bench *bench = *state;
    start(bench, "a", "server");
    start(bench, "b", "crasher");
    run_for(bench, 100 * NANOS_PER_MILLI);
    process_handle(bench->host, NULL, NULL);
    run_for(bench, 2 * NANOS_PER_SECOND);
    buf_clear(&bench->told);
    process_handle(bench->host, &HANDLER, bench);
    size_t at = 0;
    const ProcessInfo *info = process_next(bench->host, &at);
    assert_span(info->id, "a");
    assert_int_equal(info->state, PROCESS_RUNNING);
    info = process_next(bench->host, &at);
    assert_int_equal(info->state, PROCESS_EXITED);
    assert_int_equal(info->exit.code, 3);
    assert_null(process_next(bench->host, &at));
    simulated_host_replace(bench->host);
    simulated_process_end(bench->host, SPAN("a"), 0, SIGSEGV);
    run_for(bench, NANOS_PER_SECOND);
    assert_span(buf_span(&bench->told), "host 0\nhost 1\na exited: -1 0 unknown\n");
}

static void test_input(void **state) {
    Bench *bench = *state;
    Span argv = SPAN("server");
    ProcessSpec spec = {
        .id = SPAN("a"), .argv = &argv, .argv_count = 1, .cwd = SPAN("/"), .terminal = true};
    assert_int_equal(process_start(bench->host, &spec), 0);
    run_for(bench, NANOS_PER_SECOND);
    assert_int_equal(process_input(bench->host, SPAN("a"), SPAN("ls\n")), 0);
    assert_span(simulated_process_input(bench->host, SPAN("a")), "ls\n");
    assert_int_equal(process_resize(bench->host, SPAN("a"), 10, 20), 0);
    assert_int_equal(process_end_input(bench->host, SPAN("a")), 0);
    assert_int_equal(process_input(bench->host, SPAN("a"), SPAN("x")), -EPIPE);
    ProcessUsage usage;
    assert_int_equal(process_usage(bench->host, SPAN("a"), &usage), 0);
    assert_int_equal(usage.processes, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stubborn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_outlives_its_user, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_input, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("simulated_process", tests, NULL, NULL);
}
