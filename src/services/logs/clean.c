#include "services/logs/clean.h"

#include "base/text.h"

#define ESCAPE  0x1b
#define BELL    0x07
#define UNKNOWN "\xef\xbf\xbd" /* U+FFFD */

/* Behind an escape sequence that begins at `at` (with ESC). An unfinished one ends with the text. */
static const char *skip_escape(const char *at, const char *end) {
    if (++at == end)
        return end;
    char kind = *at++;
    if (kind == '[') { /* CSI: parameters, then a final byte; anything else breaks it off */
        while (at < end && *at >= 0x20 && *at < 0x40)
            at++;
        return at < end && *at >= 0x40 && *at < 0x7f ? at + 1 : at;
    }
    if (kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_') {
        for (; at < end && *at != '\n'; at++) {
            if (*at == BELL)
                return at + 1;
            if (*at == ESCAPE)
                return at + 1 < end && at[1] == '\\' ? at + 2 : at;
        }
        return at;
    }
    if (kind >= 0x20 && kind < 0x30) { /* ESC ( B */
        while (at < end && *at >= 0x20 && *at < 0x30)
            at++;
        return at < end ? at + 1 : at;
    }
    return kind < 0x20 ? at - 1 : at;
}

/* Whether it is to be taken as it is. */
static bool is_clean(Span raw) {
    unsigned odd = 0, high = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        odd |= (c < 0x20) & (c != '\t') & (c != '\n');
        odd |= c == 0x7f;
        high |= c;
    }
    return !odd && (high < 0x80 || utf8_valid(raw));
}

/* The beginning of the last character before `at`, not before `begin`. */
static char *character_before(char *begin, char *at) {
    do
        at--;
    while (at > begin && ((unsigned char)*at & 0xc0) == 0x80);
    return at;
}

Span clean_text(Span raw, Arena *arena) {
    if (is_clean(raw))
        return raw;
    char *begin = arena_alloc(arena, raw.len * 3 + 1), *out = begin, *line = begin;
    const char *at = raw.ptr, *end = span_end(raw);
    while (at < end) {
        unsigned char c = (unsigned char)*at;
        if (c == ESCAPE) {
            at = skip_escape(at, end);
            continue;
        }
        if (c >= 0x80) {
            size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
            size_t left = (size_t)(end - at), room = want < left ? want : left;
            bool valid = utf8_valid_length(span(at, room)) == want;
            size_t size = valid ? want : 1;
            memcpy(out, valid ? at : UNKNOWN, valid ? want : 3);
            out += valid ? want : 3;
            at += size;
            continue;
        }
        at++;
        if (c == '\n') {
            *out++ = '\n';
            line = out;
        } else if (c == '\r') {
            while (at < end && *at == '\r')
                at++;
            if (at < end && *at != '\n')
                out = line;
        } else if (c == '\b') {
            out = out > line ? character_before(line, out) : out;
        } else if (c == '\t' || (c >= 0x20 && c != 0x7f)) {
            *out++ = (char)c;
        }
    }
    return span(begin, (size_t)(out - begin));
}

Span clean_cut(Span text, size_t limit, Arena *arena) {
    if (text.len <= limit)
        return text;
    size_t keep = limit - (sizeof CLEAN_CUT_MARK - 1);
    while (keep && ((unsigned char)text.ptr[keep] & 0xc0) == 0x80)
        keep--;
    char *out = arena_alloc(arena, limit);
    memcpy(out, text.ptr, keep);
    memcpy(out + keep, CLEAN_CUT_MARK, sizeof CLEAN_CUT_MARK - 1);
    return span(out, keep + sizeof CLEAN_CUT_MARK - 1);
}
