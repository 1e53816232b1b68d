#include "kinds_pools.h"

#include <stdlib.h>

#include "base/array.h"
#include "kinds.pb.h"
#include "legacy.pb.h"

void kinds_pools_new(SchemaPool *pools[2]) {
    pools[0] = schema_pool_new();
    schema_pool_add(pools[0], &kinds_proto);
    schema_pool_add(pools[0], &legacy_proto);
    ARRAY(Span) descriptors = {0};
    const SchemaFile *file;
    for (size_t at = 0; (file = schema_pool_next(pools[0], &at));)
        *array_push(&descriptors) = file->descriptor;
    pools[1] = schema_pool_new();
    if (schema_pool_add_files(pools[1], descriptors.items, descriptors.count, NULL) < 0)
        abort();
    array_done(&descriptors);
}

const SchemaMessage *kinds_type(const SchemaPool *pool, uint8_t choice) {
    static const char *const names[] = {
        "kinds.WellKnown", "kinds.Scalars",   "kinds.Optionals",       "kinds.Lists",
        "kinds.Maps",      "kinds.Oneofs",    "kinds.Numbers",         "google.protobuf.Struct",
        "legacy.Strict",   "legacy.Defaults", "google.protobuf.Value", "google.protobuf.Any",
    };
    return schema_pool_message(pool, span_of(names[choice % (sizeof names / sizeof *names)]));
}
