/* gRPC and gRPC-Web, the client's side. */
#include "base/text.h"
#include "google/rpc/status.pb.h"
#include "rpc/client_internal.h"
#include "schema/codec.h"

static Nanos time_left(const ClientCall *call) {
    Nanos left = call->deadline - world_now(call->world);
    return left > 0 ? left : 0;
}

static void request(ClientCall *call, HeaderList *headers) {
    const ChannelOptions *options = channel_options(call->channel);
    bool web = options->protocol == RPC_GRPC_WEB;
    Span type =
        web ? (options->json ? SPAN("application/grpc-web+json")
                             : SPAN("application/grpc-web+proto"))
            : (options->json ? SPAN("application/grpc+json") : SPAN("application/grpc+proto"));
    *array_push(headers) = (HttpHeader){SPAN("content-type"), type};
    if (web)
        *array_push(headers) = (HttpHeader){SPAN("x-grpc-web"), SPAN("1")};
    else
        *array_push(headers) = (HttpHeader){SPAN("te"), SPAN("trailers")};
    *array_push(headers) = (HttpHeader){SPAN("user-agent"), SPAN("muster/" MUSTER_VERSION)};
    if (options->compression != RPC_IDENTITY)
        *array_push(headers) =
            (HttpHeader){SPAN("grpc-encoding"), compression_name(options->compression)};
    Span accepted = client_accepted(call);
    if (accepted.len)
        *array_push(headers) = (HttpHeader){SPAN("grpc-accept-encoding"), accepted};
    if (call->deadline != INT64_MAX) {
        char *text = arena_alloc(&call->arena, TIMEOUT_MAX);
        size_t len = timeout_format_grpc(text, time_left(call));
        *array_push(headers) = (HttpHeader){SPAN("grpc-timeout"), span(text, len)};
    }
}

/* ---- how it ended ---- */

static void read_details(ClientCall *call, Span bytes, Status *status) {
    void *decoded;
    if (schema_decode(&RpcStatus_type, bytes, &(SchemaDecode){.copy_input = true}, &call->arena,
                      &decoded, NULL) < 0)
        return;
    const RpcStatus *message = decoded;
    StatusDetail *details = arena_alloc(&call->arena, message->details.count * sizeof *details);
    for (uint32_t i = 0; i < message->details.count; i++) {
        Span url = message->details.items[i].type_url;
        const char *slash = url.len ? memrchr(url.ptr, '/', url.len) : NULL;
        details[i].type = slash ? span_skip(url, (size_t)(slash + 1 - url.ptr)) : url;
        details[i].value = message->details.items[i].value;
    }
    status->details = details;
    status->detail_count = message->details.count;
}

static void end_by_trailers(ClientCall *call, HttpHeaders trailers) {
    trailers = client_keep(call, trailers);
    Span number = http_header(trailers, SPAN("grpc-status"));
    uint64_t code;
    if (!number.len || !parse_u64(number, &code)) {
        client_call_end(call, STATUS_INTERNAL, "the response ended without a grpc-status");
        return;
    }
    Status status = {
        .code = code < STATUS_CODES ? (StatusCode)code : STATUS_UNKNOWN,
        .message = percent_decode(&call->arena, http_header(trailers, SPAN("grpc-message"))),
    };
    Span encoded = http_header(trailers, SPAN("grpc-status-details-bin"));
    if (encoded.len) {
        char *bytes = arena_alloc(&call->arena, BASE64_DECODED_MAX(encoded.len));
        size_t len;
        if (base64_decode(bytes, encoded, &len))
            read_details(call, span(bytes, len), &status);
    }
    HttpHeaders metadata;
    if (metadata_read(&call->arena, trailers, SPAN(""), &metadata))
        client_call_set_status(call, status, metadata);
    else
        client_call_end(call, STATUS_INTERNAL, "a -bin trailer is not base64");
}

/* ---- what comes ---- */

static void response(ClientCall *call, HttpHeaders headers) {
    const ChannelOptions *options = channel_options(call->channel);
    Span type = http_header(headers, SPAN("content-type"));
    Span wanted =
        options->protocol == RPC_GRPC_WEB ? SPAN("application/grpc-web") : SPAN("application/grpc");
    if (call->http_status != 200) {
        client_call_end(call, status_from_http(call->http_status), "HTTP status %d",
                        call->http_status);
        return;
    }
    Span codec = span_skip(type, wanted.len);
    bool fits = span_starts(type, wanted) &&
                (!codec.len || codec.ptr[0] == ';'
                     ? !options->json
                     : span_starts(codec, options->json ? SPAN("+json") : SPAN("+proto")));
    if (!fits) {
        bool other_codec = span_starts(type, wanted) && codec.len && codec.ptr[0] == '+';
        client_call_end(call, other_codec ? STATUS_INTERNAL : STATUS_UNKNOWN,
                        "the response has content type '%.*s'", SPAN_ARGS(type));
        return;
    }
    if (!client_set_response_compression(call, http_header(headers, SPAN("grpc-encoding"))))
        return;
    /* Perhaps the headers are the trailers: when nothing else comes. */
    if (http_header(headers, SPAN("grpc-status")).len)
        call->trailers = client_keep(call, headers);
    else
        client_call_headers(call, headers);
}

/* Something else comes, so the headers were headers. */
static void not_trailers_only(ClientCall *call) {
    if (call->has_status || !call->trailers.count)
        return;
    HttpHeaders headers = call->trailers;
    call->trailers = (HttpHeaders){0};
    client_call_headers(call, headers);
}

/* One "name: value" of gRPC-Web's trailers; a line that is none is passed over. */
static void add_line(ClientCall *call, HeaderList *list, Span line) {
    size_t colon = 0;
    while (colon < line.len && line.ptr[colon] != ':')
        colon++;
    if (colon == line.len)
        return;
    Span name = arena_copy(&call->arena, span(line.ptr, colon));
    for (size_t i = 0; i < name.len; i++)
        ((char *)name.ptr)[i] =
            name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] | 0x20 : name.ptr[i];
    Span value = span_skip(line, colon + 1);
    while (value.len && value.ptr[0] == ' ')
        value = span_skip(value, 1);
    *array_push(list) = (HttpHeader){name, value};
}

/* gRPC-Web: lines that end with "\r\n". */
static void end_by_text(ClientCall *call, Span text) {
    HeaderList list = {0};
    for (size_t begin = 0; begin < text.len;) {
        size_t end = begin;
        while (end < text.len && text.ptr[end] != '\n')
            end++;
        size_t len = end - begin;
        if (len && text.ptr[end - 1] == '\r')
            len--;
        add_line(call, &list, span(text.ptr + begin, len));
        begin = end + 1;
    }
    end_by_trailers(call, (HttpHeaders){list.items, list.count});
    array_done(&list);
}

static bool no_trailers(ClientCall *call, const Envelope *envelope) {
    return false;
}

static void body(ClientCall *call, Span bytes) {
    not_trailers_only(call);
    client_receive_envelopes(call, bytes, no_trailers);
}

static bool web_trailers(ClientCall *call, const Envelope *envelope) {
    if (!(envelope->flags & ENVELOPE_WEB_TRAILERS))
        return false;
    Buf plain = {.arena = &call->arena};
    Span text = envelope->message;
    if (envelope->flags & ENVELOPE_COMPRESSED) {
        if (decompress_bytes(call->response_compression, text, call->reader.limit, &plain) < 0) {
            client_call_end(call, STATUS_INTERNAL, "the trailers are not compressed as they say");
            return true;
        }
        text = buf_span(&plain);
    }
    end_by_text(call, text);
    return true;
}

static void web_body(ClientCall *call, Span bytes) {
    not_trailers_only(call);
    client_receive_envelopes(call, bytes, web_trailers);
}

static void end(ClientCall *call, HttpHeaders trailers) {
    if (call->has_status || call->ended)
        return;
    if (trailers.count)
        not_trailers_only(call);
    else
        trailers = call->trailers;
    if (!envelope_complete(&call->reader))
        client_call_end(call, STATUS_INTERNAL, "the response ended inside a message");
    else if (!call->ended)
        end_by_trailers(call, trailers);
}

const ClientProtocol CLIENT_GRPC = {
    .request = request,
    .response = response,
    .body = body,
    .end = end,
};

const ClientProtocol CLIENT_GRPC_WEB = {
    .request = request,
    .response = response,
    .body = web_body,
    .end = end,
};
