#include "schema/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

#define CUT_MARK "..."

/* Longest part of a map key that a path shows. */
#define KEY_MAX 48

int schema_error_set(SchemaError *error, int code, size_t offset, const char *format, ...) {
    if (!error)
        return code;
    error->offset = offset;
    error->path[0] = '\0';
    va_list args;
    va_start(args, format);
    vsnprintf(error->reason, sizeof error->reason, format, args);
    va_end(args);
    for (char *at = error->reason; *at; at++)
        if ((unsigned char)*at < 0x20)
            *at = '?';
    return code;
}

int schema_shown(Span text, size_t most) {
    if (text.len <= most)
        return (int)text.len;
    while (most && ((unsigned char)text.ptr[most] & 0xC0) == 0x80)
        most--;
    return (int)most;
}

/* Puts `piece` before the path, which loses its beginning when it grows too long; a path that
 * has been cut stays as it is. */
static void put_before(SchemaError *error, Span piece) {
    const size_t room = sizeof error->path - 1;
    size_t len = strlen(error->path);
    if (strncmp(error->path, CUT_MARK, strlen(CUT_MARK)) == 0)
        return;
    bool dot = len && error->path[0] != '[';
    size_t whole = piece.len + dot + len;
    if (whole <= room) {
        memmove(error->path + piece.len + dot, error->path, len + 1);
        memcpy(error->path, piece.ptr, piece.len);
        if (dot)
            error->path[piece.len] = '.';
        return;
    }
    char joined[2 * sizeof error->path + KEY_MAX];
    if (piece.len > room)
        piece = span_skip(piece, piece.len - room);
    int n =
        snprintf(joined, sizeof joined, "%.*s%s%s", SPAN_ARGS(piece), dot ? "." : "", error->path);
    size_t kept = room - strlen(CUT_MARK);
    memcpy(error->path, CUT_MARK, strlen(CUT_MARK));
    memcpy(error->path + strlen(CUT_MARK), joined + n - kept, kept + 1);
}

void schema_error_in_field(SchemaError *error, const SchemaField *field) {
    if (error)
        put_before(error, span_of(field->name));
}

void schema_error_in_element(SchemaError *error, size_t index) {
    if (!error)
        return;
    char piece[24];
    int n = snprintf(piece, sizeof piece, "[%zu]", index);
    put_before(error, span(piece, (size_t)n));
}

/* Keys come from outside: what does not print is shown as '?', what is long is cut. */
void schema_error_in_entry(SchemaError *error, Span key) {
    if (!error)
        return;
    size_t shown = (size_t)schema_shown(key, KEY_MAX);
    char piece[KEY_MAX + 8] = "[\"";
    size_t n = 2;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        piece[n++] = c < 0x20 || c == 0x7F ? '?' : (char)c;
    }
    if (shown < key.len) {
        memcpy(piece + n, "...", 3);
        n += 3;
    }
    memcpy(piece + n, "\"]", 2);
    put_before(error, span(piece, n + 2));
}

void schema_error_in_key(SchemaError *error, const SchemaField *key, const void *value) {
    char digits[20];
    Span text;
    switch ((SchemaType)key->type) {
    case SCHEMA_STRING:
        text = *(const Span *)value;
        break;
    case SCHEMA_BOOL:
        text = *(const bool *)value ? SPAN("true") : SPAN("false");
        break;
    case SCHEMA_INT32:
    case SCHEMA_SINT32:
    case SCHEMA_SFIXED32:
        text = span(digits, format_i64(digits, *(const int32_t *)value));
        break;
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        text = span(digits, format_u64(digits, *(const uint32_t *)value));
        break;
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        text = span(digits, format_u64(digits, *(const uint64_t *)value));
        break;
    default:
        text = span(digits, format_i64(digits, *(const int64_t *)value));
        break;
    }
    schema_error_in_entry(error, text);
}

size_t schema_error_format(const SchemaError *error, char *out, size_t room) {
    int n = snprintf(out, room, "%s%s%s (at byte %zu)", error->path, error->path[0] ? ": " : "",
                     error->reason, error->offset);
    return (size_t)n;
}
