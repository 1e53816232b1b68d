/* Another configuration in place of the one in force. */
#pragma once

#include "services/orchestrator/action.h"

/* Puts it in force: a reference is taken. `changes` are those that lead to it (config/diff.h). New
 * services are started where the project runs, changed ones restarted, those that are gone are
 * stopped; `done` is called when all of that is so. */
void orchestrator_apply(Orchestrator *orchestrator, const Config *config,
                        const RtServiceChange *changes, size_t change_count, Span actor,
                        void (*done)(void *owner, const Action *action), void *owner);

/* What is to be hidden in output, as the configuration says. */
void orchestrator_hide_secrets(Orchestrator *orchestrator);
