/* Putting files that were changed since into force. */
#pragma once

#include "cli/remote.h"

/* Asks the runtime whether the project's files are others than it works by; if so, puts them into
 * force and says what was done. 0, or an exit code with a printed error. */
int reload_changed(Remote *remote);
