/* GetConfiguration, CheckConfiguration and ApplyConfiguration. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "config/diff.h"
#include "os/files.h"
#include "schema/codec.h"
#include "services/orchestrator/calls.h"
#include "services/orchestrator/reconfigure.h"

#define FILES_MAX 100
#define TEXT_MAX  (4 * 1024 * 1024)

/* ---- what is in force ---- */

typedef struct Values {
    RtGetConfigurationResponse *response;
    Arena *arena;
} Values;

static void add_value(void *owner, const RtConfigurationValue *value) {
    Values *values = owner;
    RtConfigurationValue *copy = schema_copy(&RtConfigurationValue_type, value, values->arena);
    *(RtConfigurationValue *)schema_append(&values->response->values, values->arena) = *copy;
}

static bool differs_on_disk(const ConfigFile *file) {
    Buf path = {0}, text = {0};
    buf_add(&path, file->path);
    int error = CONFIG_WORLD.read(CONFIG_WORLD.owner, buf_cstr(&path), &text);
    bool differs = error < 0 || !span_equal(buf_span(&text), file->text);
    buf_done(&path);
    buf_done(&text);
    return differs;
}

static void add_files(const Config *config, bool with_text, RtGetConfigurationResponse *response,
                      Arena *arena) {
    for (size_t i = 0; i < config->files.count; i++) {
        const ConfigFile *file = &config->files.items[i];
        RtConfigurationFile *shown = schema_append(&response->files, arena);
        shown->path = file->path;
        shown->format = file->format;
        if (with_text)
            shown->text = file->text;
        response->outdated |= differs_on_disk(file);
    }
}

static bool may_see_text(Call *call) {
    if (call_may_see_secrets(call))
        return true;
    call_fail(call, STATUS_PERMISSION_DENIED,
              "include_text needs the control scope, since files hold secrets as they are written");
    return false;
}

void call_get_configuration(Call *call, const void *message) {
    const RtGetConfigurationRequest *request = message;
    const Orchestrator *orchestrator = orchestrator_of_call(call);
    if (!call_has_project(call) || (request->include_text && !may_see_text(call)) ||
        (request->service_name.len && !call_find_service(call, request->service_name)))
        return;
    const Config *config = orchestrator->config;
    Arena arena = {0};
    RtGetConfigurationResponse response = {
        .revision = config->number,
        .applied_at_ms = orchestrator->configured_at / NANOS_PER_MILLI,
    };
    add_files(config, request->include_text, &response, &arena);
    config_values(config, request->service_name, add_value, &(Values){&response, &arena});
    for (size_t i = 0; i < config->problems.count; i++)
        *(RtConfigurationProblem *)schema_append(&response.problems, &arena) =
            config->problems.items[i];
    call_reply(call, &response);
    arena_done(&arena);
}

/* ---- another one ---- */

/* The files that make up the project now, each with the text that was sent for it, if any. */
static bool choose_files(Call *call, const RtConfigurationFile *sent, size_t count, Arena *arena,
                         ConfigOptions *options) {
    const Config *config = orchestrator_of_call(call)->config;
    RtConfigurationFile *files = arena_zalloc(arena, (config->files.count + 1) * sizeof *files);
    size_t total = 0, used = 0;
    for (size_t i = 0; i < config->files.count; i++) {
        if (span_equal(config->files.items[i].format, SPAN("env")))
            continue;
        RtConfigurationFile *file = &files[total++];
        file->path = config->files.items[i].path;
        for (size_t s = 0; s < count; s++)
            if (span_equal(sent[s].path, file->path)) {
                file->text = sent[s].text;
                used++;
            }
    }
    if (used < count) {
        call_fail(call, STATUS_INVALID_ARGUMENT,
                  "files: each path is one of those that GetConfiguration gives, and there once");
        return false;
    }
    *options = (ConfigOptions){
        .files = files,
        .file_count = total,
        .data = config->data,
        .listen = config->listen,
        .number = config->number + 1,
    };
    return true;
}

static bool check_files(Call *call, const RtConfigurationFile *files, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += files[i].text.len;
        if (!files[i].text.len) {
            call_fail(call, STATUS_INVALID_ARGUMENT, "files: the text of %.*s is empty",
                      SPAN_ARGS(files[i].path));
            return false;
        }
    }
    if (count <= FILES_MAX && size <= TEXT_MAX)
        return true;
    call_fail(call, STATUS_INVALID_ARGUMENT, "files: at most %d, of %d bytes together", FILES_MAX,
              TEXT_MAX);
    return false;
}

void call_check_configuration(Call *call, const void *message) {
    const RtCheckConfigurationRequest *request = message;
    Orchestrator *orchestrator = orchestrator_of_call(call);
    Arena arena = {0};
    ConfigOptions options;
    ConfigReport report = {0};
    const Config *config = NULL;
    if (!call_has_project(call) || !check_files(call, request->files.items, request->files.count) ||
        !choose_files(call, request->files.items, request->files.count, &arena, &options)) {
        arena_done(&arena);
        return;
    }
    RtCheckConfigurationResponse response = {.valid = config_read(&options, &config, &report) == 0};
    for (size_t i = 0; i < report.problems.count; i++)
        *(RtConfigurationProblem *)schema_append(&response.problems, &arena) =
            report.problems.items[i];
    if (response.valid) {
        const RtServiceChange *changes;
        size_t count = config_diff(orchestrator->config, config, &arena, &changes);
        for (size_t i = 0; i < count; i++)
            *(RtServiceChange *)schema_append(&response.changes, &arena) = changes[i];
    }
    call_reply(call, &response);
    config_unref(config);
    config_report_done(&report);
    arena_done(&arena);
}

/* ---- putting it in force ---- */

/* Whole or not at all, and with the rights that the file had. */
static int write_file(Span path, Span text) {
    Files *files = files_real();
    Buf name = {0}, fresh = {0};
    struct stat before;
    File *file;
    buf_add(&name, path);
    buf_printf(&fresh, "%.*s.muster-new", SPAN_ARGS(path));
    files_remove(files, buf_cstr(&fresh));
    int error = files_open(files, buf_cstr(&fresh), FILE_CREATE, &file);
    if (!error) {
        error = file_write(file, 0, text);
        if (!error)
            error = file_sync(file);
        file_close(file);
        if (!error && stat(buf_cstr(&name), &before) == 0 &&
            chmod(buf_cstr(&fresh), before.st_mode & 07777) < 0)
            error = -errno;
        if (!error)
            error = files_rename(files, buf_cstr(&fresh), buf_cstr(&name));
        if (error)
            files_remove(files, buf_cstr(&fresh));
    }
    buf_done(&name);
    buf_done(&fresh);
    return error;
}

static bool write_files(Call *call, const RtApplyConfigurationRequest *request) {
    for (uint32_t i = 0; i < request->files.count; i++) {
        int error = write_file(request->files.items[i].path, request->files.items[i].text);
        if (error < 0) {
            call_fail(call, STATUS_FAILED_PRECONDITION, "%.*s cannot be written: %s",
                      SPAN_ARGS(request->files.items[i].path), strerror(-error));
            return false;
        }
    }
    return true;
}

static void refuse(Call *call, const ConfigReport *report) {
    const RtConfigurationProblem *first = NULL;
    for (size_t i = 0; i < report->problems.count && !first; i++)
        if (report->problems.items[i].severity == RT_PROBLEM_SEVERITY_ERROR)
            first = &report->problems.items[i];
    if (!first) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "the configuration cannot be read");
        return;
    }
    orchestrator_event(orchestrator_of_call(call), (Span){0},
                       RT_SERVICE_EVENT_TYPE_CONFIGURATION_REFUSED, "%.*s:%d:%d: %.*s",
                       SPAN_ARGS(first->file), first->line, first->column,
                       SPAN_ARGS(first->message));
    call_fail(call, STATUS_INVALID_ARGUMENT,
              "%.*s:%d:%d: %.*s (%zu errors: CheckConfiguration lists all)", SPAN_ARGS(first->file),
              first->line, first->column, SPAN_ARGS(first->message), report->errors);
}

/* The answer, while services come up. */
typedef struct Applying {
    Orchestrator *orchestrator;
    CallRef call;
    Arena arena;
    RtApplyConfigurationResponse response;
} Applying;

static void on_applied(void *owner, const Action *action) {
    Applying *applying = owner;
    RtApplyConfigurationResponse *response = &applying->response;
    Call *call = call_find(applying->orchestrator->options.server, applying->call);
    for (size_t i = 0; i < action->members.count; i++) {
        const ActionMember *member = &action->members.items[i];
        if (member->service && !member->service->removed)
            *(RtServiceStartResult *)schema_append(&response->results, &applying->arena) =
                member->result;
    }
    if (call)
        call_reply(call, response);
    arena_done(&applying->arena);
    free(applying);
}

/* Changes and problems borrow from configurations that may be gone when the answer is due. */
static Applying *prepare(Call *call, const Config *config, const RtServiceChange *changes,
                         size_t count) {
    Applying *applying = xcalloc(1, sizeof *applying);
    RtApplyConfigurationResponse response = {.revision = config->number};
    Arena scratch = {0};
    for (size_t i = 0; i < count; i++)
        *(RtServiceChange *)schema_append(&response.changes, &scratch) = changes[i];
    for (size_t i = 0; i < config->problems.count; i++)
        *(RtConfigurationProblem *)schema_append(&response.problems, &scratch) =
            config->problems.items[i];
    applying->orchestrator = orchestrator_of_call(call);
    applying->call = call_ref(call);
    applying->response = *(RtApplyConfigurationResponse *)schema_copy(
        &RtApplyConfigurationResponse_type, &response, &applying->arena);
    arena_done(&scratch);
    return applying;
}

static void apply(Call *call, const Config *config) {
    Orchestrator *orchestrator = orchestrator_of_call(call);
    const RtServiceChange *changes;
    Arena arena = {0};
    size_t count = config_diff(orchestrator->config, config, &arena, &changes);
    Applying *applying = prepare(call, config, changes, count);
    orchestrator_apply(orchestrator, config, changes, count, call_actor(call), on_applied,
                       applying);
    arena_done(&arena);
}

void call_apply_configuration(Call *call, const void *message) {
    const RtApplyConfigurationRequest *request = message;
    const Orchestrator *orchestrator = orchestrator_of_call(call);
    if (!call_may_start(call) || !call_has_project(call))
        return;
    if (request->revision != orchestrator->config->number) {
        call_fail(call, STATUS_ABORTED,
                  "configuration %lld is in force, not %lld: somebody has changed it meanwhile; "
                  "look at it again",
                  (long long)orchestrator->config->number, (long long)request->revision);
        return;
    }
    Arena arena = {0};
    ConfigOptions options;
    ConfigReport report = {0};
    const Config *config = NULL;
    if (check_files(call, request->files.items, request->files.count) &&
        choose_files(call, request->files.items, request->files.count, &arena, &options)) {
        if (config_read(&options, &config, &report) < 0)
            refuse(call, &report);
        else if (write_files(call, request))
            apply(call, config);
    }
    config_unref(config);
    config_report_done(&report);
    arena_done(&arena);
}
