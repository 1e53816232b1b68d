/* A borrowed run of bytes: text or binary, not NUL-terminated, never owned.
 *
 * A Span is valid as long as what it points into; whoever keeps one longer copies it
 * (arena_copy, buf_add). An empty Span may have a NULL ptr. Text is UTF-8 wherever a contract
 * does not say otherwise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Span {
    const char *ptr;
    size_t len;
} Span;

/* A Span of a string literal, also in constant initialisers. */
#define SPAN(literal) ((Span){"" literal, sizeof(literal) - 1})

/* printf("%.*s", SPAN_ARGS(s)) */
#define SPAN_ARGS(span) (int)(span).len, (span).ptr

static inline Span span(const void *ptr, size_t len) {
    return (Span){(const char *)ptr, len};
}

/* The text of a NUL-terminated string; NULL gives the empty Span. */
static inline Span span_of(const char *text) {
    return (Span){text, text ? strlen(text) : 0};
}

static inline bool span_equal(Span a, Span b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_starts(Span s, Span prefix) {
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* Behind its last byte; NULL where ptr is, to which C lets nothing be added, not even 0. */
static inline const char *span_end(Span s) {
    return s.len ? s.ptr + s.len : s.ptr;
}

/* What follows the first `from` bytes; empty when there are fewer. */
static inline Span span_skip(Span s, size_t from) {
    return from < s.len ? (Span){s.ptr + from, s.len - from} : (Span){NULL, 0};
}

/* Bytewise order, shorter first on a common prefix. */
static inline int span_compare(Span a, Span b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}
