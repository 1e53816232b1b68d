/* Senders push on a stack by compare-and-swap; the receiver takes the whole stack at once and
 * turns it round. So there is no ABA problem (nothing but the whole is ever popped), a batch
 * costs the receiver one atomic exchange, and "the stack was empty" tells exactly when the
 * receiver needs waking. */
#include "base/mailbox.h"

#include <assert.h>
#include <errno.h>

void mailbox_init(Mailbox *mailbox, size_t capacity, void (*wake)(void *owner), void *owner) {
    assert(capacity > 0);
    *mailbox = (Mailbox){.capacity = capacity, .wake = wake, .owner = owner};
}

/* Puts the mail on top of the stack unless the mailbox is closed. */
static bool push(Mailbox *mailbox, Mail *mail) {
    Mail *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do {
        if (newest == &mailbox->closed)
            return false;
        mail->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, mail,
                                                    memory_order_release, memory_order_relaxed));
    if (!newest && mailbox->wake)
        mailbox->wake(mailbox->owner);
    return true;
}

int mailbox_send(Mailbox *mailbox, Mail *mail) {
    size_t waiting = atomic_fetch_add_explicit(&mailbox->waiting, 1, memory_order_relaxed);
    if (waiting < mailbox->capacity && push(mailbox, mail))
        return 0;
    atomic_fetch_sub_explicit(&mailbox->waiting, 1, memory_order_relaxed);
    return atomic_load_explicit(&mailbox->closing, memory_order_relaxed) ? -EPIPE : -EBUSY;
}

void mailbox_close(Mailbox *mailbox) {
    if (!atomic_exchange_explicit(&mailbox->closing, true, memory_order_relaxed))
        push(mailbox, &mailbox->closed);
}

/* Takes all mail off the stack, newest first. */
static Mail *take(Mailbox *mailbox) {
    Mail *newest = atomic_load_explicit(&mailbox->newest, memory_order_acquire);
    while (newest && newest != &mailbox->closed)
        if (atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, NULL,
                                                  memory_order_acquire, memory_order_acquire))
            return newest;
    if (!newest)
        return NULL;
    /* Closed: nobody but the receiver touches the stack any more. */
    newest = mailbox->closed.next;
    mailbox->closed.next = NULL;
    return newest;
}

Mail *mailbox_receive(Mailbox *mailbox) {
    if (!mailbox->batch) {
        for (Mail *mail = take(mailbox), *next; mail; mail = next) {
            next = mail->next;
            mail->next = mailbox->batch;
            mailbox->batch = mail;
        }
    }
    Mail *mail = mailbox->batch;
    if (mail) {
        mailbox->batch = mail->next;
        atomic_fetch_sub_explicit(&mailbox->waiting, 1, memory_order_relaxed);
    }
    return mail;
}

bool mailbox_batch_done(const Mailbox *mailbox) {
    return !mailbox->batch;
}

bool mailbox_finished(const Mailbox *mailbox) {
    return !mailbox->batch &&
           atomic_load_explicit(&mailbox->newest, memory_order_acquire) == &mailbox->closed &&
           !mailbox->closed.next;
}
