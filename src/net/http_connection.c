#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "net/http_internal.h"
#include "net/tls.h"

/* Output that may wait in the stream before the protocol stops filling it: more stays in the
 * queues of the exchanges, where it can still be cancelled. */
#define HIGH ((size_t)2 * STREAM_LOW)

/* What one connection may write in a turn of the loop, where others wait for theirs. */
#define SHARE ((size_t)64 << 10)

static HttpExchange *first_exchange(HttpConnection *connection) {
    return list_empty(&connection->exchanges)
               ? NULL
               : CONTAINER(connection->exchanges.next, HttpExchange, link);
}

static void cancel_work(HttpConnection *connection) {
    world_undefer(&connection->flush);
    wheel_cancel(world_wheel(connection->world), &connection->rest);
    wheel_cancel(world_wheel(connection->world), &connection->timer);
}

/* Ends everything above the stream. */
static void release(HttpConnection *connection, int reason) {
    connection->closing = true;
    cancel_work(connection);
    for (HttpExchange *exchange; (exchange = first_exchange(connection));)
        http_exchange_close(exchange, reason);
    if (connection->protocol)
        connection->protocol->free(connection);
}

static void dispose(HttpConnection *connection) {
    buf_done(&connection->sniffed);
    free(connection);
}

/* ---- what the stream says ---- */

static void on_connected(void *owner) {
    HttpConnection *connection = owner;
    connection->connected = true;
    connection->side->connected(connection);
}

static void on_read(void *owner, Span bytes) {
    HttpConnection *connection = owner;
    connection->heard = world_now(connection->world);
    connection->bytes_in += bytes.len;
    if (connection->finishing || connection->closing)
        return;
    if (connection->protocol)
        connection->protocol->input(connection, bytes);
    else
        connection->side->first(connection, bytes);
}

static void on_end(void *owner) {
    HttpConnection *connection = owner;
    connection->ended = true;
    if (!connection->protocol)
        http_connection_close(connection, 0);
    else if (!connection->finishing)
        connection->protocol->input_end(connection);
}

static void run_flush(HttpConnection *connection) {
    if (connection->closing || connection->finishing || !connection->protocol)
        return;
    connection->protocol->flush(connection);
    for (Link *link; (link = list_pop_front(&connection->roused));) {
        HttpExchange *exchange = CONTAINER(link, HttpExchange, roused);
        if (!exchange->over && !exchange->finished && exchange->handler->writable)
            exchange->handler->writable(exchange->owner);
    }
}

static void on_writable(void *owner) {
    HttpConnection *connection = owner;
    connection->pressed = 0;
    run_flush(connection);
}

static void on_closed(void *owner, int error) {
    HttpConnection *connection = owner;
    if (connection->tls && error)
        connection->tls_error = tls_error(connection->stream);
    connection->stream = NULL;
    release(connection, HTTP_LOST);
    connection->side->closed(connection, error);
    dispose(connection);
}

static const StreamHandler HANDLER = {on_connected, on_read, on_end, on_writable, on_closed};

static void on_flush(Task *task) {
    run_flush(CONTAINER(task, HttpConnection, flush));
}

static void on_rest(Timer *timer) {
    HttpConnection *connection = CONTAINER(timer, HttpConnection, rest);
    connection->share = 0;
    http_connection_schedule(connection);
}

/* ---- time ---- */

/* Once our side is finished: the peer gets a moment to end its own, longer while it still takes
 * what we wrote. */
static Nanos linger(HttpConnection *connection, Nanos now) {
    Nanos limit = stream_pending(connection->stream) ? connection->limits->idle : HTTP_LINGER;
    if (now - connection->finishing >= limit) {
        http_connection_close(connection, 0);
        return HTTP_TICK_MAX;
    }
    return now + HTTP_LINGER;
}

/* Who takes nothing for that long will not, and must not keep what waits for it. */
static Nanos check_pressed(HttpConnection *connection, Nanos now) {
    Nanos limit = connection->limits->body;
    if (now - connection->pressed < limit)
        return connection->pressed + limit;
    size_t pending = stream_pending(connection->stream);
    if (pending == connection->pressing) {
        connection->side->refused(connection);
        http_connection_close(connection, -ETIMEDOUT);
        return HTTP_TICK_MAX;
    }
    connection->pressed = now;
    connection->pressing = pending;
    return now + limit;
}

static void on_timer(Timer *timer) {
    HttpConnection *connection = CONTAINER(timer, HttpConnection, timer);
    if (connection->closing)
        return;
    Nanos now = world_now(connection->world), next;
    if (connection->finishing) {
        next = linger(connection, now);
    } else if (connection->protocol) {
        next = connection->protocol->tick(connection, now);
    } else {
        next = connection->opened + connection->limits->handshake;
        if (next <= now) {
            connection->side->refused(connection);
            http_connection_close(connection, connection->side->server ? 0 : -ETIMEDOUT);
            return;
        }
    }
    if (!connection->closing && connection->pressed) {
        Nanos pressed = check_pressed(connection, now);
        next = pressed < next ? pressed : next;
    }
    if (next != HTTP_TICK_MAX && !connection->closing)
        http_connection_arm(connection, next);
}

void http_connection_arm(HttpConnection *connection, Nanos deadline) {
    Wheel *wheel = world_wheel(connection->world);
    Timer *timer = &connection->timer;
    if (!timer_is_armed(timer) || deadline < timer_deadline(wheel, timer))
        wheel_arm(wheel, timer, deadline);
}

/* ---- for the protocols and sides ---- */

HttpConnection *http_connection_new(const HttpSide *side, void *owner, Stream *stream,
                                    HttpPool *pool, const HttpLimits *limits) {
    HttpConnection *connection = xcalloc(1, sizeof *connection);
    World *world = stream->world;
    *connection = (HttpConnection){
        .side = side,
        .owner = owner,
        .world = world,
        .stream = stream,
        .pool = pool,
        .limits = limits,
        .flush = {.run = on_flush},
        .timer = {.fire = on_timer},
        .rest = {.fire = on_rest},
        .opened = world_now(world),
        .heard = world_now(world),
        .idle_since = world_now(world),
        .peer = {.uid = -1},
    };
    list_init(&connection->link);
    list_init(&connection->exchanges);
    list_init(&connection->roused);
    stream_handle(stream, &HANDLER, connection);
    http_connection_arm(connection, connection->opened + limits->handshake);
    return connection;
}

void http_connection_know_peer(HttpConnection *connection, bool tls) {
    HttpPeer *peer = &connection->peer;
    Address address;
    peer->address =
        stream_peer(connection->stream, connection->address, sizeof connection->address);
    peer->uid = stream_peer_uid(connection->stream);
    peer->loopback = address_parse(peer->address, &address)
                         ? address_is_loopback(&address)
                         : span_starts(peer->address, SPAN("unix:"));
    peer->tls = tls;
}

void http_connection_speak(HttpConnection *connection, const HttpProtocol *protocol, Span first) {
    connection->protocol = protocol;
    protocol->start(connection);
    if (first.len && !connection->closing)
        protocol->input(connection, first);
    http_connection_schedule(connection);
}

void http_connection_schedule(HttpConnection *connection) {
    if (!connection->closing)
        world_defer(connection->world, &connection->flush);
}

void http_connection_write(HttpConnection *connection, Span bytes) {
    connection->bytes_out += bytes.len;
    connection->share += bytes.len;
    stream_write(connection->stream, bytes);
}

bool http_connection_has_room(HttpConnection *connection) {
    if (connection->share >= SHARE) {
        wheel_arm(world_wheel(connection->world), &connection->rest, world_now(connection->world));
        return false;
    }
    if (stream_pending(connection->stream) < HIGH)
        return true;
    stream_flush(connection->stream);
    size_t pending = stream_pending(connection->stream);
    if (pending < HIGH)
        return true;
    if (!connection->pressed) {
        connection->pressed = world_now(connection->world);
        connection->pressing = pending;
        http_connection_arm(connection, connection->pressed + connection->limits->body);
    }
    return false;
}

void http_connection_read(HttpConnection *connection, bool on) {
    if (connection->reading == on || connection->closing)
        return;
    connection->reading = on;
    if (on)
        stream_read_start(connection->stream);
    else
        stream_read_stop(connection->stream);
}

void http_connection_finish(HttpConnection *connection) {
    if (connection->closing || connection->finishing)
        return;
    connection->finishing = world_now(connection->world);
    stream_finish(connection->stream);
    http_connection_read(connection, true);
    http_connection_arm(connection, connection->finishing + HTTP_LINGER);
}

void http_connection_close(HttpConnection *connection, int error) {
    if (connection->closing)
        return;
    connection->closing = true;
    cancel_work(connection);
    stream_close(connection->stream, error);
}

void http_connection_free(HttpConnection *connection, int reason) {
    stream_handle(connection->stream, NULL, NULL);
    stream_close(connection->stream, 0);
    release(connection, reason);
    dispose(connection);
}

void http_connection_abandon(HttpConnection *connection) {
    release(connection, HTTP_LOST);
    dispose(connection);
}
