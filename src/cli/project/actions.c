/* muster start, stop, restart, scale: what is done to services by name. Each is answered when it has
 * come true. */
#include <stdio.h>

#include "base/text.h"
#include "cli/project/service_view.h"
#include "cli/remote.h"

typedef struct Action {
    Remote remote;
    bool without_dependencies, with_dependants, with_dependencies, force;
    const char *instance;
    bool failed; /* the runtime did it, and it did not succeed */
} Action;

enum {
    OPT_NO_DEPENDENCIES = 256,
    OPT_DEPENDANTS,
    OPT_DEPENDENCIES,
    OPT_FORCE,
    OPT_INSTANCE,
    OPT_TIMEOUT
};

#define TIMEOUT_HELP                                                                               \
    "  --timeout TIME         give up waiting after 500ms, 5s, 2m, 1h; what was asked for goes "   \
    "on\n"

static int take_option(void *owner, int option, char *value) {
    Action *action = owner;
    switch (option) {
    case OPT_NO_DEPENDENCIES:
        action->without_dependencies = true;
        return 0;
    case OPT_DEPENDANTS:
        action->with_dependants = true;
        return 0;
    case OPT_DEPENDENCIES:
        action->with_dependencies = true;
        return 0;
    case OPT_FORCE:
        action->force = true;
        return 0;
    case OPT_INSTANCE:
        action->instance = value;
        return 0;
    case OPT_TIMEOUT:
        return option_time(action->remote.peer.command, "--timeout", value,
                           &action->remote.peer.timeout);
    default:
        return remote_option(&action->remote, option, value);
    }
}

/* Reads the command line and opens the way to the runtime. 0, or an exit code, or OPTIONS_HELPED. */
static int begin(Action *action, OptionSet *set, int argc, char **argv) {
    action->remote.peer.command = set->command;
    set->take = take_option;
    set->owner = action;
    set->short_options = REMOTE_SHORT;
    int result = options_read(set, argc, argv);
    return result ? result : remote_open(&action->remote, set->command);
}

static int end(Action *action, int result) {
    remote_close(&action->remote);
    if (result == OPTIONS_HELPED)
        return EXIT_DONE;
    return result ? result : action->failed ? EXIT_FAILED : EXIT_DONE;
}

static void say(const Action *action, const char *done, const char *name) {
    Style on = action->remote.style;
    if (!action->remote.quiet && !action->remote.json)
        printf("%s✓%s %s%s%s %s\n", style(on, STYLE_GOOD), style(on, STYLE_PLAIN),
               style_service(on, span_of(name)), name, style(on, STYLE_PLAIN), done);
}

/* ---- start ---- */

static const char START_HELP[] =
    "Usage: muster start [options] [SERVICE…]\n"
    "\n"
    "Starts services and what they depend on, and waits until each is healthy, completed or "
    "failed.\n"
    "Without a name: all that are not disabled. Services that run already are left alone. A task "
    "that\n"
    "has completed runs again where it is named.\n"
    "\n"
    "  --no-dependencies      only those named; they wait for what they need\n"
    "  --force                restart those that run already, and run tasks again\n" TIMEOUT_HELP
        REMOTE_JSON_HELP REMOTE_HELP
    "\nExit status: 0 all succeeded, 1 one has failed, 3 no such service.\n";

static void on_started(void *owner, const void *message) {
    Action *action = owner;
    const RtStartServiceResponse *response = message;
    action->failed |= !response->success;
    if (action->remote.json)
        remote_print_json(&RtStartServiceResponse_type, message, true);
    else
        print_start_results(action->remote.style, response->results.items, response->results.count,
                            action->remote.quiet);
}

static void on_all_started(void *owner, const void *message) {
    Action *action = owner;
    const RtStartAllResponse *response = message;
    action->failed |= !response->success;
    if (action->remote.json)
        remote_print_json(&RtStartAllResponse_type, message, true);
    else
        print_start_results(action->remote.style, response->results.items, response->results.count,
                            action->remote.quiet);
}

static int start_each(Action *action, char *const *names, size_t count) {
    int result = 0;
    for (size_t i = 0; i < count && !result; i++) {
        RtStartServiceRequest request = {.service_name = span_of(names[i]),
                                         .without_dependencies = true};
        result = remote_ask(&action->remote, ORCHESTRATOR_METHOD(StartService), &request,
                            on_started, action);
    }
    return result;
}

static int start_all(Action *action, char *const *names, size_t count) {
    Span *spans = arena_alloc(&action->remote.peer.arena, (count + 1) * sizeof *spans);
    for (size_t i = 0; i < count; i++)
        spans[i] = span_of(names[i]);
    RtStartAllRequest request = {.force = action->force};
    request.service_names.items = spans;
    request.service_names.count = (uint32_t)count;
    return remote_ask(&action->remote, ORCHESTRATOR_METHOD(StartAllServices), &request,
                      on_all_started, action);
}

static int run_start(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        REMOTE_JSON_OPTION,
        {"no-dependencies", no_argument, NULL, OPT_NO_DEPENDENCIES},
        {"force", no_argument, NULL, OPT_FORCE},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {0},
    };
    Action action = {0};
    OptionSet set = {.command = &COMMAND_START, .options = OPTIONS, .most = -1};
    int result = begin(&action, &set, argc, argv);
    size_t count = (size_t)(argc - optind);
    if (!result && action.without_dependencies)
        result = start_each(&action, argv + optind, count);
    else if (!result)
        result = start_all(&action, argv + optind, count);
    return end(&action, result);
}

const Command COMMAND_START = {
    .name = "start",
    .summary = "start services of the running project",
    .help = START_HELP,
    .run = run_start,
};

/* ---- stop ---- */

static const char STOP_HELP[] =
    "Usage: muster stop [options] [SERVICE…]\n"
    "\n"
    "Stops services and waits until their processes are gone. They stay stopped until they are\n"
    "started. Without a name: all; the runtime goes on (muster down ends that, too).\n"
    "\n"
    "  --with-dependants      also those that depend on them, before them\n"
    "  --with-dependencies    also what they depend on, after them, where nobody else needs it\n"
    "  --force                kill at once\n"
    "  --instance ID          only this instance\n" TIMEOUT_HELP REMOTE_JSON_HELP REMOTE_HELP;

static void on_stopped(void *owner, const void *message) {
    Action *action = owner;
    const RtStopServiceResponse *response = message;
    if (action->remote.json)
        remote_print_json(&RtStopServiceResponse_type, message, true);
    for (size_t i = 0; i < response->stopped.count; i++) {
        const char *name = arena_text(&action->remote.peer.arena, response->stopped.items[i]);
        say(action, "stopped", name);
    }
}

static void on_empty(void *owner, const void *message) {
    const Action *action = owner;
    if (action->remote.json)
        remote_print_json(&RtEmpty_type, message, true);
}

static int run_stop(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        REMOTE_JSON_OPTION,
        {"with-dependants", no_argument, NULL, OPT_DEPENDANTS},
        {"with-dependencies", no_argument, NULL, OPT_DEPENDENCIES},
        {"force", no_argument, NULL, OPT_FORCE},
        {"instance", required_argument, NULL, OPT_INSTANCE},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {0},
    };
    Action action = {0};
    OptionSet set = {.command = &COMMAND_STOP, .options = OPTIONS, .most = -1};
    int result = begin(&action, &set, argc, argv);
    if (!result && optind == argc) {
        result = remote_ask(&action.remote, ORCHESTRATOR_METHOD(StopAllServices), &(RtEmpty){0},
                            on_empty, &action);
        if (!result && !action.remote.quiet && !action.remote.json)
            puts("all services are stopped");
    }
    for (int i = optind; i < argc && !result; i++) {
        RtStopServiceRequest request = {
            .service_name = span_of(argv[i]),
            .with_dependants = action.with_dependants,
            .with_dependencies = action.with_dependencies,
            .force = action.force,
            .instance_id = span_of(action.instance),
        };
        result = remote_ask(&action.remote, ORCHESTRATOR_METHOD(StopService), &request, on_stopped,
                            &action);
    }
    return end(&action, result);
}

const Command COMMAND_STOP = {
    .name = "stop",
    .summary = "stop services of the running project",
    .help = STOP_HELP,
    .run = run_stop,
};

/* ---- restart ---- */

static const char RESTART_HELP[] =
    "Usage: muster restart [options] SERVICE…\n"
    "\n"
    "Stops services and starts them again, and waits until they are healthy. muster up -d --force\n"
    "restarts all.\n"
    "\n"
    "  --with-dependants      also those that depend on them\n"
    "  --instance ID          only this instance\n" TIMEOUT_HELP REMOTE_JSON_HELP REMOTE_HELP;

/* Which lives the services' processes are in, to see afterwards who has begun another. */
typedef struct Lives {
    Action *action;
    const char *named;   /* whose restart it is: that is told anyway */
    ARRAY(Span) names;   /* in the order of start, in the action's arena; with … */
    ARRAY(int64_t) runs; /* … the sum of their instances' runs */
    bool again;          /* the second look: tells the differences */
} Lives;

static void on_lives(void *owner, const void *message) {
    Lives *lives = owner;
    const RtOrchestratorStatus *status = message;
    Arena *arena = &lives->action->remote.peer.arena;
    for (size_t i = 0; i < status->services.count; i++) {
        const RtServiceStatus *service = &status->services.items[i];
        int64_t runs = 0;
        for (size_t j = 0; j < service->instances.count; j++)
            runs += service->instances.items[j].run;
        if (!lives->again) {
            *array_push(&lives->names) = arena_copy(arena, service->name);
            *array_push(&lives->runs) = runs;
            continue;
        }
        for (size_t j = 0; j < lives->names.count; j++)
            if (span_equal(lives->names.items[j], service->name) && lives->runs.items[j] != runs &&
                !span_equal(service->name, span_of(lives->named)))
                say(lives->action, "restarted, too", arena_text(arena, service->name));
    }
}

static int look_at_lives(Lives *lives) {
    if (!lives->action->with_dependants || lives->action->remote.quiet ||
        lives->action->remote.json)
        return 0;
    return remote_ask(&lives->action->remote, ORCHESTRATOR_METHOD(GetOrchestratorStatus),
                      &(RtEmpty){0}, on_lives, lives);
}

static int restart(Action *action, const char *name) {
    Lives lives = {.action = action, .named = name};
    RtServiceRequest request = {
        .service_name = span_of(name),
        .with_dependants = action->with_dependants,
        .instance_id = span_of(action->instance),
    };
    int result = look_at_lives(&lives);
    if (!result)
        result = remote_ask(&action->remote, ORCHESTRATOR_METHOD(RestartService), &request,
                            on_empty, action);
    if (!result) {
        say(action, "restarted", name);
        lives.again = true;
        result = look_at_lives(&lives);
    }
    array_done(&lives.names);
    array_done(&lives.runs);
    return result;
}

static int run_restart(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        REMOTE_JSON_OPTION,
        {"with-dependants", no_argument, NULL, OPT_DEPENDANTS},
        {"instance", required_argument, NULL, OPT_INSTANCE},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {0},
    };
    Action action = {0};
    OptionSet set = {.command = &COMMAND_RESTART,
                     .options = OPTIONS,
                     .arguments = "SERVICE",
                     .least = 1,
                     .most = -1};
    int result = begin(&action, &set, argc, argv);
    for (int i = optind; i < argc && !result; i++)
        result = restart(&action, argv[i]);
    return end(&action, result);
}

const Command COMMAND_RESTART = {
    .name = "restart",
    .summary = "stop services and start them again",
    .help = RESTART_HELP,
    .run = run_restart,
};

/* ---- scale ---- */

static const char SCALE_HELP[] =
    "Usage: muster scale [options] SERVICE=COUNT…\n"
    "\n"
    "Sets how many instances of a service run, and waits until they do; SERVICE COUNT does, too. "
    "It\n"
    "holds until changed files come into force or the project ends (muster down).\n"
    "\n" TIMEOUT_HELP REMOTE_JSON_HELP REMOTE_HELP;

static void on_scaled(void *owner, const void *message) {
    const Action *action = owner;
    if (action->remote.json)
        remote_print_json(&RtScaleResponse_type, message, true);
}

static int scale(Action *action, Span name, const char *number) {
    uint64_t count;
    if (!name.len || !number || !parse_u64(span_of(number), &count) || count > 1000)
        return cli_usage(&COMMAND_SCALE,
                         "not a number of instances: %.*s%s%s: write SERVICE=COUNT, 0 to 1000",
                         SPAN_ARGS(name), number ? "=" : "", number ? number : "");
    RtScaleRequest request = {.service_name = name, .replicas = (int32_t)count};
    int result =
        remote_ask(&action->remote, ORCHESTRATOR_METHOD(Scale), &request, on_scaled, action);
    if (!result) {
        char text[64];
        snprintf(text, sizeof text, "has %d instance%s", (int)count, count == 1 ? "" : "s");
        say(action, text, arena_text(&action->remote.peer.arena, name));
    }
    return result;
}

static int run_scale(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        REMOTE_JSON_OPTION,
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {0},
    };
    Action action = {0};
    OptionSet set = {.command = &COMMAND_SCALE,
                     .options = OPTIONS,
                     .arguments = "SERVICE=COUNT",
                     .least = 1,
                     .most = -1};
    int result = begin(&action, &set, argc, argv);
    for (int i = optind; i < argc && !result; i++) {
        const char *equals = strrchr(argv[i], '=');
        Span name = equals ? span(argv[i], (size_t)(equals - argv[i])) : span_of(argv[i]);
        const char *number = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        result = scale(&action, name, number);
    }
    return end(&action, result);
}

const Command COMMAND_SCALE = {
    .name = "scale",
    .summary = "set how many instances of a service run",
    .help = SCALE_HELP,
    .run = run_scale,
};
