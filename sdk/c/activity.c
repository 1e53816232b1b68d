#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define BATCHES_MAX       256
#define BUCKETS           544 /* of runtime.v1.LatencyHistogram */
#define RESPONSE_RECEIVED 1   /* runtime.v1.ActivityType */
#define ACTIVITY_ERROR    2

/* The calls of one second to one method of one target. */
struct Batch {
    Batch *next;
    char *target, *method, *protocol, *error;
    char correlation_id[MUSTER_CORRELATION_SIZE]; /* of the last call */
    int64_t count, errors, sum_us, min_us, max_us;
    int64_t buckets[BUCKETS];
};

/* runtime.v1.LatencyHistogram says how. */
static int bucket_of(int64_t us) {
    if (us < 16)
        return (int)us;
    int exponent = 63 - __builtin_clzll((unsigned long long)us);
    int64_t bucket = 16 * (exponent - 4) + (us >> (exponent - 4));
    return bucket < BUCKETS ? (int)bucket : BUCKETS - 1;
}

static bool same(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static Batch *find(Muster *muster, const MusterCall *call) {
    for (Batch *batch = muster->batches; batch; batch = batch->next)
        if (same(batch->target, call->target) && same(batch->method, call->method) &&
            same(batch->protocol, call->protocol))
            return batch;
    if (muster->batch_count >= BATCHES_MAX)
        return NULL;
    Batch *batch = mu_allocate(sizeof *batch);
    batch->target = mu_copy_text(call->target);
    batch->method = mu_copy_text(call->method);
    batch->protocol = mu_copy_text(call->protocol);
    batch->next = muster->batches;
    muster->batches = batch;
    muster->batch_count++;
    return batch;
}

void muster_report_call(Muster *muster, const MusterCall *call) {
    if (!muster->enabled || !call->target)
        return;
    int64_t us = call->latency_us < 0 ? 0 : call->latency_us;
    pthread_mutex_lock(&muster->lock);
    Batch *batch = find(muster, call);
    if (batch) {
        batch->min_us = batch->count && batch->min_us < us ? batch->min_us : us;
        batch->max_us = batch->max_us > us ? batch->max_us : us;
        batch->sum_us += us;
        batch->count++;
        batch->buckets[bucket_of(us)]++;
        strcpy(batch->correlation_id, muster_correlation_id());
        if (call->error) {
            batch->errors++;
            mu_set_text(&batch->error, call->error);
        }
        if (batch->count == 1)
            pthread_cond_broadcast(&muster->changed);
    }
    pthread_mutex_unlock(&muster->lock);
}

static void put_histogram(Bytes *out, const Batch *batch) {
    int64_t buckets[BUCKETS], counts[BUCKETS];
    size_t used = 0;
    for (int i = 0; i < BUCKETS; i++) {
        if (!batch->buckets[i])
            continue;
        buckets[used] = i;
        counts[used++] = batch->buckets[i];
    }
    mu_put_packed(out, 1, buckets, used);
    mu_put_packed(out, 2, counts, used);
    mu_put_number(out, 3, batch->sum_us);
    mu_put_number(out, 4, batch->min_us);
    mu_put_number(out, 5, batch->max_us);
}

static void put_event(Bytes *out, const Muster *muster, const Batch *batch) {
    Bytes histogram = {0};
    assert(batch->count > 0);
    mu_put_text(out, 1, muster->service_id);
    mu_put_text(out, 2, batch->target);
    mu_put_number(out, 3, batch->errors == batch->count ? ACTIVITY_ERROR : RESPONSE_RECEIVED);
    mu_put_text(out, 6, batch->method);
    mu_put_number_always(out, 7, batch->errors == 0);
    mu_put_number_always(out, 8, batch->count);
    mu_put_text(out, 9, batch->error);
    mu_put_text(out, 10, batch->correlation_id);
    mu_put_text(out, 11, batch->protocol ? batch->protocol : "grpc");
    mu_put_number(out, 12, batch->sum_us / batch->count);
    mu_put_number(out, 13, batch->errors);
    put_histogram(&histogram, batch);
    mu_put_message(out, 14, &histogram);
    mu_bytes_done(&histogram);
}

static void batches_free(Batch *batch) {
    for (Batch *next; batch; batch = next) {
        next = batch->next;
        free(batch->target);
        free(batch->method);
        free(batch->protocol);
        free(batch->error);
        free(batch);
    }
}

/* What cannot be told now is lost: it is about that second only. */
int mu_activity_send(Muster *muster) {
    Bytes stream = {0}, event = {0}, answer = {0};
    pthread_mutex_lock(&muster->lock);
    Batch *batches = muster->batches;
    muster->batches = NULL;
    muster->batch_count = 0;
    for (Batch *batch = batches; batch; batch = batch->next) {
        event.len = 0;
        put_event(&event, muster, batch);
        mu_rpc_envelope(&stream, &event);
    }
    pthread_mutex_unlock(&muster->lock);
    int r = 0;
    if (batches)
        r = mu_rpc_stream(&muster->http, TOPOLOGY("ReportActivity"), &stream, &answer, 2000);
    batches_free(batches);
    mu_bytes_done(&stream);
    mu_bytes_done(&event);
    mu_bytes_done(&answer);
    return r;
}

void mu_activity_free(Muster *muster) {
    batches_free(muster->batches);
}
