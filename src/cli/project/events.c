/* muster events: what happened, and what happens. */
#include <stdio.h>

#include "base/text.h"
#include "cli/project/service_view.h"
#include "cli/remote.h"
#include "cli/service_names.h"

static const char HELP[] =
    "Usage: muster events [options] [SERVICE…]\n"
    "\n"
    "Shows what happened to the services and to the runtime, oldest first: starts, exits, health,\n"
    "restarts, and what people did. It survives restarts of the runtime.\n"
    "\n"
    "  -f, --follow           go on with what happens\n"
    "  -n, --lines COUNT      how many of the latest to begin with (default 20, at most "
    "1000)\n" REMOTE_JSON_HELP REMOTE_HELP;

typedef struct Events {
    Remote remote;
    bool follow;
    int32_t lines;
} Events;

static void print_event(const Events *events, const RtServiceEvent *event) {
    Style on = events->remote.style;
    Buf time = {0};
    add_time_of_day(&time, event->timestamp);
    Span who = event->service.len ? event->service : SPAN("muster");
    printf("%s%.*s%s  %s%-16.*s%s  %s%-14s%s  %.*s", style(on, STYLE_DIM),
           SPAN_ARGS(buf_span(&time)), style(on, STYLE_PLAIN), style_service(on, who),
           SPAN_ARGS(who), style(on, STYLE_PLAIN),
           style(on, event_style((RtServiceEventType)event->type)),
           event_text((RtServiceEventType)event->type), style(on, STYLE_PLAIN),
           SPAN_ARGS(event->message));
    if (event->actor.len)
        printf("%s (%.*s)%s", style(on, STYLE_DIM), SPAN_ARGS(event->actor),
               style(on, STYLE_PLAIN));
    putchar('\n');
    fflush(stdout);
    buf_done(&time);
}

static void on_event(void *owner, const void *message) {
    const Events *events = owner;
    const RtWatchEventsResponse *response = message;
    if (events->remote.json) {
        remote_print_json(&RtWatchEventsResponse_type, message, true);
        return;
    }
    if (response->gap)
        fputs("… events before this are no longer kept\n", stdout);
    if (response->event)
        print_event(events, response->event);
}

static void on_page(void *owner, const void *message) {
    const Events *events = owner;
    const RtListEventsResponse *response = message;
    for (size_t i = response->events.count; i-- > 0;) {
        if (events->remote.json)
            remote_print_json(&RtServiceEvent_type, &response->events.items[i], true);
        else
            print_event(events, &response->events.items[i]);
    }
}

static int show(Events *events, const Span *names, size_t count) {
    RtListEventsRequest request = {.service_name = count ? names[0] : SPAN(""),
                                   .limit = events->lines};
    return remote_ask(&events->remote, ORCHESTRATOR_METHOD(ListEvents), &request, on_page, events);
}

static int follow(Events *events, Span *names, size_t count) {
    RtWatchEventsRequest request = {.replay = events->lines};
    request.service_names.items = names;
    request.service_names.count = (uint32_t)count;
    return remote_ask(&events->remote, ORCHESTRATOR_METHOD(WatchEvents), &request, on_event,
                      events);
}

static int show_named(Events *events, char *const *words, size_t count) {
    if (count > 1 && !events->follow)
        return cli_usage(&COMMAND_EVENTS, "several services: %s: only with --follow", words[1]);
    Span *names = arena_alloc(&events->remote.peer.arena, (count + 1) * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = span_of(words[i]);
    int failed = service_names_check(&events->remote, names, count, "see muster ps");
    if (failed)
        return failed;
    return events->follow ? follow(events, names, count) : show(events, names, count);
}

static int take_option(void *owner, int option, char *value) {
    Events *events = owner;
    uint64_t count;
    if (option == 'f') {
        events->follow = true;
        return 0;
    }
    if (option != 'n')
        return remote_option(&events->remote, option, value);
    if (!parse_u64(span_of(value), &count) || !count || count > 1000)
        return cli_usage(&COMMAND_EVENTS, "not a number: -n %s: 1 to 1000", value);
    events->lines = (int32_t)count;
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        REMOTE_JSON_OPTION,
        {"follow", no_argument, NULL, 'f'},
        {"lines", required_argument, NULL, 'n'},
        {0},
    };
    Events events = {.lines = 20};
    OptionSet set = {
        .command = &COMMAND_EVENTS,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT "fn:",
        .take = take_option,
        .owner = &events,
        .most = -1,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    result = remote_open(&events.remote, &COMMAND_EVENTS);
    size_t count = (size_t)(argc - optind);
    if (!result)
        result = show_named(&events, argv + optind, count);
    remote_close(&events.remote);
    return result;
}

const Command COMMAND_EVENTS = {
    .name = "events",
    .summary = "show what happened to services",
    .help = HELP,
    .run = run,
};
