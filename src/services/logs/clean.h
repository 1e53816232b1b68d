/* Output as people read it: what programs print, less what only a terminal understands. */
#pragma once

#include "base/arena.h"

/* The text without escape sequences (ECMA-48: CSI, OSC, DCS and the short ones) and control
 * characters; tabs and line feeds stay. What a carriage return or a backspace would overwrite on
 * a screen is gone. Bytes that are not UTF-8 become U+FFFD. The result is the input itself where
 * there is nothing to do, which costs one look at each byte. */
Span clean_text(Span raw, Arena *arena);

/* At most `limit` bytes of it, cut between characters and ended with " …" where it is longer. */
#define CLEAN_CUT_MARK " \xe2\x80\xa6"
Span clean_cut(Span text, size_t limit, Arena *arena);
