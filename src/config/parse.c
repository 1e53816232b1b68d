#include "config/parse.h"

#include <math.h>
#include <signal.h>

#include "base/text.h"

typedef struct Unit {
    Span name;
    int64_t value;
} Unit;

#define UNIT(name, value)                                                                          \
    { {"" name, sizeof(name) - 1}, value }

static Span word_of(Span text, size_t from) {
    size_t end = from;
    while (end < text.len && (text.ptr[end] < '0' || text.ptr[end] > '9') && text.ptr[end] != '.')
        end++;
    return span(text.ptr + from, end - from);
}

/* A number with digits before and behind its point, if it has one; its length, 0 when there is
 * none. */
static size_t take_number(Span text, double *ret) {
    size_t len = 0, points = 0;
    while (len < text.len &&
           ((text.ptr[len] >= '0' && text.ptr[len] <= '9') || (text.ptr[len] == '.' && !points++)))
        len++;
    Span digits = span(text.ptr, len);
    while (digits.len > 1 && digits.ptr[0] == '0' && digits.ptr[1] != '.')
        digits = span_skip(digits, 1);
    return len && parse_double(digits, ret) ? len : 0;
}

static const Unit *unit_named(const Unit *units, size_t count, Span name) {
    for (size_t i = 0; i < count; i++)
        if (span_equal(units[i].name, name))
            return &units[i];
    return NULL;
}

/* ---- durations ---- */

static const Unit DURATIONS[] = {
    UNIT("d", 86400 * NANOS_PER_SECOND), UNIT("h", 3600 * NANOS_PER_SECOND),
    UNIT("m", 60 * NANOS_PER_SECOND),    UNIT("s", NANOS_PER_SECOND),
    UNIT("ms", NANOS_PER_MILLI),         UNIT("us", NANOS_PER_MICRO),
    UNIT("µs", NANOS_PER_MICRO),         UNIT("ns", 1),
};
#define DURATION_UNITS (sizeof DURATIONS / sizeof *DURATIONS)
#define DURATION_LIMIT (36500 * (86400 * NANOS_PER_SECOND))

bool parse_duration(Span text, Nanos *ret) {
    const Unit *last = NULL;
    double total = 0;
    if (span_equal(text, SPAN("0"))) {
        *ret = 0;
        return true;
    }
    while (text.len) {
        double number;
        size_t len = take_number(text, &number);
        Span name = word_of(text, len);
        const Unit *unit = len ? unit_named(DURATIONS, DURATION_UNITS, name) : NULL;
        if (!unit || (last && unit <= last))
            return false;
        total += number * (double)unit->value;
        last = unit;
        text = span_skip(text, len + name.len);
    }
    if (!last || total > (double)DURATION_LIMIT)
        return false;
    *ret = (Nanos)(total + 0.5);
    return true;
}

size_t format_duration(char *out, Nanos value) {
    Buf text = {.ptr = out, .cap = DURATION_MAX};
    if (!value)
        buf_add_literal(&text, "0s");
    for (size_t i = 0; i < DURATION_UNITS && value; i++) {
        int64_t unit = DURATIONS[i].value, count = value / unit;
        if (!count)
            continue;
        text.len += format_i64(buf_reserve(&text, 20), count);
        buf_add(&text, DURATIONS[i].name);
        value -= count * unit;
    }
    return text.len;
}

/* ---- sizes ---- */

#define KIBI INT64_C(1024)
static const Unit SIZES[] = {
    UNIT("TiB", KIBI *KIBI *KIBI *KIBI),
    UNIT("GiB", KIBI *KIBI *KIBI),
    UNIT("MiB", KIBI *KIBI),
    UNIT("KiB", KIBI),
    UNIT("B", 1),
    UNIT("", 1),
    UNIT("T", KIBI *KIBI *KIBI *KIBI),
    UNIT("G", KIBI *KIBI *KIBI),
    UNIT("M", KIBI *KIBI),
    UNIT("K", KIBI),
    UNIT("TB", INT64_C(1000000000000)),
    UNIT("GB", 1000000000),
    UNIT("MB", 1000000),
    UNIT("KB", 1000),
    UNIT("kB", 1000),
};

bool parse_size(Span text, int64_t *ret) {
    double number;
    size_t len = take_number(text, &number);
    Span name = span_skip(text, len);
    if (name.len && name.ptr[0] == ' ')
        name = span_skip(name, 1);
    const Unit *unit = len ? unit_named(SIZES, sizeof SIZES / sizeof *SIZES, name) : NULL;
    if (!unit || number * (double)unit->value > 9e18)
        return false;
    *ret = (int64_t)(number * (double)unit->value);
    return true;
}

size_t format_size(char *out, int64_t value) {
    const Unit *unit = SIZES;
    while (unit->value > 1 && (value % unit->value || !value))
        unit++;
    size_t len = format_i64(out, value / unit->value);
    if (unit->value == 1)
        return len;
    memcpy(out + len, unit->name.ptr, unit->name.len);
    return len + unit->name.len;
}

/* ---- signals ---- */

bool parse_signal(Span text, int32_t *ret) {
    int64_t number;
    if (parse_i64(text, &number)) {
        *ret = (int32_t)number;
        return number > 0 && number < SIGRTMAX;
    }
    Span name = span_starts(text, SPAN("SIG")) ? span_skip(text, 3) : text;
    for (int i = 1; i < SIGRTMIN; i++) {
        if (span_equal(span_of(sigabbrev_np(i)), name) && name.len) {
            *ret = i;
            return true;
        }
    }
    return false;
}

size_t format_signal(char *out, int32_t number) {
    Span name = span_of(sigabbrev_np(number));
    if (!name.len || name.len > 12)
        return format_i64(out, number);
    memcpy(out, "SIG", 3);
    memcpy(out + 3, name.ptr, name.len);
    return name.len + 3;
}
