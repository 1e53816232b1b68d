#include "os/world_ops.h"

void world_init(World *world, const WorldOps *ops, Nanos now) {
    world->ops = ops;
    world->now = now;
    wheel_init(&world->wheel, now);
    list_init(&world->tasks);
}

void world_free(World *world) {
    if (world)
        world->ops->free(world);
}

Nanos world_now(const World *world) {
    return world->now;
}

Nanos world_wall(const World *world) {
    return world->ops->wall(world);
}

void world_random(World *world, void *out, size_t size) {
    world->ops->random(world, out, size);
}

Wheel *world_wheel(World *world) {
    return &world->wheel;
}

void world_run(World *world) {
    world->stopping = false;
    world->ops->run(world);
}

void world_stop(World *world) {
    world->stopping = true;
}

/* ---- being held up ---- */

Nanos world_promise(Nanos looked, Nanos next) {
    if (next == WHEEL_NEVER)
        return WHEEL_NEVER;
    Nanos glance = looked + WORLD_GAP;
    return next < looked ? looked : next < glance ? next : glance;
}

Nanos world_gap(Nanos looked, Nanos promised, Nanos now) {
    return now - promised > WORLD_GAP ? now - looked : 0;
}

/* ---- deferred tasks ---- */

void world_defer(World *world, Task *task) {
    if (!task->link.next)
        list_init(&task->link);
    if (list_empty(&task->link))
        list_push_back(&world->tasks, &task->link);
}

void world_undefer(Task *task) {
    if (task->link.next)
        list_remove(&task->link);
}

void world_run_tasks(World *world) {
    for (int round = 0; round < TASK_ROUNDS && world_has_tasks(world); round++) {
        Link end; /* marks where this round ends; what is deferred in it stands behind */
        list_push_back(&world->tasks, &end);
        for (Link *link; (link = list_pop_front(&world->tasks)) != &end;)
            CONTAINER(link, Task, link)->run(CONTAINER(link, Task, link));
    }
}

void world_finish_turn(World *world) {
    wheel_advance(&world->wheel, world->now);
    world_run_tasks(world);
}

/* ---- bells and signals ---- */

Bell *bell_new(World *world, void (*ring)(void *owner), void *owner) {
    return world->ops->bell_new(world, ring, owner);
}

void bell_free(Bell *bell) {
    if (bell)
        bell->free(bell);
}

void world_wake(Bell *bell) {
    bell->wake(bell);
}

void world_on_signal(World *world, int signal, void (*caught)(void *owner, int signal),
                     void *owner) {
    world->ops->on_signal(world, signal, caught, owner);
}

/* ---- descriptors ---- */

int fd_watch_new(World *world, int fd, unsigned events, void (*ready)(void *owner, unsigned events),
                 void *owner, FdWatch **ret_watch) {
    FdWatch *watch;
    int error = world->ops->watch(world, fd, &watch);
    if (error)
        return error;
    watch->ready = ready;
    watch->owner = owner;
    watch->wait_for(watch, events);
    *ret_watch = watch;
    return 0;
}

void fd_watch_for(FdWatch *watch, unsigned events) {
    watch->wait_for(watch, events);
}

void fd_watch_free(FdWatch *watch) {
    if (watch)
        watch->free(watch);
}

/* ---- streams and listeners ---- */

int stream_connect(World *world, const Address *address, const StreamHandler *handler, void *owner,
                   Stream **ret) {
    int error = world->ops->connect(world, address, ret);
    if (error == 0)
        stream_handle(*ret, handler, owner);
    return error;
}

int stream_adopt(World *world, int fd, Span first, Stream **ret) {
    return world->ops->adopt(world, fd, first, ret);
}

int stream_pair(World *world, Stream *ret[2]) {
    return world->ops->pair(world, ret);
}

static int listener_give(int error, Listener *made, void (*accept)(void *owner, Stream *stream),
                         void *owner, Listener **ret) {
    if (error == 0) {
        made->accept = accept;
        made->owner = owner;
        *ret = made;
    }
    return error;
}

int listener_open(World *world, const Address *address, void (*accept)(void *owner, Stream *stream),
                  void *owner, Listener **ret) {
    Listener *made = NULL;
    int error = world->ops->listen(world, address, &made);
    return listener_give(error, made, accept, owner, ret);
}

int listener_adopt(World *world, int fd, void (*accept)(void *owner, Stream *stream), void *owner,
                   Listener **ret) {
    Listener *made = NULL;
    int error = world->ops->listener_adopt(world, fd, &made);
    return listener_give(error, made, accept, owner, ret);
}

void listener_close(Listener *listener) {
    if (listener)
        listener->ops->close(listener);
}

void listener_pause(Listener *listener, bool paused) {
    listener->ops->pause(listener, paused);
}

void listener_address(const Listener *listener, Address *ret) {
    listener->ops->address(listener, ret);
}

int listener_fd(const Listener *listener) {
    return listener->ops->fd(listener);
}
