/* How instances are made to end: the signal or command that their configuration names, force when
 * that has not helped in time, and no end before the last process of the tree is gone, wherever it
 * went. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "services/orchestrator/helper.h"

#define LOOK_FIRST (20 * NANOS_PER_MILLI)
#define LOOK_LAST  (500 * NANOS_PER_MILLI)
#define TELL_AFTER (2 * NANOS_PER_SECOND)
#define TELL_AGAIN (10 * NANOS_PER_SECOND)
#define ASK_TIMES  3
#define ASK_AGAIN  (300 * NANOS_PER_MILLI)
#define MEMBERS    8 /* named, of those who are waited for */

static World *world_of(const Instance *instance) {
    return instance->service->orchestrator->world;
}

static void look_at(Instance *instance, Nanos when) {
    wheel_arm(world_wheel(world_of(instance)), &instance->end_timer, when);
}

/* The next look: soon while only descendants are left, since nobody tells when they end. */
static void look_again(Instance *instance) {
    Nanos now = world_now(world_of(instance)), waited = now - instance->end_begun;
    Nanos next = now + (instance->killed ? TELL_AGAIN : TELL_AFTER);
    Nanos limit = instance->end_begun + instance->service->config->stop.timeout;
    if (!instance->killed && limit < next)
        next = limit;
    if (instance->life->exited || instance->life->foreign) {
        Nanos pause = waited / 8;
        pause = pause < LOOK_FIRST ? LOOK_FIRST : pause > LOOK_LAST ? LOOK_LAST : pause;
        next = now + pause < next ? now + pause : next;
    }
    look_at(instance, next > now ? next : now + LOOK_FIRST);
}

void ending_force(Instance *instance) {
    if (instance->killed || !instance->life)
        return;
    instance->killed = true;
    if (!instance->end_begun)
        instance->end_begun = world_now(world_of(instance));
    life_signal(instance->life, SIGKILL, PROCESS_TREE);
    look_again(instance);
}

static void tell_who_is_left(Instance *instance) {
    ProcessMember members[MEMBERS];
    size_t count = life_members(instance->life, members, MEMBERS);
    Buf text = {0};
    for (size_t i = 0; i < count && i < MEMBERS; i++)
        buf_printf(&text, "%s%s (pid %lld%s)", i ? ", " : "", members[i].name,
                   (long long)members[i].identity.pid,
                   members[i].state == 'D' ? ", in the kernel: cannot be killed just now" : "");
    double waited =
        (double)(world_now(world_of(instance)) - instance->end_begun) / (double)NANOS_PER_SECOND;
    double left =
        (double)instance->service->config->stop.timeout / (double)NANOS_PER_SECOND - waited;
    if (instance->killed)
        instance_event(instance, RT_SERVICE_EVENT_TYPE_STOP_WAITING,
                       "killed, and waited for since %.0f s: %.*s", waited,
                       SPAN_ARGS(buf_span(&text)));
    else
        instance_event(instance, RT_SERVICE_EVENT_TYPE_STOP_WAITING,
                       "waited for since %.0f s, killed in %.0f s: %.*s", waited,
                       left > 0 ? left : 0, SPAN_ARGS(buf_span(&text)));
    buf_done(&text);
}

void ending_look(Instance *instance) {
    Life *life = instance->life;
    if (!life)
        return;
    Nanos now = world_now(world_of(instance));
    if (life->exited) {
        ProcessMember member;
        bool empty = !life_members(life, &member, 1);
        /* Of those who forked on, twice: a child that is just being forked is not to be seen. */
        if (empty && (!life->asked || life->found_empty)) {
            instance_gone(instance);
            return;
        }
        life->found_empty = empty;
        if (!instance->end_begun)
            instance->end_begun = now;
        /* More than once: who was just being forked may have missed it. */
        if (life->asked < ASK_TIMES && now - instance->end_begun >= life->asked * ASK_AGAIN) {
            life->asked++;
            life_signal(life, instance->killed ? SIGKILL : SIGTERM, PROCESS_TREE);
        }
    }
    Nanos waited = now - instance->end_begun;
    if (!instance->killed && waited >= instance->service->config->stop.timeout) {
        tell_who_is_left(instance);
        ending_force(instance);
        return;
    }
    if (waited >= TELL_AFTER && (!instance->end_told || now - instance->end_told >= TELL_AGAIN)) {
        instance->end_told = now;
        tell_who_is_left(instance);
    }
    look_again(instance);
}

static void judge(Instance *instance) {
    instance->unjudged = false;
    instance_exited(instance, &instance->life->ending, instance->life->lived);
}

static void on_look(Timer *timer) {
    Instance *instance = CONTAINER(timer, Instance, end_timer);
    if (instance->unjudged)
        judge(instance);
    else
        ending_look(instance);
}

/* Whether it has left others behind shows a moment later: who is just being forked is not to be seen
 * in /proc yet. */
void ending_settle(Instance *instance) {
    instance->unjudged = true;
    checker_stop(instance);
    if (instance->state == RT_SERVICE_STATE_STOPPING)
        judge(instance);
    else
        look_at(instance, world_now(world_of(instance)) + LOOK_FIRST);
}

/* The configured command in place of the signal; where it cannot be run, the signal after all. */
static void run_stop_command(Instance *instance) {
    const ServiceConfig *config = instance->service->config;
    Arena arena = {0};
    LaunchTexts argv = {0}, env = {0};
    launch_arguments(instance, &config->stop.command, &arena, &argv);
    launch_environment(instance, &arena, &env);
    ProcessSpec spec = {
        .argv = argv.items,
        .argv_count = argv.count,
        .env = env.items,
        .env_count = env.count,
        .cwd = config->working_dir,
        .ring_size = RING_MIN,
    };
    int error;
    Helper *helper =
        helper_start(instance->service->orchestrator, "stop", &spec, NULL, NULL, &error);
    if (!helper)
        life_signal(instance->life, config->stop.signal, PROCESS_GROUP);
    array_done(&argv);
    array_done(&env);
    arena_done(&arena);
}

/* What has a terminal is told, too, that nobody is there any more: shells at a prompt heed nothing
 * else. */
static void ask_to_end(Life *life, int signal, bool terminal) {
    life_signal(life, signal, PROCESS_GROUP);
    if (terminal && signal == SIGTERM)
        life_signal(life, SIGHUP, PROCESS_GROUP);
}

void ending_begin(Instance *instance) {
    Life *life = instance->life;
    const ConfigStop *stop = &instance->service->config->stop;
    if (!life || (!life->spawned && !life->foreign)) {
        instance_gone(instance);
        return;
    }
    if (!life->running && !life->exited)
        return; /* it is being started: instance_running comes back here */
    if (instance->unjudged) {
        judge(instance);
        return;
    }
    if (!instance->end_begun)
        instance->end_begun = world_now(world_of(instance));
    instance_event(instance, RT_SERVICE_EVENT_TYPE_STOPPING, "%.*s",
                   SPAN_ARGS(buf_span(&instance->reason)));
    if (instance->forced)
        ending_force(instance);
    else if (life->exited)
        ending_look(instance);
    else if (stop->command.argv.count && !life->foreign)
        run_stop_command(instance);
    else
        ask_to_end(life, stop->signal, instance->service->config->tty);
    if (instance->life)
        look_again(instance);
}

void ending_init(Instance *instance) {
    instance->end_timer.fire = on_look;
}
