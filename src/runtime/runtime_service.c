#include "runtime/runtime_service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/memory.h"
#include "os/world.h"
#include "rpc/access.h"
#include "rpc/server.h"
#include "runtime/runtime.h"
#include "runtime/v1/runtime.pb.h"
#include "schema/codec.h"

#define CONTEXT_KEY "runtime-service"
#define TTL_MAX     (366 * 24 * 60 * 60)
#define LABEL_MAX   96

typedef struct RuntimeService {
    Runtime *runtime;
    const Infrastructure *infrastructure;
    RpcService rpc;
    ARRAY(CallRef) leaving; /* Shutdown's callers */
} RuntimeService;

/* ---- GetRuntime, ListComponents ---- */

static RtAccessScope access_name(SchemaScope scope) {
    switch (scope) {
    case SCHEMA_SCOPE_READ:
        return RT_ACCESS_SCOPE_READ;
    case SCHEMA_SCOPE_REPORT:
        return RT_ACCESS_SCOPE_REPORT;
    case SCHEMA_SCOPE_CONTROL:
        return RT_ACCESS_SCOPE_CONTROL;
    default:
        return RT_ACCESS_SCOPE_UNSPECIFIED;
    }
}

static void get_runtime(Call *call, const void *message) {
    (void)message;
    const RuntimeService *service = call_service(call);
    call_reply(call, &(RtGetRuntimeResponse){
                         .name = SPAN("muster"),
                         .version = span_of(service->infrastructure->version),
                         .epoch = service->infrastructure->epoch,
                         .started_at_ms = runtime_started_at(service->runtime) / NANOS_PER_MILLI,
                         .timestamp = world_wall(call_world(call)) / NANOS_PER_MILLI,
                         .scope = access_name(access_scope(service->infrastructure->access, call)),
                         .pid = getpid(),
                     });
}

static void list_components(Call *call, const void *message) {
    (void)message;
    const RuntimeService *service = call_service(call);
    const Boot *boot = runtime_boot(service->runtime);
    Arena *arena = call_arena(call);
    RtListComponentsResponse response = {0};
    for (size_t i = 0; i < boot_count(boot); i++) {
        BootComponent one = boot_component(boot, i);
        RtComponent *to = schema_append(&response.components, arena);
        *to = (RtComponent){
            .name = span_of(one.component->name),
            .description = span_of(one.component->description),
            .state = (RtComponentState)one.state,
            .level = (int32_t)one.level,
            .start_us = one.took / NANOS_PER_MICRO,
            .error = one.error,
        };
        for (const char *const *name = one.component->requires; name && *name; name++)
            *schema_append(&to->requires_, arena) = span_of(*name);
    }
    call_reply(call, &response);
}

/* ---- Shutdown ---- */

static void on_stopped(void *owner) {
    RuntimeService *service = owner;
    for (size_t i = 0; i < service->leaving.count; i++) {
        Call *call = call_find(service->infrastructure->server, service->leaving.items[i]);
        if (call)
            call_reply(call, &(RtShutdownResponse){0});
    }
    service->leaving.count = 0;
}

static void shut_down(Call *call, const void *message) {
    RuntimeService *service = call_service(call);
    const RtShutdownRequest *request = message;
    *array_push(&service->leaving) = call_ref(call);
    bool first = service->leaving.count == 1;
    runtime_stop(service->runtime, request->force, first ? on_stopped : NULL, service);
}

/* ---- CreateAccessToken ---- */

/* The first address that a browser can open, which a socket's path is not. */
static Span page_address(const RuntimeService *service) {
    Span urls = runtime_urls(service->runtime);
    while (urls.len) {
        const char *end = memchr(urls.ptr, '\n', urls.len);
        Span url = span(urls.ptr, end ? (size_t)(end - urls.ptr) : urls.len);
        if (span_starts(url, SPAN("http")))
            return url;
        urls = span_skip(urls, url.len + (end != NULL));
    }
    return span_of(service->infrastructure->address);
}

static void create_access_token(Call *call, const void *message) {
    static const SchemaScope SCOPES[] = {
        [RT_ACCESS_SCOPE_READ] = SCHEMA_SCOPE_READ,
        [RT_ACCESS_SCOPE_REPORT] = SCHEMA_SCOPE_REPORT,
        [RT_ACCESS_SCOPE_CONTROL] = SCHEMA_SCOPE_CONTROL,
    };
    const RuntimeService *service = call_service(call);
    const RtCreateAccessTokenRequest *request = message;
    if (request->scope < RT_ACCESS_SCOPE_READ || request->scope > RT_ACCESS_SCOPE_CONTROL) {
        call_fail(call, STATUS_INVALID_ARGUMENT,
                  "scope: it must be ACCESS_SCOPE_READ, ACCESS_SCOPE_REPORT or "
                  "ACCESS_SCOPE_CONTROL");
        return;
    }
    if (request->ttl_seconds < 0 || request->ttl_seconds > TTL_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "ttl_seconds: %d is not within 0 to %d",
                  request->ttl_seconds, TTL_MAX);
        return;
    }
    if (request->label.len > LABEL_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "label: it has %zu bytes, more than %d",
                  request->label.len, LABEL_MAX);
        return;
    }
    TokenLimits limits = {0};
    if (request->ttl_seconds)
        limits.expires_ms =
            world_wall(call_world(call)) / NANOS_PER_MILLI + request->ttl_seconds * INT64_C(1000);
    while (request->one_time && !limits.once)
        world_random(call_world(call), &limits.once, sizeof limits.once);
    char token[TOKEN_MAX];
    size_t len = token_make_limited(service->infrastructure->access, SCOPES[request->scope],
                                    request->label, limits, token);
    Buf url = {.arena = call_arena(call)};
    buf_printf(&url, "%.*s/#token=%.*s", SPAN_ARGS(page_address(service)), (int)len, token);
    call_reply(call, &(RtCreateAccessTokenResponse){
                         .token = span(token, len),
                         .url = buf_span(&url),
                         .expires_at_ms = limits.expires_ms,
                     });
}

/* ---- CreateSession ---- */

static void create_session(Call *call, const void *message) {
    const RuntimeService *service = call_service(call);
    const RtCreateSessionRequest *request = message;
    SchemaScope scope;
    if (access_log_in(service->infrastructure->access, call, request->token, &scope))
        call_reply(call, &(RtCreateSessionResponse){.scope = access_name(scope)});
    else
        call_fail(call, STATUS_UNAUTHENTICATED,
                  "the link has been used, is too old, or is another runtime's: ask for a new one "
                  "with muster link");
}

/* ---- the component ---- */

static const MethodHandler HANDLERS[] = {
    [RtRuntimeService_GetRuntime] = {.message = get_runtime},
    [RtRuntimeService_ListComponents] = {.message = list_components},
    [RtRuntimeService_Shutdown] = {.message = shut_down},
    [RtRuntimeService_CreateAccessToken] = {.message = create_access_token},
    [RtRuntimeService_CreateSession] = {.message = create_session},
};

static int load(Context *context, Buf *reason) {
    RuntimeService *service = xcalloc(1, sizeof *service);
    service->runtime = runtime_of(context);
    service->infrastructure = infrastructure_of(context);
    service->rpc = (RpcService){&RtRuntimeService_service, HANDLERS, service};
    char why[256];
    int error = rpc_server_add(service->infrastructure->server, &service->rpc, why, sizeof why);
    if (error < 0) {
        buf_add(reason, span_of(why));
        free(service);
        return error;
    }
    context_put(context, CONTEXT_KEY, service);
    return 0;
}

static void unload(Context *context) {
    RuntimeService *service = context_get(context, CONTEXT_KEY);
    array_done(&service->leaving);
    free(service);
}

const Component RUNTIME_SERVICE_COMPONENT = {
    .name = "runtime",
    .description = "what this runtime is, what it is made of, and who may use it",
    .load = load,
    .unload = unload,
};
