/* Health in the runtime: what the monitor is bound to. */
#pragma once

#include "core/context.h"
#include "core/event_bus.h"
#include "rpc/health.h"
#include "services/health/archive.h"
#include "services/health/monitor.h"
#include "services/topology/topology.h"

typedef struct ComponentStep ComponentStep;

typedef struct HealthBinding {
    World *world;
    EventBus *bus;
    Topology *topology;
    const Infrastructure *infrastructure;
    HealthMonitor *monitor;
    Archive *archive;
    Watch *watch;
    RpcService rpc;
    Subscription *subscriptions[5];
    Timer second; /* rules are looked at */
    Task tell;    /* changes are told of, at the end of the turn */
    Arena scratch;
    ComponentStep *step; /* the start or stop under way */
} HealthBinding;

/* The wall clock, in Unix milliseconds; and one that is never set, see beats.h. */
int64_t health_now(const HealthBinding *binding);
int64_t health_steady(const HealthBinding *binding);

/* HealthService, for rpc_server_add; and its watch. */
void health_rpc_init(HealthBinding *binding);

/* What comes in: the topology's signs of life, the orchestrator's events, the traffic of each
 * second. */
void health_signs_start(HealthBinding *binding);
void health_signs_stop(HealthBinding *binding); /* also where it has not started, or twice */
