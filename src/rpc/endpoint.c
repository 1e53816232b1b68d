/* Where a channel's calls can go. A target is an address as it was given; its name may stand for
 * several endpoints, each with connections of its own. What cannot be reached rests for a pause
 * that doubles up to a limit, with jitter, so that many clients do not come back at once. */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "rpc/client_internal.h"

#define KEEPALIVE_TIMEOUT (20 * NANOS_PER_SECOND)

typedef struct Connection {
    Link link; /* in its endpoint, until it is gone */
    Endpoint *endpoint;
    HttpClient *http;
    bool ready;  /* has been usable */
    Task burial; /* gone: to be freed outside of its callbacks */
} Connection;

/* ---- pauses ---- */

static void rest(Rest *pause, const Channel *channel) {
    const ChannelOptions *options = channel_options(channel);
    World *world = channel_world(channel);
    Nanos length = pause->length ? pause->length * 2 : options->backoff_min;
    pause->length = length < options->backoff_max ? length : options->backoff_max;
    uint32_t random;
    world_random(world, &random, sizeof random);
    Nanos jitter = pause->length / 4 * (Nanos)(random % 1000) / 1000;
    wheel_arm(world_wheel(world), &pause->timer, world_now(world) + pause->length - jitter);
}

static bool is_resting(const Rest *pause) {
    return timer_is_armed(&pause->timer);
}

static void on_target_rested(Timer *timer) {
    channel_changed(CONTAINER(timer, Target, rest.timer)->channel);
}

static void on_endpoint_rested(Timer *timer) {
    channel_changed(CONTAINER(timer, Endpoint, rest.timer)->target->channel);
}

/* ---- connections ---- */

static void on_burial(Task *task) {
    Connection *connection = CONTAINER(task, Connection, burial);
    http_client_close(connection->http, false);
    free(connection);
}

/* Takes the connection out of service; its exchanges may still end well. */
static void retire(Connection *connection, World *world) {
    list_remove(&connection->link);
    connection->endpoint->connection_count--;
    connection->endpoint = NULL;
    connection->burial.run = on_burial;
    world_defer(world, &connection->burial);
}

static void on_ready(void *owner) {
    Connection *connection = owner;
    Endpoint *endpoint = connection->endpoint;
    if (!endpoint)
        return;
    connection->ready = true;
    endpoint->rest.length = 0;
    endpoint->target->error = 0;
    channel_changed(endpoint->target->channel);
}

static void on_gone(void *owner, int error) {
    Connection *connection = owner;
    Endpoint *endpoint = connection->endpoint;
    if (!endpoint)
        return;
    Target *target = endpoint->target;
    bool failed = !connection->ready;
    retire(connection, channel_world(target->channel));
    if (failed) {
        target->error = error;
        target->tls_error = http_client_tls_error(connection->http);
        rest(&endpoint->rest, target->channel);
        target_look_up(target);
    }
    channel_changed(target->channel);
}

void endpoint_connect(Endpoint *endpoint) {
    const Target *target = endpoint->target;
    const ChannelOptions *options = channel_options(target->channel);
    Connection *connection = xcalloc(1, sizeof *connection);
    HttpClientOptions http = {
        .version =
            options->http == HTTP_ANY && options->protocol == RPC_GRPC ? HTTP_TWO : options->http,
        .tls = options->tls,
        .server_name =
            options->server_name.len ? options->server_name : span_of(target->address.host),
        .connect_timeout = options->connect_timeout,
        .keepalive = options->keepalive,
        .keepalive_timeout = KEEPALIVE_TIMEOUT,
        .limits = HTTP_LIMITS,
        .ready = on_ready,
        .gone = on_gone,
        .owner = connection,
    };
    connection->endpoint = endpoint;
    list_push_back(&endpoint->connections, &connection->link);
    endpoint->connection_count++;
    connection->http =
        http_client_connect(channel_world(target->channel), &endpoint->address, &http);
}

bool endpoint_may_connect(const Endpoint *endpoint) {
    return !is_resting(&endpoint->rest) &&
           endpoint->connection_count < channel_options(endpoint->target->channel)->connections;
}

HttpClient *endpoint_room(const Endpoint *endpoint) {
    LIST_EACH (&endpoint->connections, link) {
        const Connection *connection = CONTAINER(link, Connection, link);
        if (connection->ready && http_client_room(connection->http) > 0)
            return connection->http;
    }
    return NULL;
}

uint32_t endpoint_connecting(const Endpoint *endpoint) {
    uint32_t count = 0;
    LIST_EACH (&endpoint->connections, link)
        count += !CONTAINER(link, Connection, link)->ready;
    return count;
}

/* ---- endpoints ---- */

static void endpoint_add(Target *target, const Address *address) {
    Endpoint *endpoint = xcalloc(1, sizeof *endpoint);
    endpoint->target = target;
    endpoint->address = *address;
    endpoint->rest.timer.fire = on_endpoint_rested;
    list_init(&endpoint->connections);
    list_push_back(channel_endpoints(target->channel), &endpoint->link);
}

static void endpoint_remove(Endpoint *endpoint) {
    World *world = channel_world(endpoint->target->channel);
    wheel_cancel(world_wheel(world), &endpoint->rest.timer);
    LIST_EACH (&endpoint->connections, link)
        retire(CONTAINER(link, Connection, link), world);
    list_remove(&endpoint->link);
    free(endpoint);
}

static bool same_address(const Address *a, const Address *b) {
    return a->kind == b->kind && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool is_among(const Address *address, const Address *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (same_address(address, &list[i]))
            return true;
    return false;
}

/* Endpoints that are still named keep their connections. */
static void replace_endpoints(Target *target, const Address *found, size_t count) {
    Link *all = channel_endpoints(target->channel);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        LIST_EACH (all, link) {
            const Endpoint *endpoint = CONTAINER(link, Endpoint, link);
            known |= endpoint->target == target && same_address(&endpoint->address, &found[i]);
        }
        if (!known)
            endpoint_add(target, &found[i]);
    }
    LIST_EACH (all, link) {
        Endpoint *endpoint = CONTAINER(link, Endpoint, link);
        if (endpoint->target == target && !is_among(&endpoint->address, found, count))
            endpoint_remove(endpoint);
    }
}

/* ---- targets ---- */

static void on_resolved(void *owner, int error, const Address *found, size_t count) {
    Target *target = owner;
    target->resolution = NULL;
    if (error) {
        target->error = error;
        target->tls_error = (Span){0};
    } else {
        target->known = true;
        replace_endpoints(target, found, count);
    }
    rest(&target->rest, target->channel);
    if (!error)
        target->rest.length = 0;
    channel_changed(target->channel);
}

void target_look_up(Target *target) {
    if (!target->resolution && !is_resting(&target->rest))
        target->resolution =
            resolve_start(channel_world(target->channel), &target->address, on_resolved, target);
}

void target_init(Target *target, Channel *channel, const Address *address) {
    target->channel = channel;
    target->address = *address;
    target->rest.timer.fire = on_target_rested;
    if (address->kind == ADDRESS_UNIX)
        target->authority = SPAN("localhost");
    else
        target->authority =
            span(target->text, address_format(address, target->text, sizeof target->text));
}

void target_done(Target *target) {
    if (target->resolution)
        resolve_cancel(target->resolution);
    wheel_cancel(world_wheel(channel_world(target->channel)), &target->rest.timer);
    replace_endpoints(target, NULL, 0);
}
