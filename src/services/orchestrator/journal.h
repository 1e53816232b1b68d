/* What is to be stored, gathered during a turn of the loop and committed at its end: many changes,
 * few transactions. Of several values for one key the last counts.
 *
 * Nobody waits for it: processes have started or ended already when it is written down, and should
 * the runtime die in between, the keeper still knows. */
#pragma once

#include "schema/schema.h"
#include "store/store.h"

typedef struct Journal Journal;

/* `store` may be NULL: then nothing is kept beyond the runtime's life. */
Journal *journal_new(World *world, Store *store);
/* What is not committed yet is handed to the store once more. */
void journal_free(Journal *journal);

void journal_put(Journal *journal, Span key, const SchemaMessage *type, const void *message);
void journal_delete(Journal *journal, Span key);
