#include "rpc/compress.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "base/memory.h"
#include "rpc/snappy_frame.h"

/* Speed before size: these bytes cross a loopback or a local network. */
#define ZLIB_LEVEL     1
#define BROTLI_QUALITY 1
#define ZSTD_LEVEL     1

#define ZLIB_WINDOW 15
#define GZIP_WINDOW (ZLIB_WINDOW + 16)

static const Span NAMES[RPC_COMPRESSIONS] = {
    [RPC_IDENTITY] = {"identity", 8}, [RPC_GZIP] = {"gzip", 4},
    [RPC_DEFLATE] = {"deflate", 7},   [RPC_BR] = {"br", 2},
    [RPC_ZSTD] = {"zstd", 4},         [RPC_SNAPPY] = {"snappy", 6},
};

Span compression_name(RpcCompression compression) {
    return NAMES[compression];
}

int compression_from_name(Span name) {
    if (!name.len)
        return RPC_IDENTITY;
    for (int i = 0; i < RPC_COMPRESSIONS; i++)
        if (span_equal(name, NAMES[i]))
            return i;
    return -1;
}

size_t compression_names(uint32_t set, char *out, size_t room) {
    size_t len = 0;
    for (int i = 0; i < RPC_COMPRESSIONS; i++) {
        if (!(set & 1u << i) || len + 2 + NAMES[i].len > room)
            continue;
        if (len) {
            memcpy(out + len, ", ", 2);
            len += 2;
        }
        memcpy(out + len, NAMES[i].ptr, NAMES[i].len);
        len += NAMES[i].len;
    }
    return len;
}

/* ---- compressing ---- */

static void zlib_compress(Span in, int window, Buf *out) {
    z_stream z = {.next_in = (Bytef *)(in.ptr ? in.ptr : ""), .avail_in = (uInt)in.len};
    int failed = deflateInit2(&z, ZLIB_LEVEL, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
    if (failed)
        out_of_memory();
    size_t bound = deflateBound(&z, in.len);
    z.next_out = (Bytef *)buf_reserve(out, bound);
    z.avail_out = (uInt)bound;
    deflate(&z, Z_FINISH);
    out->len += z.total_out;
    deflateEnd(&z);
}

static void brotli_compress(Span in, Buf *out) {
    size_t size = BrotliEncoderMaxCompressedSize(in.len);
    uint8_t *at = (uint8_t *)buf_reserve(out, size);
    if (!BrotliEncoderCompress(BROTLI_QUALITY, BROTLI_DEFAULT_WINDOW, BROTLI_DEFAULT_MODE, in.len,
                               (const uint8_t *)in.ptr, &size, at))
        out_of_memory();
    out->len += size;
}

static void zstd_compress(Span in, Buf *out) {
    size_t bound = ZSTD_compressBound(in.len);
    size_t size = ZSTD_compress(buf_reserve(out, bound), bound, in.ptr, in.len, ZSTD_LEVEL);
    if (ZSTD_isError(size))
        out_of_memory();
    out->len += size;
}

void compress_bytes(RpcCompression compression, Span in, Buf *out) {
    switch (compression) {
    case RPC_GZIP:
        zlib_compress(in, GZIP_WINDOW, out);
        return;
    case RPC_DEFLATE:
        zlib_compress(in, ZLIB_WINDOW, out);
        return;
    case RPC_BR:
        brotli_compress(in, out);
        return;
    case RPC_ZSTD:
        zstd_compress(in, out);
        return;
    case RPC_SNAPPY:
        snappy_frame_compress(in, out);
        return;
    default:
        buf_add(out, in);
        return;
    }
}

/* ---- decompressing ---- */

/* Room for the next piece of output, one byte past the limit at most: a byte there says "too much". */
static char *next_room(Buf *out, size_t start, size_t limit, size_t *ret_size) {
    size_t done = out->len - start;
    size_t size = done < 16 * 1024 ? 16 * 1024 : done;
    if (size > limit - done)
        size = limit - done + 1;
    *ret_size = size;
    return buf_reserve(out, size);
}

static int zlib_decompress(Span in, int window, size_t limit, Buf *out) {
    size_t start = out->len, size;
    z_stream z = {.next_in = (Bytef *)in.ptr, .avail_in = (uInt)in.len};
    if (inflateInit2(&z, window))
        out_of_memory();
    int result = Z_OK;
    while (result == Z_OK && out->len - start <= limit) {
        z.next_out = (Bytef *)next_room(out, start, limit, &size);
        z.avail_out = (uInt)size;
        result = inflate(&z, Z_NO_FLUSH);
        out->len += size - z.avail_out;
        if (result == Z_OK && z.avail_out && !z.avail_in)
            break; /* cut short */
    }
    bool whole = result == Z_STREAM_END && z.avail_in == 0;
    inflateEnd(&z);
    if (out->len - start > limit)
        return -EMSGSIZE;
    return whole ? 0 : -EBADMSG;
}

static int brotli_decompress(Span in, size_t limit, Buf *out) {
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    if (!state)
        out_of_memory();
    size_t start = out->len, size, left = in.len;
    const uint8_t *next = (const uint8_t *)in.ptr;
    BrotliDecoderResult result = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && out->len - start <= limit) {
        uint8_t *at = (uint8_t *)next_room(out, start, limit, &size);
        size_t room = size;
        result = BrotliDecoderDecompressStream(state, &left, &next, &room, &at, NULL);
        out->len += size - room;
    }
    BrotliDecoderDestroyInstance(state);
    if (out->len - start > limit)
        return -EMSGSIZE;
    return result == BROTLI_DECODER_RESULT_SUCCESS && left == 0 ? 0 : -EBADMSG;
}

/* A frame whose window is larger than this is refused: the window is allocated before any output. */
#define ZSTD_WINDOW_LOG_MAX 23

static int zstd_decompress(Span in, size_t limit, Buf *out) {
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (!stream)
        out_of_memory();
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    size_t start = out->len, more = 1, size;
    ZSTD_inBuffer from = {in.ptr, in.len, 0};
    while (out->len - start <= limit) {
        ZSTD_outBuffer to = {.dst = next_room(out, start, limit, &size)};
        to.size = size;
        more = ZSTD_decompressStream(stream, &to, &from);
        out->len += to.pos;
        bool stuck = from.pos == from.size && to.pos < to.size;
        if (ZSTD_isError(more) || stuck)
            break;
        if (more == 0 && from.pos == from.size)
            break;
    }
    ZSTD_freeDStream(stream);
    if (out->len - start > limit)
        return -EMSGSIZE;
    return more == 0 ? 0 : -EBADMSG;
}

static int decompress(RpcCompression compression, Span in, size_t limit, Buf *out) {
    switch (compression) {
    case RPC_GZIP:
        return zlib_decompress(in, GZIP_WINDOW, limit, out);
    case RPC_DEFLATE:
        return zlib_decompress(in, ZLIB_WINDOW, limit, out);
    case RPC_BR:
        return brotli_decompress(in, limit, out);
    case RPC_ZSTD:
        return zstd_decompress(in, limit, out);
    case RPC_SNAPPY:
        return snappy_frame_decompress(in, limit, out);
    default:
        if (in.len > limit)
            return -EMSGSIZE;
        buf_add(out, in);
        return 0;
    }
}

int decompress_bytes(RpcCompression compression, Span in, size_t limit, Buf *out) {
    size_t before = out->len;
    int result = decompress(compression, in, limit, out);
    if (result < 0)
        out->len = before;
    return result;
}
