/* Who may ask: the Host and Origin of a request.
 *
 * A page on the internet can make a browser on this machine send requests to loopback addresses. By
 * giving its own name our address it can even make them look as of one origin (DNS rebinding).
 * Hence: Host must be an address, "localhost", or a name that was allowed; Origin, where there is
 * one, must be that same host or allowed. */
#include "rpc/internal.h"

#include <arpa/inet.h>

#include "base/text.h"

/* The host without port and brackets; empty when that is not what it is. */
static Span host_of(Span authority) {
    bool bracket = authority.len && authority.ptr[0] == '[';
    const char *stop =
        authority.len ? memchr(authority.ptr, bracket ? ']' : ':', authority.len) : NULL;
    if (!stop)
        return bracket ? (Span){0} : authority;
    Span host = span(authority.ptr + bracket, (size_t)(stop - authority.ptr) - bracket);
    Span port = span_skip(authority, host.len + 2 * (size_t)bracket);
    uint64_t number;
    bool fine = !port.len || (port.ptr[0] == ':' && parse_u64(span_skip(port, 1), &number) &&
                              number <= UINT16_MAX);
    bool ipv6 = memchr(host.ptr, ':', host.len);
    return fine && bracket == ipv6 ? host : (Span){0};
}

static bool is_address(Span host) {
    char text[64];
    uint8_t bytes[16];
    if (!host.len || host.len >= sizeof text)
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = 0;
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool equal_ignoring_case(Span a, Span b) {
    return a.len == b.len && strncasecmp(a.ptr ? a.ptr : "", b.ptr ? b.ptr : "", a.len) == 0;
}

static bool is_local_name(Span host) {
    Span suffix = SPAN(".localhost");
    return equal_ignoring_case(host, SPAN("localhost")) ||
           (host.len > suffix.len &&
            equal_ignoring_case(span_skip(host, host.len - suffix.len), suffix));
}

static bool is_listed(const Span *list, size_t count, Span text) {
    for (size_t i = 0; i < count; i++)
        if (span_equal(list[i], SPAN("*")) || equal_ignoring_case(list[i], text))
            return true;
    return false;
}

bool host_is_allowed(RpcServer *server, const HttpRequest *request, const HttpPeer *peer) {
    if (peer->uid >= 0)
        return true; /* no browser speaks over a unix socket */
    if (server->known_host.len && span_equal(buf_span(&server->known_host), request->authority))
        return true;
    Span host = host_of(request->authority);
    bool allowed =
        is_address(host) || is_local_name(host) ||
        is_listed(server->options.allowed_hosts, server->options.allowed_host_count, host);
    if (allowed) {
        buf_clear(&server->known_host);
        buf_add(&server->known_host, request->authority);
    }
    return allowed;
}

static bool is_same_origin(const HttpRequest *request, Span origin) {
    size_t scheme = request->scheme.len;
    return origin.len > scheme + 3 && span_starts(origin, request->scheme) &&
           span_starts(span_skip(origin, scheme), SPAN("://")) &&
           equal_ignoring_case(span_skip(origin, scheme + 3), request->authority);
}

bool origin_is_allowed(const RpcServer *server, const HttpRequest *request, Span origin) {
    return is_same_origin(request, origin) ||
           is_listed(server->options.allowed_origins, server->options.allowed_origin_count, origin);
}

/* No credentials: other origins bring a token, not our cookie. */
void cors_answer_preflight(HttpExchange *exchange, Span origin) {
    Span wanted =
        http_header(http_request(exchange)->headers, SPAN("access-control-request-headers"));
    const HttpHeader headers[] = {
        {SPAN("access-control-allow-origin"), origin},
        {SPAN("access-control-allow-methods"), SPAN("GET, POST, PUT, PATCH, DELETE")},
        {SPAN("access-control-max-age"), SPAN("7200")},
        {SPAN("vary"), SPAN("origin, access-control-request-headers")},
        {SPAN("access-control-allow-headers"), wanted},
    };
    http_respond(exchange, 204, (HttpHeaders){headers, wanted.len ? 5 : 4}, true);
}

void cors_add_headers(HeaderList *list, const HttpRequest *request) {
    Span origin = http_header(request->headers, SPAN("origin"));
    if (!origin.len)
        return;
    headers_add(list, SPAN("access-control-allow-origin"), origin);
    headers_add(list, SPAN("access-control-expose-headers"), SPAN("*"));
    headers_add(list, SPAN("vary"), SPAN("origin"));
}
