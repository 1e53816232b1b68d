#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#define ENTRIES_MAX 4096
#define BATCH_MAX   500
#define STRUCTURED  3 /* runtime.v1.LogStream */

struct Entry {
    Entry *next;
    MusterLevel level;
    int64_t wall_ns;
    char correlation_id[MUSTER_CORRELATION_SIZE];
    char message[];
};

/* ---- correlation ---- */

static _Thread_local char correlation[MUSTER_CORRELATION_SIZE];

void muster_set_correlation_id(const char *id) {
    snprintf(correlation, sizeof correlation, "%s", id ? id : "");
}

const char *muster_correlation_id(void) {
    return correlation;
}

void muster_new_correlation_id(char out[MUSTER_CORRELATION_SIZE]) {
    memcpy(out, "req-", 4);
    mu_random_hex(out + 4, 16);
}

/* ---- entries ---- */

static void print(const Entry *entry) {
    static const char *const LEVELS[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
    fprintf(stderr, "%s %s%s%s\n", LEVELS[entry->level], entry->correlation_id,
            *entry->correlation_id ? " " : "", entry->message);
}

static void enqueue(Muster *muster, Entry *entry) {
    pthread_mutex_lock(&muster->lock);
    if (muster->entry_count == ENTRIES_MAX) {
        Entry *oldest = muster->entries;
        muster->entries = oldest->next;
        free(oldest);
        muster->entry_count--;
        muster->dropped++;
    }
    *muster->entries_end = entry;
    muster->entries_end = &entry->next;
    if (muster->entry_count++ == 0)
        pthread_cond_broadcast(&muster->changed);
    pthread_mutex_unlock(&muster->lock);
}

void muster_log(Muster *muster, MusterLevel level, const char *format, ...) {
    va_list arguments;
    if (!format)
        return;
    va_start(arguments, format);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    Entry *entry = mu_allocate(sizeof *entry + (size_t)len + 1);
    va_start(arguments, format);
    vsnprintf(entry->message, (size_t)len + 1, format, arguments);
    va_end(arguments);
    entry->level = level > MUSTER_FATAL ? MUSTER_FATAL : level;
    entry->wall_ns = mu_clock_ns(CLOCK_REALTIME);
    memcpy(entry->correlation_id, correlation, sizeof correlation);
    if (muster->enabled) {
        enqueue(muster, entry);
    } else {
        print(entry);
        free(entry);
    }
}

/* ---- sending ---- */

static void put_entry(Bytes *out, const Muster *muster, const Entry *entry) {
    mu_put_text(out, 1, muster->service_name);
    mu_put_number(out, 2, entry->level);
    mu_put_text(out, 3, entry->message);
    mu_put_number(out, 4, entry->wall_ns / 1000000);
    mu_put_text(out, 5, entry->correlation_id);
    mu_put_number(out, 7, entry->wall_ns % 1000000);
    mu_put_number(out, 9, STRUCTURED);
    mu_put_text(out, 10, muster->instance_id);
}

bool mu_logs_waiting(Muster *muster) {
    pthread_mutex_lock(&muster->lock);
    bool waiting = muster->entry_count > 0;
    pthread_mutex_unlock(&muster->lock);
    return waiting;
}

static void free_list(Entry *entry) {
    for (Entry *next; entry; entry = next) {
        next = entry->next;
        free(entry);
    }
}

/* The oldest entries, out of the queue, and as a stream. */
static Entry *take(Muster *muster, Bytes *stream) {
    Bytes message = {0};
    pthread_mutex_lock(&muster->lock);
    Entry *first = muster->entries, **end = &first;
    size_t count = 0;
    for (; *end && count < BATCH_MAX; end = &(*end)->next, count++) {
        message.len = 0;
        put_entry(&message, muster, *end);
        mu_rpc_envelope(stream, &message);
    }
    muster->entries = *end;
    muster->entry_count -= count;
    if (!muster->entries)
        muster->entries_end = &muster->entries;
    *end = NULL;
    pthread_mutex_unlock(&muster->lock);
    mu_bytes_done(&message);
    return first;
}

/* What could not be sent stands before what has come since. */
static void give_back(Muster *muster, Entry *first) {
    pthread_mutex_lock(&muster->lock);
    Entry **end = &first;
    size_t count = 0;
    for (; *end; end = &(*end)->next)
        count++;
    *end = muster->entries;
    if (!muster->entries)
        muster->entries_end = end;
    muster->entries = first;
    muster->entry_count += count;
    if (muster->entries_end == &first)
        muster->entries_end = &muster->entries;
    pthread_mutex_unlock(&muster->lock);
}

int mu_logs_send(Muster *muster) {
    int r = 0;
    while (r == 0 && mu_logs_waiting(muster)) {
        Bytes stream = {0}, answer = {0};
        Entry *first = take(muster, &stream);
        r = mu_rpc_stream(&muster->http, LOGGER("StreamLogs"), &stream, &answer, CALL_MS);
        if (r == 0 || r == -EPROTO) /* what it refuses it would refuse again */
            free_list(first);
        else
            give_back(muster, first);
        mu_bytes_done(&stream);
        mu_bytes_done(&answer);
    }
    pthread_mutex_lock(&muster->lock);
    size_t dropped = r == 0 ? muster->dropped : 0;
    muster->dropped -= dropped;
    pthread_mutex_unlock(&muster->lock);
    if (dropped)
        muster_log(muster, MUSTER_WARN, "%zu log entries were dropped while the runtime was away",
                   dropped);
    return r;
}

void mu_logs_free(Muster *muster) {
    free_list(muster->entries);
}
