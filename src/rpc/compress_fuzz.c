/* Any bytes in every compression: what comes out keeps to the limit, and what we compress comes back.
 * The first byte chooses the compression. */
#include "rpc/compress.h"

#include <assert.h>

#define LIMIT 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size)
        return 0;
    RpcCompression compression = (RpcCompression)(data[0] % RPC_COMPRESSIONS);
    Span bytes = span(data + 1, size - 1);
    Buf out = {0}, packed = {0};
    buf_add_literal(&out, "before");
    if (bytes.len) {
        int result = decompress_bytes(compression, bytes, LIMIT, &out);
        assert(out.len >= 6 && out.len <= 6 + LIMIT && (result == 0 || out.len == 6));
    }
    compress_bytes(compression, bytes, &packed);
    out.len = 6;
    if (packed.len && bytes.len <= LIMIT)
        assert(decompress_bytes(compression, buf_span(&packed), LIMIT, &out) == 0 &&
               span_equal(span_skip(buf_span(&out), 6), bytes));
    buf_done(&out);
    buf_done(&packed);
    return 0;
}
