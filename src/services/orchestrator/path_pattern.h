/* Which files are meant by the patterns of `watch`: pure. '*' and '?' stand for any characters but
 * '/', '**' for any at all. */
#pragma once

#include <stdbool.h>

#include "base/span.h"

/* Whether the path is what the pattern means, or lies below that. */
bool path_matches(Span pattern, Span path);

/* Whether the path is to be ignored: the pattern means it as a whole, or what follows any of its
 * '/' ("node_modules", "*.log", "build/out"). */
bool path_is_ignored(Span pattern, Span path);

/* The folder that the pattern begins with, before anything that stands for other things; it may be
 * the path of a file as well. */
Span path_pattern_root(Span pattern);
