#include "schema/json_writer.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

int json_cannot(JsonWriter *writer, const char *format, ...) {
    char reason[sizeof writer->error->reason];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return schema_error_set(writer->error, -EBADMSG, 0, "%s", reason);
}

int json_write_too_deep(JsonWriter *writer) {
    return schema_error_set(writer->error, -ELOOP, 0, "nested deeper than allowed");
}

/* The longest escape: \u001f */
#define ESCAPE_MAX 6

static char *put_escape(char *at, uint8_t c) {
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    *at++ = '\\';
    if (c < sizeof letters && letters[c]) {
        *at++ = letters[c];
        return at;
    }
    memcpy(at, "u00", 3);
    at[3] = hex[c >> 4];
    at[4] = hex[c & 15];
    return at + 5;
}

int json_write_string(JsonWriter *writer, Span text) {
    Buf *out = writer->out;
    bool high = false;
    char *at = buf_reserve(out, text.len + 2);
    *at++ = '"';
    out->len++;
    for (size_t from = 0; from < text.len;) {
        at = buf_reserve(out, text.len - from + ESCAPE_MAX + 1);
        size_t run = json_copy_plain(at, text.ptr + from, text.len - from, &high);
        at += run;
        from += run;
        if (from < text.len)
            at = put_escape(at, (uint8_t)text.ptr[from++]);
        out->len = (size_t)(at - out->ptr);
    }
    if (high && !utf8_valid(text))
        return json_cannot(writer, "invalid UTF-8");
    buf_add_char(out, '"');
    return 0;
}

void json_write_base64(JsonWriter *writer, Span bytes) {
    char *start = buf_reserve(writer->out, BASE64_ENCODED_MAX(bytes.len) + 2), *at = start;
    *at++ = '"';
    at += base64_encode(at, bytes, false, true);
    *at++ = '"';
    writer->out->len += (size_t)(at - start);
}

static void write_infinite(JsonWriter *writer, double value) {
    buf_add(writer->out, isnan(value) ? SPAN("\"NaN\"")
                         : value > 0  ? SPAN("\"Infinity\"")
                                      : SPAN("\"-Infinity\""));
}

void json_write_double(JsonWriter *writer, double value) {
    if (!isfinite(value))
        return write_infinite(writer, value);
    writer->out->len += format_double(buf_reserve(writer->out, FORMAT_DOUBLE_MAX), value);
}

void json_write_float(JsonWriter *writer, float value) {
    if (!isfinite(value))
        return write_infinite(writer, value);
    writer->out->len += format_float(buf_reserve(writer->out, FORMAT_DOUBLE_MAX), value);
}
