#include "cli/project/ending.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/project/service_view.h"
#include "cli/project/startup_view.h"
#include "keeper/keeper_client.h"
#include "runtime/data.h"
#include "runtime/v1/runtime.pb.h"

#define TICK         (100 * NANOS_PER_MILLI)
#define KEEPER_LIMIT (10 * NANOS_PER_SECOND)
#define KEEPER_PAUSE (2 * NANOS_PER_MILLI)

typedef struct Ending {
    Remote *remote;
    ServiceList services;
    StartupView view;
    RemoteCall watching, events, leaving, forcing;
    Timer tick, limit;
    bool forced, over;
    int result;
} Ending;

static void on_answer(void *owner, const void *message) {
    (void)owner;
    (void)message;
}

static void force(Ending *ending) {
    if (ending->forced)
        return;
    ending->forced = true;
    ending->forcing = (RemoteCall){.message = on_answer, .owner = ending};
    remote_begin(ending->remote, &ending->forcing,
                 &RtRuntimeService_service.methods[RtRuntimeService_Shutdown],
                 &(RtShutdownRequest){.force = true});
}

static void on_limit(Timer *timer) {
    Ending *ending = CONTAINER(timer, Ending, limit);
    if (!ending->remote->quiet)
        puts("time is up: what is left is killed");
    force(ending);
}

static void on_signal(void *owner, int signal) {
    (void)signal;
    Ending *ending = owner;
    if (ending->forced)
        world_stop(ending->remote->peer.world);
    ending->result = EXIT_INTERRUPTED;
    force(ending);
}

/* ---- the picture ---- */

static void on_tick(Timer *timer) {
    Ending *ending = CONTAINER(timer, Ending, tick);
    World *world = ending->remote->peer.world;
    if (ending->services.complete && !ending->over)
        startup_view_draw(&ending->view, &ending->services, world_now(world));
    wheel_arm(world_wheel(world), &ending->tick, world_now(world) + TICK);
}

static void on_change(void *owner, const void *message) {
    Ending *ending = owner;
    service_list_update(&ending->services, message);
    if (!ending->view.live && !ending->remote->quiet)
        startup_view_tell(&ending->view, &ending->services, message);
}

/* Who is still waited for, and why. */
static void on_event(void *owner, const void *message) {
    Ending *ending = owner;
    const RtServiceEvent *event = ((const RtWatchEventsResponse *)message)->event;
    Style on = ending->remote->style;
    if (!event || ending->over || ending->remote->quiet)
        return;
    startup_view_clear(&ending->view);
    printf("%s%.*s%s: %.*s\n", style_service(on, event->service), SPAN_ARGS(event->service),
           style(on, STYLE_PLAIN), SPAN_ARGS(event->message));
    fflush(stdout);
}

static void show(Ending *ending) {
    World *world = ending->remote->peer.world;
    ending->view = (StartupView){.style = ending->remote->style,
                                 .live = style_is_live() && !ending->remote->quiet,
                                 .stopping = true,
                                 .began = world_now(world)};
    ending->watching = (RemoteCall){.message = on_change, .owner = ending};
    remote_begin(ending->remote, &ending->watching, ORCHESTRATOR_METHOD(WatchServices),
                 &(RtWatchServicesRequest){0});
    int32_t type = RT_SERVICE_EVENT_TYPE_STOP_WAITING;
    RtWatchEventsRequest request = {.types = {.items = &type, .count = 1}};
    ending->events = (RemoteCall){.message = on_event, .owner = ending};
    remote_begin(ending->remote, &ending->events, ORCHESTRATOR_METHOD(WatchEvents), &request);
    ending->tick.fire = on_tick;
    if (ending->view.live)
        wheel_arm(world_wheel(world), &ending->tick, world_now(world) + TICK);
}

/* ---- the end ---- */

/* Keeper and runtime were killed: services go on, and nobody is there to stop them in order. */
static bool end_orphans(const Ending *ending) {
    const char *folder = ending->remote->peer.folder;
    Buf report = {0};
    bool ended = folder && keeper_end_orphans(folder, KEEPER_LIMIT, &report) == 0;
    if (ended) {
        data_remove(folder, DATA_ADDRESS);
        if (!ending->remote->quiet)
            puts("the runtime was killed: what it had left running is ended");
    }
    buf_done(&report);
    return ended;
}

static void on_left(void *owner, Status status) {
    Ending *ending = owner;
    ending->over = true;
    startup_view_clear(&ending->view);
    /* Where the connection broke before the answer, the runtime has gone all the same. */
    if (status.code != STATUS_OK && status.code != STATUS_UNAVAILABLE)
        ending->result = remote_report(ending->remote, status);
    else if (status.code == STATUS_UNAVAILABLE && !ending->services.complete &&
             !end_orphans(ending))
        ending->result = remote_report(ending->remote, status);
    world_stop(ending->remote->peer.world);
}

/* The keeper and the runtime go when the answer is out. */
static void await_last(const char *folder, pid_t runtime) {
    KeeperStatus status;
    Buf address = {0};
    for (Nanos waited = 0; folder && waited < KEEPER_LIMIT; waited += KEEPER_PAUSE) {
        bool lives =
            runtime ? kill(runtime, 0) == 0 : data_read(folder, DATA_ADDRESS, &address) == 0;
        if (!lives && keeper_status(folder, &status) == -ENOENT)
            break;
        nanosleep(&(struct timespec){.tv_nsec = KEEPER_PAUSE}, NULL);
    }
    buf_done(&address);
}

static pid_t runtime_pid(const char *folder) {
    KeeperStatus status;
    return folder && keeper_status(folder, &status) == 0 ? (pid_t)status.runtime_pid : 0;
}

static bool end_by_keeper(const Remote *remote, const char *folder, Nanos grace, int *ret_result) {
    Buf report = {0};
    int error = keeper_end(folder, grace ? grace : KEEPER_LIMIT, &report);
    *ret_result = error < 0 && error != -ENOENT
                      ? cli_fail(EXIT_FAILED, "the keeper cannot be ended: %.*s",
                                 SPAN_ARGS(buf_span(&report)))
                      : EXIT_DONE;
    if (!*ret_result)
        data_remove_passing(folder);
    if (!*ret_result && !remote->quiet)
        puts("all is stopped; the runtime was not there to do it");
    buf_done(&report);
    return true;
}

/* A runtime that died and does not come up again cannot end anything: its keeper can. */
static bool end_without_runtime(const Remote *remote, Nanos grace, int *ret_result) {
    KeeperStatus status;
    const char *folder = remote->peer.folder;
    if (!folder || keeper_status(folder, &status) != 0 || status.runtime_ready ||
        status.runtime_exit == -1)
        return false;
    return end_by_keeper(remote, folder, grace, ret_result);
}

bool ending_of_keeper(const Remote *remote, Nanos grace, int *ret_result) {
    KeeperStatus status;
    Buf address = {0};
    const char *folder = remote->peer.data ? remote->peer.data : DATA_FOLDER;
    bool told = remote->address || data_read(folder, DATA_ADDRESS, &address) == 0;
    buf_done(&address);
    if (told || keeper_status(folder, &status) != 0 || status.runtime_pid)
        return false;
    return end_by_keeper(remote, folder, grace, ret_result);
}

int ending_run(Remote *remote, bool forced, Nanos timeout) {
    int without;
    if (end_without_runtime(remote, timeout, &without))
        return without;
    Ending ending = {.remote = remote, .forced = forced, .limit = {.fire = on_limit}};
    World *world = remote->peer.world;
    Wheel *wheel = world_wheel(world);
    pid_t runtime = runtime_pid(remote->peer.folder);
    show(&ending);
    ending.leaving = (RemoteCall){.message = on_answer, .closed = on_left, .owner = &ending};
    remote_begin(remote, &ending.leaving,
                 &RtRuntimeService_service.methods[RtRuntimeService_Shutdown],
                 &(RtShutdownRequest){.force = forced});
    world_on_signal(world, SIGINT, on_signal, &ending);
    world_on_signal(world, SIGTERM, on_signal, &ending);
    if (timeout)
        wheel_arm(wheel, &ending.limit, world_now(world) + timeout);
    world_run(world);
    wheel_cancel(wheel, &ending.tick);
    wheel_cancel(wheel, &ending.limit);
    if (!ending.result) {
        await_last(remote->peer.folder, runtime);
        if (remote->peer.folder)
            data_remove_passing(remote->peer.folder);
        if (!remote->quiet)
            puts("all is stopped");
    }
    /* What is still under way would call back into what is gone. */
    ending.watching.closed = NULL;
    remote_cancel(&ending.watching);
    remote_cancel(&ending.events);
    remote_cancel(&ending.forcing);
    remote_cancel(&ending.leaving);
    remote_settle(remote);
    service_list_done(&ending.services);
    return ending.result;
}
