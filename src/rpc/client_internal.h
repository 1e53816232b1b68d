/* What the files of the RPC client share: endpoint.c (addresses and connections), channel.c (which
 * call goes where), client_call.c (life of a call), client_message.c (messages in and out),
 * client_grpc.c and client_connect.c (the protocols). */
#pragma once

#include "base/array.h"
#include "os/resolve.h"
#include "rpc/client.h"
#include "rpc/envelope.h"
#include "rpc/metadata.h"

typedef struct ClientProtocol ClientProtocol;
typedef ARRAY(HttpHeader) HeaderList;

struct ClientCall {
    Link link;        /* among the channel's calls */
    Channel *channel; /* not to be touched once the call has ended */
    const ClientProtocol *protocol;
    const SchemaMethod *method;
    const ClientHandler *handler;
    void *owner;
    ClientCallOptions options;
    Arena arena;
    Arena scratch; /* one message at a time */
    World *world;
    Nanos deadline; /* INT64_MAX = none */
    Timer deadline_timer;
    Timer retry_timer;
    Task ending;
    uint32_t attempts;

    HttpExchange *exchange; /* NULL while waiting for a connection */
    Buf outbox;             /* all that was sent, kept while the call may have to be sent again */
    size_t handed;          /* how much of it the exchange has */
    bool replayable;        /* nothing of the outbox was dropped, nothing came back yet */
    bool waiting;           /* for a connection; the channel's to set */
    bool half_closed;
    bool slow;

    int http_status;
    RpcCompression response_compression;
    EnvelopeReader reader;
    Buf body;
    Span held; /* the one message of a call that gets one, until its status is known */
    bool has_held;
    bool has_status;
    bool get;
    bool ended;
    Status status;
    HttpHeaders trailers;
};

struct ClientProtocol {
    /* Headers besides metadata. Values live in the call's arena or are constant. */
    void (*request)(ClientCall *call, HeaderList *headers);
    void (*response)(ClientCall *call, HttpHeaders headers);
    void (*body)(ClientCall *call, Span bytes);
    /* The response is complete: sets the status when it has not been. */
    void (*end)(ClientCall *call, HttpHeaders trailers);
    bool bare; /* the one message is the body itself */
};

extern const ClientProtocol CLIENT_GRPC, CLIENT_GRPC_WEB, CLIENT_CONNECT_UNARY,
    CLIENT_CONNECT_STREAM;

/* ---- client_call.c ---- */

static inline bool client_gets_one(const ClientCall *call) {
    return !call->method->server_streaming;
}
static inline bool client_gives_one(const ClientCall *call) {
    return !call->method->client_streaming;
}

/* Begins the call on a connection that has room. False: it has none after all. */
bool client_call_start(ClientCall *call, HttpClient *http, Span authority);

/* Ends the call from our side; `closed` follows from the loop. The text is copied. */
void client_call_end(ClientCall *call, StatusCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The status that the peer gave, told when the response is complete. The message and details
 * live in the call's arena. */
void client_call_set_status(ClientCall *call, Status status, HttpHeaders trailers);

/* A copy of headers in the call's arena. */
HttpHeaders client_keep(ClientCall *call, HttpHeaders headers);

/* Tells the initial metadata, with those headers that are none left out. */
void client_call_headers(ClientCall *call, HttpHeaders headers);

/* ---- client_message.c ---- */

/* The names in grpc-accept-encoding and its like. */
Span client_accepted(ClientCall *call);
/* Sets the compression of the response by its header. False: the call was ended. */
bool client_set_response_compression(ClientCall *call, Span name);

/* One message from the peer. The one of a unary answer is held back until it is known to be the
 * only one. */
void client_call_receive(ClientCall *call, bool compressed, Span message);
void client_deliver_held(ClientCall *call);
void client_call_too_large(ClientCall *call);
/* A piece of a body that is cut into envelopes; `special` takes those that are no messages. */
void client_receive_envelopes(ClientCall *call, Span bytes,
                              bool (*special)(ClientCall *call, const Envelope *envelope));

/* Gives the exchange what it does not have yet. */
void client_hand_over(ClientCall *call);

/* ---- channel.c ---- */

World *channel_world(const Channel *channel);
const ChannelOptions *channel_options(const Channel *channel);
/* Endpoints of all targets, in the order in which they are asked. */
Link *channel_endpoints(Channel *channel);

/* The call is one of the channel's until it takes itself out again. */
void channel_add(Channel *channel, ClientCall *call);
void channel_take(ClientCall *call);
/* Hands the call to a connection, now or when there is one. */
void channel_dispatch(Channel *channel, ClientCall *call);
/* Something has happened for which calls may wait. */
void channel_changed(Channel *channel);

/* ---- endpoint.c ---- */

/* A pause after a failure. */
typedef struct Rest {
    Nanos length; /* of the last one; 0 = all is well */
    Timer timer;  /* armed while it lasts */
} Rest;

/* An address as it was given. */
typedef struct Target {
    Channel *channel;
    Address address;
    Span authority; /* what Host says */
    char text[ADDRESS_MAX];
    Resolution *resolution; /* under way */
    bool known;             /* its endpoints are */
    Rest rest;              /* from asking for its name */
    int error;              /* of the last attempt to reach it; 0 after a good one */
    Span tls_error;         /* and why TLS failed, if that was it; constant */
} Target;

/* One server. */
typedef struct Endpoint {
    Link link; /* in channel_endpoints */
    Target *target;
    Address address;
    Link connections;
    uint32_t connection_count;
    Rest rest; /* from connecting */
} Endpoint;

void target_init(Target *target, Channel *channel, const Address *address);
void target_done(Target *target);
/* Asks for its endpoints, unless that has been done a moment ago. */
void target_look_up(Target *target);

/* A connection that can take a call; NULL when there is none. */
HttpClient *endpoint_room(const Endpoint *endpoint);
/* Whether one more connection is allowed now; opens it; how many are being opened. */
bool endpoint_may_connect(const Endpoint *endpoint);
void endpoint_connect(Endpoint *endpoint);
uint32_t endpoint_connecting(const Endpoint *endpoint);
