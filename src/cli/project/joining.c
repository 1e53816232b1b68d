#include "cli/project/joining.h"

#include <stdio.h>

#include "cli/project/service_view.h"
#include "os/address.h"

typedef struct Joining {
    const Remote *remote;
    const Place *place;
    char *const *listen;
    size_t listen_count;
    int result;
} Joining;

/* ---- files and addresses ---- */

static bool is_among(Span text, const Span *others, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (span_equal(text, others[i]))
            return true;
    return false;
}

static bool is_same_host(const Address *wanted, const Address *bound) {
    return strcmp(wanted->host, bound->host) == 0 ||
           (address_is_loopback(wanted) && address_is_loopback(bound));
}

static bool is_bound(const char *listen, const RtOrchestratorStatus *status) {
    Address wanted, bound;
    address_parse(span_of(listen), &wanted);
    for (size_t i = 0; i < status->addresses.count; i++) {
        Span text = status->addresses.items[i];
        for (size_t at = 0; at + 3 <= text.len; at++)
            if (memcmp(text.ptr + at, "://", 3) == 0)
                text = span_skip(text, at + 3);
        if (address_parse(text, &bound) && bound.kind == wanted.kind &&
            is_same_host(&wanted, &bound) &&
            (wanted.kind == ADDRESS_UNIX || !wanted.port || wanted.port == bound.port))
            return true;
    }
    return false;
}

static void on_status(void *owner, const void *message) {
    Joining *joining = owner;
    const RtOrchestratorStatus *status = message;
    Span first =
        status->configuration_files.count ? status->configuration_files.items[0] : SPAN("");
    Span address = status->addresses.count ? status->addresses.items[0] : SPAN("");
    for (size_t i = 0; i < joining->place->files.count && !joining->result; i++) {
        const char *file = joining->place->files.items[i];
        if (!is_among(span_of(file), status->configuration_files.items,
                      status->configuration_files.count))
            joining->result =
                cli_fail(EXIT_USAGE,
                         "another file runs here: %.*s, not %s: muster down ends it first; "
                         "--isolated or --data DIR runs both",
                         SPAN_ARGS(first), file);
    }
    for (size_t i = 0; i < joining->listen_count && !joining->result; i++)
        if (!is_bound(joining->listen[i], status))
            joining->result =
                cli_fail(EXIT_USAGE,
                         "the project runs already, at %.*s: --listen %s comes too late: leave it "
                         "out, or muster down first",
                         SPAN_ARGS(address), joining->listen[i]);
}

int joining_check(Remote *remote, const Place *place, char *const *listen, size_t listen_count) {
    Joining joining = {remote, place, listen, listen_count, 0};
    int failed = remote_ask(remote, ORCHESTRATOR_METHOD(GetOrchestratorStatus), &(RtEmpty){0},
                            on_status, &joining);
    return failed ? failed : joining.result;
}

/* ---- instances ---- */

static void on_services(void *owner, const void *message) {
    const Joining *joining = owner;
    const RtOrchestratorStatus *status = message;
    Style on = joining->remote->style;
    for (size_t i = 0; i < status->services.count; i++) {
        const RtServiceStatus *service = &status->services.items[i];
        const ServiceConfig *config = config_service(joining->place->config, service->name);
        if (!config || config->kind == RT_SERVICE_KIND_BUILTIN ||
            config->replicas == service->replicas)
            continue;
        printf("%s%.*s%s has %d instance%s, as it was scaled to; its configuration says %d\n",
               style_service(on, service->name), SPAN_ARGS(service->name), style(on, STYLE_PLAIN),
               service->replicas, service->replicas == 1 ? "" : "s", config->replicas);
    }
    fflush(stdout);
}

int joining_tell_scaled(Remote *remote, const Place *place) {
    Joining joining = {.remote = remote, .place = place};
    return remote->quiet ? 0
                         : remote_ask(remote, ORCHESTRATOR_METHOD(GetOrchestratorStatus),
                                      &(RtEmpty){0}, on_services, &joining);
}
