/* For tests: an orchestrator in a simulated world, whose services are scripts
 * (os/simulated_process.h), from the text of a muster.yaml. */
#pragma once

#include "base/test.h"
#include "os/simulated_process.h"
#include "os/simulation.h"
#include "services/orchestrator/action.h"

typedef struct Kit {
    Simulation *simulation;
    World *world;
    EventBus *bus;
    RpcServer *server;
    ProcessHost *host;
    Orchestrator *orchestrator;
    const Config *config;
    Logs *logs;  /* NULL: nobody takes output */
    Buf topics;  /* topics that were published, a line each */
    bool done;   /* the action that was begun last has come true … */
    bool good;   /* … and succeeded */
    Buf stopped; /* … names in the order in which they stopped */
    Buf failed;  /* … errors of those that failed, a line each */
} Kit;

static inline void kit_on_event(void *owner, const Event *event) {
    buf_printf(&((Kit *)owner)->topics, "%.*s\n", SPAN_ARGS(event->topic));
}

static inline bool kit_no_variable(void *owner, Span name, Span *ret) {
    (void)owner;
    (void)name;
    (void)ret;
    return false;
}

static inline int kit_no_file(void *owner, const char *path, Buf *out) {
    (void)owner;
    (void)path;
    (void)out;
    return -2; /* ENOENT */
}

static inline const Config *kit_read(const char *yaml, int64_t number) {
    static const ConfigWorld WORLD = {NULL, kit_no_file, kit_no_variable};
    RtConfigurationFile file = {.path = SPAN("/project/muster.yaml"), .text = span_of(yaml)};
    ConfigOptions options = {.world = &WORLD, .files = &file, .file_count = 1, .number = number};
    ConfigReport report = {0};
    const Config *config = NULL;
    if (config_read(&options, &config, &report) < 0)
        for (size_t i = 0; i < report.problems.count; i++)
            print_error("%d:%d: %.*s\n", report.problems.items[i].line,
                        report.problems.items[i].column,
                        SPAN_ARGS(report.problems.items[i].message));
    assert_non_null(config);
    config_report_done(&report);
    return config;
}

static inline bool kit_all_free(uint16_t port) {
    (void)port;
    return true;
}

static inline size_t kit_no_ports(const int64_t *pids, size_t count, uint16_t *out, size_t room) {
    (void)pids;
    (void)count;
    (void)out;
    (void)room;
    return 0;
}

static inline int kit_no_self(Nanos *ret_cpu, uint64_t *ret_memory_bytes) {
    (void)ret_cpu;
    (void)ret_memory_bytes;
    return -2;
}

static inline void kit_on_restored(void *owner, int error) {
    assert_int_equal(error, 0);
    ((Kit *)owner)->done = true;
}

static inline void kit_run(Kit *kit, Nanos time) {
    simulation_run(kit->simulation, world_now(kit->world) + time);
}

/* A runtime's life begins, on the host that is there. */
static inline void kit_begin(Kit *kit) {
    static const EventHandler HANDLER = {.event = kit_on_event};
    static const Machine FREE = {
        .port_is_free = kit_all_free, .ports = kit_no_ports, .self = kit_no_self};
    Subscription *subscription;
    kit->bus = event_bus_new(kit->world);
    kit->server = rpc_server_new(kit->world, &(RpcServerOptions){.http = HTTP_LIMITS});
    event_bus_subscribe(kit->bus, SPAN("**"), 100000, &HANDLER, kit, &subscription);
    OrchestratorOptions options = {
        .world = kit->world,
        .bus = kit->bus,
        .server = kit->server,
        .processes = kit->host,
        .machine = &FREE,
        .config = kit->config,
        .logs = kit->logs,
        .data_folder = "/project/.muster",
        .address = SPAN("http://127.0.0.1:50051"),
        .addresses = SPAN("http://127.0.0.1:50051\n"),
        .epoch = 1,
    };
    kit->orchestrator = orchestrator_new(&options);
    kit->done = false;
    orchestrator_restore(kit->orchestrator, kit_on_restored, kit);
    kit_run(kit, NANOS_PER_MILLI);
    assert_true(kit->done);
}

static inline void kit_end(Kit *kit) {
    orchestrator_free(kit->orchestrator);
    event_bus_free(kit->bus);
    rpc_server_free(kit->server);
}

static inline void kit_init(Kit *kit, const char *yaml, uint64_t seed) {
    *kit = (Kit){0};
    SimulationOptions options = {.seed = seed, .delay_max = NANOS_PER_MILLI};
    kit->simulation = simulation_new(&options);
    kit->world = simulation_world(kit->simulation);
    kit->host = simulated_host_new(kit->world);
    kit->config = kit_read(yaml, 1);
    kit_begin(kit);
}

static inline void kit_done(Kit *kit) {
    kit_end(kit);
    process_host_free(kit->host);
    config_unref(kit->config);
    simulation_free(kit->simulation);
    buf_done(&kit->topics);
    buf_done(&kit->stopped);
    buf_done(&kit->failed);
}

static inline void kit_on_done(void *owner, const Action *action) {
    Kit *kit = owner;
    kit->done = true;
    kit->good = action_succeeded(action);
    for (size_t i = 0; i < action->stopped_count; i++)
        buf_printf(&kit->stopped, "%s\n", action->members.items[action->stopped[i]].name);
    for (size_t i = 0; i < action->members.count; i++)
        if (action->members.items[i].result.error.len)
            buf_printf(&kit->failed, "%s: %.*s\n", action->members.items[i].name,
                       SPAN_ARGS(action->members.items[i].result.error));
}

/* Asks for all services, or for the one of that name. */
static inline void kit_ask(Kit *kit, ActionKind kind, const char *name) {
    bool selected[64] = {0};
    Orchestrator *orchestrator = kit->orchestrator;
    for (size_t i = 0; i < orchestrator->services.count; i++)
        selected[i] = !name || strcmp(orchestrator->services.items[i]->name, name) == 0;
    kit->done = false;
    buf_clear(&kit->stopped);
    buf_clear(&kit->failed);
    action_begin(orchestrator, kind, selected, -1, false, SPAN("user"), kit_on_done, kit);
}

static inline Instance *kit_instance(const Kit *kit, const char *name) {
    return orchestrator_find(kit->orchestrator, span_of(name))->instances.items[0];
}

#define assert_state(kit, name, wanted)                                                            \
    assert_string_equal(instance_state_name(kit_instance(kit, name)->state), wanted)
