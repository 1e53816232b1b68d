#include "base/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "base/list.h"
#include "base/test.h"

typedef struct Letter {
    Mail mail;
    int sender, number;
} Letter;

static Letter *receive(Mailbox *mailbox) {
    Mail *mail = mailbox_receive(mailbox);
    return mail ? CONTAINER(mail, Letter, mail) : NULL;
}

static void count(void *owner) {
    ++*(int *)owner;
}

static void mail_comes_in_order_and_wakes_once(void **state) {
    (void)state;
    int wakes = 0;
    Mailbox mailbox;
    mailbox_init(&mailbox, 100, count, &wakes);
    Letter letters[50];
    assert_null(receive(&mailbox));
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 50; i++) {
            letters[i].number = i;
            assert_int_equal(mailbox_send(&mailbox, &letters[i].mail), 0);
        }
        assert_int_equal(wakes, round);
        for (int i = 0; i < 50; i++) {
            assert_int_equal(receive(&mailbox)->number, i);
            assert_int_equal(mailbox_batch_done(&mailbox), i == 49);
        }
        assert_null(receive(&mailbox));
    }
}

static void capacity_counts_what_is_not_received(void **state) {
    (void)state;
    Mailbox mailbox;
    mailbox_init(&mailbox, 3, NULL, NULL);
    Letter letters[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(mailbox_send(&mailbox, &letters[i].mail), 0);
    assert_int_equal(mailbox_send(&mailbox, &letters[3].mail), -EBUSY);
    assert_int_equal(receive(&mailbox)->number, 0); /* the others are taken, but not received */
    assert_int_equal(mailbox_send(&mailbox, &letters[3].mail), 0);
    assert_int_equal(mailbox_send(&mailbox, &letters[0].mail), -EBUSY);
    for (int i = 1; i < 4; i++)
        assert_int_equal(receive(&mailbox)->number, i);
    assert_null(receive(&mailbox));
}

static void a_closed_mailbox_gives_what_it_had_taken(void **state) {
    (void)state;
    int wakes = 0;
    Mailbox mailbox;
    mailbox_init(&mailbox, 3, count, &wakes);
    Letter letters[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    mailbox_send(&mailbox, &letters[0].mail);
    mailbox_send(&mailbox, &letters[1].mail);
    assert_int_equal(receive(&mailbox)->number, 0);
    mailbox_send(&mailbox, &letters[0].mail);
    assert_false(mailbox_finished(&mailbox));
    mailbox_close(&mailbox);
    mailbox_close(&mailbox);
    assert_int_equal(mailbox_send(&mailbox, &letters[2].mail), -EPIPE);
    assert_false(mailbox_finished(&mailbox));
    assert_int_equal(receive(&mailbox)->number, 1);
    assert_false(mailbox_finished(&mailbox));
    assert_int_equal(receive(&mailbox)->number, 0);
    assert_true(mailbox_finished(&mailbox));
    assert_null(receive(&mailbox));
    assert_null(receive(&mailbox));
    assert_int_equal(mailbox_send(&mailbox, &letters[2].mail), -EPIPE);
    assert_int_equal(wakes, 2);
}

static void closing_an_empty_one_wakes(void **state) {
    (void)state;
    int wakes = 0;
    Mailbox mailbox;
    mailbox_init(&mailbox, 1, count, &wakes);
    mailbox_close(&mailbox);
    assert_int_equal(wakes, 1);
    assert_true(mailbox_finished(&mailbox));
    assert_null(receive(&mailbox));
}

enum { SENDERS = 4, LETTERS = 20000 };

typedef struct Sender {
    Mailbox *mailbox;
    int number, refused;
    Letter *letters;
} Sender;

static void *send_all(void *argument) {
    Sender *sender = argument;
    for (int i = 0; i < LETTERS; i++) {
        Letter *letter = &sender->letters[i];
        *letter = (Letter){.sender = sender->number, .number = i};
        int r;
        while ((r = mailbox_send(sender->mailbox, &letter->mail)) == -EBUSY)
            sched_yield();
        if (r == -EPIPE) {
            sender->refused = LETTERS - i;
            return NULL;
        }
    }
    return NULL;
}

static void post(void *owner) {
    sem_post(owner);
}

/* Several threads send through a small mailbox. All arrives, in each sender's order, although
 * the receiver sleeps whenever it finds nothing: so no wake is lost. With `close_after`, the
 * mailbox is closed in between: all that was accepted arrives, all else was refused. */
static void check_threads(int close_after) {
    sem_t bell;
    sem_init(&bell, 0, 0);
    Mailbox mailbox;
    mailbox_init(&mailbox, 16, post, &bell);
    pthread_t threads[SENDERS];
    Sender senders[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (Sender){&mailbox, i, 0, calloc(LETTERS, sizeof(Letter))};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    int next[SENDERS] = {0}, received = 0;
    while (received < SENDERS * LETTERS && !mailbox_finished(&mailbox)) {
        for (Letter *letter; (letter = receive(&mailbox)); received++) {
            assert_int_equal(letter->number, next[letter->sender]++);
            if (received == close_after)
                mailbox_close(&mailbox);
        }
        if (received < SENDERS * LETTERS && !mailbox_finished(&mailbox))
            sem_wait(&bell);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(next[i] + senders[i].refused, LETTERS);
        free(senders[i].letters);
    }
    assert_null(receive(&mailbox));
    sem_destroy(&bell);
}

static void nothing_is_lost_between_threads(void **state) {
    (void)state;
    check_threads(-1);
}

static void closing_cuts_cleanly_between_threads(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++)
        check_threads(round * 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_comes_in_order_and_wakes_once),
        cmocka_unit_test(capacity_counts_what_is_not_received),
        cmocka_unit_test(a_closed_mailbox_gives_what_it_had_taken),
        cmocka_unit_test(closing_an_empty_one_wakes),
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(closing_cuts_cleanly_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
