/* What the keeper keeps: processes from their start to their release. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/memory.h"
#include "keeper/keeper.h"

static const char *const STREAM_NAMES[PROCESS_STREAMS] = {"out", "err", "tty"};

static void ring_name(const Process *process, ProcessStream stream, char *out, size_t room) {
    snprintf(out, room, "%s.%s", process->id, STREAM_NAMES[stream]);
}

#define RING_NAME_MAX (PROCESS_ID_MAX + 5)

/* ---- finding ---- */

Process *process_by_id(Keeper *keeper, Span id) {
    LIST_EACH (&keeper->processes, link) {
        Process *process = CONTAINER(link, Process, link);
        if (span_equal(span_of(process->id), id))
            return process;
    }
    return NULL;
}

Process *process_by_pid(Keeper *keeper, pid_t pid) {
    LIST_EACH (&keeper->processes, link) {
        Process *process = CONTAINER(link, Process, link);
        if (process->pid == pid && !process->exit.ended)
            return process;
    }
    return NULL;
}

size_t processes_alive(const Keeper *keeper) {
    size_t count = 0;
    LIST_EACH (&keeper->processes, link)
        count += !CONTAINER(link, Process, link)->exit.ended;
    return count;
}

/* ---- beginning ---- */

Process *process_new(Keeper *keeper, const char *id, Span label) {
    Process *process = xcalloc(1, sizeof *process);
    process->keeper = keeper;
    size_t id_size = strlen(id) + 1;
    process->id = memcpy(xmalloc(id_size), id, id_size);
    process->label = xmalloc(label.len + 1);
    memcpy(process->label, label.ptr, label.len);
    process->label_len = label.len;
    process->pidfd.fd = process->notify.fd = process->input = -1;
    process->exit.status = -1;
    for (int i = 0; i < PROCESS_STREAMS; i++) {
        Output *output = &process->outputs[i];
        *output =
            (Output){.process = process, .stream = (ProcessStream)i, .watch.fd = -1, .memory = -1};
        list_init(&output->waiting);
    }
    list_push_back(&keeper->processes, &process->link);
    return process;
}

/* The far ends: what the process gets. */
typedef struct Ends {
    int standard[3];
} Ends;

static void close_ends(Ends *ends) {
    for (int i = 0; i < 3; i++)
        if (ends->standard[i] >= 0)
            close(ends->standard[i]);
}

/* Opens a descriptor of ours anew, with a mode of its own. */
static int reopen(int fd, int flags) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, flags | O_CLOEXEC);
    return again < 0 ? -errno : again;
}

/* A pipe whose writer holds a reading end as well, so that it is never told that nobody reads. */
static int open_output(Output *output, int *ret_far) {
    int pair[2];
    struct stat file;
    if (pipe2(pair, O_CLOEXEC) != 0)
        return -errno;
    int far = reopen(pair[1], O_RDWR);
    close(pair[1]);
    if (far < 0 || fstat(pair[0], &file) != 0) {
        close(pair[0]);
        return far;
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    output->pipe = file.st_ino;
    output->watch.fd = pair[0];
    *ret_far = far;
    return 0;
}

static int open_input(Process *process, bool wanted, int *ret_far) {
    int pair[2];
    if (!wanted) {
        *ret_far = open("/dev/null", O_RDWR | O_CLOEXEC);
        return *ret_far < 0 ? -errno : 0;
    }
    if (pipe2(pair, O_CLOEXEC) != 0)
        return -errno;
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    *ret_far = pair[0];
    process->input = pair[1];
    return 0;
}

static int open_terminal(Process *process, const WireStart *start, Ends *ends) {
    struct winsize size = {
        .ws_row = (unsigned short)(start->rows ? start->rows : 24),
        .ws_col = (unsigned short)(start->columns ? start->columns : 80),
    };
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), unlocked = 0;
    if (master < 0)
        return -errno;
    process->outputs[PROCESS_TERMINAL].watch.fd = master;
    if (ioctl(master, TIOCSPTLCK, &unlocked) != 0 || ioctl(master, TIOCSWINSZ, &size) != 0)
        return -errno;
    for (int i = 0; i < 3; i++) {
        ends->standard[i] = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (ends->standard[i] < 0)
            return -errno;
    }
    process->input = fcntl(master, F_DUPFD_CLOEXEC, 3);
    return process->input < 0 ? -errno : 0;
}

static int open_streams(Process *process, const WireStart *start, Ends *ends) {
    if (start->terminal)
        return open_terminal(process, start, ends);
    int error = open_input(process, start->input, &ends->standard[0]);
    for (int i = 0; !error && i < 2; i++)
        error = open_output(&process->outputs[i], &ends->standard[1 + i]);
    return error;
}

static int open_ring(Output *output, bool brief, size_t size) {
    char name[RING_NAME_MAX];
    int folder = output->process->keeper->rings;
    if (brief)
        return ring_create_anonymous(size, &output->ring, &output->memory);
    ring_name(output->process, output->stream, name, sizeof name);
    unlinkat(folder, name, 0); /* of nobody who is known */
    return ring_create(folder, name, size, &output->ring);
}

static int open_rings(Process *process, const WireStart *start) {
    int error = 0;
    size_t size = start->ring_size ? start->ring_size : RING_DEFAULT;
    for (int i = 0; i < PROCESS_STREAMS && !error; i++)
        if (!start->terminal != (i == PROCESS_TERMINAL))
            error = open_ring(&process->outputs[i], start->brief, size);
    return error;
}

/* What we put into the environment of the process. */
typedef struct Extras {
    char marker[sizeof PROC_MARKER + PROCESS_ID_MAX];
    char notify[128];
    char listen_pid[32];
} Extras;

/* The marker comes first, where it is found soon, and where children keep it. */
static void extend_environment(const WireStart *start, Extras *extras, bool listens) {
    const char **env = start->env.items;
    size_t count = start->env.count;
    snprintf(extras->marker, sizeof extras->marker, PROC_MARKER "%s", start->id);
    memmove(env + 1, env, count * sizeof *env);
    env[0] = extras->marker;
    count++;
    if (start->notify)
        env[count++] = extras->notify;
    if (listens) {
        snprintf(extras->listen_pid, sizeof extras->listen_pid, "LISTEN_PID=");
        env[count++] = extras->listen_pid;
    }
    env[count] = NULL;
}

static bool asks_to_listen(const WireStart *start) {
    for (size_t i = 0; i < start->env.count; i++)
        if (strncmp(start->env.items[i], "LISTEN_FDS=", strlen("LISTEN_FDS=")) == 0)
            return true;
    return false;
}

/* Services get the limit of open files that we were started with: ours is as high as it goes. */
static size_t collect_rlimits(const Keeper *keeper, const WireStart *start, struct rlimit *limits,
                              int *resources) {
    limits[0] = keeper->files;
    resources[0] = RLIMIT_NOFILE;
    for (size_t i = 0; i < start->rlimit_count; i++) {
        limits[1 + i] = (struct rlimit){start->rlimits[i].soft, start->rlimits[i].hard};
        resources[1 + i] = (int)start->rlimits[i].resource;
    }
    return 1 + start->rlimit_count;
}

static int run(Process *process, const WireStart *start, const int *fds, const Ends *ends,
               Extras *extras, ProcessStep *ret_step) {
    struct rlimit limits[1 + WIRE_START_RLIMITS];
    int resources[1 + WIRE_START_RLIMITS], targets[WIRE_START_FDS];
    for (size_t i = 0; i < start->fd_count; i++)
        targets[i] = (int)start->targets[i];
    bool listens = asks_to_listen(start);
    extend_environment(start, extras, listens);
    Spawn what = {
        .program = start->argv.items[0],
        .argv = (char *const *)start->argv.items,
        .env = (char *const *)start->env.items,
        .cwd = start->cwd,
        .standard = {ends->standard[0], ends->standard[1], ends->standard[2]},
        .terminal = start->terminal,
        .fds = fds,
        .targets = targets,
        .fd_count = start->fd_count,
        .rlimits = limits,
        .resources = resources,
        .rlimit_count = collect_rlimits(process->keeper, start, limits, resources),
        .cgroup = -1,
        .listen_pid = listens ? extras->listen_pid : NULL,
    };
    if (process->cgroup)
        what.cgroup = open(process->cgroup, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    int error = spawn(&what, &process->pid, &process->pidfd.fd, ret_step);
    if (what.cgroup >= 0)
        close(what.cgroup);
    if (error == -EBADF && process->cgroup) { /* not there, or not ours to use */
        cgroup_remove(process);
        what.cgroup = -1;
        error = spawn(&what, &process->pid, &process->pidfd.fd, ret_step);
    }
    return error;
}

static bool start_is_sound(const WireStart *start) {
    bool sound = start->argv.count > 0 && *start->argv.items[0] && *start->cwd == '/' &&
                 start->label.len <= PROCESS_LABEL_MAX && start->ring_size <= RING_MAX;
    size_t length = strlen(start->id);
    sound = sound && length > 0 && length <= PROCESS_ID_MAX && *start->id != '.' &&
            strspn(start->id,
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length;
    for (size_t i = 0; i < start->fd_count; i++)
        sound = sound && start->targets[i] >= 3 && start->targets[i] <= PROCESS_FD_TARGET_MAX;
    return sound;
}

/* All that can fail, in order. */
static int make(Process *process, const WireStart *start, const int *fds, Ends *ends,
                ProcessStep *ret_step) {
    Extras extras;
    int error;
    *ret_step = PROCESS_STEP_RING;
    if ((error = open_rings(process, start)) != 0)
        return error;
    *ret_step = start->terminal ? PROCESS_STEP_TERMINAL : PROCESS_STEP_PIPE;
    if ((error = open_streams(process, start, ends)) != 0)
        return error;
    *ret_step = PROCESS_STEP_PIPE;
    if (start->notify && (error = notify_open(process, extras.notify, sizeof extras.notify)) != 0)
        return error;
    process->limited = cgroup_make(process, start);
    *ret_step = PROCESS_STEP_RING;
    if ((error = record_write(process)) != 0)
        return error;
    return run(process, start, fds, ends, &extras, ret_step);
}

int process_begin(Keeper *keeper, const WireStart *start, const int *fds, Process **ret_process,
                  ProcessStep *ret_step) {
    *ret_step = PROCESS_STEP_SPEC;
    if (!start_is_sound(start))
        return -EINVAL;
    if (process_by_id(keeper, span_of(start->id)))
        return -EEXIST;
    Process *process = process_new(keeper, start->id, start->label);
    process->child = true;
    Ends ends = {{-1, -1, -1}};
    int error = make(process, start, fds, &ends, ret_step);
    close_ends(&ends);
    if (error) {
        process_forget(process);
        return error;
    }
    ProcStat stat;
    if (proc_stat(process->pid, &stat) == 0)
        process->start_ticks = stat.start_ticks;
    process->started_at = clock_wall();
    record_write(process);
    for (int i = 0; i < PROCESS_STREAMS; i++)
        if (process->outputs[i].ring.header)
            output_open(&process->outputs[i], process->outputs[i].watch.fd);
    if (process->notify.fd >= 0)
        notify_watch(process);
    *ret_process = process;
    return 0;
}

/* ---- ending ---- */

void process_drop(Process *process) {
    Keeper *keeper = process->keeper;
    for (int i = 0; i < PROCESS_STREAMS; i++)
        output_done(&process->outputs[i]);
    watch_close(keeper, &process->pidfd);
    watch_close(keeper, &process->notify);
    if (process->input >= 0)
        close(process->input);
    free(process->id);
    free(process->label);
    free(process->cgroup);
    keeper_bury(keeper, &process->link, process);
}

void process_forget(Process *process) {
    char name[RING_NAME_MAX];
    for (int i = 0; i < PROCESS_STREAMS; i++) {
        if (!process->outputs[i].ring.header || process->outputs[i].memory >= 0)
            continue;
        ring_name(process, (ProcessStream)i, name, sizeof name);
        unlinkat(process->keeper->rings, name, 0);
    }
    cgroup_remove(process);
    record_remove(process);
    process_drop(process);
}

static uint64_t nanos_of(struct timeval time) {
    return (uint64_t)time.tv_sec * NANOS_PER_SECOND + (uint64_t)time.tv_usec * NANOS_PER_MICRO;
}

void process_ended(Process *process, bool known, int status, const struct rusage *usage) {
    if (process->exit.ended)
        return;
    process->exit = (WireExit){.ended = true, .known = known, .status = status, .at = clock_wall()};
    if (usage) {
        process->exit.user = nanos_of(usage->ru_utime);
        process->exit.system = nanos_of(usage->ru_stime);
        process->exit.peak_memory = (uint64_t)usage->ru_maxrss * 1024;
    }
    for (int i = 0; i < PROCESS_STREAMS; i++) {
        if (process->outputs[i].watch.fd >= 0)
            output_pump(&process->outputs[i]);
        else if (process->keeper->settled)
            output_end(&process->outputs[i]);
    }
    record_write(process);
    tell_exit(process);
    watch_close(process->keeper, &process->notify);
}

/* ---- processes that are not our children ---- */

/* The status that the kernel keeps for whoever holds a pidfd, since Linux 6.15: PIDFD_GET_INFO of
 * linux/pidfd.h, which older systems lack. */
typedef struct PidfdInfo {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
    uint64_t coredump;
} PidfdInfo;
#define PIDFD_INFO_EXITED 8
#define PIDFD_GET_INFO_   _IOC(_IOC_READ | _IOC_WRITE, 0xff, 11, 64)

bool pidfd_status(int pidfd, int *ret_status) {
    PidfdInfo info = {.mask = PIDFD_INFO_EXITED};
    if (ioctl(pidfd, PIDFD_GET_INFO_, &info) != 0 || !(info.mask & PIDFD_INFO_EXITED))
        return false;
    *ret_status = info.exit_code;
    return true;
}

static void on_pidfd(Watch *watch, uint32_t events) {
    Process *process = CONTAINER(watch, Process, pidfd);
    ProcStat stat;
    int status = 0;
    bool zombie = proc_stat(process->pid, &stat) == 0 && stat.start_ticks == process->start_ticks &&
                  stat.state == 'Z';
    bool known = pidfd_status(watch->fd, &status);
    if (!known && zombie && geteuid() == getuid()) {
        /* Its new parent has not yet fetched it; /proc tells the same. */
        known = true;
        status = stat.exit_status;
    }
    watch_change(process->keeper, watch, 0);
    process_ended(process, known, status, NULL);
}

void process_learn(Process *process, int pidfd) {
    int status;
    if (process->exit.ended && !process->exit.known && pidfd_status(pidfd, &status)) {
        process->exit.known = true;
        process->exit.status = status;
    }
}

void process_watch(Process *process) {
    process->pidfd.ready = on_pidfd;
    watch_add(process->keeper, &process->pidfd, EPOLLIN);
}

/* ---- signals ---- */

static bool is_known(void *owner, pid_t pid) {
    Keeper *keeper = owner;
    return process_by_pid(keeper, pid) || keeper->runtime.pid == pid;
}

static size_t members(Process *process, ProcStat *out, size_t room) {
    char cgroup[PATH_MAX];
    if (process->cgroup)
        snprintf(cgroup, sizeof cgroup, "%s/cgroup.procs", process->cgroup);
    ProcTree tree = {
        .root = process->pid,
        .start_ticks = process->start_ticks,
        .id = process->id,
        .reaper = process->child ? getpid() : 0,
        .cgroup = process->cgroup ? cgroup : NULL,
        .is_known = is_known,
        .owner = process->keeper,
    };
    return proc_tree(&tree, out, room);
}

bool process_has_members(Process *process) {
    ProcStat one;
    return members(process, &one, 1) > 0;
}

/* Whoever forks while we look is found in the next round, unless it is for ever. */
#define KILL_ROUNDS 20

/* To all members, or to those of the process group alone. */
static int send_to_members(Process *process, int signal, bool group) {
    ProcStat *found = xmalloc(PROC_TREE_MAX * sizeof *found);
    int hit = 0;
    for (int round = 0; round < (signal == SIGKILL ? KILL_ROUNDS : 1); round++) {
        size_t count = members(process, found, PROC_TREE_MAX);
        for (size_t i = 0; i < count; i++)
            if ((!group || found[i].group == process->pid) && proc_signal(&found[i], signal) == 0)
                hit += round == 0;
        if (!count)
            break;
    }
    free(found);
    return hit ? hit : -ESRCH;
}

int process_send(Process *process, int signal, ProcessScope scope) {
    if (signal < 0 || signal > SIGRTMAX)
        return -EINVAL;
    if (scope == PROCESS_TREE)
        return send_to_members(process, signal, false);
    if (scope == PROCESS_GROUP && process->exit.ended) /* the number may be somebody else's */
        return send_to_members(process, signal, true);
    if (scope == PROCESS_GROUP)
        return kill(-process->pid, signal) == 0 ? 1 : -errno;
    if (process->exit.ended)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, process->pidfd.fd, signal, NULL, 0) == 0 ? 1 : -errno;
}

/* ---- for the runtime ---- */

unsigned process_describe(const Process *process, WireProcess *ret_wire, int fds[WIRE_HOLDS]) {
    *ret_wire = (WireProcess){
        .id = span_of(process->id),
        .label = span(process->label, process->label_len),
        .pid = process->pid,
        .start_ticks = process->start_ticks,
        .started_at = process->started_at,
        .adopted = !process->child,
        .cgroup = process->cgroup != NULL,
        .limited = process->limited,
        .input = process->input >= 0,
        .exit = process->exit,
        .notice = process->notice,
    };
    int all[WIRE_HOLDS];
    unsigned count = 0;
    all[WIRE_HOLD_PIDFD] = process->pidfd.fd;
    for (int i = 0; i < PROCESS_STREAMS; i++) {
        all[WIRE_HOLD_STREAM + i] = process->outputs[i].watch.fd;
        all[WIRE_HOLD_RING + i] = process->outputs[i].memory;
        if (process->outputs[i].ring.header)
            ret_wire->streams |= 1u << i;
    }
    all[WIRE_HOLD_INPUT] = process->input;
    all[WIRE_HOLD_NOTIFY] = process->notify.fd;
    for (int i = 0; i < WIRE_HOLDS; i++) {
        if (all[i] < 0)
            continue;
        ret_wire->held |= 1u << i;
        fds[count++] = all[i];
    }
    return count;
}
