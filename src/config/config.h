/* The configuration of a project: an immutable, numbered snapshot, read whole from its files.
 *
 * config_read takes files in any of the three formats (muster.yaml, the specification's
 * config.yaml, services.toml), lays them upon each other, puts variables in, checks everything and
 * gives a Config, or all that is wrong with the files at once. A Config lives in its own arena and
 * never changes; who uses it holds a reference. A new one takes its place whole, and what differs
 * is found by comparing the hashes of services (diff.h).
 *
 * Reading touches the world through ConfigWorld alone. Everything here may be used by any thread;
 * references are counted atomically.
 *
 * All fields, their types, defaults and bounds stand in one table (rules.c), from which the reader,
 * the checks, the JSON schema and docs/configuration.md are made. */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "doc/doc.h"
#include "runtime/v1/configuration.pb.h"
#include "runtime/v1/service.pb.h"

/* ---- texts that only the start of a process completes ---- */

/* A text in which ports and the like are still open. Plain texts have `open` false and are used as
 * they are; of an open one, `text` holds "${NAME}" for what config_fill puts in, and "$$" for '$'.
 *
 *   ${PORT}                the first port of the instance that is started
 *   ${ports.NAME}          its port of that name
 *   ${ports.SERVICE.NAME}  that port of another service (of its first replica)
 *   ${replica}             which replica it is, from 0
 *   ${instance}            its instance id
 *   ${address}             where the runtime is reached (MUSTER_ADDRESS)
 */
typedef struct ConfigText {
    Span text;
    bool open;
} ConfigText;

/* Appends the text with each reference replaced by what `lookup` appends for its name ("ports.web").
 * -ENOENT when lookup returns false; what was appended so far stays. */
typedef bool ConfigLookup(void *owner, Span name, Buf *out);
int config_fill(const ConfigText *text, ConfigLookup *lookup, void *owner, Buf *out);

/* ---- lists ---- */

/* All lists are {items, count}, in the order of the files. */
#define CONFIG_LIST(T)                                                                             \
    struct {                                                                                       \
        const T *items;                                                                            \
        size_t count;                                                                              \
    }

typedef CONFIG_LIST(Span) ConfigSpans;
typedef CONFIG_LIST(ConfigText) ConfigTexts;
typedef CONFIG_LIST(int64_t) ConfigNumbers;

typedef struct ConfigLabel {
    Span name, value;
} ConfigLabel;
typedef CONFIG_LIST(ConfigLabel) ConfigLabels;

/* A variable of a service's environment. Those of the project, of files and of the service are
 * merged already, the nearest wins. */
typedef struct ConfigVariable {
    Span name;
    ConfigText value;
    bool secret;    /* never shown, and masked in the service's output */
    int32_t source; /* RtConfigurationSource: FILE, ENV_FILE, ENVIRONMENT (a secret's `env`) */
    DocPlace place;
} ConfigVariable;
typedef CONFIG_LIST(ConfigVariable) ConfigVariables;

/* A command line: a string is run by "/bin/sh -c", a list is run as it is. Empty: none. */
typedef struct ConfigCommand {
    ConfigTexts argv; /* what to execute: for a string {"/bin/sh", "-c", STRING} */
    bool shell;       /* it was a string that needs a shell */
} ConfigCommand;

typedef struct ConfigNamedCommand {
    Span name;
    ConfigCommand command;
    Span description;
} ConfigNamedCommand;

/* ---- parts of a service ---- */

typedef struct ConfigDependency {
    Span service;      /* name of a service in this Config */
    int32_t kind;      /* RtDependencyKind: HARD, SOFT or OPTIONAL */
    int32_t condition; /* RtDependencyCondition, never UNSPECIFIED */
    Span pattern;      /* LOG_LINE: the regular expression (RE2's syntax); others: empty */
    size_t index;      /* of the service in Config.services */
    DocPlace place;
} ConfigDependency;

typedef enum ConfigRestartPolicy {
    CONFIG_RESTART_NEVER,
    CONFIG_RESTART_ON_FAILURE, /* also when the health check fails */
    CONFIG_RESTART_ALWAYS,
} ConfigRestartPolicy;

typedef struct ConfigRestart {
    int32_t policy; /* ConfigRestartPolicy */
    Nanos initial;  /* wait before the first restart */
    Nanos max;      /* it grows up to this */
    double factor;  /* by this with each attempt */
    double jitter;  /* and is spread by this share of itself, 0 to 1, up and down */
    Nanos stable;   /* running (healthy, with a check) for so long, counting starts anew */
} ConfigRestart;

typedef enum ConfigCheckType {
    CONFIG_CHECK_NONE,
    CONFIG_CHECK_GRPC, /* grpc.health.v1 */
    CONFIG_CHECK_HTTP,
    CONFIG_CHECK_TCP,
    CONFIG_CHECK_EXEC,
    CONFIG_CHECK_LOG_LINE,
} ConfigCheckType;

typedef struct ConfigCheck {
    int32_t type; /* ConfigCheckType */
    /* grpc: the name of the service asked for, may be empty; http: a path ("/health") or a whole
     * URL; tcp: HOST:PORT, may be empty. */
    ConfigText endpoint;
    /* grpc, http, tcp: a number ("8080") or, where empty, the port `port_name` of the service. */
    ConfigText port;
    Span port_name;        /* empty: endpoint or `port` says it */
    Span host;             /* default "127.0.0.1" */
    ConfigCommand command; /* exec: healthy when it exits with 0 */
    Span pattern;          /* log_line: healthy once a line matches */
    Nanos interval, timeout, initial_delay;
    int32_t success_threshold, failure_threshold; /* in a row; at least 1 */
    Nanos start_limit;                            /* healthy within this, or the start has failed */
} ConfigCheck;

typedef struct ConfigPort {
    Span name;
    uint16_t number;  /* 0: the runtime assigns one */
    bool per_replica; /* replica N gets number + N */
    DocPlace place;
} ConfigPort;

/* A port that is taken by a process that is not ours. */
typedef enum ConfigPortConflict { CONFIG_PORT_FAIL, CONFIG_PORT_KILL } ConfigPortConflict;

typedef struct ConfigStop {
    int32_t signal;        /* a number of signal(7) */
    Nanos timeout;         /* then SIGKILL */
    ConfigCommand command; /* run in place of the signal; empty: none */
} ConfigStop;

/* 0: no limit. */
typedef struct ConfigLimits {
    int64_t memory;    /* bytes, of the whole tree */
    double cpu;        /* processors */
    int64_t files;     /* RLIMIT_NOFILE */
    int64_t processes; /* and threads */
} ConfigLimits;

/* Minutes, hours, days, months and weekdays on which it is due (bit N = N; Sunday is bit 0), in
 * local time, as crontab(5) has it: where both days are restricted, either of them suffices. */
typedef struct ConfigCron {
    uint64_t minutes;
    uint32_t hours, days;
    uint16_t months;
    uint8_t weekdays;
    bool any_day, any_weekday; /* they were '*' */
} ConfigCron;

typedef struct ConfigSchedule {
    Nanos interval; /* from start to start; 0: none */
    Span cron;      /* as it is written; empty: none */
    ConfigCron when;
    bool at_start; /* also when the project starts */
} ConfigSchedule;

typedef struct ConfigWatch {
    ConfigSpans paths;  /* absolute; folders with all below them; may hold * ? ** */
    ConfigSpans ignore; /* patterns of what does not count */
    Nanos debounce;     /* quiet for so long, then the restart */
    bool dependants;    /* are restarted too */
} ConfigWatch;

typedef enum ConfigReadiness {
    CONFIG_READY_AT_START, /* `type: simple`: running is ready, or what the check says */
    CONFIG_READY_NOTIFY,   /* `type: notify`: sd_notify's READY=1 */
} ConfigReadiness;

/* Overrides of what the topology and health services do by default; 0: not overridden. */
typedef struct ConfigTopology {
    Nanos heartbeat_interval;
    int32_t stale_after, dead_after; /* intervals without a beat */
} ConfigTopology;

typedef struct ConfigHealthRules {
    bool enabled;          /* whether rules make a service DEGRADED at all */
    Nanos latency;         /* its p95 above this */
    double error_rate;     /* or this share of its calls failing, 0 to 1 */
    int32_t minimum_calls; /* in the window, for either to count */
    Nanos window;          /* how long one must hold */
} ConfigHealthRules;

typedef struct ConfigLogs {
    int64_t ring_size; /* bytes kept per stream until they are stored */
    ConfigSpans mask;  /* regular expressions whose matches are masked */
} ConfigLogs;

/* ---- a service ---- */

typedef struct ServiceConfig {
    Span name;  /* the identity: what others depend on */
    Span label; /* in front of people; empty: like name */
    Span description, namespace;
    ConfigLabels labels;
    int32_t kind; /* RtServiceKind: PROCESS, TASK, SCHEDULED, EXTERNAL or BUILTIN */

    ConfigCommand command; /* empty for EXTERNAL and BUILTIN; `args` are joined already */
    Span working_dir;      /* absolute */
    ConfigVariables env;
    bool tty;
    bool stdin_open; /* stdin is a pipe that takes input, else /dev/null */

    CONFIG_LIST(ConfigDependency) dependencies;
    int32_t start_order; /* a number is begun when all lower ones are done; 0 first */
    int32_t max_retries; /* attempts to start, and later restarts until stable; 0: no end */
    int32_t replicas;
    bool disabled; /* not started unless asked for */

    ConfigRestart restart;
    ConfigNumbers success_exit_codes; /* sorted; at least {0} */
    ConfigStop stop;
    ConfigLimits limits;
    CONFIG_LIST(ConfigPort) ports; /* the first is PORT */
    int32_t port_conflict;         /* ConfigPortConflict */
    ConfigCheck health_check;

    int32_t readiness; /* ConfigReadiness */
    Nanos watchdog;    /* sd_notify's WATCHDOG=1 at least this often; 0: none */
    ConfigSchedule schedule;
    ConfigWatch watch; /* no paths: none */
    CONFIG_LIST(ConfigNamedCommand) commands;

    ConfigTopology topology;
    ConfigHealthRules health;
    ConfigLogs logs;

    /* What it is made of: equal hashes, equal configuration. `run_hash` covers only what a running
     * process has from it, so that whoever differs in `hash` alone need not be restarted. */
    uint64_t hash, run_hash;
    DocPlace place;        /* where it begins */
    const DocNode *source; /* as written, with what it extends; for config_values */
} ServiceConfig;

/* ---- the whole ---- */

typedef struct ConfigFile {
    Span path;   /* absolute */
    Span format; /* "muster", "config", "services" or "env" */
    Span text;
} ConfigFile;

typedef struct Config {
    int64_t number;                      /* grows with each that is put in force; 0: not yet */
    Span project;                        /* its name; default: that of its folder */
    Span folder;                         /* absolute; relative paths in the files start here */
    CONFIG_LIST(ConfigFile) files;       /* in the order in which they are merged */
    CONFIG_LIST(ServiceConfig) services; /* in the order of the files */

    ConfigSpans listen; /* HOST:PORT or unix:PATH; empty: the default */
    Span data;          /* absolute; default: FOLDER/.muster */
    struct {
        int64_t disk_size; /* bytes of stored logs; the oldest go first */
        Nanos age;         /* older ones go */
    } log_store;
    struct {
        uint16_t first, last; /* ports are assigned from this range */
    } port_range;
    ConfigSpans secrets; /* values to be masked wherever something is shown */
    CONFIG_LIST(RtConfigurationProblem) problems; /* warnings and notes */
    const DocNode *source;                        /* as written, of all files; for config_values */
} Config;

Config *config_ref(const Config *config);
void config_unref(const Config *config); /* NULL is ignored */

/* The configuration in force. Another one takes its place as a whole, of which the event
 * `configuration.applied` tells those who go by it. */
typedef struct ConfigInForce {
    const Config *config; /* NULL: no project */
} ConfigInForce;

/* Takes a reference to the configuration (NULL: none), and gives back that to the one before. */
void config_enforce(ConfigInForce *place, const Config *config);

/* By name, in constant time; NULL when there is none. */
const ServiceConfig *config_service(const Config *config, Span name);

/* The name nearest to a mistyped one, for messages; empty when none is near. */
Span config_nearest(const Config *config, Span name);

/* ---- reading ---- */

/* What reading needs of the world. */
typedef struct ConfigWorld {
    void *owner;
    /* Appends a whole file; a negative errno when it cannot be read. */
    int (*read)(void *owner, const char *path, Buf *out);
    /* A variable of the environment; false when there is none. */
    bool (*variable)(void *owner, Span name, Span *ret);
} ConfigWorld;

/* The real one: files of the machine, the environment of the process. */
extern const ConfigWorld CONFIG_WORLD;

typedef struct ConfigOptions {
    const ConfigWorld *world; /* NULL: CONFIG_WORLD */
    /* Absolute paths, in the order in which they are merged; with a `text`, that is taken in place
     * of the file. At least one. */
    const RtConfigurationFile *files;
    size_t file_count;
    Span data;          /* the option --data, absolute; empty: not given */
    ConfigSpans listen; /* the options --listen; empty: not given */
    int64_t number;     /* what the Config is to be numbered */
} ConfigOptions;

/* What is wrong with files, or odd about them: by file, line and column. */
typedef struct ConfigReport {
    Arena arena; /* holds all of it */
    CONFIG_LIST(RtConfigurationProblem) problems;
    size_t errors;                 /* how many of them are errors */
    CONFIG_LIST(ConfigFile) files; /* what was read */
} ConfigReport;

/* Reads a configuration. 0 with a reference to the Config (its warnings and notes are in
 * config->problems and in the report); -EINVAL when there are errors: the report has all of them.
 * Zeroes are a valid report to pass in; config_report_done frees it in either case. */
int config_read(const ConfigOptions *options, const Config **ret_config, ConfigReport *report);
void config_report_done(ConfigReport *report);

/* Looks for the project's file in `folder` (absolute) and then upwards: muster.yaml, muster.yml,
 * services.toml, configs/services.toml, config.yaml. Appends its path; -ENOENT when there is none. */
int config_find(const ConfigWorld *world, Span folder, Buf *ret_path);

/* The project's folder, from the path of its first file; borrowed from it. */
Span config_folder(Span path);

/* ---- values and their origins, for GetConfiguration ---- */

/* Calls `each` for every value, defaults too, in the order of the files: those of the service, or,
 * where `service_name` is empty, of the project and all services. Secrets are "***". `value` is
 * valid during the call. */
typedef void ConfigEachValue(void *owner, const RtConfigurationValue *value);
void config_values(const Config *config, Span service_name, ConfigEachValue *each, void *owner);
