/* The segment store: what services print, byte for byte, in append-only files. A stream has a name
 * ("calc-1.7/stdout"), and its bytes have offsets counted from 0 for ever; each byte is stored
 * once, however often it is handed in. docs/segments.md describes the files.
 *
 * To move bytes here from a place that forgets (a ring): append, then sync, or flush where that place
 * would not outlive the machine either, then let the place forget. After a kill, ask for segment_stream_end and go on from there, or hand everything in again.
 *
 * One thread owns the store. Calls block for the disk, so the thread is an actor's. Time comes in
 * as an argument and is stored as it is; only the age limit draws conclusions from it. */
#pragma once

#include "base/clock.h"
#include "os/files.h"

typedef struct SegmentStore SegmentStore;
typedef struct SegmentStream SegmentStream;

#define SEGMENT_NAME_MAX    256
#define SEGMENT_STREAMS_MAX 65536

typedef struct SegmentOptions {
    Files *files;
    const char *folder;    /* made where there is none */
    int64_t segment_bytes; /* a segment is closed when it is so large; 0 = 16 MiB */
    /* What is beyond a limit is dropped, oldest first, by segment_store_tidy. */
    int64_t total_bytes;  /* of all files together, packed as they are; 0 = 1 GiB */
    int64_t stream_bytes; /* of one stream, counted as they came; 0 = 256 MiB */
    Nanos age;            /* since it was appended; 0 = no limit */
    /* The stream's bytes before `first` are gone; and: the stream itself is about to go. Both from
     * inside segment_store_tidy or segment_cursor_free, and not to call the store. May be NULL. */
    void (*dropped)(void *owner, SegmentStream *stream, int64_t first);
    void (*forgotten)(void *owner, SegmentStream *stream);
    void *owner;
} SegmentOptions;

/* Opens the folder and recovers what a kill left: a torn end is cut off; a damaged segment is
 * renamed to NAME.damaged-TIME after all records that are still whole were saved from it, and
 * `report` (cleared first) says so. `random` makes ids and hash seeds. Failures, which `report`
 * explains: -ENOTSUP for files of a newer version, else of the file system. The folder must belong
 * to this store alone (the runtime's lock sees to that). */
int segment_store_open(const SegmentOptions *options, uint64_t random, Nanos wall,
                       SegmentStore **ret, Buf *report);

/* Writes and syncs nothing: call segment_store_sync before, unless this is to be a kill. Cursors
 * are freed before. */
void segment_store_close(SegmentStore *store);

/* ---- streams ---- */

/* Finds the stream of that name or makes it, empty, beginning at offset 0. It is known after a
 * restart once something was appended to it. -EMSGSIZE: the name is empty or too long; -EMFILE:
 * there are SEGMENT_STREAMS_MAX. The stream is valid until it is forgotten. */
int segment_store_stream(SegmentStore *store, Span name, SegmentStream **ret);

/* NULL when there is none. */
SegmentStream *segment_store_find(const SegmentStore *store, Span name);

/* Walks all streams: size_t at = 0; while ((stream = segment_store_next(store, &at))) … */
SegmentStream *segment_store_next(const SegmentStore *store, size_t *at);

Span segment_stream_name(const SegmentStream *stream);
int64_t segment_stream_first(const SegmentStream *stream); /* offset of the first byte kept */
int64_t segment_stream_end(const SegmentStream *stream);   /* the offset that comes next */
bool segment_stream_finished(const SegmentStream *stream);

/* A place for the owner's own. */
void segment_stream_set_user(SegmentStream *stream, void *user);
void *segment_stream_user(const SegmentStream *stream);

/* ---- writing ---- */

/* Appends what is not stored yet: bytes below the stream's end are skipped. `wall` is kept with
 * it. What is appended can be read at once and is durable after the next sync. -ERANGE: there is a
 * gap between the end and `offset`, see segment_store_lose; -EPIPE: the stream is finished;
 * -ENOSPC and other errors of the disk: not all was appended, and the same call may be made again
 * later; -ENOTRECOVERABLE: see segment_store_sync. */
int segment_store_append(SegmentStream *stream, int64_t offset, Span bytes, Nanos wall);

/* Records that the bytes from the stream's end up to `until` will never come, and moves the end
 * there; readers are told. Nothing happens when the end is there already. Errors as append. */
int segment_store_lose(SegmentStream *stream, int64_t until, Nanos wall);

/* No more bytes will come: when the last file that knows the stream is dropped, the stream is
 * forgotten, while any other stream's end is remembered for ever. Errors as append. */
int segment_store_finish(SegmentStream *stream);

/* All that was appended is with the system: it outlives this program, but not the machine. Errors
 * as append. */
int segment_store_flush(SegmentStore *store);

/* All that was appended is on the disk. -ENOSPC and the like: it is not yet; nothing is lost, try
 * again. -ENOTRECOVERABLE: a sync failed, and nobody knows what is on the disk: every call gives
 * this from now on. Close the store, open it again, and append from the streams' ends. */
int segment_store_sync(SegmentStore *store);

/* A bounded piece (a few milliseconds) of the work that can wait: packing closed segments, dropping
 * what is beyond the limits. 1: there is more to do, call again soon; 0: nothing for now; an error
 * of the disk may pass by itself, but for -ENOTRECOVERABLE. */
int segment_store_tidy(SegmentStore *store, Nanos wall);

/* ---- reading ---- */

typedef struct SegmentChunk {
    int64_t offset; /* of its first byte */
    int64_t size;
    bool lost;  /* never arrived, was dropped, or stood in a damaged place: no bytes */
    Span bytes; /* valid until the next call on this cursor */
    Nanos wall; /* as it was appended; of a damaged place 0 */
} SegmentChunk;

typedef struct SegmentCursor SegmentCursor;

/* A place in a stream. It stays valid whatever is dropped, and keeps its stream from being
 * forgotten. */
SegmentCursor *segment_cursor_new(SegmentStream *stream, int64_t from);
void segment_cursor_free(SegmentCursor *cursor);

/* 1: the next chunk, which follows the one before without a hole; an append comes out in one or
 * several. 0: nothing follows yet; ask again after the next append. Errors: of the disk; the
 * cursor stays where it is. */
int segment_cursor_next(SegmentCursor *cursor, SegmentChunk *ret);

/* Where the next chunk begins. */
int64_t segment_cursor_offset(const SegmentCursor *cursor);

/* Where to begin reading for what was appended at `wall` or later: at that chunk or a little
 * before it, as long as clocks ran forward. */
int64_t segment_stream_seek(const SegmentStream *stream, Nanos wall);

typedef struct SegmentUsage {
    int64_t bytes;   /* of all files */
    size_t segments; /* files */
    size_t streams;
} SegmentUsage;
SegmentUsage segment_store_usage(const SegmentStore *store);
