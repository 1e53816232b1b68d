#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "net/http_internal.h"
#include "net/tls.h"

#define CONNECT_TIMEOUT (10 * NANOS_PER_SECOND)

struct HttpClient {
    HttpClientOptions options;
    World *world;
    HttpPool *pool;
    HttpConnection *connection; /* NULL once it is gone */
    Task tell;                  /* the owner that `room` has changed */
    int error;                  /* why the connection is gone */
    Span tls_error;             /* and why TLS failed */
    bool had_room, told_gone;
    bool left; /* the owner has closed it */
};

static HttpClient *client_of(const HttpConnection *connection) {
    return connection->owner;
}

static void client_free(HttpClient *client) {
    world_undefer(&client->tell);
    http_pool_free(client->pool);
    tls_context_unref(client->options.tls);
    free(client);
}

uint32_t http_client_room(const HttpClient *client) {
    const HttpConnection *connection = client->connection;
    if (!connection || !connection->protocol || connection->closing || connection->finishing ||
        connection->draining)
        return 0;
    return connection->protocol->room(connection);
}

static bool is_gone(const HttpClient *client) {
    const HttpConnection *connection = client->connection;
    return !connection || connection->closing || connection->finishing || connection->draining;
}

static void on_tell(Task *task) {
    HttpClient *client = CONTAINER(task, HttpClient, tell);
    const HttpClientOptions *options = &client->options;
    bool room = http_client_room(client) > 0, had = client->had_room;
    client->had_room = room;
    if (client->left)
        return;
    if (is_gone(client) && !client->told_gone) {
        client->told_gone = true;
        if (options->gone)
            options->gone(options->owner, client->error);
    } else if (room && !had && options->ready) {
        options->ready(options->owner);
    }
}

static void on_changed(HttpConnection *connection) {
    HttpClient *client = client_of(connection);
    world_defer(client->world, &client->tell);
}

/* ---- the connection's events ---- */

static void on_connected(HttpConnection *connection) {
    HttpClient *client = client_of(connection);
    HttpVersionWish wish = client->options.version;
    const HttpProtocol *protocol = wish == HTTP_TWO ? &HTTP2 : &HTTP1;
    http_connection_know_peer(connection, connection->tls);
    if (connection->tls) {
        bool two = span_equal(tls_alpn(connection->stream), SPAN("h2"));
        connection->peer.certificate = tls_peer_subject(connection->stream);
        if (wish == HTTP_TWO && !two) {
            http_connection_close(connection, -EPROTO);
            return;
        }
        protocol = two ? &HTTP2 : &HTTP1;
    }
    http_connection_speak(connection, protocol, (Span){0});
    on_changed(connection);
}

static void on_first(HttpConnection *connection, Span bytes) {
}

static void on_request(HttpConnection *connection, HttpExchange *exchange) {
}

static void on_refused(HttpConnection *connection) {
}

static void on_closed(HttpConnection *connection, int error) {
    HttpClient *client = client_of(connection);
    client->connection = NULL;
    client->error = error;
    client->tls_error = connection->tls_error;
    if (client->left)
        client_free(client);
    else
        world_defer(client->world, &client->tell);
}

static const HttpSide SIDE = {
    .server = false,
    .connected = on_connected,
    .first = on_first,
    .request = on_request,
    .changed = on_changed,
    .refused = on_refused,
    .closed = on_closed,
};

/* ---- beginning and end ---- */

static HttpClient *client_new(World *world, const HttpClientOptions *options) {
    HttpClient *client = xcalloc(1, sizeof *client);
    client->options = *options;
    client->options.server_name = (Span){0};
    client->world = world;
    client->pool = http_pool_new();
    client->tell.run = on_tell;
    HttpLimits *limits = &client->options.limits;
    if (!limits->window)
        *limits = HTTP_LIMITS;
    limits->handshake = options->connect_timeout ? options->connect_timeout : CONNECT_TIMEOUT;
    if (options->tls)
        tls_context_ref(options->tls);
    return client;
}

static void client_begin(HttpClient *client, Stream *stream, Span server_name) {
    static const Span protocols[] = {SPAN("h2"), SPAN("http/1.1")};
    const HttpClientOptions *options = &client->options;
    size_t first = options->version == HTTP_ONE, last = options->version == HTTP_TWO ? 1 : 2;
    if (options->tls)
        stream = tls_client(options->tls, stream, server_name, protocols + first, last - first);
    HttpConnection *connection =
        http_connection_new(&SIDE, client, stream, client->pool, &client->options.limits);
    connection->tls = options->tls != NULL;
    connection->keepalive = options->keepalive;
    connection->keepalive_timeout =
        options->keepalive_timeout ? options->keepalive_timeout : CONNECT_TIMEOUT;
    client->connection = connection;
}

HttpClient *http_client_connect(World *world, const Address *address,
                                const HttpClientOptions *options) {
    HttpClient *client = client_new(world, options);
    Stream *stream;
    client->error = stream_connect(world, address, NULL, NULL, &stream);
    if (client->error < 0)
        world_defer(world, &client->tell);
    else
        client_begin(client, stream,
                     options->server_name.len ? options->server_name : span_of(address->host));
    return client;
}

HttpClient *http_client_on(World *world, Stream *connected, const HttpClientOptions *options) {
    HttpClient *client = client_new(world, options);
    client_begin(client, connected, options->server_name);
    if (!options->tls)
        on_connected(client->connection);
    return client;
}

Span http_client_tls_error(const HttpClient *client) {
    return client->tls_error;
}

uint8_t http_client_version(const HttpClient *client) {
    const HttpConnection *connection = client->connection;
    return connection && connection->protocol ? connection->protocol->version : 0;
}

void http_client_close(HttpClient *client, bool at_once) {
    HttpConnection *connection = client->connection;
    client->left = true;
    if (!connection)
        client_free(client);
    else if (at_once || !connection->protocol)
        http_connection_close(connection, 0);
    else
        connection->protocol->drain(connection);
}

HttpExchange *http_client_request(HttpClient *client, Span method, Span path, Span authority,
                                  HttpHeaders headers, bool end, const HttpExchangeHandler *handler,
                                  void *owner) {
    if (client->left || !http_client_room(client))
        return NULL;
    HttpConnection *connection = client->connection;
    HttpExchange *exchange = http_exchange_new(connection);
    Arena *arena = &exchange->arena;
    exchange->begun = true;
    exchange->finished = end;
    exchange->reason = HTTP_UNSENT;
    exchange->request.method = arena_copy(arena, method);
    exchange->request.path = arena_copy(arena, path);
    exchange->request.authority = arena_copy(arena, authority);
    exchange->request.scheme = connection->tls ? SPAN("https") : SPAN("http");
    http_handle(exchange, handler, owner);
    connection->protocol->request(exchange, headers);
    client->had_room = http_client_room(client) > 0;
    return exchange;
}
