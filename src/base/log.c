#include "base/log.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

/* ---- Where to ------------------------------------------------------------------------------- */

/* Set once at the start, before there are threads; only read afterwards. */
static struct {
    int fd;
    LogForm form;
    LogLevel least;
    bool set;
} setup = {.fd = STDERR_FILENO, .form = LOG_HUMAN, .least = LOG_INFO};

void log_setup(int fd, LogForm form, LogLevel least) {
    setup.fd = fd;
    setup.form = form;
    setup.least = least;
    setup.set = true;
}

bool log_enabled(LogLevel level) {
    return level >= setup.least;
}

static LogForm form_in_use(void) {
    if (setup.set)
        return setup.form;
    /* https://no-color.org: set and not empty. */
    const char *no_color = getenv("NO_COLOR");
    return isatty(setup.fd) && !(no_color && *no_color) ? LOG_HUMAN_COLOUR : LOG_HUMAN;
}

void log_write(LogLevel level, const char *message, const LogField *fields, size_t count) {
    Buf line = {0};
    log_format(&line, form_in_use(), clock_wall(), level, message, fields, count);
    /* There is nowhere to report a failure to. */
    ssize_t written = write(setup.fd, line.ptr, line.len);
    (void)written;
    buf_done(&line);
}

/* ---- Parts of both forms -------------------------------------------------------------------- */

typedef struct LevelName {
    const char *lower, *upper;
    const char *colour; /* ANSI: how the level is shown in a terminal */
} LevelName;

static const LevelName *level_name(LogLevel level) {
    static const LevelName names[] = {
        [LOG_TRACE] = {"trace", "TRACE", "\033[90m"},
        [LOG_DEBUG] = {"debug", "DEBUG", "\033[36m"},
        [LOG_INFO] = {"info", "INFO ", "\033[32m"},
        [LOG_WARN] = {"warn", "WARN ", "\033[33m"},
        [LOG_ERROR] = {"error", "ERROR", "\033[31m"},
        [LOG_FATAL] = {"fatal", "FATAL", "\033[1;31m"},
    };
    return &names[level];
}

static void add_text(Buf *out, const char *text) {
    buf_add(out, span_of(text));
}

/* One character that must not stand as it is, as JSON escapes it. */
static void add_escape(Buf *out, char c) {
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c == '\n')
        buf_add_literal(out, "\\n");
    else if (c == '\t')
        buf_add_literal(out, "\\t");
    else if (c == '\r')
        buf_add_literal(out, "\\r");
    else
        buf_printf(out, "\\u%04x", c);
}

static bool is_control(char c) {
    return (uint8_t)c < 0x20 || c == 0x7f;
}

/* Text without control characters, which are escaped; inside quotes so are quotes and
 * backslashes, which makes it the content of a JSON string. Each byte that is not part of
 * well-formed UTF-8 is replaced by U+FFFD. */
static void add_escaped(Buf *out, Span text, bool quoted) {
    size_t plain = 0, valid = utf8_valid_length(text);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool escape = is_control(c) || (quoted && (c == '"' || c == '\\'));
        if (i < valid && !escape)
            continue;
        buf_add(out, span(text.ptr + plain, i - plain));
        plain = i + 1;
        if (i < valid) {
            add_escape(out, c);
        } else {
            buf_add_literal(out, "\xef\xbf\xbd");
            valid = plain + utf8_valid_length(span_skip(text, plain));
        }
    }
    buf_add(out, span_skip(text, plain));
}

static void add_quoted(Buf *out, Span text) {
    buf_add_char(out, '"');
    add_escaped(out, text, true);
    buf_add_char(out, '"');
}

static void add_double(Buf *out, double value) {
    if (value - value != 0) /* infinite or not a number, which JSON cannot write as a number */
        add_text(out, value > 0 ? "\"Infinity\"" : value < 0 ? "\"-Infinity\"" : "\"NaN\"");
    else
        out->len += format_double(buf_reserve(out, FORMAT_DOUBLE_MAX), value);
}

/* People's form writes plain words bare. */
static bool needs_quotes(Span text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_control(c) || c == ' ' || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return text.len == 0 || !utf8_valid(text);
}

static void add_value(Buf *out, const LogField *field, bool always_quote) {
    switch (field->kind) {
    case LOG_FIELD_TEXT:
        if (always_quote || needs_quotes(field->text))
            add_quoted(out, field->text);
        else
            buf_add(out, field->text);
        break;
    case LOG_FIELD_INT:
        out->len += format_i64(buf_reserve(out, 20), field->integer);
        break;
    case LOG_FIELD_DOUBLE:
        add_double(out, field->real);
        break;
    case LOG_FIELD_BOOL:
        add_text(out, field->boolean ? "true" : "false");
        break;
    }
}

/* ---- The form for people: 12:34:56.789 INFO  message key=value, in local time ---------------- */

#define DIM   "\033[2m"
#define RESET "\033[0m"

static void format_human(Buf *out, bool colour, Nanos wall, LogLevel level, const char *message,
                         const LogField *fields, size_t count) {
    time_t seconds = (time_t)(wall / NANOS_PER_SECOND);
    struct tm local = {0};
    localtime_r(&seconds, &local);
    const LevelName *name = level_name(level);
    buf_printf(out, "%s%02d:%02d:%02d.%03d%s %s%s%s ", colour ? DIM : "", local.tm_hour,
               local.tm_min, local.tm_sec, (int)(wall % NANOS_PER_SECOND / NANOS_PER_MILLI),
               colour ? RESET : "", colour ? name->colour : "", name->upper, colour ? RESET : "");
    add_escaped(out, span_of(message), false);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, " %s%s=%s", colour ? DIM : "", fields[i].key, colour ? RESET : "");
        add_value(out, &fields[i], false);
    }
    buf_add_char(out, '\n');
}

/* ---- The form for machines: one JSON object a line, time in UTC ------------------------------ */

static void format_json(Buf *out, Nanos wall, LogLevel level, const char *message,
                        const LogField *fields, size_t count) {
    buf_add_literal(out, "{\"time\":\"");
    out->len += format_rfc3339(buf_reserve(out, RFC3339_MAX), wall / NANOS_PER_SECOND,
                               (int32_t)(wall % NANOS_PER_SECOND), 6);
    buf_printf(out, "\",\"level\":\"%s\",\"message\":", level_name(level)->lower);
    add_quoted(out, span_of(message));
    for (size_t i = 0; i < count; i++) {
        buf_add_char(out, ',');
        add_quoted(out, span_of(fields[i].key));
        buf_add_char(out, ':');
        add_value(out, &fields[i], true);
    }
    buf_add_literal(out, "}\n");
}

void log_format(Buf *out, LogForm form, Nanos wall, LogLevel level, const char *message,
                const LogField *fields, size_t count) {
    if (form == LOG_JSON)
        format_json(out, wall, level, message, fields, count);
    else
        format_human(out, form == LOG_HUMAN_COLOUR, wall, level, message, fields, count);
}
