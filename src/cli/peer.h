/* The other side of commands that call: where it is, how to reach it, and calls to it.
 *
 * A command line tool does one thing after the other, so calls here run the loop until they have
 * ended. */
#pragma once

#include <getopt.h>

#include "base/array.h"
#include "cli/cli.h"
#include "net/tls.h"
#include "rpc/client.h"

typedef struct Peer {
    const Command *command;
    World *world;
    Arena arena;
    const char *where; /* ADDRESS as it was given */
    Address address;
    ChannelOptions options;
    TlsOptions tls_options;
    TlsContext *tls;
    Channel *channel;
    ARRAY(HttpHeader) metadata;
    const char *data;   /* --data */
    const char *folder; /* the data folder of the runtime that it is; NULL: not known */
    const char *descriptor_set;
    Nanos timeout; /* --timeout; 0 = none */
    Nanos deadline;
    bool wants_tls, wants_plain;
    bool verbose;
    bool interrupted;
    ClientCall *running; /* what SIGINT cancels */
} Peer;

/* The options that a Peer takes, for getopt_long and for --help. */
enum {
    PEER_FIRST_OPTION = 512,
    PEER_DATA = PEER_FIRST_OPTION,
    PEER_PROTOCOL,
    PEER_TIMEOUT,
    PEER_TLS,
    PEER_PLAINTEXT,
    PEER_CACERT,
    PEER_CERT,
    PEER_KEY,
    PEER_INSECURE,
    PEER_SET,
    PEER_HEADER = 'H',
    PEER_VERBOSE = 'v',
};
#define PEER_SHORT "H:v"
#define PEER_OPTIONS                                                                               \
    {"data", required_argument, NULL, PEER_DATA},                                                  \
        {"header", required_argument, NULL, PEER_HEADER},                                          \
        {"protocol", required_argument, NULL, PEER_PROTOCOL},                                      \
        {"timeout", required_argument, NULL, PEER_TIMEOUT}, {"tls", no_argument, NULL, PEER_TLS},  \
        {"plaintext", no_argument, NULL, PEER_PLAINTEXT},                                          \
        {"cacert", required_argument, NULL, PEER_CACERT},                                          \
        {"cert", required_argument, NULL, PEER_CERT}, {"key", required_argument, NULL, PEER_KEY},  \
        {"insecure", no_argument, NULL, PEER_INSECURE},                                            \
        {"descriptor-set", required_argument, NULL, PEER_SET}, {                                   \
        "verbose", no_argument, NULL, PEER_VERBOSE                                                 \
    }
#define PEER_HELP                                                                                  \
    "ADDRESS is HOST:PORT, http://HOST[:PORT], https://HOST[:PORT], unix:PATH, or . for the\n"     \
    "running runtime: MUSTER_ADDRESS, or what DIR/address says, looked for upwards from here.\n"   \
    "\n"                                                                                           \
    "  -H, --header 'NAME: VALUE'  metadata; values of names in -bin are base64; repeatable\n"     \
    "  --protocol PROTOCOL         grpc, grpc-web or connect (default grpc)\n"                     \
    "  --timeout TIME              give up after 500ms, 5s, 2m, 1h\n"                              \
    "  --descriptor-set FILE       types from a FileDescriptorSet instead of reflection\n"         \
    "  --tls, --plaintext          with or without TLS, whatever ADDRESS looks like; the "         \
    "default\n"                                                                                    \
    "                              for HOST:PORT is without, unless PORT is 443\n"                 \
    "  --cacert FILE               PEM certificates to trust instead of the system's\n"            \
    "  --cert FILE, --key FILE     PEM certificate and key to show\n"                              \
    "  --insecure                  accept any certificate\n"                                       \
    "  --data DIR                  where the runtime keeps its address and token\n"                \
    "                              (default .muster)\n"                                            \
    "  -v, --verbose               show headers and trailers, on stderr\n"

/* Takes one of the options above. 0, or an exit code when its value makes no sense. */
int peer_option(Peer *peer, int option, char *value);

/* Makes ready to call the address; nothing is sent yet. 0, or an exit code. */
int peer_open(Peer *peer, const char *where);
/* Likewise to the running runtime: at `address` where it is not NULL, else where MUSTER_ADDRESS or
 * its data folder says. */
int peer_open_runtime(Peer *peer, const char *address);
void peer_close(Peer *peer);

/* What is left of --timeout for a call; 0 = no limit. */
Nanos peer_time_left(const Peer *peer);

/* Starts a call on the channel, runs the loop until `handler->closed` calls peer_ended, and leaves
 * it to the handler to send. */
ClientCall *peer_begin(Peer *peer, Channel *channel, const SchemaMethod *method,
                       const ClientHandler *handler, void *owner);
void peer_wait(Peer *peer);
void peer_ended(Peer *peer);

/* One request, all responses, each told to `response`. How it ended; the message lives in the
 * peer's arena. */
Status peer_ask(Peer *peer, Channel *channel, const SchemaMethod *method, const void *request,
                void (*response)(void *owner, const void *message), void *owner);

/* Prints how a call failed: "muster: CODE: METHOD: MESSAGE", then each detail as a line of JSON
 * with the types of `types`. Returns the exit code. */
int peer_report(const Peer *peer, const SchemaMethod *method, Status status,
                const SchemaPool *types);
