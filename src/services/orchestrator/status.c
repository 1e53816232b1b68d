/* Services as the API shows them. Strings point into the orchestrator's objects: a message is valid
 * until the loop turns. */
#include <stdio.h>

#include "schema/codec.h"
#include "services/orchestrator/status.h"

static int64_t ms(Nanos nanos) {
    return nanos / NANOS_PER_MILLI;
}

/* ---- dependencies ---- */

/* "redis is starting" */
static Span explain(const Service *target, const PlanEdge *edge, Arena *arena) {
    const char *state = instance_state_name(service_state(target));
    Buf text = {.arena = arena};
    buf_printf(&text, "%.*s is %s", SPAN_ARGS(target->config->name), state);
    if (edge->condition == RT_DEPENDENCY_CONDITION_COMPLETED)
        buf_add_literal(&text, ", and has to complete");
    if (edge->condition == RT_DEPENDENCY_CONDITION_LOG_LINE)
        buf_add_literal(&text, ", and has not printed the line");
    return buf_span(&text);
}

static void add_dependencies(const Service *service, RtServiceStatus *status, Arena *arena) {
    const Orchestrator *orchestrator = service->orchestrator;
    const PlanNode *node = &orchestrator->plan.nodes.items[service->index];
    for (size_t i = 0; i < node->edges.count; i++) {
        const PlanEdge *edge = &node->edges.items[i];
        const Service *target = orchestrator->services.items[edge->to];
        RtDependencyStatus *shown = schema_append(&status->dependencies, arena);
        shown->service_name = target->config->name;
        shown->kind = (int32_t)edge->kind;
        shown->condition = (int32_t)edge->condition;
        shown->satisfied = plan_edge_satisfied(&orchestrator->plan, edge);
        if (!shown->satisfied)
            shown->message = explain(target, edge, arena);
    }
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        const PlanNode *other = &orchestrator->plan.nodes.items[s];
        for (size_t i = 0; i < other->edges.count; i++)
            if (other->edges.items[i].to == service->index) {
                *(Span *)schema_append(&status->dependants, arena) =
                    orchestrator->services.items[s]->config->name;
                break;
            }
    }
}

/* Those it waits for: dependencies that are not as they should be, or lower orders. */
static bool holds(const Instance *instance, uint32_t other) {
    const Service *service = instance->service;
    const Plan *plan = &service->orchestrator->plan;
    const PlanNode *node = &plan->nodes.items[service->index];
    for (size_t i = 0; i < node->edges.count; i++) {
        const PlanEdge *edge = &node->edges.items[i];
        bool soft = edge->kind == RT_DEPENDENCY_KIND_SOFT;
        if (edge->to == other && edge->kind != RT_DEPENDENCY_KIND_OPTIONAL &&
            !(soft && instance->impatient) && !plan_edge_satisfied(plan, edge))
            return true;
    }
    const PlanNode *lower = &plan->nodes.items[other];
    return node->joined && lower->joined && !lower->settled && lower->order < node->order;
}

void instance_list_waits(const Instance *instance, SpanList *out, Arena *arena) {
    const Orchestrator *orchestrator = instance->service->orchestrator;
    for (uint32_t s = 0; s < orchestrator->services.count; s++)
        if (holds(instance, s))
            *(Span *)schema_append(out, arena) = orchestrator->services.items[s]->config->name;
}

void instance_waits_for(const Instance *instance, Buf *out) {
    Arena arena = {0};
    SpanList names = {0};
    instance_list_waits(instance, &names, &arena);
    for (uint32_t i = 0; i < names.count; i++) {
        buf_add(out, i ? SPAN(", ") : SPAN(""));
        buf_add(out, names.items[i]);
    }
    arena_done(&arena);
}

static void add_waits(const Service *service, RtServiceStatus *status, Arena *arena) {
    for (size_t i = 0; i < service->instances.count; i++) {
        const Instance *instance = service->instances.items[i];
        if (instance->state == RT_SERVICE_STATE_WAITING) {
            instance_list_waits(instance, (SpanList *)&status->waiting_for, arena);
            return;
        }
    }
}

/* ---- instances ---- */

static void add_ports(const Instance *instance, RtServiceInstance *shown, Arena *arena) {
    const Life *life = instance->life;
    for (size_t i = 0; life && i < life->ports.count; i++) {
        *(int32_t *)schema_append(&shown->ports, arena) = life->ports.items[i].port;
        if (!life->ports.items[i].name.len)
            continue; /* found, not given */
        RtServiceInstanceNamedPortsEntry *entry = schema_append(&shown->named_ports, arena);
        entry->key = life->ports.items[i].name;
        entry->value = life->ports.items[i].port;
    }
}

static void fill_usage(const Life *life, RtServiceInstance *shown) {
    shown->cpu_percent = life->cpu_percent;
    shown->memory_bytes = (int64_t)life->usage.memory_bytes;
    shown->threads = (int32_t)life->usage.threads;
    shown->open_files = (int32_t)life->usage.open_files;
    shown->read_bytes = (int64_t)life->usage.read_bytes;
    shown->written_bytes = (int64_t)life->usage.written_bytes;
    shown->processes = (int32_t)life->usage.processes;
}

void instance_fill(const Instance *instance, RtServiceInstance *shown, Arena *arena) {
    const Life *life = instance->life;
    *shown = (RtServiceInstance){
        .instance_id = buf_span(&instance->last_id),
        .state = (int32_t)instance->state,
        .health = (int32_t)instance_health(instance->state),
        .restarts = (int32_t)instance->restarts,
        .started_at_ms = ms(instance->started_wall),
        .ready_at_ms = ms(instance->ready_wall),
        .stopped_at_ms = life ? 0 : ms(instance->stopped_wall),
        .run = instance->run,
        .last_error = buf_span(&instance->error),
        .last_health_check = ms(instance->checked_wall),
        .health_message = buf_span(&instance->health_message),
        .replica = (int32_t)instance->replica,
        .service_id = buf_span(&instance->service_id),
    };
    if (!shown->instance_id.len) {
        Buf id = {.arena = arena};
        buf_printf(&id, "%.*s-%u", SPAN_ARGS(instance->service->config->name),
                   instance->replica + 1);
        shown->instance_id = buf_span(&id);
    }
    if (life && !life->exited) {
        shown->pid = (int32_t)life->identity.pid;
        shown->adopted = life->adopted;
        fill_usage(life, shown);
    }
    if (instance->has_ending && (!life || life->exited)) {
        shown->has_exit_code = instance->ending.known && !instance->ending.signal;
        shown->exit_code = shown->has_exit_code ? instance->ending.code : 0;
        shown->has_exit_signal = instance->ending.known && instance->ending.signal;
        shown->exit_signal = instance->ending.signal;
    }
    add_ports(instance, shown, arena);
}

/* ---- a service ---- */

static void fill_configured(const Service *service, RtServiceStatus *status, Arena *arena) {
    const ServiceConfig *config = service->config;
    status->name = config->name;
    status->description = config->description;
    status->label = config->label;
    status->kind = config->kind;
    status->namespace_ = config->namespace;
    status->start_order = config->start_order;
    status->disabled = config->disabled;
    status->tty = config->tty;
    for (size_t i = 0; i < config->labels.count; i++) {
        RtServiceStatusLabelsEntry *entry = schema_append(&status->labels, arena);
        entry->key = config->labels.items[i].name;
        entry->value = config->labels.items[i].value;
    }
    for (size_t i = 0; i < config->commands.count; i++)
        *(Span *)schema_append(&status->commands, arena) = config->commands.items[i].name;
    for (size_t i = 0; i < config->command.argv.count; i++)
        *(Span *)schema_append(&status->command_line, arena) = config->command.argv.items[i].text;
    Buf schedule = {.arena = arena};
    if (config->schedule.cron.len)
        buf_add(&schedule, config->schedule.cron);
    else if (config->schedule.interval)
        buf_printf(&schedule, "every %.6g s",
                   (double)config->schedule.interval / (double)NANOS_PER_SECOND);
    status->schedule = buf_span(&schedule);
}

/* What its instances add up to. */
static void sum_up(const RtServiceInstance *shown, RtServiceStatus *status, Arena *arena) {
    status->cpu_percent += shown->cpu_percent;
    status->memory_bytes += shown->memory_bytes;
    for (uint32_t i = 0; i < shown->ports.count; i++)
        *(int32_t *)schema_append(&status->ports, arena) = shown->ports.items[i];
    if (shown->last_error.len)
        status->last_error = shown->last_error;
    if (shown->last_health_check >= status->last_health_check) {
        status->last_health_check = shown->last_health_check;
        if (shown->health_message.len)
            status->health_message = shown->health_message;
    }
    if (shown->pid && (!status->started_at_ms || shown->started_at_ms < status->started_at_ms))
        status->started_at_ms = shown->started_at_ms;
    if (shown->has_exit_code || shown->has_exit_signal) {
        status->has_exit_code = shown->has_exit_code;
        status->exit_code = shown->exit_code;
        status->has_exit_signal = shown->has_exit_signal;
        status->exit_signal = shown->exit_signal;
    }
}

static bool is_good(int32_t state) {
    return instance_is_good((RtServiceState)state);
}

void service_fill(const Service *service, RtServiceStatus *status, Arena *arena) {
    *status = (RtServiceStatus){
        .state = (int32_t)service_state(service),
        .health = (int32_t)service_health(service),
        .restarts = (int32_t)service->restarts,
        .replicas = (int32_t)service->replicas,
        .stopped_by_user = service->stopped_by_user,
        .next_start_ms = ms(service->next_run),
    };
    fill_configured(service, status, arena);
    add_dependencies(service, status, arena);
    add_waits(service, status, arena);
    for (size_t i = 0; i < service->instances.count; i++) {
        const Instance *instance = service->instances.items[i];
        RtServiceInstance *shown = schema_append(&status->instances, arena);
        instance_fill(instance, shown, arena);
        sum_up(shown, status, arena);
        if ((int32_t)instance->attempts > status->attempts)
            status->attempts = (int32_t)instance->attempts;
        if (instance->next_start)
            status->next_start_ms = ms(instance->next_start);
        if (instance->state == RT_SERVICE_STATE_SKIPPED)
            status->health_message = buf_span(&instance->reason);
    }
    if (is_good(status->state))
        status->last_error = (Span){0};
    for (size_t i = 0; !is_good(status->state) && i < service->last_output.count; i++)
        *(Span *)schema_append(&status->last_output, arena) =
            span_of(service->last_output.items[i]);
}

/* ---- all of it ---- */

static const char *summary(const Orchestrator *orchestrator) {
    bool starting = false, stopping = orchestrator->stopping, running = false;
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        const Service *service = orchestrator->services.items[s];
        RtServiceState state = service_state(service);
        starting |= state == RT_SERVICE_STATE_PENDING || state == RT_SERVICE_STATE_WAITING ||
                    state == RT_SERVICE_STATE_STARTING;
        running |=
            service->config->kind != RT_SERVICE_KIND_BUILTIN &&
            (instance_is_up(state) || state == RT_SERVICE_STATE_BACKING_OFF || service->next_run);
    }
    return stopping && running ? "stopping"
           : starting          ? "starting"
           : running           ? "running"
                               : "stopped";
}

void orchestrator_fill(const Orchestrator *orchestrator, RtOrchestratorStatus *status,
                       Arena *arena) {
    *status = (RtOrchestratorStatus){
        .status = span_of(summary(orchestrator)),
        .total_services = (int32_t)orchestrator->services.count,
        .runtime_memory_bytes = orchestrator->runtime_memory,
        .runtime_cpu_percent = orchestrator->runtime_cpu,
    };
    for (Span rest = orchestrator->options.addresses; rest.len;) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        Span line = span(rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len);
        *(Span *)schema_append(&status->addresses, arena) = line;
        rest = span_skip(rest, line.len + (end != NULL));
    }
    if (!orchestrator->config)
        return;
    const Config *config = orchestrator->config;
    status->project = config->project;
    status->configuration_revision = config->number;
    for (size_t i = 0; i < config->files.count; i++)
        if (!span_equal(config->files.items[i].format, SPAN("env")))
            *(Span *)schema_append(&status->configuration_files, arena) =
                config->files.items[i].path;
    PbTimestamp *started = schema_new(&PbTimestamp_type, arena);
    started->seconds = orchestrator->started_at / NANOS_PER_SECOND;
    started->nanos = (int32_t)(orchestrator->started_at % NANOS_PER_SECOND);
    status->started_at = started;
    for (size_t s = 0; s < orchestrator->services.count; s++) {
        RtServiceState state = service_state(orchestrator->services.items[s]);
        bool runs = instance_is_up(state) && state != RT_SERVICE_STATE_STOPPING;
        status->running_services += runs;
        status->healthy_services +=
            state == RT_SERVICE_STATE_HEALTHY || state == RT_SERVICE_STATE_RUNNING;
        status->failed_services += state == RT_SERVICE_STATE_FAILED;
    }
}
