/* The one program: picks the command. */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "cli/commands.h"

static void print_help(FILE *out) {
    fputs("Usage: muster COMMAND [options]\n\n"
          "A service runtime: starts, watches and connects services written in any language.\n",
          out);
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++) {
        fprintf(out, "\n%s\n", group->title);
        for (const Command *const *command = group->commands; *command; command++)
            fprintf(out, "  %-12s %s\n", (*command)->name, (*command)->summary);
    }
    fputs("\n  --help       this text; muster COMMAND --help says more\n"
          "  --version    the version\n",
          out);
}

static const Command *find_command(const char *word) {
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++)
        for (const Command *const *command = group->commands; *command; command++)
            if (strcmp(word, (*command)->name) == 0)
                return *command;
    return NULL;
}

static int unknown_command(const char *word) {
    Nearest nearest = nearest_to(span_of(word));
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++)
        for (const Command *const *command = group->commands; *command; command++)
            nearest_consider(&nearest, span_of((*command)->name));
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
    const Command *command = find_command(word);
    if (command)
        return command->run(argc - 1, argv + 1);
    return unknown_command(word);
}
