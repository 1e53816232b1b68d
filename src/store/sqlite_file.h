/* The SQLite file under the store: opened, checked, set aside when damaged, migrated forward.
 * Private to src/store. */
#pragma once

#include <sqlite3.h>

#include "store/store.h"

/* As store_open. */
int sqlite_file_open(const StoreOptions *options, uint64_t epoch, Nanos wall, sqlite3 **ret,
                     Buf *report);
