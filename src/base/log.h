/* The program's own log: one line a record, of time, level, message and key=value pairs.
 *
 *     log_info("listening", log_text("address", address), log_int("connections", count));
 *
 * Two forms: for people (colour in a terminal unless NO_COLOR) and JSON lines for machines. A
 * function that logs does so once; library code (base, os, doc, schema, net, rpc) returns errors
 * instead and does not log. Lines are written whole by a single write(2), so that threads and
 * processes sharing a stream do not mix them. Values of fields that are secret are masked by who
 * logs them. */
#pragma once

#include "base/clock.h"

/* The levels and numbers of runtime.v1.LogLevel. */
typedef enum LogLevel { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL } LogLevel;

typedef enum LogForm { LOG_HUMAN, LOG_HUMAN_COLOUR, LOG_JSON } LogForm;

typedef struct LogField {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_DOUBLE, LOG_FIELD_BOOL } kind;
    union {
        Span text;
        int64_t integer;
        double real;
        bool boolean;
    };
} LogField;

static inline LogField log_text(const char *key, Span value) {
    return (LogField){.key = key, .kind = LOG_FIELD_TEXT, .text = value};
}
static inline LogField log_int(const char *key, int64_t value) {
    return (LogField){.key = key, .kind = LOG_FIELD_INT, .integer = value};
}
static inline LogField log_double(const char *key, double value) {
    return (LogField){.key = key, .kind = LOG_FIELD_DOUBLE, .real = value};
}
static inline LogField log_bool(const char *key, bool value) {
    return (LogField){.key = key, .kind = LOG_FIELD_BOOL, .boolean = value};
}

/* Where and how the process logs. Called once at the start, before there are threads; the
 * default is people's form on stderr from LOG_INFO on, with colour when stderr is a terminal and
 * NO_COLOR is not set. */
void log_setup(int fd, LogForm form, LogLevel least);

bool log_enabled(LogLevel level);

/* Writes one record. */
void log_write(LogLevel level, const char *message, const LogField *fields, size_t count);

/* log_info("message", log_text("k", v), log_int("n", 3)) and its like for each level. */
#define LOG_FIELDS_(...) ((LogField[]){{0}, ##__VA_ARGS__})
#define LOG_AT_(level, message, ...)                                                               \
    do {                                                                                           \
        if (log_enabled(level))                                                                    \
            log_write(level, message, LOG_FIELDS_(__VA_ARGS__) + 1,                                \
                      sizeof(LOG_FIELDS_(__VA_ARGS__)) / sizeof(LogField) - 1);                    \
    } while (0)
#define log_debug(message, ...) LOG_AT_(LOG_DEBUG, message, ##__VA_ARGS__)
#define log_info(message, ...)  LOG_AT_(LOG_INFO, message, ##__VA_ARGS__)
#define log_warn(message, ...)  LOG_AT_(LOG_WARN, message, ##__VA_ARGS__)
#define log_error(message, ...) LOG_AT_(LOG_ERROR, message, ##__VA_ARGS__)

/* The record as a line with its newline, without writing it: the core of log_write, for tests.
 * People's form: `12:34:56.789 INFO  message key=value`, in local time, values quoted where they
 * are not one plain word. JSON: {"time":"2026-01-02T03:04:05.678901Z","level":"info","message":…,
 * "key":…}, valid whatever the bytes: those that are not UTF-8 are replaced by U+FFFD, and NaN
 * and infinities are strings, as in protobuf's JSON. `wall` is not before 1970. */
void log_format(Buf *out, LogForm form, Nanos wall, LogLevel level, const char *message,
                const LogField *fields, size_t count);
