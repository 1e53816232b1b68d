/* The simulated network: connections as two queues of pieces on their way, listeners as a table. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "os/simulated.h"

typedef struct Connection Connection;

/* Bytes on their way to one end, or the news that there will be no more. */
typedef struct Piece {
    Link link;
    Nanos at;
    size_t len;
    bool last;
    char bytes[];
} Piece;

typedef enum EndState { END_NONE, END_CONNECTING, END_OPEN, END_OVER, END_GONE } EndState;

/* One end of a connection. */
typedef struct End {
    Stream stream;
    Task settle;
    Link link; /* in the world's streams */
    Connection *connection;
    EndState state;
    int error;
    bool reading, ended, finishing, finished, above, announce, delivering;
    Buf out;           /* written … */
    size_t sent;       /* … and how much of it is on its way, or further */
    size_t travelling; /* on its way, or not yet read */
    Link inbox;        /* pieces on their way to us, in order */
    Nanos newest;      /* when the last of them arrives */
} End;

struct Connection {
    Simulation *simulation;
    Link link;    /* in the simulation's connections, or alone */
    Link waiting; /* in a paused listener's backlog */
    uint32_t number;
    uint32_t events; /* that will come back to it */
    uint16_t port;   /* the client's */
    Address address; /* where the client wanted to go */
    End ends[2];     /* client and server */
};

typedef struct SimulatedListener {
    Listener listener;
    Task resume;
    Link link; /* in the simulation's listeners */
    Link backlog;
    Address address;
    bool paused;
} SimulatedListener;

/* The dynamic ports (RFC 6335). */
#define FIRST_PORT 49152

static const StreamOps SIMULATED_STREAM_OPS;

static End *end_of(const Stream *stream) {
    return CONTAINER(stream, End, stream);
}

static End *peer_of(const End *end) {
    Connection *connection = end->connection;
    return &connection->ends[end == &connection->ends[0]];
}

static void settle_later(End *end) {
    world_defer(end->stream.world, &end->settle);
}

/* ---- events of a connection ---- */

static void connection_free_if_done(Connection *connection) {
    for (int i = 0; i < 2; i++)
        if (connection->ends[i].state != END_NONE && connection->ends[i].state != END_GONE)
            return;
    if (connection->events)
        return;
    list_remove(&connection->link);
    list_remove(&connection->waiting);
    free(connection);
}

static void end_at(End *end, Nanos at, void (*happen)(void *end)) {
    end->connection->events++;
    simulation_at(end->connection->simulation, at, happen, end);
}

static bool is_live(const End *end) {
    return end->state == END_CONNECTING || end->state == END_OPEN;
}

/* First in every event: true when its end still cares. Otherwise it may be gone now. */
static bool end_arrive(End *end) {
    end->connection->events--;
    if (is_live(end))
        return true;
    connection_free_if_done(end->connection);
    return false;
}

/* Puts an event off until that World goes on; true when it is held up. */
static bool put_off(End *end, const World *of, void (*happen)(void *end)) {
    Nanos held = is_live(end) ? CONTAINER(of, SimulatedWorld, world)->held : 0;
    if (held)
        simulation_at(end->connection->simulation, held, happen, end);
    return held != 0;
}

static void note(End *end, const char *what, Span bytes) {
    Connection *connection = end->connection;
    uint32_t which = connection->number * 2 + (end == &connection->ends[1]);
    simulation_note(connection->simulation, what, which, bytes);
}

/* ---- the end of an end ---- */

static void end_over(End *end, int error) {
    if (!is_live(end))
        return;
    end->state = END_OVER;
    end->error = error;
    buf_done(&end->out);
    end->sent = 0;
    for (Link *link; (link = list_pop_front(&end->inbox));)
        free(CONTAINER(link, Piece, link));
    settle_later(end);
}

static void end_free(End *end) {
    end->state = END_GONE;
    list_remove(&end->link);
    connection_free_if_done(end->connection);
}

static void on_reset(void *owner) {
    End *end = owner;
    if (put_off(end, end->stream.world, on_reset))
        return;
    if (end_arrive(end)) {
        note(end, "reset", (Span){0});
        end_over(end, -ECONNRESET);
    }
}

/* Tells an end, after all that is on its way to it, that the other is not there any more. */
static void end_reset(End *end) {
    if (!is_live(end))
        return;
    Nanos at = simulation_later(end->connection->simulation);
    end_at(end, at > end->newest ? at : end->newest + 1, on_reset);
}

static void connection_cut(Connection *connection) {
    simulation_note(connection->simulation, "cut", connection->number, (Span){0});
    for (int i = 0; i < 2; i++)
        end_over(&connection->ends[i], -ECONNRESET);
}

/* ---- bytes on their way ---- */

static void deliver(void *owner);

/* Makes the first piece arrive, when there is one and the owner wants it. */
static void deliver_later(End *end) {
    if (end->delivering || !end->reading || end->state != END_OPEN || list_empty(&end->inbox))
        return;
    Nanos at = CONTAINER(end->inbox.next, Piece, link)->at;
    Nanos now = end->connection->simulation->now;
    end->delivering = true;
    end_at(end, at > now ? at : now, deliver);
}

/* Of what has arrived and is more than one piece, one piece is made, as a socket does. */
static void join_arrived(End *end) {
    Nanos now = end->connection->simulation->now;
    size_t len = 0;
    Link *link = end->inbox.next;
    for (; link != &end->inbox; link = link->next) {
        const Piece *piece = CONTAINER(link, Piece, link);
        if (piece->last || piece->at > now || len + piece->len > STREAM_PIECE)
            break;
        len += piece->len;
    }
    if (link == end->inbox.next || link == end->inbox.next->next)
        return;
    Piece *joined = xmalloc(sizeof *joined + len);
    *joined = (Piece){.at = now};
    while (joined->len < len) {
        Piece *piece = CONTAINER(list_pop_front(&end->inbox), Piece, link);
        memcpy(joined->bytes + joined->len, piece->bytes, piece->len);
        joined->len += piece->len;
        free(piece);
    }
    list_insert_after(&end->inbox, &joined->link);
}

static void deliver(void *owner) {
    End *end = owner;
    if (put_off(end, end->stream.world, deliver))
        return;
    end->delivering = false;
    if (!end_arrive(end) || !end->reading)
        return;
    if (simulated_world(end->stream.world)->released == end->stream.world->now)
        join_arrived(end);
    Piece *piece = CONTAINER(list_pop_front(&end->inbox), Piece, link);
    Span bytes = {piece->bytes, piece->len};
    if (piece->last) {
        note(end, "end", bytes);
        end->ended = true;
        STREAM_TELL(&end->stream, end);
        settle_later(end);
    } else {
        note(end, "bytes", bytes);
        End *peer = peer_of(end);
        peer->travelling -= bytes.len;
        if (peer->state == END_OPEN)
            settle_later(peer);
        STREAM_TELL(&end->stream, read, bytes);
    }
    free(piece);
    deliver_later(end);
}

static void send_piece(End *end, Span bytes, bool last) {
    End *peer = peer_of(end);
    Piece *piece = xmalloc(sizeof *piece + bytes.len);
    *piece = (Piece){.at = simulation_later(end->connection->simulation), .len = bytes.len};
    piece->last = last;
    if (bytes.len)
        memcpy(piece->bytes, bytes.ptr, bytes.len);
    if (piece->at < peer->newest)
        piece->at = peer->newest;
    peer->newest = piece->at;
    list_push_back(&peer->inbox, &piece->link);
    end->travelling += bytes.len;
    deliver_later(peer);
}

static size_t pending(const End *end) {
    return end->out.len - end->sent;
}

/* How much of what is pending the window lets through. Not crumbs: it opens by halves (RFC 9293,
 * section 3.8.6.2). */
static size_t sendable(const End *end) {
    size_t window = end->connection->simulation->options.window;
    size_t room = window - end->travelling;
    return pending(end) <= room ? pending(end) : room * 2 >= window ? room : 0;
}

static size_t piece_size(Simulation *simulation, size_t most) {
    if (most > STREAM_PIECE)
        most = STREAM_PIECE;
    if (!simulation->options.piece_max)
        return most;
    size_t size = 1 + simulation_choose(simulation, simulation->options.piece_max);
    return size < most ? size : most;
}

static void send_pieces(End *end) {
    Simulation *simulation = end->connection->simulation;
    for (size_t left = sendable(end); left > 0;) {
        if (simulation_choose(simulation, 1000000) < simulation->options.cut_per_million) {
            connection_cut(end->connection);
            return;
        }
        size_t size = piece_size(simulation, left);
        send_piece(end, (Span){end->out.ptr + end->sent, size}, false);
        end->sent += size;
        left -= size;
    }
}

static void out_send(End *end) {
    if (end->state != END_OPEN || !pending(end))
        return;
    if (is_live(peer_of(end))) {
        send_pieces(end);
    } else { /* nobody takes it, of which we shall hear */
        end->sent = end->out.len;
        end_reset(end);
    }
    if (!pending(end)) {
        buf_done(&end->out);
        end->sent = 0;
    }
}

static void out_add(End *end, Span bytes) {
    if (end->sent && end->sent >= end->out.len / 2) {
        end->out.len -= end->sent;
        memmove(end->out.ptr, end->out.ptr + end->sent, end->out.len);
        end->sent = 0;
    }
    buf_add(&end->out, bytes);
}

static void say_last(End *end) {
    end->finished = true;
    if (is_live(peer_of(end)))
        send_piece(end, (Span){NULL, 0}, true);
}

static void settle(Task *task) {
    End *end = CONTAINER(task, End, settle);
    if (end->state == END_OVER) {
        note(end, "closed", (Span){0});
        STREAM_TELL(&end->stream, closed, end->error);
        end_free(end);
        return;
    }
    out_send(end);
    if (end->state == END_OPEN && end->above && pending(end) <= STREAM_LOW) {
        end->above = false;
        STREAM_TELL(&end->stream, writable);
    }
    if (end->state == END_OPEN && end->finishing && !end->finished && !pending(end))
        say_last(end);
    if (end->state == END_OPEN && end->finished && end->ended)
        end_over(end, 0);
}

/* ---- the owner's side ---- */

static void simulated_read_start(Stream *stream) {
    end_of(stream)->reading = true;
    deliver_later(end_of(stream));
}

static void simulated_read_stop(Stream *stream) {
    end_of(stream)->reading = false;
}

static void simulated_write(Stream *stream, Span bytes) {
    End *end = end_of(stream);
    if (end->state >= END_OVER || end->finishing)
        return;
    out_add(end, bytes);
    end->above |= pending(end) > STREAM_LOW;
    if (end->state == END_OPEN)
        settle_later(end);
}

static size_t simulated_pending(const Stream *stream) {
    return pending(end_of(stream));
}

static void simulated_flush(Stream *stream) {
    out_send(end_of(stream));
    if (end_of(stream)->state == END_OPEN)
        settle_later(end_of(stream));
}

static void simulated_finish(Stream *stream) {
    end_of(stream)->finishing = true;
    if (end_of(stream)->state == END_OPEN)
        settle_later(end_of(stream));
}

static void simulated_close(Stream *stream, int error) {
    End *end = end_of(stream);
    if (end->state == END_OPEN && error == 0) {
        out_send(end);
        if (end->state == END_OPEN && !end->finished)
            say_last(end);
    } else if (end->state == END_OPEN) {
        end_reset(peer_of(end));
    }
    end_over(end, error);
}

static int simulated_detach(Stream *stream) {
    (void)stream;
    return -ENOTSUP;
}

static Span simulated_peer(const Stream *stream, char *room, size_t size) {
    const End *end = end_of(stream);
    const Connection *connection = end->connection;
    Address address = connection->address;
    if (end->state >= END_OVER)
        return (Span){NULL, 0};
    if (address.kind == ADDRESS_UNIX)
        address.host[0] = '\0';
    else if (end == &connection->ends[1])
        address = (Address){.kind = ADDRESS_TCP, .host = "127.0.0.1", .port = connection->port};
    return (Span){room, address_format(&address, room, size)};
}

static int64_t simulated_peer_uid(const Stream *stream) {
    const End *end = end_of(stream);
    bool known = end->connection->address.kind == ADDRESS_UNIX && end->state < END_OVER;
    return known ? (int64_t)geteuid() : -1;
}

static const StreamOps SIMULATED_STREAM_OPS = {
    .read_start = simulated_read_start,
    .read_stop = simulated_read_stop,
    .write = simulated_write,
    .pending = simulated_pending,
    .flush = simulated_flush,
    .finish = simulated_finish,
    .close = simulated_close,
    .detach = simulated_detach,
    .peer = simulated_peer,
    .peer_uid = simulated_peer_uid,
};

/* ---- connecting ---- */

static Connection *connection_new(Simulation *simulation) {
    Connection *connection = xcalloc(1, sizeof *connection);
    connection->simulation = simulation;
    connection->number = simulation->connection_count++;
    list_init(&connection->waiting);
    list_push_back(&simulation->connections, &connection->link);
    return connection;
}

static End *end_new(Connection *connection, int which, World *world, EndState state) {
    End *end = &connection->ends[which];
    end->stream = (Stream){.ops = &SIMULATED_STREAM_OPS, .world = world};
    end->settle.run = settle;
    end->connection = connection;
    end->state = state;
    list_init(&end->inbox);
    list_push_back(&simulated_world(world)->streams, &end->link);
    return end;
}

static void on_connected(void *owner) {
    End *end = owner;
    if (put_off(end, end->stream.world, on_connected))
        return;
    if (!end_arrive(end))
        return;
    note(end, "connected", (Span){0});
    end->state = END_OPEN;
    STREAM_TELL(&end->stream, connected);
    settle_later(end);
    deliver_later(end);
}

/* "localhost" as what it stands for. */
static Address plain(const Address *address) {
    Address found = *address;
    if (found.kind == ADDRESS_TCP && strcasecmp(found.host, "localhost") == 0)
        strcpy(found.host, "127.0.0.1");
    return found;
}

static bool same_address(const Address *a, const Address *b) {
    return a->kind == b->kind && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool listens_at(const SimulatedListener *listener, const Address *address) {
    const Address *at = &listener->address;
    if (at->kind == ADDRESS_TCP && at->port == address->port && address->kind == ADDRESS_TCP &&
        (strcmp(at->host, "0.0.0.0") == 0 || strcmp(at->host, "::") == 0))
        return true;
    return same_address(at, address);
}

static SimulatedListener *listener_find(Simulation *simulation, const Address *address) {
    LIST_EACH (&simulation->listeners, link) {
        SimulatedListener *listener = CONTAINER(link, SimulatedListener, link);
        if (listens_at(listener, address))
            return listener;
    }
    return NULL;
}

static uint16_t next_port(Simulation *simulation) {
    simulation->port = simulation->port == UINT16_MAX ? FIRST_PORT : simulation->port + 1;
    return simulation->port;
}

static void listener_take(SimulatedListener *listener, Connection *connection) {
    Simulation *simulation = connection->simulation;
    End *server = end_new(connection, 1, listener->listener.world, END_OPEN);
    note(server, "accepted", (Span){0});
    end_at(&connection->ends[0], simulation_later(simulation), on_connected);
    listener->listener.accept(listener->listener.owner, &server->stream);
}

static void on_dial(void *owner) {
    End *end = owner;
    Connection *connection = end->connection;
    SimulatedListener *listener = listener_find(connection->simulation, &connection->address);
    if (listener && put_off(end, listener->listener.world, on_dial))
        return;
    if (!end_arrive(end))
        return;
    if (!listener)
        end_over(end, -ECONNREFUSED);
    else if (listener->paused)
        list_push_back(&listener->backlog, &connection->waiting);
    else
        listener_take(listener, connection);
}

int simulated_connect(World *world, const Address *address, Stream **ret) {
    SimulatedWorld *simulated = simulated_world(world);
    if (simulated->freeing)
        return -ECANCELED;
    Connection *connection = connection_new(simulated->simulation);
    connection->address = plain(address);
    connection->port = next_port(simulated->simulation);
    End *end = end_new(connection, 0, world, END_CONNECTING);
    end_at(end, simulation_later(simulated->simulation), on_dial);
    *ret = &end->stream;
    return 0;
}

int simulated_pair(World *world, Stream *ret[2]) {
    SimulatedWorld *simulated = simulated_world(world);
    if (simulated->freeing)
        return -ECANCELED;
    Connection *connection = connection_new(simulated->simulation);
    connection->address.kind = ADDRESS_UNIX;
    for (int i = 0; i < 2; i++)
        ret[i] = &end_new(connection, i, world, END_OPEN)->stream;
    return 0;
}

void simulated_cancel(SimulatedWorld *world) {
    LIST_EACH (&world->streams, link) {
        End *end = CONTAINER(link, End, link);
        end_reset(peer_of(end));
        end_over(end, -ECANCELED);
    }
}

size_t simulation_cut(Simulation *simulation, const Address *address) {
    size_t count = 0;
    LIST_EACH (&simulation->connections, link) {
        Connection *connection = CONTAINER(link, Connection, link);
        Address wanted = address ? plain(address) : connection->address;
        if (!same_address(&connection->address, &wanted) ||
            !(is_live(&connection->ends[0]) || is_live(&connection->ends[1])))
            continue;
        connection_cut(connection);
        count++;
    }
    return count;
}

/* ---- listening ---- */

static void on_resume(Task *task) {
    SimulatedListener *listener = CONTAINER(task, SimulatedListener, resume);
    Link *link = listener->paused ? NULL : list_pop_front(&listener->backlog);
    if (!link)
        return;
    world_defer(listener->listener.world, task); /* for the next; accept may close the listener */
    Connection *connection = CONTAINER(link, Connection, waiting);
    if (is_live(&connection->ends[0]))
        listener_take(listener, connection);
}

static void simulated_listener_close(Listener *base) {
    SimulatedListener *listener = CONTAINER(base, SimulatedListener, listener);
    for (Link *link; (link = list_pop_front(&listener->backlog));)
        end_over(&CONTAINER(link, Connection, waiting)->ends[0], -ECONNREFUSED);
    world_undefer(&listener->resume);
    list_remove(&listener->link);
    free(listener);
}

static void simulated_pause(Listener *base, bool paused) {
    SimulatedListener *listener = CONTAINER(base, SimulatedListener, listener);
    listener->paused = paused;
    if (!paused)
        world_defer(base->world, &listener->resume);
}

static void simulated_address(const Listener *base, Address *ret) {
    *ret = CONTAINER(base, SimulatedListener, listener)->address;
}

static int simulated_fd(const Listener *base) {
    (void)base;
    return -1;
}

static const ListenerOps SIMULATED_LISTENER_OPS = {
    .close = simulated_listener_close,
    .pause = simulated_pause,
    .address = simulated_address,
    .fd = simulated_fd,
};

int simulated_listen(World *world, const Address *address, Listener **ret) {
    SimulatedWorld *simulated = simulated_world(world);
    Address wanted = plain(address);
    if (simulated->freeing)
        return -ECANCELED;
    if (wanted.kind == ADDRESS_TCP && wanted.port == 0)
        do
            wanted.port = next_port(simulated->simulation);
        while (listener_find(simulated->simulation, &wanted));
    if (listener_find(simulated->simulation, &wanted))
        return -EADDRINUSE;
    SimulatedListener *listener = xcalloc(1, sizeof *listener);
    listener->listener = (Listener){.ops = &SIMULATED_LISTENER_OPS, .world = world};
    listener->resume.run = on_resume;
    listener->address = wanted;
    list_init(&listener->backlog);
    list_push_back(&simulated->simulation->listeners, &listener->link);
    *ret = &listener->listener;
    return 0;
}

void simulated_deafen(SimulatedWorld *world) {
    LIST_EACH (&world->simulation->listeners, link) {
        SimulatedListener *listener = CONTAINER(link, SimulatedListener, link);
        if (listener->listener.world == &world->world)
            listener_close(&listener->listener);
    }
}
