#include "rpc/snappy_frame.h"

#include <errno.h>
#include <snappy-c.h>

enum { CHUNK_COMPRESSED = 0x00, CHUNK_PLAIN = 0x01, CHUNK_SKIPPABLE = 0x80, CHUNK_START = 0xff };

#define CHUNK_HEAD 4 /* type, 24-bit length */
#define CHUNK_SUM  4 /* masked CRC-32C of the uncompressed bytes */
#define BLOCK_MAX  65536

static const char START[] = "\xff\x06\x00\x00sNaPpY";
#define START_SIZE (sizeof START - 1)

/* CRC-32C (Castagnoli, reflected), half a byte a step. */
static uint32_t crc32c(Span bytes) {
    static const uint32_t TABLE[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = ~0u;
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (uint8_t)bytes.ptr[i];
        crc = crc >> 4 ^ TABLE[crc & 15];
        crc = crc >> 4 ^ TABLE[crc & 15];
    }
    return ~crc;
}

static uint32_t masked_sum(Span bytes) {
    uint32_t crc = crc32c(bytes);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void put_u32(char *out, uint32_t value) {
    for (int i = 0; i < 4; i++)
        out[i] = (char)(value >> 8 * i);
}

static uint32_t get_u32(const char *in) {
    const uint8_t *bytes = (const uint8_t *)in;
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void snappy_frame_compress(Span in, Buf *out) {
    buf_add(out, span(START, START_SIZE));
    for (; in.len; in = span_skip(in, BLOCK_MAX)) {
        Span block = span(in.ptr, in.len < BLOCK_MAX ? in.len : BLOCK_MAX);
        size_t size = snappy_max_compressed_length(block.len);
        char *at = buf_reserve(out, CHUNK_HEAD + CHUNK_SUM + size);
        snappy_compress(block.ptr, block.len, at + CHUNK_HEAD + CHUNK_SUM, &size);
        put_u32(at, (uint32_t)(CHUNK_SUM + size) << 8 | CHUNK_COMPRESSED);
        put_u32(at + CHUNK_HEAD, masked_sum(block));
        out->len += CHUNK_HEAD + CHUNK_SUM + size;
    }
}

/* One data chunk: `body` is its checksum and content. */
static int read_block(uint8_t type, Span body, size_t limit, size_t start, Buf *out) {
    if (body.len < CHUNK_SUM)
        return -EBADMSG;
    Span content = span_skip(body, CHUNK_SUM);
    size_t size = content.len;
    if (type == CHUNK_COMPRESSED &&
        snappy_uncompressed_length(content.ptr, content.len, &size) != SNAPPY_OK)
        return -EBADMSG;
    if (size > BLOCK_MAX)
        return -EBADMSG;
    if (size > limit - (out->len - start))
        return -EMSGSIZE;
    char *at = buf_reserve(out, size);
    if (type == CHUNK_PLAIN && size)
        memcpy(at, content.ptr, size);
    if (type == CHUNK_COMPRESSED &&
        snappy_uncompress(content.ptr, content.len, at, &size) != SNAPPY_OK)
        return -EBADMSG;
    if (get_u32(body.ptr) != masked_sum(span(at, size)))
        return -EBADMSG;
    out->len += size;
    return 0;
}

int snappy_frame_decompress(Span in, size_t limit, Buf *out) {
    size_t start = out->len;
    if (!span_starts(in, span(START, START_SIZE)))
        return -EBADMSG;
    while (in.len) {
        if (in.len < CHUNK_HEAD)
            return -EBADMSG;
        uint8_t type = (uint8_t)in.ptr[0];
        size_t length = get_u32(in.ptr) >> 8;
        if (in.len - CHUNK_HEAD < length)
            return -EBADMSG;
        Span body = span(in.ptr + CHUNK_HEAD, length);
        in = span_skip(in, CHUNK_HEAD + length);
        if (type == CHUNK_START &&
            !span_equal(body, span(START + CHUNK_HEAD, START_SIZE - CHUNK_HEAD)))
            return -EBADMSG;
        if (type == CHUNK_START || (type >= CHUNK_SKIPPABLE && type < CHUNK_START))
            continue;
        if (type > CHUNK_PLAIN)
            return -EBADMSG; /* reserved, not to be skipped */
        int result = read_block(type, body, limit, start, out);
        if (result < 0)
            return result;
    }
    return 0;
}
