/* The end of a project, for down and for up when it is interrupted: Shutdown, shown as it goes, until
 * the keeper is gone too. */
#pragma once

#include "cli/remote.h"

/* `timeout` 0 = as long as it takes; then, and at a second SIGINT or SIGTERM, what is left is
 * killed. The remote is open; its World is run. An exit code, with a printed error. */
int ending_run(Remote *remote, bool force, Nanos timeout);

/* Where a keeper has lost its runtime for good, it ends what it has; the remote need not be open.
 * False: that is not so. */
bool ending_of_keeper(const Remote *remote, Nanos grace, int *ret_result);
