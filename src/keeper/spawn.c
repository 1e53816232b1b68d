/* The child shares our memory until it execs (CLONE_VM), while we wait (CLONE_VFORK): nothing is
 * copied, and what fails is written straight into a variable of ours, where others need a pipe.
 * It runs on a stack of its own and calls nothing but the kernel. */
#include "keeper/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"

#define STACK_SIZE (64 * 1024)

typedef struct Child {
    const Spawn *spawn;
    volatile ProcessStep step;
    volatile int error;
} Child;

#define FAILED(child_, step_)                                                                      \
    do {                                                                                           \
        (child_)->error = -errno;                                                                  \
        (child_)->step = (step_);                                                                  \
        _exit(127);                                                                                \
    } while (0)

/* Sources are moved out of the way first, since one may have a number that another is to get. */
static bool place(const int *from, const int *to, size_t count, int above) {
    int moved[PROCESS_FDS_MAX + 3];
    for (size_t i = 0; i < count; i++)
        if ((moved[i] = fcntl(from[i], F_DUPFD_CLOEXEC, above)) < 0)
            return false;
    for (size_t i = 0; i < count; i++)
        if (dup2(moved[i], to[i]) < 0)
            return false;
    return true;
}

static bool place_all(const Spawn *spawn) {
    int from[PROCESS_FDS_MAX + 3], to[PROCESS_FDS_MAX + 3] = {0, 1, 2};
    memcpy(from, spawn->standard, sizeof spawn->standard);
    int above = 3;
    for (size_t i = 0; i < spawn->fd_count; i++) {
        from[3 + i] = spawn->fds[i];
        to[3 + i] = spawn->targets[i];
        if (to[3 + i] >= above)
            above = to[3 + i] + 1;
    }
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    return place(from, to, 3 + spawn->fd_count, above);
}

static const char *path_of(char *const *env) {
    for (; *env; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return "/usr/local/bin:/usr/bin:/bin";
}

/* execvp looks into our environment's PATH, this into the new one's. Returns when it fails. */
static void exec(const Spawn *spawn) {
    if (strchr(spawn->program, '/')) {
        execve(spawn->program, spawn->argv, spawn->env);
        return;
    }
    int error = ENOENT;
    size_t length = strlen(spawn->program);
    for (const char *at = path_of(spawn->env); at; at = strchr(at, ':')) {
        char path[4096];
        at += *at == ':';
        size_t folder = strcspn(at, ":");
        if (folder + length + 2 > sizeof path)
            continue;
        memcpy(path, at, folder);
        path[folder] = '/';
        memcpy(path + folder + 1, spawn->program, length + 1);
        execve(folder ? path : path + 1, spawn->argv, spawn->env);
        if (errno != ENOENT && errno != ENOTDIR && error == ENOENT)
            error = errno;
    }
    errno = error;
}

static void write_number(char *out, unsigned number) {
    char digits[12];
    int count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        *out++ = digits[--count];
    *out = 0;
}

static int child_main(void *argument) {
    Child *child = argument;
    const Spawn *spawn = child->spawn;
    sigset_t none;
    setsid();
    if (!place_all(spawn))
        FAILED(child, PROCESS_STEP_FD);
    if (spawn->terminal && ioctl(0, TIOCSCTTY, 0) != 0)
        FAILED(child, PROCESS_STEP_TERMINAL);
    if (chdir(spawn->cwd) != 0)
        FAILED(child, PROCESS_STEP_CWD);
    for (size_t i = 0; i < spawn->rlimit_count; i++)
        if (setrlimit(spawn->resources[i], &spawn->rlimits[i]) != 0)
            FAILED(child, PROCESS_STEP_RLIMIT);
    if (spawn->listen_pid)
        write_number(spawn->listen_pid + strlen("LISTEN_PID="), (unsigned)getpid());
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    exec(spawn);
    FAILED(child, PROCESS_STEP_EXEC);
}

/* A process that is born in a cgroup (moving one there later takes the kernel long) has to be made
 * by clone3, which shares no memory here, since C cannot give it a stack. */
static pid_t make(Child *child, char *stack_end, int *ret_pidfd) {
    const Spawn *spawn = child->spawn;
    if (spawn->cgroup < 0)
        return clone(child_main, stack_end, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, child,
                     ret_pidfd);
    struct clone_args how = {
        .flags = CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP,
        .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)spawn->cgroup,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid == 0)
        child_main(child);
    if (pid < 0)
        errno = EBADF;
    return pid;
}

int spawn(const Spawn *spawn, pid_t *ret_pid, int *ret_pidfd, ProcessStep *ret_step) {
    char *shared =
        mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *ret_step = PROCESS_STEP_FORK;
    if (shared == MAP_FAILED)
        return -errno;
    /* The marks that AddressSanitizer makes on a stack outlive a child that never returns from it,
     * and the next stack may lie at the same place. */
    ARENA_UNPOISON(shared, STACK_SIZE);
    Child *child = (Child *)shared; /* the stack comes from the other end */
    *child = (Child){.spawn = spawn};
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    int pidfd = -1;
    pid_t pid = make(child, shared + STACK_SIZE, &pidfd);
    int error = pid < 0 ? -errno : child->error;
    if (pid > 0)
        *ret_step = child->step;
    sigprocmask(SIG_SETMASK, &before, NULL);
    munmap(shared, STACK_SIZE);
    if (!error) {
        *ret_pid = pid;
        *ret_pidfd = pidfd;
        return 0;
    }
    if (pid > 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    if (pidfd >= 0)
        close(pidfd);
    return error;
}
