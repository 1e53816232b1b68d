/* The hand-made tables of schema/descriptor.c, held against what the schema compiler makes of the
 * true descriptor.proto, plugin.proto and http.proto. */
#include "base/test.h"

#include "google/api/http.pb.h"
#include "google/protobuf/compiler/plugin.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "schema/descriptor.h"

typedef struct Pair {
    const SchemaMessage *ours, *true_one;
} Pair;

static const Pair pairs[] = {
    {&PbFileDescriptorSet_type, &GoogleProtobufFileDescriptorSet_type},
    {&PbFileDescriptorProto_type, &GoogleProtobufFileDescriptorProto_type},
    {&PbDescriptorProto_type, &GoogleProtobufDescriptorProto_type},
    {&PbMessageOptions_type, &GoogleProtobufMessageOptions_type},
    {&PbFieldDescriptorProto_type, &GoogleProtobufFieldDescriptorProto_type},
    {&PbFieldOptions_type, &GoogleProtobufFieldOptions_type},
    {&PbOneofDescriptorProto_type, &GoogleProtobufOneofDescriptorProto_type},
    {&PbEnumDescriptorProto_type, &GoogleProtobufEnumDescriptorProto_type},
    {&PbEnumValueDescriptorProto_type, &GoogleProtobufEnumValueDescriptorProto_type},
    {&PbServiceDescriptorProto_type, &GoogleProtobufServiceDescriptorProto_type},
    {&PbMethodDescriptorProto_type, &GoogleProtobufMethodDescriptorProto_type},
    {&PbMethodOptions_type, &GoogleProtobufMethodOptions_type},
    {&PbSourceCodeInfo_type, &GoogleProtobufSourceCodeInfo_type},
    {&PbSourceCodeInfoLocation_type, &GoogleProtobufSourceCodeInfoLocation_type},
    {&PbCodeGeneratorRequest_type, &GoogleProtobufCompilerCodeGeneratorRequest_type},
    {&PbCodeGeneratorResponse_type, &GoogleProtobufCompilerCodeGeneratorResponse_type},
    {&PbCodeGeneratorResponseFile_type, &GoogleProtobufCompilerCodeGeneratorResponseFile_type},
    {&PbHttpRule_type, &GoogleApiHttpRule_type},
    {&PbCustomHttpPattern_type, &GoogleApiCustomHttpPattern_type},
};

static void assert_same_enum(const SchemaEnum *a, const SchemaEnum *b) {
    assert_string_equal(a->full_name, b->full_name);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->closed, b->closed);
    assert_int_equal(a->first, b->first);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->values[i].name, b->values[i].name);
        assert_int_equal(a->values[i].number, b->values[i].number);
        assert_int_equal(a->values[i].name_len, b->values[i].name_len);
        assert_int_equal(a->by_name[i], b->by_name[i]);
    }
}

static void test_fields_are_true(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_string_equal(pairs[i].ours->full_name, pairs[i].true_one->full_name);
        for (size_t k = 0; k < pairs[i].ours->field_count; k++) {
            const SchemaField *ours = &pairs[i].ours->fields[k];
            const SchemaField *wanted =
                schema_field_by_number(pairs[i].true_one, schema_number(ours));
            assert_non_null(wanted);
            assert_string_equal(ours->name, wanted->name);
            assert_string_equal(ours->json_name, wanted->json_name);
            assert_int_equal(ours->name_len, wanted->name_len);
            assert_int_equal(ours->json_name_len, wanted->json_name_len);
            assert_int_equal(ours->tag, wanted->tag);
            assert_int_equal(ours->type, wanted->type);
            assert_int_equal(ours->shape, wanted->shape);
            assert_int_equal(ours->flags, wanted->flags);
            if (ours->type == SCHEMA_MESSAGE)
                assert_string_equal(ours->message->full_name, wanted->message->full_name);
            if (ours->type == SCHEMA_ENUM)
                assert_same_enum(ours->enumeration, wanted->enumeration);
            if (pairs[i].ours->initial && ours->type == SCHEMA_ENUM)
                assert_int_equal(*(int32_t *)schema_at(pairs[i].ours->initial, ours),
                                 *(int32_t *)schema_at(pairs[i].true_one->initial, wanted));
        }
    }
}

/* What the lookups of schema.h rest on. */
static void test_tables_are_sound(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const SchemaMessage *ours = pairs[i].ours;
        assert_int_equal(ours->size % 8, 0);
        for (size_t k = 0; k < ours->field_count; k++) {
            const SchemaField *field = &ours->fields[k];
            assert_true(k == 0 || schema_number(field) > schema_number(field - 1));
            assert_int_equal(schema_number(field) == k + 1, k < ours->dense);
            assert_ptr_equal(schema_field_by_number(ours, schema_number(field)), field);
            assert_ptr_equal(schema_field_by_name(ours, span_of(field->name)), field);
            assert_ptr_equal(schema_field_by_name(ours, span_of(field->json_name)), field);
        }
        assert_null(schema_field_by_name(ours, SPAN("no_such_field")));
        assert_null(schema_field_by_number(ours, 0));
        assert_null(schema_field_by_number(ours, 536870911));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_true),
        cmocka_unit_test(test_tables_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
