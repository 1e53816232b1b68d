#include "names.h"

#include <stdlib.h>

#include "base/buf.h"

/* Keywords of C17, C23 and C++20, and words that gnu17 or usual headers define as macros. Sorted
 * bytewise. */
static const char *const reserved[] = {
    "NULL",
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "asm",
    "assert",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "char16_t",
    "char32_t",
    "char8_t",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "decltype",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "errno",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "i386",
    "if",
    "inline",
    "int",
    "linux",
    "long",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "stderr",
    "stdin",
    "stdout",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "typeof",
    "typeof_unqual",
    "union",
    "unix",
    "unknown",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
};

static int compare_words(const void *a, const void *b) {
    return strcmp(a, *(const char *const *)b);
}

static bool is_reserved(const char *name) {
    return bsearch(name, reserved, sizeof reserved / sizeof *reserved, sizeof *reserved,
                   compare_words) != NULL;
}

/* The part before the first `separator`, which goes with it. */
static Span cut(Span *rest, char separator) {
    const char *at = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    Span part = span(rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len);
    *rest = span_skip(*rest, part.len + (at != NULL));
    return part;
}

bool names_configure(Names *names, Span parameter) {
    while (parameter.len) {
        Span value = cut(&parameter, ',');
        Span key = cut(&value, '=');
        Span of = cut(&value, ':');
        if (!span_equal(key, SPAN("prefix")) || of.len == 0 || value.len == 0)
            return false;
        *array_push(&names->prefixes) = (Prefix){of, value};
    }
    return true;
}

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
static bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
static char to_upper(char c) {
    return is_lower(c) ? (char)(c - 'a' + 'A') : c;
}

static Span pascal_case(Arena *arena, Span package) {
    Buf out = {.arena = arena};
    bool raise = true;
    for (size_t i = 0; i < package.len; i++) {
        char c = package.ptr[i];
        if (c != '.' && c != '_')
            buf_add_char(&out, raise ? to_upper(c) : c);
        raise = c == '.' || c == '_';
    }
    return buf_span(&out);
}

/* "HTTPRule2Name" → "HTTP_RULE2_NAME" */
static void add_upper_snake(Buf *out, Span name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool follows = i > 0 && name.ptr[i - 1] != '_';
        bool word_before = follows && !is_upper(name.ptr[i - 1]);
        bool word_behind = follows && i + 1 < name.len && is_lower(name.ptr[i + 1]);
        if (is_upper(c) && (word_before || word_behind))
            buf_add_char(out, '_');
        buf_add_char(out, to_upper(c));
    }
}

static Span prefix_of(const Names *names, const SchemaFile *file) {
    const Prefix *found = NULL;
    for (size_t i = 0; i < names->prefixes.count; i++) {
        const Prefix *prefix = &names->prefixes.items[i];
        if (span_equal(prefix->of, span_of(file->name)))
            return prefix->prefix;
        if (span_equal(prefix->of, span_of(file->package)))
            found = prefix;
    }
    return found ? found->prefix : pascal_case(names->arena, span_of(file->package));
}

/* The full name without its package. */
static Span local_name(const SchemaFile *file, const char *full_name) {
    size_t package = strlen(file->package);
    return span_of(full_name + package + (package > 0));
}

const char *name_of_type(const Names *names, const SchemaFile *file, const char *full_name) {
    Buf out = {.arena = names->arena};
    buf_add(&out, prefix_of(names, file));
    for (Span rest = local_name(file, full_name); rest.len;)
        buf_add(&out, cut(&rest, '.'));
    return buf_cstr(&out);
}

const char *name_of_value(const Names *names, const SchemaEnum *table, size_t index) {
    Buf out = {.arena = names->arena}, own = {.arena = names->arena};
    add_upper_snake(&out, prefix_of(names, table->file));
    Span last = {0};
    for (Span rest = local_name(table->file, table->full_name); rest.len;) {
        last = cut(&rest, '.');
        if (out.len)
            buf_add_char(&out, '_');
        add_upper_snake(&out, last);
    }
    buf_add_char(&out, '_');
    add_upper_snake(&own, last);
    buf_add_char(&own, '_');
    Span value = span_of(table->values[index].name);
    bool doubled = span_starts(value, buf_span(&own)) && value.len > own.len;
    buf_add(&out, doubled ? span_skip(value, own.len) : value);
    return buf_cstr(&out);
}

/* Whether the struct has a member of this name for a field's presence or a oneof. */
static bool is_presence(const SchemaMessage *message, const char *name) {
    for (size_t i = 0; i < message->field_count; i++)
        if ((message->fields[i].flags & SCHEMA_HAS) && strncmp(name, "has_", 4) == 0 &&
            strcmp(name + 4, message->fields[i].name) == 0)
            return true;
    for (size_t i = 0; i < message->oneof_count; i++)
        if (strncmp(name, "which_", 6) == 0 && strcmp(name + 6, message->oneofs[i].name) == 0)
            return true;
    return false;
}

const char *name_of_member(const Names *names, const SchemaMessage *message,
                           const SchemaField *field) {
    if (!is_reserved(field->name) && !is_presence(message, field->name))
        return field->name;
    Buf out = {.arena = names->arena};
    buf_printf(&out, "%s_", field->name);
    while (schema_field_by_name(message, buf_span(&out)))
        buf_add_char(&out, '_');
    return buf_cstr(&out);
}

const char *name_of_file(const Names *names, const char *file_name) {
    char *out = arena_text(names->arena, span_of(file_name));
    for (char *at = out; *at; at++)
        if (!is_lower(*at) && !is_upper(*at) && (*at < '0' || *at > '9'))
            *at = '_';
    return out;
}

const char *name_of_output(const Names *names, const char *file_name, const char *ending) {
    Span name = span_of(file_name), proto = SPAN(".proto");
    if (name.len > proto.len && span_equal(span_skip(name, name.len - proto.len), proto))
        name.len -= proto.len;
    Buf out = {.arena = names->arena};
    buf_add(&out, name);
    buf_add(&out, span_of(ending));
    return buf_cstr(&out);
}
