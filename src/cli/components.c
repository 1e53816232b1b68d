/* muster components: what the running runtime is made of. */
#include <stdio.h>

#include "cli/remote.h"
#include "cli/table.h"
#include "runtime/v1/runtime.pb.h"

static const char HELP[] =
    "Usage: muster components [options]\n"
    "\n"
    "Lists the components of the running runtime in the order in which they started: state, level\n"
    "in that order, time to load and start, and what each requires.\n"
    "\n" REMOTE_JSON_HELP REMOTE_HELP;

static const char *state_name(RtComponentState state) {
    static const char *const NAMES[] = {"unknown", "declared", "loaded",  "starting",
                                        "running", "stopping", "stopped", "failed"};
    return state >= 0 && (size_t)state < sizeof NAMES / sizeof *NAMES ? NAMES[state] : NAMES[0];
}

static void add_row(Table *table, const RtComponent *component) {
    Style on = table->style;
    bool running = component->state == RT_COMPONENT_STATE_RUNNING;
    bool failed = component->state == RT_COMPONENT_STATE_FAILED;
    Buf requires = {0};
    for (size_t i = 0; i < component->requires_.count; i++)
        buf_printf(&requires, "%s%.*s", i ? ", " : "", SPAN_ARGS(component->requires_.items[i]));
    table_cell(table, style(on, STYLE_BOLD), "%.*s", SPAN_ARGS(component->name));
    table_cell(table,
               style(on, running  ? STYLE_GOOD
                         : failed ? STYLE_BAD
                                  : STYLE_BUSY),
               "%s", state_name(component->state));
    table_cell(table, "", "%d", component->level);
    table_cell(table, "", "%lld.%03d ms", (long long)(component->start_us / 1000),
               (int)(component->start_us % 1000));
    table_cell(table, "", "%.*s", SPAN_ARGS(buf_span(&requires)));
    table_cell(table, "", "%.*s",
               SPAN_ARGS(component->error.len ? component->error : component->description));
    buf_done(&requires);
}

static void show(void *owner, const void *message) {
    static const char *const TITLES[] = {"COMPONENT", "STATE",       "LEVEL", "START",
                                         "REQUIRES",  "DESCRIPTION", NULL};
    const Remote *remote = owner;
    const RtListComponentsResponse *response = message;
    if (remote->json) {
        remote_print_json(&RtListComponentsResponse_type, message, false);
        return;
    }
    Table table;
    table_init(&table, remote->style, TITLES);
    for (size_t i = 0; i < response->components.count; i++)
        add_row(&table, &response->components.items[i]);
    table_print(&table, stdout);
    table_done(&table);
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {REMOTE_OPTIONS, REMOTE_JSON_OPTION, {0}};
    Remote remote = {0};
    OptionSet set = {
        .command = &COMMAND_COMPONENTS,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT,
        .take = remote_option,
        .owner = &remote,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    result = remote_open(&remote, &COMMAND_COMPONENTS);
    if (!result)
        result =
            remote_ask(&remote, &RtRuntimeService_service.methods[RtRuntimeService_ListComponents],
                       &(RtListComponentsRequest){0}, show, &remote);
    remote_close(&remote);
    return result;
}

const Command COMMAND_COMPONENTS = {
    .name = "components",
    .summary = "list the components of the running runtime",
    .help = HELP,
    .run = run,
};
