/* How output looks in a terminal. Sequences are those of ECMA-48 (SGR); where there is to be no
 * colour, they are empty, so callers print them always. */
#pragma once

#include <stdbool.h>

#include "base/span.h"

typedef struct Style {
    bool colour;
} Style;

/* For a file descriptor: colour when it is a terminal that can, and NO_COLOR is not set. */
Style style_for(int fd);

typedef enum StyleKind {
    STYLE_PLAIN, /* back to normal */
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_GOOD, /* green */
    STYLE_BUSY, /* yellow: on its way, or not quite well */
    STYLE_BAD,  /* red */
} StyleKind;
const char *style(Style style, StyleKind kind);

/* The colour of a service, the same wherever its name appears. */
const char *style_service(Style style, Span name);

/* Whether pictures that redraw themselves make sense: stdout is a terminal, CI is not set, and no
 * program that writes code drives us. */
bool style_is_live(void);

/* Columns of the terminal; 80 where nobody knows. */
int style_columns(void);

/* How many columns a text takes: one for each code point, none for escape sequences. */
size_t style_width(Span text);
