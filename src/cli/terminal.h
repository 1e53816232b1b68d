/* The keyboard: what is typed into standard input, as it comes. A thread reads, so that the loop
 * goes on. */
#pragma once

#include "base/span.h"
#include "os/world.h"

typedef struct Terminal Terminal;

/* How keys arrive: by lines, as the terminal has it; each at once, unechoed, with Ctrl-C as a
 * signal; or each at once, all of them. Where stdin is no terminal all are the same. */
typedef enum TerminalMode { TERMINAL_LINES, TERMINAL_KEYS, TERMINAL_RAW } TerminalMode;

/* `typed` is called from the loop; with nothing, once, at the end of the input. */
Terminal *terminal_open(World *world, TerminalMode mode, void (*typed)(void *owner, Span bytes),
                        void *owner);
/* Leaves the terminal as it was. From inside `typed` too. NULL is ignored. */
void terminal_close(Terminal *terminal);
