#include "services/logs/mask.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/memory.h"
#include "base/regex.h"

struct Mask {
    ARRAY(Regex *) patterns; /* the values, as one expression, among them */
};

void mask_free(Mask *mask) {
    if (!mask)
        return;
    for (size_t i = 0; i < mask->patterns.count; i++)
        regex_free(mask->patterns.items[i]);
    array_done(&mask->patterns);
    free(mask);
}

static void quote(Span value, Buf *out) {
    for (size_t i = 0; i < value.len; i++)
        if ((value.ptr[i] >= 0x20 && value.ptr[i] < '0') ||
            (value.ptr[i] > '9' && value.ptr[i] < 'A') || strchr("[\\]^`{|}~", value.ptr[i]))
            buf_printf(out, "\\x%02x", (unsigned char)value.ptr[i]);
        else
            buf_add_char(out, value.ptr[i]);
}

static int longer_first(const void *a, const void *b) {
    size_t x = ((const Span *)a)->len, y = ((const Span *)b)->len;
    return (x < y) - (x > y);
}

/* All values as alternatives of one expression: RE2 looks for all of them at once. The longer come
 * first, so that none hides half of another. */
static int add_values(Mask *mask, const Span *values, size_t count, Buf *reason) {
    ARRAY(Span) sorted = {0};
    Buf pattern = {0};
    int r = 0;
    for (size_t i = 0; i < count; i++)
        if (values[i].len >= MASK_VALUE_MIN && !memchr(values[i].ptr, 0, values[i].len))
            *array_push(&sorted) = values[i];
    if (sorted.count)
        qsort(sorted.items, sorted.count, sizeof *sorted.items, longer_first);
    for (size_t i = 0; i < sorted.count; i++) {
        if (i)
            buf_add_char(&pattern, '|');
        quote(sorted.items[i], &pattern);
    }
    if (pattern.len) {
        Regex *regex;
        r = regex_new(buf_span(&pattern), false, false, &regex, reason);
        if (r == 0)
            *array_push(&mask->patterns) = regex;
    }
    array_done(&sorted);
    buf_done(&pattern);
    return r;
}

int mask_new(const Span *values, size_t value_count, const Span *patterns, size_t pattern_count,
             Mask **ret, Buf *reason) {
    Mask *mask = xcalloc(1, sizeof *mask);
    int r = add_values(mask, values, value_count, reason);
    for (size_t i = 0; r == 0 && i < pattern_count; i++) {
        Regex *regex;
        r = regex_new(patterns[i], false, false, &regex, reason);
        if (r == 0)
            *array_push(&mask->patterns) = regex;
    }
    if (r < 0) {
        mask_free(mask);
        return r;
    }
    *ret = mask;
    return 0;
}

Span mask_text(const Mask *mask, Span text, Arena *arena) {
    char *copy = NULL;
    for (size_t i = 0; mask && i < mask->patterns.count; i++) {
        size_t begin, end, from = 0;
        while (from <= text.len && regex_find(mask->patterns.items[i], text, from, &begin, &end)) {
            if (!copy) {
                copy = arena_alloc(arena, text.len);
                memcpy(copy, text.ptr, text.len);
                text.ptr = copy;
            }
            memset(copy + begin, '*', end - begin);
            from = end > begin ? end : end + 1;
        }
    }
    return text;
}
