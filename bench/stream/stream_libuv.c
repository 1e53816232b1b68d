/* libuv alone, as its own echo benchmark has it, but with one buffer for all reads and without
 * waiting where the kernel takes the answer at once. */
#include <uv.h>

#include "stream_workload.h"

static char piece[64 * 1024];

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
    (void)handle;
    (void)size;
    *buffer = uv_buf_init(piece, sizeof piece);
}

static void on_close(uv_handle_t *handle) {
    free(handle);
}

static void on_write(uv_write_t *request, int status) {
    (void)status;
    free(request->data);
    free(request);
}

static void write_later(uv_stream_t *stream, const char *bytes, size_t size) {
    uv_write_t *request = malloc(sizeof *request);
    request->data = malloc(size);
    memcpy(request->data, bytes, size);
    uv_buf_t buffer = uv_buf_init(request->data, (unsigned)size);
    uv_write(request, stream, &buffer, 1, on_write);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
    if (size < 0) {
        uv_close((uv_handle_t *)stream, on_close);
        return;
    }
    uv_buf_t answer = uv_buf_init(buffer->base, (unsigned)size);
    int sent = uv_try_write(stream, &answer, 1);
    if (sent < 0)
        sent = 0;
    if (sent < size)
        write_later(stream, buffer->base + sent, (size_t)(size - sent));
}

static void on_connection(uv_stream_t *listener, int status) {
    uv_tcp_t *client = malloc(sizeof *client);
    expect(status == 0, "connection");
    uv_tcp_init(listener->loop, client);
    expect(uv_accept(listener, (uv_stream_t *)client) == 0, "accept");
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, on_alloc, on_read);
}

static void serve(void (*tell)(uint16_t port)) {
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    struct sockaddr_in at;
    int length = sizeof at;
    signal(SIGPIPE, SIG_IGN);
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_init(loop, &listener);
    uv_tcp_bind(&listener, (struct sockaddr *)&at, 0);
    expect(uv_listen((uv_stream_t *)&listener, SOMAXCONN, on_connection) == 0, "listen");
    uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &length);
    tell(ntohs(at.sin_port));
    uv_run(loop, UV_RUN_DEFAULT);
}
