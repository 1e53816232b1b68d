#include <stdlib.h>

#include "base/memory.h"
#include "grpc/health/v1/health.pb.h"
#include "net/tls.h"
#include "rpc/client.h"
#include "services/orchestrator/probe/internal.h"

typedef struct GrpcProbe {
    Probe probe;
    Channel *channel;
    int32_t serving; /* what it answered; -1: nothing yet */
    bool over;       /* the Probe is gone; the call's end is awaited to free this */
    bool freeing;    /* inside release */
    bool ended;      /* the call has ended */
} GrpcProbe;

static void on_message(void *owner, const void *message) {
    const HealthHealthCheckResponse *response = message;
    ((GrpcProbe *)owner)->serving = response->status;
}

static void tell(GrpcProbe *grpc, Status status) {
    if (status.code == STATUS_OK) {
        const char *name =
            schema_enum_name(&HealthHealthCheckResponseServingStatus_type, grpc->serving);
        probe_finish(&grpc->probe,
                     grpc->serving == HEALTH_HEALTH_CHECK_RESPONSE_SERVING_STATUS_SERVING,
                     "grpc.health.v1: %s", name ? name : "no answer");
    } else {
        probe_finish(&grpc->probe, false, "grpc.health.v1: %s: %.*s", status_name(status.code),
                     SPAN_ARGS(status.message));
    }
}

static void on_closed(void *owner, Status status, HttpHeaders trailers) {
    (void)trailers;
    GrpcProbe *grpc = owner;
    grpc->ended = true;
    if (!grpc->over)
        tell(grpc, status);
    else if (!grpc->freeing)
        free(grpc);
}

/* The call may end within channel_free, or after it. */
static void release(Probe *probe) {
    GrpcProbe *grpc = (GrpcProbe *)probe;
    grpc->over = grpc->freeing = true;
    channel_free(grpc->channel);
    grpc->freeing = false;
    if (grpc->ended)
        free(grpc);
}

static const ProbeOps OPS = {.release = release};
static const ClientHandler HANDLER = {.message = on_message, .closed = on_closed};

Probe *probe_grpc_new(World *world, const ProbeSpec *spec) {
    GrpcProbe *grpc = xcalloc(1, sizeof *grpc);
    grpc->probe.ops = &OPS;
    grpc->serving = -1;
    TlsContext *tls = NULL;
    char reason[128];
    if (spec->tls)
        tls_context_new(false, &(TlsOptions){.insecure = true}, &tls, reason, sizeof reason);
    ChannelOptions options = {
        .protocol = RPC_GRPC, .tls = tls, .connect_timeout = spec->timeout, .attempts = 1};
    grpc->channel = channel_new(world, &spec->address, 1, &options);
    tls_context_unref(tls);
    ClientCall *call = client_call(grpc->channel, &HealthHealth_service.methods[HealthHealth_Check],
                                   &(ClientCallOptions){.timeout = spec->timeout}, &HANDLER, grpc);
    client_send(call, &(HealthHealthCheckRequest){.service = spec->service});
    return &grpc->probe;
}
