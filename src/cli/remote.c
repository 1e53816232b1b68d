#include "cli/remote.h"

#include <stdio.h>
#include <unistd.h>

#include "schema/json.h"

int remote_option(void *owner, int option, char *value) {
    Remote *remote = owner;
    switch (option) {
    case REMOTE_ADDRESS:
        remote->address = value;
        return 0;
    case REMOTE_DATA:
        remote->peer.data = value;
        return 0;
    case REMOTE_JSON:
        remote->json = true;
        return 0;
    default:
        remote->quiet = true;
        return 0;
    }
}

int remote_open(Remote *remote, const Command *command) {
    remote->peer.command = command;
    remote->style = style_for(STDOUT_FILENO);
    return peer_open_runtime(&remote->peer, remote->address);
}

void remote_close(Remote *remote) {
    peer_close(&remote->peer);
}

int remote_ask(Remote *remote, const SchemaMethod *method, const void *request,
               void (*response)(void *owner, const void *message), void *owner) {
    Peer *peer = &remote->peer;
    Status status = peer_ask(peer, peer->channel, method, request, response, owner);
    return status.code == STATUS_OK ? 0 : remote_report(remote, status);
}

static void on_message(void *owner, const void *message) {
    const RemoteCall *call = owner;
    call->message(call->owner, message);
}

static void on_closed(void *owner, Status status, HttpHeaders trailers) {
    (void)trailers;
    RemoteCall *call = owner;
    call->call = NULL;
    if (call->closed)
        call->closed(call->owner, status);
}

void remote_begin(const Remote *remote, RemoteCall *call, const SchemaMethod *method,
                  const void *request) {
    static const ClientHandler HANDLER = {.message = on_message, .closed = on_closed};
    const Peer *peer = &remote->peer;
    ClientCallOptions options = {.metadata = {peer->metadata.items, peer->metadata.count},
                                 .timeout = peer_time_left(peer)};
    call->remote = remote;
    call->call = client_call(peer->channel, method, &options, &HANDLER, call);
    client_send(call->call, request);
    client_half_close(call->call);
}

void remote_cancel(RemoteCall *call) {
    if (call->call)
        client_cancel(call->call);
}

typedef struct Settling {
    Timer timer;
    World *world;
} Settling;

static void on_settled(Timer *timer) {
    world_stop(CONTAINER(timer, Settling, timer)->world);
}

void remote_settle(const Remote *remote) {
    Settling settling = {.timer = {.fire = on_settled}, .world = remote->peer.world};
    wheel_arm(world_wheel(settling.world), &settling.timer, world_now(settling.world));
    world_run(settling.world);
}

int remote_report(const Remote *remote, Status status) {
    if (remote->peer.interrupted)
        return EXIT_INTERRUPTED;
    char address[ADDRESS_MAX];
    address_format(&remote->peer.address, address, sizeof address);
    switch (status.code) {
    case STATUS_UNAVAILABLE:
        return cli_fail(EXIT_ABSENT,
                        "the runtime does not answer: %s: %.*s; start one with muster up", address,
                        SPAN_ARGS(status.message));
    case STATUS_NOT_FOUND:
        return cli_fail(EXIT_ABSENT, "%.*s", SPAN_ARGS(status.message));
    case STATUS_DEADLINE_EXCEEDED:
        return cli_fail(EXIT_TIMED_OUT, "%.*s", SPAN_ARGS(status.message));
    case STATUS_INVALID_ARGUMENT:
        return cli_fail(EXIT_USAGE, "%.*s", SPAN_ARGS(status.message));
    case STATUS_UNAUTHENTICATED:
    case STATUS_PERMISSION_DENIED:
        return cli_fail(EXIT_FAILED,
                        "not allowed: %.*s; say whose token to use with --data DIR or MUSTER_TOKEN",
                        SPAN_ARGS(status.message));
    default:
        return cli_fail(EXIT_FAILED, "%.*s", SPAN_ARGS(status.message));
    }
}

void remote_print_json(const SchemaMessage *type, const void *message, bool one_of_many) {
    bool wide = isatty(STDOUT_FILENO) && !one_of_many;
    SchemaJson options = {.proto_names = true, .emit_defaults = true, .indent = wide ? 2 : 0};
    Buf out = {0};
    SchemaError error;
    if (schema_json_encode(type, message, &options, &out, &error) < 0)
        cli_fail(EXIT_FAILED, "cannot be written as JSON: %s: %s", error.path, error.reason);
    buf_add_char(&out, '\n');
    fwrite(out.ptr, 1, out.len, stdout);
    fflush(stdout);
    buf_done(&out);
}
