/* The connection to the keeper: found, started, lost and found again. What a keeper needs, should the
 * one before it be killed, lies here a second time: descriptors of every process, listening sockets,
 * starts that are not answered yet. */
#include "keeper/keeper_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "keeper/client.h"

#define RETRY_PAUSE   (20 * NANOS_PER_MILLI)
#define RETRY_LIMIT   (5 * NANOS_PER_SECOND)
#define RETRY_LATER   (1 * NANOS_PER_SECOND)
#define JOIN_PATIENCE 5000 /* milliseconds, where we wait: at the start of the program */

/* ---- requests ---- */

static void request_free(Request *request) {
    list_remove(&request->link);
    buf_done(&request->frame);
    free(request);
}

static void on_done(KeeperClient *client, WireReader *reader) {
    uint64_t sequence = wire_number(reader);
    int result = (int)(int64_t)wire_number(reader);
    LIST_EACH (&client->requests, link) {
        Request *request = CONTAINER(link, Request, link);
        if (request->sequence != sequence)
            continue;
        void (*done)(void *, int) = request->done;
        void *owner = request->owner;
        request_free(request);
        if (done)
            done(owner, result);
        return;
    }
}

Request *keeper_request_new(KeeperClient *client, WireType type) {
    Request *request = xcalloc(1, sizeof *request);
    request->sequence = ++client->sequence;
    wire_begin(&request->frame, type, 0);
    wire_add_number(&request->frame, request->sequence);
    list_push_back(&client->requests, &request->link);
    return request;
}

static void request_send(KeeperClient *client, Request *request) {
    buf_add(&client->channel.out, buf_span(&request->frame));
    buf_done(&request->frame);
}

void keeper_request_ask(KeeperClient *client, Request *request) {
    wire_end(&request->frame, 0);
    if (client->state == THERE)
        request_send(client, request);
    keeper_client_send(client);
}

/* They end without an answer: all, or those that were sent. What is asked meanwhile is not among
 * them. */
static void fail_requests(KeeperClient *client, bool all, int error) {
    Link failing;
    list_init(&failing);
    LIST_EACH (&client->requests, link) {
        if (CONTAINER(link, Request, link)->frame.len && !all)
            continue;
        list_remove(link);
        list_push_back(&failing, link);
    }
    while (!list_empty(&failing)) {
        Request *request = CONTAINER(failing.next, Request, link);
        void (*done)(void *, int) = request->done;
        void *owner = request->owner;
        request_free(request);
        if (done)
            done(owner, error);
    }
}

/* ---- what the keeper tells ---- */

static void on_listener(KeeperClient *client, WireReader *reader, int *fds, unsigned fd_count) {
    Span name = wire_text(reader);
    Listening listening = {.fd = -1};
    if (reader->bad || fd_count != 1 || name.len >= sizeof listening.name)
        return;
    for (size_t i = 0; i < client->listening.count; i++)
        if (span_equal(span_of(client->listening.items[i].name), name))
            return;
    memcpy(listening.name, name.ptr, name.len);
    listening.fd = fds[0];
    fds[0] = -1;
    *array_push(&client->listening) = listening;
}

static void tell_there(KeeperClient *client) {
    char text[160] = "the keeper is there";
    size_t count = 0;
    LIST_EACH (&client->processes, link)
        count += CONTAINER(link, Known, link)->info.state == PROCESS_RUNNING;
    if (client->before && client->before != client->keeper.pid)
        snprintf(text, sizeof text,
                 "the keeper (pid %d) is gone; a new one (pid %d) has taken over %zu processes",
                 (int)client->before, (int)client->keeper.pid, count);
    client->before = client->keeper.pid;
    TELL(client, host, true, span_of(text));
}

/* It has told all that it holds. */
static void on_held(KeeperClient *client) {
    client->state = THERE;
    LIST_EACH (&client->processes, link)
        known_settle(CONTAINER(link, Known, link));
    LIST_EACH (&client->requests, link) {
        Request *request = CONTAINER(link, Request, link);
        if (request->frame.len)
            request_send(client, request);
    }
    keeper_client_send(client);
    tell_there(client);
    /* Whatever was said of output while nobody listened is said again. */
    LIST_EACH (&client->processes, link) {
        Known *known = CONTAINER(link, Known, link);
        for (int i = 0; i < PROCESS_STREAMS; i++)
            if (known->info.streams[i] && !known->released)
                TELL(client, output, &known->info, (ProcessStream)i);
    }
}

static void on_welcome(KeeperClient *client, WireReader *reader) {
    wire_number(reader);
    client->keeper.pid = (int64_t)wire_number(reader);
    client->keeper.start_ticks = wire_number(reader);
}

/* 0, or what a refusal says. */
static int on_frame(KeeperClient *client, const WireFrame *frame, int *fds) {
    WireReader reader = {.rest = frame->payload};
    int error = 0;
    if (frame->type == WIRE_WELCOME) {
        on_welcome(client, &reader);
    } else if (frame->type == WIRE_REFUSED) {
        error = -(int)wire_number(&reader);
        buf_clear(&client->report);
        buf_add(&client->report, wire_text(&reader));
        error = error < 0 ? error : -EPROTO;
    } else if (frame->type == WIRE_PROCESS) {
        known_on_process(client, &reader, fds, frame->fds);
    } else if (frame->type == WIRE_HELD) {
        on_held(client);
    } else if (frame->type == WIRE_LISTENER) {
        on_listener(client, &reader, fds, frame->fds);
    } else if (frame->type == WIRE_FAILED) {
        known_on_failed(client, &reader);
    } else if (frame->type == WIRE_EXITED) {
        known_on_exited(client, &reader);
    } else if (frame->type == WIRE_OUTPUT) {
        known_on_output(client, &reader);
    } else if (frame->type == WIRE_NOTICE) {
        known_on_notice(client, &reader);
    } else if (frame->type == WIRE_DONE) {
        on_done(client, &reader);
    }
    return error;
}
/* ---- the connection ---- */

static void add_listener(KeeperClient *client, const Listening *listening) {
    channel_attach(&client->channel, &listening->fd, 1);
    size_t frame = wire_begin(&client->channel.out, WIRE_LISTENER, 1);
    wire_add_text(&client->channel.out, span_of(listening->name));
    wire_end(&client->channel.out, frame);
}

/* Everything that a keeper, a new one or not, has to know of us. */
static void greet(KeeperClient *client) {
    Buf *out = &client->channel.out;
    channel_attach(&client->channel, &client->room, 1);
    size_t frame = wire_begin(out, WIRE_HELLO, 1);
    wire_add_number(out, WIRE_VERSION);
    wire_add_number(out, WIRE_RUNTIME_ROLE);
    wire_end(out, frame);
    buf_add(out, buf_span(&client->runtime));
    for (size_t i = 0; i < client->listening.count; i++)
        add_listener(client, &client->listening.items[i]);
    LIST_EACH (&client->processes, link) {
        Known *known = CONTAINER(link, Known, link);
        known->seen = false;
        known->start_sent = false;
        if (known->info.state == PROCESS_RUNNING || known->info.state == PROCESS_EXITED)
            known_hand_over(known);
    }
    if (client->ready)
        wire_end(out, wire_begin(out, WIRE_READY, 0));
    wire_end(out, wire_begin(out, WIRE_HELD, 0));
}

/* Handles the frames that are there. */
static int take_frames(KeeperClient *client) {
    WireFrame frame;
    int *fds, result;
    while ((result = channel_next(&client->channel, &frame, &fds)) > 0)
        if ((result = on_frame(client, &frame, fds)) < 0)
            return result;
    return result;
}

static void disconnect(KeeperClient *client) {
    fd_watch_free(client->watch);
    client->watch = NULL;
    close(client->channel.fd);
    channel_done(&client->channel);
    channel_init(&client->channel, -1);
    client->state = ABSENT;
}

static bool needs_keeper(const KeeperClient *client) {
    return !list_empty(&client->processes) || client->listening.count;
}

/* There is none to be had for now. */
static void give_up(KeeperClient *client, int error) {
    client->give_up_at = 0;
    size_t before = client->by_id.count; /* what is started meanwhile stands behind */
    LIST_EACH (&client->processes, link) {
        Known *known = CONTAINER(link, Known, link);
        if (before && before-- && known->info.state == PROCESS_STARTING)
            known_fail(known, PROCESS_STEP_KEEPER, error);
    }
    fail_requests(client, true, error);
    if (needs_keeper(client))
        wheel_arm(world_wheel(client->world), &client->retry,
                  world_now(client->world) + RETRY_LATER);
}

static void fail_try(KeeperClient *client, int error) {
    Nanos now = world_now(client->world);
    if (!client->give_up_at)
        client->give_up_at = now + RETRY_LIMIT;
    if (now >= client->give_up_at || error == -EBUSY)
        give_up(client, error);
    else
        wheel_arm(world_wheel(client->world), &client->retry, now + RETRY_PAUSE);
}

static void lost(KeeperClient *client, int error) {
    char text[160];
    snprintf(text, sizeof text, "the keeper (pid %d) is gone: %s", (int)client->keeper.pid,
             error == -EPIPE ? "it ended, or was killed" : strerror(-error));
    bool was_there = client->state == THERE;
    disconnect(client);
    fail_requests(client, client->leaving, -ECONNRESET);
    if (client->leaving)
        return;
    if (was_there)
        TELL(client, host, false, span_of(text));
    if (error == -EBUSY || !was_there)
        fail_try(client, error);
    else
        keeper_client_send(client);
}

static void on_channel(void *owner, unsigned events) {
    KeeperClient *client = owner;
    if (events & FD_WRITABLE)
        keeper_client_send(client);
    if (!(events & FD_READABLE))
        return;
    int result = channel_receive(&client->channel, false);
    if (result == -EAGAIN)
        return;
    if (result == 0)
        result = -EPIPE;
    if (result > 0)
        result = take_frames(client);
    if (result < 0)
        lost(client, result);
}

static void join(KeeperClient *client, int fd) {
    fcntl(fd, F_SETFL, O_NONBLOCK);
    channel_init(&client->channel, fd);
    client->state = JOINING;
    client->give_up_at = 0;
    greet(client);
}

static int join_watched(KeeperClient *client, int fd) {
    join(client, fd);
    int error = fd_watch_new(client->world, fd, FD_READABLE, on_channel, client, &client->watch);
    if (error)
        disconnect(client);
    else
        keeper_client_send(client);
    return error;
}

/* ---- finding and starting one ---- */

static void on_launched(void *owner, unsigned events) {
    KeeperClient *client = owner;
    char line[1100];
    ssize_t len = read(client->pipe, line, sizeof line);
    if (len < 0 && errno == EAGAIN)
        return;
    fd_watch_free(client->watch);
    client->watch = NULL;
    close(client->pipe);
    client->state = ABSENT;
    buf_clear(&client->report);
    int fd, error = launch_result(span(line, len > 0 ? (size_t)len : 0), &client->report);
    if (error && error != -EBUSY)
        fail_try(client, error);
    else if (launch_connect(client->folder, &fd) != 0)
        fail_try(client, -EAGAIN); /* that somebody else started, and does not listen yet */
    else if ((error = join_watched(client, fd)) != 0)
        fail_try(client, error);
}

static void seek(KeeperClient *client) {
    int fd, error = launch_connect(client->folder, &fd);
    if (!error) {
        error = join_watched(client, fd);
    } else if (!(error = launch_keeper(client->folder, &client->pipe))) {
        error = fd_watch_new(client->world, client->pipe, FD_READABLE, on_launched, client,
                             &client->watch);
        if (error)
            close(client->pipe);
        else
            client->state = LAUNCHING;
    }
    if (error)
        fail_try(client, error);
}

static void on_retry(Timer *timer) {
    keeper_client_send(CONTAINER(timer, KeeperClient, retry));
}

static void flush(Task *task) {
    KeeperClient *client = CONTAINER(task, KeeperClient, flush);
    if (client->state == ABSENT && client->leaving)
        fail_requests(client, true, -ECONNRESET);
    else if (client->state == ABSENT && !timer_is_armed(&client->retry))
        seek(client);
    if (client->state != JOINING && client->state != THERE)
        return;
    ssize_t left = channel_send(&client->channel);
    if (left < 0)
        lost(client, (int)left);
    else
        fd_watch_for(client->watch, left ? FD_READABLE | FD_WRITABLE : FD_READABLE);
}

void keeper_client_send(KeeperClient *client) {
    world_defer(client->world, &client->flush);
}

/* ---- for the runtime ---- */

/* Greets a keeper that is there and waits until it has told all. */
static int join_waiting(KeeperClient *client, int fd) {
    int error = 0;
    join(client, fd);
    while (!error && client->state != THERE) {
        ssize_t left = channel_send(&client->channel);
        struct pollfd wait = {.fd = fd, .events = (short)(left > 0 ? POLLIN | POLLOUT : POLLIN)};
        if (left < 0 || poll(&wait, 1, JOIN_PATIENCE) == 0) {
            error = left < 0 ? (int)left : -ETIMEDOUT;
            break;
        }
        int result = channel_receive(&client->channel, false);
        if (result == 0)
            error = -EPIPE;
        else if (result != -EAGAIN)
            error = result < 0 ? result : take_frames(client);
    }
    if (!error)
        error = fd_watch_new(client->world, fd, FD_READABLE, on_channel, client, &client->watch);
    if (error)
        disconnect(client);
    return error;
}

/* Connects to a keeper; for a moment, where one is there that does not listen yet. */
static int connect_waiting(const char *folder, int *ret_socket) {
    int error;
    for (int millis = 0; millis < JOIN_PATIENCE; millis += 20) {
        error = launch_connect(folder, ret_socket);
        if (!error || !launch_is_locked(folder))
            return error;
        poll(NULL, 0, 20);
    }
    return error;
}

/* Joins the keeper that there is, or the one that is needed for what another has left. 0 also when
 * there is none, and none is needed yet. */
static int begin(KeeperClient *client) {
    int fd, error = connect_waiting(client->folder, &fd);
    if (error && launch_has_left(client->folder)) {
        buf_clear(&client->report);
        error = launch_waiting(client->folder, &client->report);
        if (!error || error == -EBUSY)
            error = connect_waiting(client->folder, &fd);
    }
    if (!error)
        return join_waiting(client, fd);
    return error == -ENOENT || error == -ECONNREFUSED ? 0 : error;
}

static char *copy_text(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(xmalloc(size), text, size);
}

int keeper_client_new(World *world, const KeeperClientOptions *options, ProcessHost **ret_host,
                      Buf *report) {
    KeeperClient *client = xcalloc(1, sizeof *client);
    client->host.ops = &KEEPER_OPS;
    client->world = world;
    client->folder = copy_text(options->folder);
    client->flush.run = flush;
    client->retry.fire = on_retry;
    client->room = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    channel_init(&client->channel, -1);
    list_init(&client->processes);
    list_init(&client->requests);
    uint64_t seed;
    world_random(world, &seed, sizeof seed);
    map_init(&client->by_id, known_key, seed);
    launch_add_runtime(&client->runtime, &options->runtime, false);
    signal(SIGPIPE, SIG_IGN); /* of processes that do not read their input */
    int error;
    do
        error = begin(client);
    while (error == -EPIPE || error == -ECONNRESET); /* killed in this very moment */
    if (error) {
        buf_printf(report, "the keeper of %s: %s", options->folder,
                   client->report.len ? buf_cstr(&client->report) : strerror(-error));
        process_host_free(&client->host);
        return error;
    }
    *ret_host = &client->host;
    return 0;
}

void keeper_client_free(ProcessHost *host) {
    KeeperClient *client = client_of(host);
    world_undefer(&client->flush);
    wheel_cancel(world_wheel(client->world), &client->retry);
    if (client->state == LAUNCHING) {
        fd_watch_free(client->watch);
        close(client->pipe);
    } else if (client->state != ABSENT) {
        disconnect(client);
    }
    while (!list_empty(&client->requests))
        request_free(CONTAINER(client->requests.next, Request, link));
    while (!list_empty(&client->processes))
        known_free(CONTAINER(client->processes.next, Known, link));
    for (size_t i = 0; i < client->listening.count; i++)
        close(client->listening.items[i].fd);
    array_done(&client->listening);
    map_done(&client->by_id);
    buf_done(&client->runtime);
    buf_done(&client->report);
    close(client->room);
    free(client->folder);
    free(client);
}

void keeper_client_ready(ProcessHost *host) {
    KeeperClient *client = client_of(host);
    client->ready = true;
    if (client->state != THERE)
        return; /* it is told when there is one */
    wire_end(&client->channel.out, wire_begin(&client->channel.out, WIRE_READY, 0));
    keeper_client_send(client);
}

static Listening *listening_of(KeeperClient *client, Span name) {
    for (size_t i = 0; i < client->listening.count; i++)
        if (span_equal(span_of(client->listening.items[i].name), name))
            return &client->listening.items[i];
    return NULL;
}

int keeper_client_take_listener(ProcessHost *host, Span name) {
    Listening *listening = listening_of(client_of(host), name);
    if (!listening)
        return -ENOENT;
    int copy = fcntl(listening->fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

void keeper_client_leave_listener(ProcessHost *host, Span name, int fd) {
    KeeperClient *client = client_of(host);
    Listening *listening = listening_of(client, name);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0 || name.len >= sizeof listening->name) {
        if (copy >= 0)
            close(copy);
        return;
    }
    if (listening) {
        close(listening->fd);
    } else {
        listening = array_push(&client->listening);
        *listening = (Listening){0};
        memcpy(listening->name, name.ptr, name.len);
    }
    listening->fd = copy;
    if (client->state != THERE)
        return;
    add_listener(client, listening);
    keeper_client_send(client);
}

typedef struct Leaving {
    void (*done)(void *owner);
    void *owner;
} Leaving;

static void on_left(void *owner, int result) {
    Leaving *leaving = owner;
    if (leaving->done)
        leaving->done(leaving->owner);
    free(leaving);
}

void keeper_client_leave(ProcessHost *host, bool end, Nanos grace, void (*done)(void *owner),
                         void *owner) {
    KeeperClient *client = client_of(host);
    Leaving *leaving = xmalloc(sizeof *leaving);
    *leaving = (Leaving){done, owner};
    client->leaving = true;
    Request *request = keeper_request_new(client, WIRE_LEAVE);
    wire_add_number(&request->frame, end);
    wire_add_number(&request->frame, (uint64_t)grace);
    request->done = on_left;
    request->owner = leaving;
    keeper_request_ask(client, request);
}
