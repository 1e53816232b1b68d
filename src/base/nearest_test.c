#include "base/nearest.h"

#include "base/test.h"

static const char *nearest(const char *word, const char *const *names) {
    Nearest found = nearest_to(span_of(word));
    const char *best = NULL;
    for (; *names; names++) {
        Span before = found.best;
        nearest_consider(&found, span_of(*names));
        if (found.best.ptr != before.ptr)
            best = *names;
    }
    return best;
}

static void slips_are_understood(void **state) {
    (void)state;
    static const char *const NAMES[] = {"serve", "describe", "call", "components", "up", NULL};
    assert_string_equal(nearest("sevre", NAMES), "serve");
    assert_string_equal(nearest("serv", NAMES), "serve");
    assert_string_equal(nearest("calll", NAMES), "call");
    assert_string_equal(nearest("copmonets", NAMES), "components");
    assert_string_equal(nearest("pu", NAMES), "up");
}

static void other_words_are_not(void **state) {
    (void)state;
    static const char *const NAMES[] = {"serve", "call", "x", "", NULL};
    assert_null(nearest("restart", NAMES));
    assert_null(nearest("ballot", NAMES));
    assert_null(nearest("y", NAMES));
    assert_null(nearest("", NAMES));
    char long_word[100] = {0};
    memset(long_word, 'x', sizeof long_word - 1);
    assert_null(nearest(long_word, (const char *const[]){long_word, NULL}));
}

static void the_first_of_equals_is_kept(void **state) {
    (void)state;
    static const char *const NAMES[] = {"web1", "web2", NULL};
    assert_string_equal(nearest("web3", NAMES), "web1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_are_understood),
        cmocka_unit_test(other_words_are_not),
        cmocka_unit_test(the_first_of_equals_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
