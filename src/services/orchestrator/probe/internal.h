/* What the kinds of probes share: private to this folder. */
#pragma once

#include "services/orchestrator/probe/probe.h"

typedef struct ProbeOps {
    /* Lets go of all that is open: nothing of the Probe is used any more by then. */
    void (*release)(Probe *);
} ProbeOps;

/* Implementations embed this first. */
struct Probe {
    const ProbeOps *ops;
    World *world;
    Nanos began, timeout;
    Timer timer;
    ProbeDone *done;
    void *owner;
};

/* It is over: `done` is called, and the Probe is gone. From the loop alone. */
void probe_finish(Probe *probe, bool passed, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An errno in words that people know it by: "connection refused". */
const char *probe_error_text(int error);

Probe *probe_tcp_new(World *world, const ProbeSpec *spec);
Probe *probe_http_new(World *world, const ProbeSpec *spec);
Probe *probe_grpc_new(World *world, const ProbeSpec *spec);
