/* The server that the Connect conformance runner tests: ConformanceService on our RPC server.
 *
 * The runner writes one ServerCompatRequest to stdin, after its length in four bytes, big-endian, and
 * reads a ServerCompatResponse back. Each request tells the service what to answer; answers echo the
 * requests and their metadata. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connectrpc/conformance/v1/server_compat.pb.h"
#include "connectrpc/conformance/v1/service.pb.h"
#include "framing.h"
#include "net/tls.h"
#include "rpc/metadata.h"
#include "rpc/server.h"
#include "schema/codec.h"

/* ---- what answers are made of ---- */

typedef SCHEMA_REPEATED(CcHeader) CcHeaders;
typedef SCHEMA_REPEATED(PbAny) Anys;

/* A call under way. */
typedef struct State {
    Call *call;
    Arena *arena;
    Nanos timeout; /* of the request; -1 = none */
    const CcUnaryResponseDefinition *unary;
    const CcStreamResponseDefinition *stream;
    bool has_definition;
    bool full_duplex;
    bool request_done;
    Anys requests; /* received and not yet echoed */
    uint32_t next; /* response of a stream */
    Timer timer;   /* the delay before a response */
    void (*then)(struct State *state);
} State;

static void add_any(State *state, Anys *list, const SchemaMessage *type, const void *message) {
    PbAny *any = schema_append(list, state->arena);
    Buf url = {.arena = state->arena};
    buf_printf(&url, "type.googleapis.com/%s", type->full_name);
    any->type_url = buf_span(&url);
    schema_encode(type, message, 0, state->arena, &any->value);
}

static CcHeader *header_of_name(CcHeaders *list, Span name, Arena *arena) {
    for (uint32_t i = 0; i < list->count; i++)
        if (span_equal(list->items[i].name, name))
            return &list->items[i];
    CcHeader *header = schema_append(list, arena);
    header->name = name;
    return header;
}

static CcConformancePayloadRequestInfo *request_info(State *state, bool full) {
    CcConformancePayloadRequestInfo *info =
        schema_new(&CcConformancePayloadRequestInfo_type, state->arena);
    memcpy(&info->requests, &state->requests, sizeof state->requests);
    state->requests = (Anys){0};
    if (!full)
        return info;
    HttpHeaders metadata = call_all_metadata(state->call);
    CcHeaders headers = {0};
    for (size_t i = 0; i < metadata.count; i++) {
        HttpHeader one = metadata.items[i];
        CcHeader *header = header_of_name(&headers, one.name, state->arena);
        *schema_append(&header->value, state->arena) =
            metadata_write_value(state->arena, one.name, one.value);
    }
    memcpy(&info->request_headers, &headers, sizeof headers);
    info->has_timeout_ms = state->timeout >= 0;
    info->timeout_ms = state->timeout / NANOS_PER_MILLI;
    return info;
}

static CcConformancePayload *payload(State *state, Span data, bool full_info) {
    CcConformancePayload *made = schema_new(&CcConformancePayload_type, state->arena);
    made->data = data;
    made->request_info = request_info(state, full_info);
    return made;
}

static void add_metadata(Call *call, const CcHeader *headers, uint32_t count,
                         void (*add)(Call *call, Span name, Span value)) {
    for (uint32_t i = 0; i < count; i++) {
        Buf name = {.arena = call_arena(call)};
        for (size_t c = 0; c < headers[i].name.len; c++) {
            char letter = headers[i].name.ptr[c];
            buf_add_char(&name, letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter);
        }
        for (uint32_t v = 0; v < headers[i].value.count; v++) {
            HttpHeader one = {buf_span(&name), headers[i].value.items[v]};
            HttpHeaders decoded;
            if (metadata_read(call_arena(call), (HttpHeaders){&one, 1}, SPAN(""), &decoded))
                for (size_t d = 0; d < decoded.count; d++)
                    add(call, decoded.items[d].name, decoded.items[d].value);
        }
    }
}

static void fail(State *state, const CcError *error, bool with_info) {
    size_t count = error->details.count;
    StatusDetail *details = arena_alloc(state->arena, (count + 1) * sizeof *details);
    for (size_t i = 0; i < count; i++) {
        Span url = error->details.items[i].type_url;
        const char *slash = memrchr(url.ptr, '/', url.len);
        details[i].type = span_skip(url, slash ? (size_t)(slash + 1 - url.ptr) : 0);
        details[i].value = error->details.items[i].value;
    }
    if (with_info) {
        details[count].type = span_of(CcConformancePayloadRequestInfo_type.full_name);
        schema_encode(&CcConformancePayloadRequestInfo_type, request_info(state, true), 0,
                      state->arena, &details[count].value);
        count++;
    }
    call_finish(state->call, (Status){.code = (StatusCode)error->code,
                                      .message = error->message,
                                      .details = details,
                                      .detail_count = count});
}

static void on_timer(Timer *timer) {
    State *state = CONTAINER(timer, State, timer);
    state->then(state);
}

static void after(State *state, uint32_t delay_ms, void (*then)(State *state)) {
    World *world = call_world(state->call);
    state->then = then;
    if (delay_ms)
        wheel_arm(world_wheel(world), &state->timer, world_now(world) + delay_ms * NANOS_PER_MILLI);
    else
        then(state);
}

static State *state_of(Call *call) {
    State *state = call_user(call);
    if (state)
        return state;
    state = arena_zalloc(call_arena(call), sizeof *state);
    state->call = call;
    state->arena = call_arena(call);
    Nanos deadline = call_deadline(call);
    state->timeout = deadline == INT64_MAX ? -1 : deadline - world_now(call_world(call));
    state->timer.fire = on_timer;
    call_set_user(call, state);
    return state;
}

static void closed(Call *call, StatusCode code) {
    State *state = call_user(call);
    if (state)
        wheel_cancel(world_wheel(call_world(call)), &state->timer);
}

/* ---- one answer ---- */

static void reply(State *state) {
    const CcUnaryResponseDefinition *definition = state->unary;
    bool has_data =
        definition && definition->which_response == CcUnaryResponseDefinition_response_data_number;
    /* All three response types are one field: payload = 1. */
    CcUnaryResponse response = {
        .payload = payload(state, has_data ? definition->response_data : (Span){0}, true)};
    call_reply(state->call, &response);
}

static void answer_unary(State *state) {
    const CcUnaryResponseDefinition *definition = state->unary;
    if (!definition) {
        reply(state);
        return;
    }
    add_metadata(state->call, definition->response_headers.items,
                 definition->response_headers.count, call_add_header);
    add_metadata(state->call, definition->response_trailers.items,
                 definition->response_trailers.count, call_add_trailer);
    if (definition->which_response == CcUnaryResponseDefinition_error_number)
        fail(state, definition->error, true);
    else
        after(state, definition->response_delay_ms, reply);
}

static const void *keep(State *state, const SchemaMessage *type, const void *message) {
    return message ? schema_copy(type, message, state->arena) : NULL;
}

static void on_unary(Call *call, const void *message) {
    const CcUnaryRequest *request = message; /* IdempotentUnaryRequest has the same fields */
    State *state = state_of(call);
    state->unary = keep(state, &CcUnaryResponseDefinition_type, request->response_definition);
    add_any(state, &state->requests, call_method(call)->input, message);
    answer_unary(state);
}

static void on_client_message(Call *call, const void *message) {
    const CcClientStreamRequest *request = message;
    State *state = state_of(call);
    if (!state->has_definition)
        state->unary = keep(state, &CcUnaryResponseDefinition_type, request->response_definition);
    state->has_definition = true;
    add_any(state, &state->requests, &CcClientStreamRequest_type, message);
}

static void on_client_done(Call *call) {
    answer_unary(state_of(call));
}

/* ---- streams of answers ---- */

static void step(State *state);

static void send_next(State *state) {
    const CcStreamResponseDefinition *definition = state->stream;
    bool full_info = state->next == 0;
    Anys later = {0};
    if (state->full_duplex && !state->request_done && state->requests.count > 1) {
        later =
            (Anys){state->requests.items + 1, state->requests.count - 1, state->requests.count - 1};
        state->requests.count = 1;
    }
    /* Both stream response types are one field: payload = 1. */
    CcServerStreamResponse response = {
        .payload = payload(state, definition->response_data.items[state->next], full_info)};
    if (!full_info && !state->full_duplex)
        response.payload->request_info = NULL;
    state->requests = later;
    state->next++;
    call_send(state->call, &response);
    step(state);
}

static void finish_stream(State *state) {
    const CcStreamResponseDefinition *definition = state->stream;
    if (definition && definition->error)
        fail(state, definition->error, state->next == 0);
    else
        call_finish(state->call, status_ok());
}

static void step(State *state) {
    const CcStreamResponseDefinition *definition = state->stream;
    uint32_t count = definition ? definition->response_data.count : 0;
    bool may_send = state->request_done || (state->full_duplex && state->requests.count);
    if (!may_send || timer_is_armed(&state->timer))
        return;
    if (state->next < count)
        after(state, definition->response_delay_ms, send_next);
    else
        finish_stream(state);
}

static void take_definition(State *state, const CcStreamResponseDefinition *definition) {
    if (state->has_definition)
        return;
    state->has_definition = true;
    state->stream = keep(state, &CcStreamResponseDefinition_type, definition);
    if (!state->stream)
        return;
    add_metadata(state->call, state->stream->response_headers.items,
                 state->stream->response_headers.count, call_add_header);
    add_metadata(state->call, state->stream->response_trailers.items,
                 state->stream->response_trailers.count, call_add_trailer);
}

static void on_server_stream(Call *call, const void *message) {
    const CcServerStreamRequest *request = message;
    State *state = state_of(call);
    take_definition(state, request->response_definition);
    add_any(state, &state->requests, &CcServerStreamRequest_type, message);
    state->request_done = true;
    if (state->stream && state->stream->response_data.count)
        call_send_headers(call);
    step(state);
}

static void on_bidi_message(Call *call, const void *message) {
    const CcBidiStreamRequest *request = message;
    State *state = state_of(call);
    if (!state->has_definition)
        state->full_duplex = request->full_duplex;
    take_definition(state, request->response_definition);
    add_any(state, &state->requests, &CcBidiStreamRequest_type, message);
    if (state->full_duplex && state->stream && state->stream->response_data.count)
        call_send_headers(call);
    if (state->full_duplex)
        step(state);
}

static void on_bidi_done(Call *call) {
    State *state = state_of(call);
    state->request_done = true;
    if (state->stream && state->stream->response_data.count)
        call_send_headers(call);
    step(state);
}

static const MethodHandler HANDLERS[] = {
    [CcConformanceService_Unary] = {.message = on_unary, .closed = closed},
    [CcConformanceService_ServerStream] = {.message = on_server_stream, .closed = closed},
    [CcConformanceService_ClientStream] = {.message = on_client_message,
                                           .half_closed = on_client_done,
                                           .closed = closed},
    [CcConformanceService_BidiStream] = {.message = on_bidi_message,
                                         .half_closed = on_bidi_done,
                                         .closed = closed},
    [CcConformanceService_Unimplemented] = {0},
    [CcConformanceService_IdempotentUnary] = {.message = on_unary, .closed = closed},
};

/* ---- the server ---- */

static void on_signal(void *owner, int signal) {
    world_stop(owner);
}

int main(void) {
    Arena arena = {0};
    void *decoded;
    Span request_bytes;
    if (!frame_read(stdin, &arena, &request_bytes) ||
        schema_decode(&CcServerCompatRequest_type, request_bytes, NULL, &arena, &decoded, NULL) <
            0) {
        fputs("connect_server: no ServerCompatRequest on stdin\n", stderr);
        return 2;
    }
    const CcServerCompatRequest *request = decoded;
    World *world = world_new();
    RpcServerOptions options = {
        .receive_limit = request->message_receive_limit, .compress = true, .compress_above = 1};
    RpcServer *server = rpc_server_new(world, &options);
    static const RpcService SERVICE = {&CcConformanceService_service, HANDLERS, NULL};
    char reason[256] = "";
    if (rpc_server_add(server, &SERVICE, reason, sizeof reason) < 0) {
        fprintf(stderr, "connect_server: %s\n", reason);
        return 1;
    }
    TlsContext *tls = NULL;
    if (request->use_tls) {
        TlsOptions creds = {.cert_pem = request->server_creds->cert,
                            .key_pem = request->server_creds->key,
                            .ca_pem = request->client_tls_cert,
                            .require_client_cert = request->client_tls_cert.len > 0};
        if (tls_context_new(true, &creds, &tls, reason, sizeof reason) < 0) {
            fprintf(stderr, "connect_server: %s\n", reason);
            return 1;
        }
    }
    Address wanted, bound;
    address_parse(SPAN("127.0.0.1:0"), &wanted);
    if (http_server_listen(rpc_server_http(server), &wanted, tls, &bound) < 0) {
        fputs("connect_server: cannot listen on 127.0.0.1\n", stderr);
        return 1;
    }
    CcServerCompatResponse response = {
        .host = SPAN("127.0.0.1"),
        .port = bound.port,
        .pem_cert = request->use_tls ? request->server_creds->cert : (Span){0},
    };
    frame_write(stdout, &CcServerCompatResponse_type, &response, &arena);
    world_on_signal(world, SIGTERM, on_signal, world);
    world_run(world);
    rpc_server_free(server);
    tls_context_unref(tls);
    world_free(world);
    arena_done(&arena);
    return 0;
}
