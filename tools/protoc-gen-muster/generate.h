/* The two files that are made of each .proto file. */
#pragma once

#include "base/buf.h"
#include "comments.h"
#include "names.h"

/* The header: enums, structs, field numbers, and what the tables are called. */
void generate_header(const SchemaFile *file, const Names *names, const Comments *comments,
                     Buf *out);

/* The source: the tables. */
void generate_source(const SchemaFile *file, const Names *names, Buf *out);

/* The first two names in C that are the same, or NULL: "A and B are both called C". */
const char *generate_check(const SchemaFile *file, const Names *names);
