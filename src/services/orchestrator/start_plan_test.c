#include "services/orchestrator/start_plan.h"

#include "base/memory.h"
#include "base/test.h"

static uint32_t add(Plan *plan, int32_t order) {
    *array_push(&plan->nodes) = (PlanNode){.order = order, .hopeless = true};
    return (uint32_t)plan->nodes.count - 1;
}

static PlanEdge *needs(Plan *plan, uint32_t from, uint32_t to, RtDependencyKind kind,
                       RtDependencyCondition condition) {
    PlanEdge *edge = array_push(&plan->nodes.items[from].edges);
    *edge = (PlanEdge){.to = to, .kind = kind, .condition = condition};
    return edge;
}

static PlanEdge *needs_hard(Plan *plan, uint32_t from, uint32_t to) {
    return needs(plan, from, to, RT_DEPENDENCY_KIND_HARD, RT_DEPENDENCY_CONDITION_HEALTHY);
}

static PlanGate gate(const Plan *plan, uint32_t node) {
    return plan_may_start(plan, node, plan_start_barrier(plan), true, NULL);
}

static void waits_for_each_condition(void **state) {
    Plan plan = {0};
    uint32_t db = add(&plan, 0), app = add(&plan, 0);
    PlanEdge *edge = needs_hard(&plan, app, db);
    PlanNode *target = &plan.nodes.items[db];
    target->hopeless = false;
    assert_int_equal(gate(&plan, app), PLAN_HELD);
    target->healthy = true;
    assert_int_equal(gate(&plan, app), PLAN_OPEN);
    edge->condition = RT_DEPENDENCY_CONDITION_STARTED;
    assert_int_equal(gate(&plan, app), PLAN_HELD);
    target->started = true;
    assert_int_equal(gate(&plan, app), PLAN_OPEN);
    edge->condition = RT_DEPENDENCY_CONDITION_COMPLETED;
    assert_int_equal(gate(&plan, app), PLAN_HELD);
    target->completed = true;
    assert_int_equal(gate(&plan, app), PLAN_OPEN);
    edge->condition = RT_DEPENDENCY_CONDITION_LOG_LINE;
    assert_int_equal(gate(&plan, app), PLAN_HELD);
    edge->line_seen = true;
    assert_int_equal(gate(&plan, app), PLAN_OPEN);
    plan_done(&plan);
}

static void who_waits_for_what_ails_is_stuck(void **state) {
    Plan plan = {0};
    uint32_t db = add(&plan, 0), app = add(&plan, 0), page = add(&plan, 0), soft = add(&plan, 0),
             loose = add(&plan, 0);
    PlanEdge *edge = needs_hard(&plan, app, db);
    needs_hard(&plan, page, app);
    needs(&plan, soft, db, RT_DEPENDENCY_KIND_SOFT, RT_DEPENDENCY_CONDITION_HEALTHY);
    for (uint32_t i = app; i <= loose; i++)
        plan.nodes.items[i].waits = true;
    plan_find_stuck(&plan);
    assert_false(plan.nodes.items[app].stuck);
    plan.nodes.items[db].ails = plan.nodes.items[db].started = true;
    plan_find_stuck(&plan);
    assert_true(plan.nodes.items[app].stuck && plan.nodes.items[page].stuck);
    assert_false(plan.nodes.items[soft].stuck || plan.nodes.items[loose].stuck);
    edge->condition = RT_DEPENDENCY_CONDITION_STARTED;
    plan_find_stuck(&plan);
    assert_false(plan.nodes.items[app].stuck || plan.nodes.items[page].stuck);
    plan_done(&plan);
}

static void kinds_differ_when_a_dependency_fails(void **state) {
    Plan plan = {0};
    uint32_t db = add(&plan, 0), hard = add(&plan, 0), soft = add(&plan, 0), loose = add(&plan, 0);
    needs_hard(&plan, hard, db);
    needs(&plan, soft, db, RT_DEPENDENCY_KIND_SOFT, RT_DEPENDENCY_CONDITION_HEALTHY);
    needs(&plan, loose, db, RT_DEPENDENCY_KIND_OPTIONAL, RT_DEPENDENCY_CONDITION_HEALTHY);
    plan.nodes.items[db].hopeless = false;
    assert_int_equal(gate(&plan, hard), PLAN_HELD);
    assert_int_equal(gate(&plan, soft), PLAN_HELD);
    assert_int_equal(plan_may_start(&plan, soft, INT32_MAX, false, NULL), PLAN_OPEN);
    assert_int_equal(gate(&plan, loose), PLAN_OPEN);
    plan.nodes.items[db].hopeless = true;
    uint32_t because = 99;
    assert_int_equal(plan_may_start(&plan, hard, INT32_MAX, true, &because), PLAN_BARRED);
    assert_int_equal(because, db);
    assert_int_equal(gate(&plan, soft), PLAN_OPEN);
    plan_done(&plan);
}

static void an_order_is_a_barrier_for_a_common_start_only(void **state) {
    Plan plan = {0};
    uint32_t one = add(&plan, 1), other = add(&plan, 1), two = add(&plan, 2);
    plan.nodes.items[one].joined = plan.nodes.items[two].joined = true;
    plan.nodes.items[other].joined = true;
    assert_int_equal(gate(&plan, one), PLAN_OPEN);
    assert_int_equal(gate(&plan, other), PLAN_OPEN);
    assert_int_equal(gate(&plan, two), PLAN_HELD);
    plan.nodes.items[one].settled = true;
    assert_int_equal(gate(&plan, two), PLAN_HELD);
    plan.nodes.items[other].settled = true; /* failed, perhaps */
    assert_int_equal(gate(&plan, two), PLAN_OPEN);
    plan.nodes.items[other].settled = false;
    plan.nodes.items[two].joined = false; /* restarted by itself, later */
    assert_int_equal(gate(&plan, two), PLAN_OPEN);
    plan_done(&plan);
}

static void closures_follow_hard_and_soft(void **state) {
    Plan plan = {0};
    uint32_t a = add(&plan, 0), b = add(&plan, 0), c = add(&plan, 0), d = add(&plan, 0);
    needs_hard(&plan, a, b);
    needs(&plan, b, c, RT_DEPENDENCY_KIND_SOFT, RT_DEPENDENCY_CONDITION_HEALTHY);
    needs(&plan, a, d, RT_DEPENDENCY_KIND_OPTIONAL, RT_DEPENDENCY_CONDITION_HEALTHY);
    bool down[4] = {[0] = true}, up[4] = {[2] = true}, hard[4] = {[2] = true};
    plan_add_dependencies(&plan, down);
    assert_true(down[a] && down[b] && down[c] && !down[d]);
    plan_add_dependants(&plan, true, up);
    assert_true(up[a] && up[b] && up[c] && !up[d]);
    plan_add_dependants(&plan, false, hard);
    assert_true(!hard[a] && !hard[b] && hard[c]);
    plan_done(&plan);
}

static void dependants_stop_first(void **state) {
    Plan plan = {0};
    uint32_t db = add(&plan, 0), app = add(&plan, 0), lone = add(&plan, 0), late = add(&plan, 5);
    needs_hard(&plan, app, db);
    for (size_t i = 0; i < 4; i++)
        plan.nodes.items[i].leaving = plan.nodes.items[i].present = true;
    bool held[4] = {0};
    plan_hold_stops(&plan, held);
    assert_true(held[db] && held[app] && held[lone] && !held[late]);
    plan.nodes.items[late].present = false;
    memset(held, 0, sizeof held);
    plan_hold_stops(&plan, held);
    assert_true(held[db] && !held[app] && !held[lone]);
    plan.nodes.items[app].present = false;
    memset(held, 0, sizeof held);
    plan_hold_stops(&plan, held);
    assert_false(held[db]);
    plan_done(&plan);
}

/* A random plan without circles, its edges to earlier nodes of no higher order. */
static void make(Plan *plan, TestRandom *random) {
    size_t count = 1 + test_random_below(random, 30);
    int32_t order = 0;
    for (size_t i = 0; i < count; i++) {
        order += test_random_below(random, 4) == 0;
        add(plan, order);
        for (size_t e = 0; i && e < test_random_below(random, 4); e++)
            needs(plan, (uint32_t)i, (uint32_t)test_random_below(random, i),
                  (RtDependencyKind)(1 + test_random_below(random, 3)),
                  RT_DEPENDENCY_CONDITION_HEALTHY);
        plan->nodes.items[i].joined = true;
        plan->nodes.items[i].hopeless = false;
    }
}

/* Whatever succeeds or fails, in whatever order: everything comes to an end, and nothing has
 * begun before what it needs. */
static bool start_round(Plan *plan, TestRandom *random, bool *running) {
    bool moved = false, waits = false;
    int32_t barrier = plan_start_barrier(plan);
    for (size_t i = 0; i < plan->nodes.count; i++) {
        PlanNode *node = &plan->nodes.items[i];
        if (node->settled)
            continue;
        if (running[i]) {
            node->settled = moved = true;
            node->healthy = test_random_below(random, 5) != 0;
            node->hopeless = !node->healthy;
            continue;
        }
        PlanGate at = plan_may_start(plan, (uint32_t)i, barrier, true, NULL);
        waits |= at == PLAN_HELD;
        if (at == PLAN_HELD)
            continue;
        moved = true;
        if (at == PLAN_BARRED) {
            node->settled = node->hopeless = true;
            continue;
        }
        for (size_t e = 0; e < node->edges.count; e++)
            if (node->edges.items[e].kind == RT_DEPENDENCY_KIND_HARD)
                assert_true(plan->nodes.items[node->edges.items[e].to].healthy);
        for (size_t j = 0; j < plan->nodes.count; j++)
            assert_true(plan->nodes.items[j].order >= node->order || plan->nodes.items[j].settled);
        running[i] = true;
    }
    assert_true(moved || !waits);
    return moved;
}

static void random_starts_come_to_an_end(void **state) {
    TestRandom random = test_random();
    for (int round = 0; round < 2000; round++) {
        Plan plan = {0};
        make(&plan, &random);
        bool running[32] = {0};
        while (start_round(&plan, &random, running))
            ;
        for (size_t i = 0; i < plan.nodes.count; i++)
            assert_true(plan.nodes.items[i].settled);
        plan_done(&plan);
    }
}

static void random_stops_come_to_an_end(void **state) {
    TestRandom random = test_random();
    for (int round = 0; round < 2000; round++) {
        Plan plan = {0};
        make(&plan, &random);
        size_t left = plan.nodes.count;
        for (size_t i = 0; i < plan.nodes.count; i++)
            plan.nodes.items[i].present = plan.nodes.items[i].leaving = true;
        while (left) {
            bool held[32] = {0};
            size_t before = left;
            plan_hold_stops(&plan, held);
            for (size_t i = 0; i < plan.nodes.count; i++)
                if (plan.nodes.items[i].present && !held[i]) {
                    plan.nodes.items[i].present = false;
                    left--;
                }
            assert_true(left < before);
        }
        plan_done(&plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_each_condition),
        cmocka_unit_test(who_waits_for_what_ails_is_stuck),
        cmocka_unit_test(kinds_differ_when_a_dependency_fails),
        cmocka_unit_test(an_order_is_a_barrier_for_a_common_start_only),
        cmocka_unit_test(closures_follow_hard_and_soft),
        cmocka_unit_test(dependants_stop_first),
        cmocka_unit_test(random_starts_come_to_an_end),
        cmocka_unit_test(random_stops_come_to_an_end),
    };
    return cmocka_run_group_tests_name("start_plan", tests, NULL, NULL);
}
