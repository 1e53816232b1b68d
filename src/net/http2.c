/* HTTP/2 (RFC 9113) by nghttp2. The session's functions mem_recv and mem_send are called from
 * input and flush only; whatever handlers do in between is submitted and leaves with the flush. */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "net/http2_wire.h"
#include "net/http_internal.h"

/* How long the first GOAWAY of a drain is given to reach the peer, when it does not answer the
 * PING that went with it. */
#define DRAIN_NOTICE (1 * NANOS_PER_SECOND)

static const uint8_t PING_DRAIN[8] = "drain", PING_ALIVE[8] = "alive";

typedef struct Http2 {
    nghttp2_session *session;
    HttpConnection *connection;
    HttpMemory memory;
    HttpExchange *receiving; /* whose header block is coming in */
    Nanos receiving_since;
    HttpExchange *recent; /* whose DATA came last */
    size_t credit;        /* released, not yet given back to the connection's window */
    uint32_t glitches;
    Nanos glitches_since;
    uint32_t earned; /* tiny WINDOW_UPDATEs and PINGs that are no glitch */
    Http2Wire wire;
    Nanos noticed; /* when the first GOAWAY of a drain was sent; 0 = no drain */
    bool settled;  /* the peer's SETTINGS have come */
    bool goaway;   /* the last GOAWAY is submitted */
    bool blocked;  /* a DATA frame waits for room */
} Http2;

static Http2 *session_of(const HttpConnection *connection) {
    return connection->session;
}

static void fatal(int error) {
    if (error == NGHTTP2_ERR_NOMEM)
        out_of_memory();
}

/* ---- defence ---- */

static void terminate(Http2 *http2, uint32_t code) {
    if (http2->goaway)
        return;
    http2->goaway = true;
    http2->connection->draining = true;
    if (code != NGHTTP2_NO_ERROR)
        http2->connection->side->refused(http2->connection);
    fatal(nghttp2_session_terminate_session(http2->session, code));
    http_connection_schedule(http2->connection);
}

/* Counts what costs the peer little and us something. */
static void glitch(Http2 *http2, uint32_t count) {
    Nanos now = world_now(http2->connection->world);
    if (now - http2->glitches_since >= NANOS_PER_SECOND) {
        http2->glitches_since = now;
        http2->glitches = 0;
    }
    http2->glitches += count;
    if (http2->glitches > http2->connection->limits->glitches)
        terminate(http2, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* gRPC's C core opens windows by as little as a message takes, for the stream and the connection,
 * and grpc-go sends a PING with much of the data that it gets, to learn the bandwidth: what calls
 * and their answers bring about is not held against them. */
#define EARNED_BY_STREAM 4
#define EARNED_BY_DATA   2
#define EARNED_MOST      65536

static void earn(Http2 *http2, uint32_t count) {
    if (http2->earned < EARNED_MOST)
        http2->earned += count;
}

static void spend(Http2 *http2) {
    if (http2->earned)
        http2->earned--;
    else
        glitch(http2, 1);
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user) {
    glitch(user, 1);
    return 0;
}

/* ---- what comes in ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    Http2 *http2 = user;
    HttpConnection *connection = http2->connection;
    int32_t id = frame->hd.stream_id;
    HttpExchange *exchange;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        exchange = http_exchange_new(connection);
        exchange->stream = id;
        nghttp2_session_set_stream_user_data(session, id, exchange);
        earn(http2, EARNED_BY_STREAM);
    } else {
        exchange = nghttp2_session_get_stream_user_data(session, id);
    }
    http2->receiving = exchange;
    http2->receiving_since = world_now(connection->world);
    return 0;
}

static void on_pseudo_header(HttpExchange *exchange, Span name, Span value) {
    HttpRequest *request = &exchange->request;
    exchange->fields.bytes += name.len + value.len + 32;
    if (exchange->fields.bytes > exchange->connection->limits->header_bytes) {
        exchange->fields.excess = true;
        return;
    }
    uint64_t number;
    if (span_equal(name, SPAN(":path")))
        request->path = arena_copy(&exchange->arena, value);
    else if (span_equal(name, SPAN(":method")))
        request->method = arena_copy(&exchange->arena, value);
    else if (span_equal(name, SPAN(":authority")))
        request->authority = arena_copy(&exchange->arena, value);
    else if (span_equal(name, SPAN(":scheme")))
        request->scheme = arena_copy(&exchange->arena, value);
    else if (span_equal(name, SPAN(":status")) && parse_u64(value, &number))
        exchange->status = (int)number;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user) {
    Http2 *http2 = user;
    HttpExchange *exchange = http2->receiving;
    if (!exchange)
        return 0;
    if (name[0] == ':')
        on_pseudo_header(exchange, span(name, name_len), span(value, value_len));
    else
        http_exchange_field(exchange, span(name, name_len), span(value, value_len));
    /* A few bytes of HPACK can stand for kilobytes: no use in going on for long. */
    if (exchange->fields.bytes / 4 > http2->connection->limits->header_bytes)
        terminate(http2, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
}

static void send_continue(Http2 *http2, HttpExchange *exchange) {
    static const nghttp2_nv status = {(uint8_t *)":status", (uint8_t *)"100", 7, 3,
                                      NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
    exchange->expects = false;
    fatal(nghttp2_submit_headers(http2->session, NGHTTP2_FLAG_NONE, exchange->stream, NULL, &status,
                                 1, NULL));
}

static void on_request(Http2 *http2, HttpExchange *exchange, bool end) {
    HttpRequest *request = &exchange->request;
    request->ended = exchange->ended = end;
    if (!request->authority.len)
        request->authority = http_header(http_exchange_fields(exchange), SPAN("host"));
    http_exchange_begin(exchange);
    if (exchange->expects && !exchange->status && !exchange->over)
        send_continue(http2, exchange);
}

static void on_headers(Http2 *http2, const nghttp2_frame *frame, HttpExchange *exchange) {
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        on_request(http2, exchange, end);
        return;
    }
    if (!http2->connection->side->server && !exchange->answered) {
        if (exchange->status < 200) {
            exchange->status = 0;
            http_exchange_clear_fields(exchange);
            return;
        }
        exchange->answered = true;
        http_exchange_response(exchange);
        http_exchange_await(exchange);
    }
    if (end)
        http_exchange_end(exchange);
}

static void second_goaway(Http2 *http2) {
    http2->goaway = true;
    fatal(nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(http2->session),
                                NGHTTP2_NO_ERROR, NULL, 0));
    http_connection_schedule(http2->connection);
}

static void on_ping_ack(Http2 *http2, const uint8_t data[8]) {
    if (memcmp(data, PING_ALIVE, 8) == 0)
        http2->connection->pinged = 0;
    else if (memcmp(data, PING_DRAIN, 8) == 0 && http2->noticed && !http2->goaway)
        second_goaway(http2);
}

static void on_data_end(Http2 *http2, const nghttp2_frame *frame) {
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        HttpExchange *exchange =
            nghttp2_session_get_stream_user_data(http2->session, frame->hd.stream_id);
        if (exchange)
            http_exchange_end(exchange);
    }
}

/* Who cancels before any of an answer has left costs us one ("rapid reset"). */
static void on_reset(Http2 *http2, int32_t id) {
    const HttpExchange *exchange = nghttp2_session_get_stream_user_data(http2->session, id);
    if (exchange && !exchange->left)
        glitch(http2, 1);
    else
        spend(http2);
}

static void on_settings(Http2 *http2, const nghttp2_frame *frame) {
    if (frame->hd.flags & NGHTTP2_FLAG_ACK)
        return;
    http2->settled = true;
    http2->connection->side->changed(http2->connection);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    Http2 *http2 = user;
    HttpExchange *exchange = http2->receiving;
    http2->receiving = NULL;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (exchange)
            on_headers(http2, frame, exchange);
        break;
    case NGHTTP2_DATA:
        on_data_end(http2, frame);
        break;
    case NGHTTP2_RST_STREAM:
        on_reset(http2, frame->hd.stream_id);
        break;
    case NGHTTP2_SETTINGS:
        on_settings(http2, frame);
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            on_ping_ack(http2, frame->ping.opaque_data);
        else
            spend(http2);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        if (frame->window_update.window_size_increment < 16)
            spend(http2);
        break;
    case NGHTTP2_GOAWAY:
        if (!http2->connection->side->server) {
            http2->connection->draining = true;
            http2->connection->side->changed(http2->connection);
        }
        break;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *user) {
    Http2 *http2 = user;
    HttpExchange *exchange = http2->recent;
    if (!exchange || exchange->stream != id)
        exchange = http2->recent = nghttp2_session_get_stream_user_data(session, id);
    if (exchange)
        http_exchange_body(exchange, span(bytes, len));
    else
        http2->credit += len;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    Http2 *http2 = user;
    HttpExchange *exchange = nghttp2_session_get_stream_user_data(session, id);
    if (!exchange)
        return 0;
    bool server = http2->connection->side->server;
    if (http2->recent == exchange)
        http2->recent = NULL;
    if (http2->receiving == exchange)
        http2->receiving = NULL;
    int reason = (int)code;
    if (code == NGHTTP2_NO_ERROR)
        reason = (server ? exchange->sent : exchange->ended) ? HTTP_OK : HTTP_CANCEL;
    else if (code == NGHTTP2_REFUSED_STREAM && !server)
        reason = HTTP_UNSENT;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    http_exchange_close(exchange, reason);
    if (!server)
        http2->connection->side->changed(http2->connection);
    return 0;
}

/* ---- what goes out ---- */

static nghttp2_nv pair(Span name, Span value, uint8_t flags) {
    return (nghttp2_nv){(uint8_t *)name.ptr, (uint8_t *)value.ptr, name.len, value.len, flags};
}

static bool hop_by_hop(Span name) {
    return span_equal(name, SPAN("connection")) || span_equal(name, SPAN("transfer-encoding")) ||
           span_equal(name, SPAN("keep-alive")) || span_equal(name, SPAN("upgrade"));
}

/* Up to four pseudo-headers and the rest; in `room` when they fit, else in the arena. */
#define ROOM 28
static nghttp2_nv *name_values(HttpExchange *exchange, nghttp2_nv *room, size_t pseudo,
                               HttpHeaders headers, size_t *ret_count) {
    nghttp2_nv *pairs = room;
    if (pseudo + headers.count > ROOM) {
        pairs = arena_alloc(&exchange->arena, (pseudo + headers.count) * sizeof *pairs);
        memcpy(pairs, room, pseudo * sizeof *pairs);
    }
    size_t count = pseudo;
    for (size_t i = 0; i < headers.count; i++)
        if (!hop_by_hop(headers.items[i].name))
            pairs[count++] =
                pair(headers.items[i].name, headers.items[i].value, NGHTTP2_NV_FLAG_NONE);
    *ret_count = count;
    return pairs;
}

static void submit_trailers(Http2 *http2, HttpExchange *exchange) {
    nghttp2_nv room[ROOM];
    size_t count;
    nghttp2_nv *pairs = name_values(exchange, room, 0, exchange->trailers, &count);
    fatal(nghttp2_submit_trailer(http2->session, exchange->stream, pairs, count));
}

/* How much of the body may go into the next DATA frame; send_data copies it. */
static ssize_t read_data(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *user) {
    HttpExchange *exchange = source->ptr;
    size_t size = exchange->out.size;
    if (size == 0 && !exchange->finished) {
        exchange->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size > length)
        return (ssize_t)length;
    if (exchange->finished) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (exchange->trailers.count) {
            /* Only here, so that they cannot overtake the body. */
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            submit_trailers(user, exchange);
        }
    }
    return (ssize_t)size;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t length, nghttp2_data_source *source, void *user) {
    Http2 *http2 = user;
    HttpExchange *exchange = source->ptr;
    /* nghttp2 goes from one such frame to the next without returning in between. */
    if (!http_connection_has_room(http2->connection)) {
        http2->blocked = true;
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    exchange->left = true;
    http_connection_write(http2->connection, span(head, 9));
    for (size_t left = length; left;) {
        Span part = http_queue_front(&exchange->out);
        if (part.len > left)
            part.len = left;
        http_connection_write(http2->connection, part);
        http_exchange_sent(exchange, part.len);
        left -= part.len;
    }
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    Http2 *http2 = user;
    bool server = http2->connection->side->server;
    bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_DATA)
        earn(http2, EARNED_BY_DATA);
    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) || (server && !last))
        return 0;
    HttpExchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!exchange)
        return 0;
    if (exchange->reason == HTTP_UNSENT)
        exchange->reason = HTTP_OK;
    exchange->sent = last;
    /* A response that is complete before its request is: the client may stop sending. */
    if (server && !exchange->ended)
        fatal(nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                        NGHTTP2_NO_ERROR));
    return 0;
}

void http2_configure(nghttp2_session_callbacks *callbacks, nghttp2_option *options) {
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    /* Ours (`glitches`) is the stricter one. */
    nghttp2_option_set_stream_reset_rate_limit(options, UINT32_MAX, UINT32_MAX);
}

/* ---- the protocol's functions ---- */

static void start(HttpConnection *connection) {
    const HttpLimits *limits = connection->limits;
    Http2 *http2 = xcalloc(1, sizeof *http2);
    http2->connection = connection;
    http2->memory.pool = connection->pool;
    http2->wire.payload = NGHTTP2_CLIENT_MAGIC_LEN;
    connection->session = http2;
    nghttp2_mem memory = http_memory(&http2->memory);
    nghttp2_session_callbacks *callbacks = http_pool_callbacks(connection->pool);
    nghttp2_option *options = http_pool_options(connection->pool);
    bool server = connection->side->server;
    fatal(server
              ? nghttp2_session_server_new3(&http2->session, callbacks, http2, options, &memory)
              : nghttp2_session_client_new3(&http2->session, callbacks, http2, options, &memory));
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->header_bytes},
        server ? (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams}
               : (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    fatal(nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings,
                                  sizeof settings / sizeof *settings));
    uint32_t window = limits->window > INT32_MAX / 4 ? INT32_MAX : 4 * limits->window;
    fatal(nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0,
                                                (int32_t)window));
    http_connection_read(connection, true);
    if (connection->keepalive)
        http_connection_arm(connection, connection->heard + connection->keepalive);
}

static void free_session(HttpConnection *connection) {
    Http2 *http2 = session_of(connection);
    nghttp2_session_del(http2->session);
    free(http2);
}

static void input(HttpConnection *connection, Span bytes) {
    Http2 *http2 = session_of(connection);
    uint32_t error = NGHTTP2_NO_ERROR, glitches = 0;
    if (connection->side->server)
        bytes.len = http2_wire_scan(&http2->wire, bytes, &glitches, &error);
    ssize_t taken = nghttp2_session_mem_recv(http2->session, (const uint8_t *)bytes.ptr, bytes.len);
    fatal((int)taken);
    if (taken < 0) { /* not even a preface, or a flood */
        connection->side->refused(connection);
        http_connection_finish(connection);
        return;
    }
    if (http2->memory.used > connection->limits->write_queue) {
        connection->side->refused(connection);
        http_connection_close(connection, -ENOBUFS);
        return;
    }
    if (glitches)
        glitch(http2, glitches);
    if (error != NGHTTP2_NO_ERROR)
        terminate(http2, error);
    if (http2->receiving)
        http_connection_arm(connection, http2->receiving_since + connection->limits->header);
    http_connection_schedule(connection);
}

static void input_end(HttpConnection *connection) {
    http_connection_schedule(connection);
}

static void flush(HttpConnection *connection) {
    Http2 *http2 = session_of(connection);
    if (http2->credit) {
        fatal(nghttp2_session_consume_connection(http2->session, http2->credit));
        http2->credit = 0;
    }
    if (connection->draining && !connection->side->server && !connection->exchange_count)
        terminate(http2, NGHTTP2_NO_ERROR);
    while (http_connection_has_room(connection)) {
        const uint8_t *bytes;
        ssize_t len = nghttp2_session_mem_send(http2->session, &bytes);
        fatal((int)len);
        if (len < 0) {
            http_connection_close(connection, -EPROTO);
            return;
        }
        if (len == 0 && http2->blocked) {
            http2->blocked = false;
            return;
        }
        if (len == 0) {
            if (connection->ended)
                http_connection_close(connection, 0);
            else if (!nghttp2_session_want_read(http2->session))
                http_connection_finish(connection);
            return;
        }
        http_connection_write(connection, span(bytes, (size_t)len));
    }
}

/* First a GOAWAY that refuses nothing yet, so that no request that is on its way gets lost; once
 * the client has seen it, the one that counts (RFC 9113, 6.8). */
static void drain(HttpConnection *connection) {
    Http2 *http2 = session_of(connection);
    if (connection->draining)
        return;
    connection->draining = true;
    http_connection_schedule(connection);
    if (!connection->side->server)
        return;
    http2->noticed = world_now(connection->world);
    fatal(nghttp2_submit_shutdown_notice(http2->session));
    fatal(nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, PING_DRAIN));
    http_connection_arm(connection, http2->noticed + DRAIN_NOTICE);
}

static Nanos earlier(Nanos a, Nanos b) {
    return a < b ? a : b;
}

static Nanos tick_keepalive(Http2 *http2, Nanos now) {
    HttpConnection *connection = http2->connection;
    if (connection->pinged && connection->heard >= connection->pinged)
        connection->pinged = 0;
    if (connection->pinged) {
        if (now >= connection->pinged + connection->keepalive_timeout)
            http_connection_close(connection, -ETIMEDOUT);
        return connection->pinged + connection->keepalive_timeout;
    }
    if (now < connection->heard + connection->keepalive)
        return connection->heard + connection->keepalive;
    connection->pinged = now;
    fatal(nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, PING_ALIVE));
    http_connection_schedule(connection);
    return now + connection->keepalive_timeout;
}

static Nanos tick(HttpConnection *connection, Nanos now) {
    Http2 *http2 = session_of(connection);
    const HttpLimits *limits = connection->limits;
    Nanos next = HTTP_TICK_MAX, due;
    bool late = (!http2->settled && now >= connection->opened + limits->handshake) ||
                (http2->receiving && now >= http2->receiving_since + limits->header);
    if (late) {
        connection->side->refused(connection);
        http_connection_close(connection, -ETIMEDOUT);
        return HTTP_TICK_MAX;
    }
    if (!http2->settled)
        next = connection->opened + limits->handshake;
    if (http2->receiving)
        next = earlier(next, http2->receiving_since + limits->header);
    LIST_EACH (&connection->exchanges, link)
        next = earlier(next, http_exchange_tick(CONTAINER(link, HttpExchange, link), now));
    if (http2->noticed && !http2->goaway) {
        if (now >= (due = http2->noticed + DRAIN_NOTICE))
            second_goaway(http2);
        else
            next = earlier(next, due);
    }
    if (connection->exchange_count == 0) {
        if (now >= (due = connection->idle_since + limits->idle))
            drain(connection);
        else
            next = earlier(next, due);
    }
    if (connection->keepalive && !http2->goaway)
        next = earlier(next, tick_keepalive(http2, now));
    return next;
}

static const nghttp2_data_provider *provider(HttpExchange *exchange, nghttp2_data_provider *room) {
    if (exchange->finished && !exchange->out.size && !exchange->trailers.count)
        return NULL;
    *room = (nghttp2_data_provider){{.ptr = exchange}, read_data};
    return room;
}

static void respond(HttpExchange *exchange, HttpHeaders headers) {
    Http2 *http2 = session_of(exchange->connection);
    char status[3] = {(char)('0' + exchange->status / 100),
                      (char)('0' + exchange->status / 10 % 10),
                      (char)('0' + exchange->status % 10)};
    nghttp2_nv room[ROOM] = {pair(SPAN(":status"), span(status, 3), NGHTTP2_NV_FLAG_NO_COPY_NAME)};
    nghttp2_data_provider data;
    size_t count;
    nghttp2_nv *pairs = name_values(exchange, room, 1, headers, &count);
    fatal(nghttp2_submit_response(http2->session, exchange->stream, pairs, count,
                                  provider(exchange, &data)));
    http_connection_schedule(exchange->connection);
}

static void request(HttpExchange *exchange, HttpHeaders headers) {
    Http2 *http2 = session_of(exchange->connection);
    const HttpRequest *asked = &exchange->request;
    nghttp2_nv room[ROOM] = {
        pair(SPAN(":method"), asked->method, NGHTTP2_NV_FLAG_NO_COPY_NAME),
        pair(SPAN(":scheme"), asked->scheme, NGHTTP2_NV_FLAG_NO_COPY_NAME),
        pair(SPAN(":path"), asked->path, NGHTTP2_NV_FLAG_NO_COPY_NAME),
        pair(SPAN(":authority"), asked->authority, NGHTTP2_NV_FLAG_NO_COPY_NAME),
    };
    nghttp2_data_provider data;
    size_t count;
    nghttp2_nv *pairs = name_values(exchange, room, 4, headers, &count);
    exchange->stream = nghttp2_submit_request(http2->session, NULL, pairs, count,
                                              provider(exchange, &data), exchange);
    fatal(exchange->stream);
    http_connection_schedule(exchange->connection);
}

static void wake(HttpExchange *exchange) {
    Http2 *http2 = session_of(exchange->connection);
    if (exchange->deferred) {
        exchange->deferred = false;
        fatal(nghttp2_session_resume_data(http2->session, exchange->stream));
    }
    http_connection_schedule(exchange->connection);
}

static void reset(HttpExchange *exchange, HttpCode code) {
    Http2 *http2 = session_of(exchange->connection);
    fatal(nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, exchange->stream, code));
    http_connection_schedule(exchange->connection);
}

static void release(HttpExchange *exchange, size_t bytes) {
    Http2 *http2 = session_of(exchange->connection);
    http2->credit += bytes;
    if (!exchange->ended && !exchange->over)
        fatal(nghttp2_session_consume_stream(http2->session, exchange->stream, bytes));
    http_connection_schedule(exchange->connection);
}

static uint32_t room(const HttpConnection *connection) {
    Http2 *http2 = session_of(connection);
    uint32_t most = nghttp2_session_get_remote_settings(http2->session,
                                                        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (most > connection->limits->streams)
        most = connection->limits->streams;
    if (!nghttp2_session_check_request_allowed(http2->session))
        return 0;
    return most > connection->exchange_count ? most - connection->exchange_count : 0;
}

const HttpProtocol HTTP2 = {
    .version = 2,
    .start = start,
    .free = free_session,
    .input = input,
    .input_end = input_end,
    .flush = flush,
    .tick = tick,
    .drain = drain,
    .respond = respond,
    .wake = wake,
    .reset = reset,
    .release = release,
    .request = request,
    .room = room,
};
