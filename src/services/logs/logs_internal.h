/* The loop's side: private to logs*.c. */
#pragma once

#include "services/logs/filter_tree.h"
#include "services/logs/log_actor.h"

#define INGEST_WAITING_MAX (16 * 1024 * 1024) /* bytes with the actor; beyond, callers wait */
#define INGEST_BATCH       (128 * 1024)
#define READERS_MAX        1024 /* queries and subscriptions at a time */
#define LOGS_STOPPING      "the runtime stops: call again when it is back"

struct Logs {
    World *world;
    LogsOptions options;
    char *folder;
    LogActor actor; /* its thread's */
    Actor *thread;
    Mailbox replies;
    Bell *bell;
    Task turn;  /* stepped: lets the actor work; else: takes replies */
    bool ended; /* no calls are taken any more */
    bool closing;
    bool broken;
    bool failing; /* at the last tick */
    RpcService service;

    Timer tick;
    bool ticking; /* a tick is under way */
    bool active;  /* something was sent since the last tick */

    Task send_own; /* at the end of the turn: what logs_write has gathered */
    LogBatch *own;
    uint64_t dropped, told;
    size_t ingest_waiting; /* bytes with the actor */
    Link ingests;          /* callers who wait until there is less: LogIngest.link */

    Link callers;  /* of StreamLogs: LogIngest.all */
    Link readings; /* other calls: Reading.link */
    Link captures; /* LogCapture.place */
    Link readers;  /* LogReader.place */
    size_t reader_count;
};

/* Sends a task; there is always room, since what may come in numbers is bounded elsewhere. */
void logs_send(Logs *logs, LogTask *task, void (*run)(LogActor *, LogTask *));

/* Sends a reader off; `deliver` gets its replies on the loop, and frees it by logs_reader_leave.
 * False: there are too many. */
bool logs_reader_start(Logs *logs, LogReader *reader,
                       void (*deliver)(LogReader *reader, LogReaderReply *reply), void *owner);
/* No deliveries any more. */
void logs_reader_leave(LogReader *reader);
/* Gives a reply back: the reader may send the next one. */
void logs_reader_credit(LogReader *reader, LogReaderReply *reply);

/* ---- logs_ingest.c ---- */

void logs_ingest_opened(Call *call);
void logs_ingest_message(Call *call, const void *message);
void logs_ingest_half_closed(Call *call);
void logs_ingest_closed(Call *call, StatusCode code);

/* Less is with the actor: callers whose batch had to wait try again. */
void logs_ingest_go_on(Logs *logs);

/* What logs_write has gathered goes now. */
void logs_write_now(Logs *logs);

void logs_capture_free(LogCapture *capture);

/* Ends the calls; what they have sent is still taken over. */
void logs_ingest_end(Logs *logs);
/* Forgets what is left of them, after the actor's last reply. */
void logs_ingest_done(Logs *logs);

/* ---- logs_rpc.c ---- */

extern const MethodHandler LOGS_METHODS[];
