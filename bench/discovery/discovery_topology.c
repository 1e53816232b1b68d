/* The topology under load: a server process that has a runtime's RPC server and topology, and this one,
 * which plays the clients.
 *
 *     discovery_topology beats CONNECTIONS STREAMS SERVICES SECONDS
 *         STREAMS heartbeat streams on each connection, SERVICES services on each stream, a beat every
 *         5 s for each; then silence, until all are gone
 *     discovery_topology watch NODES EDGES WATCHERS SECONDS
 *         all edges report calls every second, watchers follow all of it
 *
 * Prints results as bench/run.py reads them. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../measure.h"
#include "base/memory.h"
#include "rpc/client.h"
#include "services/topology/internal.h"

#define ID        36
#define INTERVAL  (5 * NANOS_PER_SECOND)
#define INSTANCES 1000 /* of one name */

/* What the two processes share. */
typedef struct Shared {
    _Atomic int phase; /* 1: measure, 2: done measuring */
    size_t services;
    char ids[];
} Shared;

static World *world;
static Topology *topology;
static Shared *shared;
static int64_t began, cpu_began;
static uint64_t stale_early, expired, stale;
static int64_t latest_ms; /* worst error of an expiry */
static bool silent;       /* the clients have stopped */
static WatchStatistics statistics_began;
static uint64_t changes;

static long resident_bytes(void) {
    long pages = 0, size = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%ld %ld", &size, &pages) != 2)
            pages = 0;
        fclose(file);
    }
    return pages * sysconf(_SC_PAGESIZE);
}

/* ---- the server ---- */

static void on_state(void *owner, const TopologyInstance *instance, RtConnectionState before) {
    if (instance->state != RT_CONNECTION_STATE_STALE)
        return;
    int64_t late = topology_wall_ms(topology) - instance->last_heartbeat_ms -
                   (int64_t)instance->interval_ms * instance->stale_after;
    stale++;
    stale_early += !silent;
    latest_ms = late > latest_ms ? late : latest_ms;
}

static void on_gone(void *owner, const TopologyInstance *instance, TopologyEnd end) {
    expired += end == TOPOLOGY_EXPIRED;
}

static const TopologyListener LISTENER = {.state = on_state, .gone = on_gone};

static void fill(size_t services) {
    Arena arena = {0};
    char name[32];
    long before = resident_bytes();
    int64_t cpu = cpu_ns();
    for (size_t i = 0; i < services; i++) {
        RtServiceHandle handle;
        RtRegisterServiceRequest request = {
            .service_name = span(name, (size_t)sprintf(name, "service-%zu", i / INSTANCES)),
            .address = SPAN("127.0.0.1:50051"),
            .version = SPAN("1.0.0"),
            .language = RT_SERVICE_LANGUAGE_GO,
        };
        topology_register(topology, &request, SPAN("127.0.0.1"), &arena, &handle);
        memcpy(shared->ids + i * ID, handle.service_id.ptr, ID);
        arena_reset(&arena);
    }
    arena_done(&arena);
    report("register", "ns", (double)(cpu_ns() - cpu) / (double)services);
    report("memory", "bytes/service", (double)(resident_bytes() - before) / (double)services);
}

/* Measures as the clients say. */
static void on_check(Timer *timer) {
    static int phase;
    if (shared->phase != phase) {
        phase = shared->phase;
        if (phase == 1) {
            began = now_ns();
            cpu_began = cpu_ns();
            statistics_began = watch_statistics(topology->watch);
            changes = watch_number(topology->watch);
        } else {
            double wall = (double)(now_ns() - began) / 1e9;
            WatchStatistics now = watch_statistics(topology->watch);
            report("processor", "% of one", (double)(cpu_ns() - cpu_began) / wall / 1e7);
            report("memory, all of it", "MiB", (double)resident_bytes() / 1048576);
            report("frames", "1/s", (double)(now.frames - statistics_began.frames) / wall);
            report("frames sent", "1/s", (double)(now.sent - statistics_began.sent) / wall);
            report("items told", "1/s", (double)(now.told - statistics_began.told) / wall);
            report("false STALE", "services", (double)stale_early);
            silent = true;
        }
    }
    wheel_arm(world_wheel(world), timer, world_now(world) + 20 * NANOS_PER_MILLI);
}

static void on_end(void *owner, int signal) {
    if (stale) {
        report("expired", "services", (double)expired);
        report("STALE, latest", "ms", (double)latest_ms);
    }
    fflush(stdout);
    _exit(0);
}

/* A second's calls of all edges, a hundredth at a time. */
typedef struct Traffics {
    Timer timer;
    size_t nodes, edges, next;
    char (*ids)[ID];
} Traffics;

static void on_calls(Timer *timer) {
    Traffics *traffics = CONTAINER(timer, Traffics, timer);
    char name[32];
    Buf why = {0};
    size_t each = traffics->edges / traffics->nodes;
    for (size_t i = 0; i < traffics->edges / 100; i++) {
        size_t edge = traffics->next++ % traffics->edges, source = edge / each;
        size_t target = (source + 1 + edge % each * 37) % traffics->nodes;
        RtActivityEvent event = {
            .service_id = span(traffics->ids[source], ID),
            .target_service = span(name, (size_t)sprintf(name, "service-%zu", target)),
            .type = RT_ACTIVITY_TYPE_RESPONSE_RECEIVED,
            .has_batch_size = true,
            .batch_size = 10,
            .latency_us = 500 + (int64_t)(edge % 97) * 20,
            .method = SPAN("Add"),
        };
        if (source < traffics->nodes)
            topology_activity(topology, &event, &why);
    }
    buf_done(&why);
    if (traffics->next % (traffics->edges / 2) == 0) /* and nobody dies */
        for (size_t i = 0; i < traffics->nodes; i++)
            topology_beat(topology,
                          &(RtHeartbeatRequest){.service_id = span(traffics->ids[i], ID)});
    wheel_arm(world_wheel(world), timer, world_now(world) + 10 * NANOS_PER_MILLI);
}

static void fill_graph(Traffics *traffics) {
    Arena arena = {0};
    char name[32];
    traffics->ids = xmalloc(traffics->nodes * ID);
    for (size_t i = 0; i < traffics->nodes; i++) {
        RtServiceHandle handle;
        RtRegisterServiceRequest request = {
            .service_name = span(name, (size_t)sprintf(name, "service-%zu", i)),
            .address = SPAN("127.0.0.1:50051"),
        };
        topology_register(topology, &request, SPAN("127.0.0.1"), &arena, &handle);
        memcpy(traffics->ids[i], handle.service_id.ptr, ID);
    }
    arena_done(&arena);
    traffics->timer.fire = on_calls;
    wheel_arm(world_wheel(world), &traffics->timer, world_now(world));
}

static void serve(int ready, size_t services, Traffics *traffics) {
    static Timer check = {.fire = on_check};
    char reason[128] = "", text[300];
    Address any, bound;
    HttpLimits limits = HTTP_LIMITS;
    limits.streams = 20000;
    world = world_new();
    RpcServer *server = rpc_server_new(world, &(RpcServerOptions){.http = limits});
    topology = topology_new(world, &(TopologyOptions){.server = server});
    topology_listen(topology, &LISTENER, NULL);
    RpcService service = {&RtTopologyService_service, TOPOLOGY_METHODS, topology};
    address_parse(SPAN("127.0.0.1:0"), &any);
    if (rpc_server_add(server, &service, reason, sizeof reason) < 0 ||
        http_server_listen(rpc_server_http(server), &any, NULL, &bound) < 0) {
        fprintf(stderr, "discovery_topology: cannot serve %s\n", reason);
        exit(1);
    }
    if (traffics)
        fill_graph(traffics);
    else
        fill(services);
    wheel_arm(world_wheel(world), &check, world_now(world));
    world_on_signal(world, SIGTERM, on_end, NULL);
    address_format(&bound, text, sizeof text);
    if (write(ready, text, strlen(text) + 1) < 0)
        exit(1);
    world_run(world);
}

/* ---- the clients ---- */

typedef struct Beats {
    Timer timer;
    ClientCall *call;
    size_t first, count;
    uint64_t sequence;
} Beats;

static uint64_t beats_sent, answers, bytes_received, updates, streams_closed;

static void on_message(void *owner, const void *message) {
    answers++;
    bytes_received += ((const Span *)message)->len;
    updates++;
}

static void on_closed(void *owner, Status status, HttpHeaders trailers) {
    streams_closed++;
    if (status.code != STATUS_OK && status.code != STATUS_CANCELLED)
        fprintf(stderr, "discovery_topology: %s: %.*s\n", status_name((int)status.code),
                SPAN_ARGS(status.message));
}

static const ClientHandler HANDLER = {.message = on_message, .closed = on_closed};

static void on_beats(Timer *timer) {
    Beats *stream = CONTAINER(timer, Beats, timer);
    char beat[64];
    stream->sequence++;
    for (size_t i = 0; i < stream->count; i++) {
        char *at = beat;
        *at++ = 1 << 3 | 2;
        *at++ = ID;
        memcpy(at, shared->ids + (stream->first + i) * ID, ID);
        at += ID;
        *at++ = 2 << 3;
        *at++ = (char)(stream->sequence & 0x7f);
        Span message = span(beat, (size_t)(at - beat));
        client_send(stream->call, &message);
        beats_sent++;
    }
    wheel_arm(world_wheel(world), timer, timer_deadline(world_wheel(world), timer) + INTERVAL);
}

static void stop(Timer *timer) {
    world_stop(world);
}

static void run_for(double seconds) {
    Timer timer = {.fire = stop};
    wheel_arm(world_wheel(world), &timer, world_now(world) + (Nanos)(seconds * 1e9));
    world_run(world);
}

static Channel *channel_to(const char *address) {
    Address to;
    address_parse(span_of(address), &to);
    return channel_new(world, &to, 1,
                       &(ChannelOptions){.connections = 1, .receive_limit = (size_t)64 << 20});
}

static void on_answered(void *owner, Status status, HttpHeaders trailers) {
    world_stop(world);
}

/* The whole graph in one answer. */
static void ask_for_all(const char *address, pid_t server) {
    static const ClientHandler asking = {.message = on_message, .closed = on_answered};
    const SchemaMethod *method = &RtTopologyService_service.methods[RtTopologyService_GetTopology];
    ClientCallOptions options = {.raw = true, .wait_for_ready = true};
    Span everything = {0};
    clockid_t clock;
    if (clock_getcpuclockid(server, &clock) != 0)
        return;
    int64_t from = clock_ns(clock);
    client_send(client_call(channel_to(address), method, &options, &asking, NULL), &everything);
    world_run(world);
    report("GetTopology, all of it, processor", "ms", (double)(clock_ns(clock) - from) / 1e6);
}

static void play_beats(const char *address, size_t connections, size_t streams, size_t services,
                       double seconds) {
    const SchemaMethod *method = &RtTopologyService_service.methods[RtTopologyService_Heartbeat];
    ClientCallOptions options = {.raw = true, .wait_for_ready = true};
    size_t count = connections * streams;
    Beats *all = xcalloc(count, sizeof *all);
    Channel **channels = xcalloc(connections, sizeof *channels);
    for (size_t i = 0; i < connections; i++)
        channels[i] = channel_to(address);
    for (size_t i = 0; i < count; i++) {
        Beats *stream = &all[i];
        stream->first = i * services;
        stream->count = services;
        stream->timer.fire = on_beats;
        stream->call = client_call(channels[i % connections], method, &options, &HANDLER, stream);
        wheel_arm(world_wheel(world), &stream->timer,
                  world_now(world) + INTERVAL * (Nanos)i / (Nanos)count);
    }
    run_for(6);
    uint64_t sent = beats_sent, answered = answers;
    int64_t from = now_ns();
    shared->phase = 1;
    run_for(seconds);
    shared->phase = 2;
    double wall = (double)(now_ns() - from) / 1e9;
    report("beats", "1/s", (double)(beats_sent - sent) / wall);
    report("answers", "1/s", (double)(answers - answered) / wall);
    fflush(stdout);
    run_for(0.1);
    for (size_t i = 0; i < count; i++)
        wheel_cancel(world_wheel(world), &all[i].timer);
    run_for(17);
}

static void play_watchers(const char *address, pid_t server, size_t watchers, double seconds) {
    const SchemaMethod *method =
        &RtTopologyService_service.methods[RtTopologyService_WatchTopology];
    ClientCallOptions options = {.raw = true, .wait_for_ready = true};
    Span everything = {0};
    for (size_t i = 0; i < watchers; i++) {
        ClientCall *call = client_call(channel_to(address), method, &options, &HANDLER, NULL);
        client_send(call, &everything);
    }
    run_for(5);
    uint64_t bytes = bytes_received, before = updates;
    int64_t from = now_ns();
    shared->phase = 1;
    run_for(seconds);
    shared->phase = 2;
    double wall = (double)(now_ns() - from) / 1e9;
    report("received by each watcher", "MB/s",
           (double)(bytes_received - bytes) / wall / 1e6 / (double)watchers);
    report("updates for each watcher", "1/s", (double)(updates - before) / wall / (double)watchers);
    ask_for_all(address, server);
    fflush(stdout);
    run_for(0.2);
}

int main(int count, char **args) {
    bool watch = count == 6 && strcmp(args[1], "watch") == 0;
    if (count != 6) {
        fprintf(stderr, "discovery_topology: see its source\n");
        return 2;
    }
    size_t a = strtoul(args[2], NULL, 10), b = strtoul(args[3], NULL, 10);
    size_t c = strtoul(args[4], NULL, 10);
    double seconds = strtod(args[5], NULL);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    size_t services = watch ? 0 : a * b * c;
    shared = mmap(NULL, sizeof *shared + services * ID + 1, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ready[2];
    if (shared == MAP_FAILED || pipe(ready) < 0)
        return 1;
    pid_t server = fork();
    if (server == 0) {
        Traffics traffics = {.nodes = a, .edges = b};
        serve(ready[1], services, watch ? &traffics : NULL);
        return 0;
    }
    char address[300] = "";
    if (read(ready[0], address, sizeof address - 1) <= 0)
        return 1;
    world = world_new();
    if (watch)
        play_watchers(address, server, c, seconds);
    else
        play_beats(address, a, b, c, seconds);
    kill(server, SIGTERM);
    waitpid(server, NULL, 0);
    return 0;
}
