/* Connections: the runtime and commands, over keeper.sock. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "keeper/keeper.h"

#define CONNECTIONS_MAX 64
#define QUEUE_MAX       (4 * 1024 * 1024) /* bytes that a peer may leave unread */
#define LISTENERS_MAX   64

struct Connection {
    Link link;
    Keeper *keeper;
    Watch watch;
    Channel channel;
    bool greeted;
    WireRole role;
    pid_t pid;
    bool full; /* the kernel takes nothing at the moment */
};

static unsigned connection_count(const Keeper *keeper) {
    unsigned count = 0;
    LIST_EACH (&keeper->connections, link)
        count++;
    return count;
}

static void cut(Connection *connection) {
    Keeper *keeper = connection->keeper;
    if (keeper->told == connection)
        keeper->told = NULL;
    watch_close(keeper, &connection->watch);
    channel_done(&connection->channel);
    keeper_bury(keeper, &connection->link, connection);
}

/* Sends what it can. False: the connection is cut. */
static bool flush(Connection *connection) {
    ssize_t left = channel_send(&connection->channel);
    if (left < 0 || left > QUEUE_MAX) {
        cut(connection);
        return false;
    }
    if (connection->full != (left > 0)) {
        connection->full = left > 0;
        watch_change(connection->keeper, &connection->watch,
                     connection->full ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return true;
}

void connections_flush(Keeper *keeper) {
    LIST_EACH (&keeper->connections, link) {
        Connection *connection = CONTAINER(link, Connection, link);
        if (connection->channel.out.len && !connection->full)
            flush(connection);
    }
}

static void refuse(Connection *connection, int error, const char *reason) {
    size_t frame = wire_begin(&connection->channel.out, WIRE_REFUSED, 0);
    wire_add_number(&connection->channel.out, (uint64_t)error);
    wire_add_text(&connection->channel.out, span_of(reason));
    wire_end(&connection->channel.out, frame);
    if (flush(connection))
        cut(connection);
}

static void done(Connection *connection, uint64_t sequence, int64_t result) {
    size_t frame = wire_begin(&connection->channel.out, WIRE_DONE, 0);
    wire_add_number(&connection->channel.out, sequence);
    wire_add_number(&connection->channel.out, (uint64_t)result);
    wire_end(&connection->channel.out, frame);
}

/* ---- what the runtime is told ---- */

void tell_process(Process *process, bool just_started) {
    Connection *to = process->keeper->told;
    WireProcess wire;
    int fds[WIRE_HOLDS];
    if (!to)
        return;
    unsigned count = process_describe(process, &wire, fds);
    wire.just_started = just_started;
    channel_attach(&to->channel, fds, count);
    size_t frame = wire_begin(&to->channel.out, WIRE_PROCESS, count);
    wire_add_process(&to->channel.out, &wire);
    wire_end(&to->channel.out, frame);
}

void tell_exit(const Process *process) {
    Connection *to = process->keeper->told;
    if (!to)
        return;
    size_t frame = wire_begin(&to->channel.out, WIRE_EXITED, 0);
    wire_add_text(&to->channel.out, span_of(process->id));
    wire_add_exit(&to->channel.out, &process->exit);
    wire_end(&to->channel.out, frame);
}

void tell_output(const Output *output) {
    Connection *to = output->process->keeper->told;
    if (!to)
        return;
    size_t frame = wire_begin(&to->channel.out, WIRE_OUTPUT, 0);
    wire_add_text(&to->channel.out, span_of(output->process->id));
    wire_add_number(&to->channel.out, output->stream);
    wire_end(&to->channel.out, frame);
}

void tell_notice(const Process *process) {
    Connection *to = process->keeper->told;
    /* Of a runtime that does not read, so much will do: counters and the last status come with the
     * next notice, or when it connects again. */
    if (!to || to->channel.out.len - to->channel.sent > QUEUE_MAX / 2)
        return;
    size_t frame = wire_begin(&to->channel.out, WIRE_NOTICE, 0);
    wire_add_text(&to->channel.out, span_of(process->id));
    wire_add_notice(&to->channel.out, &process->notice);
    wire_end(&to->channel.out, frame);
}

/* ---- what comes from the runtime ---- */

/* The frame's descriptors: what a handler keeps, it sets to -1. */
typedef struct Incoming {
    Connection *connection;
    WireReader reader;
    int *fds;
    unsigned fd_count;
} Incoming;

static Process *named(Incoming *in) {
    return process_by_id(in->connection->keeper, wire_text(&in->reader));
}

static void on_room(Watch *watch, uint32_t events) {
    uint64_t count;
    if (read(watch->fd, &count, sizeof count) == sizeof count)
        outputs_resume(CONTAINER(watch, Keeper, room));
}

/* What a runtime before has rung for, if anything, is looked for as well. */
static void listen_for_room(Incoming *in) {
    Keeper *keeper = in->connection->keeper;
    watch_close(keeper, &keeper->room);
    outputs_resume(keeper);
    if (!in->fd_count)
        return;
    keeper->room = (Watch){on_room, in->fds[0]};
    in->fds[0] = -1;
    fcntl(keeper->room.fd, F_SETFL, O_NONBLOCK);
    watch_add(keeper, &keeper->room, EPOLLIN);
}

static void on_hello(Incoming *in) {
    Connection *connection = in->connection;
    Keeper *keeper = connection->keeper;
    uint64_t version = wire_number(&in->reader), role = wire_number(&in->reader);
    char reason[128];
    if (version != WIRE_VERSION || role > WIRE_COMMAND_ROLE) {
        snprintf(reason, sizeof reason, "the keeper speaks version %d of its protocol",
                 WIRE_VERSION);
        refuse(connection, EPROTO, reason);
        return;
    }
    ProcStat peer;
    Connection *other = role == WIRE_RUNTIME_ROLE ? keeper->told : NULL;
    if (other && proc_stat(other->pid, &peer) == 0 && peer.state != 'Z') {
        snprintf(reason, sizeof reason, "pid %d is the runtime", (int)other->pid);
        refuse(connection, EBUSY, reason);
        return;
    }
    if (other)
        cut(other);
    connection->greeted = true;
    connection->role = (WireRole)role;
    if (role == WIRE_RUNTIME_ROLE) {
        keeper->told = connection;
        runtime_connected(keeper, connection->pid);
        listen_for_room(in);
    }
    ProcStat self = {0};
    proc_stat(getpid(), &self);
    size_t frame = wire_begin(&connection->channel.out, WIRE_WELCOME, 0);
    wire_add_number(&connection->channel.out, WIRE_VERSION);
    wire_add_number(&connection->channel.out, (uint64_t)getpid());
    wire_add_number(&connection->channel.out, self.start_ticks);
    wire_end(&connection->channel.out, frame);
}

/* The runtime has handed over what it had, if anything: it is told of all there is. */
static void on_held(Incoming *in) {
    Connection *connection = in->connection;
    Keeper *keeper = connection->keeper;
    processes_settle(keeper);
    LIST_EACH (&keeper->held, link) {
        Held *held = CONTAINER(link, Held, link);
        channel_attach(&connection->channel, &held->fd, 1);
        size_t frame = wire_begin(&connection->channel.out, WIRE_LISTENER, 1);
        wire_add_text(&connection->channel.out, span_of(held->name));
        wire_end(&connection->channel.out, frame);
    }
    LIST_EACH (&keeper->processes, link)
        tell_process(CONTAINER(link, Process, link), false);
    wire_end(&connection->channel.out, wire_begin(&connection->channel.out, WIRE_HELD, 0));
}

static void on_start(Incoming *in) {
    WireStart start = {0};
    Connection *connection = in->connection;
    Process *process;
    ProcessStep step = PROCESS_STEP_SPEC;
    wire_read_start(&in->reader, &start);
    int error = in->reader.bad || in->fd_count != start.fd_count ? -EINVAL
                : connection->keeper->ending
                    ? -ESHUTDOWN
                    : process_begin(connection->keeper, &start, in->fds, &process, &step);
    if (!error) {
        tell_process(process, true);
    } else {
        size_t frame = wire_begin(&connection->channel.out, WIRE_FAILED, 0);
        wire_add_text(&connection->channel.out, span_of(start.id));
        wire_add_number(&connection->channel.out, step);
        wire_add_number(&connection->channel.out, (uint64_t)error);
        wire_end(&connection->channel.out, frame);
    }
    free(start.argv.items);
    free(start.env.items);
}

static void on_signal(Incoming *in) {
    uint64_t sequence = wire_number(&in->reader);
    Process *process = named(in);
    uint64_t signal = wire_number(&in->reader), scope = wire_number(&in->reader);
    bool sound = !in->reader.bad && signal <= (uint64_t)SIGRTMAX && scope <= PROCESS_TREE;
    int result = !sound     ? -EINVAL
                 : !process ? -ESRCH
                            : process_send(process, (int)signal, (ProcessScope)scope);
    done(in->connection, sequence, result);
}

static void on_end_input(Incoming *in) {
    Process *process = named(in);
    if (process && process->input >= 0 && !process->outputs[PROCESS_TERMINAL].ring.header) {
        close(process->input);
        process->input = -1;
    }
}

static void on_release(Incoming *in) {
    uint64_t sequence = wire_number(&in->reader);
    Process *process = named(in);
    if (process && process->exit.ended)
        process_forget(process);
    done(in->connection, sequence, 0);
}

static void on_listener(Incoming *in) {
    Keeper *keeper = in->connection->keeper;
    Span name = wire_text(&in->reader);
    unsigned count = 0;
    LIST_EACH (&keeper->held, link) {
        Held *held = CONTAINER(link, Held, link);
        count++;
        if (!span_equal(span_of(held->name), name))
            continue;
        close(held->fd);
        list_remove(&held->link);
        free(held);
    }
    if (in->fd_count != 1 || count >= LISTENERS_MAX || memchr(name.ptr, 0, name.len))
        return;
    Held *held = xmalloc(sizeof *held + name.len + 1);
    held->fd = in->fds[0];
    in->fds[0] = -1;
    memcpy(held->name, name.ptr, name.len + 1);
    list_push_back(&keeper->held, &held->link);
}

static void on_runtime(Incoming *in) {
    WireRuntime runtime = {0};
    Keeper *keeper = in->connection->keeper;
    uint64_t sequence = wire_number(&in->reader);
    wire_read_runtime(&in->reader, &runtime);
    int result =
        in->reader.bad || *runtime.program != '/' || *runtime.cwd != '/' || !runtime.argv.count
            ? -EINVAL
            : 0;
    if (!result && runtime.start &&
        (keeper->ending || (keeper->runtime.pid && keeper->runtime.left)))
        result = -ESHUTDOWN; /* what there is goes: ask again */
    else if (!result && runtime.start && keeper->runtime.pid)
        result = -EALREADY;
    if (!result) {
        runtime_configure(keeper, &runtime);
        if (runtime.start)
            runtime_start(keeper);
    }
    done(in->connection, sequence, result);
    free(runtime.argv.items);
    free(runtime.env.items);
}

static void drop_listeners(Keeper *keeper) {
    for (Link *link; (link = list_pop_front(&keeper->held));) {
        close(CONTAINER(link, Held, link)->fd);
        free(CONTAINER(link, Held, link));
    }
}

static void on_leave(Incoming *in) {
    Connection *connection = in->connection;
    Keeper *keeper = connection->keeper;
    uint64_t sequence = wire_number(&in->reader);
    bool end = wire_number(&in->reader);
    Nanos grace = (Nanos)wire_number(&in->reader);
    if (in->reader.bad || grace < 0)
        grace = 0;
    if (connection->role == WIRE_RUNTIME_ROLE) {
        keeper->runtime.left = true;
        drop_listeners(keeper); /* whoever connects would wait for nobody */
    }
    if (end)
        keeper_end_all(keeper, grace);
    done(connection, sequence, 0);
}

static void on_handover(Incoming *in) {
    WireProcess wire;
    int fds[WIRE_HOLDS];
    unsigned next = 0;
    wire_read_process(&in->reader, &wire);
    if (in->reader.bad || wire.id.len > PROCESS_ID_MAX || memchr(wire.id.ptr, 0, wire.id.len) ||
        memchr(wire.id.ptr, '/', wire.id.len) || !wire.id.len || *wire.id.ptr == '.' ||
        wire.label.len > PROCESS_LABEL_MAX || wire.pid <= 0)
        return;
    for (int i = 0; i < WIRE_HOLDS; i++) {
        fds[i] = -1;
        if (!(wire.held & 1u << i) || next == in->fd_count)
            continue;
        fds[i] = in->fds[next];
        in->fds[next++] = -1;
    }
    process_hand_over(in->connection->keeper, &wire, fds);
}

static void on_status(Incoming *in) {
    Connection *connection = in->connection;
    const Runtime *runtime = &connection->keeper->runtime;
    size_t frame = wire_begin(&connection->channel.out, WIRE_STATE, 0);
    wire_add_number(&connection->channel.out, (uint64_t)runtime->pid);
    wire_add_number(&connection->channel.out, runtime->ready);
    wire_add_number(&connection->channel.out, runtime->restarts);
    wire_add_number(&connection->channel.out, (uint64_t)runtime->last_status);
    wire_add_number(&connection->channel.out, processes_alive(connection->keeper));
    wire_end(&connection->channel.out, frame);
}

static void on_ready(Incoming *in) {
    in->connection->keeper->runtime.ready = true;
}

static const struct {
    void (*call)(Incoming *);
    bool runtime_only;
} CALLS[] = {
    [WIRE_START] = {on_start, true},         [WIRE_SIGNAL] = {on_signal, true},
    [WIRE_END_INPUT] = {on_end_input, true}, [WIRE_RELEASE] = {on_release, true},
    [WIRE_LISTENER] = {on_listener, true},   [WIRE_RUNTIME] = {on_runtime, false},
    [WIRE_READY] = {on_ready, true},         [WIRE_LEAVE] = {on_leave, false},
    [WIRE_HANDOVER] = {on_handover, true},   [WIRE_STATUS] = {on_status, false},
};

static void dispatch(Connection *connection, const WireFrame *frame, int *fds) {
    Incoming in = {
        .connection = connection,
        .reader.rest = frame->payload,
        .fds = fds,
        .fd_count = frame->fds,
    };
    if (!connection->greeted && frame->type == WIRE_HELLO)
        on_hello(&in);
    else if (!connection->greeted)
        refuse(connection, EPROTO, "the first frame has to be a greeting");
    else if (frame->type == WIRE_HELD && connection->role == WIRE_RUNTIME_ROLE)
        on_held(&in);
    else if (frame->type < sizeof CALLS / sizeof *CALLS && CALLS[frame->type].call &&
             (connection->role == WIRE_RUNTIME_ROLE || !CALLS[frame->type].runtime_only))
        CALLS[frame->type].call(&in);
}

/* Handles the frames that are there. False: the connection is cut. */
static bool take_frames(Connection *connection) {
    WireFrame frame;
    int *fds, result;
    while ((result = channel_next(&connection->channel, &frame, &fds)) > 0) {
        dispatch(connection, &frame, fds);
        if (connection->watch.fd < 0)
            return false;
    }
    if (result < 0)
        cut(connection);
    return result == 0;
}

static void on_connection(Watch *watch, uint32_t events) {
    Connection *connection = CONTAINER(watch, Connection, watch);
    if (events & EPOLLOUT && !flush(connection))
        return;
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    int result = channel_receive(&connection->channel, false);
    if (result == -EAGAIN)
        return;
    if (result <= 0)
        cut(connection);
    else if (take_frames(connection))
        flush(connection);
}

/* ---- listening ---- */

static void on_listening(Watch *watch, uint32_t events) {
    Keeper *keeper = CONTAINER(watch, Keeper, listener);
    struct ucred peer;
    socklen_t length = sizeof peer;
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 ||
        (peer.uid != geteuid() && peer.uid != 0) || connection_count(keeper) >= CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    Connection *connection = xcalloc(1, sizeof *connection);
    connection->keeper = keeper;
    connection->watch = (Watch){on_connection, fd};
    connection->pid = peer.pid;
    channel_init(&connection->channel, fd);
    list_push_back(&keeper->connections, &connection->link);
    watch_add(keeper, &connection->watch, EPOLLIN);
}

/* By way of the folder's descriptor, since a path may be longer than a socket's name. */
int connections_open(Keeper *keeper) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/keeper.sock", keeper->folder);
    unlinkat(keeper->folder, "keeper.sock", 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    keeper->listener = (Watch){on_listening, fd};
    watch_add(keeper, &keeper->listener, EPOLLIN);
    return 0;
}

void connections_close(Keeper *keeper) {
    watch_close(keeper, &keeper->listener);
    while (!list_empty(&keeper->connections)) {
        Connection *connection = CONTAINER(keeper->connections.next, Connection, link);
        if (flush(connection))
            cut(connection);
    }
}
