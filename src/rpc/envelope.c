#include "rpc/envelope.h"

#include <errno.h>

#define KEPT_MOST (16 * 1024)

static uint32_t message_length(const char *head) {
    const uint8_t *bytes = (const uint8_t *)head;
    return (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4];
}

/* Moves up to `upto` bytes in all from *bytes into the held ones; true when there are that many. */
static bool fill(EnvelopeReader *reader, Span *bytes, size_t upto) {
    size_t missing = upto - reader->held.len;
    size_t taken = missing < bytes->len ? missing : bytes->len;
    buf_add(&reader->held, span(bytes->ptr, taken));
    *bytes = span_skip(*bytes, taken);
    return taken == missing;
}

/* Small buffers serve the next message, large ones are given back. */
static void forget_held(EnvelopeReader *reader) {
    if (reader->held.cap > KEPT_MOST)
        buf_done(&reader->held);
    buf_clear(&reader->held);
}

static int next_held(EnvelopeReader *reader, Span *bytes, Envelope *ret) {
    if (reader->held.len < ENVELOPE_HEAD && !fill(reader, bytes, ENVELOPE_HEAD))
        return 0;
    uint32_t length = message_length(reader->held.ptr);
    if (length > reader->limit)
        return -EMSGSIZE;
    if (!fill(reader, bytes, ENVELOPE_HEAD + (size_t)length))
        return 0;
    ret->flags = (uint8_t)reader->held.ptr[0];
    ret->message = span(reader->held.ptr + ENVELOPE_HEAD, length);
    reader->delivered = true;
    return 1;
}

int envelope_next(EnvelopeReader *reader, Span *bytes, Envelope *ret) {
    if (reader->delivered) {
        reader->delivered = false;
        forget_held(reader);
    }
    if (reader->held.len)
        return next_held(reader, bytes, ret);
    if (bytes->len < ENVELOPE_HEAD) {
        buf_add(&reader->held, *bytes);
        *bytes = (Span){0};
        return 0;
    }
    uint32_t length = message_length(bytes->ptr);
    if (length > reader->limit)
        return -EMSGSIZE;
    if (bytes->len - ENVELOPE_HEAD < length)
        return next_held(reader, bytes, ret);
    ret->flags = (uint8_t)bytes->ptr[0];
    ret->message = span(bytes->ptr + ENVELOPE_HEAD, length);
    *bytes = span_skip(*bytes, ENVELOPE_HEAD + (size_t)length);
    return 1;
}

bool envelope_complete(const EnvelopeReader *reader) {
    return reader->delivered || reader->held.len == 0;
}

void envelope_reader_done(EnvelopeReader *reader) {
    buf_done(&reader->held);
    reader->delivered = false;
}
