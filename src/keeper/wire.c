#include "keeper/wire.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"

/* ---- writing ---- */

static void add(Buf *out, const void *bytes, size_t len) {
    buf_add(out, span(bytes, len));
}

size_t wire_begin(Buf *out, WireType type, unsigned fds) {
    size_t begun = out->len;
    uint16_t head[] = {0, 0, htole16((uint16_t)type), htole16((uint16_t)fds)};
    _Static_assert(sizeof head == WIRE_HEADER, "the header");
    add(out, head, sizeof head);
    return begun;
}

void wire_end(Buf *out, size_t begun) {
    uint32_t len = htole32((uint32_t)(out->len - begun - WIRE_HEADER));
    memcpy(out->ptr + begun, &len, sizeof len);
}

void wire_add_number(Buf *out, uint64_t number) {
    number = htole64(number);
    add(out, &number, sizeof number);
}

void wire_add_text(Buf *out, Span text) {
    uint32_t len = htole32((uint32_t)text.len);
    add(out, &len, sizeof len);
    buf_add(out, text);
    buf_add_char(out, 0);
}

/* ---- reading ---- */

int wire_frame(Span received, WireFrame *ret_frame) {
    uint32_t len;
    uint16_t type, fds;
    if (received.len < WIRE_HEADER)
        return 0;
    memcpy(&len, received.ptr, sizeof len);
    memcpy(&type, received.ptr + 4, sizeof type);
    memcpy(&fds, received.ptr + 6, sizeof fds);
    len = le32toh(len);
    if (len > WIRE_FRAME_MAX || le16toh(fds) > WIRE_FDS_MAX)
        return -EPROTO;
    if (received.len < WIRE_HEADER + len)
        return 0;
    *ret_frame = (WireFrame){
        .type = le16toh(type),
        .fds = le16toh(fds),
        .payload = span(received.ptr + WIRE_HEADER, len),
    };
    return (int)(WIRE_HEADER + len);
}

static bool take(WireReader *reader, void *out, size_t len) {
    if (reader->rest.len < len) {
        reader->bad = true;
        reader->rest = (Span){0};
        return false;
    }
    memcpy(out, reader->rest.ptr, len);
    reader->rest = span_skip(reader->rest, len);
    return true;
}

uint64_t wire_number(WireReader *reader) {
    uint64_t number;
    return take(reader, &number, sizeof number) ? le64toh(number) : 0;
}

Span wire_text(WireReader *reader) {
    uint32_t len;
    if (!take(reader, &len, sizeof len))
        return SPAN("");
    len = le32toh(len);
    if (reader->rest.len <= len || reader->rest.ptr[len] != 0) {
        reader->bad = true;
        reader->rest = (Span){0};
        return SPAN("");
    }
    Span text = span(reader->rest.ptr, len);
    reader->rest = span_skip(reader->rest, (size_t)len + 1);
    return text;
}

const char *wire_string(WireReader *reader) {
    Span text = wire_text(reader);
    if (memchr(text.ptr, 0, text.len))
        reader->bad = true;
    return text.ptr;
}

/* ---- the larger payloads ---- */

void wire_add_exit(Buf *out, const WireExit *exit) {
    wire_add_number(out, exit->ended);
    wire_add_number(out, exit->known);
    wire_add_number(out, (uint64_t)exit->status);
    wire_add_number(out, (uint64_t)exit->at);
    wire_add_number(out, exit->user);
    wire_add_number(out, exit->system);
    wire_add_number(out, exit->peak_memory);
}

void wire_read_exit(WireReader *reader, WireExit *ret_exit) {
    ret_exit->ended = wire_number(reader);
    ret_exit->known = wire_number(reader);
    ret_exit->status = (int64_t)wire_number(reader);
    ret_exit->at = (int64_t)wire_number(reader);
    ret_exit->user = wire_number(reader);
    ret_exit->system = wire_number(reader);
    ret_exit->peak_memory = wire_number(reader);
}

void wire_add_notice(Buf *out, const WireNotice *notice) {
    wire_add_number(out, notice->ready);
    wire_add_number(out, notice->reloading);
    wire_add_number(out, notice->stopping);
    wire_add_number(out, notice->watchdogs);
    wire_add_number(out, notice->watchdog_trigger);
    wire_add_number(out, (uint64_t)notice->main_pid);
    wire_add_number(out, (uint64_t)notice->watchdog_usec);
    wire_add_text(out, notice->status);
}

void wire_read_notice(WireReader *reader, WireNotice *ret_notice) {
    ret_notice->ready = wire_number(reader);
    ret_notice->reloading = wire_number(reader);
    ret_notice->stopping = wire_number(reader);
    ret_notice->watchdogs = wire_number(reader);
    ret_notice->watchdog_trigger = wire_number(reader);
    ret_notice->main_pid = (int64_t)wire_number(reader);
    ret_notice->watchdog_usec = (int64_t)wire_number(reader);
    ret_notice->status = wire_text(reader);
}

void wire_add_process(Buf *out, const WireProcess *process) {
    wire_add_text(out, process->id);
    wire_add_text(out, process->label);
    wire_add_number(out, (uint64_t)process->pid);
    wire_add_number(out, process->start_ticks);
    wire_add_number(out, (uint64_t)process->started_at);
    wire_add_number(out, process->adopted);
    wire_add_number(out, process->cgroup);
    wire_add_number(out, process->limited);
    wire_add_number(out, process->input);
    wire_add_number(out, process->streams);
    wire_add_number(out, process->held);
    wire_add_number(out, process->just_started);
    wire_add_exit(out, &process->exit);
    wire_add_notice(out, &process->notice);
}

void wire_read_process(WireReader *reader, WireProcess *ret_process) {
    ret_process->id = wire_text(reader);
    ret_process->label = wire_text(reader);
    ret_process->pid = (int64_t)wire_number(reader);
    ret_process->start_ticks = wire_number(reader);
    ret_process->started_at = (int64_t)wire_number(reader);
    ret_process->adopted = wire_number(reader);
    ret_process->cgroup = wire_number(reader);
    ret_process->limited = wire_number(reader);
    ret_process->input = wire_number(reader);
    ret_process->streams = wire_number(reader);
    ret_process->held = wire_number(reader);
    ret_process->just_started = wire_number(reader);
    wire_read_exit(reader, &ret_process->exit);
    wire_read_notice(reader, &ret_process->notice);
}

void wire_add_strings(Buf *out, const Span *strings, size_t count) {
    wire_add_number(out, count);
    for (size_t i = 0; i < count; i++)
        wire_add_text(out, strings[i]);
}

void wire_read_strings(WireReader *reader, size_t spare, WireStrings *ret_strings) {
    uint64_t count = wire_number(reader);
    /* A string takes five bytes at least, so that nobody asks for more room than he sends. */
    if (count > WIRE_STRINGS_MAX || count > reader->rest.len / 5) {
        reader->bad = true;
        count = 0;
    }
    ret_strings->items = xcalloc(count + spare + 1, sizeof *ret_strings->items);
    ret_strings->count = count;
    for (size_t i = 0; i < count; i++)
        ret_strings->items[i] = wire_string(reader);
}

void wire_read_runtime(WireReader *reader, WireRuntime *ret_runtime) {
    ret_runtime->start = wire_number(reader);
    ret_runtime->program = wire_string(reader);
    wire_read_strings(reader, 0, &ret_runtime->argv);
    wire_read_strings(reader, 0, &ret_runtime->env);
    ret_runtime->cwd = wire_string(reader);
    ret_runtime->log = wire_string(reader);
}

/* A number of things to follow. */
static uint64_t count_of(WireReader *reader, uint64_t most) {
    uint64_t count = wire_number(reader);
    if (count <= most)
        return count;
    reader->bad = true;
    return 0;
}

void wire_read_start(WireReader *reader, WireStart *ret_start) {
    ret_start->id = wire_string(reader);
    ret_start->label = wire_text(reader);
    wire_read_strings(reader, 0, &ret_start->argv);
    wire_read_strings(reader, 3, &ret_start->env);
    ret_start->cwd = wire_string(reader);
    ret_start->terminal = wire_number(reader);
    ret_start->rows = wire_number(reader);
    ret_start->columns = wire_number(reader);
    ret_start->input = wire_number(reader);
    ret_start->notify = wire_number(reader);
    ret_start->ring_size = wire_number(reader);
    ret_start->memory_bytes = wire_number(reader);
    ret_start->cpu_millis = wire_number(reader);
    ret_start->processes = wire_number(reader);
    ret_start->rlimit_count = count_of(reader, WIRE_START_RLIMITS);
    for (size_t i = 0; i < ret_start->rlimit_count; i++) {
        ret_start->rlimits[i].resource = wire_number(reader);
        ret_start->rlimits[i].soft = wire_number(reader);
        ret_start->rlimits[i].hard = wire_number(reader);
    }
    ret_start->fd_count = count_of(reader, WIRE_START_FDS);
    for (size_t i = 0; i < ret_start->fd_count; i++)
        ret_start->targets[i] = wire_number(reader);
    ret_start->brief =
        reader->rest.len ? wire_number(reader) : 0; /* older runtimes do not say it */
}
