#include "store/sqlite_store.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/memory.h"
#include "store/sqlite_file.h"

/* A get never answers with more bytes than this, so that no call holds all of a large store. */
#define GET_BYTES_MAX (64 * 1024 * 1024)
/* Pages in the log before they are moved into the file: 4 MiB. */
#define TIDY_PAGES 1024

enum {
    BEGIN,
    COMMIT,
    ROLLBACK,
    SAVE,
    RELEASE,
    UNDO,
    GET_FIRST,
    GET_UNTIL,
    PUT,
    DELETE,
    OF_LEASE,
    ADD_HISTORY,
    OLD_HISTORY,
    READ_HISTORY,
    SET_MARK,
    GET_MARK,
    HAS_LEASE,
    ADD_LEASE,
    DROP_LEASE,
    ALL_LEASES,
    STATEMENTS
};

#define ENTRY "SELECT key, value, created, modified, version, lease FROM entry "

static const char *const SQL[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [SAVE] = "SAVEPOINT one",
    [RELEASE] = "RELEASE one",
    [UNDO] = "ROLLBACK TO one",
    [GET_FIRST] = ENTRY "WHERE key >= ?1 ORDER BY key",
    [GET_UNTIL] = ENTRY "WHERE key >= ?1 AND key < ?2 ORDER BY key",
    [PUT] = "REPLACE INTO entry (key, value, created, modified, version, lease) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [DELETE] = "DELETE FROM entry WHERE key = ?1",
    [OF_LEASE] = ENTRY "WHERE lease = ?1 AND lease != 0 ORDER BY key",
    [ADD_HISTORY] = "INSERT INTO history (revision, place, key, value, created, version, lease) "
                    "VALUES (?4, ?7, ?1, ?2, ?3, ?5, ?6)",
    [OLD_HISTORY] = "DELETE FROM history WHERE revision <= ?1",
    [READ_HISTORY] = "SELECT key, value, created, revision, version, lease FROM history "
                     "WHERE revision >= ?1 ORDER BY revision, place",
    [SET_MARK] = "UPDATE mark SET number = ?2 WHERE name = ?1",
    [GET_MARK] = "SELECT number FROM mark WHERE name = ?1",
    [HAS_LEASE] = "SELECT 1 FROM lease WHERE id = ?1",
    [ADD_LEASE] = "INSERT INTO lease (id, ttl) VALUES (?1, ?2)",
    [DROP_LEASE] = "DELETE FROM lease WHERE id = ?1",
    [ALL_LEASES] = "SELECT id, ttl FROM lease ORDER BY id",
};

struct SqliteStore {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int64_t epoch, revision, compacted, history;
    int64_t committed; /* revision before the batch */
    bool open_batch;
    int doomed; /* the error that the batch will end with */
    int pages;  /* in the log */
    Buf reason;
};

/* What one transaction gathers. */
typedef struct Work {
    SqliteStore *file;
    Arena *arena;
    int64_t revision; /* that it makes if it changes something */
    ARRAY(StoreEvent) events;
    size_t bytes;
} Work;

/* ---- statements ---- */

/* Remembers why, and gives the errno that says it best. */
static int fail(SqliteStore *file) {
    int code = sqlite3_extended_errcode(file->db);
    if ((code & 0xff) == SQLITE_NOMEM)
        out_of_memory();
    buf_clear(&file->reason);
    buf_printf(&file->reason, "%s (SQLite %d)", sqlite3_errmsg(file->db), code);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -ENOTRECOVERABLE;
    default:
        return -EIO;
    }
}

static sqlite3_stmt *bind_key(SqliteStore *file, int which, Span key) {
    sqlite3_stmt *statement = file->statements[which];
    sqlite3_bind_blob(statement, 1, key.len ? key.ptr : "", (int)key.len, SQLITE_STATIC);
    return statement;
}

static sqlite3_stmt *bind_number(SqliteStore *file, int which, int64_t number) {
    sqlite3_bind_int64(file->statements[which], 1, number);
    return file->statements[which];
}

/* 1 for a row, 0 at the end (the statement is then ready for its next use), or an error. */
static int step(SqliteStore *file, sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    int r = code == SQLITE_DONE ? 0 : fail(file);
    sqlite3_reset(statement);
    return r;
}

static int run(SqliteStore *file, int which) {
    return step(file, file->statements[which]);
}

static Span column(sqlite3_stmt *statement, int at, Arena *arena) {
    return arena_copy(arena, span(sqlite3_column_blob(statement, at),
                                  (size_t)sqlite3_column_bytes(statement, at)));
}

static StoreEntry read_entry(sqlite3_stmt *statement, Arena *arena) {
    return (StoreEntry){
        .key = column(statement, 0, arena),
        .value = column(statement, 1, arena),
        .created = sqlite3_column_int64(statement, 2),
        .modified = sqlite3_column_int64(statement, 3),
        .version = sqlite3_column_int64(statement, 4),
        .lease = sqlite3_column_int64(statement, 5),
    };
}

static void bind_entry(sqlite3_stmt *statement, const StoreEntry *entry, bool deleted) {
    sqlite3_bind_blob(statement, 1, entry->key.len ? entry->key.ptr : "", (int)entry->key.len,
                      SQLITE_STATIC);
    if (deleted)
        sqlite3_bind_null(statement, 2);
    else
        sqlite3_bind_blob(statement, 2, entry->value.len ? entry->value.ptr : "",
                          (int)entry->value.len, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, entry->created);
    sqlite3_bind_int64(statement, 4, entry->modified);
    sqlite3_bind_int64(statement, 5, entry->version);
    sqlite3_bind_int64(statement, 6, entry->lease);
}

static int set_mark(SqliteStore *file, const char *name, int64_t number) {
    sqlite3_bind_text(file->statements[SET_MARK], 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(file->statements[SET_MARK], 2, number);
    return run(file, SET_MARK);
}

static int get_mark(SqliteStore *file, const char *name, int64_t *ret) {
    sqlite3_stmt *statement = file->statements[GET_MARK];
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    int r = step(file, statement);
    if (r == 1) {
        *ret = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
        return 0;
    }
    return r < 0 ? r : -ENOTRECOVERABLE;
}

/* ---- ranges ---- */

/* The first key behind all that begin with the prefix; empty when there is none. */
static Span prefix_end(Span prefix, Arena *arena) {
    while (prefix.len && (uint8_t)prefix.ptr[prefix.len - 1] == 0xff)
        prefix.len--;
    if (!prefix.len)
        return (Span){0};
    Span end = arena_copy(arena, prefix);
    ((char *)end.ptr)[end.len - 1]++;
    return end;
}

static Span range_end(const StoreRange *range, Arena *arena) {
    if (range->how == STORE_UNTIL)
        return range->end;
    if (range->how == STORE_PREFIX)
        return prefix_end(range->key, arena);
    char *end = arena_zalloc(arena, range->key.len + 1);
    if (range->key.len)
        memcpy(end, range->key.ptr, range->key.len);
    return span(end, range->key.len + 1);
}

/* Up to `limit` entries into the arena. */
static int get(Work *work, const StoreRange *range, size_t limit, StoreOpResult *ret) {
    SqliteStore *file = work->file;
    Span end = range_end(range, work->arena);
    sqlite3_stmt *statement = bind_key(file, end.len ? GET_UNTIL : GET_FIRST, range->key);
    if (end.len)
        sqlite3_bind_blob(statement, 2, end.ptr, (int)end.len, SQLITE_STATIC);
    ARRAY(StoreEntry) found = {0};
    int r;
    while ((r = step(file, statement)) == 1) {
        if (found.count == limit) {
            ret->more = true;
            break;
        }
        StoreEntry entry = read_entry(statement, work->arena);
        work->bytes += entry.key.len + entry.value.len;
        if (work->bytes > GET_BYTES_MAX) {
            r = -EMSGSIZE;
            break;
        }
        *array_push(&found) = entry;
    }
    sqlite3_reset(statement);
    if (r >= 0)
        ret->entries =
            (void *)arena_copy(work->arena, span(found.items, found.count * sizeof(StoreEntry)))
                .ptr;
    ret->count = found.count;
    array_done(&found);
    return r < 0 ? r : 0;
}

static int get_one(Work *work, Span key, StoreEntry *ret) {
    StoreOpResult found = {0};
    int r = get(work, &(StoreRange){.how = STORE_KEY, .key = key}, 1, &found);
    if (r == 0)
        *ret = found.count ? found.entries[0] : (StoreEntry){0};
    return r;
}

/* ---- changes ---- */

static int add_event(Work *work, const StoreEntry *entry, bool deleted) {
    sqlite3_stmt *statement = work->file->statements[ADD_HISTORY];
    bind_entry(statement, entry, deleted);
    sqlite3_bind_int64(statement, 7, (int64_t)work->events.count);
    *array_push(&work->events) = (StoreEvent){deleted, *entry};
    return step(work->file, statement);
}

static int delete_one(Work *work, Span key) {
    int r = step(work->file, bind_key(work->file, DELETE, key));
    StoreEntry gone = {.key = key, .modified = work->revision};
    return r < 0 ? r : add_event(work, &gone, true);
}

static int has_lease(SqliteStore *file, int64_t id) {
    sqlite3_stmt *statement = bind_number(file, HAS_LEASE, id);
    int r = step(file, statement);
    sqlite3_reset(statement);
    return r;
}

static int put(Work *work, const StoreOp *op) {
    int r = op->lease ? has_lease(work->file, op->lease) : 1;
    if (r < 1)
        return r < 0 ? r : -ENOENT;
    StoreEntry entry = {0};
    r = get_one(work, op->range.key, &entry);
    if (r < 0)
        return r;
    if (!entry.version)
        entry.created = work->revision;
    entry.key = op->range.key;
    entry.value = op->value;
    entry.modified = work->revision;
    entry.version++;
    entry.lease = op->lease;
    bind_entry(work->file->statements[PUT], &entry, false);
    r = run(work->file, PUT);
    return r < 0 ? r : add_event(work, &entry, false);
}

static int delete_range(Work *work, const StoreRange *range, StoreOpResult *ret) {
    StoreOpResult found = {0};
    int r = get(work, range, SIZE_MAX, &found);
    for (size_t i = 0; i < found.count && r >= 0; i++)
        r = delete_one(work, found.entries[i].key);
    ret->count = found.count;
    return r;
}

static int holds(Work *work, const StoreCompare *compare) {
    StoreEntry entry = {0};
    int r = get_one(work, compare->key, &entry);
    if (r < 0)
        return r;
    int64_t number = compare->what == STORE_VERSION    ? entry.version
                     : compare->what == STORE_CREATED  ? entry.created
                     : compare->what == STORE_MODIFIED ? entry.modified
                                                       : entry.lease;
    int order = (number > compare->number) - (number < compare->number);
    if (compare->what == STORE_VALUE) {
        if (!entry.version)
            return compare->how == STORE_NOT_EQUAL;
        order = span_compare(entry.value, compare->value);
    }
    switch (compare->how) {
    case STORE_EQUAL:
        return order == 0;
    case STORE_NOT_EQUAL:
        return order != 0;
    case STORE_LESS:
        return order < 0;
    default:
        return order > 0;
    }
}

static int do_op(Work *work, const StoreOp *op, StoreOpResult *ret) {
    switch (op->kind) {
    case STORE_GET:
        return get(work, &op->range,
                   op->limit && op->limit < STORE_GET_MAX ? op->limit : STORE_GET_MAX, ret);
    case STORE_PUT:
        return put(work, op);
    default:
        return delete_range(work, &op->range, ret);
    }
}

static int do_txn(Work *work, const StoreTxn *txn, StoreResult *ret) {
    int r = 1;
    for (size_t i = 0; i < txn->compare_count && r == 1; i++)
        r = holds(work, &txn->compares[i]);
    if (r < 0)
        return r;
    ret->succeeded = r == 1;
    const StoreOp *ops = r == 1 ? txn->then : txn->otherwise;
    ret->count = r == 1 ? txn->then_count : txn->otherwise_count;
    StoreOpResult *results = arena_zalloc(work->arena, ret->count * sizeof *results);
    ret->results = results;
    r = 0;
    for (size_t i = 0; i < ret->count && r >= 0; i++)
        r = do_op(work, &ops[i], &results[i]);
    return r;
}

/* ---- one piece of a batch ---- */

static int begin(SqliteStore *file) {
    if (!file->open_batch) {
        file->open_batch = true;
        file->committed = file->revision;
        file->doomed = run(file, BEGIN);
    }
    if (file->doomed == 0)
        file->doomed = run(file, SAVE);
    return file->doomed;
}

/* Keeps what has been done since `begin`, or undoes it; the error of a disk dooms all. */
static int finish(SqliteStore *file, int r) {
    bool refused = r == -ENOENT || r == -EEXIST || r == -EMSGSIZE;
    if (r < 0 && !refused)
        return file->doomed = r;
    int undone = refused ? run(file, UNDO) : 0;
    int released = undone < 0 ? undone : run(file, RELEASE);
    if (released < 0)
        return file->doomed = released;
    return r;
}

static void finish_work(Work *work, int r, StoreChange *ret) {
    SqliteStore *file = work->file;
    r = finish(file, r);
    if (r < 0) {
        ret->result = (StoreResult){.error = r};
    } else if (work->events.count) {
        file->revision = work->revision;
        ret->event_count = work->events.count;
        ret->events = (void *)arena_copy(work->arena, span(work->events.items,
                                                           work->events.count * sizeof(StoreEvent)))
                          .ptr;
    }
    ret->result.revision = file->revision;
    array_done(&work->events);
}

void sqlite_store_apply(SqliteStore *file, const StoreTxn *txn, Arena *arena, StoreChange *ret) {
    Work work = {.file = file, .arena = arena, .revision = file->revision + 1};
    *ret = (StoreChange){0};
    int r = begin(file);
    if (r == 0)
        r = do_txn(&work, txn, &ret->result);
    finish_work(&work, r, ret);
}

void sqlite_store_grant(SqliteStore *file, int64_t id, Nanos ttl, StoreChange *ret) {
    *ret = (StoreChange){0};
    int r = begin(file);
    if (r == 0)
        r = has_lease(file, id);
    if (r == 0) {
        sqlite3_bind_int64(file->statements[ADD_LEASE], 2, ttl);
        r = step(file, bind_number(file, ADD_LEASE, id));
    } else if (r == 1) {
        r = -EEXIST;
    }
    r = finish(file, r);
    ret->result = (StoreResult){.error = r, .lease = id, .revision = file->revision};
}

static int revoke(Work *work, int64_t id) {
    int r = has_lease(work->file, id);
    if (r < 1)
        return r < 0 ? r : -ENOENT;
    sqlite3_stmt *statement = bind_number(work->file, OF_LEASE, id);
    ARRAY(Span) keys = {0};
    while ((r = step(work->file, statement)) == 1)
        *array_push(&keys) = column(statement, 0, work->arena);
    for (size_t i = 0; i < keys.count && r >= 0; i++)
        r = delete_one(work, keys.items[i]);
    array_done(&keys);
    return r < 0 ? r : step(work->file, bind_number(work->file, DROP_LEASE, id));
}

void sqlite_store_revoke(SqliteStore *file, int64_t id, Arena *arena, StoreChange *ret) {
    Work work = {.file = file, .arena = arena, .revision = file->revision + 1};
    *ret = (StoreChange){0};
    int r = begin(file);
    finish_work(&work, r == 0 ? revoke(&work, id) : r, ret);
    ret->result.lease = id;
}

/* ---- the whole batch ---- */

/* The numbers that go with the batch, and history beyond the bound. */
static int write_marks(SqliteStore *file) {
    if (file->revision == file->committed)
        return 0;
    int r = set_mark(file, "revision", file->revision);
    int64_t old = file->revision - file->history;
    if (r == 0 && old > file->compacted) {
        r = step(file, bind_number(file, OLD_HISTORY, old));
        if (r == 0)
            r = set_mark(file, "compacted", old);
    }
    return r;
}

int sqlite_store_commit(SqliteStore *file) {
    if (!file->open_batch)
        return 0;
    int r = file->doomed < 0 ? file->doomed : write_marks(file);
    bool tried = r == 0;
    if (tried)
        r = run(file, COMMIT);
    file->open_batch = false;
    if (r == 0) {
        if (file->revision - file->history > file->compacted)
            file->compacted = file->revision - file->history;
        return 0;
    }
    /* Once the last write of a commit was made, its fsync alone may have failed; after that
     * Linux does not say what is on the disk. */
    int code = sqlite3_extended_errcode(file->db);
    bool known = !tried || (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_WRITE;
    if (!sqlite3_get_autocommit(file->db) && run(file, ROLLBACK) < 0)
        known = false;
    file->revision = file->committed;
    return known ? r : -ENOTRECOVERABLE;
}

int sqlite_store_tidy(SqliteStore *file) {
    if (file->pages < TIDY_PAGES)
        return 0;
    file->pages = 0;
    /* A full disk leaves the log as it is, which is whole; the next try comes with the next
     * TIDY_PAGES. A failed fsync is never tried again: it could succeed falsely. */
    if (sqlite3_wal_checkpoint_v2(file->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) ==
        SQLITE_OK)
        return 0;
    int code = sqlite3_extended_errcode(file->db);
    fail(file);
    return code == SQLITE_FULL || code == SQLITE_IOERR_WRITE ? 0 : -ENOTRECOVERABLE;
}

/* ---- reading ---- */

int sqlite_store_leases(SqliteStore *file, Arena *arena, SqliteLease **ret, size_t *ret_count) {
    sqlite3_stmt *statement = file->statements[ALL_LEASES];
    ARRAY(SqliteLease) all = {0};
    int r;
    while ((r = step(file, statement)) == 1)
        *array_push(&all) =
            (SqliteLease){sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1)};
    if (r == 0) {
        *ret = (void *)arena_copy(arena, span(all.items, all.count * sizeof *all.items)).ptr;
        *ret_count = all.count;
    }
    array_done(&all);
    return r;
}

int sqlite_store_history(SqliteStore *file, int64_t from, size_t limit, Arena *arena,
                         const StoreEvent **ret, size_t *ret_count, int64_t *ret_next) {
    assert(!file->open_batch);
    if (from <= file->compacted) {
        *ret_next = file->compacted;
        return -ESTALE;
    }
    sqlite3_stmt *statement = bind_number(file, READ_HISTORY, from);
    ARRAY(StoreEvent) events = {0};
    int64_t next = file->revision + 1, last = 0;
    int r;
    while ((r = step(file, statement)) == 1) {
        int64_t revision = sqlite3_column_int64(statement, 3);
        if (events.count >= limit && revision != last) {
            next = revision;
            break;
        }
        last = revision;
        bool deleted = sqlite3_column_type(statement, 1) == SQLITE_NULL;
        *array_push(&events) = (StoreEvent){deleted, read_entry(statement, arena)};
    }
    sqlite3_reset(statement);
    if (r >= 0) {
        *ret = (void *)arena_copy(arena, span(events.items, events.count * sizeof(StoreEvent))).ptr;
        *ret_count = events.count;
        *ret_next = next;
    }
    array_done(&events);
    return r < 0 ? r : 0;
}

/* ---- opening ---- */

static int on_log(void *owner, sqlite3 *db, const char *name, int pages) {
    ((SqliteStore *)owner)->pages = pages;
    return SQLITE_OK;
}

static int prepare(SqliteStore *file) {
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(file->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &file->statements[i], NULL) != SQLITE_OK)
            return fail(file);
    int r = get_mark(file, "epoch", &file->epoch);
    if (r == 0)
        r = get_mark(file, "revision", &file->revision);
    return r == 0 ? get_mark(file, "compacted", &file->compacted) : r;
}

int sqlite_store_open(const StoreOptions *options, uint64_t epoch, Nanos wall, SqliteStore **ret,
                      Buf *report) {
    SqliteStore *file = xcalloc(1, sizeof *file);
    file->history = options->history ? options->history : 10000;
    int r = sqlite_file_open(options, epoch, wall, &file->db, report);
    if (r == 0 && (r = prepare(file)) < 0)
        buf_printf(report, "%s: cannot be read: %s", options->path, sqlite_store_reason(file));
    if (r < 0) {
        sqlite_store_close(file);
        return r;
    }
    sqlite3_wal_hook(file->db, on_log, file);
    *ret = file;
    return 0;
}

void sqlite_store_close(SqliteStore *file) {
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(file->statements[i]);
    sqlite3_close(file->db);
    buf_done(&file->reason);
    free(file);
}

uint64_t sqlite_store_epoch(const SqliteStore *file) {
    return (uint64_t)file->epoch;
}

int64_t sqlite_store_revision(const SqliteStore *file) {
    return file->revision;
}

const char *sqlite_store_reason(const SqliteStore *file) {
    return buf_cstr((Buf *)&file->reason);
}
