/* Entries: the things that a project declares (its services; later Lua functions and processes),
 * on their way from the files to life. Named stages run one after the other when all components
 * have started, each transforming the list: the specification's pipeline of the registry.
 *
 *     ENTRIES_COLLECT    entries come from the configuration, from files
 *     ENTRIES_OVERRIDE   values given elsewhere take the place of theirs
 *     ENTRIES_DISABLE    those that are not wanted leave the list
 *     ENTRIES_LINK       what they require is resolved
 *     ENTRIES_COMPILE    sources become what is run
 *     ENTRIES_ACTIVATE   their owners take over what is left, and start what starts by itself
 *
 * A component takes part by adding functions in its `load`; those of one stage run in the order of
 * adding. */
#pragma once

#include "base/array.h"
#include "base/buf.h"

typedef struct Entry {
    Span kind;   /* "service" */
    Span name;   /* unique within its kind; both live until the last stage has run */
    void *value; /* what the kind makes of it */
} Entry;

typedef ARRAY(Entry) EntryList;

typedef enum EntryStage {
    ENTRIES_COLLECT,
    ENTRIES_OVERRIDE,
    ENTRIES_DISABLE,
    ENTRIES_LINK,
    ENTRIES_COMPILE,
    ENTRIES_ACTIVATE,
    ENTRIES_STAGES,
} EntryStage;

const char *entry_stage_name(EntryStage stage);

typedef struct Entries Entries;

Entries *entries_new(void);
void entries_free(Entries *entries);

/* `run` changes the list as it likes; a negative errno ends the run, `reason` says which entry and
 * why. `name` (constant text) is who does it. */
typedef int EntryWork(void *owner, EntryList *list, Buf *reason);
void entries_add(Entries *entries, EntryStage stage, const char *name, EntryWork *work,
                 void *owner);

/* Runs all stages over an empty list. Failures name the stage and who failed. */
int entries_run(Entries *entries, Buf *reason);
