/* Events between the parts of the runtime: who publishes does not know who listens.
 *
 * A topic is words separated by '.': "process.started". A pattern is likewise, where a word may be
 * '*' (any one word), '**' (any number of words, none too), or alternatives '{started,stopped}'.
 *
 * Publishing queues the event for each subscriber whose pattern matches, and returns; they are
 * called at the end of the turn of the loop, each in the order of publishing. A subscriber has a
 * bounded queue: what does not fit is left out for it alone, and it is told so where the gap is.
 * All calls come from the World's thread. */
#pragma once

#include "base/blob.h"
#include "os/world.h"

typedef struct EventBus EventBus;
typedef struct Subscription Subscription;

typedef struct Event {
    uint64_t sequence; /* 1 and up, one more with each event published on the bus */
    Span topic;
    Blob *payload; /* NULL when there is none; valid during the call, reference it to keep it */
} Event;

typedef struct EventHandler {
    void (*event)(void *owner, const Event *event);
    /* Optional: so many events were left out here, from the first to the last sequence. */
    void (*missed)(void *owner, uint64_t count, uint64_t first, uint64_t last);
} EventHandler;

EventBus *event_bus_new(World *world);
/* Ends all subscriptions; what is queued is not delivered. Not from inside a handler. */
void event_bus_free(EventBus *bus);

/* The payload stays the caller's, too. A topic has no empty words and none of "*{},": -EINVAL. */
int event_bus_publish(EventBus *bus, Span topic, Blob *payload);

/* Hears of what is published from now on. `capacity` (>= 1) is the most that waits for it. The
 * pattern is copied, the handler lives on. -EINVAL when the pattern is not one. */
int event_bus_subscribe(EventBus *bus, Span pattern, size_t capacity, const EventHandler *handler,
                        void *owner, Subscription **ret);

/* Nothing comes any more, from inside its own handler too. */
void event_bus_unsubscribe(Subscription *subscription);

/* A subscriber that is not ready lets events gather in its queue; delivery goes on where it
 * stopped. */
void subscription_pause(Subscription *subscription, bool paused);

bool event_pattern_matches(Span pattern, Span topic);
