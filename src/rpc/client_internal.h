/* What the files of the RPC client share: channel.c (connections and which call goes where),
 * client_call.c (life of a call), client_grpc.c and client_connect.c (the protocols). */
#pragma once

#include "base/array.h"
#include "rpc/client.h"
#include "rpc/envelope.h"
#include "rpc/metadata.h"

typedef struct ClientProtocol ClientProtocol;
typedef struct Connection Connection;
typedef ARRAY(HttpHeader) HeaderList;

struct ClientCall {
    Link link; /* among the channel's calls */
    Channel *channel;
    const ClientProtocol *protocol;
    const SchemaMethod *method;
    const ClientHandler *handler;
    void *owner;
    ClientCallOptions options;
    Arena arena;
    Arena scratch;  /* one message at a time */
    Nanos deadline; /* INT64_MAX = none */
    Timer deadline_timer;
    Timer retry_timer;
    Task ending;
    uint32_t attempts;

    HttpExchange *exchange; /* NULL while waiting for a connection */
    Buf outbox;             /* all that was sent, kept while the call may have to be sent again */
    size_t handed;          /* how much of it the exchange has */
    bool replayable;        /* nothing of the outbox was dropped, nothing came back yet */
    bool waiting;           /* for a connection, or for a retry */
    bool half_closed;
    bool slow;

    int http_status;
    RpcCompression response_compression;
    EnvelopeReader reader;
    Buf body;
    Span held; /* the one message of a call that gets one, until its status is known */
    bool has_held;
    bool has_headers;
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

/* The message encoded and compressed, with ENVELOPE_HEAD bytes before it, in the call's scratch
 * memory. False: the call was ended. */
bool client_encode(ClientCall *call, const void *message, bool *ret_compressed, Span *ret);

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

/* One message from the peer. */
void client_call_receive(ClientCall *call, bool compressed, Span message);

/* The names in grpc-accept-encoding and its like. */
Span client_accepted(ClientCall *call);

/* Sets the compression of the response by its header. False: the call was ended. */
bool client_set_response_compression(ClientCall *call, Span name);

/* ---- channel.c ---- */

World *channel_world(const Channel *channel);
const ChannelOptions *channel_options(const Channel *channel);

/* The call is one of the channel's until it takes itself out of the list. */
void channel_add(Channel *channel, ClientCall *call);

/* Hands the call to a connection, now or when there is one. */
void channel_dispatch(Channel *channel, ClientCall *call);
