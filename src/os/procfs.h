/* What /proc tells of processes (proc(5)): who is who, who descends from whom, what they use. libc
 * only, since the keeper is made of nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct ProcStat {
    pid_t pid, parent, group, session;
    char state; /* R S D Z T … */
    char name[64];
    uint64_t start_ticks; /* since boot */
    uint64_t cpu_ticks;   /* user and system, with that of children it waited for */
    uint32_t threads;
    uint64_t resident; /* bytes */
    int exit_status;   /* of a zombie, as wait(2) has it; 0 where we may not know it */
} ProcStat;

/* -ESRCH: there is no such process (any more). */
int proc_stat(pid_t pid, ProcStat *ret_stat);

/* The process that had this pid and start time is there, and is no zombie. */
bool proc_is_alive(pid_t pid, uint64_t start_ticks);

/* Bytes read from and written to storage; zeroes where we may not know. */
void proc_io(pid_t pid, uint64_t *ret_read, uint64_t *ret_written);
uint32_t proc_open_files(pid_t pid);

/* Differs after each boot. */
#define PROC_BOOT_ID 37 /* with its NUL */
int proc_boot_id(char ret_id[PROC_BOOT_ID]);

/* The variable by which descendants are known when nothing else tells. */
#define PROC_MARKER "MUSTER_PROCESS="

/* Whose descendants to look for. */
typedef struct ProcTree {
    pid_t root; /* the process itself; its session has the same number */
    uint64_t start_ticks;
    const char *id; /* what PROC_MARKER has in their environment */
    pid_t reaper; /* who inherits orphans: the keeper; 0: not known, all processes are looked at */
    const char *cgroup; /* the file of its cgroup's processes, which knows best; NULL: none */
    /* Children of the reaper that are no orphans, and need not be looked at. */
    bool (*is_known)(void *owner, pid_t pid);
    void *owner;
} ProcTree;

/* The members of the tree that live, zombies excepted, the root first where it lives: at most
 * `room` are written, and their number is returned. A descendant is found by its ancestors; one
 * whose parent is gone by its session, and by the marker in its environment. */
#define PROC_TREE_MAX 4096
size_t proc_tree(const ProcTree *tree, ProcStat *out, size_t room);

/* Sends a signal to the very process that was found, should its number have been given to another
 * one since. */
int proc_signal(const ProcStat *process, int signal);
