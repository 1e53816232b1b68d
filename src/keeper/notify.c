/* sd_notify(3): a datagram socket per process, in the abstract name space, so that no path is too
 * long for it. Its peers are known by the kernel's word alone (SCM_CREDENTIALS). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "keeper/keeper.h"

#define MESSAGE_MAX 4096
/* How far up we look for the process among the sender's ancestors. */
#define ANCESTORS_MAX 16
/* Messages taken in one turn. */
#define ROUNDS 16

int notify_open(Process *process, char *ret_name, size_t room) {
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t length = sizeof at.sun_family; /* the kernel chooses a name: unix(7), "Autobind" */
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&at, length) != 0 ||
        (length = sizeof at, getsockname(fd, (struct sockaddr *)&at, &length)) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    int len = (int)(length - offsetof(struct sockaddr_un, sun_path)) - 1;
    snprintf(ret_name, room, "NOTIFY_SOCKET=@%.*s", len, at.sun_path + 1);
    process->notify.fd = fd;
    return 0;
}

/* The process itself or a descendant; what has ended meanwhile is nobody. */
static bool is_of(const Process *process, pid_t pid) {
    ProcStat stat;
    for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
        if (pid == process->pid)
            return true;
        if (proc_stat(pid, &stat) < 0)
            return false;
        if (stat.session == process->pid)
            return true;
        pid = stat.parent;
    }
    return false;
}

/* Text that people will see: as much as there is room for. */
static void take_status(Process *process, Span text) {
    size_t len = text.len < sizeof process->status ? text.len : sizeof process->status - 1;
    for (size_t i = 0; i < len; i++)
        process->status[i] = text.ptr[i] ? text.ptr[i] : ' ';
    process->status[len] = 0;
    process->notice.status = span(process->status, len);
}

static bool value_of(Span line, const char *name, Span *ret_value) {
    if (!span_starts(line, span_of(name)))
        return false;
    *ret_value = span_skip(line, strlen(name));
    return true;
}

static int64_t number_of(Span text) {
    char digits[24] = {0};
    if (text.len < sizeof digits)
        memcpy(digits, text.ptr ? text.ptr : "", text.len);
    return strtoll(digits, NULL, 10);
}

static void take_line(Process *process, Span line) {
    WireNotice *notice = &process->notice;
    Span value;
    if (span_equal(line, SPAN("READY=1"))) {
        notice->ready = true;
        notice->reloading = false;
    } else if (span_equal(line, SPAN("RELOADING=1"))) {
        notice->reloading = true;
    } else if (span_equal(line, SPAN("STOPPING=1"))) {
        notice->stopping = true;
    } else if (span_equal(line, SPAN("WATCHDOG=1"))) {
        notice->watchdogs++;
    } else if (span_equal(line, SPAN("WATCHDOG=trigger"))) {
        notice->watchdog_trigger = true;
    } else if (value_of(line, "STATUS=", &value)) {
        take_status(process, value);
    } else if (value_of(line, "MAINPID=", &value)) {
        notice->main_pid = number_of(value);
    } else if (value_of(line, "WATCHDOG_USEC=", &value)) {
        notice->watchdog_usec = number_of(value);
    }
}

static void take_message(Process *process, Span text) {
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        take_line(process, span(text.ptr, len));
        text = span_skip(text, len + 1);
    }
}

/* Closes what was sent along (BARRIER=1 waits for just that); gives the sender, or 0. */
static pid_t take_control(struct msghdr *message) {
    pid_t pid = 0;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        if (at->cmsg_level != SOL_SOCKET)
            continue;
        if (at->cmsg_type == SCM_CREDENTIALS) {
            struct ucred who;
            memcpy(&who, CMSG_DATA(at), sizeof who);
            pid = who.pid;
        } else if (at->cmsg_type == SCM_RIGHTS) {
            size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < count; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
                close(fd);
            }
        }
    }
    return pid;
}

static void on_notify(Watch *watch, uint32_t events) {
    Process *process = CONTAINER(watch, Process, notify);
    bool heard = false;
    for (int i = 0; i < ROUNDS; i++) {
        char text[MESSAGE_MAX];
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(8 * sizeof(int))];
        } control;
        struct iovec piece = {text, sizeof text};
        struct msghdr message = {
            .msg_iov = &piece,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof control,
        };
        ssize_t len = recvmsg(watch->fd, &message, MSG_CMSG_CLOEXEC);
        if (len < 0)
            break;
        pid_t pid = take_control(&message);
        if (!(message.msg_flags & MSG_TRUNC) && is_of(process, pid)) {
            take_message(process, span(text, (size_t)len));
            heard = true;
        }
    }
    if (heard)
        tell_notice(process);
}

void notify_watch(Process *process) {
    process->notify.ready = on_notify;
    watch_add(process->keeper, &process->notify, EPOLLIN);
}
