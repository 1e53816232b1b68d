/* Waiting for descriptors that are no Streams. */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "os/real.h"

typedef struct RealWatch {
    FdWatch watch;
    Link link; /* in the world's watches */
    uv_poll_t poll;
} RealWatch;

static void on_poll(uv_poll_t *poll, int status, int events) {
    RealWatch *real = CONTAINER(poll, RealWatch, poll);
    real_awake(poll->loop->data);
    unsigned ready = status < 0 ? FD_READABLE : 0;
    if (events & (UV_READABLE | UV_DISCONNECT))
        ready |= FD_READABLE;
    if (events & UV_WRITABLE)
        ready |= FD_WRITABLE;
    real->watch.ready(real->watch.owner, ready);
}

static void wait_for(FdWatch *watch, unsigned events) {
    RealWatch *real = CONTAINER(watch, RealWatch, watch);
    int wanted = 0;
    if (events & FD_READABLE)
        wanted |= UV_READABLE | UV_DISCONNECT;
    if (events & FD_WRITABLE)
        wanted |= UV_WRITABLE;
    if (wanted)
        uv_poll_start(&real->poll, wanted, on_poll);
    else
        uv_poll_stop(&real->poll);
}

static void on_closed(uv_handle_t *handle) {
    free(CONTAINER(handle, RealWatch, poll));
}

static void watch_free(FdWatch *watch) {
    RealWatch *real = CONTAINER(watch, RealWatch, watch);
    list_remove(&real->link);
    uv_close((uv_handle_t *)&real->poll, on_closed);
}

FdWatch *real_watch_of(Link *link) {
    return &CONTAINER(link, RealWatch, link)->watch;
}

int real_watch(World *world, int fd, FdWatch **ret) {
    if (real_world(world)->freeing)
        return -ECANCELED;
    RealWatch *real = xcalloc(1, sizeof *real);
    int error = uv_poll_init(&real_world(world)->loop, &real->poll, fd);
    if (error) {
        free(real);
        return error;
    }
    real->watch = (FdWatch){.wait_for = wait_for, .free = watch_free};
    list_push_back(&real_world(world)->watches, &real->link);
    *ret = &real->watch;
    return 0;
}
