#include "schema/random_message.h"

#include <math.h>

#include "base/text.h"
#include "schema/entry_index.h"
#include "schema/types.h"

RandomMessage random_message(uint64_t seed) {
    return (RandomMessage){.state = seed, .depth = 3, .fill = 50, .most = 4};
}

uint64_t random_bits(RandomMessage *random) {
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t random_below(RandomMessage *random, uint32_t bound) {
    return (uint32_t)(random_bits(random) % bound);
}

/* Few bits as often as many, and the edges. */
static uint64_t random_number(RandomMessage *random) {
    switch (random_below(random, 8)) {
    case 0:
        return random_bits(random);
    case 1:
        return (uint64_t)1 << random_below(random, 64);
    case 2:
        return -((uint64_t)1 << random_below(random, 64));
    case 3:
        return ((uint64_t)1 << random_below(random, 64)) - 1;
    default:
        return random_bits(random) >> random_below(random, 64);
    }
}

static double random_double(RandomMessage *random) {
    static const double edges[] = {
        0.0, -0.0, 1.0, -1.5, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308};
    switch (random_below(random, 8)) {
    case 0:
        return (double)NAN;
    case 1:
        return -(double)INFINITY;
    case 2:
        return (double)(int64_t)random_number(random);
    case 3:
        return (double)(int64_t)random_bits(random) / 1e15;
    default:
        return edges[random_below(random, sizeof edges / sizeof *edges)];
    }
}

static uint32_t random_code_point(RandomMessage *random) {
    static const uint32_t bounds[] = {0x80, 0x80, 0x80, 0x800, 0xd800, 0x110000};
    uint32_t point = random_below(random, bounds[random_below(random, 6)]);
    return point >= 0xd800 && point < 0xe000 ? 0xfffd : point;
}

static Span random_text(RandomMessage *random, Arena *arena) {
    uint32_t characters = random_below(random, random->most * 4 + 1);
    char *text = arena_alloc(arena, (size_t)4 * characters);
    size_t len = 0;
    for (uint32_t i = 0; i < characters; i++)
        len += utf8_put(text + len, random_code_point(random));
    return span(text, len);
}

static Span random_bytes(RandomMessage *random, Arena *arena) {
    uint32_t len = random_below(random, random->most * 8 + 1);
    char *bytes = arena_alloc(arena, len);
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (char)random_bits(random);
    return span(bytes, len);
}

static int32_t random_enum(RandomMessage *random, const SchemaField *field) {
    const SchemaEnum *type = field->enumeration;
    if (!(field->flags & SCHEMA_CLOSED) && random_below(random, 8) == 0)
        return (int32_t)random_number(random);
    return type->values[random_below(random, type->count)].number;
}

static void fill_message(RandomMessage *random, const SchemaMessage *type, void *message,
                         Arena *arena);

static void fill_scalar(RandomMessage *random, const SchemaField *field, void *value,
                        Arena *arena) {
    uint64_t number = random_number(random);
    switch ((SchemaType)field->type) {
    case SCHEMA_BOOL:
        *(bool *)value = number & 1;
        return;
    case SCHEMA_FLOAT:
        *(float *)value = (float)random_double(random);
        return;
    case SCHEMA_DOUBLE:
        *(double *)value = random_double(random);
        return;
    case SCHEMA_ENUM:
        *(int32_t *)value = random_enum(random, field);
        return;
    case SCHEMA_STRING:
        *(Span *)value = random_text(random, arena);
        return;
    case SCHEMA_BYTES:
        *(Span *)value = random_bytes(random, arena);
        return;
    default:
        memcpy(value, &number, type_size(field->type));
    }
}

static void fill_elements(RandomMessage *random, const SchemaField *field, void *message,
                          Arena *arena) {
    SchemaArray *array = schema_at(message, field);
    for (uint32_t left = random_below(random, random->most + 1); left-- > 0;) {
        void *element = schema_append_(array, element_size(field), arena);
        if (type_is_message(field->type))
            fill_message(random, field->message, element, arena);
        else
            fill_scalar(random, field, element, arena);
    }
}

static void fill_map(RandomMessage *random, const SchemaField *field, void *message, Arena *arena) {
    SchemaArray *map = schema_at(message, field);
    const SchemaField *fields = field->message->fields;
    const EntryIndex linear = {0};
    for (uint32_t left = random_below(random, random->most + 1); left-- > 0;) {
        void *entry = schema_append_(map, field->message->size, arena);
        fill_scalar(random, &fields[0], schema_at(entry, &fields[0]), arena);
        map->count--;
        if (entry_index_find(&linear, field->message, map, entry) != ENTRY_NONE)
            continue;
        map->count++;
        void *value = schema_at(entry, &fields[1]);
        if (type_is_message(fields[1].type))
            *(void **)value = random_message_new(random, fields[1].message, arena);
        else
            fill_scalar(random, &fields[1], value, arena);
    }
}

static void fill_singular(RandomMessage *random, const SchemaField *field, char *message,
                          Arena *arena) {
    void *value = message + field->offset;
    if (type_is_message(field->type))
        *(void **)value = random_message_new(random, field->message, arena);
    else
        fill_scalar(random, field, value, arena);
    if (field->flags & SCHEMA_HAS)
        *(bool *)(message + field->presence) = true;
    if (field->flags & SCHEMA_ONEOF_MEMBER)
        *(int32_t *)(message + field->presence) = (int32_t)schema_number(field);
}

static void fill_field(RandomMessage *random, const SchemaField *field, void *message,
                       Arena *arena) {
    if (field->shape == SCHEMA_MAP)
        fill_map(random, field, message, arena);
    else if (field->shape == SCHEMA_REPEATED_FIELD)
        fill_elements(random, field, message, arena);
    else
        fill_singular(random, field, message, arena);
}

/* One to three fields of numbers that the type does not have. */
static void fill_unknown(RandomMessage *random, const SchemaMessage *type, void *message,
                         Arena *arena) {
    SchemaUnknown **end = message;
    for (uint32_t left = 1 + random_below(random, 3); left-- > 0;) {
        uint32_t number = 1 + random_below(random, left ? 100 : WIRE_NUMBER_MAX);
        if (schema_field_by_number(type, number))
            continue;
        char *bytes = arena_alloc(arena, WIRE_TAG_MAX + WIRE_VARINT_MAX);
        size_t len = wire_put_varint(bytes, (uint64_t)number << 3 | WIRE_VARINT);
        len += wire_put_varint(bytes + len, random_number(random));
        *end = arena_alloc(arena, sizeof **end);
        **end = (SchemaUnknown){.bytes = span(bytes, len)};
        end = &(*end)->next;
    }
}

/* The first two fields of Timestamp and Duration: seconds and nanoseconds, of one sign. */
static void fill_time(RandomMessage *random, const SchemaMessage *type, void *message) {
    bool duration = type->well_known == SCHEMA_DURATION;
    bool minus = duration && random_below(random, 2);
    int64_t seconds = random_bits(random) % (duration ? 315576000000 : 253402300799);
    int32_t nanos = (int32_t)random_below(random, 1000) * (random_below(random, 2) ? 1000000 : 1);
    *(int64_t *)schema_at(message, &type->fields[0]) = minus ? -seconds : seconds;
    *(int32_t *)schema_at(message, &type->fields[1]) = minus ? -nanos : nanos;
}

/* google.protobuf.Value: one kind must be set, numbers are finite. */
static void fill_value(RandomMessage *random, const SchemaMessage *type, void *message,
                       Arena *arena) {
    enum { NULL_VALUE, NUMBER_VALUE, STRING_VALUE, BOOL_VALUE, STRUCT_VALUE };
    uint32_t kind = random_below(random, random->depth ? type->field_count : STRUCT_VALUE);
    fill_singular(random, &type->fields[kind], message, arena);
    void *value = schema_at(message, &type->fields[kind]);
    if (kind == NULL_VALUE)
        *(int32_t *)value = 0;
    if (kind == NUMBER_VALUE)
        *(double *)value = (double)(int64_t)random_number(random);
}

/* What JSON demands of well-known types; false where any content does. */
static bool fill_well_known(RandomMessage *random, const SchemaMessage *type, void *message,
                            Arena *arena) {
    Span *path;
    switch ((SchemaWellKnown)type->well_known) {
    case SCHEMA_TIMESTAMP:
    case SCHEMA_DURATION:
        fill_time(random, type, message);
        return true;
    case SCHEMA_VALUE:
        fill_value(random, type, message, arena);
        return true;
    case SCHEMA_FIELD_MASK:
        path = schema_append_(schema_at(message, &type->fields[0]), sizeof *path, arena);
        *path = random_below(random, 2) ? SPAN("some_name.of_it") : SPAN("plain");
        return true;
    case SCHEMA_ANY:
        return true;
    default:
        return false;
    }
}

static void fill_fields(RandomMessage *random, const SchemaMessage *type, void *message,
                        Arena *arena) {
    for (size_t i = 0; i < type->field_count; i++) {
        const SchemaField *field = &type->fields[i];
        bool wanted = random_below(random, 100) < random->fill;
        if (type_is_message(field->type) && random->depth == 0)
            wanted = false;
        if (wanted || (field->flags & SCHEMA_REQUIRED))
            fill_field(random, field, message, arena);
    }
    if (!random->json && random_below(random, 8) == 0)
        fill_unknown(random, type, message, arena);
}

static void fill_message(RandomMessage *random, const SchemaMessage *type, void *message,
                         Arena *arena) {
    uint32_t depth = random->depth;
    random->depth -= depth > 0;
    if (!random->json || !fill_well_known(random, type, message, arena))
        fill_fields(random, type, message, arena);
    random->depth = depth;
}

void *random_message_new(RandomMessage *random, const SchemaMessage *type, Arena *arena) {
    void *message = schema_new(type, arena);
    fill_message(random, type, message, arena);
    return message;
}
