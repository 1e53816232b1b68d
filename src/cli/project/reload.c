#include "cli/project/reload.h"

#include <stdio.h>

#include "cli/project/service_view.h"

typedef struct Reload {
    Remote *remote;
    int64_t revision;
    bool outdated;
} Reload;

static void on_configuration(void *owner, const void *message) {
    Reload *reload = owner;
    const RtGetConfigurationResponse *response = message;
    reload->revision = response->revision;
    reload->outdated = response->outdated;
}

static const char *change_text(int32_t type) {
    switch (type) {
    case RT_SERVICE_CHANGE_TYPE_ADDED:
        return "is new";
    case RT_SERVICE_CHANGE_TYPE_REMOVED:
        return "is gone";
    case RT_SERVICE_CHANGE_TYPE_RESTARTED:
        return "is restarted";
    default:
        return "is changed";
    }
}

static void on_applied(void *owner, const void *message) {
    Reload *reload = owner;
    const RtApplyConfigurationResponse *response = message;
    Style on = reload->remote->style;
    for (size_t i = 0; !reload->remote->quiet && i < response->changes.count; i++) {
        const RtServiceChange *change = &response->changes.items[i];
        Buf paths = {0};
        add_names(&paths, change->paths.items, change->paths.count);
        printf("%s%.*s%s %s%s%.*s\n", style_service(on, change->service_name),
               SPAN_ARGS(change->service_name), style(on, STYLE_PLAIN), change_text(change->type),
               paths.len ? ": " : "", SPAN_ARGS(buf_span(&paths)));
        buf_done(&paths);
    }
    fflush(stdout);
}

int reload_changed(Remote *remote) {
    Reload reload = {.remote = remote};
    int result = remote_ask(remote, ORCHESTRATOR_METHOD(GetConfiguration),
                            &(RtGetConfigurationRequest){0}, on_configuration, &reload);
    if (result || !reload.outdated)
        return result;
    RtApplyConfigurationRequest request = {.revision = reload.revision};
    return remote_ask(remote, ORCHESTRATOR_METHOD(ApplyConfiguration), &request, on_applied,
                      &reload);
}
