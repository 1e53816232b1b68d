/* The orchestrator's inside: what it knows of services, instances and the lives of their
 * processes. Private to this folder.
 *
 *     Service     an entry of the configuration, with as many instances as it has replicas
 *     Instance    one place among them: it has a state (instance_state.h), and while it is up a
 *     Life        one process with its output and ports, until all that it wrote is taken
 *
 * What happens to an instance goes through instance_happens, which looks it up in the table and
 * carries the action out; who may start or stop is settled for all at the end of the turn
 * (settle.c), since one change may let many go on. */
#pragma once

#include "base/array.h"
#include "base/map.h"
#include "config/config.h"
#include "core/watch.h"
#include "os/folder_watch.h"
#include "os/machine.h"
#include "services/logs/logs.h"
#include "services/orchestrator/backoff.h"
#include "services/orchestrator/debounce.h"
#include "services/orchestrator/history.h"
#include "services/orchestrator/instance_state.h"
#include "services/orchestrator/orchestrator.h"
#include "services/orchestrator/start_plan.h"

typedef struct Service Service;
typedef struct Instance Instance;
typedef struct Life Life;
typedef struct Action Action;

/* ---- processes that are the orchestrator's ---- */

/* What hears of a process, by its id. */
typedef struct Child {
    char id[PROCESS_ID_MAX + 1];
    const struct ChildOps *ops;
} Child;

typedef struct ChildOps {
    void (*started)(Child *, const ProcessInfo *);
    void (*exited)(Child *, const ProcessInfo *);
    void (*output)(Child *, const ProcessInfo *, ProcessStream);
    void (*notified)(Child *, const ProcessInfo *);
} ChildOps;

typedef struct NamedPort {
    Span name; /* the configuration's */
    uint16_t port;
} NamedPort;

/* How a process ended. */
typedef struct Ending {
    bool known;
    int code;   /* -1: a signal ended it */
    int signal; /* 0: it exited */
} Ending;

typedef ARRAY(NamedPort) NamedPorts;

/* One process of an instance, from its start until its output is taken. */
struct Life {
    Child child;                /* its id is the instance id */
    Link link;                  /* among orchestrator->lives */
    Orchestrator *orchestrator; /* NULL: that is gone, and logs still hold on to this */
    Instance *instance;         /* NULL: its place has another life by now, or is gone */
    char *service;              /* its name */
    int64_t run;
    uint32_t replica;
    uint64_t run_hash; /* of the configuration that it was started with */
    ProcessIdentity identity;
    bool spawned;     /* the host knows it */
    bool running;     /* its process was started */
    bool exited;      /* its process has ended; descendants may live */
    bool adopted;     /* not started by this keeper */
    bool foreign;     /* not known to the keeper: found on its port */
    uint32_t asked;   /* how often these have been asked to end */
    bool found_empty; /* the last look at them found nobody */
    Ending ending;
    Nanos lived;
    NamedPorts ports;
    LogCapture *captures[PROCESS_STREAMS];
    uint32_t draining; /* captures that are not drained yet */
    bool wants_tail;   /* its last words are to be shown */
    Timer foreign_timer;
    RtServiceRun record; /* strings are in `arena`, or constant */
    Arena arena;
    ProcessUsage usage;
    Nanos usage_at;    /* world_now; 0: never */
    Nanos ports_at;    /* when to see next where it listens, if nobody has told it; … */
    Nanos ports_pause; /* … the wait after that */
    double cpu_percent;
};

/* When and how an instance is probed: checker.c. */
typedef struct Checker {
    bool active;
    struct Probe *probe;
    struct ProgramProbe *program;
    LogWatch *watch;
    Timer timer;
    Debounce debounce;
    Nanos pause; /* before the next probe while it starts */
} Checker;

struct Instance {
    Service *service;
    uint32_t replica;
    RtServiceState state;
    RtServiceState shown; /* when it was last told */
    RtServiceState noted; /* before the runtime restarted; UNSPECIFIED: nothing was noted */
    int64_t noted_run;
    bool wanted;  /* it is to be up */
    bool surplus; /* it goes as soon as it has ended */

    /* its process */
    Life *life;  /* NULL: none */
    int64_t run; /* of the present life or the last */
    Buf last_id; /* instance id of the present life or the last; empty: there was none */
    Nanos started_wall, ready_wall, stopped_wall;
    NamedPorts ports; /* of the present life or the last; names are the configuration's */
    Buf service_id;   /* by which it has registered with the topology */

    /* how it comes up */
    Backoff backoff;
    uint32_t restarts, attempts;
    Nanos ready_now; /* world_now when it became ready; 0: it is not */
    bool was_ready;  /* in this life */
    bool impatient;  /* soft dependencies are not waited for any more */
    bool said_ready; /* by sd_notify */
    uint64_t watchdogs;
    Checker checker;
    Timer limit_timer; /* STARTING: it must be ready; WAITING: patience ends */
    Timer clear_timer; /* somebody is to leave its port */
    ProcessIdentity clearing;
    Nanos clear_begun;
    Timer watchdog_timer;

    /* how it ends */
    bool renewing;          /* it is ended in order to be started again */
    bool renew_counts;      /* … which counts as a failure */
    bool forced;            /* it is killed, without further ado */
    bool killed;            /* it was sent SIGKILL */
    bool unjudged;          /* its process has ended, just now */
    bool ended_well, again; /* its process has ended: how, and whether it is tried again */
    bool telling;           /* its last words are on their way */
    Nanos end_begun;        /* world_now when it was told to end; 0: it was not */
    Nanos end_told;         /* world_now when people were told who is waited for */
    Timer end_timer;        /* until the next look at it */
    bool has_ending;
    Ending ending; /* of its last life */

    /* how it goes on */
    Nanos pause;       /* before it is tried again */
    Nanos next_start;  /* world_wall; 0: never */
    Timer pause_timer; /* BACKING_OFF: until it is due */

    /* in words */
    Nanos checked_wall;
    Buf health_message; /* of the last probe */
    Buf error;          /* what last went wrong */
    Buf reason;         /* why it is being started or ended … */
    Buf actor;          /* … and who brought that about */
};

struct Service {
    Orchestrator *orchestrator;
    const ServiceConfig *config;
    const Config *whole; /* … which that is a part of; not in force any more, once it is removed */
    char *name;
    size_t place;                /* in the configuration */
    uint32_t index;              /* in orchestrator->services, and in the plan */
    ARRAY(Instance *) instances; /* by replica */
    uint32_t replicas;           /* how many there should be */
    int64_t runs;                /* lives so far */
    uint32_t restarts;
    bool wanted;          /* somebody has asked for it */
    bool stopped_by_user; /* … and later for the opposite */
    bool removed;         /* gone from the configuration: goes when it has stopped */
    bool stated;          /* its state has changed in this turn */
    Timer schedule;
    Nanos next_run;       /* by its schedule, world_wall; 0: none */
    Nanos noted_next_run; /* before the runtime restarted */
    ARRAY(char *) last_output;
    Timer file_timer;       /* until its files have been quiet for long enough */
    Buf changed_file;       /* the last of them that changed */
    Buf loop_file;          /* for which it was restarted last … */
    Nanos file_restart_at;  /* … when, by world_now … */
    uint32_t file_restarts; /* … and how often in a row */
    WatchItem item;
};

struct Orchestrator {
    OrchestratorOptions options;
    RpcService rpc;
    World *world;
    ProcessHost *host;
    Logs *logs;                /* NULL: nobody takes the output */
    const Config *config;      /* NULL: no project */
    ARRAY(Service *) services; /* by start order, then as in the configuration */
    Plan plan;                 /* nodes in the order of `services` */
    Map by_name;               /* Service */
    Map children;              /* Child, by the process's id */
    Link lives;                /* Life */
    ARRAY(char *) ended;       /* ids of processes that are not needed any more: lives_release */
    Link actions;              /* Action */
    Link lines;                /* LineWatch of lines.c */
    FolderWatch *folders;      /* NULL: no service watches any */
    size_t folder_count;
    Subscription *registrations;
    Link helpers; /* Helper */
    Journal *journal;
    History *history;
    Watch *watch;
    WatchItem item; /* the orchestrator itself, among the services */
    Task settle;
    uint32_t salt; /* in ids of helpers, so that they differ from run to run of the runtime */
    uint64_t helper_count;
    Nanos configured_at, started_at; /* world_wall */
    bool stopping;                   /* all services are asked to stop */
    bool closing;                    /* … since the runtime ends: none is started any more */
    bool knows;                      /* what earlier lives of the runtime left has been read */
    uint32_t resumed;                /* processes that went on over a restart of the runtime */
    void (*restored)(void *owner, int error);
    void *restored_owner;
    Timer resources_timer;
    Nanos looked_at, used_cpu; /* at the runtime's own usage: world_now, processor time by then */
    Nanos asked_at;            /* when somebody last asked how things are */
    int64_t runtime_memory;
    double runtime_cpu;
};

/* ---- orchestrator.c, service.c ---- */

void orchestrator_add_child(Orchestrator *orchestrator, Child *child);
void orchestrator_remove_child(Orchestrator *orchestrator, Child *child);
/* NULL when there is none of that name. */
Service *orchestrator_find(const Orchestrator *orchestrator, Span name);

void orchestrator_add_service(Orchestrator *orchestrator, const ServiceConfig *config,
                              size_t place);

Service *service_new(Orchestrator *orchestrator, const ServiceConfig *config);
void service_free(Service *service);
void service_set_config(Service *service, const ServiceConfig *config);
RtServiceState service_state(const Service *service);
RtHealthState service_health(const Service *service);
Instance *service_instance(const Service *service, uint32_t replica);
void service_set_replicas(Service *service, uint32_t replicas, Span actor);
void service_set_last_output(Service *service, const RtLogEntry *entries, size_t count);
void service_clear_last_output(Service *service);
/* Its state is another one, or only its figures are: those who watch are told. */
void service_changed(Service *service);
void service_figures(Service *service);

Nanos service_start_limit(const ServiceConfig *config);
BackoffPolicy service_backoff(const ServiceConfig *config);
bool service_is_success(const ServiceConfig *config, int code);
bool service_restarts(const ServiceConfig *config, bool ended_well);
/* The port of that name (empty: the first) that the instance has, or else is configured; 0: none. */
uint16_t service_port(const Service *service, const Instance *instance, Span name);

/* Puts the services in order, and makes the plan anew. */
void services_sort(Orchestrator *orchestrator);
void services_drop_removed(Orchestrator *orchestrator);
void services_tell(Orchestrator *orchestrator);

/* ---- settle.c ---- */

/* Something has changed: at the end of the turn all is looked at. */
void orchestrator_touch(Orchestrator *orchestrator);
void settle_init(Orchestrator *orchestrator);
void actions_settle(Orchestrator *orchestrator);

/* ---- instance.c ---- */

Instance *instance_new(Service *service, uint32_t replica);
/* Its process, if there is one, lives on without it. */
void instance_free(Instance *instance);
void instance_happens(Instance *instance, InstanceEvent event);
void instance_want(Instance *instance, Span actor, const char *why);
void instance_unwant(Instance *instance, Span actor, const char *why, bool forced);
/* It is ended and, as after a failure, started again. */
void instance_renew(Instance *instance, Span actor, const char *why);
/* It will be started as soon as it may. */
bool instance_is_due(const Instance *instance);
void instance_explain(Instance *instance, Span actor, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void instance_fault(Instance *instance, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void instance_set_health(Instance *instance, Span message);
void instance_arm_limit(Instance *instance);
/* Its process: runs; could not be started; has ended; and nothing of its tree is left. */
void instance_running(Instance *instance);
void instance_not_started(Instance *instance, bool worth_another_try);
void instance_exited(Instance *instance, const Ending *ending, Nanos lived);
void instance_gone(Instance *instance);
void instance_notified(Instance *instance, const ProcessNotice *notice);

/* ---- ending.c, checker.c ---- */

void ending_init(Instance *instance);
void ending_begin(Instance *instance);
void ending_force(Instance *instance);
void ending_look(Instance *instance);
/* Its process has ended: instance_exited follows. */
void ending_settle(Instance *instance);

void checker_init(Instance *instance);
void checker_start(Instance *instance);
/* It was healthy before the runtime restarted, and counts as such until probes say otherwise. */
void checker_resume(Instance *instance);
void checker_stop(Instance *instance);

/* ---- life.c ---- */

Life *life_new(Instance *instance);
Life *life_restore(Instance *instance, int64_t run, const ProcessInfo *info);
/* Its end is noted: only what it wrote is still to be taken. */
void life_take_rest(Service *service, uint32_t replica, int64_t run, const ProcessInfo *info);
/* Its process runs, or did, and the host knows it. */
void life_adopt(Life *life, const ProcessInfo *info);
void life_ended(Life *life, const ProcessInfo *info);
/* A process that the host does not know is this life. */
void life_found(Life *life, const ProcessIdentity *identity);
/* Its place is free for another; it goes when all it wrote is taken. */
void life_leave(Life *life);
void life_put_record(Life *life);
void life_signal(Life *life, int signal, ProcessScope scope);
size_t life_members(Life *life, ProcessMember *out, size_t room);
/* By name, or the first; 0: none. */
uint16_t life_port(const Life *life, Span name);
/* Whose child it is; NULL for a helper's. */
Instance *life_instance_of(const Child *child);
void lives_abandon(Orchestrator *orchestrator);
/* At the end of a turn, when what happened in it is noted. */
void lives_release(Orchestrator *orchestrator);

/* ---- launch.c, ports.c ---- */

typedef ARRAY(Span) LaunchTexts;

void launch(Instance *instance);
void launch_go_on(Instance *instance);
/* For config_fill: `owner` is an Instance. */
bool launch_lookup(void *owner, Span name, Buf *out);
void launch_arguments(Instance *instance, const ConfigCommand *command, Arena *arena,
                      LaunchTexts *out);
void launch_environment(Instance *instance, Arena *arena, LaunchTexts *env);

typedef struct LaunchLabel {
    Span service;
    uint32_t replica;
    int64_t run;
    uint64_t run_hash;
    Span ports;
} LaunchLabel;
bool launch_read_label(Span label, LaunchLabel *ret);
void launch_read_ports(Span text, Life *life);

typedef enum PortsAnswer {
    PORTS_READY,
    PORTS_CLEARING, /* somebody is leaving: launch_go_on follows */
    PORTS_FOUND,    /* the service itself has them: it was taken over */
    PORTS_REFUSED,  /* instance->error says why */
} PortsAnswer;
PortsAnswer ports_take(Instance *instance);
void ports_remember(Instance *instance);
void ports_init(Instance *instance);

/* ---- schedule.c, files.c, resources.c, restore.c ---- */

/* Watches what the services of the configuration in force ask for. */
void files_watch(Orchestrator *orchestrator);
void files_init(Service *service);
void files_forget(Service *service);

void schedule_init(Service *service);
void schedule_arm(Service *service);
void schedule_resume(Service *service, Nanos next_run);
void schedule_disarm(Service *service);

/* Something runs; somebody watches; somebody has asked, and may do so again soon. */
void resources_begin(Orchestrator *orchestrator);
void resources_watched(Orchestrator *orchestrator);
void resources_asked(Orchestrator *orchestrator);
void resources_stop(Orchestrator *orchestrator);

void service_put(Service *service);
void service_forget(Service *service);

/* ---- lines.c, registrations.c ---- */

/* A new life of it may print the lines that others wait for; that life is over. */
void lines_begin(Instance *instance);
void lines_end(Instance *instance);
/* All of them: the plan is a new one. */
void lines_again(Orchestrator *orchestrator);
void lines_drop(Orchestrator *orchestrator);

void registrations_begin(Orchestrator *orchestrator);
void registrations_end(Orchestrator *orchestrator);

/* ---- status.c, events.c ---- */

typedef SCHEMA_REPEATED(Span) SpanList;

void instance_list_waits(const Instance *instance, SpanList *out, Arena *arena);
void instance_waits_for(const Instance *instance, Buf *out);

void instance_event(Instance *instance, RtServiceEventType type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void instance_event_exited(Instance *instance, Span how);
void instance_publish_state(Instance *instance);
struct ProbeResult;
void instance_publish_probe(const Instance *instance, const struct ProbeResult *result);
/* "12 ms", "1.5 s", "3 min 20 s": for people. */
void put_duration(Buf *out, Nanos duration);
void service_event(Service *service, RtServiceEventType type, Span actor, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void orchestrator_event(Orchestrator *orchestrator, Span service, RtServiceEventType type,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));
