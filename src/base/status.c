#include "base/status.h"

static const char *const names[STATUS_CODES] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

Status status_make(Arena *arena, StatusCode code, const char *format, ...) {
    Buf message = {.arena = arena};
    va_list args;
    va_start(args, format);
    buf_vprintf(&message, format, args);
    va_end(args);
    return (Status){.code = code, .message = buf_span(&message)};
}

const char *status_name(int code) {
    return code >= 0 && code < STATUS_CODES ? names[code] : names[STATUS_UNKNOWN];
}

/* A name is upper case in the table; a letter of either case matches, as long as it is one. */
static bool same_name(Span text, const char *name) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c != name[i] || c == '\0')
            return false; /* also where the name has ended */
    }
    return name[text.len] == '\0';
}

int status_from_name(Span name) {
    for (int code = 0; code < STATUS_CODES; code++)
        if (same_name(name, names[code]))
            return code;
    return -1;
}
