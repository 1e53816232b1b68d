#include "base/test.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "schema/descriptor.h"
#include "schema/json.h"
#include "schema/pool.h"
#include "schema/wire.h"

/* Descriptors are given as JSON, with ' for ". */

typedef struct Fixture {
    Arena arena;
    SchemaPool *pool;
    SchemaError error;
} Fixture;

static int set_up(void **state) {
    Fixture *f = calloc(1, sizeof *f);
    f->pool = schema_pool_new();
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    Fixture *f = *state;
    schema_pool_free(f->pool);
    arena_done(&f->arena);
    free(f);
    return 0;
}

static Span encode(Fixture *f, const SchemaMessage *type, const char *json) {
    char *text = arena_text(&f->arena, span_of(json));
    for (char *at = text; *at; at++)
        if (*at == '\'')
            *at = '"';
    void *message;
    Span bytes;
    if (schema_json_decode(type, span_of(text), NULL, &f->arena, &message, &f->error) < 0)
        fail_msg("%s: %s in %s", f->error.path, f->error.reason, json);
    assert_int_equal(schema_encode(type, message, 0, &f->arena, &bytes), 0);
    return bytes;
}

static int add(Fixture *f, const char *json) {
    Span file = encode(f, &PbFileDescriptorProto_type, json);
    return schema_pool_add_files(f->pool, &file, 1, &f->error);
}

static void must_add(Fixture *f, const char *json) {
    if (add(f, json) < 0)
        fail_msg("%s: %s", f->error.path, f->error.reason);
}

static size_t count_files(const SchemaPool *pool) {
    size_t at = 0, count = 0;
    while (schema_pool_next(pool, &at))
        count++;
    return count;
}

/* What the file "f.proto" of package p must not hold, with what is said of it. */
typedef struct Refusal {
    const char *content, *path, *reason;
} Refusal;

#define MESSAGE(fields) "'messageType':[{'name':'M','field':[" fields "]}]"
#define FIELD(rest)     MESSAGE("{'name':'f','number':1," rest "}")
#define NUMBER(number)  MESSAGE("{'name':'f','type':'TYPE_INT32','number':" number "}")
#define ENTRY(fields, options)                                                                     \
    "'messageType':[{'name':'M','field':[{'name':'f','number':1,'label':'LABEL_REPEATED',"         \
    "'type':'TYPE_MESSAGE','typeName':'.p.M.E'}],'nestedType':[{'name':'E','options':{" options    \
    "},"                                                                                           \
    "'field':[" fields "]}]}]"
#define KEY(type)   "{'name':'key','number':1,'type':'" type "'}"
#define VALUE(type) "{'name':'value','number':2,'type':'" type "'}"

static const Refusal refusals[] = {
    {"'syntax':'proto4'", "f.proto", "syntax 'proto4', edition 0 is not known"},
    {"'syntax':'editions'", "f.proto", "syntax 'editions', edition 0 is not known"},
    {"'messageType':[{'name':'M'},{'name':'M'}]", "p.M",
     "is defined twice: in f.proto and f.proto"},
    {"'messageType':[{'name':'M'}],'service':[{'name':'M'}]", "p.M",
     "is defined twice: in f.proto and f.proto"},
    {"'messageType':[{'name':'1M'}]", "p", "has a member whose name is no identifier"},
    {"'messageType':[{}]", "p", "has a member whose name is no identifier"},
    {"'messageType':[{'name':'M','nestedType':[{'name':'a.b'}]}]", "p.M",
     "has a member whose name is no identifier"},

    {"'enumType':[{'name':'E'}]", "p.E", "has 0 values, not between 1 and 65535"},
    {"'enumType':[{'name':'E','value':[{'name':'A','number':1}]}]", "p.E",
     "its first value is 1, not 0 as in an open enum"},
    {"'enumType':[{'name':'E','value':[{'name':'A'},{'name':'A','number':1}]}]", "p.A",
     "is defined twice: in f.proto and f.proto"},
    {"'enumType':[{'name':'E','value':[{'name':'A'}]},{'name':'F','value':[{'name':'A'}]}]", "p.A",
     "is defined twice: in f.proto and f.proto"},

    {NUMBER("0"), "p.M.f", "its number 0 is out of range"},
    {NUMBER("-5"), "p.M.f", "its number -5 is out of range"},
    {NUMBER("536870912"), "p.M.f", "its number 536870912 is out of range"},
    {NUMBER("19500"), "p.M.f", "its number 19500 is out of range"},
    {MESSAGE(
         "{'name':'a','number':3,'type':'TYPE_INT32'},{'name':'b','number':3,'type':'TYPE_INT32'}"),
     "p.M.b", "has the number 3 of the field 'a'"},
    {MESSAGE(
         "{'name':'a','number':3,'type':'TYPE_INT32'},{'name':'a','number':4,'type':'TYPE_INT32'}"),
     "p.M.a", "two fields have this name"},
    {MESSAGE("{'number':3,'type':'TYPE_INT32'}"), "p.M.", "its name is no identifier"},
    {FIELD("'type':'TYPE_INT32','jsonName':'a\\\\b'"), "p.M.f",
     "its json_name holds characters that JSON would escape"},

    {FIELD("'typeName':''"), "p.M.f", "its type '' is not known"},
    {FIELD("'type':'TYPE_MESSAGE'"), "p.M.f", "its type '' is not known"},
    {FIELD("'type':'TYPE_MESSAGE','typeName':'.p.Gone'"), "p.M.f",
     "its type '.p.Gone' is not known"},
    {FIELD("'type':'TYPE_ENUM','typeName':'.p.M'"), "p.M.f", "its type '.p.M' is of another kind"},
    {FIELD("'typeName':'.p.S'") ",'service':[{'name':'S'}]", "p.M.f",
     "its type '.p.S' is of another kind"},
    {FIELD("'type':'TYPE_STRING','label':'LABEL_REPEATED','options':{'packed':true}"), "p.M.f",
     "cannot be packed"},
    {FIELD("'type':'TYPE_INT32','options':{'packed':true}"), "p.M.f", "cannot be packed"},

    {FIELD("'type':'TYPE_INT32','oneofIndex':0"), "p.M.f", "its oneof_index 0 is out of range"},
    {FIELD("'type':'TYPE_INT32','oneofIndex':-1"), "p.M.f", "its oneof_index -1 is out of range"},
    {"'messageType':[{'name':'M','oneofDecl':[{'name':'o'}]}]", "p.M",
     "its oneof 'o' has 0 members"},
    {"'messageType':[{'name':'M','oneofDecl':[{'name':'o'}],'field':["
     "{'name':'f','number':1,'type':'TYPE_INT32','label':'LABEL_REPEATED','oneofIndex':0}]}]",
     "p.M.f", "cannot be member of a oneof"},
    {"'messageType':[{'name':'M','oneofDecl':[{'name':'o'}],'field':["
     "{'name':'f','number':1,'type':'TYPE_INT32','label':'LABEL_REQUIRED','oneofIndex':0}]}]",
     "p.M.f", "a member of a oneof cannot be required"},
    {"'messageType':[{'name':'M','oneofDecl':[{'name':'o'}],'field':["
     "{'name':'f','number':1,'type':'TYPE_INT32','oneofIndex':0,'proto3Optional':true},"
     "{'name':'g','number':2,'type':'TYPE_INT32','oneofIndex':0}]}]",
     "p.M", "its oneof 'o' has 2 members"},
    {"'messageType':[{'name':'M','oneofDecl':[{'name':'o'},{'name':'o'}],'field':["
     "{'name':'f','number':1,'type':'TYPE_INT32','oneofIndex':0},"
     "{'name':'g','number':2,'type':'TYPE_INT32','oneofIndex':1}]}]",
     "p.M", "two of its oneofs are named 'o'"},

    {ENTRY(KEY("TYPE_FLOAT") "," VALUE("TYPE_INT32"), "'mapEntry':true"), "p.M.E",
     "is a map entry without a proper key and value"},
    {ENTRY(KEY("TYPE_INT32"), "'mapEntry':true"), "p.M.E",
     "is a map entry without a proper key and value"},
    {ENTRY(KEY("TYPE_INT32") "," VALUE("TYPE_INT32") ",{'name':'x','number':3,'type':'TYPE_BOOL'}",
           "'mapEntry':true"),
     "p.M.E", "is a map entry without a proper key and value"},
    {ENTRY(KEY("TYPE_INT32") ",{'name':'value','number':2,'type':'TYPE_INT32',"
                             "'label':'LABEL_REPEATED'}",
           "'mapEntry':true"),
     "p.M.E.value", "a map's key and value cannot be repeated"},
    {"'messageType':[{'name':'M','field':[{'name':'f','number':1,'typeName':'.p.M.E'}],"
     "'nestedType':[{'name':'E','options':{'mapEntry':true},'field':[" KEY("TYPE_INT32") "," VALUE(
         "TYPE_INT32") "]}]}]",
     "p.M.f", "uses the map entry p.M.E as a type"},
    {"'messageType':[{'name':'N','field':[{'name':'f','number':1,'label':'LABEL_REPEATED',"
     "'typeName':'.p.M.E'}]},{'name':'M',"
     "'nestedType':[{'name':'E','options':{'mapEntry':true},'field':[" KEY("TYPE_INT32") "," VALUE(
         "TYPE_INT32") "]}]}]",
     "p.N.f", "uses the map entry p.M.E as a type"},

    {FIELD("'type':'TYPE_INT32','defaultValue':'1'"), "p.M",
     "the default '1' does not suit its field 'f'"},

    {"'service':[{'name':'S','method':[{'name':'m','inputType':'.p.X','outputType':'.p.X'}]}]",
     "p.S.m", "'.p.X' is no message that is known"},
    {"'messageType':[{'name':'M'}],'service':[{'name':'S','method':["
     "{'name':'m','inputType':'.p.M','outputType':'M'},"
     "{'name':'m','inputType':'.p.M','outputType':'M'}]}]",
     "p.S.m", "is defined twice: in f.proto and f.proto"},
};

static void test_refusals(void **state) {
    Fixture *f = *state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        char json[1024];
        bool has_syntax = strstr(refusals[i].content, "'syntax'");
        snprintf(json, sizeof json, "{'name':'f.proto','package':'p',%s%s}",
                 has_syntax ? "" : "'syntax':'proto3',", refusals[i].content);
        f->error = (SchemaError){0};
        if (add(f, json) != -EINVAL)
            fail_msg("accepted: %s", json);
        assert_string_equal(f->error.reason, refusals[i].reason);
        assert_string_equal(f->error.path, refusals[i].path);
        assert_int_equal(count_files(f->pool), 0);
        assert_null(schema_pool_file(f->pool, SPAN("f.proto")));
        assert_null(schema_pool_file_of(f->pool, SPAN("p.M")));
        assert_null(schema_pool_file_of(f->pool, SPAN("p.E")));
    }
}

static void test_proto2_defaults_are_parsed_or_refused(void **state) {
    Fixture *f = *state;
    static const struct {
        const char *type, *text;
        bool fits;
    } cases[] = {
        {"TYPE_INT32", "2147483647", true},
        {"TYPE_INT32", "2147483648", false},
        {"TYPE_SINT32", "-2147483649", false},
        {"TYPE_UINT32", "4294967295", true},
        {"TYPE_FIXED32", "-1", false},
        {"TYPE_INT64", "9223372036854775808", false},
        {"TYPE_UINT64", "18446744073709551616", false},
        {"TYPE_INT32", "0x10", false},
        {"TYPE_INT32", "", false},
        {"TYPE_BOOL", "false", true},
        {"TYPE_BOOL", "1", false},
        {"TYPE_DOUBLE", "nan", true},
        {"TYPE_DOUBLE", "-inf", true},
        {"TYPE_DOUBLE", "infinity", false},
        {"TYPE_FLOAT", "inf", true},
        {"TYPE_FLOAT", "1e+20", true},
        {"TYPE_BYTES", "\\\\000\\\\xfF\\\\n\\\\\\\\", true},
        {"TYPE_BYTES", "\\\\", false},
        {"TYPE_BYTES", "\\\\777", false},
        {"TYPE_BYTES", "\\\\8", false},
        {"TYPE_BYTES", "\\\\x", false},
        {"TYPE_STRING", "\\\\", true},
        {"TYPE_ENUM", "B", true},
        {"TYPE_ENUM", "C", false},
        {"TYPE_MESSAGE", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[1024];
        const char *type_name = !strcmp(cases[i].type, "TYPE_ENUM")      ? "'typeName':'E',"
                                : !strcmp(cases[i].type, "TYPE_MESSAGE") ? "'typeName':'M',"
                                                                         : "";
        snprintf(json, sizeof json,
                 "{'name':'%zu.proto','package':'p%zu','enumType':[{'name':'E','value':["
                 "{'name':'A','number':7},{'name':'B','number':-3}]}],'messageType':[{'name':'M',"
                 "'field':[{'name':'f','number':1,%s'type':'%s','defaultValue':'%s'}]}]}",
                 i, i, type_name, cases[i].type, cases[i].text);
        int r = add(f, json);
        if (r != (cases[i].fits ? 0 : -EINVAL))
            fail_msg("%s of '%s': %d %s", cases[i].type, cases[i].text, r, f->error.reason);
    }
}

static const SchemaField *field(const Fixture *f, const char *message, const char *name) {
    const SchemaMessage *type = schema_pool_message(f->pool, span_of(message));
    assert_non_null(type);
    const SchemaField *found = schema_field_by_name(type, span_of(name));
    assert_non_null(found);
    return found;
}

/* syntax = "proto2": presence, groups, closed enums, expanded lists, required below. */
static void test_proto2(void **state) {
    Fixture *f = *state;
    must_add(f, "{'name':'old.proto','package':'old','enumType':[{'name':'E','value':["
                "{'name':'A','number':7},{'name':'B','number':-3}]}],'messageType':["
                "{'name':'Top','field':["
                "{'name':'e','number':1,'type':'TYPE_ENUM','typeName':'E'},"
                "{'name':'part','number':2,'type':'TYPE_GROUP','typeName':'Part'},"
                "{'name':'list','number':3,'type':'TYPE_INT32','label':'LABEL_REPEATED'},"
                "{'name':'text','number':4,'type':'TYPE_STRING','defaultValue':'hello'},"
                "{'name':'below','number':5,'type':'TYPE_MESSAGE','typeName':'Below'}],"
                "'nestedType':[{'name':'Part'}]},"
                "{'name':'Below','field':[{'name':'deep','number':1,'typeName':'Deep'}]},"
                "{'name':'Deep','field':[{'name':'top','number':1,'typeName':'Top'},"
                "{'name':'id','number':2,'type':'TYPE_INT32','label':'LABEL_REQUIRED'}]},"
                "{'name':'Free','field':[{'name':'free','number':1,'typeName':'Free'}]}]}");
    const SchemaField *e = field(f, "old.Top", "e");
    assert_int_equal(e->flags, SCHEMA_HAS | SCHEMA_CLOSED);
    assert_int_equal(e->enumeration->first, 7);
    const SchemaField *part = field(f, "old.Top", "part");
    assert_int_equal(part->type, SCHEMA_GROUP);
    assert_int_equal(part->tag, 2 << 3 | 3);
    assert_string_equal(part->message->full_name, "old.Top.Part");
    assert_int_equal(field(f, "old.Top", "list")->flags, 0);
    assert_int_equal(field(f, "old.Top", "list")->tag, 3 << 3);
    assert_int_equal(field(f, "old.Deep", "id")->flags, SCHEMA_HAS | SCHEMA_REQUIRED);
    assert_true(schema_pool_message(f->pool, SPAN("old.Top"))->has_required);
    assert_true(schema_pool_message(f->pool, SPAN("old.Below"))->has_required);
    assert_true(schema_pool_message(f->pool, SPAN("old.Deep"))->has_required);
    assert_false(schema_pool_message(f->pool, SPAN("old.Free"))->has_required);

    const SchemaMessage *top = schema_pool_message(f->pool, SPAN("old.Top"));
    void *message = schema_new(top, &f->arena);
    assert_int_equal(*(int32_t *)schema_at(message, e), 7);
    assert_false(schema_field_is_set(message, e));
    assert_span(*(Span *)schema_at(message, field(f, "old.Top", "text")), "hello");

    /* 99 is not in the enum and stays unknown; the group comes back as it was. */
    static const char bytes[] = "\x08\x07\x13\x50\x01\x14\x08\x63";
    Span input = span(bytes, sizeof bytes - 1), output;
    SchemaDecode options = {.allow_partial = true};
    assert_int_equal(schema_decode(top, input, &options, &f->arena, &message, &f->error), 0);
    assert_int_equal(*(int32_t *)schema_at(message, e), 7);
    assert_int_equal(schema_encode(top, message, 0, &f->arena, &output), 0);
    assert_true(span_equal(input, output));
}

/* Edition 2023: everything has presence, enums are open, lists packed, unless features say
 * otherwise. Features are fields that descriptor.proto of the day of protoc 3.21 does not have,
 * so they are appended as bytes. */
static void test_editions(void **state) {
    Fixture *f = *state;
    Span file =
        encode(f, &PbFileDescriptorProto_type,
               "{'name':'new.proto','syntax':'editions','messageType':[{'name':'M','field':["
               "{'name':'a','number':1,'type':'TYPE_INT32'},"
               "{'name':'b','number':2,'type':'TYPE_INT32','label':'LABEL_REPEATED'},"
               "{'name':'s','number':3,'type':'TYPE_STRING'},"
               "{'name':'m','number':4,'type':'TYPE_MESSAGE','typeName':'.M'}]}]}");
    Buf bytes = {.arena = &f->arena};
    buf_add(&bytes, file);
    buf_add_literal(&bytes, "\x70\xe8\x07"); /* edition = 1000 */
    Span descriptor = buf_span(&bytes);
    assert_int_equal(schema_pool_add_files(f->pool, &descriptor, 1, &f->error), 0);
    assert_int_equal(field(f, "M", "a")->flags, SCHEMA_HAS);
    assert_int_equal(field(f, "M", "b")->flags, SCHEMA_PACKED);
    assert_int_equal(field(f, "M", "s")->flags, SCHEMA_HAS | SCHEMA_UTF8);
    assert_int_equal(field(f, "M", "m")->type, SCHEMA_MESSAGE);

    /* options { features { field_presence: IMPLICIT, enum_type: CLOSED, repeated: EXPANDED,
     * utf8: NONE, message_encoding: DELIMITED } } */
    SchemaPool *other = schema_pool_new();
    buf_add_literal(&bytes, "\x42\x0d\x92\x03\x0a\x08\x02\x10\x02\x18\x02\x20\x03\x28\x02");
    descriptor = buf_span(&bytes);
    assert_int_equal(schema_pool_add_files(other, &descriptor, 1, &f->error), 0);
    const SchemaMessage *m = schema_pool_message(other, SPAN("M"));
    assert_int_equal(m->fields[0].flags, 0);
    assert_int_equal(m->fields[1].flags, 0);
    assert_int_equal(m->fields[2].flags, 0);
    assert_int_equal(m->fields[3].type, SCHEMA_GROUP);
    schema_pool_free(other);
}

/* A length-delimited field. */
static void put(Buf *out, uint32_t number, Span content) {
    char head[2 * WIRE_VARINT_MAX];
    size_t len = wire_put_varint(head, (uint64_t)number << 3 | WIRE_BYTES);
    len += wire_put_varint(head + len, content.len);
    buf_add(out, span(head, len));
    buf_add(out, content);
}

/* A file with message M and service S, whose method m has these options. */
static int add_method_with(Fixture *f, Span options) {
    Buf file = {.arena = &f->arena}, service = {.arena = &f->arena}, method = {.arena = &f->arena};
    buf_add(&file, encode(f, &PbFileDescriptorProto_type,
                          "{'name':'s.proto','syntax':'proto3','messageType':[{'name':'M'}]}"));
    buf_add(&method, encode(f, &PbMethodDescriptorProto_type,
                            "{'name':'m','inputType':'M','outputType':'.M'}"));
    put(&method, 4, options);
    put(&service, 1, SPAN("S"));
    put(&service, 2, buf_span(&method));
    put(&file, 6, buf_span(&service));
    Span descriptor = buf_span(&file);
    return schema_pool_add_files(f->pool, &descriptor, 1, &f->error);
}

/* An option may come in pieces, with others between them: they merge. */
static void test_options_in_pieces(void **state) {
    Fixture *f = *state;
    Buf options = {.arena = &f->arena};
    put(&options, 72295728, SPAN("\x12\x02/a"));        /* get: "/a" */
    buf_add_literal(&options, "\x98\xb8\x18\x01");      /* (muster.scope) = READ */
    buf_add_literal(&options, "\x88\x02\x01");          /* deprecated = true */
    put(&options, 72295728, SPAN("\x3a\x01*\x5a\x00")); /* body: "*", an empty binding */
    buf_add_literal(&options, "\x98\xb8\x18\x07");      /* (muster.scope) = 7: not ours */
    assert_int_equal(add_method_with(f, buf_span(&options)), 0);
    const SchemaMethod *method = &schema_pool_service(f->pool, SPAN("S"))->methods[0];
    assert_string_equal(method->path, "/S/m");
    assert_true(method->deprecated);
    assert_int_equal(method->scope, SCHEMA_SCOPE_CONTROL);
    assert_int_equal(method->http_count, 1);
    assert_string_equal(method->http[0].verb, "GET");
    assert_string_equal(method->http[0].pattern, "/a");
    assert_string_equal(method->http[0].body, "*");
    assert_string_equal(method->http[0].response_body, "");
}

static void test_malformed_http_rule(void **state) {
    Fixture *f = *state;
    Buf options = {.arena = &f->arena};
    put(&options, 72295728, SPAN("\x12\x7f"));
    assert_int_equal(add_method_with(f, buf_span(&options)), -EINVAL);
    assert_string_equal(f->error.path, "S.m");
    assert_non_null(strstr(f->error.reason, "google.api.http: "));
}

static void test_missing_imports_are_tolerated(void **state) {
    Fixture *f = *state;
    must_add(
        f, "{'name':'a.proto','dependency':['gogo.proto','b.proto'],'messageType':[{'name':'A'}]}");
    assert_int_equal(schema_pool_file(f->pool, SPAN("a.proto"))->dependency_count, 0);
    must_add(f, "{'name':'b.proto','dependency':['a.proto','validate.proto']}");
    assert_int_equal(schema_pool_file(f->pool, SPAN("b.proto"))->dependency_count, 1);
}

static void test_names_are_looked_up_by_scope(void **state) {
    Fixture *f = *state;
    must_add(f, "{'name':'a.proto','package':'a.b','messageType':["
                "{'name':'T'},{'name':'O','nestedType':[{'name':'T'},{'name':'I','field':["
                "{'name':'inner','number':1,'typeName':'T'},"
                "{'name':'outer','number':2,'typeName':'b.T'},"
                "{'name':'whole','number':3,'typeName':'a.b.T'}]}]}]}");
    assert_string_equal(field(f, "a.b.O.I", "inner")->message->full_name, "a.b.O.T");
    assert_string_equal(field(f, "a.b.O.I", "outer")->message->full_name, "a.b.T");
    assert_string_equal(field(f, "a.b.O.I", "whole")->message->full_name, "a.b.T");
}

/* As protoc does where a descriptor gives no json_name. */
static void test_json_names_are_made(void **state) {
    Fixture *f = *state;
    static const char *const names[][2] = {
        {"foo_bar", "fooBar"},
        {"_leading", "Leading"},
        {"trailing_", "trailing"},
        {"two__under", "twoUnder"},
        {"with_1_digit", "with1Digit"},
        {"CamelCase", "CamelCase"},
        {"a_B_c", "aBC"},
        {"_", ""},
    };
    Buf json = {.arena = &f->arena};
    buf_printf(&json, "{'name':'a.proto','messageType':[{'name':'M','field':[");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        buf_printf(&json, "%s{'name':'%s','number':%zu,'type':'TYPE_BOOL'}", i ? "," : "",
                   names[i][0], i + 1);
    buf_printf(&json, "]}]}");
    must_add(f, buf_cstr(&json));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(field(f, "M", names[i][0])->json_name, names[i][1]);
    assert_string_equal(field(f, "M", "fooBar")->name, "foo_bar");
}

static void test_all_or_nothing(void **state) {
    Fixture *f = *state;
    must_add(f, "{'name':'a.proto','messageType':[{'name':'A'}]}");
    Span files[] = {
        encode(f, &PbFileDescriptorProto_type, "{'name':'b.proto','messageType':[{'name':'B'}]}"),
        encode(f, &PbFileDescriptorProto_type, "{'name':'c.proto','messageType':[{'name':'A'}]}"),
    };
    assert_int_equal(schema_pool_add_files(f->pool, files, 2, &f->error), -EINVAL);
    assert_string_equal(f->error.path, "A");
    assert_string_equal(f->error.reason, "is defined twice: in a.proto and c.proto");
    assert_null(schema_pool_message(f->pool, SPAN("B")));
    assert_non_null(schema_pool_message(f->pool, SPAN("A")));
    assert_int_equal(count_files(f->pool), 1);
    assert_int_equal(schema_pool_add_files(f->pool, files, 1, NULL), 0);
    assert_int_equal(schema_pool_add_files(f->pool, files, 1, NULL), 0); /* passed over */
    assert_int_equal(count_files(f->pool), 2);
}

static void test_malformed_bytes(void **state) {
    Fixture *f = *state;
    Span bad = SPAN("\x0a\x7f");
    assert_int_equal(schema_pool_add_files(f->pool, &bad, 1, &f->error), -EBADMSG);
    assert_int_equal(schema_pool_add_set(f->pool, bad, &f->error), -EBADMSG);
    assert_int_equal(schema_pool_add_set(f->pool, SPAN("\x0a\x02\x0a\x7f"), &f->error), -EBADMSG);
    assert_int_equal(schema_pool_add_set(f->pool, SPAN(""), &f->error), 0);
    assert_int_equal(schema_pool_add_set(f->pool, SPAN("\x0a\x00"), &f->error), -EINVAL);
    assert_int_equal(count_files(f->pool), 0);
}

/* Comments and their positions are left out of what reflection hands on. */
static void test_descriptor_without_source(void **state) {
    Fixture *f = *state;
    must_add(f, "{'name':'a.proto','sourceCodeInfo':{'location':[{'leadingComments':'hush'}]},"
                "'syntax':'proto3'}");
    assert_span(schema_pool_file(f->pool, SPAN("a.proto"))->descriptor, "\x0a\x07"
                                                                        "a.proto\x62\x06proto3");
}

static void test_long_names_are_refused(void **state) {
    Fixture *f = *state;
    char name[2000], json[4096];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(json, sizeof json, "{'name':'a.proto','messageType':[{'name':'%s'}]}", name);
    assert_int_equal(add(f, json), -EINVAL);
    snprintf(json, sizeof json, "{'name':'a.proto','package':'%s'}", name);
    assert_int_equal(add(f, json), -EINVAL);
    assert_string_equal(f->error.reason, "its package name is too long");
    snprintf(json, sizeof json, "{'name':'a.proto','package':'a..b'}");
    assert_int_equal(add(f, json), -EINVAL);
    assert_string_equal(f->error.reason, "bad package name 'a..b'");
    snprintf(json, sizeof json, "{'name':'a.proto','package':'a.'}");
    assert_int_equal(add(f, json), -EINVAL);
}

/* Many short members of a long scope: small on the wire, large as full names. */
static void test_names_are_bounded_in_all(void **state) {
    Fixture *f = *state;
    char scope[991];
    memset(scope, 's', sizeof scope - 1);
    scope[sizeof scope - 1] = '\0';
    Buf json = {.arena = &f->arena};
    buf_printf(&json, "{'name':'a.proto','package':'%s','messageType':[", scope);
    for (int i = 0; i < 20000; i++)
        buf_printf(&json, "%s{'name':'m%d'}", i ? "," : "", i);
    buf_printf(&json, "]}");
    assert_int_equal(add(f, buf_cstr(&json)), -EINVAL);
    assert_string_equal(f->error.reason, "the names of all symbols take too much room");
}

/* A type of a well-known name is well known only in the shape that JSON relies on. */
static void test_well_known_by_shape(void **state) {
    Fixture *f = *state;
    must_add(f, "{'name':'t.proto','package':'google.protobuf','syntax':'proto3','messageType':["
                "{'name':'Duration','field':[{'name':'seconds','number':1,'type':'TYPE_INT64'},"
                "{'name':'nanos','number':2,'type':'TYPE_INT32'}]},"
                "{'name':'Timestamp','field':[{'name':'seconds','number':1,'type':'TYPE_STRING'},"
                "{'name':'nanos','number':2,'type':'TYPE_INT32'}]},"
                "{'name':'ListValue','field':[{'name':'values','number':1,'typeName':'Value',"
                "'label':'LABEL_REPEATED'}]},{'name':'Value'}]}");
    assert_int_equal(schema_pool_message(f->pool, SPAN("google.protobuf.Duration"))->well_known,
                     SCHEMA_DURATION);
    assert_int_equal(schema_pool_message(f->pool, SPAN("google.protobuf.Timestamp"))->well_known,
                     SCHEMA_ORDINARY);
    assert_int_equal(schema_pool_message(f->pool, SPAN("google.protobuf.ListValue"))->well_known,
                     SCHEMA_ORDINARY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_proto2_defaults_are_parsed_or_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_proto2, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_editions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_options_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_http_rule, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_imports_are_tolerated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_are_looked_up_by_scope, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_names_are_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptor_without_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_names_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_are_bounded_in_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_well_known_by_shape, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
