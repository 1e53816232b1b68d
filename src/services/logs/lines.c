#include "services/logs/lines.h"

#include "services/logs/clean.h"

typedef enum Kind {
    KIND_PLAIN,        /* goes on with what is indented */
    KIND_CLOSED,       /* goes on with nothing: an object of JSON */
    KIND_JSON,         /* "{" alone on a line: goes on up to "}" */
    KIND_TRACEBACK,    /* Python: up to the line that names the exception */
    KIND_TRACED,       /* behind that line */
    KIND_TRACED_BLANK, /* and an empty line: "During handling of the above …" may follow */
    KIND_CHAIN,        /* and another traceback does */
    KIND_CARET,        /* Node: the line with the '^' below the code */
    KIND_CARET_BLANK,  /* and an empty line: the error may follow */
    KIND_GO,           /* a panic: goroutines and their frames */
    KIND_RUST,         /* a panic: one line says why */
    KIND_RUST_SAID,    /* then the backtrace */
    KIND_PHP,          /* "Stack trace:", "#0 …" */
} Kind;

typedef enum Verdict { APART, JOINS, IN_DOUBT } Verdict;

static bool starts(Span text, const char *prefix) {
    return span_starts(text, span_of(prefix));
}

static bool contains(Span text, const char *part) {
    return text.len && memmem(text.ptr, text.len, part, strlen(part));
}

static bool is_blank(Span line) {
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t')
            return false;
    return true;
}

static bool is_indented(Span line) {
    return line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t') && !is_blank(line);
}

/* Nothing but one '^' or several, and '~', indented. */
static bool is_caret(Span line) {
    bool found = false;
    for (size_t i = 0; i < line.len; i++) {
        found = found || line.ptr[i] == '^';
        if (!strchr(" \t^~", line.ptr[i]) || !line.ptr[i])
            return false;
    }
    return found && is_indented(line);
}

/* "TypeError: …", "Error: …", "java.io.IOException" at the beginning. */
static bool names_error(Span line) {
    size_t name = 0;
    while (name < line.len && line.ptr[name] != ':' && line.ptr[name] != ' ' &&
           line.ptr[name] != '[')
        name++;
    return name >= 5 && contains(span(line.ptr, name), "Error");
}

static Kind kind_of(Span line) {
    if (starts(line, "{"))
        return line.len == 1 ? KIND_JSON : KIND_CLOSED;
    if (starts(line, "Traceback (most recent call last)"))
        return KIND_TRACEBACK;
    if (starts(line, "panic: ") || starts(line, "fatal error: "))
        return KIND_GO;
    if (starts(line, "thread '") && contains(line, "panicked at"))
        return KIND_RUST;
    if (starts(line, "PHP ") || starts(line, "Fatal error: "))
        return KIND_PHP;
    return KIND_PLAIN;
}

/* A frame of a goroutine: "main.run(0x2, {0xc000…})", "created by main.main in goroutine 1". */
static bool is_go(Span line) {
    if (is_blank(line) || is_indented(line) || starts(line, "goroutine ") ||
        starts(line, "created by ") || starts(line, "[signal ") || starts(line, "exit status ") ||
        starts(line, "runtime: ") || starts(line, "...additional frames"))
        return true;
    const char *open = memchr(line.ptr, '(', line.len);
    return open && open != line.ptr && line.ptr[line.len - 1] == ')' &&
           !memchr(line.ptr, ' ', (size_t)(open - line.ptr));
}

/* Lines of any trace that are not indented. */
static bool is_cause(Span line) {
    return starts(line, "Caused by: ") || starts(line, "Suppressed: ") ||
           starts(line, "--- End of ") || starts(line, "... ");
}

/* Whether the line belongs to an entry of that kind, which it may change. */
static Verdict judge(Span line, uint8_t *kind) {
    bool indented = is_indented(line);
    switch ((Kind)*kind) {
    case KIND_CLOSED:
        return APART;
    case KIND_JSON:
        if (indented)
            return JOINS;
        *kind = KIND_CLOSED;
        return starts(line, "}") ? JOINS : APART;
    case KIND_TRACEBACK:
        if (!indented && !is_blank(line))
            *kind = KIND_TRACED;
        return is_blank(line) ? APART : JOINS;
    case KIND_TRACED:
        if (indented)
            return JOINS;
        *kind = KIND_TRACED_BLANK;
        return is_blank(line) ? IN_DOUBT : APART;
    case KIND_TRACED_BLANK:
        *kind = KIND_CHAIN;
        return starts(line, "During handling of") || starts(line, "The above exception") ? JOINS
                                                                                         : APART;
    case KIND_CHAIN:
        if (starts(line, "Traceback ("))
            *kind = KIND_TRACEBACK;
        return is_blank(line) || starts(line, "Traceback (") ? JOINS : APART;
    case KIND_CARET:
        *kind = is_blank(line) ? KIND_CARET_BLANK : KIND_PLAIN;
        return is_blank(line) ? IN_DOUBT : indented || names_error(line) ? JOINS : APART;
    case KIND_CARET_BLANK:
        *kind = KIND_PLAIN;
        return names_error(line) ? JOINS : APART;
    case KIND_GO:
        return is_go(line) ? JOINS : APART;
    case KIND_RUST:
        *kind = KIND_RUST_SAID;
        return is_blank(line) ? APART : JOINS;
    case KIND_RUST_SAID:
        return indented || starts(line, "note: ") || starts(line, "stack backtrace:") ? JOINS
                                                                                      : APART;
    case KIND_PHP:
        return indented || starts(line, "Stack trace:") || starts(line, "#") ? JOINS : APART;
    case KIND_PLAIN:
        if (starts(line, "Traceback (most recent call last)")) {
            *kind = KIND_TRACEBACK;
            return JOINS;
        }
        if (is_caret(line))
            *kind = KIND_CARET;
        return indented || is_cause(line) ? JOINS : APART;
    }
    return APART;
}

static Span trimmed(Span line) {
    if (line.len && line.ptr[line.len - 1] == '\n')
        line.len--;
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool give(Lines *lines, Span pending, size_t size, bool cut, LinesEntry *ret) {
    *ret = (LinesEntry){.size = size,
                        .text = cut ? span(pending.ptr, size) : trimmed(span(pending.ptr, size)),
                        .cut = cut,
                        .remains = lines->continues};
    *lines = (Lines){.continues = cut};
    return true;
}

/* Takes the line [lines->line, end) in; true when the entry before it is complete. */
static bool add_line(Lines *lines, Span pending, size_t end, Arena *scratch) {
    Span line = trimmed(span(pending.ptr + lines->line, end - lines->line));
    if (memchr(line.ptr, 0x1b, line.len))
        line = clean_text(line, scratch);
    Verdict verdict = JOINS;
    if (!lines->count)
        lines->kind = (uint8_t)(lines->continues ? KIND_CLOSED : kind_of(line));
    else if (end > LINES_BYTES_MAX || lines->count == LINES_COUNT_MAX)
        verdict = APART;
    else
        verdict = judge(line, &lines->kind);
    if (verdict == APART)
        return true;
    lines->count++;
    lines->line = end;
    if (verdict == JOINS)
        lines->group = end;
    return false;
}

bool lines_next(Lines *lines, Span pending, LinesMore more, Arena *scratch, LinesEntry *ret) {
    while (lines->searched < pending.len) {
        const char *feed =
            memchr(pending.ptr + lines->searched, '\n', pending.len - lines->searched);
        size_t end = feed ? (size_t)(feed - pending.ptr) + 1 : pending.len;
        if (end - lines->line > LINES_BYTES_MAX) {
            if (lines->group)
                return give(lines, pending, lines->group, false, ret);
            return give(lines, pending, LINES_BYTES_MAX, true, ret);
        }
        lines->searched = end;
        if (!feed)
            break;
        if (add_line(lines, pending, end, scratch))
            return give(lines, pending, lines->group, false, ret);
    }
    if (more == LINES_COMING || (!lines->group && more == LINES_IDLE))
        return false;
    if (lines->group)
        return give(lines, pending, lines->group, false, ret);
    return pending.len && give(lines, pending, pending.len, false, ret);
}
