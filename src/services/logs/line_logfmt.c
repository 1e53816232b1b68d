/* logfmt: level=info msg="it is up" port=80 (https://brandur.org/logfmt). */
#include "base/text.h"
#include "schema/codec.h"
#include "services/logs/line.h"

static bool is_key(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("_.-@/", c));
}

/* A quoted value at `at` (behind the quote); escapes as in Go's and JSON's strings. */
static const char *read_quoted(const char *at, const char *end, Arena *arena, Span *ret) {
    const char *begin = at;
    bool escaped = false;
    for (; at < end && *at != '"'; at++)
        if (*at == '\\') {
            escaped = true;
            if (++at == end)
                return NULL;
        }
    if (at >= end)
        return NULL;
    *ret = span(begin, (size_t)(at - begin));
    if (!escaped)
        return at + 1;
    char *out = arena_alloc(arena, ret->len + 1), *to = out;
    for (size_t i = 0; i < ret->len; i++) {
        char c = begin[i];
        if (c == '\\') {
            c = begin[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? ' ' : c;
        }
        *to++ = c;
    }
    *ret = span(out, (size_t)(to - out));
    return at + 1;
}

static PbValue value_of(Span text, bool quoted) {
    double number;
    if (!quoted && parse_double(text, &number))
        return (PbValue){.number_value = number, .which_kind = PbValue_number_value_number};
    if (!quoted && (span_equal(text, SPAN("true")) || span_equal(text, SPAN("false"))))
        return (PbValue){.bool_value = text.len == 4, .which_kind = PbValue_bool_value_number};
    return (PbValue){.string_value = text, .which_kind = PbValue_string_value_number};
}

static bool says_logfmt(Span key) {
    static const char *const KEYS[] = {"level", "lvl", "msg", "message", "time", "ts", "severity"};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (span_equal(key, span_of(KEYS[i])))
            return true;
    return false;
}

static bool is_new(const PbStruct *object, Span key) {
    for (uint32_t i = 0; i < object->fields.count; i++)
        if (span_equal(object->fields.items[i].key, key))
            return false;
    return true;
}

bool line_logfmt(Span text, Arena *arena, PbStruct *ret) {
    const char *at = text.ptr, *end = span_end(text);
    PbStruct object = {0};
    bool known = false;
    uint32_t pairs = 0;
    while (at < end) {
        if (*at == ' ' || *at == '\n') {
            at++;
            continue;
        }
        const char *begin = at;
        while (at < end && is_key(*at))
            at++;
        Span key = span(begin, (size_t)(at - begin)), value;
        if (!key.len || at == end || *at != '=')
            return false;
        at++;
        bool quoted = at < end && *at == '"';
        if (quoted) {
            at = read_quoted(at + 1, end, arena, &value);
            if (!at || (at < end && *at != ' ' && *at != '\n'))
                return false;
        } else {
            begin = at;
            while (at < end && *at != ' ' && *at != '\n' && *at != '"')
                at++;
            if (at < end && *at == '"')
                return false;
            value = span(begin, (size_t)(at - begin));
        }
        known = known || says_logfmt(key);
        if (++pairs > LINE_ATTRIBUTES_MAX + 8 || !is_new(&object, key))
            continue;
        PbStructFieldsEntry *field = schema_append(&object.fields, arena);
        field->key = key;
        field->value = schema_new(&PbValue_type, arena);
        *field->value = value_of(value, quoted);
    }
    if (!known || pairs < 2)
        return false;
    *ret = object;
    return true;
}
