#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define LANGUAGE_C  8 /* runtime.v1.ServiceLanguage */
#define FLUSH_MS    1000
#define LOGS_MS     100
#define PATIENCE_MS 500
#define GOOD_BYE_MS 1500

/* ---- small things ---- */

int64_t mu_clock_ns(int clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

void mu_random_hex(char *out, size_t digits) {
    unsigned char bytes[32] = {0};
    if (getentropy(bytes, sizeof bytes) < 0)
        memcpy(bytes, &(int64_t){mu_clock_ns(CLOCK_REALTIME) ^ getpid()}, sizeof(int64_t));
    for (size_t i = 0; i < digits; i++)
        out[i] = "0123456789abcdef"[bytes[i / 2 % sizeof bytes] >> i % 2 * 4 & 15];
    out[digits] = 0;
}

void mu_set_text(char **place, const char *text) {
    free(*place);
    *place = mu_copy_text(text);
}

int mu_backoff_ms(int tries) {
    unsigned char chance = 0;
    if (getentropy(&chance, 1) < 0)
        chance = 128;
    int pause = tries < 6 ? 100 << tries : 5000;
    return pause * 3 / 4 + pause * chance / 512;
}

static void give_up(const char *why) {
    fprintf(stderr, "muster: %s: %s\n", why, strerror(errno));
    abort();
}

void mu_thread_start(pthread_t *thread, void *(*run)(void *), void *argument) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(thread, NULL, run, argument);
    if (errno)
        give_up("the system refuses a thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void mu_cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

void mu_wait_until(Muster *muster, int64_t deadline_ms) {
    struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
    pthread_cond_timedwait(&muster->changed, &muster->lock, &until);
}

void mu_cancel_open(int pipe[2]) {
    if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        give_up("the system refuses a pipe");
}

void mu_cancel(const int pipe[2]) {
    if (write(pipe[1], "", 1) < 0)
        give_up("a pipe of its own is broken");
}

void mu_cancel_close(const int pipe[2]) {
    close(pipe[0]);
    close(pipe[1]);
}

/* ---- registration ---- */

static void put_registration(const Muster *muster, Bytes *out) {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    mu_put_text(out, 1, muster->service_name);
    mu_put_number(out, 2, muster->type);
    mu_put_number(out, 3, LANGUAGE_C);
    mu_put_text(out, 4, muster->version);
    mu_put_text(out, 5, muster->service_address);
    mu_put_text(out, 6, host);
    if (muster->namespace_) {
        Bytes metadata = {0};
        mu_put_text(&metadata, 5, muster->namespace_);
        mu_put_message(out, 7, &metadata);
        mu_bytes_done(&metadata);
    }
    mu_put_text(out, 8, muster->instance_id);
    if (muster->wanted_interval)
        mu_put_number_always(out, 9, muster->wanted_interval);
}

static int register_service(Muster *muster) {
    Bytes request = {0}, answer = {0};
    put_registration(muster, &request);
    int r = mu_rpc_unary(&muster->http, TOPOLOGY("RegisterService"), &request, &answer, CALL_MS);
    pthread_mutex_lock(&muster->lock);
    if (r == 0) {
        muster->interval_ms = 5000;
        for (Reader reader = mu_reader_of(answer.ptr, answer.len); mu_reader_next(&reader);) {
            if (reader.field == 1)
                mu_reader_text(&reader, muster->service_id, sizeof muster->service_id);
            else if (reader.field == 2 && reader.number > 0 && reader.number < INT32_MAX)
                muster->interval_ms = (int32_t)reader.number;
        }
        muster->registered = muster->beat_now = true;
        mu_offers_again(muster);
        pthread_cond_broadcast(&muster->changed);
    }
    pthread_mutex_unlock(&muster->lock);
    mu_bytes_done(&request);
    mu_bytes_done(&answer);
    return r;
}

static void unregister_service(Muster *muster) {
    Bytes request = {0}, answer = {0};
    mu_put_text(&request, 1, muster->service_id);
    mu_rpc_unary(&muster->http, TOPOLOGY("UnregisterService"), &request, &answer, CALL_MS);
    mu_bytes_done(&request);
    mu_bytes_done(&answer);
}

/* ---- heartbeats ---- */

/* The beat, as a stream of one message; with the lock held. */
static void put_beat(Muster *muster, Bytes *stream) {
    Bytes beat = {0}, inner = {0};
    mu_put_text(&beat, 1, muster->service_id);
    mu_put_number(&beat, 2, ++muster->sequence);
    mu_usage_put(muster, &inner);
    mu_put_message(&beat, 3, &inner);
    if (muster->health != MUSTER_HEALTH_UNKNOWN || muster->errors) {
        MusterHealth health = muster->health ? muster->health : MUSTER_HEALTH_HEALTHY;
        mu_put_number(&inner, 1, health);
        mu_put_text(&inner, 2, muster->health_message);
        mu_put_number(&inner, 3, muster->errors);
        mu_put_message(&beat, 4, &inner);
    }
    mu_put_number(&beat, 5, muster->round_trip_us);
    mu_rpc_envelope(stream, &beat);
    mu_bytes_done(&beat);
    mu_bytes_done(&inner);
}

/* -ENOENT: the runtime does not know us any more. */
static int beat(Muster *muster) {
    Bytes stream = {0}, answer = {0};
    pthread_mutex_lock(&muster->lock);
    int errors = muster->errors;
    put_beat(muster, &stream);
    muster->errors = 0;
    muster->beat_now = false;
    pthread_mutex_unlock(&muster->lock);
    int64_t begin = mu_clock_ns(CLOCK_MONOTONIC);
    int r = mu_rpc_stream(&muster->http, TOPOLOGY("Heartbeat"), &stream, &answer, CALL_MS);
    bool acknowledged = false;
    for (Reader reader = mu_reader_of(answer.ptr, answer.len); r == 0 && mu_reader_next(&reader);)
        acknowledged |= reader.field == 2 && reader.number;
    if (r == 0 && !acknowledged)
        r = -ENOENT;
    pthread_mutex_lock(&muster->lock);
    if (r == 0)
        muster->round_trip_us = (mu_clock_ns(CLOCK_MONOTONIC) - begin) / 1000;
    else
        muster->errors += errors;
    pthread_mutex_unlock(&muster->lock);
    mu_bytes_done(&stream);
    mu_bytes_done(&answer);
    return r;
}

/* ---- the thread ---- */

typedef struct Schedule {
    int64_t beat, flush, logs, retry;
    int tries;
} Schedule;

/* What is refused (-EPROTO) would be refused again: it is let go, and no reason to register anew. */
static int unless_refused(int r) {
    return r == -EPROTO ? 0 : r;
}

/* What is due, one after the other; the first error says that the runtime is away, or has forgotten
 * us. */
static int send_due(Muster *muster, Schedule *schedule, bool beat_now, bool offers) {
    int64_t now = mu_now_ms();
    int r = 0;
    if (offers)
        r = mu_offers_send(muster);
    if (r == 0 && (beat_now || now >= schedule->beat)) {
        schedule->beat = now + muster->interval_ms;
        r = beat(muster);
    }
    if (r == 0 && now >= schedule->flush) {
        schedule->flush = now + FLUSH_MS;
        r = unless_refused(mu_activity_send(muster));
    }
    return r;
}

static void lost(Muster *muster, Schedule *schedule) {
    pthread_mutex_lock(&muster->lock);
    if (!muster->stopping) /* then the call was ended by us, and the good-bye is still due */
        muster->registered = false;
    pthread_mutex_unlock(&muster->lock);
    schedule->retry = mu_now_ms() + mu_backoff_ms(schedule->tries++);
}

static void work(Muster *muster, Schedule *schedule, bool registered, bool beat_now, bool offers) {
    int64_t now = mu_now_ms();
    int r = 0;
    if (!registered && muster->service_name && now >= schedule->retry) {
        r = register_service(muster);
        schedule->tries = r == 0 ? 0 : schedule->tries;
    } else if (registered) {
        r = send_due(muster, schedule, beat_now, offers);
        schedule->tries = r == 0 ? 0 : schedule->tries;
    }
    if (r < 0)
        lost(muster, schedule);
    if (r == 0 && now >= schedule->logs && mu_logs_waiting(muster)) {
        bool sent = mu_logs_send(muster) == 0;
        schedule->logs = now + (sent ? LOGS_MS : FLUSH_MS);
    }
}

static int64_t next_due(const Muster *muster, const Schedule *schedule) {
    int64_t now = mu_now_ms(), due = now + FLUSH_MS;
    if (muster->entry_count)
        due = schedule->logs > now ? schedule->logs : now + 1;
    if (muster->registered && schedule->beat < due)
        due = schedule->beat;
    if (muster->registered && muster->batches && schedule->flush < due)
        due = schedule->flush;
    if (!muster->registered && muster->service_name && schedule->retry < due)
        due = schedule->retry;
    return due;
}

static void *run(void *argument) {
    Muster *muster = argument;
    Schedule schedule = {0};
    pthread_mutex_lock(&muster->lock);
    while (!muster->stopping) {
        bool registered = muster->registered, beat_now = muster->beat_now,
             offers = muster->offers_changed;
        pthread_mutex_unlock(&muster->lock);
        work(muster, &schedule, registered, beat_now, offers);
        pthread_mutex_lock(&muster->lock);
        bool more = muster->registered && (muster->beat_now || muster->offers_changed);
        if (!muster->stopping && !more)
            mu_wait_until(muster, next_due(muster, &schedule));
    }
    muster->ended = true;
    pthread_cond_broadcast(&muster->changed);
    pthread_mutex_unlock(&muster->lock);
    return NULL;
}

/* ---- beginning and end ---- */

static const char *from_environment(const char *given, const char *name) {
    const char *value = given ? given : getenv(name);
    return value && *value ? value : NULL;
}

Muster *muster_start(const MusterOptions *options) {
    static const MusterOptions NOTHING;
    if (!options)
        options = &NOTHING;
    Muster *muster = mu_allocate(sizeof *muster);
    const char *address = from_environment(options->address, "MUSTER_ADDRESS");
    const char *instance = from_environment(options->instance_id, "MUSTER_INSTANCE");
    char made[37] = "";
    mu_random_hex(made, 32);
    muster->enabled = address && mu_target_parse(&muster->target, address);
    muster->target.token = mu_copy_text(from_environment(options->token, "MUSTER_TOKEN"));
    muster->target.ca_file = mu_copy_text(from_environment(options->ca_file, "MUSTER_CA_FILE"));
    muster->service_name = mu_copy_text(from_environment(options->service_name, "MUSTER_SERVICE"));
    muster->instance_id = mu_copy_text(instance ? instance : made);
    muster->version = mu_copy_text(options->version);
    muster->service_address = mu_copy_text(options->service_address);
    muster->namespace_ = mu_copy_text(options->namespace_);
    muster->type = options->type;
    muster->wanted_interval = options->heartbeat_interval_ms;
    muster->entries_end = &muster->entries;
    pthread_mutex_init(&muster->lock, NULL);
    mu_cond_init(&muster->changed);
    mu_cancel_open(muster->cancel);
    mu_http_init(&muster->http, &muster->target, muster->cancel[0]);
    if (muster->enabled)
        mu_thread_start(&muster->thread, run, muster);
    return muster;
}

int muster_wait_registered(Muster *muster, int timeout_ms) {
    if (!muster->enabled || !muster->service_name)
        return -ENOTCONN;
    int64_t deadline = mu_now_ms() + timeout_ms;
    pthread_mutex_lock(&muster->lock);
    while (!muster->registered && mu_now_ms() < deadline)
        mu_wait_until(muster, deadline);
    bool registered = muster->registered;
    pthread_mutex_unlock(&muster->lock);
    return registered ? 0 : -ETIMEDOUT;
}

static void good_bye(Muster *muster) {
    pthread_mutex_lock(&muster->lock);
    muster->stopping = true;
    pthread_cond_broadcast(&muster->changed);
    /* A call under way is let come to its end, lest entries be sent twice; but not for long. */
    for (int64_t patience = mu_now_ms() + PATIENCE_MS; !muster->ended && mu_now_ms() < patience;)
        mu_wait_until(muster, patience);
    pthread_mutex_unlock(&muster->lock);
    mu_cancel(muster->cancel);
    pthread_join(muster->thread, NULL);
    muster->http.cancel = -1;
    muster->http.end = mu_now_ms() + GOOD_BYE_MS;
    if (muster->registered)
        mu_activity_send(muster);
    mu_logs_send(muster);
    if (muster->registered)
        unregister_service(muster);
}

void muster_stop(Muster *muster) {
    if (!muster)
        return;
    if (muster->enabled)
        good_bye(muster);
    mu_cancel_close(muster->cancel);
    mu_http_close(&muster->http);
    for (size_t i = 0; i < muster->idle_count; i++) {
        mu_http_close(muster->idle[i]);
        free(muster->idle[i]);
    }
    mu_activity_free(muster);
    mu_logs_free(muster);
    mu_offers_free(muster);
    mu_target_done(&muster->target);
    pthread_cond_destroy(&muster->changed);
    pthread_mutex_destroy(&muster->lock);
    char *texts[] = {muster->service_name,    muster->instance_id, muster->version,
                     muster->service_address, muster->namespace_,  muster->health_message};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    free(muster);
}

/* ---- health ---- */

void muster_report_health(Muster *muster, MusterHealth health, const char *message) {
    pthread_mutex_lock(&muster->lock);
    muster->health = health;
    mu_set_text(&muster->health_message, message);
    muster->beat_now = true;
    pthread_cond_broadcast(&muster->changed);
    pthread_mutex_unlock(&muster->lock);
}

void muster_count_error(Muster *muster) {
    pthread_mutex_lock(&muster->lock);
    muster->errors++;
    pthread_mutex_unlock(&muster->lock);
}

void muster_in_flight(Muster *muster, int change) {
    pthread_mutex_lock(&muster->lock);
    muster->in_flight += change;
    pthread_mutex_unlock(&muster->lock);
}
