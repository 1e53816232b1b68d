/* Connecting in the real world: the name is resolved on libuv's threads, then the addresses found
 * are tried in turn until one answers. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/real.h"

/* How long to wait for room in the backlog of a unix socket, which cannot be polled for. */
#define UNIX_RETRY (10 * NANOS_PER_MILLI)

/* A question to the resolver. It cannot be taken back, so it outlives who asked. */
typedef struct Question {
    uv_getaddrinfo_t request;
    RealDial *asker; /* NULL: nobody listens any more */
} Question;

/* A socket on its way to one address. */
typedef struct Attempt {
    uv_poll_t poll;
    int fd;
    RealDial *dial;
} Attempt;

struct RealDial {
    RealStream *stream;
    Question *question;
    Attempt *attempt;
    Timer retry;
    struct addrinfo *found; /* from the resolver */
    struct addrinfo *next;  /* to try */
    struct addrinfo local;  /* `next` for a unix socket */
    struct sockaddr_storage path;
    int error; /* of the last attempt */
};

static void try_next(RealDial *dial);

static void on_attempt_closed(uv_handle_t *handle) {
    free(CONTAINER(handle, Attempt, poll));
}

/* Ends an attempt; its socket is the caller's. */
static int attempt_end(Attempt *attempt) {
    int fd = attempt->fd;
    attempt->dial->attempt = NULL;
    uv_poll_stop(&attempt->poll);
    uv_close((uv_handle_t *)&attempt->poll, on_attempt_closed);
    return fd;
}

void real_dial_free(RealDial *dial) {
    if (dial->question) {
        dial->question->asker = NULL;
        uv_cancel((uv_req_t *)&dial->question->request);
    }
    if (dial->attempt)
        close(attempt_end(dial->attempt));
    wheel_cancel(world_wheel(dial->stream->stream.world), &dial->retry);
    uv_freeaddrinfo(dial->found);
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
    dial->next = dial->next->ai_next;
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
static bool try_one(RealDial *dial) {
    World *world = dial->stream->stream.world;
    const struct addrinfo *to = dial->next;
    int fd = socket_new(to->ai_family);
    if (fd < 0) {
        dial->error = fd;
        return false;
    }
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0) {
        succeed(dial, fd);
        return true;
    }
    dial->error = -errno;
    if (errno == EINPROGRESS && (dial->error = attempt_begin(dial, fd)) == 0)
        return true;
    close(fd);
    if (dial->error == -EAGAIN && to->ai_family == AF_UNIX) {
        wheel_arm(world_wheel(world), &dial->retry, world_now(world) + UNIX_RETRY);
        return true;
    }
    return false;
}

static void try_next(RealDial *dial) {
    for (; dial->next; dial->next = dial->next->ai_next)
        if (try_one(dial))
            return;
    real_stream_over(dial->stream, dial->error);
}

static void on_answer(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
    Question *question = CONTAINER(request, Question, request);
    RealDial *dial = question->asker;
    real_awake(request->loop->data);
    free(question);
    if (!dial) {
        uv_freeaddrinfo(found);
        return;
    }
    dial->question = NULL;
    dial->found = dial->next = found;
    dial->error = status ? socket_name_error(status) : -ENXIO;
    try_next(dial);
}

/* Literals are read on the spot, names are asked for. */
static int resolve(RealDial *dial, RealWorld *real, const Address *address) {
    char port[8];
    snprintf(port, sizeof port, "%u", address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    if (getaddrinfo(address->host, port, &hints, &dial->found) == 0) {
        dial->next = dial->found;
        return 0;
    }
    dial->question = xcalloc(1, sizeof *dial->question);
    dial->question->asker = dial;
    hints.ai_flags = 0;
    return uv_getaddrinfo(&real->loop, &dial->question->request, on_answer, address->host, port,
                          &hints);
}

int real_connect(World *world, const Address *address, Stream **ret) {
    if (real_world(world)->freeing)
        return -ECANCELED;
    RealDial *dial = xcalloc(1, sizeof *dial);
    dial->retry.fire = on_retry;
    if (address->kind == ADDRESS_UNIX) {
        dial->local.ai_family = AF_UNIX;
        dial->local.ai_addr = (struct sockaddr *)&dial->path;
        dial->local.ai_addrlen = socket_unix(address->host, &dial->path);
        dial->next = &dial->local;
    } else if (resolve(dial, real_world(world), address) != 0) {
        free(dial->question);
        free(dial);
        return -EINVAL;
    }
    dial->stream = real_stream_new(world);
    dial->stream->dial = dial;
    *ret = &dial->stream->stream;
    if (dial->next)
        try_next(dial);
    return 0;
}
