/* The orchestrator: starts the services of a project in order, checks and heals them, stops them
 * with all they have started, and remembers what happened.
 *
 * It belongs to the World's thread. What it decides by is pure and lies beside it
 * (instance_state.h, start_plan.h, backoff.h, debounce.h, cron.h); processes are reached through
 * os/process_host.h, output goes to services/logs/logs.h.
 *
 * On the bus it publishes `process.started`, `process.stopped`, `supervisor.state.SERVICE` and
 * `supervisor.health.SERVICE`, each a runtime.v1.ServiceEvent: docs/events.md. */
#pragma once

#include "core/event_bus.h"
#include "os/process_host.h"
#include "rpc/access.h"
#include "rpc/server.h"
#include "runtime/v1/service.pb.h"
#include "store/store.h"

typedef struct Orchestrator Orchestrator;
typedef struct Context Context;
typedef struct Config Config;
typedef struct ConfigInForce ConfigInForce;
typedef struct Logs Logs;
typedef struct Machine Machine;

/* The orchestrator of this runtime; see core/context.h. */
Orchestrator *orchestrator_of(Context *context);

typedef struct OrchestratorOptions {
    World *world;
    EventBus *bus;
    RpcServer *server;
    Store *store; /* NULL: nothing is remembered */
    ProcessHost *processes;
    Logs *logs;                     /* NULL: output is not taken */
    const Machine *machine;         /* NULL: the real one */
    const Config *config;           /* NULL: no project; a reference is taken */
    ConfigInForce *in_force;        /* where one that is applied is put; NULL: nowhere */
    const AccessPolicy *access;     /* tokens of services are made with it; NULL: none are */
    const char *data_folder;        /* absolute */
    Span address;                   /* MUSTER_ADDRESS */
    Span addresses;                 /* where the runtime is reached, each on a line of its own */
    const char *const *environment; /* what services inherit, "NAME=value"; ends with NULL */
    uint64_t epoch;
} OrchestratorOptions;

/* Options are copied, what they point to lives on. */
Orchestrator *orchestrator_new(const OrchestratorOptions *options);
/* Services go on; what is noted of them serves the runtime's next life. Before the Logs, the Store
 * and the ProcessHost. */
void orchestrator_free(Orchestrator *orchestrator);

/* Reads what earlier lives left, and takes over what still runs. `done` once, from the loop. */
void orchestrator_restore(Orchestrator *orchestrator, void (*done)(void *owner, int error),
                          void *owner);

/* OrchestratorService, for rpc_server_add: lives as long as the Orchestrator. */
const RpcService *orchestrator_rpc(Orchestrator *orchestrator);

/* Who is told when something asked for has come true. */
typedef void OrchestratorDone(void *owner);

/* For the runtime's end: stops all services, each before what it depends on; with `force` at once
 * and hard. Calls that would start one are refused from now on. `done` is called when the last
 * process is gone, which may be soon, yet never from inside this call. */
void orchestrator_stop_all(Orchestrator *orchestrator, bool force, OrchestratorDone *done,
                           void *owner);
