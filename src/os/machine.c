#include "os/machine.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"

#define TCP_LISTEN 0x0a

/* Whole, up to `room`; the number of bytes or a negative errno. */
static ssize_t read_file(const char *path, char *out, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t len = 0;
    ssize_t got;
    while (len < room && (got = read(fd, out + len, room - len)) > 0)
        len += (size_t)got;
    close(fd);
    return (ssize_t)len;
}

/* ---- sockets ---- */

typedef struct ListeningSocket {
    uint16_t port;
    uint64_t inode;
} ListeningSocket;
typedef ARRAY(ListeningSocket) ListeningSockets;

/* Only what can be reached by 127.0.0.1 counts: that, 0.0.0.0, ::1 or ::. */
static void add_listening(int family, const uint32_t address[4], uint16_t port, uint64_t inode,
                          ListeningSockets *out) {
    bool local = family == AF_INET
                     ? !address[0] || ntohl(address[0]) >> 24 == IN_LOOPBACKNET
                     : !address[0] && !address[1] && !address[2] && ntohl(address[3]) <= 1;
    if (local)
        *array_push(out) = (ListeningSocket){port, inode};
}

/* Takes what one datagram of the kernel says; more follows while it answers 1. 0: that was all;
 * negative: it cannot tell. */
static int take_answer(const char *data, size_t len, ListeningSockets *out) {
    const struct nlmsghdr *header = (const struct nlmsghdr *)data;
    for (; NLMSG_OK(header, len); header = NLMSG_NEXT(header, len)) {
        if (header->nlmsg_type == NLMSG_DONE)
            return 0;
        const struct inet_diag_msg *found = NLMSG_DATA(header);
        if (header->nlmsg_type == NLMSG_ERROR || header->nlmsg_len < NLMSG_LENGTH(sizeof *found))
            return -EPROTO;
        add_listening(found->idiag_family, found->id.idiag_src, ntohs(found->id.idiag_sport),
                      found->idiag_inode, out);
    }
    return 1;
}

/* By sock_diag(7), which looks at listening sockets alone. */
static bool ask_listening(uint8_t family, ListeningSockets *out) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } ask = {
        .header = {.nlmsg_len = sizeof ask,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.sdiag_family = family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = 1U << TCP_LISTEN},
    };
    _Alignas(struct nlmsghdr) char answer[16 * 1024];
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int more = fd >= 0 && send(fd, &ask, sizeof ask, 0) == sizeof ask ? 1 : -1;
    while (more > 0) {
        ssize_t len = recv(fd, answer, sizeof answer, 0);
        more = len > 0 ? take_answer(answer, (size_t)len, out) : -1;
    }
    if (fd >= 0)
        close(fd);
    return more == 0;
}

/* A line of /proc/net/tcp: "sl local:port remote:port state … uid timeout inode". */
static void read_line(const char *line, int family, ListeningSockets *out) {
    uint32_t address[4] = {0};
    unsigned port, state;
    uint64_t inode;
    const char *at = strchr(line, ':');
    if (!at)
        return;
    at += strspn(at, ": ");
    for (int i = 0; i < (family == AF_INET ? 1 : 4); i++, at += 8)
        if (sscanf(at, "%8" SCNx32, &address[i]) != 1)
            return;
    if (sscanf(at, ":%4x %*[^:]:%*4x %2x %*s %*s %*s %*s %*s %" SCNu64, &port, &state, &inode) ==
            3 &&
        state == TCP_LISTEN)
        add_listening(family, address, (uint16_t)port, inode, out);
}

/* The same where the kernel lacks sock_diag, at the price of a look at all connections. */
static void read_file_of(const char *path, int family, ListeningSockets *out) {
    FILE *file = fopen(path, "re");
    char line[512];
    while (file && fgets(line, sizeof line, file))
        read_line(line, family, out);
    if (file)
        fclose(file);
}

static void read_listening(ListeningSockets *out) {
    if (!ask_listening(AF_INET, out))
        read_file_of("/proc/net/tcp", AF_INET, out);
    if (!ask_listening(AF_INET6, out))
        read_file_of("/proc/net/tcp6", AF_INET6, out);
}

/* The inode of the socket that a descriptor of a process is; 0 when it is none. */
static uint64_t socket_inode(int folder, const char *name) {
    char target[64];
    ssize_t len = readlinkat(folder, name, target, sizeof target - 1);
    uint64_t inode;
    if (len <= 0)
        return 0;
    target[len] = 0;
    return sscanf(target, "socket:[%" SCNu64 "]", &inode) == 1 ? inode : 0;
}

/* Calls back for each socket that a process holds, until it answers true. */
static bool each_socket(int64_t pid, bool (*see)(void *owner, uint64_t inode), void *owner) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd", pid);
    DIR *folder = opendir(path);
    bool found = false;
    for (const struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        uint64_t inode = socket_inode(dirfd(folder), entry->d_name);
        found = inode && see(owner, inode);
    }
    if (folder)
        closedir(folder);
    return found;
}

static bool is_that(void *owner, uint64_t inode) {
    return *(const uint64_t *)owner == inode;
}

static int64_t holder_of(uint64_t inode) {
    DIR *proc = opendir("/proc");
    int64_t pid = 0;
    for (const struct dirent *entry; proc && !pid && (entry = readdir(proc));) {
        char *end;
        long long number = strtoll(entry->d_name, &end, 10);
        if (number > 0 && !*end && each_socket(number, is_that, &inode))
            pid = number;
    }
    if (proc)
        closedir(proc);
    return pid;
}

/* ---- processes ---- */

static void read_link_of(int64_t pid, const char *what, char *out, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/%s", pid, what);
    ssize_t len = readlink(path, out, room - 1);
    out[len > 0 ? len : 0] = 0;
}

static size_t read_text_of(int64_t pid, const char *what, char *out, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/%s", pid, what);
    ssize_t len = read_file(path, out, room - 1);
    size_t size = len > 0 ? (size_t)len : 0;
    out[size] = 0;
    return size;
}

/* Field 22 of /proc/PID/stat, counted behind the name, which may hold anything; 0 when the process
 * is gone, or dead and only not waited for. */
static uint64_t start_ticks(int64_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    ssize_t len = read_file(path, text, sizeof text - 1);
    if (len <= 0)
        return 0;
    text[len] = 0;
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
        return 0;
    at += 2; /* field 3 */
    for (int field = 3; field < 22 && at; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at ? strtoull(at, NULL, 10) : 0;
}

static int machine_process(int64_t pid, MachineProcess *ret) {
    struct stat folder;
    char path[64];
    *ret = (MachineProcess){.identity = {pid, start_ticks(pid)}, .uid = -1};
    if (!ret->identity.start_ticks)
        return -ESRCH;
    snprintf(path, sizeof path, "/proc/%" PRId64, pid);
    if (stat(path, &folder) == 0)
        ret->uid = folder.st_uid;
    read_link_of(pid, "exe", ret->executable, sizeof ret->executable);
    read_link_of(pid, "cwd", ret->cwd, sizeof ret->cwd);
    ret->command_size = read_text_of(pid, "cmdline", ret->command, sizeof ret->command);
    ret->environment_size = read_text_of(pid, "environ", ret->environment, sizeof ret->environment);
    return 0;
}

static int machine_listener(uint16_t port, MachineProcess *ret) {
    ListeningSockets sockets = {0};
    read_listening(&sockets);
    int result = -ENOENT;
    for (size_t i = 0; i < sockets.count && result; i++) {
        if (sockets.items[i].port != port)
            continue;
        int64_t pid = holder_of(sockets.items[i].inode);
        result = 0;
        if (!pid || machine_process(pid, ret) < 0)
            *ret = (MachineProcess){.uid = -1};
    }
    array_done(&sockets);
    return result;
}

static bool machine_lives(const ProcessIdentity *identity) {
    return start_ticks(identity->pid) == identity->start_ticks;
}

/* The pidfd is opened before the start time is looked at, so it stays with the process that was
 * meant. */
static int machine_signal(const ProcessIdentity *identity, int signal) {
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)identity->pid, 0);
    if (fd < 0)
        return -errno;
    int result = -ESRCH;
    if (machine_lives(identity))
        result = syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0 ? -errno : 0;
    close(fd);
    return result;
}

/* ---- ports ---- */

static bool machine_port_is_free(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* What is left of closed connections does not count. */
    bool result = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                  bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return result;
}

static void add_port(uint16_t port, uint16_t *out, size_t *count, size_t room) {
    size_t at = 0;
    while (at < *count && out[at] < port)
        at++;
    if ((at < *count && out[at] == port) || *count == room)
        return;
    memmove(out + at + 1, out + at, (*count - at) * sizeof *out);
    out[at] = port;
    ++*count;
}

typedef ARRAY(uint64_t) Inodes;

static bool note_socket(void *owner, uint64_t inode) {
    *array_push((Inodes *)owner) = inode;
    return false;
}

/* Most processes have no socket, and then nobody has to be asked which of all sockets listen. */
static size_t machine_ports(const int64_t *pids, size_t count, uint16_t *out, size_t room) {
    Inodes held = {0};
    ListeningSockets listening = {0};
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        each_socket(pids[i], note_socket, &held);
    if (held.count)
        read_listening(&listening);
    for (size_t i = 0; i < listening.count; i++)
        for (size_t k = 0; k < held.count; k++)
            if (held.items[k] == listening.items[i].inode)
                add_port(listening.items[i].port, out, &found, room);
    array_done(&listening);
    array_done(&held);
    return found;
}

static int machine_self(Nanos *ret_cpu, uint64_t *ret_memory_bytes) {
    char text[256];
    struct timespec cpu;
    unsigned long long pages;
    ssize_t len = read_file("/proc/self/statm", text, sizeof text - 1);
    if (len < 0 || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) < 0)
        return len < 0 ? (int)len : -errno;
    text[len] = 0;
    if (sscanf(text, "%*u %llu", &pages) != 1)
        return -EPROTO;
    *ret_cpu = cpu.tv_sec * NANOS_PER_SECOND + cpu.tv_nsec;
    *ret_memory_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

const Machine MACHINE = {
    .listener = machine_listener,
    .process = machine_process,
    .port_is_free = machine_port_is_free,
    .lives = machine_lives,
    .signal = machine_signal,
    .ports = machine_ports,
    .self = machine_self,
};

Span machine_variable(const MachineProcess *process, Span name) {
    const char *at = process->environment, *end = at + process->environment_size;
    while (at < end) {
        size_t len = strnlen(at, (size_t)(end - at));
        if (len > name.len && at[name.len] == '=' && memcmp(at, name.ptr, name.len) == 0)
            return span(at + name.len + 1, len - name.len - 1);
        at += len + 1;
    }
    return (Span){0};
}

size_t machine_command_text(const MachineProcess *process, char *out, size_t room) {
    size_t len = process->command_size < room - 1 ? process->command_size : room - 1;
    memcpy(out, process->command, len);
    while (len && !out[len - 1])
        len--;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)out[i] < ' ')
            out[i] = ' ';
    out[len] = 0;
    return len;
}
