#include "base/list.h"

#include "base/test.h"

typedef struct Item {
    int number;
    Link link;
} Item;

#define ITEM(at) CONTAINER(at, Item, link)

static void both_ends(void **state) {
    (void)state;
    Link list;
    list_init(&list);
    assert_true(list_empty(&list));
    assert_null(list_pop_front(&list));
    Item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    list_push_back(&list, &items[1].link);
    list_push_back(&list, &items[2].link);
    list_push_front(&list, &items[0].link);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ITEM(list_pop_front(&list))->number, i);
    assert_true(list_empty(&list));
}

static void removing_twice_is_harmless(void **state) {
    (void)state;
    Link list;
    list_init(&list);
    Item items[2];
    list_push_back(&list, &items[0].link);
    list_push_back(&list, &items[1].link);
    list_remove(&items[0].link);
    list_remove(&items[0].link);
    assert_ptr_equal(list.next, &items[1].link);
    assert_ptr_equal(list.prev, &items[1].link);
}

static void current_may_be_removed_while_walking(void **state) {
    (void)state;
    Link list;
    list_init(&list);
    Item items[10];
    for (int i = 0; i < 10; i++) {
        items[i].number = i;
        list_push_back(&list, &items[i].link);
    }
    int visited = 0;
    LIST_EACH (&list, link) {
        assert_int_equal(ITEM(link)->number, visited++);
        if (ITEM(link)->number % 2)
            list_remove(link);
    }
    assert_int_equal(visited, 10);
    int left = 0;
    LIST_EACH (&list, link) {
        assert_int_equal(ITEM(link)->number, left);
        left += 2;
    }
    assert_int_equal(left, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends),
        cmocka_unit_test(removing_twice_is_harmless),
        cmocka_unit_test(current_may_be_removed_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
