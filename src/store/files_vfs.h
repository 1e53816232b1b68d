/* SQLite on Files: with a simulated disk under it the store can be killed between any two writes.
 * For tests; private to src/store. */
#pragma once

#include "os/files.h"

/* Makes SQLite know the way by that name, which is StoreOptions.vfs. There are no locks: a file is
 * opened once at a time. */
void files_vfs_register(Files *files, const char *name);
void files_vfs_unregister(const char *name);
