/* Connect, the server's side: https://connectrpc.com/docs/protocol
 *
 * Unary calls are plain HTTP: the message is the body, its status the HTTP status. Streams are
 * envelopes, always answered with 200; the last envelope says how the call ended. */
#include "base/text.h"
#include "rpc/internal.h"

/* ---- unary ---- */

static void body_unary(Call *call, Span bytes) {
    if (call->body.len + bytes.len > call->server->options.receive_limit)
        call_fail(call, STATUS_RESOURCE_EXHAUSTED, "the message is larger than %zu bytes",
                  call->server->options.receive_limit);
    else
        buf_add(&call->body, bytes);
}

static void end_unary(Call *call) {
    /* An empty body is an empty message under every compression. */
    bool compressed = call->request_compression != RPC_IDENTITY && call->body.len;
    call_receive(call, compressed, buf_span(&call->body), true);
    call_receive_end(call);
}

/* The head of a unary answer says how the call ended, so that it can only be written then. */
static void head_unary(Call *call) {
    call->head_sent = false;
}

static void send_unary(Call *call, const Outgoing *message) {
    call->reply = arena_copy(http_arena(call->exchange), message->payload);
    if (!message->compressed)
        call->response_compression = RPC_IDENTITY;
}

static void finish_unary(Call *call, const Status *status) {
    Arena *arena = http_arena(call->exchange);
    HeaderList list = {.arena = http_arena(call->exchange)};
    bool failed = status->code != STATUS_OK;
    Buf error = {.arena = arena};
    if (failed)
        status_write_connect(&error, status);
    Span body = failed ? buf_span(&error) : call->reply;
    headers_add(&list, SPAN("content-type"),
                failed || call->codec == RPC_JSON ? SPAN("application/json")
                                                  : SPAN("application/proto"));
    if (!failed && call->response_compression != RPC_IDENTITY)
        headers_add(&list, SPAN("content-encoding"), compression_name(call->response_compression));
    headers_add(&list, SPAN("accept-encoding"), SPAN("gzip, deflate, br, zstd, snappy"));
    char length[20];
    headers_add(&list, SPAN("content-length"), span(length, format_u64(length, body.len)));
    if (call->is_get)
        headers_add(&list, SPAN("vary"), SPAN("accept-encoding"));
    headers_add_metadata(&list, &call->headers, SPAN(""));
    headers_add_metadata(&list, &call->trailers, SPAN("trailer-"));
    cors_add_headers(&list, http_request(call->exchange));
    call->head_sent = true;
    http_respond(call->exchange, failed ? status_to_http(status->code) : 200, headers_of(&list),
                 body.len == 0);
    if (body.len) {
        http_write(call->exchange, body);
        http_finish(call->exchange, (HttpHeaders){0});
    }
}

/* ---- streams ---- */

static void head_stream(Call *call) {
    HeaderList list = {.arena = http_arena(call->exchange)};
    headers_add(&list, SPAN("content-type"),
                call->codec == RPC_JSON ? SPAN("application/connect+json")
                                        : SPAN("application/connect+proto"));
    if (call->response_compression != RPC_IDENTITY)
        headers_add(&list, SPAN("connect-content-encoding"),
                    compression_name(call->response_compression));
    headers_add(&list, SPAN("connect-accept-encoding"), SPAN("gzip, deflate, br, zstd, snappy"));
    headers_add_metadata(&list, &call->headers, SPAN(""));
    cors_add_headers(&list, http_request(call->exchange));
    http_respond(call->exchange, 200, headers_of(&list), false);
}

static void send_stream(Call *call, const Outgoing *message) {
    call_head(call);
    if (message->blob) {
        http_write_blob(call->exchange, message->blob, blob_span(message->blob));
        return;
    }
    char *head = (char *)message->payload.ptr - ENVELOPE_HEAD;
    envelope_write_head(head, message->compressed ? ENVELOPE_COMPRESSED : 0,
                        (uint32_t)message->payload.len);
    http_write(call->exchange, span(head, ENVELOPE_HEAD + message->payload.len));
}

/* {"name":["value",…],…}: values of one name together, in the order of the first. */
static void write_metadata(Buf *out, const HeaderList *list) {
    buf_add_char(out, '{');
    bool first_name = true;
    for (size_t i = 0; i < list->count; i++) {
        Span name = list->items[i].name;
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = span_equal(list->items[j].name, name);
        if (seen)
            continue;
        buf_add(out, first_name ? SPAN("") : SPAN(","));
        first_name = false;
        json_write_text(out, name);
        buf_add_literal(out, ":[");
        bool first_value = true;
        for (size_t j = i; j < list->count; j++) {
            if (!span_equal(list->items[j].name, name))
                continue;
            buf_add(out, first_value ? SPAN("") : SPAN(","));
            first_value = false;
            json_write_text(out, list->items[j].value);
        }
        buf_add_char(out, ']');
    }
    buf_add_char(out, '}');
}

static void finish_stream(Call *call, const Status *status) {
    call_head(call);
    Buf out = {0};
    buf_reserve(&out, ENVELOPE_HEAD);
    out.len = ENVELOPE_HEAD;
    buf_add_char(&out, '{');
    if (status->code != STATUS_OK) {
        buf_add_literal(&out, "\"error\":");
        status_write_connect(&out, status);
    }
    if (call->trailers.count) {
        HeaderList written = {.arena = http_arena(call->exchange)};
        headers_add_metadata(&written, &call->trailers, SPAN(""));
        buf_add(&out, status->code != STATUS_OK ? SPAN(",\"metadata\":") : SPAN("\"metadata\":"));
        write_metadata(&out, &written);
    }
    buf_add_char(&out, '}');
    envelope_write_head(out.ptr, ENVELOPE_CONNECT_END, (uint32_t)(out.len - ENVELOPE_HEAD));
    http_write(call->exchange, buf_span(&out));
    http_finish(call->exchange, (HttpHeaders){0});
    buf_done(&out);
}

const CallProtocol PROTOCOL_CONNECT_UNARY = {
    .name = "connect",
    .malformed = STATUS_INVALID_ARGUMENT,
    .body = body_unary,
    .end = end_unary,
    .head = head_unary,
    .send = send_unary,
    .finish = finish_unary,
};

const CallProtocol PROTOCOL_CONNECT_STREAM = {
    .name = "connect",
    .malformed = STATUS_INVALID_ARGUMENT,
    .body = call_receive_envelopes,
    .end = call_receive_envelopes_end,
    .head = head_stream,
    .send = send_stream,
    .finish = finish_stream,
};
