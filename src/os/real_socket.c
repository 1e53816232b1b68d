/* What sockets need that neither streams nor listeners should repeat. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/real.h"

/* Accepted sockets inherit it from their listener on Linux. Unix sockets have no such option. */
static void no_delay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int socket_new(int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (family != AF_UNIX)
        no_delay(fd);
    return fd;
}

static int option(int fd, int name, int *ret) {
    socklen_t length = sizeof *ret;
    return getsockopt(fd, SOL_SOCKET, name, ret, &length) == 0 ? 0 : -errno;
}

int socket_adopt(int fd, bool listening) {
    int type, domain, accepts, error;
    if ((error = option(fd, SO_TYPE, &type)) || (error = option(fd, SO_DOMAIN, &domain)) ||
        (error = option(fd, SO_ACCEPTCONN, &accepts)))
        return error;
    if (type != SOCK_STREAM || (accepts != 0) != listening)
        return -EINVAL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    if (domain != AF_UNIX)
        no_delay(fd);
    return 0;
}

static socklen_t to_unix(const char *path, struct sockaddr_un *ret) {
    size_t size = strlen(path) + 1;
    if (size > sizeof ret->sun_path)
        return 0;
    ret->sun_family = AF_UNIX;
    memcpy(ret->sun_path, path, size);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

socklen_t socket_to(const Address *address, struct sockaddr_storage *ret) {
    *ret = (struct sockaddr_storage){0};
    if (address->kind == ADDRESS_UNIX)
        return to_unix(address->host, (struct sockaddr_un *)ret);
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    if (inet_pton(AF_INET, address->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(address->port);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    return inet_pton(AF_INET6, address->host, &v6->sin6_addr) == 1 ? sizeof *v6 : 0;
}

static void from_ipv6(const struct sockaddr_in6 *from, Address *ret) {
    ret->port = ntohs(from->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&from->sin6_addr))
        inet_ntop(AF_INET, from->sin6_addr.s6_addr + 12, ret->host, sizeof ret->host);
    else
        inet_ntop(AF_INET6, &from->sin6_addr, ret->host, sizeof ret->host);
}

void socket_from(const struct sockaddr_storage *from, socklen_t length, Address *ret) {
    *ret = (Address){.kind = ADDRESS_TCP};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        ret->port = ntohs(v4->sin_port);
        inet_ntop(AF_INET, &v4->sin_addr, ret->host, sizeof ret->host);
    } else if (from->ss_family == AF_INET6) {
        from_ipv6((const struct sockaddr_in6 *)from, ret);
    } else {
        const struct sockaddr_un *name = (const struct sockaddr_un *)from;
        size_t room = length - offsetof(struct sockaddr_un, sun_path);
        ret->kind = ADDRESS_UNIX;
        if (room > 0 && room <= sizeof name->sun_path) /* a socket without a name has none */
            snprintf(ret->host, sizeof ret->host, "%.*s", (int)room, name->sun_path);
    }
}
