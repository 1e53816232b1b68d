/* The syntax of JSON (RFC 8259), read strictly, token by token. Nothing here knows of messages.
 *
 * Functions that return int give 0 or a negative errno value, and then the error is stated. At
 * the start of a token `at` stands on its first byte: json_peek has passed over blanks. */
#pragma once

#include "schema/error.h"
#include "schema/json.h"
#include "schema/json_scan.h"

typedef struct JsonReader {
    const char *at, *end, *begin;
    Arena *arena; /* for strings that need unescaping */
    const SchemaJson *options;
    SchemaError *error;
    uint32_t depth;    /* levels that may still be entered */
    size_t look_ahead; /* bytes that may still be read in search of an Any's "@type" */
} JsonReader;

/* States what is wrong at a place of the text; returns -EBADMSG. */
int json_fail(JsonReader *reader, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* "expected `what`, found …" at the current token. */
int json_expected(JsonReader *reader, const char *what) __attribute__((cold));

/* The arena's limit is reached. */
int json_out_of_memory(JsonReader *reader) __attribute__((cold));

int json_too_deep(JsonReader *reader) __attribute__((cold));

/* Enters a level of nesting; the caller leaves it by reader->depth++. */
static inline int json_enter(JsonReader *reader) {
    if (reader->depth == 0)
        return json_too_deep(reader);
    reader->depth--;
    return 0;
}

static inline bool json_is_blank(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Passes over blanks; the byte that stands there, 0 at the end of the text. */
static inline char json_peek(JsonReader *reader) {
    while (reader->at != reader->end && json_is_blank(*reader->at))
        reader->at++;
    return reader->at != reader->end ? *reader->at : '\0';
}

/* Passes over one character of punctuation. */
static inline int json_take(JsonReader *reader, char c, const char *name) {
    if (json_peek(reader) != c)
        return json_expected(reader, name);
    reader->at++;
    return 0;
}

/* Whether a further element stands in the object or list that ends with `close`: 1, `at` on its
 * first token; 0, `at` behind `close`. *first is true before the first call and false after. */
static inline int json_more(JsonReader *reader, char close, bool *first) {
    char c = json_peek(reader);
    if (c == close) {
        reader->at++;
        return 0;
    }
    if (!*first) {
        if (c != ',')
            return json_expected(reader, close == '}' ? "',' or '}'" : "',' or ']'");
        reader->at++;
        json_peek(reader);
    }
    *first = false;
    return 1;
}

/* The content of a string, unescaped and valid UTF-8. It points into the text where it has no
 * escapes, otherwise into the arena. */
int json_read_string(JsonReader *reader, Span *ret);

/* The extent of a number, its grammar checked. */
int json_read_number(JsonReader *reader, Span *ret);

/* One of true, false, null. */
int json_read_literal(JsonReader *reader, Span literal);

/* Passes over any value, as strictly as if it were read. */
int json_skip(JsonReader *reader);

/* The name of an object's member, and the colon behind it. */
int json_read_name(JsonReader *reader, Span *ret_name);
