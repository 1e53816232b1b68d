/* muster serve: the runtime alone, in the foreground. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "cli/options.h"
#include "runtime/data.h"
#include "runtime/runtime.h"

static const char HELP[] =
    "Usage: muster serve [options]\n"
    "\n"
    "Runs the runtime alone, in the foreground. Its first line on stdout is\n"
    "\"listening on http://HOST:PORT\" once calls are answered. SIGINT or SIGTERM let open calls "
    "end\n"
    "(up to 10 seconds), a second one exits at once. SIGHUP reads the certificates again.\n"
    "\n"
    "  -f, --file FILE        the project's file; repeatable, merged in order (default: no "
    "project)\n"
    "  --listen ADDRESS       HOST:PORT or unix:PATH; repeatable; port 0 picks a free one\n"
    "                         (default: the project's, else " RUNTIME_ADDRESS ")\n"
    "  --data DIR             where it keeps what is its own (default: the project's, "
    "else .muster)\n"
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
    const char *data;
    ARRAY(const char *) files;
    ARRAY(Address) listen;
    ARRAY(Span) hosts;
    ARRAY(Span) origins;
    TlsOptions tls;
    bool json_log, quiet;
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
    OPTION_HELP,
    {"file", required_argument, NULL, 'f'},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"data", required_argument, NULL, OPT_DATA},
    {"tls-cert", required_argument, NULL, OPT_CERT},
    {"tls-key", required_argument, NULL, OPT_KEY},
    {"tls-client-ca", required_argument, NULL, OPT_CA},
    {"allow-host", required_argument, NULL, OPT_HOST},
    {"allow-origin", required_argument, NULL, OPT_ORIGIN},
    {"log-format", required_argument, NULL, OPT_LOG},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {0},
};

static int take_option(void *owner, int option, char *value) {
    Serve *serve = owner;
    switch (option) {
    case 'f':
        *array_push(&serve->files) = value;
        return 0;
    case OPT_LISTEN:
        if (address_parse(span_of(value), array_push(&serve->listen)))
            return 0;
        return cli_usage(&COMMAND_SERVE,
                         "not an address: --listen %s: write HOST:PORT or unix:PATH", value);
    case OPT_DATA:
        serve->data = value;
        return 0;
    case OPT_CERT:
        serve->tls.cert_file = value;
        return 0;
    case OPT_KEY:
        serve->tls.key_file = value;
        return 0;
    case OPT_CA:
        serve->tls.ca_file = value;
        serve->tls.require_client_cert = true;
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
    default:
        serve->quiet = true;
        return 0;
    }
}

static int read_options(Serve *serve, int argc, char **argv) {
    OptionSet set = {
        .command = &COMMAND_SERVE,
        .options = OPTIONS,
        .short_options = "f:",
        .take = take_option,
        .owner = serve,
    };
    int failed = options_read(&set, argc, argv);
    if (failed)
        return failed;
    if (!serve->tls.cert_file != !serve->tls.key_file)
        return cli_usage(&COMMAND_SERVE, "--tls-cert and --tls-key go together");
    if (serve->tls.ca_file && !serve->tls.cert_file)
        return cli_usage(&COMMAND_SERVE, "--tls-client-ca needs --tls-cert and --tls-key");
    return 0;
}

/* ---- the command ---- */

/* Whoever reads a line may call, and finds the traces. */
static void announce(void *owner, Span urls) {
    while (urls.len) {
        size_t len = (size_t)((const char *)memchr(urls.ptr, '\n', urls.len) - urls.ptr);
        printf("listening on %.*s\n", (int)len, urls.ptr);
        urls = span_skip(urls, len + 1);
    }
    fflush(stdout);
}

static int serve(const Serve *options) {
    RuntimeOptions runtime = {
        .files = options->files.items,
        .file_count = options->files.count,
        .listen = options->listen.items,
        .listen_count = options->listen.count,
        .hosts = options->hosts.items,
        .host_count = options->hosts.count,
        .origins = options->origins.items,
        .origin_count = options->origins.count,
        .tls = options->tls,
        .data_folder = options->data,
        .ready = announce,
    };
    LogForm form = options->json_log                  ? LOG_JSON
                   : isatty(2) && !getenv("NO_COLOR") ? LOG_HUMAN_COLOUR
                                                      : LOG_HUMAN;
    log_setup(2, form, options->quiet ? LOG_ERROR : LOG_INFO);
    Buf reason = {0};
    int error = runtime_run(&runtime, &reason);
    if (error < 0)
        cli_fail(EXIT_FAILED, "%.*s", SPAN_ARGS(buf_span(&reason)));
    buf_done(&reason);
    return error == -EINVAL ? EXIT_USAGE : error ? EXIT_FAILED : EXIT_DONE;
}

static int run(int argc, char **argv) {
    Serve options = {0};
    int result = read_options(&options, argc, argv);
    if (!result)
        result = serve(&options);
    array_done(&options.files);
    array_done(&options.listen);
    array_done(&options.hosts);
    array_done(&options.origins);
    return result == OPTIONS_HELPED ? EXIT_DONE : result;
}

const Command COMMAND_SERVE = {
    .name = "serve",
    .summary = "run the runtime alone, in the foreground",
    .help = HELP,
    .run = run,
};
