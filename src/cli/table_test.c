#include "cli/table.h"

#include "base/test.h"

static const char *const TITLES[] = {"A", "B", NULL};

static void draw(bool colour, size_t columns, Buf *out) {
    Table table;
    table_init(&table, (Style){colour}, TITLES);
    table_cell(&table, "", "läng%s", "er");
    table_cell(&table, style((Style){colour}, STYLE_BAD), "%d", 7);
    table_cell(&table, "", "x");
    table_cell(&table, "", "%s", "");
    table_write(&table, columns, out);
    table_done(&table);
}

static void columns_are_as_wide_as_what_stands_in_them(void **state) {
    (void)state;
    Buf out = {0};
    draw(false, 0, &out);
    assert_span(buf_span(&out), "A       B\nlänger  7\nx\n");
    buf_done(&out);
}

static void colours_take_no_room(void **state) {
    (void)state;
    Buf out = {0};
    draw(true, 0, &out);
    assert_span(buf_span(&out), "\033[2mA\033[0m       \033[2mB\033[0m\n"
                                "länger  \033[31m7\033[0m\nx\n");
    buf_done(&out);
}

static void lines_are_cut(void **state) {
    (void)state;
    Buf out = {0};
    draw(false, 4, &out);
    assert_span(buf_span(&out), "A   \nlä  \nx\n");
    buf_done(&out);
    draw(false, 10, &out); /* no column takes more than half, where that is too little for all */
    assert_span(buf_span(&out), "A      B\nlänge  7\nx\n");
    buf_done(&out);
    draw(true, 4, &out); /* cut text keeps its colours whole */
    assert_span(buf_span(&out), "\033[2mA\033[0m   \033[2m\033[0m\nlä  \033[31m\033[0m\nx\n");
    buf_done(&out);
}

static void nothing_moves_the_cursor(void **state) {
    (void)state;
    Table table;
    Buf out = {0};
    table_init(&table, (Style){false}, TITLES);
    table_cell(&table, "", "a\nb\033[2J");
    table_cell(&table, "", "c");
    table_write(&table, 0, &out);
    assert_span(buf_span(&out), "A        B\na?b?[2J  c\n");
    table_done(&table);
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_what_stands_in_them),
        cmocka_unit_test(colours_take_no_room),
        cmocka_unit_test(lines_are_cut),
        cmocka_unit_test(nothing_moves_the_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
