/* JSON to messages. Text is read once, from left to right, into the message it describes.
 *
 * Each level that meets a failure puts its field, index or key before the error's path on the
 * way out. */
#include "schema/json_decode.h"

#include <errno.h>

#include "base/text.h"
#include "schema/entry_index.h"
#include "schema/json_number.h"
#include "schema/types.h"

/* ---- Scalars -------------------------------------------------------------------------------- */

static bool is_null_value(const SchemaField *field) {
    return field->type == SCHEMA_ENUM &&
           strcmp(field->enumeration->full_name, "google.protobuf.NullValue") == 0;
}

/* Whether null is a value of the field, not its absence. */
static bool takes_null(const SchemaField *field) {
    if (field->type == SCHEMA_MESSAGE)
        return field->message->well_known == SCHEMA_VALUE;
    return is_null_value(field);
}

static int read_bool(JsonReader *reader, bool *ret) {
    char c = json_peek(reader);
    if (c != 't' && c != 'f')
        return json_expected(reader, "true or false");
    *ret = c == 't';
    return json_read_literal(reader, c == 't' ? SPAN("true") : SPAN("false"));
}

static int read_bytes(JsonReader *reader, Span *ret) {
    const char *place = reader->at;
    Span text;
    size_t len;
    int r = json_read_string(reader, &text);
    if (r < 0)
        return r;
    char *bytes = arena_alloc(reader->arena, BASE64_DECODED_MAX(text.len));
    if (!bytes)
        return json_out_of_memory(reader);
    if (!base64_decode(bytes, text, &len))
        return json_fail(reader, place, "expected base64");
    *ret = span(bytes, len);
    return 0;
}

static int read_enum_name(JsonReader *reader, const SchemaEnum *type, int32_t *ret) {
    const char *place = reader->at;
    Span name;
    int r = json_read_string(reader, &name);
    if (r < 0 || schema_enum_number(type, name, ret))
        return r;
    if (reader->options->ignore_unknown)
        return JSON_DROPPED;
    return json_fail(reader, place, "%.80s has no value '%.*s'", type->full_name,
                     schema_shown(name, 48), name.ptr);
}

static int read_enum(JsonReader *reader, const SchemaField *field, int32_t *ret) {
    const SchemaEnum *type = field->enumeration;
    char c = json_peek(reader);
    if (c == '"')
        return read_enum_name(reader, type, ret);
    const char *place = reader->at;
    if (c == 'n' && is_null_value(field)) {
        *ret = 0;
        return json_read_literal(reader, SPAN("null"));
    }
    if (c != '-' && (c < '0' || c > '9'))
        return json_expected(reader, "an enum's name or number");
    uint64_t value;
    int r = json_read_integer(reader, UINT64_C(1) << 31, INT32_MAX, "an enum", &value);
    if (r < 0)
        return r;
    if (!(field->flags & SCHEMA_CLOSED) || schema_enum_name(type, (int32_t)value)) {
        *ret = (int32_t)value;
        return 0;
    }
    if (reader->options->ignore_unknown)
        return JSON_DROPPED;
    return json_fail(reader, place, "%.80s has no value %d", type->full_name, (int32_t)value);
}

static int read_32(JsonReader *reader, uint64_t below, uint64_t above, const char *type,
                   void *value) {
    uint64_t number;
    int r = json_read_integer(reader, below, above, type, &number);
    if (r == 0)
        *(uint32_t *)value = (uint32_t)number;
    return r;
}

static int read_scalar(JsonReader *reader, const SchemaField *field, void *value) {
    switch ((SchemaType)field->type) {
    case SCHEMA_STRING:
        return json_read_string(reader, value);
    case SCHEMA_BYTES:
        return read_bytes(reader, value);
    case SCHEMA_BOOL:
        return read_bool(reader, value);
    case SCHEMA_ENUM:
        return read_enum(reader, field, value);
    case SCHEMA_DOUBLE:
        return json_read_double(reader, value);
    case SCHEMA_FLOAT:
        return json_read_float(reader, value);
    case SCHEMA_INT32:
    case SCHEMA_SINT32:
    case SCHEMA_SFIXED32:
        return read_32(reader, UINT64_C(1) << 31, INT32_MAX, "int32", value);
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        return read_32(reader, 0, UINT32_MAX, "uint32", value);
    case SCHEMA_INT64:
    case SCHEMA_SINT64:
    case SCHEMA_SFIXED64:
        return json_read_integer(reader, UINT64_C(1) << 63, INT64_MAX, "int64", value);
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        return json_read_integer(reader, 0, UINT64_MAX, "uint64", value);
    case SCHEMA_MESSAGE:
    case SCHEMA_GROUP:
        break;
    }
    __builtin_unreachable();
}

/* ---- Fields --------------------------------------------------------------------------------- */

/* The value of a singular field, or of a map entry. */
static int read_singular(JsonReader *reader, const SchemaField *field, void *message) {
    if (!type_is_message(field->type))
        return read_scalar(reader, field, schema_at(message, field));
    void *child = schema_new(field->message, reader->arena);
    if (!child)
        return json_out_of_memory(reader);
    *(void **)schema_at(message, field) = child;
    return json_read_message(reader, field->message, child);
}

/* One more element, empty; it counts already. */
static void *append(JsonReader *reader, const SchemaField *field, SchemaArray *array) {
    size_t size = element_size(field);
    void *element = schema_append_(array, size, reader->arena);
    if (element && type_is_message(field->type) && field->message->initial)
        memcpy(element, field->message->initial, size);
    return element;
}

static int read_element(JsonReader *reader, const SchemaField *field, SchemaArray *array) {
    if (json_peek(reader) == 'n' && !takes_null(field))
        return json_expected(reader, "an element");
    void *element = append(reader, field, array);
    if (!element)
        return json_out_of_memory(reader);
    return type_is_message(field->type) ? json_read_message(reader, field->message, element)
                                        : read_scalar(reader, field, element);
}

static int read_list(JsonReader *reader, const SchemaField *field, SchemaArray *array) {
    int r = json_take(reader, '[', "a list");
    if (r < 0)
        return r;
    size_t index = 0;
    for (bool first = true; (r = json_more(reader, ']', &first)) > 0; index++) {
        r = read_element(reader, field, array);
        if (r == JSON_DROPPED)
            array->count--;
        if (r < 0) {
            schema_error_in_element(reader->error, index);
            return r;
        }
    }
    return r;
}

/* ---- Maps ----------------------------------------------------------------------------------- */

static int read_key(JsonReader *reader, const SchemaField *key, void *entry) {
    void *value = schema_at(entry, key);
    const char *place = reader->at;
    Span text;
    if (json_peek(reader) != '"')
        return json_expected(reader, "a key in quotes");
    if (key->type != SCHEMA_BOOL)
        return read_scalar(reader, key, value);
    int r = json_read_string(reader, &text);
    if (r < 0)
        return r;
    *(bool *)value = span_equal(text, SPAN("true"));
    if (!*(bool *)value && !span_equal(text, SPAN("false")))
        return json_fail(reader, place, "expected \"true\" or \"false\" as a key");
    return 0;
}

/* The key as it stands in the text between `from` and `to`, for errors. */
static Span raw_key(const char *from, const char *to) {
    return to - from >= 2 ? span(from + 1, (size_t)(to - from - 2)) : span(from, 0);
}

/* A map while it is being read. */
typedef struct MapState {
    const SchemaMessage *entry;
    SchemaArray *array;
    EntryIndex index;
    size_t indexed; /* entries that the index has room for */
} MapState;

static int grow_index(JsonReader *reader, MapState *map) {
    size_t room = map->indexed * 4;
    if (!entry_index_init(&map->index, map->entry, map->array, room, reader->arena))
        return json_out_of_memory(reader);
    map->indexed = room;
    return 0;
}

/* The entry is counted only when it is whole, and may still be dropped. */
static int read_entry_value(JsonReader *reader, MapState *map, void *entry) {
    const SchemaField *value = &map->entry->fields[1];
    int r = json_take(reader, ':', "':'");
    if (r < 0)
        return r;
    if (json_peek(reader) == 'n' && !takes_null(value))
        return json_expected(reader, "a value");
    r = read_singular(reader, value, entry);
    if (r == 0)
        entry_index_add(&map->index, map->entry, map->array, map->array->count++);
    return r;
}

static int read_entry(JsonReader *reader, const SchemaField *field, MapState *map) {
    int r = map->array->count == map->indexed ? grow_index(reader, map) : 0;
    if (r < 0)
        return r;
    void *entry = append(reader, field, map->array);
    if (!entry)
        return json_out_of_memory(reader);
    map->array->count--;
    const char *place = reader->at;
    if ((r = read_key(reader, &map->entry->fields[0], entry)) < 0)
        return r;
    Span key = raw_key(place, reader->at);
    if (entry_index_find(&map->index, map->entry, map->array, entry) != ENTRY_NONE)
        r = json_fail(reader, place, "the key stands in the map already");
    else
        r = read_entry_value(reader, map, entry);
    if (r < 0)
        schema_error_in_entry(reader->error, key);
    return r < 0 ? r : 0;
}

static int read_map(JsonReader *reader, const SchemaField *field, SchemaArray *array) {
    MapState map = {.entry = field->message, .array = array, .indexed = ENTRY_INDEX_LINEAR};
    int r = json_take(reader, '{', "an object");
    for (bool first = true; r == 0 && (r = json_more(reader, '}', &first)) > 0;)
        r = read_entry(reader, field, &map);
    return r;
}

int json_read_field(JsonReader *reader, const SchemaField *field, void *message) {
    if (field->shape == SCHEMA_MAP)
        return read_map(reader, field, schema_at(message, field));
    if (field->shape == SCHEMA_REPEATED_FIELD)
        return read_list(reader, field, schema_at(message, field));
    int r = read_singular(reader, field, message);
    if (r == 0 && field->flags & SCHEMA_HAS)
        *(bool *)((char *)message + field->presence) = true;
    if (r == 0 && field->flags & SCHEMA_ONEOF_MEMBER)
        *(int32_t *)((char *)message + field->presence) = (int32_t)schema_number(field);
    return r < 0 ? r : 0;
}

/* ---- Messages ------------------------------------------------------------------------------- */

/* An object while it is being read. */
typedef struct Object {
    const SchemaMessage *type;
    void *message;
    uint64_t *seen; /* one bit for each field */
    uint32_t next;  /* index of the field that is likely to come next */
    bool in_any;    /* a member "@type" is still to come */
} Object;

#define SEEN_WORDS(count) (((count) + 63) / 64)

/* Fields that writers leave out when empty: how many of them to pass over in guessing. */
#define GUESSES 4

static bool mark_seen(Object *object, const SchemaField *field) {
    size_t index = (size_t)(field - object->type->fields);
    uint64_t bit = UINT64_C(1) << index % 64, *word = &object->seen[index / 64];
    bool before = *word & bit;
    *word |= bit;
    object->next = (uint32_t)index + 1;
    return before;
}

/* The field of the same oneof that is set already; NULL when there is none. */
static const SchemaField *rival(const Object *object, const SchemaField *field) {
    if (!(field->flags & SCHEMA_ONEOF_MEMBER))
        return NULL;
    int32_t which = *(int32_t *)((char *)object->message + field->presence);
    return which ? schema_field_by_number(object->type, (uint32_t)which) : NULL;
}

static int fail_oneof(JsonReader *reader, const char *place, const Object *object,
                      const SchemaField *other) {
    return json_fail(reader, place, "'%.40s' is set already: of oneof '%.40s' only one can be",
                     other->name, object->type->oneofs[other->oneof].name);
}

/* A member whose name no field has. */
static int read_unknown(JsonReader *reader, const char *place, Object *object, Span name) {
    if (object->in_any && span_equal(name, SPAN("@type"))) {
        object->in_any = false;
        return json_skip(reader);
    }
    if (!reader->options->ignore_unknown)
        return json_fail_unknown(reader, place, object->type, name);
    return json_skip(reader);
}

/* Whether the name stands here, in quotes and before a colon. `room` is how much text is left. */
static inline bool stands_here(const char *at, size_t room, const char *name, size_t len) {
    return room >= len + 3 && at[len + 1] == '"' && at[len + 2] == ':' && at[0] == '"' &&
           json_same(at + 1, name, len);
}

/* The field whose name stands here, if it is one of those that are likely to; then `at` is behind
 * the colon. */
static const SchemaField *guess_field(JsonReader *reader, const Object *object) {
    size_t room = (size_t)(reader->end - reader->at);
    for (uint32_t i = object->next; i < object->type->field_count && i < object->next + GUESSES;
         i++) {
        const SchemaField *field = &object->type->fields[i];
        size_t len = field->json_name_len;
        if (!stands_here(reader->at, room, field->json_name, len)) {
            len = field->name_len;
            if (!stands_here(reader->at, room, field->name, len))
                continue;
        }
        reader->at += len + 3;
        return field;
    }
    return NULL;
}

/* The next member's name and colon. Writers keep to the order of the fields, so that it is mostly
 * one of those that follow. *ret is NULL when no field has the name. */
static int read_field_name(JsonReader *reader, Object *object, const SchemaField **ret,
                           Span *ret_name) {
    *ret = guess_field(reader, object);
    if (*ret)
        return 0;
    int r = json_read_name(reader, ret_name);
    if (r == 0)
        *ret = schema_field_by_name(object->type, *ret_name);
    return r;
}

static int read_member(JsonReader *reader, Object *object) {
    const char *place = reader->at;
    const SchemaField *field, *other;
    Span name;
    int r = read_field_name(reader, object, &field, &name);
    if (r < 0)
        return r;
    if (!field)
        return read_unknown(reader, place, object, name);
    if (mark_seen(object, field))
        r = json_fail(reader, place, "the field is given twice");
    else if (json_peek(reader) == 'n' && (field->shape != SCHEMA_SINGULAR || !takes_null(field)))
        return json_read_literal(reader, SPAN("null"));
    else if ((other = rival(object, field)))
        r = fail_oneof(reader, place, object, other);
    else
        r = json_read_field(reader, field, object->message);
    if (r < 0)
        schema_error_in_field(reader->error, field);
    return r;
}

int json_read_fields(JsonReader *reader, const SchemaMessage *type, void *message, bool in_any) {
    uint64_t few = 0;
    Object object = {.type = type, .message = message, .seen = &few, .in_any = in_any};
    if (type->field_count > 64) {
        object.seen = arena_zalloc(reader->arena, SEEN_WORDS(type->field_count) * sizeof few);
        if (!object.seen)
            return json_out_of_memory(reader);
    }
    if (json_peek(reader) != '{')
        return json_expected(reader, "an object");
    int r = json_enter(reader);
    if (r < 0)
        return r;
    reader->at++;
    for (bool first = true; (r = json_more(reader, '}', &first)) > 0;)
        if ((r = read_member(reader, &object)) < 0)
            return r;
    reader->depth++;
    return r;
}

int json_read_message(JsonReader *reader, const SchemaMessage *type, void *message) {
    return type->well_known == SCHEMA_ORDINARY ? json_read_fields(reader, type, message, false)
                                               : json_read_known(reader, type, message);
}

int json_check_required(JsonReader *reader, const SchemaMessage *type, const void *message) {
    int r = type->has_required ? schema_check_required(type, message, reader->error) : 0;
    if (r < 0 && reader->error)
        reader->error->offset = (size_t)(reader->at - reader->begin);
    return r;
}

/* ---- Documents ------------------------------------------------------------------------------ */

/* How much may be read ahead, all in all. */
#define LOOK_AHEAD_FREE  ((size_t)1 << 20)
#define LOOK_AHEAD_TIMES 8

static int read_document(JsonReader *reader, const SchemaMessage *type, void **ret) {
    void *message = schema_new(type, reader->arena);
    if (!message)
        return json_out_of_memory(reader);
    json_peek(reader);
    int r = json_read_message(reader, type, message);
    if (r < 0)
        return r;
    if (json_peek(reader), reader->at != reader->end)
        return json_expected(reader, "the end of the text");
    r = json_check_required(reader, type, message);
    if (r == 0)
        *ret = message;
    return r;
}

int schema_json_decode(const SchemaMessage *type, Span text, const SchemaJson *options,
                       Arena *arena, void **ret, SchemaError *error) {
    static const SchemaJson defaults;
    if (!options)
        options = &defaults;
    JsonReader reader = {.at = text.ptr,
                         .end = span_end(text),
                         .begin = text.ptr,
                         .arena = arena,
                         .options = options,
                         .error = error,
                         .depth = options->depth ? options->depth : SCHEMA_DEPTH_MAX,
                         .look_ahead = LOOK_AHEAD_FREE + LOOK_AHEAD_TIMES * text.len};
    size_t memory = options->memory ? options->memory : ((size_t)1 << 20) + 64 * text.len;
    size_t before = arena_limit_growth(arena, memory);
    int r = read_document(&reader, type, ret);
    arena->limit = before;
    return r;
}
