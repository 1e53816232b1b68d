/* Compiled-in tables and those built at run time from the same descriptors are the same, down to
 * offsets and hash slots. */
#include "base/test.h"

#include "google/api/annotations.pb.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/api.pb.h"
#include "google/protobuf/compiler/plugin.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/empty.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/source_context.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/type.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "kinds.pb.h"
#include "legacy.pb.h"
#include "muster/options.pb.h"
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
#include "schema/pool.h"

/* With all that these import. */
static const SchemaFile *const roots[] = {
    &google_protobuf_any_proto,
    &google_protobuf_api_proto,
    &google_protobuf_compiler_plugin_proto,
    &google_protobuf_field_mask_proto,
    &google_protobuf_struct_proto,
    &google_protobuf_wrappers_proto,
    &google_api_annotations_proto,
    &google_rpc_error_details_proto,
    &google_rpc_status_proto,
    &kinds_proto,
    &legacy_proto,
    &muster_options_proto,
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

static SchemaPool *compiled_in(void) {
    SchemaPool *pool = schema_pool_new();
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        schema_pool_add(pool, roots[i]);
    return pool;
}

/* The same files from their descriptors, last ones first: order does not matter. */
static SchemaPool *built(const SchemaPool *from) {
    Span descriptors[64];
    size_t count = 0, at = 0;
    for (const SchemaFile *file; (file = schema_pool_next(from, &at)); count++)
        descriptors[63 - count] = file->descriptor;
    SchemaPool *pool = schema_pool_new();
    SchemaError error = {0};
    if (schema_pool_add_files(pool, descriptors + 64 - count, count, &error) < 0)
        fail_msg("%s: %s", error.path, error.reason);
    return pool;
}

static void assert_same_fields(const SchemaMessage *a, const SchemaMessage *b) {
    assert_int_equal(a->field_count, b->field_count);
    for (size_t i = 0; i < a->field_count; i++) {
        const SchemaField *x = &a->fields[i], *y = &b->fields[i];
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->json_name, y->json_name);
        assert_int_equal(x->name_len, strlen(y->name));
        assert_int_equal(x->json_name_len, strlen(y->json_name));
        assert_int_equal(x->tag, y->tag);
        assert_int_equal(x->offset, y->offset);
        assert_int_equal(x->presence, y->presence);
        assert_int_equal(x->type, y->type);
        assert_int_equal(x->shape, y->shape);
        assert_int_equal(x->flags, y->flags);
        assert_int_equal(x->oneof, y->oneof);
        if (x->type == SCHEMA_MESSAGE || x->type == SCHEMA_GROUP)
            assert_string_equal(x->message->full_name, y->message->full_name);
        if (x->type == SCHEMA_ENUM)
            assert_string_equal(x->enumeration->full_name, y->enumeration->full_name);
        assert_ptr_equal(schema_field_by_number(a, schema_number(x)), x);
        assert_ptr_equal(schema_field_by_name(a, span_of(x->name)), x);
        const SchemaField *found = schema_field_by_name(a, span_of(x->json_name));
        assert_non_null(found); /* in proto2 it may also be another field's proto name */
        assert_true(found == x || strcmp(found->name, x->json_name) == 0);
    }
}

/* Images hold pointers to texts, so they are compared by what the fields mean. */
static void assert_same_initial(const SchemaMessage *a, const SchemaMessage *b) {
    assert_int_equal(a->initial != NULL, b->initial != NULL);
    for (size_t i = 0; a->initial && i < a->field_count; i++) {
        const SchemaField *field = &a->fields[i];
        const void *x = schema_at(a->initial, field), *y = schema_at(b->initial, field);
        if (field->shape == SCHEMA_SINGULAR &&
            (field->type == SCHEMA_STRING || field->type == SCHEMA_BYTES))
            assert_true(span_equal(*(const Span *)x, *(const Span *)y));
        else if (field->shape == SCHEMA_SINGULAR)
            assert_memory_equal(x, y, schema_element_size(field));
    }
}

static void assert_same_message(const SchemaMessage *a, const SchemaMessage *b) {
    assert_string_equal(a->full_name, b->full_name);
    assert_string_equal(a->file->name, b->file->name);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->dense, b->dense);
    assert_int_equal(a->well_known, b->well_known);
    assert_int_equal(a->map_entry, b->map_entry);
    assert_int_equal(a->has_required, b->has_required);
    assert_int_equal(a->name_bits, b->name_bits);
    if (a->field_count)
        assert_memory_equal(a->name_slots, b->name_slots, sizeof(uint16_t) << a->name_bits);
    assert_int_equal(a->oneof_count, b->oneof_count);
    for (size_t i = 0; i < a->oneof_count; i++) {
        assert_string_equal(a->oneofs[i].name, b->oneofs[i].name);
        assert_int_equal(a->oneofs[i].which, b->oneofs[i].which);
    }
    assert_same_fields(a, b);
    assert_same_initial(a, b);
}

static void assert_same_enum(const SchemaEnum *a, const SchemaEnum *b) {
    assert_string_equal(a->full_name, b->full_name);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->closed, b->closed);
    assert_int_equal(a->first, b->first);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->values[i].name, b->values[i].name);
        assert_int_equal(a->values[i].number, b->values[i].number);
        assert_int_equal(a->values[i].name_len, strlen(b->values[i].name));
        assert_int_equal(a->by_name[i], b->by_name[i]);
        int32_t number;
        assert_true(schema_enum_number(a, span_of(a->values[i].name), &number));
        assert_int_equal(number, a->values[i].number);
    }
}

static void assert_same_service(const SchemaService *a, const SchemaService *b) {
    assert_string_equal(a->full_name, b->full_name);
    assert_int_equal(a->method_count, b->method_count);
    for (size_t i = 0; i < a->method_count; i++) {
        const SchemaMethod *x = &a->methods[i], *y = &b->methods[i];
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->path, y->path);
        assert_string_equal(x->input->full_name, y->input->full_name);
        assert_string_equal(x->output->full_name, y->output->full_name);
        assert_int_equal(x->client_streaming, y->client_streaming);
        assert_int_equal(x->server_streaming, y->server_streaming);
        assert_int_equal(x->deprecated, y->deprecated);
        assert_int_equal(x->raw, y->raw);
        assert_int_equal(x->idempotency, y->idempotency);
        assert_int_equal(x->scope, y->scope);
        assert_int_equal(x->http_count, y->http_count);
        for (size_t k = 0; k < x->http_count; k++) {
            assert_string_equal(x->http[k].verb, y->http[k].verb);
            assert_string_equal(x->http[k].pattern, y->http[k].pattern);
            assert_string_equal(x->http[k].body, y->http[k].body);
            assert_string_equal(x->http[k].response_body, y->http[k].response_body);
        }
    }
}

static void assert_same_file(const SchemaFile *a, const SchemaFile *b) {
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->package, b->package);
    assert_true(span_equal(a->descriptor, b->descriptor));
    assert_int_equal(a->dependency_count, b->dependency_count);
    assert_int_equal(a->message_count, b->message_count);
    assert_int_equal(a->enum_count, b->enum_count);
    assert_int_equal(a->service_count, b->service_count);
    for (size_t i = 0; i < a->dependency_count; i++)
        assert_string_equal(a->dependencies[i]->name, b->dependencies[i]->name);
    for (size_t i = 0; i < a->message_count; i++)
        assert_same_message(a->messages[i], b->messages[i]);
    for (size_t i = 0; i < a->enum_count; i++)
        assert_same_enum(a->enums[i], b->enums[i]);
    for (size_t i = 0; i < a->service_count; i++)
        assert_same_service(a->services[i], b->services[i]);
}

static void test_compiled_and_built_agree(void **state) {
    (void)state;
    SchemaPool *a = compiled_in(), *b = built(a);
    size_t at = 0, files = 0;
    for (const SchemaFile *file; (file = schema_pool_next(a, &at)); files++) {
        const SchemaFile *other = schema_pool_file(b, span_of(file->name));
        assert_non_null(other);
        assert_ptr_not_equal(other, file);
        assert_same_file(file, other);
    }
    assert_true(files > sizeof roots / sizeof *roots); /* imports came along */
    schema_pool_free(a);
    schema_pool_free(b);
}

static void assert_file_of(const SchemaPool *pool, const char *symbol, const SchemaFile *file) {
    if (schema_pool_file_of(pool, span_of(symbol)) != file)
        fail_msg("%s is in another file", symbol);
}

static void test_symbols_are_found(void **state) {
    (void)state;
    SchemaPool *pool = compiled_in();
    assert_ptr_equal(schema_pool_message(pool, SPAN("names.Outer.Inner")), &NamesOuterInner_type);
    assert_ptr_equal(schema_pool_enum(pool, SPAN("kinds.Colour")), &KindsColour_type);
    assert_ptr_equal(schema_pool_service(pool, SPAN("names.Things")), &NamesThings_service);
    assert_ptr_equal(schema_pool_file(pool, SPAN("kinds.proto")), &kinds_proto);
    assert_null(schema_pool_message(pool, SPAN("kinds.Colour")));
    assert_null(schema_pool_message(pool, SPAN(".names.Outer")));
    assert_null(schema_pool_service(pool, SPAN("")));
    assert_file_of(pool, "names.Outer.Inner", &names_proto);
    assert_file_of(pool, "names.Outer.Inner.kind", &names_proto);
    assert_file_of(pool, "names.Outer.Inner.KIND_NONE", &names_proto);
    assert_file_of(pool, "names.Keywords.switch", &names_proto);
    assert_file_of(pool, "names.Things", &names_proto);
    assert_file_of(pool, "names.Things.Talk", &names_proto);
    assert_file_of(pool, "kinds.LIME", &kinds_proto);
    assert_file_of(pool, "kinds.Colour.LIME", NULL);
    assert_file_of(pool, "names.JsonNames.camelCase", NULL);
    assert_file_of(pool, "names", NULL);
    schema_pool_free(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compiled_and_built_agree),
        cmocka_unit_test(test_symbols_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
