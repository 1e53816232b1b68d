/* The services of echo.proto with reflection and health, for clients that are not ours.
 *
 *     echo_server [OPTION…]
 *
 * Listens on a free loopback port; its first line says, as JSON, where, and what tokens there are:
 * {"address":"127.0.0.1:1","tls":"127.0.0.1:2","unix":"PATH","tokens":{"read":…}} */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/array.h"
#include "echo_services.h"
#include "net/tls.h"
#include "rpc/access.h"
#include "rpc/health.h"
#include "rpc/reflection.h"

typedef struct Options {
    const char *cert, *key, *client_ca, *unix_path, *listen, *page;
    bool require_token;
    ARRAY(Span) origins;
    ARRAY(Span) hosts;
    RpcServerOptions rpc;
} Options;

static const struct option OPTIONS[] = {
    {"listen", required_argument, NULL, 'l'},    /* instead of 127.0.0.1:0 */
    {"unix", required_argument, NULL, 'u'},      /* a unix socket as well */
    {"cert", required_argument, NULL, 'c'},      /* with --key: TLS on a second port */
    {"key", required_argument, NULL, 'k'},       /* PEM files */
    {"client-ca", required_argument, NULL, 'a'}, /* TLS clients need a certificate by it */
    {"origin", required_argument, NULL, 'o'},    /* allowed; repeatable */
    {"host", required_argument, NULL, 'h'},      /* allowed; repeatable */
    {"page", required_argument, NULL, 'p'},      /* a file for GET / */
    {"compress", no_argument, NULL, 'z'},        /* compress responses of any size */
    {"require-token", no_argument, NULL, 't'},   /* as if not on loopback */
    {"patience", required_argument, NULL, 'w'},  /* every limit of time, in milliseconds */
    {"memory", required_argument, NULL, 'm'},    /* HttpLimits.memory, in bytes */
    {0},
};

static void set_patience(HttpLimits *limits, int millis) {
    limits->handshake = limits->header = limits->body = limits->idle = millis * NANOS_PER_MILLI;
}

static void read_options(Options *options, int argc, char **argv) {
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'l':
            options->listen = optarg;
            break;
        case 'u':
            options->unix_path = optarg;
            break;
        case 'c':
            options->cert = optarg;
            break;
        case 'k':
            options->key = optarg;
            break;
        case 'a':
            options->client_ca = optarg;
            break;
        case 'o':
            *array_push(&options->origins) = span_of(optarg);
            break;
        case 'h':
            *array_push(&options->hosts) = span_of(optarg);
            break;
        case 'p':
            options->page = optarg;
            break;
        case 'z':
            options->rpc.compress = true;
            options->rpc.compress_above = 1;
            break;
        case 't':
            options->require_token = true;
            break;
        case 'm':
            options->rpc.http.memory = (size_t)atoll(optarg);
            break;
        case 'w':
            set_patience(&options->rpc.http, atoi(optarg));
            break;
        default:
            exit(2);
        }
    }
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "echo_server: %s: %s\n", what, why);
    exit(1);
}

/* Listens and prints "NAME":"ADDRESS". */
static void listen_on(RpcServer *server, const char *name, Span wanted, TlsContext *tls) {
    Address address, bound;
    char text[300];
    if (!address_parse(wanted, &address))
        fail(wanted.ptr, "not an address");
    int result = http_server_listen(rpc_server_http(server), &address, tls, &bound);
    if (result < 0)
        fail(wanted.ptr, strerror(-result));
    size_t len = address_format(&bound, text, sizeof text);
    printf("\"%s\":\"%.*s\",", name, (int)len, text);
}

static TlsContext *load_tls(const Options *options) {
    TlsOptions files = {.cert_file = options->cert,
                        .key_file = options->key,
                        .ca_file = options->client_ca,
                        .require_client_cert = options->client_ca};
    TlsContext *tls = NULL;
    char reason[256];
    if (options->cert && tls_context_new(true, &files, &tls, reason, sizeof reason) < 0)
        fail("TLS", reason);
    return tls;
}

static void print_tokens(const AccessPolicy *access) {
    static const struct {
        const char *name;
        SchemaScope scope;
    } SCOPES[] = {{"read", SCHEMA_SCOPE_READ},
                  {"report", SCHEMA_SCOPE_REPORT},
                  {"control", SCHEMA_SCOPE_CONTROL}};
    printf("\"tokens\":{");
    for (int i = 0; i < 3; i++) {
        char token[TOKEN_MAX];
        size_t len = token_make(access, SCOPES[i].scope, SPAN("test"), token);
        printf("%s\"%s\":\"%.*s\"", i ? "," : "", SCOPES[i].name, (int)len, token);
    }
    printf("}}\n");
    fflush(stdout);
}

static RpcAsset load_page(const char *path) {
    Buf bytes = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        fail(path, "cannot be read");
    for (size_t got = 1; got; bytes.len += got)
        got = fread(buf_reserve(&bytes, 65536), 1, 65536, file);
    fclose(file);
    return (RpcAsset){.path = "/",
                      .type = "text/html; charset=utf-8",
                      .etag = "\"page\"",
                      .plain = buf_span(&bytes)};
}

static void on_signal(void *owner, int signal) {
    world_stop(owner);
}

int main(int argc, char **argv) {
    Options options = {.listen = "127.0.0.1:0", .rpc = {.http = HTTP_LIMITS}};
    read_options(&options, argc, argv);
    options.rpc.allowed_origins = options.origins.items;
    options.rpc.allowed_origin_count = options.origins.count;
    options.rpc.allowed_hosts = options.hosts.items;
    options.rpc.allowed_host_count = options.hosts.count;

    World *world = world_new();
    TlsContext *tls = load_tls(&options);
    RpcServer *server = rpc_server_new(world, &options.rpc);
    AccessPolicy access = {.required = options.require_token};
    EchoState state;
    world_random(world, access.key, sizeof access.key);
    rpc_server_on_authorize(server, access_authorize, &access);
    echo_services_add(server, &state);
    reflection_add(server);
    HealthStatuses *health = health_new(server);
    RpcAsset page = {0};
    if (options.page) {
        page = load_page(options.page);
        rpc_server_assets(server, &page, 1, &page);
    }

    putchar('{');
    listen_on(server, "address", span_of(options.listen), NULL);
    if (tls)
        listen_on(server, "tls", SPAN("127.0.0.1:0"), tls);
    if (options.unix_path) {
        Buf path = {0};
        buf_printf(&path, "unix:%s", options.unix_path);
        listen_on(server, "unix", buf_span(&path), NULL);
        buf_done(&path);
    }
    print_tokens(&access);
    world_on_signal(world, SIGTERM, on_signal, world);
    world_on_signal(world, SIGINT, on_signal, world);
    world_run(world);

    rpc_server_free(server);
    health_free(health);
    tls_context_unref(tls);
    world_free(world);
    free((char *)page.plain.ptr);
    array_done(&options.origins);
    array_done(&options.hosts);
    return 0;
}
