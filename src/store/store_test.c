#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "os/simulation.h"

/* ---- a store in a folder of its own, in simulated time ---- */

typedef struct Room {
    char folder[64], path[96];
    Simulation *simulation;
    World *world;
    Store *store;
    Buf report;
    StoreOptions options;
    StoreResult last; /* without what it points to */
    char value[64];   /* of the first entry of the first result */
    size_t found, answers;
    int events, compacted;
    int64_t event_revision;
} Room;

static void open_store(Room *room) {
    assert_int_equal(store_open(room->world, &room->options, &room->store, &room->report), 0);
}

static void room_init(Room *room) {
    *room = (Room){.folder = "/tmp/muster-store-XXXXXX"};
    assert_non_null(mkdtemp(room->folder));
    snprintf(room->path, sizeof room->path, "%s/store.db", room->folder);
    room->simulation = simulation_new(&(SimulationOptions){.seed = 1});
    room->world = simulation_world(room->simulation);
    room->options = (StoreOptions){.path = room->path, .stepped = true};
}

static void room_done(Room *room) {
    if (room->store)
        store_close(room->store);
    simulation_free(room->simulation);
    buf_done(&room->report);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", room->folder);
    assert_int_equal(system(command), 0);
}

static void on_done(void *owner, const StoreResult *result) {
    Room *room = owner;
    room->answers++;
    room->last = *result;
    room->found = result->count ? result->results[0].count : 0;
    room->value[0] = 0;
    if (room->found && result->results[0].entries)
        snprintf(room->value, sizeof room->value, "%.*s",
                 SPAN_ARGS(result->results[0].entries[0].value));
}

static void settle(Room *room, Nanos by) {
    simulation_run(room->simulation, world_now(room->world) + by);
}

static StoreOp put(const char *key, const char *value) {
    return (StoreOp){.kind = STORE_PUT, .range = {.key = span_of(key)}, .value = span_of(value)};
}

static StoreOp get_prefix(const char *prefix) {
    return (StoreOp){.kind = STORE_GET, .range = {.how = STORE_PREFIX, .key = span_of(prefix)}};
}

static void commit(Room *room, StoreOp op) {
    size_t before = room->answers;
    StoreTxn txn = {.then = &op, .then_count = 1};
    assert_int_equal(store_commit(room->store, &txn, on_done, room), 0);
    settle(room, NANOS_PER_MILLI);
    assert_int_equal(room->answers, before + 1);
}

static void transactions_compare_then_act(void **state) {
    (void)state;
    Room room;
    room_init(&room);
    open_store(&room);
    StoreOp ops[] = {put("a", "1"), get_prefix("")}, other = get_prefix("a");
    StoreCompare absent = {.key = SPAN("a"), .what = STORE_VERSION, .how = STORE_EQUAL};
    StoreTxn txn = {&absent, 1, ops, 2, &other, 1};
    store_commit(room.store, &txn, on_done, &room);
    store_commit(room.store, &txn, on_done, &room);
    settle(&room, NANOS_PER_MILLI);
    assert_int_equal(room.answers, 2);
    assert_false(room.last.succeeded); /* the second found what the first had made */
    assert_int_equal(room.last.revision, 1);
    assert_string_equal(room.value, "1");
    StoreCompare value = {
        .key = SPAN("a"), .what = STORE_VALUE, .how = STORE_LESS, .value = SPAN("2")};
    StoreOp second = put("a", "2");
    txn = (StoreTxn){&value, 1, &second, 1, NULL, 0};
    store_commit(room.store, &txn, on_done, &room);
    settle(&room, NANOS_PER_MILLI);
    assert_true(room.last.succeeded);
    assert_int_equal(room.last.revision, 2);
    commit(&room, (StoreOp){.kind = STORE_DELETE, .range = {.how = STORE_PREFIX}});
    assert_int_equal(room.found, 1);
    assert_int_equal(room.last.revision, 3);
    commit(&room, get_prefix(""));
    assert_int_equal(room.found, 0);
    assert_int_equal(room.last.revision, 3);
    room_done(&room);
}

static void wrong_calls_are_refused(void **state) {
    (void)state;
    Room room;
    room_init(&room);
    room.options.capacity = 2;
    open_store(&room);
    StoreOp twice[] = {put("a", "1"), put("a", "2")};
    StoreTxn txn = {.then = twice, .then_count = 2};
    assert_int_equal(store_commit(room.store, &txn, on_done, &room), -EINVAL);
    StoreOp leased = put("a", "1");
    leased.lease = 5;
    commit(&room, leased);
    assert_int_equal(room.last.error, -ENOENT);
    txn.then_count = 1;
    assert_int_equal(store_commit(room.store, &txn, on_done, &room), 0);
    assert_int_equal(store_commit(room.store, &txn, on_done, &room), 0);
    assert_int_equal(store_commit(room.store, &txn, on_done, &room), -EBUSY);
    store_forget(room.store, &room);
    settle(&room, NANOS_PER_MILLI);
    assert_int_equal(room.answers, 1);
    room_done(&room);
}

static void entries_and_revisions_survive(void **state) {
    (void)state;
    Room room;
    room_init(&room);
    open_store(&room);
    uint64_t epoch = store_epoch(room.store);
    commit(&room, put("key", "value"));
    store_close(room.store);
    open_store(&room);
    assert_int_equal(room.report.len, 0);
    assert_true(store_epoch(room.store) == epoch);
    commit(&room, get_prefix("k"));
    assert_string_equal(room.value, "value");
    assert_int_equal(room.last.revision, 1);
    Store *other;
    assert_int_equal(store_open(room.world, &room.options, &other, &room.report), -EBUSY);
    room_done(&room);
}

static void leases_end_when_nobody_keeps_them(void **state) {
    (void)state;
    Room room;
    room_init(&room);
    open_store(&room);
    assert_int_equal(store_lease_grant(room.store, 7, NANOS_PER_SECOND, on_done, &room), 0);
    settle(&room, NANOS_PER_MILLI);
    assert_int_equal(room.last.lease, 7);
    StoreOp leased = put("beat", "1");
    leased.lease = 7;
    commit(&room, leased);
    for (int i = 0; i < 5; i++) {
        settle(&room, NANOS_PER_SECOND / 2);
        assert_int_equal(store_lease_keep(room.store, 7), 0);
    }
    store_close(room.store); /* a restart gives it its whole time again */
    open_store(&room);
    settle(&room, NANOS_PER_SECOND * 9 / 10);
    commit(&room, get_prefix("beat"));
    assert_int_equal(room.found, 1);
    settle(&room, NANOS_PER_SECOND / 5);
    assert_int_equal(store_lease_keep(room.store, 7), -ENOENT);
    commit(&room, get_prefix("beat"));
    assert_int_equal(room.found, 0);
    assert_int_equal(room.last.revision, 2);
    room_done(&room);
}

static void on_changed(void *owner, int64_t revision, const StoreEvent *events, size_t count) {
    Room *room = owner;
    assert_true(revision > room->event_revision);
    assert_true(revision == events[0].entry.modified);
    room->event_revision = revision;
    room->events += (int)count;
}

static void on_compacted(void *owner, int64_t revision) {
    ((Room *)owner)->compacted = (int)revision;
}

static const StoreWatcher WATCHER = {on_changed, on_compacted};

static void watches_see_each_revision_once(void **state) {
    (void)state;
    Room room;
    room_init(&room);
    room.options.history = 620;
    open_store(&room);
    for (int i = 0; i < 600; i++)
        commit(&room, put(i % 2 ? "odd" : "even", "x"));
    StoreWatch *watch;
    StoreRange odd = {.how = STORE_KEY, .key = SPAN("odd")};
    assert_int_equal(store_watch(room.store, &odd, 1, &WATCHER, &room, &watch), 0);
    for (int i = 0; i < 20; i++) /* while it catches up */
        assert_int_equal(
            store_commit(room.store,
                         &(StoreTxn){.then = (StoreOp[]){put("odd", "y")}, .then_count = 1},
                         on_done, &room),
            0);
    settle(&room, NANOS_PER_SECOND);
    assert_int_equal(room.events, 320);
    store_unwatch(watch);
    commit(&room, put("odd", "z"));
    assert_int_equal(room.events, 320);
    assert_int_equal(store_watch(room.store, &odd, 1, &WATCHER, &room, &watch), 0);
    settle(&room, NANOS_PER_SECOND);
    assert_int_equal(room.compacted, 1);
    room_done(&room);
}

static void a_damaged_file_is_set_aside(void **state) {
    (void)state;
    Room room;
    room_init(&room);
    open_store(&room);
    commit(&room, put("key", "value"));
    store_close(room.store);
    int fd = open(room.path, O_WRONLY);
    char garbage[8192];
    memset(garbage, 'x', sizeof garbage);
    assert_int_equal(pwrite(fd, garbage, sizeof garbage, 0), sizeof garbage);
    close(fd);
    open_store(&room);
    assert_non_null(strstr(buf_cstr(&room.report), "was damaged; it is kept as"));
    commit(&room, get_prefix(""));
    assert_int_equal(room.found, 0);
    char command[200];
    snprintf(command, sizeof command, "ls %s/store.db.damaged-2* >/dev/null", room.folder);
    assert_int_equal(system(command), 0);
    room_done(&room);
}

/* ---- kill -9 ---- */

typedef struct Writer {
    Store *store;
    int pipe, next, acknowledged;
} Writer;

static void write_next(Writer *writer);

static void on_written(void *owner, const StoreResult *result) {
    Writer *writer = owner;
    assert(result->error == 0);
    writer->acknowledged++;
    if (write(writer->pipe, &writer->acknowledged, sizeof writer->acknowledged) < 0)
        _exit(1);
    write_next(writer);
}

/* Two keys at once: neither may be there without the other. */
static void write_next(Writer *writer) {
    char value[16];
    snprintf(value, sizeof value, "%d", ++writer->next);
    StoreOp ops[] = {put("left", value), put("right", value)};
    store_commit(writer->store, &(StoreTxn){.then = ops, .then_count = 2}, on_written, writer);
}

static void write_until_killed(const char *path, int pipe) {
    World *world = world_new();
    Buf report = {0};
    Writer writer = {.pipe = pipe};
    if (store_open(world, &(StoreOptions){.path = path}, &writer.store, &report) < 0)
        _exit(1);
    for (int i = 0; i < 4; i++)
        write_next(&writer);
    world_run(world);
    _exit(1);
}

static void what_was_answered_survives_a_kill(void **state) {
    (void)state;
    TestRandom random = test_random();
    for (int round = 0; round < 10; round++) {
        Room room;
        room_init(&room);
        int pipes[2], acknowledged = 0, status;
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(room.path, pipes[1]);
        close(pipes[1]);
        int until = (int)test_random_below(&random, 60) + 1;
        while (acknowledged < until &&
               read(pipes[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged)
            ;
        usleep((useconds_t)test_random_below(&random, 2000));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        while (read(pipes[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged)
            ;
        close(pipes[0]);
        open_store(&room);
        assert_int_equal(room.report.len, 0);
        commit(&room, get_prefix("left"));
        int left = atoi(room.value);
        assert_true(left >= acknowledged && room.last.revision == left);
        commit(&room, get_prefix("right"));
        assert_int_equal(atoi(room.value), left);
        room_done(&room);
    }
}

/* ---- on a thread, in real time ---- */

typedef struct Crowd {
    World *world;
    int waiting;
} Crowd;

static void on_one(void *owner, const StoreResult *result) {
    Crowd *crowd = owner;
    assert_int_equal(result->error, 0);
    if (--crowd->waiting == 0)
        world_stop(crowd->world);
}

static void a_thread_commits_what_waits_together(void **state) {
    (void)state;
    Room room;
    room_init(&room);
    World *world = world_new();
    room.options.stepped = false;
    Crowd crowd = {world, 500};
    Store *store;
    assert_int_equal(store_open(world, &room.options, &store, &room.report), 0);
    for (int i = 0; i < 500; i++)
        assert_int_equal(
            store_commit(store, &(StoreTxn){.then = (StoreOp[]){put("k", "v")}, .then_count = 1},
                         on_one, &crowd),
            0);
    world_run(world);
    assert_int_equal(crowd.waiting, 0);
    store_close(store);
    world_free(world);
    room.options.stepped = true;
    open_store(&room);
    commit(&room, get_prefix("k"));
    assert_int_equal(room.last.revision, 500);
    room_done(&room);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transactions_compare_then_act),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(entries_and_revisions_survive),
        cmocka_unit_test(leases_end_when_nobody_keeps_them),
        cmocka_unit_test(watches_see_each_revision_once),
        cmocka_unit_test(a_damaged_file_is_set_aside),
        cmocka_unit_test(what_was_answered_survives_a_kill),
        cmocka_unit_test(a_thread_commits_what_waits_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
