#include "services/orchestrator/cron.h"

#include <time.h>

#define DAY         86400
#define SEARCH_DAYS 3660
#define ALL_HOURS   0xffffffu

static bool day_matches(const ConfigCron *cron, const struct tm *day) {
    if (!(cron->months >> (day->tm_mon + 1) & 1))
        return false;
    bool date = cron->days >> day->tm_mday & 1, weekday = cron->weekdays >> day->tm_wday & 1;
    if (cron->any_day || cron->any_weekday)
        return date && weekday;
    return date || weekday;
}

/* The first minute from `local` (seconds of a clock on the wall) on that the schedule names. */
static bool next_on_the_wall(const ConfigCron *cron, int64_t local, int64_t *ret) {
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

static bool first_after(const ConfigCron *cron, int64_t after, CronZone *zone, int64_t *ret) {
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
static bool second_after(const ConfigCron *cron, int64_t after, int64_t until, CronZone *zone,
                         int64_t *ret) {
    int64_t local = (after / 60 + 1) * 60 + zone(until);
    for (; next_on_the_wall(cron, local, &local) && local - zone(until) < until; local += 60)
        if (zone(local - zone(until)) == zone(until)) {
            *ret = local - zone(until);
            return true;
        }
    return false;
}

bool cron_next(const ConfigCron *cron, int64_t after, CronZone *zone, int64_t *ret) {
    int64_t at;
    if (!first_after(cron, after, zone, &at))
        return false;
    *ret = at;
    if (cron->hours == ALL_HOURS)
        second_after(cron, after, at, zone, ret);
    return true;
}
