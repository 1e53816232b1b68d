/* AttachOutput, SendInput, ResizeTerminal and RunCommand. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/memory.h"
#include "services/orchestrator/calls.h"
#include "services/orchestrator/helper.h"

#define COMMAND_RING  (64 * 1024)
#define ARGUMENTS_MAX 1000
#define TERMINAL_MAX  10000

/* ---- output and input of services ---- */

void call_attach_output(Call *call, const void *message) {
    const RtAttachOutputRequest *request = message;
    Orchestrator *orchestrator = orchestrator_of_call(call);
    if (!call_find_service(call, request->service_name))
        return;
    if (!orchestrator->logs) {
        call_fail(call, STATUS_FAILED_PRECONDITION, "this runtime does not read output");
        return;
    }
    logs_output_serve(orchestrator->logs, call, request, !call_may_see_secrets(call));
}

/* The process of an instance that is typed into; NULL, and the call has failed. */
static Life *find_typed_into(Call *call, Span service_name, Span instance_id) {
    const Service *service = call_find_service(call, service_name);
    Instance *instance = service ? call_one_instance(call, service, instance_id) : NULL;
    if (!instance)
        return NULL;
    if (instance->life && instance->life->running && !instance->life->exited &&
        !instance->life->foreign)
        return instance->life;
    call_fail(call, STATUS_FAILED_PRECONDITION, "%s is %s: there is nobody to type to",
              service->name, instance_state_name(instance->state));
    return NULL;
}

static void log_input(const Life *life, Span data) {
    LogSource source = {
        .service = span_of(life->service),
        .instance = span_of(life->child.id),
        .replica = life->replica,
        .run = life->run,
        .stream = RT_LOG_STREAM_INPUT,
    };
    if (life->orchestrator->logs && data.len)
        logs_input(life->orchestrator->logs, &source, data);
}

void call_send_input(Call *call, const void *message) {
    const RtSendInputRequest *request = message;
    if (request->data.len > PROCESS_INPUT_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "data is %zu bytes: at most %d at a time",
                  request->data.len, PROCESS_INPUT_MAX);
        return;
    }
    Life *life = find_typed_into(call, request->service_name, request->instance_id);
    if (!life)
        return;
    ProcessHost *host = life->orchestrator->host;
    int error = request->data.len ? process_input(host, span_of(life->child.id), request->data) : 0;
    if (!error && request->end_of_input)
        error = process_end_input(host, span_of(life->child.id));
    if (error == -EAGAIN) {
        call_fail(call, STATUS_RESOURCE_EXHAUSTED,
                  "%s does not read what was typed before: try again later", life->service);
    } else if (error < 0) {
        call_fail(call, STATUS_FAILED_PRECONDITION,
                  "%s takes no input: give it tty: true or stdin_open: true in the configuration",
                  life->service);
    } else {
        log_input(life, request->data);
        instance_event(life->instance, RT_SERVICE_EVENT_TYPE_INPUT_SENT, "%zu bytes were typed",
                       request->data.len);
        call_reply(call, &(RtSendInputResponse){0});
    }
}

void call_resize_terminal(Call *call, const void *message) {
    const RtResizeTerminalRequest *request = message;
    if (request->columns < 1 || request->columns > TERMINAL_MAX || request->rows < 1 ||
        request->rows > TERMINAL_MAX) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "columns and rows are 1 to %d", TERMINAL_MAX);
        return;
    }
    Life *life = find_typed_into(call, request->service_name, request->instance_id);
    if (!life)
        return;
    int error = process_resize(life->orchestrator->host, span_of(life->child.id),
                               (uint16_t)request->rows, (uint16_t)request->columns);
    if (error < 0)
        call_fail(call, STATUS_FAILED_PRECONDITION,
                  "%s has no terminal: give it tty: true in the configuration", life->service);
    else
        call_reply(call, &(RtResizeTerminalResponse){0});
}

/* ---- commands ---- */

static const ProcessStream STREAMS[] = {PROCESS_STDOUT, PROCESS_STDERR};
static const RtLogStream SHOWN[] = {RT_LOG_STREAM_STDOUT, RT_LOG_STREAM_STDERR};
#define STREAM_COUNT 2

typedef struct Command {
    Orchestrator *orchestrator;
    Helper *helper;
    Call *call;    /* it outlives the command: `closed` abandons that */
    Blob *program; /* its name */
    RingReader *rings[STREAM_COUNT];
    uint64_t sent[STREAM_COUNT]; /* positions */
    bool blocked;                /* the client is slow */
    bool exited;
    uint32_t silence; /* looks in a row at which nothing had come, after it exited */
    ProcessExit how;
    Blob *input;  /* its standard input, what is left of it … */
    size_t typed; /* … behind so many bytes */
    Timer retry;
    Task look;
} Command;

/* The helper, too: killed if it lives. */
static void command_free(Command *command) {
    if (command->helper)
        helper_abandon(command->helper);
    world_undefer(&command->look);
    for (int i = 0; i < STREAM_COUNT; i++)
        ring_reader_free(command->rings[i]);
    wheel_cancel(world_wheel(command->orchestrator->world), &command->retry);
    blob_unref(command->input);
    blob_unref(command->program);
    free(command);
}

/* Sends what is there; true when the stream has nothing more to give. */
static bool pass_on(Command *command, int stream) {
    RingReader *ring = command->rings[stream];
    while (ring && !command->blocked) {
        bool closed = ring_closed(ring);
        Span bytes = ring_peek(ring, command->sent[stream]);
        if (!bytes.len)
            return closed;
        RtRunCommandResponse response = {.data = bytes, .stream = (int32_t)SHOWN[stream]};
        command->blocked = call_send(command->call, &response) < 0;
        command->sent[stream] += bytes.len;
        ring_release(ring, command->sent[stream]);
    }
    return !ring;
}

static void finish(Command *command) {
    Call *call = command->call;
    RtRunCommandResponse last = {0};
    last.has_exit_code = command->how.known && !command->how.signal;
    last.exit_code = last.has_exit_code ? command->how.code : 0;
    last.has_exit_signal = command->how.known && command->how.signal;
    last.exit_signal = command->how.signal;
    call_set_user(call, NULL);
    command_free(command);
    call_reply(call, &last);
}

#define PATIENCE (50 * NANOS_PER_MILLI)
#define SILENCE  10 /* looks */

/* It is over when it has exited and its output is sent. */
static void go_on(Command *command) {
    bool all = true;
    for (int i = 0; i < STREAM_COUNT; i++)
        all &= pass_on(command, i);
    if (command->exited && all && !command->blocked)
        finish(command);
}

/* It has exited. What it wrote is on its way still; but what it has started may hold its output
 * open, and is not waited for once nothing comes any more. */
static void end(Command *command) {
    uint64_t before = command->sent[0] + command->sent[1];
    for (int i = 0; i < STREAM_COUNT; i++)
        pass_on(command, i);
    bool silent = !command->blocked && command->sent[0] + command->sent[1] == before;
    command->silence = silent ? command->silence + 1 : 0;
    if (command->silence > SILENCE)
        finish(command);
    else
        wheel_arm(world_wheel(command->orchestrator->world), &command->retry,
                  world_now(command->orchestrator->world) + PATIENCE);
}

static void type(Command *command) {
    while (command->typed < command->input->size) {
        size_t left = command->input->size - command->typed;
        Span piece = span(command->input->bytes + command->typed,
                          left < PROCESS_INPUT_MAX / 2 ? left : PROCESS_INPUT_MAX / 2);
        int error = process_input(command->orchestrator->host, helper_id(command->helper), piece);
        if (error == -EAGAIN) {
            wheel_arm(world_wheel(command->orchestrator->world), &command->retry,
                      world_now(command->orchestrator->world) + PATIENCE);
            return;
        }
        if (error < 0)
            return; /* it does not want to read */
        command->typed += piece.len;
    }
    process_end_input(command->orchestrator->host, helper_id(command->helper));
}

static void on_look(Task *task) {
    go_on(CONTAINER(task, Command, look));
}

static void on_retry(Timer *timer) {
    Command *command = CONTAINER(timer, Command, retry);
    if (!command->exited) {
        type(command);
        return;
    }
    end(command);
}

static void on_started(void *owner, const ProcessInfo *info) {
    Command *command = owner;
    Call *call = command->call;
    if (info->state == PROCESS_FAILED) {
        call_set_user(call, NULL);
        call_fail(call, info->error == -ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED_PRECONDITION,
                  "%.*s cannot be started: %s: %s", SPAN_ARGS(blob_span(command->program)),
                  process_step_text(info->failed_step), strerror(-info->error));
        command->helper = NULL; /* which ends with this */
        command_free(command);
        return;
    }
    for (int i = 0; i < STREAM_COUNT; i++)
        if (process_output(command->orchestrator->host, info->id, STREAMS[i], &command->rings[i]) <
            0)
            command->rings[i] = NULL;
    type(command);
    go_on(command);
}

static void on_output(void *owner, const ProcessInfo *info, ProcessStream stream) {
    (void)info;
    (void)stream;
    go_on(owner);
}

static bool on_exited(void *owner, const ProcessInfo *info) {
    Command *command = owner;
    command->exited = true;
    command->how = info->exit;
    wheel_arm(world_wheel(command->orchestrator->world), &command->retry,
              world_now(command->orchestrator->world) + PATIENCE);
    world_defer(command->orchestrator->world, &command->look);
    return true;
}

static const HelperOps OPS = {on_started, on_output, on_exited};

void call_run_command_writable(Call *call) {
    Command *command = call_user(call);
    if (!command)
        return;
    command->blocked = false;
    go_on(command);
}

void call_run_command_closed(Call *call, StatusCode code) {
    (void)code;
    Command *command = call_user(call);
    if (!command)
        return;
    command_free(command);
}

/* The command line: of a named command with more arguments, or a program. */
static void put_arguments(Instance *instance, const RtRunCommandRequest *request, Arena *arena,
                          LaunchTexts *argv) {
    const ServiceConfig *config = instance->service->config;
    const ConfigCommand *named = NULL;
    for (size_t i = 0; i < config->commands.count; i++)
        if (span_equal(config->commands.items[i].name, request->command))
            named = &config->commands.items[i].command;
    if (!named) {
        *array_push(argv) = request->command;
    } else {
        launch_arguments(instance, named, arena, argv);
        if (named->shell && request->arguments.count) {
            /* sh -c 'TEXT "$@"' sh ARGUMENTS */
            Buf text = {.arena = arena};
            buf_add(&text, argv->items[argv->count - 1]);
            buf_add_literal(&text, " \"$@\"");
            argv->items[argv->count - 1] = buf_span(&text);
            *array_push(argv) = SPAN("sh");
        }
    }
    for (uint32_t i = 0; i < request->arguments.count; i++)
        *array_push(argv) = request->arguments.items[i];
}

static Helper *start_command(Instance *instance, const RtRunCommandRequest *request,
                             Command *command, int *ret_error) {
    Arena arena = {0};
    LaunchTexts argv = {0}, env = {0};
    put_arguments(instance, request, &arena, &argv);
    launch_environment(instance, &arena, &env);
    ProcessSpec spec = {
        .argv = argv.items,
        .argv_count = argv.count,
        .env = env.items,
        .env_count = env.count,
        .cwd = instance->service->config->working_dir,
        .input = true,
        .ring_size = COMMAND_RING,
    };
    Helper *helper =
        helper_start(instance->service->orchestrator, "run", &spec, &OPS, command, ret_error);
    array_done(&argv);
    array_done(&env);
    arena_done(&arena);
    return helper;
}

void call_run_command(Call *call, const void *message) {
    const RtRunCommandRequest *request = message;
    Service *service = call_may_start(call) ? call_find_service(call, request->service_name) : NULL;
    if (!service)
        return;
    if (service_state(service) == RT_SERVICE_STATE_STOPPING) {
        call_fail(call, STATUS_FAILED_PRECONDITION, "%s is stopping: start it again first",
                  service->name);
        return;
    }
    const char *wrong =
        !request->command.len ? "command is empty: name a command of the service, or a program"
        : !service->instances.count ? "it has no instance whose environment could be used"
        : request->arguments.count > ARGUMENTS_MAX ? "there are more than 1000 arguments"
                                                   : NULL;
    if (wrong) {
        call_fail(call, STATUS_INVALID_ARGUMENT, "%s", wrong);
        return;
    }
    Command *command = xcalloc(1, sizeof *command);
    int error = 0;
    command->orchestrator = service->orchestrator;
    command->call = call;
    command->program = blob_copy(request->command);
    command->input = blob_copy(request->input);
    command->retry.fire = on_retry;
    command->look.run = on_look;
    command->helper = start_command(service->instances.items[0], request, command, &error);
    if (!command->helper) {
        command_free(command);
        call_fail(call, STATUS_FAILED_PRECONDITION, "it cannot be started: %s", strerror(-error));
        return;
    }
    call_set_user(call, command);
    call_send_headers(call);
    service_event(service, RT_SERVICE_EVENT_TYPE_COMMAND_RUN, call_actor(call), "%.*s was run",
                  SPAN_ARGS(request->command));
}
