#include "rpc/query.h"

#include <errno.h>

#include "base/test.h"

/* "name=value;" for each; "!" where an escape is malformed. */
static const char *read_all(const char *text) {
    static char out[256];
    Arena arena = {0};
    QueryReader reader = {.rest = span_of(text), .arena = &arena};
    Span name, value;
    size_t len = 0;
    int result;
    out[0] = 0;
    while ((result = query_next(&reader, &name, &value)) == 1)
        len += (size_t)snprintf(out + len, sizeof out - len, "%.*s=%.*s;", SPAN_ARGS(name),
                                SPAN_ARGS(value));
    if (result < 0) {
        assert_int_equal(result, -EBADMSG);
        strcat(out, "!");
    }
    arena_done(&arena);
    return out;
}

static void test_query(void **state) {
    assert_string_equal(read_all(""), "");
    assert_string_equal(read_all("a=1&b=2"), "a=1;b=2;");
    assert_string_equal(read_all("&&a=1&&&b=&"), "a=1;b=;");
    assert_string_equal(read_all("a"), "a=;");
    assert_string_equal(read_all("=x"), "=x;");
    assert_string_equal(read_all("a==b="), "a==b=;");
    assert_string_equal(read_all("a+b=c+d%2B"), "a b=c d+;");
    assert_string_equal(read_all("%61=%F0%9f%98%80&%26=%3d"), "a=\xf0\x9f\x98\x80;&==;");
    assert_string_equal(read_all("a=%"), "!");
    assert_string_equal(read_all("a=%4"), "!");
    assert_string_equal(read_all("a=1&b=%4g"), "a=1;!");
    assert_string_equal(read_all("%g4=1"), "!");
}

static void test_zero_byte(void **state) {
    Arena arena = {0};
    Span decoded;
    assert_int_equal(url_decode(&arena, SPAN("a%00b"), false, &decoded), 0);
    assert_true(span_equal(decoded, span("a\0b", 3)));
    arena_done(&arena);
}

static void test_shares_plain_text(void **state) {
    Span text = SPAN("a+b"), decoded;
    assert_int_equal(url_decode(NULL, text, false, &decoded), 0);
    assert_ptr_equal(decoded.ptr, text.ptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_zero_byte),
        cmocka_unit_test(test_shares_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
