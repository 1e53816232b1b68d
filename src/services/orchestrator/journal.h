/* What is to be stored, gathered during a turn of the loop and committed at its end: many changes,
 * few transactions. Of several values for one key the last counts.
 *
 * What happens does not wait for it: processes have started or ended already when it is written
 * down, and should the runtime die in between, the keeper still knows. So that it does, it is told to
 * forget a process by journal_after. */
#pragma once

#include "schema/schema.h"
#include "store/store.h"

typedef struct Journal Journal;

/* `store` may be NULL: then nothing is kept beyond the runtime's life. */
Journal *journal_new(World *world, Store *store);
/* What is not committed yet is handed to the store once more; whoever waits is called. */
void journal_free(Journal *journal);

void journal_put(Journal *journal, Span key, const SchemaMessage *type, const void *message);
void journal_delete(Journal *journal, Span key);

/* Calls `done` with a copy of `text`, later, once all that was put before is on the disk or cannot
 * be written. */
void journal_after(Journal *journal, void (*done)(void *owner, Span text), void *owner, Span text);
