/* muster signal: to a service's processes. */
#include <stdio.h>

#include "cli/project/service_view.h"
#include "cli/remote.h"

static const char HELP[] =
    "Usage: muster signal [options] SIGNAL SERVICE…\n"
    "\n"
    "Sends a signal to the processes of services: HUP, SIGHUP or 1. What becomes of a service "
    "that\n"
    "ends of it is as its configuration says; muster stop ends one for good.\n"
    "\n"
    "  --tree                 the descendants get it, too\n"
    "  --instance ID          only this instance\n" REMOTE_JSON_HELP REMOTE_HELP
    "\nExit status: 0 sent, 1 no process runs, 2 no such signal, 3 no such service.\n";

typedef struct Sending {
    Remote remote; /* first: options are its own, too */
    const char *instance;
    bool tree;
    int32_t delivered;
} Sending;

enum { OPT_TREE = 256, OPT_INSTANCE };

static int take_option(void *owner, int option, char *value) {
    Sending *sending = owner;
    if (option == OPT_TREE)
        sending->tree = true;
    else if (option == OPT_INSTANCE)
        sending->instance = value;
    else
        return remote_option(&sending->remote, option, value);
    return 0;
}

static void on_sent(void *owner, const void *message) {
    Sending *sending = owner;
    sending->delivered = ((const RtSignalResponse *)message)->delivered;
    if (sending->remote.json)
        remote_print_json(&RtSignalResponse_type, message, true);
}

static int send_to(Sending *sending, const char *signal, const char *service) {
    RtSignalRequest request = {
        .service_name = span_of(service),
        .signal = span_of(signal),
        .instance_id = span_of(sending->instance),
        .whole_tree = sending->tree,
    };
    int result =
        remote_ask(&sending->remote, ORCHESTRATOR_METHOD(Signal), &request, on_sent, sending);
    Style on = sending->remote.style;
    if (!result && !sending->remote.quiet && !sending->remote.json)
        printf("%s✓%s %s%s%s was sent %s (%d process%s)\n", style(on, STYLE_GOOD),
               style(on, STYLE_PLAIN), style_service(on, span_of(service)), service,
               style(on, STYLE_PLAIN), signal, sending->delivered,
               sending->delivered == 1 ? "" : "es");
    return result;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        REMOTE_JSON_OPTION,
        {"tree", no_argument, NULL, OPT_TREE},
        {"instance", required_argument, NULL, OPT_INSTANCE},
        {0},
    };
    Sending sending = {0};
    OptionSet set = {
        .command = &COMMAND_SIGNAL,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT,
        .take = take_option,
        .owner = &sending,
        .arguments = "SIGNAL SERVICE",
        .least = 2,
        .most = -1,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    result = remote_open(&sending.remote, &COMMAND_SIGNAL);
    for (int i = optind + 1; i < argc && !result; i++)
        result = send_to(&sending, argv[optind], argv[i]);
    remote_close(&sending.remote);
    return result;
}

const Command COMMAND_SIGNAL = {
    .name = "signal",
    .summary = "send a signal to services",
    .help = HELP,
    .run = run,
};
