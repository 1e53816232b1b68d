#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"
#include "os/address.h"
#include "services/broker/internal.h"

#define ID_LEN     32
#define WEIGHT_MAX 1000000

/* ---- keys ---- */

static Span offer_id(const void *item) {
    return ((const Offer *)item)->is.registration_id;
}
static Span offer_identity(const void *item) {
    return ((const Offer *)item)->identity;
}
static Span name_text(const void *item) {
    const Name *name = item;
    return span(name->text, name->text_len);
}
static Span provider_id(const void *item) {
    return ((const Provider *)item)->is.service_id;
}
static Span provider_process(const void *item) {
    return ((const Provider *)item)->is.instance_id;
}

/* Copies the text to *at and moves *at behind it. */
static Span place(char **at, Span text) {
    if (!text.len)
        return (Span){0};
    char *to = memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return span(to, text.len);
}

/* ---- the broker ---- */

Broker *broker_new(const BrokerOptions *options) {
    Broker *broker = xcalloc(1, sizeof *broker);
    broker->options = *options;
    map_init(&broker->by_id, offer_id, options->seed);
    map_init(&broker->by_identity, offer_identity, options->seed);
    map_init(&broker->names, name_text, options->seed);
    map_init(&broker->providers, provider_id, options->seed);
    map_init(&broker->processes, provider_process, options->seed);
    list_init(&broker->empty_names);
    return broker;
}

void broker_free(Broker *broker) {
    if (!broker)
        return;
    size_t at = 0;
    for (Offer *offer; (offer = map_next(&broker->by_id, &at));) {
        wheel_cancel(broker->options.wheel, &offer->lease);
        free(offer);
    }
    at = 0;
    for (Provider *provider; (provider = map_next(&broker->providers, &at));)
        free(provider);
    at = 0;
    for (Name *name; (name = map_next(&broker->names, &at));) {
        free(name->offers);
        free(name);
    }
    map_done(&broker->by_id);
    map_done(&broker->by_identity);
    map_done(&broker->names);
    map_done(&broker->providers);
    map_done(&broker->processes);
    free(broker);
}

BrokerCounts broker_counts(const Broker *broker) {
    return (BrokerCounts){
        .offers = broker->by_id.count,
        .usable = broker->usable,
        .providers = broker->providers.count,
        .names = broker->names.count,
    };
}

/* ---- names ---- */

static void forget_oldest_name(Broker *broker) {
    Name *name = CONTAINER(list_pop_front(&broker->empty_names), Name, empty);
    broker->empty_count--;
    map_remove(&broker->names, name_text(name));
    free(name->offers);
    free(name);
}

static Name *name_at(Broker *broker, Span text) {
    Name *name = map_get(&broker->names, text);
    if (name)
        return name;
    name = xcalloc(1, sizeof *name + text.len);
    name->text_len = text.len;
    memcpy(name->text, text.ptr, text.len);
    list_init(&name->empty);
    map_put(&broker->names, name);
    return name;
}

static void index_add(Offer *offer, int which, Span text) {
    Broker *broker = offer->broker;
    Name *name = name_at(broker, text);
    if (!list_empty(&name->empty)) {
        list_remove(&name->empty);
        broker->empty_count--;
    }
    if (name->count == name->capacity) {
        name->capacity = name->capacity ? name->capacity * 2 : 1;
        name->offers = xrealloc(name->offers, name->capacity * sizeof *name->offers);
    }
    offer->index[which].name = name;
    offer->index[which].at = name->count;
    name->offers[name->count++] = offer;
}

static void index_remove(Offer *offer, int which) {
    Name *name = offer->index[which].name;
    size_t at = offer->index[which].at;
    if (!name)
        return;
    Offer *last = name->offers[--name->count];
    name->offers[at] = last;
    for (int i = 0; i < INDEXES; i++)
        if (last->index[i].name == name)
            last->index[i].at = at;
    offer->index[which].name = NULL;
    if (name->count)
        return;
    list_push_back(&offer->broker->empty_names, &name->empty);
    if (++offer->broker->empty_count > BROKER_EMPTY_NAMES_MAX)
        forget_oldest_name(offer->broker);
}

/* ---- offers ---- */

static bool provider_is_fit(const Provider *provider) {
    return !provider || (!provider->stopping && provider->is.health != RT_HEALTH_STATE_STARTING &&
                         provider->is.health != RT_HEALTH_STATE_UNHEALTHY);
}

RtBrokerInstance offer_view(const Offer *offer) {
    const BrokerOptions *options = &offer->broker->options;
    RtBrokerInstance view = offer->is;
    if (offer->provider && options->load) {
        double load = options->load(options->owner, view.service_id);
        view.load = load > 0 ? load : 0;
    }
    return view;
}

bool offer_matches(const Offer *offer, Span role, Pairs metadata) {
    if (role.len && !span_equal(role, offer->is.role))
        return false;
    Pairs own = PAIRS(offer->is.metadata);
    for (size_t i = 0; i < metadata.count; i++) {
        size_t j = 0;
        while (j < own.count && !(span_equal(own.items[j].key, metadata.items[i].key) &&
                                  span_equal(own.items[j].value, metadata.items[i].value)))
            j++;
        if (j == own.count)
            return false;
    }
    return true;
}

/* Keeps the counts of what is usable right. */
static void set_usable(Offer *offer, bool usable) {
    Provider *provider = offer->provider;
    if (usable == offer->is.usable)
        return;
    offer->is.usable = usable;
    offer->broker->usable += usable ? 1 : (size_t)-1;
    if (!provider)
        return;
    size_t before = provider->usable;
    provider->usable += usable ? 1 : (size_t)-1;
    Name *service = offer->index[offer->index[BY_SERVICE].name ? BY_SERVICE : BY_NAME].name;
    if (!before != !provider->usable)
        service->usable_providers += usable ? 1 : (size_t)-1;
}

/* Brings `usable` up to date, gives the change its number and tells of it. */
static void offer_changed(Offer *offer, BrokerChange change) {
    Broker *broker = offer->broker;
    set_usable(offer, change != BROKER_REMOVED && offer->is.weight > 0 &&
                          provider_is_fit(offer->provider));
    broker->revision++;
    for (int i = 0; i < INDEXES; i++)
        if (offer->index[i].name)
            offer->index[i].name->revision = broker->revision;
    if (broker->options.changed) {
        RtBrokerInstance view = offer_view(offer);
        broker->options.changed(broker->options.owner, change, &view);
    }
}

static void provider_free(Provider *provider) {
    Broker *broker = provider->broker;
    map_remove(&broker->providers, provider->is.service_id);
    if (provider->is.instance_id.len &&
        map_get(&broker->processes, provider->is.instance_id) == provider)
        map_remove(&broker->processes, provider->is.instance_id);
    free(provider);
}

static void provider_leave(Offer *offer) {
    Provider *provider = offer->provider;
    if (!provider)
        return;
    Offer **link = &provider->offers;
    while (*link != offer)
        link = &(*link)->next;
    *link = offer->next;
    offer->provider = NULL;
    if (--provider->count == 0)
        provider_free(provider);
}

/* Out of all indexes, without a word. */
static void offer_unlink(Offer *offer) {
    Broker *broker = offer->broker;
    map_remove(&broker->by_id, offer->is.registration_id);
    map_remove(&broker->by_identity, offer->identity);
    for (int i = 0; i < INDEXES; i++)
        index_remove(offer, i);
    wheel_cancel(broker->options.wheel, &offer->lease);
}

static void offer_free(Offer *offer) {
    offer->broker->held -= offer->size;
    free(offer);
}

static void offer_remove(Offer *offer) {
    offer_changed(offer, BROKER_REMOVED);
    offer_unlink(offer);
    provider_leave(offer);
    offer_free(offer);
}

static void on_lease_over(Timer *timer) {
    offer_remove(CONTAINER(timer, Offer, lease));
}

static void link_provider(Offer *offer, Provider *provider) {
    offer->provider = provider;
    if (!provider)
        return;
    offer->next = provider->offers;
    provider->offers = offer;
    provider->count++;
}

static void offer_link(Offer *offer) {
    Broker *broker = offer->broker;
    map_put(&broker->by_id, offer);
    map_put(&broker->by_identity, offer);
    index_add(offer, BY_NAME, offer->is.name);
    if (offer->is.service_name.len && !span_equal(offer->is.service_name, offer->is.name))
        index_add(offer, BY_SERVICE, offer->is.service_name);
}

/* ---- providers ---- */

static Provider *provider_at(Broker *broker, const BrokerProvider *is) {
    Provider *provider = map_get(&broker->providers, is->service_id);
    if (provider)
        return provider;
    size_t size = is->service_id.len + is->service_name.len + is->instance_id.len + is->host.len;
    provider = xcalloc(1, sizeof *provider + size);
    char *at = provider->bytes;
    provider->broker = broker;
    provider->is.service_id = place(&at, is->service_id);
    provider->is.service_name = place(&at, is->service_name);
    provider->is.instance_id = place(&at, is->instance_id);
    provider->is.host = place(&at, is->host);
    provider->is.health = is->health;
    map_put(&broker->providers, provider);
    if (provider->is.instance_id.len)
        map_put(&broker->processes, provider);
    return provider;
}

/* With the last of its offers the provider goes, too. */
static void remove_offers(Provider *provider) {
    if (!provider)
        return;
    for (size_t left = provider->count; left > 0; left--)
        offer_remove(provider->offers);
}

void broker_provider_gone(Broker *broker, Span service_id) {
    remove_offers(map_get(&broker->providers, service_id));
}

void broker_process_ended(Broker *broker, Span instance_id) {
    remove_offers(map_get(&broker->processes, instance_id));
}

void broker_provider_health(Broker *broker, Span service_id, RtHealthState health) {
    Provider *provider = map_get(&broker->providers, service_id);
    if (!provider || provider->is.health == health)
        return;
    provider->is.health = health;
    for (Offer *offer = provider->offers; offer; offer = offer->next) {
        offer->is.health = (int32_t)health;
        offer_changed(offer, BROKER_CHANGED);
    }
}

void broker_process_stopping(Broker *broker, Span instance_id) {
    Provider *provider = map_get(&broker->processes, instance_id);
    if (!provider || provider->stopping)
        return;
    provider->stopping = true;
    for (Offer *offer = provider->offers; offer; offer = offer->next)
        offer_changed(offer, BROKER_CHANGED);
}

/* ---- registration ---- */

static bool is_name(Span text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return text.len <= BROKER_NAME_MAX;
}

static Status check_request(const RtRegisterInstanceRequest *request, Arena *arena) {
    Address address;
    if (!request->name.len || !is_name(request->name))
        return status_make(arena, STATUS_INVALID_ARGUMENT,
                           "name: '%.*s': write 1 to %d letters, digits, '.', '_' or '-'",
                           SPAN_ARGS(request->name), BROKER_NAME_MAX);
    if (!is_name(request->role))
        return status_make(arena, STATUS_INVALID_ARGUMENT,
                           "role: '%.*s': write at most %d letters, digits, '.', '_' or '-'",
                           SPAN_ARGS(request->role), BROKER_NAME_MAX);
    if (!address_parse(request->address, &address))
        return status_make(arena, STATUS_INVALID_ARGUMENT,
                           "address: '%.*s': write HOST:PORT or unix:PATH",
                           SPAN_ARGS(request->address));
    if (request->has_weight && (request->weight < 0 || request->weight > WEIGHT_MAX))
        return status_make(arena, STATUS_INVALID_ARGUMENT, "weight: %d: write 0 to %d",
                           request->weight, WEIGHT_MAX);
    if (request->lease_ms < 0 || request->lease_ms > BROKER_LEASE_MAX_MS)
        return status_make(arena, STATUS_INVALID_ARGUMENT, "lease_ms: %d: write at most %d",
                           request->lease_ms, BROKER_LEASE_MAX_MS);
    if (request->metadata.count > BROKER_METADATA_MAX)
        return status_make(arena, STATUS_INVALID_ARGUMENT,
                           "metadata: %u entries: at most %d are kept", request->metadata.count,
                           BROKER_METADATA_MAX);
    for (size_t i = 0; i < request->metadata.count; i++)
        if (request->metadata.items[i].key.len + request->metadata.items[i].value.len >
            BROKER_TEXT_MAX)
            return status_make(arena, STATUS_INVALID_ARGUMENT,
                               "metadata: entry %zu is longer than %d bytes", i, BROKER_TEXT_MAX);
    return status_ok();
}

static Span role_of(const RtRegisterInstanceRequest *request) {
    return request->role.len ? request->role : SPAN("server");
}

static Span make_identity(const RtRegisterInstanceRequest *request, Arena *arena) {
    const Span parts[] = {request->service_id, request->name, role_of(request), request->address};
    Buf identity = {.arena = arena};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_add(&identity, parts[i]);
        buf_add_char(&identity, 0);
    }
    return buf_span(&identity);
}

/* Ids that nobody guesses who does not know the seed. */
static void make_id(Broker *broker, char *out) {
    uint64_t number = broker->next_id++;
    uint64_t high = hash_bytes(span(&number, sizeof number), broker->options.seed);
    uint64_t low = hash_bytes(span(&high, sizeof high), ~broker->options.seed ^ number);
    for (int i = 0; i < ID_LEN / 2; i++) {
        out[i] = "0123456789abcdef"[high >> (60 - 4 * i) & 15];
        out[ID_LEN / 2 + i] = "0123456789abcdef"[low >> (60 - 4 * i) & 15];
    }
}

static size_t offer_size(const RtRegisterInstanceRequest *request, const BrokerProvider *by,
                         Span identity) {
    Pairs metadata = PAIRS(request->metadata);
    size_t size = sizeof(Offer) + metadata.count * sizeof(Pair) + identity.len + ID_LEN;
    if (by)
        size += by->service_name.len + by->host.len;
    for (size_t i = 0; i < metadata.count; i++)
        size += metadata.items[i].key.len + metadata.items[i].value.len;
    return size;
}

/* The metadata stand in front of the texts, so that they are aligned. */
static Offer *offer_new(Broker *broker, const RtRegisterInstanceRequest *request,
                        const BrokerProvider *by, Span identity, Span id) {
    Pairs metadata = PAIRS(request->metadata);
    size_t size = offer_size(request, by, identity);
    Offer *offer = xcalloc(1, size);
    broker->held += size;
    offer->size = size;
    Pair *pairs = (Pair *)offer->bytes;
    char *at = offer->bytes + metadata.count * sizeof(Pair);
    offer->broker = broker;
    offer->identity = place(&at, identity);
    RtBrokerInstance *is = &offer->is;
    const char *part = offer->identity.ptr;
    is->service_id = span(part, request->service_id.len);
    is->name = span(part += is->service_id.len + 1, request->name.len);
    is->role = span(part += is->name.len + 1, role_of(request).len);
    is->address = span(part + is->role.len + 1, request->address.len);
    is->registration_id = place(&at, id);
    is->service_name = by ? place(&at, by->service_name) : (Span){0};
    is->host = by ? place(&at, by->host) : (Span){0};
    for (size_t i = 0; i < metadata.count; i++)
        pairs[i] =
            (Pair){NULL, place(&at, metadata.items[i].key), place(&at, metadata.items[i].value)};
    is->metadata.items = (RtBrokerInstanceMetadataEntry *)pairs;
    is->metadata.count = is->metadata.capacity = (uint32_t)metadata.count;
    is->weight = request->has_weight ? request->weight : 1;
    is->health = by ? (int32_t)by->health : RT_HEALTH_STATE_HEALTH_UNKNOWN;
    offer->policy = (RtBalancingPolicy)request->default_policy;
    offer->fingerprint = hash_bytes(is->address, 0);
    offer->lease.fire = on_lease_over;
    return offer;
}

static Status check_room(Broker *broker, const BrokerProvider *by, Arena *arena) {
    const Provider *provider = by ? map_get(&broker->providers, by->service_id) : NULL;
    if (broker->by_id.count >= BROKER_OFFERS_MAX)
        return status_make(arena, STATUS_RESOURCE_EXHAUSTED,
                           "%d offers are registered already, which is all that are kept",
                           BROKER_OFFERS_MAX);
    if (provider && provider->count >= BROKER_PROVIDER_OFFERS_MAX)
        return status_make(arena, STATUS_RESOURCE_EXHAUSTED,
                           "service_id '%.*s' makes %d offers already: deregister one first",
                           SPAN_ARGS(by->service_id), BROKER_PROVIDER_OFFERS_MAX);
    return status_ok();
}

static void start_lease(Offer *offer, Nanos now, Nanos wall) {
    offer->is.expires_at_ms = (wall + offer->lease_length) / NANOS_PER_MILLI;
    wheel_arm(offer->broker->options.wheel, &offer->lease, now + offer->lease_length);
}

Status broker_register(Broker *broker, const RtRegisterInstanceRequest *request,
                       const BrokerProvider *by, Nanos now, Nanos wall, Arena *arena,
                       RtRegisterInstanceResponse *ret) {
    assert(!by == !request->service_id.len);
    Span identity = make_identity(request, arena);
    Offer *before = map_get(&broker->by_identity, identity);
    Status status = check_request(request, arena);
    if (status.code == STATUS_OK && !before)
        status = check_room(broker, by, arena);
    if (status.code == STATUS_OK &&
        broker->held + offer_size(request, by, identity) > BROKER_BYTES_MAX)
        status = status_make(arena, STATUS_RESOURCE_EXHAUSTED,
                             "offers take %zu MiB, and more is not kept: register with less "
                             "metadata",
                             BROKER_BYTES_MAX >> 20);
    if (status.code != STATUS_OK)
        return status;
    char fresh[ID_LEN];
    if (!before)
        make_id(broker, fresh);
    Span id = before ? before->is.registration_id : span(fresh, ID_LEN);
    Offer *offer = offer_new(broker, request, by, identity, id);
    /* The provider is taken hold of first, since it goes with its last offer. */
    link_provider(offer, by ? provider_at(broker, by) : NULL);
    if (before) {
        set_usable(before, false);
        offer->credit = before->credit;
        offer_unlink(before);
        provider_leave(before);
        offer_free(before);
    }
    offer_link(offer);
    if (!by) {
        int32_t lease_ms = request->lease_ms ? request->lease_ms : BROKER_LEASE_DEFAULT_MS;
        offer->lease_length = lease_ms * NANOS_PER_MILLI;
        start_lease(offer, now, wall);
    }
    offer_changed(offer, before ? BROKER_CHANGED : BROKER_REGISTERED);
    *ret = (RtRegisterInstanceResponse){.registration_id = offer->is.registration_id,
                                        .expires_at_ms = offer->is.expires_at_ms};
    return status_ok();
}

Status broker_renew(Broker *broker, const RtRenewInstanceRequest *request, Nanos now, Nanos wall,
                    Arena *arena, RtRenewInstanceResponse *ret) {
    Offer *offer = map_get(&broker->by_id, request->registration_id);
    if (!offer)
        return status_make(arena, STATUS_NOT_FOUND,
                           "there is no offer '%.*s', or not any more: register it again",
                           SPAN_ARGS(request->registration_id));
    if (request->has_load && !(request->load >= 0))
        return status_make(arena, STATUS_INVALID_ARGUMENT, "load: write 0 or more");
    if (request->has_load)
        offer->is.load = request->load;
    if (!offer->provider)
        start_lease(offer, now, wall);
    *ret = (RtRenewInstanceResponse){.expires_at_ms = offer->is.expires_at_ms};
    return status_ok();
}

bool broker_deregister(Broker *broker, Span registration_id) {
    Offer *offer = map_get(&broker->by_id, registration_id);
    if (offer)
        offer_remove(offer);
    return offer != NULL;
}
