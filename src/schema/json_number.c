#include "schema/json_number.h"

#include <math.h>

#include "base/text.h"

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Bytes of a number that an error shows at most. */
#define SHOWN 40

/* ---- Quotes --------------------------------------------------------------------------------- */

/* A number, or the content of a string that is expected to be one; *ret_at is its place in the
 * text, for errors. */
static int read_text(JsonReader *reader, Span *ret, bool *ret_quoted, const char **ret_at) {
    *ret_quoted = json_peek(reader) == '"';
    *ret_at = reader->at;
    return *ret_quoted ? json_read_string(reader, ret) : json_read_number(reader, ret);
}

static bool is_number(Span text) {
    JsonReader reader = {.begin = text.ptr, .at = text.ptr, .end = span_end(text)};
    Span number;
    return text.len && !json_is_blank(text.ptr[0]) && json_read_number(&reader, &number) == 0 &&
           reader.at == reader.end;
}

/* ---- Integers ------------------------------------------------------------------------------- */

typedef enum Whole { WHOLE, NOT_WHOLE, TOO_LARGE } Whole;

static bool times_ten(uint64_t *value, int64_t times) {
    for (; times > 0 && *value; times--)
        if (__builtin_mul_overflow(*value, UINT64_C(10), value))
            return false;
    return true;
}

static int64_t read_power(const char *at, const char *end) {
    bool negative = *at == '-';
    int64_t power = 0;
    for (at += *at == '-' || *at == '+'; at != end; at++)
        if (power < INT64_C(1000000000000))
            power = power * 10 + (*at - '0');
    return negative ? -power : power;
}

/* The value of a well-formed, unsigned JSON number, without rounding: the digits up to the last
 * that is not 0, as an integer, and the power of ten that they are to be multiplied with. */
static Whole read_whole(const char *at, const char *end, uint64_t *ret) {
    uint64_t value = 0;
    int64_t power = 0, zeroes = 0;
    bool fraction = false, fits = true;
    for (; at != end && (*at | 0x20) != 'e'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        zeroes++;
        power -= fraction;
        if (*at == '0')
            continue;
        fits = fits && times_ten(&value, zeroes) &&
               !__builtin_add_overflow(value, (uint64_t)(*at - '0'), &value);
        zeroes = 0;
    }
    power += zeroes;
    if (at != end)
        power += read_power(at + 1, end);
    if (value == 0 && fits)
        power = 0;
    if (power < 0)
        return NOT_WHOLE;
    if (!fits || !times_ten(&value, power))
        return TOO_LARGE;
    *ret = value;
    return WHOLE;
}

static int read_any_integer(JsonReader *reader, uint64_t below, uint64_t above, const char *type,
                            uint64_t *ret) {
    Span text;
    bool quoted;
    const char *place;
    int r = read_text(reader, &text, &quoted, &place);
    if (r < 0)
        return r;
    if (quoted && !is_number(text))
        return json_fail(reader, place, "expected %s, found \"%.*s\"", type,
                         schema_shown(text, SHOWN), text.ptr);
    bool negative = text.ptr[0] == '-';
    uint64_t value;
    Whole whole = read_whole(text.ptr + negative, text.ptr + text.len, &value);
    if (whole == NOT_WHOLE)
        return json_fail(reader, place, "expected %s, found %.*s", type, schema_shown(text, SHOWN),
                         text.ptr);
    if (whole == TOO_LARGE || value > (negative ? below : above))
        return json_fail(reader, place, "%.*s is out of range for %s", schema_shown(text, SHOWN),
                         text.ptr, type);
    *ret = negative ? -value : value;
    return 0;
}

/* Eight digits at once, pairwise, after Johnny Lee's "Fast numeric string to int". False when not
 * all of the eight are digits. */
static inline bool eight_digits(const char *at, uint64_t *value) {
    uint64_t word = json_load8(at);
    if (((word & JSON_EACH_BYTE(0xF0)) |
         (((word + JSON_EACH_BYTE(6)) & JSON_EACH_BYTE(0xF0)) >> 4)) != JSON_EACH_BYTE(0x33))
        return false;
    word -= JSON_EACH_BYTE('0');
    word = word * 10 + (word >> 8);
    word = ((word & UINT64_C(0x000000FF000000FF)) * (100 + (UINT64_C(1000000) << 32)) +
            (word >> 16 & UINT64_C(0x000000FF000000FF)) * (1 + (UINT64_C(10000) << 32))) >>
           32;
    *value = *value * 100000000 + word;
    return true;
}

int json_read_integer(JsonReader *reader, uint64_t below, uint64_t above, const char *type,
                      uint64_t *ret) {
    /* Nearly all are short, without fraction and exponent, and need no second look. */
    const char *at = reader->at, *end = reader->end;
    bool quoted = at != end && *at == '"';
    at += quoted;
    bool negative = at != end && *at == '-';
    const char *digits = at += negative;
    uint64_t value = 0;
    for (; end - at >= 8 && at - digits < 9 && eight_digits(at, &value);)
        at += 8;
    for (; at != end && is_digit(*at) && at - digits < 19; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    bool plain = at != digits && (*digits != '0' || at - digits == 1) && at != end &&
                 (quoted ? *at == '"' : !is_digit(*at) && *at != '.' && (*at | 0x20) != 'e');
    if (!plain || value > (negative ? below : above))
        return read_any_integer(reader, below, above, type, ret);
    reader->at = at + quoted;
    *ret = negative ? -value : value;
    return 0;
}

/* ---- Real numbers --------------------------------------------------------------------------- */

/* The run of characters that numbers are made of. */
static Span number_run(const JsonReader *reader) {
    const char *at = reader->at;
    while (at != reader->end &&
           (is_digit(*at) || *at == '-' || *at == '+' || *at == '.' || (*at | 0x20) == 'e'))
        at++;
    return span(reader->at, (size_t)(at - reader->at));
}

typedef bool ParseReal(Span text, void *ret);

static bool parse_as_double(Span text, void *ret) {
    return parse_double(text, ret);
}

static bool parse_as_float(Span text, void *ret) {
    return parse_float(text, ret);
}

/* One of the three values that have no digits. */
static bool parse_special(Span text, double *ret) {
    if (span_equal(text, SPAN("NaN")))
        *ret = NAN;
    else if (span_equal(text, SPAN("Infinity")))
        *ret = INFINITY;
    else if (span_equal(text, SPAN("-Infinity")))
        *ret = -INFINITY;
    else
        return false;
    return true;
}

/* Reads what is not a bare, well-formed number in range: 1 with *special set, 0 with *ret set, or
 * the error. */
static int read_unusual(JsonReader *reader, ParseReal *parse, const char *type, void *ret,
                        double *special) {
    Span text;
    bool quoted;
    const char *place;
    int r = read_text(reader, &text, &quoted, &place);
    if (r < 0)
        return r;
    if (quoted && parse_special(text, special))
        return 1;
    if (quoted && !is_number(text))
        return json_fail(reader, place, "expected %s, found \"%.*s\"", type,
                         schema_shown(text, SHOWN), text.ptr);
    if (!parse(text, ret))
        return json_fail(reader, place, "%.*s is out of range for %s", schema_shown(text, SHOWN),
                         text.ptr, type);
    return 0;
}

int json_read_double(JsonReader *reader, double *ret) {
    Span run = number_run(reader);
    if (run.len && parse_double(run, ret)) {
        reader->at += run.len;
        return 0;
    }
    double special = 0;
    int r = read_unusual(reader, parse_as_double, "double", ret, &special);
    if (r > 0)
        *ret = special;
    return r < 0 ? r : 0;
}

int json_read_float(JsonReader *reader, float *ret) {
    Span run = number_run(reader);
    if (run.len && parse_float(run, ret)) {
        reader->at += run.len;
        return 0;
    }
    double special = 0;
    int r = read_unusual(reader, parse_as_float, "float", ret, &special);
    if (r > 0)
        *ret = (float)special;
    return r < 0 ? r : 0;
}
