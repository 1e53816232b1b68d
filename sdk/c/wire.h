/* Protobuf's wire format (https://protobuf.dev/programming-guides/encoding/), as far as this library
 * sends and understands it. Private, like all names in mu_: these keep out of the way of a program
 * that the library is linked into. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Growing bytes; zeroes are an empty one. Out of memory ends the process. */
typedef struct Bytes {
    char *ptr;
    size_t len, cap;
} Bytes;

void mu_bytes_done(Bytes *bytes);
char *mu_bytes_reserve(Bytes *bytes, size_t more);
void mu_bytes_add(Bytes *bytes, const void *from, size_t len);
void mu_bytes_add_text(Bytes *bytes, const char *text);
void mu_bytes_drop(Bytes *bytes, size_t len); /* from the front */

char *mu_copy_text(const char *text); /* NULL for NULL */
void *mu_allocate(size_t size);       /* zeroes */

/* Fields that have their default (0, "", NULL) are left out, but for `always` ones. */
void mu_put_text(Bytes *out, int field, const char *text);
void mu_put_number(Bytes *out, int field, int64_t value);
void mu_put_number_always(Bytes *out, int field, int64_t value);
void mu_put_double(Bytes *out, int field, double value);
/* A message within: put its fields into `inner`, which is emptied. */
void mu_put_message(Bytes *out, int field, Bytes *inner);
void mu_put_packed(Bytes *out, int field, const int64_t *values, size_t count);

/* One field after the other. */
typedef struct Reader {
    const char *at, *end;
    int field;
    int64_t number;   /* of a varint */
    const char *text; /* of what has a length */
    size_t len;
} Reader;

/* False at the end, and where the bytes make no sense (then `at` is not at the `end`). */
bool mu_reader_next(Reader *reader);
Reader mu_reader_of(const char *bytes, size_t len);
Reader mu_reader_inner(const Reader *reader);
/* Copies a text field, cut to fit. */
void mu_reader_text(const Reader *reader, char *out, size_t size);
