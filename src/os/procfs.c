#include "os/procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How much of an environment is searched. */
#define ENVIRONMENT_MAX (128 * 1024)

/* Reads a small file whole: its length, or a negative errno. */
static ssize_t read_file(const char *path, char *out, size_t room) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return -errno;
    size_t len = 0;
    ssize_t got;
    while (len < room - 1 && (got = read(descriptor, out + len, room - 1 - len)) > 0)
        len += (size_t)got;
    ssize_t result = got < 0 ? -errno : (ssize_t)len;
    close(descriptor);
    out[len] = 0;
    return result;
}

/* ---- one process ---- */

/* Numbers of /proc/PID/stat that we want, by their place in proc(5). */
enum {
    PARENT = 4,
    GROUP = 5,
    SESSION = 6,
    UTIME = 14,
    STIME = 15,
    CUTIME = 16,
    CSTIME = 17,
    THREADS = 20,
    START = 22,
    RSS = 24,
    EXIT = 52,
};

/* The name stands in brackets, and may hold any of these itself. */
static int parse_stat(char *text, ProcStat *ret_stat) {
    char *open = strchr(text, '('), *end = strrchr(text, ')');
    if (!open || !end || end[1] != ' ' || !end[2])
        return -ESRCH;
    uint64_t fields[EXIT + 1] = {0};
    *end = 0;
    char *at = end + 3;
    for (int i = PARENT; i <= EXIT && *at; i++)
        fields[i] = strtoull(at, &at, 10);
    *ret_stat = (ProcStat){
        .pid = (pid_t)strtol(text, NULL, 10),
        .parent = (pid_t)fields[PARENT],
        .group = (pid_t)fields[GROUP],
        .session = (pid_t)fields[SESSION],
        .state = end[2],
        .start_ticks = fields[START],
        .cpu_ticks = fields[UTIME] + fields[STIME] + fields[CUTIME] + fields[CSTIME],
        .threads = (uint32_t)fields[THREADS],
        .resident = fields[RSS] * (uint64_t)getpagesize(),
        .exit_status = (int)fields[EXIT],
    };
    snprintf(ret_stat->name, sizeof ret_stat->name, "%s", open + 1);
    return 0;
}

int proc_stat(pid_t pid, ProcStat *ret_stat) {
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return read_file(path, text, sizeof text) > 0 ? parse_stat(text, ret_stat) : -ESRCH;
}

bool proc_is_alive(pid_t pid, uint64_t start_ticks) {
    ProcStat stat;
    return proc_stat(pid, &stat) == 0 && stat.start_ticks == start_ticks && stat.state != 'Z' &&
           stat.state != 'X';
}

static uint64_t labelled(const char *text, const char *label) {
    const char *at = strstr(text, label);
    return at ? strtoull(at + strlen(label), NULL, 10) : 0;
}

void proc_io(pid_t pid, uint64_t *ret_read, uint64_t *ret_written) {
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
    if (read_file(path, text, sizeof text) < 0)
        *text = 0;
    *ret_read = labelled(text, "\nread_bytes: ");
    *ret_written = labelled(text, "\nwrite_bytes: ");
}

uint32_t proc_open_files(pid_t pid) {
    char path[32];
    struct stat folder;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    if (stat(path, &folder) == 0 && folder.st_size > 0) /* since Linux 6.2 that is their number */
        return (uint32_t)folder.st_size;
    DIR *open = opendir(path);
    uint32_t count = 0;
    while (open && readdir(open))
        count++;
    if (open)
        closedir(open);
    return count > 2 ? count - 2 : 0;
}

int proc_boot_id(char ret_id[PROC_BOOT_ID]) {
    ssize_t len = read_file("/proc/sys/kernel/random/boot_id", ret_id, PROC_BOOT_ID);
    return len == PROC_BOOT_ID - 1 ? 0 : len < 0 ? (int)len : -EPROTO;
}

/* ---- trees ---- */

typedef struct Search {
    const ProcTree *tree;
    ProcStat *found;
    size_t count, room;
    char *environment; /* made when it is first needed */
} Search;

static bool has(const Search *search, pid_t pid) {
    for (size_t i = 0; i < search->count; i++)
        if (search->found[i].pid == pid)
            return true;
    return false;
}

static void add(Search *search, const ProcStat *stat) {
    if (stat->state != 'Z' && stat->state != 'X' && search->count < search->room &&
        !has(search, stat->pid))
        search->found[search->count++] = *stat;
}

static bool is_marked(Search *search, pid_t pid) {
    char path[32];
    if (!search->environment && !(search->environment = malloc(ENVIRONMENT_MAX)))
        return false;
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    ssize_t len = read_file(path, search->environment, ENVIRONMENT_MAX);
    for (const char *at = search->environment; len > 0;) {
        size_t size = strlen(at) + 1;
        if (strncmp(at, PROC_MARKER, strlen(PROC_MARKER)) == 0)
            return strcmp(at + strlen(PROC_MARKER), search->tree->id) == 0;
        len -= (ssize_t)size;
        at += size;
    }
    return false;
}

/* Of a process that has no ancestor in the tree. */
static void add_if_ours(Search *search, pid_t pid) {
    const ProcTree *tree = search->tree;
    ProcStat stat;
    if (has(search, pid) || (tree->is_known && tree->is_known(tree->owner, pid)) ||
        proc_stat(pid, &stat) < 0 || stat.start_ticks < tree->start_ticks || stat.state == 'Z')
        return;
    if (stat.session == tree->root || is_marked(search, pid))
        add(search, &stat);
}

static void add_any(Search *search, pid_t pid) {
    ProcStat stat;
    if (!has(search, pid) && proc_stat(pid, &stat) == 0)
        add(search, &stat);
}

/* Calls for each number in a file of numbers; false when it cannot be read. */
static bool each_number(const char *path, Search *search, void (*call)(Search *, pid_t)) {
    FILE *file = fopen(path, "re");
    int pid;
    while (file && fscanf(file, "%d", &pid) == 1)
        call(search, pid);
    if (file)
        fclose(file);
    return file != NULL;
}

/* Calls for each child. */
static void each_child(pid_t pid, Search *search, void (*call)(Search *, pid_t)) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        snprintf(path, sizeof path, "/proc/%d/task/%.15s/children", (int)pid, task->d_name);
        if (isdigit((unsigned char)*task->d_name))
            each_number(path, search, call);
    }
    if (tasks)
        closedir(tasks);
}

static void each_process(Search *search, void (*call)(Search *, pid_t)) {
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));)
        if (isdigit((unsigned char)*entry->d_name))
            call(search, (pid_t)strtol(entry->d_name, NULL, 10));
    if (proc)
        closedir(proc);
}

static void add_if_child(Search *search, pid_t pid) {
    ProcStat stat;
    if (!has(search, pid) && proc_stat(pid, &stat) == 0 && has(search, stat.parent))
        add(search, &stat);
}

/* Whether this kernel tells of children (CONFIG_PROC_CHILDREN); else all processes are looked at. */
static bool knows_children(void) {
    return access("/proc/thread-self/children", F_OK) == 0;
}

/* Adds the descendants of all that are found already. */
static void add_descendants(Search *search) {
    if (knows_children()) {
        for (size_t i = 0; i < search->count; i++)
            each_child(search->found[i].pid, search, add_any);
        return;
    }
    for (size_t before = 0; before != search->count;) {
        before = search->count;
        each_process(search, add_if_child);
    }
}

size_t proc_tree(const ProcTree *tree, ProcStat *out, size_t room) {
    Search search = {.tree = tree, .found = out, .room = room};
    ProcStat root;
    if (tree->root > 0 && proc_stat(tree->root, &root) == 0 &&
        root.start_ticks == tree->start_ticks)
        add(&search, &root);
    if (tree->cgroup && each_number(tree->cgroup, &search, add_any))
        return search.count;
    if (tree->reaper && knows_children())
        each_child(tree->reaper, &search, add_if_ours);
    else
        each_process(&search, add_if_ours);
    add_descendants(&search);
    free(search.environment);
    return search.count;
}

int proc_signal(const ProcStat *process, int signal) {
    int descriptor = (int)syscall(SYS_pidfd_open, process->pid, 0);
    if (descriptor < 0)
        return -errno;
    ProcStat now;
    int error = -ESRCH;
    if (proc_stat(process->pid, &now) == 0 && now.start_ticks == process->start_ticks)
        error = syscall(SYS_pidfd_send_signal, descriptor, signal, NULL, 0) == 0 ? 0 : -errno;
    close(descriptor);
    return error;
}
