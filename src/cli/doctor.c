/* muster doctor: what on this machine would stop Muster from working, and how to mend it. */
#include "cli/doctor.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/table.h"
#include "runtime/data.h"
#include "schema/json_writer.h"

static const char HELP[] =
    "Usage: muster doctor [options]\n"
    "\n"
    "Looks for what on this machine would stop Muster from working, or make it work with less, "
    "and\n"
    "says how to mend it. Changes nothing.\n"
    "\n"
    "  --data DIR             the data folder to be checked (default .muster)\n"
    "  --json                 an object with \"checks\", each with name, state (good, odd, bad),\n"
    "                         finding and remedy\n"
    "  -q, --quiet            show only what is not good\n"
    "  --help                 this text\n"
    "\n"
    "Exit status: 0 it can work, 1 it cannot.\n";

typedef struct Options {
    const char *data;
    bool json, quiet;
} Options;

/* ---- findings ---- */

Finding *doctor_finding(Doctor *doctor, const char *name, FindingState state, const char *text,
                        ...) {
    Finding *finding = array_push(&doctor->findings);
    *finding = (Finding){.name = name, .state = state};
    va_list args;
    va_start(args, text);
    buf_vprintf(&finding->text, text, args);
    va_end(args);
    return finding;
}

void doctor_remedy(Finding *finding, const char *text, ...) {
    va_list args;
    va_start(args, text);
    buf_vprintf(&finding->remedy, text, args);
    va_end(args);
}

static void examine(Doctor *doctor) {
    static void (*const CHECKS[])(Doctor * doctor) = {
        doctor_check_kernel, doctor_check_proc,     doctor_check_cgroup, doctor_check_limits,
        doctor_check_memory, doctor_check_terminal, doctor_check_shell,  doctor_check_folder,
        doctor_check_space,  doctor_check_port,     doctor_check_clock,  doctor_check_locale,
    };
    data_read(doctor->data_folder, DATA_ADDRESS, &doctor->runtime);
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++)
        CHECKS[i](doctor);
}

static void doctor_done(Doctor *doctor) {
    for (size_t i = 0; i < doctor->findings.count; i++) {
        buf_done(&doctor->findings.items[i].text);
        buf_done(&doctor->findings.items[i].remedy);
    }
    array_done(&doctor->findings);
    buf_done(&doctor->runtime);
}

/* ---- the report ---- */

static const char *const STATES[] = {
    [FINDING_GOOD] = "good", [FINDING_ODD] = "odd", [FINDING_BAD] = "bad"};

static void write_json_text(JsonWriter *writer, const char *name, Span text) {
    json_begin_member(writer, name[0] == 'n', name, strlen(name), 0);
    if (json_write_string(writer, text) < 0) /* a path that is not UTF-8 */
        json_write_string(writer, SPAN("(not text)"));
}

static void print_json(const Doctor *doctor) {
    SchemaJson options = {.indent = isatty(STDOUT_FILENO) ? 2 : 0};
    Buf out = {0};
    SchemaError error;
    JsonWriter writer = {.out = &out, .options = &options, .error = &error};
    json_open(&writer, '{');
    json_begin_member(&writer, true, "checks", strlen("checks"), 0);
    json_open(&writer, '[');
    for (size_t i = 0; i < doctor->findings.count; i++) {
        const Finding *finding = &doctor->findings.items[i];
        json_begin_element(&writer, i == 0);
        json_open(&writer, '{');
        write_json_text(&writer, "name", span_of(finding->name));
        write_json_text(&writer, "state", span_of(STATES[finding->state]));
        write_json_text(&writer, "finding", buf_span(&finding->text));
        write_json_text(&writer, "remedy", buf_span(&finding->remedy));
        json_close(&writer, '}', false);
    }
    json_close(&writer, ']', doctor->findings.count == 0);
    json_close(&writer, '}', false);
    printf("%.*s\n", SPAN_ARGS(buf_span(&out)));
    buf_done(&out);
}

static void print_table(const Doctor *doctor, bool quiet) {
    static const StyleKind COLOURS[] = {
        [FINDING_GOOD] = STYLE_GOOD, [FINDING_ODD] = STYLE_BUSY, [FINDING_BAD] = STYLE_BAD};
    static const char *const TITLES[] = {"CHECK", "STATE", "FINDING", NULL};
    Table table;
    table_init(&table, style_for(STDOUT_FILENO), TITLES);
    for (size_t i = 0; i < doctor->findings.count; i++) {
        const Finding *finding = &doctor->findings.items[i];
        if (quiet && finding->state == FINDING_GOOD)
            continue;
        table_cell(&table, "", "%s", finding->name);
        table_cell(&table, style(table.style, COLOURS[finding->state]), "%s",
                   STATES[finding->state]);
        table_cell(&table, "", "%.*s", SPAN_ARGS(buf_span(&finding->text)));
        if (!finding->remedy.len)
            continue;
        table_cell(&table, "", "%s", "");
        table_cell(&table, "", "%s", "");
        table_cell(&table, "", "→ %.*s", SPAN_ARGS(buf_span(&finding->remedy)));
    }
    if (table.cells.count > table.columns)
        table_print(&table, stdout);
    table_done(&table);
}

/* ---- the command ---- */

enum { OPT_DATA = 256, OPT_JSON };

static int take_option(void *owner, int option, char *value) {
    Options *options = owner;
    if (option == OPT_DATA)
        options->data = value;
    else if (option == OPT_JSON)
        options->json = true;
    else
        options->quiet = true;
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        OPTION_HELP,
        {"data", required_argument, NULL, OPT_DATA},
        {"json", no_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, 'q'},
        {0},
    };
    Options options = {.data = DATA_FOLDER};
    OptionSet set = {
        .command = &COMMAND_DOCTOR,
        .options = OPTIONS,
        .short_options = "q",
        .take = take_option,
        .owner = &options,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    Doctor doctor = {.data_folder = options.data};
    examine(&doctor);
    if (options.json)
        print_json(&doctor);
    else
        print_table(&doctor, options.quiet);
    for (size_t i = 0; i < doctor.findings.count; i++)
        if (doctor.findings.items[i].state == FINDING_BAD)
            result = EXIT_FAILED;
    doctor_done(&doctor);
    return result;
}

const Command COMMAND_DOCTOR = {
    .name = "doctor",
    .summary = "find what on this machine would stop Muster from working",
    .help = HELP,
    .run = run,
};
