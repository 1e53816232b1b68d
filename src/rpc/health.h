/* grpc.health.v1: what gRPC clients, load balancers and probes ask a server. The status of each
 * service is set from outside; the empty name is the server as a whole. */
#pragma once

#include "rpc/server.h"

typedef enum HealthServing {
    HEALTH_SERVING_UNKNOWN,
    HEALTH_SERVING,
    HEALTH_NOT_SERVING,
    HEALTH_SERVICE_UNKNOWN
} HealthServing; /* grpc.health.v1.HealthCheckResponse.ServingStatus */

typedef struct HealthStatuses HealthStatuses;

/* Adds the service to the server; all services there are by now, and the server itself, are
 * SERVING. Freed after the server. */
HealthStatuses *health_new(RpcServer *server);
void health_free(HealthStatuses *health);

/* Sets the status of a service and tells its watchers. HEALTH_SERVICE_UNKNOWN forgets it. */
void health_set(HealthStatuses *health, Span service, HealthServing serving);
