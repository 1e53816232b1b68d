#include <stdlib.h>

#include "base/memory.h"
#include "net/http.h"
#include "net/tls.h"
#include "services/orchestrator/probe/internal.h"

typedef struct HttpProbe {
    Probe probe;
    HttpClient *client;
    HttpExchange *exchange;
    uint16_t first, last;
    Span method, path, authority; /* behind the struct */
    char text[];
} HttpProbe;

#define ASKED(http) SPAN_ARGS((http)->method), SPAN_ARGS((http)->path)

static void on_response(void *owner, int status, HttpHeaders headers) {
    (void)headers;
    HttpProbe *http = owner;
    bool passed = status >= http->first && status <= http->last;
    probe_finish(&http->probe, passed, "%.*s %.*s: %d", ASKED(http), status);
}

static void on_closed(void *owner, int reason) {
    (void)reason;
    HttpProbe *http = owner;
    http->exchange = NULL;
    probe_finish(&http->probe, false, "%.*s %.*s: the connection broke before the answer",
                 ASKED(http));
}

static const HttpExchangeHandler HANDLER = {.response = on_response, .closed = on_closed};
static const HttpExchangeHandler NOBODY = {0};

static void on_ready(void *owner) {
    HttpProbe *http = owner;
    if (http->exchange)
        return;
    const HttpHeader headers[] = {
        {SPAN("user-agent"), SPAN("muster-health-check")},
        {SPAN("accept"), SPAN("*/*")},
    };
    http->exchange = http_client_request(http->client, http->method, http->path, http->authority,
                                         (HttpHeaders){headers, 2}, true, &HANDLER, http);
}

static void on_gone(void *owner, int error) {
    HttpProbe *http = owner;
    if (http->exchange)
        return; /* its end says more */
    probe_finish(&http->probe, false, "%.*s: %s", SPAN_ARGS(http->authority),
                 probe_error_text(error));
}

static void release(Probe *probe) {
    HttpProbe *http = (HttpProbe *)probe;
    if (http->exchange)
        http_handle(http->exchange, &NOBODY, NULL);
    http_client_close(http->client, true);
    free(http);
}

static const ProbeOps OPS = {.release = release};

static Span keep(char **at, Span text) {
    Span copy = {*at, text.len};
    memcpy(*at, text.len ? text.ptr : "", text.len);
    *at += text.len;
    return copy;
}

Probe *probe_http_new(World *world, const ProbeSpec *spec) {
    char address[ADDRESS_MAX];
    Span authority = spec->address.kind == ADDRESS_TCP
                         ? span(address, address_format(&spec->address, address, sizeof address))
                         : SPAN("localhost");
    Span method = spec->method.len ? spec->method : SPAN("GET");
    Span path = spec->path.len ? spec->path : SPAN("/");
    HttpProbe *http = xcalloc(1, sizeof *http + method.len + path.len + authority.len);
    char *at = http->text;
    http->probe.ops = &OPS;
    http->method = keep(&at, method);
    http->path = keep(&at, path);
    http->authority = keep(&at, authority);
    http->first = spec->status_first ? spec->status_first : 200;
    http->last = spec->status_first ? spec->status_last : 399;
    TlsContext *tls = NULL;
    char reason[128];
    if (spec->tls)
        tls_context_new(false, &(TlsOptions){.insecure = true}, &tls, reason, sizeof reason);
    HttpClientOptions options = {
        .tls = tls,
        .connect_timeout = spec->timeout,
        .ready = on_ready,
        .gone = on_gone,
        .owner = http,
    };
    http->client = http_client_connect(world, &spec->address, &options);
    tls_context_unref(tls);
    return &http->probe;
}
