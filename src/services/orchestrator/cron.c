#include "services/orchestrator/cron.h"

#include <errno.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"

#define DAY         86400
#define SEARCH_DAYS 3660
#define ALL_HOURS   0xffffffu

typedef struct Field {
    int low, high;
    const char *names; /* three letters each, beginning with `low` */
    const char *reason;
} Field;

enum { MINUTE, HOUR, DAY_OF_MONTH, MONTH, WEEKDAY, FIELDS };

static const Field FIELD[FIELDS] = {
    {0, 59, "", "the minute is not 0 to 59, a range, step or list of these"},
    {0, 23, "", "the hour is not 0 to 23, a range, step or list of these"},
    {1, 31, "", "the day of the month is not 1 to 31, a range, step or list of these"},
    {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec",
     "the month is not 1 to 12 or jan to dec, a range, step or list of these"},
    {0, 7, "sunmontuewedthufrisat",
     "the day of the week is not 0 to 7 or sun to sat, a range, step or list of these"},
};

static const struct {
    Span name;
    Span fields;
} MACROS[] = {
    {{"@yearly", 7}, {"0 0 1 1 *", 9}},  {{"@annually", 9}, {"0 0 1 1 *", 9}},
    {{"@monthly", 8}, {"0 0 1 * *", 9}}, {{"@weekly", 7}, {"0 0 * * 0", 9}},
    {{"@daily", 6}, {"0 0 * * *", 9}},   {{"@midnight", 9}, {"0 0 * * *", 9}},
    {{"@hourly", 7}, {"0 * * * *", 9}},
};

/* The part before the first `separator`, taken off; all of it when there is none. */
static Span take(Span *text, char separator) {
    const char *at = text->len ? memchr(text->ptr, separator, text->len) : NULL;
    Span part = {text->ptr, at ? (size_t)(at - text->ptr) : text->len};
    *text = at ? span_skip(*text, part.len + 1) : (Span){0};
    return part;
}

static bool read_value(const Field *field, Span text, int *ret) {
    int64_t value;
    if (text.len == 3)
        for (int i = 0; field->names[i]; i += 3)
            if (strncasecmp(field->names + i, text.ptr, 3) == 0) {
                *ret = field->low + i / 3;
                return true;
            }
    if (!parse_i64(text, &value) || value < field->low || value > field->high)
        return false;
    *ret = (int)value;
    return true;
}

/* "*", "5", "1-5", each with "/STEP" */
static bool read_range(const Field *field, Span text, uint64_t *bits) {
    Span step_text = text, range;
    int64_t step = 1;
    int low = field->low, high = field->high;
    range = take(&step_text, '/');
    bool stepped = range.len < text.len;
    if (stepped && (!parse_i64(step_text, &step) || step < 1 || step > 60))
        return false;
    if (!span_equal(range, SPAN("*")) && !span_equal(range, SPAN("?"))) {
        Span last = range, first = take(&last, '-');
        bool single = first.len == range.len;
        if (!read_value(field, first, &low) || (!single && !read_value(field, last, &high)))
            return false;
        if (single && !stepped)
            high = low;
    }
    if (low > high)
        return false;
    for (int i = low; i <= high; i += (int)step)
        *bits |= UINT64_C(1) << i;
    return true;
}

static bool read_field(const Field *field, Span text, uint64_t *bits) {
    *bits = 0;
    if (text.ptr[text.len - 1] == ',')
        return false;
    do {
        if (!read_range(field, take(&text, ','), bits))
            return false;
    } while (text.ptr);
    return true;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* The next word; empty at the end. */
static Span take_word(Span *text) {
    while (text->len && is_blank(*text->ptr))
        *text = span_skip(*text, 1);
    size_t len = 0;
    while (len < text->len && !is_blank(text->ptr[len]))
        len++;
    Span word = {text->ptr, len};
    *text = span_skip(*text, len);
    return word;
}

static Span expand(Span text) {
    Span rest = text, word = take_word(&rest);
    for (size_t i = 0; i < sizeof MACROS / sizeof *MACROS; i++)
        if (word.len == MACROS[i].name.len &&
            strncasecmp(word.ptr, MACROS[i].name.ptr, word.len) == 0 && !take_word(&rest).len)
            return MACROS[i].fields;
    return text;
}

int cron_parse(Span text, Cron *ret, const char **reason) {
    uint64_t bits[FIELDS];
    bool any[FIELDS];
    text = expand(text);
    for (int i = 0; i < FIELDS; i++) {
        Span word = take_word(&text);
        *reason = i == 0 && word.len && *word.ptr == '@'
                      ? "the name is not @yearly, @monthly, @weekly, @daily or @hourly"
                      : "it has fewer than five fields: minute, hour, day of month, month, day of "
                        "week";
        if (!word.len || *word.ptr == '@')
            return -EINVAL;
        *reason = FIELD[i].reason;
        if (!read_field(&FIELD[i], word, &bits[i]))
            return -EINVAL;
        any[i] = *word.ptr == '*' || *word.ptr == '?';
    }
    *reason = "it has more than five fields";
    if (take_word(&text).len)
        return -EINVAL;
    *ret = (Cron){
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY_OF_MONTH],
        .months = (uint32_t)bits[MONTH],
        .weekdays = (uint32_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f),
        .any_day = any[DAY_OF_MONTH],
        .any_weekday = any[WEEKDAY],
    };
    return 0;
}

static bool day_matches(const Cron *cron, const struct tm *day) {
    if (!(cron->months >> (day->tm_mon + 1) & 1))
        return false;
    bool date = cron->days >> day->tm_mday & 1, weekday = cron->weekdays >> day->tm_wday & 1;
    if (cron->any_day || cron->any_weekday)
        return date && weekday;
    return date || weekday;
}

/* The first minute from `local` (seconds of a clock on the wall) on that the schedule names. */
static bool next_on_the_wall(const Cron *cron, int64_t local, int64_t *ret) {
    int64_t minute = (local + 59) / 60;
    for (int i = 0; i < SEARCH_DAYS; i++) {
        int64_t day = minute / 1440 * DAY;
        struct tm date;
        if (!gmtime_r(&day, &date))
            return false;
        for (int at = (int)(minute % 1440); day_matches(cron, &date) && at < 1440; at++)
            if (cron->hours >> at / 60 & 1 && cron->minutes >> at % 60 & 1) {
                *ret = day + at * 60;
                return true;
            }
        minute = (minute / 1440 + 1) * 1440;
    }
    return false;
}

/* The instant at which the clocks show `local` for the first time; where they never do, since it is
 * left out, as much later as the clocks are put forward. */
static int64_t instant_of(int64_t local, CronZone *zone) {
    int32_t before = zone(local - DAY), behind = zone(local + DAY);
    int64_t first = local - before, second = local - behind;
    return zone(first) != before && zone(second) == behind ? second : first;
}

static bool first_after(const Cron *cron, int64_t after, CronZone *zone, int64_t *ret) {
    int64_t local = (after / 60 + 1) * 60 + zone(after);
    /* Tries end with the hours that clocks which were put back show twice. */
    for (int tries = 0; tries < 2 * 1440; tries++, local += 60) {
        if (!next_on_the_wall(cron, local, &local))
            return false;
        *ret = instant_of(local, zone);
        if (*ret > after)
            return true;
    }
    return false;
}

/* What the clocks show for the second time, after they were put back to `zone(until)`. */
static bool second_after(const Cron *cron, int64_t after, int64_t until, CronZone *zone,
                         int64_t *ret) {
    int64_t local = (after / 60 + 1) * 60 + zone(until);
    for (; next_on_the_wall(cron, local, &local) && local - zone(until) < until; local += 60)
        if (zone(local - zone(until)) == zone(until)) {
            *ret = local - zone(until);
            return true;
        }
    return false;
}

bool cron_next(const Cron *cron, int64_t after, CronZone *zone, int64_t *ret) {
    int64_t at;
    if (!first_after(cron, after, zone, &at))
        return false;
    *ret = at;
    if (cron->hours == ALL_HOURS)
        second_after(cron, after, at, zone, ret);
    return true;
}
