#include "schema/types.h"

size_t schema_element_size(const SchemaField *field) {
    return field->shape == SCHEMA_SINGULAR ? type_size(field->type) : element_size(field);
}

const SchemaField *schema_field_by_number(const SchemaMessage *type, uint32_t number) {
    if (number - 1 < type->dense)
        return &type->fields[number - 1];
    size_t low = type->dense, high = type->field_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        uint32_t at = schema_number(&type->fields[middle]);
        if (at == number)
            return &type->fields[middle];
        if (at < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
uint32_t schema_name_hash(Span name) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (uint8_t)name.ptr[i]) * 16777619u;
    return hash;
}

static bool has_name(const SchemaField *field, Span name) {
    return span_equal(span(field->name, field->name_len), name);
}

static bool has_json_name(const SchemaField *field, Span name) {
    return span_equal(span(field->json_name, field->json_name_len), name);
}

static const SchemaField *walk_for_name(const SchemaMessage *type, Span name) {
    for (size_t i = 0; i < type->field_count; i++)
        if (has_name(&type->fields[i], name) || has_json_name(&type->fields[i], name))
            return &type->fields[i];
    return NULL;
}

const SchemaField *schema_field_by_name(const SchemaMessage *type, Span name) {
    if (!type->name_slots)
        return walk_for_name(type, name);
    const SchemaField *by_json_name = NULL;
    uint32_t mask = (1u << type->name_bits) - 1;
    for (uint32_t at = schema_name_hash(name) & mask; type->name_slots[at]; at = (at + 1) & mask) {
        const SchemaField *field = &type->fields[type->name_slots[at] - 1];
        if (has_name(field, name))
            return field;
        if (!by_json_name && has_json_name(field, name))
            by_json_name = field;
    }
    return by_json_name;
}

const char *schema_enum_name(const SchemaEnum *type, int32_t number) {
    size_t low = 0, high = type->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (type->values[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < type->count && type->values[low].number == number;
    return found ? type->values[low].name : NULL;
}

bool schema_enum_number(const SchemaEnum *type, Span name, int32_t *ret) {
    size_t low = 0, high = type->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const SchemaEnumValue *value = &type->values[type->by_name[middle]];
        int order = span_compare(span(value->name, value->name_len), name);
        if (order == 0) {
            *ret = value->number;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool schema_field_is_set(const void *message, const SchemaField *field) {
    return field_is_set(message, field);
}
