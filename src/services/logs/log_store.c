#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "services/logs/log_store_internal.h"

typedef struct ServiceRun {
    Span service;
    int64_t run;
} ServiceRun;

static Span key_of_source(const void *item) {
    return ((const LogSourceItem *)item)->key;
}
static Span key_of_run(const void *item) {
    return ((const ServiceRun *)item)->service;
}

/* ---- sources ---- */

static void source_key(const RowSource *source, Buf *out) {
    pack_text(out, source->place);
    pack_text(out, source->service);
    pack_text(out, source->instance);
    pack_signed(out, source->run);
    pack_number(out, (uint64_t)source->stream);
}

static Span copy_text(Span text) {
    char *copy = xmalloc(text.len + 1);
    memcpy(copy, text.ptr ? text.ptr : "", text.len);
    return span(copy, text.len);
}

void log_store_note_run(LogStore *store, Span service, int64_t run) {
    ServiceRun *item = map_get(&store->runs, service);
    if (!item) {
        item = xcalloc(1, sizeof *item);
        item->service = copy_text(service);
        map_put(&store->runs, item);
    }
    if (run > item->run)
        item->run = run;
}

int64_t log_store_last_run(LogStore *store, Span service) {
    const ServiceRun *item = map_get(&store->runs, service);
    return item ? item->run : 0;
}

static void source_free(LogSourceItem *item) {
    free((char *)item->name.is.place.ptr);
    free((char *)item->name.is.service.ptr);
    free((char *)item->name.is.instance.ptr);
    free((char *)item->key.ptr);
    free(item);
}

int log_store_source(LogStore *store, const RowSource *source, LogSourceName **ret) {
    Buf key = {0};
    source_key(source, &key);
    LogSourceItem *item = map_get(&store->sources, buf_span(&key));
    if (item) {
        buf_done(&key);
        *ret = &item->name;
        return 0;
    }
    SegmentStream *place;
    int r = segment_store_stream(store->segments, source->place, &place);
    if (r < 0) {
        buf_done(&key);
        return r;
    }
    item = xcalloc(1, sizeof *item);
    item->name.is = *source;
    item->name.is.place = copy_text(source->place);
    item->name.is.service = copy_text(source->service);
    item->name.is.instance = copy_text(source->instance);
    item->name.place = place;
    item->key = copy_text(buf_span(&key));
    buf_done(&key);
    map_put(&store->sources, item);
    if (source->run)
        log_store_note_run(store, source->service, source->run);
    *ret = &item->name;
    return 0;
}

LogSourceName *log_store_next_source(LogStore *store, size_t *at) {
    return *at < store->kept.count ? &store->kept.items[(*at)++]->name : NULL;
}

void log_store_keep_source(LogStore *store, LogSourceName *source, bool keep) {
    LogSourceItem *item = CONTAINER(source, LogSourceItem, name);
    if (item->kept == keep)
        return;
    item->kept = keep;
    if (keep) {
        *array_push(&store->kept) = item;
        if (!store->opening)
            log_store_number(store, source);
        return;
    }
    size_t at = 0;
    while (store->kept.items[at] != item)
        at++;
    array_remove(&store->kept, at, 1);
}

uint16_t log_store_number(LogStore *store, LogSourceName *source) {
    if (source->serial == store->serial)
        return source->number;
    assert(store->open_sources.count < ROW_SOURCES_MAX);
    source->serial = store->serial;
    source->number = (uint16_t)store->open_sources.count;
    *array_push(&store->open_sources) = (BlockSource){.source = source->is};
    *array_push(&store->open_names) = source;
    if (!store->opening)
        row_write_source(&store->records, source->number, &source->is);
    return source->number;
}

/* ---- the block being filled ---- */

int64_t log_store_rows_end(const LogStore *store) {
    return segment_stream_end(store->rows) + (int64_t)store->records.len;
}

/* Rows of the last chunk that have no record yet. */
static size_t unwritten_rows(const LogStore *store) {
    return store->chunk_count ? store->chunks[store->chunk_count - 1].rows.count - store->written
                              : 0;
}

/* They get one. */
static void write_rows(LogStore *store) {
    if (!unwritten_rows(store))
        return;
    OpenChunk *chunk = &store->chunks[store->chunk_count - 1];
    row_write_rows(&store->records, chunk->is.first + store->written,
                   chunk->rows.items + store->written, chunk->rows.count - store->written);
    store->written = (uint32_t)chunk->rows.count;
}

void log_store_begin_chunk(LogStore *store) {
    OpenChunk *chunk = &store->chunks[store->chunk_count++];
    chunk->rows.count = 0;
    buf_clear(&chunk->text);
    chunk->is = (BlockChunk){.first = store->next, .time_min = INT64_MAX, .time_max = INT64_MIN};
    store->written = 0;
}

/* The block being filled is closed; a new one begins. Its sources that live on say so at once, so
 * that a restart has to read nothing older than the last block. */
void log_store_seal(LogStore *store, int64_t journal) {
    BlockChunk chunks[BLOCK_CHUNKS];
    Buf rows = {0};
    size_t ends[BLOCK_CHUNKS], at = 0;
    for (uint32_t i = 0; i < store->chunk_count; i++) {
        chunks[i] = store->chunks[i].is;
        row_encode(&rows, store->chunks[i].rows.items, store->chunks[i].rows.count);
        ends[i] = rows.len;
    }
    for (uint32_t i = 0; i < store->chunk_count; at = ends[i++])
        chunks[i].rows = span(rows.ptr + at, ends[i] - at);
    BlockContent content = {
        .chunks = chunks,
        .chunk_count = store->chunk_count,
        .sources = store->open_sources.items,
        .source_count = store->open_sources.count,
        .words = store->words,
        .journal = journal,
    };
    assert(!store->sealed.len);
    block_write(&content, &store->sealed);
    store->sealed_range = block_range(&content);
    buf_done(&rows);
    words_clear(store->words);
    store->chunk_count = 0;
    store->written = 0;
    store->open_sources.count = 0;
    store->open_names.count = 0;
    store->serial++;
    for (size_t i = 0; i < store->kept.count; i++)
        log_store_number(store, &store->kept.items[i]->name);
}

bool log_store_chunk_is_full(const LogStore *store) {
    const OpenChunk *chunk = &store->chunks[store->chunk_count - 1];
    return chunk->text.len >= BLOCK_CHUNK_TEXT || chunk->rows.count >= BLOCK_CHUNK_ROWS;
}

/* Makes room for a row: a new chunk, a new block. */
static void make_room(LogStore *store) {
    bool full = store->chunk_count == BLOCK_CHUNKS && log_store_chunk_is_full(store);
    if ((full || store->open_sources.count >= ROW_SOURCES_MAX - 1) && store->chunk_count &&
        !store->sealed.len) {
        write_rows(store);
        log_store_seal(store, log_store_rows_end(store));
    }
    if (!store->chunk_count ||
        (log_store_chunk_is_full(store) && store->chunk_count < BLOCK_CHUNKS)) {
        write_rows(store);
        log_store_begin_chunk(store);
    }
}

void log_store_put(LogStore *store, LogSourceName *source, const Row *row, Span raw,
                   const RtLogEntry *entry) {
    unsigned number = store->chunk_count - 1;
    OpenChunk *chunk = &store->chunks[number];
    Row *put = array_push(&chunk->rows);
    *put = *row;
    put->source = log_store_number(store, source);
    buf_add(&chunk->text, raw);
    chunk->is.count++;
    chunk->is.levels |= (uint8_t)(1 << row->level);
    if (row->time < chunk->is.time_min)
        chunk->is.time_min = row->time;
    if (row->time > chunk->is.time_max)
        chunk->is.time_max = row->time;
    store->open_sources.items[put->source].chunks |= UINT64_C(1) << number;
    store->next = chunk->is.first + chunk->is.count;
    source->is.rowed = row->offset + row->size;
    if (!entry)
        return;
    words_add(store->words, number, entry->message);
    if (entry->correlation_id.len)
        words_add_id(store->words, number, entry->correlation_id);
}

static Nanos time_of(const RtLogEntry *entry) {
    return entry->timestamp * NANOS_PER_MILLI + entry->nanoseconds;
}

static int64_t add(LogStore *store, LogSourceName *source, int64_t offset, Span raw,
                   const RtLogEntry *entry) {
    make_room(store);
    Row row = {.offset = offset, .size = (uint32_t)raw.len, .level = ROW_NO_ENTRY};
    if (entry) {
        row.time = time_of(entry);
        row.level = (uint8_t)entry->level;
    }
    log_store_put(store, source, &row, raw, entry);
    return store->next - 1;
}

int64_t log_store_add(LogStore *store, LogSourceName *source, int64_t offset, Span raw,
                      const RtLogEntry *entry) {
    return add(store, source, offset, raw, entry);
}

int64_t log_store_add_encoded(LogStore *store, LogSourceName *source, Span encoded,
                              const RtLogEntry *entry) {
    if (!store->encoded.len)
        store->encoded_from = segment_stream_end(store->entries);
    size_t begin = store->encoded.len;
    buf_add(&store->encoded, encoded);
    int64_t offset = store->encoded_from + (int64_t)begin;
    int64_t sequence = add(store, source, offset, encoded, entry);
    if (store->chunks[store->chunk_count - 1].rows.count == 1)
        *array_push(&store->pieces) = begin;
    return sequence;
}

/* ---- to the disk ---- */

static int write_all(SegmentStream *stream, Buf *bytes, Nanos wall) {
    if (!bytes->len)
        return 0;
    int r = segment_store_append(stream, segment_stream_end(stream), buf_span(bytes), wall);
    if (r == 0)
        buf_clear(bytes);
    return r;
}

/* Those of a chunk in one piece, so that they share a block of the segment store as far as they
 * can: who looks for one of them unpacks what belongs to its chunk, and little more. */
static int write_entries(LogStore *store, Nanos wall) {
    int r = 0;
    size_t from = 0;
    for (size_t i = 0; r == 0 && i <= store->pieces.count; i++) {
        size_t until = i < store->pieces.count ? store->pieces.items[i] : store->encoded.len;
        Span piece = span(store->encoded.ptr + from, until - from);
        if (piece.len)
            r = segment_store_append(store->entries, store->encoded_from + (int64_t)from, piece,
                                     wall);
        from = until;
    }
    if (r == 0) {
        buf_clear(&store->encoded);
        store->pieces.count = 0;
    }
    return r;
}

/* The order matters to a kill in between: bytes, then the rows that say where they are, then the
 * block that says where the rows are. */
int log_store_flush(LogStore *store, Nanos wall) {
    write_rows(store);
    int r = write_entries(store, wall);
    if (r == 0)
        r = write_all(store->rows, &store->records, wall);
    if (r < 0 || !store->sealed.len)
        return r;
    SealedBlock block = {.range = store->sealed_range,
                         .offset = segment_stream_end(store->blocks),
                         .size = store->sealed.len};
    r = write_all(store->blocks, &store->sealed, wall);
    if (r == 0)
        *array_push(&store->sealed_blocks) = block;
    return r;
}

size_t log_store_waiting(const LogStore *store) {
    return unwritten_rows(store) + store->encoded.len + store->records.len + store->sealed.len;
}

int log_store_hand_over(LogStore *store) {
    return segment_store_flush(store->segments);
}

int log_store_sync(LogStore *store) {
    return segment_store_sync(store->segments);
}

/* ---- limits ---- */

/* Forgets the blocks that the segment store has dropped. */
static void forget_blocks(LogStore *store) {
    size_t gone = 0;
    int64_t blocks_first = segment_stream_first(store->blocks);
    while (gone < store->sealed_blocks.count) {
        SealedBlock *block = &store->sealed_blocks.items[gone];
        if (block->offset >= blocks_first)
            break;
        log_store_unload(store, block);
        gone++;
    }
    array_remove(&store->sealed_blocks, 0, gone);
}

int log_store_tidy(LogStore *store, Nanos wall) {
    int r = segment_store_tidy(store->segments, wall);
    forget_blocks(store);
    return r;
}

int64_t log_store_next_sequence(const LogStore *store) {
    return store->next;
}

int64_t log_store_first_sequence(const LogStore *store) {
    if (store->sealed_blocks.count)
        return store->sealed_blocks.items[0].range.first;
    return store->chunk_count ? store->chunks[0].is.first : store->next;
}

Nanos log_store_first_time(const LogStore *store, Nanos otherwise) {
    Nanos first = otherwise;
    for (size_t i = 0; i < store->sealed_blocks.count; i++)
        if (store->sealed_blocks.items[i].range.time_min < first)
            first = store->sealed_blocks.items[i].range.time_min;
    for (uint32_t i = 0; i < store->chunk_count; i++)
        if (store->chunks[i].is.time_min < first)
            first = store->chunks[i].is.time_min;
    return first;
}

LogStoreUsage log_store_usage(const LogStore *store) {
    return (LogStoreUsage){
        .bytes = segment_store_usage(store->segments).bytes,
        .entries = store->next - log_store_first_sequence(store),
        .blocks = store->sealed_blocks.count,
    };
}

/* ---- the whole ---- */

static int open_streams(LogStore *store) {
    int r = segment_store_stream(store->segments, SPAN("~rows"), &store->rows);
    if (r == 0)
        r = segment_store_stream(store->segments, SPAN("~blocks"), &store->blocks);
    if (r == 0)
        r = segment_store_stream(store->segments, LOG_STORE_ENTRIES, &store->entries);
    return r;
}

int log_store_open(const LogStoreOptions *options, LogStore **ret, Buf *report) {
    LogStore *store = xcalloc(1, sizeof *store);
    map_init(&store->sources, key_of_source, options->random);
    map_init(&store->runs, key_of_run, options->random);
    store->words = words_new();
    store->serial = 1;
    store->next = 1;
    store->opening = true;
    SegmentOptions segments = {
        .files = options->files,
        .folder = options->folder,
        .total_bytes = options->total_bytes,
        .stream_bytes = options->total_bytes ? options->total_bytes * 16 : 0,
        .age = options->age,
    };
    int r = segment_store_open(&segments, options->random, options->wall, &store->segments, report);
    if (r == 0)
        r = open_streams(store);
    if (r == 0)
        r = log_store_recover(store, options->wall);
    if (r < 0) {
        log_store_close(store);
        return r;
    }
    store->opening = false;
    *ret = store;
    return 0;
}

void log_store_close(LogStore *store) {
    void *item;
    for (size_t at = 0; (item = map_next(&store->sources, &at));)
        source_free(item);
    for (size_t at = 0; (item = map_next(&store->runs, &at));) {
        free((char *)((ServiceRun *)item)->service.ptr);
        free(item);
    }
    map_done(&store->sources);
    map_done(&store->runs);
    for (size_t i = 0; i < store->sealed_blocks.count; i++)
        log_store_unload(store, &store->sealed_blocks.items[i]);
    for (size_t i = 0; i < BLOCK_CHUNKS; i++) {
        array_done(&store->chunks[i].rows);
        buf_done(&store->chunks[i].text);
    }
    if (store->segments)
        segment_store_close(store->segments);
    words_free(store->words);
    array_done(&store->kept);
    array_done(&store->open_sources);
    array_done(&store->open_names);
    array_done(&store->sealed_blocks);
    buf_done(&store->records);
    buf_done(&store->encoded);
    array_done(&store->pieces);
    buf_done(&store->sealed);
    log_store_read_done(&store->read);
    free(store);
}
