#include "store/segment_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX (SEGMENT_BYTES_MAX + INT64_C(64) * 1024 * 1024)

/* What is read of one segment while the store opens. */
typedef struct Opening {
    SegmentStore *store;
    Segment *segment;
    uint64_t sequence;
    bool last; /* of the segments: the one that may have a torn end */
    Buf *report;
    Nanos wall;
    Buf file;      /* all of it */
    Buf clean;     /* header and whole records */
    size_t marked; /* place of the last RECORD_SYNCED in `clean` */
    bool whole;    /* has its RECORD_END */
    bool damaged;  /* lacks something that was durable once */
} Opening;

/* ---- what records say ---- */

static Member *member_at(Segment *segment, uint32_t number) {
    while (segment->members.count <= number)
        *array_push(&segment->members) = (Member){0};
    return &segment->members.items[number];
}

/* A stream is known by this number; false when that cannot be. */
static bool learn(Segment *segment, SegmentStore *store, uint32_t number, Span name, int64_t end) {
    SegmentStream *stream;
    if (number >= SEGMENT_STREAMS_MAX || member_at(segment, number)->stream ||
        segment_store_stream(store, name, &stream) < 0 || stream->current == segment)
        return false;
    if (stream->end < end)
        stream->end = end;
    stream->current = segment;
    stream->number = number;
    stream->known++;
    segment->members.items[number] = (Member){stream, stream->end, false};
    return true;
}

static void take_record(Opening *opening, const Record *record) {
    Segment *segment = opening->segment;
    if (record->kind == RECORD_NAME) {
        learn(segment, opening->store, record->stream, record->payload, record->offset);
        return;
    }
    if (record->stream >= segment->members.count)
        return;
    SegmentStream *stream = segment->members.items[record->stream].stream;
    if (!stream)
        return; /* its name was in a damaged place */
    if (record->kind == RECORD_FINISHED)
        stream->finished = segment->members.items[record->stream].finished = true;
    else if ((record->kind == RECORD_BYTES || record->kind == RECORD_LOST) &&
             record->offset >= stream->end)
        segment_note(segment, stream, record->stream, record);
}

/* Blocks and streams of a raw segment, from its whole records. */
static void index_records(Opening *opening) {
    Segment *segment = opening->segment;
    Record record;
    for (size_t at = SEGMENT_HEADER_SIZE, size;
         (size = segment_record_get(span_skip(buf_span(&opening->clean), at), segment->header.id,
                                    &record));
         at += size) {
        segment_block(segment, (int64_t)at, size);
        take_record(opening, &record);
    }
    segment->size = (int64_t)opening->clean.len;
}

/* Gathers the records that are whole. Behind a bad place they are looked for at every multiple of
 * eight; in the last segment such a place is a torn end unless what stands behind it says that it
 * was durable. */
static void gather(Opening *opening, uint64_t id) {
    Span file = buf_span(&opening->file);
    size_t bad = 0, kept = 0; /* the first bad place, and what `clean` held there */
    Record record;
    for (size_t at = SEGMENT_HEADER_SIZE; at < file.len;) {
        size_t size = opening->whole ? 0 : segment_record_get(span_skip(file, at), id, &record);
        if (!size) {
            if (!bad) {
                bad = at;
                kept = opening->clean.len;
            }
            at += 8;
            continue;
        }
        if (record.kind == RECORD_SYNCED)
            opening->marked = opening->clean.len;
        opening->whole |= record.kind == RECORD_END;
        opening->damaged |= bad && (record.kind == RECORD_SYNCED || record.kind == RECORD_END);
        buf_add(&opening->clean, span(file.ptr + at, size));
        at += size;
    }
    opening->damaged |= !opening->last && (bad || !opening->whole);
    if (bad && !opening->damaged)
        opening->clean.len = kept;
}

/* ---- damage ---- */

static void say(Opening *opening, const char *name, const char *what) {
    if (opening->report->len)
        buf_add_char(opening->report, '\n');
    buf_printf(opening->report, "%s: %s", name, what);
}

/* Puts what could be saved in the place of a damaged file, which is kept under another name. */
static int set_aside(Opening *opening, SegmentFile kind, bool saved) {
    SegmentStore *store = opening->store;
    Files *files = store->options.files;
    Buf from = {0}, to = {0}, what = {0};
    File *file = NULL;
    int r = 0;
    if (saved) {
        r = files_open(files, segment_path(store, opening->sequence, FILE_SAVED, &to), FILE_CREATE,
                       &file);
        if (r == 0)
            r = file_write(file, 0, buf_span(&opening->clean));
        if (r == 0)
            r = file_sync(file);
        file_close(file);
    }
    char time[RFC3339_MAX];
    size_t len = format_rfc3339(time, opening->wall / NANOS_PER_SECOND,
                                (int32_t)(opening->wall % NANOS_PER_SECOND), 9);
    segment_path(store, opening->sequence, kind, &from);
    buf_clear(&to);
    buf_printf(&to, "%s.damaged-%.*s", from.ptr, (int)len, time);
    if (r == 0)
        r = files_rename(files, from.ptr, buf_cstr(&to));
    if (r == 0) {
        buf_printf(&what, "was damaged; it is kept as %s, and %s", to.ptr,
                   saved ? "what was whole in it has been saved" : "nothing in it can be read");
        say(opening, from.ptr, buf_cstr(&what));
    }
    if (r == 0 && saved) {
        segment_path(store, opening->sequence, FILE_SAVED, &from);
        r = files_rename(files, from.ptr, segment_path(store, opening->sequence, FILE_RAW, &to));
    }
    if (r == 0)
        r = files_sync(files, store->folder);
    buf_done(&from);
    buf_done(&to);
    buf_done(&what);
    return r;
}

/* ---- raw files ---- */

static int read_whole(Opening *opening, SegmentFile kind) {
    SegmentStore *store = opening->store;
    Buf path = {0};
    File *file = NULL;
    int r = files_open(store->options.files, segment_path(store, opening->sequence, kind, &path),
                       FILE_READ, &file);
    int64_t size = r < 0 ? r : file_size(file);
    if (size > FILE_MAX)
        size = -EFBIG;
    if (size > 0)
        size = file_read(file, 0, buf_reserve(&opening->file, (size_t)size), (size_t)size);
    if (size >= 0)
        opening->file.len = (size_t)size;
    else
        say(opening, path.ptr, strerror((int)-size));
    file_close(file);
    buf_done(&path);
    return size < 0 ? (int)size : 0;
}

/* The last segment is written on. Whatever may not have reached the disk is written again: a sync
 * that failed before the restart could have left it in the cache only. */
static int resume(Opening *opening) {
    SegmentStore *store = opening->store;
    Buf path = {0};
    int64_t from = (int64_t)opening->marked, size = (int64_t)opening->clean.len;
    int r =
        files_open(store->options.files, segment_path(store, opening->sequence, FILE_RAW, &path),
                   FILE_WRITE, &store->file);
    if (r == 0)
        r = file_truncate(store->file, size);
    if (r == 0)
        r = file_write(store->file, from, span_skip(buf_span(&opening->clean), (size_t)from));
    if (r == 0)
        r = file_sync(store->file);
    if (r < 0)
        say(opening, path.ptr, strerror(-r));
    buf_done(&path);
    store->written = store->synced = size;
    store->marked = false;
    store->active = opening->segment;
    store->ending = opening->whole;
    return r;
}

/* A file that was made and has nothing in it yet. */
static int remove_empty(Opening *opening) {
    Buf path = {0};
    int r = files_remove(opening->store->options.files,
                         segment_path(opening->store, opening->sequence, FILE_RAW, &path));
    buf_done(&path);
    return r;
}

static int open_raw(Opening *opening) {
    SegmentStore *store = opening->store;
    int r = read_whole(opening, FILE_RAW);
    if (r < 0)
        return r;
    SegmentHeader header;
    if (opening->last && opening->file.len <= SEGMENT_HEADER_SIZE &&
        segment_header_get(buf_span(&opening->file), &header) < 0)
        return remove_empty(opening);
    r = segment_header_get(buf_span(&opening->file), &header);
    if (r == 0 && (header.packed || header.sequence != opening->sequence))
        r = -EBADMSG;
    if (r < 0)
        return r == -ENOTSUP ? r : set_aside(opening, FILE_RAW, false);
    segment_header_put(&opening->clean, &header);
    opening->marked = opening->clean.len;
    gather(opening, header.id);
    if (opening->damaged) {
        if (!opening->whole)
            segment_record_put(&opening->clean, header.id, &(Record){.kind = RECORD_END});
        r = set_aside(opening, FILE_RAW, true);
        if (r < 0)
            return r;
    }
    opening->segment = segment_new(store, &header);
    index_records(opening);
    store->total += opening->segment->size;
    return opening->last && !opening->damaged ? resume(opening) : 0;
}

/* ---- packed files ---- */

/* The footer is walked twice: to see that nothing in it contradicts itself, and then to believe
 * it. */
static bool take_extents(Numbers *in, Segment *segment, SegmentStream *stream, uint32_t number,
                         int64_t end) {
    uint32_t count = take_u32(in);
    int64_t last = -1;
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        uint32_t block = take_u32(in);
        int64_t offset = (int64_t)take_u64(in);
        Nanos wall = (Nanos)take_u64(in);
        if (in->bad || block >= segment->blocks.count || offset <= last || offset >= end)
            return false;
        last = offset;
        const Extent *before = stream && stream->extents.count
                                   ? &stream->extents.items[stream->extents.count - 1]
                                   : NULL;
        if (stream && (!before || before->offset < offset))
            *array_push(&stream->extents) = (Extent){segment, block, number, offset, wall};
    }
    return !in->bad;
}

static bool take_member(Numbers *in, Opening *opening, Segment *segment, bool believe) {
    uint32_t number = take_u32(in);
    bool finished = take_u32(in);
    Span name = take_bytes(in, take_u32(in));
    int64_t end = (int64_t)take_u64(in);
    if (in->bad || end < 0 || end > INT64_MAX / 2 || number >= SEGMENT_STREAMS_MAX)
        return false;
    SegmentStream *stream = NULL;
    if (believe && learn(segment, opening->store, number, name, end)) {
        stream = segment->members.items[number].stream;
        segment->members.items[number].finished = finished;
        stream->finished |= finished;
    }
    return take_extents(in, segment, stream, number, end);
}

static bool take_footer(Opening *opening, Numbers in, Segment *segment, bool believe) {
    segment->blocks.count = 0;
    segment->first_wall = (Nanos)take_u64(&in);
    segment->last_wall = (Nanos)take_u64(&in);
    segment->bytes = (int64_t)take_u64(&in);
    if (segment->bytes < 0 || segment->bytes > FILE_MAX)
        return false;
    uint32_t blocks = take_u32(&in);
    for (uint32_t i = 0; i < blocks && !in.bad; i++) {
        Block block = {take_u32(&in), take_u32(&in), take_u32(&in)};
        if (block.raw > SEGMENT_BLOCK_MAX ||
            block.stored > ZSTD_COMPRESSBOUND(2 * SEGMENT_BLOCK_MAX))
            return false;
        *array_push(&segment->blocks) = block;
    }
    uint32_t members = take_u32(&in);
    for (uint32_t i = 0; i < members && !in.bad; i++)
        if (!take_member(&in, opening, segment, believe))
            return false;
    return !in.bad && in.left.len == 0;
}

/* The footer of a packed file in `opening->file`, if all of it is whole. */
static int read_footer(Opening *opening, File *file, SegmentHeader *ret_header) {
    char head[SEGMENT_HEADER_SIZE], trailer[SEGMENT_TRAILER];
    int64_t size = file_size(file), got = file_read(file, 0, head, sizeof head);
    if (size < 0 || got < 0)
        return (int)(size < 0 ? size : got);
    int r = segment_header_get(span(head, (size_t)got), ret_header);
    if (r < 0)
        return r;
    if (!ret_header->packed || ret_header->sequence != opening->sequence ||
        size < SEGMENT_HEADER_SIZE + SEGMENT_TRAILER)
        return -EBADMSG;
    got = file_read(file, size - SEGMENT_TRAILER, trailer, sizeof trailer);
    if (got < 0)
        return (int)got;
    int64_t len = segment_trailer_get(span(trailer, (size_t)got));
    if (len < 0 || len > size - SEGMENT_HEADER_SIZE - SEGMENT_TRAILER)
        return -EBADMSG;
    got = file_read(file, size - SEGMENT_TRAILER - len,
                    buf_reserve(&opening->file, (size_t)len + 1), (size_t)len);
    if (got < 0)
        return (int)got;
    opening->file.len = (size_t)got;
    return got == len && segment_footer_is_whole(buf_span(&opening->file),
                                                 span(trailer, sizeof trailer), ret_header->id)
               ? 0
               : -EBADMSG;
}

/* The records of those blocks that stand, whole, at the beginning of the file. */
static bool salvage_packed(Opening *opening) {
    SegmentHeader header;
    buf_clear(&opening->file);
    if (read_whole(opening, FILE_PACKED) < 0 ||
        segment_header_get(buf_span(&opening->file), &header) < 0)
        return false;
    header = (SegmentHeader){false, header.id, opening->sequence};
    segment_header_put(&opening->clean, &header);
    Span left = span_skip(buf_span(&opening->file), SEGMENT_HEADER_SIZE), packed;
    uint32_t raw;
    while (segment_block_get(left, header.id, &packed, &raw) == 0 &&
           opening->clean.len + raw < FILE_MAX &&
           segment_unpack(opening->store, packed, raw, &opening->clean) == 0)
        left = span_skip(left, SEGMENT_BLOCK_HEAD + packed.len);
    segment_record_put(&opening->clean, header.id, &(Record){.kind = RECORD_END});
    return true;
}

/* What is in the footer of the packed file; -EBADMSG when it cannot be used. */
static int use_footer(Opening *opening) {
    SegmentStore *store = opening->store;
    Buf path = {0};
    File *file = NULL;
    SegmentHeader header;
    int r =
        files_open(store->options.files, segment_path(store, opening->sequence, FILE_PACKED, &path),
                   FILE_READ, &file);
    if (r == 0)
        r = read_footer(opening, file, &header);
    int64_t size = r == 0 ? file_size(file) : r;
    file_close(file);
    if (size < 0 && size != -EBADMSG)
        say(opening, path.ptr, strerror((int)-size));
    buf_done(&path);
    if (size < 0)
        return (int)size;
    Numbers footer = {buf_span(&opening->file), false};
    Segment *segment = opening->segment = segment_new(store, &header);
    if (!take_footer(opening, footer, segment, false)) {
        segment_free(store, segment);
        return -EBADMSG;
    }
    take_footer(opening, footer, segment, true);
    segment->size = size;
    store->total += size;
    return 0;
}

static int open_packed(Opening *opening) {
    int r = use_footer(opening);
    if (r != -EBADMSG)
        return r;
    bool saved = salvage_packed(opening);
    r = set_aside(opening, FILE_PACKED, saved);
    opening->file.len = opening->clean.len = 0;
    opening->last = false;
    return r == 0 && saved ? open_raw(opening) : r;
}

/* ---- the folder ---- */

/* A segment, and which files it has. */
typedef struct Found {
    uint64_t sequence;
    bool has[FILE_SAVED + 1];
} Found;

typedef ARRAY(Found) AllFound;

/* Names are in order, so files of one segment stand together. Others are not ours. */
static void take_name(AllFound *all, const char *name) {
    static const char *const SUFFIXES[] = {".raw", ".pack", ".tmp", ".saved"};
    char *end;
    uint64_t sequence = strtoull(name, &end, 16);
    if (end != name + 16 || sequence == 0)
        return;
    for (int i = 0; i <= FILE_SAVED; i++) {
        if (strcmp(end, SUFFIXES[i]) != 0)
            continue;
        if (!all->count || all->items[all->count - 1].sequence != sequence)
            *array_push(all) = (Found){.sequence = sequence};
        all->items[all->count - 1].has[i] = true;
    }
}

static int remove_file(SegmentStore *store, uint64_t sequence, SegmentFile kind) {
    Buf path = {0};
    int r = files_remove(store->options.files, segment_path(store, sequence, kind, &path));
    buf_done(&path);
    return r;
}

/* Finishes what a kill interrupted. */
static int finish_files(SegmentStore *store, Found *found) {
    int r = 0;
    if (found->has[FILE_TEMPORARY])
        r = remove_file(store, found->sequence, FILE_TEMPORARY);
    if (r == 0 && found->has[FILE_SAVED] && (found->has[FILE_RAW] || found->has[FILE_PACKED])) {
        r = remove_file(store, found->sequence, FILE_SAVED); /* it is made anew */
    } else if (r == 0 && found->has[FILE_SAVED]) {
        Buf from = {0}, to = {0};
        r = files_rename(store->options.files,
                         segment_path(store, found->sequence, FILE_SAVED, &from),
                         segment_path(store, found->sequence, FILE_RAW, &to));
        buf_done(&from);
        buf_done(&to);
        found->has[FILE_RAW] = true;
    }
    if (r == 0 && found->has[FILE_RAW] && found->has[FILE_PACKED])
        r = remove_file(store, found->sequence, FILE_RAW); /* the packed one was durable first */
    return r;
}

static int open_segment(SegmentStore *store, Found *found, bool last, Nanos wall, Buf *report) {
    int r = finish_files(store, found);
    if (r < 0 || !(found->has[FILE_RAW] || found->has[FILE_PACKED]))
        return r;
    Opening opening = {
        .store = store, .sequence = found->sequence, .last = last, .report = report, .wall = wall};
    r = found->has[FILE_PACKED] ? open_packed(&opening) : open_raw(&opening);
    store->next_sequence = found->sequence + 1;
    buf_done(&opening.file);
    buf_done(&opening.clean);
    return r;
}

static int open_folder(SegmentStore *store, Nanos wall, Buf *report) {
    Files *files = store->options.files;
    FileNames names = {0};
    AllFound all = {0};
    int r = files_folder(files, store->folder);
    if (r == 0)
        r = files_list(files, store->folder, &names);
    for (size_t i = 0; i < names.count; i++)
        take_name(&all, names.items[i]);
    for (size_t i = 0; i < all.count && r == 0; i++)
        r = open_segment(store, &all.items[i], i + 1 == all.count, wall, report);
    /* Nothing that was seen now may be gone after a power cut. */
    if (r == 0)
        r = files_sync(files, store->folder);
    file_names_done(&names);
    array_done(&all);
    return r;
}

int segment_store_open(const SegmentOptions *options, uint64_t random, Nanos wall,
                       SegmentStore **ret, Buf *report) {
    buf_clear(report);
    SegmentStore *store = segment_store_new(options, random);
    int r = open_folder(store, wall, report);
    if (r < 0) {
        Buf why = {0};
        buf_printf(&why, "%s: cannot be opened: %s", store->folder,
                   r == -ENOTSUP ? "a segment was written by a newer Muster" : strerror(-r));
        if (report->len)
            buf_printf(&why, "\n%.*s", SPAN_ARGS(buf_span(report)));
        buf_clear(report);
        buf_add(report, buf_span(&why));
        buf_done(&why);
        segment_store_close(store);
        return r;
    }
    *ret = store;
    return 0;
}
