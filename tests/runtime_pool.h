/* All of runtime.v1, as it is compiled in. */
#pragma once

#include "schema/pool.h"

SchemaPool *runtime_pool_new(void);
