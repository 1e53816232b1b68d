/* Keepers as commands see them: started, asked, ended. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "keeper/launch.h"
#include "os/procfs.h"

/* How long an answer may take. */
#define PATIENCE_MILLIS 5000
#define PASSING_MILLIS  2
#define READY_FD        3

extern const char keeper_image[], keeper_image_end[];

/* ---- starting ---- */

/* The program as a file in memory. */
static int image_open(void) {
    int file = memfd_create("muster-keeper", MFD_CLOEXEC | 0x10U /* MFD_EXEC, Linux 6.3 */);
    if (file < 0 && errno == EINVAL)
        file = memfd_create("muster-keeper", MFD_CLOEXEC);
    if (file < 0)
        return -errno;
    size_t size = (size_t)(keeper_image_end - keeper_image);
    for (size_t at = 0; at < size;) {
        ssize_t written = write(file, keeper_image + at, size - at);
        if (written < 0 && errno != EINTR) {
            int error = -errno;
            close(file);
            return error;
        }
        at += written > 0 ? (size_t)written : 0;
    }
    return file;
}

/* In a child of ours, with its memory a copy: nothing but system calls, since other threads may
 * have held locks. */
static void become_keeper(int image, int log, int ready, const char *folder) {
    char *const argv[] = {"muster-keeper", (char *)folder, NULL};
    int null = open("/dev/null", O_RDWR);
    setsid();
    if (fork() != 0) /* orphaned, so that it is nobody's child */
        _exit(0);
    /* Out of the way of what they become; image stays close-on-exec. */
    int high_ready = fcntl(ready, F_DUPFD_CLOEXEC, 10);
    int high_image = fcntl(image, F_DUPFD_CLOEXEC, 10);
    int high_log = fcntl(log, F_DUPFD_CLOEXEC, 10);
    dup2(null, 0);
    dup2(high_log, 1);
    dup2(high_log, 2);
    dup2(high_ready, READY_FD);
    close_range(READY_FD + 1, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
    fexecve(high_image, argv, environ);
    dprintf(READY_FD, "cannot run the keeper: %s\n", strerror(errno));
    _exit(127);
}

static int log_open(const char *folder) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/keeper.log", folder);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return log < 0 ? -errno : log;
}

int launch_keeper(const char *folder, int *ret_ready) {
    int ready[2], image, log = log_open(folder);
    if (log < 0)
        return log;
    if ((image = image_open()) < 0) {
        close(log);
        return image;
    }
    int error = pipe2(ready, O_CLOEXEC) == 0 ? 0 : -errno;
    pid_t pid = error ? -1 : fork();
    if (pid == 0)
        become_keeper(image, log, ready[1], folder);
    if (!error && pid < 0)
        error = -errno;
    if (pid > 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    close(image);
    close(log);
    if (pid != -1 || !error)
        close(ready[1]);
    if (error)
        return error;
    fcntl(ready[0], F_SETFL, O_NONBLOCK);
    *ret_ready = ready[0];
    return 0;
}

int launch_result(Span line, Buf *report) {
    if (span_starts(line, SPAN("ok\n")))
        return 0;
    if (span_starts(line, SPAN("busy\n")))
        return -EBUSY;
    while (line.len && line.ptr[line.len - 1] == '\n')
        line.len--;
    buf_add(report, line.len ? line : SPAN("the keeper died while it was started"));
    return -EPROTO;
}

/* Waits for the line. */
static int wait_ready(int ready, Buf *report) {
    char text[1100];
    struct pollfd wait = {.fd = ready, .events = POLLIN};
    ssize_t len = poll(&wait, 1, PATIENCE_MILLIS) == 1 ? read(ready, text, sizeof text) : -1;
    return launch_result(span(text, len > 0 ? (size_t)len : 0), report);
}

bool launch_is_locked(const char *folder) {
    char path[PATH_MAX];
    struct flock whole = {.l_type = F_WRLCK};
    snprintf(path, sizeof path, "%s/lock", folder);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    /* Asked, not tried: a lock of ours for a moment would keep a keeper from starting. */
    bool locked = fcntl(file, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    close(file);
    return locked;
}

bool launch_has_left(const char *folder) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/instances", folder);
    DIR *instances = opendir(path);
    bool any = false;
    for (struct dirent *entry; instances && (entry = readdir(instances));)
        any |= *entry->d_name != '.';
    if (instances)
        closedir(instances);
    return any;
}

/* ---- asking ---- */

int launch_connect(const char *folder, int *ret_socket) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/keeper.sock", dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0 ? -errno : 0;
    close(dir);
    if (error && fd >= 0)
        close(fd);
    if (!error)
        *ret_socket = fd;
    return error;
}

/* A conversation that waits for its answers. */
typedef struct Talk {
    Channel channel;
    WireFrame frame; /* the last one received */
} Talk;

static void talk_done(Talk *talk) {
    close(talk->channel.fd);
    channel_done(&talk->channel);
}

/* Sends all that is queued. */
static int talk_send(Talk *talk) {
    ssize_t left;
    while ((left = channel_send(&talk->channel)) > 0) {
        struct pollfd wait = {.fd = talk->channel.fd, .events = POLLOUT};
        if (poll(&wait, 1, PATIENCE_MILLIS) == 0)
            return -ETIMEDOUT;
    }
    return (int)left;
}

/* The next frame; `millis` from now at the latest. */
static int talk_receive(Talk *talk, int millis) {
    int *fds, result;
    while ((result = channel_next(&talk->channel, &talk->frame, &fds)) == 0) {
        struct pollfd wait = {.fd = talk->channel.fd, .events = POLLIN};
        if (poll(&wait, 1, millis) == 0)
            return -ETIMEDOUT;
        result = channel_receive(&talk->channel, true);
        if (result == 0)
            return -EPIPE;
        if (result < 0 && result != -EAGAIN)
            return result;
    }
    return result < 0 ? result : 0;
}

/* Sends, and receives the answer. */
static int talk_ask(Talk *talk) {
    int error = talk_send(talk);
    return error ? error : talk_receive(talk, PATIENCE_MILLIS);
}

static int talk_begin(const char *folder, Talk *ret_talk) {
    int fd, error = launch_connect(folder, &fd);
    if (error)
        return error == -ECONNREFUSED ? -ENOENT : error;
    channel_init(&ret_talk->channel, fd);
    size_t frame = wire_begin(&ret_talk->channel.out, WIRE_HELLO, 0);
    wire_add_number(&ret_talk->channel.out, WIRE_VERSION);
    wire_add_number(&ret_talk->channel.out, WIRE_COMMAND_ROLE);
    wire_end(&ret_talk->channel.out, frame);
    error = talk_ask(ret_talk);
    if (!error && ret_talk->frame.type != WIRE_WELCOME)
        error = -EPROTO;
    if (error)
        talk_done(ret_talk);
    return error;
}

int keeper_status(const char *folder, KeeperStatus *ret_status) {
    Talk talk;
    int error = talk_begin(folder, &talk);
    if (error)
        return error;
    WireReader welcome = {.rest = talk.frame.payload};
    wire_number(&welcome);
    KeeperStatus status = {.keeper.pid = (int64_t)wire_number(&welcome)};
    status.keeper.start_ticks = wire_number(&welcome);
    wire_end(&talk.channel.out, wire_begin(&talk.channel.out, WIRE_STATUS, 0));
    error = talk_ask(&talk);
    if (!error) {
        WireReader state = {.rest = talk.frame.payload};
        status.runtime_pid = (int64_t)wire_number(&state);
        status.runtime_ready = wire_number(&state);
        status.restarts = (uint32_t)wire_number(&state);
        status.runtime_exit = (int)(int64_t)wire_number(&state);
        status.processes = (uint32_t)wire_number(&state);
        error = talk.frame.type == WIRE_STATE && !state.bad ? 0 : -EPROTO;
    }
    talk_done(&talk);
    if (!error)
        *ret_status = status;
    return error;
}

/* ---- launching and ending ---- */

static void add_strings(Buf *out, const char *const *strings) {
    size_t count = 0;
    while (strings[count])
        count++;
    Span *spans = xcalloc(count + 1, sizeof *spans);
    for (size_t i = 0; i < count; i++)
        spans[i] = span_of(strings[i]);
    wire_add_strings(out, spans, count);
    free(spans);
}

void launch_add_runtime(Buf *out, const KeeperRuntime *runtime, bool start) {
    size_t frame = wire_begin(out, WIRE_RUNTIME, 0);
    wire_add_number(out, 0);
    wire_add_number(out, start);
    wire_add_text(out, span_of(runtime->program));
    add_strings(out, runtime->argv);
    add_strings(out, runtime->env ? runtime->env : (const char *const *)environ);
    wire_add_text(out, span_of(runtime->cwd));
    wire_add_text(out, span_of(runtime->log));
    wire_end(out, frame);
}

/* Has the keeper start the runtime. */
static int start_runtime(const char *folder, const KeeperRuntime *runtime) {
    Talk talk;
    int error = talk_begin(folder, &talk);
    if (error)
        return error;
    launch_add_runtime(&talk.channel.out, runtime, true);
    error = talk_ask(&talk);
    WireReader answer = {.rest = talk.frame.payload};
    wire_number(&answer);
    if (!error)
        error = (int)(int64_t)wire_number(&answer);
    talk_done(&talk);
    return error;
}

int launch_waiting(const char *folder, Buf *report) {
    int ready, error = launch_keeper(folder, &ready);
    if (error) {
        buf_printf(report, "cannot start the keeper: %s", strerror(-error));
        return error;
    }
    error = wait_ready(ready, report);
    close(ready);
    return error;
}

/* Whether an answer means a keeper that holds the lock but does not listen: not yet, or no more. */
static bool is_passing(int error) {
    return error == -ENOENT || error == -EPIPE || error == -ECONNRESET || error == -ESHUTDOWN;
}

int keeper_launch(const char *folder, const KeeperRuntime *runtime, Buf *report) {
    int error;
    for (int waited = 0; waited < PATIENCE_MILLIS; waited += PASSING_MILLIS) {
        error = launch_waiting(folder, report);
        if (error && error != -EBUSY)
            return error;
        /* Busy: somebody was quicker, or it has been there for long and may lack a runtime. */
        error = start_runtime(folder, runtime);
        if (!is_passing(error))
            break;
        poll(NULL, 0, PASSING_MILLIS);
    }
    if (error == -ESHUTDOWN)
        buf_add(report, SPAN("the one before it is still ending its processes: try again"));
    else if (error && error != -EALREADY)
        buf_printf(report, "%s", strerror(-error));
    return error;
}

int keeper_end(const char *folder, Nanos grace, Buf *report) {
    Talk talk;
    int error = talk_begin(folder, &talk);
    if (error == -ENOENT && launch_is_locked(folder))
        error = -ETIMEDOUT;
    if (error) {
        if (error != -ENOENT)
            buf_printf(report, "the keeper does not answer: %s", strerror(-error));
        return error;
    }
    size_t frame = wire_begin(&talk.channel.out, WIRE_LEAVE, 0);
    wire_add_number(&talk.channel.out, 0);
    wire_add_number(&talk.channel.out, true);
    wire_add_number(&talk.channel.out, (uint64_t)grace);
    wire_end(&talk.channel.out, frame);
    talk_send(&talk);
    /* It is gone when the connection is. */
    int millis = (int)(grace / NANOS_PER_MILLI) + 2 * PATIENCE_MILLIS;
    while ((error = talk_receive(&talk, millis)) == 0)
        continue;
    talk_done(&talk);
    if (error == -EPIPE || error == -ECONNRESET)
        return 0;
    buf_printf(report, "the keeper does not end: %s", strerror(-error));
    return error;
}

int keeper_end_orphans(const char *folder, Nanos grace, Buf *report) {
    if (!launch_has_left(folder) || launch_is_locked(folder))
        return -ENOENT;
    int error = launch_waiting(folder, report);
    return error == -EBUSY ? -ENOENT : error ? error : keeper_end(folder, grace, report);
}
