/* muster top: services and who calls whom, live. */
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/graph_view.h"
#include "cli/remote.h"
#include "cli/terminal.h"

static const char HELP[] =
    "Usage: muster top [options]\n"
    "\n"
    "Shows the services of the running runtime, how they are, and who calls whom how often, live;\n"
    "q or Ctrl-C ends it. Without a terminal it prints what there is now, once.\n"
    "\n"
    "  --once                 print what there is now, and end\n"
    "  --interval TIME        figures are at most so old (default 1s)\n" REMOTE_JSON_HELP
        REMOTE_HELP;

enum { OPT_ONCE = 256, OPT_INTERVAL };

#define REDRAW (200 * NANOS_PER_MILLI) /* changes come at once, and are drawn no more often */
#define AGAIN  (500 * NANOS_PER_MILLI) /* after the runtime went away */

typedef struct Top {
    Remote remote; /* first: options are its own, too */
    GraphView view;
    Nanos interval;
    bool once, away, opened;
    Timer redraw;
} Top;

static int set_option(void *owner, int option, char *value) {
    Top *top = owner;
    switch (option) {
    case OPT_ONCE:
        top->once = true;
        return 0;
    case OPT_INTERVAL:
        return option_time(&COMMAND_TOP, "--interval", value, &top->interval);
    default:
        return remote_option(&top->remote, option, value);
    }
}

/* ---- drawing ---- */

static size_t terminal_lines(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : 24;
}

/* Over what was drawn before, so that nothing flickers: each line ends by clearing what is left of
 * it, the last by clearing what is below. */
static void draw(Top *top) {
    Buf text = {0}, out = {0};
    Style on = top->remote.style;
    char address[ADDRESS_MAX];
    address_format(&top->remote.peer.address, address, sizeof address);
    bool wide = style_columns() >= 80;
    buf_printf(&text, "%smuster%s %s%s%zu services  %.1f calls/s  %s%s%s\n\n",
               style(on, STYLE_BOLD), style(on, STYLE_PLAIN), wide ? address : "", wide ? "  " : "",
               top->view.nodes.count, graph_view_rate(&top->view), style(on, STYLE_BUSY),
               top->away ? "the runtime is away" : "", style(on, STYLE_PLAIN));
    graph_view_draw(&top->view, on, (size_t)style_columns(), terminal_lines() - 3, &text);
    buf_add_literal(&out, "\033[H");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n')
            buf_add_literal(&out, "\033[K");
        buf_add_char(&out, text.ptr[i]);
    }
    buf_add_literal(&out, "\033[J");
    fwrite(out.ptr, 1, out.len, stdout);
    fflush(stdout);
    buf_done(&text);
    buf_done(&out);
}

static void on_redraw(Timer *timer) {
    draw(CONTAINER(timer, Top, redraw));
}

/* The alternate screen, without a cursor; and back. */
static void open_screen(Top *top) {
    if (!top->opened)
        fputs("\033[?1049h\033[?25l", stdout);
    top->opened = true;
}

static void on_key(void *owner, Span keys) {
    (void)owner;
    if (keys.len && keys.ptr[0] == 'q')
        raise(SIGINT); /* which ends it, whatever is under way */
}

static void close_screen(Top *top) {
    if (top->opened)
        fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
}

/* ---- following ---- */

static void on_update(void *owner, const void *message) {
    Top *top = owner;
    World *world = top->remote.peer.world;
    if (top->remote.json) {
        remote_print_json(&RtTopologyUpdate_type, message, true);
        return;
    }
    if (!graph_view_apply(&top->view, message))
        return;
    top->away = false;
    open_screen(top);
    if (!timer_is_armed(&top->redraw))
        wheel_arm(world_wheel(world), &top->redraw, world_now(world) + REDRAW);
}

static void on_pause_over(Timer *timer) {
    (void)timer;
}

static void pause_for(World *world, Nanos time) {
    Timer timer = {.fire = on_pause_over};
    wheel_arm(world_wheel(world), &timer, world_now(world) + time);
    while (timer_is_armed(&timer))
        world_run(world);
}

/* A runtime that was there and went away is waited for; one that never was, is not. */
static int follow(Top *top) {
    Peer *peer = &top->remote.peer;
    RtTopologyQuery query = {
        .has_min_interval_ms = true,
        .min_interval_ms = (int32_t)(top->interval / NANOS_PER_MILLI),
    };
    Status status;
    Terminal *terminal = style_is_live() && isatty(STDIN_FILENO)
                             ? terminal_open(peer->world, TERMINAL_KEYS, on_key, NULL)
                             : NULL;
    do {
        if (top->away)
            pause_for(peer->world, AGAIN);
        status = peer_ask(peer, peer->channel,
                          &RtTopologyService_service.methods[RtTopologyService_WatchTopology],
                          &query, on_update, top);
        top->away = true;
        wheel_cancel(world_wheel(peer->world), &top->redraw);
        if (top->opened && !peer->interrupted)
            draw(top);
    } while (top->opened && status.code == STATUS_UNAVAILABLE && !peer->interrupted);
    terminal_close(terminal);
    close_screen(top);
    return peer->interrupted ? EXIT_DONE : remote_report(&top->remote, status);
}

/* ---- once ---- */

static void on_snapshot(void *owner, const void *message) {
    Top *top = owner;
    const RtTopologySnapshot *snapshot = message;
    if (top->remote.json) {
        remote_print_json(&RtTopologySnapshot_type, message, false);
        return;
    }
    RtTopologyUpdate update = {.reset = true};
    update.nodes.items = snapshot->nodes.items;
    update.nodes.count = snapshot->nodes.count;
    update.edges.items = snapshot->edges.items;
    update.edges.count = snapshot->edges.count;
    graph_view_apply(&top->view, &update);
    Buf out = {0};
    graph_view_draw(&top->view, top->remote.style, 0, 0, &out);
    fwrite(out.ptr, 1, out.len, stdout);
    buf_done(&out);
}

static int show_once(Top *top) {
    return remote_ask(&top->remote,
                      &RtTopologyService_service.methods[RtTopologyService_GetTopology],
                      &(RtTopologyQuery){0}, on_snapshot, top);
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {REMOTE_OPTIONS,
                                            REMOTE_JSON_OPTION,
                                            {"once", no_argument, NULL, OPT_ONCE},
                                            {"interval", required_argument, NULL, OPT_INTERVAL},
                                            {0}};
    Top top = {.interval = NANOS_PER_SECOND, .redraw.fire = on_redraw};
    OptionSet set = {
        .command = &COMMAND_TOP,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT,
        .take = set_option,
        .owner = &top,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    graph_view_init(&top.view);
    result = remote_open(&top.remote, &COMMAND_TOP);
    if (!result)
        result =
            top.once || (!style_is_live() && !top.remote.json) ? show_once(&top) : follow(&top);
    remote_close(&top.remote);
    graph_view_done(&top.view);
    return result;
}

const Command COMMAND_TOP = {
    .name = "top",
    .summary = "show services and who calls whom, live",
    .help = HELP,
    .run = run,
};
