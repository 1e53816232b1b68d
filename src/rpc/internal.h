/* What the files of the RPC server share and nobody else sees.
 *
 * A request goes through: server.c (who may ask, which protocol, which method) → call.c (life of a
 * call, messages in and out, independent of the protocol) ⇄ protocol_*.c (how a protocol cuts a body
 * into messages and says how a call ended). */
#pragma once

#include "base/array.h"
#include "base/map.h"
#include "rpc/compress.h"
#include "rpc/envelope.h"
#include "rpc/metadata.h"
#include "rpc/server.h"
#include "schema/json.h"

typedef struct CallProtocol CallProtocol;
typedef struct RestRoutes RestRoutes;
typedef struct RestMatch RestMatch;

/* A method that is served. */
typedef struct MethodEntry {
    Span path;
    const SchemaMethod *schema;
    const MethodHandler *handler;
    const RpcService *service;
} MethodEntry;

typedef struct CallSlot {
    Call *call; /* NULL = free */
    uint32_t generation;
} CallSlot;

struct RpcServer {
    World *world;
    HttpServer *http;
    RpcServerOptions options;
    SchemaPool *types;
    bool frozen;
    Map methods; /* MethodEntry by path */
    ARRAY(const RpcService *) services;
    RestRoutes *routes;
    Buf known_host; /* the authority that was found allowed last: mostly it is the next one's too */
    const RpcAsset *assets;
    size_t asset_count;
    const RpcAsset *fallback;
    ARRAY(CallSlot) slots;
    ARRAY(uint32_t) free_slots;
    Arena owned;       /* what lives as long as the server */
    Arena scratch_in;  /* the message being delivered */
    Arena scratch_out; /* the message being sent */
    Status (*authorize)(void *owner, Call *call);
    void *authorize_owner;
    void (*report)(void *owner, const CallReport *report);
    void *report_owner;
};

typedef enum RpcCodec { RPC_BINARY, RPC_JSON } RpcCodec;

/* Headers being put together, in an arena. */
typedef struct HeaderList {
    Arena *arena;
    HttpHeader *items;
    uint32_t count, capacity;
} HeaderList;

struct Call {
    RpcServer *server;
    HttpExchange *exchange; /* NULL once it is gone */
    const CallProtocol *protocol;
    const MethodEntry *method;
    CallRef ref;
    HttpHeaders metadata; /* read when somebody asks */
    bool has_metadata;
    Nanos started, deadline;
    Timer timer;
    void *user;

    RpcCodec codec;
    RpcCompression request_compression, response_compression;
    bool text;             /* gRPC-Web in base64 */
    const RestMatch *rest; /* which rule matched, with which variables */
    EnvelopeReader reader;
    Buf body;          /* bare bodies: what has come so far; gRPC-Web text: base64 left over */
    Span request;      /* the one message of a call that takes one, until the request has ended */
    size_t uncredited; /* bytes read, of which nobody has given back the credit yet */
    size_t delivering; /* encoded size of the message that the handler is looking at */

    HeaderList headers, trailers; /* what the handler added */
    Span reply;                   /* bare bodies: the message, until the status is known */
    uint64_t messages_in, messages_out;
    StatusCode code;
    bool is_get;
    bool has_request;
    bool opened;       /* the handler has heard of the call */
    bool request_done; /* the client has ended its side */
    bool head_sent;
    bool finished; /* the response is complete */
    bool closed;   /* the handler has been told that it is over */
    bool slow;     /* call_send answered -EAGAIN */
    bool replied;  /* a response of one message has it */
};

/* A message on its way out, encoded for one form. The ENVELOPE_HEAD bytes before payload.ptr are
 * there to be written, or, with a blob, written already. */
typedef struct Outgoing {
    bool compressed;
    Span payload;
    Blob *blob; /* shared bytes: head and payload; NULL = payload is scratch memory */
} Outgoing;

struct CallProtocol {
    const char *name;
    StatusCode malformed; /* what a body that is not cut into messages properly is called */
    /* A piece of the request's body; what of it is not kept is released by the caller. */
    void (*body)(Call *call, Span bytes);
    /* The request is complete. */
    void (*end)(Call *call);
    /* Sends status and headers. */
    void (*head)(Call *call);
    void (*send)(Call *call, const Outgoing *message);
    /* Says how it ended; headers may not have been sent yet. */
    void (*finish)(Call *call, const Status *status);
    /* REST: messages as JSON with proto field names and defaults, and a request is more than its
     * body. Decodes into the server's scratch memory; false: the call was failed. */
    bool (*decode)(Call *call, Span body, void **ret);
};

extern const CallProtocol PROTOCOL_GRPC, PROTOCOL_GRPC_WEB, PROTOCOL_CONNECT_UNARY,
    PROTOCOL_CONNECT_STREAM, PROTOCOL_REST_UNARY, PROTOCOL_REST_STREAM;

/* ---- call.c ---- */

/* A call for the exchange, in its arena; it has no body yet. */
Call *call_new(RpcServer *server, HttpExchange *exchange, const CallProtocol *protocol,
               const MethodEntry *method);

/* Metadata and deadline are read: asks for permission and lets the body come. When the call was
 * failed meanwhile, nothing more happens. */
void call_begin(Call *call);

/* One message from a protocol, decompressed if need be; delivers it now or, for methods that take
 * one, when the request has ended. `stays` tells that its bytes stay where they are until then. */
void call_receive(Call *call, bool compressed, Span message, bool stays);

/* The request's last message has been received. */
void call_receive_end(Call *call);

/* The same for bodies that are envelopes: a piece of it, and its end. */
void call_receive_envelopes(Call *call, Span bytes);
void call_receive_envelopes_end(Call *call);

/* Whether the method takes, or gives, exactly one message. */
static inline bool call_takes_one(const Call *call) {
    return !call->method->schema->client_streaming;
}
static inline bool call_gives_one(const Call *call) {
    return !call->method->schema->server_streaming;
}

/* Sends the response's head unless that has happened. */
void call_head(Call *call);

/* Reads deadline and compressions from the request's headers, as the protocol writes them; fails
 * the call when they are malformed. */
void call_read_headers(Call *call);

void headers_grow(HeaderList *list);

static inline void headers_add(HeaderList *list, Span name, Span value) {
    if (list->count == list->capacity)
        headers_grow(list);
    list->items[list->count++] = (HttpHeader){name, value};
}

/* Appends what the handler added, ready to travel: binary values encoded, `prefix` before the
 * names. */
void headers_add_metadata(HeaderList *list, const HeaderList *from, Span prefix);

static inline HttpHeaders headers_of(const HeaderList *list) {
    return (HttpHeaders){list->items, list->count};
}

/* ---- encode.c ---- */

/* Encodes a message for the call into the server's scratch memory. False: the call was failed. */
bool outgoing_encode(Call *call, const void *message, Outgoing *ret);
bool outgoing_encode_bytes(Call *call, Span message, Outgoing *ret);
bool outgoing_frame(Call *call, RpcFrame *frame, Outgoing *ret);

/* Fails the call with what the codec found wrong with the request. Gives false. */
bool incoming_refuse(Call *call, const SchemaError *error);

/* How a call's JSON is read and written. */
SchemaJson call_json_options(const Call *call);

/* Decodes a message of the call into the server's scratch memory; fails the call with
 * INVALID_ARGUMENT when it is malformed. */
bool incoming_decode(Call *call, Span bytes, const void **ret);

/* ---- errors.c ---- */

/* google.rpc.Status, binary. */
Span status_encode(Arena *arena, const Status *status);
/* Connect's error object, {"code":…,"message":…,"details":[…]}. Appends. */
void status_write_connect(Buf *out, const Status *status);
/* Text as a JSON string; bytes that are not UTF-8 become '?'. Appends. */
void json_write_text(Buf *out, Span text);
/* google.rpc.Status as JSON. Appends. */
void status_write_rest(Buf *out, const Status *status, const SchemaPool *types);

/* ---- origin.c ---- */

/* Whether the request's Host may be ours. */
bool host_is_allowed(RpcServer *server, const HttpRequest *request, const HttpPeer *peer);
/* Whether a browser's page of that origin may ask. */
bool origin_is_allowed(const RpcServer *server, const HttpRequest *request, Span origin);
/* Answers a preflight. */
void cors_answer_preflight(HttpExchange *exchange, Span origin);
/* Headers that let a page of another origin read the response; nothing for other requests. */
void cors_add_headers(HeaderList *list, const HttpRequest *request);

/* ---- rest.c ---- */

RestRoutes *rest_routes_new(void);
void rest_routes_free(RestRoutes *routes);
/* Adds the rules of a method: 0, or -EINVAL and what is wrong with one of them. */
int rest_routes_add(RestRoutes *routes, const MethodEntry *method, char *reason,
                    size_t reason_size);
/* Begins the call when a rule matches. False when none does: *ret_allow lists, comma-separated, the
 * verbs under which the path is known. */
bool rest_serve(RpcServer *server, HttpExchange *exchange, Span *ret_allow);

/* The message as if that field were all it has. */
static inline SchemaMessage rest_only_field(const SchemaMessage *type, const SchemaField *field) {
    SchemaMessage only = *type;
    only.fields = field;
    only.field_count = 1;
    only.dense = 0;
    only.name_slots = NULL;
    return only;
}

/* The field that a REST call answers with instead of the whole message; NULL = the message. */
const SchemaField *rest_response_field(const Call *call);
/* The value out of {"field":value}. */
Span rest_field_json(const SchemaField *field, Span json);

/* ---- connect_get.c ---- */

void connect_serve_get(RpcServer *server, HttpExchange *exchange, const MethodEntry *method,
                       Span query);

/* ---- assets.c ---- */

/* False when no asset and no fallback fits. */
bool assets_serve(RpcServer *server, HttpExchange *exchange);

/* ---- server.c ---- */

/* A short answer in plain text, for what is no call. */
void http_answer(HttpExchange *exchange, int status, Span text, HttpHeaders more);
