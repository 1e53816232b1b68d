#include <errno.h>
#include <math.h>

#include "base/text.h"
#include "schema/build.h"

/* The defaults of proto2, https://protobuf.dev/programming-guides/proto2/#optional . */

static int octal_or_hex(const char **at, const char *end) {
    const char *p = *at;
    bool hex = p < end && (*p == 'x' || *p == 'X');
    int value = 0, digits = 0, most = hex ? 2 : 3;
    for (p += hex; p < end && digits < most; p++, digits++) {
        int c = *p | 0x20, digit = *p >= '0' && *p <= '9'        ? *p - '0'
                                   : hex && c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                                 : 16;
        if (digit >= (hex ? 16 : 8))
            break;
        value = value * (hex ? 16 : 8) + digit;
    }
    *at = p;
    return digits && value < 256 ? value : -1;
}

/* Undoes C escapes; false when they are malformed. `out` has room for text.len bytes. */
static bool unescape(Span text, char *out, size_t *ret_len) {
    static const char names[] = "abfnrtv\\'\"?", values[] = "\a\b\f\n\r\t\v\\'\"?";
    const char *at = text.ptr, *end = text.ptr + text.len;
    size_t len = 0;
    while (at < end) {
        if (*at != '\\') {
            out[len++] = *at++;
            continue;
        }
        if (++at == end)
            return false;
        const char *name = memchr(names, *at, sizeof names - 1);
        if (name) {
            out[len++] = values[name - names];
            at++;
            continue;
        }
        int byte = octal_or_hex(&at, end);
        if (byte < 0)
            return false;
        out[len++] = (char)byte;
    }
    *ret_len = len;
    return true;
}

static bool parse_bytes(Build *build, Span text, Span *ret) {
    char *out = arena_alloc(&build->tables, text.len);
    ret->ptr = out;
    return unescape(text, out, &ret->len);
}

/* "inf", "-inf", "nan", or a number. */
static bool parse_real(Span text, double *ret) {
    if (span_equal(text, SPAN("inf")))
        *ret = INFINITY;
    else if (span_equal(text, SPAN("-inf")))
        *ret = -INFINITY;
    else if (span_equal(text, SPAN("nan")) || span_equal(text, SPAN("-nan")))
        *ret = NAN;
    else
        return parse_double(text, ret);
    return true;
}

static bool parse_integer(Span text, int64_t least, int64_t most, int64_t *ret) {
    return parse_i64(text, ret) && *ret >= least && *ret <= most;
}

/* Writes the default to where the value lies in the image. */
static bool parse_default(Build *build, const SchemaField *field, Span text, void *value) {
    int64_t integer;
    double real;
    switch ((SchemaType)field->type) {
    case SCHEMA_BOOL:
        *(bool *)value = span_equal(text, SPAN("true"));
        return *(bool *)value || span_equal(text, SPAN("false"));
    case SCHEMA_INT32:
    case SCHEMA_SINT32:
    case SCHEMA_SFIXED32:
        if (!parse_integer(text, INT32_MIN, INT32_MAX, &integer))
            return false;
        *(int32_t *)value = (int32_t)integer;
        return true;
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        if (!parse_integer(text, 0, UINT32_MAX, &integer))
            return false;
        *(uint32_t *)value = (uint32_t)integer;
        return true;
    case SCHEMA_INT64:
    case SCHEMA_SINT64:
    case SCHEMA_SFIXED64:
        return parse_i64(text, value);
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        return parse_u64(text, value);
    case SCHEMA_DOUBLE:
        return parse_real(text, value);
    case SCHEMA_FLOAT:
        if (parse_float(text, value))
            return true;
        if (!parse_real(text, &real))
            return false;
        *(float *)value = (float)real;
        return true;
    case SCHEMA_STRING:
        *(Span *)value = arena_copy(&build->tables, text);
        return true;
    case SCHEMA_BYTES:
        return parse_bytes(build, text, value);
    case SCHEMA_ENUM:
        return schema_enum_number(field->enumeration, text, value);
    case SCHEMA_MESSAGE:
    case SCHEMA_GROUP:
        return false;
    }
    return false;
}

static bool is_zero(const void *bytes, size_t size) {
    const char *at = bytes;
    return size == 0 || (at[0] == 0 && memcmp(at, at + 1, size - 1) == 0);
}

int build_initial(Build *build, SchemaMessage *message,
                  const PbFieldDescriptorProto *const *protos) {
    char *image = NULL;
    for (size_t i = 0; i < message->field_count; i++) {
        const SchemaField *field = &message->fields[i];
        const PbFieldDescriptorProto *proto = protos[i];
        uint64_t value[2] = {0};
        bool stated = proto->has_default_value;
        if (stated && (field->shape != SCHEMA_SINGULAR ||
                       !(field->flags & (SCHEMA_HAS | SCHEMA_ONEOF_MEMBER)) ||
                       !parse_default(build, field, proto->default_value, value)))
            return build_refuse(build, span_of(message->full_name),
                                "the default '%.*s' does not suit its field '%s'",
                                SPAN_ARGS(proto->default_value), field->name);
        if (!stated && field->type == SCHEMA_ENUM &&
            ((field->flags & SCHEMA_HAS) || message->map_entry))
            *(int32_t *)value = field->enumeration->first;
        size_t size = schema_element_size(field);
        /* Members of a oneof share their place; an unset one has no default in it. */
        if (field->shape != SCHEMA_SINGULAR || (field->flags & SCHEMA_ONEOF_MEMBER) ||
            is_zero(value, size))
            continue;
        if (!image)
            image = arena_zalloc(&build->tables, message->size);
        memcpy(image + field->offset, value, size);
    }
    message->initial = image;
    return 0;
}
