#include "base/map.h"

#include "base/test.h"

typedef struct Item {
    uint32_t number; /* the key: its four bytes */
    uint32_t version;
} Item;

static Span key_of(const void *item) {
    return span(&((const Item *)item)->number, sizeof(uint32_t));
}

static Span key(const uint32_t *number) {
    return span(number, sizeof *number);
}

static void empty(void **state) {
    (void)state;
    Map map;
    map_init(&map, key_of, 0);
    uint32_t number = 1;
    size_t at = 0;
    assert_null(map_get(&map, key(&number)));
    assert_null(map_remove(&map, key(&number)));
    assert_null(map_next(&map, &at));
    map_done(&map);
    map_done(&map);
}

static void put_replaces(void **state) {
    (void)state;
    Map map;
    map_init(&map, key_of, 0);
    Item first = {7, 1}, second = {7, 2};
    assert_null(map_put(&map, &first));
    assert_ptr_equal(map_put(&map, &second), &first);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(map_get(&map, key(&first.number)), &second);
    assert_ptr_equal(map_remove(&map, key(&first.number)), &second);
    assert_int_equal(map.count, 0);
    assert_null(map_get(&map, key(&first.number)));
    map_done(&map);
}

/* Random changes, checked against an array that has a place for each possible key. */
static void agrees_with_an_array(void **state) {
    (void)state;
    TestRandom random = test_random();
    enum { KEYS = 3000, STEPS = 300000 };
    static Item items[KEYS][2];
    static Item *model[KEYS];
    size_t count = 0;
    Map map;
    map_init(&map, key_of, test_random_bits(&random));
    for (uint32_t i = 0; i < KEYS; i++)
        items[i][0] = items[i][1] = (Item){i, 0};
    for (int step = 0; step < STEPS; step++) {
        /* The number of keys in use swings, so that the map grows and thins out by turns. */
        uint32_t number = (uint32_t)test_random_below(&random, step / 20000 % 2 ? KEYS : 50);
        switch (test_random_below(&random, 5)) {
        case 0:
        case 1: {
            Item *item = &items[number][test_random_below(&random, 2)];
            assert_ptr_equal(map_put(&map, item), model[number]);
            count += model[number] == NULL;
            model[number] = item;
            break;
        }
        case 2:
        case 3:
            assert_ptr_equal(map_remove(&map, key(&number)), model[number]);
            count -= model[number] != NULL;
            model[number] = NULL;
            break;
        default:
            assert_ptr_equal(map_get(&map, key(&number)), model[number]);
        }
        assert_int_equal(map.count, count);
        if (test_random_below(&random, 2000) == 0) {
            size_t at = 0, visited = 0;
            for (Item *item; (item = map_next(&map, &at)); visited++)
                assert_ptr_equal(model[item->number], item);
            assert_int_equal(visited, count);
        }
    }
    for (uint32_t i = 0; i < KEYS; i++)
        assert_ptr_equal(map_get(&map, key(&i)), model[i]);
    map_done(&map);
}

static void a_million_entries(void **state) {
    (void)state;
    enum { COUNT = 1000000 };
    Item *items = calloc(COUNT, sizeof *items);
    Map map;
    map_init(&map, key_of, 99);
    for (uint32_t i = 0; i < COUNT; i++) {
        items[i].number = i * 2;
        assert_null(map_put(&map, &items[i]));
    }
    assert_true((map.mask + 1) * 9 <= (size_t)COUNT * 20);
    for (uint32_t i = 0; i < COUNT * 2; i++)
        assert_ptr_equal(map_get(&map, key(&i)), i % 2 ? NULL : &items[i / 2]);
    map_done(&map);
    free(items);
}

static void churn_does_not_grow_it(void **state) {
    (void)state;
    enum { LIVE = 1000, STEPS = 200000 };
    static Item items[LIVE];
    Map map;
    map_init(&map, key_of, 3);
    for (uint32_t i = 0; i < STEPS; i++) {
        Item *item = &items[i % LIVE];
        if (i >= LIVE)
            assert_ptr_equal(map_remove(&map, key_of(item)), item);
        item->number = i;
        assert_null(map_put(&map, item));
    }
    assert_int_equal(map.count, LIVE);
    assert_true(map.mask + 1 <= 4096);
    map_done(&map);
}

static void coming_and_going_rebuilds_nothing(void **state) {
    (void)state;
    Map map;
    map_init(&map, key_of, 3);
    map_reserve(&map, 1);
    void **slots = map.slots;
    Item *item = calloc(1, sizeof *item);
    for (; item->number < 1000; item->number++) {
        size_t before = map.free;
        map_put(&map, item);
        map_remove(&map, key_of(item));
        assert_int_equal(map.free, before);
    }
    assert_ptr_equal(map.slots, slots);
    free(item);
    map_done(&map);
}

static void reserved_room_is_enough(void **state) {
    (void)state;
    static Item items[5000];
    for (size_t count = 1; count <= 5000; count += count / 3 + 1) {
        Map map;
        map_init(&map, key_of, 3);
        map_reserve(&map, count);
        void **slots = map.slots;
        for (uint32_t i = 0; i < count; i++) {
            items[i].number = i;
            map_put(&map, &items[i]);
        }
        assert_ptr_equal(map.slots, slots);
        map_reserve(&map, 1);
        assert_ptr_equal(map.slots, slots);
        map_done(&map);
    }
}

static void all_may_be_removed_while_walking(void **state) {
    (void)state;
    static Item items[1000];
    Map map;
    map_init(&map, key_of, 3);
    for (uint32_t i = 0; i < 1000; i++) {
        items[i].number = i;
        map_put(&map, &items[i]);
    }
    size_t at = 0, visited = 0;
    for (Item *item; (item = map_next(&map, &at)); visited++)
        assert_ptr_equal(map_remove(&map, key_of(item)), item);
    assert_int_equal(visited, 1000);
    assert_int_equal(map.count, 0);
    map_done(&map);
}

/* The items stand at other addresses and in another order in memory; the walk is the same. */
static void order_depends_on_seed_and_keys_alone(void **state) {
    (void)state;
    enum { COUNT = 500 };
    static Item forwards[COUNT], backwards[COUNT];
    Map one, two, other;
    map_init(&one, key_of, 1);
    map_init(&two, key_of, 1);
    map_init(&other, key_of, 2);
    for (uint32_t i = 0; i < COUNT; i++) {
        forwards[i].number = backwards[COUNT - 1 - i].number = i;
        map_put(&one, &forwards[i]);
        map_put(&two, &backwards[COUNT - 1 - i]);
        map_put(&other, &forwards[i]);
    }
    size_t at_one = 0, at_two = 0, at_other = 0, differing = 0;
    for (int i = 0; i < COUNT; i++) {
        uint32_t number = ((Item *)map_next(&one, &at_one))->number;
        assert_int_equal(((Item *)map_next(&two, &at_two))->number, number);
        differing += ((Item *)map_next(&other, &at_other))->number != number;
    }
    assert_true(differing > COUNT / 2);
    map_done(&one);
    map_done(&two);
    map_done(&other);
}

typedef struct Named {
    Span name;
} Named;

static Span name_of(const void *item) {
    return ((const Named *)item)->name;
}

static void keys_of_any_length(void **state) {
    (void)state;
    static char bytes[300];
    static Named items[300];
    Map map;
    map_init(&map, name_of, 0);
    for (size_t i = 0; i < 300; i++) {
        items[i].name = span(bytes, i);
        assert_null(map_put(&map, &items[i]));
    }
    for (size_t i = 0; i < 300; i++)
        assert_ptr_equal(map_get(&map, span(bytes, i)), &items[i]);
    assert_ptr_equal(map_get(&map, (Span){0}), &items[0]);
    map_done(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),
        cmocka_unit_test(put_replaces),
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(a_million_entries),
        cmocka_unit_test(churn_does_not_grow_it),
        cmocka_unit_test(coming_and_going_rebuilds_nothing),
        cmocka_unit_test(reserved_room_is_enough),
        cmocka_unit_test(all_may_be_removed_while_walking),
        cmocka_unit_test(order_depends_on_seed_and_keys_alone),
        cmocka_unit_test(keys_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
