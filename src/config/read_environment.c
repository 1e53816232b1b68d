/* Variables and secrets, of the project and of a service. The nearest wins: the service's own, its
 * files, the project's own, its files; secrets count as written where they stand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "config/reader.h"

static Span variable_name(const void *item) {
    return ((const Variable *)item)->name;
}

static Span secret_value(const void *item) {
    return *(const Span *)item;
}

/* Names whose values are secrets though nobody said so. */
static bool looks_secret(Span name) {
    static const char *const ENDS[] = {"PASSWORD", "PASSWD",      "SECRET",        "TOKEN",
                                       "API_KEY",  "PRIVATE_KEY", "ACCESS_KEY_ID", "CREDENTIALS"};
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        Span end = span_of(ENDS[i]);
        if (name.len >= end.len && span_equal(span_skip(name, name.len - end.len), end))
            return true;
    }
    return false;
}

static void note_secret(Reader *reader, const ConfigVariable *variable) {
    if (!variable->secret || variable->value.open || variable->value.text.len < SECRET_MIN ||
        map_get(&reader->secrets_seen, variable->value.text))
        return;
    Span *secret = arena_alloc(reader->arena, sizeof *secret);
    *secret = variable->value.text;
    map_put(&reader->secrets_seen, secret);
    *array_push(&reader->secrets) = *secret;
}

static void put(Reader *reader, Environment *env, ConfigVariable variable) {
    variable.secret |= looks_secret(variable.name);
    note_secret(reader, &variable);
    for (size_t i = 0; i < env->count; i++) {
        if (!span_equal(env->items[i].name, variable.name))
            continue;
        env->items[i] = variable;
        return;
    }
    if (env->count == CONFIG_VARIABLES_MAX) {
        reader_error(reader, variable.place, "more than %d variables", CONFIG_VARIABLES_MAX);
        return;
    }
    *array_push(env) = variable;
}

static bool good_name(Reader *reader, Span name, DocPlace place) {
    if (name.len && !memchr(name.ptr, '=', name.len) && !memchr(name.ptr, '\0', name.len))
        return true;
    reader_error(reader, place, "'%.*s' cannot be the name of a variable", SPAN_ARGS(shown(name)));
    return false;
}

/* ---- files ---- */

static int load(Reader *reader, Span path, Span *ret) {
    Buf text = {.arena = reader->arena};
    const char *name = arena_text(reader->arena, path);
    for (size_t i = 0; i < reader->files.count; i++) {
        if (span_equal(reader->files.items[i].path, path)) {
            *ret = reader->files.items[i].text;
            return 0;
        }
    }
    int result = reader->world->read(reader->world->owner, name, &text);
    if (result < 0)
        return result;
    *ret = buf_span(&text);
    return 0;
}

static void load_env_file(Reader *reader, Span path, DocPlace place, bool needed, Variables *out) {
    Span text;
    path = reader_absolute(reader, reader->config->folder, path);
    int result = load(reader, path, &text);
    if (result < 0) {
        if (needed || result != -ENOENT)
            reader_error(reader, place, "cannot read %.*s: %s", SPAN_ARGS(path), strerror(-result));
        return;
    }
    bool known = false;
    for (size_t i = 0; i < reader->files.count; i++)
        known |= span_equal(reader->files.items[i].path, path);
    if (!known)
        *array_push(&reader->files) = (ConfigFile){path, SPAN("env"), text};
    read_env_file(reader, path, text, out);
}

static void load_env_files(Reader *reader, const DocEntry *entry, Variables *out) {
    const DocNode *node = entry->value;
    bool many = node->kind == DOC_LIST;
    size_t mark = reader_enter(reader, SPAN("env_files"));
    for (size_t i = 0; i < (many ? node->list.count : 1); i++) {
        const DocNode *item = many ? node->list.items[i] : node;
        Span path;
        if (reader_string(reader, item, &path))
            load_env_file(reader, path, item->place, true, out);
    }
    reader_leave(reader, mark);
}

static void put_files(Reader *reader, const Variables *files, Environment *env) {
    for (size_t i = 0; i < files->count; i++)
        put(reader, env,
            (ConfigVariable){.name = files->items[i].name,
                             .value = {.text = files->items[i].value},
                             .source = RT_CONFIGURATION_SOURCE_ENV_FILE,
                             .place = files->items[i].place});
}

/* ---- env ---- */

static void put_value(Reader *reader, Environment *env, Span name, DocPlace place,
                      const DocNode *node, Span text) {
    ConfigVariable variable = {
        .name = name, .source = RT_CONFIGURATION_SOURCE_FILE, .place = node->place};
    if (good_name(reader, name, place) &&
        reader_expand(reader, text, node->place, &variable.value)) {
        variable.secret = reader->used_secret;
        put(reader, env, variable);
    }
}

/* Nothing behind a name: the runtime's own variable, where it has one. */
static void put_own(Reader *reader, Environment *env, Span name, DocPlace place) {
    Span value;
    if (good_name(reader, name, place) &&
        reader->world->variable(reader->world->owner, name, &value))
        put(reader, env,
            (ConfigVariable){.name = name,
                             .value = {.text = arena_copy(reader->arena, value)},
                             .source = RT_CONFIGURATION_SOURCE_ENVIRONMENT,
                             .place = place});
}

static void read_pair(Reader *reader, const DocNode *item, Environment *env) {
    if (item->kind != DOC_STRING) {
        reader_wrong_kind(reader, item, "a string such as NAME=value");
        return;
    }
    const char *equals = memchr(item->text.ptr, '=', item->text.len);
    if (!equals) {
        put_own(reader, env, item->text, item->place);
        return;
    }
    size_t len = (size_t)(equals - item->text.ptr);
    put_value(reader, env, span(item->text.ptr, len), item->place, item,
              span_skip(item->text, len + 1));
}

static void read_env(Reader *reader, const DocEntry *entry, Environment *env) {
    const DocNode *node = entry->value;
    size_t mark = reader_enter(reader, SPAN("env"));
    if (node->kind == DOC_LIST) {
        for (size_t i = 0; i < node->list.count; i++)
            read_pair(reader, node->list.items[i], env);
    } else if (node->kind != DOC_MAP) {
        reader_wrong_kind(reader, node, "a map, or a list of NAME=value");
    } else {
        for (size_t i = 0; i < node->map.count; i++) {
            const DocEntry *variable = &node->map.entries[i];
            size_t inner = reader_enter(reader, variable->key);
            if (variable->value->kind == DOC_NULL)
                put_own(reader, env, variable->key, variable->place);
            else if (variable->value->kind == DOC_LIST || variable->value->kind == DOC_MAP)
                reader_wrong_kind(reader, variable->value, "a string");
            else
                put_value(reader, env, variable->key, variable->place, variable->value,
                          variable->value->text);
            reader_leave(reader, inner);
        }
    }
    reader_leave(reader, mark);
}

/* ---- secrets ---- */

static bool secret_from_file(Reader *reader, const DocNode *node, Span *ret) {
    Span path;
    if (!reader_string(reader, node, &path))
        return false;
    path = reader_absolute(reader, reader->config->folder, path);
    int result = load(reader, path, ret);
    if (result < 0) {
        reader_error(reader, node->place, "cannot read %.*s: %s", SPAN_ARGS(path),
                     strerror(-result));
        return false;
    }
    while (ret->len && (ret->ptr[ret->len - 1] == '\n' || ret->ptr[ret->len - 1] == '\r'))
        ret->len--;
    return true;
}

static bool secret_from_variable(Reader *reader, const DocNode *node, Span *ret) {
    Span name;
    if (!reader_string(reader, node, &name))
        return false;
    if (!reader->world->variable(reader->world->owner, name, ret)) {
        const Variable *variable = map_get(&reader->variables_by_name, name);
        if (!variable) {
            reader_error(reader, node->place, "the variable %.*s is not set",
                         SPAN_ARGS(shown(name)));
            return false;
        }
        *ret = variable->value;
    }
    *ret = arena_copy(reader->arena, *ret);
    return true;
}

static bool read_secret(Reader *reader, const DocNode *node, ConfigVariable *variable) {
    if (node->kind != DOC_MAP)
        return reader_text(reader, node, &variable->value);
    const DocNode *file = doc_get(node, SPAN("file")), *env = doc_get(node, SPAN("env"));
    if (node->map.count != 1 || (!file && !env)) {
        reader_error(reader, node->place, "a secret is a string, {file: PATH} or {env: NAME}");
        return false;
    }
    if (env)
        variable->source = RT_CONFIGURATION_SOURCE_ENVIRONMENT;
    return file ? secret_from_file(reader, file, &variable->value.text)
                : secret_from_variable(reader, env, &variable->value.text);
}

static void read_secrets(Reader *reader, const DocEntry *entry, Environment *env) {
    const DocNode *node = entry->value;
    size_t mark = reader_enter(reader, SPAN("secrets"));
    if (node->kind != DOC_MAP) {
        reader_wrong_kind(reader, node, "a map");
    } else {
        for (size_t i = 0; i < node->map.count; i++) {
            const DocEntry *secret = &node->map.entries[i];
            size_t inner = reader_enter(reader, secret->key);
            ConfigVariable variable = {.name = secret->key,
                                       .secret = true,
                                       .source = RT_CONFIGURATION_SOURCE_FILE,
                                       .place = secret->place};
            if (good_name(reader, secret->key, secret->place) &&
                read_secret(reader, secret->value, &variable))
                put(reader, env, variable);
            reader_leave(reader, inner);
        }
    }
    reader_leave(reader, mark);
}

/* ---- both ---- */

static void read_own(Reader *reader, const RuleSet *set, const DocNode *node, Environment *env) {
    const DocEntry *secrets = reader_field(set, node, "secrets");
    const DocEntry *variables = reader_field(set, node, "env");
    if (secrets)
        read_secrets(reader, secrets, env);
    if (variables)
        read_env(reader, variables, env);
}

void read_project_environment(Reader *reader) {
    const DocEntry *files = reader_field(&PROJECT_RULES, reader->root, "env_files");
    map_init(&reader->variables_by_name, variable_name, 0);
    map_init(&reader->secrets_seen, secret_value, 0);
    if (files)
        load_env_files(reader, files, &reader->variables);
    else
        load_env_file(reader, SPAN(".env"), (DocPlace){0}, false, &reader->variables);
    for (size_t i = 0; i < reader->variables.count; i++)
        map_put(&reader->variables_by_name, &reader->variables.items[i]);
    Environment *env = &reader->project_env;
    put_files(reader, &reader->variables, env);
    read_own(reader, &PROJECT_RULES, reader->root, env);
}

void read_service_environment(Reader *reader, const DocNode *node, ServiceConfig *service) {
    Environment env = {0};
    Variables files = {0};
    for (size_t i = 0; i < reader->project_env.count; i++)
        *array_push(&env) = reader->project_env.items[i];
    const DocEntry *entry = reader_field(&SERVICE_RULES, node, "env_files");
    if (entry)
        load_env_files(reader, entry, &files);
    put_files(reader, &files, &env);
    read_own(reader, &SERVICE_RULES, node, &env);
    FREEZE(reader, &env, &service->env);
    array_done(&files);
    array_done(&env);
}
