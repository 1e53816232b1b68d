#include "services/topology/topology.h"

#include "topology_kit.h"

#define SECOND NANOS_PER_SECOND
#define MILLI  NANOS_PER_MILLI
#define CALL   RT_EDGE_KIND_CALL

enum {
    UNKNOWN = RT_CONNECTION_STATE_CONNECTION_UNKNOWN,
    REGISTERED = RT_CONNECTION_STATE_REGISTERED,
    IDLE = RT_CONNECTION_STATE_IDLE,
    ACTIVE = RT_CONNECTION_STATE_ACTIVE,
    STALE = RT_CONNECTION_STATE_STALE,
    DEAD = RT_CONNECTION_STATE_DEAD,
    GONE = -1,
};

/* Lets time pass while these beat every second. */
static void beat_for(Kit *kit, KitService *const *services, size_t count, Nanos time) {
    for (Nanos passed = 0; passed < time; passed += SECOND) {
        for (size_t i = 0; i < count; i++)
            assert_true(kit_beat(kit, services[i]));
        kit_pass(kit, SECOND);
    }
}

static void expires_at_its_own_deadline(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService a = {.name = "a"}, b = {.name = "b"};
    assert_int_equal(kit_register(&kit, &a), STATUS_OK);
    kit_pass(&kit, 137 * MILLI);
    kit_register(&kit, &b);
    kit_pass(&kit, 3 * SECOND);
    kit_beat(&kit, &a);
    kit_pass(&kit, 10 * SECOND - 138 * MILLI - 3 * SECOND);
    /* b registered 9.862 s before, a beat 6.862 s before */
    kit_pass(&kit, 3 * SECOND + 137 * MILLI);
    assert_int_equal(kit_node_state(&kit, "a"), REGISTERED);
    assert_int_equal(kit_node_state(&kit, "b"), STALE);
    kit_pass(&kit, 1 * MILLI); /* ten seconds since a's beat */
    assert_int_equal(kit_node_state(&kit, "a"), STALE);
    kit_pass(&kit, 5 * SECOND - 1 * MILLI);
    assert_int_equal(kit_node_state(&kit, "a"), STALE);
    assert_int_equal(kit_node_state(&kit, "b"), GONE);
    kit_pass(&kit, 1 * MILLI);
    assert_int_equal(kit_node_state(&kit, "a"), GONE);
    assert_false(kit_beat(&kit, &a));
    kit_done(&kit);
}

static void a_beat_brings_it_back(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService a = {.name = "a"};
    kit_register(&kit, &a);
    kit_pass(&kit, 12 * SECOND);
    assert_int_equal(kit_node_state(&kit, "a"), STALE);
    assert_true(kit_beat(&kit, &a));
    assert_int_equal(kit_node_state(&kit, "a"), REGISTERED);
    kit_pass(&kit, 9999 * MILLI);
    assert_int_equal(kit_node_state(&kit, "a"), REGISTERED);
    kit_pass(&kit, 1 * MILLI);
    assert_int_equal(kit_node_state(&kit, "a"), STALE);
    kit_done(&kit);
}

static void idle_and_active(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService client = {.name = "client", .type = RT_SERVICE_TYPE_CLIENT},
               server = {.name = "server"};
    KitService *both[] = {&client, &server};
    kit_register(&kit, &client);
    kit_register(&kit, &server);
    beat_for(&kit, both, 2, 29 * SECOND);
    assert_int_equal(kit_node_state(&kit, "client"), REGISTERED);
    beat_for(&kit, both, 2, 1 * SECOND);
    assert_int_equal(kit_node_state(&kit, "client"), IDLE);
    assert_true(kit_call(&kit, &client, "server", 1000));
    assert_int_equal(kit_node_state(&kit, "client"), ACTIVE);
    assert_int_equal(kit_node_state(&kit, "server"), ACTIVE);
    assert_int_equal(kit_edge_state(&kit, "client", "server", CALL), ACTIVE);
    beat_for(&kit, both, 2, 29 * SECOND);
    assert_int_equal(kit_node_state(&kit, "server"), ACTIVE);
    assert_int_equal(kit_edge_state(&kit, "client", "server", CALL), ACTIVE);
    beat_for(&kit, both, 2, 1 * SECOND);
    assert_int_equal(kit_node_state(&kit, "client"), IDLE);
    assert_int_equal(kit_node_state(&kit, "server"), IDLE);
    assert_int_equal(kit_edge_state(&kit, "client", "server", CALL), IDLE);
    kit_pass(&kit, 20 * SECOND); /* both gone, and what was between them */
    assert_int_equal(kit.topology->nodes.count, 0);
    assert_int_equal(kit.topology->edges.count, 0);
    kit_done(&kit);
}

static void a_hold_up_calls_nobody_stale(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService a = {.name = "a"};
    kit_register(&kit, &a);
    kit_pass(&kit, 4 * SECOND);
    kit_beat(&kit, &a); /* its timer is for the beat before */
    kit_pass(&kit, 1 * SECOND);
    kit_stand_still(&kit, 20 * SECOND);
    assert_int_equal(kit_node_state(&kit, "a"), REGISTERED);
    kit_pass(&kit, 8999 * MILLI); /* 9.999 s of its own time */
    assert_int_equal(kit_node_state(&kit, "a"), REGISTERED);
    kit_pass(&kit, 1 * MILLI);
    assert_int_equal(kit_node_state(&kit, "a"), STALE);
    kit_done(&kit);
}

/* A call is heard of when its time is over, and the timer has not fired yet. */
static void a_call_in_the_last_moment_keeps_nobody(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService a = {.name = "a"};
    kit_register(&kit, &a);
    kit_pass(&kit, 15 * SECOND - 100 * MILLI);
    simulation_hold(kit.world, 500 * MILLI);
    kit_pass(&kit, 200 * MILLI);
    assert_true(kit_call(&kit, &a, "b", 1000));
    kit_pass(&kit, 400 * MILLI);
    assert_false(kit_beat(&kit, &a));
    assert_int_not_equal(kit_node_state(&kit, "a"), DEAD);
    kit_done(&kit);
}

static void the_same_instance_is_one_node(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService a = {.name = "a", .instance_id = "a-1.1"}, again = a;
    KitService other = {.name = "b", .instance_id = "a-1.1"};
    KitService twin = {.name = "a", .instance_id = "a-2.1"};
    kit_register(&kit, &a);
    kit_pass(&kit, 12 * SECOND);
    assert_int_equal(kit_register(&kit, &again), STATUS_OK);
    assert_string_equal(a.id, again.id);
    assert_int_equal(kit_node_state(&kit, "a"), REGISTERED); /* a sign of life */
    assert_int_equal(kit.topology->instances.count, 1);
    assert_int_equal(kit_register(&kit, &other), STATUS_ALREADY_EXISTS);
    assert_int_equal(kit_node_state(&kit, "b"), GONE);
    assert_int_equal(kit_register(&kit, &twin), STATUS_OK);
    assert_string_not_equal(a.id, twin.id);
    assert_int_equal(kit.topology->nodes.count, 1);
    assert_true(topology_unregister(kit.topology, span_of(a.id)));
    assert_false(topology_unregister(kit.topology, span_of(a.id)));
    assert_int_equal(kit_node_state(&kit, "a"), REGISTERED);
    assert_true(topology_unregister(kit.topology, span_of(twin.id)));
    assert_int_equal(kit_node_state(&kit, "a"), GONE);
    kit_done(&kit);
}

static void bad_registrations_are_refused(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    char name[200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    KitService bad[] = {{.name = ""},
                        {.name = name},
                        {.name = "a\nb"},
                        {.name = "a", .interval_ms = 50},
                        {.name = "a", .interval_ms = -1},
                        {.name = "a", .multiplier = 101}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(kit_register(&kit, &bad[i]), STATUS_INVALID_ARGUMENT);
    assert_int_equal(kit.topology->nodes.count, 0);
    KitService fast = {.name = "a", .interval_ms = 100, .multiplier = 5};
    assert_int_equal(kit_register(&kit, &fast), STATUS_OK);
    kit_pass(&kit, 499 * MILLI);
    assert_int_equal(kit_node_state(&kit, "a"), STALE);
    kit_pass(&kit, 1 * MILLI);
    assert_int_equal(kit_node_state(&kit, "a"), GONE);
    assert_int_equal(kit.topology->words_held, 0);
    kit.topology->words_held = TOPOLOGY_WORDS_MAX;
    assert_int_equal(kit_register(&kit, &fast), STATUS_RESOURCE_EXHAUSTED);
    kit.topology->words_held = 0;
    kit_done(&kit);
}

static void a_process_that_ends_is_dead_at_once(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    Span name = SPAN("server");
    topology_process_started(kit.topology, name, SPAN("server-1.1"));
    assert_int_equal(kit_node_state(&kit, "server"), UNKNOWN);
    KitService server = {.name = "server", .instance_id = "server-1.1"};
    kit_register(&kit, &server);
    assert_int_equal(kit.topology->nodes.count, 1);
    assert_int_equal(node_find(kit.topology, name)->instance_count, 1);
    assert_int_equal(kit_node_state(&kit, "server"), REGISTERED);

    /* a restart is due: red until it comes, however long that takes */
    topology_process_stopped(kit.topology, name, SPAN("server-1.1"),
                             world_wall(kit.world) + 60 * SECOND);
    assert_int_equal(kit_node_state(&kit, "server"), DEAD);
    assert_false(kit_beat(&kit, &server));
    kit_pass(&kit, 60 * SECOND);
    assert_int_equal(kit_node_state(&kit, "server"), DEAD);
    topology_process_started(kit.topology, name, SPAN("server-1.2"));
    assert_int_equal(kit_node_state(&kit, "server"), UNKNOWN);
    assert_int_equal(node_find(kit.topology, name)->instance_count, 1);
    KitService next = {.name = "server", .instance_id = "server-1.2"};
    kit_register(&kit, &next);
    assert_int_equal(kit_node_state(&kit, "server"), REGISTERED);

    /* none is due: red for 15 s */
    topology_process_stopped(kit.topology, name, SPAN("server-1.2"), 0);
    kit_pass(&kit, 14999 * MILLI);
    assert_int_equal(kit_node_state(&kit, "server"), DEAD);
    kit_pass(&kit, 1 * MILLI);
    assert_int_equal(kit_node_state(&kit, "server"), GONE);
    kit_done(&kit);
}

static void a_process_without_beats_stays_red(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService hung = {.name = "hung", .instance_id = "hung-1.1"};
    topology_process_started(kit.topology, SPAN("hung"), SPAN("hung-1.1"));
    kit_register(&kit, &hung);
    kit_pass(&kit, 100 * SECOND);
    assert_int_equal(kit_node_state(&kit, "hung"), DEAD);
    assert_true(kit_beat(&kit, &hung));
    assert_int_equal(kit_node_state(&kit, "hung"), IDLE);
    kit_done(&kit);
}

static void lookups_draw_the_path_of_discovery(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService client = {.name = "client"}, server = {.name = "server"};
    kit_register(&kit, &client);
    kit_register(&kit, &server);
    Span found[] = {SPAN("server")};
    topology_note_lookup(kit.topology, span_of(client.id), SPAN("CalculatorService"), found, 1);
    assert_int_equal(kit_edge_state(&kit, "client", "broker", RT_EDGE_KIND_DISCOVERY), ACTIVE);
    assert_int_equal(kit_edge_state(&kit, "broker", "server", RT_EDGE_KIND_DISCOVERY), ACTIVE);
    assert_int_equal(kit_edge_state(&kit, "client", "server", CALL), IDLE); /* dashed */
    assert_int_equal(kit_node_state(&kit, "server"), REGISTERED); /* nobody has called it */
    assert_true(kit_call(&kit, &client, "CalculatorService", 100));
    assert_int_equal(kit_edge_state(&kit, "client", "server", CALL), ACTIVE);
    assert_int_equal(kit_node_state(&kit, "CalculatorService"), GONE);
    topology_note_lookup(kit.topology, (Span){0}, SPAN("Nobody"), NULL, 0);
    kit_pass(&kit, 20 * SECOND);
    assert_int_equal(kit.topology->nodes.count, 0); /* the broker, too */
    kit_done(&kit);
}

static void dependencies_outlive_what_they_point_to(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService db = {.name = "db"}, app = {.name = "app"};
    kit_register(&kit, &db);
    kit_register(&kit, &app);
    node_depend(kit.topology, node_find(kit.topology, SPAN("app")), SPAN("db"),
                RT_DEPENDENCY_KIND_SOFT);
    kit_call(&kit, &app, "db", 10);
    topology_unregister(kit.topology, span_of(db.id));
    assert_int_equal(kit_node_state(&kit, "db"), UNKNOWN);
    assert_int_equal(kit_edge_state(&kit, "app", "db", RT_EDGE_KIND_DEPENDENCY), IDLE);
    assert_int_equal(kit_edge_state(&kit, "app", "db", CALL), GONE);
    topology_unregister(kit.topology, span_of(app.id));
    assert_int_equal(kit.topology->nodes.count, 0);
    kit_done(&kit);
}

/* ---- activity ---- */

static void count_called(void *owner, Span service_name) {
    ++*(int *)owner;
}

static void calls_become_figures(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService client = {.name = "client"}, server = {.name = "server"};
    kit_register(&kit, &client);
    kit_register(&kit, &server);
    Buf why = {.arena = &kit.arena};
    int32_t buckets[] = {(int32_t)latency_bucket(2000), (int32_t)latency_bucket(50000)};
    int64_t counts[] = {90, 10};
    RtLatencyHistogram histogram = {.buckets = {buckets, 2, 2}, .counts = {counts, 2, 2}};
    RtActivityEvent event = {.service_id = span_of(client.id),
                             .target_service = SPAN("server"),
                             .type = RT_ACTIVITY_TYPE_RESPONSE_RECEIVED,
                             .has_batch_size = true,
                             .batch_size = 100,
                             .error_count = 20,
                             .method = SPAN("Add"),
                             .has_method = true,
                             .correlation_id = SPAN("req-123"),
                             .latency_histogram = &histogram};
    for (int second = 0; second < 10; second++) {
        assert_true(topology_activity(kit.topology, &event, &why));
        kit_beat(&kit, &client);
        kit_beat(&kit, &server);
        if (second < 9)
            kit_pass(&kit, SECOND);
    }
    RtGetTopologyEdgeResponse answer;
    RtGetTopologyEdgeRequest request = {.source = SPAN("client"), .target = SPAN("server")};
    assert_int_equal(topology_edge(kit.topology, &request, &kit.arena, &answer).code, STATUS_OK);
    assert_true(answer.edge->total_rps == 100 && answer.edge->error_rate == 0.2);
    assert_true(answer.edge->latency->p50_ms > 1.9 && answer.edge->latency->p50_ms < 2.1);
    assert_true(answer.edge->latency->p95_ms > 48 && answer.edge->latency->p99_ms < 52);
    assert_int_equal(answer.edge->request_count, 1000);
    assert_int_equal(answer.edge->error_count, 200);
    assert_span(answer.edge->last_correlation_id, "req-123");
    assert_span(answer.edge->protocol, "grpc");
    assert_int_equal(answer.methods.count, 1);
    assert_span(answer.methods.items[0].method, "Add");
    assert_int_equal(answer.requests.count, 10);
    TopologyTraffic traffic;
    assert_true(topology_traffic(kit.topology, SPAN("server"), &traffic));
    assert_true(traffic.rps == 100 && traffic.error_rate == 0.2);
    assert_false(topology_traffic(kit.topology, SPAN("client"), &traffic));
    int count = 0;
    topology_each_called(kit.topology, count_called, &count);
    assert_int_equal(count, 1);

    kit_pass(&kit, SECOND);
    RtGetTopologySeriesResponse series;
    RtGetTopologySeriesRequest of_node = {.service_name = SPAN("server")};
    assert_int_equal(topology_series(kit.topology, &of_node, &kit.arena, &series).code, STATUS_OK);
    assert_int_equal(series.rps.count, 10);
    for (uint32_t i = 0; i < 10; i++) {
        assert_true(series.rps.items[i] == 100);
        assert_true(series.error_rate.items[i] > 0.199 && series.error_rate.items[i] < 0.201);
        assert_true(series.p99_ms.items[i] > 48 && series.p99_ms.items[i] < 52);
    }
    of_node.start_time = series.start_time + 7000;
    topology_series(kit.topology, &of_node, &kit.arena, &series);
    assert_int_equal(series.rps.count, 2);
    KitService *both[] = {&client, &server};
    beat_for(&kit, both, 2, 10 * SECOND);
    topology_each_called(kit.topology, count_called, &count);
    assert_int_equal(count, 1);
    kit_done(&kit);
}

static void sent_requests_count_as_open_only(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService client = {.name = "client"}, server = {.name = "server"};
    kit_register(&kit, &client);
    kit_register(&kit, &server);
    Buf why = {.arena = &kit.arena};
    RtActivityEvent event = {.service_id = span_of(client.id),
                             .target_service = SPAN("server"),
                             .type = RT_ACTIVITY_TYPE_REQUEST_SENT};
    topology_activity(kit.topology, &event, &why);
    topology_activity(kit.topology, &event, &why);
    assert_int_equal(kit_edge_state(&kit, "client", "server", CALL), IDLE);
    event.type = RT_ACTIVITY_TYPE_ACTIVITY_ERROR;
    event.has_error_message = true;
    event.error_message = SPAN("refused");
    topology_activity(kit.topology, &event, &why);
    RtGetTopologyEdgeResponse answer;
    RtGetTopologyEdgeRequest request = {.source = SPAN("client"), .target = SPAN("server")};
    topology_edge(kit.topology, &request, &kit.arena, &answer);
    assert_int_equal(answer.edge->in_flight, 1);
    assert_int_equal(answer.edge->request_count, 1);
    assert_int_equal(answer.edge->error_count, 1);
    assert_null(answer.edge->latency);
    assert_span(answer.requests.items[0].error_message, "refused");
    kit_done(&kit);
}

static void what_peers_fill_it_with_is_bounded(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService client = {.name = "client"};
    kit_register(&kit, &client);
    Buf why = {.arena = &kit.arena};
    char name[32];
    size_t accepted = 0;
    for (int i = 0; i < 100000; i++) {
        RtActivityEvent event = {.service_id = span_of(client.id),
                                 .target_service = span(name, (size_t)sprintf(name, "t%d", i)),
                                 .type = RT_ACTIVITY_TYPE_RESPONSE_RECEIVED};
        accepted += topology_activity(kit.topology, &event, &why);
    }
    assert_int_equal(accepted, TOPOLOGY_TARGETS_MAX);
    assert_int_equal(kit.topology->edges.count, TOPOLOGY_TARGETS_MAX);
    assert_int_equal(kit.topology->nodes.count, TOPOLOGY_TARGETS_MAX + 1);
    assert_non_null(strstr(buf_cstr(&why), "distinct targets of client"));
    assert_true(kit_call(&kit, &client, "t5", 1)); /* known ones go on */
    accepted = 0;
    for (int i = 0; i < 1000; i++) {
        RtActivityEvent event = {.service_id = span_of(client.id),
                                 .target_service = SPAN("t7"),
                                 .method = span(name, (size_t)sprintf(name, "m%d", i)),
                                 .has_method = true,
                                 .type = RT_ACTIVITY_TYPE_RESPONSE_RECEIVED};
        accepted += topology_activity(kit.topology, &event, &why);
    }
    assert_int_equal(accepted, TOPOLOGY_METHODS_MAX);
    assert_non_null(strstr(buf_cstr(&why), "distinct methods of t7"));
    topology_unregister(kit.topology, span_of(client.id));
    assert_int_equal(kit.topology->nodes.count, 0);
    kit_done(&kit);
}

static void malformed_activity_is_refused(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService client = {.name = "client"};
    kit_register(&kit, &client);
    Buf why = {.arena = &kit.arena};
    int32_t buckets[] = {5, 5};
    int64_t counts[] = {1, 1};
    RtLatencyHistogram twice = {.buckets = {buckets, 2, 2}, .counts = {counts, 2, 2}};
    RtLatencyHistogram uneven = {.buckets = {buckets, 2, 2}, .counts = {counts, 1, 2}};
    RtActivityEvent good = {.service_id = span_of(client.id), .target_service = SPAN("t")};
    RtActivityEvent bad[6];
    for (int i = 0; i < 6; i++)
        bad[i] = good;
    bad[0].target_service = (Span){0};
    bad[1].has_batch_size = true;
    bad[2].latency_histogram = &twice;
    bad[3].latency_histogram = &uneven;
    bad[4].type = 77;
    bad[5].service_id = SPAN("nobody");
    for (int i = 0; i < 6; i++)
        assert_false(topology_activity(kit.topology, &bad[i], &why));
    assert_non_null(strstr(buf_cstr(&why), "RegisterService"));
    assert_int_equal(kit.topology->nodes.count, 1);
    kit_done(&kit);
}

/* ---- what is asked for ---- */

static void queries_choose(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService services[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}};
    for (int i = 0; i < 4; i++)
        kit_register(&kit, &services[i]);
    kit_call(&kit, &services[0], "b", 1);
    kit_call(&kit, &services[1], "c", 1);
    kit_call(&kit, &services[2], "d", 1);
    Span b[] = {SPAN("b")};
    int32_t registered[] = {REGISTERED};
    const struct {
        RtTopologyQuery query;
        uint32_t nodes, edges, instances;
    } cases[] = {
        {{0}, 4, 3, 0},
        {{.include_instances = true}, 4, 3, 4},
        {{.service_names = {b, 1, 1}}, 1, 0, 0},
        {{.service_names = {b, 1, 1}, .depth = 1}, 3, 2, 0},
        {{.service_names = {b, 1, 1}, .depth = 2, .include_instances = true}, 4, 3, 4},
        {{.states = {registered, 1, 1}}, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const RtTopologySnapshot *snapshot = kit_snapshot(&kit, &cases[i].query, &kit.arena);
        assert_int_equal(snapshot->nodes.count, cases[i].nodes);
        assert_int_equal(snapshot->edges.count, cases[i].edges);
        assert_int_equal(snapshot->instances.count, cases[i].instances);
    }
    kit_done(&kit);
}

static void watchers_follow_what_comes_near(void **state) {
    Kit kit;
    kit_init(&kit, 1);
    KitService a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"};
    kit_register(&kit, &a);
    kit_register(&kit, &b);
    kit_register(&kit, &c);
    kit_call(&kit, &b, "c", 1);
    Span names[] = {SPAN("a")};
    RtTopologyQuery query = {.service_names = {names, 1, 1}, .depth = 2};
    Viewer viewer = {0};
    viewer_watch(&kit, &viewer, &query);
    kit_pass(&kit, SECOND);
    assert_int_equal(viewer.graph.known.count, 1);
    kit_call(&kit, &a, "b", 1);
    kit_pass(&kit, 2 * SECOND);
    assert_int_equal(viewer.graph.known.count, 5);
    viewer_check(&kit, &viewer, &query);
    viewer_done(&viewer);
    kit_done(&kit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expires_at_its_own_deadline),
        cmocka_unit_test(a_beat_brings_it_back),
        cmocka_unit_test(idle_and_active),
        cmocka_unit_test(a_hold_up_calls_nobody_stale),
        cmocka_unit_test(a_call_in_the_last_moment_keeps_nobody),
        cmocka_unit_test(the_same_instance_is_one_node),
        cmocka_unit_test(bad_registrations_are_refused),
        cmocka_unit_test(a_process_that_ends_is_dead_at_once),
        cmocka_unit_test(a_process_without_beats_stays_red),
        cmocka_unit_test(lookups_draw_the_path_of_discovery),
        cmocka_unit_test(dependencies_outlive_what_they_point_to),
        cmocka_unit_test(calls_become_figures),
        cmocka_unit_test(sent_requests_count_as_open_only),
        cmocka_unit_test(what_peers_fill_it_with_is_bounded),
        cmocka_unit_test(malformed_activity_is_refused),
        cmocka_unit_test(queries_choose),
        cmocka_unit_test(watchers_follow_what_comes_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
