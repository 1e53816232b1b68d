#include "doc/doc_toml.h"

#include <errno.h>

#include "base/map.h"

/* Tables are not written in the order of the tree, so they are gathered first and put into the
 * document at the end. */

typedef enum TomlKind { TOML_SCALAR, TOML_LIST, TOML_TABLE, TOML_TABLES } TomlKind;

/* Who made a table, which decides who may add to it. */
typedef enum TomlMaker {
    TOML_IMPLIED, /* [a.b] made a */
    TOML_HEADER,
    TOML_DOTTED, /* a.b = … made a */
    TOML_INLINE,
} TomlMaker;

typedef struct TomlItem TomlItem;

typedef struct TomlEntry {
    Span id; /* the table's number and the key */
    Span key;
    DocPlace place;
    TomlItem *item;
    struct TomlEntry *next;
} TomlEntry;

struct TomlItem {
    TomlKind kind;
    DocPlace place;
    TomlItem *next;        /* in the list that it is an element of */
    const DocNode *scalar; /* TOML_SCALAR */
    TomlItem *first, *last;
    TomlMaker maker; /* TOML_TABLE */
    uint32_t number;
    TomlEntry *entries, *last_entry;
};

typedef struct TomlDoc {
    TomlReader reader;
    Map entries; /* of all tables, by TomlEntry.id */
    TomlItem *root, *table;
    uint32_t items, depth;
    /* The key that was read last: its parts. */
    ARRAY(TomlEntry) key;
    Buf scratch;
} TomlDoc;

/* ---- characters ---- */

int toml_unexpected(TomlReader *reader, const char *wanted) {
    DocPlace place = toml_place(reader, reader->at);
    unsigned char c = (unsigned char)toml_peek(reader);
    if (reader->at == reader->end)
        return doc_fail(reader->builder, -EBADMSG, place, "%s, found the end", wanted);
    if (c == '\n' || c == '\r')
        return doc_fail(reader->builder, -EBADMSG, place, "%s, found the end of the line", wanted);
    if (c < 0x20 || c >= 0x7F)
        return doc_fail(reader->builder, -EBADMSG, place, "%s, found the byte 0x%02x", wanted, c);
    return doc_fail(reader->builder, -EBADMSG, place, "%s, found '%c'", wanted, c);
}

static void skip_blanks(TomlReader *reader) {
    while (toml_peek(reader) == ' ' || toml_peek(reader) == '\t')
        reader->at++;
}

/* Blanks and a comment, up to the end of the line. */
static int skip_comment(TomlReader *reader) {
    skip_blanks(reader);
    if (toml_peek(reader) != '#')
        return 0;
    while (reader->at < reader->end && *reader->at != '\n' &&
           !span_starts(toml_rest(reader), SPAN("\r\n"))) {
        if (toml_is_control(*reader->at))
            return toml_unexpected(reader, "a comment cannot hold control characters");
        reader->at++;
    }
    return 0;
}

static bool skip_newline(TomlReader *reader) {
    if (span_starts(toml_rest(reader), SPAN("\r\n")))
        reader->at++;
    if (toml_peek(reader) != '\n')
        return false;
    reader->at++;
    return true;
}

static int skip_lines(TomlReader *reader) {
    int result;
    do
        result = skip_comment(reader);
    while (!result && skip_newline(reader));
    return result;
}

static int end_of_line(TomlReader *reader) {
    int result = skip_comment(reader);
    if (result < 0)
        return result;
    if (reader->at < reader->end && !skip_newline(reader))
        return toml_unexpected(reader, "expected the end of the line");
    return 0;
}

/* ---- tables ---- */

static Span entry_id(const void *item) {
    return ((const TomlEntry *)item)->id;
}

static TomlItem *new_item(TomlDoc *doc, TomlKind kind, DocPlace place) {
    TomlItem *item = arena_zalloc(doc->reader.builder->arena, sizeof *item);
    item->kind = kind;
    item->place = place;
    item->number = doc->items++;
    return item;
}

static TomlItem *new_table(TomlDoc *doc, DocPlace place, TomlMaker maker) {
    TomlItem *item = new_item(doc, TOML_TABLE, place);
    item->maker = maker;
    return item;
}

static void append(TomlItem *list, TomlItem *item) {
    *(list->last ? &list->last->next : &list->first) = item;
    list->last = item;
}

static Span make_id(TomlDoc *doc, const TomlItem *table, Span key) {
    buf_clear(&doc->scratch);
    buf_add(&doc->scratch, span(&table->number, sizeof table->number));
    buf_add(&doc->scratch, key);
    return buf_span(&doc->scratch);
}

static TomlEntry *find(TomlDoc *doc, const TomlItem *table, Span key) {
    return map_get(&doc->entries, make_id(doc, table, key));
}

static int add(TomlDoc *doc, TomlItem *table, const TomlEntry *key, TomlItem *item) {
    if (doc->items > DOC_NODES_MAX)
        return doc_fail(doc->reader.builder, -E2BIG, key->place, "more than %d values",
                        DOC_NODES_MAX);
    TomlEntry *entry = arena_alloc(doc->reader.builder->arena, sizeof *entry);
    *entry = *key;
    entry->id = arena_copy(doc->reader.builder->arena, make_id(doc, table, key->key));
    entry->item = item;
    entry->next = NULL;
    *(table->last_entry ? &table->last_entry->next : &table->entries) = entry;
    table->last_entry = entry;
    map_put(&doc->entries, entry);
    return 0;
}

static int twice(TomlDoc *doc, const TomlEntry *key, const TomlEntry *first) {
    return doc_fail(doc->reader.builder, -EBADMSG, key->place,
                    "'%.*s' is there twice; first in line %u, column %u",
                    (int)(key->key.len < 100 ? key->key.len : 100), key->key.ptr, first->place.line,
                    first->place.column);
}

/* Steps from a table into the one that a part of a key names, making it where it is missing. */
static int step(TomlDoc *doc, const TomlEntry *key, TomlMaker maker, TomlItem **table) {
    TomlEntry *entry = find(doc, *table, key->key);
    if (!entry) {
        TomlItem *made = new_table(doc, key->place, maker);
        int result = add(doc, *table, key, made);
        *table = made;
        return result;
    }
    TomlItem *item = entry->item;
    if (item->kind == TOML_TABLES && maker == TOML_IMPLIED)
        item = item->last;
    bool may_add = item->kind == TOML_TABLE && (maker == TOML_IMPLIED ? item->maker != TOML_INLINE
                                                                      : item->maker == TOML_DOTTED);
    if (!may_add)
        return doc_fail(doc->reader.builder, -EBADMSG, key->place,
                        "'%.*s' is complete and cannot be added to here; it stands in line %u, "
                        "column %u",
                        (int)(key->key.len < 100 ? key->key.len : 100), key->key.ptr,
                        entry->place.line, entry->place.column);
    *table = item;
    return 0;
}

/* All parts of the key but the last. */
static int descend(TomlDoc *doc, TomlMaker maker, TomlItem **table) {
    int result = 0;
    for (size_t i = 0; i + 1 < doc->key.count && !result; i++)
        result = step(doc, &doc->key.items[i], maker, table);
    return result;
}

/* ---- keys ---- */

static bool is_bare(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static int read_key_part(TomlDoc *doc) {
    TomlReader *reader = &doc->reader;
    const char *begin = reader->at;
    DocPlace place = toml_place(reader, begin);
    Buf text = {0};
    int result = 0;
    if (toml_peek(reader) == '"' || toml_peek(reader) == '\'') {
        result = toml_read_string(reader, false, &text);
    } else {
        while (is_bare(toml_peek(reader)))
            reader->at++;
        buf_add(&text, span(begin, (size_t)(reader->at - begin)));
        if (!text.len)
            result = toml_unexpected(reader, "expected a key");
    }
    if (!result)
        *array_push(&doc->key) =
            (TomlEntry){.key = arena_copy(reader->builder->arena, buf_span(&text)), .place = place};
    buf_done(&text);
    return result;
}

static int read_key(TomlDoc *doc) {
    doc->key.count = 0;
    for (;;) {
        skip_blanks(&doc->reader);
        int result = read_key_part(doc);
        if (result < 0)
            return result;
        skip_blanks(&doc->reader);
        if (toml_peek(&doc->reader) != '.')
            return 0;
        if (doc->key.count == DOC_DEPTH_MAX)
            return doc_fail(doc->reader.builder, -E2BIG, doc->key.items[0].place,
                            "nested deeper than %d levels", DOC_DEPTH_MAX);
        doc->reader.at++;
    }
}

/* ---- values ---- */

static int read_value(TomlDoc *doc, TomlItem **ret);

static int read_pair(TomlDoc *doc, TomlItem *table) {
    int result = read_key(doc);
    if (result < 0)
        return result;
    if (toml_peek(&doc->reader) != '=')
        return toml_unexpected(&doc->reader, "expected '=' behind the key");
    doc->reader.at++;
    skip_blanks(&doc->reader);
    result = descend(doc, TOML_DOTTED, &table);
    if (result < 0)
        return result;
    /* Reading the value may read other keys. */
    TomlEntry key = doc->key.items[doc->key.count - 1];
    const TomlEntry *before = find(doc, table, key.key);
    if (before)
        return twice(doc, &key, before);
    TomlItem *item;
    result = read_value(doc, &item);
    return result < 0 ? result : add(doc, table, &key, item);
}

static int read_list(TomlDoc *doc, TomlItem *list) {
    TomlReader *reader = &doc->reader;
    reader->at++;
    for (;;) {
        TomlItem *item;
        int result = skip_lines(reader);
        if (result < 0)
            return result;
        if (toml_peek(reader) == ']')
            break;
        result = read_value(doc, &item);
        if (!result && doc->items > DOC_NODES_MAX)
            result = doc_fail(reader->builder, -E2BIG, list->place, "more than %d values",
                              DOC_NODES_MAX);
        if (!result) {
            append(list, item);
            result = skip_lines(reader);
        }
        if (result < 0)
            return result;
        if (toml_peek(reader) == ',')
            reader->at++;
        else if (toml_peek(reader) != ']')
            return toml_unexpected(reader, "expected ',' or ']'");
    }
    reader->at++;
    return 0;
}

static int read_inline_table(TomlDoc *doc, TomlItem *table) {
    TomlReader *reader = &doc->reader;
    reader->at++;
    skip_blanks(reader);
    bool more = toml_peek(reader) != '}';
    while (more) {
        int result = read_pair(doc, table);
        if (result < 0)
            return result;
        skip_blanks(reader);
        more = toml_peek(reader) == ',';
        if (more)
            reader->at++;
    }
    if (toml_peek(reader) != '}')
        return toml_unexpected(reader, "expected ',' or '}' in the same line");
    reader->at++;
    return 0;
}

static int read_value(TomlDoc *doc, TomlItem **ret) {
    TomlReader *reader = &doc->reader;
    DocPlace place = toml_place(reader, reader->at);
    char c = toml_peek(reader);
    int result;
    if (c != '[' && c != '{') {
        const DocNode *scalar;
        result = toml_read_scalar(reader, &scalar);
        if (result < 0)
            return result;
        *ret = new_item(doc, TOML_SCALAR, place);
        (*ret)->scalar = scalar;
        return 0;
    }
    if (doc->depth == DOC_DEPTH_MAX)
        return doc_fail(reader->builder, -E2BIG, place, "nested deeper than %d levels",
                        DOC_DEPTH_MAX);
    doc->depth++;
    *ret = c == '[' ? new_item(doc, TOML_LIST, place) : new_table(doc, place, TOML_INLINE);
    result = c == '[' ? read_list(doc, *ret) : read_inline_table(doc, *ret);
    doc->depth--;
    return result;
}

/* ---- lines ---- */

/* The table of a [header]. */
static int open_table(TomlDoc *doc, TomlItem *parent, const TomlEntry *key) {
    TomlEntry *entry = find(doc, parent, key->key);
    if (!entry) {
        doc->table = new_table(doc, key->place, TOML_HEADER);
        return add(doc, parent, key, doc->table);
    }
    if (entry->item->kind != TOML_TABLE || entry->item->maker != TOML_IMPLIED)
        return twice(doc, key, entry);
    doc->table = entry->item;
    doc->table->maker = TOML_HEADER;
    doc->table->place = entry->place = key->place;
    return 0;
}

/* A new element of an [[array of tables]]. */
static int open_element(TomlDoc *doc, TomlItem *parent, const TomlEntry *key) {
    TomlEntry *entry = find(doc, parent, key->key);
    TomlItem *list = entry ? entry->item : new_item(doc, TOML_TABLES, key->place);
    if (list->kind != TOML_TABLES)
        return twice(doc, key, entry);
    int result = entry ? 0 : add(doc, parent, key, list);
    doc->table = new_table(doc, key->place, TOML_HEADER);
    append(list, doc->table);
    return result;
}

static int read_header(TomlDoc *doc) {
    TomlReader *reader = &doc->reader;
    bool element = span_starts(toml_rest(reader), SPAN("[["));
    reader->at += element ? 2 : 1;
    int result = read_key(doc);
    if (result < 0)
        return result;
    if (!span_starts(toml_rest(reader), element ? SPAN("]]") : SPAN("]")))
        return toml_unexpected(reader, element ? "expected ']]'" : "expected ']'");
    reader->at += element ? 2 : 1;
    TomlItem *parent = doc->root;
    result = descend(doc, TOML_IMPLIED, &parent);
    if (result < 0)
        return result;
    const TomlEntry *key = &doc->key.items[doc->key.count - 1];
    return element ? open_element(doc, parent, key) : open_table(doc, parent, key);
}

static int read_all(TomlDoc *doc) {
    TomlReader *reader = &doc->reader;
    for (;;) {
        int result = skip_lines(reader);
        if (result < 0 || reader->at == reader->end)
            return result;
        result = toml_peek(reader) == '[' ? read_header(doc) : read_pair(doc, doc->table);
        if (!result)
            result = end_of_line(reader);
        if (result < 0)
            return result;
    }
}

/* Puts what was gathered into the document. Its depth is bounded by doc_open. */
static int put_item(DocBuilder *builder, const TomlItem *item) {
    if (item->kind == TOML_SCALAR)
        return doc_put(builder, item->scalar);
    int result = doc_open(builder, item->kind == TOML_TABLE ? DOC_MAP : DOC_LIST, item->place);
    for (const TomlEntry *entry = item->entries; entry && !result; entry = entry->next) {
        doc_key(builder, entry->key, entry->place);
        result = put_item(builder, entry->item);
    }
    for (const TomlItem *element = item->first; element && !result; element = element->next)
        result = put_item(builder, element);
    if (result < 0)
        return result;
    return doc_close(builder) ? 0 : builder->failed;
}

int doc_read_toml(DocBuilder *builder) {
    const char *text = builder->text.ptr;
    TomlDoc doc = {.reader = {builder, text, span_end(builder->text)}};
    map_init(&doc.entries, entry_id, 0);
    doc.root = doc.table = new_table(&doc, doc_place(builder, 1, 1), TOML_HEADER);
    int result = read_all(&doc);
    if (!result)
        result = put_item(builder, doc.root);
    map_done(&doc.entries);
    array_done(&doc.key);
    buf_done(&doc.scratch);
    return result;
}
