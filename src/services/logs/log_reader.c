#include <stdlib.h>

#include "base/memory.h"
#include "schema/codec.h"
#include "services/logs/log_actor.h"

void log_reader_run(LogActor *actor, LogTask *task) {
    LogReader *reader = CONTAINER(task, LogReader, task);
    reader->credit = READER_CREDIT;
    list_push_back(&actor->readers, &reader->link);
    log_reader_mask(reader, actor->mask);
}

void log_reader_bye_run(LogActor *actor, LogTask *task) {
    LogReader *reader = CONTAINER(task, LogReader, bye);
    list_remove(&reader->link);
    if (reader->leave)
        reader->leave(reader);
    log_actor_reply(actor, &reader->gone);
}

void log_reader_credit_run(LogActor *actor, LogTask *task) {
    LogReaderReply *reply = CONTAINER(task, LogReaderReply, task);
    reply->reader->credit++;
    buf_done(&reply->messages);
    free(reply);
}

void log_reader_add(LogReader *reader, const SchemaMessage *type, const void *message) {
    size_t size = schema_size(type, message);
    pack_number(&reader->messages, size);
    char *at = buf_reserve(&reader->messages, size + 1);
    if (schema_encode_into(type, message, at, at + size) == (int64_t)size)
        reader->messages.len += size;
}

void log_reader_send(LogActor *actor, LogReader *reader, bool last, StatusCode error,
                     const char *reason) {
    if (reader->over || (!last && !reader->messages.len))
        return;
    LogReaderReply *reply = xcalloc(1, sizeof *reply);
    reply->reader = reader;
    reply->messages = reader->messages;
    reply->last = last;
    reply->error = error;
    reply->reason = reason;
    reader->messages = (Buf){0};
    reader->over = last;
    reader->credit--;
    reply->reply.deliver = logs_reader_deliver;
    log_actor_reply(actor, &reply->reply);
}

bool log_readers_wait(const LogActor *actor) {
    for (const Link *link = actor->readers.next; link != &actor->readers; link = link->next) {
        const LogReader *reader = CONTAINER(link, LogReader, link);
        if (!reader->over && reader->credit)
            return true;
    }
    return false;
}

bool log_readers_step(LogActor *actor) {
    bool more = false;
    LIST_EACH (&actor->readers, link) {
        LogReader *reader = CONTAINER(link, LogReader, link);
        if (!reader->over && reader->credit)
            more |= reader->step(actor, reader) > 0 && !reader->over && reader->credit;
    }
    return more;
}
