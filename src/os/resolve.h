/* Names to addresses. A name may stand for several machines; who wants to spread work over them
 * asks here and connects to each, while stream_connect is content with the first that answers. */
#pragma once

#include "os/address.h"
#include "os/world.h"

typedef struct Resolution Resolution;

/* Looks the host up without blocking the loop. `done` comes once, from the loop: error 0 and one
 * or more addresses with literal hosts and the same port, valid during the call; or a negative
 * errno and none. Unix sockets and literals stand for themselves, and so does every name in a
 * simulation. Before the World is freed it is over or cancelled. */
Resolution *resolve_start(World *world, const Address *address,
                          void (*done)(void *owner, int error, const Address *found, size_t count),
                          void *owner);

/* `done` will not come. */
void resolve_cancel(Resolution *resolution);
