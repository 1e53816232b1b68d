/* Processes: the seam through which the runtime starts, signals and watches them.
 *
 * Behind it stands either the keeper (keeper/keeper_client.h), the separate program that is the
 * parent of all services and outlives the runtime; or a simulation (os/simulated_process.h), in
 * which processes are scripts. What is true for both:
 *
 * A process is known by its id, which the caller chooses: one life of one instance. It stays known,
 * with its exit and its output, until process_release, whatever happens to the runtime in between;
 * a runtime that starts anew finds all that it has not released (process_next). Each has a session
 * and process group of its own; its tree is it and its descendants, also those that left the
 * session (setsid) or whose parent is gone.
 *
 * Handlers are called from the loop, never from inside a function of this header; all functions may
 * be called from inside them. All calls from the World's thread. Times are Unix nanoseconds. */
#pragma once

#include "os/ring.h"
#include "os/world.h"

#define PROCESS_ID_MAX        128
#define PROCESS_LABEL_MAX     1024
#define PROCESS_STATUS_MAX    256           /* of the text of STATUS= */
#define PROCESS_SPEC_MAX      (1024 * 1024) /* arguments, environment and all, in bytes */
#define PROCESS_INPUT_MAX     (64 * 1024)   /* input that waits to be read by a process */
#define PROCESS_FDS_MAX       32
#define PROCESS_FD_TARGET_MAX 1023
#define PROCESS_RLIMITS_MAX   16

typedef struct ProcessHost ProcessHost;

/* Output streams. A terminal has both in one, PROCESS_TERMINAL. */
typedef enum ProcessStream {
    PROCESS_STDOUT,
    PROCESS_STDERR,
    PROCESS_TERMINAL,
    PROCESS_STREAMS,
} ProcessStream;

/* A limit of setrlimit(2). */
typedef struct ProcessRlimit {
    int resource;        /* RLIMIT_… */
    uint64_t soft, hard; /* RLIM_INFINITY as the kernel has it */
} ProcessRlimit;

/* What a whole tree may use, enforced by a cgroup where one can be made; 0 = no limit. */
typedef struct ProcessLimits {
    uint64_t memory_bytes;
    uint32_t cpu_millis; /* thousandths of one processor */
    uint32_t processes;  /* and threads */
} ProcessLimits;

/* A descriptor of ours that the process gets as number `target` (>= 3). */
typedef struct ProcessFd {
    int fd;
    int target;
} ProcessFd;

typedef struct ProcessSpec {
    Span id;    /* [A-Za-z0-9._-], not beginning with '.', up to PROCESS_ID_MAX; never used twice */
    Span label; /* any bytes, up to PROCESS_LABEL_MAX: what a new runtime should know of it */
    const Span *argv; /* the first is a path, or looked for in PATH of `env` */
    size_t argv_count;
    const Span *env; /* all of it: "NAME=value" */
    size_t env_count;
    Span cwd;               /* absolute */
    bool terminal;          /* it gets one; else pipes */
    uint16_t rows, columns; /* of the terminal; 0: 24 and 80 */
    bool input;             /* without a terminal: stdin is a pipe, open until process_end_input;
                               * else it is /dev/null */
    bool notify;            /* it gets a NOTIFY_SOCKET (sd_notify(3)) */
    size_t ring_size;       /* bytes kept per stream until they are taken; 0 = RING_DEFAULT */
    bool brief;             /* it runs often and for a moment, as checks do: its output lies in
                             * memory, lost should the keeper be killed, and it gets no cgroup.
                             * Both would take longer than such a program itself */
    const ProcessRlimit *rlimits;
    size_t rlimit_count; /* up to PROCESS_RLIMITS_MAX */
    ProcessLimits limits;
    const ProcessFd *fds; /* besides these it has 0, 1 and 2 and nothing else */
    size_t fd_count;      /* up to PROCESS_FDS_MAX. With LISTEN_FDS in `env`, LISTEN_PID is added */
} ProcessSpec;

/* How far starting a process came: what failed. */
typedef enum ProcessStep {
    PROCESS_STEP_NONE,
    PROCESS_STEP_KEEPER, /* the keeper cannot be reached or started */
    PROCESS_STEP_SPEC,   /* the spec is not valid; -EEXIST: the id is in use */
    PROCESS_STEP_RING,   /* the output rings: -ENOSPC above all */
    PROCESS_STEP_PIPE,   /* pipes, the notify socket */
    PROCESS_STEP_TERMINAL,
    PROCESS_STEP_FORK,
    PROCESS_STEP_FD, /* handing descriptors over */
    PROCESS_STEP_RLIMIT,
    PROCESS_STEP_CWD,  /* the working directory */
    PROCESS_STEP_EXEC, /* -ENOENT: no such program, -EACCES: not executable, -ENOEXEC … */
} ProcessStep;

/* "the program", "the working directory" …: where an error belongs. */
const char *process_step_text(ProcessStep step);

typedef enum ProcessState {
    PROCESS_STARTING, /* asked for */
    PROCESS_FAILED,   /* could not be started: `error`, `failed_step` */
    PROCESS_RUNNING,
    PROCESS_EXITED, /* its exit is known, or known not to be known */
} ProcessState;

typedef struct ProcessExit {
    bool known; /* false: it ended while nobody could see how (its keeper had been killed) */
    int code;   /* -1 when a signal ended it, or not known */
    int signal; /* 0 when it exited */
    bool core;  /* dumped */
    Nanos at;   /* when it was noticed */
    Nanos user, system; /* processor time; 0 where unknown, as are the next two */
    uint64_t peak_memory_bytes;
} ProcessExit;

/* What it said by sd_notify. Messages count only from the process itself and its descendants. */
typedef struct ProcessNotice {
    bool ready;            /* READY=1 was said */
    bool reloading;        /* RELOADING=1 came after the last READY=1 */
    bool stopping;         /* STOPPING=1 was said */
    uint64_t watchdogs;    /* how often WATCHDOG=1 came; it only grows */
    bool watchdog_trigger; /* WATCHDOG=trigger was said: it wants to be counted as hung */
    int64_t main_pid;      /* of MAINPID=; 0: not said */
    int64_t watchdog_usec; /* of WATCHDOG_USEC=; 0: not said */
    Span status;           /* of the last STATUS=; valid until the process is heard of next */
} ProcessNotice;

/* Identity of a process on this machine: a pid alone may be used again. */
typedef struct ProcessIdentity {
    int64_t pid;
    uint64_t start_ticks; /* since boot: field 22 of /proc/PID/stat */
} ProcessIdentity;

typedef struct ProcessInfo {
    Span id, label;
    ProcessState state;
    ProcessStep failed_step;  /* PROCESS_FAILED */
    int error;                /* negative errno, PROCESS_FAILED */
    ProcessIdentity identity; /* from PROCESS_RUNNING on */
    Nanos started_at;
    bool adopted; /* found by a new keeper after its parent was killed: not a child */
    bool cgroup;  /* it has one of its own */
    bool limited; /* all of spec.limits are enforced */
    bool input;   /* takes input: a pipe or a terminal */
    bool streams[PROCESS_STREAMS]; /* which it has */
    ProcessNotice notice;
    ProcessExit exit; /* PROCESS_EXITED */
} ProcessInfo;

/* What the owner does not care for may be NULL. `info` is valid during the call. */
typedef struct ProcessHandler {
    /* It is PROCESS_RUNNING (exec succeeded) or PROCESS_FAILED, which is over at once: it has no
     * streams, and is released by itself after this call. */
    void (*started)(void *owner, const ProcessInfo *info);
    /* It ended. All it wrote until then is in its rings, or follows there (ring_closed says when
     * that is all); descendants of it may live on and write. */
    void (*exited)(void *owner, const ProcessInfo *info);
    /* A stream has bytes behind the position where ring_peek found none, or was closed. */
    void (*output)(void *owner, const ProcessInfo *info, ProcessStream stream);
    /* It said something by sd_notify. */
    void (*notified)(void *owner, const ProcessInfo *info);
    /* The host was lost, and is being put in order; or is there (again). Starts, signals and input
     * meanwhile wait. `reason` says in words what happened: "the keeper (pid 71) was killed; the
     * new one (pid 95) has taken over 12 processes". */
    void (*host)(void *owner, bool there, Span reason);
} ProcessHandler;

/* Who hears of processes from now on; what happened before is found by process_next. */
void process_handle(ProcessHost *host, const ProcessHandler *handler, void *owner);

/* Walks all processes that are known, in the order in which they were started: size_t at = 0; while
 * ((info = process_next(host, &at))) … NULL at the end. Valid until the loop turns. */
const ProcessInfo *process_next(ProcessHost *host, size_t *at);
const ProcessInfo *process_find(ProcessHost *host, Span id);

/* Starts a process: `started` tells how it went. Everything is copied, descriptors duplicated.
 * Fails at once, starting nothing, with -EINVAL, -EEXIST (the id is known) or -E2BIG. Many starts
 * in one turn of the loop go out together. */
int process_start(ProcessHost *host, const ProcessSpec *spec);

typedef enum ProcessScope {
    PROCESS_SELF,  /* the one process */
    PROCESS_GROUP, /* its process group */
    PROCESS_TREE,  /* it and all descendants, wherever they went; also after it exited itself */
} ProcessScope;

/* Sends a signal. `done` (may be NULL) is told how many processes got it, or a negative errno:
 * -ESRCH when there was none. With PROCESS_TREE and SIGKILL the tree is searched until nothing new
 * is found. -ENOENT at once: there is no such process. */
int process_signal(ProcessHost *host, Span id, int signal, ProcessScope scope,
                   void (*done)(void *owner, int result), void *owner);

typedef struct ProcessMember {
    ProcessIdentity identity;
    int64_t parent;
    char state;    /* as ps(1) has it: R S D Z T … 'D' cannot be killed just now */
    char name[64]; /* as ps(1) has it */
} ProcessMember;

/* Who of the tree still lives (zombies excepted): up to `room` are written, their full number is
 * returned; 0: nobody. Reads /proc: for when somebody is waited for, not for each second. */
size_t process_members(ProcessHost *host, Span id, ProcessMember *out, size_t room);

/* What a tree uses now. Figures that cannot be had are 0. */
typedef struct ProcessUsage {
    Nanos cpu;             /* processor time of those that live, and of those they waited for */
    uint64_t memory_bytes; /* resident */
    uint32_t processes, threads, open_files;
    uint64_t read_bytes, written_bytes; /* from and to storage */
} ProcessUsage;

/* Cheap, some microseconds per process of the tree. -ENOENT, or -ESRCH when nobody lives. */
int process_usage(ProcessHost *host, Span id, ProcessUsage *ret_usage);

/* Types into the terminal or the stdin of a process; copied. Takes all or nothing: -EAGAIN when
 * more than PROCESS_INPUT_MAX would wait, -EPIPE when it takes no input (any more). */
int process_input(ProcessHost *host, Span id, Span bytes);
/* Ends its stdin once what waits has been read: a pipe is closed, a terminal gets its end-of-file
 * character. */
int process_end_input(ProcessHost *host, Span id);
/* -ENOTTY when it has no terminal. The process gets SIGWINCH. */
int process_resize(ProcessHost *host, Span id, uint16_t rows, uint16_t columns);

/* Opens the reading end of an output stream, for any thread to use; as often as one likes, but only
 * one reader may release. */
int process_output(ProcessHost *host, Span id, ProcessStream stream, RingReader **ret_reader);

/* Forgets a process that has ended, and its rings: call it when its exit is noted and its output
 * taken. What is left of its tree is on its own then. -EBUSY while it lives. */
int process_release(ProcessHost *host, Span id);

/* Ends with the runtime; the processes go on. Not from inside a handler. */
void process_host_free(ProcessHost *host);

/* ---- for implementations ---- */

typedef struct ProcessHostOps {
    void (*free)(ProcessHost *);
    const ProcessInfo *(*next)(ProcessHost *, size_t *at);
    const ProcessInfo *(*find)(ProcessHost *, Span id);
    int (*start)(ProcessHost *, const ProcessSpec *);
    int (*signal)(ProcessHost *, Span id, int signal, ProcessScope,
                  void (*done)(void *owner, int result), void *owner);
    size_t (*members)(ProcessHost *, Span id, ProcessMember *out, size_t room);
    int (*usage)(ProcessHost *, Span id, ProcessUsage *ret);
    int (*input)(ProcessHost *, Span id, Span bytes);
    int (*end_input)(ProcessHost *, Span id);
    int (*resize)(ProcessHost *, Span id, uint16_t rows, uint16_t columns);
    int (*output)(ProcessHost *, Span id, ProcessStream, RingReader **ret);
    int (*release)(ProcessHost *, Span id);
} ProcessHostOps;

/* Implementations embed this first. */
struct ProcessHost {
    const ProcessHostOps *ops;
    const ProcessHandler *handler;
    void *owner;
};

/* Whether a spec keeps its bounds: what process_start checks first. */
int process_spec_check(const ProcessSpec *spec);
