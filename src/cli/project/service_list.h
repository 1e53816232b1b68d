/* The services of a project as WatchServices tells them: kept up to date, change by change. */
#pragma once

#include "base/arena.h"
#include "base/array.h"
#include "runtime/v1/orchestrator.pb.h"

typedef struct ServiceItem {
    Arena arena;
    const RtServiceStatus *status;
    RtServiceState before; /* its state before the last change; UNSPECIFIED when it is new */
} ServiceItem;

typedef struct ServiceList {
    ARRAY(ServiceItem *) items; /* in the order of the first time that they were told */
    bool complete;              /* all that there is has been told once */
} ServiceList;

/* Takes a change in. */
void service_list_update(ServiceList *list, const RtWatchServicesResponse *change);
/* Takes all from a status. */
void service_list_set(ServiceList *list, const RtOrchestratorStatus *status);
void service_list_done(ServiceList *list);

/* NULL when there is none of that name. */
const RtServiceStatus *service_list_find(const ServiceList *list, Span name);
