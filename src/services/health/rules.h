/* Automatic DEGRADED: rules on the latency and the errors of the calls that a service answers.
 *
 * A rule breaks when its limit is passed for `hold` without a break, and heals when it is kept for
 * as long; windows with fewer than `least_calls` calls break no rule. Pure; time is an argument,
 * in Unix milliseconds. */
#pragma once

#include "base/buf.h"

typedef struct HealthRules {
    double p95_ms;     /* DEGRADED above it; 0 = no rule */
    double error_rate; /* likewise, 0 to 1 */
    int64_t hold_ms;
    double least_calls;
} HealthRules;

/* In force unless configured otherwise. */
#define HEALTH_RULES                                                                               \
    ((HealthRules){.p95_ms = 500, .error_rate = 0.05, .hold_ms = 10000, .least_calls = 20})

/* The calls of the last `seconds`. */
typedef struct HealthTraffic {
    double seconds;
    double rps, error_rate;
    double p95_ms; /* 0: not measured */
} HealthTraffic;

/* Zeroes: nothing seen yet. */
typedef struct RuleState {
    int64_t since; /* when the limits began to be passed, or kept; 0: they have not */
    bool passed;   /* which of the two */
    bool broken;
} RuleState;

/* Looks at the traffic; true when `broken` has changed. `message` (cleared first) then says why:
 * "p95 812 ms over 500 ms for 10 s". */
bool rules_judge(const HealthRules *rules, RuleState *state, const HealthTraffic *traffic,
                 int64_t now, Buf *message);
