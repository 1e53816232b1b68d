#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* ---- offers ---- */

int muster_offer(Muster *muster, const MusterOffer *offer) {
    if (!offer->name || !*offer->name || !offer->address || !*offer->address)
        return -EINVAL;
    Offer *made = mu_allocate(sizeof *made);
    made->name = mu_copy_text(offer->name);
    made->role = mu_copy_text(offer->role ? offer->role : "server");
    made->address = mu_copy_text(offer->address);
    made->weight = offer->weight;
    pthread_mutex_lock(&muster->lock);
    made->next = muster->offers;
    muster->offers = made;
    muster->offers_changed = true;
    pthread_cond_broadcast(&muster->changed);
    pthread_mutex_unlock(&muster->lock);
    return 0;
}

void muster_withdraw(Muster *muster, const char *name) {
    pthread_mutex_lock(&muster->lock);
    for (Offer *offer = muster->offers; offer; offer = offer->next)
        if (strcmp(offer->name, name) == 0)
            offer->withdrawn = true;
    muster->offers_changed = true;
    pthread_cond_broadcast(&muster->changed);
    pthread_mutex_unlock(&muster->lock);
}

void mu_offers_again(Muster *muster) {
    for (Offer *offer = muster->offers; offer; offer = offer->next)
        offer->made = false;
    muster->offers_changed = true;
}

static int make_offer(Muster *muster, Offer *offer) {
    Bytes request = {0}, answer = {0};
    mu_put_text(&request, 1, offer->name);
    mu_put_text(&request, 2, offer->role);
    mu_put_text(&request, 3, offer->address);
    mu_put_text(&request, 4, muster->service_id);
    if (offer->weight)
        mu_put_number_always(&request, 5, offer->weight);
    int r = mu_rpc_unary(&muster->http, BROKER("RegisterInstance"), &request, &answer, CALL_MS);
    for (Reader reader = mu_reader_of(answer.ptr, answer.len); r == 0 && mu_reader_next(&reader);)
        if (reader.field == 1)
            mu_reader_text(&reader, offer->registration_id, sizeof offer->registration_id);
    mu_bytes_done(&request);
    mu_bytes_done(&answer);
    return r;
}

static int end_offer(Muster *muster, const Offer *offer) {
    Bytes request = {0}, answer = {0};
    mu_put_text(&request, 1, offer->registration_id);
    int r = 0;
    if (offer->made)
        r = mu_rpc_unary(&muster->http, BROKER("DeregisterInstance"), &request, &answer, CALL_MS);
    mu_bytes_done(&request);
    mu_bytes_done(&answer);
    return r == -ENOENT ? 0 : r;
}

static void offer_free(Offer *offer) {
    free(offer->name);
    free(offer->role);
    free(offer->address);
    free(offer);
}

/* An offer that the runtime has yet to be told of. Offers leave the list in this thread only. */
static Offer *next_change(Muster *muster, bool *ret_withdrawn) {
    pthread_mutex_lock(&muster->lock);
    Offer *offer = muster->offers;
    while (offer && offer->made && !offer->withdrawn)
        offer = offer->next;
    if (offer)
        *ret_withdrawn = offer->withdrawn;
    else
        muster->offers_changed = false;
    pthread_mutex_unlock(&muster->lock);
    return offer;
}

int mu_offers_send(Muster *muster) {
    bool withdrawn;
    for (Offer *offer; (offer = next_change(muster, &withdrawn));) {
        int r = withdrawn ? end_offer(muster, offer) : make_offer(muster, offer);
        if (r < 0 && r != -EPROTO) /* what is refused is not made again */
            return r;
        pthread_mutex_lock(&muster->lock);
        offer->made = true;
        Offer **place = &muster->offers;
        while (withdrawn && *place != offer)
            place = &(*place)->next;
        if (withdrawn) {
            *place = offer->next;
            offer_free(offer);
        }
        pthread_mutex_unlock(&muster->lock);
    }
    return 0;
}

void mu_offers_free(Muster *muster) {
    for (Offer *offer = muster->offers, *next; offer; offer = next) {
        next = offer->next;
        offer_free(offer);
    }
}

/* ---- lookups ---- */

void mu_instance_read(Reader reader, MusterInstance *ret) {
    *ret = (MusterInstance){.weight = 1};
    while (mu_reader_next(&reader)) {
        if (reader.field == 1)
            mu_reader_text(&reader, ret->registration_id, sizeof ret->registration_id);
        else if (reader.field == 5)
            mu_reader_text(&reader, ret->address, sizeof ret->address);
        else if (reader.field == 6)
            ret->weight = (int32_t)reader.number;
        else if (reader.field == 8)
            mu_reader_text(&reader, ret->service_name, sizeof ret->service_name);
        else if (reader.field == 9)
            ret->health = (MusterHealth)reader.number;
    }
}

static Http *take_connection(Muster *muster) {
    pthread_mutex_lock(&muster->lock);
    Http *http = muster->idle_count ? muster->idle[--muster->idle_count] : NULL;
    pthread_mutex_unlock(&muster->lock);
    if (!http) {
        http = mu_allocate(sizeof *http);
        mu_http_init(http, &muster->target, muster->cancel[0]);
    }
    return http;
}

static void give_connection(Muster *muster, Http *http) {
    pthread_mutex_lock(&muster->lock);
    bool kept = http->fd >= 0 && muster->idle_count < POOL_MAX;
    if (kept)
        muster->idle[muster->idle_count++] = http;
    pthread_mutex_unlock(&muster->lock);
    if (!kept) {
        mu_http_close(http);
        free(http);
    }
}

static void put_lookup(Muster *muster, const MusterLookup *lookup, size_t max, Bytes *out) {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    mu_put_text(out, 1, lookup->name);
    mu_put_text(out, 2, lookup->role);
    mu_put_number(out, 3, lookup->policy);
    mu_put_text(out, 4, lookup->sticky_key);
    pthread_mutex_lock(&muster->lock);
    mu_put_text(out, 5, muster->service_id);
    pthread_mutex_unlock(&muster->lock);
    mu_put_text(out, 6, muster_correlation_id());
    mu_put_number(out, 8, (int64_t)max);
    mu_put_text(out, 9, host);
}

int muster_lookup(Muster *muster, const MusterLookup *lookup, MusterInstance *ret, size_t max) {
    if (!muster->enabled)
        return -ENOTCONN;
    if (max > 1000)
        max = 1000;
    Bytes request = {0}, answer = {0};
    put_lookup(muster, lookup, max, &request);
    Http *http = take_connection(muster);
    int r = mu_rpc_unary(http, BROKER("LookupService"), &request, &answer, CALL_MS);
    give_connection(muster, http);
    size_t count = 0;
    for (Reader reader = mu_reader_of(answer.ptr, answer.len); r == 0 && mu_reader_next(&reader);)
        if (reader.field == 1 && count < max)
            mu_instance_read(mu_reader_inner(&reader), &ret[count++]);
    mu_bytes_done(&request);
    mu_bytes_done(&answer);
    if (r == -ENOENT)
        r = 0;
    if (r < 0)
        return r == -EPROTO || r == -ETIMEDOUT ? r : -ENOTCONN;
    return (int)count;
}
