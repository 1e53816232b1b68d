/* JSON of all kinds of types, compiled in and built at run time: what is taken must come back the
 * same from the text that is written of it, whatever the options.
 *
 * The first two bytes of the input choose type and options; the rest is the text. */
#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "kinds.pb.h"
#include "legacy.pb.h"
#include "schema/json.h"

static const char *const names[] = {
    "kinds.WellKnown", "kinds.Scalars",   "kinds.Optionals",       "kinds.Lists",
    "kinds.Maps",      "kinds.Oneofs",    "kinds.Numbers",         "google.protobuf.Struct",
    "legacy.Strict",   "legacy.Defaults", "google.protobuf.Value", "google.protobuf.Any",
};
#define NAMES (sizeof names / sizeof *names)

static SchemaPool *compiled, *built;

static void make_pools(void) {
    compiled = schema_pool_new();
    schema_pool_add(compiled, &kinds_proto);
    schema_pool_add(compiled, &legacy_proto);
    built = schema_pool_new();
    ARRAY(Span) descriptors = {0};
    const SchemaFile *file;
    for (size_t at = 0; (file = schema_pool_next(compiled, &at));)
        *array_push(&descriptors) = file->descriptor;
    int r = schema_pool_add_files(built, descriptors.items, descriptors.count, NULL);
    assert(r == 0);
    (void)r;
    array_done(&descriptors);
}

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
    if (!compiled)
        make_pools();
    if (size < 2)
        return 0;
    const SchemaPool *pool = data[0] & 0x80 ? built : compiled;
    const SchemaMessage *type = schema_pool_message(pool, span_of(names[data[0] % NAMES]));
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
