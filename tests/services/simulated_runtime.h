/* For tests: a runtime in a simulated world. Topology, health and broker are the components of the
 * program with their calls, on a store and logs that live on a simulated disk. It can be ended or
 * killed, and then begins again with what it has left on the disk. */
#pragma once

#include "base/test.h"
#include "config/config.h"
#include "core/boot.h"
#include "core/entries.h"
#include "core/event_bus.h"
#include "os/simulated_disk.h"
#include "os/simulation.h"
#include "rpc/health.h"
#include "rpc/server.h"
#include "runtime/v1/service.pb.h"
#include "schema/codec.h"
#include "services/broker/broker_component.h"
#include "services/health/health_component.h"
#include "services/logs/logs.h"
#include "services/topology/topology_component.h"
#include "store/files_vfs.h"
#include "store/store.h"

#define RUNTIME_ADDRESS "10.0.0.1:50051"

typedef struct SimulatedRuntime {
    Simulation *simulation;
    SimulatedDisk *disk;
    /* One life of it. */
    Infrastructure infrastructure;
    ConfigInForce in_force; /* no project */
    Context *context;
    Boot *boot;
    bool done; /* the start or stop that was under way */
} SimulatedRuntime;

static inline World *runtime_world(const SimulatedRuntime *runtime) {
    return runtime->infrastructure.world;
}

/* ---- the logs, without a thread ---- */

static int runtime_load_logs(Context *context, Buf *reason) {
    SimulatedRuntime *runtime = context_get(context, "simulated runtime");
    LogsOptions options = {.files = simulated_disk_files(runtime->disk),
                           .folder = runtime->infrastructure.data_folder,
                           .stepped = true};
    Logs *logs;
    int error = logs_open(runtime_world(runtime), &options, &logs, reason);
    if (!error)
        context_put(context, "logs", logs);
    return error;
}

static void runtime_unload_logs(Context *context) {
    logs_close(logs_of(context));
}

static const Component RUNTIME_LOGS = {
    .name = "logs", .load = runtime_load_logs, .unload = runtime_unload_logs};

/* ---- its life ---- */

static void runtime_on_done(void *owner, int error, Span reason) {
    if (error)
        fail_msg("%.*s", SPAN_ARGS(reason));
    ((SimulatedRuntime *)owner)->done = true;
}

static void runtime_on_drained(void *owner) {
    ((SimulatedRuntime *)owner)->done = true;
}

static inline void runtime_await(SimulatedRuntime *runtime) {
    while (!runtime->done)
        simulation_run(runtime->simulation, world_now(runtime_world(runtime)) + NANOS_PER_MILLI);
}

static inline void runtime_open_store(SimulatedRuntime *runtime) {
    StoreOptions options = {.path = "/data/store.db",
                            .vfs = "files",
                            .files = simulated_disk_files(runtime->disk),
                            .stepped = true};
    Buf report = {0};
    int error =
        store_open(runtime_world(runtime), &options, &runtime->infrastructure.store, &report);
    if (error)
        fail_msg("%.*s", SPAN_ARGS(buf_span(&report)));
    buf_done(&report);
}

/* `observer` is loaded beside the others; it finds `owner` under its name. */
static inline void runtime_begin(SimulatedRuntime *runtime, const Component *observer,
                                 void *owner) {
    const Component *const components[] = {&TOPOLOGY_COMPONENT, &HEALTH_COMPONENT, &RUNTIME_LOGS,
                                           &BROKER_COMPONENT, observer};
    static const Span HOST = SPAN("10.0.0.1");
    Infrastructure *infrastructure = &runtime->infrastructure;
    int64_t epoch = infrastructure->epoch + 1;
    Address address;
    Buf reason = {0};
    *infrastructure = (Infrastructure){.world = simulation_world(runtime->simulation),
                                       .in_force = &runtime->in_force,
                                       .entries = entries_new(),
                                       .data_folder = "/data",
                                       .address = "http://" RUNTIME_ADDRESS,
                                       .version = "0.1.0",
                                       .epoch = epoch};
    infrastructure->bus = event_bus_new(infrastructure->world);
    infrastructure->server =
        rpc_server_new(infrastructure->world, &(RpcServerOptions){.http = HTTP_LIMITS,
                                                                  .allowed_hosts = &HOST,
                                                                  .allowed_host_count = 1,
                                                                  .compress = true});
    runtime_open_store(runtime);
    runtime->context = context_new();
    context_put_infrastructure(runtime->context, infrastructure);
    context_put(runtime->context, "simulated runtime", runtime);
    context_put(runtime->context, observer->name, owner);
    assert_int_equal(boot_new(runtime->context, components, 5, &runtime->boot, &reason), 0);
    if (boot_load(runtime->boot, &reason))
        fail_msg("%.*s", SPAN_ARGS(buf_span(&reason)));
    buf_done(&reason);
    infrastructure->serving = health_new(infrastructure->server);
    rpc_server_freeze(infrastructure->server);
    runtime->done = false;
    boot_start(runtime->boot, runtime_on_done, runtime);
    runtime_await(runtime);
    address_parse(SPAN(RUNTIME_ADDRESS), &address);
    assert_int_equal(
        http_server_listen(rpc_server_http(infrastructure->server), &address, NULL, &address), 0);
}

static inline void runtime_free(SimulatedRuntime *runtime) {
    Infrastructure *infrastructure = &runtime->infrastructure;
    rpc_server_free(infrastructure->server);
    boot_free(runtime->boot);
    health_free(infrastructure->serving);
    store_close(infrastructure->store);
    event_bus_free(infrastructure->bus);
    entries_free(infrastructure->entries);
    world_free(infrastructure->world);
    context_free(runtime->context);
}

/* In good order, as runtime/runtime.c does; or at once. */
static inline void runtime_end(SimulatedRuntime *runtime, bool killed) {
    RpcServer *server = runtime->infrastructure.server;
    if (!killed) {
        runtime->done = false;
        boot_stop(runtime->boot, runtime_on_done, runtime);
        runtime_await(runtime);
        runtime->done = false;
        rpc_server_end_streams(server, (Status){.code = STATUS_UNAVAILABLE});
        http_server_drain(rpc_server_http(server), NANOS_PER_SECOND, runtime_on_drained, runtime);
        runtime_await(runtime);
    }
    runtime_free(runtime);
}

static inline void runtime_init(SimulatedRuntime *runtime, Simulation *simulation, uint64_t seed) {
    *runtime = (SimulatedRuntime){.simulation = simulation, .disk = simulated_disk_new(seed)};
    files_folder(simulated_disk_files(runtime->disk), "/data");
    files_vfs_register(simulated_disk_files(runtime->disk), "files");
}

/* After its end, and that of the simulation. */
static inline void runtime_done(SimulatedRuntime *runtime) {
    config_enforce(&runtime->in_force, NULL);
    files_vfs_unregister("files");
    simulated_disk_free(runtime->disk);
}

/* What the orchestrator would say of a process. */
static inline void runtime_hears(SimulatedRuntime *runtime, const char *topic,
                                 const RtServiceEvent *event) {
    size_t size = schema_size(&RtServiceEvent_type, event);
    Blob *payload = blob_new(size);
    schema_encode_into(&RtServiceEvent_type, event, payload->bytes, payload->bytes + size);
    event_bus_publish(runtime->infrastructure.bus, span_of(topic), payload);
    blob_unref(payload);
}
