/* Files into one tree: each with what it extends beneath it, then one upon the other. Services are
 * gathered by name, so that a map of them and a list of them merge as well. */
#include <errno.h>
#include <stdio.h>

#include "config/reader.h"

static Span folder_of(Span path) {
    while (path.len && path.ptr[path.len - 1] != '/')
        path.len--;
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

static Span base_of(Span path) {
    Span folder = folder_of(path);
    return span_skip(path, folder.len + (folder.len > 1));
}

static Span format_of(Span path) {
    Span name = base_of(path);
    if (span_starts(name, SPAN("config.")))
        return SPAN("config");
    return span_equal(name, SPAN("services.toml")) ? SPAN("services") : SPAN("muster");
}

/* The commands of configs/services.toml run from the folder above. */
Span config_folder(Span path) {
    Span folder = folder_of(path);
    bool above = span_equal(format_of(path), SPAN("services")) &&
                 span_equal(base_of(folder), SPAN("configs"));
    return above ? folder_of(folder) : folder;
}

static const DocNode *empty_map(Reader *reader, DocPlace place) {
    DocNode *node = arena_zalloc(reader->arena, sizeof *node);
    node->kind = DOC_MAP;
    node->weight = 1;
    node->place = place;
    return node;
}

/* ---- services ---- */

static void add_service(Reader *reader, Span name, DocPlace place, const DocNode *node,
                        bool template) {
    if (node->kind == DOC_NULL)
        node = empty_map(reader, place);
    RawService *known = map_get(&reader->raw_by_name, name);
    if (known) {
        known->node = doc_merge(reader->arena, known->node, node);
        known->template &= template;
        return;
    }
    if (reader->raw.count == CONFIG_SERVICES_MAX) {
        if (map_get(&reader->raw_by_name, reader->raw.items[0]->name))
            reader_error(reader, place, "more than %d services", CONFIG_SERVICES_MAX);
        return;
    }
    RawService *raw = arena_zalloc(reader->arena, sizeof *raw);
    *raw = (RawService){.name = name, .place = place, .node = node, .template = template};
    *array_push(&reader->raw) = raw;
    map_put(&reader->raw_by_name, raw);
}

static bool check_service(Reader *reader, Span name, DocPlace place, const DocNode *node) {
    if (!is_name(name)) {
        reader_error(reader, place, "'%.*s' cannot name a service", SPAN_ARGS(shown(name)));
        reader_suggest(reader,
                       "letters, digits, '.', '_' and '-', beginning with one of the former "
                       "two, at most 64");
        return false;
    }
    if (node->kind == DOC_MAP || node->kind == DOC_NULL)
        return true;
    reader_wrong_kind(reader, node, "a map");
    return false;
}

static void add_map(Reader *reader, const DocNode *map, bool template) {
    for (size_t i = 0; i < map->map.count; i++) {
        const DocEntry *entry = &map->map.entries[i];
        size_t mark = reader_enter(reader, entry->key);
        if (check_service(reader, entry->key, entry->place, entry->value))
            add_service(reader, entry->key, entry->place, entry->value, template);
        reader_leave(reader, mark);
    }
}

static Span list_key(const void *item) {
    return ((const RawService *)item)->name;
}

static void add_item(Reader *reader, const DocNode *item, Map *seen) {
    const DocNode *name = doc_get(item, SPAN("short_name"));
    if (!name)
        name = doc_get(item, SPAN("name"));
    if (item->kind != DOC_MAP) {
        reader_wrong_kind(reader, item, "a map");
        return;
    }
    if (!name) {
        reader_error(reader, item->place, "a service in a list needs a `name`");
        return;
    }
    if (name->kind == DOC_LIST || name->kind == DOC_MAP || name->kind == DOC_NULL) {
        reader_wrong_kind(reader, name, "a string");
        return;
    }
    if (!check_service(reader, name->text, name->place, item))
        return;
    RawService *entry = arena_zalloc(reader->arena, sizeof *entry);
    *entry = (RawService){.name = name->text, .place = name->place};
    const RawService *before = map_get(seen, name->text);
    if (before) {
        reader_error(reader, name->place, "the service '%.*s' is there twice; first in line %u",
                     SPAN_ARGS(name->text), before->place.line);
        return;
    }
    map_put(seen, entry);
    add_service(reader, name->text, name->place, item, false);
}

static void add_list(Reader *reader, const DocNode *list) {
    Map seen;
    map_init(&seen, list_key, 0);
    for (size_t i = 0; i < list->list.count; i++)
        add_item(reader, list->list.items[i], &seen);
    map_done(&seen);
}

static void add_services(Reader *reader, const DocNode *root) {
    const DocNode *services = doc_get(root, SPAN("services"));
    const DocNode *templates = doc_get(root, SPAN("templates"));
    size_t mark = reader_enter(reader, SPAN("services"));
    if (services && services->kind == DOC_MAP)
        add_map(reader, services, false);
    else if (services && services->kind == DOC_LIST)
        add_list(reader, services);
    else if (services && services->kind != DOC_NULL)
        reader_wrong_kind(reader, services, "a map or a list of services");
    reader_leave(reader, mark);
    mark = reader_enter(reader, SPAN("templates"));
    if (templates && templates->kind == DOC_MAP)
        add_map(reader, templates, true);
    else if (templates && templates->kind != DOC_NULL)
        reader_wrong_kind(reader, templates, "a map of templates");
    reader_leave(reader, mark);
}

/* ---- files ---- */

static int file_text(Reader *reader, Span path, Span *ret) {
    for (size_t i = 0; i < reader->options->file_count; i++) {
        const RtConfigurationFile *file = &reader->options->files[i];
        if (file->text.len && span_equal(file->path, path)) {
            *ret = arena_copy(reader->arena, file->text);
            return 0;
        }
    }
    Buf text = {.arena = reader->arena};
    int result = reader->world->read(reader->world->owner, arena_text(reader->arena, path), &text);
    if (!result)
        *ret = buf_span(&text);
    return result;
}

static void read_file(Reader *reader, Span path, DocPlace from);

static void read_extended(Reader *reader, Span path, const DocNode *root) {
    const DocEntry *entry = doc_find(root, SPAN("extends"));
    if (!entry || entry->value->kind == DOC_NULL)
        return;
    size_t mark = reader_enter(reader, entry->key);
    bool many = entry->value->kind == DOC_LIST;
    for (size_t i = 0; i < (many ? entry->value->list.count : 1); i++) {
        const DocNode *item = many ? entry->value->list.items[i] : entry->value;
        if (item->kind == DOC_STRING)
            read_file(reader, reader_absolute(reader, folder_of(path), item->text), item->place);
        else
            reader_wrong_kind(reader, item, "the name of a file, or a list of them");
    }
    reader_leave(reader, mark);
}

static bool may_open(Reader *reader, Span path, DocPlace from) {
    for (size_t i = 0; i < reader->open_files.count; i++) {
        if (span_equal(reader->open_files.items[i], path)) {
            reader_error(reader, from, "%.*s extends itself in the end", SPAN_ARGS(path));
            return false;
        }
    }
    if (reader->open_files.count == CONFIG_EXTENDS_MAX) {
        reader_error(reader, from, "files extend each other over more than %d levels",
                     CONFIG_EXTENDS_MAX);
        return false;
    }
    return true;
}

static void read_file(Reader *reader, Span path, DocPlace from) {
    const DocNode *root;
    DocError error;
    Span text;
    if (!may_open(reader, path, from))
        return;
    path = arena_copy(reader->arena, path);
    int result = file_text(reader, path, &text);
    if (result < 0) {
        reader_error(reader, from.line ? from : (DocPlace){.file = path}, "cannot read %.*s: %s",
                     SPAN_ARGS(path), strerror(-result));
        return;
    }
    *array_push(&reader->files) = (ConfigFile){path, format_of(path), text};
    if (doc_read(reader->arena, doc_format(path), path, text, &root, &error) < 0) {
        reader_error(reader, error.place, "%.*s", SPAN_ARGS(error.message));
        return;
    }
    if (root->kind != DOC_MAP) {
        reader_wrong_kind(reader, root, "a map with `services`");
        return;
    }
    *array_push(&reader->open_files) = path;
    read_extended(reader, path, root);
    reader->open_files.count--;
    add_services(reader, root);
    reader->root = doc_merge(reader->arena, reader->root, root);
}

void read_files(Reader *reader) {
    const ConfigOptions *options = reader->options;
    map_init(&reader->raw_by_name, list_key, 0);
    reader->config->folder = arena_copy(reader->arena, config_folder(options->files[0].path));
    for (size_t i = 0; i < options->file_count; i++)
        read_file(reader, options->files[i].path, (DocPlace){0});
    if (!reader->root)
        reader->root = empty_map(reader, (DocPlace){0});
}
