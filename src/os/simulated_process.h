/* Processes in a simulated World: scripts instead of programs, everything decided by the seed, so
 * that whoever stands on process_host.h is tested without a fork. The host outlives those who use
 * it, as the keeper does: free the user, make a new one on the same host, and it finds what it
 * had not released. Starts, signals and exits are told after the simulation's random delays. */
#pragma once

#include "os/process_host.h"

typedef struct SimulatedStep {
    enum {
        SIMULATED_WAIT,   /* for `time` */
        SIMULATED_PRINT,  /* `text` to stdout, or to the terminal */
        SIMULATED_ERROR,  /* `text` to stderr */
        SIMULATED_NOTIFY, /* `text` as sd_notify sends it: "READY=1\nSTATUS=up" */
        SIMULATED_SPAWN,  /* a child that lives until it is signalled: `number` 1 = it left the
                           * session */
        SIMULATED_EXIT,   /* with code `number` */
        SIMULATED_DIE,    /* by signal `number` */
        SIMULATED_REPEAT, /* from the first step on */
    } what;
    Nanos time;
    Span text;
    int number;
} SimulatedStep;

/* What a program does; a process that has done all its steps goes on living. */
typedef struct SimulatedProgram {
    Span name; /* argv[0] that starts it */
    const SimulatedStep *steps;
    size_t step_count;
    int start_error; /* not 0: exec fails with this negative errno */
    bool ignores;    /* SIGTERM, SIGINT, SIGHUP and SIGQUIT */
    Nanos ending;    /* how long it takes to exit, with code 0, after one of those; 0: the signal
                      * ends it at once */
} SimulatedProgram;

/* The host lives in that World (which is simulated), and is freed before it. */
ProcessHost *simulated_host_new(World *world);

/* Programs must outlive the host; one of the same name takes the place of the one before. A start
 * of a name that nobody has added fails with -ENOENT at PROCESS_STEP_EXEC. */
void simulated_host_add(ProcessHost *host, const SimulatedProgram *program);

/* Something befalls a process from outside: it exits with a code, or is killed by a signal that it
 * cannot ignore (`signal` not 0). */
void simulated_process_end(ProcessHost *host, Span id, int code, int signal);

/* The keeper is killed and a new one takes over: processes become `adopted`, their exits are not
 * known from then on. */
void simulated_host_replace(ProcessHost *host);

/* The next starts fail as on a full disk, at PROCESS_STEP_RING with -ENOSPC, until it is false. */
void simulated_host_disk_full(ProcessHost *host, bool full);

/* What was typed into it so far. */
Span simulated_process_input(ProcessHost *host, Span id);
