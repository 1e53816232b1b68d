#include "store/segment_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"

struct SegmentCursor {
    SegmentStream *stream;
    int64_t offset;
    uint64_t sequence; /* of the segment whose block is loaded; 0: none */
    uint32_t number;   /* of that block … */
    uint32_t form;     /* … as that form of the segment has it */
    Buf block;
    size_t at; /* of the next record in it */
};

/* ---- blocks ---- */

int segment_unpack(SegmentStore *store, Span packed, uint32_t raw, Buf *out) {
    char *to = buf_reserve(out, raw ? raw : 1);
    size_t got = ZSTD_decompressDCtx(store->unpack, to, raw, packed.ptr, packed.len);
    if (ZSTD_isError(got) || got != raw)
        return -EBADMSG;
    out->len += raw;
    return 0;
}

static int read_file(SegmentStore *store, const Segment *segment, int64_t position, size_t size,
                     Buf *out) {
    File *file = segment == store->active ? store->file : NULL;
    int r = 0;
    if (!file) {
        Buf path = {0};
        SegmentFile kind = segment->header.packed ? FILE_PACKED : FILE_RAW;
        r = files_open(store->options.files,
                       segment_path(store, segment->header.sequence, kind, &path), FILE_READ,
                       &file);
        buf_done(&path);
    }
    if (r < 0)
        return r;
    int64_t got = file_read(file, position, buf_reserve(out, size + 1), size);
    if (file != store->file)
        file_close(file);
    if (got < 0)
        return (int)got;
    out->len += (size_t)got; /* a file cut short is found out by its checksums */
    return 0;
}

static int load_raw(SegmentStore *store, const Segment *segment, const Block *block, size_t from,
                    Buf *out) {
    int64_t at = (int64_t)block->position + (int64_t)from,
            end = (int64_t)block->position + block->raw;
    int64_t written = segment == store->active ? store->written : end;
    if (at < written) {
        int64_t until = end < written ? end : written;
        int r = read_file(store, segment, at, (size_t)(until - at), out);
        if (r < 0)
            return r;
        at = until;
    }
    if (at < end)
        buf_add(out, span(store->buffer.ptr + (at - written), (size_t)(end - at)));
    return 0;
}

int segment_load(SegmentStore *store, const Segment *segment, size_t block, size_t from, Buf *out) {
    const Block *where = &segment->blocks.items[block];
    if (where->raw <= from)
        return 0;
    if (!segment->header.packed)
        return load_raw(store, segment, where, from, out);
    Span packed;
    uint32_t raw;
    buf_clear(&store->packed);
    int r = read_file(store, segment, where->position, where->stored, &store->packed);
    if (r < 0)
        return r;
    if (segment_block_get(buf_span(&store->packed), segment->header.id, &packed, &raw) == 0 &&
        raw == where->raw)
        segment_unpack(store, packed, raw, out);
    return 0;
}

/* ---- the cursor ---- */

SegmentCursor *segment_cursor_new(SegmentStream *stream, int64_t from) {
    SegmentCursor *cursor = xcalloc(1, sizeof *cursor);
    cursor->stream = stream;
    cursor->offset = from < 0 ? 0 : from;
    stream->cursors++;
    return cursor;
}

void segment_cursor_free(SegmentCursor *cursor) {
    if (!cursor)
        return;
    cursor->stream->cursors--;
    segment_stream_settle(cursor->stream);
    buf_done(&cursor->block);
    free(cursor);
}

int64_t segment_cursor_offset(const SegmentCursor *cursor) {
    return cursor->offset;
}

/* How many extents begin at or before the offset. */
static size_t extents_until(const SegmentStream *stream, int64_t offset) {
    size_t low = 0, high = stream->extents.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stream->extents.items[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int give_lost(SegmentCursor *cursor, int64_t until, Nanos wall, SegmentChunk *ret) {
    *ret = (SegmentChunk){cursor->offset, until - cursor->offset, true, {0}, wall};
    cursor->offset = until;
    return 1;
}

/* The extent's block is in memory, with all that it has by now. */
static int load(SegmentCursor *cursor, const Extent *extent) {
    const Segment *segment = extent->segment;
    if (cursor->sequence != segment->header.sequence || cursor->number != extent->block ||
        cursor->form != segment->form) {
        buf_clear(&cursor->block);
        cursor->at = 0;
        cursor->sequence = segment->header.sequence;
        cursor->number = extent->block;
        cursor->form = segment->form;
    }
    return segment_load(cursor->stream->store, segment, extent->block, cursor->block.len,
                        &cursor->block);
}

/* 1 when a chunk was found in the block that is loaded. */
static int find(SegmentCursor *cursor, const Extent *extent, SegmentChunk *ret) {
    Record record;
    size_t whole;
    while ((whole = segment_record_get(span_skip(buf_span(&cursor->block), cursor->at),
                                       extent->segment->header.id, &record))) {
        bool ours = record.stream == extent->number &&
                    (record.kind == RECORD_BYTES || record.kind == RECORD_LOST) &&
                    segment_record_end(&record) > cursor->offset;
        int64_t end = segment_record_end(&record), limit = cursor->stream->end;
        if (ours && record.offset > cursor->offset)
            return give_lost(cursor, record.offset < limit ? record.offset : limit, 0, ret);
        cursor->at += whole;
        if (!ours)
            continue;
        if (end > limit) /* as no store of ours wrote it */
            end = limit;
        if (record.kind == RECORD_LOST)
            return give_lost(cursor, end, record.wall, ret);
        const char *from = record.payload.ptr + (cursor->offset - record.offset);
        int64_t size = end - cursor->offset;
        *ret = (SegmentChunk){cursor->offset, size, false, span(from, (size_t)size), record.wall};
        cursor->offset = end;
        return 1;
    }
    return 0;
}

int segment_cursor_next(SegmentCursor *cursor, SegmentChunk *ret) {
    SegmentStream *stream = cursor->stream;
    if (cursor->offset >= stream->end)
        return 0;
    size_t at = extents_until(stream, cursor->offset);
    int64_t until = at < stream->extents.count ? stream->extents.items[at].offset : stream->end;
    if (at > 0) {
        const Extent *extent = &stream->extents.items[at - 1];
        int r = load(cursor, extent);
        if (r == 0)
            r = find(cursor, extent, ret);
        if (r != 0)
            return r;
    }
    return give_lost(cursor, until, 0, ret);
}

int64_t segment_stream_seek(const SegmentStream *stream, Nanos wall) {
    size_t low = 0, high = stream->extents.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stream->extents.items[middle].wall < wall)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? stream->extents.items[low - 1].offset : segment_stream_first(stream);
}
