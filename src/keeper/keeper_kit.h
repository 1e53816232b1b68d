/* For tests of the keeper: a data folder, a runtime that is nothing but a ProcessHost, and what it
 * was told. The keeper is the real one, its services are this very program, started again with the
 * name of what it is to do. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/test.h"
#include "keeper/keeper_client.h"
#include "os/procfs.h"

typedef struct Kit {
    char folder[64];
    char program[256]; /* this one */
    World *world;
    ProcessHost *host;
    Timer look, limit;
    bool (*is_true)(struct Kit *kit);
    const char *id; /* what is_true asks for */
    size_t started, failed, exited, hosts_lost, hosts_found, hosts_killed;
    ProcessStep step; /* of the last failure */
    int error;
    int result; /* of the last signal, once `answered` */
    bool answered;
} Kit;

static inline void kit_started(void *owner, const ProcessInfo *info) {
    Kit *kit = owner;
    kit->started += info->state == PROCESS_RUNNING;
    if (info->state != PROCESS_FAILED)
        return;
    kit->failed++;
    kit->step = info->failed_step;
    kit->error = info->error;
}

static inline void kit_exited(void *owner, const ProcessInfo *info) {
    ((Kit *)owner)->exited++;
}

static inline void kit_host(void *owner, bool there, Span reason) {
    Kit *kit = owner;
    kit->hosts_lost += !there;
    kit->hosts_found += there;
}

static const ProcessHandler KIT_HANDLER = {
    .started = kit_started, .exited = kit_exited, .host = kit_host};

/* The runtime comes to life (again). */
static inline void kit_connect(Kit *kit) {
    static const char *const argv[] = {"sleep", "1000", NULL};
    KeeperClientOptions options = {.folder = kit->folder,
                                   .runtime = {.program = "/bin/sleep", .argv = argv, .cwd = "/"}};
    Buf report = {0};
    int error = keeper_client_new(kit->world, &options, &kit->host, &report);
    if (error)
        fail_msg("no keeper: %s", buf_cstr(&report));
    process_handle(kit->host, &KIT_HANDLER, kit);
    buf_done(&report);
}

/* … and dies, as far as the keeper can tell. */
static inline void kit_disconnect(Kit *kit) {
    process_host_free(kit->host);
    kit->host = NULL;
}

static inline void kit_look(Timer *timer) {
    Kit *kit = CONTAINER(timer, Kit, look);
    if (kit->is_true(kit))
        world_stop(kit->world);
    else
        wheel_arm(world_wheel(kit->world), timer, world_now(kit->world) + NANOS_PER_MILLI);
}

static inline void kit_limit(Timer *timer) {
    Kit *kit = CONTAINER(timer, Kit, limit);
    world_stop(kit->world);
    fail_msg("it does not come true");
}

#define KIT_PATIENCE (30 * NANOS_PER_SECOND)

/* Runs the loop until something is true; fails when it takes too long. */
static inline void kit_until(Kit *kit, bool (*is_true)(Kit *kit)) {
    kit->is_true = is_true;
    kit->look.fire = kit_look;
    kit->limit.fire = kit_limit;
    wheel_arm(world_wheel(kit->world), &kit->look, world_now(kit->world));
    wheel_arm(world_wheel(kit->world), &kit->limit, world_now(kit->world) + KIT_PATIENCE);
    world_run(kit->world);
    wheel_cancel(world_wheel(kit->world), &kit->look);
    wheel_cancel(world_wheel(kit->world), &kit->limit);
}

static inline bool kit_is_running(Kit *kit) {
    const ProcessInfo *info = process_find(kit->host, span_of(kit->id));
    return info && info->state != PROCESS_STARTING;
}

static inline bool kit_has_exited(Kit *kit) {
    const ProcessInfo *info = process_find(kit->host, span_of(kit->id));
    return info && info->state == PROCESS_EXITED;
}

static inline const ProcessInfo *kit_await_exit(Kit *kit, const char *id) {
    kit->id = id;
    kit_until(kit, kit_has_exited);
    return process_find(kit->host, span_of(id));
}

#define KIT_WORDS 16

/* Starts this program with words as its arguments. */
static inline int kit_start(Kit *kit, ProcessSpec spec, const char *id, const char *words) {
    Span argv[KIT_WORDS] = {span_of(kit->program)}, env[] = {SPAN("PATH=/usr/bin:/bin")};
    size_t count = 1;
    for (Span rest = span_of(words); rest.len; count++) {
        const char *end = memchr(rest.ptr, ' ', rest.len);
        argv[count] = span(rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len);
        rest = span_skip(rest, argv[count].len + 1);
    }
    spec.id = span_of(id);
    if (!spec.argv) {
        spec.argv = argv;
        spec.argv_count = count;
    }
    spec.env = spec.env ? spec.env : env;
    spec.env_count = spec.env_count ? spec.env_count : 1;
    if (!spec.cwd.len)
        spec.cwd = SPAN("/");
    return process_start(kit->host, &spec);
}

/* The same, and waits until it runs. */
static inline const ProcessInfo *kit_run(Kit *kit, ProcessSpec spec, const char *id,
                                         const char *words) {
    assert_int_equal(kit_start(kit, spec, id, words), 0);
    kit->id = id;
    kit_until(kit, kit_is_running);
    return process_find(kit->host, span_of(id));
}

static inline void kit_answered(void *owner, int result) {
    Kit *kit = owner;
    kit->answered = true;
    kit->result = result;
}

static inline bool kit_is_answered(Kit *kit) {
    return kit->answered;
}

static inline int kit_signal(Kit *kit, const char *id, int signal, ProcessScope scope) {
    kit->answered = false;
    assert_int_equal(process_signal(kit->host, span_of(id), signal, scope, kit_answered, kit), 0);
    kit_until(kit, kit_is_answered);
    return kit->result;
}

static inline bool kit_is_forgotten(Kit *kit) {
    char path[128];
    snprintf(path, sizeof path, "%s/instances/%s", kit->folder, kit->id);
    return access(path, F_OK) != 0;
}

static inline void kit_release(Kit *kit, const char *id) {
    assert_int_equal(process_release(kit->host, span_of(id)), 0);
    kit->id = id;
    kit_until(kit, kit_is_forgotten);
}

static inline pid_t kit_keeper(Kit *kit) {
    KeeperStatus status;
    assert_int_equal(keeper_status(kit->folder, &status), 0);
    return (pid_t)status.keeper.pid;
}

static inline bool kit_is_replaced(Kit *kit) {
    return kit->hosts_found > kit->hosts_lost && kit->hosts_lost > kit->hosts_killed;
}

/* Kills the keeper, and waits for the new one. */
static inline void kit_replace_keeper(Kit *kit) {
    kit->hosts_killed = kit->hosts_lost;
    kill(kit_keeper(kit), SIGKILL);
    kit_until(kit, kit_is_replaced);
}

static inline int kit_remove_one(const char *path, const struct stat *file, int kind,
                                 struct FTW *where) {
    return remove(path);
}

static inline int kit_set_up(void **state) {
    Kit *kit = calloc(1, sizeof *kit);
    snprintf(kit->folder, sizeof kit->folder, "/tmp/keeper-test-XXXXXX");
    ssize_t len = readlink("/proc/self/exe", kit->program, sizeof kit->program - 1);
    if (!kit || len < 0 || !mkdtemp(kit->folder))
        return -1;
    kit->world = world_new();
    kit_connect(kit);
    *state = kit;
    return 0;
}

/* Zombies count as gone: whoever inherited them may take his time. */
static inline bool kit_is_gone(pid_t pid) {
    ProcStat stat;
    return proc_stat(pid, &stat) < 0 || stat.state == 'Z';
}

static inline void kit_await_gone(pid_t pid) {
    for (int i = 0; i < 30000 && !kit_is_gone(pid); i++)
        usleep(1000);
    assert_true(kit_is_gone(pid));
}

static inline void kit_left(void *owner) {
    ((Kit *)owner)->answered = true;
}

/* We go, and take the keeper with us. */
static inline void kit_leave(Kit *kit, Nanos grace) {
    KeeperStatus status;
    bool kept = keeper_status(kit->folder, &status) == 0;
    if (!kit->host)
        kit_connect(kit);
    kit->answered = false;
    keeper_client_leave(kit->host, true, grace, kit_left, kit);
    kit_until(kit, kit_is_answered);
    kit_disconnect(kit);
    if (kept)
        kit_await_gone((pid_t)status.keeper.pid);
}

static inline int kit_tear_down(void **state) {
    Kit *kit = *state;
    kit_leave(kit, 0);
    world_free(kit->world);
    umount2(kit->folder, MNT_DETACH); /* where a test has made it a disk of its own */
    nftw(kit->folder, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(kit);
    return 0;
}
