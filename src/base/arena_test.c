#include "base/arena.h"

#include "base/test.h"

static void memory_is_aligned_and_apart(void **state) {
    (void)state;
    TestRandom random = test_random();
    enum { COUNT = 5000 };
    static struct {
        unsigned char *bytes;
        size_t size;
    } pieces[COUNT];
    Arena arena = {0};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            pieces[i].size = test_random_below(&random, i % 100 == 0 ? 100000 : 200);
            pieces[i].bytes = arena_alloc(&arena, pieces[i].size);
            assert_non_null(pieces[i].bytes);
            assert_int_equal((uintptr_t)pieces[i].bytes % ARENA_ALIGN, 0);
            memset(pieces[i].bytes, i & 0xff, pieces[i].size);
        }
        for (int i = 0; i < COUNT; i++)
            for (size_t at = 0; at < pieces[i].size; at++)
                assert_int_equal(pieces[i].bytes[at], i & 0xff);
        arena_reset(&arena);
    }
    arena_done(&arena);
    assert_null(arena.blocks);
    assert_int_equal(arena.taken, 0);
}

static void nothing_is_something(void **state) {
    (void)state;
    Arena arena = {0};
    assert_non_null(arena_alloc(&arena, 0));
    assert_non_null(arena_zalloc(&arena, 0));
    assert_non_null(arena_copy(&arena, (Span){0}).ptr);
    assert_true(arena_reserve(&arena, 0));
    arena_reset(&arena);
    arena_done(&arena);
    arena_reset(&arena);
    arena_done(&arena);
}

static void zalloc_clears_used_memory(void **state) {
    (void)state;
    Arena arena = {0};
    memset(arena_alloc(&arena, 1000), 0xff, 1000);
    arena_reset(&arena);
    const char *zeroes = arena_zalloc(&arena, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(zeroes[i], 0);
    arena_done(&arena);
}

static void blocks_double_up_to_a_mebibyte(void **state) {
    (void)state;
    Arena arena = {0};
    size_t last = 0, block = 0;
    while (arena.taken < 8 << 20) {
        arena_alloc(&arena, 64);
        if (arena.taken == last)
            continue;
        size_t wanted = last == 0 ? 4 << 10 : block * 2 > 1 << 20 ? 1 << 20 : block * 2;
        block = arena.taken - last;
        assert_int_equal(block, wanted);
        last = arena.taken;
    }
    arena_done(&arena);
}

static void large_pieces_leave_the_current_block(void **state) {
    (void)state;
    Arena arena = {0};
    char *small = arena_alloc(&arena, 8);
    assert_non_null(arena_alloc(&arena, 3 << 20));
    assert_ptr_equal(arena_alloc(&arena, 8), small - 8);
    arena_reset(&arena); /* keeps the largest */
    assert_true(arena.taken >= 3 << 20);
    size_t taken = arena.taken;
    assert_non_null(arena_alloc(&arena, 3 << 20));
    assert_int_equal(arena.taken, taken);
    arena_done(&arena);
}

static void limit_is_exact(void **state) {
    (void)state;
    for (size_t limit = 64; limit < 20000; limit += 997) {
        Arena arena = {.limit = limit};
        size_t count = 0;
        while (arena_alloc(&arena, 8)) {
            count++;
            assert_true(arena.taken <= limit);
        }
        /* All of it could be used but for the headers of the few blocks. */
        assert_true(count * 8 + 5 * 32 >= limit);
        assert_null(arena_alloc(&arena, 8));
        assert_false(arena_reserve(&arena, 8));
        assert_null(arena_copy(&arena, SPAN("12345678")).ptr);
        assert_null(arena_text(&arena, SPAN("12345678")));
        arena_reset(&arena);
        assert_non_null(arena_alloc(&arena, 8));
        arena_done(&arena);
        assert_int_equal(arena.limit, limit);
    }
}

static void limit_holds_for_any_size(void **state) {
    (void)state;
    Arena arena = {.limit = 1 << 20};
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    assert_null(arena_alloc(&arena, 1 << 20));
    assert_false(arena_reserve(&arena, SIZE_MAX));
    assert_int_equal(arena.taken, 0);
    assert_non_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_non_null(arena_alloc(&arena, (1 << 20) - 8192));
    arena_done(&arena);
}

static void writers_fill_downwards(void **state) {
    (void)state;
    Arena arena = {0};
    for (size_t size = 1; size < 3000; size += 7) {
        assert_true(arena_reserve(&arena, size));
        char *at = arena.top;
        for (size_t i = 0; i < size; i++)
            *--at = (char)i;
        arena_take(&arena, at);
        char *piece = arena_alloc(&arena, 16);
        assert_int_equal((uintptr_t)piece % ARENA_ALIGN, 0);
        assert_true(piece + 16 <= at || piece >= at + size);
        memset(piece, 0xff, 16);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(at[i], (char)(size - 1 - i));
    }
    arena_done(&arena);
}

static void copies(void **state) {
    (void)state;
    Arena arena = {0};
    assert_span(arena_copy(&arena, SPAN("bytes")), "bytes");
    assert_string_equal(arena_text(&arena, SPAN("text")), "text");
    assert_string_equal(arena_text(&arena, (Span){0}), "");
    arena_done(&arena);
}

#ifdef ARENA_ASAN
static void memory_not_handed_out_is_poisoned(void **state) {
    (void)state;
    Arena arena = {0};
    char *piece = arena_alloc(&arena, 13);
    assert_false(__asan_address_is_poisoned(piece + 12));
    assert_true(__asan_address_is_poisoned(piece + 13));
    assert_true(__asan_address_is_poisoned(piece - 1));
    assert_true(arena_reserve(&arena, 64));
    assert_false(__asan_address_is_poisoned(arena.top - 64));
    arena_take(&arena, arena.top - 16);
    assert_true(__asan_address_is_poisoned(arena.top - 1));
    arena_reset(&arena);
    assert_true(__asan_address_is_poisoned(piece));
    arena_done(&arena);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_and_apart),
        cmocka_unit_test(nothing_is_something),
        cmocka_unit_test(zalloc_clears_used_memory),
        cmocka_unit_test(blocks_double_up_to_a_mebibyte),
        cmocka_unit_test(large_pieces_leave_the_current_block),
        cmocka_unit_test(limit_is_exact),
        cmocka_unit_test(limit_holds_for_any_size),
        cmocka_unit_test(writers_fill_downwards),
        cmocka_unit_test(copies),
#ifdef ARENA_ASAN
        cmocka_unit_test(memory_not_handed_out_is_poisoned),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
