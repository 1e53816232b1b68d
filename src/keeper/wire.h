/* The keeper's protocol: what goes over keeper.sock between a keeper and the runtime (or a command).
 *
 * A frame is a header of 8 bytes and a payload: u32 bytes of payload, u16 type, u16 number of file
 * descriptors, which travel with the frame's first byte (SCM_RIGHTS). Payloads are numbers (8 bytes)
 * and texts (u32 length, the bytes, and a NUL that is not counted), little-endian, in the order in
 * which the comments name them. Fields are only ever added at the end, and a reader ignores what it
 * does not know; so a keeper and a runtime of different age understand each other as long as
 * WIRE_VERSION is the same. Either side closes a connection on which it gets anything else.
 *
 * The first frame is WIRE_HELLO, answered by WIRE_WELCOME or WIRE_REFUSED. */
#pragma once

#include "base/buf.h"

#define WIRE_VERSION   1
#define WIRE_HEADER    8
#define WIRE_FRAME_MAX (2 * 1024 * 1024)
#define WIRE_FDS_MAX   40 /* of one frame */

typedef enum WireType {
    /* to the keeper; those that begin with a sequence are answered by WIRE_DONE */
    WIRE_HELLO = 1, /* version, role (WireRole); a runtime's eventfd, rung when a ring has room */
    WIRE_START,     /* see WireStart; its extra descriptors */
    WIRE_SIGNAL,    /* sequence, id, signal, scope (ProcessScope): the result is their number */
    WIRE_END_INPUT, /* id */
    WIRE_RELEASE,   /* sequence, id */
    WIRE_LISTENER,  /* name; the listening socket. Also from the keeper */
    WIRE_RUNTIME,   /* sequence, and WireRuntime: how to start the runtime; with `start`: now */
    WIRE_READY,     /* the runtime answers calls */
    WIRE_LEAVE,     /* sequence, end, grace in ns: the runtime goes on purpose; with `end` the
                     * keeper, too */
    WIRE_HANDOVER,  /* like WIRE_PROCESS, from a runtime that had another keeper before */
    WIRE_STATUS,    /* WIRE_STATE is the answer */
    /* from the keeper */
    WIRE_WELCOME = 64, /* version, pid, start ticks */
    WIRE_REFUSED,      /* errno, reason */
    WIRE_PROCESS,      /* see WireProcess: one that is held, or has just been started */
    WIRE_HELD,         /* all that is held has been told. From a runtime: all is handed over, it
                        * wants to be told */
    WIRE_FAILED,       /* id, step, errno: a start failed, and is forgotten */
    WIRE_EXITED,       /* id, and WireExit */
    WIRE_OUTPUT,       /* id, stream: there is output behind what was read, or the end of it */
    WIRE_NOTICE,       /* id, and WireNotice */
    WIRE_DONE,         /* sequence, result */
    WIRE_STATE,        /* runtime pid, ready, restarts, wait status of its last end (or -1),
                        * processes that live */
} WireType;

typedef enum WireRole {
    WIRE_RUNTIME_ROLE, /* there is one at a time, which is told of all processes */
    WIRE_COMMAND_ROLE, /* may start and end the runtime, and ask */
} WireRole;

/* ---- writing: frames are added to a Buf ---- */

/* Begins a frame; gives the place that wire_end needs. */
size_t wire_begin(Buf *out, WireType type, unsigned fds);
void wire_add_number(Buf *out, uint64_t number);
void wire_add_text(Buf *out, Span text);
void wire_end(Buf *out, size_t begun);

/* ---- reading ---- */

typedef struct WireFrame {
    WireType type;
    unsigned fds;
    Span payload;
} WireFrame;

/* The first frame of what was received: its size with the header; 0 when it is not there as a
 * whole, -EPROTO when it is none (too large, too many descriptors). */
int wire_frame(Span received, WireFrame *ret_frame);

/* Takes fields from the front of a payload. When one is missing they give 0 and an empty text, and
 * `bad` is set. */
typedef struct WireReader {
    Span rest;
    bool bad;
} WireReader;

uint64_t wire_number(WireReader *reader);
/* The bytes are followed by a NUL; texts that hold one themselves are only for who expects it. */
Span wire_text(WireReader *reader);
/* A text that is a C string: bad when a NUL is in it. */
const char *wire_string(WireReader *reader);

/* ---- the larger payloads ---- */

/* What is passed on as descriptors with a WireProcess: a bit each, in this order. */
typedef enum WireHold {
    WIRE_HOLD_PIDFD,
    WIRE_HOLD_STREAM, /* and the next two: the keeper's ends, by ProcessStream */
    WIRE_HOLD_INPUT = WIRE_HOLD_STREAM + 3,
    WIRE_HOLD_NOTIFY,
    WIRE_HOLD_RING, /* and the next two: rings that have no file, by ProcessStream */
    WIRE_HOLDS = WIRE_HOLD_RING + 3,
} WireHold;

typedef struct WireExit {
    uint64_t ended, known;
    int64_t status; /* as wait(2) has it */
    int64_t at;     /* Unix nanoseconds */
    uint64_t user, system, peak_memory;
} WireExit;

typedef struct WireNotice {
    uint64_t ready, reloading, stopping, watchdogs, watchdog_trigger;
    int64_t main_pid, watchdog_usec;
    Span status;
} WireNotice;

typedef struct WireProcess {
    Span id, label;
    int64_t pid;
    uint64_t start_ticks;
    int64_t started_at;
    uint64_t adopted, cgroup, limited, input;
    uint64_t streams;      /* bit per ProcessStream */
    uint64_t held;         /* bit per WireHold */
    uint64_t just_started; /* the answer to WIRE_START */
    WireExit exit;
    WireNotice notice;
} WireProcess;

void wire_add_exit(Buf *out, const WireExit *exit);
void wire_read_exit(WireReader *reader, WireExit *ret_exit);
void wire_add_notice(Buf *out, const WireNotice *notice);
void wire_read_notice(WireReader *reader, WireNotice *ret_notice);
void wire_add_process(Buf *out, const WireProcess *process);
void wire_read_process(WireReader *reader, WireProcess *ret_process);

/* A list of C strings. `items` ends with NULL, with room for `spare` more before it, and is the
 * caller's to free; the strings lie in the payload. */
typedef struct WireStrings {
    const char **items;
    size_t count;
} WireStrings;
#define WIRE_STRINGS_MAX 32768
void wire_add_strings(Buf *out, const Span *strings, size_t count);
void wire_read_strings(WireReader *reader, size_t spare, WireStrings *ret_strings);

/* Of WIRE_RUNTIME, in this order. Free the two lists. */
typedef struct WireRuntime {
    uint64_t start;
    const char *program;
    WireStrings argv, env;
    const char *cwd;
    const char *log; /* empty: none */
} WireRuntime;

void wire_read_runtime(WireReader *reader, WireRuntime *ret_runtime);

#define WIRE_START_FDS     32
#define WIRE_START_RLIMITS 16

/* WIRE_START. Free the two lists. */
typedef struct WireStart {
    const char *id;
    Span label;
    WireStrings argv, env;
    const char *cwd;
    uint64_t terminal, rows, columns, input, notify, ring_size;
    uint64_t memory_bytes, cpu_millis, processes;
    uint64_t rlimit_count; /* then resource, soft, hard each */
    struct {
        uint64_t resource, soft, hard;
    } rlimits[WIRE_START_RLIMITS];
    uint64_t fd_count; /* then the target of each */
    uint64_t targets[WIRE_START_FDS];
    uint64_t brief;
} WireStart;

void wire_read_start(WireReader *reader, WireStart *ret_start);
