/* Who starts after whom, and who stops before whom. A plan is a list of services with what they
 * depend on; the runner keeps the facts about each up to date and asks who may go on.
 *
 * Three rules: a service starts when each dependency is as its condition says; services that were
 * asked for together go by start_order, a number being begun when all lower ones are done (equal
 * ones in parallel); stopping goes the other way round. Dependencies by kind: hard is needed, soft
 * is waited for as long as it may still come true, optional is only shown.
 *
 * Hard and soft dependencies form no circle, and none leads to a higher start_order: the
 * configuration refuses both. Pure: no time, no input, no output. */
#pragma once

#include "base/array.h"
#include "runtime/v1/service.pb.h"

typedef struct PlanEdge {
    uint32_t to; /* index of the dependency */
    RtDependencyKind kind;
    RtDependencyCondition condition;
    bool line_seen; /* LOG_LINE: it has printed the line in its present life */
} PlanEdge;

/* A service: what the configuration says, and how things stand. */
typedef struct PlanNode {
    int32_t order;
    ARRAY(PlanEdge) edges;
    bool joined;    /* it takes part in a common start: barriers hold for it */
    bool started;   /* all its processes are started */
    bool healthy;   /* all of it is healthy, running or completed */
    bool completed; /* it ended well */
    bool settled;   /* being started has come to its end, good or bad */
    bool hopeless;  /* it does not run, and nobody is about to start it */
    bool ails;      /* it runs, is unhealthy, and nobody does anything about that */
    bool waits;     /* part of it waits for its turn */
    bool stuck;     /* … for something that ails, or is stuck itself: plan_find_stuck */
    bool present;   /* it has a process */
    bool leaving;   /* it is to stop */
} PlanNode;

typedef struct Plan {
    ARRAY(PlanNode) nodes;
} Plan;

void plan_done(Plan *plan);

bool plan_edge_satisfied(const Plan *plan, const PlanEdge *edge);

/* Adds to `selected` (an entry a node) all that the selected ones depend on, hard or soft,
 * directly or not. */
void plan_add_dependencies(const Plan *plan, bool *selected);
/* Adds all that depend on the selected ones, hard or, where `soft`, also soft. */
void plan_add_dependants(const Plan *plan, bool soft, bool *selected);

/* Sets `stuck` of each node. Such a node starts as soon as what it needs recovers, but nobody can
 * tell whether that ever happens. */
void plan_find_stuck(Plan *plan);

/* The lowest order of which something that takes part in a common start is not done; INT32_MAX
 * when there is none. */
int32_t plan_start_barrier(const Plan *plan);

typedef enum PlanGate {
    PLAN_OPEN,
    PLAN_HELD,   /* something that it needs may still come true */
    PLAN_BARRED, /* something that it cannot do without is out of reach */
} PlanGate;

/* Whether a node may start. `patient`: soft dependencies may still be waited for. `ret_because` (may
 * be NULL) gets the dependency that bars it, where one does. */
PlanGate plan_may_start(const Plan *plan, uint32_t node, int32_t barrier, bool patient,
                        uint32_t *ret_because);

/* Marks in `held` (an entry a node) all that may not stop yet, since what depends on them, or has
 * a higher order, is leaving and still there. */
void plan_hold_stops(const Plan *plan, bool *held);
