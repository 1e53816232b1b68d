#include "os/simulated.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

/* ---- chance ---- */

/* SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). */
static uint64_t draw(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t simulation_choose(Simulation *simulation, uint64_t bound) {
    return (uint64_t)((unsigned __int128)draw(&simulation->random) * bound >> 64);
}

Nanos simulation_later(Simulation *simulation) {
    const SimulationOptions *options = &simulation->options;
    uint64_t span = (uint64_t)(options->delay_max - options->delay_min) + 1;
    return simulation->now + options->delay_min + (Nanos)simulation_choose(simulation, span);
}

static void simulated_random(World *world, void *out, size_t size) {
    for (char *to = out; size > 0;) {
        uint64_t bytes = draw(&simulated_world(world)->random);
        size_t part = size < sizeof bytes ? size : sizeof bytes;
        memcpy(to, &bytes, part);
        to += part;
        size -= part;
    }
}

/* ---- events ---- */

static bool earlier(const Event *a, const Event *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(Event *a, Event *b) {
    Event kept = *a;
    *a = *b;
    *b = kept;
}

void simulation_at(Simulation *simulation, Nanos at, void (*happen)(void *owner), void *owner) {
    *array_push(&simulation->events) = (Event){at, simulation->order++, happen, owner};
    Event *items = simulation->events.items;
    for (size_t i = simulation->events.count - 1; i > 0; i = (i - 1) / 2) {
        if (!earlier(&items[i], &items[(i - 1) / 2]))
            break;
        swap(&items[i], &items[(i - 1) / 2]);
    }
}

static Event pop(Simulation *simulation) {
    Event *items = simulation->events.items, first = items[0];
    size_t count = --simulation->events.count;
    items[0] = items[count];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < count && earlier(&items[left], &items[least]))
            least = left;
        if (right < count && earlier(&items[right], &items[least]))
            least = right;
        if (least == i)
            return first;
        swap(&items[i], &items[least]);
        i = least;
    }
}

void simulation_note(Simulation *simulation, const char *what, uint32_t connection, Span bytes) {
    struct {
        uint64_t before, at, what, connection, bytes;
    } event = {
        .before = simulation->trace,
        .at = (uint64_t)simulation->now,
        .what = hash_bytes(span_of(what), 0),
        .connection = connection,
        .bytes = hash_bytes(bytes, bytes.len),
    };
    simulation->trace = hash_bytes(span(&event, sizeof event), 0);
}

uint64_t simulation_trace(const Simulation *simulation) {
    return simulation->trace;
}

/* ---- turns ---- */

/* When the next thing happens; WHEEL_NEVER: nothing is left. */
static Nanos next_instant(Simulation *simulation) {
    Nanos next = simulation->events.count ? simulation->events.items[0].at : WHEEL_NEVER;
    LIST_EACH (&simulation->worlds, link) {
        SimulatedWorld *simulated = CONTAINER(link, SimulatedWorld, link);
        World *world = &simulated->world;
        Nanos due = simulated->held          ? simulated->held
                    : world_has_tasks(world) ? simulation->now
                                             : wheel_next(&world->wheel);
        if (due < next)
            next = due;
    }
    return next < simulation->now ? simulation->now : next;
}

static void set_time(Simulation *simulation, Nanos now) {
    simulation->now = now;
    LIST_EACH (&simulation->worlds, link)
        CONTAINER(link, SimulatedWorld, link)->world.now = now;
}

/* Goes on where it was held up for long enough. */
static void release(SimulatedWorld *world, Nanos now) {
    if (!world->held || world->held > now)
        return;
    Nanos gap = world_gap(world->looked, world->promised, now);
    world->held = 0;
    world->released = now;
    if (gap)
        wheel_postpone(&world->world.wheel, gap);
}

/* One turn of every world: what arrives at this instant, then timers and tasks. What that makes
 * happen at the same instant belongs to the next turn. */
static void turn(Simulation *simulation, Nanos now) {
    set_time(simulation, now);
    LIST_EACH (&simulation->worlds, link)
        release(CONTAINER(link, SimulatedWorld, link), now);
    uint64_t order = simulation->order;
    while (simulation->events.count && simulation->events.items[0].at <= now &&
           simulation->events.items[0].order < order) {
        Event event = pop(simulation);
        event.happen(event.owner);
    }
    LIST_EACH (&simulation->worlds, link) {
        SimulatedWorld *world = CONTAINER(link, SimulatedWorld, link);
        if (!world->held)
            world_finish_turn(&world->world);
    }
}

bool simulation_run(Simulation *simulation, Nanos until) {
    for (;;) {
        Nanos next = next_instant(simulation);
        if (next == WHEEL_NEVER)
            return true;
        if (next > until) {
            if (until > simulation->now)
                set_time(simulation, until);
            return false;
        }
        turn(simulation, next);
    }
}

static void simulated_run(World *world) {
    Simulation *simulation = simulated_world(world)->simulation;
    for (Nanos next; !world->stopping && (next = next_instant(simulation)) != WHEEL_NEVER;)
        turn(simulation, next);
}

static Nanos simulated_wall(const World *world) {
    Nanos clock = CONTAINER(world, SimulatedWorld, world)->clock;
    return SIMULATION_EPOCH + world->now - SIMULATION_START + clock;
}

void simulation_set_clock(World *world, Nanos by) {
    simulated_world(world)->clock += by;
}

void simulation_hold(World *base, Nanos time) {
    SimulatedWorld *world = simulated_world(base);
    Nanos now = world->simulation->now;
    if (!world->held) {
        world->looked = now;
        world->promised = world_promise(now, wheel_next(&base->wheel));
    }
    if (now + time > world->held)
        world->held = now + time;
}

/* ---- bells and signals ---- */

typedef struct SimulatedBell {
    Bell bell;
    Task task;
    World *world;
    Link link;
} SimulatedBell;

static void bell_ring(Task *task) {
    SimulatedBell *bell = CONTAINER(task, SimulatedBell, task);
    bell->bell.ring(bell->bell.owner);
}

static void simulated_wake(Bell *base) {
    SimulatedBell *bell = CONTAINER(base, SimulatedBell, bell);
    world_defer(bell->world, &bell->task);
}

static void simulated_bell_free(Bell *base) {
    SimulatedBell *bell = CONTAINER(base, SimulatedBell, bell);
    world_undefer(&bell->task);
    list_remove(&bell->link);
    free(bell);
}

static Bell *simulated_bell_new(World *world, void (*ring)(void *owner), void *owner) {
    SimulatedBell *bell = xcalloc(1, sizeof *bell);
    bell->bell = (Bell){simulated_wake, simulated_bell_free, ring, owner};
    bell->task.run = bell_ring;
    bell->world = world;
    list_push_back(&simulated_world(world)->bells, &bell->link);
    return &bell->bell;
}

typedef struct SimulatedSignal {
    Task task;
    int signal;
    void (*caught)(void *owner, int signal);
    void *owner;
    Link link;
} SimulatedSignal;

static void signal_tell(Task *task) {
    SimulatedSignal *signal = CONTAINER(task, SimulatedSignal, task);
    signal->caught(signal->owner, signal->signal);
}

static SimulatedSignal *signal_find(SimulatedWorld *world, int number) {
    LIST_EACH (&world->signals, link) {
        SimulatedSignal *signal = CONTAINER(link, SimulatedSignal, link);
        if (signal->signal == number)
            return signal;
    }
    return NULL;
}

static void signal_free(SimulatedSignal *signal) {
    world_undefer(&signal->task);
    list_remove(&signal->link);
    free(signal);
}

static void simulated_on_signal(World *base, int number, void (*caught)(void *owner, int signal),
                                void *owner) {
    SimulatedWorld *world = simulated_world(base);
    SimulatedSignal *signal = signal_find(world, number);
    if (!caught) {
        if (signal)
            signal_free(signal);
        return;
    }
    if (!signal) {
        signal = xcalloc(1, sizeof *signal);
        signal->task.run = signal_tell;
        signal->signal = number;
        list_push_back(&world->signals, &signal->link);
    }
    signal->caught = caught;
    signal->owner = owner;
}

void simulation_signal(World *world, int number) {
    SimulatedSignal *signal = signal_find(simulated_world(world), number);
    if (signal)
        world_defer(world, &signal->task);
}

/* ---- beginning and end ---- */

static int simulated_adopt(World *world, int fd, Span first, Stream **ret) {
    (void)world, (void)fd, (void)first, (void)ret;
    return -ENOTSUP;
}

static int simulated_watch(World *world, int fd, FdWatch **ret) {
    (void)world, (void)fd, (void)ret;
    return -ENOTSUP;
}

static int simulated_listener_adopt(World *world, int fd, Listener **ret) {
    (void)world, (void)fd, (void)ret;
    return -ENOTSUP;
}

static void simulated_free(World *base) {
    SimulatedWorld *world = simulated_world(base);
    world->freeing = true;
    while (!list_empty(&world->streams)) {
        simulated_cancel(world);
        world_run_tasks(base);
    }
    simulated_deafen(world);
    world_run_tasks(base);
    while (!list_empty(&world->bells))
        simulated_bell_free(&CONTAINER(world->bells.next, SimulatedBell, link)->bell);
    while (!list_empty(&world->signals))
        signal_free(CONTAINER(world->signals.next, SimulatedSignal, link));
    list_remove(&world->link);
    free(world);
}

static const WorldOps SIMULATED_OPS = {
    .free = simulated_free,
    .wall = simulated_wall,
    .random = simulated_random,
    .run = simulated_run,
    .bell_new = simulated_bell_new,
    .on_signal = simulated_on_signal,
    .watch = simulated_watch,
    .connect = simulated_connect,
    .adopt = simulated_adopt,
    .pair = simulated_pair,
    .listen = simulated_listen,
    .listener_adopt = simulated_listener_adopt,
};

World *simulation_world(Simulation *simulation) {
    SimulatedWorld *world = xcalloc(1, sizeof *world);
    world_init(&world->world, &SIMULATED_OPS, simulation->now);
    world->simulation = simulation;
    uint64_t mixed = simulation->options.seed ^ (uint64_t)++simulation->world_count << 32;
    world->random = draw(&mixed); /* of its own: what it draws moves nothing in the network */
    list_init(&world->streams);
    list_init(&world->bells);
    list_init(&world->signals);
    list_push_back(&simulation->worlds, &world->link);
    return &world->world;
}

Simulation *simulation_new(const SimulationOptions *options) {
    Simulation *simulation = xcalloc(1, sizeof *simulation);
    simulation->options = *options;
    if (!simulation->options.window)
        simulation->options.window = 64 * 1024;
    simulation->now = SIMULATION_START;
    simulation->random = options->seed;
    simulation->port = UINT16_MAX;
    list_init(&simulation->worlds);
    list_init(&simulation->listeners);
    list_init(&simulation->connections);
    return simulation;
}

void simulation_free(Simulation *simulation) {
    while (!list_empty(&simulation->worlds))
        world_free(&CONTAINER(simulation->worlds.next, SimulatedWorld, link)->world);
    while (simulation->events.count) { /* with no world left, they only free what they belong to */
        Event event = pop(simulation);
        event.happen(event.owner);
    }
    array_done(&simulation->events);
    free(simulation);
}
