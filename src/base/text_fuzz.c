/* Any bytes as each kind of text that base reads. What is accepted must survive a round trip, and
 * what the C library reads as well must come out the same. */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void numbers(Span text) {
    double value, back;
    char out[FORMAT_DOUBLE_MAX];
    if (parse_double(text, &value)) {
        char *copy = strndup(text.ptr, text.len);
        assert(strtod(copy, NULL) == value);
        free(copy);
        assert(parse_double(span(out, format_double(out, value)), &back) && back == value);
    }
    int64_t number, number_back;
    if (parse_i64(text, &number)) {
        assert(parse_i64(span(out, format_i64(out, number)), &number_back));
        assert(number_back == number);
    }
    uint64_t natural, natural_back;
    if (parse_u64(text, &natural)) {
        assert(parse_u64(span(out, format_u64(out, natural)), &natural_back));
        assert(natural_back == natural);
    }
}

static void base64(Span text) {
    size_t len;
    char *out = malloc(BASE64_DECODED_MAX(text.len));
    if (base64_decode(out, text, &len)) {
        char *again = malloc(BASE64_ENCODED_MAX(len) + 1);
        size_t size = base64_encode(again, span(out, len), false, false);
        assert(size <= text.len && text.len - size <= 2);
        free(again);
    }
    free(out);
}

static void times(Span text) {
    int64_t seconds, seconds_back;
    int32_t nanos, nanos_back;
    char out[RFC3339_MAX];
    if (parse_rfc3339(text, &seconds, &nanos)) {
        size_t len = format_rfc3339(out, seconds, nanos, -1);
        assert(parse_rfc3339(span(out, len), &seconds_back, &nanos_back));
        assert(seconds_back == seconds && nanos_back == nanos);
    }
}

static void utf8(Span text) {
    size_t valid = utf8_valid_length(text);
    assert(valid <= text.len);
    assert(utf8_valid(span(text.ptr, valid)));
    for (size_t more = 1; more <= 4 && valid + more <= text.len; more++)
        assert(!utf8_valid(span(text.ptr + valid, more)));
}

static void log_lines(Span text) {
    Buf line = {0};
    LogField field = log_text("bytes", text);
    log_format(&line, LOG_JSON, 0, LOG_INFO, "fuzz", &field, 1);
    assert(utf8_valid(buf_span(&line)));
    assert(memchr(line.ptr, '\n', line.len) == line.ptr + line.len - 1);
    buf_done(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A block of its own, so that a read beyond the end is seen. */
    char *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    Span text = span(copy, size);
    numbers(text);
    base64(text);
    times(text);
    utf8(text);
    log_lines(text);
    free(copy);
    return 0;
}
