#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

#define BUF_MIN 64

void buf_done(Buf *buf) {
    if (!buf->arena)
        free(buf->ptr);
    *buf = (Buf){.arena = buf->arena};
}

char *buf_reserve_slow(Buf *buf, size_t more) {
    size_t cap, doubled;
    if (__builtin_add_overflow(buf->len, more, &cap))
        out_of_memory();
    if (__builtin_mul_overflow(buf->cap, (size_t)2, &doubled))
        doubled = SIZE_MAX;
    if (cap < doubled)
        cap = doubled;
    if (cap < BUF_MIN)
        cap = BUF_MIN;
    if (buf->arena) {
        char *ptr = arena_alloc(buf->arena, cap);
        if (!ptr)
            out_of_memory();
        if (buf->len)
            memcpy(ptr, buf->ptr, buf->len);
        buf->ptr = ptr;
    } else {
        buf->ptr = xrealloc(buf->ptr, cap);
    }
    buf->cap = cap;
    return buf->ptr + buf->len;
}

void buf_printf(Buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_vprintf(buf, format, args);
    va_end(args);
}

void buf_vprintf(Buf *buf, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    size_t room = buf->cap - buf->len;
    int len = vsnprintf(room ? buf->ptr + buf->len : NULL, room, format, args);
    if (len < 0)
        abort(); /* a faulty format, or more than INT_MAX bytes */
    if ((size_t)len >= room)
        vsnprintf(buf_reserve(buf, (size_t)len + 1), (size_t)len + 1, format, again);
    buf->len += (size_t)len;
    va_end(again);
}

const char *buf_cstr(Buf *buf) {
    *buf_reserve(buf, 1) = '\0';
    return buf->ptr;
}
