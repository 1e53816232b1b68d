/* Muster's echo server for bench/rpc: prints "listening on HOST:PORT" and serves until it is killed. */
#include <signal.h>
#include <stdio.h>

#include "echo.pb.h"
#include "rpc/server.h"
#include "sink.pb.h"

static void echo(Call *call, const void *message) {
    call_reply(call, message);
}

static void open_sink(Call *call) {
    call_set_user(call, arena_zalloc(call_arena(call), sizeof(int64_t)));
}

static void count(Call *call, const void *message) {
    ++*(int64_t *)call_user(call);
}

static void say_count(Call *call) {
    call_reply(call, &(BenchSinkCount){.count = *(int64_t *)call_user(call)});
}

static const MethodHandler ECHO[] = {{.message = echo}};
static const MethodHandler SINK[] = {
    [BenchSinkService_Sink] = {.opened = open_sink, .message = count, .half_closed = say_count},
    [BenchSinkService_RawSink] = {.opened = open_sink, .message = count, .half_closed = say_count},
};

int main(void) {
    World *world = world_new();
    RpcServer *server = rpc_server_new(world, &(RpcServerOptions){0});
    const RpcService echoes = {&BenchEchoService_service, ECHO, NULL};
    const RpcService sinks = {&BenchSinkService_service, SINK, NULL};
    char reason[128] = "", text[300];
    Address any, bound;
    address_parse(SPAN("127.0.0.1:0"), &any);
    if (rpc_server_add(server, &echoes, reason, sizeof reason) < 0 ||
        rpc_server_add(server, &sinks, reason, sizeof reason) < 0 ||
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
