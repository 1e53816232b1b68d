/* What the parts of src/net share: exchanges, connections, and what the two protocols do for
 * them. Private to src/net.
 *
 *     http.c              the exchange: the functions of http.h that handlers call
 *     http_queue.c        output that waits
 *     http_pool.c         memory for exchanges and for nghttp2
 *     http_connection.c   what connections of both protocols and both sides have in common
 *     http1.c http2.c     the protocols
 *     http_server.c http_client.c   the two sides
 *
 * Who calls whom: the Stream calls the connection, it calls the protocol, and that calls the
 * exchange's handler. Calls the other way only queue something and ask for the connection's flush
 * at the end of the turn; that keeps the protocols free of re-entrance. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "base/array.h"
#include "base/buf.h"
#include "net/http.h"

typedef struct HttpConnection HttpConnection;
typedef struct HttpPool HttpPool;

/* ---- output that waits ---- */

/* A run of the queue: shared bytes of a blob, or `part.len` of the queue's own bytes. */
typedef struct HttpSegment {
    Blob *blob;
    Span part;
    size_t share; /* of the blob's bytes, which those who wait for them hold together */
} HttpSegment;

typedef struct HttpQueue {
    size_t size; /* bytes in all */
    size_t held; /* of memory: own bytes, and shares of blobs */
    Buf bytes;   /* own bytes, from `taken` on */
    size_t taken;
    ARRAY(HttpSegment) segments; /* from `first` on */
    size_t first;
} HttpQueue;

void http_queue_add(HttpQueue *queue, Span bytes);
void http_queue_add_blob(HttpQueue *queue, Blob *blob, Span part);
/* The first run of contiguous bytes; empty when there is none. */
Span http_queue_front(const HttpQueue *queue);
void http_queue_drop(HttpQueue *queue, size_t bytes);
/* Empties it but keeps small memory for the next time. */
void http_queue_reset(HttpQueue *queue);
void http_queue_done(HttpQueue *queue);

/* ---- exchanges ---- */

/* Header fields as they arrive. */
typedef struct HttpFields {
    HttpHeader *items; /* in the exchange's arena */
    uint32_t count, capacity;
    size_t bytes; /* names + values + 32 each, dropped ones included */
    bool excess;  /* more than the limits allow: what came after was dropped */
} HttpFields;

struct HttpExchange {
    const HttpExchangeHandler *handler;
    void *owner;
    HttpConnection *connection;
    Link link;   /* in its connection; in the pool when free */
    Link roused; /* in its connection's `roused`, when `writable` is due */
    Arena arena;
    HttpRequest request;
    HttpFields fields;
    HttpQueue out;
    HttpHeaders headers;  /* HTTP/1.1: ours, until they are sent */
    HttpHeaders trailers; /* ours */
    size_t owed;          /* body bytes handed out and not released */
    size_t kept;          /* what its owner keeps beside: http_hold */
    size_t held;          /* what was counted of all this */
    int64_t declared;     /* the peer's content-length; -1 = none */
    Nanos heard;          /* when the last of the peer's body came */
    int32_t stream;       /* HTTP/2's id */
    int status;           /* of the response, 0 before there is one */
    int reason;           /* HTTP_OK, or why it is being reset */
    bool begun : 1;       /* the owner knows of it */
    bool answered : 1;    /* client: the final response's head is here */
    bool finished : 1;    /* our side: all is queued */
    bool sent : 1;        /* our side: all has left */
    bool ended : 1;       /* the peer's side is complete */
    bool over : 1;        /* was reset: nothing more goes to the peer or the owner but `closed` */
    bool bodiless : 1;    /* our side has no body whatever is written: HEAD, 204, 304 */
    bool left : 1;        /* HTTP/2: some of our body has left */
    bool deferred : 1;    /* HTTP/2: the data provider sleeps */
    bool above : 1;       /* output has been above HTTP_LOW */
    bool expects : 1;     /* the peer waits for 100 Continue */
};

/* Takes one from the pool; it is in the connection's list. */
HttpExchange *http_exchange_new(HttpConnection *connection);

/* Adds a header that came in; a trailer when the head is complete already. */
void http_exchange_field(HttpExchange *exchange, Span name, Span value);
HttpHeaders http_exchange_fields(const HttpExchange *exchange);
/* Later fields are trailers. */
void http_exchange_clear_fields(HttpExchange *exchange);

/* Tell the owner. All but `close` do nothing for an exchange that is over. */
void http_exchange_begin(HttpExchange *exchange); /* server: here is a request */
void http_exchange_response(HttpExchange *exchange);
void http_exchange_body(HttpExchange *exchange, Span bytes);
void http_exchange_end(HttpExchange *exchange);
/* `closed`, then it is gone. */
void http_exchange_close(HttpExchange *exchange, int reason);

/* A body of declared length must not fall silent for longer than limits->body while it is waited
 * for (others are streams, which may). `tick` resets the exchange when it has, and returns when
 * to look again. */
void http_exchange_await(HttpExchange *exchange);
Nanos http_exchange_tick(HttpExchange *exchange, Nanos now);

/* Drops what has been sent from the queue; `writable` may become due. */
void http_exchange_sent(HttpExchange *exchange, size_t bytes);

/* Copies of headers that live as long as the exchange. */
HttpHeaders http_exchange_keep(HttpExchange *exchange, HttpHeaders headers);

/* A response of plain text that we give ourselves. */
void http_exchange_refuse(HttpExchange *exchange, int status, Span text);

/* ---- connections ---- */

/* What a protocol does. Functions may be called from inside its own callbacks to the owner,
 * except input, input_end, flush, tick and free, which only the connection calls. */
typedef struct HttpProtocol {
    uint8_t version;
    void (*start)(HttpConnection *connection);
    void (*free)(HttpConnection *connection);
    void (*input)(HttpConnection *connection, Span bytes);
    /* The peer sends no more. */
    void (*input_end)(HttpConnection *connection);
    /* Sends what there is, and moves on from there. */
    void (*flush)(HttpConnection *connection);
    /* Sees what is due at `now`, and returns when to be called next. */
    Nanos (*tick)(HttpConnection *connection, Nanos now);
    /* No new exchanges; the connection finishes once the open ones have ended. */
    void (*drain)(HttpConnection *connection);

    void (*respond)(HttpExchange *exchange, HttpHeaders headers);
    /* Output was queued, or our side finished. */
    void (*wake)(HttpExchange *exchange);
    void (*reset)(HttpExchange *exchange, HttpCode code);
    void (*release)(HttpExchange *exchange, size_t bytes);
    /* Client: begins a request; how many more it could begin now. */
    void (*request)(HttpExchange *exchange, HttpHeaders headers);
    uint32_t (*room)(const HttpConnection *connection);
} HttpProtocol;

extern const HttpProtocol HTTP1, HTTP2;

/* What server and client do with a connection of theirs. */
typedef struct HttpSide {
    bool server;
    /* TLS is done, or there is none. */
    void (*connected)(HttpConnection *connection);
    /* Bytes before the protocol is known. */
    void (*first)(HttpConnection *connection, Span bytes);
    /* Server: a request has come. */
    void (*request)(HttpConnection *connection, HttpExchange *exchange);
    /* How many exchanges it may take has changed. */
    void (*changed)(HttpConnection *connection);
    /* Something was refused for passing a limit: to be counted. */
    void (*refused)(HttpConnection *connection);
    /* Its exchanges hold that much more memory, or less. NULL: nobody counts. */
    void (*holds)(HttpConnection *connection, ptrdiff_t more);
    /* It is gone after this. */
    void (*closed)(HttpConnection *connection, int error);
} HttpSide;

struct HttpConnection {
    const HttpProtocol *protocol; /* NULL until it is known */
    const HttpSide *side;
    void *owner;   /* HttpServer or HttpClient */
    void *session; /* the protocol's own */
    World *world;
    Stream *stream;
    HttpPool *pool;
    const HttpLimits *limits;
    Link link; /* in its server */
    Link exchanges, roused;
    uint32_t exchange_count;
    Task flush;
    Timer timer;
    Timer rest;   /* goes on in the next turn, when it has had its share of this one */
    size_t share; /* bytes written since then */
    Nanos opened, heard, idle_since;
    Nanos
        pressed; /* since when the peer has taken nothing of what fills the stream; 0 = it has room */
    size_t pressing;                            /* how much that was */
    Nanos finishing;                            /* when our side was finished; 0 = not yet */
    Nanos keepalive, keepalive_timeout, pinged; /* client; 0 = none */
    uint64_t bytes_in, bytes_out, exchanges_total;
    size_t held;    /* by its exchanges */
    Span tls_error; /* why the handshake failed; constant text */
    bool tls, connected, reading, draining, ended;
    bool closing; /* stream_close was called */
    Buf sniffed;  /* first bytes, until the protocol is known */
    HttpPeer peer;
    char address[ADDRESS_MAX];
};

/* Takes the stream over. The protocol is to be known before limits->handshake is over. */
HttpConnection *http_connection_new(const HttpSide *side, void *owner, Stream *stream,
                                    HttpPool *pool, const HttpLimits *limits);
/* Fills `peer`, once the stream is connected. */
void http_connection_know_peer(HttpConnection *connection, bool tls);
/* From now on it speaks this protocol; `first` is what came so far. */
void http_connection_speak(HttpConnection *connection, const HttpProtocol *protocol, Span first);
/* Runs the protocol's flush at the end of this turn. */
void http_connection_schedule(HttpConnection *connection);
/* The protocol's tick is due at this instant, or earlier. */
void http_connection_arm(HttpConnection *connection, Nanos deadline);
void http_connection_write(HttpConnection *connection, Span bytes);
/* Whether the stream can take more now. If not, flush is called when it can. */
bool http_connection_has_room(HttpConnection *connection);
/* Goes on or stops reading. */
void http_connection_read(HttpConnection *connection, bool on);
/* Ends our direction, then reads on until the peer ends or a short time is over, so that it gets
 * our last words. */
void http_connection_finish(HttpConnection *connection);
/* At once. The exchanges close when the stream says that it is. */
void http_connection_close(HttpConnection *connection, int error);
/* Takes it apart without telling anyone but the exchanges, whose `closed` says `reason`. */
void http_connection_free(HttpConnection *connection, int reason);
/* The same, leaving the stream to someone else. */
void http_connection_abandon(HttpConnection *connection);

#define HTTP_LINGER   (2 * NANOS_PER_SECOND)
#define HTTP_TICK_MAX INT64_MAX

/* ---- memory ---- */

/* Small blocks and exchanges for the connections of one owner. Not for several threads. */
HttpPool *http_pool_new(void);
void http_pool_free(HttpPool *pool);
/* Zeroed but for the memory that its arena and queue keep. */
HttpExchange *http_pool_take(HttpPool *pool);
void http_pool_give(HttpPool *pool, HttpExchange *exchange);

/* nghttp2's allocator on the pool, counting what the session holds. */
typedef struct HttpMemory {
    HttpPool *pool;
    size_t used;
} HttpMemory;
nghttp2_mem http_memory(HttpMemory *memory);

/* HTTP/2's callbacks and options, made once for all sessions of the pool. */
nghttp2_session_callbacks *http_pool_callbacks(HttpPool *pool);
nghttp2_option *http_pool_options(HttpPool *pool);
/* Fills them; http2.c. */
void http2_configure(nghttp2_session_callbacks *callbacks, nghttp2_option *options);
