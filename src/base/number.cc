/* Numbers as text. C++ for std::to_chars and std::from_chars alone, which are the shortest
 * round-trip (Ryu) and correctly rounded (fast_float) conversions of the standard library; no
 * exceptions, no run-time types, nothing allocated. */
#include <charconv>
#include <cmath>
#include <limits>

extern "C" {
#include "base/text.h"
}

namespace {

const char pairs[] = "00010203040506070809101112131415161718192021222324"
                     "25262728293031323334353637383940414243444546474849"
                     "50515253545556575859606162636465666768697071727374"
                     "75767778798081828384858687888990919293949596979899";

size_t count_digits(uint64_t value) {
    size_t digits = 1;
    for (;; digits += 4, value /= 10000) {
        if (value < 10)
            return digits;
        if (value < 100)
            return digits + 1;
        if (value < 1000)
            return digits + 2;
        if (value < 10000)
            return digits + 3;
    }
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Lays `count` significant digits out as ECMAScript's Number::toString does (ECMA-262, 6.1.6.1.20):
 * the value is 0.DIGITS times ten to the power of `point`. */
size_t lay_out(char *out, const char *digits, int count, int point) {
    char *at = out;
    auto copy = [&at](const char *from, int len) {
        memcpy(at, from, (size_t)len);
        at += len;
    };
    auto zeroes = [&at](int len) {
        memset(at, '0', (size_t)len);
        at += len;
    };
    if (count <= point && point <= 21) {
        copy(digits, count);
        zeroes(point - count);
    } else if (0 < point && point <= 21) {
        copy(digits, point);
        *at++ = '.';
        copy(digits + point, count - point);
    } else if (-6 < point && point <= 0) {
        copy("0.", 2);
        zeroes(-point);
        copy(digits, count);
    } else {
        *at++ = digits[0];
        if (count > 1) {
            *at++ = '.';
            copy(digits + 1, count - 1);
        }
        *at++ = 'e';
        *at++ = point > 0 ? '+' : '-';
        at += format_u64(at, (uint64_t)(point > 0 ? point - 1 : 1 - point));
    }
    return (size_t)(at - out);
}

/* Six places and no exponent: the form of most measurements. A decimal of no more digits than the
 * type tells apart (digits10) that reads back as the value is the only such one, hence the
 * shortest. Returns 0 when there is none. `value` is positive and not whole. */
size_t format_places(char *out, double value) {
    constexpr uint64_t scale = 1000000;
    double scaled = value * (double)scale;
    if (scaled >= 1e15)
        return 0;
    uint64_t units = (uint64_t)(scaled + 0.5), fraction = units % scale;
    if ((double)units / (double)scale != value)
        return 0;
    char *at = out + format_u64(out, units / scale);
    *at = '.';
    for (int i = 6; i > 0; i--, fraction /= 10)
        at[i] = (char)('0' + fraction % 10);
    for (at += 6; *at == '0';)
        at--;
    return (size_t)(at + 1 - out);
}

template <typename Real> size_t format_real(char *out, Real value) {
    char *at = out;
    if (std::signbit(value)) {
        *at++ = '-';
        value = -value;
    }
    /* Integers that the type holds without gaps are their own shortest form. */
    if (value < (Real)(UINT64_C(1) << std::numeric_limits<Real>::digits)) {
        uint64_t whole = (uint64_t)value;
        if ((Real)whole == value)
            return (size_t)(at - out) + format_u64(at, whole);
    }
    if constexpr (std::numeric_limits<Real>::digits10 == 15)
        if (size_t len = format_places(at, value))
            return (size_t)(at - out) + len;
    char shortest[FORMAT_DOUBLE_MAX]; /* d.ddde-308 */
    char *end =
        std::to_chars(shortest, shortest + sizeof shortest, value, std::chars_format::scientific)
            .ptr;
    char digits[FORMAT_DOUBLE_MAX];
    int count = 0, exponent = 0;
    const char *in = shortest;
    for (; *in != 'e'; in++)
        if (*in != '.')
            digits[count++] = *in;
    std::from_chars(in[1] == '+' ? in + 2 : in + 1, end, exponent);
    return (size_t)(at - out) + lay_out(at, digits, count, exponent + 1);
}

/* A JSON number taken apart. */
struct Decimal {
    bool negative;
    bool exact;        /* `digits` holds all significant digits */
    uint64_t digits;   /* the first 19 of them */
    int64_t exponent;  /* the value is digits * 10^exponent */
    int64_t magnitude; /* the value is 0.d... * 10^magnitude, with d not 0 unless all are */
};

struct Scanner {
    const char *at, *end;
    Decimal *number;
    int seen; /* significant digits so far */

    void digit(char c, bool fraction) {
        if (seen > 0 || c != '0') {
            if (seen < 19)
                number->digits = number->digits * 10 + (uint64_t)(c - '0');
            else if (c != '0')
                number->exact = false;
            number->exponent += seen >= 19;
            number->magnitude += !fraction;
            seen++;
        } else {
            number->magnitude -= fraction;
        }
        number->exponent -= fraction;
    }

    bool run(bool fraction) {
        const char *start = at;
        for (; at != end && is_digit(*at); at++)
            digit(*at, fraction);
        return at != start;
    }
};

bool scan_exponent(Scanner *scanner) {
    const char *at = scanner->at + 1, *end = scanner->end;
    bool negative = at != end && *at == '-';
    if (at != end && (*at == '-' || *at == '+'))
        at++;
    if (at == end)
        return false;
    int64_t power = 0;
    for (; at != end && is_digit(*at); at++)
        if (power < INT64_C(100000000000000000))
            power = power * 10 + (*at - '0');
    scanner->number->exponent += negative ? -power : power;
    scanner->number->magnitude += negative ? -power : power;
    bool any = is_digit(at[-1]);
    scanner->at = at;
    return any;
}

/* The grammar of RFC 8259: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
bool scan(Span text, Decimal *number) {
    *number = Decimal{false, true, 0, 0, 0};
    Scanner scanner{text.ptr, text.ptr + text.len, number, 0};
    if (scanner.at != scanner.end && *scanner.at == '-') {
        number->negative = true;
        scanner.at++;
    }
    const char *start = scanner.at;
    if (!scanner.run(false) || (*start == '0' && scanner.at - start > 1))
        return false;
    if (scanner.at != scanner.end && *scanner.at == '.') {
        scanner.at++;
        if (!scanner.run(true))
            return false;
    }
    if (scanner.at != scanner.end && (*scanner.at | 0x20) == 'e' && !scan_exponent(&scanner))
        return false;
    return scanner.at == scanner.end;
}

const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

template <typename Real> bool parse_real(Span text, Real *ret) {
    /* The greatest power of ten whose power of five fits the mantissa. */
    constexpr int exact_power = std::numeric_limits<Real>::digits == 53 ? 22 : 10;
    Decimal number;
    if (!scan(text, &number))
        return false;
    /* Both factors are exact, so one operation rounds once (Clinger, "How to read floating point
     * numbers accurately", 1990). */
    if (number.exact && number.digits <= UINT64_C(1) << std::numeric_limits<Real>::digits &&
        number.exponent >= -exact_power && number.exponent <= exact_power) {
        Real value = (Real)number.digits;
        value = number.exponent < 0 ? value / (Real)powers_of_ten[-number.exponent]
                                    : value * (Real)powers_of_ten[number.exponent];
        *ret = number.negative ? -value : value;
        return true;
    }
    Real value;
    if (number.digits == 0 || number.magnitude < -400)
        value = number.negative ? (Real)-0.0 : (Real)0.0;
    else if (number.magnitude > 400)
        return false;
    else if (std::from_chars(text.ptr, text.ptr + text.len, value).ec != std::errc()) {
        if (number.magnitude > 0)
            return false;
        /* Less than half of the least subnormal. */
        value = number.negative ? (Real)-0.0 : (Real)0.0;
    }
    if (std::isinf(value))
        return false;
    *ret = value;
    return true;
}

} // namespace

extern "C" {

size_t format_u64(char *out, uint64_t value) {
    size_t digits = count_digits(value);
    char *at = out + digits;
    for (; value >= 100; value /= 100)
        memcpy(at -= 2, &pairs[value % 100 * 2], 2);
    if (value >= 10)
        memcpy(at - 2, &pairs[value * 2], 2);
    else
        at[-1] = (char)('0' + value);
    return digits;
}

size_t format_i64(char *out, int64_t value) {
    if (value >= 0)
        return format_u64(out, (uint64_t)value);
    *out = '-';
    return 1 + format_u64(out + 1, -(uint64_t)value);
}

size_t format_double(char *out, double value) {
    return format_real(out, value);
}

size_t format_float(char *out, float value) {
    return format_real(out, value);
}

bool parse_u64(Span text, uint64_t *ret) {
    if (text.len == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return false;
        uint64_t digit = (uint64_t)(text.ptr[i] - '0');
        if (i >= 19 && (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
                        __builtin_add_overflow(value, digit, &value)))
            return false;
        if (i < 19)
            value = value * 10 + digit;
    }
    *ret = value;
    return true;
}

bool parse_i64(Span text, int64_t *ret) {
    bool negative = text.len && text.ptr[0] == '-';
    uint64_t value;
    if (!parse_u64(negative ? span_skip(text, 1) : text, &value))
        return false;
    if (value > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = (int64_t)(negative ? -value : value);
    return true;
}

bool parse_double(Span text, double *ret) {
    return parse_real(text, ret);
}

bool parse_float(Span text, float *ret) {
    return parse_real(text, ret);
}
}
