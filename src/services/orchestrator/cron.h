/* When a schedule is due next. Schedules are in the form of crontab(5), as the configuration reads
 * them (ConfigCron).
 *
 * Times are those of a clock on the wall. When it is put forward, what falls into the hour that is
 * left out happens as much later; when it is put back, what is due at certain hours happens once,
 * what is due in every hour happens in both. Pure: the time and the zone are arguments. */
#pragma once

#include "config/config.h"

/* Seconds that a zone's clocks are ahead of UTC at an instant (Unix seconds). */
typedef int32_t CronZone(int64_t at);

/* The first time after `after` (Unix seconds) that the schedule names; false when there is none
 * in the next ten years, as of 30 February. */
bool cron_next(const ConfigCron *cron, int64_t after, CronZone *zone, int64_t *ret);
