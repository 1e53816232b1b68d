/* SQLite alone: the same puts one after the other, each a transaction of its own, write-ahead log
 * and fsync as in our store. The argument is a folder. */
#include <sqlite3.h>
#include <stdlib.h>

#include "store_workload.h"

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    char path[300], key[16], value[VALUE_SIZE];
    memset(value, 'v', sizeof value);
    snprintf(path, sizeof path, "%s/sqlite.db", argv[1]);
    sqlite3 *db;
    sqlite3_stmt *put;
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                     "PRAGMA synchronous = FULL;"
                     "CREATE TABLE entry (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "REPLACE INTO entry VALUES (?1, ?2)", -1, &put, NULL) != SQLITE_OK)
        return 1;
    uint64_t random = 1;
    int64_t begin = now_ns(), until = begin + PUT_SECONDS * INT64_C(1000000000), done = 0;
    for (; now_ns() < until; done++) {
        int len = snprintf(key, sizeof key, "key-%04d", (int)(seeded(&random) % KEYS));
        sqlite3_bind_blob(put, 1, key, len, SQLITE_STATIC);
        sqlite3_bind_blob(put, 2, value, sizeof value, SQLITE_STATIC);
        if (sqlite3_step(put) != SQLITE_DONE)
            return 1;
        sqlite3_reset(put);
    }
    char measure[40];
    snprintf(measure, sizeof measure, PUT_MEASURE, 1);
    report(measure, "txn/s", (double)done * 1e9 / (double)(now_ns() - begin));
    sqlite3_finalize(put);
    sqlite3_close(db);
    return 0;
}
