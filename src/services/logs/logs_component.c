#include "services/logs/logs_component.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/config.h"
#include "services/logs/logs.h"

#define CONTEXT_KEY "logs"

Logs *logs_of(Context *context) {
    return context_get(context, CONTEXT_KEY);
}

/* A sync that failed may have lost anything: the next start finds out, as it does for the store. */
static void on_broken(void *owner, Span reason) {
    log_error("the logs cannot be written", log_text("reason", reason));
    abort();
}

static void on_failing(void *owner, int error) {
    (void)owner;
    if (error)
        log_error("the disk does not take what services print: they go on, and what finds no room "
                  "in memory is lost; make room",
                  log_text("reason", span_of(strerror(-error))));
    else
        log_info("what services print is stored again");
}

/* What the project says is secret, and what its services want hidden. */
static int hide_secrets(Logs *logs, const Config *config, Buf *reason) {
    ARRAY(Span) patterns = {0};
    Buf why = {0};
    for (size_t i = 0; i < config->services.count; i++) {
        const ConfigSpans *masks = &config->services.items[i].logs.mask;
        for (size_t n = 0; n < masks->count; n++)
            *array_push(&patterns) = masks->items[n];
    }
    int r = logs_hide(logs, config->secrets.items, config->secrets.count, patterns.items,
                      patterns.count, &why);
    if (r < 0)
        buf_printf(reason, "a pattern of what is to be masked in logs: %.*s",
                   SPAN_ARGS(buf_span(&why)));
    buf_done(&why);
    array_done(&patterns);
    return r;
}

static int load(Context *context, Buf *reason) {
    const Infrastructure *infrastructure = infrastructure_of(context);
    const Config *config = infrastructure->config;
    LogsOptions options = {
        .folder = infrastructure->data_folder,
        .disk_bytes = config ? (uint64_t)config->log_store.disk_size : 0,
        .age = config ? config->log_store.age : 0,
        .broken = on_broken,
        .failing = on_failing,
    };
    Logs *logs;
    Buf report = {0};
    char why[256];
    int r = logs_open(infrastructure->world, &options, &logs, &report);
    if (report.len)
        log_warn("logs", log_text("report", buf_span(&report)));
    if (r < 0) {
        buf_printf(reason, "the logs cannot be opened: %.*s", SPAN_ARGS(buf_span(&report)));
        buf_done(&report);
        return r;
    }
    buf_done(&report);
    r = rpc_server_add(infrastructure->server, logs_rpc(logs), why, sizeof why);
    if (r < 0)
        buf_printf(reason, "%s", why);
    else if (config)
        r = hide_secrets(logs, config, reason);
    if (r < 0) {
        logs_close(logs);
        return r;
    }
    context_put(context, CONTEXT_KEY, logs);
    return 0;
}

static void stop(Context *context, ComponentStep *step) {
    logs_end_calls(logs_of(context));
    component_done(step);
}

static void unload(Context *context) {
    logs_close(logs_of(context));
}

const Component LOGS_COMPONENT = {
    .name = "logs",
    .description = "what services print and send: kept, searched, followed",
    .load = load,
    .stop = stop,
    .unload = unload,
};
