/* A small HTTP server for measurements and conformance: echoes bodies, on cleartext and, given a
 * certificate, on TLS.
 *
 *     http_echo_server ADDRESS [TLS-ADDRESS CERT KEY]
 *
 * POST echoes the body with its content type; a path that ends in "/trailers" adds a trailer. GET
 * answers "hello\n". "/count/N" answers with N bytes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "net/http.h"
#include "net/tls.h"

static const HttpHeader TRAILER = {SPAN("grpc-status"), SPAN("0")};

static void on_body(void *owner, Span bytes) {
    HttpExchange *exchange = owner;
    http_write(exchange, bytes);
    http_release(exchange, bytes.len);
}

static void on_end(void *owner, HttpHeaders trailers) {
    HttpExchange *exchange = owner;
    Span type = http_header(http_request(exchange)->headers, SPAN("content-type"));
    bool with_trailer = span_starts(type, SPAN("application/grpc"));
    http_finish(exchange, (HttpHeaders){&TRAILER, with_trailer});
}

static const HttpExchangeHandler ECHO = {.body = on_body, .end = on_end};

static void on_request(void *owner, HttpExchange *exchange) {
    const HttpRequest *request = http_request(exchange);
    uint64_t count;
    HttpHeader type = {SPAN("content-type"), http_header(request->headers, SPAN("content-type"))};
    if (!type.value.ptr)
        type.value = SPAN("text/plain");
    http_handle(exchange, &ECHO, exchange);
    http_respond(exchange, 200, (HttpHeaders){&type, 1}, false);
    if (!request->ended)
        return;
    if (span_starts(request->path, SPAN("/count/")) &&
        parse_u64(span_skip(request->path, 7), &count) && count <= 1 << 28) {
        Blob *blob = blob_new((uint32_t)count);
        memset(blob->bytes, 'x', count);
        http_write_blob(exchange, blob, blob_span(blob));
        blob_unref(blob);
    } else {
        http_write(exchange, SPAN("hello\n"));
    }
    http_finish(exchange, (HttpHeaders){0});
}

static void on_drained(void *owner) {
    world_stop(owner);
}

typedef struct Program {
    World *world;
    HttpServer *server;
} Program;

static void on_signal(void *owner, int signal) {
    Program *program = owner;
    http_server_drain(program->server, 5 * NANOS_PER_SECOND, on_drained, program->world);
}

static int listen_on(HttpServer *server, const char *text, TlsContext *tls) {
    Address address, bound;
    char name[ADDRESS_MAX];
    if (!address_parse(span_of(text), &address) ||
        http_server_listen(server, &address, tls, &bound) < 0) {
        fprintf(stderr, "cannot listen on %s\n", text);
        return -1;
    }
    address_format(&bound, name, sizeof name);
    printf("listening on %s://%s\n", tls ? "https" : "http", name);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv) {
    Program program = {.world = world_new()};
    TlsContext *tls = NULL;
    int error = argc < 2 ? -1 : 0;
    program.server = http_server_new(program.world, &HTTP_LIMITS, on_request, NULL);
    if (!error)
        error = listen_on(program.server, argv[1], NULL);
    if (!error && argc == 5) {
        char reason[200];
        TlsOptions options = {.cert_file = argv[3], .key_file = argv[4]};
        error = tls_context_new(true, &options, &tls, reason, sizeof reason);
        if (error < 0)
            fprintf(stderr, "%s\n", reason);
        else
            error = listen_on(program.server, argv[2], tls);
    }
    world_on_signal(program.world, SIGTERM, on_signal, &program);
    world_on_signal(program.world, SIGINT, on_signal, &program);
    if (!error)
        world_run(program.world);
    world_on_signal(program.world, SIGTERM, NULL, NULL);
    world_on_signal(program.world, SIGINT, NULL, NULL);
    http_server_free(program.server);
    tls_context_unref(tls);
    world_free(program.world);
    return error ? 1 : 0;
}
