/* muster run: a command in the environment of a service. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/project/service_view.h"
#include "cli/remote.h"

static const char HELP[] =
    "Usage: muster run [options] SERVICE COMMAND [ARGUMENT…]\n"
    "\n"
    "Runs a command in the environment and working directory of a service: one that its\n"
    "configuration names, or any program. It ends when this command is interrupted. A COMMAND "
    "with\n"
    "blanks, pipes and the like, and without arguments, is a line for /bin/sh.\n"
    "\n"
    "  -i, --input            pass standard input on, once it has ended\n" REMOTE_HELP "\n"
    "Exit status: that of the command, 128 + N when signal N ended it; 3 no such service.\n";

#define INPUT_MAX (1024 * 1024)

typedef struct Running {
    Remote remote;
    bool input;
    bool ended;
    Span command;
    bool named; /* the configuration names it */
    int exit_status;
} Running;

static void write_all(int fd, Span bytes) {
    while (bytes.len) {
        ssize_t written = write(fd, bytes.ptr, bytes.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return;
        bytes = span_skip(bytes, (size_t)written);
    }
}

static void on_output(void *owner, const void *message) {
    Running *running = owner;
    const RtRunCommandResponse *response = message;
    bool error = response->stream == RT_LOG_STREAM_STDERR;
    write_all(error ? STDERR_FILENO : STDOUT_FILENO, response->data);
    running->ended |= response->has_exit_code || response->has_exit_signal;
    if (response->has_exit_code)
        running->exit_status = response->exit_code;
    if (response->has_exit_signal)
        running->exit_status = 128 + response->exit_signal;
}

static int read_input(Buf *input) {
    ssize_t got;
    while ((got = read(STDIN_FILENO, buf_reserve(input, 65536), 65536)) > 0) {
        input->len += (size_t)got;
        if (input->len > INPUT_MAX)
            return cli_fail(EXIT_FAILED, "too much input: stdin: at most %d bytes", INPUT_MAX);
    }
    return 0;
}

static int take_option(void *owner, int option, char *value) {
    Running *running = owner;
    if (option != 'i')
        return remote_option(&running->remote, option, value);
    running->input = true;
    return 0;
}

static void on_service(void *owner, const void *message) {
    Running *running = owner;
    const RtServiceStatus *service = ((const RtGetServiceResponse *)message)->service;
    for (size_t i = 0; service && i < service->commands.count; i++)
        running->named |= span_equal(service->commands.items[i], running->command);
}

/* Whether the one word that was given is a line for the shell. 0, or an exit code. */
static int find_line(Running *running, Span service, bool *ret_line) {
    bool plain = true;
    for (size_t i = 0; i < running->command.len; i++)
        plain &= !strchr(" \t\n|&;<>()$`\"'*?", running->command.ptr[i]);
    int failed =
        plain ? 0
              : remote_ask(&running->remote, ORCHESTRATOR_METHOD(GetService),
                           &(RtGetServiceRequest){.service_name = service}, on_service, running);
    *ret_line = !plain && !running->named;
    return failed;
}

static int run_it(Running *running, char *const *arguments, size_t count) {
    Arena *arena = &running->remote.peer.arena;
    const char *service = arguments[0];
    Buf input = {.arena = arena};
    int failed = running->input ? read_input(&input) : 0;
    if (failed)
        return failed;
    /* "SERVICE -- COMMAND", as others have it. */
    if (strcmp(arguments[1], "--") == 0) {
        if (count < 3)
            return cli_usage(&COMMAND_RUN, "missing argument: COMMAND");
        arguments++;
        count--;
    }
    running->command = span_of(arguments[1]);
    Span *rest = arena_alloc(arena, (count + 2) * sizeof *rest);
    for (size_t i = 2; i < count; i++)
        rest[i - 2] = span_of(arguments[i]);
    RtRunCommandRequest request = {
        .service_name = span_of(service),
        .command = running->command,
        .input = buf_span(&input),
    };
    request.arguments.items = rest;
    request.arguments.count = (uint32_t)(count - 2);
    bool line = false;
    failed = count == 2 ? find_line(running, span_of(service), &line) : 0;
    if (failed)
        return failed;
    if (line) {
        request.command = SPAN("/bin/sh");
        rest[0] = SPAN("-c");
        rest[1] = running->command;
        request.arguments.count = 2;
    }
    int result =
        remote_ask(&running->remote, ORCHESTRATOR_METHOD(RunCommand), &request, on_output, running);
    if (!result && !running->ended)
        return cli_fail(EXIT_FAILED, "it is not known how the command ended: %s", arguments[1]);
    return result ? result : running->exit_status;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        {"input", no_argument, NULL, 'i'},
        {0},
    };
    Running running = {0};
    OptionSet set = {
        .command = &COMMAND_RUN,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT "i",
        .take = take_option,
        .owner = &running,
        .arguments = "SERVICE COMMAND",
        .least = 2,
        .most = -1,
        .stop_at_first = true,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    result = remote_open(&running.remote, &COMMAND_RUN);
    if (!result)
        result = run_it(&running, argv + optind, (size_t)(argc - optind));
    remote_close(&running.remote);
    return result;
}

const Command COMMAND_RUN = {
    .name = "run",
    .summary = "run a command in the environment of a service",
    .help = HELP,
    .run = run,
};
