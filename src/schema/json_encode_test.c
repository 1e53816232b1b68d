#include "base/test.h"

#include <errno.h>
#include <math.h>

#include "schema/json.h"
#include "schema/sample.h"

/* ---- Options --------------------------------------------------------------------------------- */

static Sample *sample_of(const char *text, Arena *arena) {
    Sample *sample;
    assert_int_equal(
        schema_json_decode(&Sample_type, span_of(text), NULL, arena, (void **)&sample, NULL), 0);
    return sample;
}

static void check_written(const Sample *sample, const SchemaJson *options, const char *wanted) {
    Buf out = {0};
    buf_add_literal(&out, "before");
    SchemaError error;
    if (schema_json_encode(&Sample_type, sample, options, &out, &error) < 0)
        fail_msg("%s: %s", error.path, error.reason);
    assert_span(span_skip(buf_span(&out), strlen("before")), wanted);
    buf_done(&out);
}

static void test_indent(void **state) {
    (void)state;
    Arena arena = {0};
    const Sample *sample =
        sample_of("{\"i32\":1,\"sub\":{},\"numbers\":[1,2],\"subs\":[{},{\"flag\":true}],"
                  "\"labels\":{\"a\":\"b\",\"c\":\"d\"}}",
                  &arena);
    check_written(sample, &(SchemaJson){.indent = 2},
                  "{\n"
                  "  \"i32\": 1,\n"
                  "  \"sub\": {},\n"
                  "  \"numbers\": [\n"
                  "    1,\n"
                  "    2\n"
                  "  ],\n"
                  "  \"subs\": [\n"
                  "    {},\n"
                  "    {\n"
                  "      \"flag\": true\n"
                  "    }\n"
                  "  ],\n"
                  "  \"labels\": {\n"
                  "    \"a\": \"b\",\n"
                  "    \"c\": \"d\"\n"
                  "  }\n"
                  "}");
    check_written(&(Sample){0}, &(SchemaJson){.indent = 2}, "{}");
    arena_done(&arena);
}

static void test_defaults(void **state) {
    (void)state;
    check_written(&(Sample){0}, &(SchemaJson){.emit_defaults = true},
                  "{\"i32\":0,\"i64\":\"0\",\"u32\":0,\"u64\":\"0\",\"s32\":0,\"s64\":\"0\","
                  "\"f32\":0,\"f64\":\"0\",\"sf32\":0,\"sf64\":\"0\",\"real\":0,\"wide\":0,"
                  "\"flag\":false,\"text\":\"\",\"data\":\"\",\"colour\":\"RED\",\"numbers\":[],"
                  "\"words\":[],\"subs\":[],\"stamps\":[],\"labels\":{},\"by_id\":{},"
                  "\"groups\":[],\"closeds\":[],\"colours\":{},\"stricts\":[],\"loose\":[],"
                  "\"strict_by_name\":{},\"far\":0,\"farthest\":0}");
}

static void test_enums(void **state) {
    (void)state;
    Sample sample = {.colour = BLUE, .has_closed = true};
    check_written(&sample, NULL, "{\"colour\":\"BLUE\",\"closed\":\"RED\"}");
    check_written(&sample, &(SchemaJson){.enum_numbers = true}, "{\"colour\":2,\"closed\":0}");
    sample.colour = -7;
    check_written(&sample, NULL, "{\"colour\":-7,\"closed\":\"RED\"}");
}

static void test_enum_with_aliases_and_gaps(void **state) {
    (void)state;
    static const SchemaEnumValue values[] = {
        {-5, 3, "LOW"}, {0, 4, "ZERO"}, {0, 3, "NIL"}, {1, 3, "ONE"}, {9, 4, "NINE"}};
    static const SchemaEnum type = {.values = values, .count = 5, .full_name = "test.Gaps"};
    static const SchemaField field = {.tag = 1 << 3,
                                      .offset = 8,
                                      .type = SCHEMA_ENUM,
                                      .shape = SCHEMA_REPEATED_FIELD,
                                      .enumeration = &type,
                                      .name = "e",
                                      .json_name = "e",
                                      .name_len = 1,
                                      .json_name_len = 1};
    struct {
        SchemaUnknown *unknown;
        SCHEMA_REPEATED(int32_t) e;
    } message = {.e = {(int32_t[]){-5, -4, 0, 1, 2, 9, INT32_MIN, INT32_MAX}, 8, 8}};
    static const SchemaMessage holder = {
        .fields = &field, .field_count = 1, .dense = 1, .size = sizeof message};
    Buf out = {0};
    assert_int_equal(schema_json_encode(&holder, &message, NULL, &out, NULL), 0);
    assert_span(buf_span(&out),
                "{\"e\":[\"LOW\",-4,\"ZERO\",\"ONE\",2,\"NINE\",-2147483648,2147483647]}");
    buf_done(&out);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void test_every_control_character(void **state) {
    (void)state;
    char text[0x20];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)i;
    check_written(&(Sample){.text = span(text, sizeof text)}, NULL,
                  "{\"text\":\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n"
                  "\\u000b\\f\\r\\u000e\\u000f\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016"
                  "\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f\"}");
}

/* A special character at every place of strings of every length near those of a register. */
static void test_escapes_at_every_place(void **state) {
    (void)state;
    static const char specials[] = {'"', '\\', '\n', '\x1f'};
    for (size_t len = 1; len <= 70; len++) {
        for (size_t at = 0; at < len; at++) {
            char text[70];
            memset(text, at % 2 ? '~' : ' ', sizeof text);
            text[at] = specials[(at + len) % sizeof specials];
            Arena arena = {0};
            Buf out = {.arena = &arena};
            Sample sample = {.text = span(text, len)};
            assert_int_equal(schema_json_encode(&Sample_type, &sample, NULL, &out, NULL), 0);
            Sample *back;
            assert_int_equal(schema_json_decode(&Sample_type, buf_span(&out), NULL, &arena,
                                                (void **)&back, NULL),
                             0);
            assert_true(span_equal(back->text, sample.text));
            arena_done(&arena);
        }
    }
}

static void test_keys(void **state) {
    (void)state;
    LabelsEntry label = {.key = SPAN("a\"b"), .value = SPAN("c")};
    ByIdEntry by_id = {.key = -1}; /* no message: an empty one */
    Sample sample = {.labels = {&label, 1, 1}, .by_id = {&by_id, 1, 1}};
    check_written(&sample, NULL, "{\"labels\":{\"a\\\"b\":\"c\"},\"by_id\":{\"-1\":{}}}");
}

/* ---- What cannot be said --------------------------------------------------------------------- */

static void check_refused(const Sample *sample, const SchemaJson *options, int code,
                          const char *path, const char *reason) {
    Buf out = {0};
    buf_add_literal(&out, "before");
    SchemaError error;
    assert_int_equal(schema_json_encode(&Sample_type, sample, options, &out, &error), code);
    assert_string_equal(error.path, path);
    assert_string_equal(error.reason, reason);
    assert_span(buf_span(&out), "before");
    buf_done(&out);
}

static void test_invalid_utf8(void **state) {
    (void)state;
    Sample bad = {.text = SPAN("only ASCII for a while, then \xc3")};
    check_refused(&bad, NULL, -EBADMSG, "text", "invalid UTF-8");
    Sample list = {.subs = {(Sample[]){{0}, bad}, 2, 2}};
    check_refused(&list, NULL, -EBADMSG, "subs[1].text", "invalid UTF-8");
    ByIdEntry entry = {.key = 12, .value = &bad};
    Sample map = {.by_id = {&entry, 1, 1}};
    check_refused(&map, NULL, -EBADMSG, "by_id[\"12\"].text", "invalid UTF-8");
    LabelsEntry label = {.key = SPAN("\xff")};
    check_refused(&(Sample){.labels = {&label, 1, 1}}, NULL, -EBADMSG, "labels", "invalid UTF-8");
}

static void test_depth(void **state) {
    (void)state;
    Sample nest[SCHEMA_DEPTH_MAX + 1] = {{0}};
    for (size_t i = 0; i < SCHEMA_DEPTH_MAX; i++)
        nest[i].sub = &nest[i + 1];
    Buf out = {0};
    assert_int_equal(schema_json_encode(&Sample_type, &nest[1], NULL, &out, NULL), 0);
    assert_int_equal(schema_json_encode(&Sample_type, nest, NULL, &out, NULL), -ELOOP);
    buf_done(&out);
    check_refused(nest, &(SchemaJson){.depth = 2}, -ELOOP, "sub.sub", "nested deeper than allowed");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_indent),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_enums),
        cmocka_unit_test(test_enum_with_aliases_and_gaps),
        cmocka_unit_test(test_every_control_character),
        cmocka_unit_test(test_escapes_at_every_place),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
