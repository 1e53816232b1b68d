/* What the two kinds of World share and where they differ: private to src/os. */
#pragma once

#include "base/array.h"
#include "os/resolve.h"
#include "os/stream.h"

typedef struct WorldOps {
    void (*free)(World *);
    Nanos (*wall)(const World *);
    void (*random)(World *, void *out, size_t size);
    void (*run)(World *);
    Bell *(*bell_new)(World *, void (*ring)(void *owner), void *owner);
    void (*on_signal)(World *, int signal, void (*caught)(void *owner, int signal), void *owner);
    int (*watch)(World *, int fd, FdWatch **ret);
    int (*connect)(World *, const Address *, Stream **ret);
    int (*adopt)(World *, int fd, Span first, Stream **ret);
    int (*pair)(World *, Stream *ret[2]);
    int (*listen)(World *, const Address *, Listener **ret);
    int (*listener_adopt)(World *, int fd, Listener **ret);
    /* Fills in what was found, or the error, and calls resolution_tell: now or later. NULL: every
     * name stands for itself. */
    void (*resolve)(Resolution *, const Address *);
    void (*resolve_cancel)(Resolution *);
} WorldOps;

/* Implementations embed this first. */
struct World {
    const WorldOps *ops;
    Nanos now;
    Wheel wheel;
    Link tasks;
    bool stopping;
};

void world_init(World *world, const WorldOps *ops, Nanos now);

/* True when a deferred task waits. */
static inline bool world_has_tasks(const World *world) {
    return !list_empty(&world->tasks);
}

/* The rest of a turn after the reads: timers that are due at world->now, then deferred tasks. What
 * the tasks defer runs, too, in up to TASK_ROUNDS rounds; more waits for the next turn, which then
 * must not wait. */
#define TASK_ROUNDS 16
void world_finish_turn(World *world);
void world_run_tasks(World *world);

/* When a loop that looked at the clock at `looked`, and whose next deadline is at `next`, must
 * look again at the latest; and by how much deadlines move when it does so only now. */
Nanos world_promise(Nanos looked, Nanos next);
Nanos world_gap(Nanos looked, Nanos promised, Nanos now);

struct Bell {
    void (*wake)(Bell *);
    void (*free)(Bell *);
    void (*ring)(void *owner);
    void *owner;
};

struct FdWatch {
    void (*wait_for)(FdWatch *, unsigned events);
    void (*free)(FdWatch *);
    void (*ready)(void *owner, unsigned events);
    void *owner;
};

typedef struct ListenerOps {
    void (*close)(Listener *);
    void (*pause)(Listener *, bool paused);
    void (*address)(const Listener *, Address *ret);
    int (*fd)(const Listener *);
} ListenerOps;

/* Implementations embed this first. */
struct Listener {
    const ListenerOps *ops;
    World *world;
    void (*accept)(void *owner, Stream *stream);
    void *owner;
};

struct Resolution {
    World *world;
    Task tell;
    void (*done)(void *owner, int error, const Address *found, size_t count);
    void *owner;
    void *asking; /* what the implementation has under way */
    int error;
    ARRAY(Address) found;
};

/* It is over: `done` comes at the end of the turn. */
void resolution_tell(Resolution *resolution);

/* Calls of a StreamHandler that may lack them. */
#define STREAM_TELL(stream_, what, ...)                                                            \
    do {                                                                                           \
        const Stream *told_ = (stream_);                                                           \
        if (told_->handler && told_->handler->what)                                                \
            told_->handler->what(told_->owner, ##__VA_ARGS__);                                     \
    } while (0)
