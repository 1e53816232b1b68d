/* The filter line's grammar:
 *
 *     any    = all { "OR" all }
 *     all    = one { ["AND"] one }
 *     one    = [ "-" | "NOT" ] ( "(" any ")" | term )
 *     term   = FIELD relation value { "," value } | "@" NAME [ relation value ]
 *            | word | '"' text '"' | "/" expression "/" [ "i" ]
 */
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "services/logs/filter_tree.h"
#include "services/logs/fold.h"
#include "services/logs/line.h"

typedef struct Reader {
    Filter *filter;
    Span line;
    size_t at;
    Nanos now;
    FilterError *error;
    unsigned depth;
} Reader;

static int fail(Reader *reader, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int fail(Reader *reader, size_t at, const char *format, ...) {
    va_list args;
    va_start(args, format);
    reader->error->column = 1;
    for (size_t i = 0; i < at && i < reader->line.len; i++)
        reader->error->column += ((unsigned char)reader->line.ptr[i] & 0xc0) != 0x80;
    vsnprintf(reader->error->reason, sizeof reader->error->reason, format, args);
    va_end(args);
    return -EINVAL;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char peek(const Reader *reader, size_t ahead) {
    size_t at = reader->at + ahead;
    return at < reader->line.len ? reader->line.ptr[at] : '\0';
}

static bool is_over(const Reader *reader) {
    return reader->at >= reader->line.len;
}

static void skip_space(Reader *reader) {
    while (!is_over(reader) && is_space(peek(reader, 0)))
        reader->at++;
}

/* Whether a word ends at this place. */
static bool ends_word(const Reader *reader, size_t ahead) {
    return reader->at + ahead >= reader->line.len || is_space(peek(reader, ahead)) ||
           peek(reader, ahead) == ')' || peek(reader, ahead) == '(';
}

static bool take_keyword(Reader *reader, const char *word) {
    size_t len = strlen(word);
    if (!span_starts(span_skip(reader->line, reader->at), span_of(word)) || !ends_word(reader, len))
        return false;
    reader->at += len;
    skip_space(reader);
    return true;
}

/* ---- values ---- */

/* Behind an opening quote. */
static int read_quoted(Reader *reader, Span *ret) {
    size_t begin = reader->at - 1;
    char *out = arena_alloc(&reader->filter->arena, reader->line.len + 1), *to = out;
    while (!is_over(reader) && peek(reader, 0) != '"') {
        if (peek(reader, 0) == '\\') {
            reader->at++;
            if (is_over(reader))
                break;
            char c = peek(reader, 0);
            if (c != '"' && c != '\\' && c != 'n' && c != 't')
                *to++ = '\\';
            *to++ = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        } else {
            *to++ = peek(reader, 0);
        }
        reader->at++;
    }
    if (is_over(reader))
        return fail(reader, begin, "the text that begins here does not end: add a \"");
    reader->at++;
    *ret = span(out, (size_t)(to - out));
    return 0;
}

/* A quoted value, or up to the next blank, parenthesis or, in a list, comma. */
static int read_value(Reader *reader, bool list, Span *ret, bool *ret_quoted) {
    *ret_quoted = peek(reader, 0) == '"';
    if (*ret_quoted) {
        reader->at++;
        return read_quoted(reader, ret);
    }
    size_t begin = reader->at;
    while (!ends_word(reader, 0) && !(list && peek(reader, 0) == ','))
        reader->at++;
    if (reader->at == begin)
        return fail(reader, begin, "a value is missing here");
    *ret = arena_copy(&reader->filter->arena, span(reader->line.ptr + begin, reader->at - begin));
    return 0;
}

/* Behind the opening slash. */
static int read_regex(Reader *reader, Regex **ret) {
    size_t begin = reader->at - 1;
    char *out = arena_alloc(&reader->filter->arena, reader->line.len + 1), *to = out;
    while (!is_over(reader) && peek(reader, 0) != '/') {
        if (peek(reader, 0) == '\\' && peek(reader, 1) == '/')
            reader->at++;
        else if (peek(reader, 0) == '\\' && reader->at + 1 < reader->line.len)
            *to++ = reader->line.ptr[reader->at++];
        *to++ = reader->line.ptr[reader->at++];
    }
    if (is_over(reader))
        return fail(reader, begin,
                    "the regular expression that begins here does not end: add a /, or put text "
                    "with / into quotes");
    reader->at++;
    bool ignore_case = peek(reader, 0) == 'i';
    if (ignore_case)
        reader->at++;
    Buf reason = {0};
    int r = filter_regex(reader->filter, span(out, (size_t)(to - out)), ignore_case, ret, &reason);
    if (r < 0)
        fail(reader, begin, "not a regular expression: %.*s", SPAN_ARGS(buf_span(&reason)));
    buf_done(&reason);
    return r;
}

/* "10m" before now, or an instant: RFC 3339 (without a zone: UTC), a day, Unix seconds or
 * milliseconds. */
static bool read_time(Span text, Nanos now, Nanos *ret) {
    static const struct {
        const char *unit;
        Nanos nanos;
    } UNITS[] = {
        {"ms", NANOS_PER_MILLI},         {"s", NANOS_PER_SECOND},
        {"m", 60 * NANOS_PER_SECOND},    {"h", 3600 * NANOS_PER_SECOND},
        {"d", 86400 * NANOS_PER_SECOND}, {"w", 7 * 86400 * NANOS_PER_SECOND},
    };
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    uint64_t count;
    if (digits && digits < 16 && parse_u64(span(text.ptr, digits), &count)) {
        Span unit = span_skip(text, digits);
        for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
            if (span_equal(unit, span_of(UNITS[i].unit)) &&
                count < (uint64_t)(INT64_MAX / UNITS[i].nanos)) {
                *ret = now - (Nanos)count * UNITS[i].nanos;
                return true;
            }
        Nanos scale = digits > 11 ? NANOS_PER_MILLI : NANOS_PER_SECOND;
        if (digits == text.len && digits >= 9 && digits <= 13 &&
            count <= (uint64_t)(INT64_MAX / scale)) {
            *ret = (Nanos)count * scale;
            return true;
        }
    }
    char full[RFC3339_MAX];
    int64_t seconds;
    int32_t nanos;
    static const char REST[] = "0000-00-00T00:00:00Z";
    if (text.len >= RFC3339_MAX || text.len < 10)
        return false;
    memcpy(full, text.ptr, text.len);
    size_t len = text.len;
    if (len == 10 || len == 16 || len == 19) {
        memcpy(full + len, REST + len, sizeof REST - 1 - len);
        len = sizeof REST - 1;
    }
    if (!parse_rfc3339(span(full, len), &seconds, &nanos) || seconds > INT64_MAX / 2000000000 ||
        seconds < INT64_MIN / 2000000000)
        return false;
    *ret = seconds * NANOS_PER_SECOND + nanos;
    return true;
}

/* ---- fields ---- */

typedef struct Field {
    const char *name;
    FilterKind kind;
    bool ordered;   /* takes < <= > >= */
    FilterOrder as; /* FILTER_EQUAL: what is written; else what ':' means */
} Field;

static const Field FIELDS[] = {
    {"service", FILTER_SERVICE, false, FILTER_EQUAL},
    {"level", FILTER_LEVEL, true, FILTER_EQUAL},
    {"corr", FILTER_CORRELATION, false, FILTER_EQUAL},
    {"correlation_id", FILTER_CORRELATION, false, FILTER_EQUAL},
    {"instance", FILTER_INSTANCE, false, FILTER_EQUAL},
    {"run", FILTER_RUN, true, FILTER_EQUAL},
    {"stream", FILTER_STREAM, false, FILTER_EQUAL},
    {"time", FILTER_TIME, true, FILTER_EQUAL},
    {"since", FILTER_TIME, false, FILTER_GREATER_EQUAL},
    {"until", FILTER_TIME, false, FILTER_LESS},
};

static bool read_stream(Span text, int64_t *ret) {
    static const char *const NAMES[] = {"", "stdout", "stderr", "structured", "terminal", "input"};
    for (int64_t i = 1; i < 6; i++)
        if (fold_equal(text, span_of(NAMES[i]))) {
            *ret = i;
            return true;
        }
    return false;
}

static int set_value(Reader *reader, FilterNode *node, Span value, size_t at) {
    int level;
    node->text = value;
    switch (node->kind) {
    case FILTER_LEVEL:
        level = line_level(value);
        if (level < 0)
            return fail(reader, at, "no such level: trace, debug, info, warn, error or fatal");
        node->number = level;
        return 0;
    case FILTER_STREAM:
        if (!read_stream(value, &node->number))
            return fail(reader, at,
                        "no such stream: stdout, stderr, structured, terminal or input");
        return 0;
    case FILTER_RUN:
        if (!parse_i64(value, &node->number) || node->number == 0)
            return fail(reader, at, "a run is a number: 1 is the first, -1 the last");
        return 0;
    case FILTER_TIME:
        if (!read_time(value, reader->now, &node->number))
            return fail(reader, at, "not a time: 10m, 2h, 2026-11-21, 2026-11-21T05:00:00Z …");
        return 0;
    default:
        return 0;
    }
}

/* The relation at this place: ':', '=', '<', "<=", '>', ">="; false where there is none. */
static bool read_relation(Reader *reader, FilterOrder *ret) {
    char c = peek(reader, 0);
    bool equal = peek(reader, 1) == '=';
    if (c == ':' || c == '=')
        *ret = FILTER_EQUAL;
    else if (c == '<')
        *ret = equal ? FILTER_LESS_EQUAL : FILTER_LESS;
    else if (c == '>')
        *ret = equal ? FILTER_GREATER_EQUAL : FILTER_GREATER;
    else
        return false;
    reader->at += c != ':' && c != '=' && equal ? 2 : 1;
    return true;
}

static int read_field(Reader *reader, const Field *field, FilterNode *parent) {
    size_t at = reader->at;
    FilterOrder order = FILTER_EQUAL;
    read_relation(reader, &order);
    if (order != FILTER_EQUAL && !field->ordered)
        return fail(reader, at, "%s goes with ':' only", field->name);
    if (field->as != FILTER_EQUAL)
        order = field->as;
    FilterNode *any = filter_add(reader->filter, parent, FILTER_OR);
    for (;;) {
        Span value;
        bool quoted;
        at = reader->at;
        int r = read_value(reader, true, &value, &quoted);
        if (r < 0)
            return r;
        FilterNode *node = filter_add(reader->filter, any, field->kind);
        node->order = order;
        r = set_value(reader, node, value, at);
        if (r < 0)
            return r;
        if (++reader->filter->terms > FILTER_TERMS_MAX)
            return fail(reader, at, "too many terms: at most %d", FILTER_TERMS_MAX);
        if (peek(reader, 0) != ',')
            return 0;
        reader->at++;
    }
}

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80 || (c && strchr("_.-/@", c));
}

static int read_attribute(Reader *reader, FilterNode *parent) {
    size_t at = reader->at++;
    Span name;
    if (peek(reader, 0) == '"') {
        reader->at++;
        int r = read_quoted(reader, &name);
        if (r < 0)
            return r;
    } else {
        size_t begin = reader->at;
        while (!is_over(reader) && is_name(peek(reader, 0)))
            reader->at++;
        name =
            arena_copy(&reader->filter->arena, span(reader->line.ptr + begin, reader->at - begin));
    }
    if (!name.len)
        return fail(reader, at, "the name of an attribute belongs here: @http.status:500");
    FilterNode *node = filter_add(reader->filter, parent, FILTER_ATTRIBUTE);
    node->name = name;
    node->order = FILTER_EXISTS;
    if (!read_relation(reader, &node->order))
        return ends_word(reader, 0)
                   ? 0
                   : fail(reader, reader->at, "one of : < <= > >= belongs here, or a blank");
    if (peek(reader, 0) == '/' && node->order == FILTER_EQUAL) {
        reader->at++;
        return read_regex(reader, &node->regex);
    }
    bool quoted;
    int r = read_value(reader, false, &node->text, &quoted);
    node->number = quoted; /* without '*' */
    if (r == 0 && !quoted && node->order == FILTER_EQUAL && span_equal(node->text, SPAN("*")))
        node->order = FILTER_EXISTS;
    return r;
}

/* A field's name and the place behind it; NULL where none begins here. */
static const Field *field_at(Reader *reader, size_t *ret_len) {
    size_t len = 0;
    while ((peek(reader, len) >= 'a' && peek(reader, len) <= 'z') || peek(reader, len) == '_')
        len++;
    *ret_len = len;
    Span name = span(reader->line.ptr + reader->at, len);
    for (size_t i = 0; len && i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (span_equal(name, span_of(FIELDS[i].name)))
            return &FIELDS[i];
    return NULL;
}

static int read_word(Reader *reader, FilterNode *parent) {
    size_t len, begin = reader->at;
    const Field *field = field_at(reader, &len);
    char relation = peek(reader, len);
    if (field && relation && strchr(":=<>", relation)) {
        reader->at += len;
        return read_field(reader, field, parent);
    }
    /* "word:value", but neither "http://" nor "error: " */
    if (len && relation == ':' && !ends_word(reader, len + 1) && peek(reader, len + 1) != '/')
        return fail(reader, begin,
                    "no field '%.*s': there are service, level, corr, instance, run, stream, time, "
                    "since and until; attributes begin with @, other text with : goes into quotes",
                    (int)(len < 40 ? len : 40), reader->line.ptr + begin);
    while (!ends_word(reader, 0) && peek(reader, 0) != '"')
        reader->at++;
    filter_put(parent,
               filter_text(reader->filter, span(reader->line.ptr + begin, reader->at - begin)));
    return 0;
}

/* "/expression/", but a path like "/api/users" is a word. */
static bool is_regex(const Reader *reader) {
    size_t ahead = 1;
    for (; reader->at + ahead < reader->line.len && peek(reader, ahead) != '/'; ahead++) {
        if (is_space(peek(reader, ahead)))
            return true;
        if (peek(reader, ahead) == '\\')
            ahead++;
    }
    ahead += 1 + (peek(reader, ahead + 1) == 'i' && ends_word(reader, ahead + 2));
    return ends_word(reader, ahead);
}

static int read_term(Reader *reader, FilterNode *parent) {
    Span text;
    char c = peek(reader, 0);
    if (++reader->filter->terms > FILTER_TERMS_MAX)
        return fail(reader, reader->at, "too many terms: at most %d", FILTER_TERMS_MAX);
    if (c == '@')
        return read_attribute(reader, parent);
    if (c == '"') {
        reader->at++;
        int r = read_quoted(reader, &text);
        if (r == 0)
            filter_put(parent, filter_text(reader->filter, text));
        return r;
    }
    if (c == '/' && is_regex(reader)) {
        FilterNode *node = filter_add(reader->filter, parent, FILTER_REGEX);
        reader->at++;
        return read_regex(reader, &node->regex);
    }
    return read_word(reader, parent);
}

/* ---- together ---- */

static int read_any(Reader *reader, FilterNode *parent);

static int read_one(Reader *reader, FilterNode *parent) {
    size_t at = reader->at;
    if ((peek(reader, 0) == '-' && !ends_word(reader, 1)) ||
        (peek(reader, 0) == '-' && peek(reader, 1) == '(')) {
        reader->at++;
        parent = filter_add(reader->filter, parent, FILTER_NOT);
    } else if (take_keyword(reader, "NOT")) {
        if (is_over(reader))
            return fail(reader, at, "NOT is followed by nothing");
        parent = filter_add(reader->filter, parent, FILTER_NOT);
    }
    if (peek(reader, 0) != '(')
        return read_term(reader, parent);
    at = reader->at++;
    if (++reader->depth > FILTER_DEPTH_MAX)
        return fail(reader, at, "nested too deep: at most %d levels", FILTER_DEPTH_MAX);
    int r = read_any(reader, parent);
    if (r < 0)
        return r;
    if (peek(reader, 0) != ')')
        return fail(reader, at, "this parenthesis is not closed: add a )");
    reader->at++;
    reader->depth--;
    return 0;
}

static int read_all(Reader *reader, FilterNode *parent) {
    FilterNode *all = filter_add(reader->filter, parent, FILTER_AND);
    for (;;) {
        int r = read_one(reader, all);
        if (r < 0)
            return r;
        skip_space(reader);
        size_t at = reader->at;
        if (take_keyword(reader, "AND") && is_over(reader))
            return fail(reader, at, "AND is followed by nothing");
        if (is_over(reader) || peek(reader, 0) == ')')
            return 0;
        if (span_starts(span_skip(reader->line, reader->at), SPAN("OR")) && ends_word(reader, 2))
            return 0;
    }
}

static int read_any(Reader *reader, FilterNode *parent) {
    FilterNode *any = filter_add(reader->filter, parent, FILTER_OR);
    skip_space(reader);
    do {
        size_t at = reader->at;
        if (is_over(reader) || peek(reader, 0) == ')')
            return fail(reader, at, "a condition belongs here");
        int r = read_all(reader, any);
        if (r < 0)
            return r;
    } while (take_keyword(reader, "OR"));
    return 0;
}

int filter_read(Filter *filter, FilterNode *parent, Span line, Nanos now, FilterError *ret_error) {
    Reader reader = {.filter = filter, .line = line, .now = now, .error = ret_error};
    if (line.len > FILTER_LENGTH_MAX)
        return fail(&reader, FILTER_LENGTH_MAX, "the filter is longer than %d bytes",
                    FILTER_LENGTH_MAX);
    size_t valid = utf8_valid_length(line);
    if (valid < line.len)
        return fail(&reader, valid, "not UTF-8");
    skip_space(&reader);
    if (is_over(&reader))
        return 0;
    int r = read_any(&reader, parent);
    if (r < 0)
        return r;
    return is_over(&reader) ? 0 : fail(&reader, reader.at, "this ) closes nothing");
}
