/* Any template, path and query, a line each. */
#include <assert.h>

#include "rpc/query.h"
#include "rpc/rest_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Span take_line(Span *rest) {
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    Span line = end ? span(rest->ptr, (size_t)(end - rest->ptr)) : *rest;
    *rest = span_skip(*rest, line.len + 1);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Span rest = span(data, size);
    Span text = take_line(&rest), path = take_line(&rest), query = take_line(&rest);
    Arena arena = {0};
    RestTemplate template;
    Span values[REST_VARIABLES_MAX], name, value;
    const char *why = NULL;
    if (rest_template_parse(text, &template, &why)) {
        assert(rest_template_compare(&template, &template) == 0);
        assert(template.segment_count >= 1 && template.segment_count <= REST_SEGMENTS_MAX);
        if (rest_template_match(&template, path, &arena, values))
            for (uint8_t i = 0; i < template.variable_count; i++)
                assert(values[i].len <= path.len);
    } else {
        assert(why);
    }
    QueryReader reader = {.rest = query, .arena = &arena};
    while (query_next(&reader, &name, &value) == 1)
        assert(name.len + value.len <= query.len);
    arena_done(&arena);
    return 0;
}
