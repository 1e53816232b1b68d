/* Muster's echo server for bench/rpc: prints "listening on HOST:PORT" and serves until it is killed. */
#include <signal.h>
#include <stdio.h>

#include "echo.pb.h"
#include "rpc/server.h"

static void echo(Call *call, const void *message) {
    call_reply(call, message);
}

/* A Pour under way. */
typedef struct Pour {
    BenchEchoMessage message;
    int64_t left;
} Pour;

static void pour_on(Call *call) {
    Pour *pour = call_user(call);
    while (pour->left > 0) {
        pour->message.sequence = pour->left--;
        if (call_send(call, &pour->message) < 0)
            return; /* `writable` follows */
    }
    call_finish(call, status_ok());
}

static void pour(Call *call, const void *message) {
    const BenchEchoMessage *request = message;
    Pour *state = arena_zalloc(call_arena(call), sizeof *state);
    state->message.text = arena_copy(call_arena(call), request->text);
    state->left = request->sequence;
    call_set_user(call, state);
    pour_on(call);
}

static const MethodHandler HANDLERS[] = {
    [BenchEchoService_Echo] = {.message = echo},
    [BenchEchoService_Pour] = {.message = pour, .writable = pour_on},
};

int main(void) {
    World *world = world_new();
    RpcServer *server = rpc_server_new(world, &(RpcServerOptions){0});
    const RpcService service = {&BenchEchoService_service, HANDLERS, NULL};
    char reason[128] = "", text[300];
    Address any, bound;
    address_parse(SPAN("127.0.0.1:0"), &any);
    if (rpc_server_add(server, &service, reason, sizeof reason) < 0 ||
        http_server_listen(rpc_server_http(server), &any, NULL, &bound) < 0) {
        fprintf(stderr, "rpc_muster: cannot serve %s\n", reason);
        return 1;
    }
    address_format(&bound, text, sizeof text);
    printf("listening on %s\n", text);
    fflush(stdout);
    world_run(world);
    rpc_server_free(server);
    world_free(world);
    return 0;
}
