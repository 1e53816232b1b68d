/* Processes as the keeper tells of them, and what is done with them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/memory.h"
#include "keeper/client.h"
#include "os/procfs.h"

/* ---- what is known ---- */

Span known_key(const void *item) {
    return ((const Known *)item)->info.id;
}

static Known *known_new(KeeperClient *client, Span id, Span label) {
    Known *known = xcalloc(1, sizeof *known);
    known->client = client;
    known->names = xmalloc(id.len + label.len + 1);
    memcpy(known->names, id.ptr, id.len);
    if (label.len)
        memcpy(known->names + id.len, label.ptr, label.len);
    known->info.id = span(known->names, id.len);
    known->info.label = span(known->names + id.len, label.len);
    for (int i = 0; i < WIRE_HOLDS; i++)
        known->holds[i] = -1;
    list_push_back(&client->processes, &known->link);
    map_put(&client->by_id, known);
    return known;
}

static void drop_start(Known *known) {
    for (size_t i = 0; i < known->start_fds.count; i++)
        close(known->start_fds.items[i]);
    array_done(&known->start_fds);
    known->start_fds.count = 0;
    buf_done(&known->start);
}

static void drop_hold(Known *known, int hold) {
    if (known->holds[hold] >= 0)
        close(known->holds[hold]);
    known->holds[hold] = -1;
}

static void drop_input(Known *known) {
    fd_watch_free(known->input_watch);
    known->input_watch = NULL;
    buf_done(&known->input);
    drop_hold(known, WIRE_HOLD_INPUT);
    known->info.input = false;
}

void known_free(Known *known) {
    drop_input(known);
    for (int i = 0; i < WIRE_HOLDS; i++)
        drop_hold(known, i);
    drop_start(known);
    map_remove(&known->client->by_id, known->info.id);
    list_remove(&known->link);
    free(known->names);
    free(known);
}

static Known *find(KeeperClient *client, Span id) {
    Known *known = map_get(&client->by_id, id);
    return known && !known->released ? known : NULL;
}

/* ---- what the keeper tells ---- */

static void take_exit(ProcessInfo *info, const WireExit *exit) {
    int status = (int)exit->status;
    info->state = PROCESS_EXITED;
    info->exit = (ProcessExit){
        .known = exit->known,
        .code = exit->known && WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = exit->known && WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .core = exit->known && WIFSIGNALED(status) && WCOREDUMP(status),
        .at = exit->at,
        .user = (Nanos)exit->user,
        .system = (Nanos)exit->system,
        .peak_memory_bytes = exit->peak_memory,
    };
}

static void take_notice(Known *known, const WireNotice *notice) {
    size_t len = notice->status.len < sizeof known->status ? notice->status.len : 0;
    memcpy(known->status, notice->status.ptr, len);
    known->info.notice = (ProcessNotice){
        .ready = notice->ready,
        .reloading = notice->reloading,
        .stopping = notice->stopping,
        .watchdogs = notice->watchdogs,
        .watchdog_trigger = notice->watchdog_trigger,
        .main_pid = notice->main_pid,
        .watchdog_usec = notice->watchdog_usec,
        .status = span(known->status, len),
    };
}

static void take_holds(Known *known, uint64_t held, int *fds, unsigned count) {
    unsigned next = 0;
    for (int i = 0; i < WIRE_HOLDS && next < count; i++) {
        if (!(held & 1u << i))
            continue;
        if (known->holds[i] < 0) {
            known->holds[i] = fds[next];
            fds[next] = -1;
        }
        next++;
    }
}

void known_on_process(KeeperClient *client, WireReader *reader, int *fds, unsigned fd_count) {
    WireProcess wire;
    wire_read_process(reader, &wire);
    if (reader->bad || !wire.id.len)
        return;
    Known *known = map_get(&client->by_id, wire.id);
    bool is_new = !known;
    if (is_new)
        known = known_new(client, wire.id, wire.label);
    ProcessInfo *info = &known->info;
    ProcessState before = is_new ? PROCESS_EXITED : info->state;
    known->seen = true;
    info->state = PROCESS_RUNNING;
    info->identity = (ProcessIdentity){wire.pid, wire.start_ticks};
    info->started_at = wire.started_at;
    info->adopted = wire.adopted;
    info->cgroup = wire.cgroup;
    info->limited = wire.limited;
    for (int i = 0; i < PROCESS_STREAMS; i++)
        info->streams[i] = wire.streams & 1u << i;
    take_holds(known, wire.held, fds, fd_count);
    info->input = known->holds[WIRE_HOLD_INPUT] >= 0 && !known->input_ends;
    take_notice(known, &wire.notice);
    drop_start(known);
    if (before == PROCESS_STARTING)
        TELL(client, started, info);
    if (wire.exit.ended) {
        take_exit(info, &wire.exit);
        if (before != PROCESS_EXITED && !known->released)
            TELL(client, exited, info);
    }
}

void known_fail(Known *known, ProcessStep step, int error) {
    known->info.state = PROCESS_FAILED;
    known->info.failed_step = step;
    known->info.error = error;
    TELL(known->client, started, &known->info);
    known_free(known);
}

void known_on_failed(KeeperClient *client, WireReader *reader) {
    Known *known = find(client, wire_text(reader));
    ProcessStep step = (ProcessStep)wire_number(reader);
    int error = (int)(int64_t)wire_number(reader);
    if (known && !reader->bad && known->info.state == PROCESS_STARTING)
        known_fail(known, step, error);
}

void known_on_exited(KeeperClient *client, WireReader *reader) {
    Known *known = find(client, wire_text(reader));
    WireExit exit;
    wire_read_exit(reader, &exit);
    if (!known || reader->bad || known->info.state != PROCESS_RUNNING)
        return;
    drop_input(known);
    take_exit(&known->info, &exit);
    TELL(client, exited, &known->info);
}

void known_on_output(KeeperClient *client, WireReader *reader) {
    Known *known = find(client, wire_text(reader));
    uint64_t stream = wire_number(reader);
    if (known && !reader->bad && stream < PROCESS_STREAMS)
        TELL(client, output, &known->info, (ProcessStream)stream);
}

void known_on_notice(KeeperClient *client, WireReader *reader) {
    Known *known = find(client, wire_text(reader));
    WireNotice notice;
    wire_read_notice(reader, &notice);
    if (!known || reader->bad)
        return;
    take_notice(known, &notice);
    TELL(client, notified, &known->info);
}

/* ---- what the keeper is told ---- */

void known_start(Known *known) {
    Channel *channel = &known->client->channel;
    channel_attach(channel, known->start_fds.items, (unsigned)known->start_fds.count);
    buf_add(&channel->out, buf_span(&known->start));
    known->start_sent = true;
}

void known_hand_over(Known *known) {
    const ProcessInfo *info = &known->info;
    Channel *channel = &known->client->channel;
    WireProcess wire = {
        .id = info->id,
        .label = info->label,
        .pid = info->identity.pid,
        .start_ticks = info->identity.start_ticks,
        .started_at = info->started_at,
        .exit.ended = info->state == PROCESS_EXITED,
        .exit.known = info->exit.known,
        .exit.status = info->exit.signal ? info->exit.signal | (info->exit.core ? 0x80 : 0)
                                         : (info->exit.code & 0xff) << 8,
        .exit.at = info->exit.at,
        .notice.ready = info->notice.ready,
        .notice.reloading = info->notice.reloading,
        .notice.stopping = info->notice.stopping,
        .notice.watchdogs = info->notice.watchdogs,
        .notice.status = info->notice.status,
    };
    int fds[WIRE_HOLDS];
    unsigned count = 0;
    for (int i = 0; i < PROCESS_STREAMS; i++)
        wire.streams |= info->streams[i] ? 1u << i : 0;
    for (int i = 0; i < WIRE_HOLDS; i++) {
        if (known->holds[i] < 0)
            continue;
        wire.held |= 1u << i;
        fds[count++] = known->holds[i];
    }
    channel_attach(channel, fds, count);
    size_t frame = wire_begin(&channel->out, WIRE_HANDOVER, count);
    wire_add_process(&channel->out, &wire);
    wire_end(&channel->out, frame);
}

static void ask_release(Known *known);

/* What the keeper should have told of, and has not. */
void known_settle(Known *known) {
    KeeperClient *client = known->client;
    if (known->info.state == PROCESS_STARTING && !known->start_sent) {
        known_start(known);
    } else if (known->info.state == PROCESS_RUNNING && !known->seen) {
        WireExit exit = {.at = world_wall(client->world)};
        take_exit(&known->info, &exit);
        TELL(client, exited, &known->info);
    } else if (known->released) {
        ask_release(known);
    }
}

/* ---- the host's side ---- */

static const ProcessInfo *keeper_next(ProcessHost *host, size_t *at) {
    size_t n = 0;
    LIST_EACH (&client_of(host)->processes, link) {
        Known *known = CONTAINER(link, Known, link);
        if (known->released || n++ != *at)
            continue;
        ++*at;
        return &known->info;
    }
    return NULL;
}

static const ProcessInfo *keeper_find(ProcessHost *host, Span id) {
    Known *known = find(client_of(host), id);
    return known ? &known->info : NULL;
}

static void add_spec(Buf *out, const ProcessSpec *spec) {
    size_t frame = wire_begin(out, WIRE_START, (unsigned)spec->fd_count);
    wire_add_text(out, spec->id);
    wire_add_text(out, spec->label);
    wire_add_strings(out, spec->argv, spec->argv_count);
    wire_add_strings(out, spec->env, spec->env_count);
    wire_add_text(out, spec->cwd);
    wire_add_number(out, spec->terminal);
    wire_add_number(out, spec->rows);
    wire_add_number(out, spec->columns);
    wire_add_number(out, spec->input);
    wire_add_number(out, spec->notify);
    wire_add_number(out, spec->ring_size);
    wire_add_number(out, spec->limits.memory_bytes);
    wire_add_number(out, spec->limits.cpu_millis);
    wire_add_number(out, spec->limits.processes);
    wire_add_number(out, spec->rlimit_count);
    for (size_t i = 0; i < spec->rlimit_count; i++) {
        wire_add_number(out, (uint64_t)spec->rlimits[i].resource);
        wire_add_number(out, spec->rlimits[i].soft);
        wire_add_number(out, spec->rlimits[i].hard);
    }
    wire_add_number(out, spec->fd_count);
    for (size_t i = 0; i < spec->fd_count; i++)
        wire_add_number(out, (uint64_t)spec->fds[i].target);
    wire_add_number(out, spec->brief);
    wire_end(out, frame);
}

static int keeper_start(ProcessHost *host, const ProcessSpec *spec) {
    KeeperClient *client = client_of(host);
    if (map_get(&client->by_id, spec->id)) /* released, but the keeper does not know that yet */
        return -EEXIST;
    Known *known = known_new(client, spec->id, spec->label);
    for (size_t i = 0; i < spec->fd_count; i++) {
        int copy = fcntl(spec->fds[i].fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0) {
            int error = -errno;
            known_free(known);
            return error;
        }
        *array_push(&known->start_fds) = copy;
    }
    add_spec(&known->start, spec);
    if (client->state == THERE)
        known_start(known);
    keeper_client_send(client);
    return 0;
}

static int keeper_signal(ProcessHost *host, Span id, int signal, ProcessScope scope,
                         void (*done)(void *owner, int result), void *owner) {
    KeeperClient *client = client_of(host);
    if (!find(client, id))
        return -ENOENT;
    Request *request = keeper_request_new(client, WIRE_SIGNAL);
    wire_add_text(&request->frame, id);
    wire_add_number(&request->frame, (uint64_t)signal);
    wire_add_number(&request->frame, scope);
    request->done = done;
    request->owner = owner;
    keeper_request_ask(client, request);
    return 0;
}

/* ---- looking at trees ---- */

static bool is_known(void *owner, pid_t pid) {
    KeeperClient *client = owner;
    LIST_EACH (&client->processes, link) {
        const ProcessInfo *info = &CONTAINER(link, Known, link)->info;
        if (info->state == PROCESS_RUNNING && info->identity.pid == pid)
            return true;
    }
    return pid == getpid();
}

/* With `orphans`, descendants whose parent is gone are looked for, too. */
static size_t find_tree(Known *known, bool orphans, ProcStat *out, size_t room) {
    KeeperClient *client = known->client;
    char id[PROCESS_ID_MAX + 1];
    snprintf(id, sizeof id, "%.*s", SPAN_ARGS(known->info.id));
    ProcTree tree = {
        .root = (pid_t)known->info.identity.pid,
        .start_ticks = known->info.identity.start_ticks,
        .id = id,
        .reaper = !orphans              ? -1
                  : known->info.adopted ? 0
                                        : (pid_t)client->keeper.pid,
        .is_known = is_known,
        .owner = client,
    };
    return proc_tree(&tree, out, room);
}

static size_t keeper_members(ProcessHost *host, Span id, ProcessMember *out, size_t room) {
    Known *known = find(client_of(host), id);
    if (!known || !known->info.identity.pid)
        return 0;
    ProcStat *found = xmalloc(PROC_TREE_MAX * sizeof *found);
    size_t count = find_tree(known, true, found, PROC_TREE_MAX);
    for (size_t i = 0; i < count && i < room; i++) {
        out[i] = (ProcessMember){
            .identity = {found[i].pid, found[i].start_ticks},
            .parent = found[i].parent,
            .state = found[i].state,
        };
        memcpy(out[i].name, found[i].name, sizeof out[i].name);
    }
    free(found);
    return count;
}

static void find_tree_again(Known *known) {
    ProcStat found[TREE_MAX];
    Nanos now = world_now(known->client->world);
    if (known->tree_at && now - known->tree_at < TREE_AGE)
        return;
    known->tree_count = find_tree(known, false, found, TREE_MAX);
    known->tree_at = now;
    for (size_t i = 0; i < known->tree_count; i++)
        known->tree[i] = found[i].pid;
}

static int keeper_usage(ProcessHost *host, Span id, ProcessUsage *ret_usage) {
    Known *known = find(client_of(host), id);
    if (!known)
        return -ENOENT;
    if (known->info.state != PROCESS_RUNNING)
        return -ESRCH;
    Nanos tick = NANOS_PER_SECOND / sysconf(_SC_CLK_TCK);
    ProcessUsage usage = {0};
    find_tree_again(known);
    for (size_t i = 0; i < known->tree_count; i++) {
        ProcStat stat;
        uint64_t read_bytes, written_bytes;
        if (proc_stat(known->tree[i], &stat) < 0 || stat.state == 'Z' ||
            stat.start_ticks < known->info.identity.start_ticks)
            continue;
        proc_io(stat.pid, &read_bytes, &written_bytes);
        usage.cpu += (Nanos)stat.cpu_ticks * tick;
        usage.memory_bytes += stat.resident;
        usage.processes++;
        usage.threads += stat.threads;
        usage.open_files += proc_open_files(stat.pid);
        usage.read_bytes += read_bytes;
        usage.written_bytes += written_bytes;
    }
    if (!usage.processes)
        return -ESRCH;
    *ret_usage = usage;
    return 0;
}

/* ---- input ---- */

static void write_input(Known *known);

static void on_writable(void *owner, unsigned events) {
    write_input(owner);
}

static void end_input(Known *known) {
    KeeperClient *client = known->client;
    drop_input(known);
    if (client->state != THERE)
        return; /* whoever takes over gets no end of it from us */
    size_t frame = wire_begin(&client->channel.out, WIRE_END_INPUT, 0);
    wire_add_text(&client->channel.out, known->info.id);
    wire_end(&client->channel.out, frame);
    keeper_client_send(client);
}

/* Writes what waits; waits for the process to read where the pipe is full. */
static void write_input(Known *known) {
    Buf *input = &known->input;
    int fd = known->holds[WIRE_HOLD_INPUT];
    while (input->len) {
        ssize_t written = write(fd, input->ptr, input->len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno != EAGAIN) {
            drop_input(known); /* it does not want any more */
            return;
        }
        if (written < 0)
            break;
        input->len -= (size_t)written;
        memmove(input->ptr, input->ptr + written, input->len);
    }
    bool waits = input->len > 0;
    if (waits && !known->input_watch)
        fd_watch_new(known->client->world, fd, FD_WRITABLE, on_writable, known,
                     &known->input_watch);
    else if (known->input_watch)
        fd_watch_for(known->input_watch, waits ? FD_WRITABLE : 0);
    if (!waits && known->input_ends)
        end_input(known);
}

static int keeper_input(ProcessHost *host, Span id, Span bytes) {
    Known *known = find(client_of(host), id);
    if (!known)
        return -ENOENT;
    if (!known->info.input || known->holds[WIRE_HOLD_INPUT] < 0)
        return -EPIPE;
    if (known->input.len + bytes.len > PROCESS_INPUT_MAX)
        return -EAGAIN;
    buf_add(&known->input, bytes);
    if (known->input.len == bytes.len)
        write_input(known);
    return 0;
}

static int keeper_end_input(ProcessHost *host, Span id) {
    Known *known = find(client_of(host), id);
    if (!known)
        return -ENOENT;
    if (!known->info.input)
        return -EPIPE;
    struct termios terminal;
    if (known->info.streams[PROCESS_TERMINAL]) {
        if (tcgetattr(known->holds[WIRE_HOLD_INPUT], &terminal) != 0)
            return -errno;
        return keeper_input(host, id, span(&terminal.c_cc[VEOF], 1));
    }
    known->info.input = false;
    known->input_ends = true;
    if (!known->input.len)
        end_input(known);
    return 0;
}

static int keeper_resize(ProcessHost *host, Span id, uint16_t rows, uint16_t columns) {
    Known *known = find(client_of(host), id);
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    if (!known)
        return -ENOENT;
    int terminal = known->holds[WIRE_HOLD_STREAM + PROCESS_TERMINAL];
    if (terminal < 0)
        return -ENOTTY;
    return ioctl(terminal, TIOCSWINSZ, &size) == 0 ? 0 : -errno;
}

/* ---- output and release ---- */

static int keeper_output(ProcessHost *host, Span id, ProcessStream stream, RingReader **ret) {
    static const char *const names[PROCESS_STREAMS] = {"out", "err", "tty"};
    KeeperClient *client = client_of(host);
    Known *known = find(client, id);
    char path[PATH_MAX];
    if (!known || !known->info.streams[stream])
        return -ENOENT;
    if (known->holds[WIRE_HOLD_RING + stream] >= 0)
        return ring_reader_new(known->holds[WIRE_HOLD_RING + stream], client->room, ret);
    snprintf(path, sizeof path, "%s/rings/%.*s.%s", client->folder, SPAN_ARGS(id), names[stream]);
    return ring_reader_open(path, client->room, ret);
}

static void on_released(void *owner, int result) {
    if (result == 0)
        known_free(owner);
}

static void ask_release(Known *known) {
    Request *request = keeper_request_new(known->client, WIRE_RELEASE);
    wire_add_text(&request->frame, known->info.id);
    request->done = on_released;
    request->owner = known;
    keeper_request_ask(known->client, request);
}

static int keeper_release(ProcessHost *host, Span id) {
    Known *known = find(client_of(host), id);
    if (!known)
        return -ENOENT;
    if (known->info.state != PROCESS_EXITED)
        return -EBUSY;
    known->released = true;
    if (known->client->state == THERE)
        ask_release(known); /* else on_held does */
    return 0;
}

const ProcessHostOps KEEPER_OPS = {
    .free = keeper_client_free,
    .next = keeper_next,
    .find = keeper_find,
    .start = keeper_start,
    .signal = keeper_signal,
    .members = keeper_members,
    .usage = keeper_usage,
    .input = keeper_input,
    .end_input = keeper_end_input,
    .resize = keeper_resize,
    .output = keeper_output,
    .release = keeper_release,
};
