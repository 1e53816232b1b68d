/* What both ends share. */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

#include "grpc.h"

#define GRPC_HEAD 5 /* before a message: whether it is compressed, and its length */

#define GRPC_HEADER(name, value)                                                                   \
    { (uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE }

/* Bytes that come or go, a message with its head. */
typedef struct GrpcBody {
    char bytes[GRPC_HEAD + GRPC_MESSAGE_MAX];
    size_t len, at;
    bool too_long;
} GrpcBody;

void grpc_body_set(GrpcBody *body, const char *message, size_t len);
void grpc_body_add(GrpcBody *body, const uint8_t *bytes, size_t len);
/* The message, when there is just one, uncompressed. */
bool grpc_body_get(const GrpcBody *body, char *message, size_t *ret_len);

/* nghttp2's way to read it: from source->ptr. */
ssize_t grpc_body_read(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                       uint32_t *flags, nghttp2_data_source *source, void *user);

/* nghttp2's way to send: to the socket that `user` begins with. */
ssize_t grpc_send(nghttp2_session *session, const uint8_t *bytes, size_t size, int flags,
                  void *user);

/* Sends what waits, and receives some: false when the connection is over. */
bool grpc_pump(nghttp2_session *session, int fd);

void grpc_copy(char *out, size_t size, const uint8_t *text, size_t len);
