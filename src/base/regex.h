/* Regular expressions in time linear in the text (RE2), so that one from a peer can hold nobody
 * up. Syntax: https://github.com/google/re2/wiki/Syntax . Any thread may match. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#include "base/buf.h"

typedef struct Regex Regex;

/* `literal`: the pattern is plain text. -EINVAL, with a reason, when it is not an expression or
 * needs more memory than one may have. */
int regex_new(Span pattern, bool literal, bool ignore_case, Regex **ret, Buf *reason);
/* NULL is ignored. */
void regex_free(Regex *regex);

/* The first match at or after `from`; its place in *ret_begin and *ret_end (may be NULL). */
bool regex_find(const Regex *regex, Span text, size_t from, size_t *ret_begin, size_t *ret_end);

#ifdef __cplusplus
}
#endif
