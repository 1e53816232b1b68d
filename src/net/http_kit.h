/* What the tests of src/net share: a server with a few behaviours, and a client that notes what
 * it is told, in a simulated world or the real one.
 *
 *     /echo     sends the body back piece by piece, then "x-bytes" as a trailer
 *     /early    answers "early" at once, whatever comes
 *     /count/N  N bytes
 *     /silent   never answers
 *     /drop     resets
 *     /hold     takes nothing of the body until kit_release */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/test.h"
#include "base/text.h"
#include "net/http.h"
#include "net/tls.h"
#include "os/simulation.h"

#define HEADERS(...)                                                                               \
    ((HttpHeaders){(HttpHeader[]){__VA_ARGS__},                                                    \
                   sizeof((HttpHeader[]){__VA_ARGS__}) / sizeof(HttpHeader)})
#define NO_HEADERS ((HttpHeaders){0})

typedef struct Kit {
    Simulation *simulation; /* NULL in the real world */
    World *world;
    HttpServer *server;
    HttpLimits limits;
    int served, open; /* requests so far, and those not closed */
    int last_reason;  /* of the server's last exchange */
    bool drained;
    HttpExchange *held; /* of /hold */
    size_t held_bytes;
} Kit;

typedef struct KitRequest {
    Kit *kit;
    HttpExchange *exchange;
    size_t bytes;
    bool echo, hold;
} KitRequest;

static void kit_body(void *owner, Span bytes) {
    KitRequest *request = owner;
    request->bytes += bytes.len;
    if (request->hold) {
        request->kit->held_bytes += bytes.len;
        return;
    }
    if (request->echo)
        http_write(request->exchange, bytes);
    http_release(request->exchange, bytes.len);
}

static void kit_end(void *owner, HttpHeaders trailers) {
    KitRequest *request = owner;
    char digits[20];
    Span sent = http_header(trailers, SPAN("x-sent"));
    if (request->echo)
        http_finish(request->exchange,
                    HEADERS({SPAN("x-bytes"), span(digits, format_u64(digits, request->bytes))},
                            {SPAN("x-sent"), sent}));
}

static void kit_closed(void *owner, int reason) {
    KitRequest *request = owner;
    request->kit->open--;
    request->kit->last_reason = reason;
    if (request->exchange == request->kit->held)
        request->kit->held = NULL;
}

static const HttpExchangeHandler KIT_SERVER = {
    .body = kit_body, .end = kit_end, .closed = kit_closed};

static void kit_count(HttpExchange *exchange, uint64_t count) {
    Blob *blob = blob_new((uint32_t)count);
    memset(blob->bytes, 'x', count);
    http_respond(exchange, 200, NO_HEADERS, false);
    http_write_blob(exchange, blob, blob_span(blob));
    http_finish(exchange, NO_HEADERS);
    blob_unref(blob);
}

static void kit_request(void *owner, HttpExchange *exchange) {
    Kit *kit = owner;
    const HttpRequest *got = http_request(exchange);
    KitRequest *request = arena_zalloc(http_arena(exchange), sizeof *request);
    uint64_t count;
    *request = (KitRequest){.kit = kit, .exchange = exchange};
    kit->served++;
    kit->open++;
    http_handle(exchange, &KIT_SERVER, request);
    if (span_equal(got->path, SPAN("/echo"))) {
        request->echo = true;
        http_respond(exchange, 200, HEADERS({SPAN("x-method"), got->method}), false);
        if (got->ended)
            http_finish(exchange, NO_HEADERS);
    } else if (span_starts(got->path, SPAN("/count/")) &&
               parse_u64(span_skip(got->path, 7), &count)) {
        kit_count(exchange, count);
    } else if (span_equal(got->path, SPAN("/drop"))) {
        http_reset(exchange, HTTP_ENHANCE_YOUR_CALM);
    } else if (span_equal(got->path, SPAN("/hold"))) {
        request->hold = true;
        kit->held = exchange;
    } else if (!span_equal(got->path, SPAN("/silent"))) {
        http_respond(exchange, 200, HEADERS({SPAN("content-type"), SPAN("text/plain")}), false);
        http_write(exchange, SPAN("early"));
        http_finish(exchange, NO_HEADERS);
    }
}

static inline void kit_init(Kit *kit, bool simulated, const HttpLimits *limits) {
    static const SimulationOptions options = {
        .seed = 7, .delay_min = NANOS_PER_MICRO, .delay_max = NANOS_PER_MILLI, .piece_max = 4096};
    *kit = (Kit){.limits = limits ? *limits : HTTP_LIMITS};
    kit->simulation = simulated ? simulation_new(&options) : NULL;
    kit->world = simulated ? simulation_world(kit->simulation) : world_new();
    kit->server = http_server_new(kit->world, &kit->limits, kit_request, kit);
}

static inline void kit_done(Kit *kit) {
    http_server_free(kit->server);
    world_free(kit->world);
    if (kit->simulation)
        simulation_free(kit->simulation);
}

/* Lets simulated time pass. */
static inline void kit_run(Kit *kit, Nanos time) {
    simulation_run(kit->simulation, world_now(kit->world) + time);
}

/* ---- a client's request ---- */

typedef struct Ask {
    HttpExchange *exchange;
    int status;
    Buf body;
    char text[64]; /* a header: x-method; then a trailer: x-bytes */
    char trailer[64];
    bool ended;
    bool hold; /* releases nothing */
    size_t owed;
    int closed; /* how often */
    int reason;
    int writables;
    int *waiting; /* counts down with `closed`, and stops this world at 0 */
    World *world;
} Ask;

static void ask_response(void *owner, int status, HttpHeaders headers) {
    Ask *ask = owner;
    assert_int_equal(ask->status, 0);
    ask->status = status;
    snprintf(ask->text, sizeof ask->text, "%.*s",
             SPAN_ARGS(http_header(headers, SPAN("x-method"))));
}

static void ask_body(void *owner, Span bytes) {
    Ask *ask = owner;
    assert_false(ask->ended);
    buf_add(&ask->body, bytes);
    if (ask->hold)
        ask->owed += bytes.len;
    else
        http_release(ask->exchange, bytes.len);
}

static void ask_end(void *owner, HttpHeaders trailers) {
    Ask *ask = owner;
    ask->ended = true;
    snprintf(ask->trailer, sizeof ask->trailer, "%.*s",
             SPAN_ARGS(http_header(trailers, SPAN("x-bytes"))));
}

static void ask_writable(void *owner) {
    Ask *ask = owner;
    ask->writables++;
}

static void ask_closed(void *owner, int reason) {
    Ask *ask = owner;
    ask->closed++;
    ask->reason = reason;
    ask->exchange = NULL;
    if (ask->waiting && --*ask->waiting == 0)
        world_stop(ask->world);
}

static const HttpExchangeHandler ASK = {ask_response, ask_body, ask_end, ask_writable, ask_closed};

static inline void ask_done(Ask *ask) {
    buf_done(&ask->body);
}

static inline void ask_start(Ask *ask, HttpClient *client, const char *method, const char *path,
                             bool end) {
    ask->exchange = http_client_request(client, span_of(method), span_of(path), SPAN("test:1"),
                                        HEADERS({SPAN("x-one"), SPAN("1")}), end, &ASK, ask);
    assert_non_null(ask->exchange);
}

/* ---- a peer that writes bytes by hand ---- */

typedef struct Raw {
    Stream *stream;
    Buf got;
    bool ended, closed;
} Raw;

static void raw_read(void *owner, Span bytes) {
    Raw *raw = owner;
    buf_add(&raw->got, bytes);
}

static void raw_end(void *owner) {
    Raw *raw = owner;
    raw->ended = true;
    stream_finish(raw->stream);
}

static void raw_closed(void *owner, int error) {
    Raw *raw = owner;
    raw->closed = true;
    raw->stream = NULL;
}

static const StreamHandler RAW = {.read = raw_read, .end = raw_end, .closed = raw_closed};

/* A connection to the kit's server. */
static inline void raw_open(Raw *raw, Kit *kit) {
    Stream *pair[2];
    assert_int_equal(stream_pair(kit->world, pair), 0);
    *raw = (Raw){.stream = pair[0]};
    stream_handle(pair[0], &RAW, raw);
    stream_read_start(pair[0]);
    http_server_serve(kit->server, pair[1], NULL);
}

static inline void raw_send(Raw *raw, Span bytes) {
    if (raw->stream)
        stream_write(raw->stream, bytes);
}

static inline bool raw_is_over(const Raw *raw) {
    return raw->closed || raw->ended;
}

static inline void raw_done(Raw *raw) {
    if (raw->stream) {
        stream_handle(raw->stream, NULL, NULL);
        stream_close(raw->stream, 0);
    }
    buf_done(&raw->got);
}

static inline bool raw_contains(const Raw *raw, const char *text) {
    return memmem(raw->got.ptr, raw->got.len, text, strlen(text)) != NULL;
}
