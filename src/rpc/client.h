/* Calling services: gRPC, gRPC-Web and Connect, over HTTP/2 and HTTP/1.1, TLS and unix sockets.
 *
 * A Channel stands for a service at an address. It resolves, connects when first used, keeps
 * connections, spreads calls over all addresses that answer (round robin), reconnects with
 * growing pauses, and retries what certainly was not processed. It belongs to one World. All
 * callbacks come from the loop; `closed` comes exactly once and last. */
#pragma once

#include "base/status.h"
#include "net/http.h"
#include "rpc/server.h"
#include "schema/schema.h"

typedef struct Channel Channel;
typedef struct ClientCall ClientCall;

typedef enum RpcProtocol { RPC_GRPC, RPC_GRPC_WEB, RPC_CONNECT } RpcProtocol;

typedef struct ChannelOptions {
    RpcProtocol protocol;
    HttpVersionWish http;       /* HTTP_ANY: HTTP/2 for gRPC, else what TLS agrees on or HTTP/1.1 */
    bool json;                  /* messages as JSON instead of binary */
    RpcCompression compression; /* of what we send */
    uint32_t accept;            /* bits 1 << RpcCompression of what we take; 0 = all */
    TlsContext *tls;            /* NULL = cleartext */
    Span server_name;           /* TLS; empty = the host */
    Span authority;             /* Host; empty = the address */
    bool use_get;               /* Connect: GET for methods without side effects */
    size_t receive_limit;       /* one message; 0 = 4 MiB */
    Nanos connect_timeout;      /* 0 = 10 s */
    Nanos keepalive;            /* PING after that much silence; 0 = never */
    Nanos backoff_min, backoff_max; /* pauses between attempts to connect; 0 = 100 ms, 10 s */
    uint32_t attempts;              /* of one call, when failing is safe to repeat; 0 = 3 */
    uint32_t connections;           /* at most, per address, opened as calls need them; 0 = 1 where
                                       HTTP/2 is sure, else 8 */
    const SchemaPool *types;        /* for Any in JSON */
} ChannelOptions;

/* Options are copied. Several addresses are several servers of the same service, and so are the
 * several addresses that a host name may stand for. */
Channel *channel_new(World *world, const Address *addresses, size_t count,
                     const ChannelOptions *options);
/* Cancels its calls, whose `closed` still follows, and closes. */
void channel_free(Channel *channel);

typedef struct ClientHandler {
    /* Headers of the response: metadata with `-bin` decoded. */
    void (*headers)(void *owner, HttpHeaders metadata);
    /* One message, valid during the call: a struct of the output type, or a `const Span *` when
     * the call is raw. */
    void (*message)(void *owner, const void *message);
    /* More can be sent. */
    void (*writable)(void *owner);
    /* The end. Everything in `status` and `trailers` is valid during the call. */
    void (*closed)(void *owner, Status status, HttpHeaders trailers);
} ClientHandler;

typedef struct ClientCallOptions {
    HttpHeaders metadata; /* copied; names in lower case, values of `-bin` names are raw bytes */
    Nanos timeout;        /* 0 = none */
    bool raw;             /* messages in and out are encoded bytes */
    bool wait_for_ready;  /* wait for a connection instead of failing with UNAVAILABLE when an
                             attempt to connect has failed */
} ClientCallOptions;

/* Begins a call. `method` (its path, types and kind) outlives it. One that takes a single message
 * is sent when that is given. Metadata that HTTP cannot carry, or whose name belongs to the
 * protocol, ends it with INVALID_ARGUMENT. */
ClientCall *client_call(Channel *channel, const SchemaMethod *method,
                        const ClientCallOptions *options, const ClientHandler *handler,
                        void *owner);
/* Sends a message (input type, or a `const Span *` when raw). 0, or -EAGAIN: taken, but wait for
 * `writable`. After the call's end, which may not have been told yet, messages are dropped. */
int client_send(ClientCall *call, const void *message);
/* No more messages. A unary or server-streaming call does this by itself after its message. */
void client_half_close(ClientCall *call);
/* Gives up: `closed` follows with CANCELLED. */
void client_cancel(ClientCall *call);
