#include "cli/manual.h"

#include "base/test.h"

static void options_are_found_in_help_texts(void **state) {
    (void)state;
    Span rest = SPAN("Usage: muster x [options] SERVICE…\n"
                     "\n"
                     "Says something about --this.\n"
                     "\n"
                     "  -n, --lines COUNT      how many\n"
                     "                         of them\n"
                     "  -q, --quiet            no word\n"
                     "  --tls-key FILE         a key\n"
                     "  -H, --header 'NAME: VALUE'  metadata\n");
    HelpOption option;
    assert_true(help_next_option(&rest, &option));
    assert_int_equal(option.letter, 'n');
    assert_span(option.name, "lines");
    assert_span(option.argument, "COUNT");
    assert_span(option.text, "how many");
    assert_true(help_next_option(&rest, &option));
    assert_span(option.name, "quiet");
    assert_int_equal(option.argument.len, 0);
    assert_true(help_next_option(&rest, &option));
    assert_int_equal(option.letter, 0);
    assert_span(option.name, "tls-key");
    assert_span(option.argument, "FILE");
    assert_true(help_next_option(&rest, &option));
    assert_span(option.name, "header");
    assert_false(help_next_option(&rest, &option));
}

static void services_are_found_in_usage_lines(void **state) {
    (void)state;
    assert_true(help_takes_services(&(Command){.help = "Usage: muster stop [SERVICE…]\n"}));
    assert_false(help_takes_services(&(Command){.help = "Usage: muster call SERVICE/METHOD\n"}));
    assert_false(help_takes_services(&(Command){.help = "Usage: muster down\n\nSERVICE\n"}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_found_in_help_texts),
        cmocka_unit_test(services_are_found_in_usage_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
