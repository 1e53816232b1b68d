#include <ctype.h>
#include <stdlib.h>

#include "base/memory.h"
#include "net/http_internal.h"
#include "net/tls.h"

static const Span PREFACE = SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
static const Span ALPN[] = {SPAN("h2"), SPAN("http/1.1")};

/* How long a method and a first line of one that we do not know may be. */
#define METHOD_MAX 32
#define FIRST_LINE 8192

typedef struct Door {
    HttpServer *server;
    Listener *listener;
    TlsContext *tls;
} Door;

struct HttpServer {
    World *world;
    HttpLimits limits;
    HttpPool *pool;
    void (*request)(void *owner, HttpExchange *exchange);
    void *owner;
    bool (*take)(void *owner, Stream *stream, Span first);
    void *take_owner;
    ARRAY(Door *) doors;
    Link connections;
    bool held;
    bool paused;
    bool draining;
    Timer grace;
    Task drained_task;
    Task relieve; /* at the end of a turn in which too much memory was held */
    void (*drained)(void *owner);
    void *drained_owner;
    HttpServerStats stats; /* of connections that are gone, but for connections_* and refused */
};

static HttpServer *server_of(const HttpConnection *connection) {
    return connection->owner;
}

/* ---- connections ---- */

static void pace(HttpServer *server) {
    bool full = server->stats.connections_open >= server->limits.connections;
    bool pause = full || server->held;
    if (pause == server->paused)
        return;
    server->paused = pause;
    for (size_t i = 0; i < server->doors.count; i++)
        if (server->doors.items[i]->listener)
            listener_pause(server->doors.items[i]->listener, pause);
}

static void forget(HttpConnection *connection) {
    HttpServer *server = server_of(connection);
    list_remove(&connection->link);
    server->stats.connections_open--;
    server->stats.bytes_in += connection->bytes_in;
    server->stats.bytes_out += connection->bytes_out;
    server->stats.exchanges_total += connection->exchanges_total;
    pace(server);
    if (server->draining && list_empty(&server->connections))
        world_defer(server->world, &server->drained_task);
}

typedef enum Kind { UNDECIDED, ONE, TWO, FOREIGN } Kind;

static bool is_common_method(Span method) {
    static const Span methods[] = {SPAN("GET"),    SPAN("POST"),    SPAN("HEAD"), SPAN("PUT"),
                                   SPAN("DELETE"), SPAN("OPTIONS"), SPAN("PATCH")};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (span_equal(method, methods[i]))
            return true;
    return false;
}

/* A first line of HTTP/1 is "method target HTTP/version"; with a common method we do not wait for
 * its end. */
static Kind classify_line(Span first) {
    size_t end = 0;
    while (end < first.len && end < METHOD_MAX &&
           (isalnum((unsigned char)first.ptr[end]) || first.ptr[end] == '-'))
        end++;
    if (end == first.len && end < METHOD_MAX)
        return UNDECIDED;
    if (end == 0 || first.ptr[end] != ' ')
        return FOREIGN;
    if (is_common_method(span(first.ptr, end)))
        return ONE;
    const char *newline = memchr(first.ptr, '\n', first.len);
    if (!newline && first.len < FIRST_LINE)
        return UNDECIDED;
    size_t len = newline ? (size_t)(newline - first.ptr) : first.len;
    return memmem(first.ptr, len, " HTTP/", 6) ? ONE : FOREIGN;
}

/* What the first bytes are the beginning of. */
static Kind classify(Span first) {
    size_t common = first.len < PREFACE.len ? first.len : PREFACE.len;
    if (memcmp(first.ptr, PREFACE.ptr, common) == 0)
        return common == PREFACE.len ? TWO : UNDECIDED;
    /* Empty lines before a request are to be ignored (RFC 9112, 2.2). */
    while (first.len && (*first.ptr == '\r' || *first.ptr == '\n'))
        first = span_skip(first, 1);
    return classify_line(first);
}

static void on_first(HttpConnection *connection, Span bytes) {
    HttpServer *server = server_of(connection);
    buf_add(&connection->sniffed, bytes);
    Buf first = connection->sniffed;
    Kind kind = classify(buf_span(&first));
    if (kind == UNDECIDED && first.len > FIRST_LINE)
        kind = FOREIGN;
    if (kind == UNDECIDED)
        return;
    connection->sniffed = (Buf){0};
    if (kind == FOREIGN && server->take && !connection->tls &&
        server->take(server->take_owner, connection->stream, buf_span(&first))) {
        forget(connection);
        http_connection_abandon(connection);
    } else if (kind == FOREIGN) {
        server->stats.refused++;
        http_connection_finish(connection);
    } else {
        http_connection_speak(connection, kind == TWO ? &HTTP2 : &HTTP1, buf_span(&first));
    }
    buf_done(&first);
}

static void on_connected(HttpConnection *connection) {
    HttpServer *server = server_of(connection);
    bool tls = connection->tls;
    http_connection_know_peer(connection, tls);
    if (tls) {
        connection->peer.certificate = tls_peer_subject(connection->stream);
        if (span_equal(tls_alpn(connection->stream), SPAN("h2")))
            http_connection_speak(connection, &HTTP2, (Span){0});
    }
    if (server->draining)
        http_connection_close(connection, 0);
    else
        http_connection_read(connection, true);
}

static void on_request(HttpConnection *connection, HttpExchange *exchange) {
    HttpServer *server = server_of(connection);
    server->request(server->owner, exchange);
}

static void on_changed(HttpConnection *connection) {
}

static void on_refused(HttpConnection *connection) {
    server_of(connection)->stats.refused++;
}

static void on_holds(HttpConnection *connection, ptrdiff_t more) {
    HttpServer *server = server_of(connection);
    server->stats.memory += (size_t)more;
    if (server->stats.memory > server->limits.memory)
        world_defer(server->world, &server->relieve);
}

static HttpConnection *largest(HttpServer *server) {
    HttpConnection *largest = NULL;
    LIST_EACH (&server->connections, link) {
        HttpConnection *one = CONTAINER(link, HttpConnection, link);
        if (!one->closing && one->held > (largest ? largest->held : 0))
            largest = one;
    }
    return largest;
}

/* Closes who holds the most, until the rest fits. What they hold is given back as they go. */
static void on_relieve(Task *task) {
    HttpServer *server = CONTAINER(task, HttpServer, relieve);
    size_t held = 0;
    LIST_EACH (&server->connections, link) {
        const HttpConnection *one = CONTAINER(link, HttpConnection, link);
        held += one->closing ? 0 : one->held;
    }
    for (HttpConnection *one; held > server->limits.memory && (one = largest(server));) {
        held -= one->held;
        server->stats.refused++;
        http_connection_close(one, 0);
    }
}

static void on_closed(HttpConnection *connection, int error) {
    forget(connection);
}

static const HttpSide SIDE = {
    .server = true,
    .connected = on_connected,
    .first = on_first,
    .request = on_request,
    .changed = on_changed,
    .refused = on_refused,
    .holds = on_holds,
    .closed = on_closed,
};

void http_server_serve(HttpServer *server, Stream *stream, TlsContext *tls) {
    if (tls)
        stream = tls_server(tls, stream, ALPN, sizeof ALPN / sizeof *ALPN);
    HttpConnection *connection =
        http_connection_new(&SIDE, server, stream, server->pool, &server->limits);
    connection->tls = tls != NULL;
    list_push_back(&server->connections, &connection->link);
    server->stats.connections_total++;
    server->stats.connections_open++;
    pace(server);
    if (!tls)
        on_connected(connection);
}

/* ---- listening ---- */

static void on_accept(void *owner, Stream *stream) {
    Door *door = owner;
    http_server_serve(door->server, stream, door->tls);
}

static Door *door_new(HttpServer *server, TlsContext *tls) {
    Door *door = xcalloc(1, sizeof *door);
    *door = (Door){.server = server, .tls = tls ? tls_context_ref(tls) : NULL};
    return door;
}

static void door_free(Door *door) {
    if (door->listener)
        listener_close(door->listener);
    tls_context_unref(door->tls);
    free(door);
}

static int door_opened(Door *door, int error, Address *ret_bound) {
    if (error < 0) {
        door_free(door);
        return error;
    }
    *array_push(&door->server->doors) = door;
    if (door->server->paused)
        listener_pause(door->listener, true);
    if (ret_bound)
        listener_address(door->listener, ret_bound);
    return 0;
}

int http_server_listen(HttpServer *server, const Address *address, TlsContext *tls,
                       Address *ret_bound) {
    Door *door = door_new(server, tls);
    int error = listener_open(server->world, address, on_accept, door, &door->listener);
    return door_opened(door, error, ret_bound);
}

int http_server_adopt(HttpServer *server, int listening_fd, TlsContext *tls, Address *ret_bound) {
    Door *door = door_new(server, tls);
    int error = listener_adopt(server->world, listening_fd, on_accept, door, &door->listener);
    return door_opened(door, error, ret_bound);
}

int http_server_last_listener(const HttpServer *server) {
    size_t count = server->doors.count;
    return count ? listener_fd(server->doors.items[count - 1]->listener) : -1;
}

static void close_doors(HttpServer *server) {
    for (size_t i = 0; i < server->doors.count; i++)
        door_free(server->doors.items[i]);
    array_done(&server->doors);
}

void http_server_hold(HttpServer *server, bool hold) {
    server->held = hold;
    pace(server);
}

/* ---- end ---- */

static void on_drained(Task *task) {
    HttpServer *server = CONTAINER(task, HttpServer, drained_task);
    wheel_cancel(world_wheel(server->world), &server->grace);
    server->draining = false;
    if (server->drained)
        server->drained(server->drained_owner);
}

static void on_grace(Timer *timer) {
    HttpServer *server = CONTAINER(timer, HttpServer, grace);
    LIST_EACH (&server->connections, link)
        http_connection_close(CONTAINER(link, HttpConnection, link), 0);
}

void http_server_drain(HttpServer *server, Nanos grace, void (*drained)(void *owner), void *owner) {
    close_doors(server);
    server->draining = true;
    server->drained = drained;
    server->drained_owner = owner;
    wheel_arm(world_wheel(server->world), &server->grace, world_now(server->world) + grace);
    LIST_EACH (&server->connections, link) {
        HttpConnection *connection = CONTAINER(link, HttpConnection, link);
        if (connection->protocol)
            connection->protocol->drain(connection);
        else
            http_connection_close(connection, 0);
    }
    if (list_empty(&server->connections))
        world_defer(server->world, &server->drained_task);
}

HttpServer *http_server_new(World *world, const HttpLimits *limits,
                            void (*request)(void *owner, HttpExchange *exchange), void *owner) {
    HttpServer *server = xcalloc(1, sizeof *server);
    *server = (HttpServer){
        .world = world,
        .limits = limits ? *limits : HTTP_LIMITS,
        .pool = http_pool_new(),
        .request = request,
        .owner = owner,
        .grace = {.fire = on_grace},
        .drained_task = {.run = on_drained},
        .relieve = {.run = on_relieve},
    };
    list_init(&server->connections);
    return server;
}

void http_server_on_foreign(HttpServer *server,
                            bool (*take)(void *owner, Stream *stream, Span first), void *owner) {
    server->take = take;
    server->take_owner = owner;
}

void http_server_free(HttpServer *server) {
    if (!server)
        return;
    close_doors(server);
    world_undefer(&server->drained_task);
    wheel_cancel(world_wheel(server->world), &server->grace);
    for (Link *link; (link = list_pop_front(&server->connections));)
        http_connection_free(CONTAINER(link, HttpConnection, link), HTTP_LOST);
    world_undefer(&server->relieve);
    http_pool_free(server->pool);
    free(server);
}

HttpServerStats http_server_stats(const HttpServer *server) {
    HttpServerStats stats = server->stats;
    LIST_EACH (&server->connections, link) {
        const HttpConnection *connection = CONTAINER(link, HttpConnection, link);
        stats.bytes_in += connection->bytes_in;
        stats.bytes_out += connection->bytes_out;
        stats.exchanges_total += connection->exchanges_total;
        stats.exchanges_open += connection->exchange_count;
    }
    return stats;
}
