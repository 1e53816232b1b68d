/* muster man: the manual, from the help texts. */
#include "cli/manual.h"

#include <ctype.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/options.h"

static const char HELP[] =
    "Usage: muster man\n"
    "\n"
    "Prints the manual page, in the language of man(7): muster man | man -l -\n"
    "\n"
    "  --help                 this text\n";

/* ---- help texts ---- */

static Span take_line(Span *rest) {
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    Span line = span(rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len);
    *rest = span_skip(*rest, line.len + 1);
    return line;
}

static Span take_word(Span *rest) {
    while (rest->len && *rest->ptr == ' ')
        *rest = span_skip(*rest, 1);
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != ' ' && rest->ptr[len] != ',')
        len++;
    Span word = span(rest->ptr, len);
    *rest = span_skip(*rest, len);
    return word;
}

bool help_next_option(Span *rest, HelpOption *ret) {
    while (rest->len) {
        Span line = take_line(rest);
        if (!span_starts(line, SPAN("  -")))
            continue;
        HelpOption option = {0};
        line = span_skip(line, 2);
        if (line.len > 4 && line.ptr[1] != '-') {
            option.letter = line.ptr[1];
            line = span_skip(line, 4);
        }
        Span name = take_word(&line);
        if (!span_starts(name, SPAN("--")))
            continue;
        option.name = span_skip(name, 2);
        /* One blank, and a word in capitals or quotes: what it takes. */
        if (line.len > 1 && line.ptr[0] == ' ' && line.ptr[1] != ' ')
            option.argument = take_word(&line);
        while (line.len && *line.ptr == ' ')
            line = span_skip(line, 1);
        option.text = line;
        *ret = option;
        return true;
    }
    return false;
}

bool help_takes_services(const Command *command) {
    Span rest = span_of(command->help), usage = take_line(&rest);
    return memmem(usage.ptr, usage.len, "SERVICE", 7) &&
           !memmem(usage.ptr, usage.len, "SERVICE/METHOD", 14);
}

/* ---- the manual ---- */

/* Text of a line: what roff would take for itself is escaped. */
static void print_text(Span text) {
    if (text.len && (*text.ptr == '.' || *text.ptr == '\''))
        fputs("\\&", stdout);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\')
            fputs("\\e", stdout);
        else if (text.ptr[i] == '-')
            fputs("\\-", stdout);
        else
            putchar(text.ptr[i]);
    }
    putchar('\n');
}

static void print_command(const Command *command) {
    printf(".SS muster %s\n", command->name);
    Span rest = span_of(command->help);
    Span usage = take_line(&rest);
    fputs(".B ", stdout);
    print_text(span_skip(usage, strlen("Usage: ")));
    fputs(".sp\n.nf\n", stdout);
    while (rest.len && *rest.ptr == '\n')
        rest = span_skip(rest, 1);
    while (rest.len)
        print_text(take_line(&rest));
    fputs(".fi\n", stdout);
}

static void print_manual(void) {
    fputs(".TH MUSTER 1 \"\" \"Muster\" \"Muster\"\n"
          ".SH NAME\n"
          "muster \\- start, watch and connect services written in any language\n"
          ".SH SYNOPSIS\n"
          ".B muster\nCOMMAND [options]\n"
          ".SH DESCRIPTION\n"
          "Muster is a service runtime: it starts the services of a project in order, watches and\n"
          "heals them, collects their output, and lets them find each other.\n",
          stdout);
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++) {
        printf(".SH ");
        for (const char *at = group->title; *at; at++)
            putchar(toupper((unsigned char)*at));
        putchar('\n');
        for (const Command *const *command = group->commands; *command; command++)
            print_command(*command);
    }
    fputs(".SH FILES\n"
          ".TP\n.B muster.yaml, muster.yml, services.toml, configs/services.toml, config.yaml\n"
          "The project's file, looked up in the current folder and then upwards.\n"
          ".TP\n.B .muster/\n"
          "What Muster keeps for a project, beside its file: the running runtime's address, its\n"
          "token, the store, output.\n"
          ".SH ENVIRONMENT\n"
          ".TP\n.B MUSTER_ADDRESS\nWhere the runtime is reached.\n"
          ".TP\n.B MUSTER_TOKEN\nThe token that it is asked with.\n"
          ".TP\n.B NO_COLOR, CI\nNo colour; no pictures that redraw themselves.\n"
          ".SH EXIT STATUS\n"
          "0 done, 1 the thing asked for failed, 2 wrong usage or configuration, 3 not there (no\n"
          "runtime, no such service), 4 timed out, 130 interrupted.\n",
          stdout);
}

static int take_option(void *owner, int option, char *value) {
    (void)owner;
    (void)option;
    (void)value;
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {OPTION_HELP, {0}};
    OptionSet set = {
        .command = &COMMAND_MAN, .options = OPTIONS, .short_options = "", .take = take_option};
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    print_manual();
    return EXIT_DONE;
}

const Command COMMAND_MAN = {
    .name = "man",
    .summary = "print the manual page",
    .help = HELP,
    .run = run,
};
