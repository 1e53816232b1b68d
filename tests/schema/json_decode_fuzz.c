/* JSON of all kinds of types, compiled in and built at run time: what is taken must come back the
 * same from the text that is written of it, whatever the options.
 *
 * The first two bytes of the input choose type and options; the rest is the text. */
#include <assert.h>
#include <stdlib.h>

#include "kinds_pools.h"
#include "schema/json.h"

static SchemaPool *pools[2];

/* Writes what was read and reads it again. What JSON cannot say does not come from JSON, so this
 * must do. */
static void check_survives(const SchemaMessage *type, const void *message,
                           const SchemaJson *options) {
    Arena arena = {0};
    Buf text = {.arena = &arena};
    void *back;
    if (schema_json_encode(type, message, options, &text, NULL) < 0)
        abort();
    if (schema_json_decode(type, buf_span(&text), options, &arena, &back, NULL) < 0)
        abort();
    if (!schema_equal(type, message, back))
        abort();
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!pools[0])
        kinds_pools_new(pools);
    if (size < 2)
        return 0;
    const SchemaPool *pool = pools[data[0] >> 7];
    const SchemaMessage *type = kinds_type(pool, data[0]);
    SchemaJson options = {.types = pool,
                          .proto_names = data[1] & 1,
                          .emit_defaults = data[1] >> 1 & 1,
                          .ignore_unknown = data[1] >> 2 & 1,
                          .enum_numbers = data[1] >> 3 & 1,
                          .indent = data[1] >> 6};
    Arena arena = {0};
    SchemaError error;
    void *message;
    if (schema_json_decode(type, span(data + 2, size - 2), &options, &arena, &message, &error) == 0)
        check_survives(type, message, &options);
    else
        assert(error.offset <= size - 2 && error.reason[0]);
    arena_done(&arena);
    return 0;
}
