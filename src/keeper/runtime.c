/* The runtime: the one child that is started again, whatever it died of, unless it has left. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "keeper/keeper.h"

static char *copy(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(xmalloc(size), text, size);
}

static char **copy_all(const WireStrings *strings) {
    char **copies = xcalloc(strings->count + 1, sizeof *copies);
    for (size_t i = 0; i < strings->count; i++)
        copies[i] = copy(strings->items[i]);
    return copies;
}

static void free_all(char **strings) {
    for (char **at = strings; at && *at; at++)
        free(*at);
    free(strings);
}

void runtime_done(Runtime *runtime) {
    free(runtime->program);
    free(runtime->cwd);
    free(runtime->log);
    free_all(runtime->argv);
    free_all(runtime->env);
    runtime->program = runtime->cwd = runtime->log = NULL;
    runtime->argv = runtime->env = NULL;
}

void runtime_configure(Keeper *keeper, const WireRuntime *wire) {
    Runtime *runtime = &keeper->runtime;
    runtime_done(runtime);
    runtime->program = copy(wire->program);
    runtime->cwd = copy(wire->cwd);
    runtime->log = copy(wire->log);
    runtime->argv = copy_all(&wire->argv);
    runtime->env = copy_all(&wire->env);
}

static void later(Keeper *keeper) {
    Runtime *runtime = &keeper->runtime;
    if (!runtime->program || runtime->left || keeper->ending)
        return;
    runtime->backoff = runtime->ready || !runtime->backoff  ? RESTART_FIRST
                       : runtime->backoff < RESTART_MAX / 2 ? runtime->backoff * 2
                                                            : RESTART_MAX;
    runtime->restart_at = keeper_now() + runtime->backoff;
}

void runtime_start(Keeper *keeper) {
    Runtime *runtime = &keeper->runtime;
    runtime->restart_at = 0;
    runtime->ready = runtime->left = false;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = -1;
    if (*runtime->log)
        log = open(runtime->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        log = fcntl(null, F_DUPFD_CLOEXEC, 3);
    int resource = RLIMIT_NOFILE;
    Spawn what = {
        .program = runtime->program,
        .argv = runtime->argv,
        .env = runtime->env,
        .cwd = runtime->cwd,
        .standard = {null, log, log},
        .rlimits = &keeper->files,
        .resources = &resource,
        .rlimit_count = 1,
        .cgroup = -1,
    };
    ProcessStep step;
    int pidfd, error = spawn(&what, &runtime->pid, &pidfd, &step);
    close(null);
    close(log);
    if (error) {
        keeper_note("cannot start the runtime: %s: %s: %s", runtime->program,
                    process_step_text(step), strerror(-error));
        later(keeper);
        return;
    }
    close(pidfd);
    runtime->child = true;
}

/* ---- a runtime that was there before us ---- */

static void on_pidfd(Watch *watch, uint32_t events) {
    Runtime *runtime = CONTAINER(watch, Runtime, pidfd);
    Keeper *keeper = CONTAINER(runtime, Keeper, runtime);
    int status = -1;
    if (!pidfd_status(watch->fd, &status))
        status = -1;
    watch_close(keeper, watch);
    runtime_ended(keeper, status);
}

void runtime_connected(Keeper *keeper, pid_t pid) {
    Runtime *runtime = &keeper->runtime;
    if (runtime->pid == pid)
        return;
    runtime->restart_at = 0;
    runtime->ready = runtime->left = false;
    runtime->pid = pid;
    runtime->child = false;
    watch_close(keeper, &runtime->pidfd);
    runtime->pidfd = (Watch){on_pidfd, (int)syscall(SYS_pidfd_open, pid, 0)};
    if (runtime->pidfd.fd >= 0)
        watch_add(keeper, &runtime->pidfd, EPOLLIN);
}

void runtime_ended(Keeper *keeper, int64_t status) {
    Runtime *runtime = &keeper->runtime;
    pid_t pid = runtime->pid;
    runtime->pid = 0;
    if (runtime->left || keeper->ending)
        return;
    runtime->last_status = status;
    runtime->restarts++;
    later(keeper);
    int code = (int)status;
    keeper_note("the runtime (pid %d) %s %d; it is started again in %d ms", (int)pid,
                status < 0          ? "ended unseen"
                : WIFSIGNALED(code) ? "was ended by signal"
                                    : "exited with code",
                WIFSIGNALED(code) ? WTERMSIG(code) : WEXITSTATUS(code),
                (int)(runtime->backoff / NANOS_PER_MILLI));
}
