/* Entries that services send: checked, completed, stored as they came. */
#include <errno.h>
#include <stdio.h>

#include "schema/codec.h"
#include "services/logs/clean.h"
#include "services/logs/line.h"
#include "services/logs/log_actor.h"

#define ENTRY_MAX     (256 * 1024) /* encoded */
#define NAME_MAX_SIZE 256
#define WAITING_MAX   (32 * 1024 * 1024) /* for a disk that does not take it */

typedef struct Ingest {
    LogActor *actor;
    LogBatch *batch;
    const RowSource *caller; /* by its token; NULL: anybody on this machine, or a person */
    /* The source of the entry before: mostly that of the next one, too. */
    Span service, instance;
    int32_t stream;
    LogSourceName *name;
} Ingest;

static bool reject(Ingest *ingest, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool reject(Ingest *ingest, const char *format, ...) {
    va_list args;
    va_start(args, format);
    ingest->batch->rejected++;
    vsnprintf(ingest->batch->reason, sizeof ingest->batch->reason, format, args);
    va_end(args);
    return false;
}

/* The life of an instance that Muster started; NULL: it is none of those. */
static const RowSource *find_life(const LogActor *actor, Span instance) {
    for (const Link *link = actor->outputs.next; link != &actor->outputs; link = link->next) {
        const Output *output = CONTAINER(link, Output, link);
        for (size_t i = output->lives.count; instance.len && i--;)
            if (span_equal(output->lives.items[i]->is.instance, instance))
                return &output->lives.items[i]->is;
    }
    return NULL;
}

static bool find_source(Ingest *ingest, const RtLogEntry *entry) {
    if (ingest->name && entry->stream == ingest->stream &&
        span_equal(entry->service_name, ingest->service) &&
        span_equal(entry->instance, ingest->instance))
        return true;
    const RowSource *life = find_life(ingest->actor, entry->instance);
    RowSource source = {
        .place = LOG_STORE_ENTRIES,
        .service = entry->service_name,
        .instance = entry->instance,
        .stream = entry->stream,
        .run = life ? life->run : 0,
    };
    if (log_store_source(ingest->actor->store, &source, &ingest->name) < 0)
        return reject(ingest, "too many different services and instances");
    ingest->service = ingest->name->is.service;
    ingest->instance = ingest->name->is.instance;
    ingest->stream = entry->stream;
    return true;
}

/* Who says it: the token, where there is one of a service, and the entry must not contradict. */
static bool complete(Ingest *ingest, RtLogEntry *entry) {
    const RowSource *caller = ingest->caller;
    if (caller) {
        if (entry->service_name.len && !span_equal(entry->service_name, caller->service))
            return reject(ingest, "service_name is '%.*s', but the token is of '%.*s'",
                          (int)(entry->service_name.len < 40 ? entry->service_name.len : 40),
                          entry->service_name.ptr, SPAN_ARGS(caller->service));
        entry->service_name = caller->service;
        if (!entry->instance.len)
            entry->instance = caller->instance;
    }
    if (!entry->service_name.len)
        return reject(ingest, "service_name is missing");
    if (entry->service_name.len > NAME_MAX_SIZE || entry->instance.len > NAME_MAX_SIZE ||
        entry->correlation_id.len > NAME_MAX_SIZE)
        return reject(ingest, "service_name, instance or correlation_id is longer than %d bytes",
                      NAME_MAX_SIZE);
    if (entry->level < RT_LOG_LEVEL_TRACE || entry->level > RT_LOG_LEVEL_FATAL)
        return reject(ingest, "level is %d: there are 0 to 5", entry->level);
    if (entry->nanoseconds < 0 || entry->nanoseconds >= NANOS_PER_MILLI || entry->timestamp < 0 ||
        entry->timestamp > INT64_MAX / NANOS_PER_MILLI - 1)
        return reject(ingest, "timestamp or nanoseconds is out of range");
    if (!entry->timestamp)
        line_set_time(entry, ingest->actor->wall);
    if (entry->stream != RT_LOG_STREAM_INPUT || ingest->batch->owner)
        entry->stream = RT_LOG_STREAM_STRUCTURED;
    return true;
}

/* What is larger than an entry may be is cut off. True: the entry has to be encoded anew. */
static bool trim(RtLogEntry *entry, Arena *arena) {
    Span message = clean_cut(clean_text(entry->message, arena), LINE_MESSAGE_MAX, arena);
    bool changed = message.ptr != entry->message.ptr || message.len != entry->message.len;
    entry->message = message;
    if (entry->metadata.count > LINE_ATTRIBUTES_MAX) {
        entry->metadata.count = LINE_ATTRIBUTES_MAX;
        changed = true;
    }
    return (entry->attributes && line_prune(entry->attributes)) || changed;
}

static bool take(Ingest *ingest, Span encoded) {
    LogActor *actor = ingest->actor;
    RtLogEntry *entry;
    SchemaError error;
    arena_reset(&actor->arena);
    if (encoded.len > ENTRY_MAX)
        return reject(ingest, "an entry of %zu bytes: at most %d", encoded.len, ENTRY_MAX);
    if (schema_decode(&RtLogEntry_type, encoded, NULL, &actor->arena, (void **)&entry, &error) < 0)
        return reject(ingest, "%s: %s", error.path, error.reason);
    if (!complete(ingest, entry))
        return false;
    if (trim(entry, &actor->arena) &&
        schema_encode(&RtLogEntry_type, entry, 0, &actor->arena, &encoded) < 0)
        return reject(ingest, "it cannot be encoded");
    if (!find_source(ingest, entry))
        return false;
    log_store_add_encoded(actor->store, ingest->name, encoded, entry);
    return true;
}

static void come_back(LogActor *actor, LogBatch *batch) {
    batch->reply.deliver = batch->deliver;
    log_actor_reply(actor, &batch->reply);
}

void log_ingest_synced(LogActor *actor) {
    for (Link *link; (link = list_pop_front(&actor->settling));)
        come_back(actor, CONTAINER(link, LogBatch, settling));
}

void log_ingest_run(LogActor *actor, LogTask *task) {
    LogBatch *batch = CONTAINER(task, LogBatch, task);
    if (batch->settle && (actor->dirty || log_store_waiting(actor->store))) {
        list_push_back(&actor->settling, &batch->settling);
        return;
    }
    Ingest ingest = {.actor = actor, .batch = batch, .caller = find_life(actor, batch->subject)};
    Unpack in = unpack_begin(buf_span(&batch->entries));
    while (in.at < in.end && !in.failed) {
        Span encoded = unpack_text(&in);
        if (actor->broken || log_store_waiting(actor->store) > WAITING_MAX)
            reject(&ingest, "the disk does not take what is there already");
        else if (take(&ingest, encoded))
            batch->accepted++;
    }
    come_back(actor, batch);
}
