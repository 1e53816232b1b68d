/* The protobuf wire format, as far as one needs it without a schema: varints, and an iterator
 * over the fields of an encoded message for readers that want a few of them and not the cost of
 * decoding the rest. Format: https://protobuf.dev/programming-guides/encoding/ */
#pragma once

#include "base/span.h"

typedef enum WireType {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_START_GROUP = 3,
    WIRE_END_GROUP = 4,
    WIRE_FIXED32 = 5,
} WireType;

#define WIRE_VARINT_MAX  10
#define WIRE_TAG_MAX     5
#define WIRE_NUMBER_MAX  ((1u << 29) - 1)
#define WIRE_MESSAGE_MAX ((size_t)INT32_MAX) /* protobuf's own bound on one message */
#define WIRE_DEPTH_MAX   100                 /* protobuf's usual bound on nesting */

/* Why bytes are not what they should be; WIRE_FINE is zero. */
typedef enum WireFault {
    WIRE_FINE,
    WIRE_CUT_SHORT,   /* they end too early, a length reaches past the end */
    WIRE_LONG_VARINT, /* a varint of more than 10 bytes, a tag of more than 5 */
    WIRE_BAD_NUMBER,  /* a field number of 0 or past WIRE_NUMBER_MAX */
    WIRE_BAD_TYPE,    /* wire type 6 or 7 */
    WIRE_BAD_GROUP,   /* the end of a group that has not begun, or of another one */
    WIRE_TOO_DEEP,    /* groups nested deeper than allowed */
} WireFault;

/* The fault in words, for people: "varint longer than 10 bytes". */
const char *wire_fault_text(WireFault fault);

/* Reads a varint at *at (not past end) and moves *at behind it; on a fault *at is unmoved. Bits
 * past the 64th are dropped, as protobuf does. */
WireFault wire_varint(const char **at, const char *end, uint64_t *ret);

/* Likewise a tag: a field number in range and a wire type that exists. */
WireFault wire_tag(const char **at, const char *end, uint32_t *ret);

/* Moves *at behind the value that follows `tag`; a group is skipped with all that is in it and
 * its end tag, and may nest `depth` levels. On a fault *at is where the fault lies. */
WireFault wire_skip(const char **at, const char *end, uint32_t tag, uint32_t depth);

/* Bytes that a varint takes. */
static inline size_t wire_varint_size(uint64_t value) {
    return ((size_t)(63 - __builtin_clzll(value | 1)) * 9 + 73) / 64;
}

/* Writes a varint forwards; returns its size. `out` has room for WIRE_VARINT_MAX. */
size_t wire_put_varint(char *out, uint64_t value);

static inline int64_t wire_unzigzag(uint64_t value) {
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}
static inline uint64_t wire_zigzag(int64_t value) {
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

/* A walk over the fields of an encoded message:
 *
 *     WireField field;
 *     for (WireReader r = wire_reader(bytes); wire_next(&r, &field);)
 *         if (field.number == 5 && field.type == WIRE_BYTES) id = field.bytes;
 *     if (r.failed) … */
typedef struct WireReader {
    const char *at, *end, *begin;
    WireFault failed;
} WireReader;

typedef struct WireField {
    uint32_t number;
    WireType type;
    uint64_t value; /* varint, fixed64, fixed32: the raw bits */
    Span bytes;     /* length-delimited: the content; a group: what lies between its tags */
    Span raw;       /* tag and value, as they stand in the message */
} WireField;

static inline WireReader wire_reader(Span message) {
    return (WireReader){message.ptr, span_end(message), message.ptr, WIRE_FINE};
}

/* The next field; false at the end, or with reader->failed set when the bytes are malformed (at
 * reader->at - begin). A group's content is skipped as one field, nested to at most WIRE_DEPTH_MAX
 * levels. */
bool wire_next(WireReader *reader, WireField *ret);
