/* What no single value shows: how services fit together. */
#include <stdlib.h>

#include "base/memory.h"
#include "config/reader.h"
#include "os/address.h"

typedef struct Check {
    Reader *reader;
    ServiceConfig *services;
    size_t count;
    Map by_name;
} Check;

static Span service_name(const void *item) {
    return ((const ServiceConfig *)item)->name;
}

/* The entry of a field, for its place; that of the service where it is not written. */
static DocPlace field_place(const ServiceConfig *service, const char *field) {
    const DocEntry *entry = reader_field(&SERVICE_RULES, service->source, field);
    return entry ? entry->place : service->place;
}

static size_t enter_service(Check *check, const ServiceConfig *service, const char *field) {
    size_t mark = reader_enter(check->reader, SPAN("services"));
    reader_enter(check->reader, service->name);
    if (field)
        reader_enter(check->reader, span_of(field));
    return mark;
}

/* ---- dependencies ---- */

static bool resolve_dependency(Check *check, const ServiceConfig *service,
                               ConfigDependency *dependency) {
    Reader *reader = check->reader;
    ServiceConfig *other = map_get(&check->by_name, dependency->service);
    if (!other) {
        reader_error(reader, dependency->place, "there is no service '%.*s'",
                     SPAN_ARGS(shown(dependency->service)));
        Nearest nearest = nearest_to(dependency->service);
        for (size_t i = 0; i < check->count; i++)
            nearest_consider(&nearest, check->services[i].name);
        reader_suggest_name(reader, &nearest);
        return false;
    }
    if (other == service) {
        reader_error(reader, dependency->place, "a service cannot depend on itself");
        return false;
    }
    dependency->index = (size_t)(other - check->services);
    bool ends = other->kind == RT_SERVICE_KIND_TASK;
    if (!dependency->condition)
        dependency->condition =
            ends ? RT_DEPENDENCY_CONDITION_COMPLETED : RT_DEPENDENCY_CONDITION_HEALTHY;
    if (dependency->condition == RT_DEPENDENCY_CONDITION_COMPLETED && !ends)
        reader_warn(reader, dependency->place,
                    "waits for '%.*s' to complete, which is no task and should never end",
                    SPAN_ARGS(other->name));
    if (dependency->kind == RT_DEPENDENCY_KIND_HARD && other->disabled && !service->disabled)
        reader_warn(reader, dependency->place,
                    "'%.*s' is disabled: this service is not started unless it is",
                    SPAN_ARGS(other->name));
    return true;
}

static void resolve_dependencies(Check *check, ServiceConfig *service) {
    ConfigDependency *items = (ConfigDependency *)service->dependencies.items;
    size_t mark = enter_service(check, service, "depends_on"), kept = 0;
    for (size_t i = 0; i < service->dependencies.count; i++) {
        bool twice = false;
        for (size_t j = 0; j < kept; j++)
            twice |= span_equal(items[j].service, items[i].service);
        if (!twice && resolve_dependency(check, service, &items[i]))
            items[kept++] = items[i];
    }
    service->dependencies.count = kept;
    reader_leave(check->reader, mark);
}

/* ---- cycles, and what follows from the order of dependencies ---- */

/* Without one of its own, a service is started with the last of what it depends on, whose orders
 * are settled. */
static void inherit_order(Check *check, ServiceConfig *service) {
    if (reader_field(&SERVICE_RULES, service->source, "start_order"))
        return;
    for (size_t i = 0; i < service->dependencies.count; i++) {
        const ConfigDependency *dependency = &service->dependencies.items[i];
        int32_t order = check->services[dependency->index].start_order;
        if (dependency->kind != RT_DEPENDENCY_KIND_OPTIONAL && order > service->start_order)
            service->start_order = order;
    }
}

typedef enum Colour { WHITE, GREY, BLACK } Colour;

typedef struct Walk {
    Check *check;
    unsigned char *colours;
    size_t *stack, *next; /* services on the way, and which dependency comes next for each */
    size_t depth;
} Walk;

static void report_cycle(Walk *walk, size_t again, const ConfigDependency *last) {
    Check *check = walk->check;
    Buf way = {.arena = check->reader->arena};
    size_t from = walk->depth;
    while (walk->stack[from - 1] != again)
        from--;
    for (size_t i = from - 1; i < walk->depth; i++)
        buf_printf(&way, "%.*s → ", SPAN_ARGS(check->services[walk->stack[i]].name));
    buf_add(&way, check->services[again].name);
    const ServiceConfig *service = &check->services[walk->stack[walk->depth - 1]];
    size_t mark = enter_service(check, service, "depends_on");
    reader_error(check->reader, last->place, "services depend on each other: %.*s", (int)way.len,
                 way.ptr);
    reader_suggest(check->reader, "leave one of them out, or make it `kind: optional`");
    reader_leave(check->reader, mark);
}

static void walk_from(Walk *walk, size_t start) {
    walk->stack[0] = start;
    walk->next[0] = 0;
    walk->depth = 1;
    walk->colours[start] = GREY;
    while (walk->depth) {
        size_t at = walk->stack[walk->depth - 1];
        ServiceConfig *service = &walk->check->services[at];
        if (walk->next[walk->depth - 1] == service->dependencies.count) {
            inherit_order(walk->check, service);
            walk->colours[at] = BLACK;
            walk->depth--;
            continue;
        }
        const ConfigDependency *dependency =
            &service->dependencies.items[walk->next[walk->depth - 1]++];
        size_t to = dependency->index;
        if (dependency->kind == RT_DEPENDENCY_KIND_OPTIONAL || walk->colours[to] == BLACK)
            continue;
        if (walk->colours[to] == GREY) {
            report_cycle(walk, to, dependency);
            continue;
        }
        walk->colours[to] = GREY;
        walk->next[walk->depth] = 0;
        walk->stack[walk->depth++] = to;
    }
}

static void walk_dependencies(Check *check) {
    Arena *arena = check->reader->arena;
    Walk walk = {
        .check = check,
        .colours = arena_zalloc(arena, check->count),
        .stack = arena_alloc(arena, check->count * sizeof(size_t)),
        .next = arena_alloc(arena, check->count * sizeof(size_t)),
    };
    for (size_t i = 0; i < check->count; i++)
        if (walk.colours[i] == WHITE)
            walk_from(&walk, i);
}

/* ---- start order ---- */

static void check_order(Check *check, const ServiceConfig *service) {
    size_t mark = enter_service(check, service, "start_order");
    for (size_t i = 0; i < service->dependencies.count; i++) {
        const ConfigDependency *dependency = &service->dependencies.items[i];
        const ServiceConfig *other = &check->services[dependency->index];
        if (dependency->kind == RT_DEPENDENCY_KIND_OPTIONAL ||
            other->start_order <= service->start_order)
            continue;
        reader_error(check->reader, field_place(service, "start_order"),
                     "start_order %d is before that of '%.*s' (%d), which it depends on",
                     service->start_order, SPAN_ARGS(other->name), other->start_order);
        reader_suggest(check->reader, "make it at least %d, or leave it out", other->start_order);
    }
    reader_leave(check->reader, mark);
}

/* ---- ports ---- */

typedef struct PortUse {
    uint16_t number;
    const ServiceConfig *service;
    const ConfigPort *port;
} PortUse;

static void use_port(Check *check, PortUse *uses, const ServiceConfig *service,
                     const ConfigPort *port) {
    Reader *reader = check->reader;
    size_t span_count = port->per_replica ? (size_t)service->replicas : 1;
    if (service->replicas > 1 && !port->per_replica) {
        reader_error(reader, port->place, "%d replicas cannot share the port %d", service->replicas,
                     port->number);
        reader_suggest(reader, "write `auto`, or {port: %d, per_replica: true}", port->number);
        return;
    }
    for (size_t i = 0; i < span_count; i++) {
        size_t number = port->number + i;
        if (number > 65535) {
            reader_error(reader, port->place, "the last replica would have the port %zu", number);
            return;
        }
        PortUse *use = &uses[number];
        if (use->service) {
            reader_error(reader, port->place, "the port %zu is also that of '%.*s' (%.*s, line %u)",
                         number, SPAN_ARGS(use->service->name), SPAN_ARGS(use->port->name),
                         use->port->place.line);
            return;
        }
        *use = (PortUse){(uint16_t)number, service, port};
    }
}

static void check_ports(Check *check) {
    PortUse *uses = NULL;
    for (size_t i = 0; i < check->count; i++) {
        const ServiceConfig *service = &check->services[i];
        if (service->disabled)
            continue;
        size_t mark = enter_service(check, service, "ports");
        for (size_t j = 0; j < service->ports.count; j++) {
            if (!service->ports.items[j].number)
                continue;
            if (!uses)
                uses = xcalloc(65536, sizeof *uses);
            use_port(check, uses, service, &service->ports.items[j]);
        }
        reader_leave(check->reader, mark);
    }
    free(uses);
}

/* ---- open names ---- */

static bool has_port(const ServiceConfig *service, Span name) {
    for (size_t i = 0; i < service->ports.count; i++)
        if (span_equal(service->ports.items[i].name, name))
            return true;
    return false;
}

static void check_open_name(Check *check, const OpenName *open) {
    Reader *reader = check->reader;
    const ServiceConfig *service =
        open->service < check->count ? &check->services[open->service] : NULL;
    size_t mark = reader->path.len;
    reader->path.len = 0;
    buf_add(&reader->path, open->path);
    if (span_equal(open->name, SPAN("PORT")) && service && !service->ports.count) {
        reader_error(reader, open->place, "${PORT}: the service has no `ports`");
        reader_suggest(reader, "write `ports: {main: auto}`, or ${PORT:-} for the runtime's own");
    } else if (span_starts(open->name, SPAN("ports."))) {
        Span port = span_skip(open->name, 6), owner = {0};
        const char *dot = port.len ? memrchr(port.ptr, '.', port.len) : NULL;
        if (dot) {
            owner = span(port.ptr, (size_t)(dot - port.ptr));
            port = span_skip(port, owner.len + 1);
            service = map_get(&check->by_name, owner);
        }
        if (!service && owner.len)
            reader_error(reader, open->place, "${%.*s}: there is no service '%.*s'",
                         SPAN_ARGS(shown(open->name)), SPAN_ARGS(shown(owner)));
        else if (service && !has_port(service, port))
            reader_error(reader, open->place, "${%.*s}: '%.*s' has no port '%.*s'",
                         SPAN_ARGS(shown(open->name)), SPAN_ARGS(service->name),
                         SPAN_ARGS(shown(port)));
    }
    reader->path.len = mark;
}

/* ---- each by itself ---- */

static void check_restart(Check *check, ServiceConfig *service) {
    if (service->restart.max >= service->restart.initial)
        return;
    const DocEntry *entry = reader_field(&SERVICE_RULES, service->source, "restart");
    const DocNode *max = entry ? doc_get(entry->value, SPAN("max")) : NULL;
    if (!max) {
        service->restart.max = service->restart.initial;
        return;
    }
    size_t mark = enter_service(check, service, "restart");
    reader_error(check->reader, max->place, "`max` is shorter than `initial`");
    reader_leave(check->reader, mark);
}

static void check_service(Check *check, ServiceConfig *service) {
    Reader *reader = check->reader;
    check_restart(check, service);
    size_t mark = enter_service(check, service, NULL);
    if (service->schedule.interval && service->schedule.cron.len)
        reader_error(reader, field_place(service, "schedule"),
                     "a schedule has either `interval` or `cron`");
    if (service->watchdog && service->readiness != CONFIG_READY_NOTIFY)
        reader_error(reader, field_place(service, "watchdog"), "`watchdog` needs `type: notify`");
    if (service->topology.stale_after && service->topology.dead_after &&
        service->topology.stale_after >= service->topology.dead_after)
        reader_error(reader, field_place(service, "topology"),
                     "`dead_after` must be more than `stale_after`");
    if (service->kind == RT_SERVICE_KIND_EXTERNAL &&
        service->health_check.type == CONFIG_CHECK_NONE)
        reader_warn(reader, service->place,
                    "an external service without a `health_check` counts as healthy always");
    if (service->tty && service->stdin_open)
        reader_note(reader, service->place, "`stdin` adds nothing to `tty`");
    reader_leave(reader, mark);
}

static void check_listen(Reader *reader) {
    const DocEntry *entry = reader_field(&PROJECT_RULES, reader->root, "listen");
    for (size_t i = 0; entry && i < reader->config->listen.count; i++) {
        Span text = reader->config->listen.items[i];
        Address address;
        if (address_parse(text, &address))
            continue;
        size_t mark = reader_enter(reader, SPAN("listen"));
        reader_error(reader, entry->value->place, "'%.*s' is no address", SPAN_ARGS(shown(text)));
        reader_suggest(reader, "write it as 127.0.0.1:50051 or unix:PATH");
        reader_leave(reader, mark);
    }
}

void check_services(Reader *reader, ServiceConfig *services, size_t count) {
    Check check = {.reader = reader, .services = services, .count = count};
    map_init(&check.by_name, service_name, 0);
    map_reserve(&check.by_name, count);
    for (size_t i = 0; i < count; i++)
        map_put(&check.by_name, &services[i]);
    check_listen(reader);
    if (!count && !reader->errors)
        reader_warn(
            reader,
            (DocPlace){.file = reader->files.count ? reader->files.items[0].path : (Span){0}},
            "there are no services");
    for (size_t i = 0; i < count; i++)
        resolve_dependencies(&check, &services[i]);
    walk_dependencies(&check);
    for (size_t i = 0; i < count; i++) {
        check_order(&check, &services[i]);
        check_service(&check, &services[i]);
    }
    check_ports(&check);
    for (size_t i = 0; i < reader->open_names.count; i++)
        check_open_name(&check, &reader->open_names.items[i]);
    map_done(&check.by_name);
}
