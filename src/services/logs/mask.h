/* What is hidden in logs: known values and patterns, overwritten by '*', byte for byte. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

typedef struct Mask Mask;

#define MASK_VALUE_MIN 4 /* bytes; shorter values would hide half of everything */

/* Copies what it is given. -EINVAL and a reason when a pattern is not a regular expression. */
int mask_new(const Span *values, size_t value_count, const Span *patterns, size_t pattern_count,
             Mask **ret, Buf *reason);
/* NULL is ignored. */
void mask_free(Mask *mask);

/* The text with all that hidden: itself where there is nothing to hide. `mask` may be NULL. */
Span mask_text(const Mask *mask, Span text, Arena *arena);
