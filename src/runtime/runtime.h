/* The runtime: the program behind `muster serve`. It brings up the infrastructure (world, store,
 * event bus, RPC server), boots the components of components.h on it, serves until it is told to
 * stop, and takes everything down again in reverse. */
#pragma once

#include "base/buf.h"
#include "core/boot.h"
#include "net/tls.h"
#include "os/address.h"

#define RUNTIME_ADDRESS "127.0.0.1:50051"

typedef struct RuntimeOptions {
    const char *const *files; /* of the project, merged in their order; none: no project */
    size_t file_count;
    const Address *listen; /* port 0 picks a free one; none: the project's, else RUNTIME_ADDRESS */
    size_t listen_count;
    const Span *hosts; /* names that requests may carry, as RpcServerOptions has them */
    size_t host_count;
    const Span *origins;
    size_t origin_count;
    TlsOptions tls;          /* without cert_file: none */
    const char *data_folder; /* NULL: the project's, else ".muster" */
    /* Calls are answered from now on; `urls` are where, a line each. */
    void (*ready)(void *owner, Span urls);
    void *owner;
} RuntimeOptions;

/* Runs it to its end, by Shutdown or SIGINT, SIGTERM: then 0. A second such signal ends the process
 * at once. SIGHUP reads the certificates again. Otherwise a negative errno (-EINVAL: the options
 * or files are wrong), with `reason` as "WHAT: WHERE: WHAT TO DO". */
int runtime_run(const RuntimeOptions *options, Buf *reason);

/* ---- for RuntimeService ---- */

typedef struct Runtime Runtime;

Runtime *runtime_of(const Context *context);
const Boot *runtime_boot(const Runtime *runtime);
Nanos runtime_started_at(const Runtime *runtime); /* on the wall clock */
/* Where it listens, a line each: "http://127.0.0.1:50051", "unix:PATH". */
Span runtime_urls(const Runtime *runtime);

/* Stops all services, the components and the keeper; `stopped` comes when nothing is left but to say
 * goodbye: the last calls still get their answers. With `force` processes are killed at once. May be
 * asked again while it is under way. */
void runtime_stop(Runtime *runtime, bool force, void (*stopped)(void *owner), void *owner);
