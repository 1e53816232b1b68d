/* Where an instance stands, and what each thing that happens to it leads to: one table of
 * (state, event) to (next state, action). It is all there is to know about order: the runner
 * around it (instance.c) says what happened and carries out the action.
 *
 * States are those of runtime.v1.ServiceState. Pure: no time, no input, no output. */
#pragma once

#include <stdbool.h>

#include "runtime/v1/health.pb.h"
#include "runtime/v1/service.pb.h"

#define INSTANCE_STATES 14 /* of the enum, the unspecified one too */

typedef enum InstanceEvent {
    INSTANCE_WANTED,       /* somebody wants it to run */
    INSTANCE_HELD,         /* what it waits for is not true yet */
    INSTANCE_CLEARED,      /* nothing stands in its way any more */
    INSTANCE_BARRED,       /* what it cannot do without has failed, or it is disabled */
    INSTANCE_REFUSED,      /* it cannot be started and trying again would not help */
    INSTANCE_FOUND,        /* it runs already, started by somebody else: it is taken over */
    INSTANCE_RUNS,         /* it is up, and nothing checks it */
    INSTANCE_PASSED,       /* its check says healthy */
    INSTANCE_AILS,         /* its check says unhealthy */
    INSTANCE_UNWANTED,     /* somebody wants it to end */
    INSTANCE_RENEW,        /* it is to end in order to be started again by itself */
    INSTANCE_GONE,         /* it has ended, as somebody wanted */
    INSTANCE_ENDED_WELL,   /* it has ended by itself, its work done */
    INSTANCE_ENDED_RETRY,  /* it has ended and will be tried again */
    INSTANCE_ENDED_FAILED, /* it has ended and will not be tried again */
    INSTANCE_DUE,          /* the pause before the next try is over */
    INSTANCE_EVENTS,
} InstanceEvent;

typedef enum InstanceAction {
    INSTANCE_NO_ACTION,
    INSTANCE_WEIGH, /* see whether it may start: then HELD, CLEARED or BARRED follows */
    INSTANCE_SPAWN, /* start its process */
    INSTANCE_CHECK, /* begin to check it */
    INSTANCE_END,   /* make its process end */
    INSTANCE_PAUSE, /* wait, then DUE follows */
} InstanceAction;

/* The next state; RT_SERVICE_STATE_UNSPECIFIED when the event has no meaning in that state, which
 * is then to be ignored. */
RtServiceState instance_step(RtServiceState state, InstanceEvent event, InstanceAction *ret_action);

/* It has a process, or may have one any moment. */
bool instance_is_up(RtServiceState state);
/* It is as it should be: running, healthy or completed. */
bool instance_is_good(RtServiceState state);
/* Being started has come to its end, good or bad. */
bool instance_is_settled(RtServiceState state);
/* It is to start as soon as nothing stands in its way any more. */
bool instance_waits(RtServiceState state);
/* It has no process, and none is on its way. */
bool instance_is_over(RtServiceState state);

/* The health that the state stands for, by the table in docs/contract.md. */
RtHealthState instance_health(RtServiceState state);

/* How far a state is from where an instance should be: the larger of two is shown for both. */
int instance_distance(RtServiceState state);

/* "healthy", "backing off": for people. */
const char *instance_state_name(RtServiceState state);
