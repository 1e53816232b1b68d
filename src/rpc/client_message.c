/* Messages of a client's call, in and out.
 *
 * What is sent is kept in the outbox until the peer has answered something, so that a call which
 * the server certainly did not begin, or which may safely be repeated, can be sent again. */
#include <errno.h>

#include "rpc/client_internal.h"
#include "schema/codec.h"
#include "schema/json.h"

#define REPLAY_MAX (256 * 1024) /* bytes kept for sending a call again */
#define OUTBOX_MAX HTTP_LOW     /* unsent bytes above which client_send answers -EAGAIN */

/* ---- in ---- */

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

static int decode(ClientCall *call, Span bytes, void **ret, SchemaError *error) {
    const ChannelOptions *options = channel_options(call->channel);
    const SchemaMessage *type = call->method->output;
    if (!options->json)
        return schema_decode(type, bytes, NULL, &call->scratch, ret, error);
    SchemaJson json = {.types = options->types, .ignore_unknown = true};
    return schema_json_decode(type, bytes, &json, &call->scratch, ret, error);
}

static void deliver(ClientCall *call, Span bytes) {
    SchemaError error;
    void *message;
    if (call->options.raw) {
        call->handler->message(call->owner, &bytes);
    } else if (decode(call, bytes, &message, &error) == 0) {
        call->handler->message(call->owner, message);
    } else {
        char text[512];
        schema_error_format(&error, text, sizeof text);
        client_call_end(call, STATUS_INTERNAL, "the response is malformed: %s", text);
    }
    arena_reset(&call->scratch);
}

void client_deliver_held(ClientCall *call) {
    if (call->has_held)
        deliver(call, call->held);
    else
        client_call_end(call, STATUS_UNIMPLEMENTED, "the response has no message");
}

/* The bytes of a message as they were before compression, in `arena`. False: the call was ended. */
static bool decompress(ClientCall *call, Arena *arena, Span *message) {
    if (call->response_compression == RPC_IDENTITY) {
        client_call_end(call, STATUS_INTERNAL, "a compressed message without an encoding header");
        return false;
    }
    Buf plain = {.arena = arena};
    int result = decompress_bytes(call->response_compression, *message, call->reader.limit, &plain);
    *message = buf_span(&plain);
    if (result == -EMSGSIZE)
        client_call_too_large(call);
    else if (result < 0)
        client_call_end(call, STATUS_INTERNAL, "the response is not compressed as it says");
    return result == 0;
}

void client_call_receive(ClientCall *call, bool compressed, Span message) {
    bool one = client_gets_one(call);
    if (call->ended)
        return;
    if (one && call->has_held) {
        client_call_end(call, STATUS_UNIMPLEMENTED, "the response has more than one message");
        return;
    }
    if (compressed && !decompress(call, one ? &call->arena : &call->scratch, &message))
        return;
    if (!one) {
        deliver(call, message);
        return;
    }
    call->has_held = true;
    call->held = compressed ? message : arena_copy(&call->arena, message);
}

void client_call_too_large(ClientCall *call) {
    client_call_end(call, STATUS_RESOURCE_EXHAUSTED, "the response is larger than %zu bytes",
                    call->reader.limit);
}

void client_receive_envelopes(ClientCall *call, Span bytes,
                              bool (*special)(ClientCall *call, const Envelope *envelope)) {
    Envelope envelope;
    int result = 0;
    while (!call->ended && (result = envelope_next(&call->reader, &bytes, &envelope)) == 1) {
        if (call->has_status)
            client_call_end(call, STATUS_INTERNAL, "the response goes on after its end");
        else if (special(call, &envelope))
            continue;
        else if (envelope.flags & ~ENVELOPE_COMPRESSED)
            client_call_end(call, STATUS_INTERNAL, "unknown envelope flags 0x%02x", envelope.flags);
        else
            client_call_receive(call, envelope.flags & ENVELOPE_COMPRESSED, envelope.message);
    }
    if (!call->ended && result < 0)
        client_call_too_large(call);
}

/* ---- out ---- */

/* The message encoded and compressed, in scratch memory. False: the call was ended. */
static bool encode(ClientCall *call, const void *message, Span *ret) {
    const ChannelOptions *options = channel_options(call->channel);
    Arena *arena = &call->scratch;
    SchemaError error = {.reason = "it is too large"};
    int result = 0;
    if (call->options.raw) {
        *ret = *(const Span *)message;
    } else if (options->json) {
        SchemaJson json = {.types = options->types};
        Buf text = {.arena = arena};
        result = schema_json_encode(call->method->input, message, &json, &text, &error);
        *ret = buf_span(&text);
    } else {
        result = schema_encode(call->method->input, message, 0, arena, ret);
    }
    if (result < 0) {
        client_call_end(call, STATUS_INTERNAL, "the request cannot be encoded: %s: %s", error.path,
                        error.reason);
        return false;
    }
    if (options->compression != RPC_IDENTITY) {
        Buf packed = {.arena = arena};
        compress_bytes(options->compression, *ret, &packed);
        *ret = buf_span(&packed);
    }
    return true;
}

void client_hand_over(ClientCall *call) {
    if (!call->exchange)
        return;
    http_write(call->exchange, span_skip(buf_span(&call->outbox), call->handed));
    call->handed = call->outbox.len;
    if (!call->replayable || call->outbox.len > REPLAY_MAX) {
        call->replayable = false;
        call->handed = 0;
        buf_done(&call->outbox);
    }
}

int client_send(ClientCall *call, const void *message) {
    Span bytes;
    if (call->ended || call->half_closed || !encode(call, message, &bytes))
        return 0;
    if (!call->protocol->bare) {
        bool compressed = channel_options(call->channel)->compression != RPC_IDENTITY;
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
    client_hand_over(call);
    size_t unsent = call->exchange ? http_pending(call->exchange) : call->outbox.len;
    call->slow = unsent > OUTBOX_MAX;
    return call->slow ? -EAGAIN : 0;
}

void client_half_close(ClientCall *call) {
    if (call->ended || call->half_closed)
        return;
    call->half_closed = true;
    if (client_gives_one(call)) {
        channel_dispatch(call->channel, call);
        return;
    }
    client_hand_over(call);
    if (call->exchange)
        http_finish(call->exchange, (HttpHeaders){0});
}
