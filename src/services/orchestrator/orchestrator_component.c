/* The orchestrator as a component of the runtime. */
#include <string.h>
#include <unistd.h>

#include "core/component.h"
#include "services/logs/logs.h"
#include "services/orchestrator/orchestrator.h"
#include "services/orchestrator/orchestrator_component.h"

#define KEY "orchestrator"

Orchestrator *orchestrator_of(Context *context) {
    return context_get(context, KEY);
}

static int load(Context *context, Buf *reason) {
    const Infrastructure *infrastructure = infrastructure_of(context);
    char why[256];
    OrchestratorOptions options = {
        .world = infrastructure->world,
        .bus = infrastructure->bus,
        .server = infrastructure->server,
        .store = infrastructure->store,
        .processes = infrastructure->processes,
        .logs = logs_of(context),
        .config = infrastructure->config,
        .in_force = infrastructure->in_force,
        .access = infrastructure->access,
        .data_folder = infrastructure->data_folder,
        .address = span_of(infrastructure->address),
        .addresses = span_of(infrastructure->addresses),
        .environment = (const char *const *)environ,
        .epoch = infrastructure->epoch,
    };
    Orchestrator *orchestrator = orchestrator_new(&options);
    int error =
        rpc_server_add(infrastructure->server, orchestrator_rpc(orchestrator), why, sizeof why);
    if (error < 0) {
        buf_printf(reason, "%s", why);
        orchestrator_free(orchestrator);
        return error;
    }
    context_put(context, KEY, orchestrator);
    return 0;
}

static void on_restored(void *owner, int error) {
    if (error < 0)
        component_fail(owner, "what earlier runs left cannot be read: %s", strerror(-error));
    else
        component_done(owner);
}

static void start(Context *context, ComponentStep *step) {
    orchestrator_restore(orchestrator_of(context), on_restored, step);
}

static void unload(Context *context) {
    orchestrator_free(orchestrator_of(context));
}

static const char *const REQUIRES[] = {"logs", NULL};

const Component ORCHESTRATOR_COMPONENT = {
    .name = KEY,
    .description = "starts, checks, heals and stops the services of the project",
    .requires = REQUIRES,
    .load = load,
    .start = start,
    .unload = unload,
};
