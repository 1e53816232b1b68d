/* Messages of a call between memory and the form that its client speaks. */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "rpc/internal.h"
#include "schema/codec.h"
#include "schema/json.h"

/* Forms of a message that may have to be kept: binary, Connect's JSON, REST's JSON. */
typedef enum Form { FORM_BINARY, FORM_JSON, FORM_REST_JSON, FORMS } Form;

static Form form_of(const Call *call) {
    if (call->codec == RPC_BINARY)
        return FORM_BINARY;
    return call->protocol->decode ? FORM_REST_JSON : FORM_JSON;
}

static SchemaJson json_options(const RpcServer *server, Form form) {
    return (SchemaJson){
        .types = server->options.types ? server->options.types : server->types,
        .proto_names = form == FORM_REST_JSON,
        .emit_defaults = form == FORM_REST_JSON,
    };
}

SchemaJson call_json_options(const Call *call) {
    return json_options(call->server, form_of(call));
}

/* ---- out ---- */

/* Encodes with ENVELOPE_HEAD bytes before *ret. 0 or negative errno. */
static int encode_form(const RpcServer *server, const SchemaMessage *type, const void *message,
                       Form form, Arena *arena, Span *ret, SchemaError *error) {
    if (form == FORM_BINARY)
        return schema_encode(type, message, ENVELOPE_HEAD, arena, ret);
    SchemaJson options = json_options(server, form);
    Buf out = {.arena = arena};
    buf_reserve(&out, ENVELOPE_HEAD);
    out.len = ENVELOPE_HEAD;
    int result = schema_json_encode(type, message, &options, &out, error);
    *ret = span_skip(buf_span(&out), ENVELOPE_HEAD);
    return result;
}

/* Replaces the payload by its compressed form, again with room before it. */
static void compress_payload(RpcCompression compression, Arena *arena, Span *payload) {
    Buf out = {.arena = arena};
    buf_reserve(&out, ENVELOPE_HEAD);
    out.len = ENVELOPE_HEAD;
    compress_bytes(compression, *payload, &out);
    *payload = span_skip(buf_span(&out), ENVELOPE_HEAD);
}

/* The compression that a message of this size travels in. */
static RpcCompression compression_for(const Call *call, size_t size) {
    const RpcServerOptions *options = &call->server->options;
    return options->compress && size >= options->compress_above ? call->response_compression
                                                                : RPC_IDENTITY;
}

static bool fits(Call *call, size_t size) {
    size_t limit = call->server->options.send_limit;
    if (size <= limit)
        return true;
    call_fail(call, STATUS_RESOURCE_EXHAUSTED,
              "the response of %zu bytes is larger than the limit of %zu", size, limit);
    return false;
}

static bool cannot_encode(Call *call, int result, const SchemaError *error) {
    if (call->codec == RPC_JSON)
        call_fail(call, STATUS_INTERNAL, "the response cannot be written as JSON: %s: %s",
                  error->path, error->reason);
    else
        call_fail(call, STATUS_INTERNAL, "the response cannot be encoded: %s", strerror(-result));
    return false;
}

/* REST's response_body: a message field by itself; another one as if its message had no other. */
static int encode_field(Call *call, const SchemaField *field, const void *message, Span *ret,
                        SchemaError *error) {
    Arena *arena = &call->server->scratch_out;
    if (field->type == SCHEMA_MESSAGE && field->shape == SCHEMA_SINGULAR) {
        const void *part = *(void *const *)schema_at(message, field);
        return encode_form(call->server, field->message,
                           part ? part : schema_new(field->message, arena), FORM_REST_JSON, arena,
                           ret, error);
    }
    SchemaMessage only = rest_only_field(call->method->schema->output, field);
    Span json;
    int result = encode_form(call->server, &only, message, FORM_REST_JSON, arena, &json, error);
    if (result == 0)
        *ret = rest_field_json(field, json);
    return result;
}

bool outgoing_encode(Call *call, const void *message, Outgoing *ret) {
    Arena *arena = &call->server->scratch_out;
    const SchemaField *field = rest_response_field(call);
    SchemaError error = {0};
    Span payload;
    int result = field ? encode_field(call, field, message, &payload, &error)
                       : encode_form(call->server, call->method->schema->output, message,
                                     form_of(call), arena, &payload, &error);
    if (result < 0)
        return cannot_encode(call, result, &error);
    if (!fits(call, payload.len))
        return false;
    RpcCompression compression = compression_for(call, payload.len);
    if (compression != RPC_IDENTITY)
        compress_payload(compression, arena, &payload);
    *ret = (Outgoing){.compressed = compression != RPC_IDENTITY, .payload = payload};
    return true;
}

bool outgoing_encode_bytes(Call *call, Span message, Outgoing *ret) {
    Arena *arena = &call->server->scratch_out;
    if (call->codec == RPC_JSON) {
        void *decoded;
        SchemaError error;
        if (schema_decode(call->method->schema->output, message, NULL, arena, &decoded, &error) <
            0) {
            call_fail(call, STATUS_INTERNAL, "the response is malformed: %s", error.reason);
            return false;
        }
        return outgoing_encode(call, decoded, ret);
    }
    if (!fits(call, message.len))
        return false;
    RpcCompression compression = compression_for(call, message.len);
    char *room = arena_alloc(arena, ENVELOPE_HEAD + message.len);
    memcpy(room + ENVELOPE_HEAD, message.ptr, message.len);
    Span payload = span(room + ENVELOPE_HEAD, message.len);
    if (compression != RPC_IDENTITY)
        compress_payload(compression, arena, &payload);
    *ret = (Outgoing){.compressed = compression != RPC_IDENTITY, .payload = payload};
    return true;
}

/* ---- one message for many ---- */

struct RpcFrame {
    uint32_t references;
    RpcServer *server;
    const SchemaMessage *type;
    Arena arena;
    void *message;
    Blob *forms[FORMS][RPC_COMPRESSIONS]; /* head and payload, made when first needed */
};

RpcFrame *rpc_frame_new(RpcServer *server, const SchemaMessage *type, const void *message) {
    RpcFrame *frame = xcalloc(1, sizeof *frame);
    frame->references = 1;
    frame->server = server;
    frame->type = type;
    frame->message = schema_copy(type, message, &frame->arena);
    return frame;
}

RpcFrame *rpc_frame_ref(RpcFrame *frame) {
    frame->references++;
    return frame;
}

void rpc_frame_unref(RpcFrame *frame) {
    if (!frame || --frame->references)
        return;
    for (int form = 0; form < FORMS; form++)
        for (int compression = 0; compression < RPC_COMPRESSIONS; compression++)
            blob_unref(frame->forms[form][compression]);
    arena_done(&frame->arena);
    free(frame);
}

static Blob *blob_with_head(bool compressed, Span payload) {
    Blob *blob = blob_new((uint32_t)(ENVELOPE_HEAD + payload.len));
    envelope_write_head(blob->bytes, compressed ? ENVELOPE_COMPRESSED : 0, (uint32_t)payload.len);
    memcpy(blob->bytes + ENVELOPE_HEAD, payload.ptr, payload.len);
    return blob;
}

/* The frame in plain form; NULL when the message cannot be written so. */
static Blob *frame_plain(RpcFrame *frame, Form form, SchemaError *error) {
    Blob **plain = &frame->forms[form][RPC_IDENTITY];
    if (*plain)
        return *plain;
    Arena *arena = &frame->server->scratch_out;
    Span payload;
    if (encode_form(frame->server, frame->type, frame->message, form, arena, &payload, error) == 0)
        *plain = blob_with_head(false, payload);
    arena_reset(arena);
    return *plain;
}

bool outgoing_frame(Call *call, RpcFrame *frame, Outgoing *ret) {
    SchemaError error = {.reason = "it is too large"};
    Form form = form_of(call);
    if (rest_response_field(call))
        return outgoing_encode(call, frame->message, ret);
    Blob *blob = frame_plain(frame, form, &error);
    if (!blob)
        return cannot_encode(call, -EMSGSIZE, &error);
    Span payload = span_skip(blob_span(blob), ENVELOPE_HEAD);
    if (!fits(call, payload.len))
        return false;
    RpcCompression compression = compression_for(call, payload.len);
    if (compression != RPC_IDENTITY) {
        Blob **packed = &frame->forms[form][compression];
        if (!*packed) {
            compress_payload(compression, &frame->server->scratch_out, &payload);
            *packed = blob_with_head(true, payload);
            arena_reset(&frame->server->scratch_out);
        }
        blob = *packed;
    }
    *ret = (Outgoing){.compressed = compression != RPC_IDENTITY,
                      .payload = span_skip(blob_span(blob), ENVELOPE_HEAD),
                      .blob = blob};
    return true;
}

/* ---- in ---- */

bool incoming_refuse(Call *call, const SchemaError *error) {
    char text[512];
    size_t len = schema_error_format(error, text, sizeof text);
    call_fail(call, STATUS_INVALID_ARGUMENT, "the request is malformed: %.*s",
              (int)(len < sizeof text ? len : sizeof text - 1), text);
    return false;
}

static bool decode_json(Call *call, Span bytes, void **ret) {
    if (call->protocol->decode)
        return call->protocol->decode(call, bytes, ret);
    SchemaJson options = call_json_options(call);
    SchemaError error;
    return schema_json_decode(call->method->schema->input, bytes, &options,
                              &call->server->scratch_in, ret, &error) == 0 ||
           incoming_refuse(call, &error);
}

bool incoming_decode(Call *call, Span bytes, const void **ret) {
    const SchemaMethod *method = call->method->schema;
    Arena *arena = &call->server->scratch_in;
    SchemaError error;
    void *message;
    if (call->codec == RPC_BINARY) {
        if (schema_decode(method->input, bytes, NULL, arena, &message, &error) < 0)
            return incoming_refuse(call, &error);
    } else if (!decode_json(call, bytes, &message)) {
        return false;
    } else if (method->raw) {
        Span *encoded = arena_alloc(arena, sizeof *encoded);
        schema_encode(method->input, message, 0, arena, encoded);
        message = encoded;
    }
    *ret = message;
    return true;
}
