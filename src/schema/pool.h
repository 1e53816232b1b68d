/* A set of known types, by full name: those compiled in, and those built at run time from
 * descriptors (a FileDescriptorSet, or file by file from a server's reflection). proto2 files
 * are understood as far as foreign servers need it: groups, closed enums, defaults, required;
 * editions 2023 and 2024 by their features.
 * Extensions and options that we do not know stay unknown fields.
 *
 * The tables built here live as long as the pool. A pool is filled by one thread, then read by
 * any. */
#pragma once

#include "base/arena.h"
#include "schema/schema.h"

typedef struct SchemaPool SchemaPool;

SchemaPool *schema_pool_new(void);
void schema_pool_free(SchemaPool *pool);

/* Adds a compiled-in file and all that it depends on. Adding twice is harmless. */
void schema_pool_add(SchemaPool *pool, const SchemaFile *file);

/* Adds all files of a serialised google.protobuf.FileDescriptorSet; they may stand in any order.
 * A dependency must be in the set or the pool already; one that is missing is tolerated as long
 * as no field or method needs a type from it (imports for options alone). A file of a name
 * already present is passed over. All or nothing: on failure the pool is as before. Returns 0,
 * -EBADMSG (malformed bytes) or -EINVAL (`error->path` then holds the name of the symbol or
 * file, `reason` what is wrong). */
int schema_pool_add_set(SchemaPool *pool, Span descriptor_set, SchemaError *error);

/* Likewise for serialised FileDescriptorProtos, as reflection delivers them. */
int schema_pool_add_files(SchemaPool *pool, const Span *descriptors, size_t count,
                          SchemaError *error);

/* Lookups by full name without a leading dot; NULL when there is none. */
const SchemaFile *schema_pool_file(const SchemaPool *pool, Span name);
const SchemaMessage *schema_pool_message(const SchemaPool *pool, Span full_name);
const SchemaEnum *schema_pool_enum(const SchemaPool *pool, Span full_name);
const SchemaService *schema_pool_service(const SchemaPool *pool, Span full_name);

/* The file that defines a symbol: message, enum, enum value, service, method, field, oneof. */
const SchemaFile *schema_pool_file_of(const SchemaPool *pool, Span symbol);

/* Walks all files in the order they were added: size_t at = 0; while ((file =
 * schema_pool_next(pool, &at))) … */
const SchemaFile *schema_pool_next(const SchemaPool *pool, size_t *at);
