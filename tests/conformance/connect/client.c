/* The client that the Connect conformance runner tests: it makes the calls it is told to.
 *
 * The runner writes ClientCompatRequests to stdin, each after its length, and reads
 * ClientCompatResponses back, in whatever order. Calls run concurrently; those to the same server
 * with the same settings share a channel. */
#include <pthread.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/memory.h"
#include "connectrpc/conformance/v1/client_compat.pb.h"
#include "connectrpc/conformance/v1/service.pb.h"
#include "framing.h"
#include "net/tls.h"
#include "rpc/client.h"
#include "rpc/metadata.h"
#include "schema/codec.h"

#define CONCURRENT 16

typedef SCHEMA_REPEATED(CcHeader) CcHeaders;

/* A channel, and the settings of the cases that share it. */
typedef struct SharedChannel {
    const CcClientCompatRequest *settings;
    Channel *channel;
} SharedChannel;

typedef struct Testee {
    World *world;
    Bell *bell;
    SchemaPool *types;
    Arena arena; /* what channels are known by */
    ARRAY(SharedChannel) channels;
    Link queue; /* cases that have not begun */
    int running;
    /* Between the reader and the loop: */
    pthread_mutex_t mutex;
    Link arrived;
    bool at_end;
} Testee;

/* One call. */
typedef struct Case {
    Link link;
    Testee *testee;
    Arena arena;
    const CcClientCompatRequest *request;
    ClientCall *call;
    Timer timer;
    uint32_t sent, received;
    bool cancelled;
    bool ended;
    CcClientResponseResult result;
} Case;

static void begin_cases(Testee *testee);

/* ---- answers ---- */

static void case_answer(Case *one, const char *error) {
    Testee *testee = one->testee;
    CcClientErrorResult failure = {.message = span_of(error)};
    CcClientCompatResponse response = {.test_name = one->request->test_name};
    if (error) {
        response.which_result = CcClientCompatResponse_error_number;
        response.error = &failure;
    } else {
        response.which_result = CcClientCompatResponse_response_number;
        response.response = &one->result;
    }
    frame_write(stdout, &CcClientCompatResponse_type, &response, &one->arena);
    wheel_cancel(world_wheel(testee->world), &one->timer);
    arena_done(&one->arena);
    free(one);
    testee->running--;
    begin_cases(testee);
}

static void keep_headers(Case *one, HttpHeaders metadata, void *into) {
    CcHeaders *list = into;
    for (size_t i = 0; i < metadata.count; i++) {
        HttpHeader from = metadata.items[i];
        CcHeader *header = NULL;
        for (uint32_t h = 0; h < list->count && !header; h++)
            if (span_equal(list->items[h].name, from.name))
                header = &list->items[h];
        if (!header) {
            header = schema_append(list, &one->arena);
            header->name = arena_copy(&one->arena, from.name);
        }
        Span value = metadata_write_value(&one->arena, from.name, from.value);
        *schema_append(&header->value, &one->arena) = arena_copy(&one->arena, value);
    }
}

static CcError *error_of(Case *one, Status status) {
    CcError *error = schema_new(&CcError_type, &one->arena);
    error->code = (int32_t)status.code;
    error->has_message = true;
    error->message = arena_copy(&one->arena, status.message);
    for (size_t i = 0; i < status.detail_count; i++) {
        PbAny *any = schema_append(&error->details, &one->arena);
        Buf url = {.arena = &one->arena};
        buf_printf(&url, "type.googleapis.com/%.*s", SPAN_ARGS(status.details[i].type));
        any->type_url = buf_span(&url);
        any->value = arena_copy(&one->arena, status.details[i].value);
    }
    return error;
}

/* ---- the course of a call ---- */

static const SchemaMethod *method_of(const CcClientCompatRequest *request) {
    const SchemaService *service = &CcConformanceService_service;
    for (uint32_t i = 0; i < service->method_count; i++)
        if (span_equal(request->service, span_of(service->full_name)) &&
            span_equal(request->method, span_of(service->methods[i].name)))
            return &service->methods[i];
    return NULL;
}

static bool takes_many(const Case *one) {
    int32_t kind = one->request->stream_type;
    return kind != CC_STREAM_TYPE_UNARY && kind != CC_STREAM_TYPE_SERVER_STREAM;
}

static bool is_full_duplex(const Case *one) {
    return one->request->stream_type == CC_STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM;
}

static void cancel(Case *one) {
    one->cancelled = true;
    client_cancel(one->call);
}

static void on_cancel_timer(Timer *timer) {
    cancel(CONTAINER(timer, Case, timer));
}

static void after_sending(Case *one) {
    const CcClientCompatRequestCancel *wish = one->request->cancel;
    int32_t when = wish ? wish->which_cancel_timing : 0;
    if (wish && when == CcClientCompatRequestCancel_before_close_send_number) {
        cancel(one);
        return;
    }
    if (takes_many(one))
        client_half_close(one->call);
    if (!wish || when == CcClientCompatRequestCancel_after_num_responses_number)
        return;
    World *world = one->testee->world;
    uint32_t delay = when ? wish->after_close_send_ms : 0;
    one->timer.fire = on_cancel_timer;
    wheel_arm(world_wheel(world), &one->timer, world_now(world) + delay * NANOS_PER_MILLI);
}

static void send_later(Case *one);

static void send_next(Case *one) {
    const CcClientCompatRequest *request = one->request;
    const PbAny *any = &request->request_messages.items[one->sent];
    void *message;
    if (schema_decode(method_of(request)->input, any->value, NULL, &one->arena, &message, NULL) ==
        0)
        client_send(one->call, message);
    one->sent++;
    if (!is_full_duplex(one))
        send_later(one);
}

static void on_send_timer(Timer *timer) {
    send_next(CONTAINER(timer, Case, timer));
}

/* Sends the next message in its time, or closes. */
static void send_later(Case *one) {
    World *world = one->testee->world;
    if (one->ended || one->cancelled)
        return;
    if (one->sent == one->request->request_messages.count) {
        after_sending(one);
    } else if (one->request->request_delay_ms) {
        one->timer.fire = on_send_timer;
        wheel_arm(world_wheel(world), &one->timer,
                  world_now(world) + one->request->request_delay_ms * NANOS_PER_MILLI);
    } else {
        send_next(one);
    }
}

static void on_headers(void *owner, HttpHeaders metadata) {
    Case *one = owner;
    keep_headers(one, metadata, &one->result.response_headers);
}

static void on_message(void *owner, const void *message) {
    Case *one = owner;
    const CcUnaryResponse *response = message; /* all have payload = 1, but Unimplemented's */
    one->received++;
    if (!span_equal(one->request->method, SPAN("Unimplemented"))) {
        CcConformancePayload *payload = schema_append(&one->result.payloads, &one->arena);
        if (response->payload)
            *payload = *(CcConformancePayload *)schema_copy(&CcConformancePayload_type,
                                                            response->payload, &one->arena);
    }
    const CcClientCompatRequestCancel *wish = one->request->cancel;
    if (wish &&
        wish->which_cancel_timing == CcClientCompatRequestCancel_after_num_responses_number &&
        wish->after_num_responses == one->received)
        cancel(one);
    else if (is_full_duplex(one) && one->received <= one->request->request_messages.count)
        send_later(one);
}

static void on_closed(void *owner, Status status, HttpHeaders trailers) {
    Case *one = owner;
    one->ended = true;
    keep_headers(one, trailers, &one->result.response_trailers);
    if (status.code != STATUS_OK)
        one->result.error = error_of(one, status);
    one->result.num_unsent_requests = (int32_t)(one->request->request_messages.count - one->sent);
    case_answer(one, NULL);
}

static const ClientHandler HANDLER = {
    .headers = on_headers, .message = on_message, .closed = on_closed};

/* ---- channels ---- */

static bool same_credentials(const CcTLSCreds *a, const CcTLSCreds *b) {
    return !a == !b && (!a || (span_equal(a->cert, b->cert) && span_equal(a->key, b->key)));
}

static bool same_settings(const CcClientCompatRequest *a, const CcClientCompatRequest *b) {
    return a->http_version == b->http_version && a->protocol == b->protocol &&
           a->codec == b->codec && a->compression == b->compression && a->port == b->port &&
           span_equal(a->host, b->host) && span_equal(a->server_tls_cert, b->server_tls_cert) &&
           same_credentials(a->client_tls_creds, b->client_tls_creds) &&
           a->message_receive_limit == b->message_receive_limit &&
           a->use_get_http_method == b->use_get_http_method;
}

static RpcCompression compression_of(int32_t compression) {
    static const RpcCompression COMPRESSIONS[] = {
        [CC_COMPRESSION_GZIP] = RPC_GZIP,     [CC_COMPRESSION_BR] = RPC_BR,
        [CC_COMPRESSION_ZSTD] = RPC_ZSTD,     [CC_COMPRESSION_DEFLATE] = RPC_DEFLATE,
        [CC_COMPRESSION_SNAPPY] = RPC_SNAPPY,
    };
    return COMPRESSIONS[compression];
}

static TlsContext *tls_for(const CcClientCompatRequest *request, char *reason, size_t size) {
    TlsOptions options = {.ca_pem = request->server_tls_cert};
    TlsContext *tls = NULL;
    if (request->client_tls_creds) {
        options.cert_pem = request->client_tls_creds->cert;
        options.key_pem = request->client_tls_creds->key;
    }
    tls_context_new(false, &options, &tls, reason, size);
    return tls;
}

/* NULL, and the reason, when the settings make no sense. */
static Channel *channel_for(Testee *testee, const CcClientCompatRequest *request, char *reason,
                            size_t size) {
    for (size_t i = 0; i < testee->channels.count; i++)
        if (same_settings(testee->channels.items[i].settings, request))
            return testee->channels.items[i].channel;
    static const RpcProtocol PROTOCOLS[] = {
        [CC_PROTOCOL_CONNECT] = RPC_CONNECT,
        [CC_PROTOCOL_GRPC] = RPC_GRPC,
        [CC_PROTOCOL_GRPC_WEB] = RPC_GRPC_WEB,
    };
    ChannelOptions options = {
        .protocol = PROTOCOLS[request->protocol],
        .http = request->http_version == CC_HTTP_VERSION_2 ? HTTP_TWO : HTTP_ONE,
        .json = request->codec == CC_CODEC_JSON,
        .compression = compression_of(request->compression),
        .use_get = request->use_get_http_method,
        .receive_limit = request->message_receive_limit,
        .types = testee->types,
    };
    Address address = {.port = (uint16_t)request->port};
    snprintf(address.host, sizeof address.host, "%.*s", SPAN_ARGS(request->host));
    if (request->server_tls_cert.len && !(options.tls = tls_for(request, reason, size)))
        return NULL;
    SharedChannel *shared = array_push(&testee->channels);
    shared->settings = schema_copy(&CcClientCompatRequest_type, request, &testee->arena);
    shared->channel = channel_new(testee->world, &address, 1, &options);
    tls_context_unref(options.tls);
    return shared->channel;
}

/* ---- cases ---- */

/* The metadata that the headers say, `-bin` values decoded. */
static HttpHeaders metadata_of(Case *one) {
    const CcClientCompatRequest *request = one->request;
    ARRAY(HttpHeader) list = {0};
    for (uint32_t i = 0; i < request->request_headers.count; i++) {
        const CcHeader *header = &request->request_headers.items[i];
        Buf name = {.arena = &one->arena};
        for (size_t c = 0; c < header->name.len; c++) {
            char letter = header->name.ptr[c];
            buf_add_char(&name, letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter);
        }
        for (uint32_t v = 0; v < header->value.count; v++)
            *array_push(&list) = (HttpHeader){buf_span(&name), header->value.items[v]};
    }
    HttpHeaders metadata = {0};
    metadata_read(&one->arena, (HttpHeaders){list.items, list.count}, SPAN(""), &metadata);
    array_done(&list);
    return metadata;
}

static void case_begin(Case *one) {
    const CcClientCompatRequest *request = one->request;
    char reason[256] = "no such method";
    const SchemaMethod *method = method_of(request);
    Channel *channel = method ? channel_for(one->testee, request, reason, sizeof reason) : NULL;
    if (!channel) {
        case_answer(one, reason);
        return;
    }
    ClientCallOptions options = {.metadata = metadata_of(one)};
    if (request->has_timeout_ms)
        options.timeout = request->timeout_ms ? request->timeout_ms * NANOS_PER_MILLI : 1;
    one->call = client_call(channel, method, &options, &HANDLER, one);
    send_later(one);
}

static void begin_cases(Testee *testee) {
    while (testee->running < CONCURRENT && !list_empty(&testee->queue)) {
        testee->running++;
        case_begin(CONTAINER(list_pop_front(&testee->queue), Case, link));
    }
    pthread_mutex_lock(&testee->mutex);
    bool over = testee->at_end && list_empty(&testee->arrived);
    pthread_mutex_unlock(&testee->mutex);
    if (over && !testee->running && list_empty(&testee->queue))
        world_stop(testee->world);
}

/* ---- from stdin to the loop ---- */

static void on_bell(void *owner) {
    Testee *testee = owner;
    pthread_mutex_lock(&testee->mutex);
    for (Link *link; (link = list_pop_front(&testee->arrived));)
        list_push_back(&testee->queue, link);
    pthread_mutex_unlock(&testee->mutex);
    begin_cases(testee);
}

static void *read_cases(void *owner) {
    Testee *testee = owner;
    bool more = true;
    while (more) {
        Case *one = xcalloc(1, sizeof *one);
        Span bytes;
        void *request;
        one->testee = testee;
        more = frame_read(stdin, &one->arena, &bytes) &&
               schema_decode(&CcClientCompatRequest_type, bytes, NULL, &one->arena, &request,
                             NULL) == 0;
        pthread_mutex_lock(&testee->mutex);
        if (more) {
            one->request = request;
            list_push_back(&testee->arrived, &one->link);
        } else {
            testee->at_end = true;
            arena_done(&one->arena);
            free(one);
        }
        pthread_mutex_unlock(&testee->mutex);
        world_wake(testee->bell);
    }
    return NULL;
}

int main(void) {
    Testee testee = {.world = world_new(), .types = schema_pool_new()};
    pthread_t reader;
    list_init(&testee.queue);
    list_init(&testee.arrived);
    pthread_mutex_init(&testee.mutex, NULL);
    schema_pool_add(testee.types, CcConformanceService_service.file);
    testee.bell = bell_new(testee.world, on_bell, &testee);
    pthread_create(&reader, NULL, read_cases, &testee);
    world_run(testee.world);
    pthread_join(reader, NULL);
    for (size_t i = 0; i < testee.channels.count; i++)
        channel_free(testee.channels.items[i].channel);
    array_done(&testee.channels);
    bell_free(testee.bell);
    world_free(testee.world);
    schema_pool_free(testee.types);
    arena_done(&testee.arena);
    return 0;
}
