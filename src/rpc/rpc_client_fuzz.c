/* Any bytes as the body of a response to our client. The first byte chooses protocol, codec and
 * kind of call, the second what the response's head says. */
#include <assert.h>

#include "grpc/health/v1/health.pb.h"
#include "os/simulation.h"
#include "rpc/client.h"

#define ADDRESS   "10.0.0.1:1"
#define TIME      (600 * NANOS_PER_SECOND)
#define IN_HEADER 0x08 /* of the second byte: a grpc-status stands in the headers */

typedef struct Wire {
    ChannelOptions options;
    Span unary, stream; /* content types */
} Wire;

static const Wire WIRES[] = {
    {{.protocol = RPC_GRPC}, SPAN("application/grpc"), SPAN("application/grpc")},
    {{.protocol = RPC_GRPC_WEB},
     SPAN("application/grpc-web+proto"),
     SPAN("application/grpc-web+proto")},
    {{.protocol = RPC_CONNECT}, SPAN("application/proto"), SPAN("application/connect+proto")},
    {{.protocol = RPC_CONNECT, .json = true},
     SPAN("application/json"),
     SPAN("application/connect+json")},
};

typedef struct Case {
    const Wire *wire;
    bool stream;
    uint8_t head;
    Span body;
    int closed;
} Case;

/* ---- the server ---- */

static const HttpExchangeHandler DEAF = {0};

static void on_request(void *owner, HttpExchange *exchange) {
    static const int STATUSES[] = {200, 200, 200, 400, 404, 503, 200, 499};
    const Case *one = owner;
    Span encoding = compression_name((RpcCompression)((one->head & 7) % RPC_COMPRESSIONS));
    int status = STATUSES[one->head >> 4 & 7];
    bool grpc = one->wire->options.protocol != RPC_CONNECT;
    Span type = status != 200 && !grpc ? SPAN("application/json")
                : one->stream          ? one->wire->stream
                                       : one->wire->unary;
    HttpHeader headers[] = {
        {SPAN("content-type"), type},
        {grpc          ? SPAN("grpc-encoding")
         : one->stream ? SPAN("connect-content-encoding")
                       : SPAN("content-encoding"),
         encoding},
        {SPAN("grpc-status"), SPAN("5")},
    };
    http_handle(exchange, &DEAF, NULL);
    http_respond(exchange, status, (HttpHeaders){headers, one->head & IN_HEADER ? 3 : 2}, false);
    http_write(exchange, one->body);
    http_finish(exchange, (HttpHeaders){0});
}

/* ---- the client ---- */

static void on_message(void *owner, const void *message) {
    assert(message && !((Case *)owner)->closed);
}

static void on_closed(void *owner, Status status, HttpHeaders trailers) {
    Case *one = owner;
    assert(status.code >= 0 && status.code < STATUS_CODES);
    for (size_t i = 0; i < trailers.count; i++)
        assert(trailers.items[i].name.len);
    one->closed++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const ClientHandler HANDLER = {.message = on_message, .closed = on_closed};
    if (size < 2)
        return 0;
    Case one = {.wire = &WIRES[data[0] % 4],
                .stream = data[0] & 4,
                .head = data[1],
                .body = span(data + 2, size - 2)};
    const SchemaMethod *method =
        &HealthHealth_service.methods[one.stream ? HealthHealth_Watch : HealthHealth_Check];
    Simulation *simulation =
        simulation_new(&(SimulationOptions){.seed = 1, .piece_max = data[0] >> 3});
    World *world = simulation_world(simulation);
    HttpServer *server = http_server_new(world, NULL, on_request, &one);
    Address address, bound;
    address_parse(SPAN(ADDRESS), &address);
    http_server_listen(server, &address, NULL, &bound);
    Channel *channel = channel_new(world, &address, 1, &one.wire->options);
    ClientCall *call = client_call(channel, method, NULL, &HANDLER, &one);
    client_send(call, &(HealthHealthCheckRequest){0});
    simulation_run(simulation, TIME);
    assert(one.closed == 1);
    channel_free(channel);
    simulation_run(simulation, 2 * TIME);
    http_server_free(server);
    simulation_free(simulation);
    return 0;
}
