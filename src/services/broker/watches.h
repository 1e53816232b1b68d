/* Who watches which name: WatchService. Each message holds all usable offers of the name, so a
 * watcher needs no history: a slow one just gets the latest when it can take it. What changes in a
 * turn of the loop is told once, at its end, in frames that watchers of the same share. */
#pragma once

#include "rpc/server.h"
#include "services/broker/broker.h"

#define BROKER_WATCHES_MAX 100000

typedef struct BrokerWatches BrokerWatches;

BrokerWatches *broker_watches_new(World *world, RpcServer *server, const Broker *broker,
                                  uint64_t seed, uint64_t epoch);
void broker_watches_free(BrokerWatches *watches);

/* What a lookup of this name sees has changed. */
void broker_watches_changed(BrokerWatches *watches, Span name);

/* Begins to answer a call of WatchService, whose `writable` and `closed` are the other two;
 * call_user is ours from then on. */
void broker_watch_serve(BrokerWatches *watches, Call *call, const RtWatchServiceRequest *request);
void broker_watch_writable(Call *call);
void broker_watch_closed(Call *call, StatusCode code);
