/* Any text as what headers carry: deadlines, escaped messages, binary metadata, codes. */
#include "rpc/metadata.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_timeouts(Span text) {
    Nanos timeout, again;
    char written[TIMEOUT_MAX];
    if (timeout_parse_grpc(text, &timeout)) {
        assert(timeout >= 0);
        size_t len = timeout_format_grpc(written, timeout);
        assert(len <= TIMEOUT_MAX && timeout_parse_grpc(span(written, len), &again));
        assert(again >= timeout);
    }
    if (timeout_parse_connect(text, &timeout)) {
        assert(timeout >= 0);
        size_t len = timeout_format_connect(written, timeout);
        assert(len <= TIMEOUT_MAX && timeout_parse_connect(span(written, len), &again));
        assert(again >= timeout);
    }
}

static void check_metadata(Arena *arena, Span text) {
    const HttpHeader headers[] = {
        {SPAN("a-bin"), text}, {SPAN("trailer-b-bin"), text}, {SPAN("c"), text}};
    HttpHeaders read;
    for (int trailers = 0; trailers < 2; trailers++) {
        if (!metadata_read(arena, (HttpHeaders){headers, 3}, trailers ? SPAN("trailer-") : SPAN(""),
                           &read))
            continue;
        for (size_t i = 0; i < read.count; i++) {
            HttpHeader one = read.items[i], back = {one.name, {0}};
            if (!metadata_is_binary(one.name))
                continue;
            back.value = metadata_write_value(arena, one.name, one.value);
            HttpHeaders again;
            assert(metadata_read(arena, (HttpHeaders){&back, 1}, SPAN(""), &again));
            assert(again.count == 1 && span_equal(again.items[0].value, one.value));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena arena = {0};
    Span text = span(data, size);
    check_timeouts(text);
    percent_decode(&arena, text);
    assert(span_equal(percent_decode(&arena, percent_encode(&arena, text)), text));
    check_metadata(&arena, text);
    metadata_is_reserved(text);
    metadata_is_valid(text, text);
    assert(connect_code_read(text) < STATUS_CODES);
    arena_done(&arena);
    return 0;
}
