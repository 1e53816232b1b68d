#include "services/broker/broker_component.h"

#include <stdlib.h>

#include "base/memory.h"
#include "services/broker/service.h"

#define CONTEXT_KEY "broker"

static BrokerBinding *binding_of(Context *context) {
    return context_get(context, CONTEXT_KEY);
}

Broker *broker_of(Context *context) {
    return binding_of(context)->broker;
}

static void binding_free(BrokerBinding *binding) {
    broker_watches_free(binding->watches);
    broker_free(binding->broker);
    arena_done(&binding->scratch);
    free(binding);
}

static int load(Context *context, Buf *reason) {
    BrokerBinding *binding = xcalloc(1, sizeof *binding);
    const Infrastructure *infrastructure = infrastructure_of(context);
    World *world = infrastructure->world;
    uint64_t seed;
    char why[256];
    world_random(world, &seed, sizeof seed);
    binding->world = world;
    binding->bus = infrastructure->bus;
    binding->server = infrastructure->server;
    binding->topology = topology_of(context);
    binding->health = health_monitor_of(context);
    binding->logs = logs_of(context);
    binding->broker = broker_new(&(BrokerOptions){
        .seed = seed,
        .epoch = infrastructure->epoch,
        .wheel = world_wheel(world),
        .owner = binding,
        .load = broker_provider_load,
        .changed = broker_tell,
    });
    binding->watches = broker_watches_new(world, infrastructure->server, binding->broker, seed,
                                          infrastructure->epoch);
    broker_rpc_init(binding);
    int result = rpc_server_add(infrastructure->server, &binding->rpc, why, sizeof why);
    if (result < 0) {
        buf_printf(reason, "%s", why);
        binding_free(binding);
        return result;
    }
    context_put(context, CONTEXT_KEY, binding);
    return 0;
}

static void start(Context *context, ComponentStep *step) {
    broker_signs_start(binding_of(context));
    component_done(step);
}

static void stop(Context *context, ComponentStep *step) {
    broker_signs_stop(binding_of(context));
    component_done(step);
}

static void unload(Context *context) {
    binding_free(binding_of(context));
}

static const char *const REQUIRES[] = {"topology", "health", "logs", NULL};

const Component BROKER_COMPONENT = {
    .name = "broker",
    .description = "who offers which service, and where",
    .requires = REQUIRES,
    .load = load,
    .start = start,
    .stop = stop,
    .unload = unload,
};
