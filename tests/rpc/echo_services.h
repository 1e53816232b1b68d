/* The services of echo.proto, for tests that run them in a program (echo_server.c) or in memory. */
#pragma once

#include "echo.pb.h"
#include "rpc/server.h"

/* What the services know; the same for all calls of a server. */
typedef struct EchoState {
    RpcServer *server;
    EchoStats stats;
    size_t size_max; /* of the payloads that requests ask for; 64 MiB, may be lowered */
    RpcService calls, things;
} EchoState;

/* Adds both services; `state` lives as long as the server. */
void echo_services_add(RpcServer *server, EchoState *state);

extern const MethodHandler ECHO_CALLS[], ECHO_THINGS[];
