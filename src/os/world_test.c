/* The real World: turns, tasks, bells, signals, and being held up. Tasks, bells and signals also
 * in a simulated one. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/test.h"
#include "os/simulation.h"
#include "os/world_ops.h"

static char journal[64];

static void note(char what) {
    size_t len = strlen(journal);
    assert_true(len + 1 < sizeof journal);
    journal[len] = what;
    journal[len + 1] = '\0';
}

static int clear_journal(void **state) {
    (void)state;
    journal[0] = '\0';
    return 0;
}

static void sleep_for(Nanos time) {
    struct timespec left = {time / NANOS_PER_SECOND, time % NANOS_PER_SECOND};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* Both kinds of World, for what they have in common. */
static World *both[2];
static Simulation *simulation;

static void open_both(void) {
    both[0] = world_new();
    simulation = simulation_new(&(SimulationOptions){.seed = 1});
    both[1] = simulation_world(simulation);
}

static void close_both(void) {
    world_free(both[0]);
    simulation_free(simulation);
}

/* ---- tasks ---- */

typedef struct Job {
    Task task;
    World *world;
    char name;
    struct Job *next; /* deferred when this one runs */
    int runs;
} Job;

static void job_run(Task *task) {
    Job *job = CONTAINER(task, Job, task);
    note(job->name);
    job->runs++;
    if (job->next)
        world_defer(job->world, &job->next->task);
}

static void tasks_run_once_and_in_order(void **state) {
    (void)state;
    open_both();
    for (int i = 0; i < 2; i++) {
        journal[0] = '\0';
        World *world = both[i];
        Job d = {{.run = job_run}, world, 'd', NULL, 0},
            c = {{.run = job_run}, world, 'c', NULL, 0},
            b = {{.run = job_run}, world, 'b', NULL, 0}, a = {{.run = job_run}, world, 'a', &d, 0};
        world_undefer(&a.task);
        world_defer(world, &a.task);
        world_defer(world, &b.task);
        world_defer(world, &a.task);
        world_defer(world, &c.task);
        world_undefer(&c.task);
        world_run(world);
        assert_string_equal(journal, "abd");
        world_defer(world, &c.task);
        world_run(world);
        assert_string_equal(journal, "abdc");
    }
    close_both();
}

typedef struct Deadline {
    Timer timer;
    World *world;
    char name;
    Nanos fired;
} Deadline;

static void deadline_fire(Timer *timer) {
    Deadline *deadline = CONTAINER(timer, Deadline, timer);
    deadline->fired = world_now(deadline->world);
    note(deadline->name);
}

static void deadline_in(Deadline *deadline, World *world, char name, Nanos delay) {
    *deadline = (Deadline){{.fire = deadline_fire}, world, name, 0};
    wheel_arm(world_wheel(world), &deadline->timer, world_now(world) + delay);
}

static void restless_run(Task *task) {
    Job *job = CONTAINER(task, Job, task);
    job->runs++;
    if (!journal[0])
        world_defer(job->world, task);
}

static void a_restless_task_holds_nobody_up(void **state) {
    (void)state;
    World *world = world_new();
    Job job = {{.run = restless_run}, world, 'x', NULL, 0};
    Deadline deadline;
    deadline_in(&deadline, world, 't', 5 * NANOS_PER_MILLI);
    world_defer(world, &job.task);
    world_run(world);
    assert_string_equal(journal, "t");
    assert_true(job.runs > 1);
    world_free(world);
}

/* ---- running and stopping ---- */

static void stop(Timer *timer) {
    deadline_fire(timer);
    world_stop(CONTAINER(timer, Deadline, timer)->world);
}

static void it_runs_while_there_is_something_to_wait_for(void **state) {
    (void)state;
    open_both();
    for (int i = 0; i < 2; i++) {
        journal[0] = '\0';
        World *world = both[i];
        world_run(world);
        Deadline first, second;
        deadline_in(&first, world, '1', 3 * NANOS_PER_MILLI);
        deadline_in(&second, world, '2', 3600 * NANOS_PER_SECOND);
        first.timer.fire = stop;
        world_run(world);
        assert_string_equal(journal, "1");
        world_stop(world); /* has no effect on the next run */
        Nanos due = world_now(world) + 3 * NANOS_PER_MILLI;
        wheel_arm(world_wheel(world), &second.timer, due);
        world_run(world);
        assert_string_equal(journal, "12");
        assert_true(second.fired >= due);
    }
    close_both();
}

static void time_and_chance(void **state) {
    (void)state;
    World *world = world_new();
    Nanos wall = clock_wall();
    assert_in_range(world_wall(world) - wall, 0, 60 * NANOS_PER_SECOND);
    unsigned char bytes[1000] = {0}, more[1000] = {0};
    world_random(world, bytes, sizeof bytes);
    world_random(world, more, sizeof more);
    assert_memory_not_equal(bytes, more, sizeof bytes);
    size_t zeroes = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        zeroes += bytes[i] == 0;
    assert_true(zeroes < 100);
    world_free(world);
}

/* ---- bells ---- */

#define RINGERS 4
#define RINGS   1000

typedef struct Tower {
    World *world;
    Bell *bell;
    atomic_int rings;
    int seen;
} Tower;

static void on_ring(void *owner) {
    Tower *tower = owner;
    tower->seen = atomic_load(&tower->rings);
    if (tower->seen == RINGERS * RINGS)
        world_stop(tower->world);
}

static void *ringer(void *argument) {
    Tower *tower = argument;
    for (int i = 0; i < RINGS; i++) {
        atomic_fetch_add(&tower->rings, 1);
        world_wake(tower->bell);
    }
    return NULL;
}

static void bells_are_heard_from_any_thread(void **state) {
    (void)state;
    Tower tower = {.world = world_new()};
    tower.bell = bell_new(tower.world, on_ring, &tower);
    pthread_t threads[RINGERS];
    for (int i = 0; i < RINGERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ringer, &tower), 0);
    world_run(tower.world);
    assert_int_equal(tower.seen, RINGERS * RINGS);
    for (int i = 0; i < RINGERS; i++)
        pthread_join(threads[i], NULL);
    bell_free(tower.bell);
    world_run(tower.world);
    world_free(tower.world);
}

static void bells_ring_in_a_simulation(void **state) {
    (void)state;
    open_both();
    Tower tower = {.world = both[1], .rings = RINGERS * RINGS};
    tower.bell = bell_new(both[1], on_ring, &tower);
    world_run(both[1]);
    assert_int_equal(tower.seen, 0);
    world_wake(tower.bell);
    world_wake(tower.bell);
    assert_int_equal(tower.seen, 0);
    world_run(both[1]);
    assert_int_equal(tower.seen, RINGERS * RINGS);
    Bell *silent = bell_new(both[1], on_ring, &tower);
    world_wake(silent);
    bell_free(silent);
    world_run(both[1]);
    close_both();
}

/* ---- signals ---- */

static void on_signal(void *owner, int number) {
    assert_int_equal(number, SIGUSR1);
    note(*(char *)owner);
}

static void signals_are_caught(void **state) {
    (void)state;
    open_both();
    for (int i = 0; i < 2; i++) {
        journal[0] = '\0';
        World *world = both[i];
        Deadline wait;
        char first = 'f', second = 's';
        world_on_signal(world, SIGUSR1, on_signal, &first);
        world_on_signal(world, SIGUSR1, on_signal, &second);
        world_run(world); /* signals are nothing to wait for */
        if (i == 0)
            raise(SIGUSR1);
        else
            simulation_signal(world, SIGUSR1);
        deadline_in(&wait, world, 't', 2 * NANOS_PER_MILLI);
        world_run(world);
        assert_string_equal(journal, "st");
        world_on_signal(world, SIGUSR1, NULL, NULL);
        world_on_signal(world, SIGUSR1, NULL, NULL);
        simulation_signal(both[1], SIGUSR2);
    }
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
    close_both();
}

/* ---- deadlines and what was in time ---- */

typedef struct Watch {
    World *world;
    Stream *ends[2];
    Deadline deadline, busy;
} Watch;

static void on_beat(void *owner, Span bytes) {
    Watch *watch = owner;
    note(*bytes.ptr);
    wheel_cancel(world_wheel(watch->world), &watch->deadline.timer);
}

static void on_over(void *owner, int error) {
    (void)owner;
    (void)error;
}

static const StreamHandler WATCHER = {.read = on_beat, .closed = on_over};

static void beat_and_be_busy(Timer *timer) {
    Watch *watch = CONTAINER(timer, Watch, busy.timer);
    deadline_in(&watch->deadline, watch->world, 'd', 5 * NANOS_PER_MILLI);
    stream_write(watch->ends[0], SPAN("b"));
    stream_flush(watch->ends[0]);
    sleep_for(40 * NANOS_PER_MILLI);
    stream_close(watch->ends[0], 0);
}

/* A beat arrives in time while the loop is busy past the deadline, but too short for a gap. */
static void a_beat_that_waits_comes_before_its_deadline(void **state) {
    (void)state;
    Watch watch = {.world = world_new()};
    assert_int_equal(stream_pair(watch.world, watch.ends), 0);
    stream_handle(watch.ends[1], &WATCHER, &watch);
    stream_read_start(watch.ends[1]);
    deadline_in(&watch.busy, watch.world, '-', 1 * NANOS_PER_MILLI);
    watch.busy.timer.fire = beat_and_be_busy;
    world_run(watch.world);
    assert_string_equal(journal, "b");
    world_free(watch.world);
}

static void the_loop_promises_to_be_back(void **state) {
    (void)state;
    const Nanos gap = WORLD_GAP;
    static const struct {
        Nanos next, promise;
    } promises[] = {
        {WHEEL_NEVER, WHEEL_NEVER}, {100 + 1, 100 + 1},     {0, 100}, {100, 100},
        {gap + 100, gap + 100},     {gap + 101, gap + 100},
    };
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++)
        assert_int_equal(world_promise(100, promises[i].next), promises[i].promise);

    assert_int_equal(world_gap(100, WHEEL_NEVER, 100 + 50 * gap), 0); /* idle, nothing armed */
    assert_int_equal(world_gap(100, 200, 200), 0);
    assert_int_equal(world_gap(100, 200, 200 + gap), 0);
    assert_int_equal(world_gap(100, 200, 200 + gap + 1), 100 + gap + 1);
    assert_int_equal(world_gap(100, 100 + gap, 100 + 3 * gap), 3 * gap);
}

static Nanos busy_until;

static void be_busy(Timer *timer) {
    Watch *watch = CONTAINER(timer, Watch, busy.timer);
    deadline_in(&watch->deadline, watch->world, 'd', 100 * NANOS_PER_MILLI);
    sleep_for(WORLD_GAP + 200 * NANOS_PER_MILLI);
    busy_until = clock_monotonic();
}

/* Who had 100 ms left when the loop was held up has them afterwards. */
static void a_busy_loop_moves_deadlines(void **state) {
    (void)state;
    Watch watch = {.world = world_new()};
    deadline_in(&watch.busy, watch.world, '-', 1 * NANOS_PER_MILLI);
    watch.busy.timer.fire = be_busy;
    world_run(watch.world);
    assert_string_equal(journal, "d");
    assert_true(watch.deadline.fired >= busy_until + 100 * NANOS_PER_MILLI);
    world_free(watch.world);
}

/* A child that stops its parent for a while, and tells when. */
static pid_t stop_parent(Nanos delay, Nanos time, _Atomic Nanos *stopped) {
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        sleep_for(delay);
        atomic_store(stopped, clock_monotonic());
        kill(parent, SIGSTOP);
        sleep_for(time);
        kill(parent, SIGCONT);
        _exit(0);
    }
    return child;
}

static void a_stopped_process_moves_deadlines(void **state) {
    (void)state;
    const Nanos delay = 50 * NANOS_PER_MILLI, left = 600 * NANOS_PER_MILLI,
                stall = 2 * WORLD_GAP + 200 * NANOS_PER_MILLI;
    _Atomic Nanos *stopped =
        mmap(NULL, sizeof *stopped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(stopped, MAP_FAILED);
    Nanos begin;
    do { /* again, should the child come too late */
        World *world = world_new();
        Deadline deadline;
        begin = world_now(world);
        journal[0] = '\0';
        deadline_in(&deadline, world, 'd', left);
        pid_t child = stop_parent(delay, stall, stopped);
        world_run(world);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_string_equal(journal, "d");
        if (*stopped < begin + left / 2)
            assert_true(deadline.fired >= begin + left + stall - 50 * NANOS_PER_MILLI);
        world_free(world);
    } while (*stopped >= begin + left / 2);
    munmap(stopped, sizeof *stopped);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_run_once_and_in_order),
        cmocka_unit_test(a_restless_task_holds_nobody_up),
        cmocka_unit_test(it_runs_while_there_is_something_to_wait_for),
        cmocka_unit_test(time_and_chance),
        cmocka_unit_test(bells_are_heard_from_any_thread),
        cmocka_unit_test(bells_ring_in_a_simulation),
        cmocka_unit_test(signals_are_caught),
        cmocka_unit_test(a_beat_that_waits_comes_before_its_deadline),
        cmocka_unit_test(the_loop_promises_to_be_back),
        cmocka_unit_test(a_busy_loop_moves_deadlines),
        cmocka_unit_test(a_stopped_process_moves_deadlines),
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tests[i].setup_func = clear_journal;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
