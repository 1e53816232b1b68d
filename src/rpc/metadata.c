#include "rpc/metadata.h"

#include "base/text.h"

/* ---- deadlines ---- */

static bool parse_digits(Span text, size_t most, uint64_t *ret) {
    return text.len >= 1 && text.len <= most && parse_u64(text, ret);
}

static Nanos multiply_or_most(uint64_t count, uint64_t unit) {
    return count > (uint64_t)INT64_MAX / unit ? INT64_MAX : (Nanos)(count * unit);
}

/* Units of grpc-timeout, finest first. */
static const struct {
    char letter;
    uint64_t nanos;
} UNITS[] = {
    {'n', 1},
    {'u', 1000},
    {'m', 1000000},
    {'S', 1000000000},
    {'M', UINT64_C(60) * 1000000000},
    {'H', UINT64_C(3600) * 1000000000},
};
#define UNIT_COUNT (sizeof UNITS / sizeof *UNITS)

bool timeout_parse_grpc(Span text, Nanos *ret) {
    uint64_t count;
    if (text.len < 2 || !parse_digits(span(text.ptr, text.len - 1), 8, &count))
        return false;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (UNITS[i].letter != text.ptr[text.len - 1])
            continue;
        *ret = multiply_or_most(count, UNITS[i].nanos);
        return true;
    }
    return false;
}

bool timeout_parse_connect(Span text, Nanos *ret) {
    uint64_t millis;
    if (!parse_digits(text, 10, &millis))
        return false;
    *ret = multiply_or_most(millis, (uint64_t)NANOS_PER_MILLI);
    return true;
}

static uint64_t divide_up(uint64_t value, uint64_t by) {
    return value / by + (value % by != 0);
}

size_t timeout_format_grpc(char *out, Nanos timeout) {
    uint64_t nanos = timeout > 0 ? (uint64_t)timeout : 0;
    size_t unit = 0;
    while (unit + 1 < UNIT_COUNT && divide_up(nanos, UNITS[unit].nanos) > 99999999)
        unit++;
    uint64_t count = divide_up(nanos, UNITS[unit].nanos);
    size_t len = format_u64(out, count < 99999999 ? count : 99999999);
    out[len] = UNITS[unit].letter;
    return len + 1;
}

size_t timeout_format_connect(char *out, Nanos timeout) {
    uint64_t millis = timeout > 0 ? divide_up((uint64_t)timeout, (uint64_t)NANOS_PER_MILLI) : 0;
    return format_u64(out, millis < UINT64_C(9999999999) ? millis : UINT64_C(9999999999));
}

/* ---- percent encoding ---- */

static bool is_plain(char c) {
    return c >= 0x20 && c <= 0x7e && c != '%';
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

Span percent_encode(Arena *arena, Span text) {
    size_t special = 0;
    for (size_t i = 0; i < text.len; i++)
        special += !is_plain(text.ptr[i]);
    if (!special)
        return text;
    char *out = arena_alloc(arena, text.len + 2 * special), *at = out;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (is_plain((char)c)) {
            *at++ = (char)c;
            continue;
        }
        *at++ = '%';
        *at++ = "0123456789ABCDEF"[c >> 4];
        *at++ = "0123456789ABCDEF"[c & 15];
    }
    return span(out, (size_t)(at - out));
}

Span percent_decode(Arena *arena, Span text) {
    if (!text.len || !memchr(text.ptr, '%', text.len))
        return text;
    char *out = arena_alloc(arena, text.len), *at = out;
    for (size_t i = 0; i < text.len; i++) {
        int high = text.ptr[i] == '%' && i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;
        *at++ = low >= 0 ? (char)(high << 4 | low) : text.ptr[i];
        i += low >= 0 ? 2 : 0;
    }
    return span(out, (size_t)(at - out));
}

/* ---- metadata ---- */

bool metadata_is_binary(Span name) {
    return name.len > 4 && memcmp(name.ptr + name.len - 4, "-bin", 4) == 0;
}

bool metadata_is_reserved(Span name) {
    static const Span NAMES[] = {
        {"accept", 6},
        {"accept-encoding", 15},
        {"connection", 10},
        {"content-encoding", 16},
        {"content-length", 14},
        {"content-type", 12},
        {"date", 4},
        {"expect", 6},
        {"host", 4},
        {"keep-alive", 10},
        {"te", 2},
        {"trailer", 7},
        {"transfer-encoding", 17},
        {"upgrade", 7},
    };
    if (!name.len || name.ptr[0] == ':')
        return true;
    if (span_starts(name, SPAN("grpc-")) || span_starts(name, SPAN("connect-")))
        return true;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (span_equal(name, NAMES[i]))
            return true;
    return false;
}

static Span trim(Span text) {
    while (text.len && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = span_skip(text, 1);
    while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static size_t count_values(Span value) {
    size_t count = 1;
    for (size_t i = 0; i < value.len; i++)
        count += value.ptr[i] == ',';
    return count;
}

/* Decodes the comma-separated values of one binary header; returns how many, or -1. */
static int64_t read_binary(Arena *arena, Span name, Span value, HttpHeader *out) {
    int64_t count = 0;
    for (Span rest = value;;) {
        const char *comma = rest.len ? memchr(rest.ptr, ',', rest.len) : NULL;
        Span one = trim(comma ? span(rest.ptr, (size_t)(comma - rest.ptr)) : rest);
        char *bytes = arena_alloc(arena, BASE64_DECODED_MAX(one.len));
        size_t len;
        if (!base64_decode(bytes, one, &len))
            return -1;
        out[count++] = (HttpHeader){name, span(bytes, len)};
        if (!comma)
            return count;
        rest = span_skip(rest, (size_t)(comma + 1 - rest.ptr));
    }
}

bool metadata_read(Arena *arena, HttpHeaders headers, Span prefix, HttpHeaders *ret) {
    size_t room = 0;
    for (size_t i = 0; i < headers.count; i++)
        room +=
            metadata_is_binary(headers.items[i].name) ? count_values(headers.items[i].value) : 1;
    HttpHeader *out = room ? arena_alloc(arena, room * sizeof *out) : NULL;
    size_t count = 0;
    for (size_t i = 0; i < headers.count; i++) {
        Span name = headers.items[i].name, value = headers.items[i].value;
        if (!span_starts(name, prefix))
            continue;
        name = span(name.ptr + prefix.len, name.len - prefix.len);
        if (metadata_is_reserved(name))
            continue;
        if (!metadata_is_binary(name)) {
            out[count++] = (HttpHeader){name, value};
            continue;
        }
        int64_t values = read_binary(arena, name, value, out + count);
        if (values < 0)
            return false;
        count += (size_t)values;
    }
    *ret = (HttpHeaders){out, count};
    return true;
}

Span metadata_write_value(Arena *arena, Span name, Span value) {
    if (!metadata_is_binary(name))
        return value;
    char *out = arena_alloc(arena, BASE64_ENCODED_MAX(value.len));
    return span(out, base64_encode(out, value, false, false));
}

static bool is_token(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-_.!#$%&'*+^`|~", c));
}

bool metadata_is_valid(Span name, Span value) {
    if (!name.len)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_token(name.ptr[i]))
            return false;
    if (metadata_is_binary(name))
        return true;
    for (size_t i = 0; i < value.len; i++)
        if (((uint8_t)value.ptr[i] < 0x20 && value.ptr[i] != '\t') || value.ptr[i] == 0x7f)
            return false;
    return true;
}

/* ---- codes ---- */

StatusCode status_from_http(int http_status) {
    switch (http_status) {
    case 400:
        return STATUS_INTERNAL;
    case 401:
        return STATUS_UNAUTHENTICATED;
    case 403:
        return STATUS_PERMISSION_DENIED;
    case 404:
        return STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return STATUS_UNAVAILABLE;
    default:
        return STATUS_UNKNOWN;
    }
}

StatusCode status_from_reset(int reason) {
    switch (reason) {
    case HTTP_REFUSED_STREAM:
    case HTTP_LOST:
    case HTTP_UNSENT:
        return STATUS_UNAVAILABLE;
    case HTTP_CANCEL:
    case HTTP_LOCAL:
        return STATUS_CANCELLED;
    case HTTP_ENHANCE_YOUR_CALM:
        return STATUS_RESOURCE_EXHAUSTED;
    case HTTP_INADEQUATE_SECURITY:
        return STATUS_PERMISSION_DENIED;
    case HTTP_TIMEOUT:
        return STATUS_DEADLINE_EXCEEDED;
    default:
        return STATUS_INTERNAL;
    }
}

int status_to_http(StatusCode code) {
    static const int HTTP[STATUS_CODES] = {
        [STATUS_OK] = 200,
        [STATUS_CANCELLED] = 499,
        [STATUS_UNKNOWN] = 500,
        [STATUS_INVALID_ARGUMENT] = 400,
        [STATUS_DEADLINE_EXCEEDED] = 504,
        [STATUS_NOT_FOUND] = 404,
        [STATUS_ALREADY_EXISTS] = 409,
        [STATUS_PERMISSION_DENIED] = 403,
        [STATUS_RESOURCE_EXHAUSTED] = 429,
        [STATUS_FAILED_PRECONDITION] = 400,
        [STATUS_ABORTED] = 409,
        [STATUS_OUT_OF_RANGE] = 400,
        [STATUS_UNIMPLEMENTED] = 501,
        [STATUS_INTERNAL] = 500,
        [STATUS_UNAVAILABLE] = 503,
        [STATUS_DATA_LOSS] = 500,
        [STATUS_UNAUTHENTICATED] = 401,
    };
    return code < STATUS_CODES ? HTTP[code] : 500;
}

size_t connect_code_write(char *out, StatusCode code) {
    const char *name = code == STATUS_CANCELLED ? "canceled" : status_name((int)code);
    size_t len = 0;
    for (; name[len]; len++)
        out[len] = name[len] >= 'A' && name[len] <= 'Z' ? (char)(name[len] | 0x20) : name[len];
    return len;
}

int connect_code_read(Span name) {
    return span_equal(name, SPAN("canceled")) ? STATUS_CANCELLED : status_from_name(name);
}
