/* The one program: picks the command. */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "cli/cli.h"

static const Command *const COMMANDS[] = {
    &COMMAND_SERVE,    &COMMAND_COMPONENTS, &COMMAND_DOCTOR, &COMMAND_CALL,
    &COMMAND_DESCRIBE, &COMMAND_LINK,       &COMMAND_TOP,
};
#define COMMAND_COUNT (sizeof COMMANDS / sizeof *COMMANDS)

static void print_help(FILE *out) {
    fputs("Usage: muster COMMAND [options]\n\n"
          "A service runtime: starts, watches and connects services written in any language.\n\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", COMMANDS[i]->name, COMMANDS[i]->summary);
    fputs("\n  --help     this text; muster COMMAND --help says more\n"
          "  --version  the version\n",
          out);
}

static int unknown_command(const char *word) {
    Nearest nearest = nearest_to(span_of(word));
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        nearest_consider(&nearest, span_of(COMMANDS[i]->name));
    if (nearest.best.len)
        return cli_fail(EXIT_USAGE, "unknown command: %s: did you mean '%.*s'?", word,
                        SPAN_ARGS(nearest.best));
    return cli_fail(EXIT_USAGE, "unknown command: %s: see muster --help", word);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0) {
        puts("muster " MUSTER_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(word, COMMANDS[i]->name) == 0)
            return COMMANDS[i]->run(argc - 1, argv + 1);
    return unknown_command(word);
}
