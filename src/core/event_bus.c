#include "core/event_bus.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"

/* Shared by the queues that it stands in. */
typedef struct Published {
    size_t refs;
    Event event;
    char topic[];
} Published;

/* A place in a queue: an event, or a gap where `published` is NULL. */
typedef struct Place {
    Link link;
    Published *published;
    uint64_t count, first, last;
} Place;

struct EventBus {
    World *world;
    uint64_t sequence;
    Link subscriptions;
    Task deliver;
    bool delivering;
};

struct Subscription {
    Link link;
    EventBus *bus;
    const EventHandler *handler;
    void *owner;
    Link queue;
    size_t waiting, capacity; /* events; a gap counts for none, and no two stand together */
    bool paused, over;
    size_t pattern_len;
    char pattern[];
};

/* ---- patterns ---- */

/* Takes the first word off; `rest` is empty with a NULL ptr after the last. */
static Span take_word(Span *rest) {
    const char *dot = rest->len ? memchr(rest->ptr, '.', rest->len) : NULL;
    size_t len = dot ? (size_t)(dot - rest->ptr) : rest->len;
    Span word = span(rest->ptr, len);
    *rest = dot ? span(dot + 1, rest->len - len - 1) : (Span){0};
    return word;
}

static bool word_matches(Span pattern, Span word) {
    if (span_equal(pattern, SPAN("*")))
        return true;
    if (!pattern.len || pattern.ptr[0] != '{')
        return span_equal(pattern, word);
    Span rest = span(pattern.ptr + 1, pattern.len - 2);
    while (rest.ptr) {
        const char *comma = rest.len ? memchr(rest.ptr, ',', rest.len) : NULL;
        size_t len = comma ? (size_t)(comma - rest.ptr) : rest.len;
        if (span_equal(span(rest.ptr, len), word))
            return true;
        rest = comma ? span(comma + 1, rest.len - len - 1) : (Span){0};
    }
    return false;
}

/* As for file names: after a mismatch, the last '**' takes one word more and all behind it is
 * tried again, which is enough since an earlier one could take no better. */
bool event_pattern_matches(Span pattern, Span topic) {
    Span again_pattern = {0}, again_topic = {0};
    bool starred = false;
    while (topic.ptr) {
        Span rest = pattern, topic_rest = topic;
        Span want = take_word(&rest), word = take_word(&topic_rest);
        if (pattern.ptr && span_equal(want, SPAN("**"))) {
            starred = true;
            again_pattern = pattern = rest;
            again_topic = topic;
        } else if (pattern.ptr && word_matches(want, word)) {
            pattern = rest;
            topic = topic_rest;
        } else if (starred) {
            take_word(&again_topic);
            topic = again_topic;
            pattern = again_pattern;
        } else {
            return false;
        }
    }
    while (pattern.ptr)
        if (!span_equal(take_word(&pattern), SPAN("**")))
            return false;
    return true;
}

static bool is_plain(Span word, const char *special) {
    for (size_t i = 0; i < word.len; i++)
        if (strchr(special, word.ptr[i]))
            return false;
    return word.len > 0;
}

static bool word_is_pattern(Span word) {
    if (word.len > 2 && word.ptr[0] == '{' && word.ptr[word.len - 1] == '}') {
        Span inside = span(word.ptr + 1, word.len - 2);
        return is_plain(inside, "*{}");
    }
    return span_equal(word, SPAN("*")) || span_equal(word, SPAN("**")) || is_plain(word, "*{},");
}

static bool all_words(Span text, bool pattern) {
    if (!text.len)
        return false;
    while (text.ptr) {
        Span word = take_word(&text);
        if (!(pattern ? word_is_pattern(word) : is_plain(word, "*{},")))
            return false;
    }
    return true;
}

/* ---- queues ---- */

static void published_unref(Published *published) {
    if (!published || --published->refs)
        return;
    blob_unref(published->event.payload);
    free(published);
}

static void place_free(Place *place) {
    published_unref(place->published);
    free(place);
}

static void enqueue(Subscription *to, Published *published) {
    uint64_t sequence = published->event.sequence;
    Place *last = CONTAINER(to->queue.prev, Place, link);
    if (to->waiting == to->capacity && !last->published) {
        last->count++;
        last->last = sequence;
        return;
    }
    Place *place = xcalloc(1, sizeof *place);
    if (to->waiting == to->capacity) {
        *place = (Place){.count = 1, .first = sequence, .last = sequence};
    } else {
        place->published = published;
        place->first = sequence;
        published->refs++;
        to->waiting++;
    }
    list_push_back(&to->queue, &place->link);
}

static void subscription_free(Subscription *subscription) {
    for (Link *link; (link = list_pop_front(&subscription->queue));)
        place_free(CONTAINER(link, Place, link));
    list_remove(&subscription->link);
    free(subscription);
}

/* What is published meanwhile, after `until`, waits for the next round: others get theirs first. */
static void deliver(Subscription *to, uint64_t until) {
    while (!to->over && !to->paused && !list_empty(&to->queue)) {
        Place *place = CONTAINER(to->queue.next, Place, link);
        if (place->first > until)
            return;
        list_remove(&place->link);
        to->waiting -= place->published != NULL;
        if (place->published)
            to->handler->event(to->owner, &place->published->event);
        else if (to->handler->missed)
            to->handler->missed(to->owner, place->count, place->first, place->last);
        place_free(place);
    }
}

static void on_deliver(Task *task) {
    EventBus *bus = CONTAINER(task, EventBus, deliver);
    uint64_t until = bus->sequence;
    bus->delivering = true; /* no subscription is freed meanwhile */
    for (Link *link = bus->subscriptions.next; link != &bus->subscriptions; link = link->next)
        deliver(CONTAINER(link, Subscription, link), until);
    bus->delivering = false;
    LIST_EACH (&bus->subscriptions, link)
        if (CONTAINER(link, Subscription, link)->over)
            subscription_free(CONTAINER(link, Subscription, link));
}

/* ---- the bus ---- */

EventBus *event_bus_new(World *world) {
    EventBus *bus = xcalloc(1, sizeof *bus);
    bus->world = world;
    bus->deliver.run = on_deliver;
    list_init(&bus->subscriptions);
    return bus;
}

void event_bus_free(EventBus *bus) {
    LIST_EACH (&bus->subscriptions, link)
        subscription_free(CONTAINER(link, Subscription, link));
    world_undefer(&bus->deliver);
    free(bus);
}

int event_bus_publish(EventBus *bus, Span topic, Blob *payload) {
    if (!all_words(topic, false))
        return -EINVAL;
    Published *published = xmalloc(sizeof *published + topic.len);
    memcpy(published->topic, topic.ptr, topic.len);
    published->refs = 1;
    published->event = (Event){++bus->sequence, span(published->topic, topic.len),
                               payload ? blob_ref(payload) : NULL};
    for (Link *link = bus->subscriptions.next; link != &bus->subscriptions; link = link->next) {
        Subscription *to = CONTAINER(link, Subscription, link);
        if (!to->over && event_pattern_matches(span(to->pattern, to->pattern_len), topic))
            enqueue(to, published);
    }
    published_unref(published);
    world_defer(bus->world, &bus->deliver);
    return 0;
}

int event_bus_subscribe(EventBus *bus, Span pattern, size_t capacity, const EventHandler *handler,
                        void *owner, Subscription **ret) {
    if (!all_words(pattern, true) || !capacity)
        return -EINVAL;
    Subscription *made = xcalloc(1, sizeof *made + pattern.len);
    made->bus = bus;
    made->handler = handler;
    made->owner = owner;
    made->capacity = capacity;
    made->pattern_len = pattern.len;
    memcpy(made->pattern, pattern.ptr, pattern.len);
    list_init(&made->queue);
    list_push_back(&bus->subscriptions, &made->link);
    *ret = made;
    return 0;
}

void event_bus_unsubscribe(Subscription *subscription) {
    subscription->over = true;
    if (!subscription->bus->delivering)
        subscription_free(subscription);
}

void subscription_pause(Subscription *subscription, bool paused) {
    subscription->paused = paused;
    if (!paused)
        world_defer(subscription->bus->world, &subscription->bus->deliver);
}
