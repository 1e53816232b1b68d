#include "services/health/verdict.h"

RtHealthState health_of_process(RtServiceState state) {
    switch (state) {
    case RT_SERVICE_STATE_PENDING:
    case RT_SERVICE_STATE_WAITING:
    case RT_SERVICE_STATE_STARTING:
        return RT_HEALTH_STATE_STARTING;
    case RT_SERVICE_STATE_RUNNING:
    case RT_SERVICE_STATE_HEALTHY:
    case RT_SERVICE_STATE_ADOPTED:
    case RT_SERVICE_STATE_COMPLETED:
        return RT_HEALTH_STATE_HEALTHY;
    case RT_SERVICE_STATE_UNHEALTHY:
    case RT_SERVICE_STATE_BACKING_OFF:
    case RT_SERVICE_STATE_FAILED:
        return RT_HEALTH_STATE_UNHEALTHY;
    case RT_SERVICE_STATE_STOPPING:
    case RT_SERVICE_STATE_STOPPED:
    case RT_SERVICE_STATE_SKIPPED:
    case RT_SERVICE_STATE_UNSPECIFIED:
        break;
    }
    return RT_HEALTH_STATE_HEALTH_UNKNOWN;
}

RtHealthState health_of_liveness(RtConnectionState state) {
    switch (state) {
    case RT_CONNECTION_STATE_REGISTERED:
    case RT_CONNECTION_STATE_IDLE:
    case RT_CONNECTION_STATE_ACTIVE:
        return RT_HEALTH_STATE_HEALTHY;
    case RT_CONNECTION_STATE_STALE:
        return RT_HEALTH_STATE_DEGRADED;
    case RT_CONNECTION_STATE_DEAD:
        return RT_HEALTH_STATE_UNHEALTHY;
    case RT_CONNECTION_STATE_CONNECTION_UNKNOWN:
        break;
    }
    return RT_HEALTH_STATE_HEALTH_UNKNOWN;
}

static int badness(RtHealthState state) {
    static const int BADNESS[HEALTH_STATES] = {
        [RT_HEALTH_STATE_HEALTH_UNKNOWN] = 0, [RT_HEALTH_STATE_HEALTHY] = 1,
        [RT_HEALTH_STATE_STARTING] = 2,       [RT_HEALTH_STATE_DEGRADED] = 3,
        [RT_HEALTH_STATE_UNHEALTHY] = 4,
    };
    return BADNESS[state];
}

RtHealthState health_worse(RtHealthState a, RtHealthState b) {
    return badness(a) >= badness(b) ? a : b;
}

bool health_is_usable(RtHealthState state) {
    return state != RT_HEALTH_STATE_STARTING && state != RT_HEALTH_STATE_UNHEALTHY;
}

RtHealthState health_of_service(const HealthTally *instances) {
    uint32_t healthy = instances->of[RT_HEALTH_STATE_HEALTHY];
    uint32_t degraded = instances->of[RT_HEALTH_STATE_DEGRADED];
    uint32_t unhealthy = instances->of[RT_HEALTH_STATE_UNHEALTHY];
    if (healthy + degraded)
        return degraded + unhealthy ? RT_HEALTH_STATE_DEGRADED : RT_HEALTH_STATE_HEALTHY;
    if (instances->of[RT_HEALTH_STATE_STARTING])
        return RT_HEALTH_STATE_STARTING;
    return unhealthy ? RT_HEALTH_STATE_UNHEALTHY : RT_HEALTH_STATE_HEALTH_UNKNOWN;
}
