/* When an instance is probed, and what its answers lead to. While it starts it is asked often, so
 * that nobody waits for the next turn of a slow interval. */
#include <stdio.h>
#include <stdlib.h>

#include "services/orchestrator/program_probe.h"

#define PAUSE_FIRST (20 * NANOS_PER_MILLI)
#define PAUSE_LAST  NANOS_PER_SECOND
#define PROOF       (50 * NANOS_PER_MILLI)

static World *world_of(const Instance *instance) {
    return instance->service->orchestrator->world;
}

static const ConfigCheck *check_of(const Instance *instance) {
    return &instance->service->config->health_check;
}

/* ---- where to ask ---- */

static Span fill(const ConfigText *text, Instance *instance, Buf *out) {
    buf_clear(out);
    config_fill(text, launch_lookup, instance, out);
    return buf_span(out);
}

/* http://HOST:PORT/PATH, HOST:PORT, or only a path. */
static void read_endpoint(Span endpoint, ProbeSpec *spec, Span *host_port) {
    spec->tls = span_starts(endpoint, SPAN("https://"));
    bool web = spec->tls || span_starts(endpoint, SPAN("http://"));
    if (web)
        endpoint = span_skip(endpoint, spec->tls ? 8 : 7);
    const char *slash = endpoint.len ? memchr(endpoint.ptr, '/', endpoint.len) : NULL;
    if (spec->kind == PROBE_HTTP && !web) {
        spec->path = endpoint;
    } else {
        size_t len = slash ? (size_t)(slash - endpoint.ptr) : endpoint.len;
        *host_port = span(endpoint.ptr, len);
        spec->path = span_skip(endpoint, len);
    }
}

static bool set_address(Instance *instance, ProbeSpec *spec, Span host_port, Buf *scratch) {
    const ConfigCheck *check = check_of(instance);
    Buf text = {0};
    if (host_port.len) {
        buf_add(&text, host_port);
        if (!memchr(host_port.ptr, ':', host_port.len))
            buf_add(&text, spec->tls ? SPAN(":443") : SPAN(":80"));
    } else {
        Span host = check->host.len ? check->host : SPAN("127.0.0.1");
        bool bare = memchr(host.ptr, ':', host.len) != NULL; /* an IPv6 literal */
        buf_printf(&text, bare ? "[%.*s]:" : "%.*s:", SPAN_ARGS(host));
        Span port = fill(&check->port, instance, scratch);
        if (port.len)
            buf_add(&text, port);
        else
            buf_printf(&text, "%u", service_port(instance->service, instance, check->port_name));
    }
    bool right = address_parse(buf_span(&text), &spec->address);
    buf_done(&text);
    return right;
}

/* ---- asking ---- */

static void on_answer(void *owner, const ProbeResult *result);

static void ask_program(Instance *instance) {
    const ConfigCheck *check = check_of(instance);
    Arena arena = {0};
    LaunchTexts argv = {0}, env = {0};
    launch_arguments(instance, &check->command, &arena, &argv);
    launch_environment(instance, &arena, &env);
    ProcessSpec spec = {
        .argv = argv.items,
        .argv_count = argv.count,
        .env = env.items,
        .env_count = env.count,
        .cwd = instance->service->config->working_dir,
    };
    int error = 0;
    instance->checker.program = program_probe_start(instance->service->orchestrator, &spec,
                                                    check->timeout, on_answer, instance, &error);
    if (error < 0)
        instance_set_health(instance, span_of(strerror(-error)));
    array_done(&argv);
    array_done(&env);
    arena_done(&arena);
}

static void on_time(Timer *timer) {
    Instance *instance = CONTAINER(timer, Instance, checker.timer);
    static const ProbeKind KINDS[] = {
        [CONFIG_CHECK_GRPC] = PROBE_GRPC,
        [CONFIG_CHECK_HTTP] = PROBE_HTTP,
        [CONFIG_CHECK_TCP] = PROBE_TCP,
    };
    const ConfigCheck *check = check_of(instance);
    if (check->type == CONFIG_CHECK_NONE) {
        instance->checker.active = false;
        instance_happens(instance, INSTANCE_RUNS);
        return;
    }
    if (check->type == CONFIG_CHECK_EXEC) {
        ask_program(instance);
        return;
    }
    ProbeSpec spec = {.kind = KINDS[check->type], .timeout = check->timeout};
    Buf endpoint = {0}, scratch = {0};
    Span host_port = {0}, text = fill(&check->endpoint, instance, &endpoint);
    if (spec.kind == PROBE_GRPC)
        spec.service = text;
    else
        read_endpoint(text, &spec, &host_port);
    if (set_address(instance, &spec, host_port, &scratch))
        instance->checker.probe = probe_start(world_of(instance), &spec, on_answer, instance);
    else
        instance_set_health(instance, SPAN("the check has no port to ask at"));
    buf_done(&endpoint);
    buf_done(&scratch);
}

/* ---- what was answered ---- */

static void plan_next(Instance *instance) {
    Checker *checker = &instance->checker;
    const ConfigCheck *check = check_of(instance);
    Nanos pause = check->interval;
    if (checker->debounce.verdict != VERDICT_HEALTHY || checker->debounce.failures) {
        Nanos longest = check->interval < PAUSE_LAST ? check->interval : PAUSE_LAST;
        if (checker->debounce.verdict == VERDICT_NONE) {
            pause = checker->pause < longest ? checker->pause : longest;
            checker->pause = pause + pause / 2;
        }
    }
    wheel_arm(world_wheel(world_of(instance)), &checker->timer,
              world_now(world_of(instance)) + pause);
}

static void judge(Instance *instance, bool passed) {
    Checker *checker = &instance->checker;
    bool changed = debounce_probe(&checker->debounce, passed);
    if (changed && passed) {
        instance_happens(instance, INSTANCE_PASSED);
    } else if (changed) {
        instance_fault(instance, "unhealthy: %.*s", SPAN_ARGS(buf_span(&instance->health_message)));
        instance_happens(instance, INSTANCE_AILS);
    } else if (!passed && checker->debounce.verdict == VERDICT_HEALTHY) {
        instance_event(instance, RT_SERVICE_EVENT_TYPE_HEALTH_CHECK_FAILED,
                       "health check failed (%u of %u): %.*s", checker->debounce.failures,
                       checker->debounce.failure_threshold,
                       SPAN_ARGS(buf_span(&instance->health_message)));
    }
    service_figures(instance->service);
}

static void on_answer(void *owner, const ProbeResult *result) {
    Instance *instance = owner;
    const ServiceConfig *config = instance->service->config;
    instance->checker.probe = NULL;
    instance->checker.program = NULL;
    instance->checked_wall = world_wall(world_of(instance));
    instance_set_health(instance, result->message);
    instance_publish_probe(instance, result);
    judge(instance, result->passed);
    if (!instance_is_up(instance->state) || instance->state == RT_SERVICE_STATE_STOPPING)
        return;
    if (instance->state == RT_SERVICE_STATE_UNHEALTHY && instance->life &&
        config->restart.policy != CONFIG_RESTART_NEVER) {
        char why[320];
        snprintf(why, sizeof why, "unhealthy: %.*s",
                 SPAN_ARGS(buf_span(&instance->health_message)));
        instance_renew(instance, SPAN("health check"), why);
        return;
    }
    plan_next(instance);
}

static void on_line(void *owner, Span line) {
    Instance *instance = owner;
    instance->checker.watch = NULL;
    instance->checked_wall = world_wall(world_of(instance));
    char text[200];
    snprintf(text, sizeof text, "it printed: %.*s", line.len < 160 ? (int)line.len : 160,
             line.ptr ? line.ptr : "");
    instance_set_health(instance, span_of(text));
    instance->checker.debounce.success_threshold = 1;
    judge(instance, true);
}

static void wait_for_line(Instance *instance) {
    Orchestrator *orchestrator = instance->service->orchestrator;
    Buf reason = {0};
    if (!orchestrator->logs)
        instance_set_health(instance, SPAN("output is not read, so no line can be waited for"));
    else if (logs_watch(orchestrator->logs, buf_span(&instance->last_id),
                        check_of(instance)->pattern, on_line, instance, &instance->checker.watch,
                        &reason) < 0)
        instance_set_health(instance, buf_span(&reason));
    else
        instance_set_health(instance, SPAN("it has not printed the line yet"));
    buf_done(&reason);
}

/* ---- beginning and end ---- */

/* What nothing checks counts as running when it has lived for a moment: much that cannot work ends
 * at once. */
static void wait_for_proof(Instance *instance) {
    const ServiceConfig *config = instance->service->config;
    bool proven = config->kind != RT_SERVICE_KIND_PROCESS || instance->said_ready ||
                  instance->state != RT_SERVICE_STATE_STARTING ||
                  world_wall(world_of(instance)) - instance->started_wall >= PROOF;
    if (proven) {
        instance_happens(instance, INSTANCE_RUNS);
        return;
    }
    instance->checker.active = true;
    wheel_arm(world_wheel(world_of(instance)), &instance->checker.timer,
              world_now(world_of(instance)) + PROOF);
}

void checker_start(Instance *instance) {
    const ConfigCheck *check = check_of(instance);
    Checker *checker = &instance->checker;
    if (checker->active)
        return;
    if (check->type == CONFIG_CHECK_NONE) {
        wait_for_proof(instance);
        return;
    }
    checker->active = true;
    checker->pause = PAUSE_FIRST;
    checker->debounce = (Debounce){
        .success_threshold = (uint32_t)check->success_threshold,
        .failure_threshold = (uint32_t)check->failure_threshold,
    };
    buf_clear(&instance->health_message);
    if (check->type == CONFIG_CHECK_LOG_LINE)
        wait_for_line(instance);
    else
        wheel_arm(world_wheel(world_of(instance)), &checker->timer,
                  world_now(world_of(instance)) + check->initial_delay);
}

void checker_resume(Instance *instance) {
    checker_start(instance);
    if (instance->checker.active)
        instance->checker.debounce.verdict = VERDICT_HEALTHY;
}

void checker_stop(Instance *instance) {
    Checker *checker = &instance->checker;
    wheel_cancel(world_wheel(world_of(instance)), &checker->timer);
    if (checker->probe)
        probe_cancel(checker->probe);
    if (checker->program)
        program_probe_cancel(checker->program);
    if (checker->watch)
        logs_unwatch(checker->watch);
    checker->probe = NULL;
    checker->program = NULL;
    checker->watch = NULL;
    checker->active = false;
}

void checker_init(Instance *instance) {
    instance->checker.timer.fire = on_time;
}
