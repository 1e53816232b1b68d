/* echo.v1.Things: answers with what was understood. */
#include "echo_services.h"
#include "google/protobuf/empty.pb.h"
#include "schema/codec.h"

static void on_thing(Call *call, const void *message) {
    call_reply(call, message);
}

static void on_delete(Call *call, const void *message) {
    call_reply(call, &(PbEmpty){0});
}

static void on_fail(Call *call, const void *message) {
    const EchoThing *thing = message;
    call_fail(call, (StatusCode)thing->int32, "as asked: %.*s", SPAN_ARGS(thing->text));
}

static EchoUploaded *uploaded_of(Call *call) {
    if (!call_user(call))
        call_set_user(call, schema_new(&EchoUploaded_type, call_arena(call)));
    return call_user(call);
}

static void on_upload(Call *call, const void *message) {
    EchoUploaded *uploaded = uploaded_of(call);
    const EchoThing *thing = message;
    uploaded->count++;
    *schema_append(&uploaded->names, call_arena(call)) = arena_copy(call_arena(call), thing->name);
}

static void on_uploaded(Call *call) {
    call_reply(call, uploaded_of(call));
}

static void on_download(Call *call, const void *message) {
    const EchoThing *thing = message;
    EchoState *state = call_service(call);
    CallRef ref = call_ref(call);
    for (int32_t i = 0; i < thing->int32 && call_find(state->server, ref); i++)
        call_send(call, &(EchoThing){.name = thing->name, .int32 = i});
    if (thing->uint32)
        call_fail(call, (StatusCode)thing->uint32, "after %d", thing->int32);
    else
        call_finish(call, status_ok());
}

static void on_chat(Call *call, const void *message) {
    call_send(call, message);
}

static void on_chat_done(Call *call) {
    call_finish(call, status_ok());
}

const MethodHandler ECHO_THINGS[] = {
    [EchoThings_GetThing] = {.message = on_thing},
    [EchoThings_Create] = {.message = on_thing},
    [EchoThings_Annotate] = {.message = on_thing},
    [EchoThings_ReplaceLeaf] = {.message = on_thing},
    [EchoThings_PatchTags] = {.message = on_thing},
    [EchoThings_Delete] = {.message = on_delete},
    [EchoThings_Leaf] = {.message = on_thing},
    [EchoThings_Custom] = {.message = on_thing},
    [EchoThings_Fail] = {.message = on_fail},
    [EchoThings_Upload] = {.message = on_upload, .half_closed = on_uploaded},
    [EchoThings_Download] = {.message = on_download},
    [EchoThings_Chat] = {.message = on_chat, .half_closed = on_chat_done},
};

void echo_services_add(RpcServer *server, EchoState *state) {
    char reason[256];
    *state = (EchoState){
        .server = server,
        .size_max = 64u << 20,
        .calls = {&EchoCalls_service, ECHO_CALLS, state},
        .things = {&EchoThings_service, ECHO_THINGS, state},
    };
    rpc_server_add(server, &state->calls, reason, sizeof reason);
    rpc_server_add(server, &state->things, reason, sizeof reason);
}
