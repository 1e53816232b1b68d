#include <stdio.h>

#include "base/text.h"
#include "net/http1.h"

#define CHUNK ((size_t)64 << 10)

static const struct {
    uint16_t status;
    const char *text;
} REASONS[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

/* The reason phrase, which may be empty. */
static const char *reason_of(int status) {
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++)
        if (REASONS[i].status == status)
            return REASONS[i].text;
    return "";
}

/* ---- the head ---- */

/* Control characters would end the line, and let a value smuggle in lines of its own. */
static void add_value(Buf *out, Span value) {
    char *at = buf_reserve(out, value.len + 1);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        at[i] = (c < ' ' && c != '\t') || c == 0x7F ? ' ' : (char)c;
    }
    out->len += value.len;
}

static void add_header(Buf *out, Span name, Span value) {
    buf_add(out, name);
    buf_add_literal(out, ": ");
    add_value(out, value);
    buf_add_literal(out, "\r\n");
}

static void add_length(Buf *out, uint64_t length) {
    char digits[20];
    add_header(out, SPAN("content-length"), span(digits, format_u64(digits, length)));
}

/* The owner's headers without those that belong to the connection. */
static void add_headers(Buf *out, Http1 *http1, HttpHeaders headers) {
    for (size_t i = 0; i < headers.count; i++) {
        const HttpHeader *header = &headers.items[i];
        if (span_equal(header->name, SPAN("connection"))) {
            if (span_equal(header->value, SPAN("close")))
                http1->keep_alive = false;
        } else if (!span_equal(header->name, SPAN("transfer-encoding")) &&
                   !span_equal(header->name, SPAN("keep-alive")) &&
                   !span_equal(header->name, SPAN("upgrade"))) {
            add_header(out, header->name, header->value);
        }
    }
}

static bool takes_body(Span method) {
    return span_equal(method, SPAN("POST")) || span_equal(method, SPAN("PUT")) ||
           span_equal(method, SPAN("PATCH"));
}

static void add_framing(Buf *out, Http1 *http1, HttpExchange *exchange) {
    bool server = http1->connection->side->server;
    Span announced = http_header(exchange->headers, SPAN("content-length"));
    bool old = server && http1->parser.http_minor == 0;
    if (exchange->bodiless) {
        http1->framing = HTTP1_NONE;
    } else if (announced.ptr && parse_u64(announced, &http1->length)) {
        http1->framing = HTTP1_LENGTH;
    } else if (exchange->finished && !exchange->trailers.count) {
        http1->length = exchange->out.size;
        http1->framing = HTTP1_LENGTH;
        if (server || http1->length || takes_body(exchange->request.method))
            add_length(out, http1->length);
    } else if (old) {
        http1->framing = HTTP1_CLOSE;
        http1->keep_alive = false;
    } else {
        http1->framing = HTTP1_CHUNKED;
        buf_add_literal(out, "transfer-encoding: chunked\r\n");
    }
    if (!http1->keep_alive)
        buf_add_literal(out, "connection: close\r\n");
    else if (old)
        buf_add_literal(out, "connection: keep-alive\r\n");
}

static void write_head(Http1 *http1, HttpExchange *exchange) {
    bool server = http1->connection->side->server;
    Buf out = {.arena = &exchange->arena};
    buf_reserve(&out, 512);
    if (server) {
        /* Of a body that is not wanted nobody knows when it ends. */
        if (exchange->expects || (exchange->finished && !exchange->ended) ||
            http1->connection->draining)
            http1->keep_alive = false;
        buf_printf(&out, "HTTP/1.1 %d %s\r\n", exchange->status, reason_of(exchange->status));
    } else {
        const HttpRequest *request = &exchange->request;
        buf_add(&out, request->method);
        buf_add_literal(&out, " ");
        add_value(&out, request->path);
        buf_add_literal(&out, " HTTP/1.1\r\n");
        add_header(&out, SPAN("host"), request->authority);
        exchange->reason = HTTP_OK;
    }
    add_headers(&out, http1, exchange->headers);
    add_framing(&out, http1, exchange);
    buf_add_literal(&out, "\r\n");
    http_connection_write(http1->connection, buf_span(&out));
    http1->headed = true;
}

/* ---- the body ---- */

static void write_pieces(Http1 *http1, HttpExchange *exchange, size_t size) {
    while (size) {
        Span part = http_queue_front(&exchange->out);
        if (part.len > size)
            part.len = size;
        http_connection_write(http1->connection, part);
        http_exchange_sent(exchange, part.len);
        size -= part.len;
    }
}

static void write_chunk(Http1 *http1, HttpExchange *exchange, size_t size) {
    char line[20];
    int len = snprintf(line, sizeof line, "%zx\r\n", size);
    http_connection_write(http1->connection, span(line, (size_t)len));
    write_pieces(http1, exchange, size);
    http_connection_write(http1->connection, SPAN("\r\n"));
}

/* False when the body is longer than what was announced. */
static bool write_body(Http1 *http1, HttpExchange *exchange) {
    while (exchange->out.size && http_connection_has_room(http1->connection)) {
        size_t size = exchange->out.size < CHUNK ? exchange->out.size : CHUNK;
        if (http1->framing == HTTP1_CHUNKED) {
            write_chunk(http1, exchange, size);
            continue;
        }
        if (http1->framing == HTTP1_LENGTH && size > http1->length)
            return false;
        http1->length -= size;
        write_pieces(http1, exchange, size);
    }
    return true;
}

static void write_end(Http1 *http1, HttpExchange *exchange) {
    if (http1->framing != HTTP1_CHUNKED)
        return;
    Buf out = {.arena = &exchange->arena};
    buf_add_literal(&out, "0\r\n");
    for (size_t i = 0; i < exchange->trailers.count; i++)
        add_header(&out, exchange->trailers.items[i].name, exchange->trailers.items[i].value);
    buf_add_literal(&out, "\r\n");
    http_connection_write(http1->connection, buf_span(&out));
}

bool http1_write(Http1 *http1, HttpExchange *exchange) {
    bool server = http1->connection->side->server;
    if (exchange->sent)
        return true;
    if (server && !exchange->status)
        return false;
    if (!http1->headed)
        write_head(http1, exchange);
    if (!write_body(http1, exchange)) {
        http_reset(exchange, HTTP_INTERNAL_ERROR);
        return false;
    }
    if (exchange->out.size || !exchange->finished)
        return false;
    if (http1->framing == HTTP1_LENGTH && http1->length) {
        http_reset(exchange, HTTP_INTERNAL_ERROR);
        return false;
    }
    write_end(http1, exchange);
    exchange->sent = true;
    return true;
}

void http1_answer(Http1 *http1, int status, Span text) {
    char head[200];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\n"
                       "content-length: %zu\r\nconnection: close\r\n\r\n",
                       status, reason_of(status), text.len + 1);
    http_connection_write(http1->connection, span(head, (size_t)len));
    http_connection_write(http1->connection, text);
    http_connection_write(http1->connection, SPAN("\n"));
}
