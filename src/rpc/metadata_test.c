#include "rpc/metadata.h"

#include "base/test.h"

static void grpc_timeouts(void **state) {
    (void)state;
    const struct {
        const char *text;
        Nanos want; /* -1 = refused */
    } cases[] = {
        {"1n", 1},
        {"250u", 250000},
        {"100m", 100000000},
        {"7S", 7000000000},
        {"2M", 120000000000},
        {"1H", 3600000000000},
        {"0S", 0},
        {"99999999H", INT64_MAX},
        {"99999999n", 99999999},
        {"100000000n", -1},
        {"", -1},
        {"S", -1},
        {"1", -1},
        {"1s", -1},
        {"-1S", -1},
        {"+1S", -1},
        {"1 S", -1},
        {"0x1S", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Nanos got = -1;
        bool ok = timeout_parse_grpc(span_of(cases[i].text), &got);
        assert_int_equal(ok, cases[i].want >= 0);
        assert_int_equal(got, cases[i].want);
    }
}

static void connect_timeouts(void **state) {
    (void)state;
    Nanos got = -1;
    assert_true(timeout_parse_connect(SPAN("1500"), &got));
    assert_int_equal(got, 1500 * NANOS_PER_MILLI);
    assert_true(timeout_parse_connect(SPAN("9999999999"), &got));
    assert_false(timeout_parse_connect(SPAN("10000000000"), &got));
    assert_false(timeout_parse_connect(SPAN("-1"), &got));
    assert_false(timeout_parse_connect(SPAN(""), &got));
}

/* What is written is never shorter than what was meant, and reads back within the unit. */
static void timeouts_round_up(void **state) {
    (void)state;
    const Nanos times[] = {
        0, 1, 999, 99999999, 100000001, 1234567891234, 86400 * NANOS_PER_SECOND, INT64_MAX};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char out[TIMEOUT_MAX];
        Nanos back;
        assert_true(timeout_parse_grpc(span(out, timeout_format_grpc(out, times[i])), &back));
        assert_true(back >= times[i] && (double)back <= (double)times[i] * 1.00001 + 1);
    }
    char out[TIMEOUT_MAX];
    assert_span(span(out, timeout_format_connect(out, 1)), "1");
    assert_span(span(out, timeout_format_connect(out, INT64_MAX)), "9999999999");
    assert_span(span(out, timeout_format_grpc(out, 5 * NANOS_PER_SECOND)), "5000000u");
}

static void percent(void **state) {
    (void)state;
    Arena arena = {0};
    assert_span(percent_encode(&arena, SPAN("plain text!")), "plain text!");
    assert_span(percent_encode(&arena, SPAN("50% \n\xc3\xa9")), "50%25 %0A%C3%A9");
    assert_span(percent_decode(&arena, SPAN("50%25 %0A%c3%A9")), "50% \n\xc3\xa9");
    assert_span(percent_decode(&arena, SPAN("100%")), "100%");
    assert_span(percent_decode(&arena, SPAN("%zz%4")), "%zz%4");
    arena_done(&arena);
}

static void metadata(void **state) {
    (void)state;
    Arena arena = {0};
    const HttpHeader in[] = {
        {SPAN("content-type"), SPAN("application/grpc")},
        {SPAN("grpc-timeout"), SPAN("1S")},
        {SPAN("x-text"), SPAN("a,b")},
        {SPAN("x-bytes-bin"), SPAN("AAE=, AgM")},
    };
    HttpHeaders out;
    assert_true(metadata_read(&arena, (HttpHeaders){in, 4}, SPAN(""), &out));
    assert_int_equal(out.count, 3);
    assert_span(out.items[0].value, "a,b");
    assert_true(span_equal(out.items[1].value, SPAN("\0\1")));
    assert_true(span_equal(out.items[2].value, SPAN("\2\3")));
    assert_span(metadata_write_value(&arena, SPAN("x-bytes-bin"), SPAN("\0\1")), "AAE");

    const HttpHeader bad = {SPAN("x-bin"), SPAN("!")};
    assert_false(metadata_read(&arena, (HttpHeaders){&bad, 1}, SPAN(""), &out));

    const HttpHeader trailers[] = {{SPAN("trailer-a"), SPAN("1")}, {SPAN("b"), SPAN("2")}};
    assert_true(metadata_read(&arena, (HttpHeaders){trailers, 2}, SPAN("trailer-"), &out));
    assert_int_equal(out.count, 1);
    assert_span(out.items[0].name, "a");
    arena_done(&arena);
}

static void valid_headers(void **state) {
    (void)state;
    assert_true(metadata_is_valid(SPAN("x-a_1.b"), SPAN("any text")));
    assert_true(metadata_is_valid(SPAN("x-bin"), SPAN("\0\n\xff")));
    assert_false(metadata_is_valid(SPAN("X-A"), SPAN("v")));
    assert_false(metadata_is_valid(SPAN("a b"), SPAN("v")));
    assert_false(metadata_is_valid(SPAN(""), SPAN("v")));
    assert_false(metadata_is_valid(SPAN("a"), SPAN("one\r\ntwo: three")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grpc_timeouts),     cmocka_unit_test(connect_timeouts),
        cmocka_unit_test(timeouts_round_up), cmocka_unit_test(percent),
        cmocka_unit_test(metadata),          cmocka_unit_test(valid_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
