#include "services/orchestrator/debounce.h"

bool debounce_probe(Debounce *debounce, bool passed) {
    Verdict before = debounce->verdict;
    if (passed) {
        debounce->failures = 0;
        if (++debounce->successes >= debounce->success_threshold) {
            debounce->successes = debounce->success_threshold;
            debounce->verdict = VERDICT_HEALTHY;
        }
    } else {
        debounce->successes = 0;
        if (++debounce->failures >= debounce->failure_threshold && before != VERDICT_NONE)
            debounce->verdict = VERDICT_UNHEALTHY;
    }
    return debounce->verdict != before;
}
