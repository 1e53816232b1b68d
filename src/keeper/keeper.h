/* The keeper's own pieces: private to the keeper program.
 *
 * One thread and one epoll set. Nothing here waits for the runtime: what it is to be told goes into
 * a queue with a bound, and a runtime that does not read is cut off, to be told everything anew
 * when it connects again. */
#pragma once

#include <limits.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/list.h"
#include "keeper/channel.h"
#include "keeper/spawn.h"
#include "os/process_host.h"
#include "os/procfs.h"

typedef struct Keeper Keeper;
typedef struct Process Process;
typedef struct Connection Connection;

/* A descriptor that is waited for: `ready` is called with epoll's events. */
typedef struct Watch {
    void (*ready)(struct Watch *watch, uint32_t events);
    int fd; /* -1: none */
} Watch;

/* ---- one output stream: our end of a pipe or terminal, and its ring ---- */

typedef struct Output {
    Process *process;
    ProcessStream stream;
    Watch watch;
    RingWriter ring; /* `header` is NULL where there is no such stream */
    int memory;      /* where the ring lies, if it has no file; -1 */
    uint64_t pipe;   /* inode of the pipe: how a new keeper finds it again; 0: a terminal */
    Link waiting;    /* in the keeper's list of those that have no room … */
    Nanos until;     /* … for so long (monotonic) */
    bool dropping;   /* patience has ended, and nobody has made room since */
} Output;

/* Watches an end that is ours from now on; the ring is there already. */
void output_open(Output *output, int fd);
/* Reads what is there, as far as there is room. */
void output_pump(Output *output);
/* Nothing can come any more. */
void output_end(Output *output);
/* Lets go of the end and the ring. */
void output_done(Output *output);
/* The reader has made room somewhere; patience of some may have ended. */
void outputs_resume(Keeper *keeper);
void outputs_expire(Keeper *keeper, Nanos now);
Nanos outputs_deadline(const Keeper *keeper);

/* ---- processes ---- */

struct Process {
    Keeper *keeper;
    Link link; /* in the keeper's processes, in the order of their start */
    char *id;
    char *label;
    size_t label_len;
    pid_t pid;
    uint64_t start_ticks;
    int64_t started_at; /* Unix nanoseconds, as all below */
    bool child;         /* ours to wait for; else taken over from a keeper that was killed */
    bool limited;       /* its limits are enforced */
    Watch pidfd;        /* watched where it is not our child */
    Output outputs[PROCESS_STREAMS];
    int input;    /* our end of its stdin; -1 */
    Watch notify; /* its NOTIFY_SOCKET */
    WireNotice notice;
    char status[PROCESS_STATUS_MAX];
    WireExit exit;
    char *cgroup; /* folder of its cgroup; NULL: none */
};

/* Starts what a frame asks for; `fds` stay the caller's. 0, or a negative errno with the step. */
int process_begin(Keeper *keeper, const WireStart *start, const int *fds, Process **ret_process,
                  ProcessStep *ret_step);
/* A process without anything but a name. */
Process *process_new(Keeper *keeper, const char *id, Span label);
Process *process_by_id(Keeper *keeper, Span id);
Process *process_by_pid(Keeper *keeper, pid_t pid);
/* Frees it after this round of the loop, leaving its files. */
void process_drop(Process *process);
/* The same, with its files. */
void process_forget(Process *process);
/* It ended: drains what it wrote, writes the exit down, tells. */
void process_ended(Process *process, bool known, int status, const struct rusage *usage);
/* Waits for one that is not our child; its pidfd is open. */
void process_watch(Process *process);
/* Asks a pidfd, ours or a runtime's, for the exit that is not known yet. */
void process_learn(Process *process, int pidfd);
bool pidfd_status(int pidfd, int *ret_status);
/* How many were signalled; negative errno, -ESRCH for none. */
int process_send(Process *process, int signal, ProcessScope scope);
/* Whether anything of its tree lives. */
bool process_has_members(Process *process);
size_t processes_alive(const Keeper *keeper);
/* As the protocol has it, and the descriptors that belong to it (not duplicated): their number. */
unsigned process_describe(const Process *process, WireProcess *ret_wire, int fds[WIRE_HOLDS]);

/* ---- records: what a new keeper needs to find the processes of one that was killed ---- */

/* Written before the process is there (`pid` 0 and all that is known), and again when it is, and
 * when it has ended. */
int record_write(const Process *process);
void record_remove(const Process *process);
/* Takes over all that is written down: those that live are watched, of the others the end is noted.
 */
void records_adopt(Keeper *keeper);
/* A runtime has handed over all it had: streams that nobody has any more are closed. */
void processes_settle(Keeper *keeper);
/* Takes over one that a runtime tells of; `fds` are ours, -1 where there is none. */
void process_hand_over(Keeper *keeper, const WireProcess *wire, const int fds[WIRE_HOLDS]);

/* ---- sd_notify ---- */

/* A socket for one process; its address, for NOTIFY_SOCKET, goes to `ret_name`. */
int notify_open(Process *process, char *ret_name, size_t room);
void notify_watch(Process *process);

/* ---- connections ---- */

/* Listens at keeper.sock. */
int connections_open(Keeper *keeper);
/* Cuts all off, sending what can be sent. */
void connections_close(Keeper *keeper);
/* Sends what was added in this round. */
void connections_flush(Keeper *keeper);

/* Tells the runtime, when one is connected. */
void tell_process(Process *process, bool just_started);
void tell_exit(const Process *process);
void tell_output(const Output *output);
void tell_notice(const Process *process);

/* A listening socket that is held for the runtime. */
typedef struct Held {
    Link link;
    int fd;
    char name[];
} Held;

/* ---- the runtime ---- */

typedef struct Runtime {
    char *program, *cwd, *log; /* program NULL: nobody has told how to start it */
    char **argv, **env;        /* NULL-terminated */
    pid_t pid;                 /* 0: none runs */
    bool child;                /* else it began before us, and its pidfd is watched */
    Watch pidfd;
    bool ready; /* it has said so */
    bool left;  /* it goes on purpose */
    uint32_t restarts;
    int64_t last_status; /* -1: none has ended by itself */
    Nanos restart_at;    /* 0: not due */
    Nanos backoff;
} Runtime;

/* The wait before the runtime is started again: RESTART_FIRST, doubled each time that it ended
 * without having become ready. */
#define RESTART_FIRST (20 * NANOS_PER_MILLI)
#define RESTART_MAX   (10 * NANOS_PER_SECOND)

void runtime_configure(Keeper *keeper, const WireRuntime *wire);
void runtime_start(Keeper *keeper);
/* A runtime has connected. */
void runtime_connected(Keeper *keeper, pid_t pid);
void runtime_ended(Keeper *keeper, int64_t status);
void runtime_done(Runtime *runtime);

/* ---- the loop ---- */

struct Keeper {
    int epoll;
    int folder, instances, rings; /* ".muster" and two in it */
    int lock;
    char boot_id[PROC_BOOT_ID];
    Watch listener, signals, room;
    Link connections;
    Connection *told; /* the runtime's; NULL */
    Link processes;
    bool settled; /* nothing more will be handed over */
    Link waiting; /* outputs without room */
    Link held;    /* listening sockets */
    Link dead;    /* freed after this round; links of what begins with or has `link` … */
    Runtime runtime;
    struct rlimit files; /* RLIMIT_NOFILE as we got it: what services get */
    char *cgroups;       /* our folder of the cgroup file system; NULL: none is writable */
    Nanos idle_since;    /* nothing to keep and nobody connected; 0: not so */
    bool ending;
    Nanos kill_at, give_up_at; /* while ending */
};

void watch_add(Keeper *keeper, Watch *watch, uint32_t events);
void watch_change(Keeper *keeper, Watch *watch, uint32_t events);
/* Closes the descriptor. No call comes any more, not even in this round. */
void watch_close(Keeper *keeper, Watch *watch);
/* The objects live on until the round is over, since epoll may still name their watches. */
void keeper_bury(Keeper *keeper, Link *link, void *object);

Nanos keeper_now(void);
void keeper_end_all(Keeper *keeper, Nanos grace);
/* A line into keeper.log. */
void keeper_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- cgroups (version 2), where one is writable ---- */

/* Finds out, and makes a folder of ours. */
void cgroups_open(Keeper *keeper);
/* Removes it, when it is empty. */
void cgroups_close(Keeper *keeper);
/* Makes one for a process, with its limits: true when all that are asked for are enforced. */
bool cgroup_make(Process *process, const WireStart *start);
void cgroup_remove(Process *process);
