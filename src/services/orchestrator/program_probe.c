#include "services/orchestrator/program_probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"

#define OUTPUT_RING RING_MIN
#define MESSAGE_MAX 256
#define LINE_MAX    160

struct ProgramProbe {
    Orchestrator *orchestrator;
    Helper *helper;
    Timer timer;
    Nanos began, timeout;
    ProbeDone *done;
    void *owner;
    char program[64];
};

/* `helper` has been dealt with. */
static void finish(ProgramProbe *probe, bool passed, const char *format, ...) {
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    World *world = probe->orchestrator->world;
    ProbeResult result = {
        .passed = passed,
        .message = span(message, len < MESSAGE_MAX ? (size_t)len : MESSAGE_MAX - 1),
        .latency = world_now(world) - probe->began,
    };
    wheel_cancel(world_wheel(world), &probe->timer);
    probe->done(probe->owner, &result);
    free(probe);
}

/* The first line that it wrote, for people. */
static void first_line(ProgramProbe *probe, Span id, ProcessStream stream, Buf *out) {
    RingReader *ring;
    if (process_output(probe->orchestrator->host, id, stream, &ring) < 0)
        return;
    Span text = ring_peek(ring, ring_tail(ring));
    for (size_t i = 0; i < text.len && text.ptr[i] != '\n' && out->len < LINE_MAX; i++)
        if ((unsigned char)text.ptr[i] >= ' ')
            buf_add_char(out, text.ptr[i]);
    ring_reader_free(ring);
    out->len = utf8_valid_length(buf_span(out));
}

static bool on_exited(void *owner, const ProcessInfo *info) {
    ProgramProbe *probe = owner;
    const ProcessExit *how = &info->exit;
    Buf line = {0};
    first_line(probe, info->id, PROCESS_STDERR, &line);
    if (!line.len)
        first_line(probe, info->id, PROCESS_STDOUT, &line);
    const char *colon = line.len ? ": " : "";
    if (!how->known)
        finish(probe, false, "%s: its exit is not known", probe->program);
    else if (how->signal)
        finish(probe, false, "%s: ended by signal %d%s%.*s", probe->program, how->signal, colon,
               SPAN_ARGS(buf_span(&line)));
    else
        finish(probe, how->code == 0, "%s: exited with code %d%s%.*s", probe->program, how->code,
               colon, SPAN_ARGS(buf_span(&line)));
    buf_done(&line);
    return false;
}

static void on_started(void *owner, const ProcessInfo *info) {
    ProgramProbe *probe = owner;
    if (info->state == PROCESS_FAILED)
        finish(probe, false, "%s: %s: %s", probe->program, process_step_text(info->failed_step),
               strerror(-info->error));
}

static void on_timeout(Timer *timer) {
    ProgramProbe *probe = CONTAINER(timer, ProgramProbe, timer);
    helper_abandon(probe->helper);
    finish(probe, false, "%s: no answer within %lld ms", probe->program,
           (long long)(probe->timeout / NANOS_PER_MILLI));
}

static const HelperOps OPS = {.started = on_started, .exited = on_exited};

static void name_program(ProgramProbe *probe, Span path) {
    size_t at = path.len;
    while (at && path.ptr[at - 1] != '/')
        at--;
    snprintf(probe->program, sizeof probe->program, "%.*s", SPAN_ARGS(span_skip(path, at)));
}

ProgramProbe *program_probe_start(Orchestrator *orchestrator, ProcessSpec *spec, Nanos timeout,
                                  ProbeDone *done, void *owner, int *ret_error) {
    ProgramProbe *probe = xcalloc(1, sizeof *probe);
    spec->ring_size = OUTPUT_RING;
    spec->brief = true;
    probe->helper = helper_start(orchestrator, "check", spec, &OPS, probe, ret_error);
    if (!probe->helper) {
        free(probe);
        return NULL;
    }
    probe->orchestrator = orchestrator;
    probe->began = world_now(orchestrator->world);
    probe->timeout = timeout;
    probe->done = done;
    probe->owner = owner;
    probe->timer.fire = on_timeout;
    name_program(probe, spec->argv[0]);
    wheel_arm(world_wheel(orchestrator->world), &probe->timer, probe->began + timeout);
    return probe;
}

void program_probe_cancel(ProgramProbe *probe) {
    helper_abandon(probe->helper);
    wheel_cancel(world_wheel(probe->orchestrator->world), &probe->timer);
    free(probe);
}
