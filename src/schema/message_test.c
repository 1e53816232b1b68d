#include "base/test.h"

#include <errno.h>
#include <math.h>

#include "schema/codec.h"
#include "schema/random_message.h"
#include "schema/sample.h"

static Arena arena;

static int done(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

static bool equal(const Sample *a, const Sample *b) {
    bool same = schema_equal(&Sample_type, a, b);
    assert_int_equal(schema_equal(&Sample_type, b, a), same);
    return same;
}

static Span encode(const void *message) {
    Span bytes;
    assert_int_equal(schema_encode(&Sample_type, message, 0, &arena, &bytes), 0);
    return bytes;
}

/* ---- new, append ---------------------------------------------------------------------------- */

static void new_messages_have_defaults(void **state) {
    (void)state;
    Sample zero = {0};
    assert_memory_equal(schema_new(&Sample_type, &arena), &zero, sizeof zero);
    assert_int_equal(((Strict *)schema_new(&Strict_type, &arena))->port, 80);
    Arena limited = {.limit = 16};
    assert_null(schema_new(&Sample_type, &limited));
    arena_done(&limited);
}

static void append_grows(void **state) {
    (void)state;
    Sample message = {0};
    for (int i = 0; i < 1000; i++) {
        *schema_append(&message.numbers, &arena) = i;
        Sample *sub = schema_append(&message.subs, &arena);
        assert_int_equal(sub->i32, 0);
        sub->i32 = i;
        *schema_append(&message.words, &arena) = SPAN("w");
    }
    assert_int_equal(message.numbers.count, 1000);
    assert_int_equal(message.subs.count, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(message.numbers.items[i], i);
        assert_int_equal(message.subs.items[i].i32, i);
        assert_span(message.words.items[i], "w");
    }
    Arena limited = {.limit = 16};
    Sample other = {0};
    assert_null(schema_append(&other.subs, &limited));
    assert_int_equal(other.subs.count, 0);
    arena_done(&limited);
}

/* ---- copy ----------------------------------------------------------------------------------- */

static void copies_share_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        RandomMessage random = random_message(seed);
        Arena first = {0};
        void *message = random_message_new(&random, &Sample_type, &first);
        Span bytes = encode(message);
        Sample *copy = schema_copy(&Sample_type, message, &arena);
        assert_true(equal(message, copy));
        arena_done(&first); /* what was shared is gone now, which the sanitizer tells */
        assert_true(span_equal(encode(copy), bytes));
        arena_reset(&arena);
    }
}

/* ---- merge ---------------------------------------------------------------------------------- */

/* The contract: as if decoded one behind the other. */
static void merging_is_decoding_joined_bytes(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        RandomMessage random = random_message(seed);
        random.depth = 2;
        random.most = seed % 16 ? 4 : 30;
        Sample *a = random_message_new(&random, &Sample_type, &arena);
        Sample *b = random_message_new(&random, &Sample_type, &arena);
        Span in_a = encode(a), in_b = encode(b);
        char *joined = arena_alloc(&arena, in_a.len + in_b.len);
        memcpy(joined, in_a.ptr, in_a.len);
        memcpy(joined + in_a.len, in_b.ptr, in_b.len);
        void *wanted;
        assert_int_equal(schema_decode(&Sample_type, span(joined, in_a.len + in_b.len), NULL,
                                       &arena, &wanted, NULL),
                         0);
        schema_merge(&Sample_type, a, b, &arena);
        if (!equal(a, wanted))
            fail_msg("seed %d", (int)seed);
        arena_reset(&arena);
    }
}

static void merge_replaces_joins_and_merges(void **state) {
    (void)state;
    int32_t one[] = {1}, two[] = {2};
    LabelsEntry some[] = {{.key = SPAN("a"), .value = SPAN("1")}, {.key = SPAN("b")}};
    LabelsEntry others[] = {{.key = SPAN("c")}, {.key = SPAN("a"), .value = SPAN("2")}};
    Sample sub_a = {.i32 = 1, .i64 = 1}, sub_b = {.i64 = 2};
    Sample a = {.i32 = 1,
                .u32 = 1,
                .numbers = {one, 1, 1},
                .labels = {some, 2, 2},
                .sub = &sub_a,
                .which_choice = 27,
                .other = &sub_b};
    Sample b = {.i32 = 2,
                .numbers = {two, 1, 1},
                .labels = {others, 2, 2},
                .sub = &sub_b,
                .which_choice = 25,
                .name = SPAN("n")};
    schema_merge(&Sample_type, &a, &b, &arena);
    assert_int_equal(a.i32, 2);
    assert_int_equal(a.u32, 1);
    assert_int_equal(a.numbers.count, 2);
    assert_int_equal(a.numbers.items[1], 2);
    assert_int_equal(a.sub->i32, 1);
    assert_int_equal(a.sub->i64, 2);
    assert_int_equal(a.which_choice, 25);
    assert_span(a.name, "n");
    assert_int_equal(a.labels.count, 3);
    assert_span(a.labels.items[0].value, "2");
    assert_span(a.labels.items[2].key, "c");
    schema_merge(&Sample_type, &a, &((Sample){.which_choice = 27, .other = &sub_a}), &arena);
    assert_int_equal(a.other->i32, 1);
    assert_ptr_not_equal(a.other, &sub_a);
}

/* ---- equal ---------------------------------------------------------------------------------- */

static void every_field_counts(void **state) {
    (void)state;
    const Sample empty = {0};
    int32_t number = 0;
    Span word = {0};
    Sample sub = {0};
    LabelsEntry label = {0};
    SchemaUnknown unknown = {NULL, SPAN("\xa0\x06\x01")};
    const Sample others[] = {
        {.i32 = 1},
        {.u64 = 1},
        {.real = -0.0f},
        {.wide = 1},
        {.flag = true},
        {.text = SPAN("a")},
        {.data = SPAN("\0")},
        {.colour = 1},
        {.sub = &sub},
        {.has_maybe = true},
        {.numbers = {&number, 1, 1}},
        {.words = {&word, 1, 1}},
        {.subs = {&sub, 1, 1}},
        {.labels = {&label, 1, 1}},
        {.which_choice = 25},
        {.which_choice = 26},
        {.which_choice = 27, .other = &sub},
        {.group = &sub},
        {.has_closed = true},
        {.far = 1},
        {.unknown = &unknown},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_true(equal(&others[i], &others[i]));
        if (equal(&empty, &others[i]))
            fail_msg("%zu", i);
    }
}

static void what_is_not_set_does_not_count(void **state) {
    (void)state;
    assert_true(equal(&(Sample){.maybe = 1}, &(Sample){.maybe = 2}));
    assert_true(equal(&(Sample){.id = 1}, &(Sample){.id = 2}));
    assert_true(equal(&(Sample){.which_choice = 27, .other = NULL},
                      &(Sample){.which_choice = 27, .other = &(Sample){0}}));
    assert_false(equal(&(Sample){.which_choice = 27, .other = NULL},
                       &(Sample){.which_choice = 27, .other = &(Sample){.i32 = 1}}));
}

static void floats_compare_by_their_bits_but_for_nan(void **state) {
    (void)state;
    float other_nan;
    memcpy(&other_nan, &(uint32_t){0xffc00001}, 4);
    assert_true(equal(&(Sample){.real = NAN}, &(Sample){.real = other_nan}));
    assert_true(equal(&(Sample){.wide = NAN}, &(Sample){.wide = -NAN}));
    assert_false(equal(&(Sample){.wide = NAN}, &(Sample){.wide = 1}));
    assert_false(equal(&(Sample){.wide = 0.0}, &(Sample){.wide = -0.0}));
}

static void maps_compare_without_order(void **state) {
    (void)state;
    for (int count = 1; count < 200; count = count * 2 + 1) {
        Sample a = {0}, b = {0};
        for (int i = 0; i < count; i++) {
            *schema_append(&a.by_id, &arena) = (ByIdEntry){.key = i, .value = NULL};
            *schema_append(&b.by_id, &arena) =
                (ByIdEntry){.key = count - 1 - i, .value = schema_new(&Sample_type, &arena)};
        }
        assert_true(equal(&a, &b));
        b.by_id.items[0].value->i32 = 1;
        assert_false(equal(&a, &b));
        b.by_id.items[0].value->i32 = 0;
        b.by_id.items[0].key = count;
        assert_false(equal(&a, &b));
    }
}

static void unknown_bytes_compare_however_cut(void **state) {
    (void)state;
    SchemaUnknown whole = {NULL, SPAN("\xa0\x06\x01\xa8\x06\x02")};
    SchemaUnknown c = {NULL, SPAN("\x02")}, b = {&c, SPAN("\xa8\x06")};
    SchemaUnknown a = {&b, SPAN("\xa0\x06\x01")};
    assert_true(equal(&(Sample){.unknown = &whole}, &(Sample){.unknown = &a}));
    c.bytes = SPAN("\x03");
    assert_false(equal(&(Sample){.unknown = &whole}, &(Sample){.unknown = &a}));
    b.next = NULL;
    assert_false(equal(&(Sample){.unknown = &whole}, &(Sample){.unknown = &a}));
}

/* ---- required ------------------------------------------------------------------------------- */

static void required_fields_are_found_missing(void **state) {
    (void)state;
    SchemaError error;
    Strict whole = {.has_id = true}, stricts[] = {whole, {0}};
    StrictEntry entry = {.key = SPAN("eu"), .value = &stricts[1]};
    Sample inner = {.strict_by_name = {&entry, 1, 1}};
    ByIdEntry by_id = {.key = -7, .value = &inner};
    assert_int_equal(schema_check_required(&Sample_type, &(Sample){0}, &error), 0);
    assert_int_equal(schema_check_required(&Sample_type, &(Sample){.strict = &whole}, &error), 0);
    assert_int_equal(
        schema_check_required(&Sample_type, &((Sample){.stricts = {stricts, 2, 2}}), &error),
        -EBADMSG);
    assert_string_equal(error.path, "stricts[1].id");
    assert_string_equal(error.reason, "required field is not set");
    assert_int_equal(
        schema_check_required(&Sample_type, &((Sample){.by_id = {&by_id, 1, 1}}), &error),
        -EBADMSG);
    assert_string_equal(error.path, "by_id[\"-7\"].strict_by_name[\"eu\"].id");
    Sample in_oneof = {.which_choice = 27, .other = &inner};
    assert_int_equal(schema_check_required(&Sample_type, &in_oneof, NULL), -EBADMSG);
}

#define TEST(name) cmocka_unit_test_teardown(name, done)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(new_messages_have_defaults),
        TEST(append_grows),
        TEST(copies_share_nothing),
        TEST(merging_is_decoding_joined_bytes),
        TEST(merge_replaces_joins_and_merges),
        TEST(every_field_counts),
        TEST(what_is_not_set_does_not_count),
        TEST(floats_compare_by_their_bits_but_for_nan),
        TEST(maps_compare_without_order),
        TEST(unknown_bytes_compare_however_cut),
        TEST(required_fields_are_found_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
