/* TOML 1.0 (https://toml.io/en/v1.0.0), in two halves: doc_toml.c knows tables, lists and keys,
 * doc_toml_scalar.c what stands on one side of a '='. */
#pragma once

#include "doc/doc_build.h"

typedef struct TomlReader {
    DocBuilder *builder;
    const char *at, *end;
} TomlReader;

/* The byte at `at`; 0 at the end, which no text of ours holds otherwise. */
static inline char toml_peek(const TomlReader *reader) {
    return reader->at < reader->end ? *reader->at : '\0';
}

static inline Span toml_rest(const TomlReader *reader) {
    return span(reader->at, (size_t)(reader->end - reader->at));
}

static inline DocPlace toml_place(const TomlReader *reader, const char *at) {
    return doc_place_at(reader->builder, (size_t)(at - reader->builder->text.ptr));
}

/* Whether a control character stands at `at` that neither strings nor comments may hold. */
static inline bool toml_is_control(char c) {
    return (unsigned char)c < 0x20 ? c != '\t' : c == 0x7F;
}

/* Fails at the byte `at`, with "MESSAGE, found …". */
int toml_unexpected(TomlReader *reader, const char *wanted);

/* A string in quotes, also one of several lines where `lines` allows it; appended unescaped. */
int toml_read_string(TomlReader *reader, bool lines, Buf *out);

/* A string, number, date, time or boolean, as a node of its own. */
int toml_read_scalar(TomlReader *reader, const DocNode **ret);
