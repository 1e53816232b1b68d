/* grpc.reflection v1 and v1alpha: the server tells its schema, so that grpcurl, buf curl and
 * muster call need none. */
#pragma once

#include "rpc/server.h"

/* Adds both services to the server. They tell what is there when they are asked. */
void reflection_add(RpcServer *server);
