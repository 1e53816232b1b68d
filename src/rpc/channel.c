/* Which call goes where: round all endpoints that have room. When none has, calls wait, first
 * come first served, while connections are made; when there is nothing to wait for, they fail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/tls.h"
#include "rpc/client_internal.h"

#define CONNECT_TIMEOUT   (10 * NANOS_PER_SECOND)
#define BACKOFF_MIN       (100 * NANOS_PER_MILLI)
#define BACKOFF_MAX       (10 * NANOS_PER_SECOND)
#define ATTEMPTS          3
#define RECEIVE_LIMIT     (4u << 20)
#define CONNECTIONS_HTTP1 8

struct Channel {
    World *world;
    ChannelOptions options;
    Arena arena; /* copies of what the options point to */
    Target *targets;
    size_t target_count;
    Link endpoints; /* of all targets; the one whose turn it is stands first */
    Link calls;     /* those that run, or are not to be sent yet */
    Link waiting;   /* those that could be sent */
    uint32_t waiting_count;
    Task change;
};

World *channel_world(const Channel *channel) {
    return channel->world;
}

const ChannelOptions *channel_options(const Channel *channel) {
    return &channel->options;
}

Link *channel_endpoints(Channel *channel) {
    return &channel->endpoints;
}

/* ---- which call goes where ---- */

static bool start_somewhere(Channel *channel, ClientCall *call) {
    LIST_EACH (&channel->endpoints, link) {
        Endpoint *endpoint = CONTAINER(link, Endpoint, link);
        HttpClient *http = endpoint_room(endpoint);
        Span authority = channel->options.authority.len ? channel->options.authority
                                                        : endpoint->target->authority;
        if (!http || !client_call_start(call, http, authority))
            continue;
        list_remove(&endpoint->link);
        list_push_back(&channel->endpoints, &endpoint->link);
        return true;
    }
    return false;
}

/* Looks up and connects what is not known or not connected. */
static void connect_all(Channel *channel) {
    for (size_t i = 0; i < channel->target_count; i++)
        if (!channel->targets[i].known)
            target_look_up(&channel->targets[i]);
    LIST_EACH (&channel->endpoints, link) {
        Endpoint *endpoint = CONTAINER(link, Endpoint, link);
        if (!endpoint->connection_count && endpoint_may_connect(endpoint))
            endpoint_connect(endpoint);
    }
}

/* Opens as many connections as calls wait, no more. */
static void connect_more(Channel *channel) {
    uint32_t connecting = 0;
    LIST_EACH (&channel->endpoints, link)
        connecting += endpoint_connecting(CONTAINER(link, Endpoint, link));
    LIST_EACH (&channel->endpoints, link) {
        Endpoint *endpoint = CONTAINER(link, Endpoint, link);
        for (; connecting < channel->waiting_count && endpoint_may_connect(endpoint); connecting++)
            endpoint_connect(endpoint);
    }
}

/* Whether a call that found no room may find some yet. */
static bool has_hope(const Channel *channel) {
    for (size_t i = 0; i < channel->target_count; i++)
        if (channel->targets[i].resolution)
            return true;
    LIST_EACH (&channel->endpoints, link)
        if (CONTAINER(link, Endpoint, link)->connection_count)
            return true;
    return false;
}

static void refuse(Channel *channel, ClientCall *call) {
    const Target *failed = &channel->targets[0];
    for (size_t i = 0; i < channel->target_count && !failed->error; i++)
        failed = &channel->targets[i];
    char where[ADDRESS_MAX];
    address_format(&failed->address, where, sizeof where);
    const char *why = failed->error == -ENXIO ? "no such host"
                      : failed->error         ? strerror(-failed->error)
                                              : "it takes no calls";
    if (failed->tls_error.len)
        client_call_end(call, STATUS_UNAVAILABLE, "cannot connect to %s: TLS: %.*s", where,
                        SPAN_ARGS(failed->tls_error));
    else
        client_call_end(call, STATUS_UNAVAILABLE, "cannot connect to %s: %s", where, why);
}

static void wait(Channel *channel, ClientCall *call) {
    call->waiting = true;
    channel->waiting_count++;
    list_push_back(&channel->waiting, &call->link);
}

static void serve_waiting(Channel *channel) {
    connect_all(channel);
    LIST_EACH (&channel->waiting, link) {
        ClientCall *call = CONTAINER(link, ClientCall, link);
        if (!start_somewhere(channel, call))
            break;
        channel_take(call);
        list_push_back(&channel->calls, &call->link);
    }
    connect_more(channel);
    if (has_hope(channel))
        return;
    LIST_EACH (&channel->waiting, link) {
        ClientCall *call = CONTAINER(link, ClientCall, link);
        if (!call->options.wait_for_ready)
            refuse(channel, call);
    }
}

static void on_change(Task *task) {
    serve_waiting(CONTAINER(task, Channel, change));
}

void channel_changed(Channel *channel) {
    if (!list_empty(&channel->waiting))
        world_defer(channel->world, &channel->change);
}

void channel_add(Channel *channel, ClientCall *call) {
    list_push_back(&channel->calls, &call->link);
}

void channel_take(ClientCall *call) {
    list_remove(&call->link);
    call->channel->waiting_count -= call->waiting;
    call->waiting = false;
}

void channel_dispatch(Channel *channel, ClientCall *call) {
    list_remove(&call->link);
    wait(channel, call);
    serve_waiting(channel);
}

/* ---- the channel ---- */

static void set_defaults(ChannelOptions *options) {
    if (!options->receive_limit)
        options->receive_limit = RECEIVE_LIMIT;
    if (!options->connect_timeout)
        options->connect_timeout = CONNECT_TIMEOUT;
    if (!options->backoff_min)
        options->backoff_min = BACKOFF_MIN;
    if (!options->backoff_max)
        options->backoff_max = BACKOFF_MAX;
    if (!options->attempts)
        options->attempts = ATTEMPTS;
    if (!options->accept)
        options->accept = (1u << RPC_COMPRESSIONS) - 1;
    bool two =
        options->http == HTTP_TWO || (options->http == HTTP_ANY && options->protocol == RPC_GRPC);
    if (!options->connections)
        options->connections = two ? 1 : CONNECTIONS_HTTP1;
}

Channel *channel_new(World *world, const Address *addresses, size_t count,
                     const ChannelOptions *options) {
    Channel *channel = xcalloc(1, sizeof *channel);
    channel->world = world;
    channel->options = *options;
    set_defaults(&channel->options);
    channel->options.server_name = arena_copy(&channel->arena, options->server_name);
    channel->options.authority = arena_copy(&channel->arena, options->authority);
    if (options->tls)
        tls_context_ref(options->tls);
    list_init(&channel->endpoints);
    list_init(&channel->calls);
    list_init(&channel->waiting);
    channel->change.run = on_change;
    channel->targets = xcalloc(count, sizeof *channel->targets);
    channel->target_count = count;
    for (size_t i = 0; i < count; i++)
        target_init(&channel->targets[i], channel, &addresses[i]);
    return channel;
}

static void cancel_all(Link *calls) {
    LIST_EACH (calls, link)
        client_cancel(CONTAINER(link, ClientCall, link));
}

void channel_free(Channel *channel) {
    if (!channel)
        return;
    cancel_all(&channel->waiting);
    cancel_all(&channel->calls);
    for (size_t i = 0; i < channel->target_count; i++)
        target_done(&channel->targets[i]);
    world_undefer(&channel->change);
    tls_context_unref(channel->options.tls);
    free(channel->targets);
    arena_done(&channel->arena);
    free(channel);
}
