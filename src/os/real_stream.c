/* Streams of the real world: one read a turn through the World's buffer, one write at its end. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/real.h"

static const StreamOps REAL_STREAM_OPS;

static RealStream *real_stream(const Stream *stream) {
    return CONTAINER(stream, RealStream, stream);
}

static size_t pending(const RealStream *stream) {
    return stream->out.len - stream->sent;
}

static void settle_later(RealStream *stream) {
    world_defer(stream->stream.world, &stream->settle);
}

/* ---- output ---- */

/* A stream has an output buffer only while there is output; between, the World keeps it. */
static void out_take(RealStream *stream) {
    RealWorld *real = real_world(stream->stream.world);
    if (real->spare_count)
        stream->out = real->spares[--real->spare_count];
}

static void out_give(RealStream *stream) {
    RealWorld *real = real_world(stream->stream.world);
    if (stream->out.cap && stream->out.cap <= SPARE_SIZE && real->spare_count < SPARE_BUFFERS) {
        buf_clear(&stream->out);
        real->spares[real->spare_count++] = stream->out;
        stream->out = (Buf){0};
    } else {
        buf_done(&stream->out);
    }
    stream->sent = 0;
}

static void out_add(RealStream *stream, Span bytes) {
    if (!stream->out.cap)
        out_take(stream);
    if (stream->sent && stream->sent >= stream->out.len / 2) {
        stream->out.len -= stream->sent;
        memmove(stream->out.ptr, stream->out.ptr + stream->sent, stream->out.len);
        stream->sent = 0;
    }
    buf_add(&stream->out, bytes);
}

/* Gives the kernel what it takes. */
static void out_send(RealStream *stream) {
    if (stream->state != REAL_OPEN || pending(stream) == 0)
        return;
    ssize_t sent;
    do
        sent = send(stream->fd, stream->out.ptr + stream->sent, pending(stream), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        stream->sent += (size_t)sent;
    } else if (errno != EAGAIN && errno != ENOBUFS) {
        stream->error = -errno;
        stream->broken = true;
        stream->sent = stream->out.len;
    }
    if (pending(stream) == 0)
        out_give(stream);
}

/* ---- the loop's side ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

static bool wants_bytes(const RealStream *stream) {
    return stream->reading && !stream->ended;
}

/* Lets the loop wait for what the stream needs now. */
static void watch(RealStream *stream) {
    int events = 0;
    if (wants_bytes(stream) && !stream->first.len)
        events |= UV_READABLE;
    if (pending(stream))
        events |= UV_WRITABLE;
    if (events == stream->events)
        return;
    stream->events = events;
    uv_poll_start(&stream->poll, events, on_poll); /* no events: stops */
}

static void read_socket(RealStream *stream) {
    RealWorld *real = real_world(stream->stream.world);
    ssize_t got = recv(stream->fd, real->piece, STREAM_PIECE, 0);
    if (got > 0) {
        STREAM_TELL(&stream->stream, read, (Span){real->piece, (size_t)got});
    } else if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            real_stream_over(stream, stream->broken ? stream->error : -errno);
    } else if (stream->broken) {
        real_stream_over(stream, stream->error);
    } else {
        stream->ended = true;
        STREAM_TELL(&stream->stream, end);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    RealStream *stream = CONTAINER(poll, RealStream, poll);
    real_awake(poll->loop->data);
    if (status < 0) {
        /* The socket has an error, which reading or writing will tell, after what came before it.
         * libuv has stopped waiting. */
        events = stream->events;
        stream->events = 0;
    }
    if (events & UV_READABLE && wants_bytes(stream))
        read_socket(stream);
    if (stream->state == REAL_OPEN && (status < 0 || events & UV_WRITABLE || stream->ended))
        settle_later(stream);
}

/* Hands on what was read before the socket came to us, a piece at a time. */
static void hand_first(RealStream *stream) {
    Span piece = span_skip(buf_span(&stream->first), stream->handed);
    if (piece.len > STREAM_PIECE) {
        piece.len = STREAM_PIECE;
        stream->handed += piece.len;
        STREAM_TELL(&stream->stream, read, piece);
        settle_later(stream);
        return;
    }
    Buf last = stream->first; /* now the stream may be detached */
    stream->first = (Buf){0};
    STREAM_TELL(&stream->stream, read, piece);
    buf_done(&last);
}

static void on_poll_closed(uv_handle_t *handle) {
    RealStream *stream = CONTAINER(handle, RealStream, poll);
    stream->polled = false;
    if (stream->state == REAL_GONE)
        free(stream);
}

/* Takes the socket away from libuv, which must come before its descriptor is closed: closing the
 * handle stops the wait for that number, whoever has it by then. */
static int release(RealStream *stream) {
    int fd = stream->fd;
    stream->fd = -1;
    if (stream->polled)
        uv_close((uv_handle_t *)&stream->poll, on_poll_closed);
    return fd;
}

/* Takes the stream out of the World; its memory goes when libuv has let go of it, too. */
static void stream_free(RealStream *stream) {
    stream->state = REAL_GONE;
    world_undefer(&stream->settle);
    list_remove(&stream->link);
    buf_done(&stream->first);
    if (!stream->polled)
        free(stream);
}

/* The end of a turn in which something happened: tells, sends, and waits for what comes next. A
 * call to the owner may end the stream; then its last settling follows. */
static void settle(Task *task) {
    RealStream *stream = CONTAINER(task, RealStream, settle);
    if (stream->state == REAL_OPEN && stream->announce) {
        stream->announce = false;
        STREAM_TELL(&stream->stream, connected);
    }
    if (stream->state == REAL_OPEN && stream->first.len && stream->reading)
        hand_first(stream);
    out_send(stream);
    if (stream->state == REAL_OPEN && stream->above && pending(stream) <= STREAM_LOW) {
        stream->above = false;
        if (!stream->broken)
            STREAM_TELL(&stream->stream, writable);
    }
    if (stream->state == REAL_OPEN && stream->finishing && !stream->finished && !pending(stream)) {
        stream->finished = true;
        shutdown(stream->fd, SHUT_WR);
    }
    if (stream->state == REAL_OPEN) {
        if (stream->broken && !wants_bytes(stream))
            real_stream_over(stream, stream->error);
        else if (stream->finished && stream->ended)
            real_stream_over(stream, 0);
        else
            watch(stream);
    } else if (stream->state == REAL_OVER && list_empty(&stream->settle.link)) {
        STREAM_TELL(&stream->stream, closed, stream->error);
        stream_free(stream);
    }
}

RealStream *real_stream_new(World *world) {
    RealStream *stream = xcalloc(1, sizeof *stream);
    stream->stream = (Stream){.ops = &REAL_STREAM_OPS, .world = world};
    stream->settle.run = settle;
    stream->fd = -1;
    list_push_back(&real_world(world)->streams, &stream->link);
    return stream;
}

void real_stream_open(RealStream *stream, int fd) {
    RealWorld *real = real_world(stream->stream.world);
    stream->fd = fd;
    stream->state = REAL_OPEN;
    int error = uv_poll_init(&real->loop, &stream->poll, fd);
    stream->polled = error == 0;
    if (error)
        real_stream_over(stream, error);
}

void real_stream_over(RealStream *stream, int error) {
    if (stream->state == REAL_CONNECTING)
        real_dial_free(stream->dial);
    stream->state = REAL_OVER;
    stream->error = error;
    stream->dial = NULL;
    out_give(stream);
    int fd = release(stream);
    if (fd >= 0)
        close(fd);
    settle_later(stream);
}

/* ---- the owner's side ---- */

static void real_read_start(Stream *base) {
    RealStream *stream = real_stream(base);
    stream->reading = true;
    if (stream->state == REAL_OPEN)
        settle_later(stream);
}

static void real_read_stop(Stream *base) {
    RealStream *stream = real_stream(base);
    stream->reading = false;
    if (stream->state == REAL_OPEN)
        settle_later(stream);
}

static void real_write(Stream *base, Span bytes) {
    RealStream *stream = real_stream(base);
    if (stream->state >= REAL_OVER || stream->finishing || stream->broken || !bytes.len)
        return;
    out_add(stream, bytes);
    stream->above |= pending(stream) > STREAM_LOW;
    if (stream->state == REAL_OPEN)
        settle_later(stream);
}

static size_t real_pending(const Stream *base) {
    return pending(real_stream(base));
}

static void real_flush(Stream *base) {
    RealStream *stream = real_stream(base);
    out_send(stream);
    if (stream->state == REAL_OPEN)
        settle_later(stream);
}

static void real_finish(Stream *base) {
    RealStream *stream = real_stream(base);
    stream->finishing = true;
    if (stream->state == REAL_OPEN)
        settle_later(stream);
}

static void real_close(Stream *base, int error) {
    RealStream *stream = real_stream(base);
    if (stream->state >= REAL_OVER)
        return;
    if (error == 0) {
        out_send(stream);
    } else if (stream->fd >= 0) {
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    real_stream_over(stream, error);
}

static int real_detach(Stream *base) {
    RealStream *stream = real_stream(base);
    if (stream->state != REAL_OPEN || pending(stream) || stream->first.len)
        return -EBUSY;
    int fd = release(stream);
    out_give(stream);
    stream_free(stream);
    return fd;
}

static Span real_peer(const Stream *base, char *room, size_t size) {
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    if (getpeername(real_stream(base)->fd, (struct sockaddr *)&from, &length) != 0)
        return (Span){NULL, 0};
    Address address;
    socket_from(&from, length, &address);
    return (Span){room, address_format(&address, room, size)};
}

static int64_t real_peer_uid(const Stream *base) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    int fd = real_stream(base)->fd, family;
    socklen_t family_length = sizeof family;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &family_length) != 0 || family != AF_UNIX ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return -1;
    return peer.uid;
}

static const StreamOps REAL_STREAM_OPS = {
    .read_start = real_read_start,
    .read_stop = real_read_stop,
    .write = real_write,
    .pending = real_pending,
    .flush = real_flush,
    .finish = real_finish,
    .close = real_close,
    .detach = real_detach,
    .peer = real_peer,
    .peer_uid = real_peer_uid,
};

/* ---- sockets from elsewhere ---- */

int real_adopt(World *world, int fd, Span first, Stream **ret) {
    if (real_world(world)->freeing)
        return -ECANCELED;
    int error = socket_adopt(fd, false);
    if (error)
        return error;
    RealStream *stream = real_stream_new(world);
    real_stream_open(stream, fd);
    buf_add(&stream->first, first);
    *ret = &stream->stream;
    return 0;
}

int real_pair(World *world, Stream *ret[2]) {
    int fds[2];
    if (real_world(world)->freeing)
        return -ECANCELED;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        RealStream *stream = real_stream_new(world);
        real_stream_open(stream, fds[i]);
        ret[i] = &stream->stream;
    }
    return 0;
}
