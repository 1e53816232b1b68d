/* muster attach: a service's output as it is written, and a way to type into it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/project/service_view.h"
#include "cli/remote.h"
#include "cli/terminal.h"

static const char HELP[] =
    "Usage: muster attach [options] SERVICE\n"
    "\n"
    "Shows what a service writes, byte for byte: what it wrote lately, then what it writes. In a\n"
    "terminal, what is typed goes to the service. Ctrl-P Ctrl-Q detaches; so does Ctrl-C where "
    "the\n"
    "service has no terminal of its own.\n"
    "\n"
    "  --instance ID          only this instance; needed for typing where there are several\n"
    "  --replay BYTES         how much to begin with (default 65536, at most 16 MiB)\n"
    "  --once                 only what is there already\n"
    "  --no-input             look only\n"
    "  -i, --input            pass standard input on, also where it is no terminal\n" REMOTE_HELP;

#define CTRL_P 0x10
#define CTRL_Q 0x11

typedef struct Attach {
    Remote remote;
    const char *service, *instance;
    int64_t replay; /* negative: the server's default */
    bool once, no_input, input;
    bool found, tty;
    RemoteCall output, sending, resizing;
    Terminal *terminal;
    Buf typed;                          /* and not sent yet */
    Buf in_flight;                      /* its bytes live as long as the call */
    bool input_ended, end_sent, prefix; /* prefix: Ctrl-P was the last key */
    bool detached, over;
    int result;
} Attach;

static void finish(Attach *attach, int result) {
    if (attach->over)
        return;
    attach->over = true;
    attach->result = result;
    remote_cancel(&attach->output);
    remote_cancel(&attach->sending);
    remote_cancel(&attach->resizing);
    world_stop(attach->remote.peer.world);
}

/* ---- output ---- */

static void on_output(void *owner, const void *message) {
    Attach *attach = owner;
    const RtAttachOutputResponse *response = message;
    if (response->lost_bytes)
        fprintf(stderr, "\n[%lld bytes are lost]\n", (long long)response->lost_bytes);
    bool error = response->stream == RT_LOG_STREAM_STDERR;
    for (Span rest = response->data; rest.len;) {
        ssize_t written = write(error ? STDERR_FILENO : STDOUT_FILENO, rest.ptr, rest.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) { /* nobody reads any more */
            finish(attach, EXIT_FAILED);
            return;
        }
        rest = span_skip(rest, (size_t)written);
    }
}

static void on_output_closed(void *owner, Status status) {
    Attach *attach = owner;
    if (attach->over)
        return;
    finish(attach, status.code == STATUS_OK ? EXIT_DONE : remote_report(&attach->remote, status));
}

/* ---- input: a piece at a time, the next when that is answered ---- */

static void send_typed(Attach *attach);

static void on_sent(void *owner, const void *message) {
    (void)owner;
    (void)message;
}

static void on_send_closed(void *owner, Status status) {
    Attach *attach = owner;
    if (attach->over)
        return;
    if (status.code != STATUS_OK) {
        cli_fail(EXIT_FAILED, "it cannot be typed into: %.*s", SPAN_ARGS(status.message));
        attach->no_input = true;
        if (attach->input) /* what it was asked for */
            finish(attach, EXIT_FAILED);
        return;
    }
    send_typed(attach);
}

static void send_typed(Attach *attach) {
    bool end = attach->input_ended && !attach->end_sent;
    if (attach->sending.call || attach->no_input || !(attach->typed.len || end))
        return;
    Buf sent = attach->in_flight;
    attach->in_flight = attach->typed;
    attach->typed = sent;
    buf_clear(&attach->typed);
    attach->end_sent |= end;
    RtSendInputRequest request = {
        .service_name = span_of(attach->service),
        .instance_id = span_of(attach->instance),
        .data = buf_span(&attach->in_flight),
        .end_of_input = end,
    };
    attach->sending = (RemoteCall){.message = on_sent, .closed = on_send_closed, .owner = attach};
    remote_begin(&attach->remote, &attach->sending, ORCHESTRATOR_METHOD(SendInput), &request);
}

/* Takes Ctrl-P Ctrl-Q out; true when it was there. */
static bool take_keys(Attach *attach, Span bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        if (attach->tty && attach->prefix && bytes.ptr[i] == CTRL_Q)
            return true;
        if (attach->prefix)
            buf_add_char(&attach->typed, CTRL_P);
        attach->prefix = attach->tty && bytes.ptr[i] == CTRL_P;
        if (!attach->prefix)
            buf_add_char(&attach->typed, bytes.ptr[i]);
    }
    return false;
}

static void on_typed(void *owner, Span bytes) {
    Attach *attach = owner;
    if (attach->over)
        return;
    attach->input_ended |= bytes.len == 0;
    if (take_keys(attach, bytes)) {
        attach->detached = true;
        finish(attach, EXIT_DONE);
        return;
    }
    send_typed(attach);
}

/* ---- its terminal ---- */

static void resize(Attach *attach) {
    struct winsize size;
    if (!attach->tty || attach->resizing.call || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        return;
    RtResizeTerminalRequest request = {
        .service_name = span_of(attach->service),
        .instance_id = span_of(attach->instance),
        .columns = size.ws_col,
        .rows = size.ws_row,
    };
    attach->resizing = (RemoteCall){.message = on_sent, .owner = attach};
    remote_begin(&attach->remote, &attach->resizing, ORCHESTRATOR_METHOD(ResizeTerminal), &request);
}

static void on_resize_signal(void *owner, int signal) {
    (void)signal;
    resize(owner);
}

static void on_interrupt(void *owner, int signal) {
    (void)signal;
    finish(owner, EXIT_INTERRUPTED);
}

/* ---- the command ---- */

static void on_service(void *owner, const void *message) {
    Attach *attach = owner;
    const RtGetServiceResponse *response = message;
    attach->found = response->service != NULL;
    attach->tty = attach->found && response->service->tty;
}

static int attach_to(Attach *attach) {
    World *world = attach->remote.peer.world;
    RtGetServiceRequest question = {.service_name = span_of(attach->service)};
    int result =
        remote_ask(&attach->remote, ORCHESTRATOR_METHOD(GetService), &question, on_service, attach);
    if (result)
        return result;
    RtAttachOutputRequest request = {
        .service_name = span_of(attach->service),
        .instance_id = span_of(attach->instance),
        .replay_bytes = attach->replay,
        .has_replay_bytes = attach->replay >= 0,
        .once = attach->once,
    };
    attach->output =
        (RemoteCall){.message = on_output, .closed = on_output_closed, .owner = attach};
    remote_begin(&attach->remote, &attach->output, ORCHESTRATOR_METHOD(AttachOutput), &request);
    bool typing = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    attach->tty &= typing;
    if (!attach->no_input && !attach->once && (typing || attach->input)) {
        resize(attach);
        attach->terminal =
            terminal_open(world, attach->tty ? TERMINAL_RAW : TERMINAL_LINES, on_typed, attach);
    }
    world_on_signal(world, SIGINT, on_interrupt, attach);
    world_on_signal(world, SIGTERM, on_interrupt, attach);
    world_on_signal(world, SIGWINCH, on_resize_signal, attach);
    world_run(world);
    terminal_close(attach->terminal);
    if (attach->detached && !attach->remote.quiet)
        fprintf(stderr, "\n[detached from %s, which goes on]\n", attach->service);
    return attach->result;
}

enum { OPT_INSTANCE = 256, OPT_REPLAY, OPT_ONCE, OPT_NO_INPUT };

static int take_option(void *owner, int option, char *value) {
    Attach *attach = owner;
    switch (option) {
    case OPT_INSTANCE:
        attach->instance = value;
        return 0;
    case OPT_REPLAY:
        if (parse_i64(span_of(value), &attach->replay) && attach->replay >= 0)
            return 0;
        return cli_usage(&COMMAND_ATTACH, "not a number of bytes: --replay %s", value);
    case OPT_ONCE:
        attach->once = true;
        return 0;
    case OPT_NO_INPUT:
        attach->no_input = true;
        return 0;
    case 'i':
        attach->input = true;
        return 0;
    default:
        return remote_option(&attach->remote, option, value);
    }
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        {"instance", required_argument, NULL, OPT_INSTANCE},
        {"replay", required_argument, NULL, OPT_REPLAY},
        {"once", no_argument, NULL, OPT_ONCE},
        {"no-input", no_argument, NULL, OPT_NO_INPUT},
        {"input", no_argument, NULL, 'i'},
        {0},
    };
    Attach attach = {.replay = -1};
    OptionSet set = {
        .command = &COMMAND_ATTACH,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT "i",
        .take = take_option,
        .owner = &attach,
        .arguments = "SERVICE",
        .least = 1,
        .most = 1,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    attach.service = argv[optind];
    result = remote_open(&attach.remote, &COMMAND_ATTACH);
    if (!result)
        result = attach_to(&attach);
    remote_close(&attach.remote);
    buf_done(&attach.typed);
    buf_done(&attach.in_flight);
    return result;
}

const Command COMMAND_ATTACH = {
    .name = "attach",
    .summary = "show a service's output as it is written, and type into it",
    .help = HELP,
    .run = run,
};
