/* Schedules in the form of crontab(5): minute, hour, day of month, month, day of week; each "*", a
 * number, a range "1-5", a step "0-59/15" or "10-30/5", or a list of these. Months and days of week
 * may be names (jan, mon); 7 is Sunday too. Where both days are restricted, either of them will
 * do. Also @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly.
 *
 * Times are those of a clock on the wall. When it is put forward, what falls into the hour that is
 * left out happens as much later; when it is put back, what is due at certain hours happens once,
 * what is due in every hour happens in both. Pure: the time and the zone are arguments. */
#pragma once

#include "base/span.h"

typedef struct Cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; /* a bit each; days and months from bit 1 */
    bool any_day, any_weekday;              /* the field is not restricted */
} Cron;

/* 0, or -EINVAL with `reason` set to constant text: what is wrong. */
int cron_parse(Span text, Cron *ret, const char **reason);

/* Seconds that a zone's clocks are ahead of UTC at an instant (Unix seconds). */
typedef int32_t CronZone(int64_t at);

/* The first time after `after` (Unix seconds) that the schedule names; false when there is none
 * in the next ten years, as of 30 February. */
bool cron_next(const Cron *cron, int64_t after, CronZone *zone, int64_t *ret);
