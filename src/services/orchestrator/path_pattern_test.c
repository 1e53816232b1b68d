#include "services/orchestrator/path_pattern.h"

#include "base/test.h"

static bool matches(const char *pattern, const char *path) {
    return path_matches(span_of(pattern), span_of(path));
}

static void folders_mean_all_below(void **state) {
    assert_true(matches("/p/src", "/p/src"));
    assert_true(matches("/p/src", "/p/src/a/b.ts"));
    assert_true(matches("/p/src/", "/p/src/a.ts"));
    assert_false(matches("/p/src", "/p/srcs/a.ts"));
    assert_false(matches("/p/src", "/p"));
}

static void stars_stand_for_others(void **state) {
    assert_true(matches("/p/*.ts", "/p/a.ts"));
    assert_false(matches("/p/*.ts", "/p/a/b.ts"));
    assert_true(matches("/p/**/*.ts", "/p/a/b/c.ts"));
    assert_true(matches("/p/**/*.ts", "/p/c.ts"));
    assert_false(matches("/p/**/*.ts", "/p/c.tsx"));
    assert_true(matches("/p/?.c", "/p/a.c"));
    assert_false(matches("/p/?.c", "/p/ab.c"));
    assert_true(matches("/p/**", "/p/x/y"));
    assert_true(matches("/p/a*b*c", "/p/aXbYbZc"));
}

static void ignoring_looks_at_every_part(void **state) {
    assert_true(path_is_ignored(SPAN("node_modules"), SPAN("/p/node_modules/x/y.js")));
    assert_true(path_is_ignored(SPAN("*.log"), SPAN("/p/a/b.log")));
    assert_false(path_is_ignored(SPAN("*.log"), SPAN("/p/a/b.logs")));
    assert_true(path_is_ignored(SPAN("out/gen"), SPAN("/p/out/gen/x")));
    assert_true(path_is_ignored(SPAN("/p/out"), SPAN("/p/out/x")));
    assert_false(path_is_ignored(SPAN("out"), SPAN("/p/about/x")));
}

static void roots_end_before_stars(void **state) {
    assert_span(path_pattern_root(SPAN("/p/src/**/*.ts")), "/p/src");
    assert_span(path_pattern_root(SPAN("/p/src")), "/p/src");
    assert_span(path_pattern_root(SPAN("/p/a*")), "/p");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_mean_all_below),
        cmocka_unit_test(stars_stand_for_others),
        cmocka_unit_test(ignoring_looks_at_every_part),
        cmocka_unit_test(roots_end_before_stars),
    };
    return cmocka_run_group_tests_name("path_pattern", tests, NULL, NULL);
}
