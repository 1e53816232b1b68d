/* muster up where the project runs already: what it was started with stays, and whoever asks for
 * something else is told so. */
#pragma once

#include "cli/project/place.h"
#include "cli/remote.h"

/* Whether the runtime runs these files and listens there; any port will do for port 0. 0, or an
 * exit code with a printed error. */
int joining_check(Remote *remote, const Place *place, char *const *listen, size_t listen_count);

/* Prints which services have another number of instances than their configuration says: somebody
 * has scaled them. 0, or an exit code with a printed error. */
int joining_tell_scaled(Remote *remote, const Place *place);
