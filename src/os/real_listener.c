/* Listening in the real world. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/real.h"

/* How many connections one turn takes, so that a crowd at the door does not starve those inside. */
#define ACCEPT_PIECE 64

/* When descriptors or memory run out, connections wait in the backlog, and are looked for again. */
#define STARVED_PAUSE (100 * NANOS_PER_MILLI)

typedef struct RealListener {
    Listener listener;
    Link link; /* in the world's listeners */
    uv_poll_t poll;
    int fd;
    bool paused;
    Timer starved; /* armed: takes nothing until it fires */
    char *path;    /* of the socket file that we made, to be removed … */
    dev_t device;  /* … if it still is the one we made */
    ino_t inode;
} RealListener;

static RealListener *real_listener(const Listener *listener) {
    return CONTAINER(listener, RealListener, listener);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(RealListener *listener) {
    bool open = listener->fd >= 0 && !listener->paused && !timer_is_armed(&listener->starved);
    uv_poll_start(&listener->poll, open ? UV_READABLE : 0, on_poll);
}

static void on_starved(Timer *timer) {
    watch(CONTAINER(timer, RealListener, starved));
}

static void accept_failed(RealListener *listener, int error) {
    World *world = listener->listener.world;
    if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM)
        return; /* none there, or one that broke while it waited */
    wheel_arm(world_wheel(world), &listener->starved, world_now(world) + STARVED_PAUSE);
    watch(listener);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    RealListener *listener = CONTAINER(poll, RealListener, poll);
    real_awake(poll->loop->data);
    for (int i = 0; i < ACCEPT_PIECE && listener->fd >= 0 && !listener->paused; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            accept_failed(listener, errno);
            return;
        }
        RealStream *stream = real_stream_new(listener->listener.world);
        real_stream_open(stream, fd);
        listener->listener.accept(listener->listener.owner, &stream->stream);
    }
}

/* ---- the owner's side ---- */

static void on_poll_closed(uv_handle_t *handle) {
    free(CONTAINER(handle, RealListener, poll));
}

static void remove_file(RealListener *listener) {
    struct stat file;
    if (listener->path && lstat(listener->path, &file) == 0 && file.st_dev == listener->device &&
        file.st_ino == listener->inode)
        unlink(listener->path);
    free(listener->path);
}

static void real_close(Listener *base) {
    RealListener *listener = real_listener(base);
    wheel_cancel(world_wheel(base->world), &listener->starved);
    list_remove(&listener->link);
    remove_file(listener);
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    close(listener->fd);
    listener->fd = -1;
}

static void real_pause(Listener *base, bool paused) {
    real_listener(base)->paused = paused;
    watch(real_listener(base));
}

static void real_address(const Listener *base, Address *ret) {
    struct sockaddr_storage at = {0};
    socklen_t length = sizeof at;
    getsockname(real_listener(base)->fd, (struct sockaddr *)&at, &length);
    socket_from(&at, length, ret);
}

static int real_fd(const Listener *base) {
    return real_listener(base)->fd;
}

Listener *real_listener_of(Link *link) {
    return &CONTAINER(link, RealListener, link)->listener;
}

static const ListenerOps REAL_LISTENER_OPS = {
    .close = real_close,
    .pause = real_pause,
    .address = real_address,
    .fd = real_fd,
};

/* ---- opening ---- */

static int listener_on(World *world, int fd, RealListener **ret) {
    RealListener *listener = xcalloc(1, sizeof *listener);
    int error = uv_poll_init(&real_world(world)->loop, &listener->poll, fd);
    if (error) {
        free(listener);
        return error;
    }
    listener->listener = (Listener){.ops = &REAL_LISTENER_OPS, .world = world};
    listener->fd = fd;
    listener->starved.fire = on_starved;
    list_push_back(&real_world(world)->listeners, &listener->link);
    watch(listener);
    *ret = listener;
    return 0;
}

static int bind_and_listen(int fd, const struct sockaddr *at, socklen_t length) {
    return bind(fd, at, length) == 0 && listen(fd, SOMAXCONN) == 0 ? 0 : -errno;
}

static int open_tcp(const Address *address) {
    /* "localhost" need not be asked for (RFC 6761, section 6.3). */
    const char *host = strcasecmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host;
    char port[8];
    snprintf(port, sizeof port, "%u", address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code)
        return -ENXIO;
    int fd = socket_new(found->ai_family);
    if (fd >= 0) {
        int on = 1, off = 0;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (found->ai_family == AF_INET6) /* "[::]" takes IPv4, too */
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        int error = bind_and_listen(fd, found->ai_addr, found->ai_addrlen);
        if (error) {
            close(fd);
            fd = error;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* A socket file that nobody listens at any more is left from a program that did not end well. */
static bool is_stale(const char *path, const struct sockaddr_storage *at, socklen_t length) {
    struct stat file;
    if (lstat(path, &file) != 0 || !S_ISSOCK(file.st_mode))
        return false;
    int fd = socket_new(AF_UNIX);
    if (fd < 0)
        return false;
    bool refused = connect(fd, (const struct sockaddr *)at, length) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int open_unix(const Address *address) {
    struct sockaddr_storage at;
    socklen_t length = socket_to(address, &at);
    if (!length)
        return -EINVAL;
    int fd = socket_new(AF_UNIX);
    if (fd < 0)
        return fd;
    /* The file takes its mode from the socket, so it is never open to others. */
    int error = fchmod(fd, S_IRUSR | S_IWUSR) == 0 ? 0 : -errno;
    if (!error)
        error = bind_and_listen(fd, (struct sockaddr *)&at, length);
    if (error == -EADDRINUSE && is_stale(address->host, &at, length) && unlink(address->host) == 0)
        error = bind_and_listen(fd, (struct sockaddr *)&at, length);
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

int real_listen(World *world, const Address *address, Listener **ret) {
    if (real_world(world)->freeing)
        return -ECANCELED;
    int fd = address->kind == ADDRESS_UNIX ? open_unix(address) : open_tcp(address);
    if (fd < 0)
        return fd;
    RealListener *listener;
    int error = listener_on(world, fd, &listener);
    if (error) {
        close(fd);
        return error;
    }
    struct stat file;
    if (address->kind == ADDRESS_UNIX && lstat(address->host, &file) == 0) {
        listener->path = strdup(address->host);
        listener->device = file.st_dev;
        listener->inode = file.st_ino;
    }
    *ret = &listener->listener;
    return 0;
}

int real_listener_adopt(World *world, int fd, Listener **ret) {
    if (real_world(world)->freeing)
        return -ECANCELED;
    RealListener *listener;
    int error = socket_adopt(fd, true);
    if (!error)
        error = listener_on(world, fd, &listener);
    if (!error)
        *ret = &listener->listener;
    return error;
}
