/* Random messages of all compiled types: through the codec and back, and by tables built at run
 * time. */
#include "base/test.h"

#include "google/protobuf/api.pb.h"
#include "google/protobuf/type.pb.h"
#include "google/rpc/error_details.pb.h"
#include "kinds.pb.h"
#include "legacy.pb.h"
#include "names.pb.h"
#include "runtime/v1/broker.pb.h"
#include "runtime/v1/chaos.pb.h"
#include "runtime/v1/config.pb.h"
#include "runtime/v1/load.pb.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/orchestrator.pb.h"
#include "runtime/v1/runtime.pb.h"
#include "runtime/v1/state.pb.h"
#include "runtime/v1/topology.pb.h"
#include "schema/codec.h"
#include "schema/pool.h"
#include "schema/random_message.h"

/* With all that these import. */
static const SchemaFile *const roots[] = {
    &google_protobuf_api_proto,
    &google_protobuf_type_proto,
    &google_rpc_error_details_proto,
    &kinds_proto,
    &legacy_proto,
    &names_proto,
    &runtime_v1_broker_proto,
    &runtime_v1_chaos_proto,
    &runtime_v1_config_proto,
    &runtime_v1_load_proto,
    &runtime_v1_logger_proto,
    &runtime_v1_orchestrator_proto,
    &runtime_v1_runtime_proto,
    &runtime_v1_state_proto,
    &runtime_v1_topology_proto,
};

#define SEEDS 200

static SchemaPool *compiled, *built;

static void fill_pools(void) {
    compiled = schema_pool_new();
    built = schema_pool_new();
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        schema_pool_add(compiled, roots[i]);
    Span descriptors[128];
    size_t count = 0, at = 0;
    for (const SchemaFile *file; (file = schema_pool_next(compiled, &at));)
        descriptors[count++] = file->descriptor;
    assert_in_range(count, 1, 127);
    assert_int_equal(schema_pool_add_files(built, descriptors, count, NULL), 0);
}

static void *decode(const SchemaMessage *type, Span bytes, Arena *arena) {
    void *message = NULL;
    SchemaError error;
    if (schema_decode(type, bytes, NULL, arena, &message, &error) != 0)
        fail_msg("%s: %s: %s", type->full_name, error.path, error.reason);
    return message;
}

static Span encode(const SchemaMessage *type, const void *message, Arena *arena) {
    Span bytes;
    assert_int_equal(schema_encode(type, message, 0, arena, &bytes), 0);
    assert_int_equal(bytes.len, schema_size(type, message));
    return bytes;
}

static void check(const SchemaMessage *type, uint64_t seed) {
    Arena arena = {0};
    RandomMessage random = random_message(seed);
    const SchemaMessage *other = schema_pool_message(built, span_of(type->full_name));
    void *message = random_message_new(&random, type, &arena);
    Span bytes = encode(type, message, &arena);
    void *back = decode(type, bytes, &arena);
    if (!schema_equal(type, message, back) || !span_equal(encode(type, back, &arena), bytes))
        fail_msg("%s, seed %d: changed on the way", type->full_name, (int)seed);
    if (!schema_equal(type, message, schema_copy(type, message, &arena)))
        fail_msg("%s, seed %d: not equal to its copy", type->full_name, (int)seed);
    if (!span_equal(encode(other, decode(other, bytes, &arena), &arena), bytes))
        fail_msg("%s, seed %d: other bytes by built tables", type->full_name, (int)seed);
    arena_done(&arena);
}

static void all_types(void **state) {
    size_t at = 0;
    for (const SchemaFile *file; (file = schema_pool_next(compiled, &at));)
        for (size_t i = 0; i < file->message_count; i++)
            for (uint64_t seed = 0; seed < SEEDS; seed++)
                if (!file->messages[i]->map_entry)
                    check(file->messages[i], seed);
}

int main(void) {
    fill_pools();
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_types)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    schema_pool_free(compiled);
    schema_pool_free(built);
    return failed;
}
