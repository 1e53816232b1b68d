#include "cli/project/draft_place.h"

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

static bool has(const DraftPlace *place, const char *file) {
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", place->path, file);
    return access(path, F_OK) == 0;
}

static void add_problem(const DraftPlace *place, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_problem(const DraftPlace *place, const char *file, const char *format, ...) {
    Buf text = {.arena = &place->draft->arena};
    buf_printf(&text, "%.*s%s%s", SPAN_ARGS(place->name), place->name.len ? "/" : "", file);
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    *array_push(&place->draft->problems) = buf_span(&text);
}

Span draft_read_file(const DraftPlace *place, const char *file) {
    char path[4400];
    snprintf(path, sizeof path, "%s/%s", place->path, file);
    FILE *stream = fopen(path, "re");
    if (!stream) {
        if (errno != ENOENT && errno != ENOTDIR)
            add_problem(place, file, ": %s", strerror(errno));
        return (Span){0};
    }
    Buf text = {.arena = &place->draft->arena};
    size_t got;
    while (text.len < DOC_SIZE_MAX &&
           (got = fread(buf_reserve(&text, 16384), 1, 16384, stream)) > 0)
        text.len += got;
    bool failed = ferror(stream);
    if (failed)
        add_problem(place, file, ": %s", strerror(errno));
    else if (text.len >= DOC_SIZE_MAX)
        add_problem(place, file, ": too large to be what it seems");
    fclose(stream);
    return !failed && text.len < DOC_SIZE_MAX ? buf_span(&text) : (Span){0};
}

const DocNode *draft_read_document(const DraftPlace *place, const char *file, DocFormat format) {
    Span text = draft_read_file(place, file);
    const DocNode *document;
    DocError error;
    if (!text.ptr)
        return NULL;
    if (doc_read(&place->draft->arena, format, span_of(file), text, &document, &error) == 0)
        return document;
    add_problem(place, file, ":%u:%u: %.*s", error.place.line, error.place.column,
                SPAN_ARGS(error.message));
    return NULL;
}

static Span text_of(const DocNode *map, const char *key) {
    const DocNode *value = doc_get(map, span_of(key));
    return value && value->kind == DOC_STRING ? value->text : (Span){0};
}

/* ---- services ---- */

Span draft_name(Arena *arena, Span text) {
    const char *slash = text.len ? memrchr(text.ptr, '/', text.len) : NULL; /* "@scope/name" */
    if (slash)
        text = span_skip(text, (size_t)(slash + 1 - text.ptr));
    Buf name = {.arena = arena};
    for (size_t i = 0; i < text.len && name.len < 60; i++) {
        char c = text.ptr[i];
        bool fits = isalnum((unsigned char)c) || c == '_' || c == '-' || (c == '.' && name.len);
        if (fits || name.len)
            buf_add_char(&name, fits ? c : '-');
    }
    return name.len ? buf_span(&name) : SPAN("app");
}

DraftService *draft_add(const DraftPlace *place, Span name, Span command, const char *file) {
    Draft *draft = place->draft;
    if (draft->services.count == SERVICES_MAX)
        return NULL;
    Buf unique = {.arena = &draft->arena}, reason = {.arena = &draft->arena};
    buf_add(&unique, draft_name(&draft->arena, name));
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
static Span folder_name(const DraftPlace *place) {
    const char *slash = strrchr(place->path, '/');
    return place->name.len ? place->name : span_of(slash ? slash + 1 : place->path);
}

/* ---- Procfile ---- */

static void read_procfile(const DraftPlace *place) {
    Span rest = draft_read_file(place, "Procfile");
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
            draft_add(place, span(line.ptr, (size_t)(colon - line.ptr)), command, "Procfile");
        if (service && (memmem(command.ptr, command.len, "$PORT", 5) ||
                        memmem(command.ptr, command.len, "${PORT", 6)))
            service->port = true; /* one is assigned, as all do who read such files */
    }
}

/* ---- languages ---- */

static bool read_package_json(const DraftPlace *place) {
    const DocNode *package = draft_read_document(place, "package.json", DOC_JSON);
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
    draft_add(place, name.len ? name : folder_name(place), buf_span(&command), "package.json");
    return true;
}

static bool read_cargo(const DraftPlace *place) {
    const DocNode *manifest = draft_read_document(place, "Cargo.toml", DOC_TOML);
    Span name = manifest ? text_of(doc_get(manifest, SPAN("package")), "name") : (Span){0};
    if (!name.len || !(has(place, "src/main.rs") || has(place, "src/bin")))
        return false;
    draft_add(place, name, SPAN("cargo run"), "Cargo.toml");
    return true;
}

/* main.go, or a program in each folder of cmd/. */
static bool read_go(const DraftPlace *place) {
    char path[4400];
    if (!has(place, "go.mod"))
        return false;
    bool found = has(place, "main.go");
    if (found)
        draft_add(place, folder_name(place), SPAN("go run ."), "go.mod");
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
        draft_add(place, span_of(entry->d_name), buf_span(&command), "go.mod");
        found = true;
    }
    if (folder)
        closedir(folder);
    return found;
}

/* Files that say by being there how the folder is run. */
static bool read_marks(const DraftPlace *place) {
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
            draft_add(place, folder_name(place), span_of(MARKS[i].command), MARKS[i].file);
        if (service && strstr(MARKS[i].command, "${PORT}"))
            service->port = true;
        return true;
    }
    return false;
}

static bool read_languages(const DraftPlace *place) {
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
            read_languages(&(DraftPlace){draft, path, name});
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

void draft_read(Draft *draft, const char *folder) {
    DraftPlace here = {draft, folder, {0}};
    /* Who has written down how it is run is believed before files that only hint at it. */
    read_procfile(&here);
    draft_read_compose(&here);
    bool built_here = false;
    for (size_t i = 0; i < draft->services.count; i++)
        built_here |= !draft->services.items[i].external;
    if (!built_here && !read_languages(&here))
        read_below(draft, folder);
}

void draft_done(Draft *draft) {
    array_done(&draft->problems);
    array_done(&draft->services);
    arena_done(&draft->arena);
}

/* ---- writing ---- */

/* A string in quotes, as YAML and JSON have it. */
void draft_add_quoted(Buf *out, Span text) {
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

static void write_service(const DraftService *service, Buf *out) {
    buf_printf(out, "\n  %.*s: # %.*s\n", SPAN_ARGS(service->name), SPAN_ARGS(service->reason));
    if (service->external) {
        buf_add_literal(out, "    external: true # not started by Muster, only probed\n");
    } else {
        buf_add_literal(out, "    command: ");
        if (service->argv.len)
            buf_add(out, service->argv);
        else
            draft_add_quoted(out, service->command.len
                                      ? service->command
                                      : SPAN("echo say here how it is started; exit 1"));
        buf_add_char(out, '\n');
    }
    if (service->folder.len) {
        buf_add_literal(out, "    working_dir: ");
        draft_add_quoted(out, service->folder);
        buf_add_char(out, '\n');
    }
    if (service->port)
        buf_add_literal(out, "    port: auto\n    health_check: { type: tcp }\n");
    buf_add(out, service->more);
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
