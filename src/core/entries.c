#include "core/entries.h"

#include <stdlib.h>

#include "base/memory.h"

typedef struct Worker {
    EntryStage stage;
    const char *name;
    EntryWork *work;
    void *owner;
} Worker;

struct Entries {
    ARRAY(Worker) workers;
};

const char *entry_stage_name(EntryStage stage) {
    static const char *const NAMES[ENTRIES_STAGES] = {
        [ENTRIES_COLLECT] = "collect", [ENTRIES_OVERRIDE] = "override",
        [ENTRIES_DISABLE] = "disable", [ENTRIES_LINK] = "link",
        [ENTRIES_COMPILE] = "compile", [ENTRIES_ACTIVATE] = "activate",
    };
    return NAMES[stage];
}

Entries *entries_new(void) {
    return xcalloc(1, sizeof(Entries));
}

void entries_free(Entries *entries) {
    if (!entries)
        return;
    array_done(&entries->workers);
    free(entries);
}

void entries_add(Entries *entries, EntryStage stage, const char *name, EntryWork *work,
                 void *owner) {
    *array_push(&entries->workers) = (Worker){stage, name, work, owner};
}

static int run_stage(const Entries *entries, EntryStage stage, EntryList *list, Buf *reason) {
    for (size_t i = 0; i < entries->workers.count; i++) {
        const Worker *worker = &entries->workers.items[i];
        if (worker->stage != stage)
            continue;
        Buf why = {0};
        int error = worker->work(worker->owner, list, &why);
        if (error < 0)
            buf_printf(reason, "%s of entries by %s: %.*s", entry_stage_name(stage), worker->name,
                       SPAN_ARGS(buf_span(&why)));
        buf_done(&why);
        if (error < 0)
            return error;
    }
    return 0;
}

int entries_run(Entries *entries, Buf *reason) {
    EntryList list = {0};
    int error = 0;
    for (EntryStage stage = ENTRIES_COLLECT; stage < ENTRIES_STAGES && !error; stage++)
        error = run_stage(entries, stage, &list, reason);
    array_done(&list);
    return error;
}
