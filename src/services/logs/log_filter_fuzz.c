/* The filter line: whatever it is, it is read or refused with a place, and matches without harm. */
#include <assert.h>

#include "services/logs/filter.h"
#include "services/logs/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const Span LINE = SPAN(
        "{\"level\":\"warn\",\"msg\":\"a timeout\",\"http\":{\"status\":500},\"req_id\":\"r\"}");
    Filter *filter;
    FilterError error;
    if (filter_parse(span(data, size), 1795243931 * NANOS_PER_SECOND, &filter, &error) < 0) {
        assert(error.column >= 1 && error.column <= size + 1);
        return 0;
    }
    Arena arena = {0};
    RtLogEntry entry = {.service_name = SPAN("calc"), .run = 3};
    line_parse(LINE, 0, NULL, &arena, &entry);
    bool yes = filter_matches(filter, &entry, 4);
    FilterGlance glance = {
        .service = entry.service_name, .run = 3, .last_run = 4, .level = entry.level, .raw = LINE};
    assert(filter_glance(filter, &glance) != (yes ? FILTER_NO : FILTER_YES));
    filter_free(filter);
    arena_done(&arena);
    return 0;
}
