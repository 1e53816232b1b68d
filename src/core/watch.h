/* Watching: streams that begin with the present state of many items and go on with what changes.
 *
 * An item stands in two lists ordered by change: one of all changes, and one of its changes of
 * state, which are worth telling at once; figures alone can wait. A watcher is a position in
 * these lists, so it costs nothing per item, skips what is outdated when it is slow, and never
 * sees an older state after a newer one. Watchers that ask for the same and stand at the same
 * place get the same frame: it is made once, and encoded once for each codec and compression.
 *
 *     begin           a snapshot: `reset`, then pieces, the last one without `more`
 *     change of state at the end of the turn in which it happened
 *     new figures     at most once per interval, at multiples of it, so that watchers stay together
 *     item gone       told from a tombstone. Of these a bounded number is kept; who is behind the
 *                     oldest gets a snapshot again
 *     resumed         from a revision (epoch, number): what changed since. A snapshot when the epoch
 *                     is another one, or too much has changed
 *
 * Whatever there is to tell is told in pieces, a bounded amount in each turn of the loop.
 *
 * What a filter asks for and how an item looks in an update is the domain's: WatchOps. A Watch
 * belongs to the thread of its World. */
#pragma once

#include "os/world.h"
#include "rpc/call.h"

typedef struct Watch Watch;

/* Part of each watched object; zeroes until watch_add. The object stays where it is. */
typedef struct WatchItem {
    Link changes, states; /* where it stands in the two lists */
    uint64_t changed;     /* numbers of its last change, and of its last change of state */
    uint64_t stated : 56;
    uint64_t kind : 8;
} WatchItem;

/* Room that `key` may use where no object holds the key in one piece. */
#define WATCH_KEY_MAX 1024

typedef enum WatchMatch {
    WATCH_NEVER, /* it is not asked for and never was: not a word about it */
    WATCH_OUT,   /* not any more, or perhaps not any more: told as gone */
    WATCH_IN,
} WatchMatch;

/* What an update is about, besides items. */
typedef struct WatchMoment {
    uint64_t epoch,
        number; /* the revision to resume from; number 0 while the snapshot has `more` */
    Nanos wall;
    bool reset;     /* the first piece of a snapshot */
    bool snapshot;  /* any piece of one: items are not changes, but what was found */
    bool more;      /* another piece of the snapshot follows */
    bool figures;   /* of its items only figures have changed */
    uint64_t since; /* of a snapshot: when it began, as a number; else 0 */
} WatchMoment;

/* The domain's part. `filter` is what watch_begin was given. Messages are built in the arena,
 * which may be reset after `seal`; strings may point into the domain's objects. */
typedef struct WatchOps {
    const SchemaMessage *update; /* the type of the stream's messages */
    /* Most items in one update: 1 where a message has room for one only (an empty snapshot is
     * then no message at all). */
    uint32_t piece;
    WatchMatch (*match)(void *owner, const void *filter, const WatchItem *item);
    /* What names an item among those of its kind, at most WATCH_KEY_MAX bytes; lies in the item or
     * in `scratch`. It does not change while the item is watched. */
    Span (*key)(void *owner, const WatchItem *item, char scratch[WATCH_KEY_MAX]);
    /* Adds the item as it is now. */
    void (*add)(void *owner, const void *filter, const WatchItem *item, const WatchMoment *moment,
                void *update, Arena *arena);
    /* Adds that an item is gone; `key` is valid until the arena is reset. */
    void (*gone)(void *owner, const void *filter, uint8_t kind, Span key, void *update,
                 Arena *arena);
    void (*seal)(void *owner, const void *filter, const WatchMoment *moment, void *update,
                 Arena *arena);
    /* Optional: whether a filter could have asked for what is gone now. */
    bool (*asked_for)(void *owner, const void *filter, uint8_t kind, Span key);
    /* Optional: asked before updates are made: whether what the filter asks for has come to be
     * other items than before, without a change of these. Its watchers begin again then. */
    bool (*moved)(void *owner, void *filter);
    /* Optional: the filter is not needed any more. */
    void (*filter_free)(void *owner, void *filter);
} WatchOps;

typedef struct WatchOptions {
    size_t tombstones; /* kept at the most; 0 = 16,384 */
    /* How frames reach watchers; NULL = by rpc/call.h, where a target is a Call. */
    const struct WatchTransport *transport;
    uint64_t epoch;    /* of the revisions; 0 = drawn from the World */
    RpcServer *server; /* whose calls the watchers are, for that transport */
} WatchOptions;

/* A way to send. For tests, and watchers that are no calls. */
typedef struct WatchTransport {
    /* A frame with one reference, made of an update that may be gone afterwards. */
    void *(*frame_new)(const WatchOptions *options, const SchemaMessage *type, const void *update);
    void (*frame_unref)(void *frame);
    /* 0, or -EAGAIN: taken, but nothing more until watcher_writable. */
    int (*send)(void *target, void *frame);
} WatchTransport;

/* `owner` is handed to the ops. */
Watch *watch_new(World *world, const WatchOps *ops, void *owner, const WatchOptions *options);
/* Nobody watches any more. Items need not be taken out before. */
void watch_free(Watch *watch);

/* ---- the domain tells what happens ---- */

/* A new item. A tombstone of the same kind and key is forgotten. */
void watch_add(Watch *watch, WatchItem *item, uint8_t kind);
/* Its state has changed: told at the end of this turn. */
void watch_changed(Watch *watch, WatchItem *item);
/* Only figures have. Constant time, and nothing more happens until an interval has passed. */
void watch_figures(Watch *watch, WatchItem *item);
/* It goes; its key is copied into a tombstone. Harmless when it is not there. */
void watch_remove(Watch *watch, WatchItem *item);

static inline bool watch_has(const WatchItem *item) {
    return item->changed != 0;
}

/* The revision that a snapshot taken now is true up to. */
uint64_t watch_epoch(const Watch *watch);
uint64_t watch_number(const Watch *watch);

/* ---- watchers ---- */

typedef struct WatchRequest {
    /* Says what is asked for: requests of equal keys share views and frames. Copied. */
    Span key;
    /* Handed to the ops; taken over, and freed at once where a view of that key exists. */
    void *filter;
    Nanos interval;         /* between updates of figures alone; at least 1 ms */
    uint64_t epoch, number; /* to resume after; number 0 = from the beginning */
} WatchRequest;

typedef struct Watcher Watcher;
Watcher *watcher_new(Watch *watch, void *target, const WatchRequest *request);
void watcher_writable(Watcher *watcher);
void watcher_free(Watcher *watcher);

/* For a MethodHandler: begins to answer a call, which from then on ends only from outside. Its
 * `writable` and `closed` are the other two; call_user is the Watcher. */
void watch_serve(Watch *watch, Call *call, const WatchRequest *request);
void watch_call_writable(Call *call);
void watch_call_closed(Call *call, StatusCode code);

typedef struct WatchStatistics {
    size_t items, tombstones, watchers, views;
    uint64_t frames;    /* made so far */
    uint64_t sent;      /* to watchers, so far */
    uint64_t snapshots; /* begun so far */
    uint64_t told;      /* items put into frames so far */
} WatchStatistics;
WatchStatistics watch_statistics(const Watch *watch);
