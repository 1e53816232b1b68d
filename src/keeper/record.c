/* Records: a small text file per process in `instances/`, by which a new keeper finds the processes
 * of one that was killed. All numbers of the first line have a fixed width, so that it is written
 * over in one piece:
 *
 *     muster-process 1 pid 0000004711 start 00000000000001234567 exit 0 0 0000000000 00000000000000000000
 *     boot 6f5c…                        the boot in which that pid means something
 *     started 1795240651123456789       Unix nanoseconds
 *     streams 3 pipes 4097 4098 0       bits of ProcessStream; inodes
 *     cgroup /sys/fs/cgroup/…           or -
 *     label 77656200                    hexadecimal
 *
 * "exit" is followed by whether it has ended, whether it is known how, the wait status, and when.
 * A pid of 0 means: killed while starting it; the marker in the environment tells the rest. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "keeper/keeper.h"

#define RECORD_MAX (8 * 1024)

static const char *const STREAM_NAMES[PROCESS_STREAMS] = {"out", "err", "tty"};

/* ---- writing ---- */

int record_write(const Process *process) {
    char text[RECORD_MAX];
    unsigned streams = 0;
    for (int i = 0; i < PROCESS_STREAMS; i++)
        streams |= process->outputs[i].ring.header ? 1u << i : 0;
    int len =
        snprintf(text, sizeof text,
                 "muster-process 1 pid %010d start %020" PRIu64 " exit %d %d %010d %020" PRId64 "\n"
                 "boot %s\nstarted %020" PRId64 "\nstreams %u pipes %020" PRIu64 " %020" PRIu64
                 " %020" PRIu64 "\ncgroup %s\nlabel ",
                 (int)process->pid, process->start_ticks, (int)process->exit.ended,
                 (int)process->exit.known, process->exit.ended ? (int)process->exit.status : 0,
                 process->exit.at, process->keeper->boot_id, process->started_at, streams,
                 process->outputs[0].pipe, process->outputs[1].pipe, process->outputs[2].pipe,
                 process->cgroup ? process->cgroup : "-");
    for (size_t i = 0; i < process->label_len; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%02x",
                        (unsigned char)process->label[i]);
    text[len++] = '\n';
    int file =
        openat(process->keeper->instances, process->id, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return -errno;
    int error = pwrite(file, text, (size_t)len, 0) == len ? 0 : errno ? -errno : -EIO;
    close(file);
    return error;
}

void record_remove(const Process *process) {
    unlinkat(process->keeper->instances, process->id, 0);
}

/* ---- reading ---- */

typedef struct Record {
    int pid, ended, known, status;
    uint64_t start_ticks;
    int64_t ended_at, started_at;
    char boot_id[PROC_BOOT_ID];
    unsigned streams;
    uint64_t pipes[PROCESS_STREAMS];
    char cgroup[PATH_MAX];
    char label[PROCESS_LABEL_MAX];
    size_t label_len;
} Record;

static int hex(char c) {
    return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse(const char *text, Record *ret) {
    *ret = (Record){0};
    if (sscanf(text,
               "muster-process 1 pid %d start %" SCNu64 " exit %d %d %d %" SCNd64 "\n"
               "boot %36s\nstarted %" SCNd64 "\nstreams %u pipes %" SCNu64 " %" SCNu64 " %" SCNu64
               "\ncgroup %4095s",
               &ret->pid, &ret->start_ticks, &ret->ended, &ret->known, &ret->status, &ret->ended_at,
               ret->boot_id, &ret->started_at, &ret->streams, &ret->pipes[0], &ret->pipes[1],
               &ret->pipes[2], ret->cgroup) != 13)
        return false;
    const char *at = strstr(text, "\nlabel ");
    if (!at)
        return false;
    for (at += strlen("\nlabel "); hex(at[0]) >= 0 && hex(at[1]) >= 0; at += 2) {
        if (ret->label_len == sizeof ret->label)
            return false;
        ret->label[ret->label_len++] = (char)(hex(at[0]) << 4 | hex(at[1]));
    }
    return ret->pid >= 0 && *at == '\n';
}

static bool read_record(Keeper *keeper, const char *name, Record *ret_record) {
    char text[RECORD_MAX + 1];
    int file = openat(keeper->instances, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t len = file < 0 ? -1 : read(file, text, RECORD_MAX);
    if (file >= 0)
        close(file);
    if (len <= 0)
        return false;
    text[len] = 0;
    return parse(text, ret_record);
}

/* ---- taking over ---- */

/* Opens a pipe anew that a process has: where it was put, or else wherever it is. */
static int find_pipe(pid_t pid, int number, uint64_t inode) {
    char path[64];
    struct stat file;
    for (int i = -1; i < 64; i++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, i < 0 ? number : i);
        if (stat(path, &file) == 0 && S_ISFIFO(file.st_mode) && file.st_ino == inode)
            return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    }
    return -1;
}

static void resume_rings(Process *process, unsigned streams) {
    for (int i = 0; i < PROCESS_STREAMS; i++) {
        char name[PROCESS_ID_MAX + 5];
        snprintf(name, sizeof name, "%s.%s", process->id, STREAM_NAMES[i]);
        if (streams & 1u << i)
            ring_resume(process->keeper->rings, name, &process->outputs[i].ring);
    }
}

/* Opens a pidfd when the very process lives, or is a zombie that nobody has fetched. */
static bool identify(Process *process) {
    ProcStat stat;
    int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (fd < 0)
        return false;
    if (proc_stat(process->pid, &stat) < 0 || stat.start_ticks != process->start_ticks) {
        close(fd);
        return false;
    }
    process->pidfd.fd = fd;
    process_watch(process);
    return true;
}

/* Killed in the middle of a start: the process that has our marker and leads its session. */
static void find_by_marker(Process *process) {
    ProcTree tree = {.id = process->id, .root = -1};
    ProcStat *found = xmalloc(PROC_TREE_MAX * sizeof *found);
    size_t count = proc_tree(&tree, found, PROC_TREE_MAX);
    for (size_t i = 0; i < count; i++)
        if (found[i].session == found[i].pid && !process->pid) {
            process->pid = found[i].pid;
            process->start_ticks = found[i].start_ticks;
        }
    free(found);
}

static void adopt(Keeper *keeper, const char *name, const Record *record) {
    Process *process = process_new(keeper, name, span(record->label, record->label_len));
    process->pid = record->pid;
    process->start_ticks = record->start_ticks;
    process->started_at = record->started_at;
    if (strcmp(record->cgroup, "-") != 0)
        process->cgroup = strdup(record->cgroup);
    for (int i = 0; i < PROCESS_STREAMS; i++)
        process->outputs[i].pipe = record->pipes[i];
    resume_rings(process, record->streams);
    if (record->ended) {
        process->exit = (WireExit){.ended = true,
                                   .known = record->known,
                                   .status = record->status,
                                   .at = record->ended_at};
        return;
    }
    bool same_boot = strcmp(record->boot_id, keeper->boot_id) == 0;
    if (same_boot && !process->pid)
        find_by_marker(process);
    if (!same_boot || !process->pid || !identify(process)) {
        process_ended(process, false, 0, NULL);
        return;
    }
    for (int i = 0; i < 2; i++) {
        int fd = process->outputs[i].ring.header
                     ? find_pipe(process->pid, i + 1, process->outputs[i].pipe)
                     : -1;
        if (fd >= 0)
            output_open(&process->outputs[i], fd);
    }
}

void records_adopt(Keeper *keeper) {
    int copy = openat(keeper->folder, "instances", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        Record record;
        if (*entry->d_name == '.' || strlen(entry->d_name) > PROCESS_ID_MAX)
            continue;
        if (read_record(keeper, entry->d_name, &record))
            adopt(keeper, entry->d_name, &record);
        else
            keeper_note("instances/%s is not a record, and left alone", entry->d_name);
    }
    if (folder)
        closedir(folder);
}

/* It is all together: what is missing now will not come back. */
void processes_settle(Keeper *keeper) {
    keeper->settled = true;
    LIST_EACH (&keeper->processes, link) {
        Process *process = CONTAINER(link, Process, link);
        for (int i = 0; i < PROCESS_STREAMS; i++)
            if (process->exit.ended && process->outputs[i].watch.fd < 0)
                output_end(&process->outputs[i]);
    }
}

/* Gives the process what the runtime held and the record could not bring back. */
static void complete(Process *process, const WireProcess *wire, const int fds[WIRE_HOLDS]) {
    bool alive = !process->exit.ended;
    for (int i = 0; i < WIRE_HOLDS; i++) {
        int fd = fds[i];
        int stream = i - WIRE_HOLD_STREAM;
        if (fd < 0)
            continue;
        if (i == WIRE_HOLD_PIDFD) {
            process_learn(process, fd);
            close(fd);
        } else if (stream >= 0 && stream < PROCESS_STREAMS &&
                   process->outputs[stream].watch.fd < 0 && process->outputs[stream].ring.header &&
                   !process->outputs[stream].ring.header->closed) {
            output_open(&process->outputs[stream], fd);
        } else if (i == WIRE_HOLD_INPUT && process->input < 0 && alive) {
            process->input = fd;
        } else if (i == WIRE_HOLD_NOTIFY && process->notify.fd < 0 && alive) {
            process->notify.fd = fd;
            notify_watch(process);
        } else {
            close(fd);
        }
    }
    WireNotice notice = wire->notice;
    if (alive && !process->notice.ready) {
        process->notice = notice;
        snprintf(process->status, sizeof process->status, "%.*s", SPAN_ARGS(notice.status));
        process->notice.status = span_of(process->status);
    }
}

void process_hand_over(Keeper *keeper, const WireProcess *wire, const int fds[WIRE_HOLDS]) {
    Process *process = process_by_id(keeper, wire->id);
    if (!process) { /* its record is lost: the runtime knows as much */
        process = process_new(keeper, wire->id.ptr, wire->label);
        process->pid = (pid_t)wire->pid;
        process->start_ticks = wire->start_ticks;
        process->started_at = wire->started_at;
        process->exit = wire->exit;
        resume_rings(process, (unsigned)wire->streams);
    }
    if (!process->exit.ended && process->pidfd.fd < 0 && !identify(process))
        process_ended(process, false, 0, NULL);
    complete(process, wire, fds);
    record_write(process);
}
