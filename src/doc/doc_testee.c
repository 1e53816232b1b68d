/* Prints the document on stdin (toml, yaml or json, as the argument says) as JSON of the form that
 * toml-test has: each scalar as {"type": …, "value": …}. Dates and times are strings here. Exits
 * with 1 and the reason on stderr when the document is refused. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "doc/doc.h"

static void print_string(Buf *out, Span text) {
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\' || (unsigned char)c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

static void print_scalar(Buf *out, const DocNode *node) {
    char text[FORMAT_DOUBLE_MAX];
    switch (node->kind) {
    case DOC_BOOL:
        buf_printf(out, "{\"type\": \"bool\", \"value\": \"%s\"}", node->flag ? "true" : "false");
        break;
    case DOC_INTEGER:
        buf_printf(out, "{\"type\": \"integer\", \"value\": \"%lld\"}", (long long)node->integer);
        break;
    case DOC_DOUBLE:
        buf_add_literal(out, "{\"type\": \"float\", \"value\": ");
        print_string(out, isnan(node->real)   ? SPAN("nan")
                          : isinf(node->real) ? node->real > 0 ? SPAN("inf") : SPAN("-inf")
                                              : span(text, format_double(text, node->real)));
        buf_add_char(out, '}');
        break;
    default:
        buf_add_literal(out, "{\"type\": \"string\", \"value\": ");
        print_string(out, node->text);
        buf_add_char(out, '}');
    }
}

static void print_node(Buf *out, const DocNode *node) {
    if (node->kind != DOC_LIST && node->kind != DOC_MAP) {
        print_scalar(out, node);
        return;
    }
    bool map = node->kind == DOC_MAP;
    size_t count = map ? node->map.count : node->list.count;
    buf_add_char(out, map ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_literal(out, ", ");
        if (map) {
            print_string(out, node->map.entries[i].key);
            buf_add_literal(out, ": ");
        }
        print_node(out, map ? node->map.entries[i].value : node->list.items[i]);
    }
    buf_add_char(out, map ? '}' : ']');
}

int main(int argc, char **argv) {
    Arena arena = {0};
    Buf text = {0}, out = {0};
    ssize_t got;
    while ((got = read(0, buf_reserve(&text, 65536), 65536)) > 0)
        text.len += (size_t)got;
    const DocNode *root = NULL;
    DocError error = {0};
    Span name = argc > 1 ? span_of(argv[1]) : SPAN("toml");
    Buf file = {.arena = &arena};
    buf_printf(&file, "stdin.%.*s", SPAN_ARGS(name));
    int result = doc_read(&arena, doc_format(buf_span(&file)), buf_span(&file), buf_span(&text),
                          &root, &error);
    if (result < 0) {
        fprintf(stderr, "%u:%u: %.*s\n", error.place.line, error.place.column,
                SPAN_ARGS(error.message));
    } else {
        print_node(&out, root);
        buf_add_char(&out, '\n');
        fwrite(out.ptr, 1, out.len, stdout);
    }
    buf_done(&text);
    buf_done(&out);
    arena_done(&arena);
    return result < 0;
}
