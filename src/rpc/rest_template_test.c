#include "rpc/rest_template.h"

#include "base/test.h"

/* ---- parsing ---- */

static void test_malformed(void **state) {
    static const char *const MALFORMED[] = {
        "",        "v1",    "/",     "//",      "/a/",       "/a//b", "/{",        "/{}",
        "/{a",     "/{a=}", "/{a=b", "/{=b}",   "/a:",       "/**/b", "/{a=**}/b", "/a*",
        "/{a=b*}", "/***",  "/{a}b", "/{a=b/}", "/{a=**/*}", "/{a}/", "/a/{b}/{c",
    };
    for (size_t i = 0; i < sizeof MALFORMED / sizeof *MALFORMED; i++) {
        RestTemplate template;
        const char *why = NULL;
        if (rest_template_parse(span_of(MALFORMED[i]), &template, &why))
            fail_msg("'%s' was accepted", MALFORMED[i]);
        assert_non_null(why);
    }
}

static void test_bounds(void **state) {
    char text[512];
    RestTemplate template;
    const char *why;
    size_t len = 0;
    for (int i = 0; i < REST_SEGMENTS_MAX; i++)
        len += (size_t)sprintf(text + len, "/s");
    assert_true(rest_template_parse(span(text, len), &template, &why));
    len += (size_t)sprintf(text + len, "/s");
    assert_false(rest_template_parse(span(text, len), &template, &why));
    len = 0;
    for (int i = 0; i < REST_VARIABLES_MAX; i++)
        len += (size_t)sprintf(text + len, "/{v%d}", i);
    assert_true(rest_template_parse(span(text, len), &template, &why));
    len += (size_t)sprintf(text + len, "/{w}");
    assert_false(rest_template_parse(span(text, len), &template, &why));
}

/* ---- matching ---- */

/* Values joined by '|'; "-" where the path does not fit. */
static const char *match(const char *pattern, const char *path) {
    static char out[256];
    RestTemplate template;
    const char *why = NULL;
    Arena arena = {0};
    Span values[REST_VARIABLES_MAX];
    if (!rest_template_parse(span_of(pattern), &template, &why))
        fail_msg("%s: %s", pattern, why);
    strcpy(out, "-");
    if (rest_template_match(&template, span_of(path), &arena, values)) {
        size_t len = 0;
        out[0] = 0;
        for (int i = 0; i < template.variable_count; i++)
            len += (size_t)snprintf(out + len, sizeof out - len, "%s%.*s", i ? "|" : "",
                                    SPAN_ARGS(values[i]));
    }
    arena_done(&arena);
    return out;
}

static void test_match(void **state) {
    static const struct {
        const char *pattern, *path, *values;
    } CASES[] = {
        {"/v1/a", "/v1/a", ""},
        {"/v1/a", "/v1/a/", "-"},
        {"/v1/a", "/v1/", "-"},
        {"/v1/a", "/v1", "-"},
        {"/v1/a", "", "-"},
        {"/v1/a", "v1/a", "-"},
        {"/v1/a", "/v1/%61", ""}, /* an escaped letter is the letter */
        {"/v1/a", "/v1/A", "-"},
        {"/v1/*", "/v1/x", ""},
        {"/v1/*", "/v1/", "-"},
        {"/v1/{x}", "/v1/x%20y", "x y"},
        {"/v1/{x}", "/v1/a+b", "a+b"}, /* '+' is a space in queries only */
        {"/v1/{x}", "/v1/a%2Fb", "a/b"},
        {"/v1/{x}", "/v1/a%2", "-"},
        {"/v1/{x}", "/v1/a%zz", "-"},
        {"/v1/{x}", "/v1/a:b", "a:b"},
        {"/v1/{x}/{y.z}", "/v1/1/2", "1|2"},
        {"/v1/{x=a/*/b/*}", "/v1/a/1/b/2", "a/1/b/2"},
        {"/v1/{x=a/*/b/*}", "/v1/a/1/c/2", "-"},
        {"/v1/{x=a/*/b/**}", "/v1/a/1/b/2/3", "a/1/b/2/3"},
        {"/v1/{x=a/*/b/**}", "/v1/a/1/b/", "a/1/b/"},
        {"/v1/{x=a/*/b/**}", "/v1/a/1/b", "a/1/b"}, /* "**" may be nothing */
        {"/v1/{x=a/*/b/**}", "/v1/a/1", "-"},
        {"/v1/{x=**}", "/v1/a/b%2fc%20d", "a/b%2fc d"},
        {"/v1/{x=**}", "/v1/", ""},
        {"/v1/{x=**}", "/v1", ""},
        {"/v1/{x=**}", "/v2", "-"},
        {"/v1/{x=**}", "/v1/%2", "-"},
        {"/{x=**}", "/", ""},
        {"/v1/{x}:go", "/v1/a:go", "a"},
        {"/v1/{x}:go", "/v1/a:gone", "-"},
        {"/v1/{x}:go", "/v1/a", "-"},
        {"/v1/{x}:go", "/v1/:go", "-"},
        {"/v1/{x}:go", ":go", "-"},
        {"/v1/{x}:go", "go", "-"},
        {"/v1/{x=**}:go", "/v1/a/b:go", "a/b"},
        {"/v1/{x=**}:go", "/v1:go", ""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const char *got = match(CASES[i].pattern, CASES[i].path);
        if (strcmp(got, CASES[i].values) != 0)
            fail_msg("%s of %s: '%s', not '%s'", CASES[i].path, CASES[i].pattern, got,
                     CASES[i].values);
    }
}

/* ---- which first ---- */

static int compare(const char *a, const char *b) {
    RestTemplate first, second;
    const char *why;
    assert_true(rest_template_parse(span_of(a), &first, &why));
    assert_true(rest_template_parse(span_of(b), &second, &why));
    int order = rest_template_compare(&first, &second);
    int other = rest_template_compare(&second, &first);
    assert_true((order > 0) == (other < 0) && (order == 0) == (other == 0));
    return order;
}

static void test_order(void **state) {
    assert_true(compare("/v1/a", "/v1/{x}") < 0);
    assert_true(compare("/v1/{x}", "/v1/{x=**}") < 0);
    assert_true(compare("/v1/{x}:go", "/v1/a") < 0);
    assert_true(compare("/v1/a/b", "/v1/a") < 0);
    assert_int_equal(compare("/v1/{x}", "/v1/{y=*}"), 0);
    assert_int_equal(compare("/v1/{x}:go", "/v1/*:go"), 0);
    assert_int_not_equal(compare("/v1/{x}:go", "/v1/{x}:stop"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
