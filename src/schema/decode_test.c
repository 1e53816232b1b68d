/* What well-formed bytes mean. For malformed ones see decode_bad_test.c. */
#include "base/test.h"

#include <errno.h>
#include <stdlib.h>

#include "schema/codec.h"
#include "schema/sample.h"
#include "schema/wire.h"

static Arena arena;

static Sample *decode_with(Span bytes, const SchemaDecode *options) {
    void *message = NULL;
    SchemaError error;
    int status = schema_decode(&Sample_type, bytes, options, &arena, &message, &error);
    if (status) {
        char text[400];
        schema_error_format(&error, text, sizeof text);
        fail_msg("%s", text);
    }
    return message;
}

static Sample *decode(Span bytes) {
    return decode_with(bytes, NULL);
}

/* The unknown bytes of a message, joined. */
static Span unknown_of(const void *message) {
    size_t len = 0;
    for (const SchemaUnknown *u = *(SchemaUnknown *const *)message; u; u = u->next)
        len += u->bytes.len;
    char *joined = arena_alloc(&arena, len), *at = joined;
    for (const SchemaUnknown *u = *(SchemaUnknown *const *)message; u; u = u->next) {
        memcpy(at, u->bytes.ptr, u->bytes.len);
        at += u->bytes.len;
    }
    return span(joined, len);
}

static int done(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

#define assert_bytes(actual, literal) assert_true(span_equal(actual, SPAN(literal)))

static void nothing_is_the_empty_message(void **state) {
    (void)state;
    Sample zero = {0};
    assert_memory_equal(decode(SPAN("")), &zero, sizeof zero);
    assert_memory_equal(decode((Span){0}), &zero, sizeof zero);
}

static void every_singular_kind(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\x08\x96\x01"
                            "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                            "\x18\xff\xff\xff\xff\x0f"
                            "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                            "\x28\x03\x30\x04"
                            "\x3d\x01\x02\x03\x04"
                            "\x41\x01\x02\x03\x04\x05\x06\x07\x08"
                            "\x4d\xff\xff\xff\xff"
                            "\x51\xfe\xff\xff\xff\xff\xff\xff\xff"
                            "\x5d\x00\x00\xc0\x3f"
                            "\x61\x00\x00\x00\x00\x00\x00\xf8\xbf"
                            "\x68\x01"
                            "\x72\x04gr\xc3\xbc"
                            "\x7a\x02\x00\xff"
                            "\x80\x01\x02"
                            "\x8a\x01\x02\x08\x05"
                            "\x90\x01\x00"
                            "\x8a\x02\x01\xff"
                            "\xc0\x3e\x07"
                            "\xf8\xff\xff\xff\x0f\x09"));
    assert_int_equal(m->i32, 150);
    assert_int_equal(m->i64, -1);
    assert_int_equal(m->u32, UINT32_MAX);
    assert_true(m->u64 == UINT64_MAX);
    assert_int_equal(m->s32, -2);
    assert_int_equal(m->s64, 2);
    assert_int_equal(m->f32, 0x04030201);
    assert_true(m->f64 == 0x0807060504030201);
    assert_int_equal(m->sf32, -1);
    assert_int_equal(m->sf64, -2);
    assert_true(m->real == 1.5f);
    assert_true(m->wide == -1.5);
    assert_true(m->flag);
    assert_span(m->text, "gr\u00fc");
    assert_bytes(m->data, "\x00\xff");
    assert_int_equal(m->colour, BLUE);
    assert_int_equal(m->sub->i32, 5);
    assert_true(m->has_maybe);
    assert_int_equal(m->maybe, 0);
    assert_true(m->has_raw);
    assert_bytes(m->raw, "\xff");
    assert_int_equal(m->far, 7);
    assert_int_equal(m->farthest, 9);
    assert_null(m->unknown);
}

static void varints_are_cut_to_their_type(void **state) {
    (void)state;
    assert_int_equal(decode(SPAN("\x08\xff\xff\xff\xff\x1f"))->i32, -1);
    assert_int_equal(decode(SPAN("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))->i32, -1);
    assert_int_equal(decode(SPAN("\x18\x81\x80\x80\x80\x10"))->u32, 1);
    assert_int_equal(decode(SPAN("\x28\x81\x80\x80\x80\x10"))->s32, -1);
    assert_int_equal(decode(SPAN("\x80\x01\x82\x80\x80\x80\x10"))->colour, BLUE);
    assert_true(decode(SPAN("\x68\x80\x80\x80\x80\x10"))->flag);
    assert_false(decode(SPAN("\x68\x80\x80\x00"))->flag);
}

/* The quick way of reading a varint needs eight bytes: all lengths, with and without them. */
static void varints_of_all_lengths(void **state) {
    (void)state;
    for (size_t behind = 0; behind < 12; behind += 11) {
        for (unsigned bits = 0; bits <= 64; bits++) {
            char bytes[32] = {0x20};
            uint64_t value = (bits ? UINT64_MAX >> (64 - bits) : 0) & 0xf0f1f2f3f4f5f6f7;
            size_t len = 1 + wire_put_varint(bytes + 1, value);
            memset(bytes + len, 0x68, behind + (behind & 1));
            assert_true(decode(span(bytes, len + behind + (behind & 1)))->u64 == value);
        }
    }
}

static void the_last_of_a_singular_field_wins(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\x08\x01\x72\x01"
                            "a\x08\x02\x72\x01"
                            "b"));
    assert_int_equal(m->i32, 2);
    assert_span(m->text, "b");
}

static void messages_that_come_twice_merge(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\x8a\x01\x05\x08\x01\xa2\x01\x00"
                            "\x8a\x01\x05\x10\x02\xa2\x01\x00"
                            "\xe3\x01\x08\x01\xe4\x01\xe3\x01\x10\x02\xe4\x01"));
    assert_int_equal(m->sub->i32, 1);
    assert_int_equal(m->sub->i64, 2);
    assert_int_equal(m->sub->words.count, 2);
    assert_int_equal(m->group->i32, 1);
    assert_int_equal(m->group->i64, 2);
}

static void members_of_a_oneof_clear_each_other(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\xca\x01\x01x\xd0\x01\x05"));
    assert_int_equal(m->which_choice, 26);
    assert_int_equal(m->id, 5);
    m = decode(SPAN("\xd0\x01\x05\xca\x01\x00"));
    assert_int_equal(m->which_choice, 25);
    assert_span(m->name, "");
    m = decode(SPAN("\xda\x01\x02\x08\x01\xda\x01\x02\x10\x02"));
    assert_int_equal(m->which_choice, 27);
    assert_int_equal(m->other->i32, 1);
    assert_int_equal(m->other->i64, 2);
    m = decode(SPAN("\xda\x01\x02\x08\x01\xd0\x01\x05\xda\x01\x02\x10\x02"));
    assert_int_equal(m->other->i32, 0);
    assert_int_equal(m->other->i64, 2);
}

static void repeated_numbers_come_packed_or_not(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\x9a\x01\x03\x01\xac\x02\x98\x01\x07\x9a\x01\x00\x9a\x01\x01\x09"));
    assert_int_equal(m->numbers.count, 4);
    assert_int_equal(m->numbers.items[0], 1);
    assert_int_equal(m->numbers.items[1], 300);
    assert_int_equal(m->numbers.items[2], 7);
    assert_int_equal(m->numbers.items[3], 9);
    m = decode(SPAN("\xa0\x02\x01\xa2\x02\x02\x02\x03\xa0\x02\x04"));
    assert_int_equal(m->loose.count, 4);
    assert_int_equal(m->loose.items[0], -1);
    assert_int_equal(m->loose.items[2], -2);
    assert_int_equal(m->loose.items[3], 2);
    m = decode(SPAN("\xb2\x01\x08\x01\x00\x00\x00\x00\x00\x00\x00"
                    "\xb1\x01\x02\x00\x00\x00\x00\x00\x00\x00"));
    assert_int_equal(m->stamps.count, 2);
    assert_int_equal(m->stamps.items[0], 1);
    assert_int_equal(m->stamps.items[1], 2);
}

static void lists_take_no_more_than_they_need(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\xa2\x01\x01"
                            "a\xa2\x01\x01"
                            "b\xa2\x01\x01"
                            "c\xaa\x01\x00\xaa\x01\x02\x08\x01\x9a\x01\x02\x05\x06"));
    assert_int_equal(m->words.count, 3);
    assert_int_equal(m->words.capacity, 3);
    assert_span(m->words.items[2], "c");
    assert_int_equal(m->subs.count, 2);
    assert_int_equal(m->subs.capacity, 2);
    assert_int_equal(m->subs.items[0].i32, 0);
    assert_int_equal(m->subs.items[1].i32, 1);
    assert_int_equal(m->numbers.capacity, 2);
}

static void interleaved_lists_double(void **state) {
    (void)state;
    char bytes[1000 * 8], *at = bytes;
    for (int i = 0; i < 1000; i++) {
        at = (char *)memcpy(at, "\xaa\x01\x02\x08", 4) + 4;
        *at++ = (char)(i % 100);
        at = (char *)memcpy(at, "\xa2\x01\x00", 3) + 3;
    }
    Sample *m = decode(span(bytes, sizeof bytes));
    assert_int_equal(m->subs.count, 1000);
    assert_int_equal(m->words.count, 1000);
    assert_int_equal(m->subs.capacity, 1024);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(m->subs.items[i].i32, i % 100);
}

static void groups_are_messages(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\xe3\x01\x08\x05\xe3\x01\x08\x06\xe4\x01\xe4\x01"
                            "\xeb\x01\xec\x01\xeb\x01\x08\x07\xec\x01"
                            "\x10\x02"));
    assert_int_equal(m->group->i32, 5);
    assert_int_equal(m->group->group->i32, 6);
    assert_int_equal(m->groups.count, 2);
    assert_int_equal(m->groups.items[1].i32, 7);
    assert_int_equal(m->i64, 2);
}

static void a_new_message_has_its_defaults(void **state) {
    (void)state;
    Sample *m =
        decode(SPAN("\x92\x02\x02\x08\x01\x9a\x02\x02\x08\x02\x9a\x02\x04\x08\x03\x10\x00"));
    assert_int_equal(m->strict->port, 80);
    assert_false(m->strict->has_port);
    assert_int_equal(m->stricts.items[0].port, 80);
    assert_int_equal(m->stricts.items[1].port, 0);
    assert_true(m->stricts.items[1].has_port);
}

static void required_fields_may_be_waived(void **state) {
    (void)state;
    Sample *m = decode_with(SPAN("\x92\x02\x00"), &(SchemaDecode){.allow_partial = true});
    assert_non_null(m->strict);
    assert_false(m->strict->has_id);
}

/* ---- maps ----------------------------------------------------------------------------------- */

static void the_last_entry_of_a_key_wins_in_the_place_of_the_first(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\xba\x01\x06\x0a\x01"
                            "a\x12\x01"
                            "1\xba\x01\x06\x0a\x01"
                            "b\x12\x01"
                            "2\xba\x01\x06\x12\x01"
                            "3\x0a\x01"
                            "a"));
    assert_int_equal(m->labels.count, 2);
    assert_span(m->labels.items[0].key, "a");
    assert_span(m->labels.items[0].value, "3");
    assert_span(m->labels.items[1].key, "b");
    assert_span(m->labels.items[1].value, "2");
}

static void entries_without_key_or_value_have_the_defaults(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\xba\x01\x00\xc2\x01\x02\x08\x03\xc2\x01\x04\x12\x02\x08\x05"));
    assert_int_equal(m->labels.count, 1);
    assert_span(m->labels.items[0].key, "");
    assert_span(m->labels.items[0].value, "");
    assert_int_equal(m->by_id.count, 2);
    assert_int_equal(m->by_id.items[0].key, -2);
    assert_int_equal(m->by_id.items[0].value->i32, 0);
    assert_int_equal(m->by_id.items[1].key, 0);
    assert_int_equal(m->by_id.items[1].value->i32, 5);
}

static void unknown_fields_of_an_entry_are_dropped(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\xba\x01\x08\x0a\x01"
                            "a\x18\x05\x12\x01"
                            "b"));
    assert_span(m->labels.items[0].value, "b");
    assert_null(m->labels.items[0].unknown);
    assert_null(m->unknown);
}

/* `count` entries of by_id, keys counting up from `first` by `step`, inside the field of `tag`. */
static char *put_entries(char *at, int first, int step, int count, int value) {
    for (int i = 0; i < count; i++) {
        char entry[16] = {0x08};
        size_t len = 1 + wire_put_varint(entry + 1, wire_zigzag(first + i * step));
        entry[len++] = 0x12;
        entry[len++] = 2;
        entry[len++] = 0x08;
        entry[len++] = (char)value;
        at = (char *)memcpy(at, "\xc2\x01", 2) + 2;
        *at++ = (char)len;
        at = (char *)memcpy(at, entry, len) + len;
    }
    return at;
}

static void large_maps_keep_keys_distinct(void **state) {
    (void)state;
    static char bytes[64 << 10];
    char *at = put_entries(bytes, 0, 1, 1000, 1);
    at = put_entries(at, 0, 2, 500, 2);
    at = put_entries(at, -5, 1, 1500, 3);
    Sample *m = decode(span(bytes, (size_t)(at - bytes)));
    assert_int_equal(m->by_id.count, 1500);
    for (int i = 0; i < 1500; i++) {
        int key = i < 1000 ? i : i < 1005 ? i - 1005 : i - 5;
        assert_int_equal(m->by_id.items[i].key, key);
        assert_int_equal(m->by_id.items[i].value->i32, 3);
    }
}

/* A map that grows in pieces, because its message comes again and again. */
static void maps_of_merged_messages_keep_keys_distinct(void **state) {
    (void)state;
    static char bytes[64 << 10];
    char *at = bytes;
    for (int i = 0; i < 1000; i++) {
        char entry[32];
        size_t len = (size_t)(put_entries(entry, i % 700, 0, 1, i % 100) - entry);
        at = (char *)memcpy(at, "\x8a\x01", 2) + 2;
        *at++ = (char)len;
        at = (char *)memcpy(at, entry, len) + len;
    }
    Sample *m = decode(span(bytes, (size_t)(at - bytes)));
    assert_int_equal(m->sub->by_id.count, 700);
    for (int i = 0; i < 700; i++) {
        assert_int_equal(m->sub->by_id.items[i].key, i);
        assert_int_equal(m->sub->by_id.items[i].value->i32, (i < 300 ? i + 700 : i) % 100);
    }
}

/* ---- unknown -------------------------------------------------------------------------------- */

static void unknown_fields_are_kept_in_order(void **state) {
    (void)state;
    Span bytes = SPAN("\xa0\x06\x01\xa2\x06\x01x\x08\x05\xa3\x06\x08\x01\xa4\x06");
    Sample *m = decode(bytes);
    assert_int_equal(m->i32, 5);
    assert_bytes(unknown_of(m), "\xa0\x06\x01\xa2\x06\x01x\xa3\x06\x08\x01\xa4\x06");
    assert_non_null(m->unknown->next);
    assert_null(m->unknown->next->next); /* neighbours are one piece */
    assert_ptr_equal(m->unknown->bytes.ptr, bytes.ptr);
    m = decode_with(bytes, &(SchemaDecode){.drop_unknown = true});
    assert_int_equal(m->i32, 5);
    assert_null(m->unknown);
}

static void other_wire_types_are_unknown_fields(void **state) {
    (void)state;
    Span bytes = SPAN("\x0a\x01x\x0d\x01\x02\x03\x04\x70\x05\x88\x01\x01\xa8\x01\x01\xb8\x01"
                      "\x01\xe2\x01\x01x\x99\x01\x01\x02\x03\x04\x05\x06\x07\x08");
    Sample *m = decode(bytes);
    assert_int_equal(m->i32, 0);
    assert_null(m->sub);
    assert_int_equal(m->numbers.count, 0);
    assert_true(span_equal(m->unknown->bytes, bytes));
    assert_null(m->unknown->next);
}

static void unlisted_numbers_of_closed_enums_are_unknown_fields(void **state) {
    (void)state;
    Sample *m = decode(SPAN("\x80\x01\x07\xf0\x01\x07"));
    assert_int_equal(m->colour, 7);
    assert_false(m->has_closed);
    assert_bytes(unknown_of(m), "\xf0\x01\x07");
    m = decode(SPAN("\xf0\x01\x01\xfa\x01\x03\x01\x09\x02\xf8\x01\x08\xf8\x01\x00"));
    assert_int_equal(m->closed, GREEN);
    assert_int_equal(m->closeds.count, 3);
    assert_int_equal(m->closeds.items[0], GREEN);
    assert_int_equal(m->closeds.items[1], BLUE);
    assert_int_equal(m->closeds.items[2], RED);
    assert_bytes(unknown_of(m), "\xf8\x01\x09\xf8\x01\x08");
    m = decode(SPAN("\x82\x02\x04\x08\x01\x10\x09\x82\x02\x04\x08\x02\x10\x01"));
    assert_int_equal(m->colours.count, 1);
    assert_int_equal(m->colours.items[0].key, 2);
    assert_bytes(unknown_of(m), "\x82\x02\x04\x08\x01\x10\x09");
    m = decode_with(SPAN("\x82\x02\x04\x08\x01\x10\x09\xf0\x01\x07\xfa\x01\x01\x09"),
                    &(SchemaDecode){.drop_unknown = true});
    assert_int_equal(m->colours.count, 0);
    assert_null(m->unknown);
}

/* ---- memory --------------------------------------------------------------------------------- */

static void strings_point_into_the_input_or_its_copy(void **state) {
    (void)state;
    char bytes[] = "\x72\x05hello";
    Sample *m = decode(span(bytes, 7));
    assert_ptr_equal(m->text.ptr, bytes + 2);
    m = decode_with(span(bytes, 7), &(SchemaDecode){.copy_input = true});
    bytes[2] = 'j';
    assert_span(m->text, "hello");
}

static void the_arenas_limit_is_as_before(void **state) {
    (void)state;
    Arena limited = {.limit = 100000};
    void *message;
    assert_int_equal(schema_decode(&Sample_type, SPAN("\x08\x01"), &(SchemaDecode){.memory = 90000},
                                   &limited, &message, NULL),
                     0);
    assert_int_equal(limited.limit, 100000);
    assert_int_equal(schema_decode(&Sample_type, SPAN("\x08"), NULL, &limited, &message, NULL),
                     -EBADMSG);
    assert_int_equal(limited.limit, 100000);
    arena_done(&limited);
}

#define TEST(name) cmocka_unit_test_teardown(name, done)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_the_empty_message),
        TEST(every_singular_kind),
        TEST(varints_are_cut_to_their_type),
        TEST(varints_of_all_lengths),
        TEST(the_last_of_a_singular_field_wins),
        TEST(messages_that_come_twice_merge),
        TEST(members_of_a_oneof_clear_each_other),
        TEST(repeated_numbers_come_packed_or_not),
        TEST(lists_take_no_more_than_they_need),
        TEST(interleaved_lists_double),
        TEST(groups_are_messages),
        TEST(a_new_message_has_its_defaults),
        TEST(required_fields_may_be_waived),
        TEST(the_last_entry_of_a_key_wins_in_the_place_of_the_first),
        TEST(entries_without_key_or_value_have_the_defaults),
        TEST(unknown_fields_of_an_entry_are_dropped),
        TEST(large_maps_keep_keys_distinct),
        TEST(maps_of_merged_messages_keep_keys_distinct),
        TEST(unknown_fields_are_kept_in_order),
        TEST(other_wire_types_are_unknown_fields),
        TEST(unlisted_numbers_of_closed_enums_are_unknown_fields),
        TEST(strings_point_into_the_input_or_its_copy),
        TEST(the_arenas_limit_is_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
