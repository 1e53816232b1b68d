/* Simulated worlds: several Worlds on one thread sharing one simulated clock and network,
 * everything decided by one seed.
 *
 * Time stands still while code runs and jumps to the next event. Bytes written arrive at the
 * other end split into random pieces, after random delays, in order; connections are cut when
 * asked for or at a given rate. The trace hash folds in every event, so that two runs of one
 * seed can be compared.
 *
 * A simulated World keeps the contracts of world.h and stream.h, but for this: world_run runs all
 * worlds of the Simulation until world_stop of this one; bells are rung from the one thread there
 * is; sockets are neither detached nor adopted. Only simulation_hold holds the loop up. */
#pragma once

#include "os/address.h"
#include "os/world.h"

typedef struct Simulation Simulation;

typedef struct SimulationOptions {
    uint64_t seed;
    Nanos delay_min, delay_max; /* of a piece of bytes on its way, of a connect and its answer */
    uint32_t piece_max;         /* largest piece that arrives at once; 0 = whole writes */
    uint32_t cut_per_million;   /* chance that a piece cuts its connection instead of arriving */
    size_t window; /* bytes on the way before a writer has to wait: the socket buffer; 0 = 64 KiB */
} SimulationOptions;

/* Simulated time begins here, and the wall clock at SIMULATION_EPOCH (2026-01-01T00:00:00Z). */
#define SIMULATION_START NANOS_PER_SECOND
#define SIMULATION_EPOCH (INT64_C(1767225600) * NANOS_PER_SECOND)

Simulation *simulation_new(const SimulationOptions *options);
/* Frees the worlds that are left, too. */
void simulation_free(Simulation *simulation);

/* A world inside it; freed with world_free. Listeners and connects of all its worlds meet by
 * address: the same text ("localhost" is 127.0.0.1), or a listener at 0.0.0.0 or [::]. A connect
 * to nobody gets -ECONNREFUSED. */
World *simulation_world(Simulation *simulation);

/* Runs until nothing is left to happen or simulated time (world_now) reaches `until`. True when
 * there is nothing left. */
bool simulation_run(Simulation *simulation, Nanos until);

/* A number below `bound` (> 0) from the seed, for tests that decide what to do next. */
uint64_t simulation_choose(Simulation *simulation, uint64_t bound);

/* Cuts the connections made to that address (NULL: all): both ends are closed with -ECONNRESET,
 * and what was on its way is lost. Returns how many there were. */
size_t simulation_cut(Simulation *simulation, const Address *address);

/* Holds the World up for so long, as SIGSTOP does: nothing of it runs, while what is sent to it
 * gathers. Then it goes on as world.h says: what has arrived comes first, and deadlines have moved
 * where it took too long. Not from inside a callback. */
void simulation_hold(World *world, Nanos time);

/* Sets the World's wall clock forward or back. */
void simulation_set_clock(World *world, Nanos by);

/* Sends a signal to the World alone. Nothing happens when it does not listen. */
void simulation_signal(World *world, int signal);

uint64_t simulation_trace(const Simulation *simulation);
