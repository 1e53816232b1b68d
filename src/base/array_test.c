#include "base/array.h"

#include "base/test.h"

static void elements_keep_their_values(void **state) {
    (void)state;
    ARRAY(uint64_t) numbers = {0};
    for (uint64_t i = 0; i < 100000; i++)
        *array_push(&numbers) = i * i;
    assert_int_equal(numbers.count, 100000);
    for (uint64_t i = 0; i < numbers.count; i++)
        assert_int_equal(numbers.items[i], i * i);
    array_done(&numbers);
    assert_null(numbers.items);
    assert_int_equal(numbers.capacity, 0);
}

static void elements_of_any_size(void **state) {
    (void)state;
    typedef struct Odd {
        char bytes[13];
    } Odd;
    ARRAY(Odd) odds = {0};
    for (int i = 0; i < 1000; i++)
        memset(array_push(&odds), i & 0xff, sizeof(Odd));
    for (int i = 0; i < 1000; i++)
        for (size_t at = 0; at < sizeof(Odd); at++)
            assert_int_equal((unsigned char)odds.items[i].bytes[at], i & 0xff);
    array_done(&odds);
}

static void the_others_keep_their_order(void **state) {
    (void)state;
    ARRAY(int) numbers = {0};
    array_remove(&numbers, 0, 0);
    for (int i = 0; i < 10; i++)
        *array_push(&numbers) = i;
    array_remove(&numbers, 0, 2);
    array_remove(&numbers, 3, 4);
    array_remove(&numbers, 3, 1);
    array_remove(&numbers, numbers.count, 0);
    assert_int_equal(numbers.count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(numbers.items[i], i + 2);
    array_remove(&numbers, 0, 3);
    assert_int_equal(numbers.count, 0);
    array_done(&numbers);
}

static void grow_makes_room_ahead(void **state) {
    (void)state;
    ARRAY(int) numbers = {0};
    array_grow(&numbers, sizeof(int), 1000);
    assert_true(numbers.capacity >= 1000);
    assert_int_equal(numbers.count, 0);
    const int *items = numbers.items;
    for (int i = 0; i < 1000; i++)
        *array_push(&numbers) = i;
    assert_ptr_equal(numbers.items, items);
    size_t capacity = numbers.capacity;
    array_grow(&numbers, sizeof(int), 0);
    assert_int_equal(numbers.capacity, capacity);
    array_done(&numbers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_keep_their_values),
        cmocka_unit_test(elements_of_any_size),
        cmocka_unit_test(the_others_keep_their_order),
        cmocka_unit_test(grow_makes_room_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
