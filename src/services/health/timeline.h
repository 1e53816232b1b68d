/* How the health of one service was: the time it spent in each state, by minutes, hours and days,
 * and its incidents.
 *
 * A slot (a minute, an hour or a day) is kept only where something changed in it; in between, the
 * service was all the time what it was at the end of the last slot. So a service to which nothing
 * happens costs nothing, and one that flaps costs a slot a minute. What falls out of the time
 * that HealthResolution promises is dropped, as are all but the last INCIDENTS_MAX incidents.
 *
 * Instants are Unix milliseconds. They may jump: what goes back in time counts as no time. */
#pragma once

#include "base/arena.h"
#include "services/health/verdict.h"

#define INCIDENTS_MAX 256

typedef struct TimeSlot {
    int64_t start;
    uint32_t spent[HEALTH_STATES]; /* milliseconds by state, up to the last change */
    uint16_t restarts;
    uint8_t worst, last;
    bool dirty;
} TimeSlot;

typedef struct Incident {
    int64_t start, end; /* end 0: it lasts */
    RtHealthState worst;
    RtHealthSource source;
    char *message, *service_id; /* NUL-terminated */
    bool dirty;
} Incident;

/* By RtHealthResolution; 0 is not used. */
#define RESOLUTIONS 4

/* Zeroes are a timeline without a past. */
typedef struct Timeline {
    struct {
        TimeSlot *items;
        size_t count, capacity;
    } slots[RESOLUTIONS];
    struct {
        Incident *items;
        size_t count, capacity;
    } incidents;
} Timeline;

void timeline_done(Timeline *timeline);

/* The length of a slot, and how long slots are kept. */
int64_t resolution_length(RtHealthResolution resolution);
int64_t resolution_kept(RtHealthResolution resolution);
/* The finest that gives at most about a hundred slots for that time and reaches that far back. */
RtHealthResolution resolution_for(int64_t from, int64_t to, int64_t now);

/* Why the state is what it is, for the incident it may begin. */
typedef struct Cause {
    RtHealthSource source;
    Span message;
    Span service_id;
} Cause;

/* From `at` on the service is in this state. */
void timeline_set(Timeline *timeline, int64_t at, RtHealthState state, const Cause *cause);

/* The process was started again. */
void timeline_restarted(Timeline *timeline, int64_t at);

/* The state at the end of what is known. */
RtHealthState timeline_last(const Timeline *timeline);

/* The summaries from the slot of `from` to before `to`, none of the future. In the arena. */
void timeline_summaries(const Timeline *timeline, RtHealthResolution resolution, int64_t from,
                        int64_t to, int64_t now, Arena *arena, RtHealthHistory *into);

/* The incidents that touch that time, and the share of the known time in which it was up. */
void timeline_incidents(const Timeline *timeline, Span service_name, int64_t from, int64_t to,
                        Arena *arena, RtHealthHistory *into);

/* ---- keeping it ---- */

/* Puts back what was stored: slots and incidents, each kind ascending by time; a slot that is not
 * after those before it is left out. */
void timeline_load_slot(Timeline *timeline, RtHealthResolution resolution,
                        const RtHealthSummary *summary);
void timeline_load_incident(Timeline *timeline, const RtHealthIncident *incident);

/* A slot or an incident as it is stored. */
RtHealthSummary slot_summary(const TimeSlot *slot);
RtHealthIncident incident_message(const Incident *incident, Span service_name);

/* How many of the oldest slots need not be kept at `now`: what follows them says it all. */
size_t timeline_outdated(const Timeline *timeline, RtHealthResolution resolution, int64_t now);
void timeline_drop(Timeline *timeline, RtHealthResolution resolution, size_t count);
/* Likewise for incidents. */
size_t timeline_outdated_incidents(const Timeline *timeline, int64_t now);
void timeline_drop_incidents(Timeline *timeline, size_t count);
