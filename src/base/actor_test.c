#include "base/actor.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include "base/list.h"
#include "base/test.h"

typedef struct Order {
    Mail mail;
    int number;
} Order;

typedef struct Clerk {
    int next;      /* the number that is to come */
    int unflushed; /* steps since the last flush */
    int flushes;
    sem_t *started; /* when set: the first step posts it, then waits for `go_on` */
    sem_t *go_on;
    pthread_t thread;
    char name[16];
} Clerk;

static void step(void *state, Mail *mail) {
    Clerk *clerk = state;
    assert_int_equal(CONTAINER(mail, Order, mail)->number, clerk->next);
    clerk->next++;
    clerk->unflushed++;
    clerk->thread = pthread_self();
    pthread_getname_np(pthread_self(), clerk->name, sizeof clerk->name);
    if (clerk->started) {
        sem_post(clerk->started);
        sem_wait(clerk->go_on);
        clerk->started = NULL;
    }
}

static void flush(void *state) {
    Clerk *clerk = state;
    assert_true(clerk->unflushed > 0);
    clerk->unflushed = 0;
    clerk->flushes++;
}

static void a_thread_deals_with_all_before_it_stops(void **state) {
    (void)state;
    static Order orders[1000];
    for (int round = 0; round < 20; round++) {
        Clerk clerk = {0};
        Actor *actor;
        ActorOptions options = {.name = "clerk of the store",
                                .capacity = 1000,
                                .state = &clerk,
                                .step = step,
                                .flush = flush};
        assert_int_equal(actor_start(&options, &actor), 0);
        for (int i = 0; i < 50 * round; i++) {
            orders[i].number = i;
            assert_int_equal(actor_send(actor, &orders[i].mail), 0);
        }
        actor_stop(actor);
        assert_int_equal(clerk.next, 50 * round);
        assert_int_equal(clerk.unflushed, 0);
        assert_int_equal(clerk.flushes > 0, round > 0);
        if (round > 0) {
            assert_false(pthread_equal(clerk.thread, pthread_self()));
            assert_string_equal(clerk.name, "clerk of the st");
        }
    }
}

static void a_busy_thread_refuses_more_than_it_has_room_for(void **state) {
    (void)state;
    sem_t started, go_on;
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, 0);
    Clerk clerk = {.started = &started, .go_on = &go_on};
    Actor *actor;
    ActorOptions options = {
        .name = "clerk", .capacity = 2, .state = &clerk, .step = step, .flush = flush};
    assert_int_equal(actor_start(&options, &actor), 0);
    Order orders[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    assert_int_equal(actor_send(actor, &orders[0].mail), 0);
    sem_wait(&started);
    assert_int_equal(actor_send(actor, &orders[1].mail), 0);
    assert_int_equal(actor_send(actor, &orders[2].mail), 0);
    assert_int_equal(actor_send(actor, &orders[3].mail), -EBUSY);
    sem_post(&go_on);
    actor_stop(actor);
    assert_int_equal(clerk.next, 3);
    assert_int_equal(clerk.flushes, 2); /* the first came alone, the other two together */
    sem_destroy(&started);
    sem_destroy(&go_on);
}

static void observe_signals(void *state, Mail *mail) {
    (void)mail;
    pthread_sigmask(SIG_SETMASK, NULL, state);
}

static void signals_are_for_the_other_threads(void **state) {
    (void)state;
    sigset_t mask, before, after;
    sigemptyset(&mask);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    Actor *actor;
    ActorOptions options = {
        .name = "clerk", .capacity = 1, .state = &mask, .step = observe_signals};
    assert_int_equal(actor_start(&options, &actor), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    Order order;
    assert_int_equal(actor_send(actor, &order.mail), 0);
    actor_stop(actor);
    assert_true(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGCHLD));
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

static void count(void *owner) {
    ++*(int *)owner;
}

static void without_a_thread_the_owner_turns_it(void **state) {
    (void)state;
    int ready = 0;
    Clerk clerk = {0};
    Actor *actor;
    ActorOptions options = {.name = "clerk",
                            .capacity = 10,
                            .state = &clerk,
                            .step = step,
                            .flush = flush,
                            .ready = count,
                            .owner = &ready};
    assert_int_equal(actor_start(&options, &actor), 0);
    assert_false(actor_turn(actor));
    Order orders[5] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(actor_send(actor, &orders[i].mail), 0);
    assert_int_equal(ready, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(clerk.next, i);
        assert_true(actor_turn(actor));
        assert_int_equal(clerk.flushes, i == 2);
    }
    assert_false(actor_turn(actor));
    assert_true(pthread_equal(clerk.thread, pthread_self()));
    assert_int_equal(actor_send(actor, &orders[3].mail), 0);
    assert_int_equal(ready, 2);
    assert_true(actor_turn(actor));
    assert_int_equal(actor_send(actor, &orders[4].mail), 0);
    assert_int_equal(ready, 3);
    actor_stop(actor);
    assert_int_equal(clerk.next, 5);
    assert_int_equal(clerk.flushes, 3);
    assert_int_equal(ready, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_deals_with_all_before_it_stops),
        cmocka_unit_test(a_busy_thread_refuses_more_than_it_has_room_for),
        cmocka_unit_test(signals_are_for_the_other_threads),
        cmocka_unit_test(without_a_thread_the_owner_turns_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
