/* The broker: who offers which service, where, and whom a caller should take.
 *
 * An offer is what one server says of itself under a name and a role. It comes from a provider,
 * an instance registered with the topology, and lives as long as that does; or from nobody known,
 * and then lives by a lease. Offers are found by their own name ("CalculatorService") and by the
 * name of the service that makes them ("calculator-server").
 *
 * An offer is usable when its provider is neither STARTING nor UNHEALTHY nor about to be stopped,
 * and its weight is above 0. Lookups return usable offers only, the one to call first.
 *
 * Requests and answers are the messages of runtime/v1/broker.proto. What an answer points to
 * belongs to the broker and is valid until the broker changes. All calls come from one thread;
 * nothing here reads a clock. */
#pragma once

#include "base/status.h"
#include "base/wheel.h"
#include "runtime/v1/broker.pb.h"

typedef struct Broker Broker;
typedef struct Context Context;

/* The broker of this runtime; see core/context.h. */
Broker *broker_of(Context *context);

/* What peers may fill it with; beyond it a registration gets RESOURCE_EXHAUSTED. */
#define BROKER_OFFERS_MAX          1000000
#define BROKER_BYTES_MAX           ((size_t)512 << 20) /* of all offers together */
#define BROKER_PROVIDER_OFFERS_MAX 256                 /* offers of one provider */
#define BROKER_METADATA_MAX        64                  /* entries of one offer … */
#define BROKER_TEXT_MAX            1024                /* … and bytes of any of its texts */
#define BROKER_NAME_MAX            128

/* Names that nobody offers any more are remembered, so that a lookup can tell them from those that
 * never were: so many of them, the oldest are forgotten. */
#define BROKER_EMPTY_NAMES_MAX 1024

#define BROKER_LEASE_DEFAULT_MS 15000
#define BROKER_LEASE_MAX_MS     (24 * 60 * 60 * 1000)

typedef enum BrokerChange { BROKER_REGISTERED, BROKER_CHANGED, BROKER_REMOVED } BrokerChange;

typedef struct BrokerOptions {
    uint64_t seed;  /* of hashes and registration ids: random */
    uint64_t epoch; /* of revisions: differs from run to run of the program */
    Wheel *wheel;   /* on which leases run out */
    void *owner;
    /* How busy a provider is, 0 idle and up; negative when it never said. Asked when the policy
     * LEAST_LOADED has to choose. NULL = nobody ever said. */
    double (*load)(void *owner, Span service_id);
    /* An offer came, changed (its health, what it says of itself) or went. NULL = nobody asks. Calls
     * into the broker from here only read. */
    void (*changed)(void *owner, BrokerChange change, const RtBrokerInstance *offer);
} BrokerOptions;

Broker *broker_new(const BrokerOptions *options);
void broker_free(Broker *broker);

/* Who makes an offer: a registered instance. */
typedef struct BrokerProvider {
    Span service_id;
    Span service_name;
    Span instance_id; /* the orchestrator's name for its process; empty: none */
    Span host;
    RtHealthState health;
} BrokerProvider;

/* Makes or replaces an offer. `provider` is the one that request->service_id names, NULL when that
 * is empty. `now` is on the wheel's clock, `wall` Unix time. */
Status broker_register(Broker *broker, const RtRegisterInstanceRequest *request,
                       const BrokerProvider *provider, Nanos now, Nanos wall, Arena *arena,
                       RtRegisterInstanceResponse *ret);

Status broker_renew(Broker *broker, const RtRenewInstanceRequest *request, Nanos now, Nanos wall,
                    Arena *arena, RtRenewInstanceResponse *ret);

/* Whether there was one. */
bool broker_deregister(Broker *broker, Span registration_id);

/* The usable offers, the one to call first, by the policy; `host` is the caller's machine for the
 * policy SAME_HOST. */
Status broker_lookup(Broker *broker, const RtLookupServiceRequest *request, Span host, Arena *arena,
                     RtLookupServiceResponse *ret);

/* All offers of a name and role, empty meaning any: by name, role and registration_id. */
void broker_list(const Broker *broker, const RtListInstancesRequest *request, Arena *arena,
                 RtListInstancesResponse *ret);

/* What a watcher is told now: the usable offers of the name by registration_id. */
void broker_watch_state(const Broker *broker, const RtWatchServiceRequest *request, Arena *arena,
                        RtWatchServiceResponse *ret);

/* The number of the last change that a lookup of this name could see; 0: there was none. */
int64_t broker_name_revision(const Broker *broker, Span name);

/* ---- what becomes of providers ---- */

/* Its offers become usable or cease to be. */
void broker_provider_health(Broker *broker, Span service_id, RtHealthState health);

/* It is gone: so are its offers. */
void broker_provider_gone(Broker *broker, Span service_id);

/* The process of a provider is asked to stop: its offers are not usable any more. */
void broker_process_stopping(Broker *broker, Span instance_id);

/* The process of a provider has ended: its offers are gone. */
void broker_process_ended(Broker *broker, Span instance_id);

/* How many providers with this service name make an offer that is usable. */
size_t broker_usable_providers(const Broker *broker, Span service_name);

typedef struct BrokerCounts {
    size_t offers, usable, providers, names;
} BrokerCounts;
BrokerCounts broker_counts(const Broker *broker);
