#include "schema/build.h"

/* The JSON code relies on the shape of these types, and a descriptor from outside may claim any
 * name; so the shape is checked. */

#define FIELDS_MAX 6

typedef struct WellKnownField {
    uint8_t type; /* SchemaType; field i of the list has number i + 1 */
    uint8_t shape;
    uint8_t flags; /* SCHEMA_ONEOF_MEMBER or none */
    const char *message;
} WellKnownField;

typedef struct WellKnown {
    const char *name;
    SchemaWellKnown kind;
    uint8_t field_count;
    WellKnownField fields[FIELDS_MAX];
} WellKnown;

#define WRAPPER(name, kind)                                                                        \
    {                                                                                              \
        "google.protobuf." name, SCHEMA_WRAPPER, 1, {                                              \
            { .type = kind }                                                                       \
        }                                                                                          \
    }

static const WellKnown known_types[] = {
    {"google.protobuf.Any", SCHEMA_ANY, 2, {{.type = SCHEMA_STRING}, {.type = SCHEMA_BYTES}}},
    {"google.protobuf.Timestamp",
     SCHEMA_TIMESTAMP,
     2,
     {{.type = SCHEMA_INT64}, {.type = SCHEMA_INT32}}},
    {"google.protobuf.Duration",
     SCHEMA_DURATION,
     2,
     {{.type = SCHEMA_INT64}, {.type = SCHEMA_INT32}}},
    {"google.protobuf.FieldMask",
     SCHEMA_FIELD_MASK,
     1,
     {{.type = SCHEMA_STRING, .shape = SCHEMA_REPEATED_FIELD}}},
    {"google.protobuf.Struct",
     SCHEMA_STRUCT,
     1,
     {{SCHEMA_MESSAGE, SCHEMA_MAP, 0, "google.protobuf.Struct.FieldsEntry"}}},
    {"google.protobuf.Value",
     SCHEMA_VALUE,
     6,
     {{.type = SCHEMA_ENUM, .flags = SCHEMA_ONEOF_MEMBER},
      {.type = SCHEMA_DOUBLE, .flags = SCHEMA_ONEOF_MEMBER},
      {.type = SCHEMA_STRING, .flags = SCHEMA_ONEOF_MEMBER},
      {.type = SCHEMA_BOOL, .flags = SCHEMA_ONEOF_MEMBER},
      {SCHEMA_MESSAGE, SCHEMA_SINGULAR, SCHEMA_ONEOF_MEMBER, "google.protobuf.Struct"},
      {SCHEMA_MESSAGE, SCHEMA_SINGULAR, SCHEMA_ONEOF_MEMBER, "google.protobuf.ListValue"}}},
    {"google.protobuf.ListValue",
     SCHEMA_LIST_VALUE,
     1,
     {{SCHEMA_MESSAGE, SCHEMA_REPEATED_FIELD, 0, "google.protobuf.Value"}}},
    WRAPPER("DoubleValue", SCHEMA_DOUBLE),
    WRAPPER("FloatValue", SCHEMA_FLOAT),
    WRAPPER("Int64Value", SCHEMA_INT64),
    WRAPPER("UInt64Value", SCHEMA_UINT64),
    WRAPPER("Int32Value", SCHEMA_INT32),
    WRAPPER("UInt32Value", SCHEMA_UINT32),
    WRAPPER("BoolValue", SCHEMA_BOOL),
    WRAPPER("StringValue", SCHEMA_STRING),
    WRAPPER("BytesValue", SCHEMA_BYTES),
};

static const WellKnown *find(Span full_name) {
    for (size_t i = 0; i < sizeof known_types / sizeof known_types[0]; i++)
        if (span_equal(span_of(known_types[i].name), full_name))
            return &known_types[i];
    return NULL;
}

SchemaWellKnown well_known_by_name(Span full_name) {
    const WellKnown *known = find(full_name);
    return known ? known->kind : SCHEMA_ORDINARY;
}

/* A message inside it must itself be as it should: the entry of Struct's map holds Values, and
 * the others are well known under the name that is asked for. */
static bool message_fits(const SchemaMessage *message, const char *name) {
    if (strcmp(message->full_name, name) != 0)
        return false;
    if (!message->map_entry)
        return message->well_known != SCHEMA_ORDINARY;
    const SchemaField *value = &message->fields[1];
    return message->fields[0].type == SCHEMA_STRING && value->type == SCHEMA_MESSAGE &&
           value->message->well_known == SCHEMA_VALUE;
}

bool well_known_fits(const SchemaMessage *message) {
    const WellKnown *known = find(span_of(message->full_name));
    if (message->field_count != known->field_count || message->dense != known->field_count)
        return false;
    for (size_t i = 0; i < known->field_count; i++) {
        const SchemaField *field = &message->fields[i];
        const WellKnownField *wanted = &known->fields[i];
        uint8_t presence = field->flags & (SCHEMA_HAS | SCHEMA_ONEOF_MEMBER | SCHEMA_REQUIRED);
        if (field->type != wanted->type || field->shape != wanted->shape ||
            presence != wanted->flags)
            return false;
        if (wanted->message && !message_fits(field->message, wanted->message))
            return false;
    }
    return message->oneof_count == (known->kind == SCHEMA_VALUE);
}
