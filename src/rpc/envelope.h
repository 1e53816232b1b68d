/* Envelopes: how gRPC, gRPC-Web and Connect streams cut a body into messages. Five bytes, flags
 * and the length as big-endian u32, then the message. */
#pragma once

#include "base/buf.h"

#define ENVELOPE_HEAD 5

typedef enum EnvelopeFlags {
    ENVELOPE_COMPRESSED = 0x01,
    ENVELOPE_CONNECT_END = 0x02, /* Connect: JSON with error and trailers */
    ENVELOPE_WEB_TRAILERS = 0x80 /* gRPC-Web: trailers as text */
} EnvelopeFlags;

static inline void envelope_write_head(char *out, uint8_t flags, uint32_t length) {
    out[0] = (char)flags;
    out[1] = (char)(length >> 24);
    out[2] = (char)(length >> 16);
    out[3] = (char)(length >> 8);
    out[4] = (char)length;
}

typedef struct Envelope {
    uint8_t flags;
    Span message;
} Envelope;

/* Puts messages together again from pieces of a body. A message that lies whole in one piece is
 * not copied. Zeroes are a valid start; `limit` is the largest message it takes (0 = only empty
 * ones). */
typedef struct EnvelopeReader {
    size_t limit;
    Buf held;       /* the message under way: its head, then its bytes */
    bool delivered; /* `held` was given out and is free again at the next call */
} EnvelopeReader;

/* Takes one envelope off the front of *bytes. 1: *ret is set, valid until the next call and as
 * long as the piece; call again with what is left. 0: all of *bytes is taken, more is needed.
 * -EMSGSIZE: a message over the limit was announced. */
int envelope_next(EnvelopeReader *reader, Span *bytes, Envelope *ret);

/* Whether the body may end here: no envelope is half read. */
bool envelope_complete(const EnvelopeReader *reader);

void envelope_reader_done(EnvelopeReader *reader);
