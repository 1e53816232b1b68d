#include "services/orchestrator/start_plan.h"

void plan_done(Plan *plan) {
    for (size_t i = 0; i < plan->nodes.count; i++)
        array_done(&plan->nodes.items[i].edges);
    array_done(&plan->nodes);
}

bool plan_edge_satisfied(const Plan *plan, const PlanEdge *edge) {
    const PlanNode *target = &plan->nodes.items[edge->to];
    switch (edge->condition) {
    case RT_DEPENDENCY_CONDITION_STARTED:
        return target->started;
    case RT_DEPENDENCY_CONDITION_COMPLETED:
        return target->completed;
    case RT_DEPENDENCY_CONDITION_LOG_LINE:
        return edge->line_seen;
    default:
        return target->healthy;
    }
}

void plan_add_dependencies(const Plan *plan, bool *selected) {
    bool more = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < plan->nodes.count; i++) {
            const PlanNode *node = &plan->nodes.items[i];
            for (size_t e = 0; selected[i] && e < node->edges.count; e++) {
                const PlanEdge *edge = &node->edges.items[e];
                if (edge->kind == RT_DEPENDENCY_KIND_OPTIONAL || selected[edge->to])
                    continue;
                selected[edge->to] = true;
                more = true;
            }
        }
    }
}

static bool is_wanted_edge(const PlanEdge *edge, bool soft) {
    return edge->kind != RT_DEPENDENCY_KIND_OPTIONAL &&
           (soft || edge->kind != RT_DEPENDENCY_KIND_SOFT);
}

void plan_add_dependants(const Plan *plan, bool soft, bool *selected) {
    bool more = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < plan->nodes.count; i++) {
            const PlanNode *node = &plan->nodes.items[i];
            for (size_t e = 0; !selected[i] && e < node->edges.count; e++) {
                const PlanEdge *edge = &node->edges.items[e];
                if (is_wanted_edge(edge, soft) && selected[edge->to])
                    selected[i] = more = true;
            }
        }
    }
}

static bool is_stuck(const Plan *plan, const PlanNode *node) {
    for (size_t e = 0; node->waits && e < node->edges.count; e++) {
        const PlanEdge *edge = &node->edges.items[e];
        const PlanNode *target = &plan->nodes.items[edge->to];
        if (is_wanted_edge(edge, false) && !plan_edge_satisfied(plan, edge) &&
            (target->ails || target->stuck))
            return true;
    }
    return false;
}

void plan_find_stuck(Plan *plan) {
    for (size_t i = 0; i < plan->nodes.count; i++)
        plan->nodes.items[i].stuck = false;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < plan->nodes.count; i++) {
            PlanNode *node = &plan->nodes.items[i];
            if (!node->stuck && is_stuck(plan, node))
                node->stuck = more = true;
        }
    }
}

int32_t plan_start_barrier(const Plan *plan) {
    int32_t lowest = INT32_MAX;
    for (size_t i = 0; i < plan->nodes.count; i++) {
        const PlanNode *node = &plan->nodes.items[i];
        if (node->joined && !node->settled && node->order < lowest)
            lowest = node->order;
    }
    return lowest;
}

PlanGate plan_may_start(const Plan *plan, uint32_t index, int32_t barrier, bool patient,
                        uint32_t *ret_because) {
    const PlanNode *node = &plan->nodes.items[index];
    PlanGate gate = node->joined && node->order > barrier ? PLAN_HELD : PLAN_OPEN;
    for (size_t e = 0; e < node->edges.count; e++) {
        const PlanEdge *edge = &node->edges.items[e];
        if (edge->kind == RT_DEPENDENCY_KIND_OPTIONAL || plan_edge_satisfied(plan, edge))
            continue;
        bool hope = !plan->nodes.items[edge->to].hopeless;
        if (edge->kind == RT_DEPENDENCY_KIND_SOFT) {
            if (hope && patient)
                gate = PLAN_HELD;
        } else if (hope) {
            gate = PLAN_HELD;
        } else {
            if (ret_because)
                *ret_because = edge->to;
            return PLAN_BARRED;
        }
    }
    return gate;
}

void plan_hold_stops(const Plan *plan, bool *held) {
    int32_t highest = INT32_MIN;
    for (size_t i = 0; i < plan->nodes.count; i++) {
        const PlanNode *node = &plan->nodes.items[i];
        if (!node->leaving || !node->present)
            continue;
        if (node->order > highest)
            highest = node->order;
        for (size_t e = 0; e < node->edges.count; e++)
            if (node->edges.items[e].kind != RT_DEPENDENCY_KIND_OPTIONAL)
                held[node->edges.items[e].to] = true;
    }
    for (size_t i = 0; i < plan->nodes.count; i++)
        held[i] |= plan->nodes.items[i].order < highest;
}
