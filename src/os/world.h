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

/* Ends all that is still open (closed callbacks run) and frees the World. */
void world_free(World *world);

/* Monotonic time at the start of this turn, and the wall clock. */
Nanos world_now(const World *world);
Nanos world_wall(const World *world);

/* Unpredictable bytes in the real world, seeded ones in a simulated. Never fails. */
void world_random(World *world, void *out, size_t size);

/* The loop's timers: arm them with instants of world_now. When the loop itself was held up (a
 * stopped process, a suspended machine) for longer than WORLD_GAP, all deadlines move back by
 * the gap before any fires. */
#define WORLD_GAP (1 * NANOS_PER_SECOND)
Wheel *world_wheel(World *world);

/* Runs turns until world_stop, or until nothing is left to wait for. */
void world_run(World *world);
void world_stop(World *world);

/* Something to do once at the end of this turn, in the order asked for. A task that is already
 * waiting is not added again. */
typedef struct Task {
    Link link; /* zeroes before first use */
    void (*run)(struct Task *task);
} Task;
void world_defer(World *world, Task *task);
void world_undefer(Task *task);

/* A bell that any thread may ring: `ring` runs on the World's thread soon after, once for any
 * number of rings in between. */
typedef struct Bell Bell;
Bell *bell_new(World *world, void (*ring)(void *owner), void *owner);
void bell_free(Bell *bell);
void world_wake(Bell *bell);

/* Calls back when the process gets the signal; NULL stops. One callback per signal and process. */
void world_on_signal(World *world, int signal, void (*caught)(void *owner, int signal),
                     void *owner);
