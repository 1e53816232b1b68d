/* JSON of whatever a binary message can hold: what is written must be JSON that is read, and
 * written again the same.
 *
 * The first two bytes of the input choose type and options; the rest is the message. */
#include <errno.h>
#include <stdlib.h>

#include "kinds_pools.h"
#include "schema/json.h"

static SchemaPool *pools[2];

static void check_readable(const SchemaMessage *type, Span text, const SchemaJson *options,
                           Arena *arena) {
    void *message;
    Buf again = {.arena = arena};
    int r = schema_json_decode(type, text, options, arena, &message, NULL);
    if (r == -ENOMEM) /* small text of large messages */
        return;
    if (r < 0 || schema_json_encode(type, message, options, &again, NULL) < 0)
        abort();
    if (!span_equal(buf_span(&again), text))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!pools[0])
        kinds_pools_new(pools);
    if (size < 2)
        return 0;
    const SchemaPool *pool = pools[data[0] >> 7];
    const SchemaMessage *type = kinds_type(pool, data[0]);
    const SchemaJson options = {.types = pool,
                                .proto_names = data[1] & 1,
                                .emit_defaults = data[1] >> 1 & 1,
                                .enum_numbers = data[1] >> 3 & 1,
                                .indent = data[1] >> 6};
    Arena arena = {0};
    Buf text = {.arena = &arena};
    SchemaError error;
    void *message;
    if (schema_decode(type, span(data + 2, size - 2), NULL, &arena, &message, NULL) == 0) {
        if (schema_json_encode(type, message, &options, &text, &error) == 0)
            check_readable(type, buf_span(&text), &options, &arena);
        else if (!error.reason[0] || text.len)
            abort();
    }
    arena_done(&arena);
    return 0;
}
