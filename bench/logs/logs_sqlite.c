/* Logs: the same entries in SQLite with its full-text index (FTS5, trigram, so that it finds parts
 * of words, too), given in transactions of a thousand. usage: logs_sqlite [ENTRIES] */
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logs_workload.h"

static sqlite3 *open_database(const char *path) {
    sqlite3 *database;
    if (sqlite3_open(path, &database) != SQLITE_OK)
        exit(1);
    const char *setup =
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "CREATE TABLE log(id INTEGER PRIMARY KEY, time INTEGER, service TEXT, level "
        "INTEGER, message TEXT, request TEXT);"
        "CREATE INDEX by_request ON log(request);"
        "CREATE VIRTUAL TABLE words USING fts5(message, content='log', "
        "content_rowid='id', detail='none', tokenize='trigram');";
    if (sqlite3_exec(database, setup, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s\n", sqlite3_errmsg(database));
        exit(1);
    }
    return database;
}

static void insert_all(sqlite3 *database, size_t count) {
    sqlite3_stmt *log, *words;
    sqlite3_prepare_v2(database, "INSERT INTO log VALUES(?,?,?,?,?,?)", -1, &log, NULL);
    sqlite3_prepare_v2(database, "INSERT INTO words(rowid, message) VALUES(?,?)", -1, &words, NULL);
    for (size_t n = 0; n < count; n++) {
        WorkEntry entry;
        work_entry(n, &entry);
        if (n % 1000 == 0)
            sqlite3_exec(database, n ? "COMMIT; BEGIN" : "BEGIN", NULL, NULL, NULL);
        sqlite3_bind_int64(log, 1, (sqlite3_int64)n + 1);
        sqlite3_bind_int64(log, 2, 1767225600000 + (sqlite3_int64)n / 100);
        sqlite3_bind_text(log, 3, entry.service, -1, SQLITE_STATIC);
        sqlite3_bind_int(log, 4, entry.level);
        sqlite3_bind_text(log, 5, entry.message, -1, SQLITE_STATIC);
        sqlite3_bind_text(log, 6, entry.request, -1, SQLITE_STATIC);
        sqlite3_step(log);
        sqlite3_reset(log);
        sqlite3_bind_int64(words, 1, (sqlite3_int64)n + 1);
        sqlite3_bind_text(words, 2, entry.message, -1, SQLITE_STATIC);
        sqlite3_step(words);
        sqlite3_reset(words);
    }
    sqlite3_exec(database, "COMMIT", NULL, NULL, NULL);
    sqlite3_finalize(log);
    sqlite3_finalize(words);
}

static void search(sqlite3 *database, const char *what, const char *query) {
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        sqlite3_stmt *statement;
        int64_t begin = now_ns();
        if (sqlite3_prepare_v2(database, query, -1, &statement, NULL) != SQLITE_OK) {
            fprintf(stderr, "%s: %s\n", query, sqlite3_errmsg(database));
            exit(1);
        }
        while (sqlite3_step(statement) == SQLITE_ROW)
            ;
        sqlite3_finalize(statement);
        double took = (double)(now_ns() - begin) / 1e6;
        best = took < best ? took : best;
    }
    report(what, "ms", best);
}

/* The parts of a word cannot be a phrase without positions: all of them, then the text itself. */
static void search_text(sqlite3 *database, const char *what, const char *text) {
    char query[512];
    snprintf(query, sizeof query,
             "SELECT * FROM log WHERE id IN (SELECT rowid FROM words WHERE message LIKE '%%%s%%') "
             "AND message LIKE '%%%s%%' ORDER BY id DESC LIMIT 1000",
             text, text);
    search(database, what, query);
}

int main(int argc, char **argv) {
    size_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : ENTRIES;
    char folder[] = "/tmp/muster-bench-XXXXXX", path[64], query[256];
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/log.db", folder);
    sqlite3 *database = open_database(path);
    int64_t begin = now_ns();
    insert_all(database, count);
    report("ingest", "entries/s", (double)count / (double)(now_ns() - begin) * 1e9);
    sqlite3_exec(database, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    struct stat file;
    stat(path, &file);
    report("on the disk, an entry", "bytes", (double)file.st_size / (double)count);

    WorkEntry some;
    char id[32];
    work_entry(count / 2, &some);
    snprintf(id, sizeof id, "%.16s", strstr(some.message, "trace=") + 6);
    search_text(database, "text, 10 of them", "deadlock");
    search_text(database, "text, all 1000 of them", "upstream timeout");
    search_text(database, "text, none there", "kernel panic");
    search_text(database, "identifier in the text", id);
    snprintf(query, sizeof query, "SELECT * FROM log WHERE request = '%s' ORDER BY id",
             some.request);
    search(database, "correlation id", query);
    search(database, "latest 1000 errors of a service",
           "SELECT * FROM log WHERE service = 'service-07' AND level >= 4 ORDER BY id DESC LIMIT "
           "1000");
    search(database, "latest 10000 of a quiet service",
           "SELECT * FROM log WHERE service = 'service-quiet' ORDER BY id DESC LIMIT 10000");
    search(database, "histogram of everything",
           "SELECT time / 167, level, count(*) FROM log GROUP BY 1, 2");
    sqlite3_close(database);
    snprintf(query, sizeof query, "rm -r %s", folder);
    return system(query) ? 1 : 0;
}
