/* The RPC server: everything that Muster serves on one port. It takes HTTP exchanges from an
 * HttpServer and makes Calls of them:
 *
 *     POST, content-type application/grpc[+proto|+json]                       gRPC
 *     POST, content-type application/grpc-web[-text][+proto|+json]            gRPC-Web
 *     POST, content-type application/{proto,json,connect+proto,connect+json}  Connect, when the path is a method's
 *     GET with ?connect=v1                                                    Connect, methods without side effects
 *     whatever a google.api.http rule matches                                 REST
 *     GET, HEAD otherwise                                                     assets, when there are any
 *
 * One server belongs to one World. Limits hold for what a peer controls; each refusal carries a
 * status and says why. */
#pragma once

#include "rpc/call.h"
#include "rpc/compress.h"
#include "schema/pool.h"

typedef struct RpcServerOptions {
    HttpLimits http;
    size_t receive_limit; /* one message, also after decompression; 0 = 4 MiB */
    size_t send_limit;    /* one message; 0 = 64 MiB */
    size_t queue_limit;   /* unsent bytes of one call; 0 = 16 MiB */
    size_t
        compress_above; /* messages from this size on are compressed when the client can; 0 = 1 KiB */
    bool compress;      /* compress responses at all */
    /* Host names that requests may carry besides loopback ones and the listener's own; "*" =
     * any. */
    const Span *allowed_hosts;
    size_t allowed_host_count;
    /* Origins of browsers besides the server's own: "https://app.example"; "*" = any. */
    const Span *allowed_origins;
    size_t allowed_origin_count;
    const SchemaPool *types; /* what Any may hold in JSON; NULL = the types of the services added */
} RpcServerOptions;

RpcServer *rpc_server_new(World *world, const RpcServerOptions *options);
void rpc_server_free(RpcServer *server);

/* Adds a service; its REST rules are added to the routes. Fails with -EEXIST when the service is
 * there already, or -EINVAL and a reason when a rule is malformed or collides. `service` lives
 * as long as the server. */
int rpc_server_add(RpcServer *server, const RpcService *service, char *reason, size_t reason_size);

/* From now on rpc_server_add is a programming error that aborts. */
void rpc_server_freeze(RpcServer *server);

/* Ends all calls whose response is a stream, so that draining does not wait for watchers. */
void rpc_server_end_streams(RpcServer *server, Status status);

/* The HTTP server below: listen, adopt, drain, statistics. */
HttpServer *rpc_server_http(RpcServer *server);

/* All types of the services added. */
const SchemaPool *rpc_server_types(const RpcServer *server);

/* Asked before each call with its metadata and peer; anything but OK refuses it. */
void rpc_server_on_authorize(RpcServer *server, Status (*authorize)(void *owner, Call *call),
                             void *owner);

/* Told after each call. */
typedef struct CallReport {
    const SchemaMethod *method; /* NULL when none matched */
    const char *protocol;
    StatusCode code;
    Nanos duration;
    uint64_t messages_in, messages_out;
} CallReport;
void rpc_server_on_report(RpcServer *server, void (*report)(void *owner, const CallReport *report),
                          void *owner);

/* A file of the page. Content that is compressed already is served as it is to who can take it. */
typedef struct RpcAsset {
    const char *path; /* "/index.html" */
    const char *type; /* "text/html; charset=utf-8" */
    const char *etag; /* with quotes */
    Span plain;
    Span gzip, br;      /* empty = not there; without `plain`, gzip is unpacked for who needs it */
    const char *policy; /* content-security-policy; NULL = none */
    bool immutable;     /* the name changes with the content: cached for a year */
} RpcAsset;

/* GET and HEAD for these paths; paths that are neither an asset nor reserved get `fallback` (the
 * single page). Reserved are /api, /v1, /dependencies, /heartbeat-dashboard, /metrics, /docs and
 * the paths of methods. */
void rpc_server_assets(RpcServer *server, const RpcAsset *assets, size_t count,
                       const RpcAsset *fallback);
