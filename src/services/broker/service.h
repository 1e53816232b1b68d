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
    bool stopped; /* nothing is told any more */
    Arena scratch;
} BrokerBinding;

/* BrokerService, for rpc_server_add. */
void broker_rpc_init(BrokerBinding *binding);

/* What comes in: ends of processes and instances, changes of health. */
void broker_signs_start(BrokerBinding *binding);
void broker_signs_stop(BrokerBinding *binding);

/* The instance of that service_id, with its present health; false when it is not known. */
bool broker_find_provider(const BrokerBinding *binding, Span service_id, BrokerProvider *ret);

/* For BrokerOptions, with the binding as owner. */
double broker_provider_load(void *binding, Span service_id);
void broker_tell(void *binding, BrokerChange change, const RtBrokerInstance *offer);
