/* What putting one configuration in force in place of another does to services. */
#pragma once

#include "config/config.h"

/* The changes that lead from `before` (NULL: nothing runs) to `after`, in the order of their
 * services, removed ones first, then in that of `after`. A service whose run_hash differs is
 * RESTARTED, one that differs otherwise is UPDATED; `paths` names the values that differ. Made in
 * the arena, borrowing from both. Returns how many. */
size_t config_diff(const Config *before, const Config *after, Arena *arena,
                   const RtServiceChange **ret_changes);
