/* From HTTP requests to calls: who may ask, which protocol, which method. */
#include "rpc/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "google/rpc/error_details.pb.h"
#include "rpc/internal.h"

#define RECEIVE_LIMIT  (4u << 20)
#define SEND_LIMIT     (64u << 20)
#define QUEUE_LIMIT    (16u << 20)
#define COMPRESS_ABOVE 1024

/* ---- plain answers ---- */

void http_answer(HttpExchange *exchange, int status, Span text, HttpHeaders more) {
    HeaderList list = {.arena = http_arena(exchange)};
    headers_add(&list, SPAN("content-type"), SPAN("text/plain; charset=utf-8"));
    for (size_t i = 0; i < more.count; i++)
        headers_add(&list, more.items[i].name, more.items[i].value);
    cors_add_headers(&list, http_request(exchange));
    bool bare = span_equal(http_request(exchange)->method, SPAN("HEAD")) || !text.len;
    http_respond(exchange, status, headers_of(&list), bare);
    if (!bare) {
        http_write(exchange, text);
        http_finish(exchange, (HttpHeaders){0});
    }
}

/* Nobody listens any more to what such an exchange brings; its bytes are let through to their end. */
static void ignore_body(void *owner, Span bytes) {
    http_release(owner, bytes.len);
}
static void ignore_end(void *owner, HttpHeaders trailers) {
    (void)owner;
    (void)trailers;
}
static void ignore_closed(void *owner, int reason) {
    (void)owner;
    (void)reason;
}
static const HttpExchangeHandler IGNORE = {
    .body = ignore_body,
    .end = ignore_end,
    .closed = ignore_closed,
};

/* ---- which protocol ---- */

typedef struct ContentType {
    const CallProtocol *protocol; /* NULL = not RPC */
    RpcCodec codec;
    bool known_codec;
    bool text;
} ContentType;

static Span without_parameters(Span type) {
    const char *end = type.len ? memchr(type.ptr, ';', type.len) : NULL;
    size_t len = end ? (size_t)(end - type.ptr) : type.len;
    while (len && type.ptr[len - 1] == ' ')
        len--;
    return span(type.ptr, len);
}

/* "", "+proto", "+json" */
static ContentType with_codec(const CallProtocol *protocol, Span suffix, bool may_be_empty) {
    bool json = span_equal(suffix, SPAN("+json"));
    bool binary = span_equal(suffix, SPAN("+proto")) || (may_be_empty && !suffix.len);
    return (ContentType){protocol, json ? RPC_JSON : RPC_BINARY, json || binary, false};
}

static ContentType read_content_type(Span value) {
    Span type = without_parameters(value);
    if (!span_starts(type, SPAN("application/")))
        return (ContentType){0};
    Span kind = span_skip(type, 12);
    if (span_starts(kind, SPAN("grpc-web-text"))) {
        ContentType text = with_codec(&PROTOCOL_GRPC_WEB, span_skip(kind, 13), true);
        text.text = true;
        return text;
    }
    if (span_starts(kind, SPAN("grpc-web")))
        return with_codec(&PROTOCOL_GRPC_WEB, span_skip(kind, 8), true);
    if (span_starts(kind, SPAN("grpc")))
        return with_codec(&PROTOCOL_GRPC, span_skip(kind, 4), true);
    if (span_starts(kind, SPAN("connect")))
        return with_codec(&PROTOCOL_CONNECT_STREAM, span_skip(kind, 7), false);
    if (span_equal(kind, SPAN("json")))
        return (ContentType){&PROTOCOL_CONNECT_UNARY, RPC_JSON, true, false};
    if (span_equal(kind, SPAN("proto")))
        return (ContentType){&PROTOCOL_CONNECT_UNARY, RPC_BINARY, true, false};
    return (ContentType){0};
}

/* ---- compression of a call ---- */

/* The best of ours that a comma-separated list names: what the request came in, if it is there. */
static RpcCompression choose_compression(Span accepted, RpcCompression request) {
    RpcCompression best = RPC_IDENTITY;
    while (accepted.len) {
        const char *comma = memchr(accepted.ptr, ',', accepted.len);
        Span name = comma ? span(accepted.ptr, (size_t)(comma - accepted.ptr)) : accepted;
        accepted = span_skip(accepted, name.len + 1);
        while (name.len && name.ptr[0] == ' ')
            name = span_skip(name, 1);
        int one = compression_from_name(without_parameters(name));
        if (one <= RPC_IDENTITY)
            continue;
        if (one == (int)request)
            return request;
        if (best == RPC_IDENTITY)
            best = (RpcCompression)one;
    }
    return best;
}

static void set_compression(Call *call, HttpHeaders headers, Span encoding, Span accept) {
    Span name = http_header(headers, encoding);
    int request = compression_from_name(name);
    if (request < 0) {
        call_fail(call, STATUS_UNIMPLEMENTED,
                  "unknown compression '%.*s'; known are identity, gzip, deflate, br, zstd, snappy",
                  SPAN_ARGS(name));
        return;
    }
    call->request_compression = (RpcCompression)request;
    if (call->server->options.compress)
        call->response_compression =
            choose_compression(http_header(headers, accept), call->request_compression);
}

/* ---- calls ---- */

static bool is_connect(const CallProtocol *protocol) {
    return protocol == &PROTOCOL_CONNECT_UNARY || protocol == &PROTOCOL_CONNECT_STREAM;
}

static void read_timeout(Call *call, HttpHeaders headers) {
    bool connect = is_connect(call->protocol);
    Span text = http_header(headers, connect ? SPAN("connect-timeout-ms") : SPAN("grpc-timeout"));
    Nanos timeout;
    if (!text.len)
        return;
    if (!(connect ? timeout_parse_connect(text, &timeout) : timeout_parse_grpc(text, &timeout)))
        call_fail(call, STATUS_INVALID_ARGUMENT, "malformed timeout '%.*s'", SPAN_ARGS(text));
    else if (timeout < INT64_MAX - call->started)
        call->deadline = call->started + timeout;
}

static void read_compression(Call *call, HttpHeaders headers) {
    if (call->protocol == &PROTOCOL_CONNECT_STREAM)
        set_compression(call, headers, SPAN("connect-content-encoding"),
                        SPAN("connect-accept-encoding"));
    else if (call->protocol == &PROTOCOL_GRPC || call->protocol == &PROTOCOL_GRPC_WEB)
        set_compression(call, headers, SPAN("grpc-encoding"), SPAN("grpc-accept-encoding"));
    else
        set_compression(call, headers, SPAN("content-encoding"), SPAN("accept-encoding"));
}

void call_read_headers(Call *call) {
    HttpHeaders headers = http_request(call->exchange)->headers;
    read_timeout(call, headers);
    if (!call->finished)
        read_compression(call, headers);
}

static void serve_rpc(RpcServer *server, HttpExchange *exchange, const ContentType *type,
                      const MethodEntry *method) {
    Call *call = call_new(server, exchange, type->protocol, method);
    call->codec = type->codec;
    call->text = type->text;
    call_read_headers(call);
    call_begin(call);
}

/* A method nobody has: gRPC wants an answer in its own terms, the others HTTP's 404. */
static void answer_unknown_grpc(HttpExchange *exchange, const ContentType *type) {
    Span path = http_request(exchange)->path;
    Buf text = {.arena = http_arena(exchange)};
    buf_printf(&text, "there is no method %.*s", SPAN_ARGS(path));
    HeaderList list = {.arena = http_arena(exchange)};
    headers_add(&list, SPAN("content-type"),
                type->protocol == &PROTOCOL_GRPC ? SPAN("application/grpc")
                : type->text                     ? SPAN("application/grpc-web-text")
                                                 : SPAN("application/grpc-web"));
    headers_add(&list, SPAN("grpc-status"), SPAN("12"));
    headers_add(&list, SPAN("grpc-message"), percent_encode(http_arena(exchange), buf_span(&text)));
    cors_add_headers(&list, http_request(exchange));
    http_respond(exchange, 200, headers_of(&list), true);
}

static void answer_unsupported_type(HttpExchange *exchange) {
    const HttpHeader accept = {
        SPAN("accept-post"),
        SPAN("application/grpc, application/grpc+json, application/grpc-web, "
             "application/grpc-web+json, application/grpc-web-text, application/connect+proto, "
             "application/connect+json, application/proto, application/json"),
    };
    http_answer(exchange, 415, SPAN("unsupported content type\n"), (HttpHeaders){&accept, 1});
}

/* ---- requests ---- */

static Span path_of(Span target) {
    const char *query = target.len ? memchr(target.ptr, '?', target.len) : NULL;
    return query ? span(target.ptr, (size_t)(query - target.ptr)) : target;
}

static void serve_method(RpcServer *server, HttpExchange *exchange, const MethodEntry *method) {
    const HttpRequest *request = http_request(exchange);
    const SchemaMethod *schema = method->schema;
    if (span_equal(request->method, SPAN("GET")) && schema->idempotency == SCHEMA_NO_SIDE_EFFECTS &&
        !schema->client_streaming && !schema->server_streaming) {
        Span query = span_skip(request->path, path_of(request->path).len + 1);
        connect_serve_get(server, exchange, method, query);
        return;
    }
    if (!span_equal(request->method, SPAN("POST"))) {
        const HttpHeader allow = {SPAN("allow"), SPAN("POST")};
        http_answer(exchange, 405, SPAN("methods are called by POST\n"), (HttpHeaders){&allow, 1});
        return;
    }
    ContentType type = read_content_type(http_header(request->headers, SPAN("content-type")));
    bool unary = !schema->client_streaming && !schema->server_streaming;
    bool fits = type.protocol && type.known_codec &&
                !(type.protocol == &PROTOCOL_CONNECT_UNARY && !unary) &&
                !(type.protocol == &PROTOCOL_CONNECT_STREAM && unary);
    if (fits)
        serve_rpc(server, exchange, &type, method);
    else
        answer_unsupported_type(exchange);
}

static void serve_other(RpcServer *server, HttpExchange *exchange) {
    const HttpRequest *request = http_request(exchange);
    ContentType type = read_content_type(http_header(request->headers, SPAN("content-type")));
    if (type.protocol == &PROTOCOL_GRPC || type.protocol == &PROTOCOL_GRPC_WEB) {
        answer_unknown_grpc(exchange, &type);
        return;
    }
    Span allow = {0};
    if (rest_serve(server, exchange, &allow))
        return;
    if (allow.len) {
        const HttpHeader header = {SPAN("allow"), allow};
        http_answer(exchange, 405, SPAN("not with this HTTP method\n"), (HttpHeaders){&header, 1});
    } else if (!assets_serve(server, exchange)) {
        http_answer(exchange, 404, SPAN("not found\n"), (HttpHeaders){0});
    }
}

static void on_request(void *owner, HttpExchange *exchange) {
    RpcServer *server = owner;
    const HttpRequest *request = http_request(exchange);
    http_handle(exchange, &IGNORE, exchange);
    if (!host_is_allowed(server, request, http_peer(exchange))) {
        http_answer(exchange, 403, SPAN("this host name is not allowed; see --allow-host\n"),
                    (HttpHeaders){0});
        return;
    }
    Span origin = http_header(request->headers, SPAN("origin"));
    if (origin.len && !origin_is_allowed(server, request, origin)) {
        http_respond(exchange, 403, (HttpHeaders){0}, true);
        return;
    }
    if (origin.len && span_equal(request->method, SPAN("OPTIONS")) &&
        http_header(request->headers, SPAN("access-control-request-method")).len) {
        cors_answer_preflight(exchange, origin);
        return;
    }
    const MethodEntry *method = map_get(&server->methods, path_of(request->path));
    if (method)
        serve_method(server, exchange, method);
    else
        serve_other(server, exchange);
}

/* ---- the server ---- */

static Span method_path(const void *item) {
    return ((const MethodEntry *)item)->path;
}

static void set_default(size_t *value, size_t fallback) {
    *value = *value ? *value : fallback;
}

RpcServer *rpc_server_new(World *world, const RpcServerOptions *options) {
    RpcServer *server = xcalloc(1, sizeof *server);
    server->world = world;
    server->options = *options;
    set_default(&server->options.receive_limit, RECEIVE_LIMIT);
    set_default(&server->options.send_limit, SEND_LIMIT);
    set_default(&server->options.queue_limit, QUEUE_LIMIT);
    set_default(&server->options.compress_above, COMPRESS_ABOVE);
    uint64_t seed;
    world_random(world, &seed, sizeof seed);
    map_init(&server->methods, method_path, seed);
    server->types = schema_pool_new();
    schema_pool_add(server->types, &google_rpc_error_details_proto);
    server->routes = rest_routes_new();
    const HttpLimits *limits = options->http.connections ? &options->http : &HTTP_LIMITS;
    server->options.http = *limits;
    server->http = http_server_new(world, limits, on_request, server);
    return server;
}

void rpc_server_free(RpcServer *server) {
    if (!server)
        return;
    http_server_free(server->http);
    size_t at = 0;
    for (MethodEntry *entry; (entry = map_next(&server->methods, &at));)
        free(entry);
    map_done(&server->methods);
    rest_routes_free(server->routes);
    schema_pool_free(server->types);
    array_done(&server->services);
    array_done(&server->slots);
    array_done(&server->free_slots);
    buf_done(&server->known_host);
    arena_done(&server->owned);
    arena_done(&server->scratch_in);
    arena_done(&server->scratch_out);
    free(server);
}

int rpc_server_add(RpcServer *server, const RpcService *service, char *reason, size_t reason_size) {
    const SchemaService *schema = service->schema;
    if (server->frozen) {
        fprintf(stderr, "muster: programming error: %s is added to a server that is frozen\n",
                schema->full_name);
        abort();
    }
    for (uint16_t i = 0; i < schema->method_count; i++) {
        if (map_get(&server->methods, span_of(schema->methods[i].path))) {
            snprintf(reason, reason_size, "%s is served already", schema->full_name);
            return -EEXIST;
        }
    }
    schema_pool_add(server->types, schema->file);
    *array_push(&server->services) = service;
    for (uint16_t i = 0; i < schema->method_count; i++) {
        MethodEntry *entry = xmalloc(sizeof *entry);
        const SchemaMethod *method = &schema->methods[i];
        *entry = (MethodEntry){span_of(method->path), method, &service->methods[i], service};
        map_put(&server->methods, entry);
        int result = rest_routes_add(server->routes, entry, reason, reason_size);
        if (result < 0)
            return result;
    }
    return 0;
}

void rpc_server_freeze(RpcServer *server) {
    server->frozen = true;
}

void rpc_server_end_streams(RpcServer *server, Status status) {
    for (size_t i = 0; i < server->slots.count; i++) {
        Call *call = server->slots.items[i].call;
        if (call && call->method->schema->server_streaming)
            call_finish(call, status);
    }
}

HttpServer *rpc_server_http(RpcServer *server) {
    return server->http;
}

const SchemaPool *rpc_server_types(const RpcServer *server) {
    return server->types;
}

void rpc_server_on_authorize(RpcServer *server, Status (*authorize)(void *owner, Call *call),
                             void *owner) {
    server->authorize = authorize;
    server->authorize_owner = owner;
}

void rpc_server_on_report(RpcServer *server, void (*report)(void *owner, const CallReport *report),
                          void *owner) {
    server->report = report;
    server->report_owner = owner;
}

void rpc_server_assets(RpcServer *server, const RpcAsset *assets, size_t count,
                       const RpcAsset *fallback) {
    server->assets = assets;
    server->asset_count = count;
    server->fallback = fallback;
}
