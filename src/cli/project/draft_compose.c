/* What a docker-compose.yml says of services, as far as Muster says the same: the Compose
 * Specification (https://github.com/compose-spec/compose-spec/blob/main/05-services.md). What is
 * built here is to be run here; images are not ours to run, and so only probed. What cannot be taken
 * over is named in a comment. */
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "cli/project/draft_place.h"
#include "config/parse.h"

#define START_LIMIT (30 * NANOS_PER_SECOND) /* the default of health_check.start_limit */

/* ---- documents ---- */

/* The value of a key, also of maps that are merged in by "<<". */
static const DocNode *get_named(const DocNode *map, Span key) {
    const DocNode *value = doc_get(map, key), *merged = doc_get(map, SPAN("<<"));
    for (size_t i = 0; !value && merged && merged->kind == DOC_LIST && i < merged->list.count; i++)
        value = doc_get(merged->list.items[i], key);
    return value || !merged ? value : doc_get(merged, key);
}

static const DocNode *get(const DocNode *map, const char *key) {
    return get_named(map, span_of(key));
}

static Span text_of(const DocNode *node) {
    return node && node->kind != DOC_LIST && node->kind != DOC_MAP ? node->text : SPAN("");
}

static bool is_true(const DocNode *node) {
    return node && node->kind == DOC_BOOL && node->flag;
}

/* The items of a list, or a single value as its only one. */
static size_t item_count(const DocNode *node) {
    return !node ? 0 : node->kind == DOC_LIST ? node->list.count : 1;
}

static const DocNode *item(const DocNode *node, size_t i) {
    return node->kind == DOC_LIST ? node->list.items[i] : node;
}

/* ---- lines of YAML ---- */

static void line(Buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(Buf *out, const char *format, ...) {
    buf_add_literal(out, "    ");
    va_list args;
    va_start(args, format);
    buf_vprintf(out, format, args);
    va_end(args);
    buf_add_char(out, '\n');
}

/* Text in a comment stays on its line. */
static void add_plain(Buf *out, Span text) {
    for (size_t i = 0; i < text.len; i++)
        buf_add_char(out, (unsigned char)text.ptr[i] < ' ' ? ' ' : text.ptr[i]);
}

/* "[a, b]", from `from` on. */
static Span quoted_list(Arena *arena, const DocNode *list, size_t from) {
    Buf out = {.arena = arena};
    buf_add_char(&out, '[');
    for (size_t i = from; i < item_count(list); i++) {
        buf_add(&out, i > from ? SPAN(", ") : SPAN(""));
        draft_add_quoted(&out, text_of(item(list, i)));
    }
    buf_add_char(&out, ']');
    return buf_span(&out);
}

/* ---- what runs ---- */

static Span words_of(Arena *arena, const DocNode *node) {
    Buf out = {.arena = arena};
    for (size_t i = 0; i < item_count(node); i++) {
        buf_add(&out, i ? SPAN(" ") : SPAN(""));
        buf_add(&out, text_of(item(node, i)));
    }
    return buf_span(&out);
}

/* Lists are executed as they are; where one of the two is a string, a shell puts them together. */
static void read_command(Arena *arena, const DocNode *service, DraftService *to) {
    const DocNode *entry = get(service, "entrypoint"), *command = get(service, "command");
    Span first = words_of(arena, entry), second = words_of(arena, command);
    Buf text = {.arena = arena};
    buf_printf(&text, "%.*s%s%.*s", SPAN_ARGS(first), first.len && second.len ? " " : "",
               SPAN_ARGS(second));
    to->command = buf_span(&text);
    bool lists = (!entry || entry->kind == DOC_LIST) && (!command || command->kind == DOC_LIST);
    if (!to->command.len || !lists)
        return;
    Span left = quoted_list(arena, entry, 0), right = quoted_list(arena, command, 0);
    Buf argv = {.arena = arena};
    buf_printf(&argv, "%.*s%s%.*s", (int)left.len - 1, left.ptr,
               first.len && second.len ? ", " : "", (int)right.len - 1, right.ptr + 1);
    to->argv = buf_span(&argv);
}

/* The folder that it is built from is where it runs. */
static Span folder_of(const DocNode *build) {
    Span folder = build && build->kind == DOC_MAP ? text_of(get(build, "context")) : text_of(build);
    if (span_starts(folder, SPAN("./")))
        folder = span_skip(folder, 2);
    while (folder.len && folder.ptr[folder.len - 1] == '/')
        folder.len--;
    return span_equal(folder, SPAN(".")) ? SPAN("") : folder;
}

/* ---- ports ---- */

typedef struct Published {
    uint64_t here, inside; /* 0: not said, or several */
} Published;

/* What stands behind the last ':', which is cut off. */
static Span take_last(Span *text) {
    const char *colon = text->len ? memrchr(text->ptr, ':', text->len) : NULL;
    Span last = colon ? span_skip(*text, (size_t)(colon + 1 - text->ptr)) : *text;
    text->len = colon ? (size_t)(colon - text->ptr) : 0;
    return last;
}

/* "8080:80", "127.0.0.1:5432:5432/tcp", 6379, {published: 8080, target: 80}. */
static Published read_port(const DocNode *node) {
    Published port = {0};
    Span text = text_of(node), inside, here;
    const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;
    if (slash)
        text.len = (size_t)(slash - text.ptr);
    if (node->kind == DOC_MAP) {
        inside = text_of(get(node, "target"));
        here = text_of(get(node, "published"));
    } else {
        inside = take_last(&text);
        here = text.len ? take_last(&text) : inside;
    }
    if (!parse_u64(here, &port.here) || port.here > 65535)
        port.here = 0;
    if (!parse_u64(inside, &port.inside) || port.inside > 65535)
        port.inside = 0;
    return port;
}

/* The first is "main". True when there is one. */
static bool add_ports(const DocNode *ports, bool external, Buf *out) {
    Buf all = {0}, notes = {0};
    size_t count = 0;
    for (size_t i = 0; i < item_count(ports); i++) {
        Published port = read_port(item(ports, i));
        if (!port.here) {
            buf_add_literal(&notes, "    # a port that has to be named one by one: ");
            add_plain(&notes, text_of(item(ports, i)));
            buf_add_char(&notes, '\n');
            continue;
        }
        buf_add(&all, count ? SPAN(", ") : SPAN(""));
        if (count)
            buf_printf(&all, "p%u: %u", (unsigned)port.here, (unsigned)port.here);
        else
            buf_printf(&all, "main: %u", (unsigned)port.here);
        count++;
        if (!external && port.inside && port.inside != port.here)
            buf_printf(&notes, "    # in its container it listens on %u: here on %u, its PORT\n",
                       (unsigned)port.inside, (unsigned)port.here);
    }
    if (count == 1)
        line(out, "port: %.*s", SPAN_ARGS(span_skip(buf_span(&all), strlen("main: "))));
    else if (count)
        line(out, "ports: { %.*s }", SPAN_ARGS(buf_span(&all)));
    buf_add(out, buf_span(&notes));
    buf_done(&all);
    buf_done(&notes);
    return count > 0;
}

/* ---- health ---- */

static void add_time(const DocNode *check, const char *key, const char *ours, Buf *out) {
    Span text = text_of(get(check, key));
    Nanos time;
    if (text.len && parse_duration(text, &time))
        buf_printf(out, ", %s: %.*s", ours, SPAN_ARGS(text));
}

static void add_check(Arena *arena, const DocNode *check, bool external, bool has_port, Buf *out) {
    const DocNode *test = get(check, "test");
    Span kind = test && test->kind == DOC_LIST && test->list.count ? text_of(test->list.items[0])
                                                                   : SPAN("");
    bool none = is_true(get(check, "disable")) || span_equal(kind, SPAN("NONE"));
    if (!test || none || external) {
        if (has_port)
            line(out, "health_check: { type: tcp }");
        if (test && !none) {
            buf_add_literal(out, "    # its container has a check of its own: ");
            add_plain(out, words_of(arena, test));
            buf_add_char(out, '\n');
        }
        return;
    }
    Buf how = {.arena = arena};
    if (span_equal(kind, SPAN("CMD")))
        buf_add(&how, quoted_list(arena, test, 1));
    else
        draft_add_quoted(&how, test->kind == DOC_LIST && test->list.count > 1
                                   ? text_of(test->list.items[1])
                                   : text_of(test));
    buf_printf(out, "    health_check: { type: exec, command: %.*s", SPAN_ARGS(buf_span(&how)));
    add_time(check, "interval", "interval", out);
    add_time(check, "timeout", "timeout", out);
    uint64_t retries;
    if (parse_u64(text_of(get(check, "retries")), &retries) && retries)
        buf_printf(out, ", failure_threshold: %u", (unsigned)retries);
    Nanos period;
    if (parse_duration(text_of(get(check, "start_period")), &period) && period > START_LIMIT)
        add_time(check, "start_period", "start_limit", out);
    buf_add_literal(out, " }\n");
}

/* ---- environment, order, ends ---- */

static void add_variable(Span name, const DocNode *value, Buf *out) {
    if (!name.len || (value && value->kind == DOC_NULL))
        return; /* from the environment that it is started in, which it has anyway */
    buf_printf(out, "%s%.*s: ", out->len ? ", " : "", SPAN_ARGS(name));
    draft_add_quoted(out, text_of(value));
}

/* Those of a map that `over` (NULL: none) does not say itself. */
static void add_map(const DocNode *map, const DocNode *over, Buf *out) {
    for (size_t i = 0; map->kind == DOC_MAP && i < map->map.count; i++) {
        Span key = map->map.entries[i].key;
        if (!span_equal(key, SPAN("<<")) && !doc_get(over, key))
            add_variable(key, map->map.entries[i].value, out);
    }
}

static void add_variables(const DocNode *node, Buf *out) {
    if (node && node->kind == DOC_MAP) {
        const DocNode *merged = doc_get(node, SPAN("<<"));
        if (merged)
            add_map(item(merged, 0), node, out);
        add_map(node, NULL, out);
        return;
    }
    for (size_t i = 0; i < item_count(node); i++) {
        Span text = text_of(item(node, i));
        const char *equals = text.len ? memchr(text.ptr, '=', text.len) : NULL;
        if (!equals)
            continue;
        buf_printf(out, "%s%.*s: ", out->len ? ", " : "", (int)(equals - text.ptr), text.ptr);
        draft_add_quoted(out, span_skip(text, (size_t)(equals + 1 - text.ptr)));
    }
}

static void add_dependencies(Arena *arena, const DocNode *node, Buf *out) {
    bool map = node && node->kind == DOC_MAP, plain = true;
    size_t count = map ? node->map.count : item_count(node);
    Buf names = {0}, conditions = {0};
    for (size_t i = 0; i < count; i++) {
        Span name = draft_name(arena, map ? node->map.entries[i].key : text_of(item(node, i)));
        const DocNode *about = map ? node->map.entries[i].value : NULL;
        Span wanted = text_of(get(about, "condition"));
        bool started = span_equal(wanted, SPAN("service_started"));
        bool ended = span_equal(wanted, SPAN("service_completed_successfully"));
        const char *condition = started ? "started" : ended ? "completed" : "healthy";
        const DocNode *required = get(about, "required");
        bool soft = required && required->kind == DOC_BOOL && !required->flag;
        plain &= !started && !ended && !soft;
        buf_printf(&names, "%s%.*s", i ? ", " : "", SPAN_ARGS(name));
        buf_printf(&conditions, soft ? "%s%.*s: { condition: %s, kind: soft }" : "%s%.*s: %s",
                   i ? ", " : "", SPAN_ARGS(name), condition);
    }
    if (count && plain)
        line(out, "depends_on: [%.*s]", SPAN_ARGS(buf_span(&names)));
    else if (count)
        line(out, "depends_on: { %.*s }", SPAN_ARGS(buf_span(&conditions)));
    buf_done(&names);
    buf_done(&conditions);
}

static void add_ends(const DocNode *service, Buf *out) {
    Span restart = text_of(get(service, "restart")), signal = text_of(get(service, "stop_signal"));
    Span grace = text_of(get(service, "stop_grace_period"));
    int32_t number;
    Nanos time;
    if (span_equal(restart, SPAN("always")) || span_equal(restart, SPAN("unless-stopped")))
        line(out, "restart: always");
    else if (span_equal(restart, SPAN("no")))
        line(out, "restart: never");
    bool has_signal = parse_signal(signal, &number), has_grace = parse_duration(grace, &time);
    if (has_signal && has_grace)
        line(out, "stop: { signal: %.*s, timeout: %.*s }", SPAN_ARGS(signal), SPAN_ARGS(grace));
    else if (has_signal)
        line(out, "stop: { signal: %.*s }", SPAN_ARGS(signal));
    else if (has_grace)
        line(out, "stop: { timeout: %.*s }", SPAN_ARGS(grace));
}

/* Keys that nothing here stands for, and that somebody may miss. */
static void add_rest(const DocNode *service, bool external, Buf *out) {
    static const char *const TAKEN[] = {
        "<<",          "image",          "build",       "command",           "entrypoint",
        "ports",       "healthcheck",    "environment", "env_file",          "depends_on",
        "restart",     "stop_signal",    "profiles",    "stop_grace_period", "tty",
        "stdin_open",  "container_name", "hostname",    "networks",          "expose",
        "pull_policy", "init",           "platform",
    };
    Buf names = {0};
    for (size_t i = 0; !external && i < service->map.count; i++) {
        Span key = service->map.entries[i].key;
        bool taken = span_starts(key, SPAN("x-"));
        for (size_t j = 0; j < sizeof TAKEN / sizeof *TAKEN; j++)
            taken |= span_equal(key, span_of(TAKEN[j]));
        if (taken)
            continue;
        buf_add(&names, names.len ? SPAN(", ") : SPAN(""));
        add_plain(&names, key);
    }
    if (names.len)
        line(out, "# not taken over: %.*s", SPAN_ARGS(buf_span(&names)));
    buf_done(&names);
}

/* ---- a service, all of them ---- */

static void add_details(Arena *arena, const DocNode *service, bool external, Buf *out) {
    Buf variables = {0};
    if (external && get(service, "image"))
        line(out, "# its image is %.*s: start it as before, or say here by what command",
             SPAN_ARGS(text_of(get(service, "image"))));
    bool has_port = add_ports(get(service, "ports"), external, out);
    add_check(arena, get(service, "healthcheck"), external, has_port, out);
    if (!external) {
        add_variables(get(service, "environment"), &variables);
        if (variables.len)
            line(out, "env: { %.*s }", SPAN_ARGS(buf_span(&variables)));
        const DocNode *files = get(service, "env_file");
        if (files && files->kind != DOC_MAP)
            line(out, "env_files: %.*s", SPAN_ARGS(quoted_list(arena, files, 0)));
        add_ends(service, out);
        if (is_true(get(service, "tty")))
            line(out, "tty: true");
        if (is_true(get(service, "stdin_open")))
            line(out, "stdin: true");
    }
    add_dependencies(arena, get(service, "depends_on"), out);
    if (get(service, "profiles"))
        line(out, "disabled: true # it has profiles: muster start names it");
    add_rest(service, external, out);
    buf_done(&variables);
}

/* Others wait until it has ended well: it is a task. */
static bool is_task(const DocNode *services, Span name) {
    for (size_t i = 0; i < services->map.count; i++) {
        const DocNode *about = get_named(get(services->map.entries[i].value, "depends_on"), name);
        if (span_equal(text_of(get(about, "condition")), SPAN("service_completed_successfully")))
            return true;
    }
    return false;
}

static void read_service(const DraftPlace *place, const DocNode *services, const DocEntry *entry,
                         const char *file) {
    Arena *arena = &place->draft->arena;
    const DocNode *build = get(entry->value, "build");
    if (entry->value->kind != DOC_MAP)
        return;
    DraftService *service = draft_add(place, entry->key, SPAN(""), file);
    if (!service)
        return;
    service->external = !build;
    Buf more = {.arena = arena};
    if (build) {
        read_command(arena, entry->value, service);
        service->folder = folder_of(build);
    }
    if (is_task(services, entry->key))
        line(&more, "task: true");
    add_details(arena, entry->value, service->external, &more);
    service->more = buf_span(&more);
}

void draft_read_compose(const DraftPlace *place) {
    static const char *const NAMES[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
                                        "docker-compose.yaml"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const DocNode *document = draft_read_document(place, NAMES[i], DOC_YAML);
        const DocNode *services = document ? doc_get(document, SPAN("services")) : NULL;
        for (size_t j = 0; services && services->kind == DOC_MAP && j < services->map.count; j++)
            read_service(place, services, &services->map.entries[j], NAMES[i]);
        if (document)
            return;
    }
}
