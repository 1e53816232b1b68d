#include "services/health/beats.h"

void beats_begin(Beats *beats, int32_t interval, int32_t multiplier, int64_t at) {
    if (!beats->first)
        beats->first = beats->last = at;
    beats->interval = interval;
    beats->multiplier = multiplier;
}

/* How many were due since the last and did not come. */
static int64_t overdue(const Beats *beats, int64_t at) {
    if (beats->interval <= 0 || at <= beats->last)
        return 0;
    int64_t due = (at - beats->last + beats->interval / 2) / beats->interval;
    return due > 1 ? due - 1 : 0;
}

/* For how long it has been dead: from its timeout on. */
static int64_t dead_for(const Beats *beats, int64_t at) {
    int64_t silent = at - beats->last - (int64_t)beats->interval * beats->multiplier;
    return beats->interval > 0 && silent > 0 ? silent : 0;
}

static void measure(Beats *beats, double latency) {
    if (latency < 0)
        return;
    if (!beats->measured || latency < beats->shortest)
        beats->shortest = (float)latency;
    if (!beats->measured || latency > beats->longest)
        beats->longest = (float)latency;
    beats->measured++;
    beats->sum += latency;
}

void beats_came(Beats *beats, double latency, int64_t at, int64_t wall) {
    if (!beats->first)
        beats->first = at;
    if (beats->received)
        beats->missed += overdue(beats, at);
    beats->away += dead_for(beats, at);
    beats->received++;
    beats->last = at;
    beats->last_wall = wall;
    measure(beats, latency);
}

void beats_probed(Beats *beats, bool passed, double latency, int64_t at, int64_t wall) {
    if (!beats->first)
        beats->first = at;
    if (!passed) {
        beats->missed++;
        beats->failed++;
        return;
    }
    beats->received++;
    beats->failed = 0;
    measure(beats, latency);
    if (!beats->interval) {
        beats->last = at;
        beats->last_wall = wall;
    }
}

void beats_add(const Beats *beats, int64_t at, RtHeartbeatStatistics *to, double *latency_sum,
               int64_t *measured) {
    int64_t late = overdue(beats, at);
    int32_t in_a_row = beats->failed + (int32_t)late;
    int64_t known = at > beats->first ? at - beats->first : 0;
    int64_t away = beats->away + dead_for(beats, at);
    to->beats_received += beats->received;
    to->beats_missed += beats->missed + late;
    to->beats_expected += beats->received + beats->missed + late;
    if (in_a_row > to->consecutive_failures)
        to->consecutive_failures = in_a_row;
    if (beats->measured) {
        if (!to->has_latency_min_ms || beats->shortest < to->latency_min_ms)
            to->latency_min_ms = beats->shortest;
        if (!to->has_latency_max_ms || beats->longest > to->latency_max_ms)
            to->latency_max_ms = beats->longest;
        to->has_latency_min_ms = to->has_latency_max_ms = true;
        *latency_sum += beats->sum;
        *measured += beats->measured;
    }
    if (beats->last_wall > to->last_heartbeat)
        to->last_heartbeat = beats->last_wall;
    if (known - away > to->uptime_ms)
        to->uptime_ms = known - away;
    to->heartbeat_interval_ms = beats->interval;
    to->timeout_multiplier = beats->multiplier;
    to->alive |= !dead_for(beats, at) && beats->failed == 0;
}

void beats_finish(RtHeartbeatStatistics *statistics, double latency_sum, int64_t measured,
                  int64_t known_ms) {
    statistics->has_latency_avg_ms = measured > 0;
    if (measured)
        statistics->latency_avg_ms = latency_sum / (double)measured;
    if (known_ms > 0)
        statistics->uptime_percent = 100.0 * (double)statistics->uptime_ms / (double)known_ms;
}
