/* muster completion: what a shell needs to complete our command lines, from the help texts. Names of
 * services are asked of the running runtime when they are needed. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/manual.h"
#include "cli/options.h"

static const char HELP[] =
    "Usage: muster completion bash|zsh|fish\n"
    "\n"
    "Prints the completion of a shell:\n"
    "\n"
    "  bash   muster completion bash >~/.local/share/bash-completion/completions/muster\n"
    "  zsh    muster completion zsh >~/.zfunc/_muster   (a folder of $fpath)\n"
    "  fish   muster completion fish >~/.config/fish/completions/muster.fish\n"
    "\n"
    "  --help                 this text\n";

#define LIST_SERVICES "muster ps --quiet 2>/dev/null"

/* ---- bash ---- */

static void print_words(const Command *command) {
    Span rest = span_of(command->help);
    HelpOption option;
    while (help_next_option(&rest, &option)) {
        printf(" --%.*s", SPAN_ARGS(option.name));
        if (option.letter)
            printf(" -%c", option.letter);
    }
}

static void print_bash(void) {
    puts("_muster() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} words services=\n"
         "    if [ \"$COMP_CWORD\" = 1 ]; then");
    fputs("        words='", stdout);
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++)
        for (const Command *const *command = group->commands; *command; command++)
            printf("%s ", (*command)->name);
    puts("--help --version'\n"
         "    else\n"
         "        case ${COMP_WORDS[1]} in");
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++) {
        for (const Command *const *command = group->commands; *command; command++) {
            printf("        %s) words='", (*command)->name);
            print_words(*command);
            printf("'%s ;;\n", help_takes_services(*command) ? " services=1" : "");
        }
    }
    puts("        esac\n"
         "    fi\n"
         "    if [ -n \"$services\" ] && [[ $word != -* ]]; then\n"
         "        words=$(" LIST_SERVICES ")\n"
         "    fi\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
         "    [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
         "}\n"
         "complete -F _muster muster");
}

/* ---- zsh ---- */

/* Inside single quotes, with what _arguments takes for itself escaped. */
static void print_zsh_text(Span text) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", c))
            printf("\\%c", c);
        else
            putchar(c);
    }
}

static void print_zsh_command(const Command *command) {
    printf("    %s)\n        _arguments", command->name);
    Span rest = span_of(command->help);
    HelpOption option;
    while (help_next_option(&rest, &option)) {
        printf(" \\\n            '--%.*s[", SPAN_ARGS(option.name));
        print_zsh_text(option.text);
        putchar(']');
        if (option.argument.len) {
            putchar(':');
            print_zsh_text(option.argument);
            fputs(":_files", stdout);
        }
        putchar('\'');
    }
    puts(help_takes_services(command) ? " \\\n            '*:service:_muster_services' ;;"
                                      : " \\\n            '*:file:_files' ;;");
}

static void print_zsh(void) {
    puts("#compdef muster\n"
         "_muster_services() {\n"
         "    local -a names\n"
         "    names=(${(f)\"$(" LIST_SERVICES ")\"})\n"
         "    compadd -a names\n"
         "}\n"
         "_muster() {\n"
         "    local -a commands=(");
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++) {
        for (const Command *const *command = group->commands; *command; command++) {
            printf("        '%s:", (*command)->name);
            print_zsh_text(span_of((*command)->summary));
            puts("'");
        }
    }
    puts("    )\n"
         "    if (( CURRENT == 2 )); then\n"
         "        _describe command commands\n"
         "        return\n"
         "    fi\n"
         "    local command=$words[2]\n"
         "    shift words\n"
         "    (( CURRENT-- ))\n"
         "    case $command in");
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++)
        for (const Command *const *command = group->commands; *command; command++)
            print_zsh_command(*command);
    puts("    esac\n"
         "}\n"
         "_muster \"$@\"");
}

/* ---- fish ---- */

static void print_fish_text(Span text) {
    putchar('\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'' || text.ptr[i] == '\\')
            putchar('\\');
        putchar(text.ptr[i]);
    }
    putchar('\'');
}

static void print_fish_command(const Command *command) {
    printf("complete -c muster -n __fish_use_subcommand -f -a %s -d ", command->name);
    print_fish_text(span_of(command->summary));
    putchar('\n');
    if (help_takes_services(command))
        printf("complete -c muster -n '__fish_seen_subcommand_from %s' -f -a "
               "'(__muster_services)'\n",
               command->name);
    Span rest = span_of(command->help);
    HelpOption option;
    while (help_next_option(&rest, &option)) {
        printf("complete -c muster -n '__fish_seen_subcommand_from %s' -l %.*s", command->name,
               SPAN_ARGS(option.name));
        if (option.letter)
            printf(" -s %c", option.letter);
        if (option.argument.len)
            fputs(" -r", stdout);
        fputs(" -d ", stdout);
        print_fish_text(option.text);
        putchar('\n');
    }
}

static void print_fish(void) {
    puts("function __muster_services\n"
         "    " LIST_SERVICES "\n"
         "end");
    for (const CommandGroup *group = COMMAND_GROUPS; group->title; group++)
        for (const Command *const *command = group->commands; *command; command++)
            print_fish_command(*command);
}

/* ---- the command ---- */

static int take_option(void *owner, int option, char *value) {
    (void)owner;
    (void)option;
    (void)value;
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {OPTION_HELP, {0}};
    OptionSet set = {
        .command = &COMMAND_COMPLETION,
        .options = OPTIONS,
        .short_options = "",
        .take = take_option,
        .arguments = "bash, zsh or fish",
        .least = 1,
        .most = 1,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    const char *shell = argv[optind];
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else if (strcmp(shell, "fish") == 0)
        print_fish();
    else
        return cli_usage(&COMMAND_COMPLETION, "unknown shell: %s: bash, zsh or fish", shell);
    return EXIT_DONE;
}

const Command COMMAND_COMPLETION = {
    .name = "completion",
    .summary = "print the completion for bash, zsh or fish",
    .help = HELP,
    .run = run,
};
