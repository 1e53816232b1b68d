#include "services/logs/fold.h"

/* Sixteen bytes at once, as gcc and clang have them on any machine. */
typedef uint8_t Bytes __attribute__((vector_size(16)));
typedef uint64_t Halves __attribute__((vector_size(16)));

static inline Bytes fold_bytes(const char *at) {
    Bytes bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes | ((Bytes)((bytes >= 'A') & (bytes <= 'Z')) & 0x20);
}

static bool matches_at(const char *at, Span needle) {
    for (size_t i = 0; i < needle.len; i++)
        if (fold_char(at[i]) != needle.ptr[i])
            return false;
    return true;
}

/* First and last byte of the needle are looked for at 16 places at once; where both fit, the rest is
 * compared (http://0x80.pl/articles/simd-strfind.html). */
bool fold_contains(Span text, Span needle) {
    if (needle.len > text.len)
        return false;
    if (!needle.len)
        return true;
    size_t at = 0, last = needle.len - 1, places = text.len - last;
    for (; at + 16 <= places; at += 16) {
        Bytes fits = (Bytes)((fold_bytes(text.ptr + at) == (uint8_t)needle.ptr[0]) &
                             (fold_bytes(text.ptr + at + last) == (uint8_t)needle.ptr[last]));
        Halves halves = (Halves)fits;
        if (!(halves[0] | halves[1]))
            continue;
        for (size_t i = 0; i < 16; i++)
            if (fits[i] && matches_at(text.ptr + at + i, needle))
                return true;
    }
    for (; at < places; at++)
        if (matches_at(text.ptr + at, needle))
            return true;
    return false;
}

bool fold_equal(Span text, Span other) {
    if (text.len != other.len)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (fold_char(text.ptr[i]) != fold_char(other.ptr[i]))
            return false;
    return true;
}

bool fold_glob(Span text, Span pattern) {
    size_t t = 0, p = 0, star = SIZE_MAX, resume = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.len && fold_char(pattern.ptr[p]) == fold_char(text.ptr[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}
