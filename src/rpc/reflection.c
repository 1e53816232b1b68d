#include "rpc/reflection.h"

#include <stdlib.h>

#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "rpc/internal.h"
#include "schema/codec.h"

/* The two versions have the same messages under different names: one handler reads and writes both
 * as those of v1. */
typedef ReflectionServerReflectionRequest Request;
typedef ReflectionServerReflectionResponse Response;
_Static_assert(sizeof(Response) == sizeof(ReflectionAlphaServerReflectionResponse), "same layout");
_Static_assert(sizeof(Request) == sizeof(ReflectionAlphaServerReflectionRequest), "same layout");

static void answer_error(Response *response, Arena *arena, StatusCode code, Span message) {
    response->which_message_response = ReflectionServerReflectionResponse_error_response_number;
    response->error_response = schema_new(&ReflectionErrorResponse_type, arena);
    response->error_response->error_code = (int32_t)code;
    response->error_response->error_message = message;
}

static bool is_in(const SchemaFile *const *files, size_t count, const SchemaFile *file) {
    for (size_t i = 0; i < count; i++)
        if (files[i] == file)
            return true;
    return false;
}

/* The file, then all that it imports, each once. */
static void answer_file(Response *response, Arena *arena, const SchemaFile *file) {
    response->which_message_response =
        ReflectionServerReflectionResponse_file_descriptor_response_number;
    response->file_descriptor_response = schema_new(&ReflectionFileDescriptorResponse_type, arena);
    ARRAY(const SchemaFile *) found = {0};
    *array_push(&found) = file;
    for (size_t i = 0; i < found.count; i++) {
        const SchemaFile *one = found.items[i];
        *schema_append(&response->file_descriptor_response->file_descriptor_proto, arena) =
            one->descriptor;
        for (uint16_t d = 0; d < one->dependency_count; d++)
            if (!is_in(found.items, found.count, one->dependencies[d]))
                *array_push(&found) = one->dependencies[d];
    }
    array_done(&found);
}

static void answer_file_or_error(Response *response, Arena *arena, const SchemaFile *file,
                                 Span name) {
    if (file) {
        answer_file(response, arena, file);
        return;
    }
    Buf text = {.arena = arena};
    buf_printf(&text, "not found: %.*s", SPAN_ARGS(name));
    answer_error(response, arena, STATUS_NOT_FOUND, buf_span(&text));
}

static void answer_services(Response *response, Arena *arena, const RpcServer *server) {
    response->which_message_response =
        ReflectionServerReflectionResponse_list_services_response_number;
    response->list_services_response = schema_new(&ReflectionListServiceResponse_type, arena);
    for (size_t i = 0; i < server->services.count; i++) {
        ReflectionServiceResponse *one =
            schema_append(&response->list_services_response->service, arena);
        one->name = span_of(server->services.items[i]->schema->full_name);
    }
}

static void answer(Call *call, const void *message) {
    const Request *request = message;
    const RpcServer *server = call_service(call);
    const SchemaPool *types = rpc_server_types(server);
    Arena arena = {0};
    Response response = {.valid_host = request->host, .original_request = (Request *)request};
    switch (request->which_message_request) {
    case ReflectionServerReflectionRequest_file_by_filename_number:
        answer_file_or_error(&response, &arena, schema_pool_file(types, request->file_by_filename),
                             request->file_by_filename);
        break;
    case ReflectionServerReflectionRequest_file_containing_symbol_number:
        answer_file_or_error(&response, &arena,
                             schema_pool_file_of(types, request->file_containing_symbol),
                             request->file_containing_symbol);
        break;
    case ReflectionServerReflectionRequest_list_services_number:
        answer_services(&response, &arena, server);
        break;
    case ReflectionServerReflectionRequest_file_containing_extension_number:
    case ReflectionServerReflectionRequest_all_extension_numbers_of_type_number:
        answer_error(&response, &arena, STATUS_NOT_FOUND, SPAN("no extensions are served"));
        break;
    default:
        answer_error(&response, &arena, STATUS_INVALID_ARGUMENT, SPAN("an empty request"));
    }
    call_send(call, &response);
    arena_done(&arena);
}

static void half_closed(Call *call) {
    call_finish(call, status_ok());
}

void reflection_add(RpcServer *server) {
    static const MethodHandler HANDLERS[] = {{.message = answer, .half_closed = half_closed}};
    static const SchemaService *const SCHEMAS[] = {
        &ReflectionServerReflection_service,
        &ReflectionAlphaServerReflection_service,
    };
    for (size_t i = 0; i < 2; i++) {
        RpcService *service = arena_zalloc(&server->owned, sizeof *service);
        *service = (RpcService){SCHEMAS[i], HANDLERS, server};
        char reason[128];
        if (rpc_server_add(server, service, reason, sizeof reason) < 0)
            abort(); /* they have no REST rules, and nobody else has their names */
    }
}
