/* Time as numbers. Durations and instants are nanoseconds in 64 bits; an instant counts either
 * from the Unix epoch (wall time) or from an arbitrary start (monotonic time), never both. Who
 * needs the time gets it as an argument; only the World of src/os and the logger read a clock. */
#pragma once

#include "base/buf.h"

typedef int64_t Nanos;

#define NANOS_PER_MICRO  INT64_C(1000)
#define NANOS_PER_MILLI  INT64_C(1000000)
#define NANOS_PER_SECOND INT64_C(1000000000)

/* What a peer gives in milliseconds; beyond what Nanos hold, the last that they do. */
static inline Nanos nanos_of_millis(int64_t millis) {
    Nanos nanos;
    if (__builtin_mul_overflow(millis, NANOS_PER_MILLI, &nanos))
        return millis < 0 ? INT64_MIN : INT64_MAX;
    return nanos;
}

Nanos clock_wall(void);
Nanos clock_monotonic(void);

/* RFC 3339 in UTC, for years 0001 to 9999: seconds since the Unix epoch plus 0 to 999,999,999
 * ns. The fraction is written with `digits` 0, 3, 6 or 9 digits; -1 chooses the fewest of these
 * that lose nothing. Room: RFC3339_MAX bytes. */
#define RFC3339_MAX         40
#define RFC3339_SECONDS_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define RFC3339_SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
size_t format_rfc3339(char *out, int64_t seconds, int32_t nanos, int digits);

/* Reads a whole Span: "1972-01-01T10:00:20.021Z" or with an offset "-05:30"; 0 to 9 digits of
 * fraction. 'T' and 'Z' are capitals, and there are no leap seconds, as protobuf's JSON demands.
 * False also when the instant lies outside the years 0001 to 9999. */
bool parse_rfc3339(Span text, int64_t *ret_seconds, int32_t *ret_nanos);
