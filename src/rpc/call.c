#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "rpc/internal.h"
#include "schema/codec.h"

#define FIRST_WINDOW 65535 /* RFC 9113, section 6.9.2 */

/* ---- slots: CallRef to Call ---- */

static CallRef take_slot(RpcServer *server, Call *call) {
    uint32_t index;
    if (server->free_slots.count) {
        index = server->free_slots.items[--server->free_slots.count];
    } else {
        index = (uint32_t)server->slots.count;
        *array_push(&server->slots) = (CallSlot){0};
    }
    CallSlot *slot = &server->slots.items[index];
    slot->call = call;
    return (CallRef){index, slot->generation};
}

static void give_slot(Call *call) {
    RpcServer *server = call->server;
    CallSlot *slot = &server->slots.items[call->ref.index];
    if (slot->call != call)
        return;
    slot->call = NULL;
    slot->generation++;
    *array_push(&server->free_slots) = call->ref.index;
}

CallRef call_ref(const Call *call) {
    return call->ref;
}

Call *call_find(RpcServer *server, CallRef ref) {
    if (ref.index >= server->slots.count)
        return NULL;
    CallSlot *slot = &server->slots.items[ref.index];
    return slot->generation == ref.generation ? slot->call : NULL;
}

/* ---- the life of a call ---- */

static void tell_closed(Call *call) {
    if (!call->opened || call->closed)
        return;
    call->closed = true;
    if (call->method->handler->closed)
        call->method->handler->closed(call, call->code);
}

/* It has ended so; nobody finds it any more. */
static void settle(Call *call, StatusCode code) {
    call->code = code;
    call->finished = true;
    wheel_cancel(world_wheel(call->server->world), &call->timer);
    give_slot(call);
}

static void on_deadline(Timer *timer) {
    Call *call = CONTAINER(timer, Call, timer);
    call_fail(call, STATUS_DEADLINE_EXCEEDED, "the deadline has passed");
    tell_closed(call);
}

/* How much of the credit stays with a message of which a part has come, so that it is there when
 * the handler wants to hold it. Never so much that the window would not let in the rest: a quarter
 * of it, or of HTTP/2's first one, which holds until the peer has acknowledged ours. */
static size_t credit_of_part(const Call *call) {
    const EnvelopeReader *reader = &call->reader;
    size_t part = call->finished || envelope_complete(reader) ? 0 : reader->held.len;
    size_t window = call->server->options.http.window;
    size_t most = (window < FIRST_WINDOW ? window : FIRST_WINDOW) / 4;
    most = most < call->uncredited ? most : call->uncredited;
    return part < most ? part : most;
}

static void on_body(void *owner, Span bytes) {
    Call *call = owner;
    call->uncredited += bytes.len;
    if (!call->finished && !call->request_done)
        call->protocol->body(call, bytes);
    size_t part = credit_of_part(call);
    http_release(call->exchange, call->uncredited - part);
    call->uncredited = part;
    http_hold(call->exchange, call->reader.held.cap + call->body.cap);
}

static void on_end(void *owner, HttpHeaders trailers) {
    (void)trailers;
    Call *call = owner;
    if (!call->finished && !call->request_done)
        call->protocol->end(call);
}

static void on_writable(void *owner) {
    Call *call = owner;
    if (!call->slow || call->finished)
        return;
    call->slow = false;
    if (call->method->handler->writable)
        call->method->handler->writable(call);
}

static void on_closed(void *owner, int reason) {
    Call *call = owner;
    RpcServer *server = call->server;
    if (!call->finished) {
        bool timed_out = reason == HTTP_TIMEOUT;
        settle(call, timed_out ? STATUS_DEADLINE_EXCEEDED : STATUS_CANCELLED);
    }
    tell_closed(call);
    if (server->report) {
        CallReport report = {
            .method = call->method->schema,
            .protocol = call->protocol->name,
            .code = call->code,
            .duration = world_now(server->world) - call->started,
            .messages_in = call->messages_in,
            .messages_out = call->messages_out,
        };
        server->report(server->report_owner, &report);
    }
    envelope_reader_done(&call->reader);
    buf_done(&call->body);
}

static const HttpExchangeHandler EXCHANGE_HANDLER = {
    .body = on_body,
    .end = on_end,
    .writable = on_writable,
    .closed = on_closed,
};

Call *call_new(RpcServer *server, HttpExchange *exchange, const CallProtocol *protocol,
               const MethodEntry *method) {
    Call *call = arena_zalloc(http_arena(exchange), sizeof *call);
    call->server = server;
    call->exchange = exchange;
    call->protocol = protocol;
    call->method = method;
    call->started = world_now(server->world);
    call->headers.arena = call->trailers.arena = http_arena(exchange);
    call->deadline = INT64_MAX;
    call->timer.fire = on_deadline;
    call->reader.limit = server->options.receive_limit;
    call->ref = take_slot(server, call);
    http_handle(exchange, &EXCHANGE_HANDLER, call);
    return call;
}

void call_begin(Call *call) {
    RpcServer *server = call->server;
    if (call->finished)
        return;
    if (call->deadline <= call->started) {
        call_fail(call, STATUS_DEADLINE_EXCEEDED, "the deadline has passed");
        return;
    }
    if (call->deadline != INT64_MAX)
        wheel_arm(world_wheel(server->world), &call->timer, call->deadline);
    Status permission =
        server->authorize ? server->authorize(server->authorize_owner, call) : status_ok();
    if (permission.code != STATUS_OK) {
        call_finish(call, permission);
        return;
    }
    if (!call->method->handler->message) {
        call_fail(call, STATUS_UNIMPLEMENTED, "%s is not implemented", call->method->schema->path);
        return;
    }
    if (!call_takes_one(call)) {
        call->opened = true;
        if (call->method->handler->opened)
            call->method->handler->opened(call);
    }
    if (http_request(call->exchange)->ended)
        on_end(call, (HttpHeaders){0});
}

/* ---- messages in ---- */

static void hand_to_handler(Call *call, const void *message, size_t size) {
    call->messages_in++;
    call->opened = true;
    call->delivering = size;
    call->method->handler->message(call, message);
    call->delivering = 0;
}

static void deliver(Call *call, Span bytes) {
    const void *message = &bytes;
    bool as_it_is = call->method->schema->raw && call->codec == RPC_BINARY;
    if (as_it_is || incoming_decode(call, bytes, &message))
        hand_to_handler(call, message, bytes.len);
    arena_reset(&call->server->scratch_in);
}

/* Decompresses into an arena. False: the call was failed. */
static bool decompress_into(Call *call, Span *message, Arena *arena) {
    if (call->request_compression == RPC_IDENTITY) {
        call_fail(call, STATUS_INTERNAL, "a compressed message without an encoding header");
        return false;
    }
    Buf plain = {.arena = arena};
    size_t limit = call->server->options.receive_limit;
    int result = decompress_bytes(call->request_compression, *message, limit, &plain);
    if (result == -EMSGSIZE)
        call_fail(call, STATUS_RESOURCE_EXHAUSTED, "the message is larger than %zu bytes", limit);
    else if (result < 0)
        call_fail(call, STATUS_INVALID_ARGUMENT, "the message is not valid %s",
                  compression_name(call->request_compression).ptr);
    *message = buf_span(&plain);
    return result == 0;
}

void call_receive(Call *call, bool compressed, Span message, bool stays) {
    if (call->finished)
        return;
    if (call_takes_one(call)) {
        Arena *arena = http_arena(call->exchange);
        if (call->has_request) {
            call_fail(call, STATUS_UNIMPLEMENTED, "%s takes one message, and a second one came",
                      call->method->schema->path);
            return;
        }
        call->has_request = true;
        if (compressed && !decompress_into(call, &message, arena))
            return;
        call->request = compressed || stays ? message : arena_copy(arena, message);
        return;
    }
    if (compressed && !decompress_into(call, &message, &call->server->scratch_in))
        return;
    deliver(call, message);
}

void call_receive_end(Call *call) {
    if (call->finished || call->request_done)
        return;
    call->request_done = true;
    if (!call_takes_one(call)) {
        if (call->method->handler->half_closed)
            call->method->handler->half_closed(call);
        return;
    }
    if (call->has_request)
        deliver(call, call->request);
    else
        call_fail(call, STATUS_UNIMPLEMENTED, "%s takes one message, and none came",
                  call->method->schema->path);
}

void call_receive_envelopes(Call *call, Span bytes) {
    Envelope envelope;
    int result = 1;
    /* Not asking again once all is read keeps the last message where it is. */
    while (!call->finished && bytes.len && result == 1) {
        result = envelope_next(&call->reader, &bytes, &envelope);
        if (result != 1)
            break;
        if (envelope.flags & ~ENVELOPE_COMPRESSED) {
            call_fail(call, call->protocol->malformed, "unknown envelope flags 0x%02x",
                      envelope.flags);
            return;
        }
        bool stays = call->reader.delivered;
        call_receive(call, envelope.flags & ENVELOPE_COMPRESSED, envelope.message, stays);
    }
    if (!call->finished && result < 0)
        call_fail(call, STATUS_RESOURCE_EXHAUSTED, "the message is larger than %zu bytes",
                  call->reader.limit);
}

void call_receive_envelopes_end(Call *call) {
    if (envelope_complete(&call->reader))
        call_receive_end(call);
    else
        call_fail(call, call->protocol->malformed, "the request ended inside a message");
}

size_t call_hold_credit(Call *call) {
    size_t held = call->delivering < call->uncredited ? call->delivering : call->uncredited;
    call->uncredited -= held;
    call->delivering = 0;
    return held;
}

void call_give_credit(Call *call, size_t bytes) {
    if (bytes)
        http_release(call->exchange, bytes);
}

/* ---- messages out ---- */

void call_head(Call *call) {
    if (call->head_sent)
        return;
    call->head_sent = true;
    call->protocol->head(call);
}

void call_send_headers(Call *call) {
    if (!call->finished)
        call_head(call);
}

/* What counts against the limit is what waits already: a single message has its own. A client that
 * does not read would not read a status either, and what waits for it would be kept: the reset
 * stands for RESOURCE_EXHAUSTED, and frees it. */
static int send_outgoing(Call *call, const Outgoing *message) {
    if (http_pending(call->exchange) > call->server->options.queue_limit) {
        settle(call, STATUS_RESOURCE_EXHAUSTED);
        http_reset(call->exchange, HTTP_ENHANCE_YOUR_CALM);
        return 0;
    }
    call->messages_out++;
    call->replied = true;
    call->protocol->send(call, message);
    call->slow = http_pending(call->exchange) > HTTP_LOW;
    return call->slow ? -EAGAIN : 0;
}

/* Whether one more message may go out. */
static bool may_send(Call *call) {
    if (call->finished)
        return false;
    if (!call_gives_one(call) || !call->replied)
        return true;
    call_fail(call, STATUS_INTERNAL, "%s gives one message, and the handler sent two",
              call->method->schema->path);
    return false;
}

int call_send(Call *call, const void *message) {
    Outgoing out;
    if (!may_send(call) || !outgoing_encode(call, message, &out))
        return 0;
    int result = send_outgoing(call, &out);
    arena_reset(&call->server->scratch_out);
    return result;
}

int call_send_encoded(Call *call, Span message) {
    Outgoing out;
    if (!may_send(call) || !outgoing_encode_bytes(call, message, &out))
        return 0;
    int result = send_outgoing(call, &out);
    arena_reset(&call->server->scratch_out);
    return result;
}

int call_send_frame(Call *call, RpcFrame *frame) {
    Outgoing out;
    if (!may_send(call) || !outgoing_frame(call, frame, &out))
        return 0;
    return send_outgoing(call, &out);
}

void call_finish(Call *call, Status status) {
    if (call->finished)
        return;
    Arena *arena = http_arena(call->exchange);
    if (status.code == STATUS_OK && call_gives_one(call) && !call->replied)
        status = status_make(arena, STATUS_INTERNAL, "%s ended without the message it gives",
                             call->method->schema->path);
    settle(call, status.code);
    call->protocol->finish(call, &status);
}

void call_reply(Call *call, const void *message) {
    call_send(call, message);
    call_finish(call, status_ok());
}

void call_fail(Call *call, StatusCode code, const char *format, ...) {
    if (call->finished)
        return;
    Buf text = {.arena = http_arena(call->exchange)};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    call_finish(call, (Status){.code = code, .message = buf_span(&text)});
}

size_t call_pending(const Call *call) {
    return call->finished ? 0 : http_pending(call->exchange);
}

/* ---- headers ---- */

void headers_grow(HeaderList *list) {
    uint32_t capacity = list->capacity ? list->capacity * 2 : 8;
    HttpHeader *items = arena_alloc(list->arena, capacity * sizeof *items);
    if (list->count)
        memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->capacity = capacity;
}

void headers_add_metadata(HeaderList *list, const HeaderList *from, Span prefix) {
    for (uint32_t i = 0; i < from->count; i++) {
        Span name = from->items[i].name;
        Span value = metadata_write_value(list->arena, name, from->items[i].value);
        if (prefix.len) {
            Buf joined = {.arena = list->arena};
            buf_add(&joined, prefix);
            buf_add(&joined, name);
            name = buf_span(&joined);
        }
        headers_add(list, name, value);
    }
}

static void add_metadata(Call *call, HeaderList *list, Span name, Span value) {
    if (call->finished)
        return;
    assert(metadata_is_valid(name, value));
    Arena *arena = http_arena(call->exchange);
    headers_add(list, arena_copy(arena, name), arena_copy(arena, value));
}

void call_add_header(Call *call, Span name, Span value) {
    add_metadata(call, call->head_sent ? &call->trailers : &call->headers, name, value);
}

void call_add_trailer(Call *call, Span name, Span value) {
    add_metadata(call, &call->trailers, name, value);
}

/* ---- what a handler asks ---- */

const SchemaMethod *call_method(const Call *call) {
    return call->method->schema;
}

void *call_service(const Call *call) {
    return call->method->service->state;
}

HttpHeaders call_all_metadata(Call *call) {
    if (call->has_metadata)
        return call->metadata;
    call->has_metadata = true;
    if (!metadata_read(http_arena(call->exchange), http_request(call->exchange)->headers, SPAN(""),
                       &call->metadata))
        call_fail(call, STATUS_INVALID_ARGUMENT, "a -bin header is not base64");
    return call->metadata;
}

Span call_metadata(Call *call, Span name) {
    return http_header(call_all_metadata(call), name);
}

const HttpPeer *call_peer(const Call *call) {
    return http_peer(call->exchange);
}

Nanos call_deadline(const Call *call) {
    return call->deadline;
}

World *call_world(const Call *call) {
    return call->server->world;
}

const char *call_protocol(const Call *call) {
    return call->protocol->name;
}

bool call_is_get(const Call *call) {
    return call->is_get;
}

Span call_correlation(Call *call) {
    Span id = call_metadata(call, SPAN("x-correlation-id"));
    if (id.len)
        return id;
    /* traceparent: version "-" trace id of 32 digits "-" … (W3C Trace Context) */
    Span parent = call_metadata(call, SPAN("traceparent"));
    bool usable = parent.len >= 55 && parent.ptr[2] == '-' && parent.ptr[35] == '-';
    return usable ? span(parent.ptr + 3, 32) : (Span){0};
}

Arena *call_arena(Call *call) {
    return http_arena(call->exchange);
}

void call_set_user(Call *call, void *user) {
    call->user = user;
}

void *call_user(const Call *call) {
    return call->user;
}
