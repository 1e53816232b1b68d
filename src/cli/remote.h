/* What commands that ask the running runtime share: where it is, how answers are shown.
 *
 * The runtime is found by --address, by --data, in MUSTER_ADDRESS, or by what .muster/address says,
 * looked for upwards from here. Its token comes from MUSTER_TOKEN, or from the data folder whose
 * address that is. No runtime, or no such service: EXIT_ABSENT. */
#pragma once

#include "cli/options.h"
#include "cli/peer.h"
#include "cli/style.h"

typedef struct Remote {
    Peer peer;
    const char *address; /* --address */
    bool json, quiet;
    Style style; /* of stdout */
} Remote;

/* The options that a Remote takes, for getopt_long and for --help. */
enum {
    REMOTE_FIRST_OPTION = 768,
    REMOTE_ADDRESS = REMOTE_FIRST_OPTION,
    REMOTE_DATA,
    REMOTE_JSON,
    REMOTE_QUIET = 'q',
};
#define REMOTE_SHORT "q"
#define REMOTE_OPTIONS                                                                             \
    OPTION_HELP, {"address", required_argument, NULL, REMOTE_ADDRESS},                             \
        {"data", required_argument, NULL, REMOTE_DATA}, {                                          \
        "quiet", no_argument, NULL, REMOTE_QUIET                                                   \
    }
#define REMOTE_JSON_OPTION                                                                         \
    { "json", no_argument, NULL, REMOTE_JSON }
#define REMOTE_HELP                                                                                \
    "  --address ADDRESS      the runtime, as http://HOST:PORT or unix:PATH (default: what\n"      \
    "                         MUSTER_ADDRESS or .muster/address says)\n"                           \
    "  --data DIR             the runtime's data folder (default .muster, here or above)\n"        \
    "  -q, --quiet            say nothing but what is wrong\n"                                     \
    "  --help                 this text\n"
#define REMOTE_JSON_HELP                                                                           \
    "  --json                 the API's own message as JSON; a line each where there are many\n"

/* For OptionSet.take, with the Remote as owner: takes one of the options above. */
int remote_option(void *remote, int option, char *value);

/* Makes ready to call; nothing is sent yet. 0, or an exit code with a printed error. */
int remote_open(Remote *remote, const Command *command);
void remote_close(Remote *remote);

/* Asks: one request, all responses told to `response`. 0, or the exit code with a printed error. */
int remote_ask(Remote *remote, const SchemaMethod *method, const void *request,
               void (*response)(void *owner, const void *message), void *owner);

/* One call of several that run at a time; it stays where it is until `closed`. The caller runs the
 * loop: world_run(remote->peer.world). */
typedef struct RemoteCall {
    const Remote *remote;
    ClientCall *call; /* NULL when none is under way */
    void (*message)(void *owner, const void *message);
    void (*closed)(void *owner, Status status); /* may be NULL */
    void *owner;
} RemoteCall;
void remote_begin(const Remote *remote, RemoteCall *call, const SchemaMethod *method,
                  const void *request);
/* Gives up what is under way; `closed` still comes. */
void remote_cancel(RemoteCall *call);

/* Lets calls that were given up end, before what they tell is gone. */
void remote_settle(const Remote *remote);

/* Prints why a call failed: the server's own words. Returns the exit code. */
int remote_report(const Remote *remote, Status status);

/* Prints a message as JSON with proto names and defaults: over several lines for people, on one
 * where it is one of many or goes into a pipe. */
void remote_print_json(const SchemaMessage *type, const void *message, bool one_of_many);
