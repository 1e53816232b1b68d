#include "cli/peer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/options.h"
#include "google/protobuf/any.pb.h"
#include "google/rpc/error_details.pb.h"
#include "os/owner.h"
#include "rpc/metadata.h"
#include "runtime/data.h"
#include "schema/json.h"

#define FOLDERS_UP 64

/* ---- options ---- */

static int take_protocol(Peer *peer, const char *value) {
    static const struct {
        const char *name;
        RpcProtocol protocol;
    } PROTOCOLS[] = {{"grpc", RPC_GRPC}, {"grpc-web", RPC_GRPC_WEB}, {"connect", RPC_CONNECT}};
    for (size_t i = 0; i < sizeof PROTOCOLS / sizeof *PROTOCOLS; i++) {
        if (strcmp(value, PROTOCOLS[i].name) == 0) {
            peer->options.protocol = PROTOCOLS[i].protocol;
            return 0;
        }
    }
    return cli_usage(peer->command, "unknown protocol: --protocol %s: grpc, grpc-web or connect",
                     value);
}

static int take_header(Peer *peer, const char *value) {
    const char *colon = strchr(value, ':');
    if (!colon)
        return cli_usage(peer->command, "not a header: -H '%s': write 'NAME: VALUE'", value);
    Span name = arena_copy(&peer->arena, span(value, (size_t)(colon - value)));
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
            ((char *)name.ptr)[i] |= 0x20;
    Span content = span_of(colon + 1 + strspn(colon + 1, " \t"));
    HttpHeader header = {name, content};
    HttpHeaders decoded;
    if (!metadata_is_valid(name, content) || metadata_is_reserved(name))
        return cli_usage(peer->command, "not metadata: -H '%s': the name cannot be used", value);
    if (!metadata_read(&peer->arena, (HttpHeaders){&header, 1}, SPAN(""), &decoded))
        return cli_usage(peer->command, "not base64: -H '%s': values of -bin names are", value);
    for (size_t i = 0; i < decoded.count; i++)
        *array_push(&peer->metadata) = decoded.items[i];
    return 0;
}

int peer_option(Peer *peer, int option, char *value) {
    switch (option) {
    case PEER_HEADER:
        return take_header(peer, value);
    case PEER_PROTOCOL:
        return take_protocol(peer, value);
    case PEER_TIMEOUT:
        return option_time(peer->command, "--timeout", value, &peer->timeout);
    case PEER_DATA:
        peer->data = value;
        return 0;
    case PEER_SET:
        peer->descriptor_set = value;
        return 0;
    case PEER_PLAINTEXT:
        peer->wants_plain = true;
        return 0;
    case PEER_VERBOSE:
        peer->verbose = true;
        return 0;
    }
    if (option == PEER_CACERT)
        peer->tls_options.ca_file = value;
    else if (option == PEER_CERT)
        peer->tls_options.cert_file = value;
    else if (option == PEER_KEY)
        peer->tls_options.key_file = value;
    else if (option == PEER_INSECURE)
        peer->tls_options.insecure = true;
    peer->wants_tls = true;
    return 0;
}

/* ---- where it is ---- */

static Span trim(Span text) {
    while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* The data folder: --data, or the first upwards from here. False when it has no address: a project
 * that does not run is not taken for one that lies above it. */
static bool find_folder(const Peer *peer, Buf *address, char *folder, size_t room) {
    snprintf(folder, room, "%s", peer->data ? peer->data : DATA_FOLDER);
    for (size_t up = 0; data_read(folder, DATA_ADDRESS, address) < 0; up++) {
        char higher[4096];
        size_t len = (size_t)snprintf(higher, sizeof higher, "../%s", folder);
        if (peer->data || up == FOLDERS_UP || len >= room || access(folder, F_OK) == 0)
            return false;
        memcpy(folder, higher, len + 1);
    }
    return true;
}

/* The runtime's token, unless -H gives another. That of a folder goes to its own runtime only. */
static void add_token(Peer *peer, const char *folder) {
    Buf token = {.arena = &peer->arena};
    const char *given = getenv("MUSTER_TOKEN");
    for (size_t i = 0; i < peer->metadata.count; i++)
        if (span_equal(peer->metadata.items[i].name, SPAN("authorization")))
            return;
    buf_add_literal(&token, "Bearer ");
    if (given && *given)
        buf_add(&token, span_of(given));
    else if (!folder || data_read(folder, DATA_TOKEN, &token) < 0)
        return;
    *array_push(&peer->metadata) = (HttpHeader){SPAN("authorization"), trim(buf_span(&token))};
}

/* Reads "https://host:port/", "host:port", "unix:path". */
static bool read_address(Peer *peer, Span text) {
    bool secure = span_starts(text, SPAN("https://"));
    bool web = secure || span_starts(text, SPAN("http://"));
    if (web)
        text = span_skip(text, secure ? 8 : 7);
    while (web && text.len && text.ptr[text.len - 1] == '/')
        text.len--;
    if (!address_parse(text, &peer->address)) {
        Buf with_port = {.arena = &peer->arena};
        buf_add(&with_port, text);
        buf_add(&with_port, secure ? SPAN(":443") : SPAN(":80"));
        if (!web || !address_parse(buf_span(&with_port), &peer->address))
            return false;
    }
    bool likely = !web && peer->address.kind == ADDRESS_TCP && peer->address.port == 443;
    peer->wants_tls = !peer->wants_plain && (peer->wants_tls || secure || likely);
    return true;
}

static int find_address(Peer *peer) {
    if (read_address(peer, span_of(peer->where)))
        return 0;
    return cli_usage(peer->command,
                     "not an address: %s: write HOST:PORT, http://…, https://…, unix:PATH or .",
                     peer->where);
}

static int find_runtime(Peer *peer, const char *address) {
    char folder[4096];
    Buf found = {.arena = &peer->arena};
    bool has_folder = find_folder(peer, &found, folder, sizeof folder);
    Span known = trim(buf_span(&found)), wanted = span_of(address);
    if (!wanted.len && !peer->data)
        wanted = span_of(getenv("MUSTER_ADDRESS"));
    if (has_folder && !peer->data && !owner_is_us(folder)) {
        if (!wanted.len)
            return cli_fail(EXIT_ABSENT,
                            "not to be trusted: %s belongs to another user: say where the runtime "
                            "is with --data DIR or --address",
                            folder);
        has_folder = false;
    }
    if (!wanted.len)
        wanted = known;
    if (!wanted.len)
        return cli_fail(EXIT_ABSENT,
                        "no runtime is running: %s/address is not there: start one with muster up "
                        "or muster serve, or say where it is with --data DIR or --address",
                        peer->data ? peer->data : DATA_FOLDER);
    if (!read_address(peer, wanted))
        return cli_fail(EXIT_USAGE,
                        "not an address: '%.*s': look at --address, MUSTER_ADDRESS or %s/address",
                        SPAN_ARGS(wanted), folder);
    if (has_folder && span_equal(known, wanted))
        peer->folder = arena_text(&peer->arena, span_of(folder));
    add_token(peer, peer->folder);
    return 0;
}

/* ---- beginning and end ---- */

static void on_interrupt(void *owner, int signal) {
    Peer *peer = owner;
    peer->interrupted = true;
    if (peer->running)
        client_cancel(peer->running);
    else /* whoever waits for something else looks at `interrupted` */
        world_stop(peer->world);
}

static int open_channel(Peer *peer) {
    if (!peer->tls_options.cert_file != !peer->tls_options.key_file)
        return cli_usage(peer->command, "--cert and --key go together");
    char reason[256];
    if (peer->wants_tls &&
        tls_context_new(false, &peer->tls_options, &peer->tls, reason, sizeof reason) < 0)
        return cli_fail(EXIT_USAGE, "TLS: %s", reason);
    peer->world = world_new();
    peer->deadline = peer->timeout ? world_now(peer->world) + peer->timeout : INT64_MAX;
    peer->options.tls = peer->tls;
    peer->options.receive_limit = UINT32_MAX;
    peer->channel = channel_new(peer->world, &peer->address, 1, &peer->options);
    world_on_signal(peer->world, SIGINT, on_interrupt, peer);
    world_on_signal(peer->world, SIGTERM, on_interrupt, peer);
    return 0;
}

int peer_open(Peer *peer, const char *where) {
    if (strcmp(where, ".") == 0)
        return peer_open_runtime(peer, NULL);
    peer->where = where;
    int failed = find_address(peer);
    return failed ? failed : open_channel(peer);
}

int peer_open_runtime(Peer *peer, const char *address) {
    peer->where = ".";
    int failed = find_runtime(peer, address);
    return failed ? failed : open_channel(peer);
}

void peer_close(Peer *peer) {
    channel_free(peer->channel);
    world_free(peer->world);
    tls_context_unref(peer->tls);
    array_done(&peer->metadata);
    arena_done(&peer->arena);
}

/* ---- calls ---- */

Nanos peer_time_left(const Peer *peer) {
    if (peer->deadline == INT64_MAX)
        return 0;
    Nanos left = peer->deadline - world_now(peer->world);
    return left > 0 ? left : 1;
}

ClientCall *peer_begin(Peer *peer, Channel *channel, const SchemaMethod *method,
                       const ClientHandler *handler, void *owner) {
    ClientCallOptions options = {
        .metadata = {peer->metadata.items, peer->metadata.count},
        .timeout = peer_time_left(peer),
    };
    peer->running = client_call(channel, method, &options, handler, owner);
    if (peer->interrupted)
        client_cancel(peer->running);
    return peer->running;
}

void peer_wait(Peer *peer) {
    if (peer->running)
        world_run(peer->world);
}

void peer_ended(Peer *peer) {
    peer->running = NULL;
    world_stop(peer->world);
}

typedef struct Question {
    Peer *peer;
    void (*response)(void *owner, const void *message);
    void *owner;
    Status status;
} Question;

static void on_answer(void *owner, const void *message) {
    const Question *question = owner;
    question->response(question->owner, message);
}

static void on_answered(void *owner, Status status, HttpHeaders trailers) {
    Question *question = owner;
    question->status = (Status){
        .code = status.code,
        .message = arena_copy(&question->peer->arena, status.message),
    };
    peer_ended(question->peer);
}

Status peer_ask(Peer *peer, Channel *channel, const SchemaMethod *method, const void *request,
                void (*response)(void *owner, const void *message), void *owner) {
    static const ClientHandler HANDLER = {.message = on_answer, .closed = on_answered};
    Question question = {peer, response, owner, status_ok()};
    ClientCall *call = peer_begin(peer, channel, method, &HANDLER, &question);
    client_send(call, request);
    client_half_close(call);
    peer_wait(peer);
    return question.status;
}

/* ---- failures ---- */

static void print_detail(const StatusDetail *detail, const SchemaPool *types) {
    Buf url = {0}, out = {0};
    buf_printf(&url, "type.googleapis.com/%.*s", SPAN_ARGS(detail->type));
    PbAny any = {.type_url = buf_span(&url), .value = detail->value};
    SchemaJson json = {.proto_names = true, .types = types};
    SchemaError error;
    SchemaPool *known = schema_pool_new();
    schema_pool_add(known, RpcBadRequest_type.file);
    SchemaJson standard = {.proto_names = true, .types = known};
    if (schema_json_encode(&PbAny_type, &any, &json, &out, &error) < 0 &&
        schema_json_encode(&PbAny_type, &any, &standard, &out, &error) < 0) {
        /* A type that nobody here knows: as it travels. */
        buf_printf(&out, "{\"@type\":\"%.*s\",\"value\":\"", SPAN_ARGS(buf_span(&url)));
        char *at = buf_reserve(&out, BASE64_ENCODED_MAX(detail->value.len));
        out.len += base64_encode(at, detail->value, false, true);
        buf_add_literal(&out, "\"}");
    }
    fprintf(stderr, "%.*s\n", SPAN_ARGS(buf_span(&out)));
    schema_pool_free(known);
    buf_done(&url);
    buf_done(&out);
}

int peer_report(const Peer *peer, const SchemaMethod *method, Status status,
                const SchemaPool *types) {
    if (peer->interrupted)
        return EXIT_INTERRUPTED;
    ExitCode code = status.code == STATUS_UNAVAILABLE         ? EXIT_ABSENT
                    : status.code == STATUS_DEADLINE_EXCEEDED ? EXIT_TIMED_OUT
                                                              : EXIT_FAILED;
    cli_fail(code, "%s: %s: %.*s", status_name(status.code),
             method ? method->path + 1 : peer->where, SPAN_ARGS(status.message));
    for (size_t i = 0; i < status.detail_count; i++)
        print_detail(&status.details[i], types);
    return code;
}
