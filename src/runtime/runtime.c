#include "runtime/runtime.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "config/config.h"
#include "core/entries.h"
#include "core/event_bus.h"
#include "keeper/keeper_client.h"
#include "page/page.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "runtime/components.h"
#include "runtime/data.h"
#include "runtime/listen.h"
#include "runtime/project.h"
#include "runtime/self.h"
#include "services/orchestrator/orchestrator.h"
#include "store/store.h"

#define DRAIN_GRACE (10 * NANOS_PER_SECOND)
#define CONTEXT_KEY "runtime"

#define SETTLED_AFTER NANOS_PER_SECOND

typedef struct Waiter {
    void (*stopped)(void *owner);
    void *owner;
} Waiter;

struct Runtime {
    const RuntimeOptions *options;
    Infrastructure infrastructure;
    AccessPolicy access;
    ARRAY(Address) listen;
    TlsContext *tls;
    Context *context;
    Boot *boot;
    Buf data_folder; /* its absolute path, as a C string */
    Buf urls;        /* a line each */
    Buf address;     /* the first of them, as a C string */
    ConfigInForce in_force;
    Nanos started_at;
    bool ready; /* everything has started */
    Timer settled;
    bool stopping, services_stopped;
    ARRAY(Waiter) waiters;
    int error; /* why it ends … */
    Buf *reason;
};

/* ---- infrastructure ---- */

/* Where to listen: what the options say comes first, then what the project's files say. */
static void choose_addresses(Runtime *runtime) {
    const RuntimeOptions *options = runtime->options;
    const Config *config = runtime->infrastructure.config;
    for (size_t i = 0; i < options->listen_count; i++)
        *array_push(&runtime->listen) = options->listen[i];
    for (size_t i = 0; config && !options->listen_count && i < config->listen.count; i++)
        address_parse(config->listen.items[i], array_push(&runtime->listen));
    if (!runtime->listen.count)
        address_parse(SPAN(RUNTIME_ADDRESS), array_push(&runtime->listen));
    for (size_t i = 0; i < runtime->listen.count; i++)
        runtime->access.required |= !address_is_loopback(&runtime->listen.items[i]);
}

static int open_data_folder(Runtime *runtime) {
    const Config *config = runtime->infrastructure.config;
    Arena arena = {0};
    const char *folder = runtime->options->data_folder ? runtime->options->data_folder
                         : config                      ? arena_text(&arena, config->data)
                                                       : DATA_FOLDER;
    int error = data_open(folder, &runtime->data_folder);
    if (error < 0) {
        buf_printf(runtime->reason,
                   "cannot make the data folder: %s: %s; name another with --data DIR", folder,
                   data_open_text(error));
        arena_done(&arena);
        return error;
    }
    arena_done(&arena);
    runtime->infrastructure.data_folder = buf_cstr(&runtime->data_folder);
    bool replaced;
    error = data_key(runtime->infrastructure.data_folder, runtime->infrastructure.world,
                     &runtime->access, &replaced);
    if (replaced)
        log_warn(
            "the token key was damaged, and another one takes its place: tokens and links that "
            "were given out before are void",
            log_text("file", SPAN("key")));
    if (error < 0)
        buf_printf(runtime->reason, "cannot keep the token key: %s/key: %s",
                   runtime->infrastructure.data_folder, strerror(-error));
    return error;
}

/* Nothing that is answered from here on could be relied on. The next start finds out what is on the
 * disk; services and keeper go on meanwhile. */
static void on_store_broken(void *owner, Span reason) {
    (void)owner;
    log_error("the store has failed, so the runtime ends; start it again once the disk is well",
              log_text("reason", reason));
    _exit(EXIT_FAILURE);
}

static int open_store(Runtime *runtime) {
    Infrastructure *infrastructure = &runtime->infrastructure;
    Buf path = {0}, report = {0};
    buf_printf(&path, "%s/store.db", infrastructure->data_folder);
    StoreOptions options = {.path = buf_cstr(&path), .broken = on_store_broken, .owner = runtime};
    int error = store_open(infrastructure->world, &options, &infrastructure->store, &report);
    if (error == -EBUSY) {
        Buf address = {0};
        data_read(infrastructure->data_folder, DATA_ADDRESS, &address);
        buf_printf(runtime->reason,
                   "another runtime works in this folder: %s: it is at %.*s; use that, or another "
                   "folder with --data DIR",
                   infrastructure->data_folder, SPAN_ARGS(buf_span(&address)));
        buf_done(&address);
    } else if (error < 0) {
        buf_printf(runtime->reason, "the store cannot be opened: %.*s",
                   SPAN_ARGS(buf_span(&report)));
    } else if (report.len) {
        log_warn("the store was damaged", log_text("report", buf_span(&report)));
    }
    buf_done(&path);
    buf_done(&report);
    return error;
}

/* Processes are the keeper's. One that is there tells what it holds; else it is started with the
 * first process. */
static int open_keeper(Runtime *runtime) {
    Infrastructure *infrastructure = &runtime->infrastructure;
    KeeperClientOptions options = {.folder = infrastructure->data_folder};
    Buf log = {0};
    buf_printf(&log, "%s/runtime.log", infrastructure->data_folder);
    int error = self_describe(buf_cstr(&log), &options.runtime);
    if (error < 0) {
        buf_printf(runtime->reason, "cannot tell how this program was started: %s",
                   strerror(-error));
    } else {
        error = keeper_client_new(infrastructure->world, &options, &infrastructure->processes,
                                  runtime->reason);
        self_done(&options.runtime);
    }
    buf_done(&log);
    return error;
}

static int start_tls(Runtime *runtime) {
    char why[256];
    if (!runtime->options->tls.cert_file)
        return 0;
    int error = tls_context_new(true, &runtime->options->tls, &runtime->tls, why, sizeof why);
    if (error < 0)
        buf_printf(runtime->reason, "TLS: %s", why);
    return error < 0 ? -EINVAL : 0;
}

static int open_server(Runtime *runtime) {
    const RuntimeOptions *options = runtime->options;
    RpcServerOptions server_options = {
        .allowed_hosts = options->hosts,
        .allowed_host_count = options->host_count,
        .allowed_origins = options->origins,
        .allowed_origin_count = options->origin_count,
        .http = HTTP_LIMITS,
        .compress = true,
    };
    RpcServer *server = rpc_server_new(runtime->infrastructure.world, &server_options);
    runtime->infrastructure.server = server;
    rpc_server_on_authorize(server, access_authorize, &runtime->access);
    http_server_hold(rpc_server_http(server), true);
    int error = listen_all(rpc_server_http(server), runtime->infrastructure.processes,
                           runtime->listen.items, runtime->listen.count, runtime->tls,
                           &runtime->urls, runtime->reason);
    if (error < 0)
        return error;
    const char *end = memchr(runtime->urls.ptr, '\n', runtime->urls.len);
    buf_add(&runtime->address, span(runtime->urls.ptr, (size_t)(end - runtime->urls.ptr)));
    runtime->infrastructure.address = buf_cstr(&runtime->address);
    runtime->infrastructure.addresses = buf_cstr(&runtime->urls);
    return 0;
}

static int open_infrastructure(Runtime *runtime) {
    Infrastructure *infrastructure = &runtime->infrastructure;
    infrastructure->world = world_new();
    infrastructure->version = MUSTER_VERSION;
    infrastructure->access = &runtime->access;
    infrastructure->bus = event_bus_new(infrastructure->world);
    infrastructure->entries = entries_new();
    infrastructure->in_force = &runtime->in_force;
    runtime->started_at = world_wall(infrastructure->world);
    infrastructure->epoch = runtime->started_at / NANOS_PER_MICRO;
    const RuntimeOptions *options = runtime->options;
    int error = 0;
    if (options->file_count)
        error = project_read(options->files, options->file_count, options->data_folder, 1,
                             &infrastructure->config, runtime->reason);
    config_enforce(&runtime->in_force, infrastructure->config);
    if (!error)
        error = open_data_folder(runtime);
    choose_addresses(runtime);
    if (!error)
        error = start_tls(runtime);
    if (!error)
        error = open_store(runtime);
    if (!error)
        error = open_keeper(runtime);
    if (!error)
        error = open_server(runtime);
    return error;
}

static void close_infrastructure(Runtime *runtime) {
    Infrastructure *infrastructure = &runtime->infrastructure;
    rpc_server_free(infrastructure->server);
    health_free(infrastructure->serving);
    if (infrastructure->store)
        store_close(infrastructure->store);
    process_host_free(infrastructure->processes);
    event_bus_free(infrastructure->bus);
    entries_free(infrastructure->entries);
    tls_context_unref(runtime->tls);
    world_free(infrastructure->world);
    config_enforce(&runtime->in_force, NULL);
    config_unref(infrastructure->config);
    array_done(&runtime->waiters);
    array_done(&runtime->listen);
    buf_done(&runtime->data_folder);
    buf_done(&runtime->urls);
    buf_done(&runtime->address);
}

/* ---- the end ---- */

static void on_drained(void *owner) {
    Runtime *runtime = owner;
    world_stop(runtime->infrastructure.world);
}

/* The keeper knows that we mean to end, and does not start us again. */
static void on_left(void *owner) {
    Runtime *runtime = owner;
    for (size_t i = 0; i < runtime->waiters.count; i++)
        runtime->waiters.items[i].stopped(runtime->waiters.items[i].owner);
    RpcServer *server = runtime->infrastructure.server;
    rpc_server_end_streams(
        server, (Status){.code = STATUS_UNAVAILABLE, .message = SPAN("the runtime ends")});
    http_server_drain(rpc_server_http(server), DRAIN_GRACE, on_drained, runtime);
}

static bool is_any_process_alive(ProcessHost *host) {
    const ProcessInfo *info;
    for (size_t at = 0; (info = process_next(host, &at));)
        if (info->state != PROCESS_EXITED)
            return true;
    return false;
}

/* What still runs is the keeper's to keep; without anything it ends with us. */
static void on_boot_stopped(void *owner, int error, Span reason) {
    Runtime *runtime = owner;
    if (error < 0)
        log_error("not everything has stopped well", log_text("reason", reason));
    ProcessHost *host = runtime->infrastructure.processes;
    keeper_client_leave(host, !is_any_process_alive(host), 0, on_left, runtime);
}

static void on_services_stopped(void *owner) {
    Runtime *runtime = owner;
    if (runtime->services_stopped) /* we may have asked twice */
        return;
    runtime->services_stopped = true;
    boot_stop(runtime->boot, on_boot_stopped, runtime);
}

void runtime_stop(Runtime *runtime, bool force, void (*stopped)(void *owner), void *owner) {
    if (stopped)
        *array_push(&runtime->waiters) = (Waiter){stopped, owner};
    if (runtime->services_stopped || (runtime->stopping && !force))
        return;
    runtime->stopping = true;
    if (runtime->ready)
        orchestrator_stop_all(orchestrator_of(runtime->context), force, on_services_stopped,
                              runtime);
    else
        on_services_stopped(runtime);
}

static void on_stop_signal(void *owner, int signal) {
    Runtime *runtime = owner;
    if (runtime->stopping)
        _exit(128 + signal);
    log_info("stopping; a second signal exits at once");
    runtime_stop(runtime, false, NULL, NULL);
}

static void on_reload_signal(void *owner, int signal) {
    (void)signal;
    Runtime *runtime = owner;
    char reason[256];
    if (!runtime->tls)
        return;
    if (tls_context_reload(runtime->tls, reason, sizeof reason) < 0)
        log_error("the old certificates stay", log_text("reason", span_of(reason)));
    else
        log_info("certificates read again");
}

/* ---- the beginning ---- */

/* What other commands look for: where we are, and a token that may do everything. */
static int leave_traces(Runtime *runtime) {
    const char *folder = runtime->infrastructure.data_folder;
    char token[TOKEN_MAX];
    size_t len = token_make(&runtime->access, SCHEMA_SCOPE_CONTROL, SPAN("cli"), token);
    const char *name = DATA_TOKEN;
    int error = data_write(folder, name, span(token, len), false);
    if (!error) {
        name = DATA_ADDRESS;
        error = data_write(folder, name, buf_span(&runtime->address), false);
    }
    if (error < 0)
        buf_printf(runtime->reason, "cannot write into the data folder: %s/%s: %s", folder, name,
                   strerror(-error));
    return error;
}

/* Reading the configuration and starting took memory that is not needed again: the system gets it
 * back. */
static void on_settled(Timer *timer) {
    (void)timer;
    malloc_trim(0);
}

static void on_started(void *owner, int error, Span reason) {
    Runtime *runtime = owner;
    if (error == -ECANCELED) /* by a signal, which goes on from here */
        return;
    if (error < 0)
        buf_printf(runtime->reason, "the runtime cannot start: %.*s", SPAN_ARGS(reason));
    else
        error = leave_traces(runtime);
    runtime->error = error;
    if (error < 0) {
        runtime_stop(runtime, false, NULL, NULL);
        return;
    }
    runtime->ready = true;
    World *world = runtime->infrastructure.world;
    runtime->settled.fire = on_settled;
    wheel_arm(world_wheel(world), &runtime->settled, world_now(world) + SETTLED_AFTER);
    http_server_hold(rpc_server_http(runtime->infrastructure.server), false);
    keeper_client_ready(runtime->infrastructure.processes);
    runtime->options->ready(runtime->options->owner, buf_span(&runtime->urls));
}

static int load_components(Runtime *runtime) {
    context_put_infrastructure(runtime->context, &runtime->infrastructure);
    context_put(runtime->context, CONTEXT_KEY, runtime);
    int error = boot_new(runtime->context, RUNTIME_COMPONENTS, RUNTIME_COMPONENT_COUNT,
                         &runtime->boot, runtime->reason);
    if (error < 0)
        return error;
    error = boot_load(runtime->boot, runtime->reason);
    if (error < 0)
        return error;
    reflection_add(runtime->infrastructure.server);
    page_serve(runtime->infrastructure.server);
    runtime->infrastructure.serving = health_new(runtime->infrastructure.server);
    rpc_server_freeze(runtime->infrastructure.server);
    return 0;
}

static void serve(Runtime *runtime) {
    World *world = runtime->infrastructure.world;
    world_on_signal(world, SIGINT, on_stop_signal, runtime);
    world_on_signal(world, SIGTERM, on_stop_signal, runtime);
    world_on_signal(world, SIGHUP, on_reload_signal, runtime);
    boot_start(runtime->boot, on_started, runtime);
    world_run(world);
    wheel_cancel(world_wheel(world), &runtime->settled);
    data_remove(runtime->infrastructure.data_folder, DATA_ADDRESS);
}

int runtime_run(const RuntimeOptions *options, Buf *reason) {
    Runtime runtime = {.options = options, .context = context_new(), .reason = reason};
    int error = open_infrastructure(&runtime);
    if (!error)
        error = load_components(&runtime);
    if (!error) {
        serve(&runtime);
        error = runtime.error;
    }
    boot_free(runtime.boot);
    close_infrastructure(&runtime);
    context_free(runtime.context);
    return error;
}

/* ---- for RuntimeService ---- */

Runtime *runtime_of(const Context *context) {
    return context_get(context, CONTEXT_KEY);
}

const Boot *runtime_boot(const Runtime *runtime) {
    return runtime->boot;
}

Nanos runtime_started_at(const Runtime *runtime) {
    return runtime->started_at;
}

Span runtime_urls(const Runtime *runtime) {
    return buf_span(&runtime->urls);
}
