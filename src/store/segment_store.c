#include "store/segment_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"

#define BUFFER_SIZE (1024 * 1024) /* appended bytes that wait for a write */

/* ---- segments ---- */

const char *segment_path(const SegmentStore *store, uint64_t sequence, SegmentFile file, Buf *out) {
    static const char *const SUFFIXES[] = {"raw", "pack", "tmp", "saved"};
    buf_clear(out);
    buf_printf(out, "%s/%016" PRIx64 ".%s", store->folder, sequence, SUFFIXES[file]);
    return buf_cstr(out);
}

/* SplitMix64: https://prng.di.unimi.it/splitmix64.c */
uint64_t segment_random(SegmentStore *store) {
    uint64_t z = store->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

Segment *segment_new(SegmentStore *store, const SegmentHeader *header) {
    Segment *segment = xcalloc(1, sizeof *segment);
    segment->header = *header;
    list_push_back(&store->segments, &segment->link);
    store->segment_count++;
    return segment;
}

void segment_free(SegmentStore *store, Segment *segment) {
    list_remove(&segment->link);
    store->segment_count--;
    array_done(&segment->blocks);
    array_done(&segment->members);
    free(segment);
}

void segment_join(Segment *segment, SegmentStream *stream) {
    stream->current = segment;
    stream->number = (uint32_t)segment->members.count;
    stream->known++;
    *array_push(&segment->members) = (Member){stream, stream->end, stream->finished};
}

void segment_note(Segment *segment, SegmentStream *stream, uint32_t number, const Record *record) {
    uint32_t block = (uint32_t)segment->blocks.count - 1;
    const Extent *last =
        stream->extents.count ? &stream->extents.items[stream->extents.count - 1] : NULL;
    if (!last || last->segment != segment || last->block != block)
        *array_push(&stream->extents) =
            (Extent){segment, block, number, record->offset, record->wall};
    if (!segment->first_wall)
        segment->first_wall = record->wall;
    segment->last_wall = record->wall;
    if (record->kind == RECORD_BYTES)
        segment->bytes += (int64_t)record->payload.len;
    stream->end = segment_record_end(record);
    segment->members.items[number].end = stream->end;
}

/* ---- the active segment ---- */

static int flush(SegmentStore *store) {
    int r = file_write(store->file, store->written, buf_span(&store->buffer));
    if (r < 0)
        return r;
    store->written += (int64_t)store->buffer.len;
    buf_clear(&store->buffer);
    return 0;
}

static int begin_active(SegmentStore *store) {
    SegmentHeader header = {false, segment_random(store), store->next_sequence};
    Files *files = store->options.files;
    Buf path = {0};
    segment_header_put(&store->buffer, &header);
    int r = files_open(files, segment_path(store, header.sequence, FILE_RAW, &path), FILE_CREATE,
                       &store->file);
    if (r == 0) {
        r = flush(store);
        if (r == 0)
            r = file_sync(store->file);
        if (r == 0)
            r = files_sync(files, store->folder);
        if (r < 0) {
            file_close(store->file);
            files_remove(files, path.ptr);
            store->file = NULL;
        }
    }
    buf_done(&path);
    buf_clear(&store->buffer);
    if (r < 0) {
        store->written = 0;
        return r;
    }
    store->next_sequence++;
    store->active = segment_new(store, &header);
    store->active->size = store->synced = store->written = SEGMENT_HEADER_SIZE;
    store->total += SEGMENT_HEADER_SIZE;
    store->marked = true;
    return 0;
}

void segment_block(Segment *segment, int64_t position, size_t size) {
    size_t count = segment->blocks.count;
    Block *block = count ? &segment->blocks.items[count - 1] : NULL;
    if (!block || block->raw + size > SEGMENT_BLOCK_SIZE) {
        block = array_push(&segment->blocks);
        *block = (Block){.position = (uint32_t)position};
    }
    block->raw += (uint32_t)size;
    block->stored = block->raw;
}

void segment_put(SegmentStore *store, const Record *record) {
    Segment *active = store->active;
    size_t before = store->buffer.len;
    segment_record_put(&store->buffer, active->header.id, record);
    size_t size = store->buffer.len - before;
    segment_block(active, active->size, size);
    active->size += (int64_t)size;
    store->total += (int64_t)size;
}

int segment_close_active(SegmentStore *store) {
    if (!store->ending) {
        segment_put(store, &(Record){.kind = RECORD_END});
        store->ending = true;
    }
    int r = segment_store_sync(store);
    if (r < 0)
        return r;
    file_close(store->file);
    store->file = NULL;
    store->active = NULL;
    store->ending = false;
    store->written = store->synced = 0;
    return 0;
}

int segment_prepare(SegmentStore *store) {
    if (store->broken)
        return -ENOTRECOVERABLE;
    int r = 0;
    if (store->active && (store->ending || store->active->size >= store->options.segment_bytes))
        r = segment_close_active(store);
    if (r == 0 && !store->active)
        r = begin_active(store);
    if (r == 0 && store->buffer.len >= BUFFER_SIZE)
        r = flush(store);
    if (r == 0 && !store->marked) {
        segment_put(store, &(Record){.kind = RECORD_SYNCED});
        store->marked = true;
    }
    return r;
}

void segment_declare(SegmentStream *stream) {
    SegmentStore *store = stream->store;
    if (stream->current == store->active)
        return;
    segment_join(store->active, stream);
    segment_put(store, &(Record){.kind = RECORD_NAME,
                                 .stream = stream->number,
                                 .offset = stream->end,
                                 .payload = span_of(stream->name)});
}

int segment_store_flush(SegmentStore *store) {
    if (store->broken)
        return -ENOTRECOVERABLE;
    return store->buffer.len ? flush(store) : 0;
}

int segment_store_sync(SegmentStore *store) {
    int r = segment_store_flush(store);
    if (r < 0 || !store->active || store->written == store->synced)
        return r;
    if (file_sync(store->file) < 0) {
        store->broken = true;
        return -ENOTRECOVERABLE;
    }
    store->synced = store->written;
    store->marked = false;
    return 0;
}

/* ---- streams ---- */

static Span stream_key(const void *item) {
    return span_of(((const SegmentStream *)item)->name);
}

SegmentStream *segment_store_find(const SegmentStore *store, Span name) {
    return map_get(&store->streams, name);
}

SegmentStream *segment_store_next(const SegmentStore *store, size_t *at) {
    return map_next(&store->streams, at);
}

int segment_store_stream(SegmentStore *store, Span name, SegmentStream **ret) {
    if (name.len == 0 || name.len > SEGMENT_NAME_MAX || memchr(name.ptr, 0, name.len))
        return -EMSGSIZE;
    SegmentStream *stream = segment_store_find(store, name);
    if (!stream) {
        if (store->streams.count >= SEGMENT_STREAMS_MAX)
            return -EMFILE;
        stream = xcalloc(1, sizeof *stream);
        stream->store = store;
        stream->name = xmalloc(name.len + 1);
        memcpy(stream->name, name.ptr, name.len);
        stream->name[name.len] = 0;
        list_init(&stream->over);
        map_put(&store->streams, stream);
    }
    *ret = stream;
    return 0;
}

static void stream_free(SegmentStream *stream) {
    list_remove(&stream->over);
    array_done(&stream->extents);
    free(stream->name);
    free(stream);
}

void segment_stream_settle(SegmentStream *stream) {
    SegmentStore *store = stream->store;
    if (!stream->finished || stream->known || stream->cursors)
        return;
    if (store->options.forgotten)
        store->options.forgotten(store->options.owner, stream);
    map_remove(&store->streams, span_of(stream->name));
    stream_free(stream);
}

Span segment_stream_name(const SegmentStream *stream) {
    return span_of(stream->name);
}

int64_t segment_stream_first(const SegmentStream *stream) {
    return stream->extents.count ? stream->extents.items[0].offset : stream->end;
}

int64_t segment_stream_end(const SegmentStream *stream) {
    return stream->end;
}

bool segment_stream_finished(const SegmentStream *stream) {
    return stream->finished;
}

void segment_stream_set_user(SegmentStream *stream, void *user) {
    stream->user = user;
}

void *segment_stream_user(const SegmentStream *stream) {
    return stream->user;
}

SegmentUsage segment_store_usage(const SegmentStore *store) {
    return (SegmentUsage){store->total, store->segment_count, store->streams.count};
}

/* ---- appending ---- */

static int append_record(SegmentStream *stream, const Record *what) {
    SegmentStore *store = stream->store;
    if (stream->finished)
        return -EPIPE;
    int r = segment_prepare(store);
    if (r < 0)
        return r;
    segment_declare(stream);
    Record record = *what;
    record.stream = stream->number;
    segment_put(store, &record);
    segment_note(store->active, stream, stream->number, &record);
    if (stream->end - segment_stream_first(stream) > store->options.stream_bytes)
        if (list_empty(&stream->over))
            list_push_back(&store->over, &stream->over);
    return 0;
}

int segment_store_append(SegmentStream *stream, int64_t offset, Span bytes, Nanos wall) {
    assert(offset >= 0 && offset < INT64_MAX / 4);
    if (offset > stream->end)
        return -ERANGE;
    bytes = span_skip(bytes, (size_t)(stream->end - offset));
    while (bytes.len) {
        size_t most = SEGMENT_BLOCK_SIZE - SEGMENT_RECORD_SIZE;
        size_t size = bytes.len < most ? bytes.len : most;
        Record record = {RECORD_BYTES, 0, stream->end, wall, span(bytes.ptr, size)};
        int r = append_record(stream, &record);
        if (r < 0)
            return r;
        bytes = span_skip(bytes, size);
    }
    return 0;
}

int segment_store_lose(SegmentStream *stream, int64_t until, Nanos wall) {
    assert(until >= 0 && until < INT64_MAX / 4);
    if (until <= stream->end)
        return 0;
    char size[8];
    segment_lost_put(size, (uint64_t)(until - stream->end));
    return append_record(stream, &(Record){RECORD_LOST, 0, stream->end, wall, span(size, 8)});
}

int segment_store_finish(SegmentStream *stream) {
    SegmentStore *store = stream->store;
    if (stream->finished)
        return 0;
    int r = segment_prepare(store);
    if (r < 0)
        return r;
    segment_declare(stream);
    segment_put(
        store, &(Record){.kind = RECORD_FINISHED, .stream = stream->number, .offset = stream->end});
    stream->finished = true;
    store->active->members.items[stream->number].finished = true;
    return 0;
}

/* ---- beginning and end ---- */

void segment_store_close(SegmentStore *store) {
    if (!store)
        return;
    segment_packing_stop(store);
    file_close(store->file);
    size_t at = 0;
    for (SegmentStream *stream; (stream = map_next(&store->streams, &at));) {
        map_remove(&store->streams, span_of(stream->name));
        stream_free(stream);
    }
    map_done(&store->streams);
    while (!list_empty(&store->segments))
        segment_free(store, CONTAINER(store->segments.next, Segment, link));
    buf_done(&store->buffer);
    buf_done(&store->block);
    buf_done(&store->packed);
    array_done(&store->packing.blocks);
    ZSTD_freeCCtx(store->pack);
    ZSTD_freeDCtx(store->unpack);
    free(store->folder);
    free(store);
}

SegmentStore *segment_store_new(const SegmentOptions *options, uint64_t random) {
    SegmentStore *store = xcalloc(1, sizeof *store);
    store->options = *options;
    if (!store->options.segment_bytes)
        store->options.segment_bytes = 16 * 1024 * 1024;
    if (!store->options.total_bytes)
        store->options.total_bytes = INT64_C(1024) * 1024 * 1024;
    if (!store->options.stream_bytes)
        store->options.stream_bytes = INT64_C(256) * 1024 * 1024;
    assert(store->options.segment_bytes <= SEGMENT_BYTES_MAX);
    store->folder = strdup(options->folder);
    store->pack = ZSTD_createCCtx();
    store->unpack = ZSTD_createDCtx();
    if (!store->folder || !store->pack || !store->unpack)
        out_of_memory();
    ZSTD_CCtx_setParameter(store->pack, ZSTD_c_compressionLevel, 1);
    store->random = random;
    store->next_sequence = 1;
    map_init(&store->streams, stream_key, segment_random(store));
    list_init(&store->segments);
    list_init(&store->over);
    return store;
}
