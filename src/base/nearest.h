/* Which of several names a mistyped one may have meant. Candidates are considered one by one, so
 * they may stand anywhere; letters are bytes. */
#pragma once

#include "base/span.h"

/* Longer names are not compared. */
#define NEAREST_MAX 48

typedef struct Nearest {
    Span word;
    Span best; /* the nearest so far, borrowed; empty while none is near */
    size_t steps;
} Nearest;

/* A name is near when no more than a third of the word's letters (one, where it has fewer than six;
 * none, where it has one) must be changed, added, dropped or swapped with their neighbour. */
Nearest nearest_to(Span word);

/* Of equally near names the first considered is kept. */
void nearest_consider(Nearest *nearest, Span candidate);
