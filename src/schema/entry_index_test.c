#include "base/test.h"

#include "schema/codec.h"
#include "schema/entry_index.h"
#include "schema/sample.h"

static const SchemaMessage *entry_type(const char *name) {
    return schema_field_by_name(&Sample_type, span_of(name))->message;
}

/* Maps on either side of ENTRY_INDEX_LINEAR. */
static void each_entry_is_found_by_its_key(void **state) {
    const SchemaMessage *type = entry_type("by_id");
    for (int count = 0; count < 2000; count = count * 2 + 3) {
        Arena arena = {0};
        Sample sample = {0};
        EntryIndex index;
        for (int i = 0; i < count; i++)
            schema_append(&sample.by_id, &arena)->key = i * 7 - 300;
        const SchemaArray *map = (const SchemaArray *)&sample.by_id;
        assert_true(entry_index_init(&index, type, map, (size_t)count, &arena));
        for (int i = 0; i < count; i++)
            assert_int_equal(entry_index_find(&index, type, map, &sample.by_id.items[i]), i);
        ByIdEntry other = {.key = -299};
        assert_int_equal(entry_index_find(&index, type, map, &other), ENTRY_NONE);
        arena_done(&arena);
    }
}

static void text_keys_compare_by_content(void **state) {
    const SchemaMessage *type = entry_type("labels");
    LabelsEntry items[] = {{.key = SPAN("a")}, {.key = SPAN("")}, {.key = SPAN("ab")}};
    char text[] = "ab";
    LabelsEntry same = {.key = span_of(text)}, empty = {0}, none = {.key = SPAN("b")};
    const SchemaArray map = {items, 3, 3};
    const EntryIndex linear = {0};
    assert_int_equal(entry_index_find(&linear, type, &map, &same), 2);
    assert_int_equal(entry_index_find(&linear, type, &map, &empty), 1);
    assert_int_equal(entry_index_find(&linear, type, &map, &none), ENTRY_NONE);
}

static void entries_may_be_added_up_to_the_capacity(void **state) {
    const SchemaMessage *type = entry_type("by_id");
    Arena arena = {0};
    EntryIndex index;
    static ByIdEntry items[500];
    SchemaArray map = {items, 0, 500};
    assert_true(entry_index_init(&index, type, &map, 500, &arena));
    for (uint32_t i = 0; i < 500; i++) {
        items[i].key = (int32_t)(i * i);
        assert_int_equal(entry_index_find(&index, type, &map, &items[i]), ENTRY_NONE);
        map.count++;
        entry_index_add(&index, type, &map, i);
    }
    for (uint32_t i = 0; i < 500; i++)
        assert_int_equal(entry_index_find(&index, type, &map, &items[i]), i);
    arena_done(&arena);
}

static void the_arenas_limit_holds(void **state) {
    Arena limited = {.limit = 64};
    EntryIndex index;
    const SchemaArray map = {0};
    assert_false(entry_index_init(&index, entry_type("by_id"), &map, 1000, &limited));
    assert_true(entry_index_init(&index, entry_type("by_id"), &map, ENTRY_INDEX_LINEAR, &limited));
    arena_done(&limited);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_entry_is_found_by_its_key),
        cmocka_unit_test(text_keys_compare_by_content),
        cmocka_unit_test(entries_may_be_added_up_to_the_capacity),
        cmocka_unit_test(the_arenas_limit_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
