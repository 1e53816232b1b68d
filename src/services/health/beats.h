/* Heartbeats and probes of one instance, counted. A beat is missed when it is half an interval
 * late. Pure; instants are milliseconds on a clock that is never set and stands still while the
 * runtime is held up, and Unix milliseconds where they are called `wall`. */
#pragma once

#include <stdbool.h>

#include "runtime/v1/health.pb.h"

/* Zeroes: none was due yet. */
typedef struct Beats {
    int64_t first, last; /* when the first was due and the last came; 0: not yet */
    int64_t last_wall;
    int64_t away; /* milliseconds it counted as dead */
    int64_t received, missed;
    int32_t interval, multiplier;
    int32_t failed; /* probes in a row */
    uint32_t measured;
    float shortest, longest;
    double sum; /* of latencies, in milliseconds */
} Beats;

/* Beats are due from now on; also when their interval changes. */
void beats_begin(Beats *beats, int32_t interval, int32_t multiplier, int64_t at);

/* One came; `latency` in milliseconds, negative: not measured. */
void beats_came(Beats *beats, double latency, int64_t at, int64_t wall);

/* A probe passed, or failed. Whether it lives goes by its beats where there are any, else by this. */
void beats_probed(Beats *beats, bool passed, double latency, int64_t at, int64_t wall);

/* Adds the figures to those of others, then beats_finish makes them whole. */
void beats_add(const Beats *beats, int64_t at, RtHeartbeatStatistics *to, double *latency_sum,
               int64_t *measured);
void beats_finish(RtHeartbeatStatistics *statistics, double latency_sum, int64_t measured,
                  int64_t known_ms);
