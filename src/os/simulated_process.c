#include "os/simulated_process.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/simulated.h"

#define FIRST_PID 1000
#define TICK      (10 * NANOS_PER_MILLI) /* USER_HZ is 100 on every Linux */

typedef struct Child {
    int64_t pid;
    bool escaped; /* from the session, by setsid */
} Child;

typedef struct SimulatedHost {
    ProcessHost host;
    World *world;
    ARRAY(const SimulatedProgram *) programs;
    Link processes; /* in the order of their start */
    Link signals;   /* on their way */
    int64_t last_pid;
    bool disk_full;
} SimulatedHost;

typedef struct Process {
    SimulatedHost *host;
    Link link;
    ProcessInfo info;
    const SimulatedProgram *program;
    size_t step; /* next to be done */
    Timer next;  /* does it */
    Timer news;  /* tells that it started or ended */
    bool over;   /* ended, though perhaps not told */
    RingWriter rings[PROCESS_STREAMS];
    int ring_files[PROCESS_STREAMS];
    Buf input;
    char *status;
    ARRAY(Child) children;
    char text[]; /* id and label */
} Process;

/* A signal on its way. */
typedef struct Sent {
    SimulatedHost *host;
    Link link;
    Timer arrive;
    int signal;
    ProcessScope scope;
    void (*done)(void *owner, int result);
    void *owner;
    size_t id_len;
    char id[PROCESS_ID_MAX];
} Sent;

static SimulatedHost *simulated_host(ProcessHost *host) {
    return CONTAINER(host, SimulatedHost, host);
}

static Process *find(SimulatedHost *host, Span id) {
    LIST_EACH (&host->processes, link) {
        Process *process = CONTAINER(link, Process, link);
        if (span_equal(process->info.id, id))
            return process;
    }
    return NULL;
}

static void arm(SimulatedHost *host, Timer *timer, Nanos delay) {
    wheel_arm(world_wheel(host->world), timer, world_now(host->world) + delay);
}

static Nanos some_delay(SimulatedHost *host) {
    Simulation *simulation = simulated_world(host->world)->simulation;
    return simulation_later(simulation) - simulation->now;
}

#define TELL(host_, what, ...)                                                                     \
    do {                                                                                           \
        ProcessHost *told_ = &(host_)->host;                                                       \
        if (told_->handler && told_->handler->what)                                                \
            told_->handler->what(told_->owner, __VA_ARGS__);                                       \
    } while (0)

static void process_free(Process *process) {
    Wheel *wheel = world_wheel(process->host->world);
    wheel_cancel(wheel, &process->next);
    wheel_cancel(wheel, &process->news);
    for (int i = 0; i < PROCESS_STREAMS; i++) {
        if (!process->info.streams[i])
            continue;
        ring_unmap(&process->rings[i]);
        close(process->ring_files[i]);
    }
    list_remove(&process->link);
    buf_done(&process->input);
    array_done(&process->children);
    free(process->status);
    free(process);
}

/* ---- what processes do ---- */

static void print(Process *process, ProcessStream stream, Span text) {
    RingWriter *ring = &process->rings[stream];
    struct iovec room[2];
    size_t len = ring_room(ring, text.len, room);
    memcpy(room[0].iov_base, text.ptr, room[0].iov_len);
    memcpy(room[1].iov_base, text.ptr + room[0].iov_len, room[1].iov_len);
    bool wake = ring_append(ring, len);
    if (len < text.len)
        ring_drop(ring, text.len - len);
    if (wake)
        TELL(process->host, output, &process->info, stream);
}

static void notice_line(Process *process, Span line) {
    ProcessNotice *notice = &process->info.notice;
    if (span_equal(line, SPAN("READY=1"))) {
        notice->ready = true;
        notice->reloading = false;
    } else if (span_equal(line, SPAN("RELOADING=1"))) {
        notice->reloading = true;
    } else if (span_equal(line, SPAN("STOPPING=1"))) {
        notice->stopping = true;
    } else if (span_equal(line, SPAN("WATCHDOG=1"))) {
        notice->watchdogs++;
    } else if (span_equal(line, SPAN("WATCHDOG=trigger"))) {
        notice->watchdog_trigger = true;
    } else if (span_starts(line, SPAN("STATUS="))) {
        Span text = span_skip(line, strlen("STATUS="));
        free(process->status);
        process->status = text.len ? strndup(text.ptr, text.len) : NULL;
        notice->status = span_of(process->status);
    }
}

static void notify(Process *process, Span text) {
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        notice_line(process, span(text.ptr, len));
        text = span_skip(text, len + 1);
    }
    TELL(process->host, notified, &process->info);
}

/* It is over; told a little later. */
static void end(Process *process, int code, int signal) {
    if (process->over)
        return;
    process->over = true;
    wheel_cancel(world_wheel(process->host->world), &process->next);
    bool known = !process->info.adopted;
    process->info.exit = (ProcessExit){
        .known = known,
        .code = known && !signal ? code : -1,
        .signal = known ? signal : 0,
    };
    if (process->info.state == PROCESS_RUNNING)
        arm(process->host, &process->news, some_delay(process->host));
}

static void take_step(Timer *timer) {
    Process *process = CONTAINER(timer, Process, next);
    const SimulatedProgram *program = process->program;
    if (process->step == program->step_count)
        return;
    const SimulatedStep *step = &program->steps[process->step++];
    Nanos wait = 0;
    if (step->what == SIMULATED_WAIT)
        wait = step->time;
    if (step->what == SIMULATED_REPEAT) {
        process->step = 0;
        wait = NANOS_PER_MILLI;
    }
    arm(process->host, &process->next, wait);
    bool terminal = process->info.streams[PROCESS_TERMINAL];
    if (step->what == SIMULATED_SPAWN)
        *array_push(&process->children) = (Child){++process->host->last_pid, step->number == 1};
    else if (step->what == SIMULATED_EXIT)
        end(process, step->number, 0);
    else if (step->what == SIMULATED_DIE)
        end(process, 0, step->number);
    else if (step->what == SIMULATED_PRINT) /* these call the user, who may end it all */
        print(process, terminal ? PROCESS_TERMINAL : PROCESS_STDOUT, step->text);
    else if (step->what == SIMULATED_ERROR)
        print(process, terminal ? PROCESS_TERMINAL : PROCESS_STDERR, step->text);
    else if (step->what == SIMULATED_NOTIFY)
        notify(process, step->text);
}

static void end_well(Timer *timer) {
    end(CONTAINER(timer, Process, next), 0, 0);
}

/* ---- beginning ---- */

/* Nobody is left who could write. */
static void close_rings(Process *process) {
    ProcessInfo *info = &process->info;
    for (int i = 0; i < PROCESS_STREAMS; i++)
        if (info->streams[i] && !process->children.count && ring_close(&process->rings[i]))
            TELL(process->host, output, info, (ProcessStream)i);
}

static void tell_news(Timer *timer) {
    Process *process = CONTAINER(timer, Process, news);
    SimulatedHost *host = process->host;
    ProcessInfo *info = &process->info;
    if (info->state == PROCESS_STARTING && info->error) {
        info->state = PROCESS_FAILED;
        TELL(host, started, info);
        process_free(process);
    } else if (info->state == PROCESS_STARTING) {
        info->state = PROCESS_RUNNING;
        info->started_at = world_wall(host->world);
        if (process->over)
            arm(host, &process->news, some_delay(host));
        else
            arm(host, &process->next, 0);
        TELL(host, started, info);
    } else {
        close_rings(process);
        info->state = PROCESS_EXITED;
        info->exit.at = world_wall(host->world);
        TELL(host, exited, info);
    }
}

static const SimulatedProgram *program_of(const SimulatedHost *host, Span name) {
    for (size_t i = host->programs.count; i-- > 0;)
        if (span_equal(host->programs.items[i]->name, name))
            return host->programs.items[i];
    return NULL;
}

static void open_rings(Process *process, const ProcessSpec *spec) {
    for (int i = 0; i < PROCESS_STREAMS; i++) {
        if (spec->terminal != (i == PROCESS_TERMINAL))
            continue;
        int error = ring_create_anonymous(spec->ring_size ? spec->ring_size : RING_DEFAULT,
                                          &process->rings[i], &process->ring_files[i]);
        assert(error == 0);
        (void)error;
        process->info.streams[i] = true;
    }
}

static void fail(Process *process, ProcessStep step, int error) {
    process->info.failed_step = step;
    process->info.error = error;
}

static int simulated_start(ProcessHost *base, const ProcessSpec *spec) {
    SimulatedHost *host = simulated_host(base);
    Process *process = xcalloc(1, sizeof *process + spec->id.len + spec->label.len);
    process->host = host;
    process->next.fire = take_step;
    process->news.fire = tell_news;
    process->program = program_of(host, spec->argv[0]);
    memcpy(process->text, spec->id.ptr, spec->id.len);
    if (spec->label.len)
        memcpy(process->text + spec->id.len, spec->label.ptr, spec->label.len);
    int64_t pid = ++host->last_pid;
    process->info = (ProcessInfo){
        .id = span(process->text, spec->id.len),
        .label = span(process->text + spec->id.len, spec->label.len),
        .input = spec->terminal || spec->input,
        .limited = true,
    };
    list_push_back(&host->processes, &process->link);
    if (host->disk_full)
        fail(process, PROCESS_STEP_RING, -ENOSPC);
    else if (!process->program)
        fail(process, PROCESS_STEP_EXEC, -ENOENT);
    else if (process->program->start_error)
        fail(process, PROCESS_STEP_EXEC, process->program->start_error);
    else {
        uint64_t ticks = (uint64_t)(world_now(host->world) / TICK);
        process->info.identity = (ProcessIdentity){pid, ticks};
        open_rings(process, spec);
    }
    arm(host, &process->news, some_delay(host));
    return 0;
}

/* ---- signals ---- */

static void signal_process(Process *process, int signal) {
    const SimulatedProgram *program = process->program;
    bool asks = signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
    bool harmless = signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH ||
                    signal == SIGCONT || signal == SIGSTOP || signal == SIGTSTP || signal == 0;
    if (harmless || (asks && program->ignores))
        return;
    if (!asks || !program->ending) {
        end(process, 0, signal);
    } else if (process->next.fire != end_well) {
        process->next.fire = end_well;
        arm(process->host, &process->next, program->ending);
    }
}

static int signal_children(Process *process, int signal, ProcessScope scope) {
    int hit = 0;
    for (size_t i = process->children.count; i-- > 0;) {
        if (process->children.items[i].escaped && scope != PROCESS_TREE)
            continue;
        hit++;
        if (signal == SIGKILL || signal == SIGTERM)
            process->children.items[i] = process->children.items[--process->children.count];
    }
    if (hit && process->info.state == PROCESS_EXITED)
        close_rings(process);
    return hit;
}

static void arrive(Timer *timer) {
    Sent *sent = CONTAINER(timer, Sent, arrive);
    Process *process = find(sent->host, span(sent->id, sent->id_len));
    int hit = 0;
    if (process) {
        if (sent->scope != PROCESS_SELF)
            hit = signal_children(process, sent->signal, sent->scope);
        if (!process->over && process->info.state != PROCESS_FAILED) {
            hit++;
            signal_process(process, sent->signal);
        }
    }
    list_remove(&sent->link);
    if (sent->done)
        sent->done(sent->owner, hit ? hit : -ESRCH);
    free(sent);
}

static int simulated_send(ProcessHost *base, Span id, int signal, ProcessScope scope,
                          void (*done)(void *owner, int result), void *owner) {
    SimulatedHost *host = simulated_host(base);
    if (!find(host, id))
        return -ENOENT;
    Sent *sent = xcalloc(1, sizeof *sent);
    *sent = (Sent){
        .host = host,
        .arrive.fire = arrive,
        .signal = signal,
        .scope = scope,
        .done = done,
        .owner = owner,
        .id_len = id.len,
    };
    memcpy(sent->id, id.ptr, id.len);
    list_push_back(&host->signals, &sent->link);
    arm(host, &sent->arrive, some_delay(host));
    return 0;
}

/* ---- looking at them ---- */

static const ProcessInfo *simulated_next(ProcessHost *base, size_t *at) {
    SimulatedHost *host = simulated_host(base);
    size_t n = 0;
    LIST_EACH (&host->processes, link)
        if (n++ == *at) {
            ++*at;
            return &CONTAINER(link, Process, link)->info;
        }
    return NULL;
}

static const ProcessInfo *simulated_find(ProcessHost *base, Span id) {
    Process *process = find(simulated_host(base), id);
    return process ? &process->info : NULL;
}

static size_t simulated_members(ProcessHost *base, Span id, ProcessMember *out, size_t room) {
    Process *process = find(simulated_host(base), id);
    if (!process)
        return 0;
    size_t count = 0;
    ProcessIdentity self = process->info.identity;
    if (self.pid && !process->over) {
        if (count < room)
            out[count] = (ProcessMember){self, 1, 'S', "simulated"};
        count++;
    }
    for (size_t i = 0; i < process->children.count; i++, count++)
        if (count < room)
            out[count] = (ProcessMember){
                {process->children.items[i].pid, self.start_ticks}, self.pid, 'S', "child"};
    return count;
}

static int simulated_usage(ProcessHost *base, Span id, ProcessUsage *ret_usage) {
    SimulatedHost *host = simulated_host(base);
    Process *process = find(host, id);
    if (!process)
        return -ENOENT;
    uint32_t count = (uint32_t)simulated_members(base, id, NULL, 0);
    if (!count)
        return -ESRCH;
    Nanos age = world_now(host->world) - (Nanos)process->info.identity.start_ticks * TICK;
    *ret_usage = (ProcessUsage){
        .cpu = age / 100,
        .memory_bytes = (uint64_t)count << 20,
        .processes = count,
        .threads = count,
        .open_files = 3 * count,
    };
    return 0;
}

static int simulated_input(ProcessHost *base, Span id, Span bytes) {
    Process *process = find(simulated_host(base), id);
    if (!process)
        return -ENOENT;
    if (!process->info.input || process->over)
        return -EPIPE;
    buf_add(&process->input, bytes);
    return 0;
}

static int simulated_end_input(ProcessHost *base, Span id) {
    Process *process = find(simulated_host(base), id);
    if (!process)
        return -ENOENT;
    process->info.input = false;
    return 0;
}

static int simulated_resize(ProcessHost *base, Span id, uint16_t rows, uint16_t columns) {
    Process *process = find(simulated_host(base), id);
    if (!process)
        return -ENOENT;
    return process->info.streams[PROCESS_TERMINAL] ? 0 : -ENOTTY;
}

static int simulated_output(ProcessHost *base, Span id, ProcessStream stream, RingReader **ret) {
    Process *process = find(simulated_host(base), id);
    if (!process || !process->info.streams[stream])
        return -ENOENT;
    return ring_reader_new(process->ring_files[stream], -1, ret);
}

static int simulated_release(ProcessHost *base, Span id) {
    Process *process = find(simulated_host(base), id);
    if (!process)
        return -ENOENT;
    if (process->info.state != PROCESS_EXITED)
        return -EBUSY;
    process_free(process);
    return 0;
}

/* ---- what befalls them ---- */

void simulated_process_end(ProcessHost *base, Span id, int code, int signal) {
    Process *process = find(simulated_host(base), id);
    assert(process);
    end(process, code, signal);
}

void simulated_host_replace(ProcessHost *base) {
    SimulatedHost *host = simulated_host(base);
    TELL(host, host, false, SPAN("the keeper was killed"));
    LIST_EACH (&host->processes, link) {
        Process *process = CONTAINER(link, Process, link);
        process->info.adopted |= process->info.state == PROCESS_RUNNING;
    }
    TELL(host, host, true, SPAN("a new keeper has taken over"));
}

void simulated_host_disk_full(ProcessHost *base, bool full) {
    simulated_host(base)->disk_full = full;
}

Span simulated_process_input(ProcessHost *base, Span id) {
    Process *process = find(simulated_host(base), id);
    return process ? buf_span(&process->input) : (Span){0};
}

void simulated_host_add(ProcessHost *base, const SimulatedProgram *program) {
    *array_push(&simulated_host(base)->programs) = program;
}

static void simulated_host_free(ProcessHost *base) {
    SimulatedHost *host = simulated_host(base);
    while (!list_empty(&host->signals)) {
        Sent *sent = CONTAINER(host->signals.next, Sent, link);
        wheel_cancel(world_wheel(host->world), &sent->arrive);
        list_remove(&sent->link);
        free(sent);
    }
    while (!list_empty(&host->processes))
        process_free(CONTAINER(host->processes.next, Process, link));
    array_done(&host->programs);
    free(host);
}

static const ProcessHostOps SIMULATED_OPS = {
    .free = simulated_host_free,
    .next = simulated_next,
    .find = simulated_find,
    .start = simulated_start,
    .signal = simulated_send,
    .members = simulated_members,
    .usage = simulated_usage,
    .input = simulated_input,
    .end_input = simulated_end_input,
    .resize = simulated_resize,
    .output = simulated_output,
    .release = simulated_release,
};

ProcessHost *simulated_host_new(World *world) {
    SimulatedHost *host = xcalloc(1, sizeof *host);
    host->host.ops = &SIMULATED_OPS;
    host->world = world;
    host->last_pid = FIRST_PID;
    list_init(&host->processes);
    list_init(&host->signals);
    return &host->host;
}
