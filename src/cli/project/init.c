/* muster init: a first muster.yaml. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/project/draft.h"
#include "config/config.h"

static const char HELP[] =
    "Usage: muster init [options]\n"
    "\n"
    "Writes a first muster.yaml from what lies in this folder: a Procfile, docker-compose.yml,\n"
    "package.json, Cargo.toml, go.mod, programs in Python and others, here and one folder below.\n"
    "\n"
    "  --print                print it instead\n"
    "  --force                also where there is one, which is written over\n"
    "  -q, --quiet            say nothing but what is wrong\n"
    "  --help                 this text\n";

#define FILE_NAME "muster.yaml"

typedef struct Init {
    bool print, force, quiet;
} Init;

/* A file of a project in this very folder, where there is one. */
static bool has_project(const char *folder, Buf *ret_path) {
    return config_find(&CONFIG_WORLD, span_of(folder), ret_path) == 0 &&
           span_starts(buf_span(ret_path), span_of(folder));
}

static int write_file(const Init *init, Span text) {
    int fd =
        open(FILE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC | (init->force ? O_TRUNC : O_EXCL), 0644);
    if (fd < 0)
        return cli_fail(EXIT_FAILED, "cannot write: " FILE_NAME ": %s", strerror(errno));
    ssize_t written = write(fd, text.ptr, text.len);
    int error = written == (ssize_t)text.len ? 0 : errno;
    if (close(fd) < 0)
        error = errno;
    if (error)
        return cli_fail(EXIT_FAILED, "cannot write: " FILE_NAME ": %s", strerror(error));
    return EXIT_DONE;
}

static void tell(const Draft *draft) {
    if (!draft->services.count)
        puts("wrote " FILE_NAME " with an example: nothing here says how it is run");
    else
        printf("wrote " FILE_NAME " with %zu service%s:\n", draft->services.count,
               draft->services.count == 1 ? "" : "s");
    for (size_t i = 0; i < draft->services.count; i++) {
        const DraftService *service = &draft->services.items[i];
        printf("  %.*s: %.*s (%.*s)\n", SPAN_ARGS(service->name),
               SPAN_ARGS(service->external ? SPAN("external") : service->command),
               SPAN_ARGS(service->reason));
    }
    puts("look through it, then: muster up");
}

/* Files that say something which cannot be read; they must not be all that there is. */
static int tell_problems(const Draft *draft) {
    for (size_t i = 0; i < draft->problems.count; i++)
        cli_fail(EXIT_FAILED, "passed over: %.*s", SPAN_ARGS(draft->problems.items[i]));
    if (!draft->problems.count || draft->services.count)
        return EXIT_DONE;
    return cli_fail(EXIT_FAILED,
                    "nothing written: nothing else here says what is run: mend that file, or move "
                    "it away for an example");
}

static int make(const Init *init) {
    char folder[4096];
    Buf known = {0}, text = {0};
    Draft draft = {0};
    if (!getcwd(folder, sizeof folder))
        return cli_fail(EXIT_FAILED, "the current folder is gone: change to another");
    if (!init->print && !init->force && has_project(folder, &known)) {
        cli_fail(EXIT_FAILED,
                 "there is a project already: %.*s: muster up runs it, --force writes " FILE_NAME
                 " all the same",
                 SPAN_ARGS(buf_span(&known)));
        buf_done(&known);
        return EXIT_FAILED;
    }
    draft_read(&draft, folder);
    draft_write(&draft, &text);
    int result = tell_problems(&draft);
    if (!result && init->print)
        fwrite(text.ptr, 1, text.len, stdout);
    else if (!result)
        result = write_file(init, buf_span(&text));
    if (!result && !init->print && !init->quiet)
        tell(&draft);
    draft_done(&draft);
    buf_done(&text);
    buf_done(&known);
    return result;
}

enum { OPT_PRINT = 256, OPT_FORCE };

static int take_option(void *owner, int option, char *value) {
    (void)value;
    Init *init = owner;
    if (option == OPT_PRINT)
        init->print = true;
    else if (option == OPT_FORCE)
        init->force = true;
    else
        init->quiet = true;
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        OPTION_HELP,
        {"print", no_argument, NULL, OPT_PRINT},
        {"force", no_argument, NULL, OPT_FORCE},
        {"quiet", no_argument, NULL, 'q'},
        {0},
    };
    Init init = {0};
    OptionSet set = {
        .command = &COMMAND_INIT,
        .options = OPTIONS,
        .short_options = "q",
        .take = take_option,
        .owner = &init,
    };
    int result = options_read(&set, argc, argv);
    if (!result)
        result = make(&init);
    return result == OPTIONS_HELPED ? EXIT_DONE : result;
}

const Command COMMAND_INIT = {
    .name = "init",
    .summary = "write a first muster.yaml",
    .help = HELP,
    .run = run,
};
