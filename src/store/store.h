/* The store: keys and values that outlive the process, in the shape of etcd's API
 * (https://etcd.io/docs/v3.4/learning/api/), so that etcd can take the place of the file where
 * one machine is too small. Values are protobuf messages of who puts them; the store sees bytes.
 *
 * Every transaction that changes something makes a new revision; all its changes bear that number.
 * Calls return at once and answer later, from the loop: first the watches hear of a commit, then
 * its caller. Neither does before the commit is on the disk (fsync), so what was answered survives
 * a kill and a power cut. Transactions that wait at the same time share one commit.
 *
 * A Store belongs to the thread of its World; the work is done on an actor. */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "os/files.h"
#include "os/world.h"

typedef struct Store Store;

/* What a peer may make us keep; beyond it calls give -EMSGSIZE. */
#define STORE_KEY_MAX   1024
#define STORE_VALUE_MAX (1024 * 1024)
#define STORE_OPS_MAX   128   /* compares, and operations of either branch */
#define STORE_GET_MAX   10000 /* entries of one get */

typedef struct StoreOptions {
    const char *path; /* the file; its folder exists */
    size_t capacity;  /* calls that wait at a time; 0 = 1024 */
    int64_t history;  /* revisions kept for watches; 0 = 10,000 */
    const char *vfs;  /* SQLite's way to the file system; NULL = its own … */
    Files *files;     /* … and ours to the same; NULL = the machine's */
    /* No thread: the work is done at the end of a turn of the loop, as a simulation needs it. */
    bool stepped;
    /* A commit failed in a way that leaves open whether it is on the disk, or the file turned out
     * to be damaged. Nothing is answered from then on, and the program has to end: the next start
     * finds out. Called once, from the loop. */
    void (*broken)(void *owner, Span reason);
    void *owner;
} StoreOptions;

/* Opens the file, making it where there is none, and brings it to the current form. A damaged
 * file is renamed to PATH.damaged-TIME, and a new one begun: `report` (cleared first) then says
 * so. Failures, which `report` explains: -EBUSY when another process has it open, -ENOTSUP for a
 * file that is not ours or of a newer version, else of the file system. Blocks: for the start of
 * the program. */
int store_open(World *world, const StoreOptions *options, Store **ret_store, Buf *report);

/* Deals with all that is waiting, calls back for it, and frees the Store. Blocks. Not from inside
 * a callback. */
void store_close(Store *store);

/* Differs for each new file: revisions of one epoch do not compare with those of another. */
uint64_t store_epoch(const Store *store);

/* ---- transactions ---- */

typedef struct StoreEntry {
    Span key, value;
    int64_t created;  /* revision of the put that made the key … */
    int64_t modified; /* … and of the last one */
    int64_t version;  /* puts since it was made: 1 and up */
    int64_t lease;    /* 0 = none */
} StoreEntry;

typedef struct StoreRange {
    enum { STORE_KEY, STORE_PREFIX, STORE_UNTIL } how;
    Span key; /* the one; the prefix (empty: all keys); the first */
    Span end; /* STORE_UNTIL: the first key beyond; empty: no end */
} StoreRange;

bool store_range_has(const StoreRange *range, Span key);

/* Holds when the key's property and ours are in that order. A key that does not exist has 0 as
 * its numbers, and no value: then any comparison of the value but "not equal" fails. So a key
 * exists where its version is greater than 0. */
typedef struct StoreCompare {
    Span key;
    enum { STORE_VALUE, STORE_VERSION, STORE_CREATED, STORE_MODIFIED, STORE_LEASE } what;
    enum { STORE_EQUAL, STORE_NOT_EQUAL, STORE_LESS, STORE_GREATER } how;
    Span value; /* STORE_VALUE */
    int64_t number;
} StoreCompare;

typedef struct StoreOp {
    enum { STORE_GET, STORE_PUT, STORE_DELETE } kind;
    StoreRange range; /* of a put: the key */
    Span value;       /* put */
    int64_t lease;    /* put: the entry goes with it; 0 = none */
    size_t limit;     /* get: 0 = STORE_GET_MAX */
} StoreOp;

/* When all compares hold, the operations of `then` are done, else those of `otherwise`: in their
 * order, each seeing those before it. No key may be put twice, or put and deleted (-EINVAL). */
typedef struct StoreTxn {
    const StoreCompare *compares;
    size_t compare_count;
    const StoreOp *then;
    size_t then_count;
    const StoreOp *otherwise;
    size_t otherwise_count;
} StoreTxn;

typedef struct StoreOpResult {
    const StoreEntry *entries; /* get: in the order of the keys */
    size_t count;              /* of entries; delete: how many there were */
    bool more;                 /* get: there are more than the limit */
} StoreOpResult;

/* Valid during the call that brings it. */
typedef struct StoreResult {
    /* 0, or why nothing was done: -ENOENT there is no such lease, -EEXIST there is one already,
     * -ENOSPC the disk is full, -EIO the disk failed, -EMSGSIZE gets find too much at once. */
    int error;
    int64_t revision;             /* of the store after it */
    bool succeeded;               /* the compares held */
    const StoreOpResult *results; /* one for each operation done */
    size_t count;
    int64_t lease; /* store_lease_grant: its id */
} StoreResult;

typedef void StoreDone(void *owner, const StoreResult *result);

/* Copies what it is given. Fails at once, then without a callback, with -EBUSY (too much waits:
 * try later), -EMSGSIZE, -EINVAL, -ENOTRECOVERABLE (after `broken`). `done` may be NULL. */
int store_commit(Store *store, const StoreTxn *txn, StoreDone *done, void *owner);

/* No callbacks go to this owner any more, of calls and of lease expiry; the calls are carried out
 * all the same. */
void store_forget(Store *store, const void *owner);

/* ---- leases: entries that vanish when their keeper falls silent ---- */

/* `id` > 0, or 0 to have one chosen. `ttl` is the silence it survives, at least a millisecond;
 * after a restart of the program each lease has its whole `ttl` again. */
int store_lease_grant(Store *store, int64_t id, Nanos ttl, StoreDone *done, void *owner);

/* Begins the lease's time anew; touches no disk. -ENOENT when it is unknown or over. */
int store_lease_keep(Store *store, int64_t id);

/* Ends the lease and deletes its entries: one revision. What expiry does, too. */
int store_lease_revoke(Store *store, int64_t id, StoreDone *done, void *owner);

/* ---- watches ---- */

typedef struct StoreEvent {
    bool deleted;     /* then the entry has no value, version 0, and no lease */
    StoreEntry entry; /* as that revision left it */
} StoreEvent;

typedef struct StoreWatch StoreWatch;

typedef struct StoreWatcher {
    /* What one revision changed in the range: all of it at once, in the order of the changes.
     * Revisions come in order, each once, none left out. */
    void (*changed)(void *owner, int64_t revision, const StoreEvent *events, size_t count);
    /* History before and including `revision` is gone, and the watch is over: read the range
     * again, and watch from the revision after the one that the read gives. */
    void (*compacted)(void *owner, int64_t revision);
} StoreWatcher;

/* Watches from a revision (>= 1) on, past or to come. The key (and end) are copied; the watcher
 * lives on. -EBUSY, -EMSGSIZE, -EINVAL and -ENOTRECOVERABLE as store_commit. */
int store_watch(Store *store, const StoreRange *range, int64_t from, const StoreWatcher *watcher,
                void *owner, StoreWatch **ret_watch);

/* Nothing comes any more, from inside its own callback too. Not needed after `compacted`. */
void store_unwatch(StoreWatch *watch);
