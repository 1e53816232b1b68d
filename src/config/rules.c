#include "config/rules.h"

#include <signal.h>

#include "base/nearest.h"
#include "config/fields.h"

#define DAY_MS (INT64_C(86400) * 1000)

#define S(member) offsetof(ServiceConfig, member)
#define P(member) offsetof(Config, member)

/* ---- sections of a service ---- */

static const Choice POLICIES[] = {
    {"never", CONFIG_RESTART_NEVER},           {"on-failure", CONFIG_RESTART_ON_FAILURE},
    {"always", CONFIG_RESTART_ALWAYS},         {"no", CONFIG_RESTART_NEVER},
    {"on_failure", CONFIG_RESTART_ON_FAILURE}, {0},
};

static const Rule RESTART[] = {
    {"policy", NULL, RULE_CHOICE, S(restart.policy), .choices = POLICIES, .fallback = "on-failure",
     .about = "When a process that has ended is started again: `on-failure` after an exit code "
              "that is no success, a signal, or a health check that fails"},
    {"initial", "delay initial_delay", RULE_DURATION, S(restart.initial), .most = DAY_MS,
     .fallback = "1s", .about = "Wait before the first restart"},
    {"max", "max_delay", RULE_DURATION, S(restart.max), .most = DAY_MS, .fallback = "90s",
     .about = "The wait grows up to this"},
    {"factor", "backoff_factor", RULE_REAL, S(restart.factor), .least = 1, .most = 100,
     .fallback = "2", .about = "By how much it grows with each attempt"},
    {"jitter", NULL, RULE_REAL, S(restart.jitter), .most = 1, .fallback = "0.1",
     .about = "By which share of itself it is spread at random, up and down"},
    {"stable", "stable_threshold", RULE_DURATION, S(restart.stable), .most = DAY_MS,
     .fallback = "5s",
     .about = "Having run (or been healthy) for so long, a service counts as stable: attempts and "
              "wait begin anew"},
    {0},
};
static const RuleSet RESTART_SET = {RESTART, "policy"};

static const Rule STOP[] = {
    {"signal", NULL, RULE_SIGNAL, S(stop.signal), .fallback = "SIGTERM",
     .about = "Sent to the process group first"},
    {"timeout", NULL, RULE_DURATION, S(stop.timeout), .most = DAY_MS, .fallback = "10s",
     .about = "What still lives after this is killed"},
    {"command", NULL, RULE_COMMAND, S(stop.command),
     .about = "Run in place of the signal, in the service's environment"},
    {0},
};
static const RuleSet STOP_SET = {STOP, "signal"};

static const Rule LIMITS[] = {
    {"memory", NULL, RULE_SIZE, S(limits.memory), .run = true, .most = INT64_MAX,
     .about = "Memory of the whole process tree"},
    {"cpu", "cpus", RULE_REAL, S(limits.cpu), .run = true, .most = 4096,
     .about = "Processors that it may use: 0.5 is half of one"},
    {"files", "nofile", RULE_COUNT, S(limits.files), .run = true, .most = 1 << 30,
     .about = "Open files of each process"},
    {"processes", "pids", RULE_COUNT, S(limits.processes), .run = true, .most = 1 << 22,
     .about = "Processes and threads"},
    {0},
};
static const RuleSet LIMITS_SET = {LIMITS, NULL};

static const Choice CONFLICTS[] = {{"fail", CONFIG_PORT_FAIL}, {"kill", CONFIG_PORT_KILL}, {0}};

static const Choice CHECKS[] = {
    {"none", CONFIG_CHECK_NONE},
    {"grpc", CONFIG_CHECK_GRPC},
    {"http", CONFIG_CHECK_HTTP},
    {"tcp", CONFIG_CHECK_TCP},
    {"exec", CONFIG_CHECK_EXEC},
    {"log_line", CONFIG_CHECK_LOG_LINE},
    {0},
};

static const Rule CHECK[] = {
    {"type", NULL, RULE_CHOICE, S(health_check.type), .choices = CHECKS, .fallback = "none",
     .about = "How it is asked: `grpc` by grpc.health.v1, `http` by a GET that is answered with "
              "200 to 399, `tcp` by connecting, `exec` by a command that exits with 0, `log_line` "
              "by a line of its output. Left out, it follows from `command` or `pattern`"},
    {"endpoint", "path service", RULE_TEXT, S(health_check.endpoint),
     .about = "http: a path (`/` when left out) or a whole URL; grpc: the service to ask for; tcp: "
              "HOST:PORT"},
    {"host", NULL, RULE_STRING, S(health_check.host), .fallback = "127.0.0.1",
     .about = "Where it listens"},
    {"port", NULL, RULE_OWN, S(health_check.port), .read = read_check_port,
     .print = print_check_port, .form = "{\"type\": [\"integer\", \"string\"]}",
     .about = "A number, or the name of one of the service's `ports`; left out: the port named "
              "like the type, else the first"},
    {"command", NULL, RULE_COMMAND, S(health_check.command), .about = "exec: what is run"},
    {"pattern", NULL, RULE_PATTERN, S(health_check.pattern),
     .about = "log_line: a regular expression; the service is healthy once a line matches"},
    {"interval", "period", RULE_DURATION, S(health_check.interval), .least = 10, .most = DAY_MS,
     .fallback = "10s", .about = "From check to check"},
    {"timeout", NULL, RULE_DURATION, S(health_check.timeout), .least = 1, .most = DAY_MS,
     .fallback = "3s", .about = "An answer that takes longer is a failure"},
    {"initial_delay", NULL, RULE_DURATION, S(health_check.initial_delay), .most = DAY_MS,
     .about = "Before the first check"},
    {"success_threshold", NULL, RULE_INTEGER, S(health_check.success_threshold), .least = 1,
     .most = 1000, .fallback = "1", .about = "Successes in a row that make it healthy"},
    {"failure_threshold", NULL, RULE_INTEGER, S(health_check.failure_threshold), .least = 1,
     .most = 1000, .fallback = "3", .about = "Failures in a row that make it unhealthy"},
    {"start_limit", "start_timeout", RULE_DURATION, S(health_check.start_limit), .least = 1,
     .most = DAY_MS, .fallback = "30s",
     .about = "Not healthy within this, the attempt to start it has failed"},
    {0},
};
const RuleSet CHECK_RULES = {CHECK, "type"};

static const Choice READINESS[] = {
    {"simple", CONFIG_READY_AT_START}, {"notify", CONFIG_READY_NOTIFY}, {0}};

static const Rule SCHEDULE[] = {
    {"interval", "every", RULE_DURATION, S(schedule.interval), .least = 1000, .most = 366 * DAY_MS,
     .about = "From start to start"},
    {"cron", NULL, RULE_CRON, S(schedule),
     .about = "Minute, hour, day, month and weekday as in crontab(5), or `@daily` and the like, in "
              "local time"},
    {"at_start", NULL, RULE_BOOL, S(schedule.at_start), .fallback = "false",
     .about = "Also when the project starts"},
    {0},
};
static const RuleSet SCHEDULE_SET = {SCHEDULE, "cron"};

static const Rule WATCH[] = {
    {"paths", NULL, RULE_PATHS, S(watch.paths),
     .about = "Files, folders with all below them, or patterns with `*`, `?` and `**`"},
    {"ignore", NULL, RULE_STRINGS, S(watch.ignore), .about = "Patterns of what does not count"},
    {"debounce", NULL, RULE_DURATION, S(watch.debounce), .most = DAY_MS, .fallback = "300ms",
     .about = "The restart comes when nothing has changed for so long"},
    {"dependants", NULL, RULE_BOOL, S(watch.dependants), .fallback = "false",
     .about = "Services that depend on it are restarted too"},
    {0},
};
static const RuleSet WATCH_SET = {WATCH, "paths"};

static const Rule TOPOLOGY[] = {
    {"heartbeat_interval", NULL, RULE_DURATION, S(topology.heartbeat_interval), .least = 100,
     .most = DAY_MS,
     .about = "How often it is expected to give a sign of life; left out: what it registers with"},
    {"stale_after", NULL, RULE_INTEGER, S(topology.stale_after), .least = 1, .most = 1000,
     .about = "Intervals without one until it is STALE"},
    {"dead_after", NULL, RULE_INTEGER, S(topology.dead_after), .least = 1, .most = 1000,
     .about = "Intervals without one until it is DEAD"},
    {0},
};
static const RuleSet TOPOLOGY_SET = {TOPOLOGY, NULL};

static const Rule HEALTH[] = {
    {"enabled", NULL, RULE_BOOL, S(health.enabled), .fallback = "true",
     .about = "Whether slow or failing calls make the service DEGRADED"},
    {"latency", NULL, RULE_DURATION, S(health.latency), .least = 1, .most = DAY_MS,
     .fallback = "500ms", .about = "A 95th percentile of latency above this does"},
    {"error_rate", NULL, RULE_REAL, S(health.error_rate), .most = 1, .fallback = "0.05",
     .about = "A share of failing calls above this does"},
    {"minimum_calls", NULL, RULE_INTEGER, S(health.minimum_calls), .least = 1, .most = 1000000,
     .fallback = "20", .about = "Calls in the window, for either to count"},
    {"window", NULL, RULE_DURATION, S(health.window), .least = 1000, .most = DAY_MS,
     .fallback = "10s",
     .about = "A limit must be passed for so long to make it DEGRADED, and kept for as long to "
              "make it healthy again"},
    {0},
};
static const RuleSet HEALTH_SET = {HEALTH, "enabled"};

static const Rule LOGS[] = {
    {"ring_size", NULL, RULE_SIZE, S(logs.ring_size), .run = true, .least = 4096, .most = 256 << 20,
     .fallback = "256KiB", .about = "Output of each stream that is kept while nobody stores it"},
    {"mask", NULL, RULE_PATTERNS, S(logs.mask),
     .about = "Regular expressions whose matches are masked, as secrets are"},
    {0},
};
static const RuleSet LOGS_SET = {LOGS, NULL};

/* ---- a service ---- */

#define FORM_NAMES "{\"type\": [\"array\", \"object\"]}"
#define FORM_ENV                                                                                   \
    "{\"oneOf\": [{\"type\": \"object\", \"additionalProperties\": {\"type\": [\"string\", "       \
    "\"number\", \"boolean\", \"null\"]}}, {\"type\": \"array\", \"items\": {\"type\": "           \
    "\"string\"}}]}"
#define FORM_SECRETS                                                                               \
    "{\"type\": \"object\", \"additionalProperties\": {\"oneOf\": [{\"type\": \"string\"}, "       \
    "{\"type\": \"object\", \"properties\": {\"file\": {\"type\": \"string\"}, \"env\": "          \
    "{\"type\": \"string\"}}, \"additionalProperties\": false}]}}"
#define FORM_STRINGS                                                                               \
    "{\"oneOf\": [{\"type\": \"string\"}, {\"type\": \"array\", \"items\": {\"type\": "            \
    "\"string\"}}]}"
#define FORM_PORTS                                                                                 \
    "{\"type\": \"object\", \"additionalProperties\": {\"oneOf\": [{\"type\": \"integer\", "       \
    "\"minimum\": 0, \"maximum\": 65535}, {\"type\": \"string\"}, {\"type\": \"object\", "         \
    "\"properties\": {\"port\": {\"type\": [\"integer\", \"string\"]}, \"per_replica\": "          \
    "{\"type\": \"boolean\"}}, \"additionalProperties\": false}]}}"
#define FORM_COMMAND                                                                               \
    "{\"oneOf\": [{\"type\": \"string\"}, {\"type\": \"array\", \"items\": {\"type\": "            \
    "[\"string\", \"number\", \"boolean\"]}}]}"
#define FORM_COMMANDS                                                                              \
    "{\"type\": \"object\", \"additionalProperties\": {\"oneOf\": [" FORM_COMMAND                  \
    ", {\"type\": \"object\", \"properties\": {\"command\": " FORM_COMMAND                         \
    ", \"description\": {\"type\": \"string\"}}, \"additionalProperties\": false}]}}"

static const Rule SERVICE[] = {
    {"name", NULL, RULE_OWN, S(name), .read = read_nothing, .hidden = true,
     .form = "{\"type\": \"string\"}",
     .about =
         "In a list of services: its identity, which others depend on; beside `short_name`, or "
         "in a map of services, the same as `label`"},
    {"short_name", NULL, RULE_OWN, S(name), .read = read_nothing, .hidden = true,
     .form = "{\"type\": \"string\"}",
     .about = "Its identity, as services.toml has it: letters, digits, `.`, `_` and `-`"},
    {"label", "display_name", RULE_STRING, S(label), .about = "How it is called before people"},
    {"description", NULL, RULE_STRING, S(description), .about = "What it is for"},
    {"namespace", NULL, RULE_NAME, S(namespace), .about = "The group that it belongs to"},
    {"labels", NULL, RULE_LABELS, S(labels), .about = "Names and values of your own"},
    {"extends", NULL, RULE_OWN, 0, .read = read_nothing, .hidden = true, .form = FORM_STRINGS,
     .about = "A service or template (or several) whose fields it has unless it says otherwise"},
    {"command", NULL, RULE_COMMAND, S(command), .run = true,
     .about = "What runs. A list is executed as it is; a string that needs a shell (quotes, pipes, "
              "…) by `/bin/sh -c`. `${VAR}` and `${VAR:-default}` are put in"},
    {"args", NULL, RULE_OWN, S(command), .read = read_nothing, .hidden = true, .form = FORM_STRINGS,
     .about = "Arguments behind those of `command`"},
    {"working_dir", "cwd working_directory", RULE_PATH, S(working_dir), .run = true,
     .about = "Where it runs; relative to the project's folder, which is the default"},
    {"env", "environment", RULE_OWN, S(env), .run = true, .read = read_nothing, .print = print_env,
     .form = FORM_ENV,
     .about = "Variables of its environment: a map, or a list of `NAME=value`. They come on top of "
              "the runtime's own, the project's and those of `env_files`; names that look like "
              "secrets (`…PASSWORD`, `…TOKEN` …) are masked"},
    {"env_files", "env_file", RULE_OWN, S(env), .read = read_nothing, .hidden = true,
     .form = FORM_STRINGS, .about = "Files of `NAME=value` lines"},
    {"secrets", NULL, RULE_OWN, S(env), .read = read_nothing, .hidden = true, .form = FORM_SECRETS,
     .about = "Variables that are masked wherever something is shown: a value, `{file: PATH}` or "
              "`{env: NAME}`"},
    {"tty", "is_tty", RULE_BOOL, S(tty), .run = true, .fallback = "false",
     .about = "It gets a terminal"},
    {"stdin", "stdin_open", RULE_BOOL, S(stdin_open), .run = true, .fallback = "false",
     .about = "Its standard input takes what is sent to it; otherwise it is empty"},
    {"depends_on", "dependencies", RULE_OWN, S(dependencies), .read = read_dependencies,
     .print = print_dependencies, .form = FORM_NAMES,
     .about = "What it depends on: a list of names, or a map of names to a condition (`started`, "
              "`healthy`, `completed`, `log_line`) or to `{condition, kind, pattern}` with the "
              "kind `hard`, `soft` (waited for, but not for ever) or `optional` (never)"},
    {"start_order", NULL, RULE_INTEGER, S(start_order), .most = 1000000,
     .about = "A number is begun when all lower ones are done; left out: that of its dependencies"},
    {"max_retries", "max_restarts", RULE_INTEGER, S(max_retries), .most = 1000000, .fallback = "3",
     .about = "Attempts to start it, and later restarts until it is stable; 0: no end"},
    {"replicas", NULL, RULE_INTEGER, S(replicas), .least = 1, .most = 1000, .fallback = "1",
     .about = "How many instances run"},
    {"disabled", NULL, RULE_BOOL, S(disabled), .fallback = "false",
     .about = "Not started unless somebody asks for it"},
    {"external", NULL, RULE_OWN, S(kind), .read = read_kind, .print = print_kind,
     .form = "{\"type\": \"boolean\"}", .fallback = "false",
     .about = "Not started by Muster, only probed: a database, say"},
    {"task", "one_shot", RULE_OWN, S(kind), .read = read_kind, .print = print_kind,
     .form = "{\"type\": \"boolean\"}", .fallback = "false",
     .about = "It runs once and is to end; dependants wait until it has"},
    {"schedule", NULL, RULE_SECTION, .section = &SCHEDULE_SET,
     .about = "Runs again and again; a string is a `cron`"},
    {"restart", NULL, RULE_SECTION, .section = &RESTART_SET,
     .about = "What happens when it ends; a string is the `policy`"},
    {"restartDelay", "restart_delay", RULE_MILLIS, S(restart.initial), .hidden = true,
     .most = DAY_MS, .about = "The same as `restart.initial`; a number counts milliseconds"},
    {"success_exit_codes", NULL, RULE_CODES, S(success_exit_codes), .most = 255, .fallback = "0",
     .about = "Exit codes that are no failure"},
    {"stop", "shutdown", RULE_SECTION, .section = &STOP_SET,
     .about = "How it is ended; a string is the `signal`"},
    {"limits", NULL, RULE_SECTION, .section = &LIMITS_SET, .about = "What it may use"},
    {"ports", NULL, RULE_OWN, S(ports), .run = true, .read = read_ports, .print = print_ports,
     .form = FORM_PORTS,
     .about = "Ports by name: a number, `auto` (one is assigned), or `{port, per_replica}`. The "
              "first is the service's `PORT`; `${ports.NAME}` stands for one in `command`, `env` "
              "and `health_check`, `${ports.SERVICE.NAME}` for another service's"},
    {"port", NULL, RULE_OWN, S(ports), .read = read_port, .hidden = true,
     .form = "{\"type\": [\"integer\", \"string\"]}", .about = "The same as `ports: {main: …}`"},
    {"grpc_port", NULL, RULE_OWN, S(ports), .read = read_port, .hidden = true,
     .form = "{\"type\": [\"integer\", \"string\"]}",
     .about = "The same as `ports: {grpc: …}`; 0: none"},
    {"http_port", NULL, RULE_OWN, S(ports), .read = read_port, .hidden = true,
     .form = "{\"type\": [\"integer\", \"string\"]}",
     .about = "The same as `ports: {http: …}`; 0: none"},
    {"port_conflict", NULL, RULE_CHOICE, S(port_conflict), .choices = CONFLICTS, .fallback = "fail",
     .about =
         "A port is taken by a process that is not ours: fail and say whose it is, or kill it"},
    {"health_check", NULL, RULE_SECTION, .section = &CHECK_RULES,
     .about = "How it is found out whether it works; a string is the `type`"},
    {"type", NULL, RULE_CHOICE, S(readiness), .run = true, .choices = READINESS,
     .fallback = "simple", .about = "`notify`: it says itself when it is ready, by sd_notify(3)"},
    {"watchdog", NULL, RULE_DURATION, S(watchdog), .run = true, .least = 100, .most = DAY_MS,
     .about = "It must say WATCHDOG=1 at least this often, by sd_notify(3)"},
    {"watch", NULL, RULE_SECTION, .section = &WATCH_SET,
     .about = "Restarts it when files change; a string or list is `paths`"},
    {"commands", NULL, RULE_OWN, S(commands), .read = read_commands, .print = print_commands,
     .form = FORM_COMMANDS,
     .about = "Commands that can be run in its environment (`muster run SERVICE NAME`), by name"},
    {"topology", NULL, RULE_SECTION, .section = &TOPOLOGY_SET, .about = "Signs of life"},
    {"health", NULL, RULE_SECTION, .section = &HEALTH_SET,
     .about = "Rules that make it DEGRADED by themselves; `false` turns them off"},
    {"logs", NULL, RULE_SECTION, .section = &LOGS_SET, .about = "Its output"},
    {0},
};
const RuleSet SERVICE_RULES = {SERVICE, NULL};

/* ---- the project ---- */

static const Rule STORE[] = {
    {"size", NULL, RULE_SIZE, P(log_store.disk_size), .least = 1 << 20, .most = INT64_MAX,
     .fallback = "1GiB", .about = "Stored logs of all services; the oldest go first"},
    {"age", NULL, RULE_DURATION, P(log_store.age), .least = 60000, .most = 36500 * DAY_MS,
     .fallback = "7d", .about = "Older ones go"},
    {0},
};
static const RuleSet STORE_SET = {STORE, NULL};

#define FORM_SERVICE "{\"$ref\": \"#/$defs/service\"}"
#define FORM_SERVICES                                                                              \
    "{\"oneOf\": [{\"type\": \"object\", \"additionalProperties\": " FORM_SERVICE                  \
    "}, {\"type\": \"array\", \"items\": " FORM_SERVICE "}]}"

static const Rule PROJECT[] = {
    {"project", NULL, RULE_NAME, P(project), .about = "Its name; left out: that of its folder"},
    {"extends", NULL, RULE_OWN, 0, .read = read_nothing, .hidden = true, .form = FORM_STRINGS,
     .about = "Files that this one is laid upon, relative to it"},
    {"services", NULL, RULE_OWN, 0, .read = read_nothing, .hidden = true, .form = FORM_SERVICES,
     .about = "The services: a map by name, or a list"},
    {"templates", NULL, RULE_OWN, 0, .read = read_nothing, .hidden = true,
     .form = "{\"type\": \"object\", \"additionalProperties\": " FORM_SERVICE "}",
     .about = "What services may extend, and what is none itself"},
    {"defaults", NULL, RULE_OWN, 0, .read = read_nothing, .hidden = true, .form = FORM_SERVICE,
     .about = "What all services extend"},
    {"env", "environment", RULE_OWN, 0, .read = read_nothing, .hidden = true, .form = FORM_ENV,
     .about = "Variables for all services"},
    {"env_files", "env_file", RULE_OWN, 0, .read = read_nothing, .hidden = true,
     .form = FORM_STRINGS,
     .about = "Files of variables for all services, and for `${VAR}`; left out: `.env`, if there "
              "is one"},
    {"secrets", NULL, RULE_OWN, 0, .read = read_nothing, .hidden = true, .form = FORM_SECRETS,
     .about = "Secret variables for all services"},
    {"listen", NULL, RULE_STRINGS, P(listen),
     .about = "Where the runtime is reached: HOST:PORT or unix:PATH; left out: 127.0.0.1:50051"},
    {"data", NULL, RULE_PATH, P(data),
     .about = "Where it keeps what is its own; left out: .muster"},
    {"logs", NULL, RULE_SECTION, .section = &STORE_SET, .about = "The store of logs"},
    {"port_range", NULL, RULE_OWN, P(port_range), .read = read_port_range,
     .print = print_port_range, .form = "{\"type\": \"string\"}", .fallback = "20000-29999",
     .about = "Where assigned ports come from"},
    {0},
};
const RuleSet PROJECT_RULES = {PROJECT, NULL};

/* ---- looking for one ---- */

static bool is_alias(const char *aliases, Span key) {
    for (const char *at = aliases; at && *at;) {
        size_t len = strcspn(at, " ");
        if (span_equal(span(at, len), key))
            return true;
        at += len + (at[len] == ' ');
    }
    return false;
}

const Rule *rule_find(const RuleSet *set, Span key) {
    for (const Rule *rule = set->rules; rule->name; rule++)
        if (strlen(rule->name) == key.len && memcmp(rule->name, key.ptr, key.len) == 0)
            return rule;
    for (const Rule *rule = set->rules; rule->name; rule++)
        if (is_alias(rule->aliases, key))
            return rule;
    return NULL;
}

const char *rule_nearest(const RuleSet *set, Span key) {
    Nearest nearest = nearest_to(key);
    for (const Rule *rule = set->rules; rule->name; rule++)
        nearest_consider(&nearest, span_of(rule->name));
    return nearest.best.ptr; /* a whole name */
}
