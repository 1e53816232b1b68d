/* What the streams hold, brought back: the blocks by their beginnings, and the rows behind the last
 * of them one by one, as if they were taken anew. */
#include <errno.h>

#include "services/logs/log_store_internal.h"

#define WINDOW (1024 * 1024)

/* ---- blocks ---- */

/* The next place from `from` on where a block may begin; the end of the stream: nowhere. */
static int64_t find_block(LogStore *store, int64_t from) {
    int64_t end = segment_stream_end(store->blocks), lost;
    Buf bytes = {0};
    while (from < end) {
        int64_t until = end - from < WINDOW ? end : from + WINDOW;
        buf_clear(&bytes);
        if (log_store_read(store->blocks, from, until, &bytes, &lost) < 0)
            break;
        const char *found = bytes.len ? memmem(bytes.ptr, bytes.len, "MLB1", 4) : NULL;
        if (found) {
            from += found - bytes.ptr;
            buf_done(&bytes);
            return from;
        }
        from = until == end ? end : until - 3;
    }
    buf_done(&bytes);
    return end;
}

static int recover_blocks(LogStore *store) {
    int64_t at = segment_stream_first(store->blocks), end = segment_stream_end(store->blocks), lost;
    Buf bytes = {0};
    int r = 0;
    while (at < end) {
        int64_t until = end - at < BLOCK_RANGE_MAX ? end : at + BLOCK_RANGE_MAX;
        buf_clear(&bytes);
        r = log_store_read(store->blocks, at, until, &bytes, &lost);
        if (r < 0)
            break;
        size_t size = block_size(buf_span(&bytes));
        SealedBlock block = {.offset = at, .size = size};
        bool whole =
            size && (int64_t)size <= end - at && block_read_range(buf_span(&bytes), &block.range);
        if (whole && block.range.first >= store->next) {
            *array_push(&store->sealed_blocks) = block;
            store->next = block.range.until;
        }
        at = whole ? at + (int64_t)size : find_block(store, at + 1);
    }
    buf_done(&bytes);
    return r;
}

/* The newest blocks into memory: they know the last runs. */
static void warm(LogStore *store) {
    for (size_t i = store->sealed_blocks.count, n = 0; i-- && n < 64; n++) {
        int error;
        log_store_load(store, &store->sealed_blocks.items[i], &error);
    }
}

/* ---- rows ---- */

/* A source begins to have a number. Number 0 is the first of each block: where it comes again, the
 * block before was sealed, and what was sealed did not reach the disk. */
static int recover_source(LogStore *store, const RowRecord *record, int64_t from, Nanos wall) {
    if (record->id == 0 && store->open_sources.count && store->chunk_count) {
        log_store_seal(store, from);
        int r = log_store_flush(store, wall);
        if (r < 0)
            return r;
    }
    if (record->id == 0) {
        store->open_sources.count = store->open_names.count = 0;
        store->serial++;
    }
    LogSourceName *name;
    int r = log_store_source(store, &record->source, &name);
    if (r < 0)
        return r;
    /* Those between, whose records are lost, are nobody: their rows are passed over. */
    while (store->open_sources.count < record->id) {
        *array_push(&store->open_sources) = (BlockSource){0};
        *array_push(&store->open_names) = NULL;
    }
    if (store->open_sources.count > record->id)
        return 0;
    name->is.base = record->source.base;
    name->is.rowed = record->source.rowed;
    log_store_number(store, name);
    if (name->place != store->entries)
        log_store_keep_source(store, name, true);
    return 0;
}

/* Those rows are taken whose sources are known, into `read`. */
static bool recover_known(LogStore *store, const RowRecord *record, LogRead *read) {
    read->rows.count = read->sources.count = 0;
    if (!row_decode(record->rows, record->count, &read->rows))
        return false;
    for (size_t i = 0; i < read->rows.count; i++) {
        uint16_t source = read->rows.items[i].source;
        if (source >= store->open_names.count || !store->open_names.items[source])
            return false;
        *array_push(&read->sources) = &store->open_names.items[source]->is;
    }
    return read->rows.count > 0;
}

static int recover_rows(LogStore *store, const RowRecord *record, Arena *arena, LogRead *read) {
    if (record->first < store->next || !recover_known(store, record, read))
        return 0;
    int r = log_store_read_raws(store, read, NULL);
    if (r < 0)
        return r;
    bool gap = record->first > store->next;
    store->next = record->first;
    if (!store->chunk_count ||
        (store->chunk_count < BLOCK_CHUNKS && (gap || log_store_chunk_is_full(store))))
        log_store_begin_chunk(store);
    else if (gap)
        return 0; /* no chunk is left to begin behind the gap: the rows are lost with it */
    for (size_t i = 0; i < read->rows.count; i++) {
        const Row *row = &read->rows.items[i];
        RtLogEntry entry;
        bool is_entry = row->level != ROW_NO_ENTRY;
        if (is_entry)
            log_store_entry(read->sources.items[i], row, read->raws.items[i], store->next, NULL,
                            arena, &entry);
        log_store_put(store, store->open_names.items[row->source], row, read->raws.items[i],
                      is_entry ? &entry : NULL);
        arena_reset(arena);
    }
    store->written = (uint32_t)store->chunks[store->chunk_count - 1].rows.count;
    return 0;
}

/* An unfinished record at the end is filled up, so that the next one can be found. */
static int fill_up(LogStore *store, Span begun, Nanos wall) {
    Buf filler = {0};
    int r = 0;
    while (r == 0 && begun.len) {
        row_write_filler(&filler, begun);
        r = segment_store_append(store->rows, segment_stream_end(store->rows), buf_span(&filler),
                                 wall);
        begun = (Span){NULL, 0};
    }
    buf_done(&filler);
    return r;
}

static int recover_records(LogStore *store, int64_t from, Nanos wall) {
    Buf bytes = {0};
    Arena arena = {0};
    LogRead read = {0};
    int64_t end = segment_stream_end(store->rows), lost;
    int r = 0;
    size_t at = 0, lack = 0;
    int64_t begin = from; /* of `bytes` in the stream */
    while (r == 0) {
        RowRecord record;
        size_t before = at;
        int found = row_read_record(buf_span(&bytes), &at, &record, &lack);
        if (found == 1) {
            r = record.is_source ? recover_source(store, &record, begin + (int64_t)before, wall)
                                 : recover_rows(store, &record, &arena, &read);
            continue;
        }
        if (found < 0)
            continue;
        if (from == end)
            break;
        if (at)
            memmove(bytes.ptr, bytes.ptr + at, bytes.len - at);
        bytes.len -= at;
        begin += (int64_t)at;
        at = 0;
        int64_t until = end - from < WINDOW ? end : from + WINDOW;
        r = log_store_read(store->rows, from, until, &bytes, &lost);
        from = until;
    }
    if (r == 0)
        r = fill_up(store, span_skip(buf_span(&bytes), at), wall);
    log_store_read_done(&read);
    arena_done(&arena);
    buf_done(&bytes);
    return r;
}

int log_store_recover(LogStore *store, Nanos wall) {
    int r = recover_blocks(store);
    if (r < 0)
        return r;
    warm(store);
    int64_t from = segment_stream_first(store->rows);
    if (store->sealed_blocks.count)
        from = store->sealed_blocks.items[store->sealed_blocks.count - 1].range.journal;
    r = recover_records(store, from, wall);
    /* With nothing left that tells, the bytes of all rows that there ever were are more than the
     * rows. */
    if (r == 0 && store->next == 1)
        store->next = segment_stream_end(store->rows) + 1;
    return r;
}
