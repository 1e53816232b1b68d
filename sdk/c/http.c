#include "http.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX (64 * 1024)
#define PIECE    (16 * 1024)

int64_t mu_now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000) + time.tv_nsec / 1000000;
}

/* ---- where it is ---- */

bool mu_target_parse(Target *target, const char *address) {
    *target = (Target){0};
    if (strncmp(address, "unix:", 5) == 0) {
        target->path = mu_copy_text(address + 5);
        target->authority = mu_copy_text("localhost");
        return strlen(target->path) < sizeof((struct sockaddr_un *)0)->sun_path;
    }
    const char *scheme = strstr(address, "://");
    target->tls = strncmp(address, "https://", 8) == 0;
    if (scheme && !target->tls && strncmp(address, "http://", 7) != 0)
        return false;
    target->authority = mu_copy_text(scheme ? scheme + 3 : address);
    target->authority[strcspn(target->authority, "/")] = 0;
    target->host = mu_copy_text(target->authority);
    char *colon = strrchr(target->host, ':');
    if (!colon || !colon[1])
        return false;
    *colon = 0;
    target->port = mu_copy_text(colon + 1);
    size_t len = strlen(target->host);
    if (len > 2 && target->host[0] == '[' && target->host[len - 1] == ']') {
        target->host[len - 1] = 0;
        memmove(target->host, target->host + 1, len - 1);
    }
    return true;
}

void mu_target_done(Target *target) {
    free(target->host);
    free(target->port);
    free(target->path);
    free(target->authority);
    free(target->token);
    free(target->ca_file);
    *target = (Target){0};
}

/* ---- the socket ---- */

void mu_http_init(Http *http, const Target *target, int cancel) {
    *http = (Http){.target = target, .cancel = cancel, .fd = -1};
}

void mu_http_close(Http *http) {
    mu_tls_free(http->tls);
    http->tls = NULL;
    if (http->fd >= 0)
        close(http->fd);
    http->fd = -1;
    mu_bytes_done(&http->in);
}

/* Until the socket is ready for that. */
static int await(Http *http, short events, int64_t deadline) {
    if (http->end && http->end < deadline)
        deadline = http->end;
    for (;;) {
        int64_t left = deadline - mu_now_ms();
        struct pollfd fds[] = {{.fd = http->fd, .events = events},
                               {.fd = http->cancel, .events = POLLIN}};
        int ready = poll(fds, 2, left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left);
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready > 0 && fds[1].revents)
            return -ECANCELED;
        if (ready > 0)
            return 0;
        if (left <= 0)
            return -ETIMEDOUT;
    }
}

static int connect_to(Http *http, const struct sockaddr *address, socklen_t len, int64_t deadline) {
    http->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (http->fd < 0)
        return -errno;
    int error = connect(http->fd, address, len) < 0 ? errno : 0;
    if (error == EINPROGRESS) {
        int r = await(http, POLLOUT, deadline);
        socklen_t size = sizeof error;
        error = -r;
        if (r == 0 && getsockopt(http->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            error = errno;
    }
    if (error)
        mu_http_close(http);
    else if (address->sa_family != AF_UNIX)
        setsockopt(http->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return -error;
}

static int connect_any(Http *http, int64_t deadline) {
    const Target *target = http->target;
    if (target->path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s", target->path);
        return connect_to(http, (struct sockaddr *)&address, sizeof address, deadline);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(target->host, target->port, &hints, &found) != 0)
        return -EHOSTUNREACH;
    int r = -EHOSTUNREACH;
    for (struct addrinfo *each = found; each && r < 0 && r != -ECANCELED; each = each->ai_next)
        r = connect_to(http, each->ai_addr, each->ai_addrlen, deadline);
    freeaddrinfo(found);
    return r;
}

static int send_bytes(void *owner, const char *bytes, size_t len, int64_t deadline) {
    Http *http = owner;
    while (len) {
        ssize_t sent = send(http->fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            int r = await(http, POLLOUT, deadline);
            if (r < 0)
                return r;
            continue;
        }
        if (sent < 0 && errno != EINTR)
            return -errno;
        bytes += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

static int receive_bytes(void *owner, char *out, size_t room, int64_t deadline) {
    Http *http = owner;
    for (;;) {
        ssize_t got = recv(http->fd, out, room, 0);
        if (got >= 0)
            return (int)got;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int r = await(http, POLLIN, deadline);
        if (r < 0)
            return r;
    }
}

static int send_all(Http *http, const char *bytes, size_t len, int64_t deadline) {
    return http->tls ? mu_tls_send(http->tls, bytes, len, deadline)
                     : send_bytes(http, bytes, len, deadline);
}

/* Some more bytes behind `in`: how many, 0 at the end of the connection. */
static int receive(Http *http, int64_t deadline) {
    char *out = mu_bytes_reserve(&http->in, PIECE);
    int got = http->tls ? mu_tls_receive(http->tls, out, PIECE, deadline)
                        : receive_bytes(http, out, PIECE, deadline);
    if (got > 0)
        http->in.len += (size_t)got;
    return got;
}

static int begin_tls(Http *http, int64_t deadline) {
    const TlsWire wire = {send_bytes, receive_bytes, http};
    int r = mu_tls_connect(&wire, http->target->host, http->target->ca_file, deadline, &http->tls);
    if (r < 0)
        mu_http_close(http);
    return r;
}

/* ---- requests ---- */

static void put_head(Bytes *out, const Http *http, const char *path, const char *type,
                     size_t body_len) {
    const Target *target = http->target;
    const char *const parts[] = {
        "POST ",
        path,
        " HTTP/1.1\r\nhost: ",
        target->authority,
        "\r\ncontent-type: ",
        type,
        "\r\nconnect-protocol-version: 1\r\nuser-agent: muster-c\r\n",
        target->token ? "authorization: Bearer " : "",
        target->token ? target->token : "",
        target->token ? "\r\n" : "",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        mu_bytes_add_text(out, parts[i]);
    char length[48];
    snprintf(length, sizeof length, "content-length: %zu\r\n\r\n", body_len);
    mu_bytes_add_text(out, length);
}

static bool is_header(const char *line, size_t len, const char *name, const char **ret_value) {
    size_t size = strlen(name);
    if (len <= size || strncasecmp(line, name, size) != 0 || line[size] != ':')
        return false;
    *ret_value = line + size + 1 + strspn(line + size + 1, " \t");
    return true;
}

/* The head in `in`, which is `len` bytes with its empty line; a NUL stands in the place of its last
 * byte. */
static int parse_head(Http *http, size_t len) {
    int minor;
    http->chunked = http->over = false;
    http->left = -1;
    if (sscanf(http->in.ptr, "HTTP/1.%d %d", &minor, &http->status) != 2)
        return -EPROTO;
    http->close = minor == 0;
    for (char *line = strstr(http->in.ptr, "\r\n"); line && line + 2 < http->in.ptr + len;) {
        line += 2;
        char *end = strstr(line, "\r\n");
        const char *value;
        if (!end)
            break;
        size_t size = (size_t)(end - line);
        if (is_header(line, size, "content-length", &value))
            http->left = strtoll(value, NULL, 10);
        else if (is_header(line, size, "transfer-encoding", &value))
            http->chunked = strncasecmp(value, "chunked", 7) == 0;
        else if (is_header(line, size, "connection", &value))
            http->close |= strncasecmp(value, "close", 5) == 0;
        line = end;
    }
    if (http->chunked)
        http->left = 0;
    http->over = http->left == 0 && !http->chunked;
    mu_bytes_drop(&http->in, len);
    return 0;
}

int mu_http_answer(Http *http, int64_t deadline) {
    for (;;) {
        char *end = http->in.len ? memmem(http->in.ptr, http->in.len, "\r\n\r\n", 4) : NULL;
        if (end) {
            end[3] = 0;
            size_t len = (size_t)(end - http->in.ptr) + 4;
            int r = parse_head(http, len);
            if (r < 0 || http->status >= 200)
                return r;
            continue; /* 100 Continue and its like */
        }
        if (http->in.len > HEAD_MAX)
            return -EPROTO;
        int got = receive(http, deadline);
        if (got <= 0)
            return got < 0 ? got : -ECONNRESET;
    }
}

static int attempt(Http *http, const Bytes *head, const Bytes *body, int64_t deadline) {
    bool fresh = http->fd < 0;
    int r = fresh ? connect_any(http, deadline) : 0;
    if (r == 0 && fresh && http->target->tls)
        r = begin_tls(http, deadline);
    if (r == 0)
        r = send_all(http, head->ptr, head->len, deadline);
    if (r == 0)
        r = send_all(http, body->ptr, body->len, deadline);
    /* What refuses a request early may close before it has read all; its answer is there. */
    if (r == 0 || r == -EPIPE || r == -ECONNRESET)
        r = http->fd < 0 ? r : mu_http_answer(http, deadline);
    return r;
}

int mu_http_post(Http *http, const char *path, const char *type, const Bytes *body,
                 int64_t deadline) {
    Bytes head = {0};
    put_head(&head, http, path, type, body->len);
    if (http->fd >= 0 && (!http->over || http->close || http->in.len))
        mu_http_close(http);
    bool reused = http->fd >= 0;
    int r = attempt(http, &head, body, deadline);
    if (r < 0 && reused && !http->in.len && r != -ETIMEDOUT && r != -ECANCELED) {
        mu_http_close(http);
        r = attempt(http, &head, body, deadline);
    }
    mu_bytes_done(&head);
    if (r < 0)
        mu_http_close(http);
    return r;
}

/* ---- answers ---- */

/* The line that tells the size of the next chunk, and what ends the one before. */
static int next_chunk(Http *http, int64_t deadline) {
    for (;;) {
        size_t skip = http->in.len >= 2 && memcmp(http->in.ptr, "\r\n", 2) == 0 ? 2 : 0;
        char *end = http->in.len > skip
                        ? memmem(http->in.ptr + skip, http->in.len - skip, "\r\n", 2)
                        : NULL;
        if (end) {
            char *digits;
            *end = 0;
            http->left = strtoll(http->in.ptr + skip, &digits, 16);
            if (digits == http->in.ptr + skip || http->left < 0)
                return -EPROTO;
            http->over = http->left == 0;
            mu_bytes_drop(&http->in, (size_t)(end - http->in.ptr) + 2);
            return 0;
        }
        if (http->in.len > HEAD_MAX)
            return -EPROTO;
        int got = receive(http, deadline);
        if (got <= 0)
            return got < 0 ? got : -ECONNRESET;
    }
}

/* Trailers, which nobody here looks at, up to their empty line. */
static int skip_trailers(Http *http, int64_t deadline) {
    for (;;) {
        char *end = http->in.len >= 2 ? memmem(http->in.ptr, http->in.len, "\r\n", 2) : NULL;
        if (end) {
            bool last = end == http->in.ptr;
            mu_bytes_drop(&http->in, (size_t)(end - http->in.ptr) + 2);
            if (last)
                return 0;
            continue;
        }
        if (http->in.len > HEAD_MAX)
            return -EPROTO;
        int got = receive(http, deadline);
        if (got <= 0)
            return got < 0 ? got : -ECONNRESET;
    }
}

static int take_body(Http *http, Bytes *out, int64_t deadline) {
    if (http->over)
        return 0;
    if (http->chunked && http->left == 0) {
        int r = next_chunk(http, deadline);
        if (r == 0 && http->over)
            r = skip_trailers(http, deadline);
        if (r < 0 || http->over)
            return r;
    }
    if (!http->in.len) {
        int got = receive(http, deadline);
        if (got < 0)
            return got;
        if (got == 0) {
            http->over = http->close = true;
            return http->left < 0 ? 0 : -ECONNRESET;
        }
    }
    size_t take = http->in.len;
    if (http->left >= 0 && (int64_t)take > http->left)
        take = (size_t)http->left;
    mu_bytes_add(out, http->in.ptr, take);
    mu_bytes_drop(&http->in, take);
    if (http->left >= 0)
        http->left -= (int64_t)take;
    http->over = http->left == 0 && !http->chunked;
    return (int)take;
}

int mu_http_body(Http *http, Bytes *out, int64_t deadline) {
    int r = take_body(http, out, deadline);
    if (r < 0)
        mu_http_close(http);
    return r;
}
