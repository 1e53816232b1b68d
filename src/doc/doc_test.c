#include <errno.h>

#include "base/test.h"
#include "doc/doc.h"

static Arena arena;

static const DocNode *read_text(DocFormat format, const char *text) {
    const DocNode *root = NULL;
    DocError error = {0};
    if (doc_read(&arena, format, SPAN("f"), span_of(text), &root, &error) < 0)
        fail_msg("%u:%u: %.*s", error.place.line, error.place.column, SPAN_ARGS(error.message));
    return root;
}

static void assert_refused(DocFormat format, const char *text, const char *wanted) {
    const DocNode *root = NULL;
    DocError error = {0};
    if (doc_read(&arena, format, SPAN("f"), span_of(text), &root, &error) == 0)
        fail_msg("accepted: %s", text);
    Buf got = {.arena = &arena};
    buf_printf(&got, "%.*s:%u:%u: %.*s", SPAN_ARGS(error.place.file), error.place.line,
               error.place.column, SPAN_ARGS(error.message));
    assert_span(buf_span(&got), wanted);
}

static void one_tree_whatever_the_format(void **state) {
    static const char *const TEXTS[] = {
        [DOC_YAML] = "n: 7\nf: 1.5\nb: true\ns: \"x\\ny\"\nl: [1, two]\nm: {z: 1, a: 2}\n",
        [DOC_TOML] = "n = 7\nf = 1.5\nb = true\ns = \"x\\ny\"\nl = [1, \"two\"]\n[m]\nz = 1\na = 2",
        [DOC_JSON] = "{\"n\": 7, \"f\": 1.5, \"b\": true, \"s\": \"x\\ny\", \"l\": [1, \"two\"],"
                     "\"m\": {\"z\": 1, \"a\": 2}}",
    };
    for (DocFormat format = DOC_YAML; format <= DOC_JSON; format++) {
        const DocNode *root = read_text(format, TEXTS[format]);
        assert_int_equal(root->map.count, 6);
        assert_int_equal(doc_get(root, SPAN("n"))->integer, 7);
        assert_true(doc_get(root, SPAN("f"))->real == 1.5);
        assert_span(doc_get(root, SPAN("f"))->text, "1.5");
        assert_true(doc_get(root, SPAN("b"))->kind == DOC_BOOL && doc_get(root, SPAN("b"))->flag);
        assert_span(doc_get(root, SPAN("s"))->text, "x\ny");
        const DocNode *list = doc_get(root, SPAN("l"));
        assert_int_equal(list->list.count, 2);
        assert_int_equal(list->list.items[1]->kind, DOC_STRING);
        assert_span(doc_get(root, SPAN("m"))->map.entries[0].key, "z");
    }
}

static void places(void **state) {
    const DocNode *yaml = read_text(DOC_YAML, "a:\n  - b: \"ü\"\n    c: 2\n");
    const DocNode *item = doc_get(yaml, SPAN("a"))->list.items[0];
    assert_int_equal(item->map.entries[1].place.line, 3);
    assert_int_equal(item->map.entries[1].place.column, 5);
    assert_int_equal(item->map.entries[1].value->place.column, 8);
    const DocNode *toml = read_text(DOC_TOML, "[[s]]\nname = \"k\"\n");
    const DocEntry *name = doc_find(doc_get(toml, SPAN("s"))->list.items[0], SPAN("name"));
    assert_int_equal(name->place.line, 2);
    assert_int_equal(name->value->place.column, 8);
    const DocNode *json = read_text(DOC_JSON, "{\n \"ü\": \"ü\", \"b\": 1}");
    assert_int_equal(json->map.entries[1].place.line, 2);
    assert_int_equal(json->map.entries[1].place.column, 12);
}

static DocKind kind_of(const char *scalar) {
    Buf text = {.arena = &arena};
    buf_printf(&text, "v: %s\n", scalar);
    return doc_get(read_text(DOC_YAML, buf_cstr(&text)), SPAN("v"))->kind;
}

static void yaml_scalars(void **state) {
    static const struct {
        const char *text;
        DocKind kind;
    } CASES[] = {
        {"", DOC_NULL},         {"~", DOC_NULL},        {"null", DOC_NULL},
        {"no", DOC_STRING},     {"true", DOC_BOOL},     {"0x1F", DOC_INTEGER},
        {"0o17", DOC_INTEGER},  {"+1", DOC_INTEGER},    {"-1", DOC_INTEGER},
        {"1.10", DOC_DOUBLE},   {".5", DOC_DOUBLE},     {"1e3", DOC_DOUBLE},
        {"-.inf", DOC_DOUBLE},  {"\"1\"", DOC_STRING},  {"!!str 1", DOC_STRING},
        {"10s", DOC_STRING},    {"1.2.3", DOC_STRING},  {"+-1", DOC_STRING},
        {"'true'", DOC_STRING}, {"|\n  1", DOC_STRING},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (kind_of(CASES[i].text) != CASES[i].kind)
            fail_msg("%s: %s", CASES[i].text, doc_kind_name(kind_of(CASES[i].text)));
}

static void yaml_quotes(void **state) {
    const DocNode *root = read_text(DOC_YAML, "a: 'it''s'\nb: '''''''''''''''''''''x'''\n"
                                              "c: 'one  \n   two\n\n\n  three'''\n"
                                              "'''d': [''''  , '']\n"
                                              "e: \"one\\n\\\"two\\\" \\\n   three\"\n");
    assert_span(doc_get(root, SPAN("a"))->text, "it's");
    assert_span(doc_get(root, SPAN("b"))->text, "''''''''''x'");
    assert_span(doc_get(root, SPAN("c"))->text, "one two\n\nthree'");
    assert_span(doc_get(root, SPAN("'d"))->list.items[0]->text, "'");
    assert_span(doc_get(root, SPAN("'d"))->list.items[1]->text, "");
    assert_int_equal(doc_get(root, SPAN("b"))->place.column, 4);
    assert_span(doc_get(root, SPAN("e"))->text, "one\n\"two\" three");
}

static void yaml_anchors(void **state) {
    const DocNode *root =
        read_text(DOC_YAML, "base: &b {x: 1, y: 2}\none: *b\ntwo:\n  <<: *b\n  y: 3\n");
    assert_int_equal(doc_get(doc_get(root, SPAN("one")), SPAN("y"))->integer, 2);
    assert_int_equal(doc_get(doc_get(root, SPAN("two")), SPAN("x"))->integer, 1);
    assert_int_equal(doc_get(doc_get(root, SPAN("two")), SPAN("y"))->integer, 3);
    root = read_text(DOC_YAML, "b: &b {m: {x: 1}}\nc: {<<: [*b], m: {y: 2}}\n");
    assert_int_equal(doc_get(doc_get(root, SPAN("c")), SPAN("m"))->map.count, 1);
}

static void empty_documents(void **state) {
    assert_int_equal(read_text(DOC_YAML, "")->kind, DOC_MAP);
    assert_int_equal(read_text(DOC_YAML, "# nothing\n")->kind, DOC_MAP);
    assert_int_equal(read_text(DOC_TOML, "")->map.count, 0);
}

static void refusals(void **state) {
    assert_refused(DOC_YAML, "a: 1\nb: 2\na: 3\n",
                   "f:3:1: key 'a' is there twice; first in line 1, column 1");
    assert_refused(DOC_JSON, "{\"a\": 1,\n \"a\": 3}",
                   "f:2:2: key 'a' is there twice; first in line 1, column 2");
    assert_refused(DOC_YAML, "a: *x\n", "f:1:5: no anchor 'x' stands before this alias");
    assert_refused(DOC_YAML, "a: &x [*x]\n", "f:1:9: no anchor 'x' stands before this alias");
    assert_refused(DOC_YAML, "a: !env X\n", "f:1:4: unknown tag '!env'");
    assert_refused(DOC_YAML, "[a]: 1\n", "f:1:1: a key must be a string");
    assert_refused(DOC_YAML, "a: \xff\n", "f:1:4: not UTF-8: byte 0xff cannot stand here");
    assert_refused(DOC_JSON, "{} x", "f:1:4: expected the end of the document");
    assert_refused(DOC_JSON, "{\"a\" 1}", "f:1:6: expected ':', found a number");
}

static void refused_somehow(DocFormat format, const char *text) {
    const DocNode *root;
    DocError error = {0};
    assert_int_not_equal(doc_read(&arena, format, SPAN("f"), span_of(text), &root, &error), 0);
    assert_true(error.message.len > 0);
}

static void bounds(void **state) {
    Buf laughs = {.arena = &arena}, deep = {.arena = &arena};
    buf_printf(&laughs, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&laughs, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            buf_printf(&laughs, "*a%d%s", i - 1, j < 9 ? ", " : "]\n");
    }
    for (int i = 0; i < 500; i++)
        buf_add_char(&deep, '[');
    refused_somehow(DOC_YAML, buf_cstr(&laughs));
    refused_somehow(DOC_YAML, buf_cstr(&deep));
    refused_somehow(DOC_JSON, buf_cstr(&deep));
    Buf toml = {.arena = &arena};
    buf_printf(&toml, "a = %s", buf_cstr(&deep));
    refused_somehow(DOC_TOML, buf_cstr(&toml));
    refused_somehow(DOC_TOML, "a = 1\na = 2\n");
    refused_somehow(DOC_YAML, "a: [1\nb: 2\n");
    refused_somehow(DOC_YAML, "--- a\n--- b\n");
    refused_somehow(DOC_JSON, "");
}

static void merging(void **state) {
    const DocNode *under = read_text(DOC_YAML, "a: {x: 1, y: 2}\nl: [1, 2]\n");
    const DocNode *over = read_text(DOC_YAML, "l: [3]\na: {y: 4, z: 5}\nb: 1\n");
    const DocNode *both = doc_merge(&arena, under, over), *a = doc_get(both, SPAN("a"));
    assert_int_equal(both->map.count, 3);
    assert_int_equal(doc_get(a, SPAN("x"))->integer, 1);
    assert_int_equal(doc_get(a, SPAN("y"))->integer, 4);
    assert_int_equal(a->map.count, 3);
    assert_int_equal(doc_get(both, SPAN("l"))->list.count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tree_whatever_the_format),
        cmocka_unit_test(places),
        cmocka_unit_test(yaml_scalars),
        cmocka_unit_test(yaml_quotes),
        cmocka_unit_test(yaml_anchors),
        cmocka_unit_test(empty_documents),
        cmocka_unit_test(refusals),
        cmocka_unit_test(bounds),
        cmocka_unit_test(merging),
    };
    int failed = cmocka_run_group_tests_name("doc/doc", tests, NULL, NULL);
    arena_done(&arena);
    return failed;
}
