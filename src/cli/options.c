#include "cli/options.h"

#include <stdio.h>

#include "base/nearest.h"
#include "base/text.h"

static int unknown(const OptionSet *set, char *const *argv) {
    if (optopt > 0 && optopt < 128 && strchr(set->short_options, optopt))
        return cli_usage(set->command, "option without its value: -%c", optopt);
    const char *word = argv[optind - 1];
    if (strncmp(word, "--", 2) != 0)
        return cli_usage(set->command, "unknown option: %s", word);
    Span name = span_of(word + 2);
    const char *equals = memchr(name.ptr, '=', name.len);
    if (equals)
        name.len = (size_t)(equals - name.ptr);
    Nearest nearest = nearest_to(name);
    for (const struct option *option = set->options; option->name; option++) {
        if (span_equal(span_of(option->name), name))
            return cli_usage(set->command, "option %s: --%.*s",
                             option->has_arg ? "without its value" : "that takes no value",
                             SPAN_ARGS(name));
        nearest_consider(&nearest, span_of(option->name));
    }
    if (nearest.best.len)
        return cli_usage(set->command, "unknown option: --%.*s: did you mean --%.*s?",
                         SPAN_ARGS(name), SPAN_ARGS(nearest.best));
    return cli_usage(set->command, "unknown option: --%.*s", SPAN_ARGS(name));
}

static int count_arguments(const OptionSet *set, int argc, char *const *argv) {
    int count = argc - optind;
    if (count < set->least)
        return cli_usage(set->command, "missing argument: %s", set->arguments);
    if (set->most >= 0 && count > set->most)
        return cli_usage(set->command, "unexpected argument: %s", argv[optind + set->most]);
    return 0;
}

int options_read(const OptionSet *set, int argc, char **argv) {
    char letters[64];
    snprintf(letters, sizeof letters, "%sh%s", set->stop_at_first ? "+" : "", set->short_options);
    int option;
    opterr = 0;
    optind = 0; /* begin anew, and forget what an earlier scan has reordered */
    while ((option = getopt_long(argc, argv, letters, set->options, NULL)) != -1) {
        if (option == 'h') {
            fputs(set->command->help, stdout);
            return OPTIONS_HELPED;
        }
        int failed = option == '?' ? unknown(set, argv) : set->take(set->owner, option, optarg);
        if (failed)
            return failed;
    }
    return count_arguments(set, argc, argv);
}

int option_time(const Command *command, const char *option, const char *value, Nanos *ret) {
    static const struct {
        const char *unit;
        Nanos nanos;
    } UNITS[] = {{"ms", NANOS_PER_MILLI},
                 {"s", NANOS_PER_SECOND},
                 {"m", 60 * NANOS_PER_SECOND},
                 {"h", 3600 * NANOS_PER_SECOND}};
    size_t digits = strspn(value, "0123456789");
    uint64_t count;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (strcmp(value + digits, UNITS[i].unit) != 0 || !parse_u64(span(value, digits), &count) ||
            count == 0 || count > 1000000)
            continue;
        *ret = (Nanos)count * UNITS[i].nanos;
        return 0;
    }
    return cli_usage(command, "not a time: %s %s: write 500ms, 5s, 2m or 1h", option, value);
}
