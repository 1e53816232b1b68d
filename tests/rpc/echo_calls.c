/* echo.v1.Calls: what a call does is told by its request. */
#include <stdlib.h>

#include "echo_services.h"
#include "google/rpc/error_details.pb.h"
#include "schema/codec.h"

typedef struct EchoCall {
    Call *call;
    const EchoRequest *request; /* the last one */
    uint32_t sent;              /* responses so far */
    uint32_t messages;
    uint64_t bytes;
    Timer timer; /* before the next response */
    void (*then)(struct EchoCall *echo);
} EchoCall;

/* ---- the life of a call ---- */

static void on_timer(Timer *timer) {
    EchoCall *echo = CONTAINER(timer, EchoCall, timer);
    echo->then(echo);
}

static void echo_metadata(Call *call) {
    HttpHeaders metadata = call_all_metadata(call);
    for (size_t i = 0; i < metadata.count; i++) {
        HttpHeader one = metadata.items[i];
        if (span_starts(one.name, SPAN("x-echo")))
            call_add_header(call, one.name, one.value);
        else if (span_starts(one.name, SPAN("x-trailer")))
            call_add_trailer(call, one.name, one.value);
    }
}

static EchoCall *echo_of(Call *call) {
    EchoCall *echo = call_user(call);
    if (echo)
        return echo;
    EchoState *state = call_service(call);
    echo = arena_zalloc(call_arena(call), sizeof *echo);
    echo->call = call;
    echo->timer.fire = on_timer;
    call_set_user(call, echo);
    echo_metadata(call);
    state->stats.begun++;
    state->stats.open++;
    return echo;
}

static void opened(Call *call) {
    echo_of(call);
}

static void closed(Call *call, StatusCode code) {
    EchoCall *echo = call_user(call);
    EchoStats *stats = &((EchoState *)call_service(call))->stats;
    if (!echo)
        return;
    wheel_cancel(world_wheel(call_world(call)), &echo->timer);
    stats->open--;
    stats->cancelled += code == STATUS_CANCELLED;
    stats->deadline_exceeded += code == STATUS_DEADLINE_EXCEEDED;
    stats->exhausted += code == STATUS_RESOURCE_EXHAUSTED;
}

static void after_delay(EchoCall *echo, void (*then)(EchoCall *echo)) {
    World *world = call_world(echo->call);
    uint32_t delay = echo->request ? echo->request->delay_ms : 0;
    echo->then = then;
    if (delay)
        wheel_arm(world_wheel(world), &echo->timer, world_now(world) + delay * NANOS_PER_MILLI);
    else
        then(echo);
}

static void take(EchoCall *echo, const EchoRequest *request) {
    echo->request = schema_copy(&EchoRequest_type, request, call_arena(echo->call));
    echo->messages++;
    echo->bytes += request->payload.len;
}

/* ---- answers ---- */

static EchoResponse response_of(EchoCall *echo) {
    static const EchoRequest NONE;
    const EchoRequest *request = echo->request ? echo->request : &NONE;
    Nanos deadline = call_deadline(echo->call);
    Nanos left = deadline - world_now(call_world(echo->call));
    return (EchoResponse){
        .text = request->text,
        .payload = request->payload,
        .index = echo->sent,
        .messages = echo->messages,
        .bytes = echo->bytes,
        .protocol = span_of(call_protocol(echo->call)),
        .timeout_ms = deadline == INT64_MAX ? 0 : left / NANOS_PER_MILLI,
    };
}

static size_t size_of(const EchoCall *echo) {
    const EchoState *state = call_service(echo->call);
    size_t size = echo->request ? echo->request->size : 0;
    return size < state->size_max ? size : state->size_max;
}

/* False once the call is over. */
static bool send(EchoCall *echo) {
    EchoState *state = call_service(echo->call);
    EchoResponse response = response_of(echo);
    CallRef ref = call_ref(echo->call);
    size_t size = size_of(echo);
    char *payload = size ? malloc(size) : NULL;
    if (payload) {
        memset(payload, 'x', size);
        response.payload = span(payload, size);
    }
    echo->sent++;
    call_send(echo->call, &response);
    free(payload);
    return call_find(state->server, ref);
}

static void fail(EchoCall *echo, const EchoFailure *failure) {
    Arena *arena = call_arena(echo->call);
    RpcBadRequest bad = {0};
    for (uint32_t i = 0; i < failure->fields.count; i++) {
        RpcBadRequestFieldViolation *violation = schema_append(&bad.field_violations, arena);
        violation->field = failure->fields.items[i];
        violation->description = SPAN("is wrong");
    }
    StatusDetail detail = {.type = SPAN("google.rpc.BadRequest")};
    schema_encode(&RpcBadRequest_type, &bad, 0, arena, &detail.value);
    call_finish(echo->call, (Status){.code = (StatusCode)failure->code,
                                     .message = failure->message,
                                     .details = &detail,
                                     .detail_count = failure->fields.count ? 1 : 0});
}

static void finish(EchoCall *echo) {
    if (echo->request && echo->request->failure)
        fail(echo, echo->request->failure);
    else
        call_finish(echo->call, status_ok());
}

static void reply(EchoCall *echo) {
    if (!echo->request || !echo->request->failure)
        send(echo);
    finish(echo);
}

static void on_unary(Call *call, const void *message) {
    EchoCall *echo = echo_of(call);
    take(echo, message);
    after_delay(echo, reply);
}

static void send_next(EchoCall *echo) {
    while (send(echo) && echo->sent < echo->request->count) {
        if (echo->request->delay_ms) {
            after_delay(echo, send_next);
            return;
        }
    }
    finish(echo);
}

static void on_server_stream(Call *call, const void *message) {
    EchoCall *echo = echo_of(call);
    take(echo, message);
    after_delay(echo, echo->request->count ? send_next : finish);
}

static void on_client_message(Call *call, const void *message) {
    take(echo_of(call), message);
}

static void on_client_done(Call *call) {
    after_delay(echo_of(call), reply);
}

static void on_raw_message(Call *call, const void *message) {
    EchoCall *echo = echo_of(call);
    echo->messages++;
    echo->bytes += ((const Span *)message)->len;
}

static void on_bidi_message(Call *call, const void *message) {
    EchoCall *echo = echo_of(call);
    take(echo, message);
    send(echo);
    if (echo->request->failure)
        finish(echo);
}

static void on_bidi_done(Call *call) {
    EchoCall *echo = echo_of(call);
    send(echo);
    finish(echo);
}

/* ---- floods ---- */

static void pour(Call *call) {
    EchoCall *echo = call_user(call);
    EchoState *state = call_service(call);
    CallRef ref = call_ref(call);
    Arena *arena = call_arena(call);
    EchoResponse response = {0};
    if (!echo->bytes++) /* the payload is made once */
        ((EchoRequest *)echo->request)->payload =
            span(arena_zalloc(arena, size_of(echo)), size_of(echo));
    response.payload = echo->request->payload;
    while (call_find(state->server, ref)) {
        if (echo->request->count && echo->sent == echo->request->count) {
            finish(echo);
            return;
        }
        response.index = echo->sent++;
        if (call_send(call, &response) < 0)
            return;
    }
}

static void on_flood(Call *call, const void *message) {
    take(echo_of(call), message);
    ((EchoCall *)call_user(call))->bytes = 0;
    pour(call);
}

static void on_careless(Call *call, const void *message) {
    EchoCall *echo = echo_of(call);
    take(echo, message);
    while (echo->sent < echo->request->count && send(echo)) {
    }
    finish(echo);
}

static void on_stats(Call *call, const void *message) {
    call_reply(call, &((EchoState *)call_service(call))->stats);
}

const MethodHandler ECHO_CALLS[] = {
    [EchoCalls_Unary] = {.message = on_unary, .closed = closed},
    [EchoCalls_Get] = {.message = on_unary, .closed = closed},
    [EchoCalls_ServerStream] = {.message = on_server_stream, .closed = closed},
    [EchoCalls_ClientStream] = {.opened = opened,
                                .message = on_client_message,
                                .half_closed = on_client_done,
                                .closed = closed},
    [EchoCalls_Bidi] = {.opened = opened,
                        .message = on_bidi_message,
                        .half_closed = on_bidi_done,
                        .closed = closed},
    [EchoCalls_RawStream] = {.opened = opened,
                             .message = on_raw_message,
                             .half_closed = on_client_done,
                             .closed = closed},
    [EchoCalls_Flood] = {.message = on_flood, .writable = pour, .closed = closed},
    [EchoCalls_Careless] = {.message = on_careless, .closed = closed},
    [EchoCalls_GetStats] = {.message = on_stats},
    [EchoCalls_Missing] = {0},
    [EchoCalls_NeedsRead] = {.message = on_unary, .closed = closed},
    [EchoCalls_NeedsReport] = {.message = on_unary, .closed = closed},
    [EchoCalls_NeedsControl] = {.message = on_unary, .closed = closed},
};
