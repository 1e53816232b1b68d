#include "cli/project/draft.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "doc/doc.h"

#define SERVICES_MAX 64

/* ---- the folder ---- */

/* A folder that is looked at: where it is, and how it is called in the file. */
typedef struct Place {
    Draft *draft;
    const char *path;
    Span name; /* empty: the project's own */
} Place;

static bool has(const Place *place, const char *file) {
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", place->path, file);
    return access(path, F_OK) == 0;
}

/* The whole file; {NULL, 0} when it is not there, or too large to be what it seems. */
static Span read_file(const Place *place, const char *file) {
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", place->path, file);
    FILE *stream = fopen(path, "re");
    if (!stream)
        return (Span){0};
    Buf text = {.arena = &place->draft->arena};
    size_t got;
    while (text.len < DOC_SIZE_MAX &&
           (got = fread(buf_reserve(&text, 16384), 1, 16384, stream)) > 0)
        text.len += got;
    fclose(stream);
    return text.len < DOC_SIZE_MAX ? buf_span(&text) : (Span){0};
}

static const DocNode *read_document(const Place *place, const char *file, DocFormat format) {
    Span text = read_file(place, file);
    const DocNode *document;
    DocError error;
    if (!text.ptr ||
        doc_read(&place->draft->arena, format, span_of(file), text, &document, &error) < 0)
        return NULL;
    return document;
}

static Span text_of(const DocNode *map, const char *key) {
    const DocNode *value = doc_get(map, span_of(key));
    return value && value->kind == DOC_STRING ? value->text : (Span){0};
}

/* ---- services ---- */

/* A name that may be a service's. */
static Span make_name(Arena *arena, Span text) {
    const char *slash = text.len ? memrchr(text.ptr, '/', text.len) : NULL; /* "@scope/name" */
    if (slash)
        text = span_skip(text, (size_t)(slash + 1 - text.ptr));
    Buf name = {.arena = arena};
    for (size_t i = 0; i < text.len && name.len < 60; i++) {
        char c = text.ptr[i];
        bool fits = isalnum((unsigned char)c) || c == '_' || c == '-';
        if (fits || name.len)
            buf_add_char(&name, fits ? c : '-');
    }
    return name.len ? buf_span(&name) : SPAN("app");
}

static DraftService *add(const Place *place, Span name, Span command, const char *file) {
    Draft *draft = place->draft;
    if (draft->services.count == SERVICES_MAX)
        return NULL;
    Buf unique = {.arena = &draft->arena}, reason = {.arena = &draft->arena};
    buf_add(&unique, make_name(&draft->arena, name));
    for (size_t i = 0; i < draft->services.count; i++)
        if (span_equal(draft->services.items[i].name, buf_span(&unique))) {
            buf_printf(&unique, "-%zu", draft->services.count + 1);
            break;
        }
    buf_printf(&reason, "%.*s%s%s", SPAN_ARGS(place->name), place->name.len ? "/" : "", file);
    DraftService *service = array_push(&draft->services);
    *service = (DraftService){
        .name = buf_span(&unique),
        .command = arena_copy(&draft->arena, command),
        .folder = place->name,
        .reason = buf_span(&reason),
    };
    return service;
}

/* The folder's own name, where nothing else gives one. */
static Span folder_name(const Place *place) {
    const char *slash = strrchr(place->path, '/');
    return place->name.len ? place->name : span_of(slash ? slash + 1 : place->path);
}

/* ---- Procfile ---- */

static void read_procfile(const Place *place) {
    Span rest = read_file(place, "Procfile");
    while (rest.len) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        Span line = span(rest.ptr, end ? (size_t)(end - rest.ptr) : rest.len);
        rest = span_skip(rest, line.len + 1);
        const char *colon = line.len && *line.ptr != '#' ? memchr(line.ptr, ':', line.len) : NULL;
        if (!colon)
            continue;
        Span command = span_skip(line, (size_t)(colon + 1 - line.ptr));
        while (command.len && isspace((unsigned char)*command.ptr))
            command = span_skip(command, 1);
        while (command.len && isspace((unsigned char)command.ptr[command.len - 1]))
            command.len--;
        if (!command.len || !command.ptr) /* the second for compilers that look far */
            continue;
        DraftService *service =
            add(place, span(line.ptr, (size_t)(colon - line.ptr)), command, "Procfile");
        if (service && (memmem(command.ptr, command.len, "$PORT", 5) ||
                        memmem(command.ptr, command.len, "${PORT", 6)))
            service->port = -1; /* one is assigned, as all do who read such files */
    }
}

/* ---- docker-compose ---- */

/* "8080:80", "127.0.0.1:5432:5432/tcp", 6379: the port on this machine. */
static int64_t published_port(const DocNode *service) {
    const DocNode *ports = doc_get(service, SPAN("ports"));
    if (!ports || ports->kind != DOC_LIST || !ports->list.count)
        return 0;
    const DocNode *first = ports->list.items[0];
    const DocNode *published = doc_get(first, SPAN("published"));
    Span text = published ? published->text : first->text;
    const char *slash = text.ptr ? memchr(text.ptr, '/', text.len) : NULL;
    if (slash)
        text.len = (size_t)(slash - text.ptr);
    const char *inside = text.ptr ? memrchr(text.ptr, ':', text.len) : NULL;
    if (inside)
        text.len = (size_t)(inside - text.ptr);
    const char *host = text.ptr ? memrchr(text.ptr, ':', text.len) : NULL;
    if (host)
        text = span(host + 1, text.len - (size_t)(host + 1 - text.ptr));
    uint64_t port;
    return parse_u64(text, &port) && port <= 65535 ? (int64_t)port : 0;
}

/* A string in quotes, as YAML and JSON have it. */
static void add_quoted(Buf *out, Span text) {
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < ' ')
            buf_printf(out, "\\x%02x", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_char(out, '"');
}

static Span environment_of(Arena *arena, const DocNode *service) {
    const DocNode *map = doc_get(service, SPAN("environment"));
    Buf out = {.arena = arena};
    for (size_t i = 0; map && map->kind == DOC_MAP && i < map->map.count; i++) {
        buf_printf(&out, "%s%.*s: ", i ? ", " : "", SPAN_ARGS(map->map.entries[i].key));
        add_quoted(&out, map->map.entries[i].value->text);
    }
    for (size_t i = 0; map && map->kind == DOC_LIST && i < map->list.count; i++) {
        Span line = map->list.items[i]->text;
        const char *equals = line.len ? memchr(line.ptr, '=', line.len) : NULL;
        if (!equals)
            continue;
        buf_printf(&out, "%s%.*s: ", out.len ? ", " : "", (int)(equals - line.ptr), line.ptr);
        add_quoted(&out, span_skip(line, (size_t)(equals + 1 - line.ptr)));
    }
    return buf_span(&out);
}

static Span dependencies_of(Arena *arena, const DocNode *service) {
    const DocNode *names = doc_get(service, SPAN("depends_on"));
    Buf out = {.arena = arena};
    for (size_t i = 0; names && names->kind == DOC_LIST && i < names->list.count; i++)
        buf_printf(&out, "%s%.*s", i ? ", " : "",
                   SPAN_ARGS(make_name(arena, names->list.items[i]->text)));
    for (size_t i = 0; names && names->kind == DOC_MAP && i < names->map.count; i++)
        buf_printf(&out, "%s%.*s", i ? ", " : "",
                   SPAN_ARGS(make_name(arena, names->map.entries[i].key)));
    return buf_span(&out);
}

static Span command_of(Arena *arena, const DocNode *service) {
    const DocNode *command = doc_get(service, SPAN("command"));
    Buf out = {.arena = arena};
    if (command && command->kind == DOC_STRING)
        return command->text;
    for (size_t i = 0; command && command->kind == DOC_LIST && i < command->list.count; i++)
        buf_printf(&out, "%s%.*s", i ? " " : "", SPAN_ARGS(command->list.items[i]->text));
    return buf_span(&out);
}

/* What is built here is to be run; images are not ours to run, and so only probed. */
static void read_compose(const Place *place) {
    static const char *const NAMES[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
                                        "docker-compose.yaml"};
    Arena *arena = &place->draft->arena;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const DocNode *document = read_document(place, NAMES[i], DOC_YAML);
        if (!document)
            continue;
        const DocNode *services = doc_get(document, SPAN("services"));
        for (size_t j = 0; services && services->kind == DOC_MAP && j < services->map.count; j++) {
            const DocEntry *entry = &services->map.entries[j];
            Span command = command_of(arena, entry->value);
            bool built = doc_get(entry->value, SPAN("build")) != NULL;
            DraftService *service = add(place, entry->key, command, NAMES[i]);
            if (!service)
                break;
            service->port = published_port(entry->value);
            service->environment = environment_of(arena, entry->value);
            service->depends_on = dependencies_of(arena, entry->value);
            service->external = !built;
        }
        return;
    }
}

/* ---- languages ---- */

static bool read_package_json(const Place *place) {
    const DocNode *package = read_document(place, "package.json", DOC_JSON);
    const DocNode *scripts = package ? doc_get(package, SPAN("scripts")) : NULL;
    const char *script = text_of(scripts, "dev").len     ? "dev"
                         : text_of(scripts, "start").len ? "start"
                                                         : NULL;
    if (!script)
        return false;
    const char *manager = has(place, "pnpm-lock.yaml")                        ? "pnpm"
                          : has(place, "yarn.lock")                           ? "yarn"
                          : has(place, "bun.lockb") || has(place, "bun.lock") ? "bun"
                                                                              : "npm";
    Buf command = {.arena = &place->draft->arena};
    buf_printf(&command, "%s run %s", manager, script);
    Span name = text_of(package, "name");
    add(place, name.len ? name : folder_name(place), buf_span(&command), "package.json");
    return true;
}

static bool read_cargo(const Place *place) {
    const DocNode *manifest = read_document(place, "Cargo.toml", DOC_TOML);
    Span name = manifest ? text_of(doc_get(manifest, SPAN("package")), "name") : (Span){0};
    if (!name.len || !(has(place, "src/main.rs") || has(place, "src/bin")))
        return false;
    add(place, name, SPAN("cargo run"), "Cargo.toml");
    return true;
}

/* main.go, or a program in each folder of cmd/. */
static bool read_go(const Place *place) {
    char path[4400];
    if (!has(place, "go.mod"))
        return false;
    bool found = has(place, "main.go");
    if (found)
        add(place, folder_name(place), SPAN("go run ."), "go.mod");
    snprintf(path, sizeof path, "%s/cmd", place->path);
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char program[4800];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(program, sizeof program, "cmd/%s/main.go", entry->d_name);
        if (!has(place, program))
            continue;
        Buf command = {.arena = &place->draft->arena};
        buf_printf(&command, "go run ./cmd/%s", entry->d_name);
        add(place, span_of(entry->d_name), buf_span(&command), "go.mod");
        found = true;
    }
    if (folder)
        closedir(folder);
    return found;
}

/* Files that say by being there how the folder is run. */
static bool read_marks(const Place *place) {
    static const struct {
        const char *file, *command;
    } MARKS[] = {
        {"manage.py", "python3 manage.py runserver"},
        {"app.py", "python3 app.py"},
        {"main.py", "python3 main.py"},
        {"server.py", "python3 server.py"},
        {"config.ru", "bundle exec rackup"},
        {"mix.exs", "mix run --no-halt"},
        {"gradlew", "./gradlew run"},
        {"pom.xml", "mvn spring-boot:run"},
        {"deno.json", "deno task start"},
        {"server.js", "node server.js"},
        {"index.js", "node index.js"},
        {"main.lua", "lua main.lua"},
        {"index.php", "php -S 127.0.0.1:${PORT}"},
    };
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        if (!has(place, MARKS[i].file))
            continue;
        DraftService *service =
            add(place, folder_name(place), span_of(MARKS[i].command), MARKS[i].file);
        if (service && strstr(MARKS[i].command, "${PORT}"))
            service->port = -1;
        return true;
    }
    return false;
}

static bool read_languages(const Place *place) {
    return read_package_json(place) || read_cargo(place) || read_go(place) || read_marks(place);
}

/* ---- reading ---- */

static int is_candidate(const struct dirent *entry) {
    static const char *const OTHERS[] = {"node_modules", "target", "vendor", "dist", "build"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        if (strcmp(entry->d_name, OTHERS[i]) == 0)
            return 0;
    return entry->d_name[0] != '.';
}

static void read_below(Draft *draft, const char *folder) {
    struct dirent **entries;
    int count = scandir(folder, &entries, is_candidate, alphasort);
    for (int i = 0; i < count; i++) {
        char path[4400];
        struct stat about;
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
            Span name = arena_copy(&draft->arena, span_of(entries[i]->d_name));
            read_languages(&(Place){draft, path, name});
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

void draft_read(Draft *draft, const char *folder) {
    Place here = {draft, folder, {0}};
    /* Who has written down how it is run is believed before files that only hint at it. */
    read_procfile(&here);
    read_compose(&here);
    bool built_here = false;
    for (size_t i = 0; i < draft->services.count; i++)
        built_here |= !draft->services.items[i].external;
    if (!built_here && !read_languages(&here))
        read_below(draft, folder);
}

void draft_done(Draft *draft) {
    array_done(&draft->services);
    arena_done(&draft->arena);
}

/* ---- writing ---- */

static void write_service(const DraftService *service, Buf *out) {
    buf_printf(out, "\n  %.*s: # %.*s\n", SPAN_ARGS(service->name), SPAN_ARGS(service->reason));
    if (service->external) {
        buf_add_literal(out, "    external: true # not started by Muster, only probed\n");
    } else {
        buf_add_literal(out, "    command: ");
        add_quoted(out, service->command.len ? service->command
                                             : SPAN("echo say here how it is started; exit 1"));
        buf_add_char(out, '\n');
    }
    if (service->folder.len) {
        buf_add_literal(out, "    working_dir: ");
        add_quoted(out, service->folder);
        buf_add_char(out, '\n');
    }
    if (service->port > 0)
        buf_printf(out, "    port: %lld\n    health_check: { type: tcp }\n",
                   (long long)service->port);
    else if (service->port < 0)
        buf_add_literal(out, "    port: auto\n    health_check: { type: tcp }\n");
    if (service->environment.len)
        buf_printf(out, "    env: { %.*s }\n", SPAN_ARGS(service->environment));
    if (service->depends_on.len)
        buf_printf(out, "    depends_on: [%.*s]\n", SPAN_ARGS(service->depends_on));
}

void draft_write(const Draft *draft, Buf *out) {
    buf_add_literal(out, "# What Muster runs here: muster up. Checked by muster check.\n"
                         "services:\n");
    for (size_t i = 0; i < draft->services.count; i++)
        write_service(&draft->services.items[i], out);
    if (!draft->services.count)
        buf_add_literal(out, "\n  hello: # an example: put your own in its place\n"
                             "    command: \"while true; do echo hello; sleep 5; done\"\n");
}
