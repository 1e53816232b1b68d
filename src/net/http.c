#include <assert.h>
#include <strings.h>

#include "base/text.h"
#include "net/http_internal.h"

const HttpLimits HTTP_LIMITS = {
    .connections = 16384,
    .streams = 256,
    .header_bytes = 64 << 10,
    .header_count = 128,
    .window = 256 << 10,
    .write_queue = 4 << 20,
    .memory = 512 << 20,
    .glitches = 500,
    .handshake = 10 * NANOS_PER_SECOND,
    .header = 15 * NANOS_PER_SECOND,
    .body = 60 * NANOS_PER_SECOND,
    .idle = 300 * NANOS_PER_SECOND,
};

#define TELL(exchange_, what, ...)                                                                 \
    do {                                                                                           \
        const HttpExchange *told_ = (exchange_);                                                   \
        if (told_->handler && told_->handler->what)                                                \
            told_->handler->what(told_->owner, ##__VA_ARGS__);                                     \
    } while (0)

/* About what an exchange takes by itself: its arena and the protocol's state. */
#define EXCHANGE_COST 2048

/* Counts what the exchange holds now. */
static void count(HttpExchange *exchange) {
    HttpConnection *connection = exchange->connection;
    size_t held = EXCHANGE_COST + exchange->out.held + exchange->owed + exchange->kept;
    ptrdiff_t more = (ptrdiff_t)(held - exchange->held);
    exchange->held = held;
    connection->held += (size_t)more;
    if (more && connection->side->holds)
        connection->side->holds(connection, more);
}

static void uncount(HttpExchange *exchange) {
    HttpConnection *connection = exchange->connection;
    connection->held -= exchange->held;
    if (connection->side->holds)
        connection->side->holds(connection, -(ptrdiff_t)exchange->held);
}

/* ---- what handlers see ---- */

Span http_header(HttpHeaders headers, Span name) {
    for (size_t i = 0; i < headers.count; i++)
        if (span_equal(headers.items[i].name, name))
            return headers.items[i].value;
    return (Span){0};
}

const HttpRequest *http_request(const HttpExchange *exchange) {
    return &exchange->request;
}

Arena *http_arena(HttpExchange *exchange) {
    return &exchange->arena;
}

World *http_world(const HttpExchange *exchange) {
    return exchange->connection->world;
}

const HttpPeer *http_peer(const HttpExchange *exchange) {
    return &exchange->connection->peer;
}

void http_handle(HttpExchange *exchange, const HttpExchangeHandler *handler, void *owner) {
    exchange->handler = handler;
    exchange->owner = owner;
}

void http_respond(HttpExchange *exchange, int status, HttpHeaders headers, bool end) {
    if (exchange->over)
        return;
    assert(!exchange->status && status >= 200 && status <= 999);
    exchange->status = status;
    exchange->finished = end;
    if (status == 204 || status == 304)
        exchange->bodiless = true;
    exchange->connection->protocol->respond(exchange, headers);
}

static bool may_write(const HttpExchange *exchange, Span bytes) {
    return !exchange->over && !exchange->finished && !exchange->bodiless && bytes.len;
}

static void queued(HttpExchange *exchange) {
    count(exchange);
    if (exchange->out.size > HTTP_LOW)
        exchange->above = true;
    exchange->connection->protocol->wake(exchange);
}

void http_write(HttpExchange *exchange, Span bytes) {
    if (may_write(exchange, bytes)) {
        http_queue_add(&exchange->out, bytes);
        queued(exchange);
    }
}

void http_write_blob(HttpExchange *exchange, Blob *blob, Span part) {
    if (may_write(exchange, part)) {
        http_queue_add_blob(&exchange->out, blob, part);
        queued(exchange);
    }
}

void http_finish(HttpExchange *exchange, HttpHeaders trailers) {
    if (exchange->over || exchange->finished)
        return;
    exchange->finished = true;
    exchange->trailers = http_exchange_keep(exchange, trailers);
    exchange->connection->protocol->wake(exchange);
}

void http_reset(HttpExchange *exchange, HttpCode code) {
    if (exchange->over)
        return;
    exchange->over = true;
    if (exchange->reason == HTTP_OK || exchange->reason == HTTP_UNSENT)
        exchange->reason = HTTP_LOCAL;
    exchange->connection->protocol->reset(exchange, code);
}

size_t http_pending(const HttpExchange *exchange) {
    return exchange->out.size;
}

void http_release(HttpExchange *exchange, size_t bytes) {
    assert(bytes <= exchange->owed);
    exchange->owed -= bytes;
    count(exchange);
    exchange->connection->protocol->release(exchange, bytes);
}

void http_hold(HttpExchange *exchange, size_t bytes) {
    exchange->kept = bytes;
    count(exchange);
}

/* ---- what comes in ---- */

HttpExchange *http_exchange_new(HttpConnection *connection) {
    HttpExchange *exchange = http_pool_take(connection->pool);
    exchange->connection = connection;
    exchange->declared = -1;
    exchange->reason = HTTP_OK;
    exchange->request.version = connection->protocol->version;
    list_push_back(&connection->exchanges, &exchange->link);
    list_init(&exchange->roused);
    connection->exchange_count++;
    connection->exchanges_total++;
    count(exchange);
    return exchange;
}

static void learn(HttpExchange *exchange, Span name, Span value) {
    uint64_t length;
    if (span_equal(name, SPAN("content-length")) && parse_u64(value, &length) &&
        length <= INT64_MAX)
        exchange->declared = (int64_t)length;
    else if (span_equal(name, SPAN("expect")) && value.len == 12 &&
             strncasecmp(value.ptr, "100-continue", 12) == 0)
        exchange->expects = true;
}

void http_exchange_field(HttpExchange *exchange, Span name, Span value) {
    const HttpLimits *limits = exchange->connection->limits;
    HttpFields *fields = &exchange->fields;
    fields->bytes += name.len + value.len + 32;
    if (fields->bytes > limits->header_bytes || fields->count >= limits->header_count)
        fields->excess = true;
    if (fields->excess)
        return;
    Arena *arena = &exchange->arena;
    if (fields->count == fields->capacity) {
        fields->capacity = fields->capacity ? 2 * fields->capacity : 16;
        HttpHeader *items = arena_alloc(arena, fields->capacity * sizeof *items);
        if (fields->count)
            memcpy(items, fields->items, fields->count * sizeof *items);
        fields->items = items;
    }
    char *text = arena_alloc(arena, name.len + value.len);
    if (name.len)
        memcpy(text, name.ptr, name.len);
    if (value.len)
        memcpy(text + name.len, value.ptr, value.len);
    HttpHeader *header = &fields->items[fields->count++];
    *header = (HttpHeader){{text, name.len}, {text + name.len, value.len}};
    if (name.len == 14 || name.len == 6)
        learn(exchange, header->name, header->value);
}

HttpHeaders http_exchange_fields(const HttpExchange *exchange) {
    return (HttpHeaders){exchange->fields.items, exchange->fields.count};
}

void http_exchange_clear_fields(HttpExchange *exchange) {
    exchange->fields = (HttpFields){0};
}

void http_exchange_begin(HttpExchange *exchange) {
    HttpConnection *connection = exchange->connection;
    exchange->request.headers = http_exchange_fields(exchange);
    bool excess = exchange->fields.excess;
    http_exchange_clear_fields(exchange);
    if (span_equal(exchange->request.method, SPAN("HEAD")))
        exchange->bodiless = true;
    if (excess) {
        connection->side->refused(connection);
        http_exchange_refuse(exchange, 431, SPAN("the request's headers are too large\n"));
        return;
    }
    exchange->begun = true;
    http_exchange_await(exchange);
    connection->side->request(connection, exchange);
}

void http_exchange_response(HttpExchange *exchange) {
    if (exchange->over)
        return;
    HttpHeaders headers = http_exchange_fields(exchange);
    bool excess = exchange->fields.excess;
    http_exchange_clear_fields(exchange);
    if (excess) {
        exchange->reason = HTTP_PROTOCOL_ERROR;
        http_reset(exchange, HTTP_CANCEL);
        return;
    }
    TELL(exchange, response, exchange->status, headers);
}

void http_exchange_body(HttpExchange *exchange, Span bytes) {
    exchange->owed += bytes.len;
    count(exchange);
    exchange->heard = world_now(exchange->connection->world);
    exchange->expects = false;
    if (exchange->over || !exchange->handler || !exchange->handler->body)
        http_release(exchange, bytes.len);
    else
        exchange->handler->body(exchange->owner, bytes);
}

void http_exchange_await(HttpExchange *exchange) {
    HttpConnection *connection = exchange->connection;
    if (exchange->declared <= 0 || exchange->ended)
        return;
    exchange->heard = world_now(connection->world);
    http_connection_arm(connection, exchange->heard + connection->limits->body);
}

Nanos http_exchange_tick(HttpExchange *exchange, Nanos now) {
    const HttpLimits *limits = exchange->connection->limits;
    if (exchange->declared <= 0 || exchange->ended || exchange->over)
        return HTTP_TICK_MAX;
    if (exchange->owed >= limits->window)
        return now + limits->body;
    if (now < exchange->heard + limits->body)
        return exchange->heard + limits->body;
    exchange->connection->side->refused(exchange->connection);
    exchange->reason = HTTP_TIMEOUT;
    http_reset(exchange, HTTP_CANCEL);
    return HTTP_TICK_MAX;
}

void http_exchange_end(HttpExchange *exchange) {
    exchange->ended = true;
    exchange->expects = false;
    if (!exchange->over)
        TELL(exchange, end, http_exchange_fields(exchange));
}

void http_exchange_close(HttpExchange *exchange, int reason) {
    HttpConnection *connection = exchange->connection;
    if (exchange->reason != HTTP_OK)
        reason = exchange->reason;
    exchange->over = true;
    list_remove(&exchange->link);
    list_remove(&exchange->roused);
    if (exchange->begun)
        TELL(exchange, closed, reason);
    if (exchange->owed)
        http_release(exchange, exchange->owed);
    uncount(exchange);
    http_pool_give(connection->pool, exchange);
    if (--connection->exchange_count == 0 && !connection->closing) {
        connection->idle_since = world_now(connection->world);
        http_connection_arm(connection, connection->idle_since + connection->limits->idle);
    }
}

void http_exchange_sent(HttpExchange *exchange, size_t bytes) {
    HttpConnection *connection = exchange->connection;
    http_queue_drop(&exchange->out, bytes);
    count(exchange);
    if (exchange->above && exchange->out.size <= HTTP_LOW) {
        exchange->above = false;
        list_remove(&exchange->roused);
        list_push_back(&connection->roused, &exchange->roused);
    }
}

HttpHeaders http_exchange_keep(HttpExchange *exchange, HttpHeaders headers) {
    HttpHeader *items = arena_alloc(&exchange->arena, headers.count * sizeof *items);
    for (size_t i = 0; i < headers.count; i++)
        items[i] = (HttpHeader){arena_copy(&exchange->arena, headers.items[i].name),
                                arena_copy(&exchange->arena, headers.items[i].value)};
    return (HttpHeaders){items, headers.count};
}

void http_exchange_refuse(HttpExchange *exchange, int status, Span text) {
    HttpHeader type = {SPAN("content-type"), SPAN("text/plain; charset=utf-8")};
    http_respond(exchange, status, (HttpHeaders){&type, 1}, false);
    http_write(exchange, text);
    http_finish(exchange, (HttpHeaders){0});
}
