/* Messages to JSON: one walk over the fields, straight into the text. */
#include "schema/json_encode.h"

#include <errno.h>

#include "schema/types.h"

/* ---- Scalars -------------------------------------------------------------------------------- */

/* Room that covers any number in quotes. */
#define NUMBER_ROOM 24

static void write_integer(JsonWriter *writer, int64_t value) {
    writer->out->len += format_i64(buf_reserve(writer->out, NUMBER_ROOM), value);
}

/* 64 bits do not fit the numbers of JavaScript, so they go in quotes. */
static void write_quoted(JsonWriter *writer, uint64_t value, bool is_signed) {
    char *start = buf_reserve(writer->out, NUMBER_ROOM), *at = start;
    *at++ = '"';
    at += is_signed ? format_i64(at, (int64_t)value) : format_u64(at, value);
    *at++ = '"';
    writer->out->len += (size_t)(at - start);
}

/* The first declared value of that number; most enums count from their first value without a
 * gap. */
static const SchemaEnumValue *find_value(const SchemaEnum *type, int32_t number) {
    size_t guess = (size_t)((int64_t)number - type->values[0].number);
    if (guess < type->count && type->values[guess].number == number &&
        (guess == 0 || type->values[guess - 1].number != number))
        return &type->values[guess];
    size_t low = 0, high = type->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (type->values[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < type->count && type->values[low].number == number ? &type->values[low] : NULL;
}

static void write_enum(JsonWriter *writer, const SchemaEnum *type, int32_t number) {
    const SchemaEnumValue *value = find_value(type, number);
    if (value && strcmp(type->full_name, "google.protobuf.NullValue") == 0)
        return buf_add_literal(writer->out, "null");
    if (!value || writer->options->enum_numbers)
        return write_integer(writer, number);
    char *start = buf_reserve(writer->out, value->name_len + 2u), *at = start;
    *at++ = '"';
    at = json_copy_short(at, value->name, value->name_len);
    *at++ = '"';
    writer->out->len += (size_t)(at - start);
}

static int write_scalar(JsonWriter *writer, const SchemaField *field, const void *value) {
    switch ((SchemaType)field->type) {
    case SCHEMA_STRING:
        return json_write_string(writer, *(const Span *)value);
    case SCHEMA_BYTES:
        json_write_base64(writer, *(const Span *)value);
        return 0;
    case SCHEMA_BOOL:
        buf_add(writer->out, *(const bool *)value ? SPAN("true") : SPAN("false"));
        return 0;
    case SCHEMA_ENUM:
        write_enum(writer, field->enumeration, *(const int32_t *)value);
        return 0;
    case SCHEMA_DOUBLE:
        json_write_double(writer, *(const double *)value);
        return 0;
    case SCHEMA_FLOAT:
        json_write_float(writer, *(const float *)value);
        return 0;
    case SCHEMA_INT32:
    case SCHEMA_SINT32:
    case SCHEMA_SFIXED32:
        write_integer(writer, *(const int32_t *)value);
        return 0;
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        write_integer(writer, *(const uint32_t *)value);
        return 0;
    case SCHEMA_INT64:
    case SCHEMA_SINT64:
    case SCHEMA_SFIXED64:
        write_quoted(writer, *(const uint64_t *)value, true);
        return 0;
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        write_quoted(writer, *(const uint64_t *)value, false);
        return 0;
    case SCHEMA_MESSAGE:
    case SCHEMA_GROUP:
        break;
    }
    __builtin_unreachable();
}

/* ---- Lists, maps ---------------------------------------------------------------------------- */

static int write_list(JsonWriter *writer, const SchemaField *field, const SchemaArray *array) {
    size_t size = element_size(field);
    bool messages = type_is_message(field->type);
    json_open(writer, '[');
    for (uint32_t i = 0; i < array->count; i++) {
        const void *element = (const char *)array->items + i * size;
        json_begin_element(writer, i == 0);
        int r = messages ? json_write_message(writer, field->message, element)
                         : write_scalar(writer, field, element);
        if (r < 0) {
            schema_error_in_element(writer->error, i);
            return r;
        }
    }
    json_close(writer, ']', array->count == 0);
    return 0;
}

/* A singular value. A map entry from elsewhere may lack its message: then it is an empty one. */
static int write_singular(JsonWriter *writer, const SchemaField *field, const void *message) {
    const void *value = schema_at(message, field);
    if (!type_is_message(field->type))
        return write_scalar(writer, field, value);
    value = *(void *const *)value;
    if (!value)
        value = schema_new(field->message, &writer->scratch);
    return json_write_message(writer, field->message, value);
}

static int write_key(JsonWriter *writer, const SchemaField *key, const void *entry) {
    const void *value = schema_at(entry, key);
    bool quoted = key->type == SCHEMA_STRING || (type_size(key->type) == 8);
    if (!quoted)
        buf_add_char(writer->out, '"');
    int r = write_scalar(writer, key, value);
    if (!quoted)
        buf_add_char(writer->out, '"');
    buf_add(writer->out, writer->options->indent ? SPAN(": ") : SPAN(":"));
    return r;
}

static int write_entry(JsonWriter *writer, const SchemaMessage *type, const void *entry) {
    const SchemaField *key = &type->fields[0];
    size_t start = writer->out->len;
    int r = write_key(writer, key, entry);
    if (r < 0)
        return r;
    size_t colon = writer->options->indent ? 2 : 1, len = writer->out->len - start - colon;
    if ((r = write_singular(writer, &type->fields[1], entry)) < 0)
        schema_error_in_entry(writer->error, span(writer->out->ptr + start + 1, len - 2));
    return r;
}

static int write_map(JsonWriter *writer, const SchemaField *field, const SchemaArray *array) {
    const SchemaMessage *entry = field->message;
    json_open(writer, '{');
    for (uint32_t i = 0; i < array->count; i++) {
        json_begin_element(writer, i == 0);
        int r = write_entry(writer, entry, (const char *)array->items + (size_t)i * entry->size);
        if (r < 0)
            return r;
    }
    json_close(writer, '}', array->count == 0);
    return 0;
}

/* ---- Messages ------------------------------------------------------------------------------- */

int json_write_field(JsonWriter *writer, const SchemaField *field, const void *message) {
    if (field->shape == SCHEMA_SINGULAR)
        return write_singular(writer, field, message);
    if (field->shape == SCHEMA_MAP)
        return write_map(writer, field, schema_at(message, field));
    return write_list(writer, field, schema_at(message, field));
}

/* Whether the field has no presence, so that its empty value says something. */
static bool lacks_presence(const SchemaField *field) {
    return field->shape != SCHEMA_SINGULAR ||
           (!type_is_message(field->type) && !(field->flags & (SCHEMA_HAS | SCHEMA_ONEOF_MEMBER)));
}

int json_write_fields(JsonWriter *writer, const SchemaMessage *type, const void *message,
                      bool *first) {
    const SchemaJson *options = writer->options;
    for (size_t i = 0; i < type->field_count; i++) {
        const SchemaField *field = &type->fields[i];
        if (!field_is_set(message, field) && !(options->emit_defaults && lacks_presence(field)))
            continue;
        const char *name = options->proto_names ? field->name : field->json_name;
        size_t len = options->proto_names ? field->name_len : field->json_name_len;
        json_begin_member(writer, *first, name, len, NUMBER_ROOM);
        *first = false;
        int r = json_write_field(writer, field, message);
        if (r < 0) {
            schema_error_in_field(writer->error, field);
            return r;
        }
    }
    return 0;
}

int json_write_message(JsonWriter *writer, const SchemaMessage *type, const void *message) {
    if (type->well_known != SCHEMA_ORDINARY)
        return json_write_known(writer, type, message);
    if (writer->depth == 0)
        return json_write_too_deep(writer);
    writer->depth--;
    bool empty = true;
    json_open(writer, '{');
    int r = json_write_fields(writer, type, message, &empty);
    json_close(writer, '}', empty);
    writer->depth++;
    return r;
}

int schema_json_encode(const SchemaMessage *type, const void *message, const SchemaJson *options,
                       Buf *out, SchemaError *error) {
    static const SchemaJson defaults;
    if (!options)
        options = &defaults;
    JsonWriter writer = {.out = out,
                         .options = options,
                         .error = error,
                         .depth = options->depth ? options->depth : SCHEMA_DEPTH_MAX};
    size_t before = out->len;
    int r = json_write_message(&writer, type, message);
    if (r < 0)
        out->len = before;
    arena_done(&writer.scratch);
    return r;
}
