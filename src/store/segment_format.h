/* The bytes of segment files, as docs/segments.md describes them: headers, records, blocks and
 * footers, put and got without files or memory of their own. All numbers are little-endian, and
 * nothing read is believed before its checksum and its bounds are. Private to src/store. */
#pragma once

#include "base/clock.h"

#define SEGMENT_VERSION     1
#define SEGMENT_HEADER_SIZE 32
#define SEGMENT_RECORD_SIZE 32 /* before the payload */
#define SEGMENT_PAYLOAD_MAX (64 * 1024)
/* Of a block with several records; longer appends are several records. A block is unpacked as a
 * whole: twice as much packs by 5 % better, and is read half as fast by who looks for a line. */
#define SEGMENT_BLOCK_SIZE  (32 * 1024)
#define SEGMENT_BLOCK_MAX   (2 * SEGMENT_PAYLOAD_MAX + SEGMENT_RECORD_SIZE)
#define SEGMENT_BLOCK_HEAD  16        /* before a packed block */
#define SEGMENT_TRAILER     16        /* behind the footer */
#define SEGMENT_BYTES_MAX   (1 << 30) /* of a segment's limit */
#define SEGMENT_MEMBERS_MAX (1 << 24) /* streams in a segment */

typedef struct SegmentHeader {
    bool packed;
    uint64_t id; /* random; seeds the checksums, so that no file's record counts in another */
    uint64_t sequence;
} SegmentHeader;

void segment_header_put(Buf *out, const SegmentHeader *header);
/* -EBADMSG: not a header; -ENOTSUP: of a newer version. */
int segment_header_get(Span bytes, SegmentHeader *ret);

typedef enum RecordKind {
    RECORD_BYTES = 1, /* of the stream, from `offset` on */
    RECORD_NAME,      /* the payload is the name of `stream`, whose end is `offset` */
    RECORD_LOST,      /* the payload says in 8 bytes how many are lost from `offset` on */
    RECORD_FINISHED,  /* no more comes after `offset` */
    RECORD_SYNCED,    /* all that stands before this was durable before this was written */
    RECORD_END,       /* the segment is whole */
} RecordKind;

typedef struct Record {
    RecordKind kind;
    uint32_t stream; /* its number in this segment */
    int64_t offset;
    Nanos wall;
    Span payload;
} Record;

void segment_record_put(Buf *out, uint64_t id, const Record *record);
/* How many bytes the record takes that these begin with; 0: with none. */
size_t segment_record_get(Span bytes, uint64_t id, Record *ret);
/* The offset behind a record of bytes, or of lost ones. */
int64_t segment_record_end(const Record *record);
void segment_lost_put(char out[8], uint64_t size);

/* A packed block: zstd of its records. Packing writes nothing where there are none. */
void segment_block_put(Buf *out, uint64_t id, Span packed, uint32_t raw_size);
/* The zstd frame, and how large it becomes; -EBADMSG. `bytes` may go on behind the block. */
int segment_block_get(Span bytes, uint64_t id, Span *ret_packed, uint32_t *ret_raw_size);

/* The checksum of a footer, and what follows it. */
void segment_trailer_put(Buf *out, uint64_t id, Span footer);
/* The size of the footer by its trailer; -EBADMSG. */
int64_t segment_trailer_get(Span trailer);
bool segment_footer_is_whole(Span footer, Span trailer, uint64_t id);

/* Numbers one after the other. A reader that runs out gives zeroes, and is `bad`. */
typedef struct Numbers {
    Span left;
    bool bad;
} Numbers;

void put_u32(Buf *out, uint32_t value);
void put_u64(Buf *out, uint64_t value);
uint32_t take_u32(Numbers *in);
uint64_t take_u64(Numbers *in);
Span take_bytes(Numbers *in, size_t size);
