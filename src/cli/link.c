/* muster link: the page's address, with the right to use it. */
#include <stdio.h>
#include <unistd.h>

#include "cli/remote.h"
#include "runtime/v1/runtime.pb.h"

static const char HELP[] =
    "Usage: muster link [options]\n"
    "\n"
    "Prints a link to the page of the running runtime. It logs in whoever opens it first, for 30\n"
    "days. With --read-only it only allows to look, and works as often as it is opened.\n"
    "\n"
    "  --read-only            for somebody else: nothing can be started, stopped or changed by it\n"
    "  --for TIME             until when it can be used: 10m, 8h (default: as long as the project\n"
    "                         exists)\n"
    "  --open                 open it in the browser too\n" REMOTE_JSON_HELP REMOTE_HELP;

enum { LINK_READ_ONLY = 256, LINK_FOR, LINK_OPEN };

typedef struct LinkCommand {
    Remote remote;
    bool read_only, open;
    bool unreachable; /* no browser gets to where the runtime listens */
    Nanos time;
} LinkCommand;

static int take(void *owner, int option, char *value) {
    LinkCommand *link = owner;
    switch (option) {
    case LINK_READ_ONLY:
        link->read_only = true;
        return 0;
    case LINK_FOR:
        return option_time(&COMMAND_LINK, "--for", value, &link->time);
    case LINK_OPEN:
        link->open = true;
        return 0;
    default:
        return remote_option(&link->remote, option, value);
    }
}

static void open_in_browser(Span url) {
    Buf text = {0};
    buf_add(&text, url);
    const char *address = buf_cstr(&text);
    pid_t child = fork();
    if (child == 0) {
        execlp("xdg-open", "xdg-open", address, NULL);
        fputs("muster: cannot open a browser: xdg-open is not there: open the link by hand\n",
              stderr);
        _exit(127);
    }
    buf_done(&text);
}

static void show(void *owner, const void *message) {
    LinkCommand *link = owner;
    const RtCreateAccessTokenResponse *response = message;
    link->unreachable = !span_starts(response->url, SPAN("http"));
    if (link->unreachable)
        return;
    if (link->remote.json)
        remote_print_json(&RtCreateAccessTokenResponse_type, message, false);
    else
        printf("%.*s\n", SPAN_ARGS(response->url));
    fflush(stdout);
    if (link->open)
        open_in_browser(response->url);
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        REMOTE_JSON_OPTION,
        {"read-only", no_argument, NULL, LINK_READ_ONLY},
        {"for", required_argument, NULL, LINK_FOR},
        {"open", no_argument, NULL, LINK_OPEN},
        {0},
    };
    LinkCommand link = {0};
    OptionSet set = {
        .command = &COMMAND_LINK,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT,
        .take = take,
        .owner = &link,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    result = remote_open(&link.remote, &COMMAND_LINK);
    if (!result) {
        RtCreateAccessTokenRequest request = {
            .scope = link.read_only ? RT_ACCESS_SCOPE_READ : RT_ACCESS_SCOPE_CONTROL,
            .one_time = !link.read_only,
            .ttl_seconds = (int32_t)(link.time / NANOS_PER_SECOND),
            .label = link.read_only ? SPAN("read-only link") : SPAN("page"),
        };
        result = remote_ask(&link.remote,
                            &RtRuntimeService_service.methods[RtRuntimeService_CreateAccessToken],
                            &request, show, &link);
        if (!result && link.unreachable)
            result = cli_fail(EXIT_FAILED,
                              "no link: the runtime listens on a unix socket, which no browser "
                              "opens: the page needs --listen HOST:PORT with muster up or serve");
    }
    remote_close(&link.remote);
    return result;
}

const Command COMMAND_LINK = {
    .name = "link",
    .summary = "print a link to the page",
    .help = HELP,
    .run = run,
};
