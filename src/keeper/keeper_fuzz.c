/* What a runtime can make the keeper do: frames are handled as in the keeper itself, by a connection
 * of its own socket, with everything behind them but what would reach beyond it: no program is
 * started, /proc tells of nobody, so that no process is recognised and none signalled, and there are
 * neither cgroups nor a runtime. The input comes twice: what the first round has started has ended
 * when the second begins. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "keeper/keeper.h"

#define INPUT_MAX 60000
#define SENT_FDS  4
#define FIRST_PID 5000000 /* above what Linux gives to any process */

/* ---- what the keeper's loop offers ---- */

static Watch *connected; /* the connection's */

void watch_add(Keeper *keeper, Watch *watch, uint32_t events) {
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    int type, listens = 1;
    socklen_t size = sizeof type;
    if (getsockname(watch->fd, (struct sockaddr *)&name, &length) == 0 &&
        getsockopt(watch->fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
        getsockopt(watch->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && !listens &&
        !connected)
        connected = watch;
}

void watch_change(Keeper *keeper, Watch *watch, uint32_t events) {
}

void watch_close(Keeper *keeper, Watch *watch) {
    if (connected == watch)
        connected = NULL;
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

typedef struct Grave {
    Link link;
    void *object;
} Grave;

void keeper_bury(Keeper *keeper, Link *link, void *object) {
    Grave *grave = xmalloc(sizeof *grave);
    list_remove(link);
    grave->object = object;
    list_push_back(&keeper->dead, &grave->link);
}

Nanos keeper_now(void) {
    return clock_monotonic();
}

void keeper_end_all(Keeper *keeper, Nanos grace) {
    (void)grace;
    keeper->ending = true;
}

void keeper_note(const char *format, ...) {
    (void)format;
}

bool cgroup_make(Process *process, const WireStart *start) {
    return !start->memory_bytes && !start->cpu_millis && !start->processes;
}

void cgroup_remove(Process *process) {
}

void runtime_configure(Keeper *keeper, const WireRuntime *wire) {
}

void runtime_start(Keeper *keeper) {
}

void runtime_connected(Keeper *keeper, pid_t pid) {
}

int proc_stat(pid_t pid, ProcStat *ret_stat) {
    return -ESRCH;
}

size_t proc_tree(const ProcTree *tree, ProcStat *out, size_t room) {
    return 0;
}

int proc_signal(const ProcStat *process, int signal) {
    return -ESRCH;
}

/* A program whose name begins with a letter "runs". */
int spawn(const Spawn *spawn, pid_t *ret_pid, int *ret_pidfd, ProcessStep *ret_step) {
    static pid_t last = FIRST_PID;
    *ret_step = PROCESS_STEP_EXEC;
    if (*spawn->program < 'A')
        return -ENOENT;
    *ret_pid = ++last;
    *ret_pidfd = eventfd(0, EFD_CLOEXEC);
    return 0;
}

/* ---- one keeper for all inputs ---- */

static Keeper keeper;
static int null;
static char folder[] = "/tmp/keeper-fuzz-XXXXXX";

static int folder_in(const char *name) {
    mkdirat(keeper.folder, name, 0700);
    return openat(keeper.folder, name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
}

static void remove_folder(void) {
    unlinkat(keeper.folder, "keeper.sock", 0);
    unlinkat(keeper.folder, "rings", AT_REMOVEDIR);
    unlinkat(keeper.folder, "instances", AT_REMOVEDIR);
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    list_init(&keeper.connections);
    list_init(&keeper.processes);
    list_init(&keeper.waiting);
    list_init(&keeper.held);
    list_init(&keeper.dead);
    keeper.runtime.pidfd.fd = keeper.room.fd = keeper.lock = -1;
    keeper.settled = true;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (!mkdtemp(folder))
        abort();
    keeper.folder = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    keeper.instances = folder_in("instances");
    keeper.rings = folder_in("rings");
    if (connections_open(&keeper) != 0)
        abort();
    atexit(remove_folder);
    return 0;
}

static void handle(void) {
    while (connected) {
        int before = 0;
        if (recv(connected->fd, &before, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
            break;
        connected->ready(connected, EPOLLIN);
    }
}

/* Sends the greeting of a runtime and then the input, with descriptors. */
static void send_all(int to, const uint8_t *data, size_t size) {
    Channel channel;
    int fds[SENT_FDS] = {null, null, null, null};
    channel_init(&channel, to);
    size_t frame = wire_begin(&channel.out, WIRE_HELLO, 0);
    wire_add_number(&channel.out, WIRE_VERSION);
    wire_add_number(&channel.out, WIRE_RUNTIME_ROLE);
    wire_end(&channel.out, frame);
    channel_attach(&channel, fds, SENT_FDS);
    buf_add(&channel.out, span((const char *)data, size));
    channel_send(&channel);
    channel_done(&channel);
}

static void run_once(const uint8_t *data, size_t size) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s/keeper.sock", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0)
        abort();
    keeper.listener.ready(&keeper.listener, EPOLLIN);
    send_all(fd, data, size);
    handle();
    connections_flush(&keeper);
    outputs_expire(&keeper, keeper_now());
    close(fd);
    handle();
}

static void clean_up(void) {
    while (!list_empty(&keeper.processes))
        process_forget(CONTAINER(keeper.processes.next, Process, link));
    for (Link *link; (link = list_pop_front(&keeper.held));) {
        close(CONTAINER(link, Held, link)->fd);
        free(CONTAINER(link, Held, link));
    }
    for (Link *link; (link = list_pop_front(&keeper.dead));) {
        free(CONTAINER(link, Grave, link)->object);
        free(CONTAINER(link, Grave, link));
    }
    watch_close(&keeper, &keeper.room);
    keeper.runtime = (Runtime){.pidfd.fd = -1};
    keeper.ending = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > INPUT_MAX)
        return 0;
    run_once(data, size);
    LIST_EACH (&keeper.processes, link)
        process_ended(CONTAINER(link, Process, link), true, 0, NULL);
    run_once(data, size);
    clean_up();
    return 0;
}
