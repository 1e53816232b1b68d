/* What only real sockets have: descriptors that move between threads, socket files, peers, and
 * limits of the system. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/test.h"
#include "os/stream.h"

static char directory[] = "/tmp/muster-socket-XXXXXX";

/* A stream that notes what it gets, and answers when told to. */
typedef struct Peer {
    World *world;
    Stream *stream;
    Buf got;
    bool echoes;
    int closed, error;
} Peer;

static void peer_read(void *owner, Span bytes) {
    Peer *peer = owner;
    buf_add(&peer->got, bytes);
    if (peer->echoes)
        stream_write(peer->stream, bytes);
}

static void peer_end(void *owner) {
    stream_finish(((Peer *)owner)->stream);
}

static void peer_closed(void *owner, int error) {
    Peer *peer = owner;
    peer->closed++;
    peer->error = error;
}

static const StreamHandler PEER = {.read = peer_read, .end = peer_end, .closed = peer_closed};

static void peer_of(Peer *peer, Stream *stream) {
    *peer = (Peer){.world = stream->world, .stream = stream};
    stream_handle(stream, &PEER, peer);
    stream_read_start(stream);
}

/* Accepts a few, keeps them, and stops the World at the last one wanted. */
typedef struct Host {
    World *world;
    Listener *listener;
    Address address;
    Peer peers[4];
    int accepted, wanted;
    Timer timer;
} Host;

static void host_accept(void *owner, Stream *stream) {
    Host *host = owner;
    assert_true(host->accepted < host->wanted);
    peer_of(&host->peers[host->accepted++], stream);
    if (host->accepted == host->wanted)
        world_stop(host->world);
}

static void host_open(Host *host, const char *address) {
    *host = (Host){.world = world_new()};
    assert_true(address_parse(span_of(address), &host->address));
    assert_int_equal(listener_open(host->world, &host->address, host_accept, host, &host->listener),
                     0);
    listener_address(host->listener, &host->address);
}

static void host_done(Host *host) {
    listener_close(host->listener);
    world_free(host->world);
    for (int i = 0; i < host->accepted; i++)
        buf_done(&host->peers[i].got);
}

static void host_stop(Timer *timer) {
    world_stop(CONTAINER(timer, Host, timer)->world);
}

/* Runs a little, with time for something to happen that must not. */
static void host_run_idle(Host *host) {
    host->timer.fire = host_stop;
    wheel_arm(world_wheel(host->world), &host->timer,
              world_now(host->world) + 30 * NANOS_PER_MILLI);
    world_run(host->world);
}

static char *socket_path(char *room, size_t size, const char *name) {
    snprintf(room, size, "unix:%s/%s", directory, name);
    return room;
}

/* A plain, blocking client. */
static int dial(const Address *address) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, address->host, sizeof to.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* ---- moving a socket to another thread ---- */

static void *serve_moved(void *argument) {
    Peer *peer = argument;
    world_run(peer->world);
    return NULL;
}

static void sockets_move_between_threads(void **state) {
    (void)state;
    char text[ADDRESS_MAX];
    Host host;
    host_open(&host, socket_path(text, sizeof text, "moving"));
    host.wanted = 1;
    int client = dial(&host.address);
    assert_int_equal(write(client, "first ", 6), 6);
    world_run(host.world);
    host_run_idle(&host);
    assert_span(buf_span(&host.peers[0].got), "first ");

    stream_write(host.peers[0].stream, SPAN("busy"));
    assert_int_equal(stream_detach(host.peers[0].stream), -EBUSY);
    stream_flush(host.peers[0].stream);
    int fd = stream_detach(host.peers[0].stream);
    assert_true(fd >= 0);

    World *other = world_new();
    Peer moved;
    Stream *stream;
    assert_int_equal(stream_adopt(other, fd, buf_span(&host.peers[0].got), &stream), 0);
    peer_of(&moved, stream);
    moved.echoes = true;
    assert_int_equal(stream_detach(stream), -EBUSY);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, serve_moved, &moved), 0);
    assert_int_equal(write(client, "second", 6), 6);
    shutdown(client, SHUT_WR);
    char answer[64];
    size_t len = 0;
    for (ssize_t got; (got = read(client, answer + len, sizeof answer - len)) > 0;)
        len += (size_t)got;
    pthread_join(thread, NULL);
    answer[len] = '\0';
    assert_string_equal(answer, "busyfirst second");
    assert_int_equal(moved.closed, 1);
    assert_int_equal(moved.error, 0);
    assert_int_equal(host.peers[0].closed, 0);
    buf_done(&moved.got);
    world_free(other);
    close(client);
    host_done(&host);
}

static void read_and_detach(void *owner, Span bytes) {
    Peer *peer = owner;
    buf_add(&peer->got, bytes);
    peer->error = stream_detach(peer->stream);
}

static const StreamHandler DETACHER = {.read = read_and_detach, .closed = peer_closed};

/* From inside `read`, also of bytes that were read elsewhere. */
static void sockets_move_once_their_kind_is_known(void **state) {
    (void)state;
    static const char long_first[STREAM_PIECE + 10];
    for (int read_elsewhere = 0; read_elsewhere < 2; read_elsewhere++) {
        World *world = world_new();
        int fds[2];
        Stream *stream;
        Span first = read_elsewhere ? span(long_first, sizeof long_first) : (Span){NULL, 0};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(stream_adopt(world, fds[0], first, &stream), 0);
        assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        Peer peer;
        peer_of(&peer, stream);
        stream_handle(stream, &DETACHER, &peer);
        assert_int_equal(write(fds[1], "more", 4), 4);
        world_run(world);
        assert_int_equal(peer.error, fds[0]);
        assert_int_equal(peer.closed, 0);
        assert_int_equal(peer.got.len, read_elsewhere ? sizeof long_first : 4);
        close(fds[0]);
        close(fds[1]);
        buf_done(&peer.got);
        world_free(world);
    }
}

static void what_is_no_socket_is_not_adopted(void **state) {
    (void)state;
    World *world = world_new();
    Stream *stream = NULL;
    Listener *listener = NULL;
    int pipes[2], datagrams[2], streams[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, streams), 0);
    assert_int_equal(stream_adopt(world, pipes[0], SPAN(""), &stream), -ENOTSOCK);
    assert_int_equal(stream_adopt(world, -1, SPAN(""), &stream), -EBADF);
    assert_int_equal(stream_adopt(world, datagrams[0], SPAN(""), &stream), -EINVAL);
    assert_int_equal(listener_adopt(world, streams[0], host_accept, NULL, &listener), -EINVAL);
    assert_null(stream);
    assert_null(listener);
    for (int i = 0; i < 2; i++) {
        close(pipes[i]);
        close(datagrams[i]);
        close(streams[i]);
    }
    world_free(world);
}

/* ---- who is there ---- */

static void peers_have_names(void **state) {
    (void)state;
    static const char *const hosts[] = {"127.0.0.1:0", "[::1]:0", "[::]:0"};
    char room[ADDRESS_MAX], text[ADDRESS_MAX];
    for (int i = 0; i < 4; i++) {
        Host host;
        Peer client;
        Stream *stream;
        if (i == 1 && access("/proc/net/if_inet6", F_OK) != 0)
            continue; /* no IPv6 here */
        host_open(&host, i < 3 ? hosts[i] : socket_path(text, sizeof text, "named"));
        host.wanted = 1;
        Address to = host.address;
        if (i == 2) /* both families */
            strcpy(to.host, "127.0.0.1");
        assert_int_equal(stream_connect(host.world, &to, NULL, NULL, &stream), 0);
        peer_of(&client, stream);
        world_run(host.world);
        const Stream *server = host.peers[0].stream;
        Span name = stream_peer(server, room, sizeof room);
        Address from;
        if (i == 3) {
            assert_span(name, "unix:");
            assert_int_equal(stream_peer_uid(server), getuid());
        } else {
            assert_true(address_parse(name, &from));
            assert_string_equal(from.host, to.host);
            assert_int_not_equal(from.port, 0);
            assert_int_equal(stream_peer_uid(server), -1);
            address_format(&to, text, sizeof text);
            assert_span(stream_peer(stream, room, sizeof room), text);
        }
        host_done(&host);
        assert_int_equal(client.closed, 1);
    }
}

/* ---- socket files ---- */

static void socket_files_come_and_go(void **state) {
    (void)state;
    char text[ADDRESS_MAX];
    Host host, second;
    host_open(&host, socket_path(text, sizeof text, "file"));
    struct stat file;
    assert_int_equal(stat(host.address.host, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    assert_true(fcntl(listener_fd(host.listener), F_GETFD) & FD_CLOEXEC);

    /* One that is listened at is in use. */
    Listener *listener = NULL;
    assert_int_equal(listener_open(host.world, &host.address, host_accept, &host, &listener),
                     -EADDRINUSE);

    /* A stale one is replaced, and then not removed by who made the old one. */
    int old = dup(listener_fd(host.listener));
    shutdown(old, SHUT_RDWR);
    close(old);
    host_open(&second, text);
    listener_close(host.listener);
    host.listener = NULL;
    assert_int_equal(stat(second.address.host, &file), 0);
    second.wanted = 1;
    int client = dial(&second.address);
    world_run(second.world);
    close(client);
    host_done(&second);
    assert_int_equal(stat(second.address.host, &file), -1);

    /* A file of another kind stays. */
    int other = open(host.address.host, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(other);
    assert_int_equal(listener_open(host.world, &host.address, host_accept, &host, &listener),
                     -EADDRINUSE);
    assert_int_equal(unlink(host.address.host), 0);
    assert_null(listener);
    host_done(&host);
}

static void listeners_are_inherited(void **state) {
    (void)state;
    char text[ADDRESS_MAX];
    Host host;
    host_open(&host, socket_path(text, sizeof text, "inherited"));
    host.wanted = 1;
    int fd = dup(listener_fd(host.listener));
    Address address;
    Listener *heir;
    assert_int_equal(listener_adopt(host.world, fd, host_accept, &host, &heir), 0);
    listener_address(heir, &address);
    assert_string_equal(address.host, host.address.host);
    listener_pause(host.listener, true);
    int client = dial(&address);
    world_run(host.world);
    assert_int_equal(host.accepted, 1);
    listener_close(heir);
    assert_int_equal(access(address.host, F_OK), 0);
    close(client);
    host_done(&host);
}

/* ---- limits ---- */

static void pausing_leaves_them_in_the_backlog(void **state) {
    (void)state;
    char text[ADDRESS_MAX];
    Host host;
    host_open(&host, socket_path(text, sizeof text, "paused"));
    listener_pause(host.listener, true);
    int clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = dial(&host.address);
    host_run_idle(&host);
    assert_int_equal(host.accepted, 0);
    host.wanted = 3;
    listener_pause(host.listener, false);
    world_run(host.world);
    assert_int_equal(host.accepted, 3);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    host_done(&host);
}

static void running_out_of_descriptors_is_survived(void **state) {
    (void)state;
    char text[ADDRESS_MAX];
    Host host;
    host_open(&host, socket_path(text, sizeof text, "starved"));
    int clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = dial(&host.address);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    close(next);
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    host_run_idle(&host);
    assert_int_equal(host.accepted, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    host.wanted = 3;
    world_run(host.world);
    assert_int_equal(host.accepted, 3);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    host_done(&host);
}

/* A unix socket whose backlog is full cannot be waited for; the connect is tried again. */
static void a_full_backlog_delays_a_connect(void **state) {
    (void)state;
    char text[ADDRESS_MAX];
    Address address;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    assert_true(address_parse(span_of(socket_path(text, sizeof text, "full")), &address));
    memcpy(at.sun_path, address.host, sizeof at.sun_path);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(server, 0), 0);
    int first = dial(&address);
    Host host = {.world = world_new()};
    Peer client;
    Stream *stream;
    assert_int_equal(stream_connect(host.world, &address, NULL, NULL, &stream), 0);
    peer_of(&client, stream);
    stream_write(stream, SPAN("at last"));
    stream_finish(stream);
    host_run_idle(&host);
    assert_int_equal(client.closed, 0);
    close(accept(server, NULL, NULL));
    host_run_idle(&host);
    int late = accept(server, NULL, NULL);
    char bytes[16];
    assert_int_equal(read(late, bytes, sizeof bytes), 7);
    close(late);
    world_run(host.world);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.error, 0);
    world_free(host.world);
    close(first);
    close(server);
    unlink(address.host);
}

/* What a stream leaves behind for libuv must not touch the next owner of its descriptor. */
static void descriptors_are_used_again_at_once(void **state) {
    (void)state;
    World *world = world_new();
    Peer ends[2];
    Stream *streams[2];
    assert_int_equal(stream_pair(world, streams), 0);
    for (int i = 0; i < 2; i++)
        peer_of(&ends[i], streams[i]);
    Host host = {.world = world};
    host_run_idle(&host);
    stream_close(streams[0], 0);
    stream_close(streams[1], 0);
    char text[ADDRESS_MAX];
    assert_true(address_parse(span_of(socket_path(text, sizeof text, "again")), &host.address));
    assert_int_equal(listener_open(world, &host.address, host_accept, &host, &host.listener), 0);
    host_run_idle(&host);
    assert_int_equal(ends[0].closed + ends[1].closed, 2);
    host.wanted = 1;
    int client = dial(&host.address);
    host_run_idle(&host);
    assert_int_equal(host.accepted, 1);
    close(client);
    host_done(&host);
}

static int make_directory(void **state) {
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    (void)state;
    return rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_move_between_threads),
        cmocka_unit_test(sockets_move_once_their_kind_is_known),
        cmocka_unit_test(what_is_no_socket_is_not_adopted),
        cmocka_unit_test(peers_have_names),
        cmocka_unit_test(socket_files_come_and_go),
        cmocka_unit_test(listeners_are_inherited),
        cmocka_unit_test(pausing_leaves_them_in_the_backlog),
        cmocka_unit_test(running_out_of_descriptors_is_survived),
        cmocka_unit_test(a_full_backlog_delays_a_connect),
        cmocka_unit_test(descriptors_are_used_again_at_once),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
