#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

typedef struct Choice {
    MusterInstance instance;
    int64_t credit; /* smooth weighted round robin, as nginx does it */
} Choice;

struct MusterWatch {
    Muster *muster;
    char *name, *role;
    pthread_t thread;
    int cancel[2];
    Http http;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    Choice *choices;
    size_t count;
};

static void take_list(MusterWatch *watch, const Bytes *message) {
    Choice *choices = NULL;
    size_t count = 0, room = 0;
    for (Reader reader = mu_reader_of(message->ptr, message->len); mu_reader_next(&reader);)
        room += reader.field == 1;
    choices = mu_allocate((room + 1) * sizeof *choices);
    for (Reader reader = mu_reader_of(message->ptr, message->len); mu_reader_next(&reader);)
        if (reader.field == 1)
            mu_instance_read(mu_reader_inner(&reader), &choices[count++].instance);
    pthread_mutex_lock(&watch->lock);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < watch->count; j++)
            if (strcmp(choices[i].instance.registration_id,
                       watch->choices[j].instance.registration_id) == 0)
                choices[i].credit = watch->choices[j].credit;
    free(watch->choices);
    watch->choices = choices;
    watch->count = count;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
}

/* One stream, to its end. True when it has told anything. */
static bool follow(MusterWatch *watch) {
    Muster *muster = watch->muster;
    Bytes request = {0}, stream = {0}, in = {0}, message = {0};
    mu_put_text(&request, 1, watch->name);
    mu_put_text(&request, 2, watch->role);
    pthread_mutex_lock(&muster->lock);
    mu_put_text(&request, 3, muster->service_id);
    pthread_mutex_unlock(&muster->lock);
    mu_rpc_envelope(&stream, &request);
    bool told = false;
    if (mu_rpc_begin(&watch->http, BROKER("WatchService"), &stream, CALL_MS) == 0)
        while (mu_rpc_next(&watch->http, &in, &message) == 1) {
            take_list(watch, &message);
            told = true;
        }
    mu_http_close(&watch->http);
    mu_bytes_done(&request);
    mu_bytes_done(&stream);
    mu_bytes_done(&in);
    mu_bytes_done(&message);
    return told;
}

static void wait_watch(MusterWatch *watch, int64_t deadline_ms) {
    struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
    pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
}

static void *run(void *argument) {
    MusterWatch *watch = argument;
    int tries = 0;
    pthread_mutex_lock(&watch->lock);
    while (!watch->stopping) {
        pthread_mutex_unlock(&watch->lock);
        tries = follow(watch) ? 0 : tries + 1;
        int64_t until = mu_now_ms() + mu_backoff_ms(tries);
        pthread_mutex_lock(&watch->lock);
        while (!watch->stopping && mu_now_ms() < until)
            wait_watch(watch, until);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

MusterWatch *muster_watch(Muster *muster, const char *name, const char *role) {
    MusterWatch *watch = mu_allocate(sizeof *watch);
    watch->muster = muster;
    watch->name = mu_copy_text(name);
    watch->role = mu_copy_text(role);
    pthread_mutex_init(&watch->lock, NULL);
    mu_cond_init(&watch->changed);
    mu_cancel_open(watch->cancel);
    mu_http_init(&watch->http, &muster->target, watch->cancel[0]);
    if (muster->enabled)
        mu_thread_start(&watch->thread, run, watch);
    return watch;
}

static void choose(MusterWatch *watch, MusterInstance *ret) {
    Choice *chosen = NULL;
    int64_t total = 0;
    for (size_t i = 0; i < watch->count; i++) {
        Choice *choice = &watch->choices[i];
        choice->credit += choice->instance.weight;
        total += choice->instance.weight;
        if (!chosen || choice->credit > chosen->credit)
            chosen = choice;
    }
    chosen->credit -= total;
    *ret = chosen->instance;
}

int muster_watch_next(MusterWatch *watch, int timeout_ms, MusterInstance *ret) {
    int64_t deadline = mu_now_ms() + timeout_ms;
    pthread_mutex_lock(&watch->lock);
    while (!watch->count && mu_now_ms() < deadline)
        wait_watch(watch, deadline);
    bool found = watch->count > 0;
    if (found)
        choose(watch, ret);
    pthread_mutex_unlock(&watch->lock);
    return found ? 0 : -ETIMEDOUT;
}

size_t muster_watch_count(MusterWatch *watch) {
    pthread_mutex_lock(&watch->lock);
    size_t count = watch->count;
    pthread_mutex_unlock(&watch->lock);
    return count;
}

void muster_watch_free(MusterWatch *watch) {
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->stopping = true;
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    mu_cancel(watch->cancel);
    if (watch->muster->enabled)
        pthread_join(watch->thread, NULL);
    mu_cancel_close(watch->cancel);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    free(watch->choices);
    free(watch->name);
    free(watch->role);
    free(watch);
}
