/* An output ring: a mapped file through which the bytes of one output stream pass from the keeper,
 * who appends, to the runtime, who takes them out once they are safe elsewhere. Either may be
 * killed at any point; a new one goes on where the ring says, and no byte is lost or doubled.
 *
 * A position is the number of bytes of the stream before it, counted over all its life and never
 * reset. The ring holds [tail, head): the writer moves head when bytes are in place, the reader
 * moves tail by ring_release, and what it has merely looked at stays. So whoever keeps the position
 * with what he stores finds out after a restart which bytes he has already.
 *
 * When the ring is full the writer waits, which slows the service down by its pipe. Where nobody
 * releases anything for RING_PATIENCE, the writer drops what comes until there is room again, so
 * that a service does not hang because its reader is gone; bytes that were dropped take no
 * position, and a gap says where they were and how many.
 *
 * libc only, since the keeper is made of nothing else. The file, version 1, all numbers
 * little-endian and aligned: see RingHeader. Behind the header page lie `capacity` bytes; the byte
 * at position p is found at p modulo capacity. A reader and a writer each belong to one thread (of
 * two processes or of one). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/span.h"

#define RING_MAGIC    UINT64_C(0x31474e495254534d) /* "MSTRING1" */
#define RING_VERSION  1
#define RING_HEADER   4096 /* bytes before the data */
#define RING_MIN      4096
#define RING_DEFAULT  (256 * 1024)
#define RING_MAX      (256 * 1024 * 1024)
#define RING_GAPS     64
#define RING_PATIENCE 2000 /* milliseconds that a writer waits for room */

/* Bytes that were dropped because there was no room. */
typedef struct RingGap {
    uint64_t at;    /* position behind which they came */
    uint64_t bytes; /* how many */
} RingGap;

/* The first page of the file. The writer writes `head`, `reading`, `closed`, `wants_room` and the
 * gaps; the reader `tail` and `wants_data`; either clears the wish of the other. */
typedef struct RingHeader {
    uint64_t magic;
    uint32_t version;
    uint32_t header_size;
    uint64_t capacity;   /* bytes of data; a multiple of RING_MIN */
    uint64_t head;       /* position behind the last byte that is there */
    uint64_t tail;       /* position of the first byte that is still needed */
    uint64_t reading;    /* bytes that the writer is about to be given, see ring.c … */
    uint64_t reading_at; /* … when head was there */
    uint64_t lost;       /* bytes of all gaps that there ever were */
    uint64_t gap_count;  /* gaps that there ever were; the last RING_GAPS are kept */
    uint32_t wants_data; /* the reader sleeps: whoever appends wakes it */
    uint32_t wants_room; /* the writer waits: whoever releases wakes it */
    uint32_t closed;     /* nothing will be appended any more */
    uint32_t reserved;
    RingGap gaps[RING_GAPS]; /* gap n at n modulo RING_GAPS */
} RingHeader;

/* ---- the reader ---- */

typedef struct RingReader RingReader;

/* Maps the ring of that file, `descriptor` staying the caller's. `room` (-1: none) is an eventfd
 * that is rung for a writer who waits for room; it is duplicated. -EPROTO: it is not a ring, or
 * damaged; -ENOTSUP: of a newer version. */
int ring_reader_new(int descriptor, int room, RingReader **ret_reader);
/* The same by path; the errors of open besides. */
int ring_reader_open(const char *path, int room, RingReader **ret_reader);
/* Releases nothing. NULL is ignored. */
void ring_reader_free(RingReader *reader);

/* Where the first byte is that can still be read. */
uint64_t ring_tail(const RingReader *reader);
/* Where the next byte will stand: at least so many bytes have been written, less those dropped. */
uint64_t ring_head(const RingReader *reader);
/* Nothing more comes: what ring_head says now is the end. Ask for it before ring_peek. */
bool ring_closed(const RingReader *reader);

/* The bytes from that position on (tail <= position <= head), as far as they lie in one piece: the
 * end of the ring divides them, so ask again behind them. They stay valid and unchanged until they
 * are released. Empty: there are none yet, and the writer has been asked to tell (ProcessHandler's
 * `output`) when there are; no other call of this header asks for that. */
Span ring_peek(RingReader *reader, uint64_t position);

/* What lies before that position is needed no more. A position that has been released already
 * changes nothing. */
void ring_release(RingReader *reader, uint64_t position);

/* The gaps of which `at` is in [from, until], oldest first, at most RING_GAPS: copied to `out`,
 * their number returned. A gap at the head may still grow. Gaps that came so thickly that the
 * table ran over were added to the one before them. */
size_t ring_gaps(const RingReader *reader, uint64_t from, uint64_t until, RingGap out[RING_GAPS]);
/* Bytes dropped in all the stream's life. */
uint64_t ring_lost(const RingReader *reader);

/* ---- the writer: the keeper, and simulated processes ---- */

typedef struct RingWriter {
    RingHeader *header;
    char *data;
    size_t mapped; /* bytes */
} RingWriter;

/* Makes the file of an empty ring with all its space taken on the disk, so that writing to it
 * cannot fail later: -ENOSPC now or never. `capacity` is rounded up to whole pages. */
int ring_create(int folder, const char *name, size_t capacity, RingWriter *ret_writer);
/* A ring without a file, for a simulation; `ret_descriptor` is the caller's. */
int ring_create_anonymous(size_t capacity, RingWriter *ret_writer, int *ret_descriptor);
/* Goes on with the ring of a writer that was killed, settling what it had begun to read. */
int ring_resume(int folder, const char *name, RingWriter *ret_writer);
void ring_unmap(RingWriter *writer);

/* The room there is, in up to two pieces; the number of bytes. With `limit` no more than that. */
size_t ring_room(const RingWriter *writer, size_t limit, struct iovec out[2]);
/* Announces that exactly `bytes`, as many as ring_room has given, are about to be read into it; so
 * that, should the writer be killed, its successor can tell whether they were. */
void ring_expect(RingWriter *writer, const struct iovec pieces[2], size_t bytes);
/* So many bytes are in place (0: it came to nothing). True: the reader sleeps, and is to be woken. */
bool ring_append(RingWriter *writer, size_t bytes);
/* So many bytes were dropped. */
void ring_drop(RingWriter *writer, uint64_t bytes);
/* The writer will wait: true when there still is no room, and the reader will ring. */
bool ring_wait(RingWriter *writer);
/* Nothing more comes. True: the reader is to be woken. */
bool ring_close(RingWriter *writer);
