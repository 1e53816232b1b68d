#include "rpc/query.h"

#include <errno.h>

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool needs_decoding(Span text, bool plus) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '%' || (plus && text.ptr[i] == '+'))
            return true;
    return false;
}

int url_decode(Arena *arena, Span text, bool plus, Span *ret) {
    if (!needs_decoding(text, plus)) {
        *ret = text;
        return 0;
    }
    char *out = arena_alloc(arena, text.len), *at = out;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3)
                return -EBADMSG;
            int high = hex_value(text.ptr[i + 1]), low = hex_value(text.ptr[i + 2]);
            if (high < 0 || low < 0)
                return -EBADMSG;
            *at++ = (char)(high << 4 | low);
            i += 2;
        } else {
            *at++ = plus && c == '+' ? ' ' : c;
        }
    }
    *ret = span(out, (size_t)(at - out));
    return 0;
}

static Span until(Span text, char stop) {
    const char *at = text.len ? memchr(text.ptr, stop, text.len) : NULL;
    return at ? span(text.ptr, (size_t)(at - text.ptr)) : text;
}

int query_next(QueryReader *reader, Span *ret_name, Span *ret_value) {
    Span pair = {0};
    while (!pair.len && reader->rest.len) {
        pair = until(reader->rest, '&');
        reader->rest = span_skip(reader->rest, pair.len + 1);
    }
    if (!pair.len)
        return 0;
    Span name = until(pair, '=');
    Span value = span_skip(pair, name.len + 1);
    if (url_decode(reader->arena, name, true, ret_name) < 0 ||
        url_decode(reader->arena, value, true, ret_value) < 0)
        return -EBADMSG;
    return 1;
}
