/* Connect, the client's side. */
#include "base/text.h"
#include "google/protobuf/struct.pb.h"
#include "rpc/client_internal.h"
#include "schema/json.h"

static void add_common(ClientCall *call, HeaderList *headers) {
    *array_push(headers) = (HttpHeader){SPAN("user-agent"), SPAN("muster/" MUSTER_VERSION)};
    if (!call->get)
        *array_push(headers) = (HttpHeader){SPAN("connect-protocol-version"), SPAN("1")};
    if (call->deadline == INT64_MAX)
        return;
    Nanos left = call->deadline - world_now(call->world);
    char *text = arena_alloc(&call->arena, TIMEOUT_MAX);
    size_t len = timeout_format_connect(text, left);
    *array_push(headers) = (HttpHeader){SPAN("connect-timeout-ms"), span(text, len)};
}

/* ---- errors as JSON ---- */

static const PbValue *member(const PbStruct *object, const char *name) {
    for (uint32_t i = 0; object && i < object->fields.count; i++)
        if (span_equal(object->fields.items[i].key, span_of(name)))
            return object->fields.items[i].value;
    return NULL;
}

static Span text_of(const PbValue *value) {
    return value && value->which_kind == PbValue_string_value_number ? value->string_value
                                                                     : (Span){0};
}

static const PbStruct *object_of(const PbValue *value) {
    return value && value->which_kind == PbValue_struct_value_number ? value->struct_value : NULL;
}

static const PbListValue *list_of(const PbValue *value) {
    return value && value->which_kind == PbValue_list_value_number ? value->list_value : NULL;
}

static const PbStruct *parse_object(ClientCall *call, Span text) {
    void *object;
    if (schema_json_decode(&PbStruct_type, arena_copy(&call->arena, text), NULL, &call->arena,
                           &object, NULL) < 0)
        return NULL;
    return object;
}

static void read_details(ClientCall *call, const PbListValue *list, Status *status) {
    if (!list || !list->values.count)
        return;
    StatusDetail *details = arena_alloc(&call->arena, list->values.count * sizeof *details);
    for (uint32_t i = 0; i < list->values.count; i++) {
        const PbStruct *one = object_of(&list->values.items[i]);
        Span type = text_of(member(one, "type")), value = text_of(member(one, "value"));
        char *bytes = arena_alloc(&call->arena, BASE64_DECODED_MAX(value.len));
        size_t len;
        if (!type.len || !base64_decode(bytes, value, &len))
            continue;
        details[status->detail_count++] = (StatusDetail){type, span(bytes, len)};
    }
    status->details = details;
}

/* An error object; `fallback` is the code where it names none that we know. */
static Status read_error(ClientCall *call, const PbStruct *object, StatusCode fallback) {
    int code = connect_code_read(text_of(member(object, "code")));
    Status status = {
        .code = code > 0 ? (StatusCode)code : fallback,
        .message = text_of(member(object, "message")),
    };
    read_details(call, list_of(member(object, "details")), &status);
    return status;
}

/* ---- unary ---- */

static void request_unary(ClientCall *call, HeaderList *headers) {
    const ChannelOptions *options = channel_options(call->channel);
    add_common(call, headers);
    if (!call->get)
        *array_push(headers) =
            (HttpHeader){SPAN("content-type"),
                         options->json ? SPAN("application/json") : SPAN("application/proto")};
    if (!call->get && options->compression != RPC_IDENTITY)
        *array_push(headers) =
            (HttpHeader){SPAN("content-encoding"), compression_name(options->compression)};
    Span accepted = client_accepted(call);
    if (accepted.len)
        *array_push(headers) = (HttpHeader){SPAN("accept-encoding"), accepted};
}

static Span without_parameters(Span type) {
    for (size_t i = 0; i < type.len; i++)
        if (type.ptr[i] == ';')
            return span(type.ptr, i);
    return type;
}

static void response_unary(ClientCall *call, HttpHeaders headers) {
    const ChannelOptions *options = channel_options(call->channel);
    headers = client_keep(call, headers);
    Span type = without_parameters(http_header(headers, SPAN("content-type")));
    Span wanted = options->json ? SPAN("application/json") : SPAN("application/proto");
    bool ok = call->http_status == 200;
    if (ok && !span_equal(type, wanted)) {
        bool ours = span_starts(type, SPAN("application/"));
        bool codec = ours && (span_equal(type, SPAN("application/json")) ||
                              span_equal(type, SPAN("application/proto")));
        client_call_end(call, codec ? STATUS_INTERNAL : STATUS_UNKNOWN,
                        "the response has content type '%.*s'", SPAN_ARGS(type));
        return;
    }
    if (!ok && !span_equal(type, SPAN("application/json"))) {
        client_call_end(call, status_from_http(call->http_status), "HTTP status %d",
                        call->http_status);
        return;
    }
    if (!client_set_response_compression(call, http_header(headers, SPAN("content-encoding"))))
        return;
    if (!metadata_read(&call->arena, headers, SPAN("trailer-"), &call->trailers)) {
        client_call_end(call, STATUS_INTERNAL, "a -bin trailer is not base64");
        return;
    }
    size_t count = 0;
    HttpHeader *items = arena_alloc(&call->arena, headers.count * sizeof *items);
    for (size_t i = 0; i < headers.count; i++)
        if (!span_starts(headers.items[i].name, SPAN("trailer-")))
            items[count++] = headers.items[i];
    client_call_headers(call, (HttpHeaders){items, count});
}

static void body_unary(ClientCall *call, Span bytes) {
    if (call->body.len + bytes.len > call->reader.limit)
        client_call_too_large(call);
    else
        buf_add(&call->body, bytes);
}

static void end_unary(ClientCall *call, HttpHeaders trailers) {
    (void)trailers;
    if (call->ended)
        return;
    bool compressed = call->response_compression != RPC_IDENTITY && call->body.len;
    if (call->http_status == 200) {
        client_call_receive(call, compressed, buf_span(&call->body));
        client_call_set_status(call, status_ok(), call->trailers);
        return;
    }
    Buf plain = {.arena = &call->arena};
    Span text = buf_span(&call->body);
    if (compressed &&
        decompress_bytes(call->response_compression, text, call->reader.limit, &plain) == 0)
        text = buf_span(&plain);
    const PbStruct *object = parse_object(call, text);
    StatusCode fallback = status_from_http(call->http_status);
    Status status = object ? read_error(call, object, fallback) : (Status){.code = fallback};
    client_call_set_status(call, status, call->trailers);
}

/* ---- streams ---- */

static void request_stream(ClientCall *call, HeaderList *headers) {
    const ChannelOptions *options = channel_options(call->channel);
    add_common(call, headers);
    *array_push(headers) =
        (HttpHeader){SPAN("content-type"), options->json ? SPAN("application/connect+json")
                                                         : SPAN("application/connect+proto")};
    if (options->compression != RPC_IDENTITY)
        *array_push(headers) =
            (HttpHeader){SPAN("connect-content-encoding"), compression_name(options->compression)};
    Span accepted = client_accepted(call);
    if (accepted.len)
        *array_push(headers) = (HttpHeader){SPAN("connect-accept-encoding"), accepted};
}

static void response_stream(ClientCall *call, HttpHeaders headers) {
    const ChannelOptions *options = channel_options(call->channel);
    Span type = without_parameters(http_header(headers, SPAN("content-type")));
    Span wanted =
        options->json ? SPAN("application/connect+json") : SPAN("application/connect+proto");
    if (call->http_status != 200) {
        client_call_end(call, status_from_http(call->http_status), "HTTP status %d",
                        call->http_status);
        return;
    }
    if (!span_equal(type, wanted)) {
        bool codec = span_starts(type, SPAN("application/connect+"));
        client_call_end(call, codec ? STATUS_INTERNAL : STATUS_UNKNOWN,
                        "the response has content type '%.*s'", SPAN_ARGS(type));
        return;
    }
    if (client_set_response_compression(call,
                                        http_header(headers, SPAN("connect-content-encoding"))))
        client_call_headers(call, headers);
}

static HttpHeaders read_metadata(ClientCall *call, const PbStruct *object) {
    HeaderList list = {0};
    for (uint32_t i = 0; object && i < object->fields.count; i++) {
        const PbListValue *values = list_of(object->fields.items[i].value);
        Span name = arena_copy(&call->arena, object->fields.items[i].key);
        for (size_t c = 0; c < name.len; c++)
            ((char *)name.ptr)[c] =
                name.ptr[c] >= 'A' && name.ptr[c] <= 'Z' ? name.ptr[c] | 0x20 : name.ptr[c];
        for (uint32_t v = 0; values && v < values->values.count; v++)
            *array_push(&list) = (HttpHeader){name, text_of(&values->values.items[v])};
    }
    HttpHeaders decoded = {0};
    if (!metadata_read(&call->arena, (HttpHeaders){list.items, list.count}, SPAN(""), &decoded))
        client_call_end(call, STATUS_INTERNAL, "a -bin trailer is not base64");
    array_done(&list);
    return decoded;
}

static bool end_envelope(ClientCall *call, const Envelope *envelope) {
    if (!(envelope->flags & ENVELOPE_CONNECT_END))
        return false;
    Span text = envelope->message;
    Buf plain = {.arena = &call->arena};
    if (envelope->flags & ENVELOPE_COMPRESSED) {
        if (decompress_bytes(call->response_compression, text, call->reader.limit, &plain) < 0) {
            client_call_end(call, STATUS_INTERNAL,
                            "the end of the stream is not compressed as it says");
            return true;
        }
        text = buf_span(&plain);
    }
    const PbStruct *object = parse_object(call, text);
    if (!object) {
        client_call_end(call, STATUS_INTERNAL, "the end of the stream is not JSON");
        return true;
    }
    HttpHeaders trailers = read_metadata(call, object_of(member(object, "metadata")));
    const PbStruct *error = object_of(member(object, "error"));
    client_call_set_status(call, error ? read_error(call, error, STATUS_UNKNOWN) : status_ok(),
                           trailers);
    return true;
}

static void body_stream(ClientCall *call, Span bytes) {
    client_receive_envelopes(call, bytes, end_envelope);
}

static void end_stream(ClientCall *call, HttpHeaders trailers) {
    (void)trailers;
    if (!call->has_status && !call->ended)
        client_call_end(call, STATUS_INTERNAL, "the stream ended without saying how");
}

const ClientProtocol CLIENT_CONNECT_UNARY = {
    .request = request_unary,
    .response = response_unary,
    .body = body_unary,
    .end = end_unary,
    .bare = true,
};

const ClientProtocol CLIENT_CONNECT_STREAM = {
    .request = request_stream,
    .response = response_stream,
    .body = body_stream,
    .end = end_stream,
};
