#include "schema/json_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

/* ---- Errors --------------------------------------------------------------------------------- */

int json_fail(JsonReader *reader, const char *at, const char *format, ...) {
    char reason[sizeof reader->error->reason];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return schema_error_set(reader->error, -EBADMSG, (size_t)(at - reader->begin), "%s", reason);
}

int json_out_of_memory(JsonReader *reader) {
    return schema_error_set(reader->error, -ENOMEM, (size_t)(reader->at - reader->begin),
                            "more memory needed than allowed");
}

int json_too_deep(JsonReader *reader) {
    return schema_error_set(reader->error, -ELOOP, (size_t)(reader->at - reader->begin),
                            "nested deeper than allowed");
}

/* What stands at the current token, in words. */
static void describe(const JsonReader *reader, char out[24]) {
    if (reader->at == reader->end) {
        strcpy(out, "the end of the text");
        return;
    }
    unsigned char c = (unsigned char)*reader->at;
    const char *name = c == '"'                             ? "a string"
                       : c == '{'                           ? "an object"
                       : c == '['                           ? "a list"
                       : c == '-' || (c >= '0' && c <= '9') ? "a number"
                       : c == 't' || c == 'f'               ? "a boolean"
                       : c == 'n'                           ? "null"
                                                            : NULL;
    if (name)
        strcpy(out, name);
    else
        snprintf(out, 24, c > 0x20 && c < 0x7F ? "'%c'" : "byte 0x%02X", c);
}

int json_expected(JsonReader *reader, const char *what) {
    char found[24];
    json_peek(reader);
    describe(reader, found);
    return json_fail(reader, reader->at, "expected %s, found %s", what, found);
}

/* ---- Strings -------------------------------------------------------------------------------- */

/* Four hexadecimal digits; negative when they are not. */
static int32_t hex4(const char *at, const char *end) {
    if (end - at < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i], low = c | 0x20;
        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if (low >= 'a' && low <= 'f')
            value = value << 4 | (low - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* The character of \uXXXX, or of a surrogate pair \uXXXX\uXXXX; `at` stands behind the first u. */
static int read_unicode(JsonReader *reader, const char *at, const char **ret_at, char **out) {
    const char *escape = at - 2;
    int32_t unit = hex4(at, reader->end);
    if (unit < 0)
        return json_fail(reader, escape, "expected four hexadecimal digits after \\u");
    at += 4;
    uint32_t code = (uint32_t)unit;
    if (unit >= 0xD800 && unit <= 0xDFFF) {
        int32_t low = -1;
        if (unit < 0xDC00 && reader->end - at >= 6 && at[0] == '\\' && at[1] == 'u')
            low = hex4(at + 2, reader->end);
        if (low < 0xDC00 || low > 0xDFFF)
            return json_fail(reader, escape, "half of a surrogate pair without the other");
        code = 0x10000 + ((code - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
        at += 6;
    }
    *out += utf8_put(*out, code);
    *ret_at = at;
    return 0;
}

/* One escape; *at stands on its backslash. */
static int read_escape(JsonReader *reader, const char **at, char **out) {
    static const char plain[128] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    const char *escape = *at;
    uint8_t c = reader->end - escape >= 2 ? (uint8_t)escape[1] : 0;
    if (c == 'u')
        return read_unicode(reader, escape + 2, at, out);
    if (c >= 128 || !plain[c])
        return json_fail(reader, escape, "bad escape in a string");
    *(*out)++ = plain[c];
    *at = escape + 2;
    return 0;
}

/* `stop` is where a string's content was found to end: on its quote, or on what is wrong. */
static int check_string_end(JsonReader *reader, const char *stop) {
    if (stop == reader->end)
        return json_fail(reader, stop,
                         "expected '\"' at the end of a string, found the end of the "
                         "text");
    if (*stop != '"')
        return json_fail(reader, stop, "control character 0x%02X in a string", (uint8_t)*stop);
    return 0;
}

static int check_utf8(JsonReader *reader, const char *start, const char *stop) {
    Span content = span(start, (size_t)(stop - start));
    size_t valid = utf8_valid_length(content);
    return valid == content.len ? 0 : json_fail(reader, start + valid, "invalid UTF-8");
}

/* The quote that ends the string whose content contains `at`; NULL when there is none. */
static const char *closing_quote(const char *at, const char *end) {
    bool high = false;
    while ((at = json_find_special(at, end, &high)) != end && *at != '"')
        at += *at == '\\' && end - at >= 2 ? 2 : 1;
    return at == end ? NULL : at;
}

/* A string with escapes; `stop` stands on the first of them. Unescaping makes no text longer. */
static int read_escaped(JsonReader *reader, const char *start, const char *stop, Span *ret) {
    const char *close = closing_quote(stop, reader->end);
    if (!close)
        return check_string_end(reader, reader->end);
    char *content = arena_alloc(reader->arena, (size_t)(close - start));
    if (!content)
        return json_out_of_memory(reader);
    char *out = content;
    bool high = false;
    for (const char *at = start;;) {
        size_t run = json_copy_plain(out, at, (size_t)(close - at), &high);
        int r = high ? check_utf8(reader, at, at + run) : 0;
        if (r < 0)
            return r;
        out += run;
        at += run;
        if (at == close)
            break;
        if (*at != '\\')
            return check_string_end(reader, at);
        if ((r = read_escape(reader, &at, &out)) < 0)
            return r;
    }
    reader->at = close + 1;
    *ret = span(content, (size_t)(out - content));
    return 0;
}

int json_read_string(JsonReader *reader, Span *ret) {
    if (json_peek(reader) != '"')
        return json_expected(reader, "a string");
    const char *start = reader->at + 1;
    bool high = false;
    const char *stop = json_find_special(start, reader->end, &high);
    if (stop != reader->end && *stop == '\\')
        return read_escaped(reader, start, stop, ret);
    int r = check_string_end(reader, stop);
    if (r == 0 && high)
        r = check_utf8(reader, start, stop);
    if (r < 0)
        return r;
    reader->at = stop + 1;
    *ret = span(start, (size_t)(stop - start));
    return 0;
}

/* ---- Other tokens --------------------------------------------------------------------------- */

static const char *digits_end(const char *at, const char *end) {
    while (at != end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* At least one digit from `at` on; moves *ret_at behind the last. */
static int need_digits(JsonReader *reader, const char *at, const char **ret_at) {
    *ret_at = digits_end(at, reader->end);
    if (*ret_at != at)
        return 0;
    reader->at = at;
    return json_expected(reader, "a digit");
}

int json_read_number(JsonReader *reader, Span *ret) {
    char c = json_peek(reader);
    if (c != '-' && (c < '0' || c > '9'))
        return json_expected(reader, "a number");
    const char *start = reader->at, *at = start + (c == '-'), *digits = at;
    int r = need_digits(reader, at, &at);
    if (r == 0 && *digits == '0' && at - digits > 1)
        r = json_fail(reader, digits, "a number with a leading zero");
    if (r == 0 && at != reader->end && *at == '.')
        r = need_digits(reader, at + 1, &at);
    if (r == 0 && at != reader->end && (*at | 0x20) == 'e') {
        at++;
        if (at != reader->end && (*at == '+' || *at == '-'))
            at++;
        r = need_digits(reader, at, &at);
    }
    if (r < 0)
        return r;
    reader->at = at;
    *ret = span(start, (size_t)(at - start));
    return 0;
}

int json_read_literal(JsonReader *reader, Span literal) {
    json_peek(reader);
    if (!span_starts(span(reader->at, (size_t)(reader->end - reader->at)), literal))
        return json_fail(reader, reader->at, "expected %.*s", SPAN_ARGS(literal));
    reader->at += literal.len;
    return 0;
}

int json_read_name(JsonReader *reader, Span *ret_name) {
    if (json_peek(reader) != '"')
        return json_expected(reader, "a name in quotes");
    int r = json_read_string(reader, ret_name);
    return r < 0 ? r : json_take(reader, ':', "':'");
}

static int skip_members(JsonReader *reader, char close) {
    int r = json_enter(reader);
    if (r < 0)
        return r;
    reader->at++;
    for (bool first = true; (r = json_more(reader, close, &first)) > 0;) {
        Span name;
        if (close == '}' && (r = json_read_name(reader, &name)) < 0)
            return r;
        if ((r = json_skip(reader)) < 0)
            return r;
    }
    reader->depth++;
    return r;
}

int json_skip(JsonReader *reader) {
    Span ignored;
    switch (json_peek(reader)) {
    case '{':
        return skip_members(reader, '}');
    case '[':
        return skip_members(reader, ']');
    case '"':
        return json_read_string(reader, &ignored);
    case 't':
        return json_read_literal(reader, SPAN("true"));
    case 'f':
        return json_read_literal(reader, SPAN("false"));
    case 'n':
        return json_read_literal(reader, SPAN("null"));
    default:
        if (reader->at != reader->end &&
            (*reader->at == '-' || (*reader->at >= '0' && *reader->at <= '9')))
            return json_read_number(reader, &ignored);
        return json_expected(reader, "a value");
    }
}
