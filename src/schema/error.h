/* How SchemaErrors come about, for the decoders and encoders: the place that fails states offset
 * and reason; each level above it puts its own piece before the path as it returns. So a path
 * costs nothing until something is wrong. All take a NULL error and do nothing then. */
#pragma once

#include "schema/schema.h"

/* States an error with an empty path; returns `code`. Control characters in the reason, which
 * may quote the input, become '?'. */
int schema_error_set(SchemaError *error, int code, size_t offset, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Put "name", "[3]" or "["key"]" before the path. */
void schema_error_in_field(SchemaError *error, const SchemaField *field);
void schema_error_in_element(SchemaError *error, size_t index);
void schema_error_in_entry(SchemaError *error, Span key);

/* Likewise ["key"] with a key as it lies in an entry; `key` is its field. */
void schema_error_in_key(SchemaError *error, const SchemaField *key, const void *value);

/* How much of a text to show in a reason (by "%.*s"): at most `most` bytes, ending between two
 * characters of UTF-8. */
int schema_shown(Span text, size_t most);
