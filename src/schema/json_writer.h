/* JSON text in the making: where it goes, how it is laid out, how deep it may still nest. */
#pragma once

#include "base/text.h"
#include "schema/error.h"
#include "schema/json.h"
#include "schema/json_scan.h"

typedef struct JsonWriter {
    Buf *out;
    const SchemaJson *options;
    SchemaError *error;
    uint32_t depth;  /* levels that may still be entered */
    uint32_t blanks; /* that a line begins with at this level of the layout */
    Arena scratch;   /* for what an Any contains */
} JsonWriter;

/* States what JSON cannot say; returns -EBADMSG. */
int json_cannot(JsonWriter *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

int json_write_too_deep(JsonWriter *writer) __attribute__((cold));

/* Starts a line, where the layout has lines. `at` has room for 1 + writer->blanks. */
static inline char *json_put_line(const JsonWriter *writer, char *at) {
    if (__builtin_expect(writer->options->indent == 0, 1))
        return at;
    *at++ = '\n';
    return (char *)memset(at, ' ', writer->blanks) + writer->blanks;
}

/* Begins an element of a list. `first` is whether it is the first. */
static inline void json_begin_element(JsonWriter *writer, bool first) {
    char *at = buf_reserve(writer->out, 2 + writer->blanks);
    char *start = at;
    if (!first)
        *at++ = ',';
    writer->out->len += (size_t)(json_put_line(writer, at) - start);
}

/* Begins a member of an object with a name that needs no escapes; keeps room for `more` bytes of
 * its value. */
static inline void json_begin_member(JsonWriter *writer, bool first, const char *name, size_t len,
                                     size_t more) {
    char *at = buf_reserve(writer->out, writer->blanks + len + 6 + more);
    char *start = at;
    if (!first)
        *at++ = ',';
    at = json_put_line(writer, at);
    *at++ = '"';
    at = json_copy_short(at, name, len);
    *at++ = '"';
    *at++ = ':';
    if (writer->options->indent)
        *at++ = ' ';
    writer->out->len += (size_t)(at - start);
}

/* Enters an object or list; its end is written by json_close. */
static inline void json_open(JsonWriter *writer, char bracket) {
    buf_add_char(writer->out, bracket);
    writer->blanks += writer->options->indent;
}

static inline void json_close(JsonWriter *writer, char bracket, bool empty) {
    writer->blanks -= writer->options->indent;
    char *start = buf_reserve(writer->out, 2 + writer->blanks), *at = start;
    if (!empty)
        at = json_put_line(writer, at);
    *at++ = bracket;
    writer->out->len += (size_t)(at - start);
}

/* A string in quotes; -EBADMSG when it is not UTF-8. */
int json_write_string(JsonWriter *writer, Span text);

void json_write_base64(JsonWriter *writer, Span bytes);

/* Numbers; the infinities and NaN become strings. */
void json_write_double(JsonWriter *writer, double value);
void json_write_float(JsonWriter *writer, float value);
