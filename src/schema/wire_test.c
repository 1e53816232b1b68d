#include "base/test.h"
#include "schema/wire.h"

static WireFault read(Span bytes, uint64_t *ret) {
    const char *at = bytes.ptr;
    WireFault fault = wire_varint(&at, bytes.ptr + bytes.len, ret);
    assert_ptr_equal(at, fault ? bytes.ptr : bytes.ptr + bytes.len);
    return fault;
}

static void varints_survive_a_round_trip(void **state) {
    (void)state;
    for (unsigned bit = 0; bit <= 64; bit++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = (bit < 64 ? (uint64_t)1 << bit : 0) + (uint64_t)(int64_t)delta, back;
            char bytes[WIRE_VARINT_MAX];
            size_t size = wire_put_varint(bytes, value);
            assert_int_equal(size, wire_varint_size(value));
            assert_int_equal(read(span(bytes, size), &back), WIRE_FINE);
            assert_int_equal(back, value);
            for (size_t cut = 0; cut < size; cut++)
                assert_int_equal(read(span(bytes, cut), &back), WIRE_CUT_SHORT);
        }
    }
}

static void varint_bounds(void **state) {
    (void)state;
    uint64_t value;
    assert_int_equal(read(SPAN("\x80\x80\x00"), &value), WIRE_FINE);
    assert_int_equal(value, 0);
    assert_int_equal(read(SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), &value), WIRE_FINE);
    assert_int_equal(value, UINT64_MAX);
    assert_int_equal(read(SPAN("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), &value),
                     WIRE_LONG_VARINT);
}

static void zigzag(void **state) {
    (void)state;
    assert_int_equal(wire_zigzag(0), 0);
    assert_int_equal(wire_zigzag(-1), 1);
    assert_int_equal(wire_zigzag(1), 2);
    assert_true(wire_zigzag(INT64_MIN) == UINT64_MAX);
    for (int64_t value = -300; value < 300; value++)
        assert_int_equal(wire_unzigzag(wire_zigzag(value)), value);
    assert_true(wire_unzigzag(wire_zigzag(INT64_MIN)) == INT64_MIN);
}

static void tags_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *name;
        Span bytes;
        WireFault fault;
        uint32_t tag;
    } cases[] = {
        {"number 1", SPAN("\x08"), WIRE_FINE, 8},
        {"overlong but within five bytes", SPAN("\x88\x80\x80\x80\x00"), WIRE_FINE, 8},
        {"bits past the 32nd", SPAN("\xfd\xff\xff\xff\x1f"), WIRE_BAD_NUMBER, 0},
        {"highest number, fixed32", SPAN("\xfd\xff\xff\xff\x0f"), WIRE_FINE, 0xfffffffd},
        {"six bytes", SPAN("\x88\x80\x80\x80\x80\x00"), WIRE_LONG_VARINT, 0},
        {"number 0", SPAN("\x02"), WIRE_BAD_NUMBER, 0},
        {"past 2^29", SPAN("\x80\x80\x80\x80\x10"), WIRE_BAD_NUMBER, 0},
        {"wire type 6", SPAN("\x0e"), WIRE_BAD_TYPE, 0},
        {"wire type 7", SPAN("\x0f"), WIRE_BAD_TYPE, 0},
        {"cut short", SPAN("\x88"), WIRE_CUT_SHORT, 0},
        {"empty", SPAN(""), WIRE_CUT_SHORT, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *at = cases[i].bytes.ptr;
        uint32_t tag = 0;
        if (wire_tag(&at, at + cases[i].bytes.len, &tag) != cases[i].fault || tag != cases[i].tag)
            fail_msg("%s", cases[i].name);
    }
}

static void reader_walks_all_wire_types(void **state) {
    (void)state;
    static const char bytes[] = "\x08\x96\x01"                         /* 1: 150 */
                                "\x11\x01\x02\x03\x04\x05\x06\x07\x08" /* 2: fixed64 */
                                "\x1a\x03"                             /* 3: bytes */
                                "abc"
                                "\x23\x08\x05\x24"      /* 4: group { 1: 5 } */
                                "\x2d\x01\x00\x00\x80"; /* 5: fixed32 */
    WireReader reader = wire_reader(span(bytes, sizeof bytes - 1));
    WireField field;
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.number, 1);
    assert_int_equal(field.type, WIRE_VARINT);
    assert_int_equal(field.value, 150);
    assert_span(field.raw, "\x08\x96\x01");
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.number, 2);
    assert_true(field.value == 0x0807060504030201);
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.number, 3);
    assert_span(field.bytes, "abc");
    assert_int_equal(field.raw.len, 5);
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.number, 4);
    assert_int_equal(field.type, WIRE_START_GROUP);
    assert_span(field.bytes, "\x08\x05");
    assert_span(field.raw, "\x23\x08\x05\x24");
    assert_true(wire_next(&reader, &field));
    assert_int_equal(field.number, 5);
    assert_true(field.value == 0x80000001);
    assert_false(wire_next(&reader, &field));
    assert_false(reader.failed);
    assert_false(wire_next(&reader, &field));
}

static void reader_reports_where_it_failed(void **state) {
    (void)state;
    static const struct {
        const char *name;
        Span bytes;
        WireFault fault;
        size_t at;
    } cases[] = {
        {"varint cut", SPAN("\x08\x01\x08\x80"), WIRE_CUT_SHORT, 3},
        {"no value", SPAN("\x08"), WIRE_CUT_SHORT, 1},
        {"fixed64 cut", SPAN("\x09\x01\x02\x03\x04\x05\x06\x07"), WIRE_CUT_SHORT, 1},
        {"fixed32 cut", SPAN("\x0d\x01\x02\x03"), WIRE_CUT_SHORT, 1},
        {"bytes cut",
         SPAN("\x0a\x03"
              "ab"),
         WIRE_CUT_SHORT, 2},
        {"length 2^63", SPAN("\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), WIRE_CUT_SHORT, 11},
        {"group not ended", SPAN("\x0b\x08\x01"), WIRE_CUT_SHORT, 3},
        {"group ends as another", SPAN("\x0b\x08\x01\x14"), WIRE_BAD_GROUP, 3},
        {"end without start", SPAN("\x08\x01\x0c"), WIRE_BAD_GROUP, 3},
        {"long varint", SPAN("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), WIRE_LONG_VARINT,
         1},
        {"bad tag in a group", SPAN("\x0b\x0e\x0c"), WIRE_BAD_TYPE, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WireReader reader = wire_reader(cases[i].bytes);
        WireField field;
        while (wire_next(&reader, &field)) {
        }
        if (reader.failed != cases[i].fault || reader.at != reader.begin + cases[i].at)
            fail_msg("%s: fault %d at %td", cases[i].name, reader.failed, reader.at - reader.begin);
        assert_false(wire_next(&reader, &field));
    }
}

static void groups_nest_to_a_bound(void **state) {
    (void)state;
    char bytes[4 * WIRE_DEPTH_MAX];
    for (size_t depth = WIRE_DEPTH_MAX; depth <= WIRE_DEPTH_MAX + 1; depth++) {
        memset(bytes, 0x0b, depth);
        memset(bytes + depth, 0x0c, depth);
        WireReader reader = wire_reader(span(bytes, 2 * depth));
        WireField field;
        assert_int_equal(wire_next(&reader, &field), depth == WIRE_DEPTH_MAX);
        assert_int_equal(reader.failed, depth == WIRE_DEPTH_MAX ? WIRE_FINE : WIRE_TOO_DEEP);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_survive_a_round_trip),
        cmocka_unit_test(varint_bounds),
        cmocka_unit_test(zigzag),
        cmocka_unit_test(tags_are_checked),
        cmocka_unit_test(reader_walks_all_wire_types),
        cmocka_unit_test(reader_reports_where_it_failed),
        cmocka_unit_test(groups_nest_to_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
