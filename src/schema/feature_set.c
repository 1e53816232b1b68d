#include "schema/feature_set.h"

#include "schema/wire.h"

bool features_of_file(Span syntax, uint64_t edition, Features *ret) {
    static const Features proto2 = {
        {0, PRESENCE_EXPLICIT, ENUM_CLOSED, REPEATED_EXPANDED, UTF8_NONE, MESSAGE_LENGTH_PREFIXED}};
    static const Features proto3 = {
        {0, PRESENCE_IMPLICIT, ENUM_OPEN, REPEATED_PACKED, UTF8_VERIFY, MESSAGE_LENGTH_PREFIXED}};
    static const Features edition_2023 = {
        {0, PRESENCE_EXPLICIT, ENUM_OPEN, REPEATED_PACKED, UTF8_VERIFY, MESSAGE_LENGTH_PREFIXED}};

    if (syntax.len == 0 || span_equal(syntax, SPAN("proto2")))
        *ret = proto2;
    else if (span_equal(syntax, SPAN("proto3")))
        *ret = proto3;
    else if (span_equal(syntax, SPAN("editions")) && (edition == 1000 || edition == 1001))
        *ret = edition_2023; /* 1001 is 2024, which changed none of these */
    else
        return false;
    return true;
}

void features_apply(Features *features, Span feature_set) {
    WireField field;
    for (WireReader r = wire_reader(feature_set); wire_next(&r, &field);)
        if (field.type == WIRE_VARINT && field.number < FEATURES && field.value < 8)
            features->of[field.number] = (uint8_t)field.value;
}

bool options_varint(Span message, uint32_t number, uint64_t *ret) {
    bool found = false;
    WireField field;
    for (WireReader r = wire_reader(message); wire_next(&r, &field);) {
        if (field.number == number && field.type == WIRE_VARINT) {
            *ret = field.value;
            found = true;
        }
    }
    return found;
}

Span options_message(Span message, uint32_t number, Arena *arena) {
    Span content = {0};
    size_t parts = 0, size = 0;
    WireField field;
    for (WireReader r = wire_reader(message); wire_next(&r, &field);) {
        if (field.number != number || field.type != WIRE_BYTES)
            continue;
        content = field.bytes;
        size += field.bytes.len;
        parts++;
    }
    if (parts < 2)
        return content;
    char *joined = arena_alloc(arena, size), *at = joined;
    for (WireReader r = wire_reader(message); wire_next(&r, &field);)
        if (field.number == number && field.type == WIRE_BYTES)
            at = mempcpy(at, field.bytes.ptr, field.bytes.len);
    return span(joined, size);
}

Span options_unknown(const SchemaUnknown *unknown, Arena *arena) {
    if (!unknown || !unknown->next)
        return unknown ? unknown->bytes : (Span){0};
    size_t size = 0;
    for (const SchemaUnknown *at = unknown; at; at = at->next)
        size += at->bytes.len;
    char *joined = arena_alloc(arena, size), *end = joined;
    for (const SchemaUnknown *at = unknown; at; at = at->next)
        end = mempcpy(end, at->bytes.ptr, at->bytes.len);
    return span(joined, size);
}
