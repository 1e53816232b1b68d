#include "base/buf.h"

#include "base/test.h"

/* The same random additions to a Buf and to a plain array. */
static void check_against_array(Arena *arena) {
    TestRandom random = test_random();
    static char model[200000];
    Buf buf = {.arena = arena};
    size_t len = 0;
    while (len < sizeof model - 1000) {
        char piece[600];
        size_t size = test_random_below(&random, sizeof piece);
        for (size_t i = 0; i < size; i++)
            piece[i] = (char)test_random_bits(&random);
        switch (test_random_below(&random, 4)) {
        case 0:
            buf_add(&buf, span(piece, size));
            break;
        case 1:
            memcpy(buf_reserve(&buf, size + 100), piece, size);
            buf.len += size;
            break;
        case 2:
            for (size_t i = 0; i < size; i++)
                buf_add_char(&buf, piece[i]);
            break;
        default:
            for (size_t i = 0; i < size; i++)
                piece[i] = (char)('a' + (piece[i] & 15));
            buf_printf(&buf, "%.*s", (int)size, piece);
        }
        memcpy(model + len, piece, size);
        len += size;
    }
    assert_true(span_equal(buf_span(&buf), span(model, len)));
    assert_int_equal(buf_cstr(&buf)[len], 0);
    assert_int_equal(buf.len, len);
    buf_done(&buf);
    assert_null(buf.ptr);
    assert_ptr_equal(buf.arena, arena);
}

static void grows_by_malloc(void **state) {
    (void)state;
    check_against_array(NULL);
}

static void grows_in_an_arena(void **state) {
    (void)state;
    Arena arena = {0};
    check_against_array(&arena);
    arena_done(&arena);
}

static void empty(void **state) {
    (void)state;
    Buf buf = {0};
    buf_add(&buf, (Span){0});
    buf_printf(&buf, "%s", "");
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf_cstr(&buf), "");
    buf_add_literal(&buf, "text");
    buf_clear(&buf);
    assert_int_equal(buf.len, 0);
    buf_done(&buf);
    buf_done(&buf);
}

static void printf_fills_exactly(void **state) {
    (void)state;
    for (size_t len = 0; len < 300; len++) {
        Buf buf = {0};
        buf_add_char(&buf, '<');
        buf_printf(&buf, "%*d", (int)len, 7);
        buf_add_char(&buf, '>');
        assert_int_equal(buf.len, (len ? len : 1) + 2);
        assert_int_equal(buf.ptr[buf.len - 2], '7');
        buf_done(&buf);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_by_malloc),
        cmocka_unit_test(grows_in_an_arena),
        cmocka_unit_test(empty),
        cmocka_unit_test(printf_fills_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
