#include "services/broker/watches.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "schema/codec.h"

typedef struct Watched {
    Link watchers; /* Watching */
    Link dirty;    /* in BrokerWatches.dirty while there is something to tell */
    size_t len;
    char name[];
} Watched;

typedef struct Watching {
    Link link;
    BrokerWatches *all;
    Watched *watched;
    CallRef call;
    const RtWatchServiceRequest *request; /* in the call's arena */
    bool slow, behind; /* it cannot take anything now; something came meanwhile */
} Watching;

struct BrokerWatches {
    World *world;
    RpcServer *server;
    const Broker *broker;
    uint64_t epoch;
    Map names; /* Watched */
    Link dirty;
    Task tell;
    size_t count;
    Arena scratch;
};

static Span watched_name(const void *item) {
    const Watched *watched = item;
    return span(watched->name, watched->len);
}

/* ---- telling ---- */

/* Watchers without a filter who ask for the same role get one frame. */
typedef struct Shared {
    RpcFrame *frame;
    Span role;
} Shared;

static void tell(Watching *watching, Shared *shared) {
    BrokerWatches *all = watching->all;
    const RtWatchServiceRequest *request = watching->request;
    Call *call = call_find(all->server, watching->call);
    if (!call)
        return;
    if (watching->slow) {
        watching->behind = true;
        return;
    }
    if (!shared->frame || request->metadata.count || !span_equal(shared->role, request->role)) {
        RtWatchServiceResponse response;
        broker_watch_state(all->broker, request, &all->scratch, &response);
        rpc_frame_unref(shared->frame);
        shared->frame = rpc_frame_new(all->server, &RtWatchServiceResponse_type, &response);
        shared->role = request->role;
        arena_reset(&all->scratch);
    }
    watching->slow = call_send_frame(call, shared->frame) < 0;
    if (request->metadata.count) {
        rpc_frame_unref(shared->frame);
        shared->frame = NULL;
    }
}

static void tell_all(Task *task) {
    BrokerWatches *watches = CONTAINER(task, BrokerWatches, tell);
    for (Link *link; (link = list_pop_front(&watches->dirty));) {
        Watched *watched = CONTAINER(link, Watched, dirty);
        Shared shared = {0};
        LIST_EACH (&watched->watchers, one)
            tell(CONTAINER(one, Watching, link), &shared);
        rpc_frame_unref(shared.frame);
    }
}

void broker_watches_changed(BrokerWatches *watches, Span name) {
    Watched *watched = map_get(&watches->names, name);
    if (!watched || !list_empty(&watched->dirty))
        return;
    list_push_back(&watches->dirty, &watched->dirty);
    world_defer(watches->world, &watches->tell);
}

/* ---- watchers ---- */

static Watched *watched_at(BrokerWatches *watches, Span name) {
    Watched *watched = map_get(&watches->names, name);
    if (watched)
        return watched;
    watched = xcalloc(1, sizeof *watched + name.len);
    watched->len = name.len;
    memcpy(watched->name, name.ptr, name.len);
    list_init(&watched->watchers);
    list_init(&watched->dirty);
    map_put(&watches->names, watched);
    return watched;
}

/* Whether the watcher has seen all there is: only then it waits for the next change. */
static bool is_up_to_date(const BrokerWatches *watches, const RtWatchServiceRequest *request) {
    const RtRevision *after = request->resume_after;
    int64_t changed = broker_name_revision(watches->broker, request->name);
    return after && (uint64_t)after->epoch == watches->epoch && changed && after->number >= changed;
}

void broker_watch_serve(BrokerWatches *watches, Call *call, const RtWatchServiceRequest *request) {
    if (!request->name.len || request->name.len > BROKER_TEXT_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "name: say which service is to be watched");
        return;
    }
    if (watches->count >= BROKER_WATCHES_MAX) {
        call_fail(call, STATUS_RESOURCE_EXHAUSTED,
                  "%d watches are open already: close some, or look services up instead",
                  BROKER_WATCHES_MAX);
        return;
    }
    Watching *watching = xcalloc(1, sizeof *watching);
    watching->all = watches;
    watching->watched = watched_at(watches, request->name);
    watching->call = call_ref(call);
    watching->request = schema_copy(&RtWatchServiceRequest_type, request, call_arena(call));
    list_push_back(&watching->watched->watchers, &watching->link);
    watches->count++;
    call_set_user(call, watching);
    call_send_headers(call);
    Shared own = {0};
    if (!is_up_to_date(watches, request))
        tell(watching, &own);
    rpc_frame_unref(own.frame);
}

void broker_watch_writable(Call *call) {
    Watching *watching = call_user(call);
    if (!watching)
        return;
    watching->slow = false;
    Shared own = {0};
    if (watching->behind)
        tell(watching, &own);
    watching->behind = false;
    rpc_frame_unref(own.frame);
}

static void watched_free(BrokerWatches *watches, Watched *watched) {
    list_remove(&watched->dirty);
    map_remove(&watches->names, watched_name(watched));
    free(watched);
}

void broker_watch_closed(Call *call, StatusCode code) {
    (void)code;
    Watching *watching = call_user(call);
    if (!watching)
        return;
    Watched *watched = watching->watched;
    list_remove(&watching->link);
    watching->all->count--;
    if (list_empty(&watched->watchers))
        watched_free(watching->all, watched);
    free(watching);
}

BrokerWatches *broker_watches_new(World *world, RpcServer *server, const Broker *broker,
                                  uint64_t seed, uint64_t epoch) {
    BrokerWatches *watches = xcalloc(1, sizeof *watches);
    watches->world = world;
    watches->server = server;
    watches->broker = broker;
    watches->epoch = epoch;
    map_init(&watches->names, watched_name, seed);
    list_init(&watches->dirty);
    watches->tell.run = tell_all;
    return watches;
}

/* Who still watches is sent away: the runtime ends. */
static void end_watchers(BrokerWatches *watches, Watched *watched) {
    for (Link *link; (link = list_pop_front(&watched->watchers));) {
        Watching *watching = CONTAINER(link, Watching, link);
        Call *call = call_find(watches->server, watching->call);
        if (call) {
            call_set_user(call, NULL);
            call_fail(call, STATUS_UNAVAILABLE, "the runtime is stopping: watch again later");
        }
        free(watching);
    }
    free(watched);
}

void broker_watches_free(BrokerWatches *watches) {
    if (!watches)
        return;
    world_undefer(&watches->tell);
    size_t at = 0;
    for (Watched *watched; (watched = map_next(&watches->names, &at));)
        end_watchers(watches, watched);
    map_done(&watches->names);
    arena_done(&watches->scratch);
    free(watches);
}
