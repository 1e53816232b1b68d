/* Logs: what services send and what they print, in one place: kept, searched, followed.
 *
 * A Logs is the loop's handle on the log actor, a thread that takes entries and output over, writes
 * them to the disk (segments under FOLDER/segments/logs), indexes and searches them. Calls return
 * at once; answers come from the loop. All functions here belong to the thread of the World; no
 * callback comes from inside the call that asks for it. */
#pragma once

#include "core/context.h"
#include "os/files.h"
#include "os/ring.h"
#include "os/world.h"
#include "rpc/server.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/orchestrator.pb.h"

typedef struct Logs Logs;

typedef struct LogsOptions {
    Files *files;        /* NULL: the machine's */
    const char *folder;  /* ".muster": it exists */
    uint64_t disk_bytes; /* the oldest go beyond it; 0 = 1 GiB */
    Nanos age;           /* older ones go; 0 = 7 days */
    /* No thread: the work is done at the end of a turn of the loop, as a simulation needs it. */
    bool stepped;
    /* The disk failed: what is not written yet stays in the rings, and services that write wait.
     * Called once, from the loop. */
    void (*broken)(void *owner, Span reason);
    /* The disk does not take what there is, being full for instance (negative errno), or takes it
     * again (0). Meanwhile it stays in the rings, and what finds no room there is lost, which is
     * told in the log afterwards. May be NULL. From the loop. */
    void (*failing)(void *owner, int error);
    void *owner;
} LogsOptions;

/* Opens what earlier runs have left. Blocks: for the start of the program. Negative errno, with
 * `report` (cleared first) saying why. */
int logs_open(World *world, const LogsOptions *options, Logs **ret_logs, Buf *report);

/* Ends all calls that are still open, for a runtime that stops. */
void logs_end_calls(Logs *logs);

/* Writes what has been accepted, ends all that follow, and frees it. Blocks. */
void logs_close(Logs *logs);

/* What is to be hidden: values (passwords, tokens) and regular expressions. Takes the place of
 * what was set before, for lines to come. They are overwritten by '*', byte for byte, before they
 * are stored or shown. Values of less than 4 bytes are ignored. -EINVAL, with a `reason`, for an
 * expression that is not one. */
int logs_hide(Logs *logs, const Span *values, size_t value_count, const Span *patterns,
              size_t pattern_count, Buf *reason);

/* ---- entries ---- */

/* An entry of the runtime's own, or in a service's name; `timestamp` 0 is now. Copied. Never
 * fails: when too much waits, it is dropped and counted (logs_dropped). */
void logs_write(Logs *logs, const RtLogEntry *entry);
uint64_t logs_dropped(const Logs *logs);

/* In a runtime whose components have been loaded. */
Logs *logs_of(Context *context);

/* LoggerService, for rpc_server_add: lives as long as the Logs. */
const RpcService *logs_rpc(Logs *logs);

/* ---- output of processes ---- */

/* Whose output it is. Copied. */
typedef struct LogSource {
    Span service;
    Span instance;    /* the instance id of the process */
    uint32_t replica; /* which of the service's replicas, 0 and up: offsets count over its lives */
    int64_t run;      /* which life */
    RtLogStream stream; /* STDOUT, STDERR or TERMINAL */
} LogSource;

typedef struct LogCapture LogCapture;

/* Takes the reading end of a ring over (it is closed by us): from now on its bytes are read,
 * stored and taken out of the ring, in this order. Bytes that an earlier run of the program had
 * stored already are recognised by (instance, stream, position in the ring) and not stored again,
 * so after a restart every ring that is still there is simply handed over once more. */
int logs_capture(Logs *logs, const LogSource *source, RingReader *ring, LogCapture **ret_capture);

/* The keeper has written to the ring. Cheap, and may be called often. */
void logs_capture_ready(LogCapture *capture);

/* The writer is gone: what is left in the ring is read, an unfinished line counts as one, and
 * then `drained` (may be NULL) is called: everything is stored, and the ring closed. The capture
 * is gone with this call. */
void logs_capture_end(LogCapture *capture, void (*drained)(void *owner), void *owner);

/* ---- AttachOutput: the bytes as they were written ---- */

/* Serves a call of OrchestratorService.AttachOutput from its message on: replays, follows, ends
 * it. The caller has checked that the service exists. With `hides`, what logs_hide told of is
 * overwritten. `writable` and `closed` are for the
 * MethodHandler of that method, which leaves call_user to us from then on. */
void logs_output_serve(Logs *logs, Call *call, const RtAttachOutputRequest *request, bool hides);
void logs_output_writable(Call *call);
void logs_output_closed(Call *call, StatusCode code);

/* What was typed into a service (SendInput): an entry of the stream INPUT. */
void logs_input(Logs *logs, const LogSource *source, Span bytes);

/* ---- lines to wait for ---- */

typedef struct LogWatch LogWatch;

/* Waits for a line (of any stream of that instance, without colour codes) in which the regular
 * expression (RE2's syntax, docs/filter.md) has a match; what this instance has printed before
 * counts, as far as it is in memory. `matched` is called once; then the watch is gone. -EINVAL
 * and a `reason` for an expression that is not one. */
int logs_watch(Logs *logs, Span instance, Span pattern, void (*matched)(void *owner, Span line),
               void *owner, LogWatch **ret_watch, Buf *reason);
void logs_unwatch(LogWatch *watch);

/* The last lines (at most `count` and 64 KiB, the newest last) that an instance has printed,
 * output only; after logs_capture_end all of its output is considered. */
typedef void LogTailDone(void *owner, const RtLogEntry *entries, size_t count);
void logs_tail(Logs *logs, Span instance, uint32_t count, LogTailDone *done, void *owner);
