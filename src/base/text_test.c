#include "base/text.h"

#include <math.h>

#include "base/test.h"

/* The code point that a sequence stands for, by the definition of UTF-8 (RFC 3629): decoded
 * first, judged afterwards. Gives its length, 0 when it is not well-formed. */
static size_t naive_decode(const unsigned char *bytes, size_t len) {
    size_t size = bytes[0] < 0x80           ? 1
                  : (bytes[0] >> 5) == 0x6  ? 2
                  : (bytes[0] >> 4) == 0xe  ? 3
                  : (bytes[0] >> 3) == 0x1e ? 4
                                            : 0;
    if (size == 0 || size > len)
        return 0;
    if (size == 1)
        return 1;
    uint32_t code_point = bytes[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if (bytes[i] >> 6 != 2)
            return 0;
        code_point = code_point << 6 | (bytes[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    return code_point >= least[size] && code_point <= 0x10ffff && !surrogate ? size : 0;
}

static size_t naive_valid_length(Span text) {
    size_t at = 0;
    for (size_t size; at < text.len; at += size) {
        size = naive_decode((const unsigned char *)text.ptr + at, text.len - at);
        if (size == 0)
            break;
    }
    return at;
}

static void utf8_of_every_code_point(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char bytes[4];
        size_t len = utf8_put(bytes, c);
        bool scalar = c < 0xd800 || c > 0xdfff;
        if (utf8_valid(span(bytes, len)) != scalar)
            fail_msg("U+%04X", c);
        if (len > 1 && utf8_valid_length(span(bytes, len - 1)) != 0)
            fail_msg("U+%04X cut short", c);
    }
}

static void utf8_of_all_short_strings(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 1 << 24; i++) {
        unsigned char bytes[3] = {(unsigned char)i, (unsigned char)(i >> 8),
                                  (unsigned char)(i >> 16)};
        Span text = span(bytes, 3);
        if (utf8_valid_length(text) != naive_valid_length(text))
            fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
    }
}

static void utf8_of_random_strings(void **state) {
    (void)state;
    TestRandom random = test_random();
    for (int round = 0; round < 300000; round++) {
        /* Bytes near the bounds of the ranges, so that most leads and trails meet. */
        static const unsigned char bounds[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                               0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xec, 0xed, 0xee,
                                               0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff};
        char bytes[12];
        size_t len = test_random_below(&random, sizeof bytes + 1);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)bounds[test_random_below(&random, sizeof bounds)];
        Span text = span(bytes, len);
        assert_int_equal(utf8_valid_length(text), naive_valid_length(text));
        assert_int_equal(utf8_valid(text), naive_valid_length(text) == len);
    }
}

static void utf8_finds_one_bad_byte_anywhere(void **state) {
    (void)state;
    char bytes[130];
    for (size_t len = 0; len <= sizeof bytes; len++) {
        memset(bytes, 'a', sizeof bytes);
        assert_true(utf8_valid(span(bytes, len)));
        for (size_t bad = 0; bad < len; bad++) {
            bytes[bad] = (char)0xff;
            assert_int_equal(utf8_valid_length(span(bytes, len)), bad);
            bytes[bad] = 'a';
        }
    }
    assert_true(utf8_valid((Span){0}));
}

static void integers_survive_a_round_trip(void **state) {
    (void)state;
    TestRandom random = test_random();
    for (int round = 0; round < 100000; round++) {
        uint64_t value = test_random_bits(&random) >> test_random_below(&random, 64);
        char out[20], wanted[32];
        uint64_t unsigned_back;
        int64_t signed_back;
        snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)value);
        assert_span(span(out, format_u64(out, value)), wanted);
        assert_true(parse_u64(span_of(wanted), &unsigned_back));
        assert_int_equal(unsigned_back, value);
        snprintf(wanted, sizeof wanted, "%lld", (long long)value);
        assert_span(span(out, format_i64(out, (int64_t)value)), wanted);
        assert_true(parse_i64(span_of(wanted), &signed_back));
        assert_int_equal(signed_back, (int64_t)value);
    }
}

static void integer_bounds(void **state) {
    (void)state;
    char out[20];
    assert_span(span(out, format_i64(out, INT64_MIN)), "-9223372036854775808");
    assert_span(span(out, format_u64(out, UINT64_MAX)), "18446744073709551615");
    for (uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
        char wanted[32];
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = power + (uint64_t)delta;
            snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)value);
            assert_span(span(out, format_u64(out, value)), wanted);
        }
    }

    int64_t i = 5;
    uint64_t u = 5;
    assert_true(parse_i64(SPAN("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(parse_i64(SPAN("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(parse_u64(SPAN("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(parse_u64(SPAN("00000000000000000000000000007"), &u) && u == 7);
    assert_true(parse_i64(SPAN("-0"), &i) && i == 0);
    i = 5;
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "0x1",
                                      "--1",
                                      "1-1",
                                      "one",
                                      "-9223372036854775809",
                                      "9223372036854775808"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        assert_false(parse_i64(span_of(bad[k]), &i));
    assert_int_equal(i, 5);
    assert_false(parse_u64(SPAN("-1"), &u));
    assert_false(parse_u64(SPAN("18446744073709551616"), &u));
    assert_false(parse_u64(SPAN("99999999999999999999"), &u));
    assert_false(parse_u64(SPAN("184467440737095516150"), &u));
    assert_false(parse_u64(SPAN("1\0"), &u));
    assert_int_equal(u, 7);
}

static void doubles_in_the_form_of_javascript(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {100, "100"},
        {1e20, "100000000000000000000"},
        {1e21, "1e+21"},
        {1.5e21, "1.5e+21"},
        {123456789012345680000.0, "123456789012345680000"},
        {9007199254740991.0, "9007199254740991"},
        {9007199254740992.0, "9007199254740992"},
        {1152921504606846976.0, "1152921504606847000"},
        {1e-6, "0.000001"},
        {1e-7, "1e-7"},
        {1.25e-7, "1.25e-7"},
        {0.00000123, "0.00000123"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {-2.2250738585072014e-308, "-2.2250738585072014e-308"},
        {0.1 + 0.2, "0.30000000000000004"},
        {123.456, "123.456"},
        {4.35, "4.35"},
        {1e23, "1e+23"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[FORMAT_DOUBLE_MAX];
        assert_span(span(out, format_double(out, cases[i].value)), cases[i].text);
    }
}

static void floats_are_short(void **state) {
    (void)state;
    char out[FORMAT_DOUBLE_MAX];
    assert_span(span(out, format_float(out, 0.1f)), "0.1");
    assert_span(span(out, format_float(out, 16777216.0f)), "16777216");
    assert_span(span(out, format_float(out, 3.4028235e38f)), "3.4028235e+38");
    assert_span(span(out, format_float(out, 1e-45f)), "1e-45");
    assert_span(span(out, format_float(out, -0.0f)), "-0");
    TestRandom random = test_random();
    for (int round = 0; round < 100000; round++) {
        uint32_t bits = (uint32_t)test_random_bits(&random);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (value - value != 0)
            continue;
        size_t len = format_float(out, value);
        out[len] = '\0';
        assert_true(strtof(out, NULL) == value);
    }
}

/* The same number, zeroes of either sign apart. */
static bool same(double a, double b) {
    return a == b && signbit(a) == signbit(b);
}

/* A finite double: any bits, or few digits, or an integer. */
static double random_double(TestRandom *random) {
    for (;;) {
        uint64_t bits = test_random_bits(random);
        double value;
        memcpy(&value, &bits, sizeof value);
        switch (test_random_below(random, 4)) {
        case 0:
            value = (double)(bits >> test_random_below(random, 64)) / 100;
            break;
        case 2:
            value = (double)(bits >> test_random_below(random, 64)) / 1e6;
            break;
        case 1:
            value = (double)(int64_t)(bits >> test_random_below(random, 64));
            break;
        }
        if (value - value == 0)
            return value;
    }
}

static void doubles_are_shortest_and_exact(void **state) {
    (void)state;
    TestRandom random = test_random();
    for (int round = 0; round < 100000; round++) {
        double value = random_double(&random), back;
        char out[FORMAT_DOUBLE_MAX + 1];
        size_t len = format_double(out, value);
        assert_true(len <= FORMAT_DOUBLE_MAX);
        out[len] = '\0';
        assert_true(strtod(out, NULL) == value);
        assert_true(parse_double(span(out, len), &back));
        assert_true(same(back, value));

        int digits = 0, zeroes = 0; /* significant ones, without the zeroes at the end */
        for (size_t i = 0; i < len && out[i] != 'e'; i++) {
            if (out[i] < '0' || out[i] > '9' || (digits == 0 && out[i] == '0'))
                continue;
            zeroes = out[i] == '0' ? zeroes + 1 : 0;
            digits++;
        }
        digits -= zeroes;
        if (digits > 1) {
            char shorter[64];
            snprintf(shorter, sizeof shorter, "%.*e", digits - 2, value);
            assert_true(strtod(shorter, NULL) != value);
        }
    }
}

static void reals_are_read_as_strtod_does(void **state) {
    (void)state;
    TestRandom random = test_random();
    for (int round = 0; round < 200000; round++) {
        char text[80];
        size_t len = 0;
        if (test_random_below(&random, 2))
            text[len++] = '-';
        size_t whole = 1 + test_random_below(&random, test_random_below(&random, 2) ? 25 : 3);
        for (size_t i = 0; i < whole; i++)
            text[len++] = (char)('0' + (i == 0 && whole > 1 ? 1 + test_random_below(&random, 9)
                                                            : test_random_below(&random, 10)));
        if (test_random_below(&random, 2)) {
            text[len++] = '.';
            for (size_t i = 0, n = 1 + test_random_below(&random, 25); i < n; i++)
                text[len++] =
                    (char)('0' +
                           (test_random_below(&random, 2) ? 0 : test_random_below(&random, 10)));
        }
        text[len] = '\0';
        if (test_random_below(&random, 2)) {
            int range = test_random_below(&random, 2) ? 25 : 340;
            len += (size_t)snprintf(text + len, sizeof text - len, "%c%d",
                                    test_random_below(&random, 2) ? 'e' : 'E',
                                    (int)test_random_below(&random, (uint64_t)range * 2) - range);
        }
        double wanted = strtod(text, NULL), value;
        bool finite = wanted - wanted == 0;
        if (parse_double(span(text, len), &value) != finite)
            fail_msg("%s is %s", text, finite ? "a number" : "out of range");
        if (finite && !same(value, wanted))
            fail_msg("%s: got %.17g, want %.17g", text, value, wanted);
        float narrow_wanted = strtof(text, NULL), narrow;
        finite = narrow_wanted - narrow_wanted == 0;
        assert_true(parse_float(span(text, len), &narrow) == finite);
        if (finite && !same(narrow, narrow_wanted))
            fail_msg("%s: got %.9g, want %.9g", text, narrow, narrow_wanted);
    }
}

/* 2^1024 - 2^970: half-way between the largest double and what would be the next. */
static const char half_way_to_infinity[] =
    "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649"
    "017977587207096330286416692887910946555547851940402630657488671505820681908902000708383"
    "676273854845817711531764475730270069855571366959622842914819860834936475292719074168444"
    "365510704342711559699508093042880177904174497792";

static void numbers_of_json_only(void **state) {
    (void)state;
    double value = 5;
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "01",
        "-01",
        "1e",
        "1e+",
        "1e-",
        " 1",
        "1 ",
        "nan",
        "NaN",
        "inf",
        "0x1",
        "1_0",
        "1,5",
        "Infinity",
        "1e5.",
        "--1",
        "1.5.5",
        "-.5",
        "1e400",
        "-1e400",
        "1e99999999999999999999",
        half_way_to_infinity,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (parse_double(span_of(bad[i]), &value))
            fail_msg("'%s' is taken for a number", bad[i]);
    assert_true(value == 5);
    static const struct {
        const char *text;
        double value;
    } good[] = {
        {"0e99999999999999999999", 0},
        {"1e-99999999999999999999", 0},
        {"-0.0", -0.0},
        {"-1e-400", -0.0},
        {"2.4703282292062327e-324", 0},
        {"2.4703282292062328e-324", 5e-324},
        {"0.000000000000000000000000000000000000000000000000000001e54", 1},
        {"100000000000000000000000000000000000000000000000000000e-53", 1},
        {"9007199254740993", 9007199254740992.0},
        {"9007199254740993.00000000000000000000000000000000000000001", 9007199254740994.0},
        {"1.7976931348623158e308", 1.7976931348623157e308},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(parse_double(span_of(good[i].text), &value));
        if (!same(value, good[i].value))
            fail_msg("%s: got %.17g", good[i].text, value);
    }
    assert_true(parse_double(span("12345", 3), &value) && value == 123);
}

static void base64_of_the_rfc(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char out[16];
        Span bytes = span_of(pairs[i][0]);
        size_t len = base64_encode(out, bytes, false, true);
        assert_span(span(out, len), pairs[i][1]);
        assert_true(base64_decode(out, span_of(pairs[i][1]), &len));
        assert_span(span(out, len), pairs[i][0]);
    }
}

static void base64_survives_a_round_trip(void **state) {
    (void)state;
    TestRandom random = test_random();
    for (size_t len = 0; len < 500; len++) {
        char bytes[500], text[BASE64_ENCODED_MAX(500)], back[BASE64_DECODED_MAX(sizeof text)];
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)test_random_bits(&random);
        for (int form = 0; form < 4; form++) {
            size_t size = base64_encode(text, span(bytes, len), form & 1, form & 2), back_len = 0;
            assert_true(size <= BASE64_ENCODED_MAX(len));
            assert_true(!(form & 2) || size % 4 == 0);
            for (size_t i = 0; i < size; i++)
                assert_null(memchr(form & 1 ? "+/" : "-_", text[i], 2));
            /* No more room than promised, so that a sanitizer sees a step too far. */
            char *out = malloc(BASE64_DECODED_MAX(size));
            assert_true(base64_decode(out, span(text, size), &back_len));
            memcpy(back, out, back_len);
            free(out);
            assert_true(span_equal(span(back, back_len), span(bytes, len)));
        }
    }
}

static void base64_refuses_the_rest(void **state) {
    (void)state;
    char out[16];
    size_t len = 5;
    static const char *const bad[] = {
        "A",        "A=",    "A===",  "=",     "==",       "====",
        "AA=",      "AAA==", "AAAA=", "AAAAA", "AA=A",     "A=AA",
        "AAAA====", "AA A",  "AAA\n", "AA,A",  "AA==AAAA", "\xff\xff\xff\xff",
        "AAA\xc3",  "AA==="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (base64_decode(out, span_of(bad[i]), &len))
            fail_msg("'%s' is taken for base64", bad[i]);
    assert_false(base64_decode(out, SPAN("AA\0A"), &len));
    assert_int_equal(len, 5);
    assert_true(base64_decode(out, SPAN("-_"), &len)); /* bits to spare */
    assert_span(span(out, len), "\xfb");
    assert_true(base64_decode(out, SPAN("+/-_"), &len)); /* both alphabets at once */
    assert_span(span(out, len), "\xfb\xff\xbf");
    for (int c = 0; c < 256; c++) {
        char text[4] = {'A', 'A', 'A', (char)c};
        bool known = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     (c && strchr("+/-_=", c));
        assert_int_equal(base64_decode(out, span(text, 4), &len), known);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_of_every_code_point),
        cmocka_unit_test(utf8_of_all_short_strings),
        cmocka_unit_test(utf8_of_random_strings),
        cmocka_unit_test(utf8_finds_one_bad_byte_anywhere),
        cmocka_unit_test(integers_survive_a_round_trip),
        cmocka_unit_test(integer_bounds),
        cmocka_unit_test(doubles_in_the_form_of_javascript),
        cmocka_unit_test(floats_are_short),
        cmocka_unit_test(doubles_are_shortest_and_exact),
        cmocka_unit_test(reals_are_read_as_strtod_does),
        cmocka_unit_test(numbers_of_json_only),
        cmocka_unit_test(base64_of_the_rfc),
        cmocka_unit_test(base64_survives_a_round_trip),
        cmocka_unit_test(base64_refuses_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
