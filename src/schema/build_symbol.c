#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "schema/build.h"

int build_refuse(Build *build, Span symbol, const char *format, ...) {
    SchemaError *error = build->error;
    error->offset = 0;
    size_t room = sizeof error->path - 1;
    bool cut = symbol.len > room;
    if (cut)
        symbol = span_skip(symbol, symbol.len - (room - 3));
    snprintf(error->path, sizeof error->path, "%s%.*s", cut ? "..." : "", SPAN_ARGS(symbol));
    va_list args;
    va_start(args, format);
    vsnprintf(error->reason, sizeof error->reason, format, args);
    va_end(args);
    return -EINVAL;
}

bool build_is_identifier(Span name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0;
}

static bool spend(Build *build, size_t bytes) {
    if (bytes > build->name_budget)
        return false;
    build->name_budget -= bytes;
    return true;
}

const char *build_full_name(Build *build, Span scope, Span name) {
    if (!build_is_identifier(name)) {
        build_refuse(build, scope, "has a member whose name is no identifier");
        return NULL;
    }
    if (scope.len + 1 + name.len > BUILD_NAME_MAX) {
        build_refuse(build, scope, "has a member whose name is too long");
        return NULL;
    }
    if (!spend(build, scope.len + name.len)) {
        build_refuse(build, scope, "the names of all symbols take too much room");
        return NULL;
    }
    if (scope.len == 0)
        return arena_text(&build->tables, name);
    char *full = arena_alloc(&build->tables, scope.len + name.len + 2), *end = full;
    end = mempcpy(end, scope.ptr, scope.len);
    *end++ = '.';
    end = mempcpy(end, name.ptr, name.len);
    *end = '\0';
    return full;
}

const Symbol *build_resolve(Build *build, Span scope, Span type_name) {
    if (type_name.len && type_name.ptr[0] == '.')
        return map_get(build->symbols, span_skip(type_name, 1));
    if (type_name.len == 0 || type_name.len > BUILD_NAME_MAX)
        return NULL;
    char full[2 * BUILD_NAME_MAX + 2];
    for (;;) { /* from the innermost scope outwards */
        char *end = full;
        if (scope.len) {
            end = mempcpy(end, scope.ptr, scope.len);
            *end++ = '.';
        }
        end = mempcpy(end, type_name.ptr, type_name.len);
        Span tried = span(full, (size_t)(end - full));
        const Symbol *symbol = map_get(build->symbols, tried);
        if (symbol || scope.len == 0 || !spend(build, tried.len))
            return symbol;
        const char *dot = memrchr(scope.ptr, '.', scope.len);
        scope.len = dot ? (size_t)(dot - scope.ptr) : 0;
    }
}

int build_declare(Build *build, const char *full_name, SymbolKind kind, const void *table,
                  const SchemaFile *file) {
    Span name = span_of(full_name);
    const Symbol *known = map_get(build->symbols, name);
    if (known)
        return build_refuse(build, name, "is defined twice: in %s and %s", known->file->name,
                            file->name);
    Symbol *symbol = arena_alloc(&build->tables, sizeof *symbol);
    *symbol = (Symbol){name, kind, table, file, .next = build->added};
    build->added = symbol;
    map_put(build->symbols, symbol);
    return 0;
}
