/* Any bytes as a message. The first byte picks the type and the options, the rest is decoded by
 * compiled-in tables and by ones built at run time. What is accepted must survive encoding,
 * copying and merging; what is refused must say where. */
#include <assert.h>
#include <stdlib.h>

#include "kinds.pb.h"
#include "legacy.pb.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/topology.pb.h"
#include "schema/codec.h"
#include "schema/descriptor.h"
#include "schema/pool.h"
#include "schema/sample.h"
#include "schema/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The order is that of the corpus: add new ones at the end. */
static const SchemaMessage *const types[] = {
    &Sample_type,         &KindsScalars_type,       &KindsOptionals_type,      &KindsLists_type,
    &KindsMaps_type,      &KindsOneofs_type,        &KindsWellKnown_type,      &KindsNumbers_type,
    &LegacyDefaults_type, &LegacyStrict_type,       &LegacyHolder_type,        &LegacyFree_type,
    &RtLogEntry_type,     &RtTopologySnapshot_type, &PbFileDescriptorSet_type,
};
#define TYPES (sizeof types / sizeof *types)

#define MEMORY ((size_t)256 << 20)

/* The same type built at run time; NULL for one whose table was written by hand. */
static const SchemaMessage *dynamic_type(const SchemaMessage *type) {
    static SchemaPool *pool;
    if (!type->file)
        return NULL;
    if (!pool) {
        pool = schema_pool_new();
        SchemaPool *compiled = schema_pool_new();
        schema_pool_add(compiled, &kinds_proto);
        schema_pool_add(compiled, &legacy_proto);
        schema_pool_add(compiled, &runtime_v1_logger_proto);
        schema_pool_add(compiled, &runtime_v1_topology_proto);
        Span descriptors[64];
        size_t count = 0, at = 0;
        for (const SchemaFile *file; (file = schema_pool_next(compiled, &at));)
            descriptors[count++] = file->descriptor;
        assert(count < 64);
        int status = schema_pool_add_files(pool, descriptors, count, NULL);
        assert(status == 0);
        schema_pool_free(compiled);
    }
    return schema_pool_message(pool, span_of(type->full_name));
}

static Span encode(const SchemaMessage *type, const void *message, Arena *arena) {
    Span bytes = {0};
    int status = schema_encode(type, message, 5, arena, &bytes);
    assert(status == 0 && bytes.len == schema_size(type, message));
    return bytes;
}

static void check_accepted(const SchemaMessage *type, const void *message,
                           const SchemaDecode *options, Arena *arena) {
    Span bytes = encode(type, message, arena);
    void *back;
    assert(options->allow_partial || schema_check_required(type, message, NULL) == 0);
    int status = schema_decode(type, bytes, options, arena, &back, NULL);
    assert(status == 0 && schema_equal(type, message, back));
    assert(span_equal(encode(type, back, arena), bytes));
    void *copy = schema_copy(type, message, arena);
    assert(schema_equal(type, copy, message));
    schema_merge(type, copy, schema_new(type, arena), arena);
    assert(schema_equal(type, message, copy));
}

/* A reader without a schema sees the same fields or more. */
static bool readable(Span bytes) {
    WireReader reader = wire_reader(bytes);
    for (WireField field; wire_next(&reader, &field);)
        assert(field.raw.ptr + field.raw.len == reader.at);
    assert(reader.at >= reader.begin && reader.at <= reader.end);
    return !reader.failed;
}

/* Decodes, checks, and returns the message as bytes again; {NULL,0} when it was refused. */
static Span decode(const SchemaMessage *type, Span bytes, const SchemaDecode *options,
                   Arena *arena) {
    void *message = NULL;
    SchemaError error;
    int status = schema_decode(type, bytes, options, arena, &message, &error);
    if (status) {
        char text[512];
        assert(!message && error.offset <= bytes.len && error.reason[0]);
        assert(schema_error_format(&error, text, sizeof text) < sizeof text);
        return (Span){0};
    }
    assert(readable(bytes));
    check_accepted(type, message, options, arena);
    return encode(type, message, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    const SchemaMessage *type = types[(data[0] & 0x1f) % TYPES];
    const SchemaDecode options = {
        .allow_partial = data[0] & 0x20,
        .drop_unknown = data[0] & 0x40,
        .copy_input = data[0] & 0x80,
        .memory = MEMORY,
    };
    /* Of exactly their size, so that a read past them shows. */
    char *copy = malloc(size - 1);
    memcpy(copy, data + 1, size - 1);
    Span bytes = span(copy, size - 1);
    Arena arena = {0};
    Span compiled = decode(type, bytes, &options, &arena);
    const SchemaMessage *dynamic = dynamic_type(type);
    if (dynamic) {
        Span other = decode(dynamic, bytes, &options, &arena);
        assert(span_equal(compiled, other) && !compiled.ptr == !other.ptr);
    }
    arena_done(&arena);
    free(copy);
    return 0;
}
