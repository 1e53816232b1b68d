/* What services use: processor, memory, files. Looked at every second while somebody watches,
 * otherwise now and then, for limits of memory alone. */
#include <stdio.h>
#include <stdlib.h>

#include "services/orchestrator/internal.h"

#define WATCHED     (1 * NANOS_PER_SECOND)
#define UNWATCHED   (5 * NANOS_PER_SECOND)  /* those with a limit */
#define SELDOM      (60 * NANOS_PER_SECOND) /* the others, for their peaks */
#define TREE        64 /* processes of a tree whose sockets are looked at … */
#define PORTS       16 /* … and ports that are shown */
#define PORTS_FIRST (1 * NANOS_PER_SECOND)
#define INTEREST    (10 * NANOS_PER_SECOND) /* somebody asked so lately */

static bool is_watched(const Orchestrator *orchestrator, Nanos now) {
    return watch_statistics(orchestrator->watch).watchers ||
           now - orchestrator->asked_at < INTEREST;
}

static void take(Instance *instance, Nanos now) {
    Life *life = instance->life;
    ProcessUsage usage;
    if (process_usage(life->orchestrator->host, span_of(life->child.id), &usage) < 0)
        return;
    if (life->usage_at && now > life->usage_at && usage.cpu >= life->usage.cpu)
        life->cpu_percent =
            100.0 * (double)(usage.cpu - life->usage.cpu) / (double)(now - life->usage_at);
    life->usage = usage;
    life->usage_at = now;
    if ((int64_t)usage.memory_bytes > life->record.peak_memory_bytes)
        life->record.peak_memory_bytes = (int64_t)usage.memory_bytes;
    service_figures(instance->service);
}

static void check_limit(Instance *instance) {
    uint64_t limit = (uint64_t)instance->service->config->limits.memory;
    char why[128];
    if (!limit || instance->life->usage.memory_bytes <= limit)
        return;
    snprintf(why, sizeof why, "it uses %.1f MiB of memory, more than the %.1f MiB allowed",
             (double)instance->life->usage.memory_bytes / 1048576, (double)limit / 1048576);
    instance_renew(instance, SPAN("memory limit"), why);
}

/* Where its tree listens, if the configuration gives it no ports: soon after it has started, and then
 * ever more seldom. */
static void find_ports(Life *life, Nanos now) {
    ProcessMember members[TREE];
    int64_t pids[TREE];
    uint16_t ports[PORTS];
    bool given = life->instance->service->config->ports.count != 0, first = !life->ports_pause;
    if (given || now < life->ports_at)
        return;
    life->ports_pause = first ? PORTS_FIRST : 2 * life->ports_pause;
    life->ports_pause = life->ports_pause < SELDOM ? life->ports_pause : SELDOM;
    life->ports_at = now + life->ports_pause;
    if (first)
        return; /* what only starts does not listen yet, and has better things to do */
    size_t count = life_members(life, members, TREE);
    count = count < TREE ? count : TREE;
    for (size_t i = 0; i < count; i++)
        pids[i] = members[i].identity.pid;
    count = life->orchestrator->options.machine->ports(pids, count, ports, PORTS);
    life->ports.count = 0;
    for (size_t i = 0; i < count; i++)
        *array_push(&life->ports) = (NamedPort){.port = ports[i]};
}

static void look_at(Instance *instance, Nanos now, bool watched) {
    Life *life = instance->life;
    if (!life || !life->running || life->exited || life->foreign)
        return;
    bool limited = instance->service->config->limits.memory != 0;
    Nanos every = watched ? WATCHED : limited ? UNWATCHED : SELDOM;
    if (now - life->usage_at < every - WATCHED / 10 && life->usage_at)
        return;
    take(instance, now);
    if (watched)
        find_ports(life, now);
    check_limit(instance);
}

/* The runtime's own. */
static void look_at_self(Orchestrator *orchestrator, Nanos now) {
    Nanos cpu;
    uint64_t memory;
    if (orchestrator->options.machine->self(&cpu, &memory) < 0)
        return;
    Nanos before = orchestrator->looked_at;
    if (before && now > before)
        orchestrator->runtime_cpu =
            100.0 * (double)(cpu - orchestrator->used_cpu) / (double)(now - before);
    orchestrator->runtime_memory = (int64_t)memory;
    orchestrator->looked_at = now;
    orchestrator->used_cpu = cpu;
    watch_figures(orchestrator->watch, &orchestrator->item);
}

static void on_time(Timer *timer) {
    Orchestrator *orchestrator = CONTAINER(timer, Orchestrator, resources_timer);
    Nanos now = world_now(orchestrator->world);
    bool watched = is_watched(orchestrator, now), limited = false, running = false;
    if (watched)
        look_at_self(orchestrator, now);
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        Service *service = orchestrator->services.items[s];
        for (size_t i = 0; i < service->instances.count; i++) {
            running |= service->instances.items[i]->life != NULL;
            limited |= service->config->limits.memory != 0;
            look_at(service->instances.items[i], now, watched);
        }
    }
    if (running || watched)
        wheel_arm(world_wheel(orchestrator->world), timer,
                  now + (watched   ? WATCHED
                         : limited ? UNWATCHED
                                   : SELDOM));
}

void resources_begin(Orchestrator *orchestrator) {
    Nanos now = world_now(orchestrator->world);
    Timer *timer = &orchestrator->resources_timer;
    Wheel *wheel = world_wheel(orchestrator->world);
    timer->fire = on_time;
    if (!timer_is_armed(timer) || timer_deadline(wheel, timer) > now + WATCHED)
        wheel_arm(wheel, timer, now + WATCHED / 10);
}

void resources_watched(Orchestrator *orchestrator) {
    if (!orchestrator->looked_at)
        look_at_self(orchestrator, world_now(orchestrator->world));
    resources_begin(orchestrator);
}

void resources_asked(Orchestrator *orchestrator) {
    orchestrator->asked_at = world_now(orchestrator->world);
    resources_watched(orchestrator);
}

void resources_stop(Orchestrator *orchestrator) {
    wheel_cancel(world_wheel(orchestrator->world), &orchestrator->resources_timer);
}
