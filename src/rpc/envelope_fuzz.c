/* Any bytes as envelopes: however the body is cut into pieces, the messages are the same. The first
 * byte is the size of the pieces. */
#include "rpc/envelope.h"

#include <assert.h>

#define LIMIT 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Appends flags and messages of all envelopes; the result of the last call. */
static int read_all(Span body, size_t piece, Buf *out, bool *ret_complete) {
    EnvelopeReader reader = {.limit = LIMIT};
    Envelope envelope;
    int result = 0;
    while (body.len && result >= 0) {
        Span bytes = span(body.ptr, piece < body.len ? piece : body.len);
        body = span_skip(body, bytes.len);
        while ((result = envelope_next(&reader, &bytes, &envelope)) == 1) {
            assert(envelope.message.len <= LIMIT);
            buf_add_char(out, (char)envelope.flags);
            buf_add(out, envelope.message);
        }
        assert(result < 0 || bytes.len == 0);
    }
    *ret_complete = envelope_complete(&reader);
    envelope_reader_done(&reader);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size)
        return 0;
    Buf whole = {0}, pieces = {0};
    bool complete, also;
    Span body = span(data + 1, size - 1);
    int result = read_all(body, body.len, &whole, &complete);
    int same = read_all(body, (size_t)data[0] + 1, &pieces, &also);
    assert(result == same && (result < 0 || complete == also));
    assert(span_equal(buf_span(&whole), buf_span(&pieces)));
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
