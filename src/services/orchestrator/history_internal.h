/* The inside of the history: private to history.c and history_rpc.c. */
#pragma once

#include "services/orchestrator/history.h"

#define HISTORY_EVENTS_PREFIX "orchestrator/events/"
#define HISTORY_RUNS_PREFIX   "orchestrator/runs/"

typedef struct RecentEvent {
    int64_t number;
    int32_t type;
    char *service;
    Blob *encoded; /* runtime.v1.ServiceEvent */
} RecentEvent;

struct History {
    World *world;
    Store *store; /* may be NULL */
    Journal *journal;
    RtRevision revision; /* of the last event */
    RecentEvent recent[HISTORY_RECENT];
    size_t first, count;
    Link watchers;
    void (*loaded)(void *owner, int error);
    void *loaded_owner;
    Task nothing;
};

/* The first recent event with that number or a higher one; NULL when there is none. */
const RecentEvent *history_recent(const History *history, int64_t number);

void history_event_key(uint64_t number, Buf *out);

/* There is an event more. */
void history_watchers_wake(History *history);
