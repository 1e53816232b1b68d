#include "config/schema.h"

#include "base/text.h"
#include "config/rules.h"

static void add_string(Buf *out, const char *text) {
    buf_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
    buf_add_char(out, '"');
}

/* ---- JSON schema ---- */

static void add_set(Buf *out, const RuleSet *set);

/* Any scalar may be a text with variables in it. */
#define VARIABLE "{\"type\": \"string\", \"pattern\": \"\\\\$\\\\{\"}"

static void add_bounds(Buf *out, const Rule *rule, const char *type) {
    buf_printf(
        out, "\"anyOf\": [{\"type\": \"%s\", \"minimum\": %lld, \"maximum\": %lld}, " VARIABLE "]",
        type, (long long)rule->least, (long long)rule->most);
}

static void add_choices(Buf *out, const Rule *rule) {
    buf_add_literal(out, "\"anyOf\": [{\"enum\": [");
    for (const Choice *choice = rule->choices; choice->name; choice++) {
        if (choice > rule->choices)
            buf_add_literal(out, ", ");
        add_string(out, choice->name);
    }
    buf_add_literal(out, "]}, " VARIABLE "]");
}

static void add_section(Buf *out, const Rule *rule) {
    const Rule *brief =
        rule->section->brief ? rule_find(rule->section, span_of(rule->section->brief)) : NULL;
    bool list = brief && brief->type == RULE_PATHS;
    buf_add_literal(out, "\"anyOf\": [");
    add_set(out, rule->section);
    if (brief)
        buf_printf(out, ", {\"type\": [%s\"string\", \"boolean\"]}", list ? "\"array\", " : "");
    buf_add_char(out, ']');
}

static void add_type(Buf *out, const Rule *rule) {
    switch (rule->type) {
    case RULE_BOOL:
        buf_add_literal(out, "\"anyOf\": [{\"type\": \"boolean\"}, " VARIABLE "]");
        break;
    case RULE_INTEGER:
    case RULE_COUNT:
        add_bounds(out, rule, "integer");
        break;
    case RULE_REAL:
        add_bounds(out, rule, "number");
        break;
    case RULE_MILLIS:
    case RULE_SIZE:
    case RULE_SIGNAL:
        buf_add_literal(out, "\"type\": [\"string\", \"integer\"]");
        break;
    case RULE_CHOICE:
        add_choices(out, rule);
        break;
    case RULE_STRINGS:
    case RULE_PATTERNS:
    case RULE_PATHS:
        buf_add_literal(out, "\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\", "
                             "\"items\": {\"type\": \"string\"}}]");
        break;
    case RULE_CODES:
        buf_add_literal(out, "\"anyOf\": [{\"type\": \"integer\"}, {\"type\": \"array\", "
                             "\"items\": {\"type\": \"integer\"}}]");
        break;
    case RULE_COMMAND:
        buf_add_literal(out, "\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\", "
                             "\"items\": {\"type\": [\"string\", \"number\", \"boolean\"]}}]");
        break;
    case RULE_LABELS:
        buf_add_literal(out, "\"type\": \"object\"");
        break;
    case RULE_SECTION:
        add_section(out, rule);
        break;
    case RULE_OWN:
        buf_printf(out, "\"allOf\": [%s]", rule->form);
        break;
    default:
        buf_add_literal(out, "\"type\": [\"string\", \"number\", \"boolean\"]");
    }
}

static void add_property(Buf *out, const Rule *rule, Span name) {
    buf_printf(out, "\"%.*s\": {", SPAN_ARGS(name));
    add_type(out, rule);
    buf_add_literal(out, ", \"description\": ");
    add_string(out, rule->about);
    if (rule->fallback) {
        buf_add_literal(out, ", \"x-default\": ");
        add_string(out, rule->fallback);
    }
    buf_add_char(out, '}');
}

static void add_set(Buf *out, const RuleSet *set) {
    buf_add_literal(out, "{\"type\": [\"object\", \"null\"], \"properties\": {");
    for (const Rule *rule = set->rules; rule->name; rule++) {
        if (rule > set->rules)
            buf_add_literal(out, ",\n");
        add_property(out, rule, span_of(rule->name));
        for (const char *at = rule->aliases; at && *at;) {
            size_t len = strcspn(at, " ");
            buf_add_literal(out, ",\n");
            add_property(out, rule, span(at, len));
            at += len + (at[len] == ' ');
        }
    }
    buf_add_literal(out, "}, \"patternProperties\": {\"^x-\": true}, "
                         "\"additionalProperties\": false}");
}

void config_schema(Buf *out) {
    buf_add_literal(out, "{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                         "\"title\": \"muster.yaml\",\n"
                         "\"description\": \"A project for Muster\",\n"
                         "\"allOf\": [{\"$ref\": \"#/$defs/project\"}],\n"
                         "\"$defs\": {\"project\": ");
    add_set(out, &PROJECT_RULES);
    buf_add_literal(out, ",\n\"service\": ");
    add_set(out, &SERVICE_RULES);
    buf_add_literal(out, "}}\n");
}

/* ---- the reference ---- */

static const char *type_name(const Rule *rule) {
    static const char *const NAMES[] = {
        [RULE_STRING] = "string",
        [RULE_NAME] = "name",
        [RULE_PATTERN] = "expression",
        [RULE_PATTERNS] = "expression or list",
        [RULE_TEXT] = "string",
        [RULE_PATH] = "path",
        [RULE_BOOL] = "true, false",
        [RULE_INTEGER] = "integer",
        [RULE_COUNT] = "integer",
        [RULE_REAL] = "number",
        [RULE_DURATION] = "duration",
        [RULE_MILLIS] = "duration",
        [RULE_SIZE] = "size",
        [RULE_CHOICE] = NULL,
        [RULE_SIGNAL] = "signal",
        [RULE_STRINGS] = "string or list",
        [RULE_PATHS] = "path or list",
        [RULE_CODES] = "integer or list",
        [RULE_COMMAND] = "string or list",
        [RULE_LABELS] = "map",
        [RULE_CRON] = "schedule",
        [RULE_SECTION] = "map",
    };
    return NAMES[rule->type];
}

/* How a field of its own form is written, by what the form begins with. */
static const char *form_name(const Rule *rule) {
    static const struct {
        const char *begin, *name;
    } FORMS[] = {
        {"{\"type\": \"boolean\"", "true, false"},
        {"{\"type\": \"object\"", "map"},
        {"{\"type\": \"string\"", "string"},
        {"{\"type\": [\"integer\"", "port"},
        {"{\"oneOf\": [{\"type\": \"string\"", "string or list"},
    };
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++)
        if (strncmp(rule->form, FORMS[i].begin, strlen(FORMS[i].begin)) == 0)
            return FORMS[i].name;
    return "map or list";
}

/* The names of a choice, without those that say the same as one before. */
static void add_choice_names(Buf *out, const Rule *rule) {
    for (const Choice *choice = rule->choices; choice->name; choice++) {
        bool known = false;
        for (const Choice *other = rule->choices; other < choice; other++)
            known |= other->value == choice->value;
        if (!known)
            buf_printf(out, "%s`%s`", choice > rule->choices ? ", " : "", choice->name);
    }
}

static void add_row(Buf *out, const Rule *rule, const char *prefix) {
    buf_printf(out, "| `%s%s`", prefix, rule->name);
    if (rule->aliases)
        buf_printf(out, "<br>also %s", rule->aliases);
    buf_add_literal(out, " | ");
    if (rule->type == RULE_CHOICE)
        add_choice_names(out, rule);
    else
        buf_add(out, span_of(rule->type == RULE_OWN ? form_name(rule) : type_name(rule)));
    buf_add_literal(out, " | ");
    if (rule->fallback)
        buf_printf(out, "`%s`", rule->fallback);
    buf_printf(out, " | %s |\n", rule->about);
}

static void add_rows(Buf *out, const RuleSet *set, const char *prefix) {
    for (const Rule *rule = set->rules; rule->name; rule++) {
        add_row(out, rule, prefix);
        if (rule->type != RULE_SECTION)
            continue;
        Buf inner = {0};
        buf_printf(&inner, "%s%s.", prefix, rule->name);
        add_rows(out, rule->section, buf_cstr(&inner));
        buf_done(&inner);
    }
}

static void add_table(Buf *out, const RuleSet *set) {
    buf_add_literal(out, "| field | written as | default | what it says |\n|---|---|---|---|\n");
    add_rows(out, set, "");
}

void config_reference(Buf *out) {
    buf_add_literal(out, "### A service\n\n");
    add_table(out, &SERVICE_RULES);
    buf_add_literal(out, "\n### The project\n\n");
    add_table(out, &PROJECT_RULES);
}
