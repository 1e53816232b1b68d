/* What things are called in C. `runtime.v1.LogEntry` becomes RtLogEntry when the package has the
 * prefix Rt, `runtime.v1.Outer.Inner` RtOuterInner; the value ERROR of `runtime.v1.LogLevel`
 * becomes RT_LOG_LEVEL_ERROR. All results live in the arena. */
#pragma once

#include "base/arena.h"
#include "base/array.h"
#include "schema/schema.h"

typedef struct Prefix {
    Span of; /* a package, or the name of one file */
    Span prefix;
} Prefix;

typedef struct Names {
    Arena *arena;
    ARRAY(Prefix) prefixes; /* packages without one get their own name in PascalCase */
} Names;

/* Takes the plugin's parameter, "prefix=runtime.v1:Rt,prefix=google.protobuf:Pb"; false when it
 * holds anything else. A prefix for a file goes before one for its package. */
bool names_configure(Names *names, Span parameter);

/* Of a message, enum or service. */
const char *name_of_type(const Names *names, const SchemaFile *file, const char *full_name);

/* Of value `index` of the enum. */
const char *name_of_value(const Names *names, const SchemaEnum *table, size_t index);

/* Of a struct member for the field: its own name, with an underscore when that would be a keyword
 * or a name that the struct has otherwise. */
const char *name_of_member(const Names *names, const SchemaMessage *message,
                           const SchemaField *field);

/* Of the table of a file: "google_protobuf_any_proto". */
const char *name_of_file(const Names *names, const char *file_name);

/* The file's name with ".proto" replaced: "google/protobuf/any" ".pb.h". */
const char *name_of_output(const Names *names, const char *file_name, const char *ending);
