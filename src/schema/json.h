/* Messages as JSON, canonically: https://protobuf.dev/programming-guides/json/ . Reading and
 * writing go straight between text and message; there is no tree in between.
 *
 * Nesting counts messages, and objects and lists inside google.protobuf.Value; lists and maps of
 * messages do not count. Errors are those of codec.h; -EBADMSG also stands for what JSON cannot
 * say. `options` and `error` may be NULL. */
#pragma once

#include "base/buf.h"
#include "schema/codec.h"
#include "schema/pool.h"

typedef struct SchemaJson {
    bool proto_names;    /* write names as in the .proto file, not lowerCamelCase; reads both */
    bool emit_defaults;  /* write fields without presence also when empty */
    bool ignore_unknown; /* reading: pass over unknown fields and enum names, do not refuse */
    bool enum_numbers;   /* write enums as numbers */
    uint8_t indent;      /* spaces a level; 0 = one line without blanks */
    uint32_t depth;      /* nesting allowed; 0 = SCHEMA_DEPTH_MAX */
    size_t memory; /* reading: bytes it may take from the arena; 0 = 1 MiB + 64 × the input */
    const SchemaPool *types; /* where types inside google.protobuf.Any are found; NULL = nowhere */
} SchemaJson;

/* Appends the message to `out`. Fails on what JSON cannot say: a Timestamp or Duration out of
 * range, an Any of unknown type or malformed content, invalid UTF-8 in a string, a FieldMask
 * path that does not survive camel case, a google.protobuf.Value that is not finite or of no
 * kind. `out` is then as long as before, and error->offset 0. Unknown fields are left out. */
int schema_json_encode(const SchemaMessage *type, const void *message, const SchemaJson *options,
                       Buf *out, SchemaError *error);

/* Reads one JSON document as a message; nothing may follow it but blanks. Strings without escapes
 * point into `text`, which must outlive the message. Names given twice are refused, as are two
 * members of one oneof and equal keys of a map. */
int schema_json_decode(const SchemaMessage *type, Span text, const SchemaJson *options,
                       Arena *arena, void **ret, SchemaError *error);
