/* What the runtime consists of, found by name: a dictionary that is filled while the runtime is put
 * together and sealed before it works (the AppContext of the specification).
 *
 * The infrastructure stands in it from the beginning: the getters below. Each component puts its
 * own object there in `load`, under its own name, and has a typed getter in its public header:
 *
 *     Topology *topology_of(Context *context);        in services/topology/topology.h
 *     … { return context_get(context, "topology"); }  in its component's source
 *
 * so that components that require it find it, from their own `load` on. A key that is put twice, a
 * write after sealing, and the get of a key that is not there are programming errors: they end the
 * process with a message that names the key. Objects belong to who put them. One thread. */
#pragma once

#include "base/span.h"

typedef struct Context Context;

Context *context_new(void);
void context_free(Context *context);

/* `key` (constant text) and `value` (not NULL) live as long as the Context. */
void context_put(Context *context, const char *key, void *value);

void *context_get(const Context *context, const char *key);

/* Likewise, but NULL when it is not there. */
void *context_find(const Context *context, const char *key);

/* No writes from now on. */
void context_seal(Context *context);

/* ---- infrastructure ---- */

typedef struct World World;
typedef struct EventBus EventBus;
typedef struct RpcServer RpcServer;
typedef struct Store Store;
typedef struct ProcessHost ProcessHost;
typedef struct AccessPolicy AccessPolicy;
typedef struct Entries Entries;
typedef struct Config Config;
typedef struct ConfigInForce ConfigInForce;
typedef struct HealthStatuses HealthStatuses;

typedef struct Infrastructure {
    World *world;
    EventBus *bus;
    RpcServer *server;       /* services are added in `load`, later never */
    HealthStatuses *serving; /* what grpc.health.v1 answers; there when all is loaded */
    Store *store;
    ProcessHost *processes;
    AccessPolicy *access;    /* tokens are made with it */
    Entries *entries;        /* stages are added in `load` */
    const Config *config;    /* the project's as it was read at the start; NULL: no project */
    ConfigInForce *in_force; /* and as it is now */
    const char *data_folder; /* absolute path of ".muster" */
    const char *address;     /* what MUSTER_ADDRESS gets: "http://127.0.0.1:50051" */
    const char *addresses;   /* all of them, each a line of its own */
    const char *version;     /* "0.1.0" */
    int64_t epoch;           /* of this run of the runtime: > 0, another one each time */
} Infrastructure;

/* Puts it there under the key "infrastructure"; the struct lives as long as the Context. */
void context_put_infrastructure(Context *context, Infrastructure *infrastructure);
const Infrastructure *infrastructure_of(const Context *context);
