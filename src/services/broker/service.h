/* The broker in the runtime: what it is bound to. */
#pragma once

#include "core/context.h"
#include "core/event_bus.h"
#include "rpc/server.h"
#include "services/broker/broker.h"
#include "services/broker/watches.h"
#include "services/health/health.h"
#include "services/logs/logs.h"
#include "services/topology/topology.h"

typedef struct BrokerBinding {
    World *world;
    RpcServer *server;
    EventBus *bus;
    Broker *broker;
    BrokerWatches *watches;
    Topology *topology;
    HealthMonitor *health;
    Logs *logs;
    RpcService rpc;
    Subscription *subscriptions[3];
    Arena scratch;
} BrokerBinding;

/* BrokerService, for rpc_server_add. */
void broker_rpc_init(BrokerBinding *binding);
