#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "grpc_internal.h"

#define TIMEOUT_MS 2000

struct GrpcClient {
    int fd; /* first: see grpc_send; -1: not connected */
    char address[256];
    nghttp2_session *session;
    /* of the call under way */
    GrpcCall *call;
    GrpcBody request, reply;
    int status; /* -1: not told yet */
    bool over;
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t len, uint8_t flags, void *user) {
    GrpcClient *client = user;
    if (strcmp((const char *)name, "grpc-status") == 0)
        client->status = atoi((const char *)value);
    else if (strcmp((const char *)name, "grpc-message") == 0 && client->call)
        grpc_copy(client->call->error, sizeof client->call->error, value, len);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t len, void *user) {
    grpc_body_add(&((GrpcClient *)user)->reply, bytes, len);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *user) {
    ((GrpcClient *)user)->over = true;
    return 0;
}

GrpcClient *grpc_client_new(const char *address) {
    GrpcClient *client = calloc(1, sizeof *client);
    if (!client)
        abort();
    client->fd = -1;
    snprintf(client->address, sizeof client->address, "%s", address);
    return client;
}

static void disconnect(GrpcClient *client) {
    nghttp2_session_del(client->session);
    client->session = NULL;
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
}

void grpc_client_free(GrpcClient *client) {
    if (!client)
        return;
    disconnect(client);
    free(client);
}

const char *grpc_client_address(const GrpcClient *client) {
    return client->address;
}

static int dial(const char *address) {
    char host[256];
    snprintf(host, sizeof host, "%s", address);
    char *colon = strrchr(host, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (!colon)
        return -1;
    *colon = 0;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return -1;
    struct timeval limit = {TIMEOUT_MS / 1000, 0};
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static bool connect_client(GrpcClient *client) {
    client->fd = dial(client->address);
    if (client->fd < 0)
        return false;
    nghttp2_session_callbacks *callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_send_callback(callbacks, grpc_send);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    bool made = nghttp2_session_client_new(&client->session, callbacks, client) == 0 &&
                nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0) == 0;
    nghttp2_session_callbacks_del(callbacks);
    return made;
}

static bool submit(GrpcClient *client) {
    nghttp2_nv headers[] = {
        GRPC_HEADER(":method", "POST"),
        GRPC_HEADER(":scheme", "http"),
        GRPC_HEADER(":path", client->call->path),
        GRPC_HEADER(":authority", client->address),
        GRPC_HEADER("content-type", "application/grpc"),
        GRPC_HEADER("te", "trailers"),
        GRPC_HEADER("grpc-timeout", "2S"),
        GRPC_HEADER("x-correlation-id", client->call->correlation_id),
    };
    size_t count = sizeof headers / sizeof *headers - !*client->call->correlation_id;
    nghttp2_data_provider body = {.source.ptr = &client->request, .read_callback = grpc_body_read};
    return nghttp2_submit_request(client->session, NULL, headers, count, &body, NULL) > 0;
}

static GrpcStatus outcome(GrpcClient *client) {
    GrpcCall *call = client->call;
    if (client->status != GRPC_OK)
        return client->status < 0 ? GRPC_UNAVAILABLE : (GrpcStatus)client->status;
    if (grpc_body_get(&client->reply, call->reply, &call->reply_len))
        return GRPC_OK;
    snprintf(call->error, sizeof call->error, "the reply is not one uncompressed message");
    return GRPC_INTERNAL;
}

static time_t seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static GrpcStatus attempt(GrpcClient *client) {
    client->status = -1;
    client->over = false;
    client->reply = (GrpcBody){0};
    grpc_body_set(&client->request, client->call->request, client->call->request_len);
    bool good = client->session || connect_client(client);
    good = good && submit(client);
    for (time_t end = seconds() + TIMEOUT_MS / 1000; good && !client->over;)
        good = grpc_pump(client->session, client->fd) && seconds() <= end;
    if (client->over)
        return outcome(client);
    disconnect(client);
    snprintf(client->call->error, sizeof client->call->error, "%s does not answer",
             client->address);
    return GRPC_UNAVAILABLE;
}

GrpcStatus grpc_call(GrpcClient *client, GrpcCall *call) {
    client->call = call;
    *call->error = 0;
    GrpcStatus status = attempt(client);
    client->call = NULL;
    return status;
}
