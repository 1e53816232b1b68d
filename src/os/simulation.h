/* Simulated worlds: several Worlds on one thread sharing one simulated clock and network,
 * everything decided by one seed.
 *
 * Time stands still while code runs and jumps to the next event. Bytes written arrive at the
 * other end split into random pieces, after random delays, in order; connections are cut when
 * asked for or at a given rate. The trace hash folds in every event, so that two runs of one
 * seed can be compared. */
#pragma once

#include "os/world.h"

typedef struct Simulation Simulation;

typedef struct SimulationOptions {
    uint64_t seed;
    Nanos delay_min, delay_max; /* of a piece of bytes on its way */
    uint32_t piece_max;         /* largest piece that arrives at once; 0 = whole writes */
    uint32_t cut_per_million;   /* chance that a piece cuts its connection instead of arriving */
    size_t window; /* bytes on the way before a writer has to wait: the socket buffer */
} SimulationOptions;

Simulation *simulation_new(const SimulationOptions *options);
void simulation_free(Simulation *simulation);

/* A world inside it; freed with world_free. Listeners and connects of all its worlds meet by
 * address. */
World *simulation_world(Simulation *simulation);

/* Runs until nothing is left to happen or simulated time reaches `until`. True when there is
 * nothing left. */
bool simulation_run(Simulation *simulation, Nanos until);

/* A number below `bound` from the seed, for tests that decide what to do next. */
uint64_t simulation_choose(Simulation *simulation, uint64_t bound);

uint64_t simulation_trace(const Simulation *simulation);
