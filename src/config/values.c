/* Values back into text, as JSON: for GetConfiguration, and to find what differs. */
#include <math.h>

#include "base/array.h"
#include "base/text.h"
#include "config/fields.h"
#include "config/parse.h"
#include "config/reader.h"

#define AT(Type, base, rule) ((const Type *)((const char *)(base) + (rule)->offset))

/* ---- JSON ---- */

static void add_string(Buf *out, Span text) {
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if ((unsigned char)c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

/* An open text as one would write it: "$$" only where '{' follows. */
static void add_text(Buf *out, const ConfigText *text) {
    if (!text->open) {
        add_string(out, text->text);
        return;
    }
    Buf plain = {0};
    for (size_t i = 0; i < text->text.len; i++) {
        Span rest = span_skip(text->text, i);
        bool doubled = span_starts(rest, SPAN("$$")) && !span_starts(rest, SPAN("$${"));
        i += doubled;
        if (!doubled && span_starts(rest, SPAN("$$")))
            buf_add_char(&plain, text->text.ptr[i++]);
        buf_add_char(&plain, text->text.ptr[i]);
    }
    add_string(out, buf_span(&plain));
    buf_done(&plain);
}

static void add_number(Buf *out, int64_t value) {
    out->len += format_i64(buf_reserve(out, 20), value);
}

static void add_bool(Buf *out, bool value) {
    if (value)
        buf_add_literal(out, "true");
    else
        buf_add_literal(out, "false");
}

static void add_comma(Buf *out, size_t index) {
    if (index)
        buf_add_char(out, ',');
}

static void add_texts(Buf *out, const ConfigTexts *texts) {
    buf_add_char(out, '[');
    for (size_t i = 0; i < texts->count; i++) {
        add_comma(out, i);
        add_text(out, &texts->items[i]);
    }
    buf_add_char(out, ']');
}

static void add_strings(Buf *out, const ConfigSpans *list) {
    buf_add_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        add_comma(out, i);
        add_string(out, list->items[i]);
    }
    buf_add_char(out, ']');
}

static void add_command(Buf *out, const ConfigCommand *command) {
    if (command->shell)
        add_text(out, &command->argv.items[2]);
    else
        add_texts(out, &command->argv);
}

/* ---- fields of their own ---- */

void print_env(const Rule *rule, const void *base, Buf *out, bool secrets) {
    const ServiceConfig *service = base;
    buf_add_char(out, '{');
    for (size_t i = 0; i < service->env.count; i++) {
        const ConfigVariable *variable = &service->env.items[i];
        add_comma(out, i);
        add_string(out, variable->name);
        buf_add_char(out, ':');
        if (variable->secret && !secrets)
            buf_add_literal(out, "\"***\"");
        else
            add_text(out, &variable->value);
    }
    buf_add_char(out, '}');
}

static const char *condition_name(int32_t condition) {
    static const char *const NAMES[] = {"", "started", "healthy", "completed", "log_line"};
    return NAMES[condition];
}

static const char *kind_name(int32_t kind) {
    static const char *const NAMES[] = {"", "hard", "soft", "optional"};
    return NAMES[kind];
}

void print_dependencies(const Rule *rule, const void *base, Buf *out, bool secrets) {
    const ServiceConfig *service = base;
    buf_add_char(out, '{');
    for (size_t i = 0; i < service->dependencies.count; i++) {
        const ConfigDependency *dependency = &service->dependencies.items[i];
        add_comma(out, i);
        add_string(out, dependency->service);
        buf_printf(out, ":{\"condition\":\"%s\",\"kind\":\"%s\"",
                   condition_name(dependency->condition), kind_name(dependency->kind));
        if (dependency->pattern.len) {
            buf_add_literal(out, ",\"pattern\":");
            add_string(out, dependency->pattern);
        }
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

void print_ports(const Rule *rule, const void *base, Buf *out, bool secrets) {
    const ServiceConfig *service = base;
    buf_add_char(out, '{');
    for (size_t i = 0; i < service->ports.count; i++) {
        const ConfigPort *port = &service->ports.items[i];
        add_comma(out, i);
        add_string(out, port->name);
        if (port->per_replica)
            buf_printf(out, ":{\"port\":%d,\"per_replica\":true}", port->number);
        else if (port->number)
            buf_printf(out, ":%d", port->number);
        else
            buf_add_literal(out, ":\"auto\"");
    }
    buf_add_char(out, '}');
}

void print_check_port(const Rule *rule, const void *base, Buf *out, bool secrets) {
    const ConfigCheck *check = &((const ServiceConfig *)base)->health_check;
    uint64_t number;
    if (check->port_name.len)
        add_string(out, check->port_name);
    else if (!check->port.open && parse_u64(check->port.text, &number))
        buf_add(out, check->port.text);
    else if (check->port.text.len)
        add_text(out, &check->port);
}

void print_kind(const Rule *rule, const void *base, Buf *out, bool secrets) {
    int32_t kind = ((const ServiceConfig *)base)->kind;
    add_bool(out, kind == (rule->name[0] == 'e' ? RT_SERVICE_KIND_EXTERNAL : RT_SERVICE_KIND_TASK));
}

void print_commands(const Rule *rule, const void *base, Buf *out, bool secrets) {
    const ServiceConfig *service = base;
    buf_add_char(out, '{');
    for (size_t i = 0; i < service->commands.count; i++) {
        const ConfigNamedCommand *command = &service->commands.items[i];
        add_comma(out, i);
        add_string(out, command->name);
        buf_add_literal(out, ":{\"command\":");
        add_command(out, &command->command);
        if (command->description.len) {
            buf_add_literal(out, ",\"description\":");
            add_string(out, command->description);
        }
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

void print_port_range(const Rule *rule, const void *base, Buf *out, bool secrets) {
    const Config *config = base;
    buf_printf(out, "\"%u-%u\"", config->port_range.first, config->port_range.last);
}

/* ---- all types ---- */

static void add_choice(Buf *out, const Rule *rule, int32_t value) {
    const Choice *choice = rule->choices;
    while (choice->value != value)
        choice++;
    add_string(out, span_of(choice->name));
}

static void add_labels(Buf *out, const ConfigLabels *labels) {
    buf_add_char(out, '{');
    for (size_t i = 0; i < labels->count; i++) {
        add_comma(out, i);
        add_string(out, labels->items[i].name);
        buf_add_char(out, ':');
        add_string(out, labels->items[i].value);
    }
    buf_add_char(out, '}');
}

static void add_codes(Buf *out, const ConfigNumbers *codes) {
    buf_add_char(out, '[');
    for (size_t i = 0; i < codes->count; i++) {
        add_comma(out, i);
        add_number(out, codes->items[i]);
    }
    buf_add_char(out, ']');
}

/* Numbers, durations and what else is written as one word. */
static void add_word(Buf *out, const Rule *rule, const void *base) {
    char text[DURATION_MAX];
    switch (rule->type) {
    case RULE_BOOL:
        add_bool(out, *AT(bool, base, rule));
        break;
    case RULE_INTEGER:
        add_number(out, *AT(int32_t, base, rule));
        break;
    case RULE_COUNT:
        add_number(out, *AT(int64_t, base, rule));
        break;
    case RULE_REAL:
        out->len += format_double(buf_reserve(out, FORMAT_DOUBLE_MAX), *AT(double, base, rule));
        break;
    case RULE_SIZE:
        add_string(out, span(text, format_size(text, *AT(int64_t, base, rule))));
        break;
    case RULE_SIGNAL:
        add_string(out, span(text, format_signal(text, *AT(int32_t, base, rule))));
        break;
    case RULE_CHOICE:
        add_choice(out, rule, *AT(int32_t, base, rule));
        break;
    default:
        add_string(out, span(text, format_duration(text, *AT(Nanos, base, rule))));
    }
}

void rule_print(const Rule *rule, const void *base, Buf *out, bool secrets) {
    switch (rule->type) {
    case RULE_STRING:
    case RULE_PATTERN:
    case RULE_NAME:
    case RULE_PATH:
        add_string(out, *AT(Span, base, rule));
        break;
    case RULE_TEXT:
        add_text(out, AT(ConfigText, base, rule));
        break;
    case RULE_STRINGS:
    case RULE_PATTERNS:
    case RULE_PATHS:
        add_strings(out, AT(ConfigSpans, base, rule));
        break;
    case RULE_CODES:
        add_codes(out, AT(ConfigNumbers, base, rule));
        break;
    case RULE_COMMAND:
        if (AT(ConfigCommand, base, rule)->argv.count)
            add_command(out, AT(ConfigCommand, base, rule));
        break;
    case RULE_LABELS:
        add_labels(out, AT(ConfigLabels, base, rule));
        break;
    case RULE_CRON:
        add_string(out, AT(ConfigSchedule, base, rule)->cron);
        break;
    case RULE_OWN:
        if (rule->print)
            rule->print(rule, base, out, secrets);
        break;
    default:
        add_word(out, rule, base);
    }
}

void rules_digest(const RuleSet *set, const void *base, Buf *all, Buf *run) {
    for (const Rule *rule = set->rules; rule->name; rule++) {
        if (rule->type == RULE_SECTION) {
            rules_digest(rule->section, base, all, run);
        } else if (!rule->hidden) {
            size_t from = all->len;
            rule_print(rule, base, all, true);
            buf_add_char(all, '\n');
            if (rule->run)
                buf_add(run, span(all->ptr + from, all->len - from));
        }
    }
}

/* ---- with their origins ---- */

typedef struct Listing {
    ConfigEachValue *each;
    void *owner;
    const ServiceConfig *service; /* NULL: the project */
    Buf path, value;
} Listing;

/* Whether a secret that the service knows stands in a text. */
static bool holds_secret(const ServiceConfig *service, Span text) {
    for (size_t i = 0; service && i < service->env.count; i++) {
        const ConfigVariable *variable = &service->env.items[i];
        Span secret = variable->value.text;
        if (variable->secret && secret.len >= SECRET_MIN && text.len >= secret.len &&
            memmem(text.ptr, text.len, secret.ptr, secret.len))
            return true;
    }
    return false;
}

static void list_value(Listing *listing, RtConfigurationValue value) {
    value.path = buf_span(&listing->path);
    value.service_name = listing->service ? listing->service->name : (Span){0};
    if (value.secret || holds_secret(listing->service, value.value)) {
        value.secret = true;
        value.value = SPAN("\"***\"");
        value.written = (Span){0};
    }
    listing->each(listing->owner, &value);
}

static size_t enter(Listing *listing, Span key) {
    size_t mark = listing->path.len;
    if (mark)
        buf_add_char(&listing->path, '.');
    buf_add(&listing->path, key);
    return mark;
}

static RtConfigurationValue value_at(DocPlace place, int32_t source) {
    return (RtConfigurationValue){.source = source,
                                  .file = place.file,
                                  .line = (int32_t)place.line,
                                  .column = (int32_t)place.column};
}

/* Variables come one by one: each has its own origin. */
static void list_env(Listing *listing, const ServiceConfig *service) {
    for (size_t i = 0; i < service->env.count; i++) {
        const ConfigVariable *variable = &service->env.items[i];
        size_t mark = enter(listing, variable->name);
        RtConfigurationValue value = value_at(variable->place, variable->source);
        buf_clear(&listing->value);
        add_text(&listing->value, &variable->value);
        value.value = buf_span(&listing->value);
        value.secret = variable->secret;
        list_value(listing, value);
        listing->path.len = mark;
    }
}

static void list_rules(Listing *listing, const RuleSet *set, const DocNode *node, const void *base);

static void list_rule(Listing *listing, const RuleSet *set, const Rule *rule, const DocNode *node,
                      const void *base) {
    const DocEntry *entry = node ? reader_field(set, node, rule->name) : NULL;
    DocEntry brief;
    if (node && node->kind != DOC_MAP && set->brief && strcmp(set->brief, rule->name) == 0) {
        brief = (DocEntry){span_of(rule->name), node->place, node};
        entry = &brief;
    }
    if (rule->type == RULE_SECTION) {
        list_rules(listing, rule->section, entry ? entry->value : NULL, base);
        return;
    }
    if (rule->print == print_env) {
        list_env(listing, base);
        return;
    }
    RtConfigurationValue value =
        entry ? value_at(entry->value->place, RT_CONFIGURATION_SOURCE_FILE)
              : (RtConfigurationValue){.source = RT_CONFIGURATION_SOURCE_DEFAULT};
    buf_clear(&listing->value);
    rule_print(rule, base, &listing->value, false);
    if (!listing->value.len)
        return;
    value.value = buf_span(&listing->value);
    bool variable = entry && entry->value->kind == DOC_STRING && entry->value->text.len &&
                    memchr(entry->value->text.ptr, '$', entry->value->text.len);
    if (variable)
        value.written = entry->value->text;
    list_value(listing, value);
}

static void list_rules(Listing *listing, const RuleSet *set, const DocNode *node,
                       const void *base) {
    for (const Rule *rule = set->rules; rule->name; rule++) {
        if (rule->hidden)
            continue;
        size_t mark = enter(listing, span_of(rule->name));
        list_rule(listing, set, rule, node, base);
        listing->path.len = mark;
    }
}

static void list_service(Listing *listing, const ServiceConfig *service) {
    size_t mark = enter(listing, SPAN("services"));
    enter(listing, service->name);
    listing->service = service;
    list_rules(listing, &SERVICE_RULES, service->source, service);
    listing->service = NULL;
    listing->path.len = mark;
}

void config_values(const Config *config, Span service_name, ConfigEachValue *each, void *owner) {
    Listing listing = {.each = each, .owner = owner};
    const ServiceConfig *service = service_name.len ? config_service(config, service_name) : NULL;
    if (service) {
        list_service(&listing, service);
    } else if (!service_name.len) {
        list_rules(&listing, &PROJECT_RULES, config->source, config);
        for (size_t i = 0; i < config->services.count; i++)
            list_service(&listing, &config->services.items[i]);
    }
    buf_done(&listing.path);
    buf_done(&listing.value);
}
