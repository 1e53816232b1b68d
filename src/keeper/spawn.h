/* Starting a program: as little as possible between clone and exec. */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include "os/process_host.h"

typedef struct Spawn {
    const char *program; /* a path, or looked for in PATH of `env` */
    char *const *argv;   /* NULL-terminated, as is `env` */
    char *const *env;
    const char *cwd;
    int standard[3]; /* become 0, 1, 2 */
    bool terminal;   /* the first is to be the controlling terminal */
    const int *fds;  /* become `targets`, each at least 3 */
    const int *targets;
    size_t fd_count;
    const struct rlimit *rlimits;
    const int *resources;
    size_t rlimit_count;
    int cgroup;       /* folder of the cgroup to be born in; -1: none */
    char *listen_pid; /* "LISTEN_PID=" and room for a number, one of `env`; NULL: none */
} Spawn;

/* Runs it in a session of its own, with default signals and nothing inherited but what is named.
 * Returns when exec has happened: the pid and a pidfd, or a negative errno and the step that
 * failed, with nothing left behind. -EBADF at PROCESS_STEP_FORK: the cgroup cannot be used. */
int spawn(const Spawn *spawn, pid_t *ret_pid, int *ret_pidfd, ProcessStep *ret_step);
