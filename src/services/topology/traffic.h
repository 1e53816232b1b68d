/* Calls over time: how many, how many failed, how long they took; over the last ten seconds, and as
 * a series of ten minutes. Pure; time is the number of a second, on a clock that never goes back.
 *
 * Latencies are kept in the buckets of runtime.v1.LatencyHistogram (proto/runtime/v1/common.proto),
 * those that are not empty, a second at a time; a percentile is the middle of its bucket, and so
 * within 1/32 of the truth. */
#pragma once

#include "base/list.h"
#include "runtime/v1/topology.pb.h"

#define LATENCY_BUCKETS 544
#define TRAFFIC_WINDOW  10  /* seconds */
#define SERIES_LENGTH   600 /* seconds */

uint32_t latency_bucket(int64_t us);
/* The middle of a bucket. */
double latency_of_bucket_ms(uint32_t bucket);

/* Calls that are reported together. */
typedef struct CallBatch {
    uint32_t count, errors;
    const int32_t *buckets; /* ascending, below LATENCY_BUCKETS … */
    const int64_t *counts;  /* … and the calls in each, at least 1 */
    uint32_t bucket_count;  /* 0: not measured */
} CallBatch;

/* ---- series ---- */

/* A ring of points, one a second. Rings are lent from a pool with a bound: when all are out, the one
 * that was written to the longest ago is taken from its owner, if that is SERIES_REST ago. */
#define SERIES_REST 60 /* seconds */
typedef struct Series {
    Link link;
    struct Series **owner;
    uint32_t first, last; /* seconds that it holds */
    char points[];
} Series;

typedef struct SeriesPool {
    Link lent; /* the longest unused first */
    size_t count, most;
    size_t point;       /* bytes of one */
    unsigned char fill; /* what a point without news consists of */
} SeriesPool;

void series_pool_init(SeriesPool *pool, size_t most, size_t point, unsigned char fill);
void series_pool_done(SeriesPool *pool);
/* Sets the point of a second, not earlier than the last one that was set; those in between are
 * filled. Nothing happens where the pool has no ring to lend. */
void series_put(SeriesPool *pool, Series **series, uint32_t second, const void *point);
/* NULL when the series does not hold it. */
const void *series_point(const SeriesPool *pool, const Series *series, uint32_t second);
void series_return(SeriesPool *pool, Series **series);

/* ---- traffic ---- */

typedef struct CallPoint {
    uint32_t count;
    uint16_t errors;        /* their share, of UINT16_MAX */
    uint16_t percentile[3]; /* buckets of p50, p95, p99; UINT16_MAX: not measured */
} CallPoint;

typedef struct TrafficSlice {
    uint32_t *entries; /* bucket << 22 | calls, ascending */
    uint16_t entry_count, capacity;
    uint32_t second;
    uint32_t count, errors;
    bool settled; /* stands in the series */
} TrafficSlice;

typedef struct Traffic {
    uint64_t count, errors; /* since the beginning */
    uint32_t first;         /* the second of the first call */
    TrafficSlice slices[TRAFFIC_WINDOW];
    Series *series;
} Traffic;

/* `pool` may be NULL: no series. */
void traffic_record(Traffic *traffic, SeriesPool *pool, uint32_t second, const CallBatch *batch);
/* Puts what is over into the series; to be called before it is read. */
void traffic_settle(Traffic *traffic, SeriesPool *pool, uint32_t second);
/* Whether there is a call in the window. */
bool traffic_flows(const Traffic *traffic, uint32_t second);
/* Gives the memory of the window back, which must be empty. */
void traffic_rest(Traffic *traffic);
void traffic_done(Traffic *traffic, SeriesPool *pool);

/* The calls of the window. */
typedef struct TrafficFigures {
    double seconds; /* how long it is by now */
    uint64_t count, errors;
    double rps, error_rate;
    bool measured;
    double p50_ms, p95_ms, p99_ms;
} TrafficFigures;

TrafficFigures traffic_figures(const Traffic *traffic, uint32_t second);
