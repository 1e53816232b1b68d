/* A bounded mailbox: any number of threads send, one receives. The only thing that threads share
 * besides Blobs.
 *
 * Mail is intrusive: a Mail stands in the object that is sent, which belongs to the sender until
 * mailbox_send has returned 0, to the receiver afterwards. Nothing is allocated, and neither
 * side ever waits for a lock. All mail arrives in the order of the sends.
 *
 * `wake` is called by the sending thread when mail comes into a mailbox that the receiver has
 * seen, or may soon see, empty; once for any number of sends until the receiver looks again. It
 * rings a bell of the receiver's loop or signals its condition. The receiver then calls
 * mailbox_receive until it gives NULL, and looks whether that was the end (mailbox_finished)
 * before it waits again.
 *
 * Mailbox and wake must outlive every call of mailbox_send: the receiver may have the mail
 * before the send returns. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Mail {
    struct Mail *next; /* the mailbox's, while the mail is under way */
} Mail;

typedef struct Mailbox {
    _Atomic(Mail *) newest; /* what the receiver has not taken yet, newest first */
    atomic_size_t waiting;  /* sent and not received */
    size_t capacity;
    void (*wake)(void *owner);
    void *owner;
    Mail closed;         /* stands as `newest` for ever once the mailbox is closed */
    atomic_bool closing; /* somebody has closed it, or is about to */
    Mail *batch;         /* the receiver's: taken and not yet received, in the order of the sends */
} Mailbox;

/* `capacity` is the most mail that waits at a time, at least 1. `wake` may be NULL. */
void mailbox_init(Mailbox *mailbox, size_t capacity, void (*wake)(void *owner), void *owner);

/* From any thread. 0, or -EBUSY when the mailbox is full, -EPIPE when it has been closed: then
 * the mail is still the sender's. Never blocks. */
int mailbox_send(Mailbox *mailbox, Mail *mail);

/* From the receiving thread: the oldest mail, or NULL when there is none at the moment. */
Mail *mailbox_receive(Mailbox *mailbox);

/* From the receiving thread: true when the mail last received was the last of its batch. A batch
 * is all the mail that had come when its first was received: at most `capacity`. */
bool mailbox_batch_done(const Mailbox *mailbox);

/* From any thread: no mail is accepted from now on, and the receiver is woken. What had been
 * accepted can still be received. Closing again is harmless. */
void mailbox_close(Mailbox *mailbox);

/* From the receiving thread: closed, and all mail received. */
bool mailbox_finished(const Mailbox *mailbox);
