/* One probe: does a service answer just now? By TCP (a connection is taken), HTTP (the status is
 * as wanted) or gRPC (grpc.health.v1.Health/Check says SERVING). Programs that probe are
 * program_probe.h's matter, what a row of answers means debounce.h's, when to ask checker.c's. */
#pragma once

#include "os/address.h"
#include "os/world.h"

typedef enum ProbeKind { PROBE_TCP, PROBE_HTTP, PROBE_GRPC } ProbeKind;

/* What it points to is copied. */
typedef struct ProbeSpec {
    ProbeKind kind;
    Nanos timeout;
    Address address;
    bool tls; /* HTTP, gRPC: any certificate will do, since it is our own service */
    /* HTTP */
    Span path, method;
    uint16_t status_first, status_last; /* 0: 200 to 399 */
    /* gRPC: whose health; empty: the server's as a whole */
    Span service;
} ProbeSpec;

/* Valid during the call. */
typedef struct ProbeResult {
    bool passed;
    Span message; /* in words, of at most 256 bytes: "GET /health: 503", "connection refused" */
    Nanos latency;
} ProbeResult;

typedef struct Probe Probe;
typedef void ProbeDone(void *owner, const ProbeResult *result);

/* Begins one. `done` comes exactly once, from the loop, unless it is cancelled; the Probe is gone
 * then. */
Probe *probe_start(World *world, const ProbeSpec *spec, ProbeDone *done, void *owner);
void probe_cancel(Probe *probe);
