/* A folder with one segment of any bytes: opening says what it thinks of it, and whatever is found
 * can be read, written on and packed. Checksums are put right first, since no fuzzer guesses
 * them; the first byte says which file it is. */
#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "os/simulated_disk.h"
#include "store/segment_format.h"
#include "store/segment_store.h"

#define ID 0x1122334455667788u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as records, each with the checksum it needs, as far as lengths lead. */
static void put_records(Buf *out, Span bytes) {
    while (bytes.len >= SEGMENT_RECORD_SIZE) {
        char head[SEGMENT_RECORD_SIZE];
        memcpy(head, bytes.ptr, sizeof head);
        memset(head + 9, 0, 3); /* payloads of at most 255 bytes */
        size_t whole = (SEGMENT_RECORD_SIZE + (uint8_t)head[8] + 7u) & ~7u;
        if (whole > bytes.len)
            break;
        size_t from = out->len;
        buf_add(out, span(head, sizeof head));
        buf_add(out, span(bytes.ptr + sizeof head, whole - sizeof head));
        uint64_t checksum =
            hash_bytes(span(out->ptr + from + 8, SEGMENT_RECORD_SIZE - 8 + (uint8_t)head[8]), ID);
        memcpy(out->ptr + from, &checksum, sizeof checksum);
        bytes = span_skip(bytes, whole);
    }
    buf_add(out, bytes);
}

static void read_all(SegmentStore *store) {
    size_t at = 0;
    for (SegmentStream *stream; (stream = segment_store_next(store, &at));) {
        SegmentCursor *cursor = segment_cursor_new(stream, 0);
        SegmentChunk chunk;
        int64_t read = 0;
        while (segment_cursor_next(cursor, &chunk) == 1) {
            assert(chunk.offset == read && chunk.size > 0);
            assert(chunk.lost ? !chunk.bytes.len : (int64_t)chunk.bytes.len == chunk.size);
            read += chunk.size;
        }
        assert(read == segment_stream_end(stream));
        segment_cursor_free(cursor);
    }
}

static void try_store(Files *files, bool again) {
    SegmentOptions options = {.files = files, .folder = "/s", .segment_bytes = 1000};
    SegmentStore *store;
    SegmentStream *stream;
    Buf report = {0};
    int r = segment_store_open(&options, 1, 1, &store, &report);
    assert(r == 0 || report.len);
    buf_done(&report);
    if (r < 0)
        return;
    read_all(store);
    if (segment_store_stream(store, SPAN("mine"), &stream) == 0 && !segment_stream_finished(stream))
        assert(segment_store_append(stream, segment_stream_end(stream), SPAN("bytes"), 2) == 0);
    assert(segment_store_sync(store) == 0);
    while (segment_store_tidy(store, 3) == 1)
        ;
    read_all(store);
    segment_store_close(store);
    if (!again)
        try_store(files, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size)
        return 0;
    bool packed = data[0] & 1;
    Span bytes = span(data + 1, size - 1);
    Buf content = {0};
    segment_header_put(&content, &(SegmentHeader){packed, ID, 1});
    if (packed) {
        buf_add(&content, bytes); /* a footer, and what stands before it */
        segment_trailer_put(&content, ID, bytes);
    } else {
        put_records(&content, bytes);
    }
    SimulatedDisk *disk = simulated_disk_new(1);
    Files *files = simulated_disk_files(disk);
    File *file;
    int r = files_open(files, packed ? "/s/0000000000000001.pack" : "/s/0000000000000001.raw",
                       FILE_CREATE, &file);
    assert(r == 0);
    r = file_write(file, 0, buf_span(&content));
    assert(r == 0);
    file_close(file);
    try_store(files, false);
    simulated_disk_free(disk);
    buf_done(&content);
    return 0;
}
