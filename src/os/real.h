/* The real world's own pieces: private to real*.c. */
#pragma once

#include <sys/socket.h>
#include <uv.h>

#include "base/buf.h"
#include "os/world_ops.h"

/* Output buffers that a World keeps for reuse, and how large one may be for that: enough for what
 * fifty connections write in one turn, since a heap that grows and shrinks for it costs a page fault
 * every 4 KiB. */
#define SPARE_BUFFERS 64
#define SPARE_SIZE    (128 * 1024)

typedef struct RealWorld {
    World world;
    uv_loop_t loop;
    uv_timer_t alarm; /* ends the wait in time for the next deadline … */
    Nanos alarm_at;   /* … at this instant; WHEEL_NEVER: not set */
    Nanos looked;     /* when the loop last looked at the clock … */
    Nanos promised;   /* … and when it meant to do so again at the latest */
    bool awake;       /* has looked at the clock in this turn */
    bool freeing;     /* nothing is opened any more */
    Link streams, listeners, watches, bells, signals;
    char *piece;               /* STREAM_PIECE bytes that every read goes through */
    Buf spares[SPARE_BUFFERS]; /* output buffers that no stream uses now */
    unsigned spare_count;
    unsigned char random[256];
    size_t random_left;
} RealWorld;

static inline RealWorld *real_world(World *world) {
    return CONTAINER(world, RealWorld, world);
}

/* First thing in every callback of the loop: takes the time once a turn, and moves the deadlines
 * when the loop was held up. */
void real_awake(RealWorld *real);

/* ---- descriptors ---- */

int real_watch(World *world, int fd, FdWatch **ret);
/* The watch that stands in the world's list. */
FdWatch *real_watch_of(Link *link);

/* ---- streams ---- */

typedef struct RealDial RealDial;

/* A TCP or unix socket. While no output waits it holds no memory but this. */
typedef struct RealStream {
    Stream stream;
    Task settle; /* what is to do at the end of the turn */
    Link link;   /* in the world's streams */
    uv_poll_t poll;
    int events; /* what poll waits for */
    int fd;
    int error;
    enum { REAL_CONNECTING, REAL_OPEN, REAL_OVER, REAL_GONE } state;
    bool reading : 1;   /* the owner wants to read */
    bool ended : 1;     /* the peer has sent all */
    bool finishing : 1; /* the owner has sent all … */
    bool finished : 1;  /* … and the kernel knows it */
    bool broken : 1;    /* cannot be written to; what came before is still read */
    bool above : 1;     /* output has been above STREAM_LOW */
    bool announce : 1;  /* `connected` is still to be told */
    bool polled : 1;    /* libuv knows poll */
    Buf out;
    size_t sent;    /* of out */
    Buf first;      /* what was read before we got the socket … */
    size_t handed;  /* … and how much of it was handed on */
    RealDial *dial; /* while connecting */
} RealStream;

/* A stream in the world's list that has no socket yet. */
RealStream *real_stream_new(World *world);

/* Gives it its connected, non-blocking socket. */
void real_stream_open(RealStream *stream, int fd);

/* It is over; `closed` comes at the end of the turn. */
void real_stream_over(RealStream *stream, int error);

int real_adopt(World *world, int fd, Span first, Stream **ret);
int real_pair(World *world, Stream *ret[2]);

/* ---- connecting and listening ---- */

int real_connect(World *world, const Address *address, Stream **ret);
/* Gives the attempt up. */
void real_dial_free(RealDial *dial);

void real_resolve(Resolution *resolution, const Address *address);
void real_resolve_cancel(Resolution *resolution);

int real_listen(World *world, const Address *address, Listener **ret);
int real_listener_adopt(World *world, int fd, Listener **ret);
/* The listener that stands in the world's list. */
Listener *real_listener_of(Link *link);

/* ---- sockets (real_socket.c): all close-on-exec, non-blocking, without Nagle's delay ---- */

/* A new socket's descriptor, or a negative errno. */
int socket_new(int family);

/* Makes an inherited socket like ours; -ENOTSOCK or -EINVAL when it is none of the kind. */
int socket_adopt(int fd, bool listening);

/* Our address as the kernel's; its length, or 0 when it is neither a literal nor a path that
 * fits. */
socklen_t socket_to(const Address *address, struct sockaddr_storage *ret);

/* A kernel's address as ours. */
void socket_from(const struct sockaddr_storage *from, socklen_t length, Address *ret);
