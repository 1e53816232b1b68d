#include "base/test.h"

#include <errno.h>

#include "schema/error.h"

static void test_path_grows_to_the_left(void **state) {
    (void)state;
    SchemaError error;
    char text[256];
    assert_int_equal(schema_error_set(&error, -EBADMSG, 12, "expected %s", "a string"), -EBADMSG);
    assert_string_equal(error.path, "");
    schema_error_format(&error, text, sizeof text);
    assert_string_equal(text, "expected a string (at byte 12)");

    schema_error_in_entry(&error, SPAN("zone\n"));
    schema_error_in_field(&error, &(SchemaField){.name = "labels"});
    schema_error_in_element(&error, 3);
    schema_error_in_field(&error, &(SchemaField){.name = "services"});
    assert_string_equal(error.path, "services[3].labels[\"zone?\"]");
    schema_error_format(&error, text, sizeof text);
    assert_string_equal(text, "services[3].labels[\"zone?\"]: expected a string (at byte 12)");
}

static void test_long_path_loses_its_beginning(void **state) {
    (void)state;
    SchemaError error;
    schema_error_set(&error, -EBADMSG, 0, "bad");
    for (int i = 0; i < 100; i++)
        schema_error_in_field(&error, &(SchemaField){.name = i ? "outer" : "innermost"});
    assert_int_equal(strlen(error.path), sizeof error.path - 1);
    assert_memory_equal(error.path, "...", 3);
    assert_string_equal(error.path + strlen(error.path) - 15, "outer.innermost");
}

static void test_long_key_is_cut_between_characters(void **state) {
    (void)state;
    SchemaError error;
    schema_error_set(&error, -EBADMSG, 0, "bad");
    schema_error_in_entry(&error,
                          SPAN("0123456789012345678901234567890123456789012345\u00e9\u00e9"));
    assert_string_equal(error.path,
                        "[\"0123456789012345678901234567890123456789012345\u00e9...\"]");
    schema_error_set(&error, -EBADMSG, 0, "bad");
    schema_error_in_entry(&error,
                          SPAN("01234567890123456789012345678901234567890123456\u00e9\u00e9"));
    assert_string_equal(error.path, "[\"01234567890123456789012345678901234567890123456...\"]");
}

static void test_no_error_wanted(void **state) {
    (void)state;
    assert_int_equal(schema_error_set(NULL, -ELOOP, 0, "bad"), -ELOOP);
    schema_error_in_element(NULL, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_grows_to_the_left),
        cmocka_unit_test(test_long_path_loses_its_beginning),
        cmocka_unit_test(test_long_key_is_cut_between_characters),
        cmocka_unit_test(test_no_error_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
