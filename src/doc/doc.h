/* One document tree, whatever the format: YAML 1.2 (core schema, read by libfyaml), TOML 1.0 (by
 * toml++) and JSON (RFC 8259, by our own reader). Every key and every value knows where it stands,
 * so whoever refuses one can say "file:line:column: what was wrong".
 *
 * A tree is immutable, lies in the arena it was read into and borrows nothing from the text. An
 * alias of YAML shares its anchor's node, so a tree may be a graph, but never a cycle, and its
 * expansion is bounded as well. Everything here is pure; any thread may use it. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

typedef enum DocFormat { DOC_YAML, DOC_TOML, DOC_JSON } DocFormat;

typedef enum DocKind {
    DOC_NULL,
    DOC_BOOL,
    DOC_INTEGER,
    DOC_DOUBLE,
    DOC_STRING, /* also TOML's dates and times, as RFC 3339 writes them */
    DOC_LIST,
    DOC_MAP,
} DocKind;

/* A place in a file. Lines and columns count from 1, columns in characters; line 0 stands for the
 * file as a whole. */
typedef struct DocPlace {
    Span file;
    uint32_t line, column;
} DocPlace;

typedef struct DocNode DocNode;

/* An entry of a map. */
typedef struct DocEntry {
    Span key;
    DocPlace place; /* of the key */
    const DocNode *value;
} DocEntry;

struct DocNode {
    DocKind kind;
    uint32_t weight; /* nodes in it, itself included, with each alias written out */
    DocPlace place;
    Span text; /* a scalar as it is written, without quotes and escapes: "1.10", "0x1F" */
    union {
        bool flag;
        int64_t integer;
        double real;
        struct {
            const DocNode *const *items;
            size_t count;
        } list;
        struct {
            const DocEntry *entries; /* in the order they are written */
            size_t count;
        } map;
    };
};

/* Bounds on what is read. */
#define DOC_SIZE_MAX  (4u << 20) /* bytes of a file */
#define DOC_DEPTH_MAX 64         /* levels of lists and maps */
#define DOC_NODES_MAX 200000     /* nodes, each alias written out */

typedef struct DocError {
    DocPlace place;
    Span message; /* in the arena */
} DocError;

/* Reads a whole document; one without any content is an empty map. 0, or with *error filled in:
 * -EBADMSG (it is not well-formed, or says a key twice), -E2BIG (a bound is reached). `file` is
 * what places name; it must live as long as the tree. The arena has no limit. */
int doc_read(Arena *arena, DocFormat format, Span file, Span text, const DocNode **ret,
             DocError *error);

/* The format that a file's name says: .toml, .json, otherwise YAML. */
DocFormat doc_format(Span file);

/* The value of a key; NULL when the map has none, or the node is no map. */
const DocNode *doc_get(const DocNode *map, Span key);
const DocEntry *doc_find(const DocNode *map, Span key);

/* "a string", "a list", … for messages. */
const char *doc_kind_name(DocKind kind);

/* `over` laid upon `under`: maps are merged key by key, anything else of `over` replaces what it
 * stands upon. Both stay as they are; either may be NULL. */
const DocNode *doc_merge(Arena *arena, const DocNode *under, const DocNode *over);
