/* Version 2 cgroups: a folder of ours below our own, and in it one for each process. They tell
 * exactly who descends from whom, and enforce limits where the controllers are ours to use. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "keeper/keeper.h"

#define CPU_PERIOD 100000 /* microseconds */

/* Writes a line into a file of a folder; whether that worked. */
static bool put(const char *folder, const char *name, const char *text) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    bool written = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
    if (file >= 0)
        close(file);
    return written;
}

static bool put_number(const char *folder, const char *name, uint64_t number) {
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return put(folder, name, text);
}

/* Finds where cgroup2 is mounted, and where in it we are. */
static bool find_own(char *out, size_t room) {
    char line[PATH_MAX * 2], mount[PATH_MAX] = "", path[PATH_MAX] = "";
    FILE *file = fopen("/proc/self/mounts", "re");
    while (file && !*mount && fgets(line, sizeof line, file))
        if (sscanf(line, "%*s %4095s cgroup2 ", mount) != 1 || !strstr(line, " cgroup2 "))
            *mount = 0;
    if (file)
        fclose(file);
    file = fopen("/proc/self/cgroup", "re");
    while (file && !*path && fgets(line, sizeof line, file))
        if (sscanf(line, "0::%4095s", path) != 1)
            *path = 0;
    if (file)
        fclose(file);
    if (!*mount || !*path)
        return false;
    int len = snprintf(out, room, "%s%s", mount, strcmp(path, "/") == 0 ? "" : path);
    return len > 0 && (size_t)len + 64 + PROCESS_ID_MAX < room;
}

/* Removes a keeper's folder with those in it, as far as they are empty. */
static void remove_folder(const char *path) {
    char inner[PATH_MAX];
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_type != DT_DIR || *entry->d_name == '.')
            continue;
        snprintf(inner, sizeof inner, "%.3800s/%s", path, entry->d_name);
        rmdir(inner);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

/* Removes what keepers that were killed have left, as far as it is empty. */
static void clean_up(const char *own) {
    char path[PATH_MAX];
    int pid;
    DIR *folder = opendir(own);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        ProcStat keeper;
        if (sscanf(entry->d_name, "muster-%d", &pid) != 1 ||
            (proc_stat(pid, &keeper) == 0 && keeper.state != 'Z'))
            continue;
        snprintf(path, sizeof path, "%.3800s/%s", own, entry->d_name);
        remove_folder(path);
    }
    if (folder)
        closedir(folder);
}

void cgroups_open(Keeper *keeper) {
    char own[PATH_MAX], made[PATH_MAX + 32];
    static const char *const controllers[] = {"+memory", "+cpu", "+pids"};
    const char *wanted = getenv("MUSTER_CGROUP");
    if ((wanted && strcmp(wanted, "0") == 0) || !find_own(own, sizeof own))
        return;
    clean_up(own);
    snprintf(made, sizeof made, "%s/muster-%d", own, (int)getpid());
    if (mkdir(made, 0755) != 0)
        return;
    for (size_t i = 0; i < 3; i++)
        if (put(own, "cgroup.subtree_control", controllers[i]))
            put(made, "cgroup.subtree_control", controllers[i]);
    keeper->cgroups = strdup(made);
}

void cgroups_close(Keeper *keeper) {
    if (keeper->cgroups)
        remove_folder(keeper->cgroups);
    free(keeper->cgroups);
    keeper->cgroups = NULL;
}

static bool set_limits(const char *folder, const WireStart *start) {
    bool all = true;
    if (start->memory_bytes)
        all &= put_number(folder, "memory.max", start->memory_bytes);
    if (start->processes)
        all &= put_number(folder, "pids.max", start->processes);
    if (start->cpu_millis) {
        char text[64];
        snprintf(text, sizeof text, "%" PRIu64 " %d", start->cpu_millis * (CPU_PERIOD / 1000),
                 CPU_PERIOD);
        all &= put(folder, "cpu.max", text);
    }
    return all;
}

bool cgroup_make(Process *process, const WireStart *start) {
    char path[PATH_MAX];
    bool none = !start->memory_bytes && !start->cpu_millis && !start->processes;
    if (!process->keeper->cgroups || (start->brief && none))
        return none;
    snprintf(path, sizeof path, "%s/%s", process->keeper->cgroups, process->id);
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return none;
    process->cgroup = strdup(path);
    return set_limits(path, start);
}

void cgroup_remove(Process *process) {
    if (process->cgroup)
        rmdir(process->cgroup);
    free(process->cgroup);
    process->cgroup = NULL;
}
