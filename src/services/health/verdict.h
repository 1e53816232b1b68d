/* The tables of health: what each sign means, and how signs make one state. docs/health.md says
 * the same for people. Pure functions. */
#pragma once

#include "runtime/v1/health.pb.h"
#include "runtime/v1/service.pb.h"
#include "runtime/v1/topology.pb.h"

/* What the orchestrator's state says of an instance. Running without a check counts as HEALTHY;
 * what is not meant to run is HEALTH_UNKNOWN, and nothing else is asked about it then. */
RtHealthState health_of_process(RtServiceState state);

/* What signs of life say of an instance. */
RtHealthState health_of_liveness(RtConnectionState state);

/* HEALTHY < STARTING < DEGRADED < UNHEALTHY; HEALTH_UNKNOWN is below all. */
RtHealthState health_worse(RtHealthState a, RtHealthState b);

/* Whether a lookup returns such an instance. */
bool health_is_usable(RtHealthState state);

/* How many instances of a service are in each state, by RtHealthState. */
#define HEALTH_STATES 5
typedef struct HealthTally {
    uint32_t of[HEALTH_STATES];
} HealthTally;

/* A service: HEALTHY while what runs is HEALTHY, DEGRADED when only some of it can be used or some
 * is DEGRADED, STARTING or UNHEALTHY when none can be used. */
RtHealthState health_of_service(const HealthTally *instances);
