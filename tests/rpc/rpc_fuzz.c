/* The whole RPC server over an in-memory stream: everything ends, and nothing is left.
 *
 * The first byte says how the bytes arrive in pieces, the second what they are:
 *
 *     0 … 11   a request of one of TYPES: the first line is its path, the rest its body
 *     12       a connection's bytes as they are, HTTP/1 or HTTP/2
 *     13       HTTP/2 frames, after the preface */
#include <assert.h>

#include "echo_services.h"
#include "net/http_kit.h"
#include "rpc/access.h"
#include "rpc/health.h"
#include "rpc/reflection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *method, *headers;
} TYPES[] = {
    {"GET", ""},
    {"GET", "accept: text/event-stream\r\n"},
    {"POST", "content-type: application/json\r\n"},
    {"POST", "content-type: application/proto\r\n"},
    {"POST", "content-type: application/proto\r\ncontent-encoding: snappy\r\n"},
    {"POST", "content-type: application/grpc-web+proto\r\n"},
    {"POST", "content-type: application/grpc-web+json\r\ngrpc-encoding: zstd\r\n"},
    {"POST", "content-type: application/grpc-web-text+proto\r\ngrpc-timeout: 1S\r\n"},
    {"POST", "content-type: application/connect+proto\r\nconnect-content-encoding: gzip\r\n"},
    {"POST", "content-type: application/connect+json\r\nconnect-accept-encoding: br\r\n"},
    {"PUT", ""},
    {"PATCH", "accept-encoding: deflate\r\n"},
};
#define TYPE_COUNT (sizeof TYPES / sizeof *TYPES)

static void write_request(Buf *out, uint8_t type, Span bytes) {
    const char *end = bytes.len ? memchr(bytes.ptr, '\n', bytes.len) : NULL;
    Span path = end ? span(bytes.ptr, (size_t)(end - bytes.ptr)) : bytes;
    Span body = span_skip(bytes, path.len + 1);
    buf_printf(out, "%s ", TYPES[type].method);
    buf_add(out, path);
    buf_printf(out, " HTTP/1.1\r\nhost: localhost\r\ncontent-length: %zu\r\n%s\r\n", body.len,
               TYPES[type].headers);
    buf_add(out, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    SimulationOptions simulation = {
        .seed = data[0], .delay_min = 1000, .delay_max = 100000, .piece_max = data[0] * 4u};
    RpcServerOptions options = {.http = HTTP_LIMITS,
                                .receive_limit = 16384,
                                .send_limit = 65536,
                                .queue_limit = 65536,
                                .compress = true,
                                .compress_above = 16};
    AccessPolicy access = {0};
    EchoState state;
    Kit kit = {.simulation = simulation_new(&simulation)};
    kit.world = simulation_world(kit.simulation);
    RpcServer *server = rpc_server_new(kit.world, &options);
    kit.server = rpc_server_http(server);
    rpc_server_on_authorize(server, access_authorize, &access);
    echo_services_add(server, &state);
    state.size_max = 4096;
    reflection_add(server);
    HealthStatuses *health = health_new(server);

    uint8_t what = data[1] % (TYPE_COUNT + 2);
    Span bytes = span(data + 2, size - 2);
    Buf request = {0};
    Raw raw;
    raw_open(&raw, &kit);
    if (what < TYPE_COUNT)
        write_request(&request, what, bytes);
    else if (what == TYPE_COUNT + 1)
        buf_add_literal(&request, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");
    raw_send(&raw, buf_span(&request));
    if (what >= TYPE_COUNT)
        raw_send(&raw, bytes);
    kit_run(&kit, NANOS_PER_SECOND);
    if (raw.stream)
        stream_finish(raw.stream);
    kit_run(&kit, NANOS_PER_SECOND);
    raw_done(&raw);
    kit_run(&kit, NANOS_PER_SECOND);
    assert(http_server_stats(kit.server).exchanges_open == 0);
    assert(state.stats.open == 0);
    buf_done(&request);
    rpc_server_free(server);
    health_free(health);
    world_free(kit.world);
    simulation_free(kit.simulation);
    return 0;
}
