/* What the commands share: the table of commands, errors, exit codes, the data folder.
 *
 * Errors go to stderr as "muster: WHAT: WHERE: WHAT TO DO". */
#pragma once

#include "base/buf.h"
#include "os/stream.h"
#include "rpc/access.h"

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

extern const Command COMMAND_SERVE, COMMAND_CALL, COMMAND_DESCRIBE;

/* Prints "muster: …" to stderr and returns `code`. */
int cli_fail(ExitCode code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Usage errors name the command's --help. */
int cli_usage(const Command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- the data folder ---- */

/* Makes the folder (mode 0700) when it is not there. Fails with a printed error. */
int data_open(const char *folder);

/* The key that tokens are signed with, made when it is not there. */
int data_key(const char *folder, World *world, AccessPolicy *policy);

/* Writes a file of the folder whole or not at all; mode 0600. */
int data_write(const char *folder, const char *name, Span content);
int data_read(const char *folder, const char *name, Buf *out);
void data_remove(const char *folder, const char *name);
