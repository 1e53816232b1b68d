/* The well-known types, to JSON. */
#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "schema/json_encode.h"
#include "schema/json_known.h"

/* Bytes of a string that an error shows at most. */
#define SHOWN 80

/* ---- Timestamp, Duration -------------------------------------------------------------------- */

static int write_timestamp(JsonWriter *writer, const SchemaMessage *type, const void *message) {
    int64_t seconds = *known_seconds(type, message);
    int32_t nanos = *known_nanos(type, message);
    if (seconds < RFC3339_SECONDS_MIN || seconds > RFC3339_SECONDS_MAX)
        return json_cannot(writer, "a time outside the years 0001 to 9999");
    if (nanos < 0 || nanos > NANOS_MAX)
        return json_cannot(writer, "nanoseconds outside 0 to 999999999");
    char *start = buf_reserve(writer->out, RFC3339_MAX + 2), *at = start;
    *at++ = '"';
    at += format_rfc3339(at, seconds, nanos, -1);
    *at++ = '"';
    writer->out->len += (size_t)(at - start);
    return 0;
}

/* A fraction of a second with 3, 6 or 9 digits, the fewest that lose nothing; none for 0. */
static char *put_fraction(char *at, uint32_t nanos) {
    if (nanos == 0)
        return at;
    int digits = nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
    for (int i = digits; i < 9; i++)
        nanos /= 10;
    *at++ = '.';
    for (int i = digits; i-- > 0; nanos /= 10)
        at[i] = (char)('0' + nanos % 10);
    return at + digits;
}

static int write_duration(JsonWriter *writer, const SchemaMessage *type, const void *message) {
    int64_t seconds = *known_seconds(type, message);
    int32_t nanos = *known_nanos(type, message);
    if (seconds < -DURATION_SECONDS_MAX || seconds > DURATION_SECONDS_MAX)
        return json_cannot(writer, "a duration of more than 315576000000 seconds");
    if (nanos < -NANOS_MAX || nanos > NANOS_MAX)
        return json_cannot(writer, "nanoseconds outside -999999999 to 999999999");
    if ((seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
        return json_cannot(writer, "seconds and nanoseconds of different sign");
    bool negative = seconds < 0 || nanos < 0;
    char *start = buf_reserve(writer->out, RFC3339_MAX), *at = start;
    *at++ = '"';
    if (negative)
        *at++ = '-';
    at += format_u64(at, (uint64_t)(negative ? -seconds : seconds));
    at = put_fraction(at, (uint32_t)(negative ? -nanos : nanos));
    *at++ = 's';
    *at++ = '"';
    writer->out->len += (size_t)(at - start);
    return 0;
}

/* ---- FieldMask ------------------------------------------------------------------------------ */

/* Adds one path in camel case. False when it would not come back as it was. */
static bool add_path(Buf *text, Span path) {
    if (path.len == 0)
        return false;
    char *start = buf_reserve(text, path.len), *at = start;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c == '_') {
            c = i + 1 < path.len ? path.ptr[++i] : '\0';
            if (c < 'a' || c > 'z')
                return false;
            *at++ = (char)(c - 'a' + 'A');
            continue;
        }
        if (c == ',' || (c >= 'A' && c <= 'Z'))
            return false;
        *at++ = c;
    }
    text->len += (size_t)(at - start);
    return true;
}

static int write_field_mask(JsonWriter *writer, const SchemaMessage *type, const void *message) {
    const SchemaArray *paths = known_at(type, message, FIELD_MASK_PATHS);
    Buf text = {.arena = &writer->scratch};
    for (uint32_t i = 0; i < paths->count; i++) {
        Span path = ((const Span *)paths->items)[i];
        if (i)
            buf_add_char(&text, ',');
        if (!add_path(&text, path)) {
            return json_cannot(writer, "path '%.*s' does not survive camel case",
                               schema_shown(path, SHOWN), path.ptr);
        }
    }
    return json_write_string(writer, buf_span(&text));
}

/* ---- Struct, Value, ListValue --------------------------------------------------------------- */

static int write_value(JsonWriter *writer, const SchemaMessage *type, const void *message) {
    const SchemaField *field = schema_field_by_number(type, VALUE_NULL);
    int32_t kind = *(const int32_t *)((const char *)message + field->presence);
    field = schema_field_by_number(type, (uint32_t)kind);
    if (!field)
        return json_cannot(writer, "a google.protobuf.Value without a kind");
    if (kind == VALUE_NULL) {
        buf_add_literal(writer->out, "null");
        return 0;
    }
    if (kind == VALUE_NUMBER && !isfinite(*(const double *)schema_at(message, field)))
        return json_cannot(writer, "a google.protobuf.Value that is not finite");
    return json_write_field(writer, field, message);
}

static int write_container(JsonWriter *writer, const SchemaMessage *type, const void *message,
                           uint32_t number) {
    if (writer->depth == 0)
        return json_write_too_deep(writer);
    writer->depth--;
    int r = json_write_field(writer, schema_field_by_number(type, number), message);
    writer->depth++;
    return r;
}

/* One level of nesting in JSON is up to three in messages: a Value, its Struct, the map's entry. */
#define MESSAGES_A_LEVEL 3

/* ---- Any ------------------------------------------------------------------------------------ */

/* The content of an Any, decoded. */
static int unpack(JsonWriter *writer, Span url, Span bytes, const SchemaMessage **ret_type,
                  void **ret) {
    Span name;
    if (!known_type_name(url, &name))
        return json_cannot(writer, "expected a type URL with a '/', found '%.*s'",
                           schema_shown(url, SHOWN), url.ptr);
    const SchemaPool *types = writer->options->types;
    *ret_type = types ? schema_pool_message(types, name) : NULL;
    if (!*ret_type)
        return json_cannot(writer, "type '%.*s' is not known", schema_shown(name, SHOWN), name.ptr);
    SchemaError inner;
    const SchemaDecode options = {.depth = MESSAGES_A_LEVEL * writer->depth};
    int r = schema_decode(*ret_type, bytes, &options, &writer->scratch, ret, &inner);
    if (r < 0)
        return schema_error_set(writer->error, r, 0, "malformed %.*s: %s",
                                schema_shown(name, SHOWN), name.ptr, inner.reason);
    return 0;
}

static int write_content(JsonWriter *writer, const SchemaMessage *type, const void *content) {
    bool first = false;
    if (type->well_known == SCHEMA_ORDINARY)
        return json_write_fields(writer, type, content, &first);
    json_begin_member(writer, first, "value", strlen("value"), 0);
    return json_write_message(writer, type, content);
}

static int write_any(JsonWriter *writer, const SchemaMessage *type, const void *message) {
    Span url = *(const Span *)known_at(type, message, ANY_TYPE_URL);
    Span bytes = *(const Span *)known_at(type, message, ANY_VALUE);
    if (url.len == 0 && bytes.len == 0) {
        buf_add_literal(writer->out, "{}");
        return 0;
    }
    if (writer->depth == 0)
        return json_write_too_deep(writer);
    const SchemaMessage *inner;
    void *content;
    int r = unpack(writer, url, bytes, &inner, &content);
    if (r < 0)
        return r;
    writer->depth--;
    json_open(writer, '{');
    json_begin_member(writer, true, "@type", strlen("@type"), 0);
    if ((r = json_write_string(writer, url)) < 0 || (r = write_content(writer, inner, content)) < 0)
        return r;
    json_close(writer, '}', false);
    writer->depth++;
    return 0;
}

int json_write_known(JsonWriter *writer, const SchemaMessage *type, const void *message) {
    switch ((SchemaWellKnown)type->well_known) {
    case SCHEMA_ANY:
        return write_any(writer, type, message);
    case SCHEMA_TIMESTAMP:
        return write_timestamp(writer, type, message);
    case SCHEMA_DURATION:
        return write_duration(writer, type, message);
    case SCHEMA_FIELD_MASK:
        return write_field_mask(writer, type, message);
    case SCHEMA_STRUCT:
        return write_container(writer, type, message, STRUCT_FIELDS);
    case SCHEMA_VALUE:
        return write_value(writer, type, message);
    case SCHEMA_LIST_VALUE:
        return write_container(writer, type, message, LIST_VALUES);
    case SCHEMA_WRAPPER:
        return json_write_field(writer, schema_field_by_number(type, WRAPPER_VALUE), message);
    case SCHEMA_ORDINARY:
        break;
    }
    __builtin_unreachable();
}
