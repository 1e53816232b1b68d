/* The ports of an instance: which it gets, and what becomes of who has them already. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"
#include "services/orchestrator/internal.h"

#define CLEAR_LOOK  (50 * NANOS_PER_MILLI)
#define CLEAR_GRACE (5 * NANOS_PER_SECOND)
#define COMMAND_MAX 160

static const Machine *machine_of(const Instance *instance) {
    return instance->service->orchestrator->options.machine;
}

/* ---- giving ---- */

/* Whether any service is given that port, or may be by its configuration. */
static bool is_spoken_for(const Orchestrator *orchestrator, uint16_t port) {
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        const Service *service = orchestrator->services.items[s];
        for (size_t i = 0; i < service->config->ports.count; i++) {
            const ConfigPort *wanted = &service->config->ports.items[i];
            uint32_t more = wanted->per_replica ? service->replicas : 1;
            if (wanted->number && port >= wanted->number && port < wanted->number + more)
                return true;
        }
    }
    LIST_EACH (&orchestrator->lives, link) {
        const Life *life = CONTAINER(link, Life, link);
        for (size_t i = 0; life->instance && i < life->ports.count; i++)
            if (life->ports.items[i].port == port)
                return true;
    }
    return false;
}

static uint16_t assign(Instance *instance, uint16_t before) {
    Orchestrator *orchestrator = instance->service->orchestrator;
    const Machine *machine = machine_of(instance);
    uint32_t first = orchestrator->config->port_range.first;
    uint32_t count = orchestrator->config->port_range.last - first + 1u;
    /* Each project begins at a place of its own, so that two which start at the same time do not
     * both find the same port free. */
    uint64_t begin = hash_bytes(span_of(orchestrator->options.data_folder), 0) % count;
    if (before && !is_spoken_for(orchestrator, before) && machine->port_is_free(before))
        return before;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t port = (uint16_t)(first + (begin + i) % count);
        if (!is_spoken_for(orchestrator, port) && machine->port_is_free(port))
            return port;
    }
    return 0;
}

/* What the instance had in its life before, so that addresses stay. */
static uint16_t port_before(const Instance *instance, Span name) {
    for (size_t i = 0; i < instance->ports.count; i++)
        if (span_equal(instance->ports.items[i].name, name))
            return instance->ports.items[i].port;
    return 0;
}

void ports_remember(Instance *instance) {
    const Life *life = instance->life;
    instance->ports.count = 0;
    for (size_t i = 0; i < life->ports.count; i++)
        for (size_t c = 0; c < instance->service->config->ports.count; c++) {
            /* Names are the configuration's, which outlives the life. */
            Span name = instance->service->config->ports.items[c].name;
            if (span_equal(name, life->ports.items[i].name))
                *array_push(&instance->ports) = (NamedPort){name, life->ports.items[i].port};
        }
}

/* ---- conflicts ---- */

static bool is_the_same_path(Span wanted, const char *is) {
    return span_equal(wanted, span_of(is));
}

/* The last part of a path. */
static Span base_of(Span path) {
    size_t at = path.len;
    while (at && path.ptr[at - 1] != '/')
        at--;
    return span_skip(path, at);
}

/* Arguments behind the first are those of the service; a program that writes over its own ("nginx:
 * master process") cannot be judged by them. */
static bool has_our_arguments(Instance *instance, const MachineProcess *process) {
    Arena arena = {0};
    LaunchTexts argv = {0};
    launch_arguments(instance, &instance->service->config->command, &arena, &argv);
    const char *at = process->command, *end = at + process->command_size;
    bool same = true, rewritten = false;
    for (size_t i = 0; i < argv.count; i++) {
        Span is = span(at, at < end ? strnlen(at, (size_t)(end - at)) : 0);
        if (i == 0)
            rewritten = !span_equal(base_of(is), base_of(argv.items[0]));
        else
            same &= span_equal(is, argv.items[i]);
        at += is.len + (at < end);
    }
    array_done(&argv);
    arena_done(&arena);
    return same || rewritten;
}

/* Whether it runs the program of this service: by its path, or by its name where that was looked
 * for. A program started by a script shows the interpreter: then the arguments tell. */
static bool runs_our_program(Instance *instance, const MachineProcess *process) {
    const ConfigCommand *command = &instance->service->config->command;
    Arena arena = {0};
    LaunchTexts argv = {0};
    launch_arguments(instance, command, &arena, &argv);
    char *real = NULL;
    bool same = false;
    if (argv.count && memchr(argv.items[0].ptr, '/', argv.items[0].len)) {
        Buf path = {.arena = &arena};
        if (*argv.items[0].ptr != '/') {
            buf_add(&path, instance->service->config->working_dir);
            buf_add_char(&path, '/');
        }
        buf_add(&path, argv.items[0]);
        real = realpath(buf_cstr(&path), NULL);
        same = real && strcmp(real, process->executable) == 0;
    } else if (argv.count) {
        /* "python3" is python3.11 when it runs. */
        same = span_starts(base_of(span_of(process->executable)), argv.items[0]);
    }
    free(real);
    array_done(&argv);
    arena_done(&arena);
    return same;
}

static bool is_this_service(Instance *instance, const MachineProcess *process) {
    return process->identity.pid && runs_our_program(instance, process) &&
           is_the_same_path(instance->service->config->working_dir, process->cwd) &&
           has_our_arguments(instance, process);
}

/* An earlier life left it behind: it has our folder and this service in its environment, and is
 * nobody's who lives. */
static bool is_leftover(const Instance *instance, const MachineProcess *process) {
    const Orchestrator *orchestrator = instance->service->orchestrator;
    Span data = machine_variable(process, SPAN("MUSTER_DATA"));
    Span service = machine_variable(process, SPAN("MUSTER_SERVICE"));
    Span id = machine_variable(process, SPAN("MUSTER_INSTANCE"));
    if (!is_the_same_path(data, orchestrator->options.data_folder) ||
        !span_equal(service, instance->service->config->name))
        return false;
    const Child *owner = map_get(&orchestrator->children, id);
    return !owner || owner == &instance->life->child;
}

/* "pid 71 (nginx: master process)", "a process of another user" */
static void describe(const MachineProcess *process, Buf *out) {
    char command[COMMAND_MAX];
    if (!process->identity.pid) {
        buf_add_literal(out, "a process of another user");
        return;
    }
    machine_command_text(process, command, sizeof command);
    buf_printf(out, "pid %lld (%s)", (long long)process->identity.pid,
               *command ? command : process->executable);
}

static void begin_clearing(Instance *instance, const MachineProcess *process) {
    World *world = instance->service->orchestrator->world;
    instance->clearing = process->identity;
    instance->clear_begun = world_now(world);
    machine_of(instance)->signal(&process->identity, SIGTERM);
    wheel_arm(world_wheel(world), &instance->clear_timer, world_now(world) + CLEAR_LOOK);
}

static void on_clear_look(Timer *timer) {
    Instance *instance = CONTAINER(timer, Instance, clear_timer);
    World *world = instance->service->orchestrator->world;
    const Machine *machine = machine_of(instance);
    if (instance->state != RT_SERVICE_STATE_STARTING || !instance->life)
        return;
    if (!machine->lives(&instance->clearing)) {
        launch_go_on(instance);
        return;
    }
    if (world_now(world) - instance->clear_begun >= CLEAR_GRACE)
        machine->signal(&instance->clearing, SIGKILL);
    wheel_arm(world_wheel(world), timer, world_now(world) + CLEAR_LOOK);
}

static void take_over(Instance *instance, const MachineProcess *process) {
    life_found(instance->life, &process->identity);
    instance->started_wall = world_wall(instance->service->orchestrator->world);
    instance_event(instance, RT_SERVICE_EVENT_TYPE_ADOPTED,
                   "pid %lld is this service and runs already: taken over; its exit code will not "
                   "be known",
                   (long long)process->identity.pid);
    instance_happens(instance, INSTANCE_FOUND);
}

static PortsAnswer resolve(Instance *instance, uint16_t port, const MachineProcess *process) {
    bool leftover = is_leftover(instance, process);
    Buf who = {0};
    describe(process, &who);
    PortsAnswer answer = PORTS_REFUSED;
    if (leftover) {
        instance_event(instance, RT_SERVICE_EVENT_TYPE_PORT_CONFLICT,
                       "port %u is held by %.*s, left behind by an earlier life: it is ended", port,
                       SPAN_ARGS(buf_span(&who)));
        begin_clearing(instance, process);
        answer = PORTS_CLEARING;
    } else if (is_this_service(instance, process)) {
        take_over(instance, process);
        answer = PORTS_FOUND;
    } else if (instance->service->config->port_conflict == CONFIG_PORT_KILL &&
               process->identity.pid) {
        instance_event(instance, RT_SERVICE_EVENT_TYPE_PORT_CONFLICT,
                       "port %u is taken by %.*s: it is ended, as port_conflict: kill says", port,
                       SPAN_ARGS(buf_span(&who)));
        begin_clearing(instance, process);
        answer = PORTS_CLEARING;
    } else {
        instance_fault(instance,
                       "port %u is taken by %.*s: end that process, give this service another "
                       "port, or set port_conflict: kill",
                       port, SPAN_ARGS(buf_span(&who)));
        instance_event(instance, RT_SERVICE_EVENT_TYPE_PORT_CONFLICT, "%.*s",
                       SPAN_ARGS(buf_span(&instance->error)));
    }
    buf_done(&who);
    return answer;
}

/* A port with a fixed number. */
static PortsAnswer claim(Instance *instance, uint16_t port) {
    const Machine *machine = machine_of(instance);
    if (machine->port_is_free(port))
        return PORTS_READY;
    MachineProcess *process = xmalloc(sizeof *process);
    PortsAnswer answer = PORTS_READY; /* nobody listens there: the service will see */
    if (machine->listener(port, process) == 0)
        answer = resolve(instance, port, process);
    free(process);
    return answer;
}

PortsAnswer ports_take(Instance *instance) {
    const ServiceConfig *config = instance->service->config;
    Life *life = instance->life;
    life->ports.count = 0;
    for (size_t i = 0; i < config->ports.count; i++) {
        const ConfigPort *wanted = &config->ports.items[i];
        uint16_t port = wanted->number;
        if (port && wanted->per_replica)
            port = (uint16_t)(port + instance->replica);
        if (!port)
            port = assign(instance, port_before(instance, wanted->name));
        if (!port) {
            instance_fault(instance, "no port is free between %u and %u: widen port_range",
                           instance->service->orchestrator->config->port_range.first,
                           instance->service->orchestrator->config->port_range.last);
            return PORTS_REFUSED;
        }
        *array_push(&life->ports) = (NamedPort){arena_copy(&life->arena, wanted->name), port};
    }
    ports_remember(instance);
    for (size_t i = 0; i < config->ports.count; i++) {
        PortsAnswer answer = config->ports.items[i].number
                                 ? claim(instance, life->ports.items[i].port)
                                 : PORTS_READY;
        if (answer != PORTS_READY)
            return answer;
    }
    return PORTS_READY;
}

void ports_init(Instance *instance) {
    instance->clear_timer.fire = on_clear_look;
}
