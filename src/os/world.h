/* The world outside the program, as one thread sees it: time, randomness, sockets, signals and
 * the loop that waits for them.
 *
 * Everything above this layer reaches the outside through a World and through nothing else.
 * There are two kinds: the real one (real.c, on libuv) and the simulated one (simulation.h), in
 * which time jumps from event to event, the network is a table, and one seed decides everything,
 * so that a run can be repeated to the byte.
 *
 * A World belongs to the thread that runs it; only world_wake may be called from others. A turn
 * of the loop goes: wait; hand out what sockets have received; fire the timers that are due
 * (after the reads, so that a beat that has already arrived counts before its deadline does);
 * run deferred tasks, which is when corked output leaves in one write per connection. */
#pragma once

#include "base/clock.h"
#include "base/list.h"
#include "base/wheel.h"

typedef struct World World;

/* The real world. */
World *world_new(void);

/* Ends all that is still open and frees the World: streams get `closed` with -ECANCELED,
 * listeners and bells are gone without a word. Not from inside a callback. */
void world_free(World *world);

/* Monotonic time at the start of this turn, and the wall clock now. Monotonic time stands still
 * while the machine sleeps. */
Nanos world_now(const World *world);
Nanos world_wall(const World *world);

/* Unpredictable bytes in the real world, seeded ones in a simulated. Never fails. */
void world_random(World *world, void *out, size_t size);

/* The loop's timers: arm them with instants counted from world_now.
 *
 * The loop may be held up: the process was stopped, or one step took far too long. While timers
 * are armed it looks at the clock every WORLD_GAP at the latest; when it comes to that, or to the
 * next deadline, more than WORLD_GAP late, all deadlines move back by the time since it last
 * looked, before anything else happens in that turn. So nothing runs out that had time left when
 * the hold-up began. */
#define WORLD_GAP (1 * NANOS_PER_SECOND)
Wheel *world_wheel(World *world);

/* Runs turns until world_stop, or until nothing is left to wait for: no armed timer, no listener
 * that accepts, no stream that connects, reads or has output waiting, no bell. Signals do not
 * count. */
void world_run(World *world);
/* Ends world_run after this turn; outside of world_run it has no effect. */
void world_stop(World *world);

/* Something to do once at the end of this turn, in the order asked for. A task that is already
 * waiting is not added again; one that runs may ask for itself again, and runs in the same turn
 * for a bounded number of times. */
typedef struct Task {
    Link link; /* zeroes before first use */
    void (*run)(struct Task *task);
} Task;
void world_defer(World *world, Task *task);
void world_undefer(Task *task);

/* A bell that any thread may ring: `ring` runs on the World's thread soon after, at least once
 * after the last ring, and less often than rung when rings come quickly. It passes nothing:
 * whoever rings first puts the message where its reader, with synchronisation of their own, will
 * look. A bell must not be rung after bell_free or world_free. */
typedef struct Bell Bell;
Bell *bell_new(World *world, void (*ring)(void *owner), void *owner);
void bell_free(Bell *bell);
void world_wake(Bell *bell);

/* Calls back when the process gets the signal; NULL stops, and gives the signal its default
 * effect again. One callback per signal and World. */
void world_on_signal(World *world, int signal, void (*caught)(void *owner, int signal),
                     void *owner);

/* Waits for a descriptor that is no Stream: a pidfd, an eventfd, a pipe, a socket that passes
 * descriptors. `ready` comes with what it is ready for, again in each turn as long as it is; an end
 * or an error counts as readable. The descriptor stays the owner's, who frees the watch before he
 * closes it, and makes it non-blocking. A watch that waits for something keeps world_run running. */
typedef struct FdWatch FdWatch;
enum { FD_READABLE = 1, FD_WRITABLE = 2 };
/* -ENOTSUP in a simulation. */
int fd_watch_new(World *world, int fd, unsigned events, void (*ready)(void *owner, unsigned events),
                 void *owner, FdWatch **ret_watch);
/* What to wait for from now on; 0: nothing. */
void fd_watch_for(FdWatch *watch, unsigned events);
/* May be called from inside `ready`; NULL is ignored. */
void fd_watch_free(FdWatch *watch);
