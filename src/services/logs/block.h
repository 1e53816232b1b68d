/* Blocks: entries that follow each other, up to 64 chunks of them, with an index that tells which
 * chunks to look at. A block lies in a stream of the segment store. It has the rows of its entries
 * and no text: rows say where the bytes are. */
#pragma once

#include "services/logs/filter.h"
#include "services/logs/row.h"
#include "services/logs/words.h"

#define BLOCK_CHUNKS     WORDS_CHUNKS
#define BLOCK_CHUNK_TEXT (24 * 1024) /* bytes of a chunk; the entry that reaches it is the last */
#define BLOCK_CHUNK_ROWS 1024
#define BLOCK_HEAD       16 /* bytes that tell the size of a block */
#define BLOCK_SIZE_MAX   (64 << 20)

typedef struct BlockChunk {
    int64_t first;  /* sequence of its first row */
    uint32_t count; /* rows */
    Nanos time_min, time_max;
    uint8_t levels; /* a bit for each */
    Span rows;      /* of row_encode */
} BlockChunk;

typedef struct BlockSource {
    RowSource source;
    uint64_t chunks; /* which have rows of it */
} BlockSource;

/* What is in memory of a block that is in use. */
typedef struct Block {
    Buf bytes; /* what the spans below point into */
    BlockChunk chunks[BLOCK_CHUNKS];
    uint32_t chunk_count;
    int64_t journal;
    ARRAY(BlockSource) sources; /* by the numbers of its rows */
    WordsView words;
} Block;

/* A block as bytes; block_read takes bytes over on success (and leaves the Buf empty). */
typedef struct BlockContent {
    const BlockChunk *chunks;
    uint32_t chunk_count;
    const BlockSource *sources;
    size_t source_count;
    Words *words;
    int64_t journal; /* where the records end that tell of it */
} BlockContent;
void block_write(const BlockContent *content, Buf *out);
bool block_read(Buf *bytes, Block *ret);
void block_done(Block *block);

/* The size of the whole from its first BLOCK_HEAD bytes; 0 when they are not a block's. */
size_t block_size(Span head);

/* What every block needs to be passed over without being read. */
typedef struct BlockRange {
    int64_t first, until; /* sequences */
    int64_t journal;      /* as in BlockContent */
    Nanos time_min, time_max;
    uint8_t levels;
    uint64_t names[4]; /* services and instances: a bit for the hash of each */
} BlockRange;
BlockRange block_range(const BlockContent *content);
/* The same from a block's first BLOCK_RANGE_MAX bytes. */
#define BLOCK_RANGE_MAX (16 * 1024)
bool block_read_range(Span bytes, BlockRange *ret);

/* Whether something in that block may match. */
bool block_range_may_match(const BlockRange *range, const Filter *filter);

/* A bit for each chunk that may have an entry that matches. `last_run` gives the last run of a
 * service. */
uint64_t block_chunks(const Block *block, const Filter *filter,
                      int64_t (*last_run)(void *owner, Span service), void *owner);
