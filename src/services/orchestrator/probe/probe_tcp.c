#include <stdlib.h>

#include "base/memory.h"
#include "os/stream.h"
#include "services/orchestrator/probe/internal.h"

typedef struct TcpProbe {
    Probe probe;
    Stream *stream;
    char address[ADDRESS_MAX];
} TcpProbe;

static void on_connected(void *owner) {
    TcpProbe *tcp = owner;
    probe_finish(&tcp->probe, true, "%s takes connections", tcp->address);
}

static void on_closed(void *owner, int error) {
    TcpProbe *tcp = owner;
    tcp->stream = NULL;
    probe_finish(&tcp->probe, false, "%s: %s", tcp->address, probe_error_text(error));
}

static void release(Probe *probe) {
    TcpProbe *tcp = (TcpProbe *)probe;
    if (tcp->stream) {
        stream_handle(tcp->stream, NULL, NULL);
        stream_close(tcp->stream, 0);
    }
    free(tcp);
}

static const StreamHandler HANDLER = {.connected = on_connected, .closed = on_closed};
static const ProbeOps OPS = {.release = release};

Probe *probe_tcp_new(World *world, const ProbeSpec *spec) {
    TcpProbe *tcp = xcalloc(1, sizeof *tcp);
    tcp->probe.ops = &OPS;
    address_format(&spec->address, tcp->address, sizeof tcp->address);
    /* It fails only while the World ends: then nothing follows, not even the time limit. */
    if (stream_connect(world, &spec->address, &HANDLER, tcp, &tcp->stream) < 0)
        tcp->stream = NULL;
    return &tcp->probe;
}
