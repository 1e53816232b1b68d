/* A hierarchical timer wheel: arming and cancelling cost the same whatever the number of timers.
 *
 * It never reads a clock: instants come in as arguments, so that timeouts are tested without
 * sleeping. Resolution is WHEEL_TICK: a timer fires at the first wheel_advance at or after its
 * deadline, never before it. Timers live in the objects they belong to.
 *
 * Moving a deadline later, as every heartbeat does, only writes the new deadline down: the timer
 * stays where it is, and when its old place comes up it is put where it now belongs. */
#pragma once

#include "base/clock.h"
#include "base/list.h"

#define WHEEL_TICK   NANOS_PER_MILLI
#define WHEEL_LEVELS 6
#define WHEEL_SLOTS  64

/* Zeroes but for `fire` before first use. */
typedef struct Timer {
    Link link;
    Nanos deadline;                    /* when it is to fire */
    int64_t place;                     /* tick of the slot it stands in; the wheel's own */
    void (*fire)(struct Timer *timer); /* it is no longer armed then, and may be armed again */
} Timer;

typedef struct Wheel {
    int64_t tick;                /* all slots before this one are done */
    Nanos shift;                 /* by how much all deadlines have been postponed */
    size_t count;                /* armed timers */
    uint64_t used[WHEEL_LEVELS]; /* bit per slot that is not empty */
    Link slots[WHEEL_LEVELS][WHEEL_SLOTS];
} Wheel;

void wheel_init(Wheel *wheel, Nanos now);

/* Arms the timer, or moves it when it is armed. A deadline that has passed fires at the next
 * wheel_advance. */
void wheel_arm(Wheel *wheel, Timer *timer, Nanos deadline);

/* Harmless when the timer is not armed. */
void wheel_cancel(Wheel *wheel, Timer *timer);

bool timer_is_armed(const Timer *timer);

/* No timer is due before this instant (one may be due later than it); INT64_MAX when none is armed. */
Nanos wheel_next(const Wheel *wheel);

/* Fires all timers due at `now`, in the order of their deadlines by tick. Timers armed by them
 * for the past fire in the next call. */
void wheel_advance(Wheel *wheel, Nanos now);

/* Moves all deadlines later: the loop was held up, and nobody could have beaten meanwhile. */
void wheel_postpone(Wheel *wheel, Nanos by);
