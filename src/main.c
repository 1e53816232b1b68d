/* The one program: picks the command. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* What other tools of this kind call it. */
static const struct {
    const char *theirs, *ours;
} NAMES[] = {
    {"exec", "muster run"},         {"shell", "muster run SERVICE sh"},
    {"connect", "muster attach"},   {"config", "muster check --values"},
    {"validate", "muster check"},   {"kill", "muster signal, or muster stop --force"},
    {"list", "muster ps"},          {"ls", "muster ps"},
    {"stats", "muster ps --watch"}, {"echo", "muster logs -f"},
    {"tail", "muster logs -f"},     {"watch", "muster ps --watch"},
    {"quit", "muster down"},        {"rm", "muster down"},
    {"reload", "muster up -d"},     {"port", "muster ps"},
    {"open", "muster link --open"}, {"graph", "muster top"},
};

static int unknown_command(const char *word) {
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(word, NAMES[i].theirs) == 0)
            return cli_fail(EXIT_USAGE, "unknown command: %s: here it is %s", word, NAMES[i].ours);
    Nearest nearest = nearest_to(span_of(word));
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++)
        for (const Command *const *command = group->commands; *command; command++)
            nearest_consider(&nearest, span_of((*command)->name));
    if (nearest.best.len)
        return cli_fail(EXIT_USAGE, "unknown command: %s: did you mean '%.*s'?", word,
                        SPAN_ARGS(nearest.best));
    return cli_fail(EXIT_USAGE, "unknown command: %s: see muster --help", word);
}

/* Whoever reads a file that a full disk has cut off must not believe that it is all. */
static int close_output(int result) {
    errno = 0;
    bool failed = fflush(stdout) == EOF || ferror(stdout);
    if (!failed || result != EXIT_DONE)
        return result;
    if (errno == EPIPE) /* nobody reads on: no need to say so */
        return EXIT_FAILED;
    return cli_fail(EXIT_FAILED, "cannot write: standard output: %s",
                    errno ? strerror(errno) : "some of it is lost");
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    bool help = strcmp(word, "help") == 0;
    if (help && argc > 2) {
        const Command *command = find_command(argv[2]);
        char *arguments[] = {argv[2], (char *)"--help", NULL};
        return command ? command->run(2, arguments) : unknown_command(argv[2]);
    }
    if (help || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 || strcmp(word, "version") == 0) {
        puts("muster " MUSTER_VERSION);
        return EXIT_DONE;
    }
    const Command *command = find_command(word);
    if (command)
        return command->run(argc - 1, argv + 1);
    return unknown_command(word);
}

/* Descriptors 0, 1 and 2 are never anything else, also where they were closed before. */
static void open_standard_streams(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv) {
    open_standard_streams();
    return close_output(run(argc, argv));
}
