#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "schema/build.h"
#include "schema/types.h"

#define FIELD_FEATURES 21 /* FieldOptions.features */
#define RESERVED_FIRST 19000
#define RESERVED_LAST  19999
#define ONEOFS_MAX     256  /* SchemaField.oneof is a byte */
#define PROBES_MAX     1000 /* far past what names hash to that were not made to collide */

/* A field on its way: with what its descriptor says, until fields are sorted by number. */
typedef struct FieldPlan {
    SchemaField field;
    const PbFieldDescriptorProto *proto;
} FieldPlan;

typedef struct Fields {
    Build *build;
    uint32_t index; /* of the message */
    SchemaMessage *message;
    MessagePlan *plan;
    FieldPlan *items;
    uint8_t *oneof_of; /* index of a oneof_decl → index into the message's oneofs */
    bool *synthetic;   /* whether a oneof_decl stands for a proto3 `optional` */
} Fields;

static Span field_name(Build *build, const SchemaMessage *message,
                       const PbFieldDescriptorProto *proto) {
    Span scope = span_of(message->full_name);
    char *full = arena_alloc(&build->scratch, scope.len + 1 + proto->name.len);
    memcpy(full, scope.ptr, scope.len);
    full[scope.len] = '.';
    if (proto->name.len)
        memcpy(full + scope.len + 1, proto->name.ptr, proto->name.len);
    return span(full, scope.len + 1 + proto->name.len);
}

#define REFUSE(f, proto, ...)                                                                      \
    build_refuse((f)->build, field_name((f)->build, (f)->message, proto), __VA_ARGS__)

/* lowerCamelCase as protoc makes it: underscores go, what follows one is raised. */
static char *camel_case(Arena *arena, Span name) {
    char *text = arena_alloc(arena, name.len + 1), *end = text;
    bool raise = false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '_') {
            raise = true;
            continue;
        }
        *end++ = raise && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        raise = false;
    }
    *end = '\0';
    return text;
}

/* JSON writes names as they are. */
static bool is_plain_text(Span text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
            return false;
    }
    return utf8_valid(text);
}

static int set_names(Fields *f, SchemaField *field, const PbFieldDescriptorProto *proto) {
    Arena *tables = &f->build->tables;
    if (!build_is_identifier(proto->name))
        return REFUSE(f, proto, "its name is no identifier");
    if (proto->name.len > BUILD_NAME_MAX || proto->json_name.len > BUILD_NAME_MAX)
        return REFUSE(f, proto, "its name is too long");
    if (!is_plain_text(proto->json_name))
        return REFUSE(f, proto, "its json_name holds characters that JSON would escape");
    field->name = arena_text(tables, proto->name);
    field->json_name = proto->json_name.len ? arena_text(tables, proto->json_name)
                                            : camel_case(tables, proto->name);
    field->name_len = (uint16_t)proto->name.len;
    field->json_name_len = (uint16_t)strlen(field->json_name);
    return 0;
}

static int resolve_type(Fields *f, SchemaField *field, const PbFieldDescriptorProto *proto) {
    bool typed = proto->has_type;
    if (typed && proto->type != SCHEMA_MESSAGE && proto->type != SCHEMA_GROUP &&
        proto->type != SCHEMA_ENUM) {
        field->type = (uint8_t)proto->type;
        return 0;
    }
    const Symbol *symbol =
        build_resolve(f->build, span_of(f->message->full_name), proto->type_name);
    if (!symbol)
        return REFUSE(f, proto, "its type '%.*s' is not known", SPAN_ARGS(proto->type_name));
    bool is_enum = symbol->kind == SYMBOL_ENUM;
    if ((!is_enum && symbol->kind != SYMBOL_MESSAGE) ||
        (typed && is_enum != (proto->type == SCHEMA_ENUM)))
        return REFUSE(f, proto, "its type '%.*s' is of another kind", SPAN_ARGS(proto->type_name));
    if (is_enum) {
        field->type = SCHEMA_ENUM;
        field->enumeration = symbol->table;
    } else {
        field->type = typed ? (uint8_t)proto->type : SCHEMA_MESSAGE;
        field->message = symbol->table;
    }
    return 0;
}

static bool is_nested_in(const SchemaMessage *inner, const SchemaMessage *outer) {
    Span scope = span_of(outer->full_name), name = span_of(inner->full_name);
    return span_starts(name, scope) && name.ptr[scope.len] == '.' &&
           !memchr(name.ptr + scope.len + 1, '.', name.len - scope.len - 1);
}

static int set_shape(Fields *f, SchemaField *field, const PbFieldDescriptorProto *proto) {
    bool repeated = proto->has_label && proto->label == PB_LABEL_REPEATED;
    bool message = type_is_message(field->type);
    field->shape = repeated ? SCHEMA_REPEATED_FIELD : SCHEMA_SINGULAR;
    if (message && field->message->map_entry) {
        if (!repeated || field->type == SCHEMA_GROUP || !is_nested_in(field->message, f->message))
            return REFUSE(f, proto, "uses the map entry %s as a type", field->message->full_name);
        field->shape = SCHEMA_MAP;
    }
    if (f->message->map_entry && field->shape != SCHEMA_SINGULAR)
        return REFUSE(f, proto, "a map's key and value cannot be repeated");
    return 0;
}

static int set_oneof(Fields *f, SchemaField *field, const PbFieldDescriptorProto *proto) {
    if (proto->oneof_index < 0 || (size_t)proto->oneof_index >= f->plan->proto->oneof_decl.count)
        return REFUSE(f, proto, "its oneof_index %d is out of range", (int)proto->oneof_index);
    if (field->shape != SCHEMA_SINGULAR || f->message->map_entry)
        return REFUSE(f, proto, "cannot be member of a oneof");
    if (f->synthetic[proto->oneof_index])
        return 0;
    field->flags |= SCHEMA_ONEOF_MEMBER;
    field->oneof = f->oneof_of[proto->oneof_index];
    return 0;
}

/* Presence, by the file's syntax. A map entry's fields have none, whatever the syntax. */
static int set_presence(Fields *f, SchemaField *field, const PbFieldDescriptorProto *proto,
                        const Features *features) {
    if (proto->has_oneof_index) {
        int r = set_oneof(f, field, proto);
        if (r < 0)
            return r;
    }
    if (field->shape != SCHEMA_SINGULAR || f->message->map_entry)
        return 0;
    bool required = (proto->has_label && proto->label == PB_LABEL_REQUIRED) ||
                    features->of[FEATURE_PRESENCE] == PRESENCE_REQUIRED;
    if (field->flags & SCHEMA_ONEOF_MEMBER)
        return required && proto->has_label && proto->label == PB_LABEL_REQUIRED
                   ? REFUSE(f, proto, "a member of a oneof cannot be required")
                   : 0;
    if (required) {
        field->flags |= SCHEMA_REQUIRED;
        f->message->has_required = true;
    }
    bool message = type_is_message(field->type);
    bool explicitly = proto->proto3_optional || features->of[FEATURE_PRESENCE] != PRESENCE_IMPLICIT;
    if (!message && (explicitly || required))
        field->flags |= SCHEMA_HAS;
    return 0;
}

static int set_wire(Fields *f, SchemaField *field, const PbFieldDescriptorProto *proto,
                    const Features *features) {
    if (field->type == SCHEMA_STRING && features->of[FEATURE_UTF8] == UTF8_VERIFY)
        field->flags |= SCHEMA_UTF8;
    if (field->type == SCHEMA_ENUM && field->enumeration->closed)
        field->flags |= SCHEMA_CLOSED;
    if (field->type == SCHEMA_MESSAGE && features->of[FEATURE_MESSAGE] == MESSAGE_DELIMITED &&
        field->shape != SCHEMA_MAP && !f->message->map_entry)
        field->type = SCHEMA_GROUP;
    if (proto->options && proto->options->deprecated)
        field->flags |= SCHEMA_DEPRECATED;

    WireType wire = type_wire(field->type);
    bool packable =
        field->shape == SCHEMA_REPEATED_FIELD && wire != WIRE_BYTES && wire != WIRE_START_GROUP;
    bool packed = proto->options && proto->options->has_packed
                      ? proto->options->packed
                      : packable && features->of[FEATURE_REPEATED] == REPEATED_PACKED;
    if (packed && !packable)
        return REFUSE(f, proto, "cannot be packed");
    if (packed) {
        field->flags |= SCHEMA_PACKED;
        wire = WIRE_BYTES;
    }
    if (proto->number < 1 || proto->number > (int32_t)WIRE_NUMBER_MAX ||
        (proto->number >= RESERVED_FIRST && proto->number <= RESERVED_LAST))
        return REFUSE(f, proto, "its number %d is out of range", (int)proto->number);
    field->tag = (uint32_t)proto->number << 3 | wire;
    return 0;
}

static int plan_field(Fields *f, SchemaField *field, const PbFieldDescriptorProto *proto) {
    Features features = f->plan->features;
    if (proto->options) {
        Arena *scratch = &f->build->scratch;
        Span options = options_unknown(proto->options->unknown, scratch);
        features_apply(&features, options_message(options, FIELD_FEATURES, scratch));
    }
    int r = set_names(f, field, proto);
    if (r >= 0)
        r = resolve_type(f, field, proto);
    if (r >= 0)
        r = set_shape(f, field, proto);
    if (r >= 0)
        r = set_presence(f, field, proto, &features);
    return r < 0 ? r : set_wire(f, field, proto, &features);
}

/* Tells true oneofs from synthetic ones, which stand for a proto3 `optional` field each. */
static int plan_oneofs(Fields *f, SchemaOneof **ret) {
    const PbDescriptorProto *proto = f->plan->proto;
    Build *build = f->build;
    size_t count = proto->oneof_decl.count, kept = 0;
    uint32_t *members = arena_zalloc(&build->scratch, count * sizeof *members);
    f->synthetic = arena_zalloc(&build->scratch, count * sizeof *f->synthetic);
    f->oneof_of = arena_zalloc(&build->scratch, count);
    for (size_t i = 0; i < proto->field.count; i++) {
        const PbFieldDescriptorProto *field = &proto->field.items[i];
        if (field->has_oneof_index && (uint32_t)field->oneof_index < count) {
            members[field->oneof_index]++;
            f->synthetic[field->oneof_index] |= field->proto3_optional;
        }
    }
    SchemaOneof *oneofs = arena_zalloc(&build->tables, count * sizeof *oneofs);
    for (size_t i = 0; i < count; i++) {
        Span message = span_of(f->message->full_name);
        Span name = proto->oneof_decl.items[i].name;
        if (!build_is_identifier(name) || name.len > BUILD_NAME_MAX)
            return build_refuse(build, message, "the name of a oneof is no identifier");
        if (members[i] == 0 || (f->synthetic[i] && members[i] != 1))
            return build_refuse(build, message, "its oneof '%.*s' has %u members", SPAN_ARGS(name),
                                members[i]);
        if (f->synthetic[i])
            continue;
        if (kept == ONEOFS_MAX)
            return build_refuse(build, message, "has more oneofs than %d", ONEOFS_MAX);
        for (size_t k = 0; k < kept; k++)
            if (span_equal(span_of(oneofs[k].name), name))
                return build_refuse(build, message, "two of its oneofs are named '%.*s'",
                                    SPAN_ARGS(name));
        f->oneof_of[i] = (uint8_t)kept;
        oneofs[kept++].name = arena_text(&build->tables, name);
    }
    f->message->oneofs = oneofs;
    f->message->oneof_count = (uint16_t)kept;
    *ret = oneofs;
    return 0;
}

static int by_number(const void *a, const void *b) {
    uint32_t x = ((const FieldPlan *)a)->field.tag >> 3, y = ((const FieldPlan *)b)->field.tag >> 3;
    return x < y ? -1 : x > y;
}

/* Puts a field into name_slots under one of its names. Another field of the same proto name is
 * an error; a JSON name that is taken stays with who has it. */
static int place_name(Fields *f, uint16_t *slots, uint32_t mask, size_t index, Span name) {
    const FieldPlan *item = &f->items[index];
    bool proto_name = name.ptr == item->field.name;
    uint32_t at = schema_name_hash(name) & mask;
    for (int probes = 0; slots[at]; at = (at + 1) & mask) {
        const SchemaField *there = &f->items[slots[at] - 1].field;
        if (span_equal(span(there->name, there->name_len), name) ||
            (!proto_name && span_equal(span(there->json_name, there->json_name_len), name)))
            return proto_name ? REFUSE(f, item->proto, "two fields have this name") : 0;
        if (++probes > PROBES_MAX)
            return REFUSE(f, item->proto, "too many names of the same hash");
    }
    slots[at] = (uint16_t)(index + 1);
    return 0;
}

static int place_names(Fields *f, size_t count) {
    SchemaMessage *message = f->message;
    while ((1u << message->name_bits) < 4 * count)
        message->name_bits++;
    uint32_t mask = (1u << message->name_bits) - 1;
    uint16_t *slots = arena_zalloc(&f->build->tables, (mask + 1) * sizeof *slots);
    int r = 0;
    for (size_t i = 0; i < count && r >= 0; i++) {
        const SchemaField *field = &f->items[i].field;
        r = place_name(f, slots, mask, i, span(field->name, field->name_len));
    }
    for (size_t i = 0; i < count && r >= 0; i++) {
        const SchemaField *field = &f->items[i].field;
        r = place_name(f, slots, mask, i, span(field->json_name, field->json_name_len));
    }
    message->name_slots = slots;
    return r;
}

static int check_map_entry(Fields *f) {
    const SchemaMessage *message = f->message;
    bool fits = message->field_count == 2 && message->dense == 2 && message->oneof_count == 0;
    uint8_t key = fits ? message->fields[0].type : SCHEMA_DOUBLE;
    if (key == SCHEMA_DOUBLE || key == SCHEMA_FLOAT || key == SCHEMA_BYTES || key == SCHEMA_ENUM ||
        key == SCHEMA_MESSAGE || key == SCHEMA_GROUP || message->fields[1].type == SCHEMA_GROUP)
        return build_refuse(f->build, span_of(message->full_name),
                            "is a map entry without a proper key and value");
    return 0;
}

/* Remembers which messages of this run the fields are made of; of older ones it is known whether
 * they have required fields. */
static void note_uses(Fields *f) {
    Build *build = f->build;
    for (size_t i = 0; i < f->message->field_count; i++) {
        const SchemaField *field = &f->message->fields[i];
        if (!type_is_message(field->type))
            continue;
        if (field->message < build->messages ||
            field->message >= build->messages + build->message_count) {
            f->message->has_required |= field->message->has_required;
            continue;
        }
        MessagePlan *used = &build->message_plans[field->message - build->messages];
        *array_push(&build->uses) = (MessageUse){f->index, used->first_use};
        used->first_use = (uint32_t)build->uses.count;
    }
}

/* Sorts the planned fields by number and makes the table of them. */
static int finish_fields(Fields *f, SchemaOneof *oneofs, size_t count) {
    Build *build = f->build;
    SchemaMessage *message = f->message;
    if (count)
        qsort(f->items, count, sizeof *f->items, by_number);
    SchemaField *fields = arena_alloc(&build->tables, count * sizeof *fields);
    const PbFieldDescriptorProto **protos = arena_alloc(&build->scratch, count * sizeof *protos);
    for (size_t i = 0; i < count; i++) {
        fields[i] = f->items[i].field;
        protos[i] = f->items[i].proto;
        if (i && schema_number(&fields[i]) == schema_number(&fields[i - 1]))
            return REFUSE(f, protos[i], "has the number %u of the field '%s'",
                          schema_number(&fields[i]), fields[i - 1].name);
        if (schema_number(&fields[i]) == i + 1)
            message->dense = (uint16_t)(i + 1);
    }
    message->fields = fields;
    message->field_count = (uint16_t)count;
    build_layout(message, fields, oneofs);
    note_uses(f);
    int r = place_names(f, count);
    if (r >= 0 && message->map_entry)
        r = check_map_entry(f);
    return r < 0 ? r : build_initial(build, message, protos);
}

int build_message(Build *build, uint32_t index) {
    Fields f = {.build = build,
                .index = index,
                .message = &build->messages[index],
                .plan = &build->message_plans[index]};
    const PbDescriptorProto *proto = f.plan->proto;
    size_t count = proto->field.count;
    if (count >= UINT16_MAX)
        return build_refuse(build, span_of(f.message->full_name), "has more fields than 65534");
    SchemaOneof *oneofs = NULL;
    int r = plan_oneofs(&f, &oneofs);
    f.items = arena_zalloc(&build->scratch, count * sizeof *f.items);
    for (size_t i = 0; i < count && r >= 0; i++) {
        f.items[i].proto = &proto->field.items[i];
        r = plan_field(&f, &f.items[i].field, f.items[i].proto);
    }
    return r < 0 ? r : finish_fields(&f, oneofs, count);
}
