/* muster ps, muster status: the services as they are. */
#include <stdio.h>
#include <unistd.h>

#include "base/nearest.h"
#include "cli/project/service_list.h"
#include "cli/project/service_view.h"
#include "cli/remote.h"
#include "cli/table.h"

static const char HELP[] =
    "Usage: muster ps [options] [SERVICE…]\n"
    "\n"
    "Shows the services of the running project: state, health, restarts, how long they run, what "
    "they\n"
    "use, and what is wrong or waited for. With --quiet, their names. muster status is the same.\n"
    "\n"
    "  -w, --watch            go on, and show what changes\n"
    "  -a, --all              a line for each instance, too\n" REMOTE_JSON_HELP REMOTE_HELP;

typedef struct Ps {
    Remote remote;
    ServiceList services;
    char *const *names;
    size_t name_count;
    bool watch, all, live;
    bool drawn;
    int result;
} Ps;

static bool is_wanted(const Ps *ps, Span name) {
    for (size_t i = 0; i < ps->name_count; i++)
        if (span_equal(span_of(ps->names[i]), name))
            return true;
    return ps->name_count == 0;
}

static int check_names(const Ps *ps) {
    for (size_t i = 0; i < ps->name_count; i++) {
        Span name = span_of(ps->names[i]);
        if (service_list_find(&ps->services, name))
            continue;
        Nearest nearest = nearest_to(name);
        for (size_t j = 0; j < ps->services.items.count; j++)
            nearest_consider(&nearest, ps->services.items.items[j]->status->name);
        if (nearest.best.len)
            return cli_fail(EXIT_ABSENT, "no such service: %s: did you mean %.*s?", ps->names[i],
                            SPAN_ARGS(nearest.best));
        return cli_fail(EXIT_ABSENT, "no such service: %s: see muster ps", ps->names[i]);
    }
    return 0;
}

/* ---- the table ---- */

static bool is_taken_over(const RtServiceStatus *service) {
    for (size_t i = 0; i < service->instances.count; i++)
        if (service->instances.items[i].adopted)
            return true;
    return false;
}

/* What is wrong, waited for or worth knowing. */
static void add_note(Buf *note, const RtServiceStatus *service, Nanos wall) {
    if (service->waiting_for.count) {
        buf_add_literal(note, "waits for ");
        add_names(note, service->waiting_for.items, service->waiting_for.count);
    } else if (service->last_error.len) {
        buf_add(note, service->last_error);
    } else if (service->health == RT_HEALTH_STATE_UNHEALTHY ||
               service->health == RT_HEALTH_STATE_DEGRADED ||
               service->state == RT_SERVICE_STATE_SKIPPED) {
        buf_add(note, service->health_message);
    } else if (!state_is_good((RtServiceState)service->state)) {
        add_exit(note, service);
    } else if (is_taken_over(service)) {
        buf_add_literal(note, "taken over: it ran already");
    }
    if (service->next_start_ms) {
        buf_printf(note, "%snext start in ", note->len ? "; " : "");
        add_duration(note, service->next_start_ms * NANOS_PER_MILLI - wall);
    }
}

/* A process that runs has some memory: none means that nobody has measured it yet. */
static void add_use(Table *table, bool runs, double cpu_percent, int64_t memory) {
    Buf bytes = {0};
    add_bytes(&bytes, memory);
    if (runs && !memory) {
        table_cell(table, style(table->style, STYLE_DIM), "–");
        table_cell(table, style(table->style, STYLE_DIM), "–");
    } else if (runs) {
        table_cell(table, "", "%.1f %%", cpu_percent);
        table_cell(table, "", "%.*s", SPAN_ARGS(buf_span(&bytes)));
    } else {
        table_cell(table, "", "%s", "");
        table_cell(table, "", "%s", "");
    }
    buf_done(&bytes);
}

static void add_uptime(Table *table, Nanos wall, int64_t started_at_ms) {
    Buf time = {0};
    if (started_at_ms)
        add_duration(&time, wall - started_at_ms * NANOS_PER_MILLI);
    table_cell(table, "", "%.*s", SPAN_ARGS(buf_span(&time)));
    buf_done(&time);
}

static void add_state(Table *table, int32_t state, int32_t health) {
    Style on = table->style;
    bool well = health == RT_HEALTH_STATE_HEALTHY, ill = health == RT_HEALTH_STATE_UNHEALTHY;
    table_cell(table, style(on, state_style((RtServiceState)state)), "%s",
               state_text((RtServiceState)state));
    table_cell(table,
               style(on, well  ? STYLE_GOOD
                         : ill ? STYLE_BAD
                               : STYLE_DIM),
               "%s", health_text((RtHealthState)health));
}

static void add_service(Table *table, const RtServiceStatus *service, Nanos wall) {
    Buf ports = {0}, note = {0};
    add_ports(&ports, service->ports.items, service->ports.count);
    add_note(&note, service, wall);
    table_cell(table, style_service(table->style, service->name), "%.*s", SPAN_ARGS(service->name));
    add_state(table, service->state, service->health);
    table_cell(table, "", "%d", service->restarts);
    add_uptime(table, wall, service->started_at_ms);
    add_use(table, service->started_at_ms != 0, service->cpu_percent, service->memory_bytes);
    if (service->instances.count == 1 && service->instances.items[0].pid)
        table_cell(table, "", "%d", service->instances.items[0].pid);
    else
        table_cell(table, "", "%s", "");
    table_cell(table, "", "%.*s", SPAN_ARGS(buf_span(&ports)));
    table_cell(table, "", "%.*s", SPAN_ARGS(buf_span(&note)));
    buf_done(&ports);
    buf_done(&note);
}

static void add_instance(Table *table, const RtServiceInstance *instance, Nanos wall) {
    Buf ports = {0};
    add_ports(&ports, instance->ports.items, instance->ports.count);
    table_cell(table, style(table->style, STYLE_DIM), "  %.*s", SPAN_ARGS(instance->instance_id));
    add_state(table, instance->state, instance->health);
    table_cell(table, "", "%d", instance->restarts);
    add_uptime(table, wall, instance->pid ? instance->started_at_ms : 0);
    add_use(table, instance->pid != 0, instance->cpu_percent, instance->memory_bytes);
    if (instance->pid)
        table_cell(table, "", "%d", instance->pid);
    else
        table_cell(table, "", "%s", "");
    table_cell(table, "", "%.*s", SPAN_ARGS(buf_span(&ports)));
    table_cell(table, "", "%.*s", SPAN_ARGS(instance->last_error));
    buf_done(&ports);
}

static void draw(const Ps *ps, Buf *out) {
    static const char *const TITLES[] = {"SERVICE", "STATE", "HEALTH", "RESTARTS", "UP", "CPU",
                                         "MEMORY",  "PID",   "PORTS",  "NOTE",     NULL};
    Nanos wall = world_wall(ps->remote.peer.world);
    Table table;
    table_init(&table, ps->remote.style, TITLES);
    for (size_t i = 0; i < ps->services.items.count; i++) {
        const RtServiceStatus *service = ps->services.items.items[i]->status;
        if (!is_wanted(ps, service->name))
            continue;
        add_service(&table, service, wall);
        for (size_t j = 0; j < service->instances.count; j++)
            if (ps->all || service->replicas > 1)
                add_instance(&table, &service->instances.items[j], wall);
    }
    bool empty = table.cells.count == table.columns;
    if (!empty)
        table_write(&table, ps->live ? (size_t)style_columns() : 0, out);
    else
        buf_add_literal(out, "no services\n");
    table_done(&table);
}

/* ---- once ---- */

static void print_names(const Ps *ps) {
    for (size_t i = 0; i < ps->services.items.count; i++) {
        Span name = ps->services.items.items[i]->status->name;
        if (is_wanted(ps, name))
            printf("%.*s\n", SPAN_ARGS(name));
    }
}

static void on_status(void *owner, const void *message) {
    Ps *ps = owner;
    service_list_set(&ps->services, message);
    ps->result = check_names(ps);
    if (ps->result)
        return;
    if (ps->remote.json) {
        RtOrchestratorStatus status = *(const RtOrchestratorStatus *)message;
        size_t kept = 0;
        for (size_t i = 0; i < status.services.count; i++)
            if (is_wanted(ps, status.services.items[i].name))
                status.services.items[kept++] = status.services.items[i];
        status.services.count = (uint32_t)kept;
        remote_print_json(&RtOrchestratorStatus_type, &status, false);
        return;
    }
    if (ps->remote.quiet) {
        print_names(ps);
        return;
    }
    Buf out = {0};
    draw(ps, &out);
    fwrite(out.ptr, 1, out.len, stdout);
    buf_done(&out);
}

/* ---- --watch ---- */

/* Without a terminal: a line for each change of state. */
static void print_changes(const Ps *ps, const RtWatchServicesResponse *change) {
    for (size_t i = 0; i < change->services.count; i++) {
        const RtServiceStatus *service = &change->services.items[i];
        for (size_t j = 0; j < ps->services.items.count; j++) {
            const ServiceItem *item = ps->services.items.items[j];
            if (!span_equal(item->status->name, service->name) ||
                item->before == (RtServiceState)service->state)
                continue;
            Buf note = {0};
            add_note(&note, service, world_wall(ps->remote.peer.world));
            printf("%.*s: %s%s%.*s\n", SPAN_ARGS(service->name),
                   state_text((RtServiceState)service->state), note.len ? ": " : "",
                   SPAN_ARGS(buf_span(&note)));
            buf_done(&note);
        }
    }
    fflush(stdout);
}

static void on_change(void *owner, const void *message) {
    Ps *ps = owner;
    if (ps->remote.json) {
        remote_print_json(&RtWatchServicesResponse_type, message, true);
        return;
    }
    service_list_update(&ps->services, message);
    if (!ps->live) {
        print_changes(ps, message);
        return;
    }
    if (!ps->services.complete)
        return;
    Buf out = {0};
    buf_add(&out, ps->drawn ? SPAN("\033[H") : SPAN("\033[2J\033[H"));
    size_t from = out.len;
    draw(ps, &out);
    fwrite(out.ptr, 1, from, stdout);
    for (Span rest = span_skip(buf_span(&out), from); rest.len;) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
        printf("%.*s\033[K\n", (int)len, rest.ptr);
        rest = span_skip(rest, len + 1);
    }
    fputs("\033[J", stdout);
    fflush(stdout);
    ps->drawn = true;
    buf_done(&out);
}

static int watch(Ps *ps) {
    Span *names = arena_alloc(&ps->remote.peer.arena, (ps->name_count + 1) * sizeof *names);
    for (size_t i = 0; i < ps->name_count; i++)
        names[i] = span_of(ps->names[i]);
    RtWatchServicesRequest request = {0};
    request.service_names.items = names;
    request.service_names.count = (uint32_t)ps->name_count;
    return remote_ask(&ps->remote, ORCHESTRATOR_METHOD(WatchServices), &request, on_change, ps);
}

/* ---- the command ---- */

static int take_option(void *owner, int option, char *value) {
    Ps *ps = owner;
    if (option == 'w')
        ps->watch = true;
    else if (option == 'a')
        ps->all = true;
    else
        return remote_option(&ps->remote, option, value);
    return 0;
}

static int run(int argc, char **argv) {
    static const struct option OPTIONS[] = {
        REMOTE_OPTIONS,
        REMOTE_JSON_OPTION,
        {"watch", no_argument, NULL, 'w'},
        {"all", no_argument, NULL, 'a'},
        {0},
    };
    Ps ps = {0};
    OptionSet set = {
        .command = &COMMAND_PS,
        .options = OPTIONS,
        .short_options = REMOTE_SHORT "wa",
        .take = take_option,
        .owner = &ps,
        .most = -1,
    };
    int result = options_read(&set, argc, argv);
    if (result)
        return result == OPTIONS_HELPED ? EXIT_DONE : result;
    ps.names = argv + optind;
    ps.name_count = (size_t)(argc - optind);
    result = remote_open(&ps.remote, &COMMAND_PS);
    if (!result && ps.watch) {
        ps.live = style_is_live() && !ps.remote.json;
        result = watch(&ps);
    } else if (!result) {
        result = remote_ask(&ps.remote, ORCHESTRATOR_METHOD(GetOrchestratorStatus), &(RtEmpty){0},
                            on_status, &ps);
        result = result ? result : ps.result;
    }
    service_list_done(&ps.services);
    remote_close(&ps.remote);
    return result;
}

const Command COMMAND_PS = {
    .name = "ps",
    .summary = "show the services of the running project",
    .help = HELP,
    .run = run,
};

const Command COMMAND_STATUS = {
    .name = "status",
    .summary = "the same as ps",
    .help = HELP,
    .run = run,
};
