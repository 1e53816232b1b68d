/* Bytes of our own files, piece by piece: little-endian numbers, varints, texts with their length.
 * A reader that has met the end gives zeroes and `failed` from then on. */
#pragma once

#include "base/buf.h"
#include "schema/wire.h"

static inline void pack_byte(Buf *out, uint8_t value) {
    buf_add_char(out, (char)value);
}
static inline void pack_number(Buf *out, uint64_t value) {
    char *at = buf_reserve(out, WIRE_VARINT_MAX);
    out->len += wire_put_varint(at, value);
}
static inline void pack_signed(Buf *out, int64_t value) {
    pack_number(out, wire_zigzag(value));
}
static inline void pack_text(Buf *out, Span text) {
    pack_number(out, text.len);
    buf_add(out, text);
}
static inline void pack_fixed32(Buf *out, uint32_t value) {
    char bytes[4] = {(char)value, (char)(value >> 8), (char)(value >> 16), (char)(value >> 24)};
    buf_add(out, span(bytes, sizeof bytes));
}

typedef struct Unpack {
    const char *at, *end;
    bool failed;
} Unpack;

static inline Unpack unpack_begin(Span bytes) {
    return (Unpack){bytes.ptr, span_end(bytes), false};
}
static inline uint64_t unpack_number(Unpack *in) {
    uint64_t value = 0;
    if (in->failed || wire_varint(&in->at, in->end, &value) != WIRE_FINE)
        in->failed = true;
    return in->failed ? 0 : value;
}
static inline int64_t unpack_signed(Unpack *in) {
    return wire_unzigzag(unpack_number(in));
}
static inline Span unpack_bytes(Unpack *in, uint64_t size) {
    if (in->failed || size > (uint64_t)(in->end - in->at)) {
        in->failed = true;
        return (Span){NULL, 0};
    }
    in->at += size;
    return span(in->at - size, (size_t)size);
}
static inline Span unpack_text(Unpack *in) {
    return unpack_bytes(in, unpack_number(in));
}
static inline uint8_t unpack_byte(Unpack *in) {
    Span byte = unpack_bytes(in, 1);
    return byte.len ? (uint8_t)byte.ptr[0] : 0;
}
static inline uint32_t unpack_fixed32(Unpack *in) {
    Span bytes = unpack_bytes(in, 4);
    uint32_t value = 0;
    for (size_t i = bytes.len; i--;)
        value = value << 8 | (unsigned char)bytes.ptr[i];
    return value;
}
