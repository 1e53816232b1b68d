/* Random lives of services, and watchers, from one seed. Living ones are never STALE, dead ones never
 * stay longer than their deadline, and who watches ends with what a snapshot says. */
#include "topology_kit.h"

#define SERVICES 24
#define VIEWERS  6
#define STEPS    400
#define STEP     (100 * NANOS_PER_MILLI)

typedef struct Life {
    KitService service;
    char name[16], instance_id[24];
    int lives;    /* so far: each has an instance id of its own */
    bool beats;   /* else it hangs, or is gone without a word */
    bool process; /* it is one of ours */
    Nanos next;   /* beat */
    Nanos last;   /* that was heard */
    bool known;   /* registered, and not out of time */
} Life;

typedef struct Watching {
    Viewer viewer;
    RtTopologyQuery query;
    Span name;
    int32_t state;
} Watching;

typedef struct Run {
    Kit kit;
    TestRandom random;
    Life lives[SERVICES];
    Watching watching[VIEWERS];
    Nanos stood; /* time in which all stood still */
} Run;

static Nanos run_now(const Run *run) {
    return world_now(run->kit.world) - run->stood;
}

static Nanos interval_of(const Life *life) {
    return life->service.interval_ms * NANOS_PER_MILLI;
}

static bool chance(Run *run, uint64_t of) {
    return test_random_below(&run->random, of) == 0;
}

static Life *any_life(Run *run) {
    return &run->lives[test_random_below(&run->random, SERVICES)];
}

/* ---- what services do ---- */

static void begin_life(Run *run, Life *life) {
    life->lives++;
    life->process = chance(run, 3);
    snprintf(life->instance_id, sizeof life->instance_id, "s%d-1.%d", (int)(life - run->lives),
             life->lives);
    life->service.instance_id = life->process || chance(run, 2) ? life->instance_id : NULL;
    life->service.interval_ms = (int32_t)(500 + test_random_below(&run->random, 5) * 700);
    if (life->process)
        topology_process_started(run->kit.topology, span_of(life->name),
                                 span_of(life->instance_id));
    assert_int_equal(kit_register(&run->kit, &life->service), STATUS_OK);
    life->known = life->beats = true;
    life->last = run_now(run);
    life->next = life->last + interval_of(life);
}

static void end_life(Run *run, Life *life) {
    life->beats = false;
    if (life->process) {
        Nanos due = chance(run, 2) ? world_wall(run->kit.world) + NANOS_PER_SECOND : 0;
        topology_process_stopped(run->kit.topology, span_of(life->name), span_of(life->instance_id),
                                 due);
        life->known = false;
    } else if (chance(run, 2)) {
        topology_unregister(run->kit.topology, span_of(life->service.id));
        life->known = false;
    }
}

static void go_on_living(Run *run, Life *life) {
    if (!life->beats || run_now(run) < life->next)
        return;
    bool known = kit_beat(&run->kit, &life->service);
    assert_true(known == life->known);
    if (!known) { /* as it is advised to */
        kit_register(&run->kit, &life->service);
        life->known = true;
    }
    life->last = run_now(run);
    /* Late by less than an interval. */
    Nanos late = interval_of(life) * (Nanos)test_random_below(&run->random, 80) / 100;
    life->next = run_now(run) + interval_of(life) + late;
}

static void act(Run *run) {
    Life *life = any_life(run), *other = any_life(run);
    Span found[] = {span_of(other->name)};
    switch (test_random_below(&run->random, 8)) {
    case 0:
        if (!life->beats && !life->known)
            begin_life(run, life);
        break;
    case 1:
        if (life->beats)
            end_life(run, life);
        break;
    case 2:
        topology_note_lookup(run->kit.topology, span_of(life->service.id), found[0], found, 1);
        break;
    case 3:
        life->beats = life->beats && !chance(run, 4);
        break;
    default:
        if (life->known && life->beats)
            kit_call(&run->kit, &life->service, other->name, 1000);
    }
}

/* ---- what must be ---- */

static void check_lives(Run *run) {
    for (int i = 0; i < SERVICES; i++) {
        Life *life = &run->lives[i];
        Nanos silent = run_now(run) - life->last;
        TopologyInstance instance;
        bool there =
            life->known && topology_find(run->kit.topology, span_of(life->service.id), &instance);
        if (!life->known)
            continue;
        bool dead = silent >= 3 * interval_of(life);
        if (dead && !life->process) {
            assert_false(there);
            life->known = false;
            continue;
        }
        assert_true(there);
        if (silent < 2 * interval_of(life))
            assert_true(instance.state != RT_CONNECTION_STATE_STALE &&
                        instance.state != RT_CONNECTION_STATE_DEAD);
        else
            assert_int_equal(instance.state,
                             dead ? RT_CONNECTION_STATE_DEAD : RT_CONNECTION_STATE_STALE);
    }
}

/* ---- who watches ---- */

static void watch_something(Run *run, Watching *watching) {
    watching->name = span_of(any_life(run)->name);
    watching->state = (int32_t)test_random_below(&run->random, STATES);
    watching->query = (RtTopologyQuery){.include_instances = chance(run, 2)};
    switch (test_random_below(&run->random, 4)) {
    case 0:
        watching->query.service_names.items = &watching->name;
        watching->query.service_names.count = 1;
        watching->query.depth = (int32_t)test_random_below(&run->random, 3);
        break;
    case 1:
        watching->query.states.items = &watching->state;
        watching->query.states.count = 1;
        break;
    default:
        break;
    }
}

static void come_and_go(Run *run, Watching *watching) {
    Viewer *viewer = &watching->viewer;
    if (!viewer->watcher) {
        if (chance(run, 3)) {
            viewer_done(viewer);
            *viewer = (Viewer){0};
            watch_something(run, watching);
        }
        viewer_watch(&run->kit, viewer, &watching->query);
    } else if (viewer->slow) {
        viewer->slow = false;
        watcher_writable(viewer->watcher);
    } else if (chance(run, 2)) {
        viewer->slow = true;
    } else {
        viewer_leave(viewer);
    }
}

/* The runtime is killed and starts again: all register again, all watch again. */
static void start_again(Run *run) {
    for (int i = 0; i < VIEWERS; i++)
        viewer_leave(&run->watching[i].viewer);
    topology_free(run->kit.topology);
    run->kit.topology =
        topology_new(run->kit.world, &(TopologyOptions){.transport = &KIT_TRANSPORT});
    for (int i = 0; i < SERVICES; i++) {
        Life *life = &run->lives[i];
        life->known = false;
        life->process = false; /* of ours, of which nobody has told this topology yet */
    }
}

static void run_once(uint64_t seed) {
    Run *run = xcalloc(1, sizeof *run);
    run->random = (TestRandom){seed};
    kit_init(&run->kit, seed);
    for (int i = 0; i < SERVICES; i++) {
        snprintf(run->lives[i].name, sizeof run->lives[i].name, "s%d", i);
        run->lives[i].service = (KitService){.name = run->lives[i].name, .interval_ms = 1000};
    }
    for (int step = 0; step < STEPS; step++) {
        act(run);
        if (chance(run, 4))
            come_and_go(run, &run->watching[test_random_below(&run->random, VIEWERS)]);
        if (chance(run, 100)) {
            kit_stand_still(&run->kit, 20 * NANOS_PER_SECOND);
            run->stood += 20 * NANOS_PER_SECOND;
        }
        if (chance(run, 300))
            start_again(run);
        kit_pass(&run->kit, STEP);
        for (int i = 0; i < SERVICES; i++)
            go_on_living(run, &run->lives[i]);
        check_lives(run);
    }
    for (int i = 0; i < VIEWERS; i++) {
        Viewer *viewer = &run->watching[i].viewer;
        if (viewer->watcher && viewer->slow) {
            viewer->slow = false;
            watcher_writable(viewer->watcher);
        }
    }
    for (int step = 0; step < 450; step++) { /* until no call is in any window */
        for (int i = 0; i < SERVICES; i++)
            go_on_living(run, &run->lives[i]);
        kit_pass(&run->kit, STEP);
    }
    kit_pass(&run->kit, 400 * NANOS_PER_MILLI); /* less than the shortest interval */
    kit_pass(&run->kit, 700 * NANOS_PER_MILLI);
    for (int i = 0; i < VIEWERS; i++) {
        Viewer *viewer = &run->watching[i].viewer;
        assert_true(viewer->graph.largest <= 128 + 200);
        if (viewer->watcher)
            viewer_check(&run->kit, viewer, &run->watching[i].query);
        if (viewer->graph.known.key)
            viewer_done(viewer);
    }
    kit_done(&run->kit);
    free(run);
}

static void random_lives(void **state) {
    TestRandom random = test_random();
    for (int i = 0; i < 40; i++)
        run_once(test_random_bits(&random));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_lives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
