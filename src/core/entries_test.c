#include "core/entries.h"

#include <errno.h>

#include "base/test.h"

static int add_two(void *owner, EntryList *list, Buf *reason) {
    (void)owner;
    (void)reason;
    *array_push(list) = (Entry){SPAN("service"), SPAN("web"), NULL};
    *array_push(list) = (Entry){SPAN("service"), SPAN("cron"), NULL};
    return 0;
}

static int drop_cron(void *owner, EntryList *list, Buf *reason) {
    (void)owner;
    (void)reason;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!span_equal(list->items[i].name, SPAN("cron")))
            list->items[kept++] = list->items[i];
    list->count = kept;
    return 0;
}

static int note(void *owner, EntryList *list, Buf *reason) {
    (void)reason;
    Buf *seen = owner;
    for (size_t i = 0; i < list->count; i++)
        buf_printf(seen, "%.*s ", SPAN_ARGS(list->items[i].name));
    buf_add_literal(seen, "| ");
    return 0;
}

static int refuse(void *owner, EntryList *list, Buf *reason) {
    (void)owner;
    buf_printf(reason, "web requires 'db', one of %zu", list->count);
    return -EINVAL;
}

static void stages_run_in_their_order(void **state) {
    (void)state;
    Entries *entries = entries_new();
    Buf seen = {0}, reason = {0};
    entries_add(entries, ENTRIES_ACTIVATE, "owner", note, &seen);
    entries_add(entries, ENTRIES_DISABLE, "early", note, &seen);
    entries_add(entries, ENTRIES_DISABLE, "configuration", drop_cron, NULL);
    entries_add(entries, ENTRIES_COLLECT, "configuration", add_two, NULL);
    assert_int_equal(entries_run(entries, &reason), 0);
    assert_span(buf_span(&seen), "web cron | web | ");
    assert_int_equal(reason.len, 0);
    entries_free(entries);
    buf_done(&seen);
}

static void a_failure_names_stage_and_worker(void **state) {
    (void)state;
    Entries *entries = entries_new();
    Buf seen = {0}, reason = {0};
    entries_add(entries, ENTRIES_COLLECT, "configuration", add_two, NULL);
    entries_add(entries, ENTRIES_LINK, "linker", refuse, NULL);
    entries_add(entries, ENTRIES_ACTIVATE, "owner", note, &seen);
    assert_int_equal(entries_run(entries, &reason), -EINVAL);
    assert_span(buf_span(&reason), "link of entries by linker: web requires 'db', one of 2");
    assert_int_equal(seen.len, 0);
    entries_free(entries);
    buf_done(&reason);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_run_in_their_order),
        cmocka_unit_test(a_failure_names_stage_and_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
