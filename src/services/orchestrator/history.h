/* What happened to services, and how their processes lived: the latest events in memory, for those
 * who watch; all that is kept in the store, for those who look back.
 *
 *     orchestrator/events/NUMBER          runtime.v1.ServiceEvent, the newest 10,000
 *     orchestrator/runs/SERVICE/RUN       runtime.v1.ServiceRun, the newest 200 of each service
 *
 * Numbers are written as sixteen digits, base 16, counted down from 2^64 - 1, so that the newest
 * come first. The number of an event is that of its revision, whose epoch is the store's: it
 * grows over restarts of the runtime. After one it goes on a little higher, so that an event which
 * somebody saw and the store did not never shares its number with another. */
#pragma once

#include "base/list.h"
#include "rpc/server.h"
#include "runtime/v1/orchestrator.pb.h"
#include "services/orchestrator/journal.h"

#define HISTORY_RECENT 1000
#define HISTORY_EVENTS 10000
#define HISTORY_RUNS   200

typedef struct History History;

/* `store` may be NULL: then only what is in memory is known. */
History *history_new(World *world, Store *store, Journal *journal, uint64_t epoch);
void history_free(History *history);

/* Reads what earlier lives of the runtime left; `done` once, from the loop. */
void history_load(History *history, void (*done)(void *owner, int error), void *owner);

/* Numbers the event and keeps it (copied). Sets its revision, which lives as long as the History. */
void history_add_event(History *history, RtServiceEvent *event);

/* Keeps a life, or what is new about it. */
void history_put_run(History *history, const RtServiceRun *run);

/* ---- calls of OrchestratorService ---- */

void history_watch_events(History *history, Call *call, const RtWatchEventsRequest *request);
void history_watch_writable(Call *call);
void history_watch_closed(Call *call);
void history_list_events(History *history, RpcServer *server, Call *call,
                         const RtListEventsRequest *request);
void history_list_runs(History *history, RpcServer *server, Call *call,
                       const RtListRunsRequest *request);
