#include "base/text.h"

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

static size_t ascii_length(const char *text, size_t len) {
    size_t at = 0;
    for (; len - at >= 32; at += 32) {
        uint64_t words[4];
        memcpy(words, text + at, sizeof words);
        if ((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080))
            break;
    }
    while (at < len && (uint8_t)text[at] < 0x80)
        at++;
    return at;
}

/* The length of the one well-formed sequence of two to four bytes that stands here; 0 when there
 * is none. The ranges of the second byte are those of the Unicode standard's table 3-7. */
static size_t sequence_length(const uint8_t *s, size_t len) {
    uint8_t lead = s[0];
    if (lead < 0xc2 || lead > 0xf4 || len < 2)
        return 0;
    if (lead < 0xe0)
        return (s[1] & 0xc0) == 0x80 ? 2 : 0;
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (len < 3 || s[1] < low || s[1] > high || (s[2] & 0xc0) != 0x80)
        return 0;
    if (lead < 0xf0)
        return 3;
    return len >= 4 && (s[3] & 0xc0) == 0x80 ? 4 : 0;
}

size_t utf8_valid_length(Span text) {
    size_t at = 0;
    while (at < text.len) {
        if ((uint8_t)text.ptr[at] < 0x80) {
            at += ascii_length(text.ptr + at, text.len - at);
            continue;
        }
        size_t length = sequence_length((const uint8_t *)text.ptr + at, text.len - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

bool utf8_valid(Span text) {
    return utf8_valid_length(text) == text.len;
}

size_t utf8_put(char *out, uint32_t code_point) {
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xc0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3f));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xe0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code_point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code_point & 0x3f));
    return 4;
}

/* ---- base64 --------------------------------------------------------------------------------- */

static const char alphabet_standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_encode(char *out, Span bytes, bool url_safe, bool padded) {
    const char *alphabet = url_safe ? alphabet_url : alphabet_standard;
    const uint8_t *in = (const uint8_t *)bytes.ptr, *end = (const uint8_t *)span_end(bytes);
    char *at = out;
    for (; end - in >= 3; in += 3, at += 4) {
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        at[0] = alphabet[group >> 18];
        at[1] = alphabet[group >> 12 & 63];
        at[2] = alphabet[group >> 6 & 63];
        at[3] = alphabet[group & 63];
    }
    if (in == end)
        return (size_t)(at - out);
    bool two = end - in == 2;
    uint32_t group = (uint32_t)in[0] << 16 | (two ? (uint32_t)in[1] << 8 : 0);
    *at++ = alphabet[group >> 18];
    *at++ = alphabet[group >> 12 & 63];
    if (two)
        *at++ = alphabet[group >> 6 & 63];
    if (padded) {
        if (!two)
            *at++ = '=';
        *at++ = '=';
    }
    return (size_t)(at - out);
}

/* The value of each character of both alphabets plus one, so that 0 means "not one of them". */
static const uint8_t sextets[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['-'] = 63,
    ['/'] = 64, ['_'] = 64,
};

/* Up to four characters as 24 bits, those missing as zeroes; negative when one is foreign. */
static inline int32_t decode_group(const uint8_t *in, size_t count) {
    uint32_t group = 0, foreign = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t sextet = i < count ? sextets[in[i]] - 1u : 0;
        foreign |= sextet;
        group = group << 6 | (sextet & 63);
    }
    return foreign > 63 ? -1 : (int32_t)group;
}

bool base64_decode(char *out, Span text, size_t *ret_len) {
    size_t len = text.len;
    if (len && len % 4 == 0 && text.ptr[len - 1] == '=')
        len -= text.ptr[len - 2] == '=' ? 2 : 1;
    size_t rest = len % 4;
    if (rest == 1)
        return false;
    const uint8_t *in = (const uint8_t *)text.ptr, *end = len > rest ? in + (len - rest) : in;
    char *at = out;
    for (; in != end; in += 4, at += 3) {
        int32_t group = decode_group(in, 4);
        if (group < 0)
            return false;
        at[0] = (char)(group >> 16);
        at[1] = (char)(group >> 8);
        at[2] = (char)group;
    }
    if (rest) {
        int32_t group = decode_group(in, rest);
        if (group < 0)
            return false;
        *at++ = (char)(group >> 16);
        if (rest == 3)
            *at++ = (char)(group >> 8);
    }
    *ret_len = (size_t)(at - out);
    return true;
}
