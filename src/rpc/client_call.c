/* The life of a client's call, whatever the protocol: begun, sent, sent again, ended. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "rpc/client_internal.h"

#define RETRY_MIN  (50 * NANOS_PER_MILLI)
#define RETRY_MAX  (2 * NANOS_PER_SECOND)
#define TARGET_MAX 8000 /* of a GET; servers refuse longer ones, so POST it is (RFC 9110, 4.1) */

/* ---- the end ---- */

/* The exchange goes its own way from here, unheard. */
static void detach(ClientCall *call) {
    static const HttpExchangeHandler UNHEARD = {0};
    HttpExchange *exchange = call->exchange;
    if (!exchange)
        return;
    call->exchange = NULL;
    http_handle(exchange, &UNHEARD, NULL);
    bool sent = call->half_closed && !http_pending(exchange);
    if (!call->has_status || !sent)
        http_reset(exchange, HTTP_CANCEL);
}

static void tell_end(Task *task) {
    ClientCall *call = CONTAINER(task, ClientCall, ending);
    call->handler->closed(call->owner, call->status, call->trailers);
    envelope_reader_done(&call->reader);
    buf_done(&call->outbox);
    buf_done(&call->body);
    arena_done(&call->scratch);
    arena_done(&call->arena);
    free(call);
}

static void finish(ClientCall *call) {
    call->ended = true;
    detach(call);
    wheel_cancel(world_wheel(call->world), &call->deadline_timer);
    wheel_cancel(world_wheel(call->world), &call->retry_timer);
    channel_take(call);
    call->ending.run = tell_end;
    world_defer(call->world, &call->ending);
}

void client_call_end(ClientCall *call, StatusCode code, const char *format, ...) {
    if (call->ended)
        return;
    Buf text = {.arena = &call->arena};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    call->has_status = false;
    call->status = (Status){.code = code, .message = buf_span(&text)};
    finish(call);
}

void client_cancel(ClientCall *call) {
    client_call_end(call, STATUS_CANCELLED, "cancelled");
}

static void end_by_deadline(ClientCall *call) {
    client_call_end(call, STATUS_DEADLINE_EXCEEDED, "the deadline has passed");
}

static void on_deadline(Timer *timer) {
    end_by_deadline(CONTAINER(timer, ClientCall, deadline_timer));
}

void client_call_set_status(ClientCall *call, Status status, HttpHeaders trailers) {
    if (call->has_status || call->ended)
        return;
    call->has_status = true;
    call->status = status;
    call->trailers = trailers;
}

/* The peer has said how it ended. */
static void complete(ClientCall *call) {
    if (call->status.code == STATUS_OK && client_gets_one(call))
        client_deliver_held(call);
    if (!call->ended)
        finish(call);
}

/* ---- trying again ---- */

static void on_retry(Timer *timer) {
    ClientCall *call = CONTAINER(timer, ClientCall, retry_timer);
    channel_dispatch(call->channel, call);
}

/* Whether a call that broke off may be sent again: the server did not begin it, or its doing so
 * twice does no harm. */
static bool may_retry(const ClientCall *call, int reason) {
    bool unsent = reason == HTTP_UNSENT || reason == HTTP_REFUSED_STREAM;
    bool harmless = call->method->idempotency != SCHEMA_IDEMPOTENCY_UNKNOWN && reason == HTTP_LOST;
    return call->replayable && (unsent || harmless) &&
           call->attempts < channel_options(call->channel)->attempts;
}

static void retry(ClientCall *call) {
    Nanos pause = RETRY_MIN << (call->attempts - 1);
    uint32_t random;
    world_random(call->world, &random, sizeof random);
    pause = (pause < RETRY_MAX ? pause : RETRY_MAX) / 1000 * (Nanos)(500 + random % 500);
    wheel_arm(world_wheel(call->world), &call->retry_timer, world_now(call->world) + pause);
}

/* ---- what comes from the exchange ---- */

static void on_response(void *owner, int status, HttpHeaders headers) {
    ClientCall *call = owner;
    call->replayable = false;
    call->http_status = status;
    call->protocol->response(call, headers);
}

static void on_body(void *owner, Span bytes) {
    ClientCall *call = owner;
    HttpExchange *exchange = call->exchange;
    call->protocol->body(call, bytes);
    http_release(exchange, bytes.len);
}

static void on_end(void *owner, HttpHeaders trailers) {
    ClientCall *call = owner;
    call->protocol->end(call, trailers);
    if (!call->ended && call->has_status)
        complete(call);
}

static void on_writable(void *owner) {
    ClientCall *call = owner;
    if (!call->slow)
        return;
    call->slow = false;
    if (call->handler->writable)
        call->handler->writable(call->owner);
}

static void fail(ClientCall *call, int reason) {
    static const char *const REASONS[] = {
        [-HTTP_OK] = "the response ended too early",
        [-HTTP_LOST] = "the connection was lost",
        [-HTTP_LOCAL] = "reset",
        [-HTTP_UNSENT] = "the server takes no calls",
        [-HTTP_TIMEOUT] = "the server is silent",
    };
    /* The server's clock may be ahead of ours. */
    if (reason == HTTP_CANCEL && world_now(call->world) >= call->deadline)
        end_by_deadline(call);
    else if (reason < 0)
        client_call_end(call, reason == HTTP_OK ? STATUS_INTERNAL : status_from_reset(reason), "%s",
                        REASONS[-reason]);
    else
        client_call_end(call, status_from_reset(reason), "the server reset the stream with code %d",
                        reason);
}

static void on_closed(void *owner, int reason) {
    ClientCall *call = owner;
    call->exchange = NULL;
    if (call->has_status)
        complete(call);
    else if (may_retry(call, reason))
        retry(call);
    else
        fail(call, reason);
}

static const HttpExchangeHandler EXCHANGE_HANDLER = {
    .response = on_response,
    .body = on_body,
    .end = on_end,
    .writable = on_writable,
    .closed = on_closed,
};

HttpHeaders client_keep(ClientCall *call, HttpHeaders headers) {
    HttpHeader *items = arena_alloc(&call->arena, headers.count * sizeof *items);
    for (size_t i = 0; i < headers.count; i++)
        items[i] = (HttpHeader){arena_copy(&call->arena, headers.items[i].name),
                                arena_copy(&call->arena, headers.items[i].value)};
    return (HttpHeaders){items, headers.count};
}

void client_call_headers(ClientCall *call, HttpHeaders headers) {
    HttpHeaders metadata;
    if (!metadata_read(&call->arena, headers, SPAN(""), &metadata)) {
        client_call_end(call, STATUS_INTERNAL, "a -bin header of the response is not base64");
        return;
    }
    if (call->handler->headers)
        call->handler->headers(call->owner, metadata);
}

/* ---- the beginning ---- */

static void add_metadata(ClientCall *call, HeaderList *list) {
    HttpHeaders metadata = call->options.metadata;
    for (size_t i = 0; i < metadata.count; i++)
        *array_push(list) = (HttpHeader){
            metadata.items[i].name,
            metadata_write_value(&call->arena, metadata.items[i].name, metadata.items[i].value)};
}

/* The path and query that carry the message of a GET. */
static Span get_target(ClientCall *call) {
    const ChannelOptions *options = channel_options(call->channel);
    Buf out = {.arena = &call->arena};
    buf_add(&out, span_of(call->method->path));
    buf_add(&out,
            options->json ? SPAN("?connect=v1&encoding=json") : SPAN("?connect=v1&encoding=proto"));
    if (options->compression != RPC_IDENTITY) {
        buf_add_literal(&out, "&compression=");
        buf_add(&out, compression_name(options->compression));
    }
    buf_add_literal(&out, "&base64=1&message=");
    char *text = buf_reserve(&out, BASE64_ENCODED_MAX(call->outbox.len));
    out.len += base64_encode(text, buf_span(&call->outbox), true, false);
    return buf_span(&out);
}

bool client_call_start(ClientCall *call, HttpClient *http, Span authority) {
    Span target = span_of(call->method->path);
    if (call->get) {
        target = get_target(call);
        call->get = target.len <= TARGET_MAX;
        target = call->get ? target : span_of(call->method->path);
    }
    HeaderList headers = {0};
    call->protocol->request(call, &headers);
    add_metadata(call, &headers);
    bool empty = call->half_closed && (call->get || !call->outbox.len);
    call->exchange = http_client_request(http, call->get ? SPAN("GET") : SPAN("POST"), target,
                                         authority, (HttpHeaders){headers.items, headers.count},
                                         empty, &EXCHANGE_HANDLER, call);
    array_done(&headers);
    if (!call->exchange)
        return false;
    call->attempts++;
    call->handed = 0;
    if (!call->get)
        client_hand_over(call);
    if (call->half_closed && !empty)
        http_finish(call->exchange, (HttpHeaders){0});
    return true;
}

static const ClientProtocol *protocol_for(const ChannelOptions *options,
                                          const SchemaMethod *method) {
    bool unary = !method->client_streaming && !method->server_streaming;
    if (options->protocol == RPC_GRPC)
        return &CLIENT_GRPC;
    if (options->protocol == RPC_GRPC_WEB)
        return &CLIENT_GRPC_WEB;
    return unary ? &CLIENT_CONNECT_UNARY : &CLIENT_CONNECT_STREAM;
}

/* False: the call was ended. */
static bool check_metadata(ClientCall *call) {
    HttpHeaders metadata = call->options.metadata;
    for (size_t i = 0; i < metadata.count; i++) {
        Span name = metadata.items[i].name;
        if (metadata_is_valid(name, metadata.items[i].value) && !metadata_is_reserved(name))
            continue;
        client_call_end(call, STATUS_INVALID_ARGUMENT, "metadata '%.*s' cannot be sent",
                        SPAN_ARGS(name));
        return false;
    }
    return true;
}

static void set_deadline(ClientCall *call) {
    call->deadline = INT64_MAX;
    Nanos now = world_now(call->world), timeout = call->options.timeout;
    if (!timeout || __builtin_add_overflow(now, timeout, &call->deadline)) {
        call->deadline = INT64_MAX;
        return;
    }
    wheel_arm(world_wheel(call->world), &call->deadline_timer, call->deadline);
}

ClientCall *client_call(Channel *channel, const SchemaMethod *method,
                        const ClientCallOptions *options, const ClientHandler *handler,
                        void *owner) {
    const ChannelOptions *channel_wide = channel_options(channel);
    ClientCall *call = xcalloc(1, sizeof *call);
    call->world = channel_world(channel);
    call->channel = channel;
    call->protocol = protocol_for(channel_wide, method);
    call->method = method;
    call->handler = handler;
    call->owner = owner;
    call->options = options ? *options : (ClientCallOptions){0};
    call->options.metadata = client_keep(call, call->options.metadata);
    call->replayable = true;
    call->reader.limit = channel_wide->receive_limit;
    call->get = channel_wide->use_get && call->protocol == &CLIENT_CONNECT_UNARY &&
                method->idempotency == SCHEMA_NO_SIDE_EFFECTS;
    call->deadline_timer.fire = on_deadline;
    call->retry_timer.fire = on_retry;
    channel_add(channel, call);
    set_deadline(call);
    if (check_metadata(call) && !client_gives_one(call))
        channel_dispatch(channel, call);
    return call;
}
