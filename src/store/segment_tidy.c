#include "store/segment_internal.h"

#include <assert.h>
#include <errno.h>

#define PACK_PIECE 4                       /* blocks that one call packs: about a millisecond */
#define RETRY      (10 * NANOS_PER_SECOND) /* for packing that failed */

/* ---- dropping ---- */

/* The stream's extents before `count` go; tells the owner. */
static void drop_extents(SegmentStream *stream, size_t count) {
    if (!count)
        return;
    Extent *items = stream->extents.items;
    for (size_t i = 0; i < count; i++) {
        int64_t next = i + 1 < stream->extents.count ? items[i + 1].offset : stream->end;
        int64_t raw = items[i].segment->blocks.items[items[i].block].raw;
        int64_t bytes = next - items[i].offset; /* of which some may never have come */
        items[i].segment->dead += bytes < raw ? bytes : raw;
    }
    array_remove(&stream->extents, 0, count);
    const SegmentOptions *options = &stream->store->options;
    if (options->dropped)
        options->dropped(options->owner, stream, segment_stream_first(stream));
}

/* Brings the stream back within its limit, block by block. */
static void limit_stream(SegmentStream *stream) {
    size_t count = 0;
    while (count + 1 < stream->extents.count &&
           stream->end - stream->extents.items[count].offset > stream->store->options.stream_bytes)
        count++;
    drop_extents(stream, count);
}

/* What only the oldest segment remembers of streams, the newest gets to know. */
static int hand_on(SegmentStore *store, Segment *segment) {
    for (size_t i = 0; i < segment->members.count; i++) {
        SegmentStream *stream = segment->members.items[i].stream;
        if (!stream || stream->current != segment || stream->finished)
            continue;
        int r = segment_prepare(store);
        if (r < 0)
            return r;
        segment_declare(stream);
    }
    return segment_store_sync(store); /* what an earlier try declared, too */
}

static int drop_segment(SegmentStore *store, Segment *segment) {
    assert(segment != store->active);
    if (store->packing.segment == segment)
        segment_packing_stop(store);
    int r = hand_on(store, segment);
    if (r < 0)
        return r;
    Buf path = {0};
    SegmentFile kind = segment->header.packed ? FILE_PACKED : FILE_RAW;
    r = files_remove(store->options.files,
                     segment_path(store, segment->header.sequence, kind, &path));
    buf_done(&path);
    if (r < 0 && r != -ENOENT)
        return r;
    for (size_t i = 0; i < segment->members.count; i++) {
        SegmentStream *stream = segment->members.items[i].stream;
        if (!stream)
            continue;
        size_t count = 0;
        while (count < stream->extents.count && stream->extents.items[count].segment == segment)
            count++;
        drop_extents(stream, count);
        if (stream->current == segment)
            stream->current = NULL;
        stream->known--;
        segment_stream_settle(stream);
    }
    store->total -= segment->size;
    segment_free(store, segment);
    return 0;
}

/* 1 when something was dropped. */
static int enforce_limits(SegmentStore *store, Nanos wall) {
    const SegmentOptions *options = &store->options;
    Link *over = list_pop_front(&store->over);
    if (over) {
        limit_stream(CONTAINER(over, SegmentStream, over));
        return 1;
    }
    if (list_empty(&store->segments))
        return 0;
    const Segment *active = store->active;
    if (active && options->age && active->first_wall &&
        wall - active->first_wall > options->age / 8)
        return segment_close_active(store);
    Segment *oldest = CONTAINER(store->segments.next, Segment, link);
    bool old = options->age && oldest->last_wall < wall - options->age;
    if (oldest == active || (!old && store->total <= options->total_bytes))
        return 0;
    int r = drop_segment(store, oldest);
    return r < 0 ? r : 1;
}

/* ---- packing ---- */

/* The next segment that is worth it: not packed yet, or half dead. */
static Segment *worth_packing(SegmentStore *store) {
    Segment *found = NULL;
    LIST_EACH (&store->segments, link) {
        Segment *segment = CONTAINER(link, Segment, link);
        if (segment == store->active)
            continue;
        if (!segment->header.packed)
            return segment;
        if (!found && segment->dead > segment->bytes / 2)
            found = segment;
    }
    return found;
}

void segment_packing_stop(SegmentStore *store) {
    Packing *packing = &store->packing;
    if (!packing->segment)
        return;
    file_close(packing->file);
    Buf path = {0};
    files_remove(store->options.files,
                 segment_path(store, packing->segment->header.sequence, FILE_TEMPORARY, &path));
    buf_done(&path);
    packing->segment = NULL;
    packing->file = NULL;
}

static int packing_begin(SegmentStore *store, Segment *segment) {
    Packing *packing = &store->packing;
    Buf path = {0}, header = {0};
    segment_header_put(&header,
                       &(SegmentHeader){true, segment->header.id, segment->header.sequence});
    int r = files_open(store->options.files,
                       segment_path(store, segment->header.sequence, FILE_TEMPORARY, &path),
                       FILE_CREATE, &packing->file);
    if (r == 0) {
        packing->segment = segment;
        packing->position = SEGMENT_HEADER_SIZE;
        packing->bytes = 0;
        packing->blocks.count = 0;
        r = file_write(packing->file, 0, buf_span(&header));
    }
    buf_done(&path);
    buf_done(&header);
    return r;
}

/* Those records that readers can still come to, and the names of their streams, without which no
 * record could be saved from a file whose footer is damaged. Gives the streams' bytes in them. */
static int64_t filter(const Segment *segment, Span records, Buf *out) {
    Record record;
    int64_t bytes = 0;
    for (size_t at = 0, size;
         (size = segment_record_get(span_skip(records, at), segment->header.id, &record));
         at += size) {
        if (record.stream >= segment->members.count)
            continue;
        const SegmentStream *stream = segment->members.items[record.stream].stream;
        bool content = record.kind == RECORD_BYTES || record.kind == RECORD_LOST;
        if (!stream || (record.kind != RECORD_NAME && !content) ||
            (content && segment_record_end(&record) <= segment_stream_first(stream)))
            continue;
        buf_add(out, span(records.ptr + at, size));
        bytes += record.kind == RECORD_BYTES ? (int64_t)record.payload.len : 0;
    }
    return bytes;
}

static int pack_block(SegmentStore *store) {
    Packing *packing = &store->packing;
    const Segment *segment = packing->segment;
    Buf live = {0}, out = {0};
    buf_clear(&store->block);
    int r = segment_load(store, segment, packing->blocks.count, 0, &store->block);
    if (r == 0) {
        packing->bytes += filter(segment, buf_span(&store->block), &live);
        Block *block = array_push(&packing->blocks);
        *block = (Block){(uint32_t)packing->position, 0, (uint32_t)live.len};
        if (live.len) {
            size_t bound = ZSTD_compressBound(live.len);
            buf_clear(&store->packed);
            size_t size = ZSTD_compress2(store->pack, buf_reserve(&store->packed, bound), bound,
                                         live.ptr, live.len);
            assert(!ZSTD_isError(size));
            segment_block_put(&out, segment->header.id, span(store->packed.ptr, size),
                              (uint32_t)live.len);
            r = file_write(packing->file, packing->position, buf_span(&out));
            block->stored = (uint32_t)out.len;
            packing->position += (int64_t)out.len;
        }
    }
    buf_done(&live);
    buf_done(&out);
    return r;
}

static size_t first_extent(const SegmentStream *stream, const Segment *segment) {
    size_t low = 0, high = stream->extents.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stream->extents.items[middle].segment->header.sequence < segment->header.sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void put_member(Buf *out, const Segment *segment, size_t number) {
    const Member *member = &segment->members.items[number];
    const SegmentStream *stream = member->stream;
    Span name = segment_stream_name(stream);
    put_u32(out, (uint32_t)number);
    put_u32(out, member->finished);
    put_u32(out, (uint32_t)name.len);
    buf_add(out, name);
    put_u64(out, (uint64_t)member->end);
    size_t from = first_extent(stream, segment), to = from;
    while (to < stream->extents.count && stream->extents.items[to].segment == segment)
        to++;
    put_u32(out, (uint32_t)(to - from));
    for (; from < to; from++) {
        put_u32(out, stream->extents.items[from].block);
        put_u64(out, (uint64_t)stream->extents.items[from].offset);
        put_u64(out, (uint64_t)stream->extents.items[from].wall);
    }
}

static void put_footer(SegmentStore *store, Buf *out) {
    const Packing *packing = &store->packing;
    const Segment *segment = packing->segment;
    put_u64(out, (uint64_t)segment->first_wall);
    put_u64(out, (uint64_t)segment->last_wall);
    put_u64(out, (uint64_t)packing->bytes);
    put_u32(out, (uint32_t)packing->blocks.count);
    for (size_t i = 0; i < packing->blocks.count; i++) {
        put_u32(out, packing->blocks.items[i].position);
        put_u32(out, packing->blocks.items[i].stored);
        put_u32(out, packing->blocks.items[i].raw);
    }
    uint32_t members = 0;
    for (size_t i = 0; i < segment->members.count; i++)
        members += segment->members.items[i].stream != NULL;
    put_u32(out, members);
    for (size_t i = 0; i < segment->members.count; i++)
        if (segment->members.items[i].stream)
            put_member(out, segment, i);
    segment_trailer_put(out, segment->header.id, buf_span(out));
}

/* The packed file is in place of the one before. */
static void adopt(SegmentStore *store, int64_t size) {
    Packing *packing = &store->packing;
    Segment *segment = packing->segment;
    if (!segment->header.packed) {
        Buf path = {0};
        files_remove(store->options.files,
                     segment_path(store, segment->header.sequence, FILE_RAW, &path));
        buf_done(&path); /* where it stays, the next start removes it */
    }
    segment->header.packed = true;
    segment->form++;
    store->total += size - segment->size;
    segment->size = size;
    segment->bytes = packing->bytes;
    segment->dead = 0;
    for (size_t i = 0; i < packing->blocks.count; i++)
        segment->blocks.items[i] = packing->blocks.items[i];
    packing->segment = NULL;
    packing->file = NULL;
}

static int packing_end(SegmentStore *store) {
    Packing *packing = &store->packing;
    uint64_t sequence = packing->segment->header.sequence;
    Files *files = store->options.files;
    Buf footer = {0}, from = {0}, to = {0};
    put_footer(store, &footer);
    int64_t size = packing->position + (int64_t)footer.len;
    int r = file_write(packing->file, packing->position, buf_span(&footer));
    if (r == 0)
        r = file_sync(packing->file);
    if (r == 0)
        r = files_rename(files, segment_path(store, sequence, FILE_TEMPORARY, &from),
                         segment_path(store, sequence, FILE_PACKED, &to));
    if (r == 0) {
        file_close(packing->file);
        /* From here on both files are good; which of them a power cut leaves must be known before
         * one is removed. */
        if (files_sync(files, store->folder) < 0)
            store->broken = true;
        adopt(store, size);
    }
    buf_done(&footer);
    buf_done(&from);
    buf_done(&to);
    return store->broken ? -ENOTRECOVERABLE : r;
}

static int packing_step(SegmentStore *store) {
    for (int i = 0; i < PACK_PIECE; i++) {
        if (store->packing.blocks.count == store->packing.segment->blocks.count)
            return packing_end(store);
        int r = pack_block(store);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- all of it ---- */

int segment_store_tidy(SegmentStore *store, Nanos wall) {
    if (store->broken)
        return -ENOTRECOVERABLE;
    int r = enforce_limits(store, wall);
    if (r != 0)
        return r;
    Packing *packing = &store->packing;
    if (!packing->segment) {
        Segment *segment = wall >= packing->retry ? worth_packing(store) : NULL;
        if (!segment)
            return 0;
        r = packing_begin(store, segment);
    }
    if (r == 0)
        r = packing_step(store);
    if (r < 0) {
        segment_packing_stop(store);
        packing->retry = wall + RETRY;
        return r;
    }
    return 1;
}
