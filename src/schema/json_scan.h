/* Finding what needs care in the content of a JSON string: the quote, the backslash, control
 * characters, and whether there are bytes past ASCII. Sixteen bytes at a time where the machine
 * has SSE2, eight elsewhere or with JSON_PORTABLE. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(JSON_PORTABLE)
#define JSON_SSE2 1
#include <emmintrin.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are read as little-endian");

#define JSON_EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

static inline bool json_is_special(uint8_t c) {
    return c < 0x20 || c == '"' || c == '\\';
}

/* Sets the high bit of the first byte of the word that is special; bits above it mean nothing.
 * (x - 1 borrows from bit 7 only where x is 0: "Bit Twiddling Hacks", hasless and haszero.) */
static inline uint64_t json_special8(uint64_t word) {
    uint64_t quote = word ^ JSON_EACH_BYTE('"'), backslash = word ^ JSON_EACH_BYTE('\\');
    return (((word - JSON_EACH_BYTE(0x20)) & ~word) | ((quote - JSON_EACH_BYTE(1)) & ~quote) |
            ((backslash - JSON_EACH_BYTE(1)) & ~backslash)) &
           JSON_EACH_BYTE(0x80);
}

static inline uint64_t json_load8(const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

#ifdef JSON_SSE2

/* One bit for each special byte; those past ASCII are or-ed into *high. */
static inline unsigned json_special16(__m128i bytes, unsigned *high) {
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    *high |= (unsigned)_mm_movemask_epi8(bytes);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
}

#endif

/* The first special byte, or `end`. Sets *high when a byte past ASCII stands before it (and
 * perhaps when one stands shortly behind it). */
static inline const char *json_find_special(const char *at, const char *end, bool *high) {
#ifdef JSON_SSE2
    unsigned beyond = 0;
    for (; end - at >= 16; at += 16) {
        unsigned found = json_special16(_mm_loadu_si128((const __m128i *)at), &beyond);
        if (found) {
            *high |= beyond != 0;
            return at + __builtin_ctz(found);
        }
    }
    *high |= beyond != 0;
#endif
    for (; end - at >= 8; at += 8) {
        uint64_t word = json_load8(at), found = json_special8(word);
        *high |= (word & JSON_EACH_BYTE(0x80)) != 0;
        if (found)
            return at + __builtin_ctzll(found) / 8;
    }
    for (; at != end && !json_is_special((uint8_t)*at); at++)
        *high |= (uint8_t)*at >= 0x80;
    return at;
}

/* Up to seven bytes as a word, copied on the way; blanks, which are not special, fill it up. */
static inline uint64_t json_copy_word(char *out, const char *from, size_t len) {
    uint64_t word = 0;
    if (len >= 4) {
        uint32_t head, tail;
        memcpy(&head, from, 4);
        memcpy(&tail, from + len - 4, 4);
        memcpy(out, &head, 4);
        memcpy(out + len - 4, &tail, 4);
        word = head | (uint64_t)tail << 8 * (len - 4);
    } else {
        for (size_t i = 0; i < len; i++) {
            out[i] = from[i];
            word |= (uint64_t)(uint8_t)from[i] << 8 * i;
        }
    }
    return word | JSON_EACH_BYTE(0x20) << 8 * len;
}

/* Copies until the first special byte; returns how many bytes stand before it. `out` has room for
 * `len`, all of which may be written to. */
static inline size_t json_copy_plain(char *out, const char *from, size_t len, bool *high) {
    size_t at = 0;
    uint64_t found;
#ifdef JSON_SSE2
    unsigned beyond = 0;
    for (; len - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(from + at));
        _mm_storeu_si128((__m128i *)(out + at), bytes);
        unsigned special = json_special16(bytes, &beyond);
        if (special) {
            *high |= beyond != 0;
            return at + (size_t)__builtin_ctz(special);
        }
    }
    *high |= beyond != 0;
#endif
    for (; len - at >= 8; at += 8) {
        uint64_t word = json_load8(from + at);
        memcpy(out + at, &word, sizeof word);
        *high |= (word & JSON_EACH_BYTE(0x80)) != 0;
        if ((found = json_special8(word)))
            return at + (size_t)__builtin_ctzll(found) / 8;
    }
    uint64_t word = json_copy_word(out + at, from + at, len - at);
    *high |= (word & JSON_EACH_BYTE(0x80)) != 0;
    found = json_special8(word);
    return found ? at + (size_t)__builtin_ctzll(found) / 8 : len;
}

/* Copies, and compares, runs as short as names are, without a call. */
static inline char *json_copy_short(char *out, const char *from, size_t len) {
    if (len >= 8) {
        if (len > 32)
            return (char *)memcpy(out, from, len) + len;
        uint64_t last = json_load8(from + len - 8);
        for (size_t at = 0; at + 8 < len; at += 8)
            memcpy(out + at, from + at, 8);
        memcpy(out + len - 8, &last, 8);
        return out + len;
    }
    for (size_t at = 0; at < len; at++)
        out[at] = from[at];
    return out + len;
}

static inline bool json_same(const char *a, const char *b, size_t len) {
    if (len >= 8) {
        for (size_t at = 0; at + 8 < len; at += 8)
            if (json_load8(a + at) != json_load8(b + at))
                return false;
        return json_load8(a + len - 8) == json_load8(b + len - 8);
    }
    for (size_t at = 0; at < len; at++)
        if (a[at] != b[at])
            return false;
    return true;
}
