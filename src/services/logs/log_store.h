/* The log on disk and in memory: bytes of output and encoded entries in streams of the segment
 * store, a Row for each entry, and Blocks that find them (docs/logs.md). The last block is being
 * filled and lies in memory, with its bytes; everything else is read when it is asked for.
 *
 * Belongs to one thread, the log actor's, as the segment store does. */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "services/logs/block.h"
#include "services/logs/mask.h"
#include "store/segment_store.h"

typedef struct LogStore LogStore;

/* The stream of encoded entries: the place of their sources. Names with '~' are the store's own. */
#define LOG_STORE_ENTRIES SPAN("~entries")

typedef struct LogStoreOptions {
    Files *files;
    const char *folder; /* of the segments */
    int64_t total_bytes;
    Nanos age;
    uint64_t random;
    Nanos wall;
} LogStoreOptions;

/* A source that this program knows. Lives as long as the store. */
typedef struct LogSourceName {
    RowSource is;
    SegmentStream *place;
    uint32_t serial; /* of the block in which it has the number … */
    uint16_t number; /* … this one */
} LogSourceName;

int log_store_open(const LogStoreOptions *options, LogStore **ret, Buf *report);
void log_store_close(LogStore *store);

/* ---- sources ---- */

/* Finds or makes it; what it says is copied. -EMSGSIZE, -EMFILE as segment_store_stream. */
int log_store_source(LogStore *store, const RowSource *source, LogSourceName **ret);

/* Sources of output that had a life when the store was closed or killed, in the order of their
 * lives; `rowed` tells up to where their bytes have rows. */
LogSourceName *log_store_next_source(LogStore *store, size_t *at);

/* That source's `base` and `rowed` are written with each block from now on, or no more: what is
 * needed to go on with its output after a kill. */
void log_store_keep_source(LogStore *store, LogSourceName *source, bool keep);

/* The highest run of a service so far; 0: none. */
int64_t log_store_last_run(LogStore *store, Span service);

/* ---- writing ---- */

/* Takes an entry whose bytes are in the source's stream already (output). Its sequence. `raw` are
 * the bytes, `entry` what they say; NULL: they are no entry (the rest of a line that was cut). */
int64_t log_store_add(LogStore *store, LogSourceName *source, int64_t offset, Span raw,
                      const RtLogEntry *entry);

/* Takes an encoded entry, which is written with the next flush. */
int64_t log_store_add_encoded(LogStore *store, LogSourceName *source, Span encoded,
                              const RtLogEntry *entry);

/* Writes what has been taken (not yet durably). On an error of the disk it is kept for the next
 * time. */
int log_store_flush(LogStore *store, Nanos wall);

/* Bytes (and rows that are no bytes yet) that wait for a flush that succeeds. */
size_t log_store_waiting(const LogStore *store);

/* All that was flushed, and all output that was appended to its stream, is with the system: it
 * outlives this program, but not the machine. */
int log_store_hand_over(LogStore *store);

/* And is on the disk. */
int log_store_sync(LogStore *store);

/* As segment_store_tidy; forgets blocks of which all bytes are gone. */
int log_store_tidy(LogStore *store, Nanos wall);

int64_t log_store_next_sequence(const LogStore *store);
/* The first that may still be there. */
int64_t log_store_first_sequence(const LogStore *store);

/* The earliest time of an entry that may still be there; `otherwise` where there is none. */
Nanos log_store_first_time(const LogStore *store, Nanos otherwise);

typedef struct LogStoreUsage {
    int64_t bytes;   /* of all files */
    int64_t entries; /* that have rows */
    size_t blocks;
} LogStoreUsage;
LogStoreUsage log_store_usage(const LogStore *store);

/* ---- reading ---- */

/* Some entries that follow each other: a chunk. Valid until the next call that takes the store. */
typedef struct LogChunk {
    int64_t first, until; /* sequences that it answers for, though some may be lost */
    const Row *rows;
    const Span *raws;                /* ptr NULL: lost, or of no use */
    const RowSource *const *sources; /* of each row */
    uint32_t count;
} LogChunk;

/* The chunk that holds the entry of that sequence or, if it cannot have a match, the next one in
 * that direction that may have. 1; 0: there is none; an error of the disk. With `texts` false the
 * raws are left out where they must be read from the disk. */
int log_store_find(LogStore *store, const Filter *filter, int64_t sequence, bool backwards,
                   bool texts, LogChunk *ret);

/* What a row's bytes say. Everything lies in the raw bytes and the arena. */
void log_store_entry(const RowSource *source, const Row *row, Span raw, int64_t sequence,
                     const Mask *mask, Arena *arena, RtLogEntry *ret);
