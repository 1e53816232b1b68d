#include "services/orchestrator/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/blob.h"
#include "base/log.h"
#include "base/memory.h"
#include "schema/codec.h"

#define BATCH       100 /* changes of one transaction, below STORE_OPS_MAX */
#define RETRY       (100 * NANOS_PER_MILLI)
#define PENDING_MAX 20000 /* while the disk fails; the oldest are dropped beyond it */

typedef struct Change {
    char *key;
    Blob *value; /* NULL: deleted */
} Change;

typedef struct Waiter {
    uint64_t commit; /* which it waits for, with all before it; UINT64_MAX: not known yet */
    void (*done)(void *owner, Span text);
    void *owner;
    char *text;
} Waiter;

struct Journal {
    World *world;
    Store *store;
    ARRAY(Change) pending;
    ARRAY(Waiter) waiters;     /* in the order in which they are called */
    uint64_t begun, committed; /* transactions; the store answers them in their order */
    Task flush;
    Timer retry;
    bool failing; /* the last transaction was not written */
};

static void change_done(Change *change) {
    free(change->key);
    blob_unref(change->value);
}

/* Calls those that wait for no more than `commits`. They do not come back to the journal. */
static void call_waiters(Journal *journal, uint64_t commits) {
    size_t called = 0;
    while (called < journal->waiters.count && journal->waiters.items[called].commit <= commits) {
        Waiter *waiter = &journal->waiters.items[called];
        waiter->done(waiter->owner, span_of(waiter->text));
        free(waiter->text);
        called++;
    }
    array_remove(&journal->waiters, 0, called);
}

static void on_committed(void *owner, const StoreResult *result) {
    Journal *journal = owner;
    bool failing = result->error != 0;
    if (failing && !journal->failing)
        log_error(
            "what happens to services cannot be written down: events and runs from now on are "
            "lost when the runtime ends",
            log_text("reason", span_of(strerror(-result->error))));
    if (!failing && journal->failing)
        log_info("what happens to services is written down again");
    journal->failing = failing;
    journal->committed++;
    call_waiters(journal, journal->committed);
}

/* Commits up to BATCH changes; false when the store takes no more for now. */
static bool commit_batch(Journal *journal) {
    StoreOp ops[BATCH];
    size_t count = journal->pending.count < BATCH ? journal->pending.count : BATCH;
    for (size_t i = 0; i < count; i++) {
        const Change *change = &journal->pending.items[i];
        ops[i] = (StoreOp){
            .kind = change->value ? STORE_PUT : STORE_DELETE,
            .range = {.how = STORE_KEY, .key = span_of(change->key)},
            .value = change->value ? blob_span(change->value) : (Span){0},
        };
    }
    StoreTxn txn = {.then = ops, .then_count = count};
    int error = store_commit(journal->store, &txn, on_committed, journal);
    if (error == -EBUSY)
        return false;
    journal->begun += error == 0; /* else nobody answers */
    for (size_t i = 0; i < count; i++)
        change_done(&journal->pending.items[i]);
    array_remove(&journal->pending, 0, count);
    return true;
}

static void flush(Journal *journal) {
    while (journal->pending.count)
        if (!commit_batch(journal)) {
            wheel_arm(world_wheel(journal->world), &journal->retry,
                      world_now(journal->world) + RETRY);
            return;
        }
    for (size_t i = 0; i < journal->waiters.count; i++)
        if (journal->waiters.items[i].commit == UINT64_MAX)
            journal->waiters.items[i].commit = journal->begun;
    call_waiters(journal, journal->committed);
}

static void on_flush(Task *task) {
    flush(CONTAINER(task, Journal, flush));
}

static void on_retry(Timer *timer) {
    flush(CONTAINER(timer, Journal, retry));
}

Journal *journal_new(World *world, Store *store) {
    Journal *journal = xcalloc(1, sizeof *journal);
    journal->world = world;
    journal->store = store;
    journal->flush.run = on_flush;
    journal->retry.fire = on_retry;
    return journal;
}

void journal_free(Journal *journal) {
    if (!journal)
        return;
    if (journal->store) {
        while (journal->pending.count && commit_batch(journal))
            ;
        store_forget(journal->store, journal);
    }
    call_waiters(journal, UINT64_MAX);
    array_done(&journal->waiters);
    world_undefer(&journal->flush);
    wheel_cancel(world_wheel(journal->world), &journal->retry);
    for (size_t i = 0; i < journal->pending.count; i++)
        change_done(&journal->pending.items[i]);
    array_done(&journal->pending);
    free(journal);
}

static void add(Journal *journal, Span key, Blob *value) {
    for (size_t i = journal->pending.count; i-- > 0;) {
        Change *change = &journal->pending.items[i];
        if (span_equal(span_of(change->key), key)) {
            blob_unref(change->value);
            change->value = value;
            return;
        }
    }
    if (journal->pending.count == PENDING_MAX) {
        change_done(&journal->pending.items[0]);
        array_remove(&journal->pending, 0, 1);
    }
    char *copy = xmalloc(key.len + 1);
    memcpy(copy, key.ptr, key.len);
    copy[key.len] = 0;
    *array_push(&journal->pending) = (Change){copy, value};
    if (!timer_is_armed(&journal->retry))
        world_defer(journal->world, &journal->flush);
}

void journal_put(Journal *journal, Span key, const SchemaMessage *type, const void *message) {
    if (!journal->store)
        return;
    Arena arena = {0};
    Span bytes;
    if (schema_encode(type, message, 0, &arena, &bytes) == 0)
        add(journal, key, blob_copy(bytes));
    arena_done(&arena);
}

void journal_delete(Journal *journal, Span key) {
    if (journal->store)
        add(journal, key, NULL);
}

void journal_after(Journal *journal, void (*done)(void *owner, Span text), void *owner, Span text) {
    char *copy = xcalloc(1, text.len + 1);
    memcpy(copy, text.ptr, text.len);
    *array_push(&journal->waiters) = (Waiter){UINT64_MAX, done, owner, copy};
    if (!timer_is_armed(&journal->retry))
        world_defer(journal->world, &journal->flush);
}
