/* The keeper: parent of every service and of the runtime. See keeper_client.h for what it is for,
 * docs/keeper.md for how it behaves.
 *
 *     muster-keeper FOLDER
 *
 * It is started by `muster`, from memory, with a pipe as descriptor 3 into which it writes "ok\n"
 * when it works, or a line that says why not. */
#include "keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS     64
#define READY_FD   3
#define END_GRACE  (10 * NANOS_PER_SECOND) /* for SIGTERM */
#define END_LOOK   (10 * NANOS_PER_MILLI)  /* how often we look who is left */
#define GIVE_UP    (5 * NANOS_PER_SECOND)  /* after SIGKILL */
#define IDLE_LIMIT (30 * NANOS_PER_SECOND) /* a keeper of nothing ends */

/* ---- the loop's tools ---- */

void watch_add(Keeper *keeper, Watch *watch, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = watch};
    epoll_ctl(keeper->epoll, EPOLL_CTL_ADD, watch->fd, &event);
}

void watch_change(Keeper *keeper, Watch *watch, uint32_t events) {
    if (watch->fd < 0)
        return;
    /* Without events a hang-up would still be told, again and again: then it is taken out. */
    struct epoll_event event = {.events = events, .data.ptr = watch};
    if (!events)
        epoll_ctl(keeper->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    else if (epoll_ctl(keeper->epoll, EPOLL_CTL_MOD, watch->fd, &event) != 0)
        epoll_ctl(keeper->epoll, EPOLL_CTL_ADD, watch->fd, &event);
}

void watch_close(Keeper *keeper, Watch *watch) {
    if (watch->fd < 0)
        return;
    /* Whoever holds a copy keeps the open file in the set, so closing would not do. */
    epoll_ctl(keeper->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    close(watch->fd);
    watch->fd = -1;
}

typedef struct Grave {
    Link link;
    void *object;
} Grave;

void keeper_bury(Keeper *keeper, Link *link, void *object) {
    list_remove(link);
    Grave *grave = malloc(sizeof *grave);
    if (!grave)
        abort();
    grave->object = object;
    list_push_back(&keeper->dead, &grave->link);
}

static void free_dead(Keeper *keeper) {
    for (Link *link; (link = list_pop_front(&keeper->dead));) {
        free(CONTAINER(link, Grave, link)->object);
        free(CONTAINER(link, Grave, link));
    }
}

Nanos keeper_now(void) {
    return clock_monotonic();
}

void keeper_note(const char *format, ...) {
    char text[1024], at[RFC3339_MAX];
    Nanos now = clock_wall();
    size_t len = format_rfc3339(at, now / NANOS_PER_SECOND, (int32_t)(now % NANOS_PER_SECOND), 3);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dprintf(2, "%.*s keeper: %s\n", (int)len, at, text);
}

/* ---- children and signals ---- */

static void reap(Keeper *keeper) {
    int status;
    struct rusage usage;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        Process *process = process_by_pid(keeper, pid);
        if (process)
            process_ended(process, true, status, &usage);
        else if (pid == keeper->runtime.pid)
            runtime_ended(keeper, status);
    }
}

static void on_signals(Watch *watch, uint32_t events) {
    Keeper *keeper = CONTAINER(watch, Keeper, signals);
    struct signalfd_siginfo info;
    while (read(watch->fd, &info, sizeof info) == sizeof info)
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            keeper_end_all(keeper, END_GRACE);
    reap(keeper);
}

/* ---- ending ---- */

static void signal_all(Keeper *keeper, int signal) {
    LIST_EACH (&keeper->processes, link)
        process_send(CONTAINER(link, Process, link), signal, PROCESS_TREE);
    if (keeper->runtime.pid && !keeper->runtime.left)
        kill(keeper->runtime.pid, signal);
}

void keeper_end_all(Keeper *keeper, Nanos grace) {
    if (!keeper->ending) {
        keeper->ending = true;
        signal_all(keeper, SIGTERM);
    }
    keeper->kill_at = keeper_now() + grace;
    keeper->give_up_at = keeper->kill_at + GIVE_UP;
}

/* A runtime that goes by itself is waited for as well, so that somebody fetches its end. */
static bool is_anybody_left(Keeper *keeper) {
    const Runtime *runtime = &keeper->runtime;
    if (runtime->pid && (runtime->child || !runtime->left))
        return true;
    LIST_EACH (&keeper->processes, link) {
        Process *process = CONTAINER(link, Process, link);
        if (!process->exit.ended || process_has_members(process))
            return true;
    }
    return false;
}

/* True when all is over. */
static bool go_on_ending(Keeper *keeper, Nanos now) {
    if (!is_anybody_left(keeper) || now >= keeper->give_up_at)
        return true;
    if (now >= keeper->kill_at) {
        signal_all(keeper, SIGKILL);
        keeper->kill_at = keeper->give_up_at;
    }
    return false;
}

/* Whether there is nothing to keep, and has not been for a while. */
static bool is_idle(Keeper *keeper, Nanos now) {
    bool idle = list_empty(&keeper->processes) && list_empty(&keeper->connections) &&
                !keeper->runtime.pid && !keeper->runtime.restart_at;
    if (!idle)
        keeper->idle_since = 0;
    else if (!keeper->idle_since)
        keeper->idle_since = now;
    return idle && now - keeper->idle_since >= IDLE_LIMIT;
}

/* ---- the loop ---- */

static Nanos earlier(Nanos a, Nanos b) {
    return a < b ? a : b;
}

static int wait_millis(const Keeper *keeper, Nanos now) {
    Nanos next = outputs_deadline(keeper);
    if (keeper->runtime.restart_at)
        next = earlier(next, keeper->runtime.restart_at);
    if (keeper->ending)
        next = earlier(next, now + END_LOOK);
    if (keeper->idle_since)
        next = earlier(next, keeper->idle_since + IDLE_LIMIT);
    if (next == INT64_MAX)
        return -1;
    return next <= now ? 0 : (int)((next - now + NANOS_PER_MILLI - 1) / NANOS_PER_MILLI);
}

static void run(Keeper *keeper) {
    for (;;) {
        Nanos now = keeper_now();
        outputs_expire(keeper, now);
        if (keeper->runtime.restart_at && keeper->runtime.restart_at <= now)
            runtime_start(keeper);
        if ((keeper->ending && go_on_ending(keeper, now)) || is_idle(keeper, now))
            return;
        connections_flush(keeper);
        free_dead(keeper);
        struct epoll_event events[EVENTS];
        int count = epoll_wait(keeper->epoll, events, EVENTS, wait_millis(keeper, now));
        for (int i = 0; i < count; i++) {
            Watch *watch = events[i].data.ptr;
            if (watch->fd >= 0)
                watch->ready(watch, events[i].events);
        }
    }
}

/* ---- beginning ---- */

/* Says how it went to whoever started us. */
static void report(const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int formatted = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t len = (size_t)formatted < sizeof text ? (size_t)formatted : sizeof text - 1;
    text[len++] = '\n'; /* in the place of its end */
    if (write(READY_FD, text, len) < 0)
        return; /* he has not waited */
    close(READY_FD);
}

static int folder_in(const Keeper *keeper, const char *name) {
    if (mkdirat(keeper->folder, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(keeper->folder, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
}

static bool open_folders(Keeper *keeper, const char *path) {
    keeper->folder = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (keeper->folder >= 0) {
        keeper->instances = folder_in(keeper, "instances");
        keeper->rings = folder_in(keeper, "rings");
    }
    if (keeper->folder >= 0 && keeper->instances >= 0 && keeper->rings >= 0)
        return true;
    report("the data folder: %s: %s", path, strerror(errno));
    return false;
}

/* The kernel's lock says that we live; what stands in the file says who we are. It counts only while
 * the file has its name: one that is ending has taken that away. */
static bool lock(Keeper *keeper) {
    struct flock whole = {.l_type = F_WRLCK};
    struct stat ours, named;
    ProcStat self = {0};
    do {
        close(keeper->lock);
        keeper->lock = openat(keeper->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (keeper->lock < 0 || fcntl(keeper->lock, F_OFD_SETLK, &whole) != 0) {
            report(errno == EAGAIN || errno == EACCES ? "busy" : "the lock: %s", strerror(errno));
            return false;
        }
    } while (fstat(keeper->lock, &ours) != 0 || fstatat(keeper->folder, "lock", &named, 0) != 0 ||
             ours.st_ino != named.st_ino);
    proc_stat(getpid(), &self);
    if (ftruncate(keeper->lock, 0) != 0 ||
        dprintf(keeper->lock, "muster-keeper %d\npid %d\nstart %llu\nboot %s\n", WIRE_VERSION,
                (int)getpid(), (unsigned long long)self.start_ticks, keeper->boot_id) < 0) {
        report("the lock: %s", strerror(errno));
        return false;
    }
    return true;
}

static void set_up_signals(Keeper *keeper) {
    sigset_t ours;
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* nothing inherited, as exec keeps what is ignored */
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGHUP);
    sigset_t blocked = ours; /* errors will do */
    sigaddset(&blocked, SIGPIPE);
    sigaddset(&blocked, SIGXFSZ);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    keeper->signals = (Watch){on_signals, signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK)};
    watch_add(keeper, &keeper->signals, EPOLLIN);
}

static void raise_files_limit(Keeper *keeper) {
    getrlimit(RLIMIT_NOFILE, &keeper->files);
    struct rlimit high = {keeper->files.rlim_max, keeper->files.rlim_max};
    setrlimit(RLIMIT_NOFILE, &high);
}

static bool set_up(Keeper *keeper, const char *path) {
    int error;
    list_init(&keeper->connections);
    list_init(&keeper->processes);
    list_init(&keeper->waiting);
    list_init(&keeper->held);
    list_init(&keeper->dead);
    keeper->runtime.pidfd.fd = keeper->room.fd = keeper->lock = -1;
    keeper->runtime.last_status = -1;
    prctl(PR_SET_NAME, "muster-keeper");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    raise_files_limit(keeper);
    proc_boot_id(keeper->boot_id);
    keeper->epoll = epoll_create1(EPOLL_CLOEXEC);
    set_up_signals(keeper);
    if (!open_folders(keeper, path) || !lock(keeper))
        return false;
    cgroups_open(keeper);
    records_adopt(keeper);
    if ((error = connections_open(keeper)) != 0) {
        report("keeper.sock: %s", strerror(-error));
        return false;
    }
    return true;
}

int main(int argc, char **argv) {
    static Keeper keeper;
    if (argc != 2 || fcntl(READY_FD, F_SETFD, FD_CLOEXEC) != 0) {
        dprintf(2, "muster-keeper is started by muster\n");
        return 2;
    }
    if (!set_up(&keeper, argv[1]))
        return 1;
    report("ok");
    run(&keeper);
    connections_close(&keeper);
    unlinkat(keeper.folder, "keeper.sock", 0);
    unlinkat(keeper.folder, "lock", 0);
    while (!list_empty(&keeper.processes)) /* their files stay, for who comes next */
        process_drop(CONTAINER(keeper.processes.next, Process, link));
    cgroups_close(&keeper);
    runtime_done(&keeper.runtime);
    free_dead(&keeper);
    return 0;
}
