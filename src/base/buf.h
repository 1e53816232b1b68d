/* A growing run of bytes: what text and frames are built in.
 *
 * Backed by malloc, or by an arena when `arena` is set (then growth leaves the old bytes to the
 * arena, and buf_done is not needed). Zeroes are a valid empty Buf. `ptr` is not NUL-terminated;
 * buf_cstr makes it so. Out of memory ends the process, so no call here fails. Use arenas
 * without a limit. */
#pragma once

#include <stdarg.h>

#include "base/arena.h"

typedef struct Buf {
    char *ptr;
    size_t len;
    size_t cap;
    Arena *arena;
} Buf;

void buf_done(Buf *buf);

/* Makes room for `more` bytes after `len`; returns where they go. The caller then raises `len`
 * by what it wrote. */
char *buf_reserve_slow(Buf *buf, size_t more);
static inline char *buf_reserve(Buf *buf, size_t more) {
    return buf->cap - buf->len >= more ? buf->ptr + buf->len : buf_reserve_slow(buf, more);
}

static inline void buf_add(Buf *buf, Span bytes) {
    if (!bytes.len)
        return;
    memcpy(buf_reserve(buf, bytes.len), bytes.ptr, bytes.len);
    buf->len += bytes.len;
}

static inline void buf_add_char(Buf *buf, char c) {
    *buf_reserve(buf, 1) = c;
    buf->len++;
}

#define buf_add_literal(buf, literal) buf_add(buf, SPAN(literal))

void buf_printf(Buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(Buf *buf, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static inline Span buf_span(const Buf *buf) {
    return (Span){buf->ptr, buf->len};
}

/* The content as a C string; `len` does not count the NUL. */
const char *buf_cstr(Buf *buf);

static inline void buf_clear(Buf *buf) {
    buf->len = 0;
}
