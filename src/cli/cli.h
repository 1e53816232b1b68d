/* What the commands share: the table of commands, errors, exit codes.
 *
 * Errors go to stderr as "muster: WHAT: WHERE: WHAT TO DO". */
#pragma once

#include "base/buf.h"

typedef enum ExitCode {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* the thing asked for failed */
    EXIT_USAGE = 2,  /* wrong usage or configuration */
    EXIT_ABSENT = 3, /* no runtime, no such service */
    EXIT_TIMED_OUT = 4,
    EXIT_INTERRUPTED = 130,
} ExitCode;

typedef struct Command {
    const char *name;
    const char *summary; /* one line, for the list */
    const char *help;    /* what --help prints */
    int (*run)(int argc, char **argv);
} Command;

/* commands.c has the table. */
extern const Command COMMAND_ATTACH, COMMAND_CALL, COMMAND_CHECK, COMMAND_COMPLETION,
    COMMAND_COMPONENTS, COMMAND_DESCRIBE, COMMAND_DOCTOR, COMMAND_DOWN, COMMAND_EVENTS,
    COMMAND_EXPORT, COMMAND_INIT, COMMAND_LINK, COMMAND_LOGS, COMMAND_MAN, COMMAND_PS,
    COMMAND_RESTART, COMMAND_RUN, COMMAND_SCALE, COMMAND_SERVE, COMMAND_SIGNAL, COMMAND_START,
    COMMAND_STATUS, COMMAND_STOP, COMMAND_TOP, COMMAND_UNIT, COMMAND_UP, COMMAND_WAIT;

/* Prints "muster: …" to stderr and returns `code`. */
int cli_fail(ExitCode code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Usage errors name the command's --help. */
int cli_usage(const Command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
