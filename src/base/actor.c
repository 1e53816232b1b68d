#include "base/actor.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct Actor {
    ActorOptions options;
    Mailbox mailbox;

    /* With a thread only. */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool woken; /* under the mutex: mail may have come */
};

static void wake(void *owner) {
    Actor *actor = owner;
    pthread_mutex_lock(&actor->mutex);
    actor->woken = true;
    pthread_cond_signal(&actor->changed);
    pthread_mutex_unlock(&actor->mutex);
}

static void wait(Actor *actor) {
    pthread_mutex_lock(&actor->mutex);
    while (!actor->woken)
        pthread_cond_wait(&actor->changed, &actor->mutex);
    actor->woken = false;
    pthread_mutex_unlock(&actor->mutex);
}

bool actor_turn(Actor *actor) {
    const ActorOptions *options = &actor->options;
    Mail *mail = mailbox_receive(&actor->mailbox);
    if (!mail)
        return false;
    options->step(options->state, mail);
    if (options->flush && mailbox_batch_done(&actor->mailbox))
        options->flush(options->state);
    return true;
}

static void *run(void *argument) {
    Actor *actor = argument;
    for (;;) {
        while (actor_turn(actor))
            ;
        if (mailbox_finished(&actor->mailbox))
            return NULL;
        wait(actor);
    }
}

/* A thread that leaves all signals to the others. */
static int start_thread(Actor *actor) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = -pthread_create(&actor->thread, NULL, run, actor);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0)
        return r;
    char name[16] = {0};
    strncpy(name, actor->options.name, sizeof name - 1);
    pthread_setname_np(actor->thread, name);
    return 0;
}

static void actor_free(Actor *actor) {
    pthread_cond_destroy(&actor->changed);
    pthread_mutex_destroy(&actor->mutex);
    free(actor);
}

int actor_start(const ActorOptions *options, Actor **ret_actor) {
    Actor *actor = xcalloc(1, sizeof *actor);
    actor->options = *options;
    pthread_mutex_init(&actor->mutex, NULL);
    pthread_cond_init(&actor->changed, NULL);
    if (options->ready) {
        mailbox_init(&actor->mailbox, options->capacity, options->ready, options->owner);
    } else {
        mailbox_init(&actor->mailbox, options->capacity, wake, actor);
        int r = start_thread(actor);
        if (r < 0) {
            actor_free(actor);
            return r;
        }
    }
    *ret_actor = actor;
    return 0;
}

int actor_send(Actor *actor, Mail *mail) {
    return mailbox_send(&actor->mailbox, mail);
}

void actor_stop(Actor *actor) {
    if (actor->options.ready) {
        actor->mailbox.wake = NULL; /* the owner could only come too late */
        mailbox_close(&actor->mailbox);
        while (actor_turn(actor))
            ;
    } else {
        mailbox_close(&actor->mailbox);
        pthread_join(actor->thread, NULL);
    }
    actor_free(actor);
}
