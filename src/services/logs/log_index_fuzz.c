/* What a damaged disk may hold: blocks, their index, records of rows. The checksums are mended, so
 * that the readers behind them are reached. */
#include <assert.h>

#include "base/hash.h"
#include "services/logs/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t no_run(void *owner, Span service) {
    return 0;
}

static void use_block(Buf *bytes, const Filter *filter) {
    Block block;
    if (!block_read(bytes, &block))
        return;
    block_chunks(&block, filter, no_run, NULL);
    for (uint32_t i = 0; i < block.chunk_count; i++) {
        Rows rows = {0};
        row_decode(block.chunks[i].rows, block.chunks[i].count, &rows);
        array_done(&rows);
    }
    block_done(&block);
}

static void read_block(const uint8_t *data, size_t size) {
    Filter *filter;
    FilterError error;
    assert(filter_parse(SPAN("timeout corr:req-1 id=1234567 service:a level>=warn time>1767225600"),
                        0, &filter, &error) == 0);
    Buf bytes = {0};
    char head[BLOCK_HEAD] = "MLB1";
    uint64_t check = hash_bytes(span(data, size), UINT32_C(0x31424c4d));
    for (unsigned i = 0; i < 4; i++)
        head[4 + i] = (char)(size >> (8 * i));
    for (unsigned i = 0; i < 8; i++)
        head[8 + i] = (char)(check >> (8 * i));
    buf_add(&bytes, span(head, sizeof head));
    buf_add(&bytes, span(data, size));
    BlockRange range;
    block_read_range(buf_span(&bytes), &range);
    use_block(&bytes, filter);
    buf_done(&bytes);
    filter_free(filter);
}

static void read_records(Span bytes) {
    size_t at = 0, lack;
    for (;;) {
        RowRecord record;
        size_t before = at;
        int r = row_read_record(bytes, &at, &record, &lack);
        if (r == 0) {
            Buf filler = {0};
            row_write_filler(&filler, span_skip(bytes, at));
            buf_done(&filler);
            return;
        }
        assert(at > before && at <= bytes.len);
        Rows rows = {0};
        if (r == 1 && !record.is_source)
            row_decode(record.rows, record.count, &rows);
        array_done(&rows);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_block(data, size);
    read_records(span(data, size));
    return 0;
}
