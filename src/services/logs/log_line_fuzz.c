/* Bytes of output: all of them become entries, of valid UTF-8 and within their bounds. */
#include <assert.h>

#include "base/text.h"
#include "schema/codec.h"
#include "services/logs/line.h"
#include "services/logs/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(Span text, Arena *arena) {
    RtLogEntry entry = {0};
    line_parse(text, NANOS_PER_SECOND, NULL, arena, &entry);
    assert(utf8_valid(entry.message) && entry.message.len <= LINE_MESSAGE_MAX);
    assert(utf8_valid(entry.correlation_id) && entry.correlation_id.len <= LINE_ID_MAX);
    assert(entry.level >= RT_LOG_LEVEL_TRACE && entry.level <= RT_LOG_LEVEL_FATAL);
    assert(entry.timestamp >= 0 && entry.nanoseconds >= 0 && entry.nanoseconds < NANOS_PER_MILLI);
    Span encoded;
    assert(schema_encode(&RtLogEntry_type, &entry, 0, arena, &encoded) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Lines lines = {0};
    Arena arena = {0};
    Span rest = span(data, size);
    LinesEntry entry;
    while (lines_next(&lines, rest, LINES_ENDED, &arena, &entry)) {
        assert(entry.size > 0 && entry.size <= rest.len && entry.text.len <= entry.size);
        if (!entry.remains)
            check_entry(entry.text, &arena);
        rest = span_skip(rest, entry.size);
        arena_reset(&arena);
    }
    assert(!rest.len);
    arena_done(&arena);
    return 0;
}
