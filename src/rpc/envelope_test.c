#include "rpc/envelope.h"

#include <errno.h>

#include "base/test.h"

static void add_envelope(Buf *out, uint8_t flags, Span message) {
    envelope_write_head(buf_reserve(out, ENVELOPE_HEAD), flags, (uint32_t)message.len);
    out->len += ENVELOPE_HEAD;
    buf_add(out, message);
}

/* Three messages, cut into pieces of every size: they come out the same. */
static void pieces_of_any_size(void **state) {
    (void)state;
    const Span messages[] = {SPAN("hello"), SPAN(""),
                             SPAN("a longer message of forty bytes or more.")};
    Buf wire = {0};
    for (size_t i = 0; i < 3; i++)
        add_envelope(&wire, (uint8_t)i, messages[i]);
    for (size_t piece = 1; piece <= wire.len; piece++) {
        EnvelopeReader reader = {.limit = 100};
        size_t got = 0;
        for (size_t at = 0; at < wire.len; at += piece) {
            Span bytes = span(wire.ptr + at, wire.len - at < piece ? wire.len - at : piece);
            Envelope envelope;
            int result;
            while ((result = envelope_next(&reader, &bytes, &envelope)) == 1) {
                assert_int_equal(envelope.flags, got);
                assert_true(span_equal(envelope.message, messages[got]));
                got++;
            }
            assert_int_equal(result, 0);
            assert_int_equal(bytes.len, 0);
        }
        assert_int_equal(got, 3);
        assert_true(envelope_complete(&reader));
        envelope_reader_done(&reader);
    }
    buf_done(&wire);
}

static void whole_messages_are_not_copied(void **state) {
    (void)state;
    Buf wire = {0};
    add_envelope(&wire, 0, SPAN("hello"));
    EnvelopeReader reader = {.limit = 100};
    Span bytes = buf_span(&wire);
    Envelope envelope;
    assert_int_equal(envelope_next(&reader, &bytes, &envelope), 1);
    assert_ptr_equal(envelope.message.ptr, wire.ptr + ENVELOPE_HEAD);
    buf_done(&wire);
}

static void too_long_is_refused_at_the_head(void **state) {
    (void)state;
    EnvelopeReader reader = {.limit = 10};
    Span bytes = SPAN("\0\0\0\0\x0b");
    Envelope envelope;
    assert_int_equal(envelope_next(&reader, &bytes, &envelope), -EMSGSIZE);

    EnvelopeReader slow = {.limit = 10};
    Span first = SPAN("\0\xff\xff"), second = SPAN("\xff\xff");
    assert_int_equal(envelope_next(&slow, &first, &envelope), 0);
    assert_false(envelope_complete(&slow));
    assert_int_equal(envelope_next(&slow, &second, &envelope), -EMSGSIZE);
    envelope_reader_done(&slow);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size),
        cmocka_unit_test(whole_messages_are_not_copied),
        cmocka_unit_test(too_long_is_refused_at_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
