#include "core/boot.h"

#include <errno.h>

#include "base/test.h"
#include "core/entries.h"
#include "os/simulation.h"

/* ---- a runtime of parts that behave as they are told ---- */

#define PARTS 6

typedef struct Part {
    Component component;
    enum { PROMPT, SLOW, FAILS, HANGS } start, stop;
    bool load_fails;
    Nanos delay; /* SLOW */
    struct Bench *bench;
    Timer timer;
    ComponentStep *step;
} Part;

typedef struct Bench {
    Simulation *simulation;
    Context *context;
    Infrastructure infrastructure;
    Part parts[PARTS];
    size_t count;
    Boot *boot;
    Buf log; /* what happened, in order */
    int start_error, stop_error;
    Buf start_reason, stop_reason;
    bool start_told, stop_told;
} Bench;

static void note(Part *part, const char *what) {
    buf_printf(&part->bench->log, "%s%s ", what, part->component.name);
}

static int load_part(Part *part, Buf *reason) {
    if (part->load_fails) {
        buf_printf(reason, "no luck");
        return -ENOENT;
    }
    note(part, "^");
    return 0;
}

static void on_timer(Timer *timer) {
    Part *part = CONTAINER(timer, Part, timer);
    component_done(part->step);
}

static void do_step(Part *part, ComponentStep *step, int how, const char *mark) {
    World *world = part->bench->infrastructure.world;
    note(part, mark);
    part->step = step;
    part->timer.fire = on_timer;
    if (how == PROMPT)
        component_done(step);
    else if (how == SLOW)
        wheel_arm(world_wheel(world), &part->timer, world_now(world) + part->delay);
    else if (how == FAILS)
        component_fail(step, "out of %s", part->component.name);
}

/* Components have no pointer of their own, so each of the tests' gets functions of its own. */
static Bench *bench_now; /* of the test that runs */

#define PART_FUNCTIONS(i)                                                                          \
    static int load_##i(Context *context, Buf *reason) {                                           \
        return load_part(&bench_now->parts[i], reason);                                            \
    }                                                                                              \
    static void start_##i(Context *context, ComponentStep *step) {                                 \
        do_step(&bench_now->parts[i], step, (int)bench_now->parts[i].start, "+");                  \
    }                                                                                              \
    static void stop_##i(Context *context, ComponentStep *step) {                                  \
        do_step(&bench_now->parts[i], step, (int)bench_now->parts[i].stop, "-");                   \
    }                                                                                              \
    static void unload_##i(Context *context) {                                                     \
        note(&bench_now->parts[i], "_");                                                           \
    }
PART_FUNCTIONS(0)
PART_FUNCTIONS(1)
PART_FUNCTIONS(2)
PART_FUNCTIONS(3)
PART_FUNCTIONS(4)
PART_FUNCTIONS(5)
#define PART(i)                                                                                    \
    { .load = load_##i, .start = start_##i, .stop = stop_##i, .unload = unload_##i }
static const Component TEMPLATES[PARTS] = {PART(0), PART(1), PART(2), PART(3), PART(4), PART(5)};

static Bench *bench_new(void) {
    Bench *bench = test_calloc(1, sizeof *bench);
    bench->simulation = simulation_new(&(SimulationOptions){.seed = 1});
    bench->context = context_new();
    bench->infrastructure.world = simulation_world(bench->simulation);
    bench->infrastructure.entries = entries_new();
    context_put_infrastructure(bench->context, &bench->infrastructure);
    bench_now = bench;
    return bench;
}

static void bench_free(Bench *bench) {
    boot_free(bench->boot);
    entries_free(bench->infrastructure.entries);
    context_free(bench->context);
    simulation_free(bench->simulation);
    buf_done(&bench->log);
    buf_done(&bench->start_reason);
    buf_done(&bench->stop_reason);
    test_free(bench);
}

static Part *add(Bench *bench, const char *name, const char *const *requires) {
    Part *part = &bench->parts[bench->count];
    part->component = TEMPLATES[bench->count++];
    part->component.name = name;
    part->component.requires = requires;
    part->bench = bench;
    return part;
}

static int sort(Bench *bench, Buf *reason) {
    const Component *components[PARTS];
    for (size_t i = 0; i < bench->count; i++)
        components[i] = &bench->parts[i].component;
    return boot_new(bench->context, components, bench->count, &bench->boot, reason);
}

static void on_started(void *owner, int error, Span reason) {
    Bench *bench = owner;
    assert_false(bench->start_told);
    bench->start_told = true;
    bench->start_error = error;
    buf_add(&bench->start_reason, reason);
}

static void on_stopped(void *owner, int error, Span reason) {
    Bench *bench = owner;
    assert_false(bench->stop_told);
    bench->stop_told = true;
    bench->stop_error = error;
    buf_add(&bench->stop_reason, reason);
}

static void run_for(Bench *bench, Nanos time) {
    simulation_run(bench->simulation, world_now(bench->infrastructure.world) + time);
}

static void load_and_start(Bench *bench) {
    Buf reason = {0};
    assert_int_equal(sort(bench, &reason), 0);
    assert_int_equal(boot_load(bench->boot, &reason), 0);
    boot_start(bench->boot, on_started, bench);
    assert_int_equal(reason.len, 0);
}

/* A list that outlives the block it is written in. */
#define REQUIRES(...)                                                                              \
    ({                                                                                             \
        static const char *const required_[] = {__VA_ARGS__, NULL};                                \
        required_;                                                                                 \
    })

/* ---- the order ---- */

/* Level and name of each, in the order of starting. */
static void describe(const Boot *boot, Buf *out) {
    for (size_t i = 0; i < boot_count(boot); i++)
        buf_printf(out, "%u%s ", boot_component(boot, i).level,
                   boot_component(boot, i).component->name);
}

static void every_order_of_declaration_gives_the_same_levels(void **state) {
    (void)state;
    static const char *const NAMES[PARTS] = {"store",  "bus",    "topology",
                                             "broker", "health", "logs"};
    const char *const *requires[PARTS] = {NULL,
                                          NULL,
                                          REQUIRES("bus", "store"),
                                          REQUIRES("topology", "health"),
                                          REQUIRES("topology"),
                                          REQUIRES("store")};
    size_t permutation[PARTS] = {0, 1, 2, 3, 4, 5}, counters[PARTS] = {0};
    size_t seen = 0;
    for (size_t i = 0; i < PARTS;) { /* Heap's algorithm */
        if (seen == 0 || counters[i] < i) {
            if (seen++) {
                size_t with = i % 2 ? counters[i] : 0, held = permutation[with];
                permutation[with] = permutation[i];
                permutation[i] = held;
                counters[i]++;
                i = 0;
            }
            Bench *bench = bench_new();
            for (size_t j = 0; j < PARTS; j++)
                add(bench, NAMES[permutation[j]], requires[permutation[j]]);
            Buf reason = {0}, order = {0};
            assert_int_equal(sort(bench, &reason), 0);
            describe(bench->boot, &order);
            assert_span(buf_span(&order), "0bus 0store 1logs 1topology 2health 3broker ");
            buf_done(&order);
            bench_free(bench);
        } else {
            counters[i++] = 0;
        }
    }
    assert_int_equal(seen, 720);
}

static void assert_refused(Bench *bench, const char *why) {
    Buf reason = {0};
    assert_int_equal(sort(bench, &reason), -EINVAL);
    assert_span(buf_span(&reason), why);
    buf_done(&reason);
    bench_free(bench);
}

static void wrong_requirements_are_named(void **state) {
    (void)state;
    Bench *bench = bench_new();
    add(bench, "c", REQUIRES("a"));
    add(bench, "b", REQUIRES("c", "x"));
    add(bench, "a", REQUIRES("b"));
    add(bench, "x", NULL);
    add(bench, "outside", REQUIRES("a"));
    assert_refused(bench, "components require each other in a circle: a → b → c → a");

    bench = bench_new();
    add(bench, "self", REQUIRES("self"));
    assert_refused(bench, "components require each other in a circle: self → self");

    bench = bench_new();
    add(bench, "broker", REQUIRES("topolgy", "nonsense"));
    add(bench, "topology", NULL);
    assert_refused(bench, "'broker' requires 'topolgy', which is not there; did you mean "
                          "'topology'?; 'broker' requires 'nonsense', which is not there");

    bench = bench_new();
    add(bench, "store", NULL);
    add(bench, "store", NULL);
    assert_refused(bench, "'store' is declared twice");
}

/* ---- loading, starting, stopping ---- */

static void three(Bench *bench) {
    add(bench, "store", NULL);
    add(bench, "topology", REQUIRES("store"));
    add(bench, "logs", REQUIRES("store"));
    add(bench, "broker", REQUIRES("topology", "logs"));
}

static void all_start_and_stop_in_order(void **state) {
    (void)state;
    Bench *bench = bench_new();
    three(bench);
    load_and_start(bench);
    assert_true(bench->start_told && !bench->start_error);
    assert_int_equal(boot_component(bench->boot, 3).state, BOOT_RUNNING);
    boot_stop(bench->boot, on_stopped, bench);
    assert_true(bench->stop_told && !bench->stop_error);
    assert_int_equal(boot_component(bench->boot, 0).state, BOOT_STOPPED);
    boot_free(bench->boot);
    bench->boot = NULL;
    assert_span(buf_span(&bench->log),
                "^store ^logs ^topology ^broker +store +logs +topology +broker "
                "-broker -topology -logs -store _broker _topology _logs _store ");
    bench_free(bench);
}

static void a_level_starts_together_and_the_next_awaits_it(void **state) {
    (void)state;
    Bench *bench = bench_new();
    three(bench);
    for (size_t i = 1; i <= 2; i++) {
        bench->parts[i].start = SLOW;
        bench->parts[i].delay = (Nanos)i * NANOS_PER_SECOND;
    }
    load_and_start(bench);
    buf_clear(&bench->log);
    run_for(bench, 1500 * NANOS_PER_MILLI);
    assert_int_equal(boot_component(bench->boot, 1).state, BOOT_STARTING); /* logs */
    assert_int_equal(boot_component(bench->boot, 2).state, BOOT_RUNNING);
    assert_int_equal(boot_component(bench->boot, 3).state, BOOT_LOADED);
    run_for(bench, 1000 * NANOS_PER_MILLI);
    assert_true(bench->start_told && !bench->start_error);
    assert_span(buf_span(&bench->log), "+broker ");
    Nanos took = boot_component(bench->boot, 1).took;
    assert_true(took >= 2 * NANOS_PER_SECOND && took < 3 * NANOS_PER_SECOND);
    boot_stop(bench->boot, on_stopped, bench);
    bench_free(bench);
}

static void a_component_that_cannot_load_is_named(void **state) {
    (void)state;
    Bench *bench = bench_new();
    three(bench);
    bench->parts[1].load_fails = true;
    Buf reason = {0};
    assert_int_equal(sort(bench, &reason), 0);
    assert_int_equal(boot_load(bench->boot, &reason), -ENOENT);
    assert_span(buf_span(&reason), "topology cannot be loaded: no luck");
    assert_span(buf_span(&bench->log), "^store ^logs _logs _store ");
    assert_int_equal(boot_component(bench->boot, 2).state, BOOT_FAILED);
    buf_done(&reason);
    bench_free(bench);
}

static void when_one_fails_those_started_are_stopped(void **state) {
    (void)state;
    Bench *bench = bench_new();
    three(bench);
    bench->parts[1].start = FAILS;
    bench->parts[2].start = SLOW;
    bench->parts[2].delay = NANOS_PER_SECOND;
    load_and_start(bench);
    assert_false(bench->start_told); /* logs may finish */
    run_for(bench, 2 * NANOS_PER_SECOND);
    assert_true(bench->start_told);
    assert_int_equal(bench->start_error, -EIO);
    assert_span(buf_span(&bench->start_reason), "topology cannot start: out of topology");
    buf_clear(&bench->log);
    boot_stop(bench->boot, on_stopped, bench); /* nothing is left to stop */
    assert_true(bench->stop_told && !bench->stop_error);
    bench_free(bench);
}

static void one_that_hangs_while_starting_is_named(void **state) {
    (void)state;
    Bench *bench = bench_new();
    three(bench);
    bench->parts[1].start = HANGS;
    bench->parts[1].component.start_limit = 3 * NANOS_PER_SECOND;
    load_and_start(bench);
    run_for(bench, 2900 * NANOS_PER_MILLI);
    assert_false(bench->start_told);
    buf_clear(&bench->log);
    run_for(bench, 200 * NANOS_PER_MILLI);
    assert_int_equal(bench->start_error, -ETIMEDOUT);
    assert_span(buf_span(&bench->start_reason), "topology did not start within 3000 ms");
    assert_span(buf_span(&bench->log), "-logs -store ");
    component_done(bench->parts[1].step); /* too late, and harmless */
    assert_int_equal(boot_component(bench->boot, 2).state, BOOT_FAILED);
    bench_free(bench);
}

static void one_that_hangs_while_stopping_is_passed_over(void **state) {
    (void)state;
    Bench *bench = bench_new();
    three(bench);
    bench->parts[1].stop = HANGS;
    bench->parts[2].stop = FAILS;
    load_and_start(bench);
    buf_clear(&bench->log);
    boot_stop(bench->boot, on_stopped, bench);
    run_for(bench, 9 * NANOS_PER_SECOND);
    assert_false(bench->stop_told);
    run_for(bench, 2 * NANOS_PER_SECOND);
    assert_true(bench->stop_told);
    assert_int_equal(bench->stop_error, -EIO);
    assert_span(buf_span(&bench->stop_reason),
                "logs cannot stop: out of logs; topology did not stop within 10000 ms");
    assert_span(buf_span(&bench->log), "-broker -topology -logs -store ");
    bench_free(bench);
}

static void stopping_while_starting_waits_for_the_level(void **state) {
    (void)state;
    Bench *bench = bench_new();
    three(bench);
    bench->parts[1].start = SLOW;
    bench->parts[1].delay = NANOS_PER_SECOND;
    load_and_start(bench);
    boot_stop(bench->boot, on_stopped, bench);
    assert_false(bench->stop_told);
    buf_clear(&bench->log);
    run_for(bench, 2 * NANOS_PER_SECOND);
    assert_int_equal(bench->start_error, -ECANCELED);
    assert_true(bench->stop_told && !bench->stop_error);
    assert_span(buf_span(&bench->log), "-topology -logs -store ");
    bench_free(bench);
}

static int refuse_entries(void *owner, EntryList *list, Buf *reason) {
    (void)owner;
    (void)list;
    buf_add_literal(reason, "no");
    return -EINVAL;
}

static void entries_that_fail_stop_everything(void **state) {
    (void)state;
    Bench *bench = bench_new();
    three(bench);
    entries_add(bench->infrastructure.entries, ENTRIES_LINK, "tests", refuse_entries, NULL);
    load_and_start(bench);
    assert_int_equal(bench->start_error, -EINVAL);
    assert_span(buf_span(&bench->start_reason), "link of entries by tests: no");
    assert_int_equal(boot_component(bench->boot, 0).state, BOOT_STOPPED);
    bench_free(bench);
}

/* Whatever fails, hangs or takes its time: each start has one answer, each that has started is
 * stopped once, after all that require it, and everything that was loaded is unloaded. */
static void random_runtimes_come_and_go(void **state) {
    (void)state;
    TestRandom random = test_random();
    static const char *const NAMES[PARTS] = {"a", "b", "c", "d", "e", "f"};
    for (int round = 0; round < 2000; round++) {
        Bench *bench = bench_new();
        const char *requires[PARTS][PARTS + 1] = {0};
        for (size_t i = 0; i < PARTS; i++) {
            size_t count = 0;
            for (size_t j = 0; j < i; j++)
                if (test_random_below(&random, 3) == 0)
            requires[i][count++] = NAMES[j];
            Part *part = add(bench, NAMES[i], requires[i]);
            part->start = test_random_below(&random, 8) ? test_random_below(&random, 2)
                                                        : test_random_below(&random, 4);
            part->stop = test_random_below(&random, 4);
            part->delay = (Nanos)test_random_below(&random, 9) * NANOS_PER_SECOND;
        }
        load_and_start(bench);
        run_for(bench, (Nanos)test_random_below(&random, 20) * NANOS_PER_SECOND);
        boot_stop(bench->boot, on_stopped, bench);
        run_for(bench, 200 * NANOS_PER_SECOND);
        assert_true(bench->start_told && bench->stop_told);
        for (size_t i = 0; i < boot_count(bench->boot); i++) {
            BootState end = boot_component(bench->boot, i).state;
            assert_true(end == BOOT_STOPPED || end == BOOT_FAILED || end == BOOT_LOADED);
        }
        boot_free(bench->boot);
        bench->boot = NULL;
        const char *log = buf_cstr(&bench->log);
        for (size_t i = 0; i < PARTS; i++) {
            const char stop[] = {'-', NAMES[i][0], 0}, unload[] = {'_', NAMES[i][0], 0};
            const char *stopped = strstr(log, stop);
            assert_non_null(strstr(log, unload));
            assert_true(!stopped || !strstr(stopped + 1, stop));
            for (size_t j = 0; stopped && requires[i][j]; j++) {
                const char other[] = {'-', requires[i][j][0], 0};
                assert_true(strstr(log, other) > stopped);
            }
        }
        bench_free(bench);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_of_declaration_gives_the_same_levels),
        cmocka_unit_test(wrong_requirements_are_named),
        cmocka_unit_test(all_start_and_stop_in_order),
        cmocka_unit_test(a_level_starts_together_and_the_next_awaits_it),
        cmocka_unit_test(a_component_that_cannot_load_is_named),
        cmocka_unit_test(when_one_fails_those_started_are_stopped),
        cmocka_unit_test(one_that_hangs_while_starting_is_named),
        cmocka_unit_test(one_that_hangs_while_stopping_is_passed_over),
        cmocka_unit_test(stopping_while_starting_waits_for_the_level),
        cmocka_unit_test(entries_that_fail_stop_everything),
        cmocka_unit_test(random_runtimes_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
