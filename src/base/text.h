/* Text: UTF-8, numbers, base64. All functions are pure; none depends on the locale. */
#pragma once

#include "base/buf.h"

/* Well-formed UTF-8 as Unicode 15, table 3-7 (no surrogates, no overlong forms, nothing past
 * U+10FFFF). */
bool utf8_valid(Span text);

/* The length of the well-formed UTF-8 that the bytes begin with; equals len when all of it is. */
size_t utf8_valid_length(Span text);

/* Writes one code point (a scalar value) as UTF-8 to `out`, which has room for 4 bytes; returns
 * how many it took. */
size_t utf8_put(char *out, uint32_t code_point);

/* Decimal digits into `out`, which has room for 20 bytes; return how many were written. No NUL
 * is added. */
size_t format_u64(char *out, uint64_t value);
size_t format_i64(char *out, int64_t value);

/* The shortest decimal that reads back as the same number, in the form that JavaScript's
 * Number.toString gives (1e+21 is "1e+21", 0.1 is "0.1", -0.0 is "-0"). `value` is finite. `out`
 * has room for FORMAT_DOUBLE_MAX bytes. */
#define FORMAT_DOUBLE_MAX 32
size_t format_double(char *out, double value);
size_t format_float(char *out, float value);

/* Reads a whole Span as a decimal integer: optional '-', digits, nothing else. False when it is
 * not one or out of range. */
bool parse_i64(Span text, int64_t *ret);
bool parse_u64(Span text, uint64_t *ret);

/* Reads a whole Span as a JSON number. False when it is not one, or when it overflows to
 * infinity. */
bool parse_double(Span text, double *ret);
bool parse_float(Span text, float *ret);

/* Base64 (RFC 4648). Encoding: the standard or the URL-safe alphabet, padded or not. Decoding
 * takes both alphabets, padding whole or absent, and refuses anything else; bits of the last
 * character that no byte needs are ignored, as other decoders do. `out` of base64_encode has room
 * for BASE64_ENCODED_MAX(len) bytes, that of base64_decode for BASE64_DECODED_MAX(len); the
 * content of the latter is undefined after a failure. */
#define BASE64_ENCODED_MAX(len) (((len) + 2) / 3 * 4)
#define BASE64_DECODED_MAX(len) ((len) / 4 * 3 + 3)
size_t base64_encode(char *out, Span bytes, bool url_safe, bool padded);
bool base64_decode(char *out, Span text, size_t *ret_len);
