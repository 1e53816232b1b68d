/* What the codec knows of each SchemaType: how it lies in memory and on the wire. */
#pragma once

#include "schema/schema.h"
#include "schema/wire.h"

/* Bytes of a singular value in its struct. */
static inline size_t type_size(unsigned type) {
    static const uint8_t sizes[] = {
        [SCHEMA_DOUBLE] = 8,
        [SCHEMA_FLOAT] = 4,
        [SCHEMA_INT64] = 8,
        [SCHEMA_UINT64] = 8,
        [SCHEMA_INT32] = 4,
        [SCHEMA_FIXED64] = 8,
        [SCHEMA_FIXED32] = 4,
        [SCHEMA_BOOL] = sizeof(bool),
        [SCHEMA_STRING] = sizeof(Span),
        [SCHEMA_GROUP] = sizeof(void *),
        [SCHEMA_MESSAGE] = sizeof(void *),
        [SCHEMA_BYTES] = sizeof(Span),
        [SCHEMA_UINT32] = 4,
        [SCHEMA_ENUM] = 4,
        [SCHEMA_SFIXED32] = 4,
        [SCHEMA_SFIXED64] = 8,
        [SCHEMA_SINT32] = 4,
        [SCHEMA_SINT64] = 8,
    };
    return sizes[type];
}

/* Whether its values are messages: pointers in a struct, structs in an array. */
static inline bool type_is_message(unsigned type) {
    return type == SCHEMA_MESSAGE || type == SCHEMA_GROUP;
}

/* Bytes of one element of a repeated or map field. */
static inline size_t element_size(const SchemaField *field) {
    return type_is_message(field->type) ? field->message->size : type_size(field->type);
}

/* The wire type of a value that is not packed. */
static inline WireType type_wire(unsigned type) {
    static const uint8_t wires[] = {
        [SCHEMA_DOUBLE] = WIRE_FIXED64,   [SCHEMA_FLOAT] = WIRE_FIXED32,
        [SCHEMA_INT64] = WIRE_VARINT,     [SCHEMA_UINT64] = WIRE_VARINT,
        [SCHEMA_INT32] = WIRE_VARINT,     [SCHEMA_FIXED64] = WIRE_FIXED64,
        [SCHEMA_FIXED32] = WIRE_FIXED32,  [SCHEMA_BOOL] = WIRE_VARINT,
        [SCHEMA_STRING] = WIRE_BYTES,     [SCHEMA_GROUP] = WIRE_START_GROUP,
        [SCHEMA_MESSAGE] = WIRE_BYTES,    [SCHEMA_BYTES] = WIRE_BYTES,
        [SCHEMA_UINT32] = WIRE_VARINT,    [SCHEMA_ENUM] = WIRE_VARINT,
        [SCHEMA_SFIXED32] = WIRE_FIXED32, [SCHEMA_SFIXED64] = WIRE_FIXED64,
        [SCHEMA_SINT32] = WIRE_VARINT,    [SCHEMA_SINT64] = WIRE_VARINT,
    };
    return (WireType)wires[type];
}

/* Bytes that a value takes on the wire; 0 where that varies. */
static inline size_t type_fixed_size(unsigned type) {
    WireType wire = type_wire(type);
    return wire == WIRE_FIXED64 ? 8 : wire == WIRE_FIXED32 ? 4 : 0;
}

/* schema_field_is_set without a call. */
static inline bool field_is_set(const void *message, const SchemaField *field) {
    const char *base = (const char *)message;
    const void *value = base + field->offset;
    if (field->shape != SCHEMA_SINGULAR)
        return ((const SchemaArray *)value)->count != 0;
    if (field->flags & SCHEMA_ONEOF_MEMBER)
        return *(const int32_t *)(base + field->presence) == (int32_t)schema_number(field);
    if (field->flags & SCHEMA_HAS)
        return *(const bool *)(base + field->presence);
    switch (type_size(field->type)) {
    case sizeof(bool):
        return *(const bool *)value;
    case sizeof(Span):
        return ((const Span *)value)->len != 0;
    case sizeof(uint32_t): /* by its bits, so that -0.0 is not the empty 0.0 */
        return *(const uint32_t *)value != 0;
    default: /* pointers to messages, too */
        return *(const uint64_t *)value != 0;
    }
}
