/* Connected byte streams and the listeners they come from: TCP, unix sockets, both inside a
 * simulated network; TLS (net/tls.h) is a Stream above another.
 *
 * The owner is told through a StreamHandler; calls come from the loop, never from inside a
 * function of this header. All functions may be called from inside those calls. `closed` comes
 * exactly once and last; after it the Stream is gone. */
#pragma once

#include "os/address.h"
#include "os/world.h"

typedef struct Stream Stream;
typedef struct StreamOps StreamOps;

/* What the owner does not care for may be NULL. */
typedef struct StreamHandler {
    /* A connect has succeeded (client side only); for TLS: the handshake is done. */
    void (*connected)(void *owner);
    /* Bytes came in; they are valid during the call. A turn brings at most one call per stream,
     * of at most STREAM_PIECE bytes, so that no stream starves the others. */
    void (*read)(void *owner, Span bytes);
    /* The peer will send no more. */
    void (*end)(void *owner);
    /* What stream_pending counts has fallen to STREAM_LOW or below after having been above. */
    void (*writable)(void *owner);
    /* The stream is over: 0 after both sides ended or stream_close(…, 0), else a negative errno:
     * of the failed connect, of the broken connection, or what stream_close was given. */
    void (*closed)(void *owner, int error);
} StreamHandler;

#define STREAM_LOW   (64 * 1024)
#define STREAM_PIECE (64 * 1024)

/* Implementations embed this first. `handler` may be NULL. */
struct Stream {
    const StreamOps *ops;
    World *world;
    const StreamHandler *handler;
    void *owner;
};

struct StreamOps {
    void (*read_start)(Stream *);
    void (*read_stop)(Stream *);
    void (*write)(Stream *, Span bytes);
    size_t (*pending)(const Stream *);
    void (*flush)(Stream *);
    void (*finish)(Stream *);
    void (*close)(Stream *, int error);
    int (*detach)(Stream *);
    Span (*peer)(const Stream *, char *room, size_t size);
    int64_t (*peer_uid)(const Stream *);
};

/* Who gets the callbacks; set before the first turn after accept or connect, and changed at any
 * time. A NULL handler gets none: how to let go of a stream that is being closed. */
static inline void stream_handle(Stream *stream, const StreamHandler *handler, void *owner) {
    stream->handler = handler;
    stream->owner = owner;
}

/* Reading is off at first. While it is off, neither `read` nor `end` comes, and a broken
 * connection is noticed only by writing. */
static inline void stream_read_start(Stream *stream) {
    stream->ops->read_start(stream);
}
static inline void stream_read_stop(Stream *stream) {
    stream->ops->read_stop(stream);
}

/* Queues bytes (copied), also before `connected`. All that is written in one turn leaves in one
 * system call at its end. After stream_finish and stream_close, bytes are dropped. Nothing bounds
 * the queue but its writer, who looks at stream_pending and waits for `writable`. */
static inline void stream_write(Stream *stream, Span bytes) {
    stream->ops->write(stream, bytes);
}

/* Bytes queued and not yet taken by the kernel: the measure for back-pressure. */
static inline size_t stream_pending(const Stream *stream) {
    return stream->ops->pending(stream);
}

/* Sends what is queued now instead of at the end of the turn. */
static inline void stream_flush(Stream *stream) {
    stream->ops->flush(stream);
}

/* Ends our direction once everything queued is sent; reading goes on. */
static inline void stream_finish(Stream *stream) {
    stream->ops->finish(stream);
}

/* Ends both directions at once. With error 0 what is queued is given a last non-blocking try;
 * with an error it is dropped, and a TCP peer sees a reset, not an end. Bytes of the peer that
 * nobody read turn the end into a reset, too, which may cost the peer our last words: who must
 * have them heard finishes, reads on until `end`, and then closes. */
static inline void stream_close(Stream *stream, int error) {
    stream->ops->close(stream, error);
}

/* Takes the socket out: returns its descriptor, and the Stream is freed without `closed`. Fails
 * with -ENOTSUP (TLS, simulation) or with -EBUSY (connecting, or output is waiting). With
 * stream_adopt, another thread's World takes it over together with the bytes already read. */
static inline int stream_detach(Stream *stream) {
    return stream->ops->detach(stream);
}

/* Makes a Stream of a connected socket, which it owns from then on. `first` (copied) is handed to
 * `read` before anything else. Fails, leaving the descriptor to the caller, when it is not a
 * socket; -ENOTSUP in a simulation. */
int stream_adopt(World *world, int fd, Span first, Stream **ret);

/* Two streams connected to each other within one World, for a server and a client that live
 * together: a socket pair in the real world, a connection of the simulated network (with its
 * delays and cuts) in a simulation. Fails with -EMFILE and its like. */
int stream_pair(World *world, Stream *ret[2]);

/* The peer: "127.0.0.1:50123", "[::1]:50123", "unix:", laid into `room` of ADDRESS_MAX bytes;
 * empty when it is gone. The uid of a unix peer or -1. */
static inline Span stream_peer(const Stream *stream, char *room, size_t size) {
    return stream->ops->peer(stream, room, size);
}
static inline int64_t stream_peer_uid(const Stream *stream) {
    return stream->ops->peer_uid(stream);
}

/* Connects; `connected` or `closed` tells how it went. Names are looked up without blocking the
 * loop (-ENXIO: there is no such name; -EAGAIN: nobody could tell), the addresses found are tried
 * in turn, and the last one's error is told. There is no time limit but the kernel's: the owner
 * sets one and closes. Fails at once only with -ECANCELED, while the World is being freed. */
int stream_connect(World *world, const Address *address, const StreamHandler *handler, void *owner,
                   Stream **ret);

typedef struct Listener Listener;

/* Each accepted stream goes to `accept`, which sets its handler and starts reading, or closes
 * it. When descriptors run out, what comes waits in the kernel's backlog until there are some.
 *
 * A unix socket has mode 0600; a stale file is replaced, a live one is -EADDRINUSE, as is a file
 * of another kind. A host name is looked up on the spot, which may block: give literals or
 * "localhost". Other failures: -EADDRNOTAVAIL, -EACCES, -EMFILE and their like. */
int listener_open(World *world, const Address *address, void (*accept)(void *owner, Stream *stream),
                  void *owner, Listener **ret);
/* The same on a listening socket that was inherited, and owned from then on. Fails, leaving it to
 * the caller, when it is none; -ENOTSUP in a simulation. */
int listener_adopt(World *world, int fd, void (*accept)(void *owner, Stream *stream), void *owner,
                   Listener **ret);
/* Stops accepting; streams live on. The file of a unix socket that listener_open made is removed;
 * that of an inherited one is left to who made it. */
void listener_close(Listener *listener);
/* Accepting can pause, for instance at the connection limit: what comes waits in the kernel's
 * backlog. No `accept` comes after the call. */
void listener_pause(Listener *listener, bool paused);
/* Where it listens, with the port that was chosen for 0. */
void listener_address(const Listener *listener, Address *ret);
/* The descriptor, to be inherited; -1 in a simulation. */
int listener_fd(const Listener *listener);
