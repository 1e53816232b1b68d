/* muster serve: the runtime alone, in the foreground. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "cli/cli.h"
#include "net/tls.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "rpc/server.h"

#define DEFAULT_LISTEN "127.0.0.1:50051"
#define DRAIN_GRACE    (10 * NANOS_PER_SECOND)

static const char HELP[] =
    "Usage: muster serve [options]\n"
    "\n"
    "Runs the runtime alone, in the foreground. Its first line on stdout is\n"
    "\"listening on http://HOST:PORT\" once calls are answered. SIGINT or SIGTERM let open calls "
    "end\n"
    "(up to 10 seconds), a second one exits at once. SIGHUP reads the certificates again.\n"
    "\n"
    "  --listen ADDRESS       HOST:PORT or unix:PATH; repeatable; port 0 picks a free one\n"
    "                         (default " DEFAULT_LISTEN ")\n"
    "  --data DIR             where it keeps its token key and address (default .muster)\n"
    "  --tls-cert FILE        PEM certificate chain: TLS on the TCP listeners\n"
    "  --tls-key FILE         PEM private key\n"
    "  --tls-client-ca FILE   PEM certificates of who vouches for clients; each must bring one\n"
    "  --allow-host NAME      a host name that requests may carry besides addresses and "
    "localhost;\n"
    "                         repeatable; * = any\n"
    "  --allow-origin ORIGIN  an origin whose pages may call, as https://app.example; repeatable\n"
    "  --log-format FORMAT    text or json (default text)\n"
    "  --quiet                log errors only\n"
    "  --help                 this text\n"
    "\n"
    "A listener that is not loopback makes every call need a token (DIR/token) or a client\n"
    "certificate.\n";

typedef struct Serve {
    World *world;
    RpcServer *server;
    AccessPolicy access;
    TlsContext *tls;
    const char *data;
    ARRAY(Address) listen;
    ARRAY(Span) hosts;
    ARRAY(Span) origins;
    TlsOptions tls_options;
    bool json_log, quiet, help, draining;
} Serve;

/* ---- options ---- */

enum {
    OPT_LISTEN = 256,
    OPT_DATA,
    OPT_CERT,
    OPT_KEY,
    OPT_CA,
    OPT_HOST,
    OPT_ORIGIN,
    OPT_LOG,
    OPT_QUIET
};

static const struct option OPTIONS[] = {
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"data", required_argument, NULL, OPT_DATA},
    {"tls-cert", required_argument, NULL, OPT_CERT},
    {"tls-key", required_argument, NULL, OPT_KEY},
    {"tls-client-ca", required_argument, NULL, OPT_CA},
    {"allow-host", required_argument, NULL, OPT_HOST},
    {"allow-origin", required_argument, NULL, OPT_ORIGIN},
    {"log-format", required_argument, NULL, OPT_LOG},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static int set_option(Serve *serve, int option, char *value) {
    switch (option) {
    case OPT_LISTEN:
        if (address_parse(span_of(value), array_push(&serve->listen)))
            return 0;
        return cli_usage(&COMMAND_SERVE,
                         "not an address: --listen %s: write HOST:PORT or unix:PATH", value);
    case OPT_DATA:
        serve->data = value;
        return 0;
    case OPT_CERT:
        serve->tls_options.cert_file = value;
        return 0;
    case OPT_KEY:
        serve->tls_options.key_file = value;
        return 0;
    case OPT_CA:
        serve->tls_options.ca_file = value;
        serve->tls_options.require_client_cert = true;
        return 0;
    case OPT_HOST:
        *array_push(&serve->hosts) = span_of(value);
        return 0;
    case OPT_ORIGIN:
        *array_push(&serve->origins) = span_of(value);
        return 0;
    case OPT_LOG:
        serve->json_log = strcmp(value, "json") == 0;
        if (serve->json_log || strcmp(value, "text") == 0)
            return 0;
        return cli_usage(&COMMAND_SERVE, "unknown format: --log-format %s: text or json", value);
    case OPT_QUIET:
        serve->quiet = true;
        return 0;
    case 'h':
        serve->help = true;
        return 0;
    default:
        return cli_usage(&COMMAND_SERVE, "wrong option");
    }
}

static int read_options(Serve *serve, int argc, char **argv) {
    int option;
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        if (option == '?')
            return cli_usage(&COMMAND_SERVE, "unknown option, or one without its value: %s",
                             argv[optind - 1]);
        int failed = set_option(serve, option, optarg);
        if (failed)
            return failed;
    }
    if (optind < argc)
        return cli_usage(&COMMAND_SERVE, "unexpected argument: %s", argv[optind]);
    if (!serve->tls_options.cert_file != !serve->tls_options.key_file)
        return cli_usage(&COMMAND_SERVE, "--tls-cert and --tls-key go together");
    if (serve->tls_options.ca_file && !serve->tls_options.cert_file)
        return cli_usage(&COMMAND_SERVE, "--tls-client-ca needs --tls-cert and --tls-key");
    if (!serve->listen.count)
        address_parse(SPAN(DEFAULT_LISTEN), array_push(&serve->listen));
    return 0;
}

/* ---- running ---- */

static void on_drained(void *owner) {
    Serve *serve = owner;
    world_stop(serve->world);
}

static void on_stop_signal(void *owner, int signal) {
    Serve *serve = owner;
    if (serve->draining)
        _exit(128 + signal);
    serve->draining = true;
    log_info("stopping; a second signal exits at once");
    http_server_drain(rpc_server_http(serve->server), DRAIN_GRACE, on_drained, serve);
}

static void on_reload_signal(void *owner, int signal) {
    (void)signal;
    Serve *serve = owner;
    char reason[256];
    if (!serve->tls)
        return;
    if (tls_context_reload(serve->tls, reason, sizeof reason) < 0)
        log_error("the old certificates stay", log_text("reason", span_of(reason)));
    else
        log_info("certificates read again");
}

/* "http://127.0.0.1:50051"; unix sockets are written unix:PATH. */
static void format_url(const Serve *serve, const Address *address, Buf *out) {
    char text[300];
    size_t len = address_format(address, text, sizeof text);
    bool web = address->kind == ADDRESS_TCP;
    buf_printf(out, "%s%.*s", !web ? "" : serve->tls ? "https://" : "http://", (int)len, text);
}

/* Appends the addresses to `urls`, a line each. */
static int listen_all(Serve *serve, Buf *urls) {
    HttpServer *http = rpc_server_http(serve->server);
    for (size_t i = 0; i < serve->listen.count; i++) {
        const Address *wanted = &serve->listen.items[i];
        Address bound;
        TlsContext *tls = wanted->kind == ADDRESS_TCP ? serve->tls : NULL;
        int result = http_server_listen(http, wanted, tls, &bound);
        char text[300];
        address_format(wanted, text, sizeof text);
        if (result == -EADDRINUSE)
            return cli_fail(EXIT_FAILED,
                            "the address is in use: %s: stop what listens there, or choose another "
                            "with --listen (port 0 picks a free one)",
                            text);
        if (result < 0)
            return cli_fail(EXIT_FAILED, "cannot listen: %s: %s", text, strerror(-result));
        format_url(serve, &bound, urls);
        buf_add_char(urls, '\n');
    }
    return 0;
}

/* Whoever reads a line may call, and finds the traces. */
static void announce(Span urls) {
    while (urls.len) {
        size_t len = (size_t)((const char *)memchr(urls.ptr, '\n', urls.len) - urls.ptr);
        printf("listening on %.*s\n", (int)len, urls.ptr);
        urls = span_skip(urls, len + 1);
    }
    fflush(stdout);
}

/* What other commands look for: where we are, and a token that may do everything. */
static int leave_traces(Serve *serve, Span url) {
    char token[TOKEN_MAX];
    size_t len = token_make(&serve->access, SCHEMA_SCOPE_CONTROL, SPAN("cli"), token);
    int result = data_write(serve->data, "token", span(token, len));
    if (result == 0)
        result = data_write(serve->data, "address", url);
    if (result < 0)
        return cli_fail(EXIT_FAILED, "cannot write into the data folder: %s: %s", serve->data,
                        strerror(-result));
    return 0;
}

static int start_tls(Serve *serve) {
    char reason[256];
    if (!serve->tls_options.cert_file)
        return 0;
    if (tls_context_new(true, &serve->tls_options, &serve->tls, reason, sizeof reason) < 0)
        return cli_fail(EXIT_USAGE, "TLS: %s", reason);
    return 0;
}

static int run_server(Serve *serve) {
    RpcServerOptions options = {
        .allowed_hosts = serve->hosts.items,
        .allowed_host_count = serve->hosts.count,
        .allowed_origins = serve->origins.items,
        .allowed_origin_count = serve->origins.count,
        .http = HTTP_LIMITS,
        .compress = true,
    };
    for (size_t i = 0; i < serve->listen.count; i++)
        serve->access.required |= !address_is_loopback(&serve->listen.items[i]);
    serve->server = rpc_server_new(serve->world, &options);
    rpc_server_on_authorize(serve->server, access_authorize, &serve->access);
    reflection_add(serve->server);
    HealthStatuses *health = health_new(serve->server);
    Buf urls = {0};
    int result = listen_all(serve, &urls);
    if (!result) {
        const char *end = memchr(urls.ptr, '\n', urls.len);
        result = leave_traces(serve, span(urls.ptr, (size_t)(end - urls.ptr)));
    }
    if (!result) {
        announce(buf_span(&urls));
        world_on_signal(serve->world, SIGINT, on_stop_signal, serve);
        world_on_signal(serve->world, SIGTERM, on_stop_signal, serve);
        world_on_signal(serve->world, SIGHUP, on_reload_signal, serve);
        world_run(serve->world);
        data_remove(serve->data, "address");
    }
    rpc_server_free(serve->server);
    health_free(health);
    buf_done(&urls);
    return result;
}

static int run(int argc, char **argv) {
    Serve serve = {.data = ".muster"};
    int result = read_options(&serve, argc, argv);
    if (!result && serve.help) {
        fputs(HELP, stdout);
    } else if (!result) {
        LogForm form = serve.json_log                     ? LOG_JSON
                       : isatty(2) && !getenv("NO_COLOR") ? LOG_HUMAN_COLOUR
                                                          : LOG_HUMAN;
        log_setup(2, form, serve.quiet ? LOG_ERROR : LOG_INFO);
        serve.world = world_new();
        result = start_tls(&serve);
        if (!result &&
            (data_open(serve.data) < 0 || data_key(serve.data, serve.world, &serve.access) < 0))
            result = EXIT_FAILED;
        if (!result)
            result = run_server(&serve);
        tls_context_unref(serve.tls);
        world_free(serve.world);
    }
    array_done(&serve.listen);
    array_done(&serve.hosts);
    array_done(&serve.origins);
    return result;
}

const Command COMMAND_SERVE = {
    .name = "serve",
    .summary = "run the runtime alone, in the foreground",
    .help = HELP,
    .run = run,
};
