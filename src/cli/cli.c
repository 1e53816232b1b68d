#include "cli/cli.h"

#include <stdio.h>

static void print_error(const char *format, va_list args) {
    fputs("muster: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_fail(ExitCode code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_error(format, args);
    va_end(args);
    return code;
}

int cli_usage(const Command *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_error(format, args);
    va_end(args);
    fprintf(stderr, "see: muster %s --help\n", command->name);
    return EXIT_USAGE;
}
