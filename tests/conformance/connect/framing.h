/* The conformance runner's messages on pipes: four bytes of length, big-endian, then protobuf. */
#pragma once

#include <stdio.h>

#include "schema/codec.h"

#define FRAME_MAX (64u << 20)

/* The next message's bytes, in the arena. False at the end of the input. */
static inline bool frame_read(FILE *in, Arena *arena, Span *ret) {
    uint8_t head[4];
    if (fread(head, 1, 4, in) != 4)
        return false;
    size_t size = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (size > FRAME_MAX)
        return false;
    char *bytes = arena_alloc(arena, size);
    *ret = span(bytes, size);
    return fread(bytes, 1, size, in) == size;
}

static inline void frame_write(FILE *out, const SchemaMessage *type, const void *message,
                               Arena *arena) {
    Span bytes;
    if (schema_encode(type, message, 4, arena, &bytes) < 0)
        return;
    uint8_t *head = (uint8_t *)bytes.ptr - 4;
    for (int i = 0; i < 4; i++)
        head[i] = (uint8_t)(bytes.len >> (24 - 8 * i));
    fwrite(head, 1, bytes.len + 4, out);
    fflush(out);
}
