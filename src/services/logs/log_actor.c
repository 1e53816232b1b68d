#include "services/logs/log_actor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"

#define TIDY_EACH (1 * NANOS_PER_SECOND)

void log_actor_reply(LogActor *actor, LogReply *reply) {
    /* The loop's mailbox has room for all that can be under way. */
    mailbox_send(actor->replies, &reply->mail);
}

void log_actor_step(void *state, Mail *mail) {
    LogActor *actor = state;
    LogTask *task = CONTAINER(mail, LogTask, mail);
    if (task->wall > actor->wall)
        actor->wall = task->wall;
    task->run(actor, task);
}

/* ---- the disk ---- */

void log_actor_note_disk(LogActor *actor, int result) {
    if (result < 0)
        actor->failed = result;
    if (result == -ENOTRECOVERABLE)
        actor->broken = true;
}

static void sync_now(LogActor *actor) {
    if (!actor->dirty || actor->broken)
        return;
    int r = log_store_sync(actor->store);
    log_actor_note_disk(actor, r);
    if (r < 0)
        return;
    actor->dirty = false;
    actor->untidy = true;
    actor->unsynced = 0;
    log_outputs_synced(actor);
    if (!log_store_waiting(actor->store))
        log_ingest_synced(actor);
}

static void write_now(LogActor *actor) {
    if (!log_store_waiting(actor->store) || actor->broken)
        return;
    actor->dirty = true;
    log_actor_note_disk(actor, log_store_flush(actor->store, actor->wall));
}

/* A piece of the work that can wait. True: there is more. */
static bool tidy(LogActor *actor) {
    int r = actor->broken ? -ENOTRECOVERABLE : log_store_tidy(actor->store, actor->wall);
    actor->tidying = r > 0;
    if (r <= 0) {
        actor->tidied = actor->wall;
        actor->untidy = false;
    }
    return r > 0;
}

static void go_on(LogActor *actor, LogTask *task) {
    actor->continuing = false;
}

/* After each batch of mail: what it brought is written, and everybody reads on for a while. Nobody is
 * shown what a kill could still take away, so that no sequence is ever given twice. */
void log_actor_flush(void *state) {
    LogActor *actor = state;
    actor->failed = 0;
    bool more = log_outputs_read(actor);
    write_now(actor);
    if (actor->unsynced >= LOG_SYNC_BYTES || !list_empty(&actor->settling) ||
        (actor->dirty && log_readers_wait(actor)))
        sync_now(actor);
    more |= log_readers_step(actor);
    if (actor->tidying && !log_readers_wait(actor))
        more |= tidy(actor);
    if (!more || actor->continuing)
        return;
    actor->continuing = true;
    actor->go_on = (LogTask){.run = go_on};
    if (actor_send(actor->self, &actor->go_on.mail) < 0)
        actor->continuing = false;
}

/* ---- ticks ---- */

void log_tick_run(LogActor *actor, LogTask *task) {
    LogTick *tick = CONTAINER(task, LogTick, task);
    bool again = log_outputs_idle(actor);
    write_now(actor);
    sync_now(actor);
    if (actor->wall - actor->tidied >= TIDY_EACH || actor->wall < actor->tidied)
        actor->tidying = true;
    if (actor->tidying)
        again |= tidy(actor);
    tick->again =
        again || actor->dirty || actor->untidy || log_store_waiting(actor->store) || actor->failed;
    tick->failed = actor->failed;
    tick->broken = actor->broken ? SPAN("a sync of the logs' segments failed: what is on the disk "
                                        "is not known; start the runtime again")
                                 : (Span){NULL, 0};
    tick->reply.deliver = tick->deliver;
    log_actor_reply(actor, &tick->reply);
}

void log_mask_run(LogActor *actor, LogTask *task) {
    LogMask *mail = CONTAINER(task, LogMask, task);
    mask_free(actor->mask);
    actor->mask = mail->mask;
    for (Link *link = actor->readers.next; link != &actor->readers; link = link->next)
        log_reader_mask(CONTAINER(link, LogReader, link), actor->mask);
    free(mail);
}

void log_actor_note(LogActor *actor, RtLogLevel level, Span service, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    RtLogEntry entry = {
        .message = span(text, len < (int)sizeof text ? (size_t)len : sizeof text - 1),
        .level = (int32_t)level,
        .timestamp = actor->wall / NANOS_PER_MILLI,
        .nanoseconds = (int32_t)(actor->wall % NANOS_PER_MILLI),
    };
    RowSource source = {
        .place = LOG_STORE_ENTRIES, .service = service, .stream = RT_LOG_STREAM_STRUCTURED};
    LogSourceName *name;
    Span encoded;
    if (log_store_source(actor->store, &source, &name) < 0)
        return;
    schema_encode(&RtLogEntry_type, &entry, 0, &actor->arena, &encoded);
    log_store_add_encoded(actor->store, name, encoded, &entry);
    arena_reset(&actor->arena);
}

void log_actor_done(LogActor *actor) {
    if (actor->store) {
        log_outputs_read(actor);
        write_now(actor);
        sync_now(actor);
    }
    log_ingest_synced(actor); /* or nobody comes back who waits for a disk that failed */
    log_outputs_done(actor);
    if (actor->store)
        log_store_close(actor->store);
    mask_free(actor->mask);
    arena_done(&actor->arena);
}
