/* Names of services that a command was given: whether there is such a service. */
#pragma once

#include "cli/remote.h"

/* Looks each of them up: among what the project configures and what is in the topology, then among
 * entries of the log and events, which services leave that are gone. Names with '*' stand for what
 * they match, and pass. 0, or an exit code with a printed error, which has the nearest name, or else
 * says what to do: `advice`. */
int service_names_check(Remote *remote, const Span *names, size_t count, const char *advice);
