/* What tests of the RPC client share: the services of echo.proto and channels to them, each in
 * worlds of one simulation that splits and delays bytes, and calls that note what they hear. */
#pragma once

#include "base/memory.h"
#include "base/test.h"
#include "echo_services.h"
#include "google/rpc/error_details.pb.h"
#include "os/simulation.h"
#include "rpc/client.h"
#include "schema/codec.h"

/* A server that can be stopped and started again. */
typedef struct KitServer {
    World *world;
    RpcServer *rpc;
    EchoState state;
} KitServer;

static inline void kit_serve(KitServer *server, Simulation *simulation, const char *address) {
    Address wanted, bound;
    *server = (KitServer){.world = simulation_world(simulation)};
    RpcServerOptions options = {.http = HTTP_LIMITS, .compress = true, .compress_above = 1};
    server->rpc = rpc_server_new(server->world, &options);
    echo_services_add(server->rpc, &server->state);
    assert_true(address_parse(span_of(address), &wanted));
    assert_int_equal(http_server_listen(rpc_server_http(server->rpc), &wanted, NULL, &bound), 0);
}

static inline void kit_stop(KitServer *server) {
    rpc_server_free(server->rpc);
    world_free(server->world);
}

/* A call of one of echo.v1.Calls' methods, and what it heard. */
typedef struct Ask {
    World *world;
    ClientCall *call;
    int headers, messages, writables, closed;
    StatusCode code;
    char message[200];
    char detail[200]; /* the first field of a BadRequest */
    char echoed[100]; /* of the header x-echo-bin */
    char trailer[100];
    char text[200]; /* of the last response */
    uint64_t bytes; /* of all responses' payloads */
    uint32_t counted;
    Nanos ended;           /* when */
    uint32_t cancel_after; /* messages */
} Ask;

static inline void ask_copy(char *out, size_t room, Span text) {
    snprintf(out, room, "%.*s", SPAN_ARGS(text));
}

static void ask_headers(void *owner, HttpHeaders metadata) {
    Ask *ask = owner;
    ask->headers++;
    ask_copy(ask->echoed, sizeof ask->echoed, http_header(metadata, SPAN("x-echo-bin")));
}

static void ask_message(void *owner, const void *message) {
    Ask *ask = owner;
    const EchoResponse *response = message;
    assert_int_equal(ask->closed, 0);
    ask->messages++;
    ask->bytes += response->payload.len;
    ask->counted = response->messages;
    ask_copy(ask->text, sizeof ask->text, response->text);
    if (ask->cancel_after && (uint32_t)ask->messages == ask->cancel_after)
        client_cancel(ask->call);
}

static void ask_writable(void *owner) {
    ((Ask *)owner)->writables++;
}

static void ask_closed(void *owner, Status status, HttpHeaders trailers) {
    Ask *ask = owner;
    ask->closed++;
    ask->code = status.code;
    ask->ended = world_now(ask->world);
    ask_copy(ask->message, sizeof ask->message, status.message);
    ask_copy(ask->trailer, sizeof ask->trailer, http_header(trailers, SPAN("x-trailer")));
    Arena arena = {0};
    void *decoded;
    if (status.detail_count && span_equal(status.details[0].type, SPAN("google.rpc.BadRequest")) &&
        schema_decode(&RpcBadRequest_type, status.details[0].value, NULL, &arena, &decoded, NULL) ==
            0)
        ask_copy(ask->detail, sizeof ask->detail,
                 ((RpcBadRequest *)decoded)->field_violations.items[0].field);
    arena_done(&arena);
}

static const ClientHandler ASK = {
    .headers = ask_headers,
    .message = ask_message,
    .writable = ask_writable,
    .closed = ask_closed,
};

static inline void ask_begin(Ask *ask, World *world, Channel *channel, int method,
                             const ClientCallOptions *options) {
    ask->world = world;
    ask->call = client_call(channel, &EchoCalls_service.methods[method], options, &ASK, ask);
}
