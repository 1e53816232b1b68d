/* What somebody asked for, until it has come true: starting, stopping or restarting services. */
#pragma once

#include "services/orchestrator/internal.h"

typedef enum ActionKind { ACTION_START, ACTION_STOP, ACTION_RESTART } ActionKind;

typedef struct ActionMember {
    Service *service; /* NULL: it is gone from the configuration */
    const char *name; /* in the action's arena */
    int64_t only;     /* this replica alone; -1: all */
    bool already;     /* it was as wanted before */
    bool revoked;     /* stopped by somebody else since: it is not started any more */
    bool done;
    RtServiceStartResult result; /* ACTION_START, ACTION_RESTART */
} ActionMember;

struct Action {
    Link link;
    Orchestrator *orchestrator;
    ActionKind kind;
    bool stopping; /* ACTION_RESTART: the first half */
    bool forced;
    Nanos begun;
    Timer look; /* until somebody who fell counts as stable */
    Arena arena;
    ARRAY(ActionMember) members; /* in the order of the orchestrator's services */
    uint32_t *stopped;           /* members in the order in which they stopped */
    size_t stopped_count;
    Span actor;
    /* It has come true, or cannot any more; the Action is freed after the call. */
    void (*done)(void *owner, const Action *action);
    void *owner;
};

/* `selected` has an entry for each service of the orchestrator. `only`: of services that are
 * selected alone, this instance; -1: all. `done` is called later, never from inside this call. */
Action *action_begin(Orchestrator *orchestrator, ActionKind kind, const bool *selected,
                     int64_t only, bool forced, Span actor,
                     void (*done)(void *owner, const Action *action), void *owner);

/* Before an action that starts it: a task that has completed is to run once more. */
void service_ask_anew(Service *service);

/* Whether all members are as wanted. */
bool action_succeeded(const Action *action);
/* The service goes: whoever waits for it does so no longer. */
void actions_forget(Orchestrator *orchestrator, const Service *service);
/* The orchestrator ends: nobody is told. */
void actions_drop(Orchestrator *orchestrator);
