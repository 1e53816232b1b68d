/* Choosing among offers, and listing them. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "schema/codec.h"
#include "services/broker/internal.h"

#define NAMES_SHOWN 3

typedef struct Candidate {
    Offer *offer;
    double score;
} Candidate;

typedef struct Candidates {
    Candidate *items;
    size_t count;
    int32_t unusable;
} Candidates;

static const Name *find_name(const Broker *broker, Span text) {
    return map_get(&broker->names, text);
}

static Candidates collect(const Name *name, Span role, Pairs metadata, Arena *arena) {
    Candidates found = {.items = arena_alloc(arena, name->count * sizeof(Candidate))};
    for (size_t i = 0; i < name->count; i++) {
        Offer *offer = name->offers[i];
        if (!offer_matches(offer, role, metadata))
            continue;
        if (offer->is.usable)
            found.items[found.count++] = (Candidate){.offer = offer};
        else
            found.unusable++;
    }
    return found;
}

/* ---- orders ---- */

/* Ascending by score; the ids decide between equals, so that an order can be repeated. */
static int by_score(const void *a, const void *b) {
    const Candidate *left = a, *right = b;
    if (left->score != right->score)
        return left->score < right->score ? -1 : 1;
    return span_compare(left->offer->is.registration_id, right->offer->is.registration_id);
}

static int by_id(const void *a, const void *b) {
    const Candidate *left = a, *right = b;
    return span_compare(left->offer->is.registration_id, right->offer->is.registration_id);
}

static void rotate(Candidate *items, size_t count, size_t first, Arena *arena) {
    if (!first)
        return;
    Candidate *head = arena_alloc(arena, first * sizeof *head);
    memcpy(head, items, first * sizeof *head);
    memmove(items, items + first, (count - first) * sizeof *items);
    memcpy(items + count - first, head, first * sizeof *head);
}

/* Smooth weighted round robin, as nginx has it
 * (https://github.com/nginx/nginx/commit/52327e0627f49dbda1e8db695e63a4b0af4448b1): everyone gets
 * credit by weight, the richest is chosen and pays for all. The others follow in their turn. */
static void order_in_turn(Candidate *items, size_t count, Arena *arena) {
    int64_t total = 0;
    size_t richest = 0;
    if (count < 2)
        return;
    for (size_t i = 0; i < count; i++) {
        Offer *offer = items[i].offer;
        offer->credit += offer->is.weight;
        total += offer->is.weight;
        if (offer->credit > items[richest].offer->credit)
            richest = i;
    }
    items[richest].offer->credit -= total;
    rotate(items, count, richest, arena);
}

/* Those who never said how busy they are count as the busiest, so that newcomers are not flooded;
 * equals take turns. */
static void order_by_load(const Broker *broker, Candidates *found, Arena *arena) {
    double most = 0;
    for (size_t i = 0; i < found->count; i++) {
        Offer *offer = found->items[i].offer;
        double load = offer->is.load;
        if (offer->provider)
            load = broker->options.load
                       ? broker->options.load(broker->options.owner, offer->is.service_id)
                       : -1;
        found->items[i].score = load < 0 ? -1 : load / offer->is.weight;
        if (found->items[i].score > most)
            most = found->items[i].score;
    }
    for (size_t i = 0; i < found->count; i++)
        if (found->items[i].score < 0)
            found->items[i].score = most;
    qsort(found->items, found->count, sizeof(Candidate), by_score);
    size_t equals = 0;
    while (equals < found->count && found->items[equals].score == found->items[0].score)
        equals++;
    order_in_turn(found->items, equals, arena);
}

static void order_by_host(Candidates *found, Span host, Arena *arena) {
    size_t near = 0;
    for (size_t i = 0; i < found->count; i++)
        if (host.len && span_equal(found->items[i].offer->is.host, host)) {
            Candidate one = found->items[i];
            found->items[i] = found->items[near];
            found->items[near++] = one;
        }
    if (near)
        order_in_turn(found->items, near, arena);
    else
        order_in_turn(found->items, found->count, arena);
}

/* Rendezvous hashing (Thaler and Ravishankar, 1998), weighted by -w / ln(h) (Schindelhauer and
 * Schomaker, 2005): each key ranks all offers for itself. The seed is fixed, so that a key finds
 * its instance again after a restart. */
static void order_by_key(Candidates *found, Span key) {
    uint64_t of_key = hash_bytes(key, 0);
    for (size_t i = 0; i < found->count; i++) {
        const Offer *offer = found->items[i].offer;
        uint64_t both[2] = {of_key, offer->fingerprint};
        double unit = ((double)(hash_bytes(span(both, sizeof both), 0) >> 11) + 0.5) / 0x1p53;
        found->items[i].score = -log(unit) / offer->is.weight;
    }
    qsort(found->items, found->count, sizeof(Candidate), by_score);
}

static RtBalancingPolicy policy_of(const RtLookupServiceRequest *request, const Candidates *found) {
    if (request->policy)
        return (RtBalancingPolicy)request->policy;
    for (size_t i = 0; i < found->count; i++)
        if (found->items[i].offer->policy)
            return found->items[i].offer->policy;
    return RT_BALANCING_POLICY_ROUND_ROBIN;
}

static void order(const Broker *broker, const RtLookupServiceRequest *request, Span host,
                  Candidates *found, Arena *arena) {
    if (request->sticky_key.len) {
        order_by_key(found, request->sticky_key);
        return;
    }
    switch (policy_of(request, found)) {
    case RT_BALANCING_POLICY_LEAST_LOADED:
        order_by_load(broker, found, arena);
        return;
    case RT_BALANCING_POLICY_SAME_HOST:
        order_by_host(found, host, arena);
        return;
    case RT_BALANCING_POLICY_UNSPECIFIED:
    case RT_BALANCING_POLICY_ROUND_ROBIN:
        break;
    }
    order_in_turn(found->items, found->count, arena);
}

/* ---- answers ---- */

static RtRevision *revision_of(const Broker *broker, Arena *arena) {
    RtRevision *revision = schema_new(&RtRevision_type, arena);
    revision->epoch = (int64_t)broker->options.epoch;
    revision->number = broker->revision;
    return revision;
}

static RtBrokerInstance *views_of(const Candidates *found, size_t count, Arena *arena) {
    RtBrokerInstance *views = arena_alloc(arena, count * sizeof *views);
    for (size_t i = 0; i < count; i++)
        views[i] = offer_view(found->items[i].offer);
    return views;
}

static Status nobody_offers(const Broker *broker, Span name, Arena *arena) {
    Buf known = {.arena = arena};
    size_t at = 0, shown = 0;
    for (const Name *other; shown < NAMES_SHOWN && (other = map_next(&broker->names, &at));)
        if (other->count) {
            buf_printf(&known, "%s%.*s", shown ? ", " : "", (int)other->text_len, other->text);
            shown++;
        }
    if (!shown)
        buf_add_literal(&known, "nothing yet");
    return status_make(arena, STATUS_NOT_FOUND,
                       "nobody has offered '%.*s' (offered is %.*s): register it with "
                       "BrokerService.RegisterInstance, or watch it to hear when it comes",
                       SPAN_ARGS(name), SPAN_ARGS(buf_span(&known)));
}

Status broker_lookup(Broker *broker, const RtLookupServiceRequest *request, Span host, Arena *arena,
                     RtLookupServiceResponse *ret) {
    const Name *name = find_name(broker, request->name);
    if (!name)
        return nobody_offers(broker, request->name, arena);
    Candidates found = collect(name, request->role, PAIRS(request->metadata), arena);
    order(broker, request, host, &found, arena);
    size_t count = found.count;
    if (request->limit > 0 && count > (size_t)request->limit)
        count = (size_t)request->limit;
    *ret = (RtLookupServiceResponse){.unusable_count = found.unusable};
    ret->instances.items = views_of(&found, count, arena);
    ret->instances.count = (uint32_t)count;
    ret->revision = revision_of(broker, arena);
    return status_ok();
}

void broker_watch_state(const Broker *broker, const RtWatchServiceRequest *request, Arena *arena,
                        RtWatchServiceResponse *ret) {
    const Name *name = find_name(broker, request->name);
    Candidates found = {0};
    if (name)
        found = collect(name, request->role, PAIRS(request->metadata), arena);
    if (found.count)
        qsort(found.items, found.count, sizeof(Candidate), by_id);
    *ret = (RtWatchServiceResponse){.unusable_count = found.unusable};
    ret->instances.items = views_of(&found, found.count, arena);
    ret->instances.count = (uint32_t)found.count;
    ret->revision = revision_of(broker, arena);
}

int64_t broker_name_revision(const Broker *broker, Span name) {
    const Name *found = find_name(broker, name);
    return found ? found->revision : 0;
}

size_t broker_usable_providers(const Broker *broker, Span service_name) {
    const Name *name = find_name(broker, service_name);
    return name ? name->usable_providers : 0;
}

static int by_name(const void *a, const void *b) {
    const RtBrokerInstance *left = &((const Candidate *)a)->offer->is;
    const RtBrokerInstance *right = &((const Candidate *)b)->offer->is;
    int names = span_compare(left->name, right->name);
    int roles = names ? names : span_compare(left->role, right->role);
    return roles ? roles : span_compare(left->registration_id, right->registration_id);
}

void broker_list(const Broker *broker, const RtListInstancesRequest *request, Arena *arena,
                 RtListInstancesResponse *ret) {
    Candidates found = {.items = arena_alloc(arena, broker->by_id.count * sizeof(Candidate))};
    size_t at = 0;
    for (Offer *offer; (offer = map_next(&broker->by_id, &at));)
        if ((!request->name.len || span_equal(request->name, offer->is.name)) &&
            offer_matches(offer, request->role, (Pairs){0}))
            found.items[found.count++] = (Candidate){.offer = offer};
    if (found.count)
        qsort(found.items, found.count, sizeof(Candidate), by_name);
    *ret = (RtListInstancesResponse){.revision = revision_of(broker, arena)};
    ret->instances.items = views_of(&found, found.count, arena);
    ret->instances.count = (uint32_t)found.count;
}
