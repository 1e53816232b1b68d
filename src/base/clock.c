#include "base/clock.h"

#include <time.h>

#include "base/text.h"

#define SECONDS_PER_DAY INT64_C(86400)

static Nanos read_clock(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * NANOS_PER_SECOND + now.tv_nsec;
}

Nanos clock_wall(void) {
    return read_clock(CLOCK_REALTIME);
}

Nanos clock_monotonic(void) {
    return read_clock(CLOCK_MONOTONIC);
}

/* ---- The proleptic Gregorian calendar --------------------------------------------------------
 * Days since 1970-01-01 from and to dates, by Howard Hinnant's algorithms
 * (https://howardhinnant.github.io/date_algorithms.html): years begin in March, so that the leap
 * day is the last one; an era is 400 years. */

typedef struct Date {
    int year, month, day;
} Date;

static Date date_from_days(int64_t days) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int day_of_era = (int)(days - era * 146097);
    int year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (5 * day_of_year + 2) / 153; /* 0 = March */
    Date date = {.day = day_of_year - (153 * month + 2) / 5 + 1,
                 .month = month < 10 ? month + 3 : month - 9};
    date.year = (int)(year_of_era + era * 400) + (date.month <= 2);
    return date;
}

static int64_t days_from_date(Date date) {
    int64_t year = date.year - (date.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool is_leap_year(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

/* ---- RFC 3339 ------------------------------------------------------------------------------- */

static char *put_digits(char *at, int64_t value, int width) {
    for (int i = width; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + width;
}

size_t format_rfc3339(char *out, int64_t seconds, int32_t nanos, int digits) {
    int64_t days = seconds / SECONDS_PER_DAY, rest = seconds % SECONDS_PER_DAY;
    if (rest < 0) {
        rest += SECONDS_PER_DAY;
        days--;
    }
    Date date = date_from_days(days);
    char *at = put_digits(out, date.year, 4);
    *at++ = '-';
    at = put_digits(at, date.month, 2);
    *at++ = '-';
    at = put_digits(at, date.day, 2);
    *at++ = 'T';
    at = put_digits(at, rest / 3600, 2);
    *at++ = ':';
    at = put_digits(at, rest / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, rest % 60, 2);
    if (digits < 0)
        digits = nanos == 0 ? 0 : nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
    if (digits > 0) {
        *at++ = '.';
        for (int i = digits; i < 9; i++)
            nanos /= 10;
        at = put_digits(at, nanos, digits);
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}

/* Reads text from left to right; once something did not fit, `good` is false for ever. */
typedef struct Reader {
    const char *at, *end;
    bool good;
} Reader;

static int read_digits(Reader *reader, int width, int least, int most) {
    int value = 0;
    if (reader->end - reader->at < width)
        reader->good = false;
    for (int i = 0; i < width && reader->good; i++) {
        char c = *reader->at++;
        reader->good = c >= '0' && c <= '9';
        value = value * 10 + (c - '0');
    }
    if (value < least || value > most)
        reader->good = false;
    return value;
}

static bool read_if(Reader *reader, char c) {
    if (!reader->good || reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static void read_char(Reader *reader, char c) {
    reader->good = read_if(reader, c);
}

static int32_t read_fraction(Reader *reader) {
    if (!read_if(reader, '.'))
        return 0;
    int32_t nanos = 0;
    int digits = 0;
    for (; reader->at != reader->end && *reader->at >= '0' && *reader->at <= '9'; digits++) {
        if (digits == 9)
            break;
        nanos = nanos * 10 + (*reader->at++ - '0');
    }
    reader->good = digits > 0;
    for (; digits < 9; digits++)
        nanos *= 10;
    return nanos;
}

/* "Z" or an offset from UTC, in seconds. */
static int read_offset(Reader *reader) {
    if (read_if(reader, 'Z'))
        return 0;
    int sign = read_if(reader, '-') ? -1 : 1;
    if (sign > 0)
        read_char(reader, '+');
    int hours = read_digits(reader, 2, 0, 23);
    read_char(reader, ':');
    return sign * (hours * 3600 + read_digits(reader, 2, 0, 59) * 60);
}

bool parse_rfc3339(Span text, int64_t *ret_seconds, int32_t *ret_nanos) {
    Reader reader = {text.ptr, text.ptr + text.len, true};
    Date date = {0};
    date.year = read_digits(&reader, 4, 1, 9999);
    read_char(&reader, '-');
    date.month = read_digits(&reader, 2, 1, 12);
    read_char(&reader, '-');
    date.day = read_digits(&reader, 2, 1, 31);
    read_char(&reader, 'T');
    int hour = read_digits(&reader, 2, 0, 23);
    read_char(&reader, ':');
    int minute = read_digits(&reader, 2, 0, 59);
    read_char(&reader, ':');
    int second = read_digits(&reader, 2, 0, 59);
    int32_t nanos = read_fraction(&reader);
    int offset = read_offset(&reader);
    if (!reader.good || reader.at != reader.end || date.day > days_in_month(date.year, date.month))
        return false;
    int64_t seconds =
        days_from_date(date) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
    if (seconds < RFC3339_SECONDS_MIN || seconds > RFC3339_SECONDS_MAX)
        return false;
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return true;
}
