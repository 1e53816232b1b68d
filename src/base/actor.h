/* An actor: a thread that owns some state, with a bounded mailbox and one function that takes
 * the next message. What would hold a loop up (writing files, searching, compressing, Lua) is an
 * actor's; it answers through the mailbox of who asked.
 *
 * An actor can also live without a thread: then its maker runs its steps by actor_turn, one at a
 * time and in an order of its choosing, and the same code runs on one thread, repeatably. */
#pragma once

#include "base/mailbox.h"

typedef struct Actor Actor;

typedef struct ActorOptions {
    const char *name; /* also the thread's, which shows its first 15 bytes; lives on */
    size_t capacity;  /* of the mailbox */
    void *state;
    /* Takes one message, which is the actor's from then on. */
    void (*step)(void *state, Mail *mail);
    /* Optional. Follows the last step of a batch (all the mail that had come when the batch
     * began): the moment to commit or write what the steps have gathered. */
    void (*flush)(void *state);
    /* Set: no thread. Called by whoever sends (from its thread) when there is something for
     * actor_turn to do again; `owner` is its argument. */
    void (*ready)(void *owner);
    void *owner;
} ActorOptions;

/* Starts it. All signals are blocked in its thread. -EAGAIN when the system refuses another
 * thread. */
int actor_start(const ActorOptions *options, Actor **ret_actor);

/* From any thread: 0, -EBUSY when its mailbox is full, -EPIPE when it is stopping. Never
 * blocks. */
int actor_send(Actor *actor, Mail *mail);

/* For one without a thread: one step, and `flush` where it ended a batch. False when there was no
 * mail. Not from inside a step. */
bool actor_turn(Actor *actor);

/* No mail is accepted any more; what has been accepted is dealt with; the thread ends, and the
 * actor is freed. Blocks until then, so it belongs at the end of the program, not into a turn of
 * a loop. Nobody may be inside actor_send, nor call it later; `ready` is not called any more. */
void actor_stop(Actor *actor);
