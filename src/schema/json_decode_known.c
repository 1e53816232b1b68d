/* The well-known types, from JSON. */
#include <errno.h>

#include "base/clock.h"
#include "base/text.h"
#include "schema/json_decode.h"
#include "schema/json_known.h"
#include "schema/json_number.h"

/* Bytes of a string that an error shows at most. */
#define SHOWN 60

/* ---- Timestamp, Duration -------------------------------------------------------------------- */

static int read_timestamp(JsonReader *reader, const SchemaMessage *type, void *message) {
    Span text;
    const char *place = reader->at;
    int r = json_read_string(reader, &text);
    if (r < 0)
        return r;
    if (!parse_rfc3339(text, known_seconds(type, message), known_nanos(type, message)))
        return json_fail(reader, place, "expected a time as in RFC 3339, found \"%.*s\"",
                         schema_shown(text, SHOWN), text.ptr);
    return 0;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* "-1.5s": an optional '-', digits, optionally '.' and up to 9 digits, 's'. Both results carry
 * the sign. */
static bool parse_duration(Span text, int64_t *ret_seconds, int32_t *ret_nanos) {
    const char *at = text.ptr, *end = text.ptr + text.len;
    int sign = at != end && *at == '-' ? -1 : 1;
    at += sign < 0;
    const char *digits = at;
    int64_t seconds = 0;
    for (; at != end && is_digit(*at); at++)
        if ((seconds = seconds * 10 + (*at - '0')) > DURATION_SECONDS_MAX)
            return false;
    if (at == digits || at == end)
        return false;
    int32_t nanos = 0;
    if (*at == '.') {
        int count = 0;
        for (at++; at != end && is_digit(*at) && count < 9; at++, count++)
            nanos = nanos * 10 + (*at - '0');
        if (count == 0)
            return false;
        for (; count < 9; count++)
            nanos *= 10;
    }
    if (end - at != 1 || *at != 's')
        return false;
    *ret_seconds = sign * seconds;
    *ret_nanos = sign * nanos;
    return true;
}

static int read_duration(JsonReader *reader, const SchemaMessage *type, void *message) {
    Span text;
    const char *place = reader->at;
    int r = json_read_string(reader, &text);
    if (r < 0)
        return r;
    if (!parse_duration(text, known_seconds(type, message), known_nanos(type, message)))
        return json_fail(reader, place, "expected a duration such as \"1.5s\", found \"%.*s\"",
                         schema_shown(text, SHOWN), text.ptr);
    return 0;
}

/* ---- FieldMask ------------------------------------------------------------------------------ */

/* One path from camel case; each capital takes a byte more. False when it has an underscore,
 * which the way back would not give. */
static bool snake_case(char *out, Span path, size_t *ret_len) {
    char *at = out;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c == '_')
            return false;
        bool capital = c >= 'A' && c <= 'Z';
        if (capital)
            *at++ = '_';
        *at++ = capital ? (char)(c | 0x20) : c;
    }
    *ret_len = (size_t)(at - out);
    return path.len != 0;
}

static int read_path(JsonReader *reader, const char *place, Span path, SchemaArray *paths) {
    Span *added = schema_append_(paths, sizeof *added, reader->arena);
    char *out = arena_alloc(reader->arena, 2 * path.len);
    if (!added || !out)
        return json_out_of_memory(reader);
    size_t len;
    if (!snake_case(out, path, &len))
        return json_fail(reader, place, "\"%.*s\" is no path in camel case",
                         schema_shown(path, SHOWN), path.ptr);
    *added = span(out, len);
    return 0;
}

static int read_field_mask(JsonReader *reader, const SchemaMessage *type, void *message) {
    SchemaArray *paths = known_at(type, message, FIELD_MASK_PATHS);
    const char *place = reader->at;
    Span text;
    int r = json_read_string(reader, &text);
    if (r < 0 || text.len == 0)
        return r;
    for (const char *at = text.ptr, *end = at + text.len;; at++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if ((r = read_path(reader, place, span(at, (size_t)(stop - at)), paths)) < 0 || !comma)
            return r;
        at = comma;
    }
}

/* ---- Struct, Value, ListValue --------------------------------------------------------------- */

/* The kind of a Value that the token at hand begins. */
static uint32_t value_kind(JsonReader *reader) {
    char c = json_peek(reader);
    switch (c) {
    case 'n':
        return VALUE_NULL;
    case '"':
        return VALUE_STRING;
    case 't':
    case 'f':
        return VALUE_BOOL;
    case '{':
        return VALUE_STRUCT;
    case '[':
        return VALUE_LIST;
    default:
        return c == '-' || is_digit(c) ? VALUE_NUMBER : 0;
    }
}

static int read_value(JsonReader *reader, const SchemaMessage *type, void *message) {
    uint32_t kind = value_kind(reader);
    if (!kind)
        return json_expected(reader, "a value");
    return json_read_field(reader, schema_field_by_number(type, kind), message);
}

/* A Struct is written as its map, a ListValue as its list. */
static int read_container(JsonReader *reader, const SchemaMessage *type, void *message,
                          uint32_t number) {
    int r = json_enter(reader);
    if (r < 0)
        return r;
    r = json_read_field(reader, schema_field_by_number(type, number), message);
    reader->depth++;
    return r;
}

/* ---- Any ------------------------------------------------------------------------------------ */

/* Anys inside each other whose "@type" stands last are read once for each level, which adds up. */
static int count_look_ahead(JsonReader *reader, const JsonReader *scout, const char *from) {
    size_t bytes = (size_t)(scout->at - from);
    if (bytes > reader->look_ahead)
        return json_fail(reader, reader->at, "\"@type\" stands too far behind too often");
    reader->look_ahead -= bytes;
    return 0;
}

/* Looks through the object at hand, without leaving its start, for the member "@type". *ret_url
 * is left empty when there is none; *ret_empty tells whether there is no member at all. */
static int find_type(JsonReader *reader, Span *ret_url, const char **ret_place, bool *ret_empty) {
    JsonReader scout = *reader;
    int r = json_enter(&scout);
    if (r < 0)
        return r;
    scout.at++;
    *ret_empty = true;
    for (bool first = true; (r = json_more(&scout, '}', &first)) > 0; *ret_empty = false) {
        Span name;
        if ((r = json_read_name(&scout, &name)) < 0)
            return r;
        if (span_equal(name, SPAN("@type"))) {
            json_peek(&scout);
            *ret_place = scout.at;
            *ret_empty = false;
            return json_read_string(&scout, ret_url);
        }
        const char *value = scout.at;
        if ((r = json_skip(&scout)) < 0 || (r = count_look_ahead(reader, &scout, value)) < 0)
            return r;
    }
    return r;
}

static int resolve(JsonReader *reader, const char *place, Span url, const SchemaMessage **ret) {
    Span name;
    if (!known_type_name(url, &name))
        return json_fail(reader, place, "expected a type URL with a '/', found \"%.*s\"",
                         schema_shown(url, SHOWN), url.ptr);
    const SchemaPool *types = reader->options->types;
    *ret = types ? schema_pool_message(types, name) : NULL;
    if (!*ret)
        return json_fail(reader, place, "type '%.*s' is not known", schema_shown(name, 120),
                         name.ptr);
    return 0;
}

/* {"@type": …, "value": …} in any order, where the value is that of a well-known type. */
static int read_known_in_any(JsonReader *reader, const SchemaMessage *type, void *message) {
    int r = json_enter(reader);
    if (r < 0)
        return r;
    const char *object = reader->at++;
    bool type_seen = false, value_seen = false;
    for (bool first = true; (r = json_more(reader, '}', &first)) > 0;) {
        const char *place = reader->at;
        Span name;
        if ((r = json_read_name(reader, &name)) < 0)
            return r;
        bool is_type = span_equal(name, SPAN("@type")), is_value = span_equal(name, SPAN("value"));
        if ((is_type && type_seen) || (is_value && value_seen))
            return json_fail(reader, place, "the field is given twice");
        if (!is_type && !is_value && !reader->options->ignore_unknown)
            return json_fail(reader, place, "expected \"@type\" and \"value\" alone");
        type_seen |= is_type;
        value_seen |= is_value;
        json_peek(reader);
        r = is_value ? json_read_message(reader, type, message) : json_skip(reader);
        if (r < 0)
            return r;
    }
    reader->depth++;
    return value_seen ? r : json_fail(reader, object, "expected a member \"value\"");
}

static int pack(JsonReader *reader, const SchemaMessage *type, const void *content, Span *ret) {
    int r = json_check_required(reader, type, content);
    if (r < 0)
        return r;
    r = schema_encode(type, content, 0, reader->arena, ret);
    return r == -ENOMEM ? json_out_of_memory(reader)
           : r < 0      ? json_fail(reader, reader->at, "the message is too large for an Any")
                        : 0;
}

static int read_any(JsonReader *reader, const SchemaMessage *type, void *message) {
    if (json_peek(reader) != '{')
        return json_expected(reader, "an object");
    Span url = {0};
    const char *object = reader->at, *place = object;
    bool empty;
    int r = find_type(reader, &url, &place, &empty);
    if (r < 0)
        return r;
    if (empty)
        return json_skip(reader);
    if (place == object)
        return json_fail(reader, object, "expected a member \"@type\"");
    const SchemaMessage *inner;
    if ((r = resolve(reader, place, url, &inner)) < 0)
        return r;
    void *content = schema_new(inner, reader->arena);
    if (!content)
        return json_out_of_memory(reader);
    r = inner->well_known == SCHEMA_ORDINARY ? json_read_fields(reader, inner, content, true)
                                             : read_known_in_any(reader, inner, content);
    if (r < 0)
        return r;
    *(Span *)known_at(type, message, ANY_TYPE_URL) = url;
    return pack(reader, inner, content, known_at(type, message, ANY_VALUE));
}

int json_read_known(JsonReader *reader, const SchemaMessage *type, void *message) {
    json_peek(reader);
    switch ((SchemaWellKnown)type->well_known) {
    case SCHEMA_ANY:
        return read_any(reader, type, message);
    case SCHEMA_TIMESTAMP:
        return read_timestamp(reader, type, message);
    case SCHEMA_DURATION:
        return read_duration(reader, type, message);
    case SCHEMA_FIELD_MASK:
        return read_field_mask(reader, type, message);
    case SCHEMA_STRUCT:
        return read_container(reader, type, message, STRUCT_FIELDS);
    case SCHEMA_VALUE:
        return read_value(reader, type, message);
    case SCHEMA_LIST_VALUE:
        return read_container(reader, type, message, LIST_VALUES);
    case SCHEMA_WRAPPER:
        return json_read_field(reader, schema_field_by_number(type, WRAPPER_VALUE), message);
    case SCHEMA_ORDINARY:
        break;
    }
    __builtin_unreachable();
}
