#include "base/text.h"
#include "config/parse.h"

typedef struct CronField {
    unsigned first, last;
    const char *names; /* three letters each, for `first` and up */
    const char *wrong;
} CronField;

static const CronField FIELDS[] = {
    {0, 59, NULL, "the minute (first field) is 0 to 59"},
    {0, 23, NULL, "the hour (second field) is 0 to 23"},
    {1, 31, NULL, "the day of the month (third field) is 1 to 31"},
    {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec",
     "the month (fourth field) is 1 to 12 or jan to dec"},
    {0, 7, "sunmontuewedthufrisat", "the weekday (fifth field) is 0 to 7 or sun to sat"},
};

static Span take_until(Span *text, char end) {
    const char *at = text->len ? memchr(text->ptr, end, text->len) : NULL;
    Span part = at ? span(text->ptr, (size_t)(at - text->ptr)) : *text;
    *text = span_skip(*text, part.len + (at != NULL));
    return part;
}

static bool parse_point(const CronField *field, Span text, unsigned *ret) {
    uint64_t number;
    if (parse_u64(text, &number) && number >= field->first && number <= field->last) {
        *ret = (unsigned)number;
        return true;
    }
    for (unsigned i = 0; field->names && text.len == 3 && field->names[3 * i]; i++) {
        const char *name = field->names + (size_t)3 * i;
        if ((text.ptr[0] | 0x20) == name[0] && (text.ptr[1] | 0x20) == name[1] &&
            (text.ptr[2] | 0x20) == name[2]) {
            *ret = field->first + i;
            return true;
        }
    }
    return false;
}

/* "*", "5", "1-5", each perhaps with a step behind '/'. */
static bool parse_range(const CronField *field, Span text, uint64_t *bits) {
    const char *end = span_end(text);
    Span range = take_until(&text, '/');
    bool stepped = span_end(range) < end;
    uint64_t step = 1;
    unsigned from = field->first, to = field->last;
    if ((stepped && (!parse_u64(text, &step) || !step)) || !range.len)
        return false;
    if (!span_equal(range, SPAN("*"))) {
        bool open = !memchr(range.ptr, '-', range.len);
        Span first = take_until(&range, '-');
        if (!parse_point(field, first, &from))
            return false;
        to = from;
        if (open ? stepped : !parse_point(field, range, &to))
            to = open ? field->last : 0;
        if (to < from)
            return false;
    }
    for (uint64_t i = from; i <= to; i += step)
        *bits |= UINT64_C(1) << i;
    return true;
}

static bool parse_field(const CronField *field, Span text, uint64_t *bits) {
    *bits = 0;
    if (!text.len || text.ptr[text.len - 1] == ',')
        return false;
    while (text.len)
        if (!parse_range(field, take_until(&text, ','), bits))
            return false;
    return true;
}

static Span expand_name(Span text) {
    static const struct {
        Span name, fields;
    } NAMES[] = {
        {{"@hourly", 7}, {"0 * * * *", 9}},   {{"@daily", 6}, {"0 0 * * *", 9}},
        {{"@midnight", 9}, {"0 0 * * *", 9}}, {{"@weekly", 7}, {"0 0 * * 0", 9}},
        {{"@monthly", 8}, {"0 0 1 * *", 9}},  {{"@yearly", 7}, {"0 0 1 1 *", 9}},
        {{"@annually", 9}, {"0 0 1 1 *", 9}},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (span_equal(NAMES[i].name, text))
            return NAMES[i].fields;
    return text;
}

const char *parse_cron(Span text, ConfigCron *ret) {
    uint64_t bits[5];
    Span parts[5], rest = expand_name(text);
    size_t count = 0;
    while (rest.len) {
        Span part = take_until(&rest, ' ');
        if (!part.len)
            continue;
        if (count == 5)
            return "it has more than five fields (minute, hour, day, month, weekday)";
        parts[count++] = part;
    }
    if (count < 5)
        return "five fields are needed: minute, hour, day, month, weekday, as in '0 3 * * 1-5'";
    for (size_t i = 0; i < 5; i++)
        if (!parse_field(&FIELDS[i], parts[i], &bits[i]))
            return FIELDS[i].wrong;
    *ret = (ConfigCron){
        .minutes = bits[0],
        .hours = (uint32_t)bits[1],
        .days = (uint32_t)bits[2],
        .months = (uint16_t)bits[3],
        .weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7F), /* 7 is Sunday too */
        .any_day = parts[2].ptr[0] == '*',
        .any_weekday = parts[4].ptr[0] == '*',
    };
    return NULL;
}
