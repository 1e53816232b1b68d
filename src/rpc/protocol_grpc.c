/* gRPC and gRPC-Web, the server's side.
 *
 * gRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 * gRPC-Web: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md — the same envelopes, trailers
 * as a last envelope in the body, and a text form in base64. */
#include "base/text.h"
#include "rpc/internal.h"

/* ---- in ---- */

/* Base64 comes in pieces of any size, and padding may stand wherever its sender flushed: whole
 * groups of four characters are decoded, the rest waits in call->body. */
static void read_text(Call *call, Span bytes) {
    buf_add(&call->body, bytes);
    size_t whole = call->body.len / 4 * 4;
    Buf decoded = {0};
    for (size_t at = 0; at < whole;) {
        const char *from = call->body.ptr + at;
        const char *pad = memchr(from, '=', whole - at);
        size_t run = pad ? ((size_t)(pad - from) / 4 + 1) * 4 : whole - at;
        size_t len;
        char *room = buf_reserve(&decoded, BASE64_DECODED_MAX(run));
        if (!base64_decode(room, span(from, run), &len)) {
            call_fail(call, STATUS_INTERNAL, "the body is not base64");
            break;
        }
        decoded.len += len;
        at += run;
    }
    memmove(call->body.ptr, call->body.ptr + whole, call->body.len - whole);
    call->body.len -= whole;
    if (!call->finished)
        call_receive_envelopes(call, buf_span(&decoded));
    buf_done(&decoded);
}

static void end_web(Call *call) {
    if (call->body.len)
        call_fail(call, STATUS_INTERNAL, "the body is not base64");
    else
        call_receive_envelopes_end(call);
}

static void body_web(Call *call, Span bytes) {
    if (call->text)
        read_text(call, bytes);
    else
        call_receive_envelopes(call, bytes);
}

/* ---- out ---- */

static Span content_type(const Call *call, bool web) {
    static const Span TYPES[3][2] = {
        {{"application/grpc+proto", 22}, {"application/grpc+json", 21}},
        {{"application/grpc-web+proto", 26}, {"application/grpc-web+json", 25}},
        {{"application/grpc-web-text+proto", 31}, {"application/grpc-web-text+json", 30}},
    };
    return TYPES[web ? 1 + call->text : 0][call->codec];
}

static void respond(Call *call, bool web) {
    HeaderList list = {.arena = http_arena(call->exchange)};
    headers_add(&list, SPAN("content-type"), content_type(call, web));
    if (call->response_compression != RPC_IDENTITY)
        headers_add(&list, SPAN("grpc-encoding"), compression_name(call->response_compression));
    if (call->request_compression != RPC_IDENTITY)
        headers_add(&list, SPAN("grpc-accept-encoding"),
                    SPAN("identity,gzip,deflate,br,zstd,snappy"));
    headers_add_metadata(&list, &call->headers, SPAN(""));
    cors_add_headers(&list, http_request(call->exchange));
    http_respond(call->exchange, 200, headers_of(&list), false);
}

static void head(Call *call) {
    respond(call, false);
}

static void head_web(Call *call) {
    respond(call, true);
}

static void write_text(Call *call, Span bytes) {
    Buf out = {0};
    out.len = base64_encode(buf_reserve(&out, BASE64_ENCODED_MAX(bytes.len)), bytes, false, true);
    http_write(call->exchange, buf_span(&out));
    buf_done(&out);
}

static void send(Call *call, const Outgoing *message) {
    call_head(call);
    if (message->blob && !call->text) {
        http_write_blob(call->exchange, message->blob, blob_span(message->blob));
        return;
    }
    Span frame = message->blob ? blob_span(message->blob)
                               : span(message->payload.ptr - ENVELOPE_HEAD,
                                      ENVELOPE_HEAD + message->payload.len);
    if (!message->blob)
        envelope_write_head((char *)frame.ptr, message->compressed ? ENVELOPE_COMPRESSED : 0,
                            (uint32_t)message->payload.len);
    if (call->text)
        write_text(call, frame);
    else
        http_write(call->exchange, frame);
}

static void collect_trailers(Call *call, const Status *status, HeaderList *list) {
    Arena *arena = http_arena(call->exchange);
    char *digits = arena_alloc(arena, 20);
    headers_add(list, SPAN("grpc-status"), span(digits, format_u64(digits, status->code)));
    if (status->message.len)
        headers_add(list, SPAN("grpc-message"), percent_encode(arena, status->message));
    if (status->detail_count) {
        Span name = SPAN("grpc-status-details-bin");
        headers_add(list, name, metadata_write_value(arena, name, status_encode(arena, status)));
    }
    headers_add_metadata(list, &call->trailers, SPAN(""));
}

static void finish(Call *call, const Status *status) {
    static const HttpHeader DONE = {{"grpc-status", 11}, {"0", 1}};
    call_head(call);
    if (status->code == STATUS_OK && !call->trailers.count) {
        http_finish(call->exchange, (HttpHeaders){&DONE, 1});
        return;
    }
    HeaderList list = {.arena = http_arena(call->exchange)};
    collect_trailers(call, status, &list);
    http_finish(call->exchange, headers_of(&list));
}

static void finish_web(Call *call, const Status *status) {
    call_head(call);
    HeaderList list = {.arena = http_arena(call->exchange)};
    collect_trailers(call, status, &list);
    Buf out = {.len = 0};
    buf_reserve(&out, ENVELOPE_HEAD);
    out.len = ENVELOPE_HEAD;
    for (size_t i = 0; i < list.count; i++) {
        buf_add(&out, list.items[i].name);
        buf_add_literal(&out, ": ");
        buf_add(&out, list.items[i].value);
        buf_add_literal(&out, "\r\n");
    }
    envelope_write_head(out.ptr, ENVELOPE_WEB_TRAILERS, (uint32_t)(out.len - ENVELOPE_HEAD));
    if (call->text)
        write_text(call, buf_span(&out));
    else
        http_write(call->exchange, buf_span(&out));
    http_finish(call->exchange, (HttpHeaders){0});
    buf_done(&out);
}

const CallProtocol PROTOCOL_GRPC = {
    .name = "grpc",
    .malformed = STATUS_INTERNAL,
    .body = call_receive_envelopes,
    .end = call_receive_envelopes_end,
    .head = head,
    .send = send,
    .finish = finish,
};

const CallProtocol PROTOCOL_GRPC_WEB = {
    .name = "grpc-web",
    .malformed = STATUS_INTERNAL,
    .body = body_web,
    .end = end_web,
    .head = head_web,
    .send = send,
    .finish = finish_web,
};
