#include "base/status.h"

#include "base/test.h"

static void names_and_codes_belong_together(void **state) {
    (void)state;
    for (int code = 0; code < STATUS_CODES; code++) {
        char lower[32] = {0};
        const char *name = status_name(code);
        for (size_t i = 0; name[i]; i++)
            lower[i] = name[i] == '_' ? '_' : (char)(name[i] | 0x20);
        assert_int_equal(status_from_name(span_of(name)), code);
        assert_int_equal(status_from_name(span_of(lower)), code);
        assert_int_equal(status_from_name(span(name, strlen(name) - 1)), -1);
    }
    assert_string_equal(status_name(STATUS_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(status_name(STATUS_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(status_name(-1), "UNKNOWN");
    assert_string_equal(status_name(STATUS_CODES), "UNKNOWN");
    assert_int_equal(status_from_name((Span){0}), -1);
    assert_int_equal(status_from_name(SPAN("OK\0")), -1);
    assert_int_equal(status_from_name(SPAN("OKAY")), -1);
    assert_int_equal(status_from_name(SPAN("not-found")), -1);
}

static void messages_are_formatted_into_the_arena(void **state) {
    (void)state;
    Arena arena = {0};
    Status status = status_make(&arena, STATUS_NOT_FOUND, "no service '%s' of %d", "calculator", 3);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
    assert_span(status.message, "no service 'calculator' of 3");
    assert_int_equal(status.detail_count, 0);
    arena_done(&arena);
    assert_int_equal(status_ok().code, STATUS_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_codes_belong_together),
        cmocka_unit_test(messages_are_formatted_into_the_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
