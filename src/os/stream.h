/* Connected byte streams and the listeners they come from: TCP, unix sockets, both inside a
 * simulated network; TLS (net/tls.h) is a Stream above another.
 *
 * The owner is told through a StreamHandler; calls come from the loop, never from inside a
 * function of this header. `closed` comes exactly once and last; after it the Stream is gone. */
#pragma once

#include "os/world.h"

typedef struct Stream Stream;
typedef struct StreamOps StreamOps;

typedef struct StreamHandler {
    /* A connect has succeeded (client side only); for TLS: the handshake is done. */
    void (*connected)(void *owner);
    /* Bytes came in; they are valid during the call. */
    void (*read)(void *owner, Span bytes);
    /* The peer will send no more. */
    void (*end)(void *owner);
    /* What stream_pending counts has fallen to STREAM_LOW or below after having been above. */
    void (*writable)(void *owner);
    /* The stream is over: 0 after both sides ended or stream_close(…, 0), else a negative errno. */
    void (*closed)(void *owner, int error);
} StreamHandler;

#define STREAM_LOW (64 * 1024)

/* Implementations embed this first. */
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
};

/* Who gets the callbacks; set before the first turn after accept or connect, and changed at any
 * time. */
static inline void stream_handle(Stream *stream, const StreamHandler *handler, void *owner) {
    stream->handler = handler;
    stream->owner = owner;
}

/* Reading is off at first. */
static inline void stream_read_start(Stream *stream) {
    stream->ops->read_start(stream);
}
static inline void stream_read_stop(Stream *stream) {
    stream->ops->read_stop(stream);
}

/* Queues bytes (copied). All that is written in one turn leaves in one system call at its end. */
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

/* Ends both directions at once; what is queued is given a last non-blocking try when error is 0,
 * else dropped. */
static inline void stream_close(Stream *stream, int error) {
    stream->ops->close(stream, error);
}

/* Takes the socket out: returns its descriptor, or -ENOTSUP (TLS, simulation). The Stream is
 * freed without `closed`. With stream_adopt, another thread's World takes it over together with
 * the bytes already read. */
static inline int stream_detach(Stream *stream) {
    return stream->ops->detach(stream);
}
int stream_adopt(World *world, int fd, Span first, Stream **ret);

/* The peer: "127.0.0.1:50123", "[::1]:50123", "unix:"; the uid of a unix peer or -1. */
Span stream_peer(const Stream *stream, char *room, size_t size);
int64_t stream_peer_uid(const Stream *stream);

/* Where to listen or connect: "127.0.0.1:50051", "[::1]:0", "localhost:80", "unix:/run/x.sock". */
typedef struct Address {
    enum { ADDRESS_TCP, ADDRESS_UNIX } kind;
    char host[256]; /* name or literal without brackets; the path of a unix socket */
    uint16_t port;
} Address;
bool address_parse(Span text, Address *ret);
/* True for 127.0.0.0/8, ::1, "localhost" and unix sockets. */
bool address_is_loopback(const Address *address);
size_t address_format(const Address *address, char *out, size_t room);

/* Connects; `connected` or `closed` tells how it went. Names are resolved without blocking the
 * loop, the addresses found are tried in turn. Fails at once only for an address that cannot be
 * (-EINVAL). */
int stream_connect(World *world, const Address *address, const StreamHandler *handler, void *owner,
                   Stream **ret);

typedef struct Listener Listener;

/* Each accepted stream goes to `accept`, which sets its handler and starts reading, or closes
 * it. A stale unix socket file is replaced, a live one is -EADDRINUSE. */
int listener_open(World *world, const Address *address, void (*accept)(void *owner, Stream *stream),
                  void *owner, Listener **ret);
/* The same on a listening socket that was inherited. */
int listener_adopt(World *world, int fd, void (*accept)(void *owner, Stream *stream), void *owner,
                   Listener **ret);
/* Stops accepting; streams live on. */
void listener_close(Listener *listener);
/* Accepting can pause, for instance at the connection limit: what comes waits in the kernel's
 * backlog. */
void listener_pause(Listener *listener, bool paused);
/* Where it listens, with the port that was chosen for 0. */
void listener_address(const Listener *listener, Address *ret);
/* The descriptor, to be inherited; -1 in a simulation. */
int listener_fd(const Listener *listener);
