/* muster up: runs the project of this folder. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/project/ending.h"
#include "cli/project/joining.h"
#include "cli/project/place.h"
#include "cli/project/reload.h"
#include "cli/project/service_view.h"
#include "cli/project/startup_view.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "keeper/keeper_client.h"
#include "runtime/data.h"
#include "runtime/v1/logger.pb.h"
#include "runtime/v1/runtime.pb.h"

static const char HELP[] =
    "Usage: muster up [options] [SERVICE…]\n"
    "\n"
    "Starts the services of the project in their order, or those named and what they depend on, "
    "and\n"
    "shows what they print. In a terminal, Ctrl-C asks whether to stop it or to leave it running, "
    "and\n"
    "Space opens the page. It ends by itself when all services have: with 0 when all completed; "
    "with 1\n"
    "when one failed, which in a terminal is left to be looked at.\n"
    "\n"
    "Where the project runs already, it joins in: files that were changed since come into force, "
    "what\n"
    "has stopped or failed is started, what runs is left alone. So is a task that has completed, "
    "unless\n"
    "it is named, or was stopped since (muster stop, muster down).\n"
    "\n"
    "  -d, --detach           return when each service is healthy, completed or failed\n"
    "  -f, --file FILE        the project's file; repeatable, merged in order (default: "
    "muster.yaml,\n"
    "                         muster.yml, services.toml, configs/services.toml or config.yaml, "
    "here\n"
    "                         or above)\n"
    "  --data DIR             the data folder (default .muster beside the file)\n"
    "  --listen ADDRESS       where the runtime listens, HOST:PORT or unix:PATH; repeatable; "
    "refused\n"
    "                         where it runs already and listens elsewhere\n"
    "  --isolated             beside another run of the same project: with a data folder and a "
    "port\n"
    "                         of its own, which go when it ends\n"
    "  --force                restart services that run already, and run tasks again\n"
    "  -q, --quiet            say nothing but what is wrong\n"
    "  --help                 this text\n"
    "\n"
    "Exit status: 0 all services came up, 1 one has failed, 2 wrong configuration, 130 "
    "interrupted.\n";

#define TICK         (100 * NANOS_PER_MILLI)
#define KEEPER_LIMIT (3 * NANOS_PER_SECOND)
#define KEEPER_PAUSE (2 * NANOS_PER_MILLI)
#define PROBE_LIMIT  NANOS_PER_SECOND
#define REPLAY       1000 /* of the latest entries, of a project that ran already */
#define AGAIN        (200 * NANOS_PER_MILLI)
#define LAST_WORDS   NANOS_PER_SECOND /* until what the last service printed has come */

typedef struct Up {
    Remote remote;
    Place place;
    ARRAY(char *) files;
    ARRAY(char *) listen;
    char *const *names;
    size_t name_count;
    bool detach, isolated, force;
    bool joins;        /* it ran already */
    char own_data[64]; /* of --isolated */

    World *world;
    ServiceList services;
    StartupView view;
    RemoteCall watching, starting, adoptions, logs, events;
    Timer tick, again, over;
    int64_t last; /* sequence of the latest log entry that is not to be shown any more */
    Terminal *terminal;
    bool asking;  /* whether to stop or to detach */
    bool started; /* StartAllServices has answered */
    bool failed;  /* one has failed */
    bool away;    /* the runtime was gone when it was last looked for */
    enum { UP_RUNS, UP_DETACHES, UP_STOPS, UP_IS_GONE } end;
    int result;
} Up;

static void finish(Up *up, int end, int result) {
    up->end = (unsigned)end;
    up->result = result;
    world_stop(up->world);
}

/* ---- what services print, and what happens to them ---- */

static void print_entry(const Up *up, const RtLogEntry *entry) {
    Style on = up->remote.style;
    printf("%s%.*s%s | ", style_service(on, entry->service_name), SPAN_ARGS(entry->service_name),
           style(on, STYLE_PLAIN));
    for (size_t i = 0; i < entry->message.len; i++) {
        char c = entry->message.ptr[i];
        putchar(c == '\r' || (!on.colour && c == '\033') ? ' ' : c);
    }
    printf("%s\n", style(on, STYLE_PLAIN));
}

static void on_entry(void *owner, const void *message) {
    Up *up = owner;
    const RtLogEntry *entry = message;
    if (entry->sequence > up->last)
        up->last = entry->sequence;
    if (!up->asking)
        print_entry(up, entry);
    fflush(stdout);
}

static void on_earlier_entry(void *owner, const void *message) {
    ((Up *)owner)->last = ((const RtLogEntry *)message)->sequence;
}

/* What was printed before the project was started anew is not shown: remembers where that ends. */
static int pass_over_earlier(Up *up) {
    RtLogQuery latest = {.order = RT_LOG_ORDER_NEWEST_FIRST, .limit = 1};
    return remote_ask(&up->remote, &RtLoggerService_service.methods[RtLoggerService_QueryLogs],
                      &latest, on_earlier_entry, up);
}

static bool is_telling(int32_t type) {
    return type == RT_SERVICE_EVENT_TYPE_EXITED || type == RT_SERVICE_EVENT_TYPE_FAILED ||
           type == RT_SERVICE_EVENT_TYPE_BACKING_OFF || type == RT_SERVICE_EVENT_TYPE_UNHEALTHY ||
           type == RT_SERVICE_EVENT_TYPE_HEALTHY || type == RT_SERVICE_EVENT_TYPE_RESTARTING ||
           type == RT_SERVICE_EVENT_TYPE_FILE_CHANGED ||
           type == RT_SERVICE_EVENT_TYPE_OUTPUT_LOST || type == RT_SERVICE_EVENT_TYPE_ADOPTED ||
           type == RT_SERVICE_EVENT_TYPE_CONFIGURATION_APPLIED;
}

static void on_event(void *owner, const void *message) {
    const Up *up = owner;
    const RtServiceEvent *event = ((const RtWatchEventsResponse *)message)->event;
    if (!event || !is_telling(event->type) || up->asking)
        return;
    Style on = up->remote.style;
    printf("%s%.*s%s %s%s%s%s%.*s\n", style_service(on, event->service), SPAN_ARGS(event->service),
           style(on, STYLE_PLAIN), style(on, event_style((RtServiceEventType)event->type)),
           event_text((RtServiceEventType)event->type), style(on, STYLE_PLAIN),
           event->message.len ? ": " : "", SPAN_ARGS(event->message));
    fflush(stdout);
}

static void follow(Up *up) {
    up->logs = (RemoteCall){.message = on_entry, .owner = up};
    up->events = (RemoteCall){.message = on_event, .owner = up};
    RtLogFilter filter = {.after_sequence = up->last,
                          .replay = up->last ? 0 : REPLAY,
                          .min_level = RT_LOG_LEVEL_TRACE};
    remote_begin(&up->remote, &up->logs,
                 &RtLoggerService_service.methods[RtLoggerService_SubscribeLogs], &filter);
    remote_begin(&up->remote, &up->events, ORCHESTRATOR_METHOD(WatchEvents),
                 &(RtWatchEventsRequest){0});
}

/* ---- nothing is left to run ---- */

/* What is not Muster's to run, or is not to run now, holds nobody up. */
static bool counts(const RtServiceStatus *service) {
    return service->kind != RT_SERVICE_KIND_EXTERNAL && service->kind != RT_SERVICE_KIND_BUILTIN &&
           !service->disabled;
}

static bool has_ended(const Up *up, const RtServiceStatus *service) {
    const ServiceConfig *config = config_service(up->place.config, service->name);
    bool comes_again = service->next_start_ms || (config && config->watch.paths.count);
    return !comes_again && (service->state == RT_SERVICE_STATE_COMPLETED ||
                            service->state == RT_SERVICE_STATE_FAILED ||
                            service->state == RT_SERVICE_STATE_SKIPPED);
}

/* A project that this command has started is over when all that it was to run has ended by itself.
 * Somebody at a terminal, where something has failed, may want to look at it first. */
static bool is_over(const Up *up) {
    size_t counted = 0;
    bool failed = false;
    for (size_t i = 0; i < up->services.items.count; i++) {
        const RtServiceStatus *service = up->services.items.items[i]->status;
        if (!counts(service))
            continue;
        counted++;
        failed |= service->state != RT_SERVICE_STATE_COMPLETED;
        if (!has_ended(up, service))
            return false;
    }
    return counted && !up->joins && !up->detach && up->started && !(failed && up->terminal);
}

static void on_over(Timer *timer) {
    Up *up = CONTAINER(timer, Up, over);
    bool failed = up->failed;
    for (size_t i = 0; i < up->services.items.count; i++)
        failed |= up->services.items.items[i]->status->state == RT_SERVICE_STATE_FAILED;
    if (is_over(up) && !up->asking && !up->remote.quiet)
        puts("all services have ended");
    if (is_over(up) && !up->asking)
        finish(up, UP_STOPS, failed ? EXIT_FAILED : EXIT_DONE);
}

static void look_whether_over(Up *up) {
    if (is_over(up) && !timer_is_armed(&up->over))
        wheel_arm(world_wheel(up->world), &up->over, world_now(up->world) + LAST_WORDS);
}

/* ---- the start ---- */

/* A process that ran already counts as the service from now on: nobody should have to guess. */
static void on_adoption(void *owner, const void *message) {
    Up *up = owner;
    const RtServiceEvent *event = ((const RtWatchEventsResponse *)message)->event;
    if (!event || up->started || up->remote.quiet)
        return;
    startup_view_clear(&up->view);
    printf("%s%.*s%s: %.*s\n", style_service(up->remote.style, event->service),
           SPAN_ARGS(event->service), style(up->remote.style, STYLE_PLAIN),
           SPAN_ARGS(event->message));
    fflush(stdout);
}

static void watch_adoptions(Up *up) {
    int32_t type = RT_SERVICE_EVENT_TYPE_ADOPTED;
    RtWatchEventsRequest request = {.types = {.items = &type, .count = 1}};
    up->adoptions = (RemoteCall){.message = on_adoption, .owner = up};
    remote_begin(&up->remote, &up->adoptions, ORCHESTRATOR_METHOD(WatchEvents), &request);
}

static void on_change(void *owner, const void *message) {
    Up *up = owner;
    up->away = false;
    service_list_update(&up->services, message);
    if (!up->started && !up->view.live && !up->remote.quiet)
        startup_view_tell(&up->view, &up->services, message);
    look_whether_over(up);
}

/* A runtime that was killed comes back, by its keeper; without a keeper, somebody has ended it. */
static void on_watch_closed(void *owner, Status status) {
    Up *up = owner;
    if (up->end != UP_RUNS)
        return;
    startup_view_clear(&up->view);
    if (!up->started || status.code != STATUS_UNAVAILABLE) {
        finish(up, UP_IS_GONE, remote_report(&up->remote, status));
        return;
    }
    if (up->away && !up->remote.quiet) /* at the second attempt */
        fputs("muster: the runtime has gone: waiting until it is back\n", stderr);
    wheel_arm(world_wheel(up->world), &up->again, world_now(up->world) + AGAIN);
}

static void watch(Up *up) {
    up->watching = (RemoteCall){.message = on_change, .closed = on_watch_closed, .owner = up};
    remote_begin(&up->remote, &up->watching, ORCHESTRATOR_METHOD(WatchServices),
                 &(RtWatchServicesRequest){0});
}

static void on_again(Timer *timer) {
    Up *up = CONTAINER(timer, Up, again);
    if (!place_is_kept(&up->place)) {
        finish(up, UP_IS_GONE, up->failed ? EXIT_FAILED : EXIT_DONE);
    } else if (up->logs.call || up->events.call) { /* they hang on the connection that broke */
        remote_cancel(&up->logs);
        remote_cancel(&up->events);
        wheel_arm(world_wheel(up->world), &up->again, world_now(up->world) + AGAIN);
    } else {
        up->away = true;
        watch(up);
        follow(up);
    }
}

static void on_tick(Timer *timer) {
    Up *up = CONTAINER(timer, Up, tick);
    if (up->services.complete && !up->asking)
        startup_view_draw(&up->view, &up->services, world_now(up->world));
    wheel_arm(world_wheel(up->world), &up->tick, world_now(up->world) + TICK);
}

/* The answer may come before the last changes that the watch tells: then these are told here. */
static void tell_rest(const Up *up, const RtStartAllResponse *response) {
    for (size_t i = 0; i < response->results.count; i++) {
        const RtServiceStartResult *result = &response->results.items[i];
        const RtServiceStatus *told = service_list_find(&up->services, result->name);
        if (told && told->state != result->state && result->success)
            printf("%s%.*s%s: %s\n", style_service(up->remote.style, result->name),
                   SPAN_ARGS(result->name), style(up->remote.style, STYLE_PLAIN),
                   state_text((RtServiceState)result->state));
    }
}

/* The link itself is printed by muster link. */
static void print_link(const Up *up) {
    printf("the page, by a link that works once%s: ", up->detach ? "" : " (Space opens it)");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "muster", "link", "--data", up->place.data, NULL);
        _exit(127);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

/* What Ctrl-C is to do; asked anew when something else was printed meanwhile. */
static void ask(Up *up) {
    startup_view_clear(&up->view);
    up->asking = true;
    printf("\n%ss%s stop all services   %sd%s detach: they go on   any other key: go on\n",
           style(up->remote.style, STYLE_BOLD), style(up->remote.style, STYLE_PLAIN),
           style(up->remote.style, STYLE_BOLD), style(up->remote.style, STYLE_PLAIN));
    fflush(stdout);
}

static void on_started(void *owner, const void *message) {
    Up *up = owner;
    const RtStartAllResponse *response = message;
    up->started = true;
    up->failed = !response->success;
    wheel_cancel(world_wheel(up->world), &up->tick);
    startup_view_clear(&up->view);
    if (!up->view.live && !up->remote.quiet)
        tell_rest(up, response);
    if (!up->remote.quiet || up->failed)
        print_start_results(up->remote.style, response->results.items, response->results.count,
                            up->remote.quiet || !up->view.live);
    if (!up->failed && !up->remote.quiet && isatty(STDOUT_FILENO))
        print_link(up);
    if (up->asking)
        ask(up);
}

static void on_start_closed(void *owner, Status status) {
    Up *up = owner;
    if (up->end != UP_RUNS)
        return;
    if (status.code != STATUS_OK) {
        startup_view_clear(&up->view);
        /* Refused: then nothing stays that was started for it. */
        bool stays = up->joins || status.code == STATUS_UNAVAILABLE;
        finish(up, stays ? UP_DETACHES : UP_STOPS, remote_report(&up->remote, status));
    } else if (up->detach) {
        finish(up, UP_DETACHES, up->failed ? EXIT_FAILED : EXIT_DONE);
    } else {
        remote_cancel(&up->adoptions);
        follow(up);
        look_whether_over(up);
    }
}

static void start(Up *up) {
    Wheel *wheel = world_wheel(up->world);
    Span *names = arena_alloc(&up->remote.peer.arena, (up->name_count + 1) * sizeof *names);
    for (size_t i = 0; i < up->name_count; i++)
        names[i] = span_of(up->names[i]);
    up->view = (StartupView){.style = up->remote.style,
                             .live = style_is_live() && !up->remote.quiet,
                             .began = world_now(up->world)};
    watch(up);
    watch_adoptions(up);
    RtStartAllRequest request = {.force = up->force};
    request.service_names.items = names;
    request.service_names.count = (uint32_t)up->name_count;
    up->starting = (RemoteCall){.message = on_started, .closed = on_start_closed, .owner = up};
    remote_begin(&up->remote, &up->starting, ORCHESTRATOR_METHOD(StartAllServices), &request);
    up->tick.fire = on_tick;
    up->again.fire = on_again;
    up->over.fire = on_over;
    if (up->view.live)
        wheel_arm(wheel, &up->tick, world_now(up->world) + TICK);
}

/* ---- Ctrl-C, and keys ---- */

/* By a grandchild, whose end nobody has to await. */
static void open_page(const Up *up) {
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0)
            execl("/proc/self/exe", "muster", "link", "--open", "--data", up->place.data, NULL);
        _exit(0);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
}

static void on_key(void *owner, Span keys) {
    Up *up = owner;
    if (!keys.len)
        return;
    if (!up->asking) {
        if (keys.ptr[0] == ' ')
            open_page(up);
        return;
    }
    up->asking = false;
    if (keys.ptr[0] == 's' || keys.ptr[0] == 'S')
        finish(up, UP_STOPS, EXIT_INTERRUPTED);
    else if (keys.ptr[0] == 'd' || keys.ptr[0] == 'D')
        finish(up, UP_DETACHES, EXIT_DONE);
    else
        puts("going on");
    fflush(stdout);
    look_whether_over(up);
}

/* With somebody at the keyboard it is asked what is meant; the second Ctrl-C means stop. */
static void on_interrupt(void *owner, int signal) {
    Up *up = owner;
    if (up->detach) {
        startup_view_clear(&up->view);
        finish(up, UP_DETACHES, EXIT_INTERRUPTED);
    } else if (signal == SIGINT && up->terminal && !up->asking) {
        ask(up);
    } else {
        finish(up, UP_STOPS, EXIT_INTERRUPTED);
    }
}

/* ---- from beginning to end ---- */

static void ignore_answer(void *owner, const void *message) {
    (void)owner;
    (void)message;
}

static void make_isolated(Up *up) {
    const char *folder = getenv("XDG_RUNTIME_DIR");
    if (!folder || strlen(folder) > 32 || access(folder, W_OK) < 0)
        folder = "/tmp";
    snprintf(up->own_data, sizeof up->own_data, "%s/muster-XXXXXX", folder);
    if (mkdtemp(up->own_data)) {
        data_write(up->own_data, DATA_PASSING, SPAN(""), false);
        up->remote.peer.data = up->own_data;
        *array_push(&up->listen) = (char *)"127.0.0.1:0";
    }
}

static bool has_address(const Place *place) {
    Buf address = {0};
    bool has = data_read(place->data, DATA_ADDRESS, &address) == 0;
    buf_done(&address);
    return has;
}

/* Whether the keeper has a runtime at the moment; one that does not say so has. */
static bool has_runtime(const Place *place) {
    KeeperStatus status;
    return keeper_status(place->data, &status) != 0 || status.runtime_pid;
}

/* A keeper means that there is a runtime, or soon one again; without an address it is about to have
 * its first, or to go with its last; and a runtime that was killed while it started this keeper has
 * left its address and nobody to start it again. Without a keeper a runtime may still answer. */
static bool is_running(const Place *place) {
    for (Nanos waited = 0; place_is_kept(place); waited += KEEPER_PAUSE) {
        if (has_address(place) && has_runtime(place))
            return true;
        if (waited >= KEEPER_LIMIT)
            return false; /* it gets a runtime again */
        nanosleep(&(struct timespec){.tv_nsec = KEEPER_PAUSE}, NULL);
    }
    if (!has_address(place))
        return false;
    Remote probe = {.peer = {.data = place->data, .timeout = PROBE_LIMIT}};
    bool answers = remote_open(&probe, &COMMAND_UP) == 0 &&
                   peer_ask(&probe.peer, probe.peer.channel,
                            &RtRuntimeService_service.methods[RtRuntimeService_GetRuntime],
                            &(RtGetRuntimeRequest){0}, ignore_answer, NULL)
                           .code == STATUS_OK;
    remote_close(&probe);
    return answers;
}

/* The way to the runtime, which is started where there is none. */
static int open_runtime(Up *up) {
    Remote *remote = &up->remote;
    int result = place_open(&up->place, up->files.items, up->files.count, remote->peer.data);
    if (result)
        return result;
    up->joins = is_running(&up->place);
    if (!up->joins)
        result = place_launch(&up->place, up->listen.items, up->listen.count);
    if (result)
        return result;
    remote->peer.data = up->place.data;
    result = remote_open(remote, &COMMAND_UP);
    if (result || !up->joins)
        return result;
    result = joining_check(remote, &up->place, up->listen.items, up->listen.count);
    result = result ? result : reload_changed(remote);
    return result ? result : joining_tell_scaled(remote, &up->place);
}

static int bring_up(Up *up) {
    Remote *remote = &up->remote;
    int result = open_runtime(up);
    if (result)
        return result;
    up->world = remote->peer.world;
    result = up->detach || up->joins ? 0 : pass_over_earlier(up);
    if (result)
        return result;
    start(up);
    if (!up->detach && style_is_live() && isatty(STDIN_FILENO))
        up->terminal = terminal_open(up->world, TERMINAL_KEYS, on_key, up);
    world_on_signal(up->world, SIGINT, on_interrupt, up);
    world_on_signal(up->world, SIGTERM, on_interrupt, up);
    world_run(up->world);
    wheel_cancel(world_wheel(up->world), &up->tick);
    wheel_cancel(world_wheel(up->world), &up->again);
    wheel_cancel(world_wheel(up->world), &up->over);
    terminal_close(up->terminal);
    remote_cancel(&up->watching);
    remote_cancel(&up->starting);
    remote_cancel(&up->adoptions);
    remote_cancel(&up->logs);
    remote_cancel(&up->events);
    remote_settle(remote);
    return up->result;
}

/* Commands look for it in this folder and above: elsewhere they have to be told. */
static const char *data_to_name(const Up *up) {
    char folder[4096];
    const char *data = up->place.data, *slash = data ? strrchr(data, '/') : NULL;
    if (up->own_data[0])
        return up->own_data;
    if (!slash || !getcwd(folder, sizeof folder))
        return NULL;
    size_t len = (size_t)(slash - data);
    bool above = strcmp(slash + 1, DATA_FOLDER) == 0 && strncmp(folder, data, len) == 0 &&
                 (!folder[len] || folder[len] == '/');
    return above ? NULL : data;
}

static void say_how_to_go_on(const Up *up) {
    if (up->remote.quiet || !up->world)
        return;
    if (up->result == EXIT_INTERRUPTED)
        puts("interrupted; the start goes on: muster ps shows it, muster down ends it");
    const char *data = data_to_name(up);
    if (data)
        printf("it runs in %s: muster ps --data %s, muster down --data %s\n", data, data, data);
    else if (!up->detach)
        puts("detached; muster ps, muster logs -f, muster down");
}

static int end(Up *up, int result) {
    if (up->end == UP_STOPS) {
        int ended = ending_run(&up->remote, false, 0);
        result = ended == EXIT_DONE ? result : ended;
    } else if (up->end == UP_DETACHES) {
        say_how_to_go_on(up);
    }
    if (up->own_data[0] && (up->end != UP_DETACHES || !up->world))
        data_remove_passing(up->own_data);
    remote_close(&up->remote);
    service_list_done(&up->services);
    place_done(&up->place);
    array_done(&up->files);
    array_done(&up->listen);
    return result;
}

/* ---- the command ---- */

enum { OPT_DATA = 256, OPT_LISTEN, OPT_ISOLATED, OPT_FORCE };

static int take_option(void *owner, int option, char *value) {
    Up *up = owner;
    switch (option) {
    case 'd':
        up->detach = true;
        return 0;
    case 'f':
        *array_push(&up->files) = value;
        return 0;
    case OPT_DATA:
        up->remote.peer.data = value;
        return 0;
    case OPT_LISTEN:
        if (!address_parse(span_of(value), &(Address){0}))
            return cli_usage(&COMMAND_UP,
                             "not an address: --listen %s: write HOST:PORT or unix:PATH", value);
        *array_push(&up->listen) = value;
        return 0;
    case OPT_ISOLATED:
        up->isolated = true;
        return 0;
    case OPT_FORCE:
        up->force = true;
        return 0;
    default:
        up->remote.quiet = true;
        return 0;
    }
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        OPTION_HELP,
        {"detach", no_argument, NULL, 'd'},
        {"file", required_argument, NULL, 'f'},
        {"data", required_argument, NULL, OPT_DATA},
        {"listen", required_argument, NULL, OPT_LISTEN},
        {"isolated", no_argument, NULL, OPT_ISOLATED},
        {"force", no_argument, NULL, OPT_FORCE},
        {"quiet", no_argument, NULL, 'q'},
        {0},
    };
    Up up = {0};
    OptionSet set = {
        .command = &COMMAND_UP,
        .options = OPTIONS,
        .short_options = "df:q",
        .take = take_option,
        .owner = &up,
        .most = -1,
    };
    int result = options_read(&set, argc, argv);
    if (!result) {
        up.names = argv + optind;
        up.name_count = (size_t)(argc - optind);
        if (up.isolated)
            make_isolated(&up);
        result = bring_up(&up);
    }
    result = end(&up, result);
    return result == OPTIONS_HELPED ? EXIT_DONE : result;
}

const Command COMMAND_UP = {
    .name = "up",
    .summary = "run the project of this folder",
    .help = HELP,
    .run = run,
};
