#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "services/logs/clean.h"
#include "services/logs/logs_internal.h"

#define TICK_BUSY       (100 * NANOS_PER_MILLI)
#define TICK_IDLE       (60 * NANOS_PER_SECOND)
#define DISK_DEFAULT    (INT64_C(1) << 30)
#define AGE_DEFAULT     (7 * 24 * 3600 * NANOS_PER_SECOND)
#define OWN_WAITING_MAX (4 * 1024 * 1024) /* bytes of logs_write in one turn */

/* ---- mail ---- */

static void arm_tick(Logs *logs, Nanos after) {
    Wheel *wheel = world_wheel(logs->world);
    if (!logs->closing)
        wheel_arm(wheel, &logs->tick, world_now(logs->world) + after);
}

void logs_send(Logs *logs, LogTask *task, void (*run)(LogActor *, LogTask *)) {
    task->run = run;
    task->wall = world_wall(logs->world);
    int r = actor_send(logs->thread, &task->mail);
    assert(r == 0); /* what may be under way is bounded by kind, see READERS_MAX and others */
    (void)r;
    if (!logs->active && !logs->ticking)
        arm_tick(logs, TICK_BUSY);
    logs->active = true;
}

static void take_replies(void *owner) {
    Logs *logs = owner;
    for (Mail *mail; (mail = mailbox_receive(&logs->replies));) {
        LogReply *reply = CONTAINER(mail, LogReply, mail);
        reply->deliver(logs, reply);
    }
}

static void ring(void *owner) {
    world_wake(((Logs *)owner)->bell);
}

/* Without a thread. */
static void on_turn(Task *task) {
    Logs *logs = CONTAINER(task, Logs, turn);
    while (actor_turn(logs->thread))
        ;
}

static void on_ready(void *owner) {
    Logs *logs = owner;
    world_defer(logs->world, &logs->turn);
}

/* ---- ticks ---- */

/* What logs_write had to drop is told in the log itself, once there is room again. */
static void tell_dropped(Logs *logs) {
    char text[96];
    int len =
        snprintf(text, sizeof text, "%llu entries of the runtime were dropped: too much waited",
                 (unsigned long long)(logs->dropped - logs->told));
    logs->told = logs->dropped;
    logs_write(logs, &(RtLogEntry){.service_name = SPAN("muster"),
                                   .level = RT_LOG_LEVEL_WARN,
                                   .message = span(text, (size_t)len)});
}

static void on_ticked(Logs *logs, LogReply *reply) {
    LogTick *tick = CONTAINER(reply, LogTick, reply);
    logs->ticking = false;
    if (logs->dropped != logs->told && !logs->closing)
        tell_dropped(logs);
    arm_tick(logs, tick->again || logs->active ? TICK_BUSY : TICK_IDLE);
    if (logs->failing != (tick->failed != 0)) {
        logs->failing = tick->failed != 0;
        if (logs->options.failing)
            logs->options.failing(logs->options.owner, tick->failed);
    }
    if (tick->broken.len && !logs->broken) {
        logs->broken = true;
        if (logs->options.broken)
            logs->options.broken(logs->options.owner, tick->broken);
    }
    free(tick);
}

static void on_tick(Timer *timer) {
    Logs *logs = CONTAINER(timer, Logs, tick);
    LogTick *tick = xcalloc(1, sizeof *tick);
    tick->deliver = on_ticked;
    logs->active = false;
    logs->ticking = true;
    logs_send(logs, &tick->task, log_tick_run);
    logs->active = false;
}

/* ---- readers ---- */

void logs_reader_deliver(Logs *logs, LogReply *delivered) {
    LogReaderReply *reply = CONTAINER(delivered, LogReaderReply, reply);
    LogReader *reader = reply->reader;
    if (reader->leaving) {
        buf_done(&reply->messages);
        free(reply);
        return;
    }
    reader->deliver(reader, reply);
}

static void on_gone(Logs *logs, LogReply *reply) {
    LogReader *reader = CONTAINER(reply, LogReader, gone);
    list_remove(&reader->place);
    logs->reader_count--;
    reader->free(reader);
}

bool logs_reader_start(Logs *logs, LogReader *reader,
                       void (*deliver)(LogReader *reader, LogReaderReply *reply), void *owner) {
    if (logs->reader_count == READERS_MAX) {
        reader->free(reader);
        return false;
    }
    logs->reader_count++;
    list_push_back(&logs->readers, &reader->place);
    reader->logs = logs;
    reader->deliver = deliver;
    reader->owner = owner;
    reader->gone.deliver = on_gone;
    logs_send(logs, &reader->task, log_reader_run);
    return true;
}

void logs_reader_leave(LogReader *reader) {
    if (reader->leaving)
        return;
    reader->leaving = true;
    logs_send(reader->logs, &reader->bye, log_reader_bye_run);
}

void logs_reader_credit(LogReader *reader, LogReaderReply *reply) {
    buf_done(&reply->messages);
    logs_send(reader->logs, &reply->task, log_reader_credit_run);
}

/* ---- opening and closing ---- */

static int open_actor(Logs *logs, Buf *report) {
    LogActor *actor = &logs->actor;
    Buf folder = {0};
    uint64_t random;
    world_random(logs->world, &random, sizeof random);
    buf_printf(&folder, "%s/segments", logs->folder);
    LogStoreOptions options = {
        .files = logs->options.files ? logs->options.files : files_real(),
        .folder = buf_cstr(&folder),
        .total_bytes = logs->options.disk_bytes ? (int64_t)logs->options.disk_bytes : DISK_DEFAULT,
        .age = logs->options.age ? logs->options.age : AGE_DEFAULT,
        .random = random,
        .wall = world_wall(logs->world),
    };
    actor->wall = options.wall;
    actor->replies = &logs->replies;
    list_init(&actor->captures);
    list_init(&actor->outputs);
    list_init(&actor->readers);
    list_init(&actor->settling);
    int r = log_store_open(&options, &actor->store, report);
    if (r == 0)
        r = log_outputs_recover(actor);
    buf_done(&folder);
    return r;
}

static void logs_free(Logs *logs) {
    wheel_cancel(world_wheel(logs->world), &logs->tick);
    world_undefer(&logs->turn);
    world_undefer(&logs->send_own);
    bell_free(logs->bell);
    if (logs->own)
        buf_done(&logs->own->entries);
    free(logs->own);
    free(logs->folder);
    free(logs);
}

int logs_open(World *world, const LogsOptions *options, Logs **ret_logs, Buf *report) {
    Logs *logs = xcalloc(1, sizeof *logs);
    buf_clear(report);
    logs->world = world;
    logs->options = *options;
    logs->folder = strcpy(xmalloc(strlen(options->folder) + 1), options->folder);
    logs->turn.run = on_turn;
    logs->tick.fire = on_tick;
    logs->service = (RpcService){&RtLoggerService_service, LOGS_METHODS, logs};
    list_init(&logs->readers);
    list_init(&logs->callers);
    list_init(&logs->readings);
    list_init(&logs->captures);
    list_init(&logs->ingests);
    mailbox_init(&logs->replies, SIZE_MAX, ring, logs);
    logs->bell = bell_new(world, take_replies, logs);
    int r = open_actor(logs, report);
    if (r == 0) {
        ActorOptions actor = {.name = "logs",
                              .capacity = SIZE_MAX,
                              .state = &logs->actor,
                              .step = log_actor_step,
                              .flush = log_actor_flush,
                              .ready = options->stepped ? on_ready : NULL,
                              .owner = logs};
        r = actor_start(&actor, &logs->thread);
    }
    if (r < 0) {
        if (!report->len)
            buf_printf(report, "%s/segments: %s", options->folder, strerror(-r));
        logs->closing = true;
        log_actor_done(&logs->actor);
        take_replies(logs);
        logs_free(logs);
        return r;
    }
    logs->actor.self = logs->thread;
    arm_tick(logs, TICK_BUSY);
    *ret_logs = logs;
    return 0;
}

void logs_close(Logs *logs) {
    logs_write_now(logs);
    LIST_EACH (&logs->readers, link) {
        LogReader *reader = CONTAINER(link, LogReader, place);
        if (!reader->leaving && reader->abandon)
            reader->abandon(reader->owner);
        logs_reader_leave(reader);
    }
    logs->closing = true;
    actor_stop(logs->thread);
    log_actor_done(&logs->actor);
    take_replies(logs);
    logs_ingest_done(logs);
    LIST_EACH (&logs->captures, link) /* those that never reached a ring */
        logs_capture_free(CONTAINER(link, LogCapture, place));
    logs_free(logs);
}

int logs_hide(Logs *logs, const Span *values, size_t value_count, const Span *patterns,
              size_t pattern_count, Buf *reason) {
    Mask *mask;
    int r = mask_new(values, value_count, patterns, pattern_count, &mask, reason);
    if (r < 0)
        return r;
    LogMask *mail = xcalloc(1, sizeof *mail);
    mail->mask = mask;
    logs_send(logs, &mail->task, log_mask_run);
    return 0;
}

const RpcService *logs_rpc(Logs *logs) {
    return &logs->service;
}

/* ---- entries of our own ---- */

static void on_written(Logs *logs, LogReply *reply) {
    LogBatch *batch = CONTAINER(reply, LogBatch, reply);
    logs->dropped += batch->rejected;
    logs->ingest_waiting -= batch->entries.len;
    buf_done(&batch->entries);
    free(batch);
    logs_ingest_go_on(logs);
}

void logs_write_now(Logs *logs) {
    LogBatch *batch = logs->own;
    if (!batch)
        return;
    logs->own = NULL;
    logs->ingest_waiting += batch->entries.len;
    batch->deliver = on_written;
    logs_send(logs, &batch->task, log_ingest_run);
}

static void send_own(Task *task) {
    logs_write_now(CONTAINER(task, Logs, send_own));
}

void logs_write(Logs *logs, const RtLogEntry *entry) {
    RtLogEntry now = *entry;
    if (!now.timestamp) {
        Nanos wall = world_wall(logs->world);
        now.timestamp = wall / NANOS_PER_MILLI;
        now.nanoseconds = (int32_t)(wall % NANOS_PER_MILLI);
    }
    size_t size = schema_size(&RtLogEntry_type, &now);
    if ((logs->own && logs->own->entries.len + size > OWN_WAITING_MAX) ||
        logs->ingest_waiting > INGEST_WAITING_MAX) {
        logs->dropped++;
        return;
    }
    if (!logs->own)
        logs->own = xcalloc(1, sizeof *logs->own);
    Buf *out = &logs->own->entries;
    pack_number(out, size);
    char *at = buf_reserve(out, size + 1);
    schema_encode_into(&RtLogEntry_type, &now, at, at + size);
    out->len += size;
    logs->send_own.run = send_own;
    world_defer(logs->world, &logs->send_own);
}

uint64_t logs_dropped(const Logs *logs) {
    return logs->dropped;
}

void logs_input(Logs *logs, const LogSource *source, Span bytes) {
    RtLogEntry entry = {
        .service_name = source->service,
        .instance = source->instance,
        .level = RT_LOG_LEVEL_INFO,
        .stream = RT_LOG_STREAM_INPUT,
    };
    Arena arena = {0};
    entry.message = clean_text(bytes, &arena);
    logs_write(logs, &entry);
    arena_done(&arena);
}
