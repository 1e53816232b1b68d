#include "services/health/health_component.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "services/health/binding.h"

#define CONTEXT_KEY "health"

static HealthBinding *binding_of(Context *context) {
    return context_get(context, CONTEXT_KEY);
}

HealthMonitor *health_monitor_of(Context *context) {
    return binding_of(context)->monitor;
}

static void binding_free(HealthBinding *binding) {
    archive_free(binding->archive);
    watch_free(binding->watch);
    health_monitor_free(binding->monitor);
    arena_done(&binding->scratch);
    free(binding);
}

static int load(Context *context, Buf *reason) {
    HealthBinding *binding = xcalloc(1, sizeof *binding);
    const Infrastructure *infrastructure = infrastructure_of(context);
    uint64_t seed;
    char why[256];
    world_random(infrastructure->world, &seed, sizeof seed);
    binding->world = infrastructure->world;
    binding->bus = infrastructure->bus;
    binding->infrastructure = infrastructure;
    binding->topology = topology_of(context);
    binding->monitor = health_monitor_new(seed);
    binding->archive = archive_new(binding->world, infrastructure->store, binding->monitor);
    health_rpc_init(binding);
    int result = rpc_server_add(infrastructure->server, &binding->rpc, why, sizeof why);
    if (result < 0) {
        buf_printf(reason, "%s", why);
        binding_free(binding);
        return result;
    }
    context_put(context, CONTEXT_KEY, binding);
    return 0;
}

static void on_loaded(void *owner, int error) {
    HealthBinding *binding = owner;
    if (error < 0) {
        component_fail(binding->step, "the history of health cannot be read: %s", strerror(-error));
        return;
    }
    health_signs_start(binding);
    component_done(binding->step);
}

static void start(Context *context, ComponentStep *step) {
    HealthBinding *binding = binding_of(context);
    binding->step = step;
    archive_start(binding->archive, on_loaded, binding);
}

static void on_saved(void *owner) {
    component_done(((HealthBinding *)owner)->step);
}

static void stop(Context *context, ComponentStep *step) {
    HealthBinding *binding = binding_of(context);
    binding->step = step;
    health_signs_stop(binding);
    archive_stop(binding->archive, on_saved, binding);
}

/* It may not have been stopped. */
static void unload(Context *context) {
    health_signs_stop(binding_of(context));
    binding_free(binding_of(context));
}

static const char *const REQUIRES[] = {"topology", NULL};

const Component HEALTH_COMPONENT = {
    .name = "health",
    .description = "how every service is, and how it was",
    .requires = REQUIRES,
    .load = load,
    .start = start,
    .stop = stop,
    .unload = unload,
};
