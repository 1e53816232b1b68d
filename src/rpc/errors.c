/* How a Status is written by each protocol. */
#include "base/text.h"
#include "google/protobuf/wrappers.pb.h"
#include "google/rpc/status.pb.h"
#include "rpc/internal.h"
#include "schema/json.h"

static RpcStatus *to_message(Arena *arena, const Status *status) {
    RpcStatus *message = schema_new(&RpcStatus_type, arena);
    message->code = (int32_t)status->code;
    message->message = status->message;
    for (size_t i = 0; i < status->detail_count; i++) {
        PbAny *any = schema_append(&message->details, arena);
        Buf url = {.arena = arena};
        buf_add_literal(&url, "type.googleapis.com/");
        buf_add(&url, status->details[i].type);
        any->type_url = buf_span(&url);
        any->value = status->details[i].value;
    }
    return message;
}

Span status_encode(Arena *arena, const Status *status) {
    Span bytes = {0};
    schema_encode(&RpcStatus_type, to_message(arena, status), 0, arena, &bytes);
    return bytes;
}

void json_write_text(Buf *out, Span text) {
    SchemaError error;
    PbStringValue value = {.value = text};
    if (schema_json_encode(&PbStringValue_type, &value, NULL, out, &error) == 0)
        return;
    Buf mended = {0};
    while (text.len) {
        size_t good = utf8_valid_length(text);
        buf_add(&mended, span(text.ptr, good));
        if (good < text.len)
            buf_add_char(&mended, '?');
        text = span_skip(text, good + 1);
    }
    value.value = buf_span(&mended);
    schema_json_encode(&PbStringValue_type, &value, NULL, out, &error);
    buf_done(&mended);
}

static void write_detail(Buf *out, const StatusDetail *detail) {
    buf_add_literal(out, "{\"type\":");
    json_write_text(out, detail->type);
    buf_add_literal(out, ",\"value\":\"");
    char *at = buf_reserve(out, BASE64_ENCODED_MAX(detail->value.len));
    out->len += base64_encode(at, detail->value, false, false);
    buf_add_literal(out, "\"}");
}

void status_write_connect(Buf *out, const Status *status) {
    buf_add_literal(out, "{\"code\":\"");
    out->len += connect_code_write(buf_reserve(out, CONNECT_CODE_MAX), status->code);
    buf_add_char(out, '"');
    if (status->message.len) {
        buf_add_literal(out, ",\"message\":");
        json_write_text(out, status->message);
    }
    for (size_t i = 0; i < status->detail_count; i++) {
        buf_add(out, i ? SPAN(",") : SPAN(",\"details\":["));
        write_detail(out, &status->details[i]);
    }
    if (status->detail_count)
        buf_add_char(out, ']');
    buf_add_char(out, '}');
}

void status_write_rest(Buf *out, const Status *status, const SchemaPool *types) {
    Arena arena = {0};
    SchemaError error;
    SchemaJson options = {.proto_names = true, .emit_defaults = true, .types = types};
    RpcStatus *message = to_message(&arena, status);
    if (schema_json_encode(&RpcStatus_type, message, &options, out, &error) < 0) {
        /* Details of a type we do not know cannot be written; a text that is not UTF-8 neither. */
        buf_printf(out, "{\"code\":%d,\"message\":", (int)status->code);
        json_write_text(out, status->message);
        buf_add_literal(out, ",\"details\":[]}");
    }
    arena_done(&arena);
}
