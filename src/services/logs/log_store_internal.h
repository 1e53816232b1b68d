/* The store's own pieces: private to log_store*.c. */
#pragma once

#include "services/logs/log_store.h"

#define CACHE_BYTES (64 * 1024 * 1024) /* of blocks in memory besides the one being filled */

/* A chunk of the block being filled. */
typedef struct OpenChunk {
    BlockChunk is;
    Rows rows;
    Buf text; /* the raw bytes, one entry behind the other */
} OpenChunk;

/* A block on the disk. */
typedef struct SealedBlock {
    BlockRange range;
    int64_t offset; /* in the stream of blocks */
    size_t size;
    Block *loaded; /* NULL: not in memory */
    uint64_t used; /* when it was, for the cache */
} SealedBlock;

/* Rows with their bytes and sources. */
typedef struct LogRead {
    Buf text;
    Rows rows;
    ARRAY(Span) raws;
    ARRAY(const RowSource *) sources;
} LogRead;

struct LogStore {
    SegmentStore *segments;
    SegmentStream *rows, *blocks, *entries;
    int64_t next; /* sequence */
    bool opening;

    Map sources; /* LogSourceItem by key */
    ARRAY(struct LogSourceItem *) kept;
    Map runs; /* ServiceRun by service */

    /* The block being filled. */
    uint32_t serial;
    OpenChunk chunks[BLOCK_CHUNKS];
    uint32_t chunk_count;            /* the last of them takes rows */
    ARRAY(BlockSource) open_sources; /* by number */
    ARRAY(LogSourceName *) open_names;
    Words *words;

    /* What waits for a flush: records, up to `written` rows of the last chunk being in them. */
    uint32_t written;
    Buf records;
    Buf encoded; /* entries, from `encoded_from` on in their stream */
    int64_t encoded_from;
    ARRAY(size_t) pieces; /* where in them a chunk begins */
    Buf sealed;           /* a block that could not be written yet */
    BlockRange sealed_range;

    ARRAY(SealedBlock) sealed_blocks; /* ascending */
    uint64_t clock;                   /* of the cache */
    size_t cached;                    /* bytes in it */

    /* What log_store_find has read. */
    LogRead read;
};

typedef struct LogSourceItem {
    LogSourceName name;
    Span key;
    bool kept;
} LogSourceItem;

/* log_store_recover.c: what the streams hold, into the empty store. */
int log_store_recover(LogStore *store, Nanos wall);

/* Gives the source its number in the block being filled, with a record where it is new there. */
uint16_t log_store_number(LogStore *store, LogSourceName *source);

/* Adds a row to the chunk being filled, its records aside; `entry` is NULL for one that is none. */
void log_store_put(LogStore *store, LogSourceName *source, const Row *row, Span raw,
                   const RtLogEntry *entry);

void log_store_begin_chunk(LogStore *store);
bool log_store_chunk_is_full(const LogStore *store);
/* Closes the block being filled, whose records end at `journal`; nothing sealed waits. */
void log_store_seal(LogStore *store, int64_t journal);

/* Where the next record will stand in the stream of rows. */
int64_t log_store_rows_end(const LogStore *store);

/* ---- log_store_read.c ---- */

/* Reads a stretch of a stream, appending it to `out`; what is lost is zeroes, and counted. */
int log_store_read(SegmentStream *stream, int64_t from, int64_t until, Buf *out, int64_t *ret_lost);

/* The bytes of the rows of `read`, whose sources are set, into its raws: of all (NULL), or of those
 * that may match. */
int log_store_read_raws(LogStore *store, LogRead *read, const Filter *filter);
void log_store_read_done(LogRead *read);

/* The block, read when it is not in memory. NULL: `*ret_error` says why, 0 for a damaged one. */
Block *log_store_load(LogStore *store, SealedBlock *sealed, int *ret_error);
void log_store_unload(LogStore *store, SealedBlock *sealed);
void log_store_note_run(LogStore *store, Span service, int64_t run);
