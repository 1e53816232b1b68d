/* The store's file: what store.h promises about revisions, history and damage, on SQLite, without
 * threads, callbacks or clocks. Private to src/store.
 *
 * Changes gather in a batch, which begins by itself and ends with sqlite_store_commit. */
#pragma once

#include "store/store.h"

typedef struct SqliteStore SqliteStore;

typedef struct SqliteLease {
    int64_t id;
    Nanos ttl;
} SqliteLease;

/* What a change leaves behind in the arena of who asked for it. */
typedef struct StoreChange {
    StoreResult result;
    const StoreEvent *events;
    size_t event_count;
} StoreChange;

/* `epoch` is for a file that is new, `wall` for the name of one that is set aside. The rest as
 * store_open. */
int sqlite_store_open(const StoreOptions *options, uint64_t epoch, Nanos wall, SqliteStore **ret,
                      Buf *report);
void sqlite_store_close(SqliteStore *file);

uint64_t sqlite_store_epoch(const SqliteStore *file);
int64_t sqlite_store_revision(const SqliteStore *file);

/* All leases, into the arena. */
int sqlite_store_leases(SqliteStore *file, Arena *arena, SqliteLease **ret, size_t *ret_count);

/* Each does its work within the batch and says how it went; an error of one leaves the others
 * alone, but an error of the disk dooms the whole batch. */
void sqlite_store_apply(SqliteStore *file, const StoreTxn *txn, Arena *arena, StoreChange *ret);
void sqlite_store_grant(SqliteStore *file, int64_t id, Nanos ttl, StoreChange *ret);
void sqlite_store_revoke(SqliteStore *file, int64_t id, Arena *arena, StoreChange *ret);

/* The events from a revision on, whole revisions, about `limit` of them; `ret_next` is the first
 * revision not looked at. -ESTALE when history does not go back so far: then `ret_next` is the
 * last revision that is gone. */
int sqlite_store_history(SqliteStore *file, int64_t from, size_t limit, Arena *arena,
                         const StoreEvent **ret, size_t *ret_count, int64_t *ret_next);

/* Brings the batch to the disk. -ENOSPC or -EIO: none of it is there, and the store goes on as
 * before the batch. -ENOTRECOVERABLE: nobody knows. */
int sqlite_store_commit(SqliteStore *file);

/* Moves what the log has gathered into the file when there is enough of it. -ENOTRECOVERABLE. */
int sqlite_store_tidy(SqliteStore *file);

/* Why the last call failed, for people. */
const char *sqlite_store_reason(const SqliteStore *file);
