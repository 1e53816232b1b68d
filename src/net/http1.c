/* HTTP/1.1 and 1.0 (RFC 9112) by llhttp in its strict mode. One exchange at a time: requests
 * that a client sends ahead wait unparsed until the response before them is written. */
#include "net/http1.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"

static Http1 *session_of(const HttpConnection *connection) {
    return connection->session;
}

/* ---- the parser's callbacks ---- */

/* Stops the parser; the connection answers with this status. */
static int refuse(Http1 *http1, int status, const char *why) {
    http1->refusal = status;
    http1->why = why;
    return HPE_USER;
}

static int on_message_begin(llhttp_t *parser) {
    Http1 *http1 = parser->data;
    HttpConnection *connection = http1->connection;
    if (connection->side->server) {
        http1->exchange = http_exchange_new(connection);
        http1->keep_alive = true;
        http1->headed = false;
        buf_clear(&http1->name);
    } else if (!http1->exchange) {
        return refuse(http1, 400, "a response without a request");
    }
    http1->since = world_now(connection->world);
    http1->in_head = true;
    http1->raw = 0;
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t len) {
    Http1 *http1 = parser->data;
    buf_add(&http1->name, span(at, len));
    if (http1->name.len > http1->connection->limits->header_bytes)
        return refuse(http1, 414, "the request's target is too long");
    return 0;
}

static int on_url_complete(llhttp_t *parser) {
    Http1 *http1 = parser->data;
    http1->exchange->request.path = arena_copy(&http1->exchange->arena, buf_span(&http1->name));
    buf_clear(&http1->name);
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len) {
    Http1 *http1 = parser->data;
    if (!len)
        return 0;
    char *to = buf_reserve(&http1->name, len);
    for (size_t i = 0; i < len; i++)
        to[i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] | 0x20) : at[i];
    http1->name.len += len;
    if (http1->name.len > http1->connection->limits->header_bytes)
        return refuse(http1, 431, "a header's name is too long");
    return 0;
}

static const char *skip_blanks_back(const char *start, const char *at) {
    while (at > start && (at[-1] == ' ' || at[-1] == '\t'))
        at--;
    return at;
}

/* Whether this part of a value stands on a line of its own: "folded", which llhttp lets pass and
 * other readers understand otherwise (RFC 9112, 5.2). */
static bool is_folded(const Http1 *http1, const char *at) {
    at = skip_blanks_back(http1->start, at);
    return at == http1->start ? http1->after_newline : at[-1] == '\n';
}

static int on_value(llhttp_t *parser, const char *at, size_t len) {
    Http1 *http1 = parser->data;
    if (len && is_folded(http1, at))
        return refuse(http1, 400, "a header folded over two lines");
    buf_add(&http1->value, span(at, len));
    if (http1->value.len > http1->connection->limits->header_bytes)
        return refuse(http1, 431, "a header's value is too long");
    return 0;
}

static int on_value_complete(llhttp_t *parser) {
    Http1 *http1 = parser->data;
    Span value = buf_span(&http1->value);
    while (value.len && (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
        value.len--;
    http_exchange_field(http1->exchange, buf_span(&http1->name), value);
    buf_clear(&http1->name);
    buf_clear(&http1->value);
    return 0;
}

/* "http://host/path" as proxies are asked: the path, and the authority counts (RFC 9112, 3.2.2). */
static bool take_target(HttpRequest *request) {
    Span target = request->path;
    if (target.len && target.ptr[0] == '/')
        return true;
    if (span_equal(target, SPAN("*")))
        return span_equal(request->method, SPAN("OPTIONS"));
    size_t skip = span_starts(target, SPAN("http://"))    ? 7
                  : span_starts(target, SPAN("https://")) ? 8
                                                          : 0;
    if (!skip)
        return false;
    Span rest = span_skip(target, skip);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
        end++;
    request->authority = span(rest.ptr, end);
    Span path = span_skip(rest, end);
    request->path = path.len && path.ptr[0] == '/' ? path : SPAN("/");
    return end > 0 && (!path.len || path.ptr[0] == '/');
}

static bool is_host(Span host) {
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (c <= ' ' || c >= 0x7F || strchr("/\\?#@,\"<>", c))
            return false;
    }
    return true;
}

/* What llhttp leaves open: Host, and lengths that two readers could understand in two ways. */
static int check_request(Http1 *http1, HttpRequest *request) {
    HttpHeaders headers = http_exchange_fields(http1->exchange);
    size_t hosts = 0, codings = 0, lengths = 0;
    Span coding = {0};
    for (size_t i = 0; i < headers.count; i++) {
        Span name = headers.items[i].name, value = headers.items[i].value;
        if (span_equal(name, SPAN("host")) && ++hosts)
            request->authority = value;
        else if (span_equal(name, SPAN("transfer-encoding")) && ++codings)
            coding = value;
        else if (span_equal(name, SPAN("content-length")))
            lengths++;
    }
    if (http1->parser.http_major != 1 || http1->parser.http_minor > 1)
        return refuse(http1, 505, "HTTP/1.1 and HTTP/1.0 are spoken here");
    if (hosts > 1 || (hosts == 0 && http1->parser.http_minor == 1) || !is_host(request->authority))
        return refuse(http1, 400, "one valid Host header is needed");
    if (codings && (lengths || http1->parser.http_minor == 0))
        return refuse(http1, 400, "Transfer-Encoding together with Content-Length or HTTP/1.0");
    if (codings > 1 || (codings && (coding.len != 7 || strncasecmp(coding.ptr, "chunked", 7) != 0)))
        return refuse(http1, 501, "the only transfer coding known here is chunked");
    if (!take_target(request))
        return refuse(http1, 400, "the request's target is neither a path nor a URL");
    return 0;
}

static int on_request(Http1 *http1) {
    HttpExchange *exchange = http1->exchange;
    HttpRequest *request = &exchange->request;
    llhttp_t *parser = &http1->parser;
    request->method = span_of(llhttp_method_name(parser->method));
    request->scheme = http1->connection->peer.tls ? SPAN("https") : SPAN("http");
    if (parser->method == HTTP_CONNECT)
        return refuse(http1, 501, "this is no proxy");
    if (!exchange->fields.excess) {
        int refused = check_request(http1, request);
        if (refused)
            return refused;
    }
    parser->upgrade = 0; /* a wish, which is not granted */
    http1->keep_alive = llhttp_should_keep_alive(parser) && !exchange->fields.excess;
    request->ended = exchange->ended = !(parser->flags & F_CHUNKED) && parser->content_length == 0;
    http_exchange_begin(exchange);
    if (exchange->expects && !exchange->finished && !exchange->over && parser->http_minor == 1) {
        exchange->expects = false;
        http_connection_write(http1->connection, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    return 0;
}

static int on_response(Http1 *http1) {
    HttpExchange *exchange = http1->exchange;
    llhttp_t *parser = &http1->parser;
    if (parser->status_code == 101)
        return refuse(http1, 400, "an upgrade that nobody asked for");
    if (parser->status_code < 200) {
        http_exchange_clear_fields(exchange);
        return 0;
    }
    parser->upgrade = 0;
    if (span_equal(exchange->request.method, SPAN("HEAD")))
        parser->flags |= F_SKIPBODY;
    exchange->status = parser->status_code;
    exchange->answered = true;
    http1->keep_alive = http1->keep_alive && llhttp_should_keep_alive(parser);
    http_exchange_response(exchange);
    http_exchange_await(exchange);
    return parser->flags & F_SKIPBODY ? 1 : 0;
}

static int on_headers_complete(llhttp_t *parser) {
    Http1 *http1 = parser->data;
    http1->in_head = false;
    return http1->connection->side->server ? on_request(http1) : on_response(http1);
}

static int on_body(llhttp_t *parser, const char *at, size_t len) {
    Http1 *http1 = parser->data;
    http_exchange_body(http1->exchange, span(at, len));
    return 0;
}

static int on_message_complete(llhttp_t *parser) {
    Http1 *http1 = parser->data;
    HttpExchange *exchange = http1->exchange;
    if (!http1->connection->side->server && !exchange->answered)
        return 0;
    http1->parsed = true;
    if (!exchange->ended)
        http_exchange_end(exchange);
    return HPE_PAUSED;
}

static const llhttp_settings_t SETTINGS = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_url_complete = on_url_complete,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- reading ---- */

/* Reading pauses while requests wait that were sent ahead, and while nobody takes the body. */
static void pace(Http1 *http1) {
    HttpConnection *connection = http1->connection;
    bool waiting = http1->input.len > http1->taken;
    bool full = http1->exchange && http1->exchange->owed >= connection->limits->window;
    http_connection_read(connection, connection->finishing || !(waiting || full));
}

static int status_of(llhttp_errno_t error) {
    return error == HPE_INVALID_VERSION ? 505 : 400;
}

/* The peer's message cannot be understood, or not be accepted. */
static void fail(Http1 *http1, int status, Span why) {
    HttpConnection *connection = http1->connection;
    HttpExchange *exchange = http1->exchange;
    bool answer = connection->side->server && !(exchange && http1->headed);
    http1->exchange = NULL;
    http1->in_head = false;
    connection->side->refused(connection);
    if (exchange)
        http_exchange_close(exchange, status == 408 ? HTTP_TIMEOUT : HTTP_PROTOCOL_ERROR);
    if (answer) {
        http1_answer(http1, status, why);
        http_connection_finish(connection);
    } else {
        http_connection_close(connection, -EPROTO);
    }
}

/* Parses up to the end of one message; returns how many bytes that took. */
static size_t parse(Http1 *http1, Span bytes) {
    HttpConnection *connection = http1->connection;
    http1->start = bytes.ptr;
    llhttp_errno_t error = llhttp_execute(&http1->parser, bytes.ptr, bytes.len);
    size_t taken = bytes.len;
    const char *last = skip_blanks_back(bytes.ptr, bytes.ptr + bytes.len);
    if (last > bytes.ptr)
        http1->after_newline = last[-1] == '\n';
    if (error == HPE_PAUSED) {
        taken = (size_t)(llhttp_get_error_pos(&http1->parser) - bytes.ptr);
    } else if (error != HPE_OK) {
        if (!http1->refusal) {
            http1->refusal = status_of(error);
            http1->why = llhttp_get_error_reason(&http1->parser);
        }
        fail(http1, http1->refusal, span_of(http1->why));
        return taken;
    }
    http1->raw += taken;
    if (http1->in_head) {
        if (http1->raw > 2 * (size_t)connection->limits->header_bytes) {
            fail(http1, 431, SPAN("the request's headers are too large"));
            return taken;
        }
        http_connection_arm(connection, http1->since + connection->limits->header);
    }
    return taken;
}

static bool may_parse(const Http1 *http1) {
    const HttpConnection *connection = http1->connection;
    return !http1->parsed && !connection->finishing && !connection->closing;
}

static void parse_waiting(Http1 *http1) {
    while (may_parse(http1) && http1->taken < http1->input.len)
        http1->taken +=
            parse(http1, span(http1->input.ptr + http1->taken, http1->input.len - http1->taken));
    if (http1->taken == http1->input.len) {
        buf_done(&http1->input);
        http1->taken = 0;
    }
}

static void input(HttpConnection *connection, Span bytes) {
    Http1 *http1 = session_of(connection);
    if (may_parse(http1) && !http1->input.len)
        bytes = span_skip(bytes, parse(http1, bytes));
    if (bytes.len && !connection->finishing && !connection->closing) {
        if (connection->side->server)
            buf_add(&http1->input, bytes);
        else
            fail(http1, 400, SPAN("bytes after the response"));
    }
    pace(http1);
    http_connection_schedule(connection);
}

static void input_end(HttpConnection *connection) {
    Http1 *http1 = session_of(connection);
    HttpExchange *exchange = http1->exchange;
    if (!connection->side->server) {
        /* A body may go on until here. */
        if (exchange && !http1->parsed)
            llhttp_finish(&http1->parser);
        http1->keep_alive = false;
        connection->draining = true;
        connection->side->changed(connection);
    }
    http_connection_schedule(connection);
}

/* ---- the course of exchanges ---- */

/* This exchange is over; true when the connection goes on to the next. */
static bool next(Http1 *http1) {
    HttpConnection *connection = http1->connection;
    HttpExchange *exchange = http1->exchange;
    bool server = connection->side->server;
    bool goes_on = http1->keep_alive && http1->parsed && !connection->draining;
    http1->exchange = NULL;
    http1->parsed = http1->headed = false;
    http_exchange_close(exchange, HTTP_OK);
    if (connection->closing)
        return false;
    if (!goes_on) {
        connection->draining = true;
        http_connection_finish(connection);
    } else {
        llhttp_reset(&http1->parser);
        parse_waiting(http1);
        pace(http1);
    }
    if (!server)
        connection->side->changed(connection);
    return goes_on;
}

static bool is_complete(const HttpConnection *connection, const HttpExchange *exchange) {
    return connection->side->server ? exchange->sent : exchange->sent && exchange->ended;
}

static void flush(HttpConnection *connection) {
    Http1 *http1 = session_of(connection);
    while (http1->exchange && !connection->closing && !connection->finishing) {
        HttpExchange *exchange = http1->exchange;
        if (!exchange->over)
            http1_write(http1, exchange);
        if (exchange->over) {
            http_connection_close(connection, -ECONNABORTED);
            return;
        }
        if (!is_complete(connection, exchange)) {
            /* A client that ends its side has most likely been cancelled: only an answer that is
             * ready is still sent. */
            if (connection->ended && !(connection->side->server && exchange->finished))
                http_connection_close(connection, 0);
            return;
        }
        if (!next(http1))
            return;
    }
    if (!http1->exchange && (connection->ended || connection->draining))
        http_connection_finish(connection);
}

static Nanos tick(HttpConnection *connection, Nanos now) {
    Http1 *http1 = session_of(connection);
    const HttpLimits *limits = connection->limits;
    if (http1->in_head && connection->side->server) {
        if (now < http1->since + limits->header)
            return http1->since + limits->header;
        fail(http1, 408, SPAN("the request's headers took too long"));
        return HTTP_TICK_MAX;
    }
    if (http1->exchange)
        return http_exchange_tick(http1->exchange, now);
    if (now < connection->idle_since + limits->idle)
        return connection->idle_since + limits->idle;
    connection->draining = true;
    connection->side->changed(connection);
    http_connection_finish(connection);
    return HTTP_TICK_MAX;
}

static void drain(HttpConnection *connection) {
    Http1 *http1 = session_of(connection);
    connection->draining = true;
    /* A request whose head is not complete has not been accepted. */
    if (http1->in_head && connection->side->server)
        http_connection_close(connection, 0);
    http_connection_schedule(connection);
}

static void start(HttpConnection *connection) {
    Http1 *http1 = xcalloc(1, sizeof *http1);
    http1->connection = connection;
    http1->keep_alive = true;
    llhttp_init(&http1->parser, connection->side->server ? HTTP_REQUEST : HTTP_RESPONSE, &SETTINGS);
    http1->parser.data = http1;
    connection->session = http1;
    http_connection_read(connection, true);
    connection->idle_since = world_now(connection->world);
    http_connection_arm(connection, connection->idle_since + connection->limits->idle);
}

static void free_session(HttpConnection *connection) {
    Http1 *http1 = session_of(connection);
    buf_done(&http1->name);
    buf_done(&http1->value);
    buf_done(&http1->input);
    free(http1);
}

static void respond(HttpExchange *exchange, HttpHeaders headers) {
    exchange->headers = http_exchange_keep(exchange, headers);
    http_connection_schedule(exchange->connection);
}

static void request(HttpExchange *exchange, HttpHeaders headers) {
    Http1 *http1 = session_of(exchange->connection);
    http1->exchange = exchange;
    http1->headed = false;
    exchange->headers = http_exchange_keep(exchange, headers);
    http_connection_schedule(exchange->connection);
}

static void wake(HttpExchange *exchange) {
    http_connection_schedule(exchange->connection);
}

static void reset(HttpExchange *exchange, HttpCode code) {
    http_connection_schedule(exchange->connection);
}

static void release(HttpExchange *exchange, size_t bytes) {
    pace(session_of(exchange->connection));
}

static uint32_t room(const HttpConnection *connection) {
    const Http1 *http1 = session_of(connection);
    return !http1->exchange && http1->keep_alive && !connection->ended;
}

const HttpProtocol HTTP1 = {
    .version = 1,
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
