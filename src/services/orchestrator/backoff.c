#include "services/orchestrator/backoff.h"

void backoff_spawned(Backoff *backoff) {
    backoff->tries++;
}

void backoff_ready(Backoff *backoff) {
    if (!backoff->ready)
        backoff->tries = 0; /* from now on it counts restarts */
    backoff->ready = true;
}

static Nanos pause_of(const Backoff *backoff, const BackoffPolicy *policy, uint64_t random) {
    double pause = (double)policy->initial, max = (double)policy->max;
    for (uint32_t i = 0; i < backoff->pauses && pause < max; i++) {
        double longer = pause * policy->factor;
        if (longer <= pause)
            break;
        pause = longer;
    }
    if (pause > max)
        pause = max;
    double unit = (double)(random >> 11) * 0x1p-53; /* 0 to 1 */
    return (Nanos)(pause * (1 + policy->jitter * (2 * unit - 1)));
}

bool backoff_failed(Backoff *backoff, const BackoffPolicy *policy, Nanos up, uint64_t random,
                    Nanos *ret_pause) {
    if (backoff->ready && up >= policy->stable)
        backoff->tries = backoff->pauses = 0;
    if (policy->max_retries && backoff->tries >= policy->max_retries)
        return false;
    *ret_pause = pause_of(backoff, policy, random);
    if (backoff->pauses < UINT32_MAX)
        backoff->pauses++;
    return true;
}
