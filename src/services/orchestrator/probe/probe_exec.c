#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "services/orchestrator/probe/internal.h"

#define OUTPUT_RING RING_MIN

typedef struct ExecProbe {
    Probe probe;
    ProcessHost *host;
    int error; /* of process_start */
    Task refused;
    char program[64]; /* its name */
    char id[PROCESS_ID_MAX + 1];
} ExecProbe;

/* The first line that it wrote, for people. */
static void first_line(ExecProbe *exec, ProcessStream stream, Buf *out) {
    RingReader *ring;
    if (process_output(exec->host, span_of(exec->id), stream, &ring) < 0)
        return;
    Span text = ring_peek(ring, ring_tail(ring));
    for (size_t i = 0; i < text.len && text.ptr[i] != '\n' && out->len < 160; i++)
        if ((unsigned char)text.ptr[i] >= ' ')
            buf_add_char(out, text.ptr[i]);
    ring_reader_free(ring);
    out->len = utf8_valid_length(buf_span(out));
}

static void on_exited(ExecProbe *exec, const ProcessInfo *info) {
    Buf line = {0};
    first_line(exec, PROCESS_STDERR, &line);
    if (!line.len)
        first_line(exec, PROCESS_STDOUT, &line);
    const ProcessExit *how = &info->exit;
    bool passed = how->known && how->code == 0;
    const char *colon = line.len ? ": " : "";
    if (!how->known)
        probe_finish(&exec->probe, false, "%s: its exit is not known", exec->program);
    else if (how->signal)
        probe_finish(&exec->probe, false, "%s: ended by signal %d%s%.*s", exec->program,
                     how->signal, colon, SPAN_ARGS(buf_span(&line)));
    else
        probe_finish(&exec->probe, passed, "%s: exited with %d%s%.*s", exec->program, how->code,
                     colon, SPAN_ARGS(buf_span(&line)));
    buf_done(&line);
}

static void on_process(Probe *probe, const ProcessInfo *info) {
    ExecProbe *exec = (ExecProbe *)probe;
    if (info->state == PROCESS_FAILED)
        probe_finish(probe, false, "%s: %s: %s", exec->program,
                     process_step_text(info->failed_step), strerror(-info->error));
    else if (info->state == PROCESS_EXITED)
        on_exited(exec, info);
}

static void on_refused(Task *task) {
    ExecProbe *exec = CONTAINER(task, ExecProbe, refused);
    probe_finish(&exec->probe, false, "%s: cannot be started: %s", exec->program,
                 strerror(-exec->error));
}

/* A probe that takes too long is killed; whoever owns the processes releases it when it ends. */
static void release(Probe *probe) {
    ExecProbe *exec = (ExecProbe *)probe;
    const ProcessInfo *info = process_find(exec->host, span_of(exec->id));
    if (info && info->state != PROCESS_EXITED && info->state != PROCESS_FAILED)
        process_signal(exec->host, span_of(exec->id), SIGKILL, PROCESS_TREE, NULL, NULL);
    world_undefer(&exec->refused);
    free(exec);
}

static const ProbeOps OPS = {.release = release, .process = on_process};

Probe *probe_exec_new(World *world, ProcessHost *host, const ProbeSpec *spec) {
    ExecProbe *exec = xcalloc(1, sizeof *exec);
    exec->probe.ops = &OPS;
    exec->host = host;
    exec->refused.run = on_refused;
    memcpy(exec->id, spec->id.ptr, spec->id.len < PROCESS_ID_MAX ? spec->id.len : PROCESS_ID_MAX);
    Span program = spec->argv[0];
    for (size_t i = program.len; i-- > 0;)
        if (program.ptr[i] == '/') {
            program = span_skip(program, i + 1);
            break;
        }
    snprintf(exec->program, sizeof exec->program, "%.*s", SPAN_ARGS(program));
    ProcessSpec process = {
        .id = span_of(exec->id),
        .argv = spec->argv,
        .argv_count = spec->argv_count,
        .env = spec->env,
        .env_count = spec->env_count,
        .cwd = spec->cwd,
        .ring_size = OUTPUT_RING,
    };
    exec->error = process_start(host, &process);
    if (exec->error < 0)
        world_defer(world, &exec->refused);
    return &exec->probe;
}
