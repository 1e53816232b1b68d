#include "services/topology/traffic.h"

#include <stdlib.h>

#include "base/memory.h"

#define ENTRY_COUNT_BITS 22
#define ENTRY_COUNT_MAX  ((1u << ENTRY_COUNT_BITS) - 1)

static const double PERCENTILES[3] = {0.50, 0.95, 0.99};

/* ---- latencies ---- */

uint32_t latency_bucket(int64_t us) {
    if (us < 16)
        return us < 0 ? 0 : (uint32_t)us;
    uint32_t e = 63 - (uint32_t)__builtin_clzll((uint64_t)us);
    uint64_t bucket = 16 * (uint64_t)(e - 4) + ((uint64_t)us >> (e - 4));
    return bucket < LATENCY_BUCKETS ? (uint32_t)bucket : LATENCY_BUCKETS - 1;
}

double latency_of_bucket_ms(uint32_t bucket) {
    if (bucket < 16)
        return bucket / 1000.0;
    uint32_t e = bucket / 16 + 3;
    double width = (double)(UINT64_C(1) << (e - 4));
    return ((double)(bucket - 16 * (e - 4)) * width + width / 2) / 1000.0;
}

/* The buckets that the percentiles of `total` calls fall into. */
static void find_percentiles(const uint64_t counts[LATENCY_BUCKETS], uint64_t total,
                             uint32_t ret_buckets[3]) {
    uint64_t seen = 0;
    int next = 0;
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS && next < 3; bucket++) {
        seen += counts[bucket];
        while (next < 3 && (double)seen >= PERCENTILES[next] * (double)total)
            ret_buckets[next++] = bucket;
    }
}

/* ---- series ---- */

void series_pool_init(SeriesPool *pool, size_t most, size_t point, unsigned char fill) {
    *pool = (SeriesPool){.most = most, .point = point, .fill = fill};
    list_init(&pool->lent);
}

void series_pool_done(SeriesPool *pool) {
    LIST_EACH (&pool->lent, link)
        series_return(pool, CONTAINER(link, Series, link)->owner);
}

static char *point_at(const SeriesPool *pool, const Series *series, uint32_t second) {
    return (char *)series->points + second % SERIES_LENGTH * pool->point;
}

static Series *series_lend(SeriesPool *pool, Series **owner, uint32_t second) {
    if (pool->count == pool->most) {
        const Series *oldest = CONTAINER(pool->lent.next, Series, link);
        if (second < oldest->last + SERIES_REST)
            return NULL;
        series_return(pool, oldest->owner);
    }
    Series *series = xmalloc(sizeof *series + SERIES_LENGTH * pool->point);
    series->owner = owner;
    series->first = second;
    series->last = second;
    memset(point_at(pool, series, second), pool->fill, pool->point);
    list_init(&series->link);
    pool->count++;
    *owner = series;
    return series;
}

void series_put(SeriesPool *pool, Series **owner, uint32_t second, const void *point) {
    Series *series = *owner ? *owner : series_lend(pool, owner, second);
    if (!series)
        return;
    list_remove(&series->link);
    list_push_back(&pool->lent, &series->link);
    if (second > series->last && second - series->last >= SERIES_LENGTH) {
        series->last = second - SERIES_LENGTH;
        series->first = second - SERIES_LENGTH + 1;
    }
    while (series->last < second)
        memset(point_at(pool, series, ++series->last), pool->fill, pool->point);
    if (series->last - series->first >= SERIES_LENGTH)
        series->first = series->last - SERIES_LENGTH + 1;
    memcpy(point_at(pool, series, second), point, pool->point);
}

const void *series_point(const SeriesPool *pool, const Series *series, uint32_t second) {
    if (!series || second < series->first || second > series->last)
        return NULL;
    return point_at(pool, series, second);
}

void series_return(SeriesPool *pool, Series **owner) {
    if (!*owner)
        return;
    list_remove(&(*owner)->link);
    free(*owner);
    *owner = NULL;
    pool->count--;
}

/* ---- traffic ---- */

/* Adds to the entry of a bucket, keeping them ascending. */
static void slice_add(TrafficSlice *slice, uint32_t bucket, int64_t count) {
    uint32_t low = 0, high = slice->entry_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (slice->entries[middle] >> ENTRY_COUNT_BITS < bucket)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == slice->entry_count || slice->entries[low] >> ENTRY_COUNT_BITS != bucket) {
        if (slice->entry_count == slice->capacity) {
            slice->capacity = slice->capacity ? (uint16_t)(slice->capacity * 2) : 8;
            slice->entries = xrealloc(slice->entries, slice->capacity * sizeof *slice->entries);
        }
        memmove(slice->entries + low + 1, slice->entries + low,
                (slice->entry_count - low) * sizeof *slice->entries);
        slice->entries[low] = bucket << ENTRY_COUNT_BITS;
        slice->entry_count++;
    }
    int64_t sum = (slice->entries[low] & ENTRY_COUNT_MAX) + count;
    slice->entries[low] =
        bucket << ENTRY_COUNT_BITS | (uint32_t)(sum < ENTRY_COUNT_MAX ? sum : ENTRY_COUNT_MAX);
}

static uint64_t slice_spread(const TrafficSlice *slice, uint64_t counts[LATENCY_BUCKETS]) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < slice->entry_count; i++) {
        counts[slice->entries[i] >> ENTRY_COUNT_BITS] += slice->entries[i] & ENTRY_COUNT_MAX;
        total += slice->entries[i] & ENTRY_COUNT_MAX;
    }
    return total;
}

static CallPoint point_of(const TrafficSlice *slice) {
    uint64_t counts[LATENCY_BUCKETS] = {0}, total = slice_spread(slice, counts);
    uint32_t buckets[3] = {UINT16_MAX, UINT16_MAX, UINT16_MAX};
    if (total)
        find_percentiles(counts, total, buckets);
    return (CallPoint){
        .count = slice->count,
        .errors = (uint16_t)((double)slice->errors / slice->count * UINT16_MAX + 0.5),
        .percentile = {(uint16_t)buckets[0], (uint16_t)buckets[1], (uint16_t)buckets[2]},
    };
}

void traffic_settle(Traffic *traffic, SeriesPool *pool, uint32_t second) {
    for (uint32_t back = TRAFFIC_WINDOW; pool && back > 0; back--) {
        /* The oldest first, since a series only goes forward; what is older than the window was
         * settled when the next call came, or is the only one there. */
        TrafficSlice *slice = NULL;
        for (int i = 0; i < TRAFFIC_WINDOW; i++) {
            TrafficSlice *other = &traffic->slices[i];
            if (other->count && !other->settled && other->second < second &&
                (!slice || other->second < slice->second))
                slice = other;
        }
        if (!slice)
            return;
        CallPoint point = point_of(slice);
        series_put(pool, &traffic->series, slice->second, &point);
        slice->settled = true;
    }
}

void traffic_record(Traffic *traffic, SeriesPool *pool, uint32_t second, const CallBatch *batch) {
    if (!traffic->count)
        traffic->first = second;
    traffic->count += batch->count;
    traffic->errors += batch->errors;
    TrafficSlice *slice = &traffic->slices[second % TRAFFIC_WINDOW];
    if (slice->second != second || slice->settled) {
        traffic_settle(traffic, pool, second);
        slice->second = second;
        slice->count = slice->errors = slice->entry_count = 0;
        slice->settled = false;
    }
    slice->count += batch->count;
    slice->errors += batch->errors;
    for (uint32_t i = 0; i < batch->bucket_count; i++)
        slice_add(slice, (uint32_t)batch->buckets[i], batch->counts[i]);
}

static bool in_window(const TrafficSlice *slice, uint32_t second) {
    return slice->count && slice->second <= second && second - slice->second < TRAFFIC_WINDOW;
}

bool traffic_flows(const Traffic *traffic, uint32_t second) {
    for (int i = 0; i < TRAFFIC_WINDOW; i++)
        if (in_window(&traffic->slices[i], second))
            return true;
    return false;
}

void traffic_rest(Traffic *traffic) {
    for (int i = 0; i < TRAFFIC_WINDOW; i++) {
        free(traffic->slices[i].entries);
        traffic->slices[i] = (TrafficSlice){0};
    }
}

void traffic_done(Traffic *traffic, SeriesPool *pool) {
    traffic_rest(traffic);
    if (pool)
        series_return(pool, &traffic->series);
}

TrafficFigures traffic_figures(const Traffic *traffic, uint32_t second) {
    TrafficFigures figures = {0};
    uint64_t counts[LATENCY_BUCKETS] = {0}, total = 0;
    for (int i = 0; i < TRAFFIC_WINDOW; i++) {
        const TrafficSlice *slice = &traffic->slices[i];
        if (!in_window(slice, second))
            continue;
        figures.count += slice->count;
        figures.errors += slice->errors;
        total += slice_spread(slice, counts);
    }
    uint32_t age = traffic->count && second >= traffic->first ? second - traffic->first + 1 : 1;
    figures.seconds = age < TRAFFIC_WINDOW ? age : TRAFFIC_WINDOW;
    figures.rps = (double)figures.count / figures.seconds;
    figures.error_rate = figures.count ? (double)figures.errors / (double)figures.count : 0;
    figures.measured = total > 0;
    if (total) {
        uint32_t buckets[3];
        find_percentiles(counts, total, buckets);
        figures.p50_ms = latency_of_bucket_ms(buckets[0]);
        figures.p95_ms = latency_of_bucket_ms(buckets[1]);
        figures.p99_ms = latency_of_bucket_ms(buckets[2]);
    }
    return figures;
}
