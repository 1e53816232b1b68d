/* The simulated worlds' own pieces: private to simulation.c and simulated_stream.c. */
#pragma once

#include "base/array.h"
#include "os/simulation.h"
#include "os/world_ops.h"

/* What happens at an instant; of those at one instant, in the order they were made. */
typedef struct Event {
    Nanos at;
    uint64_t order;
    void (*happen)(void *owner);
    void *owner;
} Event;

struct Simulation {
    SimulationOptions options;
    Nanos now;
    uint64_t random; /* state of the generator */
    uint64_t trace;
    uint64_t order;      /* events made so far */
    ARRAY(Event) events; /* a binary heap, the next one first */
    Link worlds, listeners, connections;
    uint32_t world_count, connection_count;
    uint16_t port; /* the last one chosen for port 0, or for a client */
};

typedef struct SimulatedWorld {
    World world;
    Simulation *simulation;
    Link link;
    uint64_t random;
    bool freeing; /* nothing is opened any more */
    /* Held up since `looked` until `held`; 0: it is not. `promised` as in world_gap. */
    Nanos held, looked, promised;
    Nanos released; /* when it went on the last time */
    Nanos clock;    /* what its wall clock was set forward by */
    Link streams, bells, signals;
} SimulatedWorld;

static inline SimulatedWorld *simulated_world(World *world) {
    return CONTAINER(world, SimulatedWorld, world);
}

/* The owner must be there when it happens. */
void simulation_at(Simulation *simulation, Nanos at, void (*happen)(void *owner), void *owner);

/* Folds what happens into the trace. */
void simulation_note(Simulation *simulation, const char *what, uint32_t connection, Span bytes);

/* An instant after a random delay. */
Nanos simulation_later(Simulation *simulation);

/* ---- simulated_stream.c ---- */

int simulated_connect(World *world, const Address *address, Stream **ret);
int simulated_pair(World *world, Stream *ret[2]);
int simulated_listen(World *world, const Address *address, Listener **ret);
/* Ends the streams of a world; their `closed` is deferred. */
void simulated_cancel(SimulatedWorld *world);
/* Closes the listeners of a world. */
void simulated_deafen(SimulatedWorld *world);
