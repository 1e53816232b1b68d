#include "schema/wire.h"

const char *wire_fault_text(WireFault fault) {
    switch (fault) {
    case WIRE_FINE:
        return "nothing wrong";
    case WIRE_CUT_SHORT:
        return "cut short";
    case WIRE_LONG_VARINT:
        return "varint longer than 10 bytes, or tag longer than 5";
    case WIRE_BAD_NUMBER:
        return "field number 0 or past 536870911";
    case WIRE_BAD_TYPE:
        return "wire type 6 or 7";
    case WIRE_BAD_GROUP:
        return "end of a group that has not begun";
    case WIRE_TOO_DEEP:
        return "nested too deep";
    }
    return "";
}

/* `most` bytes at the most; those of the value's bits that lie past the 64th fall away. */
static inline WireFault read_varint(const char **at, const char *end, size_t most, uint64_t *ret) {
    size_t room = (size_t)(end - *at);
    size_t bound = room < most ? room : most;
    uint64_t value = 0;
    for (size_t i = 0; i < bound; i++) {
        uint8_t byte = (uint8_t)(*at)[i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *at += i + 1;
            *ret = value;
            return WIRE_FINE;
        }
    }
    return room < most ? WIRE_CUT_SHORT : WIRE_LONG_VARINT;
}

WireFault wire_varint(const char **at, const char *end, uint64_t *ret) {
    return read_varint(at, end, WIRE_VARINT_MAX, ret);
}

WireFault wire_tag(const char **at, const char *end, uint32_t *ret) {
    const char *p = *at;
    uint64_t tag;
    WireFault fault = read_varint(&p, end, WIRE_TAG_MAX, &tag);
    if (fault)
        return fault;
    if (tag > UINT32_MAX || tag >> 3 == 0)
        return WIRE_BAD_NUMBER;
    if ((tag & 7) > WIRE_FIXED32)
        return WIRE_BAD_TYPE;
    *at = p;
    *ret = (uint32_t)tag;
    return WIRE_FINE;
}

static WireFault skip_bytes(const char **at, const char *end, uint64_t count) {
    if (count > (size_t)(end - *at))
        return WIRE_CUT_SHORT;
    *at += count;
    return WIRE_FINE;
}

/* *at moves behind the end tag; *ret_content_end is where that begins. */
static WireFault skip_group(const char **at, const char *end, uint32_t start_tag, uint32_t depth,
                            const char **ret_content_end) {
    if (depth == 0)
        return WIRE_TOO_DEEP;
    for (;;) {
        const char *field = *at;
        uint32_t tag;
        WireFault fault = wire_tag(at, end, &tag);
        if (fault)
            return fault;
        if ((tag & 7) == WIRE_END_GROUP) {
            *ret_content_end = field;
            if (tag >> 3 == start_tag >> 3)
                return WIRE_FINE;
            *at = field;
            return WIRE_BAD_GROUP;
        }
        fault = wire_skip(at, end, tag, depth - 1);
        if (fault)
            return fault;
    }
}

WireFault wire_skip(const char **at, const char *end, uint32_t tag, uint32_t depth) {
    uint64_t value;
    const char *content_end;
    WireFault fault;
    switch ((WireType)(tag & 7)) {
    case WIRE_VARINT:
        return wire_varint(at, end, &value);
    case WIRE_FIXED64:
        return skip_bytes(at, end, 8);
    case WIRE_FIXED32:
        return skip_bytes(at, end, 4);
    case WIRE_BYTES:
        fault = wire_varint(at, end, &value);
        return fault ? fault : skip_bytes(at, end, value);
    case WIRE_START_GROUP:
        return skip_group(at, end, tag, depth, &content_end);
    case WIRE_END_GROUP:
        return WIRE_BAD_GROUP;
    }
    return WIRE_BAD_TYPE;
}

size_t wire_put_varint(char *out, uint64_t value) {
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        out[size++] = (char)(value | 0x80);
    out[size++] = (char)value;
    return size;
}

/* Little-endian, whatever the machine's order. */
static uint64_t load_little(const char *at, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)(uint8_t)at[i] << (8 * i);
    return value;
}

static WireFault read_value(WireReader *reader, uint32_t tag, WireField *field) {
    const char *start = reader->at;
    WireFault fault = WIRE_FINE;
    switch (field->type) {
    case WIRE_VARINT:
        return wire_varint(&reader->at, reader->end, &field->value);
    case WIRE_FIXED64:
    case WIRE_FIXED32: {
        unsigned size = field->type == WIRE_FIXED64 ? 8 : 4;
        fault = skip_bytes(&reader->at, reader->end, size);
        if (!fault)
            field->value = load_little(start, size);
        return fault;
    }
    case WIRE_BYTES: {
        uint64_t length;
        fault = wire_varint(&reader->at, reader->end, &length);
        if (!fault)
            fault = skip_bytes(&reader->at, reader->end, length);
        if (!fault)
            field->bytes = span(reader->at - length, length);
        return fault;
    }
    case WIRE_START_GROUP: {
        const char *content_end;
        fault = skip_group(&reader->at, reader->end, tag, WIRE_DEPTH_MAX, &content_end);
        if (!fault)
            field->bytes = span(start, (size_t)(content_end - start));
        return fault;
    }
    case WIRE_END_GROUP:
        return WIRE_BAD_GROUP;
    }
    return WIRE_BAD_TYPE;
}

bool wire_next(WireReader *reader, WireField *ret) {
    const char *start = reader->at;
    if (start == reader->end || reader->failed)
        return false;
    uint32_t tag;
    WireField field = {0};
    reader->failed = wire_tag(&reader->at, reader->end, &tag);
    if (!reader->failed) {
        field.number = tag >> 3;
        field.type = (WireType)(tag & 7);
        reader->failed = read_value(reader, tag, &field);
    }
    if (reader->failed)
        return false;
    field.raw = span(start, (size_t)(reader->at - start));
    *ret = field;
    return true;
}
