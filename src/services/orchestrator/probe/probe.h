/* One probe: does a service answer just now? By TCP (a connection is taken), HTTP (the status is
 * as wanted), gRPC (grpc.health.v1.Health/Check says SERVING) or by a program that exits with 0.
 * What a row of answers means is debounce.h's matter, when to ask checker.h's. */
#pragma once

#include "os/address.h"
#include "os/process_host.h"

typedef enum ProbeKind { PROBE_TCP, PROBE_HTTP, PROBE_GRPC, PROBE_EXEC } ProbeKind;

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
    /* exec */
    Span id; /* of the process, new for each probe */
    const Span *argv;
    size_t argv_count;
    const Span *env;
    size_t env_count;
    Span cwd;
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
Probe *probe_start(World *world, ProcessHost *host, const ProbeSpec *spec, ProbeDone *done,
                   void *owner);
void probe_cancel(Probe *probe);

/* The process of an exec probe was heard of: ProcessHandler's started and exited. */
void probe_process_event(Probe *probe, const ProcessInfo *info);
