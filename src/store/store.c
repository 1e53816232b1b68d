#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/actor.h"
#include "base/map.h"
#include "base/memory.h"
#include "store/sqlite_store.h"

#define CAPACITY      1024
#define HISTORY_PIECE 256                    /* events of the past that one request brings */
#define RETRY         (1 * NANOS_PER_SECOND) /* for a lease that could not be ended */

typedef enum RequestKind { COMMIT, GRANT, REVOKE, HISTORY } RequestKind;

/* Goes to the actor as mail, and comes back as its answer. */
typedef struct Request {
    Mail mail;
    Link link; /* in the store's `waiting` */
    Store *store;
    RequestKind kind;
    Arena arena;
    StoreTxn txn;
    int64_t lease;
    Nanos ttl;
    StoreWatch *watch; /* HISTORY: NULL once it is over */
    int64_t from, next;
    StoreChange change; /* HISTORY: its events and error, too */
    StoreDone *done;
    void *owner;
} Request;

struct Store {
    World *world;
    StoreOptions options;
    size_t capacity;

    /* The actor's alone, but for opening and closing. */
    SqliteStore *file;
    Mail *batch, **batch_end; /* done, and not yet on the disk */
    bool stuck;               /* commits have become unknowable */

    /* Between the two. */
    Actor *actor;
    Mailbox answers;
    Bell *bell;

    /* The loop's. */
    Task turn; /* stepped: runs the actor */
    Link waiting;
    size_t waiting_count;
    Map leases;
    Link watches;
    uint64_t epoch;
    bool broken;
    Request *farewell; /* what the actor sends when it is stuck */
};

typedef struct Lease {
    Timer timer;
    Store *store;
    int64_t id;
    Nanos ttl;
    bool ending; /* its revocation is under way */
} Lease;

struct StoreWatch {
    Link link;
    Store *store;
    StoreRange range;
    const StoreWatcher *watcher;
    void *owner;
    int64_t next;     /* the first revision that it has not been told of */
    Request *request; /* history under way; NULL: it hears of commits */
    bool over;        /* unwatched while it was being told */
    bool telling;
};

/* ---- ranges ---- */

bool store_range_has(const StoreRange *range, Span key) {
    switch (range->how) {
    case STORE_KEY:
        return span_equal(key, range->key);
    case STORE_PREFIX:
        return span_starts(key, range->key);
    default:
        return span_compare(key, range->key) >= 0 &&
               (!range->end.len || span_compare(key, range->end) < 0);
    }
}

static bool range_fits(const StoreRange *range) {
    return range->key.len <= STORE_KEY_MAX && range->end.len <= STORE_KEY_MAX;
}

static StoreRange copy_range(Arena *arena, const StoreRange *range) {
    return (StoreRange){range->how, arena_copy(arena, range->key), arena_copy(arena, range->end)};
}

/* ---- the actor's side ---- */

static void work(Store *store, Request *request) {
    StoreChange *change = &request->change;
    switch (request->kind) {
    case COMMIT:
        sqlite_store_apply(store->file, &request->txn, &request->arena, change);
        return;
    case GRANT:
        sqlite_store_grant(store->file, request->lease, request->ttl, change);
        return;
    case REVOKE:
        sqlite_store_revoke(store->file, request->lease, &request->arena, change);
        return;
    case HISTORY:
        return; /* after the commit: it must not see what may yet fail */
    }
}

static void on_request(void *state, Mail *mail) {
    Store *store = state;
    if (!store->stuck)
        work(store, CONTAINER(mail, Request, mail));
    mail->next = NULL;
    *store->batch_end = mail;
    store->batch_end = &mail->next;
}

static int answer_history(Store *store, Request *request) {
    request->change.result.revision = sqlite_store_revision(store->file);
    request->change.result.error =
        sqlite_store_history(store->file, request->from, HISTORY_PIECE, &request->arena,
                             &request->change.events, &request->change.event_count, &request->next);
    return request->change.result.error == -ESTALE ? 0 : request->change.result.error;
}

static void on_batch_end(void *state) {
    Store *store = state;
    bool was_stuck = store->stuck;
    int r = was_stuck ? -ENOTRECOVERABLE : sqlite_store_commit(store->file);
    Mail *mail = store->batch;
    store->batch = NULL;
    store->batch_end = &store->batch;
    for (Mail *next; mail; mail = next) {
        next = mail->next;
        Request *request = CONTAINER(mail, Request, mail);
        if (r < 0)
            request->change = (StoreChange){.result.error = r};
        else if (request->kind == HISTORY && answer_history(store, request) < 0)
            r = -ENOTRECOVERABLE;
        store->stuck |= r == -ENOTRECOVERABLE;
        if (store->stuck)
            request->change = (StoreChange){.result.error = -ENOTRECOVERABLE};
        mailbox_send(&store->answers, mail);
    }
    if (!store->stuck && sqlite_store_tidy(store->file) < 0)
        store->stuck = true;
    if (store->stuck && !was_stuck) /* the reason travels with it; the file is not used again */
        mailbox_send(&store->answers, &store->farewell->mail);
}

/* ---- requests ---- */

static Request *request_new(Store *store, RequestKind kind, StoreDone *done, void *owner) {
    Request *request = xcalloc(1, sizeof *request);
    request->store = store;
    request->kind = kind;
    request->done = done;
    request->owner = owner;
    return request;
}

static void request_free(Request *request) {
    arena_done(&request->arena);
    free(request);
}

/* The request is freed when it does not go. */
static int submit(Request *request) {
    Store *store = request->store;
    /* What the store itself asks for (the rest of a history, the end of a lease) is bounded by
     * the number of watches and leases, and must not fail for lack of room. */
    bool ours = !request->done && request->kind != COMMIT;
    if (store->broken || (!ours && store->waiting_count >= store->capacity)) {
        request_free(request);
        return store->broken ? -ENOTRECOVERABLE : -EBUSY;
    }
    list_push_back(&store->waiting, &request->link);
    store->waiting_count++;
    int r = actor_send(store->actor, &request->mail);
    assert(r == 0);
    (void)r;
    return 0;
}

static int check_ops(const StoreOp *ops, size_t count) {
    if (count > STORE_OPS_MAX)
        return -EMSGSIZE;
    for (size_t i = 0; i < count; i++) {
        if (!range_fits(&ops[i].range) || ops[i].value.len > STORE_VALUE_MAX)
            return -EMSGSIZE;
        if (ops[i].kind != STORE_PUT)
            continue;
        if (ops[i].range.how != STORE_KEY || ops[i].lease < 0)
            return -EINVAL;
        for (size_t j = 0; j < count; j++)
            if (j != i && ops[j].kind != STORE_GET &&
                store_range_has(&ops[j].range, ops[i].range.key))
                return -EINVAL;
    }
    return 0;
}

static int check_txn(const StoreTxn *txn) {
    if (txn->compare_count > STORE_OPS_MAX)
        return -EMSGSIZE;
    for (size_t i = 0; i < txn->compare_count; i++)
        if (txn->compares[i].key.len > STORE_KEY_MAX ||
            txn->compares[i].value.len > STORE_VALUE_MAX)
            return -EMSGSIZE;
    int r = check_ops(txn->then, txn->then_count);
    return r < 0 ? r : check_ops(txn->otherwise, txn->otherwise_count);
}

static const StoreOp *copy_ops(Arena *arena, const StoreOp *ops, size_t count) {
    StoreOp *copy = arena_alloc(arena, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = ops[i];
        copy[i].range = copy_range(arena, &ops[i].range);
        copy[i].value = arena_copy(arena, ops[i].value);
    }
    return copy;
}

static StoreTxn copy_txn(Arena *arena, const StoreTxn *txn) {
    StoreTxn copy = *txn;
    StoreCompare *compares = arena_alloc(arena, txn->compare_count * sizeof *compares);
    for (size_t i = 0; i < txn->compare_count; i++) {
        compares[i] = txn->compares[i];
        compares[i].key = arena_copy(arena, compares[i].key);
        compares[i].value = arena_copy(arena, compares[i].value);
    }
    copy.compares = compares;
    copy.then = copy_ops(arena, txn->then, txn->then_count);
    copy.otherwise = copy_ops(arena, txn->otherwise, txn->otherwise_count);
    return copy;
}

int store_commit(Store *store, const StoreTxn *txn, StoreDone *done, void *owner) {
    int r = check_txn(txn);
    if (r < 0)
        return r;
    Request *request = request_new(store, COMMIT, done, owner);
    request->txn = copy_txn(&request->arena, txn);
    return submit(request);
}

void store_forget(Store *store, const void *owner) {
    LIST_EACH (&store->waiting, link) {
        Request *request = CONTAINER(link, Request, link);
        if (request->owner == owner)
            request->done = NULL;
    }
}

/* ---- leases ---- */

static Span lease_key(const void *item) {
    return span(&((const Lease *)item)->id, sizeof(int64_t));
}

static Lease *lease_find(Store *store, int64_t id) {
    return map_get(&store->leases, span(&id, sizeof id));
}

static void lease_expired(Timer *timer) {
    Lease *lease = CONTAINER(timer, Lease, timer);
    lease->ending = store_lease_revoke(lease->store, lease->id, NULL, NULL) == 0;
    if (!lease->ending && !lease->store->broken)
        wheel_arm(world_wheel(lease->store->world), timer, world_now(lease->store->world) + RETRY);
}

static void lease_add(Store *store, int64_t id, Nanos ttl) {
    Lease *lease = xcalloc(1, sizeof *lease);
    *lease = (Lease){.timer.fire = lease_expired, .store = store, .id = id, .ttl = ttl};
    map_put(&store->leases, lease);
    wheel_arm(world_wheel(store->world), &lease->timer, world_now(store->world) + ttl);
}

static void lease_drop(Store *store, int64_t id) {
    Lease *lease = map_remove(&store->leases, span(&id, sizeof id));
    if (lease)
        wheel_cancel(world_wheel(store->world), &lease->timer);
    free(lease);
}

/* What a grant or its end means for the timers, once it is on the disk. */
static void lease_settle(Request *request) {
    Store *store = request->store;
    int error = request->change.result.error;
    Lease *lease = lease_find(store, request->lease);
    if (request->kind == GRANT && error == 0)
        lease_add(store, request->lease, request->ttl);
    else if (request->kind == REVOKE && (error == 0 || error == -ENOENT))
        lease_drop(store, request->lease);
    else if (request->kind == REVOKE && lease && lease->ending) {
        lease->ending = false;
        wheel_arm(world_wheel(store->world), &lease->timer, world_now(store->world) + RETRY);
    }
}

int store_lease_grant(Store *store, int64_t id, Nanos ttl, StoreDone *done, void *owner) {
    if (id < 0 || ttl < NANOS_PER_MILLI || ttl > WHEEL_NEVER / 2)
        return -EINVAL;
    while (id == 0) {
        world_random(store->world, &id, sizeof id);
        id &= INT64_MAX;
    }
    Request *request = request_new(store, GRANT, done, owner);
    request->lease = id;
    request->ttl = ttl;
    return submit(request);
}

int store_lease_keep(Store *store, int64_t id) {
    Lease *lease = lease_find(store, id);
    if (!lease || !timer_is_armed(&lease->timer))
        return -ENOENT;
    wheel_arm(world_wheel(store->world), &lease->timer, world_now(store->world) + lease->ttl);
    return 0;
}

int store_lease_revoke(Store *store, int64_t id, StoreDone *done, void *owner) {
    Request *request = request_new(store, REVOKE, done, owner);
    request->lease = id;
    return submit(request);
}

/* ---- watches ---- */

static void watch_free(StoreWatch *watch) {
    list_remove(&watch->link);
    free((char *)watch->range.key.ptr);
    free((char *)watch->range.end.ptr);
    free(watch);
}

static Span copy_span(Span bytes) {
    char *copy = xmalloc(bytes.len + 1);
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    return span(copy, bytes.len);
}

static int ask_history(StoreWatch *watch) {
    Request *request = request_new(watch->store, HISTORY, NULL, NULL);
    request->watch = watch;
    request->from = watch->next;
    int r = submit(request);
    if (r == 0)
        watch->request = request;
    return r;
}

int store_watch(Store *store, const StoreRange *range, int64_t from, const StoreWatcher *watcher,
                void *owner, StoreWatch **ret_watch) {
    if (from < 1)
        return -EINVAL;
    if (!range_fits(range))
        return -EMSGSIZE;
    StoreWatch *watch = xcalloc(1, sizeof *watch);
    *watch = (StoreWatch){.store = store,
                          .range = {range->how, copy_span(range->key), copy_span(range->end)},
                          .watcher = watcher,
                          .owner = owner,
                          .next = from};
    list_push_back(&store->watches, &watch->link);
    int r = ask_history(watch);
    if (r < 0)
        watch_free(watch);
    else
        *ret_watch = watch;
    return r;
}

void store_unwatch(StoreWatch *watch) {
    if (watch->request)
        watch->request->watch = NULL;
    watch->request = NULL;
    watch->over = true;
    if (!watch->telling)
        watch_free(watch);
}

/* Tells one watch of the revisions that the events bear; those that it knows are skipped. */
static void watch_tell(StoreWatch *watch, const StoreEvent *events, size_t count) {
    StoreEvent *found = xmalloc((count + 1) * sizeof *found);
    for (size_t i = 0; i < count && !watch->over;) {
        int64_t revision = events[i].entry.modified;
        size_t hits = 0;
        for (; i < count && events[i].entry.modified == revision; i++)
            if (revision >= watch->next && store_range_has(&watch->range, events[i].entry.key))
                found[hits++] = events[i];
        if (hits)
            watch->watcher->changed(watch->owner, revision, found, hits);
        if (revision >= watch->next)
            watch->next = revision + 1;
    }
    free(found);
}

static void tell_watches(Store *store, const StoreChange *change) {
    Link end; /* what is added meanwhile reads the past itself */
    list_push_back(&store->watches, &end);
    for (Link *link = store->watches.next; link != &end;) {
        StoreWatch *watch = CONTAINER(link, StoreWatch, link);
        if (watch->request) {
            link = link->next;
            continue;
        }
        /* The callback may end any watch, so the place is kept by a link of ours. */
        Link place;
        list_insert_after(link, &place);
        watch->telling = true;
        watch_tell(watch, change->events, change->event_count);
        watch->telling = false;
        if (watch->over)
            watch_free(watch);
        link = place.next;
        list_remove(&place);
    }
    list_remove(&end);
}

/* A piece of the past has come. */
static void history_settle(Request *request) {
    StoreWatch *watch = request->watch;
    if (!watch || request->change.result.error == -ENOTRECOVERABLE)
        return;
    const StoreChange *change = &request->change;
    watch->telling = true;
    watch->request = NULL;
    if (change->result.error == -ESTALE) {
        watch->over = true;
        watch->watcher->compacted(watch->owner, request->next);
    } else if (change->result.error == 0) {
        watch_tell(watch, change->events, change->event_count);
        if (watch->next < request->next)
            watch->next = request->next;
    }
    watch->telling = false;
    if (watch->over)
        watch_free(watch);
    else if (change->result.error < 0 || request->next <= change->result.revision)
        ask_history(watch); /* there is more, or the batch failed that it came in */
}

/* ---- answers ---- */

static void settle(Request *request) {
    Store *store = request->store;
    list_remove(&request->link);
    store->waiting_count--;
    if (request->kind == HISTORY) {
        history_settle(request);
    } else {
        lease_settle(request);
        if (request->change.event_count)
            tell_watches(store, &request->change);
    }
    if (request->done)
        request->done(request->owner, &request->change.result);
}

static void on_answers(void *owner) {
    Store *store = owner;
    for (Mail *mail; (mail = mailbox_receive(&store->answers));) {
        Request *request = CONTAINER(mail, Request, mail);
        if (request == store->farewell) {
            store->broken = true;
            if (store->options.broken)
                store->options.broken(store->options.owner,
                                      span_of(sqlite_store_reason(store->file)));
            continue;
        }
        if (request->change.result.error == -ENOTRECOVERABLE) { /* nothing is known of it */
            if (request->watch)
                request->watch->request = NULL;
            request->kind = HISTORY;
            request->watch = NULL;
            request->done = NULL;
        }
        settle(request);
        request_free(request);
    }
}

static void ring(void *owner) {
    world_wake(((Store *)owner)->bell);
}

/* ---- without a thread ---- */

static void on_turn(Task *task) {
    Store *store = CONTAINER(task, Store, turn);
    while (actor_turn(store->actor))
        ;
}

static void on_ready(void *owner) {
    Store *store = owner;
    world_defer(store->world, &store->turn);
}

/* ---- opening and closing ---- */

static int restore_leases(Store *store) {
    Arena arena = {0};
    SqliteLease *leases = NULL;
    size_t count = 0;
    int r = sqlite_store_leases(store->file, &arena, &leases, &count);
    for (size_t i = 0; i < count; i++)
        lease_add(store, leases[i].id, leases[i].ttl);
    arena_done(&arena);
    return r;
}

static void store_free(Store *store) {
    size_t at = 0;
    for (Lease *lease; (lease = map_next(&store->leases, &at));) {
        wheel_cancel(world_wheel(store->world), &lease->timer);
        free(lease);
    }
    map_done(&store->leases);
    LIST_EACH (&store->watches, link)
        watch_free(CONTAINER(link, StoreWatch, link));
    world_undefer(&store->turn);
    bell_free(store->bell);
    sqlite_store_close(store->file);
    free(store->farewell);
    free(store);
}

int store_open(World *world, const StoreOptions *options, Store **ret_store, Buf *report) {
    uint64_t random[2];
    world_random(world, random, sizeof random);
    SqliteStore *file;
    int r = sqlite_store_open(options, random[0], world_wall(world), &file, report);
    if (r < 0)
        return r;
    Store *store = xcalloc(1, sizeof *store);
    *store = (Store){.world = world,
                     .options = *options,
                     .capacity = options->capacity ? options->capacity : CAPACITY,
                     .file = file,
                     .batch_end = &store->batch,
                     .turn.run = on_turn,
                     .epoch = sqlite_store_epoch(file)};
    list_init(&store->waiting);
    list_init(&store->watches);
    map_init(&store->leases, lease_key, random[1]);
    store->farewell = xcalloc(1, sizeof *store->farewell);
    store->bell = bell_new(world, on_answers, store);
    /* Bounded by what waits, see submit. */
    mailbox_init(&store->answers, SIZE_MAX, ring, store);
    ActorOptions actor = {.name = "store",
                          .capacity = SIZE_MAX,
                          .state = store,
                          .step = on_request,
                          .flush = on_batch_end,
                          .ready = options->stepped ? on_ready : NULL,
                          .owner = store};
    r = restore_leases(store);
    if (r == 0)
        r = actor_start(&actor, &store->actor);
    if (r < 0) {
        buf_clear(report);
        buf_printf(report, "%s: %s", options->path, strerror(-r));
        store_free(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

void store_close(Store *store) {
    while (!list_empty(&store->watches)) /* nothing comes to them any more */
        store_unwatch(CONTAINER(store->watches.next, StoreWatch, link));
    actor_stop(store->actor);
    store->broken = true; /* nothing is taken any more */
    on_answers(store);
    store_free(store);
}

uint64_t store_epoch(const Store *store) {
    return store->epoch;
}
