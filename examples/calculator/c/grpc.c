#include "grpc_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void grpc_copy(char *out, size_t size, const uint8_t *text, size_t len) {
    if (len >= size)
        len = size - 1;
    memcpy(out, text, len);
    out[len] = 0;
}

void grpc_body_set(GrpcBody *body, const char *message, size_t len) {
    body->bytes[0] = 0;
    for (int i = 0; i < 4; i++)
        body->bytes[1 + i] = (char)(len >> (24 - 8 * i));
    memcpy(body->bytes + GRPC_HEAD, message, len);
    body->len = GRPC_HEAD + len;
    body->at = 0;
}

void grpc_body_add(GrpcBody *body, const uint8_t *bytes, size_t len) {
    if (len > sizeof body->bytes - body->len) {
        body->too_long = true;
        return;
    }
    memcpy(body->bytes + body->len, bytes, len);
    body->len += len;
}

bool grpc_body_get(const GrpcBody *body, char *message, size_t *ret_len) {
    const unsigned char *head = (const unsigned char *)body->bytes;
    if (body->too_long || body->len < GRPC_HEAD || head[0] != 0)
        return false;
    size_t len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
    if (len != body->len - GRPC_HEAD)
        return false;
    memcpy(message, body->bytes + GRPC_HEAD, len);
    *ret_len = len;
    return true;
}

ssize_t grpc_body_read(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                       uint32_t *flags, nghttp2_data_source *source, void *user) {
    GrpcBody *body = source->ptr;
    size_t left = body->len - body->at, take = left < size ? left : size;
    memcpy(out, body->bytes + body->at, take);
    body->at += take;
    if (body->at == body->len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)take;
}

ssize_t grpc_send(nghttp2_session *session, const uint8_t *bytes, size_t size, int flags,
                  void *user) {
    ssize_t sent = send(*(int *)user, bytes, size, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EINTR ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_CALLBACK_FAILURE;
    return sent;
}

bool grpc_pump(nghttp2_session *session, int fd) {
    uint8_t bytes[16384];
    if (nghttp2_session_send(session) != 0)
        return false;
    if (!nghttp2_session_want_read(session))
        return false;
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EINTR)
        return true;
    if (got <= 0 || nghttp2_session_mem_recv(session, bytes, (size_t)got) < 0)
        return false;
    return nghttp2_session_send(session) == 0;
}
