/* Services as the API shows them. */
#pragma once

#include "runtime/v1/orchestrator.pb.h"
#include "services/orchestrator/internal.h"

/* Messages are built in the arena; their strings point into the orchestrator's objects and are
 * valid until the loop turns. */
void service_fill(const Service *service, RtServiceStatus *status, Arena *arena);
void instance_fill(const Instance *instance, RtServiceInstance *shown, Arena *arena);
/* Without its services and its revision. */
void orchestrator_fill(const Orchestrator *orchestrator, RtOrchestratorStatus *status,
                       Arena *arena);
