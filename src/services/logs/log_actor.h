/* The log actor's state and the mail between it and the loop: private to src/services/logs. The
 * loop's side is logs*.c, the actor's log_*.c; an object that both know says who may touch what. */
#pragma once

#include "base/actor.h"
#include "base/blob.h"
#include "services/logs/lines.h"
#include "services/logs/log_store.h"
#include "services/logs/logs.h"
#include "services/logs/search.h"

typedef struct LogActor LogActor;
typedef struct LogTask LogTask;
typedef struct LogReply LogReply;

/* What the loop sends. `run` has it from then on. */
struct LogTask {
    Mail mail;
    void (*run)(LogActor *actor, LogTask *task);
    Nanos wall; /* when it was sent: the actor's clock */
};

/* What the actor answers. `deliver` has it from then on, on the loop. */
struct LogReply {
    Mail mail;
    void (*deliver)(Logs *logs, LogReply *reply);
};

#define LOG_SYNC_BYTES (4 * 1024 * 1024) /* of output: where more came, no tick is waited for */

struct LogActor {
    LogStore *store;
    Mask *mask;
    Mailbox *replies; /* to the loop */
    Actor *self;
    Nanos wall;
    int failed;      /* what the disk has answered since the last mail; 0: it is fine */
    bool broken;     /* for good */
    size_t unsynced; /* bytes of output since the last sync … */
    size_t held;     /* … and of those that are in rings still */
    bool dirty;      /* anything flushed since the last sync */
    Link captures;   /* LogCapture.link */
    Link outputs;    /* Output.link */
    Link readers;    /* LogReader.link */
    Link settling;   /* LogBatch.settling */
    bool continuing; /* a task to go on is under way */
    LogTask go_on;
    bool tidying; /* there is packing or dropping to do: between ticks when nobody reads */
    bool untidy;  /* something was written since then */
    Nanos tidied;
    Arena arena;
};

void log_actor_reply(LogActor *actor, LogReply *reply);

/* Notes how a call that writes went. */
void log_actor_note_disk(LogActor *actor, int result);

/* ActorOptions.step and flush. */
void log_actor_step(void *state, Mail *mail);
void log_actor_flush(void *state);

/* Ends it on its own thread's behalf once no mail comes any more. */
void log_actor_done(LogActor *actor);

/* ---- entries that come in (log_ingest.c) ---- */

/* Entries of one caller, by the batch; comes back as its own reply. With `settle` it has none, and
 * comes back when those before it are on the disk. */
typedef struct LogBatch {
    union {
        LogTask task;
        LogReply reply;
    };
    void *owner; /* the loop's: whose entries they are; NULL: the runtime's own */
    void (*deliver)(Logs *logs, LogReply *reply); /* when it comes back */
    Buf entries;                                  /* each behind its size as a varint */
    Span subject; /* of the caller's token: the instance that it was made for. Lies with the owner,
                   * who outlives the batch; empty: there was none */
    uint32_t accepted, rejected;
    char reason[160]; /* of the last that was rejected */
    bool settle;
    Link settling; /* the actor's */
} LogBatch;
void log_ingest_run(LogActor *actor, LogTask *task);
/* What was written so far is on the disk. */
void log_ingest_synced(LogActor *actor);

/* ---- readers (log_reader.c) ---- */

#define READER_BATCH  (64 * 1024) /* bytes of messages in a reply */
#define READER_CREDIT 4           /* replies that may be on their way */
#define READER_BEHIND 200000      /* entries that a follower may be behind before it skips */
#define READER_SLICE  (512 * 1024)

typedef struct LogReader LogReader;

/* Messages for a reader. The loop sends it back when they are passed on: the reader may send
 * another one then. */
typedef struct LogReaderReply {
    union {
        LogReply reply;
        LogTask task;
    };
    LogReader *reader;
    Buf messages;     /* encoded, each behind its size as a varint */
    bool last;        /* nothing more comes */
    StatusCode error; /* with `last` */
    const char *reason;
} LogReaderReply;

/* Somebody who reads. The loop makes it and sends it; then it is the actor's, but for `owner` and
 * `leaving`, until the loop has sent `bye`, once, and `gone` has come back. */
struct LogReader {
    LogTask task, bye;
    LogReply gone;
    Link link;
    /* Goes on for a slice, filling `messages`. 1: there is more to do; 0: nothing for now. */
    int (*step)(LogActor *actor, LogReader *reader);
    void (*leave)(LogReader *reader); /* on the actor, as the last thing; may be NULL */
    void (*free)(LogReader *reader);  /* on the loop, when it is gone */
    uint32_t credit;
    bool over;
    Buf messages;
    /* The loop's. */
    Link place; /* among the readers that are not gone */
    Logs *logs;
    void *owner;
    void (*deliver)(LogReader *reader, LogReaderReply *reply);
    void (*abandon)(void *owner); /* logs_close came before the end; may be NULL */
    bool leaving;
};

void log_reader_run(LogActor *actor, LogTask *task);
void log_reader_bye_run(LogActor *actor, LogTask *task);
void log_reader_credit_run(LogActor *actor, LogTask *task);

/* Appends a message to what the reader gets. */
void log_reader_add(LogReader *reader, const SchemaMessage *type, const void *message);
/* Sends what there is; `last`: and ends. */
void log_reader_send(LogActor *actor, LogReader *reader, bool last, StatusCode error,
                     const char *reason);

/* Whether somebody reads just now. */
bool log_readers_wait(const LogActor *actor);

/* Lets all of them go on for a slice. True: some have more to do. */
bool log_readers_step(LogActor *actor);

/* logs.c: what the reply of a reader does on the loop. */
void logs_reader_deliver(Logs *logs, LogReply *reply);

/* ---- searches for readers (log_search.c) ---- */

typedef struct LogSearcher {
    LogReader reader;
    Search search;
    bool follows; /* for ever, after having given `replay` of the latest */
    int64_t replay;
    int64_t first, replayed; /* sequences: where these begin, and the one behind them */
    int64_t missed;          /* sequences passed over, not told yet */
    bool begun;
    struct LogCount *count; /* what it counts, instead of giving entries; see log_count.c */
    Arena arena;
} LogSearcher;

/* All on the loop; the filter is the reader's from then on. */
LogSearcher *log_searcher_new(Filter *filter);
LogSearcher *log_histogram_new(Filter *filter, const RtGetLogHistogramRequest *request, Nanos now);
LogSearcher *log_fields_new(Filter *filter, const RtListLogFieldsRequest *request);

int log_searcher_step(LogActor *actor, LogReader *reader);

void log_count_finish(LogActor *actor, LogSearcher *searcher);
/* Before the first step: what is only known on the actor. */
void log_count_begin(LogActor *actor, LogSearcher *searcher);
void log_count_free(struct LogCount *count);

/* ---- output (log_output.c) ---- */

/* A stream of a replica, over all its lives. */
typedef struct Output {
    Link link;
    Span service;
    uint32_t replica;
    int32_t stream;
    SegmentStream *place;
    ARRAY(LogSourceName *) lives; /* by their bases; the last one writes */
    Lines lines;
    Buf pending;   /* its last bytes that are no entry yet */
    int64_t from;  /* where they stand */
    bool fresh;    /* something came since the last tick */
    bool captured; /* a ring feeds it */
} Output;

struct LogCapture {
    LogTask task, ready, end; /* by which it is sent, rung for, ended */
    LogReply drained;
    atomic_bool rung; /* `ready` is under way */
    Logs *logs;
    /* The actor's. */
    Link link;
    Buf names; /* what `source` points into */
    LogSource source;
    RingReader *ring;
    uint64_t position; /* in the ring, of what comes next */
    uint64_t lost;     /* bytes that the ring had dropped when we last looked */
    Output *output;
    LogSourceName *name;
    bool ending, ended;
    bool reading; /* is in the actor's list */
    /* The loop's. */
    Link place; /* among all */
    void (*on_drained)(void *owner);
    void *owner;
};
void log_capture_run(LogActor *actor, LogTask *task);
void log_capture_ready_run(LogActor *actor, LogTask *task);
void log_capture_end_run(LogActor *actor, LogTask *task);

/* Takes what the rings have; true: some have more. */
bool log_outputs_read(LogActor *actor);
/* What was appended is on the disk. */
void log_outputs_synced(LogActor *actor);
/* Nothing came for a while: whole lines are entries. True: something is left that waits. */
bool log_outputs_idle(LogActor *actor);
/* What an earlier run of the program has left without rows. */
int log_outputs_recover(LogActor *actor);
void log_outputs_done(LogActor *actor);

/* ---- AttachOutput (log_follow.c) ---- */

/* A reader of bytes, whose messages are RtAttachOutputResponse. The request is copied. With `hides`
 * what the mask hides is overwritten. */
LogReader *log_follower_new(const RtAttachOutputRequest *request, bool hides);
void log_follower_mask(LogReader *reader, const Mask *mask);
int log_follower_step(LogActor *actor, LogReader *reader);

/* A place is there now: for those who follow all of a service. */
void log_followers_offer(LogActor *actor, Output *output);

/* ---- the rest (log_actor.c) ---- */

typedef struct LogTick {
    union {
        LogTask task;
        LogReply reply;
    };
    void (*deliver)(Logs *logs, LogReply *reply);
    bool again;  /* in the reply: something waits for another tick */
    int failed;  /* in the reply: the disk does not take what there is, which is tried again */
    Span broken; /* in the reply: the disk is lost, for this reason (constant) */
} LogTick;
void log_tick_run(LogActor *actor, LogTask *task);

typedef struct LogMask {
    LogTask task;
    Mask *mask;
} LogMask;
void log_mask_run(LogActor *actor, LogTask *task);
void log_reader_mask(LogReader *reader, const Mask *mask);

/* Takes an entry of the runtime's own: the message about something, in the log itself. */
void log_actor_note(LogActor *actor, RtLogLevel level, Span service, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
