/* Services that run by a schedule: every so often, or when crontab(5) says so. */
#include <stdlib.h>
#include <time.h>

#include "services/orchestrator/cron.h"
#include "services/orchestrator/internal.h"

/* A clock that is put right must not be slept through, so nobody sleeps for longer. */
#define LOOK (60 * NANOS_PER_SECOND)

/* Of the machine's time zone. */
static int32_t local_zone(int64_t at) {
    time_t seconds = (time_t)at;
    struct tm local;
    return localtime_r(&seconds, &local) ? (int32_t)local.tm_gmtoff : 0;
}

static void set_next(Service *service, Nanos after) {
    const ConfigSchedule *schedule = &service->config->schedule;
    int64_t next;
    if (schedule->interval)
        service->next_run = after + schedule->interval;
    else if (cron_next(&schedule->when, after / NANOS_PER_SECOND, local_zone, &next))
        service->next_run = next * NANOS_PER_SECOND;
    else
        service->next_run = 0;
    service_changed(service);
}

static void sleep_on(Service *service) {
    World *world = service->orchestrator->world;
    Nanos left = service->next_run - world_wall(world);
    if (!service->next_run)
        return;
    left = left < 0 ? 0 : left > LOOK ? LOOK : left;
    wheel_arm(world_wheel(world), &service->schedule, world_now(world) + left);
}

static void run_now(Service *service) {
    bool busy = false;
    for (size_t i = 0; i < service->instances.count; i++)
        busy |= !instance_is_over(service->instances.items[i]->state);
    if (busy) {
        service_event(service, RT_SERVICE_EVENT_TYPE_SCHEDULE_MISSED, SPAN("schedule"),
                      "the run before goes on still: this one is left out");
        return;
    }
    for (size_t i = 0; i < service->instances.count; i++)
        instance_want(service->instances.items[i], SPAN("schedule"), "its time has come");
}

static void on_time(Timer *timer) {
    Service *service = CONTAINER(timer, Service, schedule);
    Nanos wall = world_wall(service->orchestrator->world);
    Nanos interval = service->config->schedule.interval;
    if (interval && service->next_run > wall + interval) /* the clock was set back */
        service->next_run = wall + interval;
    if (service->next_run && wall >= service->next_run) {
        run_now(service);
        /* From start to start; but what was slept through is not made up for. */
        Nanos due = service->next_run;
        set_next(service, interval && wall - due < interval ? due : wall);
    }
    sleep_on(service);
}

void schedule_arm(Service *service) {
    bool armed = service->next_run != 0;
    if (armed)
        return;
    Nanos wall = world_wall(service->orchestrator->world);
    set_next(service, wall);
    if (service->config->schedule.at_start)
        run_now(service);
    sleep_on(service);
}

void schedule_resume(Service *service, Nanos next_run) {
    Nanos wall = world_wall(service->orchestrator->world);
    service->next_run = next_run;
    if (next_run < wall) {
        service_event(service, RT_SERVICE_EVENT_TYPE_SCHEDULE_MISSED, SPAN("schedule"),
                      "a run was due while the runtime was away");
        set_next(service, wall);
    }
    sleep_on(service);
}

void schedule_disarm(Service *service) {
    wheel_cancel(world_wheel(service->orchestrator->world), &service->schedule);
    service->next_run = 0;
}

void schedule_init(Service *service) {
    service->schedule.fire = on_time;
}
