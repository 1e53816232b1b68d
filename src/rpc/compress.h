/* The compressions that RPC messages travel in, by their libraries: gzip and deflate (zlib), br
 * (brotli), zstd, snappy (in its framing format, as Connect's and Go's implementations use it).
 * Pure functions, any thread. */
#pragma once

#include "base/buf.h"

typedef enum RpcCompression {
    RPC_IDENTITY,
    RPC_GZIP,
    RPC_DEFLATE, /* RFC 1950, with zlib's header, as HTTP means it */
    RPC_BR,
    RPC_ZSTD,
    RPC_SNAPPY,
    RPC_COMPRESSIONS
} RpcCompression;

/* "identity", "gzip", … */
Span compression_name(RpcCompression compression);
/* -1 when the name is none of ours. The empty name is identity. */
int compression_from_name(Span name);
/* Names joined by ", " of those whose bit 1 << RpcCompression is set. */
size_t compression_names(uint32_t set, char *out, size_t room);

/* Appends to `out`. Compressing does not fail. */
void compress_bytes(RpcCompression compression, Span in, Buf *out);

/* Appends to `out` what the bytes say, at most `limit` bytes: -EMSGSIZE when it would be more
 * (as soon as that shows, without producing it), -EBADMSG when they are malformed, cut short or
 * followed by others. `out` is then as long as before. */
int decompress_bytes(RpcCompression compression, Span in, size_t limit, Buf *out);
