#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/text.h"
#include "doc/doc_toml.h"

/* ---- strings ---- */

static int read_code_point(TomlReader *reader, size_t digits, Buf *out) {
    const char *escape = reader->at - 2;
    uint32_t code = 0;
    for (size_t i = 0; i < digits; i++, reader->at++) {
        char c = toml_peek(reader);
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return toml_unexpected(reader, "expected a hexadecimal digit");
        code = code << 4 | digit;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return doc_fail(reader->builder, -EBADMSG, toml_place(reader, escape),
                        "U+%04X is no character", code);
    out->len += utf8_put(buf_reserve(out, 4), code);
    return 0;
}

/* Behind a '\'. */
static int read_escape(TomlReader *reader, Buf *out) {
    static const char NAMES[] = "btnfr\"\\", MEANINGS[] = "\b\t\n\f\r\"\\";
    char c = toml_peek(reader);
    const char *name = c ? strchr(NAMES, c) : NULL;
    if (!name && c != 'u' && c != 'U')
        return toml_unexpected(reader, "expected an escape (\\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX "
                                       "\\UXXXXXXXX; in '…' a backslash is itself)");
    reader->at++;
    if (!name)
        return read_code_point(reader, c == 'u' ? 4 : 8, out);
    buf_add_char(out, MEANINGS[name - NAMES]);
    return 0;
}

static bool at_newline(const TomlReader *reader) {
    return toml_peek(reader) == '\n' || span_starts(toml_rest(reader), SPAN("\r\n"));
}

/* A '\' at the end of a line takes all blanks up to the next character along. */
static bool skip_joined_lines(TomlReader *reader) {
    TomlReader ahead = *reader;
    while (toml_peek(&ahead) == ' ' || toml_peek(&ahead) == '\t')
        ahead.at++;
    if (!at_newline(&ahead))
        return false;
    while (at_newline(&ahead) || toml_peek(&ahead) == ' ' || toml_peek(&ahead) == '\t')
        ahead.at++;
    reader->at = ahead.at;
    return true;
}

/* Up to five quotes end a string of several lines: two of them may belong to it. */
static bool read_closing_quotes(TomlReader *reader, char quote, Buf *out) {
    size_t count = 0;
    while (count < 5 && toml_peek(reader) == quote) {
        reader->at++;
        count++;
    }
    for (size_t i = 0; i < (count >= 3 ? count - 3 : count); i++)
        buf_add_char(out, quote);
    return count >= 3;
}

static int read_lines(TomlReader *reader, const char *begin, char quote, Buf *out) {
    if (at_newline(reader))
        reader->at += toml_peek(reader) == '\n' ? 1 : 2;
    while (reader->at < reader->end) {
        char c = *reader->at;
        int result = 0;
        if (c == quote) {
            if (read_closing_quotes(reader, quote, out))
                return 0;
        } else if (c == '\\' && quote == '"') {
            reader->at++;
            result = skip_joined_lines(reader) ? 0 : read_escape(reader, out);
        } else if (toml_is_control(c) && !at_newline(reader)) {
            result = toml_unexpected(reader, "a control character must be written as an escape");
        } else {
            do
                buf_add_char(out, *reader->at++);
            while (c == '\r' && reader->at[-1] == '\r');
        }
        if (result < 0)
            return result;
    }
    return doc_fail(reader->builder, -EBADMSG, toml_place(reader, begin),
                    "this string has no end: %c%c%c is missing", quote, quote, quote);
}

int toml_read_string(TomlReader *reader, bool lines, Buf *out) {
    const char *begin = reader->at;
    char quote = *reader->at++;
    if (reader->end - reader->at >= 2 && reader->at[0] == quote && reader->at[1] == quote) {
        if (!lines)
            return doc_fail(reader->builder, -EBADMSG, toml_place(reader, begin),
                            "a key cannot have several lines");
        reader->at += 2;
        return read_lines(reader, begin, quote, out);
    }
    while (reader->at < reader->end && *reader->at != quote) {
        char c = *reader->at;
        if (c == '\n' || c == '\r')
            break;
        if (toml_is_control(c))
            return toml_unexpected(reader, "a control character must be written as an escape");
        reader->at++;
        int result = 0;
        if (c == '\\' && quote == '"')
            result = read_escape(reader, out);
        else
            buf_add_char(out, c);
        if (result < 0)
            return result;
    }
    if (toml_peek(reader) != quote)
        return doc_fail(reader->builder, -EBADMSG, toml_place(reader, begin),
                        "this string has no end: %c is missing in its line", quote);
    reader->at++;
    return 0;
}

/* ---- dates and times ---- */

/* `digits` digits with a value of at most `max`. */
static bool take_number(Span *text, size_t digits, unsigned max, unsigned *ret) {
    unsigned value = 0;
    if (text->len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (text->ptr[i] < '0' || text->ptr[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text->ptr[i] - '0');
    }
    *text = span_skip(*text, digits);
    *ret = value;
    return value <= max;
}

static bool take_char(Span *text, char c) {
    if (!text->len || text->ptr[0] != c)
        return false;
    *text = span_skip(*text, 1);
    return true;
}

static bool take_date(Span *text) {
    static const unsigned char DAYS[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day;
    if (!take_number(text, 4, 9999, &year) || !take_char(text, '-') ||
        !take_number(text, 2, 12, &month) || !month || !take_char(text, '-') ||
        !take_number(text, 2, DAYS[month - 1], &day) || !day)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month != 2 || day < 29 || leap;
}

static bool take_time(Span *text) {
    unsigned part;
    if (!take_number(text, 2, 23, &part) || !take_char(text, ':') ||
        !take_number(text, 2, 59, &part) || !take_char(text, ':') ||
        !take_number(text, 2, 60, &part))
        return false;
    if (!take_char(text, '.'))
        return true;
    size_t digits = 0;
    while (take_number(text, 1, 9, &part))
        digits++;
    return digits > 0;
}

static bool take_offset(Span *text) {
    unsigned part;
    if (take_char(text, 'Z'))
        return true;
    return (take_char(text, '+') || take_char(text, '-')) && take_number(text, 2, 23, &part) &&
           take_char(text, ':') && take_number(text, 2, 59, &part);
}

/* An RFC 3339 date and time, or a part of one; in capitals already. */
static bool is_date_or_time(Span text) {
    Span rest = text;
    if (text.len > 2 && text.ptr[2] == ':')
        return take_time(&rest) && !rest.len;
    if (!take_date(&rest))
        return false;
    if (!rest.len)
        return true;
    return take_char(&rest, 'T') && take_time(&rest) &&
           (!rest.len || (take_offset(&rest) && !rest.len));
}

/* ---- numbers ---- */

/* The number without its underscores, each of which must stand between two digits. */
static bool drop_underscores(Span text, Buf *out) {
    bool hex = span_starts(text, SPAN("0x"));
    const char *digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_') {
            buf_add_char(out, text.ptr[i]);
            continue;
        }
        if (i == 0 || i + 1 == text.len || !strchr(digits, text.ptr[i - 1]) ||
            !strchr(digits, text.ptr[i + 1]))
            return false;
    }
    buf_cstr(out);
    return true;
}

/* Hexadecimal, octal and binary numbers; they have no sign. */
static bool read_radix(const char *digits, DocNode *node) {
    static const char ALL[] = "0123456789abcdefABCDEF";
    int radix = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : digits[1] == 'b' ? 2 : 0;
    const char *body = digits + 2;
    if (digits[0] != '0' || !radix || !*body)
        return false;
    size_t known = strspn(body, ALL);
    for (size_t i = 0; i < known; i++)
        if (radix < 16 && body[i] - '0' >= radix)
            return false;
    errno = 0;
    node->integer = strtoll(body, NULL, radix);
    return !body[known] && errno == 0;
}

/* What JSON has as numbers, but for a '+' in front. */
static bool read_decimal(Span digits, DocNode *node) {
    Span body = digits.ptr[0] == '+' ? span_skip(digits, 1) : digits;
    if (body.len < digits.len && (!body.len || body.ptr[0] < '0'))
        return false;
    Span natural = body.len && body.ptr[0] == '-' ? span_skip(body, 1) : body;
    bool padded =
        natural.len > 1 && natural.ptr[0] == '0' && natural.ptr[1] >= '0' && natural.ptr[1] <= '9';
    if (padded)
        return false;
    if (parse_i64(body, &node->integer))
        return true;
    node->kind = DOC_DOUBLE;
    return memchr(body.ptr, '.', body.len) || memchr(body.ptr, 'e', body.len) ||
                   memchr(body.ptr, 'E', body.len)
               ? parse_double(body, &node->real)
               : false;
}

static bool read_special(Span text, DocNode *node) {
    bool negative = text.len && text.ptr[0] == '-';
    Span word = negative || (text.len && text.ptr[0] == '+') ? span_skip(text, 1) : text;
    if (span_equal(word, SPAN("inf")))
        node->real = negative ? -HUGE_VAL : HUGE_VAL;
    else if (span_equal(word, SPAN("nan")))
        node->real = NAN;
    else
        return false;
    node->kind = DOC_DOUBLE;
    return true;
}

/* ---- any of them ---- */

static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           strchr("+-_.:", c) != NULL;
}

/* The run of characters that makes a number, date or boolean; a date may be followed by a blank
 * and a time. */
static Span take_word(TomlReader *reader) {
    const char *begin = reader->at;
    while (reader->at < reader->end && *reader->at && is_word(*reader->at))
        reader->at++;
    Span date = span(begin, (size_t)(reader->at - begin));
    if (date.len == 10 && date.ptr[4] == '-' && reader->end - reader->at > 3 &&
        reader->at[0] == ' ' && reader->at[1] >= '0' && reader->at[1] <= '9' &&
        reader->at[2] >= '0' && reader->at[2] <= '9' && reader->at[3] == ':') {
        reader->at++;
        while (reader->at < reader->end && *reader->at && is_word(*reader->at))
            reader->at++;
    }
    return span(begin, (size_t)(reader->at - begin));
}

static bool read_word(Span word, Buf *digits, DocNode *node) {
    if (span_equal(word, SPAN("true")) || span_equal(word, SPAN("false"))) {
        node->kind = DOC_BOOL;
        node->flag = word.ptr[0] == 't';
        return true;
    }
    node->kind = DOC_INTEGER;
    if (read_special(word, node))
        return true;
    if (!drop_underscores(word, digits) || !digits->len)
        return false;
    if (digits->len > 1 && digits->ptr[0] == '0' && strchr("xob", digits->ptr[1]))
        return read_radix(buf_cstr(digits), node);
    return read_decimal(buf_span(digits), node);
}

/* Dates are kept as strings in RFC 3339's capitals. */
static bool read_date(Span word, Buf *text) {
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        buf_add_char(text, c == 't' || c == ' ' ? 'T' : c == 'z' ? 'Z' : c);
    }
    return is_date_or_time(buf_span(text));
}

int toml_read_scalar(TomlReader *reader, const DocNode **ret) {
    DocBuilder *builder = reader->builder;
    DocPlace place = toml_place(reader, reader->at);
    Buf text = {0}, digits = {0};
    DocNode *node = NULL;
    int result = 0;
    if (toml_peek(reader) == '"' || toml_peek(reader) == '\'') {
        result = toml_read_string(reader, true, &text);
        if (!result)
            node = doc_node(builder, DOC_STRING, place, buf_span(&text));
    } else {
        const char *begin = reader->at;
        Span word = take_word(reader);
        DocNode read = {0};
        if (read_date(word, &text)) {
            node = doc_node(builder, DOC_STRING, place, buf_span(&text));
        } else if (read_word(word, &digits, &read)) {
            node = doc_node(builder, read.kind, place, word);
            node->integer = read.integer;
            if (read.kind == DOC_DOUBLE)
                node->real = read.real;
            else if (read.kind == DOC_BOOL)
                node->flag = read.flag;
        } else if (word.len) {
            result = doc_fail(builder, -EBADMSG, place,
                              "'%.*s' is no value: texts stand in quotes, and numbers, dates and "
                              "true or false are written as TOML has them",
                              (int)(word.len < 60 ? word.len : 60), word.ptr);
        } else {
            reader->at = begin;
            result = toml_unexpected(reader, "expected a value");
        }
    }
    buf_done(&text);
    buf_done(&digits);
    if (node)
        *ret = node;
    return result;
}
