#include "cli/graph_view.h"

#include "base/test.h"

static const Style PLAIN = {false};

static void apply_nodes(GraphView *view, bool reset, size_t count) {
    RtTopologyNode nodes[32] = {0};
    char names[32][16];
    RtTopologyUpdate update = {.reset = reset};
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "service-%02zu", i);
        nodes[i].service_name = span_of(names[i]);
        nodes[i].health = RT_HEALTH_STATE_HEALTHY;
        nodes[i].state = RT_CONNECTION_STATE_ACTIVE;
    }
    update.nodes.items = nodes;
    update.nodes.count = (uint32_t)count;
    assert_true(graph_view_apply(view, &update));
}

static void apply_edge(GraphView *view, const char *source, const char *target, double rps) {
    RtLatencySummary latency = {.p95_ms = 2.5};
    RtTopologyEdge edge = {
        .source = span_of(source),
        .target = span_of(target),
        .kind = RT_EDGE_KIND_CALL,
        .state = RT_CONNECTION_STATE_ACTIVE,
        .total_rps = rps,
        .latency = &latency,
        .protocol = SPAN("grpc"),
    };
    RtTopologyUpdate update = {0};
    update.edges.items = &edge;
    update.edges.count = 1;
    graph_view_apply(view, &update);
}

static bool draws(const GraphView *view, size_t columns, size_t lines, const char *text) {
    Buf out = {0};
    graph_view_draw(view, PLAIN, columns, lines, &out);
    bool found = strstr(buf_cstr(&out), text) != NULL;
    buf_done(&out);
    return found;
}

static void test_follows_updates(void **state) {
    GraphView view;
    graph_view_init(&view);
    apply_nodes(&view, true, 3);
    apply_edge(&view, "service-00", "service-01", 12.4);
    apply_edge(&view, "service-02", "service-01", 3);
    assert_true(graph_view_rate(&view) > 15.3);
    assert_true(draws(&view, 0, 0, "service-00  calls  service-01  12       2.5 ms  –       grpc"));
    apply_edge(&view, "service-00", "service-01", 99); /* replaces */
    assert_int_equal(view.edges.count, 2);
    RtTopologyEdgeKey gone = {
        .source = SPAN("service-02"), .target = SPAN("service-01"), .kind = RT_EDGE_KIND_CALL};
    RtTopologyUpdate update = {.more = true};
    update.removed_edges.items = &gone;
    update.removed_edges.count = 1;
    assert_false(graph_view_apply(&view, &update));
    assert_int_equal(view.edges.count, 1);
    Span name = SPAN("service-01");
    update = (RtTopologyUpdate){0};
    update.removed_nodes.items = &name;
    update.removed_nodes.count = 1;
    assert_true(graph_view_apply(&view, &update));
    assert_int_equal(view.nodes.count, 2);
    assert_int_equal(view.edges.count, 0); /* they go with their node */
    apply_nodes(&view, true, 1);
    assert_int_equal(view.nodes.count, 1);
    graph_view_done(&view);
}

static void test_fits(void **state) {
    GraphView view;
    graph_view_init(&view);
    apply_nodes(&view, true, 30);
    for (int i = 0; i < 20; i++) {
        char target[8];
        snprintf(target, sizeof target, "t%d", i);
        apply_edge(&view, "service-00", target, 1);
    }
    for (size_t lines = 8; lines < 70; lines++) {
        Buf out = {0};
        size_t drawn = 0;
        graph_view_draw(&view, PLAIN, 40, lines, &out);
        for (size_t i = 0; i < out.len; i++)
            drawn += out.ptr[i] == '\n';
        assert_true(drawn <= lines);
        buf_done(&out);
    }
    assert_true(draws(&view, 0, 20, "more\n"));
    graph_view_done(&view);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_updates),
        cmocka_unit_test(test_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
