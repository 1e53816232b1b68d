/* Broker, topology and health together, in a simulated world: random services that register, beat,
 * hang, offer, call, die and come again; watchers of all three; a runtime that is paused, ended,
 * killed and begun again, whose clock jumps; a network that splits, delays and cuts. All of it from
 * one seed, which is printed (TEST_SEED=… repeats it). What must hold:
 *
 *     who has given a sign of life in time is never STALE, and is STALE when its time has come
 *     no dead instance stays longer than its deadline, nor does what it offers
 *     what lookups would return is well
 *     in the end each living service is there, once, and every watcher knows what a snapshot says
 *     the same seed makes the same trace */
#include "base/hash.h"
#include "discovery_run.h"
#include "services/health/health.h"
#include "services/topology/topology.h"

#define SEEDS 8
#define STEPS 500

/* ---- who watches ---- */

static void hear_health(Watching *watching, const RtHealthEvent *event) {
    if (event->initial && watching->fresh) {
        for (size_t i = 0; i < watching->health.count; i++) {
            arena_done(&watching->health.items[i]->arena);
            free(watching->health.items[i]);
        }
        watching->health.count = 0;
    }
    watching->fresh = false;
    size_t at = 0;
    for (; at < watching->health.count; at++) {
        const RtHealthStatus *known = watching->health.items[at]->message;
        if (span_equal(known->service_name, event->status->service_name))
            break;
    }
    if (at < watching->health.count) {
        arena_done(&watching->health.items[at]->arena);
        free(watching->health.items[at]);
        watching->health.items[at] = watching->health.items[--watching->health.count];
    }
    if (event->removed)
        return;
    Known *known = xcalloc(1, sizeof *known);
    known->message = schema_copy(&RtHealthStatus_type, event->status, &known->arena);
    *array_push(&watching->health) = known;
}

static void on_watch_message(void *owner, const void *message) {
    Watching *watching = owner;
    const RtTopologyUpdate *update = message;
    const RtWatchServiceResponse *offers = message;
    const RtHealthEvent *event = message;
    switch (watching->kind) {
    case WATCH_GRAPH:
        graph_hear(&watching->graph, update);
        watching->more = update->more;
        watching->revision = *update->revision;
        break;
    case WATCH_OFFERS:
        arena_done(&watching->arena);
        watching->arena = (Arena){0};
        watching->offers = schema_copy(&RtWatchServiceResponse_type, offers, &watching->arena);
        watching->revision = *offers->revision;
        break;
    case WATCH_HEALTH:
        hear_health(watching, event);
        watching->revision = *event->revision;
        break;
    }
    watching->revision.unknown = NULL;
}

static void on_watch_closed(void *owner, Status status, HttpHeaders trailers) {
    ((Watching *)owner)->call = NULL;
}

static const ClientHandler WATCHING = {.message = on_watch_message, .closed = on_watch_closed};

static void watch(Watching *watching) {
    static const SchemaMethod *METHODS[3];
    METHODS[WATCH_GRAPH] = &RtTopologyService_service.methods[RtTopologyService_WatchTopology];
    METHODS[WATCH_OFFERS] = &RtBrokerService_service.methods[RtBrokerService_WatchService];
    METHODS[WATCH_HEALTH] = &RtHealthService_service.methods[RtHealthService_WatchHealth];
    bool resumes = watching->revision.number > 0 && !watching->more;
    char last[64];
    snprintf(last, sizeof last, "%lld-%lld", (long long)watching->revision.epoch,
             (long long)watching->revision.number);
    HttpHeader header = {.name = SPAN("last-event-id"), .value = span_of(last)};
    ClientCallOptions options = {.wait_for_ready = true};
    if (watching->kind == WATCH_HEALTH && resumes)
        options.metadata = (HttpHeaders){&header, 1};
    watching->fresh = true;
    watching->call = client_call(watching->site->channel, METHODS[watching->kind], &options,
                                 &WATCHING, watching);
    RtTopologyQuery query = watching->query;
    query.resume_after = resumes ? &watching->revision : NULL;
    RtWatchServiceRequest request = {.name = watching->name, .resume_after = query.resume_after};
    switch (watching->kind) {
    case WATCH_GRAPH:
        client_send(watching->call, &query);
        break;
    case WATCH_OFFERS:
        client_send(watching->call, &request);
        break;
    case WATCH_HEALTH:
        client_send(watching->call, &(RtEmpty){0});
        break;
    }
}

static void watching_init(Run *run, Watching *watching, int number) {
    watching->run = run;
    watching->site = &run->watchers[number % 2];
    watching->kind = number % 3;
    watching->name = span_of(run->services[choose(run, SERVICES)].name);
    if (watching->kind == WATCH_OFFERS) {
        watching->name = span_of(run->services[number % NAMES].offered);
        return;
    }
    watching->state = (int32_t)choose(run, 6);
    watching->query.include_instances = chance(run, 2);
    switch (number / 3) {
    case 0:
        watching->query.service_names.items = &watching->name;
        watching->query.service_names.count = 1;
        watching->query.depth = (int32_t)choose(run, 3);
        break;
    case 1:
        watching->query.states.items = &watching->state;
        watching->query.states.count = 1;
        break;
    default:
        watching->query.include_instances = true;
    }
}

static void watching_done(Watching *watching) {
    graph_done(&watching->graph);
    arena_done(&watching->arena);
    for (size_t i = 0; i < watching->health.count; i++) {
        arena_done(&watching->health.items[i]->arena);
        free(watching->health.items[i]);
    }
    array_done(&watching->health);
}

/* ---- the runtime, as seen from within ---- */

/* The runtime's clock without the time in which it was held up for long. */
static Nanos steady(const Run *run) {
    World *world = runtime_world(&run->runtime);
    return world_now(world) - world_wheel(world)->postponed;
}

/* By how much it may be late. */
static Nanos slack(const Run *run) {
    Nanos now = world_now(runtime_world(&run->runtime));
    return 2 * NANOS_PER_MILLI + (now - run->short_hold_over < 60 * SECOND ? run->short_hold : 0);
}

static bool has_ended(const Run *run, Span instance_id) {
    for (size_t i = 0; i < run->ended.count; i++)
        if (span_equal(run->ended.items[i], instance_id))
            return true;
    return false;
}

static Sign *sign_of(Run *run, Span id) {
    for (size_t i = run->sign_count; i > 0; i--)
        if (span_equal(span_of(run->signs[i - 1].id), id))
            return &run->signs[i - 1];
    return NULL;
}

static void observe_sign(Run *run, const TopologyInstance *instance) {
    Sign *sign = sign_of(run, instance->service_id);
    if (!sign) {
        assert_true(run->sign_count < SIGNS);
        sign = &run->signs[run->sign_count++];
        *sign = (Sign){0};
        snprintf(sign->id, sizeof sign->id, "%.*s", SPAN_ARGS(instance->service_id));
    }
    assert_false(sign->gone);
    sign->last = steady(run);
    sign->interval = instance->interval_ms * NANOS_PER_MILLI;
    sign->stale_after = instance->stale_after;
    sign->dead_after = instance->dead_after;
}

static void observe_registered(void *owner, const TopologyInstance *instance) {
    observe_sign(owner, instance);
}

static void observe_beat(void *owner, const TopologyInstance *instance,
                         const RtHeartbeatRequest *request) {
    observe_sign(owner, instance);
}

static void observe_state(void *owner, const TopologyInstance *instance, RtConnectionState before) {
    Run *run = owner;
    const Sign *sign = sign_of(run, instance->service_id);
    if (!sign || has_ended(run, instance->instance_id))
        return; /* which needs no silence */
    int32_t after = instance->state == RT_CONNECTION_STATE_STALE  ? sign->stale_after
                    : instance->state == RT_CONNECTION_STATE_DEAD ? sign->dead_after
                                                                  : 0;
    Nanos silent = steady(run) - sign->last;
    if (after)
        assert_in_range(silent, after * sign->interval, after * sign->interval + slack(run));
}

static void observe_gone(void *owner, const TopologyInstance *instance, TopologyEnd end) {
    Sign *sign = sign_of(owner, instance->service_id);
    if (sign)
        sign->gone = true;
}

static const TopologyListener OBSERVER_LISTENER = {
    .registered = observe_registered,
    .beat = observe_beat,
    .state = observe_state,
    .gone = observe_gone,
};

static int load_observer(Context *context, Buf *reason) {
    topology_listen(topology_of(context), &OBSERVER_LISTENER, context_get(context, "observer"));
    return 0;
}

static const char *const OBSERVED[] = {"topology", "health", "broker", NULL};
static const Component OBSERVER = {.name = "observer", .requires = OBSERVED, .load = load_observer};

/* ---- what must be ---- */

static void check_signs(Run *run) {
    const Topology *topology = topology_of(run->runtime.context);
    for (size_t i = 0; i < run->sign_count; i++) {
        const Sign *sign = &run->signs[i];
        TopologyInstance instance;
        Nanos silent = steady(run) - sign->last;
        bool there = topology_find(topology, span_of(sign->id), &instance);
        assert_true(there != sign->gone);
        if (there && silent > sign->dead_after * sign->interval + slack(run))
            assert_true((instance.process || has_ended(run, instance.instance_id)) &&
                        instance.state == RT_CONNECTION_STATE_DEAD);
    }
}

static void check_offers(Run *run) {
    Arena arena = {0};
    RtListInstancesResponse all;
    broker_list(broker_of(run->runtime.context), &(RtListInstancesRequest){0}, &arena, &all);
    for (uint32_t i = 0; i < all.instances.count; i++) {
        const RtBrokerInstance *one = &all.instances.items[i];
        TopologyInstance instance;
        assert_true(topology_find(topology_of(run->runtime.context), one->service_id, &instance));
        assert_int_not_equal(instance.state, RT_CONNECTION_STATE_DEAD);
        RtHealthState health =
            health_monitor_instance(health_monitor_of(run->runtime.context), one->service_id);
        assert_int_equal(one->health, health);
        assert_true(one->usable != (health == RT_HEALTH_STATE_UNHEALTHY));
    }
    arena_done(&arena);
}

/* Who beats in time, while nothing else is wrong, is there and well. */
static void check_living(Run *run) {
    Nanos now = world_now(runtime_world(&run->runtime));
    for (int i = 0; i < SERVICES; i++) {
        const Service *service = &run->services[i];
        TopologyInstance instance;
        if (!service->lives_now || !service->id[0] || service->hangs ||
            now - run->disturbed < CALM || now - service->well_since < CALM)
            continue;
        if (!topology_find(topology_of(run->runtime.context), span_of(service->id), &instance))
            fail_msg("%s is not there", service->name);
        assert_int_not_equal(instance.state, RT_CONNECTION_STATE_STALE);
        assert_int_not_equal(instance.state, RT_CONNECTION_STATE_DEAD);
    }
}

/* ---- what goes wrong ---- */

static void start_again(Run *run) {
    runtime_end(&run->runtime, chance(run, 2));
    run->sign_count = 0;
    run->short_hold = 0;
    runtime_begin(&run->runtime, &OBSERVER, run);
    for (int i = 0; i < SERVICES; i++)
        tell_process(run, &run->services[i]);
}

static void disturb(Run *run) {
    World *world = runtime_world(&run->runtime);
    Nanos now = world_now(world);
    run->disturbed = now;
    switch (choose(run, 6)) {
    case 0:
        simulation_cut(run->simulation, NULL);
        break;
    case 1:
        start_again(run);
        break;
    case 2:
        run_for(run, 1); /* what was said by the old clock is heard by it */
        simulation_set_clock(world, ((Nanos)choose(run, 7200) - 3600) * SECOND);
        break;
    case 3: /* as somebody who does not read */
        simulation_hold(run->watchers[choose(run, 2)].world, (Nanos)choose(run, 30) * SECOND);
        break;
    case 4:
        run->short_hold = (Nanos)choose(run, 2000) * NANOS_PER_MILLI;
        run->short_hold_over = run->held = run->disturbed = now + run->short_hold;
        simulation_hold(world, run->short_hold);
        break;
    default:
        run->held = run->disturbed = now + 20 * SECOND;
        simulation_hold(world, 20 * SECOND);
    }
}

/* ---- the end ---- */

static void check_graph(Run *run, const Watching *watching) {
    Answer answer;
    graph_check(&watching->graph,
                ask_now(run, &RtTopologyService_service, RtTopologyService_GetTopology,
                        &watching->query, &answer));
    arena_done(&answer.arena);
}

static void check_watched_offers(Run *run, const Watching *watching) {
    Answer answer;
    RtListInstancesRequest request = {.name = watching->name};
    const RtListInstancesResponse *all =
        ask_now(run, &RtBrokerService_service, RtBrokerService_ListInstances, &request, &answer);
    const RtWatchServiceResponse *known = watching->offers;
    uint32_t at = 0;
    for (uint32_t i = 0; i < all->instances.count; i++) {
        const RtBrokerInstance *now = &all->instances.items[i];
        if (!now->usable)
            continue;
        assert_true(known && at < known->instances.count);
        assert_true(schema_equal(&RtBrokerInstance_type, &known->instances.items[at++], now));
    }
    assert_int_equal(known ? known->instances.count : 0, at);
    arena_done(&answer.arena);
}

/* Instances that are well are no news by themselves, so a watcher need not know them all. */
static void leave_out_the_well(RtHealthStatus *status) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < status->instances.count; i++)
        if (status->instances.items[i].state != RT_HEALTH_STATE_HEALTHY)
            status->instances.items[kept++] = status->instances.items[i];
    status->instances.count = kept;
}

static void check_watched_health(Run *run, const Watching *watching) {
    Answer answer;
    const RtListHealthResponse *all =
        ask_now(run, &RtHealthService_service, RtHealthService_ListHealth,
                &(RtListHealthRequest){0}, &answer);
    assert_int_equal(watching->health.count, all->statuses.count);
    for (uint32_t i = 0; i < all->statuses.count; i++) {
        RtHealthStatus *now = &all->statuses.items[i], *known = NULL;
        for (size_t k = 0; k < watching->health.count && !known; k++) {
            known = watching->health.items[k]->message;
            known = span_equal(known->service_name, now->service_name) ? known : NULL;
        }
        assert_non_null(known);
        leave_out_the_well(known);
        leave_out_the_well(now);
        if (!schema_equal(&RtHealthStatus_type, known, now)) {
            Buf is = {0}, ought = {0};
            schema_json_encode(&RtHealthStatus_type, known, NULL, &is, NULL);
            schema_json_encode(&RtHealthStatus_type, now, NULL, &ought, NULL);
            fail_msg("known is %s, and is %s", buf_cstr(&is), buf_cstr(&ought));
        }
    }
    arena_done(&answer.arena);
}

/* Each living service is there, once, and nobody else. */
static uint64_t check_all(Run *run) {
    Answer answer;
    const RtTopologySnapshot *all =
        ask_now(run, &RtTopologyService_service, RtTopologyService_GetTopology,
                &(RtTopologyQuery){.include_instances = true}, &answer);
    uint32_t living = 0;
    for (int i = 0; i < SERVICES; i++) {
        const Service *service = &run->services[i];
        uint32_t found = 0;
        for (uint32_t n = 0; n < all->instances.count; n++)
            found += span_equal(all->instances.items[n].service_id, span_of(service->id));
        assert_int_equal(found, service->lives_now);
        living += service->lives_now;
    }
    assert_int_equal(all->instances.count, living);
    Span bytes;
    schema_encode(&RtTopologySnapshot_type, all, 0, &answer.arena, &bytes);
    uint64_t digest = hash_bytes(bytes, 0);
    arena_done(&answer.arena);
    return digest;
}

static void keep_watching(Run *run) {
    for (int i = 0; i < WATCHERS; i++)
        if (!run->watching[i].call)
            watch(&run->watching[i]);
}

static uint64_t come_to_rest(Run *run) {
    run->calm = true;
    for (int i = 0; i < SERVICES; i++) {
        run->services[i].hangs = false;
        run->services[i].health = RT_HEALTH_STATE_HEALTHY;
    }
    for (int i = 0; i < 120; i++) {
        keep_watching(run);
        run_for(run, SECOND);
    }
    check_living(run);
    run->quiet = true;
    run_for(run, 2 * SECOND); /* figures are told, and nobody is STALE yet */
    uint64_t digest = check_all(run);
    for (int i = 0; i < WATCHERS; i++) {
        const Watching *watching = &run->watching[i];
        if (watching->kind == WATCH_GRAPH)
            check_graph(run, watching);
        else if (watching->kind == WATCH_OFFERS)
            check_watched_offers(run, watching);
        else
            check_watched_health(run, watching);
    }
    return digest;
}

/* ---- one run ---- */

static void run_init(Run *run, uint64_t seed) {
    *run = (Run){.random = {seed}, .disturbed = -CALM, .short_hold_over = -60 * SECOND};
    run->simulation = simulation_new(&(SimulationOptions){
        .seed = seed,
        .delay_max = (1 + (Nanos)(seed % 20)) * NANOS_PER_MILLI,
        .piece_max = seed % 2 ? 1 + (uint32_t)(seed * 7919 % 3000) : 0,
    });
    runtime_init(&run->runtime, run->simulation, seed);
    runtime_begin(&run->runtime, &OBSERVER, run);
    for (int i = 0; i < SITES; i++)
        site_init(run, &run->sites[i]);
    for (int i = 0; i < 2; i++)
        site_init(run, &run->watchers[i]);
    for (int i = 0; i < SERVICES; i++)
        service_init(run, &run->services[i], i % SITES, i);
    for (int i = 0; i < WATCHERS; i++)
        watching_init(run, &run->watching[i], i);
}

static void run_done(Run *run) {
    for (int i = 0; i < SERVICES; i++)
        wheel_cancel(world_wheel(run->services[i].site->world), &run->services[i].timer);
    for (int i = 0; i < SITES; i++)
        site_done(&run->sites[i]);
    for (int i = 0; i < 2; i++)
        site_done(&run->watchers[i]);
    run_for(run, SECOND);
    runtime_end(&run->runtime, false);
    simulation_free(run->simulation);
    runtime_done(&run->runtime);
    array_done(&run->ended);
    arena_done(&run->arena);
    for (int i = 0; i < WATCHERS; i++)
        watching_done(&run->watching[i]);
}

static uint64_t whole_run(uint64_t seed, uint64_t *ret_trace) {
    Run *run = xcalloc(1, sizeof *run);
    run_init(run, seed);
    for (int step = 0; step < STEPS; step++) {
        bool awake = world_now(run->sites[0].world) > run->held;
        act(run);
        if (chance(run, 3))
            keep_watching(run);
        if (awake && chance(run, 60))
            disturb(run);
        run_for(run, (Nanos)choose(run, 1000) * NANOS_PER_MILLI);
        if (world_now(run->sites[0].world) <= run->held)
            continue;
        check_signs(run);
        check_offers(run);
        check_living(run);
    }
    uint64_t digest = come_to_rest(run);
    *ret_trace = simulation_trace(run->simulation);
    run_done(run);
    free(run);
    return digest;
}

static void random_discovery(void **state) {
    TestRandom random = test_random();
    for (int i = 0; i < SEEDS; i++) {
        uint64_t seed = i ? test_random_bits(&random) : random.state, traces[2];
        printf("# seed %llu\n", (unsigned long long)seed);
        uint64_t digest = whole_run(seed, &traces[0]);
        assert_int_equal(whole_run(seed, &traces[1]), digest);
        assert_int_equal(traces[0], traces[1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_discovery)};
    return cmocka_run_group_tests_name("broker, topology and health together", tests, NULL, NULL);
}
