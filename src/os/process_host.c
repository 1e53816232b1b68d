#include "os/process_host.h"

#include <ctype.h>
#include <errno.h>

const char *process_step_text(ProcessStep step) {
    static const char *const texts[] = {
        [PROCESS_STEP_NONE] = "nothing",
        [PROCESS_STEP_KEEPER] = "the keeper",
        [PROCESS_STEP_SPEC] = "what is to be started",
        [PROCESS_STEP_RING] = "the files for its output",
        [PROCESS_STEP_PIPE] = "its pipes",
        [PROCESS_STEP_TERMINAL] = "its terminal",
        [PROCESS_STEP_FORK] = "a new process",
        [PROCESS_STEP_FD] = "the descriptors that it inherits",
        [PROCESS_STEP_RLIMIT] = "its resource limits",
        [PROCESS_STEP_CWD] = "the working directory",
        [PROCESS_STEP_EXEC] = "the program",
    };
    return (size_t)step < sizeof texts / sizeof *texts ? texts[step] : "something unknown";
}

static bool id_is_valid(Span id) {
    if (!id.len || id.len > PROCESS_ID_MAX || *id.ptr == '.')
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (!isalnum((unsigned char)id.ptr[i]) && !memchr("._-", id.ptr[i], 3))
            return false;
    return true;
}

/* Adds the bytes of a list of texts; false when one of them has a NUL, and could not be passed
 * on. */
static bool count_texts(const Span *texts, size_t count, size_t *bytes) {
    for (size_t i = 0; i < count; i++) {
        if (memchr(texts[i].ptr ? texts[i].ptr : "", 0, texts[i].len))
            return false;
        *bytes += texts[i].len + sizeof(uint32_t) + 1;
    }
    return true;
}

int process_spec_check(const ProcessSpec *spec) {
    size_t bytes = 0;
    if (!id_is_valid(spec->id) || spec->label.len > PROCESS_LABEL_MAX || !spec->argv_count ||
        !spec->argv[0].len || !spec->cwd.len || *spec->cwd.ptr != '/' ||
        !count_texts(spec->argv, spec->argv_count, &bytes) ||
        !count_texts(spec->env, spec->env_count, &bytes) || !count_texts(&spec->cwd, 1, &bytes) ||
        spec->fd_count > PROCESS_FDS_MAX || spec->rlimit_count > PROCESS_RLIMITS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < spec->fd_count; i++)
        if (spec->fds[i].target < 3 || spec->fds[i].target > PROCESS_FD_TARGET_MAX)
            return -EINVAL;
    return bytes <= PROCESS_SPEC_MAX ? 0 : -E2BIG;
}

void process_handle(ProcessHost *host, const ProcessHandler *handler, void *owner) {
    host->handler = handler;
    host->owner = owner;
}

const ProcessInfo *process_next(ProcessHost *host, size_t *at) {
    return host->ops->next(host, at);
}

const ProcessInfo *process_find(ProcessHost *host, Span id) {
    return host->ops->find(host, id);
}

int process_start(ProcessHost *host, const ProcessSpec *spec) {
    int error = process_spec_check(spec);
    if (error)
        return error;
    return host->ops->find(host, spec->id) ? -EEXIST : host->ops->start(host, spec);
}

int process_signal(ProcessHost *host, Span id, int signal, ProcessScope scope,
                   void (*done)(void *owner, int result), void *owner) {
    return host->ops->signal(host, id, signal, scope, done, owner);
}

size_t process_members(ProcessHost *host, Span id, ProcessMember *out, size_t room) {
    return host->ops->members(host, id, out, room);
}

int process_usage(ProcessHost *host, Span id, ProcessUsage *ret_usage) {
    return host->ops->usage(host, id, ret_usage);
}

int process_input(ProcessHost *host, Span id, Span bytes) {
    return host->ops->input(host, id, bytes);
}

int process_end_input(ProcessHost *host, Span id) {
    return host->ops->end_input(host, id);
}

int process_resize(ProcessHost *host, Span id, uint16_t rows, uint16_t columns) {
    return host->ops->resize(host, id, rows, columns);
}

int process_output(ProcessHost *host, Span id, ProcessStream stream, RingReader **ret_reader) {
    return host->ops->output(host, id, stream, ret_reader);
}

int process_release(ProcessHost *host, Span id) {
    return host->ops->release(host, id);
}

void process_host_free(ProcessHost *host) {
    if (host)
        host->ops->free(host);
}
