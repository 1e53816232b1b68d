#include "schema/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/build.h"
#include "schema/error.h"
#include "schema/wire.h"

/* Names come from descriptors, which a peer may have made; but a pool holds what one peer sent,
 * bounded by the size of a message, so colliding keys hurt nobody else. */
#define HASH_SEED 0

#define SET_FILE 1 /* FileDescriptorSet.file */

struct SchemaPool {
    Map files;   /* SchemaFile by name */
    Map symbols; /* Symbol by full name */
    ARRAY(const SchemaFile *) order;
    Arena compiled_in;   /* symbols of compiled-in files */
    ARRAY(Arena) builds; /* tables and symbols of each successful run of the builder */
};

static Span file_key(const void *item) {
    return span_of(((const SchemaFile *)item)->name);
}

static Span symbol_key(const void *item) {
    return ((const Symbol *)item)->name;
}

SchemaPool *schema_pool_new(void) {
    SchemaPool *pool = xcalloc(1, sizeof *pool);
    map_init(&pool->files, file_key, HASH_SEED);
    map_init(&pool->symbols, symbol_key, HASH_SEED);
    return pool;
}

void schema_pool_free(SchemaPool *pool) {
    if (!pool)
        return;
    for (size_t i = 0; i < pool->builds.count; i++)
        arena_done(&pool->builds.items[i]);
    array_done(&pool->builds);
    array_done(&pool->order);
    arena_done(&pool->compiled_in);
    map_done(&pool->symbols);
    map_done(&pool->files);
    free(pool);
}

static void add_symbol(SchemaPool *pool, Span name, SymbolKind kind, const void *table,
                       const SchemaFile *file) {
    if (map_get(&pool->symbols, name))
        return;
    Symbol *symbol = arena_alloc(&pool->compiled_in, sizeof *symbol);
    *symbol = (Symbol){.name = name, .kind = kind, .table = table, .file = file};
    map_put(&pool->symbols, symbol);
}

/* "scope.name", or just the name. */
static Span join(Arena *arena, Span scope, const char *name) {
    size_t len = strlen(name);
    char *full = arena_alloc(arena, scope.len + 1 + len), *end = full;
    if (scope.len) {
        end = mempcpy(end, scope.ptr, scope.len);
        *end++ = '.';
    }
    end = mempcpy(end, name, len);
    return span(full, (size_t)(end - full));
}

static Span scope_of(Span name) {
    const char *dot = name.len ? memrchr(name.ptr, '.', name.len) : NULL;
    return span(name.ptr, dot ? (size_t)(dot - name.ptr) : 0);
}

static void add_symbols(SchemaPool *pool, const SchemaFile *file) {
    Arena *arena = &pool->compiled_in;
    for (size_t i = 0; i < file->message_count; i++)
        add_symbol(pool, span_of(file->messages[i]->full_name), SYMBOL_MESSAGE, file->messages[i],
                   file);
    for (size_t i = 0; i < file->enum_count; i++) {
        const SchemaEnum *table = file->enums[i];
        Span name = span_of(table->full_name);
        add_symbol(pool, name, SYMBOL_ENUM, table, file);
        for (size_t k = 0; k < table->count; k++)
            add_symbol(pool, join(arena, scope_of(name), table->values[k].name), SYMBOL_ENUM_VALUE,
                       table, file);
    }
    for (size_t i = 0; i < file->service_count; i++) {
        const SchemaService *table = file->services[i];
        Span name = span_of(table->full_name);
        add_symbol(pool, name, SYMBOL_SERVICE, table, file);
        for (size_t k = 0; k < table->method_count; k++)
            add_symbol(pool, join(arena, name, table->methods[k].name), SYMBOL_METHOD, table, file);
    }
}

void schema_pool_add(SchemaPool *pool, const SchemaFile *file) {
    if (map_get(&pool->files, span_of(file->name)))
        return;
    for (size_t i = 0; i < file->dependency_count; i++)
        schema_pool_add(pool, file->dependencies[i]);
    map_put(&pool->files, (void *)file);
    *array_push(&pool->order) = file;
    add_symbols(pool, file);
}

int schema_pool_add_files(SchemaPool *pool, const Span *descriptors, size_t count,
                          SchemaError *error) {
    SchemaError unwanted;
    Build build = {
        .files = &pool->files, .symbols = &pool->symbols, .error = error ? error : &unwanted};
    int r = build_run(&build, descriptors, count);
    if (r < 0) {
        build_undo(&build);
        arena_done(&build.tables);
    } else {
        for (size_t i = 0; i < build.plans.count; i++)
            *array_push(&pool->order) = build.plans.items[i].table;
        *array_push(&pool->builds) = build.tables;
    }
    build_done(&build);
    return r;
}

int schema_pool_add_set(SchemaPool *pool, Span descriptor_set, SchemaError *error) {
    ARRAY(Span) files = {0};
    WireField field;
    WireReader reader = wire_reader(descriptor_set);
    while (wire_next(&reader, &field))
        if (field.number == SET_FILE && field.type == WIRE_BYTES)
            *array_push(&files) = field.bytes;
    int r = 0;
    if (reader.failed)
        r = schema_error_set(error, -EBADMSG, (size_t)(reader.at - reader.begin),
                             "no well-formed FileDescriptorSet");
    else
        r = schema_pool_add_files(pool, files.items, files.count, error);
    array_done(&files);
    return r;
}

const SchemaFile *schema_pool_file(const SchemaPool *pool, Span name) {
    return map_get(&pool->files, name);
}

static const void *find(const SchemaPool *pool, Span full_name, SymbolKind kind) {
    const Symbol *symbol = map_get(&pool->symbols, full_name);
    return symbol && symbol->kind == kind ? symbol->table : NULL;
}

const SchemaMessage *schema_pool_message(const SchemaPool *pool, Span full_name) {
    return find(pool, full_name, SYMBOL_MESSAGE);
}

const SchemaEnum *schema_pool_enum(const SchemaPool *pool, Span full_name) {
    return find(pool, full_name, SYMBOL_ENUM);
}

const SchemaService *schema_pool_service(const SchemaPool *pool, Span full_name) {
    return find(pool, full_name, SYMBOL_SERVICE);
}

static bool has_member(const SchemaMessage *message, Span name) {
    const SchemaField *field = schema_field_by_name(message, name);
    if (field && span_equal(span(field->name, field->name_len), name))
        return true;
    for (size_t i = 0; i < message->oneof_count; i++)
        if (span_equal(span_of(message->oneofs[i].name), name))
            return true;
    return false;
}

const SchemaFile *schema_pool_file_of(const SchemaPool *pool, Span symbol) {
    const Symbol *found = map_get(&pool->symbols, symbol);
    if (found)
        return found->file;
    Span scope = scope_of(symbol);
    const SchemaMessage *message = schema_pool_message(pool, scope);
    bool member = message && has_member(message, span_skip(symbol, scope.len + 1));
    return member ? message->file : NULL;
}

const SchemaFile *schema_pool_next(const SchemaPool *pool, size_t *at) {
    return *at < pool->order.count ? pool->order.items[(*at)++] : NULL;
}
