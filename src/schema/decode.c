/* The decoder: bytes to messages.
 *
 * One loop per message reads a tag, finds the field and hands on to what its shape asks for. A
 * position in the input is passed along and comes back behind what was read; NULL means failure:
 * the place that fails has stated offset and reason, and each message puts its field before the
 * path on the way out (see decode_fields).
 *
 * What a peer can cost is linear in what it sends: an array that is full grows by as many
 * elements as follow at once, at least to the double; a map finds its keys through an index. */
#include "schema/codec.h"

#include <endian.h>
#include <errno.h>

#include "base/text.h"
#include "schema/entry_index.h"
#include "schema/error.h"
#include "schema/types.h"
#include "schema/wire.h"

#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define COLD          static __attribute__((noinline, cold))

/* The end tag of what is no group: never read, since its wire type does not exist. */
#define NO_GROUP UINT32_MAX

typedef struct Decoder {
    Arena *arena;
    const char *begin;
    SchemaError *error;
    uint32_t depth; /* levels left */
    bool drop_unknown;
    bool unlisted; /* a closed enum got a number that it does not list */
    int status;    /* why it failed */
} Decoder;

static const char *decode_fields(Decoder *d, const SchemaMessage *type, void *message,
                                 const char *at, const char *end, uint32_t end_tag);

/* ---- failures ------------------------------------------------------------------------------- */

COLD const char *fail(Decoder *d, int status, const char *at, const char *reason) {
    d->status = schema_error_set(d->error, status, (size_t)(at - d->begin), "%s", reason);
    return NULL;
}

COLD const char *fail_wire(Decoder *d, const char *at, WireFault fault) {
    return fail(d, fault == WIRE_TOO_DEEP ? -ELOOP : -EBADMSG, at, wire_fault_text(fault));
}

COLD const char *fail_tag(Decoder *d, const char *at, const char *end) {
    uint32_t tag;
    return fail_wire(d, at, wire_tag(&(const char *){at}, end, &tag));
}

COLD const char *fail_varint(Decoder *d, const char *at, const char *end) {
    uint64_t value;
    return fail_wire(d, at, wire_varint(&(const char *){at}, end, &value));
}

COLD const char *fail_length(Decoder *d, const char *at, const char *end) {
    const char *content = at;
    uint64_t length;
    WireFault fault = wire_varint(&content, end, &length);
    if (fault)
        return fail_wire(d, at, fault);
    d->status = schema_error_set(d->error, -EBADMSG, (size_t)(at - d->begin),
                                 "length %llu where %zu bytes are left", (unsigned long long)length,
                                 (size_t)(end - content));
    return NULL;
}

COLD const char *fail_memory(Decoder *d, const char *at) {
    return fail(d, -ENOMEM, at, "more memory needed than allowed");
}

/* Puts the field before the path of what failed in it. Fields of a map entry stay unnamed: the
 * key tells more. */
COLD const char *fail_in(Decoder *d, const SchemaMessage *type, const void *message,
                         const SchemaField *field) {
    if (!field || type->map_entry)
        return NULL;
    if (field->shape == SCHEMA_REPEATED_FIELD)
        schema_error_in_element(d->error, ((SchemaArray *)schema_at(message, field))->count);
    schema_error_in_field(d->error, field);
    return NULL;
}

/* ---- numbers off the wire ------------------------------------------------------------------- */

ALWAYS_INLINE uint64_t load8(const char *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

ALWAYS_INLINE uint64_t load4(const char *at) {
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}

/* A number and what comes behind it, NULL on failure: a pair that returns in registers. */
typedef struct Number {
    const char *next;
    uint64_t value;
} Number;

/* Varints of up to eight bytes with eight to read: no branch per byte, the seven-bit groups close
 * up in three steps. */
static Number read_long_varint(const char *at, const char *end) {
    uint64_t word;
    if (LIKELY(end - at >= 8)) {
        word = le64toh(load8(at));
        uint64_t stops = ~word & 0x8080808080808080;
        if (LIKELY(stops)) {
            word &= stops ^ (stops - 1);
            word &= 0x7f7f7f7f7f7f7f7f;
            word = (word & 0x007f007f007f007f) | (word & 0x7f007f007f007f00) >> 1;
            word = (word & 0x00003fff00003fff) | (word & 0x3fff00003fff0000) >> 2;
            word = (word & 0x000000000fffffff) | (word & 0x0fffffff00000000) >> 4;
            return (Number){at + (__builtin_ctzll(stops) + 1) / 8, word};
        }
    }
    WireFault fault = wire_varint(&at, end, &word);
    return (Number){fault ? NULL : at, fault ? 0 : word};
}

ALWAYS_INLINE Number read_varint(const char *at, const char *end) {
    if (LIKELY(at < end) && LIKELY((uint8_t)*at < 0x80))
        return (Number){at + 1, (uint8_t)*at};
    return read_long_varint(at, end);
}

static Number read_long_tag(const char *at, const char *end) {
    uint32_t tag;
    WireFault fault = wire_tag(&at, end, &tag);
    return (Number){fault ? NULL : at, fault ? 0 : tag};
}

/* A tag; at < end. Whether one of a single byte has a valid number and type shows when no field
 * matches it. */
ALWAYS_INLINE Number read_tag(const char *at, const char *end) {
    uint32_t low = (uint8_t)*at;
    if (LIKELY(low < 0x80))
        return (Number){at + 1, low};
    uint32_t high = end - at >= 2 ? (uint8_t)at[1] : 0;
    if (LIKELY(high < 0x80) && LIKELY(high))
        return (Number){at + 2, (low & 0x7f) | high << 7};
    return read_long_tag(at, end);
}

/* A length, and that so many bytes follow. */
ALWAYS_INLINE Number read_length(const char *at, const char *end) {
    Number length = read_varint(at, end);
    if (UNLIKELY(!length.next) || UNLIKELY(length.value > (size_t)(end - length.next)))
        return (Number){NULL, 0};
    return length;
}

/* ---- memory --------------------------------------------------------------------------------- */

ALWAYS_INLINE void init_message(const SchemaMessage *type, void *message) {
    if (UNLIKELY(type->initial != NULL))
        memcpy(message, type->initial, type->size);
    else
        memset(message, 0, type->size);
}

ALWAYS_INLINE void *new_message(Arena *arena, const SchemaMessage *type) {
    void *message = arena_alloc(arena, type->size);
    if (LIKELY(message != NULL))
        init_message(type, message);
    return message;
}

/* How many fields of this tag stand one behind the other; the value of the first begins at `at`.
 * At least 1, and not more where the bytes are malformed. */
static size_t count_run(const char *at, const char *end, uint32_t tag) {
    /* Groups have no length: counting would read what nests in them once a level. */
    if ((tag & 7) == WIRE_START_GROUP)
        return 1;
    for (size_t run = 1;; run++) {
        if ((tag & 7) == WIRE_BYTES) {
            Number length = read_length(at, end);
            if (!length.next)
                return run;
            at = length.next + length.value;
        } else if (wire_skip(&at, end, tag, 0)) {
            return run;
        }
        if (at == end)
            return run;
        Number next = read_tag(at, end);
        if (!next.next || next.value != tag)
            return run;
        at = next.next;
    }
}

/* The capacity for `more` elements beyond those an array has. */
static size_t grown(const SchemaArray *array, size_t more) {
    size_t needed = array->count + more, doubled = (size_t)array->capacity * 2;
    size_t capacity = needed > doubled ? needed : doubled;
    return capacity > UINT32_MAX ? UINT32_MAX : capacity;
}

static bool move_array(Decoder *d, SchemaArray *array, size_t size, size_t capacity,
                       size_t header) {
    char *memory = arena_alloc(d->arena, header + capacity * size);
    if (!memory)
        return false;
    if (array->count)
        memcpy(memory + header, array->items, array->count * size);
    array->items = memory + header;
    array->capacity = (uint32_t)capacity;
    return true;
}

static bool grow_array(Decoder *d, SchemaArray *array, size_t size, size_t more) {
    return move_array(d, array, size, grown(array, more), 0);
}

/* The index of a map that the decoder has grown past ENTRY_INDEX_LINEAR stands before its
 * entries, where it is found again when the message occurs a second time. */
static EntryIndex *index_of(const SchemaArray *map) {
    return map->capacity > ENTRY_INDEX_LINEAR ? (EntryIndex *)map->items - 1 : NULL;
}

static bool grow_map(Decoder *d, SchemaArray *map, const SchemaMessage *entry, size_t more) {
    size_t capacity = grown(map, more);
    size_t header = capacity > ENTRY_INDEX_LINEAR ? sizeof(EntryIndex) : 0;
    return move_array(d, map, entry->size, capacity, header) &&
           (!header || entry_index_init(index_of(map), entry, map, capacity, d->arena));
}

/* ---- unknown fields ------------------------------------------------------------------------- */

/* The first node of a list that the decoder makes: it knows the last. */
typedef struct UnknownList {
    SchemaUnknown first;
    SchemaUnknown *last;
} UnknownList;

/* Adds bytes to what the message does not know; behind the last ones in the input they join. */
static bool keep_unknown(Decoder *d, void *message, Span bytes) {
    UnknownList **slot = message, *list = *slot;
    if (d->drop_unknown)
        return true;
    if (list && list->last->bytes.ptr + list->last->bytes.len == bytes.ptr) {
        list->last->bytes.len += bytes.len;
        return true;
    }
    SchemaUnknown *node = arena_zalloc(d->arena, list ? sizeof *node : sizeof *list);
    if (!node)
        return false;
    node->bytes = bytes;
    if (list)
        list->last->next = node;
    else
        list = *slot = (UnknownList *)node;
    list->last = node;
    return true;
}

static const char *decode_unknown(Decoder *d, void *message, uint32_t tag, const char *start,
                                  const char *at, const char *end) {
    WireFault fault = wire_skip(&at, end, tag, d->depth);
    if (UNLIKELY(fault))
        return fail_wire(d, at, fault);
    if (!keep_unknown(d, message, span(start, (size_t)(at - start))))
        return fail_memory(d, start);
    return at;
}

/* Keeps a number that a closed enum does not list as if it had come in a field of its own. */
static bool keep_unlisted(Decoder *d, void *message, const SchemaField *field, uint64_t number) {
    d->unlisted = true;
    if (d->drop_unknown)
        return true;
    char *bytes = arena_alloc(d->arena, WIRE_TAG_MAX + WIRE_VARINT_MAX);
    if (!bytes)
        return false;
    size_t len = wire_put_varint(bytes, (uint64_t)schema_number(field) << 3 | WIRE_VARINT);
    len += wire_put_varint(bytes + len, number);
    return keep_unknown(d, message, span(bytes, len));
}

/* ---- values --------------------------------------------------------------------------------- */

/* ASCII, which most strings are, without a call: in pieces of which the last two may overlap. */
ALWAYS_INLINE bool is_text(Span text) {
    const char *at = text.ptr, *end = text.ptr + text.len;
    uint64_t seen = 0;
    if (text.len >= 8) {
        for (; end - at > 8; at += 8)
            seen |= load8(at);
        seen |= load8(end - 8);
    } else if (text.len >= 4) {
        seen = load4(at) | load4(end - 4);
    } else {
        for (; at < end; at++)
            seen |= (uint8_t)*at;
    }
    return LIKELY(!(seen & 0x8080808080808080)) || utf8_valid(text);
}

ALWAYS_INLINE const char *decode_span(Decoder *d, bool text, Span *ret, const char *at,
                                      const char *end) {
    Number length = read_length(at, end);
    if (UNLIKELY(!length.next))
        return fail_length(d, at, end);
    Span content = span(length.next, length.value);
    if (text && UNLIKELY(!is_text(content)))
        return fail(d, -EBADMSG, content.ptr + utf8_valid_length(content), "not valid UTF-8");
    *ret = content;
    return content.ptr + content.len;
}

ALWAYS_INLINE const char *decode_fixed32(Decoder *d, uint32_t *ret, const char *at,
                                         const char *end) {
    if (UNLIKELY(end - at < 4))
        return fail_wire(d, at, WIRE_CUT_SHORT);
    memcpy(ret, at, 4);
    *ret = le32toh(*ret);
    return at + 4;
}

ALWAYS_INLINE const char *decode_fixed64(Decoder *d, uint64_t *ret, const char *at,
                                         const char *end) {
    if (UNLIKELY(end - at < 8))
        return fail_wire(d, at, WIRE_CUT_SHORT);
    memcpy(ret, at, 8);
    *ret = le64toh(*ret);
    return at + 8;
}

/* One value that is not a message; on failure `value` is not touched: packed elements that are
 * cut short have no place. 32-bit types take the low bits of their varint. */
ALWAYS_INLINE const char *decode_scalar(Decoder *d, const SchemaField *field, void *value,
                                        const char *at, const char *end) {
    Number number;
    switch ((SchemaType)field->type) {
    case SCHEMA_INT64:
    case SCHEMA_UINT64:
        number = read_varint(at, end);
        if (LIKELY(number.next != NULL))
            *(uint64_t *)value = number.value;
        break;
    case SCHEMA_INT32:
    case SCHEMA_UINT32:
    case SCHEMA_ENUM:
        number = read_varint(at, end);
        if (LIKELY(number.next != NULL))
            *(uint32_t *)value = (uint32_t)number.value;
        break;
    case SCHEMA_BOOL:
        number = read_varint(at, end);
        if (LIKELY(number.next != NULL))
            *(bool *)value = number.value != 0;
        break;
    case SCHEMA_SINT32:
        number = read_varint(at, end);
        if (LIKELY(number.next != NULL))
            *(int32_t *)value = (int32_t)wire_unzigzag((uint32_t)number.value);
        break;
    case SCHEMA_SINT64:
        number = read_varint(at, end);
        if (LIKELY(number.next != NULL))
            *(int64_t *)value = wire_unzigzag(number.value);
        break;
    case SCHEMA_FLOAT:
    case SCHEMA_FIXED32:
    case SCHEMA_SFIXED32:
        return decode_fixed32(d, value, at, end);
    case SCHEMA_DOUBLE:
    case SCHEMA_FIXED64:
    case SCHEMA_SFIXED64:
        return decode_fixed64(d, value, at, end);
    case SCHEMA_STRING:
        return decode_span(d, field->flags & SCHEMA_UTF8, value, at, end);
    case SCHEMA_BYTES:
        return decode_span(d, false, value, at, end);
    default: /* messages do not come here */
        __builtin_unreachable();
    }
    return LIKELY(number.next != NULL) ? number.next : fail_varint(d, at, end);
}

/* A number of a closed enum: into *ret, or among the unknown fields of `message`. */
static const char *decode_closed(Decoder *d, const SchemaField *field, void *message, bool *listed,
                                 int32_t *ret, const char *at, const char *end) {
    Number number = read_varint(at, end);
    if (!number.next)
        return fail_varint(d, at, end);
    *listed = schema_enum_name(field->enumeration, (int32_t)number.value) != NULL;
    if (*listed)
        *ret = (int32_t)number.value;
    else if (!keep_unlisted(d, message, field, number.value))
        return fail_memory(d, at);
    return number.next;
}

/* ---- fields --------------------------------------------------------------------------------- */

/* The content of a message or group into `sub`. */
ALWAYS_INLINE const char *decode_nested(Decoder *d, const SchemaField *field, void *sub,
                                        const char *at, const char *end) {
    if (UNLIKELY(d->depth == 0))
        return fail_wire(d, at, WIRE_TOO_DEEP);
    d->depth--;
    if (LIKELY(field->type == SCHEMA_MESSAGE)) {
        Number length = read_length(at, end);
        if (UNLIKELY(!length.next))
            return fail_length(d, at, end);
        at = decode_fields(d, field->message, sub, length.next, length.next + length.value,
                           NO_GROUP);
    } else {
        at = decode_fields(d, field->message, sub, at, end, (field->tag & ~7u) | WIRE_END_GROUP);
    }
    d->depth++;
    return at;
}

ALWAYS_INLINE void mark_present(void *message, const SchemaField *field) {
    if (!(field->flags & (SCHEMA_HAS | SCHEMA_ONEOF_MEMBER)))
        return;
    char *presence = (char *)message + field->presence;
    if (field->flags & SCHEMA_HAS)
        *(bool *)presence = true;
    else
        *(int32_t *)presence = (int32_t)schema_number(field);
}

static const char *decode_submessage(Decoder *d, const SchemaField *field, void *message,
                                     const char *at, const char *end) {
    void **slot = schema_at(message, field);
    bool there = *slot != NULL;
    if (field->flags & SCHEMA_ONEOF_MEMBER) {
        int32_t *which = (int32_t *)((char *)message + field->presence);
        there = *which == (int32_t)schema_number(field);
        *which = (int32_t)schema_number(field);
    }
    if (LIKELY(!there) && UNLIKELY(!(*slot = new_message(d->arena, field->message))))
        return fail_memory(d, at);
    return decode_nested(d, field, *slot, at, end);
}

ALWAYS_INLINE const char *decode_singular(Decoder *d, const SchemaField *field, void *message,
                                          const char *at, const char *end) {
    if (type_is_message(field->type))
        return decode_submessage(d, field, message, at, end);
    if (UNLIKELY(field->flags & SCHEMA_CLOSED)) {
        bool listed;
        at = decode_closed(d, field, message, &listed, schema_at(message, field), at, end);
        if (at && listed)
            mark_present(message, field);
        return at;
    }
    at = decode_scalar(d, field, schema_at(message, field), at, end);
    mark_present(message, field);
    return at;
}

/* One element that is not packed. */
static const char *decode_element(Decoder *d, const SchemaField *field, void *message, uint32_t tag,
                                  const char *at, const char *end) {
    SchemaArray *array = schema_at(message, field);
    size_t size = element_size(field);
    if (UNLIKELY(array->count == array->capacity) &&
        UNLIKELY(!grow_array(d, array, size, count_run(at, end, tag))))
        return fail_memory(d, at);
    void *element = (char *)array->items + (size_t)array->count * size;
    bool counts = true;
    if (type_is_message(field->type)) {
        init_message(field->message, element);
        at = decode_nested(d, field, element, at, end);
    } else if (UNLIKELY(field->flags & SCHEMA_CLOSED)) {
        at = decode_closed(d, field, message, &counts, element, at, end);
    } else {
        at = decode_scalar(d, field, element, at, end);
    }
    array->count += at && counts;
    return at;
}

static size_t count_varints(const char *at, const char *end) {
    size_t count = 0;
    for (; at < end; at++)
        count += (uint8_t)*at < 0x80;
    return count;
}

static const char *decode_packed(Decoder *d, const SchemaField *field, void *message,
                                 const char *at, const char *end) {
    SchemaArray *array = schema_at(message, field);
    size_t fixed = type_fixed_size(field->type), size = element_size(field);
    Number length = read_length(at, end);
    if (UNLIKELY(!length.next))
        return fail_length(d, at, end);
    if (UNLIKELY(fixed && length.value % fixed != 0))
        return fail(d, -EBADMSG, at, "length that is no multiple of the packed elements' size");
    const char *stop = length.next + length.value;
    size_t count = fixed ? length.value / fixed : count_varints(length.next, stop);
    if (UNLIKELY(count == 0))
        return length.value ? fail_varint(d, length.next, stop) : stop;
    if (array->capacity - array->count < count && !grow_array(d, array, size, count))
        return fail_memory(d, at);
    for (at = length.next; at && at < stop;) {
        void *element = (char *)array->items + (size_t)array->count * size;
        bool counts = true;
        if (UNLIKELY(field->flags & SCHEMA_CLOSED))
            at = decode_closed(d, field, message, &counts, element, at, stop);
        else
            at = decode_scalar(d, field, element, at, stop);
        array->count += at && counts;
    }
    return at;
}

/* Puts the entry that was decoded behind the last one of the map into it: as a new one, or over
 * the one with the same key. */
static void add_entry(SchemaArray *map, const SchemaMessage *entry) {
    EntryIndex none = {0}, *index = index_of(map);
    if (!index)
        index = &none;
    void *added = (char *)map->items + (size_t)map->count * entry->size;
    uint32_t same = entry_index_find(index, entry, map, added);
    if (UNLIKELY(same != ENTRY_NONE)) {
        memcpy((char *)map->items + (size_t)same * entry->size, added, entry->size);
        return;
    }
    map->count++;
    entry_index_add(index, entry, map, map->count - 1);
}

/* An entry of a map, which holds key and value and nothing else. One whose value is an unlisted
 * number of a closed enum is an unknown field of the map's message. */
static const char *decode_entry(Decoder *d, const SchemaField *field, void *message, uint32_t tag,
                                const char *start, const char *at, const char *end) {
    SchemaArray *map = schema_at(message, field);
    const SchemaMessage *type = field->message;
    const SchemaField *value = &type->fields[1];
    if (UNLIKELY(map->count == map->capacity) &&
        UNLIKELY(!grow_map(d, map, type, count_run(at, end, tag))))
        return fail_memory(d, at);
    void *entry = (char *)map->items + (size_t)map->count * type->size;
    init_message(type, entry);
    Number length = read_length(at, end);
    if (UNLIKELY(!length.next))
        return fail_length(d, at, end);
    d->unlisted = false;
    at = decode_fields(d, type, entry, length.next, length.next + length.value, NO_GROUP);
    if (UNLIKELY(!at)) {
        schema_error_in_key(d->error, &type->fields[0], schema_at(entry, &type->fields[0]));
        return NULL;
    }
    *(SchemaUnknown **)entry = NULL;
    if (UNLIKELY(value->flags & SCHEMA_CLOSED) && d->unlisted) {
        if (!keep_unknown(d, message, span(start, (size_t)(at - start))))
            return fail_memory(d, start);
        return at;
    }
    if (value->type == SCHEMA_MESSAGE) {
        void **slot = schema_at(entry, value);
        if (!*slot && !(*slot = new_message(d->arena, value->message)))
            return fail_memory(d, start);
    }
    add_entry(map, type);
    return at;
}

/* ---- messages ------------------------------------------------------------------------------- */

/* The field of that number; most are where numbers have no gaps. */
ALWAYS_INLINE const SchemaField *find_field(const SchemaMessage *type, uint32_t number) {
    if (LIKELY(number - 1 < type->dense))
        return &type->fields[number - 1];
    return schema_field_by_number(type, number);
}

/* A field that does not come in the wire type that its tag in the table has: a repeated one in
 * the other of its two forms, or one that counts as unknown. */
static const char *decode_unexpected(Decoder *d, const SchemaField *field, void *message,
                                     uint32_t tag, const char *start, const char *at,
                                     const char *end) {
    WireFault fault = wire_tag(&(const char *){start}, end, &tag);
    if (UNLIKELY(fault))
        return fail_wire(d, start, fault);
    if (UNLIKELY((tag & 7) == WIRE_END_GROUP))
        return fail_wire(d, start, WIRE_BAD_GROUP);
    if (field && field->shape == SCHEMA_REPEATED_FIELD && type_wire(field->type) != WIRE_BYTES) {
        if ((tag & 7) == WIRE_BYTES && field->type != SCHEMA_GROUP)
            return decode_packed(d, field, message, at, end);
        if ((tag & 7) == type_wire(field->type))
            return decode_element(d, field, message, tag, at, end);
    }
    return decode_unknown(d, message, tag, start, at, end);
}

static const char *decode_field(Decoder *d, const SchemaField *field, void *message, uint32_t tag,
                                const char *start, const char *at, const char *end) {
    if (field->shape == SCHEMA_MAP)
        return decode_entry(d, field, message, tag, start, at, end);
    if (field->flags & SCHEMA_PACKED)
        return decode_packed(d, field, message, at, end);
    return decode_element(d, field, message, tag, at, end);
}

/* All fields up to `end`, or up to `end_tag` in a group; returns what comes behind. */
static const char *decode_fields(Decoder *d, const SchemaMessage *type, void *message,
                                 const char *at, const char *end, uint32_t end_tag) {
    while (at < end) {
        const char *start = at;
        Number read = read_tag(at, end);
        if (UNLIKELY(!read.next))
            return fail_tag(d, start, end);
        uint32_t tag = (uint32_t)read.value;
        at = read.next;
        const SchemaField *field = find_field(type, tag >> 3);
        if (LIKELY(field && field->tag == tag)) {
            if (field->shape == SCHEMA_SINGULAR)
                at = decode_singular(d, field, message, at, end);
            else
                at = decode_field(d, field, message, tag, start, at, end);
        } else if (tag == end_tag) {
            return at;
        } else {
            at = decode_unexpected(d, field, message, tag, start, at, end);
        }
        if (UNLIKELY(!at))
            return fail_in(d, type, message, field);
    }
    return LIKELY(end_tag == NO_GROUP) ? at : fail(d, -EBADMSG, at, "group without its end");
}

static int decode_root(Decoder *d, const SchemaMessage *type, Span input,
                       const SchemaDecode *options, void **ret) {
    if (options->copy_input && input.len) {
        input = arena_copy(d->arena, input);
        if (!input.ptr) {
            fail_memory(d, d->begin);
            return d->status;
        }
    }
    d->begin = input.ptr;
    void *message = new_message(d->arena, type);
    if (!message)
        fail_memory(d, d->begin);
    else if (!input.len ||
             decode_fields(d, type, message, input.ptr, input.ptr + input.len, NO_GROUP))
        *ret = message;
    return d->status;
}

int schema_decode(const SchemaMessage *type, Span input, const SchemaDecode *options, Arena *arena,
                  void **ret, SchemaError *error) {
    static const SchemaDecode defaults = {0};
    if (!options)
        options = &defaults;
    if (input.len > WIRE_MESSAGE_MAX)
        return schema_error_set(error, -EMSGSIZE, 0, "%zu bytes, more than 2 GiB", input.len);
    Decoder decoder = {
        .arena = arena,
        .begin = input.ptr,
        .error = error,
        .depth = options->depth ? options->depth : SCHEMA_DEPTH_MAX,
        .drop_unknown = options->drop_unknown,
    };
    void *message = NULL;
    size_t memory = options->memory ? options->memory : ((size_t)1 << 20) + 64 * input.len;
    size_t limit = arena_limit_growth(arena, memory);
    int status = decode_root(&decoder, type, input, options, &message);
    arena->limit = limit;
    if (status == 0 && type->has_required && !options->allow_partial) {
        status = schema_check_required(type, message, error);
        if (status && error)
            error->offset = input.len;
    }
    if (status == 0)
        *ret = message;
    return status;
}
