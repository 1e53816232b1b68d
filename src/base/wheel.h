/* Timers of one loop: a hierarchical timing wheel (Varghese and Lauck, "Hashed and hierarchical
 * timing wheels", SOSP 1987). Arming and cancelling take constant time, whatever the number of
 * timers; a timer is part of its owner's object, and nothing is allocated.
 *
 * The wheel never reads a clock: instants are nanoseconds, not negative, on whatever clock the
 * caller keeps to. Within the wheel time is cut into ticks of a millisecond, but no timer fires
 * before its deadline, not even within the tick.
 *
 * Arming a timer again for a later deadline only notes the deadline; the timer moves when the
 * slot that it still stands in comes up. So a deadline that each beat pushes on costs a store
 * per beat. */
#pragma once

#include "base/clock.h"
#include "base/list.h"

#define WHEEL_TICK  NANOS_PER_MILLI
#define WHEEL_NEVER INT64_MAX

/* Zeroes (with `fire` set) are a timer that is not armed. An armed timer must stay where it is in
 * memory; cancel it before its object goes. */
typedef struct Timer {
    Link link;
    Nanos deadline; /* these two on the wheel's own clock, see wheel_postpone */
    Nanos filed;    /* where it stands: never later than the deadline */
    void (*fire)(struct Timer *timer);
} Timer;

#define WHEEL_LEVELS 8 /* of 6 bits each: all ticks that 63 bits of nanoseconds have */
#define WHEEL_SLOTS  64

typedef struct Wheel {
    size_t count;                /* armed timers; the other members are the wheel's own */
    int64_t tick;                /* all earlier ticks are over */
    Nanos postponed;             /* what wheel_postpone was given so far */
    Link due;                    /* taken out of the slots, about to fire */
    uint64_t used[WHEEL_LEVELS]; /* a bit per slot that may hold timers; clear: it is empty */
    Link slots[WHEEL_LEVELS][WHEEL_SLOTS];
} Wheel;

/* `now` is the instant to start from; the Wheel must stay where it is in memory. */
void wheel_init(Wheel *wheel, Nanos now);

/* Makes the timer fire in the first wheel_advance whose `now` is not before `deadline`. Armed
 * already, it gets the new deadline in place of the old. A deadline that has passed is due at
 * the next wheel_advance. */
void wheel_arm(Wheel *wheel, Timer *timer, Nanos deadline);

/* The timer will not fire, not even where the wheel_advance that runs just now had found it due.
 * Harmless when it is not armed. */
void wheel_cancel(Wheel *wheel, Timer *timer);

bool timer_is_armed(const Timer *timer);

/* When an armed timer is due. */
Nanos timer_deadline(const Wheel *wheel, const Timer *timer);

/* When to call wheel_advance next: not after the earliest deadline, perhaps before it (then the
 * call re-files timers, fires none, and a later instant follows). WHEEL_NEVER when no timer is
 * armed. Not from within a wheel_advance. */
Nanos wheel_next(Wheel *wheel);

/* Fires all timers that are due at `now`, in the order of their deadlines; those of one deadline
 * in the order in which they were armed, but for those moved to it from an earlier one. A timer is no longer armed when its `fire`
 * is called, which may arm, cancel and free any. What it arms fires in the next wheel_advance at
 * the earliest. Should `now` be earlier than it was before, still nothing fires too early. */
void wheel_advance(Wheel *wheel, Nanos now);

/* Moves the deadlines of all armed timers `by` on (not negative), in constant time: what the loop
 * does when it finds that it was held up (by SIGSTOP, or a suspended machine) for that long,
 * before it advances. */
void wheel_postpone(Wheel *wheel, Nanos by);
