#include "os/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>
#include <sys/un.h>

#define UNIX_PREFIX SPAN("unix:")

static bool parse_port(Span text, uint16_t *ret) {
    if (text.len == 0 || text.len > 5)
        return false;
    uint32_t port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

static bool is_name(Span text) {
    static const char marks[] = "-_.";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              memchr(marks, c, sizeof marks - 1)))
            return false;
    }
    return text.len > 0;
}

static bool is_ipv6(const char *text) {
    struct in6_addr bytes;
    return inet_pton(AF_INET6, text, &bytes) == 1;
}

static bool parse_unix(Span path, Address *address) {
    address->kind = ADDRESS_UNIX;
    if (path.len == 0 || path.len >= sizeof((struct sockaddr_un *)0)->sun_path ||
        memchr(path.ptr, '\0', path.len))
        return false;
    memcpy(address->host, path.ptr, path.len);
    return true;
}

static bool parse_tcp(Span text, Address *address) {
    const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
    if (!colon)
        return false;
    size_t host_len = (size_t)(colon - text.ptr);
    if (!parse_port(span_skip(text, host_len + 1), &address->port))
        return false;
    Span host = {text.ptr, host_len};
    bool bracketed = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = (Span){host.ptr + 1, host.len - 2};
    if (host.len >= sizeof address->host)
        return false;
    if (host.len)
        memcpy(address->host, host.ptr, host.len);
    if (bracketed)
        return strlen(address->host) == host.len && is_ipv6(address->host);
    return is_name(host);
}

bool address_parse(Span text, Address *ret) {
    Address address = {0};
    bool good = span_starts(text, UNIX_PREFIX)
                    ? parse_unix(span_skip(text, UNIX_PREFIX.len), &address)
                    : parse_tcp(text, &address);
    if (good)
        *ret = address;
    return good;
}

bool address_is_loopback(const Address *address) {
    struct in_addr v4;
    struct in6_addr v6;
    if (address->kind == ADDRESS_UNIX || strcasecmp(address->host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, address->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, address->host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return false;
}

size_t address_format(const Address *address, char *out, size_t room) {
    int len;
    if (address->kind == ADDRESS_UNIX)
        len = snprintf(out, room, "unix:%s", address->host);
    else if (strchr(address->host, ':'))
        len = snprintf(out, room, "[%s]:%u", address->host, address->port);
    else
        len = snprintf(out, room, "%s:%u", address->host, address->port);
    return (size_t)len < room ? (size_t)len : room - 1;
}
