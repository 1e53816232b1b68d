/* Services, one by one: what they extend, their fields, and those fields that are made of
 * several. */
#include "config/fields.h"
#include "config/reader.h"

#include "base/text.h"

void read_nothing(Reader *reader, const Rule *rule, const DocEntry *entry, void *base) {
}

/* ---- extends ---- */

static const DocNode *resolve(Reader *reader, RawService *raw);

static const DocNode *resolve_one(Reader *reader, const RawService *raw, const DocNode *item) {
    Span name;
    if (!reader_string(reader, item, &name))
        return NULL;
    RawService *other = map_get(&reader->raw_by_name, name);
    if (!other) {
        reader_error(reader, item->place, "there is no service or template '%.*s'",
                     SPAN_ARGS(shown(name)));
        Nearest nearest = nearest_to(name);
        for (size_t i = 0; i < reader->raw.count; i++)
            nearest_consider(&nearest, reader->raw.items[i]->name);
        reader_suggest_name(reader, &nearest);
        return NULL;
    }
    if (other == raw || other->resolving) {
        reader_error(reader, item->place, "'%.*s' extends itself in the end", SPAN_ARGS(raw->name));
        return NULL;
    }
    return resolve(reader, other);
}

static const DocNode *resolve(Reader *reader, RawService *raw) {
    if (raw->resolved)
        return raw->complete;
    raw->resolving = true;
    const DocNode *under = doc_get(reader->root, SPAN("defaults"));
    const DocNode *extends = doc_get(raw->node, SPAN("extends"));
    if (under && under->kind != DOC_MAP)
        under = NULL;
    if (extends && extends->kind != DOC_NULL) {
        bool many = extends->kind == DOC_LIST;
        for (size_t i = 0; i < (many ? extends->list.count : 1); i++) {
            const DocNode *base = resolve_one(reader, raw, many ? extends->list.items[i] : extends);
            if (base)
                under = doc_merge(reader->arena, under, base);
        }
    }
    raw->complete = doc_merge(reader->arena, under, raw->node);
    raw->resolving = false;
    raw->resolved = true;
    return raw->complete;
}

/* ---- what it is ---- */

void read_kind(Reader *reader, const Rule *rule, const DocEntry *entry, void *base) {
    ServiceConfig *service = base;
    Rule flag_rule = {.name = rule->name, .type = RULE_BOOL};
    bool flag = false;
    reader_value(reader, &flag_rule, &(DocEntry){entry->key, entry->place, entry->value}, &flag);
    if (flag)
        service->kind = rule->name[0] == 'e' ? RT_SERVICE_KIND_EXTERNAL : RT_SERVICE_KIND_TASK;
}

/* Parts of the runtime that stand in configurations as if they were services. */
static bool is_builtin(Span name) {
    static const char *const PARTS[] = {"topology", "logger",       "logs",       "log",
                                        "health",   "broker",       "registry",   "discovery",
                                        "gateway",  "orchestrator", "supervisor", NULL};
    static const char *const TAILS[] = {"", "-service", "_service", "-server"};
    for (const char *const *part = PARTS; *part; part++) {
        for (size_t i = 0; i < sizeof TAILS / sizeof *TAILS; i++) {
            size_t len = strlen(*part), tail = strlen(TAILS[i]);
            if (name.len == len + tail && memcmp(name.ptr, *part, len) == 0 &&
                memcmp(name.ptr + len, TAILS[i], tail) == 0)
                return true;
        }
    }
    return false;
}

static void decide_kind(Reader *reader, ServiceConfig *service) {
    bool command = service->command.argv.count > 0;
    bool scheduled = service->schedule.interval || service->schedule.cron.len;
    if (service->kind == RT_SERVICE_KIND_EXTERNAL) {
        if (command)
            reader_error(reader, service->place, "an external service has no `command`");
        return;
    }
    if (scheduled)
        service->kind = RT_SERVICE_KIND_SCHEDULED;
    if (command || doc_get(service->source, SPAN("command")))
        return;
    if (is_builtin(service->name)) {
        service->kind = RT_SERVICE_KIND_BUILTIN;
        reader_note(reader, service->place,
                    "'%.*s' is built into Muster: nothing is started for it",
                    SPAN_ARGS(service->name));
        return;
    }
    reader_error(reader, service->place, "the service '%.*s' has no `command`",
                 SPAN_ARGS(service->name));
    reader_suggest(reader, "give it one, or write `external: true` where somebody else starts it");
}

/* ---- ports ---- */

static void add_port(Reader *reader, ConfigPort port) {
    for (size_t i = 0; i < reader->ports.count; i++) {
        if (!span_equal(reader->ports.items[i].name, port.name))
            continue;
        reader->ports.items[i] = port;
        return;
    }
    *array_push(&reader->ports) = port;
}

static bool read_port_number(Reader *reader, const DocNode *node, uint16_t *ret) {
    Span text;
    uint64_t number = 0;
    if (!reader_string(reader, node, &text))
        return false;
    if (!span_equal(text, SPAN("auto")) && (!parse_u64(text, &number) || number > 65535)) {
        reader_error(reader, node->place, "'%.*s' is no port: 1 to 65535, or `auto`",
                     SPAN_ARGS(shown(text)));
        return false;
    }
    *ret = (uint16_t)number;
    return true;
}

static void read_one_port(Reader *reader, Span name, DocPlace place, const DocNode *node) {
    ConfigPort port = {.name = name, .place = place};
    if (!is_name(name)) {
        reader_error(reader, place, "'%.*s' cannot name a port", SPAN_ARGS(shown(name)));
        return;
    }
    if (node->kind != DOC_MAP) {
        if (node->kind == DOC_NULL || read_port_number(reader, node, &port.number))
            add_port(reader, port);
        return;
    }
    static const Rule FLAG = {
        .name = "per_replica", .type = RULE_BOOL, .offset = offsetof(ConfigPort, per_replica)};
    for (size_t i = 0; i < node->map.count; i++) {
        const DocEntry *entry = &node->map.entries[i];
        size_t mark = reader_enter(reader, entry->key);
        if (span_equal(entry->key, SPAN("port")))
            read_port_number(reader, entry->value, &port.number);
        else if (span_equal(entry->key, SPAN("per_replica")))
            reader_value(reader, &FLAG, entry, &port);
        else
            reader_error(reader, entry->place,
                         "unknown field '%.*s'; a port has `port` and "
                         "`per_replica`",
                         SPAN_ARGS(shown(entry->key)));
        reader_leave(reader, mark);
    }
    add_port(reader, port);
}

void read_ports(Reader *reader, const Rule *rule, const DocEntry *entry, void *base) {
    const DocNode *node = entry->value;
    if (node->kind != DOC_MAP) {
        reader_wrong_kind(reader, node, "a map of names to ports");
        reader_suggest(reader, "write it as {http: 8080, grpc: auto}");
        return;
    }
    for (size_t i = 0; i < node->map.count; i++) {
        const DocEntry *port = &node->map.entries[i];
        size_t mark = reader_enter(reader, port->key);
        read_one_port(reader, port->key, port->place, port->value);
        reader_leave(reader, mark);
    }
}

void read_port(Reader *reader, const Rule *rule, const DocEntry *entry, void *base) {
    bool russell = rule->name[0] != 'p'; /* grpc_port and http_port: 0 means none */
    if (russell && entry->value->kind == DOC_INTEGER && entry->value->integer == 0)
        return;
    Span name = russell ? span(rule->name, 4) : SPAN("main");
    read_one_port(reader, name, entry->place, entry->value);
}

void read_port_range(Reader *reader, const Rule *rule, const DocEntry *entry, void *base) {
    Config *config = base;
    Span text;
    if (!reader_string(reader, entry->value, &text))
        return;
    const char *dash = text.len ? memchr(text.ptr, '-', text.len) : NULL;
    size_t len = dash ? (size_t)(dash - text.ptr) : 0;
    uint64_t first, last;
    if (!dash || !parse_u64(span(text.ptr, len), &first) ||
        !parse_u64(span_skip(text, len + 1), &last) || !first || last > 65535 || first > last) {
        reader_error(reader, entry->value->place, "'%.*s' is no range of ports",
                     SPAN_ARGS(shown(text)));
        reader_suggest(reader, "write it as 20000-29999");
        return;
    }
    config->port_range.first = (uint16_t)first;
    config->port_range.last = (uint16_t)last;
}

/* ---- the check ---- */

void read_check_port(Reader *reader, const Rule *rule, const DocEntry *entry, void *base) {
    ServiceConfig *service = base;
    reader_text(reader, entry->value, &service->health_check.port);
}

static const ConfigPort *find_port(const ServiceConfig *service, Span name) {
    for (size_t i = 0; i < service->ports.count; i++)
        if (span_equal(service->ports.items[i].name, name))
            return &service->ports.items[i];
    return NULL;
}

/* A name of a port becomes `port_name`; a number stays. */
static void resolve_check_port(Reader *reader, ServiceConfig *service, DocPlace place) {
    ConfigCheck *check = &service->health_check;
    uint64_t number;
    if (check->port.text.len) {
        if (check->port.open ||
            (parse_u64(check->port.text, &number) && number > 0 && number <= 65535))
            return;
        if (!find_port(service, check->port.text)) {
            reader_error(reader, place, "the service has no port '%.*s'",
                         SPAN_ARGS(shown(check->port.text)));
            Nearest nearest = nearest_to(check->port.text);
            for (size_t i = 0; i < service->ports.count; i++)
                nearest_consider(&nearest, service->ports.items[i].name);
            reader_suggest_name(reader, &nearest);
            return;
        }
        check->port_name = check->port.text;
        check->port = (ConfigText){0};
        return;
    }
    Span own = check->type == CONFIG_CHECK_GRPC ? SPAN("grpc") : SPAN("http");
    Span endpoint = check->endpoint.text;
    bool whole = check->type == CONFIG_CHECK_HTTP ? span_starts(endpoint, SPAN("http://")) ||
                                                        span_starts(endpoint, SPAN("https://"))
                                                  : check->type == CONFIG_CHECK_TCP && endpoint.len;
    if (whole)
        return;
    if (find_port(service, own))
        check->port_name = own;
    else if (service->ports.count)
        check->port_name = service->ports.items[0].name;
    else {
        reader_error(reader, place, "nothing says which port is to be checked");
        reader_suggest(reader, "give the service a port, or the check a `port`");
    }
}

static void complete_check(Reader *reader, ServiceConfig *service) {
    ConfigCheck *check = &service->health_check;
    const DocEntry *entry = reader_field(&SERVICE_RULES, service->source, "health_check");
    if (!entry)
        return;
    size_t mark = reader_enter(reader, SPAN("health_check"));
    bool typed = entry->value->kind != DOC_MAP || doc_get(entry->value, SPAN("type"));
    /* What is written counts, even where it is wrong: that was said already. */
    bool command = doc_get(entry->value, SPAN("command")) != NULL;
    bool pattern = doc_get(entry->value, SPAN("pattern")) != NULL;
    if (!typed && command)
        check->type = CONFIG_CHECK_EXEC;
    else if (!typed && pattern)
        check->type = CONFIG_CHECK_LOG_LINE;
    else if (!typed) {
        reader_error(reader, entry->place, "the check needs a `type`");
        reader_suggest(reader, "grpc, http, tcp, exec or log_line");
    }
    if (check->type == CONFIG_CHECK_EXEC && !command)
        reader_error(reader, entry->place, "a check of type exec needs a `command`");
    if (check->type == CONFIG_CHECK_LOG_LINE && !pattern)
        reader_error(reader, entry->place, "a check of type log_line needs a `pattern`");
    if (check->type == CONFIG_CHECK_HTTP && !check->endpoint.text.len)
        check->endpoint.text = SPAN("/");
    bool networked = check->type == CONFIG_CHECK_GRPC || check->type == CONFIG_CHECK_HTTP ||
                     check->type == CONFIG_CHECK_TCP;
    if (networked) {
        const DocEntry *port = reader_field(&CHECK_RULES, entry->value, "port");
        resolve_check_port(reader, service, port ? port->value->place : entry->place);
    }
    bool timed = doc_get(entry->value, SPAN("timeout")) != NULL;
    if (!timed && check->timeout > check->interval)
        check->timeout = check->interval;
    if (networked && check->timeout > check->interval)
        reader_warn(reader, entry->place, "the timeout of the check is longer than its interval");
    reader_leave(reader, mark);
}

/* ---- dependencies ---- */

static const Choice CONDITIONS[] = {
    {"started", RT_DEPENDENCY_CONDITION_STARTED},
    {"healthy", RT_DEPENDENCY_CONDITION_HEALTHY},
    {"completed", RT_DEPENDENCY_CONDITION_COMPLETED},
    {"log_line", RT_DEPENDENCY_CONDITION_LOG_LINE},
    {"process_started", RT_DEPENDENCY_CONDITION_STARTED},
    {"process_healthy", RT_DEPENDENCY_CONDITION_HEALTHY},
    {"process_completed_successfully", RT_DEPENDENCY_CONDITION_COMPLETED},
    {"process_log_ready", RT_DEPENDENCY_CONDITION_LOG_LINE},
    {"service_started", RT_DEPENDENCY_CONDITION_STARTED},
    {"service_healthy", RT_DEPENDENCY_CONDITION_HEALTHY},
    {"service_completed_successfully", RT_DEPENDENCY_CONDITION_COMPLETED},
    {0},
};

static const Choice KINDS[] = {
    {"hard", RT_DEPENDENCY_KIND_HARD},
    {"soft", RT_DEPENDENCY_KIND_SOFT},
    {"optional", RT_DEPENDENCY_KIND_OPTIONAL},
    {0},
};

static const Rule DEPENDENCY[] = {
    {"condition", NULL, RULE_CHOICE, offsetof(ConfigDependency, condition), .choices = CONDITIONS},
    {"kind", NULL, RULE_CHOICE, offsetof(ConfigDependency, kind), .choices = KINDS},
    {"pattern", NULL, RULE_PATTERN, offsetof(ConfigDependency, pattern), .run = false},
    {"service", "name", RULE_STRING, offsetof(ConfigDependency, service), .run = false},
    {0},
};
static const RuleSet DEPENDENCY_SET = {DEPENDENCY, "condition"};

static void read_dependency(Reader *reader, Span name, DocPlace place, const DocNode *node,
                            ConfigDependency *dependency) {
    *dependency = (ConfigDependency){
        .service = name, .kind = RT_DEPENDENCY_KIND_HARD, .index = SIZE_MAX, .place = place};
    if (node && node->kind != DOC_NULL)
        reader_fields(reader, &DEPENDENCY_SET, node, place, dependency);
    if (dependency->pattern.len && !dependency->condition)
        dependency->condition = RT_DEPENDENCY_CONDITION_LOG_LINE;
    if (dependency->condition == RT_DEPENDENCY_CONDITION_LOG_LINE && !dependency->pattern.len)
        reader_error(reader, place, "the condition log_line needs a `pattern`");
}

void read_dependencies(Reader *reader, const Rule *rule, const DocEntry *entry, void *base) {
    ServiceConfig *service = base;
    const DocNode *node = entry->value;
    ARRAY(ConfigDependency) list = {0};
    if (node->kind == DOC_MAP) {
        for (size_t i = 0; i < node->map.count; i++) {
            const DocEntry *item = &node->map.entries[i];
            size_t mark = reader_enter(reader, item->key);
            read_dependency(reader, item->key, item->place, item->value, array_push(&list));
            reader_leave(reader, mark);
        }
    } else {
        bool many = node->kind == DOC_LIST;
        for (size_t i = 0; i < (many ? node->list.count : 1); i++) {
            const DocNode *item = many ? node->list.items[i] : node;
            Span name = {0};
            if (item->kind == DOC_MAP || reader_string(reader, item, &name))
                read_dependency(reader, name, item->place, item->kind == DOC_MAP ? item : NULL,
                                array_push(&list));
        }
    }
    FREEZE(reader, &list, &service->dependencies);
    array_done(&list);
}

/* ---- commands ---- */

static void read_named_command(Reader *reader, const DocEntry *entry, ConfigNamedCommand *command) {
    static const Rule RULES[] = {
        {"command", NULL, RULE_COMMAND, offsetof(ConfigNamedCommand, command), .run = false},
        {"description", NULL, RULE_STRING, offsetof(ConfigNamedCommand, description), .run = false},
        {0},
    };
    static const RuleSet SET = {RULES, "command"};
    *command = (ConfigNamedCommand){.name = entry->key};
    if (!is_name(entry->key))
        reader_error(reader, entry->place, "'%.*s' cannot name a command",
                     SPAN_ARGS(shown(entry->key)));
    reader_fields(reader, &SET, entry->value, entry->place, command);
    if (!command->command.argv.count && entry->value->kind == DOC_MAP &&
        !doc_get(entry->value, SPAN("command")))
        reader_error(reader, entry->place, "a command needs a `command`");
}

void read_commands(Reader *reader, const Rule *rule, const DocEntry *entry, void *base) {
    ServiceConfig *service = base;
    if (entry->value->kind != DOC_MAP) {
        reader_wrong_kind(reader, entry->value, "a map of names to commands");
        return;
    }
    ARRAY(ConfigNamedCommand) list = {0};
    for (size_t i = 0; i < entry->value->map.count; i++) {
        const DocEntry *item = &entry->value->map.entries[i];
        size_t mark = reader_enter(reader, item->key);
        read_named_command(reader, item, array_push(&list));
        reader_leave(reader, mark);
    }
    FREEZE(reader, &list, &service->commands);
    array_done(&list);
}

/* ---- all of it ---- */

static void read_names(Reader *reader, const RawService *raw, ServiceConfig *service) {
    const DocNode *name = doc_get(raw->complete, SPAN("name"));
    const DocNode *own = doc_get(raw->node, SPAN("name"));
    bool identity = own && span_equal(own->text, raw->name);
    service->name = raw->name;
    service->place = raw->place;
    service->source = raw->complete;
    if (name && own && !identity && !service->label.len && name->kind == DOC_STRING)
        service->label = name->text;
}

static void read_command_line(Reader *reader, ServiceConfig *service) {
    const DocEntry *command = reader_field(&SERVICE_RULES, service->source, "command");
    const DocEntry *args = reader_field(&SERVICE_RULES, service->source, "args");
    if (!args)
        return;
    size_t mark = reader_enter(reader, SPAN("args"));
    if (!command)
        reader_error(reader, args->place, "`args` without a `command`");
    else if (args->value->kind == DOC_MAP)
        reader_wrong_kind(reader, args->value, "a list");
    else
        reader_command(reader, command->value, args->value, &service->command);
    reader_leave(reader, mark);
}

static void read_service(Reader *reader, const RawService *raw, ServiceConfig *service) {
    const DocNode *node = raw->complete;
    service->working_dir = reader->config->folder;
    reader->ports.count = 0;
    service->source = node;
    reader_fields(reader, &SERVICE_RULES, node, raw->place, service);
    read_names(reader, raw, service);
    FREEZE(reader, &reader->ports, &service->ports);
    read_command_line(reader, service);
    read_service_environment(reader, node, service);
    if (!raw->template) {
        decide_kind(reader, service);
        complete_check(reader, service);
    }
}

static void check_watch(Reader *reader, const ServiceConfig *service) {
    if (reader_field(&SERVICE_RULES, service->source, "watch") && !service->watch.paths.count)
        reader_error(reader, service->place, "`watch` needs `paths`");
}

void read_services(Reader *reader) {
    ServiceConfig prototype = {.kind = RT_SERVICE_KIND_PROCESS};
    ARRAY(ServiceConfig) list = {0};
    reader_defaults(reader, &SERVICE_RULES, &prototype);
    size_t mark = reader_enter(reader, SPAN("services"));
    for (size_t i = 0; i < reader->raw.count; i++) {
        RawService *raw = reader->raw.items[i];
        size_t inner = reader_enter(reader, raw->name);
        resolve(reader, raw);
        /* Templates are checked by themselves too, so that a mistake in one shows. */
        ServiceConfig unused = prototype, *service = &unused;
        if (!raw->template) {
            service = array_push(&list);
            *service = prototype;
        }
        reader->service = raw->template ? SIZE_MAX : list.count - 1;
        size_t open_names = reader->open_names.count;
        read_service(reader, raw, service);
        if (raw->template)
            reader->open_names.count = open_names;
        else
            check_watch(reader, service);
        reader_leave(reader, inner);
    }
    reader_leave(reader, mark);
    reader->service = SIZE_MAX;
    check_services(reader, list.items, list.count);
    FREEZE(reader, &list, &reader->config->services);
    array_done(&list);
}
