/* From single probes to a verdict: so many in a row make it healthy, so many make it unhealthy,
 * and what changes more often than that changes nothing. Before it was healthy for the first time
 * failures count for nothing, since something that starts is not broken. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum Verdict { VERDICT_NONE, VERDICT_HEALTHY, VERDICT_UNHEALTHY } Verdict;

/* Zeroes but for the thresholds (each at least 1) are the beginning. */
typedef struct Debounce {
    uint32_t success_threshold, failure_threshold;
    uint32_t successes, failures; /* in a row */
    Verdict verdict;
} Debounce;

/* Takes one probe's result; true when the verdict has changed. */
bool debounce_probe(Debounce *debounce, bool passed);
