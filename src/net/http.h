/* HTTP/1.1 and HTTP/2 behind one face, for servers and clients.
 *
 * An HttpExchange is one request with its response. What carries it (an HTTP/2 stream, or an
 * HTTP/1.1 connection for a while) does not show. Header names are lower case. Bodies come as
 * pieces; credit for them is given back by http_release, and only then does the peer's window
 * (or the reading of the socket) open again, so a slow consumer slows its producer. Output is
 * queued per exchange and leaves as flow control allows; http_pending tells how much waits.
 *
 * All callbacks come from the loop; those that are NULL are left out. `closed` comes exactly once
 * and last; the exchange is gone after it, and what was not released counts as released. All
 * functions may be called from callbacks, but for http_server_free, whose place is outside of
 * them. After http_reset nothing more is sent or received, and `closed` follows. */
#pragma once

#include "base/arena.h"
#include "base/blob.h"
#include "os/stream.h"

typedef struct HttpHeader {
    Span name; /* lower case */
    Span value;
} HttpHeader;

typedef struct HttpHeaders {
    const HttpHeader *items;
    size_t count;
} HttpHeaders;

/* The value of the first header of that name; {NULL, 0} when there is none. */
Span http_header(HttpHeaders headers, Span name);

/* Reset codes are HTTP/2's (RFC 9113, section 7). On HTTP/1.1 any reset closes the connection. */
typedef enum HttpCode {
    HTTP_NO_ERROR = 0,
    HTTP_PROTOCOL_ERROR = 1,
    HTTP_INTERNAL_ERROR = 2,
    HTTP_FLOW_CONTROL_ERROR = 3,
    HTTP_REFUSED_STREAM = 7,
    HTTP_CANCEL = 8,
    HTTP_ENHANCE_YOUR_CALM = 11,
    HTTP_INADEQUATE_SECURITY = 12,
} HttpCode;

typedef struct HttpExchange HttpExchange;

typedef struct HttpExchangeHandler {
    /* Client: status and headers of the final response. */
    void (*response)(void *owner, int status, HttpHeaders headers);
    /* A piece of the body, valid during the call; owes http_release of its length, now or later.
     * Without this callback, bodies are released unseen. */
    void (*body)(void *owner, Span bytes);
    /* The peer's side is complete. */
    void (*end)(void *owner, HttpHeaders trailers);
    /* http_pending has fallen to HTTP_LOW or below after having been above. */
    void (*writable)(void *owner);
    /* Over. HTTP_OK: both sides complete. Otherwise why not. */
    void (*closed)(void *owner, int reason);
} HttpExchangeHandler;

#define HTTP_LOW (64 * 1024)

/* Reasons of `closed` besides reset codes (which are given as they came from the peer, as
 * positive numbers): */
enum {
    HTTP_OK = -1,
    HTTP_LOST = -2,  /* the connection broke or was closed in between */
    HTTP_LOCAL = -3, /* we reset it */
    HTTP_UNSENT =
        -4, /* client: certainly not processed by the server (GOAWAY, refused, never left): safe to retry */
    HTTP_TIMEOUT = -5, /* a limit of time was passed */
};

/* What a server sees of a request. Spans live as long as the exchange. */
typedef struct HttpRequest {
    Span method;
    Span path;           /* with query, as sent: "/a.B/C?x=1" */
    Span authority;      /* :authority or Host */
    Span scheme;         /* "http", "https" */
    HttpHeaders headers; /* without pseudo-headers */
    uint8_t version;     /* 1 (HTTP/1.x) or 2 */
    bool ended;          /* there is no body: `end` will not be called */
} HttpRequest;

const HttpRequest *http_request(const HttpExchange *exchange);
/* Freed with the exchange; for what belongs to one request. */
Arena *http_arena(HttpExchange *exchange);
World *http_world(const HttpExchange *exchange);
void http_handle(HttpExchange *exchange, const HttpExchangeHandler *handler, void *owner);

/* Peer of the connection: address text, uid of a unix peer (-1), the verified client
 * certificate's subject or {NULL,0}. */
typedef struct HttpPeer {
    Span address;
    int64_t uid;
    Span certificate;
    bool tls;
    bool loopback;
} HttpPeer;
const HttpPeer *http_peer(const HttpExchange *exchange);

/* Server: sends status and headers; with `end` there is no body. HTTP/1.1 framing
 * (content-length, chunked, keep-alive) is added by the connection. */
void http_respond(HttpExchange *exchange, int status, HttpHeaders headers, bool end);
/* Queues body bytes: copied, or shared. */
void http_write(HttpExchange *exchange, Span bytes);
void http_write_blob(HttpExchange *exchange, Blob *blob, Span part);
/* Our side is complete. Trailers only where the peer can take them (HTTP/2, chunked HTTP/1.1). */
void http_finish(HttpExchange *exchange, HttpHeaders trailers);
void http_reset(HttpExchange *exchange, HttpCode code);
size_t http_pending(const HttpExchange *exchange);
void http_release(HttpExchange *exchange, size_t bytes);
/* How many bytes its owner keeps for it beside that, now; counted against HttpLimits.memory. */
void http_hold(HttpExchange *exchange, size_t bytes);
/* Client: the request was sent in full or the peer's early response makes sending pointless:
 * nothing special is needed, the exchange ends when both sides have ended, or by http_reset(…,
 * HTTP_CANCEL). */

/* ---- limits ---- */

typedef struct HttpLimits {
    uint32_t connections;  /* accepted at a time; more wait in the backlog */
    uint32_t streams;      /* concurrent per HTTP/2 connection */
    uint32_t header_bytes; /* one header section, names + values + 32 each */
    uint32_t header_count;
    uint32_t window; /* receive window of a stream; a connection has 4 × that */
    /* What one HTTP/2 session may hold in frames to be sent and in header state before it is
     * closed. Bodies wait in their exchanges, beside it. */
    size_t write_queue;
    /* Server: what all exchanges together may hold in memory: output that waits, input that was
     * not released, what http_hold tells, and some for each. Beyond, the connection that holds the
     * most is closed: whoever does not read what he asks for pays for it, and nobody else. */
    size_t memory;
    /* What costs a peer little and us something, per second, before GOAWAY: resets before an
     * answer, SETTINGS, empty frames; PINGs and tiny WINDOW_UPDATEs beyond what its calls bring
     * about. */
    uint32_t glitches;
    Nanos handshake; /* first byte, TLS handshake and preface */
    Nanos header;    /* a request's header section from its first byte */
    /* Silence in the middle of a body of declared length (others are streams, which may be
     * silent), and of a peer that takes nothing of what fills its connection. */
    Nanos body;
    Nanos idle; /* a connection without exchanges */
} HttpLimits;

extern const HttpLimits HTTP_LIMITS; /* the defaults */

/* ---- server ---- */

typedef struct HttpServer HttpServer;
typedef struct TlsContext TlsContext; /* net/tls.h */

/* Each request goes to `request`, which sets a handler and answers now or later. The limits are
 * copied; NULL = HTTP_LIMITS. */
HttpServer *http_server_new(World *world, const HttpLimits *limits,
                            void (*request)(void *owner, HttpExchange *exchange), void *owner);
/* Listens; `tls` NULL = cleartext (HTTP/2 by prior knowledge and HTTP/1.1 told apart by their
 * first bytes). */
int http_server_listen(HttpServer *server, const Address *address, TlsContext *tls,
                       Address *ret_bound);
int http_server_adopt(HttpServer *server, int listening_fd, TlsContext *tls, Address *ret_bound);
/* The descriptor of the socket that it came to listen on last, for who keeps it open beyond us; it
 * stays the server's. -1 in a simulation. */
int http_server_last_listener(const HttpServer *server);
/* Serves one stream that came from elsewhere (another thread's listener, a test's pair). */
void http_server_serve(HttpServer *server, Stream *stream, TlsContext *tls);
/* A connection whose first bytes are not HTTP is offered here before it is refused: true = taken
 * over (then `stream` and the bytes read so far are the callee's). */
void http_server_on_foreign(HttpServer *server,
                            bool (*take)(void *owner, Stream *stream, Span first), void *owner);
/* While held, connections wait in the kernel's backlog; at first it is not. */
void http_server_hold(HttpServer *server, bool hold);
/* Graceful end: stops accepting, GOAWAY in two steps, exchanges finish; what is left at `grace`
 * is cut; then `drained`. */
void http_server_drain(HttpServer *server, Nanos grace, void (*drained)(void *owner), void *owner);
void http_server_free(HttpServer *server);

typedef struct HttpServerStats {
    uint64_t connections_total, connections_open, exchanges_total, exchanges_open;
    uint64_t bytes_in, bytes_out, refused; /* refused: closed for passing a limit */
    size_t memory;                         /* that exchanges hold now, see HttpLimits.memory */
} HttpServerStats;
HttpServerStats http_server_stats(const HttpServer *server);

/* ---- client ---- */

/* One connection to one server. */
typedef struct HttpClient HttpClient;

typedef enum HttpVersionWish {
    HTTP_ANY /* ALPN; HTTP/1.1 in cleartext */,
    HTTP_ONE,
    HTTP_TWO
} HttpVersionWish;

typedef struct HttpClientOptions {
    HttpVersionWish version;
    TlsContext *tls;       /* NULL = cleartext */
    Span server_name;      /* TLS SNI and verification; empty = the address's host */
    Nanos connect_timeout; /* 0 = 10 s */
    Nanos keepalive;       /* HTTP/2 PING after that much silence; 0 = none */
    Nanos keepalive_timeout;
    HttpLimits limits; /* zeroes = HTTP_LIMITS */
    /* The connection can take exchanges / takes no more (draining or broken; open ones may still
     * end well). */
    void (*ready)(void *owner);
    void (*gone)(void *owner, int error);
    void *owner;
} HttpClientOptions;

/* `gone` tells when it cannot connect. A client is freed by http_client_close, whatever became of
 * its connection. */
HttpClient *http_client_connect(World *world, const Address *address,
                                const HttpClientOptions *options);
HttpClient *http_client_on(World *world, Stream *connected, const HttpClientOptions *options);
/* How many more exchanges it can take now: 0 while connecting or draining; HTTP/1.1: 1 or 0. */
uint32_t http_client_room(const HttpClient *client);
uint8_t http_client_version(const HttpClient *client);
/* After `gone`: why TLS failed, in OpenSSL's words; constant text, empty for any other end. */
Span http_client_tls_error(const HttpClient *client);
/* Begins a request. NULL when there is no room. With `end` there is no body. */
HttpExchange *http_client_request(HttpClient *client, Span method, Span path, Span authority,
                                  HttpHeaders headers, bool end, const HttpExchangeHandler *handler,
                                  void *owner);
/* Closes after its exchanges ended, or at once: then they still hear `closed`, soon after. The
 * client itself is not to be used again, and says no more. */
void http_client_close(HttpClient *client, bool at_once);
