/* The server's side of a call, as a handler sees it. Which protocol carries it (gRPC, gRPC-Web,
 * Connect, REST) does not show.
 *
 * A method is served by a MethodHandler. Calls of its functions come from the loop that the
 * server runs on; a handler answers at once, or later through its CallRef: from the loop, or
 * after an actor has posted back to it.
 *
 *     unary              message → call_reply, or call_finish with an error
 *     server streaming   message → call_send …, call_finish
 *     client streaming   opened, message …, half_closed → call_reply
 *     bidirectional      opened, message …, half_closed; call_send and call_finish at any time
 *
 * A unary call gets exactly one message and neither `opened` nor `half_closed`; a call that
 * breaks these rules (no message, or two) is refused before the handler hears of it. After
 * call_finish, or after `closed`, nothing more can be sent: such calls do nothing, so a handler
 * need not track it. */
#pragma once

#include "base/blob.h"
#include "base/status.h"
#include "net/http.h"
#include "schema/schema.h"

typedef struct RpcServer RpcServer;
typedef struct Call Call;

typedef struct MethodHandler {
    /* The request's headers are in. Streaming requests only. */
    void (*opened)(Call *call);
    /* One message, valid until the function returns: a decoded struct of the method's input type;
     * of a raw method a `const Span *` with the encoded bytes. */
    void (*message)(Call *call, const void *message);
    /* The client has sent its last message. Streaming requests only. */
    void (*half_closed)(Call *call);
    /* call_pending has fallen below the low mark after call_send answered -EAGAIN. */
    void (*writable)(Call *call);
    /* The call is over: finished by us, cancelled by the client, its deadline passed, its
     * connection lost. Once, and last. A handler that keeps nothing beyond the call leaves it
     * out. */
    void (*closed)(Call *call, StatusCode code);
} MethodHandler;

/* A service: the handlers stand in the order of the schema's methods. An entry without `message`
 * answers UNIMPLEMENTED. */
typedef struct RpcService {
    const SchemaService *schema;
    const MethodHandler *methods;
    void *state;
} RpcService;

/* ---- what came in ---- */

const SchemaMethod *call_method(const Call *call);
/* The `state` of the RpcService. */
void *call_service(const Call *call);
/* Metadata by lower-case name; values of `-bin` names are decoded bytes. {NULL, 0} when there is
 * none. */
Span call_metadata(Call *call, Span name);
HttpHeaders call_all_metadata(Call *call);
const HttpPeer *call_peer(const Call *call);
/* When the caller gives up, as an instant of world_now; INT64_MAX = never. The server ends the
 * call then by itself. */
Nanos call_deadline(const Call *call);
World *call_world(const Call *call);
/* "grpc", "grpc-web", "connect", "rest" */
const char *call_protocol(const Call *call);
/* Whether the request came by HTTP GET. */
bool call_is_get(const Call *call);
/* The metadata x-correlation-id, or else the trace id of traceparent; {NULL, 0} when neither is
 * there. */
Span call_correlation(Call *call);

/* For what belongs to the call; freed with it. */
Arena *call_arena(Call *call);
/* The handler's own pointer: set in `opened` or `message`, given back with the call. */
void call_set_user(Call *call, void *user);
void *call_user(const Call *call);

/* Withholds the window credit of the message that is being delivered, whose copy waits somewhere:
 * the sender is not let on until it is given. In bytes; what is not given when the call ends counts
 * as given. */
size_t call_hold_credit(Call *call);
void call_give_credit(Call *call, size_t bytes);

/* A name for a call that may be gone when it is used. */
typedef struct CallRef {
    uint32_t index;
    uint32_t generation;
} CallRef;
CallRef call_ref(const Call *call);
/* NULL when the call is over. */
Call *call_find(RpcServer *server, CallRef ref);

/* ---- what goes out ---- */

/* Metadata of the response: headers until the first message is sent, trailers until the end.
 * `-bin` values are raw bytes. Names and values are copied. */
void call_add_header(Call *call, Span name, Span value);
void call_add_trailer(Call *call, Span name, Span value);

/* Sends the headers now, before there is a message. */
void call_send_headers(Call *call);

/* Sends a message of the method's output type. 0, or -EAGAIN: taken, but the client is slow:
 * better wait for `writable` (a sender that never waits is cut off with RESOURCE_EXHAUSTED at the
 * server's limit). */
int call_send(Call *call, const void *message);

/* Likewise encoded protobuf (raw methods); where the client speaks JSON it is converted. */
int call_send_encoded(Call *call, Span message);

/* The same message to many calls: encoded once for each form that some receiver needs (codec ×
 * compression). */
typedef struct RpcFrame RpcFrame;
RpcFrame *rpc_frame_new(RpcServer *server, const SchemaMessage *type, const void *message);
RpcFrame *rpc_frame_ref(RpcFrame *frame);
void rpc_frame_unref(RpcFrame *frame);
int call_send_frame(Call *call, RpcFrame *frame);

/* Ends the call. Message and details are copied. */
void call_finish(Call *call, Status status);
/* call_send and call_finish(OK). */
void call_reply(Call *call, const void *message);
/* call_finish with a formatted message. */
void call_fail(Call *call, StatusCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Bytes sent by the handler and not yet on the wire. */
size_t call_pending(const Call *call);
