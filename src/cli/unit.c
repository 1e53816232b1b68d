/* muster unit: a unit of systemd that runs the project of this folder. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "cli/options.h"
#include "runtime/project.h"

static const char HELP[] =
    "Usage: muster unit [options]\n"
    "\n"
    "Prints a unit with which systemd starts the project of this folder when its user logs in (or "
    "at\n"
    "boot: loginctl enable-linger), and stops it:\n"
    "\n"
    "  muster unit >~/.config/systemd/user/NAME.service\n"
    "  systemctl --user enable --now NAME\n"
    "\n"
    "  -f, --file FILE        the project's file, as for muster up; repeatable\n"
    "  --data DIR             the data folder, as for muster up\n"
    "  --help                 this text\n";

typedef struct Unit {
    ARRAY(const char *) files;
    const char *data;
} Unit;

/* A word of a command line: quoted, with '%', '$', '"' and '\' as systemd.syntax(7) wants them. */
static void print_word(const char *word) {
    fputs(" \"", stdout);
    for (; *word; word++) {
        if (*word == '"' || *word == '\\')
            putchar('\\');
        if (*word == '%' || *word == '$')
            putchar(*word);
        putchar(*word);
    }
    putchar('"');
}

static void print_command(const char *name, const char *program, const char *command,
                          const Unit *unit, bool files) {
    printf("%s=", name);
    fputs("\"", stdout);
    for (const char *at = program; *at; at++) {
        if (*at == '%')
            putchar('%');
        putchar(*at);
    }
    printf("\" %s", command);
    for (size_t i = 0; files && i < unit->files.count; i++) {
        fputs(" -f", stdout);
        print_word(unit->files.items[i]);
    }
    if (unit->data) {
        fputs(" --data", stdout);
        print_word(unit->data);
    }
    putchar('\n');
}

/* Without "..", which systemd does not take in a folder's path, where it is there. */
static const char *absolute(Arena *arena, const char *here, const char *path) {
    Buf text = {.arena = arena};
    char *resolved = realpath(path, NULL);
    if (resolved) {
        buf_add(&text, span_of(resolved));
        free(resolved);
        return buf_cstr(&text);
    }
    if (path[0] != '/')
        buf_printf(&text, "%s/", here);
    buf_add(&text, span_of(path));
    return buf_cstr(&text);
}

/* The project's folder, where the unit works; what names are relative to is not that where the
 * command was typed below it. */
static int find_folder(Unit *unit, Arena *arena, const char **ret_folder) {
    char here[4096];
    Buf path = {.arena = arena}, reason = {.arena = arena};
    if (!getcwd(here, sizeof here))
        return cli_fail(EXIT_FAILED, "the current folder is gone: change to another");
    if (!unit->files.count && project_find(here, &path, &reason) < 0)
        return cli_fail(EXIT_USAGE, "%.*s", SPAN_ARGS(buf_span(&reason)));
    for (size_t i = 0; i < unit->files.count; i++)
        unit->files.items[i] = absolute(arena, here, unit->files.items[i]);
    if (unit->data)
        unit->data = absolute(arena, here, unit->data);
    Span first = unit->files.count ? span_of(unit->files.items[0]) : buf_span(&path);
    *ret_folder = arena_text(arena, config_folder(first));
    return 0;
}

static int print_unit(const Unit *unit, const char *folder) {
    char program[4096];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len < 0)
        return cli_fail(EXIT_FAILED, "it is not known where this program lies: is /proc mounted?");
    program[len] = 0;
    const char *slash = strrchr(folder, '/');
    const char *name = slash && slash[1] ? slash + 1 : "project";
    printf("[Unit]\n"
           "Description=%s, run by Muster\n"
           "\n"
           "[Service]\n"
           "# Services belong to Muster's keeper, so that the unit is there as long as it is.\n"
           "Type=oneshot\n"
           "RemainAfterExit=yes\n"
           "WorkingDirectory=%s\n",
           name, folder);
    print_command("ExecStart", program, "up -d", unit, true);
    print_command("ExecStop", program, "down", unit, false);
    printf("TimeoutStartSec=infinity\n"
           "TimeoutStopSec=120\n"
           "# So that limits on memory and processors hold for each service.\n"
           "Delegate=yes\n"
           "LimitNOFILE=65536\n"
           "\n"
           "[Install]\n"
           "WantedBy=default.target\n");
    return EXIT_DONE;
}

enum { OPT_DATA = 256 };

static int take_option(void *owner, int option, char *value) {
    Unit *unit = owner;
    if (option == OPT_DATA)
        unit->data = value;
    else
        *array_push(&unit->files) = value;
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        OPTION_HELP,
        {"file", required_argument, NULL, 'f'},
        {"data", required_argument, NULL, OPT_DATA},
        {0},
    };
    Unit unit = {0};
    OptionSet set = {
        .command = &COMMAND_UNIT,
        .options = OPTIONS,
        .short_options = "f:",
        .take = take_option,
        .owner = &unit,
    };
    int result = options_read(&set, argc, argv);
    Arena arena = {0};
    const char *folder;
    if (!result)
        result = find_folder(&unit, &arena, &folder);
    if (!result)
        result = print_unit(&unit, folder);
    arena_done(&arena);
    array_done(&unit.files);
    return result == OPTIONS_HELPED ? EXIT_DONE : result;
}

const Command COMMAND_UNIT = {
    .name = "unit",
    .summary = "print a systemd unit for the project",
    .help = HELP,
    .run = run,
};
