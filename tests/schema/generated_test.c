/* Messages as C structs: filled in by hand, sent through the codec, read by tables that were
 * built at run time. */
#include "base/test.h"

#include "kinds.pb.h"
#include "legacy.pb.h"
#include "names.pb.h"
#include "schema/descriptor.h"
#include "schema/json.h"
#include "schema/pool.h"

typedef struct Fixture {
    Arena arena;
    SchemaPool *pool; /* the same files, from their descriptors */
} Fixture;

static Fixture fixture;

static int set_up(void **state) {
    (void)state;
    SchemaPool *compiled = schema_pool_new();
    schema_pool_add(compiled, &kinds_proto);
    schema_pool_add(compiled, &names_proto);
    schema_pool_add(compiled, &legacy_proto);
    Span descriptors[64];
    size_t count = 0, at = 0;
    for (const SchemaFile *file; (file = schema_pool_next(compiled, &at)); count++)
        descriptors[count] = file->descriptor;
    fixture.pool = schema_pool_new();
    int r = schema_pool_add_files(fixture.pool, descriptors, count, NULL);
    schema_pool_free(compiled);
    return r;
}

static int tear_down(void **state) {
    (void)state;
    schema_pool_free(fixture.pool);
    arena_done(&fixture.arena);
    return 0;
}

static Span encode(const SchemaMessage *type, const void *message) {
    Span bytes;
    assert_int_equal(schema_encode(type, message, 0, &fixture.arena, &bytes), 0);
    return bytes;
}

static void *decode(const SchemaMessage *type, Span bytes) {
    void *message;
    SchemaError error;
    if (schema_decode(type, bytes, NULL, &fixture.arena, &message, &error) < 0)
        fail_msg("%s: %s", error.path, error.reason);
    return message;
}

static Span json_of(const SchemaMessage *type, const void *message) {
    Buf text = {.arena = &fixture.arena};
    SchemaError error;
    if (schema_json_encode(type, message, NULL, &text, &error) < 0)
        fail_msg("%s: %s", error.path, error.reason);
    return buf_span(&text);
}

/* Through bytes and JSON, by the compiled-in table and by the one built at run time. */
static void assert_round_trip(const SchemaMessage *type, const void *message) {
    Span bytes = encode(type, message);
    assert_true(schema_equal(type, message, decode(type, bytes)));
    Span json = json_of(type, message);
    void *from_json;
    assert_int_equal(schema_json_decode(type, json, NULL, &fixture.arena, &from_json, NULL), 0);
    assert_true(schema_equal(type, message, from_json));

    const SchemaMessage *dynamic = schema_pool_message(fixture.pool, span_of(type->full_name));
    assert_non_null(dynamic);
    void *other = decode(dynamic, bytes);
    assert_true(schema_equal(dynamic, message, other)); /* the layouts are the same */
    assert_true(span_equal(encode(dynamic, other), bytes));
    assert_true(span_equal(json_of(dynamic, other), json));
}

static void test_scalars(void **state) {
    (void)state;
    KindsLeaf leaf = {.number = -1, .text = SPAN("leaf")};
    KindsScalars scalars = {
        .double_ = 1.5,
        .float_ = -0.0f,
        .int64 = INT64_MIN,
        .uint64 = UINT64_MAX,
        .int32 = INT32_MIN,
        .fixed64 = 1,
        .fixed32 = UINT32_MAX,
        .bool_ = true,
        .string = SPAN("caf\u00e9"),
        .message = &leaf,
        .bytes = SPAN("\0\xff"),
        .uint32 = 7,
        .enum_ = KINDS_COLOUR_DARKEST,
        .sfixed32 = -2,
        .sfixed64 = -3,
        .sint32 = -4,
        .sint64 = -5,
    };
    assert_round_trip(&KindsScalars_type, &scalars);
    assert_round_trip(&KindsScalars_type, &(KindsScalars){0});
    assert_int_equal(encode(&KindsScalars_type, &(KindsScalars){0}).len, 0);
}

static void test_presence(void **state) {
    (void)state;
    KindsOptionals optionals = {.has_int32 = true, .has_string = true, .has_enum = true};
    assert_int_equal(encode(&KindsOptionals_type, &optionals).len, 6);
    assert_round_trip(&KindsOptionals_type, &optionals);
    KindsOptionals *back = decode(&KindsOptionals_type, encode(&KindsOptionals_type, &optionals));
    assert_true(back->has_int32 && back->has_string && back->has_enum);
    assert_false(back->has_double || back->has_bytes);
}

static void test_lists(void **state) {
    (void)state;
    KindsLists lists = {0};
    for (int i = 0; i < 3; i++) {
        *schema_append(&lists.double_, &fixture.arena) = i;
        *schema_append(&lists.bool_, &fixture.arena) = i % 2;
        *schema_append(&lists.string, &fixture.arena) = SPAN("text");
        *schema_append(&lists.enum_, &fixture.arena) = KINDS_COLOUR_BLUE;
        *schema_append(&lists.sint64, &fixture.arena) = -i;
        *schema_append(&lists.loose, &fixture.arena) = i;
        schema_append(&lists.message, &fixture.arena)->number = i;
        KindsLists *inner = schema_append(&lists.lists, &fixture.arena);
        *schema_append(&inner->fixed32, &fixture.arena) = 1;
    }
    assert_round_trip(&KindsLists_type, &lists);
}

static void test_maps(void **state) {
    (void)state;
    KindsMaps maps = {0};
    *schema_append(&maps.int32_int32, &fixture.arena) =
        (KindsMapsInt32Int32Entry){.key = -1, .value = 1};
    *schema_append(&maps.bool_bool, &fixture.arena) = (KindsMapsBoolBoolEntry){.key = true};
    *schema_append(&maps.string_bytes, &fixture.arena) =
        (KindsMapsStringBytesEntry){.key = SPAN("k"), .value = SPAN("v")};
    *schema_append(&maps.string_enum, &fixture.arena) =
        (KindsMapsStringEnumEntry){.key = SPAN("e"), .value = KINDS_COLOUR_LIME};
    KindsLeaf leaf = {.number = 5};
    *schema_append(&maps.string_message, &fixture.arena) =
        (KindsMapsStringMessageEntry){.key = SPAN("m"), .value = &leaf};
    assert_round_trip(&KindsMaps_type, &maps);
}

static void test_oneofs(void **state) {
    (void)state;
    KindsOneofs inner = {.which_tiny = KindsOneofs_no_number, .no = true};
    KindsOneofs oneofs = {
        .which_wide = KindsOneofs_self_number,
        .self = &inner,
        .which_narrow = KindsOneofs_int32_number,
        .int32 = 0, /* set, though empty */
    };
    assert_round_trip(&KindsOneofs_type, &oneofs);
    KindsOneofs *back = decode(&KindsOneofs_type, encode(&KindsOneofs_type, &oneofs));
    assert_int_equal(back->which_wide, KindsOneofs_self_number);
    assert_int_equal(back->which_narrow, KindsOneofs_int32_number);
    assert_int_equal(back->self->which_tiny, KindsOneofs_no_number);
}

static void test_well_known(void **state) {
    (void)state;
    PbTimestamp timestamp = {.seconds = 1};
    PbStringValue text = {.value = SPAN("t")};
    KindsWellKnown known = {.timestamp = &timestamp, .string_value = &text};
    assert_span(json_of(&KindsWellKnown_type, &known),
                "{\"timestamp\":\"1970-01-01T00:00:01Z\",\"stringValue\":\"t\"}");
    assert_round_trip(&KindsWellKnown_type, &known);
}

static void test_numbers(void **state) {
    (void)state;
    KindsNumbers numbers = {.last = 9, .first = 1, .far = 5, .sixteenth = 3};
    assert_round_trip(&KindsNumbers_type, &numbers);
    assert_int_equal(KindsNumbers_last_number, 536870911);
}

static void test_difficult_names(void **state) {
    (void)state;
    NamesKeywords keywords = {.int_ = 1,
                              .class_ = SPAN("c"),
                              .has_register = true,
                              .linux_ = 2,
                              .unknown_ = 3,
                              .which_switch = NamesKeywords_delete_number,
                              .delete_ = 4};
    assert_span(
        json_of(&NamesKeywords_type, &keywords),
        "{\"int\":1,\"class\":\"c\",\"delete\":4,\"register\":0,\"linux\":2,\"unknown\":3}");
    assert_round_trip(&NamesKeywords_type, &keywords);
    NamesClashes clashes = {
        .has_x = true, .has_x_ = true, .which_y = NamesClashes_a_number, .a = 1, .which_y_ = 2};
    assert_round_trip(&NamesClashes_type, &clashes);
    NamesJsonNames names = {
        ._leading = 1, .two__underscores = 2, .with_1_digit = 3, .CamelCase = 4, .renamed = 5};
    assert_span(
        json_of(&NamesJsonNames_type, &names),
        "{\"Leading\":1,\"twoUnderscores\":2,\"with1Digit\":3,\"CamelCase\":4,\"@other\":5}");
    assert_int_equal(NAMES_OUTER_INNER_KIND_2ND, 1);
    assert_int_equal(NAMES_EMPTY_ENUM__lower, 1);
}

static void test_services(void **state) {
    (void)state;
    const SchemaMethod *get = &NamesThings_service.methods[NamesThings_Get];
    assert_string_equal(get->path, "/names.Things/Get");
    assert_ptr_equal(get->output, &NamesOuter_type);
    assert_int_equal(get->idempotency, SCHEMA_NO_SIDE_EFFECTS);
    assert_int_equal(get->scope, SCHEMA_SCOPE_READ);
    assert_int_equal(get->http_count, 3);
    assert_string_equal(get->http[0].verb, "GET");
    assert_string_equal(get->http[0].pattern, "/v1/things/{name}");
    assert_string_equal(get->http[1].pattern, "/v1/all:things");
    assert_string_equal(get->http[2].verb, "FETCH");
    assert_string_equal(get->http[2].pattern, "/v1/\"quoted\"");
    assert_string_equal(get->http[2].response_body, "inner");
    const SchemaMethod *put = &NamesThings_service.methods[NamesThings_Put];
    assert_true(put->raw && put->client_streaming && !put->server_streaming);
    assert_int_equal(put->idempotency, SCHEMA_IDEMPOTENT);
    assert_string_equal(put->http[0].body, "*");
    const SchemaMethod *watch = &NamesThings_service.methods[NamesThings_Watch];
    assert_true(watch->deprecated && watch->server_streaming && !watch->client_streaming);
    assert_int_equal(watch->scope, SCHEMA_SCOPE_PUBLIC);
    const SchemaMethod *talk = &NamesThings_service.methods[NamesThings_Talk];
    assert_true(talk->client_streaming && talk->server_streaming);
    assert_int_equal(talk->scope, SCHEMA_SCOPE_CONTROL);
    assert_int_equal(NamesIdle_service.method_count, 0);
}

static void test_defaults(void **state) {
    (void)state;
    LegacyDefaults *empty = schema_new(&LegacyDefaults_type, &fixture.arena);
    assert_true(empty->double_ == -1.5e300 && empty->float_ == 0.1f);
    assert_true(empty->int64 == INT64_MIN && empty->uint64 == UINT64_MAX);
    assert_true(empty->int32 == INT32_MIN && empty->uint32 == UINT32_MAX && empty->bool_);
    assert_span(empty->string, "caf\u00e9 \"?? \n");
    assert_true(span_equal(empty->bytes, SPAN("\0\xff\\'x")));
    assert_int_equal(empty->level, LEGACY_LEVEL_HIGH);
    assert_int_equal(empty->first, LEGACY_LEVEL_LOW);
    assert_true(empty->infinite > 1e308 && empty->none != empty->none);
    assert_int_equal(encode(&LegacyDefaults_type, empty).len, 0);
    LegacyStrict *strict = schema_new(&LegacyStrict_type, &fixture.arena);
    strict->has_id = true;
    strict->part = schema_new(&LegacyStrictPart_type, &fixture.arena);
    schema_append(&strict->parts, &fixture.arena)->has_number = true;
    assert_round_trip(&LegacyStrict_type, strict);
}

/* A file that becomes known at run time and uses types that are compiled in. */
static void test_built_upon_compiled_in(void **state) {
    (void)state;
    SchemaPool *pool = schema_pool_new();
    schema_pool_add(pool, &kinds_proto);
    schema_pool_add(pool, &legacy_proto);
    void *file;
    SchemaError error;
    Span descriptor;
    const Span json =
        SPAN("{\"name\":\"on.proto\",\"syntax\":\"proto3\",\"dependency\":[\"kinds.proto\"],"
             "\"messageType\":[{\"name\":\"On\",\"field\":["
             "{\"name\":\"leaf\",\"number\":1,\"typeName\":\".kinds.Leaf\"},"
             "{\"name\":\"strict\",\"number\":2,\"typeName\":\".legacy.Strict\"},"
             "{\"name\":\"level\",\"number\":3,\"typeName\":\".legacy.Level\"}]},"
             "{\"name\":\"Off\",\"field\":["
             "{\"name\":\"when\",\"number\":1,\"typeName\":\".google.protobuf.Timestamp\"}]}]}");
    assert_int_equal(
        schema_json_decode(&PbFileDescriptorProto_type, json, NULL, &fixture.arena, &file, &error),
        0);
    descriptor = encode(&PbFileDescriptorProto_type, file);
    assert_int_equal(schema_pool_add_files(pool, &descriptor, 1, &error), 0);
    const SchemaMessage *on = schema_pool_message(pool, SPAN("On"));
    const SchemaMessage *off = schema_pool_message(pool, SPAN("Off"));
    assert_ptr_equal(on->fields[0].message, &KindsLeaf_type);
    assert_ptr_equal(on->fields[2].enumeration, &LegacyLevel_type);
    assert_int_equal(on->fields[2].flags, SCHEMA_CLOSED);
    assert_true(on->has_required);
    assert_false(off->has_required);
    assert_null(on->initial); /* without presence, 0 is empty whatever the enum says */
    assert_ptr_equal(on->file->dependencies[0], &kinds_proto);
    void *message = decode(off, SPAN("\x0a\x02\x08\x01"));
    assert_span(json_of(off, message), "{\"when\":\"1970-01-01T00:00:01Z\"}");
    schema_pool_free(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_presence),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_oneofs),
        cmocka_unit_test(test_well_known),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_difficult_names),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_built_upon_compiled_in),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
