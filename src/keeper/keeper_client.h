/* The runtime's side of the keeper: how it is found or started, and a ProcessHost made of it.
 *
 * The keeper is a small program of its own (keeper.c, libc only) that `muster` carries inside and
 * starts from memory. One keeper belongs to one data folder (".muster"): it holds `lock` there
 * (PID, start time, boot id), listens at `keeper.sock`, keeps a record per process in `instances/`
 * and the output in `rings/`. It is the parent of the services and of the runtime, restarts a
 * runtime that died, gives it back its listening sockets and the processes with their exits, and
 * decides nothing. See docs/keeper.md for the protocol and what happens when who is killed. */
#pragma once

#include "base/buf.h"
#include "os/process_host.h"

/* How to start the runtime (again). Everything is copied. */
typedef struct KeeperRuntime {
    const char *program;     /* path of muster */
    const char *const *argv; /* NULL-terminated, with the name of the program first */
    const char *const *env;  /* NULL-terminated; NULL: the caller's own */
    const char *cwd;
    const char *log; /* file that stdout and stderr are appended to; NULL: /dev/null */
} KeeperRuntime;

/* ---- for commands: up, down, doctor; all of these block for moments ---- */

/* Who keeps a data folder. */
typedef struct KeeperStatus {
    ProcessIdentity keeper;
    int64_t runtime_pid; /* 0: none runs at the moment */
    bool runtime_ready;  /* keeper_client_ready was said */
    uint32_t restarts;   /* of the runtime, since the keeper began */
    int runtime_exit;    /* wait status of the last one that ended by itself; -1: none has */
    uint32_t processes;  /* that live */
} KeeperStatus;

/* Asks the keeper of a data folder. -ENOENT: there is none (the lock is free). Other errors say
 * that one is there and does not answer: -ETIMEDOUT; -EPROTO: another version. */
int keeper_status(const char *folder, KeeperStatus *ret_status);

/* Starts the keeper of a data folder, which must exist, and has it start the runtime: returns when
 * the keeper works, the runtime being on its way. -EALREADY: there is a keeper (with a runtime or
 * about to have one). `report` says what failed. */
int keeper_launch(const char *folder, const KeeperRuntime *runtime, Buf *report);

/* Ends a keeper whose runtime cannot: what still lives is asked to end (SIGTERM to whole trees),
 * killed after `grace`, and the keeper is gone when this returns. Says nothing to the runtime but
 * SIGTERM. -ENOENT: there is none. */
int keeper_end(const char *folder, Nanos grace, Buf *report);

/* Ends in the same way what goes on after its keeper and its runtime were killed. -ENOENT: nothing
 * was left there, or there is a keeper. */
int keeper_end_orphans(const char *folder, Nanos grace, Buf *report);

/* ---- for the runtime ---- */

typedef struct KeeperClientOptions {
    const char *folder;    /* the data folder */
    KeeperRuntime runtime; /* how we are started again, when we die without having left */
} KeeperClientOptions;

/* A ProcessHost on the keeper of that folder. When one runs, it is asked for what it holds before
 * this returns (which blocks for a moment: for the start of the program); when none does, one is
 * started with the first process_start. A keeper that is killed is replaced, and gets all back that
 * we hold. -EBUSY: it has another runtime that lives, `report` names it. */
int keeper_client_new(World *world, const KeeperClientOptions *options, ProcessHost **ret_host,
                      Buf *report);

/* We answer calls: from here on a restart of us counts as succeeded. */
void keeper_client_ready(ProcessHost *host);

/* Listening sockets, which the keeper holds so that a restarted runtime keeps its address. A name
 * is the address as it was asked for ("127.0.0.1:0"). The descriptor that an earlier life left
 * there, the caller's from now on, or -ENOENT. */
int keeper_client_take_listener(ProcessHost *host, Span name);
/* Leaves one there (duplicated), in place of one of the same name. Goes to every new keeper. */
void keeper_client_leave_listener(ProcessHost *host, Span name, int fd);

/* Before we end on purpose: the keeper does not start us again. With `end` it ends, too, as
 * keeper_end does with that grace: all processes should be gone by then. Does nothing where there
 * is no keeper. `done` comes when the keeper has heard it. */
void keeper_client_leave(ProcessHost *host, bool end, Nanos grace, void (*done)(void *owner),
                         void *owner);
