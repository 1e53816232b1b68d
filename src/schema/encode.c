/* The encoder: messages to bytes, written from the last byte to the first.
 *
 * Going backwards, the length of a message is known when its place comes, so nothing is measured
 * beforehand and nothing moved afterwards. A position is passed along and comes back where what
 * was written begins; NULL means failure. When the room is used up, what is written moves to the
 * end of a block of twice the size (so distances are kept from the end, not addresses). */
#include "schema/codec.h"

#include <endian.h>
#include <errno.h>

#include "schema/types.h"
#include "schema/wire.h"

#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Room for a tag and any number or length, so that these are written unchecked. */
#define SLACK 32

/* What the first block has room for. */
#define FIRST_ROOM 512

typedef struct Writer {
    char *floor;  /* the lowest address that may be written */
    char *end;    /* behind the last byte of the message */
    Arena *arena; /* more room comes from here */
    size_t max;   /* bytes in all */
    int too_long; /* the status when they do not suffice */
    int status;
} Writer;

static char *encode_fields(Writer *w, const SchemaMessage *type, const void *message, char *at);

/* ---- room ----------------------------------------------------------------------------------- */

/* Lets it write to all that is free in the arena's current block; returns the end of it. */
ALWAYS_INLINE char *use_block(Writer *w) {
    Arena *arena = w->arena;
    arena_reserve(arena, (size_t)(arena->top - arena->floor));
    w->floor = arena->floor;
    return w->end = arena->top;
}

/* Moves what is written to where `more` bytes fit before it. */
static __attribute__((noinline, cold)) char *grow(Writer *w, char *at, size_t more) {
    size_t written = (size_t)(w->end - at);
    if (written > w->max || more > w->max - written + SLACK) {
        w->status = w->too_long;
        return NULL;
    }
    size_t wanted = written < FIRST_ROOM ? FIRST_ROOM : written;
    if (!arena_reserve(w->arena, written + (wanted > more ? wanted : more))) {
        w->status = -ENOMEM;
        return NULL;
    }
    char *end = use_block(w);
    if (written)
        memcpy(end - written, at, written);
    return end - written;
}

ALWAYS_INLINE char *make_room(Writer *w, char *at, size_t more) {
    return LIKELY((size_t)(at - w->floor) >= more) ? at : grow(w, at, more);
}

/* ---- pieces, each ending at `at`, into SLACK ------------------------------------------------- */

/* Varints of up to eight bytes: spreads the seven-bit groups in three steps, the reverse of what
 * the decoder does; what is stored below the varint is written over later. */
ALWAYS_INLINE char *put_long_varint(char *at, uint64_t value) {
    size_t size = wire_varint_size(value);
    if (UNLIKELY(size > 8)) {
        wire_put_varint(at - size, value);
        return at - size;
    }
    uint64_t word = value;
    word = (word & 0x000000000fffffff) | (word & 0x00fffffff0000000) << 4;
    word = (word & 0x00003fff00003fff) | (word & 0x0fffc0000fffc000) << 2;
    word = (word & 0x007f007f007f007f) | (word & 0x3f803f803f803f80) << 1;
    word |= 0x8080808080808080 & (((uint64_t)1 << (8 * size - 1)) - 1);
    word = htole64(word << (64 - 8 * size));
    memcpy(at - 8, &word, 8);
    return at - size;
}

ALWAYS_INLINE char *put_varint(char *at, uint64_t value) {
    if (LIKELY(value < 0x80)) {
        *--at = (char)value;
        return at;
    }
    return put_long_varint(at, value);
}

ALWAYS_INLINE char *put_tag(char *at, uint32_t tag) {
    if (LIKELY(tag < 0x80)) {
        *--at = (char)tag;
        return at;
    }
    if (LIKELY(tag < 0x4000)) {
        *--at = (char)(tag >> 7);
        *--at = (char)(tag | 0x80);
        return at;
    }
    return put_long_varint(at, tag);
}

ALWAYS_INLINE char *put_fixed32(char *at, uint32_t value) {
    value = htole32(value);
    return memcpy(at - 4, &value, 4);
}

ALWAYS_INLINE char *put_fixed64(char *at, uint64_t value) {
    value = htole64(value);
    return memcpy(at - 8, &value, 8);
}

/* ---- values --------------------------------------------------------------------------------- */

/* memcpy without a call for up to 16 bytes: two pieces that may overlap. */
ALWAYS_INLINE void copy_bytes(char *to, const char *from, size_t len) {
    if (len > 16) {
        memcpy(to, from, len);
    } else if (len >= 8) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else if (len >= 4) {
        memcpy(to, from, 4);
        memcpy(to + len - 4, from + len - 4, 4);
    } else {
        for (size_t i = 0; i < len; i++)
            to[i] = from[i];
    }
}

/* Bytes with their length before them. */
ALWAYS_INLINE char *put_span(Writer *w, char *at, Span bytes) {
    at = make_room(w, at, bytes.len + SLACK);
    if (UNLIKELY(!at))
        return NULL;
    at -= bytes.len;
    copy_bytes(at, bytes.ptr, bytes.len);
    return put_varint(at, bytes.len);
}

/* A message or group as the value of `field`, with what frames it, the tag included. NULL is the
 * empty message. */
ALWAYS_INLINE char *put_message(Writer *w, const SchemaField *field, const void *message,
                                char *at) {
    bool group = field->type == SCHEMA_GROUP;
    if (group)
        at = put_tag(at, (field->tag & ~7u) | WIRE_END_GROUP);
    size_t before = (size_t)(w->end - at);
    if (message && UNLIKELY(!(at = encode_fields(w, field->message, message, at))))
        return NULL;
    size_t length = (size_t)(w->end - at) - before;
    at = make_room(w, at, SLACK);
    if (UNLIKELY(!at))
        return NULL;
    if (!group)
        at = put_varint(at, length);
    return put_tag(at, field->tag);
}

/* The varint of a number of this type; numbers with a sign that are not zigzag extend it to 64
 * bits. */
ALWAYS_INLINE uint64_t varint_of(unsigned type, const void *value) {
    switch (type) {
    case SCHEMA_BOOL:
        return *(const bool *)value;
    case SCHEMA_INT32:
    case SCHEMA_ENUM:
        return (uint64_t)(int64_t) * (const int32_t *)value;
    case SCHEMA_UINT32:
        return *(const uint32_t *)value;
    case SCHEMA_SINT32:
        return (uint32_t)wire_zigzag(*(const int32_t *)value);
    case SCHEMA_SINT64:
        return wire_zigzag(*(const int64_t *)value);
    default:
        return *(const uint64_t *)value;
    }
}

/* A number without its tag. */
ALWAYS_INLINE char *put_number(char *at, unsigned type, const void *value) {
    switch (type_wire(type)) {
    case WIRE_FIXED32:
        return put_fixed32(at, *(const uint32_t *)value);
    case WIRE_FIXED64:
        return put_fixed64(at, *(const uint64_t *)value);
    default:
        return put_varint(at, varint_of(type, value));
    }
}

/* ---- fields --------------------------------------------------------------------------------- */

/* Whether a singular field has presence of its own; if so, *ret tells whether it is set. */
ALWAYS_INLINE bool has_presence(const SchemaField *field, const char *message, bool *ret) {
    if (LIKELY(!(field->flags & (SCHEMA_HAS | SCHEMA_ONEOF_MEMBER))))
        return false;
    const char *presence = message + field->presence;
    *ret = field->flags & SCHEMA_HAS ? *(const bool *)presence
                                     : *(const int32_t *)presence == (int32_t)schema_number(field);
    return true;
}

/* A singular field that has SLACK before `at`; nothing when it is not set. Key and value of a map
 * entry are `always` written. */
ALWAYS_INLINE char *put_singular(Writer *w, const SchemaField *field, const char *message, char *at,
                                 bool always) {
    const void *value = message + field->offset;
    if (has_presence(field, message, &always) && !always)
        return at;
    uint64_t number;
    switch ((SchemaType)field->type) {
    case SCHEMA_STRING:
    case SCHEMA_BYTES:
        if (((const Span *)value)->len == 0 && !always)
            return at;
        at = put_span(w, at, *(const Span *)value);
        return LIKELY(at != NULL) ? put_tag(at, field->tag) : NULL;
    case SCHEMA_MESSAGE:
    case SCHEMA_GROUP:
        if (!*(void *const *)value && !always)
            return at;
        return put_message(w, field, *(void *const *)value, at);
    case SCHEMA_FLOAT:
    case SCHEMA_FIXED32:
    case SCHEMA_SFIXED32:
        if (*(const uint32_t *)value == 0 && !always)
            return at;
        return put_tag(put_fixed32(at, *(const uint32_t *)value), field->tag);
    case SCHEMA_DOUBLE:
    case SCHEMA_FIXED64:
    case SCHEMA_SFIXED64:
        if (*(const uint64_t *)value == 0 && !always)
            return at;
        return put_tag(put_fixed64(at, *(const uint64_t *)value), field->tag);
    case SCHEMA_INT64:
    case SCHEMA_UINT64:
        number = *(const uint64_t *)value;
        break;
    case SCHEMA_INT32:
    case SCHEMA_ENUM:
        number = (uint64_t)(int64_t) * (const int32_t *)value;
        break;
    default:
        number = varint_of(field->type, value);
        break;
    }
    if (number == 0 && !always)
        return at;
    return put_tag(put_varint(at, number), field->tag);
}

static char *put_packed(Writer *w, const SchemaField *field, const SchemaArray *array, char *at) {
    size_t before = (size_t)(w->end - at), size = type_size(field->type);
    for (size_t i = array->count; i-- > 0;) {
        at = make_room(w, at, SLACK);
        if (UNLIKELY(!at))
            return NULL;
        at = put_number(at, field->type, (const char *)array->items + i * size);
    }
    size_t length = (size_t)(w->end - at) - before;
    at = make_room(w, at, SLACK);
    return LIKELY(at != NULL) ? put_tag(put_varint(at, length), field->tag) : NULL;
}

/* The elements of a repeated or map field, each with its tag. */
static char *put_elements(Writer *w, const SchemaField *field, const SchemaArray *array, char *at) {
    size_t size = element_size(field);
    for (size_t i = array->count; i-- > 0;) {
        const char *element = (const char *)array->items + i * size;
        at = make_room(w, at, SLACK);
        if (UNLIKELY(!at))
            return NULL;
        if (type_is_message(field->type)) {
            at = put_message(w, field, element, at);
        } else {
            at = type_wire(field->type) == WIRE_BYTES ? put_span(w, at, *(const Span *)element)
                                                      : put_number(at, field->type, element);
            if (LIKELY(at != NULL))
                at = put_tag(at, field->tag);
        }
        if (UNLIKELY(!at))
            return NULL;
    }
    return at;
}

static char *put_unknown(Writer *w, const SchemaUnknown *unknown, char *at) {
    size_t length = 0;
    for (const SchemaUnknown *u = unknown; u; u = u->next)
        length += u->bytes.len;
    at = make_room(w, at, length);
    if (UNLIKELY(!at))
        return NULL;
    char *to = at -= length;
    for (const SchemaUnknown *u = unknown; u; to += u->bytes.len, u = u->next)
        memcpy(to, u->bytes.ptr, u->bytes.len);
    return at;
}

static char *encode_fields(Writer *w, const SchemaMessage *type, const void *message, char *at) {
    const SchemaUnknown *unknown = *(SchemaUnknown *const *)message;
    if (UNLIKELY(unknown != NULL) && UNLIKELY(!(at = put_unknown(w, unknown, at))))
        return NULL;
    const bool always = type->map_entry;
    for (size_t i = type->field_count; i-- > 0;) {
        const SchemaField *field = &type->fields[i];
        at = make_room(w, at, SLACK);
        if (UNLIKELY(!at))
            return NULL;
        if (LIKELY(field->shape == SCHEMA_SINGULAR)) {
            at = put_singular(w, field, message, at, always);
        } else {
            const SchemaArray *array = schema_at(message, field);
            if (array->count)
                at = field->flags & SCHEMA_PACKED ? put_packed(w, field, array, at)
                                                  : put_elements(w, field, array, at);
        }
        if (UNLIKELY(!at))
            return NULL;
    }
    return at;
}

/* ---- whole messages ------------------------------------------------------------------------- */

int schema_encode(const SchemaMessage *type, const void *message, size_t headroom, Arena *arena,
                  Span *ret) {
    Writer writer = {.arena = arena, .max = WIRE_MESSAGE_MAX, .too_long = -EMSGSIZE};
    if (!arena_reserve(arena, FIRST_ROOM))
        return -ENOMEM;
    char *at = encode_fields(&writer, type, message, use_block(&writer));
    if (at && (size_t)(writer.end - at) > WIRE_MESSAGE_MAX) {
        writer.status = -EMSGSIZE;
        at = NULL;
    }
    if (at)
        at = make_room(&writer, at, headroom);
    arena_take(arena, at ? at - headroom : arena->top);
    if (at)
        *ret = span(at, (size_t)(writer.end - at));
    return writer.status;
}

/* When the room becomes too tight for SLACK the rest goes on in an arena: only the end shows
 * whether it fits. */
int64_t schema_encode_into(const SchemaMessage *type, const void *message, char *begin, char *end) {
    Arena spill = {0};
    size_t room = (size_t)(end - begin);
    Writer writer = {.floor = begin, .end = end, .arena = &spill, .max = room, .too_long = -ENOSPC};
    const char *at = encode_fields(&writer, type, message, end);
    size_t length = at ? (size_t)(writer.end - at) : 0;
    if (at && length > room)
        writer.status = -ENOSPC;
    else if (at && writer.end != end)
        memcpy(end - length, at, length);
    arena_done(&spill);
    return writer.status ? writer.status : (int64_t)length;
}

/* ---- size ----------------------------------------------------------------------------------- */

/* A message or group as the value of `field`, with its frame, without its tag. */
static size_t message_size(const SchemaField *field, const void *message) {
    size_t content = message ? schema_size(field->message, message) : 0;
    return content +
           (field->type == SCHEMA_GROUP ? wire_varint_size(field->tag) : wire_varint_size(content));
}

/* A value without its tag. `value` points to the struct of a message. */
static size_t value_size(const SchemaField *field, const void *value) {
    size_t fixed = type_fixed_size(field->type);
    if (fixed)
        return fixed;
    if (type_is_message(field->type))
        return message_size(field, value);
    if (type_wire(field->type) == WIRE_VARINT)
        return wire_varint_size(varint_of(field->type, value));
    size_t len = ((const Span *)value)->len;
    return wire_varint_size(len) + len;
}

static size_t array_size(const SchemaField *field, const SchemaArray *array) {
    size_t size = element_size(field), total = 0, tag = wire_varint_size(field->tag);
    if (array->count == 0)
        return 0;
    for (size_t i = 0; i < array->count; i++)
        total += value_size(field, (const char *)array->items + i * size);
    return field->flags & SCHEMA_PACKED ? tag + wire_varint_size(total) + total
                                        : array->count * tag + total;
}

size_t schema_size(const SchemaMessage *type, const void *message) {
    size_t total = 0;
    for (const SchemaUnknown *u = *(SchemaUnknown *const *)message; u; u = u->next)
        total += u->bytes.len;
    for (size_t i = 0; i < type->field_count; i++) {
        const SchemaField *field = &type->fields[i];
        const void *value = schema_at(message, field);
        if (field->shape != SCHEMA_SINGULAR)
            total += array_size(field, value);
        else if (type->map_entry || schema_field_is_set(message, field))
            total +=
                wire_varint_size(field->tag) +
                value_size(field, type_is_message(field->type) ? *(void *const *)value : value);
    }
    return total;
}
