/* Unary gRPC calls over HTTP/2, by nghttp2: no more than the calculator needs, blocking, with a thread
 * for each connection that is served. */
#pragma once

#include <stddef.h>

#define GRPC_MESSAGE_MAX 4096

typedef enum GrpcStatus {
    GRPC_OK = 0,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
} GrpcStatus;

typedef struct GrpcCall {
    char path[200];           /* "/calculator.v1.CalculatorService/Add" */
    char correlation_id[128]; /* of metadata x-correlation-id; may be empty */
    char request[GRPC_MESSAGE_MAX];
    size_t request_len;
    char reply[GRPC_MESSAGE_MAX];
    size_t reply_len;
    char error[400]; /* beside any other status than GRPC_OK */
} GrpcCall;

/* ---- serving ---- */

/* Takes the request, and fills in the reply or the error. Called by many threads at once. */
typedef GrpcStatus GrpcHandler(void *owner, GrpcCall *call);

/* Listens on 127.0.0.1: the port that it got (0: any), and serves from a thread of its own until the
 * process ends. Negative: errno. */
int grpc_serve(int port, GrpcHandler *handler, void *owner);

/* ---- calling ---- */

/* A connection to one address. */
typedef struct GrpcClient GrpcClient;

GrpcClient *grpc_client_new(const char *address); /* HOST:PORT; connects with the first call */
void grpc_client_free(GrpcClient *client);
const char *grpc_client_address(const GrpcClient *client);

/* Blocks for two seconds at most. After GRPC_UNAVAILABLE the next call connects anew. */
GrpcStatus grpc_call(GrpcClient *client, GrpcCall *call);
