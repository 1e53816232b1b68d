/* muster down: ends all services, the runtime and its keeper. */
#include "cli/project/ending.h"
#include "cli/remote.h"

static const char HELP[] =
    "Usage: muster down [options]\n"
    "\n"
    "Stops all services of the project, each before what it depends on, then the runtime and its\n"
    "keeper, and waits until the last process is gone; it shows who is still waited for.\n"
    "\n"
    "  --force                kill at once, without the signal and time that they are allowed\n"
    "  --timeout TIME         kill what is left after 5s, 2m, 1h\n" REMOTE_HELP
    "\nExit status: 0 all is gone, 3 nothing was running.\n";

typedef struct Down {
    Remote remote;
    bool force;
    Nanos timeout;
} Down;

enum { OPT_FORCE = 256, OPT_TIMEOUT };

static int take_option(void *owner, int option, char *value) {
    Down *down = owner;
    if (option == OPT_FORCE)
        down->force = true;
    else if (option == OPT_TIMEOUT)
        return option_time(&COMMAND_DOWN, "--timeout", value, &down->timeout);
    else
        return remote_option(&down->remote, option, value);
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        {"force", no_argument, NULL, OPT_FORCE},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {0},
    };
    Down down = {0};
    OptionSet set = {
        .command = &COMMAND_DOWN,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT,
        .take = take_option,
        .owner = &down,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    if (ending_of_keeper(&down.remote, down.timeout, &result))
        return result;
    result = remote_open(&down.remote, &COMMAND_DOWN);
    if (!result)
        result = ending_run(&down.remote, down.force, down.timeout);
    remote_close(&down.remote);
    return result;
}

const Command COMMAND_DOWN = {
    .name = "down",
    .summary = "stop the project: services, runtime, keeper",
    .help = HELP,
    .run = run,
};
