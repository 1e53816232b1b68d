/* What the broker is made of: offers, found by their names, made by providers. */
#pragma once

#include "base/array.h"
#include "base/map.h"
#include "services/broker/broker.h"

/* An entry of the index. An offer stands under its own name and under the name of the service
 * that makes it. */
typedef struct Name {
    struct Offer **offers; /* in no order: an offer knows its place */
    size_t count, capacity;
    size_t usable_providers; /* of the service of this name */
    int64_t revision;        /* of the last change under this name */
    Link empty;              /* in Broker.empty_names while it has no offers */
    size_t text_len;
    char text[];
} Name;

typedef struct Provider {
    Broker *broker;
    BrokerProvider is; /* its texts lie behind it */
    bool stopping;
    struct Offer *offers; /* linked by Offer.next */
    size_t count, usable;
    char bytes[];
} Provider;

enum { BY_NAME, BY_SERVICE, INDEXES };

typedef struct Offer {
    Broker *broker;
    RtBrokerInstance is; /* its texts lie behind it; what answers hold is a copy of this */
    Span identity;       /* service_id, name, role, address, each with a NUL behind */
    Provider *provider;  /* NULL: it lives by its lease */
    struct Offer *next;  /* of the same provider */
    struct {
        Name *name; /* NULL: not indexed so */
        size_t at;
    } index[INDEXES];
    Timer lease;
    Nanos lease_length;
    RtBalancingPolicy policy;
    int64_t credit;       /* of smooth weighted round robin */
    uint64_t fingerprint; /* of its address: for sticky choices, the same from run to run */
    size_t size;
    char bytes[];
} Offer;

struct Broker {
    BrokerOptions options;
    size_t held;            /* bytes of offers */
    Map by_id, by_identity; /* Offer */
    Map names;              /* Name */
    Map providers;          /* Provider by service_id */
    Map processes;          /* Provider by instance_id, of those that have one */
    Link empty_names;       /* the longest empty first */
    size_t empty_count, usable;
    uint64_t next_id;
    int64_t revision;
};

/* A copy of what the offer says, with its load as of now. */
RtBrokerInstance offer_view(const Offer *offer);

/* A map<string, string> of any message. */
typedef struct Pair {
    SchemaUnknown *unknown;
    Span key, value;
} Pair;
typedef struct Pairs {
    const Pair *items;
    size_t count;
} Pairs;
#define PAIRS(map) ((Pairs){(const Pair *)(map).items, (map).count})

/* Whether it plays this role (empty: any) and has these metadata. */
bool offer_matches(const Offer *offer, Span role, Pairs metadata);
