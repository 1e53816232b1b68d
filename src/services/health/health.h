/* Health: one state for each instance and each service, made of what the service reports, what
 * probes find, whether it gives signs of life, what its process does, and rules on its latency and
 * errors; and how it was, in summaries that survive restarts.
 *
 * The tables that lead from all these to a HealthState stand in verdict.h, and for people in
 * docs/health.md. Nothing else in the program decides what a state means.
 *
 * Changes of a service's state are published on the bus as `service.health.SERVICE`, a
 * runtime.v1.HealthEvent whose status holds the instances too. Who needs the present state at once
 * (an offer is made, a node appears) asks here. */
#pragma once

#include "base/span.h"
#include "runtime/v1/health.pb.h"

typedef struct HealthMonitor HealthMonitor;
typedef struct Context Context;

/* The monitor of this runtime; see core/context.h. */
HealthMonitor *health_monitor_of(Context *context);

/* The state of an instance, by its service_id or, where it has not registered, its instance id;
 * HEALTH_UNKNOWN when it is not known. */
RtHealthState health_monitor_instance(const HealthMonitor *monitor, Span id);

/* The state of a service as a whole; HEALTH_UNKNOWN when it is not known. */
RtHealthState health_monitor_service(const HealthMonitor *monitor, Span service_name);
