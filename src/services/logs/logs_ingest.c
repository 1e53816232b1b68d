/* StreamLogs on the loop: messages are copied as they are into a batch and handed to the actor,
 * one batch of a call at a time. What comes when too much is there already holds its credit: the
 * sender is not let on. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "services/logs/logs_internal.h"

typedef struct LogIngest {
    Logs *logs;
    Link all;   /* in the Logs' list of callers */
    Link link;  /* in the other one while its batch has to wait for others */
    Call *call; /* NULL: it is over */
    LogBatch batch;
    bool under_way; /* the batch is with the actor */
    bool ended;     /* the caller has sent its last */
    bool settled;   /* … and all of it is on the disk */
    Task send;      /* at the end of the turn */
    Buf pending;    /* the next batch */
    size_t held;    /* credit of what is in it */
    Buf subject;    /* of the caller's token */
    int64_t accepted, rejected;
    char reason[160];
} LogIngest;

static void ingest_free(LogIngest *ingest) {
    world_undefer(&ingest->send);
    list_remove(&ingest->link);
    list_remove(&ingest->all);
    buf_done(&ingest->pending);
    buf_done(&ingest->batch.entries);
    buf_done(&ingest->subject);
    free(ingest);
}

static void on_batch(Logs *logs, LogReply *reply);

static void hand_over(LogIngest *ingest) {
    ingest->batch.owner = ingest;
    ingest->batch.deliver = on_batch;
    ingest->batch.subject = buf_span(&ingest->subject);
    ingest->batch.accepted = ingest->batch.rejected = 0;
    ingest->under_way = true;
    logs_send(ingest->logs, &ingest->batch.task, log_ingest_run);
}

/* What was acknowledged survives a kill: first all of it has to be on the disk. */
static void acknowledge(LogIngest *ingest) {
    if (!ingest->call || !ingest->ended || ingest->under_way || ingest->pending.len ||
        ingest->logs->closing)
        return;
    if (ingest->accepted && !ingest->settled) {
        buf_clear(&ingest->batch.entries);
        ingest->batch.settle = true;
        hand_over(ingest);
        return;
    }
    RtLogAck ack = {
        .accepted = ingest->accepted,
        .rejected = ingest->rejected,
        .message = span_of(ingest->reason),
    };
    call_reply(ingest->call, &ack);
}

static void send_batch(LogIngest *ingest) {
    Logs *logs = ingest->logs;
    if (ingest->under_way || !ingest->pending.len || logs->closing)
        return;
    list_remove(&ingest->link);
    if (logs->ingest_waiting >= INGEST_WAITING_MAX) {
        list_push_back(&logs->ingests, &ingest->link);
        return;
    }
    Buf spare = ingest->batch.entries;
    buf_clear(&spare);
    ingest->batch.entries = ingest->pending;
    ingest->pending = spare;
    logs->ingest_waiting += ingest->batch.entries.len;
    hand_over(ingest);
    size_t held = ingest->held;
    ingest->held = 0;
    if (ingest->call)
        call_give_credit(ingest->call, held);
}

/* Nothing of it is left to be done, and nobody waits for it. */
static bool is_over(const LogIngest *ingest) {
    return !ingest->call && !ingest->under_way && (!ingest->pending.len || ingest->logs->closing);
}

void logs_ingest_go_on(Logs *logs) {
    LIST_EACH (&logs->ingests, link)
        world_defer(logs->world, &CONTAINER(link, LogIngest, link)->send);
}

static void on_batch(Logs *logs, LogReply *reply) {
    LogBatch *batch = CONTAINER(reply, LogBatch, reply);
    LogIngest *ingest = batch->owner;
    logs->ingest_waiting -= batch->entries.len;
    ingest->under_way = false;
    ingest->settled |= batch->settle;
    ingest->accepted += batch->accepted;
    ingest->rejected += batch->rejected;
    if (batch->rejected)
        memcpy(ingest->reason, batch->reason, sizeof ingest->reason);
    send_batch(ingest);
    if (is_over(ingest))
        ingest_free(ingest);
    else
        acknowledge(ingest);
    logs_ingest_go_on(logs);
}

static void on_send(Task *task) {
    send_batch(CONTAINER(task, LogIngest, send));
}

/* The subject of the caller's token, which the server has checked: services that Muster starts get
 * one that is made for their instance. */
static void identify(LogIngest *ingest, Call *call) {
    Span token = call_metadata(call, SPAN("authorization"));
    if (!span_starts(token, SPAN("Bearer ")))
        return;
    token = span_skip(token, 7);
    const char *begin = memchr(token.ptr, '.', token.len);
    const char *end = begin ? memchr(begin + 1, '.', (size_t)(span_end(token) - begin - 1)) : NULL;
    if (!end)
        return;
    Span subject = span(begin + 1, (size_t)(end - begin - 1));
    size_t len;
    if (base64_decode(buf_reserve(&ingest->subject, BASE64_DECODED_MAX(subject.len)), subject,
                      &len))
        ingest->subject.len = len;
}

void logs_ingest_opened(Call *call) {
    Logs *logs = call_service(call);
    if (logs->ended) {
        call_fail(call, STATUS_UNAVAILABLE, LOGS_STOPPING);
        return;
    }
    LogIngest *ingest = xcalloc(1, sizeof *ingest);
    ingest->logs = logs;
    list_init(&ingest->link);
    list_push_back(&logs->callers, &ingest->all);
    ingest->call = call;
    ingest->send.run = on_send;
    identify(ingest, call);
    call_set_user(call, ingest);
}

void logs_ingest_message(Call *call, const void *message) {
    LogIngest *ingest = call_user(call);
    pack_text(&ingest->pending, *(const Span *)message);
    if (ingest->pending.len > INGEST_BATCH || ingest->logs->ingest_waiting >= INGEST_WAITING_MAX)
        ingest->held += call_hold_credit(call);
    if (!ingest->under_way)
        world_defer(ingest->logs->world, &ingest->send);
}

void logs_ingest_half_closed(Call *call) {
    LogIngest *ingest = call_user(call);
    ingest->ended = true;
    send_batch(ingest);
    acknowledge(ingest);
}

/* What was received before counts, whatever has become of the call. */
static void leave(LogIngest *ingest) {
    call_set_user(ingest->call, NULL);
    ingest->call = NULL;
    send_batch(ingest);
    if (is_over(ingest))
        ingest_free(ingest);
}

void logs_ingest_closed(Call *call, StatusCode code) {
    LogIngest *ingest = call_user(call);
    if (ingest)
        leave(ingest);
}

void logs_ingest_end(Logs *logs) {
    LIST_EACH (&logs->callers, link) {
        LogIngest *ingest = CONTAINER(link, LogIngest, all);
        Call *call = ingest->call;
        if (!call)
            continue;
        leave(ingest);
        call_fail(call, STATUS_UNAVAILABLE, LOGS_STOPPING);
    }
}

void logs_ingest_done(Logs *logs) {
    LIST_EACH (&logs->callers, link)
        ingest_free(CONTAINER(link, LogIngest, all));
}
