/* Two tracks hold all items by the number of their last change, and of their last change of state;
 * tombstones stand in the track of states, too. Positions are marks in the tracks, shared by all
 * who stand there, so that a walk meets few of them.
 *
 * Watchers of one view (one filter) that stand at the same two marks form a cohort: each frame is
 * made for a cohort. Who does not read for PATIENCE is split off into a cohort of its own, and
 * comes back when it has caught up. */
#include "core/watch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/memory.h"
#include "core/watch_track.h"

#define TOMBSTONES (16 * 1024)
#define PATIENCE   (50 * NANOS_PER_MILLI)

/* Every number that JavaScript can hold. */
#define EPOCH_MAX ((UINT64_C(1) << 53) - 1)

/* What a turn of the loop may cost, and a piece: in items looked at. To tell
 * one costs about as much as looking at COST_TOLD, to send a frame as COST_SENT. */
#define COST_TURN 4096
#define COST_TOLD 8
#define COST_SENT 16
#define SEEN_MAX  2048

typedef struct Tombstone {
    WatchItem item; /* `states` in that track, `changes` among the tombstones by age */
    size_t len;
    char name[]; /* the kind, then the key */
} Tombstone;

struct Watch {
    World *world;
    const WatchOps *ops;
    void *owner;
    WatchOptions options;
    const WatchTransport *transport;
    uint64_t epoch, number;
    uint64_t floor; /* of the last tombstone that was given up */
    Track changes, states;
    Link tombstones;
    Map tombstones_by_name;
    Map views_by_key;
    Link views;
    Link ready; /* cohorts */
    bool news;  /* something has changed since the cohorts were looked at */
    Task work;
    Timer again;
    Arena arena; /* of the update being made */
    WatchStatistics statistics;
};

typedef struct View {
    Link link;
    Watch *watch;
    void *filter;
    Nanos interval;
    Link cohorts;
    size_t watchers;
    Timer tick; /* when figures may be told next */
    size_t key_len;
    char key[];
} View;

typedef struct Cohort {
    Link link, ready;
    View *view;
    Mark *state, *figures;
    uint64_t figures_until;   /* figures up to this change may be told */
    uint64_t snapshot_number; /* when it began; 0 = no snapshot is under way */
    bool begun;               /* a piece of it is out */
    bool sending;
    Watcher *receiver; /* whom a frame is being sent to; NULL once that has ended it */
    Link watchers;
    size_t count, blocked;
    Timer patience;
} Cohort;

struct Watcher {
    Link link;
    Cohort *cohort;
    void *target;
    bool blocked;
};

static void schedule(Cohort *cohort);

/* ---- tombstones ---- */

static Span tombstone_name(const void *item) {
    const Tombstone *tombstone = item;
    return span(tombstone->name, tombstone->len);
}

static void tombstone_free(Watch *watch, Tombstone *tombstone) {
    map_remove(&watch->tombstones_by_name, tombstone_name(tombstone));
    list_remove(&tombstone->item.states);
    list_remove(&tombstone->item.changes);
    watch->statistics.tombstones--;
    free(tombstone);
}

static size_t name_of(const Watch *watch, const WatchItem *item, char out[WATCH_KEY_MAX + 1]) {
    char scratch[WATCH_KEY_MAX];
    Span key = watch->ops->key(watch->owner, item, scratch);
    out[0] = (char)item->kind;
    if (key.len)
        memcpy(out + 1, key.ptr, key.len);
    return key.len + 1;
}

static void bury(Watch *watch, const WatchItem *item) {
    char name[WATCH_KEY_MAX + 1];
    size_t len = name_of(watch, item, name);
    Tombstone *tombstone = xcalloc(1, sizeof *tombstone + len);
    tombstone->item.kind = KIND_TOMBSTONE;
    tombstone->item.stated = ++watch->number;
    tombstone->item.changed = watch->number;
    tombstone->len = len;
    memcpy(tombstone->name, name, len);
    list_push_back(&watch->states.head, &tombstone->item.states);
    list_push_back(&watch->tombstones, &tombstone->item.changes);
    map_put(&watch->tombstones_by_name, tombstone);
    if (++watch->statistics.tombstones > watch->options.tombstones) {
        Tombstone *oldest = CONTAINER(watch->tombstones.next, Tombstone, item.changes);
        watch->floor = oldest->item.stated;
        tombstone_free(watch, oldest);
    }
}

/* ---- frames ---- */

/* An update on its way into a frame. */
typedef struct Piece {
    Watch *watch;
    View *view;
    WatchMoment moment;
    void *update;
    uint32_t told, seen;
} Piece;

static void tell_gone(Piece *piece, uint8_t kind, Span key) {
    const Watch *watch = piece->watch;
    watch->ops->gone(watch->owner, piece->view->filter, kind, key, piece->update,
                     &piece->watch->arena);
    piece->told++;
}

static bool was_asked_for(const Piece *piece, uint8_t kind, Span key) {
    const Watch *watch = piece->watch;
    return !watch->ops->asked_for ||
           watch->ops->asked_for(watch->owner, piece->view->filter, kind, key);
}

/* Puts what there is to tell of it into the piece. What went before the change `since` was never
 * told, so that it is not told as gone. False when the piece is full. */
static bool tell(Piece *piece, const WatchItem *item, uint64_t since) {
    Watch *watch = piece->watch;
    bool full = piece->told == watch->ops->piece;
    if (item->kind == KIND_TOMBSTONE) {
        const Tombstone *tombstone = CONTAINER(item, Tombstone, item);
        Span key = span(tombstone->name + 1, tombstone->len - 1);
        uint8_t kind = (uint8_t)tombstone->name[0];
        if (item->stated <= since || !was_asked_for(piece, kind, key))
            return true;
        if (!full)
            tell_gone(piece, kind, key);
        return !full;
    }
    WatchMatch match = watch->ops->match(watch->owner, piece->view->filter, item);
    if (match == WATCH_NEVER || (match == WATCH_OUT && item->stated <= since))
        return true;
    if (full)
        return false;
    if (match == WATCH_IN) {
        watch->ops->add(watch->owner, piece->view->filter, item, &piece->moment, piece->update,
                        &watch->arena);
        piece->told++;
    } else {
        char *scratch = arena_alloc(&watch->arena, WATCH_KEY_MAX);
        tell_gone(piece, item->kind, watch->ops->key(watch->owner, item, scratch));
    }
    return true;
}

static Piece piece_begin(Cohort *cohort) {
    Watch *watch = cohort->view->watch;
    bool snapshot = cohort->snapshot_number != 0;
    return (Piece){
        .watch = watch,
        .view = cohort->view,
        .moment = {.epoch = watch->epoch,
                   .wall = world_wall(watch->world),
                   .snapshot = snapshot,
                   .since = cohort->snapshot_number,
                   .reset = snapshot && !cohort->begun},
        .update = arena_zalloc(&watch->arena, watch->ops->update->size),
    };
}

static void send_frame(Cohort *cohort, const Piece *piece) {
    Watch *watch = piece->watch;
    void *frame = watch->transport->frame_new(&watch->options, watch->ops->update, piece->update);
    /* Whom sending ends is taken out of the list that it stands in meanwhile. */
    Link waiting;
    list_init(&waiting);
    LIST_EACH (&cohort->watchers, link) {
        list_remove(link);
        list_push_back(&waiting, link);
    }
    cohort->sending = true;
    for (Link *link; (link = list_pop_front(&waiting));) {
        Watcher *watcher = CONTAINER(link, Watcher, link);
        list_push_back(&cohort->watchers, link);
        watch->statistics.sent++;
        cohort->receiver = watcher;
        bool slow = watch->transport->send(watcher->target, frame) < 0;
        if (cohort->receiver && slow) {
            watcher->blocked = true;
            cohort->blocked++;
        }
    }
    cohort->receiver = NULL;
    cohort->sending = false;
    watch->transport->frame_unref(frame);
    watch->statistics.frames++;
    watch->statistics.told += piece->told;
}

static void piece_send(Cohort *cohort, Piece *piece, uint64_t number) {
    Watch *watch = piece->watch;
    piece->moment.number = number;
    watch->ops->seal(watch->owner, piece->view->filter, &piece->moment, piece->update,
                     &watch->arena);
    send_frame(cohort, piece);
}

/* ---- steps of a cohort ---- */

/* Walks a track from a mark on, which it moves, as far as the piece, or changes up to `until`,
 * reach; `since` as for `tell`. True when nothing is left. */
static bool walk(Track *track, Mark **mark, uint64_t until, uint64_t since, Piece *piece) {
    bool figures = track->offset == offsetof(WatchItem, changes), over = false;
    Link *at = mark_link(track, *mark), *link = at->next;
    uint64_t number = (*mark)->item.changed;
    for (; link != &track->head && !over; at = link, link = link->next) {
        const WatchItem *item = item_of(track, link);
        if (item->kind == KIND_MARK)
            continue;
        uint64_t last = figures ? item->changed : item->stated;
        over = last > until;
        /* What is both has been told as a change of state. */
        bool told = figures && item->stated == item->changed;
        if (over || piece->seen == SEEN_MAX || (!told && !tell(piece, item, since)))
            break;
        piece->seen++;
        number = last;
    }
    bool end = link == &track->head;
    mark_move(track, mark, at, end ? piece->watch->number : over ? until : number);
    return end || over;
}

/* Passes the changes that have been told as changes of state. */
static void pass_told(Watch *watch, Cohort *cohort) {
    Track *track = &watch->changes;
    Link *at = mark_link(track, cohort->figures), *link = at->next;
    uint64_t number = cohort->figures->item.changed, told = cohort->state->item.changed;
    for (int seen = 0; link != &track->head && seen < SEEN_MAX; at = link, link = link->next) {
        const WatchItem *item = item_of(track, link);
        if (item->kind == KIND_MARK)
            continue;
        if (item->stated != item->changed || item->changed > told)
            break;
        number = item->changed;
        seen++;
    }
    mark_move(track, &cohort->figures, at, link == &track->head ? watch->number : number);
}

/* Up to which change all is told. */
static uint64_t told_up_to(Watch *watch, Cohort *cohort) {
    if (!item_behind(&watch->states, mark_link(&watch->states, cohort->state)))
        cohort->state->item.changed = watch->number;
    pass_told(watch, cohort);
    uint64_t state = cohort->state->item.changed, figures = cohort->figures->item.changed;
    return state < figures ? state : figures;
}

static void snapshot_begin(Cohort *cohort) {
    Watch *watch = cohort->view->watch;
    cohort->snapshot_number = watch->number + 1; /* never 0 */
    watch->number++;
    cohort->begun = false;
    cohort->figures_until = 0;
    mark_move(&watch->states, &cohort->state, &watch->states.head, 0);
    mark_move(&watch->changes, &cohort->figures, watch->changes.head.prev, watch->number);
    watch->statistics.snapshots++;
}

static void snapshot_step(Cohort *cohort, Piece *piece) {
    Watch *watch = piece->watch;
    bool done = walk(&watch->states, &cohort->state, UINT64_MAX, cohort->snapshot_number, piece);
    if (done)
        cohort->snapshot_number = 0;
    uint64_t number = done ? told_up_to(watch, cohort) : 0;
    piece->moment.more = !done;
    if (piece->told || (done && watch->ops->piece > 1)) {
        cohort->begun = true;
        piece_send(cohort, piece, number);
    }
}

static void change_step(Cohort *cohort, Piece *piece) {
    Watch *watch = piece->watch;
    if (item_behind(&watch->states, mark_link(&watch->states, cohort->state))) {
        walk(&watch->states, &cohort->state, UINT64_MAX, 0, piece);
    } else {
        piece->moment.figures = true;
        walk(&watch->changes, &cohort->figures, cohort->figures_until, UINT64_MAX, piece);
    }
    uint64_t number = told_up_to(watch, cohort);
    if (piece->told)
        piece_send(cohort, piece, number);
}

/* Whether it has missed the end of an item. */
static bool is_behind(const Watch *watch, const Cohort *cohort) {
    return watch->floor > cohort->snapshot_number && watch->floor > cohort->state->item.changed;
}

/* Gives what it cost. */
static uint32_t step(Cohort *cohort) {
    Watch *watch = cohort->view->watch;
    if (is_behind(watch, cohort))
        snapshot_begin(cohort);
    Piece piece = piece_begin(cohort);
    if (cohort->snapshot_number)
        snapshot_step(cohort, &piece);
    else
        change_step(cohort, &piece);
    arena_reset(&watch->arena);
    return piece.seen + piece.told * COST_TOLD + (uint32_t)cohort->count * COST_SENT;
}

/* ---- cohorts ---- */

static bool figures_wait(const Cohort *cohort, bool permitted) {
    Watch *watch = cohort->view->watch;
    const WatchItem *item =
        item_behind(&watch->changes, mark_link(&watch->changes, cohort->figures));
    return item && (item->changed <= cohort->figures_until) == permitted;
}

static bool has_work(const Cohort *cohort) {
    Watch *watch = cohort->view->watch;
    return cohort->snapshot_number || is_behind(watch, cohort) ||
           item_behind(&watch->states, mark_link(&watch->states, cohort->state)) ||
           figures_wait(cohort, true);
}

static void on_patience(Timer *timer);

static Cohort *cohort_new(View *view) {
    Cohort *cohort = xcalloc(1, sizeof *cohort);
    cohort->view = view;
    cohort->patience.fire = on_patience;
    list_init(&cohort->ready);
    list_init(&cohort->watchers);
    list_push_back(&view->cohorts, &cohort->link);
    return cohort;
}

static void cohort_free(Cohort *cohort) {
    Watch *watch = cohort->view->watch;
    mark_unref(&watch->states, cohort->state);
    mark_unref(&watch->changes, cohort->figures);
    wheel_cancel(world_wheel(watch->world), &cohort->patience);
    list_remove(&cohort->ready);
    list_remove(&cohort->link);
    free(cohort);
}

static void view_free(View *view);

/* The last one takes a view with it that nobody watches any more. */
static void cohort_drop(Cohort *cohort) {
    View *view = cohort->view;
    cohort_free(cohort);
    if (!view->watchers && list_empty(&view->cohorts))
        view_free(view);
}

static void cohort_join(Cohort *cohort, Watcher *watcher) {
    watcher->cohort = cohort;
    list_push_back(&cohort->watchers, &watcher->link);
    cohort->count++;
    cohort->blocked += watcher->blocked;
}

static void cohort_leave(Watcher *watcher) {
    Cohort *cohort = watcher->cohort;
    list_remove(&watcher->link);
    cohort->count--;
    cohort->blocked -= watcher->blocked;
}

/* All of one cohort join another one. */
static void cohort_merge(Cohort *into, Cohort *from) {
    LIST_EACH (&from->watchers, link) {
        Watcher *watcher = CONTAINER(link, Watcher, link);
        cohort_leave(watcher);
        cohort_join(into, watcher);
    }
    cohort_free(from);
}

/* One that has nothing to do joins another one that stands at the same place. */
static void join_equals(Cohort *cohort) {
    Watch *watch = cohort->view->watch;
    mark_move(&watch->states, &cohort->state, mark_link(&watch->states, cohort->state), 0);
    mark_move(&watch->changes, &cohort->figures, mark_link(&watch->changes, cohort->figures), 0);
    LIST_EACH (&cohort->view->cohorts, link) {
        Cohort *other = CONTAINER(link, Cohort, link);
        if (other != cohort && other->state == cohort->state && !other->sending &&
            other->figures == cohort->figures && !has_work(other)) {
            cohort_merge(other, cohort);
            return;
        }
    }
}

/* Has it continue when there is something to tell and who to tell it to; it may be gone then. */
static void schedule(Cohort *cohort) {
    View *view = cohort->view;
    Watch *watch = view->watch;
    Wheel *wheel = world_wheel(watch->world);
    if (cohort->sending || !cohort->count)
        return;
    if (figures_wait(cohort, false) && !timer_is_armed(&view->tick))
        wheel_arm(wheel, &view->tick,
                  (world_now(watch->world) / view->interval + 1) * view->interval);
    if (!has_work(cohort)) {
        wheel_cancel(wheel, &cohort->patience);
        list_remove(&cohort->ready);
        join_equals(cohort);
    } else if (!cohort->blocked) {
        wheel_cancel(wheel, &cohort->patience);
        if (list_empty(&cohort->ready))
            list_push_back(&watch->ready, &cohort->ready);
        if (!timer_is_armed(&watch->again))
            world_defer(watch->world, &watch->work);
    } else {
        list_remove(&cohort->ready);
        if (cohort->blocked < cohort->count && !timer_is_armed(&cohort->patience))
            wheel_arm(wheel, &cohort->patience, world_now(watch->world) + PATIENCE);
    }
}

/* Those that are blocked still go on by themselves. */
static void on_patience(Timer *timer) {
    Cohort *cohort = CONTAINER(timer, Cohort, patience);
    Watch *watch = cohort->view->watch;
    if (!cohort->blocked || cohort->blocked == cohort->count)
        return;
    Cohort *slow = cohort_new(cohort->view);
    slow->state = mark_at(&watch->states, mark_link(&watch->states, cohort->state), 0);
    slow->figures = mark_at(&watch->changes, mark_link(&watch->changes, cohort->figures), 0);
    slow->figures_until = cohort->figures_until;
    slow->snapshot_number = cohort->snapshot_number;
    slow->begun = cohort->begun;
    LIST_EACH (&cohort->watchers, link) {
        Watcher *watcher = CONTAINER(link, Watcher, link);
        if (!watcher->blocked)
            continue;
        cohort_leave(watcher);
        cohort_join(slow, watcher);
    }
    schedule(cohort);
}

/* ---- the work of a turn ---- */

static void look_for_work(Watch *watch) {
    LIST_EACH (&watch->views, link) {
        View *view = CONTAINER(link, View, link);
        bool moved = watch->ops->moved && watch->ops->moved(watch->owner, view->filter);
        LIST_EACH (&view->cohorts, at) {
            Cohort *cohort = CONTAINER(at, Cohort, link);
            if (moved)
                snapshot_begin(cohort);
            schedule(cohort);
        }
    }
}

static void on_work(Task *task) {
    Watch *watch = CONTAINER(task, Watch, work);
    if (watch->news) {
        watch->news = false;
        look_for_work(watch);
    }
    uint32_t cost = 0;
    while (cost < COST_TURN && !list_empty(&watch->ready)) {
        Cohort *cohort = CONTAINER(watch->ready.next, Cohort, ready);
        list_remove(&cohort->ready);
        cost += step(cohort);
        if (cohort->count)
            schedule(cohort);
        else
            cohort_drop(cohort);
    }
    if (!list_empty(&watch->ready))
        wheel_arm(world_wheel(watch->world), &watch->again, world_now(watch->world));
}

static void on_again(Timer *timer) {
    Watch *watch = CONTAINER(timer, Watch, again);
    world_defer(watch->world, &watch->work);
}

static void on_tick(Timer *timer) {
    View *view = CONTAINER(timer, View, tick);
    LIST_EACH (&view->cohorts, link) {
        Cohort *cohort = CONTAINER(link, Cohort, link);
        if (!cohort->snapshot_number)
            cohort->figures_until = view->watch->number;
        schedule(cohort);
    }
}

/* ---- the domain's side ---- */

static void news(Watch *watch) {
    watch->news = true;
    if (!list_empty(&watch->views) && !timer_is_armed(&watch->again))
        world_defer(watch->world, &watch->work);
}

void watch_add(Watch *watch, WatchItem *item, uint8_t kind) {
    assert(kind < KIND_TOMBSTONE);
    item->kind = kind;
    char name[WATCH_KEY_MAX + 1];
    size_t len = name_of(watch, item, name);
    Tombstone *tombstone = map_get(&watch->tombstones_by_name, span(name, len));
    if (tombstone)
        tombstone_free(watch, tombstone);
    list_init(&item->changes);
    list_init(&item->states);
    watch->statistics.items++;
    watch_changed(watch, item);
}

void watch_changed(Watch *watch, WatchItem *item) {
    item->changed = ++watch->number;
    item->stated = watch->number;
    list_remove(&item->changes);
    list_push_back(&watch->changes.head, &item->changes);
    list_remove(&item->states);
    list_push_back(&watch->states.head, &item->states);
    news(watch);
}

void watch_figures(Watch *watch, WatchItem *item) {
    item->changed = ++watch->number;
    list_remove(&item->changes);
    list_push_back(&watch->changes.head, &item->changes);
    news(watch);
}

void watch_remove(Watch *watch, WatchItem *item) {
    if (!watch_has(item))
        return;
    list_remove(&item->changes);
    list_remove(&item->states);
    bury(watch, item);
    *item = (WatchItem){0};
    watch->statistics.items--;
    news(watch);
}

uint64_t watch_epoch(const Watch *watch) {
    return watch->epoch;
}

uint64_t watch_number(const Watch *watch) {
    return watch->number;
}

WatchStatistics watch_statistics(const Watch *watch) {
    return watch->statistics;
}

/* ---- views and watchers ---- */

static Span view_key(const void *item) {
    const View *view = item;
    return span(view->key, view->key_len);
}

static void filter_free(Watch *watch, void *filter) {
    if (watch->ops->filter_free)
        watch->ops->filter_free(watch->owner, filter);
}

/* The view of a request; it is made when there is none. Views differ by interval, too. */
static View *view_of(Watch *watch, const WatchRequest *request) {
    size_t len = request->key.len + sizeof request->interval;
    View *view = xcalloc(1, sizeof *view + len);
    view->key_len = len;
    memcpy(view->key, &request->interval, sizeof request->interval);
    if (request->key.len)
        memcpy(view->key + sizeof request->interval, request->key.ptr, request->key.len);
    View *known = map_get(&watch->views_by_key, view_key(view));
    if (known) {
        free(view);
        filter_free(watch, request->filter);
        return known;
    }
    view->watch = watch;
    view->filter = request->filter;
    view->interval = request->interval > NANOS_PER_MILLI ? request->interval : NANOS_PER_MILLI;
    view->tick.fire = on_tick;
    list_init(&view->cohorts);
    list_push_back(&watch->views, &view->link);
    map_put(&watch->views_by_key, view);
    watch->statistics.views++;
    if (watch->ops->moved)
        watch->ops->moved(watch->owner, view->filter);
    return view;
}

static void view_free(View *view) {
    Watch *watch = view->watch;
    map_remove(&watch->views_by_key, view_key(view));
    wheel_cancel(world_wheel(watch->world), &view->tick);
    filter_free(watch, view->filter);
    list_remove(&view->link);
    watch->statistics.views--;
    free(view);
}

/* A cohort behind the revision; NULL when it is not known any more. */
static Cohort *cohort_resumed(View *view, const WatchRequest *request) {
    Watch *watch = view->watch;
    uint64_t number = request->number;
    if (!number || request->epoch != watch->epoch || number > watch->number ||
        number < watch->floor)
        return NULL;
    Link *state = track_locate(&watch->states, number),
         *figures = track_locate(&watch->changes, number);
    if (!state || !figures)
        return NULL;
    Cohort *cohort = cohort_new(view);
    cohort->state = mark_at(&watch->states, state, number);
    cohort->figures = mark_at(&watch->changes, figures, number);
    cohort->figures_until = watch->number;
    return cohort;
}

/* A cohort that is about to begin with a snapshot. */
static Cohort *cohort_at_begin(View *view) {
    LIST_EACH (&view->cohorts, link) {
        Cohort *cohort = CONTAINER(link, Cohort, link);
        if (cohort->snapshot_number && !cohort->begun && !cohort->sending)
            return cohort;
    }
    Cohort *cohort = cohort_new(view);
    snapshot_begin(cohort);
    return cohort;
}

Watcher *watcher_new(Watch *watch, void *target, const WatchRequest *request) {
    View *view = view_of(watch, request);
    Watcher *watcher = xcalloc(1, sizeof *watcher);
    watcher->target = target;
    list_init(&watcher->link);
    view->watchers++;
    watch->statistics.watchers++;
    Cohort *cohort = cohort_resumed(view, request);
    cohort_join(cohort ? cohort : cohort_at_begin(view), watcher);
    watch->news = true;
    world_defer(watch->world, &watch->work);
    return watcher;
}

void watcher_writable(Watcher *watcher) {
    if (!watcher->blocked)
        return;
    watcher->blocked = false;
    watcher->cohort->blocked--;
    schedule(watcher->cohort);
}

void watcher_free(Watcher *watcher) {
    Cohort *cohort = watcher->cohort;
    View *view = cohort->view;
    cohort_leave(watcher);
    if (cohort->receiver == watcher)
        cohort->receiver = NULL;
    free(watcher);
    view->watch->statistics.watchers--;
    view->watchers--;
    if (!cohort->count && !cohort->sending)
        cohort_drop(cohort);
    else
        schedule(cohort);
}

/* ---- watching by calls ---- */

static void *call_frame_new(const WatchOptions *options, const SchemaMessage *type,
                            const void *update) {
    return rpc_frame_new(options->server, type, update);
}

static void call_frame_unref(void *frame) {
    rpc_frame_unref(frame);
}

static int call_frame_send(void *target, void *frame) {
    return call_send_frame(target, frame);
}

static const WatchTransport CALLS = {call_frame_new, call_frame_unref, call_frame_send};

void watch_serve(Watch *watch, Call *call, const WatchRequest *request) {
    call_send_headers(call);
    call_set_user(call, watcher_new(watch, call, request));
}

void watch_call_writable(Call *call) {
    if (call_user(call))
        watcher_writable(call_user(call));
}

void watch_call_closed(Call *call, StatusCode code) {
    if (call_user(call))
        watcher_free(call_user(call));
    call_set_user(call, NULL);
}

/* ---- the whole ---- */

Watch *watch_new(World *world, const WatchOps *ops, void *owner, const WatchOptions *options) {
    Watch *watch = xcalloc(1, sizeof *watch);
    uint64_t random[2];
    world_random(world, random, sizeof random);
    watch->world = world;
    watch->ops = ops;
    watch->owner = owner;
    watch->options = *options;
    if (!watch->options.tombstones)
        watch->options.tombstones = TOMBSTONES;
    watch->transport = options->transport ? options->transport : &CALLS;
    watch->epoch = options->epoch ? options->epoch : (random[0] & EPOCH_MAX) | 1;
    track_init(&watch->changes, offsetof(WatchItem, changes));
    track_init(&watch->states, offsetof(WatchItem, states));
    list_init(&watch->tombstones);
    list_init(&watch->views);
    list_init(&watch->ready);
    map_init(&watch->tombstones_by_name, tombstone_name, random[1]);
    map_init(&watch->views_by_key, view_key, random[1]);
    watch->work.run = on_work;
    watch->again.fire = on_again;
    return watch;
}

void watch_free(Watch *watch) {
    if (!watch)
        return;
    assert(list_empty(&watch->views));
    LIST_EACH (&watch->tombstones, link)
        tombstone_free(watch, CONTAINER(link, Tombstone, item.changes));
    map_done(&watch->tombstones_by_name);
    map_done(&watch->views_by_key);
    wheel_cancel(world_wheel(watch->world), &watch->again);
    world_undefer(&watch->work);
    arena_done(&watch->arena);
    free(watch);
}
