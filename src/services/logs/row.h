/* Rows: what is kept of each entry besides its bytes, which lie in a stream of the segment store;
 * and the records in which rows are written, one behind the other, to a stream of their own.
 *
 * A record is magic, length and check (32 bits each), then what row_write_… has made. What a kill
 * or a damaged disk has left of one is passed over. */
#pragma once

#include "base/array.h"
#include "base/clock.h"
#include "services/logs/pack.h"

/* Where entries come from: one life of one instance and one of its streams. */
typedef struct RowSource {
    Span place; /* name of the segment stream that has the bytes */
    Span service, instance;
    int64_t run;
    int32_t stream; /* RtLogStream */
    int64_t base;   /* offset in the segment stream of the first byte of this life's ring */
    int64_t rowed;  /* its bytes up to here had their rows when this was written */
} RowSource;

typedef struct Row {
    int64_t offset; /* in the segment stream */
    Nanos time;
    uint32_t size;
    uint16_t source; /* within its block */
    uint8_t level;
} Row;

#define ROW_SOURCES_MAX 65536 /* of a block */
#define ROW_RECORD_MAX  (1 << 20)
#define ROW_NO_ENTRY    7 /* the level of a row that is no entry: the rest of a line that was cut */

/* Appends a record that gives number `id` to a source, or one of rows, which have ascending
 * sequences from `first` on. */
void row_write_source(Buf *out, uint16_t id, const RowSource *source);
void row_write_rows(Buf *out, int64_t first, const Row *rows, size_t count);

typedef struct RowRecord {
    bool is_source;
    uint16_t id; /* source … */
    RowSource source;
    int64_t first; /* … or rows */
    Span rows;     /* for row_decode */
    uint32_t count;
} RowRecord;

/* The next record in the bytes, from *at on: *at moves behind it. 1; 0: a record has begun, `*ret_lack`
 * bytes at least are missing; -EBADMSG: here is none, and *at has moved to where one may begin. */
int row_read_record(Span bytes, size_t *at, RowRecord *ret, size_t *ret_lack);

/* Rows as bytes, which know neither where they end nor how many they are; all of them, to the end
 * of `out`. False when they are malformed. */
typedef ARRAY(Row) Rows;
void row_encode(Buf *out, const Row *rows, size_t count);
bool row_decode(Span bytes, uint32_t count, Rows *out);

/* Bytes that make what has been written of an unfinished record one that is passed over. `begun`
 * is what there is of it. */
void row_write_filler(Buf *out, Span begun);
