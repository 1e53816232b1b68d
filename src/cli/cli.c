#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_error(const char *format, va_list args) {
    fputs("muster: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_fail(ExitCode code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_error(format, args);
    va_end(args);
    return code;
}

int cli_usage(const Command *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_error(format, args);
    va_end(args);
    fprintf(stderr, "see: muster %s --help\n", command->name);
    return EXIT_USAGE;
}

#define WORD_MAX 32

/* Levenshtein distance of two short words. */
static size_t distance(const char *a, const char *b) {
    size_t row[WORD_MAX + 1], m = strlen(a), n = strlen(b);
    if (m > WORD_MAX || n > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t other = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            diagonal = row[j];
            row[j] = change < other ? change : other;
        }
    }
    return row[n];
}

const char *cli_nearest(const char *word, const char *const *names) {
    const char *nearest = NULL;
    size_t least = 1 + strlen(word) / 3;
    for (; *names; names++) {
        size_t steps = distance(word, *names);
        if (steps > least)
            continue;
        least = steps;
        nearest = *names;
    }
    return nearest;
}
