#include "store/sqlite_file.h"

#include <errno.h>
#include <stdio.h>

#include "base/memory.h"

/* "Mstr", in the header of the file (PRAGMA application_id): tells it from other databases. */
#define APPLICATION_ID 0x4d737472

/* MIGRATIONS[n] leads from version n to n + 1. What has been released is never changed. */
static const char *const MIGRATIONS[] = {
    "CREATE TABLE entry (key BLOB PRIMARY KEY, value BLOB NOT NULL, created INTEGER NOT NULL,"
    " modified INTEGER NOT NULL, version INTEGER NOT NULL, lease INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX entry_lease ON entry (lease) WHERE lease != 0;"
    "CREATE TABLE history (revision INTEGER, place INTEGER, key BLOB NOT NULL, value BLOB,"
    " created INTEGER NOT NULL, version INTEGER NOT NULL, lease INTEGER NOT NULL,"
    " PRIMARY KEY (revision, place)) WITHOUT ROWID;"
    "CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL);"
    "CREATE TABLE mark (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO mark VALUES ('epoch', 0), ('revision', 0), ('compacted', 0);",
};
#define VERSION (int)(sizeof MIGRATIONS / sizeof *MIGRATIONS)

static int error_of(sqlite3 *db) {
    switch (sqlite3_errcode(db)) {
    case SQLITE_NOMEM:
        out_of_memory();
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -ENOTRECOVERABLE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return -EACCES;
    default:
        return -EIO;
    }
}

static int execute(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : error_of(db);
}

static int ask_number(sqlite3 *db, const char *sql, int64_t *ret) {
    sqlite3_stmt *statement = NULL;
    int r = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
                    sqlite3_step(statement) == SQLITE_ROW
                ? 0
                : error_of(db);
    if (r == 0)
        *ret = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return r;
}

/* 0 when SQLite finds the whole file in order. */
static int check(sqlite3 *db) {
    sqlite3_stmt *statement = NULL;
    int r = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &statement, NULL) == SQLITE_OK &&
                    sqlite3_step(statement) == SQLITE_ROW
                ? 0
                : error_of(db);
    if (r == 0 && strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
        r = -ENOTRECOVERABLE;
    sqlite3_finalize(statement);
    return r;
}

static int migrate(sqlite3 *db, int64_t version, uint64_t epoch) {
    int r = execute(db, "BEGIN IMMEDIATE");
    for (; r == 0 && version < VERSION; version++)
        r = execute(db, MIGRATIONS[version]);
    char sql[200];
    snprintf(sql, sizeof sql,
             "UPDATE mark SET number = %lld WHERE name = 'epoch' AND number = 0;"
             "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             (long long)(epoch >> 1 | 1), APPLICATION_ID, VERSION);
    return r == 0 ? execute(db, sql) : r;
}

/* Writes the log once more, as it is. Where a sync failed before the restart, the log may be whole in
 * the cache alone, and the next sync would succeed without writing it; what is then committed
 * behind it would be lost with it. */
static int renew_log(const StoreOptions *options) {
    enum { PIECE = 1024 * 1024 };
    Buf path = {0}, piece = {0};
    File *log;
    buf_printf(&path, "%s-wal", options->path);
    int r = files_open(options->files, buf_cstr(&path), FILE_WRITE, &log);
    buf_done(&path);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    int64_t got = 0;
    for (int64_t at = 0; r == 0; at += got) {
        got = file_read(log, at, buf_reserve(&piece, PIECE), PIECE);
        if (got <= 0)
            break;
        r = file_write(log, at, span(piece.ptr, (size_t)got));
    }
    if (r == 0)
        r = got < 0 ? (int)got : file_sync(log);
    buf_done(&piece);
    file_close(log);
    return r;
}

/* Brings an open database to the current version; refuses what is not ours. */
static int adopt(sqlite3 *db, const StoreOptions *options, uint64_t epoch, Buf *report) {
    const char *path = options->path;
    int64_t tables = 0, application = 0, version = 0;
    /* The lock is for the life of the process: a second runtime on the same file is told so, and
     * SQLite needs no shared memory. */
    int r = execute(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
                        "PRAGMA cell_size_check = ON; BEGIN EXCLUSIVE; COMMIT");
    if (r == 0 && (r = renew_log(options)) < 0)
        buf_printf(report, "%s-wal: %s", path, strerror(-r));
    if (r == 0)
        r = ask_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (r == 0)
        r = ask_number(db, "PRAGMA application_id", &application);
    if (r == 0)
        r = ask_number(db, "PRAGMA user_version", &version);
    if (r < 0)
        return r;
    if (tables && application != APPLICATION_ID) {
        buf_printf(report, "%s: is a database of another program: move it away", path);
        return -ENOTSUP;
    }
    if (version > VERSION) {
        buf_printf(report, "%s: was written by a newer Muster (form %lld, this one knows %d)", path,
                   (long long)version, VERSION);
        return -ENOTSUP;
    }
    r = check(db);
    return r == 0 && version < VERSION ? migrate(db, version, epoch) : r;
}

static int sync_folder(const StoreOptions *options) {
    const char *path = options->path, *slash = strrchr(path, '/');
    Buf folder = {0};
    buf_printf(&folder, "%.*s", slash > path ? (int)(slash - path) : 1, slash ? path : ".");
    int r = files_sync(options->files, buf_cstr(&folder));
    buf_done(&folder);
    return r;
}

/* Makes the file ourselves, so that nobody else can read it; the log beside it gets the same
 * mode. */
static int make(const StoreOptions *options) {
    File *file = NULL;
    int r = files_open(options->files, options->path, FILE_CREATE, &file);
    file_close(file);
    if (r == 0)
        r = sync_folder(options);
    return r == -EEXIST ? 0 : r;
}

static int open_once(const StoreOptions *options, uint64_t epoch, sqlite3 **ret, Buf *report) {
    const char *path = options->path;
    int r = make(options);
    if (r < 0) {
        buf_printf(report, "%s: %s", path, strerror(-r));
        return r;
    }
    sqlite3 *db;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    r = sqlite3_open_v2(path, &db, flags, options->vfs) == SQLITE_OK ? 0 : error_of(db);
    sqlite3_extended_result_codes(db, 1);
    if (r == 0)
        r = adopt(db, options, epoch, report);
    /* A kill while the file was made leaves a rollback journal, which the next start removes, but
     * not for good: after a power cut it would come back and undo all that has been answered. */
    if (r == 0)
        r = sync_folder(options);
    if (r < 0) {
        if (!report->len && r != -ENOTRECOVERABLE)
            buf_printf(report, "%s: %s", path,
                       r == -EBUSY ? "another process has it open" : sqlite3_errmsg(db));
        sqlite3_close(db);
        return r;
    }
    *ret = db;
    return 0;
}

/* Renames the file and its log to where they can be looked at. */
static int set_aside(const StoreOptions *options, Nanos wall, Buf *report) {
    const char *path = options->path;
    char time[RFC3339_MAX];
    size_t len =
        format_rfc3339(time, wall / NANOS_PER_SECOND, (int32_t)(wall % NANOS_PER_SECOND), 9);
    static const char *const SUFFIXES[] = {"", "-wal"};
    Buf from = {0}, to = {0};
    int r = 0;
    for (int i = 0; i < 2 && r == 0; i++) {
        buf_clear(&from);
        buf_clear(&to);
        buf_printf(&from, "%s%s", path, SUFFIXES[i]);
        buf_printf(&to, "%s.damaged-%.*s%s", path, (int)len, time, SUFFIXES[i]);
        r = files_rename(options->files, buf_cstr(&from), buf_cstr(&to));
        if (r == -ENOENT)
            r = 0;
    }
    if (r == 0)
        buf_printf(
            report,
            "%s: was damaged; it is kept as %s.damaged-%.*s, and an empty one takes its place",
            path, path, (int)len, time);
    else
        buf_printf(report, "%s: is damaged, and cannot be renamed: %s", path, strerror(-r));
    buf_done(&from);
    buf_done(&to);
    return r;
}

int sqlite_file_open(const StoreOptions *options, uint64_t epoch, Nanos wall, sqlite3 **ret,
                     Buf *report) {
    StoreOptions with = *options;
    if (!with.files)
        with.files = files_real();
    buf_clear(report);
    int r = open_once(&with, epoch, ret, report);
    if (r != -ENOTRECOVERABLE)
        return r;
    r = set_aside(&with, wall, report);
    return r == 0 ? open_once(&with, epoch, ret, report) : r;
}
