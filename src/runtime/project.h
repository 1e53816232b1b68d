/* The project's files, read for the runtime and for the commands that start one. */
#pragma once

#include "config/config.h"

/* Reads them. -EINVAL: what is wrong with them is appended to `reason`, a line for each mistake:
 * "FILE:LINE:COLUMN: MESSAGE". `data_folder` is the option --data; NULL: not given. */
int project_read(const char *const *files, size_t count, const char *data_folder, int64_t number,
                 const Config **ret_config, Buf *reason);
