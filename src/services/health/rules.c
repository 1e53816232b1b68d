#include "services/health/rules.h"

static bool over_latency(const HealthRules *rules, const HealthTraffic *traffic) {
    return rules->p95_ms > 0 && traffic->p95_ms > rules->p95_ms;
}

static bool over_errors(const HealthRules *rules, const HealthTraffic *traffic) {
    return rules->error_rate > 0 && traffic->error_rate > rules->error_rate;
}

static void explain(const HealthRules *rules, const HealthTraffic *traffic, Buf *message) {
    if (over_latency(rules, traffic))
        buf_printf(message, "p95 %.0f ms over %.0f ms", traffic->p95_ms, rules->p95_ms);
    if (over_errors(rules, traffic))
        buf_printf(message, "%s%.1f %% of calls failed, over %.1f %%", message->len ? ", " : "",
                   100 * traffic->error_rate, 100 * rules->error_rate);
    buf_printf(message, " for %g s", (double)rules->hold_ms / 1000);
}

bool rules_judge(const HealthRules *rules, RuleState *state, const HealthTraffic *traffic,
                 int64_t now, Buf *message) {
    bool enough = traffic->rps * traffic->seconds >= rules->least_calls;
    bool passed = enough && (over_latency(rules, traffic) || over_errors(rules, traffic));
    if (!state->since || state->passed != passed || now < state->since) {
        state->since = now;
        state->passed = passed;
    }
    if (passed == state->broken || now - state->since < rules->hold_ms)
        return false;
    state->broken = passed;
    buf_clear(message);
    if (passed)
        explain(rules, traffic, message);
    return true;
}
