/* What the help texts say, taken apart: completion and the manual are made from them, so that they
 * cannot differ from the program. */
#pragma once

#include "base/span.h"
#include "cli/cli.h"

/* An option as its line in a help text has it: "  -n, --lines COUNT   how many …". */
typedef struct HelpOption {
    char letter;   /* 0 = none */
    Span name;     /* "lines" */
    Span argument; /* "COUNT"; empty = none */
    Span text;     /* the first line of what it does */
} HelpOption;

/* The next option of a help text, which is walked through by *rest (at first all of it). */
bool help_next_option(Span *rest, HelpOption *ret);

/* Whether its usage line names services. */
bool help_takes_services(const Command *command);
