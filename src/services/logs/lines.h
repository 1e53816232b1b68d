/* Where entries begin and end in the bytes of an output stream: mostly a line each, but lines that
 * belong together stay together: what is indented below another line, and the traces that Python,
 * Java, JavaScript, Go, Rust, .NET, Ruby and PHP print when something fails. */
#pragma once

#include "base/arena.h"

/* Bytes of one entry: what is longer is cut here, which is beyond what an entry may show, so that it
 * shows that it was cut. */
#define LINES_BYTES_MAX (64 * 1024 + 64)
#define LINES_COUNT_MAX 1000 /* lines of one entry */

/* The state between calls; zeroes at the beginning of a stream. */
typedef struct Lines {
    size_t searched; /* bytes of what is pending that hold no further line feed */
    size_t group;    /* bytes of the lines that are in the entry for sure */
    size_t line;     /* where the line begins that comes next; beyond `group` while in doubt */
    uint32_t count;  /* lines in the entry */
    uint8_t kind;
    bool continues; /* the pending bytes begin inside a line that was cut */
} Lines;

typedef enum LinesMore {
    LINES_COMING, /* more bytes may belong to the last entry */
    LINES_IDLE,   /* nothing came for a while: whole lines that are there are an entry */
    LINES_ENDED,  /* nothing will come: an unfinished line is one, too */
} LinesMore;

typedef struct LinesEntry {
    size_t size;  /* bytes of it, the line feed included; the caller takes them out of `pending` */
    Span text;    /* less the line feed at the end (and the carriage return before it) */
    bool cut;     /* it goes on in the next one: too long */
    bool remains; /* the rest of one that was cut */
} LinesEntry;

/* The first entry of the pending bytes; false when it is not all there yet. `pending` is the same
 * as in the call before, grown at its end, or less what was taken out. `scratch` for moments. */
bool lines_next(Lines *lines, Span pending, LinesMore more, Arena *scratch, LinesEntry *ret);
