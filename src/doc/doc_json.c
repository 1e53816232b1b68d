/* JSON: the reader of schema/ for its tokens, so that there is one reading of RFC 8259 here. */
#include <errno.h>

#include "base/text.h"
#include "doc/doc_build.h"
#include "schema/json_reader.h"

typedef struct JsonDoc {
    JsonReader reader;
    DocBuilder *builder;
} JsonDoc;

static DocPlace place_here(JsonDoc *doc) {
    return doc_place_at(doc->builder, (size_t)(doc->reader.at - doc->reader.begin));
}

static int put_number(JsonDoc *doc, DocPlace place) {
    Span text;
    int result = json_read_number(&doc->reader, &text);
    if (result < 0)
        return result;
    DocNode *node = doc_node(doc->builder, DOC_INTEGER, place, text);
    if (!parse_i64(text, &node->integer)) {
        node->kind = DOC_DOUBLE;
        if (!parse_double(text, &node->real))
            return doc_fail(doc->builder, -EBADMSG, place, "number out of range");
    }
    return doc_put(doc->builder, node);
}

static int put_literal(JsonDoc *doc, DocPlace place, Span literal, DocKind kind) {
    int result = json_read_literal(&doc->reader, literal);
    if (result < 0)
        return result;
    DocNode *node = doc_node(doc->builder, kind, place, literal);
    if (kind == DOC_BOOL)
        node->flag = literal.ptr[0] == 't';
    return doc_put(doc->builder, node);
}

static int put_value(JsonDoc *doc);

static int put_list(JsonDoc *doc, char close) {
    bool first = true;
    doc->reader.at++;
    int more;
    while ((more = json_more(&doc->reader, close, &first)) > 0) {
        if (close == '}') {
            Span name;
            DocPlace place = place_here(doc);
            int result = json_read_name(&doc->reader, &name);
            if (result < 0)
                return result;
            doc_key(doc->builder, name, place);
        }
        int result = put_value(doc);
        if (result < 0)
            return result;
    }
    return more < 0 ? more : doc_close(doc->builder) ? 0 : doc->builder->failed;
}

/* Recursion is bounded by doc_open. */
static int put_value(JsonDoc *doc) {
    char c = json_peek(&doc->reader);
    DocPlace place = place_here(doc);
    Span text;
    int result;
    switch (c) {
    case '{':
    case '[':
        result = doc_open(doc->builder, c == '{' ? DOC_MAP : DOC_LIST, place);
        return result < 0 ? result : put_list(doc, c == '{' ? '}' : ']');
    case '"':
        result = json_read_string(&doc->reader, &text);
        return result < 0 ? result
                          : doc_put(doc->builder, doc_node(doc->builder, DOC_STRING, place, text));
    case 't':
        return put_literal(doc, place, SPAN("true"), DOC_BOOL);
    case 'f':
        return put_literal(doc, place, SPAN("false"), DOC_BOOL);
    case 'n':
        return put_literal(doc, place, SPAN("null"), DOC_NULL);
    default:
        return put_number(doc, place);
    }
}

int doc_read_json(DocBuilder *builder) {
    static const SchemaJson OPTIONS = {0};
    SchemaError error = {0};
    Span text = builder->text;
    JsonDoc doc = {.reader = {.at = text.ptr,
                              .begin = text.ptr,
                              .end = span_end(text),
                              .arena = builder->arena,
                              .options = &OPTIONS,
                              .error = &error,
                              .depth = DOC_DEPTH_MAX},
                   .builder = builder};
    int result = put_value(&doc);
    json_peek(&doc.reader);
    if (!result && doc.reader.at != doc.reader.end)
        return doc_fail(builder, -EBADMSG, place_here(&doc), "expected the end of the document");
    if (result < 0 && !builder->failed)
        return doc_fail(builder, result, doc_place_at(builder, error.offset), "%s", error.reason);
    return result;
}
