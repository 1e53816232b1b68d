/* The connections of a channel, and which call goes to which.
 *
 * Each address is an endpoint with connections of its own. Calls go round the endpoints that have room;
 * when none has, they wait while connections are made. An endpoint that cannot be reached rests for a
 * pause that doubles up to a limit, with jitter, so that many clients do not come back at once. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/tls.h"
#include "rpc/client_internal.h"

#define CONNECT_TIMEOUT   (10 * NANOS_PER_SECOND)
#define BACKOFF_MIN       (100 * NANOS_PER_MILLI)
#define BACKOFF_MAX       (10 * NANOS_PER_SECOND)
#define KEEPALIVE_TIMEOUT (20 * NANOS_PER_SECOND)
#define ATTEMPTS          3
#define RECEIVE_LIMIT     (4u << 20)

typedef struct Endpoint Endpoint;

struct Connection {
    Link link;
    Endpoint *endpoint;
    HttpClient *http;
    bool ready;
    bool gone; /* takes no more exchanges; freed at the end of the turn */
    Task burial;
};

struct Endpoint {
    Channel *channel;
    Address address;
    char authority[300];
    size_t authority_size;
    Link connections;
    uint32_t connection_count;
    Nanos pause;
    Timer rest; /* armed: not to be tried before it fires */
    int last_error;
};

struct Channel {
    World *world;
    ChannelOptions options;
    Arena arena; /* copies of what the options point to */
    Endpoint *endpoints;
    size_t endpoint_count;
    size_t next; /* whose turn it is */
    Link calls;
};

World *channel_world(const Channel *channel) {
    return channel->world;
}

const ChannelOptions *channel_options(const Channel *channel) {
    return &channel->options;
}

/* ---- connections ---- */

static void serve_waiting(Channel *channel);

static void bury(Task *task) {
    Connection *connection = CONTAINER(task, Connection, burial);
    list_remove(&connection->link);
    http_client_close(connection->http, false);
    free(connection);
}

/* Takes the connection out of service; its exchanges may still end well. */
static void retire(Connection *connection) {
    if (connection->gone)
        return;
    connection->gone = true;
    connection->ready = false;
    connection->endpoint->connection_count--;
    connection->burial.run = bury;
    world_defer(connection->endpoint->channel->world, &connection->burial);
}

static void on_ready(void *owner) {
    Connection *connection = owner;
    connection->ready = true;
    connection->endpoint->pause = 0;
    connection->endpoint->last_error = 0;
    serve_waiting(connection->endpoint->channel);
}

static void rest_endpoint(Endpoint *endpoint) {
    const ChannelOptions *options = &endpoint->channel->options;
    World *world = endpoint->channel->world;
    Nanos pause = endpoint->pause ? endpoint->pause * 2 : options->backoff_min;
    endpoint->pause = pause < options->backoff_max ? pause : options->backoff_max;
    uint32_t random;
    world_random(world, &random, sizeof random);
    Nanos jitter = endpoint->pause / 4 * (Nanos)(random % 1000) / 1000;
    wheel_arm(world_wheel(world), &endpoint->rest, world_now(world) + endpoint->pause - jitter);
}

static void on_gone(void *owner, int error) {
    Connection *connection = owner;
    Endpoint *endpoint = connection->endpoint;
    if (!connection->ready && !connection->gone) {
        endpoint->last_error = error;
        rest_endpoint(endpoint);
    }
    retire(connection);
    serve_waiting(endpoint->channel);
}

static void on_rested(Timer *timer) {
    serve_waiting(CONTAINER(timer, Endpoint, rest)->channel);
}

static void open_connection(Endpoint *endpoint) {
    Channel *channel = endpoint->channel;
    const ChannelOptions *options = &channel->options;
    Connection *connection = xcalloc(1, sizeof *connection);
    connection->endpoint = endpoint;
    HttpClientOptions http = {
        .version =
            options->http == HTTP_ANY && options->protocol == RPC_GRPC ? HTTP_TWO : options->http,
        .tls = options->tls,
        .server_name = options->server_name,
        .connect_timeout = options->connect_timeout,
        .keepalive = options->keepalive,
        .keepalive_timeout = KEEPALIVE_TIMEOUT,
        .limits = HTTP_LIMITS,
        .ready = on_ready,
        .gone = on_gone,
        .owner = connection,
    };
    list_push_back(&endpoint->connections, &connection->link);
    endpoint->connection_count++;
    connection->http = http_client_connect(channel->world, &endpoint->address, &http);
}

/* ---- which call goes where ---- */

static Connection *with_room(Endpoint *endpoint) {
    LIST_EACH (&endpoint->connections, link) {
        Connection *connection = CONTAINER(link, Connection, link);
        if (connection->ready && http_client_room(connection->http) > 0)
            return connection;
    }
    return NULL;
}

static bool start_somewhere(Channel *channel, ClientCall *call) {
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        Endpoint *endpoint = &channel->endpoints[(channel->next + i) % channel->endpoint_count];
        Connection *connection = with_room(endpoint);
        Span authority = channel->options.authority.len
                             ? channel->options.authority
                             : span(endpoint->authority, endpoint->authority_size);
        if (!connection || !client_call_start(call, connection->http, authority))
            continue;
        channel->next = (channel->next + i + 1) % channel->endpoint_count;
        return true;
    }
    return false;
}

static bool is_connecting(const Endpoint *endpoint) {
    LIST_EACH (&endpoint->connections, link) {
        const Connection *connection = CONTAINER(link, Connection, link);
        if (!connection->ready && !connection->gone)
            return true;
    }
    return false;
}

/* Opens what connections make sense for a call that found no room. Returns whether there is
 * anything to wait for. */
static bool prepare_room(Channel *channel) {
    bool hope = false;
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        Endpoint *endpoint = &channel->endpoints[i];
        bool resting = timer_is_armed(&endpoint->rest);
        if (!resting && !is_connecting(endpoint) &&
            endpoint->connection_count < channel->options.connections)
            open_connection(endpoint);
        hope = hope || endpoint->connection_count > 0;
    }
    return hope;
}

static int last_error(const Channel *channel) {
    for (size_t i = 0; i < channel->endpoint_count; i++)
        if (channel->endpoints[i].last_error)
            return -channel->endpoints[i].last_error;
    return 0;
}

void channel_add(Channel *channel, ClientCall *call) {
    list_push_back(&channel->calls, &call->link);
}

void channel_dispatch(Channel *channel, ClientCall *call) {
    if (start_somewhere(channel, call)) {
        call->waiting = false;
        return;
    }
    call->waiting = true;
    if (prepare_room(channel) || call->options.wait_for_ready)
        return;
    int error = last_error(channel);
    client_call_end(call, STATUS_UNAVAILABLE, "cannot connect to %.*s%s%s",
                    (int)channel->endpoints[0].authority_size, channel->endpoints[0].authority,
                    error ? ": " : "", error ? strerror(error) : "");
}

static void serve_waiting(Channel *channel) {
    LIST_EACH (&channel->calls, link) {
        ClientCall *call = CONTAINER(link, ClientCall, link);
        if (call->waiting && !call->ended && !timer_is_armed(&call->retry_timer))
            channel_dispatch(channel, call);
    }
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
        options->connections = two ? 1 : 8;
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
    list_init(&channel->calls);
    channel->endpoints = xcalloc(count, sizeof *channel->endpoints);
    channel->endpoint_count = count;
    for (size_t i = 0; i < count; i++) {
        Endpoint *endpoint = &channel->endpoints[i];
        endpoint->channel = channel;
        endpoint->address = addresses[i];
        endpoint->rest.fire = on_rested;
        list_init(&endpoint->connections);
        bool local = addresses[i].kind == ADDRESS_UNIX;
        endpoint->authority_size =
            local ? strlen(strcpy(endpoint->authority, "localhost"))
                  : address_format(&addresses[i], endpoint->authority, sizeof endpoint->authority);
    }
    return channel;
}

void channel_free(Channel *channel) {
    if (!channel)
        return;
    LIST_EACH (&channel->calls, link) {
        client_cancel(CONTAINER(link, ClientCall, link));
    }
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        Endpoint *endpoint = &channel->endpoints[i];
        wheel_cancel(world_wheel(channel->world), &endpoint->rest);
        for (Link *link; (link = list_pop_front(&endpoint->connections));) {
            Connection *connection = CONTAINER(link, Connection, link);
            world_undefer(&connection->burial);
            http_client_close(connection->http, true);
            free(connection);
        }
    }
    tls_context_unref(channel->options.tls);
    free(channel->endpoints);
    arena_done(&channel->arena);
    free(channel);
}

bool channel_ready(const Channel *channel) {
    for (size_t i = 0; i < channel->endpoint_count; i++) {
        LIST_EACH (&channel->endpoints[i].connections, link) {
            if (CONTAINER(link, Connection, link)->ready)
                return true;
        }
    }
    return false;
}
