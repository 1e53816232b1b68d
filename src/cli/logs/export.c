/* muster export: what the runtime knows, in one file to be sent to somebody else. */
#include <errno.h>
#include <minizip/zip.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/remote.h"
#include "runtime/v1/health.pb.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/orchestrator.pb.h"
#include "runtime/v1/runtime.pb.h"
#include "runtime/v1/topology.pb.h"
#include "schema/json.h"

static const char HELP[] =
    "Usage: muster export [options] FILE.zip\n"
    "\n"
    "Packs what the running runtime knows into a ZIP file: logs.jsonl (oldest first) and\n"
    "events.jsonl (newest first), topology.json, health.json, services.json, components.json,\n"
    "runtime.json and configuration.json. What is secret is masked, in the configuration as in "
    "the\n"
    "logs. An existing FILE.zip is replaced once all is there; only its owner may read it.\n"
    "\n"
    "  --since TIME           logs not before: 10m, 2h, 2026-11-21, 2026-11-21T05:00:00Z\n"
    "                         (default: all)\n"
    "  --service NAME         logs of this service only; repeatable\n" REMOTE_HELP;

enum { OPT_SINCE = 256, OPT_SERVICE };

#define EVENTS_PAGE 1000

typedef struct Export {
    Remote remote; /* first: options are its own, too */
    Buf filter;
    ARRAY(Span) services;
    zipFile zip;
    const SchemaMessage *type; /* of what is written */
    Buf text;
    size_t count; /* logs */
    Span cursor;  /* of the next page of events */
    bool failed;
} Export;

static int set_option(void *owner, int option, char *value) {
    Export *export = owner;
    switch (option) {
    case OPT_SINCE:
        buf_clear(&export->filter);
        buf_printf(&export->filter, "since:%s", value);
        return 0;
    case OPT_SERVICE:
        *array_push(&export->services) = span_of(value);
        return 0;
    default:
        return remote_option(&export->remote, option, value);
    }
}

/* ---- the archive ---- */

static void begin_file(Export *export, const char *name) {
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    zip_fileinfo info = {
        .tmz_date = {(uInt)local.tm_sec, (uInt)local.tm_min, (uInt)local.tm_hour,
                     (uInt)local.tm_mday, (uInt)local.tm_mon, (uInt)local.tm_year + 1900},
    };
    export->failed |= zipOpenNewFileInZip64(export->zip, name, &info, NULL, 0, NULL, 0, NULL,
                                            Z_DEFLATED, Z_DEFAULT_COMPRESSION, 1) != ZIP_OK;
}

static void end_file(Export *export) {
    export->failed |= zipCloseFileInZip(export->zip) != ZIP_OK;
}

static void add_message(Export *export, const SchemaMessage *type, const void *message,
                        unsigned indent) {
    SchemaJson options = {.proto_names = true, .emit_defaults = true, .indent = (uint8_t)indent};
    buf_clear(&export->text);
    if (schema_json_encode(type, message, &options, &export->text, NULL) < 0)
        return;
    buf_add_char(&export->text, '\n');
    export->failed |=
        zipWriteInFileInZip(export->zip, export->text.ptr, (unsigned)export->text.len) != ZIP_OK;
}

/* ---- what goes into it ---- */

static void on_message(void *owner, const void *message) {
    Export *export = owner;
    add_message(export, export->type, message, 2);
}

static void on_entry(void *owner, const void *message) {
    Export *export = owner;
    add_message(export, &RtLogEntry_type, message, 0);
    export->count++;
}

static void on_events(void *owner, const void *message) {
    Export *export = owner;
    const RtListEventsResponse *response = message;
    for (uint32_t i = 0; i < response->events.count; i++)
        add_message(export, &RtServiceEvent_type, &response->events.items[i], 0);
    export->cursor = arena_copy(&export->remote.peer.arena, response->next_cursor);
}

/* A unary answer as a file of its own, which stays empty where this runtime has no such thing: a
 * configuration, for one that runs no project. */
static int add_answer(Export *export, const char *name, const SchemaMethod *method,
                      const void *request) {
    begin_file(export, name);
    export->type = method->output;
    Status status = peer_ask(&export->remote.peer, export->remote.peer.channel, method, request,
                             on_message, export);
    end_file(export);
    bool absent = status.code == STATUS_FAILED_PRECONDITION || status.code == STATUS_UNIMPLEMENTED;
    return status.code == STATUS_OK || absent ? 0 : remote_report(&export->remote, status);
}

static int add_logs(Export *export) {
    RtLogQuery request = {.filter = buf_span(&export->filter), .limit = -1};
    request.service_names.items = export->services.items;
    request.service_names.count = (uint32_t) export->services.count;
    begin_file(export, "logs.jsonl");
    int result =
        remote_ask(&export->remote, &RtLoggerService_service.methods[RtLoggerService_QueryLogs],
                   &request, on_entry, export);
    end_file(export);
    return result;
}

static int add_events(Export *export) {
    int result;
    begin_file(export, "events.jsonl");
    do {
        RtListEventsRequest request = {.limit = EVENTS_PAGE, .cursor = export->cursor};
        result =
            remote_ask(&export->remote,
                       &RtOrchestratorService_service.methods[RtOrchestratorService_ListEvents],
                       &request, on_events, export);
    } while (!result && export->cursor.len);
    end_file(export);
    return result;
}

static int add_all(Export *export) {
    const struct {
        const char *name;
        const SchemaMethod *method;
        const void *request;
    } ANSWERS[] = {
        {"runtime.json", &RtRuntimeService_service.methods[RtRuntimeService_GetRuntime],
         &(RtGetRuntimeRequest){0}},
        {"components.json", &RtRuntimeService_service.methods[RtRuntimeService_ListComponents],
         &(RtListComponentsRequest){0}},
        {"services.json",
         &RtOrchestratorService_service.methods[RtOrchestratorService_GetOrchestratorStatus],
         &(RtEmpty){0}},
        {"configuration.json",
         &RtOrchestratorService_service.methods[RtOrchestratorService_GetConfiguration],
         &(RtGetConfigurationRequest){0}},
        {"topology.json", &RtTopologyService_service.methods[RtTopologyService_GetTopology],
         &(RtTopologyQuery){.include_instances = true}},
        {"health.json", &RtHealthService_service.methods[RtHealthService_ListHealth],
         &(RtListHealthRequest){0}},
    };
    int result = 0;
    for (size_t i = 0; !result && i < sizeof ANSWERS / sizeof *ANSWERS; i++)
        result = add_answer(export, ANSWERS[i].name, ANSWERS[i].method, ANSWERS[i].request);
    if (!result)
        result = add_events(export);
    return result ? result : add_logs(export);
}

/* ---- the command ---- */

static int write_archive(Export *export, const char *path) {
    Buf draft = {0};
    buf_printf(&draft, "%s.part", path);
    const char *part = buf_cstr(&draft);
    mode_t before = umask(077);
    export->zip = zipOpen64(part, APPEND_STATUS_CREATE);
    umask(before);
    if (!export->zip) {
        int result = cli_fail(EXIT_FAILED, "cannot write: %s: %s", part, strerror(errno));
        buf_done(&draft);
        return result;
    }
    int result = add_all(export);
    export->failed |= zipClose(export->zip, NULL) != ZIP_OK;
    if (!result && (export->failed || rename(part, path) < 0))
        result = cli_fail(EXIT_FAILED, "cannot write: %s: is the disk full?", path);
    if (result)
        unlink(part);
    else if (!export->remote.quiet)
        printf("%s: %zu log entries\n", path, export->count);
    buf_done(&draft);
    return result;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        {"since", required_argument, NULL, OPT_SINCE},
        {"service", required_argument, NULL, OPT_SERVICE},
        {0},
    };
    Export export = {0};
    OptionSet set = {
        .command = &COMMAND_EXPORT,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT,
        .take = set_option,
        .owner = &export,
        .arguments = "FILE.zip",
        .least = 1,
        .most = 1,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    const char *path = argv[optind];
    result = remote_open(&export.remote, &COMMAND_EXPORT);
    if (!result)
        result = write_archive(&export, path);
    buf_done(&export.filter);
    buf_done(&export.text);
    array_done(&export.services);
    remote_close(&export.remote);
    return result;
}

const Command COMMAND_EXPORT = {
    .name = "export",
    .summary = "pack logs, events, topology and configuration into a file",
    .help = HELP,
    .run = run,
};
