/* How a process is started: its ports, environment and command line, and the label by which a later
 * life of the runtime knows it again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/text.h"
#include "services/orchestrator/internal.h"

/* ---- what the configuration leaves open ---- */

static bool put_port(uint16_t port, Buf *out) {
    if (port)
        buf_printf(out, "%u", port);
    return port != 0;
}

static bool put_port_of(const Instance *instance, Span name, Buf *out) {
    for (size_t i = 0; i < name.len; i++) {
        Span rest = span_skip(name, i + 1);
        if (name.ptr[i] != '.')
            continue;
        const Service *other =
            orchestrator_find(instance->service->orchestrator, span(name.ptr, i));
        const Instance *first = other && other->instances.count ? other->instances.items[0] : NULL;
        if (other && put_port(service_port(other, first, rest), out))
            return true;
    }
    return instance->life && put_port(life_port(instance->life, name), out);
}

bool launch_lookup(void *owner, Span name, Buf *out) {
    const Instance *instance = owner;
    const Orchestrator *orchestrator = instance->service->orchestrator;
    if (span_equal(name, SPAN("PORT")))
        return instance->life && put_port(life_port(instance->life, (Span){0}), out);
    if (span_starts(name, SPAN("ports.")))
        return put_port_of(instance, span_skip(name, sizeof "ports." - 1), out);
    if (span_equal(name, SPAN("replica")))
        buf_printf(out, "%u", instance->replica);
    else if (span_equal(name, SPAN("instance")))
        buf_add(out, buf_span(&instance->last_id));
    else if (span_equal(name, SPAN("address")))
        buf_add(out, orchestrator->options.address);
    else
        return false;
    return true;
}

static Span fill(const ConfigText *text, Instance *instance, Arena *arena) {
    if (!text->open)
        return text->text;
    Buf out = {.arena = arena};
    config_fill(text, launch_lookup, instance, &out);
    return buf_span(&out);
}

/* ---- arguments and environment ---- */

void launch_arguments(Instance *instance, const ConfigCommand *command, Arena *arena,
                      LaunchTexts *out) {
    for (size_t i = 0; i < command->argv.count; i++)
        *array_push(out) = fill(&command->argv.items[i], instance, arena);
}

static Span variable_name(Span variable) {
    const char *at = variable.len ? memchr(variable.ptr, '=', variable.len) : NULL;
    return span(variable.ptr, at ? (size_t)(at - variable.ptr) : variable.len);
}

static void set_variable(LaunchTexts *env, Span name, Span value, Arena *arena) {
    Buf text = {.arena = arena};
    buf_add(&text, name);
    buf_add_char(&text, '=');
    buf_add(&text, value);
    for (size_t i = 0; i < env->count; i++)
        if (span_equal(variable_name(env->items[i]), name)) {
            env->items[i] = buf_span(&text);
            return;
        }
    *array_push(env) = buf_span(&text);
}

/* What the runtime has from its own parent and its children must not inherit. */
static bool is_private(Span name) {
    return span_starts(name, SPAN("MUSTER_")) || span_starts(name, SPAN("LISTEN_")) ||
           span_equal(name, SPAN("NOTIFY_SOCKET")) || span_equal(name, SPAN("WATCHDOG_USEC")) ||
           span_equal(name, SPAN("WATCHDOG_PID")) || span_equal(name, SPAN("PORT"));
}

static void set_own(Instance *instance, Arena *arena, LaunchTexts *env) {
    const Orchestrator *orchestrator = instance->service->orchestrator;
    char token[TOKEN_MAX];
    Span id = buf_span(&instance->last_id);
    size_t len = orchestrator->options.access
                     ? token_make(orchestrator->options.access, SCHEMA_SCOPE_REPORT, id, token)
                     : 0;
    uint16_t port = instance->life ? life_port(instance->life, (Span){0}) : 0;
    Buf number = {.arena = arena};
    if (put_port(port, &number))
        set_variable(env, SPAN("PORT"), buf_span(&number), arena);
    set_variable(env, SPAN("MUSTER_ADDRESS"), orchestrator->options.address, arena);
    set_variable(env, SPAN("MUSTER_SERVICE"), instance->service->config->name, arena);
    set_variable(env, SPAN("MUSTER_INSTANCE"), id, arena);
    set_variable(env, SPAN("MUSTER_DATA"), span_of(orchestrator->options.data_folder), arena);
    if (len)
        set_variable(env, SPAN("MUSTER_TOKEN"), span(token, len), arena);
}

void launch_environment(Instance *instance, Arena *arena, LaunchTexts *env) {
    const ServiceConfig *config = instance->service->config;
    const char *const *inherited = instance->service->orchestrator->options.environment;
    for (size_t i = 0; inherited && inherited[i]; i++)
        if (!is_private(variable_name(span_of(inherited[i]))))
            *array_push(env) = span_of(inherited[i]);
    set_own(instance, arena, env);
    for (size_t i = 0; i < config->env.count; i++) {
        const ConfigVariable *variable = &config->env.items[i];
        set_variable(env, variable->name, fill(&variable->value, instance, arena), arena);
    }
    if (config->watchdog) {
        Buf number = {.arena = arena};
        buf_printf(&number, "%lld", (long long)(config->watchdog / NANOS_PER_MICRO));
        set_variable(env, SPAN("WATCHDOG_USEC"), buf_span(&number), arena);
    }
}

/* ---- labels: "instance SERVICE REPLICA RUN HASH PORT,PORT…", blanks in names as they are ---- */

static Span make_label(const Life *life, uint64_t run_hash, Arena *arena) {
    Buf label = {.arena = arena};
    buf_printf(&label, "instance\t%s\t%u\t%lld\t%llx\t", life->service, life->replica,
               (long long)life->run, (unsigned long long)run_hash);
    for (size_t i = 0; i < life->ports.count; i++)
        buf_printf(&label, "%s%.*s=%u", i ? "," : "", SPAN_ARGS(life->ports.items[i].name),
                   life->ports.items[i].port);
    return buf_span(&label);
}

static Span take(Span *text, char separator) {
    const char *at = text->len ? memchr(text->ptr, separator, text->len) : NULL;
    Span part = {text->ptr, at ? (size_t)(at - text->ptr) : text->len};
    *text = at ? span_skip(*text, part.len + 1) : (Span){0};
    return part;
}

bool launch_read_label(Span label, LaunchLabel *ret) {
    uint64_t replica, run;
    if (!span_equal(take(&label, '\t'), SPAN("instance")))
        return false;
    ret->service = take(&label, '\t');
    if (!parse_u64(take(&label, '\t'), &replica) || !parse_u64(take(&label, '\t'), &run))
        return false;
    char hash[17] = {0};
    Span digits = take(&label, '\t');
    memcpy(hash, digits.ptr ? digits.ptr : "", digits.len < 16 ? digits.len : 16);
    ret->replica = (uint32_t)replica;
    ret->run = (int64_t)run;
    ret->run_hash = strtoull(hash, NULL, 16);
    ret->ports = label;
    return true;
}

void launch_read_ports(Span text, Life *life) {
    while (text.len) {
        Span entry = take(&text, ','), name = take(&entry, '=');
        uint64_t port;
        if (parse_u64(entry, &port) && port <= UINT16_MAX)
            *array_push(&life->ports) = (NamedPort){arena_copy(&life->arena, name), (uint16_t)port};
    }
}

/* ---- starting ---- */

static void set_limits(const ServiceConfig *config, ProcessSpec *spec, ProcessRlimit *files) {
    spec->limits.memory_bytes = (uint64_t)config->limits.memory;
    spec->limits.cpu_millis = (uint32_t)(config->limits.cpu * 1000);
    spec->limits.processes = (uint32_t)config->limits.processes;
    if (!config->limits.files)
        return;
    *files = (ProcessRlimit){RLIMIT_NOFILE, (uint64_t)config->limits.files,
                             (uint64_t)config->limits.files};
    spec->rlimits = files;
    spec->rlimit_count = 1;
}

/* A limit of memory is kept by a cgroup where there can be one, and watched besides
 * (resources.c), so that it holds everywhere. */
static int start_process(Instance *instance) {
    const ServiceConfig *config = instance->service->config;
    Life *life = instance->life;
    Arena arena = {0};
    LaunchTexts argv = {0}, env = {0};
    launch_arguments(instance, &config->command, &arena, &argv);
    launch_environment(instance, &arena, &env);
    ProcessRlimit files;
    ProcessSpec spec = {
        .id = span_of(life->child.id),
        .label = make_label(life, config->run_hash, &arena),
        .argv = argv.items,
        .argv_count = argv.count,
        .env = env.items,
        .env_count = env.count,
        .cwd = config->working_dir,
        .terminal = config->tty,
        .input = config->stdin_open,
        .notify = config->readiness == CONFIG_READY_NOTIFY || config->watchdog,
        .ring_size = (size_t)config->logs.ring_size,
    };
    set_limits(config, &spec, &files);
    int result = process_start(life->orchestrator->host, &spec);
    array_done(&argv);
    array_done(&env);
    arena_done(&arena);
    return result;
}

void launch_go_on(Instance *instance) {
    PortsAnswer answer = ports_take(instance);
    Life *life = instance->life;
    if (answer == PORTS_REFUSED)
        instance_not_started(instance, false);
    if (answer != PORTS_READY)
        return;
    int error = start_process(instance);
    if (error < 0) {
        instance_fault(instance, "cannot be started: %s", strerror(-error));
        instance_not_started(instance, false);
        return;
    }
    life->spawned = true;
}

void launch(Instance *instance) {
    instance->attempts++;
    instance->said_ready = false;
    instance->watchdogs = 0;
    buf_clear(&instance->health_message);
    backoff_spawned(&instance->backoff);
    instance_arm_limit(instance);
    if (instance->service->config->kind == RT_SERVICE_KIND_EXTERNAL) {
        checker_start(instance);
        return;
    }
    service_clear_last_output(instance->service);
    life_new(instance);
    launch_go_on(instance);
}
