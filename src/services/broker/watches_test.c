/* WatchService in a simulated world: random offers come, go and change, connections break, and every
 * watcher ends with what a fresh lookup would see. */
#include "base/test.h"
#include "os/simulation.h"
#include "rpc/client.h"
#include "schema/codec.h"
#include "services/broker/service.h"

#define WATCHERS  12
#define PROVIDERS 6
#define STEPS     600
#define EPOCH     7

static const char *const NAMES[] = {"Alpha", "Beta", "Gamma", "server-0", "server-1"};
#define NAME_COUNT (sizeof NAMES / sizeof *NAMES)

typedef struct Bench Bench;

typedef struct Watcher {
    Bench *bench;
    RtWatchServiceRequest request;
    RtRevision revision; /* of the last message; number 0: none yet */
    ClientCall *call;
    size_t messages;
    char state[4096]; /* what it was told last */
} Watcher;

struct Bench {
    Simulation *simulation;
    World *server_world, *client_world;
    BrokerBinding binding;
    Channel *channel;
    Watcher watchers[WATCHERS];
    Arena arena;
};

/* The offers as text: what two watchers have to agree on. */
static void describe(const RtBrokerInstance *items, size_t count, int32_t unusable, char *out,
                     size_t room) {
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(out + len, room - len, "%.*s %d %d\n", SPAN_ARGS(items[i].address),
                                items[i].weight, items[i].health);
    snprintf(out + len, room - len, "and %d\n", unusable);
}

/* ---- watchers ---- */

static void on_message(void *owner, const void *message) {
    Watcher *watcher = owner;
    const RtWatchServiceResponse *response = message;
    assert_true(response->revision->epoch != watcher->revision.epoch ||
                response->revision->number > watcher->revision.number);
    watcher->revision = *response->revision;
    watcher->messages++;
    describe(response->instances.items, response->instances.count, response->unusable_count,
             watcher->state, sizeof watcher->state);
}

static void on_closed(void *owner, Status status, HttpHeaders trailers) {
    ((Watcher *)owner)->call = NULL;
}

static const ClientHandler HANDLER = {.message = on_message, .closed = on_closed};

static void open_watches(Bench *bench) {
    for (size_t i = 0; i < WATCHERS; i++) {
        Watcher *watcher = &bench->watchers[i];
        if (watcher->call)
            continue;
        watcher->request.resume_after = watcher->revision.number ? &watcher->revision : NULL;
        watcher->call = client_call(bench->channel,
                                    &RtBrokerService_service.methods[RtBrokerService_WatchService],
                                    &(ClientCallOptions){0}, &HANDLER, watcher);
        client_send(watcher->call, &watcher->request);
    }
}

/* ---- the server ---- */

static void on_changed(void *owner, BrokerChange change, const RtBrokerInstance *offer) {
    Bench *bench = owner;
    broker_watches_changed(bench->binding.watches, offer->name);
    broker_watches_changed(bench->binding.watches, offer->service_name);
}

static void bench_init(Bench *bench, uint64_t seed) {
    Address address;
    char reason[128];
    *bench = (Bench){0};
    bench->simulation = simulation_new(&(SimulationOptions){.seed = seed,
                                                            .delay_min = NANOS_PER_MILLI / 10,
                                                            .delay_max = 20 * NANOS_PER_MILLI,
                                                            .piece_max = 4000,
                                                            .window = 4096});
    bench->server_world = simulation_world(bench->simulation);
    bench->client_world = simulation_world(bench->simulation);
    RpcServerOptions options = {.http = HTTP_LIMITS};
    BrokerBinding *binding = &bench->binding;
    binding->world = bench->server_world;
    binding->server = rpc_server_new(bench->server_world, &options);
    binding->broker = broker_new(&(BrokerOptions){.seed = seed,
                                                  .epoch = EPOCH,
                                                  .wheel = world_wheel(bench->server_world),
                                                  .owner = bench,
                                                  .changed = on_changed});
    binding->watches =
        broker_watches_new(bench->server_world, binding->server, binding->broker, seed, EPOCH);
    broker_rpc_init(binding);
    assert_int_equal(rpc_server_add(binding->server, &binding->rpc, reason, sizeof reason), 0);
    assert_true(address_parse(SPAN("10.0.0.1:50051"), &address));
    assert_int_equal(http_server_listen(rpc_server_http(binding->server), &address, NULL, NULL), 0);
    bench->channel = channel_new(bench->client_world, &address, 1, &(ChannelOptions){0});
    for (size_t i = 0; i < WATCHERS; i++) {
        bench->watchers[i].bench = bench;
        bench->watchers[i].request.name = span_of(NAMES[i % NAME_COUNT]);
    }
}

static void bench_done(Bench *bench) {
    broker_watches_free(bench->binding.watches);
    bench->binding.watches = NULL;
    channel_free(bench->channel);
    simulation_run(bench->simulation, world_now(bench->server_world) + NANOS_PER_SECOND);
    rpc_server_free(bench->binding.server);
    broker_free(bench->binding.broker);
    arena_done(&bench->arena);
    simulation_free(bench->simulation);
}

static void pass(Bench *bench, Nanos time) {
    simulation_run(bench->simulation, world_now(bench->server_world) + time);
}

/* ---- what happens ---- */

static void change_something(Bench *bench) {
    uint64_t provider = simulation_choose(bench->simulation, PROVIDERS);
    Broker *broker = bench->binding.broker;
    char id[] = {'s', (char)('0' + provider), 0}, service[16], address[32];
    snprintf(service, sizeof service, "server-%d", (int)provider % 2);
    snprintf(address, sizeof address, "10.0.0.2:%d", 1 + (int)provider);
    BrokerProvider by = {.service_id = span_of(id),
                         .service_name = span_of(service),
                         .health = RT_HEALTH_STATE_HEALTHY};
    RtRegisterInstanceRequest request = {
        .name = span_of(NAMES[simulation_choose(bench->simulation, 3)]),
        .address = span_of(address),
        .service_id = by.service_id,
        .has_weight = true,
        .weight = (int32_t)simulation_choose(bench->simulation, 4),
    };
    static char padding[900]; /* so that watchers are slow at times */
    RtRegisterInstanceRequestMetadataEntry metadata[] = {
        {.key = SPAN("a"), .value = span(padding, sizeof padding)},
        {.key = SPAN("b"), .value = span(padding, sizeof padding)},
        {.key = SPAN("c"), .value = span(padding, sizeof padding)},
    };
    memset(padding, 'x', sizeof padding);
    request.metadata.items = metadata;
    request.metadata.count = 3;
    RtRegisterInstanceResponse response;
    switch (simulation_choose(bench->simulation, 8)) {
    case 0:
        broker_provider_gone(broker, by.service_id);
        break;
    case 1:
    case 2:
        broker_provider_health(broker, by.service_id,
                               (RtHealthState)simulation_choose(bench->simulation, 5));
        break;
    default:
        broker_register(broker, &request, &by, world_now(bench->server_world), 0, &bench->arena,
                        &response);
        arena_reset(&bench->arena);
    }
}

static void test_watchers_agree(void **state) {
    size_t messages = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        Bench bench;
        bench_init(&bench, seed);
        for (int step = 0; step < STEPS; step++) {
            change_something(&bench);
            if (simulation_choose(bench.simulation, 3) == 0)
                pass(&bench, (Nanos)simulation_choose(bench.simulation, 30) * NANOS_PER_MILLI);
            if (simulation_choose(bench.simulation, 40) == 0)
                simulation_cut(bench.simulation, NULL);
            open_watches(&bench);
        }
        if (seed % 2) /* what happened while nobody could hear of it */
            for (int i = 0; i < 3; i++) {
                simulation_cut(bench.simulation, NULL);
                change_something(&bench);
            }
        for (int i = 0; i < 20; i++) {
            pass(&bench, NANOS_PER_SECOND);
            open_watches(&bench);
        }
        for (size_t i = 0; i < WATCHERS; i++) {
            Watcher *watcher = &bench.watchers[i];
            RtWatchServiceResponse fresh;
            char wanted[4096];
            broker_watch_state(bench.binding.broker, &watcher->request, &bench.arena, &fresh);
            describe(fresh.instances.items, fresh.instances.count, fresh.unusable_count, wanted,
                     sizeof wanted);
            if (strcmp(watcher->state, wanted) != 0)
                fail_msg("seed %d, %.*s: told\n%swhere there is\n%s", (int)seed,
                         SPAN_ARGS(watcher->request.name), watcher->state, wanted);
            messages += watcher->messages;
        }
        bench_done(&bench);
    }
    printf("# %zu messages\n", messages);
    assert_true(messages > 12 * WATCHERS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_watchers_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
