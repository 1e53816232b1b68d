/* How often a service is tried again, and how long to wait in between. Pure: times are
 * arguments, randomness too. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

typedef struct BackoffPolicy {
    Nanos initial;        /* the first pause */
    Nanos max;            /* no pause is longer, jitter aside */
    double factor;        /* each is this many times as long as the one before; at least 1 */
    double jitter;        /* each is up to this share longer or shorter; 0 to 1 */
    Nanos stable;         /* up for that long, all is forgotten */
    uint32_t max_retries; /* so many attempts to start; once it has been ready, so many restarts
                             until it is stable. 0 = without end */
} BackoffPolicy;

/* Zeroes are the beginning. */
typedef struct Backoff {
    uint32_t pauses; /* since it was last stable, or asked for: how long the next is */
    uint32_t tries;  /* of those that max_retries bounds: spawns, later restarts */
    bool ready;      /* it has been ready since it was asked for: restarts are counted */
} Backoff;

/* A process is started. */
void backoff_spawned(Backoff *backoff);

/* It is ready. */
void backoff_ready(Backoff *backoff);

/* It ended, `up` after it became ready (0: it never did). True: it is tried again after
 * `ret_pause`; false: all attempts are used up. `random` is 64 random bits. */
bool backoff_failed(Backoff *backoff, const BackoffPolicy *policy, Nanos up, uint64_t random,
                    Nanos *ret_pause);
