/* WatchServices: the orchestrator's services as items of a Watch (core/watch.h). */
#pragma once

#include "runtime/v1/orchestrator.pb.h"
#include "services/orchestrator/internal.h"

typedef enum WatchedKind { WATCHED_SERVICE, WATCHED_ORCHESTRATOR } WatchedKind;

Watch *watching_new(Orchestrator *orchestrator);
void watching_serve(Orchestrator *orchestrator, Call *call, const RtWatchServicesRequest *request);
