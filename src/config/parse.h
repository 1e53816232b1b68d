/* What people write in configurations, and how we write it back: durations, sizes, signals,
 * schedules. Pure. */
#pragma once

#include "config/config.h"

/* "10s", "1m30s", "1.5h", "500ms": numbers with the units ns us µs ms s m h d, each smaller than
 * the one before it. Up to 100 years. */
bool parse_duration(Span text, Nanos *ret);

/* The shortest such text. Room: DURATION_MAX. */
#define DURATION_MAX 64
size_t format_duration(char *out, Nanos value);

/* Bytes: "512", "64KiB", "1.5GiB", "2G" (all powers of 1024), "10MB" (powers of 1000). */
bool parse_size(Span text, int64_t *ret);
#define SIZE_TEXT_MAX 32
size_t format_size(char *out, int64_t value);

/* "TERM", "SIGTERM", "15". */
bool parse_signal(Span text, int32_t *ret);
/* "SIGTERM"; the number where it has no name. Room: 16. */
size_t format_signal(char *out, int32_t number);

/* Five fields as crontab(5) has them (lists, ranges, steps, names of months and days), or @hourly,
 * @daily, @midnight, @weekly, @monthly, @yearly, @annually. NULL, or what is wrong with it, in a
 * text of its own. */
const char *parse_cron(Span text, ConfigCron *ret);
