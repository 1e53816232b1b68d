/* The parts of a ProcessHost made of a keeper: private to keeper_client.c, which has the connection,
 * and client_process.c, which has the processes. */
#pragma once

#include "base/map.h"
#include "keeper/launch.h"

/* How long we take the members of a tree for known when only its figures are asked for. */
#define TREE_AGE (10 * NANOS_PER_SECOND)
#define TREE_MAX 64

typedef struct Listening {
    int fd;
    char name[256];
} Listening;

/* A request that is to be answered by WIRE_DONE. */
typedef struct Request {
    Link link;
    uint64_t sequence;
    Buf frame; /* while it is not sent */
    void (*done)(void *owner, int result);
    void *owner;
} Request;

typedef struct KeeperClient {
    ProcessHost host;
    World *world;
    char *folder;
    Buf runtime; /* the frame that says how to start us */
    enum {
        ABSENT,    /* there is no keeper, as far as we know */
        LAUNCHING, /* it is being started */
        JOINING,   /* connected; it has not told all yet */
        THERE,
    } state;
    bool ready;   /* we answer calls */
    bool leaving; /* no new keeper is started */
    ProcessIdentity keeper;
    int64_t before; /* pid of the keeper that we last were with */
    Channel channel;
    FdWatch *watch; /* of the channel, or of the pipe while LAUNCHING */
    int pipe;
    Timer retry;
    Nanos give_up_at;
    Task flush;
    int room; /* an eventfd */
    Link processes;
    Map by_id;
    ARRAY(Listening) listening;
    Link requests;
    uint64_t sequence;
    Buf report; /* why the last try failed */
} KeeperClient;

typedef struct Known {
    KeeperClient *client;
    Link link;
    ProcessInfo info;
    char *names; /* id and label */
    char status[PROCESS_STATUS_MAX];
    int holds[WIRE_HOLDS];
    bool seen;     /* the keeper has told of it */
    bool released; /* the keeper is to forget it */
    Buf start;     /* the frame, until it is answered */
    ARRAY(int) start_fds;
    bool start_sent;
    Buf input; /* that waits */
    bool input_ends;
    FdWatch *input_watch;
    pid_t tree[TREE_MAX];
    size_t tree_count;
    Nanos tree_at; /* 0: never */
} Known;

static inline KeeperClient *client_of(ProcessHost *host) {
    return CONTAINER(host, KeeperClient, host);
}

#define TELL(client_, what, ...)                                                                   \
    do {                                                                                           \
        ProcessHost *told_ = &(client_)->host;                                                     \
        if (told_->handler && told_->handler->what)                                                \
            told_->handler->what(told_->owner, __VA_ARGS__);                                       \
    } while (0)

/* ---- client_process.c ---- */

extern const ProcessHostOps KEEPER_OPS;

Span known_key(const void *item);
void known_free(Known *known);
/* The frames of the keeper that tell of processes. */
void known_on_process(KeeperClient *client, WireReader *reader, int *fds, unsigned fd_count);
void known_on_failed(KeeperClient *client, WireReader *reader);
void known_on_exited(KeeperClient *client, WireReader *reader);
void known_on_output(KeeperClient *client, WireReader *reader);
void known_on_notice(KeeperClient *client, WireReader *reader);
/* It could not be started; tells so, and frees it. */
void known_fail(Known *known, ProcessStep step, int error);
/* Adds the frames that a keeper needs: of a process that it may not know, of one to be started. */
void known_hand_over(Known *known);
void known_start(Known *known);
/* Sets right what the keeper has told, or has not. */
void known_settle(Known *known);

/* ---- keeper_client.c ---- */

/* What is queued leaves at the end of this turn; a keeper is looked for where there is none. */
void keeper_client_send(KeeperClient *client);
/* A request, to be filled in, and asked now or when there is a keeper. */
Request *keeper_request_new(KeeperClient *client, WireType type);
void keeper_request_ask(KeeperClient *client, Request *request);
void keeper_client_free(ProcessHost *host);
