/* Regular expressions in time linear in the text (RE2), so that one from a peer can hold nobody
 * up. Syntax: https://github.com/google/re2/wiki/Syntax . Any thread may match. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#include <stdint.h>

#include "base/buf.h"

typedef struct Regex Regex;

/* `literal`: the pattern is plain text. -EINVAL, with a reason, when it is not an expression or
 * needs more memory than one may have. */
int regex_new(Span pattern, bool literal, bool ignore_case, Regex **ret, Buf *reason);
/* NULL is ignored. */
void regex_free(Regex *regex);

/* The first match at or after `from`; its place in *ret_begin and *ret_end (may be NULL). */
bool regex_find(const Regex *regex, Span text, size_t from, size_t *ret_begin, size_t *ret_end);

/* ---- where no match can be ---- */

#define REGEX_ATOMS_MAX 64

/* Finds texts of ASCII in lower case, the atoms, by which an index can tell where there is no match.
 * Where none are found, or too many, there are 0. Once, before the regex is used for anything else. */
void regex_find_atoms(Regex *regex);
size_t regex_atom_count(const Regex *regex);
Span regex_atom(const Regex *regex, size_t number);

/* Whether a text may have a match that contains of the atoms, in any case, these: a bit for each. */
bool regex_may_match(const Regex *regex, uint64_t atoms);

#ifdef __cplusplus
}
#endif
