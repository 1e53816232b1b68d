/* A ring's file that is not what it should be, or is damaged while it is read: the first half of the
 * input is what the header begins with, the second overwrites it later. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/ring.h"

static void touch(RingReader *reader, uint64_t position) {
    RingGap gaps[RING_GAPS];
    Span seen = ring_peek(reader, position);
    volatile char sum = 0;
    for (size_t i = 0; i < seen.len; i++)
        sum = (char)(sum + seen.ptr[i]);
    ring_release(reader, position);
    ring_gaps(reader, 0, position, gaps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    RingWriter writer;
    RingReader *reader;
    int file;
    size_t half = size / 2 < sizeof(RingHeader) ? size / 2 : sizeof(RingHeader);
    if (ring_create_anonymous(RING_MIN, &writer, &file) != 0)
        return 0;
    /* The magic number and the sizes are left as they are, or nothing would be reached. */
    size_t keep = offsetof(RingHeader, head);
    if (half > keep)
        memcpy((char *)writer.header + keep, data + keep, half - keep);
    if (ring_reader_new(file, -1, &reader) == 0) {
        touch(reader, ring_tail(reader));
        touch(reader, ring_head(reader));
        memcpy(writer.header, data + half, half);
        touch(reader, ring_tail(reader));
        touch(reader, ring_head(reader));
        touch(reader, size);
        ring_reader_free(reader);
    }
    ring_unmap(&writer);
    close(file);
    return 0;
}
