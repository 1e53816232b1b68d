#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "grpc_internal.h"

typedef struct Server {
    int fd;
    GrpcHandler *handler;
    void *owner;
} Server;

typedef struct Connection {
    int fd; /* first: see grpc_send */
    Server *server;
} Connection;

/* One call, from its first header to its last byte. */
typedef struct Exchange {
    GrpcCall call;
    GrpcBody body; /* the request, then the reply */
    bool is_grpc;
} Exchange;

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    Exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, exchange);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user) {
    Exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!exchange)
        return 0;
    if (strcmp((const char *)name, ":path") == 0)
        grpc_copy(exchange->call.path, sizeof exchange->call.path, value, len);
    else if (strcmp((const char *)name, "x-correlation-id") == 0)
        grpc_copy(exchange->call.correlation_id, sizeof exchange->call.correlation_id, value, len);
    else if (strcmp((const char *)name, "content-type") == 0)
        exchange->is_grpc = strncmp((const char *)value, "application/grpc", 16) == 0;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t len, void *user) {
    Exchange *exchange = nghttp2_session_get_stream_user_data(session, stream);
    if (exchange)
        grpc_body_add(&exchange->body, bytes, len);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user) {
    free(nghttp2_session_get_stream_user_data(session, stream));
    return 0;
}

/* The reply's bytes, then trailers. */
static ssize_t read_reply(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                          uint32_t *flags, nghttp2_data_source *source, void *user) {
    ssize_t taken = grpc_body_read(session, stream, out, size, flags, source, user);
    if (*flags & NGHTTP2_DATA_FLAG_EOF) {
        nghttp2_nv trailer = GRPC_HEADER("grpc-status", "0");
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, stream, &trailer, 1) != 0)
            return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return taken;
}

static int reply(nghttp2_session *session, int32_t stream, Exchange *exchange) {
    nghttp2_nv headers[] = {GRPC_HEADER(":status", "200"),
                            GRPC_HEADER("content-type", "application/grpc")};
    grpc_body_set(&exchange->body, exchange->call.reply, exchange->call.reply_len);
    nghttp2_data_provider provider = {.source.ptr = &exchange->body, .read_callback = read_reply};
    return nghttp2_submit_response(session, stream, headers, 2, &provider);
}

static int refuse(nghttp2_session *session, int32_t stream, GrpcStatus status, const char *why) {
    char number[16];
    snprintf(number, sizeof number, "%d", status);
    nghttp2_nv headers[] = {GRPC_HEADER(":status", "200"),
                            GRPC_HEADER("content-type", "application/grpc"),
                            GRPC_HEADER("grpc-status", number), GRPC_HEADER("grpc-message", why)};
    return nghttp2_submit_response(session, stream, headers, 4, NULL);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    int32_t stream = frame->hd.stream_id;
    Exchange *exchange = nghttp2_session_get_stream_user_data(session, stream);
    bool last = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (!exchange || !last || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    if (!exchange->is_grpc)
        return refuse(session, stream, GRPC_UNIMPLEMENTED, "only gRPC is spoken here");
    GrpcCall *call = &exchange->call;
    if (!grpc_body_get(&exchange->body, call->request, &call->request_len))
        return refuse(session, stream, GRPC_UNIMPLEMENTED, "one uncompressed message is wanted");
    const Server *server = ((Connection *)user)->server;
    GrpcStatus status = server->handler(server->owner, call);
    return status == GRPC_OK ? reply(session, stream, exchange)
                             : refuse(session, stream, status, call->error);
}

static void *serve(void *argument) {
    Connection *connection = argument;
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_send_callback(callbacks, grpc_send);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    if (nghttp2_session_server_new(&session, callbacks, connection) == 0) {
        nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100};
        nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &settings, 1);
        while (grpc_pump(session, connection->fd))
            ;
        nghttp2_session_del(session);
    }
    nghttp2_session_callbacks_del(callbacks);
    close(connection->fd);
    free(connection);
    return NULL;
}

static void *accept_all(void *argument) {
    Server *server = argument;
    for (;;) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            usleep(10000); /* out of descriptors, perhaps: better later than busy */
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        Connection *connection = malloc(sizeof *connection);
        pthread_t thread;
        if (connection)
            *connection = (Connection){fd, server};
        if (!connection || pthread_create(&thread, NULL, serve, connection) != 0) {
            close(fd);
            free(connection);
            continue;
        }
        pthread_detach(thread);
    }
    return NULL;
}

int grpc_serve(int port, GrpcHandler *handler, void *owner) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    Server *server = malloc(sizeof *server);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;
    if (!server || fd < 0)
        return -ENOMEM;
    *server = (Server){fd, handler, owner};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        return -errno;
    int error = pthread_create(&thread, NULL, accept_all, server);
    return error ? -error : ntohs(address.sin_port);
}
