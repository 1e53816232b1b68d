/* Snappy's framing format around the blocks of libsnappy, which has no framing of its own.
 * Format: https://github.com/google/snappy/blob/main/framing_format.txt */
#pragma once

#include "base/buf.h"

void snappy_frame_compress(Span in, Buf *out);

/* As decompress_bytes. */
int snappy_frame_decompress(Span in, size_t limit, Buf *out);
