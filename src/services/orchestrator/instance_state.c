#include "services/orchestrator/instance_state.h"

#include <assert.h>

#define PENDING     RT_SERVICE_STATE_PENDING
#define WAITING     RT_SERVICE_STATE_WAITING
#define STARTING    RT_SERVICE_STATE_STARTING
#define RUNNING     RT_SERVICE_STATE_RUNNING
#define HEALTHY     RT_SERVICE_STATE_HEALTHY
#define UNHEALTHY   RT_SERVICE_STATE_UNHEALTHY
#define BACKING_OFF RT_SERVICE_STATE_BACKING_OFF
#define STOPPING    RT_SERVICE_STATE_STOPPING
#define STOPPED     RT_SERVICE_STATE_STOPPED
#define COMPLETED   RT_SERVICE_STATE_COMPLETED
#define FAILED      RT_SERVICE_STATE_FAILED
#define SKIPPED     RT_SERVICE_STATE_SKIPPED
#define ADOPTED     RT_SERVICE_STATE_ADOPTED

typedef struct Step {
    RtServiceState next; /* 0: the event means nothing here */
    InstanceAction action;
} Step;

/* What a process may do at any moment of its life: end by itself, or be made to. */
#define LIVES                                                                                      \
    [INSTANCE_UNWANTED] = {STOPPING, INSTANCE_END}, [INSTANCE_RENEW] = {STOPPING, INSTANCE_END},   \
    [INSTANCE_ENDED_WELL] = {COMPLETED, INSTANCE_NO_ACTION},                                       \
    [INSTANCE_ENDED_RETRY] = {BACKING_OFF, INSTANCE_PAUSE},                                        \
    [INSTANCE_ENDED_FAILED] = {FAILED, INSTANCE_NO_ACTION}

/* What is at rest can be wanted, or found to run after all. */
#define RESTS                                                                                      \
    [INSTANCE_WANTED] = {PENDING, INSTANCE_WEIGH}, [INSTANCE_FOUND] = {ADOPTED, INSTANCE_CHECK},   \
    [INSTANCE_BARRED] = {SKIPPED, INSTANCE_NO_ACTION}

/* What is about to start. */
#define ABOUT_TO_START                                                                             \
    [INSTANCE_HELD] = {WAITING, INSTANCE_NO_ACTION},                                               \
    [INSTANCE_CLEARED] = {STARTING, INSTANCE_SPAWN},                                               \
    [INSTANCE_BARRED] = {SKIPPED, INSTANCE_NO_ACTION},                                             \
    [INSTANCE_REFUSED] = {FAILED, INSTANCE_NO_ACTION},                                             \
    [INSTANCE_FOUND] = {ADOPTED, INSTANCE_CHECK},                                                  \
    [INSTANCE_UNWANTED] = {STOPPED, INSTANCE_NO_ACTION}

static const Step TABLE[INSTANCE_STATES][INSTANCE_EVENTS] = {
    [PENDING] = {ABOUT_TO_START},
    [WAITING] = {ABOUT_TO_START},
    [STARTING] =
        {
            LIVES,
            [INSTANCE_RUNS] = {RUNNING, INSTANCE_CHECK},
            [INSTANCE_PASSED] = {HEALTHY, INSTANCE_NO_ACTION},
            /* Only of what Muster does not start itself: the time for it to show up is over. */
            [INSTANCE_AILS] = {UNHEALTHY, INSTANCE_NO_ACTION},
            /* Found on the port that it was to be given. */
            [INSTANCE_FOUND] = {ADOPTED, INSTANCE_CHECK},
            [INSTANCE_REFUSED] = {FAILED, INSTANCE_NO_ACTION},
        },
    [RUNNING] = {LIVES},
    [HEALTHY] = {LIVES, [INSTANCE_AILS] = {UNHEALTHY, INSTANCE_NO_ACTION}},
    [UNHEALTHY] = {LIVES, [INSTANCE_PASSED] = {HEALTHY, INSTANCE_NO_ACTION}},
    [ADOPTED] =
        {
            LIVES,
            [INSTANCE_RUNS] = {RUNNING, INSTANCE_NO_ACTION},
            [INSTANCE_PASSED] = {HEALTHY, INSTANCE_NO_ACTION},
            [INSTANCE_AILS] = {UNHEALTHY, INSTANCE_NO_ACTION},
        },
    [BACKING_OFF] =
        {
            /* It looks at its dependencies anew: one of them may be gone by now. */
            [INSTANCE_DUE] = {PENDING, INSTANCE_WEIGH},
            [INSTANCE_WANTED] = {PENDING, INSTANCE_WEIGH},
            [INSTANCE_UNWANTED] = {STOPPED, INSTANCE_NO_ACTION},
        },
    [STOPPING] =
        {
            [INSTANCE_UNWANTED] = {STOPPING, INSTANCE_NO_ACTION},
            [INSTANCE_GONE] = {STOPPED, INSTANCE_NO_ACTION},
            [INSTANCE_ENDED_RETRY] = {BACKING_OFF, INSTANCE_PAUSE},
            [INSTANCE_ENDED_FAILED] = {FAILED, INSTANCE_NO_ACTION},
        },
    [STOPPED] = {RESTS},
    [COMPLETED] = {RESTS},
    [FAILED] = {RESTS, [INSTANCE_UNWANTED] = {STOPPED, INSTANCE_NO_ACTION}},
    [SKIPPED] = {RESTS, [INSTANCE_UNWANTED] = {STOPPED, INSTANCE_NO_ACTION}},
};

static const struct {
    const char *name;
    RtHealthState health;
    int distance;
    bool up, good, settled, over;
} ABOUT[INSTANCE_STATES] = {
    [0] = {"unknown", RT_HEALTH_STATE_HEALTH_UNKNOWN, 0, false, false, false, true},
    [COMPLETED] = {"completed", RT_HEALTH_STATE_HEALTHY, 1, false, true, true, true},
    [HEALTHY] = {"healthy", RT_HEALTH_STATE_HEALTHY, 2, true, true, true, false},
    [RUNNING] = {"running", RT_HEALTH_STATE_HEALTHY, 3, true, true, true, false},
    [STOPPED] = {"stopped", RT_HEALTH_STATE_HEALTH_UNKNOWN, 4, false, false, true, true},
    [SKIPPED] = {"skipped", RT_HEALTH_STATE_HEALTH_UNKNOWN, 5, false, false, true, true},
    [ADOPTED] = {"adopted", RT_HEALTH_STATE_STARTING, 6, true, false, false, false},
    [STARTING] = {"starting", RT_HEALTH_STATE_STARTING, 7, true, false, false, false},
    [WAITING] = {"waiting", RT_HEALTH_STATE_STARTING, 8, false, false, false, false},
    [PENDING] = {"pending", RT_HEALTH_STATE_STARTING, 9, false, false, false, false},
    [STOPPING] = {"stopping", RT_HEALTH_STATE_HEALTH_UNKNOWN, 10, true, false, false, false},
    [BACKING_OFF] = {"backing off", RT_HEALTH_STATE_UNHEALTHY, 11, false, false, false, false},
    /* What Muster restarts for that is on its way out already. */
    [UNHEALTHY] = {"unhealthy", RT_HEALTH_STATE_UNHEALTHY, 12, true, false, true, false},
    [FAILED] = {"failed", RT_HEALTH_STATE_UNHEALTHY, 13, false, false, true, true},
};

RtServiceState instance_step(RtServiceState state, InstanceEvent event,
                             InstanceAction *ret_action) {
    assert(state < INSTANCE_STATES && event < INSTANCE_EVENTS);
    Step step = TABLE[state][event];
    if (step.next)
        *ret_action = step.action;
    return step.next;
}

bool instance_is_up(RtServiceState state) {
    return ABOUT[state].up;
}

bool instance_is_good(RtServiceState state) {
    return ABOUT[state].good;
}

bool instance_is_settled(RtServiceState state) {
    return ABOUT[state].settled;
}

bool instance_waits(RtServiceState state) {
    return state == PENDING || state == WAITING;
}

bool instance_is_over(RtServiceState state) {
    return ABOUT[state].over;
}

RtHealthState instance_health(RtServiceState state) {
    return ABOUT[state].health;
}

int instance_distance(RtServiceState state) {
    return ABOUT[state].distance;
}

const char *instance_state_name(RtServiceState state) {
    return ABOUT[state].name;
}
