#include "config/reader.h"

#include <stdio.h>

#include "base/text.h"

/* ---- problems ---- */

void reader_problem(Reader *reader, RtProblemSeverity severity, DocPlace place, const char *format,
                    va_list args) {
    if (severity == RT_PROBLEM_SEVERITY_ERROR)
        reader->errors++;
    if (reader->problems.count >= CONFIG_PROBLEMS_MAX && severity != RT_PROBLEM_SEVERITY_ERROR)
        return;
    if (reader->problems.count >= 2 * CONFIG_PROBLEMS_MAX)
        return;
    Buf message = {.arena = reader->arena};
    buf_vprintf(&message, format, args);
    *array_push(&reader->problems) = (RtConfigurationProblem){
        .severity = (int32_t)severity,
        .file = place.file,
        .line = (int32_t)place.line,
        .column = (int32_t)place.column,
        .path = arena_copy(reader->arena, buf_span(&reader->path)),
        .message = buf_span(&message),
    };
}

#define PROBLEM(name, severity)                                                                    \
    void name(Reader *reader, DocPlace place, const char *format, ...) {                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        reader_problem(reader, severity, place, format, args);                                     \
        va_end(args);                                                                              \
    }
PROBLEM(reader_error, RT_PROBLEM_SEVERITY_ERROR)
PROBLEM(reader_warn, RT_PROBLEM_SEVERITY_WARNING)
PROBLEM(reader_note, RT_PROBLEM_SEVERITY_NOTE)

void reader_suggest(Reader *reader, const char *format, ...) {
    if (!reader->problems.count)
        return;
    Buf text = {.arena = reader->arena};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    reader->problems.items[reader->problems.count - 1].suggestion = buf_span(&text);
}

void reader_suggest_name(Reader *reader, const Nearest *nearest) {
    if (nearest->best.len)
        reader_suggest(reader, "did you mean `%.*s`?", SPAN_ARGS(nearest->best));
}

size_t reader_enter(Reader *reader, Span key) {
    size_t mark = reader->path.len;
    if (mark)
        buf_add_char(&reader->path, '.');
    buf_add(&reader->path, key);
    return mark;
}

void reader_leave(Reader *reader, size_t mark) {
    reader->path.len = mark;
}

void reader_wrong_kind(Reader *reader, const DocNode *node, const char *wanted) {
    reader_error(reader, node->place, "must be %s, not %s", wanted, doc_kind_name(node->kind));
}

bool is_name(Span name) {
    if (!name.len || name.len > 64)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (!i || (c != '.' && c != '_' && c != '-')))
            return false;
    }
    return true;
}

/* ---- variables ---- */

static bool is_variable(Span name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (!i || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0;
}

/* What only the start of a process completes. */
static bool is_open_name(Span name) {
    return span_equal(name, SPAN("PORT")) || span_equal(name, SPAN("replica")) ||
           span_equal(name, SPAN("instance")) || span_equal(name, SPAN("address")) ||
           span_starts(name, SPAN("ports."));
}

static bool find_variable(Reader *reader, Span name, Span *ret) {
    if (reader->world->variable(reader->world->owner, name, ret))
        return true;
    const Variable *variable = map_get(&reader->variables_by_name, name);
    if (variable)
        *ret = variable->value;
    return variable != NULL;
}

static bool find_secret(Reader *reader, Span name, Span *ret) {
    for (size_t i = reader->project_env.count; i-- > 0;) {
        const ConfigVariable *variable = &reader->project_env.items[i];
        if (variable->secret && span_equal(variable->name, name)) {
            *ret = variable->value.text;
            reader->used_secret = true;
            return true;
        }
    }
    return false;
}

typedef struct Expansion {
    Reader *reader;
    DocPlace place;
    Buf out; /* open texts: with "$$" for '$' */
    bool open;
    size_t depth;
} Expansion;

static bool expand(Expansion *expansion, Span text);

static void add_plain(Expansion *expansion, Span text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$')
            buf_add_char(&expansion->out, '$');
        buf_add_char(&expansion->out, text.ptr[i]);
    }
}

static bool add_open(Expansion *expansion, Span name) {
    Reader *reader = expansion->reader;
    expansion->open = true;
    *array_push(&reader->open_names) =
        (OpenName){reader->service, arena_copy(reader->arena, name),
                   arena_copy(reader->arena, buf_span(&reader->path)), expansion->place};
    buf_printf(&expansion->out, "${%.*s}", SPAN_ARGS(name));
    return true;
}

/* "NAME", "NAME:-default", "NAME-default", "NAME:?message", from between the braces. */
static bool expand_one(Expansion *expansion, Span body) {
    Reader *reader = expansion->reader;
    size_t len = 0;
    while (len < body.len && !strchr(":-?", body.ptr[len]))
        len++;
    /* Names of ports and secrets may hold a '-'. */
    bool dotted = span_starts(body, SPAN("ports.")) || span_starts(body, SPAN("secrets."));
    if (dotted)
        len = body.len;
    Span name = span(body.ptr, len), rest = span_skip(body, len), value = {0};
    bool colon = rest.len && rest.ptr[0] == ':';
    if (colon)
        rest = span_skip(rest, 1);
    char sign = rest.len ? rest.ptr[0] : '\0';
    if (!sign && !colon && is_open_name(name))
        return add_open(expansion, name);
    bool secret = span_starts(name, SPAN("secrets."));
    if ((!secret && !is_variable(name)) || (colon && !sign)) {
        reader_error(reader, expansion->place, "'${%.*s}' is no variable", SPAN_ARGS(shown(body)));
        reader_suggest(reader, "write $${…} where the shell is to see ${…}");
        return false;
    }
    bool found = secret ? find_secret(reader, span_skip(name, 8), &value)
                        : find_variable(reader, name, &value);
    if (found && (value.len || !colon)) {
        add_plain(expansion, value);
        return true;
    }
    if (sign == '-')
        return expand(expansion, span_skip(rest, 1));
    if (sign == '?' && rest.len > 1) {
        reader_error(reader, expansion->place, "${%.*s}: %.*s", SPAN_ARGS(shown(name)),
                     SPAN_ARGS(shown(span_skip(rest, 1))));
    } else if (secret) {
        reader_error(reader, expansion->place, "there is no secret '%.*s'",
                     SPAN_ARGS(shown(span_skip(name, 8))));
        reader_suggest(reader, "name it under `secrets` of the project");
    } else {
        reader_error(reader, expansion->place, "the variable %.*s is not set",
                     SPAN_ARGS(shown(name)));
        reader_suggest(reader, "set it, or write ${%.*s:-default}", SPAN_ARGS(shown(name)));
    }
    return false;
}

/* The '}' that belongs to a "${" whose content begins the text; its length without it, or
 * SIZE_MAX. */
static size_t body_length(Span text) {
    size_t depth = 1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '$' && i + 1 < text.len && text.ptr[i + 1] == '{')
            depth++;
        else if (text.ptr[i] == '}' && --depth == 0)
            return i;
    }
    return SIZE_MAX;
}

static bool expand(Expansion *expansion, Span text) {
    bool good = true;
    if (++expansion->depth > 8) {
        reader_error(expansion->reader, expansion->place, "variables nested deeper than 8 levels");
        return false;
    }
    for (size_t at = 0; at < text.len && good;) {
        Span rest = span_skip(text, at);
        if (span_starts(rest, SPAN("$$"))) {
            add_plain(expansion, SPAN("$"));
            at += 2;
        } else if (span_starts(rest, SPAN("${"))) {
            size_t len = body_length(span_skip(rest, 2));
            if (len == SIZE_MAX) {
                reader_error(expansion->reader, expansion->place, "'${' without '}'");
                reader_suggest(expansion->reader, "write $${ where the shell is to see ${");
                return false;
            }
            good = expand_one(expansion, span(rest.ptr + 2, len));
            at += len + 3;
        } else {
            add_plain(expansion, span(rest.ptr, 1));
            at++;
        }
        if (expansion->out.len > CONFIG_TEXT_MAX) {
            reader_error(expansion->reader, expansion->place,
                         "longer than %d KiB with its variables", CONFIG_TEXT_MAX >> 10);
            return false;
        }
    }
    expansion->depth--;
    return good;
}

static Span undouble(Arena *arena, Span text) {
    char *out = arena_alloc(arena, text.len);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        out[len++] = text.ptr[i];
        if (text.ptr[i] == '$')
            i++;
    }
    return span(out, len);
}

bool reader_expand(Reader *reader, Span text, DocPlace place, ConfigText *ret) {
    reader->used_secret = false;
    if (!text.len || !memchr(text.ptr, '$', text.len)) {
        *ret = (ConfigText){.text = text};
        return true;
    }
    Expansion expansion = {.reader = reader, .place = place};
    bool good = expand(&expansion, text);
    if (good) {
        Span out = buf_span(&expansion.out);
        ret->open = expansion.open;
        ret->text = expansion.open ? arena_copy(reader->arena, out) : undouble(reader->arena, out);
    }
    buf_done(&expansion.out);
    return good;
}

bool reader_text(Reader *reader, const DocNode *node, ConfigText *ret) {
    if (node->kind == DOC_LIST || node->kind == DOC_MAP || node->kind == DOC_NULL) {
        reader_wrong_kind(reader, node, "a string");
        return false;
    }
    return reader_expand(reader, node->text, node->place, ret);
}

bool reader_string(Reader *reader, const DocNode *node, Span *ret) {
    ConfigText text;
    if (!reader_text(reader, node, &text))
        return false;
    if (text.open) {
        reader_error(reader, node->place,
                     "ports and the like are known only when a process starts");
        reader_suggest(reader,
                       "they can stand in command, args, env, stop.command and health_check");
        return false;
    }
    *ret = text.text;
    return true;
}

/* ---- paths ---- */

Span reader_absolute(Reader *reader, Span folder, Span path) {
    Buf joined = {.arena = reader->arena}, out = {.arena = reader->arena};
    if (!path.len || path.ptr[0] != '/') {
        buf_add(&joined, folder);
        buf_add_char(&joined, '/');
    }
    buf_add(&joined, path);
    for (size_t at = 0; at < joined.len;) {
        const char *begin = joined.ptr + at;
        const char *slash = memchr(begin, '/', joined.len - at);
        Span part = span(begin, slash ? (size_t)(slash - begin) : joined.len - at);
        at += part.len + 1;
        if (!part.len || span_equal(part, SPAN(".")))
            continue;
        if (span_equal(part, SPAN(".."))) {
            while (out.len && out.ptr[--out.len] != '/')
                ;
            continue;
        }
        buf_add_char(&out, '/');
        buf_add(&out, part);
    }
    return out.len ? buf_span(&out) : SPAN("/");
}
