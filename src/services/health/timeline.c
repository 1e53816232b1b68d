#include "services/health/timeline.h"

#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/memory.h"
#include "schema/codec.h"

#define MINUTE     INT64_C(60000)
#define HOUR       (60 * MINUTE)
#define DAY        (24 * HOUR)
#define SLOTS_WISH 100

static const struct {
    int64_t length, kept;
} RESOLUTION[RESOLUTIONS] = {
    [RT_HEALTH_RESOLUTION_MINUTE] = {MINUTE, DAY},
    [RT_HEALTH_RESOLUTION_HOUR] = {HOUR, 30 * DAY},
    [RT_HEALTH_RESOLUTION_DAY] = {DAY, 365 * DAY},
};

#define EACH_RESOLUTION(r)                                                                         \
    for (RtHealthResolution r = RT_HEALTH_RESOLUTION_MINUTE; r <= RT_HEALTH_RESOLUTION_DAY; r++)

int64_t resolution_length(RtHealthResolution resolution) {
    return RESOLUTION[resolution].length;
}

int64_t resolution_kept(RtHealthResolution resolution) {
    return RESOLUTION[resolution].kept;
}

RtHealthResolution resolution_for(int64_t from, int64_t to, int64_t now) {
    EACH_RESOLUTION(r)
    if ((to - from) / RESOLUTION[r].length <= SLOTS_WISH && from >= now - RESOLUTION[r].kept)
        return r;
    return RT_HEALTH_RESOLUTION_DAY;
}

void timeline_done(Timeline *timeline) {
    EACH_RESOLUTION(r)
    free(timeline->slots[r].items);
    for (size_t i = 0; i < timeline->incidents.count; i++) {
        free(timeline->incidents.items[i].message);
        free(timeline->incidents.items[i].service_id);
    }
    free(timeline->incidents.items);
    *timeline = (Timeline){0};
}

/* ---- slots ---- */

static int64_t floor_to(int64_t at, int64_t length) {
    int64_t rest = at % length;
    return at - (rest < 0 ? rest + length : rest);
}

/* How far the slot's time is spread over states: up to its last change. */
static int64_t slot_until(const TimeSlot *slot) {
    int64_t until = slot->start;
    for (int i = 0; i < HEALTH_STATES; i++)
        until += slot->spent[i];
    return until;
}

static TimeSlot *last_slot(const Timeline *timeline, RtHealthResolution r) {
    return timeline->slots[r].count ? &timeline->slots[r].items[timeline->slots[r].count - 1]
                                    : NULL;
}

static TimeSlot *push_slot(Timeline *timeline, RtHealthResolution r, int64_t start,
                           RtHealthState state) {
    TimeSlot *slot = array_push(&timeline->slots[r]);
    *slot = (TimeSlot){.start = start, .worst = (uint8_t)state, .last = (uint8_t)state};
    return slot;
}

/* The slot of that instant, with the time up to it spent in the state so far. */
static TimeSlot *slot_at(Timeline *timeline, RtHealthResolution r, int64_t at) {
    int64_t start = floor_to(at, RESOLUTION[r].length);
    TimeSlot *slot = last_slot(timeline, r);
    RtHealthState state = slot ? (RtHealthState)slot->last : RT_HEALTH_STATE_HEALTH_UNKNOWN;
    if (!slot || slot->start < start)
        slot = push_slot(timeline, r, start, state);
    int64_t until = slot_until(slot);
    if (at > until)
        slot->spent[state] += (uint32_t)(at - until);
    slot->dirty = true;
    return slot;
}

RtHealthState timeline_last(const Timeline *timeline) {
    const TimeSlot *slot = last_slot(timeline, RT_HEALTH_RESOLUTION_DAY);
    return slot ? (RtHealthState)slot->last : RT_HEALTH_STATE_HEALTH_UNKNOWN;
}

static bool is_trouble(RtHealthState state) {
    return state == RT_HEALTH_STATE_DEGRADED || state == RT_HEALTH_STATE_UNHEALTHY;
}

static char *copy_text(Span text) {
    char *copy = xmalloc(text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    return copy;
}

static void note_incident(Timeline *timeline, int64_t at, RtHealthState state, const Cause *cause) {
    size_t count = timeline->incidents.count;
    Incident *open = count ? &timeline->incidents.items[count - 1] : NULL;
    if (open && open->end)
        open = NULL;
    if (!open && is_trouble(state)) {
        *array_push(&timeline->incidents) = (Incident){
            .start = at,
            .worst = state,
            .source = cause->source,
            .message = copy_text(cause->message),
            .service_id = copy_text(cause->service_id),
            .dirty = true,
        };
    } else if (open && !is_trouble(state)) {
        open->end = at > open->start ? at : open->start + 1;
        open->dirty = true;
    } else if (open && health_worse(state, open->worst) != open->worst) {
        open->worst = state;
        open->dirty = true;
    }
}

void timeline_set(Timeline *timeline, int64_t at, RtHealthState state, const Cause *cause) {
    EACH_RESOLUTION(r) {
        TimeSlot *slot = slot_at(timeline, r, at);
        slot->last = (uint8_t)state;
        slot->worst = (uint8_t)health_worse((RtHealthState)slot->worst, state);
    }
    note_incident(timeline, at, state, cause);
}

void timeline_restarted(Timeline *timeline, int64_t at) {
    EACH_RESOLUTION(r) {
        TimeSlot *slot = slot_at(timeline, r, at);
        if (slot->restarts < UINT16_MAX)
            slot->restarts++;
    }
}

/* ---- reading ---- */

RtHealthSummary slot_summary(const TimeSlot *slot) {
    return (RtHealthSummary){
        .start_time = slot->start,
        .healthy_ms = slot->spent[RT_HEALTH_STATE_HEALTHY],
        .degraded_ms = slot->spent[RT_HEALTH_STATE_DEGRADED],
        .unhealthy_ms = slot->spent[RT_HEALTH_STATE_UNHEALTHY],
        .starting_ms = slot->spent[RT_HEALTH_STATE_STARTING],
        .unknown_ms = slot->spent[RT_HEALTH_STATE_HEALTH_UNKNOWN],
        .worst_state = slot->worst,
        .restarts = slot->restarts,
        .last_state = slot->last,
    };
}

/* The index of the last slot that begins at or before `at`; -1 when none does. */
static ptrdiff_t find_slot(const Timeline *timeline, RtHealthResolution r, int64_t at) {
    size_t low = 0, high = timeline->slots[r].count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (timeline->slots[r].items[middle].start <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return (ptrdiff_t)low - 1;
}

/* The slot that begins at `start`, kept or not, with its time spent up to `end`. */
static TimeSlot whole_slot(const Timeline *timeline, RtHealthResolution r, int64_t start,
                           int64_t end) {
    ptrdiff_t at = find_slot(timeline, r, start);
    TimeSlot slot = {.start = start};
    if (at >= 0 && timeline->slots[r].items[at].start == start)
        slot = timeline->slots[r].items[at];
    else if (at >= 0)
        slot.worst = slot.last = timeline->slots[r].items[at].last;
    int64_t until = slot_until(&slot);
    if (end > until)
        slot.spent[slot.last] += (uint32_t)(end - until);
    return slot;
}

void timeline_summaries(const Timeline *timeline, RtHealthResolution r, int64_t from, int64_t to,
                        int64_t now, Arena *arena, RtHealthHistory *into) {
    int64_t length = RESOLUTION[r].length, oldest = floor_to(now - RESOLUTION[r].kept, length);
    int64_t start = floor_to(from, length), known = 0, up = 0;
    if (start < oldest)
        start = oldest;
    for (; start < to && start <= now; start += length) {
        int64_t end = start + length < now ? start + length : now;
        TimeSlot slot = whole_slot(timeline, r, start, end);
        RtHealthSummary *summary = schema_append(&into->summaries, arena);
        *summary = slot_summary(&slot);
        up += summary->healthy_ms + summary->degraded_ms;
        known += summary->healthy_ms + summary->degraded_ms + summary->unhealthy_ms +
                 summary->starting_ms;
    }
    into->uptime_percent = known ? 100.0 * (double)up / (double)known : 0;
}

RtHealthIncident incident_message(const Incident *incident, Span service_name) {
    return (RtHealthIncident){
        .service_name = service_name,
        .start_time = incident->start,
        .end_time = incident->end,
        .worst_state = (int32_t)incident->worst,
        .source = (int32_t)incident->source,
        .message = span_of(incident->message),
        .service_id = span_of(incident->service_id),
    };
}

void timeline_incidents(const Timeline *timeline, Span service_name, int64_t from, int64_t to,
                        Arena *arena, RtHealthHistory *into) {
    for (size_t i = 0; i < timeline->incidents.count; i++) {
        const Incident *incident = &timeline->incidents.items[i];
        if (incident->start < to && (!incident->end || incident->end > from))
            *schema_append(&into->incidents, arena) = incident_message(incident, service_name);
    }
}

/* ---- keeping ---- */

void timeline_load_slot(Timeline *timeline, RtHealthResolution r, const RtHealthSummary *summary) {
    const TimeSlot *last = last_slot(timeline, r);
    if (last && last->start >= summary->start_time)
        return;
    TimeSlot *slot =
        push_slot(timeline, r, summary->start_time, (RtHealthState)summary->last_state);
    slot->worst = (uint8_t)summary->worst_state;
    slot->restarts = (uint16_t)summary->restarts;
    slot->spent[RT_HEALTH_STATE_HEALTHY] = (uint32_t)summary->healthy_ms;
    slot->spent[RT_HEALTH_STATE_DEGRADED] = (uint32_t)summary->degraded_ms;
    slot->spent[RT_HEALTH_STATE_UNHEALTHY] = (uint32_t)summary->unhealthy_ms;
    slot->spent[RT_HEALTH_STATE_STARTING] = (uint32_t)summary->starting_ms;
    slot->spent[RT_HEALTH_STATE_HEALTH_UNKNOWN] = (uint32_t)summary->unknown_ms;
}

void timeline_load_incident(Timeline *timeline, const RtHealthIncident *incident) {
    *array_push(&timeline->incidents) = (Incident){
        .start = incident->start_time,
        .end = incident->end_time,
        .worst = (RtHealthState)incident->worst_state,
        .source = (RtHealthSource)incident->source,
        .message = copy_text(incident->message),
        .service_id = copy_text(incident->service_id),
    };
}

size_t timeline_outdated(const Timeline *timeline, RtHealthResolution r, int64_t now) {
    ptrdiff_t first = find_slot(timeline, r, now - RESOLUTION[r].kept);
    return first > 0 ? (size_t)first : 0;
}

void timeline_drop(Timeline *timeline, RtHealthResolution r, size_t count) {
    array_remove(&timeline->slots[r], 0, count);
}

size_t timeline_outdated_incidents(const Timeline *timeline, int64_t now) {
    size_t count = timeline->incidents.count;
    size_t outdated = count > INCIDENTS_MAX ? count - INCIDENTS_MAX : 0;
    int64_t oldest = now - RESOLUTION[RT_HEALTH_RESOLUTION_DAY].kept;
    while (outdated < count && timeline->incidents.items[outdated].end &&
           timeline->incidents.items[outdated].end < oldest)
        outdated++;
    return outdated;
}

void timeline_drop_incidents(Timeline *timeline, size_t count) {
    assert(count <= timeline->incidents.count);
    for (size_t i = 0; i < count; i++) {
        free(timeline->incidents.items[i].message);
        free(timeline->incidents.items[i].service_id);
    }
    array_remove(&timeline->incidents, 0, count);
}
