#include "base/test.h"

#include <errno.h>
#include <stdlib.h>

#include "schema/codec.h"
#include "schema/random_message.h"
#include "schema/sample.h"
#include "schema/wire.h"

static Arena arena;

static int done(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

/* Encodes in all three ways, which must agree. */
static Span encode(const Sample *message) {
    Span bytes;
    assert_int_equal(schema_encode(&Sample_type, message, 0, &arena, &bytes), 0);
    assert_int_equal(schema_size(&Sample_type, message), bytes.len);
    char *room = malloc(bytes.len + 1);
    assert_int_equal(schema_encode_into(&Sample_type, message, room, room + bytes.len), bytes.len);
    assert_memory_equal(room, bytes.ptr, bytes.len);
    if (bytes.len)
        assert_int_equal(schema_encode_into(&Sample_type, message, room, room + bytes.len - 1),
                         -ENOSPC);
    free(room);
    return bytes;
}

#define assert_encoded(message, literal) assert_true(span_equal(encode(message), SPAN(literal)))

static void the_empty_message_is_nothing(void **state) {
    (void)state;
    assert_encoded(&(Sample){0}, "");
}

static void every_singular_kind(void **state) {
    (void)state;
    Sample sub = {.i32 = 5};
    Sample message = {
        .i32 = -1,
        .i64 = 150,
        .u32 = UINT32_MAX,
        .u64 = UINT64_MAX,
        .s32 = -2,
        .s64 = INT64_MIN,
        .f32 = 0x04030201,
        .f64 = 0x0807060504030201,
        .sf32 = -1,
        .sf64 = -2,
        .real = 1.5f,
        .wide = -0.0,
        .flag = true,
        .text = SPAN("abc"),
        .data = SPAN("\x00\xff"),
        .colour = BLUE,
        .sub = &sub,
        .has_maybe = true,
        .far = 7,
        .farthest = 9,
    };
    assert_encoded(&message, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                             "\x10\x96\x01"
                             "\x18\xff\xff\xff\xff\x0f"
                             "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                             "\x28\x03"
                             "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                             "\x3d\x01\x02\x03\x04"
                             "\x41\x01\x02\x03\x04\x05\x06\x07\x08"
                             "\x4d\xff\xff\xff\xff"
                             "\x51\xfe\xff\xff\xff\xff\xff\xff\xff"
                             "\x5d\x00\x00\xc0\x3f"
                             "\x61\x00\x00\x00\x00\x00\x00\x00\x80"
                             "\x68\x01"
                             "\x72\x03"
                             "abc"
                             "\x7a\x02\x00\xff"
                             "\x80\x01\x02"
                             "\x8a\x01\x02\x08\x05"
                             "\x90\x01\x00"
                             "\xc0\x3e\x07"
                             "\xf8\xff\xff\xff\x0f\x09");
}

static void varints_of_all_lengths(void **state) {
    (void)state;
    for (unsigned bits = 1; bits <= 64; bits++) {
        uint64_t value = (UINT64_MAX >> (64 - bits)) & 0xf0f1f2f3f4f5f6f7;
        char wanted[16] = {0x20};
        size_t len = 1 + wire_put_varint(wanted + 1, value);
        assert_true(span_equal(encode(&(Sample){.u64 = value}), span(wanted, len)));
    }
}

static void lists(void **state) {
    (void)state;
    int32_t numbers[] = {1, 300, -1};
    Span words[] = {SPAN("a"), SPAN("")};
    Sample subs[] = {{.i32 = 1}, {0}};
    uint64_t stamps[] = {1, 2};
    int64_t loose[] = {-1, 1};
    int32_t closeds[] = {BLUE, RED};
    Sample message = {
        .numbers = {numbers, 3, 3},
        .words = {words, 2, 2},
        .subs = {subs, 2, 2},
        .stamps = {stamps, 2, 2},
        .groups = {subs, 2, 2},
        .closeds = {closeds, 2, 2},
        .loose = {loose, 2, 2},
    };
    assert_encoded(&message, "\x9a\x01\x0d\x01\xac\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                             "\xa2\x01\x01"
                             "a\xa2\x01\x00"
                             "\xaa\x01\x02\x08\x01\xaa\x01\x00"
                             "\xb2\x01\x10\x01\x00\x00\x00\x00\x00\x00\x00"
                             "\x02\x00\x00\x00\x00\x00\x00\x00"
                             "\xeb\x01\x08\x01\xec\x01\xeb\x01\xec\x01"
                             "\xfa\x01\x02\x02\x00"
                             "\xa0\x02\x01\xa0\x02\x02");
}

static void maps_write_keys_and_values_always(void **state) {
    (void)state;
    LabelsEntry labels[] = {{.key = SPAN("b"), .value = SPAN("2")}, {0}};
    ByIdEntry by_id[] = {{.key = -1, .value = NULL}};
    Sample message = {.labels = {labels, 2, 2}, .by_id = {by_id, 1, 1}};
    assert_encoded(&message, "\xba\x01\x06\x0a\x01"
                             "b\x12\x01"
                             "2\xba\x01\x04\x0a\x00\x12\x00"
                             "\xc2\x01\x04\x08\x01\x12\x00");
}

static void presence_is_written(void **state) {
    (void)state;
    assert_encoded(&((Sample){.which_choice = 25}), "\xca\x01\x00");
    assert_encoded(&((Sample){.which_choice = 26}), "\xd0\x01\x00");
    assert_encoded(&((Sample){.which_choice = 27}), "\xda\x01\x00");
    assert_encoded(&((Sample){.id = 5}), "");
    assert_encoded(&((Sample){.maybe = 5}), "");
    assert_encoded(&((Sample){.has_maybe = true, .maybe = 5}), "\x90\x01\x05");
    assert_encoded(&((Sample){.has_raw = true}), "\x8a\x02\x00");
    assert_encoded(&((Sample){.group = &(Sample){0}}), "\xe3\x01\xe4\x01");
    assert_encoded(&((Sample){.strict = &(Strict){.port = 80}}), "\x92\x02\x00");
}

static void unknown_fields_come_last(void **state) {
    (void)state;
    SchemaUnknown second = {NULL, SPAN("\xa8\x06\x02")}, first = {&second, SPAN("\xa0\x06\x01")};
    assert_encoded((&(Sample){.unknown = &first, .farthest = 1}),
                   "\xf8\xff\xff\xff\x0f\x01\xa0\x06\x01\xa8\x06\x02");
}

static void headroom_belongs_to_the_caller(void **state) {
    (void)state;
    Sample message = {.text = SPAN("hello")};
    for (size_t headroom = 0; headroom < 9000; headroom = headroom * 2 + 5) {
        Span bytes;
        assert_int_equal(schema_encode(&Sample_type, &message, headroom, &arena, &bytes), 0);
        char *before = (char *)bytes.ptr - headroom;
        memset(before, 'x', headroom);
        char *next = arena_alloc(&arena, 64);
        memset(next, 'y', 64);
        assert_true(span_equal(bytes, SPAN("\x72\x05hello")));
        for (size_t i = 0; i < headroom; i++)
            assert_int_equal(before[i], 'x');
    }
}

/* Sizes around those of the arena's blocks, from an arena in whatever state. */
static void large_messages_move_on_to_larger_blocks(void **state) {
    (void)state;
    static char text[300000];
    memset(text, 'z', sizeof text);
    for (size_t len = 1; len < sizeof text; len = len * 3 / 2 + 1) {
        Span words[] = {span(text, len), span(text, len / 2), span(text, 3)};
        Sample sub = {.words = {words, 3, 3}, .i32 = 1};
        Sample message = {.sub = &sub, .words = {words, 3, 3}, .far = 4};
        Span bytes = encode(&message);
        void *back;
        assert_int_equal(schema_decode(&Sample_type, bytes, NULL, &arena, &back, NULL), 0);
        assert_true(schema_equal(&Sample_type, &message, back));
    }
}

static void the_arenas_limit_holds(void **state) {
    (void)state;
    char text[20000] = {0};
    Arena limited = {.limit = 10000};
    Span bytes = SPAN("untouched");
    assert_int_equal(schema_encode(&Sample_type, &(Sample){.data = span(text, sizeof text)}, 0,
                                   &limited, &bytes),
                     -ENOMEM);
    assert_span(bytes, "untouched");
    assert_int_equal(schema_encode(&Sample_type, &(Sample){.i32 = 1}, 0, &limited, &bytes), 0);
    assert_true(span_equal(bytes, SPAN("\x08\x01")));
    arena_done(&limited);
}

/* What is too long is seen before it is read: there is not so much behind the pointer. */
static void a_message_over_2_gib_is_refused(void **state) {
    (void)state;
    char byte = 0, room[100];
    Span bytes;
    Sample huge = {.data = span(&byte, (size_t)INT32_MAX + 1)};
    assert_int_equal(schema_encode(&Sample_type, &huge, 0, &arena, &bytes), -EMSGSIZE);
    assert_int_equal(schema_encode_into(&Sample_type, &huge, room, room + sizeof room), -ENOSPC);
}

static void random_messages_come_back(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        RandomMessage random = random_message(seed);
        random.depth = seed % 4;
        random.most = seed % 16 ? 4 : 40;
        Sample *message = random_message_new(&random, &Sample_type, &arena);
        Span bytes = encode(message);
        void *back;
        SchemaError error;
        if (schema_decode(&Sample_type, bytes, NULL, &arena, &back, &error) != 0)
            fail_msg("seed %d: %s: %s", (int)seed, error.path, error.reason);
        if (!schema_equal(&Sample_type, message, back))
            fail_msg("seed %d: not equal", (int)seed);
        Span again;
        assert_int_equal(schema_encode(&Sample_type, back, 0, &arena, &again), 0);
        if (!span_equal(bytes, again))
            fail_msg("seed %d: other bytes", (int)seed);
        arena_reset(&arena);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, done)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_empty_message_is_nothing),
        TEST(every_singular_kind),
        TEST(varints_of_all_lengths),
        TEST(lists),
        TEST(maps_write_keys_and_values_always),
        TEST(presence_is_written),
        TEST(unknown_fields_come_last),
        TEST(headroom_belongs_to_the_caller),
        TEST(large_messages_move_on_to_larger_blocks),
        TEST(the_arenas_limit_holds),
        TEST(a_message_over_2_gib_is_refused),
        TEST(random_messages_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
