#include "doc/doc.h"

#include <errno.h>
#include <stdio.h>

#include "base/map.h"
#include "base/text.h"
#include "doc/doc_build.h"

/* Maps of more entries than this are searched for duplicates by a hash. */
#define FEW 16

/* Of the hashes; documents are their owner's, and bounded. */
#define SEED UINT64_C(0x9e3779b97f4a7c15)

int doc_fail(DocBuilder *builder, int code, DocPlace place, const char *format, ...) {
    if (builder->failed)
        return builder->failed;
    Buf message = {.arena = builder->arena};
    va_list args;
    va_start(args, format);
    buf_vprintf(&message, format, args);
    va_end(args);
    *builder->error = (DocError){place, buf_span(&message)};
    return builder->failed = code;
}

DocPlace doc_place_at(DocBuilder *builder, size_t offset) {
    if (offset < builder->at || !builder->line) {
        builder->at = 0;
        builder->line = builder->column = 1;
    }
    for (; builder->at < offset; builder->at++) {
        char c = builder->text.ptr[builder->at];
        if (c == '\n') {
            builder->line++;
            builder->column = 1;
        } else if (((uint8_t)c & 0xC0) != 0x80) {
            builder->column++;
        }
    }
    return doc_place(builder, builder->line, builder->column);
}

DocNode *doc_node(DocBuilder *builder, DocKind kind, DocPlace place, Span text) {
    DocNode *node = arena_zalloc(builder->arena, sizeof *node);
    node->kind = kind;
    node->weight = 1;
    node->place = place;
    node->text = arena_copy(builder->arena, text);
    return node;
}

int doc_put(DocBuilder *builder, const DocNode *node) {
    DocLevel *level = doc_level(builder);
    if (!level) {
        builder->root = node;
        return 0;
    }
    uint32_t weight = level->node->weight + node->weight;
    if (weight > DOC_NODES_MAX)
        return doc_fail(builder, -E2BIG, node->place,
                        "more than %d values (each alias written out)", DOC_NODES_MAX);
    level->node->weight = weight;
    *array_push(&builder->entries) = (DocEntry){level->key, level->key_place, node};
    level->has_key = false;
    return 0;
}

int doc_open(DocBuilder *builder, DocKind kind, DocPlace place) {
    if (builder->depth == DOC_DEPTH_MAX)
        return doc_fail(builder, -E2BIG, place, "nested deeper than %d levels", DOC_DEPTH_MAX);
    DocNode *node = doc_node(builder, kind, place, (Span){0});
    builder->levels[builder->depth++] = (DocLevel){.node = node, .first = builder->entries.count};
    return 0;
}

void doc_key(DocBuilder *builder, Span key, DocPlace place) {
    DocLevel *level = doc_level(builder);
    level->key = arena_copy(builder->arena, key);
    level->key_place = place;
    level->has_key = true;
}

static Span entry_key(const void *item) {
    return ((const DocEntry *)item)->key;
}

static int said_twice(DocBuilder *builder, const DocEntry *first, const DocEntry *second) {
    return doc_fail(builder, -EBADMSG, second->place,
                    "key '%.*s' is there twice; first in line %u, column %u",
                    (int)(first->key.len < 100 ? first->key.len : 100), first->key.ptr,
                    first->place.line, first->place.column);
}

static int check_duplicates(DocBuilder *builder, const DocEntry *entries, size_t count) {
    if (count <= FEW) {
        for (size_t i = 1; i < count; i++)
            for (size_t j = 0; j < i; j++)
                if (span_equal(entries[i].key, entries[j].key))
                    return said_twice(builder, &entries[j], &entries[i]);
        return 0;
    }
    Map seen;
    map_init(&seen, entry_key, SEED);
    map_reserve(&seen, count);
    int result = 0;
    for (size_t i = 0; i < count && !result; i++) {
        const DocEntry *before = map_put(&seen, (void *)&entries[i]);
        if (before)
            result = said_twice(builder, before, &entries[i]);
    }
    map_done(&seen);
    return result;
}

const DocNode *doc_close(DocBuilder *builder) {
    DocLevel *level = doc_level(builder);
    DocNode *node = level->node;
    const DocEntry *from = builder->entries.count ? &builder->entries.items[level->first] : NULL;
    size_t count = builder->entries.count - level->first;
    if (node->kind == DOC_MAP) {
        DocEntry *entries = arena_alloc(builder->arena, count * sizeof *entries);
        if (count)
            memcpy(entries, from, count * sizeof *entries);
        node->map.entries = entries;
        node->map.count = count;
        if (check_duplicates(builder, entries, count) < 0)
            return NULL;
    } else {
        const DocNode **items = arena_alloc(builder->arena, count * sizeof *items);
        for (size_t i = 0; i < count; i++)
            items[i] = from[i].value;
        node->list.items = items;
        node->list.count = count;
    }
    builder->entries.count = level->first;
    builder->depth--;
    return doc_put(builder, node) < 0 ? NULL : node;
}

/* What no format allows, found here once for all. */
static int check_text(DocBuilder *builder) {
    Span text = builder->text;
    if (text.len > DOC_SIZE_MAX)
        return doc_fail(builder, -E2BIG, doc_place(builder, 0, 0), "larger than %u MiB",
                        DOC_SIZE_MAX >> 20);
    size_t valid = utf8_valid_length(text);
    if (valid < text.len)
        return doc_fail(builder, -EBADMSG, doc_place_at(builder, valid),
                        "not UTF-8: byte 0x%02x cannot stand here", (uint8_t)text.ptr[valid]);
    const char *nul = text.len ? memchr(text.ptr, '\0', text.len) : NULL;
    if (nul)
        return doc_fail(builder, -EBADMSG, doc_place_at(builder, (size_t)(nul - text.ptr)),
                        "a NUL byte cannot stand in a text");
    return 0;
}

int doc_read(Arena *arena, DocFormat format, Span file, Span text, const DocNode **ret,
             DocError *error) {
    DocBuilder builder = {.arena = arena, .file = file, .text = text, .error = error};
    int result = check_text(&builder);
    if (!result && span_starts(text, SPAN("\xEF\xBB\xBF")))
        builder.text = span_skip(text, 3);
    if (!result)
        result = format == DOC_YAML   ? doc_read_yaml(&builder)
                 : format == DOC_TOML ? doc_read_toml(&builder)
                                      : doc_read_json(&builder);
    array_done(&builder.entries);
    if (result < 0)
        return result;
    *ret = builder.root ? builder.root
                        : doc_node(&builder, DOC_MAP, doc_place(&builder, 1, 1), (Span){0});
    return 0;
}

static bool ends_with(Span text, Span end) {
    return text.len >= end.len && span_equal(span_skip(text, text.len - end.len), end);
}

DocFormat doc_format(Span file) {
    return ends_with(file, SPAN(".toml"))   ? DOC_TOML
           : ends_with(file, SPAN(".json")) ? DOC_JSON
                                            : DOC_YAML;
}

const DocEntry *doc_find(const DocNode *map, Span key) {
    if (map && map->kind == DOC_MAP)
        for (size_t i = 0; i < map->map.count; i++)
            if (span_equal(map->map.entries[i].key, key))
                return &map->map.entries[i];
    return NULL;
}

const DocNode *doc_get(const DocNode *map, Span key) {
    const DocEntry *entry = doc_find(map, key);
    return entry ? entry->value : NULL;
}

const char *doc_kind_name(DocKind kind) {
    static const char *const NAMES[] = {
        [DOC_NULL] = "nothing",    [DOC_BOOL] = "a yes/no value", [DOC_INTEGER] = "an integer",
        [DOC_DOUBLE] = "a number", [DOC_STRING] = "a string",     [DOC_LIST] = "a list",
        [DOC_MAP] = "a map",
    };
    return NAMES[kind];
}

/* What is said twice is merged likewise when `deep`, otherwise taken from `over`. */
static const DocNode *lay(Arena *arena, const DocNode *under, const DocNode *over, bool deep) {
    DocNode *node = arena_alloc(arena, sizeof *node);
    *node = *over;
    size_t count = under->map.count;
    DocEntry *entries = arena_alloc(arena, (count + over->map.count) * sizeof *entries);
    if (count)
        memcpy(entries, under->map.entries, count * sizeof *entries);
    Map known;
    map_init(&known, entry_key, SEED);
    for (size_t i = 0; i < count; i++)
        map_put(&known, &entries[i]);
    for (size_t i = 0; i < over->map.count; i++) {
        const DocEntry *entry = &over->map.entries[i];
        DocEntry *same = map_get(&known, entry->key);
        const DocNode *value =
            same && deep ? doc_merge(arena, same->value, entry->value) : entry->value;
        *(same ? same : &entries[count++]) = (DocEntry){entry->key, entry->place, value};
    }
    map_done(&known);
    node->map.entries = entries;
    node->map.count = count;
    node->weight = 1;
    for (size_t i = 0; i < count; i++)
        node->weight += entries[i].value->weight;
    return node;
}

const DocNode *doc_lay(Arena *arena, const DocNode *under, const DocNode *over) {
    return lay(arena, under, over, false);
}

const DocNode *doc_merge(Arena *arena, const DocNode *under, const DocNode *over) {
    if (!under || !over || under->kind != DOC_MAP || over->kind != DOC_MAP)
        return over ? over : under;
    return lay(arena, under, over, true);
}
