#include "base/test.h"

#include "schema/sample.h"

static const SchemaField *sample_field(const char *name) {
    const SchemaField *field = schema_field_by_name(&Sample_type, span_of(name));
    assert_non_null(field);
    return field;
}

static void test_fields_by_number(void **state) {
    (void)state;
    for (size_t i = 0; i < Sample_type.field_count; i++)
        assert_ptr_equal(
            schema_field_by_number(&Sample_type, schema_number(&Sample_type.fields[i])),
            &Sample_type.fields[i]);
    static const uint32_t absent[] = {0, 999, 1001, 536870910, UINT32_MAX};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_null(schema_field_by_number(&Sample_type, absent[i]));
}

/* Names "a" to "e" in eight slots, hashed, so that chains wrap and cross. */
static void test_fields_by_name_in_slots(void **state) {
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    SchemaField fields[5] = {0};
    uint16_t slots[8] = {0};
    for (uint16_t i = 0; i < 5; i++) {
        fields[i].name = fields[i].json_name = names[i];
        fields[i].name_len = fields[i].json_name_len = 1;
        uint32_t at = schema_name_hash(span_of(names[i])) & 7;
        while (slots[at])
            at = (at + 1) & 7;
        slots[at] = i + 1;
    }
    SchemaMessage type = {.fields = fields, .field_count = 5, .name_slots = slots, .name_bits = 3};
    for (size_t i = 0; i < 5; i++)
        assert_ptr_equal(schema_field_by_name(&type, span_of(names[i])), &fields[i]);
    assert_null(schema_field_by_name(&type, SPAN("f")));
    assert_null(schema_field_by_name(&type, SPAN("aa")));
    assert_null(schema_field_by_name(&type, SPAN("")));
}

/* A proto name goes before a JSON name that is the same, whichever stands first in the chain. */
static void test_proto_name_wins(void **state) {
    (void)state;
    const SchemaField fields[] = {
        {.name = "x", .name_len = 1, .json_name = "y", .json_name_len = 1},
        {.name = "y", .name_len = 1, .json_name = "z", .json_name_len = 1},
    };
    uint16_t slots[4] = {0};
    uint32_t start = schema_name_hash(SPAN("y")) & 3;
    slots[start] = 1;
    slots[(start + 1) & 3] = 2;
    SchemaMessage type = {.fields = fields, .field_count = 2, .name_slots = slots, .name_bits = 2};
    assert_ptr_equal(schema_field_by_name(&type, SPAN("y")), &fields[1]);
}

static void test_hash_is_stable(void **state) {
    (void)state;
    assert_int_equal(schema_name_hash(SPAN("")), 0x811c9dc5);
    assert_int_equal(schema_name_hash(SPAN("foobar")), 0xbf9cf968); /* published test vector */
}

static void test_enum_lookups(void **state) {
    (void)state;
    static const SchemaEnumValue values[] = {
        {-5, 3, "LOW"}, {0, 4, "ZERO"}, {7, 5, "FIRST"}, {7, 5, "ALIAS"}};
    static const uint16_t by_name[] = {3, 2, 0, 1};
    static const SchemaEnum type = {.values = values, .by_name = by_name, .count = 4};
    assert_string_equal(schema_enum_name(&type, -5), "LOW");
    assert_string_equal(schema_enum_name(&type, 7), "FIRST");
    assert_null(schema_enum_name(&type, 6));
    assert_null(schema_enum_name(&type, 8));
    assert_null(schema_enum_name(&type, INT32_MIN));
    int32_t number = 99;
    assert_true(schema_enum_number(&type, SPAN("ALIAS"), &number));
    assert_int_equal(number, 7);
    assert_true(schema_enum_number(&type, SPAN("LOW"), &number));
    assert_int_equal(number, -5);
    assert_false(schema_enum_number(&type, SPAN("low"), &number));
    assert_false(schema_enum_number(&type, SPAN("FIR"), &number));
    assert_int_equal(number, -5);
}

static void test_what_is_set(void **state) {
    (void)state;
    Sample sample = {0}, sub = {0};
    for (size_t i = 0; i < Sample_type.field_count; i++)
        assert_false(schema_field_is_set(&sample, &Sample_type.fields[i]));
    int32_t item = 0;
    sample.i64 = INT64_C(1) << 40;
    sample.real = -0.0f;
    sample.flag = true;
    sample.text = SPAN("t");
    sample.sub = &sub;
    sample.has_maybe = true;
    sample.numbers.items = &item;
    sample.numbers.count = 1;
    sample.which_choice = 26;
    static const char *const set[] = {"i64", "real",  "flag",    "text",
                                      "sub", "maybe", "numbers", "id"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        assert_true(schema_field_is_set(&sample, sample_field(set[i])));
    for (size_t i = 0; i < Sample_type.field_count; i++)
        count += schema_field_is_set(&sample, &Sample_type.fields[i]);
    assert_int_equal(count, sizeof set / sizeof *set);
}

static void test_element_size(void **state) {
    (void)state;
    assert_int_equal(schema_element_size(sample_field("flag")), 1);
    assert_int_equal(schema_element_size(sample_field("i32")), 4);
    assert_int_equal(schema_element_size(sample_field("wide")), 8);
    assert_int_equal(schema_element_size(sample_field("text")), sizeof(Span));
    assert_int_equal(schema_element_size(sample_field("sub")), sizeof(void *));
    assert_int_equal(schema_element_size(sample_field("subs")), sizeof(Sample));
    assert_int_equal(schema_element_size(sample_field("labels")), sizeof(LabelsEntry));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_by_number), cmocka_unit_test(test_fields_by_name_in_slots),
        cmocka_unit_test(test_proto_name_wins),  cmocka_unit_test(test_hash_is_stable),
        cmocka_unit_test(test_enum_lookups),     cmocka_unit_test(test_what_is_set),
        cmocka_unit_test(test_element_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
