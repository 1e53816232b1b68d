#include "os/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "os/world_ops.h"

static bool is_literal(const Address *address) {
    struct in6_addr bytes;
    return address->kind == ADDRESS_UNIX || inet_pton(AF_INET, address->host, &bytes) == 1 ||
           inet_pton(AF_INET6, address->host, &bytes) == 1;
}

static void on_tell(Task *task) {
    Resolution *resolution = CONTAINER(task, Resolution, tell);
    resolution->done(resolution->owner, resolution->error, resolution->found.items,
                     resolution->found.count);
    array_done(&resolution->found);
    free(resolution);
}

void resolution_tell(Resolution *resolution) {
    resolution->asking = NULL;
    world_defer(resolution->world, &resolution->tell);
}

Resolution *resolve_start(World *world, const Address *address,
                          void (*done)(void *owner, int error, const Address *found, size_t count),
                          void *owner) {
    Resolution *resolution = xcalloc(1, sizeof *resolution);
    resolution->world = world;
    resolution->done = done;
    resolution->owner = owner;
    resolution->tell.run = on_tell;
    if (world->ops->resolve && !is_literal(address)) {
        world->ops->resolve(resolution, address);
    } else {
        *array_push(&resolution->found) = *address;
        resolution_tell(resolution);
    }
    return resolution;
}

void resolve_cancel(Resolution *resolution) {
    if (resolution->asking)
        resolution->world->ops->resolve_cancel(resolution);
    world_undefer(&resolution->tell);
    array_done(&resolution->found);
    free(resolution);
}
