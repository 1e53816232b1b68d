/* A service's connection to Muster, in C: registration and heartbeats, the calls it makes, logs,
 * and finding other services by name.
 *
 *     Muster *muster = muster_start(NULL);            // everything from the environment
 *     muster_offer(muster, &(MusterOffer){.name = "CalculatorService", .address = "127.0.0.1:4000"});
 *     muster_log(muster, MUSTER_INFO, "calculating");
 *     …
 *     muster_stop(muster);
 *
 * A service does not fail for Muster's sake. Without a runtime (no MUSTER_ADDRESS) every call works
 * and does nothing; while the runtime is away, what it needs to know is told when it is back: the
 * library connects, registers and offers again by itself, under the same instance id, so that no
 * second node appears.
 *
 * Any thread may call any function. Functions do not block unless they say so; a thread of the
 * library's own does the talking. Strings are UTF-8 and copied; NULL means left out. Functions that
 * can fail return a negative errno. Only libc and pthread are needed; for an https address the
 * machine's OpenSSL 3 is loaded. Do not use a Muster in a forked child. */
#ifndef MUSTER_H
#define MUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MUSTER_API              __attribute__((visibility("default")))
#define MUSTER_PRINTF(text, at) __attribute__((format(printf, text, at)))
#else
#define MUSTER_API
#define MUSTER_PRINTF(text, at)
#endif

typedef struct Muster Muster;

/* ---- beginning and end ---- */

typedef enum MusterType { MUSTER_SERVER = 0, MUSTER_CLIENT = 1, MUSTER_HYBRID = 2 } MusterType;

/* How a service presents itself. Zeroes are fine: then the environment says it all. */
typedef struct MusterOptions {
    const char *address; /* of the runtime: http://HOST:PORT, https://HOST:PORT or unix:PATH; NULL:
                            MUSTER_ADDRESS */
    const char *token;   /* NULL: MUSTER_TOKEN */
    const char *service_name; /* NULL: MUSTER_SERVICE; without either nothing is registered */
    const char *instance_id;  /* NULL: MUSTER_INSTANCE, otherwise one made up for this process */
    MusterType type;
    const char *version;
    const char *service_address;   /* where the service can be reached: 127.0.0.1:4000 */
    const char *namespace_;        /* groups services in the graph */
    int32_t heartbeat_interval_ms; /* that it would like; 0: the runtime's choice */
    const char
        *ca_file; /* PEM of whom to trust by https; NULL: MUSTER_CA_FILE, then the machine's */
} MusterOptions;

/* Begins to register, in the background. Never fails: out of memory ends the process. `options` may
 * be NULL. */
MUSTER_API Muster *muster_start(const MusterOptions *options);

/* Blocks until the service is registered, at most so long: 0; -ETIMEDOUT (it is tried on); -ENOTCONN
 * when there is no runtime to register with. */
MUSTER_API int muster_wait_registered(Muster *muster, int timeout_ms);

/* Says good-bye and frees it: what is left is sent, the node and its offers disappear. Blocks, for
 * two seconds at most. Watches are freed before, and nothing else may use it any more. */
MUSTER_API void muster_stop(Muster *muster);

/* ---- health and load: told with each heartbeat ---- */

typedef enum MusterHealth {
    MUSTER_HEALTH_UNKNOWN = 0,
    MUSTER_HEALTH_STARTING = 1,
    MUSTER_HEALTH_HEALTHY = 2,
    MUSTER_HEALTH_DEGRADED = 3,
    MUSTER_HEALTH_UNHEALTHY = 4,
} MusterHealth;

/* How the service is, in its own judgement; told at once. */
MUSTER_API void muster_report_health(Muster *muster, MusterHealth health, const char *message);

/* One error more for the next heartbeat to tell. */
MUSTER_API void muster_count_error(Muster *muster);

/* A call that the service handles has begun (1), or ended (-1). */
MUSTER_API void muster_in_flight(Muster *muster, int change);

/* ---- correlation: which request the work at hand belongs to ---- */

#define MUSTER_CORRELATION_SIZE 128 /* bytes with the NUL; longer ids are cut off */

/* The name of the metadata or header that carries it. */
#define MUSTER_CORRELATION_HEADER "x-correlation-id"

/* The id of this thread from now on; NULL: none. Logs, reports and lookups of the thread bear it. */
MUSTER_API void muster_set_correlation_id(const char *id);

/* This thread's, "" when it has none; valid until the next call of the one above. */
MUSTER_API const char *muster_correlation_id(void);

/* Makes a new one: "req-" and 16 random digits. */
MUSTER_API void muster_new_correlation_id(char out[MUSTER_CORRELATION_SIZE]);

/* ---- the calls that this service makes ---- */

typedef struct MusterCall {
    const char *target; /* whom it called: the service, or what it looked up */
    const char *method; /* "Add" */
    int64_t latency_us;
    const char *error;    /* what went wrong; NULL: nothing */
    const char *protocol; /* lower case; NULL: grpc */
} MusterCall;

/* Reports a call that has ended. Calls are added up and sent once a second; at most 256 different
 * targets and methods in a second, further ones are left out. */
MUSTER_API void muster_report_call(Muster *muster, const MusterCall *call);

/* ---- logs ---- */

typedef enum MusterLevel {
    MUSTER_TRACE = 0,
    MUSTER_DEBUG = 1,
    MUSTER_INFO = 2,
    MUSTER_WARN = 3,
    MUSTER_ERROR = 4,
    MUSTER_FATAL = 5,
} MusterLevel;

/* Sends an entry, as printf makes it, with the thread's correlation id. Without a runtime it goes to
 * stderr instead. Entries wait for a runtime that is away, 4096 at most: beyond that the oldest are
 * dropped, and their number is logged. */
MUSTER_API void muster_log(Muster *muster, MusterLevel level, const char *format, ...)
    MUSTER_PRINTF(3, 4);

/* ---- offering services ---- */

typedef struct MusterOffer {
    const char *name;    /* what others look up: "CalculatorService" */
    const char *role;    /* NULL: server */
    const char *address; /* where it is reached: 127.0.0.1:4000 */
    int32_t weight;      /* its share among others; 0: 1 */
} MusterOffer;

/* Offers a service for as long as this one is registered. -EINVAL: it has no name or address. */
MUSTER_API int muster_offer(Muster *muster, const MusterOffer *offer);

/* Withdraws what was offered under that name. */
MUSTER_API void muster_withdraw(Muster *muster, const char *name);

/* ---- finding services ---- */

#define MUSTER_NAME_SIZE    256
#define MUSTER_ADDRESS_SIZE 256

typedef struct MusterInstance {
    char address[MUSTER_ADDRESS_SIZE];
    char service_name[MUSTER_NAME_SIZE]; /* of the service behind it; may be empty */
    char registration_id[MUSTER_NAME_SIZE];
    int32_t weight;
    MusterHealth health;
} MusterInstance;

typedef enum MusterPolicy {
    MUSTER_POLICY_DEFAULT = 0, /* what is configured for the service, otherwise round robin */
    MUSTER_ROUND_ROBIN = 1,
    MUSTER_LEAST_LOADED = 2,
    MUSTER_SAME_HOST = 3,
} MusterPolicy;

typedef struct MusterLookup {
    const char *name;
    const char *role;       /* NULL: any */
    const char *sticky_key; /* the same key leads to the same instance while that one is usable */
    MusterPolicy policy;
} MusterLookup;

/* Asks the broker for the usable instances, the one to call first. Blocks, for 5 s at most. How many
 * were written to `ret`, at most `max`; 0: nobody offers it; -ENOTCONN: there is no runtime, or it is
 * away; -ETIMEDOUT; -EPROTO: it refused. */
MUSTER_API int muster_lookup(Muster *muster, const MusterLookup *lookup, MusterInstance *ret,
                             size_t max);

/* A list of usable instances that the broker keeps up to date, so that choosing asks nobody. While
 * the runtime is away the last list stays. */
typedef struct MusterWatch MusterWatch;

MUSTER_API MusterWatch *muster_watch(Muster *muster, const char *name, const char *role);

/* The next instance to call: in turn, as often as weights say. Blocks while there is none, at most so
 * long: 0, or -ETIMEDOUT. */
MUSTER_API int muster_watch_next(MusterWatch *watch, int timeout_ms, MusterInstance *ret);

/* How many there are now. */
MUSTER_API size_t muster_watch_count(MusterWatch *watch);

/* Nobody else may be in a call on it. Blocks for a moment. */
MUSTER_API void muster_watch_free(MusterWatch *watch);

#ifdef __cplusplus
}
#endif

#endif
