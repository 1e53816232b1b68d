/* Connect's GET: a unary call without side effects whose message stands in the query, so that
 * browsers and caches may keep the answer. ?connect=v1&encoding=proto|json&message=…[&base64=1]
 * [&compression=gzip]. https://connectrpc.com/docs/protocol#unary-get-request */
#include "base/text.h"
#include "rpc/internal.h"
#include "rpc/query.h"

typedef struct GetQuery {
    Span message, encoding, compression, version;
    bool base64;
} GetQuery;

/* False: an escape is malformed. */
static bool read_query(Arena *arena, Span text, GetQuery *ret) {
    QueryReader reader = {.rest = text, .arena = arena};
    Span name, value;
    int result;
    while ((result = query_next(&reader, &name, &value)) == 1) {
        if (span_equal(name, SPAN("message")))
            ret->message = value;
        else if (span_equal(name, SPAN("encoding")))
            ret->encoding = value;
        else if (span_equal(name, SPAN("compression")))
            ret->compression = value;
        else if (span_equal(name, SPAN("connect")))
            ret->version = value;
        else if (span_equal(name, SPAN("base64")))
            ret->base64 = span_equal(value, SPAN("1"));
    }
    return result == 0;
}

static void set_compression(Call *call, Span name) {
    int compression = compression_from_name(name);
    if (compression < 0) {
        call_fail(call, STATUS_UNIMPLEMENTED, "unknown compression '%.*s'", SPAN_ARGS(name));
        return;
    }
    call->request_compression = (RpcCompression)compression;
}

static void set_message(Call *call, const GetQuery *query) {
    Arena *arena = http_arena(call->exchange);
    Span message = query->message;
    if (query->base64) {
        char *bytes = arena_alloc(arena, BASE64_DECODED_MAX(message.len));
        size_t len;
        if (!base64_decode(bytes, message, &len)) {
            call_fail(call, STATUS_INVALID_ARGUMENT, "the message is not base64");
            return;
        }
        message = span(bytes, len);
    }
    if (message.len > call->server->options.receive_limit)
        call_fail(call, STATUS_RESOURCE_EXHAUSTED, "the message is larger than %zu bytes",
                  call->server->options.receive_limit);
    else
        buf_add(&call->body, message); /* from where the end of the request takes it */
}

void connect_serve_get(RpcServer *server, HttpExchange *exchange, const MethodEntry *method,
                       Span text) {
    GetQuery query = {0};
    bool readable = read_query(http_arena(exchange), text, &query);
    bool json = span_equal(query.encoding, SPAN("json"));
    if (!readable || !(json || span_equal(query.encoding, SPAN("proto")))) {
        http_answer(exchange, 415,
                    SPAN("a GET call needs ?connect=v1&encoding=json|proto&message=…\n"),
                    (HttpHeaders){0});
        return;
    }
    Call *call = call_new(server, exchange, &PROTOCOL_CONNECT_UNARY, method);
    call->is_get = true;
    call->codec = json ? RPC_JSON : RPC_BINARY;
    call_read_headers(call);
    if (!call->finished)
        set_compression(call, query.compression);
    if (!call->finished)
        set_message(call, &query);
    call_begin(call);
}
