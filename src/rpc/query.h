/* The query of a URL, name by name: "a=1&b=%20x+y". Names and values are percent-decoded, '+' is a
 * space (https://url.spec.whatwg.org/#urlencoded-parsing). */
#pragma once

#include "base/arena.h"

typedef struct QueryReader {
    Span rest;
    Arena *arena; /* where decoded text goes; text without escapes is shared */
} QueryReader;

/* 1: *ret_name and *ret_value are set; 0: the end; -EBADMSG: a malformed escape. */
int query_next(QueryReader *reader, Span *ret_name, Span *ret_value);

/* Decodes %XX, and '+' when `plus`. -EBADMSG when an escape is malformed. */
int url_decode(Arena *arena, Span text, bool plus, Span *ret);
