/* The types of kinds.proto and legacy.proto twice: [0] compiled in, [1] built at run time from the
 * descriptors of the former. */
#pragma once

#include "schema/pool.h"

void kinds_pools_new(SchemaPool *pools[2]);

/* One of the message types in them, of every kind some. */
const SchemaMessage *kinds_type(const SchemaPool *pool, uint8_t choice);
