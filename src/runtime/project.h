/* The project's files, read for the runtime and for the commands that start one; and the project as a
 * component, which makes entries of its services (core/entries.h). */
#pragma once

#include "config/config.h"
#include "core/component.h"

/* Reads them. -EINVAL: what is wrong with them is appended to `reason`, a line for each mistake:
 * "FILE:LINE:COLUMN: MESSAGE". `data_folder` is the option --data; NULL: not given. */
int project_read(const char *const *files, size_t count, const char *data_folder, int64_t number,
                 const Config **ret_config, Buf *reason);

/* Looks for the project's file in the folder (absolute) and then upwards, and appends its path.
 * -ENOENT: there is none; -EPERM: it lies above, and belongs to somebody who is not believed
 * (os/owner.h). What is wrong and what to do is appended to `reason`. */
int project_find(const char *folder, Buf *ret_path, Buf *reason);

extern const Component PROJECT_COMPONENT;
