/* Random transactions, leases and watches on a disk that fails, fills up and loses what was not
 * synced, against a model that a reader can check by eye. */
#include <errno.h>

#include "base/array.h"
#include "base/memory.h"
#include "base/test.h"
#include "os/simulated_disk.h"
#include "os/simulation.h"
#include "store/files_vfs.h"
#include "store/store.h"

#define KEYS    16
#define LEASES  4
#define HISTORY 60
#define TTL     (10 * NANOS_PER_SECOND)

/* ---- the model ---- */

typedef struct Entry {
    int64_t value; /* 0: there is none */
    int64_t created, modified, version, lease;
} Entry;

typedef struct State {
    int64_t revision;
    Entry entries[KEYS];
    bool leases[LEASES + 1]; /* by id; 0 is not one */
} State;

typedef struct Op {
    int kind;  /* STORE_GET, STORE_PUT, STORE_DELETE */
    int key;   /* of a get and delete: the first … */
    int until; /* … and behind the last */
    int value, lease;
} Op;

typedef struct Call {
    enum { TXN, GRANT, REVOKE } kind;
    int compared;    /* a key, or -1 */
    int64_t version; /* that it must have */
    Op then[2], other[2];
    int64_t lease;
} Call;

typedef struct Event {
    int64_t revision;
    int key, value; /* value 0: deleted */
} Event;

typedef struct Outcome {
    int error;
    bool succeeded;
    size_t counts[2];
} Outcome;

typedef ARRAY(Event) Log;

static void note(Log *log, const State *state, int key) {
    if (log)
        *array_push(log) = (Event){state->revision, key, (int)state->entries[key].value};
}

static void delete_key(State *state, int key, Log *log) {
    state->entries[key] = (Entry){0};
    note(log, state, key);
}

static size_t apply_op(State *state, const Op *op, bool *changed, int64_t revision, Log *log) {
    size_t count = 0;
    state->revision = revision;
    if (op->kind == STORE_PUT) {
        Entry *entry = &state->entries[op->key];
        if (!entry->version)
            entry->created = revision;
        entry->modified = revision;
        entry->value = op->value;
        entry->version++;
        entry->lease = op->lease;
        *changed = true;
        note(log, state, op->key);
        return 0;
    }
    for (int key = op->key; key < op->until; key++) {
        if (!state->entries[key].value)
            continue;
        count++;
        if (op->kind != STORE_DELETE)
            continue;
        delete_key(state, key, log);
        *changed = true;
    }
    return count;
}

static int apply_lease(State *state, const Call *call, Log *log) {
    bool grant = call->kind == GRANT;
    if (state->leases[call->lease] == grant)
        return grant ? -EEXIST : -ENOENT;
    state->leases[call->lease] = grant;
    bool found = false;
    for (int key = 0; !grant && key < KEYS; key++) {
        if (!state->entries[key].value || state->entries[key].lease != call->lease)
            continue;
        state->revision += !found;
        found = true;
        delete_key(state, key, log);
    }
    return 0;
}

/* What the call does, and what it answers. */
static Outcome apply(State *state, const Call *call, Log *log) {
    Outcome outcome = {0};
    if (call->kind != TXN) {
        outcome.error = apply_lease(state, call, log);
        return outcome;
    }
    outcome.succeeded =
        call->compared < 0 || state->entries[call->compared].version == call->version;
    const Op *ops = outcome.succeeded ? call->then : call->other;
    for (int i = 0; i < 2; i++)
        if (ops[i].kind == STORE_PUT && ops[i].lease && !state->leases[ops[i].lease])
            outcome.error = -ENOENT;
    if (outcome.error) {
        outcome.succeeded = false;
        return outcome;
    }
    int64_t before = state->revision;
    bool changed = false;
    for (int i = 0; i < 2; i++)
        outcome.counts[i] = apply_op(state, &ops[i], &changed, before + 1, log);
    if (!changed)
        state->revision = before;
    return outcome;
}

/* ---- the store beside it ---- */

typedef struct Room {
    TestRandom random;
    uint64_t seed;
    SimulatedDisk *disk;
    Simulation *simulation;
    World *world;
    Store *store;
    Buf report;
    State state;         /* after all calls that were answered */
    Log log;             /* and what they changed, one after the other */
    ARRAY(Call) pending; /* not answered yet, oldest first */
    StoreWatch *watch;
    int64_t heard;       /* revision that the watch has told last */
    size_t heard_events; /* of the log */
    bool broken;
    int answers, changes;
} Room;

static uint64_t below(Room *room, uint64_t bound) {
    return test_random_below(&room->random, bound);
}

#define CHECK(room, condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("seed %llu: " #condition, (unsigned long long)(room)->seed);                  \
    } while (0)

static Span key_text(int key, char out[8]) {
    return span(out, (size_t)snprintf(out, 8, "k%02d", key));
}

static void on_broken(void *owner, Span reason) {
    ((Room *)owner)->broken = true;
}

static void on_changed(void *owner, int64_t revision, const StoreEvent *events, size_t count) {
    Room *room = owner;
    CHECK(room, revision > room->heard);
    room->heard = revision;
    room->changes++;
    /* The model hears of a revision by its answer, which comes after this: what it would log is
     * tried out on a copy. */
    Log ahead = {0};
    State copy = room->state;
    for (size_t i = 0; i < room->pending.count && copy.revision < revision; i++)
        apply(&copy, &room->pending.items[i], &ahead);
    size_t at = 0;
    for (size_t i = 0; i < room->log.count + ahead.count; i++) {
        const Event *event =
            i < room->log.count ? &room->log.items[i] : &ahead.items[i - room->log.count];
        if (event->revision != revision)
            continue;
        CHECK(room, at < count);
        char text[8];
        CHECK(room, span_equal(events[at].entry.key, key_text(event->key, text)));
        CHECK(room, events[at].deleted == (event->value == 0));
        CHECK(room, events[at].entry.modified == revision);
        if (event->value)
            CHECK(room, *(const int *)events[at].entry.value.ptr == event->value);
        at++;
    }
    CHECK(room, at == count);
    array_done(&ahead);
}

static void on_compacted(void *owner, int64_t revision) {
    Room *room = owner;
    room->watch = NULL;
    CHECK(room, revision <= room->state.revision - HISTORY + 20);
    room->heard = revision;
}

static const StoreWatcher WATCHER = {on_changed, on_compacted};

static Call take_pending(Room *room) {
    CHECK(room, room->pending.count > 0);
    Call call = room->pending.items[0];
    memmove(room->pending.items, room->pending.items + 1, --room->pending.count * sizeof call);
    return call;
}

static void on_answer(void *owner, const StoreResult *result) {
    Room *room = owner;
    room->answers++;
    Call call = take_pending(room);
    if (result->error == -EIO || result->error == -ENOSPC)
        return; /* nothing was done */
    Outcome outcome = apply(&room->state, &call, &room->log);
    CHECK(room, result->error == outcome.error);
    CHECK(room, result->revision == room->state.revision);
    if (outcome.error || call.kind != TXN)
        return;
    CHECK(room, result->succeeded == outcome.succeeded);
    CHECK(room, result->count == 2);
    for (int i = 0; i < 2; i++)
        CHECK(room, result->results[i].count == outcome.counts[i]);
}

/* ---- calls ---- */

static Op random_op(Room *room, int from, int to) {
    static const int KINDS[] = {STORE_GET, STORE_PUT, STORE_PUT, STORE_PUT, STORE_DELETE};
    Op op = {.kind = KINDS[below(room, 5)], .key = from + (int)below(room, (uint64_t)(to - from))};
    op.until = op.key + 1 + (int)below(room, (uint64_t)(to - op.key));
    op.value = 1 + (int)below(room, 1000000);
    op.lease = below(room, 4) == 0 ? 1 + (int)below(room, LEASES) : 0;
    return op;
}

static StoreOp store_op(const Op *op, char texts[2][8]) {
    StoreOp made = {.kind = op->kind, .range.key = key_text(op->key, texts[0])};
    if (op->kind == STORE_PUT) {
        made.value = span(&op->value, sizeof op->value);
        made.lease = op->lease;
        return made;
    }
    made.range.how = STORE_UNTIL;
    made.range.end = key_text(op->until, texts[1]);
    return made;
}

static int send(Room *room, const Call *call) {
    if (call->kind == GRANT)
        return store_lease_grant(room->store, call->lease, TTL, on_answer, room);
    if (call->kind == REVOKE)
        return store_lease_revoke(room->store, call->lease, on_answer, room);
    char texts[4][2][8], compared[8];
    StoreCompare compare = {.key = key_text(call->compared < 0 ? 0 : call->compared, compared),
                            .what = STORE_VERSION,
                            .number = call->version};
    StoreOp then[2], other[2];
    for (int i = 0; i < 2; i++) {
        then[i] = store_op(&call->then[i], texts[i]);
        other[i] = store_op(&call->other[i], texts[2 + i]);
    }
    StoreTxn txn = {&compare, call->compared >= 0, then, 2, other, 2};
    return store_commit(room->store, &txn, on_answer, room);
}

static void random_call(Room *room) {
    Call call = {.compared = -1};
    if (below(room, 10) == 0) {
        call.kind = below(room, 2) ? GRANT : REVOKE;
        call.lease = 1 + (int64_t)below(room, LEASES);
    } else {
        /* Halves, so that no key is put twice. */
        call.then[0] = random_op(room, 0, KEYS / 2);
        call.then[1] = random_op(room, KEYS / 2, KEYS);
        call.other[0] = random_op(room, 0, KEYS / 2);
        call.other[1] = random_op(room, KEYS / 2, KEYS);
        if (below(room, 2))
            call.compared = (int)below(room, KEYS);
        call.version = (int64_t)below(room, 3);
    }
    *array_push(&room->pending) = call;
    if (send(room, &call) < 0)
        room->pending.count--;
}

static void settle(Room *room, Nanos by) {
    simulation_run(room->simulation, world_now(room->world) + by);
}

static bool is_alive(const Room *room) {
    return !room->broken && !simulated_disk_is_dead(room->disk);
}

/* All leases but one are kept: that one ends, which answers nobody. */
static void expire(Room *room) {
    settle(room, NANOS_PER_MILLI);
    int64_t gone = 1 + (int64_t)below(room, LEASES);
    if (!is_alive(room) || !room->state.leases[gone])
        return;
    *array_push(&room->pending) = (Call){.kind = REVOKE, .compared = -1, .lease = gone};
    for (int i = 0; i < 3 && is_alive(room); i++) {
        for (int64_t id = 1; id <= LEASES; id++)
            if (id != gone)
                store_lease_keep(room->store, id);
        settle(room, TTL * 6 / 10);
    }
    if (!is_alive(room))
        return; /* then it may have ended or not */
    Call call = take_pending(room);
    if (store_lease_keep(room->store, gone) == -ENOENT)
        apply(&room->state, &call, &room->log);
}

static void random_step(Room *room) {
    uint64_t what = below(room, 40);
    if (what == 0)
        expire(room);
    else if (what < 15)
        settle(room, NANOS_PER_MILLI);
    else
        random_call(room);
    if (!room->watch && !room->broken && below(room, 4) == 0) {
        StoreRange all = {.how = STORE_PREFIX};
        if (store_watch(room->store, &all, room->heard + 1, &WATCHER, room, &room->watch) < 0)
            room->watch = NULL;
    } else if (room->watch && below(room, 30) == 0) {
        store_unwatch(room->watch);
        room->watch = NULL;
    }
}

/* ---- kills ---- */

typedef struct Dump {
    State state;
    bool came;
} Dump;

static void on_dump(void *owner, const StoreResult *result) {
    Dump *dump = owner;
    assert_int_equal(result->error, 0);
    dump->came = true;
    dump->state.revision = result->revision;
    for (size_t i = 0; i < result->results[0].count; i++) {
        const StoreEntry *entry = &result->results[0].entries[i];
        int key = (entry->key.ptr[1] - '0') * 10 + entry->key.ptr[2] - '0';
        dump->state.entries[key] = (Entry){*(const int *)entry->value.ptr, entry->created,
                                           entry->modified, entry->version, entry->lease};
    }
}

static bool same(const State *a, const State *b) {
    return a->revision == b->revision && memcmp(a->leases, b->leases, sizeof a->leases) == 0 &&
           memcmp(a->entries, b->entries, sizeof a->entries) == 0;
}

static int open_store(Room *room) {
    StoreOptions options = {.path = "/disk/store.db",
                            .history = HISTORY,
                            .vfs = "files",
                            .files = simulated_disk_files(room->disk),
                            .stepped = true,
                            .broken = on_broken,
                            .owner = room};
    return store_open(room->world, &options, &room->store, &room->report);
}

static void close_store(Room *room) {
    store_forget(room->store, room);
    room->watch = NULL;
    store_close(room->store);
    room->store = NULL;
}

/* What is there now must be what was answered, and then some of what was under way, in order. */
static void check_restart(Room *room) {
    Dump dump = {0};
    StoreOp all = {.kind = STORE_GET, .range.how = STORE_PREFIX};
    StoreTxn txn = {.then = &all, .then_count = 1};
    for (int64_t id = 1; id <= LEASES; id++)
        dump.state.leases[id] = store_lease_keep(room->store, id) == 0;
    assert_int_equal(store_commit(room->store, &txn, on_dump, &dump), 0);
    settle(room, NANOS_PER_MILLI);
    CHECK(room, dump.came);
    size_t at = 0;
    while (!same(&room->state, &dump.state)) {
        if (at == room->pending.count)
            fail_msg("seed %llu: revision %lld is not what was written; answered up to %lld",
                     (unsigned long long)room->seed, (long long)dump.state.revision,
                     (long long)room->state.revision);
        apply(&room->state, &room->pending.items[at++], &room->log);
    }
    room->pending.count = 0;
    CHECK(room, room->heard <= room->state.revision);
}

static void restart(Room *room) {
    room->broken = false;
    /* Now and then it is killed while it recovers. */
    if (below(room, 3) == 0) {
        simulated_disk_kill_after(room->disk, below(room, 20));
        if (open_store(room) == 0)
            close_store(room);
        simulated_disk_crash(room->disk, below(room, 2));
    }
    room->broken = false;
    int r = open_store(room);
    if (r < 0 || room->report.len)
        fail_msg("seed %llu: %s", (unsigned long long)room->seed, buf_cstr(&room->report));
    check_restart(room);
}

static void run_round(Room *room, bool faults) {
    simulated_disk_kill_after(room->disk, below(room, 400));
    if (faults)
        simulated_disk_fail(room->disk, below(room, 2) ? 3000 : 0, below(room, 2) ? 3000 : 0);
    if (below(room, 4) == 0)
        simulated_disk_limit(room->disk, 50000 + (int64_t)below(room, 200000));
    for (int i = 0; i < 1000 && is_alive(room); i++)
        random_step(room);
    close_store(room);
    simulated_disk_crash(room->disk, below(room, 4) != 0);
    simulated_disk_fail(room->disk, 0, 0);
    simulated_disk_limit(room->disk, 0);
}

static void run(uint64_t seed, bool faults, int *answers, int *changes) {
    Room room = {.random = {seed}, .seed = seed, .disk = simulated_disk_new(seed)};
    room.simulation = simulation_new(&(SimulationOptions){.seed = seed});
    room.world = simulation_world(room.simulation);
    files_vfs_register(simulated_disk_files(room.disk), "files");
    restart(&room);
    for (int round = 0; round < 6; round++) {
        run_round(&room, faults);
        restart(&room);
    }
    close_store(&room);
    files_vfs_unregister("files");
    simulation_free(room.simulation);
    simulated_disk_free(room.disk);
    array_done(&room.pending);
    array_done(&room.log);
    buf_done(&room.report);
    *answers += room.answers;
    *changes += room.changes;
}

static void run_many(bool faults) {
    TestRandom random = test_random();
    int answers = 0, changes = 0;
    for (int i = 0; i < 25; i++)
        run(test_random_bits(&random), faults, &answers, &changes);
    assert_true(answers > 1000 && changes > 500); /* it was about something */
}

static void what_was_answered_survives_a_power_cut(void **state) {
    (void)state;
    run_many(false);
}

static void what_was_answered_survives_a_failing_disk(void **state) {
    (void)state;
    run_many(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_answered_survives_a_power_cut),
        cmocka_unit_test(what_was_answered_survives_a_failing_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
