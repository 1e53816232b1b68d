#include "services/orchestrator/probe/probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "services/orchestrator/probe/internal.h"

#define MESSAGE_MAX 256

static void release(Probe *probe) {
    wheel_cancel(world_wheel(probe->world), &probe->timer);
    probe->ops->release(probe);
}

void probe_finish(Probe *probe, bool passed, const char *format, ...) {
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    ProbeResult result = {
        .passed = passed,
        .message = span(message, len < MESSAGE_MAX ? (size_t)len : MESSAGE_MAX - 1),
        .latency = world_now(probe->world) - probe->began,
    };
    ProbeDone *done = probe->done;
    void *owner = probe->owner;
    release(probe);
    done(owner, &result);
}

const char *probe_error_text(int error) {
    switch (-error) {
    case ECONNREFUSED:
        return "connection refused";
    case ECONNRESET:
        return "the connection was reset";
    case ETIMEDOUT:
        return "no answer";
    case ENXIO:
        return "there is no such host";
    case 0:
        return "the connection was closed";
    default:
        return strerror(-error);
    }
}

static void on_timeout(Timer *timer) {
    Probe *probe = CONTAINER(timer, Probe, timer);
    probe_finish(probe, false, "no answer within %lld ms",
                 (long long)(probe->timeout / NANOS_PER_MILLI));
}

Probe *probe_start(World *world, const ProbeSpec *spec, ProbeDone *done, void *owner) {
    Probe *probe = spec->kind == PROBE_TCP    ? probe_tcp_new(world, spec)
                   : spec->kind == PROBE_HTTP ? probe_http_new(world, spec)
                                              : probe_grpc_new(world, spec);
    probe->world = world;
    probe->began = world_now(world);
    probe->timeout = spec->timeout;
    probe->done = done;
    probe->owner = owner;
    probe->timer.fire = on_timeout;
    wheel_arm(world_wheel(world), &probe->timer, probe->began + spec->timeout);
    return probe;
}

void probe_cancel(Probe *probe) {
    release(probe);
}
