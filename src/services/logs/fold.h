/* Text without regard to upper and lower case, of ASCII. */
#pragma once

#include "base/span.h"

static inline char fold_char(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Whether `text` contains `needle`, which is in lower case. */
bool fold_contains(Span text, Span needle);

/* Whether all of `text` is that, apart from case. */
bool fold_equal(Span text, Span other);

/* Whether `text` is of that form, in which '*' stands for any run of bytes. */
bool fold_glob(Span text, Span pattern);
