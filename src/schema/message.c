/* Messages in memory: new, grown, merged, copied, compared, checked. */
#include <assert.h>
#include <errno.h>
#include <math.h>

#include "schema/codec.h"
#include "schema/entry_index.h"
#include "schema/error.h"
#include "schema/types.h"

/* ---- new ------------------------------------------------------------------------------------ */

static void init(const SchemaMessage *type, void *message) {
    if (type->initial)
        memcpy(message, type->initial, type->size);
    else
        memset(message, 0, type->size);
}

void *schema_new(const SchemaMessage *type, Arena *arena) {
    void *message = arena_alloc(arena, type->size);
    if (message)
        init(type, message);
    return message;
}

/* Room for `more` elements; false only when the arena's limit is reached. */
static bool reserve(SchemaArray *array, size_t size, size_t more, Arena *arena) {
    size_t needed = array->count + more, doubled = (size_t)array->capacity * 2;
    if (needed <= array->capacity)
        return true;
    size_t capacity = needed > doubled ? needed : doubled;
    assert(capacity <= UINT32_MAX);
    char *items = arena_alloc(arena, capacity * size);
    if (!items)
        return false;
    if (array->count)
        memcpy(items, array->items, array->count * size);
    array->items = items;
    array->capacity = (uint32_t)capacity;
    return true;
}

void *schema_append_(SchemaArray *array, size_t size, Arena *arena) {
    size_t more = array->count == array->capacity && array->capacity == 0 ? 4 : 1;
    if (!reserve(array, size, more, arena))
        return NULL;
    return memset((char *)array->items + array->count++ * size, 0, size);
}

/* ---- merge ---------------------------------------------------------------------------------- */

/* One value that is not a message. */
static void copy_scalar(const SchemaField *field, void *into, const void *from, Arena *arena) {
    if (type_wire(field->type) == WIRE_BYTES)
        *(Span *)into = arena_copy(arena, *(const Span *)from);
    else
        memcpy(into, from, type_size(field->type));
}

static void merge_elements(const SchemaField *field, SchemaArray *into, const SchemaArray *from,
                           Arena *arena) {
    size_t size = element_size(field);
    reserve(into, size, from->count, arena);
    for (size_t i = 0; i < from->count; i++) {
        void *to = (char *)into->items + (into->count + i) * size;
        const void *element = (const char *)from->items + i * size;
        if (type_is_message(field->type)) {
            init(field->message, to);
            schema_merge(field->message, to, element, arena);
        } else {
            copy_scalar(field, to, element, arena);
        }
    }
    into->count += from->count;
}

static void merge_map(const SchemaField *field, SchemaArray *into, const SchemaArray *from,
                      Arena *arena) {
    const SchemaMessage *entry = field->message;
    Arena scratch = {0};
    EntryIndex index;
    reserve(into, entry->size, from->count, arena);
    entry_index_init(&index, entry, into, (size_t)into->count + from->count, &scratch);
    for (size_t i = 0; i < from->count; i++) {
        const void *added = (const char *)from->items + i * entry->size;
        uint32_t same = entry_index_find(&index, entry, into, added);
        uint32_t at = same == ENTRY_NONE ? into->count : same;
        void *to = (char *)into->items + (size_t)at * entry->size;
        init(entry, to);
        schema_merge(entry, to, added, arena);
        if (same == ENTRY_NONE) {
            into->count++;
            entry_index_add(&index, entry, into, at);
        }
    }
    arena_done(&scratch);
}

static void merge_message(const SchemaField *field, void **into, const void *from, Arena *arena) {
    if (!*into)
        *into = schema_new(field->message, arena);
    if (from)
        schema_merge(field->message, *into, from, arena);
}

/* A singular field that is set in `from`, or of a map entry. */
static void merge_singular(const SchemaField *field, char *into, const char *from, Arena *arena) {
    const void *value = from + field->offset;
    void *slot = into + field->offset;
    if (field->flags & SCHEMA_HAS)
        *(bool *)(into + field->presence) = true;
    if (field->flags & SCHEMA_ONEOF_MEMBER) {
        int32_t *which = (int32_t *)(into + field->presence);
        if (type_is_message(field->type) && *which != (int32_t)schema_number(field))
            *(void **)slot = NULL;
        *which = (int32_t)schema_number(field);
    }
    if (type_is_message(field->type))
        merge_message(field, slot, *(void *const *)value, arena);
    else
        copy_scalar(field, slot, value, arena);
}

static void merge_unknown(SchemaUnknown **into, const SchemaUnknown *from, Arena *arena) {
    while (*into)
        into = &(*into)->next;
    for (; from; from = from->next) {
        SchemaUnknown *node = arena_alloc(arena, sizeof *node);
        *node = (SchemaUnknown){.bytes = arena_copy(arena, from->bytes)};
        *into = node;
        into = &node->next;
    }
}

void schema_merge(const SchemaMessage *type, void *into, const void *from, Arena *arena) {
    assert(!arena->limit);
    merge_unknown(into, *(SchemaUnknown *const *)from, arena);
    for (size_t i = 0; i < type->field_count; i++) {
        const SchemaField *field = &type->fields[i];
        if (!type->map_entry && !schema_field_is_set(from, field))
            continue;
        if (field->shape == SCHEMA_SINGULAR)
            merge_singular(field, into, from, arena);
        else if (field->shape == SCHEMA_MAP)
            merge_map(field, schema_at(into, field), schema_at(from, field), arena);
        else
            merge_elements(field, schema_at(into, field), schema_at(from, field), arena);
    }
}

void *schema_copy(const SchemaMessage *type, const void *message, Arena *arena) {
    void *copy = schema_new(type, arena);
    schema_merge(type, copy, message, arena);
    return copy;
}

/* ---- equal ---------------------------------------------------------------------------------- */

static bool scalars_equal(const SchemaField *field, const void *a, const void *b) {
    switch ((SchemaType)field->type) {
    case SCHEMA_STRING:
    case SCHEMA_BYTES:
        return span_equal(*(const Span *)a, *(const Span *)b);
    case SCHEMA_FLOAT:
        if (isnan(*(const float *)a) && isnan(*(const float *)b))
            return true;
        break;
    case SCHEMA_DOUBLE:
        if (isnan(*(const double *)a) && isnan(*(const double *)b))
            return true;
        break;
    default:
        break;
    }
    return memcmp(a, b, type_size(field->type)) == 0;
}

/* Values of two fields that are set, or of two map entries. A NULL message is an empty one. */
static bool values_equal(const SchemaField *field, const void *a, const void *b) {
    if (!type_is_message(field->type))
        return scalars_equal(field, a, b);
    const void *sub_a = *(void *const *)a, *sub_b = *(void *const *)b;
    if (sub_a == sub_b)
        return true;
    if (sub_a && sub_b)
        return schema_equal(field->message, sub_a, sub_b);
    return schema_size(field->message, sub_a ? sub_a : sub_b) == 0;
}

static bool singular_equal(const SchemaField *field, const char *a, const char *b) {
    bool set = schema_field_is_set(a, field);
    if (set != schema_field_is_set(b, field))
        return false;
    return !set || values_equal(field, a + field->offset, b + field->offset);
}

static bool elements_equal(const SchemaField *field, const SchemaArray *a, const SchemaArray *b) {
    size_t size = element_size(field);
    for (size_t i = 0; i < a->count; i++) {
        const void *in_a = (const char *)a->items + i * size;
        const void *in_b = (const char *)b->items + i * size;
        if (type_is_message(field->type) ? !schema_equal(field->message, in_a, in_b)
                                         : !scalars_equal(field, in_a, in_b))
            return false;
    }
    return true;
}

static bool maps_equal(const SchemaMessage *entry, const SchemaArray *a, const SchemaArray *b) {
    const SchemaField *value = &entry->fields[1];
    Arena scratch = {0};
    EntryIndex index;
    bool equal = true;
    entry_index_init(&index, entry, b, b->count, &scratch);
    for (size_t i = 0; i < a->count && equal; i++) {
        const char *in_a = (const char *)a->items + i * entry->size;
        uint32_t at = entry_index_find(&index, entry, b, in_a);
        equal = at != ENTRY_NONE;
        if (equal) {
            const char *in_b = (const char *)b->items + (size_t)at * entry->size;
            equal = values_equal(value, in_a + value->offset, in_b + value->offset);
        }
    }
    arena_done(&scratch);
    return equal;
}

/* However they are cut into pieces. */
static bool unknown_equal(const SchemaUnknown *a, const SchemaUnknown *b) {
    size_t at_a = 0, at_b = 0;
    for (;;) {
        while (a && at_a == a->bytes.len) {
            a = a->next;
            at_a = 0;
        }
        while (b && at_b == b->bytes.len) {
            b = b->next;
            at_b = 0;
        }
        if (!a || !b)
            return !a && !b;
        size_t left_a = a->bytes.len - at_a, left_b = b->bytes.len - at_b;
        size_t both = left_a < left_b ? left_a : left_b;
        if (memcmp(a->bytes.ptr + at_a, b->bytes.ptr + at_b, both) != 0)
            return false;
        at_a += both;
        at_b += both;
    }
}

bool schema_equal(const SchemaMessage *type, const void *a, const void *b) {
    for (size_t i = 0; i < type->field_count; i++) {
        const SchemaField *field = &type->fields[i];
        if (field->shape == SCHEMA_SINGULAR) {
            if (!singular_equal(field, a, b))
                return false;
            continue;
        }
        const SchemaArray *in_a = schema_at(a, field), *in_b = schema_at(b, field);
        if (in_a->count != in_b->count ||
            (field->shape == SCHEMA_MAP ? !maps_equal(field->message, in_a, in_b)
                                        : !elements_equal(field, in_a, in_b)))
            return false;
    }
    return unknown_equal(*(SchemaUnknown *const *)a, *(SchemaUnknown *const *)b);
}

/* ---- required ------------------------------------------------------------------------------- */

static int check_elements(const SchemaField *field, const SchemaArray *array, SchemaError *error) {
    const SchemaField *key = &field->message->fields[0];
    for (size_t i = 0; i < array->count; i++) {
        const void *element = (const char *)array->items + i * field->message->size;
        int status = schema_check_required(field->message, element, error);
        if (status == 0)
            continue;
        if (field->shape == SCHEMA_MAP)
            schema_error_in_key(error, key, schema_at(element, key));
        else
            schema_error_in_element(error, i);
        return status;
    }
    return 0;
}

static int check_field(const SchemaField *field, const void *message, SchemaError *error) {
    bool set = schema_field_is_set(message, field);
    if (!set)
        return field->flags & SCHEMA_REQUIRED
                   ? schema_error_set(error, -EBADMSG, 0, "required field is not set")
                   : 0;
    if (!type_is_message(field->type) || !field->message->has_required)
        return 0;
    const void *value = schema_at(message, field);
    if (field->shape != SCHEMA_SINGULAR)
        return check_elements(field, value, error);
    const void *sub = *(void *const *)value;
    return sub ? schema_check_required(field->message, sub, error) : 0;
}

int schema_check_required(const SchemaMessage *type, const void *message, SchemaError *error) {
    for (size_t i = 0; type->has_required && i < type->field_count; i++) {
        const SchemaField *field = &type->fields[i];
        int status = check_field(field, message, error);
        if (status == 0)
            continue;
        if (!type->map_entry)
            schema_error_in_field(error, field);
        return status;
    }
    return 0;
}
