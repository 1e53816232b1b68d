/* muster check: what is wrong with a configuration, all at once. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "cli/options.h"
#include "config/config.h"
#include "config/schema.h"
#include "runtime/project.h"
#include "runtime/v1/orchestrator.pb.h"
#include "schema/json.h"

static const char HELP[] =
    "Usage: muster check [options] [FILE…]\n"
    "\n"
    "Reads the configuration of a project and shows everything that is wrong with it, each with\n"
    "file, line and column. Without FILE, the project's file is looked up in this folder and then\n"
    "upwards: muster.yaml, muster.yml, services.toml, configs/services.toml, config.yaml. Several\n"
    "files are merged in their order. Exits with 0 when the configuration can be used, else with "
    "2.\n"
    "\n"
    "  -f, --file FILE        the same as FILE; repeatable\n"
    "  --json                 one runtime.v1.CheckConfigurationResponse\n"
    "  --values               every value, and where it comes from\n"
    "  --schema               print the JSON schema of muster.yaml, for editors\n"
    "  -q, --quiet            print errors only\n"
    "  --help                 this text\n";

typedef struct Checking {
    ARRAY(char *) paths; /* absolute */
    bool json, values, schema, quiet;
    const char *folder; /* the working directory, for shorter names */
    Buf out;
} Checking;

/* ---- what is printed ---- */

/* A path relative to the working directory where it lies in it. */
static Span short_path(const Checking *checking, Span path) {
    Span folder = span_of(checking->folder);
    bool below = folder.len > 1 && path.len > folder.len && span_starts(path, folder) &&
                 path.ptr[folder.len] == '/';
    return below ? span_skip(path, folder.len + 1) : path;
}

static Span line_of(Span text, int32_t line) {
    while (--line > 0) {
        const char *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
        if (!end)
            return (Span){0};
        text = span_skip(text, (size_t)(end - text.ptr) + 1);
    }
    const char *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    return end ? span(text.ptr, (size_t)(end - text.ptr)) : text;
}

static bool is_tail(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* The line with a mark below the column; tabs stay what they are, so that both line up. */
static void print_excerpt(Buf *out, Span text, int32_t line, int32_t column) {
    Span excerpt = line_of(text, line);
    while (excerpt.len && excerpt.ptr[excerpt.len - 1] == '\r')
        excerpt.len--;
    if (!excerpt.len || excerpt.len > 200)
        return;
    buf_printf(out, "%5d | %.*s\n      | ", line, SPAN_ARGS(excerpt));
    for (size_t i = 0, at = 1; i < excerpt.len && at < (size_t)column; i++) {
        if (is_tail(excerpt.ptr[i]))
            continue;
        buf_add_char(out, excerpt.ptr[i] == '\t' ? '\t' : ' ');
        at++;
    }
    buf_add_literal(out, "^\n");
}

static void print_problem(Checking *checking, const RtConfigurationProblem *problem, Span text) {
    Buf *out = &checking->out;
    Span file = short_path(checking, problem->file);
    buf_add(out, file);
    if (problem->line)
        buf_printf(out, ":%d:%d", problem->line, problem->column);
    buf_add_literal(out, ": ");
    if (problem->severity == RT_PROBLEM_SEVERITY_WARNING)
        buf_add_literal(out, "warning: ");
    if (problem->severity == RT_PROBLEM_SEVERITY_NOTE)
        buf_add_literal(out, "note: ");
    buf_add(out, problem->message);
    if (problem->suggestion.len)
        buf_printf(out, ": %.*s", SPAN_ARGS(problem->suggestion));
    buf_add_char(out, '\n');
    if (problem->line)
        print_excerpt(out, text, problem->line, problem->column);
}

typedef struct Problems {
    const RtConfigurationProblem *items;
    size_t count, errors;
    const ConfigFile *files;
    size_t file_count;
} Problems;

static Span text_of(const Problems *problems, Span path) {
    for (size_t i = 0; i < problems->file_count; i++)
        if (span_equal(problems->files[i].path, path))
            return problems->files[i].text;
    return (Span){0};
}

static void add_count(Buf *out, size_t count, const char *what) {
    buf_printf(out, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

static void print_text(Checking *checking, const Problems *problems, const Config *config) {
    Buf *out = &checking->out;
    size_t warnings = 0;
    for (size_t i = 0; i < problems->count; i++) {
        const RtConfigurationProblem *problem = &problems->items[i];
        warnings += problem->severity == RT_PROBLEM_SEVERITY_WARNING;
        if (problem->severity == RT_PROBLEM_SEVERITY_ERROR || !checking->quiet)
            print_problem(checking, problem, text_of(problems, problem->file));
    }
    if (checking->quiet)
        return;
    if (config) {
        buf_printf(out, "%.*s: ", SPAN_ARGS(config->project));
        add_count(out, config->services.count, "service");
        buf_add_literal(out, ", ");
    }
    add_count(out, problems->errors, "error");
    buf_add_literal(out, ", ");
    add_count(out, warnings, "warning");
    buf_add_char(out, '\n');
}

static void print_json(Checking *checking, const Problems *problems) {
    RtCheckConfigurationResponse response = {
        .valid = problems->errors == 0,
        .problems = {.items = (RtConfigurationProblem *)problems->items,
                     .count = (uint32_t)problems->count},
    };
    SchemaJson options = {
        .proto_names = true, .emit_defaults = true, .indent = isatty(STDOUT_FILENO) ? 2 : 0};
    schema_json_encode(&RtCheckConfigurationResponse_type, &response, &options, &checking->out,
                       NULL);
    buf_add_char(&checking->out, '\n');
}

static void print_value(void *owner, const RtConfigurationValue *value) {
    Checking *checking = owner;
    Buf *out = &checking->out;
    if (checking->json) {
        SchemaJson options = {.proto_names = true, .emit_defaults = true};
        schema_json_encode(&RtConfigurationValue_type, value, &options, out, NULL);
        buf_add_char(out, '\n');
        return;
    }
    buf_printf(out, "%.*s = %.*s", SPAN_ARGS(value->path), SPAN_ARGS(value->value));
    if (value->line)
        buf_printf(out, "  (%.*s:%d:%d)", SPAN_ARGS(short_path(checking, value->file)), value->line,
                   value->column);
    else if (value->source == RT_CONFIGURATION_SOURCE_DEFAULT)
        buf_add_literal(out, "  (default)");
    buf_add_char(out, '\n');
}

/* ---- the command ---- */

static int check(Checking *checking) {
    RtConfigurationFile *files = calloc(checking->paths.count, sizeof *files);
    const Config *config = NULL;
    ConfigReport report = {0};
    for (size_t i = 0; i < checking->paths.count; i++)
        files[i].path = span_of(checking->paths.items[i]);
    ConfigOptions options = {.files = files, .file_count = checking->paths.count};
    int result = config_read(&options, &config, &report);
    Problems problems = {
        .items = report.problems.items,
        .count = report.problems.count,
        .errors = report.errors,
        .files = config ? config->files.items : report.files.items,
        .file_count = config ? config->files.count : report.files.count,
    };
    if (config && checking->values)
        config_values(config, (Span){0}, print_value, checking);
    else if (checking->json)
        print_json(checking, &problems);
    else
        print_text(checking, &problems, config);
    config_unref(config);
    config_report_done(&report);
    free(files);
    return result < 0 ? EXIT_USAGE : EXIT_DONE;
}

static void add_path(Checking *checking, const char *path) {
    Buf absolute = {0};
    if (path[0] != '/')
        buf_printf(&absolute, "%s/", checking->folder);
    buf_add(&absolute, span_of(strncmp(path, "./", 2) == 0 ? path + 2 : path));
    *array_push(&checking->paths) = strdup(buf_cstr(&absolute));
    buf_done(&absolute);
}

static int find_path(Checking *checking) {
    Buf path = {0}, reason = {0};
    int failed = 0;
    if (project_find(checking->folder, &path, &reason) < 0)
        failed = cli_fail(EXIT_USAGE, "%.*s", SPAN_ARGS(buf_span(&reason)));
    else
        *array_push(&checking->paths) = strdup(buf_cstr(&path));
    buf_done(&path);
    buf_done(&reason);
    return failed;
}

enum { OPT_JSON = 256, OPT_VALUES, OPT_SCHEMA };

static int take_option(void *owner, int option, char *value) {
    Checking *checking = owner;
    if (option == 'f')
        add_path(checking, value);
    checking->json |= option == OPT_JSON;
    checking->values |= option == OPT_VALUES;
    checking->schema |= option == OPT_SCHEMA;
    checking->quiet |= option == 'q';
    return 0;
}

static int run(int argc, char **argv) {
    char *folder = getcwd(NULL, 0);
    static const struct option OPTIONS[] = {
        OPTION_HELP,
        {"file", required_argument, NULL, 'f'},
        {"json", no_argument, NULL, OPT_JSON},
        {"values", no_argument, NULL, OPT_VALUES},
        {"schema", no_argument, NULL, OPT_SCHEMA},
        {"quiet", no_argument, NULL, 'q'},
        {0},
    };
    Checking checking = {.folder = folder ? folder : "/"};
    OptionSet set = {
        .command = &COMMAND_CHECK,
        .options = OPTIONS,
        .short_options = "f:q",
        .take = take_option,
        .owner = &checking,
        .most = -1,
    };
    int result = options_read(&set, argc, argv);
    for (int i = optind; !result && i < argc; i++)
        add_path(&checking, argv[i]);
    if (!result && checking.schema) {
        config_schema(&checking.out);
    } else if (!result) {
        result = checking.paths.count ? 0 : find_path(&checking);
        if (!result)
            result = check(&checking);
    }
    if (checking.out.len)
        fwrite(checking.out.ptr, 1, checking.out.len, stdout);
    for (size_t i = 0; i < checking.paths.count; i++)
        free(checking.paths.items[i]);
    array_done(&checking.paths);
    buf_done(&checking.out);
    free(folder);
    return result == OPTIONS_HELPED ? EXIT_DONE : result;
}

const Command COMMAND_CHECK = {
    .name = "check",
    .summary = "show everything that is wrong with a configuration",
    .help = HELP,
    .run = run,
};
