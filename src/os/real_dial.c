/* Connecting in the real world: the name is looked up, then the addresses found are tried in turn
 * until one answers. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/real.h"

/* How long to wait for room in the backlog of a unix socket, which cannot be polled for. */
#define UNIX_RETRY (10 * NANOS_PER_MILLI)

/* A socket on its way to one address. */
typedef struct Attempt {
    uv_poll_t poll;
    int fd;
    RealDial *dial;
} Attempt;

struct RealDial {
    RealStream *stream;
    Resolution *resolution; /* under way */
    Attempt *attempt;       /* under way */
    Timer retry;
    Address *found;
    size_t count;
    size_t next; /* of found, to try */
    int error;   /* of the last attempt */
};

static void try_next(RealDial *dial);

static void on_attempt_closed(uv_handle_t *handle) {
    free(CONTAINER(handle, Attempt, poll));
}

/* Ends an attempt; its socket is the caller's. */
static int attempt_end(Attempt *attempt) {
    int fd = attempt->fd;
    attempt->dial->attempt = NULL;
    uv_close((uv_handle_t *)&attempt->poll, on_attempt_closed);
    return fd;
}

void real_dial_free(RealDial *dial) {
    if (dial->resolution)
        resolve_cancel(dial->resolution);
    if (dial->attempt)
        close(attempt_end(dial->attempt));
    wheel_cancel(world_wheel(dial->stream->stream.world), &dial->retry);
    free(dial->found);
    free(dial);
}

static void succeed(RealDial *dial, int fd) {
    RealStream *stream = dial->stream;
    real_dial_free(dial);
    stream->dial = NULL;
    stream->announce = true;
    real_stream_open(stream, fd);
    world_defer(stream->stream.world, &stream->settle);
}

static void on_attempt(uv_poll_t *poll, int status, int events) {
    (void)status; /* whatever it is, the socket knows better */
    (void)events;
    Attempt *attempt = CONTAINER(poll, Attempt, poll);
    RealDial *dial = attempt->dial;
    real_awake(poll->loop->data);
    int error = 0;
    socklen_t length = sizeof error;
    int fd = attempt_end(attempt);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error == 0) {
        succeed(dial, fd);
        return;
    }
    close(fd);
    dial->error = -error;
    dial->next++;
    try_next(dial);
}

static int attempt_begin(RealDial *dial, int fd) {
    RealWorld *real = real_world(dial->stream->stream.world);
    Attempt *attempt = xcalloc(1, sizeof *attempt);
    int error = uv_poll_init(&real->loop, &attempt->poll, fd);
    if (error) {
        free(attempt);
        return error;
    }
    attempt->fd = fd;
    attempt->dial = dial;
    dial->attempt = attempt;
    uv_poll_start(&attempt->poll, UV_WRITABLE, on_attempt);
    return 0;
}

static void on_retry(Timer *timer) {
    try_next(CONTAINER(timer, RealDial, retry));
}

/* Tries one address: true when the outcome is known or will be told, false to go on with the
 * next. */
static bool try_one(RealDial *dial, const Address *address) {
    World *world = dial->stream->stream.world;
    struct sockaddr_storage to;
    socklen_t length = socket_to(address, &to);
    int fd = length ? socket_new(to.ss_family) : -EINVAL;
    if (fd < 0) {
        dial->error = fd;
        return false;
    }
    if (connect(fd, (struct sockaddr *)&to, length) == 0) {
        succeed(dial, fd);
        return true;
    }
    dial->error = -errno;
    if (errno == EINPROGRESS && (dial->error = attempt_begin(dial, fd)) == 0)
        return true;
    close(fd);
    if (dial->error == -EAGAIN && address->kind == ADDRESS_UNIX) {
        wheel_arm(world_wheel(world), &dial->retry, world_now(world) + UNIX_RETRY);
        return true;
    }
    return false;
}

static void try_next(RealDial *dial) {
    for (; dial->next < dial->count; dial->next++)
        if (try_one(dial, &dial->found[dial->next]))
            return;
    real_stream_over(dial->stream, dial->error);
}

static void on_found(void *owner, int error, const Address *found, size_t count) {
    RealDial *dial = owner;
    dial->resolution = NULL;
    dial->error = error;
    dial->count = count;
    dial->found = xcalloc(count, sizeof *found);
    if (count)
        memcpy(dial->found, found, count * sizeof *found);
    try_next(dial);
}

int real_connect(World *world, const Address *address, Stream **ret) {
    if (real_world(world)->freeing)
        return -ECANCELED;
    RealDial *dial = xcalloc(1, sizeof *dial);
    dial->retry.fire = on_retry;
    dial->stream = real_stream_new(world);
    dial->stream->dial = dial;
    dial->resolution = resolve_start(world, address, on_found, dial);
    *ret = &dial->stream->stream;
    return 0;
}
