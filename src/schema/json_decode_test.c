#include "base/test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/json.h"
#include "schema/random_message.h"
#include "schema/sample.h"

/* ---- What is good, and how it comes back ----------------------------------------------------- */

static int decode(const char *text, const SchemaJson *options, Arena *arena, Sample **ret,
                  SchemaError *error) {
    return schema_json_decode(&Sample_type, span_of(text), options, arena, (void **)ret, error);
}

static Sample *must_decode(const char *text, const SchemaJson *options, Arena *arena) {
    Sample *sample;
    SchemaError error;
    if (decode(text, options, arena, &sample, &error) < 0)
        fail_msg("'%s': %s: %s at %zu", text, error.path, error.reason, error.offset);
    return sample;
}

typedef struct Case {
    const char *text, *canonical;
} Case;

static void check_good(const Case *cases, size_t count, const SchemaJson *options) {
    for (size_t i = 0; i < count; i++) {
        Arena arena = {0};
        Buf out = {.arena = &arena};
        Sample *sample = must_decode(cases[i].text, options, &arena);
        assert_int_equal(schema_json_encode(&Sample_type, sample, NULL, &out, NULL), 0);
        assert_span(buf_span(&out), cases[i].canonical);
        arena_done(&arena);
    }
}
#define CHECK_GOOD(cases, options) check_good(cases, sizeof cases / sizeof *cases, options)

static void test_numbers(void **state) {
    (void)state;
    static const Case cases[] = {
        {" { } ", "{}"},
        {"{\"i32\":1}", "{\"i32\":1}"},
        {"{\"i32\":\"1\"}", "{\"i32\":1}"},
        {"{\"i32\":-0}", "{}"},
        {"{\"u32\":-0.0e5}", "{}"},
        {"{\"i32\":1.0}", "{\"i32\":1}"},
        {"{\"i32\":\"1e3\"}", "{\"i32\":1000}"},
        {"{\"i32\":12.5e1}", "{\"i32\":125}"},
        {"{\"i32\":100000e-5}", "{\"i32\":1}"},
        {"{\"i32\":2147483647}", "{\"i32\":2147483647}"},
        {"{\"i32\":-2147483648}", "{\"i32\":-2147483648}"},
        {"{\"u32\":4294967295}", "{\"u32\":4294967295}"},
        {"{\"i64\":9223372036854775807}", "{\"i64\":\"9223372036854775807\"}"},
        {"{\"i64\":\"-9223372036854775808\"}", "{\"i64\":\"-9223372036854775808\"}"},
        {"{\"i64\":9007199254740993.0}", "{\"i64\":\"9007199254740993\"}"},
        {"{\"i64\":0.00000000000000000000001e23}", "{\"i64\":\"1\"}"},
        {"{\"i64\":0e999999999999999999999}", "{}"},
        {"{\"u64\":18446744073709551615}", "{\"u64\":\"18446744073709551615\"}"},
        {"{\"u64\":1844674407370955161.5e1}", "{\"u64\":\"18446744073709551615\"}"},
        {"{\"f64\":\"\\u0031\"}", "{\"f64\":\"1\"}"},
        {"{\"real\":0.1}", "{\"real\":0.1}"},
        {"{\"real\":\"1.5\"}", "{\"real\":1.5}"},
        {"{\"real\":3.4028235e38}", "{\"real\":3.4028235e+38}"},
        {"{\"real\":\"NaN\"}", "{\"real\":\"NaN\"}"},
        {"{\"wide\":\"-Infinity\"}", "{\"wide\":\"-Infinity\"}"},
        {"{\"wide\":\"Infinity\"}", "{\"wide\":\"Infinity\"}"},
        {"{\"wide\":-0.0}", "{\"wide\":-0}"},
        {"{\"wide\":1e-400}", "{}"},
        {"{\"wide\":1.7976931348623157E+308}", "{\"wide\":1.7976931348623157e+308}"},
        {"{\"wide\":5}", "{\"wide\":5}"},
    };
    CHECK_GOOD(cases, NULL);
}

static void test_strings(void **state) {
    (void)state;
    static const Case cases[] = {
        {"{\"text\":\"\"}", "{}"},
        {"{\"text\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\"}",
         "{\"text\":\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\"}"},
        {"{\"text\":\"\\u00e9\\uD83D\\uDE00\\u0000<>&\x7f\"}",
         "{\"text\":\"\u00e9\U0001F600\\u0000<>&\x7f\"}"},
        {"{\"text\":\"plain text of more than sixteen bytes, \u00e9 and \\n then more than "
         "sixteen\"}",
         "{\"text\":\"plain text of more than sixteen bytes, \u00e9 and \\n then more than "
         "sixteen\"}"},
        {"{\"t\\u0065xt\":\"x\"}", "{\"text\":\"x\"}"},
        {"{\"data\":\"AQID\"}", "{\"data\":\"AQID\"}"},
        {"{\"data\":\"-_8\"}", "{\"data\":\"+/8=\"}"},
        {"{\"data\":\"\\u002b\\/8=\"}", "{\"data\":\"+/8=\"}"},
    };
    CHECK_GOOD(cases, NULL);
}

static void test_messages_lists_maps(void **state) {
    (void)state;
    static const Case cases[] = {
        {"{\"sub\":{},\"maybe\":0}", "{\"sub\":{},\"maybe\":0}"},
        {"{\"maybe\":null,\"sub\":null,\"numbers\":null,\"labels\":null,\"colour\":null}", "{}"},
        {"{\"numbers\":[ 1 , 2,3 ],\"words\":[\"a\",\"\"]}",
         "{\"numbers\":[1,2,3],\"words\":[\"a\",\"\"]}"},
        {"{\"numbers\":[],\"labels\":{ }}", "{}"},
        {"{\"subs\":[{\"i32\":1},{}]}", "{\"subs\":[{\"i32\":1},{}]}"},
        {"{\"labels\":{\"a\":\"1\",\"\":\"\"}}", "{\"labels\":{\"a\":\"1\",\"\":\"\"}}"},
        {"{\"by_id\":{\"-1\":{\"flag\":true},\"2.0\":{}}}",
         "{\"by_id\":{\"-1\":{\"flag\":true},\"2\":{}}}"},
        {"{\"colour\":\"GREEN\",\"closed\":\"RED\",\"closeds\":[2,\"GREEN\"]}",
         "{\"colour\":\"GREEN\",\"closed\":\"RED\",\"closeds\":[\"BLUE\",\"GREEN\"]}"},
        {"{\"colour\":7}", "{\"colour\":7}"},
        {"{\"name\":\"\"}", "{\"name\":\"\"}"},
        {"{\"name\":null,\"id\":0}", "{\"id\":0}"},
        {"{\"other\":{\"other\":{}}}", "{\"other\":{\"other\":{}}}"},
        {"{\"group\":{\"i32\":1},\"groups\":[{}]}", "{\"group\":{\"i32\":1},\"groups\":[{}]}"},
        {"{\"farthest\":1,\"far\":2,\"i32\":3}", "{\"i32\":3,\"far\":2,\"farthest\":1}"},
        {"{\"stricts\":[{\"id\":1}],\"strict_by_name\":{\"a\":{\"id\":0}}}",
         "{\"stricts\":[{\"id\":1}],\"strict_by_name\":{\"a\":{\"id\":0}}}"},
    };
    CHECK_GOOD(cases, NULL);
}

static void test_ignore_unknown(void **state) {
    (void)state;
    static const SchemaJson lenient = {.ignore_unknown = true};
    static const Case cases[] = {
        {"{\"who\":[1,{\"a\":null,\"b\":[true,false,\"\\n\"]},-1.5e3],\"i32\":1}", "{\"i32\":1}"},
        {"{\"[pkg.ext]\":{}}", "{}"},
        {"{\"colour\":\"PINK\",\"closed\":9}", "{}"},
        {"{\"closeds\":[\"RED\",\"PINK\",7,\"BLUE\"]}", "{\"closeds\":[\"RED\",\"BLUE\"]}"},
        {"{\"colours\":{\"1\":\"PINK\",\"2\":\"RED\"}}", "{\"colours\":{\"2\":\"RED\"}}"},
    };
    CHECK_GOOD(cases, &lenient);
}

static void test_dropped_number_leaves_the_default(void **state) {
    (void)state;
    Arena arena = {0};
    Sample *sample = must_decode("{\"closed\":7}", &(SchemaJson){.ignore_unknown = true}, &arena);
    assert_false(sample->has_closed);
    assert_int_equal(sample->closed, RED);
    arena_done(&arena);
}

static void test_defaults_of_proto2(void **state) {
    (void)state;
    Arena arena = {0};
    Sample *sample = must_decode("{\"strict\":{\"id\":1},\"stricts\":[{\"id\":2}]}", NULL, &arena);
    assert_int_equal(sample->strict->port, 80);
    assert_int_equal(sample->stricts.items[0].port, 80);
    assert_false(sample->strict->has_port);
    arena_done(&arena);
}

static void test_plain_strings_are_not_copied(void **state) {
    (void)state;
    Arena arena = {0};
    const char *text = "{\"text\":\"plain\",\"words\":[\"a\\n\"]}";
    Sample *sample = must_decode(text, NULL, &arena);
    assert_ptr_equal(sample->text.ptr, text + 9);
    assert_span(sample->words.items[0], "a\n");
    arena_done(&arena);
}

/* ---- What is bad, where, and why ------------------------------------------------------------- */

typedef struct BadCase {
    const char *text, *path;
    size_t offset;
    const char *reason;
} BadCase;

static void check_bad(const BadCase *cases, size_t count, const SchemaJson *options) {
    for (size_t i = 0; i < count; i++) {
        Arena arena = {0};
        Sample *sample = NULL;
        SchemaError error;
        int r = decode(cases[i].text, options, &arena, &sample, &error);
        if (r >= 0)
            fail_msg("'%s' was taken", cases[i].text);
        if (strcmp(error.path, cases[i].path) != 0 || error.offset != cases[i].offset ||
            strcmp(error.reason, cases[i].reason) != 0)
            fail_msg("'%s': got {\"%s\", %zu, \"%s\"}", cases[i].text, error.path, error.offset,
                     error.reason);
        assert_null(sample);
        arena_done(&arena);
    }
}
#define CHECK_BAD(cases, options) check_bad(cases, sizeof cases / sizeof *cases, options)

static void test_bad_syntax(void **state) {
    (void)state;
    static const BadCase cases[] = {
        {"", "", 0, "expected an object, found the end of the text"},
        {"null", "", 0, "expected an object, found null"},
        {"[]", "", 0, "expected an object, found a list"},
        {"{", "", 1, "expected a name in quotes, found the end of the text"},
        {"{} x", "", 3, "expected the end of the text, found 'x'"},
        {"{}{}", "", 2, "expected the end of the text, found an object"},
        {"\xEF\xBB\xBF{}", "", 0, "expected an object, found byte 0xEF"},
        {"{,}", "", 1, "expected a name in quotes, found ','"},
        {"{\"i32\":1,}", "", 9, "expected a name in quotes, found '}'"},
        {"{\"i32\":1,,\"i64\":1}", "", 9, "expected a name in quotes, found ','"},
        {"{\"i32\":1 \"i64\":1}", "", 9, "expected ',' or '}', found a string"},
        {"{i32:1}", "", 1, "expected a name in quotes, found 'i'"},
        {"{'i32':1}", "", 1, "expected a name in quotes, found '''"},
        {"{\"i32\" 1}", "", 7, "expected ':', found a number"},
        {"{\"i32\":}", "i32", 7, "expected a number, found '}'"},
        {"{\"i32\":1/* */}", "", 8, "expected ',' or '}', found '/'"},
        {"{\"numbers\":[1,]}", "numbers[1]", 14, "expected a number, found ']'"},
        {"{\"numbers\":[1 2]}", "numbers", 14, "expected ',' or ']', found a number"},
        {"{\"numbers\":[1}", "numbers", 13, "expected ',' or ']', found '}'"},
        {"{\"numbers\":1}", "numbers", 11, "expected a list, found a number"},
        {"{\"labels\":[]}", "labels", 10, "expected an object, found a list"},
        {"{\"sub\":3}", "sub", 7, "expected an object, found a number"},
        {"{\"flag\":1}", "flag", 8, "expected true or false, found a number"},
        {"{\"flag\":\"true\"}", "flag", 8, "expected true or false, found a string"},
        {"{\"flag\":tru}", "flag", 8, "expected true"},
        {"{\"sub\":nul}", "", 7, "expected null"},
        {"{\"text\":1}", "text", 8, "expected a string, found a number"},
        {"{\"text\":\v\"a\"}", "text", 8, "expected a string, found byte 0x0B"},
    };
    CHECK_BAD(cases, NULL);
}

static void test_bad_strings(void **state) {
    (void)state;
    static const BadCase cases[] = {
        {"{\"text\":\"a", "text", 10,
         "expected '\"' at the end of a string, found the end of the text"},
        {"{\"text\":\"a\\", "text", 11,
         "expected '\"' at the end of a string, found the end of the text"},
        {"{\"text\":\"a\\\"", "text", 12,
         "expected '\"' at the end of a string, found the end of the text"},
        {"{\"text\":\"a\nb\"}", "text", 10, "control character 0x0A in a string"},
        {"{\"text\":\"\\na\tb\"}", "text", 12, "control character 0x09 in a string"},
        {"{\"text\":\"a\\x41\"}", "text", 10, "bad escape in a string"},
        {"{\"text\":\"a\\'\"}", "text", 10, "bad escape in a string"},
        {"{\"text\":\"a\\u12g4\"}", "text", 10, "expected four hexadecimal digits after \\u"},
        {"{\"text\":\"a\\u12\"}", "text", 10, "expected four hexadecimal digits after \\u"},
        {"{\"text\":\"\\ud83d\"}", "text", 9, "half of a surrogate pair without the other"},
        {"{\"text\":\"\\ude00\\ud83d\"}", "text", 9, "half of a surrogate pair without the other"},
        {"{\"text\":\"\\ud83d\\u0041\"}", "text", 9, "half of a surrogate pair without the other"},
        {"{\"text\":\"ab\xff\"}", "text", 11, "invalid UTF-8"},
        {"{\"text\":\"\\n\xc3\"}", "text", 11, "invalid UTF-8"},
        {"{\"raw\":\"\xed\xa0\x80\"}", "raw", 8, "invalid UTF-8"},
        {"{\"\xff\":1}", "", 2, "invalid UTF-8"},
        {"{\"data\":\"A\"}", "data", 8, "expected base64"},
        {"{\"data\":\"AQ=\"}", "data", 8, "expected base64"},
        {"{\"data\":\"AQ D\"}", "data", 8, "expected base64"},
    };
    CHECK_BAD(cases, NULL);
}

static void test_bad_numbers(void **state) {
    (void)state;
    static const BadCase cases[] = {
        {"{\"i32\":2147483648}", "i32", 7, "2147483648 is out of range for int32"},
        {"{\"i32\":-2147483649}", "i32", 7, "-2147483649 is out of range for int32"},
        {"{\"u32\":4294967296}", "u32", 7, "4294967296 is out of range for uint32"},
        {"{\"u32\":-1}", "u32", 7, "-1 is out of range for uint32"},
        {"{\"i64\":\"9223372036854775808\"}", "i64", 7,
         "9223372036854775808 is out of range for int64"},
        {"{\"u64\":18446744073709551616}", "u64", 7,
         "18446744073709551616 is out of range for uint64"},
        {"{\"u64\":1e20}", "u64", 7, "1e20 is out of range for uint64"},
        {"{\"u64\":1e99999999999999999999}", "u64", 7,
         "1e99999999999999999999 is out of range for uint64"},
        {"{\"i32\":0.5}", "i32", 7, "expected int32, found 0.5"},
        {"{\"i32\":1e-1}", "i32", 7, "expected int32, found 1e-1"},
        {"{\"i64\":9007199254740993.5}", "i64", 7, "expected int64, found 9007199254740993.5"},
        {"{\"i32\":01}", "i32", 7, "a number with a leading zero"},
        {"{\"i32\":-01}", "i32", 8, "a number with a leading zero"},
        {"{\"i32\":+1}", "i32", 7, "expected a number, found '+'"},
        {"{\"i32\":1.}", "i32", 9, "expected a digit, found '}'"},
        {"{\"i32\":1e}", "i32", 9, "expected a digit, found '}'"},
        {"{\"i32\":-}", "i32", 8, "expected a digit, found '}'"},
        {"{\"i32\":\"\"}", "i32", 7, "expected int32, found \"\""},
        {"{\"i32\":\" 1\"}", "i32", 7, "expected int32, found \" 1\""},
        {"{\"i32\":\"1 \"}", "i32", 7, "expected int32, found \"1 \""},
        {"{\"i32\":\"+1\"}", "i32", 7, "expected int32, found \"+1\""},
        {"{\"i32\":\"01\"}", "i32", 7, "expected int32, found \"01\""},
        {"{\"i32\":\"0x1\"}", "i32", 7, "expected int32, found \"0x1\""},
        {"{\"i32\":true}", "i32", 7, "expected a number, found a boolean"},
        {"{\"i32\":0x1}", "", 8, "expected ',' or '}', found 'x'"},
        {"{\"real\":3.5e38}", "real", 8, "3.5e38 is out of range for float"},
        {"{\"wide\":-1.8e308}", "wide", 8, "-1.8e308 is out of range for double"},
        {"{\"wide\":1.2.3}", "", 11, "expected ',' or '}', found '.'"},
        {"{\"wide\":NaN}", "wide", 8, "expected a number, found 'N'"},
        {"{\"wide\":\"nan\"}", "wide", 8, "expected double, found \"nan\""},
        {"{\"wide\":\"1.5x\"}", "wide", 8, "expected double, found \"1.5x\""},
        {"{\"wide\":.5}", "wide", 8, "expected a number, found '.'"},
    };
    CHECK_BAD(cases, NULL);
}

static void test_bad_fields(void **state) {
    (void)state;
    static const BadCase cases[] = {
        {"{\"sub\":{\"subs\":[{},{\"lables\":{}}]}}", "sub.subs[1]", 20,
         "unknown field 'lables'; did you mean 'labels'?"},
        {"{\"zebra\":1}", "", 1, "unknown field 'zebra'"},
        {"{\"\":1}", "", 1, "unknown field ''"},
        {"{\"a\\nb\":1}", "", 1, "unknown field 'a?b'"},
        {"{\"[pkg.ext]\":1}", "", 1, "extension '[pkg.ext]' is not known"},
        {"{\"i32\":1,\"i32\":2}", "i32", 9, "the field is given twice"},
        {"{\"i32\":null,\"i32\":2}", "i32", 12, "the field is given twice"},
        {"{\"farthest\":1,\"farthest\":2}", "farthest", 14, "the field is given twice"},
        {"{\"name\":\"a\",\"id\":1}", "id", 12,
         "'name' is set already: of oneof 'choice' only one can be"},
        {"{\"numbers\":[null]}", "numbers[0]", 12, "expected an element, found null"},
        {"{\"subs\":[{},null]}", "subs[1]", 12, "expected an element, found null"},
        {"{\"labels\":{\"a\":null}}", "labels[\"a\"]", 15, "expected a value, found null"},
        {"{\"labels\":{\"a\":\"\",\"\\u0061\":\"\"}}", "labels[\"\\u0061\"]", 18,
         "the key stands in the map already"},
        {"{\"by_id\":{\"1\":{},\"1.0\":{}}}", "by_id[\"1.0\"]", 17,
         "the key stands in the map already"},
        {"{\"by_id\":{1:{}}}", "by_id", 10, "expected a key in quotes, found a number"},
        {"{\"by_id\":{\"x\":{}}}", "by_id", 10, "expected int32, found \"x\""},
        {"{\"by_id\":{\"7\":{\"u32\":-1}}}", "by_id[\"7\"].u32", 21,
         "-1 is out of range for uint32"},
        {"{\"colour\":\"PINK\"}", "colour", 10, "test.Colour has no value 'PINK'"},
        {"{\"colour\":\"red\"}", "colour", 10, "test.Colour has no value 'red'"},
        {"{\"colour\":true}", "colour", 10, "expected an enum's name or number, found a boolean"},
        {"{\"colour\":1.5}", "colour", 10, "expected an enum, found 1.5"},
        {"{\"closed\":7}", "closed", 10, "test.Colour has no value 7"},
    };
    CHECK_BAD(cases, NULL);
}

static void test_unknown_fields_are_skipped_strictly(void **state) {
    (void)state;
    static const SchemaJson lenient = {.ignore_unknown = true};
    static const BadCase cases[] = {
        {"{\"who\":[1,}", "", 10, "expected a value, found '}'"},
        {"{\"who\":{\"a\":01}}", "", 12, "a number with a leading zero"},
        {"{\"who\":\"\\q\"}", "", 8, "bad escape in a string"},
        {"{\"who\":{\"a\" 1}}", "", 12, "expected ':', found a number"},
        {"{\"who\":truth}", "", 7, "expected true"},
        {"{\"who\":}", "", 7, "expected a value, found '}'"},
        {"{\"i32\":1,\"i32\":2}", "i32", 9, "the field is given twice"},
    };
    CHECK_BAD(cases, &lenient);
}

static void test_required(void **state) {
    (void)state;
    Arena arena = {0};
    Sample *sample;
    SchemaError error;
    assert_int_equal(decode("{\"stricts\":[{\"id\":1},{}]}", NULL, &arena, &sample, &error),
                     -EBADMSG);
    assert_string_equal(error.path, "stricts[1].id");
    assert_int_equal(error.offset, 25);
    arena_done(&arena);
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

static void test_every_prefix_is_refused(void **state) {
    (void)state;
    const char *text =
        "{\"i32\":-12,\"i64\":\"5\",\"real\":1.5e2,\"flag\":true,\"text\":\"a\\u00e9\xc3\xa9\","
        "\"data\":\"AQID\",\"colour\":\"RED\",\"sub\":{\"numbers\":[1,2]},\"labels\":{\"a\":\"b\"},"
        "\"name\":null,\"by_id\":{\"1\":{}}}";
    size_t len = strlen(text);
    for (size_t cut = 0; cut <= len; cut++) {
        Arena arena = {0};
        Sample *sample;
        SchemaError error;
        char *exact = xmalloc(cut + 1); /* so that reading past it is noticed */
        memcpy(exact, text, cut);
        exact = xrealloc(exact, cut ? cut : 1);
        int r = schema_json_decode(&Sample_type, span(exact, cut), NULL, &arena, (void **)&sample,
                                   &error);
        assert_int_equal(r, cut == len ? 0 : -EBADMSG);
        assert_true(cut == len || error.offset <= cut);
        free(exact);
        arena_done(&arena);
    }
}

/* `count` times the piece between head and tail; to be freed. */
static Span repeated(const char *head, const char *piece, size_t count, const char *tail) {
    size_t before = strlen(head), len = strlen(piece), all = len * count;
    char *text = xmalloc(before + all + strlen(tail)), *pieces = text + before;
    memcpy(text, head, before);
    memcpy(pieces, piece, len);
    for (size_t done = len; done < all; done *= 2)
        memcpy(pieces + done, pieces, done < all - done ? done : all - done);
    memcpy(pieces + all, tail, strlen(tail));
    return span(text, before + all + strlen(tail));
}

static int decode_repeated(const char *head, const char *piece, size_t count, const char *tail,
                           const SchemaJson *options, SchemaError *error) {
    Arena arena = {0};
    Sample *sample;
    Span text = repeated(head, piece, count, tail);
    int r = schema_json_decode(&Sample_type, text, options, &arena, (void **)&sample, error);
    free((char *)text.ptr);
    arena_done(&arena);
    return r;
}

static void test_depth(void **state) {
    (void)state;
    static const SchemaJson lenient = {.ignore_unknown = true}, shallow = {.depth = 2};
    SchemaError error;
    assert_int_equal(decode_repeated("", "{\"sub\":", 1000000, "", NULL, &error), -ELOOP);
    assert_int_equal(error.offset, 7 * SCHEMA_DEPTH_MAX);
    assert_int_equal(decode_repeated("{\"who\":", "[", 1000000, "", &lenient, &error), -ELOOP);
    assert_int_equal(error.offset, 7 + SCHEMA_DEPTH_MAX - 1);
    assert_int_equal(decode_repeated("{\"subs\":[", "{\"subs\":[", 1000000, "", NULL, &error),
                     -ELOOP);

    Arena arena = {0};
    Sample *sample;
    assert_int_equal(decode("{\"sub\":{}}", &shallow, &arena, &sample, NULL), 0);
    assert_int_equal(decode("{\"sub\":{\"sub\":{}}}", &shallow, &arena, &sample, NULL), -ELOOP);
    arena_done(&arena);
}

static void test_memory(void **state) {
    (void)state;
    static const SchemaJson small = {.memory = 64 << 10};
    SchemaError error;
    assert_int_equal(decode_repeated("{\"subs\":[{}", ",{}", 1000000, "]}", NULL, &error), -ENOMEM);
    assert_string_equal(error.reason, "more memory needed than allowed");
    assert_int_equal(
        decode_repeated("{\"words\":[\"\\n\"", ",\"\\n\"", 100000, "]}", &small, &error), -ENOMEM);
    assert_int_equal(decode_repeated("{\"words\":[\"\\n\"", ",\"\\n\"", 100000, "]}", NULL, &error),
                     0);

    /* The arena's own limit stands, before and after. */
    Arena arena = {.limit = 16 << 10};
    Sample *sample;
    Span text = repeated("{\"numbers\":[1", ",1", 10000, "]}");
    assert_int_equal(schema_json_decode(&Sample_type, text, NULL, &arena, (void **)&sample, &error),
                     -ENOMEM);
    assert_int_equal(arena.limit, 16 << 10);
    free((char *)text.ptr);
    arena_done(&arena);
}

static void test_garbage(void **state) {
    (void)state;
    static const SchemaJson lenient = {.ignore_unknown = true};
    SchemaError error;
    const size_t many = 100 << 20, digits = 10 << 20;
    assert_int_equal(decode_repeated("", "\xA5", many, "", &lenient, &error), -EBADMSG);
    assert_int_equal(decode_repeated("{\"text\":\"", "\xA5", many, "", &lenient, &error), -EBADMSG);
    assert_int_equal(decode_repeated("{\"wide\":", "9", digits, "}", &lenient, &error), -EBADMSG);
    assert_int_equal(decode_repeated("{\"i64\":0.", "0", digits, "}", &lenient, &error), 0);
    assert_int_equal(decode_repeated("{\"who\":[", "[],", many / 3, "", &lenient, &error),
                     -EBADMSG);
}

/* Beyond a few entries, keys are found by hash. */
static void test_large_map(void **state) {
    (void)state;
    enum { MANY = 5000 };
    Buf text = {0};
    buf_add_literal(&text, "{\"labels\":{\"x\":\"\"");
    for (int i = 0; i < MANY; i++)
        buf_printf(&text, ",\"key%d\":\"%d\"", i, i);
    size_t whole = text.len;
    buf_add_literal(&text, "}}");
    Arena arena = {0};
    Sample *sample;
    assert_int_equal(
        schema_json_decode(&Sample_type, buf_span(&text), NULL, &arena, (void **)&sample, NULL), 0);
    assert_int_equal(sample->labels.count, MANY + 1);
    assert_span(sample->labels.items[MANY].value, "4999");

    text.len = whole;
    buf_add_literal(&text, ",\"key17\":\"\"}}");
    SchemaError error;
    assert_int_equal(
        schema_json_decode(&Sample_type, buf_span(&text), NULL, &arena, (void **)&sample, &error),
        -EBADMSG);
    assert_string_equal(error.path, "labels[\"key17\"]");
    assert_int_equal(error.offset, whole + 1);
    buf_done(&text);
    arena_done(&arena);
}

/* ---- Any message survives -------------------------------------------------------------------- */

static void check_survives(const SchemaMessage *type, const void *message,
                           const SchemaJson *options, Arena *arena) {
    Buf text = {.arena = arena};
    SchemaError error;
    void *back;
    if (schema_json_encode(type, message, options, &text, &error) < 0)
        fail_msg("not written: %s: %s", error.path, error.reason);
    if (schema_json_decode(type, buf_span(&text), options, arena, &back, &error) < 0)
        fail_msg("not read: %s: %s in %.*s", error.path, error.reason, SPAN_ARGS(buf_span(&text)));
    if (!schema_equal(type, message, back))
        fail_msg("came back otherwise: %.*s", SPAN_ARGS(buf_span(&text)));
}

static void test_random_messages_survive(void **state) {
    (void)state;
    static const SchemaJson options[] = {
        {0},
        {.proto_names = true},
        {.emit_defaults = true},
        {.enum_numbers = true},
        {.indent = 2},
        {.proto_names = true, .emit_defaults = true, .enum_numbers = true, .indent = 7},
    };
    for (uint64_t seed = 0; seed < 400; seed++) {
        RandomMessage random = random_message(seed);
        random.json = true;
        Arena arena = {0};
        const void *message = random_message_new(&random, &Sample_type, &arena);
        for (size_t i = 0; i < sizeof options / sizeof *options; i++)
            check_survives(&Sample_type, message, &options[i], &arena);
        arena_done(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_messages_lists_maps),
        cmocka_unit_test(test_ignore_unknown),
        cmocka_unit_test(test_dropped_number_leaves_the_default),
        cmocka_unit_test(test_defaults_of_proto2),
        cmocka_unit_test(test_plain_strings_are_not_copied),
        cmocka_unit_test(test_bad_syntax),
        cmocka_unit_test(test_bad_strings),
        cmocka_unit_test(test_bad_numbers),
        cmocka_unit_test(test_bad_fields),
        cmocka_unit_test(test_unknown_fields_are_skipped_strictly),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_large_map),
        cmocka_unit_test(test_random_messages_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
