/* Entries of the past: which chunks to look at, their rows, their bytes. */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "services/logs/line.h"
#include "services/logs/log_store_internal.h"

/* Bytes between two rows that are read along: a new place to read from costs unpacking anew. */
#define GAP_MAX (256 * 1024)

void log_store_read_done(LogRead *read) {
    buf_done(&read->text);
    array_done(&read->rows);
    array_done(&read->raws);
    array_done(&read->sources);
}

int log_store_read(SegmentStream *stream, int64_t from, int64_t until, Buf *out,
                   int64_t *ret_lost) {
    SegmentCursor *cursor = segment_cursor_new(stream, from);
    *ret_lost = 0;
    int r = 1;
    while (from < until) {
        SegmentChunk chunk;
        r = segment_cursor_next(cursor, &chunk);
        if (r <= 0)
            break;
        int64_t size = chunk.offset + chunk.size > until ? until - chunk.offset : chunk.size;
        if (chunk.lost) {
            memset(buf_reserve(out, (size_t)size), 0, (size_t)size);
            out->len += (size_t)size;
            *ret_lost += size;
        } else {
            buf_add(out, span(chunk.bytes.ptr, (size_t)size));
        }
        from = chunk.offset + size;
    }
    segment_cursor_free(cursor);
    return r < 0 ? r : from == until ? 0 : -EBADMSG;
}

/* ---- the bytes of rows ---- */

/* Reads the run of rows [begin, end) of one place (indices into `order`) in one piece. */
static int read_run(LogRead *read, SegmentStream *stream, const uint32_t *order, size_t count) {
    const Row *first = &read->rows.items[order[0]], *last = &read->rows.items[order[count - 1]];
    int64_t from = first->offset, until = last->offset + last->size, lost = 0;
    size_t begin = read->text.len;
    if (until > segment_stream_end(stream))
        return 0;
    int r = log_store_read(stream, from, until, &read->text, &lost);
    if (r < 0)
        return r;
    if (lost && count > 1) { /* some of them may be whole */
        read->text.len = begin;
        for (size_t i = 0; r == 0 && i < count; i++)
            r = read_run(read, stream, order + i, 1);
        return r;
    }
    for (size_t i = 0; !lost && i < count; i++) {
        const Row *row = &read->rows.items[order[i]];
        /* The place for now; the text moves as it grows. */
        read->raws.items[order[i]] =
            (Span){(const char *)(begin + (size_t)(row->offset - from) + 1), row->size};
    }
    return 0;
}

/* All rows of the place of row `from`, in runs. */
static int read_place(LogStore *store, LogRead *read, size_t from, bool *taken, uint32_t *order) {
    Span place = read->sources.items[from]->place;
    SegmentStream *stream = segment_store_find(store->segments, place);
    size_t count = 0;
    int64_t end = 0;
    int r = 0;
    for (size_t i = from; i < read->rows.count; i++) {
        if (taken[i] || !span_equal(read->sources.items[i]->place, place))
            continue;
        const Row *row = &read->rows.items[i];
        taken[i] = true;
        if (!stream)
            continue;
        if (count && (row->offset < end || row->offset - end > GAP_MAX)) {
            r = read_run(read, stream, order, count);
            count = 0;
        }
        if (r < 0)
            return r;
        order[count++] = (uint32_t)i;
        end = row->offset + row->size;
    }
    return count ? read_run(read, stream, order, count) : 0;
}

/* Whether a row can match, as far as it is known without its bytes. */
static bool row_may_match(LogStore *store, const Filter *filter, const Row *row,
                          const RowSource *source) {
    FilterGlance glance = {
        .service = source->service,
        .instance = source->instance,
        .time = row->time,
        .run = source->run,
        .last_run = log_store_last_run(store, source->service),
        .level = row->level,
        .stream = source->stream,
    };
    return row->level != ROW_NO_ENTRY && filter_glance(filter, &glance) != FILTER_NO;
}

int log_store_read_raws(LogStore *store, LogRead *read, const Filter *filter) {
    size_t count = read->rows.count;
    bool *taken = xcalloc(count + 1, sizeof *taken);
    uint32_t *order = xcalloc(count + 1, sizeof *order);
    int r = 0;
    buf_clear(&read->text);
    read->raws.count = 0;
    for (size_t i = 0; i < count; i++) {
        *array_push(&read->raws) = (Span){NULL, 0};
        taken[i] =
            filter && !row_may_match(store, filter, &read->rows.items[i], read->sources.items[i]);
    }
    for (size_t i = 0; r == 0 && i < count; i++)
        if (!taken[i])
            r = read_place(store, read, i, taken, order);
    for (size_t i = 0; i < count; i++)
        if (read->raws.items[i].ptr)
            read->raws.items[i].ptr = read->text.ptr + ((size_t)read->raws.items[i].ptr - 1);
    free(taken);
    free(order);
    return r;
}

/* ---- blocks ---- */

void log_store_unload(LogStore *store, SealedBlock *sealed) {
    if (!sealed->loaded)
        return;
    store->cached -= sealed->size;
    block_done(sealed->loaded);
    free(sealed->loaded);
    sealed->loaded = NULL;
}

static void make_room(LogStore *store, size_t size) {
    while (store->cached && store->cached + size > CACHE_BYTES) {
        SealedBlock *oldest = NULL;
        for (size_t i = 0; i < store->sealed_blocks.count; i++) {
            SealedBlock *one = &store->sealed_blocks.items[i];
            if (one->loaded && (!oldest || one->used < oldest->used))
                oldest = one;
        }
        log_store_unload(store, oldest);
    }
}

Block *log_store_load(LogStore *store, SealedBlock *sealed, int *ret_error) {
    sealed->used = ++store->clock;
    *ret_error = 0;
    if (sealed->loaded)
        return sealed->loaded;
    make_room(store, sealed->size);
    Buf bytes = {0};
    int64_t lost;
    *ret_error = log_store_read(store->blocks, sealed->offset,
                                sealed->offset + (int64_t)sealed->size, &bytes, &lost);
    Block *block = xcalloc(1, sizeof *block);
    if (*ret_error < 0 || !block_read(&bytes, block)) {
        buf_done(&bytes);
        free(block);
        return NULL;
    }
    sealed->loaded = block;
    store->cached += sealed->size;
    for (size_t i = 0; i < block->sources.count; i++) {
        const RowSource *source = &block->sources.items[i].source;
        if (source->run)
            log_store_note_run(store, source->service, source->run);
    }
    return block;
}

/* ---- chunks ---- */

static int read_sealed(LogStore *store, const Block *block, const BlockChunk *chunk,
                       const Filter *texts, LogChunk *ret) {
    LogRead *read = &store->read;
    read->rows.count = read->sources.count = read->raws.count = 0;
    if (!row_decode(chunk->rows, chunk->count, &read->rows))
        read->rows.count = 0;
    /* Damaged ones are passed over whole: sequences would be wrong. */
    bool whole = read->rows.count == chunk->count;
    for (size_t i = 0; whole && i < read->rows.count; i++) {
        uint16_t source = read->rows.items[i].source;
        whole = source < block->sources.count;
        if (whole)
            *array_push(&read->sources) = &block->sources.items[source].source;
    }
    if (!whole)
        read->rows.count = 0;
    int r = texts && whole ? log_store_read_raws(store, read, texts) : 0;
    *ret = (LogChunk){chunk->first,        chunk->first + chunk->count,
                      read->rows.items,    texts ? read->raws.items : NULL,
                      read->sources.items, (uint32_t)read->rows.count};
    return r < 0 ? r : 1;
}

static int read_open(LogStore *store, const OpenChunk *chunk, LogChunk *ret) {
    LogRead *read = &store->read;
    read->sources.count = read->raws.count = 0;
    const char *at = chunk->text.ptr;
    for (size_t i = 0; i < chunk->rows.count; i++) {
        const Row *row = &chunk->rows.items[i];
        *array_push(&read->raws) = span(at, row->size);
        *array_push(&read->sources) = &store->open_sources.items[row->source].source;
        at += row->size;
    }
    *ret = (LogChunk){chunk->is.first,     chunk->is.first + (int64_t)chunk->rows.count,
                      chunk->rows.items,   read->raws.items,
                      read->sources.items, (uint32_t)chunk->rows.count};
    return 1;
}

static int64_t last_run(void *owner, Span service) {
    return log_store_last_run(owner, service);
}

/* The chunk at or behind (before) the sequence in one sealed block; 0: none. */
static int find_in_block(LogStore *store, SealedBlock *sealed, const Filter *filter,
                         int64_t sequence, bool backwards, bool texts, LogChunk *ret) {
    if (!block_range_may_match(&sealed->range, filter))
        return 0;
    int error;
    const Block *block = log_store_load(store, sealed, &error);
    if (!block)
        return error;
    uint64_t chunks = block_chunks(block, filter, last_run, store);
    for (uint32_t n = 0; n < block->chunk_count && chunks; n++) {
        uint32_t i = backwards ? block->chunk_count - 1 - n : n;
        const BlockChunk *chunk = &block->chunks[i];
        bool beyond = backwards ? chunk->first > sequence : chunk->first + chunk->count <= sequence;
        if (chunks >> i & 1 && !beyond)
            return read_sealed(store, block, chunk, texts ? filter : NULL, ret);
    }
    return 0;
}

static int find_open(LogStore *store, int64_t sequence, bool backwards, LogChunk *ret) {
    for (uint32_t n = 0; n < store->chunk_count; n++) {
        uint32_t i = backwards ? store->chunk_count - 1 - n : n;
        const OpenChunk *chunk = &store->chunks[i];
        bool beyond = backwards ? chunk->is.first > sequence
                                : chunk->is.first + (int64_t)chunk->rows.count <= sequence;
        if (!beyond && chunk->rows.count)
            return read_open(store, chunk, ret);
    }
    return 0;
}

/* The number of sealed blocks that begin at or before the sequence. */
static size_t blocks_until(const LogStore *store, int64_t sequence) {
    size_t low = 0, high = store->sealed_blocks.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (store->sealed_blocks.items[middle].range.first <= sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int log_store_find(LogStore *store, const Filter *filter, int64_t sequence, bool backwards,
                   bool texts, LogChunk *ret) {
    size_t at = blocks_until(store, sequence);
    int r = 0;
    if (backwards) {
        r = find_open(store, sequence, true, ret);
        while (r == 0 && at > 0)
            r = find_in_block(store, &store->sealed_blocks.items[--at], filter, sequence, true,
                              texts, ret);
        return r;
    }
    for (at -= at > 0; r == 0 && at < store->sealed_blocks.count; at++)
        r = find_in_block(store, &store->sealed_blocks.items[at], filter, sequence, false, texts,
                          ret);
    return r ? r : find_open(store, sequence, false, ret);
}

/* ---- entries ---- */

static Span without_feed(Span raw) {
    if (raw.len && raw.ptr[raw.len - 1] == '\n')
        raw.len--;
    if (raw.len && raw.ptr[raw.len - 1] == '\r')
        raw.len--;
    return raw;
}

static void hide(const Mask *mask, Arena *arena, RtLogEntry *entry) {
    if (!mask)
        return;
    entry->message = mask_text(mask, entry->message, arena);
    for (uint32_t i = 0; i < entry->metadata.count; i++)
        entry->metadata.items[i].value = mask_text(mask, entry->metadata.items[i].value, arena);
    for (uint32_t i = 0; entry->attributes && i < entry->attributes->fields.count; i++) {
        PbValue *value = entry->attributes->fields.items[i].value;
        if (value && value->which_kind == PbValue_string_value_number)
            value->string_value = mask_text(mask, value->string_value, arena);
    }
}

void log_store_entry(const RowSource *source, const Row *row, Span raw, int64_t sequence,
                     const Mask *mask, Arena *arena, RtLogEntry *ret) {
    RtLogEntry *entry = NULL;
    bool encoded = span_equal(source->place, LOG_STORE_ENTRIES);
    if (encoded && schema_decode(&RtLogEntry_type, raw, NULL, arena, (void **)&entry, NULL) == 0) {
        *ret = *entry;
        hide(mask, arena, ret);
    } else {
        *ret = (RtLogEntry){0};
        if (encoded)
            ret->message = SPAN("(damaged)");
        else
            line_parse(without_feed(raw), row->time, mask, arena, ret);
    }
    ret->timestamp = row->time / NANOS_PER_MILLI;
    ret->nanoseconds = (int32_t)(row->time % NANOS_PER_MILLI);
    ret->level = row->level;
    ret->sequence = sequence;
    ret->service_name = source->service;
    ret->instance = source->instance;
    ret->run = source->run;
    ret->stream = source->stream;
}
