/* The segment store's own pieces: private to segment_*.c. */
#pragma once

#include <zstd.h>

#include "base/list.h"
#include "base/map.h"
#include "store/segment_format.h"
#include "store/segment_store.h"

/* A run of records. Packing keeps the numbers of blocks, so that extents stay true. */
typedef struct Block {
    uint32_t position; /* in the file */
    uint32_t stored;   /* bytes in the file: packed with their head, or as they are */
    uint32_t raw;      /* bytes of the records */
} Block;

/* A stream that a segment knows; its number there is its place in the array. */
typedef struct Member {
    SegmentStream *stream; /* NULL: none by that number */
    int64_t end;           /* where the stream ended when the segment did */
    bool finished;
} Member;

typedef struct Segment {
    Link link;
    SegmentHeader header;
    uint32_t form; /* one more each time it was packed */
    int64_t size;  /* of the file, with what waits in the buffer */
    int64_t bytes; /* of streams, in all blocks */
    int64_t dead;  /* part of them that is dropped and not yet packed away */
    Nanos first_wall, last_wall;
    ARRAY(Block) blocks;
    ARRAY(Member) members;
} Segment;

/* Where a stream stands in one block. */
typedef struct Extent {
    Segment *segment;
    uint32_t block, number;
    int64_t offset; /* of the first record */
    Nanos wall;
} Extent;

struct SegmentStream {
    SegmentStore *store;
    Link over; /* in the store's list of those beyond the limit */
    char *name;
    void *user;
    int64_t end;
    bool finished;
    size_t known; /* segments that have it as a member */
    size_t cursors;
    Segment *current; /* the newest of those segments … */
    uint32_t number;  /* … and the number in it */
    ARRAY(Extent) extents;
};

/* A segment on its way into a packed file. */
typedef struct Packing {
    Segment *segment; /* NULL: none */
    File *file;
    int64_t position;    /* in it */
    int64_t bytes;       /* of streams, so far */
    ARRAY(Block) blocks; /* done so far */
    Nanos retry;         /* not before this instant, after it failed */
} Packing;

struct SegmentStore {
    SegmentOptions options;
    char *folder;
    uint64_t random;
    bool broken;
    Map streams;
    Link segments; /* oldest first */
    size_t segment_count;
    int64_t total; /* bytes of all files */
    uint64_t next_sequence;
    Link over;

    /* The segment that is written; NULL: the next append makes one. */
    Segment *active;
    File *file;
    Buf buffer; /* what follows the `written` bytes */
    int64_t written, synced;
    bool marked; /* a RECORD_SYNCED stands behind the last sync */
    bool ending; /* it has its RECORD_END */

    Packing packing;
    Buf block, packed; /* scratch */
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
};

/* ---- segment_store.c ---- */

/* An empty store that has looked at no file. */
SegmentStore *segment_store_new(const SegmentOptions *options, uint64_t random);

typedef enum SegmentFile { FILE_RAW, FILE_PACKED, FILE_TEMPORARY, FILE_SAVED } SegmentFile;

/* The path of a segment's file, a C string in `out`. */
const char *segment_path(const SegmentStore *store, uint64_t sequence, SegmentFile file, Buf *out);

uint64_t segment_random(SegmentStore *store);
Segment *segment_new(SegmentStore *store, const SegmentHeader *header);
void segment_free(SegmentStore *store, Segment *segment);

/* Makes the stream a member; the number is behind all. */
void segment_join(Segment *segment, SegmentStream *stream);
/* Adds a record of `size` bytes, which stands at `position` in the file, to a block: to the last
 * one, or a new one where the last is full. */
void segment_block(Segment *segment, int64_t position, size_t size);
/* Notes that a record of the stream begins in the segment's last block. */
void segment_note(Segment *segment, SegmentStream *stream, uint32_t number, const Record *record);

/* Room for a record in the active segment, which is made, closed and replaced as need be. */
int segment_prepare(SegmentStore *store);
void segment_put(SegmentStore *store, const Record *record);
/* Makes the stream known in the active segment; segment_prepare came before. */
void segment_declare(SegmentStream *stream);
/* The active segment becomes whole and closed. */
int segment_close_active(SegmentStore *store);

/* Forgets the stream if nothing holds it any more. */
void segment_stream_settle(SegmentStream *stream);

/* ---- segment_tidy.c ---- */

void segment_packing_stop(SegmentStore *store);

/* ---- segment_cursor.c ---- */

/* The records of a block from `from` on behind what `out` holds: none when it is damaged. */
int segment_load(SegmentStore *store, const Segment *segment, size_t block, size_t from, Buf *out);
/* zstd's frame into `out`, which gets exactly `raw` bytes more; -EBADMSG. */
int segment_unpack(SegmentStore *store, Span packed, uint32_t raw, Buf *out);
