/* The machine's processes and ports, as /proc shows them: who listens where, whose process that
 * is, and a way to end it that cannot hit another one which got its number since. For what the
 * keeper did not start; its own processes are process_host.h's.
 *
 * A Machine is a table, so that tests can have one of their own; MACHINE is the real one. Calls
 * block for moments (machine_listener up to some milliseconds: it may look at every process's
 * descriptors), so they are for conflicts, not for each second. */
#pragma once

#include "os/process_host.h"

#define MACHINE_TEXT_MAX 4096

/* What is known of a process. Texts are empty where they may not be read (another user's). */
typedef struct MachineProcess {
    ProcessIdentity identity; /* pid 0: somebody whom we may not see */
    int64_t uid;              /* -1: not known */
    char executable[1024];    /* the file that it runs, absolute */
    char cwd[1024];
    char command[MACHINE_TEXT_MAX]; /* its arguments, each ended by NUL */
    size_t command_size;
    char environment[MACHINE_TEXT_MAX * 4]; /* what it was started with, each ended by NUL */
    size_t environment_size;
} MachineProcess;

typedef struct Machine {
    /* Who listens on that TCP port (of 127.0.0.1, any address, or their like in IPv6). -ENOENT:
     * nobody. */
    int (*listener)(uint16_t port, MachineProcess *ret_process);
    /* -ESRCH: there is none (any more). */
    int (*process)(int64_t pid, MachineProcess *ret_process);
    /* Whether it can be listened on just now. */
    bool (*port_is_free)(uint16_t port);
    bool (*lives)(const ProcessIdentity *identity);
    /* -ESRCH: it is gone. */
    int (*signal)(const ProcessIdentity *identity, int signal);
    /* The ports that the processes of a tree listen on, ascending, up to `room`; their number. */
    size_t (*ports)(const int64_t *pids, size_t count, uint16_t *out, size_t room);
    /* What we use ourselves: processor time so far, resident memory. */
    int (*self)(Nanos *ret_cpu, uint64_t *ret_memory_bytes);
} Machine;

extern const Machine MACHINE;

/* A variable of the environment of a process; {NULL, 0} when it has none of that name. */
Span machine_variable(const MachineProcess *process, Span name);

/* Its command line for people: arguments with blanks between, at most `room` - 1 bytes. */
size_t machine_command_text(const MachineProcess *process, char *out, size_t room);
