/* muster logs: what services print and send. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/remote.h"
#include "cli/service_names.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/orchestrator.pb.h"
#include "schema/codec.h"

static const char HELP[] =
    "Usage: muster logs [options] [SERVICE…] [FILTER]\n"
    "\n"
    "Shows what services print and send, of all services in one order: in a terminal as\n"
    "TIME SERVICE LEVEL TEXT, in a pipe as SERVICE | TEXT.\n"
    "\n"
    "A word of letters, digits, '-', '_' and '.' is a SERVICE; anything else is part of the "
    "FILTER:\n"
    "  muster logs calc 'level>=warn @http.status:500 \"timeout\" -/retry [0-9]+/'\n"
    "Text to look for stands in quotes, or is given by --grep. docs/filter.md has all of it.\n"
    "\n"
    "  -f, --follow           go on with what comes\n"
    "  -n, --tail COUNT       how many of the latest to begin with, or 'all' (default 1000; 10 "
    "with\n"
    "                         --follow)\n"
    "  -g, --grep TEXT        what contains this text, in upper or lower case\n"
    "  --level LEVEL          this level and above: trace, debug, info, warn, error, fatal\n"
    "  --corr ID              one request, through all services\n"
    "  --run RUN              one life of the service: 1 the first, -1 the last\n"
    "  --since TIME           not before: 10m, 2h, 2026-11-21, 2026-11-21T05:00:00Z; --until TIME\n"
    "  --raw                  the bytes of one service as it wrote them, without anything "
    "else\n" REMOTE_JSON_HELP REMOTE_HELP;

#define TAIL_DEFAULT 1000
#define TAIL_FOLLOW  10
#define REPLAY_MAX   10000
#define RAW_MAX      (16 * 1024 * 1024)
#define AGAIN        (500 * NANOS_PER_MILLI) /* after the runtime went away */

enum { OPT_CORR = 256, OPT_RAW, OPT_SINCE, OPT_UNTIL, OPT_RUN, OPT_LEVEL };

typedef struct LogsCommand {
    Remote remote; /* first: options are its own, too */
    bool follow, raw, terminal;
    int64_t tail; /* -1: all; -2: not said */
    const char *correlation, *grep;
    Buf filter;
    ARRAY(Span) services;
    /* Newest first, to be printed the other way round. */
    ARRAY(RtLogEntry *) latest;
    int64_t last; /* sequence of the entry printed last */
    /* Following. */
    RemoteCall call;
    Timer again;
    Status ended;
    bool away;
} LogsCommand;

/* ---- printing ---- */

static const char *level_name(int32_t level) {
    static const char *const NAMES[] = {"TRACE", "DEBUG", "INFO ", "WARN ", "ERROR", "FATAL"};
    return level >= 0 && level < 6 ? NAMES[level] : "?    ";
}

static StyleKind level_style(int32_t level) {
    return level >= RT_LOG_LEVEL_ERROR  ? STYLE_BAD
           : level == RT_LOG_LEVEL_WARN ? STYLE_BUSY
           : level < RT_LOG_LEVEL_INFO  ? STYLE_DIM
                                        : STYLE_PLAIN;
}

static void print_in_terminal(const LogsCommand *logs, const RtLogEntry *entry) {
    Style on = logs->remote.style;
    time_t seconds = (time_t)(entry->timestamp / 1000);
    struct tm local;
    char clock[16];
    localtime_r(&seconds, &local);
    strftime(clock, sizeof clock, "%H:%M:%S", &local);
    printf("%s%s.%03d%s %s%.*s%s %s%s%s %.*s\n", style(on, STYLE_DIM), clock,
           (int)(entry->timestamp % 1000), style(on, STYLE_PLAIN),
           style_service(on, entry->service_name), SPAN_ARGS(entry->service_name),
           style(on, STYLE_PLAIN), style(on, level_style(entry->level)), level_name(entry->level),
           style(on, STYLE_PLAIN), SPAN_ARGS(entry->message));
}

/* Each line says whose it is, so that grep and sort keep working. */
static void print_in_pipe(const RtLogEntry *entry) {
    Span rest = entry->message;
    for (;;) {
        const char *feed = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;
        size_t len = feed ? (size_t)(feed - rest.ptr) : rest.len;
        printf("%.*s | %.*s\n", SPAN_ARGS(entry->service_name), (int)len, rest.ptr);
        if (!feed)
            return;
        rest = span_skip(rest, len + 1);
    }
}

static void print_entry(LogsCommand *logs, const RtLogEntry *entry) {
    if (entry->sequence > logs->last)
        logs->last = entry->sequence;
    if (logs->remote.json)
        remote_print_json(&RtLogEntry_type, entry, true);
    else if (logs->terminal)
        print_in_terminal(logs, entry);
    else
        print_in_pipe(entry);
}

static void on_entry(void *owner, const void *message) {
    print_entry(owner, message);
    fflush(stdout);
}

static void on_latest(void *owner, const void *message) {
    LogsCommand *logs = owner;
    *array_push(&logs->latest) = schema_copy(&RtLogEntry_type, message, &logs->remote.peer.arena);
}

static void on_bytes(void *owner, const void *message) {
    const RtAttachOutputResponse *response = message;
    fwrite(response->data.ptr, 1, response->data.len, stdout);
    fflush(stdout);
}

/* ---- asking ---- */

/* The latest first. Services send their entries in batches, so those of one request arrive in
 * another order than that in which they came about. */
static int by_time(const void *a, const void *b) {
    const RtLogEntry *left = *(RtLogEntry *const *)a, *right = *(RtLogEntry *const *)b;
    if (left->timestamp != right->timestamp)
        return left->timestamp > right->timestamp ? -1 : 1;
    if (left->nanoseconds != right->nanoseconds)
        return left->nanoseconds > right->nanoseconds ? -1 : 1;
    return (left->sequence < right->sequence) - (left->sequence > right->sequence);
}

static int query(LogsCommand *logs) {
    bool all = logs->tail == -1 || logs->correlation;
    RtLogQuery request = {
        .search_text = span_of(logs->grep),
        .correlation_id = span_of(logs->correlation),
        .filter = buf_span(&logs->filter),
        .order = all ? RT_LOG_ORDER_OLDEST_FIRST : RT_LOG_ORDER_NEWEST_FIRST,
        .limit = all ? -1 : (int32_t)logs->tail,
        .cursor = logs->last,
    };
    request.service_names.items = logs->services.items;
    request.service_names.count = (uint32_t)logs->services.count;
    int result =
        remote_ask(&logs->remote, &RtLoggerService_service.methods[RtLoggerService_QueryLogs],
                   &request, all && !logs->correlation ? on_entry : on_latest, logs);
    if (logs->correlation && logs->latest.count)
        qsort(logs->latest.items, logs->latest.count, sizeof *logs->latest.items, by_time);
    while (logs->latest.count)
        print_entry(logs, logs->latest.items[--logs->latest.count]);
    fflush(stdout);
    return result;
}

static void on_ended(void *owner, Status status) {
    LogsCommand *logs = owner;
    logs->ended = (Status){.code = status.code,
                           .message = arena_copy(&logs->remote.peer.arena, status.message)};
    world_stop(logs->remote.peer.world);
}

static void on_again(Timer *timer) {
    world_stop(CONTAINER(timer, LogsCommand, again)->remote.peer.world);
}

static void subscribe_once(LogsCommand *logs) {
    RtLogFilter request = {
        .search_text = span_of(logs->grep),
        .correlation_id = span_of(logs->correlation),
        .filter = buf_span(&logs->filter),
        .after_sequence = logs->last,
        .replay = logs->last ? 0 : (int32_t)logs->tail,
    };
    request.service_names.items = logs->services.items;
    request.service_names.count = (uint32_t)logs->services.count;
    logs->call = (RemoteCall){.message = on_entry, .closed = on_ended, .owner = logs};
    remote_begin(&logs->remote, &logs->call,
                 &RtLoggerService_service.methods[RtLoggerService_SubscribeLogs], &request);
    while (logs->call.call && !logs->remote.peer.interrupted)
        world_run(logs->remote.peer.world);
}

/* A runtime that restarts is waited for, and nothing is shown twice or left out. */
static int follow(LogsCommand *logs) {
    World *world = logs->remote.peer.world;
    if (logs->tail == -1 || logs->tail > REPLAY_MAX || logs->correlation) {
        int result = query(logs);
        if (result)
            return result;
        logs->tail = 0;
    }
    for (;;) {
        subscribe_once(logs);
        if (logs->remote.peer.interrupted)
            return EXIT_INTERRUPTED;
        if (logs->ended.code != STATUS_UNAVAILABLE || (!logs->last && !logs->away))
            return logs->ended.code == STATUS_OK ? 0 : remote_report(&logs->remote, logs->ended);
        if (!logs->away && !logs->remote.quiet)
            fputs("muster: the runtime has gone: waiting until it is back\n", stderr);
        logs->away = true;
        logs->again.fire = on_again;
        wheel_arm(world_wheel(world), &logs->again, world_now(world) + AGAIN);
        world_run(world);
        wheel_cancel(world_wheel(world), &logs->again);
        if (logs->remote.peer.interrupted)
            return EXIT_INTERRUPTED;
    }
}

static int show_raw(LogsCommand *logs) {
    if (logs->services.count != 1)
        return cli_usage(&COMMAND_LOGS, "--raw shows the output of one SERVICE: name it");
    if (logs->filter.len || logs->grep || logs->correlation)
        return cli_usage(&COMMAND_LOGS, "--raw shows all bytes: it goes with no filter");
    RtAttachOutputRequest request = {
        .service_name = logs->services.items[0],
        .has_replay_bytes = true,
        .replay_bytes = logs->follow && logs->tail == 0 ? 0 : RAW_MAX,
        .once = !logs->follow,
    };
    return remote_ask(&logs->remote,
                      &RtOrchestratorService_service.methods[RtOrchestratorService_AttachOutput],
                      &request, on_bytes, logs);
}

/* ---- the command ---- */

static void add_condition(LogsCommand *logs, const char *field, const char *value) {
    if (logs->filter.len)
        buf_add_char(&logs->filter, ' ');
    buf_printf(&logs->filter, "%s%s", field, value);
}

static int take_tail(LogsCommand *logs, const char *value) {
    uint64_t count;
    if (strcmp(value, "all") == 0)
        logs->tail = -1;
    else if (parse_u64(span_of(value), &count) && count <= INT32_MAX)
        logs->tail = (int64_t)count;
    else
        return cli_usage(&COMMAND_LOGS, "not a number: --tail %s: a number, or all", value);
    return 0;
}

static int take_option(void *owner, int option, char *value) {
    LogsCommand *logs = owner;
    switch (option) {
    case 'f':
        logs->follow = true;
        return 0;
    case 'n':
        return take_tail(logs, value);
    case 'g':
        logs->grep = value;
        return 0;
    case OPT_CORR:
        logs->correlation = value;
        return 0;
    case OPT_RAW:
        logs->raw = true;
        return 0;
    case OPT_SINCE:
        add_condition(logs, "since:", value);
        return 0;
    case OPT_UNTIL:
        add_condition(logs, "until:", value);
        return 0;
    case OPT_RUN:
        add_condition(logs, "run:", value);
        return 0;
    case OPT_LEVEL:
        add_condition(logs, "level>=", value);
        return 0;
    default:
        return remote_option(&logs->remote, option, value);
    }
}

static bool is_name(const char *word) {
    for (const char *c = word; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              strchr("-_.*", *c)) ||
            (c == word && *c == '-'))
            return false;
    return *word != '\0';
}

static void take_arguments(LogsCommand *logs, char **arguments, size_t count) {
    Buf line = {0};
    for (size_t i = 0; i < count; i++) {
        if (is_name(arguments[i])) {
            *array_push(&logs->services) = span_of(arguments[i]);
            continue;
        }
        if (line.len)
            buf_add_char(&line, ' ');
        buf_add(&line, span_of(arguments[i]));
    }
    /* What options ask for must hold whatever the filter says. It stands behind, so that columns of
     * mistakes are those of what was written. */
    bool grouped = line.len && logs->filter.len && strstr(buf_cstr(&line), " OR ");
    Buf whole = {0};
    buf_printf(&whole, "%s%.*s%s%.*s", grouped ? "(" : "", SPAN_ARGS(buf_span(&line)),
               grouped    ? ") "
               : line.len ? " "
                          : "",
               SPAN_ARGS(buf_span(&logs->filter)));
    buf_done(&logs->filter);
    logs->filter = whole;
    buf_done(&line);
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        REMOTE_JSON_OPTION,
        {"follow", no_argument, NULL, 'f'},
        {"tail", required_argument, NULL, 'n'},
        {"grep", required_argument, NULL, 'g'},
        {"corr", required_argument, NULL, OPT_CORR},
        {"raw", no_argument, NULL, OPT_RAW},
        {"since", required_argument, NULL, OPT_SINCE},
        {"until", required_argument, NULL, OPT_UNTIL},
        {"run", required_argument, NULL, OPT_RUN},
        {"level", required_argument, NULL, OPT_LEVEL},
        {0},
    };
    LogsCommand logs = {.tail = -2};
    OptionSet set = {
        .command = &COMMAND_LOGS,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT "fn:g:",
        .take = take_option,
        .owner = &logs,
        .most = -1,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    bool timed = logs.filter.len > 0;
    take_arguments(&logs, argv + optind, (size_t)(argc - optind));
    if (logs.tail == -2)
        logs.tail = logs.follow ? TAIL_FOLLOW : timed ? -1 : TAIL_DEFAULT;
    logs.terminal = isatty(STDOUT_FILENO);
    result = remote_open(&logs.remote, &COMMAND_LOGS);
    if (!result && !logs.raw) /* which fails by itself */
        result = service_names_check(&logs.remote, logs.services.items, logs.services.count,
                                     "see muster ps; --grep finds words");
    if (!result)
        result = logs.raw ? show_raw(&logs) : logs.follow ? follow(&logs) : query(&logs);
    buf_done(&logs.filter);
    array_done(&logs.services);
    array_done(&logs.latest);
    remote_close(&logs.remote);
    return result;
}

const Command COMMAND_LOGS = {
    .name = "logs",
    .summary = "show what services print and send",
    .help = HELP,
    .run = run,
};
