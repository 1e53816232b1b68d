/* The library's own pieces. Private. */
#pragma once

#include <pthread.h>

#include "muster.h"
#include "rpc.h"

#define CALL_MS  5000
#define POOL_MAX 8 /* connections for lookups that are kept */

#define TOPOLOGY(method) "/runtime.v1.TopologyService/" method
#define BROKER(method)   "/runtime.v1.BrokerService/" method
#define LOGGER(method)   "/runtime.v1.LoggerService/" method

typedef struct Offer {
    struct Offer *next;
    char *name, *role, *address;
    int32_t weight;
    bool made;      /* the runtime knows */
    bool withdrawn; /* goes once the runtime has been told */
    char registration_id[MUSTER_NAME_SIZE];
} Offer;

typedef struct Batch Batch; /* activity.c */
typedef struct Entry Entry; /* logs.c */

struct Muster {
    Target target;
    bool enabled; /* there is a runtime to talk to */
    char *service_name, *instance_id, *version, *service_address, *namespace_;
    MusterType type;
    int32_t wanted_interval;

    pthread_t thread;
    int cancel[2]; /* ends what waits for the network */
    Http http;     /* the thread's */

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stopping, ended, registered;
    bool beat_now, offers_changed;
    char service_id[MUSTER_NAME_SIZE];
    int32_t interval_ms;
    MusterHealth health;
    char *health_message;
    int errors, in_flight;
    int64_t sequence, round_trip_us;
    int64_t cpu_ns, cpu_at_ns; /* of the last beat */
    Offer *offers;
    Batch *batches;
    size_t batch_count;
    Entry *entries, **entries_end;
    size_t entry_count, dropped;
    Http *idle[POOL_MAX];
    size_t idle_count;
};

/* ---- muster.c ---- */

int64_t mu_clock_ns(int clock);
void mu_random_hex(char *out, size_t digits); /* and a NUL */
void mu_set_text(char **place, const char *text);
/* The pause before another try: grows from 100 ms to 5 s, a little different each time. */
int mu_backoff_ms(int tries);
/* Starts a thread that no signal comes to. */
void mu_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);
/* A pipe that becomes readable, and stays so, when whatever waits is to end. */
void mu_cancel_open(int pipe[2]);
void mu_cancel(const int pipe[2]);
void mu_cancel_close(const int pipe[2]);
/* Waits on `changed`, with the lock held, at most until then. */
void mu_wait_until(Muster *muster, int64_t deadline_ms);
void mu_cond_init(pthread_cond_t *cond);

/* ---- usage.c: ServiceMetrics of this process ---- */

void mu_usage_put(Muster *muster, Bytes *metrics);

/* ---- the rest of what the thread sends; each takes the lock itself ---- */

int mu_activity_send(Muster *muster);
void mu_activity_free(Muster *muster);
int mu_logs_send(Muster *muster);
bool mu_logs_waiting(Muster *muster);
void mu_logs_free(Muster *muster);
int mu_offers_send(Muster *muster);
void mu_offers_again(Muster *muster); /* with the lock held */
void mu_offers_free(Muster *muster);

void mu_instance_read(Reader reader, MusterInstance *ret);
