/* The life of a client's call, whatever the protocol.
 *
 * What is sent is kept in the outbox until the peer has answered something, so that a call which the
 * server certainly did not begin, or which may safely be repeated, can be sent again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "rpc/client_internal.h"
#include "schema/codec.h"
#include "schema/json.h"

#define REPLAY_MAX (256 * 1024) /* bytes kept for sending a call again */
#define OUTBOX_MAX (64 * 1024)  /* unsent bytes above which client_send answers -EAGAIN */
#define RETRY_MIN  (50 * NANOS_PER_MILLI)
#define RETRY_MAX  (2 * NANOS_PER_SECOND)

/* ---- the end ---- */

static void on_nothing_body(void *owner, Span bytes) {
    (void)owner;
    (void)bytes;
}
static void on_nothing_end(void *owner, HttpHeaders trailers) {
    (void)owner;
    (void)trailers;
}
static void on_nothing_closed(void *owner, int reason) {
    (void)owner;
    (void)reason;
}
static void on_nothing_response(void *owner, int status, HttpHeaders headers) {
    (void)owner;
    (void)status;
    (void)headers;
}
static const HttpExchangeHandler DETACHED = {
    .response = on_nothing_response,
    .body = on_nothing_body,
    .end = on_nothing_end,
    .closed = on_nothing_closed,
};

/* The exchange goes its own way from here. */
static void detach(ClientCall *call, bool reset) {
    if (!call->exchange)
        return;
    http_handle(call->exchange, &DETACHED, NULL);
    if (reset)
        http_reset(call->exchange, HTTP_CANCEL);
    call->exchange = NULL;
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

static void end_with_status(ClientCall *call, bool reset) {
    World *world = channel_world(call->channel);
    call->ended = true;
    call->waiting = false;
    detach(call, reset);
    wheel_cancel(world_wheel(world), &call->deadline_timer);
    wheel_cancel(world_wheel(world), &call->retry_timer);
    list_remove(&call->link);
    call->ending.run = tell_end;
    world_defer(world, &call->ending);
}

void client_call_end(ClientCall *call, StatusCode code, const char *format, ...) {
    if (call->ended)
        return;
    Buf text = {.arena = &call->arena};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    call->status = (Status){.code = code, .message = buf_span(&text)};
    end_with_status(call, true);
}

void client_cancel(ClientCall *call) {
    client_call_end(call, STATUS_CANCELLED, "cancelled");
}

static void on_deadline(Timer *timer) {
    client_call_end(CONTAINER(timer, ClientCall, deadline_timer), STATUS_DEADLINE_EXCEEDED,
                    "the deadline has passed");
}

/* ---- trying again ---- */

static void on_retry(Timer *timer) {
    ClientCall *call = CONTAINER(timer, ClientCall, retry_timer);
    channel_dispatch(call->channel, call);
}

/* Whether a call that broke off may be sent again: the server did not begin it, or its doing so twice
 * does no harm. */
static bool may_retry(const ClientCall *call, int reason) {
    bool unsent = reason == HTTP_UNSENT || reason == HTTP_REFUSED_STREAM;
    bool harmless = call->method->idempotency != SCHEMA_IDEMPOTENCY_UNKNOWN && reason == HTTP_LOST;
    return call->replayable && (unsent || harmless) &&
           call->attempts < channel_options(call->channel)->attempts;
}

static void retry(ClientCall *call) {
    World *world = channel_world(call->channel);
    call->exchange = NULL;
    call->handed = 0;
    call->waiting = true;
    Nanos pause = RETRY_MIN << (call->attempts - 1);
    uint32_t random;
    world_random(world, &random, sizeof random);
    pause = (pause < RETRY_MAX ? pause : RETRY_MAX) / 1000 * (Nanos)(500 + random % 500);
    wheel_arm(world_wheel(world), &call->retry_timer, world_now(world) + pause);
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
    if (!call->has_status)
        call->protocol->body(call, bytes);
    http_release(exchange, bytes.len);
}

/* The one message of a unary answer is delivered when it is known to be the only one. */
static void deliver(ClientCall *call, Span message);

static void complete(ClientCall *call) {
    bool ok = call->status.code == STATUS_OK;
    if (ok && client_gets_one(call) && !call->has_held)
        call->status =
            (Status){.code = STATUS_UNIMPLEMENTED, .message = SPAN("the response has no message")};
    else if (ok && client_gets_one(call))
        deliver(call, call->held);
    if (!call->ended)
        end_with_status(call, false);
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

static void on_closed(void *owner, int reason) {
    ClientCall *call = owner;
    call->exchange = NULL;
    if (call->has_status) {
        complete(call);
        return;
    }
    if (may_retry(call, reason)) {
        retry(call);
        return;
    }
    static const char *const REASONS[] = {
        [-HTTP_OK] = "the response ended too early",
        [-HTTP_LOST] = "the connection was lost",
        [-HTTP_LOCAL] = "reset",
        [-HTTP_UNSENT] = "the server takes no calls",
        [-HTTP_TIMEOUT] = "the server is silent",
    };
    if (reason < 0)
        client_call_end(call, reason == HTTP_OK ? STATUS_INTERNAL : status_from_reset(reason), "%s",
                        REASONS[-reason]);
    else
        client_call_end(call, status_from_reset(reason), "the server reset the stream with code %d",
                        reason);
}

static const HttpExchangeHandler EXCHANGE_HANDLER = {
    .response = on_response,
    .body = on_body,
    .end = on_end,
    .writable = on_writable,
    .closed = on_closed,
};

void client_call_set_status(ClientCall *call, Status status, HttpHeaders trailers) {
    if (call->has_status || call->ended)
        return;
    call->has_status = true;
    call->status = status;
    call->trailers = trailers;
}

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
    call->has_headers = true;
    if (call->handler->headers)
        call->handler->headers(call->owner, metadata);
}

/* ---- messages in ---- */

Span client_accepted(ClientCall *call) {
    char names[64];
    uint32_t set = channel_options(call->channel)->accept & ~(1u << RPC_IDENTITY);
    return arena_copy(&call->arena, span(names, compression_names(set, names, sizeof names)));
}

bool client_set_response_compression(ClientCall *call, Span name) {
    int compression = compression_from_name(name);
    if (compression < 0 || !(channel_options(call->channel)->accept & (1u << compression))) {
        client_call_end(call, STATUS_INTERNAL, "the response is in the unknown compression '%.*s'",
                        SPAN_ARGS(name));
        return false;
    }
    call->response_compression = (RpcCompression)compression;
    return true;
}

static void deliver(ClientCall *call, Span bytes) {
    const ChannelOptions *options = channel_options(call->channel);
    SchemaError error;
    void *message;
    if (call->options.raw) {
        call->handler->message(call->owner, &bytes);
        return;
    }
    SchemaJson json = {.types = options->types, .ignore_unknown = true};
    int result = options->json ? schema_json_decode(call->method->output, bytes, &json,
                                                    &call->scratch, &message, &error)
                               : schema_decode(call->method->output, bytes, NULL, &call->scratch,
                                               &message, &error);
    if (result < 0) {
        char text[512];
        schema_error_format(&error, text, sizeof text);
        client_call_end(call, STATUS_INTERNAL, "the response is malformed: %s", text);
        return;
    }
    call->handler->message(call->owner, message);
    arena_reset(&call->scratch);
}

void client_call_receive(ClientCall *call, bool compressed, Span message) {
    if (call->ended)
        return;
    size_t limit = channel_options(call->channel)->receive_limit;
    bool one = client_gets_one(call);
    if (one && call->has_held) {
        client_call_end(call, STATUS_UNIMPLEMENTED, "the response has more than one message");
        return;
    }
    if (compressed && call->response_compression == RPC_IDENTITY) {
        client_call_end(call, STATUS_INTERNAL, "a compressed message without an encoding header");
        return;
    }
    Buf plain = {.arena = one ? &call->arena : &call->scratch};
    int result = 0;
    if (compressed) {
        result = decompress_bytes(call->response_compression, message, limit, &plain);
        message = buf_span(&plain);
    } else if (one) {
        message = arena_copy(&call->arena, message);
    }
    if (result < 0 || message.len > limit) {
        client_call_end(call, result == -EBADMSG ? STATUS_INTERNAL : STATUS_RESOURCE_EXHAUSTED,
                        result == -EBADMSG ? "the response is not compressed as it says"
                                           : "the response is larger than the limit");
        return;
    }
    call->has_held = true;
    if (one)
        call->held = message;
    else
        deliver(call, message);
}

/* ---- messages out ---- */

bool client_encode(ClientCall *call, const void *message, bool *ret_compressed, Span *ret) {
    const ChannelOptions *options = channel_options(call->channel);
    Arena *arena = &call->scratch;
    SchemaError error = {.reason = "it is too large"};
    Buf out = {.arena = arena};
    int result = 0;
    buf_reserve(&out, ENVELOPE_HEAD);
    out.len = ENVELOPE_HEAD;
    Span bytes = {0};
    if (call->options.raw) {
        bytes = *(const Span *)message;
    } else if (options->json) {
        SchemaJson json = {.types = options->types};
        Buf text = {.arena = arena};
        result = schema_json_encode(call->method->input, message, &json, &text, &error);
        bytes = buf_span(&text);
    } else {
        result = schema_encode(call->method->input, message, 0, arena, &bytes);
    }
    if (result < 0) {
        client_call_end(call, STATUS_INTERNAL, "the request cannot be encoded: %s: %s", error.path,
                        error.reason);
        return false;
    }
    *ret_compressed = options->compression != RPC_IDENTITY;
    if (*ret_compressed)
        compress_bytes(options->compression, bytes, &out);
    else
        buf_add(&out, bytes);
    *ret = span(out.ptr + ENVELOPE_HEAD, out.len - ENVELOPE_HEAD);
    return true;
}

/* Hands over what the exchange does not have yet. */
static void hand_over(ClientCall *call) {
    if (!call->exchange || (call->protocol->bare && !call->half_closed))
        return;
    if (!call->get && call->handed < call->outbox.len)
        http_write(call->exchange, span_skip(buf_span(&call->outbox), call->handed));
    call->handed = call->outbox.len;
    if (!call->replayable || call->outbox.len > REPLAY_MAX) {
        call->replayable = false;
        call->handed = 0;
        buf_clear(&call->outbox);
    }
}

int client_send(ClientCall *call, const void *message) {
    bool compressed;
    Span bytes;
    if (call->ended || call->half_closed || !client_encode(call, message, &compressed, &bytes))
        return 0;
    if (!call->protocol->bare) {
        char head[ENVELOPE_HEAD];
        envelope_write_head(head, compressed ? ENVELOPE_COMPRESSED : 0, (uint32_t)bytes.len);
        buf_add(&call->outbox, span(head, sizeof head));
    }
    buf_add(&call->outbox, bytes);
    arena_reset(&call->scratch);
    if (client_gives_one(call)) {
        client_half_close(call);
        return 0;
    }
    hand_over(call);
    size_t unsent = call->exchange ? http_pending(call->exchange) : call->outbox.len;
    call->slow = unsent > OUTBOX_MAX;
    return call->slow ? -EAGAIN : 0;
}

void client_half_close(ClientCall *call) {
    if (call->ended || call->half_closed)
        return;
    call->half_closed = true;
    if (call->waiting) {
        channel_dispatch(call->channel, call);
        return;
    }
    hand_over(call);
    if (call->exchange)
        http_finish(call->exchange, (HttpHeaders){0});
}

/* ---- the beginning ---- */

static void add_metadata(ClientCall *call, HeaderList *list) {
    HttpHeaders metadata = call->options.metadata;
    for (size_t i = 0; i < metadata.count; i++)
        *array_push(list) = (HttpHeader){
            metadata.items[i].name,
            metadata_write_value(&call->arena, metadata.items[i].name, metadata.items[i].value)};
}

/* The path, for GET with the message in its query. */
static Span target_of(ClientCall *call) {
    Span path = span_of(call->method->path);
    if (!call->get)
        return path;
    const ChannelOptions *options = channel_options(call->channel);
    Buf out = {.arena = &call->arena};
    buf_add(&out, path);
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
    /* A bare body is sent whole, so it is begun when it is. */
    if (call->protocol->bare && !call->half_closed)
        return false;
    HeaderList headers = {0};
    call->protocol->request(call, &headers);
    add_metadata(call, &headers);
    bool empty = call->half_closed && (call->get || !call->outbox.len);
    call->exchange = http_client_request(
        http, call->get ? SPAN("GET") : SPAN("POST"), target_of(call), authority,
        (HttpHeaders){headers.items, headers.count}, empty, &EXCHANGE_HANDLER, call);
    array_done(&headers);
    if (!call->exchange)
        return false;
    call->attempts++;
    call->waiting = false;
    call->handed = 0;
    hand_over(call);
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

ClientCall *client_call(Channel *channel, const SchemaMethod *method,
                        const ClientCallOptions *options, const ClientHandler *handler,
                        void *owner) {
    const ChannelOptions *channel_wide = channel_options(channel);
    World *world = channel_world(channel);
    ClientCall *call = xcalloc(1, sizeof *call);
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
    call->deadline = INT64_MAX;
    call->deadline_timer.fire = on_deadline;
    call->retry_timer.fire = on_retry;
    channel_add(channel, call);
    if (call->options.timeout) {
        call->deadline = world_now(world) + call->options.timeout;
        wheel_arm(world_wheel(world), &call->deadline_timer, call->deadline);
    }
    call->waiting = true;
    if (!client_gives_one(call))
        channel_dispatch(channel, call);
    return call;
}
