/* A probe by a program: it passes when that exits with 0. */
#pragma once

#include "services/orchestrator/helper.h"
#include "services/orchestrator/probe/probe.h"

typedef struct ProgramProbe ProgramProbe;

/* `spec` has the program, its environment and folder. `done` comes once, from the loop, unless it
 * is cancelled. NULL when the program cannot even be asked for: `ret_error`. */
ProgramProbe *program_probe_start(Orchestrator *orchestrator, ProcessSpec *spec, Nanos timeout,
                                  ProbeDone *done, void *owner, int *ret_error);
/* The program is killed. */
void program_probe_cancel(ProgramProbe *probe);
