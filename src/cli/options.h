/* Command lines: getopt_long with what all commands have in common. */
#pragma once

#include <getopt.h>

#include "base/clock.h"
#include "cli/cli.h"

/* Every command's table of options begins with these. */
#define OPTION_HELP                                                                                \
    { "help", no_argument, NULL, 'h' }

/* What options_read returns besides 0 and exit codes: --help was asked for, and printed. */
#define OPTIONS_HELPED (-1)

/* Reads the options; each but --help goes to `take`, which returns 0 or an exit code, having said
 * what is wrong. `short_options` are as for getopt, without 'h'. Arguments may stand between
 * options; where `stop_at_first` is set, the first argument ends them. Then `optind` is the first
 * argument, and there are `least` to `most` of them; `arguments` says which, for the error. */
typedef struct OptionSet {
    const Command *command;
    const struct option *options; /* ending with zeroes */
    const char *short_options;
    int (*take)(void *owner, int option, char *value);
    void *owner;
    const char *arguments; /* "SERVICE COMMAND" */
    int least, most;       /* most < 0: any number */
    bool stop_at_first;
} OptionSet;
int options_read(const OptionSet *set, int argc, char **argv);

/* "500ms", "5s", "2m", "1h": 1 to 1,000,000 of them. 0, or an exit code with a printed error that
 * names the option. */
int option_time(const Command *command, const char *option, const char *value, Nanos *ret);
