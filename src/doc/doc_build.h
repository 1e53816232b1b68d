/* What the readers of the formats share: making nodes, within the bounds. All of it is for the
 * time of one doc_read. A function that fails has stated the error; the first one stated stays. */
#pragma once

#include "base/array.h"
#include "doc/doc.h"

/* One list or map that is being read. */
typedef struct DocLevel {
    DocNode *node;
    size_t first; /* of its entries (or elements, whose keys stay empty) in DocBuilder.entries */
    Span key;     /* map: the key whose value comes next */
    DocPlace key_place;
    bool has_key;
} DocLevel;

typedef struct DocBuilder {
    Arena *arena;
    Span file, text;
    DocError *error;
    int failed; /* the errno value of the error; 0 = none yet */
    DocLevel levels[DOC_DEPTH_MAX];
    uint32_t depth;
    ARRAY(DocEntry) entries;
    const DocNode *root;
    /* Behind doc_place_at: positions are asked for in rising order. */
    size_t at;
    uint32_t line, column;
} DocBuilder;

int doc_fail(DocBuilder *builder, int code, DocPlace place, const char *format, ...)
    __attribute__((format(printf, 4, 5), cold));

/* The place of a byte of the text. */
DocPlace doc_place_at(DocBuilder *builder, size_t offset);

static inline DocPlace doc_place(const DocBuilder *builder, uint32_t line, uint32_t column) {
    return (DocPlace){builder->file, line, column};
}

/* A node of its own, not yet anywhere; NULL when there are too many. `text` is copied. */
DocNode *doc_node(DocBuilder *builder, DocKind kind, DocPlace place, Span text);

/* Puts a finished node where one is due: the root, a list's next element, the value of the key. */
int doc_put(DocBuilder *builder, const DocNode *node);

/* Opens a list or map; what follows belongs to it until doc_close, which puts it. */
int doc_open(DocBuilder *builder, DocKind kind, DocPlace place);
const DocNode *doc_close(DocBuilder *builder);

/* The key of the value that comes next. */
void doc_key(DocBuilder *builder, Span key, DocPlace place);

static inline DocLevel *doc_level(DocBuilder *builder) {
    return builder->depth ? &builder->levels[builder->depth - 1] : NULL;
}

/* A map laid upon another: its keys replace those below whole, as YAML's "<<" has it. */
const DocNode *doc_lay(Arena *arena, const DocNode *under, const DocNode *over);

/* The readers. Each puts one root, or none when the text is empty. */
int doc_read_yaml(DocBuilder *builder);
int doc_read_json(DocBuilder *builder);
int doc_read_toml(DocBuilder *builder);
