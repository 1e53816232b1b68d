/* Short-lived processes beside a service's own: probes that are programs, stop commands, commands
 * that people run. They get a service's environment and working directory. */
#pragma once

#include "services/orchestrator/internal.h"

typedef struct Helper Helper;

/* What the owner does not care for may be NULL. */
typedef struct HelperOps {
    /* It runs, or could not be started (then this is the last call). */
    void (*started)(void *owner, const ProcessInfo *info);
    void (*output)(void *owner, const ProcessInfo *info, ProcessStream stream);
    /* It has ended. True: its output is not taken yet, and goes on coming until helper_release;
     * false: the last call. */
    bool (*exited)(void *owner, const ProcessInfo *info);
} HelperOps;

/* `ops` may be NULL. `what` ("check") is part of its id, which is made unique. Only `id` and `label` of the spec are
 * ours. NULL when it cannot even be asked for; `ret_error` says why. */
Helper *helper_start(Orchestrator *orchestrator, const char *what, ProcessSpec *spec,
                     const HelperOps *ops, void *owner, int *ret_error);
Span helper_id(const Helper *helper);
/* It has ended, and its output is taken: forgets it. */
void helper_release(Helper *helper);
/* Its owner does not want to hear of it any more: it is killed. */
void helper_abandon(Helper *helper);
/* The orchestrator ends: what runs is left to itself. */
void helpers_free(Orchestrator *orchestrator);
