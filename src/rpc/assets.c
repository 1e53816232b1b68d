/* The files of the page: found by path, sent compressed as they are stored, kept by browsers. */
#include "base/text.h"
#include "rpc/internal.h"

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

static bool accepts(const HttpRequest *request, const char *coding) {
    Span accept = http_header(request->headers, SPAN("accept-encoding"));
    return accept.len && memmem(accept.ptr, accept.len, coding, strlen(coding));
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
    if (asset->br.len && accepts(request, "br")) {
        content = asset->br;
        coding = SPAN("br");
    } else if (asset->gzip.len && accepts(request, "gzip")) {
        content = asset->gzip;
        coding = SPAN("gzip");
    }
    bool known =
        span_equal(http_header(request->headers, SPAN("if-none-match")), span_of(asset->etag));
    HeaderList list = {.arena = http_arena(exchange)};
    char length[20];
    headers_add(&list, SPAN("content-type"), span_of(asset->type));
    headers_add(&list, SPAN("etag"), span_of(asset->etag));
    headers_add(&list, SPAN("cache-control"),
                asset->immutable ? SPAN("public, max-age=31536000, immutable") : SPAN("no-cache"));
    headers_add(&list, SPAN("vary"), SPAN("accept-encoding"));
    headers_add(&list, SPAN("x-content-type-options"), SPAN("nosniff"));
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
