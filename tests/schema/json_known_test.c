/* The well-known types in JSON, compiled in and built at run time alike. */
#include "base/test.h"

#include <errno.h>
#include <math.h>

#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "kinds_pools.h"
#include "schema/json.h"
#include "schema/random_message.h"

static SchemaPool *pools[2];

static int make_pools(void **state) {
    (void)state;
    kinds_pools_new(pools);
    return 0;
}

static int free_pools(void **state) {
    (void)state;
    schema_pool_free(pools[0]);
    schema_pool_free(pools[1]);
    return 0;
}

/* ---- There and back -------------------------------------------------------------------------- */

typedef struct Case {
    const char *text;
    const char *canonical; /* NULL: the same */
} Case;

static void check_good(const SchemaPool *pool, const char *type_name, const Case *wanted,
                       bool ignore_unknown) {
    const SchemaMessage *type = schema_pool_message(pool, span_of(type_name));
    const SchemaJson options = {.types = pool, .ignore_unknown = ignore_unknown};
    Arena arena = {0};
    Buf out = {.arena = &arena};
    void *message;
    SchemaError error;
    if (schema_json_decode(type, span_of(wanted->text), &options, &arena, &message, &error) < 0)
        fail_msg("'%s': %s: %s at %zu", wanted->text, error.path, error.reason, error.offset);
    if (schema_json_encode(type, message, &options, &out, &error) < 0)
        fail_msg("'%s': %s: %s", wanted->text, error.path, error.reason);
    assert_span(buf_span(&out), wanted->canonical ? wanted->canonical : wanted->text);
    arena_done(&arena);
}

#define CHECK_GOOD(type, cases, ignore_unknown)                                                    \
    for (size_t i_ = 0; i_ < 2 * (sizeof cases / sizeof *cases); i_++)                             \
    check_good(pools[i_ % 2], type, &cases[i_ / 2], ignore_unknown)

static void test_times(void **state) {
    (void)state;
    static const Case cases[] = {
        {"{\"timestamp\":\"1970-01-01T00:00:00Z\"}", NULL},
        {"{\"timestamp\":\"0001-01-01T00:00:00Z\"}", NULL},
        {"{\"timestamp\":\"9999-12-31T23:59:59.999999999Z\"}", NULL},
        {"{\"timestamp\":\"1972-01-01T10:00:20.021Z\"}", NULL},
        {"{\"timestamp\":\"1972-01-01T10:00:20.0210Z\"}",
         "{\"timestamp\":\"1972-01-01T10:00:20.021Z\"}"},
        {"{\"timestamp\":\"1969-12-31T23:59:59.000001+01:00\"}",
         "{\"timestamp\":\"1969-12-31T22:59:59.000001Z\"}"},
        {"{\"timestamp\":null}", "{}"},
        {"{\"timestamps\":[\"2024-02-29T12:00:00.100Z\"]}", NULL},
        {"{\"duration\":\"0s\"}", NULL},
        {"{\"duration\":\"-0s\"}", "{\"duration\":\"0s\"}"},
        {"{\"duration\":\"1.5s\"}", "{\"duration\":\"1.500s\"}"},
        {"{\"duration\":\"-0.000000001s\"}", NULL},
        {"{\"duration\":\"-1.000001s\"}", NULL},
        {"{\"duration\":\"315576000000s\"}", NULL},
        {"{\"duration\":\"-315576000000.999999999s\"}", NULL},
    };
    CHECK_GOOD("kinds.WellKnown", cases, false);
}

static void test_field_masks(void **state) {
    (void)state;
    static const Case cases[] = {
        {"{\"fieldMask\":\"\"}", NULL},
        {"{\"fieldMask\":\"foo,barBaz.quxX\"}", NULL},
        {"{\"field_mask\":\"fooBar\"}", "{\"fieldMask\":\"fooBar\"}"},
    };
    CHECK_GOOD("kinds.WellKnown", cases, false);
}

static void test_values(void **state) {
    (void)state;
    static const Case cases[] = {
        {"{\"struct\":{}}", NULL},
        {"{\"struct\":{\"a\":null,\"b\":1.5,\"c\":\"x\",\"d\":true,\"e\":{\"f\":[]},\"g\":[1,[2]]}"
         "}",
         NULL},
        {"{\"value\":null}", NULL},
        {"{\"value\":\"1\"}", NULL},
        {"{\"value\":1e2}", "{\"value\":100}"},
        {"{\"value\":false}", NULL},
        {"{\"value\":{\"a\":{}}}", NULL},
        {"{\"value\":[]}", NULL},
        {"{\"listValue\":[null,false,0,\"\",{},[]]}", NULL},
        {"{\"listValue\":[]}", NULL},
        {"{\"listValue\":null,\"struct\":null}", "{}"},
        {"{\"values\":{\"a\":null,\"b\":[1]}}", NULL},
        {"{\"nullValue\":null}", "{}"},
        {"{\"nullValue\":\"NULL_VALUE\"}", "{}"},
        {"{\"empty\":{}}", NULL},
    };
    CHECK_GOOD("kinds.WellKnown", cases, false);
}

static void test_wrappers(void **state) {
    (void)state;
    static const Case cases[] = {
        {"{\"doubleValue\":0,\"floatValue\":\"NaN\",\"int64Value\":\"0\",\"uint64Value\":\"1\","
         "\"int32Value\":-1,\"uint32Value\":0,\"boolValue\":false,\"stringValue\":\"\","
         "\"bytesValue\":\"\"}",
         NULL},
        {"{\"doubleValue\":null,\"int64Value\":null,\"boolValue\":null,\"stringValue\":null}",
         "{}"},
        {"{\"int64_value\":1.0}", "{\"int64Value\":\"1\"}"},
    };
    CHECK_GOOD("kinds.WellKnown", cases, false);
}

static void test_any(void **state) {
    (void)state;
    static const Case cases[] = {
        {"{\"any\":{}}", NULL},
        {"{\"any\":{\"@type\":\"a.b/kinds.Leaf\",\"number\":1,\"text\":\"x\"}}", NULL},
        {"{\"any\":{\"number\":1,\"text\":\"@type\",\"@type\":\"a.b/kinds.Leaf\"}}",
         "{\"any\":{\"@type\":\"a.b/kinds.Leaf\",\"number\":1,\"text\":\"@type\"}}"},
        {"{\"any\":{\"@type\":\"/kinds.Leaf\"}}", NULL},
        {"{\"any\":{\"@type\":\"t/google.protobuf.Duration\",\"value\":\"1s\"}}", NULL},
        {"{\"any\":{\"value\":[1],\"@type\":\"t/google.protobuf.Value\"}}",
         "{\"any\":{\"@type\":\"t/google.protobuf.Value\",\"value\":[1]}}"},
        {"{\"any\":{\"@type\":\"t/google.protobuf.Int64Value\",\"value\":\"7\"}}", NULL},
        {"{\"any\":{\"@type\":\"t/google.protobuf.Empty\"}}", NULL},
        {"{\"any\":{\"@type\":\"t/google.protobuf.Any\",\"value\":{\"@type\":"
         "\"t/google.protobuf.Any\",\"value\":{\"@type\":\"t/kinds.Leaf\",\"number\":3}}}}",
         NULL},
        {"{\"any\":{\"lists\":[{\"int32\":[1,2]}],\"@type\":\"t/kinds.Lists\"}}",
         "{\"any\":{\"@type\":\"t/kinds.Lists\",\"lists\":[{\"int32\":[1,2]}]}}"},
        {"{\"any\":{\"@type\":\"t/legacy.Strict\",\"id\":1,\"part\":{\"text\":\"x\"}}}", NULL},
    };
    static const Case lenient[] = {
        {"{\"any\":{\"@type\":\"t/google.protobuf.Duration\",\"other\":[{}],\"value\":\"1s\"}}",
         "{\"any\":{\"@type\":\"t/google.protobuf.Duration\",\"value\":\"1s\"}}"},
        {"{\"any\":{\"other\":{\"@type\":7},\"@type\":\"t/kinds.Leaf\"}}",
         "{\"any\":{\"@type\":\"t/kinds.Leaf\"}}"},
    };
    CHECK_GOOD("kinds.WellKnown", cases, false);
    CHECK_GOOD("kinds.WellKnown", lenient, true);
}

static void test_as_documents(void **state) {
    (void)state;
    static const struct {
        const char *type;
        Case text;
    } cases[] = {
        {"google.protobuf.Value", {"null", NULL}},
        {"google.protobuf.Value", {" 1 ", "1"}},
        {"google.protobuf.Struct", {"{\"a\":1}", NULL}},
        {"google.protobuf.ListValue", {"[1]", NULL}},
        {"google.protobuf.Timestamp", {"\"1970-01-01T00:00:00Z\"", NULL}},
        {"google.protobuf.Int32Value", {"5", NULL}},
        {"google.protobuf.UInt64Value", {"\"18446744073709551615\"", NULL}},
        {"google.protobuf.FieldMask", {"\"a,b\"", NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t pool = 0; pool < 2; pool++)
            check_good(pools[pool], cases[i].type, &cases[i].text, false);
}

/* ---- What is refused ------------------------------------------------------------------------- */

typedef struct BadCase {
    const char *text, *path;
    size_t offset;
    const char *reason;
} BadCase;

static void check_bad(const SchemaPool *pool, const char *type_name, const BadCase *wanted) {
    const SchemaMessage *type = schema_pool_message(pool, span_of(type_name));
    const SchemaJson options = {.types = pool};
    Arena arena = {0};
    void *message = NULL;
    SchemaError error;
    if (schema_json_decode(type, span_of(wanted->text), &options, &arena, &message, &error) >= 0)
        fail_msg("'%s' was taken", wanted->text);
    if (strcmp(error.path, wanted->path) != 0 || error.offset != wanted->offset ||
        strcmp(error.reason, wanted->reason) != 0)
        fail_msg("'%s': got {\"%s\", %zu, \"%s\"}", wanted->text, error.path, error.offset,
                 error.reason);
    assert_null(message);
    arena_done(&arena);
}

#define CHECK_BAD(type, cases)                                                                     \
    for (size_t i_ = 0; i_ < 2 * (sizeof cases / sizeof *cases); i_++)                             \
    check_bad(pools[i_ % 2], type, &cases[i_ / 2])

static void test_bad_times(void **state) {
    (void)state;
    static const BadCase cases[] = {
        {"{\"timestamp\":0}", "timestamp", 13, "expected a string, found a number"},
        {"{\"timestamp\":\"0000-01-01T00:00:00Z\"}", "timestamp", 13,
         "expected a time as in RFC 3339, found \"0000-01-01T00:00:00Z\""},
        {"{\"timestamp\":\"0001-01-01T00:00:00+00:01\"}", "timestamp", 13,
         "expected a time as in RFC 3339, found \"0001-01-01T00:00:00+00:01\""},
        {"{\"timestamp\":\"2023-02-29T00:00:00Z\"}", "timestamp", 13,
         "expected a time as in RFC 3339, found \"2023-02-29T00:00:00Z\""},
        {"{\"timestamp\":\"1970-01-01t00:00:00Z\"}", "timestamp", 13,
         "expected a time as in RFC 3339, found \"1970-01-01t00:00:00Z\""},
        {"{\"timestamp\":\"1970-01-01T00:00:00\"}", "timestamp", 13,
         "expected a time as in RFC 3339, found \"1970-01-01T00:00:00\""},
        {"{\"timestamps\":[null]}", "timestamps[0]", 15, "expected an element, found null"},
        {"{\"duration\":\"1\"}", "duration", 12,
         "expected a duration such as \"1.5s\", found \"1\""},
        {"{\"duration\":\"s\"}", "duration", 12,
         "expected a duration such as \"1.5s\", found \"s\""},
        {"{\"duration\":\".5s\"}", "duration", 12,
         "expected a duration such as \"1.5s\", found \".5s\""},
        {"{\"duration\":\"1.s\"}", "duration", 12,
         "expected a duration such as \"1.5s\", found \"1.s\""},
        {"{\"duration\":\"+1s\"}", "duration", 12,
         "expected a duration such as \"1.5s\", found \"+1s\""},
        {"{\"duration\":\"1s \"}", "duration", 12,
         "expected a duration such as \"1.5s\", found \"1s \""},
        {"{\"duration\":\"0.1234567890s\"}", "duration", 12,
         "expected a duration such as \"1.5s\", found \"0.1234567890s\""},
        {"{\"duration\":\"315576000001s\"}", "duration", 12,
         "expected a duration such as \"1.5s\", found \"315576000001s\""},
        {"{\"duration\":\"99999999999999999999999s\"}", "duration", 12,
         "expected a duration such as \"1.5s\", found \"99999999999999999999999s\""},
    };
    CHECK_BAD("kinds.WellKnown", cases);
}

static void test_bad_values(void **state) {
    (void)state;
    static const BadCase cases[] = {
        {"{\"fieldMask\":\"foo_bar\"}", "field_mask", 13, "\"foo_bar\" is no path in camel case"},
        {"{\"fieldMask\":\"a,,b\"}", "field_mask", 13, "\"\" is no path in camel case"},
        {"{\"fieldMask\":[]}", "field_mask", 13, "expected a string, found a list"},
        {"{\"value\":}", "value", 9, "expected a value, found '}'"},
        {"{\"value\":1e999}", "value", 9, "1e999 is out of range for double"},
        {"{\"value\":[1,{\"a\":tru}]}", "value[1][\"a\"]", 17, "expected true"},
        {"{\"struct\":{\"a\":1,\"a\":2}}", "struct[\"a\"]", 17,
         "the key stands in the map already"},
        {"{\"struct\":[]}", "struct", 10, "expected an object, found a list"},
        {"{\"listValue\":{}}", "list_value", 13, "expected a list, found an object"},
        {"{\"nullValue\":\"null\"}", "null_value", 13,
         "google.protobuf.NullValue has no value 'null'"},
        {"{\"int32Value\":2147483648}", "int32_value", 14, "2147483648 is out of range for int32"},
        {"{\"int32Value\":{\"value\":1}}", "int32_value", 14, "expected a number, found an object"},
        {"{\"empty\":{\"a\":1}}", "empty", 10, "unknown field 'a'"},
        {"{\"stringvalue\":\"\"}", "", 1,
         "unknown field 'stringvalue'; did you mean 'string_value'?"},
        {"{\"string_Value\":\"\"}", "", 1,
         "unknown field 'string_Value'; did you mean 'string_value'?"},
    };
    CHECK_BAD("kinds.WellKnown", cases);
}

static void test_bad_any(void **state) {
    (void)state;
    static const BadCase cases[] = {
        {"{\"any\":[]}", "any", 7, "expected an object, found a list"},
        {"{\"any\":{\"number\":1}}", "any", 7, "expected a member \"@type\""},
        {"{\"any\":{\"@type\":1}}", "any", 16, "expected a string, found a number"},
        {"{\"any\":{\"@type\":\"kinds.Leaf\"}}", "any", 16,
         "expected a type URL with a '/', found \"kinds.Leaf\""},
        {"{\"any\":{\"@type\":\"t/\"}}", "any", 16, "expected a type URL with a '/', found \"t/\""},
        {"{\"any\":{\"@type\":\"t/kinds.Leav\"}}", "any", 16, "type 'kinds.Leav' is not known"},
        {"{\"any\":{\"@type\":\"t/kinds.Leaf\",\"@type\":\"t/kinds.Leaf\"}}", "any", 31,
         "unknown field '@type'"},
        {"{\"any\":{\"@type\":\"t/kinds.Leaf\",\"numbr\":1}}", "any", 31,
         "unknown field 'numbr'; did you mean 'number'?"},
        {"{\"any\":{\"@type\":\"t/kinds.Leaf\",\"number\":\"x\"}}", "any.number", 40,
         "expected int32, found \"x\""},
        {"{\"any\":{\"@type\":\"t/google.protobuf.Duration\"}}", "any", 7,
         "expected a member \"value\""},
        {"{\"any\":{\"@type\":\"t/google.protobuf.Duration\",\"value\":\"1s\",\"value\":\"1s\"}}",
         "any", 58, "the field is given twice"},
        {"{\"any\":{\"@type\":\"t/google.protobuf.Duration\",\"seconds\":1}}", "any", 45,
         "expected \"@type\" and \"value\" alone"},
        {"{\"any\":{\"@type\":\"t/legacy.Strict\"}}", "any.id", 34, "required field is not set"},
        {"{\"any\":{\"number\":[[,\"@type\":\"t/kinds.Leaf\"}}", "any", 19,
         "expected a value, found ','"},
    };
    CHECK_BAD("kinds.WellKnown", cases);
}

static void test_any_without_types(void **state) {
    (void)state;
    Arena arena = {0};
    void *message;
    SchemaError error;
    assert_int_equal(schema_json_decode(&PbAny_type, SPAN("{\"@type\":\"t/kinds.Leaf\"}"), NULL,
                                        &arena, &message, &error),
                     -EBADMSG);
    assert_string_equal(error.reason, "type 'kinds.Leaf' is not known");
    arena_done(&arena);
}

static int decode_repeated(const char *type_name, const char *head, const char *piece,
                           size_t count) {
    const SchemaMessage *type = schema_pool_message(pools[0], span_of(type_name));
    const SchemaJson options = {.types = pools[0]};
    Arena arena = {0};
    Buf text = {0};
    buf_add(&text, span_of(head));
    for (size_t i = 0; i < count; i++)
        buf_add(&text, span_of(piece));
    void *message;
    int r = schema_json_decode(type, buf_span(&text), &options, &arena, &message, NULL);
    buf_done(&text);
    arena_done(&arena);
    return r;
}

static void test_depth(void **state) {
    (void)state;
    assert_int_equal(decode_repeated("google.protobuf.Value", "", "[", 1000000), -ELOOP);
    assert_int_equal(decode_repeated("google.protobuf.Value", "", "{\"\":", 1000000), -ELOOP);
    assert_int_equal(decode_repeated("google.protobuf.Any", "",
                                     "{\"@type\":\"t/google.protobuf.Any\",\"value\":", 100000),
                     -ELOOP);
    assert_int_equal(decode_repeated("google.protobuf.Any", "", "{\"value\":", 1000000), -ELOOP);
}

/* Each level looks through all that is inside it. */
static int decode_late_types(int levels, size_t content) {
    const SchemaMessage *type = schema_pool_message(pools[0], SPAN("google.protobuf.Any"));
    const SchemaJson options = {.types = pools[0]};
    Arena arena = {0};
    Buf text = {.arena = &arena};
    for (int i = 0; i < levels; i++)
        buf_add_literal(&text, "{\"value\":");
    buf_add_literal(&text, "{\"text\":\"");
    memset(buf_reserve(&text, content), 'x', content);
    text.len += content;
    buf_add_literal(&text, "\",\"@type\":\"t/kinds.Leaf\"}");
    for (int i = 0; i < levels; i++)
        buf_add_literal(&text, ",\"@type\":\"t/google.protobuf.Any\"}");
    void *message;
    int r = schema_json_decode(type, buf_span(&text), &options, &arena, &message, NULL);
    arena_done(&arena);
    return r;
}

static void test_looking_ahead_is_bounded(void **state) {
    (void)state;
    assert_int_equal(decode_late_types(90, 10), 0);
    assert_int_equal(decode_late_types(6, 1 << 20), 0);
    assert_int_equal(decode_late_types(90, 1 << 20), -EBADMSG);
}

/* A Value takes more levels as a message than as text; what came in goes out nevertheless. */
static void test_deep_value_in_any(void **state) {
    (void)state;
    enum { LEVELS = SCHEMA_DEPTH_MAX - 2 };
    Buf text = {0};
    buf_add_literal(&text, "{\"any\":{\"@type\":\"t/google.protobuf.Value\",\"value\":");
    for (int i = 0; i < LEVELS; i++)
        buf_add_literal(&text, "{\"\":");
    buf_add_literal(&text, "null");
    for (int i = 0; i < LEVELS + 2; i++)
        buf_add_char(&text, '}');
    check_good(pools[0], "kinds.WellKnown", &(Case){buf_cstr(&text), NULL}, false);
    buf_done(&text);
}

/* ---- What cannot be written ------------------------------------------------------------------ */

static void check_refused(const SchemaMessage *type, const void *message, const char *path,
                          const char *reason) {
    const SchemaJson options = {.types = pools[0]};
    Buf out = {0};
    SchemaError error;
    assert_int_equal(schema_json_encode(type, message, &options, &out, &error), -EBADMSG);
    assert_string_equal(error.path, path);
    assert_string_equal(error.reason, reason);
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

static void test_times_out_of_range(void **state) {
    (void)state;
    check_refused(&PbTimestamp_type, &(PbTimestamp){.seconds = -62135596801}, "",
                  "a time outside the years 0001 to 9999");
    check_refused(&PbTimestamp_type, &(PbTimestamp){.seconds = 253402300800}, "",
                  "a time outside the years 0001 to 9999");
    check_refused(&PbTimestamp_type, &(PbTimestamp){.nanos = -1}, "",
                  "nanoseconds outside 0 to 999999999");
    check_refused(&PbTimestamp_type, &(PbTimestamp){.nanos = 1000000000}, "",
                  "nanoseconds outside 0 to 999999999");
    check_refused(&PbDuration_type, &(PbDuration){.seconds = 315576000001}, "",
                  "a duration of more than 315576000000 seconds");
    check_refused(&PbDuration_type, &(PbDuration){.seconds = INT64_MIN}, "",
                  "a duration of more than 315576000000 seconds");
    check_refused(&PbDuration_type, &(PbDuration){.nanos = INT32_MIN}, "",
                  "nanoseconds outside -999999999 to 999999999");
    check_refused(&PbDuration_type, &(PbDuration){.seconds = 1, .nanos = -1}, "",
                  "seconds and nanoseconds of different sign");
    check_refused(&PbDuration_type, &(PbDuration){.seconds = -1, .nanos = 1}, "",
                  "seconds and nanoseconds of different sign");
}

static void test_paths_that_do_not_survive(void **state) {
    (void)state;
    static const struct {
        Span path;
        const char *reason;
    } cases[] = {
        {SPAN("fooBar"), "path 'fooBar' does not survive camel case"},
        {SPAN("foo__bar"), "path 'foo__bar' does not survive camel case"},
        {SPAN("foo_3"), "path 'foo_3' does not survive camel case"},
        {SPAN("foo_"), "path 'foo_' does not survive camel case"},
        {SPAN("a,b"), "path 'a,b' does not survive camel case"},
        {SPAN("_Foo"), "path '_Foo' does not survive camel case"},
        {SPAN(""), "path '' does not survive camel case"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Span path = cases[i].path;
        check_refused(&PbFieldMask_type, &(PbFieldMask){.paths = {&path, 1, 1}}, "",
                      cases[i].reason);
    }
    Span odd = SPAN("\xff");
    check_refused(&PbFieldMask_type, &(PbFieldMask){.paths = {&odd, 1, 1}}, "", "invalid UTF-8");
}

static void test_values_that_json_lacks(void **state) {
    (void)state;
    PbValue none = {0}, nan = {.which_kind = PbValue_number_value_number, .number_value = NAN};
    PbListValue list = {.values = {&nan, 1, 1}};
    check_refused(&PbValue_type, &none, "", "a google.protobuf.Value without a kind");
    check_refused(&PbValue_type, &nan, "", "a google.protobuf.Value that is not finite");
    check_refused(&PbListValue_type, &list, "[0]", "a google.protobuf.Value that is not finite");
}

static void test_any_that_cannot_be_opened(void **state) {
    (void)state;
    check_refused(&PbAny_type, &(PbAny){.type_url = SPAN("kinds.Leaf")}, "",
                  "expected a type URL with a '/', found 'kinds.Leaf'");
    check_refused(&PbAny_type, &(PbAny){.value = SPAN("x")}, "",
                  "expected a type URL with a '/', found ''");
    check_refused(&PbAny_type, &(PbAny){.type_url = SPAN("t/kinds.None")}, "",
                  "type 'kinds.None' is not known");
    check_refused(&PbAny_type, &(PbAny){.type_url = SPAN("t/kinds.Leaf"), .value = SPAN("\x08")},
                  "", "malformed kinds.Leaf: cut short");
}

/* ---- Layout, names, numbers ------------------------------------------------------------------ */

static void test_indent(void **state) {
    (void)state;
    const SchemaMessage *type = schema_pool_message(pools[0], SPAN("kinds.WellKnown"));
    const SchemaJson options = {.types = pools[0], .indent = 2, .proto_names = true};
    Arena arena = {0};
    Buf out = {.arena = &arena};
    void *message;
    assert_int_equal(
        schema_json_decode(type,
                           SPAN("{\"any\":{\"@type\":\"t/google.protobuf.Duration\",\"value\":"
                                "\"1s\"},\"struct\":{\"a\":[],\"b\":{}},\"listValue\":[1]}"),
                           &options, &arena, &message, NULL),
        0);
    assert_int_equal(schema_json_encode(type, message, &options, &out, NULL), 0);
    assert_span(buf_span(&out), "{\n"
                                "  \"any\": {\n"
                                "    \"@type\": \"t/google.protobuf.Duration\",\n"
                                "    \"value\": \"1s\"\n"
                                "  },\n"
                                "  \"struct\": {\n"
                                "    \"a\": [],\n"
                                "    \"b\": {}\n"
                                "  },\n"
                                "  \"list_value\": [\n"
                                "    1\n"
                                "  ]\n"
                                "}");
    arena_done(&arena);
}

static void test_aliases_and_defaults_of_proto2(void **state) {
    (void)state;
    static const Case enums[] = {
        {"{\"enum\":[\"LIME\",1,\"DARKEST\",2147483647,99]}",
         "{\"enum\":[\"GREEN\",\"GREEN\",\"DARKEST\",\"BRIGHTEST\",99]}"},
    };
    static const Case strict[] = {
        {"{\"id\":0,\"level\":\"NEGATIVE\",\"levels\":[7],\"part\":{\"strict\":{\"id\":2}},"
         "\"parts\":[{}],\"byName\":{\"a\":\"ON\"}}",
         "{\"id\":0,\"level\":\"NEGATIVE\",\"levels\":[\"HIGH\"],\"part\":{\"strict\":{\"id\":2}},"
         "\"parts\":[{}],\"byName\":{\"a\":\"ON\"}}"},
    };
    static const Case defaults[] = {{"{\"int32\":null}", "{}"}, {"{\"chosen\":4}", NULL}};
    CHECK_GOOD("kinds.Lists", enums, false);
    CHECK_GOOD("legacy.Strict", strict, false);
    CHECK_GOOD("legacy.Defaults", defaults, false);
}

/* ---- Any message survives -------------------------------------------------------------------- */

static void check_survives(const SchemaMessage *type, uint64_t seed, const SchemaJson *options) {
    RandomMessage random = random_message(seed);
    random.json = true;
    Arena arena = {0};
    Buf text = {.arena = &arena};
    SchemaError error;
    void *back;
    const void *message = random_message_new(&random, type, &arena);
    if (schema_json_encode(type, message, options, &text, &error) < 0)
        fail_msg("%s not written: %s: %s", type->full_name, error.path, error.reason);
    if (schema_json_decode(type, buf_span(&text), options, &arena, &back, &error) < 0)
        fail_msg("%s not read: %s: %s in %.*s", type->full_name, error.path, error.reason,
                 SPAN_ARGS(buf_span(&text)));
    if (!schema_equal(type, message, back))
        fail_msg("%s came back otherwise: %.*s", type->full_name, SPAN_ARGS(buf_span(&text)));
    arena_done(&arena);
}

/* Whether two fields are written alike, which proto2 lets pass with a warning. */
static bool shares_json_name(const SchemaMessage *type) {
    for (size_t i = 0; i < type->field_count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(type->fields[i].json_name, type->fields[j].json_name) == 0)
                return true;
    return false;
}

static void test_random_messages_survive(void **state) {
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        const SchemaFile *file;
        for (size_t at = 0; (file = schema_pool_next(pools[p], &at));)
            for (uint64_t seed = 0; seed < 16 * file->message_count; seed++) {
                const SchemaMessage *type = file->messages[seed / 16];
                SchemaJson options = {.types = pools[p],
                                      .proto_names = seed & 1,
                                      .emit_defaults = seed >> 1 & 1,
                                      .enum_numbers = seed >> 2 & 1,
                                      .indent = seed >> 3 & 1};
                if (!type->map_entry && !shares_json_name(type))
                    check_survives(type, seed, &options);
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_field_masks),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrappers),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_as_documents),
        cmocka_unit_test(test_bad_times),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_bad_any),
        cmocka_unit_test(test_any_without_types),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_looking_ahead_is_bounded),
        cmocka_unit_test(test_deep_value_in_any),
        cmocka_unit_test(test_times_out_of_range),
        cmocka_unit_test(test_paths_that_do_not_survive),
        cmocka_unit_test(test_values_that_json_lacks),
        cmocka_unit_test(test_any_that_cannot_be_opened),
        cmocka_unit_test(test_indent),
        cmocka_unit_test(test_aliases_and_defaults_of_proto2),
        cmocka_unit_test(test_random_messages_survive),
    };
    return cmocka_run_group_tests(tests, make_pools, free_pools);
}
