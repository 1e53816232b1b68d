/* The real World: libuv waits, the kernel's clocks tell the time. */
#include "os/real.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/memory.h"

/* ---- the loop ---- */

void real_awake(RealWorld *real) {
    if (real->awake)
        return;
    real->awake = true;
    Nanos now = clock_monotonic();
    Nanos gap = world_gap(real->looked, real->promised, now);
    if (gap)
        wheel_postpone(&real->world.wheel, gap);
    real->looked = real->world.now = now;
}

/* The wait has lasted as long as it may. libuv 1.44 fires its timers before it waits, so that one
 * which runs out in between would no longer bound the wait. */
static void on_alarm(uv_timer_t *alarm) {
    ((RealWorld *)alarm->loop->data)->alarm_at = WHEEL_NEVER;
    uv_stop(alarm->loop);
}

/* Settles until when the loop may wait. An alarm that rings too early only costs a turn, so it is
 * set again only where it would ring too late. */
static void promise(RealWorld *real) {
    real->promised = world_promise(real->looked, wheel_next(&real->world.wheel));
    if (real->promised == WHEEL_NEVER && real->alarm_at != WHEEL_NEVER) {
        real->alarm_at = WHEEL_NEVER;
        uv_timer_stop(&real->alarm);
    } else if (real->promised < real->alarm_at) {
        Nanos wait = real->promised - clock_monotonic();
        uint64_t millis = wait > 0 ? (uint64_t)((wait - 1) / NANOS_PER_MILLI + 1) : 0;
        real->alarm_at = real->promised;
        uv_update_time(&real->loop);
        uv_timer_start(&real->alarm, on_alarm, millis, 0);
    }
}

static void real_run(World *world) {
    RealWorld *real = real_world(world);
    for (;;) {
        promise(real);
        if (world->stopping || !(world_has_tasks(world) || uv_loop_alive(&real->loop)))
            return;
        real->awake = false;
        uv_run(&real->loop, world_has_tasks(world) ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        real_awake(real);
        world_finish_turn(world);
    }
}

/* ---- time and randomness ---- */

static Nanos real_wall(const World *world) {
    (void)world;
    return clock_wall();
}

static void real_random(World *world, void *out, size_t size) {
    RealWorld *real = real_world(world);
    while (size > 0) {
        if (real->random_left == 0) {
            /* Up to 256 bytes come whole and uninterrupted (getrandom(2)). */
            if (getrandom(real->random, sizeof real->random, 0) != sizeof real->random)
                abort();
            real->random_left = sizeof real->random;
        }
        size_t part = size < real->random_left ? size : real->random_left;
        real->random_left -= part;
        memcpy(out, real->random + real->random_left, part);
        explicit_bzero(real->random + real->random_left, part);
        out = (char *)out + part;
        size -= part;
    }
}

/* ---- bells ---- */

typedef struct RealBell {
    Bell bell;
    uv_async_t async;
    Link link;
} RealBell;

static void on_async(uv_async_t *async) {
    RealBell *bell = CONTAINER(async, RealBell, async);
    real_awake(async->loop->data);
    bell->bell.ring(bell->bell.owner);
}

static void real_wake(Bell *bell) {
    uv_async_send(&CONTAINER(bell, RealBell, bell)->async);
}

static void on_async_closed(uv_handle_t *handle) {
    free(CONTAINER(handle, RealBell, async));
}

static void real_bell_free(Bell *bell) {
    RealBell *real = CONTAINER(bell, RealBell, bell);
    list_remove(&real->link);
    uv_close((uv_handle_t *)&real->async, on_async_closed);
}

static Bell *real_bell_new(World *world, void (*ring)(void *owner), void *owner) {
    RealWorld *real = real_world(world);
    RealBell *bell = xcalloc(1, sizeof *bell);
    bell->bell = (Bell){real_wake, real_bell_free, ring, owner};
    uv_async_init(&real->loop, &bell->async, on_async); /* world_new has made the first one */
    list_push_back(&real->bells, &bell->link);
    return &bell->bell;
}

/* ---- signals ---- */

typedef struct RealSignal {
    uv_signal_t signal;
    void (*caught)(void *owner, int signal);
    void *owner;
    Link link;
} RealSignal;

static void on_signal(uv_signal_t *handle, int number) {
    RealSignal *signal = CONTAINER(handle, RealSignal, signal);
    real_awake(handle->loop->data);
    if (signal->caught)
        signal->caught(signal->owner, number);
}

static void on_signal_closed(uv_handle_t *handle) {
    free(CONTAINER(handle, RealSignal, signal));
}

static void signal_free(RealSignal *signal) {
    signal->caught = NULL;
    list_remove(&signal->link);
    uv_close((uv_handle_t *)&signal->signal, on_signal_closed);
}

static RealSignal *signal_find(RealWorld *real, int number) {
    LIST_EACH (&real->signals, link) {
        RealSignal *signal = CONTAINER(link, RealSignal, link);
        if (signal->signal.signum == number)
            return signal;
    }
    return NULL;
}

static void real_on_signal(World *world, int number, void (*caught)(void *owner, int signal),
                           void *owner) {
    RealWorld *real = real_world(world);
    RealSignal *signal = signal_find(real, number);
    if (!caught) {
        if (signal)
            signal_free(signal);
        return;
    }
    if (!signal) {
        signal = xcalloc(1, sizeof *signal);
        uv_signal_init(&real->loop, &signal->signal);
        uv_signal_start(&signal->signal, on_signal, number);
        uv_unref((uv_handle_t *)&signal->signal);
        list_push_back(&real->signals, &signal->link);
    }
    signal->caught = caught;
    signal->owner = owner;
}

/* ---- beginning and end ---- */

static void real_free(World *world) {
    RealWorld *real = real_world(world);
    real->freeing = true;
    while (!list_empty(&real->streams)) {
        LIST_EACH (&real->streams, link) {
            RealStream *stream = CONTAINER(link, RealStream, link);
            if (stream->state != REAL_OVER)
                real_stream_over(stream, -ECANCELED);
        }
        world_run_tasks(world);
    }
    while (!list_empty(&real->listeners))
        listener_close(real_listener_of(real->listeners.next));
    world_run_tasks(world);
    while (!list_empty(&real->watches))
        fd_watch_free(real_watch_of(real->watches.next));
    while (!list_empty(&real->bells))
        real_bell_free(&CONTAINER(real->bells.next, RealBell, link)->bell);
    while (!list_empty(&real->signals))
        signal_free(CONTAINER(real->signals.next, RealSignal, link));
    uv_close((uv_handle_t *)&real->alarm, NULL);
    uv_run(&real->loop, UV_RUN_DEFAULT);
    int error = uv_loop_close(&real->loop);
    assert(error == 0);
    (void)error;
    while (real->spare_count)
        buf_done(&real->spares[--real->spare_count]);
    free(real->piece);
    free(real);
}

static const WorldOps REAL_OPS = {
    .free = real_free,
    .wall = real_wall,
    .random = real_random,
    .run = real_run,
    .bell_new = real_bell_new,
    .on_signal = real_on_signal,
    .watch = real_watch,
    .connect = real_connect,
    .adopt = real_adopt,
    .pair = real_pair,
    .listen = real_listen,
    .listener_adopt = real_listener_adopt,
    .resolve = real_resolve,
    .resolve_cancel = real_resolve_cancel,
};

World *world_new(void) {
    RealWorld *real = xcalloc(1, sizeof *real);
    if (uv_loop_init(&real->loop) != 0) {
        free(real);
        return NULL;
    }
    real->loop.data = real;
    uv_timer_init(&real->loop, &real->alarm);
    world_init(&real->world, &REAL_OPS, clock_monotonic());
    real->looked = real->world.now;
    real->alarm_at = WHEEL_NEVER;
    list_init(&real->streams);
    list_init(&real->listeners);
    list_init(&real->watches);
    list_init(&real->bells);
    list_init(&real->signals);
    real->piece = xmalloc(STREAM_PIECE);
    return &real->world;
}
