#include "runtime/project.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "core/entries.h"
#include "os/owner.h"

/* ---- the files ---- */

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

/* Whether the file lies in the folder itself, or in its "configs". */
static bool is_below(Span path, Span folder) {
    return span_starts(path, folder) &&
           (folder.len <= 1 || (path.len > folder.len && path.ptr[folder.len] == '/'));
}

/* Who owns a folder "configs" chooses the file in it. */
static bool is_trusted(const char *path, const char *here) {
    static const char CONFIGS[] = "/configs";
    size_t len = (size_t)(strrchr(path, '/') - path), tail = sizeof CONFIGS - 1;
    if (len < tail || memcmp(path + len - tail, CONFIGS, tail) != 0)
        return owner_is_trusted(path, here);
    Buf folder = {0};
    buf_add(&folder, span(path, len));
    bool trusted = owner_is_trusted(path, here) && owner_is_trusted(buf_cstr(&folder), here);
    buf_done(&folder);
    return trusted;
}

int project_find(const char *folder, Buf *ret_path, Buf *reason) {
    Buf found = {0};
    int error = config_find(&CONFIG_WORLD, span_of(folder), &found);
    const char *path = buf_cstr(&found);
    struct stat about;
    if (error < 0) {
        buf_printf(reason,
                   "no project here: %s and above: write muster.yaml with muster init, or name its "
                   "file with -f",
                   folder);
    } else if (!is_below(buf_span(&found), span_of(folder)) && !is_trusted(path, folder)) {
        error = -EPERM;
        long owner = lstat(path, &about) == 0 ? (long)about.st_uid : -1;
        buf_printf(reason,
                   "not to be trusted: %s belongs to user %ld, and lies above the current folder: "
                   "to use it all the same, name it: -f %s",
                   path, owner, path);
    } else {
        buf_add(ret_path, buf_span(&found));
    }
    buf_done(&found);
    return error;
}

/* ---- its entries ---- */

static int collect(void *owner, EntryList *list, Buf *reason) {
    (void)reason;
    const Config *config = owner;
    for (size_t i = 0; i < config->services.count; i++) {
        const ServiceConfig *service = &config->services.items[i];
        *array_push(list) = (Entry){SPAN("service"), service->name, (void *)service};
    }
    return 0;
}

/* What is not started unless somebody asks for it. */
static int disable(void *owner, EntryList *list, Buf *reason) {
    (void)owner;
    (void)reason;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        const ServiceConfig *service = list->items[i].value;
        if (!span_equal(list->items[i].kind, SPAN("service")) || !service->disabled)
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
    return 0;
}

static int tell_loaded(void *owner, EntryList *list, Buf *reason) {
    (void)reason;
    const Config *config = owner;
    for (size_t i = 0; i < config->problems.count; i++) {
        const RtConfigurationProblem *problem = &config->problems.items[i];
        if (problem->severity == RT_PROBLEM_SEVERITY_WARNING)
            log_warn("the configuration is odd", log_text("what", problem->message),
                     log_text("file", problem->file), log_int("line", problem->line));
    }
    log_info("the project is loaded", log_text("project", config->project),
             log_int("services", (int64_t)list->count));
    return 0;
}

static int load(Context *context, Buf *reason) {
    (void)reason;
    const Infrastructure *infrastructure = infrastructure_of(context);
    Config *config = (Config *)infrastructure->config;
    if (!config)
        return 0;
    entries_add(infrastructure->entries, ENTRIES_COLLECT, "the project", collect, config);
    entries_add(infrastructure->entries, ENTRIES_DISABLE, "the project", disable, config);
    entries_add(infrastructure->entries, ENTRIES_ACTIVATE, "the project", tell_loaded, config);
    return 0;
}

const Component PROJECT_COMPONENT = {
    .name = "project",
    .description = "what the project's files declare",
    .load = load,
};
