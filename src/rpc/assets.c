/* The files of the page: found by path, sent compressed as they are stored, kept by browsers. */
#include "base/text.h"
#include "rpc/compress.h"
#include "rpc/internal.h"

/* Bytes that a compressed file may unpack to. */
#define PLAIN_MAX (16u << 20)

static const Span RESERVED[] = {
    {"/api", 4},     {"/v1", 3},   {"/dependencies", 13}, {"/heartbeat-dashboard", 20},
    {"/metrics", 8}, {"/docs", 5},
};

static bool is_reserved(Span path) {
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++)
        if (span_starts(path, RESERVED[i]) &&
            (path.len == RESERVED[i].len || path.ptr[RESERVED[i].len] == '/'))
            return true;
    return false;
}

static const RpcAsset *find(const RpcServer *server, Span path) {
    for (size_t i = 0; i < server->asset_count; i++)
        if (span_equal(path, span_of(server->assets[i].path)))
            return &server->assets[i];
    /* What looks like a file and is none is not the page. */
    const char *slash = memrchr(path.ptr, '/', path.len);
    bool file = slash && memchr(slash, '.', path.len - (size_t)(slash - path.ptr));
    return file || is_reserved(path) ? NULL : server->fallback;
}

/* The next of a header's comma-separated items; false at the end. */
static bool next_item(Span *rest, Span *ret) {
    while (rest->len && strchr(" \t,", rest->ptr[0]))
        *rest = span_skip(*rest, 1);
    const char *comma = rest->len ? memchr(rest->ptr, ',', rest->len) : NULL;
    *ret = comma ? span(rest->ptr, (size_t)(comma - rest->ptr)) : *rest;
    *rest = span_skip(*rest, ret->len);
    return ret->len > 0;
}

/* ";q=0", ";q=0.00": not wanted. */
static bool is_refused(Span parameters) {
    const char *weight = parameters.len ? memmem(parameters.ptr, parameters.len, "q=", 2) : NULL;
    if (!weight)
        return false;
    for (const char *at = weight + 2; at < span_end(parameters); at++)
        if (*at >= '1' && *at <= '9')
            return false;
    return true;
}

static bool accepts(const HttpRequest *request, Span coding) {
    Span rest = http_header(request->headers, SPAN("accept-encoding")), item;
    while (next_item(&rest, &item))
        if (item.len >= coding.len && strncasecmp(item.ptr, coding.ptr, coding.len) == 0 &&
            (item.len == coding.len || strchr("; \t", item.ptr[coding.len])))
            return !is_refused(span_skip(item, coding.len));
    return false;
}

/* If-None-Match (RFC 9110, 13.1.2): the weak comparison, since an answer may be a precompressed one. */
static bool is_known(const HttpRequest *request, Span etag) {
    Span rest = http_header(request->headers, SPAN("if-none-match")), item;
    while (next_item(&rest, &item)) {
        while (item.len && strchr(" \t", item.ptr[item.len - 1]))
            item.len--;
        if (span_starts(item, SPAN("W/")))
            item = span_skip(item, 2);
        if (span_equal(item, etag) || span_equal(item, SPAN("*")))
            return true;
    }
    return false;
}

bool assets_serve(RpcServer *server, HttpExchange *exchange) {
    const HttpRequest *request = http_request(exchange);
    bool head = span_equal(request->method, SPAN("HEAD"));
    if (!head && !span_equal(request->method, SPAN("GET")))
        return false;
    const char *query = memchr(request->path.ptr, '?', request->path.len);
    Span path =
        query ? span(request->path.ptr, (size_t)(query - request->path.ptr)) : request->path;
    const RpcAsset *asset = find(server, path);
    if (!asset)
        return false;
    Span content = asset->plain, coding = {0};
    if (asset->br.len && accepts(request, SPAN("br"))) {
        content = asset->br;
        coding = SPAN("br");
    } else if (asset->gzip.len && accepts(request, SPAN("gzip"))) {
        content = asset->gzip;
        coding = SPAN("gzip");
    }
    Buf unpacked = {.arena = http_arena(exchange)};
    if (!content.len && asset->gzip.len &&
        decompress_bytes(RPC_GZIP, asset->gzip, PLAIN_MAX, &unpacked) == 0)
        content = buf_span(&unpacked);
    bool known = is_known(request, span_of(asset->etag));
    HeaderList list = {.arena = http_arena(exchange)};
    char length[20];
    headers_add(&list, SPAN("content-type"), span_of(asset->type));
    headers_add(&list, SPAN("etag"), span_of(asset->etag));
    headers_add(&list, SPAN("cache-control"),
                asset->immutable ? SPAN("public, max-age=31536000, immutable") : SPAN("no-cache"));
    headers_add(&list, SPAN("vary"), SPAN("accept-encoding"));
    headers_add(&list, SPAN("x-content-type-options"), SPAN("nosniff"));
    if (asset->policy)
        headers_add(&list, SPAN("content-security-policy"), span_of(asset->policy));
    headers_add(&list, SPAN("referrer-policy"), SPAN("no-referrer"));
    if (!known)
        headers_add(&list, SPAN("content-length"), span(length, format_u64(length, content.len)));
    if (!known && coding.len)
        headers_add(&list, SPAN("content-encoding"), coding);
    bool bare = head || known || !content.len;
    http_respond(exchange, known ? 304 : 200, headers_of(&list), bare);
    if (!bare) {
        http_write(exchange, content);
        http_finish(exchange, (HttpHeaders){0});
    }
    return true;
}
