/* muster wait: until services are as they should be. For scripts. */
#include <signal.h>
#include <stdio.h>

#include "cli/project/service_list.h"
#include "cli/project/service_view.h"
#include "cli/remote.h"

static const char HELP[] =
    "Usage: muster wait [options] [SERVICE…]\n"
    "\n"
    "Waits until the services are in a state; without a name, all that are to run.\n"
    "\n"
    "  --healthy              healthy or, without a check, running (default); with a\n"
    "                         schedule, when that is in force\n"
    "  --running              their processes run, healthy or not\n"
    "  --completed            tasks that have ended well\n"
    "  --stopped              no process is left\n"
    "  --timeout TIME         give up after 500ms, 5s, 2m, 1h\n" REMOTE_HELP "\n"
    "Exit status: 0 they are, 1 one cannot get there by itself, 3 no such service, 4 timed out.\n";

/* After so long it says whom it waits for. */
#define TELL_AFTER (2 * NANOS_PER_SECOND)
#define TELL_AGAIN (30 * NANOS_PER_SECOND)

typedef struct Wait {
    Remote remote;
    RemoteCall watching;
    Timer telling;
    ServiceList services;
    Span *names;
    size_t name_count;
    enum { WAIT_HEALTHY, WAIT_RUNNING, WAIT_COMPLETED, WAIT_STOPPED } what;
    bool decided;
    int result;
} Wait;

static bool is_there(const Wait *wait, const RtServiceStatus *service) {
    RtServiceState state = (RtServiceState)service->state;
    switch (wait->what) {
    case WAIT_HEALTHY:
        return state_is_good(state) || service_is_armed(service);
    case WAIT_RUNNING:
        return state_is_good(state) || service_is_armed(service) ||
               state == RT_SERVICE_STATE_UNHEALTHY || state == RT_SERVICE_STATE_ADOPTED ||
               state == RT_SERVICE_STATE_STARTING;
    case WAIT_COMPLETED:
        return state == RT_SERVICE_STATE_COMPLETED;
    default:
        return state == RT_SERVICE_STATE_STOPPED || state == RT_SERVICE_STATE_COMPLETED ||
               state == RT_SERVICE_STATE_FAILED || state == RT_SERVICE_STATE_SKIPPED;
    }
}

static bool is_lost(const Wait *wait, const RtServiceStatus *service) {
    RtServiceState state = (RtServiceState)service->state;
    return wait->what != WAIT_STOPPED && !is_there(wait, service) &&
           (state == RT_SERVICE_STATE_FAILED || state == RT_SERVICE_STATE_SKIPPED);
}

static void decide(Wait *wait, int result) {
    wait->decided = true;
    wait->result = result;
    remote_cancel(&wait->watching);
}

/* True when this one is there. */
static bool look_at(Wait *wait, const RtServiceStatus *service) {
    if (is_lost(wait, service)) {
        Buf how = {0};
        buf_add(&how, service->last_error);
        if (!how.len)
            add_exit(&how, service);
        decide(wait,
               cli_fail(EXIT_FAILED, "%.*s is %s%s%.*s: see muster logs %.*s",
                        SPAN_ARGS(service->name), state_text((RtServiceState)service->state),
                        how.len ? ": " : "", SPAN_ARGS(buf_span(&how)), SPAN_ARGS(service->name)));
        buf_done(&how);
    }
    return is_there(wait, service);
}

static void on_change(void *owner, const void *message) {
    Wait *wait = owner;
    if (wait->decided)
        return;
    service_list_update(&wait->services, message);
    if (!wait->services.complete)
        return;
    bool all = true;
    for (size_t i = 0; i < wait->name_count && !wait->decided; i++) {
        const RtServiceStatus *service = service_list_find(&wait->services, wait->names[i]);
        if (!service)
            decide(wait, cli_fail(EXIT_ABSENT, "no such service: %.*s: see muster ps",
                                  SPAN_ARGS(wait->names[i])));
        else
            all &= look_at(wait, service);
    }
    for (size_t i = 0; !wait->name_count && i < wait->services.items.count && !wait->decided; i++) {
        const RtServiceStatus *service = wait->services.items.items[i]->status;
        if (!service->disabled)
            all &= look_at(wait, service);
    }
    if (all && !wait->decided)
        decide(wait, EXIT_DONE);
}

static bool is_asked_for(const Wait *wait, const RtServiceStatus *service) {
    for (size_t i = 0; i < wait->name_count; i++)
        if (span_equal(wait->names[i], service->name))
            return true;
    return !wait->name_count && !service->disabled;
}

/* Who is not there yet. */
static void add_missing(const Wait *wait, Buf *text) {
    for (size_t i = 0; i < wait->services.items.count; i++) {
        const RtServiceStatus *service = wait->services.items.items[i]->status;
        if (!is_asked_for(wait, service) || is_there(wait, service))
            continue;
        buf_printf(text, "%s%.*s is %s", text->len ? ", " : "", SPAN_ARGS(service->name),
                   state_text((RtServiceState)service->state));
        if (service->waiting_for.count) {
            buf_add_literal(text, " for ");
            add_names(text, service->waiting_for.items, service->waiting_for.count);
        } else if (service->health_message.len) {
            buf_printf(text, " (%.*s)", SPAN_ARGS(service->health_message));
        }
    }
}

static void on_telling(Timer *timer) {
    Wait *wait = CONTAINER(timer, Wait, telling);
    World *world = wait->remote.peer.world;
    Buf text = {0};
    add_missing(wait, &text);
    if (text.len && !wait->remote.quiet)
        fprintf(stderr, "muster: waiting: %.*s\n", SPAN_ARGS(buf_span(&text)));
    buf_done(&text);
    wheel_arm(world_wheel(world), timer, world_now(world) + TELL_AGAIN);
}

static void tell_timeout(Wait *wait) {
    Buf text = {0};
    add_missing(wait, &text);
    wait->result = cli_fail(EXIT_TIMED_OUT,
                            "timed out: %.*s: see muster logs, or give it more "
                            "--timeout",
                            SPAN_ARGS(buf_span(&text)));
    buf_done(&text);
}

static void on_closed(void *owner, Status status) {
    Wait *wait = owner;
    if (!wait->decided && status.code == STATUS_DEADLINE_EXCEEDED && !wait->remote.peer.interrupted)
        tell_timeout(wait);
    else if (!wait->decided)
        wait->result = remote_report(&wait->remote, status);
    world_stop(wait->remote.peer.world);
}

static void on_interrupt(void *owner, int signal) {
    (void)signal;
    Wait *wait = owner;
    wait->remote.peer.interrupted = true;
    remote_cancel(&wait->watching);
}

enum { OPT_HEALTHY = 256, OPT_RUNNING, OPT_COMPLETED, OPT_STOPPED, OPT_TIMEOUT };

static int take_option(void *owner, int option, char *value) {
    Wait *wait = owner;
    if (option == OPT_TIMEOUT)
        return option_time(&COMMAND_WAIT, "--timeout", value, &wait->remote.peer.timeout);
    if (option < OPT_HEALTHY || option > OPT_STOPPED)
        return remote_option(&wait->remote, option, value);
    wait->what = (unsigned)(option - OPT_HEALTHY);
    return 0;
}

static int wait_for(Wait *wait, char *const *names, size_t count) {
    World *world = wait->remote.peer.world;
    wait->names = arena_alloc(&wait->remote.peer.arena, (count + 1) * sizeof *wait->names);
    wait->name_count = count;
    for (size_t i = 0; i < count; i++)
        wait->names[i] = span_of(names[i]);
    RtWatchServicesRequest request = {0};
    request.service_names.items = wait->names;
    request.service_names.count = (uint32_t)count;
    wait->watching = (RemoteCall){.message = on_change, .closed = on_closed, .owner = wait};
    remote_begin(&wait->remote, &wait->watching, ORCHESTRATOR_METHOD(WatchServices), &request);
    wait->telling.fire = on_telling;
    wheel_arm(world_wheel(world), &wait->telling, world_now(world) + TELL_AFTER);
    world_on_signal(world, SIGINT, on_interrupt, wait);
    world_on_signal(world, SIGTERM, on_interrupt, wait);
    world_run(world);
    wheel_cancel(world_wheel(world), &wait->telling);
    return wait->result;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        {"healthy", no_argument, NULL, OPT_HEALTHY},
        {"running", no_argument, NULL, OPT_RUNNING},
        {"completed", no_argument, NULL, OPT_COMPLETED},
        {"stopped", no_argument, NULL, OPT_STOPPED},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {0},
    };
    Wait wait = {0};
    OptionSet set = {
        .command = &COMMAND_WAIT,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT,
        .take = take_option,
        .owner = &wait,
        .most = -1,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    result = remote_open(&wait.remote, &COMMAND_WAIT);
    if (!result)
        result = wait_for(&wait, argv + optind, (size_t)(argc - optind));
    service_list_done(&wait.services);
    remote_close(&wait.remote);
    return result;
}

const Command COMMAND_WAIT = {
    .name = "wait",
    .summary = "wait until services are healthy",
    .help = HELP,
    .run = run,
};
