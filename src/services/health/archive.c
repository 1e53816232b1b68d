#include "services/health/archive.h"

#include <errno.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "google/protobuf/timestamp.pb.h"
#include "schema/codec.h"

#define ALIVE        "health/alive"
#define ROLLUP       "health/rollup/"
#define INCIDENT     "health/incident/"
#define START_DIGITS 16
#define PAGE         1000
#define PIECE        100 /* services whose changes are written in a turn of the loop */

struct Archive {
    World *world;
    Store *store;
    HealthMonitor *monitor;
    Timer timer;
    Task piece;
    Arena arena;
    ARRAY(StoreOp) ops;
    int64_t alive; /* the mark that was found */
    bool failing;  /* was said already */
    void (*loaded)(void *owner, int error);
    void (*stopped)(void *owner);
    void *owner;
};

/* ---- writing ---- */

static void on_written(void *owner, const StoreResult *result) {
    Archive *archive = owner;
    if (result->error < 0 && !archive->failing)
        log_error("the history of health cannot be stored",
                  log_text("reason", span_of(strerror(-result->error))));
    archive->failing = result->error < 0;
}

static void on_last_written(void *owner, const StoreResult *result) {
    Archive *archive = owner;
    on_written(archive, result);
    archive->stopped(archive->owner);
}

/* Commits what has gathered. Errors at once are those of a store that is full or broken: it says so
 * by itself. */
static int commit(Archive *archive, StoreDone *done) {
    StoreTxn txn = {.then = archive->ops.items, .then_count = archive->ops.count};
    int result = store_commit(archive->store, &txn, done, archive);
    archive->ops.count = 0;
    arena_reset(&archive->arena);
    return result;
}

/* To be called before the key is made: a commit resets the arena. */
static void make_room(Archive *archive) {
    if (archive->ops.count == STORE_OPS_MAX)
        commit(archive, on_written);
}

static Span make_key(Archive *archive, const char *prefix, int resolution, int64_t start,
                     Span service_name) {
    Buf key = {.arena = &archive->arena};
    buf_printf(&key, "%s", prefix);
    if (resolution)
        buf_printf(&key, "%d/", resolution);
    buf_printf(&key, "%0*lld/%.*s", START_DIGITS, (long long)start, SPAN_ARGS(service_name));
    return buf_span(&key);
}

static void put(Archive *archive, Span key, const SchemaMessage *type, const void *message) {
    Span value;
    schema_encode(type, message, 0, &archive->arena, &value);
    *array_push(&archive->ops) =
        (StoreOp){.kind = STORE_PUT, .range = {.how = STORE_KEY, .key = key}, .value = value};
}

static void delete_key(Archive *archive, Span key) {
    *array_push(&archive->ops) =
        (StoreOp){.kind = STORE_DELETE, .range = {.how = STORE_KEY, .key = key}};
}

static void write_slots(Archive *archive, HealthService *service, RtHealthResolution r,
                        int64_t now) {
    Timeline *timeline = &service->timeline;
    Span name = health_service_name(service);
    size_t outdated = timeline_outdated(timeline, r, now);
    for (size_t i = 0; i < outdated; i++) {
        make_room(archive);
        delete_key(archive, make_key(archive, ROLLUP, r, timeline->slots[r].items[i].start, name));
    }
    timeline_drop(timeline, r, outdated);
    for (size_t i = timeline->slots[r].count; i > 0 && timeline->slots[r].items[i - 1].dirty; i--) {
        TimeSlot *slot = &timeline->slots[r].items[i - 1];
        RtHealthSummary summary = slot_summary(slot);
        slot->dirty = false;
        make_room(archive);
        put(archive, make_key(archive, ROLLUP, r, slot->start, name), &RtHealthSummary_type,
            &summary);
    }
}

static void write_incidents(Archive *archive, HealthService *service, int64_t now) {
    Timeline *timeline = &service->timeline;
    Span name = health_service_name(service);
    size_t outdated = timeline_outdated_incidents(timeline, now);
    for (size_t i = 0; i < outdated; i++) {
        make_room(archive);
        delete_key(archive,
                   make_key(archive, INCIDENT, 0, timeline->incidents.items[i].start, name));
    }
    timeline_drop_incidents(timeline, outdated);
    for (size_t i = 0; i < timeline->incidents.count; i++) {
        Incident *incident = &timeline->incidents.items[i];
        if (!incident->dirty)
            continue;
        RtHealthIncident message = incident_message(incident, name);
        incident->dirty = false;
        make_room(archive);
        put(archive, make_key(archive, INCIDENT, 0, incident->start, name), &RtHealthIncident_type,
            &message);
    }
}

/* Takes up to `most` services from those that are not saved; true when some are left. */
static bool write_some(Archive *archive, size_t most, int64_t now) {
    for (; most > 0; most--) {
        Link *link = list_pop_front(&archive->monitor->unsaved);
        if (!link)
            return false;
        HealthService *service = CONTAINER(link, HealthService, unsaved);
        for (RtHealthResolution r = 1; r < RESOLUTIONS; r++)
            write_slots(archive, service, r, now);
        write_incidents(archive, service, now);
    }
    return !list_empty(&archive->monitor->unsaved);
}

static int64_t wall_ms(const Archive *archive) {
    return world_wall(archive->world) / NANOS_PER_MILLI;
}

static void write_mark(Archive *archive) {
    Nanos wall = world_wall(archive->world);
    PbTimestamp mark = {.seconds = wall / NANOS_PER_SECOND,
                        .nanos = (int32_t)(wall % NANOS_PER_SECOND)};
    make_room(archive);
    put(archive, SPAN(ALIVE), &PbTimestamp_type, &mark);
}

static void write_piece(Task *task) {
    Archive *archive = CONTAINER(task, Archive, piece);
    bool more = write_some(archive, PIECE, wall_ms(archive));
    if (!more)
        write_mark(archive);
    commit(archive, on_written);
    if (more)
        world_defer(archive->world, &archive->piece);
}

static void on_interval(Timer *timer) {
    Archive *archive = CONTAINER(timer, Archive, timer);
    world_defer(archive->world, &archive->piece);
    wheel_arm(world_wheel(archive->world), timer, world_now(archive->world) + ARCHIVE_INTERVAL);
}

void archive_stop(Archive *archive, void (*done)(void *owner), void *owner) {
    wheel_cancel(world_wheel(archive->world), &archive->timer);
    world_undefer(&archive->piece);
    archive->stopped = done;
    archive->owner = owner;
    while (write_some(archive, PIECE, wall_ms(archive)))
        ;
    write_mark(archive);
    if (commit(archive, on_last_written) < 0)
        done(owner);
}

/* ---- reading ---- */

static bool take(Span *rest, Span prefix) {
    if (!span_starts(*rest, prefix))
        return false;
    *rest = span_skip(*rest, prefix.len);
    return true;
}

/* The service that the rest of a key, "START/SERVICE", is about. */
static HealthService *service_of(Archive *archive, Span rest) {
    if (rest.len <= START_DIGITS + 1 || rest.ptr[START_DIGITS] != '/')
        return NULL;
    return health_history_of(archive->monitor, span_skip(rest, START_DIGITS + 1));
}

static void load_summary(Archive *archive, Span rest, Span value) {
    void *summary;
    int resolution = rest.len > 2 ? rest.ptr[0] - '0' : 0;
    HealthService *service = service_of(archive, span_skip(rest, 2));
    if (service && resolution > 0 && resolution < RESOLUTIONS &&
        schema_decode(&RtHealthSummary_type, value, NULL, &archive->arena, &summary, NULL) == 0)
        timeline_load_slot(&service->timeline, (RtHealthResolution)resolution, summary);
}

static void load_incident(Archive *archive, Span rest, Span value) {
    void *incident;
    HealthService *service = service_of(archive, rest);
    if (service &&
        schema_decode(&RtHealthIncident_type, value, NULL, &archive->arena, &incident, NULL) == 0)
        timeline_load_incident(&service->timeline, incident);
}

static void load_entry(Archive *archive, Span key, Span value) {
    void *mark;
    if (take(&key, SPAN(ROLLUP)))
        load_summary(archive, key, value);
    else if (take(&key, SPAN(INCIDENT)))
        load_incident(archive, key, value);
    else if (schema_decode(&PbTimestamp_type, value, NULL, &archive->arena, &mark, NULL) == 0)
        archive->alive =
            ((PbTimestamp *)mark)->seconds * 1000 + ((PbTimestamp *)mark)->nanos / NANOS_PER_MILLI;
    arena_reset(&archive->arena);
}

/* While the runtime was away nobody knows how the services were. */
static void end_last_run(Archive *archive) {
    const Cause away = {0};
    size_t at = 0;
    for (HealthService *service; (service = map_next(&archive->monitor->services, &at));)
        if (timeline_last(&service->timeline) != RT_HEALTH_STATE_HEALTH_UNKNOWN)
            timeline_set(&service->timeline, archive->alive, RT_HEALTH_STATE_HEALTH_UNKNOWN, &away);
}

static void on_page(void *owner, const StoreResult *result);

static int read_page(Archive *archive, Span from) {
    StoreOp get = {
        .kind = STORE_GET,
        .range = {.how = STORE_UNTIL, .key = from, .end = SPAN("health0")},
        .limit = PAGE,
    };
    return store_commit(archive->store, &(StoreTxn){.then = &get, .then_count = 1}, on_page,
                        archive);
}

static void finish_loading(Archive *archive, int error) {
    if (!error) {
        end_last_run(archive);
        on_interval(&archive->timer);
    }
    archive->loaded(archive->owner, error);
}

static void on_page(void *owner, const StoreResult *result) {
    Archive *archive = owner;
    if (result->error < 0) {
        finish_loading(archive, result->error);
        return;
    }
    const StoreOpResult *page = &result->results[0];
    for (size_t i = 0; i < page->count; i++)
        load_entry(archive, page->entries[i].key, page->entries[i].value);
    if (!page->more) {
        finish_loading(archive, 0);
        return;
    }
    Buf next = {0};
    buf_add(&next, page->entries[page->count - 1].key);
    buf_add_char(&next, 0);
    int error = read_page(archive, buf_span(&next));
    buf_done(&next);
    if (error < 0)
        finish_loading(archive, error);
}

void archive_start(Archive *archive, void (*done)(void *owner, int error), void *owner) {
    archive->loaded = done;
    archive->owner = owner;
    int error = read_page(archive, SPAN("health/"));
    if (error < 0)
        finish_loading(archive, error);
}

Archive *archive_new(World *world, Store *store, HealthMonitor *monitor) {
    Archive *archive = xcalloc(1, sizeof *archive);
    archive->world = world;
    archive->store = store;
    archive->monitor = monitor;
    archive->timer.fire = on_interval;
    archive->piece.run = write_piece;
    return archive;
}

void archive_free(Archive *archive) {
    if (!archive)
        return;
    wheel_cancel(world_wheel(archive->world), &archive->timer);
    world_undefer(&archive->piece);
    store_forget(archive->store, archive);
    array_done(&archive->ops);
    arena_done(&archive->arena);
    free(archive);
}
