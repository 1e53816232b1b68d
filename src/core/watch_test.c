#include "core/watch.h"

#include <errno.h>

#include "base/array.h"
#include "base/memory.h"
#include "base/test.h"
#include "os/simulation.h"

/* ---- a domain: numbered things with a state and a figure ---- */

#define THINGS 64

typedef struct Thing {
    WatchItem item;
    uint32_t id;
    uint32_t state, figure, version;
} Thing;

typedef struct Told {
    uint32_t id, state, figure, version;
    bool gone;
} Told;

typedef struct Update {
    WatchMoment moment;
    ARRAY(Told) told;
} Update;

/* Which things: ids that leave `rest` when divided by `of`, in `state` or (0) any state. */
typedef struct Filter {
    uint32_t of, rest, state;
} Filter;

static bool filter_has(const Filter *filter, const Thing *thing) {
    return thing->id % filter->of == filter->rest &&
           (!filter->state || thing->state == filter->state);
}

static WatchMatch thing_match(void *owner, const void *at, const WatchItem *item) {
    const Filter *filter = at;
    const Thing *thing = CONTAINER(item, Thing, item);
    if (thing->id % filter->of != filter->rest)
        return WATCH_NEVER;
    return filter_has(filter, thing) ? WATCH_IN : WATCH_OUT;
}

static Span thing_key(void *owner, const WatchItem *item, char scratch[WATCH_KEY_MAX]) {
    memcpy(scratch, &CONTAINER(item, Thing, item)->id, sizeof(uint32_t));
    return span(scratch, sizeof(uint32_t));
}

static void thing_add(void *owner, const void *filter, const WatchItem *item,
                      const WatchMoment *moment, void *update, Arena *arena) {
    const Thing *thing = CONTAINER(item, Thing, item);
    Update *into = update;
    *array_push(&into->told) =
        (Told){thing->id, thing->state, thing->figure, thing->version, false};
}

static void thing_gone(void *owner, const void *filter, uint8_t kind, Span key, void *update,
                       Arena *arena) {
    Told told = {.gone = true};
    assert_int_equal(key.len, sizeof told.id);
    memcpy(&told.id, key.ptr, key.len);
    *array_push(&((Update *)update)->told) = told;
}

static void thing_seal(void *owner, const void *filter, const WatchMoment *moment, void *update,
                       Arena *arena) {
    ((Update *)update)->moment = *moment;
}

static bool thing_asked_for(void *owner, const void *at, uint8_t kind, Span key) {
    const Filter *filter = at;
    uint32_t id;
    memcpy(&id, key.ptr, key.len);
    return id % filter->of == filter->rest;
}

static int filters;

static void thing_filter_free(void *owner, void *filter) {
    free(filter);
    filters--;
}

static const SchemaMessage UPDATE = {.size = sizeof(Update)};

static const WatchOps OPS = {
    .update = &UPDATE,
    .piece = 8,
    .match = thing_match,
    .key = thing_key,
    .add = thing_add,
    .gone = thing_gone,
    .seal = thing_seal,
    .asked_for = thing_asked_for,
    .filter_free = thing_filter_free,
};

/* ---- watchers that keep what they hear ---- */

typedef struct Frame {
    int references;
    Update update;
} Frame;

typedef struct Viewer {
    Watcher *watcher;
    Filter filter;
    Told known[THINGS]; /* version 0 = not known */
    uint64_t epoch, number;
    bool more, slow, never, leaves;
    int frames, resets;
    Nanos last;
} Viewer;

static void *frame_new(const WatchOptions *options, const SchemaMessage *type, const void *update) {
    assert_ptr_equal(type, &UPDATE);
    Frame *frame = xcalloc(1, sizeof *frame);
    frame->references = 1;
    frame->update = *(const Update *)update;
    return frame;
}

static void frame_unref(void *at) {
    Frame *frame = at;
    array_done(&frame->update.told);
    free(frame);
}

static void hear(Viewer *viewer, const Told *told) {
    assert_true(told->id < THINGS);
    assert_int_equal(told->id % viewer->filter.of, viewer->filter.rest);
    Told *known = &viewer->known[told->id];
    if (told->gone) {
        known->version = 0;
        return;
    }
    assert_true(told->version >= known->version); /* never an older state after a newer one */
    *known = *told;
}

static int frame_send(void *target, void *at) {
    Viewer *viewer = target;
    const Update *update = &((Frame *)at)->update;
    assert_false(viewer->slow);
    assert_true(update->told.count <= OPS.piece);
    viewer->frames++;
    if (update->moment.reset) {
        memset(viewer->known, 0, sizeof viewer->known);
        viewer->resets++;
    }
    for (size_t i = 0; i < update->told.count; i++)
        hear(viewer, &update->told.items[i]);
    viewer->more = update->moment.more;
    viewer->epoch = update->moment.epoch;
    if (!viewer->more) {
        assert_true(update->moment.number >= viewer->number || update->moment.reset);
        viewer->number = update->moment.number;
    }
    if (viewer->leaves) {
        watcher_free(viewer->watcher);
        viewer->watcher = NULL;
        return 0;
    }
    return viewer->slow || viewer->never ? -EAGAIN : 0;
}

static const WatchTransport TRANSPORT = {frame_new, frame_unref, frame_send};

typedef struct Scene {
    Simulation *simulation;
    World *world;
    Watch *watch;
    Thing things[THINGS];
    uint32_t version;
} Scene;

static void scene_init(Scene *scene, uint64_t seed, size_t tombstones) {
    *scene = (Scene){.simulation = simulation_new(&(SimulationOptions){.seed = seed})};
    scene->world = simulation_world(scene->simulation);
    WatchOptions options = {.tombstones = tombstones, .transport = &TRANSPORT};
    scene->watch = watch_new(scene->world, &OPS, scene, &options);
    for (uint32_t id = 0; id < THINGS; id++)
        scene->things[id].id = id;
}

static void scene_done(Scene *scene) {
    for (uint32_t id = 0; id < THINGS; id++)
        watch_remove(scene->watch, &scene->things[id].item);
    WatchStatistics statistics = watch_statistics(scene->watch);
    assert_int_equal(statistics.items, 0);
    assert_int_equal(statistics.watchers, 0);
    assert_int_equal(statistics.views, 0);
    assert_int_equal(filters, 0);
    watch_free(scene->watch);
    simulation_free(scene->simulation);
}

static void scene_pass(Scene *scene, Nanos time) {
    simulation_run(scene->simulation, world_now(scene->world) + time);
}

static void thing_put(Scene *scene, uint32_t id, uint32_t state) {
    Thing *thing = &scene->things[id];
    thing->version = ++scene->version;
    thing->state = state;
    if (watch_has(&thing->item))
        watch_changed(scene->watch, &thing->item);
    else
        watch_add(scene->watch, &thing->item, 1);
}

static void thing_measure(Scene *scene, uint32_t id, uint32_t figure) {
    Thing *thing = &scene->things[id];
    thing->version = ++scene->version;
    thing->figure = figure;
    watch_figures(scene->watch, &thing->item);
}

static void viewer_begin(Scene *scene, Viewer *viewer, Nanos interval) {
    Filter *filter = xmalloc(sizeof *filter);
    *filter = viewer->filter;
    filters++;
    viewer->slow = viewer->more = false;
    viewer->watcher = watcher_new(scene->watch, viewer,
                                  &(WatchRequest){.key = span(&viewer->filter, sizeof(Filter)),
                                                  .filter = filter,
                                                  .interval = interval,
                                                  .epoch = viewer->epoch,
                                                  .number = viewer->number});
}

static void viewer_end(Viewer *viewer) {
    if (viewer->watcher)
        watcher_free(viewer->watcher);
    viewer->watcher = NULL;
}

static void viewer_check(const Scene *scene, const Viewer *viewer) {
    assert_false(viewer->more);
    for (uint32_t id = 0; id < THINGS; id++) {
        const Thing *thing = &scene->things[id];
        const Told *known = &viewer->known[id];
        bool in = watch_has(&thing->item) && filter_has(&viewer->filter, thing);
        assert_int_equal(known->version, in ? thing->version : 0);
        if (in)
            assert_int_equal(known->figure, thing->figure);
    }
}

/* ---- tests ---- */

static const Filter ALL = {1, 0, 0};

static void snapshot_then_changes(void **state) {
    Scene scene;
    scene_init(&scene, 1, 0);
    for (uint32_t id = 0; id < 20; id++)
        thing_put(&scene, id, 1);
    Viewer viewer = {.filter = ALL};
    viewer_begin(&scene, &viewer, NANOS_PER_SECOND);
    scene_pass(&scene, 0);
    assert_int_equal(viewer.frames, 3); /* pieces of 8 */
    assert_int_equal(viewer.resets, 1);
    viewer_check(&scene, &viewer);
    assert_int_equal(viewer.number, watch_number(scene.watch));

    thing_put(&scene, 3, 2);
    watch_remove(scene.watch, &scene.things[4].item);
    scene_pass(&scene, 0);
    assert_int_equal(viewer.frames, 4);
    viewer_check(&scene, &viewer);
    viewer_end(&viewer);
    scene_done(&scene);
}

static void an_empty_snapshot_is_told(void **state) {
    Scene scene;
    scene_init(&scene, 1, 0);
    Viewer viewer = {.filter = ALL};
    viewer_begin(&scene, &viewer, NANOS_PER_SECOND);
    scene_pass(&scene, 0);
    assert_int_equal(viewer.frames, 1);
    assert_int_equal(viewer.resets, 1);
    viewer_end(&viewer);
    scene_done(&scene);
}

static void figures_wait_for_the_interval(void **state) {
    Scene scene;
    scene_init(&scene, 1, 0);
    thing_put(&scene, 1, 1);
    thing_put(&scene, 2, 1);
    Viewer viewer = {.filter = ALL};
    viewer_begin(&scene, &viewer, NANOS_PER_SECOND);
    scene_pass(&scene, 0);
    int before = viewer.frames;
    for (int i = 0; i < 50; i++) { /* five seconds */
        thing_measure(&scene, 1, (uint32_t)i);
        scene_pass(&scene, 100 * NANOS_PER_MILLI);
    }
    assert_in_range(viewer.frames - before, 5, 6);
    before = viewer.frames;
    thing_put(&scene, 2, 2); /* a state does not wait, and takes no figures with it */
    thing_measure(&scene, 1, 99);
    scene_pass(&scene, 0);
    assert_int_equal(viewer.frames, before + 1);
    assert_int_equal(viewer.known[2].state, 2);
    assert_int_not_equal(viewer.known[1].figure, 99);
    scene_pass(&scene, NANOS_PER_SECOND);
    viewer_check(&scene, &viewer);
    before = viewer.frames;
    scene_pass(&scene, 10 * NANOS_PER_SECOND); /* nothing to tell */
    assert_int_equal(viewer.frames, before);
    viewer_end(&viewer);
    scene_done(&scene);
}

static void equal_watchers_share_frames(void **state) {
    Scene scene;
    scene_init(&scene, 1, 0);
    for (uint32_t id = 0; id < THINGS; id++)
        thing_put(&scene, id, 1);
    enum { VIEWERS = 50 };
    static Viewer viewers[VIEWERS];
    for (int i = 0; i < VIEWERS; i++) {
        viewers[i] = (Viewer){.filter = ALL, .never = i == 7};
        viewer_begin(&scene, &viewers[i], NANOS_PER_SECOND);
        scene_pass(&scene, i % 3 * NANOS_PER_MILLI); /* not all of them at once */
    }
    scene_pass(&scene, 5 * NANOS_PER_SECOND);
    uint64_t frames = watch_statistics(scene.watch).frames;
    thing_put(&scene, 5, 2);
    scene_pass(&scene, NANOS_PER_SECOND);
    assert_int_equal(watch_statistics(scene.watch).frames, frames + 1);
    for (int i = 0; i < VIEWERS; i++) {
        if (i == 7)
            assert_int_equal(viewers[i].frames, 1); /* and nobody waited for it */
        else
            viewer_check(&scene, &viewers[i]);
        viewer_end(&viewers[i]);
    }
    scene_done(&scene);
}

static void resumes_from_a_revision(void **state) {
    Scene scene;
    scene_init(&scene, 1, 4);
    for (uint32_t id = 0; id < 10; id++)
        thing_put(&scene, id, 1);
    Viewer viewer = {.filter = ALL};
    viewer_begin(&scene, &viewer, NANOS_PER_SECOND);
    scene_pass(&scene, 0);
    viewer_end(&viewer);
    thing_put(&scene, 2, 3);
    thing_measure(&scene, 3, 77);
    watch_remove(scene.watch, &scene.things[4].item);
    int before = viewer.frames;
    viewer_begin(&scene, &viewer, NANOS_PER_SECOND);
    scene_pass(&scene, 0);
    assert_int_equal(viewer.resets, 1);
    assert_in_range(viewer.frames - before, 1, 2);
    viewer_check(&scene, &viewer);
    viewer_end(&viewer);

    for (uint32_t id = 0; id < 9; id++) /* more than there are tombstones */
        watch_remove(scene.watch, &scene.things[id].item);
    assert_int_equal(watch_statistics(scene.watch).tombstones, 4);
    viewer_begin(&scene, &viewer, NANOS_PER_SECOND);
    scene_pass(&scene, 0);
    assert_int_equal(viewer.resets, 2);
    viewer_check(&scene, &viewer);
    viewer_end(&viewer);

    viewer.epoch++; /* another life of the program */
    viewer_begin(&scene, &viewer, NANOS_PER_SECOND);
    scene_pass(&scene, 0);
    assert_int_equal(viewer.resets, 3);
    viewer_end(&viewer);
    scene_done(&scene);
}

static void a_watcher_may_end_while_it_is_sent_to(void **state) {
    Scene scene;
    scene_init(&scene, 1, 0);
    thing_put(&scene, 1, 1);
    Viewer stays = {.filter = ALL}, leaves = {.filter = ALL, .leaves = true};
    viewer_begin(&scene, &leaves, NANOS_PER_SECOND);
    viewer_begin(&scene, &stays, NANOS_PER_SECOND);
    scene_pass(&scene, 0);
    viewer_check(&scene, &stays);
    assert_null(leaves.watcher);
    stays.leaves = true;
    thing_put(&scene, 1, 2);
    scene_pass(&scene, 0);
    assert_null(stays.watcher);
    scene_done(&scene);
}

/* ---- random sequences ---- */

#define VIEWERS 8

static void random_change(Scene *scene, TestRandom *random) {
    uint32_t id = (uint32_t)test_random_below(random, THINGS);
    bool there = watch_has(&scene->things[id].item);
    switch (test_random_below(random, there ? 4 : 1)) {
    case 0:
        thing_put(scene, id, 1 + (uint32_t)test_random_below(random, 3));
        break;
    case 1:
    case 2:
        thing_measure(scene, id, (uint32_t)test_random_below(random, 1000));
        break;
    default:
        watch_remove(scene->watch, &scene->things[id].item);
    }
}

static void random_viewer(Scene *scene, TestRandom *random, Viewer *viewer) {
    uint32_t chance = (uint32_t)test_random_below(random, 8);
    if (!viewer->watcher) {
        if (chance == 0) { /* somebody else: it asks for something else */
            uint32_t of = 1 + (uint32_t)test_random_below(random, 2);
            *viewer = (Viewer){.filter = {of, (uint32_t)test_random_below(random, of),
                                          (uint32_t)test_random_below(random, 3)}};
        }
        if (viewer->more) /* its snapshot was not complete */
            viewer->number = 0;
        viewer_begin(scene, viewer, (1 + (Nanos)test_random_below(random, 3)) * NANOS_PER_SECOND);
    } else if (chance == 0) {
        bool more = viewer->more;
        viewer_end(viewer);
        viewer->more = more;
        viewer->slow = false;
    } else if (chance < 4 && !viewer->never) {
        viewer->never = true;
    } else if (viewer->never) {
        viewer->never = false;
        watcher_writable(viewer->watcher);
    }
}

static void random_run(uint64_t seed) {
    TestRandom random = {seed};
    Scene scene;
    static const size_t tombstones[] = {2, 16, 1000};
    scene_init(&scene, seed, tombstones[seed % 3]);
    Viewer viewers[VIEWERS] = {0};
    for (int i = 0; i < VIEWERS; i++)
        viewers[i].filter = ALL;
    for (int round = 0; round < 300; round++) {
        uint64_t changes = test_random_below(&random, 12);
        for (uint64_t i = 0; i < changes; i++)
            random_change(&scene, &random);
        if (test_random_below(&random, 3) == 0)
            random_viewer(&scene, &random, &viewers[test_random_below(&random, VIEWERS)]);
        if (test_random_below(&random, 2))
            scene_pass(&scene, (Nanos)test_random_below(&random, 200) * NANOS_PER_MILLI);
    }
    for (int i = 0; i < VIEWERS; i++) {
        if (viewers[i].watcher && viewers[i].never) {
            viewers[i].never = false;
            watcher_writable(viewers[i].watcher);
        }
    }
    scene_pass(&scene, 10 * NANOS_PER_SECOND);
    for (int i = 0; i < VIEWERS; i++) {
        if (viewers[i].watcher) {
            viewer_check(&scene, &viewers[i]);
            assert_true(viewers[i].number <= watch_number(scene.watch));
        }
        viewer_end(&viewers[i]);
    }
    scene_done(&scene);
}

static void random_sequences_end_in_the_present_state(void **state) {
    TestRandom random = test_random();
    for (int i = 0; i < 300; i++)
        random_run(test_random_bits(&random));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshot_then_changes),
        cmocka_unit_test(an_empty_snapshot_is_told),
        cmocka_unit_test(figures_wait_for_the_interval),
        cmocka_unit_test(equal_watchers_share_frames),
        cmocka_unit_test(resumes_from_a_revision),
        cmocka_unit_test(a_watcher_may_end_while_it_is_sent_to),
        cmocka_unit_test(random_sequences_end_in_the_present_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
