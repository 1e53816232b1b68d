#include "runtime/project.h"

#include <errno.h>
#include <unistd.h>

/* A path made absolute, whether or not it is there. */
static Span absolute(Arena *arena, const char *path) {
    if (path[0] == '/')
        return arena_copy(arena, span_of(path));
    char folder[4096];
    Buf text = {.arena = arena};
    if (getcwd(folder, sizeof folder))
        buf_printf(&text, "%s/", folder);
    buf_add(&text, span_of(path));
    return buf_span(&text);
}

static void tell(const ConfigReport *report, Buf *reason) {
    buf_printf(reason, "the configuration is wrong:");
    for (size_t i = 0; i < report->problems.count; i++) {
        const RtConfigurationProblem *problem = &report->problems.items[i];
        if (problem->severity != RT_PROBLEM_SEVERITY_ERROR)
            continue;
        buf_printf(reason, "\n%.*s:", SPAN_ARGS(problem->file));
        if (problem->line)
            buf_printf(reason, "%d:%d:", problem->line, problem->column);
        buf_printf(reason, " %.*s", SPAN_ARGS(problem->message));
        if (problem->suggestion.len)
            buf_printf(reason, "; did you mean %.*s?", SPAN_ARGS(problem->suggestion));
        if (problem->suggestion.len)
            buf_printf(reason, ": %.*s", SPAN_ARGS(problem->suggestion));
    }
}

int project_read(const char *const *files, size_t count, const char *data_folder, int64_t number,
                 const Config **ret_config, Buf *reason) {
    Arena arena = {0};
    RtConfigurationFile *list = arena_zalloc(&arena, count * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i].path = absolute(&arena, files[i]);
    ConfigOptions options = {.files = list, .file_count = count, .number = number};
    if (data_folder)
        options.data = absolute(&arena, data_folder);
    ConfigReport report = {0};
    int error = config_read(&options, ret_config, &report);
    if (error < 0)
        tell(&report, reason);
    config_report_done(&report);
    arena_done(&arena);
    return error;
}
