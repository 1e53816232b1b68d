/* Env files: lines of NAME=value, as shells, systemd and docker have them in common. A value may
 * stand in "…" (with \n \r \t \" \\ \$) or '…' (as it is), also over several lines; without quotes
 * it ends with the line or at " #". Lines may begin with "export ". Nothing is put in. */
#include "config/reader.h"

typedef struct EnvFile {
    Reader *reader;
    Span path;
    const char *at, *end, *line_start;
    uint32_t line;
} EnvFile;

static DocPlace place_at(const EnvFile *file, const char *at) {
    uint32_t column = 1;
    for (const char *c = file->line_start; c < at; c++)
        column += ((uint8_t)*c & 0xC0) != 0x80;
    return (DocPlace){file->path, file->line, column};
}

static void skip_blanks(EnvFile *file) {
    while (file->at < file->end && (*file->at == ' ' || *file->at == '\t'))
        file->at++;
}

static void next_line(EnvFile *file) {
    while (file->at < file->end && *file->at != '\n')
        file->at++;
    if (file->at < file->end)
        file->at++;
    file->line++;
    file->line_start = file->at;
}

static bool is_word(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9') || (!first && (c == '.' || c == '-'));
}

static Span take_name(EnvFile *file) {
    const char *begin = file->at;
    while (file->at < file->end && is_word(*file->at, file->at == begin))
        file->at++;
    return span(begin, (size_t)(file->at - begin));
}

static void add_escaped(Buf *out, char c) {
    static const char NAMES[] = "nrt\"\\$", MEANINGS[] = "\n\r\t\"\\$";
    const char *name = c ? strchr(NAMES, c) : NULL;
    if (!name)
        buf_add_char(out, '\\');
    buf_add_char(out, name ? MEANINGS[name - NAMES] : c);
}

static bool take_quoted(EnvFile *file, Buf *out) {
    DocPlace begin = place_at(file, file->at);
    char quote = *file->at++;
    for (; file->at < file->end && *file->at != quote; file->at++) {
        if (*file->at == '\n') {
            file->line++;
            file->line_start = file->at + 1;
        }
        if (quote == '"' && *file->at == '\\' && file->at + 1 < file->end)
            add_escaped(out, *++file->at);
        else
            buf_add_char(out, *file->at);
    }
    if (file->at == file->end) {
        reader_error(file->reader, begin, "this value has no end: %c is missing", quote);
        return false;
    }
    file->at++;
    skip_blanks(file);
    if (file->at < file->end && !strchr("#\r\n", *file->at)) {
        reader_error(file->reader, place_at(file, file->at),
                     "nothing may follow a value in quotes but a comment");
        return false;
    }
    return true;
}

static void take_bare(EnvFile *file, Buf *out) {
    const char *begin = file->at, *end = file->at;
    for (; file->at < file->end && *file->at != '\n'; file->at++) {
        bool blank = *file->at == ' ' || *file->at == '\t' || *file->at == '\r';
        if (*file->at == '#' && (file->at == begin || file->at > end))
            break;
        if (!blank)
            end = file->at + 1;
    }
    buf_add(out, span(begin, (size_t)(end - begin)));
}

static void read_line(EnvFile *file, Variables *out) {
    skip_blanks(file);
    if (file->at == file->end || strchr("#\r\n", *file->at))
        return;
    DocPlace place = place_at(file, file->at);
    Span rest = span(file->at, (size_t)(file->end - file->at));
    if (span_starts(rest, SPAN("export ")))
        file->at += 7;
    skip_blanks(file);
    Span name = take_name(file);
    skip_blanks(file);
    if (!name.len || file->at == file->end || *file->at != '=') {
        reader_error(file->reader, place, "expected NAME=value");
        return;
    }
    file->at++;
    skip_blanks(file);
    Buf value = {.arena = file->reader->arena};
    bool quoted = file->at < file->end && (*file->at == '"' || *file->at == '\'');
    if (quoted && !take_quoted(file, &value))
        return;
    if (!quoted)
        take_bare(file, &value);
    *array_push(out) = (Variable){name, buf_span(&value), place};
}

void read_env_file(Reader *reader, Span path, Span text, Variables *out) {
    EnvFile file = {reader, path, text.ptr, span_end(text), text.ptr, 1};
    const char *nul = text.len ? memchr(text.ptr, '\0', text.len) : NULL;
    if (nul) {
        reader_error(reader, (DocPlace){path, 0, 0}, "holds a NUL byte, so it is no env file");
        return;
    }
    while (file.at < file.end) {
        read_line(&file, out);
        next_line(&file);
    }
}
